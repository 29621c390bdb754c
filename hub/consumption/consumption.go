// Package consumption says what went through a place of the asset register
// between two moments, from the readings and the records of the meters that
// stood there. It is exact: decimals, no interpolation, no floats. Where the
// readings do not say, the result says so; nothing is guessed.
//
// A counter's consumption between two readings of one meter is their
// difference, and one turn more where the register went over its width. The
// result is the sum over the installations that the time touches, each times
// its own multiplier, so that a swap neither adds nor loses anything. The
// moments asked for rarely carry a reading: the value counts from the last good
// reading at or before each of them, and Least and Most say what it can be at
// the moments themselves, from the readings on either side, since a counter
// only grows.
package consumption

import (
	"fmt"
	"slices"
	"time"

	"citygrid/schemas"
)

// Result is a consumption in the quantity's unit.
type Result struct {
	Meter    schemas.MeterID
	Quantity schemas.Quantity
	// The moments asked for.
	From, To time.Time
	// Value is the consumption between the last good readings at or before From
	// and To: the sum over Parts.
	Value schemas.Decimal
	// Least and Most bound the consumption between From and To themselves. Most
	// is meaningless while MostKnown is false: no good reading after To is known.
	Least, Most schemas.Decimal
	MostKnown   bool
	// Parts are the installations that the time touches, in the order of time.
	Parts []Part
	// Problems says what the readings and records leave open, and what was not
	// used. With any that IsGap, Value is what is proven and may be too low.
	Problems []Problem
}

// Complete reports whether nothing is missing from Value.
func (r Result) Complete() bool {
	return !slices.ContainsFunc(r.Problems, func(p Problem) bool { return p.Code.IsGap() })
}

// Part is the consumption through one installed meter.
type Part struct {
	Installation schemas.Installation
	// From and To are the part of the time asked for at which it stood.
	From, To time.Time
	// Start and End are the readings on either side of From and To.
	Start, End Edge
	// Registers is how far the register went from Start.Before to End.Before,
	// Rollovers how often over its width meanwhile.
	Registers schemas.Decimal
	Rollovers int
	// Value is Registers times the installation's multiplier; Known is false,
	// and it is zero, where the readings prove nothing.
	Value schemas.Decimal
	Known bool
}

// Edge is a moment between two points of a register. Where a point lies on the
// moment, both are that point.
type Edge struct {
	At time.Time
	// Before is the last point at or before At, After the first at or after it;
	// nil where there is none.
	Before, After *Point
}

// Point is a register value that is beyond doubt: a good reading, or one that
// was written down when the meter was installed or removed.
type Point struct {
	At    time.Time
	Value schemas.Decimal
	// Recorded is true for a value of an installation record; Origin is that of
	// a reading.
	Recorded bool
	Origin   schemas.Origin

	total schemas.Decimal // how far the register had gone since the chain's first point
	turns int             // rollovers since then
}

// Code names a problem; it is stable, for programs.
type Code string

// The problems. All but NotUsed are gaps.
const (
	// NoMeter: no installation record covers any of the time.
	NoMeter Code = "no_meter"
	// NoRecord: the meter has no installation record at all; the readings were
	// taken as those of one meter that shows what it measures.
	NoRecord Code = "no_record"
	// Uncovered: good readings at a time at which no meter was installed.
	Uncovered Code = "uncovered"
	// NoReading: no good reading of an installed meter.
	NoReading Code = "no_reading"
	// NoStart: nothing is known at or before the start of a part; it counts from
	// the first point after it.
	NoStart Code = "no_start"
	// NoEnd: a meter was removed and no last value written down; what it
	// counted after its last good reading is not known.
	NoEnd Code = "no_end"
	// NothingNew: the same reading is the last at both ends of a part.
	NothingNew Code = "nothing_new"
	// Fall: a register fell, and its width does not explain it. Unless a record
	// says that it was reset or swapped, the part proves nothing.
	Fall Code = "fall"
	// NotUsed: a value of the meter's own memory contradicts the live readings
	// around it; the meter's clock differs.
	NotUsed Code = "not_used"
)

// Codes returns every code.
func Codes() []Code {
	return []Code{NoMeter, NoRecord, Uncovered, NoReading, NoStart, NoEnd, NothingNew, Fall, NotUsed}
}

// IsGap reports whether the problem leaves something out of the value.
func (c Code) IsGap() bool { return c != NotUsed }

