package reconcile

import (
	"slices"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/tariff"
	"citygrid/schemas"
)

// maxBetween bounds the purchases between two looks at a meter; a count that
// jumps by more is no sum to be checked.
const maxBetween = 1_000

// maxLoads bounds what these purchases may come to: no meter holds more than
// maxCredit, and sums beyond would not fit into a Charge.
const maxLoads = 16 * maxCredit

// check is one state or return against the anchors of its installation.
type check struct {
	f       *folder
	in      *install
	e       *ledger.Entry
	at      int64
	count   uint32
	counted bool
	fell    bool  // REVERSE_FLOW of the purse
	back    bool  // REVERSE_FLOW of the cumulative bought or the count
	drift   int64 // CUM_DRIFT of this entry, in the unit of the purse
}

// fresh reports whether the entry is checked against a.
func (c *check) fresh(a *anchor) bool { return a.set && c.at >= a.at }

// usedKnown reports whether the entry tells the use in a volume or energy.
func (c *check) usedKnown() bool { return c.e.Used.Known() && c.e.Used.Unit == c.f.volumeUnit() }

// reverse looks for REVERSE_FLOW.
func (c *check) reverse() {
	in, e := c.in, c.e
	volume, note := int64(0), ""
	if a := &in.bought; c.fresh(a) && e.Bought.Known() && e.Bought.Value < a.value {
		note, c.back = "cumulative bought fell", true
		if c.f.place.Purse != schemas.CreditFen {
			volume = a.value - e.Bought.Value
		}
	}
	for _, a := range []*anchor{&in.bought, &in.purse} {
		if c.fresh(a) && c.counted && a.counted && c.count < a.count {
			note, c.back = "the purchase count fell", true
		}
	}
	if a := &in.purse; c.fresh(a) && c.usedKnown() && e.Used.Value < a.used {
		note, volume = "cumulative use fell", a.used-e.Used.Value
	}
	if note == "" {
		return
	}
	c.fell = true
	d := c.difference(ledger.ReverseFlow)
	d.Volume, d.Note = volume, note+": look at the meter"
	c.f.roll.report(d, "")
}

// difference begins a difference about the entry.
func (c *check) difference(class ledger.Class) ledger.Difference {
	d := c.f.difference(class, c.in)
	d.Moment, d.Day, d.Card, d.Purchase = instant(c.at), c.e.Day, c.e.Card, c.e.Purchase
	return d
}

// cumulative makes the check of CUM_DRIFT and moves its anchor.
func (c *check) cumulative() {
	a := &c.in.bought
	if !c.e.Bought.Known() || a.set && c.at < a.at {
		return
	}
	shows := c.e.Bought.Value
	if loads, known := c.loads(a); a.set && known && !c.back && shows != a.value+loads {
		c.drift = shows - a.value - loads
		d := c.difference(ledger.CumDrift)
		c.f.credit(&d, c.drift)
		d.Shown, d.Expected = c.f.words("meter", shows), c.f.words("expected", a.value+loads)
		d.Note = "cumulative bought does not follow from the loads since " + instant(a.at).Format("2006-01-02 15:04:05Z07:00")
		c.f.roll.report(d, "")
	}
	*a = anchor{set: true, counted: c.counted, at: c.at, count: c.count, value: shows}
}

// loads returns what was loaded between a and the entry, or that nobody knows.
func (c *check) loads(a *anchor) (int64, bool) {
	if !a.set {
		return 0, false
	}
	if !a.counted || !c.counted {
		return c.in.loadsUntil(c.f, a, c.at)
	}
	if c.count > a.count && c.count-a.count > maxBetween {
		return 0, false
	}
	sum := int64(0)
	for n := a.count + 1; n <= c.count && n > a.count; n++ {
		amount, known := c.in.worth(c.f, n)
		if !known {
			return 0, false
		}
		sum += amount
	}
	return sum, sum <= maxLoads
}

// worth returns the credit of purchase n: of its load record, else of its sale.
func (in *install) worth(f *folder, n uint32) (int64, bool) {
	for i := range in.loads {
		if l := &in.loads[i]; l.number == n && l.known {
			return l.amount, true
		}
	}
	if i := in.good(n); i >= 0 {
		return f.worth(&in.sales[i]), true
	}
	return 0, false
}

// loadsUntil returns the sum of what is known to be loaded after a, up to the
// moment at, and whether that is all.
func (in *install) loadsUntil(f *folder, a *anchor, at int64) (sum int64, all bool) {
	all = true
	for i := range in.loads {
		l := &in.loads[i]
		if !a.before(l.number, l.at) || l.at > at || in.loadedBefore(i) {
			continue
		}
		amount, known := in.worth(f, l.number)
		sum, all = sum+amount, all && known
	}
	for i := range in.sales {
		s := &in.sales[i]
		if s.further || !s.loaded || !a.before(s.number, s.loadedAt) || s.loadedAt > at || in.hasLoad(s.number) {
			continue
		}
		if in.counts() && !a.counted {
			all = false // a count tells that it was loaded, not whether before a
			continue
		}
		sum += f.worth(s)
	}
	for _, u := range in.unsold {
		all = all && (!a.before(u.last, u.at) || u.at > at || in.hasLoad(u.first) && u.first == u.last)
	}
	return sum, all && sum <= maxLoads
}

// hasLoad reports whether a load record of number n is kept.
func (in *install) hasLoad(n uint32) bool {
	return slices.ContainsFunc(in.loads, func(l load) bool { return l.number == n })
}

