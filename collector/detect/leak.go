package detect

import (
	"fmt"

	"citygrid/schemas"
)

// leakMemory is what is known of a meter's flow.
type leakMemory struct {
	Vol    register `json:"vol,omitzero"`
	FlowAt int64    `json:"flow_at,omitempty"`
	// Idle is since when the register has stood, or the flow was nothing; 0: not.
	Idle  int64 `json:"idle,omitempty"`
	Night night `json:"night,omitzero"`
	// Nights of a leak in a row, the beginning of the first and of the last.
	Nights int   `json:"nights,omitempty"`
	First  int64 `json:"first,omitempty"`
	LastOf int64 `json:"last_of,omitempty"`
	Burst  burst `json:"burst,omitzero"`
}

// night is what has been seen of one window.
type night struct {
	From int64 `json:"from,omitempty"`
	// Done: it has been decided on.
	Done bool `json:"done,omitempty"`
	// Vol and Flow are how far the register and the flow speak of it.
	Vol  track `json:"vol,omitzero"`
	Flow track `json:"flow,omitzero"`
	// Quiet: the flow was once certainly below the one threshold, Still: the other.
	Quiet bool `json:"quiet,omitempty"`
	Still bool `json:"still,omitempty"`
	// Rise is what the register rose in Span, Least the least flow.
	Rise  schemas.Decimal `json:"rise,omitzero"`
	Span  int64           `json:"span,omitempty"`
	Least schemas.Decimal `json:"least,omitzero"`
	Seen  bool            `json:"seen,omitempty"`
}

// track is how much of a window a series of readings speaks of.
type track struct {
	To      int64 `json:"to,omitempty"`
	Covered int64 `json:"covered,omitempty"`
	Gap     bool  `json:"gap,omitempty"`
}

// extend adds a stretch of the window.
func (t *track) extend(from, to, maxGap int64) {
	t.Gap = t.Gap || from-t.To > maxGap
	t.Covered += to - from
	t.To = to
}

// speaks reports whether enough of the window is covered.
func (t *track) speaks(w span, maxGap, percent int64) bool {
	return !t.Gap && w.to > w.from && w.to-t.To <= maxGap && t.Covered*100 >= percent*(w.to-w.from)
}

// burst is what is known of a high flow.
type burst struct {
	Mark point `json:"mark,omitzero"`
	// High and Low are since when the flow has been above the one and below the
	// other threshold in every look, the last of which was at Seen; 0: not.
	High int64 `json:"high,omitempty"`
	Low  int64 `json:"low,omitempty"`
	Seen int64 `json:"seen,omitempty"`
}

func (b *burst) look(from, at, maxGap int64, high, low bool) {
	if at-b.Seen > maxGap {
		b.High, b.Low = 0, 0
	}
	b.Seen = at
	b.High, b.Low = keep(b.High, from, high), keep(b.Low, from, low)
}

// keep is since when a condition holds: since then, from now on, or not.
func keep(since, from int64, holds bool) int64 {
	switch {
	case !holds:
		return 0
	case since == 0:
		return from
	}
	return since
}

// forget drops what the register has shown. The night so far cannot be decided
// by it any more.
func (x *leakMemory) forget() {
	x.Vol, x.Idle, x.Burst = register{Last: point{At: x.Vol.Last.At}}, 0, burst{}
	x.Night.Vol.Gap = true
}

// sameRun is how far apart two nights of a leak may be and yet be of one run:
// nights that nobody could decide do not end it, a week without readings does.
const sameRun = 4 * 24 * hour

func (d *Detector) leak(m *meter, s *sample) {
	r, x := m.rules, &m.Leak
	if r.off[leak] {
		return
	}
	volume := s.has(volumeForward) && s.forward.At > x.Vol.Last.At
	flow := s.has(flowIsGood) && s.flow.At > x.FlowAt
	if !volume && !flow {
		return
	}
	var at int64
	if volume {
		at = s.forward.At
	}
	if flow {
		at = max(at, s.flow.At)
	}
	w := r.leak.nights.at(at)
	if x.Night.From != w.from {
		x.Night = night{From: w.from, Vol: track{To: w.from}, Flow: track{To: w.from}}
	}
	if flow {
		x.flow(r, s.flow, w)
	}
	if volume {
		x.volume(r, s.forward, w, flow && compare(s.flow.V, r.leak.below) >= 0)
	}
	if !x.Night.Done && at >= w.to {
		x.Night.Done = true
		if r.leak.count > 0 {
			d.night(m, w, at)
		}
	}
	d.idle(m, at)
	if !r.burst.off {
		d.burst(m, volume, flow, s)
	}
}

