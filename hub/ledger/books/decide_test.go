package books

import (
	"context"
	"errors"
	"strings"
	"testing"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// lost returns books with one open difference: a payment without sale.
func lost(t *testing.T, dsn string) (*Books, string) {
	t.Helper()
	b, w := mustOpen(t, dsn), world{n: 30}
	w.begin(t, b)
	w.fill(t, b)
	w.spoil(t, b)
	w.run(t, b, start+1, start+10)
	list, _, err := b.Differences(context.Background(), DifferenceFilter{Class: ledger.PaidNoSale})
	must(t, err)
	if len(list) != 1 || list[0].Amount != 700 || list[0].State != ledger.Open {
		t.Fatalf("differences %+v", list)
	}
	return b, list[0].Key
}

func TestDecisionsNeedTheirSteps(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx := context.Background()
		b, key := lost(t, dsn)
		for _, s := range []struct {
			d       ledger.Decision
			step    bool // refused: not allowed from here
			person  bool // refused: the same person
			allowed string
		}{
			{d: ledger.Decision{To: ledger.Closed, Who: "li", Why: "x"}, step: true, allowed: "explained, assigned"},
			{d: ledger.Decision{To: ledger.Adjusted, Who: "li", Why: "x"}, step: true, allowed: "explained, assigned"},
			{d: ledger.Decision{To: ledger.Assigned, Who: "li", Why: "ask the bank", Assignee: "wang"}},
			{d: ledger.Decision{To: ledger.Explained, Who: "li", Why: "notification lost"}},
			{d: ledger.Decision{To: ledger.Adjusted, Who: "li", Why: "refund", Amount: 700}, person: true},
			{d: ledger.Decision{To: ledger.Adjusted, Who: "wang", Why: "refund", Amount: 700, Evidence: "letter 12"}},
			{d: ledger.Decision{To: ledger.Explained, Who: "li", Why: "again"}, step: true, allowed: "closed"},
			{d: ledger.Decision{To: ledger.Closed, Who: "wang", Why: "done"}, person: true},
			{d: ledger.Decision{To: ledger.Closed, Who: "zhao", Why: "done"}},
			{d: ledger.Decision{To: ledger.Closed, Who: "li", Why: "done"}, step: true, allowed: "no further step"},
		} {
			_, err := b.Decide(ctx, key, s.d)
			var step *ledger.StepError
			var person *ledger.SamePersonError
			switch {
			case errors.As(err, &step) != s.step, errors.As(err, &person) != s.person, !s.step && !s.person && err != nil:
				t.Errorf("%s by %s: %v", s.d.To, s.d.Who, err)
			case s.step && !strings.Contains(err.Error(), s.allowed):
				t.Errorf("%s by %s: %v, want %q", s.d.To, s.d.Who, err, s.allowed)
			}
		}
		tl, err := b.Difference(ctx, key)
		must(t, err)
		var steps []string
		for _, e := range tl.Events {
			if e.Decision != nil {
				steps = append(steps, string(e.Decision.To))
			}
		}
		if got := strings.Join(steps, " "); got != "assigned explained adjusted closed" || tl.State != ledger.Closed {
			t.Errorf("steps %s, state %s", got, tl.State)
		}
		if last := tl.Events[len(tl.Events)-2].Decision; last == nil || last.Amount != 700 || last.Evidence != "letter 12" {
			t.Errorf("the adjustment is %+v", last)
		}
		s := world{}.run(t, b, start+11, start+11)
		if c := s.Figures.Classes[0]; c.Decided.Count != 1 || c.Closing.Count != 0 {
			t.Errorf("the next run has %+v", c)
		}
		// Done again, the run of the difference finds it once more, and the run after
		// clears it by the decision that stands.
		world{}.run(t, b, start+1, start+10)
		s = world{}.run(t, b, start+11, start+11)
		if c := s.Figures.Classes[0]; c.Decided.Count != 1 || c.Closing.Count != 0 {
			t.Errorf("done again, the run after has %+v", c)
		}
	})
}

func TestWhatHasClearedTakesNoDecision(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx := context.Background()
		b, key := lost(t, dsn)
		f := world{}.file(ledger.SalesFile, start+11)
		f.Number = 2
		f.Sales = []ledger.Sale{{Channel: "counter", Order: "LOST", Kind: ledger.Purchase, Utility: schemas.Water, MeterNumber: numberOf(1),
			Purchase: purchase(2), Amount: 700, Day: start + 11, At: at(start+11, 9)}}
		_, err := b.StoreFile(ctx, f)
		must(t, err)
		s := world{}.run(t, b, start+11, start+11)
		if c := s.Figures.Classes[0]; c.Cleared.Count != 1 {
			t.Errorf("the run after the sale arrived has %+v", c)
		}
		if _, err := b.Decide(ctx, key, ledger.Decision{To: ledger.Explained, Who: "li", Why: "x"}); !errors.Is(err, ErrCleared) {
			t.Errorf("a decision on it: %v", err)
		}
		list, total, err := b.Differences(ctx, DifferenceFilter{Class: ledger.PaidNoSale, Cleared: true})
		if err != nil || total != 1 || list[0].ClearedRun != s.ID {
			t.Errorf("cleared differences %+v, %v", list, err)
		}
	})
}

