package district

import (
	"cmp"
	"container/heap"
	"fmt"
	"iter"
	"slices"
	"time"

	"citygrid/schemas/codes"
)

// YearOptions say what year to make. Zeros are the defaults.
type YearOptions struct {
	// Cases is how many are reported, 200,000 when 0; Days how long the year is, 365
	// when 0. What would happen after the last day does not, so that some cases are
	// open at the end.
	Cases, Days int
	// Starts is when the handling clock begins, "filed" or "dispatched" (when empty);
	// Rework what a case has that is sent back, "anew" or "left" (when empty).
	Starts, Rework string
	// Illegal is at how many of a thousand opportunities somebody tries what
	// docs/cases.md does not allow.
	Illegal int
	// NoSensors leaves out what sensors report.
	NoSensors bool
}

// Year is a year of cases of a district. It is for one goroutine at a time.
type Year struct {
	*District
	year         YearOptions
	rule         Rules
	calendar     *calendar
	from, to     int64 // milliseconds since 1970
	limitOf      map[LimitRule]span
	conditionsOf map[codes.Ref][]string
	weights      []int // of the days
}

// Year returns the year that begins on Options.From, or what is wrong with the
// options.
func (d *District) Year(o YearOptions) (*Year, error) {
	o.Cases, o.Days = cmp.Or(o.Cases, 200_000), cmp.Or(o.Days, 365)
	o.Starts, o.Rework = cmp.Or(o.Starts, "dispatched"), cmp.Or(o.Rework, "left")
	switch {
	case o.Cases < 1 || o.Cases > 20_000_000:
		return nil, fmt.Errorf("year: %d cases, want 1 to 20000000", o.Cases)
	case o.Days < 1 || o.Days > 366:
		return nil, fmt.Errorf("year: %d days, want 1 to 366", o.Days)
	case o.Starts != "filed" && o.Starts != "dispatched" || o.Rework != "anew" && o.Rework != "left":
		return nil, fmt.Errorf("year: clock starts %q and rework %q, want filed or dispatched, and anew or left", o.Starts, o.Rework)
	case o.Illegal < 0 || o.Illegal > 1000:
		return nil, fmt.Errorf("year: illegal %d, want 0 to 1000 of a thousand", o.Illegal)
	}
	y := &Year{District: d, year: o, rule: d.rules(o), limitOf: map[LimitRule]span{}, conditionsOf: map[codes.Ref][]string{}}
	y.calendar = newCalendar(&y.rule, d.o.Zone)
	first := y.calendar.midnight(d.o.From.UnixMilli())
	y.from, y.to = first.UnixMilli(), first.AddDate(0, 0, o.Days).UnixMilli()
	for _, l := range y.rule.Limits {
		y.limitOf[LimitRule{Class: l.Class, Condition: l.Condition, Area: l.Area}] = span{l.Amount, l.Unit}
		if !slices.Contains(y.conditionsOf[l.Class], l.Condition) {
			y.conditionsOf[l.Class] = append(y.conditionsOf[l.Class], l.Condition)
		}
	}
	for day := range o.Days {
		y.weights = append(y.weights, y.weight(first.AddDate(0, 0, day)))
	}
	return y, nil
}

// Rules returns the rules of the year.
func (y *Year) Rules() Rules { return y.rule }

// Cases is how many are reported at the most: one that a device sends after the last
// day is not.
func (y *Year) Cases() int { return y.year.Cases }

// From and To bound the year: nothing is received at To or later.
func (y *Year) From() time.Time { return time.UnixMilli(y.from).UTC() }

// To is the midnight after the last day.
func (y *Year) To() time.Time { return time.UnixMilli(y.to).UTC() }

// weight is how much is reported on a day: less at the end of the week and on
// holidays, more in summer.
func (y *Year) weight(day time.Time) int {
	w := [7]int{55, 100, 105, 100, 98, 102, 70}[day.Weekday()]
	if name := day.Format(time.DateOnly); slices.Contains(y.rule.Holidays, name) {
		w = 40
	}
	season := [12]int{90, 85, 95, 100, 105, 112, 118, 116, 106, 100, 94, 90}[day.Month()-1]
	return w * season
}

// Acts gives everything that is done, in the order in which the hub receives it. It
// holds the cases that are open, and no more.
func (y *Year) Acts() iter.Seq[*Act] {
	return func(yield func(*Act) bool) {
		var waiting queue
		total, before, done := 0, 0, 0
		for _, w := range y.weights {
			total += w
		}
		for day, w := range y.weights {
			before += w
			upTo := y.year.Cases * before / total
			y.reported(&waiting, day, done, upTo)
			done = upTo
			next := y.calendar.midnight(y.from).AddDate(0, 0, day+1).UnixMilli()
			if !waiting.until(next, yield) {
				return
			}
		}
	}
}

// reported makes the cases from one number to another, which are reported on a day.
func (y *Year) reported(waiting *queue, day, from, to int) {
	midnight := y.calendar.midnight(y.from).AddDate(0, 0, day).UnixMilli()
	dice := newDice(y.o.Seed, forDays, uint64(day))
	times := make([]int64, to-from)
	for i := range times {
		times[i] = midnight + hourOf(&dice)*3_600_000 + dice.span(0, 3_599_999)
	}
	slices.Sort(times)
	for i, t := range times {
		for _, a := range y.live(from+i, t) {
			if a.ReceivedAt.UnixMilli() < y.to {
				waiting.add(a)
			}
		}
	}
}

// hourOf draws an hour of the day: most is reported in the morning and the early
// afternoon.
func hourOf(dice *dice) int64 {
	weights := [24]int64{4, 3, 2, 2, 2, 4, 12, 40, 90, 110, 105, 80, 45, 60, 95, 100, 90, 70, 45, 35, 28, 20, 12, 6}
	n := dice.span(0, 1059)
	for h, w := range weights {
		if n < w {
			return int64(h)
		}
		n -= w
	}
	return 23
}

// queue is what has been made and not yet given, the first received on top.
type queue struct {
	list []queued
	n    int64
}

type queued struct {
	at, n int64 // acts of one time come in the order in which they were made
	act   *Act
}

func (q *queue) Len() int { return len(q.list) }
func (q *queue) Less(i, j int) bool {
	return q.list[i].at < q.list[j].at || q.list[i].at == q.list[j].at && q.list[i].n < q.list[j].n
}
func (q *queue) Swap(i, j int) { q.list[i], q.list[j] = q.list[j], q.list[i] }
func (q *queue) Push(x any)    { q.list = append(q.list, x.(queued)) }
func (q *queue) Pop() any {
	last := q.list[len(q.list)-1]
	q.list[len(q.list)-1] = queued{}
	q.list = q.list[:len(q.list)-1]
	return last
}

func (q *queue) add(a *Act) {
	q.n++
	heap.Push(q, queued{a.ReceivedAt.UnixMilli(), q.n, a})
}

// until gives what is received before a moment; false when nobody wants more.
func (q *queue) until(t int64, yield func(*Act) bool) bool {
	for len(q.list) > 0 && q.list[0].at < t {
		if !yield(heap.Pop(q).(queued).act) {
			return false
		}
	}
	return true
}
