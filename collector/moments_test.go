package collector

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/schemas"
)

// momentsRig gives moments to readings of some meters by a clock of its own, and holds
// every one against all before.
type momentsRig struct {
	*moments
	t      *testing.T
	path   string
	meters []*meterState
	given  map[schemas.MeterID]map[int64]bool
	now    time.Time
}

func newMomentsRig(t *testing.T, intervals ...time.Duration) *momentsRig {
	r := &momentsRig{t: t, path: filepath.Join(t.TempDir(), "moments.state"), now: at("2026-03-01T10:00:00Z"), given: make(map[schemas.MeterID]map[int64]bool)}
	for i, d := range intervals {
		id := schemas.MeterID("m" + string(rune('0'+i)))
		r.meters = append(r.meters, &meterState{Meter: Meter{ID: id, Interval: d, Offset: time.Duration(i) * time.Millisecond}})
		r.given[id] = make(map[int64]bool)
	}
	r.start()
	return r
}

// start is a start of the collector; what ran before it is as good as killed.
func (r *momentsRig) start() {
	r.moments = openMoments(r.path, silent, r.now)
	for _, m := range r.meters {
		m.given = lastGiven{}
	}
}

// read gives the moment of now to a read of m, and returns how far it was moved.
func (r *momentsRig) read(m *meterState) time.Duration {
	r.t.Helper()
	readings := []schemas.Reading{energy(m.ID, 1, r.now)}
	r.give(m, readings)
	got := readings[0].TakenAt
	if r.given[m.ID][got.UnixMilli()] {
		r.t.Fatalf("%s has %s twice", m.ID, got)
	}
	r.given[m.ID][got.UnixMilli()] = true
	if err := readings[0].Validate(); err != nil {
		r.t.Fatal(err)
	}
	if m.slotOf(got) != m.slotOf(r.now) && readings[0].Quality == schemas.Good {
		r.t.Fatalf("%s: %s was moved to %s, into another slot", m.ID, r.now, got)
	}
	return got.Sub(r.now.Truncate(time.Millisecond))
}

// run reads every meter each step until the clock has gone on by d, and returns the most
// that one was moved.
func (r *momentsRig) run(d, step time.Duration) (most time.Duration) {
	r.t.Helper()
	for end := r.now.Add(d); r.now.Before(end); r.now = r.now.Add(step) {
		for _, m := range r.meters {
			most = max(most, r.read(m).Abs())
		}
	}
	return most
}

// Eight times in a row the clock comes back to the same ten minutes, to the millisecond.
func TestMomentsOfAClockSetBack(t *testing.T) {
	r := newMomentsRig(t, time.Second, 15*time.Minute)
	begin := r.now
	for n := range tracks {
		r.now = begin
		if moved := r.run(10*time.Minute, time.Second); n == 0 && moved != 0 || moved >= trackPeriod*time.Millisecond {
			t.Errorf("pass %d: moved by %s", n, moved)
		}
	}
	// Time that nobody has been in is as before.
	if moved := r.run(10*time.Minute, time.Second); moved != 0 {
		t.Errorf("moved by %s at a time that is new", moved)
	}
	// The next one finds nothing: it says so, and is unique all the same.
	var logged strings.Builder
	r.log = slog.New(slog.NewTextHandler(&logged, nil))
	for i := range 3 {
		readings := []schemas.Reading{energy("m0", 1, begin.Add(time.Duration(i)*time.Second))}
		r.give(r.meters[0], readings)
		if got := readings[0]; r.given["m0"][got.TakenAt.UnixMilli()] || got.Reason != schemas.ReasonClock || got.Quality != schemas.Suspect {
			t.Errorf("the tenth pass gives %+v", got)
		}
		r.given["m0"][readings[0].TakenAt.UnixMilli()] = true
	}
	if n := strings.Count(logged.String(), "Set the clock right"); n != 1 {
		t.Errorf("said %d times", n)
	}
}

// A clock that only goes on moves a reading by a millisecond at most.
func TestMomentsOfAGoodClock(t *testing.T) {
	r := newMomentsRig(t, time.Second)
	if moved := r.run(20*time.Second, 2*time.Millisecond); moved > time.Millisecond {
		t.Errorf("moved by %s", moved)
	}
}

