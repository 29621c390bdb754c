package api

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"citygrid/schemas"
)

func TestStoredKeepsTheNewest(t *testing.T) {
	l := NewLive(func() time.Time { return epoch })
	for _, step := range []struct {
		mantissa int64
		age      time.Duration
		want     string
	}{
		{100, time.Minute, "1.00"},
		{50, time.Hour, "1.00"},    // a back-filled reading
		{100, time.Minute, "1.00"}, // a replay
		{200, 0, "2.00"},
	} {
		l.Stored([]schemas.Reading{reading("W-1", "water.volume.forward", step.mantissa, epoch.Add(-step.age))}, epoch)
		d, ok := l.Meter("W-1")
		if !ok || *d.Readings[0].Value != step.want {
			t.Fatalf("after %d from %v ago: %+v, want %s", step.mantissa, step.age, d.Readings, step.want)
		}
	}
	if d, _ := l.Meter("W-1"); d.Interval != 60 {
		t.Errorf("interval %v s, want 60", d.Interval)
	}
}

func TestStoredShowsMissingAsMissing(t *testing.T) {
	l := NewLive(func() time.Time { return epoch })
	r := reading("W-1", "water.volume.forward", 100, epoch.Add(-time.Minute))
	l.Stored([]schemas.Reading{r}, epoch)
	r.TakenAt = epoch
	l.Stored([]schemas.Reading{missing(r, schemas.ReasonSentinel)}, epoch)
	d, _ := l.Meter("W-1")
	if got := d.Readings[0]; got.Value != nil || got.Quality != "missing" || got.Reason != "sentinel" {
		t.Errorf("got %+v", got)
	}
}

func TestWarm(t *testing.T) {
	l := NewLive(func() time.Time { return epoch })
	l.Stored([]schemas.Reading{reading("W-1", "water.flow", 2, epoch)}, epoch)
	l.Warm([]schemas.Reading{
		reading("W-1", "water.flow", 1, epoch.Add(-time.Hour)),
		reading("W-2", "water.flow", 3, epoch.Add(-time.Hour)),
	})
	d, _ := l.Meter("W-1")
	if *d.Readings[0].Value != "0.02" || d.Readings[0].StoredAt == nil {
		t.Errorf("an older reading replaced a newer one: %+v", d.Readings)
	}
	if d, ok := l.Meter("W-2"); !ok || d.Readings[0].StoredAt != nil {
		t.Errorf("warmed up: %+v", d)
	}
	if _, p99, _ := l.latency.percentiles(epoch); p99 != 0 {
		t.Errorf("a warmed-up reading counted as %d ms on its way", p99)
	}
}

func TestMainQuantity(t *testing.T) {
	for _, tc := range []struct {
		quantities []string
		main       string
		medium     string
	}{
		{[]string{"water.flow", "water.volume.forward"}, "water.volume.forward", "water"},
		{[]string{"device.battery.voltage", "gas.volume.working"}, "gas.volume.working", "gas"},
		{[]string{"power.voltage.l1", "power.energy.import", "power.active"}, "power.energy.import", "power"},
		{[]string{"device.battery.state"}, "device.battery.state", "device"},
	} {
		l := NewLive(func() time.Time { return epoch })
		for _, q := range tc.quantities {
			l.Stored([]schemas.Reading{reading("M", q, 1, epoch)}, epoch)
		}
		page, _ := l.Meters(MeterQuery{Limit: 1})
		if r := page.Rows[0]; r.Quantity != tc.main || r.Medium != tc.medium {
			t.Errorf("%v: main %s of %s, want %s of %s", tc.quantities, r.Quantity, r.Medium, tc.main, tc.medium)
		}
	}
}

