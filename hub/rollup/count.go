package rollup

import (
	"context"
	"slices"

	"citygrid/schemas"
)

// crowd are the meters that are counted together, with what each span begins with. A
// nil list is all meters.
type crowd struct {
	list   []schemas.MeterID
	member map[schemas.MeterID]bool // of list
	places map[int]bool             // whose figures the count gives; nil for all
	of     map[schemas.MeterID]*counted
}

// counted is a meter of a crowd.
type counted struct {
	rank   int
	before []point
	raw    bool // before is not settled
	pace   pace
	here   pace  // of this hour alone
	last   int64 // newest live reading with a value before the hour
	// of the hour that is being counted
	points       []point
	own          bool // some points are not live
	whole        bool // no point may be dropped
	got          int64
	first, newer int64 // of got
}

// allAtOnce is how many meters are read by their names; more are picked out of all.
const allAtOnce = 2000

func newCrowd(list []schemas.MeterID, places map[int]bool) *crowd {
	c := &crowd{list: list, places: places, of: map[schemas.MeterID]*counted{}}
	if list != nil {
		c.member = make(map[schemas.MeterID]bool, len(list))
		for _, m := range list {
			c.member[m] = true
		}
	}
	return c
}

func quantities() (list []schemas.Quantity) {
	for _, c := range counters() {
		list = append(list, c.quantity)
	}
	return list
}

// has reports whether the crowd counts a meter.
func (c *crowd) has(id schemas.MeterID) bool { return c.member == nil || c.member[id] }

// enter returns a meter with its counter, better than which nothing has been seen; nil
// for a counter that is not its best.
func (c *crowd) enter(id schemas.MeterID, rank int) *counted {
	m := c.of[id]
	switch {
	case m == nil || rank < m.rank:
		m = &counted{rank: rank}
		c.of[id] = m
	case rank > m.rank:
		return nil
	}
	return m
}

// begin reads what the hours from one on begin with: the last good readings before.
func (r *Rollup) begin(ctx context.Context, c *crowd, from int64) error {
	since, before := moment(from-reachMs), moment(from+1)
	ranks := r.state.ranks // never changes
	return r.o.Series.LastGood(ctx, c.short(), quantities(), since, before, func(read schemas.Reading) error {
		if !c.has(read.Meter) {
			return nil
		}
		if m := c.enter(read.Meter, ranks[read.Quantity]); m != nil {
			m.before, m.raw = append(m.before, pointOf(&read)), true
			if read.Origin == schemas.Live {
				m.last = max(m.last, read.TakenAt.UnixMilli())
			}
		}
		return nil
	})
}

// short is the list where it is short enough to be named.
func (c *crowd) short() []schemas.MeterID {
	if len(c.list) > allAtOnce {
		return nil
	}
	return c.list
}

// read reads the readings of an hour. It returns how many there were in the hour.
func (r *Rollup) read(ctx context.Context, c *crowd, from int64) (rows int64, err error) {
	for _, m := range c.of {
		m.points, m.own, m.got, m.first, m.newer, m.here = nil, false, 0, 0, 0, pace{}
	}
	to := from + hourMs
	take := func(read schemas.Reading) error {
		at := read.TakenAt.UnixMilli()
		if at < to {
			rows++
		}
		if !c.has(read.Meter) {
			return nil
		}
		if m := c.enter(read.Meter, r.state.ranks[read.Quantity]); m != nil {
			if m.points == nil {
				m.whole = swapped(r.o.Installations(read.Meter), from, to)
			}
			m.take(&read, to)
		}
		return nil
	}
	end := moment(to + graceMs - 1)
	if list := c.short(); list != nil {
		err = r.o.Series.Registers(ctx, list, quantities(), moment(from), end, take)
	} else {
		err = r.o.Series.Counters(ctx, quantities(), moment(from), end, take)
	}
	for _, m := range c.of {
		slices.SortFunc(m.points, point.order)
	}
	return rows, err
}

// take takes a reading of the hour; those of one series come in the order of time.
func (m *counted) take(r *schemas.Reading, to int64) {
	at := r.TakenAt.UnixMilli()
	if r.Origin == schemas.Live && r.HasValue() && at < to {
		m.got++
		if before := max(m.newer, m.last); before > 0 {
			m.pace.hear(at - before)
			m.here.hear(at - before)
		}
		if m.first == 0 {
			m.first = at
		}
		m.newer = max(m.newer, at)
	}
	if r.Quality != schemas.Good {
		return
	}
	m.own = m.own || r.Origin != schemas.Live
	m.points = append(m.points, pointOf(r))
	if !m.whole && !m.own {
		m.points = thin(m.points, minuteMs)
	}
}

