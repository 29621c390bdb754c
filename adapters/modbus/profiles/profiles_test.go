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
	// The smallest number of quantities that each map must yield.
	want := map[string]int{
		"abb-b23": 17, "acrel-adw300": 12, "bg-ws100": 10, "cangnan-gas": 4, "changli-em": 1,
		"chint-dtsu666": 20, "chint-dtsu666-h": 13, "dzg-dvh4013": 13,
		"eastron-sdm120": 12, "eastron-sdm630": 22, "eastron-sdm72": 17, "fuxin-gas": 6, "generic-cover-sensor": 6,
		"inventia-mt101": 4, "janitza-b23": 15, "orno-we514": 8, "orno-we516": 26,
		"schneider-iem3000": 21, "siemens-pac2200": 15, "tuf-2000m": 6, "xintai-prepaid-water": 10,
	}
	for id, n := range want {
		p, err := set.Get(id)
		if err != nil {
			t.Error(err)
			continue
		}
		if len(p.Fields) != n || p.ID != id {
			t.Errorf("%s (%s): %d quantities, want %d", id, p.ID, len(p.Fields), n)
		}
	}
	if got := len(set.IDs()); got != len(want) {
		t.Errorf("%d profiles, want %d: %v", got, len(want), set.IDs())
	}
}

// TestMappedRegisters pins single entries against the documents, since a typing
// error in an address is a wrong value for ever.
func TestMappedRegisters(t *testing.T) {
	set := catalogtest.Set(t, Embedded)
	for _, tt := range []struct {
		id       string
		quantity schemas.Quantity
		part     int
		want     Part
	}{
		{"eastron-sdm630", "power.energy.import.l3", 0, Part{Function: 4, At: 0x015E, Type: F32, Words: 2, Order: ABCD, Times: 1}},
		{"chint-dtsu666", "power.active", 0, Part{Function: 3, At: 0x2012, Type: F32, Words: 2, Order: ABCD, Times: 1, Shift: -1}},
		{"schneider-iem3000", "power.energy.import", 0, Part{Function: 3, At: 0x0C83, Type: I64, Words: 4, Order: ABCD, Times: 1, Shift: -3}},
		{"schneider-iem3000", "power.voltage.l1", 0, Part{Function: 3, At: 3028 - 1, Type: F32, Words: 2, Order: ABCD, Times: 1}},
		{"abb-b23", "power.active", 0, Part{Function: 3, At: 0x5B14, Type: I32, Words: 2, Order: ABCD, Times: 1, Shift: -2, Absent: []uint64{0x7FFFFFFF}}},
		{"acrel-adw300", "power.energy.export", 0, Part{Function: 3, At: 64, Type: I32, Words: 2, Order: ABCD, Times: 1, Shift: -2}},
		{"xintai-prepaid-water", "water.credit.volume", 0, Part{Function: 3, At: 0x0008, Type: F32, Words: 2, Order: DCBA, Times: 1}},
		{"xintai-prepaid-water", "water.valve.state", 0, Part{Function: 3, At: 0x001C, Type: U16, Words: 1, Order: ABCD, Times: 1}},
		{"tuf-2000m", "water.volume.forward", 1, Part{Function: 3, At: 11 - 1, Type: F32, Words: 2, Order: CDAB, Times: 1, Places: 6}},
		{"fuxin-gas", "gas.volume.standard", 0, Part{Function: 3, At: 0x0A + 16/2, Type: BCD, Words: 3, Order: ABCD, Times: 1, Shift: -4}},
		{"cangnan-gas", "gas.flow.standard", 0, Part{Function: 3, At: 40007 - 40001, Type: F32, Words: 2, Order: ABCD, Times: 3600}},
		{"cangnan-gas", "gas.volume.standard", 0, Part{Function: 3, At: 40009 - 40001, Type: F32, Words: 2, Order: ABCD, Times: 100}},
		{"eastron-sdm72", "power.energy.total", 0, Part{Function: 4, At: 0x0156, Type: F32, Words: 2, Order: ABCD, Times: 1}},
		{"chint-dtsu666", "power.ratio.voltage", 0, Part{Function: 3, At: 7, Type: U16, Words: 1, Order: ABCD, Times: 1, Shift: -1}},
		{"chint-dtsu666-h", "power.energy.import", 0, Part{Function: 3, At: 2166, Type: F32, Words: 2, Order: ABCD, Times: 1}},
		{"chint-dtsu666-h", "power.energy.export", 0, Part{Function: 3, At: 2174, Type: F32, Words: 2, Order: ABCD, Times: 1}},
		{"chint-dtsu666-h", "power.active", 0, Part{Function: 3, At: 2126, Type: F32, Words: 2, Order: ABCD, Times: 1}},
		{"orno-we516", "power.energy.import.t4", 0, Part{Function: 3, At: 0x0132 + 3*12, Type: F32, Words: 2, Order: ABCD, Times: 1}},
		{"orno-we514", "power.energy.total", 0, Part{Function: 3, At: 0xA000, Type: U32, Words: 2, Order: ABCD, Times: 1, Shift: -2}},
		{"dzg-dvh4013", "power.active", 1, Part{Function: 3, At: 2, Type: U32, Words: 2, Order: ABCD, Times: -1, Shift: -1}},
		{"siemens-pac2200", "power.energy.import", 0, Part{Function: 4, At: 801, Type: F64, Words: 4, Order: ABCD, Times: 1, Shift: -3}},
		{"janitza-b23", "power.energy.import", 0, Part{Function: 3, At: 0x4A7C, Type: F32, Words: 2, Order: ABCD, Times: 1, Shift: -3}},
		{"bg-ws100", "power.active", 0, Part{Function: 3, At: 0x0104, Type: I32, Words: 2, Order: ABCD, Times: 1}},
		{"changli-em", "water.velocity", 0, Part{Function: 3, At: 0, Type: F32, Words: 2, Order: CDAB, Times: 1}},
		{"generic-cover-sensor", "device.chamber.level", 0, Part{Function: 4, At: 2, Type: I16, Words: 1, Order: ABCD, Times: 1, Shift: -3, Absent: []uint64{0x8000}}},
		{"inventia-mt101", "gas.pressure", 0, Part{Function: 4, At: 14, Type: F32, Words: 2, Order: ABCD, Times: 1}},
	} {
		p, err := set.Get(tt.id)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(p.Fields, func(f Field) bool { return f.Quantity == tt.quantity })
		if i < 0 {
			t.Errorf("%s has no %s", tt.id, tt.quantity)
			continue
		}
		if got := p.Fields[i].Parts[tt.part]; fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s %s: %+v, want %+v", tt.id, tt.quantity, got, tt.want)
		}
	}
}