// Whatever clock and kills do, no meter has a moment twice.
func TestMomentsAreGivenOnce(t *testing.T) {
	for seed := range uint64(5) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		r := newMomentsRig(t, 100*time.Millisecond, time.Second, time.Minute)
		for range 60 {
			switch rnd.IntN(5) {
			case 0:
				r.now = r.now.Add(-time.Duration(rnd.IntN(120)) * time.Second)
			case 1:
				r.now = r.now.Add(time.Duration(rnd.IntN(7200)) * time.Second)
			case 2:
				r.start()
			case 3:
				r.finish()
				r.start()
			case 4:
				r.now = r.now.Add(-time.Duration(rnd.IntN(40)) * time.Millisecond)
			}
			r.run(time.Duration(rnd.IntN(10_000))*time.Millisecond, time.Duration(2+rnd.IntN(100))*time.Millisecond)
		}
	}
}

// A kill leaves nothing unknown, and costs the seconds that the file reached ahead; a stop
// in order costs nothing.
func TestMomentsOutliveAKill(t *testing.T) {
	r := newMomentsRig(t, time.Second)
	r.run(time.Minute, time.Second)
	r.start()
	r.now = r.now.Add(-30 * time.Second) // within what was read
	if moved := r.run(30*time.Second, time.Second); moved == 0 {
		t.Error("moments from before the kill were not known")
	}
	if r.run(momentsAhead*time.Millisecond, time.Second); r.run(time.Minute, time.Second) != 0 {
		t.Error("moved long after the kill")
	}
	r.finish()
	r.start()
	if moved := r.run(time.Minute, time.Second); moved != 0 {
		t.Errorf("moved by %s after a stop in order", moved)
	}
}

// The first and the last millisecond of a slot are moved within it.
func TestMomentsStayInTheirSlot(t *testing.T) {
	r := newMomentsRig(t, 100*time.Millisecond, 333*time.Millisecond, time.Second) // with offsets of 0, 1 and 2 ms
	begin := r.now
	for range tracks {
		for _, m := range r.meters {
			for n := range 20 {
				slot := slotAt(begin, m.Interval, m.Offset).Add(time.Duration(n+1) * m.Interval)
				for _, r.now = range []time.Time{slot, slot.Add(m.Interval - time.Millisecond)} {
					r.read(m) // which looks at the slot
				}
			}
		}
	}
}

// A clock that is years ahead at every start, until the network sets it, or that leaps
// there and back, uses nothing up but those seconds.
func TestMomentsOfAClockThatStartsAhead(t *testing.T) {
	r := newMomentsRig(t, time.Second)
	for n := range 3 * tracks {
		right := r.now
		r.now = at("2035-01-01T00:00:00Z").Add(time.Duration(len(r.given["m0"])) * time.Minute)
		if n%2 == 0 {
			r.start()
		}
		r.run(10*time.Second, time.Second)
		r.now = right
		if moved := r.run(time.Minute, time.Second); moved != 0 {
			t.Fatalf("moved by %s at the right time", moved)
		}
		r.now = r.now.Add(momentsAhead * time.Millisecond)
	}
	for i := range r.tracks {
		if n := len(r.tracks[i].used); n > maxSpans {
			t.Errorf("track %d: %d spans", i, n)
		}
	}
}

// What is to be written is written before its use, and seldom.
func TestMomentsAreWrittenAhead(t *testing.T) {
	r := newMomentsRig(t, time.Second)
	files := map[string]bool{}
	r.run(momentsAheadFirst*time.Millisecond, 10*time.Millisecond)
	if data, err := os.ReadFile(r.path); err != nil || strings.Count(string(data), "from") != 1 || !strings.Contains(string(data), strconv.FormatInt(r.now.UnixMilli(), 10)) {
		t.Errorf("after the first half second the file is not the first one: %s, %v", data, err)
	}
	for n := range 200 {
		r.run(time.Second, time.Second)
		data, err := os.ReadFile(r.path)
		if err != nil {
			t.Fatal(err)
		}
		files[string(data)] = true
		var held moments
		if err := held.decode(data); err != nil {
			t.Fatal(err)
		}
		if last := r.now.Add(-time.Second).UnixMilli(); !held.tracks[0].used[0].has(last) {
			t.Fatalf("%s is not in the file: %s", r.now, data)
		}
		if n == 99 {
			if len(files) > 10 {
				t.Errorf("written %d times in the first 100 s", len(files))
			}
			clear(files)
		}
	}
	if n := len(files) - 1; n != 5 { // one is from before
		t.Errorf("written %d times in 100 s", n)
	}
}

