package collector

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/adapters"
	"citygrid/internal/counters"
	"citygrid/schemas"
)

// bench is a line loop under test, in a synctest bubble.
type bench struct {
	*lineLoop
	start time.Time
	given []schemas.Reading // what came out, in order
}

// runLine reads sources every interval for the given time and then stops.
func runLine(interval, span time.Duration, sources ...*scripted) *bench {
	line := Line{Name: "a"}
	for i, s := range sources {
		s.id = schemas.MeterID(fmt.Sprintf("m%d", i))
		line.Meters = append(line.Meters, Meter{ID: s.id, Source: s, Interval: interval})
	}
	return runBench(line, span)
}

// runBench reads a line for the given time and then stops. The bubble fails the
// test when a goroutine is left. prepare may change the loop before it runs.
func runBench(line Line, span time.Duration, prepare ...func(*lineLoop)) *bench {
	b := &bench{start: time.Now()}
	out := make(chan []schemas.Reading)
	b.lineLoop = newLineLoop(line, b.start, out, testMetrics(), newBoard(), silent)
	for _, p := range prepare {
		p(b.lineLoop)
	}
	ctx, cancel := context.WithTimeout(context.Background(), span)
	defer cancel()
	go func() { defer close(out); b.run(ctx) }()
	for readings := range out {
		b.given = append(b.given, readings...)
	}
	return b
}

// checkCounts holds the counters against the slots that have passed: each slot
// of each meter has exactly one outcome.
func (b *bench) checkCounts(t *testing.T, interval time.Duration) {
	t.Helper()
	m := b.metrics
	var failed uint64
	for _, c := range failureClasses {
		failed += counters.Count(m.failed(c))
	}
	got := counters.Count(m.done) + failed + counters.Count(m.missed) + counters.Count(m.skipped)
	var want uint64
	now := time.Now()
	for _, c := range b.meters {
		want += uint64(c.counted.time().Sub(slotAfter(b.start, interval, c.Offset)) / interval)
		// At most the slots under way, of the read that the stop cut short and
		// of those that waited behind it, are open.
		if c.counted.time().After(slotAfter(now, interval, c.Offset)) {
			t.Errorf("%s: slots up to %s are counted at %s", c.ID, c.counted.time(), now)
		}
	}
	if got != want {
		t.Errorf("done %d + failed %d + missed %d + skipped %d = %d, want %d slots",
			counters.Count(m.done), failed, counters.Count(m.missed), counters.Count(m.skipped), got, want)
	}
}

func checkOncePerSlot(t *testing.T, interval time.Duration, sources ...*scripted) {
	t.Helper()
	for _, s := range sources {
		seen := make(map[time.Time]bool)
		for _, began := range s.began {
			if slot := slotAt(began, interval, 0); seen[slot] {
				t.Errorf("%s is read twice in the slot %s", s.id, slot)
			} else {
				seen[slot] = true
			}
		}
	}
}

func TestHealthyMetersKeepTheirSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval, cost, timeout = 10 * time.Second, 50 * time.Millisecond, time.Second
		var all, healthy, dead []*scripted
		for range 10 {
			healthy = append(healthy, &scripted{cost: cost})
		}
		for range 4 {
			dead = append(dead, &scripted{timeout: timeout, fault: always(adapters.Transient, time.Time{})})
		}
		all = append(append(all, dead[:2]...), healthy...)
		all = append(all, dead[2:]...)
		b := runLine(interval, time.Hour+interval/2, all...)

		for _, s := range healthy {
			if len(s.began) != 360 {
				t.Errorf("%s: %d reads in 360 slots", s.id, len(s.began))
			}
			for _, began := range s.began[1:] { // in the first slot nobody is known to be dead
				if late := began.Sub(slotAt(began, interval, 0)); late > timeout+10*cost {
					t.Errorf("%s: read %s after its slot: more than one probe in the way", s.id, late)
				}
			}
		}
		for _, s := range dead {
			// 10 s, 20 s, ... 320 s, then every 10 min: 6 + 5 reads after the first.
			if n := len(s.began); n < 10 || n > 13 {
				t.Errorf("dead %s: %d probes in an hour", s.id, n)
			}
		}
		checkOncePerSlot(t, interval, all...)
		b.checkCounts(t, interval)
		if want := 14*360 - 3600 - sum(dead); int(counters.Count(b.metrics.skipped)) != want {
			t.Errorf("skipped %d, want %d", counters.Count(b.metrics.skipped), want)
		}
		if n := counters.Count(b.metrics.missed); n != 0 {
			t.Errorf("missed %d slots of healthy meters", n)
		}
		if len(b.given) != 3600 {
			t.Errorf("%d readings, want 3600", len(b.given))
		}
		if _, total := b.board.list(); total != 4 {
			t.Errorf("%d meters are said to fail, want 4", total)
		}
	})
}

