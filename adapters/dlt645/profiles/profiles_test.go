package profiles

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"citygrid/adapters/catalog/catalogtest"
	"citygrid/schemas"
)

func TestEmbeddedProfiles(t *testing.T) {
	want := map[string]int{"dlt645-three-phase": 31, "dlt645-prepaid-single-phase": 20, "dlt645-1997": 14}
	for id, n := range want {
		p := catalogtest.Get(t, Embedded, id)
		if len(p.Fields) != n || p.ID != id {
			t.Errorf("%s (%s): %d quantities, want %d", id, p.ID, len(p.Fields), n)
		}
		if err := p.Validate(); err != nil {
			t.Error(err)
		}
	}
	if ids := catalogtest.Set(t, Embedded).IDs(); len(ids) != len(want) {
		t.Errorf("profiles %v", ids)
	}
}

// TestMappedItems pins single entries against the tables of the standard, since
// a typing error in an identifier is a wrong value for ever.
func TestMappedItems(t *testing.T) {
	for _, tt := range []struct {
		id       string
		quantity schemas.Quantity
		want     string // DI, offset, bytes, format, shift
	}{
		{"dlt645-three-phase", "power.energy.import", "0001FF00 0 4 bcd -2"},
		{"dlt645-three-phase", "power.energy.import.t4", "0001FF00 16 4 bcd -2"},
		{"dlt645-three-phase", "power.energy.total", "00000000 0 4 sbcd -2"},
		{"dlt645-three-phase", "power.voltage.l2", "02010200 0 2 bcd -1"},
		{"dlt645-three-phase", "power.current.l3", "02020300 0 3 sbcd -3"},
		{"dlt645-three-phase", "power.active.l3", "02030300 0 3 sbcd -1"},
		{"dlt645-three-phase", "power.frequency", "02800002 0 2 bcd -2"},
		{"dlt645-prepaid-single-phase", "power.credit.energy", "00900100 0 4 bcd -2"},
		{"dlt645-prepaid-single-phase", "power.overdraft.money", "00900201 0 4 bcd -2"},
		{"dlt645-prepaid-single-phase", "power.purchase.count", "03330201 0 2 bcd 0"},
		{"dlt645-prepaid-single-phase", "power.purchase.last", "03330301 0 4 bcd -2"},
		{"dlt645-prepaid-single-phase", "power.purchase.total", "03330601 0 4 bcd -2"},
		{"dlt645-prepaid-single-phase", "power.relay.alarm", "04000503 0 2 bits 0"},
		{"dlt645-prepaid-single-phase", "device.card.status", "04001502 0 2 bits 0"},
		{"dlt645-1997", "power.energy.import", "00009010 0 4 bcd -2"},
		{"dlt645-1997", "power.voltage.l3", "0000B613 0 2 bcd 0"},
	} {
		fields := catalogtest.Get(t, Embedded, tt.id).Fields
		i := slices.IndexFunc(fields, func(f Field) bool { return f.Quantity == tt.quantity })
		if i < 0 {
			t.Errorf("%s has no %s", tt.id, tt.quantity)
			continue
		}
		f := fields[i]
		if got := fmt.Sprintf("%08X %d %d %s %d", f.DI, f.At, f.Bytes, f.Format, f.Shift); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.id, tt.quantity, got, tt.want)
		}
	}
	three := catalogtest.Get(t, Embedded, "dlt645-three-phase")
	if d := three.Daily; d.Kept != 62 || d.TimeDI != 0x05060001 || d.Fields[0].DI != 0x05060101 || d.Days != 0 {
		t.Errorf("daily freeze %+v", d)
	}
	if m := three.Monthly; m.Kept != 12 || m.DayDI != 0x04000B01 || m.Days != 3 || m.Fields[0].DI != 0x00010001 {
		t.Errorf("monthly freeze %+v", m)
	}
	if c := three.Clock; c.DateDI != 0x04000101 || c.TimeDI != 0x04000102 || three.Serial != 0x04000402 {
		t.Errorf("clock %+v, serial %08X", c, three.Serial)
	}
	if c := catalogtest.Get(t, Embedded, "dlt645-prepaid-single-phase").Clock; c.BothDI != 0x0400010C {
		t.Errorf("clock %+v", c)
	}
}

func TestVectorsOfEveryProfile(t *testing.T) {
	for _, p := range catalogtest.All(t, Embedded) {
		vectors, err := Vectors(p.ID)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, o := range []schemas.Origin{schemas.Live, schemas.DailyFreeze, schemas.MonthlyFreeze} {
			fields, _ := p.FieldsOf(o) // none of an origin that p has no records of
			for _, f := range fields {
				catalogtest.Covers(t, p.ID, vectors, o, f.Quantity)
			}
		}
	}
}

