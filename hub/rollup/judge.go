package rollup

import (
	"slices"
	"time"

	"citygrid/hub/consumption"
	"citygrid/schemas"
)

const (
	hourMs    = int64(time.Hour / time.Millisecond)
	quarterMs = hourMs / 4
	minuteMs  = int64(time.Minute / time.Millisecond)
	// graceMs is how long after its end an hour is counted, and how far beyond its end its
	// count looks: a value of a meter's own memory at the end counts where a live reading
	// follows within it.
	graceMs = 3 * minuteMs
)

// point is a good reading of a counter.
type point struct {
	at, mantissa int64
	exponent     int8
	origin       uint8 // 0 is live
}

func pointOf(r *schemas.Reading) point {
	return point{r.TakenAt.UnixMilli(), r.Value.Mantissa, r.Value.Exponent, uint8(slices.Index(schemas.Origins(), r.Origin))}
}

func (p point) value() schemas.Decimal {
	return schemas.Decimal{Mantissa: p.mantissa, Exponent: p.exponent}
}

// order is by time, live ones first.
func (p point) order(q point) int {
	if p.at != q.at {
		return int(sign(p.at - q.at))
	}
	return int(p.origin) - int(q.origin)
}

// share is what one meter has to do with one hour.
type share struct {
	value                             schemas.Decimal
	counted, partial, carried, broken bool
	flow                              float64
	flowKnown                         bool
	// end is what the next hour begins with.
	end []point
}

// question is one meter and one span of time.
type question struct {
	meter         schemas.MeterID
	quantity      schemas.Quantity
	before        []point // what the span begins with
	points        []point // from its beginning, in order; those up to graceMs after its end too
	installations []schemas.Installation
	from, to      int64
	room          *[]schemas.Reading // to work in
}

// judge lets package consumption say what is proven. It works on the points up to the
// end alone: what comes after could only take away from it.
func (q *question) judge() share {
	used := q.usable()
	readings := (*q.room)[:0]
	origins := schemas.Origins()
	for _, p := range used {
		readings = append(readings, schemas.Reading{Meter: q.meter, Quantity: q.quantity, TakenAt: time.UnixMilli(p.at).UTC(), Value: p.value(), Origin: origins[p.origin]})
	}
	*q.room = readings
	s := share{end: q.before}
	result, err := consumption.Of(q.meter, q.quantity, readings, q.installations, time.UnixMilli(q.from), time.UnixMilli(q.to))
	if err != nil { // the sum does not fit: nothing else is wrong with such arguments
		s.broken = true
		s.end = lastLive(used, q.before)
		return s
	}
	q.fold(&s, &result)
	if s.counted {
		s.flow, s.flowKnown = q.flow(used)
	}
	return s
}

// usable returns the points that count, in order. Those of the meter's own memory that
// come last count only where a live reading follows soon after, by which they can be
// held against: the next hour would find them wrong else, and begin elsewhere than
// this one ends.
func (q *question) usable() []point {
	end := len(q.points)
	for end > 0 && q.points[end-1].at > q.to {
		end--
	}
	used := slices.Clone(q.before)
	for _, p := range q.points[:end] {
		// One of the meter's own memory at the very beginning is in before, if the hour
		// before ended with it.
		if p.at > q.from || p.origin == 0 {
			used = append(used, p)
		}
	}
	live := liveOf(used, q.installations, q.to) + 1
	if live == len(used) || live == 0 {
		return used
	}
	for _, p := range q.points[end:] {
		if p.origin == 0 {
			return append(used, p)
		}
	}
	return used[:live]
}

// settled leaves of the last points before a moment, one of each origin, those that the
// hour before ended with: the last live one, and those of the meter's own memory of that
// hour where a live reading soon follows among points.
func settled(before, points []point, installations []schemas.Installation, from int64) []point {
	slices.SortFunc(before, point.order)
	live := liveOf(before, installations, from)
	if live < 0 {
		return before
	}
	for _, p := range points {
		if p.origin == 0 && p.at > from && p.at < from+graceMs {
			old := live + 1
			for old < len(before) && before[old].at <= from-hourMs {
				old++
			}
			return slices.Delete(before, live+1, old)[live:]
		}
	}
	return before[live : live+1]
}

// liveOf is the place of the last live point of the meter that stands at the end of a
// time, -1 where it has none: one that tells nothing but its own memory is believed.
func liveOf(list []point, installations []schemas.Installation, end int64) int {
	begin := int64(0)
	for _, i := range installations {
		if i.StandsAt(time.UnixMilli(end - 1)) {
			begin = i.From.UnixMilli()
		}
	}
	for n := len(list) - 1; n >= 0 && list[n].at >= begin; n-- {
		if list[n].origin == 0 {
			return n
		}
	}
	return -1
}

func lastLive(used, before []point) []point {
	for n := len(used) - 1; n >= 0; n-- {
		if used[n].origin == 0 {
			return used[n : n+1 : n+1]
		}
	}
	return before
}

// fold takes over what the result proves.
func (q *question) fold(s *share, r *consumption.Result) {
	s.value = r.Value
	for n := range r.Parts {
		p := &r.Parts[n]
		first := p.Start.Before
		if first == nil {
			first = p.Start.After
		}
		if last := p.End.Before; last != nil {
			s.end = nil // a value that is on record is there in the next hour too
			if !last.Recorded {
				s.end = []point{{last.At.UnixMilli(), last.Value.Mantissa, last.Value.Exponent, uint8(slices.Index(schemas.Origins(), last.Origin))}}
			}
			if p.Known && first != last {
				s.counted = true
				s.carried = s.carried || n == 0 && first.At.UnixMilli() < q.from-hourMs
			}
		}
	}
	for _, p := range r.Problems {
		s.partial = s.partial || p.Code.IsGap() && p.Code != consumption.NoRecord
	}
	s.partial = s.partial && s.counted
}

// flow is the least mean flow between points about a quarter of an hour apart, in
// units an hour. Falls and rollovers say nothing of it.
func (q *question) flow(used []point) (least float64, known bool) {
	factor := 1.0
	for _, i := range q.installations {
		from, to := i.From.UnixMilli(), millis(i.To)
		if from > q.from && from < q.to || to > q.from && to < q.to {
			return 0, false // a swap in the hour
		}
		if i.StandsAt(time.UnixMilli(q.to - 1)) {
			factor = i.Multiplier.Float64()
		}
	}
	var last *point
	for n := range used {
		p := &used[n]
		if p.origin != 0 || p.at > q.to {
			continue
		}
		next := n + 1
		for next < len(used) && used[next].origin != 0 {
			next++
		}
		if p.at >= q.from && next < len(used) && used[next].at <= q.to && used[next].at/quarterMs == p.at/quarterMs {
			continue // not the last of its quarter
		}
		if last != nil && p.at-last.at >= minuteMs && p.at-last.at <= 2*hourMs {
			if d := p.value().Float64() - last.value().Float64(); d >= 0 {
				if f := d * factor / (float64(p.at-last.at) / float64(hourMs)); !known || f < least {
					least, known = f, true
				}
			}
		}
		last = p
	}
	return least, known
}
