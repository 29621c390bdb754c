package simulators

import (
	"fmt"
	"slices"
	"time"

	"citygrid/schemas"
)

// Troubles of what a meter stands for. A leak and silence are begun and mended
// while the fleet runs (Begin, Mend); these are planned.
const (
	FlowsBack    = "flows-back"    // water runs back through it
	CoverOpens   = "cover-opens"   // the cover of its chamber is lifted
	Floods       = "floods"        // water stands in its chamber
	BatteryFades = "battery-fades" // its battery is nearly empty
	ValveSticks  = "valve-sticks"  // its valve is abnormal, its relay not where it was told to go
)

func troubles() []string { return []string{FlowsBack, CoverOpens, Floods, BatteryFades, ValveSticks} }

func isTrouble(what string) bool { return slices.Contains(troubles(), what) }

// Trouble goes on from At for as long as For; 0: for ever.
type Trouble struct {
	What string
	At   time.Time
	For  time.Duration
}

// What the troubles amount to, and what there is without.
const (
	backFlow     = 0.8 // m3/h
	soundBattery = 3.45
	fadedBattery = 2.9 // V
	tiltLifted   = 60  // degrees, and up to 5 more
	tiltLying    = 0.5 // and up to 1.5 more
	levelFlooded = 0.9 // m, and up to 0.1 more
	levelDry     = 0.02
)

// checkTroubles reports one that the meter cannot show.
func (m *Meter) checkTroubles() error {
	shows := func(any ...schemas.Quantity) bool {
		return slices.ContainsFunc(m.fields, func(f field) bool { return slices.Contains(any, f.quantity) })
	}
	for _, t := range m.Troubles {
		ok := false
		switch t.What {
		case FlowsBack:
			ok = m.medium == schemas.Water && m.traits.sign > 0 && shows("water.volume.reverse", "water.volume.net")
		case CoverOpens:
			ok = shows("device.cover.state", "device.cover.tilt")
		case Floods:
			ok = shows("device.chamber.level", "device.chamber.float")
		case BatteryFades:
			ok = shows("device.battery.voltage", "device.battery.state")
		case ValveSticks:
			ok = m.Account == nil && shows("water.valve.state", "gas.valve.state", "power.relay.state")
		default:
			return fmt.Errorf("no such trouble as %q", t.What)
		}
		if !ok {
			return fmt.Errorf("%s: a meter of %s, profile %s, cannot show that", t.What, m.medium, m.model)
		}
	}
	return nil
}

// steps returns the first step of the trouble, and the first after it.
func (t *Trouble) steps(m *Meter) (from, to uint64) {
	if t.For == 0 {
		return m.stepOf(t.At), endless
	}
	return m.stepOf(t.At), m.stepOf(t.At.Add(t.For))
}

// troubled reports whether that trouble goes on.
func (m *Meter) troubled(what string, in instant) bool {
	for i := range m.Troubles {
		if t := &m.Troubles[i]; t.What == what {
			if from, to := t.steps(m); in.step >= from && in.step < to {
				return true
			}
		}
	}
	return false
}

// runningBack returns what runs back at a step, in m3/h, and what has since
// another, in m3.
func (m *Meter) runningBack(since, step uint64) (flow, volume float64) {
	for i := range m.Troubles {
		t := &m.Troubles[i]
		if t.What != FlowsBack {
			continue
		}
		from, to := t.steps(m)
		x := mishap{from: from, to: to}
		if x.within(step, step+1) > 0 {
			flow = backFlow
		}
		volume += backFlow * (time.Duration(x.within(since, step)) * m.Step).Hours()
	}
	return flow, volume
}

// chamberSignal returns the signals of a chamber and its cover.
func chamberSignal(q schemas.Quantity) signal {
	switch q {
	case "device.cover.state":
		return func(m *Meter, in instant) int64 { return oneIf(m.troubled(CoverOpens, in)) }
	case "device.cover.tilt":
		return func(m *Meter, in instant) int64 {
			if m.troubled(CoverOpens, in) {
				return toMicro(tiltLifted + 5*m.wobble(in, 40))
			}
			return toMicro(tiltLying + 1.5*m.wobble(in, 40))
		}
	case "device.chamber.float":
		return func(m *Meter, in instant) int64 { return oneIf(m.troubled(Floods, in)) }
	case "device.chamber.level":
		return func(m *Meter, in instant) int64 {
			if m.troubled(Floods, in) {
				return toMicro(levelFlooded + 0.1*m.wobble(in, 41))
			}
			return toMicro(levelDry + 0.05*m.wobble(in, 41))
		}
	}
	return nil
}

// Of a sound meter no water flows in these seconds of the day, by the clock on
// the wall.
const (
	quietFrom, quietTo = 3600, 5 * 3600
	// awake is by how much faster the rest of the day goes through the curve.
	awake = float64(daySeconds) / (daySeconds - (quietTo - quietFrom))
)

// consumption returns the relative rate at s seconds after the start, and its
// integral from the start to s, in seconds.
func (m *Meter) consumption(s float64) (rate, integral float64) {
	if !m.Sound || m.medium != schemas.Water {
		return m.traits.curve.at(s)
	}
	begin := float64((m.Start.Unix() + localOffset) % daySeconds)
	now, asleep := waking(begin + s)
	first, _ := waking(begin)
	rate, integral = m.traits.curve.at(now - first)
	if asleep {
		return 0, integral
	}
	return rate * awake, integral
}

// waking is the time of a clock that stands in the quiet seconds of each day and
// makes up for it in the others.
func waking(wall float64) (s float64, asleep bool) {
	days := float64(int64(wall) / daySeconds)
	of := wall - days*daySeconds
	switch {
	case of >= quietTo:
		of -= quietTo - quietFrom
	case of >= quietFrom:
		of, asleep = quietFrom, true
	}
	return days*daySeconds + of*awake, asleep
}