// loadedBefore reports whether an earlier record tells of the same number.
func (in *install) loadedBefore(i int) bool {
	for k := range i {
		if in.loads[k].number == in.loads[i].number {
			return true
		}
	}
	return false
}

// knownLoads returns the sum of what is known to be loaded between a and the entry.
func (f *folder) knownLoads(in *install, a *anchor, e *ledger.Entry, at int64) int64 {
	sum := int64(0)
	if !a.counted || !in.counts() {
		sum, _ = in.loadsUntil(f, a, at)
		return sum
	}
	for i, n := 0, a.count+1; n <= e.Purchase.Number && n > a.count && i < maxBetween; i, n = i+1, n+1 {
		if amount, known := in.worth(f, n); known {
			sum += amount
		}
	}
	return sum
}

// residual makes the check of RESIDUAL_DRIFT and moves its anchor.
func (c *check) residual() error {
	a := &c.in.purse
	if !c.e.Residual.Known() || !c.usedKnown() || a.set && c.at < a.at {
		return nil
	}
	next := anchor{set: true, counted: c.counted, at: c.at, count: c.count, used: c.e.Used.Value,
		value: c.e.Residual.Value - c.e.Overdraft.Value}
	if !a.set || c.fell {
		before := c.in.hi
		c.in.lo, c.in.hi = c.position()
		if a.set { // the steps may go on from where they were
			c.in.lo, c.in.hi = 0, max(before, c.in.hi)
		}
		c.keepRates()
		*a = next
		return nil
	}
	loads, known := c.loads(a)
	var err error
	if c.f.place.Purse == schemas.CreditFen {
		err = c.money(&next, loads, known)
	} else if known {
		c.volume(&next, loads)
	}
	*a = next
	return err
}

// keepRates remembers the registers by rate.
func (c *check) keepRates() {
	c.in.byRate = nil
	if len(c.e.UsedByRate) > 1 {
		c.in.byRate = slices.Clone(c.e.UsedByRate)
	}
}

// position returns what is known about the use since the step reset at the
// first look at a meter.
func (c *check) position() (lo, hi int64) {
	used := c.e.Used.Value
	plan, zone := c.f.in.Plan, c.f.rules.Calendar.Zone
	if plan != nil && tariff.DateOf(instant(c.in.from), zone) >= plan.ResetBefore(tariff.DateOf(instant(c.at), zone)) {
		return used, used
	}
	return 0, used
}

// volume checks a purse of volume or energy.
func (c *check) volume(next *anchor, loads int64) {
	a := &c.in.purse
	expected := a.value + loads - (next.used - a.used)
	off, slack := next.value-expected, c.f.rules.slack(c.f.place.Utility)
	if within(off, slack) || c.drift != 0 && within(off-c.drift, slack) {
		return
	}
	c.report(off, next.value, expected)
}

// within reports whether v is no more than slack away from 0.
func within(v, slack int64) bool { return v <= slack && -v <= slack }

// money checks a purse of money, and moves the position in the steps.
func (c *check) money(next *anchor, loads int64, known bool) error {
	a := &c.in.purse
	use := tariff.Use{From: instant(a.at), To: instant(c.at), Amount: next.used - a.used,
		Position: tariff.Range{Lo: c.in.lo, Hi: c.in.hi}, ByRate: c.rates()}
	b, err := c.f.in.Plan.Bounds(use, c.f.rules.Calendar.Zone)
	if err != nil {
		return err
	}
	c.in.lo, c.in.hi = b.Position.Lo, b.Position.Hi
	c.keepRates()
	if !known {
		return nil
	}
	tolerance, err := tariff.Tolerance(b.Highest, c.f.rules.slack(c.f.place.Utility))
	if err != nil {
		return err
	}
	before, err := tariff.ChargeOf(schemas.Fen(a.value + loads))
	if err != nil {
		return err
	}
	shows, err := tariff.ChargeOf(schemas.Fen(next.value))
	if err != nil {
		return err
	}
	low, high := before-b.High, before-b.Low
	if off := outside(shows, low, high, tolerance); off != 0 {
		drift := tariff.Charge(c.drift) * tariff.PerFen
		if c.drift == 0 || outside(shows-drift, low, high, tolerance) != 0 {
			expected := low
			if off > 0 {
				expected = high
			}
			c.report(next.value-int64(expected.Floor()), next.value, int64(expected.Floor()))
		}
	}
	return nil
}

// outside returns how far v is below low (negative) or above high, or 0 if that
// is within tolerance.
func outside(v, low, high, tolerance tariff.Charge) tariff.Charge {
	switch {
	case v < low-tolerance:
		return v - low
	case v > high+tolerance:
		return v - high
	}
	return 0
}

// rates returns the use by rate since the anchor, nil where nobody knows.
func (c *check) rates() []int64 {
	now, before := c.e.UsedByRate, c.in.byRate
	if len(now) < 2 || len(now) != len(before) {
		return nil
	}
	out := make([]int64, len(now))
	for i := range now {
		if out[i] = now[i] - before[i]; out[i] < 0 {
			return nil
		}
	}
	return out
}

// report reports a RESIDUAL_DRIFT.
func (c *check) report(off, shows, expected int64) {
	d := c.difference(ledger.ResidualDrift)
	c.f.credit(&d, off)
	d.Shown, d.Expected = c.f.words("meter", shows), c.f.words("expected", expected)
	d.Note = "look at price set, step reset and the meter"
	c.f.roll.report(d, "")
}