// volume takes a value of the register; busy: the flow is not nothing.
func (x *leakMemory) volume(r *ruleset, now point, w span, busy bool) {
	n := &x.Night
	last, known := x.Vol.Last, x.Vol.Known
	x.Vol.note(now.V)
	x.Vol.Last = now
	rise, ok := minus(now.V, last.V)
	ms := now.At - last.At
	if !known || ms > r.maxGap || !ok || rise.Mantissa < 0 {
		x.Idle = 0
		return
	}
	step := x.Vol.step(now.V)
	x.Idle = keep(x.Idle, last.At, rise.Mantissa == 0 && !busy)
	from, to := max(last.At, w.from), min(now.At, w.to)
	if from >= to || n.Done {
		return
	}
	n.Vol.extend(from, to, r.maxGap)
	n.Span += ms
	if n.Rise, ok = n.Rise.Add(rise); !ok {
		n.Vol.Gap = true
	}
	if top, ok := rise.Add(step); ok {
		n.certain(r, top, ms)
	}
	if x.Idle != 0 {
		n.certain(r, step, to-max(x.Idle, w.from))
	}
}

// certain notes that no more than that volume went through in that time.
func (n *night) certain(r *ruleset, volume schemas.Decimal, ms int64) {
	n.Quiet = n.Quiet || belowFlow(volume, ms, r.leak.above)
	n.Still = n.Still || belowFlow(volume, ms, r.leak.below)
}

// flow takes a value of the flow.
func (x *leakMemory) flow(r *ruleset, now point, w span) {
	n, last := &x.Night, x.FlowAt
	x.FlowAt = now.At
	near := last != 0 && now.At-last <= r.maxGap
	still := compare(now.V, r.leak.below) < 0
	switch {
	case !still:
		x.Idle = 0
	case x.blind(now.At, r.maxGap) && !near:
		x.Idle = now.At
	case x.blind(now.At, r.maxGap):
		x.Idle = keep(x.Idle, now.At, true)
	}
	if n.Done {
		return
	}
	if near {
		if from, to := max(last, w.from), min(now.At, w.to); from < to {
			n.Flow.extend(from, to, r.maxGap)
		}
	}
	if now.At < w.from || now.At >= w.to {
		return
	}
	n.Quiet = n.Quiet || compare(now.V, r.leak.above) < 0
	n.Still = n.Still || still
	if !n.Seen || compare(now.V, n.Least) < 0 {
		n.Least, n.Seen = now.V, true
	}
}

// blind: nothing is known of the register, and the flow speaks alone.
func (x *leakMemory) blind(at, maxGap int64) bool { return at-x.Vol.Last.At > maxGap }

// night decides on a window that has passed.
func (d *Detector) night(m *meter, w span, at int64) {
	r, x := m.rules, &m.Leak
	n := &x.Night
	byVolume := n.Vol.speaks(w, r.maxGap, r.leak.coverage)
	byFlow := n.Seen && n.Flow.speaks(w, r.maxGap, r.leak.coverage)
	o := m.open[leak]
	switch {
	case !byVolume && !byFlow:
	case n.Quiet:
		x.Nights = 0
		if n.Still && o != nil && !o.Burst {
			d.settleOf(m, leak, facts{at: at, quantity: "water.flow", limit: r.leak.below,
				note: "a night with no flow again"})
		}
	case x.flows(r, byVolume, byFlow):
		if x.Nights == 0 || w.from-x.LastOf > sameRun {
			x.Nights, x.First = 0, w.from
		}
		x.Nights, x.LastOf = min(x.Nights+1, 1000), w.from
		if x.Nights < r.leak.count {
			return
		}
		if o != nil {
			o.Burst = false
			return
		}
		d.raiseOf(m, leak, facts{since: x.First, at: at, quantity: "water.flow", value: n.mean(byVolume), limit: r.leak.above,
			note: fmt.Sprintf("the flow never came down to nothing through %d night(s)", x.Nights)})
	}
}

