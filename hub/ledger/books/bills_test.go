package books

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/billing"
	"citygrid/hub/ledger/intake"
	"citygrid/hub/ledger/reconcile"
	"citygrid/schemas"
)

const billPlan = `plans:
  - id: home
    utility: water
    reset: yearly
    rounding: half-up-per-line
    versions:
      - {from: 2024-01-01, steps: [{price: "2.07"}, {above: "180", price: "4.07"}]}
      - {from: 2026-05-15, steps: [{price: "2.27"}, {above: "180", price: "4.27"}]}
`

func cityTime(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", s, shanghai)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

func billDay(s string) ledger.Day {
	d, err := ledger.ParseDay(s)
	if err != nil {
		panic(err)
	}
	return d
}

func billMonth(s string) billing.Month {
	m, err := billing.ParseMonth(s)
	if err != nil {
		panic(err)
	}
	return m
}

// billClock is a clock that tests move.
type billClock struct{ now time.Time }

// creditBooks are books with accounts at n places, W-0000000 and on.
func creditBooks(tb testing.TB, dsn string, n int, late *billing.LateFee) (*Books, *billClock) {
	tb.Helper()
	c, o := &billClock{cityTime("2026-01-01 00:00")}, testOptions()
	o.Now = func() time.Time { return c.now }
	o.Rules.Begin = billDay("2026-01-01")
	b, err := Open(context.Background(), dsn, o)
	must(tb, err)
	tb.Cleanup(func() { must(tb, b.Close()) })
	must(tb, b.StoreTariffs(context.Background(), "home", []byte(billPlan), "zhang"))
	var places []ledger.Place
	var accounts []billing.Contract
	for i := range n {
		places = append(places, ledger.Place{Meter: meterOf(i), Utility: schemas.Water, Purse: schemas.CreditFen, Plan: "home", Readout: ledger.Remote,
			Installations: []ledger.Installation{{From: cityTime("2025-06-01 00:00"), MeterNumber: numberOf(i), Customer: "C-REG"}}})
		accounts = append(accounts, contractOf(i, late))
	}
	must(tb, b.StoreRegister(context.Background(), places))
	if got, err := b.StoreAccounts(context.Background(), accounts, "li"); err != nil || got != n {
		tb.Fatalf("%d accounts changed, %v", got, err)
	}
	return b, c
}

func contractOf(i int, late *billing.LateFee) billing.Contract {
	terms := billing.DefaultTerms()
	terms.Late = late
	return billing.Contract{Account: billing.Account{Meter: meterOf(i), Utility: schemas.Water, Mode: billing.Credit, Limit: 20_000, Channel: "bank-collect"},
		Terms: terms, Begin: cityTime("2026-01-01 00:00")}
}

// litresAt is the register of meter i: 1,000 l a day and 1 l an hour times i+1.
func litresAt(i int, t time.Time) int64 {
	hours := int64(t.Sub(cityTime("2025-06-01 00:00")) / time.Hour)
	return hours/24*1000 + hours*int64(i+1)
}

// boundary readings of meter i at each month of 2026 and at the change of prices.
func yearOf(i int) (all memory) {
	at := []time.Time{cityTime("2026-05-15 00:00")}
	for m := billMonth("2026-01"); m <= billMonth("2027-01"); m++ {
		at = append(at, m.Start(shanghai))
	}
	for _, t := range at {
		all = append(all, read(meterOf(i), forward, litresAt(i, t), t))
	}
	return all
}

func mustBill(tb testing.TB, b *Books, m string, from Registers) (BillSummary, []BillOutcome) {
	tb.Helper()
	var list []BillOutcome
	s, err := b.MakeBills(context.Background(), Billing{Utility: schemas.Water, Month: billMonth(m), By: "li"}, from,
		func(o *BillOutcome) error { list = append(list, *o); return nil }, nil)
	must(tb, err)
	return s, list
}

// settle stores one payment file of the collecting bank.
func settleBank(tb testing.TB, b *Books, day string, payments ...ledger.Payment) {
	tb.Helper()
	f := &ledger.File{FileID: ledger.FileID{Content: ledger.PaymentsFile, Utility: schemas.Water, Channel: "bank-collect", Day: billDay(day), Number: 1},
		Raw: fmt.Appendf(nil, "payments of %s", day), By: "zhang", At: cityTime("2026-01-01 00:00")}
	f.Digest = ledger.DigestOf(f.Raw)
	for _, p := range payments {
		p.Channel, p.Day, p.At = "bank-collect", billDay(day), cityTime(day+" 12:00")
		f.Payments = append(f.Payments, p)
	}
	_, err := b.StoreFile(context.Background(), f)
	must(tb, err)
}

// chargeOf prices a year's use from one litre to the next without package billing:
// fen x 100,000, by step and price set, rounded by line.
func chargeOf(from, to int64, prices [2]int64) (fen schemas.Fen) {
	const above = 180_000
	for n, line := range [2]int64{max(0, min(to, above)-min(from, above)), max(0, max(to, above)-max(from, above))} {
		fen += schemas.Fen((line*prices[n] + 50_000) / 100_000)
	}
	return fen
}

// TestYearOfAnAccount bills twelve months of steps, with a new price in the middle of
// May, paid, overpaid, late and not paid at all.
func TestYearOfAnAccount(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx := context.Background()
		b, c := creditBooks(t, dsn, 1, &billing.LateFee{FreeDays: 2, PerDay: 50, Cap: 10})
		all := yearOf(0)
		begin := litresAt(0, cityTime("2026-01-01 00:00"))
		used := func(t time.Time) int64 { return litresAt(0, t) - begin }
		old, fresh := [2]int64{20_700, 40_700}, [2]int64{22_700, 42_700}
		var total, paid schemas.Fen
		var orders []string
		for m := billMonth("2026-01"); m <= billMonth("2026-12"); m++ {
			c.now = (m + 1).Start(shanghai).Add(34 * time.Hour) // the 2nd, 10:00
			s, list := mustBill(t, b, m.String(), all)
			if s.Made != 1 || len(s.Files) != 1 || list[0].Bill == nil {
				t.Fatalf("%s: %+v %+v", m, s, list)
			}
			r := list[0].Bill
			from, to := used(m.Start(shanghai)), used((m + 1).Start(shanghai))
			want := chargeOf(from, to, old)
			switch change := used(cityTime("2026-05-15 00:00")); {
			case m == billMonth("2026-05"):
				want = chargeOf(from, change, old) + chargeOf(change, to, fresh)
				if len(r.Registers) != 3 || len(r.Parts) != 2 {
					t.Errorf("May has %d registers and %d parts", len(r.Registers), len(r.Parts))
				}
			case m > billMonth("2026-05"):
				want = chargeOf(from, to, fresh)
			}
			if r.Total != want || r.Use != to-from || r.Customer != "C-REG" || r.Due != r.Day+15 {
				t.Errorf("%s: %s for %d, want %s for %d; %+v", m, r.Total, r.Use, want, to-from, r)
			}
			if m < billMonth("2026-12") && r.Position != to {
				t.Errorf("%s: position %d, want %d", m, r.Position, to)
			}
			total += r.Amount
			orders = append(orders, r.Order)
			amount := r.Amount
			switch m {
			case billMonth("2026-03"): // never paid
				continue
			case billMonth("2026-02"):
				amount += 100
			case billMonth("2026-04"): // 10 days late
				settleBank(t, b, "2026-05-27", ledger.Payment{Order: r.Order, Amount: amount})
				paid += amount
				continue
			}
			settleBank(t, b, (r.Day + 3).String(), ledger.Payment{Order: r.Order, Amount: amount})
			paid += amount
		}
		if orders[0] != "B202601-W-0000000-20250601" {
			t.Errorf("order %s", orders[0])
		}
		checkFees(t, b)
		checkYear(t, b, total, paid)

		again, _ := mustBill(t, b, "2026-07", memory{})
		if again.Repeated != 1 || again.Made != 0 {
			t.Errorf("July again: %+v", again)
		}
		list, err := b.Bills(ctx, BillFilter{Month: billMonth("2026-03")})
		if err != nil || len(list) != 1 || list[0].Item.Open != list[0].Amount || list[0].Item.Late == 0 {
			t.Errorf("March: %+v, %v", list, err)
		}
	})
}

