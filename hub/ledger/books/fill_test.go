package books

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/reconcile"
	"citygrid/schemas"
)

// memory is readings without a store.
type memory []schemas.Reading

// Registers gives out what was asked for and nothing else.
func (m memory) Registers(_ context.Context, meters []schemas.MeterID, quantities []schemas.Quantity, from, to time.Time, fn func(schemas.Reading) error) error {
	for _, r := range m {
		if slices.Contains(meters, r.Meter) && slices.Contains(quantities, r.Quantity) && !r.TakenAt.Before(from) && !r.TakenAt.After(to) {
			if err := fn(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func read(meter schemas.MeterID, q schemas.Quantity, value int64, at time.Time) schemas.Reading {
	return schemas.Reading{Meter: meter, Quantity: q, Value: schemas.Decimal{Mantissa: value, Exponent: -3}, TakenAt: at}
}

const forward = schemas.Quantity("water.volume.forward")

// silent is the month of meter i with states that do not tell the use.
func (w world) silent(i int) []schemas.CardEntry {
	list := w.month(i)
	list[2].Used = schemas.Credit{}
	return list
}

// read are the readings of the month of meter i: what its state does not tell.
func (w world) read(i int) schemas.Reading {
	return read(meterOf(i), forward, 1000, at(w.buys(i), 12).Add(-4*time.Minute))
}

// silentMonth stores the month without use.
func (w world) silentMonth(tb testing.TB, b *Books) {
	tb.Helper()
	for i := range w.n {
		must(tb, b.StoreCards(context.Background(), "edge-1", w.silent(i)))
	}
	for _, content := range []ledger.Content{ledger.SalesFile, ledger.PaymentsFile} {
		for d := start + 1; d <= start+28; d++ {
			_, err := b.StoreFile(context.Background(), w.file(content, d))
			must(tb, err)
		}
	}
}

func mustFill(tb testing.TB, b *Books, to ledger.Day, from Registers) FillSummary {
	tb.Helper()
	s, err := b.FillUse(context.Background(), schemas.Water, reconcile.Span{From: start + 1, To: to}, from, nil)
	must(tb, err)
	return s
}

// filledUse counts entries with a filled use.
func filledUse(tb testing.TB, b *Books) (n int) {
	tb.Helper()
	must(tb, b.read.NewRaw("SELECT COUNT(*) FROM card_entries WHERE reg_used = 1000").Scan(context.Background(), &n))
	return n
}

// TestFilledUseIsCompared fills what states do not tell; one meter has used water
// that its purse was not charged for.
func TestFilledUseIsCompared(t *testing.T) {
	var digests []string
	engines(t, func(t *testing.T, dsn string) {
		b, w := mustOpen(t, dsn), world{n: 30}
		w.begin(t, b)
		w.silentMonth(t, b)
		var all memory
		for i := range w.n {
			all = append(all, w.read(i))
		}
		all[3].Value = schemas.Decimal{Mantissa: 21, Exponent: 0} // 20 m³ more, 40.00 yuan
		all[5].Quality, all[5].Reason = schemas.Suspect, schemas.ReasonJump
		all[6].TakenAt = all[6].TakenAt.Add(-12 * time.Minute) // 16 minutes before
		if s := mustFill(t, b, start+30, all[:10]); s != (FillSummary{Asked: 30, Filled: 8, Missing: 22}) {
			t.Errorf("first filling: %+v", s)
		}
		if s := mustFill(t, b, start+30, all); s != (FillSummary{Asked: 22, Filled: 20, Missing: 2}) {
			t.Errorf("second filling: %+v", s)
		}
		once := dump(t, b)
		if s := mustFill(t, b, start+30, all); s != (FillSummary{Asked: 2, Missing: 2}) {
			t.Errorf("third filling: %+v", s)
		}
		sameDump(t, dump(t, b), once)

		s := w.run(t, b, start+1, start+30)
		list, _, err := b.Differences(context.Background(), DifferenceFilter{})
		must(t, err)
		if len(list) != 1 || list[0].Class != ledger.ResidualDrift || list[0].Meter != meterOf(3) || list[0].Amount != 4000 || list[0].Utility != schemas.Water {
			t.Errorf("differences %+v, want RESIDUAL_DRIFT of 40.00 at the fourth meter", list)
		}
		events, err := b.Difference(context.Background(), list[0].Key)
		must(t, err)
		if !slices.ContainsFunc(events.Events, func(e Event) bool { return e.Entry != nil && e.Entry.Used == litre(21_000) }) {
			t.Error("the timeline does not show the filled use")
		}
		digests = append(digests, s.Inputs["entries"])
	})
	if len(digests) == 2 && digests[0] != digests[1] {
		t.Errorf("digests of entries differ: %v", digests)
	}
}

// TestDigestCoversWhatWasFilled makes the same run over entries with and without
// registers.
func TestDigestCoversWhatWasFilled(t *testing.T) {
	seen := make(map[string]string)
	for name, all := range map[string]memory{"none": nil, "1000": {world{n: 1}.read(0)}, "999": {read(meterOf(0), forward, 999, at(start+1, 12))}} {
		b, w := mustOpen(t, "sqlite:"+t.TempDir()+"/b.db"), world{n: 1}
		w.begin(t, b)
		w.silentMonth(t, b)
		mustFill(t, b, start+30, all)
		digest := w.run(t, b, start+1, start+30).Inputs["entries"]
		if other := seen[digest]; other != "" {
			t.Errorf("%s and %s have one digest", name, other)
		}
		seen[digest] = name
	}
}

// TestEntriesThatARunTookStay fills after runs, and after runs that were set aside.
func TestEntriesThatARunTookStay(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		b, w := mustOpen(t, dsn), world{n: 28}
		w.begin(t, b)
		w.silentMonth(t, b)
		var all memory
		for i := range w.n {
			all = append(all, w.read(i))
		}
		w.run(t, b, start+1, start+10)
		w.run(t, b, start+11, start+20)
		if s := mustFill(t, b, start+19, all); s.Asked != 0 || filledUse(t, b) != 0 {
			t.Errorf("entries of runs were filled: %+v", s)
		}
		_, err := b.setAside(context.Background(), schemas.Water, reconcile.Span{From: start + 11, To: start + 11})
		must(t, err)
		if s := mustFill(t, b, start+22, all); s.Filled != 2 || filledUse(t, b) != 2 {
			t.Errorf("%+v, want the two days that no run ever took", s)
		}
		// What arrives late belongs to the next run and is filled for it.
		late := world{n: 1}.silent(0)[2:]
		late[0].TakenAt = at(start+3, 15)
		late[0].Residual = fen(5800)
		must(t, b.StoreCards(context.Background(), "edge-1", late))
		all = append(all, read(meterOf(0), forward, 1000, at(start+3, 15)))
		s, err := b.FillUse(context.Background(), schemas.Water, reconcile.Span{From: start + 11, To: start + 22}, all, nil)
		if err != nil || s.Filled != 1 || filledUse(t, b) != 3 {
			t.Errorf("a late entry: %+v, %v", s, err)
		}
	})
}

// hook lets a Registers do something first.
type hook struct {
	memory
	first func()
}

// Registers calls first.
func (h *hook) Registers(ctx context.Context, meters []schemas.MeterID, q []schemas.Quantity, from, to time.Time, fn func(schemas.Reading) error) error {
	h.first()
	return h.memory.Registers(ctx, meters, q, from, to, fn)
}

// TestFillingAndRunBesideEachOther: a run does not keep what it read before a
// filling, and a filling does not write what a run has taken meanwhile.
func TestFillingAndRunBesideEachOther(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		b, slow, w := mustOpen(t, dsn), mustOpen(t, dsn), world{n: 3}
		w.begin(t, b)
		w.silentMonth(t, b)
		ctx, span := context.Background(), reconcile.Span{From: start + 1, To: start + 30}
		var between map[string]string
		_, err := slow.Run(ctx, schemas.Water, span, "li", func(Progress) {
			if between == nil {
				mustFill(t, b, start+1, memory{w.read(0)})
				between = dump(t, b)
			}
		})
		if !errors.Is(err, ErrFilling) {
			t.Errorf("the run beside a filling: %v", err)
		}
		sameDump(t, dump(t, b), between)

		_, err = slow.FillUse(ctx, schemas.Water, span, &hook{memory{w.read(1)}, func() {
			w.run(t, b, start+1, start+30)
			between = dump(t, b)
		}}, nil)
		if !errors.Is(err, ErrOvertaken) {
			t.Errorf("the filling beside a run: %v", err)
		}
		sameDump(t, dump(t, b), between)
	})
}

