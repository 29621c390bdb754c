package books

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/reconcile"
	"citygrid/schemas"
)

// spoiled returns books of a month with a day of their own for the last differences.
func spoiled(t *testing.T, dsn string) (*Books, world) {
	t.Helper()
	b, w := mustOpen(t, dsn), world{n: 30}
	w.begin(t, b)
	w.fill(t, b)
	w.spoil(t, b)
	f := w.file(ledger.PaymentsFile, start+7)
	f.Number, f.Raw = 3, []byte("given back")
	f.Digest[1]++
	f.Payments = []ledger.Payment{{Channel: "counter", Order: "BACK", Refund: true, Amount: 900, Day: start + 7, At: at(start+7, 9)}}
	_, err := b.StoreFile(t.Context(), f)
	must(t, err)
	w.run(t, b, start+1, start+10)
	return b, w
}

// TestDaysTellEachLedger: what the overview says of a day is what was stored for it.
func TestDaysTellEachLedger(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		b, _ := spoiled(t, dsn)
		o, err := b.Days(t.Context(), schemas.Water, start, start+28)
		must(t, err)
		if len(o.Days) != 29 || o.Days[0].Day != start+28 || !o.LastRun.Known || o.LastRun.Day != start+10 || o.ClosedTo.Known {
			t.Fatalf("%d days from %s, last run %+v, closed to %+v", len(o.Days), o.Days[0].Day, o.LastRun, o.ClosedTo)
		}
		var sold, paid, loaded, entries int64
		for n := range o.Days {
			l := &o.Days[n]
			sold, paid, loaded, entries = sold+l.Sold.Count, paid+l.Paid.Count, loaded+l.Loaded.Count, entries+l.Entries
			if l.Day == start+28 && (l.State() != ledger.DayImported || l.SalesFiles != 1 || l.PaymentFiles != 1 || l.Run != nil) {
				t.Errorf("%s is %s: %+v", l.Day, l.State(), l)
			}
			if l.Day == start+10 && (l.Run == nil || l.Run.From != start+1 || l.Run.By != "zhang" || l.Found.Count == 0 || l.State() != ledger.DayOpen) {
				t.Errorf("%s is %s: %+v", l.Day, l.State(), l)
			}
			if l.Day == start+9 && (l.Run == nil || l.Found.Count != 0 || l.State() != ledger.DayReconciled) {
				t.Errorf("a day inside a run: %+v", l)
			}
		}
		want := func(query string) (n int64) {
			must(t, b.read.NewRaw(query).Scan(t.Context(), &n))
			return n
		}
		if n := want("SELECT COUNT(*) FROM sales WHERE kind = 'purchase' AND day <= 20028"); sold != n {
			t.Errorf("%d purchases, want %d", sold, n)
		}
		if n := want("SELECT COUNT(*) FROM payments WHERE refund = 0 AND day <= 20028"); paid != n {
			t.Errorf("%d payments, want %d", paid, n)
		}
		if n := want("SELECT COUNT(*) FROM card_entries WHERE day BETWEEN 20000 AND 20028"); entries != n {
			t.Errorf("%d entries, want %d", entries, n)
		}
		if n := want("SELECT COUNT(*) FROM (SELECT DISTINCT place, from_ms, purchase, amount FROM card_entries WHERE event = 'load' AND day BETWEEN 20000 AND 20028) AS x"); loaded != n || n == 0 {
			t.Errorf("%d loads, want %d", loaded, n)
		}
		if _, err := b.Days(t.Context(), schemas.Water, start, start+400); err == nil {
			t.Error("an overview of 401 days is answered")
		}
	})
}

