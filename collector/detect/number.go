package detect

import (
	"math"

	"citygrid/schemas"
)

// hour in milliseconds turns volumes over a time into flows.
const hour = 3600_000

// point is a value and its moment; At 0: none.
type point struct {
	V  schemas.Decimal `json:"v,omitzero"`
	At int64           `json:"at,omitempty"`
}

// compare is Cmp, which is one comparison for a register that keeps its
// exponent.
func compare(a, b schemas.Decimal) int {
	if a.Exponent == b.Exponent {
		switch {
		case a.Mantissa < b.Mantissa:
			return -1
		case a.Mantissa > b.Mantissa:
			return 1
		}
		return 0
	}
	return a.Cmp(b)
}

// minus returns a - b exactly.
func minus(a, b schemas.Decimal) (schemas.Decimal, bool) {
	if b.Mantissa == math.MinInt64 {
		return schemas.Decimal{}, false
	}
	b.Mantissa = -b.Mantissa
	return a.Add(b)
}

// compareFlow compares volume, m3 in ms milliseconds, with a flow in m3/h,
// exactly; ok is false when the numbers are too large for that.
func compareFlow(volume schemas.Decimal, ms int64, flow schemas.Decimal) (sign int, ok bool) {
	a, fits := volume.Mul(hour)
	b, also := flow.Mul(ms)
	if !fits || !also {
		return 0, false
	}
	return compare(a, b), true
}

// below reports that a volume in that time is certainly less than the flow.
func belowFlow(volume schemas.Decimal, ms int64, flow schemas.Decimal) bool {
	sign, ok := compareFlow(volume, ms, flow)
	return ok && sign < 0
}

// flowOf is the mean flow of a volume in that time, in m3/h, with a litre's
// resolution or the register's if that is finer, rounded towards zero.
func flowOf(volume schemas.Decimal, ms int64) schemas.Decimal {
	p, ok := volume.Mul(hour)
	for ok && p.Exponent > -3 {
		if p, ok = p.Mul(10); ok {
			p.Exponent--
		}
	}
	if !ok || ms <= 0 {
		return schemas.Decimal{}
	}
	p.Mantissa /= ms
	return p
}

// register is what is known of how a counter shows its volume.
type register struct {
	Last point `json:"last,omitzero"`
	// Known: Last has a value, and not only the moment before which nothing counts.
	Known bool `json:"known,omitempty"`
	// Fine is the finest exponent that it has shown; Floats: it has shown more
	// than one, and so is a floating-point register.
	Fine   int8 `json:"fine,omitempty"`
	Floats bool `json:"floats,omitempty"`
}

// note takes the form of a value.
func (r *register) note(v schemas.Decimal) {
	if r.Known && v.Exponent != r.Fine {
		r.Floats = true
	}
	if !r.Known || v.Exponent < r.Fine {
		r.Fine, r.Known = v.Exponent, true
	}
}

// step is the least amount by which the register can move at v: its last digit,
// or that of a float32 of 24 bits, rounded up to twice that.
func (r *register) step(v schemas.Decimal) schemas.Decimal {
	s := schemas.Decimal{Mantissa: 1, Exponent: r.Fine}
	if !r.Floats {
		return s
	}
	units := math.Abs(float64(v.Mantissa)) * math.Pow10(int(v.Exponent)-int(r.Fine)) * 0x1p-22
	if units > 1 && units < 1e18 {
		s.Mantissa = int64(math.Ceil(units))
	}
	return s
}
