package collector

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/adapters"
	"citygrid/schemas"
)

// beside returns a line of healthy meters that answer within cost, with odd at
// the given place among them.
func beside(odd adapters.Source, place, healthy int, cost, interval time.Duration) (line Line, others []*scripted) {
	line = Line{Name: "a", Timeout: time.Second}
	add := func(id string, s adapters.Source) {
		line.Meters = append(line.Meters, Meter{ID: schemas.MeterID(id), Source: s, Interval: interval})
	}
	for i := range healthy + 1 {
		if i == place {
			add("odd", odd)
			continue
		}
		s := &scripted{id: schemas.MeterID(fmt.Sprint("h", i)), cost: cost}
		others = append(others, s)
		add(string(s.id), s)
	}
	return line, others
}

// mute is a meter as the drivers read it: the first question that gets no
// answer is repeated, later ones are not.
type mute struct {
	timeout time.Duration
	answers func(n int, now time.Time) (cost time.Duration, ok bool) // the nth read, from 0; nil: never

	silent bool
	took   []time.Duration
	read   []time.Time // the answers
}

func (m *mute) Read(ctx context.Context) ([]schemas.Reading, error) {
	start := time.Now()
	defer func() { m.took = append(m.took, time.Since(start)) }()
	wait, ok := m.timeout, false
	if m.answers != nil {
		wait, ok = m.answers(len(m.took), start)
	}
	if !ok {
		if wait = m.timeout; !m.silent {
			wait *= 2
		}
	}
	select {
	case <-ctx.Done():
		m.silent = true
		return nil, ctx.Err()
	case <-time.After(wait):
	}
	if m.silent = !ok; !ok {
		return nil, failure(adapters.Transient)
	}
	m.read = append(m.read, start)
	return []schemas.Reading{energy("odd", start.Unix(), time.Now())}, nil
}

// A dead meter costs its neighbours little from the start, wherever it stands.
func TestTheFirstHalfMinuteBesideADeadMeter(t *testing.T) {
	for _, place := range []int{0, 1, 5, 9} {
		for _, span := range []time.Duration{30 * time.Second, time.Minute, 10 * time.Minute} {
			synctest.Test(t, func(t *testing.T) {
				const interval = time.Second
				dead := &mute{timeout: time.Second}
				line, healthy := beside(dead, place, 9, 5*time.Millisecond, interval)
				b := runBench(line, span)
				slots := 9 * int(span/interval-1) // the first lies an interval ahead, the last at the end
				if kept := float64(sum(healthy)) / float64(slots); kept < 0.95 {
					t.Errorf("place %d, %s: %.1f %% of %d slots kept; the dead meter took %s", place, span, 100*kept, slots, dead.took)
				}
				if span == 10*time.Minute && slices.Max(dead.took[1:]) < time.Second {
					t.Errorf("place %d: the dead meter is never waited for in full: %s", place, dead.took)
				}
				b.checkCounts(t, interval)
			})
		}
	}
}

// A meter that is slower than the others allow is found all the same, and is
// then waited for.
func TestASlowMeterIsFoundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		back := time.Now().Add(20 * time.Second)
		slow := &mute{timeout: time.Second, answers: func(_ int, now time.Time) (time.Duration, bool) {
			return 400 * time.Millisecond, !now.Before(back)
		}}
		line, healthy := beside(slow, 5, 9, 5*time.Millisecond, time.Second)
		b := runBench(line, 10*time.Minute)
		if len(slow.read) == 0 || slow.read[0].Sub(back) > 3*time.Minute {
			t.Fatalf("found after %s; its reads took %s", slow.read, slow.took)
		}
		end := b.start.Add(10 * time.Minute)
		if want := int(end.Sub(slow.read[0])/time.Second) - 1; len(slow.read) < want {
			t.Errorf("%d answers in %d slots since it was found", len(slow.read), want)
		}
		if kept := float64(sum(healthy)) / (9 * 600); kept < 0.95 {
			t.Errorf("the healthy meters keep %.1f %%", 100*kept)
		}
	})
}

// Nor is a slow meter lost that was always slow and stands behind fast ones.
func TestASlowMeterIsKnownFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &mute{timeout: time.Second, answers: func(int, time.Time) (time.Duration, bool) { return 600 * time.Millisecond, true }}
		line, _ := beside(slow, 9, 9, 5*time.Millisecond, time.Second)
		runBench(line, time.Minute)
		if len(slow.read) < 59 {
			t.Errorf("%d answers in 60 slots, its reads took %s", len(slow.read), slow.took)
		}
	})
}

// A meter that fails and answers by turns costs its neighbours no more than one
// that is dead.
func TestAFlappingMeter(t *testing.T) {
	for _, good := range []int{1, 2, 3} { // answers before each failure
		synctest.Test(t, func(t *testing.T) {
			const span, interval = 10 * time.Minute, time.Second
			flapping := &mute{timeout: time.Second, answers: func(n int, _ time.Time) (time.Duration, bool) {
				return 5 * time.Millisecond, n%(good+1) < good
			}}
			line, healthy := beside(flapping, 5, 9, 5*time.Millisecond, interval)
			b := runBench(line, span)
			want := 0.95
			if good >= provenReads { // it is taken for sound each time
				want = 0.5
			}
			if kept := float64(sum(healthy)) / float64(9*span/interval); kept < want {
				t.Errorf("%d answers and a failure by turns: %.1f %% kept", good, 100*kept)
			}
			b.checkCounts(t, interval)
		})
	}
}