func TestDecisionsSayWhoAndWhy(t *testing.T) {
	b := mustOpen(t, "sqlite:"+t.TempDir()+"/b.db")
	for _, d := range []ledger.Decision{{To: ledger.Explained, Why: "x"}, {To: ledger.Explained, Who: "x"}, {To: ledger.Assigned, Who: "x", Why: "x"},
		{To: ledger.Explained, Who: "x", Why: "x", Amount: 1}} {
		if _, err := b.Decide(context.Background(), "k", d); err == nil || errors.Is(err, ErrUnknown) {
			t.Errorf("%+v: %v", d, err)
		}
	}
	if _, err := b.Decide(context.Background(), "k", ledger.Decision{To: ledger.Explained, Who: "x", Why: "x"}); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown difference: %v", err)
	}
}

func TestOneStepOfTwoAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		b, key := lost(t, dsn)
		ctx := context.Background()
		_, err := b.Decide(ctx, key, ledger.Decision{To: ledger.Explained, Who: "li", Why: "x"})
		must(t, err)
		results := make(chan error, 8)
		for range 8 {
			go func() {
				_, err := b.Decide(ctx, key, ledger.Decision{To: ledger.Adjusted, Who: "wang", Why: "x", Amount: 700})
				results <- err
			}()
		}
		won := 0
		for range 8 {
			var step *ledger.StepError
			if err := <-results; err == nil {
				won++
			} else if !errors.As(err, &step) {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d took the step, want 1", won)
		}
	})
}

func TestQueries(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx := context.Background()
		b, key := lost(t, dsn)
		for _, c := range []struct {
			f    DifferenceFilter
			want bool
		}{
			{DifferenceFilter{Utility: schemas.Water}, true}, {DifferenceFilter{Utility: schemas.Gas}, false},
			{DifferenceFilter{Class: ledger.PaidNoSale, State: ledger.Open}, true}, {DifferenceFilter{State: ledger.Closed}, false},
			{DifferenceFilter{Meter: "W-0000001", Class: ledger.PaidNoSale}, false}, {DifferenceFilter{Key: key}, true},
			{DifferenceFilter{Band: &Band{4, 7}, AsOf: start + 10}, true}, {DifferenceFilter{Band: &Band{31, 0}, AsOf: start + 10}, false},
			{DifferenceFilter{Cleared: true, Class: ledger.PaidNoSale}, false},
		} {
			list, total, err := b.Differences(ctx, c.f)
			must(t, err)
			has := false
			for _, d := range list {
				has = has || d.Key == key
			}
			if has != c.want || int(total) != len(list) {
				t.Errorf("%+v: %d of %d, has it: %t", c.f, len(list), total, has)
			}
		}
		ages, err := b.Ageing(ctx, schemas.Water, start+10)
		must(t, err)
		found := false
		for _, a := range ages {
			found = found || a.Class == ledger.PaidNoSale && a.Band == Band{4, 7} && a.Count == 1 && a.Sum == 700
		}
		if !found {
			t.Errorf("ageing %+v", ages)
		}
		s, err := b.LatestRun(ctx, schemas.Water)
		must(t, err)
		items, err := b.RunItems(ctx, s.ID, Page{})
		if err != nil || len(items) == 0 || items[0].What != "found" {
			t.Errorf("items %+v, %v", items, err)
		}
		if _, err := b.RunByID(ctx, 999); !errors.Is(err, ErrUnknown) {
			t.Errorf("an unknown run: %v", err)
		}
		if sales, n, err := b.UnresolvedSales(ctx, Page{}); err != nil || n != 1 || sales[0].Order != "ODD" {
			t.Errorf("unresolved sales %+v, %v", sales, err)
		}
		if _, err := b.Refused(ctx, Page{}); err != nil {
			t.Error(err)
		}
		// A sale late in the month is sold, paid, written, loaded and shown.
		w := world{n: 30}
		w.run(t, b, start+11, start+30)
		tl := Timeline{DifferenceRecord: DifferenceRecord{Difference: ledger.Difference{Channel: "counter", Order: "O000000001", Meter: meterOf(1), From: at(start, 0), Moment: at(start+2, 10)}}}
		must(t, b.orderEvents(ctx, &tl, 0))
		must(t, b.entryEvents(ctx, &tl))
		if len(tl.Events) != 1+1+4 {
			t.Errorf("%d events: %+v", len(tl.Events), tl.Events)
		}
	})
}
