package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"citygrid/adapters"
	"citygrid/schemas"
)

// Meter is one meter on a line and how it is to be read.
type Meter struct {
	ID     schemas.MeterID
	Source adapters.Source
	// Interval is the time between two reads; Offset shifts the aligned slots.
	Interval, Offset time.Duration
	Rules            Rules
}

// Line is one physical line (a gateway, a serial port) and its meters. They
// are read one at a time, by one goroutine.
type Line struct {
	Name   string
	Meters []Meter
	// Close releases the line's connection.
	Close func() error
}

// lineLoop reads the meters of one line on schedule:
//
//	due slot -> Source.Read -> verdicts -> out (the sealer)
//
// Healthy meters come first. A meter that fails is probed with exponential
// back-off, and only when no healthy one is due, so that a dead meter delays
// its neighbours by one timeout a step at most. On a line that is never idle a
// probe goes ahead once it is an interval late; between two such probes every
// healthy meter has its turn.
type lineLoop struct {
	line    Line
	meters  []*meterState
	out     chan<- []schemas.Reading
	metrics *metrics
	faults  *faultBoard
	log     *slog.Logger
	probed  time.Time // when the last probe of a failing meter ended
}

// maxSleep bounds how long a line sleeps without a look at the clock: a timer
// does not know that the clock was set.
const maxSleep = time.Minute

// errNoReadings is a Source that breaks its contract.
var errNoReadings = errors.New("the meter's driver gave neither readings nor an error")

// meterState is what a line loop remembers of one meter.
type meterState struct {
	Meter
	valid *validator
	// due is the slot to be read next. While fails > 0 it is the slot of the
	// next probe.
	due time.Time
	// counted is the first slot that no counter knows of yet.
	counted time.Time
	// fails counts reads in a row that gave nothing.
	fails int
	since time.Time
}

func newLineLoop(line Line, start time.Time, out chan<- []schemas.Reading, m *metrics, f *faultBoard, log *slog.Logger) *lineLoop {
	l := &lineLoop{line: line, out: out, metrics: m, faults: f, log: log.With("line", line.Name)}
	for _, meter := range line.Meters {
		first := slotAfter(start, meter.Interval, meter.Offset)
		l.meters = append(l.meters, &meterState{
			Meter: meter, valid: newValidator(meter.Rules), due: first, counted: first,
		})
	}
	return l
}

