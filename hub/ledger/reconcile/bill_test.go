package reconcile

import (
	"slices"
	"strings"
	"testing"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// bill adds a bill of day d, payable until day due.
func (b *book) bill(order string, d, due int, fen int64) *ledger.Sale {
	row := b.sell(ledger.Bill, order, d, 2, 0, fen, "")
	row.Purchase, row.Volume, row.Due = schemas.PurchaseRef{}, 0, dayOf(due)
	return row
}

// TestBills: a bill is a receivable until two days after it is due, and the card's
// side never sees it.
func TestBills(t *testing.T) {
	for _, c := range []struct {
		name           string
		build          func(*book)
		to             int
		found          string
		then           func(*book)
		thenTo         int
		later, cleared string
	}{
		{name: "receivable", build: func(b *book) { b.bill("b", 1, 3, 5000) }, to: 4},
		{name: "late", build: func(b *book) { b.bill("b", 1, 3, 5000) }, to: 5, found: "SALE_NO_PAY b 50.00",
			then: func(b *book) { b.pay("b", 6, 5000) }, thenTo: 6, cleared: "SALE_NO_PAY"},
		{name: "due at once", build: func(b *book) { b.bill("b", 1, 1, 5000) }, to: 3, found: "SALE_NO_PAY b 50.00"},
		{name: "late in a later run", build: func(b *book) { b.bill("b", 1, 3, 5000) }, to: 4,
			then: func(*book) {}, thenTo: 5, later: "SALE_NO_PAY b 50.00"},
		{name: "paid before it is due", build: func(b *book) { b.bill("b", 1, 30, 5000); b.pay("b", 2, 5000) }, to: 3},
		{name: "paid when due", build: func(b *book) { b.bill("b", 1, 3, 5000) }, to: 4,
			then: func(b *book) { b.pay("b", 5, 5000) }, thenTo: 8},
		{name: "paid before the bill", build: func(b *book) { b.pay("b", 1, 5000); b.bill("b", 2, 30, 5000) }, to: 3},
		{name: "paid in part before it is due", build: func(b *book) { b.bill("b", 1, 30, 5000); b.pay("b", 2, 4000) }, to: 2,
			found: "AMOUNT_DIFF b -10.00"},
		{name: "paid twice", build: func(b *book) { b.bill("b", 1, 30, 5000); b.pay("b", 2, 5000); b.pay("b", 3, 5000) }, to: 3,
			found: "DUP_PAY b 50.00"},
		{name: "beside purchases", build: func(b *book) { good(b, "a", 1, 1, 700); b.bill("b", 1, 30, 5000); good(b, "c", 2, 2, 800) }, to: 3},
	} {
		b := newBook()
		c.build(b)
		alive(b, c.to)
		r := newRunner(t, b)
		out := r.run(0, c.to)
		if got := strings.Join(out.found, "; "); got != c.found || len(out.refused) > 0 {
			t.Errorf("%s: found %q, refused %v; want %q", c.name, got, out.refused, c.found)
		}
		if c.then == nil {
			continue
		}
		c.then(b)
		alive(b, c.thenTo)
		out = r.run(c.to+1, c.thenTo)
		if later, cleared := strings.Join(out.found, "; "), strings.Join(out.cleared, "; "); later != c.later || cleared != c.cleared {
			t.Errorf("%s: later found %q, cleared %q; want %q, %q", c.name, later, cleared, c.later, c.cleared)
		}
	}
}

// TestBillIsReceivable: a bill that is not due is an unmatched sale of
// roll-forward 2, and moves nothing else.
func TestBillIsReceivable(t *testing.T) {
	b := newBook()
	b.bill("b", 1, 30, 5000)
	alive(b, 2)
	out := newRunner(t, b).run(0, 2)
	i := slices.IndexFunc(out.figures.Channels, func(c ChannelRoll) bool { return c.Channel == "bank" })
	if i < 0 || out.figures.Channels[i].Sales.Closing != (Tally{Count: 1, Fen: 5000}) {
		t.Errorf("channels %+v", out.figures.Channels)
	}
	if p := out.figures.Purchases; p != (PurchaseRoll{}) {
		t.Errorf("purchases %+v", p)
	}
}

// TestBillWakes: a balance with a bill asks to be looked at when the bill is late,
// and its difference ages from the due day.
func TestBillWakes(t *testing.T) {
	b := newBook()
	row := *b.bill("b", 1, 30, 5000)
	in := OrderInput{Channel: "bank", Order: "b", Utility: schemas.Water, Sales: []ledger.Sale{row}}
	first, err := Order(testRules(), Span{dayOf(0), dayOf(2)}, OrderBalance{}, in)
	if err != nil || first.Closing.Wake != dayOf(32) {
		t.Fatalf("wakes on %s, %v", first.Closing.Wake, err)
	}
	in.Sales = nil
	second, err := Order(testRules(), Span{dayOf(3), dayOf(32)}, first.Closing, in)
	if err != nil || len(second.Found) != 1 || second.Found[0].Day != dayOf(30) {
		t.Errorf("%+v, %v", second.Found, err)
	}
	row.Due = row.Day - 1
	in.Sales = []ledger.Sale{row}
	if bad, err := Order(testRules(), Span{dayOf(0), dayOf(2)}, OrderBalance{}, in); err != nil || len(bad.Refused) != 1 {
		t.Errorf("a bill due before its day: %+v, %v", bad, err)
	}
	row.Due = row.Day
	in.Sales = []ledger.Sale{row}
	if _, err := Order(testRules(), Span{dayOf(-1), dayOf(0)}, OrderBalance{}, in); err == nil {
		t.Error("a bill of a later day is taken")
	}
}
