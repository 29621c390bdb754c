package cjt188

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/adapters/catalog/catalogtest"
	"citygrid/adapters/cjt188/profiles"
	"citygrid/adapters/line"
	"citygrid/schemas"
)

// The published frames, and those computed outside Go.
const (
	c01 = "68 10 44 33 22 11 00 33 78 01 03 1F 90 00 80 16"
	c02 = "68 10 69 05 90 05 15 33 78 04 04 A0 17 01 55 50 16"
	c03 = "68 10 69 05 90 05 15 33 78 84 05 A0 17 01 00 00 7C 16"
	c04 = "68 10 69 05 90 05 15 33 78 04 04 A0 17 01 99 94 16"
	c05 = "FE FE FE FE 68 AA AA AA AA AA AA AA AA 03 03 81 0A 00 49 16"
	c06 = "68 10 12 00 00 00 00 00 00 83 03 81 0A 00 9B 16"
	cN1 = "68 10 44 33 22 11 00 33 78 81 16 1F 90 00 00 77 66 55 2C 00 77 66 55 2C 31 01 22 11 05 15 20 21 84 08 16"

	ask2004   = "68 10 66 55 44 33 22 11 00 01 03 90 1F 01 91 16"
	ask2018   = "68 10 66 55 44 33 22 11 00 01 03 1F 90 01 91 16"
	answer    = "68 10 66 55 44 33 22 11 00 81 16 90 1F 01 56 34 12 00 2C 00 00 12 00 2C 15 30 14 05 03 26 20 00 00 D1 16"
	askBought = "68 10 66 55 44 33 22 11 00 01 03 81 05 02 69 16"
	bought    = "68 10 66 55 44 33 22 11 00 81 12 81 05 02 07 00 50 00 00 00 50 03 00 34 12 00 00 05 00 ED 16"
	sell      = "68 10 66 55 44 33 22 11 00 04 08 A0 13 03 08 00 50 00 00 F7 16"
	shut      = "68 10 66 55 44 33 22 11 00 04 04 A0 17 04 99 39 16"
	isShut    = "68 10 66 55 44 33 22 11 00 84 05 A0 17 04 01 00 22 16"
	askGas    = "68 30 66 55 44 33 22 11 00 01 03 90 1F 01 B1 16"
)

// trimLead takes the bytes FE before a frame away.
func trimLead(b []byte) []byte {
	for len(b) > 0 && b[0] == leadIn {
		b = b[1:]
	}
	return b
}

// TestPublishedFrames reads every frame of the published examples and builds it
// again from its parts.
func TestPublishedFrames(t *testing.T) {
	for name, tt := range map[string]struct {
		frame   string
		typ     uint8
		address string
		control uint8
		data    string
	}{
		"C-01":           {c01, 0x10, "78330011223344", 0x01, "1F 90 00"},
		"C-02":           {c02, 0x10, "78331505900569", 0x04, "A0 17 01 55"},
		"C-03":           {c03, 0x10, "78331505900569", 0x84, "A0 17 01 00 00"},
		"C-04":           {c04, 0x10, "78331505900569", 0x04, "A0 17 01 99"},
		"C-05":           {c05, 0xAA, "AAAAAAAAAAAAAA", 0x03, "81 0A 00"},
		"C-06":           {c06, 0x10, "00000000000012", 0x83, "81 0A 00"},
		"ask, 2004":      {ask2004, 0x10, "00112233445566", 0x01, "90 1F 01"},
		"ask, 2018":      {ask2018, 0x10, "00112233445566", 0x01, "1F 90 01"},
		"answer":         {answer, 0x10, "00112233445566", 0x81, "90 1F 01 56 34 12 00 2C 00 00 12 00 2C 15 30 14 05 03 26 20 00 00"},
		"ask purchase":   {askBought, 0x10, "00112233445566", 0x01, "81 05 02"},
		"purchase":       {bought, 0x10, "00112233445566", 0x81, "81 05 02 07 00 50 00 00 00 50 03 00 34 12 00 00 05 00"},
		"write purchase": {sell, 0x10, "00112233445566", 0x04, "A0 13 03 08 00 50 00 00"},
		"close valve":    {shut, 0x10, "00112233445566", 0x04, "A0 17 04 99"},
		"valve closed":   {isShut, 0x10, "00112233445566", 0x84, "A0 17 04 01 00"},
		"ask gas":        {askGas, 0x30, "00112233445566", 0x01, "90 1F 01"},
	} {
		t.Run(name, func(t *testing.T) {
			raw := catalogtest.Bytes(t, tt.frame)
			f, err := Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			if f.Type != tt.typ || f.Address.String() != tt.address || f.Control != tt.control || !slices.Equal(f.Data, catalogtest.Bytes(t, tt.data)) {
				t.Errorf("parsed %+v", f)
			}
			built := f.Append(nil)
			if whole := trimLead(raw); !slices.Equal(built, whole) {
				t.Errorf("built\n% X\nwant\n% X", built, whole)
			}
		})
	}
}

