package simulators

import (
	"math"
	"time"

	"citygrid/schemas"
)

// micro is the resolution of everything that is true of a meter: millionths of
// the quantity's unit, as an int64. A register then shows as much of it as its
// format can.
const micro = 1e6

// traits are what the seed makes of a meter. They do not change.
type traits struct {
	curve curve
	// mean is the mean flow (m3/h) or power (W); sign is -1 for a meter that
	// feeds in or flows backwards.
	mean, sign float64
	// levels are the counters' values at the start.
	levels
	// shares are the phases' parts of the whole; they differ by at least 0.03.
	shares  [3]float64
	factor  float64 // power factor
	ratio   float64 // standard to working volume
	voltage float64 // offset from nominal
	credit  float64
	price   int64 // fen for a unit of the main counter
	// rest levels of pressure (kPa), temperature (Cel), battery (V), and the
	// pipe's area (m2)
	pressure, temperature, battery, area float64
}

func newTraits(medium schemas.Medium, seed uint64, start time.Time, singlePhase bool) traits {
	draw := func(salt uint64, low, high float64) float64 { return between(mix(seed, salt), low, high) }
	t := traits{
		curve: newCurve(medium, seed, start), sign: 1,
		levels:   newLevels(seed),
		factor:   draw(saltFactor, 0.9, 0.98),
		ratio:    draw(saltRatio, 3, 5),
		voltage:  draw(saltVoltage, 0, 2),
		credit:   draw(saltCredit, 0, creditBought),
		pressure: draw(saltPressure, 250, 420), temperature: draw(saltTemperature, 8, 22),
		battery: draw(saltBattery, 3.25, 3.65), area: draw(saltArea, 2e-4, 9e-4),
	}
	switch medium {
	case schemas.Power:
		t.mean = draw(saltMean, 800, 9000)
		t.price = int64(draw(saltPrice, 45, 65))
	case schemas.Water:
		t.mean = draw(saltMean, 0.05, 0.9)
		t.price = int64(draw(saltPrice, 190, 420))
	default:
		t.mean = draw(saltMean, 2, 60)
		t.price = int64(draw(saltPrice, 250, 390))
	}
	if mix(seed, saltSign)%8 == 0 && medium != schemas.Gas {
		t.sign = -1
	}
	l1, l2 := draw(saltShare1, 0.39, 0.42), draw(saltShare2, 0.32, 0.34)
	t.shares = [3]float64{l1, l2, 1 - l1 - l2}
	if singlePhase {
		t.shares = [3]float64{1, 0, 0}
	}
	return t
}

// perHour returns how much the main counter grows in an hour at the mean.
func (t *traits) perHour(medium schemas.Medium) float64 {
	if medium == schemas.Power {
		return t.mean / 1000
	}
	return t.mean
}

// instant is a moment of a meter: what all its registers have in common.
type instant struct {
	step uint64
	// rate is the flow or power now, relative to the mean; leak what runs beside it, in
	// m3/h.
	rate, leak float64
	// back is what runs back, in m3/h, and ranBack what has since the counters' origin.
	back, ranBack float64
	// used is the consumption since the counters' origin, in units of the main
	// counter; usedCredit since the start, whatever was reset, and without leaks, which
	// nobody has paid for.
	used, usedCredit float64
	// levels are the counters' values at the origin.
	levels
	// bought is what to add to the purchases since the start.
	bought int64
}

// wobble is noise in [0, 1), new with each step and of its own for each tag.
func (m *Meter) wobble(in instant, tag uint64) float64 {
	return unit(mix(mix(m.Seed, saltWobble+tag<<8), in.step))
}

// signal returns what is true of a quantity, in millionths of its unit; for a
// State quantity, the code.
type signal func(m *Meter, in instant) int64

func toMicro(v float64) int64 { return int64(math.Round(v * micro)) }

// Shares of the main consumption that the lesser counters see.
const (
	minorShare    = 0.02
	reactiveShare = 0.3
	otherShare    = 0.004
)

// The counters. A meter that feeds in counts its main consumption on the other
// side.
func mainCount(m *Meter, in instant) int64 {
	if s, ok := m.account(in); ok {
		return in.main + s.Used*milli
	}
	return in.main + int64(in.used*micro)
}
func minorCount(m *Meter, in instant) int64 {
	if m.Sound && m.medium == schemas.Water {
		return in.minor
	}
	return in.minor + int64(in.used*minorShare*micro)
}
func reactiveCount(_ *Meter, in instant) int64 {
	return in.reactive + int64(in.used*reactiveShare*micro)
}
func otherCount(_ *Meter, in instant) int64 {
	return in.other + int64(in.used*otherShare*micro)
}

