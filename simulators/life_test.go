package simulators

import (
	"strings"
	"testing"
	"time"

	cjt188 "citygrid/adapters/cjt188/profiles"
	dlt645 "citygrid/adapters/dlt645/profiles"
	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// lifeProfile keeps energies by the day and by the month.
func lifeProfile() *dlt645.Profile {
	energy := func(di uint32) []dlt645.Field {
		return []dlt645.Field{{Quantity: "power.energy.import", DI: di, Bytes: 4, Format: dlt645.BCD, Shift: -2}}
	}
	p := goldenProfile(2007)
	p.Daily = &dlt645.Freeze{Kept: 62, TimeDI: 0x05060001, Fields: energy(0x05060101)}
	p.Monthly = &dlt645.Freeze{Kept: 12, DayDI: 0x04000B01, Days: 3, Fields: energy(0x00010001)}
	return p
}

// TestEverySignal: the simulator can show all quantities of the table, and none
// leaves its range in a year.
func TestEverySignal(t *testing.T) {
	for _, info := range schemas.Quantities() {
		s := signalOf(info.Quantity)
		if s == nil {
			t.Errorf("no signal for %s", info.Quantity)
			continue
		}
		medium := info.Medium
		if medium == schemas.Device {
			medium = schemas.Power
		}
		for seed := range uint64(20) {
			p := &profiles.Profile{Medium: medium, MaxRegisters: 125, Fields: []profiles.Field{
				{Quantity: info.Quantity, Parts: []profiles.Part{{Function: 3, Type: profiles.I64, Words: 4, Order: profiles.ABCD, Times: 1, Shift: -6}}}}}
			m, err := NewMeter(MeterConfig{ID: "A", Profile: p, Unit: 1, Seed: seed, Start: start})
			if err != nil {
				t.Fatal(err)
			}
			for week := range 52 {
				v := float64(s(m, m.instant(m.stepOf(start.Add(time.Duration(week)*7*24*time.Hour+time.Duration(seed)*time.Hour)))))
				if info.Kind != schemas.State {
					v /= micro
				}
				if v < info.Min || v > info.Max {
					t.Fatalf("%s = %v is not in [%v, %v]", info.Quantity, v, info.Min, info.Max)
				}
			}
		}
	}
}

// TestEveryProfile: each profile of the three protocols makes a meter that
// expects something of each of its fields and records.
func TestEveryProfile(t *testing.T) {
	var configs []MeterConfig
	set, err := profiles.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range set.IDs() {
		p, _ := set.Get(id)
		configs = append(configs, MeterConfig{Profile: p, Unit: 1})
	}
	for _, p := range dltProfiles(t) {
		configs = append(configs, MeterConfig{DLT645: p, Address: "123456789012"})
	}
	for _, p := range cjtProfiles(t) {
		configs = append(configs, MeterConfig{CJT188: p, Address: "12345678901234"})
	}
	for _, c := range configs {
		c.ID, c.Seed, c.Start = "P-1", 4, start
		m, err := NewMeter(c)
		if err != nil {
			t.Error(err)
			continue
		}
		if len(m.Quantities()) == 0 || m.Medium() == "" || m.ProfileID() == "" {
			t.Errorf("%s: %s, %d quantities", m.ProfileID(), m.Medium(), len(m.Quantities()))
		}
		at := start.Add(50 * time.Hour)
		for _, q := range m.Quantities() {
			if v, missing, ok := m.Expected(q, at); !ok || missing != "" || v.Validate() != nil {
				t.Errorf("%s %s: %s %q %v", m.ProfileID(), q, v, missing, ok)
			}
		}
		for _, s := range []*series{m.daily, m.monthly} {
			if s == nil {
				continue
			}
			stamp, ok := m.KeptAt(s.origin, s.kept, at)
			for _, f := range s.fields {
				if _, missing, held := m.ExpectedKept(s.origin, f.quantity, stamp); !ok || !held || missing != "" {
					t.Errorf("%s: no %s of %s", m.ProfileID(), s.origin, f.quantity)
				}
			}
		}
	}
	if len(configs) < 24 {
		t.Errorf("%d profiles, want at least 24", len(configs))
	}
}

func TestNewMeterRefusesFaces(t *testing.T) {
	power, water := goldenProfile(2007), valveProfile()
	old := *power
	old.Edition = 1999
	fine := *power
	fine.Fields = []dlt645.Field{{Quantity: "power.active", DI: 1, Bytes: 4, Format: dlt645.BCD, Shift: -7}}
	short := *water
	short.Lengths = map[uint16]int{0x901F: 4}
	unitless := *water
	unitless.Fields = []cjt188.Field{{Quantity: "water.pressure", DI: 0x901F, Bytes: 4, Format: cjt188.BCDUnit}}
	for name, c := range map[string]MeterConfig{
		"no profile":     {Unit: 1},
		"two protocols":  {DLT645: power, CJT188: water, Address: "000000000001"},
		"no address":     {DLT645: power},
		"a long address": {DLT645: power, Address: "00000000000001"},
		"no digits":      {CJT188: water, Address: "0000000000000A"},
		"edition":        {DLT645: &old, Address: "000000000001"},
		"edition 188":    {CJT188: water, Address: "00000000000001", Edition: 1},
		"too fine":       {DLT645: &fine, Address: "000000000001"},
		"length":         {CJT188: &short, Address: "00000000000001"},
		"unit":           {CJT188: &unitless, Address: "00000000000001"},
		"preamble":       {DLT645: power, Address: "000000000001", Preamble: 5},
		"max data":       {DLT645: power, Address: "000000000001", MaxData: 5},
		"glitch":         {DLT645: power, Address: "000000000001", Glitch: 1.1},
		"reboot":         {DLT645: power, Address: "000000000001", RebootFor: -1},
	} {
		if _, err := NewMeter(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestTariffsSumToImport, exactly, and none of them ever falls.
func TestTariffsSumToImport(t *testing.T) {
	m := mustDLT645(t, lifeProfile(), nil)
	var last [4]int64
	for minute := range 3000 {
		in := m.instant(m.stepOf(start.Add(time.Duration(minute) * time.Minute)))
		sum := int64(0)
		for n := range last {
			v := tariffOf(n)(m, in)
			if v < last[n] {
				t.Fatalf("tariff %d fell from %d to %d", n+1, last[n], v)
			}
			last[n], sum = v, sum+v
		}
		if total := forward(m, in); sum != total {
			t.Fatalf("the tariffs sum to %d, the import is %d", sum, total)
		}
	}
}

// TestAccountFoots: what was bought is the purchases at their price, and the
// credit goes up exactly when one is made.
func TestAccountFoots(t *testing.T) {
	m := mustDLT645(t, goldenProfile(2007), func(c *MeterConfig) { c.ResetAt, c.SwapAt = start.Add(400*time.Hour), start.Add(900*time.Hour) })
	at := func(q schemas.Quantity, in instant) int64 { return signalOf(q)(m, in) }
	before, made := m.instant(m.stepOf(start)), 0
	for hour := range 2000 {
		in := m.instant(m.stepOf(start.Add(time.Duration(hour) * time.Hour)))
		count := at("power.purchase.count", in)
		if got, want := at("power.purchase.total", in), count/micro*at("power.purchase.last", in); got != want {
			t.Fatalf("hour %d: bought for %d, want %d", hour, got, want)
		}
		if hour == 400 && count != 0 {
			t.Errorf("%d purchases after the reset", count/micro)
		}
		if hour != 400 && hour != 900 {
			up := at("power.credit.energy", in) > at("power.credit.energy", before)
			if grown := count - at("power.purchase.count", before); up != (grown == micro) || grown != 0 && grown != micro {
				t.Fatalf("hour %d: %d purchases, the credit went up: %v", hour, grown, up)
			} else if up {
				made++
			}
		}
		credit, over := at("power.credit.energy", in), at("power.overdraft.energy", in)
		if over != max(0, -credit) {
			t.Fatalf("hour %d: credit %d, overdraft %d", hour, credit, over)
		}
		before = in
	}
	if made == 0 {
		t.Error("nothing was bought")
	}
}

// TestSwap: another number, other counters, no records of the time before.
func TestSwap(t *testing.T) {
	swap := start.Add(30 * time.Hour)
	m := mustDLT645(t, lifeProfile(), func(c *MeterConfig) { c.SwapAt = swap })
	slave := dltSlave(t, m)
	serial := func(at time.Time) string {
		b, _, _ := readItem(t, slave, m, 0x04000402, at)
		if got := parseDLT(t, askDLT(reverse(b), 0x11)).address; got != m.Serial(at) {
			t.Errorf("the meter says %s, want %s", got, m.Serial(at))
		}
		return m.Serial(at)
	}
	if a, b := serial(swap.Add(-1)), serial(swap); a == b || serial(start) != a || serial(swap.Add(time.Hour)) != b {
		t.Errorf("serial numbers %s and %s", a, b)
	}
	const q = "power.energy.import"
	before, after := expectCounter(t, m, q, swap.Add(-time.Second)), expectCounter(t, m, q, swap)
	if d := before - after; d > -100 && d < 100 {
		t.Errorf("the counter went from %v to %v", before, after)
	}
	if grown := expectCounter(t, m, q, swap.Add(100*time.Hour)); grown <= after {
		t.Error("the new meter does not count")
	}
	// Two hours before it holds days, two hours after none.
	if _, ok := m.KeptAt(schemas.DailyFreeze, 2, swap.Add(-2*time.Hour)); !ok {
		t.Error("no record before the swap")
	}
	if _, ok := m.KeptAt(schemas.DailyFreeze, 1, swap.Add(2*time.Hour)); ok {
		t.Error("the new meter has a record of the old one")
	}
	if _, _, ok := readItem(t, slave, m, 0x05060101, swap.Add(2*time.Hour)); ok {
		t.Error("the record that it does not hold was answered")
	}
	next := swap.Add(24 * time.Hour)
	if stamp, ok := m.KeptAt(schemas.DailyFreeze, 1, next); !ok || stamp.Before(swap) {
		t.Errorf("record 1 a day later: %s %v", stamp, ok)
	}
	if _, ok := m.KeptAt(schemas.DailyFreeze, 3, next); ok {
		t.Error("three records of two days")
	}
}

func reverse(b []byte) string {
	const digits = "0123456789abcdef"
	var s strings.Builder
	for i := len(b) - 1; i >= 0; i-- {
		s.WriteByte(digits[b[i]>>4])
		s.WriteByte(digits[b[i]&15])
	}
	return s.String()
}

// TestSwapAndReset: in either order the meter stays the one that it is.
func TestSwapAndReset(t *testing.T) {
	a, b := start.Add(time.Hour), start.Add(2*time.Hour)
	for _, swapFirst := range []bool{true, false} {
		m := mustDLT645(t, lifeProfile(), func(c *MeterConfig) {
			if c.SwapAt, c.ResetAt = b, a; swapFirst {
				c.SwapAt, c.ResetAt = a, b
			}
		})
		if m.Serial(m.SwapAt.Add(-1)) == m.Serial(m.SwapAt) || m.Serial(m.ResetAt.Add(-1)) != m.Serial(m.ResetAt) {
			t.Errorf("swap first %v: the number does not follow the meter", swapFirst)
		}
		if v := expectCounter(t, m, "power.energy.import", m.ResetAt); v != 0 {
			t.Errorf("swap first %v: %v after the reset", swapFirst, v)
		}
		if v := expectCounter(t, m, "power.energy.import", m.SwapAt); v < 1000 {
			t.Errorf("swap first %v: %v after the swap", swapFirst, v)
		}
	}
}

// TestReboot: silence on all three faces, and counting goes on.
func TestReboot(t *testing.T) {
	reboot := func(c *MeterConfig) { c.RebootAt, c.RebootFor = start.Add(time.Hour), 20*time.Second }
	power, water, modbus := mustDLT645(t, goldenProfile(2007), reboot), mustCJT188(t, valveProfile(), reboot), mustMeter(t, "eastron-sdm630", func(c *MeterConfig) {
		reboot(c)
		c.Unit = 1
	})
	for _, tt := range []struct {
		after time.Duration
		alive bool
	}{{-1, true}, {0, false}, {20*time.Second - 1, false}, {20 * time.Second, true}} {
		at := start.Add(time.Hour + tt.after)
		for name, answer := range map[string][]byte{
			"645": dltSlave(t, power).Answer(nil, askDLT(power.Address, 0x13), at),
			"188": cjtSlave(t, water).Answer(nil, askCJT(0x10, water.Address, 3, 0x81, 0x0A, 1), at),
			"RTU": rtuSlave(t, modbus).Answer(nil, octetsOf(t, "01 04 00 00 00 02 71 CB"), at),
		} {
			if (len(answer) > 0) != tt.alive {
				t.Errorf("%s %s after the reboot: % X", name, tt.after, answer)
			}
		}
	}
}

// TestRecordsFollowTheClock: a record is made when the meter's clock says so.
func TestRecordsFollowTheClock(t *testing.T) {
	midnight := time.Date(2026, 3, 5, 16, 0, 0, 0, time.UTC) // in China
	for _, tt := range []struct {
		name         string
		offset, jump time.Duration
		jumpAt       time.Time
		at           time.Time
		stamps       []time.Duration // of the newest records, from midnight
		made         []time.Duration
	}{
		{name: "right", at: midnight, stamps: []time.Duration{0, -24 * time.Hour}, made: []time.Duration{0, -24 * time.Hour}},
		{name: "just before", at: midnight.Add(-1), stamps: []time.Duration{-24 * time.Hour}, made: []time.Duration{-24 * time.Hour}},
		{name: "ten minutes ahead", offset: 10 * time.Minute, at: midnight, stamps: []time.Duration{0}, made: []time.Duration{-10 * time.Minute}},
		{name: "ten minutes behind", offset: -10 * time.Minute, at: midnight, stamps: []time.Duration{-24 * time.Hour}, made: []time.Duration{-24*time.Hour + 10*time.Minute}},
		{name: "set ahead over midnight", jumpAt: midnight.Add(-time.Hour), jump: 2 * time.Hour, at: midnight,
			stamps: []time.Duration{-24 * time.Hour}, made: []time.Duration{-24 * time.Hour}},
		{name: "set back over midnight", jumpAt: midnight.Add(time.Hour), jump: -2 * time.Hour, at: midnight.Add(3 * time.Hour),
			stamps: []time.Duration{0, 0, -24 * time.Hour}, made: []time.Duration{2 * time.Hour, 0, -24 * time.Hour}},
		{name: "set back, before it comes again", jumpAt: midnight.Add(time.Hour), jump: -2 * time.Hour, at: midnight.Add(90 * time.Minute),
			stamps: []time.Duration{0, -24 * time.Hour}, made: []time.Duration{0, -24 * time.Hour}},
	} {
		m := mustDLT645(t, lifeProfile(), func(c *MeterConfig) {
			c.ClockOffset, c.ClockJumpAt, c.ClockJumpBy = tt.offset, tt.jumpAt, tt.jump
		})
		for i, want := range tt.stamps {
			r, ok := m.record(m.daily, i+1, tt.at)
			if !ok || !r.stamp.Equal(midnight.Add(want)) || !r.made.Equal(midnight.Add(tt.made[i])) {
				t.Errorf("%s: record %d is of %s, made %s (%v)", tt.name, i+1, r.stamp, r.made, ok)
			}
		}
	}
}

// TestUndatedRecordsKeepStep: after the clock was set, over a settlement or back
// over one, record n is still the n-th settlement before what the clock shows.
func TestUndatedRecordsKeepStep(t *testing.T) {
	for seed := range uint64(10) {
		m := mustDLT645(t, lifeProfile(), func(c *MeterConfig) { c.Seed = seed })
		settled := m.monthly.before(start.Add(40 * 24 * time.Hour))
		for _, by := range []time.Duration{-50 * time.Hour, 50 * time.Hour} {
			jump := settled.Add(-by / 2)
			m := mustDLT645(t, lifeProfile(), func(c *MeterConfig) { c.Seed, c.ClockJumpAt, c.ClockJumpBy = seed, jump, by })
			f := fleetOf(m)
			for hour := -60; hour < 120; hour += 5 {
				at := jump.Add(time.Duration(hour)*time.Hour + time.Minute)
				want := m.monthly.before(m.Clock(at))
				r, ok := m.record(m.monthly, 1, at)
				if !ok || !r.stamp.Equal(want) || r.made.After(at) || r.made.Before(at.Add(-34*24*time.Hour)) {
					t.Fatalf("set by %s, hour %d: record of %s made %s, want one of %s", by, hour, r.stamp, r.made, want)
				}
				v, _ := m.kept(&m.monthly.fields[0], r.made)
				reading := schemas.Reading{Meter: m.ID, Quantity: "power.energy.import", Value: v, Unit: "kW.h", TakenAt: r.stamp, Origin: schemas.MonthlyFreeze}
				if err := f.Check(reading, 0); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// TestSettlementDays: one to three a month, in their order, and records at each.
func TestSettlementDays(t *testing.T) {
	days, hours := map[int]bool{}, map[int]bool{}
	for seed := range uint64(30) {
		m := mustDLT645(t, lifeProfile(), func(c *MeterConfig) { c.Seed = seed })
		slave, n := dltSlave(t, m), len(m.monthly.days)
		days[n] = true
		for k := range 3 {
			b, _, ok := readItem(t, slave, m, 0x04000B01+uint32(k), start)
			if set := b[1] != 0x99; !ok || set != (k < n) {
				t.Errorf("seed %d: settlement %d is % X", seed, k+1, b)
			}
		}
		last := start.Add(1000 * 24 * time.Hour)
		for k := range 12 {
			stamp, ok := m.KeptAt(schemas.MonthlyFreeze, k+1, start.Add(1000*24*time.Hour))
			w := stamp.Add(8 * time.Hour)
			at := dayHour{w.Day(), w.Hour()}
			if !ok || !stamp.Before(last) || at != m.monthly.days[(n-1-k%n+n+offset(m, start.Add(1000*24*time.Hour)))%n] {
				t.Errorf("seed %d: record %d is of %s, days %v", seed, k+1, w, m.monthly.days)
			}
			last = stamp
			hours[w.Hour()] = true
		}
	}
	if len(days) != 3 || len(hours) < 12 {
		t.Errorf("numbers of days: %v, hours: %v", days, hours)
	}
}

// offset is how many settlement days of the month are still to come, negative.
func offset(m *Meter, at time.Time) int {
	w, n := at.Add(8*time.Hour), 0
	for _, d := range m.monthly.days {
		if time.Date(w.Year(), w.Month(), d.day, d.hour, 0, 0, 0, time.UTC).After(w) {
			n--
		}
	}
	return n
}

// TestGlitches: as many as asked for, far off, on both sides, and of one step.
func TestGlitches(t *testing.T) {
	m := mustDLT645(t, goldenProfile(2007), func(c *MeterConfig) { c.Glitch = 0.05 })
	sound := mustDLT645(t, goldenProfile(2007), nil)
	const q = "power.energy.import"
	glitched, above := 0, 0
	for i := range 4000 {
		at := start.Add(time.Duration(i) * time.Second)
		off := expectCounter(t, m, q, at) - expectCounter(t, sound, q, at)
		if is := m.Glitched(q, at); is != (off != 0) || is && (off > -glitchFrom+1 && off < glitchFrom-1) {
			t.Fatalf("step %d: %v off, glitched %v", i, off, is)
		} else if is {
			glitched++
		}
		if off > 0 {
			above++
		}
	}
	if glitched < 120 || glitched > 300 || above == 0 || above == glitched {
		t.Errorf("%d glitches of 4000 steps, %d above", glitched, above)
	}
	if m.Glitched("power.voltage.l1", start) || sound.Glitched(q, start) {
		t.Error("a gauge, or a sound meter, has glitches")
	}
}

// TestStatusRegister: a word and the states within it are of one register, and
// agree whatever the maker's other bits are.
func TestStatusRegister(t *testing.T) {
	for seed := range uint64(8) {
		m := mapOf(t, 1, `function: 3
fields:
  - {quantity: device.status.word1, at: 5, type: u16}
  - {quantity: power.relay.state, at: 5, type: u16, mask: 0x8100, states: {0x8000: closed, 0x0100: open}}`)
		m.Seed = seed
		words, _ := m.Registers(3, 5, 1, start)
		word, _, _ := m.Expected("device.status.word1", start)
		state, _, _ := m.Expected("power.relay.state", start)
		if int64(words[0]) != word.Mantissa || words[0]&0x8100 != []uint16{0x8000, 0x0100}[state.Mantissa] {
			t.Errorf("seed %d: the register is %04X, the oracle %s and %s", seed, words[0], word, state)
		}
	}
}

// TestUnsignedPowerIsDrawn: a meter that cannot show what is fed in feeds
// nothing in; its power would be zero for ever.
func TestUnsignedPowerIsDrawn(t *testing.T) {
	for _, kind := range []string{"u32", "i32"} {
		negative := 0
		for seed := range uint64(64) {
			p := mapOf(t, 1, "function: 3\nfields: [{quantity: power.active, at: 0, type: "+kind+"}]").Profile
			m, err := NewMeter(MeterConfig{ID: "U", Profile: p, Unit: 1, Seed: seed, Start: start})
			if err != nil {
				t.Fatal(err)
			}
			if v, _, _ := m.Expected("power.active", start); v.Mantissa < 0 {
				negative++
			} else if v.Mantissa == 0 {
				t.Errorf("%s, seed %d: no power", kind, seed)
			}
		}
		if (negative > 0) != (kind == "i32") {
			t.Errorf("%s: %d of 64 feed in", kind, negative)
		}
	}
}
