package rollup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"citygrid/hub/store"
	"citygrid/schemas"
)

// Readings gives readings of counters, as store.Store.
type Readings interface {
	Counters(ctx context.Context, quantities []schemas.Quantity, from, to time.Time, fn func(schemas.Reading) error) error
	Registers(ctx context.Context, meters []schemas.MeterID, quantities []schemas.Quantity, from, to time.Time, fn func(schemas.Reading) error) error
	LastGood(ctx context.Context, meters []schemas.MeterID, quantities []schemas.Quantity, since, before time.Time, fn func(schemas.Reading) error) error
}

// Counts says how many readings there are, as store.Store.
type Counts interface {
	CountCounters(ctx context.Context, quantities []schemas.Quantity, from, to time.Time, fn func(hour time.Time, n int64) error) error
}

// Book keeps the hours, as store.Store.
type Book interface {
	StoreCellHours(ctx context.Context, areas bool, list []store.CellHour) error
	CellHours(ctx context.Context, areas bool, place string, medium schemas.Medium, from, to time.Time, fn func(store.CellHour) error) error
	CellSums(ctx context.Context, medium schemas.Medium, from, to time.Time, fn func(store.CellHour) error) error
}

// Series is all of a series store that a Rollup uses.
type Series interface {
	Readings
	Counts
	Book
}

// Options are what a Rollup is made of; all are required.
type Options struct {
	Series Series
	// Installations returns the records of one meter, in the order of time.
	Installations func(schemas.MeterID) []schemas.Installation
	Log           *slog.Logger
}

// Rollup counts the hours of a city and keeps the last two days in memory: about 40
// bytes for each hour, cell and medium, and 1 KB for each meter. Its methods may be
// called from any goroutine, but Work from one at a time.
type Rollup struct {
	o Options

	mu    sync.Mutex
	state state
	town  *Town
	hours map[int64]*hour
	// made counts the changes of hours; what was answered from another count is stale.
	made   int64
	latest int64 // the moment of the last Work
	behind bool

	work work
	ask  answers
}

// keepMs is how far back hours are kept in memory: from the beginning of yesterday,
// wherever the city is.
const keepMs = 50 * hourMs

// New returns a Rollup that knows nothing yet. It takes readings at once, and counts
// when it has a town.
func New(o Options) (*Rollup, error) {
	if o.Series == nil || o.Installations == nil || o.Log == nil {
		return nil, errors.New("make the roll-up: Series, Installations and Log are required")
	}
	return &Rollup{o: o, state: newState(), hours: map[int64]*hour{}, ask: answers{cells: map[cellsAsked]cellsAnswer{}}}, nil
}

// Stored takes readings that are in the store since at. It is quick and keeps nothing
// of what it is given.
func (r *Rollup) Stored(readings []schemas.Reading, at time.Time) {
	now := at.UnixMilli()
	r.mu.Lock()
	defer r.mu.Unlock()
	for n := range readings {
		r.state.hear(&readings[n], now)
	}
}

// SetTown says where meters are from now on. The hours in memory keep their figures,
// in the new order; hours that are counted again take meters where the new town says
// that they were.
func (r *Rollup) SetTown(t *Town) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.town != nil {
		for start, h := range r.hours {
			r.hours[start] = h.moved(r.town, t)
		}
	}
	r.town = t
	r.made++
}

// Lost counts readings of meters beyond MaxMeters, which no hour has.
func (r *Rollup) Lost() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.lost
}

// Work does what there is to do at a moment: it counts hours that have ended, counts
// hours again that late readings touch, and brings the running hour up to date. An
// error means that some of it was not done; the next call does it. The first call after
// a start reads the last two days from the store, a few hours at a call.
func (r *Rollup) Work(ctx context.Context, now time.Time) error {
	r.mu.Lock()
	ready := r.town != nil
	r.latest = now.UnixMilli()
	r.mu.Unlock()
	if !ready {
		return nil
	}
	ms := now.UnixMilli()
	if err := r.restore(ctx, ms); err != nil {
		return fmt.Errorf("take up the hours of the store: %w", err)
	}
	var errs []error
	for r.open()+hourMs+graceMs <= ms && ctx.Err() == nil {
		if err := r.closeHour(ctx, ms); err != nil {
			errs = append(errs, fmt.Errorf("count an hour: %w", err))
			break
		}
	}
	if len(errs) == 0 {
		if err := r.again(ctx, ms); err != nil {
			errs = append(errs, fmt.Errorf("count hours again: %w", err))
		}
	}
	r.running(ms)
	r.forget(ms)
	r.mu.Lock()
	r.behind = r.work.backlog != nil
	r.mu.Unlock()
	return errors.Join(errs...)
}

// Behind reports whether hours of before the start are still to be counted: Work had
// better be called again soon.
func (r *Rollup) Behind() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.behind
}

func (r *Rollup) open() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.open
}

// forget drops hours and meters that are too old.
func (r *Rollup) forget(now int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for start := range r.hours {
		if start < now-keepMs {
			delete(r.hours, start)
		}
	}
	for id, m := range r.state.of {
		if m.last < now-reachMs && len(m.points) == 0 && m.last > 0 {
			delete(r.state.of, id)
		}
	}
}
