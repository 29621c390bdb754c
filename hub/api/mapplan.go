package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"citygrid/hub/registry"
	"citygrid/hub/registry/assets"
	"citygrid/hub/rollup"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// Plan is the city as the map shows it, at one version of the register: areas, cells
// with their outlines, and which meter is in which cell. It never changes.
type Plan struct {
	version string
	areas   []registry.Area
	cells   []registry.Cell // in the order of their codes
	town    *rollup.Town
	// geometry is the answer of map/geometry, compressed with gzip.
	geometry []byte
	bounds   [4]float64 // west, south, east, north in degrees of CGCS2000
}

// PlanSource is what a Plan is made of, as assets.Register.
type PlanSource interface {
	AssetAreas
	Components(ctx context.Context, f assets.ComponentFilter, page assets.Page) ([]registry.Component, error)
	Links(ctx context.Context, f assets.LinkFilter, page assets.Page) ([]registry.MeterLink, error)
}

// LoadPlan reads the register and makes the plan of its present version. It takes
// about a second for a city of 20,000 cells and 100,000 meters. A register that
// changes meanwhile gives the older version, so that the next look finds it changed.
func LoadPlan(ctx context.Context, r PlanSource) (*Plan, error) {
	p := &Plan{}
	var err error
	if p.version, err = r.Version(ctx); err != nil {
		return nil, fmt.Errorf("plan of the city: %w", err)
	}
	err = every(func(page assets.Page) (string, int, error) {
		list, err := r.Areas(ctx, assets.AreaFilter{}, page)
		p.areas = append(p.areas, list...)
		return lastKey(list, func(a *registry.Area) string { return string(a.Code) }), len(list), err
	})
	if err == nil {
		err = every(func(page assets.Page) (string, int, error) {
			list, err := r.Cells(ctx, assets.CellFilter{}, page)
			p.cells = append(p.cells, list...)
			return lastKey(list, func(c *registry.Cell) string { return string(c.Code) }), len(list), err
		})
	}
	var stays []rollup.Stay
	if err == nil {
		stays, err = loadStays(ctx, r)
	}
	if err != nil {
		return nil, fmt.Errorf("plan of the city: %w", err)
	}
	return p, p.finish(stays)
}

// every asks for all pages of a list.
func every(ask func(assets.Page) (last string, n int, err error)) error {
	for page := (assets.Page{Limit: assets.MaxPage}); ; {
		last, n, err := ask(page)
		if err != nil || n < assets.MaxPage {
			return err
		}
		page.After = last
	}
}

func lastKey[T any](list []T, key func(*T) string) string {
	if len(list) == 0 {
		return ""
	}
	return key(&list[len(list)-1])
}

// loadStays says where meters are and were: in the cells of their components.
func loadStays(ctx context.Context, r PlanSource) ([]rollup.Stay, error) {
	var links []registry.MeterLink
	of := make(map[schemas.ComponentID]int)
	err := every(func(page assets.Page) (string, int, error) {
		list, err := r.Links(ctx, assets.LinkFilter{Ended: true}, page)
		for n := range list {
			of[list[n].Component] = -1
		}
		links = append(links, list...)
		return lastKey(list, func(l *registry.MeterLink) string { return string(l.Meter) }), len(list), err
	})
	if err != nil || len(links) == 0 {
		return nil, err
	}
	var places []rollup.Stay
	err = every(func(page assets.Page) (string, int, error) {
		list, err := r.Components(ctx, assets.ComponentFilter{}, page)
		for n := range list {
			c := &list[n]
			if _, wanted := of[c.ID]; wanted {
				of[c.ID] = len(places)
				places = append(places, rollup.Stay{Cell: string(c.Cell), Medium: mediumOf(c.Class)})
			}
		}
		return lastKey(list, func(c *registry.Component) string { return string(c.ID) }), len(list), err
	})
	stays := make([]rollup.Stay, 0, len(links))
	for n := range links {
		l := &links[n]
		s := rollup.Stay{}
		if at := of[l.Component]; at >= 0 {
			s = places[at]
		}
		s.Meter, s.From, s.To = l.Meter, l.From, l.To
		stays = append(stays, s)
	}
	return stays, err
}

// mediumOf is what a component of a class measures, where its class says so: those of
// citygrid's own list do (water_meter, power_meter, gas_meter).
func mediumOf(class codes.Ref) schemas.Medium {
	name, is := strings.CutSuffix(class.Code, "_meter")
	if m := schemas.Medium(name); is && slices.Contains(rollup.Media(), m) {
		return m
	}
	return ""
}

func (p *Plan) finish(stays []rollup.Stay) (err error) {
	codes := make([]string, len(p.cells))
	for n := range p.cells {
		codes[n] = string(p.cells[n].Code)
	}
	p.town = rollup.NewTown(p.version, codes, stays)
	p.measure()
	p.geometry, err = encodeGeometry(p)
	return err
}

// measure finds the rectangle of all cells, or of the areas where there are none.
func (p *Plan) measure() {
	first := true
	take := func(s registry.Shape) {
		for _, polygon := range s {
			for _, ring := range polygon {
				for _, c := range ring {
					if first {
						p.bounds, first = [4]float64{c[0], c[1], c[0], c[1]}, false
					}
					p.bounds = [4]float64{min(p.bounds[0], c[0]), min(p.bounds[1], c[1]), max(p.bounds[2], c[0]), max(p.bounds[3], c[1])}
				}
			}
		}
	}
	for n := range p.cells {
		take(p.cells[n].Shape)
	}
	for n := range p.areas {
		if first || len(p.cells) == 0 {
			take(p.areas[n].Shape)
		}
	}
}

// Version names the register's state that the plan was made of.
func (p *Plan) Version() string { return p.version }

// Town returns which meter is in which cell.
func (p *Plan) Town() *rollup.Town { return p.town }

// Changed reports whether the register is at another version than p, which may be nil.
func (p *Plan) Changed(ctx context.Context, r PlanSource) (bool, error) {
	version, err := r.Version(ctx)
	return p == nil || version != p.version, err
}

// zoneDay is the first moment of the day of t in a zone.
func zoneDay(t time.Time, zone *time.Location) time.Time {
	y, m, d := t.In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, zone)
}