// TestALoadToldTwiceCountsOnce: also when it is told on another day.
func TestALoadToldTwiceCountsOnce(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		b, w := mustOpen(t, dsn), world{n: 1}
		w.begin(t, b)
		load := func(day ledger.Day, amount int64, number uint32) schemas.CardEntry {
			e := w.opening(0)
			e.Event, e.TakenAt, e.RecordedAt, e.Amount, e.Purchase = schemas.CardLoad, at(day, 9), at(start+2, 8), fen(amount), purchase(number)
			e.Card, e.Source = cardOf(0), schemas.FromDLT645
			return e
		}
		must(t, b.StoreCards(t.Context(), "edge-1", []schemas.CardEntry{load(start+2, 5000, 1)}))
		again := load(start+5, 5000, 1)
		again.RecordedAt = at(start+2, 7)
		must(t, b.StoreCards(t.Context(), "edge-1", []schemas.CardEntry{again, load(start+5, 700, 2)}))
		o, err := b.Days(t.Context(), schemas.Water, start+2, start+5)
		must(t, err)
		if first, last := o.Days[3].Loaded, o.Days[0].Loaded; first.Count != 1 || first.Fen != 5000 || last.Count != 1 || last.Fen != 700 {
			t.Errorf("loaded %+v and %+v", first, last)
		}
	})
}

// TestDifferenceTakesRefundsOffBothSides: a day whose refund was paid back balances.
func TestDifferenceTakesRefundsOffBothSides(t *testing.T) {
	l := ledger.DayLine{Sold: ledger.Sum{Fen: 1000}, Billed: ledger.Sum{Fen: 200}, Refunded: ledger.Sum{Fen: 300}, Paid: ledger.Sum{Fen: 1250}, PaidBack: ledger.Sum{Fen: 300}}
	if d := l.Difference(); d != 50 {
		t.Errorf("difference %s, want 0.50", d)
	}
}

// TestClosedDaysStay: who may close what, and that no run does it again.
func TestClosedDaysStay(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx := t.Context()
		b, w := spoiled(t, dsn)
		closing := func(day ledger.Day, by, why string) error {
			_, err := b.CloseDay(ctx, ledger.DayClosing{Utility: schemas.Water, Day: day, By: by, Why: why})
			return err
		}
		for _, tt := range []struct {
			day     ledger.Day
			by, why string
			want    ledger.NotClosedWhy
		}{
			{start + 11, "wang", "x", ledger.NotReconciled},
			{start + 9, "wang", "x", ledger.InsideRun},
			{start + 10, "zhang", "x", ledger.SameMaker},
			{start + 10, "ZHANG", "x", ledger.SameMaker},
			{start + 10, "wang", "", ledger.ReasonNeeded},
			{start + 10, "wang", "looked at", ""},
			{start + 10, "wang", "x", ledger.AlreadyClosed},
			{start + 9, "wang", "x", ledger.AlreadyClosed},
		} {
			var not *ledger.NotClosedError
			err := closing(tt.day, tt.by, tt.why)
			if tt.want == "" && err != nil || tt.want != "" && (!errors.As(err, &not) || not.Why != tt.want) {
				t.Errorf("%s by %s: %v, want %q", tt.day, tt.by, err, tt.want)
			}
		}
		var closed *ledger.ClosedDayError
		if _, err := b.Run(ctx, schemas.Water, reconcile.Span{From: start + 1, To: start + 10}, "zhang", nil); !errors.As(err, &closed) || closed.ClosedTo != start+10 {
			t.Errorf("a closed day is run again: %v", err)
		}
		if r, err := b.LatestRun(ctx, schemas.Water); err != nil || r.Span.To != start+10 || r.State != RunDone {
			t.Errorf("the run of the closed days: %+v, %v", r.Span, err)
		}
		w.run(t, b, start+11, start+11)
		w.run(t, b, start+11, start+11) // what is open may be done again
		o, err := b.Days(ctx, schemas.Water, start+9, start+11)
		must(t, err)
		if o.ClosedTo.Day != start+10 || o.Days[1].State() != ledger.DayClosed || o.Days[2].State() != ledger.DayClosed || o.Days[0].Closing != nil || o.Days[1].Closing.By != "wang" {
			t.Errorf("closed to %+v: %+v", o.ClosedTo, o.Days)
		}
		if runs, err := b.DayRuns(ctx, schemas.Water, start+11); err != nil || len(runs) != 2 || runs[0].Version != 2 || runs[1].State != RunSetAside {
			t.Errorf("versions %+v, %v", runs, err)
		}
		must(t, closing(start+11, "wang", "looked at"))
		if _, err := b.Run(ctx, schemas.Water, reconcile.Span{From: start + 11, To: start + 12}, "zhang", nil); !errors.As(err, &closed) {
			t.Errorf("a run begins with the last closed day: %v", err)
		}
	})
}

