package books

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/intake"
	"citygrid/hub/ledger/reconcile"
	"citygrid/schemas"
)

// tables are all tables of the books with the order in which their rows are
// compared.
var tables = []string{"counters", "places", "installations", "imports", "sales", "payments", "card_entries", "account_balances", "account_undo",
	"order_balances", "order_undo", "duplicate_marks", "refusals", "runs", "run_items", "differences", "decisions", "adjustments", "tariffs",
	"clearing_files", "clearing_answers", "clearing_details", "clearing_refused", "clearing_proofs", "accounts", "bills"}

// dump returns a digest of every table by name: of all rows as text, sorted, since
// the two databases give them in orders of their own.
func dump(tb testing.TB, b *Books) map[string]string {
	tb.Helper()
	out := make(map[string]string)
	for _, table := range tables {
		rows, err := b.write.DB.Query("SELECT * FROM " + table)
		if err != nil {
			tb.Fatal(err)
		}
		columns, err := rows.Columns()
		must(tb, err)
		var lines []string
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		must(tb, each(rows, values, func() error {
			var line strings.Builder
			for i, v := range values {
				if columns[i] != "took_ms" {
					fmt.Fprintf(&line, "%v|", *v.(*any))
				}
			}
			lines = append(lines, line.String())
			return nil
		}))
		h := sha256.New()
		// The sum of digests does not depend on the order of rows.
		var sum [32]byte
		for _, l := range lines {
			d := sha256.Sum256([]byte(l))
			for i := range sum {
				sum[i] += d[i]
			}
		}
		h.Write(sum[:])
		out[table] = fmt.Sprintf("%d rows %x", len(lines), h.Sum(nil)[:8])
	}
	return out
}

func sameDump(tb testing.TB, got, want map[string]string) {
	tb.Helper()
	for _, table := range tables {
		if got[table] != want[table] {
			tb.Errorf("table %s: %s, want %s", table, got[table], want[table])
		}
	}
}

func TestMonthFootsAndAgreesOnBothEngines(t *testing.T) {
	var digests []map[string]string
	engines(t, func(t *testing.T, dsn string) {
		b := mustOpen(t, dsn)
		w := world{n: 300}
		w.begin(t, b)
		w.fill(t, b)
		s := w.run(t, b, start+1, start+30)
		if s.Figures.Sales != 300 || s.Figures.Entries != 900 || s.Figures.Payments != 300 {
			t.Errorf("the run took %d sales, %d entries, %d payments", s.Figures.Sales, s.Figures.Entries, s.Figures.Payments)
		}
		list, total, err := b.Differences(context.Background(), DifferenceFilter{})
		must(t, err)
		if total != 0 {
			t.Errorf("%d differences in a world without any, such as %+v", total, list[0])
		}
		if got := s.Figures.Stock.Closing.Residual; got.Fen != 300*5800 || got.Count != 300 {
			t.Errorf("residuals %+v", got)
		}
		var kept int
		must(t, b.read.NewRaw("SELECT COUNT(*) FROM order_balances").Scan(context.Background(), &kept))
		if kept != 0 {
			t.Errorf("%d balances of settled orders were kept", kept)
		}
		digests = append(digests, s.Inputs)
	})
	if len(digests) == 2 && fmt.Sprint(digests[0]) != fmt.Sprint(digests[1]) {
		t.Errorf("input digests differ: %v and %v", digests[0], digests[1])
	}
}