func TestMeterState(t *testing.T) {
	for _, tc := range []struct {
		name     string
		interval time.Duration // 0: one reading only
		age      time.Duration
		want     string
	}{
		{"one reading, fresh", 0, 14 * time.Minute, stateAnswering},
		{"one reading, old", 0, 16 * time.Minute, stateLate},
		{"every 10 s, within the floor", 10 * time.Second, 59 * time.Second, stateAnswering},
		{"every 10 s, late", 10 * time.Second, 61 * time.Second, stateLate},
		{"every hour, within three", time.Hour, 179 * time.Minute, stateAnswering},
		{"every hour, late", time.Hour, 181 * time.Minute, stateLate},
	} {
		now := epoch
		l := NewLive(func() time.Time { return now })
		if tc.interval > 0 {
			l.Stored([]schemas.Reading{reading("W", "water.flow", 1, epoch.Add(-tc.interval))}, epoch)
		}
		l.Stored([]schemas.Reading{reading("W", "water.flow", 1, epoch)}, epoch)
		now = epoch.Add(tc.age)
		if d, _ := l.Meter("W"); d.State != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, d.State, tc.want)
		}
	}
}

func TestFaultsComeAndGo(t *testing.T) {
	l := NewLive(func() time.Time { return epoch })
	l.Stored([]schemas.Reading{reading("W", "water.flow", 1, epoch)}, epoch)
	status := schemas.Status{Collector: "c", At: epoch, Failing: []schemas.MeterFault{{Meter: "W", Since: epoch, Error: "timeout"}}}
	l.CollectorStatus(status)
	if d, _ := l.Meter("W"); d.State != stateFailing || d.Fault.Error != "timeout" {
		t.Fatalf("got %+v", d)
	}
	late := status
	late.At, late.Failing = epoch.Add(-time.Second), nil
	l.CollectorStatus(late) // overtaken on its way
	if d, _ := l.Meter("W"); d.State != stateFailing {
		t.Error("an overtaken status cleared the fault")
	}
	status.At, status.Failing = epoch.Add(time.Second), nil
	l.CollectorStatus(status)
	if d, _ := l.Meter("W"); d.State != stateAnswering || d.Fault != nil {
		t.Errorf("after recovery: %+v", d)
	}
}

// TestCollectorsWork follows two collectors: one as old as the hub, one that
// worked long before it.
func TestCollectorsWork(t *testing.T) {
	now := epoch
	l := NewLive(func() time.Time { return now })
	old, young := epoch.Add(-48*time.Hour), epoch
	for i, tc := range []struct {
		name      string
		collector schemas.CollectorID
		after     time.Duration // of the hub's start
		started   time.Time
		n         uint64
		want      uint64
	}{
		{"the first status of a young one counts whole", "young", time.Minute, young, 500, 500},
		{"that of an old one is what was before", "old", time.Minute, old, 9000, 500},
		{"growth", "old", 2 * time.Minute, old, 9010, 510},
		{"the same again", "old", 2 * time.Minute, old, 9010, 510},
		{"overtaken on its way", "old", time.Minute, old, 9005, 510},
		{"a restart begins again", "old", 3 * time.Minute, epoch.Add(150 * time.Second), 20, 530},
		{"and goes on", "old", 4 * time.Minute, epoch.Add(150 * time.Second), 25, 535},
		{"a restart that has counted further", "young", 5 * time.Minute, epoch.Add(4 * time.Minute), 700, 1235},
		{"fallen without a restart", "young", 6 * time.Minute, epoch.Add(4 * time.Minute), 3, 1238},
	} {
		now = epoch.Add(tc.after)
		l.CollectorStatus(schemas.Status{
			Collector: tc.collector, At: now, StartedAt: tc.started,
			ValuesRead: tc.n, EnvelopesSealed: 2 * tc.n, EnvelopesPublished: 3 * tc.n, EnvelopesFreed: 4 * tc.n, SpoolDropped: 5 * tc.n,
		})
		want := tally{tc.want, 2 * tc.want, 3 * tc.want, 4 * tc.want, 5 * tc.want}
		if got := l.census(now).seen; got != want {
			t.Errorf("%d, %s: %+v, want %+v", i, tc.name, got, want)
		}
	}
}

// TestCollectorWithAnotherClock: a collector whose clock is an hour ahead is
// not taken for a young one.
func TestCollectorWithAnotherClock(t *testing.T) {
	now := epoch
	l := NewLive(func() time.Time { return now })
	now = now.Add(time.Minute)
	at := now.Add(time.Hour)
	l.CollectorStatus(schemas.Status{Collector: "c", At: at, StartedAt: at.Add(-30 * time.Minute), EnvelopesSealed: 100})
	if n := l.census(now).seen.sealed; n != 0 {
		t.Errorf("%d sealed before the hub's start were counted", n)
	}
}