// TestWorkFiltersAndSums: a page, its order, and sums that are those of all pages.
func TestWorkFiltersAndSums(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx := t.Context()
		b, _ := spoiled(t, dsn)
		all, err := b.Work(ctx, ledger.WorkFilter{AsOf: start + 12})
		must(t, err)
		if all.Total < 2 || int64(len(all.Items)) != all.Total {
			t.Fatalf("%d of %d", len(all.Items), all.Total)
		}
		checkSums(t, all)
		key := all.Items[0].Key
		_, err = b.Decide(ctx, key, ledger.Decision{To: ledger.Assigned, Who: "li", Why: "ask", Assignee: "Wang_1"})
		must(t, err)
		mine, err := b.Work(ctx, ledger.WorkFilter{Assignee: "Wang_1", AsOf: start + 12})
		must(t, err)
		if mine.Total != 1 || mine.Items[0].Key != key || mine.Items[0].LastBy != "li" || mine.Items[0].LastAt.IsZero() || strings.Join(mine.Assignees, " ") != "Wang_1" {
			t.Errorf("given to Wang_1: %+v", mine)
		}
		for name, f := range map[string]ledger.WorkFilter{
			"states": {States: []ledger.State{ledger.Assigned}}, "text": {Text: strings.ToLower(key[3:])}, "class": {Classes: []ledger.Class{mine.Items[0].Class}, Assignee: "Wang_1"},
		} {
			f.AsOf = start + 12
			if got, err := b.Work(ctx, f); err != nil || got.Total != 1 || got.Items[0].Key != key {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
		if none, err := b.Work(ctx, ledger.WorkFilter{Text: "%", AsOf: start + 12}); err != nil || none.Total != 0 {
			t.Errorf("a percent sign is read as a pattern: %d, %v", none.Total, err)
		}
		amountsAndPages(t, b, all)
	})
}

