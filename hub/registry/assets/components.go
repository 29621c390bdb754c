package assets

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/uptrace/bun"

	"citygrid/hub/registry"
	"citygrid/hub/registry/census"
	"citygrid/hub/registry/geo"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

const (
	// atOnce is how many records are looked up in one question.
	atOnce = 500
	// farMoved is the metres beyond which a component that moves is worth a word.
	farMoved = 100
)

// placed is a record with its place in the file.
type placed[T census.Thing] struct {
	at census.Place
	v  T
}

// componentRun reads one file of components.
type componentRun struct {
	m        *run
	f        *fileRun
	w        *writer[registry.Component]
	classes  map[codes.Ref]*classOf
	counties map[codes.AreaCode]bool
	batch    []placed[registry.Component]
}

// classOf is what the lists say about a class.
type classOf struct {
	name string
	err  error
	ids  bool // the ids of its components have county and class in them
}

func (m *run) readComponents(ctx context.Context, f *fileRun) (err error) {
	c := &componentRun{m: m, f: f, w: newWriter(m, f, componentTable()), classes: map[codes.Ref]*classOf{}, counties: m.counties()}
	defer func() { err = c.w.end(ctx, err) }()
	rep := &census.Report{}
	for at, v := range census.Read[registry.Component](ctx, f.Path, f.Read, rep) {
		c.batch = append(c.batch, placed[registry.Component]{at, v})
		if len(c.batch) == atOnce {
			if err := c.flush(ctx); err != nil {
				return err
			}
			m.progress(f.FileSummary.File, int64(rep.Records), f.records)
		}
	}
	if err := c.flush(ctx); err != nil {
		return err
	}
	f.take(rep)
	return ctx.Err()
}

// flush puts the batch into the table.
func (c *componentRun) flush(ctx context.Context) error {
	old, err := c.present(ctx)
	if err != nil {
		return err
	}
	for i := range c.batch {
		at, v := spot{c.f, c.batch[i].at}, &c.batch[i].v
		if c.twice(at, v.ID) {
			continue
		}
		before := old[v.ID]
		if !c.look(at, v, before) {
			continue
		}
		values, err := componentValues(v)
		if err != nil {
			return err
		}
		if _, err := c.w.put(ctx, values, v, before); err != nil {
			return err
		}
	}
	c.batch = c.batch[:0]
	return c.w.flush(ctx)
}

// present reads the components of the batch that the register has.
func (c *componentRun) present(ctx context.Context) (map[schemas.ComponentID]*registry.Component, error) {
	ids := make([]string, len(c.batch))
	for i := range c.batch {
		ids[i] = string(c.batch[i].v.ID)
	}
	old := map[schemas.ComponentID]*registry.Component{}
	if len(ids) == 0 {
		return old, nil
	}
	list, err := c.w.t.query(ctx, c.m.tx, "WHERE id IN (?)", bun.List(ids))
	for i := range list {
		old[list[i].ID] = &list[i]
	}
	return old, err
}

// twice complains of an id that another file of this import has had. What is in one
// file twice, package census finds.
func (c *componentRun) twice(at spot, id schemas.ComponentID) bool {
	if !c.m.several() {
		return false
	}
	key := origin{census.Components, string(id)}
	first, there := c.m.origins[key]
	if there {
		at.complain(complaint{Field: "id", Value: string(id), Rule: "also in " + first.file.FileSummary.File, Remedy: "keep it in one of the files"})
	} else {
		c.m.origins[key] = at
	}
	return there
}

// several reports whether ids of components must be remembered: another file may
// repeat them, or in a dry run, where none is written, refer to them.
func (m *run) several() bool {
	n := 0
	for _, f := range m.files {
		if f.Kind() == census.Components || f.Kind() == census.MeterLinks && m.o.DryRun {
			n++
		}
	}
	return n > 1
}