// forward and backward are the counters in the two directions.
func forward(m *Meter, in instant) int64 {
	if m.traits.sign < 0 {
		return minorCount(m, in)
	}
	return mainCount(m, in)
}

func backward(m *Meter, in instant) int64 {
	if m.traits.sign < 0 {
		return mainCount(m, in)
	}
	return minorCount(m, in) + toMicro(in.ranBack)
}

// flow is the derivative of the main counter with its sign: m3/h or W.
func flow(m *Meter, in instant) float64 {
	return m.traits.sign*m.traits.mean*in.rate + in.leak - in.back
}

// signalOf returns the signal of a quantity, nil when the simulator has none.
func signalOf(q schemas.Quantity) signal {
	info, ok := q.Info()
	if !ok {
		return nil
	}
	switch info.Medium {
	case schemas.Power:
		return powerSignal(q)
	case schemas.Water:
		return waterSignal(q)
	case schemas.Gas:
		return gasSignal(q)
	}
	return deviceSignal(q)
}

func waterSignal(q schemas.Quantity) signal {
	if s := prepaidSignal(q); s != nil {
		return s
	}
	switch q {
	case "water.volume.forward":
		return forward
	case "water.volume.reverse":
		return backward
	case "water.volume.net":
		return func(m *Meter, in instant) int64 { return forward(m, in) - backward(m, in) }
	case "water.flow":
		return func(m *Meter, in instant) int64 { return toMicro(flow(m, in)) }
	case "water.velocity":
		return func(m *Meter, in instant) int64 { return toMicro(flow(m, in) / 3600 / m.traits.area) }
	case "water.pressure":
		return pressure
	case "water.temperature":
		return temperature
	case "water.valve.state":
		return valve
	case "water.pipe.state":
		return func(*Meter, instant) int64 { return pipeFull }
	case "water.signal.quality":
		return func(m *Meter, in instant) int64 { return toMicro(70 + 20*m.wobble(in, 30)) }
	}
	return nil
}

func gasSignal(q schemas.Quantity) signal {
	if s := prepaidSignal(q); s != nil {
		return s
	}
	switch q {
	case "gas.volume.total":
		return func(m *Meter, in instant) int64 { return mainCount(m, in) + minorCount(m, in) }
	case "gas.volume.standard":
		return mainCount
	case "gas.volume.working":
		return func(m *Meter, in instant) int64 {
			return in.reactive + int64(in.used/m.traits.ratio*micro)
		}
	case "gas.flow.standard":
		return func(m *Meter, in instant) int64 { return toMicro(flow(m, in)) }
	case "gas.flow.working":
		return func(m *Meter, in instant) int64 { return toMicro(flow(m, in) / m.traits.ratio) }
	case "gas.temperature":
		return temperature
	case "gas.pressure":
		return pressure
	case "gas.valve.state":
		return valve
	}
	return nil
}

func deviceSignal(q schemas.Quantity) signal {
	switch q {
	case "device.battery.voltage":
		return battery
	case "device.battery.state":
		return func(m *Meter, in instant) int64 { return oneIf(battery(m, in) < lowBattery) }
	}
	if s := chamberSignal(q); s != nil {
		return s
	}
	return statusSignal(q)
}

func oneIf(condition bool) int64 {
	if condition {
		return 1
	}
	return 0
}

// lowBattery is where a meter begins to call its battery low; the codes are
// those of the table of quantities.
const (
	lowBattery    = 3.3 * micro
	pipeFull      = 0
	valveOpen     = 1
	valveAbnormal = 2
)

func battery(m *Meter, in instant) int64 {
	if m.troubled(BatteryFades, in) {
		return toMicro(fadedBattery + 0.02*m.wobble(in, 31))
	}
	return toMicro(m.traits.battery + 0.02*m.wobble(in, 31))
}

func pressure(m *Meter, in instant) int64 {
	return toMicro(m.traits.pressure + 5*m.wobble(in, 32) - 20*in.rate)
}

func temperature(m *Meter, in instant) int64 {
	return toMicro(m.traits.temperature + 0.5*m.wobble(in, 33))
}

// valve is open but for one meter in sixteen, whose valve is abnormal for one
// hour in four, and where it sticks.
func valve(m *Meter, in instant) int64 {
	if m.troubled(ValveSticks, in) {
		return valveAbnormal
	}
	if s, ok := m.account(in); ok {
		return oneIf(!s.Off) // valveOpen is 1
	}
	hour := uint64(time.Duration(in.step)*m.Step) / uint64(time.Hour)
	if !m.Sound && mix(m.Seed, saltValve)%16 == 0 && mix(m.Seed, saltValve+hour<<8)%4 == 0 {
		return valveAbnormal
	}
	return valveOpen
}
