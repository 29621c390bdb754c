package rollup

import (
	"slices"
	"strings"
	"time"

	"citygrid/schemas"
)

// MaxMeters bounds the meters that a Rollup keeps.
const MaxMeters = 200_000

const (
	// reach is how far back late readings have an effect, and how long a meter is
	// remembered that says nothing.
	reachMs = 35 * 24 * hourMs
	// goneMs is how long a meter that the register does not have is counted after its
	// last answer.
	goneMs = 2 * 24 * hourMs
	// thinMs is how close points of a running hour may lie: those between are dropped
	// while the register only rises. The count from the store has them all.
	thinMs = 5 * minuteMs
	// usualMs is the interval of a meter while its own is not known.
	usualMs = quarterMs
	// openHours is how many hours may be open at a time, the future one included that a
	// collector's clock may be ahead in.
	openHours = 4
)

// meter is what is kept of a meter for the hours that are not counted yet.
type meter struct {
	id   schemas.MeterID
	rank int // of its counter; lower is better
	// before is what the first open hour begins with, points what came since.
	before []point
	raw    bool // before is not settled
	points []point
	pace   pace
	last   int64 // its newest live reading with a value
	got    [openHours]gotHour
}

// gotHour is how many live readings with a value came of an hour. The store takes a
// reading that comes again as the one it has; so it counts once here too.
type gotHour struct {
	hour, n int64
	// at has the moments of the newest of them, ms of the hour, ascending.
	at []int32
}

// timesKept bounds the moments that are kept of an hour: one every 30 s. A meter that
// answers more often has its late readings counted when the hour is closed.
const timesKept = 120

// take counts a reading that has not been counted.
func (g *gotHour) take(at int32) {
	n, there := slices.BinarySearch(g.at, at)
	if there {
		return
	}
	if len(g.at) == timesKept {
		if n == 0 {
			return // it may be one whose moment is not kept any more
		}
		g.at, n = slices.Delete(g.at, 0, 1), n-1
	}
	g.at = slices.Insert(g.at, n, at)
	g.n++
}

// pace is how often a meter answers, ms; 0 while that is not known.
type pace struct {
	interval int64
	gaps     [8]int32 // the last distances, ms
	n        int
}

// hear takes a distance between two readings.
func (p *pace) hear(ms int64) {
	if ms <= 0 || ms > 1<<30 {
		return
	}
	p.gaps[p.n%len(p.gaps)] = int32(ms)
	p.n++
	list := p.gaps[:min(p.n, len(p.gaps))]
	sorted := slices.Sorted(slices.Values(list))
	middle := int64(sorted[(len(sorted)-1)/2]) // the shorter of two: a gap is never the pace
	p.interval = middle
}

// due is how many readings were due in (from, to] after last, 0 for none ever.
func (p *pace) due(last, from, to int64) int64 {
	if p.interval <= 0 || last <= 0 {
		return 0
	}
	upTo := func(t int64) int64 { return max(0, (t-last)/p.interval) }
	return upTo(to) - upTo(from)
}

// hear takes a reading of the meter's counter that is stored. The caller holds the
// lock.
func (m *meter) hear(r *schemas.Reading, open int64) {
	at := r.TakenAt.UnixMilli()
	if r.Origin == schemas.Live && r.HasValue() && at != m.last {
		if at > m.last {
			if m.last > 0 {
				m.pace.hear(at - m.last)
			}
			m.last = at
		}
		// After an outage the newest come first and what was read meanwhile behind them.
		if at >= open && at < open+openHours*hourMs {
			m.count(at)
		}
	}
	if r.Quality == schemas.Good && at >= open && at < open+openHours*hourMs {
		m.insert(pointOf(r))
	}
}

func (m *meter) count(at int64) {
	hour := at - at%hourMs
	g := &m.got[hour/hourMs%openHours]
	if g.hour != hour {
		g.hour, g.n, g.at = hour, 0, g.at[:0]
	}
	g.take(int32(at - hour))
}

func (m *meter) heard(hour int64) int64 {
	if g := &m.got[hour/hourMs%openHours]; g.hour == hour {
		return g.n
	}
	return 0
}

// insert puts a point in its place, and thins out.
func (m *meter) insert(p point) {
	n, there := slices.BinarySearchFunc(m.points, p, point.order)
	if there {
		m.points[n] = p
		return
	}
	m.points = slices.Insert(m.points, n, p)
	if n == len(m.points)-1 {
		m.points = thin(m.points, thinMs)
	}
}

// thin drops the last but one point where it says nothing: the register only rose, all
// in one hour, within some time.
func thin(list []point, within int64) []point {
	n := len(list)
	if n < 3 {
		return list
	}
	a, b, c := list[n-3], list[n-2], list[n-1]
	if a.origin|b.origin|c.origin != 0 || c.at-a.at > within || a.at/hourMs != c.at/hourMs || a.value().Cmp(b.value()) > 0 || b.value().Cmp(c.value()) > 0 {
		return list
	}
	list[n-2] = c
	return list[:n-1]
}

// begin lets the meter's open hours begin at a moment, with what it is given.
func (m *meter) begin(open int64, before []point, raw bool) {
	m.before, m.raw = before, raw
	n := 0
	for n < len(m.points) && m.points[n].at < open {
		n++
	}
	m.points = slices.Delete(m.points, 0, n)
}

// state is all meters.
type state struct {
	of    map[schemas.MeterID]*meter
	ranks map[schemas.Quantity]int
	// open is the first hour that is not counted yet; readings of earlier ones are late.
	// It is 0 before the store has been read.
	open int64
	// late has the first hour that each meter's late readings touch.
	late map[schemas.MeterID]int64
	lost int64 // readings of meters beyond MaxMeters
}

func newState() state {
	s := state{of: map[schemas.MeterID]*meter{}, ranks: map[schemas.Quantity]int{}, late: map[schemas.MeterID]int64{}}
	for n, c := range counters() {
		s.ranks[c.quantity] = n
	}
	return s
}

// hear takes a reading. The caller holds the lock.
func (s *state) hear(r *schemas.Reading, now int64) {
	rank, ok := s.ranks[r.Quantity]
	if !ok {
		return
	}
	m := s.of[r.Meter]
	if m == nil {
		if len(s.of) >= MaxMeters {
			s.lost++
			return
		}
		id := schemas.MeterID(strings.Clone(string(r.Meter)))
		m = &meter{id: id, rank: rank}
		s.of[id] = m
	}
	if rank > m.rank {
		return
	}
	if rank < m.rank { // a better one
		*m = meter{id: m.id, rank: rank}
	}
	m.hear(r, s.open)
	at := r.TakenAt.UnixMilli()
	// An hour looks graceMs beyond its end.
	if touched := at - graceMs; (touched < s.open || s.open == 0) && at > now-reachMs {
		s.belated(m.id, touched-touched%hourMs)
	}
}

func (s *state) belated(id schemas.MeterID, hour int64) {
	if first, known := s.late[id]; !known || hour < first {
		s.late[id] = hour
	}
}

// moment turns Unix milliseconds into a time.
func moment(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
