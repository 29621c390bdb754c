package verdict

import (
	"testing"
	"time"

	"citygrid/schemas"
)

// judged gives v one Read and returns the reasons.
func judged(t *testing.T, v *Validator, readings ...schemas.Reading) (reasons []schemas.Reason) {
	t.Helper()
	v.Judge(readings)
	for _, r := range readings {
		if err := r.Validate(); err != nil {
			t.Errorf("the judged reading is malformed: %v", err)
		}
		reasons = append(reasons, r.Reason)
	}
	return reasons
}

func same(a []schemas.Reason, b ...schemas.Reason) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

const stuck, reverse = schemas.ReasonStuck, schemas.ReasonReverse

func TestStuck(t *testing.T) {
	type step struct {
		energy, power string
		after         time.Duration
		want          schemas.Reason
	}
	still := func(n int, power string, want schemas.Reason) (list []step) {
		for range n {
			list = append(list, step{"100.00", power, quarter, want})
		}
		return list
	}
	tests := []struct {
		name  string
		steps [][]step
	}{
		{"two hours under load", [][]step{still(9, "2000", ""), still(3, "2000", stuck)}},
		{"it moves again", [][]step{still(9, "2000", ""), still(1, "2000", stuck), {{"103.00", "2000", quarter, ""}}, {{"103.00", "2000", quarter, ""}}}},
		{"no load", [][]step{still(30, "0", "")}},
		{"load the other way", [][]step{still(30, "-2000", "")}},
		{"less than the register shows", [][]step{still(30, "10", "")}},
		{"a pause in the load begins it anew", [][]step{still(8, "2000", ""), still(1, "0", ""), still(8, "2000", ""), still(1, "2000", stuck)}},
		{"the least load counts", [][]step{still(4, "2000", ""), still(4, "1", ""), still(4, "2000", "")}},
		{"no power in one Read", [][]step{still(8, "2000", ""), still(1, "", ""), still(8, "2000", ""), still(1, "2000", stuck)}},
		{"a suspect power is no witness", [][]step{still(8, "2000", ""), still(1, "2e9", ""), still(8, "2000", ""), still(1, "2000", stuck)}},
		{"a gap proves nothing", [][]step{still(4, "2000", ""), {{"100.00", "2000", 90 * time.Minute, ""}}, still(7, "2000", ""), still(1, "2000", stuck)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rules := Rules{StuckAfter: 2 * time.Hour}
			v, at, i := New(rules, State{}), start, 0
			for _, run := range tt.steps {
				for _, s := range run {
					at = at.Add(s.after)
					read := []schemas.Reading{reading(energy, s.energy, at)} // before its witness
					if s.power != "" {
						read = append(read, reading(active, s.power, at))
					}
					if got := judged(t, v, read...); got[0] != s.want {
						t.Errorf("step %d: %q, want %q", i, got[0], s.want)
					}
					v = New(rules, roundTrip(t, v.State()))
					i++
				}
			}
		})
	}
}

func TestReverse(t *testing.T) {
	v := New(Rules{Direction: Forward}, State{})
	steps := []struct {
		power, export string
		want          [2]schemas.Reason
	}{
		{"100", "5.0", [2]schemas.Reason{}},
		{"0", "5.0", [2]schemas.Reason{}},
		{"-0.1", "5.1", [2]schemas.Reason{reverse, reverse}},
		{"-50", "5.3", [2]schemas.Reason{reverse, reverse}},
		{"10", "5.3", [2]schemas.Reason{}}, // stands again: that is its value now
		{"10", "5.2", [2]schemas.Reason{"", schemas.ReasonRollback}},
		{"10", "5.3", [2]schemas.Reason{}},
	}
	for i, s := range steps {
		at := start.Add(time.Duration(i) * quarter)
		if got := judged(t, v, reading(active, s.power, at), reading(export, s.export, at)); !same(got, s.want[:]...) {
			t.Errorf("step %d: %q, want %q", i, got, s.want)
		}
	}
	// Both ways is the default.
	if got := judged(t, New(Rules{}, State{}), reading(active, "-1", start)); !same(got, "") {
		t.Errorf("any direction: %q", got)
	}
}

func frozen(q schemas.Quantity, value string, at time.Time) schemas.Reading {
	r := reading(q, value, at)
	r.Origin = schemas.DailyFreeze
	return r
}

