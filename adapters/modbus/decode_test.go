package modbus

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/big"
	"strings"
	"testing"

	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func field(parts ...profiles.Part) profiles.Field {
	return profiles.Field{Quantity: "power.energy.import", Parts: parts}
}

// part returns a part of function 3 without scale.
func part(at uint16, typ profiles.Type, words int, order profiles.Order) profiles.Part {
	return profiles.Part{Function: 3, At: at, Type: typ, Words: words, Order: order, Times: 1}
}

func scaled(p profiles.Part, times int64, shift int, absent ...uint64) profiles.Part {
	p.Times, p.Shift, p.Absent = times, shift, absent
	return p
}

const (
	abcd = profiles.ABCD
	cdab = profiles.CDAB
	badc = profiles.BADC
	dcba = profiles.DCBA
)

// scaledTo is a float part with places.
func scaledTo(times int64, shift, places int) profiles.Part {
	p := scaled(part(0, profiles.F32, 2, abcd), times, shift)
	p.Places = places
	return p
}

func TestDecode(t *testing.T) {
	f32, f64 := profiles.F32, profiles.F64
	f64Places := part(0, f64, 4, abcd)
	f64Places.Places = 7
	// A register value, or for 32 bits the documents' own bytes.
	tests := []struct {
		name   string
		raw    string
		field  profiles.Field
		want   string
		reason schemas.Reason
	}{
		{"f32 ABCD", "449A5000", field(part(0, f32, 2, abcd)), "1234.5", ""},
		{"f32 CDAB", "5000449A", field(part(0, f32, 2, cdab)), "1234.5", ""},
		{"f32 BADC", "9A440050", field(part(0, f32, 2, badc)), "1234.5", ""},
		{"f32 DCBA", "00509A44", field(part(0, f32, 2, dcba)), "1234.5", ""},
		{"u32 ABCD", "0012D687", field(part(0, profiles.U32, 2, abcd)), "1234567", ""},
		{"u32 CDAB", "D6870012", field(part(0, profiles.U32, 2, cdab)), "1234567", ""},
		{"u32 BADC", "120087D6", field(part(0, profiles.U32, 2, badc)), "1234567", ""},
		{"u32 DCBA", "87D61200", field(part(0, profiles.U32, 2, dcba)), "1234567", ""},
		{"i64 ABCD", "00000000075BCD15", field(part(0, profiles.I64, 4, abcd)), "123456789", ""},
		{"i64 CDAB", "CD15075B00000000", field(part(0, profiles.I64, 4, cdab)), "123456789", ""},
		{"i64 BADC", "000000005B0715CD", field(part(0, profiles.I64, 4, badc)), "123456789", ""},
		{"i64 DCBA", "15CD5B0700000000", field(part(0, profiles.I64, 4, dcba)), "123456789", ""},
		{"f64 ABCD", "40FE240C9FBE76C9", field(part(0, f64, 4, abcd)), "123456.789", ""},
		{"f64 CDAB", "76C99FBE240C40FE", field(part(0, f64, 4, cdab)), "123456.789", ""},
		{"u16 ABCD", "1234", field(part(0, profiles.U16, 1, abcd)), "4660", ""},
		{"u16 CDAB", "1234", field(part(0, profiles.U16, 1, cdab)), "4660", ""},
		{"u16 BADC", "3412", field(part(0, profiles.U16, 1, badc)), "4660", ""},
		{"u16 DCBA", "3412", field(part(0, profiles.U16, 1, dcba)), "4660", ""},
		{"i16", "FFFE", field(scaled(part(0, profiles.I16, 1, abcd), 1, -3)), "-0.002", ""},
		{"i32", "FFFFFFFE", field(part(0, profiles.I32, 2, abcd)), "-2", ""},
		{"i64 lowest", "8000000000000000", field(part(0, profiles.I64, 4, abcd)), "-9223372036854775808", ""},
		{"u64", "000000E8D4A51000", field(scaled(part(0, profiles.U64, 4, abcd), 1, -2)), "10000000000.00", ""},
		{"u64 above int64", "8000000000000000", field(part(0, profiles.U64, 4, abcd)), "", schemas.ReasonOverflow},

		// BCD: 00 12 34 56 78 with two decimals, in three registers.
		{"bcd", "000012345678", field(scaled(part(0, profiles.BCD, 3, abcd), 1, -2)), "123456.78", ""},
		{"bcd CDAB", "567812340000", field(scaled(part(0, profiles.BCD, 3, cdab), 1, -2)), "123456.78", ""},
		{"bcd BADC", "000034127856", field(scaled(part(0, profiles.BCD, 3, badc), 1, -2)), "123456.78", ""},
		{"bcd DCBA", "785634120000", field(scaled(part(0, profiles.BCD, 3, dcba), 1, -2)), "123456.78", ""},
		{"bcd of one register", "0999", field(part(0, profiles.BCD, 1, abcd)), "999", ""},
		{"bcd of 16 digits", "9999999999999999", field(part(0, profiles.BCD, 4, abcd)), "9999999999999999", ""},
		{"bcd digit A", "00001234567A", field(part(0, profiles.BCD, 3, abcd)), "", schemas.ReasonBadBCD},
		{"bcd empty flash", "FFFFFFFFFFFF", field(part(0, profiles.BCD, 3, abcd)), "", schemas.ReasonBadBCD},
		{"bcd sentinel", "FFFF", field(scaled(part(0, profiles.BCD, 1, abcd), 1, 0, 0xFFFF)), "", schemas.ReasonSentinel},

		{"sentinel u16", "FFFF", field(scaled(part(0, profiles.U16, 1, abcd), 1, 0, 0xFFFF)), "", schemas.ReasonSentinel},
		{"sentinel i16", "8000", field(scaled(part(0, profiles.I16, 1, abcd), 1, 0, 0x8000)), "", schemas.ReasonSentinel},
		{"sentinel u32 after the order", "FFFF7FFF", field(scaled(part(0, profiles.U32, 2, cdab), 1, 0, 0x7FFFFFFF)), "", schemas.ReasonSentinel},
		{"ABB u64 not available", "FFFFFFFFFFFFFFFF", field(scaled(part(0, profiles.U64, 4, abcd), 1, -2, math.MaxUint64)), "", schemas.ReasonSentinel},
		{"ABB i64 not available", "7FFFFFFFFFFFFFFF", field(scaled(part(0, profiles.I64, 4, abcd), 1, -2, math.MaxInt64)), "", schemas.ReasonSentinel},
		{"a sentinel of another width is a number", "0000FFFF", field(scaled(part(0, profiles.U32, 2, abcd), 1, 0, 0xFFFFFFFF)), "65535", ""},
		{"NaN", "7FC00000", field(part(0, f32, 2, abcd)), "", schemas.ReasonNaN},
		{"signalling NaN", "7F800001", field(part(0, f32, 2, abcd)), "", schemas.ReasonNaN},
		{"infinity", "FF800000", field(part(0, f32, 2, abcd)), "", schemas.ReasonNaN},
		{"NaN that the document names", "7FC00000", field(scaled(part(0, f32, 2, abcd), 1, 0, 0x7FC00000)), "", schemas.ReasonSentinel},
		{"f64 NaN", "7FF8000000000000", field(part(0, f64, 4, abcd)), "", schemas.ReasonNaN},
		{"f32 too large", "7F7FFFFF", field(part(0, f32, 2, abcd)), "", schemas.ReasonOverflow},
		{"f32 zero", "00000000", field(part(0, f32, 2, abcd)), "0", ""},
		{"f32 negative zero", "80000000", field(part(0, f32, 2, abcd)), "0", ""},
		{"scale overflow", "7FFFFFFF", field(scaled(part(0, profiles.U32, 2, abcd), math.MaxInt64, 0)), "", schemas.ReasonOverflow},
		{"shift overflow", "449A5000", field(scaled(part(0, f32, 2, abcd), 1, -18)), "", schemas.ReasonOverflow},
		{"negative factor", "0005", field(scaled(part(0, profiles.U16, 1, abcd), -3, 1)), "-150", ""},

		// Places: 2.5e-6 and 3.5e-6 are ties, 2.5000002e-6 the next float.
		{"places, tie to even below", "3627C5AC", field(scaledTo(1, 0, 6)), "0.000002", ""},
		{"places, tie to even above", "366AE18B", field(scaledTo(1, 0, 6)), "0.000004", ""},
		{"places, over the tie", "3627C5AD", field(scaledTo(1, 0, 6)), "0.000003", ""},
		{"places, negative tie", "B627C5AC", field(scaledTo(1, 0, 6)), "-0.000002", ""},
		{"places, after the scale", "3F9D70A4", field(scaledTo(1, -1, 2)), "0.12", ""},
		{"places, times", "3F9D70A4", field(scaledTo(5, 0, 1)), "6.2", ""},
		{"places, fewer digits stay", "449A5000", field(scaledTo(1, 0, 6)), "1234.5", ""},
		{"places, whole number too large to be written out", "5D5E0B6B", field(scaledTo(1, 0, 6)), "1000000000000000000", ""},
		{"places, finer than a Decimal", "00000001", field(scaledTo(1, 0, 6)), "0", ""},
		{"places, NaN", "7FC00000", field(scaledTo(1, 0, 6)), "", schemas.ReasonNaN},
		{"places, too large", "7F7FFFFF", field(scaledTo(1, 0, 6)), "", schemas.ReasonOverflow},
		{"places of f64, 0.1 + 0.2", "3FD3333333333334", field(f64Places), "0.3", ""},

		// Sums.
		{"hundreds and remainder", "449A4000 42AFC7AE", // gas total, 1234 × 100 + 87.89
			field(scaled(part(0, f32, 2, abcd), 100, 0), part(2, f32, 2, abcd)), "123487.89", ""},
		{"integer and fraction, low word first", "D687 0012 0000 3F00", // TUF-2000M
			field(part(0, profiles.I32, 2, cdab), part(2, f32, 2, cdab)), "1234567.5", ""},
		{"parts out of order on the wire", "0007 0000 0064",
			field(part(2, profiles.U16, 1, abcd), scaled(part(0, profiles.U16, 1, abcd), 1, -1)), "100.7", ""},
		{"missing part", "0001 7FC00000", field(part(0, profiles.U16, 1, abcd), part(1, f32, 2, abcd)), "", schemas.ReasonNaN},
		{"sum overflow", "7FFFFFFFFFFFFFFF 0001", field(part(0, profiles.I64, 4, abcd), part(4, profiles.U16, 1, abcd)), "", schemas.ReasonOverflow},

		// Published bytes.
		// The manual says 230.2, whose nearest float is 43663333; this is the next.
		{"SDM320 V1, manual p.42", "43663334", field(part(0, f32, 2, abcd)), "230.20001", ""},
		{"Eastron pulse width", "42C80000", field(part(0, f32, 2, abcd)), "100", ""},
		{"DTSU666 P, pacraf", "45000000", field(scaled(part(0, f32, 2, abcd), 1, -1)), "204.8", ""},
		{"DTSU666 export", "440D370A", field(part(0, f32, 2, abcd)), "564.86", ""},
		{"Changli velocity", "0000C148", field(part(0, f32, 2, cdab)), "-12.5", ""},
		{"Xintai, shown as 0.545", "1E850B3F", field(part(0, f32, 2, dcba)), "0.54499996", ""},
		{"TUF", "806B4212", field(part(0, f32, 2, cdab)), "36.62541", ""},
		{"ABCD", "449B6392", field(part(0, f32, 2, abcd)), "1243.1116", ""},
		{"no decimals left", "4B3C6156", field(part(0, f32, 2, abcd)), "12345686", ""},
		{"Fuxin, the comment says 2.53", "40200000", field(part(0, f32, 2, abcd)), "2.5", ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			d, reason, err := Decode(&tc.field, 0, unhex(t, tc.raw))
			if err != nil || reason != tc.reason {
				t.Fatalf("got %s, reason %q, error %v; want reason %q", d, reason, err, tc.reason)
			}
			if reason == "" && plain(d) != plain(mustParse(t, tc.want)) {
				t.Errorf("got %s, want %s", d, tc.want)
			}
			if reason != "" && d != (schemas.Decimal{}) {
				t.Errorf("a number, %s, beside the reason %q", d, reason)
			}
		})
	}
}