// look completes a component and holds it against the lists, the cells and what it
// was before.
func (c *componentRun) look(at spot, v, old *registry.Component) bool {
	before := c.f.Errors
	class := c.class(v.Class)
	if class.err != nil {
		at.complain(complaint{Field: "class", Value: v.Class.String(), Rule: class.err.Error(), Remedy: "correct it, or import the city's list with citygrid codes import"})
		return false
	}
	if v.ClassName == "" {
		v.ClassName = class.name
		if old != nil && old.Class == v.Class {
			v.ClassName = old.ClassName // what it was called when it was recorded
		}
	}
	c.locate(at, v)
	if class.ids {
		c.county(at, v)
	}
	for _, d := range []struct {
		field string
		id    registry.DepartmentID
	}{{"authority", v.Authority}, {"owner", v.Owner}, {"upkeep", v.Upkeep}} {
		at.need(&c.m.draft.departments, d.field, string(d.id), "departments")
	}
	if old != nil {
		c.compare(at, v, old)
	}
	return c.f.Errors == before
}

func (c *componentRun) class(ref codes.Ref) *classOf {
	k := c.classes[ref]
	if k == nil {
		found, err := c.m.r.o.Lists.Lookup(ref)
		k = &classOf{name: found.ZH, err: err, ids: c.m.r.structured(ref.Standard)}
		c.classes[ref] = k
	}
	return k
}

// structured reports whether ids by a list have county and class in them.
func (r *Register) structured(standard string) bool {
	if slices.Contains([]string{codes.CJT214, codes.GBT30428, codes.GBT47678}, standard) {
		return true
	}
	return slices.ContainsFunc(r.o.Lists.All(), func(l codes.List) bool {
		return l.Standard == standard && l.Kind == codes.Component && l.IDs != ""
	})
}

// county holds the id against the counties of the register and the cell.
func (c *componentRun) county(at spot, v *registry.Component) {
	parts, _, err := c.m.r.o.Lists.ParseComponent(v.Class.Standard, string(v.ID))
	switch {
	case err != nil:
		at.complain(complaint{Field: "id", Value: string(v.ID), Rule: err.Error(), Remedy: "correct the id, or name the list that its class is of"})
	case parts.Class != v.Class:
		at.complain(complaint{Field: "class", Value: v.Class.String(), Rule: "the id " + string(v.ID) + " says class " + parts.Class.Code, Remedy: "correct one of them"})
	case len(c.counties) > 0 && !c.counties[parts.County]:
		at.complain(complaint{Field: "id", Value: string(v.ID), Rule: "the county " + string(parts.County) + " is not in the register",
			Remedy: "correct the id, or import the areas of that county; there are " + words(c.counties)})
	case v.Cell != "" && codes.AreaCode(v.Cell[:6]) != parts.County:
		at.complain(complaint{Field: "id", Value: string(v.ID), Rule: fmt.Sprintf("the id is of county %s, its cell %s of another", parts.County, v.Cell),
			Remedy: "correct the id or the position"})
	}
}

func words(list map[codes.AreaCode]bool) string {
	text := ""
	for _, code := range slices.Sorted(maps.Keys(list)) {
		if text != "" {
			text += ", "
		}
		text += string(code)
	}
	return text
}

// locate puts the position onto the grid of positions, and derives the cell from it.
// Where there is no position, the cell that somebody wrote down is all that is known,
// and stays.
func (c *componentRun) locate(at spot, v *registry.Component) {
	cells, given, p := &c.m.draft.cells, v.Cell, v.Position
	unknown := given != "" && !cells.has(string(given))
	if p.Known() {
		v.Position = stored(p)
		v.Cell, _ = c.m.draft.index.Locate(v.Position.Lon, v.Position.Lat)
	}
	switch {
	case unknown && p.Known() && v.Cell == "" && len(cells.keys) > 0:
		c.outside(at, v, given, ", and the register has no cell "+string(given))
	case unknown:
		at.complainOf("cell "+string(given), complaint{Field: "cell", Value: string(given), Rule: "no such cell in the register", Remedy: "correct it, leave it empty (it is derived from the position), or import the cell first"})
	case !p.Known() || given == v.Cell:
	case given == "" && v.Cell == "" && len(cells.keys) > 0:
		at.complain(complaint{Field: "position", Value: pair(v.Position), Rule: "in no cell of the register", Remedy: "look whether the position is right", Warning: true})
	case given != "":
		c.contradicts(at, v, given, p)
	}
}

