package main

import (
	"context"
	"log/slog"
	"time"

	"citygrid/hub/api"
	"citygrid/hub/store"
	"citygrid/schemas"
)

// This file and its neighbours write into the series what dashboards show and no
// message carries: how collectors and cases stand, and what runs found.

// chartEvery is the time between two points of what stands.
const chartEvery = 30 * time.Second

// charts are the writers, and which of them failed last.
type charts struct {
	log     *slog.Logger
	writers []chartWriter
	failing map[string]bool
}

// chartWriter writes what stands at a moment.
type chartWriter struct {
	what  string
	write func(ctx context.Context, at time.Time) error
}

// charts writes at once and then every chartEvery, until ctx is done.
func (h *hubProgram) charts(ctx context.Context, live *api.Live, series *store.Store) error {
	c := h.newCharts(live, series)
	tick := time.NewTicker(chartEvery)
	defer tick.Stop()
	for {
		c.all(ctx, time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (h *hubProgram) newCharts(live *api.Live, series *store.Store) *charts {
	c := &charts{log: h.log, failing: make(map[string]bool)}
	c.add("collectors", func(ctx context.Context, at time.Time) error {
		return series.StoreCollectors(ctx, collectorPoints(live.Collectors(), h.areaOf, at))
	})
	if h.grid != nil {
		g := &caseGauges{desk: h.grid.desk, series: series}
		c.add("open cases", g.write)
	}
	if h.books != nil {
		r := &runPoints{books: h.books, calendar: h.books.rules.Calendar, series: series}
		c.add("runs of reconciliation", func(ctx context.Context, _ time.Time) error { return r.write(ctx) })
	}
	return c
}

func (c *charts) add(what string, write func(context.Context, time.Time) error) {
	c.writers = append(c.writers, chartWriter{what, write})
}

// all lets every writer write, and says when one begins and ceases to fail.
func (c *charts) all(ctx context.Context, at time.Time) {
	for _, w := range c.writers {
		err := w.write(ctx, at)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && c.failing[w.what]:
			c.log.Info("the dashboards of Grafana have points again", "of", w.what)
		case err != nil && !c.failing[w.what]:
			c.log.Warn("the dashboards of Grafana get no points; trying again", "of", w.what, "every", chartEvery, "error", err)
		}
		c.failing[w.what] = err != nil
	}
}

// areaOf returns the area in which a collector is enrolled, empty for none.
func (h *hubProgram) areaOf(id string) schemas.AreaCode {
	area, _, _ := h.find(schemas.CollectorID(id))
	return area
}

// collectorPoints are the points of what the hub knows of its collectors.
func collectorPoints(list []api.CollectorJSON, areaOf func(string) schemas.AreaCode, at time.Time) []store.CollectorPoint {
	points := make([]store.CollectorPoint, len(list))
	for n := range list {
		c := &list[n]
		points[n] = store.CollectorPoint{Collector: schemas.CollectorID(c.ID), Area: areaOf(c.ID), At: at, Online: c.Online}
		if c.StatusAt == nil || c.StartedAt == nil {
			continue
		}
		points[n].Status = &store.CollectorCounts{
			Age: at.Sub(*c.StatusAt), Uptime: c.StatusAt.Sub(*c.StartedAt),
			ReadsPlanned: c.ReadsPlanned, ReadsDone: c.ReadsDone, ReadsFailed: c.ReadsFailed, ReadsMissed: c.ReadsMissed,
			ValuesRead: c.ValuesRead, Sealed: c.Sealed, Published: c.Published, Freed: c.Freed,
			SpoolRecords: c.SpoolRecords, SpoolBytes: c.SpoolBytes, SpoolQuota: c.SpoolQuota, SpoolFull: c.SpoolFull,
			Failing: uint64(c.FailingTotal),
		}
	}
	return points
}

// pointsOfRequest is how many gauges go into one request to the store.
const pointsOfRequest = 2000
