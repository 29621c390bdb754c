package reconcile

import (
	"fmt"
	"testing"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/tariff"
	"citygrid/schemas"
)

// zero says in a state that the meter counts in sequence and has counted nothing.
func zero(e *ledger.Entry) *ledger.Entry {
	e.Purchase = seq(0)
	return e
}

// countCases are about a count of 0, which is a count like any other.
func countCases() []classCase {
	return []classCase{
		{name: "count 0, then the first purchase without a load record", build: func(b *book) {
			zero(b.state(0, 0, 0, 0, 0))
			b.buy("a", 1, 1, 5000)
			b.pay("a", 1, 5000)
			b.state(2, 1, 5000, 5000, 0)
			b.state(3, 1, 5000, 4800, 1000)
		}, to: 3},
		{name: "count 0, then a first purchase that nobody sold", build: func(b *book) {
			zero(b.state(0, 0, 0, 0, 0))
			b.state(2, 1, 5000, 5000, 0)
			b.state(3, 1, 5000, 4800, 1000)
		}, to: 3, found: "LOADED_NOT_SOLD #1 50.00"},
		{name: "count 0, and bought rises without a purchase", build: func(b *book) {
			zero(b.state(0, 0, 0, 0, 0))
			zero(b.state(2, 0, 700, 700, 0))
		}, to: 3, found: "CUM_DRIFT 7.00"},
		{name: "two sold while the count is 0", build: func(b *book) {
			b.buy("a", 1, 1, 500)
			b.pay("a", 1, 500)
			b.buy("b", 2, 2, 700)
			b.pay("b", 2, 700)
			zero(b.state(3, 0, 0, 0, 0))
		}, to: 4, found: "COUNTER_GAP #1 5.00"},
		{name: "the count falls to 0", build: func(b *book) {
			good(b, "a", 1, 1, 5000)
			b.state(1, 1, 5000, 5000, 0)
			zero(b.state(2, 0, 5000, 5000, 0))
		}, to: 3, found: "REVERSE_FLOW"},
		{name: "no count, then a count", build: func(b *book) {
			b.state(0, 0, 0, 0, 0)
			b.buy("a", 1, 1, 5000)
			b.pay("a", 1, 5000)
			b.state(2, 1, 5000, 5000, 0)
			b.state(3, 1, 5000, 4800, 1000)
		}, to: 3},
		{name: "no count, then a count of what nobody sold", build: func(b *book) {
			b.state(0, 0, 0, 0, 0)
			b.state(2, 1, 5000, 5000, 0)
		}, to: 3, found: "LOADED_NOT_SOLD #1 50.00"},
		{name: "count 0, and bought rises by more than the first purchase", build: func(b *book) {
			zero(b.state(0, 0, 0, 0, 0))
			b.buy("a", 1, 1, 5000)
			b.pay("a", 1, 5000)
			b.state(2, 1, 6000, 6000, 0)
		}, to: 3, found: "CUM_DRIFT #1 10.00"},
		{name: "no count of what is loaded, then a count of it", build: func(b *book) {
			b.buy("a", 1, 1, 5000)
			b.pay("a", 1, 5000)
			b.state(2, 0, 5000, 5000, 0)
			b.state(3, 1, 5000, 5000, 0)
		}, to: 3},
		{name: "a token without a load record", build: func(b *book) {
			tid := schemas.PurchaseRef{Scheme: schemas.ByTID, Number: 9_000_000}
			b.buy("a", 1, 1, 1000).Purchase = tid
			b.pay("a", 1, 1000)
			b.state(1, 0, 0, 0, 0)
			b.state(2, 0, 1000, 1000, 0).Purchase = tid
			b.state(3, 0, 1000, 800, 1000).Purchase = tid
		}, to: 3},
	}
}

