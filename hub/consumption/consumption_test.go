package consumption

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
)

const (
	meter  = schemas.MeterID("P_42")
	energy = schemas.Quantity("power.energy.import")
)

func hour(n int) time.Time { return time.Date(2026, 3, 1, n, 0, 0, 0, time.UTC) }

func num(t testing.TB, s string) schemas.Decimal {
	t.Helper()
	d, err := schemas.ParseDecimal(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// at is a good live reading at an hour.
func at(t testing.TB, h int, value string) schemas.Reading {
	return schemas.Reading{Meter: meter, Quantity: energy, Unit: "kW.h", TakenAt: hour(h), Value: num(t, value)}
}

func of(o schemas.Origin, r schemas.Reading) schemas.Reading {
	r.Origin = o
	return r
}

func doubted(r schemas.Reading) schemas.Reading {
	r.Quality, r.Reason = schemas.Suspect, schemas.ReasonJump
	return r
}

// stood is an installation; empty texts are left out.
func stood(t testing.TB, from, to int, first, last, width, multiplier string) schemas.Installation {
	one := func(s string) map[schemas.Quantity]schemas.Decimal {
		if s == "" {
			return nil
		}
		return map[schemas.Quantity]schemas.Decimal{energy: num(t, s)}
	}
	i := schemas.Installation{Meter: meter, From: hour(from), First: one(first), Last: one(last), WrapsAt: one(width), Multiplier: num(t, multiplier)}
	if to > 0 {
		i.To = hour(to)
	}
	if err := i.Validate(); err != nil {
		t.Fatal(err)
	}
	return i
}

type example struct {
	name               string
	readings           []schemas.Reading
	installations      []schemas.Installation
	value, least, most string // most "": not known
	problems           []Code
}

// The examples ask for hour 10 to hour 20.
func examples(t *testing.T) []example {
	one := []schemas.Installation{stood(t, 0, 0, "0", "", "", "1")}
	wide := []schemas.Installation{stood(t, 0, 0, "", "", "10000", "1")}
	fitted := func(first string) []schemas.Installation {
		return []schemas.Installation{stood(t, 0, 0, first, "", "10000", "1")}
	}
	removed := func(last string) []schemas.Installation {
		return []schemas.Installation{stood(t, 0, 90, "", last, "10000", "1")}
	}
	swap := []schemas.Installation{
		stood(t, 0, 15, "", "9100.5", "", "1"),
		stood(t, 15, 0, "3.2", "", "", "1"),
	}
	return []example{
		{"readings on both moments", []schemas.Reading{at(t, 10, "100.0"), at(t, 20, "130.5")}, one, "30.5", "30.5", "30.5", nil},
		{"readings on either side", []schemas.Reading{at(t, 9, "100"), at(t, 11, "103"), at(t, 19, "130"), at(t, 21, "137")}, one, "30", "27", "37", nil},
		{"nothing after the end yet", []schemas.Reading{at(t, 9, "100"), at(t, 11, "103"), at(t, 19, "130")}, one, "30", "27", "", nil},
		{"the record is the only start", []schemas.Reading{at(t, 11, "103"), at(t, 20, "130")}, one, "130", "27", "130", nil},
		{"multiplier", []schemas.Reading{at(t, 10, "100.01"), at(t, 20, "100.04")},
			[]schemas.Installation{stood(t, 0, 0, "", "", "", "0.0025")}, "0.000075", "0.000075", "0.000075", nil},
		{"suspect readings are not looked at", []schemas.Reading{at(t, 10, "100"), doubted(at(t, 12, "99999")), doubted(at(t, 13, "5")), at(t, 20, "130"), doubted(at(t, 20, "1"))}, one, "30", "30", "30", nil},
		{"rollover", []schemas.Reading{at(t, 10, "9990.5"), at(t, 15, "9999.9"), at(t, 20, "12.3")}, wide, "21.8", "21.8", "21.8", nil},
		{"rollover outside the bounds", []schemas.Reading{at(t, 9, "9990"), at(t, 11, "2"), at(t, 19, "9"), at(t, 21, "30")}, wide, "19", "7", "40", nil},
		{"a fall without a width", []schemas.Reading{at(t, 10, "9990"), at(t, 20, "12")}, one, "0", "0", "", []Code{Fall}},
		{"a fall by less than half the width", []schemas.Reading{at(t, 10, "4000"), at(t, 15, "3990"), at(t, 20, "4100")}, wide, "0", "0", "", []Code{Fall}},
		{"round since it was fitted", []schemas.Reading{at(t, 9, "9000"), at(t, 11, "9003"), at(t, 19, "9030"), at(t, 21, "9037")}, fitted("100"), "30", "27", "37", nil},
		{"far round since it was fitted", []schemas.Reading{at(t, 9, "50"), at(t, 11, "53"), at(t, 19, "80"), at(t, 21, "87")}, fitted("100"), "30", "27", "37", nil},
		{"far round before it is removed", []schemas.Reading{at(t, 9, "5000"), at(t, 19, "5030")}, removed("4000"), "30", "0", "", nil},
		{"removed after a while", []schemas.Reading{at(t, 9, "5000"), at(t, 19, "5030")}, removed("5100"), "30", "0", "100", nil},
		{"removed after it went round", []schemas.Reading{at(t, 9, "9900"), at(t, 19, "9990")}, removed("20"), "90", "0", "120", nil},
		{"a fall from the record is one", []schemas.Reading{at(t, 11, "50"), at(t, 19, "80")}, fitted("100"), "0", "0", "", []Code{Fall}},
		{"freezes far off contradict nothing", []schemas.Reading{of(schemas.MonthlyFreeze, at(t, 5, "9000")), at(t, 9, "100"), at(t, 20, "130"), of(schemas.MonthlyFreeze, at(t, 30, "90"))}, wide,
			"30", "0", "30", nil},
		{"a wrong freeze at the moment of the record", []schemas.Reading{of(schemas.DailyFreeze, at(t, 10, "500")), at(t, 11, "103"), at(t, 20, "130")},
			[]schemas.Installation{stood(t, 10, 0, "100", "", "", "1")}, "30", "30", "30", []Code{NotUsed}},
		{"a freeze since the record", []schemas.Reading{of(schemas.DailyFreeze, at(t, 9, "50")), at(t, 20, "80")}, fitted("100"), "30", "0", "30", nil},
		{"swap", []schemas.Reading{at(t, 10, "9000"), at(t, 14, "9100"), at(t, 16, "4"), at(t, 20, "10")}, swap, "107.3", "107.3", "107.3", nil},
		{"swap with a gap of time between", []schemas.Reading{at(t, 10, "9000"), at(t, 20, "10")},
			[]schemas.Installation{stood(t, 0, 12, "", "9050", "", "1"), stood(t, 15, 0, "9", "", "", "1")}, "51", "51", "51", nil},
		{"another transformer", []schemas.Reading{at(t, 10, "100"), at(t, 15, "110"), at(t, 20, "125")},
			[]schemas.Installation{stood(t, 0, 15, "", "110", "", "30"), stood(t, 15, 0, "110", "", "", "40")}, "900", "900", "900", nil},
		{"a reset on record", []schemas.Reading{at(t, 10, "900"), at(t, 14, "950"), at(t, 16, "1"), at(t, 20, "7")},
			[]schemas.Installation{stood(t, 0, 15, "", "951", "", "1"), stood(t, 15, 0, "0", "", "", "1")}, "58", "58", "58", nil},
		{"no last value", []schemas.Reading{at(t, 10, "9000"), at(t, 14, "9100"), at(t, 16, "4"), at(t, 20, "10")},
			[]schemas.Installation{stood(t, 0, 15, "", "", "", "1"), stood(t, 15, 0, "3", "", "", "1")}, "107", "107", "", []Code{NoEnd}},
		{"no first value", []schemas.Reading{at(t, 10, "9000"), at(t, 16, "4"), at(t, 20, "10")},
			[]schemas.Installation{stood(t, 0, 15, "", "9100", "", "1"), stood(t, 15, 0, "", "", "", "1")}, "106", "106", "", []Code{NoStart}},
		{"no reading of the second meter", []schemas.Reading{at(t, 10, "9000")},
			[]schemas.Installation{stood(t, 0, 15, "", "9100", "", "1"), stood(t, 15, 0, "", "", "", "1")}, "100", "100", "", []Code{NoReading}},
		{"nothing new", []schemas.Reading{at(t, 5, "100"), at(t, 22, "130")}, one, "0", "0", "30", []Code{NothingNew}},
		{"no reading at all", nil, wide, "0", "0", "", []Code{NoReading}},
		{"no meter then", nil, []schemas.Installation{stood(t, 0, 5, "", "1", "", "1")}, "0", "0", "", []Code{NoMeter}},
		{"readings without a meter", []schemas.Reading{at(t, 10, "1"), at(t, 14, "7"), at(t, 16, "8"), at(t, 20, "9")},
			[]schemas.Installation{stood(t, 15, 0, "7", "", "", "1")}, "2", "2", "2", []Code{Uncovered}},
		{"no record", []schemas.Reading{at(t, 10, "100"), at(t, 20, "130")}, nil, "30", "30", "30", []Code{NoRecord}},
		{"freezes at the moments", []schemas.Reading{at(t, 9, "100"), of(schemas.DailyFreeze, at(t, 10, "101")), at(t, 11, "103"),
			at(t, 19, "130"), of(schemas.MonthlyFreeze, at(t, 20, "132")), at(t, 21, "137")}, one, "31", "31", "31", nil},
		{"freezes alone", []schemas.Reading{of(schemas.DailyFreeze, at(t, 10, "9990")), of(schemas.LoadRecord, at(t, 15, "5")), of(schemas.DailyFreeze, at(t, 20, "10"))}, wide, "20", "20", "20", nil},
		{"a freeze by a clock that is slow", []schemas.Reading{at(t, 9, "100"), of(schemas.DailyFreeze, at(t, 10, "99")), at(t, 11, "103"), at(t, 20, "130")}, one, "30", "27", "30", []Code{NotUsed}},
		{"a freeze by a clock that is fast", []schemas.Reading{at(t, 9, "100"), of(schemas.DailyFreeze, at(t, 10, "104")), at(t, 11, "103"), at(t, 20, "130")}, one, "30", "27", "30", []Code{NotUsed}},
		{"a freeze that would go round", []schemas.Reading{at(t, 9, "9000"), of(schemas.DailyFreeze, at(t, 10, "100")), at(t, 11, "9003"), at(t, 20, "9030")}, wide, "30", "27", "30", []Code{NotUsed}},
	}
}

func TestExamples(t *testing.T) {
	for _, c := range examples(t) {
		t.Run(c.name, func(t *testing.T) {
			got, err := Of(meter, energy, c.readings, c.installations, hour(10), hour(20))
			if err != nil {
				t.Fatal(err)
			}
			most := ""
			if got.MostKnown {
				most = got.Most.String()
			}
			for _, v := range []struct{ name, got, want string }{{"value", got.Value.String(), c.value}, {"least", got.Least.String(), c.least}, {"most", most, c.most}} {
				same := v.got == v.want || v.got != "" && v.want != "" && num(t, v.got).Cmp(num(t, v.want)) == 0
				if !same {
					t.Errorf("%s is %q, want %q", v.name, v.got, v.want)
				}
			}
			var codes []Code
			for _, p := range got.Problems {
				codes = append(codes, p.Code)
				if p.Text == "" || strings.Contains(p.Text, "%!") || p.To.Before(p.From) {
					t.Errorf("problem %+v", p)
				}
			}
			if !slices.Equal(codes, c.problems) {
				t.Errorf("problems %v, want %v", codes, c.problems)
			}
			if want := len(codes) == 0 || codes[0] == NotUsed; got.Complete() != want {
				t.Errorf("complete: %v", got.Complete())
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	two := []schemas.Reading{at(t, 10, "1"), at(t, 20, "2")}
	other := at(t, 15, "1")
	other.Meter = "P_43"
	huge := stood(t, 0, 0, "", "", "", "9223372036854775807")
	foreign := stood(t, 0, 0, "", "", "", "1")
	foreign.Meter = "P_43"
	for name, f := range map[string]func() (Result, error){
		"is no counter": func() (Result, error) { return Of(meter, "power.active", nil, nil, hour(10), hour(20)) },
		"is not before": func() (Result, error) { return Of(meter, energy, two, nil, hour(10), hour(10)) },
		"order of time": func() (Result, error) {
			return Of(meter, energy, []schemas.Reading{two[1], two[0]}, nil, hour(10), hour(20))
		},
		"a reading of meter P_43": func() (Result, error) {
			return Of(meter, energy, []schemas.Reading{two[0], other}, nil, hour(10), hour(20))
		},
		"an installation of meter P_43": func() (Result, error) {
			return Of(meter, energy, two, []schemas.Installation{foreign}, hour(10), hour(20))
		},
		"does not fit": func() (Result, error) {
			return Of(meter, energy, []schemas.Reading{at(t, 10, "0"), at(t, 20, "3")}, []schemas.Installation{huge}, hour(10), hour(20))
		},
	} {
		if _, err := f(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTimes(t *testing.T) {
	for _, c := range []struct{ a, b, want string }{
		{"0", "5", "0"}, {"0.000000000000000000", "0.001", "0"}, {"1.5", "2", "3"}, {"0.01", "1500", "15"},
		{"0.000000000000000010", "0.1", "0.000000000000000001"}, {"4611686018427387904", "0.5", "2305843009213693952"},
		{"1000000000000000000000000000000000000", "1", "1000000000000000000000000000000000000"},
		{"1000000000000000000", "1000000000000000000", "1000000000000000000000000000000000000"},
	} {
		got, ok := times(num(t, c.a), num(t, c.b))
		if !ok || got.Cmp(num(t, c.want)) != 0 {
			t.Errorf("%s × %s = %s, %v, want %s", c.a, c.b, got, ok, c.want)
		}
	}
	for _, c := range [][2]schemas.Decimal{
		{{Mantissa: math.MaxInt64}, {Mantissa: 3}},
		{{Mantissa: 1, Exponent: -18}, {Mantissa: 1, Exponent: -1}},
		{{Mantissa: 99, Exponent: 18}, {Mantissa: 1, Exponent: 18}},
	} {
		if got, ok := times(c[0], c[1]); ok {
			t.Errorf("%v × %v = %v", c[0], c[1], got)
		}
	}
}
