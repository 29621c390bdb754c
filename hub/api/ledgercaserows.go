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

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// LedgerRows are the rows of the ledgers, where they came from, and the places of the
// register.
type LedgerRows interface {
	// Rows returns rows of "sales", "payments" or "entries", the latest first.
	Rows(ctx context.Context, which string, f ledger.RowFilter) ([]ledger.Row, int64, error)
	// Source returns ErrUnknown where there is no such row.
	Source(ctx context.Context, content ledger.Content, id int64) (ledger.Source, error)
	// SearchPlaces finds a few places by meter, meter number, customer or card.
	SearchPlaces(ctx context.Context, text string) ([]ledger.PlaceMatch, error)
}

// RowJSON is a row of a ledger with where it came from.
type RowJSON struct {
	DossierEventJSON
	Meter string `json:"meter" doc:"Its place in the register, or what the file said"`
}

// RowsJSON is a page of rows.
type RowsJSON struct {
	Total int64     `json:"total"`
	Rows  []RowJSON `json:"rows" nullable:"false"`
}

// SourceJSON is where a row came from.
type SourceJSON struct {
	Import ImportJSON `json:"import"`
	Row    int        `json:"row" doc:"Of the file, from 1"`
	Line   int        `json:"line" doc:"Where it stands, from 1; 0 where the bytes cannot be read again"`
	Text   string     `json:"text" doc:"What stands there"`
	Names  string     `json:"names" doc:"The line that names the columns; empty for none"`
}

// PlaceMatchJSON is a place that a search found.
type PlaceMatchJSON struct {
	PlaceJSON
	By string `json:"by" enum:"meter,number,customer,card" doc:"By what it was found"`
}

type (
	rowsInput struct {
		Ledger  string `query:"ledger" enum:"sales,payments,entries" required:"true"`
		Utility string `query:"utility" enum:"water,power,gas,"`
		From    string `query:"from" doc:"First accounting day"`
		To      string `query:"to" doc:"Last accounting day"`
		Channel string `query:"channel" maxLength:"64" doc:"Of sales and payments; of card entries where they were read"`
		Kind    string `query:"kind" maxLength:"32" doc:"Of the sale or entry; payment or refund"`
		Meter   string `query:"meter" maxLength:"32"`
		Order   string `query:"order" maxLength:"64" doc:"Exactly this order"`
		Paging
	}
	rowsOutput  struct{ Body RowsJSON }
	sourceInput struct {
		Ledger string `query:"ledger" enum:"sales,payments" required:"true"`
		Row    int64  `query:"row" minimum:"1" required:"true" doc:"Number of the row in its ledger"`
	}
	sourceOutput struct{ Body SourceJSON }
	searchInput  struct {
		Text string `query:"text" required:"true" minLength:"2" maxLength:"64" doc:"A meter's id or its beginning, a meter number, a customer or a card"`
	}
	searchOutput    struct{ Body []PlaceMatchJSON }
	exportWorkInput struct {
		WorkSelection
		Format string `query:"format" enum:"csv,xlsx" default:"csv"`
	}
)

// registerRows adds the rows, their sources, the search and the export of work.
func (l *ledgerRoutes) registerRows(api huma.API, heavy huma.Middlewares) {
	deskGet(l, api, "ledger-list-rows", "/api/v1/ledger/rows", "Rows of a ledger, the latest first", l.listRows)
	deskGet(l, api, "ledger-search-places", "/api/v1/ledger/search", "Places by meter, meter number, customer or card", l.searchPlaces)
	ledgerOperation(l, api, huma.Operation{OperationID: "ledger-get-source", Method: http.MethodGet, Path: "/api/v1/ledger/source",
		Summary: "The file and the line that a row of sales or payments came from", Middlewares: append(l.withDesk(api), heavy...)}, nil, l.getSource)
	op := huma.Operation{OperationID: "export-differences", Method: http.MethodGet, Path: "/api/v1/exports/differences",
		Summary:     "Differences as a table for spreadsheets, as the list of work has them",
		Description: "Amounts are numbers in yuan, exact to the fen. Times have the offset of UTC. A text that a spreadsheet would take for a formula gets an apostrophe in front, in CSV.",
		Middlewares: append(l.withDesk(api), heavy...)}
	ledgerOperation(l, api, op, nil, l.exportWork)
}

