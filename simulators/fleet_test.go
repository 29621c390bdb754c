package simulators

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

func TestFleetMixture(t *testing.T) {
	f := mustFleet(t, FleetConfig{Meters: 2000, Seed: 1})
	media, models, units := map[schemas.Medium]int{}, map[string]int{}, map[string]bool{}
	for i, m := range f.Meters {
		media[m.Profile.Medium]++
		models[m.Profile.ID]++
		if err := m.ID.Validate(); err != nil {
			t.Error(err)
		}
		if !strings.HasSuffix(string(m.ID), fmt.Sprintf("-%06d", i+1)) {
			t.Errorf("meter %d is %s", i, m.ID)
		}
		key := fmt.Sprint(i/50, "/", m.Unit)
		if units[key] {
			t.Errorf("unit %s twice", key)
		}
		units[key] = true
	}
	if media[schemas.Power] != 1000 || media[schemas.Water] != 600 || media[schemas.Gas] != 400 {
		t.Errorf("media %v", media)
	}
	set, err := profiles.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range set.IDs() {
		if models[id] == 0 && id != "generic-cover-sensor" { // no meter: given in Profiles by who wants it
			t.Errorf("no %s in the mixture", id)
		}
	}
	if average := float64(f.Values()) / 2000; average < 11 {
		t.Errorf("%.2f values a meter, want at least 11", average)
	}
	if len(f.Gateways) != 40 {
		t.Errorf("%d gateways, want 40", len(f.Gateways))
	}
}

func TestFleetIsAFunctionOfItsConfiguration(t *testing.T) {
	c := FleetConfig{Meters: 60, Seed: 8, Faults: Faults{Dead: 0.1, Reset: 0.2}}
	a, b := mustFleet(t, c), mustFleet(t, c)
	c.Seed = 9
	other := mustFleet(t, c)
	at, same, dead, reset := start.Add(time.Hour), 0, 0, 0
	for i, m := range a.Meters {
		q := m.Profile.Fields[0].Quantity
		va, _, _ := m.Expected(q, at)
		vb, _, _ := b.Meters[i].Expected(q, at)
		if va != vb || m.ID != b.Meters[i].ID || m.Unit != b.Meters[i].Unit || m.Dead != b.Meters[i].Dead {
			t.Errorf("%s is not the same twice", m.ID)
		}
		if vo, _, _ := other.Meters[i].Expected(q, at); vo == va {
			same++
		}
		if m.Dead {
			dead++
		}
		if d := m.ResetAt.Sub(start); !m.ResetAt.IsZero() {
			reset++
			if d < resetFrom || d > resetWithin {
				t.Errorf("%s is reset after %s", m.ID, d)
			}
		}
	}
	if dead != 6 || reset != 12 {
		t.Errorf("%d dead, %d reset of 60, want 6 and 12", dead, reset)
	}
	if same > 3 {
		t.Errorf("%d of 60 meters do not depend on the seed", same)
	}
}

