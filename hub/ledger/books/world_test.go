package books

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/reconcile"
	"citygrid/internal/gm"
	"citygrid/internal/pgtest"
	"citygrid/schemas"
)

// postgres starts one server for the tests of this package, when the first asks.
var postgres = sync.OnceValues(pgtest.Start)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Getenv(childEnv) != "" {
		os.Exit(beChild())
	}
	code := m.Run()
	if s, err := postgres(); err == nil {
		if err := s.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// engines runs test once for each database, with the address of empty books.
func engines(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, "sqlite:"+filepath.Join(t.TempDir(), "books.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, pgtest.Need(t, postgres)) })
}

var shanghai = time.FixedZone("CST", 8*3600)

// start is the day before the month of the tests.
const start = ledger.Day(20_000)

func testOptions() Options {
	rules := reconcile.DefaultRules(ledger.Calendar{Zone: shanghai})
	rules.Begin = start
	return Options{Rules: rules, Now: func() time.Time { return time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC) }}
}

func mustOpen(tb testing.TB, dsn string) *Books {
	tb.Helper()
	return mustOpenWith(tb, dsn, testOptions())
}

func mustOpenWith(tb testing.TB, dsn string, o Options) *Books {
	tb.Helper()
	b, err := Open(context.Background(), dsn, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := b.Close(); err != nil {
			tb.Error(err)
		}
	})
	return b
}

const plan = `plans:
  - id: flat
    utility: water
    reset: yearly
    rounding: half-up-per-line
    versions:
      - {from: 2020-01-01, price: "2.00"}
`

// world is n water meters: each bought once before the books began and shows so on
// the day before the month; in the month it buys 50.00 on the card, loads it, uses
// 1,000 litres for 2.00 and shows the rest.
type world struct{ n int }

func meterOf(i int) schemas.MeterID { return schemas.MeterID(fmt.Sprintf("W-%07d", i)) }
func numberOf(i int) string         { return fmt.Sprintf("%012d", i+1) }
func cardOf(i int) schemas.CardID   { return schemas.CardID(fmt.Sprintf("%016X", i+1)) }

// at is a moment of a day, in the city's day time.
func at(day ledger.Day, hour int) time.Time {
	return ledger.Calendar{Zone: shanghai}.Start(day).Add(time.Duration(hour) * time.Hour)
}

// buys is the day of the month on which meter i is charged.
func (w world) buys(i int) ledger.Day { return start + 1 + ledger.Day(i%28) }

func (w world) place(i int) ledger.Place {
	return ledger.Place{Meter: meterOf(i), Utility: schemas.Water, Purse: schemas.CreditFen, Plan: "flat", Readout: ledger.ByCard,
		Installations: []ledger.Installation{{From: at(start, 0), MeterNumber: numberOf(i), Customer: schemas.CustomerID(fmt.Sprintf("C%d", i))}}}
}

func fen(n int64) schemas.Credit   { return schemas.Credit{Value: n, Unit: schemas.CreditFen} }
func litre(n int64) schemas.Credit { return schemas.Credit{Value: n, Unit: schemas.CreditLitre} }

func purchase(n uint32) schemas.PurchaseRef {
	return schemas.PurchaseRef{Scheme: schemas.BySequence, Number: n}
}

// opening is the state of meter i before the month.
func (w world) opening(i int) schemas.CardEntry {
	return schemas.CardEntry{Event: schemas.CardState, Source: schemas.FromModbus, Utility: schemas.Water, Meter: meterOf(i), Residual: fen(1000),
		Overdraft: fen(0), Bought: fen(0), Used: litre(0), Purchase: purchase(0), TakenAt: at(start, 8)}
}