func (l *ledgerRoutes) listRows(ctx context.Context, in *rowsInput) (*rowsOutput, error) {
	f := ledger.RowFilter{Utility: schemas.Medium(in.Utility), Channel: in.Channel, Kind: in.Kind, Meter: schemas.MeterID(in.Meter), Order: in.Order, Limit: in.Limit, Offset: in.Offset}
	for _, d := range []struct {
		name, text string
		to         *ledger.KnownDay
	}{{"from", in.From, &f.From}, {"to", in.To, &f.To}} {
		if d.text == "" {
			continue
		}
		day, bad := dayOf(d.name, d.text)
		if bad != nil {
			return nil, bad
		}
		*d.to = ledger.KnownDay{Day: day, Known: true}
	}
	if !f.From.Known && f.Meter == "" && f.Order == "" {
		return nil, problem(http.StatusUnprocessableEntity, codeInvalid, "Name a first day, a meter or an order.")
	}
	rows, total, err := l.o.Desk.Rows.Rows(ctx, in.Ledger, f)
	if err != nil {
		return nil, l.problemOf(ctx, "rows of "+in.Ledger, err)
	}
	out := &rowsOutput{Body: RowsJSON{Total: total, Rows: []RowJSON{}}}
	for n := range rows {
		out.Body.Rows = append(out.Body.Rows, rowJSON(&rows[n]))
	}
	return out, nil
}

func rowJSON(r *ledger.Row) RowJSON {
	e := ledger.DossierEvent{Sale: r.Sale, Payment: r.Payment, Entry: r.Entry, Import: r.Import, Collector: r.Collector}
	meter := schemas.MeterID("")
	switch {
	case r.Sale != nil:
		e.At, meter = r.Sale.At, r.Sale.Meter
	case r.Payment != nil:
		e.At = r.Payment.At
	case r.Entry != nil:
		e.At, meter = r.Entry.Moment(), r.Entry.Meter
	}
	return RowJSON{DossierEventJSON: dossierEventJSON(&e), Meter: string(meter)}
}

func (l *ledgerRoutes) getSource(ctx context.Context, in *sourceInput) (*sourceOutput, error) {
	s, err := l.o.Desk.Rows.Source(ctx, ledger.Content(in.Ledger), in.Row)
	if err != nil {
		return nil, l.problemOf(ctx, "source of a row", err)
	}
	return &sourceOutput{Body: SourceJSON{Import: importJSON(&s.Import), Row: s.Row, Line: s.Line, Text: s.Text, Names: s.Names}}, nil
}

func (l *ledgerRoutes) searchPlaces(ctx context.Context, in *searchInput) (*searchOutput, error) {
	list, err := l.o.Desk.Rows.SearchPlaces(ctx, in.Text)
	if err != nil {
		return nil, l.problemOf(ctx, "search places", err)
	}
	out := &searchOutput{Body: []PlaceMatchJSON{}}
	for n := range list {
		out.Body = append(out.Body, PlaceMatchJSON{PlaceJSON: ledgerPlaceJSON(&list[n].Place), By: list[n].By})
	}
	return out, nil
}

// workPage is how many differences an export asks for at once.
const workPage = 1000

// exportWork reads the first page before it answers, so that a fault is told as such.
// Where the books fail later, or what matches changes between two pages, the answer is
// cut off and no table ends as if it were whole.
func (l *ledgerRoutes) exportWork(ctx context.Context, in *exportWorkInput) (*huma.StreamResponse, error) {
	f, bad := in.filter(l.o.Desk.Today())
	if bad != nil {
		return nil, bad
	}
	f.Limit = workPage
	first, err := l.o.Desk.Work.Work(ctx, f)
	if err != nil {
		return nil, l.problemOf(ctx, "export differences", err)
	}
	if in.Format == "xlsx" && first.Total >= maxSheetRows {
		return nil, problem(http.StatusUnprocessableEntity, codeRange, fmt.Sprintf("%d differences match, and a sheet holds %d. Narrow the question, or take CSV.", first.Total, maxSheetRows-1))
	}
	l.log.Info("differences exported", "by", personOf(ctx).Name, "format", in.Format, "rows", first.Total)
	name := fmt.Sprintf("differences-%s.%s", f.AsOf, in.Format)
	return &huma.StreamResponse{Body: func(request huma.Context) {
		tableHead(request, name, in.Format)
		if err := l.writeWork(ctx, request.BodyWriter(), in.Format, f, first); err != nil {
			if ctx.Err() == nil {
				l.log.Error("export of differences cut off", "error", err)
			}
			panic(http.ErrAbortHandler) // net/http's way to cut an answer off
		}
	}}, nil
}

