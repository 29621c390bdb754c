package books

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/billing"
	"citygrid/schemas"
)

// TestDryAndRefusals: nothing is kept of a dry run, and what cannot be is refused.
func TestDryAndRefusals(t *testing.T) {
	ctx := context.Background()
	b, c := creditBooks(t, "sqlite:"+t.TempDir()+"/b.db", 2, nil)
	q := Billing{Utility: schemas.Water, Month: billMonth("2026-01"), By: "li", Dry: true}
	if _, err := b.MakeBills(ctx, q, memory{}, nil, nil); !errors.Is(err, ErrMonthOpen) {
		t.Errorf("a month that is not over: %v", err)
	}
	c.now = cityTime("2026-02-02 10:00")
	before := dump(t, b)
	s, err := b.MakeBills(ctx, q, slices.Concat(yearOf(0), yearOf(1)), nil, nil)
	if err != nil || s.Made != 2 || s.Amount == 0 {
		t.Errorf("dry: %+v, %v", s, err)
	}
	if list, err := b.Bills(ctx, BillFilter{}); err != nil || len(list) != 0 {
		t.Errorf("a dry run kept %d bills, %v", len(list), err)
	}
	sameDump(t, dump(t, b), before)
	away := errors.New("the store is away")
	for says, spoil := range map[string]func(*Billing) Registers{
		"no utility": func(q *Billing) Registers { q.Utility = "steam"; return memory{} },
		"nobody":     func(q *Billing) Registers { q.By = ""; return memory{} },
		"influx":     func(*Billing) Registers { return nil },
		"away":       func(*Billing) Registers { return failing{away} },
	} {
		q := q
		from := spoil(&q)
		if _, err := b.MakeBills(ctx, q, from, nil, nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// TestAdvice prices what no bill has yet, up to the latest register.
func TestAdvice(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx := context.Background()
		b, c := creditBooks(t, dsn, 4, nil)
		c.now = cityTime("2026-02-02 10:00")
		all := memory{}
		for i := range 4 {
			all = append(all, yearOf(i)[1:3]...)
		}
		mustBill(t, b, "2026-01", all) // 64.17 and more
		bill, err := b.Bills(ctx, BillFilter{Meter: meterOf(1)})
		must(t, err)
		settleBank(t, b, "2026-02-03", ledger.Payment{Order: bill[0].Order, Amount: bill[0].Amount})
		c.now = cityTime("2026-02-20 10:00")
		latest := func(i int, litres int64, at time.Time) {
			all = append(all, read(meterOf(i), forward, litresAt(i, cityTime("2026-02-01 00:00"))+litres, at))
		}
		latest(0, 49_000, c.now.Add(-10*time.Minute))
		latest(0, 48_000, c.now.Add(-20*time.Minute))
		latest(1, 10_000, c.now.Add(-5*time.Hour))
		latest(2, 1_000, c.now.Add(-30*time.Hour))
		list, n, err := b.Advise(ctx, AccountFilter{Utility: schemas.Water}, all)
		if err != nil || n != 4 || len(list) != 4 {
			t.Fatalf("%d of %d, %v", len(list), n, err)
		}
		for i, want := range []struct {
			step     billing.Step
			unbilled schemas.Fen
			known    bool
		}{{billing.Warn, 49 * 207, true}, {billing.None, 2070, true}, {billing.None, 0, false}, {billing.None, 0, false}} {
			a := list[i]
			if a.Step != want.step || a.Unbilled != want.unbilled || (a.Why == "") != want.known || a.Owed != a.Open+a.Unbilled {
				t.Errorf("account %d: %+v, want %+v", i, a, want)
			}
			if paid := i == 1; paid != (a.Open == 0) || paid != (a.Overdue == 0) {
				t.Errorf("account %d: open %s, overdue %s", i, a.Open, a.Overdue)
			}
		}
		if list[0].Until != c.now.Add(-10*time.Minute) || list[0].Since != cityTime("2026-02-01 00:00") {
			t.Errorf("from %s to %s", list[0].Since, list[0].Until)
		}
		without, _, err := b.Advise(ctx, AccountFilter{}, nil)
		if err != nil || without[0].Open != list[0].Open || !strings.Contains(without[0].Why, "influx") {
			t.Errorf("without readings: %+v, %v", without[0], err)
		}
	})
}
