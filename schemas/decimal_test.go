package schemas

import (
	"math"
	"math/big"
	"testing"
)

func TestDecimalString(t *testing.T) {
	for _, c := range []struct {
		d    Decimal
		want string
	}{
		{Decimal{}, "0"}, {Decimal{0, -2}, "0.00"}, {Decimal{0, 5}, "0"},
		{Decimal{56486, -2}, "564.86"}, {Decimal{10, -1}, "1.0"}, {Decimal{3, 2}, "300"},
		{Decimal{-5, -1}, "-0.5"}, {Decimal{-5, -3}, "-0.005"}, {Decimal{-123, -2}, "-1.23"},
		{Decimal{math.MinInt64, 0}, "-9223372036854775808"},
		{Decimal{math.MinInt64, -18}, "-9.223372036854775808"},
		{Decimal{math.MaxInt64, 18}, "9223372036854775807000000000000000000"},
		{Decimal{1, -18}, "0.000000000000000001"},
	} {
		if got := c.d.String(); got != c.want {
			t.Errorf("%#v is %q, want %q", c.d, got, c.want)
		}
		checkParse(t, c.d)
	}
}

// checkParse: what String writes comes back as the same value, and where the
// exponent is not positive in the same form.
func checkParse(t *testing.T, d Decimal) {
	t.Helper()
	got, err := ParseDecimal(d.String())
	if err != nil || got.Cmp(d) != 0 || rat(got).Cmp(rat(d)) != 0 || got.String() != d.String() {
		t.Errorf("%#v came back from %q as %#v, %v", d, d, got, err)
	}
	if d.Exponent <= 0 && got != d {
		t.Errorf("%#v came back from %q in another form: %#v", d, d, got)
	}
}

func TestParseDecimal(t *testing.T) {
	for s, want := range map[string]Decimal{
		"1.5e-3": {15, -4}, "+5": {5, 0}, "007": {7, 0}, "-0.0": {0, -1}, "1E2": {1, 2}, "1e+2": {1, 2},
		"9223372036854775807":     {math.MaxInt64, 0},
		"-9.223372036854775808":   {math.MinInt64, -18},
		"10000000000000000000":    {1000000000000000000, 1},
		"9223372036854775810":     {922337203685477581, 1},
		"-92233720368547758080":   {math.MinInt64, 1},
		"0e18":                    {0, 18},
		"000000000000000000000e0": {0, 0},
	} {
		if got, err := ParseDecimal(s); err != nil || got != want {
			t.Errorf("%q is %#v, %v, want %#v", s, got, err, want)
		}
	}
	for _, s := range []string{
		"", "-", "+", ".", "1.", ".5", "-.5", "1.-5", "--1", "+-1", "-+1", "1_000", "0x10", "1e", "e5", "1e5.0", "NaN", "Inf",
		" 1", "1 ", "1,5", "1.2.3", "٣", "9223372036854775808", "9223372036854775811", "1.00000000000000000000",
		"1e19", "1e-19", "0.0000000000000000001", "1e9223372036854775807", "1.5e-9223372036854775808", "1e99999999999999999999",
	} {
		if got, err := ParseDecimal(s); err == nil {
			t.Errorf("%q was read as %#v", s, got)
		}
	}
}

// rat is the exact value by another road.
func rat(d Decimal) *big.Rat {
	pow := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(d.Exponent, -d.Exponent))), nil)
	r := new(big.Rat).SetInt64(d.Mantissa)
	if d.Exponent < 0 {
		return r.Quo(r, new(big.Rat).SetInt(pow))
	}
	return r.Mul(r, new(big.Rat).SetInt(pow))
}

// at resolution e, the mantissa of r, if it is whole and fits.
func mantissaAt(r *big.Rat, e int8) (int64, bool) {
	m := new(big.Rat).Quo(r, rat(Decimal{1, e}))
	if !m.IsInt() || !m.Num().IsInt64() {
		return 0, false
	}
	return m.Num().Int64(), true
}

func checkArithmetic(t *testing.T, a, b Decimal) {
	t.Helper()
	if got, want := a.Cmp(b), rat(a).Cmp(rat(b)); got != want {
		t.Errorf("%#v.Cmp(%#v) = %d, want %d", a, b, got, want)
	}
	sum, ok := a.Add(b)
	m, fits := mantissaAt(new(big.Rat).Add(rat(a), rat(b)), min(a.Exponent, b.Exponent))
	if ok != fits || ok && (sum != Decimal{m, min(a.Exponent, b.Exponent)}) {
		t.Errorf("%#v.Add(%#v) = %#v, %v, want %d, %v", a, b, sum, ok, m, fits)
	}
	product, ok := a.Mul(b.Mantissa)
	m, fits = mantissaAt(new(big.Rat).Mul(rat(a), new(big.Rat).SetInt64(b.Mantissa)), a.Exponent)
	if ok != fits || ok && (product != Decimal{m, a.Exponent}) {
		t.Errorf("%#v.Mul(%d) = %#v, %v, want %d, %v", a, b.Mantissa, product, ok, m, fits)
	}
	if shifted, ok := a.Shift(int(b.Exponent)); ok && rat(shifted).Cmp(new(big.Rat).Mul(rat(a), rat(Decimal{1, b.Exponent}))) != 0 {
		t.Errorf("%#v.Shift(%d) = %#v", a, b.Exponent, shifted)
	}
}