func sum(sources []*scripted) (reads int) {
	for _, s := range sources {
		reads += len(s.began)
	}
	return reads
}

func TestMeterThatComesBack(t *testing.T) {
	for _, dead := range []time.Duration{15 * time.Second, 95 * time.Second, 3 * time.Hour} {
		t.Run(dead.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const interval, timeout = 10 * time.Second, time.Second
				back := time.Now().Add(dead)
				s := &scripted{timeout: timeout, fault: always(adapters.Transient, back)}
				b := runLine(interval, dead+30*time.Minute+interval/4, s, &scripted{cost: time.Millisecond})
				var first time.Time
				for _, began := range s.began {
					if !began.Before(back) {
						first = began
						break
					}
				}
				step := min(maxBackOff, max(2*dead, interval)) // the pauses double
				if late := first.Sub(back); first.IsZero() || late > step+timeout {
					t.Errorf("read again %s after it came back, want within %s", late, step+timeout)
				}
				n := 0
				for _, r := range b.given {
					if r.Meter == s.id {
						n++
					}
				}
				end := b.start.Add(dead + 30*time.Minute + interval/4)
				if want := int(slotAt(end, interval, 0).Sub(slotAt(first, interval, 0))/interval) + 1; n != want {
					t.Errorf("%d readings after the return, want one a slot: %d", n, want)
				}
				if _, total := b.board.list(); total != 0 {
					t.Error("a meter that answers is still said to fail")
				}
				b.checkCounts(t, interval)
			})
		})
	}
}

// On a line that is never idle a failing meter still gets its probe, and
// between two probes every healthy meter is read.
func TestBusyLineProbesFailingMeters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = time.Second
		back := time.Now().Add(time.Minute)
		returning := &scripted{timeout: 500 * time.Millisecond, fault: always(adapters.Transient, back)}
		dead := &scripted{timeout: 500 * time.Millisecond, fault: always(adapters.Transient, time.Time{})}
		busy := []*scripted{{cost: 600 * time.Millisecond}, {cost: 600 * time.Millisecond}}
		b := runLine(interval, time.Hour, returning, dead, busy[0], busy[1])
		last := returning.began[len(returning.began)-1]
		if b.meters[0].fails > 0 || last.Sub(b.start) < 59*time.Minute {
			t.Errorf("the meter that came back was last read at %s of an hour", last.Sub(b.start))
		}
		if len(dead.began) < 8 {
			t.Errorf("the dead meter is probed %d times", len(dead.began))
		}
		for _, s := range busy {
			for i := range s.began[1:] {
				if pause := s.began[i+1].Sub(s.began[i]); pause > 3*time.Second {
					t.Errorf("%s waits %s for its turn", s.id, pause)
				}
			}
		}
		checkOncePerSlot(t, interval, returning, dead, busy[0], busy[1])
		b.checkCounts(t, interval)
		if counters.Count(b.metrics.missed) == 0 {
			t.Error("a line with more work than time misses no slot")
		}
	})
}