func TestFillRefuses(t *testing.T) {
	b, w := mustOpen(t, "sqlite:"+t.TempDir()+"/b.db"), world{n: 1}
	w.begin(t, b)
	w.silentMonth(t, b)
	span := reconcile.Span{From: start + 1, To: start + 30}
	if _, err := b.FillUse(context.Background(), "steam", span, memory{}, nil); err == nil || !strings.Contains(err.Error(), "no utility") {
		t.Errorf("a utility that there is not: %v", err)
	}
	away := errors.New("the store is away")
	_, err := b.FillUse(context.Background(), schemas.Water, span, failing{away}, nil)
	if !errors.Is(err, away) || filledUse(t, b) != 0 {
		t.Errorf("without the store: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	_, err = b.FillUse(ctx, schemas.Water, span, &hook{memory{w.read(0)}, cancel}, nil)
	if !errors.Is(err, context.Canceled) || filledUse(t, b) != 0 {
		t.Errorf("cancelled: %v", err)
	}
}

type failing struct{ err error }

// Registers fails.
func (f failing) Registers(context.Context, []schemas.MeterID, []schemas.Quantity, time.Time, time.Time, func(schemas.Reading) error) error {
	return f.err
}

// TestFillKilledAndRepeated kills a filling at random moments, then lets it end.
func TestFillKilledAndRepeated(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		chance := rand.New(rand.NewPCG(seed, 1))
		quiet, victim := mustOpen(t, another(t, dsn)), mustOpen(t, dsn)
		for _, b := range []*Books{quiet, victim} {
			killed.begin(t, b)
			var all []schemas.CardEntry
			for i := range killed.n {
				all = append(all, killed.silent(i)...)
			}
			must(t, b.StoreCards(context.Background(), "edge-1", all))
		}
		begun := time.Now()
		must(t, work1(quiet, "fill"))
		whole := time.Since(begun)
		for range 6 {
			killAfter(t, "fill", dsn, time.Duration(chance.Int64N(int64(whole))))
		}
		must(t, work1(victim, "fill"))
		if n := filledUse(t, victim); n != killed.n {
			t.Errorf("%d entries are filled, want %d", n, killed.n)
		}
		got, want := dump(t, victim), dump(t, quiet)
		got["counters"] = want["counters"] // those of fillings count tries
		sameDump(t, got, want)
	})
}

