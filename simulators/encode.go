package simulators

import (
	"fmt"
	"math"

	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// number is what a part's registers hold before their bytes are put in order:
// an integer, or a float rounded to the width of the register.
type number struct {
	n       int64
	f       float64
	isFloat bool
}

// part is a profile's part made ready for encoding.
type part struct {
	profiles.Part
	// scale is what one of the raw number is worth in millionths of the unit:
	// exact for integers, rounded for floats (whose registers round anyway).
	scale  int64
	fscale float64
	// last is false for a part that gives only whole multiples of its scale
	// and leaves the rest to the parts after it.
	last bool
}

// microDigits is log10 of micro.
const microDigits = 6

func newPart(p profiles.Part, last bool) (part, error) {
	out := part{Part: p, last: last}
	out.fscale = float64(p.Times) * math.Pow10(p.Shift+microDigits)
	if last && (p.Type == profiles.F32 || p.Type == profiles.F64) {
		return out, nil
	}
	exponent := p.Shift + microDigits
	if exponent < 0 {
		return out, fmt.Errorf("register 0x%04X: shift %d is finer than the millionths that the simulator keeps", p.At, p.Shift)
	}
	scale, ok := schemas.Decimal{Mantissa: p.Times}, true
	for range exponent {
		if scale, ok = scale.Mul(10); !ok {
			return out, fmt.Errorf("register 0x%04X: times %d and shift %d are too large to simulate", p.At, p.Times, p.Shift)
		}
	}
	out.scale = scale.Mantissa
	return out, nil
}

// number returns the raw number of part i when truth is true.
func (f *field) number(i int, truth int64) number {
	if f.stateRaw != nil {
		return number{n: f.stateNumber(truth)}
	}
	if f.wraps > 0 {
		truth %= f.wraps
	}
	for k := range i {
		if p := &f.parts[k]; !p.cannotShow(truth) {
			truth %= p.scale
		}
	}
	return f.parts[i].number(truth)
}

// cannotShow reports whether truth has the sign that an unsigned part has not.
// It then shows zero and leaves the whole to the part after it: drawn and fed-in
// power are two registers, of which one is zero.
func (p *part) cannotShow(truth int64) bool {
	switch p.Type {
	case profiles.U16, profiles.U32, profiles.U64, profiles.BCD:
		return truth/p.scale < 0
	}
	return false
}

// number is truth at the resolution of the register, cut towards zero as
// meters do.
func (p *part) number(truth int64) number {
	switch p.Type {
	case profiles.F32, profiles.F64:
		v := float64(truth) / p.fscale
		if !p.last {
			v = float64(truth / p.scale)
		}
		if p.Type == profiles.F32 {
			v = float64(float32(v))
		}
		return number{f: v, isFloat: true}
	}
	n := p.fit(truth / p.scale)
	for _, a := range p.Absent {
		if p.bits(number{n: n}) == a {
			n-- // the meter must not say "not available" by accident
		}
	}
	return number{n: n}
}

// fit brings n into the range of the register: an unsigned counter goes round,
// a negative number that cannot be shown is shown as zero.
func (p *part) fit(n int64) int64 {
	switch p.Type {
	case profiles.I16:
		return int64(int16(n))
	case profiles.I32:
		return int64(int32(n))
	case profiles.I64:
		return n
	}
	switch n = max(n, 0); p.Type {
	case profiles.U16:
		return int64(uint16(n))
	case profiles.U32:
		return int64(uint32(n))
	case profiles.BCD:
		limit := int64(1)
		for range 4 * p.Words {
			limit *= 10
		}
		return n % limit
	}
	return n
}

// bits returns the register's content as one number, most significant first.
func (p *part) bits(v number) uint64 {
	switch p.Type {
	case profiles.F32:
		return uint64(math.Float32bits(float32(v.f)))
	case profiles.F64:
		return math.Float64bits(v.f)
	case profiles.BCD:
		var packed uint64
		for digit, n := 0, v.n; digit < 4*p.Words; digit, n = digit+1, n/10 {
			packed |= uint64(n%10) << (4 * digit)
		}
		return packed
	}
	return uint64(v.n) & widthMask(p.Words)
}

func widthMask(words int) uint64 {
	if words >= 4 {
		return math.MaxUint64
	}
	return 1<<(16*words) - 1
}

// word returns the i-th register on the wire of content b.
func (p *part) word(b uint64, i int) uint16 {
	shift := p.Words - 1 - i // ABCD: most significant word first
	if p.Order == profiles.CDAB || p.Order == profiles.DCBA {
		shift = i
	}
	w := uint16(b >> (16 * shift))
	if p.Order == profiles.BADC || p.Order == profiles.DCBA {
		w = w<<8 | w>>8
	}
	return w
}

// noValue finds how a field can say that it has no value: the maker's sentinel,
// NaN, or a digit above nine. Counters and states always have one.
func (f *field) noValue(info schemas.QuantityInfo) {
	if info.Kind != schemas.Gauge {
		return
	}
	switch p := f.parts[0]; {
	case len(p.Absent) > 0:
		f.reason, f.absentBits = schemas.ReasonSentinel, p.Absent[0]
	case p.Type == profiles.F32:
		f.reason, f.absentBits = schemas.ReasonNaN, 0x7FC00000
	case p.Type == profiles.F64:
		f.reason, f.absentBits = schemas.ReasonNaN, 0x7FF8000000000000
	case p.Type == profiles.BCD:
		f.reason, f.absentBits = schemas.ReasonBadBCD, widthMask(p.Words)
	}
}