func TestVectorsOfEveryProfile(t *testing.T) {
	set := catalogtest.Set(t, Embedded)
	for _, id := range set.IDs() {
		vectors, err := Vectors(id)
		if err != nil {
			t.Error(err)
			continue
		}
		if len(vectors) < 2 {
			t.Errorf("%s: %d vectors, want at least a normal one and an edge", id, len(vectors))
		}
		covered := map[schemas.Quantity]bool{}
		for _, v := range vectors {
			for _, e := range v.Want {
				covered[e.Quantity] = covered[e.Quantity] || e.Missing == ""
			}
		}
		p, err := set.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range p.Fields {
			if !covered[f.Quantity] {
				t.Errorf("%s: no vector gives a value of %s", id, f.Quantity)
			}
		}
	}
}

const head = "maker: A\nmodel: B\nmedium: power\ndocument: D\nfunction: 3\n"

func TestParseDefaults(t *testing.T) {
	p, err := Parse("meters/my-meter.yaml", []byte(head+`
fields:
  - {quantity: power.active, at: 0x10, type: i32, shift: -1, absent: [0x7FFFFFFF]}
  - quantity: power.energy.import
    wraps_at: 999999.99
    parts:
      - {at: 0x20, type: u32, function: 4}
      - {at: 0x22, type: bcd, words: 1, function: 4, order: DCBA, shift: -4}
`))
	if err != nil {
		t.Fatal(err)
	}
	if p.ID != "my-meter" || p.MaxRegisters != 125 || p.MaxGap != 0 {
		t.Errorf("id %q, max_registers %d, max_gap %d", p.ID, p.MaxRegisters, p.MaxGap)
	}
	want := Part{Function: 3, At: 0x10, Type: I32, Words: 2, Order: ABCD, Times: 1, Shift: -1, Absent: []uint64{0x7FFFFFFF}}
	if got := p.Fields[0].Parts[0]; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("part %+v, want %+v", got, want)
	}
	if got := p.Fields[1].WrapsAt.String(); got != "999999.99" {
		t.Errorf("wraps at %s", got)
	}
	if got := p.Fields[1].Parts[1]; got.Order != DCBA || got.Words != 1 || got.Function != 4 {
		t.Errorf("second part %+v", got)
	}
}

