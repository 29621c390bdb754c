package collector

import (
	"context"
	"time"

	"citygrid/adapters"
	"citygrid/schemas"
)

// hole is a time without live readings, between two of them: a failure of the
// meter or of its line, or the collector was down.
type hole struct {
	// From moves on as the hole is filled.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// maxHoles bounds what is kept of a meter that comes and goes; the oldest are
// joined.
const maxHoles = 64

// loadBook is the load profile of a meter, of which only what lies in a hole is
// read: a month of it is thousands of records.
//
// As in archive, record n counts back from the newest, which is 1, and numbers
// shift when the meter makes a new one.
type loadBook struct {
	kept   int
	holes  []hole // the oldest first; remembered across restarts
	live   time.Time
	newest time.Time     // the moment of record 1 when it was last read
	period time.Duration // between two records, once it was learnt
	at     time.Time     // when the meter is to be asked for the next one
	n      int           // the one to be read; 0: to be reckoned
	looked bool          // the one before it is not in the hole
	fails  int           // of the record that failed last, since one was handed on
	failed int           // that record, counted from the newest of when that was learnt
}

// noteLive takes note of a live reading of that moment.
func (b *loadBook) noteLive(at time.Time, interval time.Duration) {
	before := b.live
	b.live = at
	if before.IsZero() || at.Sub(before) <= interval+interval/2 {
		return
	}
	if len(b.holes) == maxHoles {
		b.holes[1].From = b.holes[0].From
		b.drop()
	}
	b.holes = append(b.holes, hole{before, at})
}

// first returns the moment of the first record after the hole's beginning, if
// the meter goes on as it did.
func (b *loadBook) first(h hole) time.Time {
	return slotAfter(h.From, b.period, time.Duration(b.newest.UnixNano()%int64(b.period)))
}

// drop forgets the oldest hole.
func (b *loadBook) drop() {
	b.holes = b.holes[1:]
	b.n, b.looked = 0, false
}

// next returns the record to be read, or 0 when the oldest hole holds none.
func (b *loadBook) next(now time.Time) int {
	switch {
	case b.newest.IsZero():
		return 1
	case b.period == 0:
		return 2
	case b.n > 0:
		return b.n
	}
	h := b.holes[0]
	first := b.first(h)
	if !first.Before(h.To) {
		return 0
	}
	return min(b.kept, 1+max(0, int(now.Sub(first)/b.period)))
}

// readLoad reads one record of the load profile.
func (l *lineLoop) readLoad(ctx context.Context, m *meterState, now time.Time) {
	b := m.load
	n := b.next(now)
	if n == 0 || n > b.kept {
		l.withHoles(b.drop)
		return
	}
	readings, err := m.keeper.ReadKept(ctx, schemas.LoadRecord, n)
	if ctx.Err() != nil && err != nil {
		return
	}
	end := l.chored(m, now, err)
	readings, err = l.wellFormed(readings, err)
	m.health.records(len(readings))
	if err != nil {
		l.noLoad(m, n, end, err)
		return
	}
	if b.newest.IsZero() || b.period == 0 {
		b.learn(end, readings)
		return
	}
	b.n = n
	l.fillLoad(m, end, readings)
}

// noLoad puts the load profile off.
func (l *lineLoop) noLoad(m *meterState, n int, now time.Time, err error) {
	b := m.load
	l.metrics.recordsFailed.Inc()
	if b.period > 0 {
		// Numbers shift during the pauses, and each record has its own patience.
		if which := n - int(now.Sub(b.newest)/b.period); which != b.failed {
			b.fails, b.failed = 0, which
		}
		if givesUp(b.fails, err) {
			b.fails, b.n, b.looked = 0, n, true
			l.onward(b)
			return
		}
	}
	if b.fails++; b.fails == 1 {
		l.log.Warn("a record of the meter's load profile cannot be read; it is tried again later",
			"meter", m.ID, "record", n, "class", adapters.ClassOf(err), "error", err)
	}
	b.at = now.Add(min(minRecordPause<<min(b.fails-1, 4), maxRecordPause))
	if adapters.ClassOf(err) == adapters.Config {
		b.at = now.Add(refusedPause)
	}
}

// learn takes the period from the newest two records.
func (b *loadBook) learn(now time.Time, readings []schemas.Reading) {
	b.fails = 0
	if len(readings) == 0 {
		b.newest, b.at = time.Time{}, now.Add(maxRecordPause)
		return
	}
	moment := readings[0].TakenAt
	switch d := b.newest.Sub(moment); {
	case b.newest.IsZero():
		b.newest = moment
	case d > 0:
		b.period = d
	default: // a new one was made in between
		b.newest = time.Time{}
	}
}

// fillLoad goes on with the oldest hole: what lies in it is handed on, from the
// oldest record to the newest.
func (l *lineLoop) fillLoad(m *meterState, now time.Time, readings []schemas.Reading) {
	b := m.load
	h := &b.holes[0]
	if len(readings) == 0 || !readings[0].TakenAt.After(h.From) {
		b.looked = true
		l.onward(b)
		return
	}
	moment := readings[0].TakenAt
	late := moment.Sub(h.From) > b.period // there is room for another before it
	if late && !b.looked && b.n < b.kept {
		b.n++ // the numbers have shifted, or the meter was without power
		return
	}
	if !moment.Before(h.To) {
		l.withHoles(b.drop)
		return
	}
	if missing := int64(moment.Sub(b.first(*h)) / b.period); late && missing > 0 {
		l.metrics.recordsLost.Add(float64(missing))
		l.log.Error("records of the load profile are missing for good: the meter does not keep them", "meter", m.ID,
			"records", missing, "after", h.From, "before", moment)
	}
	l.doubt(m, now, readings)
	l.metrics.records.Add(float64(len(readings)))
	b.fails, b.looked = 0, false
	l.hand(m, readings, func() { h.From = moment })
	l.onward(b)
}

// onward goes to the next newer record.
func (l *lineLoop) onward(b *loadBook) {
	if b.n--; b.n == 0 {
		l.withHoles(b.drop)
	}
}

// withHoles changes what is remembered of a load profile.
func (l *lineLoop) withHoles(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}