// checkFees compares the late fees that bills claimed with a sum day by day.
func checkFees(t *testing.T, b *Books) {
	t.Helper()
	list, err := b.Bills(context.Background(), BillFilter{})
	must(t, err)
	claimed := make(map[string]schemas.Fen)
	var last *BillStand
	for n := range list {
		if last == nil || list[n].Day > last.Day {
			last = &list[n]
		}
		for _, f := range list[n].Fees {
			claimed[f.Order] += f.Amount
		}
	}
	for n := range list {
		r := &list[n]
		var days int64
		for d := r.Due + 3; d <= last.Day-2; d++ {
			open := int64(r.Total)
			if r.Month == billMonth("2026-04") && d >= billDay("2026-05-27") || r.Month != billMonth("2026-03") && r.Month != billMonth("2026-04") {
				open = 0
			}
			days += open
		}
		want := min(schemas.Fen((days*50+50_000)/100_000), r.Total/10)
		if claimed[r.Order] != want {
			t.Errorf("%s: late fees of %s, want %s", r.Month, claimed[r.Order], want)
		}
	}
	if claimed["B202603-W-0000000-20250601"] == 0 || claimed["B202604-W-0000000-20250601"] == 0 {
		t.Errorf("no late fees at all: %v", claimed)
	}
}