// TestParseRefuses holds one row a rule; each error must name the file, the
// line of the field where there is one, and what is wrong.
func TestParseRefuses(t *testing.T) {
	const volt = "  - {quantity: power.voltage.l1, at: 0, type: f32}\n"
	fields := func(lines string) string { return head + "fields:\n" + lines }
	for _, tt := range []struct{ name, file, want string }{
		{"empty file", "", "m.yaml: the file is empty"},
		{"two documents", fields(volt) + "---\na: 1\n", "more than one YAML document"},
		{"unknown key", fields("  - {quantity: power.voltage.l1, at: 0, typ: f32}\n"), "line 7: field typ not found"},
		{"key twice", head + "function: 4\nfields:\n" + volt, "already"},
		{"address too large", fields("  - {quantity: power.voltage.l1, at: 70000, type: f32}\n"), "line 7"},
		{"no address", fields("  - {quantity: power.voltage.l1, type: f32}\n"), "m.yaml:7: power.voltage.l1: at: missing"},
		{"no fields", head, "fields: none"},
		{"no document", "maker: A\nmodel: B\nmedium: power\nfunction: 3\nfields:\n" + volt, "document: missing"},
		{"no function", "maker: A\nmodel: B\nmedium: power\ndocument: D\nfields:\n" + volt, "function: 0"},
		{"medium", "maker: A\nmodel: B\nmedium: heat\ndocument: D\nfunction: 3\nfields:\n" + volt, `"heat" is none of`},
		{"unknown quantity", fields("  - {quantity: power.volts, at: 0, type: f32}\n"), "m.yaml:7: power.volts: no such quantity"},
		{"other medium", fields("  - {quantity: water.flow, at: 0, type: f32}\n"), "is of water, the profile is of power"},
		{"quantity twice", fields(volt + "  - {quantity: power.voltage.l1, at: 2, type: f32}\n"), "m.yaml:8: power.voltage.l1: named twice"},
		{"type", fields("  - {quantity: power.voltage.l1, at: 0, type: float}\n"), `type: "float" is none of`},
		{"order", fields("  - {quantity: power.voltage.l1, at: 0, type: f32, order: BDCA}\n"), `order: "BDCA"`},
		{"words", fields("  - {quantity: power.voltage.l1, at: 0, type: f32, words: 4}\n"), "f32 takes 2 registers, not 4"},
		{"bcd without words", fields("  - {quantity: power.voltage.l1, at: 0, type: bcd}\n"), "a bcd number takes 1 to 4"},
		{"past the end", fields("  - {quantity: power.voltage.l1, at: 0xFFFF, type: f32}\n"), "run past 0xFFFF"},
		{"times zero", fields("  - {quantity: power.voltage.l1, at: 0, type: f32, times: 0}\n"), "times: 0"},
		{"shift", fields("  - {quantity: power.voltage.l1, at: 0, type: f32, shift: 19}\n"), "shift: 19"},
		{"absent", fields("  - {quantity: power.voltage.l1, at: 0, type: u16, absent: [0x10000]}\n"), "absent: 0x10000"},
		{"max_registers", "max_registers: 126\n" + fields(volt), "126 is not in 1 to 125"},
		{"max_gap", "max_gap: -1\n" + fields(volt), "max_gap: -1"},
		{"overlap", fields(volt + "  - {quantity: power.voltage.l2, at: 1, type: f32}\n"), "m.yaml:8: power.voltage.l2: at: 0x0001 overlaps part of power.voltage.l1"},
		{"parts overlap", fields("  - {quantity: power.active, parts: [{at: 0, type: u32}, {at: 1, type: u16}]}\n"), "two of its parts overlap"},
		{"parts too far apart", "max_registers: 20\n" + fields("  - {quantity: power.active, parts: [{at: 0, type: u32}, {at: 19, type: u32}]}\n"), "spans 21 registers"},
		{"parts of two functions", fields("  - {quantity: power.active, parts: [{at: 0, type: u32}, {at: 2, type: u16, function: 4}]}\n"), "needs two requests"},
		{"inline and parts", fields("  - {quantity: power.active, at: 9, type: u16, parts: [{at: 0, type: u32}]}\n"), "both parts and a register"},
		{"wraps a gauge", fields("  - {quantity: power.active, at: 0, type: u16, wraps_at: \"10\"}\n"), "only a counter rolls over"},
		{"wraps at zero", fields("  - {quantity: power.energy.total, at: 0, type: u16, wraps_at: \"0\"}\n"), "not above zero"},
		{"wraps at words", fields("  - {quantity: power.energy.total, at: 0, type: u16, wraps_at: many}\n"), "wraps_at: decimal"},
		{"state without names", fields("  - {quantity: device.battery.state, at: 0, type: u16}\n"), "states: missing"},
		{"state name", fields("  - {quantity: device.battery.state, at: 0, type: u16, states: {0: flat}}\n"), `"flat" is none of ok, low`},
		{"state outside mask", fields("  - {quantity: device.battery.state, at: 0, type: u16, mask: 1, states: {2: low}}\n"), "bits outside the mask"},
		{"state of two words", fields("  - {quantity: device.battery.state, at: 0, type: u32, states: {0: ok}}\n"), "a state is one u16"},
		{"states of a gauge", fields("  - {quantity: power.active, at: 0, type: u16, states: {0: ok}}\n"), "go with a quantity that is a state"},
		{"in a hole", "holes: [{from: 1, to: 9}]\n" + fields(volt), "registers 0x0000-0x0001 reach into the hole 0x0001-0x0009"},
		{"hole between parts", "holes: [{from: 2, to: 3}]\n" + fields("  - {quantity: power.active, parts: [{at: 0, type: u32}, {at: 4, type: u32}]}\n"), "registers 0x0000-0x0005 reach into the hole 0x0002-0x0003"},
		{"places of an integer", fields("  - {quantity: power.active, at: 0, type: i32, places: 6}\n"), "places: goes with f32 and f64"},
		{"places 0", fields("  - {quantity: power.active, at: 0, type: f32, places: 0}\n"), "places: 0; want 1 to 18"},
		{"places 19", fields("  - {quantity: power.active, at: 0, type: f32, places: 19}\n"), "places: 19 is not in 1 to 18"},
		{"places beside parts", fields("  - {quantity: power.active, places: 6, parts: [{at: 0, type: f32}]}\n"), "both parts and a register"},
		{"together alone", fields("  - {quantity: power.active, at: 0, type: u16, together: now}\n"), `m.yaml:7: power.active: together: "now" is a group of one`},
		{"together empty", fields("  - {quantity: power.active, at: 0, type: u16, together: \"\"}\n"), "together: empty"},
		{"together too far apart", "max_registers: 9\n" + fields("  - {quantity: power.active, at: 0, type: u16, together: now}\n  - {quantity: power.factor, at: 9, type: u16, together: now}\n"), `the group "now" spans 10 registers`},
		{"together of two functions", fields("  - {quantity: power.active, at: 0, type: u16, together: now}\n  - {quantity: power.factor, at: 1, type: u16, function: 4, together: now}\n"), "needs two requests"},
		{"together across a hole", "holes: [{from: 1, to: 1}]\n" + fields("  - {quantity: power.active, at: 0, type: u16, together: now}\n  - {quantity: power.factor, at: 2, type: u16, together: now}\n"), "reach into the hole 0x0001-0x0001"},
		{"hole backwards", "holes: [{from: 9, to: 8}]\n" + fields(volt), "want from <= to"},
	} {
		t.Run(tt.name, func(t *testing.T) { catalogtest.Refuses(t, Parse, tt.file, tt.want) })
	}
}

