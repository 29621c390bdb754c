package collector

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"citygrid/adapters"
	"citygrid/collector/spool"
	"citygrid/collector/verdict"
	"citygrid/internal/counters"
	"citygrid/schemas"
)

// event is a sound one with its number.
func event(n int, phase schemas.EventPhase) schemas.ComponentEvent {
	moment := at("2026-01-01T00:00:00Z").Add(time.Duration(n) * time.Second)
	return schemas.ComponentEvent{ID: schemas.EventID(fmt.Sprintf("%032x", n)), Kind: schemas.EventLeak, Phase: phase, Meter: "m",
		Since: moment, TakenAt: moment, Affected: 1}
}

func nameOf(e schemas.ComponentEvent) string {
	return fmt.Sprintf("%s %s", strings.TrimLeft(string(e.ID), "0"), e.Phase)
}

// openedTo are the names of so many opened events, sorted.
func openedTo(n int) (names []string) {
	for i := range n {
		names = append(names, nameOf(event(i+1, schemas.EventOpened)))
	}
	slices.Sort(names)
	return names
}

// counting is a source that opens an event whenever a test has asked for one, at the
// next read, and remembers how many it has opened.
type counting struct {
	Opened int `json:"opened"`
	Ticks  int `json:"-"`

	mu    sync.Mutex
	asked int
	seen  []Observation
}

func (s *counting) Observe(o Observation) (events []schemas.ComponentEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, o)
	for ; s.asked > 0; s.asked-- {
		s.Opened++
		events = append(events, event(s.Opened, schemas.EventOpened))
	}
	return events
}

func (s *counting) Tick(time.Time) []schemas.ComponentEvent { s.Ticks++; return nil }
func (s *counting) State() ([]byte, error)                  { return json.Marshal(s) }

func (s *counting) ask(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked += n
}

// from makes the source what Options.Events returns, with the state that it is given.
func (s *counting) from(state []byte) (EventSource, error) {
	if state == nil {
		return s, nil
	}
	return s, json.Unmarshal(state, s)
}

// eventOptions are those of a collector with one quick meter and the source.
func eventOptions(o Options, s *counting) Options {
	line, _ := ticking("m")
	o.Lines, o.Events = []Line{line}, s.from
	o.EventSpool.CommitEvery = time.Millisecond
	return o
}

