package collector

import (
	"context"
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
// its neighbours by one timeout a step at most.
type lineLoop struct {
	line    Line
	meters  []*meterState
	out     chan<- []schemas.Reading
	metrics *metrics
	faults  *faultBoard
	log     *slog.Logger
}

// meterState is what a line loop remembers of one meter.
type meterState struct {
	Meter
	valid *validator
	// due is the slot to be read next. While fails > 0 it is the slot of the
	// next probe.
	due time.Time
	// fails counts reads in a row that gave nothing.
	fails int
	since time.Time
}

func newLineLoop(line Line, start time.Time, out chan<- []schemas.Reading, m *metrics, f *faultBoard, log *slog.Logger) *lineLoop {
	l := &lineLoop{line: line, out: out, metrics: m, faults: f, log: log.With("line", line.Name)}
	for _, meter := range line.Meters {
		l.meters = append(l.meters, &meterState{
			Meter: meter,
			valid: newValidator(meter.Rules),
			due:   slotAfter(start, meter.Interval, meter.Offset),
		})
	}
	return l
}

// run reads until ctx is done.
func (l *lineLoop) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		m, wake := l.next(time.Now())
		if m != nil {
			l.read(ctx, m)
			continue
		}
		timer.Reset(time.Until(wake))
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
}

// next returns the meter to read now, or nil and the moment at which one will
// be due. Healthy meters go before failing ones, earlier slots before later.
func (l *lineLoop) next(now time.Time) (m *meterState, wake time.Time) {
	for _, c := range l.meters {
		if c.due.After(now) {
			if wake.IsZero() || c.due.Before(wake) {
				wake = c.due
			}
			continue
		}
		if m == nil || before(c, m) {
			m = c
		}
	}
	return m, wake
}

func before(a, b *meterState) bool {
	if (a.fails == 0) != (b.fails == 0) {
		return a.fails == 0
	}
	return a.due.Before(b.due)
}

// read reads m for its latest slot, counts the slots that were passed over,
// and sets the next one.
func (l *lineLoop) read(ctx context.Context, m *meterState) {
	start := time.Now()
	slot := slotAt(start, m.Interval, m.Offset)
	if passed := uint64(slot.Sub(m.due) / m.Interval); passed > 0 {
		if m.fails == 0 {
			l.metrics.missed.Add(float64(passed))
		} else {
			l.metrics.skipped.Add(float64(passed))
		}
	}
	readings, err := m.Source.Read(ctx)
	if ctx.Err() != nil && len(readings) == 0 {
		return // stopping: neither the meter's failure nor a kept slot
	}
	m.due = slot.Add(m.Interval)
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
	pause := backOff(m.fails, m.Interval)
	switch adapters.ClassOf(err) {
	case adapters.Config:
		pause = max(maxBackOff, m.Interval)
	case adapters.Slow:
		pause = max(pause, min(8*m.Interval, maxBackOff))
	}
	l.skipTo(m, now.Add(pause))
}

// skipTo moves the meter's next read to the first slot at or after t and
// counts the slots between as skipped.
func (l *lineLoop) skipTo(m *meterState, t time.Time) {
	probe := slotAt(t, m.Interval, m.Offset)
	if !probe.After(m.due) {
		return
	}
	l.metrics.skipped.Add(float64(probe.Sub(m.due) / m.Interval))
	m.due = probe
}

// String names the line for errors.
func (l Line) String() string { return fmt.Sprintf("line %s (%d meters)", l.Name, len(l.Meters)) }
