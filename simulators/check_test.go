package simulators

import (
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
)

// fleetOf is a fleet of given meters, without gateways.
func fleetOf(meters ...*Meter) *Fleet {
	f := &Fleet{Meters: meters, byID: map[schemas.MeterID]*Meter{}}
	for _, m := range meters {
		f.byID[m.ID] = m
	}
	return f
}

// keptReading is what a right collector reports for record n of m.
func keptReading(t testing.TB, m *Meter, origin schemas.Origin, q schemas.Quantity, n int, at time.Time) schemas.Reading {
	t.Helper()
	stamp, ok := m.KeptAt(origin, n, at)
	value, _, known := m.ExpectedKept(origin, q, stamp)
	if !ok || !known {
		t.Fatalf("%s: no %s %d of %s", m.ID, origin, n, q)
	}
	info, _ := q.Info()
	return schemas.Reading{Meter: m.ID, Quantity: q, Value: value, Unit: info.Unit, TakenAt: stamp, Origin: origin}
}

// TestCheckKept: readings from the meter's memory, right and wrong.
func TestCheckKept(t *testing.T) {
	p := lifeProfile()
	p.Daily.Fields = append(p.Daily.Fields, p.Daily.Fields[0])
	p.Daily.Fields[1].Quantity, p.Daily.Fields[1].At = "power.energy.export", 4
	m := mustDLT645(t, p, nil)
	f, at := fleetOf(m), start.Add(100*24*time.Hour)
	const q = schemas.Quantity("power.energy.import")
	for n := 1; n <= 62; n++ {
		if err := f.Check(keptReading(t, m, schemas.DailyFreeze, q, n, at), 0); err != nil {
			t.Error(err)
		}
	}
	if err := f.Check(keptReading(t, m, schemas.MonthlyFreeze, q, 3, at), 0); err != nil {
		t.Error(err)
	}
	right := keptReading(t, m, schemas.DailyFreeze, q, 5, at)
	with := func(change func(*schemas.Reading)) schemas.Reading {
		r := right
		change(&r)
		return r
	}
	for _, tt := range []struct {
		name string
		r    schemas.Reading
		want string
	}{
		{"of another day", with(func(r *schemas.Reading) { r.Value = keptReading(t, m, schemas.DailyFreeze, q, 6, at).Value }), "the record of 2026-06-04T16:00:00Z holds that"},
		{"another quantity", with(func(r *schemas.Reading) {
			r.Value = keptReading(t, m, schemas.DailyFreeze, "power.energy.export", 5, at).Value
		}), "that is its power.energy.export"},
		{"the last digit", with(func(r *schemas.Reading) { r.Value.Mantissa++ }), "expected " + right.Value.String()},
		{"no midnight", with(func(r *schemas.Reading) { r.TakenAt = r.TakenAt.Add(time.Minute) }), "the one before is of 2026-06-05T16:00:00Z"},
		{"live", with(func(r *schemas.Reading) { r.Origin = schemas.Live; r.TakenAt = at }), "expected"},
		{"load record", with(func(r *schemas.Reading) { r.Origin = schemas.LoadRecord }), "keeps no such records"},
		{"not kept", with(func(r *schemas.Reading) { r.Quantity, r.Unit = "power.voltage.l1", "V" }), "have no such quantity"},
		{"missing", with(func(r *schemas.Reading) {
			r.Value, r.Quality, r.Reason = schemas.Decimal{}, schemas.Missing, schemas.ReasonBadBCD
		}), "expected"},
	} {
		err := f.Check(tt.r, time.Second)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// TestCheckKeptTwice: a clock that was set back makes two records of one moment,
// and either is right.
func TestCheckKeptTwice(t *testing.T) {
	jump := start.Add(17*time.Hour + 24*time.Hour) // an hour after midnight in China
	m := mustDLT645(t, lifeProfile(), func(c *MeterConfig) { c.ClockJumpAt, c.ClockJumpBy = jump, -2*time.Hour })
	f, at := fleetOf(m), jump.Add(5*time.Hour)
	first, _ := m.record(m.daily, 2, at)
	second, _ := m.record(m.daily, 1, at)
	if !first.stamp.Equal(second.stamp) {
		t.Fatalf("%s and %s", first.stamp, second.stamp)
	}
	r := keptReading(t, m, schemas.DailyFreeze, "power.energy.import", 1, at)
	older := r
	older.Value, _ = m.kept(&m.daily.fields[0], first.made)
	if older.Value == r.Value {
		t.Fatal("both records hold the same")
	}
	for _, r := range []schemas.Reading{r, older} {
		if err := f.Check(r, 0); err != nil {
			t.Error(err)
		}
	}
}

// TestCheckLife: glitches are known, silence is not answered.
func TestCheckLife(t *testing.T) {
	m := mustDLT645(t, goldenProfile(2007), func(c *MeterConfig) {
		c.Glitch, c.RebootAt, c.RebootFor = 0.1, start.Add(time.Hour), time.Minute
	})
	f, glitched := fleetOf(m), 0
	const q = schemas.Quantity("power.energy.import")
	for i := range 500 {
		at := start.Add(time.Duration(i) * time.Second)
		r := reading(t, m, q, at, at.Add(time.Second))
		if err := f.Check(r, 2*time.Second); err != nil {
			t.Fatal(err)
		}
		if f.Glitched(r, 2*time.Second) != m.Glitched(q, at) {
			t.Fatalf("at %s: glitched %v", at, m.Glitched(q, at))
		}
		if m.Glitched(q, at) {
			glitched++
		}
	}
	if glitched == 0 {
		t.Error("no glitch")
	}
	at := start.Add(time.Hour + 30*time.Second)
	if err := f.Check(reading(t, m, q, at, at), 2*time.Second); err == nil || !strings.Contains(err.Error(), "rebooting") {
		t.Error(err)
	}
	if err := f.Check(reading(t, m, q, at, start.Add(time.Hour+time.Second)), 2*time.Second); err == nil {
		t.Error("a value of the silence passed")
	}
	if err := f.Check(reading(t, m, q, start.Add(time.Hour-1), start.Add(time.Hour+time.Second)), 2*time.Second); err != nil {
		t.Error(err)
	}
}

// BenchmarkCheckAll checks a reading of every quantity of meters of the three
// protocols, and of their records, in turn.
func BenchmarkCheckAll(b *testing.B) {
	at := start.Add(40 * 24 * time.Hour)
	meters := []*Meter{mustMeter(b, "eastron-sdm630", nil), mustMeter(b, "xintai-prepaid-water", nil)}
	for _, p := range dltProfiles(b) {
		meters = append(meters, mustDLT645(b, p, nil))
	}
	for _, p := range cjtProfiles(b) {
		meters = append(meters, mustCJT188(b, p, nil))
	}
	var readings []schemas.Reading
	for i, m := range meters {
		m.ID = schemas.MeterID(string(rune('A' + i)))
		for _, q := range m.Quantities() {
			info, _ := q.Info()
			v, _, _ := m.Expected(q, at.Add(-time.Second))
			readings = append(readings, schemas.Reading{Meter: m.ID, Quantity: q, Value: v, Unit: info.Unit, TakenAt: at})
		}
		if m.daily != nil {
			readings = append(readings, keptReading(b, m, schemas.DailyFreeze, m.daily.fields[0].quantity, 30, at))
		}
	}
	f := fleetOf(meters...)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := f.Check(readings[i%len(readings)], 2*time.Second); err != nil {
			b.Fatal(err)
		}
	}
}