func (l *ledgerRoutes) writeWork(ctx context.Context, out io.Writer, format string, f ledger.WorkFilter, first ledger.WorkList) (err error) {
	var w sheetWriter = &csvSheet{w: csv.NewWriter(out), out: out}
	if format == "xlsx" {
		sheet, err := newXLSXSheet(out)
		if err != nil {
			return err
		}
		if w, err = newAmountSheet(sheet); err != nil {
			return errors.Join(err, sheet.Close())
		}
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if err := w.row(workColumns()); err != nil {
		return err
	}
	for page := first.Items; ; {
		for n := range page {
			if err := w.row(workCells(&page[n], f.AsOf)); err != nil {
				return err
			}
		}
		if len(page) < workPage {
			return w.end()
		}
		f.Offset += workPage
		next, err := l.o.Desk.Work.Work(ctx, f)
		if err == nil && next.Total != first.Total { // rows would be lacking, or there twice
			err = fmt.Errorf("%d differences matched, and %d do now; ask again", first.Total, next.Total)
		}
		if err != nil {
			return err
		}
		page = next.Items
	}
}

// amountColumn is the column of workCells that holds yuan.
const amountColumn = 6

func workColumns() []string {
	return []string{"key", "class", "utility", "state", "day", "age_days", "amount_yuan", "volume", "channel", "order", "meter", "purchase", "card", "shown", "expected",
		"note", "assignee", "last_by", "last_at", "found_run", "cleared_run"}
}

func workCells(i *ledger.WorkItem, asOf ledger.Day) []string {
	last, purchase := "", ""
	if !i.LastAt.IsZero() {
		last = i.LastAt.UTC().Format(time.RFC3339)
	}
	if i.Purchase.Number != 0 {
		purchase = strconv.FormatUint(uint64(i.Purchase.Number), 10)
	}
	return []string{i.Key, string(i.Class), string(i.Utility), string(i.State), i.Day.String(), strconv.Itoa(int(asOf - i.Day)), i.Amount.String(), strconv.FormatInt(i.Volume, 10),
		i.Channel, i.Order, string(i.Meter), purchase, string(i.Card), i.Shown, i.Expected, i.Note, i.Assignee, i.LastBy, last,
		strconv.FormatInt(i.FoundRun, 10), strconv.FormatInt(i.ClearedRun, 10)}
}

// amountSheet is a workbook whose amounts are numbers, so that a sheet can add them up.
type amountSheet struct {
	*xlsxSheet
	style int
}

func newAmountSheet(s *xlsxSheet) (*amountSheet, error) {
	style, err := s.file.NewStyle(&excelize.Style{NumFmt: 4}) // #,##0.00
	if err != nil {
		return nil, fmt.Errorf("begin a workbook: %w", err)
	}
	return &amountSheet{s, style}, nil
}

// row writes the amount as a number. A spreadsheet keeps 15 digits; more stay a text.
func (s *amountSheet) row(cells []string) error {
	s.next++
	at, err := excelize.CoordinatesToCellName(1, s.next)
	if err != nil {
		return err
	}
	values := make([]any, len(cells))
	for n, text := range cells {
		values[n] = text
	}
	if v, err := strconv.ParseFloat(cells[amountColumn], 64); err == nil && len(cells[amountColumn]) <= 16 {
		values[amountColumn] = excelize.Cell{StyleID: s.style, Value: v} // written as the shortest decimal that reads back as v, which is the text
	}
	return s.rows.SetRow(at, values)
}