const head = "maker: A\nmodel: B\nmedium: power\ndocument: D\nedition: 2007\n"

func TestParseDefaults(t *testing.T) {
	p, err := Parse("meters/my-meter.yaml", []byte(head+`
clock: {both: 0x0400010C}
fields:
  - {quantity: power.energy.import, di: 0, bytes: 4, shift: -2, wraps_at: 999999.99, absent: [0xFFFFFFFF]}
monthly: {kept: 12, day: 0x04000B01, fields: [{quantity: power.energy.import, di: 0x00010001, bytes: 4}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	f := p.Fields[0]
	if p.ID != "my-meter" || f.DI != 0 || f.At != 0 || f.Format != BCD || f.WrapsAt.String() != "999999.99" || f.Absent[0] != 0xFFFFFFFF {
		t.Errorf("%s: %+v", p.ID, f)
	}
	if p.Monthly.Days != 1 || p.Clock.BothDI != 0x0400010C || p.Daily != nil {
		t.Errorf("monthly %+v, clock %+v", p.Monthly, p.Clock)
	}
	if got := p.DigitsDI(); got != 8 {
		t.Errorf("%d digits", got)
	}
}

// TestParseRefuses holds one row a rule; each error must name the file, the
// line of the field where there is one, and what is wrong.
func TestParseRefuses(t *testing.T) {
	const volt = "  - {quantity: power.voltage.l1, di: 1, bytes: 2}\n"
	fields := func(lines string) string { return head + "fields:\n" + lines }
	old := strings.Replace(head, "2007", "1997", 1)
	daily := func(s string) string { return fields(volt) + "daily: {" + s + "}\n" }
	const energy = "fields: [{quantity: power.energy.import, di: 0x05060101, bytes: 4}]"
	for _, tt := range []struct{ name, file, want string }{
		{"empty file", "", "m.yaml: the file is empty"},
		{"unknown key", fields("  - {quantity: power.voltage.l1, di: 1, byte: 2}\n"), "line 7: field byte not found"},
		{"no identifier", fields("  - {quantity: power.voltage.l1, bytes: 2}\n"), "m.yaml:7: power.voltage.l1: di: missing"},
		{"no fields", head, "fields: none"},
		{"no document", "maker: A\nmodel: B\nmedium: power\nedition: 2007\nfields:\n" + volt, "document: missing"},
		{"no edition", "maker: A\nmodel: B\nmedium: power\ndocument: D\nfields:\n" + volt, "edition: 0 is neither"},
		{"medium", strings.Replace(fields(volt), "power\n", "heat\n", 1), `"heat" is none of`},
		{"unknown quantity", fields("  - {quantity: power.volts, di: 1, bytes: 2}\n"), "m.yaml:7: power.volts: no such quantity"},
		{"other medium", fields("  - {quantity: water.flow, di: 1, bytes: 2}\n"), "is of water, the profile is of power"},
		{"quantity twice", fields(volt + volt), "m.yaml:8: power.voltage.l1: named twice"},
		{"format", fields("  - {quantity: power.voltage.l1, di: 1, bytes: 2, format: float}\n"), `format: "float" is none of`},
		{"no bytes", fields("  - {quantity: power.voltage.l1, di: 1}\n"), "bytes: 0 is not in 1 to 8"},
		{"wide word", fields("  - {quantity: device.status.word1, di: 1, bytes: 3, format: bits}\n"), "bytes: 3 is not in 1 to 2"},
		{"offset", fields("  - {quantity: power.voltage.l1, di: 1, at: -1, bytes: 2}\n"), "at: -1 is not in 0 to 998"},
		{"shift", fields("  - {quantity: power.voltage.l1, di: 1, bytes: 2, shift: 19}\n"), "shift: 19"},
		{"absent", fields("  - {quantity: power.voltage.l1, di: 1, bytes: 2, absent: [0x10000]}\n"), "absent: 0x10000 does not fit 2 bytes"},
		{"overlap", fields(volt + "  - {quantity: power.voltage.l2, di: 1, at: 1, bytes: 2}\n"), "m.yaml:8: power.voltage.l2: at: 1 overlaps part of power.voltage.l1"},
		{"state of digits", fields("  - {quantity: power.relay.state, di: 1, bytes: 2, states: {0: open}}\n"), "a state is of format bits"},
		{"state name", fields("  - {quantity: power.relay.state, di: 1, bytes: 2, format: bits, states: {0: ajar}}\n"), `"ajar" is none of closed, open`},
		{"wraps a gauge", fields("  - {quantity: power.active, di: 1, bytes: 3, wraps_at: \"10\"}\n"), "only a counter rolls over"},
		{"wraps at words", fields("  - {quantity: power.energy.total, di: 1, bytes: 4, wraps_at: many}\n"), "wraps_at: decimal"},
		{"four bytes of 1997", old + "fields:\n" + "  - {quantity: power.voltage.l1, di: 0x10000, bytes: 2}\n", "00010000 has four bytes"},
		{"serial of 1997", old + "serial: 0x04000402\nfields:\n" + volt, "serial: 04000402 has four bytes"},
		{"clock of 1997", old + "clock: {both: 0x0400010C}\nfields:\n" + volt, "clock: 0400010C has four bytes"},
		{"clock", "clock: {date: 1}\n" + fields(volt), "want date and time, or both"},
		{"two clocks", "clock: {date: 1, time: 2, both: 3}\n" + fields(volt), "want date and time, or both"},
		{"records of 1997", old + "fields:\n" + volt + "daily: {kept: 2, time: 3, fields: [{quantity: power.energy.import, di: 9, bytes: 4}]}\n", "do not follow each other"},
		{"none kept", daily("time: 0x05060001, " + energy), "kept: 0 is not in 1"},
		{"no time", daily("kept: 3, " + energy), "want time"},
		{"time and day", daily("kept: 3, time: 1, day: 2, " + energy), "want time"},
		{"days of time", daily("kept: 3, time: 1, days: 2, " + energy), "days: goes with day"},
		{"many days", "clock: {both: 9}\n" + daily("kept: 3, day: 1, days: 4, "+energy), "days: 4 is not in 1 to 3"},
		{"day without clock", daily("kept: 3, day: 1, " + energy), "name the items of clock"},
		{"no record fields", daily("kept: 3, time: 1"), "daily: fields: none"},
		{"past FF", daily("kept: 254, time: 1, fields: [{quantity: power.energy.import, di: 0x050601FF, bytes: 4}]"), "run past DI0 = FF"},
		{"line of a record", head + "fields:\n" + volt + "daily:\n  kept: 3\n  time: 1\n  fields:\n    - {quantity: power.volts, di: 1, bytes: 4}\n", "m.yaml:12: power.volts"},
		{"open nothing", "open: [7]\n" + fields(volt), "open: no field is of item 00000007"},
	} {
		t.Run(tt.name, func(t *testing.T) { catalogtest.Refuses(t, Parse, tt.file, tt.want) })
	}
}

func TestParseVectorsRefuses(t *testing.T) {
	p, err := Parse("m.yaml", []byte(head+"fields:\n  - {quantity: power.active, di: 5, bytes: 3}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ file, want string }{
		"no source":  {"[{name: a, answers: [\"68\"], expect: {power.active: \"1\"}}]", "want name, source"},
		"no answers": {"[{name: a, source: b, expect: {power.active: \"1\"}}]", "want name, source"},
		"unknown":    {"[{name: a, source: b, answers: [\"68\"], expect: {power.factor: \"1\"}}]", "no such quantity"},
		"hex":        {"[{name: a, source: b, answers: [\"6 8 9\"], expect: {power.active: \"1\"}}]", "answer"},
		"origin":     {"[{name: a, source: b, origin: daily_freeze, answers: [\"68\"], expect: {power.active: \"1\"}}]", "no records of origin"},
		"reason":     {"[{name: a, source: b, answers: [\"68\"], expect: {power.active: missing range}}]", "no reason"},
		"number":     {"[{name: a, source: b, answers: [\"68\"], expect: {power.active: one}}]", "decimal"},
	} {
		t.Run(name, func(t *testing.T) { catalogtest.RefusesVectors(t, ParseVectors, tt.file, p, tt.want) })
	}
}

func TestFieldValidate(t *testing.T) {
	good := Field{Quantity: "power.active", Bytes: 3, Format: BCD}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	bad := good
	bad.Bytes = 9
	if err := bad.Validate(); err == nil || err.Error() != "power.active: bytes: 9 is not in 1 to 8" {
		t.Errorf("%v", err)
	}
}

// FuzzProfile feeds files to the loader: it must never panic, and what it
// accepts must keep the promises of Profile.
func FuzzProfile(f *testing.F) {
	for _, name := range []string{"dlt645-three-phase.yaml", "dlt645-prepaid-single-phase.yaml", "dlt645-1997.yaml"} {
		data, err := embedded.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(head + "fields:\n  - {quantity: power.active, di: 0x02030000, bytes: 3, format: sbcd, shift: -1}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("f.yaml", data)
		if err != nil {
			return
		}
		for _, o := range []schemas.Origin{schemas.Live, schemas.DailyFreeze, schemas.MonthlyFreeze} {
			fields, err := p.FieldsOf(o)
			if err != nil {
				continue
			}
			for _, field := range fields {
				if field.Bytes < 1 || field.Bytes > 8 || field.At < 0 || field.At+field.Bytes > MaxItem || field.Validate() != nil {
					t.Errorf("accepted %+v", field)
				}
			}
		}
	})
}
