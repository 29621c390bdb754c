package census

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"citygrid/hub/registry"
	"citygrid/hub/registry/geo"
	"citygrid/schemas"
)

// Write writes all records of list to w, in the format, mapping and reference system
// of o: one file of CSV or GeoJSON, or for Shapefile a .zip of its parts. Reading
// that file with the same options gives equal records, where their area is the
// measured one, their position is labelled as the system labels it, and their times
// are UTC.
//
// What the file could not give back is an error and not left out: a field for which
// the mapping has no column, a text that a Shapefile would cut, a text that Read
// would change. An error of list ends the writing; what w has got is then not a
// file.
func Write[T Thing](ctx context.Context, w io.Writer, list iter.Seq2[T, error], o Options) error {
	k := kindOf[T]()
	e, err := newWriter(k, o)
	if err != nil {
		return fmt.Errorf("write %s: %w", k.kind, err)
	}
	if e.sink, err = e.newSink(w, o); err != nil {
		return fmt.Errorf("write %s: %w", k.kind, err)
	}
	err = e.all(ctx, list)
	if err = errors.Join(err, e.sink.end(err == nil)); err != nil {
		return fmt.Errorf("write %s: %w", k.kind, err)
	}
	return nil
}

// sink takes records as texts. end is called in any case; good is false when the
// file is to be given up.
type sink interface {
	write(values []string, g geometry) error
	end(good bool) error
}

// geometry is a point, a shape or nothing, in the coordinates of the file.
type geometry struct {
	point  *[2]float64
	shape  registry.Shape
	format func(float64) string
}

type writer[T Thing] struct {
	kind    *kind[T]
	columns *columns
	mapping *Mapping
	env     env
	crs     geo.CRS
	sink    sink
	// names are the columns in order: mapped fields, geometry, More.
	names     []string
	fields    []*field[T] // of the first names
	more      []string
	anyMore   bool // the format takes whatever a record has
	geometric bool
	crsColumn bool
	format    func(float64) string
}

func newWriter[T Thing](k *kind[T], o Options) (*writer[T], error) {
	m := o.mapping()
	c, err := m.columns(k.kind)
	if err != nil {
		return nil, err
	}
	e := &writer[T]{kind: k, columns: c, mapping: m, env: env{o.standard()}, crs: o.CRS, more: o.More, format: formatDegrees}
	if k.form != noGeometry && o.CRS.IsZero() {
		return nil, errors.New("the coordinate reference system is not named; name it")
	}
	if o.CRS.Projected() {
		e.format = formatMetres
	}
	for i := range k.fields {
		if column := c.column(k.fields[i].name); column != "" {
			e.names, e.fields = append(e.names, column), append(e.fields, &k.fields[i])
		} else if k.fields[i].need {
			return nil, fmt.Errorf("mapping %s has no column for %s", m.Name, k.fields[i].name)
		}
	}
	for _, column := range o.More {
		if c.field[fold(column)] != "" || c.ignored[fold(column)] || strings.TrimSpace(column) != column || column == "" {
			return nil, fmt.Errorf("the column %q of the city's own attributes has another meaning in mapping %s", column, m.Name)
		}
	}
	return e, nil
}

func (e *writer[T]) newSink(w io.Writer, o Options) (sink, error) {
	switch o.Format {
	case CSV:
		if err := e.geometryColumns(); err != nil {
			return nil, err
		}
		return newCSVSink(w, append(slices.Clone(e.names), e.more...), o.Encoding)
	case GeoJSON:
		e.geometric, e.anyMore = true, true
		return newJSONSink(w, e.names, e.crs, e.kind.form != noGeometry)
	case Shapefile:
		e.geometric = true
		if e.kind.form == noGeometry {
			return nil, fmt.Errorf("%s have no geometry; write CSV or GeoJSON", e.kind.kind)
		}
		return newShapeSink(w, append(slices.Clone(e.names), e.more...), string(e.kind.kind), e.crs, e.kind.form == aPoint, o.TempDir)
	}
	return nil, fmt.Errorf("format %q is not known; want csv, geojson or shapefile", o.Format)
}

// geometryColumns adds the columns of a format without geometry.
func (e *writer[T]) geometryColumns() error {
	var wanted []string
	switch e.kind.form {
	case aPoint:
		wanted = []string{columnX, columnY}
	case aShape, maybeShape:
		wanted = []string{columnWKT}
	}
	for _, name := range wanted {
		column := e.columns.column(name)
		if column == "" {
			return fmt.Errorf("mapping %s has no column for %s", e.mapping.Name, name)
		}
		e.names = append(e.names, column)
	}
	if column := e.columns.column(columnCRS); column != "" && e.kind.form != noGeometry {
		e.names, e.crsColumn = append(e.names, column), true
	}
	return nil
}

func (e *writer[T]) all(ctx context.Context, list iter.Seq2[T, error]) error {
	for v, err := range list {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := e.one(&v); err != nil {
			return fmt.Errorf("%s: %w", e.kind.key(&v), err)
		}
	}
	return nil
}

