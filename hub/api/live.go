package api

import (
	"slices"
	"strings"
	"sync"
	"time"

	"citygrid/hub/rollup"
	"citygrid/schemas"
)

// Bounds of a Live. What does not fit is still stored in the series store; it
// is counted and left out of the live table only.
const (
	// MaxMeters bounds the meters of a Live; a meter with ten quantities takes
	// about 700 bytes.
	MaxMeters = 200_000
	// MaxCollectors bounds the collectors of a Live.
	MaxCollectors = 10_000
)

// Live is the table of last values that feeds the pages, and the collectors'
// accounts of themselves. It is safe for concurrent use; its memory is bounded
// by MaxMeters and MaxCollectors.
type Live struct {
	now        func() time.Time
	started    time.Time
	quantities []schemas.QuantityInfo
	index      map[schemas.Quantity]uint8
	maxMeters  int

	mu         sync.RWMutex
	byID       map[schemas.MeterID]*meter
	meters     []*meter // in the order of their first appearance
	notShown   uint64   // readings of meters beyond maxMeters
	recorded   uint64   // readings of the meters' own memories since the start
	reasons    map[schemas.Reason]schemas.Reason
	collectors map[schemas.CollectorID]*collector
	latency    latencies
	town       *rollup.Town      // where meters are; nil: not known
	unheard    [][sightMedia]int // by place: meters of the town that are not in the table
}

// meter is a row of the table. Its cells are ordered by the table of
// quantities with those of the device itself last, so the first is the main
// one: forward volume, imported energy, standard volume.
type meter struct {
	id     schemas.MeterID
	folded string // id in lower case, for the search
	medium schemas.Medium
	cells  []cell
	// interval is the newest distance between two readings of the main
	// quantity, milliseconds; 0 until there were two.
	interval int64
	fault    *fault
	past     *fault // the last that is over, since the hub's start
	// collector gave the newest readings; empty: from before the hub's start.
	collector schemas.CollectorID
	place     int32 // in Live.town
}

// fault is a collector's word that a meter does not answer.
type fault struct {
	collector schemas.CollectorID
	since     time.Time
	until     time.Time // zero: it lasts
	text      string
	cause     schemas.FaultCause
	exchange  *schemas.Exchange // nil: never told
}

// cell is the last reading of one quantity. Times are Unix milliseconds.
type cell struct {
	value    schemas.Decimal
	takenAt  int64
	storedAt int64 // 0: not known
	reason   schemas.Reason
	quantity uint8 // index into Live.quantities
	quality  schemas.Quality
}

// NewLive returns an empty table. now is the clock that ages are measured by;
// the collectors' work counts from its first time.
func NewLive(now func() time.Time) *Live {
	l := &Live{
		now:        now,
		started:    now(),
		index:      make(map[schemas.Quantity]uint8),
		maxMeters:  MaxMeters,
		byID:       make(map[schemas.MeterID]*meter),
		reasons:    make(map[schemas.Reason]schemas.Reason),
		collectors: make(map[schemas.CollectorID]*collector),
	}
	l.quantities = schemas.Quantities()
	slices.SortStableFunc(l.quantities, func(a, b schemas.QuantityInfo) int {
		return deviceLast(a) - deviceLast(b)
	})
	for i, q := range l.quantities {
		l.index[q.Quantity] = uint8(i)
	}
	return l
}

func deviceLast(q schemas.QuantityInfo) int {
	if q.Medium == schemas.Device {
		return 1
	}
	return 0
}

// Stored tells the table that readings are in the store since at. Ingest calls
// it after the store has answered, never before: the page shows nothing that
// could still be lost. A reading older than the one shown changes nothing, so
// replays and back-filled readings are harmless. Readings of the meters' own
// memories are counted only: they say nothing about now. Readings is not kept.
func (l *Live) Stored(readings []schemas.Reading, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	stored := at.UnixMilli()
	for i := range readings {
		if readings[i].Origin != schemas.Live {
			l.recorded++
			continue
		}
		l.latency.add(at, stored-readings[i].TakenAt.UnixMilli())
	}
	l.put(readings, stored)
}

