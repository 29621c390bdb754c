package detect

import (
	"fmt"
	"math/bits"

	"citygrid/schemas"
)

// maxLooks bounds Of.
const maxLooks = 32

// looks are the last looks at a condition, the newest in the lowest bit: which
// were for it, and which against.
type looks struct {
	For     uint32 `json:"for,omitempty"`
	Against uint32 `json:"against,omitempty"`
	At      int64  `json:"at,omitempty"`
	// First is the first look for it since one that was not.
	First int64 `json:"first,omitempty"`
}

// look adds a look, and reports false for one that is late.
func (l *looks) look(at, maxGap int64, is, isNot bool) bool {
	if at <= l.At {
		return false
	}
	if at-l.At > maxGap {
		*l = looks{}
	}
	l.At = at
	l.For, l.Against = l.For<<1, l.Against<<1
	if is {
		l.For |= 1
	}
	if isNot {
		l.Against |= 1
	}
	l.First = keep(l.First, at, is || !isNot && l.First != 0)
	return true
}

// agrees reports whether enough of the newest looks are in set.
func (b *band) agrees(set uint32) bool {
	return bits.OnesCount32(set&uint32(1<<b.of-1)) >= b.agree
}

// verdict opens or clears an event by what the last looks agree on.
func (d *Detector) verdict(m *meter, k int, b *band, l *looks, f facts, opens, clears string) {
	f.at = l.At
	switch o := m.open[k]; {
	case o == nil && b.agrees(l.For):
		f.since, f.note = l.At, opens
		if l.First != 0 {
			f.since = l.First
		}
		d.raiseOf(m, k, f)
	case o != nil && b.agrees(l.Against):
		f.note = clears
		d.settleOf(m, k, f)
	}
}

func number(n int64) schemas.Decimal { return schemas.Decimal{Mantissa: n} }

// cover decides by the contact where there is one, else by the tilt.
func (d *Detector) cover(m *meter, s *sample) {
	b := &m.rules.cover
	if m.rules.off[coverOpen] {
		return
	}
	if s.has(coverState) {
		is := s.cover.V.Mantissa != 0
		if m.Cover.look(s.cover.At, m.rules.maxGap, is, !is) {
			d.verdict(m, coverOpen, b, &m.Cover, facts{quantity: "device.cover.state", value: s.cover.V, limit: number(1)},
				"the contact of the cover is open", "the contact of the cover is closed again")
		}
		return
	}
	if m.Cover.look(s.tilt.At, m.rules.maxGap, compare(s.tilt.V, b.above) >= 0, compare(s.tilt.V, b.below) <= 0) {
		d.verdict(m, coverOpen, b, &m.Cover, facts{quantity: "device.cover.tilt", value: s.tilt.V, limit: b.limit(m.open[coverOpen] != nil)},
			"the cover is tilted", "the cover lies flat again")
	}
}

// limit is the threshold that decides now, of a rule that opens above.
func (b *band) limit(open bool) schemas.Decimal {
	if open {
		return b.below
	}
	return b.above
}

// level decides by the float switch or the level: either opens, and neither may
// speak for water when it is cleared.
func (d *Detector) level(m *meter, s *sample) {
	b := &m.rules.level
	if m.rules.off[waterLevel] {
		return
	}
	f := facts{quantity: "device.chamber.float", value: s.wet.V, limit: number(1)}
	is, isNot := s.has(chamberWet) && s.wet.V.Mantissa != 0, !s.has(chamberWet) || s.wet.V.Mantissa == 0
	at := s.wet.At
	if s.has(chamberLevel) {
		f = facts{quantity: "device.chamber.level", value: s.level.V, limit: b.limit(m.open[waterLevel] != nil)}
		is = is || compare(s.level.V, b.above) >= 0
		isNot = isNot && compare(s.level.V, b.below) <= 0
		at = max(at, s.level.At)
	}
	if m.Level.look(at, m.rules.maxGap, is, isNot) {
		d.verdict(m, waterLevel, b, &m.Level, f, "water stands in the chamber above its mark", "the water in the chamber has gone")
	}
}

// battery decides by the meter's own word or the voltage: either opens, and both
// must be good for it to be cleared.
func (d *Detector) battery(m *meter, s *sample) {
	b := &m.rules.battery
	if m.rules.off[batteryLow] {
		return
	}
	f := facts{quantity: "device.battery.state", value: s.battery.V, limit: number(1)}
	is, isNot := s.has(batteryState) && s.battery.V.Mantissa != 0, !s.has(batteryState) || s.battery.V.Mantissa == 0
	at := s.battery.At
	if s.has(batteryVoltage) {
		if !is {
			f = facts{quantity: "device.battery.voltage", value: s.volts.V, limit: b.limit(m.open[batteryLow] == nil)}
		}
		is = is || compare(s.volts.V, b.below) <= 0
		isNot = isNot && compare(s.volts.V, b.above) >= 0
		at = max(at, s.volts.At)
	}
	if m.Battery.look(at, m.rules.maxGap, is, isNot) {
		d.verdict(m, batteryLow, b, &m.Battery, f, "the battery is low", "the battery is good again")
	}
}

