package reconcile

import (
	"testing"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// classCase builds a book, runs it up to a day, then perhaps changes it and runs
// up to a later day.
type classCase struct {
	name    string
	build   func(b *book)
	to      int
	found   string
	then    func(b *book)
	thenTo  int
	cleared string
	later   string // found in the second run
}

// good is a sale with its payment and load.
func good(b *book, order string, d int, n uint32, fen int64) {
	b.buy(order, d, n, fen)
	b.pay(order, d, fen)
	b.load(d, n, fen)
}

// alive keeps the meter from being stale up to day d.
func alive(b *book, d int) { b.entry(schemas.CardRefusal, d, 6, 0) }

func orderCases() []classCase {
	return []classCase{
		{name: "matched", build: func(b *book) { good(b, "a", 1, 1, 5000); alive(b, 5) }, to: 5},
		{name: "paid, no sale, the same day", build: func(b *book) { b.pay("a", 1, 5000); alive(b, 1) }, to: 1},
		{name: "paid, no sale", build: func(b *book) { b.pay("a", 1, 5000); alive(b, 2) }, to: 2, found: "PAID_NO_SALE a 50.00",
			then: func(b *book) { b.buy("a", 3, 1, 5000) }, thenTo: 3, cleared: "PAID_NO_SALE"},
		{name: "paid back, no sale", build: func(b *book) { b.pay("a", 1, 5000).Refund = true; alive(b, 2) }, to: 2,
			found: "PAID_NO_SALE a -50.00"},
		{name: "sale, no payment, one day", build: func(b *book) { b.buy("a", 1, 1, 5000); alive(b, 2) }, to: 2},
		{name: "sale, no payment", build: func(b *book) { b.buy("a", 1, 1, 5000); alive(b, 3) }, to: 3, found: "SALE_NO_PAY a 50.00",
			then: func(b *book) { b.pay("a", 4, 5000) }, thenTo: 4, cleared: "SALE_NO_PAY"},
		{name: "payment a day before or after", build: func(b *book) {
			b.pay("a", 0, 5000)
			b.buy("a", 1, 1, 5000)
			b.pay("b", 3, 5000)
			b.buy("b", 2, 2, 5000)
			b.load(1, 1, 5000)
			alive(b, 3)
		}, to: 3},
		{name: "refund without payment", build: func(b *book) {
			b.buy("a", 1, 1, 5000)
			b.pay("a", 1, 5000)
			b.sell(ledger.Refund, "r", 2, 11, 1, 5000, "a")
			b.entry(schemas.CardClear, 2, 11, 1)
			alive(b, 4)
		}, to: 4, found: "SALE_NO_PAY r -50.00", then: func(b *book) { b.pay("r", 5, 5000).Refund = true }, thenTo: 5, cleared: "SALE_NO_PAY"},
		{name: "amounts differ", build: func(b *book) { b.buy("a", 1, 1, 5000); b.pay("a", 1, 4990); alive(b, 2) }, to: 2,
			found: "AMOUNT_DIFF a -0.10"},
		{name: "paid twice", build: func(b *book) { good(b, "a", 1, 1, 5000); b.pay("a", 2, 5000); alive(b, 2) }, to: 2,
			found: "DUP_PAY a 50.00", then: func(b *book) { b.pay("a", 3, 5000).Refund = true }, thenTo: 3, cleared: "DUP_PAY"},
		{name: "paid three times", build: func(b *book) { good(b, "a", 1, 1, 5000); b.pay("a", 1, 5000); b.pay("a", 1, 5000); alive(b, 2) }, to: 2,
			found: "DUP_PAY a 50.00; DUP_PAY a 50.00", then: func(b *book) { b.pay("a", 3, 5000).Refund = true }, thenTo: 3, cleared: "DUP_PAY"},
		{name: "paid twice, and refunded under the same order", build: func(b *book) {
			b.buy("a", 1, 1, 5000)
			b.pay("a", 1, 5000)
			b.pay("a", 1, 5000)
			b.sell(ledger.Refund, "a", 2, 9, 1, 5000, "a")
			b.entry(schemas.CardClear, 2, 9, 1)
			b.pay("a", 2, 5000).Refund = true
			alive(b, 4)
		}, to: 4, found: "DUP_PAY a 50.00"},
		{name: "refund row twice", build: func(b *book) {
			good(b, "a", 1, 1, 5000)
			b.buy("b", 2, 2, 3000)
			b.pay("b", 2, 3000)
			b.sell(ledger.Refund, "r", 3, 9, 2, 3000, "b")
			b.sell(ledger.Refund, "r", 3, 10, 2, 3000, "b")
			b.pay("r", 3, 3000).Refund = true
			b.entry(schemas.CardClear, 3, 9, 2)
			alive(b, 6)
		}, to: 6, found: "DUP_SALE r 30.00"},
	}
}

func purchaseCases() []classCase {
	return []classCase{
		{name: "the same order twice", build: func(b *book) { good(b, "a", 1, 1, 5000); b.buy("a", 1, 1, 5000); alive(b, 4) }, to: 4,
			found: "DUP_SALE a 50.00",
			then: func(b *book) {
				b.sell(ledger.Reversal, "x", 5, 9, 1, 5000, "a")
				b.pay("x", 5, 5000).Refund = true
			}, thenTo: 7, cleared: "DUP_SALE"},
		{name: "another order with the number", build: func(b *book) { good(b, "a", 1, 1, 5000); b.buy("b", 2, 1, 5000); alive(b, 5) }, to: 5,
			found: "DUP_SALE b 50.00",
			then: func(b *book) {
				b.sell(ledger.Reversal, "x", 5, 9, 1, 5000, "b")
				b.pay("x", 5, 5000).Refund = true
			}, thenTo: 8, cleared: "DUP_SALE"},
		{name: "the good row is undone instead", build: func(b *book) { good(b, "a", 1, 1, 5000); b.buy("b", 2, 1, 5000); alive(b, 3) }, to: 3,
			found: "DUP_SALE b 50.00",
			then: func(b *book) {
				b.sell(ledger.Refund, "x", 4, 9, 1, 5000, "a")
				b.pay("x", 4, 5000).Refund = true
				b.pay("b", 4, 5000)
			}, thenTo: 6, cleared: "DUP_SALE"},
		{name: "sold, not loaded, 30 days", build: func(b *book) { b.buy("a", 1, 1, 5000); b.pay("a", 1, 5000); alive(b, 31) }, to: 31},
		{name: "sold, not loaded", build: func(b *book) { b.buy("a", 1, 1, 5000); b.pay("a", 1, 5000); alive(b, 32) }, to: 32,
			found: "SOLD_NOT_LOADED a 50.00", then: func(b *book) { b.load(33, 1, 5000) }, thenTo: 33, cleared: "SOLD_NOT_LOADED"},
		{name: "sold, not loaded, but stale", build: func(b *book) { b.buy("a", 1, 1, 5000); b.pay("a", 1, 5000) }, to: 32, found: "STALE",
			then: func(b *book) { alive(b, 33) }, thenTo: 33, cleared: "STALE", later: "SOLD_NOT_LOADED a 50.00"},
		{name: "loaded, not sold, the same day", build: func(b *book) { b.load(1, 1, 5000) }, to: 1},
		{name: "loaded, not sold", build: func(b *book) { b.load(1, 1, 5000) }, to: 2, found: "LOADED_NOT_SOLD #1 50.00",
			then: func(b *book) { b.buy("a", 3, 1, 5000); b.pay("a", 3, 5000) }, thenTo: 3, cleared: "LOADED_NOT_SOLD"},
		{name: "loaded, not sold, shown by the count", build: func(b *book) {
			good(b, "a", 1, 1, 5000)
			b.state(1, 1, 5000, 5000, 0)
			b.state(2, 2, 8000, 8000, 0)
		}, to: 3, found: "LOADED_NOT_SOLD #2 30.00"},
		{name: "number missing, the same day", build: func(b *book) { good(b, "a", 1, 1, 5000); b.buy("c", 2, 3, 700); b.pay("c", 2, 700) }, to: 2},
		{name: "number missing", build: func(b *book) { good(b, "a", 1, 1, 5000); b.buy("c", 2, 3, 700); b.pay("c", 2, 700) }, to: 3,
			found: "COUNTER_GAP #2", then: func(b *book) { good(b, "b", 4, 2, 100) }, thenTo: 4, cleared: "COUNTER_GAP"},
		{name: "number missing, its sale arrives", build: func(b *book) { good(b, "a", 1, 1, 5000); b.buy("c", 2, 3, 700); b.pay("c", 2, 700) }, to: 3,
			found: "COUNTER_GAP #2", then: func(b *book) { b.buy("b", 4, 2, 100); b.pay("b", 4, 100) }, thenTo: 4, cleared: "COUNTER_GAP"},
		{name: "sold twice, then loaded and shown", build: func(b *book) {
			b.buy("a", 1, 1, 5000)
			b.buy("b", 1, 1, 5000)
			b.pay("a", 1, 5000)
		}, to: 1, found: "DUP_SALE b 50.00",
			then: func(b *book) {
				b.load(2, 1, 5000)
				b.state(2, 1, 5000, 5000, 0)
				good(b, "c", 3, 2, 100)
				good(b, "d", 4, 3, 100)
				b.state(4, 3, 5200, 5200, 0)
			}, thenTo: 5},
		{name: "number missing holds up the next", build: func(b *book) { b.buy("c", 2, 2, 700); b.pay("c", 2, 700); alive(b, 40) }, to: 40,
			found: "COUNTER_GAP #1", then: func(b *book) { b.load(41, 1, 100) }, thenTo: 42, cleared: "COUNTER_GAP",
			later: "LOADED_NOT_SOLD #1 1.00; SOLD_NOT_LOADED c 7.00"},
		{name: "sold over an unloaded one, no evidence after", build: func(b *book) {
			b.state(1, 0, 0, 0, 0)
			b.buy("a", 2, 1, 500)
			b.pay("a", 2, 500)
			b.buy("b", 3, 2, 700)
			b.pay("b", 3, 700)
		}, to: 3},
		{name: "sold over an unloaded one", build: func(b *book) {
			good(b, "z", 1, 1, 100)
			b.buy("a", 2, 2, 500)
			b.pay("a", 2, 500)
			b.buy("b", 3, 3, 700)
			b.pay("b", 3, 700)
			b.state(3, 1, 100, 100, 0)
		}, to: 4, found: "COUNTER_GAP #2 5.00", then: func(b *book) { b.load(5, 2, 500) }, thenTo: 5, cleared: "COUNTER_GAP"},
		{name: "loaded with another amount", build: func(b *book) { b.buy("a", 1, 1, 5000); b.pay("a", 1, 5000); b.load(1, 1, 6000) }, to: 1,
			found: "LOAD_AMOUNT_DIFF #1 10.00"},
		{name: "load told twice", build: func(b *book) {
			b.load(1, 1, 6000)
			b.buy("a", 1, 1, 5000)
			b.pay("a", 1, 5000)
			b.load(2, 1, 6000)
			b.load(2, 1, 0).Amount = schemas.Credit{}
		}, to: 3, found: "LOAD_AMOUNT_DIFF #1 10.00"},
	}
}

func meterCases() []classCase {
	start := func(b *book) { good(b, "a", 1, 1, 5000); b.state(1, 1, 5000, 5000, 0) }
	volume := func(b *book) {
		b.place.Purse, b.plan = schemas.CreditLitre, nil
		b.buy("a", 1, 1, 5000)
		b.pay("a", 1, 5000)
		b.load(1, 1, 25000)
		b.state(1, 1, 25000, 25000, 0)
	}
	return []classCase{
		{name: "bought and used", build: func(b *book) { start(b); b.state(2, 1, 5000, 4800, 1000); b.state(3, 1, 5000, 4600, 2000) }, to: 3},
		{name: "bought drifts", build: func(b *book) { start(b); b.state(2, 1, 5100, 4800, 1000); b.state(3, 1, 5100, 4600, 2000) }, to: 3,
			found: "CUM_DRIFT #1 1.00"},
		{name: "bought and residual drift together", build: func(b *book) { start(b); b.state(2, 1, 8000, 7800, 1000); b.state(3, 1, 8000, 7600, 2000) },
			to: 3, found: "CUM_DRIFT #1 30.00"},
		{name: "a load of unknown amount", build: func(b *book) {
			start(b)
			b.load(2, 2, 0).Amount = schemas.Credit{}
			b.state(2, 2, 7000, 7000, 0)
			b.state(3, 2, 7000, 7000, 0)
		}, to: 2},
		{name: "residual at the tolerance", build: func(b *book) { start(b); b.state(2, 1, 5000, 4800-128, 1000) }, to: 2},
		{name: "residual below the tolerance", build: func(b *book) { start(b); b.state(2, 1, 5000, 4800-129, 1000); b.state(3, 1, 5000, 4800-129, 1000) }, to: 3,
			found: "RESIDUAL_DRIFT #1 -1.29"},
		{name: "residual above the tolerance", build: func(b *book) { start(b); b.state(2, 1, 5000, 4800+129, 1000) }, to: 2,
			found: "RESIDUAL_DRIFT #1 1.29"},
		{name: "overdraft", build: func(b *book) {
			start(b)
			b.state(2, 1, 5000, 0, 30000).Overdraft = schemas.Credit{Value: 1000, Unit: "fen"}
		}, to: 2},
		{name: "an older moment is not checked", build: func(b *book) {
			start(b)
			b.state(3, 1, 5000, 4600, 2000)
			old := b.entry(schemas.CardReturn, 4, 9, 1)
			old.RecordedAt = moment(2, 9)
			old.Bought, old.Residual = schemas.Credit{Value: 1, Unit: "fen"}, schemas.Credit{Value: 1, Unit: "fen"}
		}, to: 4},
		{name: "use runs backwards", build: func(b *book) {
			start(b)
			b.state(2, 1, 5000, 4800, 1000)
			b.state(3, 1, 5000, 4700, 400)
			b.state(4, 1, 5000, 4600, 900)
		}, to: 4,
			found: "REVERSE_FLOW #1 600v"},
		{name: "the count falls", build: func(b *book) {
			start(b)
			good(b, "b", 2, 2, 1000)
			b.state(2, 2, 6000, 6000, 0)
			b.state(3, 1, 6000, 6000, 0)
		}, to: 3,
			found: "REVERSE_FLOW #1"},
		{name: "bought falls", build: func(b *book) { start(b); b.state(2, 1, 4000, 5000, 0) }, to: 2, found: "REVERSE_FLOW #1"},
		{name: "a purse of volume", build: func(b *book) { volume(b); b.state(2, 1, 25000, 24000, 1000) }, to: 2},
		{name: "a purse of volume at its tolerance", build: func(b *book) { volume(b); b.state(2, 1, 25000, 24000+635, 1000) }, to: 2},
		{name: "a purse of volume drifts", build: func(b *book) { volume(b); b.state(2, 1, 25000, 24000-636, 1000) }, to: 2,
			found: "RESIDUAL_DRIFT #1 -636v"},
		{name: "stale, three days", build: start, to: 4},
		{name: "stale", build: start, to: 5, found: "STALE", then: func(b *book) { alive(b, 6) }, thenTo: 6, cleared: "STALE"},
		{name: "stale by card, 180 days", build: func(b *book) { b.place.Readout = ledger.ByCard; start(b) }, to: 181},
		{name: "stale by card", build: func(b *book) { b.place.Readout = ledger.ByCard; start(b) }, to: 182, found: "STALE"},
		{name: "never heard of", build: func(*book) {}, to: 4, found: "STALE"},
	}
}

func reverseCases() []classCase {
	sold := func(b *book) {
		good(b, "z", 1, 1, 100)
		b.buy("a", 2, 2, 5000)
		b.pay("a", 2, 5000)
	}
	back := func(b *book, fen int64) {
		b.sell(ledger.Reversal, "r", 3, 9, 2, fen, "a")
		b.pay("r", 3, fen).Refund = true
	}
	return []classCase{
		{name: "undone", build: func(b *book) { sold(b); back(b, 5000); b.entry(schemas.CardClear, 3, 9, 2); alive(b, 6) }, to: 6},
		{name: "undone and sold again", build: func(b *book) {
			sold(b)
			back(b, 5000)
			b.entry(schemas.CardClear, 2, 9.5, 2)
			good(b, "b", 4, 2, 700)
			alive(b, 6)
		}, to: 6},
		{name: "no clear, the same day", build: func(b *book) { sold(b); back(b, 5000) }, to: 3},
		{name: "no clear", build: func(b *book) { sold(b); back(b, 5000) }, to: 4, found: "REVERSED r 50.00",
			then: func(b *book) { b.entry(schemas.CardClear, 5, 9, 2) }, thenTo: 5, cleared: "REVERSED", later: "STALE"},
		{name: "no clear, and the next number sold", build: func(b *book) { sold(b); back(b, 5000); b.buy("c", 4, 3, 10); b.pay("c", 4, 10); alive(b, 6) },
			to: 6, found: "REVERSED r 50.00"},
		{name: "clear more than a day before", build: func(b *book) { sold(b); back(b, 5000); b.entry(schemas.CardClear, 2, 8, 2) }, to: 4,
			found: "REVERSED r 50.00"},
		{name: "amounts differ", build: func(b *book) { sold(b); back(b, 4000); b.entry(schemas.CardClear, 3, 9, 2) }, to: 4, found: "REVERSED r 40.00"},
		{name: "purchase unknown", build: func(b *book) {
			good(b, "z", 1, 1, 100)
			back(b, 5000)
			b.entry(schemas.CardClear, 3, 9, 2)
		}, to: 4, found: "REVERSED r 50.00", then: func(b *book) { b.buy("a", 5, 2, 5000); b.pay("a", 5, 5000); alive(b, 5) }, thenTo: 5, cleared: "REVERSED"},
		{name: "loaded all the same", build: func(b *book) { sold(b); back(b, 5000); b.entry(schemas.CardClear, 3, 9, 2); b.load(4, 2, 5000) }, to: 5,
			found: "REVERSED r 50.00"},
		{name: "loaded long before", build: func(b *book) {
			good(b, "a", 1, 1, 5000)
			good(b, "b", 2, 2, 5000)
			good(b, "c", 3, 3, 5000)
			b.state(3, 3, 15000, 15000, 0)
			b.sell(ledger.Refund, "r", 4, 9, 1, 5000, "a")
			b.pay("r", 4, 5000).Refund = true
			b.entry(schemas.CardClear, 4, 9, 1)
		}, to: 5, found: "REVERSED r 50.00"},
	}
}

func replaceCases() []classCase {
	old, new := schemas.CardID("00000000000000A1"), schemas.CardID("00000000000000A2")
	issue := func(b *book, d int) {
		e := b.entry(schemas.CardIssue, d, 9, 0)
		e.Card, e.Replaces = new, old
	}
	bought := func(b *book) { b.buy("a", 1, 1, 5000); b.pay("a", 1, 5000) }
	reissued := func(b *book, fen int64) { b.sell(ledger.Reissue, "i", 3, 9, 1, fen, "a") }
	moved := func(b *book) {
		good(b, "a", 1, 1, 5000)
		b.state(1, 1, 5000, 5000, 0)
		b.entry(schemas.CardState, 4, 11, 1).Residual = schemas.Credit{Value: 4000, Unit: "fen"}
		b.replace(4)
		alive(b, 6)
	}
	return []classCase{
		{name: "the new card loads", build: func(b *book) { bought(b); issue(b, 2); b.load(3, 1, 5000).Card = new }, to: 3},
		{name: "the old card loads before", build: func(b *book) { bought(b); b.load(1, 1, 5000).Card = old; issue(b, 2) }, to: 3},
		{name: "the old card loads before, told later", build: func(b *book) {
			bought(b)
			issue(b, 3)
			e := b.load(4, 1, 5000)
			e.Card, e.RecordedAt = old, moment(2, 9)
		}, to: 4},
		{name: "the old card loads", build: func(b *book) { bought(b); issue(b, 2); b.load(3, 1, 5000).Card = old }, to: 3,
			found: "CARD_REPLACED #1 50.00"},
		{name: "the old card loads, the issue is told later", build: func(b *book) {
			bought(b)
			b.load(3, 1, 5000).Card = old
			issue(b, 4)
			b.entries[len(b.entries)-1].RecordedAt = moment(2, 9)
		}, to: 4, found: "CARD_REPLACED #1 50.00"},
		{name: "written again", build: func(b *book) { bought(b); issue(b, 3); reissued(b, 5000); b.load(4, 1, 5000).Card = new }, to: 5},
		{name: "written again with another amount", build: func(b *book) { bought(b); reissued(b, 6000); b.load(4, 1, 6000) }, to: 5,
			found: "CARD_REPLACED i 60.00"},
		{name: "written again after it was loaded", build: func(b *book) { bought(b); b.load(2, 1, 5000); reissued(b, 5000) }, to: 4,
			found: "CARD_REPLACED i 50.00"},
		{name: "written again, told later that it was loaded", build: func(b *book) {
			bought(b)
			reissued(b, 5000)
			b.load(4, 1, 5000).RecordedAt = moment(2, 9)
		}, to: 4, found: "CARD_REPLACED i 50.00"},
		{name: "written again without a sale", build: func(b *book) { reissued(b, 5000); b.load(4, 1, 5000) }, to: 5, found: "CARD_REPLACED i 50.00"},
		{name: "meter replaced", build: func(b *book) {
			moved(b)
			b.sell(ledger.Transfer, "t", 4, 14, 1, 4000, "").From = b.from(1)
			b.load(8, 1, 4000)
		}, to: 9},
		{name: "meter replaced, two days", build: moved, to: 6},
		{name: "meter replaced, no transfer", build: moved, to: 7, found: "METER_REPLACED -40.00",
			then: func(b *book) { b.sell(ledger.Transfer, "t", 8, 14, 1, 4000, ""); alive(b, 8) }, thenTo: 8, cleared: "METER_REPLACED"},
		{name: "meter replaced, too much", build: func(b *book) { moved(b); b.sell(ledger.Transfer, "t", 5, 14, 1, 4500, "") }, to: 7,
			found: "METER_REPLACED 5.00"},
		{name: "meter replaced, not read", build: func(b *book) {
			good(b, "a", 1, 1, 5000)
			b.replace(4)
			b.sell(ledger.Transfer, "t", 5, 14, 1, 4000, "")
			alive(b, 6)
		}, to: 7, found: "METER_REPLACED 40.00"},
		{name: "an unloaded purchase moves to the new meter", build: func(b *book) {
			moved(b)
			s := b.buy("u", 3, 2, 700)
			b.pay("u", 3, 700)
			s.At = moment(3, 9)
			b.sell(ledger.Transfer, "t", 5, 14, 1, 4000, "")
			b.sell(ledger.Reissue, "i", 5, 15, 2, 700, "u")
			b.load(6, 1, 4000)
			b.load(6, 2, 700)
			alive(b, 40)
		}, to: 40, then: func(b *book) {
			late := b.load(41, 2, 700)
			late.InstalledAt, late.RecordedAt = b.from(0), moment(4, 9)
			alive(b, 41)
		}, thenTo: 41, later: "CARD_REPLACED #2 7.00"},
	}
}

func TestClasses(t *testing.T) {
	groups := map[string][]classCase{"order": orderCases(), "purchase": purchaseCases(), "meter": meterCases(),
		"reverse": reverseCases(), "replace": replaceCases(), "count": countCases(), "late": lateCases()}
	for group, cases := range groups {
		for _, c := range cases {
			t.Run(group+"/"+c.name, func(t *testing.T) {
				b := newBook()
				c.build(b)
				r := newRunner(t, b)
				out := r.run(0, c.to)
				want(t, "found", out.found, c.found)
				want(t, "cleared", out.cleared, "")
				if len(out.refused) > 0 {
					t.Errorf("refused: %+v", out.refused)
				}
				if c.then == nil {
					return
				}
				c.then(b)
				out = r.run(c.to+1, c.thenTo)
				want(t, "found later", out.found, c.later)
				want(t, "cleared", out.cleared, c.cleared)
			})
		}
	}
}
