package api

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/xuri/excelize/v2"

	"citygrid/hub/cases/desk"
	"citygrid/internal/spreadsheet"
)

// byteOrderMark makes spreadsheet programs read a file as UTF-8.
const byteOrderMark = "\xef\xbb\xbf"

// maxSheetRows is how many rows a sheet holds, with its head [Excel specifications
// and limits: worksheet size].
const maxSheetRows = 1_048_576

// mediaTypeXLSX is the type of a workbook [ECMA-376].
const mediaTypeXLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// tableResponses describe an export.
func tableResponses() map[string]*huma.Response {
	file := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	return map[string]*huma.Response{"200": {Description: "The table", Content: map[string]*huma.MediaType{"text/csv": file, mediaTypeXLSX: file}}}
}

// tableHead sets the headers of an export.
func tableHead(ctx huma.Context, name, format string) {
	ctx.SetHeader("Content-Type", "text/csv; charset=utf-8; header=present")
	if format == "xlsx" {
		ctx.SetHeader("Content-Type", mediaTypeXLSX)
	}
	ctx.SetHeader("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
}

type exportCasesInput struct {
	CaseSelection
	Format string `query:"format" enum:"csv,xlsx" default:"csv"`
}

func (c *caseRoutes) registerExports(api huma.API) {
	caseOperation(c, api, huma.Operation{
		OperationID: "export-cases", Method: http.MethodGet, Path: "/api/v1/exports/cases",
		Summary:     "Cases as a table for spreadsheets, the latest first",
		Description: "Times have the offset of the city's zone. A text that a spreadsheet would take for a formula gets an apostrophe in front, in CSV.",
		Middlewares: bounded(api, c.heavy), Responses: tableResponses(),
	}, nil, c.exportCases)
}

// sheetWriter takes the rows of a table, and ends it. Close gives back what it holds,
// and writes nothing.
type sheetWriter interface {
	row(cells []string) error
	end() error
	io.Closer
}

// exportCases reads the first page before it answers, so that a fault of the question
// or of the store is told as such. Where the store fails later the answer is cut off,
// which the client sees, and no table ends as if it were whole.
func (c *caseRoutes) exportCases(ctx context.Context, in *exportCasesInput) (*huma.StreamResponse, error) {
	f, bad := in.filter()
	if bad != nil {
		return nil, bad
	}
	f.Limit = maxCasePage
	first, err := c.o.Desk.List(ctx, f)
	if err != nil {
		return nil, c.filterProblem(ctx, "export cases", err)
	}
	if in.Format == "xlsx" {
		n, err := c.o.Desk.Count(ctx, f)
		if err != nil {
			return nil, c.filterProblem(ctx, "export cases", err)
		}
		if n >= maxSheetRows {
			return nil, problem(http.StatusUnprocessableEntity, codeRange, fmt.Sprintf("%d cases match, and a sheet holds %d. Narrow the question, or take CSV.", n, maxSheetRows-1))
		}
	}
	name := fmt.Sprintf("cases-%s.%s", c.now().In(c.o.Zone).Format(time.DateOnly), in.Format)
	return &huma.StreamResponse{Body: func(request huma.Context) {
		tableHead(request, name, in.Format)
		if err := c.writeCases(ctx, request.BodyWriter(), in.Format, f, first); err != nil {
			if ctx.Err() == nil {
				c.log.Error("export of cases cut off", "error", err)
			}
			panic(http.ErrAbortHandler) // net/http's way to cut an answer off
		}
	}}, nil
}

func (c *caseRoutes) writeCases(ctx context.Context, out io.Writer, format string, f desk.Filter, page []desk.Summary) (err error) {
	var w sheetWriter = &csvSheet{w: csv.NewWriter(out), out: out}
	if format == "xlsx" {
		if w, err = newXLSXSheet(out); err != nil {
			return err
		}
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if err := w.row(caseColumns()); err != nil {
		return err
	}
	for {
		for n := range page {
			if err := w.row(c.caseCells(&page[n])); err != nil {
				return err
			}
		}
		if len(page) < maxCasePage {
			return w.end()
		}
		f.Before = page[len(page)-1].Number
		if page, err = c.o.Desk.List(ctx, f); err != nil {
			return err
		}
	}
}

func caseColumns() []string {
	return []string{"id", "state", "since", "reported", "ended", "light", "clock", "deadline", "source", "urgency", "class", "class_name", "condition",
		"component", "event", "description", "location", "lon", "lat", "cell", "duty", "handler", "inspector", "request", "reworks", "duplicate_of", "entries"}
}

// caseCells are the columns of a case; no personal data of petitioners are among them.
func (c *caseRoutes) caseCells(s *desk.Summary) []string {
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.In(c.o.Zone).Format(time.RFC3339)
	}
	lon, lat := "", ""
	if s.Position.Known() {
		lon, lat = degreeText(s.Position.Lon), degreeText(s.Position.Lat)
	}
	return []string{string(s.ID), string(s.State), at(s.Since), at(s.Reported), at(s.Ended), string(s.Light), string(s.Handling.Clock), at(s.Handling.Deadline),
		string(s.Source), string(s.Urgency), s.Class.String(), s.ClassName, s.Condition, string(s.Component), string(s.Event), s.Description, s.Location, lon, lat,
		string(s.Cell), string(s.Duty), string(s.Handler), string(s.Inspector), string(s.Request), strconv.Itoa(s.Reworks), string(s.DuplicateOf), strconv.FormatUint(uint64(s.Entries), 10)}
}

// degreeText writes degrees to about a centimetre.
func degreeText(v float64) string { return strconv.FormatFloat(v, 'f', 7, 64) }

// csvSheet writes UTF-8 with a byte order mark and lines that end with CR LF
// [RFC 4180].
type csvSheet struct {
	w     *csv.Writer
	out   io.Writer
	begun bool
}

func (s *csvSheet) row(cells []string) error {
	if !s.begun {
		s.begun, s.w.UseCRLF = true, true
		if _, err := io.WriteString(s.out, byteOrderMark); err != nil {
			return err
		}
	}
	record := make([]string, len(cells))
	for n, text := range cells {
		record[n] = spreadsheet.Text(text)
	}
	return s.w.Write(record)
}

func (s *csvSheet) end() error {
	s.w.Flush()
	return s.w.Error()
}

// Close has nothing to give back.
func (s *csvSheet) Close() error { return nil }

// xlsxSheet writes a workbook row by row; what does not fit in memory waits in a
// temporary file. All cells are texts, so that no code loses a zero or a digit.
type xlsxSheet struct {
	file *excelize.File
	rows *excelize.StreamWriter
	out  io.Writer
	next int
}

func newXLSXSheet(out io.Writer) (*xlsxSheet, error) {
	file := excelize.NewFile()
	rows, err := file.NewStreamWriter("Sheet1")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("begin a workbook: %w", err), file.Close())
	}
	return &xlsxSheet{file: file, rows: rows, out: out}, nil
}

func (s *xlsxSheet) row(cells []string) error {
	s.next++
	at, err := excelize.CoordinatesToCellName(1, s.next)
	if err != nil {
		return err
	}
	values := make([]any, len(cells))
	for n, text := range cells {
		values[n] = text
	}
	return s.rows.SetRow(at, values)
}

func (s *xlsxSheet) end() error {
	if err := s.rows.Flush(); err != nil {
		return fmt.Errorf("end a workbook: %w", err)
	}
	return s.file.Write(s.out)
}

// Close removes the temporary files.
func (s *xlsxSheet) Close() error { return s.file.Close() }
