package collector

import (
	"context"
	"math"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/cardslot"
	"citygrid/schemas"
)

// extras is what a meter can give besides its readings, and when it is asked.
type extras struct {
	records    []*archive
	load       *loadBook // nil: it keeps no load profile
	keeper     adapters.Keeper
	clocked    adapters.Clocked
	clockAt    time.Time // when the clock is to be asked
	clockFault bool
	identified adapters.Identified
	// identifyAt is when the meter is to be asked who it is; identifyAfter is
	// the earliest moment, however much the answer is wanted.
	identifyAt, identifyAfter time.Time
	// chore is how long the last exchange beside the schedule took, and chored
	// when it ended.
	chore  time.Duration
	chored time.Time
	slot   cardslot.Slot // nil: it has none, or is not asked
	// cardsAt is when the slot is to be asked, or untaken to be handed on again:
	// entries that found no room. cardsFault: the last look at it failed.
	cardsAt    time.Time
	untaken    []schemas.CardEntry
	cardsFault bool
}

func extrasOf(m Meter, start time.Time) (x extras) {
	if m.CardsEvery > 0 {
		x.slot, _ = m.Source.(cardslot.Slot)
		x.cardsAt = start
	}
	if k, ok := m.Source.(adapters.Keeper); ok {
		x.keeper = k
		for _, s := range series {
			if n := k.Kept(s.origin); n > 0 {
				x.records = append(x.records, &archive{series: s, kept: n})
			}
		}
		if n := k.Kept(schemas.LoadRecord); n > 1 { // of one alone the period is not known
			x.load = &loadBook{kept: n}
		}
	}
	x.clocked, _ = m.Source.(adapters.Clocked)
	x.identified, _ = m.Source.(adapters.Identified)
	return x
}

// seriesInfo says how the records of an origin follow on one another.
type seriesInfo struct {
	origin schemas.Origin
	// period is the time from one record to the next, on average, and soonest
	// the least.
	period, soonest time.Duration
	// billed: bills are made from these records, so that a new one is read
	// before the slots.
	billed bool
}

const day = 24 * time.Hour

// series lists the origins of the records that are all read, in that order. A
// month has 28 to 31 days.
var series = [...]seriesInfo{
	{schemas.DailyFreeze, day, day, true},
	{schemas.MonthlyFreeze, 365 * day / 12, 28 * day, true},
}

// The pauses of reading records.
const (
	// recordMargin is how long after the moment of a record the meter is asked
	// for it: its clock is not ours.
	recordMargin = 2 * time.Minute
	// minRecordPause and maxRecordPause bound the time until a record that was
	// not there, or could not be read, is asked for again.
	minRecordPause = 10 * time.Minute
	maxRecordPause = time.Hour
	// passOver is how many failures in a row that the meter itself reports give
	// a record of a hole up: those after it must be read while they are there.
	passOver = 6
	// refusedPause is that time when the meter says that it has no such thing.
	refusedPause = day
)

// archive is how far the records of one origin of one meter have been read.
//
// Record n counts back from the newest, which is 1. A hole is filled from its
// oldest record to its newest, so that last alone says what is still missing.
type archive struct {
	series seriesInfo
	kept   int
	// last is the moment of the newest record before which none is missing. It
	// is remembered across restarts.
	last time.Time
	// newest is the moment of the newest record handed on; records between last
	// and newest are missing while cursor > 0.
	newest time.Time
	due    time.Time // when the newest is to be asked for
	cursor int       // the record to be read next to fill a hole; 0: no hole
	fillAt time.Time // when
	// looked: the record before the one at the cursor is no missing one, as was
	// seen a moment ago.
	looked bool
	fails  int
}

// pause is how long to leave a record alone after so many fruitless reads.
func (r *archive) pause(err error) time.Duration {
	if err != nil && adapters.ClassOf(err) == adapters.Config {
		return refusedPause
	}
	r.fails++
	return min(minRecordPause<<min(r.fails-1, 4), maxRecordPause)
}

func (r *archive) step() time.Duration { return r.series.period }

// between is how many records have their moment after from and not after to.
func (r *archive) between(from, to time.Time) int {
	if from.IsZero() {
		return r.kept
	}
	return int(math.Round(float64(to.Sub(from)) / float64(r.step())))
}

// gap reports whether records lie between the one at from and the one at to.
func (r *archive) gap(from, to time.Time) bool {
	return !from.IsZero() && to.Sub(from) > r.step()+r.step()/2
}

// farAhead is further ahead than anything is planned but the next record of a
// series.
const farAhead = 36 * time.Hour

// isDue reports whether the moment when has come. One that is further ahead
// than any plan was made before the clock was set back, and counts as come.
func isDue(when, now time.Time) bool { return isDueWithin(farAhead, when, now) }

func isDueWithin(plan time.Duration, when, now time.Time) bool {
	return !when.After(now) || when.Sub(now) > plan
}

