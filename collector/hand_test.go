package collector

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/adapters"
	"citygrid/schemas"
)

// What waits is handed on before anything that may take long, when it is old
// enough, and when it is enough.
func TestWhenReadingsAreHandedOn(t *testing.T) {
	now := at("2026-01-01T12:00:00Z")
	quick := meterState{alive: true, took: quickRead - 1}
	slow, dead, unknown := quick, quick, quick
	slow.took, dead.fails, unknown.alive = quickRead, 1, false
	tests := []struct {
		name    string
		next    turn
		waiting int
		since   time.Duration
		want    int // readings handed on
	}{
		{"nothing waits", turn{}, 0, time.Hour, 0},
		{"a quick read", turn{m: &quick}, handReading - 1, handWithin - 1, 0},
		{"a quick read, but enough", turn{m: &quick}, handReading, 0, handReading},
		{"a quick read, but for long", turn{m: &quick}, 1, handWithin, 1},
		{"nothing to do", turn{}, 1, 0, 1},
		{"a slow read", turn{m: &slow}, 1, 0, 1},
		{"a meter that did not answer", turn{m: &dead}, 1, 0, 1},
		{"a meter of which nothing is known", turn{m: &unknown}, 1, 0, 1},
		{"a record", turn{m: &quick, do: taskRecord}, 1, 0, 1},
		{"a load profile", turn{m: &quick, do: taskLoad}, 1, 0, 1},
		{"a clock", turn{m: &quick, do: taskClock}, 1, 0, 1},
	}
	for _, tt := range tests {
		out := make(chan []schemas.Reading, 1)
		l := newLineLoop(Line{}, now, out, testMetrics(), newBoard(), silent)
		l.ready, l.readySince = make([]schemas.Reading, tt.waiting), now.Add(-tt.since)
		l.flushBefore(tt.next, now)
		close(out)
		if got := len(<-out); got != tt.want || got+len(l.ready) != tt.waiting {
			t.Errorf("%s: %d are handed on, %d wait, want %d of %d handed on", tt.name, got, len(l.ready), tt.want, tt.waiting)
		}
	}
}

// Readings of quick reads go to the sealer together, in order, each once, and none
// much later than it was taken; whom they stand beside does not matter, nor what
// becomes of them there.
func TestQuickReadsAreHandedOnTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval, meters = 10 * time.Second, 60
		line := Line{Name: "a"}
		for i := range meters {
			s := &scripted{id: schemas.MeterID(fmt.Sprintf("m%02d", i)), cost: time.Millisecond}
			switch i {
			case 20:
				s.cost = 300 * time.Millisecond
			case 40:
				s.timeout, s.fault = time.Second, always(adapters.Transient, time.Time{})
			}
			line.Meters = append(line.Meters, Meter{ID: s.id, Source: s, Interval: interval})
		}
		out := make(chan []schemas.Reading)
		l := newLineLoop(line, time.Now(), out, testMetrics(), newBoard(), silent)
		ctx, cancel := context.WithTimeout(t.Context(), 10*interval+interval/2)
		defer cancel()
		go func() { defer close(out); l.run(ctx) }()
		var handed [][]schemas.Reading // kept, as a batch is until it is full
		for readings := range out {
			handed = append(handed, readings)
			if late := time.Since(readings[0].TakenAt); late > handWithin+quickRead {
				t.Errorf("the reading of %s at %s is handed on %s later", readings[0].Meter, readings[0].TakenAt, late)
			}
		}
		seen, last := make(map[string]bool), time.Time{}
		for _, readings := range handed {
			for _, r := range readings {
				if r.TakenAt.Before(last) {
					t.Errorf("the reading of %s at %s comes after one of %s", r.Meter, r.TakenAt, last)
				}
				seen[fmt.Sprint(r.Meter, r.TakenAt)], last = true, r.TakenAt
			}
		}
		if want := (meters - 1) * 10; len(seen) != want || uint64(want) != l.handed {
			t.Errorf("%d readings, %d counted, want %d", len(seen), l.handed, want)
		}
		// In the first slot nothing is known of them; then five or six times a slot.
		if most := meters + 9*6; len(handed) > most {
			t.Errorf("handed on %d times, want at most %d", len(handed), most)
		}
	})
}
