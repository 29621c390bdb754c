package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"citygrid/adapters"
	"citygrid/collector/verdict"
	"citygrid/schemas"
)

// Meter is one meter on a line and how it is to be read.
type Meter struct {
	ID schemas.MeterID
	// Source reads the meter. What else it can do (adapters.Clocked, Keeper,
	// Identified) is used where it can.
	Source adapters.Source
	// Interval is the time between two reads; Offset shifts the aligned slots.
	Interval, Offset time.Duration
	Rules            verdict.Rules
}

// Line is one physical line (a gateway, a serial port) and its meters. They
// are read one at a time, by one goroutine.
type Line struct {
	Name   string
	Meters []Meter
	// Close gives the line's connection or port back; the next request opens it
	// again.
	Close func() error
	// CloseAfterCycle has the line closed whenever nothing is due for a while,
	// for devices that serve one client at a time.
	CloseAfterCycle bool
	// ProbeShare is the share of the line's time that failing meters may use
	// together while healthy ones wait; 0 stands for 0.05.
	ProbeShare float64
	// Timeout is how long a request waits for its answer; 0 stands for 1 s. The
	// drivers see to it; here it tells what a meter may cost that does not
	// answer.
	Timeout time.Duration
}

// lineLoop reads the meters of one line on schedule:
//
//	due turn -> Source -> verdicts -> out (the sealer)
//
// The turns, in the order of their rank:
//
//  1. The meter's own record of a day or a month that has just ended, for bills
//     are made from it (see keeper.go).
//  2. The slots of healthy meters.
//  3. The probes of failing meters, with exponential back-off and within the
//     line's budget for them (see budget), so that dead meters cost their
//     neighbours little. On a line that is never idle a probe goes ahead once it
//     is an interval late; between two such probes every healthy meter has its
//     turn.
//  4. When there is time until the next slot: records that are missing, and the
//     meters' clocks.
type lineLoop struct {
	line    Line
	meters  []*meterState
	health  []*meterHealth // of the meters, in the order of the configuration
	keepers []*meterState  // of these, those that keep dated records
	askers  []*meterState  // and those that can be asked for more than their slots
	out     chan<- []schemas.Reading
	metrics *metrics
	board   *board
	log     *slog.Logger
	flatOut bool // no schedule: one meter after the other (see Trial)
	last    int  // of these turns
	started time.Time

	budget budget
	pacing
	probed instant       // when the last probe of a failing meter ended
	work   time.Duration // what one read of every healthy meter takes
	idle   instant       // when last no healthy meter was due
	rested bool          // since the last turn
	closed bool          // for the time in which nothing is due

	// mu holds the verdicts and the records against a snapshot. It is held
	// until the sealer has the readings, so that a snapshot knows of no reading
	// that is not on its way (see memory.go).
	mu     sync.Mutex
	handed uint64 // readings given to out
}

// maxSleep bounds how long a line sleeps without a look at the clock: a timer
// does not know that the clock was set.
const maxSleep = time.Minute

// closeIdle is the least time without a turn for which a line is closed.
const closeIdle = 250 * time.Millisecond

// errNoReadings is a Source that breaks its contract.
var errNoReadings = errors.New("the meter's driver gave neither readings nor an error")

// meterState is what a line loop remembers of one meter.
type meterState struct {
	Meter
	valid  *verdict.Validator
	health *meterHealth
	// due is the slot to be read next. While fails > 0 it is the slot of the
	// next probe.
	due instant
	// counted is the first slot that no counter knows of yet.
	counted instant
	// fails counts reads in a row that gave nothing.
	fails int
	since time.Time
	took  time.Duration // by the last read of the schedule
	// answer and whole are how long the last read took that gave all, and the
	// last one that gave nothing and was not cut short; cuts and proven count
	// the reads in a row that were cut short, and that gave something.
	answer, whole time.Duration
	cuts, proven  uint8
	// alive: the last read gave something. Only such a meter is asked for more
	// than its slots.
	alive bool
	// faulty: it gave only a part.
	faulty bool
	extras
}

func newLineLoop(line Line, start time.Time, out chan<- []schemas.Reading, m *metrics, b *board, log *slog.Logger) *lineLoop {
	l := &lineLoop{
		line: line, out: out, metrics: m, board: b, log: log.With("line", line.Name),
		budget: newBudget(line.ProbeShare, start), started: start,
	}
	for _, meter := range line.Meters {
		first := instantOf(slotAfter(start, meter.Interval, meter.Offset))
		m := &meterState{
			Meter: meter, valid: verdict.New(meter.Rules, verdict.State{}), health: b.meter(meter.ID),
			due: first, counted: first, extras: extrasOf(meter),
		}
		l.meters = append(l.meters, m)
		l.health = append(l.health, m.health)
		if len(m.records) > 0 {
			l.keepers = append(l.keepers, m)
		}
		if len(m.records) > 0 || m.load != nil || m.clocked != nil {
			l.askers = append(l.askers, m)
		}
	}
	return l
}

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
)

