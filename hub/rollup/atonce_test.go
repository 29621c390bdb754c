package rollup

import (
	"context"
	"errors"
	"testing"
	"time"

	"citygrid/hub/store"
	"citygrid/schemas"
)

// watched is a store that looks at the figures whenever it is written to, and that fails
// now and then.
type watched struct {
	*memory
	look func() error
}

func (w *watched) StoreCellHours(ctx context.Context, areas bool, list []store.CellHour) error {
	if err := w.look(); err != nil {
		return err
	}
	return w.memory.StoreCellHours(ctx, areas, list)
}

// city is what the city has used in all hours that are known.
func (w *world) city(m schemas.Medium) string {
	hours, err := w.rollup.Hours(context.Background(), "", m, start, minute(w.now).Add(time.Hour))
	if err != nil {
		w.tb.Fatal(err)
	}
	sum := Figure{}
	for _, h := range hours {
		if h.Of != nil {
			sum.After(h.Of)
		}
	}
	return sum.Value.String()
}

// TestMovedConsumptionIsNeverInTwoHours: late readings move what a meter used in a gap
// from one hour into others, and the end of an hour moves what the next one begins with.
// Who looks meanwhile, or after a count that failed half-way, sees the sums of before.
func TestMovedConsumptionIsNeverInTwoHours(t *testing.T) {
	const hours = 10
	w := newWorld(t, 3, 30, hours)
	m := &watched{newMemory(), func() error { return nil }}
	w.series, w.write = m, m.put
	w.begin()
	w.run(60, 10)
	looks, failed, before := 0, 0, map[schemas.Medium]string{}
	m.look = func() error {
		looks++
		for _, medium := range Media() {
			if now := w.city(medium); now != before[medium] {
				t.Errorf("minute %d: %s was %s, and is %s while hours are counted", w.now, medium, before[medium], now)
			}
		}
		if looks%17 == 0 {
			failed++
			return errors.New("the store is away")
		}
		return nil
	}
	for w.now <= hours*60 && !t.Failed() {
		w.run(w.now+6, 1000)
		for _, medium := range Media() {
			before[medium] = w.city(medium)
		}
		_ = w.rollup.Work(context.Background(), minute(w.now))
	}
	if looks < 100 || failed < 5 {
		t.Errorf("%d looks and %d failures: the test is worth nothing", looks, failed)
	}
	m.look = func() error { return nil }
	w.run(hours*60+600, 10)
	w.check(hours)
}
