package schemas

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Decimal is the exact number Mantissa × 10^Exponent. Totals and money are
// Decimals or plain integers, never floats: 0.1 m³ is {1, -1} and stays so.
// Two Decimals may be equal in value and differ in form ({10, -1} and {1, 0});
// the exponent keeps the resolution of the meter's register. Compare with Cmp.
type Decimal struct {
	Mantissa int64
	// Exponent lies in [-18, 18].
	Exponent int8
}

// maxExponent bounds Decimal.Exponent on both sides.
const maxExponent = 18

// Validate reports an exponent outside [-18, 18].
func (d Decimal) Validate() error {
	if d.Exponent < -maxExponent || d.Exponent > maxExponent {
		return &FieldError{Field: "exponent", Problem: fmt.Sprintf("%d is outside -%d..%d", d.Exponent, maxExponent, maxExponent)}
	}
	return nil
}

// String writes d in plain notation with every digit of its resolution:
// {56486, -2} is "564.86", {10, -1} is "1.0", {3, 2} is "300".
func (d Decimal) String() string {
	digits := strconv.FormatInt(d.Mantissa, 10)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	switch e := int(d.Exponent); {
	case e > 0:
		if d.Mantissa != 0 {
			digits += strings.Repeat("0", e)
		}
	case e < 0:
		if len(digits) <= -e {
			digits = strings.Repeat("0", -e-len(digits)+1) + digits
		}
		cut := len(digits) + e
		digits = digits[:cut] + "." + digits[cut:]
	}
	return sign + digits
}

// Float64 returns the nearest float64. It is for charts and range checks, not
// for sums or comparisons of totals.
func (d Decimal) Float64() float64 {
	f, err := strconv.ParseFloat(strconv.FormatInt(d.Mantissa, 10)+"e"+strconv.Itoa(int(d.Exponent)), 64)
	if err != nil { // cannot happen inside the exponent's bounds
		return math.NaN()
	}
	return f
}

// ParseDecimal reads what String writes, plus an optional exponent part
// ("1.5e-3"). It keeps trailing zeros as resolution; only the zeros of a whole
// number too long for an int64 become an exponent. A number that does not fit
// is an error, never rounded.
func ParseDecimal(s string) (Decimal, error) {
	bad := func(problem string) (Decimal, error) {
		return Decimal{}, fmt.Errorf("decimal %q: %s", s, problem)
	}
	body, exp := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		e, err := strconv.Atoi(s[i+1:])
		// The bound keeps the sums below from wrapping.
		if err != nil || e < -1000 || e > 1000 {
			return bad("bad exponent")
		}
		body, exp = s[:i], e
	}
	whole, frac, dotted := strings.Cut(body, ".")
	if dotted && frac == "" || !onlyIn(frac, isDigit) {
		return bad("want digits after the point")
	}
	digits := strings.TrimPrefix(strings.TrimPrefix(whole, "-"), "+")
	if digits == "" || !onlyIn(digits, isDigit) {
		return bad("want digits before the point")
	}
	m, zeros, ok := parseMantissa(whole+frac, !dotted)
	if !ok {
		return bad("more digits than a 64-bit mantissa holds")
	}
	exp += zeros - len(frac)
	if exp < -maxExponent || exp > maxExponent {
		return bad(fmt.Sprintf("exponent %d is outside -%d..%d", exp, maxExponent, maxExponent))
	}
	return Decimal{Mantissa: m, Exponent: int8(exp)}, nil
}

// parseMantissa reads an integer. With shorten it drops as many trailing zeros
// as the number needs to fit, and returns their count.
func parseMantissa(s string, shorten bool) (m int64, zeros int, ok bool) {
	for {
		m, err := strconv.ParseInt(s, 10, 64)
		if err == nil {
			return m, zeros, true
		}
		if !shorten || zeros == maxExponent || !strings.HasSuffix(s, "0") {
			return 0, 0, false
		}
		s, zeros = s[:len(s)-1], zeros+1
	}
}

// Cmp compares the values of a and b, whatever their exponents, and returns
// -1, 0 or +1. It never overflows.
func (d Decimal) Cmp(b Decimal) int {
	am, bm := d.Mantissa, b.Mantissa
	if sa, sb := sign(am), sign(bm); sa != sb || sa == 0 {
		return cmpInt(sa, sb)
	}
	// Same sign: bring both to the lower exponent. A mantissa that overflows
	// on the way is larger in magnitude than any int64.
	if d.Exponent >= b.Exponent {
		x, over := scaleUp(am, int(d.Exponent)-int(b.Exponent))
		if over {
			return sign(am)
		}
		return cmpInt64(x, bm)
	}
	return -b.Cmp(d)
}

func sign(m int64) int {
	switch {
	case m > 0:
		return 1
	case m < 0:
		return -1
	}
	return 0
}