// after copies a collector's folder, as a kill -9 at this moment would leave it, and
// returns options for the next life on it.
func after(t *testing.T, o Options, s *counting) Options {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	for { // a file that is being replaced has a name for a moment only
		err := os.CopyFS(dir, os.DirFS(o.DataDir))
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	next := o
	next.DataDir, next.Events, next.Registry = dir, s.from, testOptions(t, testKeys{}, "").Registry
	return next
}

// What is decided reaches the hub, once, and is freed by its receipt.
func TestEventsReachTheHub(t *testing.T) {
	w := newTown(t)
	w.hub.answer(true)
	s := new(counting)
	c := mustOpen(t, eventOptions(w.options(), s))
	stop := start(t, c)
	for n := range 3 {
		s.ask(2)
		eventually(t, "the hub has the events", func() bool { return slices.Equal(w.hub.eventNames(), openedTo(2*n+2)) })
	}
	eventually(t, "all are freed", func() bool { return c.Summary().EventSpoolRecords == 0 })
	if sum := c.Summary(); sum.Events != 6 || sum.EventReceipts != sum.EventBatches || sum.CardEntries != 0 {
		t.Errorf("summary %+v", sum)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	memory := mustDecodeEvents(t, c.events.file.path)
	if string(memory.Detector) != `{"opened":6}` || len(memory.Waiting) != 0 {
		t.Errorf("the file has %s and %d events", memory.Detector, len(memory.Waiting))
	}
}

func mustDecodeEvents(t *testing.T, path string) eventMemory {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := decodeEvents(data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestEventsOutliveAKill ends the collector at every step between the decision and the
// receipt. The next life neither opens the event again under another name nor forgets
// it.
func TestEventsOutliveAKill(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(w *town, o *Options)
		reached func(w *town, c *Collector) bool
	}{
		"saved, not in the spool": {
			func(w *town, o *Options) { o.EventSpool.CommitEvery = time.Hour }, // no commit before the kill
			func(w *town, c *Collector) bool { return strings.Contains(fileText(c.events.file.path), "waiting") },
		},
		"in the spool, not sent": {
			func(w *town, o *Options) { w.wire.cut(true) },
			func(w *town, c *Collector) bool {
				return c.Summary().Events == 1 && !strings.Contains(fileText(c.events.file.path), "waiting")
			},
		},
		"sent, no receipt": {
			func(w *town, o *Options) { w.hub.silence(schemas.Events, true) },
			func(w *town, c *Collector) bool { return len(w.hub.eventNames()) == 1 },
		},
		"freed": {
			func(w *town, o *Options) {},
			func(w *town, c *Collector) bool { return c.Summary().EventReceipts == 1 },
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t)
			w.hub.answer(true)
			s := new(counting)
			o := eventOptions(w.options(), s)
			tt.prepare(w, &o)
			c := mustOpen(t, o)
			stop := start(t, c)
			s.ask(1)
			eventually(t, name, func() bool { return tt.reached(w, c) })
			again := new(counting)
			next := after(t, o, again)
			next.EventSpool.CommitEvery = time.Millisecond
			w.wire.cut(true)
			if err := stop(); err != nil {
				t.Error(err)
			}
			w.wire.mend()
			w.hub.silence(schemas.Events, false)
			c = mustOpen(t, next)
			start(t, c)
			again.ask(1) // the next one, of another name
			eventually(t, "the hub has both", func() bool {
				return slices.Equal(slices.Compact(w.hub.eventNames()), openedTo(2)) && c.Summary().EventSpoolRecords == 0
			})
		})
	}
}

func fileText(path string) string {
	data, _ := os.ReadFile(path)
	return string(data)
}

// A kill before anything was saved forgets decision and knowledge together: the
// source of the next life decides again.
func TestKillBeforeTheSave(t *testing.T) {
	keys, dir := newKeys(t), t.TempDir()
	s := new(counting)
	o := eventOptions(testOptions(t, keys, dir), s)
	c := mustOpen(t, o)
	s.ask(1)
	c.events.observe(Observation{Meter: "m"}) // Run, which saves, does not run
	again := new(counting)
	next := mustOpen(t, after(t, o, again))
	if again.Opened != 0 || len(next.events.waiting) != 0 || s.Opened != 1 {
		t.Errorf("the next life knows of %d events, and %d wait", again.Opened, len(next.events.waiting))
	}
	for _, c := range []*Collector{c, next} {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// tightEvents is soon full, and has segments that take the largest batch of these.
var tightEvents = spool.Options{SegmentBytes: 16 << 10, Quota: 32 << 10, CommitEvery: 10 * time.Millisecond}

// A full spool keeps nothing from the readings and drops no event: decided ones wait,
// also over a restart, and the source is blind when too many do.
func TestFullEventSpool(t *testing.T) {
	w := newTown(t)
	w.hub.answer(true)
	w.hub.silence(schemas.Events, true)
	s := new(counting)
	o := eventOptions(w.options(), s)
	o.EventSpool = tightEvents
	line, reads := ticking("m")
	o.Lines = []Line{line}
	c := mustOpen(t, o)
	stop := start(t, c)
	asked := 0
	for counters.Level(c.metrics.events.full) == 0 {
		s.ask(10)
		asked += 10
		before := reads.Load()
		eventually(t, "readings go on", func() bool { return reads.Load() > before+3 })
	}
	s.ask(maxEventsWaiting)
	asked += maxEventsWaiting
	eventually(t, "the source is blind", func() bool { return counters.Count(c.metrics.eventsUnseen) > 2 })
	before := reads.Load()
	eventually(t, "readings go on", func() bool { return reads.Load() > before+20 && counters.Level(c.metrics.full) == 0 })
	problems := strings.Join(c.Problems(), "\n")
	if !strings.Contains(problems, "event spool: full") || !strings.Contains(problems, "events: too many wait") {
		t.Errorf("problems %s", problems)
	}
	s.mu.Lock()
	seen := len(s.seen)
	s.mu.Unlock()
	eventually(t, "the source is left alone", func() bool { return counters.Count(c.metrics.eventsUnseen) > 10 })
	s.mu.Lock()
	if len(s.seen) != seen {
		t.Errorf("the source was shown %d reads more", len(s.seen)-seen)
	}
	s.mu.Unlock()

	if err := stop(); err != nil {
		t.Error(err)
	}
	again := new(counting)
	w.hub.silence(schemas.Events, false)
	next := after(t, o, again)
	next.EventSpool = spool.Options{CommitEvery: time.Millisecond}
	c = mustOpen(t, next)
	start(t, c)
	eventually(t, "all events are at the hub", func() bool { return len(slices.Compact(w.hub.eventNames())) == asked })
	again.ask(1)
	eventually(t, "the source sees again", func() bool { return len(slices.Compact(w.hub.eventNames())) == asked+1 })
	eventually(t, "all are freed", func() bool { return c.Summary().EventSpoolRecords == 0 })
}

// When there is room again in the same life, what waits goes out.
func TestEventsGoOnWhenThereIsRoom(t *testing.T) {
	w := newTown(t)
	w.hub.answer(true)
	w.hub.silence(schemas.Events, true)
	s := new(counting)
	o := eventOptions(w.options(), s)
	o.EventSpool = tightEvents
	c := mustOpen(t, o)
	c.pub.events.resendAfter = 50 * time.Millisecond
	start(t, c)
	asked := 0
	for counters.Level(c.metrics.events.full) == 0 {
		s.ask(10)
		asked += 10
		eventually(t, "they are decided", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.asked == 0 })
	}
	w.hub.silence(schemas.Events, false)
	eventually(t, "all events are at the hub", func() bool { return len(w.hub.eventNames()) == asked && c.Summary().EventSpoolRecords == 0 })
	if counters.Level(c.metrics.events.full) != 0 || !slices.Equal(w.hub.eventNames(), openedTo(asked)) {
		t.Errorf("%d events, each once, are wanted", asked)
	}
}

// Without a source what was decided before goes out, and what the source knew stays.
func TestEventsAreTurnedOff(t *testing.T) {
	w := newTown(t)
	w.hub.answer(true)
	s := new(counting)
	o := eventOptions(w.options(), s)
	file := &eventFile{path: filepath.Join(o.DataDir, "events.state")}
	if err := file.write(eventMemory{Detector: []byte(`{"opened":1}`), Waiting: []schemas.ComponentEvent{event(1, schemas.EventOpened)}}); err != nil {
		t.Fatal(err)
	}
	o.Events = nil
	c := mustOpen(t, o)
	stop := start(t, c)
	eventually(t, "the event is at the hub", func() bool { return c.Summary().EventReceipts == 1 })
	if err := stop(); err != nil {
		t.Error(err)
	}
	if m := mustDecodeEvents(t, file.path); string(m.Detector) != `{"opened":1}` || len(m.Waiting) != 0 {
		t.Errorf("the file has %s, %d events", m.Detector, len(m.Waiting))
	}
}

// A faulty rule loses its own event and no other; a clock that was set back loses
// none.
func TestDecidedEventsAreChecked(t *testing.T) {
	c := mustOpen(t, testOptions(t, newKeys(t), t.TempDir()))
	defer c.Close()
	bad, back := event(1, schemas.EventOpened), event(2, schemas.EventCleared)
	bad.Affected = 0
	back.Since = back.TakenAt.Add(time.Hour)
	c.events.decided([]schemas.ComponentEvent{bad, back, event(3, schemas.EventOpened)})
	if n := counters.Count(c.metrics.eventsRefused); n != 1 || len(c.events.waiting) != 2 || !c.events.waiting[0].Since.Equal(back.TakenAt) {
		t.Errorf("%d refused, %+v wait", n, c.events.waiting)
	}
}

// observed runs a meter and returns what a source is shown of it.
func observed(t *testing.T, read func(n int64) ([]schemas.Reading, error), want int) []Observation {
	t.Helper()
	o := testOptions(t, newKeys(t), t.TempDir())
	s := new(counting)
	var n atomic.Int64
	source := sourceFunc(func(context.Context) ([]schemas.Reading, error) { return read(n.Add(1)) })
	o.Lines = []Line{{Name: "riser 3", Meters: []Meter{{ID: "m", Source: source, Interval: 5 * time.Millisecond}}}}
	o.Events = s.from
	c := mustOpen(t, o)
	start(t, c)
	var seen []Observation
	eventually(t, "the reads are shown", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		seen = slices.Clone(s.seen)
		return len(seen) >= want
	})
	return seen
}

func TestWhatASourceIsShown(t *testing.T) {
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("refused")}
	reset := &net.OpError{Op: "read", Net: "tcp", Err: errors.New("reset")}
	port := &fs.PathError{Op: "open", Path: "/dev/ttyUSB0", Err: fs.ErrNotExist}
	one := func() []schemas.Reading { return []schemas.Reading{energy("m", 1, time.Now())} }
	for name, tt := range map[string]struct {
		readings              bool
		err                   error
		answered, unreachable bool
	}{
		"all":                  {true, nil, true, false},
		"a part":               {true, failure(adapters.Transient), true, false},
		"a part, then no line": {true, &adapters.Error{Err: dial}, true, false},
		"silence":              {false, failure(adapters.Transient), false, false},
		"a failure of its own": {false, failure(adapters.Slow), true, false},
		"a refusal":            {false, failure(adapters.Config), true, false},
		"no gateway":           {false, &adapters.Error{Err: fmt.Errorf("connect: %w", dial)}, false, true},
		"no port":              {false, &adapters.Error{Err: port}, false, true},
		"a broken connection":  {false, &adapters.Error{Err: reset}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			seen := observed(t, func(int64) ([]schemas.Reading, error) {
				if tt.readings {
					return one(), tt.err
				}
				return nil, tt.err
			}, 1)
			o := seen[0]
			if o.Line != "riser 3" || o.Meter != "m" || time.Since(o.At) > time.Minute || (len(o.Readings) == 1) != tt.readings ||
				o.Answered != tt.answered || o.Unreachable != tt.unreachable || o.Rebased {
				t.Errorf("%+v", o)
			}
		})
	}
}