// TestDaysComeToTheMonth runs every day alone and compares the closing figures and
// differences with one run over all.
func TestDaysComeToTheMonth(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		b := mustOpen(t, dsn)
		w := world{n: 60}
		w.begin(t, b)
		w.fill(t, b)
		w.spoil(t, b)
		for d := start + 1; d < start+30; d++ {
			w.run(t, b, d, d)
		}
		daily := w.run(t, b, start+30, start+30)
		before, n, err := b.Differences(context.Background(), DifferenceFilter{})
		must(t, err)
		if n == 0 {
			t.Fatal("no difference was found")
		}
		monthly := w.run(t, b, start+1, start+30)
		after, _, err := b.Differences(context.Background(), DifferenceFilter{})
		must(t, err)
		if monthly.Version != daily.Version+1 || monthly.Replaces != daily.ID {
			t.Errorf("the month is version %d for run %d, want %d for %d", monthly.Version, monthly.Replaces, daily.Version+1, daily.ID)
		}
		if got, want := keys(after), keys(before); got != want {
			t.Errorf("month: %s\ndays: %s", got, want)
		}
		for i := range monthly.Figures.Classes {
			if got, want := monthly.Figures.Classes[i].Closing, daily.Figures.Classes[i].Closing; got != want {
				t.Errorf("class %s closes with %+v, by days %+v", ledger.Classes()[i], got, want)
			}
		}
		if monthly.Figures.Stock.Closing != daily.Figures.Stock.Closing || monthly.Figures.Purchases.Closing != daily.Figures.Purchases.Closing {
			t.Errorf("stock %+v, by days %+v", monthly.Figures.Stock.Closing, daily.Figures.Stock.Closing)
		}
	})
}

func keys(list []DifferenceRecord) string {
	var s []string
	for _, d := range list {
		s = append(s, d.Key+" "+d.Amount.String())
	}
	return strings.Join(s, "\n")
}

// spoil adds rows that do not agree: a payment without sale, one paid twice on a
// later day, an order sold at another price, and a sale of an unknown meter.
func (w world) spoil(tb testing.TB, b *Books) {
	tb.Helper()
	f := w.file(ledger.PaymentsFile, start+5)
	f.Number, f.Raw = 2, []byte("more payments")
	f.Digest[0]++
	f.Payments = []ledger.Payment{
		{Channel: "counter", Order: "LOST", Amount: 700, Day: start + 5, At: at(start+5, 9)},
		{Channel: "counter", Order: "O000000000", Amount: 5000, Day: start + 20, At: at(start+20, 9)}, // paid on day 1 already
	}
	_, err := b.StoreFile(context.Background(), f)
	must(tb, err)
	s := w.file(ledger.SalesFile, start+6)
	s.Number, s.Raw = 2, []byte("more sales")
	s.Digest[0]++
	odd := w.sale(0)
	odd.Order, odd.MeterNumber, odd.Day, odd.At = "ODD", "999999999999", start+6, at(start+6, 9)
	s.Sales = []ledger.Sale{odd}
	done, err := b.StoreFile(context.Background(), s)
	must(tb, err)
	if done.Unresolved != 1 {
		tb.Errorf("%d rows unresolved, want 1", done.Unresolved)
	}
}

func TestRedoingTakesBackExactly(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		b := mustOpen(t, dsn)
		w := world{n: 60}
		w.begin(t, b)
		w.fill(t, b)
		w.spoil(t, b)
		w.run(t, b, start+1, start+10)
		want := dump(t, b)
		w.run(t, b, start+11, start+20)
		w.run(t, b, start+21, start+30)
		if _, err := b.setAside(context.Background(), schemas.Water, reconcile.Span{From: start + 11, To: start + 20}); err != nil {
			t.Fatal(err)
		}
		got := dump(t, b)
		for _, table := range []string{"account_balances", "account_undo", "order_balances", "order_undo", "differences", "duplicate_marks", "refusals"} {
			if got[table] != want[table] {
				t.Errorf("table %s: %s after taking back, %s before", table, got[table], want[table])
			}
		}
		_, err := b.Run(context.Background(), schemas.Water, reconcile.Span{From: start + 12, To: start + 20}, "zhang", nil)
		if err == nil || !strings.Contains(err.Error(), "begin with") {
			t.Errorf("a gap between runs: %v", err)
		}
	})
}

// TestARunThatIsOvertakenKeepsNothing makes a run between the reading and the
// writing of another.
func TestARunThatIsOvertakenKeepsNothing(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		b, w := mustOpen(t, dsn), world{n: 30}
		w.begin(t, b)
		w.fill(t, b)
		slow, first := mustOpen(t, dsn), true
		var between map[string]string
		_, err := slow.Run(context.Background(), schemas.Water, reconcile.Span{From: start + 1, To: start + 5}, "li", func(Progress) {
			if first {
				first = false
				w.run(t, b, start+1, start+5)
				between = dump(t, b)
			}
		})
		if !errors.Is(err, ErrOvertaken) {
			t.Errorf("the run that was overtaken: %v", err)
		}
		sameDump(t, dump(t, b), between)
	})
}

