package detect

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
)

// used returns a Detector with a bit of everything in its memory.
func used(t testing.TB, steps int) (*Detector, *world) {
	w := newWorld(11)
	d := w.detector(t)
	for minute := range steps {
		for _, m := range w.meters {
			play(d, w.step(m, start.Add(time.Duration(minute)*time.Minute)))
		}
		d.Tick(start.Add(time.Duration(minute) * time.Minute))
	}
	return d, w
}

func TestRestoreRefuses(t *testing.T) {
	d, w := used(t, 200)
	state, err := d.State()
	if err != nil || len(d.Open()) == 0 {
		t.Fatal(err, "or nothing open")
	}
	good := string(state)
	for name, bad := range map[string]string{
		"empty":             "",
		"no JSON":           "hello",
		"cut":               good[:len(good)/2],
		"followed":          good + "{}",
		"space":             " " + good,
		"another version":   strings.Replace(good, `"version":1`, `"version":2`, 1),
		"another collector": strings.Replace(good, `"c001"`, `"c002"`, 1),
		"unknown field":     strings.Replace(good, `"version":1`, `"version":1,"x":1`, 1),
		"field twice":       strings.Replace(good, `"version":1`, `"version":1,"version":1`, 1),
		"another case":      strings.Replace(good, `"version"`, `"Version"`, 1),
		"an id of letters":  strings.Replace(good, string(d.Open()[0].ID), strings.Repeat("z", 32), 1),
		"a kind of a line":  `{"version":1,"collector":"c001","meters":{"m0":{"open":{"line_offline":{"id":"` + strings.Repeat("0", 32) + `","since":0,"at":0,"affected":1,"note":""}}}}}`,
		"a null meter":      `{"version":1,"collector":"c001","meters":{"m0":null}}`,
		"a null event":      `{"version":1,"collector":"c001","meters":{"m0":{"open":{"leak":null}}}}`,
		"a null line":       `{"version":1,"collector":"c001","lines":{"a":null}}`,
		"a year far off":    `{"version":1,"collector":"c001","meters":{"m0":{"open":{"leak":{"id":"` + strings.Repeat("0", 32) + `","since":0,"at":9000000000000000,"affected":1,"note":""}}}}}`,
		"too long":          strings.Repeat(" ", maxState+1),
	} {
		fresh := restarted(t, d, w.detector(t))
		if err := fresh.Restore([]byte(bad)); err == nil || !errors.Is(err, errState) {
			t.Errorf("%s: error %v", name, err)
		}
		if again, _ := fresh.State(); string(again) != `{"version":1,"collector":"c001"}` || len(fresh.Open()) != 0 {
			t.Errorf("%s: left %s", name, again)
		}
	}
}

// What is watched no more is cleared, at the first Tick and not before.
func TestWatchedNoMore(t *testing.T) {
	tilt := func(d *Detector) {
		for i := range 3 {
			d.Observe(read(start.Add(time.Duration(i)*time.Minute), "device.cover.tilt", "90", "water.flow", "9"))
		}
	}
	d := one(t, Rules{})
	tilt(d)
	state, _ := d.State()
	make := func(rules Rules, id schemas.MeterID) *Detector {
		d, err := New(rules, Site{Collector: "c001", Meters: []Meter{{ID: id, Line: "l", Interval: quarter}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Restore(state); err != nil {
			t.Fatal(err)
		}
		return d
	}
	other := make(Rules{}, "z")
	if again, _ := other.State(); !strings.Contains(string(again), `"cover_open"`) || len(other.Open()) != 1 {
		t.Errorf("forgotten: %s", again)
	}
	off := make(Rules{Set: Set{CoverOpen: CoverOpen{Off: new(true)}}}, "m")
	for name, d := range map[string]*Detector{"another site": other, "rule off": off} {
		l := &log{t: t, d: d}
		l.add(d.Tick(start.Add(time.Hour)))
		l.want("03T01:00:00 m cover_open -")
		l.add(d.Tick(start.Add(2 * time.Hour)))
		if len(l.lines) != 1 || len(d.Open()) != 0 {
			t.Errorf("%s: %q", name, l.lines)
		}
	}
	// Lines too.
	ids := []schemas.MeterID{"a", "b"}
	l := &log{t: t, d: lineOf(t, Rules{}, ids...)}
	script(l, ids, "++ -- -- -- -- --", nil)
	state, _ = l.d.State()
	for name, d := range map[string]*Detector{"another line": make(Rules{}, "z"), "rule off": lineOf(t, Rules{LineOffline: LineOffline{Off: new(true)}}, ids...)} {
		if name == "another line" {
			d, _ = New(Rules{}, Site{Collector: "c001", Meters: []Meter{{ID: "a", Line: "k", Interval: quarter}}})
		}
		if err := d.Restore(state); err != nil {
			t.Fatal(err)
		}
		if again, _ := d.State(); !strings.Contains(string(again), "line_offline") {
			t.Errorf("%s: forgotten", name)
		}
		if got := d.Tick(start.Add(time.Hour)); len(got) == 0 || got[0].Kind != schemas.EventLineOffline || got[0].Phase != schemas.EventCleared {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// FuzzRestore: any bytes are refused or taken; what is taken comes back the same,
// and the Detector goes on by the rules of one open event.
func FuzzRestore(f *testing.F) {
	for _, n := range []int{0, 1, 50, 200} {
		d, _ := used(f, n)
		state, err := d.State()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(state)
	}
	f.Add([]byte(`{"version":1,"collector":"c001","meters":{"m0":{"memory":{"leak":{"vol":{"last":{"v":"1","at":-9223372036854775808}}}}}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		w := newWorld(11)
		d := w.detector(t)
		if err := d.Restore(data); err == nil {
			if again, err := d.State(); err != nil || string(again) != string(data) {
				t.Fatalf("%q came back as %q, %v", data, again, err)
			}
		}
		open := map[string]bool{}
		for _, e := range d.Open() {
			open[fmt.Sprint(e.Meter, e.Line, e.Kind)] = true
		}
		for minute := range 60 {
			at := start.Add(time.Duration(300+minute) * time.Minute)
			var all []schemas.ComponentEvent
			for _, m := range w.meters {
				all = append(all, play(d, w.step(m, at))...)
			}
			for _, e := range append(all, d.Tick(at)...) {
				key := fmt.Sprint(e.Meter, e.Line, e.Kind)
				if opens := e.Phase == schemas.EventOpened; opens == open[key] {
					t.Fatalf("%+v while open is %t", e, open[key])
				}
				open[key] = !open[key]
				if err := e.Validate(); err != nil {
					t.Fatalf("%+v: %v", e, err)
				}
			}
		}
	})
}
