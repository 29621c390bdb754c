package dlt645

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"citygrid/adapters/catalog/catalogtest"
	"citygrid/adapters/dlt645/profiles"
	"citygrid/schemas"
)

// TestRequestVectors holds the published requests: the frames that we send are
// those, byte for byte.
func TestRequestVectors(t *testing.T) {
	for _, tt := range []struct {
		name, address string
		wake          int
		function      byte
		di            uint32
		want          string
	}{
		{"D-01 hwhale", "000000000161", 0, readData, 0x00010000, "68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16"},
		{"D-03 hwhale", "000000000161", 0, readData, 0x00020000, "68 61 01 00 00 00 00 68 11 04 33 33 35 33 15 16"},
		{"D-05 hwhale", "000000000161", 0, readData, 0x00030000, "68 61 01 00 00 00 00 68 11 04 33 33 36 33 16 16"},
		{"D-07 hwhale", "000000000161", 0, readData, 0x00040000, "68 61 01 00 00 00 00 68 11 04 33 33 37 33 17 16"},
		{"D-09 hwhale", "000000000161", 0, readData, 0x02010100, "68 61 01 00 00 00 00 68 11 04 33 34 34 35 17 16"},
		{"D-11 hwhale", "000000000161", 0, readData, 0x02020100, "68 61 01 00 00 00 00 68 11 04 33 34 35 35 18 16"},
		{"D-12 tjsmart", Anyone, 3, readAddress, 0, "FE FE FE 68 AA AA AA AA AA AA 68 13 00 DF 16"},
		{"D-15 fdxxw", "202208310002", 4, readData, 0x028022FF, "FE FE FE FE 68 02 00 31 08 22 20 68 11 04 32 55 B3 35 D1 16"},
		{"D-16 kaledl", "138000130754", 0, readData1997, 0x9010, "68 54 07 13 00 80 13 68 01 02 43 C3 DA 16"},
		{"computed: credit", "000000000161", 0, readData, 0x00900200, "68 61 01 00 00 00 00 68 11 04 33 35 C3 33 A5 16"},
		{"computed: purchases", "000000000161", 0, readData, 0x03330201, "68 61 01 00 00 00 00 68 11 04 34 35 66 36 4C 16"},
		{"computed: money bought", "000000000161", 0, readData, 0x03330601, "68 61 01 00 00 00 00 68 11 04 34 39 66 36 50 16"},
		{"computed: status word 3", "000000000161", 0, readData, 0x04000503, "68 61 01 00 00 00 00 68 11 04 36 38 33 37 1F 16"},
	} {
		to, err := ParseAddress(tt.address)
		if err != nil {
			t.Fatal(err)
		}
		got, err := appendRequest(nil, tt.wake, request{to: to, function: tt.function, di: tt.di})
		if want := catalogtest.Bytes(t, tt.want); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: % X, %v, want % X", tt.name, got, err, want)
		}
		if f, err := Parse(got); err != nil || f.Address != to || f.Control != tt.function {
			t.Errorf("%s: parsed %+v, %v", tt.name, f, err)
		}
	}
	to, _ := ParseAddress("000000000161")
	got, err := appendRequest(nil, 0, request{to: to, function: readNext, di: 0x0001FF00, seq: 2})
	if want := catalogtest.Bytes(t, "68 61 01 00 00 00 00 68 12 05 33 32 34 33 35 4A 16"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("read on: % X, %v", got, err)
	}
}

// TestOnlyReads shows that no other function can be put into a frame.
func TestOnlyReads(t *testing.T) {
	allowed := []byte{readData, readNext, readAddress, readData1997}
	for function := range 256 {
		frame, err := appendRequest(nil, 0, request{function: byte(function)})
		if may := slices.Contains(allowed, byte(function)); may != (err == nil) || may != reads(byte(function)) {
			t.Errorf("function %02X: % X, %v", function, frame, err)
		}
	}
}

