package books

import (
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// TestCardsOfOtherCitiesStayOutOfOurAccounts: two cities have given one number to a
// meter each. What concerns the other's card is never booked on ours, whichever of
// row and entry comes first.
func TestCardsOfOtherCitiesStayOutOfOurAccounts(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx := t.Context()
		a, b := newTown(t, dsn, hangzhou, 1), newTown(t, another(t, dsn), nanjing, 1)
		must(t, a.StoreTariffs(ctx, "tariffs", []byte(plan), "zhang"))
		day := start + 1
		own := a.sell(a, 0, 1, ledger.Purchase, 5000, "", at(day, 8))
		a.write(t, a, own)
		early := a.sell(b, 0, 1, ledger.Purchase, 700, "", at(day, 9))
		a.importDay(t, day) // before the entry says whose card it is
		a.write(t, b, early)
		a.importDay(t, day)
		a.sell(b, 0, 2, ledger.Purchase, 800, "", at(day, 10)) // after it
		a.importDay(t, day)
		// What our meter says itself is of our place, whatever card was put in.
		must(t, a.StoreCards(ctx, "edge-1", []schemas.CardEntry{{Event: schemas.CardLoad, Source: schemas.FromModbus, Utility: schemas.Water, Meter: "W-33010001-0",
			Issuer: nanjing, Card: b.card(0), Amount: fen(5000), Purchase: purchase(1), TakenAt: at(day, 11), RecordedAt: at(day, 11)}}))
		must(t, a.StoreRegister(ctx, []ledger.Place{{Meter: "W-any", Utility: schemas.Water, Purse: schemas.CreditFen, Plan: "flat", Readout: ledger.ByCard,
			Installations: []ledger.Installation{{From: at(start-9, 0), MeterNumber: "000000000777"}}}})) // all that waits is looked at again

		done := world{}.run(t, a.Books, day, day)
		// They go into a clearing file and do not wait for our register.
		if done.Unresolved == nil || *done.Unresolved != (Unresolved{}) {
			t.Errorf("unresolved %+v", done.Unresolved)
		}
		_, sales, err := a.UnresolvedSales(ctx, Page{})
		must(t, err)
		_, waiting, err := a.UnresolvedEntries(ctx, Page{})
		must(t, err)
		imports, err := a.Imports(ctx, Page{})
		must(t, err)
		for _, i := range imports {
			sales += int64(i.Unresolved)
		}
		if sales != 0 || waiting != 0 {
			t.Errorf("%d sales and %d entries wait", sales, waiting)
		}
		var placed []string
		must(t, a.read.NewRaw("SELECT order_no FROM sales WHERE place <> 0 AND placed <> 0").Scan(ctx, &placed))
		if len(placed) != 1 || placed[0] != own.Order {
			t.Errorf("on our meter: %v, want %s", placed, own.Order)
		}
		var entries int
		must(t, a.read.NewRaw("SELECT COUNT(*) FROM card_entries WHERE place <> 0").Scan(ctx, &entries))
		if entries != 3 { // issued, sold, loaded
			t.Errorf("%d entries on our meter", entries)
		}
		if list := mustDifferences(t, a.Books); len(list) != 0 {
			t.Errorf("differences %s", keys(list))
		}
	})
}

// TestRefusedDetailsAreNoSales: a purchase that we refused is none of ours, so that
// the number can be sold to our own customer.
func TestRefusedDetailsAreNoSales(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx := t.Context()
		a, b := newTown(t, dsn, hangzhou, 1), newTown(t, another(t, dsn), nanjing, 3)
		must(t, b.StoreTariffs(ctx, "tariffs", []byte(plan), "zhang"))
		day := start + 1
		b.o.Now = func() time.Time { return at(day, 20) }
		good := a.sell(b, 1, 1, ledger.Purchase, 5000, "", at(day, 9))
		a.write(t, b, good)
		bad := a.sell(b, 2, 1, ledger.Purchase, 700, "", at(day, 9))
		a.sales[day][1].Card = b.card(1)
		bad.Card = b.card(1)
		a.write(t, b, bad)
		a.importDay(t, day)
		f := a.settle(t, b, a.make(t, day).Files[0])
		if f.Answer.Accepted.Count != 1 || f.Answer.Refused.Count != 1 {
			t.Fatalf("%s", b.bytes(t, f.AnswerName()))
		}
		// The refund of what was refused is told as such.
		back := a.sell(b, 2, 1, ledger.Refund, 700, bad.Order, at(day, 12))
		a.sales[day][0].Card = b.card(1)
		back.Card = b.card(1)
		a.write(t, b, back)
		a.importDay(t, day)
		f = a.settle(t, b, a.make(t, day).Files[0])
		if f.Answer.Refused.Count != 1 {
			t.Fatalf("%s", b.bytes(t, f.AnswerName()))
		}
		b.sell(b, 2, 1, ledger.Purchase, 900, "", at(day, 10))
		paid := b.sales[day][0]
		b.importDay(t, day)
		w := world{}
		pay := w.file(ledger.PaymentsFile, day)
		pay.Channel, pay.Number, pay.Raw = "counter", 1, []byte("paid")
		pay.Payments = []ledger.Payment{{Channel: "counter", Order: paid.Order, Amount: 900, Day: day, At: at(day, 10)}}
		pay.Digest = ledger.DigestOf(pay.Raw)
		_, err := b.StoreFile(ctx, pay)
		must(t, err)
		w.run(t, b.Books, day, day+5)
		if list := mustDifferences(t, b.Books); len(list) != 0 {
			t.Errorf("differences %s", keys(list))
		}
	})
}

func mustDifferences(t *testing.T, b *Books) []DifferenceRecord {
	t.Helper()
	list, _, err := b.Differences(t.Context(), DifferenceFilter{})
	must(t, err)
	return list
}