func amountsAndPages(t *testing.T, b *Books, all ledger.WorkList) {
	t.Helper()
	ctx := context.Background()
	sorted, err := b.Work(ctx, ledger.WorkFilter{Sort: ledger.ByAmount, Down: true, AsOf: start + 12})
	must(t, err)
	abs := func(v schemas.Fen) schemas.Fen { return max(v, -v) }
	for n := 1; n < len(sorted.Items); n++ {
		if abs(sorted.Items[n].Amount) > abs(sorted.Items[n-1].Amount) {
			t.Errorf("row %d: %s after %s", n, sorted.Items[n].Amount, sorted.Items[n-1].Amount)
		}
	}
	least := abs(sorted.Items[0].Amount)
	big, err := b.Work(ctx, ledger.WorkFilter{Least: least, Most: least, AsOf: start + 12})
	must(t, err)
	for _, i := range big.Items {
		if abs(i.Amount) != least {
			t.Errorf("amount %s, want %s", i.Amount, least)
		}
	}
	var keys []string
	for n := range all.Items {
		page, err := b.Work(ctx, ledger.WorkFilter{Sort: ledger.ByClass, AsOf: start + 12, Limit: 1, Offset: n})
		must(t, err)
		if page.Total != all.Total || len(page.Items) != 1 {
			t.Fatalf("page %d: %d of %d", n, len(page.Items), page.Total)
		}
		checkSums(t, ledger.WorkList{Items: all.Items, Total: all.Total, Groups: page.Groups})
		keys = append(keys, page.Items[0].Key)
	}
	for _, i := range all.Items {
		if strings.Count(strings.Join(keys, "\n")+"\n", i.Key+"\n") != 1 {
			t.Errorf("%s stands not once on the pages", i.Key)
		}
	}
	for asOf := start + 10; asOf < start+50; asOf++ { // each fact goes through all bands
		l, err := b.Work(ctx, ledger.WorkFilter{AsOf: asOf})
		must(t, err)
		counts := make(map[int]int64)
		for _, g := range l.Groups {
			counts[g.Band] += g.Count
		}
		for n, band := range Bands() {
			first, last := band.Of(asOf)
			var want int64
			for _, i := range all.Items {
				if i.Day >= first && i.Day <= last {
					want++
				}
			}
			if counts[n] != want {
				t.Errorf("as of %s band %s has %d, want %d", asOf, band, counts[n], want)
			}
		}
	}
	back, err := b.Work(ctx, ledger.WorkFilter{Least: 900, Most: 900, AsOf: start + 12})
	if err != nil || back.Total != 1 || back.Items[0].Amount != -900 || back.Groups[0].Below != -900 {
		t.Errorf("what was given back: %+v, %v", back, err)
	}
	old, err := b.Work(ctx, ledger.WorkFilter{From: ledger.KnownDay{Day: start + 6, Known: true}, To: ledger.KnownDay{Day: start + 8, Known: true}, AsOf: start + 12})
	must(t, err)
	for _, i := range old.Items {
		if i.Day < start+6 || i.Day > start+8 {
			t.Errorf("%s of %s", i.Key, i.Day)
		}
	}
	for _, g := range old.Groups {
		if age := Bands()[g.Band]; age.From > 6 || age.To != 0 && age.To < 4 {
			t.Errorf("facts of 4 to 6 days are in band %s", age)
		}
	}
}

// checkSums adds the items up and compares.
func checkSums(t *testing.T, l ledger.WorkList) {
	t.Helper()
	var above, below, wantAbove, wantBelow schemas.Fen
	for _, g := range l.Groups {
		above, below = above+g.Above, below+g.Below
	}
	for _, i := range l.Items {
		wantAbove, wantBelow = wantAbove+max(i.Amount, 0), wantBelow+min(i.Amount, 0)
	}
	if above != wantAbove || below != wantBelow {
		t.Errorf("sums %s and %s, want %s and %s", above, below, wantAbove, wantBelow)
	}
}

// TestDossierNamesItsSources: the file, the row and the runs of a difference.
func TestDossierNamesItsSources(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx := t.Context()
		b, key := lost(t, dsn)
		d, err := b.Dossier(ctx, key)
		must(t, err)
		var payment *ledger.DossierEvent
		for n := range d.Events {
			if d.Events[n].Payment != nil {
				payment = &d.Events[n]
			}
		}
		if payment == nil || payment.Import == 0 || payment.File == "" {
			t.Fatalf("events %+v", d.Events)
		}
		if len(d.History) != 1 || d.History[0].What != "found" || d.History[0].Amount != 700 || d.History[0].To != start+10 {
			t.Errorf("history %+v", d.History)
		}
		s, raw, err := b.SourceOf(ctx, ledger.PaymentsFile, payment.Payment.ID)
		must(t, err)
		if s.Import.ID != payment.Import || s.Row < 1 || int64(s.Row) > s.Import.Rows || len(raw) == 0 {
			t.Errorf("source %+v", s)
		}
		rows, total, err := b.PaymentRows(ctx, ledger.RowFilter{Order: payment.Payment.Order})
		if err != nil || total != 1 || rows[0].Payment.Amount != 700 || rows[0].Import != payment.Import {
			t.Errorf("rows %+v, %v", rows, err)
		}
		for _, ask := range []func() error{
			func() error { _, err := b.Dossier(ctx, "no/such"); return err },
			func() error { _, _, err := b.SourceOf(ctx, ledger.SalesFile, 1<<40); return err },
		} {
			if err := ask(); !errors.Is(err, ErrUnknown) {
				t.Errorf("%v, want ErrUnknown", err)
			}
		}
	})
}

