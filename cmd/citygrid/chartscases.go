package main

import (
	"context"
	"slices"
	"time"

	"citygrid/hub/cases/desk"
	"citygrid/hub/cases/limits"
	"citygrid/hub/store"
)

// caseLister lists cases, the latest first (desk.Desk).
type caseLister interface {
	List(ctx context.Context, f desk.Filter) ([]desk.Summary, error)
}

// caseSeries takes gauges (store.Store).
type caseSeries interface {
	StoreCaseGauges(ctx context.Context, list []store.CaseGauge) error
}

// casePlace is what open cases are counted by: class and community.
type casePlace struct{ class, area string }

// caseGauges counts the open cases of each class and community.
type caseGauges struct {
	desk   caseLister
	series caseSeries
	last   map[casePlace]bool // those written last that were not nothing
}

// casePage is how many cases a request to the desk brings.
const casePage = 1000

// write counts and writes. What has come down to nothing is written once more.
func (g *caseGauges) write(ctx context.Context, at time.Time) error {
	now, err := g.count(ctx)
	if err != nil {
		return err
	}
	if now[casePlace{}] == nil {
		now[casePlace{}] = &store.CaseGauge{} // nothing open is told too, apart from no data
	}
	var list []store.CaseGauge
	standing := make(map[casePlace]bool, len(now))
	for place, gauge := range now {
		standing[place] = true
		gauge.Class, gauge.Area, gauge.At = place.class, place.area, at
		list = append(list, *gauge)
	}
	for place := range g.last {
		if !standing[place] {
			list = append(list, store.CaseGauge{Class: place.class, Area: place.area, At: at})
		}
	}
	for part := range slices.Chunk(list, pointsOfRequest) {
		if err := g.series.StoreCaseGauges(ctx, part); err != nil {
			return err
		}
	}
	g.last = standing
	return nil
}

func (g *caseGauges) count(ctx context.Context) (map[casePlace]*store.CaseGauge, error) {
	now := make(map[casePlace]*store.CaseGauge)
	for before := int64(0); ; {
		page, err := g.desk.List(ctx, desk.Filter{Open: true, Before: before, Limit: casePage})
		if err != nil {
			return nil, err
		}
		for n := range page {
			add(now, &page[n])
		}
		if len(page) < casePage {
			return now, nil
		}
		before = page[len(page)-1].Number
	}
}

func add(now map[casePlace]*store.CaseGauge, c *desk.Summary) {
	place := casePlace{class: c.Class.String()}
	if c.Cell != "" {
		place.area = string(c.Cell.Community())
	}
	gauge := now[place]
	if gauge == nil {
		gauge = &store.CaseGauge{}
		now[place] = gauge
	}
	switch c.Light {
	case limits.Red:
		gauge.Red++
	case limits.Yellow:
		gauge.Yellow++
	case limits.Green:
		gauge.Green++
	default:
		gauge.None++
	}
}