func TestPagingNeitherSkipsNorRepeats(t *testing.T) {
	l := NewLive(func() time.Time { return epoch })
	const meters = 137
	for i := range meters {
		r := reading(fmt.Sprintf("M%03d", i), "water.volume.forward", int64(i*7%40), epoch.Add(-time.Duration(i%9)*time.Second))
		if i%10 == 0 {
			r = missing(r, schemas.ReasonNaN)
		}
		l.Stored([]schemas.Reading{r}, epoch)
	}
	for _, sort := range []string{"", "meter", "-meter", "taken_at", "-taken_at", "value", "-value", "quality"} {
		seen := map[string]bool{}
		q := MeterQuery{Sort: sort, Limit: 20}
		var last *MeterRow
		for {
			page, err := l.Meters(q)
			if err != nil || page.Total != meters {
				t.Fatalf("sort %q: total %d, %v", sort, page.Total, err)
			}
			for _, r := range page.Rows {
				if seen[r.ID] {
					t.Errorf("sort %q: %s twice", sort, r.ID)
				}
				seen[r.ID] = true
				checkOrder(t, sort, last, r)
				last = &r
			}
			if page.Next == "" {
				break
			}
			q.Cursor = page.Next
		}
		if len(seen) != meters {
			t.Errorf("sort %q: %d rows, want %d", sort, len(seen), meters)
		}
	}
	page, _ := l.Meters(MeterQuery{Sort: "value", Limit: 10})
	if _, err := l.Meters(MeterQuery{Sort: "meter", Limit: 10, Cursor: page.Next}); err == nil {
		t.Error("a cursor of another order was taken")
	}
}

func checkOrder(t *testing.T, sort string, last *MeterRow, r MeterRow) {
	t.Helper()
	if last == nil || (sort != "value" && sort != "-value") {
		return
	}
	if last.Value == nil && r.Value != nil {
		t.Errorf("sort %q: %s has a value and follows %s, which has none", sort, r.ID, last.ID)
	}
	if last.Value == nil || r.Value == nil {
		return
	}
	a, _ := strconv.ParseFloat(*last.Value, 64)
	b, _ := strconv.ParseFloat(*r.Value, 64)
	if (sort == "value" && a > b) || (sort == "-value" && a < b) {
		t.Errorf("sort %q: %v before %v", sort, a, b)
	}
}

func TestTableIsBounded(t *testing.T) {
	l := NewLive(func() time.Time { return epoch })
	l.maxMeters = 2
	for i := range 5 {
		l.Stored([]schemas.Reading{reading(fmt.Sprintf("M%d", i), "water.flow", 1, epoch)}, epoch)
	}
	if n := l.census(epoch); n.meters != 2 || n.notShown != 3 {
		t.Errorf("%d meters, %d not shown; want 2 and 3", n.meters, n.notShown)
	}
}

func TestLatencies(t *testing.T) {
	var l latencies
	if _, _, ok := l.percentiles(epoch); ok {
		t.Error("percentiles of nothing")
	}
	for ms := int64(1); ms <= 1000; ms++ {
		l.add(epoch, ms)
	}
	p50, p99, _ := l.percentiles(epoch)
	if p50 < 500 || p50 > 500*17/16 || p99 < 990 || p99 > 990*17/16 {
		t.Errorf("p50 %d, p99 %d of 1..1000", p50, p99)
	}
	if _, _, ok := l.percentiles(epoch.Add(45 * time.Second)); !ok {
		t.Error("forgotten within the second window")
	}
	if _, _, ok := l.percentiles(epoch.Add(3 * time.Minute)); ok {
		t.Error("remembered after both windows")
	}
}

func TestLatencyBucketsAreTight(t *testing.T) {
	for _, ms := range []int64{0, 1, 31, 32, 33, 63, 64, 100, 999, 12_345, 3_600_000, 1 << 40} {
		upper := latencyUpper(latencyBucket(ms))
		if upper < ms || upper > ms+ms/16 {
			t.Errorf("%d ms is shown as %d", ms, upper)
		}
	}
	if got := latencyUpper(latencyBucket(-5)); got != 0 {
		t.Errorf("-5 ms is shown as %d", got)
	}
}

