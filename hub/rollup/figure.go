package rollup

import (
	"time"

	"citygrid/schemas"
)

// Figure is what is known of the meters of one medium in a cell or an area over an
// hour, or over several.
type Figure struct {
	// Value is the consumption; Known is false where no meter proves any. Broken says
	// that the sum does not fit a Decimal, and Value is not known.
	Value         schemas.Decimal
	Known, Broken bool
	// Meters are those of the register, and those that were heard. Counted prove a
	// consumption; of them Partial for a part of the time alone, and Carried for a longer
	// one: since their last answer, before the hour. Waiting are not due yet in an hour
	// that is running. Of several hours these are those of the worst.
	Meters, Counted, Partial, Carried, Waiting int
	// Expected and Got count live readings with a value.
	Expected, Got int64
	// Flow is the sum of each meter's smallest mean flow over about a quarter of an hour,
	// in units of Value an hour: what flows all the time. It is a float for charts.
	Flow      float64
	FlowKnown bool
}

// Missing is how many meters the value lacks.
func (f *Figure) Missing() int { return max(0, f.Meters-f.Counted-f.Waiting) }

// Beside adds what another place has at the same time.
func (f *Figure) Beside(g *Figure) {
	f.addValue(g)
	f.Meters, f.Counted, f.Partial = f.Meters+g.Meters, f.Counted+g.Counted, f.Partial+g.Partial
	f.Carried, f.Waiting = f.Carried+g.Carried, f.Waiting+g.Waiting
	f.Expected, f.Got = f.Expected+g.Expected, f.Got+g.Got
	if g.FlowKnown {
		f.Flow, f.FlowKnown = f.Flow+g.Flow, true
	}
}

// After adds what the same place has at another time.
func (f *Figure) After(g *Figure) {
	f.addValue(g)
	if f.Meters == 0 || g.Missing() > f.Missing() {
		f.Meters, f.Counted, f.Waiting = g.Meters, g.Counted, g.Waiting
	}
	f.Partial, f.Carried = max(f.Partial, g.Partial), max(f.Carried, g.Carried)
	f.Expected, f.Got = f.Expected+g.Expected, f.Got+g.Got
	if g.FlowKnown && (!f.FlowKnown || g.Flow < f.Flow) {
		f.Flow, f.FlowKnown = g.Flow, true
	}
}

func (f *Figure) addValue(g *Figure) {
	if f.Broken = f.Broken || g.Broken; f.Broken {
		f.Value, f.Known = schemas.Decimal{}, false
		return
	}
	if !g.Known {
		return
	}
	sum, ok := f.Value.Add(g.Value)
	if !f.Known {
		sum, ok = g.Value, true
	}
	f.Value, f.Known, f.Broken = sum, ok, !ok
	if !ok {
		f.Value = schemas.Decimal{}
	}
}

// Hour is a Figure of one hour.
type Hour struct {
	// Start is the first moment, a whole hour of UTC.
	Start time.Time
	// Final is false while the hour is running or has not been counted from the store.
	Final bool
	// Of is nil where nothing is known of the hour.
	Of *Figure
}

// Media are the media that have a consumption, in the order of the figures.
func Media() []schemas.Medium {
	return []schemas.Medium{schemas.Water, schemas.Power, schemas.Gas}
}

// Unit is that of the consumption of a medium.
func Unit(m schemas.Medium) schemas.Unit {
	for _, c := range counters() {
		if c.medium == m {
			return c.unit
		}
	}
	return ""
}

// counter is a quantity that consumption is made of.
type counter struct {
	quantity schemas.Quantity
	medium   schemas.Medium
	unit     schemas.Unit
}

// counters lists what consumption is made of, the best of a medium first: a gas meter
// that gives the volume at standard conditions is taken by it.
func counters() []counter {
	list := []counter{{quantity: "water.volume.forward"}, {quantity: "power.energy.import"}, {quantity: "power.energy.total"},
		{quantity: "gas.volume.standard"}, {quantity: "gas.volume.total"}, {quantity: "gas.volume.working"}}
	for n := range list {
		info, _ := list[n].quantity.Info()
		list[n].medium, list[n].unit = info.Medium, info.Unit
	}
	return list
}
