package api

import (
	"context"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/cases/desk"
	"citygrid/hub/registry"
	"citygrid/hub/registry/assets"
	"citygrid/schemas/codes"
)

// CityCellJSON is a cell with what is in it.
type CityCellJSON struct {
	Cell       CellJSON        `json:"cell"`
	Within     []AreaRefJSON   `json:"within" nullable:"false" doc:"County, street and community that it is in, as far as the register has them"`
	Summary    CitySummaryJSON `json:"summary"`
	Detailed   bool            `json:"detailed" doc:"False: the one who asks may not see the lists that follow, and they are empty"`
	Components []CellClass     `json:"components" nullable:"false" doc:"By class, the most numerous first"`
	Meters     []CellMeter     `json:"meters" nullable:"false"`
	Cases      []CaseJSON      `json:"cases" nullable:"false" doc:"Open ones, the latest first, at most 50; none for people who have no role in cases"`
}

// CellClass counts the components of a class.
type CellClass struct {
	Class     string `json:"class"`
	ClassName string `json:"class_name"`
	N         int    `json:"n"`
	Damaged   int    `json:"damaged" doc:"Those that are not intact"`
}

// CellMeter is a meter with its last value; a meter that was never heard of has
// quality none.
type CellMeter struct {
	MeterRow
	Silent bool `json:"silent" doc:"Of the register, and not heard of since the hub's start"`
}

type (
	cityCellInput struct {
		Code string `path:"code" pattern:"^[0-9A-Z]{14,15}$"`
	}
	cityCellOutput struct{ Body CityCellJSON }
)

// detail is what of an area somebody may see besides sums.
type detail struct {
	things bool // components and meters
	cases  bool
}

// detailKey is where detailed leaves it.
type detailKey struct{}

func detailOf(ctx context.Context) detail {
	d, _ := ctx.Value(detailKey{}).(detail)
	return d
}

// detailed finds out what the one who asks may see: components and meters as in the
// register, and cases as whoever acts in them. It lets everybody through.
func (c *cityRoutes) detailed(ctx huma.Context, next func(huma.Context)) {
	if who, bad := c.registry.part().admit(ctx, nil); bad == nil {
		v := visitOf(ctx.Context())
		ctx = huma.WithValue(ctx, detailKey{}, detail{things: true, cases: v.accounts == nil || v.tour() || len(who.inCases.Roles) > 0})
	}
	next(ctx)
}

// casesShown and componentsRead bound what is read of a cell.
const (
	casesShown     = 50
	componentsRead = 5000
)

func (c *cityRoutes) getCityCell(ctx context.Context, in *cityCellInput) (*cityCellOutput, error) {
	p, err := c.plan()
	if err != nil {
		return nil, err
	}
	n := p.town.Index(in.Code)
	if n == p.town.Nowhere() {
		_, err := p.area(in.Code)
		return nil, err
	}
	summary, err := c.getSummary(ctx, &AreaQuery{Area: in.Code})
	if err != nil {
		return nil, err
	}
	b := CityCellJSON{Cell: cellJSON(&p.cells[n]), Within: p.within(in.Code), Summary: summary.Body,
		Components: []CellClass{}, Meters: []CellMeter{}, Cases: []CaseJSON{}}
	if b.Detailed = detailOf(ctx).things; b.Detailed {
		if err := c.contents(ctx, p, n, &b); err != nil {
			return nil, c.problemOf(ctx, "cell", err)
		}
	}
	return &cityCellOutput{b}, nil
}

// within lists the areas that a cell is in, the largest first.
func (p *Plan) within(cell string) []AreaRefJSON {
	out := []AreaRefJSON{}
	for n := range p.areas {
		if a := &p.areas[n]; strings.HasPrefix(cell, string(a.Code)) {
			out = append(out, AreaRefJSON{string(a.Code), a.Name})
		}
	}
	return out
}

func (c *cityRoutes) contents(ctx context.Context, p *Plan, n int, b *CityCellJSON) error {
	cell := p.cells[n].Code
	list, err := c.o.Register.Components(ctx, assets.ComponentFilter{Cell: cell}, assets.Page{Limit: componentsRead})
	if err != nil {
		return err
	}
	b.Components = byClass(list)
	b.Meters = c.live.atPlace(p.town, n)
	if !detailOf(ctx).cases {
		return nil
	}
	open, err := c.o.Cases.List(ctx, desk.Filter{Cell: string(cell), Open: true, Limit: casesShown})
	if err != nil {
		return err
	}
	for k := range open {
		b.Cases = append(b.Cases, caseJSON(&open[k]))
	}
	return nil
}

func byClass(list []registry.Component) []CellClass {
	of := map[codes.Ref]*CellClass{}
	for n := range list {
		k := &list[n]
		if of[k.Class] == nil {
			of[k.Class] = &CellClass{Class: k.Class.String(), ClassName: k.ClassName}
		}
		of[k.Class].N++
		if k.State != registry.Intact && k.State != "" {
			of[k.Class].Damaged++
		}
	}
	out := []CellClass{}
	for _, v := range of {
		out = append(out, *v)
	}
	slices.SortFunc(out, func(a, b CellClass) int {
		if a.N != b.N {
			return b.N - a.N
		}
		return strings.Compare(a.Class, b.Class)
	})
	return out
}