// run reads until ctx is done.
func (l *lineLoop) run(ctx context.Context) {
	defer l.countUp()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil && len(l.meters) > 0 {
		now := time.Now()
		t, wake := l.turn(now)
		if t.m == nil {
			l.sleep(ctx, timer, wake.Sub(now))
			continue
		}
		l.closed, l.rested = false, false
		switch t.do {
		case taskRead:
			l.read(ctx, t.m, now)
		case taskRecord:
			l.readRecord(ctx, t.m, t.record, now)
		case taskLoad:
			l.readLoad(ctx, t.m, now)
		case taskClock:
			l.readClock(ctx, t.m)
		}
	}
}

// countUp counts the slots up to now.
func (l *lineLoop) countUp() {
	if !l.flatOut {
		l.next(time.Now())
	}
}

// sleep waits for d or until ctx is done.
func (l *lineLoop) sleep(ctx context.Context, timer *time.Timer, d time.Duration) {
	if l.line.CloseAfterCycle && l.line.Close != nil && !l.closed && d >= closeIdle {
		l.closed = true
		if err := l.line.Close(); err != nil {
			l.log.Warn("close the line until the next slot", "error", err)
		}
	}
	l.rested = true
	timer.Reset(min(d, maxSleep))
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

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
func (l *lineLoop) pass(m *meterState, now, next time.Time) {
	n := instantOf(next).sub(m.counted) / m.Interval
	if n <= 0 {
		return
	}
	m.health.passed(now, m.counted.time(), n, m.Interval)
	m.counted = m.counted.add(n * m.Interval)
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
	if !l.flatOut {
		l.pass(m, start, slot)
	}
	got := l.source(ctx, m, start)
	readings, err := got.readings, got.err
	if ctx.Err() != nil && len(readings) == 0 {
		return // stopping: neither the meter's failure nor a kept slot
	}
	now := time.Now()
	m.took = now.Sub(start)
	m.counted = instantOf(slot).add(m.Interval)
	m.due = max(m.counted, instantOf(now).add(minGap))
	if readings, err = l.wellFormed(readings, err); len(readings) == 0 && err == nil {
		err = errNoReadings
	}
	if ctx.Err() != nil && err != nil {
		err = nil // cut short by the stop: what came is handed on, and is no failure
	}
	got.readings, got.err = readings, err
	l.learn(m, got)
	l.account(m, now, readings, err)
	if len(readings) == 0 {
		return
	}
	l.identify(ctx, m, now)
	var done func()
	if b := m.load; b != nil {
		done = func() { b.noteLive(readings[0].TakenAt, m.Interval) }
	}
	l.hand(m, readings, done)
}

// hand judges readings and gives them to the sealer. done, if any, notes at the
// same moment what that means for the state that is remembered.
func (l *lineLoop) hand(m *meterState, readings []schemas.Reading, done func()) {
	for _, n := range l.handJudged(m, readings, done) {
		l.log.Warn("meter: "+n.Text, "meter", m.ID, "event", string(n.Event), "quantity", string(n.Quantity), "at", n.At)
	}
}

func (l *lineLoop) handJudged(m *meterState, readings []schemas.Reading, done func()) []verdict.Note {
	l.mu.Lock()
	defer l.mu.Unlock()
	m.valid.Judge(readings)
	if done != nil {
		done()
	}
	l.handed += uint64(len(readings))
	// No select on a context: the sealer takes readings until every line has
	// ended, so what was read is also sealed.
	l.out <- readings
	return m.valid.Notes()
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
	switch adapters.ClassOf(err) {
	case adapters.Config:
		pause = max(maxBackOff, m.Interval)
	case adapters.Slow:
		pause = max(pause, min(8*m.Interval, maxBackOff))
	}
	// The pause begins now, after a timeout, and slotAt rounds that time off:
	// the probes keep to the slots.
	m.due = max(m.due, instantOf(slotAt(now.Add(pause), m.Interval, m.Offset)))
}

// String names the line for errors.
func (l Line) String() string { return fmt.Sprintf("line %s (%d meters)", l.Name, len(l.Meters)) }
