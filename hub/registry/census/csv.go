package census

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"citygrid/hub/registry/geo"
)

// csvSource reads a CSV file with one line of column names.
type csvSource struct {
	closer io.Closer
	budget *budget
	r      *csv.Reader
	names  []string
	values []value
	record int
}

func newCSV(r io.ReadCloser, encoding string) (source, error) {
	text, err := decoded(r, encoding)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	b := &budget{r: text}
	b.reset()
	s := &csvSource{closer: r, budget: b, r: csv.NewReader(b)}
	s.r.FieldsPerRecord, s.r.ReuseRecord = -1, true
	if err := s.readNames(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return s, nil
}

func (s *csvSource) readNames() error {
	line, err := s.r.Read()
	switch {
	case err == io.EOF:
		return stop(1, "the first line holds the names of the columns", "the file is empty")
	case err != nil:
		return s.broken(err)
	case len(line) == 1 && strings.ContainsAny(line[0], ";\t|"):
		return stop(1, "save it with commas", "the columns are separated by semicolons, tabs or bars")
	case len(line) > maxColumns:
		return stop(1, "take some out", "%d columns, %d at the most", len(line), maxColumns)
	}
	for _, name := range line {
		if !utf8.ValidString(name) {
			return stop(1, "name the character set of the file, gb18030 for most Chinese ones", "the names of the columns are not UTF-8")
		}
		s.names = append(s.names, strings.TrimSpace(name))
	}
	s.values = make([]value, len(s.names))
	return nil
}

func (s *csvSource) next() (*row, error) {
	s.budget.reset()
	fields, err := s.r.Read()
	if err == io.EOF {
		return nil, io.EOF
	}
	if err != nil {
		return nil, s.broken(err)
	}
	s.record++
	line, _ := s.r.FieldPos(0)
	out := &row{record: s.record, line: line, names: s.names}
	if len(fields) != len(s.names) {
		out.faults = []located{{fault: faultf("quote texts that have commas in them", "%d fields in the line, %d columns", len(fields), len(s.names))}}
		return out, nil
	}
	for i, f := range fields {
		if !utf8.ValidString(f) {
			return nil, &fatal{record: s.record, line: line, field: s.names[i],
				fault: faultf("name the character set of the file, gb18030 for most Chinese ones", "the file is not UTF-8")}
		}
		s.values[i] = value{text: f}
	}
	out.values = s.values
	return out, nil
}

// broken names the line of an error after which the quotes cannot be trusted.
func (s *csvSource) broken(err error) error {
	var p *csv.ParseError
	switch {
	case errors.Is(err, errTooLong):
		return &fatal{record: s.record + 1, fault: faultf("look for a quote that is not closed", "%v", err)}
	case errors.As(err, &p):
		return &fatal{record: s.record + 1, line: p.StartLine, fault: faultf("double quotes within a quoted text, and close every quote", "%v in line %d, column %d", p.Err, p.Line, p.Column)}
	}
	return &fatal{record: s.record + 1, fault: faultf("look at the disk or the archive", "reading failed: %v", err)}
}

func (s *csvSource) declared() (geo.CRS, string, error) { return geo.CRS{}, "", nil }
func (s *csvSource) geometric() bool                    { return false }
func (s *csvSource) Close() error                       { return s.closer.Close() }
