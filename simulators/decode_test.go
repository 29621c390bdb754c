package simulators

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"testing"

	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// decode reads a field's registers the long way: bytes put in order one by
// one, then rational numbers. It shares nothing with the encoder, the oracle
// or the collector's decoder. It returns nil and the reason for no value.
func decode(t *testing.T, f profiles.Field, words func(profiles.Part) []uint16) (*big.Rat, schemas.Reason) {
	t.Helper()
	sum := new(big.Rat)
	for _, p := range f.Parts {
		raw := bytesInOrder(p, words(p))
		for _, a := range p.Absent {
			if new(big.Int).SetBytes(raw).Cmp(new(big.Int).SetUint64(a)) == 0 {
				return nil, schemas.ReasonSentinel
			}
		}
		n, reason := rawNumber(t, p, raw)
		if reason != "" {
			return nil, reason
		}
		if f.States != nil {
			w := uint16(n.Num().Uint64())
			if f.Mask != 0 {
				w &= f.Mask
			}
			code, ok := f.States[w]
			if !ok {
				return nil, schemas.ReasonUnknownState
			}
			return new(big.Rat).SetInt64(int64(code)), ""
		}
		scale, _ := new(big.Rat).SetString(fmt.Sprintf("%de%d", p.Times, p.Shift))
		sum.Add(sum, toGrid(n.Mul(n, scale), p.Places))
	}
	return sum, ""
}

// toGrid rounds v to so many decimals, half to even; 0 decimals leave it alone.
func toGrid(v *big.Rat, places int) *big.Rat {
	if places == 0 {
		return v
	}
	// FloatString rounds halves away from zero, so halves are told first.
	grid, _ := new(big.Rat).SetString(fmt.Sprintf("1e-%d", places))
	near, _ := new(big.Rat).SetString(v.FloatString(places))
	off := new(big.Rat).Sub(near, v)
	if off.Abs(off); off.Add(off, off).Cmp(grid) == 0 && new(big.Rat).Quo(near, grid).Num().Bit(0) == 1 {
		if v.Sign() < 0 {
			grid.Neg(grid)
		}
		near.Sub(near, grid)
	}
	return near
}

// TestToPlaces compares the oracle's rounding with rational numbers.
func TestToPlaces(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"0.5", "0.5"}, {"0.25", "0.2"}, {"0.35", "0.4"}, {"0.2500001", "0.3"}, {"-0.25", "-0.2"}, {"-0.35", "-0.4"},
		{"-0.2500001", "-0.3"}, {"0.95", "1"}, {"0.05", "0"}, {"0.0500000000001", "0.1"}, {"12", "12"}, {"0.249", "0.2"},
	} {
		in, err := schemas.ParseDecimal(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := new(big.Rat).SetString(tt.want)
		if got := rat(toPlaces(in, 1)); got.Cmp(want) != 0 {
			t.Errorf("%s: %s, want %s", tt.in, got.FloatString(9), tt.want)
		}
		if got := toGrid(rat(in), 1); got.Cmp(want) != 0 {
			t.Errorf("%s: the test's own rounding gives %s, want %s", tt.in, got.FloatString(9), tt.want)
		}
	}
	for m := range int64(30_000) {
		d := schemas.Decimal{Mantissa: m - 15_000, Exponent: -4}
		if got, want := rat(toPlaces(d, 2)), toGrid(rat(d), 2); got.Cmp(want) != 0 {
			t.Fatalf("%s: %s, want %s", d, got.FloatString(4), want.FloatString(4))
		}
	}
}

// TestExpectedToPlaces: what the oracle expects of a meter whose register is
// finer than the decimals that its profile keeps.
func TestExpectedToPlaces(t *testing.T) {
	p := part{Part: profiles.Part{Type: profiles.F32, Words: 2, Times: 1, Places: 2}}
	if d, ok := p.decimal(number{f: 0.125, isFloat: true}); !ok || d.String() != "0.12" {
		t.Errorf("got %s, want 0.12", d)
	}
}

// bytesInOrder returns the bytes most significant first.
func bytesInOrder(p profiles.Part, words []uint16) []byte {
	var b []byte
	for _, w := range words {
		b = binary.BigEndian.AppendUint16(b, w)
	}
	switch p.Order {
	case profiles.DCBA:
		slices.Reverse(b)
	case profiles.CDAB:
		slices.Reverse(b) // DCBA to ABCD, then undo the swap inside words
		fallthrough
	case profiles.BADC:
		for i := 0; i < len(b); i += 2 {
			b[i], b[i+1] = b[i+1], b[i]
		}
	}
	return b
}

