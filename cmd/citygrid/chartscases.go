package main

import (
	"context"
	"slices"
	"time"

	"citygrid/hub/cases/desk"
	"citygrid/hub/cases/limits"
	"citygrid/hub/store"
)

// caseCounter counts cases (desk.Desk).
type caseCounter interface {
	Counts(ctx context.Context, f desk.Filter, by ...desk.CountBy) ([]desk.Tally, error)
}

// caseSeries takes gauges (store.Store).
type caseSeries interface {
	StoreCaseGauges(ctx context.Context, list []store.CaseGauge) error
}

// casePlace is what open cases are counted by: class and community.
type casePlace struct{ class, area string }

// caseGauges counts the open cases of each class and community.
type caseGauges struct {
	desk   caseCounter
	series caseSeries
	last   map[casePlace]bool // those written last that were not nothing
}

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
	list, err := g.desk.Counts(ctx, desk.Filter{Open: true}, desk.ByClass, desk.ByCommunity, desk.ByLight)
	if err != nil {
		return nil, err
	}
	now := make(map[casePlace]*store.CaseGauge)
	for n := range list {
		add(now, &list[n])
	}
	return now, nil
}

func add(now map[casePlace]*store.CaseGauge, t *desk.Tally) {
	place := casePlace{class: t.Class, area: string(t.Community)}
	gauge := now[place]
	if gauge == nil {
		gauge = &store.CaseGauge{}
		now[place] = gauge
	}
	switch t.Light {
	case limits.Red:
		gauge.Red += t.N
	case limits.Yellow:
		gauge.Yellow += t.N
	case limits.Green:
		gauge.Green += t.N
	default:
		gauge.None += t.N
	}
}
