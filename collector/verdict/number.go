package verdict

import (
	"math"

	"citygrid/schemas"
)

// point is a value and its moment, in milliseconds since 1970.
type point struct {
	mantissa int64
	at       int64
	exponent int8
	ok       bool
}

func pointOf(x schemas.Decimal, at int64) point { return point{x.Mantissa, at, x.Exponent, true} }

func (p point) value() schemas.Decimal {
	return schemas.Decimal{Mantissa: p.mantissa, Exponent: p.exponent}
}

// ten holds the powers of ten from -18 to 18.
var ten = func() (t [37]float64) {
	for i := range t {
		t[i] = math.Pow10(i - 18)
	}
	return t
}()

func pow10(exponent int8) float64 {
	if i := int(exponent) + 18; i >= 0 && i < len(ten) {
		return ten[i]
	}
	return math.Pow10(int(exponent))
}

// float is the value near enough for a check of plausibility.
func float(d schemas.Decimal) float64 { return float64(d.Mantissa) * pow10(d.Exponent) }

// below compares exactly; registers keep their exponent, so it is mostly one
// comparison of integers.
func below(a, b schemas.Decimal) bool {
	if a.Exponent == b.Exponent {
		return a.Mantissa < b.Mantissa
	}
	return a.Cmp(b) < 0
}

func equal(a, b schemas.Decimal) bool { return !below(a, b) && !below(b, a) }

// minus is a - b for two values that are not negative, near enough for a check
// of plausibility.
func minus(a, b schemas.Decimal) float64 {
	if a.Exponent == b.Exponent {
		return float64(a.Mantissa-b.Mantissa) * pow10(a.Exponent)
	}
	return float(a) - float(b)
}

// step is the least amount by which a register that showed a and b can move:
// the finer of their last digits, or that of a float32, which holds 24 bits and
// at most nine digits.
func step(a, b schemas.Decimal) float64 {
	unit := pow10(min(a.Exponent, b.Exponent))
	if a.Mantissa < 1e9 {
		unit = max(unit, float(a)*0x1p-23)
	}
	return unit
}

// interval is what is possible for a quantity.
type interval struct {
	low, high       schemas.Decimal
	hasLow, hasHigh bool
	// open excludes high itself.
	open bool
}

func (b *interval) atLeast(d schemas.Decimal) {
	if !b.hasLow || below(b.low, d) {
		b.low, b.hasLow = d, true
	}
}

func (b *interval) atMost(d schemas.Decimal) {
	if !b.hasHigh || below(d, b.high) {
		b.high, b.hasHigh, b.open = d, true, false
	}
}

// under sets an upper bound that is itself not possible.
func (b *interval) under(d schemas.Decimal) {
	if !b.hasHigh || !below(b.high, d) {
		b.high, b.hasHigh, b.open = d, true, true
	}
}

// mantissas returns the first and the last mantissa of that exponent in the
// interval.
func (b *interval) mantissas(exponent int8) (from, to int64) {
	from, to = math.MinInt64, math.MaxInt64
	if b.hasLow {
		m, exact, over := rescale(b.low, exponent)
		switch {
		case over < 0: // below every value of this exponent
		case over > 0:
			from = math.MaxInt64
		case exact:
			from = m
		default:
			from = m + 1
		}
	}
	if b.hasHigh {
		m, exact, over := rescale(b.high, exponent)
		switch {
		case over > 0:
		case over < 0:
			to = math.MinInt64
		case exact && b.open && m > math.MinInt64:
			to = m - 1
		default:
			to = m
		}
	}
	return from, to
}

// rescale returns the largest mantissa m at that exponent with m <= d, whether
// it is exactly d, and over = ±1 when it does not fit.
func rescale(d schemas.Decimal, exponent int8) (m int64, exact bool, over int) {
	m, exact = d.Mantissa, true
	for e := int(d.Exponent); e > int(exponent); e-- {
		switch {
		case m > math.MaxInt64/10:
			return 0, false, +1
		case m < math.MinInt64/10:
			return 0, false, -1
		}
		m *= 10
	}
	for e := int(d.Exponent); e < int(exponent); e++ {
		rest := m % 10
		m /= 10
		if rest != 0 {
			exact = false
			if rest < 0 {
				m--
			}
		}
	}
	return m, exact, 0
}