// Problem is one thing that the operator can look into.
type Problem struct {
	Code Code
	// From and To are the time that it concerns.
	From, To time.Time
	// Text is one line in English that names the readings.
	Text string
}

// Of returns the consumption of one meter's counter between from and to.
//
// Readings are those of one meter and one counter, ascending in time, of any
// origin: all good ones between from and to, and the nearest on either side.
// What is not good is not looked at. Installations are the meter's own, as
// schemas.SortInstallations leaves them. Errors are arguments that are none, and
// a sum that does not fit a Decimal.
func Of(meter schemas.MeterID, quantity schemas.Quantity, readings []schemas.Reading, installations []schemas.Installation, from, to time.Time) (Result, error) {
	info, ok := quantity.Info()
	if !ok || info.Kind != schemas.Counter {
		return Result{}, fmt.Errorf("consumption of meter %s: %s is no counter", meter, quantity)
	}
	if !from.Before(to) {
		return Result{}, fmt.Errorf("consumption of meter %s, %s: from %s is not before to %s", meter, quantity, stamp(from), stamp(to))
	}
	if err := checkReadings(meter, quantity, readings); err != nil {
		return Result{}, err
	}
	for _, i := range installations {
		if i.Meter != meter {
			return Result{}, fmt.Errorf("consumption of meter %s: an installation of meter %s among its own", meter, i.Meter)
		}
	}
	r := &Result{Meter: meter, Quantity: quantity, From: from.UTC(), To: to.UTC()}
	installations = r.standing(installations)
	r.findUncovered(readings, installations)
	for _, i := range installations {
		if !i.From.Before(to) || !i.To.IsZero() && !i.To.After(from) {
			continue
		}
		if err := r.addPart(i, readings); err != nil {
			return Result{}, fmt.Errorf("consumption of meter %s, %s: %w", meter, quantity, err)
		}
	}
	if len(r.Parts) == 0 {
		r.problem(NoMeter, r.From, r.To, "no meter was installed at this time")
	}
	if err := r.sum(); err != nil {
		return Result{}, fmt.Errorf("consumption of meter %s, %s: %w", meter, quantity, err)
	}
	return *r, nil
}

func checkReadings(meter schemas.MeterID, quantity schemas.Quantity, readings []schemas.Reading) error {
	for n := range readings {
		r := &readings[n]
		if r.Meter != meter || r.Quantity != quantity {
			return fmt.Errorf("consumption of meter %s, %s: a reading of meter %s, %s among its own", meter, quantity, r.Meter, r.Quantity)
		}
		if n > 0 && r.TakenAt.Before(readings[n-1].TakenAt) {
			return fmt.Errorf("consumption of meter %s, %s: the readings are not in the order of time at %s", meter, quantity, stamp(r.TakenAt))
		}
	}
	return nil
}

// beginning is before every reading.
func beginning() time.Time { return time.Unix(0, 0).UTC() }

// standing returns the installations, or, where nobody wrote any down, one
// meter for ever that shows what it measures.
func (r *Result) standing(installations []schemas.Installation) []schemas.Installation {
	if len(installations) > 0 {
		return installations
	}
	r.problem(NoRecord, r.From, r.To, "no installation is on record; taken as one meter, multiplier 1")
	return []schemas.Installation{{Meter: r.Meter, From: beginning(), Multiplier: schemas.Decimal{Mantissa: 1}}}
}

// findUncovered reports good readings of the time asked for at which no
// installation stood.
func (r *Result) findUncovered(readings []schemas.Reading, installations []schemas.Installation) {
	count, first, last := 0, time.Time{}, time.Time{}
	for n := range readings {
		at := readings[n].TakenAt
		if readings[n].Quality != schemas.Good || at.Before(r.From) || at.After(r.To) ||
			slices.ContainsFunc(installations, func(i schemas.Installation) bool { return i.StandsAt(at) || at.Equal(i.To) }) {
			continue
		}
		if count == 0 {
			first = at
		}
		count, last = count+1, at
	}
	if count > 0 {
		r.problem(Uncovered, first, last, "%d good readings from %s to %s, when no meter was installed by the records", count, stamp(first), stamp(last))
	}
}

func (r *Result) problem(c Code, from, to time.Time, format string, args ...any) {
	r.Problems = append(r.Problems, Problem{Code: c, From: from, To: to, Text: fmt.Sprintf(format, args...)})
}

// stamp writes a moment for people.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999Z") }
