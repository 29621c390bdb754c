package simulators

import (
	"math"
	"strings"
	"testing"
	"time"

	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

func profileOf(t *testing.T, id string) *profiles.Profile {
	t.Helper()
	set, err := profiles.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	p, err := set.Get(id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// troubledFleet is a sound city of one model, with events for its first meter.
func troubledFleet(t *testing.T, profile string, events ...Event) *Meter {
	t.Helper()
	c := FleetConfig{Meters: 3, Seed: 5, Start: start, Sound: true, Profiles: []*profiles.Profile{profileOf(t, profile)}, Events: events}
	f, err := NewFleet(c)
	if err != nil {
		t.Fatal(err)
	}
	return f.Meters[0]
}

func shownAt(t *testing.T, m *Meter, q schemas.Quantity, at time.Time) float64 {
	t.Helper()
	v, missing, ok := m.Expected(q, at)
	if !ok || missing != "" {
		t.Fatalf("%s at %s: %q", q, at, missing)
	}
	return v.Float64()
}

func TestTroubles(t *testing.T) {
	const from, long = time.Minute, time.Hour
	for _, tt := range []struct {
		profile, what string
		quantity      schemas.Quantity
		sound, wrong  float64 // the value is at least so far on that side of their middle
	}{
		{"generic-cover-sensor", CoverOpens, "device.cover.state", 0, 1},
		{"generic-cover-sensor", CoverOpens, "device.cover.tilt", 2, 60},
		{"generic-cover-sensor", Floods, "device.chamber.level", 0.1, 0.9},
		{"generic-cover-sensor", Floods, "device.chamber.float", 0, 1},
		{"generic-cover-sensor", BatteryFades, "device.battery.state", 0, 1},
		{"xintai-prepaid-water", BatteryFades, "device.battery.voltage", 3.4, 3},
		{"xintai-prepaid-water", ValveSticks, "water.valve.state", 1, 2},
		{"tuf-2000m", FlowsBack, "water.flow", 0, -0.01},
	} {
		first := "W-000001"
		m := troubledFleet(t, tt.profile, Event{At: from, Meter: schemas.MeterID(first), What: tt.what, For: long})
		for after, wrong := range map[time.Duration]bool{from - time.Second: false, from: true, from + long - time.Second: true, from + long: false} {
			v := shownAt(t, m, tt.quantity, start.Add(after))
			if got := math.Abs(v-tt.wrong) < math.Abs(v-tt.sound); got != wrong {
				t.Errorf("%s %s %s after %s: %v", tt.profile, tt.what, tt.quantity, after, v)
			}
		}
	}
}

// What has run back stands in the reverse register, and in no other.
func TestFlowsBack(t *testing.T) {
	events := []Event{{At: time.Hour, Meter: "W-000001", What: FlowsBack, For: 2 * time.Hour}}
	m, twin := troubledFleet(t, "xintai-prepaid-water", events...), troubledFleet(t, "xintai-prepaid-water")
	end := start.Add(5 * time.Hour)
	if by := shownAt(t, m, "water.volume.reverse", end) - shownAt(t, twin, "water.volume.reverse", end); math.Abs(by-2*backFlow) > 0.01 {
		t.Errorf("%v m3 ran back in two hours, want %v", by, 2*backFlow)
	}
	if shownAt(t, m, "water.volume.forward", end) != shownAt(t, twin, "water.volume.forward", end) {
		t.Error("the forward register has moved with it")
	}
	if day := start.AddDate(0, 0, 9); shownAt(t, twin, "water.volume.reverse", day) != shownAt(t, twin, "water.volume.reverse", start) {
		t.Error("water runs back through a sound meter")
	}
}

// A relay that sticks is not where the command is.
func TestRelaySticks(t *testing.T) {
	p := &profiles.Profile{ID: "relay", Medium: schemas.Power, MaxRegisters: 9, Fields: []profiles.Field{
		{Quantity: "power.relay.state", States: map[uint16]uint8{0: 0, 1: 1}, Parts: []profiles.Part{{Function: 3, At: 0, Type: profiles.U16, Words: 1, Order: profiles.ABCD, Times: 1}}},
		{Quantity: "power.relay.command", States: map[uint16]uint8{0: 0, 1: 1}, Parts: []profiles.Part{{Function: 3, At: 1, Type: profiles.U16, Words: 1, Order: profiles.ABCD, Times: 1}}}}}
	for seed := range uint64(64) {
		m, err := NewMeter(MeterConfig{ID: "R", Profile: p, Unit: 1, Seed: seed, Start: start, Sound: true,
			Troubles: []Trouble{{What: ValveSticks, At: start.Add(10 * time.Hour)}}})
		if err != nil {
			t.Fatal(err)
		}
		for h := range 20 {
			at := start.Add(time.Duration(h) * time.Hour)
			if agree := shownAt(t, m, "power.relay.state", at) == shownAt(t, m, "power.relay.command", at); agree != (h < 10) {
				t.Fatalf("seed %d, hour %d: agree %t", seed, h, agree)
			}
		}
	}
}

// The register of a sound meter stands in the quiet hours, its flow is what the
// register does, and a day is a day's consumption.
func TestSoundNights(t *testing.T) {
	for _, begin := range []time.Time{start, start.Add(7 * time.Hour), start.Add(13*time.Hour + 123*time.Second)} {
		m, err := NewMeter(MeterConfig{ID: "S", Profile: profileOf(t, "tuf-2000m"), Unit: 1, Seed: 9, Start: begin, Sound: true})
		if err != nil {
			t.Fatal(err)
		}
		volume := func(at time.Time) float64 { return m.instant(m.stepOf(at)).used }
		for minute := range 3 * 24 * 60 {
			at := begin.Add(time.Duration(minute) * time.Minute)
			rose := volume(at.Add(time.Minute)) - volume(at)
			of := wall(at)
			quiet := of.Hour() >= 1 && of.Hour() < 5
			edge := wall(at.Add(time.Minute)).Hour() != of.Hour()
			in := m.instant(m.stepOf(at))
			if rose < 0 || !edge && (quiet != (rose == 0) || quiet != (in.rate == 0)) {
				t.Fatalf("at %s: rose %v, rate %v", of, rose, in.rate)
			}
			if flows := in.rate * m.traits.mean / 60; !edge && math.Abs(flows-rose) > 0.02*flows+1e-9 {
				t.Fatalf("at %s: rose %v, by the flow %v", of, rose, flows)
			}
		}
		week := begin.AddDate(0, 0, 7)
		if mean := (volume(week) - volume(begin)) / (7 * 24 * m.traits.mean); math.Abs(mean-1) > 0.01 {
			t.Errorf("a week has %v of its mean consumption", mean)
		}
	}
}

func TestTroublesRefused(t *testing.T) {
	for want, e := range map[string]Event{
		"flows-back: a meter of power":  {What: FlowsBack},
		"cover-opens: a meter of power": {What: CoverOpens},
		"floods: ":                      {What: Floods},
		"battery-fades: ":               {What: BatteryFades},
		"valve-sticks: ":                {What: ValveSticks},
		"for -1s":                       {What: Floods, For: -time.Second},
		"by 1h":                         {What: Floods, By: time.Hour},
		"there are dies, ":              {What: "sticks"},
	} {
		e.Meter = "P-000001"
		c := FleetConfig{Meters: 1, Seed: 5, Start: start, Profiles: []*profiles.Profile{profileOf(t, "eastron-sdm120")}, Events: []Event{e}}
		if _, err := NewFleet(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", e, err, want)
		}
	}
	if _, err := NewMeter(MeterConfig{ID: "X", Profile: profileOf(t, "tuf-2000m"), Unit: 1, Start: start, Troubles: []Trouble{{What: "rusts"}}}); err == nil {
		t.Error("a trouble that nobody knows is taken")
	}
}