func TestEntriesAreStoredOnceAndPlacedLater(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx, b, w := context.Background(), mustOpen(t, dsn), world{n: 3}
		must(t, b.StoreTariffs(ctx, "tariffs", []byte(plan), "zhang"))
		var all []schemas.CardEntry
		for i := range w.n {
			all = append(append(all, w.opening(i)), w.month(i)...)
		}
		must(t, b.StoreCards(ctx, "edge-1", all))
		list, total, err := b.UnresolvedEntries(ctx, Page{})
		must(t, err)
		if total != 12 || fmt.Sprint(list[1].CardEntry) != fmt.Sprint(all[1]) {
			t.Fatalf("%d unresolved; the second is %+v, want %+v", total, list[1].CardEntry, all[1])
		}
		once := dump(t, b)
		must(t, b.StoreCards(ctx, "edge-2", all[:5]))
		sameDump(t, dump(t, b), once)

		var bad *InvalidError
		broken := append(all[:2:2], schemas.CardEntry{Event: schemas.CardLoad})
		if err := b.StoreCards(ctx, "edge-1", broken); !errors.As(err, &bad) || bad.Index != 2 || !bad.Permanent() {
			t.Errorf("an entry that is not well formed: %v", err)
		}
		sameDump(t, dump(t, b), once)

		must(t, b.StoreRegister(ctx, []ledger.Place{w.place(0), w.place(1)}))
		if _, total, err = b.UnresolvedEntries(ctx, Page{}); err != nil || total != 4 {
			t.Errorf("%d unresolved (%v), want those of the third meter", total, err)
		}
		// The same facts again, and the load told by the terminal under the number alone.
		byNumber := w.month(0)[1]
		byNumber.Meter, byNumber.MeterNumber, byNumber.Source = "", numberOf(0), schemas.FromReader
		must(t, b.StoreCards(ctx, "edge-2", append(all[:8:8], byNumber)))
		s := w.run(t, b, start, start+30)
		if s.Figures.Entries != 8 {
			t.Errorf("the run took %d entries, want 8", s.Figures.Entries)
		}
		must(t, b.StoreRegister(ctx, []ledger.Place{w.place(2)}))
		s = w.run(t, b, start+31, start+31)
		if s.Figures.Entries != 4 {
			t.Errorf("the next run took %d entries, want the 4 that were placed", s.Figures.Entries)
		}
	})
}

func TestRegisterRefusesWhatWouldLoseRows(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx, b, w := context.Background(), mustOpen(t, dsn), world{n: 1}
		w.begin(t, b)
		moved := w.place(0)
		moved.Installations[0].From = at(start, 1)
		if err := b.StoreRegister(ctx, []ledger.Place{moved}); err == nil || !strings.Contains(err.Error(), "refer to it") {
			t.Errorf("an installation with entries vanished: %v", err)
		}
		gas := w.place(0)
		gas.Utility = schemas.Gas
		if err := b.StoreRegister(ctx, []ledger.Place{gas}); err == nil || !strings.Contains(err.Error(), "another meter id") {
			t.Errorf("a place changed its utility: %v", err)
		}
		stray := w.opening(0)
		stray.Utility, stray.Used, stray.TakenAt = schemas.Gas, litre(1), at(start, 9) // a gas entry under a water meter's id
		must(t, b.StoreCards(ctx, "edge-1", []schemas.CardEntry{stray}))
		if list, total, err := b.UnresolvedEntries(ctx, Page{}); err != nil || total != 1 {
			t.Errorf("unresolved %+v (%v), want the gas entry", list, err)
		}
		// A swap: the old number ends, the new one begins.
		swapped := w.place(0)
		swapped.Installations[0].To = at(start+3, 10)
		swapped.Installations = append(swapped.Installations, ledger.Installation{From: at(start+3, 10), MeterNumber: "777777777777"})
		must(t, b.StoreRegister(ctx, []ledger.Place{swapped}))
		e := w.opening(0)
		e.Meter, e.MeterNumber, e.TakenAt = "", "777777777777", at(start+3, 9) // its clock is an hour behind
		late := w.opening(0)
		late.Meter, late.MeterNumber, late.TakenAt = "", numberOf(0), at(start+9, 9) // read after the removal
		must(t, b.StoreCards(ctx, "edge-1", []schemas.CardEntry{e, late}))
		if _, total, err := b.UnresolvedEntries(ctx, Page{}); err != nil || total != 1 {
			t.Errorf("%d unresolved (%v), want the gas entry alone", total, err)
		}
		var n int
		must(t, b.read.NewRaw("SELECT COUNT(*) FROM card_entries WHERE from_ms = ?", millis(at(start+3, 10))).Scan(ctx, &n))
		if n != 1 {
			t.Errorf("%d entries of the new meter, want 1", n)
		}
	})
}