// flows reports whether the window was one of a leak: the register says so, or
// it is too coarse to tell and every look at the flow says so.
func (x *leakMemory) flows(r *ruleset, byVolume, byFlow bool) bool {
	if !byVolume {
		return byFlow
	}
	n := &x.Night
	step := x.Vol.step(x.Vol.Last.V)
	if bottom, ok := minus(n.Rise, step); ok {
		if sign, ok := compareFlow(bottom, n.Span, r.leak.above); ok && sign >= 0 {
			return true
		}
	}
	top, ok := n.Rise.Add(step)
	return byFlow && ok && !belowFlow(top, n.Span, r.leak.above)
}

// mean is the flow that an event tells of: the mean by the register, or else the
// least that the meter has shown.
func (n *night) mean(byVolume bool) schemas.Decimal {
	if byVolume && n.Rise.Mantissa > 0 {
		return flowOf(n.Rise, n.Span)
	}
	return n.Least
}

// idle clears a leak after a time without flow, at any hour.
func (d *Detector) idle(m *meter, at int64) {
	r, x := m.rules, &m.Leak
	if m.open[leak] == nil || x.Idle == 0 || r.leak.clearAfter == 0 {
		return
	}
	seen := x.Vol.Last.At
	if x.blind(at, r.maxGap) {
		seen = x.FlowAt
	} else if !belowFlow(x.Vol.step(x.Vol.Last.V), seen-x.Idle, r.leak.below) {
		return // the register is too coarse to have shown it
	}
	if seen-x.Idle >= r.leak.clearAfter {
		x.Nights = 0
		d.settleOf(m, leak, facts{at: at, quantity: "water.flow", limit: r.leak.below, note: "no flow for " + minutes(seen-x.Idle)})
	}
}

// resolved is by how many steps of the register a volume must exceed its
// resolution for a mean flow to be made of it.
const resolved = 4

// burst decides on a flow that no use explains: by the meter's own flow, or by
// its register where it shows none.
func (d *Detector) burst(m *meter, volume, flow bool, s *sample) {
	r, x := m.rules, &m.Leak
	b := &x.Burst
	var now schemas.Decimal
	var at int64
	switch {
	case flow:
		now, at = s.flow.V, s.flow.At
		b.look(at, at, r.maxGap, compare(now, r.burst.above) >= 0, compare(now, r.burst.below) < 0)
	case volume && s.forward.At-x.FlowAt > r.maxGap:
		mark, ms := b.Mark, s.forward.At-b.Mark.At
		rise, ok := minus(s.forward.V, mark.V)
		if mark.At == 0 || ms > r.maxGap || !ok || rise.Mantissa < 0 {
			b.Mark = s.forward
			return
		}
		least, ok := x.Vol.step(s.forward.V).Mul(resolved)
		if !ok || !belowFlow(least, ms, r.burst.below) {
			return // not long enough yet for the register to tell
		}
		now, at, b.Mark = flowOf(rise, ms), s.forward.At, s.forward
		high, fits := compareFlow(rise, ms, r.burst.above)
		b.look(mark.At, at, r.maxGap, fits && high >= 0, belowFlow(rise, ms, r.burst.below))
	default:
		return
	}
	o := m.open[leak]
	switch {
	case o == nil && b.High != 0 && at-b.High >= r.burst.forMS:
		d.raiseOf(m, leak, facts{since: b.High, at: at, quantity: "water.flow", value: now, limit: r.burst.above,
			note: "the flow has been above the limit for " + minutes(at-b.High)}).Burst = true
	case o != nil && o.Burst && b.Low != 0 && at-b.Low >= r.burst.clears:
		d.settleOf(m, leak, facts{at: at, quantity: "water.flow", value: now, limit: r.burst.below,
			note: "the flow has been below the limit for " + minutes(at-b.Low)})
	}
}