// TestRowsAndPlacesAreFound: rows by day and meter, places by what a customer tells.
func TestRowsAndPlacesAreFound(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx := t.Context()
		b, w := spoiled(t, dsn)
		day := w.buys(3)
		rows, total, err := b.SaleRows(ctx, ledger.RowFilter{Utility: schemas.Water, From: ledger.KnownDay{Day: day, Known: true}, To: ledger.KnownDay{Day: day, Known: true}, Channel: "counter", Kind: "purchase"})
		if err != nil || total == 0 || int64(len(rows)) != total {
			t.Fatalf("%d of %d, %v", len(rows), total, err)
		}
		for _, r := range rows {
			if r.Sale.Day != day || r.Import == 0 || r.Sale.Meter == "" {
				t.Errorf("row %+v", r.Sale)
			}
		}
		entries, _, err := b.EntryRows(ctx, ledger.RowFilter{Meter: meterOf(3)})
		if err != nil || len(entries) == 0 || entries[0].Collector != "edge-1" {
			t.Fatalf("entries %+v, %v", entries, err)
		}
		for _, r := range entries {
			if r.Entry.Meter != meterOf(3) {
				t.Errorf("an entry of %s", r.Entry.Meter)
			}
		}
		if paid, _, err := b.PaymentRows(ctx, ledger.RowFilter{Meter: meterOf(3)}); err != nil || len(paid) == 0 || paid[0].Payment.Order != fmt.Sprintf("O%09d", 3) {
			t.Errorf("payments %+v, %v", paid, err)
		}
		for text, by := range map[string]string{string(meterOf(3)): "meter", numberOf(3): "number", strings.ToLower(string(cardOf(3))): "card"} {
			found, err := b.SearchPlaces(ctx, text)
			if err != nil || len(found) != 1 || found[0].Meter != meterOf(3) || found[0].By != by || len(found[0].Installations) == 0 {
				t.Errorf("%s: %+v, %v", text, found, err)
			}
		}
		if found, err := b.SearchPlaces(ctx, "W_"); err != nil || len(found) != 0 {
			t.Errorf("an underscore is read as a pattern: %+v, %v", found, err)
		}
		l, err := b.DayLedgers(ctx, schemas.Water, day)
		if err != nil || len(l.Files) != 2 || len(l.Sales) == 0 || l.Sales[0].Channel != "counter" || len(l.Payments) == 0 || l.Payments[0].Kind != "payment" {
			t.Errorf("ledgers %+v, %v", l, err)
		}
	})
}

// TestWouldImportStoresNothing: what a check says is what the import then says.
func TestWouldImportStoresNothing(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx := t.Context()
		b, w := mustOpen(t, dsn), world{n: 30}
		w.begin(t, b)
		f := w.file(ledger.SalesFile, start+1)
		i, held, err := b.WouldImport(ctx, f)
		if err != nil || held != nil || i.Rows == 0 || i.Debit == 0 {
			t.Fatalf("%+v, %+v, %v", i, held, err)
		}
		if list, err := b.Imports(ctx, Page{}); err != nil || len(list) != 0 {
			t.Fatalf("a check has stored %+v, %v", list, err)
		}
		done, err := b.StoreFile(ctx, f)
		must(t, err)
		if done.Rows != i.Rows || done.Debit != i.Debit || done.Credit != i.Credit || done.FileID != i.FileID {
			t.Errorf("imported %+v, the check said %+v", done, i)
		}
		if _, held, err = b.WouldImport(ctx, f); err != nil || held == nil || held.Digest != f.Digest {
			t.Errorf("the same again: %+v, %v", held, err)
		}
		other := *f
		other.Digest[0]++
		if _, held, err = b.WouldImport(ctx, &other); err != nil || held == nil || held.ID != done.ID {
			t.Errorf("another under its number: %+v, %v", held, err)
		}
	})
}
