package reconcile

import (
	"testing"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// month returns the rows of one account for month m: a sale, its payment, its
// load and two states.
func month(b *book, m int) AccountInput {
	b.sales, b.entries, b.payments = b.sales[:0], b.entries[:0], b.payments[:0]
	n, paid := uint32(m+1), int64(m+1)*5_000
	b.sell(ledger.Purchase, "20260305000017", m*30+3, 10, n, 5_000, "")
	b.pay("20260305000017", m*30+3, 5_000)
	b.load(m*30+4, n, 5_000)
	for i, d := range []int{m*30 + 14, m*30 + 28} {
		used := int64(200*m + 100*(i+1))
		b.state(d, n, paid, paid-used/5, used)
	}
	return AccountInput{Place: &b.place, Plan: b.plan, Sales: b.sales, Entries: b.entries}
}

// BenchmarkAccountMonth is one account of a month with the stored balance read
// and written: the unit of the million.
func BenchmarkAccountMonth(b *testing.B) {
	book, rules := newBook(), testRules()
	book.place.Readout = ledger.ByCard
	first, err := Account(rules, Span{dayOf(0), dayOf(29)}, Balance{}, month(book, 0))
	if err != nil {
		b.Fatal(err)
	}
	stored := first.Closing.Encode()
	in := month(book, 1)
	buf := make([]byte, 0, 1024)
	var total Figures
	b.ReportAllocs()
	b.ReportMetric(float64(len(stored)), "B/balance")
	for b.Loop() {
		opening, err := DecodeBalance(stored)
		if err != nil {
			b.Fatal(err)
		}
		res, err := Account(rules, Span{dayOf(30), dayOf(59)}, opening, in)
		if err != nil || len(res.Found) > 0 {
			b.Fatal(res.Found, err)
		}
		buf = res.Closing.AppendTo(buf[:0])
		total.Add(&res.Figures)
	}
}

// BenchmarkOrder is a sale and its payment.
func BenchmarkOrder(b *testing.B) {
	book, rules := newBook(), testRules()
	month(book, 0)
	in := OrderInput{Channel: "bank", Order: "20260305000017", Utility: schemas.Water, Sales: book.sales, Payments: book.payments}
	var total Figures
	b.ReportAllocs()
	for b.Loop() {
		res, err := Order(rules, Span{dayOf(0), dayOf(29)}, OrderBalance{}, in)
		if err != nil || !res.Closing.Settled() {
			b.Fatal(res.Found, err)
		}
		total.Add(&res.Figures)
	}
}