// Every pair of the values at which arithmetic goes wrong.
func TestDecimalEdges(t *testing.T) {
	mantissas := []int64{0, 1, -1, 9, -9, 10, -10, math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, math.MinInt64 + 1,
		math.MaxInt64 / 10, math.MinInt64 / 10, math.MaxInt64/10 + 1, math.MinInt64/10 - 1, 1 << 62, -1 << 62}
	var ds []Decimal
	for _, m := range mantissas {
		for _, e := range []int8{-18, -1, 0, 1, 18} {
			ds = append(ds, Decimal{m, e})
		}
	}
	for _, a := range ds {
		checkParse(t, a)
		for _, b := range ds {
			checkArithmetic(t, a, b)
		}
	}
}

func FuzzDecimalArithmetic(f *testing.F) {
	f.Add(int64(math.MinInt64), int8(0), int64(math.MinInt64), int8(0))
	f.Add(int64(5), int8(-2), int64(-7), int8(3))
	f.Fuzz(func(t *testing.T, am int64, ae int8, bm int64, be int8) {
		a, b := Decimal{am, ae % (maxExponent + 1)}, Decimal{bm, be % (maxExponent + 1)}
		checkParse(t, a)
		checkArithmetic(t, a, b)
	})
}

func FuzzParseDecimal(f *testing.F) {
	for _, s := range []string{"0", "-1.50", "1e3", "92233720368547758070", "1.5e-3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDecimal(s)
		if err != nil {
			return
		}
		if err := d.Validate(); err != nil {
			t.Fatal(err)
		}
		want, ok := new(big.Rat).SetString(s)
		if !ok || want.Cmp(rat(d)) != 0 {
			t.Fatalf("%q was read as %#v", s, d)
		}
		checkParse(t, d)
	})
}

func TestDecimalFromFloat(t *testing.T) {
	for _, c := range []struct {
		bits uint32
		want Decimal
		ok   bool
	}{
		{0x43663333, Decimal{2302, -1}, true},     // 230.2
		{0x43663334, Decimal{23020001, -5}, true}, // its neighbour is another number
		{0x00000000, Decimal{}, true},
		{0x80000000, Decimal{}, true}, // minus zero
		{0x43960000, Decimal{300, 0}, true},
		{0x4b800000, Decimal{16777216, 0}, true},
		{0xbf000000, Decimal{-5, -1}, true},
		{0x7fc00000, Decimal{}, false}, // NaN
		{0x7f800000, Decimal{}, false}, // +Inf
		{0xff800000, Decimal{}, false}, // -Inf
		{0x00000001, Decimal{}, false}, // 1e-45, the least subnormal
		{0x000116c2, Decimal{}, false}, // 1e-40
		{0x7f7fffff, Decimal{}, false}, // 3.4028235e38
		{0x219392ef, Decimal{1, -18}, true},
	} {
		if got, ok := DecimalFromFloat32(math.Float32frombits(c.bits)); got != c.want || ok != c.ok {
			t.Errorf("%#08x is %#v, %v, want %#v, %v", c.bits, got, ok, c.want, c.ok)
		}
	}
	if got, ok := DecimalFromFloat64(0.1); !ok || got != (Decimal{1, -1}) {
		t.Errorf("0.1 is %#v, %v", got, ok)
	}
}

func FuzzDecimalFromFloat32(f *testing.F) {
	for _, bits := range []uint32{0, 1, 0x43663334, 0x7fc00000, 0x7f7fffff, 0x219392ef, 0x5e000000} {
		f.Add(bits)
	}
	f.Fuzz(func(t *testing.T, bits uint32) { checkFloat32(t, bits) })
}

func checkFloat32(t *testing.T, bits uint32) {
	t.Helper()
	x := math.Float32frombits(bits)
	d, ok := DecimalFromFloat32(x)
	if !ok {
		// Everything that a meter can mean must fit.
		if a := math.Abs(float64(x)); a == 0 || a >= 1e-9 && a <= 1e18 {
			t.Fatalf("%#08x, %g, was refused", bits, x)
		}
		return
	}
	if back, _ := rat(d).Float32(); back != x || d.Validate() != nil {
		t.Fatalf("%#08x, %g, is %#v, which reads back as %g", bits, x, d, back)
	}
	if d.Float64() != mustRat64(d) {
		t.Fatalf("Float64 of %#v is %g", d, d.Float64())
	}
}

func mustRat64(d Decimal) float64 { f, _ := rat(d).Float64(); return f }

// All exponents with mantissas spread over the range, besides the fuzzing.
func TestEveryFloat32Exponent(t *testing.T) {
	for bits := uint32(0); bits < 0xffff0000; bits += 65521 { // a prime, so that the low bits vary
		checkFloat32(t, bits)
	}
}