// Where there is time nobody is cut short, and what was cut says so.
func TestReadsAreCutOnlyWhereOthersWouldLose(t *testing.T) {
	for _, tt := range []struct {
		interval time.Duration
		cut      bool
	}{{time.Second, true}, {15 * time.Second, false}} {
		synctest.Test(t, func(t *testing.T) {
			dead := &mute{timeout: time.Second}
			line, _ := beside(dead, 5, 9, 5*time.Millisecond, tt.interval)
			b := runBench(line, 4*tt.interval)
			short := 0
			for _, d := range dead.took {
				if d < time.Second {
					short++
				}
			}
			faults, _ := b.board.list()
			if (short > 0) != tt.cut || len(faults) != 1 || strings.Contains(faults[0].Error, "tried again, now and then with the full timeout") != tt.cut || strings.Contains(faults[0].Error, "context") {
				t.Errorf("every %s: reads took %s, said: %+v", tt.interval, dead.took, faults)
			}
		})
	}
}

// waitingLine is a loop of which a healthy meter has waited since a moment.
func waitingLine(now time.Time, waits time.Duration) (l *lineLoop, odd *meterState) {
	line := Line{Timeout: time.Second}
	for _, id := range []schemas.MeterID{"odd", "healthy"} {
		line.Meters = append(line.Meters, Meter{ID: id, Source: &mute{}, Interval: time.Second})
	}
	l = newLineLoop(line, now, nil, testMetrics(), newBoard(), silent)
	l.meters[1].due = instantOf(now.Add(-waits))
	l.next(now)
	return l, l.meters[0]
}

// Failing costs the budget what others have waited for it, the first time too.
func TestFailuresAreCharged(t *testing.T) {
	now := at("2026-01-01T12:00:00Z")
	for _, tt := range []struct {
		name              string
		waits, took, cost time.Duration
		fails             int
	}{
		{"a probe", 2 * time.Second, time.Second, time.Second, 1},
		{"of which a part kept nobody waiting", 400 * time.Millisecond, time.Second, 400 * time.Millisecond, 1},
		{"nobody waited", -time.Second, time.Second, 0, 1},
		{"the first failure", 2 * time.Second, time.Second, time.Second, 0},
		{"the first failure, and no more than there is", 20 * time.Second, 10 * time.Second, 3 * time.Second, 0},
		{"a probe may make a debt", 20 * time.Second, 10 * time.Second, 10 * time.Second, 3},
	} {
		l, odd := waitingLine(now, tt.waits)
		odd.took, odd.fails = tt.took, tt.fails
		full := l.budget.credit
		l.failed(odd, now, failure(adapters.Transient))
		if got := full - l.budget.credit; got != tt.cost {
			t.Errorf("%s: %s are charged, want %s", tt.name, got, tt.cost)
		}
	}
}

// How long a meter is waited for that is not known to be sound.
func TestCuts(t *testing.T) {
	now := at("2026-01-01T12:00:00Z")
	const ms = time.Millisecond
	for _, tt := range []struct {
		name         string
		pace, answer time.Duration
		change       func(l *lineLoop, m *meterState)
		want         time.Duration
	}{
		{"by the pace of the line", 10 * ms, 5 * ms, nil, 90 * ms},
		{"by its own, when it is slower", 10 * ms, 100 * ms, nil, 450 * ms},
		{"slower than that is no cut", 10 * ms, 600 * ms, nil, 0},
		{"an unknown one has a timeout", 10 * ms, 0, nil, 1050 * ms},
		{"nothing is known of the line", 0, 5 * ms, nil, 0},
		{"a sound meter", 10 * ms, 5 * ms, func(_ *lineLoop, m *meterState) { m.proven = provenReads }, 0},
		{"after a failure the line may have to rest", 10 * ms, 5 * ms, func(l *lineLoop, m *meterState) { l.upset = true }, 0},
		{"flat out", 10 * ms, 5 * ms, func(l *lineLoop, m *meterState) { l.flatOut = true }, 0},
	} {
		l, odd := waitingLine(now, time.Second)
		l.pace, odd.answer = tt.pace, tt.answer
		if tt.change != nil {
			tt.change(l, odd)
		}
		if got := l.cut(odd, now); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// After a failed exchange of any kind the line may have to be silent first, and
// the next read is neither cut short nor taken for the line's pace.
func TestAFailedChoreUpsetsTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		march()
		alive := true
		v := &vault{cost: time.Millisecond, load: time.Hour, serial: "1", dead: func(time.Time) bool { return !alive },
			kept: map[schemas.Origin]int{schemas.DailyFreeze: 3, schemas.LoadRecord: 3}}
		l := newLineLoop(v.line(time.Minute), time.Now(), nil, testMetrics(), newBoard(), silent)
		m := l.meters[0]
		for name, exchange := range map[string]func(){
			"clock":  func() { l.readClock(t.Context(), m) },
			"record": func() { l.readRecord(t.Context(), m, m.records[0], time.Now()) },
			"load":   func() { m.load.holes = []hole{{To: time.Now()}}; l.readLoad(t.Context(), m, time.Now()) },
			"serial": func() { m.identifyAfter = time.Time{}; l.identify(t.Context(), m, time.Now()) },
		} {
			alive, l.upset = false, false
			if exchange(); !l.upset {
				t.Errorf("%s: a failure does not upset the line", name)
			}
		}
		alive = true
		if l.readClock(t.Context(), m); l.upset {
			t.Error("an answer leaves the line upset")
		}
	})
}
