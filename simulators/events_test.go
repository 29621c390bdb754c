package simulators

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
)

// eventFleet returns a configuration whose last meters are an RTU meter, a
// DL/T 645 meter with a clock, and a CJ/T 188 meter; and the ids of the first
// two.
func eventFleet(t *testing.T) (c FleetConfig, plain, clocked schemas.MeterID) {
	t.Helper()
	c = FleetConfig{Meters: 12, StreamLines: 4, MetersPerLine: 3, Baud: NoPacing, Seed: 1, Start: start}
	f, err := NewFleet(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range f.Meters {
		if m.DLT645 != nil && hasClock(&m.MeterConfig) {
			clocked = m.ID
		} else if m.Profile != nil {
			plain = m.ID
		}
	}
	return c, plain, clocked
}

func TestEventsHappen(t *testing.T) {
	c, plain, clocked := eventFleet(t)
	c.Events = []Event{
		{At: 10 * time.Second, Meter: plain, What: Dies},
		{At: 20 * time.Second, Meter: clocked, What: Reboots, For: 5 * time.Second},
		{At: 30 * time.Second, Meter: clocked, What: ClockJumps, By: -2 * time.Hour},
		{At: time.Minute, Meter: clocked, What: Resets},
		{At: 2 * time.Minute, Meter: clocked, What: IsSwapped},
	}
	f, err := NewFleet(c)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := f.Meter(plain)
	k, _ := f.Meter(clocked)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	for _, tt := range []struct {
		what      string
		got, want bool
	}{
		{"alive before", m.Silent(at(9)), false},
		{"dead", m.Silent(at(10)), true},
		{"dead for ever", m.Silent(at(1e6)), true},
		{"up", k.Silent(at(19)), false},
		{"reboots", k.Silent(at(22)), true},
		{"up again", k.Silent(at(25)), false},
		{"right clock", k.Clock(at(29)).Equal(at(29)), true},
		{"wrong clock", k.Clock(at(30)).Equal(at(30).Add(-2 * time.Hour)), true},
		{"another serial number", k.Serial(at(121)) == k.Serial(at(119)), false},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v", tt.what, tt.got)
		}
	}
	if !k.ResetAt.Equal(at(60)) || !k.SwapAt.Equal(at(120)) {
		t.Errorf("reset %s, swapped %s", k.ResetAt, k.SwapAt)
	}
}

func TestEventsRefused(t *testing.T) {
	c, plain, clocked := eventFleet(t)
	for want, e := range map[string][]Event{
		"no meter X-1":    {{Meter: "X-1", What: Dies}},
		"no such event":   {{Meter: plain, What: "explodes"}},
		"before":          {{At: -1, Meter: plain, What: Dies}},
		"for 0s":          {{Meter: plain, What: Reboots}},
		"for 1s":          {{Meter: plain, What: Dies, For: time.Second}},
		"by 0s":           {{Meter: clocked, What: ClockJumps}},
		"by 1h":           {{Meter: clocked, What: Resets, By: time.Hour}},
		"it has no clock": {{Meter: plain, What: ClockJumps, By: time.Hour}},
		"already":         {{Meter: plain, What: Dies}, {Meter: plain, What: Reboots, For: 1}},
	} {
		c.Events = e
		if _, err := NewFleet(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", e, err, want)
		}
	}
}

// TestGatewayHeedsEvents: a meter that has died behind a gateway is silent.
func TestGatewayHeedsEvents(t *testing.T) {
	c := FleetConfig{Meters: 1, Seed: 1, Start: time.Now()}
	f, err := NewFleet(c)
	if err != nil {
		t.Fatal(err)
	}
	c.Events = []Event{{Meter: f.Meters[0].ID, What: Dies}}
	if f, err = NewFleet(c); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := f.Listen(ctx, "127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	conn := openLine(t, f.Lines()[0])
	m := f.Meters[0]
	if _, err := conn.Write(ask(1, m.Unit, m.readable[0].Function, m.readable[0].From, 1)); err != nil {
		t.Fatal(err)
	}
	for f.Gateways[0].Stats().Requests == 0 && t.Context().Err() == nil {
		runtime.Gosched()
	}
	_ = conn.Close()
	cancel()
	if err := f.Wait(); err != nil {
		t.Error(err)
	}
	if s := f.Gateways[0].Stats(); s.Silent != 1 {
		t.Errorf("%+v, want one silence", s)
	}
}
