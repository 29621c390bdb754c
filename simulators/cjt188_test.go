package simulators

import (
	"bytes"
	"encoding/hex"
	"math/big"
	"testing"
	"time"

	"citygrid/adapters/catalog/catalogtest"
	cjt188 "citygrid/adapters/cjt188/profiles"
	"citygrid/schemas"
)

func cjtProfiles(t testing.TB) []*cjt188.Profile {
	t.Helper()
	return catalogtest.All(t, cjt188.Embedded)
}

func mustCJT188(t testing.TB, p *cjt188.Profile, change func(*MeterConfig)) *Meter {
	t.Helper()
	return built(t, MeterConfig{ID: "W-1", CJT188: p, Address: "00112233445566", Edition: 2004}, change)
}

func cjtSlave(t testing.TB, meters ...*Meter) Slave {
	t.Helper()
	return slaveOf(t, NewCJT188, meters)
}

// valveProfile is a prepaid cold-water meter as CJ/T 188-2004 has it.
func valveProfile() *cjt188.Profile {
	f := func(q schemas.Quantity, di uint16, at, size int, format cjt188.Format, shift int) cjt188.Field {
		return cjt188.Field{Quantity: q, DI: di, At: at, Bytes: size, Format: format, Shift: shift}
	}
	valve := f("water.valve.state", 0x901F, 17, 2, cjt188.Bits, 0)
	valve.Mask, valve.States = 3, map[uint16]uint8{0: 1, 1: 0, 3: 2}
	battery := f("device.battery.state", 0x901F, 17, 2, cjt188.Bits, 0)
	battery.Mask, battery.States = 4, map[uint16]uint8{0: 0, 4: 1}
	return &cjt188.Profile{
		ID: "valve", Medium: schemas.Water, Type: 0x10,
		Lengths: map[uint16]int{0x901F: 19, 0x8105: 15, 0xD120: 5},
		Clock:   &cjt188.Clock{DI: 0x901F, At: 10},
		Fields: []cjt188.Field{
			f("water.volume.forward", 0x901F, 0, 4, cjt188.BCDUnit, -2), valve, battery,
			f("water.volume.reverse", 0x901F, 5, 4, cjt188.BCDUnit, -2), // where the settled volume goes
			f("water.purchase.count", 0x8105, 0, 1, cjt188.BCD, 0),
			f("water.purchase.last", 0x8105, 1, 4, cjt188.BCD, -2),
			f("water.purchase.total", 0x8105, 5, 4, cjt188.BCD, -2),
			f("water.credit.money", 0x8105, 9, 4, cjt188.BCD, -2),
		},
		Monthly: &cjt188.Freeze{Kept: 12, DayDI: 0x8103, Fields: []cjt188.Field{
			f("water.volume.forward", 0xD120, 0, 4, cjt188.BCDUnit, -2),
		}},
	}
}

// vendorProfile is of a maker with other bits in ST, which it gives whole as well.
func vendorProfile() *cjt188.Profile {
	p := valveProfile()
	p.ID = "vendor"
	p.Fields[1].Mask, p.Fields[1].States = 0xC0, map[uint16]uint8{0: 1, 0x40: 0, 0xC0: 2}
	p.Fields[2].Mask, p.Fields[2].States = 0x20, map[uint16]uint8{0: 0, 0x20: 1}
	word := p.Fields[1]
	word.Quantity, word.Mask, word.States = "device.status.word1", 0, nil
	p.Fields = append(p.Fields, word)
	return p
}

