package store

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"citygrid/schemas"
)

func decimal(t testing.TB, text string) schemas.Decimal {
	t.Helper()
	d, err := schemas.ParseDecimal(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestFixed: values get the exponent at which they can be added up, if that is exact
// and their sums fit; others keep their own.
func TestFixed(t *testing.T) {
	for text, want := range map[string]schemas.Decimal{
		"0": {Exponent: -9}, "1.5": {Mantissa: 1_500_000_000, Exponent: -9}, "-2": {Mantissa: -2_000_000_000, Exponent: -9},
		"0.0000000010": {Mantissa: 1, Exponent: -9}, "0.0000000001": {Mantissa: 1, Exponent: -10}, "9000000": {Mantissa: 9_000_000},
	} {
		if got := fixed(decimal(t, text)); got != want {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
}

func hoursOf(t testing.TB, s *Store, areas bool, place string, medium schemas.Medium, from, to time.Time) (list []CellHour) {
	t.Helper()
	err := s.CellHours(t.Context(), areas, place, medium, from, to, func(h CellHour) error { list = append(list, h); return nil })
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(list, func(a, b CellHour) int {
		return cmp.Or(cmp.Compare(a.Place, b.Place), cmp.Compare(a.Medium, b.Medium), a.Hour.Compare(b.Hour))
	})
	return list
}

// same compares hours with values of any exponent.
func sameHours(a, b []CellHour) bool {
	return slices.EqualFunc(a, b, func(x, y CellHour) bool {
		equal := x.Value.Cmp(y.Value) == 0
		x.Value, y.Value = schemas.Decimal{}, schemas.Decimal{}
		return equal && x == y
	})
}

func TestCellHours(t *testing.T) {
	s := openReal(t, 3)
	hour := func(n int) time.Time {
		return at(1700000000000 - 1700000000000%3600000).Add(time.Duration(n) * time.Hour)
	}
	one := func(place string, medium schemas.Medium, n int, value string) CellHour {
		h := CellHour{Place: place, Medium: medium, Hour: hour(n), Meters: 4, Counted: int64(3 - n%2), Partial: 1, Carried: int64(n), Expected: 16, Got: 15}
		if value != "" {
			h.Value, h.Known, h.Flow, h.FlowKnown = decimal(t, value), true, float64(n)+0.5, true
		}
		return h
	}
	cells := []CellHour{
		one("110101001001001", schemas.Water, 0, "1.25"), one("110101001001001", schemas.Water, 1, ""), one("110101001001001", schemas.Water, 2, "0.000000001"),
		one("110101001001002", schemas.Water, 0, "9000000"), one("110101001001002", schemas.Water, 1, "0.00000000125"), one("none", schemas.Power, 0, "-1"),
	}
	cells[1].Broken = true
	areas := []CellHour{one("city", schemas.Water, 0, "3.5")}
	areas[0].Rows = 77
	for range 2 { // again is the same
		if err := s.StoreCellHours(t.Context(), false, cells); err != nil {
			t.Fatal(err)
		}
		if err := s.StoreCellHours(t.Context(), true, areas); err != nil {
			t.Fatal(err)
		}
	}
	if got := hoursOf(t, s, false, "", "", hour(0), hour(3)); !sameHours(got, cells) {
		t.Errorf("got %+v", got)
	}
	if got := hoursOf(t, s, true, "city", schemas.Water, hour(0), hour(3)); !sameHours(got, areas) {
		t.Errorf("areas %+v", got)
	}
	if got := hoursOf(t, s, false, "110101001001001", schemas.Water, hour(1), hour(2)); !sameHours(got, cells[1:2]) {
		t.Errorf("one hour: %+v", got)
	}
	sums := map[string]CellHour{}
	if err := s.CellSums(t.Context(), schemas.Water, hour(0), hour(3), func(h CellHour) error { sums[h.Place] = h; return nil }); err != nil {
		t.Fatal(err)
	}
	first, second := sums["110101001001001"], sums["110101001001002"]
	if len(sums) != 2 || !first.Broken || first.Expected != 48 || first.Got != 45 || first.Counted != 2 || first.Carried != 2 || first.Flow != 0.5 {
		t.Errorf("first %+v of %v", first, sums)
	}
	if second.Broken || !second.Known || second.Value.Cmp(decimal(t, "9000000.00000000125")) != 0 {
		t.Errorf("of different exponents: %+v", second)
	}
	if err := s.CellSums(t.Context(), schemas.Water, hour(2), hour(3), func(h CellHour) error { sums[h.Place] = h; return nil }); err != nil || sums["110101001001001"].Value.Cmp(decimal(t, "0.000000001")) != 0 {
		t.Errorf("%v: %+v", err, sums)
	}
	// A value that is not proven any more is none.
	cells[0].Value, cells[0].Known, cells[0].FlowKnown = schemas.Decimal{}, false, false
	if err := s.StoreCellHours(t.Context(), false, cells[:1]); err != nil {
		t.Fatal(err)
	}
	if got := hoursOf(t, s, false, "110101001001001", "", hour(0), hour(1)); len(got) != 1 || got[0].Known || got[0].Value != (schemas.Decimal{}) {
		t.Errorf("after it was taken back: %+v", got)
	}
}

// TestCounterSources: what a roll-up reads.
func TestCounterSources(t *testing.T) {
	s := openReal(t, 0)
	const begin = 1700000000000 - 1700000000000%3600000
	suspect := register("a", "power.energy.import", 99, begin+20)
	suspect.Quality, suspect.Reason = schemas.Suspect, schemas.ReasonJump
	own := register("a", "power.energy.import", 11, begin+5)
	own.Origin = schemas.DailyFreeze
	all := []schemas.Reading{register("a", "power.energy.import", 10, begin), own, suspect, register("a", "power.energy.import", 12, begin+3600000)}
	for n := range 60 {
		all = append(all, register(fmt.Sprintf("m%02d", n), "power.energy.import", int64(n), begin+int64(n)))
	}
	mustWrite(t, s, all...)
	mustWrite(t, s, register("a", "power.energy.export", 1, begin))
	quantities := []schemas.Quantity{"power.energy.import", "water.volume.forward"}
	var got []schemas.Reading
	take := func(r schemas.Reading) error { got = append(got, r); return nil }
	if err := s.Counters(t.Context(), quantities, at(begin), at(begin+3600000), take); err != nil || !slices.Equal(byKey(got), byKey(all)) {
		t.Errorf("counters: %v, %d readings", err, len(got))
	}
	last := func(meters []schemas.MeterID, since, before int64) []schemas.Reading {
		t.Helper()
		got = nil
		if err := s.LastGood(t.Context(), meters, quantities, at(since), at(before), take); err != nil {
			t.Fatal(err)
		}
		return byKey(got)
	}
	if got := last([]schemas.MeterID{"a"}, begin, begin+1000); !slices.Equal(got, byKey([]schemas.Reading{all[0], own})) {
		t.Errorf("the last good ones: %v", got)
	}
	if got := last([]schemas.MeterID{"a"}, begin, begin+3600001); !slices.Equal(got, byKey([]schemas.Reading{all[3], own})) {
		t.Errorf("the last good ones with the moment itself: %v", got)
	}
	if got := last(nil, begin, begin+1000); len(got) != 62 {
		t.Errorf("of all meters: %d", len(got))
	}
	var many []schemas.MeterID
	for n := range 60 {
		many = append(many, schemas.MeterID(fmt.Sprintf("m%02d", n)))
	}
	if a, b := last(many, begin, begin+1000), last([]schemas.MeterID{}, begin, begin+1000); len(a) != 60 || len(b) != 0 {
		t.Errorf("of sixty: %d, of none: %d", len(a), len(b))
	}
	counts := map[time.Time]int64{}
	err := s.CountCounters(t.Context(), quantities, at(begin-3600000), at(begin+math.MaxInt32), func(hour time.Time, n int64) error { counts[hour] = n; return nil })
	if err != nil || len(counts) != 2 || counts[at(begin)] != 63 || counts[at(begin+3600000)] != 1 {
		t.Errorf("counts: %v %v", err, counts)
	}
	if err := s.Counters(context.Background(), quantities, at(begin), at(begin-1), take); err == nil {
		t.Error("to before from: no error")
	}
}
