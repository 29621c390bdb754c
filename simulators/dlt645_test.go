package simulators

import (
	"bytes"
	"encoding/hex"
	"testing"
	"time"

	"citygrid/adapters/catalog/catalogtest"
	dlt645 "citygrid/adapters/dlt645/profiles"
	"citygrid/schemas"
)

// octetsOf reads bytes as people print them.
func octetsOf(t testing.TB, s string) []byte {
	t.Helper()
	return catalogtest.Bytes(t, s)
}

func dltProfiles(t testing.TB) []*dlt645.Profile {
	t.Helper()
	return catalogtest.All(t, dlt645.Embedded)
}

func mustDLT645(t testing.TB, p *dlt645.Profile, change func(*MeterConfig)) *Meter {
	t.Helper()
	return built(t, MeterConfig{ID: "E-1", DLT645: p, Address: "000000000161"}, change)
}

// built returns the meter of c, of which the tests have one seed and one start,
// with the changes of one test.
func built(t testing.TB, c MeterConfig, change func(*MeterConfig)) *Meter {
	t.Helper()
	c.Seed, c.Start = 42, start
	if change != nil {
		change(&c)
	}
	m, err := NewMeter(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func dltSlave(t testing.TB, meters ...*Meter) Slave {
	t.Helper()
	return slaveOf(t, NewDLT645, meters)
}

func slaveOf(t testing.TB, build func(...*Meter) (Slave, error), meters []*Meter) Slave {
	t.Helper()
	s, err := build(meters...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// goldenProfile has the items of the published frames.
func goldenProfile(edition int) *dlt645.Profile {
	if edition == 1997 {
		return &dlt645.Profile{ID: "old", Medium: schemas.Power, Edition: 1997, Fields: []dlt645.Field{
			{Quantity: "power.energy.import", DI: 0x9010, Bytes: 4, Format: dlt645.BCD, Shift: -2},
		}}
	}
	item := func(q schemas.Quantity, di uint32, size int, f dlt645.Format, shift int) dlt645.Field {
		return dlt645.Field{Quantity: q, DI: di, Bytes: size, Format: f, Shift: shift}
	}
	return &dlt645.Profile{ID: "golden", Medium: schemas.Power, Edition: 2007, Serial: 0x04000402, Fields: []dlt645.Field{
		item("power.energy.import", 0x00010000, 4, dlt645.BCD, -2),
		item("power.energy.export", 0x00020000, 4, dlt645.BCD, -2),
		item("power.energy.reactive.import", 0x00030000, 4, dlt645.BCD, -2),
		item("power.voltage.l1", 0x02010100, 2, dlt645.BCD, -1),
		item("power.voltage.l3", 0x02010300, 2, dlt645.BCD, -1),
		item("power.active", 0x02030000, 3, dlt645.SignedBCD, -1),
		item("power.credit.money", 0x00900200, 4, dlt645.BCD, -2),
		item("power.purchase.count", 0x03330201, 2, dlt645.BCD, 0),
		item("power.purchase.total", 0x03330601, 4, dlt645.BCD, -2),
		item("device.status.word3", 0x04000503, 2, dlt645.Bits, 0),
		{Quantity: "power.relay.state", DI: 0x04000503, Bytes: 2, Format: dlt645.Bits, Mask: 0x10, States: map[uint16]uint8{0: 0, 0x10: 1}},
	}}
}

// force makes a meter show what a published frame shows.
func force(t *testing.T, m *Meter, q schemas.Quantity, truth int64) {
	t.Helper()
	i := fieldIndex(m.fields, q)
	if i < 0 {
		t.Fatalf("%s has no %s", m.ProfileID(), q)
	}
	m.fields[i].signal = func(*Meter, instant) int64 { return truth }
}

// TestDLT645Golden asks as the published frames do, and wants their answers.
func TestDLT645Golden(t *testing.T) {
	const own = "000000000161"
	for _, tt := range []struct {
		name, address string
		edition       int
		quantity      schemas.Quantity
		truth         int64 // millionths
		ask, want     string
	}{
		{"hwhale: 0.26 kWh", own, 2007, "power.energy.import", 260_000,
			"68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16", "68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16"},
		{"hwhale: 1.26 kWh back", own, 2007, "power.energy.export", 1_260_000,
			"68 61 01 00 00 00 00 68 11 04 33 33 35 33 15 16", "68 61 01 00 00 00 00 68 91 08 33 33 35 33 59 34 33 33 8C 16"},
		{"hwhale: 100.26 kvarh", own, 2007, "power.energy.reactive.import", 100_260_000,
			"68 61 01 00 00 00 00 68 11 04 33 33 36 33 16 16", "68 61 01 00 00 00 00 68 91 08 33 33 36 33 59 33 34 33 8D 16"},
		{"hwhale: 100.1 V", own, 2007, "power.voltage.l1", 100_100_000,
			"68 61 01 00 00 00 00 68 11 04 33 34 34 35 17 16", "68 61 01 00 00 00 00 68 91 06 33 34 34 35 34 43 10 16"},
		{"go645: 0.06 kWh", "218231000114", 2007, "power.energy.import", 60_000,
			"68 14 01 00 31 82 21 68 11 04 33 33 34 33 9B 16", "68 14 01 00 31 82 21 68 91 08 33 33 34 33 39 33 33 33 F1 16"},
		{"go645: 220.0 V", "000000001111", 2007, "power.voltage.l3", 220_000_000,
			"68 11 11 00 00 00 00 68 11 04 33 36 34 35 D9 16", "68 11 11 00 00 00 00 68 91 06 33 36 34 35 33 55 E3 16"},
		{"kaledl, 1997: 0.01 kWh", "138000130754", 1997, "power.energy.import", 10_000,
			"68 54 07 13 00 80 13 68 01 02 43 C3 DA 16", "68 54 07 13 00 80 13 68 81 06 43 C3 34 33 33 33 2B 16"},
		{"own: 123.45 yuan", own, 2007, "power.credit.money", 123_450_000,
			"68 61 01 00 00 00 00 68 11 04 33 35 C3 33 A5 16", "68 61 01 00 00 00 00 68 91 08 33 35 C3 33 78 56 34 33 5E 16"},
		{"own: 7 purchases", own, 2007, "power.purchase.count", 7_000_000,
			"68 61 01 00 00 00 00 68 11 04 34 35 66 36 4C 16", "68 61 01 00 00 00 00 68 91 06 34 35 66 36 3A 33 3B 16"},
		{"own: 1700.00 yuan bought", own, 2007, "power.purchase.total", 1_700_000_000,
			"68 61 01 00 00 00 00 68 11 04 34 39 66 36 50 16", "68 61 01 00 00 00 00 68 91 08 34 39 66 36 33 33 4A 33 B7 16"},
		{"own: +1.2345 kW", own, 2007, "power.active", 1_234_500_000,
			"68 61 01 00 00 00 00 68 11 04 33 33 36 35 18 16", "68 61 01 00 00 00 00 68 91 07 33 33 36 35 78 56 34 9D 16"},
		{"own: -1.2345 kW", own, 2007, "power.active", -1_234_500_000,
			"68 61 01 00 00 00 00 68 11 04 33 33 36 35 18 16", "68 61 01 00 00 00 00 68 91 07 33 33 36 35 78 56 B4 1D 16"},
		{"own: refused", own, 2007, "power.active", 0,
			"68 61 01 00 00 00 00 68 11 04 32 55 B3 35 B6 16", "68 61 01 00 00 00 00 68 D1 01 35 39 16"},
		{"tjsmart: read address", own, 2007, "power.active", 0,
			"68 AA AA AA AA AA AA 68 13 00 DF 16", "68 61 01 00 00 00 00 68 93 06 94 34 33 33 33 33 5F 16"},
	} {
		m := mustDLT645(t, goldenProfile(tt.edition), func(c *MeterConfig) { c.Address = tt.address })
		force(t, m, tt.quantity, tt.truth)
		slave := dltSlave(t, m)
		ask := octetsOf(t, tt.ask)
		line := append(octetsOf(t, "FE FE FE"), ask...)
		skip, n := slave.Frame(line)
		if skip != 3 || n != len(ask) {
			t.Errorf("%s: the request is found at %d, %d bytes", tt.name, skip, n)
		}
		if got := slave.Answer(nil, ask, start); !bytes.Equal(got, octetsOf(t, tt.want)) {
			t.Errorf("%s:\n got % X\nwant %s", tt.name, got, tt.want)
		}
	}
}

// TestDLT645StatusWord: relay open, ordered to open, alarm, prepaid in money is
// 02D0 [DL/T 645-2007, status word 3].
func TestDLT645StatusWord(t *testing.T) {
	seed, at := uint64(0), time.Time{}
	var m *Meter
	for ; m == nil && seed < 200; seed++ {
		c := mustDLT645(t, goldenProfile(2007), func(c *MeterConfig) { c.Seed = seed })
		for minute := range 24 * 60 * 14 {
			now := start.Add(time.Duration(minute) * time.Minute)
			if in := c.instant(c.stepOf(now)); relay(c, in) == relayOpen && relayAlarm(c, in) == 1 {
				m, at = c, now
				break
			}
		}
	}
	if m == nil {
		t.Fatal("no meter opens its relay with little credit")
	}
	slave := dltSlave(t, m)
	want := octetsOf(t, "68 61 01 00 00 00 00 68 91 06 36 38 33 37 03 35 D9 16")
	if got := slave.Answer(nil, octetsOf(t, "68 61 01 00 00 00 00 68 11 04 36 38 33 37 1F 16"), at); !bytes.Equal(got, want) {
		t.Errorf("got % X", got)
	}
	for q, want := range map[schemas.Quantity]int64{"device.status.word3": 0x02D0, "power.relay.state": 1} {
		if v, _, _ := m.Expected(q, at); v.Mantissa != want {
			t.Errorf("%s = %s, want %d", q, v, want)
		}
	}
}

// TestDLT645Frame: what is no sound request is passed over.
func TestDLT645Frame(t *testing.T) {
	slave := dltSlave(t, mustDLT645(t, goldenProfile(2007), nil))
	good := "68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16"
	for _, tt := range []struct {
		name, b string
		skip, n int
	}{
		{"nothing", "", 0, 0},
		{"whole", good, 0, 16},
		{"fdxxw", "FE FE FE FE 68 02 00 31 08 22 20 68 11 04 32 55 B3 35 D1 16", 4, 16},
		{"D-N1, wrong checksum", "FE FE FE FE 68 75 67 12 66 88 00 68 11 04 33 33 34 33 C6 16", 0, 0},
		{"D-N1, mended", "FE FE FE FE 68 75 67 12 66 88 00 68 11 04 33 33 34 33 8E 16", 4, 16},
		{"D-N2, an answer", "68 75 67 12 66 88 00 68 91 08 33 33 34 33 A4 56 79 38 F5 16", 0, 0},
		{"an answer, then a request", "68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16" + good, 20, 16},
		{"half", good[:30], 0, 0},
		{"noise of 68", "68 68 68 68" + good, 4, 16},
		{"two", good + good, 0, 16},
		{"another end", good[:45] + "17", 0, 0},
	} {
		if skip, n := slave.Frame(octetsOf(t, tt.b)); skip != tt.skip || n != tt.n {
			t.Errorf("%s: %d, %d, want %d, %d", tt.name, skip, n, tt.skip, tt.n)
		}
	}
}

// TestDLT645FaceIsTheOracle decodes every field and record of every profile from
// the frames and compares with Expected and ExpectedKept, exactly; whole and in
// pieces.
func TestDLT645FaceIsTheOracle(t *testing.T) {
	missing, negative, pieces, records := map[schemas.Reason]int{}, 0, 0, 0
	for _, p := range dltProfiles(t) {
		for seed := range uint64(24) {
			m := mustDLT645(t, p, func(c *MeterConfig) {
				c.Seed, c.NoValue, c.Preamble, c.Glitch = seed, 0.2, int(seed%5), 0.1
				c.ClockOffset = time.Duration(seed) * 47 * time.Second
				c.MaxData = []int{0, 9, 11, 24}[seed%4]
			})
			slave := dltSlave(t, m)
			for n := range 6 {
				at := start.Add(time.Duration(n)*7*time.Hour + time.Duration(seed)*time.Minute)
				for _, f := range p.Fields {
					item, frames, ok := readItem(t, slave, m, f.DI, at)
					if !ok {
						t.Fatalf("%s: %s refused", p.ID, f.Quantity)
					}
					pieces += frames - 1
					got, reason := decodeDLT(f, item)
					value, want, ok := m.Expected(f.Quantity, at)
					if !ok || reason != want || reason == "" && got.Cmp(rat(value)) != 0 {
						t.Fatalf("%s %s at %s: the frame gives %v %q, the oracle %s %q", p.ID, f.Quantity, at, got, reason, value, want)
					}
					if missing[reason]++; reason == "" && got.Sign() < 0 {
						negative++
					}
				}
				records += checkRecords(t, slave, m, p, at)
			}
		}
	}
	if missing[""] == 0 || missing[schemas.ReasonBadBCD] == 0 || missing[schemas.ReasonSentinel] == 0 || negative == 0 || pieces == 0 || records == 0 {
		t.Errorf("tried %v, %d negative, %d further frames, %d records", missing, negative, pieces, records)
	}
}

// checkRecords reads the dated records as a collector would: the moments from
// the meter, the values from the meter, the truth from the oracle.
func checkRecords(t *testing.T, s Slave, m *Meter, p *dlt645.Profile, at time.Time) (records int) {
	t.Helper()
	for origin, f := range map[schemas.Origin]*dlt645.Freeze{schemas.DailyFreeze: p.Daily, schemas.MonthlyFreeze: p.Monthly} {
		if f == nil {
			continue
		}
		for _, n := range []int{1, 2, f.Kept} {
			stamp, ok := m.KeptAt(origin, n, at)
			if !ok {
				t.Fatalf("%s: no %s %d", p.ID, origin, n)
			}
			if f.TimeDI != 0 {
				b, _, _ := readItem(t, s, m, f.TimeDI+uint32(n-1), at)
				w := stamp.Add(8 * time.Hour).Format("0601021504")
				if got := hex.EncodeToString([]byte{b[4], b[3], b[2], b[1], b[0]}); got != w {
					t.Fatalf("%s %s %d: stamped %s, want %s", p.ID, origin, n, got, w)
				}
			}
			for _, field := range f.Fields {
				item, _, ok := readItem(t, s, m, field.DI+uint32(n-1), at)
				value, _, kept := m.ExpectedKept(origin, field.Quantity, stamp)
				if !ok || !kept {
					t.Fatalf("%s %s %d %s: refused", p.ID, origin, n, field.Quantity)
				}
				if got, _ := decodeDLT(field, item); got.Cmp(rat(value)) != 0 {
					t.Fatalf("%s %s %d %s: the frame gives %v, the oracle %s", p.ID, origin, n, field.Quantity, got, value)
				}
				records++
			}
		}
		for _, n := range []int{0, f.Kept + 1} {
			if _, ok := m.KeptAt(origin, n, at); ok {
				t.Errorf("%s keeps %s %d", p.ID, origin, n)
			}
		}
	}
	return records
}

// TestDLT645Clock: date, time and both, as the meter's clock shows them in China.
func TestDLT645Clock(t *testing.T) {
	p := goldenProfile(2007)
	p.Clock = &dlt645.Clock{DateDI: 0x04000101, TimeDI: 0x04000102, BothDI: 0x0400010C}
	jump := time.Date(2026, 3, 8, 4, 0, 0, 0, time.UTC)
	m := mustDLT645(t, p, func(c *MeterConfig) {
		c.ClockOffset, c.ClockJumpAt, c.ClockJumpBy = -30*time.Second, jump, 25*time.Hour
	})
	slave := dltSlave(t, m)
	for _, tt := range []struct {
		at               time.Time
		date, time, both string // as on the wire
	}{
		{jump.Add(-time.Second), "00080326", "295911", "29591100080326"}, // Sunday 8 March, 11:59:29
		{jump, "01090326", "305912", "30591201090326"},
	} {
		for di, want := range map[uint32]string{0x04000101: tt.date, 0x04000102: tt.time, 0x0400010C: tt.both} {
			b, _, _ := readItem(t, slave, m, di, tt.at)
			if got := hex.EncodeToString(b); got != want {
				t.Errorf("%s: item %08X is %s, want %s", tt.at, di, got, want)
			}
		}
	}
}

func TestDLT645Addresses(t *testing.T) {
	one := mustDLT645(t, goldenProfile(2007), nil)
	two := mustDLT645(t, goldenProfile(2007), func(c *MeterConfig) { c.ID, c.Address = "E-2", "000000000262" })
	slave := dltSlave(t, one, two)
	for _, tt := range []struct {
		address, want string
	}{
		{"000000000161", "000000000161"},
		{"000000000262", "000000000262"},
		{"aaaaaaaa0262", "000000000262"},
		{"999999999999", ""},
		{"000000000163", ""},
	} {
		got := slave.Answer(nil, askDLT(tt.address, 0x11, 0, 0, 1, 0), start)
		if tt.want == "" {
			if len(got) != 0 {
				t.Errorf("%s is answered % X", tt.address, got)
			}
		} else if r := parseDLT(t, got); r.address != tt.want {
			t.Errorf("%s is answered by %s", tt.address, r.address)
		}
	}
	// Both at once: where either is 0, the line is.
	a, b := slave.Answer(nil, askDLT(one.Address, 0x13), start), slave.Answer(nil, askDLT(two.Address, 0x13), start)
	for i := range a {
		a[i] &= b[i]
	}
	if got := slave.Answer([]byte{1}, askDLT("aaaaaaaaaaaa", 0x13), start); !bytes.Equal(got[1:], a) || got[0] != 1 {
		t.Errorf("both answer % X, want % X", got, a)
	}
	if _, err := NewDLT645(one, one); err == nil {
		t.Error("two meters of one address were accepted")
	}
}

// TestDLT645Refuses: commands that would change the meter, parts that were not
// announced, requests of the other edition.
func TestDLT645Refuses(t *testing.T) {
	m := mustDLT645(t, goldenProfile(2007), nil)
	slave := dltSlave(t, m)
	for _, tt := range []struct {
		name    string
		control byte
		data    []byte
		want    byte // error bits; 0: silence
	}{
		{"write", 0x14, make([]byte, 16), 4},
		{"relay", 0x1C, make([]byte, 16), 4},
		{"read next, nothing read", 0x12, []byte{0, 0, 1, 0, 1}, 2},
		{"short identifier", 0x11, []byte{0, 0, 1}, 2},
		{"1997", 0x01, []byte{0x10, 0x90}, 0},
		{"set time", 0x08, make([]byte, 6), 0},
	} {
		got := slave.Answer(nil, askDLT(m.Address, tt.control, tt.data...), start)
		if tt.want == 0 && len(got) != 0 {
			t.Errorf("%s: answered % X", tt.name, got)
		} else if tt.want != 0 {
			if r := parseDLT(t, got); r.control != tt.control|0xC0 || !bytes.Equal(r.data, []byte{tt.want}) {
				t.Errorf("%s: %02X % X", tt.name, r.control, r.data)
			}
		}
	}
}

// TestDLT645Parts: of a long answer there are the parts that it has, and one that
// was lost can be asked for again.
func TestDLT645Parts(t *testing.T) {
	m := mustDLT645(t, goldenProfile(2007), func(c *MeterConfig) { c.MaxData = 6 })
	slave := dltSlave(t, m)
	at := func(number byte) dltReply {
		return parseDLT(t, slave.Answer(nil, askDLT(m.Address, 0x12, 0, 0, 1, 0, number), start))
	}
	if r := parseDLT(t, slave.Answer(nil, askDLT(m.Address, 0x11, 0, 0, 1, 0), start)); r.control != 0xB1 || len(r.data) != 5 {
		t.Fatalf("first part: %02X % X", r.control, r.data)
	}
	for _, tt := range []struct{ number, control byte }{{0, 0xD2}, {1, 0xB2}, {1, 0xB2}, {2, 0xB2}, {3, 0x92}, {3, 0x92}, {4, 0xD2}, {1, 0xB2}} {
		if r := at(tt.number); r.control != tt.control {
			t.Errorf("part %d: %02X, want %02X", tt.number, r.control, tt.control)
		}
	}
}

func FuzzDLT645Slave(f *testing.F) {
	f.Add(octetsOf(f, "FE FE 68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16"))
	f.Add(octetsOf(f, "68 AA AA AA AA AA AA 68 13 00 DF 16"))
	f.Add(askDLT("000000000161", 0x12, 0, 0xFF, 1, 0, 1))
	m := mustDLT645(f, dltProfiles(f)[len(dltProfiles(f))-1], func(c *MeterConfig) { c.MaxData = 12 })
	slave := dltSlave(f, m)
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzSlave(t, slave, b)
		if len(b) > 0 && len(b) <= dltMaxData && b[0]&fromSlave == 0 { // in a sound frame
			if got := slave.Answer(nil, askDLT("aaaaaaaaaaaa", b[0], b[1:]...), start); len(got) > 0 {
				parseDLT(t, got)
			}
		}
	})
}

// fuzzSlave: what Frame finds lies in b, and Answer says nothing to anything
// else.
func fuzzSlave(t *testing.T, s Slave, b []byte) {
	skip, n := s.Frame(b)
	if skip < 0 || n < 0 || skip+n > len(b) {
		t.Fatalf("%d, %d of %d bytes", skip, n, len(b))
	}
	if n == 0 && skip != 0 {
		t.Fatalf("%d bytes to skip and no request", skip)
	}
	if out := s.Answer([]byte("before"), b, start); !bytes.HasPrefix(out, []byte("before")) {
		t.Fatalf("what was there is now %q", out)
	} else if len(out) > len("before") && (skip != 0 || n != len(b)) {
		t.Fatalf("answered % X", b)
	}
	if n > 0 {
		s.Answer(nil, b[skip:skip+n], start.Add(time.Hour))
	}
}
