package simulators

import (
	"math"

	"citygrid/schemas"
)

func powerSignal(q schemas.Quantity) signal {
	for _, of := range [...]func(schemas.Quantity) signal{energySignal, prepaidSignal, relaySignal} {
		if s := of(q); s != nil {
			return s
		}
	}
	switch q {
	case "power.active":
		return func(m *Meter, in instant) int64 { return toMicro(flow(m, in)) }
	case "power.active.l1":
		return activeOf(0)
	case "power.active.l2":
		return activeOf(1)
	case "power.active.l3":
		return activeOf(2)
	case "power.apparent":
		return func(m *Meter, in instant) int64 { return toMicro(math.Abs(flow(m, in)) / powerFactor(m, in)) }
	case "power.reactive":
		return func(m *Meter, in instant) int64 {
			pf := powerFactor(m, in)
			return toMicro(math.Abs(flow(m, in)) * math.Sqrt(1-pf*pf) / pf)
		}
	case "power.factor":
		return func(m *Meter, in instant) int64 { return toMicro(m.traits.sign * powerFactor(m, in)) }
	case "power.frequency":
		return func(m *Meter, in instant) int64 { return toMicro(49.95 + 0.1*m.wobble(in, 10)) }
	case "power.voltage":
		return func(m *Meter, in instant) int64 {
			return toMicro((voltage(m, in, 0) + voltage(m, in, 1) + voltage(m, in, 2)) / 3)
		}
	case "power.voltage.l1":
		return voltageOf(0)
	case "power.voltage.l2":
		return voltageOf(1)
	case "power.voltage.l3":
		return voltageOf(2)
	case "power.current.l1":
		return currentOf(0)
	case "power.current.l2":
		return currentOf(1)
	case "power.current.l3":
		return currentOf(2)
	case "power.ratio.current":
		return func(m *Meter, _ instant) int64 {
			return micro * pick(m.Seed, saltCurrentRatio, 20, 30, 40, 60, 80, 120)
		}
	case "power.ratio.voltage":
		return func(m *Meter, _ instant) int64 { return micro * pick(m.Seed, saltVoltageRatio, 10, 35, 100) }
	}
	return nil
}

// pick is the seed's choice of one.
func pick(seed, salt uint64, of ...int64) int64 { return of[mix(seed, salt)%uint64(len(of))] }

func energySignal(q schemas.Quantity) signal {
	switch q {
	case "power.energy.import":
		return forward
	case "power.energy.export":
		return backward
	case "power.energy.total":
		return func(m *Meter, in instant) int64 { return mainCount(m, in) + minorCount(m, in) }
	case "power.energy.import.l1":
		return importOf(0)
	case "power.energy.import.l2":
		return importOf(1)
	case "power.energy.import.l3":
		return importOf(2)
	case "power.energy.reactive.import":
		return reactiveCount
	case "power.energy.reactive.export":
		return otherCount
	case "power.energy.import.t1":
		return tariffOf(0)
	case "power.energy.import.t2":
		return tariffOf(1)
	case "power.energy.import.t3":
		return tariffOf(2)
	case "power.energy.import.t4":
		return tariffOf(3)
	}
	return nil
}

// powerFactor is the meter's own, give or take half a hundredth.
func powerFactor(m *Meter, in instant) float64 {
	return m.traits.factor + 0.01*m.wobble(in, 11)
}

// voltage of a phase. The phases lie 4 V apart and move by less, so that one is
// never taken for another; all stay within 220 V -5 % and +5 %.
func voltage(m *Meter, in instant, phase int) float64 {
	return 217 + 4*float64(phase) + m.traits.voltage + m.wobble(in, 12+uint64(phase))
}

func voltageOf(phase int) signal {
	return func(m *Meter, in instant) int64 { return toMicro(voltage(m, in, phase)) }
}

func activeOf(phase int) signal {
	return func(m *Meter, in instant) int64 { return toMicro(flow(m, in) * m.traits.shares[phase]) }
}

func currentOf(phase int) signal {
	return func(m *Meter, in instant) int64 {
		watts := math.Abs(flow(m, in)) * m.traits.shares[phase]
		return toMicro(watts / (voltage(m, in, phase) * powerFactor(m, in)))
	}
}

func importOf(phase int) signal {
	return func(m *Meter, in instant) int64 {
		return int64(float64(forward(m, in)) * m.traits.shares[phase])
	}
}

// The tariffs take their turns: of each block of imported energy, the first
// part is counted in tariff 1, the next in tariff 2, and so on, so that the four
// always sum to the import and none ever falls. In millionths of a kWh.
const tariffBlock = micro

// tariffOf returns one of the four tariffs' registers.
func tariffOf(n int) signal {
	return func(m *Meter, in instant) int64 {
		parts := [...]int64{0, 400_000, 650_000, 850_000, tariffBlock}
		total := forward(m, in)
		part := parts[n+1] - parts[n]
		return total/tariffBlock*part + min(max(total%tariffBlock-parts[n], 0), part)
	}
}