// swapped reports whether a meter was fitted or removed within the hour or soon after.
func swapped(list []schemas.Installation, from, to int64) bool {
	return slices.ContainsFunc(list, func(i schemas.Installation) bool {
		first, last := i.From.UnixMilli(), millis(i.To)
		return first >= from && first < to+graceMs || last >= from && last < to+graceMs
	})
}

// hour counts an hour for the meters of a crowd, whose hours before have been counted,
// and leaves them at its end.
func (r *Rollup) hour(c *crowd, t *Town, from int64) *figures {
	f, to := newFigures(t.Nowhere()+1), from+hourMs
	var room []schemas.Reading
	seen := make(map[schemas.MeterID]bool, len(c.of))
	each := func(id schemas.MeterID, cell int, medium schemas.Medium, registered bool) {
		m := c.of[id]
		if m == nil {
			if c.has(id) && registered {
				g := &f[groupOf(medium)][cell]
				g.Meters++
				g.Expected++ // one an hour is the least that it takes
			}
			return
		}
		seen[id] = true
		if m.raw {
			m.before, m.raw = settled(m.before, m.points, r.o.Installations(id), from), false
		}
		kind := counters()[m.rank]
		q := question{meter: id, quantity: kind.quantity, before: m.before, points: m.points, installations: r.o.Installations(id), from: from, to: to, room: &room}
		s := q.judge()
		g := &f[groupOf(kind.medium)][cell]
		if registered || m.got > 0 || s.counted || m.last > from-goneMs {
			s.into(g)
			g.Got += m.got
			g.Expected += m.expected(from, to)
		}
		m.before = s.end
		m.last = max(m.last, m.newer)
	}
	t.EachMeter(moment(from), func(id schemas.MeterID, cell int, medium schemas.Medium) {
		if c.has(id) {
			each(id, cell, medium, true)
		}
	})
	for id := range c.of {
		if !seen[id] {
			each(id, t.Nowhere(), "", false)
		}
	}
	return f
}

// expected is how many readings were due in the hour: by the pace that the hour shows, or
// where it shows too little by what the meter answered at before. What it answers at now
// may have begun later.
func (m *counted) expected(from, to int64) int64 {
	const enough = 3 // distances
	p := &m.pace
	if m.here.n >= enough {
		p = &m.here
	}
	switch {
	case p.interval == 0:
		return max(1, m.got)
	case m.last > 0:
		return max(m.got, p.due(m.last, from-1, to-1)) // what came was due, whatever the pace
	case m.first > 0:
		return max(m.got, 1+p.due(m.first, m.first, to-1))
	}
	return 1
}

// into adds a meter's share to the figure of its place.
func (s *share) into(f *Figure) {
	one := Figure{Value: s.value, Known: s.counted && !s.broken, Broken: s.broken, Meters: 1, Flow: s.flow, FlowKnown: s.flowKnown}
	if s.counted {
		one.Counted = 1
	}
	if s.partial {
		one.Partial = 1
	}
	if s.carried {
		one.Carried = 1
	}
	f.Beside(&one)
}

// closeHour counts the first open hour from the store, for all meters.
func (r *Rollup) closeHour(ctx context.Context, now int64) error {
	r.mu.Lock()
	from, t := r.state.open, r.town
	c := newCrowd(nil, nil)
	for id, m := range r.state.of {
		c.of[id] = &counted{rank: m.rank, before: slices.Clone(m.before), raw: m.raw, pace: m.pace, last: m.last}
		if m.last >= from { // what came since is read now
			c.of[id].last = lastBefore(m.before)
		}
	}
	r.state.open = from + hourMs // what comes from now on for this hour is late
	r.mu.Unlock()
	rows, err := r.read(ctx, c, from)
	if err != nil {
		r.mu.Lock()
		r.state.open = from
		r.mu.Unlock()
		return err
	}
	h := newHour(t, r.hour(c, t, from))
	h.final, h.asOf, h.rows = true, moment(now), rows
	r.mu.Lock()
	for id, m := range c.of {
		if one := r.state.of[id]; one != nil && one.rank == m.rank {
			one.begin(from+hourMs, m.before, m.raw)
		}
	}
	r.mu.Unlock()
	r.stage(from, h, t)
	r.work.unwritten = append(r.work.unwritten, writing{start: from, h: h, town: t})
	return r.write(ctx)
}

func lastBefore(list []point) int64 {
	for n := len(list) - 1; n >= 0; n-- {
		if list[n].origin == 0 {
			return list[n].at
		}
	}
	return 0
}

// stage keeps an hour back that is in the order of t, until publish.
func (r *Rollup) stage(start int64, h *hour, t *Town) {
	if r.work.staged == nil {
		r.work.staged = map[int64]staged{}
	}
	r.work.staged[start] = staged{h, t}
}

