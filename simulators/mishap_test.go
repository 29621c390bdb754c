package simulators

import (
	"errors"
	"math"
	"testing"
	"time"

	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// leaky is a fleet of one water meter that counts forward.
func leaky(t *testing.T, c FleetConfig) (*Fleet, *Meter) {
	t.Helper()
	set, err := profiles.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	p, err := set.Get("tuf-2000m")
	if err != nil {
		t.Fatal(err)
	}
	c.Meters, c.Profiles, c.Start = 8, []*profiles.Profile{p}, start
	f, err := NewFleet(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range f.Meters {
		if m.traits.sign > 0 {
			return f, m
		}
	}
	t.Fatal("every meter runs backwards")
	return nil, nil
}

func readingOf(t *testing.T, m *Meter, q schemas.Quantity, at time.Time) schemas.Reading {
	t.Helper()
	v, _, ok := m.Expected(q, at)
	if !ok {
		t.Fatalf("no %s", q)
	}
	info, _ := q.Info()
	return schemas.Reading{Meter: m.ID, Quantity: q, Unit: info.Unit, Value: v, TakenAt: at}
}

func decimalOf(d schemas.Decimal) float64 { return float64(d.Mantissa) * math.Pow10(int(d.Exponent)) }

// TestLeakOnDemand: the flow and the register show the leak from its first step to its
// last, what was shown before stays, and an oracle that is told of it agrees.
func TestLeakOnDemand(t *testing.T) {
	const flow = 4.5
	f, m := leaky(t, FleetConfig{Seed: 3})
	oracle, same := leaky(t, FleetConfig{Seed: 3})
	at := func(d time.Duration) time.Time { return start.Add(time.Minute + d) }
	before := readingOf(t, m, "water.flow", at(0))
	begun, err := f.Begin(m.ID, Leaks, flow, at(0))
	if err != nil {
		t.Fatal(err)
	}
	if !begun.From.After(at(0)) || begun.From.After(at(2*time.Second)) {
		t.Fatalf("begins at %s, asked at %s", begun.From, at(0))
	}
	if now := readingOf(t, m, "water.flow", at(0)); now.Value != before.Value {
		t.Errorf("what was shown before is %s, was %s", now.Value, before.Value)
	}
	if _, err := f.Begin(m.ID, Leaks, flow, at(time.Second)); !errors.Is(err, ErrMishap) {
		t.Errorf("a second leak at the same time: %v", err)
	}
	later := readingOf(t, m, "water.flow", begun.From)
	if by := decimalOf(later.Value) - decimalOf(before.Value); math.Abs(by-flow) > 0.01 {
		t.Errorf("the flow went up by %v", by)
	}
	if err := oracle.Check(later, 0); err == nil {
		t.Error("an oracle that knows nothing of the leak takes its flow for right")
	}
	ended, err := f.Mend(m.ID, Leaks, begun.From.Add(time.Hour-2*time.Second))
	if err != nil || ended.To.Sub(ended.From) != time.Hour {
		t.Fatalf("%+v, %v", ended, err)
	}
	if err := oracle.Suffer(f.Mishaps()); err != nil {
		t.Fatal(err)
	}
	for _, q := range []schemas.Quantity{"water.flow", "water.volume.forward", "water.volume.net"} {
		for _, when := range []time.Time{at(0), begun.From, begun.From.Add(time.Minute), ended.To, ended.To.Add(time.Hour)} {
			if err := oracle.Check(readingOf(t, m, q, when), 0); err != nil {
				t.Error(err)
			}
		}
	}
	_, twin := leaky(t, FleetConfig{Seed: 3})
	end := ended.To.Add(time.Minute)
	gone := decimalOf(readingOf(t, same, "water.volume.forward", end).Value) - decimalOf(readingOf(t, twin, "water.volume.forward", end).Value)
	if math.Abs(gone-flow) > 0.001 {
		t.Errorf("%v m3 ran out in an hour of %v m3/h", gone, flow)
	}
	if readingOf(t, same, "water.flow", end).Value != readingOf(t, twin, "water.flow", end).Value {
		t.Error("the flow is another one after the repair")
	}
}

func TestSilenceOnDemand(t *testing.T) {
	f, m := leaky(t, FleetConfig{Seed: 3})
	begun, err := f.Begin(m.ID, Silent, 0, start)
	if err != nil {
		t.Fatal(err)
	}
	ended, err := f.Mend(m.ID, Silent, start.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		at   time.Time
		want bool
	}{{begun.From.Add(-1), false}, {begun.From, true}, {ended.To.Add(-1), true}, {ended.To, false}} {
		if m.Silent(tt.at) != tt.want {
			t.Errorf("silent at %s: %v", tt.at, !tt.want)
		}
	}
	if _, err := f.Mend(m.ID, Silent, start.Add(time.Hour)); !errors.Is(err, ErrMishap) {
		t.Errorf("mended twice: %v", err)
	}
}

// TestLeakOfAResetMeter: what ran out before a reset is not in the register after it.
func TestLeakOfAResetMeter(t *testing.T) {
	_, healthy := leaky(t, FleetConfig{Seed: 3})
	reset := start.Add(time.Hour)
	events := []Event{{At: time.Hour, Meter: healthy.ID, What: Resets}}
	f, m := leaky(t, FleetConfig{Seed: 3, Events: events})
	_, twin := leaky(t, FleetConfig{Seed: 3, Events: events})
	if _, err := f.Begin(m.ID, Leaks, 6, start); err != nil {
		t.Fatal(err)
	}
	at := reset.Add(time.Hour)
	if by := decimalOf(readingOf(t, m, "water.volume.forward", at).Value) - decimalOf(readingOf(t, twin, "water.volume.forward", at).Value); math.Abs(by-6) > 0.001 {
		t.Errorf("%v m3 of the leak stand in the register an hour after the reset, want 6", by)
	}
}

func TestMishapsThatCannotBe(t *testing.T) {
	f, err := NewFleet(FleetConfig{Meters: 120, Seed: 1, Start: start})
	if err != nil {
		t.Fatal(err)
	}
	var power, back, water schemas.MeterID
	for _, m := range f.Meters {
		switch {
		case m.medium == schemas.Power:
			power = m.ID
		case m.medium == schemas.Water && m.traits.sign < 0:
			back = m.ID
		case m.medium == schemas.Water:
			water = m.ID
		}
	}
	for _, tt := range []struct {
		name  string
		meter schemas.MeterID
		what  string
		flow  float64
	}{
		{"no such meter", "W-999999", Leaks, 1},
		{"a leak of power", power, Leaks, 1},
		{"a leak upstream of nothing", back, Leaks, 1},
		{"a leak of nothing", water, Leaks, 0},
		{"a leak of less", water, Leaks, -1},
		{"a leak of a number that is none", water, Leaks, math.NaN()},
		{"a flood", water, Leaks, MaxLeak + 1},
		{"silence that flows", water, Silent, 1},
		{"something else", water, "sings", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := f.Begin(tt.meter, tt.what, tt.flow, start); !errors.Is(err, ErrMishap) {
				t.Errorf("begun: %v", err)
			}
			if err := f.Suffer([]Mishap{{Meter: tt.meter, What: tt.what, Flow: tt.flow, From: start}}); !errors.Is(err, ErrMishap) {
				t.Errorf("suffered: %v", err)
			}
			if len(f.Mishaps()) != 0 {
				t.Errorf("there are %+v", f.Mishaps())
			}
		})
	}
}
