package collector

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/adapters"
	"citygrid/internal/counters"
)

func TestBudget(t *testing.T) {
	start := at("2026-01-01T00:00:00Z")
	if b := newBudget(0, start); b.share != DefaultProbeShare {
		t.Errorf("a share of %v when none is set", b.share)
	}
	b := newBudget(0.1, start)
	if !b.open(start) {
		t.Fatal("a new budget is closed")
	}
	b.spend(6 * time.Second) // all of a minute's share
	if b.open(start) {
		t.Error("an empty budget is open")
	}
	b.spend(4 * time.Second)
	opens := b.next(start)
	if want := start.Add(40*time.Second + time.Millisecond); !opens.Equal(want) {
		t.Errorf("4 s of debt at a tenth: opens %s, want %s", opens, want)
	}
	if b.open(opens.Add(-2*time.Millisecond)) || !b.open(opens) {
		t.Error("it does not open when it said")
	}
	if full := b.next(opens); b.full() || !full.After(opens.Add(59*time.Second)) || !b.open(full) || !b.full() {
		t.Errorf("full %s after it opens", full.Sub(opens))
	}
	if b.open(opens.Add(24 * time.Hour)); b.credit != 6*time.Second {
		t.Errorf("after a day the credit is %s, want a minute's share", b.credit)
	}
	if b.open(start); b.credit != 6*time.Second {
		t.Errorf("a clock that is set back changes the credit to %s", b.credit)
	}
	if b.levy(2 * time.Second); b.credit != 4*time.Second {
		t.Errorf("after a levy of 2 s of 6 s the credit is %s", b.credit)
	}
	if b.levy(time.Hour); b.credit != 0 {
		t.Errorf("a levy leaves a debt of %s", -b.credit)
	}
	b.spend(time.Second)
	if b.levy(time.Hour); b.credit != -time.Second {
		t.Errorf("a levy makes a debt of 1 s one of %s", -b.credit)
	}
	if b := newBudget(7, start); b.share != 1 {
		t.Errorf("a share of %v", b.share)
	}
}

// Healthy meters keep their schedule whatever share of the line is dead, as
// long as the line has the time for their reads and the share for probes.
func TestScheduleKeptBesideDeadMeters(t *testing.T) {
	tests := []struct {
		healthy, dead           int
		cost, timeout, interval time.Duration
		kept                    float64
	}{
		{90, 10, 50 * time.Millisecond, time.Second, 10 * time.Second, 0.99}, // half busy
		{90, 10, 80 * time.Millisecond, time.Second, 10 * time.Second, 0.99}, // 72 % busy
		{90, 10, 99 * time.Millisecond, time.Second, 10 * time.Second, 0.99}, // 89 % busy
		{90, 10, 50 * time.Millisecond, 9 * time.Second, 10 * time.Second, 0.96},
		{90, 10, 80 * time.Millisecond, 6 * time.Second, 10 * time.Second, 0.96}, // a probe is longer than any gap
		{45, 5, 150 * time.Millisecond, 3 * time.Second, 10 * time.Second, 0.96},
		{9, 1, 90 * time.Millisecond, time.Second, time.Second, 0.96},
		{50, 50, 50 * time.Millisecond, 2 * time.Second, 10 * time.Second, 0.96},
		{90, 10, 400 * time.Millisecond, 5 * time.Second, time.Minute, 0.96},
		{270, 30, 60 * time.Millisecond, time.Second, time.Minute, 0.96},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%d+%d %s %s every %s", tt.healthy, tt.dead, tt.cost, tt.timeout, tt.interval), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var all, healthy, dead []*scripted
				for i := range tt.healthy + tt.dead {
					s := &scripted{cost: tt.cost}
					if i*tt.dead/(tt.healthy+tt.dead) != (i+1)*tt.dead/(tt.healthy+tt.dead) {
						s = &scripted{timeout: tt.timeout, fault: always(adapters.Transient, time.Time{})}
						dead = append(dead, s)
					} else {
						healthy = append(healthy, s)
					}
					all = append(all, s)
				}
				const span = time.Hour
				b := runLine(tt.interval, span, all...)
				slots := int(span / tt.interval)
				if got, want := sum(healthy), tt.kept*float64(slots*len(healthy)); float64(got) < want {
					t.Errorf("%d reads of healthy meters in %d slots of theirs: %.1f %%, want %.0f %%",
						got, slots*len(healthy), 100*float64(got)/float64(slots*len(healthy)), 100*tt.kept)
				}
				for _, s := range dead {
					if len(s.began) < 3 {
						t.Errorf("dead %s is probed %d times in an hour", s.id, len(s.began))
					}
				}
				checkOncePerSlot(t, tt.interval, all...)
				b.checkCounts(t, tt.interval)
			})
		})
	}
}

// On a line without a gap probes take their share and no more.
func TestProbesOnABusyLineTakeTheirShare(t *testing.T) {
	for _, share := range []float64{0.05, 0.1, 0.3} {
		synctest.Test(t, func(t *testing.T) {
			const timeout, span = 2 * time.Second, 3 * time.Hour
			line := Line{Name: "a", ProbeShare: share}
			busy := &scripted{cost: time.Second, id: "busy"}
			line.Meters = append(line.Meters, Meter{ID: "busy", Source: busy, Interval: time.Second})
			var dead []*scripted
			for i := range 300 {
				s := &scripted{timeout: timeout, fault: always(adapters.Transient, time.Time{})}
				dead = append(dead, s)
				line.Meters = append(line.Meters, Meter{ID: "d" + busy.id, Source: s, Interval: time.Duration(i+1) * time.Second})
			}
			b := runBench(line, span)
			first := len(dead) // of each, before it was known to be dead
			probing := time.Duration(sum(dead)-first) * timeout
			if got := float64(probing) / float64(span); got > share+0.01 || got < share/2 {
				t.Errorf("share %v: probes took %.3f of the time", share, got)
			}
			if counters.Count(b.metrics.missed) == 0 {
				t.Error("a line with more work than time misses no slot")
			}
		})
	}
}
