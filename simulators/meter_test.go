package simulators

import (
	"math"
	"slices"
	"testing"
	"time"

	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

var start = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func mustFleet(t testing.TB, c FleetConfig) *Fleet {
	t.Helper()
	if c.Start.IsZero() {
		c.Start = start
	}
	f, err := NewFleet(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func mustMeter(t testing.TB, id string, change func(*MeterConfig)) *Meter {
	t.Helper()
	set, err := profiles.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	p, err := set.Get(id)
	if err != nil {
		t.Fatal(err)
	}
	c := MeterConfig{ID: "T-1", Unit: 7, Profile: p, Seed: 42, Start: start}
	if change != nil {
		change(&c)
	}
	m, err := NewMeter(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestOracleAgreesWithRegisters decodes every quantity of every profile from
// the registers and compares with Expected, exactly.
func TestOracleAgreesWithRegisters(t *testing.T) {
	f := mustFleet(t, FleetConfig{Meters: 80, Seed: 1, NoValue: 0.2, Faults: Faults{Reset: 0.3}})
	missing := map[schemas.Reason]int{}
	for _, m := range f.Meters {
		for minute := range 40 {
			at := start.Add(time.Duration(minute)*37*time.Second + 123*time.Millisecond)
			for _, pf := range m.Profile.Fields {
				got, reason := decode(t, pf, func(p profiles.Part) []uint16 {
					words, exception := m.Registers(p.Function, p.At, uint16(p.Words), at)
					if exception != 0 {
						t.Fatalf("%s %s: exception %d", m.Profile.ID, pf.Quantity, exception)
					}
					return words
				})
				value, want, ok := m.Expected(pf.Quantity, at)
				if !ok || reason != want || reason == "" && got.Cmp(rat(value)) != 0 {
					t.Fatalf("%s %s at %s: registers give %v %q, the oracle %s %q", m.Profile.ID, pf.Quantity, at, got, reason, value, want)
				}
				missing[reason]++
			}
		}
	}
	for _, reason := range []schemas.Reason{"", schemas.ReasonNaN, schemas.ReasonSentinel} {
		if missing[reason] == 0 {
			t.Errorf("no reading with reason %q was tried", reason)
		}
	}
}

func TestRegistersArePure(t *testing.T) {
	for _, id := range mixture() {
		a, b := mustMeter(t, id, nil), mustMeter(t, id, nil)
		for _, r := range a.readable {
			count := min(int(r.To-r.From)+1, a.Profile.MaxRegisters)
			at := start.Add(90 * time.Minute)
			whole, _ := a.Registers(r.Function, r.From, uint16(count), at)
			// Another meter of the same configuration, asked word by word,
			// backwards, at the other end of the step, after other questions.
			b.Registers(r.Function, r.From, 1, at.Add(time.Hour))
			for i := count - 1; i >= 0; i-- {
				one, _ := b.Registers(r.Function, r.From+uint16(i), 1, at.Add(time.Second-1))
				if one[0] != whole[i] {
					t.Errorf("%s 0x%04X: %04X alone, %04X together", id, int(r.From)+i, one[0], whole[i])
				}
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	m := mustMeter(t, "cangnan-gas", nil) // registers 0-3 and 6-11, gap allowed, at most 20
	for _, tt := range []struct {
		name      string
		fn        uint8
		at, count uint16
		want      Exception
	}{
		{"all", 3, 0, 12, 0},
		{"the gap alone", 3, 4, 2, 0},
		{"input registers", 4, 0, 2, IllegalAddress},
		{"coils", 1, 0, 2, IllegalFunction},
		{"write", 6, 0, 2, IllegalFunction},
		{"none", 3, 0, 0, IllegalValue},
		{"more than the device takes", 3, 0, 21, IllegalValue},
		{"past the end", 3, 0, 13, IllegalAddress},
		{"the last", 3, 11, 1, 0},
		{"behind the last", 3, 12, 1, IllegalAddress},
		{"the end of the address space", 3, 0xFFFF, 20, IllegalAddress},
	} {
		words, got := m.Registers(tt.fn, tt.at, tt.count, start)
		if got != tt.want || got == 0 && len(words) != int(tt.count) {
			t.Errorf("%s: exception %d (%d words), want %d", tt.name, got, len(words), tt.want)
		}
	}
	if words, _ := m.Registers(3, 4, 2, start); words[0] != 0 || words[1] != 0 {
		t.Errorf("unnamed registers are %v, want 0", words)
	}
}

// TestHolesAreNotReadable shows that a hole parts two ranges that the gap alone
// would have joined.
func TestHolesAreNotReadable(t *testing.T) {
	p, err := profiles.Parse("h.yaml", []byte(`
maker: A
model: B
medium: power
document: D
function: 3
max_gap: 8
holes: [{from: 3, to: 3}]
fields:
  - {quantity: power.voltage.l1, at: 0, type: f32}
  - {quantity: power.voltage.l2, at: 4, type: f32}
`))
	if err != nil {
		t.Fatal(err)
	}
	m := mustMeter(t, "abb-b23", func(c *MeterConfig) { c.Profile = p })
	if _, e := m.Registers(3, 0, 6, start); e != IllegalAddress {
		t.Errorf("reading across a hole: exception %d, want 2", e)
	}
}

// expectCounter returns the counter's value at t in millionths.
func expectCounter(t *testing.T, m *Meter, q schemas.Quantity, at time.Time) float64 {
	t.Helper()
	v, reason, ok := m.Expected(q, at)
	if !ok || reason != "" {
		t.Fatalf("%s %s: %q %v", m.Profile.ID, q, reason, ok)
	}
	return v.Float64()
}

func TestCountersOnlyGrow(t *testing.T) {
	f := mustFleet(t, FleetConfig{Meters: 40, Seed: 3, Step: 100 * time.Millisecond})
	for _, m := range f.Meters {
		for _, pf := range m.Profile.Fields {
			info, _ := pf.Quantity.Info()
			if info.Kind != schemas.Counter || pf.WrapsAt != nil {
				continue
			}
			last, first := -1.0, expectCounter(t, m, pf.Quantity, start)
			for i := range 400 {
				// A dense stretch, then jumps over days.
				at := start.Add(time.Duration(i) * 100 * time.Millisecond)
				if i >= 200 {
					at = start.Add(time.Duration(i-200) * 7 * time.Hour)
				}
				if i == 200 {
					last = -1
				}
				v := expectCounter(t, m, pf.Quantity, at)
				if v < last {
					t.Fatalf("%s %s fell from %v to %v at %s", m.Profile.ID, pf.Quantity, last, v, at)
				}
				last = v
			}
			if last <= first {
				t.Errorf("%s %s stood still at %v for two months", m.Profile.ID, pf.Quantity, last)
			}
		}
	}
}

func TestFlowIsTheDerivativeOfTheCounter(t *testing.T) {
	for _, tt := range []struct {
		id            string
		counter, flow schemas.Quantity
		perHour       float64 // counter units an hour for a flow of 1
	}{
		{"schneider-iem3000", "power.energy.total", "power.active", 1e-3},
		{"schneider-iem3000", "power.energy.import", "power.active", 1e-3},
		{"tuf-2000m", "water.volume.forward", "water.flow", 1},
		{"fuxin-gas", "gas.volume.standard", "gas.flow.standard", 1},
		{"fuxin-gas", "gas.volume.working", "gas.flow.working", 1},
	} {
		m := mustMeter(t, tt.id, func(c *MeterConfig) { c.Seed = 5 })
		if _, _, ok := m.Expected(tt.counter, start); !ok {
			continue
		}
		for hour := range 48 {
			at := start.Add(time.Duration(hour) * time.Hour)
			grown := expectCounter(t, m, tt.counter, at.Add(30*time.Minute)) - expectCounter(t, m, tt.counter, at.Add(-30*time.Minute))
			flow := expectCounter(t, m, tt.flow, at) * tt.perHour
			if hour > 0 && math.Abs(grown-flow) > 0.01*flow+2e-3 {
				t.Errorf("%s at %s: %s grew by %v in an hour, %s was %v", tt.id, at, tt.counter, grown, tt.flow, flow)
			}
		}
	}
}

func TestRollover(t *testing.T) {
	wrapped := 0
	for seed := range uint64(32) {
		m := mustMeter(t, "fuxin-gas", func(c *MeterConfig) { c.Seed = seed })
		before := expectCounter(t, m, "gas.volume.standard", start)
		after := expectCounter(t, m, "gas.volume.standard", start.Add(2*time.Hour))
		if after < before {
			wrapped++
			if before < 99_999_000 || after > 1000 {
				t.Errorf("seed %d: fell from %v to %v, which is no rollover", seed, before, after)
			}
		}
	}
	if wrapped < 3 || wrapped > 20 {
		t.Errorf("%d of 32 meters rolled over, want about a quarter", wrapped)
	}
}

// TestRolloverBelowTheWidth: a counter goes round where its document says, not
// where its register would.
func TestRolloverBelowTheWidth(t *testing.T) {
	p, err := profiles.Parse("w.yaml", []byte(`
maker: A
model: B
medium: gas
document: D
function: 3
fields: [{quantity: gas.volume.standard, at: 0, type: u32, shift: -3, wraps_at: "500.25"}]
`))
	if err != nil {
		t.Fatal(err)
	}
	m := mustMeter(t, "fuxin-gas", func(c *MeterConfig) { c.Profile = p })
	rounds, last := 0, 0.0
	for hour := range 24 * 30 {
		v := expectCounter(t, m, "gas.volume.standard", start.Add(time.Duration(hour)*time.Hour))
		if v < 0 || v >= 500.25 {
			t.Fatalf("hour %d: %v is not below 500.25", hour, v)
		}
		if v < last {
			rounds++
		}
		last = v
	}
	if rounds < 1 {
		t.Error("the counter never went round")
	}
}

func TestReset(t *testing.T) {
	at := start.Add(5 * time.Minute)
	m := mustMeter(t, "abb-b23", func(c *MeterConfig) { c.ResetAt = at })
	for _, q := range []schemas.Quantity{"power.energy.import", "power.energy.export"} {
		if v := expectCounter(t, m, q, at.Add(-time.Second)); v < 9 {
			t.Errorf("%s is %v before the reset", q, v)
		}
		if v := expectCounter(t, m, q, at); v != 0 {
			t.Errorf("%s is %v at the reset, want 0", q, v)
		}
	}
	if v := expectCounter(t, m, "power.energy.import", at.Add(100*time.Hour)); v <= 0 {
		t.Errorf("the counter did not begin again: %v", v)
	}
}

func TestCreditRunsDownAndIsBought(t *testing.T) {
	m := mustMeter(t, "xintai-prepaid-water", nil)
	const q = "water.credit.volume"
	down, up := 0, 0
	last := expectCounter(t, m, q, start)
	for hour := range 24 * 60 {
		v := expectCounter(t, m, q, start.Add(time.Duration(hour+1)*time.Hour))
		switch {
		case v < last:
			down++
		case v > last+creditBought/2:
			up++
		default:
			t.Fatalf("hour %d: credit went from %v to %v", hour, last, v)
		}
		last = v
	}
	if up == 0 || down < 100*up/10 {
		t.Errorf("%d hours down, %d purchases", down, up)
	}
}

func TestValuesArePossible(t *testing.T) {
	f := mustFleet(t, FleetConfig{Meters: 100, Seed: 4})
	negative := 0
	for _, m := range f.Meters {
		for hour := range 24 * 7 {
			at := start.Add(time.Duration(hour) * time.Hour)
			for _, pf := range m.Profile.Fields {
				v, missing, _ := m.Expected(pf.Quantity, at)
				info, _ := pf.Quantity.Info()
				if x := v.Float64(); missing != "" || x < info.Min || x > info.Max {
					t.Fatalf("%s %s = %s %q is not in [%v, %v]", m.Profile.ID, pf.Quantity, v, missing, info.Min, info.Max)
				} else if x < 0 {
					negative++
				}
			}
		}
	}
	if negative == 0 {
		t.Error("no value was negative; signs go untested")
	}
}

// TestValuesDiffer makes sure that a swap would be seen: the measured values of
// one meter are all different, and no two meters share a counter's value.
func TestValuesDiffer(t *testing.T) {
	f := mustFleet(t, FleetConfig{Meters: 400, Seed: 5})
	at := start.Add(12 * time.Hour)
	counters := map[string]schemas.MeterID{}
	for _, m := range f.Meters {
		own := map[string]schemas.Quantity{}
		for _, pf := range m.Profile.Fields {
			info, _ := pf.Quantity.Info()
			if info.Kind == schemas.State {
				continue
			}
			v, _, _ := m.Expected(pf.Quantity, at)
			if v.Mantissa == 0 {
				continue // what an unsigned register shows of a meter that feeds in
			}
			value := rat(v).RatString()
			if other, taken := own[value]; taken {
				t.Errorf("%s (%s): %s and %s are both %s", m.ID, m.Profile.ID, other, pf.Quantity, v)
			}
			own[value] = pf.Quantity
			if info.Kind == schemas.Counter && v.Float64() > 5000 {
				if other, taken := counters[value]; taken {
					t.Errorf("%s and %s both show a counter of %s", other, m.ID, v)
				}
				counters[value] = m.ID
			}
		}
	}
}

func TestNewMeterRefuses(t *testing.T) {
	set, err := profiles.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	p, err := set.Get("abb-b23")
	if err != nil {
		t.Fatal(err)
	}
	fine, err := profiles.Parse("fine.yaml", []byte("maker: A\nmodel: B\nmedium: power\ndocument: D\nfunction: 3\nfields: [{quantity: power.active, at: 0, type: u32, shift: -7}]"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]MeterConfig{
		"no profile":    {Unit: 1},
		"unit 0":        {Profile: p},
		"unit 248":      {Profile: p, Unit: 248},
		"step":          {Profile: p, Unit: 1, Step: -1},
		"too fine":      {Profile: fine, Unit: 1},
		"no such thing": {Profile: &profiles.Profile{Fields: []profiles.Field{{Quantity: "power.volts"}}}, Unit: 1},
	} {
		if _, err := NewMeter(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func BenchmarkRegisters(b *testing.B) {
	m := mustMeter(b, "eastron-sdm630", nil)
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, e := m.AppendRegisters(buf, 4, 0x46, 10, start.Add(time.Duration(i)*time.Second)); e != 0 {
			b.Fatal(e)
		}
	}
}

// twentyFloats is a profile of 20 floats in 40 registers.
func twentyFloats(t testing.TB) *profiles.Profile {
	t.Helper()
	set, err := profiles.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	p, err := set.Get("eastron-sdm630")
	if err != nil {
		t.Fatal(err)
	}
	packed := *p
	packed.Fields = slices.Clone(p.Fields)[:20]
	for i := range packed.Fields {
		part := packed.Fields[i].Parts[0]
		part.At = uint16(2 * i)
		packed.Fields[i].Parts = []profiles.Part{part}
	}
	return &packed
}

func BenchmarkRegisters40(b *testing.B) {
	p := twentyFloats(b)
	m := mustMeter(b, "eastron-sdm630", func(c *MeterConfig) { c.Profile = p })
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, e := m.AppendRegisters(buf, 4, 0, 40, start.Add(time.Duration(i)*time.Second)); e != 0 {
			b.Fatal(e)
		}
	}
}