// Warm fills the table with last values that were stored before the hub
// started. They say nothing about the time from taking to storing.
func (l *Live) Warm(readings []schemas.Reading) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.put(readings, 0)
}

// put makes readings the last ones where they are; stored is Unix milliseconds,
// 0 when not known. The caller holds the lock.
func (l *Live) put(readings []schemas.Reading, stored int64) {
	var m *meter
	for i := range readings {
		r := &readings[i]
		q, known := l.index[r.Quantity]
		if !known || r.Origin != schemas.Live {
			continue
		}
		if m == nil || m.id != r.Meter { // a batch holds a meter's readings in a row
			if m = l.meter(r.Meter); m == nil {
				l.notShown++
				continue
			}
		}
		m.put(l, q, stored, r)
	}
}

// meter returns the row of id, made when it is new, or nil when the table is
// full.
func (l *Live) meter(id schemas.MeterID) *meter {
	if m, ok := l.byID[id]; ok {
		return m
	}
	if len(l.meters) >= l.maxMeters {
		return nil
	}
	id = schemas.MeterID(strings.Clone(string(id)))
	m := &meter{id: id, folded: strings.ToLower(string(id)), medium: schemas.Device}
	l.byID[id] = m
	l.meters = append(l.meters, m)
	l.place(m, l.now())
	return m
}

// put replaces the cell of quantity q unless it holds a newer reading.
func (m *meter) put(l *Live, q uint8, stored int64, r *schemas.Reading) {
	taken := r.TakenAt.UnixMilli()
	i := 0
	for i < len(m.cells) && m.cells[i].quantity < q {
		i++
	}
	next := cell{value: r.Value, takenAt: taken, storedAt: stored, reason: l.intern(r.Reason), quantity: q, quality: r.Quality}
	if i == len(m.cells) || m.cells[i].quantity != q {
		m.cells = slices.Insert(m.cells, i, next)
		m.medium = l.quantities[m.cells[0].quantity].Medium
		if i == 0 {
			m.interval = 0
		}
		return
	}
	old := &m.cells[i]
	if taken < old.takenAt {
		return
	}
	if i == 0 && taken > old.takenAt {
		m.interval = taken - old.takenAt
	}
	*old = next
}

// intern keeps one copy of each reason, so that a cell never holds on to the
// message that its reason was decoded from.
func (l *Live) intern(r schemas.Reason) schemas.Reason {
	if r == "" {
		return ""
	}
	kept, ok := l.reasons[r]
	if !ok {
		kept = schemas.Reason(strings.Clone(string(r)))
		l.reasons[kept] = kept
	}
	return kept
}

// Limits of lateness. A meter is late when its newest reading is older than
// three of its own intervals; the bounds keep a fast meter from flickering and
// give a meter of unknown interval the usual quarter of an hour.
const (
	lateFloor   = 60 * 1000            // ms
	lateUnknown = 15 * 60 * 1000       // ms
	lateCeiling = 3 * 24 * 3600 * 1000 // ms
)

// state says whether the meter answers, at the moment now (Unix ms).
func (m *meter) state(now int64) string {
	switch {
	case m.fault != nil:
		return stateFailing
	case len(m.cells) == 0:
		return stateLate
	}
	limit := int64(lateUnknown)
	if m.interval > 0 {
		limit = min(max(3*m.interval, lateFloor), lateCeiling)
	}
	if now-m.newest() > limit {
		return stateLate
	}
	return stateAnswering
}

func (m *meter) newest() int64 {
	var newest int64
	for i := range m.cells {
		newest = max(newest, m.cells[i].takenAt)
	}
	return newest
}

// The states of a meter, as the API names them.
const (
	stateAnswering = "answering"
	stateLate      = "late"
	stateFailing   = "failing"
)
