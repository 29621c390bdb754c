package indicators

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/xuri/excelize/v2"

	"citygrid/internal/spreadsheet"
)

// byteOrderMark makes spreadsheet programs read the file as UTF-8.
const byteOrderMark = "\xef\xbb\xbf"

// cell is a text or a number of an export; both empty is no data.
type cell struct{ text, number string }

// header are the columns of both exports.
func header() []string {
	list := []string{"period", "dimension", "key"}
	for _, i := range Indicators() {
		list = append(list, i.Name()+"_num", i.Name()+"_den", i.Name()+"_percent")
	}
	for _, c := range Counts() {
		list = append(list, c.Name())
	}
	return append(list, "score", "score_weight", "grade")
}

// cells are the values of r. A ratio without data has empty cells, not zeros.
func (r *Row) cells() []cell {
	list := []cell{{text: r.Period}, {text: string(r.Dimension)}, {text: r.Key}}
	for _, i := range Indicators() {
		ratio := r.Ratio(i)
		percent := ""
		if bp, ok := ratio.BasisPoints(); ok {
			percent = hundredths(bp)
		}
		if !ratio.Known() && ratio.Num == 0 {
			list = append(list, cell{}, cell{}, cell{})
			continue
		}
		list = append(list, cell{number: whole(ratio.Num)}, cell{number: whole(ratio.Den)}, cell{number: percent})
	}
	for _, c := range Counts() {
		list = append(list, cell{number: whole(r.Count(c))})
	}
	s := r.Score()
	if !s.Known() {
		return append(list, cell{}, cell{number: whole(s.Weight)}, cell{})
	}
	return append(list, cell{number: hundredths(s.Hundredths)}, cell{number: whole(s.Weight)}, cell{text: s.Grade()})
}

func whole(n int64) string { return strconv.FormatInt(n, 10) }

// hundredths writes 9876 as "98.76".
func hundredths(n int64) string { return fmt.Sprintf("%d.%02d", n/100, n%100) }

// CSV writes rows as UTF-8 with a byte order mark, lines ending with CR LF [RFC 4180].
// The same rows have the same bytes.
func CSV(out io.Writer, rows []Row) error {
	if _, err := io.WriteString(out, byteOrderMark); err != nil {
		return fmt.Errorf("write the indicators as CSV: %w", err)
	}
	w := csv.NewWriter(out)
	w.UseCRLF = true
	_ = w.Write(header()) // Flush and Error report all
	for n := range rows {
		var record []string
		for _, c := range rows[n].cells() {
			record = append(record, spreadsheet.Text(c.text)+c.number)
		}
		_ = w.Write(record)
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return fmt.Errorf("write the indicators as CSV: %w", err)
	}
	return nil
}

// XLSX writes rows as a workbook with a sheet for each dimension. Numbers are cells
// of numbers with their exact decimals. The same rows have the same bytes.
func XLSX(out io.Writer, rows []Row) (err error) {
	f := excelize.NewFile()
	defer func() { err = errors.Join(err, f.Close()) }()
	for n, d := range Dimensions() {
		if err := sheet(f, n, d, rows); err != nil {
			return fmt.Errorf("write the indicators as XLSX: %w", err)
		}
	}
	if err := f.Write(out); err != nil {
		return fmt.Errorf("write the indicators as XLSX: %w", err)
	}
	return nil
}

func sheet(f *excelize.File, n int, d Dimension, rows []Row) error {
	name := string(d)
	if n == 0 {
		if err := f.SetSheetName("Sheet1", name); err != nil {
			return err
		}
	} else if _, err := f.NewSheet(name); err != nil {
		return err
	}
	for column, title := range header() {
		if err := put(f, name, column, 1, cell{text: title}); err != nil {
			return err
		}
	}
	line := 1
	for i := range rows {
		if rows[i].Dimension != d {
			continue
		}
		line++
		for column, c := range rows[i].cells() {
			if err := put(f, name, column, line, c); err != nil {
				return err
			}
		}
	}
	return nil
}

func put(f *excelize.File, sheet string, column, line int, c cell) error {
	at, err := excelize.CoordinatesToCellName(column+1, line)
	switch {
	case err != nil:
		return err
	case c.number != "":
		return f.SetCellDefault(sheet, at, c.number) // the text of the number, as it is
	case c.text != "":
		return f.SetCellStr(sheet, at, c.text)
	}
	return nil
}