// generated are the readings of the world that is killed.
type generated struct{}

// Registers makes the readings of the meters that are asked for.
func (generated) Registers(ctx context.Context, meters []schemas.MeterID, q []schemas.Quantity, from, to time.Time, fn func(schemas.Reading) error) error {
	for _, m := range meters {
		var i int
		if _, err := fmt.Sscanf(string(m), "W-%d", &i); err != nil {
			return err
		}
		one := memory{killed.read(i)}
		if err := one.Registers(ctx, []schemas.MeterID{m}, q, from, to, fn); err != nil {
			return err
		}
	}
	return nil
}

// TestBillsKeepTheirDay stores a bill (先用后付), and finds it unpaid.
func TestBillsKeepTheirDay(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx, b, w := context.Background(), mustOpen(t, dsn), world{n: 1}
		w.begin(t, b)
		f := w.file(ledger.SalesFile, start+2)
		bill := ledger.Sale{Channel: "counter", Order: "B1", Kind: ledger.Bill, Utility: schemas.Water, MeterNumber: numberOf(0), Amount: 7700,
			Day: start + 2, Due: start + 12, At: at(start+2, 9)}
		stray := bill
		stray.Order, stray.MeterNumber = "B2", "999999999999"
		f.Sales = []ledger.Sale{bill, stray}
		_, err := b.StoreFile(ctx, f)
		must(t, err)
		if list, _, err := b.UnresolvedSales(ctx, Page{}); err != nil || len(list) != 1 || list[0].Due != start+12 {
			t.Errorf("unresolved %+v, %v", list, err)
		}
		w.run(t, b, start+1, start+13)
		if _, n, err := b.Differences(ctx, DifferenceFilter{}); err != nil || n != 0 {
			t.Errorf("%d differences before the bill is overdue (%v)", n, err)
		}
		w.run(t, b, start+14, start+14)
		list, _, err := b.Differences(ctx, DifferenceFilter{})
		must(t, err)
		if len(list) != 2 || list[0].Class != ledger.SaleNoPay || list[0].Day != start+12 || list[0].Amount != 7700 || list[0].Utility != schemas.Water {
			t.Errorf("differences %+v, want SALE_NO_PAY of the bill's last day, water", list)
		}
	})
}