// TestSameSum pins why the order of an identifier needs care: both editions'
// frames have one checksum.
func TestSameSum(t *testing.T) {
	a, b := catalogtest.Bytes(t, ask2004), catalogtest.Bytes(t, ask2018)
	if a[len(a)-2] != b[len(b)-2] || slices.Equal(a, b) {
		t.Error("the two editions' requests should differ and have the same checksum")
	}
}

// TestDamagedFrames holds one row a way to be no frame.
func TestDamagedFrames(t *testing.T) {
	for name, tt := range map[string]struct{ frame, want string }{
		"C-N1, published with a wrong checksum": {cN1, "checksum is 08, the bytes sum up to 13"},
		"nothing":                               {"", "0 bytes are no frame"},
		"lead-in only":                          {"FE FE FE FE", "0 bytes are no frame"},
		"short":                                 {"68 10 66 55 44 33 22 11 00 01 00 91", "12 bytes are no frame"},
		"no start":                              {"67 10 66 55 44 33 22 11 00 01 03 90 1F 01 91 16", "begins with 67"},
		"no end":                                {"68 10 66 55 44 33 22 11 00 01 03 90 1F 01 91 17", "ends with 17"},
		"too long":                              {ask2004 + " 00", "17 bytes, its length byte 03 means 16"},
		"too short":                             {"68 10 66 55 44 33 22 11 00 01 03 90 1F 91 16", "15 bytes, its length byte 03 means 16"},
		"one bit":                               {"68 10 66 55 44 33 22 11 00 01 03 90 1F 03 91 16", "checksum is 91, the bytes sum up to 93"},
	} {
		if _, err := Parse(catalogtest.Bytes(t, tt.frame)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// TestRequestsAsPublished builds the requests that the examples show.
func TestRequestsAsPublished(t *testing.T) {
	for name, tt := range map[string]struct {
		typ      uint8
		address  string
		control  uint8
		di       uint16
		order    order
		sequence byte
		want     string
	}{
		"C-01":         {0x10, "78330011223344", readData, 0x901F, lowFirst, 0, c01},
		"C-05":         {0xAA, "AAAAAAAAAAAAAA", readAddress, 0x810A, highFirst, 0, c05},
		"2004":         {0x10, "00112233445566", readData, 0x901F, highFirst, 1, ask2004},
		"2018":         {0x10, "00112233445566", readData, 0x901F, lowFirst, 1, ask2018},
		"ask purchase": {0x10, "00112233445566", readData, 0x8105, highFirst, 2, askBought},
		"ask gas":      {0x30, "00112233445566", readData, 0x901F, highFirst, 1, askGas},
	} {
		a, err := ParseAddress(tt.address)
		if err != nil {
			t.Fatal(err)
		}
		b := New(line.New(line.Config{}), Config{})
		b.sequence = tt.sequence - 1
		r := &request{bus: b, typ: tt.typ, address: a, control: tt.control, di: tt.di, order: tt.order}
		got, err := r.Encode([]byte{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := append([]byte{leadIn, leadIn, leadIn, leadIn}, trimLead(catalogtest.Bytes(t, tt.want))...)
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n% X\nwant\n% X", name, got, want)
		}
	}
}

// TestVectorsOfEveryProfile decodes every vector file.
func TestVectorsOfEveryProfile(t *testing.T) {
	catalogtest.EachVector(t, profiles.Embedded, profiles.Vectors, checkVector)
}

func checkVector(t *testing.T, p *profiles.Profile, v profiles.Vector) {
	fields, err := p.FieldsOf(v.Origin)
	if err != nil {
		t.Fatal(err)
	}
	got := map[schemas.Quantity]string{}
	for _, raw := range v.Answers {
		f, err := Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if f.Type != p.Type {
			t.Errorf("type %02X, the profile's is %02X", f.Type, p.Type)
		}
		for i := range fields {
			di := fields[i].DI
			if w := [2]byte(f.Data[:2]); w != lowFirst.wire(di) && w != highFirst.wire(di) {
				continue
			}
			if len(f.Data)-3 != p.Lengths[di] {
				t.Errorf("item %04X has %d bytes, the profile says %d", di, len(f.Data)-3, p.Lengths[di])
			}
			d, reason, err := Decode(&fields[i], f.Data[3:])
			if err != nil {
				t.Fatal(err)
			}
			got[fields[i].Quantity] = catalogtest.Text(d, reason)
		}
	}
	catalogtest.Meets(t, got, v.Want)
}

// TestDecode holds what no profile of ours has: the settlement total within
// 901F, binary counts, units, sentinels.
func TestDecode(t *testing.T) {
	data := catalogtest.Bytes(t, answer)[14:33]
	settled := profiles.Field{Quantity: "water.volume.forward", DI: 0x901F, At: 5, Bytes: 4, Format: profiles.BCDUnit, Shift: -2}
	count := profiles.Field{Quantity: "water.purchase.count", DI: 0x8105, Bytes: 1, Format: profiles.Bits}
	word := profiles.Field{Quantity: "device.status.word1", DI: 0x901F, Bytes: 2, Format: profiles.Bits}
	energy := profiles.Field{Quantity: "power.energy.import", DI: 0x901F, Bytes: 4, Format: profiles.BCDUnit, Shift: -2}
	flow := profiles.Field{Quantity: "water.flow", DI: 0x901F, Bytes: 4, Format: profiles.BCDUnit, Shift: -2}
	sentinel := profiles.Field{Quantity: "water.credit.money", DI: 0x8105, Bytes: 4, Format: profiles.BCD, Shift: -2, Absent: []uint64{0xFFFFFFFF}}
	for _, tt := range []struct {
		name   string
		field  profiles.Field
		data   []byte
		want   string
		reason schemas.Reason
	}{
		{"settlement total in 901F", settled, data, "1200.00", ""},
		{"count in binary", count, []byte{0xFF}, "255", ""},
		{"a word, low byte first", word, []byte{0x21, 0x84}, "33825", ""},
		{"Wh", energy, catalogtest.Bytes(t, "56 34 12 00 02"), "1.23456", ""},
		{"kWh", energy, catalogtest.Bytes(t, "56 34 12 00 05"), "1234.56", ""},
		{"MWh times 100", energy, catalogtest.Bytes(t, "56 34 12 00 0A"), "123456000", ""},
		{"GJ are no decimal fraction of kWh", energy, catalogtest.Bytes(t, "56 34 12 00 11"), "", schemas.ReasonUnknownState},
		{"m3 for an energy", energy, catalogtest.Bytes(t, "56 34 12 00 2C"), "", schemas.ReasonUnknownState},
		{"m3/h", flow, catalogtest.Bytes(t, "56 34 12 00 35"), "1234.56", ""},
		{"L/h times 10", flow, catalogtest.Bytes(t, "56 34 12 00 33"), "12.3456", ""},
		{"m3 for a flow", flow, catalogtest.Bytes(t, "56 34 12 00 2C"), "", schemas.ReasonUnknownState},
		{"sentinel", sentinel, catalogtest.Bytes(t, "FF FF FF FF"), "", schemas.ReasonSentinel},
		{"a digit above 9", sentinel, catalogtest.Bytes(t, "FF FF FF 0F"), "", schemas.ReasonBadBCD},
	} {
		d, reason, err := Decode(&tt.field, tt.data)
		if err != nil || reason != tt.reason || reason == "" && d.String() != tt.want {
			t.Errorf("%s: %s, %q, %v; want %s, %q", tt.name, d, reason, err, tt.want, tt.reason)
		}
	}
	if _, _, err := Decode(&settled, data[:9]); err == nil || !strings.Contains(err.Error(), "not in the 9 of item 901F") {
		t.Errorf("an item too short: %v", err)
	}
	if _, _, err := Decode(&profiles.Field{Quantity: "water.flow", Bytes: 9, Format: profiles.BCD}, data); err == nil {
		t.Error("a field of nine bytes was decoded")
	}
}

func TestAddress(t *testing.T) {
	for s, want := range map[string]string{
		"78330011223344": "", "AAAAAAAAAAAAAA": "", "C0DE0011223344": "", "7833AAAA223344": "",
		"7833001122334": "want 14 digits", "": "want 14 digits", "7833001122334X": "no digit",
		"7833001122334B": "4B is neither", "78330011223A44": "3A is neither",
	} {
		a, err := ParseAddress(s)
		if want == "" && (err != nil || a.String() != s) {
			t.Errorf("%q: %s, %v", s, a, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", s, err, want)
		}
	}
	some, one := Address{0x44, 0x33, wildcard, wildcard, 0, 0x33, 0x78}, Address{0x44, 0x33, 0x22, 0x11, 0, 0x33, 0x78}
	if !some.matches(one) || one.matches(some) || !anyone.matches(one) || one.matches(Address{}) {
		t.Error("wildcards match wrongly")
	}
}

func TestDecodeClock(t *testing.T) {
	zone := time.FixedZone("UTC+8", 8*60*60)
	for s, want := range map[string]string{
		"15 30 14 05 03 26 20": "2026-03-05T06:30:15Z",
		"00 00 00 29 02 24 20": "2024-02-28T16:00:00Z",
		"31 01 22 11 05 15 20": "2015-05-11T14:01:31Z", // C-N1
		"00 00 00 29 02 26 20": "", "60 00 00 01 01 26 20": "", "00 60 00 01 01 26 20": "",
		"00 00 24 01 01 26 20": "", "00 00 00 00 01 26 20": "", "00 00 00 01 13 26 20": "",
		"00 00 00 01 01 00 00": "", "FF FF FF FF FF FF FF": "", "1A 00 00 01 01 26 20": "",
	} {
		got, err := decodeClock(catalogtest.Bytes(t, s), zone)
		switch {
		case want == "" && err == nil:
			t.Errorf("%s is %s", s, got)
		case want != "" && (err != nil || got.UTC().Format(time.RFC3339) != want):
			t.Errorf("%s: %s, %v; want %s", s, got, err, want)
		}
	}
}

// TestSplit looks for frames among other bytes.
func TestSplit(t *testing.T) {
	whole := catalogtest.Bytes(t, answer)
	for _, tt := range []struct {
		name    string
		bytes   string
		skip, n int
		err     bool
	}{
		{"frame", answer, 0, 35, false},
		{"lead-in", "FE FE FE FE " + answer, 4, 35, false},
		{"two frames", answer + bought, 0, 35, false},
		{"half", answer[:60], 0, 0, false},
		{"start only", "68", 0, 0, false},
		{"nothing", "", 0, 0, false},
		{"noise before", "00 FF 13 " + answer, 3, 35, false},
		{"a start in the noise", "68 00 " + answer, 2, 35, false},
		{"a head in the noise", "68 10 " + answer, 2, 35, false},
		{"a whole head that never ends", "68 10 66 55 44 33 22 11 00 81 FF " + answer, 11, 35, false},
		{"broken", cN1, 0, 35, false},
		{"broken, then good", cN1 + " " + answer, 35, 35, false},
		{"broken, then the head of another", cN1 + " " + answer[:60], 0, 0, false},
		{"noise only", "00 FF 13", 0, 0, false},
		{"nothing but noise", strings.Repeat("00 FF 13", 30), 0, 0, true},
		{"Modbus", strings.Repeat("01 03 04 43 66 33 34 1B 38", 9), 0, 0, true},
	} {
		skip, n, err := split(catalogtest.Bytes(t, tt.bytes))
		if skip != tt.skip || n != tt.n || (err != nil) != tt.err {
			t.Errorf("%s: %d, %d, %v; want %d, %d", tt.name, skip, n, err, tt.skip, tt.n)
		}
	}
	for i := range whole {
		if _, n, err := split(whole[:i]); n != 0 || err != nil {
			t.Errorf("the first %d bytes of a frame: %d, %v", i, n, err)
		}
	}
}

// TestOpen holds one row a verdict.
func TestOpen(t *testing.T) {
	const me = "00112233445566"
	data := catalogtest.Bytes(t, answer)[11:33]
	build := func(change func(*Frame)) []byte {
		a, _ := ParseAddress(me)
		f := Frame{Type: 0x10, Address: a, Control: 0x81, Data: slices.Clone(data)}
		change(&f)
		return f.Append(nil)
	}
	for _, tt := range []struct {
		name    string
		frame   []byte
		verdict line.Verdict
		err     string
	}{
		{"the answer", catalogtest.Bytes(t, answer), line.Answer, ""},
		{"own echo", catalogtest.Bytes(t, ask2004), line.Stale, ""},
		{"an earlier sequence byte", build(func(f *Frame) { f.Data[2] = 0 }), line.Stale, ""},
		{"of another meter, earlier", build(func(f *Frame) { f.Data[2], f.Address[0] = 0, 0x77 }), line.Stale, ""},
		{"of another meter", build(func(f *Frame) { f.Address[0] = 0x77 }), line.Foreign, "asked was 00112233445566"},
		{"of another type", build(func(f *Frame) { f.Type = 0x30 }), line.Foreign, "asked was"},
		{"to a write", build(func(f *Frame) { f.Control = 0x84 }), line.Foreign, "asked was"},
		{"another master", build(func(f *Frame) { f.Control = 0x01 }), line.Foreign, "another master"},
		{"another item", build(func(f *Frame) { f.Data[0] = 0x91 }), line.Foreign, "asked was item 901F"},
		{"other order", build(func(f *Frame) { f.Data[0], f.Data[1] = 0x1F, 0x90 }), line.Answer, "order of the edition of 2018 when asked in that of 2004"},
		{"too short", build(func(f *Frame) { f.Data = f.Data[:21] }), line.Answer, "18 bytes of data, the profile says 19"},
		{"heat, 2004", build(func(f *Frame) { f.Data = append(f.Data, make([]byte, 24)...) }), line.Answer, "43 bytes of data, the profile says 19"},
		{"refusal", build(func(f *Frame) { f.Control, f.Data = 0xC1, []byte{1, 0x02, 0x00} }), line.Answer, "refuses (status 02 00)"},
		{"refusal with identifier", build(func(f *Frame) { f.Control, f.Data = 0xC1, []byte{0x90, 0x1F, 1, 2, 0} }), line.Answer, "refuses"},
		{"an earlier refusal", build(func(f *Frame) { f.Control, f.Data = 0xC1, []byte{0, 0x02, 0x00} }), line.Stale, ""},
		{"no sequence byte", build(func(f *Frame) { f.Data = f.Data[:2] }), line.Foreign, "no sequence byte"},
		{"broken", catalogtest.Bytes(t, cN1), line.Foreign, "checksum"},
	} {
		a, _ := ParseAddress(me)
		r := &request{bus: New(line.New(line.Config{}), Config{}), typ: 0x10, address: a, control: readData, di: 0x901F, order: highFirst, length: 19, ser: 1}
		verdict, err := r.Open(tt.frame)
		if verdict != tt.verdict || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %d, %v; want %d, %q", tt.name, verdict, err, tt.verdict, tt.err)
		}
		if verdict != line.Answer && r.from != (Address{}) {
			t.Errorf("%s: the request kept what is no answer", tt.name)
		}
	}
}

// TestFrameString is for people who watch a line.
func TestFrameString(t *testing.T) {
	for s, want := range map[string]string{
		ask2004: "request to 00112233445566, type 10, control 01: item 90 1F, sequence 01, 0 bytes",
		answer:  "answer of 00112233445566, type 10, control 81: item 90 1F, sequence 01, 19 bytes",
	} {
		f, err := Parse(catalogtest.Bytes(t, s))
		if err != nil || fmt.Sprint(f) != want {
			t.Errorf("%s, %v", f, err)
		}
	}
}