// staged is an hour that has been counted and that nobody is shown yet.
type staged struct {
	h    *hour
	town *Town
}

// latestOf returns the last count of an hour, staged or published, in the order of t;
// nil for none.
func (r *Rollup) latestOf(start int64, t *Town) *hour {
	if s, ok := r.work.staged[start]; ok {
		return s.in(t)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.hours[start]
	if h == nil || r.town == t {
		return h
	}
	return h.moved(r.town, t)
}

func (s staged) in(t *Town) *hour {
	if s.town == t {
		return s.h
	}
	return s.h.moved(s.town, t)
}

// publish shows all staged hours at once: what moves from one hour into another is at no
// moment in both of them, or in none.
func (r *Rollup) publish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for start, s := range r.work.staged {
		r.hours[start] = s.in(r.town)
		r.made++
	}
	r.work.staged = nil
}

// writing is an hour that the store does not have yet.
type writing struct {
	start  int64
	h      *hour
	town   *Town
	places map[int]bool // nil for all
}

// write writes what is not in the store: cells first, so that an hour whose city is
// there is whole.
func (r *Rollup) write(ctx context.Context) error {
	for len(r.work.unwritten) > 0 {
		w := r.work.unwritten[0]
		if err := r.o.Series.StoreCellHours(ctx, false, w.h.cellRecords(w.town, w.start, w.places)); err != nil {
			return err
		}
		if err := r.o.Series.StoreCellHours(ctx, true, w.h.areaRecords(w.start)); err != nil {
			return err
		}
		r.work.unwritten = r.work.unwritten[1:]
	}
	return nil
}

// running brings the hours up to date that are not counted yet, and publishes.
func (r *Rollup) running(now int64) {
	r.mu.Lock()
	open, t := r.state.open, r.town
	r.mu.Unlock()
	before := map[schemas.MeterID][]point{}
	defer r.publish()
	for from := open; from <= now; from += hourMs {
		r.stage(from, r.sketch(t, from, min(from+hourMs, now), now, before), t)
	}
}

// chunk is how many meters are looked at while the lock is held, so that readings are
// not kept waiting.
const chunk = 1000

// wayMs is how long a reading may be on its way before it counts as due.
const wayMs = minuteMs / 2

// sketch counts an open hour from what was heard. before is what each meter ends the
// open hours before with; it is moved on.
func (r *Rollup) sketch(t *Town, from, to, now int64, before map[schemas.MeterID][]point) *hour {
	f := newFigures(t.Nowhere() + 1)
	heard := make(map[schemas.MeterID]*meter)
	r.mu.Lock()
	for id, m := range r.state.of {
		heard[id] = m
	}
	r.mu.Unlock()
	t.EachMeter(moment(from), func(id schemas.MeterID, cell int, medium schemas.Medium) {
		if heard[id] == nil {
			g := &f[groupOf(medium)][cell]
			g.Meters++
			if to-from == hourMs {
				g.Expected++
			}
		}
	})
	var room []schemas.Reading
	n := 0
	r.mu.Lock()
	for id, m := range heard {
		if n++; n%chunk == 0 {
			r.mu.Unlock()
			r.mu.Lock()
		}
		cell, _ := t.of(id, from)
		if cell == t.Nowhere() && !t.Stays(id, moment(from)) && m.last < from-goneMs {
			continue
		}
		begins, moved := before[id]
		if !moved {
			begins = m.before
			if m.raw {
				begins = settled(slices.Clone(begins), m.points, r.o.Installations(id), from)
			}
		}
		s := m.sketch(from, to, begins, r.o.Installations(id), &room)
		g := &f[groupOf(counters()[m.rank].medium)][cell]
		s.into(g)
		got := m.heard(from)
		g.Got += got
		g.Expected += got + m.pace.due(m.last, from-1, to-1-wayMs)
		if !s.counted && m.last > 0 && now-m.last <= 2*max(m.pace.interval, minuteMs) || !s.counted && m.pace.interval == 0 && now-m.last <= usualMs {
			g.Waiting++
		}
		if to < now {
			before[id] = s.end
		}
	}
	r.mu.Unlock()
	h := newHour(t, f)
	h.asOf = moment(now)
	return h
}

// sketch judges an open hour of one meter.
func (m *meter) sketch(from, to int64, before []point, installations []schemas.Installation, room *[]schemas.Reading) share {
	if from >= to {
		return share{end: before}
	}
	first := 0
	for first < len(m.points) && m.points[first].at < from {
		first++
	}
	q := question{meter: m.id, quantity: counters()[m.rank].quantity, before: before, points: m.points[first:], installations: installations, from: from, to: to, room: room}
	return q.judge()
}
