package reconcile

import (
	"fmt"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// listed bounds the numbers of one hole that are reported one by one; what is
// beyond is one difference, so that a garbled number does not fill the books.
const listed = 16

// judge reports the conditions that hold on the last day of the span, and finds
// the next day on which one can begin or end by itself.
func (f *folder) judge() {
	f.b.Wake = NeverWake
	stock := Stock{}
	for i := range f.b.installs {
		in := &f.b.installs[i]
		stale := f.judgeStale(i, &stock)
		lowest := f.judgeGaps(in)
		f.judgeSales(in, stale, lowest)
		f.judgeUnsold(in)
		f.judgeUndos(in)
		f.judgeReplaced(i)
		if in.shown.set && !in.left {
			change := Stock{Residual: f.held(in.shown.residual), Overdraft: f.held(in.shown.overdraft)}
			stock.add(&change, 1)
		}
	}
	f.b.stock = stock
}

// due reports whether a fact of day has reached an age, and else sees to it
// that the account wakes on the day when it does.
func (f *folder) due(day ledger.Day, age int) bool {
	on := day + ledger.Day(age)
	if on > f.span.To {
		f.b.Wake = min(f.b.Wake, on)
	}
	return on <= f.span.To
}

// judgeStale counts the i-th installation and reports STALE.
func (f *folder) judgeStale(i int, stock *Stock) bool {
	in, p := &f.b.installs[i], &f.place.Installations[i]
	since := f.rules.Calendar.DayOf(p.From)
	if !f.due(since, 0) || !p.To.IsZero() && f.due(f.rules.Calendar.DayOf(p.To), 0) {
		return false
	}
	stock.Installations++
	limit := f.rules.StaleRemote
	if f.place.Readout == ledger.ByCard {
		limit = f.rules.StaleCard
	}
	last := max(in.heard, since)
	stale := f.due(last, limit+1)
	if stale || in.heard == 0 {
		stock.Stale++
	} else {
		stock.Fresh++
	}
	if stale {
		d := f.difference(ledger.Stale, in)
		d.Day, d.Moment = last, instant(max(in.heardAt, in.from))
		d.Shown, d.Note = "last heard of "+last.String(), "read the meter, or visit it"
		f.roll.report(d, "")
	}
	return stale
}

// judgeGaps reports COUNTER_GAP and returns the lowest number that is open, 0
// for none.
func (f *folder) judgeGaps(in *install) uint32 {
	lowest := uint32(0)
	for _, g := range in.gaps {
		if in.live.top() <= g.first || !f.due(g.day, f.rules.CounterGap) {
			continue
		}
		eachListed(g.first, g.last, func(n, last uint32) {
			note := fmt.Sprintf("no sale row has %s although a later number was sold", numbers(n, last))
			if f.gap(in, n, g.day, g.at, nil, note) && (lowest == 0 || n < lowest) {
				lowest = n
			}
		})
	}
	held := in.heldUp()
	if held == nil || lowest != 0 && lowest < held.number {
		return lowest
	}
	if f.gap(in, held.number, held.day, held.at, held, "the next purchase was sold, and the meter has not loaded this one") {
		return held.number
	}
	return lowest
}

// heldUp returns the lowest sale that a later one was made over although the
// meter had not loaded it: case (b) of the page.
func (in *install) heldUp() *sale {
	var held *sale
	if !in.seen.set || !in.counts() {
		return held
	}
	for i := range in.sales {
		s := &in.sales[i]
		if s.further || s.loaded || s.number <= in.seen.count || held != nil && s.number > held.number {
			continue
		}
		if k := in.good(s.number + 1); k >= 0 && in.sales[k].at < in.seen.at {
			held = s
		}
	}
	return held
}

// gap reports a COUNTER_GAP and whether it is open.
func (f *folder) gap(in *install, n uint32, day ledger.Day, at int64, s *sale, note string) bool {
	d := f.difference(ledger.CounterGap, in)
	d.Purchase, d.Day, d.Note = schemas.PurchaseRef{Scheme: in.scheme, Number: n}, day, note
	d.Moment = instant(at)
	if in.seen.set {
		d.Shown = fmt.Sprintf("meter count %d", in.seen.count)
	}
	d.Expected = fmt.Sprintf("sold up to %d", in.live.top())
	if s != nil {
		d.Amount, d.Volume = s.amount, s.volume
		d.Note += ": order " + s.order + " of " + s.channel
	}
	return f.roll.report(d, "")
}

// eachListed calls fn for each of the first numbers from first to last by
// itself, and once for the rest.
func eachListed(first, last uint32, fn func(n, last uint32)) {
	for i := 0; ; i++ {
		if i == listed-1 || first == last {
			fn(first, last)
			return
		}
		fn(first, first)
		first++
	}
}

// numbers writes a range of purchase numbers.
func numbers(first, last uint32) string {
	if first == last {
		return fmt.Sprintf("number %d", first)
	}
	return fmt.Sprintf("any of the numbers %d to %d", first, last)
}

// judgeSales reports DUP_SALE and SOLD_NOT_LOADED.
func (f *folder) judgeSales(in *install, stale bool, lowestGap uint32) {
	for i := range in.sales {
		s := &in.sales[i]
		if s.further {
			f.saleDifference(ledger.DupSale, in, s, "this purchase number was sold before: undo this row")
			continue
		}
		heldUp := lowestGap != 0 && lowestGap <= s.number
		if !s.loaded && f.due(s.day, f.rules.SoldNotLoaded+1) && !stale && !heldUp {
			f.saleDifference(ledger.SoldNotLoaded, in, s, "the customer has not put the card into the meter")
		}
	}
}

// saleDifference reports a difference about a sale row.
func (f *folder) saleDifference(class ledger.Class, in *install, s *sale, note string) {
	d := f.difference(class, in)
	d.Channel, d.Order, d.Day, d.Moment = s.channel, s.order, s.day, instant(s.at)
	d.Purchase = schemas.PurchaseRef{Scheme: in.scheme, Number: s.number}
	d.Amount, d.Volume = s.amount, s.volume
	d.Shown, d.Note = "sale "+s.amount.String(), note
	f.roll.report(d, "")
}

// judgeUnsold reports LOADED_NOT_SOLD.
func (f *folder) judgeUnsold(in *install) {
	for _, u := range in.unsold {
		if !f.due(u.day, f.rules.LoadedNotSold) {
			continue
		}
		amount := u.amount
		eachListed(u.first, u.last, func(n, last uint32) {
			d := f.difference(ledger.LoadedNotSold, in)
			d.Purchase, d.Card = schemas.PurchaseRef{Scheme: in.scheme, Number: n}, u.card
			d.Day, d.Moment = u.day, instant(u.at)
			f.credit(&d, amount)
			if u.known {
				d.Shown = f.words("meter", amount)
			}
			d.Note = fmt.Sprintf("the meter loaded what no sale row has: %s", numbers(n, last))
			f.roll.report(d, "")
			amount = 0
		})
	}
}

// judgeUndos reports REVERSED.
func (f *folder) judgeUndos(in *install) {
	for i := range in.undos {
		u := &in.undos[i]
		problem := in.wrong(u)
		if problem == "" || !f.due(u.day, f.rules.Reversed) {
			continue
		}
		d := f.difference(ledger.Reversed, in)
		d.Channel, d.Order, d.Day, d.Moment = u.channel, u.order, u.day, instant(u.at)
		d.Purchase = schemas.PurchaseRef{Scheme: in.scheme, Number: u.number}
		d.Amount, d.Volume = u.amount, u.volume
		d.Shown, d.Note = "given back "+u.amount.String(), problem
		f.roll.report(d, "")
	}
}

// judgeReplaced reports METER_REPLACED for the i-th installation.
func (f *folder) judgeReplaced(i int) {
	if i+1 >= len(f.b.installs) || f.place.Installations[i].To.IsZero() {
		return
	}
	in, next, end := &f.b.installs[i], &f.b.installs[i+1], f.place.Installations[i].To
	day := f.rules.Calendar.DayOf(end)
	if !f.due(f.rules.Calendar.DayOf(instant(next.from)), 0) || !f.due(day, f.rules.MeterReplaced) {
		return
	}
	closed := f.isFinal(i)
	due := int64(0)
	if closed {
		due = in.shown.residual - in.shown.overdraft
	}
	if closed && next.carried == due {
		return
	}
	d := f.difference(ledger.MeterReplaced, in)
	d.Day, d.Moment = day, end.UTC()
	f.credit(&d, next.carried-due)
	d.Shown, d.Expected = f.words("transferred", next.carried), f.words("due", due)
	d.Note = "transfer what the old meter had left"
	if !closed {
		d.Expected, d.Note = "", "the old meter was not read within a day of its end: its final credit is not known"
	}
	f.roll.report(d, "")
}
