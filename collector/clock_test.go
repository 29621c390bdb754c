package collector

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/adapters"
	"citygrid/collector/verdict"
	"citygrid/internal/counters"
	"citygrid/schemas"
)

func (v *vault) count(what string) (n int) {
	for _, a := range v.asked {
		if strings.Contains(a, " "+what) {
			n++
		}
	}
	return n
}

func TestClockIsAskedOnceAnHour(t *testing.T) {
	for _, ahead := range []time.Duration{0, 3 * time.Second, -9 * time.Minute, -11 * time.Minute, 12 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			march()
			v := &vault{cost: 400 * time.Millisecond, ahead: ahead, kept: map[schemas.Origin]int{schemas.DailyFreeze: 3}}
			b := runBench(v.line(time.Minute), 10*time.Hour+30*time.Minute)
			if n := v.count("clock"); n != 11 {
				t.Errorf("asked %d times in ten and a half hours", n)
			}
			if drift, known := b.meters[0].health.drifted(); drift != ahead || !known {
				t.Errorf("drift %s (%t), want %s", drift, known, ahead)
			}
			doubt := ahead.Abs() > trustedDrift
			for _, r := range b.given {
				if marked := r.Reason == schemas.ReasonClock; marked != (doubt && r.Origin != schemas.Live) {
					t.Errorf("%s ahead: %s reading of %s is %s %s", ahead, r.Origin, r.TakenAt, r.Quality, r.Reason)
				}
			}
			if len(b.of(schemas.DailyFreeze)) < 3 {
				t.Errorf("%s ahead: %d daily records", ahead, len(b.of(schemas.DailyFreeze)))
			}
		})
	}
}

// A record dated far ahead is handed on once, doubted, and keeps no later one
// from being read.
func TestARecordFromTheFutureIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		march()
		v := &vault{cost: time.Millisecond, ahead: 3000 * day, kept: map[schemas.Origin]int{schemas.DailyFreeze: 5}}
		b := runBench(v.line(time.Minute), 5*time.Hour, remembered(schemas.DailyFreeze, "2000-02-28T16:00:00Z"))
		got := b.of(schemas.DailyFreeze)
		if last := b.meters[0].records[0].last; len(got) != 1 || !last.Equal(at("2000-02-28T16:00:00Z")) {
			t.Errorf("%d records handed on, remembers %s", len(got), last)
		}
		// When somebody sets the clock, the records are read.
		v.right = time.Now().Add(2 * time.Hour)
		b = runBench(v.line(time.Minute), 5*time.Hour, remembered(schemas.DailyFreeze, "2000-02-28T16:00:00Z"))
		if got := b.of(schemas.DailyFreeze); len(got) != 2 || !got[1].Equal(at(midnight)) {
			t.Errorf("records of %s after the clock was set", got)
		}
		// What was remembered of the future is forgotten.
		b = runBench(v.line(time.Minute), 5*time.Hour, remembered(schemas.DailyFreeze, "2010-02-28T16:00:00Z"))
		if got := once(b.of(schemas.DailyFreeze)); len(got) != 5 {
			t.Errorf("records of %s", got)
		}
	})
}

func TestRecordsThatFailAreTriedAgain(t *testing.T) {
	tests := []struct {
		name   string
		class  adapters.Class
		partly bool
		asked  [2]int // at least and at most, in a day
		given  bool
	}{
		{"no answer", adapters.Transient, false, [2]int{20, 30}, false},
		{"a part", adapters.Transient, true, [2]int{20, 30}, true},
		{"refused", adapters.Config, false, [2]int{1, 2}, false},
		{"a part, the rest refused", adapters.Config, true, [2]int{1, 1}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				march()
				v := &vault{cost: time.Second, kept: map[schemas.Origin]int{schemas.DailyFreeze: 1}, partly: tt.partly,
					refuse: map[schemas.Origin]error{schemas.DailyFreeze: failure(tt.class)}}
				b := runBench(v.line(time.Minute), 16*time.Hour, remembered(schemas.DailyFreeze, "2000-02-28T16:00:00Z"))
				n := v.count("daily_freeze")
				if n*3/2 < tt.asked[0] || n > tt.asked[1] {
					t.Errorf("asked %d times in 16 hours, want %d", n, tt.asked)
				}
				if got := len(b.of(schemas.DailyFreeze)) > 0; got != tt.given {
					t.Errorf("a record is handed on: %t", got)
				}
				if n := counters.Count(b.metrics.recordsFailed); n == 0 {
					t.Error("no failure is counted")
				}
				if live := len(b.of(schemas.Live)); live < 959 {
					t.Errorf("%d live readings of 960", live)
				}
				if _, total := b.board.list(); total != 0 {
					t.Error("the meter is said to fail")
				}
			})
		})
	}
}

