package collector

import (
	"testing"

	"citygrid/schemas"
)

// step is one value and the verdict that it must get.
type step struct {
	value  string // empty: Missing
	reason schemas.Reason
}

func good(values ...string) (steps []step) {
	for _, v := range values {
		steps = append(steps, step{value: v})
	}
	return steps
}

func TestVerdicts(t *testing.T) {
	const counter, volts, energyNet = "power.energy.import", "power.voltage.l1", "water.volume.net"
	rollback, limits := schemas.ReasonRollback, schemas.ReasonRange
	tests := []struct {
		name     string
		quantity schemas.Quantity
		min, max string
		wraps    string
		steps    []step
	}{
		{"the first value is accepted", counter, "", "", "", good("123456.78")},
		{"a counter grows and stands still", counter, "", "", "", good("1", "1.00", "1.01", "10")},
		{"a fall is a rollback, whatever its size", counter, "", "", "",
			append(good("100.00"), step{"99.99", rollback}, step{"0", rollback}, step{"100", ""})},
		{"the same value in another form is no fall", counter, "", "", "", good("100.00", "100", "100.0")},
		{"the finer digit counts", counter, "", "", "", append(good("100.1"), step{"100.05", rollback})},
		{"a suspect value moves no baseline", counter, "", "1000", "",
			append(good("500"), step{"2000", limits}, step{"499", rollback}, step{"501", ""})},
		{"a rolled-back value moves no baseline", counter, "", "", "",
			append(good("500"), step{"10", rollback}, step{"11", rollback}, step{"500", ""})},
		{"a missing value is left alone", counter, "", "", "",
			append(good("500"), step{"", schemas.ReasonSentinel}, step{"499", rollback}, step{"500", ""})},
		{"a gauge may fall", volts, "", "", "", good("231.5", "0", "229.9")},
		{"a signed total may fall", energyNet, "", "", "", good("5", "-5", "4")},
		{"the table's physical range", volts, "", "", "",
			append(good("0", "1000000"), step{"1000000.1", limits}, step{"-0.1", limits})},
		{"a negative counter", counter, "", "", "", []step{{"-0.01", limits}, {"0", ""}}},
		{"own limits are inclusive", volts, "180", "260", "",
			[]step{{"180", ""}, {"179.9", limits}, {"260.0", ""}, {"260.1", limits}}},
		{"one limit only", volts, "", "260", "", []step{{"0", ""}, {"261", limits}}},
		{"own limits compare exactly", volts, "", "0.3", "",
			[]step{{"0.3", ""}, {"0.300000000000000001", limits}}},

		{"rollover from the last tenth to the first", counter, "", "", "1000000",
			good("999999.99", "0.01", "5")},
		{"rollover at the edges of the tenths", counter, "", "", "1000000", good("900000", "100000")},
		{"below the last tenth it is a rollback", counter, "", "", "1000000",
			append(good("899999.99"), step{"0", rollback})},
		{"above the first tenth it is a rollback", counter, "", "", "1000000",
			append(good("999999"), step{"100000.01", rollback})},
		{"after the rollover the new baseline holds", counter, "", "", "1000000",
			append(good("999999", "7"), step{"6", rollback}, step{"8", ""})},
		// A sum of a whole part and a fraction (Decimal.Add) has the exponent
		// of the finer one; the documented width has none.
		{"rollover of a sum, finer than the width", counter, "", "", "100000000",
			good("99999999.999", "0.001")},
		{"rollover where the width is finer than the value", counter, "", "", "10000.00", good("9999", "1")},
		{"rollover of a 32-bit counter in 0.01", counter, "", "", "42949672.96",
			append(good("42949672.95", "0.05"), step{"0.04", rollback})},
		{"without a documented width it is a rollback", counter, "", "", "",
			append(good("4294967295"), step{"1", rollback})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rules := Rules{Limits: map[schemas.Quantity]Limits{}, WrapsAt: map[schemas.Quantity]schemas.Decimal{}}
			var own Limits
			for text, into := range map[string]**schemas.Decimal{tt.min: &own.Min, "+" + tt.max: &own.Max} {
				if text != "" && text != "+" {
					d := mustDecimal(t, text)
					*into = &d
				}
			}
			rules.Limits[tt.quantity] = own
			if tt.wraps != "" {
				rules.WrapsAt[tt.quantity] = mustDecimal(t, tt.wraps)
			}
			judgeAll(t, newValidator(rules), tt.quantity, tt.steps)
		})
	}
}

func judgeAll(t *testing.T, v *validator, q schemas.Quantity, steps []step) {
	t.Helper()
	for i, s := range steps {
		info, _ := q.Info()
		r := schemas.Reading{Meter: "m", Quantity: q, Unit: info.Unit, TakenAt: at("2026-01-01T00:00:00Z")}
		if s.value == "" {
			r.Quality, r.Reason = schemas.Missing, s.reason
		} else {
			r.Value = mustDecimal(t, s.value)
		}
		before := r
		v.judge(&r)
		want := before
		if s.value != "" && s.reason != "" {
			want.Quality, want.Reason = schemas.Suspect, s.reason
		}
		if r != want {
			t.Errorf("step %d, value %q: %s %q, want %s %q (or more than the verdict has changed)",
				i, s.value, r.Quality, r.Reason, want.Quality, want.Reason)
		}
		if err := r.Validate(); err != nil {
			t.Errorf("step %d: the judged reading is malformed: %v", i, err)
		}
	}
}

// The counters of one meter have baselines of their own, and an unknown
// quantity is left to the codec.
func TestVerdictsKeepQuantitiesApart(t *testing.T) {
	v := newValidator(Rules{})
	judgeAll(t, v, "power.energy.import", good("100"))
	judgeAll(t, v, "power.energy.export", good("1"))
	judgeAll(t, v, "power.energy.import", []step{{"99", schemas.ReasonRollback}})
	r := schemas.Reading{Quantity: "power.magic", Value: schemas.Decimal{Mantissa: -1}}
	if v.judge(&r); r.Quality != schemas.Good {
		t.Errorf("an unknown quantity is judged %s", r.Quality)
	}
}
