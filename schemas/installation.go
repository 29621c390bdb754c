package schemas

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Installation says which physical meter stood at a place of the asset register
// (a MeterID), from when to when, and what its registers mean. Consumption over
// a time is the sum over the installations that it touches: each counts from
// its own first register value, so that a swap neither adds nor loses anything.
type Installation struct {
	Meter MeterID
	// Serial is the number on the meter's plate, as adapters.Identified returns
	// it; empty when nobody wrote it down, and then it is not checked.
	Serial string
	// From is the moment of installation, To that of removal, UTC; To is zero
	// while the meter stands. The interval is half open: [From, To).
	From, To time.Time
	// First and Last are the register values read off at From and To by the one
	// who installed and removed the meter, by counter quantity, in its unit.
	First, Last map[Quantity]Decimal
	// WrapsAt is the value at which a counter's register goes back to zero: its
	// width. It goes before what the meter's profile says.
	WrapsAt map[Quantity]Decimal
	// Multiplier turns register values into primary ones: the current ratio
	// times the voltage ratio (CT·PT) of a meter behind transformers, or the
	// volume or energy of a pulse for a pulse counter. It is above zero; 1 for a
	// meter that shows what it measures.
	Multiplier Decimal
}

// StandsAt reports whether the meter stood at t.
func (i Installation) StandsAt(t time.Time) bool {
	return !t.Before(i.From) && (i.To.IsZero() || t.Before(i.To))
}

// Validate reports the first thing that is wrong with i, naming the field.
func (i Installation) Validate() error {
	if err := i.Meter.Validate(); err != nil {
		return err
	}
	if i.Serial != "" {
		if err := validLine("serial", i.Serial, maxName); err != nil {
			return err
		}
	}
	if err := validTime("from", i.From); err != nil {
		return err
	}
	if !i.To.IsZero() {
		if err := validTime("to", i.To); err != nil {
			return err
		}
		if !i.To.After(i.From) {
			return &FieldError{Field: "to", Problem: "not after from"}
		}
	}
	if i.To.IsZero() && len(i.Last) > 0 {
		return &FieldError{Field: "last", Problem: "given for a meter that still stands; give to as well"}
	}
	if err := i.Multiplier.Validate(); err != nil {
		return at("multiplier", err)
	}
	if i.Multiplier.Mantissa <= 0 {
		return &FieldError{Field: "multiplier", Problem: fmt.Sprintf("%s, want more than zero (1 for a direct meter)", i.Multiplier)}
	}
	return i.validRegisters()
}

func (i Installation) validRegisters() error {
	for _, m := range []struct {
		field  string
		values map[Quantity]Decimal
	}{{"wraps_at", i.WrapsAt}, {"first", i.First}, {"last", i.Last}} {
		for _, q := range slices.Sorted(maps.Keys(m.values)) {
			v, field := m.values[q], fmt.Sprintf("%s.%s", m.field, q)
			info, ok := q.Info()
			if !ok || info.Kind != Counter {
				return &FieldError{Field: field, Problem: "no counter of the table of quantities"}
			}
			if err := v.Validate(); err != nil {
				return at(field, err)
			}
			if v.Mantissa < 0 || m.field == "wraps_at" && v.Mantissa == 0 {
				return &FieldError{Field: field, Problem: fmt.Sprintf("%s is not possible", v)}
			}
			if width, ok := i.WrapsAt[q]; ok && m.field != "wraps_at" && v.Cmp(width) >= 0 {
				return &FieldError{Field: field, Problem: fmt.Sprintf("%s, but the register goes back to zero at %s", v, width)}
			}
		}
	}
	return nil
}

// SortInstallations orders the installations of one or more meters by meter and
// time, and reports the first that is not valid or two of one meter that
// overlap.
func SortInstallations(list []Installation) error {
	for n, i := range list {
		if err := i.Validate(); err != nil {
			return at(fmt.Sprintf("installations[%d]", n), err)
		}
	}
	slices.SortFunc(list, func(a, b Installation) int {
		return cmp.Or(cmp.Compare(a.Meter, b.Meter), a.From.Compare(b.From))
	})
	for n := 1; n < len(list); n++ {
		a, b := list[n-1], list[n]
		if a.Meter == b.Meter && (a.To.IsZero() || a.To.After(b.From)) {
			return fmt.Errorf("meter %s: the installation from %s is not over when the next begins (%s); give its end (to)",
				a.Meter, a.From.Format(time.RFC3339), b.From.Format(time.RFC3339))
		}
	}
	return nil
}
