package rollup

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"citygrid/hub/consumption"
	"citygrid/schemas"
)

// alone are the good readings of one meter, ascending.
func (w *world) alone(m *trueMeter) (list []schemas.Reading) {
	for _, s := range w.waiting {
		if s.r.Meter == m.id && s.r.Quality == schemas.Good {
			list = append(list, s.r)
		}
	}
	slices.SortStableFunc(list, func(a, b schemas.Reading) int {
		return cmp.Or(a.TakenAt.Compare(b.TakenAt), slices.Index(schemas.Origins(), a.Origin)-slices.Index(schemas.Origins(), b.Origin))
	})
	return list
}

// around are the readings that the store gives for a consumption: those between two
// moments and, of each origin, the last before and the first after.
func around(readings []schemas.Reading, from, to time.Time) (list []schemas.Reading) {
	for n := range readings {
		r := &readings[n]
		other := func(list []schemas.Reading, within func(time.Time) bool) bool {
			return slices.ContainsFunc(list, func(o schemas.Reading) bool { return o.Origin == r.Origin && within(o.TakenAt) })
		}
		switch {
		case r.TakenAt.Before(from) && other(readings[n+1:], func(t time.Time) bool { return t.Before(from) }):
		case r.TakenAt.After(to) && other(readings[:n], func(t time.Time) bool { return t.After(to) }):
		default:
			list = append(list, *r)
		}
	}
	return list
}

// byHours adds up what the roll-up makes of each hour of one meter.
func (w *world) byHours(m *trueMeter, readings []schemas.Reading, from, to int) (sum schemas.Decimal, counted bool) {
	var before, points []point
	begin := minute(from * 60)
	for n := range readings {
		r := &readings[n]
		switch {
		case r.TakenAt.After(begin):
			points = append(points, pointOf(r))
		case slices.ContainsFunc(readings[n+1:], func(o schemas.Reading) bool { return o.Origin == r.Origin && !o.TakenAt.After(begin) }):
		default:
			before = append(before, pointOf(r))
		}
	}
	var room []schemas.Reading
	before = settled(before, points, w.installs[m.id], begin.UnixMilli())
	for h := from; h < to; h++ {
		q := question{meter: m.id, quantity: m.quantity, before: before, installations: w.installs[m.id], from: minute(h * 60).UnixMilli(), to: minute(h*60 + 60).UnixMilli(), room: &room}
		for _, p := range points {
			if p.at > q.from && p.at < q.to+graceMs {
				q.points = append(q.points, p)
			}
		}
		s := q.judge()
		if s.counted {
			sum, _ = sum.Add(s.value)
			counted = true
		}
		before = s.end
	}
	return sum, counted
}

// TestTheWholeIsTheSumOfItsHours: what is said of a meter between two moments is what its
// hours add up to, and the truth, for registers that go round many times between the
// values of the record, with swaps and gaps.
func TestTheWholeIsTheSumOfItsHours(t *testing.T) {
	compared, round, swapped := 0, 0, 0
	for seed := range uint64(12) {
		const hours = 12
		w := newWorld(t, 100+seed, 24, hours)
		for _, m := range w.meters {
			readings := w.alone(m)
			for range 12 {
				from := w.random.IntN(hours - 1)
				to := from + 1 + w.random.IntN(hours-from-1)
				whole, err := consumption.Of(m.id, m.quantity, around(readings, minute(from*60), minute(to*60)), w.installs[m.id], minute(from*60), minute(to*60))
				if err != nil {
					t.Fatal(err)
				}
				first, last := whole.Parts[0].Start.Before, whole.Parts[len(whole.Parts)-1].End.Before
				if first == nil || last == nil || first.Origin != schemas.Live || last.Origin != schemas.Live {
					continue // hours end with a record of the meter's own only where a live reading soon follows
				}
				begin, end := int(first.At.Sub(start)/time.Minute), int(last.At.Sub(start)/time.Minute)
				truth := schemas.Decimal{Mantissa: m.used[end] - m.used[begin], Exponent: -5}
				sum, counted := w.byHours(m, readings, from, to)
				if whole.Value.Cmp(truth) != 0 || sum.Cmp(truth) != 0 || counted != (begin != end) {
					t.Fatalf("seed %d, %s, hours %d to %d: %s, the hours make %s (%v), the truth is %s from minute %d to %d; %+v",
						seed, m.id, from, to, whole.Value, sum, counted, truth, begin, end, whole.Problems)
				}
				for _, p := range whole.Problems {
					if p.Code != consumption.NothingNew {
						t.Errorf("seed %d, %s, hours %d to %d: %+v", seed, m.id, from, to, p)
					}
				}
				compared++
				if len(whole.Parts) > 1 {
					swapped++
				}
				if i := &whole.Parts[0].Installation; i.First[m.quantity].Cmp(first.Value) > 0 {
					round++ // it stands below the value with which it was fitted
				}
			}
		}
	}
	if compared < 1000 || round < 100 || swapped < 100 {
		t.Errorf("%d compared, of them %d gone round since they were fitted, %d with a swap: the lives are worth nothing", compared, round, swapped)
	}
}
