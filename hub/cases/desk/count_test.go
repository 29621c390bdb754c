package desk

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/limits"
	"citygrid/schemas"
)

// tallyOf counts a list as Counts does, one case at a time.
func tallyOf(list []Summary, by []CountBy) map[Tally]int64 {
	out := map[Tally]int64{}
	for n := range list {
		s, t := &list[n], Tally{}
		for _, b := range by {
			switch b {
			case ByCell:
				t.Cell = s.Cell
			case ByCommunity:
				t.Community = s.Cell.Community()
			case ByState:
				t.State = s.State
			case ByClass:
				t.Class = s.Class.String()
			case ByLight:
				t.Light = s.Light
			}
		}
		out[t]++
	}
	return out
}

// TestCounts holds counts against lists, for filters that have an index of their own and
// for others, while lights change.
func TestCounts(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		for n := range 12 {
			e := report(1 + n%4)
			e.Report.Class.Code = fmt.Sprintf("010%d", 1+n%3)
			if n == 9 { // it goes no further
				e.Report.Position, e.Report.Cell = schemas.Position{}, ""
			}
			id := w.act("", e).Case.ID
			w.through(id, append(toHandling, toClosed...)[:n%9]...)
			w.clock.add(time.Hour)
		}
		filters := map[string]Filter{
			"all": {}, "open": {Open: true}, "area": {Open: true, Cell: "110101001"}, "cell": {Open: true, Cell: string(cellOf(2))}, "red": {Open: true, Light: limits.Red},
			"green": {Open: true, Light: limits.Green}, "states": {Open: true, States: []cases.State{cases.Filed, cases.Handling}}, "class": {Open: true, Class: coverClass.String()},
			"department": {Open: true, Department: "A"}, "duty": {Open: true, Duty: "D1"}, "since": {Open: true, Since: monday.Add(3 * time.Hour)}, "closed": {States: []cases.State{cases.Closed}},
			"none": {Open: true, Cell: "999999"},
		}
		groups := [][]CountBy{{ByCell, ByState, ByLight}, {ByClass, ByCommunity, ByLight}, {ByState}, nil}
		lights := map[limits.Light]bool{}
		for range 4 {
			for name, f := range filters {
				f.Limit, f.Before = 1000, 1
				all := f
				all.Before = 0
				list, err := w.List(t.Context(), all)
				must(t, err)
				for _, by := range groups {
					got, err := w.Counts(t.Context(), f, by...)
					must(t, err)
					sums := map[Tally]int64{}
					for _, one := range got {
						n := one.N
						one.N = 0
						sums[one] += n
						lights[one.Light] = true
					}
					if want := tallyOf(list, by); !maps.Equal(sums, want) {
						t.Errorf("%s by %v: %v, want %v", name, by, sums, want)
					}
				}
			}
			w.clock.add(5 * time.Hour)
		}
		if !lights[limits.Red] || !lights[limits.Green] || !lights[limits.None] {
			t.Errorf("lights seen: %v", lights)
		}
		for _, wrong := range []func() error{
			func() error { _, err := w.Counts(t.Context(), Filter{Open: true}, "weather"); return err },
			func() error {
				_, err := w.Counts(t.Context(), Filter{Open: true, Cell: "a'"}, ByCell)
				return err
			},
			func() error { _, err := w.Lasting(t.Context(), "%", 5); return err },
		} {
			if err := wrong(); !isField(err) {
				t.Errorf("got %v, want a fault of a field", err)
			}
		}
	})
}

// TestLasting lists events that have not cleared, the latest first.
func TestLasting(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		var second schemas.ComponentEvent
		for n := range 3 {
			id := schemas.MeterID(fmt.Sprintf("M%d", n))
			w.at(id, 1+n, 0)
			e := opened(schemas.EventLeak, id, w.clock.now())
			if w.send(e); n == 1 {
				second = e
			}
			w.clock.add(time.Minute)
		}
		lasting := func(area string, limit int) (out []schemas.MeterID) {
			t.Helper()
			list, err := w.Lasting(t.Context(), area, limit)
			must(t, err)
			for _, e := range list {
				out = append(out, e.Meter)
			}
			return out
		}
		for _, c := range []struct {
			area  string
			limit int
			want  string
		}{{"", 10, "[M2 M1 M0]"}, {"", 2, "[M2 M1]"}, {"", 0, "[M2]"}, {string(cellOf(2)), 10, "[M1]"}, {"110101", 10, "[M2 M1 M0]"}, {"33", 10, "[]"}} {
			if got := fmt.Sprint(lasting(c.area, c.limit)); got != c.want {
				t.Errorf("%q, %d: %s, want %s", c.area, c.limit, got, c.want)
			}
		}
		w.send(cleared(second, w.clock.now()))
		if got := fmt.Sprint(lasting("", 10)); got != "[M2 M0]" {
			t.Errorf("after one cleared: %s", got)
		}
	})
}