// checkYear compares the statement, and what reconciliation sees.
func checkYear(t *testing.T, b *Books, total, paid schemas.Fen) {
	t.Helper()
	ctx := context.Background()
	states, err := b.StateAccounts(ctx, meterOf(0), billDay("2026-01-01"), billDay("2027-01-31"))
	must(t, err)
	if s := states[0]; s.Billed != total || s.Paid != paid || s.Closing != total-paid || len(s.Rows) != 23 || len(s.Items) != 2 {
		t.Errorf("statement %+v; want billed %s, paid %s", s, total, paid)
	}
	if _, err := b.StateAccounts(ctx, "W-9", 1, 2); !errors.Is(err, ErrUnknown) {
		t.Errorf("statement of nobody: %v", err)
	}
	march, err := b.Bills(ctx, BillFilter{Month: billMonth("2026-03")})
	must(t, err)
	run := func(from, to ledger.Day) map[ledger.Class]DifferenceRecord {
		_, err := b.Run(ctx, schemas.Water, reconcile.Span{From: from, To: to}, "zhang", nil)
		must(t, err)
		list, _, err := b.Differences(ctx, DifferenceFilter{})
		must(t, err)
		out := make(map[ledger.Class]DifferenceRecord)
		for _, d := range list {
			if d.Class != ledger.Stale { // no card is used here
				out[d.Class] = d
			}
		}
		return out
	}
	cut := march[0].Due + 1
	if got := run(billDay("2026-01-01"), cut); len(got) != 1 || got[ledger.AmountDiff].Amount != 100 {
		t.Errorf("the day before the cut-off: %+v, want only the overpaid bill", got)
	}
	got := run(cut+1, cut+1)
	if d := got[ledger.SaleNoPay]; len(got) != 2 || d.Order != march[0].Order || d.Amount != march[0].Amount || d.Day != march[0].Due || d.Meter != meterOf(0) {
		t.Errorf("after the cut-off: %+v, want SALE_NO_PAY of %s", got, march[0].Order)
	}
}

// TestMissingBoundary leaves out who lacks a register, says which, and bills the use
// with the next month.
func TestMissingBoundary(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		b, c := creditBooks(t, dsn, 4, nil)
		c.now = cityTime("2026-02-02 10:00")
		feb := cityTime("2026-02-01 00:00")
		all := memory{}
		for i := range 4 {
			for _, r := range yearOf(i) {
				if i != 1 || !r.TakenAt.Equal(feb) {
					all = append(all, r)
				}
			}
		}
		for n := range all {
			if all[n].TakenAt.Equal(feb) {
				switch all[n].Meter {
				case meterOf(2):
					all[n].TakenAt = feb.Add(16 * time.Minute)
				case meterOf(3):
					all[n].Quality, all[n].Reason = schemas.Suspect, schemas.ReasonJump
				}
			}
		}
		s, list := mustBill(t, b, "2026-01", all)
		if s.Made != 1 || s.Missing != 3 || list[0].State != BillMade || list[1].State != BillMissing || !slices.Equal(list[1].Missing, []time.Time{feb}) ||
			!strings.Contains(list[1].Why, "2026-02-01 00:00:00") || !strings.Contains(list[3].Why, "no good one") {
			t.Fatalf("%+v\n%+v", s, list)
		}
		c.now = cityTime("2026-03-02 10:00")
		s, list = mustBill(t, b, "2026-02", all)
		if s.Made != 4 || list[1].Bill.Begin() != cityTime("2026-01-01 00:00") || list[1].Bill.Use != litresAt(1, cityTime("2026-03-01 00:00"))-litresAt(1, cityTime("2026-01-01 00:00")) {
			t.Fatalf("%+v\n%+v", s, list)
		}
		if s, list = mustBill(t, b, "2026-01", all); s.Repeated != 1 || s.NotInUse != 3 || !strings.Contains(list[1].Why, "billed already") {
			t.Errorf("January after February: %+v %+v", s, list[1])
		}
		c.now = cityTime("2026-05-02 10:00")
		if s, list = mustBill(t, b, "2026-04", all); s.Refused != 4 || !strings.Contains(list[0].Why, "2026-03 is not billed yet") {
			t.Errorf("April before March: %+v %+v", s, list[0])
		}
	})
}

