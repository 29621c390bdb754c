package billing

import (
	"slices"
	"testing"
	"time"

	"citygrid/hub/ledger/tariff"
)

func TestMonth(t *testing.T) {
	m, err := ParseMonth("2026-12")
	if err != nil || m.String() != "2026-12" || (m+1).String() != "2027-01" {
		t.Fatalf("%s, %s, %v", m, m+1, err)
	}
	if got := (m + 1).Start(cst); got != moment("2027-01-01 00:00").UTC() {
		t.Errorf("%s", got)
	}
	if got := MonthOf(moment("2026-12-31 23:59"), cst); got != m {
		t.Errorf("%s", got)
	}
	for _, bad := range []string{"", "2026-13", "2026-1", "2026-10-01", "October"} {
		if got, err := ParseMonth(bad); err == nil {
			t.Errorf("%q is %s", bad, got)
		}
	}
}

// TestBoundaries: with a reading at each boundary, and only then, Price takes a
// period.
func TestBoundaries(t *testing.T) {
	for name, c := range map[string]struct {
		plan, from, to string
		want           []string
	}{
		"inside":          {"water-home", "2026-01-05 10:00", "2026-02-05 10:00", nil},
		"new price":       {"water-home", "2026-06-05 10:00", "2026-08-05 10:00", []string{"2026-07-01 00:00"}},
		"ends at price":   {"water-home", "2026-06-05 10:00", "2026-07-01 00:00", nil},
		"begins at price": {"water-home", "2026-07-01 00:00", "2026-08-01 00:00", nil},
		"price and year":  {"water-home", "2026-06-30 23:59", "2027-01-01 00:01", []string{"2026-07-01 00:00", "2027-01-01 00:00"}},
		"by month":        {"water-shop", "2026-01-31 10:00", "2026-04-01 00:00", []string{"2026-02-01 00:00", "2026-03-01 00:00"}},
		"one day":         {"power-home", "2026-01-01 00:00", "2026-01-02 00:00", nil},
	} {
		p := plan(t, c.plan)
		got := Boundaries(p, cst, moment(c.from), moment(c.to))
		var want []time.Time
		for _, s := range c.want {
			want = append(want, moment(s).UTC())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		all := []Reading{at(c.from, 0)}
		for _, b := range got {
			all = append(all, Reading{At: b})
		}
		all = append(all, at(c.to, 0))
		if _, err := Price(p, cst, all, 0); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for n := 1; n < len(all)-1; n++ {
			if _, err := Price(p, cst, slices.Delete(slices.Clone(all), n, n+1), 0); err == nil {
				t.Errorf("%s: the reading of %s is not needed", name, all[n].At)
			}
		}
	}
}

// TestPricesWithAndWithoutRates: a period may go from one price to prices by rate.
func TestPricesWithAndWithoutRates(t *testing.T) {
	p := &tariff.Plan{ID: "p", Utility: "power", Reset: tariff.Yearly, Rounding: tariff.HalfUpPerLine, Versions: []tariff.Version{
		{From: 0, Rates: []tariff.Price{10_000}, Steps: []tariff.Step{{}}},
		{From: tariff.DateOf(moment("2026-03-10 00:00"), cst), Rates: []tariff.Price{20_000, 5_000}, Steps: []tariff.Step{{}}}}}
	begin, end := moment("2026-03-01 00:00"), moment("2026-04-01 00:00")
	if n := Rates(p, cst, begin, end); n != 2 {
		t.Errorf("%d rates", n)
	}
	if n := Rates(p, cst, begin, moment("2026-03-10 00:00")); n != 0 {
		t.Errorf("%d rates before", n)
	}
	got, err := Price(p, cst, []Reading{at("2026-03-01 00:00", 0, 0, 0), at("2026-03-10 00:00", 3_000, 2_000, 1_000), at("2026-04-01 00:00", 6_000, 3_000, 3_000)}, 0)
	if err != nil || got.Total != 300+200+100 {
		t.Errorf("%+v, %v", got, err)
	}
	if Stepped(p) || !Stepped(plan(t, "water-home")) {
		t.Error("which plan has steps?")
	}
	if got := StepsFrom(plan(t, "water-shop"), cst, end.Add(-1)); got != begin.UTC() {
		t.Errorf("steps from %s", got)
	}
}
