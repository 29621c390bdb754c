package detect

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"citygrid/schemas"
)

// world is a random city of one collector: meters whose conditions come and go,
// reads that are lost, late, doubted, from a memory, and lines that fail.
type world struct {
	r      *rand.Rand
	meters []Meter
	volume, back,
	flow, tilt, credit map[schemas.MeterID]int // of a thousandth
	dead map[schemas.MeterID]bool
	down map[string]bool
	zone *time.Location
}

func newWorld(seed uint64) *world {
	w := &world{r: rand.New(rand.NewPCG(seed, 7)), volume: map[schemas.MeterID]int{}, back: map[schemas.MeterID]int{},
		flow: map[schemas.MeterID]int{}, tilt: map[schemas.MeterID]int{}, credit: map[schemas.MeterID]int{},
		dead: map[schemas.MeterID]bool{}, down: map[string]bool{}, zone: time.FixedZone("CST", 8*3600)}
	for i := range 5 {
		w.meters = append(w.meters, Meter{ID: schemas.MeterID(fmt.Sprintf("m%d", i)), Line: []string{"a", "a", "a", "b", "c"}[i], Interval: time.Minute})
	}
	return w
}

// rules are short enough for an hour of such a world to hold many events.
func (w *world) rules() Rules {
	return Rules{Set: Set{
		MaxGap:       new(5 * time.Minute),
		Leak:         Leak{Window: new("00:10-00:30"), Nights: new(1), ClearAfter: new(10 * time.Minute)},
		Burst:        Burst{For: new(2 * time.Minute), ClearFor: new(2 * time.Minute)},
		ReverseFlow:  ReverseFlow{Within: new(20 * time.Minute), ClearAfter: new(5 * time.Minute), For: new(2 * time.Minute)},
		ValveStuck:   ValveStuck{For: new(3 * time.Minute)},
		MeterOffline: MeterOffline{After: new(2), Hold: new(time.Duration(0))},
	}}
}

