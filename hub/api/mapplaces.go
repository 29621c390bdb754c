package api

import (
	"slices"
	"strings"
	"time"

	"citygrid/hub/rollup"
	"citygrid/schemas"
)

// This file is the live table by place.

// standing counts meters by how they stand.
type standing struct{ total, answering, late, failing, silent int }

func (s *standing) add(o *standing) {
	s.total, s.answering, s.late = s.total+o.total, s.answering+o.answering, s.late+o.late
	s.failing, s.silent = s.failing+o.failing, s.silent+o.silent
}

// offline is how many meters do not answer: late, failing, or never heard of.
func (s *standing) offline() int { return s.late + s.failing + s.silent }

// sightMedia are the media that a sight counts by; those of which nothing is known are
// the last.
const sightMedia = 4

func sightOf(m schemas.Medium) int {
	for n, one := range rollup.Media() {
		if one == m {
			return n
		}
	}
	return sightMedia - 1
}

// sight is one pass over the live table: every cell's meters by medium, the last of
// cells being nowhere.
type sight struct {
	at    time.Time
	town  *rollup.Town
	cells [][sightMedia]standing
}

// SetTown gives every meter its place. It is called when the register has changed, and
// now and then, as meters are moved on days that the register knows beforehand.
func (l *Live) SetTown(t *rollup.Town) {
	now := l.now()
	registered := make([][sightMedia]int, t.Nowhere()+1)
	t.EachMeter(now, func(_ schemas.MeterID, cell int, medium schemas.Medium) { registered[cell][sightOf(medium)]++ })
	l.mu.Lock()
	defer l.mu.Unlock()
	l.town, l.unheard = t, registered
	for _, m := range l.meters {
		l.place(m, now)
	}
}

// place looks up where a meter is. One that is in the register is no longer unheard of.
// The caller holds the lock.
func (l *Live) place(m *meter, now time.Time) {
	if l.town == nil {
		return
	}
	cell, medium := l.town.Of(m.id, now)
	m.place = int32(cell)
	if l.town.Stays(m.id, now) {
		l.unheard[cell][sightOf(medium)]--
	}
}

// sight looks at all meters. Where the table has not been given the town yet it sees
// them nowhere.
func (l *Live) sight(t *rollup.Town, now time.Time) *sight {
	s := &sight{at: now, town: t, cells: make([][sightMedia]standing, t.Nowhere()+1)}
	ms := now.UnixMilli()
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, m := range l.meters {
		at := t.Nowhere()
		if l.town == t {
			at = int(m.place)
		}
		c := &s.cells[at][sightOf(m.medium)]
		c.total++
		switch m.state(ms) {
		case stateAnswering:
			c.answering++
		case stateLate:
			c.late++
		default:
			c.failing++
		}
	}
	if l.town == t {
		for cell := range l.unheard {
			for m, n := range l.unheard[cell] {
				s.cells[cell][m].silent += n
				s.cells[cell][m].total += n
			}
		}
	}
	return s
}

// sum adds up the cells from one place until before another, by medium.
func (s *sight) sum(from, to int) (by [sightMedia]standing) {
	for n := from; n < to; n++ {
		for m := range by {
			by[m].add(&s.cells[n][m])
		}
	}
	return by
}

// within reports whether a meter is in the area that q asks for. The caller holds the
// lock.
func (l *Live) within(m *meter, q *MeterQuery, from, to int) bool {
	if q.Area == "" {
		return true
	}
	return l.town != nil && int(m.place) >= from && int(m.place) < to
}

// places returns the range of places of an area. The caller holds the lock.
func (l *Live) places(area string) (from, to int) {
	if area == "" || l.town == nil {
		return 0, 0
	}
	return l.town.Range(area)
}

// atPlace returns the meters of one place with their last values, by id: those of the
// town that are not heard of too.
func (l *Live) atPlace(t *rollup.Town, place int) []CellMeter {
	now := l.now()
	out := []CellMeter{}
	l.mu.RLock()
	defer l.mu.RUnlock()
	known := map[schemas.MeterID]bool{}
	add := func(id schemas.MeterID) {
		cell, medium := t.Of(id, now)
		if cell != place || known[id] {
			return
		}
		known[id] = true
		if m := l.byID[id]; m != nil {
			out = append(out, CellMeter{MeterRow: l.row(m, now.UnixMilli())})
			return
		}
		if medium == "" {
			medium = schemas.Device
		}
		out = append(out, CellMeter{MeterRow: MeterRow{ID: string(id), Medium: string(medium), State: stateLate, Quality: "none"}, Silent: true})
	}
	for _, id := range t.Meters(place) {
		add(id)
	}
	slices.SortFunc(out, func(a, b CellMeter) int { return strings.Compare(a.ID, b.ID) })
	return out
}