// lateCases are about rows that arrive when the other side has been taken.
func lateCases() []classCase {
	return []classCase{
		{name: "loaded, not sold, and its sale is of another amount", build: func(b *book) {
			b.state(0, 0, 0, 0, 0)
			b.load(1, 1, 6000)
			b.state(1, 1, 6000, 6000, 0)
			b.state(2, 1, 6000, 6000, 0)
		}, to: 2, found: "LOADED_NOT_SOLD #1 60.00",
			then: func(b *book) { b.buy("a", 3, 1, 5000); b.pay("a", 3, 5000) }, thenTo: 3,
			cleared: "LOADED_NOT_SOLD", later: "LOAD_AMOUNT_DIFF #1 10.00"},
		{name: "shown by the count, and its sale is of another amount", build: func(b *book) {
			zero(b.state(0, 0, 0, 0, 0))
			b.state(1, 1, 6000, 6000, 0)
		}, to: 2, found: "LOADED_NOT_SOLD #1 60.00",
			then: func(b *book) { b.buy("a", 3, 1, 5000); b.pay("a", 3, 5000) }, thenTo: 3,
			cleared: "LOADED_NOT_SOLD", later: "LOAD_AMOUNT_DIFF #1 10.00"},
		{name: "the good row is undone, and the further one is of another amount", build: func(b *book) {
			b.buy("a", 1, 1, 5000)
			b.pay("a", 1, 5000)
			b.buy("b", 1, 1, 6000)
			b.load(2, 1, 5000)
			b.state(2, 1, 5000, 5000, 0)
			b.state(3, 1, 5000, 5000, 0)
		}, to: 3, found: "DUP_SALE b 60.00",
			then: func(b *book) {
				b.sell(ledger.Reversal, "x", 4, 9, 1, 5000, "a")
				b.pay("x", 4, 5000).Refund = true
				b.pay("b", 4, 6000)
				alive(b, 6)
			}, thenTo: 6, cleared: "DUP_SALE", later: "LOAD_AMOUNT_DIFF #1 -10.00"},
		{name: "an earlier row of another amount arrives", build: func(b *book) {
			zero(b.state(0, 0, 0, 0, 0))
			b.buy("a", 2, 1, 5000)
			b.pay("a", 2, 5000)
			b.load(2, 1, 5000)
		}, to: 2,
			then: func(b *book) { b.buy("b", 1, 1, 6000); b.pay("b", 3, 6000); alive(b, 5) }, thenTo: 5,
			later: "DUP_SALE a 50.00; LOAD_AMOUNT_DIFF #1 -10.00"},
		{name: "the good row is undone with another amount", build: func(b *book) {
			b.buy("a", 1, 1, 5000)
			b.pay("a", 1, 5000)
			b.buy("b", 1, 1, 5000)
			b.load(2, 1, 5000)
			b.state(2, 1, 5000, 5000, 0)
		}, to: 3, found: "DUP_SALE b 50.00",
			then: func(b *book) {
				b.sell(ledger.Reversal, "x", 4, 9, 1, 5100, "a")
				b.pay("x", 4, 5100).Refund = true
				b.pay("b", 4, 5000)
				alive(b, 6)
			}, thenTo: 6, cleared: "DUP_SALE", later: "REVERSED x 51.00"},
		{name: "a reversal comes before the reissue that it undoes", build: func(b *book) {
			b.buy("a", 1, 1, 5000)
			b.pay("a", 1, 5000)
			b.sell(ledger.Reversal, "x", 2, 9, 1, 5000, "i")
			b.pay("x", 2, 5000).Refund = true
			b.sell(ledger.Reissue, "i", 2, 10, 1, 5000, "a")
			b.entry(schemas.CardClear, 2, 11, 1)
			alive(b, 40)
		}, to: 40},
		{name: "a removed meter is read once more in the workshop", build: func(b *book) {
			good(b, "a", 1, 1, 5000)
			b.state(1, 1, 5000, 5000, 0)
			b.entry(schemas.CardState, 4, 11, 1).Residual = schemas.Credit{Value: 4000, Unit: "fen"}
			b.replace(4)
			b.sell(ledger.Transfer, "t", 4, 14, 1, 4000, "")
			b.load(5, 1, 4000)
			late := b.entry(schemas.CardState, 6, 11, 1)
			late.InstalledAt, late.Residual = b.from(0), schemas.Credit{Value: 4000, Unit: "fen"}
			alive(b, 8)
		}, to: 8},
		{name: "paid twice, and only a part is given back", build: func(b *book) {
			good(b, "a", 1, 1, 5000)
			b.pay("a", 2, 5000)
			alive(b, 2)
		}, to: 2, found: "DUP_PAY a 50.00",
			then: func(b *book) { b.pay("a", 3, 1000).Refund = true; alive(b, 5) }, thenTo: 5, later: "PAID_NO_SALE a -10.00"},
	}
}

