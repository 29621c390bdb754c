package detect

import (
	"testing"
	"time"
)

// shows reports by brute force whether the clock shows a time in the window.
func shows(z *time.Location, at time.Time, from, to int) bool {
	w := at.In(z)
	s := w.Hour()*3600 + w.Minute()*60 + w.Second()
	if from < to {
		return s >= from && s < to
	}
	return s >= from || s < to
}

// The windows of every zone are those that the clock shows, on the days on which
// it is changed too.
func TestCalendar(t *testing.T) {
	for _, name := range []string{"Asia/Shanghai", "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago", "Africa/Cairo"} {
		z := zone(t, name)
		for _, window := range []string{"02:00-04:00", "23:00-01:00", "00:00-24:00", "01:30-02:30", "02:15-02:45", "23:59:30-00:00:30", "12:00-11:00", "00:00-00:30"} {
			from, to, err := parseWindow(window)
			if err != nil {
				t.Fatal(err)
			}
			c := &calendar{zone: z, start: from, end: to}
			var last span
			for at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2027; at = at.Add(17 * time.Minute) {
				w := c.at(at.UnixMilli())
				if w.from > at.UnixMilli() || w.to < w.from || w.from < last.from {
					t.Fatalf("%s %s: at %s window %v after %v", name, window, at, w, last)
				}
				last = w
				if again := (&calendar{zone: z, start: from, end: to}).at(at.UnixMilli()); again != w {
					t.Fatalf("%s %s: at %s window %v, asked afresh %v", name, window, at, w, again)
				}
				in, want := at.UnixMilli() < w.to, shows(z, at, from, to)
				// Where the clock was set back within the window it shows part of it
				// twice: the second time belongs to the same night, or to none.
				if _, offset := at.In(z).Zone(); in != want && offset == offsetAt(z, at.Add(-3*time.Hour)) && offset == offsetAt(z, at.Add(3*time.Hour)) {
					t.Fatalf("%s %s: at %s (%s) in window %t, the clock says %t", name, window, at, at.In(z), in, want)
				}
			}
		}
	}
}

func offsetAt(z *time.Location, at time.Time) int {
	_, o := at.In(z).Zone()
	return o
}

func TestCalendarWhenTheClockChanges(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	for _, tt := range []struct{ window, at, from, to string }{
		{"02:00-04:00", "2026-03-29T05:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"}, // two o'clock is three: an hour
		{"02:00-03:00", "2026-03-29T05:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"}, // there is no such hour
		{"02:30-03:30", "2026-03-29T05:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"},
		{"02:00-04:00", "2026-10-25T05:00:00Z", "2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z"}, // three hours
		{"02:30-04:00", "2026-10-25T05:00:00Z", "2026-10-25T00:30:00Z", "2026-10-25T03:00:00Z"},
		{"01:00-02:30", "2026-10-25T05:00:00Z", "2026-10-24T23:00:00Z", "2026-10-25T00:30:00Z"},
		{"23:00-02:30", "2026-10-25T05:00:00Z", "2026-10-24T21:00:00Z", "2026-10-25T00:30:00Z"},
	} {
		at, _ := time.Parse(time.RFC3339, tt.at)
		from, to, err := parseWindow(tt.window)
		if err != nil {
			t.Fatal(err)
		}
		w := (&calendar{zone: berlin, start: from, end: to}).at(at.UnixMilli())
		if got := toTime(w.from).Format(time.RFC3339); got != tt.from {
			t.Errorf("%s before %s: from %s, want %s", tt.window, tt.at, got, tt.from)
		}
		if got := toTime(w.to).Format(time.RFC3339); got != tt.to {
			t.Errorf("%s before %s: to %s, want %s", tt.window, tt.at, got, tt.to)
		}
	}
}

// A leak is found in a night of three hours, one of one hour, and one that passes
// midnight; a night without an hour decides nothing.
func TestLeakInOddNights(t *testing.T) {
	for _, tt := range []struct {
		window string
		from   time.Time
		opens  bool
	}{
		{"02:00-04:00", time.Date(2026, 3, 28, 20, 0, 0, 0, time.UTC), true},
		{"02:00-03:00", time.Date(2026, 3, 28, 20, 0, 0, 0, time.UTC), false},
		{"02:00-04:00", time.Date(2026, 10, 24, 20, 0, 0, 0, time.UTC), true},
		{"23:00-01:00", time.Date(2026, 6, 1, 18, 0, 0, 0, time.UTC), true},
	} {
		rules := Rules{Set: Set{Leak: Leak{Nights: new(1), Window: new(tt.window)}}}
		d, err := New(rules, Site{Collector: "c", Zone: zone(t, "Europe/Berlin"), Meters: []Meter{{ID: "m", Line: "l", Interval: quarter}}})
		if err != nil {
			t.Fatal(err)
		}
		l := &log{t: t, d: d}
		for i := range 40 { // ten hours
			l.observe(read(tt.from.Add(time.Duration(i)*quarter), "water.volume.forward", cubicMetres(10000+8*i)))
		}
		if opened := len(l.events) == 1; opened != tt.opens {
			t.Errorf("%s on %s: %q", tt.window, tt.from, l.lines)
		}
	}
}
