package year

// moneyCauses are those between the ledgers of sales and payments.
func moneyCauses() []cause {
	usual := func(name string, class Class, run func(*life, int64) int64) cause {
		return cause{name: name, class: class, first: early, last: lateDays, run: run}
	}
	return []cause{
		usual("paid-sale-lost", PaidNoSale, (*life).paidSaleLost),
		usual("paid-refund-lost", PaidNoSale, (*life).paidRefundLost),
		usual("sale-unpaid", SaleNoPay, (*life).saleUnpaid),
		usual("refund-unpaid", SaleNoPay, func(l *life, ts int64) int64 { return l.backUnpaid(ts, Refund) }),
		usual("reversal-unpaid", SaleNoPay, func(l *life, ts int64) int64 { return l.backUnpaid(ts, Reversal) }),
		usual("paid-more", AmountDiff, func(l *life, ts int64) int64 { return l.paidOther(ts, 1) }),
		usual("paid-less", AmountDiff, func(l *life, ts int64) int64 { return l.paidOther(ts, -1) }),
		usual("dup-sale-same-order", DupSale, (*life).dupSameOrder),
		usual("dup-sale-other-order-paid", DupSale, func(l *life, ts int64) int64 { return l.dupOtherOrder(ts, true) }),
		usual("dup-sale-other-order-unpaid", DupSale, func(l *life, ts int64) int64 { return l.dupOtherOrder(ts, false) }),
		usual("dup-refund-row", DupSale, (*life).dupRefundRow),
		usual("dup-payment", DupPay, (*life).dupPayment),
		usual("dup-refund-payment", DupPay, (*life).dupRefundPayment),
	}
}

// paidSaleLost: the customer paid, and the counter knows nothing of it.
func (l *life) paidSaleLost(ts int64) int64 {
	d := l.offer(ts)
	l.reportPayment(l.paid(d.channel, d.order, d.fen, ts, false), 1)
	return l.soon(ts)
}

// paidRefundLost: the channel gave money back for an order that nobody knows.
func (l *life) paidRefundLost(ts int64) int64 {
	d := l.offer(ts)
	l.reportPayment(l.paid(d.channel, d.order, d.fen, ts, true), -1)
	return l.soon(ts)
}

func (l *life) saleUnpaid(ts int64) int64 {
	d := l.offer(ts)
	l.next++
	l.sold(d)
	l.reportRow(d, 1)
	return l.loadSoon(d)
}

func (l *life) backUnpaid(ts int64, kind Kind) int64 {
	d := l.sell(ts)
	r := l.undone(d, ts+20*minute, kind, d.channel)
	l.cleared(d, r.at-40, r.channel)
	l.next = d.n
	l.reportRow(r, -1)
	return l.loadSoon(l.sell(ts + hour))
}

func (l *life) paidOther(ts, sign int64) int64 {
	d := l.offer(ts)
	l.next++
	l.sold(d)
	by := sign * l.dice.span(1, min(1_500, d.fen/2))
	l.paid(d.channel, d.order, d.fen+by, d.at, false)
	l.report(Difference{Channel: d.channel, Order: d.order, Purchase: d.n, Moment: utc(d.at), Day: d.day, Amount: fen(by)})
	return l.loadSoon(d)
}

// dupSameOrder: a row is in the books twice.
func (l *life) dupSameOrder(ts int64) int64 {
	d := l.sell(ts)
	again := d
	again.at += 7
	l.row(Purchase, again, "")
	l.reportRow(again, 1)
	return l.loadSoon(d)
}

// dupOtherOrder: a click twice, two orders, one purchase number.
func (l *life) dupOtherOrder(ts int64, paid bool) int64 {
	d := l.sell(ts)
	again := d
	again.at += minute
	again.order = l.newOrder(d.channel, d.day)
	l.row(Purchase, again, "")
	if paid {
		l.paid(again.channel, again.order, again.fen, again.at, false)
	}
	l.reportRow(again, 1)
	return l.loadSoon(d)
}

func (l *life) dupRefundRow(ts int64) int64 {
	d := l.sell(ts)
	r := l.giveBack(d, ts+20*minute, Reversal, d.channel)
	r.at += 9
	l.row(Reversal, r, d.order)
	l.reportRow(r, 1)
	return l.loadSoon(l.sell(ts + hour))
}

func (l *life) dupPayment(ts int64) int64 {
	d := l.sell(ts)
	l.reportPayment(l.paid(d.channel, d.order, d.fen, d.at+3, false), 1)
	return l.loadSoon(d)
}

func (l *life) dupRefundPayment(ts int64) int64 {
	d := l.sell(ts)
	r := l.giveBack(d, ts+20*minute, Reversal, d.channel)
	l.reportPayment(l.paid(r.channel, r.order, r.fen, r.at+3, true), 1)
	return l.loadSoon(l.sell(ts + hour))
}