// Whose turn it is when both a healthy meter and probes are due.
func TestTurns(t *testing.T) {
	now := at("2026-01-01T12:00:00Z")
	ago := func(seconds int) time.Time { return now.Add(-time.Duration(seconds) * time.Second) }
	tests := []struct {
		name             string
		healthy, failing []int // due, in seconds ago
		probed           int   // the end of the last probe, in seconds ago
		want             schemas.MeterID
	}{
		{"the earlier slot of the healthy", []int{3, 5, 4}, nil, 60, "h1"},
		{"the earlier slot of the failing", nil, []int{3, 5, 4}, 0, "f1"},
		{"of two equal ones the first", []int{3, 3}, nil, 60, "h0"},
		{"a healthy one before a probe that is due", []int{1}, []int{9}, 60, "h0"},
		{"a probe that is an interval late goes first", []int{1}, []int{10}, 60, "f0"},
		{"but not twice before the healthy one", []int{1}, []int{10}, 0, "h0"},
		{"nor while one of them has waited since the last probe", []int{1, 4}, []int{10, 20}, 3, "h1"},
		{"it does when all have been read since", []int{1, 2}, []int{10, 20}, 3, "f1"},
		{"nothing is due", []int{-3}, []int{-2}, 60, ""},
	}
	for _, tt := range tests {
		l := newLineLoop(Line{}, now, nil, testMetrics(), newBoard(), silent)
		l.probed = instantOf(ago(tt.probed))
		add := func(kind string, fails int, due []int) {
			for i, d := range due {
				id := schemas.MeterID(fmt.Sprint(kind, i))
				l.meters = append(l.meters, &meterState{
					Meter: Meter{ID: id, Interval: 10 * time.Second}, fails: fails, due: instantOf(ago(d)), counted: instantOf(ago(d)),
				})
			}
		}
		add("f", 1, tt.failing)
		add("h", 0, tt.healthy)
		got := schemas.MeterID("")
		m, wake := l.next(now)
		if m != nil {
			got = m.ID
		}
		if got != tt.want || m == nil && !wake.Equal(ago(-2)) {
			t.Errorf("%s: the turn of %q, want %q (wake %s)", tt.name, got, tt.want, wake)
		}
	}
}

func TestPartialAnswersKeepAMeterHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const interval = 10 * time.Second
		whole := time.Now().Add(10 * time.Minute)
		s := &scripted{cost: time.Millisecond, partial: true, fault: always(adapters.Config, whole)}
		b := runLine(interval, 5*time.Minute+interval/2, s)
		if len(s.began) != 30 || len(b.given) != 30 {
			t.Errorf("%d reads and %d readings in 30 slots", len(s.began), len(b.given))
		}
		if done, failed := counters.Count(b.metrics.done), counters.Count(b.metrics.failed(adapters.Config)); done != 0 || failed != 30 {
			t.Errorf("done %d, failed %d, want 0 and 30", done, failed)
		}
		faults, total := b.board.list()
		if total != 1 || !strings.Contains(faults[0].Error, "a config fault") || !faults[0].Since.Equal(at("2000-01-01T00:00:10.001Z")) {
			t.Errorf("faults %+v", faults)
		}
		b.checkCounts(t, interval)

		b = runLine(interval, 10*time.Minute, s)
		if _, total := b.board.list(); total != 0 {
			t.Error("a whole answer does not clear the fault")
		}
	})
}

func TestClassesOfFailure(t *testing.T) {
	tests := []struct {
		class adapters.Class
		reads []int // seconds after the start
	}{
		{adapters.Transient, []int{10, 20, 40, 80, 160, 320, 640, 1240, 1840, 2440, 3040}},
		{adapters.Slow, []int{10, 20, 100, 180, 260, 420, 740, 1340, 1940, 2540, 3140}},
		{adapters.Config, []int{10, 20, 620, 1220, 1820, 2420, 3020}},
	}
	for _, tt := range tests {
		t.Run(tt.class.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &scripted{timeout: time.Millisecond, fault: always(tt.class, time.Time{})}
				b := runLine(10*time.Second, time.Hour, s)
				var reads []int
				for _, began := range s.began {
					reads = append(reads, int(began.Sub(b.start)/time.Second))
				}
				if !slices.Equal(reads, tt.reads) {
					t.Errorf("reads at %d s, want %d", reads, tt.reads)
				}
				if n := counters.Count(b.metrics.failed(tt.class)); n != uint64(len(reads)) {
					t.Errorf("%d failures are counted for %d reads", n, len(reads))
				}
				b.checkCounts(t, 10*time.Second)
			})
		})
	}
}

// Whatever the meters do, no slot is read twice and each has one outcome.
func TestEverySlotHasOneOutcome(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 0))
			interval := time.Duration(1+r.IntN(30)) * time.Second
			var all []*scripted
			for range 1 + r.IntN(12) {
				rate := r.Float64()
				all = append(all, &scripted{
					cost:    time.Duration(r.IntN(int(interval) / 4)),
					timeout: time.Duration(r.IntN(int(2 * interval))),
					partial: r.IntN(4) == 0,
					fault: func(time.Time) error {
						if r.Float64() < rate {
							return failure(failureClasses[r.IntN(3)])
						}
						return nil
					},
				})
			}
			span := time.Duration(r.IntN(int(2 * time.Hour)))
			b := runLine(interval, span, all...)
			checkOncePerSlot(t, interval, all...)
			b.checkCounts(t, interval)
			if t.Failed() {
				t.Logf("seed %d: %d meters every %s for %s", seed, len(all), interval, span)
			}
		})
	}
}