func TestParseReportsAllProblems(t *testing.T) {
	_, err := Parse("m.yaml", []byte(head+"fields:\n  - {quantity: power.volts, at: 0, type: f32}\n  - {quantity: power.active, at: 9, type: x}\n"))
	if err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("want two problems, one a line: %v", err)
	}
}

// TestTogether shows that a group reaches its fields, whatever lies between.
func TestTogether(t *testing.T) {
	p, err := Parse("m.yaml", []byte(head+"fields:\n"+
		"  - {quantity: power.active, at: 1, type: u16, together: now}\n"+
		"  - {quantity: power.frequency, at: 9, type: u16}\n"+
		"  - {quantity: power.factor, at: 100, type: u16, together: now}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if p.Fields[0].Together != "now" || p.Fields[1].Together != "" || p.Fields[2].Together != "now" {
		t.Errorf("groups %+v", p.Fields)
	}
}

// TestSharedStatusWord shows that two states may share a register.
func TestSharedStatusWord(t *testing.T) {
	_, err := Parse("m.yaml", []byte("maker: A\nmodel: B\nmedium: water\ndocument: D\nfunction: 3\nfields:\n"+
		"  - {quantity: water.valve.state, at: 1, type: u16, mask: 1, states: {0: closed, 1: open}}\n"+
		"  - {quantity: device.battery.state, at: 1, type: u16, mask: 8, states: {0: ok, 8: low}}\n"))
	if err != nil {
		t.Error(err)
	}
}

func TestGetNamesNearOnes(t *testing.T) {
	set := catalogtest.Set(t, Embedded)
	for id, want := range map[string]string{
		"sdm630":          "eastron-sdm630",
		"eastron-sdm360":  "eastron-sdm630",
		"Chint-DTSU666":   "chint-dtsu666",
		"eastron-sdm630x": "eastron-sdm630",
		"qqqqq":           "there are abb-b23, acrel-adw300",
	} {
		if _, err := set.Get(id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Get(%q): %v, want it to name %s", id, err, want)
		}
	}
}

func TestLoadJoinsErrorsAndWithRefusesTwins(t *testing.T) {
	good := []byte(head + "fields:\n  - {quantity: power.active, at: 0, type: u16}\n")
	_, err := Load(fstest.MapFS{"a.yaml": {Data: []byte("x: 1")}, "b.yaml": {Data: []byte("y: 1")}, "c.yaml": {Data: good}})
	if err == nil || !strings.Contains(err.Error(), "a.yaml") || !strings.Contains(err.Error(), "b.yaml") {
		t.Errorf("error %v does not name both files", err)
	}
	p, err := Parse("mine.yaml", good)
	if err != nil {
		t.Fatal(err)
	}
	both, err := catalogtest.Set(t, Embedded).With(p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := both.Get("mine"); err != nil {
		t.Error(err)
	}
	if _, err := both.With(p); err == nil || !strings.Contains(err.Error(), "taken") {
		t.Errorf("a second profile of one name: %v", err)
	}
}

func TestParseVectorsRefuses(t *testing.T) {
	p, err := Parse("m.yaml", []byte(head+"fields:\n  - {quantity: power.active, at: 5, type: u32}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ file, want string }{
		"no source":     {"[{name: a, expect: {power.active: \"1\"}}]", "want name, source"},
		"unknown":       {"[{name: a, source: b, registers: [{function: 3, at: 5, words: 0000 0000}], expect: {power.factor: \"1\"}}]", "no such quantity"},
		"half a number": {"[{name: a, source: b, registers: [{function: 3, at: 5, words: \"0000\"}], expect: {power.active: \"1\"}}]", "0x0005 of function 3 is not given"},
		"word":          {"[{name: a, source: b, registers: [{function: 3, at: 5, words: \"000 0000\"}], expect: {power.active: \"1\"}}]", "four hexadecimal"},
		"reason":        {"[{name: a, source: b, registers: [{function: 3, at: 5, words: \"0000 0000\"}], expect: {power.active: missing range}}]", "no reason"},
		"number":        {"[{name: a, source: b, registers: [{function: 3, at: 5, words: \"0000 0000\"}], expect: {power.active: one}}]", "decimal"},
	} {
		t.Run(name, func(t *testing.T) { catalogtest.RefusesVectors(t, ParseVectors, tt.file, p, tt.want) })
	}
}

// FuzzParse feeds files to the loader: it must never panic, and what it accepts
// must keep the promises of Profile.
func FuzzParse(f *testing.F) {
	f.Add([]byte(head + "fields:\n  - {quantity: power.active, at: 0x10, type: i32, shift: -1}\n"))
	f.Add([]byte(head + "holes: [{from: 1, to: 2}]\nfields:\n  - {quantity: power.active, parts: [{at: 9, type: bcd, words: 3}]}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("f.yaml", data)
		if err != nil {
			return
		}
		for _, field := range p.Fields {
			for _, part := range field.Parts {
				if part.Words < 1 || part.Times == 0 || int(part.At)+part.Words > 1<<16 {
					t.Errorf("accepted %+v", part)
				}
			}
		}
	})
}
