package assets

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/registry"
	"citygrid/hub/registry/geo"
	"citygrid/internal/sqldb"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// Place is what the register knows about where something is. Fields that it does not
// know are empty.
type Place struct {
	Component schemas.ComponentID
	Class     codes.Ref
	ClassName string
	Location  string
	Position  schemas.Position // CGCS2000
	Cell      codes.CellCode
	Duty      codes.DutyCode
	AreaKind  string
	// Departments are those that a case here goes to: who is in charge of the component
	// (authority, else upkeep, else owner), or where nobody is, all that take its class.
	Departments []registry.DepartmentID
}

// OfMeter returns where a meter was at a moment, now when it is zero; an empty Place
// where the register does not know.
func (r *Register) OfMeter(ctx context.Context, meter schemas.MeterID, at time.Time) (Place, error) {
	links, err := r.linksAt(ctx, at, "meter = ?", string(meter))
	if err != nil || len(links) == 0 {
		return Place{}, err
	}
	return r.OfComponent(ctx, links[0].Component)
}

// linksAt returns the links that a condition selects and that are valid at a moment,
// now when it is zero.
func (r *Register) linksAt(ctx context.Context, at time.Time, where string, args ...any) ([]registry.MeterLink, error) {
	if at.IsZero() {
		at = r.now()
	}
	ms := at.UnixMilli()
	args = append(args, ms, ms)
	list, err := linkTable().query(ctx, r.db.Read, "WHERE "+where+" AND (from_ms = 0 OR from_ms <= ?) AND (to_ms = 0 OR to_ms > ?) ORDER BY meter, from_ms", args...)
	return list, sqldb.Explain("read meter links", err)
}

// OfComponent returns where a component is; an empty Place where the register does
// not have it.
func (r *Register) OfComponent(ctx context.Context, id schemas.ComponentID) (Place, error) {
	list, err := r.components(ctx, []string{string(id)})
	if err != nil || len(list) == 0 {
		return Place{}, err
	}
	p, err := r.view(ctx)
	if err != nil {
		return Place{}, err
	}
	return r.placeOf(p, &list[0]), nil
}

func (r *Register) components(ctx context.Context, ids []string) ([]registry.Component, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	list, err := componentTable().query(ctx, r.db.Read, "WHERE id IN (?) ORDER BY id", bun.List(ids))
	return list, sqldb.Explain("read components", err)
}

// placeOf puts together what is known of a component. Its cell is looked for anew: a
// cell may have ended since the last import.
func (r *Register) placeOf(p *picture, c *registry.Component) Place {
	out := Place{Component: c.ID, Class: c.Class, ClassName: c.ClassName, Location: c.Location, Position: c.Position, Cell: c.Cell}
	if c.Position.Known() {
		out.Cell, _ = p.index.Locate(c.Position.Lon, c.Position.Lat)
	}
	p.derive(&out)
	if c.Ownerless() {
		out.Departments = r.candidates(p, c.Class)
	} else {
		out.Departments = []registry.DepartmentID{cmp.Or(c.Authority, c.Upkeep, c.Owner)}
	}
	return out
}

// derive fills in what follows from cell and position.
func (p *picture) derive(out *Place) {
	area := out.Cell.Community()
	if out.Cell != "" {
		out.Duty = p.cells.of[string(out.Cell)].Duty
	} else if out.Position.Known() {
		area, _ = p.outlines.Locate(out.Position.Lon, out.Position.Lat)
	}
	for ; area != "" && out.AreaKind == ""; area = area.Parent() {
		out.AreaKind = p.areas.of[string(area)].Kind
	}
}

// OfLine returns where the meters of a line are now, as far as they are in one cell;
// of all lines of a collector when line is empty. The position is that of the
// component nearest to their middle, and the departments are given where all have
// the same.
func (r *Register) OfLine(ctx context.Context, collector schemas.CollectorID, line string) (Place, error) {
	where, args := "collector = ?", []any{string(collector)}
	if line != "" {
		where, args = where+" AND line = ?", append(args, line)
	}
	links, err := r.linksAt(ctx, time.Time{}, where, args...)
	if err != nil {
		return Place{}, err
	}
	places, err := r.placesOf(ctx, links)
	if err != nil || len(places) == 0 {
		return Place{}, err
	}
	return common(places), nil
}