// handOver answers when it is told to stop.
type handOver struct{ asked chan struct{} }

func (h handOver) Read(ctx context.Context) ([]schemas.Reading, error) {
	close(h.asked)
	<-ctx.Done()
	return []schemas.Reading{energy("m", 1, time.Now())}, ctx.Err()
}

func TestWhatWasReadBeforeTheStopIsHandedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := make(chan struct{})
		out := make(chan []schemas.Reading)
		line := Line{Meters: []Meter{{ID: "m", Source: handOver{asked}, Interval: time.Second}}}
		l := newLineLoop(line, time.Now(), out, testMetrics(), newBoard(), silent)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); l.run(ctx) }()
		<-asked
		cancel()
		time.Sleep(time.Hour) // of the bubble: the sealer is slow
		if got := <-out; len(got) != 1 {
			t.Errorf("%d readings are handed on", len(got))
		}
		<-ended
	})
}

func TestAReadCutShortByTheStopIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{cost: time.Minute}
		b := runLine(10*time.Second, 30*time.Second, s)
		if _, total := b.board.list(); total != 0 || counters.Count(b.metrics.failed(adapters.Transient)) != 0 {
			t.Error("the stop is counted as the meter's failure")
		}
		if len(s.began) != 1 || len(b.given) != 0 {
			t.Errorf("%d reads, %d readings", len(s.began), len(b.given))
		}
	})
}

// broken returns what no adapter may return.
type broken struct{ readings []schemas.Reading }

func (b broken) Read(context.Context) ([]schemas.Reading, error) { return b.readings, nil }

func TestMalformedReadingsAreLeftOut(t *testing.T) {
	taken := at("2026-01-01T00:00:00Z")
	sound := energy("m", 1, taken)
	unit, fine, magic := sound, sound, sound
	unit.Unit = "J"
	fine.TakenAt = taken.Add(time.Nanosecond)
	magic.Quantity = "power.magic"
	tests := []struct {
		name     string
		readings []schemas.Reading
		kept     int
		fault    string
	}{
		{"all sound", []schemas.Reading{sound, sound}, 2, ""},
		{"one of each", []schemas.Reading{unit, sound, fine, magic}, 1, "power.magic"},
		{"none sound", []schemas.Reading{unit}, 0, `"J" is not the unit`},
		{"nothing at all", nil, 0, "neither readings nor an error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := make(chan []schemas.Reading, 1)
			given := len(tt.readings)
			line := Line{Meters: []Meter{{ID: "m", Source: broken{tt.readings}, Interval: time.Second}}}
			l := newLineLoop(line, taken, out, testMetrics(), newBoard(), silent)
			l.read(t.Context(), l.meters[0], taken.Add(time.Second))
			close(out)
			if got := <-out; len(got) != tt.kept {
				t.Errorf("%d readings are handed on, want %d", len(got), tt.kept)
			}
			if n := counters.Count(l.metrics.refused); n != uint64(given-tt.kept) {
				t.Errorf("%d are counted as refused, want %d", n, given-tt.kept)
			}
			faults, total := l.board.list()
			if tt.fault == "" && total != 0 || tt.fault != "" && (total != 1 || !strings.Contains(faults[0].Error, tt.fault)) {
				t.Errorf("faults %+v, want %q", faults, tt.fault)
			}
			if failing := l.meters[0].fails > 0; failing != (tt.kept == 0) {
				t.Errorf("failing is %v with %d readings", failing, tt.kept)
			}
		})
	}
}