// TestSumsDoNotOverflow: absurd amounts are compared, and stop no run.
func TestSumsDoNotOverflow(t *testing.T) {
	b := newBook()
	zero(b.state(0, 0, 0, 0, 0))
	for n := uint32(1); n <= 900; n++ {
		b.buy(fmt.Sprint("o", n), 1, n, maxCredit)
	}
	b.state(2, 900, maxCredit, maxCredit, 1000)
	res, err := Account(testRules(), Span{dayOf(0), dayOf(2)}, Balance{}, b.newOf(Span{dayOf(0), dayOf(2)}, false))
	if err != nil || len(res.Refused) > 0 {
		t.Fatalf("%v, refused %v", err, res.Refused)
	}
	for _, f := range res.Found {
		t.Errorf("%s", words(f.Difference))
	}
}

// TestStepsGoOnAfterReverseFlow: a use that fell says nothing about where in the
// steps the meter counts on, and is one difference.
func TestStepsGoOnAfterReverseFlow(t *testing.T) {
	b := newBook()
	b.plan.Versions[0].Steps = []tariff.Step{{}, {Above: 6_000, Add: 10_000}}
	zero(b.state(0, 0, 0, 50_000, 0))
	zero(b.state(1, 0, 0, 50_000-1_800, 8_000))
	zero(b.state(2, 0, 0, 50_000-1_800, 1_000))
	zero(b.state(3, 0, 0, 50_000-3_000, 5_000))
	out := newRunner(t, b).run(0, 3)
	want(t, "found", out.found, "REVERSE_FLOW 7000v")
}

// TestRefusedEntrySettlesNothing: a garbled entry does not decide how the
// purchases of its installation are numbered.
func TestRefusedEntrySettlesNothing(t *testing.T) {
	b := newBook()
	bad := b.load(1, 7, 1)
	bad.Purchase.Scheme, bad.Amount.Unit = schemas.ByTID, schemas.CreditWh
	good(b, "a", 2, 1, 5000)
	out := newRunner(t, b).run(0, 3)
	if len(out.refused) != 1 || out.refused[0].ID != bad.ID {
		t.Errorf("refused %+v", out.refused)
	}
}

// TestAmountChanges: a condition whose amount changes is no longer what was found.
func TestAmountChanges(t *testing.T) {
	b := newBook()
	good(b, "a", 1, 1, 5000)
	b.entry(schemas.CardState, 4, 11, 1).Residual = schemas.Credit{Value: 4000, Unit: "fen"}
	b.replace(4)
	alive(b, 6)
	r := newRunner(t, b)
	want(t, "found", r.run(0, 7).found, "METER_REPLACED -40.00")
	b.sell(ledger.Transfer, "t", 8, 14, 1, 4500, "")
	alive(b, 8)
	out := r.run(8, 8)
	want(t, "found with the transfer", out.found, "METER_REPLACED 5.00")
	want(t, "cleared with the transfer", out.cleared, "METER_REPLACED")
	r.closed = out.keys
	alive(b, 9)
	want(t, "decided", r.run(9, 9).cleared, "METER_REPLACED decided")
	alive(b, 10)
	out = r.run(10, 10)
	want(t, "found after the decision", out.found, "")
	want(t, "open after the decision", out.open, "METER_REPLACED/M1/1772294400000#2")
}