// isDue reports whether the newest record is to be asked for.
func (r *archive) isDue(now time.Time) bool {
	return isDueWithin(r.series.period+farAhead, r.due, now)
}

// dueRecord returns the turn of the bill's record that has waited longest.
func (l *lineLoop) dueRecord(now time.Time) (t turn, ok bool) {
	for _, m := range l.keepers {
		if !m.alive {
			continue
		}
		for _, r := range m.records {
			// The moment of the first record is not known beforehand: it is
			// asked for in idle time.
			if r.series.billed && !r.last.IsZero() && r.isDue(now) && (!ok || r.due.Before(t.record.due)) {
				t, ok = turn{m: m, do: taskRecord, record: r}, true
			}
		}
	}
	return t, ok
}

// choreWait is how long a meter waits at most for a gap that its last chore
// would have fitted in: that one may have been a timeout.
const choreWait = time.Hour

// chore returns a turn for idle time: of the meters that have something to be
// asked, the one that was asked longest ago and whose last chore took less than
// the time that is left. again is when there may be another.
func (l *lineLoop) chore(now, wake time.Time) (t turn, again time.Time) {
	for _, m := range l.askers {
		if !m.alive {
			continue
		}
		c, at := m.chores(now)
		if c.m == nil {
			if !at.IsZero() && (again.IsZero() || at.Before(again)) {
				again = at
			}
			continue
		}
		fits := wake.IsZero() || !now.Add(m.chore).After(wake) || now.Sub(m.chored) >= choreWait
		if fits && (t.m == nil || m.chored.Before(t.m.chored)) {
			t = c
		}
	}
	return t, again
}

// chores returns the first thing that m is to be asked now, or when there will
// be one.
func (m *meterState) chores(now time.Time) (t turn, at time.Time) {
	soonest := func(when time.Time, due bool) bool {
		if due {
			return true
		}
		if at.IsZero() || when.Before(at) {
			at = when
		}
		return false
	}
	if m.slot != nil && soonest(m.cardsAt, isDue(m.cardsAt, now)) {
		return turn{m: m, do: taskCards}, at
	}
	if m.clocked != nil && soonest(m.clockAt, isDue(m.clockAt, now)) {
		return turn{m: m, do: taskClock}, at
	}
	if m.load != nil && len(m.load.holes) > 0 && soonest(m.load.at, isDue(m.load.at, now)) {
		return turn{m: m, do: taskLoad}, at
	}
	for _, r := range m.records {
		if soonest(r.due, r.isDue(now)) || r.cursor > 0 && soonest(r.fillAt, isDue(r.fillAt, now)) {
			return turn{m: m, do: taskRecord, record: r}, at
		}
	}
	return turn{}, at
}

// chored notes what an exchange beside the schedule took that began at start,
// and returns its end.
func (l *lineLoop) chored(m *meterState, start time.Time, err error) time.Time {
	now := time.Now()
	m.chore, m.chored = now.Sub(start), now
	l.upset = err != nil
	return now
}

// readRecord reads one record of m: the newest when it is due, else the next of
// a hole.
func (l *lineLoop) readRecord(ctx context.Context, m *meterState, r *archive, now time.Time) {
	if _, known := m.health.drifted(); m.clocked != nil && !known && isDue(m.clockAt, now) {
		l.readClock(ctx, m) // which says how far the record's moment can be trusted
	}
	n := r.cursor
	if n == 0 || r.isDue(now) {
		n = 1
	}
	readings, err := m.keeper.ReadKept(ctx, r.series.origin, n)
	if ctx.Err() != nil && err != nil {
		return
	}
	end := l.chored(m, now, err)
	readings, err = l.wellFormed(readings, err)
	l.countRecord(m, r, n, readings, err)
	if n == 1 && r.isDue(now) {
		l.newest(m, r, end, readings, err)
		return
	}
	l.fill(m, r, end, n, readings, err)
}

// countRecord counts what a record gave, and says once that it failed.
func (l *lineLoop) countRecord(m *meterState, r *archive, n int, readings []schemas.Reading, err error) {
	m.health.records(len(readings))
	if err == nil {
		return
	}
	l.metrics.recordsFailed.Inc()
	if r.fails == 0 {
		l.log.Warn("a record of the meter's memory cannot be read; it is tried again later",
			"meter", m.ID, "origin", string(r.series.origin), "record", n, "class", adapters.ClassOf(err), "error", err)
	}
}

