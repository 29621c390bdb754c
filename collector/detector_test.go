package collector

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"citygrid/collector/detect"
	"citygrid/schemas"
)

// burst is a pipe that is gone: 5 m3/h, or nothing.
func burst(meter schemas.MeterID, on bool, now time.Time) schemas.Reading {
	r := schemas.Reading{Meter: meter, Quantity: "water.flow", Unit: "m3/h", TakenAt: now.UTC().Truncate(time.Millisecond)}
	if on {
		r.Value = schemas.Decimal{Mantissa: 5}
	}
	return r
}

// A leak that a water meter shows is at the hub within five seconds of the deciding
// reading, and so is its end; a kill between the two changes nothing but that the first
// may come once more, under its own id, by which the hub knows it.
func TestLeakReachesTheHubOverAKill(t *testing.T) {
	w := newTown(t)
	w.hub.answer(true)
	var flows atomic.Bool
	flows.Store(true)
	read := func(context.Context) ([]schemas.Reading, error) {
		return []schemas.Reading{burst("W-1", flows.Load(), time.Now())}, nil
	}
	second := time.Second
	rules := detect.Rules{Set: detect.Set{Burst: detect.Burst{For: &second, ClearFor: &second}}}
	site := detect.Site{Collector: testID, Meters: []detect.Meter{{ID: "W-1", Line: "riser 3", Interval: 20 * time.Millisecond}}}
	o := w.options()
	o.Lines = []Line{{Name: "riser 3", Meters: []Meter{{ID: "W-1", Source: sourceFunc(read), Interval: 20 * time.Millisecond}}}}
	o.Events = Detecting(rules, site)
	c := mustOpen(t, o)
	stop := start(t, c)
	eventually(t, "the leak is at the hub", func() bool { return len(w.hub.eventNames()) > 0 })
	opened := w.hub.firstEvent()
	if late := time.Since(opened.TakenAt); late > 5*time.Second || opened.Kind != schemas.EventLeak || opened.Phase != schemas.EventOpened || opened.Meter != "W-1" {
		t.Errorf("%+v, %s late", opened, late)
	}
	eventually(t, "it is freed", func() bool { return c.Summary().EventReceipts == 1 })
	next := after(t, o, nil)
	next.Events = o.Events
	if err := stop(); err != nil {
		t.Error(err)
	}
	c = mustOpen(t, next)
	start(t, c)
	before := c.Summary().ReadsDone
	eventually(t, "the next life reads", func() bool { return c.Summary().ReadsDone > before+100 })
	flows.Store(false)
	eventually(t, "its end is at the hub", func() bool { return len(slices.Compact(w.hub.eventNames())) == 2 })
	cleared := opened
	cleared.Phase = schemas.EventCleared
	want := []string{nameOf(cleared), nameOf(opened)}
	slices.Sort(want)
	if got := slices.Compact(w.hub.eventNames()); !slices.Equal(got, want) {
		t.Errorf("the hub has %q, want %q", got, want)
	}
}

// What a source is shown becomes the right call of the detector.
func TestDetecting(t *testing.T) {
	off, minute := new(bool), time.Minute
	rules := detect.Rules{GatewayOffline: detect.GatewayOffline{Off: off, After: &minute}}
	site := detect.Site{Collector: testID}
	for _, id := range []schemas.MeterID{"a", "b"} {
		site.Meters = append(site.Meters, detect.Meter{ID: id, Line: "l", Interval: time.Minute})
	}
	s, err := Detecting(rules, site)(nil)
	if err != nil {
		t.Fatal(err)
	}
	now := at("2026-01-01T00:00:00Z")
	kinds := func(minutes int, o Observation) (got []schemas.EventKind) {
		for range minutes {
			now = now.Add(time.Minute)
			for _, id := range []schemas.MeterID{"a", "b"} {
				o.Meter, o.Line, o.At = id, "l", now
				for _, e := range s.Observe(o) {
					got = append(got, e.Kind+schemas.EventKind(" "+e.Phase))
				}
			}
			for _, e := range s.Tick(now) {
				got = append(got, e.Kind+schemas.EventKind(" "+e.Phase))
			}
		}
		return got
	}
	for _, step := range []struct {
		name string
		o    Observation
		want []schemas.EventKind
	}{
		{"all is well", Observation{Answered: true}, nil},
		{"the gateway goes", Observation{Unreachable: true}, []schemas.EventKind{"gateway_offline opened"}},
		{"it is back", Observation{Answered: true}, []schemas.EventKind{"gateway_offline cleared"}},
		{"all meters are silent", Observation{}, []schemas.EventKind{"line_offline opened"}},
		{"they are back", Observation{Answered: true}, []schemas.EventKind{"line_offline cleared"}},
	} {
		if got := kinds(20, step.o); !slices.Equal(got, step.want) {
			t.Errorf("%s: %q, want %q", step.name, got, step.want)
		}
	}
	state, err := s.State()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Detecting(rules, site)(state); err != nil {
		t.Error(err)
	}
	if _, err := Detecting(rules, site)([]byte("{}")); err == nil {
		t.Error("took a state that nobody wrote")
	}
	if _, err := Detecting(rules, detect.Site{})(nil); err == nil {
		t.Error("took a site of no collector")
	}
}
