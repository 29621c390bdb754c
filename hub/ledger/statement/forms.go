package statement

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/xuri/excelize/v2"
)

// Writer writes a statement as one of its forms.
type Writer func(io.Writer, *Document, Language) error

// WriterOf returns the writer of a form by the end of its file's name: ".txt",
// ".csv", ".xlsx", ".html".
func WriterOf(extension string) (Writer, bool) {
	switch extension {
	case ".txt":
		return Text, true
	case ".csv":
		return CSV, true
	case ".xlsx":
		return XLSX, true
	case ".html":
		return HTML, true
	}
	return nil, false
}

// DifferentError says that a printed form does not say what its statement says.
type DifferentError struct {
	Where      string // the first place: a line, or a cell of a sheet
	Has, Wants string
}

// Error shows the place.
func (e *DifferentError) Error() string {
	return fmt.Sprintf("%s was changed: it has %q, the statement says %q", e.Where, e.Has, e.Wants)
}

// CompareForm checks that form, the content of a file of this name, is what
// WriterOf makes of d in one of the languages, with all of its signatures or those
// that it had when the form was printed. The error is a *DifferentError with the
// first place that differs.
func CompareForm(name string, form []byte, d *Document) error {
	extension := strings.ToLower(filepath.Ext(name))
	write, ok := WriterOf(extension)
	if !ok {
		return fmt.Errorf("%s: only .json, .txt, .csv, .xlsx and .html files can be verified; of a PDF or a paper, compare the digest printed on it with that of the .json file", name)
	}
	c := comparison{form: form, write: write, compare: compareLinesOf}
	if extension == ".xlsx" {
		c.compare = compareBooks
	}
	for _, l := range []Language{Chinese, English} {
		for _, signatures := range subsets(d.Signatures) {
			part := *d
			part.Signatures = signatures
			if err := c.with(&part, l); err != nil {
				return err
			}
		}
	}
	if c.same {
		return nil
	}
	return c.best
}

// subsets returns all, none, and then every other choice of signatures: people sign
// in any order.
func subsets(all []Signature) [][]Signature {
	choice := func(bits int) (some []Signature) {
		for n := range all {
			if bits>>n&1 == 1 {
				some = append(some, all[n])
			}
		}
		return some
	}
	every := 1<<len(all) - 1
	list := [][]Signature{choice(every)}
	for bits := range every {
		list = append(list, choice(bits))
	}
	return list
}

// comparison keeps of several comparisons the one that went furthest.
type comparison struct {
	form    []byte
	write   Writer
	compare func(has, want []byte) (int, error)
	same    bool
	depth   int
	best    error
}

// with compares with what is made of d. Its error is another than that they
// differ.
func (c *comparison) with(d *Document, l Language) error {
	if c.same {
		return nil
	}
	var want bytes.Buffer
	if err := c.write(&want, d, l); err != nil {
		return err
	}
	depth, err := c.compare(c.form, want.Bytes())
	var other *DifferentError
	switch {
	case err == nil:
		c.same = true
	case !errors.As(err, &other):
		return err
	case c.best == nil || depth > c.depth:
		c.depth, c.best = depth, err
	}
	return nil
}

// compareLinesOf returns how many lines are the same before the first that is not.
func compareLinesOf(has, want []byte) (int, error) {
	a, b := bytes.SplitAfter(has, []byte("\n")), bytes.SplitAfter(want, []byte("\n"))
	for n := range max(len(a), len(b)) {
		if n >= len(a) || n >= len(b) || !bytes.Equal(a[n], b[n]) {
			return n, &DifferentError{Where: fmt.Sprintf("line %d", n+1), Has: lineAt(a, n), Wants: lineAt(b, n)}
		}
	}
	return len(a), nil
}

func lineAt(lines [][]byte, n int) string {
	if n >= len(lines) {
		return ""
	}
	return string(lines[n])
}

// maxUnpacked bounds what a workbook may unpack to.
const maxUnpacked = 2 << 30

// compareBooks compares the sheets and the raw values of all cells; a spreadsheet
// program that saves the file again may change everything else.
func compareBooks(has, want []byte) (int, error) {
	a, err := cellsOf(has)
	if err != nil {
		return 0, fmt.Errorf("not a readable workbook: %w", err)
	}
	b, err := cellsOf(want)
	if err != nil {
		return 0, err
	}
	for n := range max(len(a), len(b)) {
		switch {
		case n >= len(a):
			return n, &DifferentError{Where: b[n].where, Wants: b[n].value}
		case n >= len(b):
			return n, &DifferentError{Where: a[n].where, Has: a[n].value}
		case a[n].where != b[n].where:
			return n, &DifferentError{Where: "the order of cells at " + a[n].where, Has: a[n].value, Wants: b[n].where + ": " + b[n].value}
		case a[n].value != b[n].value:
			return n, &DifferentError{Where: a[n].where, Has: a[n].value, Wants: b[n].value}
		}
	}
	return len(a), nil
}

type bookCell struct{ where, value string }

func cellsOf(workbook []byte) (cells []bookCell, err error) {
	f, err := excelize.OpenReader(bytes.NewReader(workbook), excelize.Options{RawCellValue: true, UnzipSizeLimit: maxUnpacked})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for _, sheet := range f.GetSheetList() {
		rows, err := f.GetRows(sheet)
		if err != nil {
			return nil, err
		}
		for r, row := range rows {
			for c, value := range row {
				one, err := cellOf(f, sheet, c+1, r+1, value)
				if err != nil {
					return nil, err
				}
				if one.value != "" {
					cells = append(cells, one)
				}
			}
		}
	}
	return cells, nil
}

// cellOf returns a cell with what stands in it; a formula is not its value.
func cellOf(f *excelize.File, sheet string, column, row int, value string) (bookCell, error) {
	at, err := excelize.CoordinatesToCellName(column, row)
	if err != nil {
		return bookCell{}, err
	}
	formula, err := f.GetCellFormula(sheet, at)
	if formula != "" {
		value = "=" + formula
	}
	return bookCell{sheet + "!" + at, value}, err
}
