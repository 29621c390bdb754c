package spool

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// Reason says why records are dropped.
type Reason string

// The reasons. Both are an operator's choice: a spool without Options.Drop drops
// nothing.
const (
	// DropFull: the quota was reached.
	DropFull Reason = "full"
	// DropAge: the records were older than the operator wants to keep them.
	DropAge Reason = "age"
)

// Drop is what a spool is about to throw away: the waiting records of one segment,
// always the oldest that has any.
type Drop struct {
	Reason Reason
	// File is the base name of the segment.
	File string
	// Records yields the records in ascending order, once. Data is valid until the
	// next one. What was damaged is left out, and reported as an Event of its own.
	Records iter.Seq[Record]
}

// Errors of a drop that did not come to pass.
var (
	errNoDrop     = errors.New("this spool may not drop anything")
	errUnfinished = errors.New("not every record that was to be dropped was looked at")
	errNoVictim   = errors.New("nothing that could be dropped is waiting")
)

// makeRoom drops the oldest segment for an append that found the quota reached.
func (s *Spool) makeRoom() error {
	s.dropping.Lock()
	defer s.dropping.Unlock()
	if s.hasRoom() {
		return nil // another appender's drop made it
	}
	// A segment that was dropped and whose file would not go is in the way still:
	// dropping the next one would not help, and cost its records.
	if err := s.afterDrop(); err != nil || s.hasRoom() {
		return err
	}
	s.mu.Lock()
	g := s.victim(func(*segment) bool { return true })
	s.mu.Unlock()
	if g == nil {
		return errNoVictim
	}
	return s.dropSegment(g, DropFull)
}

// hasRoom reports whether the spool has taken something, or got room back, since
// an append found none.
func (s *Spool) hasRoom() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.stats.Full
}

// DropBefore drops, oldest first, the segments all of whose records were appended
// before t, each after Options.Drop has taken note of it. Ages are known a segment
// at a time, so a record may be kept longer than asked by the time that its segment
// spans (Options.SegmentAge), and after a restart until the next segment is begun;
// it is never dropped sooner. On an error what was not dropped stays.
func (s *Spool) DropBefore(ctx context.Context, t time.Time) error {
	if s.opts.Drop == nil {
		return fmt.Errorf("drop what is old: %w", errNoDrop)
	}
	s.dropping.Lock()
	defer s.dropping.Unlock()
	for {
		g, err := s.aged(t)
		if err == nil && g != nil && ctx.Err() != nil {
			err = expired(ctx, "not all of it is dropped")
		}
		if err == nil && g != nil {
			err = s.dropSegment(g, DropAge)
		}
		if err != nil {
			return fmt.Errorf("drop what is old: %w", err)
		}
		if g == nil {
			return nil
		}
	}
}

// aged returns the oldest segment with anything to deliver if all of it is older
// than t. The active one is ended first.
func (s *Spool) aged(t time.Time) (*segment, error) {
	s.disk.Lock()
	defer s.disk.Unlock()
	if s.ended {
		return nil, ErrClosed
	}
	if s.active != nil && s.active.last.Before(t) {
		s.retire()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.victim(func(g *segment) bool { return s.newest(g).Before(t) }), nil
}

// victim returns the oldest segment with anything to deliver, if it is not being
// written and eligible says yes. The caller holds mu.
func (s *Spool) victim(eligible func(*segment) bool) *segment {
	for _, g := range s.segments {
		if g.alive > 0 {
			if g.open || !eligible(g) {
				return nil
			}
			return g
		}
	}
	return nil
}

// newest is a moment by which every record of g had been appended. The caller
// holds mu.
func (s *Spool) newest(g *segment) time.Time {
	newest, behind := g.last, false
	for _, next := range s.segments {
		if behind && !next.created.IsZero() && next.created.Before(newest) {
			newest = next.created
		}
		behind = behind || next == g
	}
	return newest
}

// dropSegment has Options.Drop take note of what g holds and then frees it. A crash
// in between, or an error, leaves the records where they are, to be delivered or
// dropped later: they may be told twice, and are never gone untold. The caller holds
// dropping.
func (s *Spool) dropSegment(g *segment, why Reason) error {
	told, err := s.tell(g, why)
	if err != nil {
		return fmt.Errorf("drop segment %s: %w", g.name(), err)
	}
	e, err := s.free(g, told, why)
	if e.Kind == Dropped { // whatever became of the file, the records are gone
		s.report(e)
	}
	return err
}

// free gives up what was told of g, and its file. The event is of no kind when nothing
// was given up.
func (s *Spool) free(g *segment, told span, why Reason) (Event, error) {
	s.disk.Lock()
	defer s.disk.Unlock()
	if s.ended {
		return Event{}, ErrClosed
	}
	s.mu.Lock()
	e := Event{Kind: Dropped, File: g.name(), Reason: why, Size: g.size, From: told.first, To: told.last}
	e.Lost = uint64(g.mark(told, false))
	s.stats.Dropped += e.Lost
	s.soil()
	s.mu.Unlock()
	return e, s.sweep()
}

// tell hands the waiting records of g to Options.Drop and returns from which to
// which they were; from 1 to 0 when damage has left none.
func (s *Spool) tell(g *segment, why Reason) (told span, err error) {
	s.mu.Lock()
	limit := g.end() // fixed, for g is not being written
	s.mu.Unlock()
	r := &Reader{s: s, next: g.first, limit: limit}
	told = span{1, 0}
	var failed error
	whole := false
	err = s.opts.Drop(Drop{Reason: why, File: g.name(), Records: func(yield func(Record) bool) {
		for {
			rec, wait, err := r.try()
			if err != nil || wait != nil {
				failed, whole = err, err == nil
				return
			}
			if told.last == 0 {
				told.first = rec.Seq
			}
			told.last = rec.Seq
			if !yield(rec) {
				return
			}
		}
	}})
	if err == nil && failed == nil && !whole {
		err = errUnfinished
	}
	return told, errors.Join(err, failed, r.Close())
}

// afterDrop removes what an earlier drop could not.
func (s *Spool) afterDrop() error {
	s.disk.Lock()
	defer s.disk.Unlock()
	if s.ended {
		return ErrClosed
	}
	return s.sweep()
}