// TestCJT188Golden asks as the vectors do, and wants their answers.
func TestCJT188Golden(t *testing.T) {
	// 2026-03-05 14:30:15 in China.
	at := time.Date(2026, 3, 5, 6, 30, 15, 0, time.UTC)
	type truths map[schemas.Quantity]int64
	reading := truths{"water.volume.forward": 1234_560_000, "water.volume.reverse": 1200_000_000, "water.valve.state": 1, "device.battery.state": 0}
	for _, tt := range []struct {
		name      string
		edition   int
		truths    truths
		ask, want string
	}{
		{"2004", 2004, reading, "68 10 66 55 44 33 22 11 00 01 03 90 1F 01 91 16",
			"68 10 66 55 44 33 22 11 00 81 16 90 1F 01 56 34 12 00 2C 00 00 12 00 2C 15 30 14 05 03 26 20 00 00 D1 16"},
		{"2018", 2018, reading, "68 10 66 55 44 33 22 11 00 01 03 1F 90 01 91 16",
			"68 10 66 55 44 33 22 11 00 81 16 1F 90 01 56 34 12 00 2C 00 00 12 00 2C 15 30 14 05 03 26 20 00 00 D1 16"},
		{"2018 asked as 2004", 2018, reading, "68 10 66 55 44 33 22 11 00 01 03 90 1F 01 91 16", ""},
		{"any type", 2004, reading, "68 AA 66 55 44 33 22 11 00 01 03 90 1F 01 2B 16",
			"68 10 66 55 44 33 22 11 00 81 16 90 1F 01 56 34 12 00 2C 00 00 12 00 2C 15 30 14 05 03 26 20 00 00 D1 16"},
		{"a gas meter is meant", 2004, reading, "68 30 66 55 44 33 22 11 00 01 03 90 1F 01 B1 16", ""},
		{"the address", 2018, nil, "68 AA AA AA AA AA AA AA AA 03 03 81 0A 00 49 16",
			"68 10 66 55 44 33 22 11 00 83 03 81 0A 00 EE 16"},
		{"sequence number", 2004, nil, "68 10 66 55 44 33 22 11 00 03 03 81 0A 5C CA 16",
			"68 10 66 55 44 33 22 11 00 83 03 81 0A 5C 4A 16"},
		{"open the valve", 2004, nil, "68 10 66 55 44 33 22 11 00 04 04 A0 17 01 55 F2 16",
			"68 10 66 55 44 33 22 11 00 C4 03 01 00 00 A5 16"},
	} {
		m := mustCJT188(t, valveProfile(), func(c *MeterConfig) { c.Edition = tt.edition })
		for q, truth := range tt.truths {
			force(t, m, q, truth)
		}
		slave := cjtSlave(t, m)
		ask := octetsOf(t, tt.ask)
		if skip, n := slave.Frame(append(octetsOf(t, "FE FE"), ask...)); skip != 2 || n != len(ask) {
			t.Errorf("%s: the request is found at %d, %d bytes", tt.name, skip, n)
		}
		if got := slave.Answer(nil, ask, at); !bytes.Equal(got, octetsOf(t, tt.want)) {
			t.Errorf("%s:\n got % X\nwant %s", tt.name, got, tt.want)
		}
	}
}

// TestCJT188Purchase: seq 7, 50.00, 350.00, left 12.34, valve closed and battery
// low.
func TestCJT188Purchase(t *testing.T) {
	p := valveProfile()
	p.Lengths[0x8105] = 15
	valve, battery := p.Fields[1], p.Fields[2]
	p.Fields = p.Fields[4:]
	valve.DI, valve.At, battery.DI, battery.At = 0x8105, 13, 0x8105, 13
	p.Fields = append(p.Fields, valve, battery)
	m := mustCJT188(t, p, nil)
	for q, truth := range map[schemas.Quantity]int64{"water.purchase.count": 7 * micro, "water.purchase.last": 50 * micro,
		"water.purchase.total": 350 * micro, "water.credit.money": 12_340_000, "water.valve.state": 0, "device.battery.state": 1} {
		force(t, m, q, truth)
	}
	got := cjtSlave(t, m).Answer(nil, octetsOf(t, "68 10 66 55 44 33 22 11 00 01 03 81 05 02 69 16"), start)
	want := octetsOf(t, "68 10 66 55 44 33 22 11 00 81 12 81 05 02 07 00 50 00 00 00 50 03 00 34 12 00 00 05 00 ED 16")
	if !bytes.Equal(got, want) {
		t.Errorf("got % X", got)
	}
}

func TestCJT188Frame(t *testing.T) {
	slave := cjtSlave(t, mustCJT188(t, valveProfile(), nil))
	good := "68 10 44 33 22 11 00 33 78 01 03 1F 90 00 80 16"
	for _, tt := range []struct {
		name, b string
		skip, n int
	}{
		{"hftangyu", good, 0, 16},
		{"valve", "68 10 69 05 90 05 15 33 78 04 04 A0 17 01 55 50 16", 0, 17},
		{"C-N1, an answer with a wrong checksum", "68 10 44 33 22 11 00 33 78 81 16 1F 90 00 00 77 66 55 2C 00 77 66 55 2C 31 01 22 11 05 15 20 21 84 08 16", 0, 0},
		{"wrong checksum", "68 10 44 33 22 11 00 33 78 01 03 1F 90 00 81 16", 0, 0},
		{"half", good[:20], 0, 0},
		{"after a question of DL/T 645", "68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16" + good, 16, 16},
	} {
		if skip, n := slave.Frame(octetsOf(t, tt.b)); skip != tt.skip || n != tt.n {
			t.Errorf("%s: %d, %d, want %d, %d", tt.name, skip, n, tt.skip, tt.n)
		}
	}
}

