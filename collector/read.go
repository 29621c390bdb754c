package collector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"citygrid/adapters"
	"citygrid/collector/verdict"
	"citygrid/schemas"
)

// errNoReadings is a Source that breaks its contract.
var errNoReadings = errors.New("the meter's driver gave neither readings nor an error")

// read reads m for the slot of this moment, start, counts the slots that were
// passed over, and sets the next one.
func (l *lineLoop) read(ctx context.Context, m *meterState, start time.Time) {
	slot := slotAt(start, m.Interval, m.Offset)
	if !l.flatOut {
		l.pass(m, start, slot)
	}
	got := l.source(ctx, m, start)
	readings, err := got.readings, got.err
	stopped := ctx.Err() != nil // once: it may end at any moment
	if stopped && len(readings) == 0 {
		return // stopping: neither the meter's failure nor a kept slot
	}
	now := time.Now()
	m.took = now.Sub(start)
	m.counted = instantOf(slot).add(m.Interval)
	m.due = max(m.counted, instantOf(now).add(minGap))
	if readings, err = l.wellFormed(readings, err); len(readings) == 0 && err == nil {
		err = errNoReadings
	}
	if stopped && len(readings) > 0 {
		err = nil // cut short by the stop: what came is handed on, and is no failure
	}
	l.moments.give(m, readings)
	got.readings, got.err = readings, err
	l.learn(m, got)
	l.account(m, now, readings, err)
	if len(readings) == 0 {
		m.slots.failed(slot, err)
		l.show(m, now, nil, err)
		return
	}
	l.identify(ctx, m, now)
	var done func()
	if b := m.load; b != nil {
		done = func() { b.noteLive(readings[0].TakenAt, m.Interval) }
	}
	l.hand(m, readings, done)
	l.show(m, now, readings, err)
}

// hand judges readings and gives them to the sealer. done, if any, notes at the
// same moment what that means for the state that is remembered.
func (l *lineLoop) hand(m *meterState, readings []schemas.Reading, done func()) {
	for _, n := range l.handJudged(m, readings, done) {
		l.log.Warn("what a meter shows has changed in a way that needs a look", "meter", m.ID, "text", n.Text, "event", string(n.Event), "quantity", string(n.Quantity), "at", n.At)
		m.rebased = m.rebased || rebases(n.Event)
	}
}

func (l *lineLoop) handJudged(m *meterState, readings []schemas.Reading, done func()) []verdict.Note {
	l.mu.Lock()
	defer l.mu.Unlock()
	m.valid.Judge(readings)
	m.slots.answered(readings)
	if done != nil {
		done()
	}
	l.handed += uint64(len(readings))
	if !l.running {
		l.out <- readings
		return m.valid.Notes()
	}
	if len(l.ready) == 0 {
		l.readySince = time.Now()
	}
	l.ready = append(l.ready, readings...)
	return m.valid.Notes()
}

// Readings of quick reads go to the sealer together: to wake it costs more than
// to read a meter on a fast line. They wait for no slow read, and for nothing
// else when there are enough.
const (
	quickRead   = 5 * time.Millisecond
	handWithin  = 20 * time.Millisecond
	handReading = schemas.MaxReadings
)

// flushBefore hands on what waits, unless t is a quick read.
func (l *lineLoop) flushBefore(t turn, now time.Time) {
	if n := len(l.ready); n == 0 || n < handReading && now.Sub(l.readySince) < handWithin &&
		t.m != nil && t.do == taskRead && t.m.fails == 0 && t.m.alive && t.m.took < quickRead {
		return
	}
	l.flush()
}

// flush hands on what waits.
func (l *lineLoop) flush() {
	if len(l.ready) == 0 {
		return
	}
	// No select on a context: the sealer takes readings until every line has
	// ended, so what was read is also sealed.
	began := time.Now()
	l.out <- l.ready
	l.excuse.waited(began, time.Now())
	l.ready = make([]schemas.Reading, 0, handReading+len(l.ready)/2)
}

// wellFormed leaves out, and counts, what no batch may hold. One meter with a
// faulty driver must not stop the readings of all others, which share its
// batches.
func (l *lineLoop) wellFormed(readings []schemas.Reading, err error) ([]schemas.Reading, error) {
	kept := 0
	for i := range readings {
		r := &readings[i]
		if bad := r.Validate(); bad != nil {
			l.metrics.refused.Inc()
			err = errors.Join(err, fmt.Errorf("a reading of %s is malformed and left out: %w", r.Quantity, bad))
			continue
		}
		if kept != i {
			readings[kept] = *r
		}
		kept++
	}
	return readings[:kept], err
}

// account counts the outcome of a read and moves the meter between healthy and
// failing. A meter that gave part of its values is alive, whatever else failed.
func (l *lineLoop) account(m *meterState, now time.Time, readings []schemas.Reading, err error) {
	m.health.done(now, m.took, len(readings), err)
	if err == nil {
		l.metrics.done.Inc()
	} else {
		l.metrics.failed(adapters.ClassOf(err)).Inc()
		l.board.set(m.ID, now, err)
	}
	if len(readings) == 0 {
		l.failed(m, now, err)
		return
	}
	if m.fails > 0 {
		l.log.Info("meter answers again", "meter", m.ID, "after", now.Sub(m.since).Round(time.Second))
	}
	if err == nil && (m.fails > 0 || m.faulty) {
		l.board.clear(m.ID)
	}
	m.fails, m.alive, m.faulty = 0, true, err != nil
}

// failed sets the next probe of a meter that gave nothing.
func (l *lineLoop) failed(m *meterState, now time.Time, err error) {
	l.charge(m, now)
	if m.fails == 0 {
		m.since = now
		l.log.Warn("meter does not answer; it is tried again with growing pauses", "meter", m.ID, "class", adapters.ClassOf(err), "error", err)
	}
	m.fails++
	m.alive, m.identifyAt, m.identifyAfter = false, time.Time{}, time.Time{}
	l.probed = instantOf(now)
	pause := backOff(m.fails, m.Interval)
	if m.fails > 1 { // a single refusal may come from a meter that is just starting
		pause = max(pause, refusedFor(adapters.ClassOf(err), m.Interval))
	}
	// The pause begins now, after a timeout, and slotAt rounds that time off:
	// the probes keep to the slots.
	m.due = max(m.due, instantOf(slotAt(now.Add(pause), m.Interval, m.Offset)))
}