// Dated records have a baseline of their own and never move that of the live
// values.
func TestKept(t *testing.T) {
	v := New(hourly(), State{})
	day := func(n int) time.Time { return start.AddDate(0, 0, n) }
	steps := []struct {
		name string
		read schemas.Reading
		want schemas.Reason
	}{
		{"live", reading(energy, "5000", day(10)), ""},
		{"live", reading(energy, "5000", day(10)), ""},
		{"the newest record", frozen(energy, "4990", day(10)), ""},
		{"an older one", frozen(energy, "4900", day(8)), ""},
		{"one that is higher than a later one", frozen(energy, "4991", day(9)), schemas.ReasonRollback},
		{"one that is too low for the later one", frozen(energy, "4000", day(7)), schemas.ReasonJump},
		{"the newest again", frozen(energy, "4990", day(10)), ""},
		{"the newest with another value", frozen(energy, "4990.5", day(10)), schemas.ReasonRollback},
		{"out of range", frozen(energy, "-1", day(9)), schemas.ReasonRange},
		{"the next", frozen(energy, "5050", day(11)), ""},
		{"one that is wrong", frozen(energy, "7000", day(12)), schemas.ReasonJump},
		{"the next", frozen(energy, "5100", day(13)), ""},
		{"live goes on from where it was", reading(energy, "5001", day(10).Add(quarter)), ""},
		{"a record is no live baseline", reading(energy, "4990", day(10).Add(2*quarter)), schemas.ReasonRollback},
	}
	for i, s := range steps {
		if got := judged(t, v, s.read); !same(got, s.want) {
			t.Errorf("step %d, %s: %q, want %q", i, s.name, got, s.want)
		}
		v = New(hourly(), roundTrip(t, v.State()))
	}
}

// The memory of a new meter may hold days from before it was installed; they
// are not days of this place.
func TestKeptBeforeTheInstallation(t *testing.T) {
	for _, live := range []bool{false, true} {
		v := New(installed(), State{})
		if live {
			judged(t, v, reading(energy, "3.5", start.Add(7*time.Hour)))
		}
		if got := judged(t, v, frozen(energy, "0", start), frozen(energy, "8", start.Add(24*time.Hour))); !same(got, schemas.ReasonSwap, "") {
			t.Errorf("with a live value %t: %q", live, got)
		}
	}
}

// A gauge of a stranger is the stranger's.
func TestStrangersGauges(t *testing.T) {
	v := New(installed(), State{})
	v.SetSerial("X9")
	if got := judged(t, v, reading(active, "5", start)); !same(got, schemas.ReasonSwap) {
		t.Errorf("another serial number: %q", got)
	}
	if !v.WantsSerial() {
		t.Error("the meter is not asked again who it is")
	}
	v.SetSerial("a 1")
	if got := judged(t, v, reading(active, "5", start)); !same(got, "") || v.WantsSerial() {
		t.Errorf("the right one: %q", got)
	}
	if got := judged(t, v, reading(active, "5", start.Add(5*time.Hour))); !same(got, schemas.ReasonSwap) {
		t.Errorf("no meter on record: %q", got)
	}
	if got := judged(t, v, reading(active, "5", start.Add(6*time.Hour))); !same(got, "") || !v.WantsSerial() {
		t.Errorf("a new meter: %q, asked %t", got, v.WantsSerial())
	}
}

// What was asked just before the first Read of an installation is of the new
// meter.
func TestSerialAskedBeforeTheFirstRead(t *testing.T) {
	for _, serial := range []string{"0B2", "A1"} {
		v := New(installed(), State{})
		v.SetSerial("A1")
		judged(t, v, reading(energy, "500", start))
		v.SetSerial(serial)
		want := schemas.Reason("")
		if serial == "A1" {
			want = schemas.ReasonSwap
		}
		if got := judged(t, v, reading(energy, "3.5", start.Add(6*time.Hour))); !same(got, want) {
			t.Errorf("serial %s: %q, want %q", serial, got, want)
		}
	}
}

// A swap is written down after the new meter has told who it is.
func TestSwapWrittenDownLater(t *testing.T) {
	v := New(Rules{}, State{})
	v.SetSerial("A1")
	judged(t, v, reading(energy, "500", start))
	v.SetSerial("B2")
	if got := judged(t, v, reading(energy, "600", start.Add(time.Hour))); !same(got, schemas.ReasonSwap) {
		t.Errorf("a stranger: %q", got)
	}
	for _, serial := range []string{"", "b2", "C3"} {
		rules := Rules{Installations: []schemas.Installation{{Meter: "m", Serial: serial, From: start.Add(30 * time.Minute), Multiplier: dec("1"),
			First: map[schemas.Quantity]schemas.Decimal{energy: dec("599")}}}}
		again := New(rules, roundTrip(t, v.State()))
		if !again.WantsSerial() {
			t.Errorf("record with serial %q: the meter is not asked anew", serial)
		}
		again.SetSerial("B2")
		want := schemas.Reason("")
		if serial == "C3" {
			want = schemas.ReasonSwap
		}
		if got := judged(t, again, reading(energy, "601", start.Add(2*time.Hour))); !same(got, want) {
			t.Errorf("record with serial %q: %q, want %q", serial, got, want)
		}
	}
}

