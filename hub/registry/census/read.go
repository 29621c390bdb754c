package census

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"citygrid/hub/registry/geo"
)

// Read opens a file and gives its good records one by one, each with its place.
// Everything else goes to rep, which is told for certain only after the last record:
// a caller that stores what it is given does so in a transaction, and takes it back
// when rep.Err is not nil. A file that cannot be opened, and a ctx that ends, are
// problems of rep as well.
//
// Positions are in degrees, labelled CGCS2000 or, when the file is in WGS84 or
// GCJ-02, WGS84. Shapes are as geo.Normalise returns them. Spaces around texts are
// taken off; dates without a zone are of China's. A component with no position is
// given and noted in rep.Unplaced.
func Read[T Thing](ctx context.Context, file string, o Options, rep *Report) iter.Seq2[Place, T] {
	return func(yield func(Place, T) bool) {
		start(rep, file, o)
		s, err := open(file, o)
		if err != nil {
			rep.add(problemOf(err))
			return
		}
		readAll(ctx, s, o, rep, yield)
		if err := s.Close(); err != nil {
			rep.add(Problem{Rule: "closing it failed: " + err.Error()})
		}
	}
}

func start(rep *Report, file string, o Options) {
	limit := o.MaxProblems
	if limit <= 0 {
		limit = defaultProblems
	}
	*rep = Report{File: filepath.Base(file), limit: limit}
}

