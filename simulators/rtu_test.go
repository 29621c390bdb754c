package simulators

import (
	"bytes"
	"testing"
	"time"

	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

func rtuSlave(t testing.TB, meters ...*Meter) Slave {
	t.Helper()
	s, err := NewRTU(meters...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mapOf is a meter of one unit with one field.
func mapOf(t testing.TB, unit uint8, yaml string) *Meter {
	t.Helper()
	p, err := profiles.Parse("m.yaml", []byte("maker: A\nmodel: B\nmedium: power\ndocument: D\n"+yaml))
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewMeter(MeterConfig{ID: "R-1", Unit: unit, Profile: p, Seed: 1, Start: start})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestRTUGolden asks as the published frames do, and wants their answers.
func TestRTUGolden(t *testing.T) {
	for _, tt := range []struct {
		name, yaml string
		quantity   schemas.Quantity
		truth      int64
		ask, want  string
	}{
		{"Eastron manual: 230.2 V", "function: 4\nfields: [{quantity: power.voltage.l1, at: 0, type: f32}]",
			"power.voltage.l1", 230_200_012, "01 04 00 00 00 02 71 CB", "01 04 04 43 66 33 34 1B 38"},
		{"pacraf: DTSU666 204.8 W", "function: 3\nfields: [{quantity: power.active, at: 0x2012, type: f32, shift: -1}]",
			"power.active", 204_800_000, "01 03 20 12 00 02 6F CE", "01 03 04 45 00 00 00 EF 3F"},
		{"CDAB -12.5", "function: 3\nfields: [{quantity: power.active, at: 0, type: f32, order: CDAB}]",
			"power.active", -12_500_000, "01 03 00 00 00 02 C4 0B", "01 03 04 00 00 C1 48 AB 95"},
		{"CT ratio 1", "function: 3\nfields: [{quantity: power.ratio.current, at: 6, type: u16}]",
			"power.ratio.current", micro, "01 03 00 06 00 01 64 0B", "01 03 02 00 01 79 84"},
		{"PT ratio 1.0", "function: 3\nfields: [{quantity: power.ratio.voltage, at: 7, type: u16, shift: -1}]",
			"power.ratio.voltage", micro, "01 03 00 07 00 01 35 CB", "01 03 02 00 0A 38 43"},
		{"no such register", "function: 3\nfields: [{quantity: power.active, at: 0, type: f32}]",
			"power.active", 0, "01 03 20 12 00 02 6F CE", "01 83 02 C0 F1"},
		{"write", "function: 3\nfields: [{quantity: power.active, at: 0, type: f32}]",
			"power.active", 0, "01 06 00 1C 00 02 C9 CD", "01 86 01 83 A0"},
		{"write multiple", "function: 3\nfields: [{quantity: power.active, at: 0, type: f32}]",
			"power.active", 0, "01 10 00 16 00 02 04 3F 80 00 00 7F 75", "01 90 01 8D C0"},
		{"another unit", "function: 3\nfields: [{quantity: power.active, at: 0, type: f32}]",
			"power.active", 0, "0B 03 07 D1 00 01 D5 ED", ""},
	} {
		m := mapOf(t, 1, tt.yaml)
		force(t, m, tt.quantity, tt.truth)
		slave := rtuSlave(t, m)
		ask := octetsOf(t, tt.ask)
		if skip, n := slave.Frame(append([]byte{0x5A, 0x03}, ask...)); skip != 2 || n != len(ask) {
			t.Errorf("%s: the request is found at %d, %d bytes", tt.name, skip, n)
		}
		if got := slave.Answer(nil, ask, start); !bytes.Equal(got, octetsOf(t, tt.want)) {
			t.Errorf("%s:\n got % X\nwant %s", tt.name, got, tt.want)
		}
	}
}

// TestRTUAnswersRegisters: the frame holds what Registers gives, for a whole
// profile, behind what was there.
func TestRTUAnswersRegisters(t *testing.T) {
	m := mustMeter(t, "eastron-sdm630", nil)
	slave := rtuSlave(t, m)
	at := start.Add(3 * time.Hour)
	for _, r := range m.readable {
		count := uint16(min(int(r.To-r.From)+1, m.Profile.MaxRegisters))
		ask := []byte{m.Unit, r.Function, byte(r.From >> 8), byte(r.From), byte(count >> 8), byte(count)}
		crc := crc16(ask)
		ask = append(ask, byte(crc), byte(crc>>8))
		got := slave.Answer([]byte{0xEE}, ask, at)
		if len(got) != 1+5+2*int(count) || got[0] != 0xEE || crc16(got[1:]) != 0 || got[3] != byte(2*count) {
			t.Fatalf("% X", got)
		}
		words, _ := m.Registers(r.Function, r.From, count, at)
		for i, w := range words {
			if got[4+2*i] != byte(w>>8) || got[5+2*i] != byte(w) {
				t.Fatalf("register 0x%04X", int(r.From)+i)
			}
		}
	}
}

func TestRTUFrame(t *testing.T) {
	slave := rtuSlave(t, mustMeter(t, "eastron-sdm630", nil))
	good := "01 04 00 00 00 02 71 CB"
	for _, tt := range []struct {
		name, b string
		skip, n int
	}{
		{"whole", good, 0, 8},
		{"wrong CRC", "01 04 00 00 00 02 71 CA", 0, 0},
		{"half", good[:20], 0, 0},
		{"an answer before it", "01 04 04 43 66 33 34 1B 38" + good, 9, 8},
		{"broadcast", "00 06 00 1C 00 02 C8 1C", 0, 8},
	} {
		if skip, n := slave.Frame(octetsOf(t, tt.b)); skip != tt.skip || n != tt.n {
			t.Errorf("%s: %d, %d, want %d, %d", tt.name, skip, n, tt.skip, tt.n)
		}
	}
	if got := slave.Answer(nil, octetsOf(t, "00 06 00 1C 00 02 C8 1C"), start); len(got) != 0 {
		t.Errorf("a broadcast is answered % X", got)
	}
}

func TestSlavesRefuseOtherMeters(t *testing.T) {
	modbus, power, water := mustMeter(t, "abb-b23", nil), mustDLT645(t, goldenProfile(2007), nil), mustCJT188(t, valveProfile(), nil)
	for name, err := range map[string]error{
		"RTU":       second(NewRTU(power)),
		"RTU twice": second(NewRTU(modbus, modbus)),
		"645":       second(NewDLT645(water)),
		"645 twice": second(NewDLT645(power, power)),
		"188":       second(NewCJT188(modbus)),
		"188 twice": second(NewCJT188(water, water)),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func second(_ Slave, err error) error { return err }

func FuzzRTUSlave(f *testing.F) {
	f.Add(octetsOf(f, "01 04 00 00 00 02 71 CB"))
	f.Add(octetsOf(f, "01 10 00 16 00 02 04 3F 80 00 00 7F 75"))
	slave := rtuSlave(f, mustMeter(f, "eastron-sdm630", func(c *MeterConfig) { c.Unit = 1 }))
	f.Fuzz(func(t *testing.T, b []byte) { fuzzSlave(t, slave, b) })
}