// BenchmarkObserve is what the events cost a line beside their source.
func BenchmarkObserve(b *testing.B) {
	c := mustOpen(b, testOptions(b, newKeys(b), b.TempDir()))
	defer c.Close()
	c.events.source = quiet{}
	o := Observation{Line: "a", Meter: "m", At: time.Now(), Readings: fifty("m"), Answered: true}
	b.ReportAllocs()
	for b.Loop() {
		c.events.observe(o)
	}
}

// quiet is a source that decides nothing.
type quiet struct{}

func (quiet) Observe(Observation) []schemas.ComponentEvent { return nil }
func (quiet) Tick(time.Time) []schemas.ComponentEvent      { return nil }
func (quiet) State() ([]byte, error)                       { return nil, nil }

// What the verdicts say of the registers reaches the source with the next read that it
// is shown.
func TestSourceLearnsThatRegistersWereRebased(t *testing.T) {
	c := mustOpen(t, testOptions(t, newKeys(t), t.TempDir()))
	defer c.Close()
	s := new(counting)
	c.events.source = s
	l := newLineLoop(Line{Name: "a", Meters: []Meter{{ID: "m", Interval: time.Minute}}}, time.Now(), nil, c.metrics, c.board, silent)
	l.events = c.events
	m := l.meters[0]
	m.rebased = true
	c.events.blind, c.events.waiting = true, make([]schemas.ComponentEvent, maxEventsWaiting)
	l.show(m, time.Now(), nil, failure(adapters.Transient))
	c.events.waiting = nil
	for range 2 {
		l.show(m, time.Now(), nil, failure(adapters.Transient))
	}
	if len(s.seen) != 2 || !s.seen[0].Rebased || s.seen[1].Rebased {
		t.Errorf("shown %+v", s.seen)
	}
	for e, want := range map[verdict.Event]bool{verdict.Rollover: true, verdict.Reset: true, verdict.Swap: true, verdict.Opened: true,
		verdict.Withdrawn: true, verdict.Returned: false} {
		if rebases(e) != want {
			t.Errorf("%s: %v", e, !want)
		}
	}
}
