package simulators

import (
	"fmt"
	"slices"
	"strings"

	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// field is a quantity of a profile with the signal that feeds it. It has parts
// when the profile is one of Modbus, octets otherwise.
type field struct {
	quantity schemas.Quantity
	signal   signal
	parts    []part
	octets   octets
	// counts is true for a counter.
	counts bool
	// wraps is where the counter goes back to zero, in millionths; 0: nowhere.
	wraps int64
	// stateRaw gives the raw value of each code, -1 where there is none; nil
	// for quantities that are no state.
	stateRaw []int32
	// within are the states whose bits stand in this status word.
	within []stateBits
	// reason is why the quantity has no value when it has none; empty when its
	// format cannot say so.
	reason schemas.Reason
	// absentBits is what part 0, or the octets, then hold.
	absentBits uint64
}

// stateBits are the bits that a state takes of a status word.
type stateBits struct {
	state *field
	mask  int64
	shift int
}

// fieldOf returns the field of a quantity, without its format.
func fieldOf(q schemas.Quantity, wrapsAt *schemas.Decimal) (field, schemas.QuantityInfo, error) {
	info, _ := q.Info()
	f := field{quantity: q, signal: signalOf(q), counts: info.Kind == schemas.Counter}
	if f.signal == nil {
		return f, info, fmt.Errorf("the simulator has no such signal")
	}
	if wrapsAt != nil {
		wraps, ok := wrapsAt.Shift(microDigits)
		for ok && wraps.Exponent > 0 {
			ok = false
			if grown, fits := wraps.Mul(10); fits {
				grown.Exponent--
				wraps, ok = grown, true
			}
		}
		if !ok || wraps.Exponent < 0 || wraps.Mantissa <= 0 {
			return f, info, fmt.Errorf("wraps at %s, which is no whole number of millionths that an int64 holds", wrapsAt)
		}
		f.wraps = wraps.Mantissa
	}
	return f, info, nil
}

// directed reports whether the sign of the quantity is the direction of flow.
func (f *field) directed() bool {
	switch f.quantity {
	case "power.active", "power.active.l1", "power.active.l2", "power.active.l3", "power.factor",
		"water.flow", "water.velocity", "water.volume.net":
		return true
	}
	return false
}

// showsSign reports whether the format can hold a number below zero.
func (f *field) showsSign() bool {
	if len(f.parts) == 0 {
		return f.octets.signed
	}
	return slices.ContainsFunc(f.parts, func(p part) bool {
		switch p.Type {
		case profiles.U16, profiles.U32, profiles.U64, profiles.BCD:
			return p.Times < 0
		}
		return true
	})
}

// isWord reports whether the field is a status word: bits, some of which may
// have a field of their own.
func (f *field) isWord() bool {
	return f.stateRaw == nil && (strings.HasPrefix(string(f.quantity), "device.status.") || f.quantity == "device.card.status")
}

// wordMask is a profile's mask, of which 0 stands for all bits.
func wordMask(mask uint16) int64 {
	if mask == 0 {
		return 0xFFFF
	}
	return int64(mask)
}

// stateNumber returns the raw value of a code, or of the first code that the
// profile can express.
func (f *field) stateNumber(code int64) int64 {
	if code < int64(len(f.stateRaw)) && f.stateRaw[code] >= 0 {
		return int64(f.stateRaw[code])
	}
	for _, raw := range f.stateRaw {
		if raw >= 0 {
			return int64(raw)
		}
	}
	return 0
}

// stateRaws turns raw-to-code into code-to-raw, the lowest raw value where
// several mean the same.
func stateRaws(states map[uint16]uint8, codes int) []int32 {
	raws := make([]int32, codes)
	for i := range raws {
		raws[i] = -1
	}
	for raw, code := range states {
		if known := raws[code]; known < 0 || int32(raw) < known {
			raws[code] = int32(raw)
		}
	}
	return raws
}
