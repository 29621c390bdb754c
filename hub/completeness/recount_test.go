package completeness

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"citygrid/schemas"
)

// What comes while a recount asks the store is not in its answer, and is not lost.
func TestRecountBesideABacklog(t *testing.T) {
	w := newWorld(t, sqlite(t))
	s := schemas.Schedule{Interval: 15 * time.Minute}
	from, hour := source{"m1", "c1"}, noon.Add(-3*time.Hour)
	w.m.schedules[from] = s
	at := func(n uint32) []schemas.Reading {
		return []schemas.Reading{reading("m1", schemas.Live, s.Begin(hour, n))}
	}
	account := []schemas.SlotAccount{{Meter: "m1", Hour: hour, Interval: s.Interval, Planned: 4}}
	w.do(happening{from, nil, account})
	w.do(happening{from, append(at(0), at(1)...), nil})
	delete(w.m.store[from], at(0)[0].TakenAt)
	w.l.o.Store = func(ctx context.Context, meters []schemas.MeterID, from, to time.Time, each func(schemas.MeterID, schemas.Origin, time.Time)) error {
		defer func() {
			w.do(happening{source{"m1", "c1"}, append(at(2), at(3)...), nil})
			w.do(happening{source{"m1", "c1"}, nil, account})
		}()
		return w.moments(ctx, meters, from, to, each)
	}
	w.must(w.l.Recount(t.Context(), hour, noon))
	w.l.o.Store = w.moments
	if c := total(t, w.l); c.Received != 3 || c.Lost[StoreLost] != 1 {
		t.Fatalf("%+v, want 3 received and 1 lost", c)
	}
	w.m.store[from][at(0)[0].TakenAt] = schemas.Live // it came meanwhile, and its delta was merged before the count was written
	w.settle()
	if c := total(t, w.l); c.Received != 4 {
		t.Errorf("%+v once the hour was counted again, want 4 received", c)
	}
}

// lostHour has an hour of four slots, of which the store has lost some.
func (w *world) lostHour(m schemas.MeterID, hour time.Time, lost ...uint32) {
	w.t.Helper()
	s, from := schemas.Schedule{Interval: 15 * time.Minute}, source{m, "c1"}
	w.tell(quarter(m, hour, hour.Add(time.Hour)), true)
	for _, n := range lost {
		delete(w.m.store[from], s.Begin(hour, n))
	}
	w.must(w.l.Recount(w.t.Context(), hour, hour.Add(time.Hour)))
}

// An hour counts as asked for when a request that names it was sent, and not before.
func TestAskedOnlyWhatWasSent(t *testing.T) {
	w := newWorld(t, sqlite(t))
	first, second := noon.Add(-3*time.Hour), noon.Add(-2*time.Hour)
	w.lostHour("m1", first, 1)
	asked := func() (list []bool) {
		for _, g := range w.gaps() {
			list = append(list, g.Asked)
		}
		return list
	}
	w.l.o.Refill = func(context.Context, schemas.CollectorID, []schemas.Refill) error {
		return errors.New("the broker is away")
	}
	if err := w.l.askRefills(t.Context(), w.now); err == nil || !slices.Equal(asked(), []bool{false}) {
		t.Fatalf("asked %v, %v; want a failure and nothing asked for", asked(), err)
	}
	w.l.o.Refill = func(_ context.Context, _ schemas.CollectorID, list []schemas.Refill) error {
		w.lostHour("m1", second, 2) // lost since the request was made, in the same row
		return nil
	}
	w.must(w.l.askRefills(t.Context(), w.now))
	if !slices.Equal(asked(), []bool{true, false}) {
		t.Errorf("asked %v, want the first hour and not the second", asked())
	}
}