// A rule that is corrected explains a level that was confirmed under the wrong
// one, and a record that is corrected is read anew.
func TestRulesCorrected(t *testing.T) {
	tight := hourly()
	at := start
	read := func(v *Validator, value string, want schemas.Reason) {
		t.Helper()
		at = at.Add(quarter)
		if got := judged(t, v, reading(energy, value, at)); !same(got, want) {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
	}
	v := New(tight, State{})
	for _, s := range [][2]string{{"500"}, {"501"}, {"520", "jump"}, {"521", "swap"}} {
		read(v, s[0], schemas.Reason(s[1]))
	}
	v = New(tight, roundTrip(t, v.State()))
	read(v, "522", schemas.ReasonSwap)
	loose := Rules{Limits: limits(energy, Limits{MaxPerHour: decp("100")})}
	v = New(loose, roundTrip(t, v.State()))
	read(v, "523", "")

	record := func(first string) Rules {
		return Rules{Installations: []schemas.Installation{{Meter: "m", From: start.Add(6 * time.Hour), Multiplier: dec("1"),
			First: map[schemas.Quantity]schemas.Decimal{energy: dec(first)}}}}
	}
	at = start.Add(6 * time.Hour)
	v = New(record("30"), roundTrip(t, v.State()))
	read(v, "3.1", schemas.ReasonRollback)
	read(v, "3.2", schemas.ReasonSwap)
	v = New(record("3.0"), roundTrip(t, v.State()))
	read(v, "3.3", "")
	// The same record after good values changes nothing.
	v = New(record("2.0"), roundTrip(t, v.State()))
	read(v, "3.2", schemas.ReasonRollback)
}

// An installation's width goes before the profile's.
func TestInstallationWidth(t *testing.T) {
	rules := Rules{WrapsAt: widths(energy, "1000000"), Installations: []schemas.Installation{{
		Meter: "m", From: start.Add(-time.Hour), Multiplier: dec("1"), WrapsAt: map[schemas.Quantity]schemas.Decimal{energy: dec("10000")}}}}
	if got := run(t, rules, energy, "9999, 10000 range, 9999, 1"); len(got) != 1 || got[0] != Rollover {
		t.Errorf("notes %v", got)
	}
}

// The counters of one meter have baselines of their own, whatever part of them
// a Read holds, in whatever order; an unknown quantity is left to the codec.
func TestQuantitiesApart(t *testing.T) {
	v := New(Rules{}, State{})
	full := func(at time.Time, a, b, c string) []schemas.Reading {
		return []schemas.Reading{reading(energy, a, at), reading(volts, b, at), reading(export, c, at)}
	}
	judged(t, v, full(start, "100", "230", "1")...)
	judged(t, v, full(start.Add(quarter), "100", "230", "1")...)
	r := full(start.Add(2*quarter), "99", "229", "1")
	if got := judged(t, v, r[2], r[0]); !same(got, "", schemas.ReasonRollback) {
		t.Errorf("a part of them: %q", got)
	}
	if got := judged(t, v, full(start.Add(3*quarter), "100", "229", "0")...); !same(got, "", "", schemas.ReasonRollback) {
		t.Errorf("all of them: %q", got)
	}
	unknown := []schemas.Reading{{Quantity: "power.magic", Value: schemas.Decimal{Mantissa: -1}}}
	if v.Judge(unknown); unknown[0].Quality != schemas.Good {
		t.Errorf("an unknown quantity is judged %s", unknown[0].Quality)
	}
}

// A state that makes no sense costs the baseline, never a panic.
func TestStrangeStates(t *testing.T) {
	p := &Point{Value: dec("5"), At: start}
	for i, s := range []State{
		{Counters: []CounterState{{Quantity: "power.magic", Last: p}}},
		{Counters: []CounterState{{Quantity: volts, Last: p}}},
		{Counters: []CounterState{{Quantity: energy, Firm: p, Doubt: p, Level: &Level{Count: 9}}}},
		{Counters: []CounterState{{Quantity: energy, Last: p, Level: &Level{Count: -1}, Recorded: true}}},
		{Counters: []CounterState{{Quantity: energy, Last: p}, {Quantity: energy, Last: p}}},
		{Counters: []CounterState{{Quantity: energy, Last: &Point{}, Still: &Still{}}}},
	} {
		v := New(hourly(), s)
		if got := judged(t, v, reading(energy, "5", start.Add(quarter))); !same(got, "") {
			t.Errorf("state %d: %q", i, got)
		}
	}
}

func TestNotesAreBounded(t *testing.T) {
	v := New(Rules{WrapsAt: widths(energy, "100")}, State{})
	for i := range 1000 {
		at := start.Add(time.Duration(2*i) * quarter)
		judged(t, v, reading(energy, "99", at))
		judged(t, v, reading(energy, "1", at.Add(quarter)))
	}
	if n := len(v.Notes()); n != maxNotes {
		t.Errorf("%d notes are kept", n)
	}
	if n := len(v.Notes()); n != 0 {
		t.Errorf("%d notes are told twice", n)
	}
}

// A record that is read twice, because a part of it was refused or because the
// collector was restarted, says the same thing twice: it must not confirm
// itself.
func TestARecordDoesNotConfirmItself(t *testing.T) {
	day := func(n int) time.Time { return start.AddDate(0, 0, n) }
	type step struct {
		day   int
		value string
		want  schemas.Reason
	}
	for name, steps := range map[string][]step{
		"against a provisional baseline": {
			{1, "5000", ""}, {2, "40", schemas.ReasonRollback}, {2, "40", schemas.ReasonRollback}, {2, "40", schemas.ReasonRollback},
			{3, "5100", ""},
		},
		"against a firm one": {
			{1, "5000", ""}, {2, "5100", ""}, {3, "6000", schemas.ReasonJump}, {3, "6000", schemas.ReasonJump}, {3, "6000", schemas.ReasonJump},
			{4, "5300", ""},
		},
		"of a level": { // the second of two values is the one that ends it
			{1, "5000", ""}, {2, "5100", ""}, {3, "40", schemas.ReasonRollback}, {4, "50", schemas.ReasonReset},
			{5, "5200", schemas.ReasonReset}, {5, "5200", schemas.ReasonReset}, {5, "5200", schemas.ReasonReset}, {6, "5300", ""},
		},
		"that is right the second time": {
			{1, "5000", ""}, {2, "5100", ""}, {3, "6000", schemas.ReasonJump}, {3, "5200", ""}, {4, "5300", ""},
		},
	} {
		v := New(hourly(), State{})
		for i, s := range steps {
			if got := judged(t, v, frozen(energy, s.value, day(s.day))); !same(got, s.want) {
				t.Errorf("%s, step %d, %s of day %d: %q, want %q", name, i, s.value, s.day, got, s.want)
			}
			v = New(hourly(), roundTrip(t, v.State()))
		}
	}
}

// Direction and StuckAfter are of live values: a record has no flow beside it,
// and says of the past what cannot be changed now.
func TestRecordsAreNeitherReverseNorStuck(t *testing.T) {
	v := New(Rules{Direction: Forward, StuckAfter: time.Hour}, State{})
	for i := range 10 {
		at := start.Add(time.Duration(i) * quarter)
		grown := schemas.Decimal{Mantissa: int64(50 + i), Exponent: -1}
		back := frozen(export, "0", at)
		back.Value = grown
		got := judged(t, v, reading(active, "5000", at), frozen(energy, "100.0", at), back, frozen(active, "-5", at))
		if !same(got, "", "", "", "") {
			t.Fatalf("step %d: %q", i, got)
		}
	}
	// The same live readings are both.
	got := judged(t, v, reading(export, "1", start), reading(active, "-5", start))
	got = append(got, judged(t, v, reading(export, "2", start.Add(quarter)))...)
	if !same(got, "", reverse, reverse) {
		t.Errorf("live: %q", got)
	}
}

// Between two meters the width of the one that was removed says nothing.
func TestAVacancyHasNoWidth(t *testing.T) {
	rules := installed()
	rules.Installations[0].WrapsAt = widths(energy, "10000")
	v := New(rules, State{})
	got := judged(t, v, reading(energy, "9000", start))
	got = append(got, judged(t, v, reading(energy, "20000", start.Add(time.Hour)))...)
	got = append(got, judged(t, v, reading(energy, "20000", start.Add(5*time.Hour+quarter)))...)
	if !same(got, "", schemas.ReasonRange, schemas.ReasonSwap) {
		t.Errorf("%q", got)
	}
}