// TestAnswerVectors holds the published answers.
func TestAnswerVectors(t *testing.T) {
	energy := profiles.Field{Quantity: "power.energy.import", Bytes: 4, Format: profiles.BCD, Shift: -2}
	volt := profiles.Field{Quantity: "power.voltage.l1", Bytes: 2, Format: profiles.BCD, Shift: -1}
	watt := profiles.Field{Quantity: "power.active", Bytes: 3, Format: profiles.SignedBCD, Shift: -1}
	count := profiles.Field{Quantity: "power.purchase.count", Bytes: 2, Format: profiles.BCD}
	word := profiles.Field{Quantity: "device.status.word3", Bytes: 2, Format: profiles.Bits}
	for _, tt := range []struct {
		name, frame, address string
		di                   uint32
		field                profiles.Field
		want                 string
	}{
		{"D-02", "68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16", "000000000161", 0x00010000, energy, "0.26"},
		{"D-04", "68 61 01 00 00 00 00 68 91 08 33 33 35 33 59 34 33 33 8C 16", "000000000161", 0x00020000, energy, "1.26"},
		{"D-06", "68 61 01 00 00 00 00 68 91 08 33 33 36 33 59 33 34 33 8D 16", "000000000161", 0x00030000, energy, "100.26"},
		{"D-08", "68 61 01 00 00 00 00 68 91 08 33 33 37 33 56 33 34 33 8B 16", "000000000161", 0x00040000, energy, "100.23"},
		{"D-10", "68 61 01 00 00 00 00 68 91 06 33 34 34 35 34 43 10 16", "000000000161", 0x02010100, volt, "100.1"},
		{"D-13", "68 14 01 00 31 82 21 68 91 08 33 33 34 33 39 33 33 33 F1 16", "218231000114", 0x00010000, energy, "0.06"},
		{"D-14", "68 11 11 00 00 00 00 68 91 06 33 36 34 35 33 55 E3 16", "000000001111", 0x02010300, volt, "220.0"},
		{"D-16", "68 54 07 13 00 80 13 68 81 06 43 C3 34 33 33 33 2B 16", "138000130754", 0x9010, energy, "0.01"},
		{"credit", "68 61 01 00 00 00 00 68 91 08 33 35 C3 33 78 56 34 33 5E 16", "000000000161", 0x00900200, energy, "123.45"},
		{"purchases", "68 61 01 00 00 00 00 68 91 06 34 35 66 36 3A 33 3B 16", "000000000161", 0x03330201, count, "7"},
		{"money bought", "68 61 01 00 00 00 00 68 91 08 34 39 66 36 33 33 4A 33 B7 16", "000000000161", 0x03330601, energy, "1700.00"},
		{"status word 3", "68 61 01 00 00 00 00 68 91 06 36 38 33 37 03 35 D9 16", "000000000161", 0x04000503, word, "720"},
		{"power", "68 61 01 00 00 00 00 68 91 07 33 33 36 35 78 56 34 9D 16", "000000000161", 0x02030000, watt, "1234.5"},
		{"power back", "68 61 01 00 00 00 00 68 91 07 33 33 36 35 78 56 B4 1D 16", "000000000161", 0x02030000, watt, "-1234.5"},
	} {
		for _, wake := range []int{0, 1, 4, 7} {
			f, err := Parse(append(bytes.Repeat([]byte{wakeUp}, wake), catalogtest.Bytes(t, tt.frame)...))
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
				continue
			}
			n := digits(f.Function())
			if f.Address.String() != tt.address || identifier(f.Data, n) != tt.di || !f.FromMeter() || f.Refused() || f.More() {
				t.Errorf("%s: %s", tt.name, f)
			}
			if d, reason, err := Decode(&tt.field, f.Data[n:]); err != nil || reason != "" || d.String() != tt.want {
				t.Errorf("%s: %s %s %v, want %s", tt.name, d, reason, err, tt.want)
			}
		}
	}
}

