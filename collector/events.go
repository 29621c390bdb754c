package collector

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"sync"
	"time"

	"citygrid/adapters"
	"citygrid/collector/verdict"
	"citygrid/schemas"
)

// EventSource decides component events (package detect). Its methods are called one
// at a time, by the lines themselves: they are quick, wait for nothing, and neither
// change nor keep what they are given. The events that they return are well formed,
// and each opened one has an id of its own.
type EventSource interface {
	// Observe is told of every finished read of the schedule.
	Observe(Observation) []schemas.ComponentEvent
	// Tick is told the time every few seconds, for what only its passing decides.
	Tick(now time.Time) []schemas.ComponentEvent
	// State returns all that the source knows, for the source of the next process.
	// It does not change unless one of the others was called.
	State() ([]byte, error)
}

// Observation is one finished read.
type Observation struct {
	Line  string
	Meter schemas.MeterID
	At    time.Time // when it ended
	// Readings are what the meter gave, judged; they may be a part of what was asked.
	Readings []schemas.Reading
	// Answered: the meter is there, though it may have reported a failure alone.
	Answered bool
	// Rebased: since the last observation of the meter the verdicts have found that its
	// registers count from another point: a rollover, a reset, a swap, a new
	// installation, a value withdrawn.
	Rebased bool
	// Unreachable: nothing was asked, for the gateway takes no connection, or the port
	// does not open.
	Unreachable bool
}

// show shows a read of m to the events, if anybody looks at them.
func (l *lineLoop) show(m *meterState, now time.Time, readings []schemas.Reading, err error) {
	if l.events == nil {
		return
	}
	seen := l.events.observe(Observation{
		Line: schemas.EventLine(l.line.Name), Meter: m.ID, At: now, Readings: readings, Rebased: m.rebased,
		Answered:    len(readings) > 0 || err != nil && adapters.ClassOf(err) != adapters.Transient,
		Unreachable: len(readings) == 0 && isUnreachable(err),
	})
	m.rebased = m.rebased && !seen
}

// rebases reports whether a note of the verdicts says that a register counts from
// another point.
func rebases(e verdict.Event) bool {
	return e == verdict.Rollover || e == verdict.Reset || e == verdict.Swap || e == verdict.Opened || e == verdict.Withdrawn
}

// isUnreachable reports whether a read failed before anything could be asked: at
// the dial of a gateway, or at the device file of a port.
func isUnreachable(err error) bool {
	var dial *net.OpError
	var port *fs.PathError
	return errors.As(err, &dial) && dial.Op == "dial" || errors.As(err, &port)
}

const (
	// maxEventsWaiting bounds the events that are decided and not yet durable in
	// their spool. It is reached only while that is full for long.
	maxEventsWaiting = 4096
	// eventTick is the time between two calls of EventSource.Tick.
	eventTick = 5 * time.Second
	// eventStateEvery is the most that a crash takes from what a source has seen.
	eventStateEvery = 5 * time.Minute
)

// eventPipe carries what an EventSource decides to the spool:
//
//	lines, clock -> EventSource -> waiting -> events.state -> desk -> spool
//
// The file holds the source's state and the events that wait, in one piece, and is
// written before an event goes to the spool. So whatever a crash leaves is
// consistent: an event is either not decided, or decided and known, and then it is
// sealed, once more if need be.
type eventPipe struct {
	source  EventSource // nil: nothing is decided, and what still waits goes out
	desk    *desk[schemas.ComponentEvent]
	file    *eventFile
	metrics *metrics
	log     *slog.Logger
	closing chan struct{}
	once    sync.Once
	wake    chan struct{} // signalled when events were decided

	// mu holds the source and what it has decided together.
	mu      sync.Mutex
	waiting []schemas.ComponentEvent // not known to be durable in the spool
	blind   bool                     // too many wait: the source is shown nothing

	// Of run alone: how many of waiting the desk has, how many events have left it, and
	// how many had been decided by the last save.
	handed      int
	left, saved uint64
}

// observe shows a read to the source, and reports whether it could. It waits for no
// disk.
func (p *eventPipe) observe(o Observation) (seen bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.source == nil {
		return false
	}
	if p.isBlind() {
		p.metrics.eventsUnseen.Inc()
		return false
	}
	p.decided(p.source.Observe(o))
	return true
}

// tick tells the source the time.
func (p *eventPipe) tick(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.source != nil && !p.isBlind() {
		p.decided(p.source.Tick(now))
	}
}

// isBlind reports whether the source is to be shown nothing, and says so once. It
// sees again when half of the room is free. mu is held.
func (p *eventPipe) isBlind() bool {
	switch n := len(p.waiting); {
	case !p.blind && n >= maxEventsWaiting:
		p.blind = true
		p.metrics.eventsBlind.Set(1)
		p.log.Error("no more component events are decided: their spool has been full for long; those that wait are kept, and reading goes on. "+
			"Mend the way to the hub, or give the spool of the events more room (spool.events_quota, disk)", "waiting", n)
	case p.blind && n <= maxEventsWaiting/2:
		p.blind = false
		p.metrics.eventsBlind.Set(0)
		p.log.Info("component events are decided again", "waiting", n)
	}
	return p.blind
}