// A clock may stand in any year; the status message says only so much.
func TestADriftOfCenturiesFitsTheStatus(t *testing.T) {
	for _, drift := range []time.Duration{math.MaxInt64, math.MinInt64, 200 * 365 * day, -200 * 365 * day, time.Hour} {
		var h meterHealth
		h.clock(drift)
		s := h.status(time.Now())
		if want := min(max(drift, -schemas.MaxDrift), schemas.MaxDrift); s.Drift != want || !s.DriftKnown {
			t.Errorf("%s is reported as %s", drift, s.Drift)
		}
	}
}

// A dead meter is asked for nothing else, and a line without idle time keeps
// its slots.
func TestChoresTakeNoTimeFromSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		march()
		back := time.Now().Add(2 * time.Hour)
		v := &vault{cost: 600 * time.Millisecond, dead: func(t time.Time) bool { return t.Before(back) },
			kept: map[schemas.Origin]int{schemas.DailyFreeze: 62}}
		line := v.line(time.Minute)
		busy := &scripted{cost: 500 * time.Millisecond, id: "busy"}
		line.Meters = append(line.Meters, Meter{ID: "busy", Source: busy, Interval: time.Second})
		runBench(line, 2*time.Hour)
		if v.count("clock") != 0 || v.count("daily_freeze") != 0 {
			t.Errorf("a dead meter is asked %d times for its clock", v.count("clock"))
		}
		b := runBench(line, 6*time.Hour)
		// Each of these takes longer than the line has: one is tried, to know.
		if n := v.count("clock") + v.count("daily_freeze"); n > 8 {
			t.Errorf("%d chores on a line without time for them", n)
		}
		if n := counters.Count(b.metrics.missed); n > 400 {
			t.Errorf("%d slots missed", n)
		}
	})
}

func TestMetersAreAskedWhoTheyAre(t *testing.T) {
	installed := []schemas.Installation{{Meter: "v", Serial: "A-1", From: at("2000-01-01T00:00:00Z"), Multiplier: schemas.Decimal{Mantissa: 1}}}
	tests := []struct {
		serial string
		reason schemas.Reason
	}{{"A1", ""}, {"B2", schemas.ReasonSwap}}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			march()
			away := time.Now().Add(30 * time.Hour)
			v := &vault{cost: time.Millisecond, serial: tt.serial, dead: func(t time.Time) bool {
				return t.After(away) && t.Before(away.Add(time.Hour))
			}}
			line := v.line(time.Minute)
			line.Meters[0].Rules = verdict.Rules{Installations: installed}
			b := runBench(line, 40*time.Hour)
			for _, r := range b.given {
				if r.Reason != tt.reason {
					t.Fatalf("%s: the reading of %s is %q", tt.serial, r.TakenAt, r.Reason)
				}
			}
			n := v.count("serial")
			if tt.reason == "" && n != 3 { // at the start, after a day, and when it was back
				t.Errorf("%s: asked %d times:\n%s", tt.serial, n, strings.Join(v.asked[:5], "\n"))
			}
			if v.asked[0] > v.asked[1] || !strings.HasSuffix(v.asked[1], "serial") {
				t.Errorf("not asked before the first readings are judged: %q", v.asked[:2])
			}
		})
	}
}

// A question that the end of the run cut short says nothing of the meter, also
// when the read notices that end before the context does.
func TestNoSerialIsToldOfMetersOnly(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	now := at(midnight)
	for _, tt := range []struct {
		name string
		ctx  context.Context
		err  error
		told bool
		wait time.Duration
	}{
		{"no answer", t.Context(), failure(adapters.Transient), true, minRecordPause},
		{"no such field", t.Context(), failure(adapters.Config), false, refusedPause},
		{"the deadline has passed", t.Context(), fmt.Errorf("meter v: %w", context.DeadlineExceeded), false, minRecordPause},
		{"told to stop", over, failure(adapters.Transient), false, minRecordPause},
	} {
		var told bytes.Buffer
		log := slog.New(slog.NewTextHandler(&told, &slog.HandlerOptions{Level: slog.LevelInfo}))
		l := newLineLoop(new(vault).line(time.Minute), now, nil, testMetrics(), newBoard(), log)
		m := l.meters[0]
		l.noSerial(tt.ctx, m, now, tt.err)
		if (told.Len() > 0) != tt.told || !m.identifyAfter.Equal(now.Add(tt.wait)) {
			t.Errorf("%s: asked again after %s, want %s; told: %s", tt.name, m.identifyAfter.Sub(now), tt.wait, &told)
		}
	}
}

