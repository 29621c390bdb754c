package verdict

import (
	"slices"

	"citygrid/schemas"
)

// witness is the gauge of the same meter that shows what a counter counts.
type witness struct {
	gauge schemas.Quantity // empty: none
	// factor turns the gauge into the counter's unit per hour; it is negative
	// for a counter of the other direction.
	factor float64
}

// witnesses gives the counters that a gauge bears witness for. Tariff registers
// are not among them: only one of them counts at a time.
var witnesses = []struct {
	counter schemas.Quantity
	witness witness
}{
	{"water.volume.forward", witness{"water.flow", 1}},
	{"water.volume.reverse", witness{"water.flow", -1}},
	{"power.energy.import", witness{"power.active", 1e-3}}, // W, kWh
	{"power.energy.export", witness{"power.active", -1e-3}},
	{"power.energy.import.l1", witness{"power.active.l1", 1e-3}},
	{"power.energy.import.l2", witness{"power.active.l2", 1e-3}},
	{"power.energy.import.l3", witness{"power.active.l3", 1e-3}},
	{"gas.volume.standard", witness{"gas.flow.standard", 1}},
	{"gas.volume.working", witness{"gas.flow.working", 1}},
}

func witnessOf(q schemas.Quantity) witness {
	for _, w := range witnesses {
		if w.counter == q {
			return w.witness
		}
	}
	return witness{}
}

// bearsWitness reports whether q is the gauge of any counter.
func bearsWitness(q schemas.Quantity) bool {
	for _, w := range witnesses {
		if w.witness.gauge == q {
			return true
		}
	}
	return false
}

// forwardOnly are the gauges that are negative, and the counters that grow,
// when energy or volume goes the other way.
var forwardOnly = []schemas.Quantity{
	"water.flow", "water.velocity", "water.volume.reverse",
	"power.active", "power.active.l1", "power.active.l2", "power.active.l3", "power.energy.export",
	"gas.flow.standard", "gas.flow.working",
}

// still is Still, in milliseconds; since 0: the register has not been seen to
// stand against a flow.
type still struct {
	since, seen int64
	flow        float64
}

// missedSteps is how many steps of its register a meter must have left out
// before it is stuck: what a meter shows as flow and what it begins to count
// are not the same [starting flow, OIML R 49-1].
const missedSteps = 10

// isStuck reports whether the register stands although the meter has shown flow
// in every Read for StuckAfter. Two Reads more than half of that apart prove
// nothing about the time between.
func (v *Validator) isStuck(s *slot, x schemas.Decimal, at int64) bool {
	if s.witness.gauge == "" || !s.live() {
		return false
	}
	rate, ok := v.shown(s)
	if !ok || rate <= 0 || !equal(x, s.last.value()) {
		s.still = still{}
		return false
	}
	after := v.rules.StuckAfter.Milliseconds()
	st := &s.still
	if st.since == 0 || at < st.seen || at-st.seen > after/2 {
		*st = still{since: at, seen: at, flow: rate}
		return false
	}
	st.seen, st.flow = at, min(st.flow, rate)
	missed := st.flow * float64(at-st.since) / msPerHour
	return at-st.since >= after && missed > missedSteps*step(x, x)
}

// flow is the last good value of a gauge that is a witness, and the Read of it.
type flow struct {
	gauge schemas.Quantity
	read  uint64
	value float64
}

// shown is the flow that this Read holds for the counter, in its unit per hour.
func (v *Validator) shown(s *slot) (rate float64, ok bool) {
	if s.flow == nil {
		i := slices.IndexFunc(v.flows, func(f *flow) bool { return f.gauge == s.witness.gauge })
		if i < 0 {
			return 0, false
		}
		s.flow = v.flows[i]
	}
	return s.flow.value * s.witness.factor, s.flow.read == v.read
}
