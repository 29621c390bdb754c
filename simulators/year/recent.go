package year

import (
	"slices"
	"time"

	"citygrid/schemas"
)

// hold is for how many days a fact of the class stands before it is due, by the page.
func (c Class) hold() int32 {
	switch c {
	case PaidNoSale, LoadedNotSold, CounterGap, Reversed:
		return 1
	case SaleNoPay:
		return 2
	case MeterReplaced:
		return 3
	case SoldNotLoaded:
		return 31
	default:
		return 0
	}
}

const (
	staleRemote = 4   // days without evidence, until a meter with a line is STALE
	staleCard   = 181 // the same where cards are read
)

// Due returns the first accounting day as of which a run must report d, which is in
// the place's list: the hold after the fact's day, or the day on which its last part
// became known.
func (p *Place) Due(d *Difference) int32 {
	switch {
	case d.Class == Stale && p.Remote:
		return d.Day + staleRemote
	case d.Class == Stale:
		return d.Day + staleCard
	case d.Cause == "number-overwritten":
		return max(d.Day, p.shownAfter(d.Purchase+1))
	case d.Cause == "undone-then-loaded":
		return max(d.Day+1, p.loadedOn(d.Purchase))
	}
	return d.Day + d.Class.hold()
}

// shownAfter returns the day of the first state that came after the sale of n.
func (p *Place) shownAfter(n uint32) int32 {
	at := slices.IndexFunc(p.Sales, func(s Sale) bool { return s.Purchase == n && s.Kind == Purchase })
	if at < 0 {
		return never
	}
	for i := range p.Entries {
		if e := &p.Entries[i]; e.Event == schemas.CardState && e.Moment().After(p.Sales[at].At) {
			return e.Day
		}
	}
	return never
}

// loadedOn returns the day of the record of a load.
func (p *Place) loadedOn(n uint32) int32 {
	for i := range p.Entries {
		if e := &p.Entries[i]; e.Event == schemas.CardLoad && e.Purchase.Number == n {
			return e.Day
		}
	}
	return never
}

// lastOf is one in how many facts that falls due on the last day.
const lastOf = 6

// never is after every world.
const never = 1 << 30

// timely leaves out the causes for which a short world has no time: a card that
// nobody shows for half a year, and drifts of steps when the steps begin anew in it.
func (w *World) timely(list []cause) []cause {
	if w.opt.Recent == 0 {
		return list
	}
	reset := slices.ContainsFunc(w.plans[0].edges, func(e edge) bool { return e.reset && e.at <= w.end })
	return slices.DeleteFunc(list, func(c cause) bool {
		return c.needs.shape == steps && reset || c.class == Stale && c.needs.readout == byCard || c.atOnce
	})
}

// recently draws when the cause strikes, so that its fact is due in the last days, or on
// the last of them. It strikes on the day after the one drawn.
func (l *life) recently() int64 {
	last := int64(l.w.opt.Days) - 2 - int64(l.cause.class.hold())
	if l.cause.class == Stale {
		last -= staleRemote
	}
	if l.w.wrong[int32(l.Household)].last {
		return l.w.start + last*day
	}
	return l.w.start + l.dice.span(last-int64(l.w.opt.Recent)+1, last)*day
}

// trim takes back what would happen to the place after the last day.
func (l *life) trim() {
	l.Installations = slices.DeleteFunc(l.Installations, func(in Installation) bool { return in.From.Unix() >= l.w.end })
	for i := range l.Installations {
		if in := &l.Installations[i]; !in.To.IsZero() && in.To.Unix() >= l.w.end {
			in.To = time.Time{}
		}
	}
}
