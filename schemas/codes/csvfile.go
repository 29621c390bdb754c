package codes

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// CSVColumns are the columns of a list as CSV. The first line names them, in any
// order; those from utility on may be left out.
func CSVColumns() []string {
	return []string{"code", "major", "major_zh", "major_en", "zh", "en", "utility", "of", "for", "formerly"}
}

// csvNeeded counts the columns of CSVColumns that must be there.
const csvNeeded = 6

// ParseCSV reads the classes of a list from CSV in UTF-8, and takes the rest from
// head, which a table has no place for. The names of a major class are the same on
// all its lines. Every mistake is reported, as Problems.
func ParseCSV(data []byte, head Head) (List, error) {
	if err := checkBytes(data); err != nil {
		return List{}, err
	}
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(data), "\ufeff")))
	names, err := r.Read()
	if err != nil {
		return List{}, Problems{{Line: 1, Problem: fmt.Sprintf("want the columns %s: %v", strings.Join(CSVColumns(), ","), err)}}
	}
	var p Problems
	columns := csvColumns(&p, names)
	if err := p.err(); err != nil {
		return List{}, err
	}
	l := List{Head: head}
	readRows(&p, r, func(line int, fields []string) {
		row := make(map[string]string, len(columns))
		for i, name := range columns {
			row[name] = fields[i]
		}
		l.addRow(&p, line, row)
	})
	if err := l.Validate(); err != nil {
		var more Problems
		errors.As(err, &more)
		p = append(p, more...)
	}
	slices.SortStableFunc(p, func(a, b Problem) int { return a.Line - b.Line })
	return l, p.err()
}

func csvColumns(p *Problems, names []string) []string {
	all := CSVColumns()
	for i, name := range names {
		switch {
		case !slices.Contains(all, name):
			p.add(1, name, "unknown column; want %s", strings.Join(all, ","))
		case slices.Contains(names[:i], name):
			p.add(1, name, "the column is there twice")
		}
	}
	for _, name := range all[:csvNeeded] {
		if !slices.Contains(names, name) {
			p.add(1, name, "the column is missing")
		}
	}
	return names
}

// readRows hands on every row of the right width, and notes the others. A row with
// wrong quotes ends it: what follows cannot be told apart. So does one too many, that
// a file of nothing but commas is not answered with millions of problems.
func readRows(p *Problems, r *csv.Reader, row func(line int, fields []string)) {
	for n := 0; ; n++ {
		fields, err := r.Read()
		if n == maxClasses && !errors.Is(err, io.EOF) {
			line := 0
			if len(fields) > 0 {
				line, _ = r.FieldPos(0)
			}
			p.add(line, "", "more than %d classes; the lines from here on were not read", maxClasses)
			return
		}
		var bad *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return
		case errors.Is(err, csv.ErrFieldCount):
			line, _ := r.FieldPos(0)
			p.add(line, "", "%d columns; the first line names %d", len(fields), r.FieldsPerRecord)
		case errors.As(err, &bad):
			p.add(bad.Line, "", "%v at character %d; the lines after it were not read", bad.Err, bad.Column)
			return
		case err != nil:
			p.add(0, "", "%v", err)
			return
		default:
			line, _ := r.FieldPos(0)
			row(line, fields)
		}
	}
}

// addRow adds the class of row, and its major class where it is new.
func (l *List) addRow(p *Problems, line int, row map[string]string) {
	m := Major{row["major"], row["major_zh"], row["major_en"]}
	i := slices.IndexFunc(l.Majors, func(o Major) bool { return o.Code == m.Code })
	if i < 0 {
		l.Majors = append(l.Majors, m)
	} else if l.Majors[i] != m {
		p.add(line, "major", "%s is %s (%s) here and %s (%s) above; the names of a major class are the same on all lines", m.Code, m.ZH, m.EN, l.Majors[i].ZH, l.Majors[i].EN)
	}
	l.lines = append(l.lines, line)
	l.Classes = append(l.Classes, Class{
		Ref: Ref{l.Standard, l.Kind, row["code"]}, Major: Major{Code: m.Code},
		ZH: row["zh"], EN: row["en"], Utility: row["utility"],
		Of: row["of"], For: row["for"], Formerly: row["formerly"],
	})
}