func (w *world) detector(t testing.TB) *Detector {
	d, err := New(w.rules(), Site{Collector: "c001", Zone: w.zone, Meters: w.meters})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// step is what a minute brings to one meter.
type step struct {
	meter    schemas.MeterID
	line     string
	at       time.Time
	readings []schemas.Reading
	decides  bool
	silent   bool
	cause    Cause
	rebased  bool
}

func (w *world) happens(n int) bool { return w.r.IntN(n) == 0 }

func (w *world) step(m Meter, at time.Time) step {
	id := m.ID
	if w.happens(40) {
		w.flow[id] = []int{0, 0, 30, 3, 4000, -200}[w.r.IntN(6)]
	}
	if w.happens(30) {
		w.tilt[id] = []int{0, 12, 40}[w.r.IntN(3)]
	}
	if w.happens(30) {
		w.credit[id] = []int{0, -2, 50}[w.r.IntN(3)]
	}
	if w.happens(60) {
		w.dead[id] = !w.dead[id]
	}
	if w.happens(80) {
		w.down[m.Line] = !w.down[m.Line]
	}
	if f := w.flow[id]; f > 0 {
		w.volume[id] += f / 60 * 10
	} else {
		w.back[id] -= f / 60 * 10
	}
	s := step{meter: id, line: m.Line, at: at, decides: true}
	switch {
	case w.down[m.Line]:
		s.silent, s.cause = true, LineDown
	case w.dead[id]:
		s.silent = true
	case w.happens(20):
		return step{}
	}
	if s.silent {
		return s
	}
	s.readings = readOf(id, at, "water.volume.forward", cubicMetres(100000+w.volume[id]/10), "water.volume.reverse", cubicMetres(w.back[id]/10),
		"water.flow", cubicMetres(w.flow[id]), "device.cover.tilt", fmt.Sprint(w.tilt[id]), "water.credit.volume", fmt.Sprint(w.credit[id]),
		"water.valve.state", fmt.Sprint(max(0, w.tilt[id]/14)), "device.battery.voltage", "3.6")
	if w.happens(3) { // a driver that could not read all
		s.readings = s.readings[:w.r.IntN(len(s.readings)+1)]
	}
	switch w.r.IntN(12) {
	case 0:
		s.readings = suspect(s.readings, []schemas.Reason{schemas.ReasonJump, schemas.ReasonClock, schemas.ReasonSwap}[w.r.IntN(3)])
		s.decides = false
	case 1:
		for i := range s.readings {
			s.readings[i].Origin = schemas.LoadRecord
		}
		s.decides = false
	case 2:
		for i := range s.readings {
			s.readings[i].TakenAt = at.Add(-time.Duration(2+w.r.IntN(3000)) * time.Minute)
		}
		s.decides = false
	case 3:
		s.rebased = true
	}
	return s
}

// play gives a step to a Detector.
func play(d *Detector, s step) (events []schemas.ComponentEvent) {
	switch {
	case s.meter == "":
		return nil
	case s.silent:
		return d.Silent(s.meter, s.line, s.at, s.cause)
	}
	if s.rebased {
		d.Rebased(s.meter)
	}
	events = append(events, d.Observe(s.readings)...)
	return append(events, d.Answered(s.meter, s.line, s.at)...)
}

// ledger checks that events open and clear in turn.
type ledger struct {
	open map[string]schemas.ComponentEvent
	ids  map[schemas.EventID]bool
}

func (l *ledger) add(t *testing.T, e schemas.ComponentEvent) {
	t.Helper()
	key := fmt.Sprintf("%s/%s/%s", e.Meter, e.Line, e.Kind)
	before, is := l.open[key]
	if err := e.Validate(); err != nil {
		t.Fatalf("%+v: %v", e, err)
	}
	switch e.Phase {
	case schemas.EventOpened:
		if is || l.ids[e.ID] || e.ID != schemas.EventIDOf("c001", &e) {
			t.Fatalf("opened while open, or under a used or wrong id: %+v", e)
		}
		l.open[key], l.ids[e.ID] = e, true
	case schemas.EventCleared:
		if !is || before.ID != e.ID || e.TakenAt.Before(before.TakenAt) || !e.Since.Equal(before.Since) || e.Affected != before.Affected {
			t.Fatalf("cleared %+v, open was %+v", e, before)
		}
		delete(l.open, key)
	}
}

// For random cities: never two open events of one subject and kind, each cleared
// one was open, nothing comes of what may not decide, Open knows what is open,
// and a restart at any point changes nothing.
func TestRandomCities(t *testing.T) {
	kinds := map[schemas.EventKind]int{}
	for seed := range uint64(10) {
		w := newWorld(seed)
		d, twin := w.detector(t), w.detector(t)
		l := &ledger{open: map[string]schemas.ComponentEvent{}, ids: map[schemas.EventID]bool{}}
		take := func(decides bool, mine, its []schemas.ComponentEvent) {
			t.Helper()
			if fmt.Sprint(mine) != fmt.Sprint(its) {
				t.Fatalf("seed %d: without a restart %v\nwith %v", seed, mine, its)
			}
			for _, e := range mine {
				l.add(t, e)
				kinds[e.Kind]++
				if offline := e.Quantity == "" && (e.Kind == schemas.EventMeterOffline || e.Meter == ""); !decides && !offline {
					t.Fatalf("seed %d: %+v came of readings that decide nothing", seed, e)
				}
			}
			if open := d.Open(); len(open) != len(l.open) {
				t.Fatalf("seed %d: %d open, want %d", seed, len(open), len(l.open))
			}
		}
		for minute := range 400 {
			at := start.Add(time.Duration(minute) * time.Minute)
			for i, m := range w.meters {
				s := w.step(m, at.Add(time.Duration(i)*time.Second))
				take(s.decides, play(d, s), play(twin, s))
				if w.happens(10) {
					twin = restarted(t, twin, w.detector(t))
				}
			}
			now := at.Add(30 * time.Second)
			take(true, d.Tick(now), twin.Tick(now))
		}
	}
	for _, k := range []schemas.EventKind{schemas.EventLeak, schemas.EventReverseFlow, schemas.EventCoverOpen, schemas.EventCreditOut,
		schemas.EventValveStuck, schemas.EventMeterOffline, schemas.EventLineOffline, schemas.EventGatewayGone} {
		if kinds[k] < 10 {
			t.Errorf("only %d of %s: these cities prove nothing of it", kinds[k], k)
		}
	}
	t.Log(kinds)
}

func restarted(t *testing.T, old, fresh *Detector) *Detector {
	t.Helper()
	state, err := old.State()
	if err != nil {
		t.Fatal(err)
	}
	if err := fresh.Restore(state); err != nil {
		t.Fatal(err)
	}
	if again, _ := fresh.State(); !bytes.Equal(again, state) {
		t.Fatalf("%s\ncame back as\n%s", state, again)
	}
	return fresh
}
