package assets

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/registry"
	"citygrid/hub/registry/census"
	"citygrid/internal/sqldb"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// Page is a part of a list in the order of codes or ids: up to Limit of those that
// come after After. Limit is 50 for 0 and at most 10,000.
type Page struct {
	After string
	Limit int
}

// MaxPage is the most records of a page.
const MaxPage = 10_000

func (p Page) limit() int {
	if p.Limit <= 0 {
		return 50
	}
	return min(p.Limit, MaxPage)
}

// gather takes a page of what good says.
func gather[T census.Thing](s *shelf[T], page Page, good func(*T) bool) []T {
	var out []T
	for _, v := range s.after(page.After) {
		if !good(&v) {
			continue
		}
		if out = append(out, v); len(out) == page.limit() {
			break
		}
	}
	return out
}

// one finds a record of a shelf.
func one[T census.Thing](ctx context.Context, r *Register, of func(*picture) *shelf[T], kind, key string) (T, error) {
	var none T
	p, err := r.view(ctx)
	if err != nil {
		return none, err
	}
	v, ok := of(p).of[key]
	if !ok {
		return none, fmt.Errorf("%s %.60q: %w", kind, key, ErrUnknown)
	}
	return v, nil
}

// Version names what is answered from the small tables: it changes with every import,
// and on the days on which cells and areas begin and end.
func (r *Register) Version(ctx context.Context) (string, error) {
	p, err := r.view(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d.%d", p.version, millis(p.until)), nil
}

// AreaFilter selects areas.
type AreaFilter struct {
	Within codes.AreaCode // it and those below it; empty for all
	Ended  bool           // those that have ended too
}

// Areas lists areas in the order of their codes.
func (r *Register) Areas(ctx context.Context, f AreaFilter, page Page) ([]registry.Area, error) {
	p, err := r.view(ctx)
	if err != nil {
		return nil, err
	}
	now := r.now()
	return gather(&p.areas, page, func(a *registry.Area) bool {
		return strings.HasPrefix(string(a.Code), string(f.Within)) && (f.Ended || valid(a.Span, now))
	}), nil
}

// Area returns an area, or ErrUnknown.
func (r *Register) Area(ctx context.Context, code codes.AreaCode) (registry.Area, error) {
	return one(ctx, r, func(p *picture) *shelf[registry.Area] { return &p.areas }, "area", string(code))
}

// CellFilter selects cells.
type CellFilter struct {
	Area  codes.AreaCode // county, street or community; empty for all
	Duty  codes.DutyCode // empty for all
	Ended bool           // those that have ended too, and those that have not begun
}

// Cells lists cells with their shapes in the order of their codes.
func (r *Register) Cells(ctx context.Context, f CellFilter, page Page) ([]registry.Cell, error) {
	p, err := r.view(ctx)
	if err != nil {
		return nil, err
	}
	now := r.now()
	return gather(&p.cells, page, func(c *registry.Cell) bool {
		return strings.HasPrefix(string(c.Code), string(f.Area)) && (f.Duty == "" || c.Duty == f.Duty) && (f.Ended || valid(c.Span, now))
	}), nil
}

// Cell returns a cell, or ErrUnknown.
func (r *Register) Cell(ctx context.Context, code codes.CellCode) (registry.Cell, error) {
	return one(ctx, r, func(p *picture) *shelf[registry.Cell] { return &p.cells }, "cell", string(code))
}

// Duties lists duty grids in the order of their codes.
func (r *Register) Duties(ctx context.Context, page Page) ([]registry.DutyGrid, error) {
	p, err := r.view(ctx)
	if err != nil {
		return nil, err
	}
	return gather(&p.duties, page, func(*registry.DutyGrid) bool { return true }), nil
}

// Duty returns a duty grid, or ErrUnknown.
func (r *Register) Duty(ctx context.Context, code codes.DutyCode) (registry.DutyGrid, error) {
	return one(ctx, r, func(p *picture) *shelf[registry.DutyGrid] { return &p.duties }, "duty grid", string(code))
}

// Departments lists departments in the order of their ids.
func (r *Register) Departments(ctx context.Context, page Page) ([]registry.Department, error) {
	p, err := r.view(ctx)
	if err != nil {
		return nil, err
	}
	return gather(&p.departments, page, func(*registry.Department) bool { return true }), nil
}

// Department returns a department, or ErrUnknown.
func (r *Register) Department(ctx context.Context, id registry.DepartmentID) (registry.Department, error) {
	return one(ctx, r, func(p *picture) *shelf[registry.Department] { return &p.departments }, "department", string(id))
}

// PersonFilter selects people; empty fields select all.
type PersonFilter struct {
	Department registry.DepartmentID
	Role       string
	// Duty selects those who walk a duty grid: by their own record or by the grid's.
	Duty codes.DutyCode
}

// People lists people in the order of their ids.
func (r *Register) People(ctx context.Context, f PersonFilter, page Page) ([]registry.Person, error) {
	p, err := r.view(ctx)
	if err != nil {
		return nil, err
	}
	walks := p.duties.of[string(f.Duty)].Inspectors
	return gather(&p.people, page, func(one *registry.Person) bool {
		return (f.Department == "" || one.Department == f.Department) && (f.Role == "" || slices.Contains(one.Roles, f.Role)) &&
			(f.Duty == "" || slices.Contains(one.Duty, f.Duty) || slices.Contains(walks, one.ID))
	}), nil
}

// Person returns a person, or ErrUnknown.
func (r *Register) Person(ctx context.Context, id registry.PersonID) (registry.Person, error) {
	return one(ctx, r, func(p *picture) *shelf[registry.Person] { return &p.people }, "person", string(id))
}

// Box is a rectangle in degrees of CGCS2000, edges included.
type Box struct{ West, South, East, North float64 }

// Validate reports a box that is turned round or not on the earth.
func (b Box) Validate() error {
	if !(b.West >= -180 && b.West <= b.East && b.East <= 180 && b.South >= -90 && b.South <= b.North && b.North <= 90) {
		return fmt.Errorf("box %v,%v,%v,%v: want west, south, east, north in degrees", b.West, b.South, b.East, b.North)
	}
	return nil
}

// ComponentFilter selects components; empty fields select all.
type ComponentFilter struct {
	Cell codes.CellCode
	Area codes.AreaCode
	// Class is a class, or the two digits of a major class.
	Class      codes.Ref
	State      registry.ComponentState
	Department registry.DepartmentID // in charge, owner or upkeep
	Box        *Box
	NoPosition bool // only those without one
	NoCell     bool // only those with a position in no cell
	Ownerless  bool // only those that nobody is in charge of
}

// Components lists components in the order of their ids as the database sorts text.
func (r *Register) Components(ctx context.Context, f ComponentFilter, page Page) ([]registry.Component, error) {
	where, args, err := r.conditions(f)
	if err != nil {
		return nil, err
	}
	where, args = append(where, "id > ?"), append(args, page.After, page.limit())
	list, err := componentTable().query(ctx, r.db.Read, "WHERE "+strings.Join(where, " AND ")+" ORDER BY id LIMIT ?", args...)
	return list, sqldb.Explain("list components", err)
}

// Component returns a component, or ErrUnknown.
func (r *Register) Component(ctx context.Context, id schemas.ComponentID) (registry.Component, error) {
	list, err := r.components(ctx, []string{string(id)})
	if err != nil {
		return registry.Component{}, err
	}
	if len(list) == 0 {
		return registry.Component{}, fmt.Errorf("component %.60q: %w", string(id), ErrUnknown)
	}
	return list[0], nil
}

// conditions turns a filter into SQL.
func (r *Register) conditions(f ComponentFilter) (where []string, args []any, err error) {
	add := func(condition string, values ...any) { where, args = append(where, condition), append(args, values...) }
	if f.Cell != "" {
		add("cell = ?", string(f.Cell))
	}
	if f.Area != "" {
		// Codes are digits and, at their end, capital letters: those of an area lie between
		// its own and it with Z behind.
		add("cell BETWEEN ? AND ?", string(f.Area), string(f.Area)+"ZZZZZZZZZ")
	}
	if f.Class != (codes.Ref{}) {
		add("class IN (?)", bun.List(r.covered(f.Class)))
	}
	if f.State != "" {
		add("state = ?", string(f.State))
	}
	if f.Department != "" {
		add("(authority = ? OR owner = ? OR upkeep = ?)", string(f.Department), string(f.Department), string(f.Department))
	}
	if f.NoPosition {
		add("tile = -1")
	}
	if f.NoCell {
		add("cell = '' AND tile >= 0")
	}
	if f.Ownerless {
		add("authority = '' AND owner = '' AND upkeep = ''")
	}
	if f.Box != nil {
		if err := f.Box.Validate(); err != nil {
			return nil, nil, err
		}
		f.Box.conditions(add)
	}
	return where, args, nil
}

// covered lists the classes of a class or major class.
func (r *Register) covered(group codes.Ref) []string {
	list := []string{group.String()}
	for _, l := range r.o.Lists.All() {
		if l.Standard != group.Standard || l.Kind != group.Kind {
			continue
		}
		for _, c := range l.Classes {
			if r.o.Lists.Covers(group, c.Ref) {
				list = append(list, c.Ref.String())
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// maxTiles is how many tiles a box may have for their index to be of use.
const maxTiles = 400

func (b *Box) conditions(add func(string, ...any)) {
	west, east, south, north := e7(b.West), e7(b.East), e7(b.South), e7(b.North)
	var tiles []int64
	for y := tileRow(south); y <= tileRow(north) && len(tiles) <= maxTiles; y++ {
		for x := tileRow(west); x <= tileRow(east) && len(tiles) <= maxTiles; x++ {
			tiles = append(tiles, (y+9000)*36001+x+18000)
		}
	}
	if len(tiles) <= maxTiles {
		add("tile IN (?)", bun.List(tiles))
	} else {
		add("tile >= 0")
	}
	add("lon_e7 BETWEEN ? AND ?", west, east)
	add("lat_e7 BETWEEN ? AND ?", south, north)
}

// LinkFilter selects meter links; empty fields select all.
type LinkFilter struct {
	Meter     schemas.MeterID
	Component schemas.ComponentID
	Collector schemas.CollectorID
	Line      string
	Ended     bool // those that have ended too
}

// Links lists meter links in the order of meters and time. Page.After is a meter, and
// all links of a meter are on one page, which may be longer by them.
func (r *Register) Links(ctx context.Context, f LinkFilter, page Page) ([]registry.MeterLink, error) {
	where, args := []string{"meter > ?"}, []any{page.After}
	for _, c := range []struct{ column, value string }{{"meter", string(f.Meter)}, {"component", string(f.Component)}, {"collector", string(f.Collector)}, {"line", f.Line}} {
		if c.value != "" {
			where, args = append(where, c.column+" = ?"), append(args, c.value)
		}
	}
	if !f.Ended {
		where, args = append(where, "(to_ms = 0 OR to_ms > ?)"), append(args, r.now().UnixMilli())
	}
	condition := "WHERE " + strings.Join(where, " AND ")
	var list []registry.MeterLink
	err := r.db.Snapshot(ctx, func(tx bun.Tx) (err error) {
		list, err = linkTable().query(ctx, tx, condition+" ORDER BY meter, from_ms LIMIT ?", append(slices.Clone(args), page.limit())...)
		if err != nil || len(list) < page.limit() {
			return err
		}
		// The rest of the last meter.
		last := list[len(list)-1]
		rest, err := linkTable().query(ctx, tx, condition+" AND meter = ? AND from_ms > ? ORDER BY from_ms", append(args, string(last.Meter), millis(last.From))...)
		list = append(list, rest...)
		return err
	})
	return list, sqldb.Explain("list meter links", err)
}

// Imported is a file that was imported.
type Imported struct {
	ID                                 int64
	Kind                               census.Kind
	File, SM3                          string
	Bytes                              int64
	CRS, Mapping, Standard             string
	Records, Added, Changed, Unchanged int64
	Unlocated, Warnings                int64
	By                                 string
	At                                 time.Time
	Reason                             string // of a correction
}

// Imports lists the imported files, the latest first: up to limit with a number below
// before (0 for the first page).
func (r *Register) Imports(ctx context.Context, before int64, limit int) ([]Imported, error) {
	if before <= 0 {
		before = 1 << 62
	}
	rows, err := r.db.Read.QueryContext(ctx, "SELECT id, kind, file, sm3, bytes, crs, mapping, standard, records, added, changed, unchanged, unlocated, warnings, by_whom, at_ms, reason "+
		"FROM registry_imports WHERE id < ? ORDER BY id DESC LIMIT ?", before, Page{Limit: limit}.limit())
	if err != nil {
		return nil, sqldb.Explain("list imports", err)
	}
	var out []Imported
	err = eachRow(rows, func(row scanner) error {
		var i Imported
		var at int64
		err := row.Scan(&i.ID, &i.Kind, &i.File, &i.SM3, &i.Bytes, &i.CRS, &i.Mapping, &i.Standard, &i.Records, &i.Added, &i.Changed, &i.Unchanged,
			&i.Unlocated, &i.Warnings, &i.By, &at, &i.Reason)
		i.At = moment(at)
		out = append(out, i)
		return err
	})
	return out, sqldb.Explain("list imports", err)
}

// Change is what a record was before an import changed it.
type Change struct {
	Kind   census.Kind
	Code   string
	Import int64
	By     string
	At     time.Time
	Reason string
	Before string // JSON of the record
}

// Changes returns what happened to a code, the oldest first.
func (r *Register) Changes(ctx context.Context, kind census.Kind, code string) ([]Change, error) {
	rows, err := r.db.Read.QueryContext(ctx, "SELECT c.import, i.by_whom, i.at_ms, i.reason, c.before FROM registry_changes c JOIN registry_imports i ON i.id = c.import "+
		"WHERE c.kind = ? AND c.code = ? ORDER BY c.import", string(kind), code)
	if err != nil {
		return nil, sqldb.Explain("read the history", err)
	}
	var out []Change
	err = eachRow(rows, func(row scanner) error {
		c := Change{Kind: kind, Code: code}
		var at int64
		err := row.Scan(&c.Import, &c.By, &at, &c.Reason, &c.Before)
		c.At = moment(at)
		out = append(out, c)
		return err
	})
	return out, sqldb.Explain("read the history", err)
}
