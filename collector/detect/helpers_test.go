package detect

import (
	"fmt"
	"testing"
	"time"
	_ "time/tzdata" // zones on a machine without them

	"citygrid/schemas"
)

// start is a midnight by the clock of China.
var start = time.Date(2026, 3, 2, 16, 0, 0, 0, time.UTC)

const quarter = 15 * time.Minute

func dec(s string) schemas.Decimal {
	d, err := schemas.ParseDecimal(s)
	if err != nil {
		panic(err)
	}
	return d
}

func amount(s string) *Amount { return new(Amount(dec(s))) }

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// one returns a Detector of the meter m on the line l, with another meter n there.
func one(t testing.TB, rules Rules) *Detector {
	t.Helper()
	d, err := New(rules, Site{Collector: "c001", Zone: zone(t, "Asia/Shanghai"), Meters: []Meter{
		{ID: "m", Line: "l", Interval: quarter}, {ID: "n", Line: "l", Interval: quarter}}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func read(at time.Time, pairs ...string) []schemas.Reading {
	return readOf("m", at, pairs...)
}

// readOf makes a read of pairs of quantity and value.
func readOf(id schemas.MeterID, at time.Time, pairs ...string) []schemas.Reading {
	var all []schemas.Reading
	for i := 0; i < len(pairs); i += 2 {
		q := schemas.Quantity(pairs[i])
		info, ok := q.Info()
		if !ok {
			panic("no quantity " + pairs[i])
		}
		all = append(all, schemas.Reading{Meter: id, Quantity: q, Value: dec(pairs[i+1]), Unit: info.Unit, TakenAt: at.UTC()})
	}
	return all
}

func suspect(rs []schemas.Reading, why schemas.Reason) []schemas.Reading {
	for i := range rs {
		rs[i].Quality, rs[i].Reason = schemas.Suspect, why
	}
	return rs
}

// log is what came of a run, one line an event.
type log struct {
	t      testing.TB
	d      *Detector
	lines  []string
	events []schemas.ComponentEvent
}

func (l *log) add(events []schemas.ComponentEvent) {
	l.t.Helper()
	for i := range events {
		e := &events[i]
		if err := e.Validate(); err != nil {
			l.t.Errorf("event %+v: %v", *e, err)
		}
		l.events = append(l.events, *e)
		l.lines = append(l.lines, fmt.Sprintf("%s %s%s %s", e.TakenAt.In(time.FixedZone("", 8*3600)).Format("02T15:04:05"), e.Meter, e.Line, e.Kind)+
			map[schemas.EventPhase]string{schemas.EventOpened: " +", schemas.EventCleared: " -"}[e.Phase])
	}
}

func (l *log) observe(rs []schemas.Reading) { l.t.Helper(); l.add(l.d.Observe(rs)) }

func (l *log) want(lines ...string) {
	l.t.Helper()
	if len(lines) == 0 && len(l.lines) == 0 {
		return
	}
	if fmt.Sprintf("%q", l.lines) != fmt.Sprintf("%q", lines) {
		l.t.Errorf("got  %q\nwant %q", l.lines, lines)
	}
}

// restart replaces the Detector by a new one with its state.
func (l *log) restart(make func() *Detector) {
	l.t.Helper()
	state, err := l.d.State()
	if err != nil {
		l.t.Fatal(err)
	}
	l.d = make()
	if err := l.d.Restore(state); err != nil {
		l.t.Fatalf("%v\n%s", err, state)
	}
	again, err := l.d.State()
	if err != nil || string(again) != string(state) {
		l.t.Fatalf("state %s\ncame back as %s, %v", state, again, err)
	}
}

// cubicMetres writes litres as cubic metres.
func cubicMetres(litres int) string {
	return schemas.Decimal{Mantissa: int64(litres), Exponent: -3}.String()
}
