package reconcile

import (
	"slices"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// side is the rows of one direction of an order, by import.
type side struct {
	out      bool
	sales    []*orderRow // the good rows
	further  []*orderRow // DUP_SALE
	payments []*orderRow // the good one, then further ones
}

// gather sorts the rows by direction.
func (o *orderFolder) gather(out bool) side {
	s := side{out: out}
	for i := range o.rows {
		r := &o.rows[i]
		switch {
		case r.out != out:
		case r.payment:
			s.payments = append(s.payments, r)
		case r.further, out && len(s.sales) > 0:
			s.further = append(s.further, r)
		default:
			s.sales = append(s.sales, r)
		}
	}
	return s
}

// match sets the state of every row and reports what does not agree.
func (o *orderFolder) match() {
	in, out := o.gather(false), o.gather(true)
	for _, r := range out.further {
		r.state = rowDuplicate
		o.report(ledger.DupSale, r, r.amount, r.volume, "this refund or reversal stands twice: strike out one row")
	}
	o.refundFurther(&in, &out)
	for _, s := range []*side{&in, &out} {
		for _, r := range s.payments[min(1, len(s.payments)):] {
			r.state = rowDuplicate
			o.report(ledger.DupPay, r, r.amount, 0, "the channel settled this order twice: give one payment back")
		}
		o.settle(s)
	}
}

// refundFurther sets aside further payments and what gave them back, which is of
// the same amount. Of the payments out, the first belongs to the refund row of the
// order, if it has one.
func (o *orderFolder) refundFurther(in, out *side) {
	for k := min(len(out.sales), 1); k < len(out.payments); {
		back := out.payments[k]
		i := 1
		for i < len(in.payments) && in.payments[i].amount != back.amount {
			i++
		}
		if i >= len(in.payments) {
			k++
			continue
		}
		in.payments[i].state, back.state = rowDuplicate, rowDuplicate
		in.payments = slices.Delete(in.payments, i, i+1)
		out.payments = slices.Delete(out.payments, k, k+1)
	}
}

// settle compares the good rows of one direction with the good payment. A
// further sale row that was paid by itself agrees with its payment.
func (o *orderFolder) settle(s *side) {
	if len(s.sales) == 0 && len(s.payments) > 0 && len(s.further) > 0 && !s.out {
		s.sales, s.further = s.further[:1], s.further[1:]
	}
	if !s.out {
		each(s.further, rowDuplicate)
	}
	switch {
	case len(s.sales) == 0 && len(s.payments) == 0:
	case len(s.sales) == 0:
		o.unpaired(ledger.PaidNoSale, s.payments[:1], o.rules.PaidNoSale, "find the sale, or give the money back")
	case len(s.payments) == 0:
		o.unpaired(ledger.SaleNoPay, s.sales, o.rules.SaleNoPay, "ask the channel for the money, or the customer for that of a bill")
	default:
		o.compare(s)
	}
}

// each puts rows into a state.
func each(rows []*orderRow, state rowState) {
	for _, r := range rows {
		r.state = state
	}
}

// unpaired puts rows without their other side into their state, and reports
// them from an age on.
func (o *orderFolder) unpaired(class ledger.Class, rows []*orderRow, age int, note string) {
	each(rows, rowUnmatched)
	if on := rows[0].day + ledger.Day(age); on > o.span.To {
		o.wake = min(o.wake, on)
		return
	}
	fen, volume := schemas.Fen(0), int64(0)
	for _, r := range rows {
		fen += r.signed()
		volume += r.moved()
	}
	if !o.report(class, rows[0], fen, volume, note) {
		each(rows, rowDecided)
	}
}

// compare compares both sides of an order.
func (o *orderFolder) compare(s *side) {
	paid, sold := s.payments[0].signed(), schemas.Fen(0)
	for _, r := range s.sales {
		sold += r.signed()
	}
	state := rowMatched
	if paid != sold {
		state = rowAmountDiff
		d := o.difference(ledger.AmountDiff, s.sales[0], paid-sold)
		o.about(&d, s.sales[0])
		d.Shown, d.Expected, d.Note = "paid "+paid.String(), "sold "+sold.String(), "look for a fee, a part payment or a typing error"
		o.roll.report(d, direction(s.out))
	}
	each(s.sales, state)
	s.payments[0].state = state
}

// direction is what tells the keys of both directions of an order apart.
func direction(out bool) string {
	if out {
		return "refund"
	}
	return ""
}

// difference begins a difference about r.
func (o *orderFolder) difference(class ledger.Class, r *orderRow, amount schemas.Fen) ledger.Difference {
	return ledger.Difference{Class: class, Utility: o.in.Utility, Channel: o.in.Channel, Order: o.in.Order,
		Moment: instant(r.at), Amount: amount, Day: r.day}
}

// about names the purchase that the sale row r is about.
func (o *orderFolder) about(d *ledger.Difference, r *orderRow) {
	d.Meter, d.From = r.meter, instant(r.from)
	d.Purchase = schemas.PurchaseRef{Scheme: r.scheme, Number: r.number}
}

// report reports a difference about r, and whether it is open.
func (o *orderFolder) report(class ledger.Class, r *orderRow, amount schemas.Fen, volume int64, note string) bool {
	d := o.difference(class, r, amount)
	d.Volume, d.Note = volume, note
	if r.payment {
		d.Shown = "payment " + r.amount.String()
	} else {
		o.about(&d, r)
		d.Shown = "sale " + r.amount.String()
	}
	return o.roll.report(d, direction(r.out))
}
