package main

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"citygrid/hub/api"
	"citygrid/hub/config"
	"citygrid/hub/ingest"
	"citygrid/hub/rollup"
	"citygrid/hub/store"
	"citygrid/schemas"
)

// cityProgram keeps what the map shows: the plan of the register, and the consumption
// of every cell and hour.
type cityProgram struct {
	grid    *gridProgram
	live    *api.Live
	figures *rollup.Rollup
	zone    *time.Location
	log     *slog.Logger
	plan    atomic.Pointer[api.Plan]
}

// newCity returns nil where this hub keeps no grid: nobody knows then where a meter is.
func (h *hubProgram) newCity(live *api.Live, series *store.Store) (*cityProgram, error) {
	if h.grid == nil {
		return nil, nil
	}
	zone, err := h.cfg.Grid.Location()
	if err != nil {
		return nil, err
	}
	figures, err := rollup.New(rollup.Options{Series: series, Installations: h.installationsOf, Log: h.log})
	return &cityProgram{grid: h.grid, live: live, figures: figures, zone: zone, log: h.log}, err
}

// observer learns of what is stored, for the live table and the figures of the city.
func (c *cityProgram) observer(live *api.Live) ingest.Observer {
	if c == nil {
		return live
	}
	return cityObserver{live, c.figures}
}

type cityObserver struct {
	*api.Live
	figures *rollup.Rollup
}

// Stored implements ingest.Observer.
func (o cityObserver) Stored(readings []schemas.Reading, at time.Time) {
	o.Live.Stored(readings, at)
	o.figures.Stored(readings, at)
}

// StoredFrom implements ingest.Accounts.
func (o cityObserver) StoredFrom(collector schemas.CollectorID, readings []schemas.Reading, at time.Time) {
	o.Live.StoredFrom(collector, readings, at)
	o.figures.Stored(readings, at)
}

// options adds the city to the hub's face.
func (c *cityProgram) options(o *api.Options, m *config.Map) {
	if c == nil {
		return
	}
	o.City = &api.City{Plan: c.plan.Load, Register: c.grid.register, Cases: c.grid.desk, Figures: c.figures, Zone: c.zone, Layers: mapLayers(m)}
}

func mapLayers(m *config.Map) []api.MapLayerJSON {
	var list []api.MapLayerJSON
	for _, l := range m.Layers {
		last := l.MaxZoom
		if last == 0 {
			last = config.DefaultMaxZoom
		}
		list = append(list, api.MapLayerJSON{Name: l.Name, Kind: l.Kind, URL: l.URL, CRS: l.CRS, Attribution: l.Attribution, Layer: l.Layer,
			MatrixSet: l.MatrixSet, Style: l.Style, Format: l.Format, MinZoom: l.MinZoom, MaxZoom: last, Parameters: l.Parameters})
	}
	return list
}

const (
	// planEvery is how often the register is asked whether it has changed; most times it
	// answers from memory.
	planEvery = 3 * time.Second
	// placesEvery is how often meters are looked up again although the register has not
	// changed: it knows beforehand when meters move.
	placesEvery = time.Hour
	// figuresEvery is the least time between two counts of the running hour, figuresShare
	// how many times as long as a count the pause after it is, up to figuresMost.
	figuresEvery = 10 * time.Second
	figuresShare = 20
	figuresMost  = 3 * time.Minute
)

// run keeps the plan and the figures up to date until ctx is done.
func (c *cityProgram) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	first := make(chan struct{}) // closed when there is a plan
	g.Go(func() error { c.keepPlan(ctx, first); return nil })
	g.Go(func() error {
		select {
		case <-ctx.Done():
		case <-first:
			c.keepFigures(ctx)
		}
		return nil
	})
	return g.Wait()
}

func (c *cityProgram) keepPlan(ctx context.Context, first chan<- struct{}) {
	failing, placed := false, time.Time{}
	for ctx.Err() == nil {
		now := time.Now()
		changed, err := c.renewPlan(ctx)
		if p := c.plan.Load(); p != nil && (changed || now.Sub(placed) >= placesEvery) {
			c.live.SetTown(p.Town())
			placed = now
		}
		if changed && first != nil {
			close(first)
			first = nil
		}
		if err != nil && !failing && ctx.Err() == nil {
			c.log.Error("the map is not up to date; trying again", "every", planEvery, "error", err)
		}
		failing = err != nil
		pause(ctx, planEvery)
	}
}

// renewPlan makes another plan when the register has changed.
func (c *cityProgram) renewPlan(ctx context.Context) (bool, error) {
	changed, err := c.plan.Load().Changed(ctx, c.grid.register)
	if err != nil || !changed {
		return false, err
	}
	p, err := api.LoadPlan(ctx, c.grid.register)
	if err != nil {
		return false, err
	}
	c.figures.SetTown(p.Town())
	c.plan.Store(p)
	return true, nil
}

func (c *cityProgram) keepFigures(ctx context.Context) {
	failing := false
	for ctx.Err() == nil {
		start := time.Now()
		err := c.figures.Work(ctx, start)
		switch {
		case ctx.Err() != nil:
		case err != nil && !failing:
			c.log.Warn("consumption by cell is behind; trying again", "error", err)
		case err == nil && failing:
			c.log.Info("consumption by cell is up to date again")
		}
		failing = err != nil && !errors.Is(err, context.Canceled)
		pause(ctx, figuresPause(time.Since(start), c.figures.Behind()))
	}
}

// figuresPause is how long to wait after a count: while hours of before the start are to
// be counted, half of the time is theirs.
func figuresPause(took time.Duration, behind bool) time.Duration {
	if behind {
		return min(max(time.Second, took), figuresMost)
	}
	return min(max(figuresEvery, figuresShare*took), figuresMost)
}

// The receiver tells an observer that keeps accounts with StoredFrom alone: one that is
// not overridden here would leave the figures without readings.
var _ ingest.Accounts = cityObserver{}
