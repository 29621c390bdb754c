package statement

import (
	"encoding/csv"
	"fmt"
	"io"

	"citygrid/internal/spreadsheet"
)

// byteOrderMark makes spreadsheet programs read the file as UTF-8.
const byteOrderMark = "\xef\xbb\xbf"

// CSV writes all tables of the statement one after the other, each under its
// title, separated by an empty line: UTF-8 with a byte order mark, lines ending
// with CR LF [RFC 4180]. Text that a spreadsheet program would run as a formula
// gets an apostrophe in front.
func CSV(out io.Writer, d *Document, l Language) error {
	if err := d.check(); err != nil {
		return err
	}
	if _, err := io.WriteString(out, byteOrderMark); err != nil {
		return fmt.Errorf("write the statement as CSV: %w", err)
	}
	w := csv.NewWriter(out)
	w.UseCRLF = true
	_ = w.Write([]string{wordsOf(l).title, spreadsheet.Text(d.Statement.City)}) // Flush and Error report all
	for _, t := range layout(d, l) {
		t.csv(w)
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return fmt.Errorf("write the statement as CSV: %w", err)
	}
	return nil
}

func (t *table) csv(w *csv.Writer) {
	_ = w.Write([]string{""})
	_ = w.Write([]string{t.title})
	record := make([]string, len(t.columns))
	for n, c := range t.columns {
		record[n] = c.String()
	}
	_ = w.Write(record)
	for _, r := range t.rows {
		for n, c := range r {
			record[n] = c.text
			if c.kind == text {
				record[n] = spreadsheet.Text(c.text)
			}
		}
		_ = w.Write(record)
	}
}
