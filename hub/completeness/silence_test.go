package completeness

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"citygrid/schemas"
)

// noWord counts the slots of which collectors have said nothing.
func noWord(t *testing.T, l *Ledger, q Query) (slots int64, collectors []Collector) {
	t.Helper()
	p, err := l.Gaps(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range p.Gaps {
		if g.Reason == NoWord {
			slots += g.Unknown
		}
	}
	if collectors, err = l.Completeness(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	return slots, collectors
}

// The command, which opens the ledger anew, sees the silence that the hub sees, and no
// more than it where the hub was started a moment ago.
func TestSilenceSeenFromAside(t *testing.T) {
	w := newWorld(t, sqlite(t))
	w.tell(quarter("m1", noon.Add(-time.Hour), noon), true)
	q := Query{Since: noon.Add(-time.Hour), Until: noon.Add(2 * time.Hour)}
	aside := func() (int64, []Collector) {
		l, err := Open(t.Context(), w.dsn, Options{Now: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler), Aside: true})
		w.must(err)
		defer l.Close()
		return noWord(t, l, q)
	}
	w.now = noon.Add(2 * time.Hour)
	want, list := noWord(t, w.l, q)
	if want != 8 || !list[0].Silent {
		t.Fatalf("the hub sees %d slots, %+v; want 8 of a silent collector", want, list)
	}
	if got, list := aside(); got != want || !list[0].Silent {
		t.Errorf("the command sees %d slots, %+v; want %d", got, list, want)
	}
	w.kill() // a hub that has just begun has heard nobody yet
	if _, list := aside(); list[0].Silent {
		t.Error("the command takes a collector for silent that the hub could not hear")
	}
	w.must(w.l.ended(t.Context(), true))
	if _, list := aside(); !list[0].Silent {
		t.Error("without a hub the command takes the collector for one that was heard")
	}
}

// A collector that is revoked, or enrolled no more, is neither silent nor a gap, and stays
// in the counts of its time.
func TestRetiredCollector(t *testing.T) {
	w := newWorld(t, sqlite(t))
	w.tell(quarter("m1", noon.Add(-time.Hour), noon), true)
	w.now = noon.AddDate(0, 0, 300)
	figures := func() (silent int, missing int64) {
		w.must(w.l.countGauges(t.Context(), w.now))
		g := w.l.Gauges()
		return g.Silent, g.Slots[NoWord]
	}
	if silent, missing := figures(); silent != 1 || missing != 96 {
		t.Fatalf("%d silent, %d slots missing; want 1 and 96", silent, missing)
	}
	w.l.o.Enrolled = func(id schemas.CollectorID) bool { return id != "c1" }
	if silent, missing := figures(); silent != 0 || missing != 0 {
		t.Errorf("%d silent, %d slots missing of a retired collector", silent, missing)
	}
	q := Query{Since: w.now.Add(-24 * time.Hour), Until: w.now}
	if slots, list := noWord(t, w.l, q); slots != 0 || len(list) != 0 {
		t.Errorf("%d slots, %+v; want nothing of a retired collector", slots, list)
	}
	q = Query{Since: noon.Add(-time.Hour), Until: noon}
	_, list := noWord(t, w.l, q)
	if !slices.ContainsFunc(list, func(c Collector) bool { return c.Expected == 4 && c.Received == 4 && c.Told.Equal(noon) && !c.Silent }) {
		t.Errorf("%+v, want the slots of its time", list)
	}
}