// contradicts complains of a position that is not in the cell that was given, unless it
// is on a common edge, where the lowest code counts.
func (c *componentRun) contradicts(at spot, v *registry.Component, given codes.CellCode, p schemas.Position) {
	shape := c.m.draft.cells.of[string(given)].Shape
	if geo.Contains(shape, p.Lon, p.Lat) || geo.Contains(shape, v.Position.Lon, v.Position.Lat) {
		return
	}
	if v.Cell == "" {
		c.outside(at, v, given, "")
		return
	}
	at.complainOf("cell "+string(given), complaint{Field: "cell", Value: string(given), Rule: "the position " + pair(v.Position) + " is in cell " + string(v.Cell), Remedy: "correct the position or the cell, or leave the cell empty"})
}

// outside complains of a position in no cell, each one: no cell that is refused is the
// cause of all of them.
func (c *componentRun) outside(at spot, v *registry.Component, given codes.CellCode, more string) {
	at.complain(complaint{Field: "cell", Value: string(given), Rule: "the position " + pair(v.Position) + " is in no cell" + more, Remedy: "correct the position or the cell, or import the cell first"})
}

// stored is a position as the tables keep it. WGS 84 and CGCS2000 agree within a
// metre; the record of the import says which one the file was in.
func stored(p schemas.Position) schemas.Position {
	return schemas.Position{Lon: degrees(e7(p.Lon)), Lat: degrees(e7(p.Lat)), CRS: schemas.CGCS2000, Accuracy: float64(int64(p.Accuracy*1000+0.5)) / 1000}
}

func pair(p schemas.Position) string { return fmt.Sprintf("%.7f, %.7f", p.Lon, p.Lat) }

// compare holds a component against what it was.
func (c *componentRun) compare(at spot, v, old *registry.Component) {
	if v.Class != old.Class && !c.m.o.Correct {
		at.complain(complaint{Field: "class", Value: v.Class.String(), Rule: "the register has it as " + old.Class.String() + ", and an id is never given to another thing",
			Remedy: "give a new id and set the old one to removed, or import as a correction with its reason"})
	}
	if p, q := v.Position, old.Position; p.Known() && q.Known() {
		if d := geo.Distance(p.Lon, p.Lat, q.Lon, q.Lat); d > farMoved && !c.m.o.Correct {
			at.complain(complaint{Field: "position", Value: pair(p), Rule: fmt.Sprintf("%.0f m from where it was", d), Remedy: "look whether it is the same thing", Warning: true})
		}
	}
}

// relocate derives the cells of the components that are there already anew, when
// cells have changed or one has begun or ended since they were derived.
func (m *run) relocate(ctx context.Context) error {
	if !m.grid {
		return nil
	}
	last, total := "", int64(0)
	if err := m.tx.NewRaw("SELECT COUNT(*) FROM registry_components").Scan(ctx, &total); err != nil || total == 0 {
		return err
	}
	for done := int64(0); ; {
		list, err := m.positions(ctx, last)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, p := range list {
			if err := m.relocateOne(ctx, p); err != nil {
				return err
			}
		}
		last, done = list[len(list)-1].id, done+int64(len(list))
		m.progress("components in cells", done, total)
	}
}

type position struct {
	id, cell string
	lon, lat int64
}

func (m *run) positions(ctx context.Context, after string) ([]position, error) {
	rows, err := m.tx.QueryContext(ctx, "SELECT id, cell, lon_e7, lat_e7 FROM registry_components WHERE id > ? AND tile >= 0 ORDER BY id LIMIT 5000", after)
	if err != nil {
		return nil, err
	}
	var list []position
	err = eachRow(rows, func(row scanner) error {
		var p position
		err := row.Scan(&p.id, &p.cell, &p.lon, &p.lat)
		list = append(list, p)
		return err
	})
	return list, err
}

func (m *run) relocateOne(ctx context.Context, p position) error {
	cell, _ := m.draft.index.Locate(degrees(p.lon), degrees(p.lat))
	if string(cell) == p.cell {
		return nil
	}
	m.relocated++
	if m.o.DryRun {
		return nil
	}
	_, err := m.tx.ExecContext(ctx, "UPDATE registry_components SET cell = ? WHERE id = ?", string(cell), p.id)
	return err
}