// askCJT builds a request for an item, high byte first.
func askCJT(kind byte, address string, control byte, data ...byte) []byte {
	wire, _ := hex.DecodeString(address)
	frame := []byte{0x68, kind}
	for i := range wire {
		frame = append(frame, wire[len(wire)-1-i])
	}
	frame = append(frame, control, byte(len(data)))
	frame = append(frame, data...)
	sum := byte(0)
	for _, b := range frame {
		sum += b
	}
	return append(frame, sum, 0x16)
}

// parseCJT takes an answer apart the plain way.
func parseCJT(t testing.TB, b []byte) (control byte, data []byte) {
	t.Helper()
	for len(b) > 0 && b[0] == 0xFE {
		b = b[1:]
	}
	if len(b) < 13 || b[0] != 0x68 || len(b) != 13+int(b[10]) || b[len(b)-1] != 0x16 {
		t.Fatalf("no frame: % X", b)
	}
	sum := byte(0)
	for _, x := range b[:len(b)-2] {
		sum += x
	}
	if sum != b[len(b)-2] {
		t.Fatalf("checksum %02X in % X, want %02X", b[len(b)-2], b, sum)
	}
	return b[9], b[11 : len(b)-2]
}

// readCJT reads an item in the order of the meter.
func readCJT(t testing.TB, s Slave, m *Meter, di uint16, at time.Time) (data []byte, ok bool) {
	t.Helper()
	id := []byte{byte(di >> 8), byte(di), byte(at.Unix())}
	if m.lowFirst {
		id[0], id[1] = id[1], id[0]
	}
	control, data := parseCJT(t, s.Answer(nil, askCJT(m.CJT188.Type, m.Address, 1, id...), at))
	if control == 0xC1 {
		return nil, false
	}
	if control != 0x81 || !bytes.Equal(data[:3], id) {
		t.Fatalf("asked % X, got %02X % X", id, control, data)
	}
	if n, given := m.CJT188.Lengths[di]; given && len(data)-3 != n {
		t.Fatalf("item %04X has %d bytes, want %d", di, len(data)-3, n)
	}
	return data[3:], true
}

// decodeCJT decodes one field of an item; the units by a table of its own.
func decodeCJT(t testing.TB, f cjt188.Field, item []byte) (*big.Rat, schemas.Reason) {
	t.Helper()
	b, shift := item[f.At:f.At+f.Bytes], f.Shift
	if f.Format == cjt188.BCDUnit {
		code := item[f.At+f.Bytes]
		by, ok := map[byte]int{0x29: -3, 0x2A: -2, 0x2B: -1, 0x2C: 0, 0x2D: 1, 0x2E: 2, 0x32: -3, 0x35: 0, 0x05: 0, 0x02: -3, 0x08: 3}[code]
		if !ok {
			t.Fatalf("%s: unit %02X", f.Quantity, code)
		}
		shift += by
	}
	for _, a := range f.Absent {
		if n, _ := digitsOf(b, "bits", 0); n.Num().Uint64() == a {
			return nil, schemas.ReasonSentinel
		}
	}
	v, reason := digitsOf(b, map[bool]string{true: "bits", false: "bcd"}[f.Format == cjt188.Bits], shift)
	if f.States == nil || reason != "" {
		return v, reason
	}
	return stateOf(v, f.Mask, f.States)
}

// TestCJT188FaceIsTheOracle decodes every field and record of every profile from
// the frames and compares with Expected and ExpectedKept, exactly.
func TestCJT188FaceIsTheOracle(t *testing.T) {
	missing, records := map[schemas.Reason]int{}, 0
	for _, p := range append(cjtProfiles(t), valveProfile(), vendorProfile()) {
		for seed := range uint64(24) {
			m := mustCJT188(t, p, func(c *MeterConfig) {
				c.Seed, c.NoValue, c.Preamble, c.Glitch, c.Edition = seed, 0.2, int(seed%5), 0.1, 0
				c.UnitByte = []uint8{0, 0x29, 0x2A, 0x2B, 0x2D, 0x2E}[seed%6]
				c.ClockJumpAt, c.ClockJumpBy = start.Add(20*time.Hour), time.Duration(seed)*5*time.Hour
			})
			slave := cjtSlave(t, m)
			for n := range 12 {
				at := start.Add(time.Duration(n)*7*time.Hour + time.Duration(seed)*time.Minute)
				for _, f := range p.Fields {
					item, ok := readCJT(t, slave, m, f.DI, at)
					if !ok {
						t.Fatalf("%s: %s refused", p.ID, f.Quantity)
					}
					got, reason := decodeCJT(t, f, item)
					value, want, ok := m.Expected(f.Quantity, at)
					if !ok || reason != want || reason == "" && got.Cmp(rat(value)) != 0 {
						t.Fatalf("%s %s at %s: the frame gives %v %q, the oracle %s %q", p.ID, f.Quantity, at, got, reason, value, want)
					}
					missing[reason]++
				}
				records += checkMonths(t, slave, m, p, at)
				checkClock188(t, slave, m, p, at)
			}
		}
	}
	if missing[""] == 0 || missing[schemas.ReasonBadBCD] == 0 || records == 0 {
		t.Errorf("tried %v, %d records", missing, records)
	}
}

