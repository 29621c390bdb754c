package detect

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"citygrid/schemas"
)

// steady is a water meter with all that the rules look at, and things that they
// do not.
func steady(t testing.TB) (*Detector, []schemas.Reading) {
	d := one(t, Rules{Set: Set{Leak: Leak{Nights: new(30)}}})
	return d, read(start, "water.volume.forward", "1234.500", "water.volume.reverse", "0.250", "water.flow", "0.545", "water.pipe.state", "0",
		"water.credit.volume", "87.75", "water.pressure", "325", "water.temperature", "18.5", "device.battery.voltage", "3.61",
		"water.valve.state", "1", "device.battery.state", "0", "device.cover.tilt", "1.5", "device.chamber.level", "0.1")
}

// next is the Read after, in place.
func next(rs []schemas.Reading) {
	for i := range rs {
		rs[i].TakenAt = rs[i].TakenAt.Add(time.Minute)
	}
	rs[0].Value.Mantissa += 9
}

func TestObserveAllocatesNothing(t *testing.T) {
	d, rs := steady(t)
	d.Observe(rs)
	if n := testing.AllocsPerRun(5000, func() {
		next(rs)
		if got := d.Observe(rs); got != nil {
			t.Fatal(got)
		}
		d.Answered("m", "l", rs[0].TakenAt)
		d.Tick(rs[0].TakenAt)
	}); n != 0 {
		t.Errorf("%v allocations a read", n)
	}
}

// A collector of thousands of meters stands on a small box.
func TestAMeterIsSmall(t *testing.T) {
	const meters = 2000
	site := Site{Collector: "c"}
	for i := range meters {
		site.Meters = append(site.Meters, Meter{ID: schemas.MeterID(fmt.Sprint("meter-", i)), Line: fmt.Sprint("line-", i/50), Interval: time.Minute})
	}
	_, rs := steady(t)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	d, err := New(Rules{}, site)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		next(rs)
		for i := range meters {
			for k := range rs {
				rs[k].Meter = site.Meters[i].ID
			}
			d.Observe(rs)
			d.Answered(rs[0].Meter, site.Meters[i].Line, rs[0].TakenAt)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	state, err := d.State()
	if err != nil {
		t.Fatal(err)
	}
	each, text := int64(after.HeapAlloc-before.HeapAlloc)/meters, len(state)/meters
	if each > MemoryPerMeter || text > MemoryPerMeter {
		t.Errorf("a meter takes %d bytes, its state %d, want at most %d", each, text, MemoryPerMeter)
	}
	t.Logf("%d bytes in memory, %d bytes of state a meter", each, text)
	runtime.KeepAlive(d)
}

func BenchmarkObserve(b *testing.B) {
	d, rs := steady(b)
	b.ReportAllocs()
	for b.Loop() {
		next(rs)
		d.Observe(rs)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(rs)), "ns/reading")
}

func BenchmarkTick(b *testing.B) {
	const meters = 5000
	site := Site{Collector: "c"}
	for i := range meters {
		site.Meters = append(site.Meters, Meter{ID: schemas.MeterID(fmt.Sprint("meter-", i)), Line: fmt.Sprint("line-", i/50), Interval: time.Minute})
	}
	d, err := New(Rules{}, site)
	if err != nil {
		b.Fatal(err)
	}
	now := start
	for b.Loop() {
		now = now.Add(time.Second)
		d.Tick(now)
	}
}