// creditMemory is what is known of a meter's purses.
type creditMemory struct {
	Looks looks `json:"looks,omitzero"`
	// Had are the purses that have been seen with credit, as bits.
	Had uint8 `json:"had,omitempty"`
	// Empty: so they were seen last.
	Empty bool `json:"empty,omitempty"`
}

// credit decides by the purses that have ever held something: a meter that
// counts money shows nothing as energy for ever. A read without one of them
// decides nothing.
func (d *Detector) credit(m *meter, s *sample) {
	r, x := m.rules, &m.Credit
	b := &r.credit
	if r.off[creditOut] {
		return
	}
	given := uint8(s.given / creditFirst)
	for i := range purses {
		if given&(1<<i) != 0 && compare(s.purse[i].V, b.above) > 0 {
			x.Had |= 1 << i
		}
	}
	count := x.Had
	if count == 0 && r.prepaid {
		count = given
	}
	if count == 0 || count&^given != 0 {
		return
	}
	empty, loaded, at, most := true, false, int64(0), -1
	for i := range purses {
		if count&(1<<i) == 0 {
			continue
		}
		p := s.purse[i]
		empty = empty && compare(p.V, b.below) <= 0
		loaded = loaded || compare(p.V, b.above) > 0
		at = max(at, p.At)
		if most < 0 || compare(p.V, s.purse[most].V) > 0 {
			most = i
		}
	}
	if x.Looks.look(at, r.maxGap, empty, loaded) {
		x.Empty = empty
		d.verdict(m, creditOut, b, &x.Looks, facts{quantity: purseQuantity(most), value: s.purse[most].V, limit: b.limit(m.open[creditOut] == nil)},
			"the credit is used up", "the purse holds credit again")
	}
}

// valveMemory is what is known of a valve or relay.
type valveMemory struct {
	// Wrong and Right are since when it has been so in every look; 0: it is not.
	Wrong int64 `json:"wrong,omitempty"`
	Right int64 `json:"right,omitempty"`
	At    int64 `json:"at,omitempty"`
}

// valve decides by the state of the valve, or by the relay and what it was told.
func (d *Detector) valve(m *meter, s *sample) {
	r, x := m.rules, &m.Valve
	if r.off[valveStuck] {
		return
	}
	now, q := s.valve, s.valveQuantity
	wrong, limit, note := r.valveIs(now.V.Mantissa, m.Credit.Empty)
	if !s.has(valveState) {
		now, q, limit = s.relay, "power.relay.state", s.command.V
		wrong, note = compare(s.relay.V, s.command.V) != 0, "the relay is not where it was told to go"
	}
	if now.At <= x.At || !s.has(valveState) && !s.has(relayCommand) {
		return
	}
	if now.At-x.At > r.maxGap {
		x.Wrong, x.Right = 0, 0
	}
	x.At = now.At
	x.Wrong, x.Right = keep(x.Wrong, now.At, wrong), keep(x.Right, now.At, !wrong)
	f := facts{at: now.At, quantity: q, value: now.V, limit: limit}
	switch o := m.open[valveStuck]; {
	case o == nil && wrong && now.At-x.Wrong >= r.valve.forMS:
		f.since, f.note = x.Wrong, fmt.Sprintf("%s, for %s", note, minutes(now.At-x.Wrong))
		d.raiseOf(m, valveStuck, f)
	case o != nil && !wrong && now.At-x.Right >= r.valve.clears:
		f.note = "it is where it should be again"
		d.settleOf(m, valveStuck, f)
	}
}

// valveIs says whether a valve is wrong, and what it was held against.
func (r *ruleset) valveIs(code int64, empty bool) (wrong bool, limit schemas.Decimal, note string) {
	limit = number(valveIsOpen)
	if r.valve.expected != anyState {
		limit = number(r.valve.expected)
	}
	switch {
	case code == valveIsAbnormal:
		return true, limit, "the meter calls its valve abnormal"
	case code == valveIsMoving:
		return true, limit, "the valve is on its way and does not arrive"
	case r.valve.expected != anyState && code != r.valve.expected && !empty:
		return true, limit, "the valve is not where it is expected"
	}
	return false, limit, ""
}