// run reads until ctx is done.
func (l *lineLoop) run(ctx context.Context) {
	defer func() { l.next(time.Now()) }() // counts the slots up to now
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil && len(l.meters) > 0 {
		now := time.Now()
		m, wake := l.next(now)
		if m != nil {
			l.read(ctx, m, now)
			continue
		}
		timer.Reset(min(wake.Sub(now), maxSleep))
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
}

// next returns the meter to read now, or nil and the moment at which one will
// be due. Of the healthy meters, as of the failing ones, the earliest slot
// comes first.
func (l *lineLoop) next(now time.Time) (m *meterState, wake time.Time) {
	var healthy, failing *meterState
	for _, c := range l.meters {
		c.obeyClock(now)
		switch {
		case c.due.After(now):
			// Not beyond the slot that is still to be read (see minGap).
			l.pass(c, earlier(slotAfter(now, c.Interval, c.Offset), slotAt(c.due, c.Interval, c.Offset)))
			if wake.IsZero() || c.due.Before(wake) {
				wake = c.due
			}
		case c.fails == 0 && (healthy == nil || c.due.Before(healthy.due)):
			healthy = c
		case c.fails > 0 && (failing == nil || c.due.Before(failing.due)):
			failing = c
		}
	}
	if healthy == nil || failing != nil && l.probeFirst(now, healthy, failing) {
		return failing, wake
	}
	return healthy, wake
}

// probeFirst reports whether the probe of failing goes before the read of
// healthy: it has waited for an interval, and no healthy meter still waits
// since the last probe.
func (l *lineLoop) probeFirst(now time.Time, healthy, failing *meterState) bool {
	return now.Sub(failing.due) >= failing.Interval && healthy.due.After(l.probed)
}

// obeyClock sets the next slot anew when it is further ahead than any schedule
// puts it: then the clock was set back, and the meter would not be read until
// the old time had come again.
func (m *meterState) obeyClock(now time.Time) {
	ahead := 2 * m.Interval // one more than is planned, for a clock that is only nudged
	if m.fails > 0 {
		ahead += maxBackOff
	}
	if m.due.Sub(now) > ahead {
		m.due = slotAfter(now, m.Interval, m.Offset)
		m.counted = m.due
	}
}

// minGap is the least time between two reads of one meter. A reading is known
// by its meter, quantity and millisecond: two answers within one, the last of a
// slot and the first of the next, would be one point in the store.
const minGap = 2 * time.Millisecond

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// pass counts the slots of m before the slot next that went by without a read.
func (l *lineLoop) pass(m *meterState, next time.Time) {
	n := next.Sub(m.counted) / m.Interval
	if n <= 0 {
		return
	}
	m.counted = m.counted.Add(n * m.Interval)
	if m.fails == 0 {
		l.metrics.missed.Add(float64(n))
	} else {
		l.metrics.skipped.Add(float64(n))
	}
}

// read reads m for the slot of this moment, start, counts the slots that were
// passed over, and sets the next one.
func (l *lineLoop) read(ctx context.Context, m *meterState, start time.Time) {
	slot := slotAt(start, m.Interval, m.Offset)
	l.pass(m, slot)
	readings, err := m.Source.Read(ctx)
	if ctx.Err() != nil && len(readings) == 0 {
		return // stopping: neither the meter's failure nor a kept slot
	}
	m.counted = slot.Add(m.Interval)
	m.due = later(m.counted, time.Now().Add(minGap))
	if readings, err = l.wellFormed(readings, err); len(readings) == 0 && err == nil {
		err = errNoReadings
	}
	l.account(m, readings, err)
	if len(readings) == 0 {
		return
	}
	for i := range readings {
		m.valid.judge(&readings[i])
	}
	// No select on ctx: the sealer takes readings until every line has ended,
	// so what was read is also sealed.
	l.out <- readings
}

// wellFormed leaves out, and counts, what no batch may hold. One meter with a
// faulty driver must not stop the readings of all others, which share its
// batches.
func (l *lineLoop) wellFormed(readings []schemas.Reading, err error) ([]schemas.Reading, error) {
	good := readings[:0]
	for _, r := range readings {
		if bad := r.Validate(); bad != nil {
			l.metrics.refused.Inc()
			err = errors.Join(err, fmt.Errorf("a reading of %s is malformed and left out: %w", r.Quantity, bad))
			continue
		}
		good = append(good, r)
	}
	return good, err
}

// account counts the outcome of a read and moves the meter between healthy and
// failing. A meter that gave part of its values is alive, whatever else failed.
func (l *lineLoop) account(m *meterState, readings []schemas.Reading, err error) {
	now := time.Now()
	if err == nil {
		l.metrics.done.Inc()
	} else {
		l.metrics.failed(adapters.ClassOf(err)).Inc()
		l.faults.set(m.ID, now, err)
	}
	if len(readings) > 0 {
		if m.fails > 0 {
			l.log.Info("meter answers again", "meter", m.ID, "after", now.Sub(m.since).Round(time.Second))
		}
		m.fails = 0
		if err == nil {
			l.faults.clear(m.ID)
		}
		return
	}
	if m.fails == 0 {
		m.since = now
		l.log.Warn("meter does not answer; it is tried again with growing pauses", "meter", m.ID, "class", adapters.ClassOf(err), "error", err)
	}
	m.fails++
	l.probed = now
	pause := backOff(m.fails, m.Interval)
	switch adapters.ClassOf(err) {
	case adapters.Config:
		pause = max(maxBackOff, m.Interval)
	case adapters.Slow:
		pause = max(pause, min(8*m.Interval, maxBackOff))
	}
	// The pause begins now, after a timeout, and slotAt rounds that time off:
	// the probes keep to the slots.
	if probe := slotAt(now.Add(pause), m.Interval, m.Offset); probe.After(m.due) {
		m.due = probe
	}
}

// String names the line for errors.
func (l Line) String() string { return fmt.Sprintf("line %s (%d meters)", l.Name, len(l.Meters)) }
