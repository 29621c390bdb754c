package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"citygrid/adapters/line"
	"citygrid/collector/verdict"
	"citygrid/schemas"
)

// field has lines of every kind; the tests below spoil one line of it.
const field = `collector: c001
bundle: c001.bundle
data_dir: data
interval: 15m
broker: {url: "tcp://h:1883"}
lines:
  - name: riser
    address: /dev/serial/by-id/riser
    serial: {baud: 2400, parity: even}
    timeout: 2s
    ignore_sequence: true
    probe_share: 0.2
    meters:
      - id: P-1
        address: "000012345678"
        profile: dlt645-three-phase
        direction: forward
        stuck_after: 2h
        limits:
          power.energy.import: {max_per_hour: "43.5"}
        installations:
          - serial: "222"
            from: 2026-05-01T10:20:00+08:00
            first: {power.energy.import: "0.12"}
            wraps_at: {power.energy.import: 1000000}
            multiplier: "40"
          - serial: "111"
            from: 2019-03-01T09:00:00+08:00
            to: 2026-05-01T10:00:00.5004+08:00
            last: {power.energy.import: "48210.37"}
      - id: W-1
        address: 00001234567890
        profile: cjt188-cold-water
      - id: P-2
        unit: 0
        profile: eastron-sdm630
  - name: server
    address: 192.0.2.20:4001
    serial: {baud: 9600, parity: none, data_bits: 8, stop_bits: 2}
    close_after_cycle: true
    meters:
      - id: P-3
        address: AAAAAAAAAAAA
        profile: dlt645-1997
  - name: gateway
    address: 192.0.2.21:502
    no_transaction_id: true
    meters:
      - id: P-4
        unit: 7
        profile: eastron-sdm630
`