func cmpInt(a, b int) int { return cmpInt64(int64(a), int64(b)) }

func cmpInt64(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// scaleUp returns m × 10^n, or over when that does not fit.
func scaleUp(m int64, n int) (scaled int64, over bool) {
	for ; n > 0; n-- {
		if m > math.MaxInt64/10 || m < math.MinInt64/10 {
			return 0, true
		}
		m *= 10
	}
	return m, false
}

// Mul returns d × factor exactly, or ok=false when the mantissa overflows.
func (d Decimal) Mul(factor int64) (product Decimal, ok bool) {
	if factor == 0 || d.Mantissa == 0 {
		return Decimal{Exponent: d.Exponent}, true
	}
	p := d.Mantissa * factor
	if p/factor != d.Mantissa || (factor == -1 && d.Mantissa == math.MinInt64) {
		return Decimal{}, false
	}
	return Decimal{Mantissa: p, Exponent: d.Exponent}, true
}

// Shift returns d × 10^n exactly, or ok=false when the exponent leaves its
// bounds.
func (d Decimal) Shift(n int) (shifted Decimal, ok bool) {
	e := int(d.Exponent) + n
	if e < -maxExponent || e > maxExponent {
		return Decimal{}, false
	}
	return Decimal{Mantissa: d.Mantissa, Exponent: int8(e)}, true
}

// Add returns d + b exactly at the finer of the two resolutions, or ok=false
// when the sum does not fit an int64 mantissa there.
func (d Decimal) Add(b Decimal) (sum Decimal, ok bool) {
	if d.Exponent < b.Exponent {
		d, b = b, d
	}
	n := int(d.Exponent) - int(b.Exponent)
	x, over := scaleUp(d.Mantissa, n)
	if over {
		return addWide(d.Mantissa, n, b)
	}
	s := x + b.Mantissa
	// A sum of two int64 has wrapped when it moved the wrong way.
	if (b.Mantissa > 0 && s < x) || (b.Mantissa < 0 && s > x) {
		return Decimal{}, false
	}
	return Decimal{Mantissa: s, Exponent: b.Exponent}, true
}

// addWide is Add where m × 10^n leaves the int64 on the way: with opposite
// signs the sum may still fit.
func addWide(m int64, n int, b Decimal) (sum Decimal, ok bool) {
	wide := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
	wide.Mul(wide, big.NewInt(m))
	wide.Add(wide, big.NewInt(b.Mantissa))
	if !wide.IsInt64() {
		return Decimal{}, false
	}
	return Decimal{Mantissa: wide.Int64(), Exponent: b.Exponent}, true
}

// DecimalFromFloat32 returns the shortest decimal that reads back as f, which
// is the number that the meter's maker meant by the register: 0x43663333 is
// 230.2. The float32 can be had back from the decimal; only the sign of a
// minus zero is dropped, which is no other value.
//
// ok is false for NaN, an infinity, or a number that [-18, 18] cannot hold
// exactly. That includes the tiny ones, such as 1e-40: no meter means them, so
// a register that holds one is more likely read with the wrong type or word
// order, and rounding it to 0 would turn that mistake into a good reading.
func DecimalFromFloat32(f float32) (d Decimal, ok bool) {
	return decimalFromFloat(float64(f), 32)
}

// DecimalFromFloat64 is DecimalFromFloat32 for a float64 register.
func DecimalFromFloat64(f float64) (d Decimal, ok bool) {
	return decimalFromFloat(f, 64)
}

func decimalFromFloat(f float64, bits int) (Decimal, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return Decimal{}, false
	}
	m, e := shortest(f, bits)
	if m == 0 {
		return Decimal{}, true
	}
	// A value such as 300 comes out as 3e2; keep it a whole number where it
	// fits, so that counters read naturally.
	for e > 0 {
		x, over := scaleUp(m, 1)
		if over {
			break
		}
		m, e = x, e-1
	}
	if e < -maxExponent || e > maxExponent {
		return Decimal{}, false
	}
	return Decimal{Mantissa: m, Exponent: int8(e)}, true
}

// shortest returns the fewest digits m and the exponent e for which m × 10^e
// rounds to f. A float64 needs at most 17 digits, which fit.
func shortest(f float64, bits int) (m int64, e int) {
	var room [32]byte
	text := strconv.AppendFloat(room[:0], f, 'e', -1, bits) // [-]d[.ddd]e±dd
	past := false
	for i, c := range text {
		switch {
		case c == 'e':
			exp, _ := strconv.Atoi(string(text[i+1:]))
			e += exp
			if f < 0 {
				m = -m
			}
			return m, e
		case c == '.':
			past = true
		case c != '-':
			m = m*10 + int64(c-'0')
			if past {
				e--
			}
		}
	}
	return m, e
}