// A clock that is set back must not stop the reading until the old time has
// come again; one that is only nudged must not make a slot be read twice.
func TestClockIsSet(t *testing.T) {
	start := at("2026-01-01T12:00:00Z")
	for _, fails := range []int{0, 20} {
		line := Line{Meters: []Meter{{ID: "m", Source: broken{}, Interval: time.Minute}}}
		l := newLineLoop(line, start, nil, testMetrics(), newBoard(), silent)
		m := l.meters[0]
		m.fails = fails
		m.due = instantOf(start.Add(backOff(max(fails, 1), time.Minute)))
		m.counted = instantOf(start.Add(time.Minute))
		due := m.due.time()
		if got, wake := l.next(start.Add(-5 * time.Millisecond)); got != nil || !wake.Equal(due) {
			t.Errorf("fails %d: after a nudge of 5 ms: %v, wake %s, want %s", fails, got, wake, due)
		}
		back := start.Add(-24 * time.Hour)
		got, wake := l.next(back)
		if want := back.Add(time.Minute); got != nil || !wake.Equal(want) {
			t.Errorf("fails %d: a day back: %v, wake %s, want %s", fails, got, wake, want)
		}
		if n := counters.Count(l.metrics.missed) + counters.Count(l.metrics.skipped); n != 0 {
			t.Errorf("fails %d: %d slots counted although none has passed", fails, n)
		}
		// And a day forward: the slots between are counted once.
		if got, _ = l.next(start); got != m {
			t.Errorf("fails %d: nothing to read after the clock was set forward", fails)
		}
		l.pass(m, start, start)
		if n := counters.Count(l.metrics.missed) + counters.Count(l.metrics.skipped); n != 24*60-1 {
			t.Errorf("fails %d: %d slots counted, want %d", fails, n, 24*60-1)
		}
	}
}

func TestLineWithoutMetersEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := runLine(time.Second, time.Hour)
		b.checkCounts(t, time.Second)
	})
}

func TestFaultBoard(t *testing.T) {
	b := newBoard()
	t0 := at("2026-01-01T00:00:00.0005Z")
	for i := range schemas.MaxFailing + 5 {
		b.set(schemas.MeterID(fmt.Sprintf("m%03d", i)), t0.Add(time.Duration(i)*time.Minute), errors.New("first"))
	}
	b.set("m000", t0.Add(time.Hour), errors.New("second\nline"))
	oldest, total := b.list()
	if total != schemas.MaxFailing+5 || len(oldest) != schemas.MaxFailing {
		t.Fatalf("%d of %d", len(oldest), total)
	}
	want := schemas.MeterFault{Meter: "m000", Since: at("2026-01-01T00:00:00Z"), Error: "second line"}
	if oldest[0] != want || oldest[99].Meter != "m099" {
		t.Errorf("the oldest is %+v, want %+v; the last is %s", oldest[0], want, oldest[99].Meter)
	}
	b.clear("m000")
	if oldest, total = b.list(); total != schemas.MaxFailing+4 || oldest[0].Meter != "m001" {
		t.Errorf("after clear: %d, oldest %s", total, oldest[0].Meter)
	}
}

// TestTwoReadingsAreNeverOnePoint: the store knows a reading by its meter,
// quantity and millisecond, so two of one meter must not share it.
func TestTwoReadingsAreNeverOnePoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Slots lie half a millisecond off, so that one of them begins in the
		// millisecond in which the answer of the one before came.
		const interval, offset = time.Second, 500 * time.Microsecond
		b := &bench{start: time.Now()}
		out := make(chan []schemas.Reading)
		line := Line{Name: "a", Meters: []Meter{{ID: "m", Source: brink{interval, offset}, Interval: interval, Offset: offset}}}
		b.lineLoop = newLineLoop(line, b.start, out, testMetrics(), newBoard(), silent)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		go func() { defer close(out); b.run(ctx) }()
		seen := make(map[time.Time]bool)
		for readings := range out {
			for _, r := range readings {
				if seen[r.TakenAt] {
					t.Errorf("two readings taken at %s", r.TakenAt)
				}
				seen[r.TakenAt] = true
			}
		}
		if len(seen) < 18 {
			t.Errorf("%d readings in 20 slots", len(seen))
		}
		b.checkCounts(t, interval)
	})
}

// brink answers every other slot at its very end, and the next one at once.
type brink struct{ interval, offset time.Duration }

func (b brink) Read(context.Context) ([]schemas.Reading, error) {
	now := time.Now()
	slot := slotAt(now, b.interval, b.offset)
	if slot.Unix()%2 == 0 {
		time.Sleep(slot.Add(b.interval - 100*time.Microsecond).Sub(now)) // of the bubble
	}
	return []schemas.Reading{energy("m", 1, time.Now().Truncate(time.Millisecond))}, nil
}