// checkMonths derives the moments from the settlement day, as a collector must.
func checkMonths(t *testing.T, s Slave, m *Meter, p *cjt188.Profile, at time.Time) (records int) {
	t.Helper()
	if p.Monthly == nil {
		return 0
	}
	day, _ := readCJT(t, s, m, p.Monthly.DayDI, at)
	now := m.Clock(at).Add(8 * time.Hour)
	settled := time.Date(now.Year(), now.Month(), int(day[0]>>4)*10+int(day[0]&15), 0, 0, 0, 0, time.UTC)
	if settled.After(now) {
		settled = settled.AddDate(0, -1, 0)
	}
	for n := 1; n <= p.Monthly.Kept; n++ {
		stamp := settled.AddDate(0, 1-n, 0).Add(-8 * time.Hour)
		if kept, ok := m.KeptAt(schemas.MonthlyFreeze, n, at); !ok || !kept.Equal(stamp) {
			t.Fatalf("%s: record %d at %s is of %s %v, want %s", p.ID, n, at, kept, ok, stamp)
		}
		for _, f := range p.Monthly.Fields {
			item, ok := readCJT(t, s, m, f.DI+uint16(n-1), at)
			value, _, kept := m.ExpectedKept(schemas.MonthlyFreeze, f.Quantity, stamp)
			if got, _ := decodeCJT(t, f, item); !ok || !kept || got.Cmp(rat(value)) != 0 {
				t.Fatalf("%s record %d: the frame gives %v, the oracle %s %v", p.ID, n, got, value, kept)
			}
			records++
		}
	}
	return records
}

func checkClock188(t *testing.T, s Slave, m *Meter, p *cjt188.Profile, at time.Time) {
	t.Helper()
	if p.Clock == nil {
		return
	}
	item, _ := readCJT(t, s, m, p.Clock.DI, at)
	b := item[p.Clock.At : p.Clock.At+7]
	want := m.Clock(at).Add(8 * time.Hour).Format("20060102150405")
	if got := hex.EncodeToString([]byte{b[6], b[5], b[4], b[3], b[2], b[1], b[0]}); got != want {
		t.Fatalf("%s at %s: the clock is %s, want %s", p.ID, at, got, want)
	}
}

// TestCJT188Order: an identifier in the order of the other edition is met with
// silence or an error; one that nobody knows with an error.
func TestCJT188Order(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		m := mustCJT188(t, valveProfile(), func(c *MeterConfig) { c.RefuseOrder = refuse })
		slave := cjtSlave(t, m)
		other := slave.Answer(nil, askCJT(0x10, m.Address, 1, 0x1F, 0x90, 9), start)
		if !refuse && len(other) != 0 {
			t.Errorf("the other order is answered % X", other)
		}
		answers := [][]byte{slave.Answer(nil, askCJT(0x10, m.Address, 1, 0x90, 0x7F, 9), start)}
		if refuse {
			answers = append(answers, other)
		}
		for _, b := range answers {
			if control, data := parseCJT(t, b); control != 0xC1 || !bytes.Equal(data, []byte{9, 0, 0}) {
				t.Errorf("refused with %02X % X", control, data)
			}
		}
	}
	seen := map[bool]bool{}
	for seed := range uint64(16) {
		seen[mustCJT188(t, valveProfile(), func(c *MeterConfig) { c.Seed, c.Edition = seed, 0 }).lowFirst] = true
	}
	if len(seen) != 2 {
		t.Error("the seed never chooses one of the orders")
	}
}

func FuzzCJT188Slave(f *testing.F) {
	f.Add(octetsOf(f, "FE FE 68 10 66 55 44 33 22 11 00 01 03 90 1F 01 91 16"))
	f.Add(octetsOf(f, "68 AA AA AA AA AA AA AA AA 03 03 81 0A 00 49 16"))
	f.Add([]byte{1, 0xD1, 0x2B, 2})
	slave := cjtSlave(f, mustCJT188(f, valveProfile(), nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzSlave(t, slave, b)
		if len(b) > 0 && len(b) <= dltMaxData && b[0]&fromSlave == 0 { // in a sound frame
			if got := slave.Answer(nil, askCJT(0x10, "aaaaaaaaaaaaaa", b[0], b[1:]...), start); len(got) > 0 {
				parseCJT(t, got)
			}
		}
	})
}