func TestLineIsClosedWhenNothingIsDue(t *testing.T) {
	for _, tt := range []struct {
		closes   bool
		interval time.Duration
		want     int
	}{{true, time.Minute, 61}, {false, time.Minute, 0}, {true, 200 * time.Millisecond, 0}} {
		synctest.Test(t, func(t *testing.T) {
			closed := 0
			line := Line{Name: "a", CloseAfterCycle: tt.closes, Close: func() error { closed++; return nil }}
			for range 3 {
				line.Meters = append(line.Meters, Meter{ID: "m", Source: &scripted{cost: 10 * time.Millisecond, id: "m"}, Interval: tt.interval})
			}
			b := runBench(line, time.Hour+tt.interval/2)
			if closed != tt.want {
				t.Errorf("closed %d times in an hour of slots every %s, want %d", closed, tt.interval, tt.want)
			}
			b.checkCounts(t, tt.interval)
		})
	}
}

// A clock that was years ahead and is set right does not stop what it planned.
func TestPlansOfAWrongClockAreDropped(t *testing.T) {
	now := at(midnight)
	for _, tt := range []struct {
		ahead time.Duration
		due   bool
	}{{-1, true}, {0, true}, {1, false}, {day, false}, {2 * day, true}, {9000 * day, true}} {
		if got := isDue(now.Add(tt.ahead), now); got != tt.due {
			t.Errorf("%s ahead: due %t", tt.ahead, got)
		}
	}
	for _, s := range series {
		for _, tt := range []struct {
			ahead time.Duration
			due   bool
		}{{s.period + time.Hour, false}, {s.period + 2*day, true}} {
			r := archive{series: s, due: now.Add(tt.ahead)}
			if got := r.isDue(now); got != tt.due {
				t.Errorf("%s, %s ahead: due %t", s.origin, tt.ahead, got)
			}
		}
	}
	start := at("2036-01-01T00:00:00Z")
	v := &vault{kept: map[schemas.Origin]int{schemas.DailyFreeze: 3}}
	l := newLineLoop(v.line(time.Minute), start, nil, testMetrics(), newBoard(), silent)
	m := l.meters[0]
	m.alive, m.clockAt = true, start.Add(clockEvery)
	m.records[0].last, m.records[0].due = start.Add(-20*365*day), start.Add(day)
	if next, _ := l.turn(start); next.m != nil {
		t.Fatal("something is due before the clock is set")
	}
	if next, _ := l.turn(now); next.m == nil || next.do != taskRecord {
		t.Errorf("after the clock was set back: %+v", next)
	}
}

// A meter whose clock is ahead for a while, while a hole is filled, has records
// of days that are still to come. They are handed on and doubted; those of the
// right clock are read all the same.
func TestAHoleWithRecordsFromTheFuture(t *testing.T) {
	for _, wrong := range []time.Duration{3 * day, 30 * day} { // ahead
		synctest.Test(t, func(t *testing.T) {
			march()
			v := &vault{cost: 20 * time.Second, ahead: wrong, kept: map[schemas.Origin]int{schemas.DailyFreeze: 62}}
			v.wrong, v.right = time.Now().Add(5*time.Minute), time.Now().Add(2*time.Hour)
			b := runBench(v.line(time.Minute), 4*day, remembered(schemas.DailyFreeze, "2000-01-23T16:00:00Z"))
			var good []time.Time
			for _, r := range b.given {
				if r.Origin == schemas.DailyFreeze && r.Quality == schemas.Good {
					good = append(good, r.TakenAt)
				}
			}
			for _, want := range days("2000-03-01T16:00:00Z", 4) {
				if !slices.Contains(good, want) {
					t.Errorf("%s ahead: the record of %s is lost, got %s", wrong, want, good)
				}
			}
			if last := b.meters[0].records[0].last; !last.Equal(at("2000-03-04T16:00:00Z")) {
				t.Errorf("%s ahead: remembers %s", wrong, last)
			}
		})
	}
}

// A chore that once took long is tried again where there is any idle time: a
// lost answer must not keep a meter from being asked for ever.
func TestALongChoreIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		march()
		slow := time.Now().Add(90 * time.Minute)
		v := &slowClock{vault: vault{cost: 10 * time.Millisecond}, until: slow}
		v.id = "v"
		line := Line{Name: "a", Meters: []Meter{{ID: v.id, Source: v, Interval: time.Second}}}
		b := runBench(line, 6*time.Hour)
		if n := v.count("clock"); n < 5 {
			t.Errorf("the clock is asked %d times in six hours", n)
		}
		if n := counters.Count(b.metrics.missed); n > 10 {
			t.Errorf("%d slots missed", n)
		}
	})
}

// slowClock loses the answers to questions for its clock up to a moment.
type slowClock struct {
	vault
	until time.Time
}

func (s *slowClock) ReadClock(ctx context.Context) (time.Time, time.Time, error) {
	if time.Now().Before(s.until) {
		s.asked = append(s.asked, "a clock that is late")
		select {
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
		}
		return time.Time{}, time.Time{}, failure(adapters.Transient)
	}
	return s.vault.ReadClock(ctx)
}