// TestBadVectors holds the published frames that are wrong, and the ways in
// which a good one can be spoilt.
func TestBadVectors(t *testing.T) {
	good := "68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16"
	for _, tt := range []struct{ name, frame, want string }{
		{"D-17 address of five bytes", "68 11 11 00 00 00 68 81 04 46 E9 53 35 2E 16", "no frame"},
		{"D-N1 checksum", "FE FE FE FE 68 75 67 12 66 88 00 68 11 04 33 33 34 33 C6 16", "checksum is C6, the bytes give 8E"},
		{"D-N2 checksum", "68 75 67 12 66 88 00 68 91 08 33 33 34 33 A4 56 79 38 F5 16", "checksum is F5, the bytes give BD"},
		{"one bit", strings.Replace(good, "59", "58", 1), "checksum"},
		{"cut", good[:len(good)-3], "frame of 19 bytes says that it has 20"},
		{"longer", good + " 00", "frame of 21 bytes says that it has 20"},
		{"end", good[:len(good)-2] + "17", "frame ends with 17"},
		{"second start", strings.Replace(good, "00 68", "00 69", 1), "no frame"},
		{"empty", "", "frame of 0 bytes"},
		{"FE only", "FE FE FE FE", "frame of 0 bytes"},
		{"too much data", "68 61 01 00 00 00 00 68 91 C9" + strings.Repeat("33", 201) + "00 16", "201 bytes of data"},
	} {
		if f, err := Parse(catalogtest.Bytes(t, tt.frame)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %s, %v, want %q", tt.name, f, err, tt.want)
		}
	}
}

func TestSplit(t *testing.T) {
	good := "68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16" // 20 bytes
	for _, tt := range []struct {
		name, bytes string
		skip, n     int
	}{
		{"nothing", "", 0, 0},
		{"frame", good, 0, 20},
		{"wake-up", "FE FE FE FE " + good, 4, 20},
		{"wake-up only", "FE FE", 0, 0},
		{"beginning", good[:30], 0, 0},
		{"all but the end", good[:len(good)-3], 0, 0},
		{"noise", "00 7F 68 12 " + good, 4, 20},
		{"noise with both starts", "68 00 00 00 00 00 00 68 91 C8 " + good, 10, 20},
		{"frame and more", good + " 68 61 01", 0, 20},
		{"two frames", good + good, 0, 20},
		{"torn frame and a whole one", good[:36] + " " + good, 12, 20},
		{"bad checksum", strings.Replace(good, "59", "58", 1), 0, 20},
		{"bad checksum, then a whole one", strings.Replace(good, "59", "58", 1) + good, 20, 20},
		{"a start in the data of a bad one", strings.Replace(good, "59 33", "58 68", 1), 0, 20},
		{"five bytes of address", "68 11 11 00 00 00 68 81 04 46 E9 53 35 2E 16", 0, 0},
	} {
		skip, n, err := Split(catalogtest.Bytes(t, tt.bytes))
		if err != nil || skip != tt.skip || n != tt.n {
			t.Errorf("%s: skip %d, n %d, %v, want %d, %d", tt.name, skip, n, err, tt.skip, tt.n)
		}
	}
	if _, _, err := Split(bytes.Repeat([]byte{0x55}, 500)); err == nil || !strings.Contains(err.Error(), "no frame in 500 bytes") {
		t.Errorf("rubbish without end: %v", err)
	}
}

func TestParseAddress(t *testing.T) {
	for s, want := range map[string]string{
		"000000000161": "000000000161", "218231000114": "218231000114",
		"aaaaaaaaaaaa": Anyone, "AAAAAA000114": "AAAAAA000114",
	} {
		a, err := ParseAddress(s)
		if err != nil || a.String() != want || a.Wild() != (want[0] == 'A') {
			t.Errorf("%s: %s, %v", s, a, err)
		}
	}
	for _, s := range []string{"", "161", "0000000001611", "00000000016A", "0000000001AA", "A00000000161", "00000000 161"} {
		if a, err := ParseAddress(s); err == nil {
			t.Errorf("%q was taken for %s", s, a)
		}
	}
	some, _ := ParseAddress("AAAAAA000114")
	for s, want := range map[string]bool{"218231000114": true, "218231000115": false} {
		if a, _ := ParseAddress(s); some.admits(a) != want {
			t.Errorf("%s admits %s: %v", some, a, !want)
		}
	}
}

