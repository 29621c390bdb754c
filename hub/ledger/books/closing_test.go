package books

import (
	"context"
	"errors"
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/reconcile"
	"citygrid/schemas"
)

// TestClosedWithAfterLaterRuns: what a run closed with stays what it was, whatever
// is decided, cleared or set aside later.
func TestClosedWithAfterLaterRuns(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx := context.Background()
		b, key := lost(t, dsn)
		first, err := b.LatestRun(ctx, schemas.Water)
		must(t, err)
		want, err := b.ClosedWith(ctx, first.ID)
		must(t, err)
		closing := func(list []DifferenceRecord) (n int64) {
			for _, d := range list {
				if d.State != ledger.Open {
					t.Errorf("%s is %s when the run was made", d.Key, d.State)
				}
			}
			return int64(len(list))
		}
		count := func(f *reconcile.Figures) (n int64) {
			for _, c := range f.Classes {
				n += c.Closing.Count
			}
			return n
		}
		if closing(want) != count(&first.Figures) || len(want) == 0 {
			t.Fatalf("%d differences, the figures say %d", len(want), count(&first.Figures))
		}
		later := testOptions()
		later.Now = func() time.Time { return first.At.Add(time.Hour) }
		b.o.Now = later.Now
		for _, d := range []ledger.Decision{{To: ledger.Explained, Who: "li", Why: "w"}, {To: ledger.Adjusted, Who: "wang", Why: "w"}, {To: ledger.Closed, Who: "zhao", Why: "w"}} {
			_, err := b.Decide(ctx, key, d)
			must(t, err)
		}
		second := world{}.run(t, b, start+11, start+11) // clears it
		again, err := b.ClosedWith(ctx, first.ID)
		must(t, err)
		if closing(again) != int64(len(want)) {
			t.Errorf("%d differences after the next run, %d before", len(again), len(want))
		}
		after, err := b.ClosedWith(ctx, second.ID)
		must(t, err)
		for _, d := range after {
			if d.Key == key {
				t.Error("the second run closed with what it has cleared")
			}
		}
		if int64(len(after)) != count(&second.Figures) {
			t.Errorf("the second run: %d differences, the figures say %d", len(after), count(&second.Figures))
		}
		world{}.run(t, b, start+11, start+11)
		if _, err := b.ClosedWith(ctx, second.ID); !errors.Is(err, ErrSetAside) {
			t.Errorf("of a run that was made again: %v", err)
		}
		if _, err := b.ClosedWith(ctx, 999); !errors.Is(err, ErrUnknown) {
			t.Errorf("of no run: %v", err)
		}
	})
}

// TestRunCountsTheUnresolved: of its utility and up to its last day, and none once
// the register knows the meter.
func TestRunCountsTheUnresolved(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx := context.Background()
		b, w := mustOpen(t, dsn), world{n: 2}
		w.begin(t, b)
		if r, err := b.LatestRun(ctx, schemas.Water); err != nil || r.Unresolved == nil || *r.Unresolved != (Unresolved{}) {
			t.Errorf("all known: %+v, %v", r.Unresolved, err)
		}
		stranger := world{n: 3} // meter 2 is in no register
		gas := stranger.month(2)[1]
		gas.Utility, gas.Meter = schemas.Gas, "G-1"
		must(t, b.StoreCards(ctx, "edge-1", append(stranger.month(2), gas)))
		day := stranger.buys(2)
		_, err := b.StoreFile(ctx, stranger.file(ledger.SalesFile, day))
		must(t, err)
		for _, c := range []struct {
			from, to ledger.Day
			want     Unresolved
		}{{start + 1, day - 1, Unresolved{}}, {day, day, Unresolved{Sales: 1, Entries: 3}}} {
			made := w.run(t, b, c.from, c.to)
			kept, err := b.RunByID(ctx, made.ID)
			must(t, err)
			if *made.Unresolved != c.want || kept.Unresolved == nil || *kept.Unresolved != c.want {
				t.Errorf("to %s: made %+v, kept %+v, want %+v", c.to, made.Unresolved, kept.Unresolved, c.want)
			}
		}
		must(t, b.StoreRegister(ctx, []ledger.Place{stranger.place(2)}))
		if r := w.run(t, b, day+1, day+1); *r.Unresolved != (Unresolved{}) {
			t.Errorf("known by now: %+v", r.Unresolved)
		}
		_, err = b.write.ExecContext(ctx, "UPDATE runs SET unresolved_sales = NULL, unresolved_entries = NULL WHERE id = 1")
		must(t, err)
		if r, err := b.RunByID(ctx, 1); err != nil || r.Unresolved != nil {
			t.Errorf("a run that did not count: %+v, %v", r.Unresolved, err)
		}
	})
}