// newest goes on with the newest record: hands it on if it is new, and finds
// the hole before it.
func (l *lineLoop) newest(m *meterState, r *archive, now time.Time, readings []schemas.Reading, err error) {
	known := r.last
	if !isAhead(r.newest, now) {
		known = later(r.last, r.newest)
	}
	if len(readings) == 0 || !readings[0].TakenAt.After(known) || readings[0].TakenAt.Equal(r.newest) {
		r.due = now.Add(r.pause(err))
		return
	}
	moment := readings[0].TakenAt
	if isAhead(moment, now) {
		// Dated by a clock that is far ahead. Were it remembered, nothing would be
		// new until that day.
		r.due, r.newest = now.Add(r.pause(nil)), moment
		l.handRecord(m, r, now, readings, false)
		return
	}
	whole := err == nil || adapters.ClassOf(err) == adapters.Config // what is refused will not come later
	if !whole {
		r.due = now.Add(r.pause(err))
		l.handRecord(m, r, now, readings, false)
		return
	}
	r.fails = 0
	r.due = later(moment.Add(max(r.series.soonest, r.step())+recordMargin), now.Add(minRecordPause))
	r.newest = moment
	switch {
	case r.kept > 1 && (r.last.IsZero() || r.gap(r.last, moment)):
		r.cursor, r.looked, r.fillAt = min(r.kept, max(r.between(r.last, moment), 2)), false, now
		l.handRecord(m, r, now, readings, false)
	default:
		r.cursor = 0
		l.handRecord(m, r, now, readings, true)
	}
}

// recordSkew is how far ahead of this clock a record may be dated. It is far
// more than clocks drift, and less than a day.
const recordSkew = time.Hour

// isAhead reports whether a record was dated by a clock that is far ahead.
func isAhead(moment, now time.Time) bool { return moment.After(now.Add(recordSkew)) }

// fill goes on with record n of a hole.
//
// The numbers of the records shift when the meter makes a new one. So a record
// that seems to follow upon a gap is not taken before the one before it was
// looked at.
func (l *lineLoop) fill(m *meterState, r *archive, now time.Time, n int, readings []schemas.Reading, err error) {
	if err != nil && adapters.ClassOf(err) != adapters.Config && !givesUp(r.fails, err) {
		r.fillAt = now.Add(r.pause(err))
		if len(readings) > 0 {
			l.handRecord(m, r, now, readings, false)
		}
		return
	}
	r.fails = 0
	if len(readings) == 0 || !readings[0].TakenAt.After(r.last) {
		r.cursor, r.looked = n-1, true
		l.filled(r, now)
		return
	}
	moment := readings[0].TakenAt
	if isAhead(moment, now) { // see newest
		r.cursor, r.looked = n-1, true
		l.handRecord(m, r, now, readings, false)
		l.filled(r, now)
		return
	}
	if r.gap(r.last, moment) && n < r.kept && !r.looked {
		r.cursor = n + 1
		return
	}
	r.cursor, r.looked = n-1, false
	if moment.Equal(r.newest) { // it was handed on when it was new
		l.missing(m, r, moment)
		l.remember(r, moment)
		l.filled(r, now)
		return
	}
	l.handRecord(m, r, now, readings, true)
	l.filled(r, now)
}

// givesUp reports whether a record that has failed so often, and now with err,
// will not be read any more.
func givesUp(fails int, err error) bool {
	return fails+1 >= passOver && adapters.ClassOf(err) == adapters.Slow
}

// filled ends the search for missing records when none is left.
func (l *lineLoop) filled(r *archive, now time.Time) {
	if r.cursor == 0 && !isAhead(r.newest, now) {
		l.remember(r, later(r.last, r.newest))
	}
}

// remember notes the moment up to which no record is missing.
func (l *lineLoop) remember(r *archive, moment time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.last = moment
}

// missing says, once, that the meter no longer keeps what lies between the last
// record and the one of this moment.
func (l *lineLoop) missing(m *meterState, r *archive, moment time.Time) {
	if !r.gap(r.last, moment) {
		return
	}
	n := r.between(r.last, moment) - 1
	l.metrics.recordsLost.Add(float64(n))
	l.log.Error("records are missing for good: the meter no longer keeps them", "meter", m.ID, "origin", string(r.series.origin),
		"records", n, "after", r.last, "before", moment)
}

// handRecord gives the readings of a record to the sealer. last says that no
// record before it is missing that could still be read.
func (l *lineLoop) handRecord(m *meterState, r *archive, now time.Time, readings []schemas.Reading, last bool) {
	l.doubt(m, now, readings)
	if last {
		l.missing(m, r, readings[0].TakenAt)
	}
	moment := readings[0].TakenAt
	l.metrics.records.Add(float64(len(readings)))
	l.hand(m, readings, func() {
		if last {
			r.last = moment
		}
	})
}

// doubt marks readings that the meter dated with a clock that is not to be
// trusted.
func (l *lineLoop) doubt(m *meterState, now time.Time, readings []schemas.Reading) {
	drift, _ := m.health.drifted()
	for i := range readings {
		r := &readings[i]
		if r.Quality == schemas.Good && (drift.Abs() > trustedDrift || isAhead(r.TakenAt, now)) {
			r.Quality, r.Reason = schemas.Suspect, schemas.ReasonClock
		}
	}
}