// decided takes events in. What no batch may hold is left out, and counted: one
// faulty rule must not stop the events of all others. mu is held.
func (p *eventPipe) decided(events []schemas.ComponentEvent) {
	for _, e := range events {
		if e.Since.After(e.TakenAt) { // the clock was set back meanwhile
			e.Since = e.TakenAt
		}
		if err := e.Validate(); err != nil {
			p.metrics.eventsRefused.Inc()
			p.log.Error("a component event is malformed and left out", "kind", string(e.Kind), "meter", e.Meter, "line", e.Line, "error", err)
			continue
		}
		p.log.Warn("component event", "kind", string(e.Kind), "phase", string(e.Phase), "meter", e.Meter, "component", e.Component,
			"line", e.Line, "since", e.Since, "note", e.Note, "id", string(e.ID))
		p.waiting = append(p.waiting, e)
	}
	if len(events) > 0 {
		p.signal()
	}
}

func (p *eventPipe) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// close ends the pipe when no line shows it anything more: what was decided is
// saved, and sealed as far as the disk takes it.
func (p *eventPipe) close() { p.once.Do(func() { close(p.closing) }) }

// run delivers what is decided until close, or until ctx is done, and then closes
// the desk.
func (p *eventPipe) run(ctx context.Context) {
	defer p.desk.close()
	tick, save := time.NewTicker(eventTick), time.NewTicker(eventStateEvery)
	defer tick.Stop()
	defer save.Stop()
	for {
		changed := p.deliver(ctx)
		select {
		case <-ctx.Done():
			return
		case <-p.closing:
			p.deliver(ctx)
			return
		case <-p.wake:
		case <-changed:
		case now := <-tick.C:
			p.tick(now)
		case <-save.C:
			_ = p.save() // said by save, and tried again
		}
	}
}

// deliver lets go of what has become durable, and saves and hands on what is new.
// It returns a channel that is closed when there may be more to do.
func (p *eventPipe) deliver(ctx context.Context) (changed <-chan struct{}) {
	durable, changed, fault := p.desk.stage.progress.look()
	settled := p.settle(durable)
	fresh := p.fresh()
	if settled || len(fresh) > 0 && p.isUnsaved(fresh) {
		// An event that cannot be saved goes out all the same: a repeat under another
		// name after a crash is the lesser evil.
		_ = p.save()
	}
	if len(fresh) == 0 || fault != nil {
		return changed
	}
	if _, err := p.desk.hand(ctx, fresh); err == nil {
		p.handed += len(fresh)
	} // else they wait, and the change of progress that ends the fault comes here again
	return changed
}

// settle lets go of the events that are durable in the spool: the first so many of
// all that the desk was given.
func (p *eventPipe) settle(durable uint64) (any bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := int(durable - p.left)
	if p.waiting = p.waiting[n:]; len(p.waiting) == 0 {
		p.waiting = nil // and give the room back
	}
	p.handed -= n
	p.left = durable
	return n > 0
}

// fresh returns the events that the desk has not been given.
func (p *eventPipe) fresh() []schemas.ComponentEvent {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]schemas.ComponentEvent(nil), p.waiting[p.handed:]...)
}

// isUnsaved reports whether the file lacks some of the fresh events, or may.
func (p *eventPipe) isUnsaved(fresh []schemas.ComponentEvent) bool {
	return p.file.failed || p.left+uint64(p.handed+len(fresh)) > p.saved
}

// save writes the file when it would say something new.
func (p *eventPipe) save() error {
	p.mu.Lock()
	p.saved = p.left + uint64(len(p.waiting))
	memory := eventMemory{Detector: p.file.detector, Waiting: append([]schemas.ComponentEvent(nil), p.waiting...)}
	var err error
	if p.source != nil {
		memory.Detector, err = p.source.State()
	}
	p.mu.Unlock()
	if err == nil {
		err = p.file.write(memory)
	}
	if err != nil && !p.file.failed {
		p.log.Error("the state of the component events cannot be written; after a crash an event may come twice. Look at the disk", "file", p.file.path, "error", err)
	}
	p.file.failed = err != nil
	return err
}

// finish saves what is known after run and the stage have ended, this one with an
// error or nil. One that says only that the time was over is none when what is not in
// the spool is in the file, from where the next start takes it.
func (p *eventPipe) finish(ended error) error {
	durable, _, _ := p.desk.stage.progress.look()
	p.settle(durable)
	unsaved := p.save()
	switch n := len(p.waiting); {
	case n == 0: // and the rest of the state is worth a word in the log, and no more
		return ended
	case unsaved != nil:
		return errors.Join(ended, fmt.Errorf("%d component events are neither in their spool nor in %s: %w", n, p.file.path, unsaved))
	case ended != nil && !errors.Is(ended, context.Canceled):
		return ended
	default:
		p.log.Warn("stopping with component events that their spool did not take; they are sealed after the next start", "waiting", n)
		return nil
	}
}

// openEvents reads events.state, and makes the source with what the last one knew. A
// file that cannot be read, or that the source refuses, is set aside and reported.
func (c *Collector) openEvents(path string, desk *desk[schemas.ComponentEvent], now time.Time) (*eventPipe, error) {
	p := &eventPipe{desk: desk, file: &eventFile{path: path}, metrics: c.metrics, log: c.o.Log,
		closing: make(chan struct{}), wake: make(chan struct{}, 1)}
	memory, err := p.file.read()
	if err == nil {
		p.waiting = memory.Waiting
		if c.o.Events == nil {
			return p, nil
		}
		if p.source, err = c.o.Events(memory.Detector); err == nil {
			return p, nil
		}
	}
	c.o.Log.Error("the state of the component events cannot be read and is set aside; the detector begins anew. Look at the disk",
		"file", path, "kept_as", asideName(path, now), "error", errors.Join(err, setAside(path, now)))
	p.file.forget()
	if c.o.Events == nil {
		return p, nil
	}
	if p.source, err = c.o.Events(nil); err != nil {
		return nil, fmt.Errorf("component events: %w", err)
	}
	return p, nil
}
