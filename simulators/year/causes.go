package year

import (
	"slices"

	"citygrid/schemas"
)

// cause is one way in which a place goes wrong, once.
type cause struct {
	name  string
	class Class
	needs needs
	// first and last bound the day on which it strikes, from the first day (or,
	// where negative, from the last) and from the last: it must stand at a
	// month's end after its hold. A visit is up to 28 days later than its day.
	first, last int64
	atOnce      bool
	// run goes wrong at ts, when nothing is on its way, and returns the moment
	// of the next visit.
	run func(l *life, ts int64) int64
}

// needs is what a place must be for a cause. The zero value is content with all.
type needs struct {
	readout   readout
	purse     purse
	shape     shape
	utilities []schemas.Medium
}

type readout uint8

const (
	anyReadout readout = iota
	remote
	byCard
)

type purse uint8

const (
	anyPurse purse = iota
	money
	ofVolume
)

// suits says whether a place of a utility can be made what the cause needs.
func (c *cause) suits(u schemas.Medium) bool {
	return len(c.needs.utilities) == 0 || slices.Contains(c.needs.utilities, u)
}

// mould makes a place what the cause needs.
func (c *cause) mould(l *life, volume *bool, s *shape) {
	if c.needs.readout != anyReadout {
		l.Remote = c.needs.readout == remote
	}
	if c.needs.purse != anyPurse {
		*volume = c.needs.purse == ofVolume
	}
	if c.needs.shape != anyShape {
		*s = c.needs.shape
		l.registers = true
	}
}

// The usual bounds: late enough for an anchor, early enough for the holds.
const (
	early    = 50
	lateDays = 75  // a hold of up to three days, and a month's end
	lateHold = 105 // a hold of 30 days
)

// causes returns all causes, or those named. All of a class stand together.
func causes(only []string) []cause {
	all := slices.Concat(moneyCauses(), loadCauses(), driftCauses(), undoCauses(), replaceCauses(), silentCauses())
	if len(only) == 0 {
		return all
	}
	return slices.DeleteFunc(all, func(c cause) bool { return !slices.Contains(only, c.name) })
}

// Causes returns the names of all causes.
func Causes() []string {
	var out []string
	for _, c := range causes(nil) {
		out = append(out, c.name)
	}
	return out
}

// report notes a difference of the class and installation at hand.
func (l *life) report(d Difference) *Difference {
	d.Class, d.Cause, d.Utility = l.struck.class, l.struck.name, l.Utility
	if d.Meter == "" && d.Class != PaidNoSale && d.Class != DupPay {
		d.Meter, d.From = l.Meter, l.Installations[l.inst].From
	}
	l.Injected = append(l.Injected, d)
	return &l.Injected[len(l.Injected)-1]
}

// reportRow notes a difference about a row of the ledger of sales; sign is -1
// where the page counts it as negative.
func (l *life) reportRow(d deal, sign int64) {
	l.report(Difference{Channel: d.channel, Order: d.order, Purchase: d.n, Moment: utc(d.at), Day: d.day,
		Amount: schemas.Fen(sign * d.fen), Volume: sign * l.volume(d)})
}

// reportPayment notes a difference about a payment.
func (l *life) reportPayment(p *Payment, sign int64) {
	l.report(Difference{Channel: p.Channel, Order: p.Order, Moment: p.At, Day: p.Day, Amount: schemas.Fen(sign) * p.Amount})
}

// inPurse puts an amount that is known only in the unit of the purse into the
// right column.
func (l *life) inPurse(d Difference, credit int64) Difference {
	if l.m.volume {
		d.Volume = credit
	} else {
		d.Amount = schemas.Fen(credit)
	}
	return d
}

// onEntry puts the day and moment of an entry into a difference.
func onEntry(d Difference, e *Entry) Difference {
	d.Moment, d.Day = e.Moment(), e.Day
	return d
}

// loadSoon loads a purchase two hours after it was sold, and goes on.
func (l *life) loadSoon(d deal) int64 {
	tl := d.at + 2*hour
	l.load(d, tl)
	return l.nextVisit(d.at, tl)
}

// soon is the next visit where nothing is on its way: after the next state.
func (l *life) soon(ts int64) int64 {
	return l.openTime(ts + int64(l.w.opt.StateEvery+3)*day)
}

// leave ends the customer's life here: nothing is used or bought any more, but a
// card is still shown now and then.
func (l *life) leave(ts int64) int64 {
	l.gone = true
	i, _ := l.w.split(ts)
	for j := i + 2; j < int64(len(l.m.use)); j++ {
		l.m.use[j] = l.m.use[i+1]
		if l.m.byRate != nil {
			l.m.byRate[j] = l.m.byRate[i+1]
		}
	}
	for t := ts + 40*day; t < l.w.end; t += 40 * day {
		l.readReturn(t)
	}
	return l.w.end
}
