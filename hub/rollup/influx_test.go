package rollup

import (
	"context"
	"testing"

	"citygrid/hub/store"
	"citygrid/internal/influxd"
	"citygrid/internal/influxd/influxtest"
	"citygrid/schemas"
)

// openSeries starts the InfluxDB that `make bin/influxd` builds.
func openSeries(t *testing.T) *store.Store {
	t.Helper()
	server := influxtest.Start(t, influxd.Options{})
	s, err := store.Open(store.Config{URL: server.URL(), Bucket: "citygrid/autogen"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// TestRealStore lets one life go through a real store, with a restart in the middle and
// one at the end, after which everything is answered from what the store has.
func TestRealStore(t *testing.T) {
	s := openSeries(t)
	const hours = 5
	w := newWorld(t, 1, 20, hours)
	w.series = s
	w.write = func(batch []schemas.Reading) {
		if err := s.Write(context.Background(), batch); err != nil {
			t.Fatal(err)
		}
	}
	w.begin()
	w.run(130, 30)
	w.begin()
	w.run(hours*60+480, 30)
	if w.check(hours) == 0 {
		t.Error("no meter was ever missing: the life is worth nothing")
	}
	w.begin()
	w.work()
	w.check(hours)
	w.checkOldHours(hours)
}

// checkOldHours: days later the same figures come from the store.
func (w *world) checkOldHours(hours int) {
	w.tb.Helper()
	recent, err := w.rollup.Cells(context.Background(), schemas.Power, minute(0), minute(hours*60))
	if err != nil {
		w.tb.Fatal(err)
	}
	list, err := w.rollup.Hours(context.Background(), "110101", schemas.Power, minute(0), minute(hours*60))
	if err != nil {
		w.tb.Fatal(err)
	}
	w.begin()
	w.now += 5 * 24 * 60
	w.work()
	old, err := w.rollup.Cells(context.Background(), schemas.Power, minute(0), minute(hours*60))
	if err != nil {
		w.tb.Fatal(err)
	}
	for n := range recent.Figures {
		a, b := recent.Figures[n], old.Figures[n]
		if a.Known != b.Known || a.Value.Cmp(b.Value) != 0 || a.Got != b.Got || a.Expected != b.Expected {
			w.tb.Errorf("place %d: %+v from memory, %+v from the store", n, a, b)
		}
	}
	again, err := w.rollup.Hours(context.Background(), "110101", schemas.Power, minute(0), minute(hours*60))
	if err != nil || len(again) != len(list) {
		w.tb.Fatal(err, len(again))
	}
	for n := range list {
		if list[n].Of.Value.Cmp(again[n].Of.Value) != 0 || !again[n].Final || !again[n].Start.Equal(list[n].Start) {
			w.tb.Errorf("hour %d: %+v from memory, %+v from the store", n, list[n].Of, again[n].Of)
		}
	}
}