func TestFrameString(t *testing.T) {
	for s, want := range map[string]string{
		"68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16":             "master to 000000000161: 11 asks for 00010000",
		"68 61 01 00 00 00 00 68 D1 01 35 39 16":                      "meter 000000000161: refuses 11: no such data",
		"68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16": "meter 000000000161: 00010000 = 26 00 00 00",
		"68 54 07 13 00 80 13 68 81 06 43 C3 34 33 33 33 2B 16":       "meter 138000130754: 9010 = 01 00 00 00",
		"68 AA AA AA AA AA AA 68 13 00 DF 16":                         "master to AAAAAAAAAAAA: 13 with ",
	} {
		f, err := Parse(catalogtest.Bytes(t, s))
		if err != nil || f.String() != want {
			t.Errorf("%s: %s, %v", s, f, err)
		}
	}
	if got := (Frame{Control: 0xB1, Data: make([]byte, 5)}).String(); got != "meter 000000000000: 00000000 = 00, more follows" {
		t.Error(got)
	}
}

// TestProfileVectors decodes the vector files of all profiles.
func TestProfileVectors(t *testing.T) {
	catalogtest.EachVector(t, profiles.Embedded, profiles.Vectors, checkVector)
}

func checkVector(t *testing.T, p *profiles.Profile, v profiles.Vector) {
	data := map[uint32][]byte{}
	for _, a := range v.Answers {
		f, err := Parse(a)
		if err != nil {
			t.Fatal(err)
		}
		n := digits(f.Function())
		data[identifier(f.Data, n)] = f.Data[n:]
	}
	fields, err := p.FieldsOf(v.Origin)
	if err != nil {
		t.Fatal(err)
	}
	got := map[schemas.Quantity]string{}
	for i := range fields {
		f := &fields[i]
		raw, ok := data[f.DI]
		if !ok {
			continue
		}
		d, reason, err := Decode(f, raw)
		if err != nil {
			t.Error(err)
		}
		got[f.Quantity] = catalogtest.Text(d, reason)
	}
	catalogtest.Meets(t, got, v.Want)
}

func TestDecode(t *testing.T) {
	abs := []uint64{0x9999}
	states := map[uint16]uint8{0: 0, 0x10: 1}
	for _, tt := range []struct {
		name  string
		field profiles.Field
		data  string
		want  string
	}{
		{"whole", profiles.Field{Quantity: "power.active", Bytes: 8, Format: profiles.BCD}, "88 77 66 55 44 33 22 11", "1122334455667788"},
		{"offset", profiles.Field{Quantity: "power.active", At: 2, Bytes: 1, Format: profiles.BCD, Shift: 3}, "FF FF 42", "42000"},
		{"negative", profiles.Field{Quantity: "power.active", Bytes: 2, Format: profiles.SignedBCD, Shift: -3}, "57 89", "-0.957"},
		{"negative nothing", profiles.Field{Quantity: "power.active", Bytes: 2, Format: profiles.SignedBCD}, "00 80", "0"},
		{"most", profiles.Field{Quantity: "power.active", Bytes: 2, Format: profiles.SignedBCD}, "99 79", "7999"},
		{"all F", profiles.Field{Quantity: "power.active", Bytes: 2, Format: profiles.BCD}, "FF FF", "missing sentinel"},
		{"all F with sign", profiles.Field{Quantity: "power.active", Bytes: 2, Format: profiles.SignedBCD}, "FF FF", "missing sentinel"},
		{"absent", profiles.Field{Quantity: "power.active", Bytes: 2, Format: profiles.BCD, Absent: abs}, "99 99", "missing sentinel"},
		{"digit A", profiles.Field{Quantity: "power.active", Bytes: 2, Format: profiles.BCD}, "1A 00", "missing bad_bcd"},
		{"digit F", profiles.Field{Quantity: "power.active", Bytes: 2, Format: profiles.BCD}, "00 F0", "missing bad_bcd"},
		{"overflow", profiles.Field{Quantity: "power.active", Bytes: 1, Format: profiles.BCD, Shift: 19}, "01", "error"},
		{"word", profiles.Field{Quantity: "device.status.word1", Bytes: 2, Format: profiles.Bits}, "FF FF", "65535"},
		{"word low first", profiles.Field{Quantity: "device.status.word1", Bytes: 2, Format: profiles.Bits}, "D0 02", "720"},
		{"state", profiles.Field{Quantity: "power.relay.state", Bytes: 2, Format: profiles.Bits, Mask: 0x10, States: states}, "D0 02", "1"},
		{"state not named", profiles.Field{Quantity: "power.relay.state", Bytes: 2, Format: profiles.Bits, States: states}, "D0 02", "missing unknown_state"},
		{"short", profiles.Field{Quantity: "power.active", Bytes: 3, Format: profiles.BCD}, "00 00", "error"},
		{"no field", profiles.Field{Quantity: "power.active", Bytes: 9, Format: profiles.BCD}, "00 00", "error"},
	} {
		d, reason, err := Decode(&tt.field, catalogtest.Bytes(t, tt.data))
		got := d.String()
		switch {
		case err != nil:
			got = "error"
		case reason != "":
			got = "missing " + string(reason)
		}
		if got != tt.want {
			t.Errorf("%s: %s (%v), want %s", tt.name, got, err, tt.want)
		}
	}
}