// TestBillsOverASwap: a swap inside a month makes two bills, each inside its
// installation, and an account taken over in the year counts its steps from January.
func TestBillsOverASwap(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx := context.Background()
		b, c := creditBooks(t, dsn, 1, nil)
		swap := cityTime("2026-03-12 09:30")
		must(t, b.StoreRegister(ctx, []ledger.Place{{Meter: meterOf(0), Utility: schemas.Water, Purse: schemas.CreditFen, Plan: "home", Readout: ledger.Remote,
			Installations: []ledger.Installation{{From: cityTime("2025-06-01 00:00"), To: swap, MeterNumber: numberOf(0)}, {From: swap, MeterNumber: numberOf(8)}}}}))
		first, second := contractOf(0, nil), contractOf(0, nil)
		first.From, first.Begin, second.From, second.Begin = cityTime("2025-06-01 00:00"), cityTime("2026-03-01 00:00"), swap, time.Time{}
		_, err := b.StoreAccounts(ctx, []billing.Contract{first, second}, "li")
		must(t, err)
		all := memory{read(meterOf(0), forward, 500_000, cityTime("2026-01-01 00:00")), read(meterOf(0), forward, 679_000, cityTime("2026-03-01 00:07")),
			read(meterOf(0), forward, 684_000, swap.Add(-5*time.Minute)), read(meterOf(0), forward, 3_000, swap.Add(5*time.Minute)),
			read(meterOf(0), forward, 10_000, cityTime("2026-03-31 23:56"))}
		c.now = cityTime("2026-04-02 10:00")
		s, list := mustBill(t, b, "2026-03", all)
		if s.Made != 2 {
			t.Fatalf("%+v %+v", s, list)
		}
		one, two := list[0].Bill, list[1].Bill
		if one.Use != 5_000 || one.Position != 184_000 || one.Total != 207+1628 || one.Base == nil || one.Base.Total != 500_000 || one.End() != swap {
			t.Errorf("the old meter: %+v", one)
		}
		if two.Use != 7_000 || two.Position != 7_000 || two.Begin() != swap || two.MeterNumber != numberOf(8) || two.Order != "B202603-W-0000000-20260312T093000" {
			t.Errorf("the new meter: %+v", two)
		}
		if two.Registers[0].Taken != swap.Add(5*time.Minute) || two.Registers[0].At != swap {
			t.Errorf("the first register of the new meter %+v", two.Registers[0])
		}
		c.now = cityTime("2026-05-02 10:00")
		if s, list = mustBill(t, b, "2026-04", append(all, read(meterOf(0), forward, 11_500, cityTime("2026-05-01 00:00")))); s.Made != 1 || s.NotInUse != 1 || list[1].Bill.Use != 1_500 {
			t.Errorf("the month after: %+v %+v", s, list)
		}
	})
}

const ratePlan = `plans:
  - id: tou
    utility: power
    reset: monthly
    rounding: half-up-per-line
    versions:
      - {from: 2020-01-01, rates: ["1.00", "0.50"], steps: [{}, {above: "10", add: "0.10"}]}
`

