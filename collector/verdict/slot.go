package verdict

import (
	"slices"

	"citygrid/schemas"
)

// slot is what is known of one quantity of one origin. A meter has dozens and a
// collector tens of thousands of them, nearly all of them gauges: so it holds
// by pointer what only some of them need.
type slot struct {
	*traits
	*counter       // nil: a gauge
	shows    *flow // nil: a gauge that is no witness
	// from and to bound the mantissa of a value of this exponent.
	from, to int64
	exponent int8
	origin   uint8 // in origins
	// reverse marks a gauge that Forward does not let go below zero, or a
	// counter that Forward does not let grow.
	reverse bool
}

// traits is what is the same for all meters that set no limits of their own to
// the quantity.
type traits struct {
	quantity schemas.Quantity
	kind     schemas.Kind
	// forward: see forwardOnly.
	forward  bool
	possible interval
	witness  witness
}

// origins has Live first.
var origins = schemas.Origins()

// traitsOf holds the traits of every quantity of the table.
var traitsOf = func() map[schemas.Quantity]*traits {
	all := make(map[schemas.Quantity]*traits)
	for _, info := range schemas.Quantities() {
		t := &traits{
			quantity: info.Quantity, kind: info.Kind, witness: witnessOf(info.Quantity),
			forward: slices.Contains(forwardOnly, info.Quantity),
		}
		if info.Min != info.Max {
			low, okLow := schemas.DecimalFromFloat64(info.Min)
			high, okHigh := schemas.DecimalFromFloat64(info.Max)
			if okLow && okHigh {
				t.possible.atLeast(low)
				t.possible.atMost(high)
			}
		}
		all[info.Quantity] = t
	}
	return all
}()

// within returns t with the limits of one meter.
func (t *traits) within(own Limits) *traits {
	if own.Min == nil && own.Max == nil {
		return t
	}
	narrow := *t
	if own.Min != nil {
		narrow.possible.atLeast(*own.Min)
	}
	if own.Max != nil {
		narrow.possible.atMost(*own.Max)
	}
	return &narrow
}

// find returns the number of a quantity's slot, or -1 for one that is not in the
// table. A meter gives its quantities in the same order each time, so that the
// search mostly ends where it begins.
func (v *Validator) find(q schemas.Quantity, o schemas.Origin) int {
	for n := range v.slots {
		i := v.cursor + n
		if i >= len(v.slots) {
			i -= len(v.slots)
		}
		if s := &v.slots[i]; s.quantity == q && origins[s.origin] == o {
			v.cursor = i + 1
			return i
		}
	}
	return v.add(q, o)
}

// add makes the slot that find has not found.
func (v *Validator) add(q schemas.Quantity, o schemas.Origin) int {
	t, known := traitsOf[q]
	origin := slices.Index(origins, o)
	if !known || origin < 0 {
		return -1
	}
	own := v.rules.Limits[q]
	s := slot{traits: t.within(own), origin: uint8(origin)}
	s.reverse = s.live() && t.forward && v.rules.Direction == Forward
	switch {
	case t.kind == schemas.Counter:
		s.counter = newCounter(own.MaxPerHour)
	case s.live() && v.rules.StuckAfter > 0 && bearsWitness(q):
		s.shows = &flow{gauge: q}
		v.flows = append(v.flows, s.shows)
	}
	s.prepare(0)
	v.slots = append(v.slots, s)
	v.cursor = len(v.slots)
	return len(v.slots) - 1
}

func (s *slot) live() bool { return s.origin == 0 }

// prepare sets the bounds for values of that exponent. A register never shows
// its width.
func (s *slot) prepare(exponent int8) {
	bounds := s.possible
	if s.counter != nil && s.wrap.Mantissa > 0 {
		bounds.under(s.wrap)
	}
	s.exponent = exponent
	s.from, s.to = bounds.mantissas(exponent)
}

// holds reports whether d is possible.
func (s *slot) holds(d schemas.Decimal) bool {
	if d.Exponent != s.exponent {
		s.prepare(d.Exponent)
	}
	return d.Mantissa >= s.from && d.Mantissa <= s.to
}
