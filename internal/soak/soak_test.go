package soak

import (
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
	"citygrid/simulators"
)

// everyFault is the soak of the Makefile, with faults that are more frequent.
const everyFault = "late=1%,split=1%,torn=1%,duplicate=1%,wrong-unit=1%,wrong-slave=1%,wrong-checksum=1%,busy=1%," +
	"failure=1%,gateway-timeout=1%,exception=1%,slow=1%,reboot=0.1%,noise=1%,same-address=1%,echo=1%,dead=3%," +
	"late-by=600ms,slow-by=30ms,reboot-for=500ms"

func options(t *testing.T) Options {
	t.Helper()
	faults, err := simulators.ParseFaults(everyFault)
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Fleet: simulators.FleetConfig{
			Meters: 144, MetersPerGateway: 6, SerialLines: 12, StreamLines: 12, MetersPerLine: 3,
			Baud: simulators.NoPacing, Turnaround: time.Millisecond, Seed: 7, Step: 50 * time.Millisecond, Faults: faults,
		},
		Values: 60_000, For: 2 * time.Minute, Timeout: 100 * time.Millisecond,
	}
}

func TestNoValueIsWrong(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: reads 60,000 values through faulty lines")
	}
	r, err := Run(t.Context(), options(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d values in %.1f s, %d suspect, %d missing", r.Values, r.Seconds, r.Suspect, r.Missing)
	for _, text := range r.FirstWrong {
		t.Error("wrong:", text)
	}
	for _, kind := range []string{"tcp", "serial", "stream"} {
		k := r.Kinds[kind]
		if k == nil || k.Values == 0 || k.Failed == 0 {
			t.Errorf("lines of kind %s: %+v; want values, and failures by the faults", kind, k)
		}
	}
}

// TestRunRefuses: a run that checks nothing proves nothing.
func TestRunRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		want   string
		change func(*Options)
	}{
		{"number of values or a time", func(o *Options) { o.Values, o.For = 0, 0 }},
		{"timeout", func(o *Options) { o.Timeout = 0 }},
		{"no value was read", func(o *Options) { o.Fleet.Faults, o.For = simulators.Faults{Dead: 1}, 500*time.Millisecond }},
	} {
		o := options(t)
		tt.change(&o)
		if r, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("want %s: %+v, %v", tt.want, r, err)
		}
	}
}

// TestCheckerSeesTheFuture: a value that stands still is right at any moment, but
// nobody has read it at one that is yet to come.
func TestCheckerSeesTheFuture(t *testing.T) {
	o := options(t)
	o.Fleet.Faults, o.Fleet.Step = simulators.Faults{}, 100*time.Hour
	o.Fleet.Start = time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	fleet, err := simulators.NewFleet(o.Fleet)
	if err != nil {
		t.Fatal(err)
	}
	m := fleet.Meters[0]
	now := time.Now().UTC().Truncate(time.Millisecond)
	var r schemas.Reading
	for _, info := range schemas.Quantities() {
		if value, missing, ok := m.Expected(info.Quantity, now); ok && missing == "" {
			r = schemas.Reading{Meter: m.ID, Quantity: info.Quantity, Unit: info.Unit, Value: value}
			break
		}
	}
	c := newChecker(fleet, o, func() {})
	for at, wrong := range map[time.Time]uint64{now: 0, now.Add(time.Hour): 1} {
		before := c.wrong.Load()
		r.TakenAt = at
		c.check([]schemas.Reading{r})
		if got := c.wrong.Load() - before; got != wrong {
			t.Errorf("taken at %s: %d wrong, want %d: %v", at, got, wrong, c.report.FirstWrong)
		}
	}
}

// TestCheckerSeesWrongValues holds swapped registers, a stale moment and a
// foreign meter against the checker of the soak: each must count.
func TestCheckerSeesWrongValues(t *testing.T) {
	o := options(t)
	o.Fleet.Faults = simulators.Faults{}
	o.Fleet.Start = time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	fleet, err := simulators.NewFleet(o.Fleet)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().UTC().Truncate(time.Millisecond)
	var meter *simulators.Meter
	var first, second schemas.Decimal
	for _, m := range fleet.Meters {
		a, _, ok := m.Expected("power.energy.import", at)
		b, _, both := m.Expected("power.energy.export", at)
		if ok && both && a.Cmp(b) != 0 {
			meter, first, second = m, a, b
			break
		}
	}
	if meter == nil {
		t.Fatal("no meter with both energies")
	}
	reading := schemas.Reading{Meter: meter.ID, Quantity: "power.energy.import", Unit: "kW.h", Value: first, TakenAt: at}
	swapped, stale := reading, reading
	swapped.Value = second
	stale.TakenAt = at.Add(time.Hour)
	c := newChecker(fleet, o, func() {})
	for i, r := range []schemas.Reading{reading, swapped, stale} {
		before := c.wrong.Load()
		c.check([]schemas.Reading{r})
		if wrong := c.wrong.Load() > before; wrong != (i > 0) {
			t.Errorf("reading %d: wrong = %v: %v", i, wrong, c.report.FirstWrong)
		}
	}
}