// TestRefusedRowsComeAgain registers a meter of money as one of volume, runs, and
// corrects the register.
func TestRefusedRowsComeAgain(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx, b, w := context.Background(), mustOpen(t, dsn), world{n: 1}
		must(t, b.StoreTariffs(ctx, "tariffs", []byte(plan), "zhang"))
		wrong := w.place(0)
		wrong.Purse = schemas.CreditLitre
		must(t, b.StoreRegister(ctx, []ledger.Place{wrong}))
		must(t, b.StoreCards(ctx, "edge-1", []schemas.CardEntry{w.opening(0)}))
		if s := w.run(t, b, start, start); s.Figures.Entries != 0 || s.Figures.Refused != 1 {
			t.Errorf("%d entries taken, %d refused; want 0 and 1", s.Figures.Entries, s.Figures.Refused)
		}
		list, err := b.Refused(ctx, Page{})
		if err != nil || len(list) != 1 || list[0].Meter != string(meterOf(0)) || !strings.Contains(list[0].Reason, "correct the register") {
			t.Errorf("refused %+v, %v", list, err)
		}
		must(t, b.StoreRegister(ctx, []ledger.Place{w.place(0)}))
		if s := w.run(t, b, start+1, start+1); s.Figures.Entries != 1 {
			t.Errorf("%d entries taken after the correction, want 1", s.Figures.Entries)
		}
		if list, err := b.Refused(ctx, Page{}); err != nil || len(list) != 0 {
			t.Errorf("still refused: %+v, %v", list, err)
		}
	})
}

func TestFilesAreTakenOnce(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx, b, w := context.Background(), mustOpen(t, dsn), world{n: 60}
		must(t, b.StoreRegister(ctx, []ledger.Place{w.place(0)}))
		f := w.file(ledger.SalesFile, start+1)
		first, err := b.StoreFile(ctx, f)
		must(t, err)
		once := dump(t, b)
		var same *ledger.ImportedError
		if _, err := b.StoreFile(ctx, f); !errors.As(err, &same) || same.Import.Rows != 3 || same.Import.By != "zhang" {
			t.Errorf("the same file again: %v", err)
		}
		g := *f
		g.Digest[0]++
		var other *ledger.OtherContentError
		if _, err := b.StoreFile(ctx, &g); !errors.As(err, &other) || other.Held.ID != first.ID {
			t.Errorf("other content: %v", err)
		}
		sameDump(t, dump(t, b), once)
		raw, err := b.Raw(ctx, first.ID)
		if err != nil || string(raw) != string(f.Raw) {
			t.Errorf("bytes %q, %v", raw, err)
		}
		list, err := b.Imports(ctx, Page{})
		if err != nil || len(list) != 1 || list[0].Debit != 15000 || list[0].Unresolved != 2 || list[0].Digest != f.Digest {
			t.Errorf("imports %+v, %v", list, err)
		}
	})
}

func TestTwoImportsAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		one, two, w := mustOpen(t, dsn), mustOpen(t, dsn), world{n: 280}
		results := make(chan error, 20)
		for i := range 20 {
			b, day := one, start+1+ledger.Day(i/2)
			if i%2 == 1 {
				b = two
			}
			go func() {
				_, err := b.StoreFile(context.Background(), w.file(ledger.SalesFile, day))
				results <- err
			}()
		}
		imported, already := 0, 0
		for range 20 {
			var same *ledger.ImportedError
			switch err := <-results; {
			case err == nil:
				imported++
			case errors.As(err, &same):
				already++
			default:
				t.Error(err)
			}
		}
		if imported != 10 || already != 10 {
			t.Errorf("%d imported, %d already there; want 10 and 10", imported, already)
		}
	})
}

func TestBusyAndFullAreNamed(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		o := testOptions()
		o.BusyWait = 50 * time.Millisecond
		ctx := context.Background()
		patient := mustOpen(t, dsn)
		b, err := Open(ctx, dsn, o)
		must(t, err)
		defer b.Close()
		tx, err := patient.write.BeginTx(ctx, nil)
		must(t, err)
		_, err = take(ctx, tx, "import", 1)
		must(t, err)
		if _, err := b.StoreFile(ctx, world{n: 30}.file(ledger.SalesFile, start+1)); !errors.Is(err, ErrBusy) {
			t.Errorf("while another writes: %v", err)
		}
		must(t, tx.Rollback())
		if !b.sqlite() {
			return
		}
		var pages int
		must(t, b.write.QueryRow("PRAGMA page_count").Scan(&pages))
		_, err = b.write.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", pages+2))
		must(t, err)
		before := dump(t, b)
		if _, err := b.StoreFile(ctx, world{n: 60_000}.file(ledger.SalesFile, start+1)); !errors.Is(err, ErrFull) {
			t.Errorf("without room: %v", err)
		}
		sameDump(t, dump(t, b), before)
	})
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	for dsn, says := range map[string]string{
		"mysql:x": "neither sqlite:PATH", "sqlite:": "neither", "sqlite:/absent/folder/b.db": "choose a file",
		"postgres://u:secret@127.0.0.1:1/x?connect_timeout=1": "open books",
	} {
		_, err := Open(context.Background(), dsn, testOptions())
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
	if _, err := Open(context.Background(), "sqlite:"+t.TempDir()+"/b.db", Options{}); err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("without rules: %v", err)
	}
}

// TestTwoOpenNewBooksAtOnce has several make the tables.
func TestTwoOpenNewBooksAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		results := make(chan error, 4)
		for range 4 {
			go func() {
				b, err := Open(context.Background(), dsn, testOptions())
				if err == nil {
					err = b.Close()
				}
				results <- err
			}()
		}
		for range 4 {
			must(t, <-results)
		}
	})
}

var _ intake.Store = (*Books)(nil)

func TestNoColumnIsAFloat(t *testing.T) {
	names, err := filepath.Glob("migrations/*.sql")
	must(t, err)
	var all []string
	for _, name := range names {
		text, err := os.ReadFile(name)
		must(t, err)
		all = append(all, strings.Split(string(text), "\n")...)
	}
	if len(all) < 300 {
		t.Fatalf("%d lines of migrations", len(all))
	}
	for _, line := range all {
		code, _, _ := strings.Cut(strings.ToUpper(line), "--")
		for _, word := range []string{" REAL", " FLOAT", " DOUBLE", " NUMERIC", " DECIMAL"} {
			if strings.Contains(code, word) {
				t.Errorf("%q holds%s", line, word)
			}
		}
	}
}

// TestADuplicateThatIsUndoneInTheSameRun: sold twice, and the first one given back,
// between two runs.
func TestADuplicateThatIsUndoneInTheSameRun(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		b := newTown(t, dsn, nanjing, 3)
		must(t, b.StoreTariffs(t.Context(), "tariffs", []byte(plan), "zhang"))
		day := start + 1
		first := b.sell(b, 2, 1, ledger.Purchase, 700, "", at(day, 9))
		b.sell(b, 2, 1, ledger.Purchase, 900, "", at(day, 10))
		b.sell(b, 2, 1, ledger.Refund, 700, first.Order, at(day, 12))
		b.importDay(t, day)
		world{}.run(t, b.Books, day, day)
		if list := mustDifferences(t, b.Books); len(list) != 0 {
			t.Errorf("differences %s", keys(list))
		}
	})
}
