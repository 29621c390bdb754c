package verdict

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
)

const (
	energy  = schemas.Quantity("power.energy.import")
	export  = schemas.Quantity("power.energy.export")
	active  = schemas.Quantity("power.active")
	volts   = schemas.Quantity("power.voltage.l1")
	netto   = schemas.Quantity("water.volume.net")
	quarter = 15 * time.Minute
)

func dec(text string) schemas.Decimal {
	d, err := schemas.ParseDecimal(text)
	if err != nil {
		panic(err)
	}
	return d
}

func decp(text string) *schemas.Decimal { d := dec(text); return &d }

func moment(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

var start = moment("2026-05-01T00:00:00Z")

func reading(q schemas.Quantity, value string, at time.Time) schemas.Reading {
	info, _ := q.Info()
	return schemas.Reading{Meter: "m", Quantity: q, Unit: info.Unit, Value: dec(value), TakenAt: at}
}

// script is a run of Reads of one register, a quarter of an hour apart:
// "value", "value reason"; "+2h" lets time pass, "restart" saves and loads the
// state, "nan" is a value that the driver found missing.
type script struct {
	t        *testing.T
	rules    Rules
	quantity schemas.Quantity
	v        *Validator
	at       time.Time
	events   []Event
}

func run(t *testing.T, rules Rules, q schemas.Quantity, steps string) (events []Event) {
	t.Helper()
	s := &script{t: t, rules: rules, quantity: q, v: New(rules, State{}), at: start}
	for i, step := range strings.Split(steps, ",") {
		s.step(i, strings.Fields(step))
	}
	return s.events
}

func (s *script) step(i int, words []string) {
	s.t.Helper()
	switch first := words[0]; {
	case first == "restart":
		s.v = New(s.rules, roundTrip(s.t, s.v.State()))
		return
	case strings.HasPrefix(first, "serial:"):
		s.v.SetSerial(strings.TrimPrefix(first, "serial:"))
	case first[0] == '+' || strings.HasSuffix(first, "h") || strings.HasSuffix(first, "m"):
		d, err := time.ParseDuration(first)
		if err != nil {
			s.t.Fatal(err)
		}
		s.at = s.at.Add(d)
	default:
		s.read(i, words)
	}
	for _, n := range s.v.Notes() {
		if n.Text == "" || n.At.IsZero() {
			s.t.Errorf("step %d: an empty note %+v", i, n)
		}
		s.events = append(s.events, n.Event)
	}
}

func (s *script) read(i int, words []string) {
	s.t.Helper()
	r := reading(s.quantity, "0", s.at)
	if words[0] == "nan" {
		r.Quality, r.Reason = schemas.Missing, schemas.ReasonNaN
	} else {
		r.Value = dec(words[0])
	}
	want := r
	if len(words) > 1 {
		want.Quality, want.Reason = schemas.Suspect, schemas.Reason(words[1])
	}
	got := []schemas.Reading{r}
	s.v.Judge(got)
	if got[0] != want {
		s.t.Errorf("step %d, value %s at %s: %s %q, want %s %q (or more than the verdict has changed)",
			i, words[0], s.at.Format(time.DateTime), got[0].Quality, got[0].Reason, want.Quality, want.Reason)
	}
	if err := got[0].Validate(); err != nil {
		s.t.Errorf("step %d: the judged reading is malformed: %v", i, err)
	}
	s.at = s.at.Add(quarter)
}

// roundTrip is a restart of the collector: the state as JSON on its disk.
func roundTrip(t testing.TB, in State) (out State) {
	t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if again, err := json.Marshal(out); err != nil || string(again) != string(text) {
		t.Fatalf("%s\nis read as %s, %v", text, again, err)
	}
	return out
}

func limits(q schemas.Quantity, l Limits) map[schemas.Quantity]Limits {
	return map[schemas.Quantity]Limits{q: l}
}

func widths(q schemas.Quantity, w string) map[schemas.Quantity]schemas.Decimal {
	return map[schemas.Quantity]schemas.Decimal{q: dec(w)}
}

// hourly is a meter behind a fuse for 10 kW, with a register of six digits.
func hourly() Rules {
	return Rules{Limits: limits(energy, Limits{MaxPerHour: decp("10")}), WrapsAt: widths(energy, "1000000")}
}

// installed has the records of two meters: the second has stood since 06:00.
func installed() Rules {
	r := hourly()
	r.Installations = []schemas.Installation{
		{Meter: "m", Serial: "A 1", From: moment("2020-01-01T00:00:00Z"), To: start.Add(5 * time.Hour), Multiplier: dec("1")},
		{Meter: "m", Serial: "0b2", From: start.Add(6 * time.Hour), Multiplier: dec("1"),
			First: map[schemas.Quantity]schemas.Decimal{energy: dec("3.00")}},
	}
	return r
}

func TestVerdicts(t *testing.T) {
	none, wide := Rules{}, Rules{WrapsAt: widths(energy, "1000000")}
	tests := []struct {
		name     string
		quantity schemas.Quantity
		rules    Rules
		steps    string
		events   string
	}{
		{"the first value is accepted", energy, none, "123456.78", ""},
		{"a counter grows and stands still", energy, none, "1, 1.00, 1.01, 10", ""},
		{"the same value in another form is no fall", energy, none, "100.00, 100, 100.0", ""},
		{"the finer digit counts", energy, none, "100.1, 100.1, 100.05 rollback, 100.1", ""},
		{"a missing value is left alone", energy, none, "500, 500, nan, 499 rollback, 500", ""},
		{"a gauge may fall", volts, none, "231.5, 0, 229.9", ""},
		{"a signed total may fall", netto, none, "5, -5, 4", ""},

		// range
		{"the table's physical range", volts, none, "0, 1000000, 1000000.1 range, -0.1 range", ""},
		{"a negative counter", energy, none, "-0.01 range, 0", ""},
		{"own limits are inclusive", volts, Rules{Limits: limits(volts, Limits{Min: decp("180"), Max: decp("260")})},
			"180, 179.9 range, 260.0, 260.1 range, 1.8e2", ""},
		{"a limit between two values of the register", volts, Rules{Limits: limits(volts, Limits{Min: decp("0.5"), Max: decp("2.5")})},
			"0 range, 1, 2, 3 range", ""},
		{"limits beyond what fits", volts, Rules{Limits: limits(volts, Limits{Min: decp("-1e18"), Max: decp("9e18")})}, "0.000000000000000001, 1", ""},
		{"one limit only", volts, Rules{Limits: limits(volts, Limits{Max: decp("260")})}, "0, 261 range", ""},
		{"own limits compare exactly", volts, Rules{Limits: limits(volts, Limits{Max: decp("0.3")})},
			"0.3, 0.300000000000000001 range", ""},
		{"own limits do not widen the table", volts, Rules{Limits: limits(volts, Limits{Min: decp("-5")})}, "-1 range", ""},
		{"a value out of range moves nothing", energy, Rules{Limits: limits(energy, Limits{Max: decp("1000")})},
			"500, 2000 range, 2001 range, 499 rollback, 501", ""},
		{"a register never shows its width", energy, wide, "5, 999999.99, 1000000 range, 4000000 range", ""},

		// rollover
		{"rollover from the last tenth to the first", energy, wide, "999990, 999999.99, 0.01, 5", "rollover"},
		{"rollover at the edges of the tenths", energy, wide, "900000, 900000, 100000", "rollover"},
		{"below the last tenth it is none", energy, wide, "899999, 899999.99, 0 rollback", ""},
		{"above the first tenth it is none", energy, wide, "999999, 999999, 100000.01 rollback", ""},
		{"after the rollover the new baseline holds", energy, wide, "999999, 999999, 7, 8, 6 rollback, 8", "rollover"},
		// A sum of a whole part and a fraction (Decimal.Add) has the exponent
		// of the finer one; the documented width has none.
		{"rollover of a sum, finer than the width", energy, Rules{WrapsAt: widths(energy, "100000000")}, "99999999.999, 0.001", "rollover"},
		{"rollover where the width is finer than the value", energy, Rules{WrapsAt: widths(energy, "10000.00")}, "9999, 1", "rollover"},
		{"rollover of a 32-bit counter in 0.01", energy, Rules{WrapsAt: widths(energy, "42949672.96")},
			"42949672.95, 0.05, 0.06, 0.04 rollback", "rollover"},
		{"without a width it is a fall", energy, none, "4294967295, 4294967295, 1 rollback, 2 reset", "reset"},
		{"a plausible rollover", energy, hourly(), "999999, 999999, 1.5", "rollover"},
		{"a reset in the last tenth is no rollover", energy, hourly(), "990000, 990000, 1.5 rollback, 1.6 reset", "reset"},
		{"a rollover over a gap of days", energy, hourly(), "999900, 999900, +480h, 100", "rollover"},

		// glitch
		{"one low value", energy, none, "500, 501, 0 rollback, 502, 503", ""},
		{"two different low values", energy, none, "500, 501, 20 rollback, 0 rollback, 502, 503", ""},
		{"a low value, then one between", energy, none, "500, 501, 0 rollback, 500.5 rollback, 502", ""},
		{"one high value", energy, hourly(), "500, 501, 90000 jump, 502, 503", ""},
		{"high and low by turns", energy, hourly(), "500, 501, 90000 jump, 0 rollback, 90001 jump, 502", ""},
		{"a high value that nothing could know", energy, none, "500, 501, 9e9, 502 rollback, 503, 504", "withdrawn"},
		{"such a one before a low one", energy, none, "500, 501, 9e9, 0 rollback, 502 rollback, 503, 504", "withdrawn"},
		{"such a one between two low ones", energy, none, "500, 501, 0 rollback, 9e9, 0 rollback, 502 rollback, 503", "withdrawn"},
		{"high and low around right ones", energy, none, "500, 501, 9e9, 0 rollback, 502 rollback, 0.5 rollback, 503, 504", "withdrawn"},
		{"two high ones around a right one", energy, none, "500, 501, 9e9, 502 rollback, 9.1e9, 503 rollback, 504, 505", "withdrawn"},
		{"a high value and then silence until it is overtaken", energy, none, "500, 501, 600, +900h, 650, 651", ""},
		{"a glitch with a restart after it", energy, hourly(), "500, 501, restart, 90000 jump, restart, 502", ""},
		{"a high one with restarts", energy, none, "500, restart, 501, restart, 9e9, restart, 502 rollback, restart, 503", "withdrawn"},

		// first value
		{"the first is high", energy, none, "9e9, 502 rollback, 503, 504", "withdrawn"},
		{"the first is low", energy, hourly(), "0, 502 jump, 503, 504", "withdrawn"},
		{"the first is low, no rate", energy, none, "0, 502, 503, 504", ""},
		{"the second is high", energy, hourly(), "502, 90000 jump, 503, 504", ""},
		{"the second is low", energy, none, "502, 0 rollback, 503, 504", ""},
		{"what outvoted the first is confirmed", energy, none, "9e9, 502 rollback, 503, 1 rollback, 2 reset", "withdrawn reset"},
		{"two agree against the first only", energy, none, "502, 503, 1 rollback, 2 reset, 3 reset", "reset"},

		// jump
		{"as fast as allowed", energy, hourly(), "500.00, 502.50, 505.00, +24h, 747.50", ""},
		{"slack for the age of the register", energy, hourly(), "500.00, 502.60, 505.26", ""},
		{"slack for the resolution", energy, hourly(), "500, 503, 503, 507 jump", ""},
		{"a float32 moves in steps of its own", energy, Rules{Limits: limits(energy, Limits{MaxPerHour: decp("1")})},
			"33554432, 33554436, 33554440, 33554480 jump", ""},
		{"too fast once", energy, hourly(), "500.00, 500.00, 502.70 jump, 502.60", ""},
		{"faster than the rules allow", energy, hourly(), "500, 510 jump, 520 jump, 530 jump, 500.1", ""},
		{"the clock goes back", energy, hourly(), "500, 501, -3h, 502, 503", ""},

		// reset and swap
		{"a reset", energy, none, "5000, 5001, 0 rollback, 0.4 reset, 0.9 reset, restart, 1 reset", "reset"},
		{"a reset stays one when it passes the old value", energy, none,
			"5, 6, 0 rollback, 0 reset, 3 reset, 5.9 reset, 6.5 reset, 9 reset", "reset"},
		{"the same with a rate", energy, hourly(), "5, 6, 0 rollback, 0 reset, 2 reset, 4 reset, 6 reset, 7 reset, 9 reset", "reset"},
		{"zeros for a while after a power failure", energy, none, "500, 501, 0 rollback, 0 reset, 0 reset, 502 reset, 503, 504", "reset returned"},
		{"the same with a rate", energy, hourly(), "500, 501, 0 rollback, 0 reset, 0 reset, 502 reset, 503, 504", "reset returned"},
		{"a reset that stands a day is one", energy, none, "500, 501, 0 rollback, +24h, 0 reset, 502 reset, 503 reset", "reset"},
		{"one stray value does not end a reset", energy, hourly(), "500, 501, 0 rollback, 1 reset, 502 reset, 1.5 reset, 502 reset, 2 reset", "reset"},
		{"another level below", energy, none, "5000, 5001, 4000 rollback, 4001 swap, 4002 swap", "swap"},
		{"another level above", energy, hourly(), "5000, 5001, 9000 jump, 9001 swap, restart, 9002 swap, +1000h, 9003 swap", "swap"},
		{"it falls a little once it has passed the old value", energy, hourly(),
			"500, 501, 0 rollback, 1 reset, +1000h, 520 reset, 519 reset, 519 reset, 520 reset", "reset"},
		{"a level that moves", energy, hourly(), "500, 501, 9000 jump, 9001 swap, 100 swap, 101 swap, 102 swap, +1000h, 520 swap, 521 swap", "swap"},
		{"a width that is given later explains it", energy, none, "999999, 999999, 1 rollback, 2 reset", "reset"},

		// installations: the first meter until 05:00, the second from 06:00
		{"a swap on record", energy, installed(), "500.00, 500.10, +5h, 3.01 swap, +15m, 3.00, 3.20, 3.30", "opened"},
		{"the first value of the record is the baseline", energy, installed(), "500.00, 500.10, +6h, 2.99 rollback, 2.99 reset, 3.10 reset, 3.20 reset", "opened reset"},
		{"a value that cannot follow from it", energy, installed(), "500.00, +6h, 90 jump, 91 swap, 3.1 swap, 3.2", "opened swap returned"},
		{"no history but a record", energy, installed(), "+6h, 90 jump, 91 swap", "swap"},
		{"restarts around a swap", energy, installed(), "500.00, restart, +6h, 3.10, restart, 3.20, 3.10 rollback, restart, 3.20", "opened"},
		{"a record that begins later than the swap", energy, installed(), "500, 500, 3 rollback, 3 reset, restart, +6h, 3.5, 4", "reset opened"},
		{"the other serial number", energy, installed(), "500, serial:A1, 501, serial:X9, 502 swap, serial:a1, 503", "swap"},
		{"the new meter's serial number", energy, installed(), "serial:A1, 500, +6h, 3, serial:B2, 3.1, serial:a1, 3.2 swap", "opened swap"},
		{"a serial number without a record", energy, none, "serial:A1, 500, restart, serial:B2, 501 swap, restart, 502 swap, serial:A1, 503", "swap"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := run(t, tt.rules, tt.quantity, tt.steps)
			if want := strings.Fields(tt.events); len(got) != len(want) || !equalEvents(got, want) {
				t.Errorf("notes %v, want %v", got, want)
			}
		})
	}
}

func equalEvents(got []Event, want []string) bool {
	for i := range got {
		if string(got[i]) != want[i] {
			return false
		}
	}
	return true
}