// A collector that is killed soon after each start, over and over, as by a unit that
// restarts it at once or by power that flickers, uses nothing up.
func TestMomentsOutliveManyKills(t *testing.T) {
	for _, lived := range []time.Duration{100 * time.Millisecond, time.Second, 5 * time.Second} {
		r := newMomentsRig(t, 100*time.Millisecond)
		for range 10 * tracks {
			if moved := r.run(lived, 100*time.Millisecond); moved >= trackPeriod*time.Millisecond || r.worn {
				t.Fatalf("killed each %s: moved by %s", lived, moved)
			}
			r.start()
		}
	}
}

func TestMomentsFileIsSetAside(t *testing.T) {
	for _, text := range []string{"", "citygrid moments 1 00000000\n[]\n", string(checked(momentsHead, []byte("[[]]\n"))), string(checked(momentsHead, []byte("{}"))),
		string(checked(momentsHead, []byte(`[[{"from":2,"to":1}],[],[],[],[],[],[],[],[]]`))), string(checked(momentsHead, []byte(`[[],[],[{"from":2,"to":9223372036854775807}],[],[],[],[],[],[]]`)))} {
		path := filepath.Join(t.TempDir(), "moments.state")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var logged strings.Builder
		openMoments(path, slog.New(slog.NewTextHandler(&logged, nil)), at("2026-03-01T10:00:00Z"))
		if _, err := os.Stat(path + ".damaged-20260301T100000.000Z"); err != nil || !strings.Contains(logged.String(), "Look at the disk") {
			t.Errorf("%q: %v, log %s", text, err, logged.String())
		}
	}
}

// Without room for the file reading goes on, and it is said once.
func TestMomentsWithoutAFile(t *testing.T) {
	r := newMomentsRig(t, time.Second)
	r.path = filepath.Join(t.TempDir(), "gone", "moments.state")
	r.moments.path = r.path
	var logged strings.Builder
	r.log = slog.New(slog.NewTextHandler(&logged, nil))
	r.run(time.Minute, time.Second)
	if n := strings.Count(logged.String(), "cannot be written"); n != 1 {
		t.Errorf("said %d times: %s", n, logged.String())
	}
}

// backward is a meter whose collector's clock goes back by a minute at every minute.
type backward struct{ start time.Time }

func (b *backward) Read(context.Context) ([]schemas.Reading, error) {
	now := b.start.Add(time.Since(b.start) % time.Minute)
	first, second := energy("m0", int64(now.Second()), now), energy("m0", 1, now.Add(time.Millisecond))
	second.Quantity = "power.energy.export"
	old := energy("m0", 1, b.start)
	old.Origin = schemas.DailyFreeze
	return []schemas.Reading{first, second, old}, nil
}

// The line gives what it hands on its moments, but for the meter's own records.
func TestLineGivesMomentsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &backward{start: time.Now()}
		line := Line{Name: "a", Meters: []Meter{{ID: "m0", Source: m, Interval: time.Second}}}
		p := openMoments(filepath.Join(t.TempDir(), "moments.state"), silent, time.Now())
		b := runBench(line, 5*time.Minute+30*time.Second, func(l *lineLoop) { l.moments = p })
		type key struct {
			schemas.Quantity
			ms int64
		}
		seen := map[key]bool{}
		for _, r := range b.given {
			if r.Origin == schemas.DailyFreeze {
				if !r.TakenAt.Equal(m.start) {
					t.Fatalf("a record was moved to %s", r.TakenAt)
				}
				continue
			}
			if k := (key{r.Quantity, r.TakenAt.UnixMilli()}); seen[k] {
				t.Fatalf("%s is given twice at %s", r.Quantity, r.TakenAt)
			} else {
				seen[k] = true
			}
		}
		if len(seen) < 600 {
			t.Errorf("%d readings", len(seen))
		}
	})
}
