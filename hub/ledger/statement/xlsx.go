package statement

import (
	"errors"
	"fmt"
	"io"

	"github.com/xuri/excelize/v2"
)

// exactDigits is how many decimal digits a spreadsheet's number holds exactly
// [Excel specifications and limits: number precision]. Longer ones are text.
const exactDigits = 15

// XLSX writes the statement as a workbook: sheets for the summary, the ledgers
// side by side, the roll-forwards and the differences. Numbers are cells of
// numbers, written as their exact decimals with a format of two (yuan) or three
// (volume) decimals.
func XLSX(out io.Writer, d *Document, l Language) (err error) {
	if err := d.check(); err != nil {
		return err
	}
	f := excelize.NewFile()
	defer func() { err = errors.Join(err, f.Close()) }()
	w := wordsOf(l)
	b := &book{file: f, next: map[string]int{}, wide: map[string][]int{}}
	if err := b.prepare(w); err != nil {
		return fmt.Errorf("write the statement as XLSX: %w", err)
	}
	b.line(w.summary, []cell{said(w.title + " " + d.Statement.City)}, b.title)
	for _, t := range layout(d, l) {
		b.table(&t)
	}
	if err := errors.Join(append(b.errs, b.widths())...); err != nil {
		return fmt.Errorf("write the statement as XLSX: %w", err)
	}
	if err := f.Write(out); err != nil {
		return fmt.Errorf("write the statement as XLSX: %w", err)
	}
	return nil
}

// book is a workbook that is being filled, sheet by sheet, from the top.
type book struct {
	file        *excelize.File
	title, head int            // styles
	styles      [4]int         // by kind
	next        map[string]int // the next row of each sheet
	wide        map[string][]int
	errs        []error
}

func (b *book) prepare(w *words) error {
	for n, name := range []string{w.summary, w.ledgers, w.rolls, w.differences} {
		var err error
		if n == 0 {
			err = b.file.SetSheetName("Sheet1", name)
		} else {
			_, err = b.file.NewSheet(name)
		}
		if err != nil {
			return err
		}
		b.next[name] = 1
	}
	style := func(s *excelize.Style) int {
		id, err := b.file.NewStyle(s)
		b.errs = append(b.errs, err)
		return id
	}
	thousands, three := "#,##0", "#,##0.000"
	b.title = style(&excelize.Style{Font: &excelize.Font{Bold: true, Size: 14}})
	b.head = style(&excelize.Style{Font: &excelize.Font{Bold: true}, Border: []excelize.Border{{Type: "bottom", Color: "000000", Style: 1}}})
	b.styles[text] = style(&excelize.Style{NumFmt: 49}) // @
	b.styles[money] = style(&excelize.Style{NumFmt: 4}) // #,##0.00
	b.styles[count] = style(&excelize.Style{CustomNumFmt: &thousands})
	b.styles[volume] = style(&excelize.Style{CustomNumFmt: &three})
	return errors.Join(b.errs...)
}

func (b *book) table(t *table) {
	if b.next[t.sheet] > 1 {
		b.next[t.sheet]++
	}
	b.line(t.sheet, []cell{said(t.title)}, b.title)
	head := make([]cell, len(t.columns))
	for n, c := range t.columns {
		head[n] = said(c.String())
	}
	b.line(t.sheet, head, b.head)
	for _, r := range t.rows {
		b.line(t.sheet, r, 0)
	}
}

// line writes a row in one style, or for style 0 each cell in that of its kind.
func (b *book) line(sheet string, cells []cell, style int) {
	row := b.next[sheet]
	b.next[sheet]++
	for n, c := range cells {
		at, err := excelize.CoordinatesToCellName(n+1, row)
		b.errs = append(b.errs, err)
		if c.text == "" {
			continue
		}
		id := style
		if id == 0 {
			id = b.styles[c.kind]
		}
		b.cell(sheet, at, c)
		b.errs = append(b.errs, b.file.SetCellStyle(sheet, at, at, id))
		if style != b.title {
			b.widen(sheet, n, columns(c.grouped()))
		}
	}
}

func (b *book) cell(sheet, at string, c cell) {
	if c.kind == text || digits(c.text) > exactDigits {
		b.errs = append(b.errs, b.file.SetCellStr(sheet, at, c.text))
		return
	}
	// Default cells keep the text of the number as it is; no float is made of it.
	b.errs = append(b.errs, b.file.SetCellDefault(sheet, at, c.text))
}

func digits(s string) (n int) {
	for _, r := range s {
		if r >= '0' && r <= '9' {
			n++
		}
	}
	return n
}

func (b *book) widen(sheet string, column, places int) {
	for len(b.wide[sheet]) <= column {
		b.wide[sheet] = append(b.wide[sheet], 0)
	}
	b.wide[sheet][column] = max(b.wide[sheet][column], min(places, 60))
}

func (b *book) widths() error {
	var errs []error
	for sheet, wide := range b.wide {
		for n, places := range wide {
			name, err := excelize.ColumnNumberToName(n + 1)
			errs = append(errs, err, b.file.SetColWidth(sheet, name, name, float64(places+2)))
		}
	}
	return errors.Join(errs...)
}
