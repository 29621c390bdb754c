package profiles

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"citygrid/adapters/catalog/catalogtest"
	"citygrid/schemas"
)

func TestEmbeddedProfiles(t *testing.T) {
	set := catalogtest.Set(t, Embedded)
	want := map[string]int{"cjt188-cold-water": 2, "cjt188-cold-water-valve": 7, "cjt188-gas": 3}
	if got := len(set.IDs()); got != len(want) {
		t.Errorf("%d profiles, want %d: %v", got, len(want), set.IDs())
	}
	for id, n := range want {
		p, err := set.Get(id)
		if err != nil {
			t.Error(err)
			continue
		}
		if len(p.Fields) != n || p.ID != id || p.Edition != 0 || p.Clock == nil {
			t.Errorf("%s: %+v", id, p)
		}
	}
	if _, err := set.Get("cold-water"); err == nil || !strings.Contains(err.Error(), "cjt188-cold-water") {
		t.Errorf("a name that is near: %v", err)
	}
}

// TestMappedItems pins single entries against the standard, since a typing error
// in an offset is a wrong value for ever.
func TestMappedItems(t *testing.T) {
	p := catalogtest.Get(t, Embedded, "cjt188-cold-water-valve")
	for _, want := range []Field{
		{Quantity: "water.volume.forward", DI: 0x901F, At: 0, Bytes: 4, Format: BCDUnit, Shift: -2},
		{Quantity: "water.valve.state", DI: 0x901F, At: 4 + 1 + 4 + 1 + 7, Bytes: 2, Format: Bits, Mask: 3},
		{Quantity: "water.purchase.count", DI: 0x8105, At: 0, Bytes: 1, Format: BCD},
		{Quantity: "water.purchase.last", DI: 0x8105, At: 1, Bytes: 4, Format: BCD, Shift: -2},
		{Quantity: "water.purchase.total", DI: 0x8105, At: 1 + 4, Bytes: 4, Format: BCD, Shift: -2},
		{Quantity: "water.credit.money", DI: 0x8105, At: 1 + 4 + 4, Bytes: 4, Format: BCD, Shift: -2},
	} {
		i := slices.IndexFunc(p.Fields, func(f Field) bool { return f.Quantity == want.Quantity })
		got := p.Fields[i]
		got.States, got.WrapsAt = nil, nil
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	// L of the answers is three more: identifier and sequence byte.
	if p.Lengths[0x901F]+3 != 0x16 || p.Lengths[0x8105]+3 != 0x12 {
		t.Errorf("lengths %v", p.Lengths)
	}
	if *p.Clock != (Clock{DI: 0x901F, At: 4 + 1 + 4 + 1}) || p.Monthly.Fields[0].DI != 0xD120 || p.Monthly.Kept != 0xD12B-0xD120+1 {
		t.Errorf("clock %+v, monthly %+v", p.Clock, p.Monthly)
	}
}

func TestVectorsOfEveryProfile(t *testing.T) {
	for _, p := range catalogtest.All(t, Embedded) {
		vectors, err := Vectors(p.ID)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, o := range []schemas.Origin{schemas.Live, schemas.MonthlyFreeze} {
			fields, _ := p.FieldsOf(o) // none of an origin that p has no records of
			for _, f := range fields {
				catalogtest.Covers(t, p.ID, vectors, o, f.Quantity)
			}
		}
	}
}

// head begins a profile; its fields would follow on line 8.
const head = "maker: A\nmodel: B\nmedium: water\ndocument: D\ntype: 0x10\nlengths: {0x901F: 19}\nfields:\n"

const volume = "  - {quantity: water.volume.forward, di: 0x901F, bytes: 4, format: bcd+unit, shift: -2}\n"

// TestParseRefuses holds one row a rule; each error must name the file, the
// line of the field where there is one, and what is wrong.
func TestParseRefuses(t *testing.T) {
	with := func(old, new string) string { return strings.Replace(head+volume, old, new, 1) }
	monthly := func(s string) string {
		return strings.Replace(with("{0x901F: 19}", "{0x901F: 19, 0x8103: 1, 0xD120: 5}"), "fields:", "clock: {di: 0x901F, at: 10}\nfields:", 1) + "monthly:\n" + s
	}
	const record = "  fields:\n    - {quantity: water.volume.forward, di: 0xD120, bytes: 4, format: bcd+unit, shift: -2}\n"
	for _, tt := range []struct{ name, file, want string }{
		{"empty file", "", "the file is empty"},
		{"unknown key", with("maker", "makr"), "field makr not found"},
		{"no maker", with("maker: A\n", ""), "maker: missing"},
		{"no fields", head, "fields: none"},
		{"medium", with("water", "heat"), `medium: "heat" is none of`},
		{"type", with("0x10", "0x30"), "type: 0x30 is no type of a meter of water; want 0x10 to 0x1F"},
		{"no type", with("type: 0x10\n", ""), "type: 0x00"},
		{"edition", with("type", "edition: 2010\ntype"), "edition: 2010 is neither"},
		{"unknown quantity", with("water.volume.forward", "water.volume"), "m.yaml:8: water.volume: no such quantity"},
		{"other medium", with("water.volume.forward", "gas.volume.total"), "is of gas, the profile is of water"},
		{"quantity twice", head + volume + volume, "m.yaml:9: water.volume.forward: named twice"},
		{"no identifier", with("di: 0x901F, ", ""), "m.yaml:8: water.volume.forward: di: missing"},
		{"identifier too large", with("di: 0x901F", "di: 0x1901F"), "line 8"},
		{"no length", with("{0x901F: 19}", "{0x9010: 19}"), "m.yaml:8: water.volume.forward: lengths: say how long item 901F is"},
		{"length of nothing", with("{0x901F: 19}", "{0x901F: 19, 0x8106: 1}"), "lengths: 8106: no field"},
		{"length", with("19", "253"), "lengths: 901F: 253 is not in 1 to 252"},
		{"outside", with("bytes: 4", "at: 15, bytes: 4"), "bytes 15 to 19 are not in the 19 of item 901F"},
		{"far outside", with("bytes: 4", "at: 9223372036854775807, bytes: 4"), "are not in the 19 of item 901F"},
		{"before", with("bytes: 4", "at: -1, bytes: 4"), "bytes -1 to 3 are not in"},
		{"no bytes", with("bytes: 4, ", ""), "bytes: 0 is not in 1 to 4"},
		{"five bytes", with("bytes: 4", "bytes: 5"), "bytes: 5 is not in 1 to 4"},
		{"three bytes of bits", with("bytes: 4, format: bcd+unit, shift: -2", "bytes: 3, format: bits"), "bytes: 3 is not in 1 to 2"},
		{"format", with("bcd+unit", "bcd-unit"), `format: "bcd-unit" is none of`},
		{"shift", with("shift: -2", "shift: -19"), "shift: -19"},
		{"unit of money", with("water.volume.forward", "water.credit.money"), "no unit byte stands for CNY"},
		{"state in digits", with("water.volume.forward, di: 0x901F, bytes: 4, format: bcd+unit, shift: -2", "device.battery.state, di: 0x901F, bytes: 1, states: {0: ok}"), "a state is of format bits"},
		{"state name", with("water.volume.forward, di: 0x901F, bytes: 4, format: bcd+unit, shift: -2", "device.battery.state, di: 0x901F, bytes: 1, format: bits, states: {0: flat}"), `"flat" is none of ok, low`},
		{"wraps", with("shift: -2", "shift: -2, wraps_at: many"), "wraps_at: decimal"},
		{"wraps at zero", with("shift: -2", "shift: -2, wraps_at: \"0\""), "not above zero"},
		{"absent", with("shift: -2", "shift: -2, absent: [0x100000000]"), "absent: 0x100000000 does not fit 4 bytes"},
		{"overlap", head + volume + "  - {quantity: water.volume.reverse, di: 0x901F, at: 4, bytes: 4, format: bcd+unit}\n", "m.yaml:9: water.volume.reverse: at: 4 overlaps part of water.volume.forward at 0"},
		{"clock outside", with("fields:", "clock: {di: 0x901F, at: 13}\nfields:"), "clock: bytes 13 to 19 are not in the 19 of item 901F"},
		{"clock of no item", with("fields:", "clock: {di: 0x907F}\nfields:"), "clock: lengths: say how long item 907F is"},
		{"records none", monthly("  kept: 0\n  day: 0x8103\n" + record), "kept: 0 is not in 1 to 12"},
		{"records many", monthly("  kept: 13\n  day: 0x8103\n" + record), "kept: 13"},
		{"records without day", monthly("  kept: 12\n" + record), "monthly.day: lengths: say how long item 0000 is"},
		{"records without fields", monthly("  kept: 12\n  day: 0x8103\n"), "monthly: fields: none"},
		{"records without clock", strings.Replace(monthly("  kept: 12\n  day: 0x8103\n"+record), "clock: {di: 0x901F, at: 10}\n", "", 1), "name its item"},
		{"records too far", strings.ReplaceAll(monthly("  kept: 12\n  day: 0x8103\n"+record), "0xD120", "0xD1F5"), "m.yaml:14: water.volume.forward: di: D1F5 and 12 records"},
	} {
		t.Run(tt.name, func(t *testing.T) { catalogtest.Refuses(t, Parse, tt.file, tt.want) })
	}
	if _, err := Parse("m.yaml", []byte(monthly("  kept: 12\n  day: 0x8103\n"+record))); err != nil {
		t.Errorf("a good one: %v", err)
	}
}

func TestLoadJoinsErrors(t *testing.T) {
	_, err := Load(fstest.MapFS{"a.yaml": {Data: []byte("x: 1")}, "b.yaml": {Data: []byte("y: 1")}, "c.yaml": {Data: []byte(head + volume)}})
	if err == nil || !strings.Contains(err.Error(), "a.yaml") || !strings.Contains(err.Error(), "b.yaml") {
		t.Errorf("error %v does not name both files", err)
	}
}

func TestUnitOf(t *testing.T) {
	for code, want := range map[byte]string{
		0x02: "kW.h -3", 0x04: "kW.h -1", 0x05: "kW.h 0", 0x07: "kW.h 2", 0x08: "kW.h 3", 0x0A: "kW.h 5",
		0x14: "W 0", 0x17: "W 3", 0x1A: "W 6", 0x1C: "W 8",
		0x29: "m3 -3", 0x2A: "m3 -2", 0x2B: "m3 -1", 0x2C: "m3 0", 0x2D: "m3 1", 0x2E: "m3 2",
		0x32: "m3/h -3", 0x35: "m3/h 0", 0x37: "m3/h 2",
		0x00: "", 0x01: "", 0x0B: "", 0x0E: "", 0x11: "", 0x13: "", 0x1D: "", 0x28: "", 0x2F: "", 0x31: "", 0x38: "", 0xFF: "",
	} {
		unit, shift, ok := UnitOf(code)
		got := ""
		if ok {
			got = fmt.Sprintf("%s %d", unit, shift)
		}
		if got != want {
			t.Errorf("%02X: %q, want %q", code, got, want)
		}
	}
}

func TestParseVectorsRefuses(t *testing.T) {
	p, err := Parse("m.yaml", []byte(head+volume))
	if err != nil {
		t.Fatal(err)
	}
	const good = `[{name: a, source: b, answers: ["68 16"], expect: {water.volume.forward: "1"}}]`
	if _, err := ParseVectors("m.vectors.yaml", []byte(good), p); err != nil {
		t.Error(err)
	}
	for old, tt := range map[string]struct{ new, want string }{
		"source: b":            {"source: ''", "want name, source"},
		"water.volume.forward": {"water.flow", "no such quantity"},
		"68 16":                {"68 1", "answer"},
		`"1"`:                  {"missing range", "no reason"},
		"name: a":              {"name: a, origin: monthly_freeze", "no records of origin"},
	} {
		catalogtest.RefusesVectors(t, ParseVectors, strings.Replace(good, old, tt.new, 1), p, tt.want)
	}
}

// FuzzProfile feeds files to the loader: it must never panic, and what it
// accepts must keep the promises of Profile.
func FuzzProfile(f *testing.F) {
	for _, id := range catalogtest.Set(f, Embedded).IDs() {
		data, err := embedded.ReadFile(id + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(head + volume))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("f.yaml", data)
		if err != nil {
			return
		}
		if err := p.Validate(); err != nil {
			t.Fatalf("accepted and yet refused: %v", err)
		}
		for i := range p.Fields {
			if field := &p.Fields[i]; field.At < 0 || field.At+field.Size() > p.Lengths[field.DI] || field.Validate() != nil {
				t.Errorf("accepted %+v", field)
			}
		}
		if p.Monthly != nil && (p.Clock == nil || p.Lengths[p.Monthly.DayDI] < 1) {
			t.Errorf("accepted %+v", p.Monthly)
		}
	})
}
