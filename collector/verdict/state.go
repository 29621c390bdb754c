package verdict

import "time"

// State returns what is to be kept across a restart. It shares nothing with v.
func (v *Validator) State() State {
	out := State{Serial: v.serial, Heard: v.heard}
	if v.liveAt != 0 {
		out.LiveAt = toTime(v.liveAt)
	}
	for i := range v.slots {
		if s := &v.slots[i]; s.counter != nil && s.last.ok {
			out.Counters = append(out.Counters, s.save())
		}
	}
	return out
}

func (s *slot) save() CounterState {
	out := CounterState{
		Quantity: s.quantity, Origin: origins[s.origin], Recorded: s.recorded,
		Last: s.last.save(), Firm: s.firm.save(), Doubt: s.doubt.save(),
	}
	if s.still.since != 0 {
		out.Still = &Still{Since: toTime(s.still.since), Seen: toTime(s.still.seen), Flow: s.still.flow}
	}
	if l := s.level; l != nil {
		out.Level = &Level{First: *l.first.save(), Last: *l.last.save(), Count: l.count, Reset: l.reset}
	}
	return out
}

// restore takes what save gave. Nothing but a baseline makes sense alone.
func (s *slot) restore(in CounterState) {
	if s.last = load(in.Last); !s.last.ok {
		return
	}
	s.firm, s.doubt, s.recorded = load(in.Firm), load(in.Doubt), in.Recorded
	if in.Still != nil {
		s.still = still{since: in.Still.Since.UnixMilli(), seen: in.Still.Seen.UnixMilli(), flow: in.Still.Flow}
	}
	if l := in.Level; l != nil && l.Count > 0 {
		s.level = &level{first: load(&l.First), last: load(&l.Last), count: l.Count, reset: l.Reset}
	}
}

func (p point) save() *Point {
	if !p.ok {
		return nil
	}
	return &Point{Value: p.value(), At: toTime(p.at)}
}

func load(p *Point) point {
	if p == nil {
		return point{}
	}
	return pointOf(p.Value, p.At.UnixMilli())
}

func toTime(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