// placesOf returns the places of the components of links, each once.
func (r *Register) placesOf(ctx context.Context, links []registry.MeterLink) ([]Place, error) {
	var ids []string
	for _, l := range links {
		ids = append(ids, string(l.Component))
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	p, err := r.view(ctx)
	if err != nil {
		return nil, err
	}
	var out []Place
	for part := range slices.Chunk(ids, atOnce) {
		list, err := r.components(ctx, part)
		if err != nil {
			return nil, err
		}
		for i := range list {
			out = append(out, r.placeOf(p, &list[i]))
		}
	}
	return out, nil
}

// common is what places have in common.
func common(places []Place) Place {
	out, all := places[0], places[0]
	var lon, lat float64
	for i := range places {
		p := &places[i]
		if p.Cell != out.Cell {
			return Place{}
		}
		lon, lat = lon+p.Position.Lon/float64(len(places)), lat+p.Position.Lat/float64(len(places))
		if !slices.Equal(p.Departments, all.Departments) {
			all.Departments = nil
		}
	}
	if len(places) == 1 {
		return out
	}
	least := -1.0
	for i := range places {
		p := places[i].Position
		if d := geo.Distance(lon, lat, p.Lon, p.Lat); p.Known() && (least < 0 || d < least) {
			least, out.Position = d, p
		}
	}
	return Place{Position: out.Position, Cell: out.Cell, Duty: out.Duty, AreaKind: out.AreaKind, Departments: all.Departments}
}

// At returns cell, duty grid and class of the area of a position, which may be in
// CGCS2000, WGS 84 or GCJ-02 as it says. Position is in CGCS2000. An unknown position
// is an empty Place.
func (r *Register) At(ctx context.Context, at schemas.Position) (Place, error) {
	if !at.Known() {
		return Place{}, nil
	}
	plain, err := Plain(at)
	if err != nil {
		return Place{}, err
	}
	p, err := r.view(ctx)
	if err != nil {
		return Place{}, err
	}
	out := Place{Position: plain}
	out.Cell, _ = p.index.Locate(plain.Lon, plain.Lat)
	p.derive(&out)
	return out, nil
}

// OfCell returns duty grid and class of the area of a cell; an empty Place for one that
// the register does not have.
func (r *Register) OfCell(ctx context.Context, code codes.CellCode) (Place, error) {
	p, err := r.view(ctx)
	if err != nil {
		return Place{}, err
	}
	if _, there := p.cells.of[string(code)]; !there {
		return Place{}, nil
	}
	out := Place{Cell: code}
	p.derive(&out)
	return out, nil
}

// Plain turns a position into CGCS2000, with which WGS 84 agrees within a metre.
func Plain(at schemas.Position) (schemas.Position, error) {
	if err := at.Validate(); err != nil {
		return schemas.Position{}, fmt.Errorf("position: %w", err)
	}
	if !at.Known() || at.CRS == schemas.CGCS2000 {
		return at, nil
	}
	crs, err := geo.ParseCRS(string(at.CRS))
	if err != nil {
		return schemas.Position{}, fmt.Errorf("position: %w", err)
	}
	lon, lat, err := crs.Degrees(at.Lon, at.Lat)
	if err != nil {
		return schemas.Position{}, fmt.Errorf("position: %w", err)
	}
	return schemas.Position{Lon: lon, Lat: lat, CRS: schemas.CGCS2000, Accuracy: at.Accuracy}, nil
}

// Candidates returns the departments that take a class, or the component that an
// event class is about, in the order of their ids.
func (r *Register) Candidates(ctx context.Context, class codes.Ref) ([]registry.DepartmentID, error) {
	p, err := r.view(ctx)
	if err != nil {
		return nil, err
	}
	return r.candidates(p, class), nil
}

func (r *Register) candidates(p *picture, class codes.Ref) []registry.DepartmentID {
	wanted := []codes.Ref{class}
	if c, err := r.o.Lists.Lookup(class); err == nil && class.Kind == codes.Event && c.Of != "" {
		wanted = append(wanted, codes.Ref{Standard: class.Standard, Kind: codes.Component, Code: c.Of})
	}
	var out []registry.DepartmentID
	for _, key := range p.departments.keys {
		d := p.departments.of[key]
		if slices.ContainsFunc(d.Classes, func(group codes.Ref) bool {
			return slices.ContainsFunc(wanted, func(one codes.Ref) bool { return r.o.Lists.Covers(group, one) })
		}) {
			out = append(out, d.ID)
		}
	}
	return out
}