// month are the entries of meter i in the month: written at the counter, where only
// the number on the plate is known, loaded, and shown three hours later.
func (w world) month(i int) []schemas.CardEntry {
	d := w.buys(i)
	return []schemas.CardEntry{
		{Event: schemas.CardSale, Source: schemas.FromReader, Utility: schemas.Water, MeterNumber: numberOf(i), Card: cardOf(i), Amount: fen(5000),
			Purchase: purchase(1), TakenAt: at(d, 9), Terminal: "t1"},
		{Event: schemas.CardLoad, Source: schemas.FromModbus, Utility: schemas.Water, Meter: meterOf(i), Amount: fen(5000), Purchase: purchase(1),
			TakenAt: at(d, 11), RecordedAt: at(d, 10)},
		{Event: schemas.CardState, Source: schemas.FromModbus, Utility: schemas.Water, Meter: meterOf(i), Residual: fen(5800), Overdraft: fen(0),
			Bought: fen(5000), Used: litre(1000), Purchase: purchase(1), TakenAt: at(d, 12)},
	}
}

func (w world) sale(i int) ledger.Sale {
	return ledger.Sale{Channel: "counter", Order: fmt.Sprintf("O%09d", i), Kind: ledger.Purchase, Utility: schemas.Water, MeterNumber: numberOf(i),
		Card: cardOf(i), Purchase: purchase(1), Amount: 5000, Day: w.buys(i), At: at(w.buys(i), 9)}
}

func (w world) payment(i int) ledger.Payment {
	return ledger.Payment{Channel: "counter", Order: fmt.Sprintf("O%09d", i), Amount: 5000, Day: w.buys(i), At: at(w.buys(i), 9)}
}

func (w world) file(content ledger.Content, day ledger.Day) *ledger.File {
	f := &ledger.File{FileID: ledger.FileID{Content: content, Utility: schemas.Water, Channel: "counter", Day: day, Number: 1}, Name: "f", Mapping: "own 1",
		Raw: fmt.Appendf(nil, "%s of %s", content, day), By: "zhang", At: at(day, 30)}
	h := gm.NewSM3()
	h.Write(f.Raw)
	copy(f.Digest[:], h.Sum(nil))
	for i := range w.n {
		if w.buys(i) != day {
			continue
		}
		if content == ledger.SalesFile {
			f.Sales = append(f.Sales, w.sale(i))
		} else {
			f.Payments = append(f.Payments, w.payment(i))
		}
	}
	return f
}

// begin stores the register, the tariff and the openings, and makes the first run.
func (w world) begin(tb testing.TB, b *Books) {
	tb.Helper()
	ctx := context.Background()
	must(tb, b.StoreTariffs(ctx, "tariffs", []byte(plan), "zhang"))
	const part = 10_000
	for from := 0; from < w.n; from += part {
		var places []ledger.Place
		var entries []schemas.CardEntry
		for i := from; i < min(from+part, w.n); i++ {
			places = append(places, w.place(i))
			entries = append(entries, w.opening(i))
		}
		must(tb, b.StoreRegister(ctx, places))
		must(tb, b.StoreCards(ctx, "edge-1", entries))
	}
	w.run(tb, b, start, start)
}

// fill stores the month.
func (w world) fill(tb testing.TB, b *Books) {
	tb.Helper()
	ctx := context.Background()
	const part = 5_000
	for from := 0; from < w.n; from += part {
		var entries []schemas.CardEntry
		for i := from; i < min(from+part, w.n); i++ {
			entries = append(entries, w.month(i)...)
		}
		must(tb, b.StoreCards(ctx, "edge-1", entries))
	}
	for d := start + 1; d <= start+28; d++ {
		for _, content := range []ledger.Content{ledger.SalesFile, ledger.PaymentsFile} {
			if _, err := b.StoreFile(ctx, w.file(content, d)); err != nil {
				tb.Fatal(err)
			}
		}
	}
}

func (w world) run(tb testing.TB, b *Books, from, to ledger.Day) RunSummary {
	tb.Helper()
	s, err := b.Run(context.Background(), schemas.Water, reconcile.Span{From: from, To: to}, "zhang", nil)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