func (e *writer[T]) one(v *T) error {
	values := make([]string, 0, len(e.names)+len(e.more))
	for _, f := range e.fields {
		text, err := e.value(f, v)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		values = append(values, text)
	}
	if err := e.unmapped(v); err != nil {
		return err
	}
	g, err := e.place(v)
	if err != nil {
		return err
	}
	if !e.geometric {
		values = e.geometryValues(values, g)
	}
	if e.kind.more != nil {
		if values, err = e.moreValues(values, *e.kind.more(v)); err != nil {
			return err
		}
	}
	return e.sink.write(values, g)
}

// value is the text of a field in the file's words, and is certain to come back.
func (e *writer[T]) value(f *field[T], v *T) (string, error) {
	text := f.get(v)
	if f.need && text == "" {
		return "", errors.New("empty")
	}
	if back, fault := checkText(value{text: text}, f.limit); fault != nil || back != text {
		return "", fmt.Errorf("%.80q would not come back as it is: spaces around it, control characters or too long", text)
	}
	if theirs, ok := e.columns.mapping.Values[f.name][text]; ok {
		return theirs, nil
	}
	if ours, ok := e.columns.ours[f.name][text]; ok && ours != text {
		return "", fmt.Errorf("%q would come back as %q", text, ours)
	}
	return text, nil
}

// unmapped refuses a record with a field that the mapping has no column for, except
// one that comes back from others.
func (e *writer[T]) unmapped(v *T) error {
	for i := range e.kind.fields {
		f := &e.kind.fields[i]
		if e.columns.column(f.name) != "" || f.get(v) == "" {
			continue
		}
		if slices.Contains(e.kind.implied, f.name) && e.comesBack(f, v) {
			continue
		}
		if f.name == "area" {
			continue // measured again
		}
		return fmt.Errorf("mapping %s has no column for %s (%.40q); write with the mapping plain", e.mapping.Name, f.name, f.get(v))
	}
	return nil
}

// comesBack reports whether a field that the file will not have is derived again.
func (e *writer[T]) comesBack(f *field[T], v *T) bool {
	again := *v
	if err := f.set(&e.env, &again, ""); err != nil || e.kind.finish == nil {
		return false
	}
	return e.kind.finish(&e.env, &again) == nil && f.get(&again) == f.get(v)
}

// place is the geometry of a record in the file's system.
func (e *writer[T]) place(v *T) (geometry, error) {
	g := geometry{format: e.format}
	switch e.kind.form {
	case aPoint:
		p := e.kind.point(v)
		if !p.Known() {
			return g, nil
		}
		if err := p.Validate(); err != nil {
			return g, err
		}
		xy, err := e.point(p)
		if err != nil {
			return g, err
		}
		g.point = &xy
	case aShape, maybeShape:
		s := *e.kind.shape(v)
		if s == nil && e.kind.form == maybeShape {
			return g, nil
		}
		if _, err := geo.Normalise(s); err != nil {
			return g, err
		}
		shape, err := convert(s, e.crs.FromDegrees)
		if err != nil {
			return g, err
		}
		g.shape = shape
	}
	return g, nil
}

// point turns a position, which says its own system, into coordinates of the file's.
func (e *writer[T]) point(p *schemas.Position) (xy [2]float64, err error) {
	own, err := geo.ParseCRS(string(p.CRS))
	if err != nil {
		return xy, err
	}
	lon, lat, err := own.Degrees(p.Lon, p.Lat)
	if err != nil {
		return xy, err
	}
	xy[0], xy[1], err = e.crs.FromDegrees(lon, lat)
	return xy, err
}

func (e *writer[T]) geometryValues(values []string, g geometry) []string {
	switch {
	case e.kind.form == noGeometry:
		return values
	case e.kind.form == aPoint && g.point != nil:
		values = append(values, g.format(g.point[0]), g.format(g.point[1]))
	case e.kind.form == aPoint:
		values = append(values, "", "")
	case g.shape != nil:
		values = append(values, formatWKT(g.shape, g.format))
	default:
		values = append(values, "")
	}
	if e.crsColumn {
		values = append(values, e.crs.String())
	}
	return values
}

// moreValues adds the city's own attributes: in the order of Options.More, or as
// pairs of name and text where the format takes any.
func (e *writer[T]) moreValues(values []string, more map[string]string) ([]string, error) {
	if e.anyMore {
		for _, name := range sortedKeys(more) {
			if e.columns.field[fold(name)] != "" && !slices.Contains([]string{columnX, columnY, columnWKT}, e.columns.field[fold(name)]) || e.columns.ignored[fold(name)] {
				return nil, fmt.Errorf("the attribute %q has another meaning in mapping %s", name, e.mapping.Name)
			}
			values = append(values, name, more[name])
		}
		return values, checkMore(more)
	}
	for _, name := range e.more {
		values = append(values, more[name])
	}
	for _, name := range sortedKeys(more) {
		if !slices.Contains(e.more, name) {
			return nil, fmt.Errorf("the attribute %q is not among the columns to write; add it", name)
		}
	}
	return values, checkMore(more)
}

func checkMore(more map[string]string) error {
	for _, name := range sortedKeys(more) {
		text := more[name]
		if back, f := checkText(value{text: text}, 10_000); f != nil || back != text || text == "" {
			return fmt.Errorf("the attribute %q: %.80q would not come back as it is", name, text)
		}
	}
	return nil
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
