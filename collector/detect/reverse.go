package detect

import "citygrid/schemas"

// reverseMemory is what is known of what ran back.
type reverseMemory struct {
	// Old and New are values of the reverse register, one to two times and up to
	// one time Within old.
	Old point `json:"old,omitzero"`
	New point `json:"new,omitzero"`
	// Calm is since when no more than a little has run back.
	Calm point `json:"calm,omitzero"`
	Seen int64 `json:"seen,omitempty"`
	// Own: the meter has a reverse register. Without it Back adds up what the net
	// one, last at Net if that is Known, has fallen.
	Own   bool            `json:"own,omitempty"`
	Known bool            `json:"known,omitempty"`
	Net   point           `json:"net,omitzero"`
	Back  schemas.Decimal `json:"back,omitzero"`
	// Flow is since when the flow has run back; 0: it does not.
	Flow   int64 `json:"flow,omitempty"`
	FlowAt int64 `json:"flow_at,omitempty"`
}

func (x *reverseMemory) forget() {
	*x = reverseMemory{Own: x.Own, Seen: x.Seen, Flow: x.Flow, FlowAt: x.FlowAt, Net: point{At: x.Net.At}}
}

func (d *Detector) reverse(m *meter, s *sample) {
	r, x := m.rules, &m.Reverse
	if r.off[reverseFlow] {
		return
	}
	if s.has(volumeReverse) {
		x.Own = true
		d.ranBack(m, s.back, "water.volume.reverse")
	} else if s.has(volumeNet) && !x.Own && s.net.At > x.Net.At {
		fall, ok := minus(x.Net.V, s.net.V)
		if x.Known && ok && fall.Mantissa > 0 {
			if x.Back, ok = x.Back.Add(fall); !ok {
				x.forget()
			}
		}
		x.Net, x.Known = s.net, true
		d.ranBack(m, point{x.Back, s.net.At}, "water.volume.net")
	}
	if s.has(waterFlow) && s.flow.At > x.FlowAt {
		d.runsBack(m, s.flow)
	}
	at := max(x.Seen, x.FlowAt)
	if m.open[reverseFlow] != nil && x.Calm.At != 0 && at-x.Calm.At >= r.reverse.clearAfter {
		d.settleOf(m, reverseFlow, facts{at: at, note: "nothing has run back for " + minutes(at-x.Calm.At)})
	}
}

// ranBack takes a value of the reverse register.
func (d *Detector) ranBack(m *meter, now point, q schemas.Quantity) {
	r, x := &m.rules.reverse, &m.Reverse
	if now.At <= x.Seen {
		return
	}
	gap := now.At-x.Seen > m.rules.maxGap
	x.Seen = now.At
	if x.Old.At == 0 || compare(now.V, x.New.V) < 0 || now.At-x.New.At > 2*r.within {
		x.Old, x.New, x.Calm = now, now, now
		return
	}
	if now.At-x.New.At >= r.within {
		x.Old, x.New = x.New, now
	}
	if moved, ok := minus(now.V, x.Calm.V); gap || !ok || compare(moved, r.clearVolume) > 0 {
		x.Calm = now
	}
	rise, ok := minus(now.V, x.Old.V)
	if !ok || compare(rise, r.volume) <= 0 {
		return
	}
	since := x.Old.At
	x.Old, x.New = now, now
	if m.open[reverseFlow] == nil {
		d.raiseOf(m, reverseFlow, facts{since: since, at: now.At, quantity: q, value: rise, limit: r.volume,
			note: rise.String() + " m3 ran back in " + minutes(now.At-since)})
	}
}

// runsBack takes a value of the flow.
func (d *Detector) runsBack(m *meter, now point) {
	r, x := &m.rules.reverse, &m.Reverse
	gap := now.At-x.FlowAt > m.rules.maxGap
	x.FlowAt = now.At
	if gap {
		x.Flow = 0
	}
	if gap || x.Calm.At == 0 || now.V.Mantissa < 0 {
		x.Calm.At = now.At
	}
	x.Flow = keep(x.Flow, now.At, compare(now.V, r.flow) <= 0)
	if x.Flow != 0 && now.At-x.Flow >= r.forMS && m.open[reverseFlow] == nil {
		d.raiseOf(m, reverseFlow, facts{since: x.Flow, at: now.At, quantity: "water.flow", value: now.V, limit: r.flow,
			note: "the flow has run back for " + minutes(now.At-x.Flow)})
	}
}