func open(file string, o Options) (source, error) {
	format := o.Format
	if format == "" {
		var err error
		if format, err = FormatOf(file); err != nil {
			return nil, err
		}
	}
	if format == Shapefile {
		return openShapefile(file, o.Encoding)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	switch format {
	case CSV:
		return newCSV(f, o.Encoding)
	case GeoJSON:
		return newGeoJSON(f, o.Encoding)
	}
	return nil, errors.Join(fmt.Errorf("format %q is not known; want csv, geojson or shapefile", format), f.Close())
}

func problemOf(err error) Problem {
	var f *fatal
	if errors.As(err, &f) {
		return Problem{Record: f.record, Line: f.line, Field: f.field, Rule: f.rule, Remedy: f.remedy}
	}
	return Problem{Rule: err.Error()}
}

// reader is one run over a file.
type reader[T Thing] struct {
	kind    *kind[T]
	columns *columns
	env     env
	crs     geo.CRS
	rep     *Report
	seen    seen
	// plan is made for names, and again when they change; nil where they do not do.
	names    []string
	arranged bool
	plan     []place[T]
	warned   map[string]bool
	given    map[string]bool // fields of the record at hand
	source   source
}

// place is what a column is for.
type place[T Thing] struct {
	column string
	name   string // our name of the field; empty for the city's own attributes
	field  *field[T]
	skip   bool
}

func readAll[T Thing](ctx context.Context, s source, o Options, rep *Report, yield func(Place, T) bool) {
	r := &reader[T]{kind: kindOf[T](), env: env{standard: o.standard()}, crs: o.CRS, rep: rep, seen: newSeen(), warned: map[string]bool{}, given: map[string]bool{}, source: s}
	var err error
	if r.columns, err = o.mapping().columns(r.kind.kind); err != nil {
		rep.add(Problem{Rule: err.Error()})
		return
	}
	if r.kind.form != noGeometry && o.CRS.IsZero() {
		rep.add(Problem{Field: "crs", Rule: "the coordinate reference system is not named", Remedy: "name it; it is never guessed"})
		return
	}
	if !r.checkDeclared() {
		return
	}
	for {
		if err := ctx.Err(); err != nil {
			rep.add(Problem{Rule: "stopped: " + err.Error()})
			return
		}
		in, err := s.next()
		if err != nil {
			if err != io.EOF {
				rep.add(problemOf(err))
			}
			break
		}
		if at, v, good := r.read(in); good && !yield(at, v) {
			return
		}
	}
	r.checkDeclared()
}

// checkDeclared holds what the file says of its reference system against the
// caller's; a GeoJSON file may say it at its end.
func (r *reader[T]) checkDeclared() bool {
	said, where, err := r.source.declared()
	switch {
	case r.kind.form == noGeometry:
	case err != nil:
		r.rep.add(Problem{Field: where, Rule: err.Error(), Remedy: "convert the file to one of these"})
		return false
	case !said.IsZero() && !r.crs.Agrees(said):
		r.rep.add(Problem{Field: where, Value: said.String(), Rule: fmt.Sprintf("the file says %s, the caller %s", said.Name(), r.crs.Name()),
			Remedy: "find out which is right, and name that or mend the file"})
		return false
	}
	return true
}

// read turns a row into a record.
func (r *reader[T]) read(in *row) (at Place, v T, good bool) {
	at = Place{Record: in.record, Line: in.line}
	r.rep.Records++
	before := r.rep.Errors
	for _, f := range in.faults {
		r.fault(at, f)
	}
	if len(in.faults) > 0 || !r.arrange(in) {
		return at, v, false
	}
	spot := spot{point: in.point, shape: in.shape}
	given := r.given
	clear(given)
	for i, p := range r.plan {
		switch {
		case !p.skip:
			r.cell(at, p, in.values[i], &v, &spot, given)
		case p.column == "" && in.values[i].text != "":
			r.nameless(at, in.values[i].text)
		}
	}
	for _, f := range r.kind.fields {
		if f.need && !given[f.name] {
			r.fault(at, located{field: r.called(f.name), fault: faultf("give it", "missing")})
		}
	}
	r.geometry(at, &v, &spot)
	if r.rep.Errors > before {
		return at, v, false
	}
	if r.kind.finish != nil {
		if f := r.kind.finish(&r.env, &v); f != nil {
			r.fault(at, located{field: r.called(f.field), value: f.value, fault: f.fault, warning: f.warning})
		}
	}
	at.Key = r.kind.key(&v)
	if first, twice := r.seen.before(at.Key, in.record); twice {
		r.fault(at, located{field: r.called(r.kind.fields[0].name), value: at.Key, fault: faultf("keep one of them, or give one another code", "the same as in record %d", first)})
	}
	if r.rep.Errors > before {
		return at, v, false
	}
	r.rep.Good++
	if r.kind.point != nil && !r.kind.point(&v).Known() {
		r.rep.unplaced(at)
	}
	return at, v, true
}

// called is the name of a field in the file.
func (r *reader[T]) called(field string) string {
	for _, p := range r.plan {
		if p.name == field {
			return p.column
		}
	}
	if column := r.columns.column(field); column != "" {
		return column
	}
	return field
}

func (r *reader[T]) fault(at Place, l located) {
	r.rep.add(Problem{Record: at.Record, Line: at.Line, Field: l.field, Value: l.value, Rule: l.fault.rule, Remedy: l.fault.remedy, Warning: l.warning})
}

// arrange finds out what the columns are for.
func (r *reader[T]) arrange(in *row) bool {
	if r.arranged && slices.Equal(r.names, in.names) {
		return r.plan != nil // the reason why not has been told
	}
	r.names, r.plan, r.arranged = slices.Clone(in.names), make([]place[T], len(in.names)), true
	good, seen := true, map[string]string{}
	for i, column := range r.names {
		p := place[T]{column: column, name: r.columns.field[fold(column)]}
		good = r.nameOf(in, &p) && good
		if r.source.geometric() && slices.Contains([]string{columnX, columnY, columnWKT}, p.name) {
			p.name = "" // such a file has its geometry apart, and this is what somebody noted
		}
		key := p.name
		switch {
		case p.name != "":
			p.field = r.kind.find(p.name)
		case r.columns.ignored[fold(column)] || p.column == "":
			p.skip = true
		case r.kind.more == nil:
			p.skip = true
			r.unknown(p.column)
		default:
			key = "more " + p.column
		}
		if other, twice := seen[key]; twice && !p.skip {
			r.rep.add(Problem{Line: in.line, Record: in.record, Field: column, Rule: fmt.Sprintf("the columns %q and %q are for the same", other, column), Remedy: "take one of them out"})
			good = false
		}
		seen[key] = column
		r.plan[i] = p
	}
	if !good {
		r.plan = nil
	}
	return good
}

// nameOf refuses a name that could not be kept as that of an own attribute, and takes
// the spaces around it off.
func (r *reader[T]) nameOf(in *row, p *place[T]) bool {
	name, f := checkText(value{text: p.column}, maxColumnName)
	if f != nil {
		r.fault(Place{Record: in.record, Line: in.line}, located{field: p.column, fault: &fault{rule: "the name of a column: " + f.rule, remedy: f.remedy}})
		return false
	}
	p.column = name
	return true
}

// unknown says once that a column is left out.
func (r *reader[T]) unknown(column string) {
	if r.warned[column] || len(r.warned) > maxColumns {
		return
	}
	r.warned[column] = true
	r.rep.add(Problem{Field: column, Rule: "the mapping does not know this column; it is left out", Remedy: "map it, or list it under ignore", Warning: true})
}

// nameless says once that something stands in a column without a name.
func (r *reader[T]) nameless(at Place, text string) {
	if !r.warned[""] {
		r.warned[""] = true
		r.fault(at, located{value: text, warning: true, fault: faultf("name the column, or take it out", "a value in a column that has no name; it is left out")})
	}
}

// cell puts one value where it belongs.
func (r *reader[T]) cell(at Place, p place[T], v value, rec *T, s *spot, given map[string]bool) {
	limit := 10_000
	if p.field != nil {
		limit = p.field.limit
	} else if p.name == columnWKT {
		limit = maxRecord
	}
	text, f := checkText(v, limit)
	if f == nil && p.field != nil && p.field.code {
		f = checkCode(v, text)
	}
	if ours, ok := r.columns.ours[p.name][text]; ok && f == nil {
		text = ours
	}
	if f == nil && text != "" {
		switch {
		case p.field != nil:
			given[p.name] = true
			f = asFault(p.field.set(&r.env, rec, text))
		case p.name != "":
			f = s.column(p.name, text, r.crs)
		default:
			m := r.kind.more(rec)
			if *m == nil {
				*m = map[string]string{}
			}
			(*m)[p.column] = text
		}
	}
	if f != nil {
		given[p.name] = true // it is there, though not good
		s.bad = s.bad || p.field == nil && p.name != ""
		r.fault(at, located{field: p.column, value: v.text, fault: f})
	}
}

func asFault(err error) *fault {
	var f *fault
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return f
	}
	return faultf("correct it in the file", "%v", err)
}

// seen remembers keys, to say which record had one first. Most are numbers and take
// 16 bytes.
type seen struct {
	numbers map[uint64]int32
	words   map[string]int32
}

func newSeen() seen { return seen{map[uint64]int32{}, map[string]int32{}} }

func (s *seen) before(key string, record int) (first int, twice bool) {
	if n, err := strconv.ParseUint(key, 10, 64); err == nil && len(key) <= 19 && key[0] != '0' {
		at, ok := s.numbers[n]
		if !ok {
			s.numbers[n] = int32(record)
		}
		return int(at), ok
	}
	at, ok := s.words[key]
	if !ok {
		s.words[key] = int32(record)
	}
	return int(at), ok
}