const touPlan = `plans:
  - id: tou
    utility: power
    reset: yearly
    rounding: half-up-per-line
    versions:
      - {from: 2020-01-01, rates: ["1.00", "0.50"]}
`

// TestHalfFilledEntriesAreCompleted finds the main counter first and the counters by
// rate later: what was filled stays.
func TestHalfFilledEntriesAreCompleted(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx, b := context.Background(), mustOpen(t, dsn)
		must(t, b.StoreTariffs(ctx, "tou", []byte(touPlan), "zhang"))
		must(t, b.StoreRegister(ctx, []ledger.Place{{Meter: "P-1", Utility: schemas.Power, Purse: schemas.CreditFen, Plan: "tou", Readout: ledger.Remote,
			Installations: []ledger.Installation{{From: at(start, 0), MeterNumber: numberOf(0)}}}}))
		state := schemas.CardEntry{Event: schemas.CardState, Source: schemas.FromDLT645, Utility: schemas.Power, Meter: "P-1", Residual: fen(1000), TakenAt: at(start, 9)}
		must(t, b.StoreCards(ctx, "edge-1", []schemas.CardEntry{state}))
		total := read("P-1", "power.energy.import", 70, at(start, 9))
		t1, t2 := read("P-1", "power.energy.import.t1", 40, at(start, 9)), read("P-1", "power.energy.import.t2", 30, at(start, 9))
		other := read("P-1", "power.energy.import", 99, at(start, 9))
		span := reconcile.Span{From: start, To: start}
		for n, step := range []struct {
			from memory
			want FillSummary
			row  string
		}{
			{memory{total, t1}, FillSummary{Asked: 1, Missing: 1}, "70 -1 -1 -1"},
			{memory{other, t1, t2}, FillSummary{Asked: 1, Filled: 1}, "70 40 30 -1"},
			{memory{other}, FillSummary{}, "70 40 30 -1"},
		} {
			s, err := b.FillUse(ctx, schemas.Power, span, step.from, nil)
			var reg registers
			must(t, b.read.QueryRow("SELECT "+registerStream+" FROM card_entries").Scan(&reg[0], &reg[1], &reg[2], &reg[3], &reg[4]))
			if row := fmt.Sprint(reg[0], reg[1], reg[2], reg[3]); err != nil || s != step.want || row != step.row {
				t.Errorf("step %d: %+v, %v, registers %s; want %+v, %s", n, s, err, row, step.want, step.row)
			}
		}
	})
}
