package detect

import "citygrid/schemas"

// What of a read a rule is about, as bits of sample.given.
const (
	volumeForward = 1 << iota
	volumeReverse
	volumeNet
	waterFlow
	flowIsGood // and not only judged to run back
	coverState
	coverTilt
	chamberLevel
	chamberWet
	valveState
	relayState
	relayCommand
	batteryVoltage
	batteryState
	creditFirst // of the purses; the next five bits are theirs

	anyWater   = volumeForward | volumeReverse | volumeNet | waterFlow
	anyCover   = coverState | coverTilt
	anyLevel   = chamberLevel | chamberWet
	anyValve   = valveState | relayState
	anyBattery = batteryVoltage | batteryState
	anyCredit  = (1<<purses - 1) * creditFirst
)

// purses is how many quantities are a credit.
const purses = 6

// The codes of the table of quantities.
const (
	valveIsClosed   = 0
	valveIsOpen     = 1
	valveIsAbnormal = 2
	valveIsMoving   = 3
	anyState        = -1
)

// sample is one read of one meter: what of it can decide.
type sample struct {
	given int
	forward, back, net, flow,
	cover, tilt, level, wet,
	valve, relay, command,
	volts, battery point
	valveQuantity schemas.Quantity
	purse         [purses]point
}

func (s *sample) has(any int) bool { return s.given&any != 0 }

// take takes a reading, if it can decide anything.
func (s *sample) take(r *schemas.Reading, m *meter) {
	if r.Origin != schemas.Live || r.Quality == schemas.Missing {
		return
	}
	if r.Quality != schemas.Good && r.Reason != schemas.ReasonReverse {
		s.doubt(r, m)
		return
	}
	p, bit := s.place(r.Quantity)
	if p == nil || r.Quality != schemas.Good && bit&(volumeReverse|volumeNet|waterFlow) == 0 {
		return
	}
	if bit == waterFlow && r.Quality == schemas.Good {
		bit |= flowIsGood
	}
	if bit == valveState {
		s.valveQuantity = r.Quantity
	}
	s.given |= bit
	*p = point{r.Value, r.TakenAt.UnixMilli()}
}

// doubt drops what is known of registers that another meter shows, or that have
// begun anew. A single wrong value leaves them as they are.
func (s *sample) doubt(r *schemas.Reading, m *meter) {
	if r.Reason != schemas.ReasonSwap && r.Reason != schemas.ReasonReset {
		return
	}
	switch r.Quantity {
	case "water.volume.forward":
		m.Leak.forget()
	case "water.volume.reverse", "water.volume.net":
		m.Reverse.forget()
	}
}

// place returns where the value of a quantity goes; nil for one that no rule is
// about.
func (s *sample) place(q schemas.Quantity) (*point, int) {
	switch q {
	case "water.volume.forward":
		return &s.forward, volumeForward
	case "water.flow":
		return &s.flow, waterFlow
	case "water.volume.reverse":
		return &s.back, volumeReverse
	case "water.volume.net":
		return &s.net, volumeNet
	case "device.cover.state":
		return &s.cover, coverState
	case "device.cover.tilt":
		return &s.tilt, coverTilt
	case "device.chamber.level":
		return &s.level, chamberLevel
	case "device.chamber.float":
		return &s.wet, chamberWet
	case "water.valve.state", "gas.valve.state":
		return &s.valve, valveState
	case "power.relay.state":
		return &s.relay, relayState
	case "power.relay.command":
		return &s.command, relayCommand
	case "device.battery.voltage":
		return &s.volts, batteryVoltage
	case "device.battery.state":
		return &s.battery, batteryState
	}
	for i := range purses {
		if q == purseQuantity(i) {
			return &s.purse[i], creditFirst << i
		}
	}
	return nil, 0
}

func purseQuantity(i int) schemas.Quantity {
	return [purses]schemas.Quantity{"water.credit.volume", "water.credit.money", "power.credit.energy",
		"power.credit.money", "gas.credit.volume", "gas.credit.money"}[i]
}
