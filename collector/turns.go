package collector

import "time"

// turn is what a line does next.
type turn struct {
	m      *meterState // nil: nothing
	do     task
	record *archive // of taskRecord
}

// task is a kind of turn.
type task uint8

const (
	taskRead task = iota
	taskRecord
	taskLoad
	taskClock
	taskCards
)

// turn returns what is to be done now, or a turn without a meter and the moment
// at which there will be something.
func (l *lineLoop) turn(now time.Time) (t turn, wake time.Time) {
	if l.flatOut {
		return turn{m: l.nextInTurn()}, now
	}
	m, wake := l.next(now)
	if t, ok := l.dueRecord(now); ok {
		return t, wake
	}
	if c := l.lateCards(now); c != nil {
		return turn{m: c, do: taskCards}, wake
	}
	if m != nil {
		return turn{m: m}, wake
	}
	if t, again := l.chore(now, wake); t.m != nil {
		return t, wake
	} else if !again.IsZero() && (wake.IsZero() || again.Before(wake)) {
		wake = again
	}
	return turn{}, wake
}

// next returns the meter to read now, or nil and the moment at which one will
// be due. Of the healthy meters, as of the failing ones, the earliest slot
// comes first.
func (l *lineLoop) next(now time.Time) (m *meterState, wake time.Time) {
	var healthy, failing *meterState
	var soonest instant
	at := instantOf(now)
	l.forget()
	l.work = 0
	l.probed, l.idle = min(l.probed, at), min(l.idle, at) // the clock may have been set back
	for _, c := range l.meters {
		if c.due.sub(at) > 2*c.Interval {
			c.obeyClock(now)
		}
		if c.fails == 0 {
			l.work += c.took
			l.heed(c)
		}
		switch {
		case c.due > at:
			if c.counted < c.due {
				// Not beyond the slot that is still to be read (see minGap).
				l.pass(c, now, earlier(slotAfter(now, c.Interval, c.Offset), slotAt(c.due.time(), c.Interval, c.Offset)))
			}
			if soonest == 0 || c.due < soonest {
				soonest = c.due
			}
		case c.fails == 0 && (healthy == nil || c.due < healthy.due):
			healthy = c
		case c.fails > 0 && (failing == nil || c.due < failing.due):
			failing = c
		}
	}
	if soonest != 0 {
		wake = soonest.time()
	}
	if healthy != nil {
		if failing != nil && l.probeFirst(now, healthy, failing) {
			return failing, wake
		}
		return healthy, wake
	}
	l.idle = instantOf(now)
	if failing == nil {
		return nil, wake
	}
	ok, again := l.mayProbe(now, failing)
	if !ok {
		return nil, earlier(l.waiting.time(), again) // a probe may begin before another is due
	}
	return failing, wake
}

// mayProbe reports whether failing may be probed now that no healthy meter is
// due, or when it is to be thought of again. Free is a probe that ends before
// the next slot of a healthy meter. Within the budget is one after which there
// is time for all of them in their slots, or any at the start of a gap when the
// budget has been saved up.
func (l *lineLoop) mayProbe(now time.Time, failing *meterState) (ok bool, again time.Time) {
	cost := l.whole(failing)
	if cut := l.cut(failing, now); cut > 0 {
		cost = cut
	}
	end := instantOf(now).add(cost)
	if l.waiting == 0 || end <= l.waiting {
		return true, now
	}
	if l.budget.open(now) && (end.add(l.work) <= l.until || l.budget.full() && !l.rested) {
		return true, now
	}
	return false, l.budget.next(now)
}

// nextInTurn returns one meter after the other.
func (l *lineLoop) nextInTurn() *meterState {
	m := l.meters[l.last%len(l.meters)]
	l.last++
	return m
}

// probeFirst reports whether the probe of failing goes before the read of
// healthy: it has waited for an interval in which the line was never idle, no
// healthy meter still waits since the last probe, and the budget for probes is
// saved up.
func (l *lineLoop) probeFirst(now time.Time, healthy, failing *meterState) bool {
	at := instantOf(now)
	return at.sub(max(failing.due, l.idle)) >= failing.Interval && healthy.due > l.probed && l.budget.open(now) && l.budget.full()
}

// obeyClock sets the next slot anew when it is further ahead than any schedule
// puts it: then the clock was set back, and the meter would not be read until
// the old time had come again.
func (m *meterState) obeyClock(now time.Time) {
	ahead := 2 * m.Interval // one more than is planned, for a clock that is only nudged
	if m.fails > 0 {
		ahead += maxBackOff
	}
	if m.due.sub(instantOf(now)) > ahead {
		m.due = instantOf(slotAfter(now, m.Interval, m.Offset))
		m.counted = m.due
	}
}

// pass counts the slots of m before the slot next that went by without a read.
func (l *lineLoop) pass(m *meterState, now, next time.Time) {
	n := instantOf(next).sub(m.counted) / m.Interval
	if n <= 0 {
		return
	}
	m.health.passed(now, m.counted.time(), n, m.Interval)
	m.slots.passed(m.counted.time(), int64(n), l.excuse.of(m.counted))
	m.counted = m.counted.add(n * m.Interval)
	if m.fails == 0 {
		l.metrics.missed.Add(float64(n))
	} else {
		l.metrics.skipped.Add(float64(n))
	}
}
