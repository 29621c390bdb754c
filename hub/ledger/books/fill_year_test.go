package books

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/reconcile"
	"citygrid/schemas"
	"citygrid/simulators/year"
)

// touYear is a year of places that pay by the time of use, with purses that jump.
type touYear struct {
	world    *year.World
	places   []*year.Place
	readings memory
}

func newTouYear(t *testing.T) *touYear {
	t.Helper()
	w, err := year.New(year.Options{Seed: 5, Places: 300, Discrepancies: 8, Only: []string{"residual-up-tou", "residual-down-tou"}})
	must(t, err)
	y := &touYear{world: w, places: slices.Collect(w.Wrong())}
	for _, p := range y.places {
		if p.Plan != "power-tou" {
			t.Fatalf("place %s has the plan %s", p.Meter, p.Plan)
		}
		for n := range p.Entries {
			y.read(&p.Entries[n])
		}
	}
	// A meter of the world beside these, with nothing wrong.
	for p := range w.Places() {
		if p.Plan == "power-tou" && len(p.Injected) == 0 {
			y.places = append(y.places, p)
			for n := range p.Entries {
				y.read(&p.Entries[n])
			}
			break
		}
	}
	return y
}

// read makes the readings of the round in which a state was read: the registers a
// few seconds apart, and a suspect one nearer.
func (y *touYear) read(e *year.Entry) {
	if e.UsedByRate == nil || e.Event != schemas.CardState && e.Event != schemas.CardReturn {
		return
	}
	round := e.Moment().Add(2 * time.Second)
	y.readings = append(y.readings, read(e.Meter, "power.energy.import", e.Used.Value, round))
	for r, v := range e.UsedByRate {
		q := schemas.Quantity(fmt.Sprintf("power.energy.import.t%d", r+1))
		bad := read(e.Meter, q, 0, e.Moment())
		bad.Quality, bad.Reason = schemas.Suspect, schemas.ReasonRollback
		y.readings = append(y.readings, bad, read(e.Meter, q, v, round.Add(time.Duration(r)*time.Second)))
	}
}

// store puts the places and their rows into the books. With silent no card entry
// tells the use.
func (y *touYear) store(t *testing.T, b *Books, silent bool) {
	t.Helper()
	ctx := context.Background()
	must(t, b.StoreTariffs(ctx, "year", []byte(y.world.TariffYAML()), "zhang"))
	for n, p := range y.places {
		place := ledger.Place{Meter: p.Meter, Utility: p.Utility, Purse: p.Purse, Plan: p.Plan, Readout: ledger.ByCard}
		if p.Remote {
			place.Readout = ledger.Remote
		}
		for _, in := range p.Installations {
			place.Installations = append(place.Installations, ledger.Installation(in))
		}
		must(t, b.StoreRegister(ctx, []ledger.Place{place}))
		var entries []schemas.CardEntry
		for k := range p.Entries {
			e := p.Entries[k].AsSent()
			if silent {
				e.Used = schemas.Credit{}
			}
			entries = append(entries, e)
		}
		must(t, b.StoreCards(ctx, "edge-1", entries))
		for _, f := range files(p, n+1) {
			_, err := b.StoreFile(ctx, f)
			must(t, err)
		}
	}
}

// files are all sales and payments of a place in one file each.
func files(p *year.Place, number int) []*ledger.File {
	sales, payments := world{}.file(ledger.SalesFile, start), world{}.file(ledger.PaymentsFile, start)
	for _, f := range []*ledger.File{sales, payments} {
		f.Utility, f.Number = p.Utility, number
	}
	for _, s := range p.Sales {
		sales.Sales = append(sales.Sales, ledger.Sale{Channel: s.Channel, Order: s.Order, Kind: ledger.SaleKind(s.Kind), Utility: s.Utility,
			MeterNumber: s.MeterNumber, Customer: s.Customer, Card: s.Card, Purchase: purchase(s.Purchase), Amount: s.Amount, Volume: s.Volume,
			Undoes: s.Undoes, Day: ledger.Day(s.Day), At: s.At})
	}
	for _, s := range p.Payments {
		payments.Payments = append(payments.Payments, ledger.Payment{Channel: s.Channel, Order: s.Order, Reference: s.Reference, Refund: s.Refund,
			Amount: s.Amount, Day: ledger.Day(s.Day), At: s.At})
	}
	return []*ledger.File{sales, payments}
}

// reconcile makes a run a month, each after its filling, and returns what is open
// in the end.
func (y *touYear) reconcile(t *testing.T, b *Books, from memory) (found []string) {
	t.Helper()
	ctx, last := context.Background(), ledger.Day(y.world.LastDay())
	for d := ledger.Day(y.world.FirstDay()); d <= last; d += 30 {
		span := reconcile.Span{From: d, To: min(d+29, last)}
		s, err := b.FillUse(ctx, schemas.Power, span, from, nil)
		must(t, err)
		if len(from) > 0 && (s.Missing != 0 || s.Filled == 0) {
			t.Errorf("days %s to %s: %+v", span.From, span.To, s)
		}
		run, err := b.Run(ctx, schemas.Power, span, "zhang", nil)
		must(t, err)
		if run.Figures.Refused != 0 {
			t.Errorf("%d rows were refused", run.Figures.Refused)
		}
	}
	list, _, err := b.Differences(ctx, DifferenceFilter{Page: Page{Limit: 1000}})
	must(t, err)
	for _, d := range list {
		found = append(found, fmt.Sprintf("%s %s #%d at %d: %d fen, day %s", d.Class, d.Meter, d.Purchase.Number, d.Moment.UnixMilli(), d.Amount, d.Day))
	}
	slices.Sort(found)
	return found
}

// injected are the facts of the places, as reconcile writes them.
func (y *touYear) injected() (want []string) {
	for _, p := range y.places {
		for _, d := range p.Injected {
			want = append(want, fmt.Sprintf("%s %s #%d at %d: %d fen, day %s", d.Class, d.Meter, d.Purchase, d.Moment.UnixMilli(), d.Amount, ledger.Day(d.Day)))
		}
	}
	slices.Sort(want)
	return want
}

// TestTimeOfUseNeedsTheRegisters finds purses that jump at meters that pay by the
// time of use, to the fen, with the registers of the readings; without them it
// knows no charge so exactly.
func TestTimeOfUseNeedsTheRegisters(t *testing.T) {
	y := newTouYear(t)
	want := y.injected()
	if len(want) != 8 {
		t.Fatalf("the world has %d faults, want 8", len(want))
	}
	rules := testOptions()
	rules.Rules = reconcile.DefaultRules(ledger.Calendar{Zone: y.world.Options().Zone, CutOff: y.world.Options().CutOff})
	engines(t, func(t *testing.T, dsn string) {
		for n, tt := range []struct {
			name   string
			from   memory
			silent bool
			found  bool
		}{
			{"registers by rate", y.readings, false, true}, {"registers by rate and the use", y.readings, true, true},
			{"no registers", nil, false, false}, {"no registers and no use", nil, true, false},
		} {
			if n > 0 {
				dsn = another(t, dsn)
			}
			b, err := Open(context.Background(), dsn, rules)
			must(t, err)
			y.store(t, b, tt.silent)
			got := y.reconcile(t, b, tt.from)
			if slices.Equal(got, want) != tt.found {
				t.Errorf("%s: found %q\ninjected %q", tt.name, got, want)
			}
			must(t, b.Close())
		}
	})
}