func rawNumber(t *testing.T, p profiles.Part, b []byte) (*big.Rat, schemas.Reason) {
	t.Helper()
	u := new(big.Int).SetBytes(b)
	switch p.Type {
	case profiles.F32, profiles.F64:
		bits, f := 32, float64(math.Float32frombits(uint32(u.Uint64())))
		if p.Type == profiles.F64 {
			bits, f = 64, math.Float64frombits(u.Uint64())
		}
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, schemas.ReasonNaN
		}
		r, ok := new(big.Rat).SetString(strconv.FormatFloat(f, 'g', -1, bits))
		if !ok {
			t.Fatalf("float %v", f)
		}
		return r, ""
	case profiles.BCD:
		r, ok := new(big.Rat).SetString(fmt.Sprintf("%x", b))
		if !ok || slices.ContainsFunc([]byte(fmt.Sprintf("%x", b)), func(c byte) bool { return c > '9' }) {
			return nil, schemas.ReasonBadBCD
		}
		return r, ""
	case profiles.I16, profiles.I32, profiles.I64:
		if b[0]&0x80 != 0 {
			u.Sub(u, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
	}
	return new(big.Rat).SetInt(u), ""
}

func rat(d schemas.Decimal) *big.Rat {
	r, _ := new(big.Rat).SetString(fmt.Sprintf("%de%d", d.Mantissa, d.Exponent))
	return r
}

// TestVectorsDecode checks the test's own decoder, and with it the maps,
// against the published registers.
func TestVectorsDecode(t *testing.T) {
	eachVector(t, func(p *profiles.Profile, v profiles.Vector, f profiles.Field, e profiles.Expectation) {
		if e.Missing == schemas.ReasonOverflow {
			return // rational numbers do not overflow
		}
		got, reason := decode(t, f, func(part profiles.Part) []uint16 {
			words, _ := v.Words(part)
			return words
		})
		if reason != e.Missing || reason == "" && got.Cmp(rat(e.Value)) != 0 {
			t.Errorf("%s: %s: %s = %v %q, want %s %q", p.ID, v.Name, e.Quantity, got, reason, e.Value, e.Missing)
		}
	})
}

// TestVectorsEncode encodes the values of the vectors and compares with their
// registers, wherever the value is a whole number of millionths.
func TestVectorsEncode(t *testing.T) {
	encoded := 0
	eachVector(t, func(p *profiles.Profile, v profiles.Vector, pf profiles.Field, e profiles.Expectation) {
		truth := new(big.Rat).Mul(rat(e.Value), big.NewRat(micro, 1))
		if pf.States != nil {
			truth = rat(e.Value)
		}
		if e.Missing != "" || !truth.IsInt() || !truth.Num().IsInt64() {
			return
		}
		f, err := newField(pf)
		if err != nil {
			t.Fatal(err)
		}
		for i := range f.parts {
			part := &f.parts[i]
			words, _ := v.Words(part.Part)
			if noisy(t, part.Part, words) {
				continue // the value does not tell the noise
			}
			b := part.bits(f.number(i, truth.Num().Int64()))
			for k, w := range words {
				if pf.Mask != 0 {
					w &= pf.Mask
				}
				if got := part.word(b, k); got != w {
					t.Errorf("%s: %s: %s word %d is %04X, want %04X", p.ID, v.Name, e.Quantity, k, got, w)
				}
			}
		}
		encoded++
	})
	if encoded < 150 {
		t.Errorf("only %d values were encoded", encoded)
	}
}

// noisy reports registers that hold more decimals than the profile keeps.
func noisy(t *testing.T, p profiles.Part, words []uint16) bool {
	t.Helper()
	kept, reason := decode(t, profiles.Field{Parts: []profiles.Part{p}}, func(profiles.Part) []uint16 { return words })
	p.Places = 0
	all, _ := decode(t, profiles.Field{Parts: []profiles.Part{p}}, func(profiles.Part) []uint16 { return words })
	return reason == "" && kept.Cmp(all) != 0
}

func eachVector(t *testing.T, f func(*profiles.Profile, profiles.Vector, profiles.Field, profiles.Expectation)) {
	t.Helper()
	set, err := profiles.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range set.IDs() {
		p, err := set.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		vectors, err := profiles.Vectors(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range vectors {
			for _, e := range v.Want {
				i := slices.IndexFunc(p.Fields, func(f profiles.Field) bool { return f.Quantity == e.Quantity })
				f(p, v, p.Fields[i], e)
			}
		}
	}
}