func TestNewFleetRefuses(t *testing.T) {
	for name, c := range map[string]FleetConfig{
		"no meters":   {Start: start},
		"no start":    {Meters: 1},
		"gateway":     {Meters: 1, Start: start, MetersPerGateway: 248},
		"faults":      {Meters: 1, Start: start, Faults: Faults{Dead: 2}},
		"no value":    {Meters: 1, Start: start, NoValue: 2},
		"meter":       {Meters: 1, Start: start, Step: -1},
		"no quantity": {Meters: 1, Start: start, Profiles: []*profiles.Profile{{Fields: []profiles.Field{{Quantity: "x"}}}}},
	} {
		if f, err := NewFleet(c); err == nil || f != nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestFleetListens(t *testing.T) {
	f := mustFleet(t, FleetConfig{Meters: 120, Seed: 2})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := f.Listen(ctx, "127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	if err := f.Listen(ctx, "127.0.0.1"); err == nil {
		t.Error("listens twice")
	}
	lines := f.Lines()
	if len(lines) != 3 || len(f.Addresses()) != 3 || len(lines[2].Meters) != 20 {
		t.Fatalf("%d lines, addresses %v", len(lines), f.Addresses())
	}
	for i, line := range lines {
		conn, err := net.Dial("tcp", line.Address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for k, lm := range line.Meters {
			m := f.Gateways[i].Meters[k]
			if lm.ID != m.ID || lm.Unit != m.Unit || lm.Profile != m.Profile.ID {
				t.Errorf("line gives %+v for %s", lm, m.ID)
			}
			r := m.readable[0]
			if _, err := conn.Write(ask(9, lm.Unit, r.Function, r.From, 1)); err != nil {
				t.Fatal(err)
			}
			if got, err := readReply(conn); err != nil || got.unit != lm.Unit || len(got.pdu) != 4 {
				t.Fatalf("%s at %s: %+v, %v", lm.ID, line.Address, got, err)
			}
		}
	}
	cancel()
	if err := f.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", lines[0].Address); err == nil {
		t.Error("still listening after Wait")
	}
}

// reading returns what a right collector reports for field i of m, sampled at
// the given time and taken at another.
func reading(t *testing.T, m *Meter, q schemas.Quantity, sampled, taken time.Time) schemas.Reading {
	t.Helper()
	value, missing, ok := m.Expected(q, sampled)
	if !ok {
		t.Fatalf("%s has no %s", m.ID, q)
	}
	info, _ := q.Info()
	r := schemas.Reading{Meter: m.ID, Quantity: q, Value: value, Unit: info.Unit, TakenAt: taken.Truncate(time.Millisecond)}
	if missing != "" {
		r.Quality, r.Reason = schemas.Missing, missing
	}
	return r
}

func TestCheckAcceptsRightReadings(t *testing.T) {
	f := mustFleet(t, FleetConfig{Meters: 100, Seed: 6, NoValue: 0.1, Faults: Faults{Reset: 0.5}})
	for _, m := range f.Meters {
		for _, pf := range m.Profile.Fields {
			for minute := range 12 {
				at := start.Add(time.Duration(minute)*time.Minute + 7*time.Millisecond)
				r := reading(t, m, pf.Quantity, at, at.Add(1900*time.Millisecond))
				if err := f.Check(r, 2*time.Second); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// TestCheckAtTheGrain: sampled just after a step began, taken in the same
// millisecond, which TakenAt cuts back to before the step.
func TestCheckAtTheGrain(t *testing.T) {
	f := mustFleet(t, FleetConfig{Meters: 1, Seed: 6, Step: 700 * time.Microsecond})
	m := f.Meters[0]
	for i := range 50 {
		at := start.Add(time.Hour + time.Duration(i)*777*time.Microsecond)
		if err := f.Check(reading(t, m, m.Profile.Fields[0].Quantity, at, at), 0); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCheckKeepsSuspectValues: the collector's doubts do not make a right value
// wrong, nor a wrong one right.
func TestCheckKeepsSuspectValues(t *testing.T) {
	f := mustFleet(t, FleetConfig{Meters: 1, Seed: 6})
	m := f.Meters[0]
	r := reading(t, m, m.Profile.Fields[0].Quantity, start, start)
	r.Quality, r.Reason = schemas.Suspect, schemas.ReasonRollback
	if err := f.Check(r, 0); err != nil {
		t.Error(err)
	}
	r.Value.Mantissa++
	if err := f.Check(r, 0); err == nil {
		t.Error("a wrong suspect value passed")
	}
}

// TestCheckCatches is the oracle's own test: each kind of wrong reading, for
// every meter and quantity of a fleet, and how many of them it must notice.
// States and registers of few digits can be equal by chance.
func TestCheckCatches(t *testing.T) {
	f := mustFleet(t, FleetConfig{Meters: 100, Seed: 7})
	at, window := start.Add(30*time.Hour), 2*time.Second
	gauge := func(q schemas.Quantity) bool {
		info, _ := q.Info()
		return info.Kind != schemas.State
	}
	tries, caught := map[string]int{}, map[string]int{}
	try := func(kind string, r schemas.Reading) {
		tries[kind]++
		if err := f.Check(r, window); err != nil {
			caught[kind]++
		}
	}
	for i, m := range f.Meters {
		for k, pf := range m.Profile.Fields {
			if !gauge(pf.Quantity) {
				continue
			}
			r := reading(t, m, pf.Quantity, at, at)
			if err := f.Check(r, window); err != nil {
				t.Fatal(err)
			}
			off := r
			off.Value.Mantissa++
			try("off by one in the last digit", off)
			if next := m.Profile.Fields[(k+1)%len(m.Profile.Fields)]; gauge(next.Quantity) {
				swapped := r
				swapped.Value, _, _ = m.Expected(next.Quantity, at)
				try("the next register", swapped)
			}
			for _, other := range f.Meters[i+1:] {
				if other.Profile == m.Profile {
					foreign := r
					foreign.Value, _, _ = other.Expected(pf.Quantity, at)
					try("another meter", foreign)
					break
				}
			}
			if !strings.HasPrefix(string(pf.Quantity), "power.ratio.") { // set by the installer, for good
				stale := r
				stale.Value, _, _ = m.Expected(pf.Quantity, at.Add(-20*time.Minute))
				try("twenty minutes old", stale)
			}
			missing := r
			missing.Value, missing.Quality, missing.Reason = schemas.Decimal{}, schemas.Missing, schemas.ReasonNaN
			try("no value", missing)
			scaled := r
			scaled.Value.Exponent++
			try("ten times", scaled)
		}
	}
	for kind, share := range map[string]float64{
		"off by one in the last digit": 0.98, "the next register": 0.99, "another meter": 0.98,
		"twenty minutes old": 0.97, "no value": 1, "ten times": 1,
	} {
		if got := float64(caught[kind]) / float64(tries[kind]); got < share || tries[kind] < 500 {
			t.Errorf("%s: caught %.2f %% of %d, want %.0f %%", kind, 100*got, tries[kind], 100*share)
		}
	}
}

// TestCheckCatchesTrustingCollector reads a fleet as a collector would that
// looks at neither unit nor transaction: right without faults, wrong with.
func TestCheckCatchesTrustingCollector(t *testing.T) {
	now := start.Add(26 * time.Hour)
	f := mustFleet(t, FleetConfig{Meters: 100, Seed: 11, Now: func() time.Time { return now }})
	for _, kind := range []fault{noFault, wrongUnit} {
		tried, caught := 0, 0
		for _, g := range f.Gateways {
			for _, m := range g.Meters {
				for _, pf := range m.Profile.Fields {
					info, _ := pf.Quantity.Info()
					if info.Kind == schemas.State {
						continue
					}
					r, ok := trusting(t, g, m, pf, kind)
					if !ok {
						continue
					}
					tried++
					if err := f.Check(r, time.Second); err != nil {
						caught++
					}
				}
			}
		}
		if kind == noFault && (caught != 0 || tried < 1000) || kind == wrongUnit && (caught < tried*99/100 || tried < 1000) {
			t.Errorf("fault %d: %d of %d readings are wrong", kind, caught, tried)
		}
	}
}

// trusting reads one quantity and takes whatever comes; ok is false for an
// exception and for a number too large for a Decimal.
func trusting(t *testing.T, g *Gateway, m *Meter, pf profiles.Field, kind fault) (schemas.Reading, bool) {
	t.Helper()
	exception := false
	value, missing := decode(t, pf, func(p profiles.Part) []uint16 {
		frame := g.appendAnswer(nil, request{unit: m.Unit, function: p.Function, at: p.At, count: uint16(p.Words)}, m, kind)
		words := make([]uint16, p.Words)
		if exception = exception || frame[headerSize]&0x80 != 0; !exception {
			for i := range words {
				words[i] = uint16(frame[headerSize+2+2*i])<<8 | uint16(frame[headerSize+3+2*i])
			}
		}
		return words
	})
	info, _ := pf.Quantity.Info()
	r := schemas.Reading{Meter: m.ID, Quantity: pf.Quantity, Unit: info.Unit, TakenAt: g.Now()}
	if missing != "" {
		r.Quality, r.Reason = schemas.Missing, missing
		return r, !exception
	}
	d, err := schemas.ParseDecimal(value.FloatString(9))
	r.Value = d
	return r, !exception && err == nil
}

// TestCheckSaysWhose reads the errors for one case each.
func TestCheckSaysWhose(t *testing.T) {
	f := mustFleet(t, FleetConfig{Meters: 100, Seed: 7, Faults: Faults{Dead: 0.05}, Profiles: onlyProfile(t, "schneider-iem3000")})
	at := start.Add(time.Hour)
	var m, neighbour, dead *Meter
	for _, x := range f.Meters {
		switch {
		case x.Dead:
			dead = x
		case m == nil:
			m = x
		case neighbour == nil:
			neighbour = x
		}
	}
	const q = schemas.Quantity("power.voltage.l1")
	right := reading(t, m, q, at, at)
	with := func(change func(*schemas.Reading)) schemas.Reading {
		r := right
		change(&r)
		return r
	}
	for _, tt := range []struct {
		name string
		r    schemas.Reading
		want string
	}{
		{"swapped", with(func(r *schemas.Reading) { r.Value, _, _ = m.Expected("power.voltage.l2", at) }), "that is its power.voltage.l2"},
		{"neighbour", with(func(r *schemas.Reading) { r.Value, _, _ = neighbour.Expected(q, at) }), "meter " + string(neighbour.ID) + " shows that"},
		{"old", with(func(r *schemas.Reading) { r.Value, _, _ = m.Expected(q, at.Add(-3*time.Second)) }), "it showed that before the window"},
		{"in the future", with(func(r *schemas.Reading) { r.Value, _, _ = m.Expected(q, at.Add(time.Second)) }), "expected " + right.Value.String()},
		{"missing", with(func(r *schemas.Reading) {
			r.Value, r.Quality, r.Reason = schemas.Decimal{}, schemas.Missing, schemas.ReasonNaN
		}), "missing nan"},
		{"unit", with(func(r *schemas.Reading) { r.Unit = "A" }), "unit"},
		{"unknown meter", with(func(r *schemas.Reading) { r.Meter = "X-1" }), "not of this fleet"},
		{"other quantity", with(func(r *schemas.Reading) { r.Quantity, r.Unit = "water.flow", "m3/h" }), "no such quantity"},
		{"dead", with(func(r *schemas.Reading) { r.Meter = dead.ID }), "dead"},
	} {
		err := f.Check(tt.r, 2*time.Second)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	if err := f.Check(right, 2*time.Second); err != nil {
		t.Error(err)
	}
}

func onlyProfile(t *testing.T, id string) []*profiles.Profile {
	t.Helper()
	set, err := profiles.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	p, err := set.Get(id)
	if err != nil {
		t.Fatal(err)
	}
	return []*profiles.Profile{p}
}

func BenchmarkCheck(b *testing.B) {
	f := mustFleet(b, FleetConfig{Meters: 100, Seed: 7})
	m := f.Meters[0]
	at := start.Add(time.Hour)
	q := m.Profile.Fields[0].Quantity
	info, _ := q.Info()
	value, _, _ := m.Expected(q, at)
	r := schemas.Reading{Meter: m.ID, Quantity: q, Value: value, Unit: info.Unit, TakenAt: at}
	for b.Loop() {
		if err := f.Check(r, 2*time.Second); err != nil {
			b.Fatal(err)
		}
	}
}
