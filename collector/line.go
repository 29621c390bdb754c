package collector

import (
	"context"
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
	// CardsEvery is the time between two looks at the meter's card slot, aligned
	// like the reads; 0: none. Source must then be a cardslot.Slot.
	CardsEvery time.Duration
}

// Line is one physical line (a gateway, a serial port) and its meters. They
// are read one at a time, by one goroutine.
type Line struct {
	Name string
	// Kind and Address say what the line is and where, for the status message; a line
	// without an address is not listed in it.
	Kind    schemas.LineKind
	Address string
	Meters  []Meter
	// Close gives the line's connection or port back; the next request opens it
	// again.
	Close func() error
	// CloseAfterCycle has the line closed whenever nothing is due for a while,
	// for devices that serve one client at a time.
	CloseAfterCycle bool
	// ProbeShare is the share of the line's time that failing meters may use
	// together while healthy ones wait; 0 stands for DefaultProbeShare.
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
//  4. When there is time until the next slot: the meters' card slots, records
//     that are missing, and the meters' clocks. A card slot that has found no
//     such time for a whole interval comes before the reads, which keep most of
//     the line's time (see cardsRest).
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
	// cards takes what the card slots tell, at the terminal; nil: nobody does.
	cards    *desk[schemas.CardEntry]
	terminal string
	// events is shown every read of the schedule; nil: nobody is.
	events *eventPipe
	// moments gives the readings their moments; nil: they keep those of the driver.
	moments *moments
	// cardsAfter is when a late card slot may go before the reads again.
	cardsAfter time.Time
	flatOut    bool // no schedule: one meter after the other (see Trial)
	last       int  // of these turns
	started    time.Time

	budget budget
	pacing
	probed instant       // when the last probe of a failing meter ended
	work   time.Duration // what one read of every healthy meter takes
	idle   instant       // when last no healthy meter was due
	rested bool          // since the last turn
	closed bool          // for the time in which nothing is due
	// excuse is why slots went by at a time that is over (see excuses).
	excuse excuse
	// asked are the hub's requests for refills; mu holds them.
	asked []schemas.Refill

	// ready are judged readings that go to out together, since readySince; only
	// while running.
	ready      []schemas.Reading
	readySince time.Time
	running    bool

	// mu holds the verdicts and the records against a snapshot. A snapshot
	// knows of handed readings, and counts only once so many are durable (see
	// state.go).
	mu     sync.Mutex
	handed uint64 // readings given to out, or waiting for it
}

// maxSleep bounds how long a line sleeps without a look at the clock: a timer
// does not know that the clock was set.
const maxSleep = time.Minute

// closeIdle is the least time without a turn for which a line is closed.
const closeIdle = 250 * time.Millisecond

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
	// rebased: its registers count from another point, and the events do not know
	// yet.
	rebased bool
	// slots is the account of the meter's schedule; nil: nobody keeps one.
	slots *slotBook
	// given are the moments that its readings had last.
	given lastGiven
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
			due: first, counted: first, extras: extrasOf(meter, start),
		}
		m.health.interval = meter.Interval
		l.meters = append(l.meters, m)
		l.health = append(l.health, m.health)
		if len(m.records) > 0 {
			l.keepers = append(l.keepers, m)
		}
		if len(m.records) > 0 || m.load != nil || m.clocked != nil || m.slot != nil {
			l.askers = append(l.askers, m)
		}
	}
	b.line(line, l.health)
	return l
}

// run reads until ctx is done.
func (l *lineLoop) run(ctx context.Context) {
	defer l.countUp()
	l.running = true
	defer l.flush()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil && len(l.meters) > 0 {
		now := time.Now()
		l.excuse.look(now, l.started)
		l.takeAsked(now)
		t, wake := l.turn(now)
		l.flushBefore(t, now)
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
		case taskCards:
			l.readCards(ctx, t.m, now)
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