// encode builds any frame, as no master of this package could.
func encode(address Address, control byte, data []byte) []byte {
	b := address.append([]byte{start})
	b = append(b, start, control, byte(len(data)))
	for _, c := range data {
		b = append(b, c+offset)
	}
	return append(b, sum(b), end)
}

// FuzzFrame feeds bytes to the parser: it must never panic, and what it accepts
// must be what a frame of the same content is encoded to. split must agree.
func FuzzFrame(f *testing.F) {
	for _, s := range []string{
		"68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16",
		"FE FE FE FE 68 02 00 31 08 22 20 68 11 04 32 55 B3 35 D1 16",
		"68 54 07 13 00 80 13 68 81 06 43 C3 34 33 33 33 2B 16",
		"68 61 01 00 00 00 00 68 D1 01 35 39 16",
		"68 75 67 12 66 88 00 68 91 08 33 33 34 33 A4 56 79 38 F5 16",
		"68 11 11 00 00 00 68 81 04 46 E9 53 35 2E 16",
	} {
		f.Add(catalogtest.Bytes(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if skip, n, err := Split(b); err == nil && (skip < 0 || n < 0 || skip+n > len(b)) {
			t.Fatalf("split gives %d bytes from %d of %d", n, skip, len(b))
		}
		frame, err := Parse(b)
		if err != nil {
			return
		}
		if want := encode(frame.Address, frame.Control, frame.Data); !bytes.Equal(bare(b), want) {
			t.Errorf("% X parses as %s, which is % X", b, frame, want)
		}
		if skip, n, err := Split(b); err != nil || skip+n != len(b) {
			t.Errorf("% X is a frame, and split finds %d bytes from %d: %v", b, n, skip, err)
		}
		for _, wanted := range []byte{readData, readNext, readAddress, readData1997} {
			q := question{request: request{to: frame.Address, function: wanted}}
			_, _ = q.Open(b)
		}
		_ = frame.String()
	})
}

// FuzzDecode feeds data to the decoder by all fields of all profiles: it must
// never panic, and a value must be the digits that the bytes show.
func FuzzDecode(f *testing.F) {
	var fields []profiles.Field
	for _, p := range catalogtest.All(f, profiles.Embedded) {
		fields = append(fields, p.Fields...)
	}
	f.Add(catalogtest.Bytes(f, "26 00 00 00 FF FF FF FF 99 99 99 99 00 00 A0 00 45 23 01 80"))
	f.Add(catalogtest.Bytes(f, "D0 02"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for i := range fields {
			d, reason, err := Decode(&fields[i], data)
			if err != nil || reason != "" || fields[i].Format != profiles.BCD {
				continue
			}
			raw := slices.Clone(data[fields[i].At : fields[i].At+fields[i].Bytes])
			slices.Reverse(raw)
			shown := strings.TrimLeft(fmt.Sprintf("%X", raw), "0")
			if got := strings.TrimLeft(strings.ReplaceAll(d.String(), ".", ""), "0"); got != shown {
				t.Errorf("%s of % X is %s", fields[i].Quantity, data, d)
			}
		}
	})
}