func TestPointsDrawGaps(t *testing.T) {
	var samples []Sample
	for _, minute := range []int{0, 1, 2, 3, 9, 10, 11} {
		samples = append(samples, Sample{At: epoch.Add(time.Duration(minute) * time.Minute), Count: 1})
	}
	got := points(Samples{Samples: samples})
	if len(got) != 8 || got[4].Quality != "none" || got[4].Value != nil || !got[4].At.Equal(epoch.Add(4*time.Minute)) {
		t.Errorf("got %d points, the fifth %+v", len(got), got[min(4, len(got)-1)])
	}
}

func TestPointsOfSummaries(t *testing.T) {
	got := points(Samples{Step: time.Minute, Samples: []Sample{
		{At: epoch, Count: 6, Min: 1, Mean: 2, Max: 3},
		{At: epoch.Add(time.Minute)},
		{At: epoch.Add(2 * time.Minute), Quality: schemas.Missing},
		{At: epoch.Add(3 * time.Minute), Count: 5, Min: 1, Mean: 2, Max: 3, Quality: schemas.Missing},
	}})
	for i, want := range []string{"good", "none", "missing", "missing"} {
		if got[i].Quality != want || got[i].Value != nil || (got[i].Mean != nil) != (i == 0 || i == 3) {
			t.Errorf("point %d: %+v, want %s", i, got[i], want)
		}
	}
	if len(got) != 4 {
		t.Errorf("%d points", len(got))
	}
}

// TestConcurrent is for the race detector.
func TestConcurrent(t *testing.T) {
	l := NewLive(func() time.Time { return epoch })
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 200 {
				at := epoch.Add(time.Duration(n) * time.Second)
				l.Stored([]schemas.Reading{reading(fmt.Sprintf("M%d", n%7), "water.flow", int64(i), at)}, at)
				l.CollectorStatus(schemas.Status{Collector: "c", At: at, Failing: []schemas.MeterFault{{Meter: "M1"}}})
				l.CollectorOnline("c", n%2 == 0, at)
				_, _ = l.Meters(MeterQuery{Limit: 3, Sort: "value"})
				_, _ = l.Meter("M1")
				l.Collectors()
				l.census(at)
			}
		})
	}
	wg.Wait()
}

func FuzzCursor(f *testing.F) {
	l := city()
	page, _ := l.Meters(MeterQuery{Sort: "value", Limit: 1})
	f.Add(page.Next)
	f.Add("")
	f.Fuzz(func(t *testing.T, cursor string) {
		_, _ = l.Meters(MeterQuery{Sort: "value", Limit: 2, Cursor: cursor})
	})
}

func BenchmarkStored(b *testing.B) {
	const meters, quantities, batch = 10_000, 8, 256
	names := []string{"power.energy.import", "power.energy.export", "power.active", "power.voltage.l1",
		"power.voltage.l2", "power.voltage.l3", "power.current.l1", "power.frequency"}
	var all []schemas.Reading
	for m := range meters {
		for _, q := range names {
			all = append(all, reading(fmt.Sprintf("P-%05d", m), q, 1, epoch))
		}
	}
	l := NewLive(func() time.Time { return epoch })
	l.Stored(all, epoch)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; b.Loop(); n++ {
		at := epoch.Add(time.Duration(n) * time.Millisecond)
		start := n * batch % (len(all) - batch)
		chunk := all[start : start+batch]
		for i := range chunk {
			chunk[i].TakenAt = at
		}
		l.Stored(chunk, at)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/reading")
}

func BenchmarkMeters(b *testing.B) {
	l := NewLive(func() time.Time { return epoch })
	for m := range 100_000 {
		l.Stored([]schemas.Reading{reading(fmt.Sprintf("P-%06d", m*7919%100_000), "power.energy.import", int64(m), epoch)}, epoch)
	}
	for _, sort := range []string{"meter", "-value"} {
		b.Run(sort, func(b *testing.B) {
			for b.Loop() {
				_, _ = l.Meters(MeterQuery{Sort: sort, Limit: 50})
			}
		})
	}
}