// TestBillsByRate: the registers by rate are billed, also where the main counter
// differs from their sum by the digit that each of them cuts off.
func TestBillsByRate(t *testing.T) {
	ctx, o := context.Background(), testOptions()
	b, err := Open(ctx, "sqlite:"+t.TempDir()+"/b.db", o)
	must(t, err)
	defer b.Close()
	must(t, b.StoreTariffs(ctx, "tou", []byte(ratePlan), "zhang"))
	must(t, b.StoreRegister(ctx, []ledger.Place{{Meter: "P-1", Utility: schemas.Power, Purse: schemas.CreditFen, Plan: "tou", Readout: ledger.Remote,
		Installations: []ledger.Installation{{From: cityTime("2026-08-01 00:00")}}}}))
	a := contractOf(0, nil)
	a.Meter, a.Utility, a.Begin = "P-1", schemas.Power, cityTime("2026-09-01 00:00")
	_, err = b.StoreAccounts(ctx, []billing.Contract{a}, "li")
	must(t, err)
	var all memory
	for _, r := range []struct {
		at            string
		total, t1, t2 int64
	}{{"2026-09-01 00:00", 100_010, 60_000, 40_000}, {"2026-10-01 00:00", 115_020, 68_000, 47_000}, {"2026-11-01 00:00", 116_020, 68_500, 47_510}} {
		all = append(all, read("P-1", "power.energy.import", r.total, cityTime(r.at)), read("P-1", "power.energy.import.t1", r.t1, cityTime(r.at)),
			read("P-1", "power.energy.import.t2", r.t2, cityTime(r.at).Add(20*time.Second)))
	}
	for _, c := range []struct {
		month string
		total schemas.Fen
		use   int64
	}{{"2026-09", 800 + 350 + 50, 15_000}, {"2026-10", 50 + 26, 1_010}} { // 25.5 fen go up
		var got *billing.Record
		_, err := b.MakeBills(ctx, Billing{Utility: schemas.Power, Month: billMonth(c.month), By: "li"}, all, func(o *BillOutcome) error {
			if o.State != BillMade {
				t.Fatalf("%+v", o)
			}
			got = o.Bill
			return nil
		}, nil)
		if err != nil || got.Total != c.total || got.Use != c.use || got.Position != 0 {
			t.Errorf("%s: %+v, %v; want %s for %d", c.month, got, err, c.total, c.use)
		}
	}
}

// TestGasKeepsItsRegister: a bill never mixes two counters of a meter.
func TestGasKeepsItsRegister(t *testing.T) {
	near := make(readings)
	at := cityTime("2026-02-01 00:00")
	for _, r := range []schemas.Reading{read("G-1", "gas.volume.standard", 90, at), read("G-1", "gas.volume.total", 100, at)} {
		near.add(&r)
	}
	for quantity, want := range map[schemas.Quantity]int64{"": 90, "gas.volume.total": 100} {
		d := &draft{row: &accountRow{}, quantity: quantity, asked: map[time.Time]*answer{at: {}}, c: billing.Contract{Account: billing.Account{Meter: "G-1", Utility: schemas.Gas}}}
		d.answer(near, time.Minute)
		if a := d.asked[at]; !a.ok || a.Total != want {
			t.Errorf("after %q: %+v", quantity, a)
		}
	}
}

// TestBillFilesAreReadBack: the bytes in the books are a file that intake reads as
// the very rows.
func TestBillFilesAreReadBack(t *testing.T) {
	ctx := context.Background()
	b, c := creditBooks(t, "sqlite:"+t.TempDir()+"/b.db", 3, nil)
	c.now = cityTime("2026-02-02 10:00")
	all := slices.Concat(yearOf(0), yearOf(1))
	all = append(all, read(meterOf(2), forward, 7, cityTime("2026-01-01 00:00")), read(meterOf(2), forward, 7, cityTime("2026-02-01 00:00")))
	s, list := mustBill(t, b, "2026-01", all)
	if s.Made != 3 || len(s.Files) != 1 || s.Files[0].Rows != 2 || s.Files[0].Number != firstBillFile || s.Files[0].Debit != s.Amount || list[2].Bill.Import != 0 {
		t.Fatalf("%+v", s)
	}
	raw, err := b.Raw(ctx, s.Files[0].ID)
	must(t, err)
	m, err := intake.Named("citygrid")
	must(t, err)
	f, err := intake.Read(ctx, bytes.NewReader(raw), m, intake.Options{Zone: shanghai, Now: time.Now})
	must(t, err)
	for n, sale := range f.Sales {
		want, _ := list[n].Bill.Sale()
		want.From = time.Time{} // a file names the meter
		if sale != want {
			t.Errorf("row %d: %+v, want %+v", n, sale, want)
		}
	}
}