func TestFieldLines(t *testing.T) {
	c, err := Parse([]byte(field), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	checkRoundTrip(t, c)
	if w := c.Warnings(); len(w) != 0 {
		t.Errorf("warnings %q", w)
	}
	if l := c.Lines[0]; l.QuietTime != l.Timeout || *l.settings() != (line.Serial{Baud: 2400, Parity: line.Even, DataBits: 8, StopBits: 1}) {
		t.Errorf("the riser %+v", l)
	}
	if l := c.Lines[2]; l.QuietTime != l.Timeout || l.settings() != nil {
		t.Errorf("the gateway %+v", l)
	}
	if a := c.Lines[0].Meters[1].Address; a != "00001234567890" {
		t.Errorf("an address without quotes is read as %q", a)
	}
	lines, err := c.BuildLines()
	if err != nil {
		t.Fatal(err)
	}
	if l := lines[0]; l.ProbeShare != 0.2 || l.CloseAfterCycle || !lines[1].CloseAfterCycle || len(l.Meters) != 3 {
		t.Errorf("lines %+v", lines)
	}
	rules := lines[0].Meters[0].Rules
	if rules.Direction != verdict.Forward || rules.StuckAfter != 2*time.Hour || rules.Limits["power.energy.import"].MaxPerHour.String() != "43.5" {
		t.Errorf("rules %+v", rules)
	}
	decimal := func(m int64, e int8) schemas.Decimal { return schemas.Decimal{Mantissa: m, Exponent: e} }
	const q = schemas.Quantity("power.energy.import")
	want := []schemas.Installation{
		{Meter: "P-1", Serial: "111", From: time.Date(2019, 3, 1, 1, 0, 0, 0, time.UTC), To: time.Date(2026, 5, 1, 2, 0, 0, 5e8, time.UTC),
			Last: map[schemas.Quantity]schemas.Decimal{q: decimal(4821037, -2)}, Multiplier: decimal(1, 0)},
		{Meter: "P-1", Serial: "222", From: time.Date(2026, 5, 1, 2, 20, 0, 0, time.UTC), Multiplier: decimal(40, 0),
			First:   map[schemas.Quantity]schemas.Decimal{q: decimal(12, -2)},
			WrapsAt: map[schemas.Quantity]schemas.Decimal{q: decimal(1000000, 0)}},
	}
	if !reflect.DeepEqual(rules.Installations, want) {
		t.Errorf("installations %+v", rules.Installations)
	}
	if all, err := c.Installations(); err != nil || !reflect.DeepEqual(all, want) {
		t.Errorf("all installations %+v, %v", all, err)
	}
	for _, l := range lines {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What the requests of a meter put on the wire, counted by hand from the frame
// layouts.
func TestSummary(t *testing.T) {
	text := strings.Replace(field, "collector: c001", "collector: c001\nprofiles: [two.yaml, {protocol: dlt645, file: items.yaml}]", 1)
	text = strings.NewReplacer("profile: dlt645-1997", "profile: items", "unit: 7\n        profile: eastron-sdm630", "unit: 7\n        profile: two",
		"unit: 0\n        profile: eastron-sdm630", "unit: 0\n        profile: two").Replace(text)
	dir := t.TempDir()
	write(t, dir, "two.yaml", twoBlocks)
	write(t, dir, "items.yaml", twoItems)
	c, err := Parse([]byte(text), dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Summary()
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || len(got[0].Meters) != 3 || got[0].Serial == nil || got[2].Serial != nil {
		t.Fatalf("%+v", got)
	}
	// Modbus: two requests, of 2 and 1 registers.
	if m := got[0].Meters[2]; m.Cost != (Cost{2, 16, 5 + 4 + 5 + 2}) || m.Values != 2 || m.Interval != 15*time.Minute {
		t.Errorf("two blocks in RTU: %+v", m)
	}
	if m := got[2].Meters[0]; m.Cost != (Cost{2, 24, 9 + 4 + 9 + 2}) || m.Protocol != Modbus || m.AnswersTo != "unit 7" {
		t.Errorf("two blocks in TCP: %+v", m)
	}
	// DL/T 645-2007: FEFEFEFE 68 A0-A5 68 C L DI0-DI3 CS 16 is 20 bytes; the
	// answers hold 4 and 3 more.
	if m := got[1].Meters[0]; m.Cost != (Cost{2, 40, 24 + 23}) || m.Protocol != DLT645 || m.AnswersTo != "address AAAAAAAAAAAA" {
		t.Errorf("two items of DL/T 645: %+v", m)
	}
	// CJ/T 188: FEFEFEFE 68 T A0-A6 C L DI0 DI1 SER CS 16 is 20 bytes; data of
	// 901F has 19 [CJ/T 188-2004 table A.1: L = 16H].
	if m := got[0].Meters[1]; m.Cost.Requests < 1 || m.Cost.BytesOut != 20*m.Cost.Requests || m.Cost.BytesIn < 39 || m.Protocol != CJT188 {
		t.Errorf("a cold water meter: %+v", m)
	}
	if d := got[0].Meters[2].Cost.Wire(*got[0].Serial); d != 32*11*time.Second/2400 {
		t.Errorf("32 bytes at 2400 8E1 take %s", d)
	}
}

const twoBlocks = `maker: M
model: two
medium: power
document: test
max_registers: 10
fields:
  - {quantity: power.energy.import, function: 3, at: 0, type: u32, order: ABCD}
  - {quantity: power.frequency, function: 3, at: 100, type: u16}
`

const twoItems = `maker: M
model: items
medium: power
document: test
edition: 2007
fields:
  - {quantity: power.energy.import, di: 0x00010000, bytes: 4, format: bcd, shift: -2}
  - {quantity: power.active, di: 0x02030000, bytes: 3, format: sbcd, shift: -1}
`

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFieldRefusals(t *testing.T) {
	const riser = "    serial: {baud: 2400, parity: even}\n"
	tests := []struct{ old, new, want string }{
		// the wire
		{riser, "", "line 7: lines[0]: /dev/serial/by-id/riser is a serial device; say how its wire is driven (serial): usual are {baud: 9600, parity: none} for Modbus and {baud: 2400, parity: even}"},
		{"{baud: 2400, parity: even}", "{baud: 2400}", "line 9: lines[0].serial: want baud and parity: usual are"},
		{"{baud: 2400, parity: even}", "{parity: even}", "line 9: lines[0].serial: want baud and parity"},
		{"{baud: 2400, parity: even}", "{baud: 24, parity: even}", "line 9: lines[0].serial: serial settings: baud 24"},
		{"parity: even", "parity: mark", `line 9: lines[0].serial: serial settings: parity "mark"`},
		{"parity: even", "parity: even, stopbits: 2", "field stopbits not found"},
		{"stop_bits: 2", "stop_bits: 3", "serial settings: stop bits 3"},
		{"    close_after_cycle: true\n", "    no_transaction_id: true\n", "lines[1].no_transaction_id: there are no transaction ids on a serial wire"},
		{"    no_transaction_id: true\n", "    ignore_sequence: true\n", "lines[2].ignore_sequence: is for CJ/T 188"},
		{"probe_share: 0.2", "probe_share: 1.1", "lines[0].probe_share: 1.1 is no share"},
		{"probe_share: 0.2", "probe_share: .nan", "lines[0].probe_share: NaN is no share"},
		{"192.0.2.21:502", "192.0.2.20:4001", "is the address of line server too"},
		{"192.0.2.21:502\n    no_transaction_id: true\n", "/dev/serial/by-id/../by-id/riser\n    serial: {baud: 9600, parity: none}\n", "is the address of line riser too"},

		// who answers
		{"        unit: 7\n", "", "lines[2].meters[0]: give its unit (Modbus) or its address"},
		{"        unit: 7\n", "        unit:\n", "lines[2].meters[0]: give its unit (Modbus) or its address"},
		{"        unit: 7\n", "        unit: 7\n        address: \"000012345678\"\n", "lines[2].meters[0]: give a unit (Modbus) or an address (DL/T 645, CJ/T 188), not both"},
		{"        unit: 7\n", "        address: \"000012345678\"\n", "lines[2].meters[0].address: a meter with an address stands on a serial wire; say how the wire of line gateway is driven (serial): usual are"},
		{"000012345678", "00001234567", `lines[0].meters[0].address: "00001234567": want the 12 digits`},
		{"000012345678", "00001234567B", `lines[0].meters[0].address: "00001234567B": want the 12 digits`},
		{"        unit: 0\n        profile: eastron-sdm630", "        address: \"000012345678\"\n        profile: dlt645-three-phase", "lines[0].meters[2].address: address 000012345678 with profile dlt645-three-phase is meter P-1 already"},
		{`"000012345678"`, "AAAAAAAAAAAA", "lines[0].meters[0].address: AAAAAAAAAAAA is for the only meter of a line"},

		// rules
		{"direction: forward", "direction: backward", `lines[0].meters[0].direction: "backward", want forward or any`},
		{"stuck_after: 2h", "stuck_after: 44m", "lines[0].meters[0].stuck_after: 44m0s, want at least three intervals of 15m0s"},
		{"stuck_after: 2h", "stuck_after: -2h", "lines[0].meters[0].stuck_after: -2h0m0s, want at least three"},
		{`max_per_hour: "43.5"`, `max_per_hour: "0"`, "lines[0].meters[0].limits.power.energy.import: max_per_hour 0, want more than zero"},
		{`max_per_hour: "43.5"`, `max_per_hour: lots`, `lines[0].meters[0].limits.power.energy.import: decimal "lots"`},
		{`power.energy.import: {max_per_hour`, `power.active: {max_per_hour`, "limits.power.active: max_per_hour is for counters; power.active goes up and down"},

		// installations
		{"            from: 2026-05-01T10:20:00+08:00\n", "", "lines[0].meters[0].installations[0]: from is missing"},
		{"from: 2026-05-01T10:20:00+08:00", "from: 2026-05-01", `line 23: lines[0].meters[0].installations[0].from: "2026-05-01" is no moment`},
		{"to: 2026-05-01T10:00:00.5004+08:00", "to: noon", `installations[1].to: "noon" is no moment`},
		{"to: 2026-05-01T10:00:00.5004+08:00", "to: 2018-05-01T10:00:00+08:00", "installations[1]: to: not after from"},
		{"to: 2026-05-01T10:00:00.5004+08:00", "to: 2026-05-01T10:30:00+08:00", "line 22: lines[0].meters[0].installations: meter P-1: the installation from 2019-03-01T01:00:00Z is not over when the next begins"},
		{`multiplier: "40"`, `multiplier: "0"`, "installations[0]: multiplier: 0, want more than zero"},
		{`multiplier: "40"`, `multiplier: CT`, `installations[0].multiplier: decimal "CT"`},
		{`first: {power.energy.import: "0.12"}`, `first: {power.energy.import: "-1"}`, "installations[0]: first.power.energy.import: -1 is not possible"},
		{`first: {power.energy.import: "0.12"}`, `first: {power.energy.import: a}`, `installations[0].first.power.energy.import: decimal "a"`},
		{`first: {power.energy.import: "0.12"}`, `first: {power.active: "1"}`, "installations[0]: first.power.active: no counter"},

		// profiles
		{"collector: c001", "collector: c001\nprofiles: [{protocol: profibus, file: x}]", `line 2: profiles[0]: unknown protocol "profibus"`},
		{"collector: c001", "collector: c001\nprofiles: [{protocol: dlt645}]", "line 2: profiles[0]: want the path"},
		{"collector: c001", "collector: c001\nprofiles: [{protocol: dlt645, path: x}]", "line 2: field path not found in a profile"},
		{"collector: c001", "collector: c001\nprofiles: [[x]]", "line 2: want the path of a profile"},
	}
	for _, tt := range tests {
		text := strings.Replace(field, tt.old, tt.new, 1)
		if text == field {
			t.Fatalf("%q is not in the file", tt.old)
		}
		if _, err := Parse([]byte(text), "."); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q:\nerror %v\nwant  %s", tt.new, err, tt.want)
		}
	}
}

// What only the profiles can tell.
func TestFieldBuildRefusals(t *testing.T) {
	tests := []struct{ old, new, want string }{
		{"profile: dlt645-three-phase", "profile: cjt188-cold-water", "lines[0].meters[0].address: profile cjt188-cold-water is of CJ/T 188: give the meter its address, the 14 digits"},
		{"profile: cjt188-cold-water", "profile: dlt645-three-phase", "lines[0].meters[1].address: profile dlt645-three-phase is of DL/T 645: give the meter its address, the 12 digits"},
		{"profile: dlt645-three-phase", "profile: eastron-sdm630", "lines[0].meters[0].address: profile eastron-sdm630 is of Modbus: give the meter a unit"},
		{"unit: 0\n        profile: eastron-sdm630", "unit: 0\n        profile: dlt645-three-phase", "lines[0].meters[2].unit: profile dlt645-three-phase is of DL/T 645"},
		{"profile: dlt645-three-phase", "profile: dlt645-three-fase", "lines[0].meters[0].profile: "},
		{`last: {power.energy.import: "48210.37"}`, `last: {gas.volume.total: "48210.37"}`, "lines[0].meters[0].installations[1]: profile dlt645-three-phase does not give gas.volume.total"},
		{"collector: c001", "collector: c001\nprofiles: [two.yaml, {protocol: dlt645, file: two.yaml}]", "line 2: profiles[1]: "},
		{"collector: c001", "collector: c001\nprofiles: [{protocol: dlt645, file: d/two.yaml}, two.yaml]", "line 2: profiles[1]: profile two: the name is taken by a profile of dlt645; rename the file"},
		{"collector: c001", "collector: c001\nprofiles: [{protocol: cjt188, file: nowhere.yaml}]", "line 2: profiles[0]: open "},
	}
	dir := t.TempDir()
	write(t, dir, "two.yaml", twoBlocks)
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "d"), "two.yaml", twoItems)
	for _, tt := range tests {
		text := strings.Replace(field, tt.old, tt.new, 1)
		c, err := Parse([]byte(text), dir)
		if err != nil || text == field {
			t.Errorf("%q: %v", tt.new, err)
			continue
		}
		if _, err := c.BuildLines(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q:\nerror %v\nwant  %s", tt.new, err, tt.want)
		}
	}
}

// Anchors and merges are YAML too: they may give a meter its unit.
func TestMergedMeters(t *testing.T) {
	text := strings.Replace(field, "unit: 7\n        profile: eastron-sdm630", "<<: &kind\n          unit: 7\n          profile: eastron-sdm630\n      - <<: [*kind]\n        id: P-5\n        unit: 8", 1)
	c, err := Parse([]byte(text), ".")
	if err != nil {
		t.Fatal(err)
	}
	if m := c.Lines[2].Meters; len(m) != 2 || m[0].Unit != 7 || m[1].Unit != 8 || m[1].Profile != "eastron-sdm630" {
		t.Errorf("meters %+v", m)
	}
}

// Two names of one port are one line.
func TestOnePortTwoNames(t *testing.T) {
	dir := t.TempDir()
	port, link := filepath.Join(dir, "ttyS9"), filepath.Join(dir, "by-id")
	write(t, dir, "ttyS9", "")
	if err := os.Symlink(port, link); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	text := strings.Replace(field, "/dev/serial/by-id/riser", link, 1)
	text = strings.Replace(text, "192.0.2.20:4001", port, 1)
	if _, err := Parse([]byte(text), "."); err == nil || !strings.Contains(err.Error(), "is the address of line riser too") {
		t.Errorf("error %v", err)
	}
}

func TestWarnings(t *testing.T) {
	for _, device := range []string{"/dev/ttyUSB0", "/dev/ttyACM1"} {
		c, err := Parse([]byte(strings.Replace(field, "/dev/serial/by-id/riser", device, 1)), ".")
		if err != nil {
			t.Fatal(err)
		}
		if w := c.Warnings(); len(w) != 1 || !strings.Contains(w[0], "line 8: lines[0].address: "+device) || !strings.Contains(w[0], "/dev/serial/by-id") {
			t.Errorf("%s: warnings %q", device, w)
		}
	}
}

// The built-in profiles of all protocols have names of their own.
func TestBuiltInProfiles(t *testing.T) {
	sets, err := new(Config).loadProfiles()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(sets.modbus.IDs()) + len(sets.dlt645.IDs()) + len(sets.cjt188.IDs()); n != len(sets.protocols) {
		t.Errorf("%d profiles, %d names", n, len(sets.protocols))
	}
}
func TestBuildMonitored(t *testing.T) {
	c, err := Parse([]byte(`collector: c1
bundle: c1.bundle
data_dir: data
interval: 1m
broker: {url: "tcp://127.0.0.1:1"}
lines:
  - {name: a, address: "127.0.0.1:1", timeout: 50ms, meters: [{id: P-1, unit: 1, profile: eastron-sdm630}]}
  - {name: b, address: "127.0.0.1:2", meters: [{id: P-2, unit: 1, profile: eastron-sdm630}]}
`), ".")
	if err != nil {
		t.Fatal(err)
	}
	l, err := c.BuildMonitored("b", func(line.Event) {})
	if err != nil || l.Name != "b" || len(l.Meters) != 1 || l.Meters[0].ID != "P-2" {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := c.BuildMonitored("x", nil); err == nil || !strings.Contains(err.Error(), `no line "x"`) {
		t.Error(err)
	}
}

// An item that takes several frames is asked for, and answered, once a frame.
func TestSummaryOfALongItem(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "long.yaml", strings.Replace(twoItems, "shift: -2}", "shift: -2}\n  - {quantity: power.energy.import.t1, di: 0x0001FF00, bytes: 4, at: 496, format: bcd, shift: -2}", 1))
	c, err := Parse([]byte(`{collector: c1, bundle: b, data_dir: d, interval: 1m, broker: {url: "tcp://127.0.0.1:1"},
profiles: [{protocol: dlt645, file: long.yaml}],
lines: [{name: a, address: "127.0.0.1:1", serial: {baud: 2400, parity: even}, meters: [{id: P-1, address: "000000000001", profile: long}]}]}`), dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Summary()
	if err != nil {
		t.Fatal(err)
	}
	// 500 bytes: 196, 195 and 109; the two further questions and answers have
	// their number. Beside it the two items of 20 + 20 and 24 + 23 bytes.
	want := Cost{5, 40 + 20 + 21 + 21, 24 + 23 + 4 + 212 + 4 + 212 + 4 + 126}
	if m := got[0].Meters[0]; m.Cost != want || m.Values != 3 {
		t.Errorf("%+v, want %+v", m, want)
	}
}