func mustParse(t testing.TB, s string) schemas.Decimal {
	t.Helper()
	d, err := schemas.ParseDecimal(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// plain is the exact value of d, whatever its form.
func plain(d schemas.Decimal) string {
	r := new(big.Rat).SetInt64(d.Mantissa)
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(d.Exponent, -d.Exponent))), nil)
	if d.Exponent < 0 {
		return r.Quo(r, new(big.Rat).SetInt(ten)).RatString()
	}
	return r.Mul(r, new(big.Rat).SetInt(ten)).RatString()
}

func TestDecodeStates(t *testing.T) {
	// Xintai register 001C: one status word, two states in it.
	reg := scaled(part(0x1C, profiles.U16, 1, abcd), 1, 0, 0xFFFF)
	valve := profiles.Field{Quantity: "water.valve.state", Parts: []profiles.Part{reg}, Mask: 0x0007, States: map[uint16]uint8{1: 1, 2: 0, 4: 2}}
	battery := profiles.Field{Quantity: "device.battery.state", Parts: []profiles.Part{reg}, Mask: 0x0008, States: map[uint16]uint8{0: 0, 8: 1}}
	tests := []struct {
		raw            string
		valve, battery int64 // -1: unknown, -2: sentinel
	}{
		{"0001", 1, 0}, {"0002", 0, 0}, {"000A", 0, 1}, {"0004", 2, 0}, {"0003", -1, 0}, {"0000", -1, 0}, {"FFFF", -2, -2}, {"FFF9", 1, 1},
	}
	reasons := map[int64]schemas.Reason{-1: schemas.ReasonUnknownState, -2: schemas.ReasonSentinel}
	for _, tc := range tests {
		for f, want := range map[*profiles.Field]int64{&valve: tc.valve, &battery: tc.battery} {
			d, reason, err := Decode(f, 0x1C, unhex(t, tc.raw))
			if err != nil || reason != reasons[want] || want >= 0 && d != (schemas.Decimal{Mantissa: want}) {
				t.Errorf("%s of %s: got %s, %q, %v, want %d", f.Quantity, tc.raw, d, reason, err, want)
			}
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	f := field(part(10, profiles.U32, 2, abcd))
	for _, at := range []uint16{0, 9, 11} {
		if _, _, err := Decode(&f, at, make([]byte, 4)); err == nil {
			t.Errorf("4 bytes from %d were taken to hold registers 10-11", at)
		}
	}
	if _, _, err := Decode(&profiles.Field{Quantity: "power.active"}, 0, nil); err == nil {
		t.Error("a field without registers was decoded")
	}
}

// TestProfileVectors decodes the published registers of every profile that
// comes with the program.
func TestProfileVectors(t *testing.T) {
	set, err := profiles.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range set.IDs() {
		p, err := set.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Plan(p); err != nil {
			t.Error(err)
		}
		vectors, err := profiles.Vectors(id)
		if err != nil {
			t.Error(err)
		}
		for _, v := range vectors {
			t.Run(id+"/"+v.Name, func(t *testing.T) { checkVector(t, p, v) })
		}
	}
}

func checkVector(t *testing.T, p *profiles.Profile, v profiles.Vector) {
	for _, want := range v.Want {
		for i := range p.Fields {
			f := &p.Fields[i]
			if f.Quantity != want.Quantity {
				continue
			}
			d, reason := decodeVector(t, f, v)
			if reason != want.Missing || reason == "" && d.Cmp(want.Value) != 0 {
				t.Errorf("%s: got %s (%q), want %s (%q)", f.Quantity, d, reason, want.Value, want.Missing)
			}
		}
	}
}

// decodeVector lays the vector's blocks out as one answer from the field's
// first register.
func decodeVector(t *testing.T, f *profiles.Field, v profiles.Vector) (schemas.Decimal, schemas.Reason) {
	t.Helper()
	first, last := 1<<16, -1
	for _, part := range f.Parts {
		first, last = min(first, int(part.At)), max(last, int(part.Last()))
	}
	block := make([]byte, 2*(last-first+1))
	for _, part := range f.Parts {
		words, ok := v.Words(part)
		if !ok {
			t.Fatalf("the vector lacks register 0x%04X", part.At)
		}
		for i, w := range words {
			binary.BigEndian.PutUint16(block[2*(int(part.At)-first+i):], w)
		}
	}
	d, reason, err := Decode(f, uint16(first), block)
	if err != nil {
		t.Fatal(err)
	}
	return d, reason
}

// FuzzDecode compares the integer types and BCD with arithmetic on big numbers,
// and holds every type to the form of a reading.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{0x44, 0x9A, 0x50, 0x00, 0, 0, 0, 0}, uint8(6), uint8(0), int64(1), int8(-1))
	f.Add([]byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, uint8(4), uint8(1), int64(-7), int8(18))
	f.Add([]byte{0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56}, uint8(8), uint8(3), int64(1000), int8(-18))
	types := []profiles.Type{
		profiles.U16, profiles.I16, profiles.U32, profiles.I32, profiles.U64, profiles.I64, profiles.F32, profiles.F64, profiles.BCD,
	}
	words := []int{1, 1, 2, 2, 4, 4, 2, 4, 4}
	orders := []profiles.Order{abcd, cdab, badc, dcba}
	f.Fuzz(func(t *testing.T, raw []byte, typ, order uint8, times int64, shift int8) {
		n := int(typ) % len(types)
		p := scaled(part(0, types[n], words[n], orders[order%4]), times, int(shift))
		fld := field(p)
		d, reason, err := Decode(&fld, 0, raw)
		if err != nil {
			if times != 0 && shift >= -18 && shift <= 18 && len(raw) >= 2*words[n] {
				t.Fatal(err)
			}
			return
		}
		r := schemas.Reading{Meter: "M", Quantity: fld.Quantity, Unit: "kW.h", TakenAt: evenStart().UTC(), Value: d, Reason: reason}
		if reason != "" {
			r.Quality = schemas.Missing
		}
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
		if want, ok := reference(p, raw[:2*p.Words]); ok && reason == "" && plain(d) != want {
			t.Fatalf("%+v of % x: got %s, want %s", p, raw, d, want)
		}
	})
}

// reference computes an integer or BCD part by another road: bytes sorted
// explicitly, big numbers.
func reference(p profiles.Part, raw []byte) (string, bool) {
	be := make([]byte, len(raw))
	for i := range raw {
		j := i
		if p.Order == cdab || p.Order == dcba {
			j = len(raw) - 1 - i
			j ^= 1 // words turned, bytes within them not
		}
		if p.Order == badc || p.Order == dcba {
			j ^= 1
		}
		be[i] = raw[j]
	}
	v := new(big.Int)
	switch p.Type {
	case profiles.F32, profiles.F64:
		return "", false
	case profiles.BCD:
		v.SetString(hex.EncodeToString(be), 10)
	default:
		v.SetBytes(be)
		if p.Type[0] == 'i' && be[0] >= 0x80 {
			v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(be))))
		}
	}
	v.Mul(v, big.NewInt(p.Times))
	r := new(big.Rat).SetInt(v)
	ten := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(p.Shift, -p.Shift))), nil))
	if p.Shift < 0 {
		ten.Inv(ten)
	}
	return r.Mul(r, ten).RatString(), true
}

func BenchmarkDecode(b *testing.B) {
	benches := []struct {
		name  string
		field profiles.Field
		raw   string
	}{
		{"i64", field(scaled(part(0, profiles.I64, 4, abcd), 1, -3)), "00000000075BCD15"},
		{"f32", field(scaled(part(0, profiles.F32, 2, abcd), 1, -1)), "43663334"},
		{"bcd", field(scaled(part(0, profiles.BCD, 3, abcd), 1, -2)), "000012345678"},
		{"sum", field(part(0, profiles.I32, 2, cdab), scaled(part(2, profiles.U16, 1, abcd), 1, -3)), "D687001201F4"},
	}
	for _, bench := range benches {
		b.Run(bench.name, func(b *testing.B) {
			raw := unhex(b, bench.raw)
			b.ReportAllocs()
			for b.Loop() {
				if _, reason := decodeField(&bench.field, 0, raw); reason != "" {
					b.Fatal(reason)
				}
			}
		})
	}
}
