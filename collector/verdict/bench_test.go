package verdict

import (
	"runtime"
	"testing"
	"time"

	"citygrid/schemas"
)

// steady is a three-phase meter as it is read in the field: gauges, counters,
// limits, a rate, a width, an installation, a watch for a stuck register.
func steady() (*Validator, []schemas.Reading) {
	rules := Rules{
		Limits:     map[schemas.Quantity]Limits{energy: {MaxPerHour: decp("100")}, volts: {Min: decp("180"), Max: decp("260")}},
		WrapsAt:    widths(energy, "1000000"),
		Direction:  Forward,
		StuckAfter: 4 * time.Hour,
		Installations: []schemas.Installation{{Meter: "m", Serial: "1", From: start.Add(-time.Hour), Multiplier: dec("1"),
			First: map[schemas.Quantity]schemas.Decimal{energy: dec("99.00")}}},
	}
	v := New(rules, State{})
	v.SetSerial("1")
	var read []schemas.Reading
	for _, q := range []schemas.Quantity{volts, "power.voltage.l2", "power.voltage.l3", "power.current.l1", "power.current.l2", "power.current.l3",
		active, "power.factor", "power.frequency", energy, export, "power.energy.reactive.import"} {
		value := "100.00"
		switch q {
		case volts:
			value = "230.1"
		case "power.factor":
			value = "0.95"
		}
		read = append(read, reading(q, value, start))
	}
	return v, read
}

// next is the Read after, in place.
func next(read []schemas.Reading) {
	for i := range read {
		r := &read[i]
		r.TakenAt = r.TakenAt.Add(quarter)
		if r.Quantity == energy {
			r.Value.Mantissa++
		}
	}
}

// Steady state costs no memory.
func TestJudgeAllocatesNothing(t *testing.T) {
	v, read := steady()
	v.Judge(read)
	if n := testing.AllocsPerRun(100, func() {
		next(read)
		v.Judge(read)
	}); n != 0 {
		t.Errorf("%v allocations a Read", n)
	}
	for _, r := range read {
		if r.Quality != schemas.Good {
			t.Errorf("%s is %s %q", r.Quantity, r.Quality, r.Reason)
		}
	}
}

// A collector of a thousand meters has tens of thousands of slots on a box with
// little memory.
func TestAMeterIsSmall(t *testing.T) {
	const meters, most = 500, 6 << 10
	var all []schemas.QuantityInfo
	for _, info := range schemas.Quantities() {
		if info.Medium == schemas.Power && len(all) < 45 {
			all = append(all, info)
		}
	}
	read := make([]schemas.Reading, 0, len(all))
	for _, info := range all {
		read = append(read, reading(info.Quantity, "0", start))
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := make([]*Validator, meters)
	for i := range kept {
		kept[i] = New(Rules{StuckAfter: time.Hour}, State{})
		kept[i].Judge(read)
		kept[i].Judge(read)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := int64(after.HeapAlloc-before.HeapAlloc) / meters; each > most {
		t.Errorf("a meter with %d values takes %d bytes, want at most %d", len(read), each, most)
	} else {
		t.Logf("%d bytes", each)
	}
	runtime.KeepAlive(kept)
}

// A float register changes its resolution with every value.
func BenchmarkJudgeFloats(b *testing.B) {
	v, read := steady()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		for i := range read {
			if r := &read[i]; r.Quantity != energy {
				r.Value.Exponent = -int8(n & 3)
			}
		}
		next(read)
		v.Judge(read)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(read)), "ns/reading")
}

func BenchmarkJudge(b *testing.B) {
	v, read := steady()
	b.ReportAllocs()
	for b.Loop() {
		next(read)
		v.Judge(read)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(read)), "ns/reading")
}
