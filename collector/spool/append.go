package spool

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// batch is the records that share one fsync.
type batch struct {
	buf   []byte
	n     int
	begun time.Time     // when the first record came
	ripe  bool          // full is closed
	full  chan struct{} // closed when the batch need not wait for more
	taken chan struct{} // closed when the committer has it
	done  chan struct{} // closed when first and err are final
	first uint64
	err   error
}

func newBatch(buf []byte) *batch {
	return &batch{buf: buf[:0], full: make(chan struct{}), taken: make(chan struct{}), done: make(chan struct{})}
}

// Pending is a record on its way to the disk.
type Pending struct {
	b *batch
	i int
}

// Done is closed when the record is durable or has failed.
func (p Pending) Done() <-chan struct{} { return p.b.done }

// Wait returns the record's sequence once it is durable, or why it is not. It may
// be called more than once. When ctx ends first the record may still become
// durable.
func (p Pending) Wait(ctx context.Context) (uint64, error) {
	select {
	case <-p.b.done:
	default:
		select {
		case <-p.b.done:
		case <-ctx.Done():
			return 0, expired(ctx, "wait for the spool commit")
		}
	}
	if p.b.err != nil {
		return 0, p.b.err
	}
	return p.b.first + uint64(p.i), nil
}

// Append stores a copy of data and returns its sequence once it is durable, which
// takes up to CommitEvery and an fsync. Sequences ascend in the order of
// acceptance. After an error the record was not acknowledged and is to be appended
// again; it may yet turn up after a restart (FORMAT.md, Limits).
func (s *Spool) Append(ctx context.Context, data []byte) (seq uint64, err error) {
	p, err := s.AppendAsync(ctx, data)
	if err != nil {
		return 0, err
	}
	return p.Wait(ctx)
}

// AppendAsync accepts a copy of data and returns without waiting for the disk,
// except when the disk is slow and four times CommitBytes already wait, and when the
// oldest records are dropped to make room. The
// record is safe only when Wait has said so. Records accepted one after the other
// by one goroutine get ascending sequences.
func (s *Spool) AppendAsync(ctx context.Context, data []byte) (Pending, error) {
	if limit := s.opts.maxRecord(); len(data) == 0 || len(data) > limit {
		return Pending{}, fmt.Errorf("append to spool: %w: %d bytes, limit %d", ErrSize, len(data), limit)
	}
	for {
		p, wait, err := s.accept(data)
		if errors.Is(err, ErrFull) && s.opts.DropWhenFull {
			if err = s.makeRoom(); err == nil {
				continue
			}
			err = fmt.Errorf("%w; its oldest records cannot be dropped: %w", ErrFull, err)
		}
		if err != nil {
			return Pending{}, fmt.Errorf("append to spool: %w", err)
		}
		if wait == nil {
			return p, nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return Pending{}, expired(ctx, "append to spool")
		}
	}
}

// accept puts data into the filling batch. When that has no room, wait is closed
// once it is worth trying again.
func (s *Spool) accept(data []byte) (p Pending, wait <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.filling
	if s.closed {
		return Pending{}, nil, ErrClosed
	}
	if b.n > 0 && len(b.buf)+recordHeader+len(data) > 4*s.opts.CommitBytes {
		return Pending{}, b.taken, nil
	}
	// Each of the two batches under way may begin a segment.
	if s.used()+int64(s.inflight+len(b.buf)+recordHeader+len(data))+2*segmentHeader > s.opts.Quota {
		s.stats.Full = true
		return Pending{}, nil, ErrFull
	}
	b.buf = appendRecord(b.buf, data)
	b.n++
	s.stats.Appended++
	if b.n == 1 {
		b.begun = time.Now()
		s.wake <- struct{}{} // never blocks: one for each batch, and the committer took the last
	}
	if !b.ripe && (b.n >= s.opts.CommitRecords || len(b.buf) >= s.opts.CommitBytes) {
		b.ripe = true
		close(b.full)
	}
	return Pending{b, b.n - 1}, nil, nil
}

// commitLoop is the committer: it ends after Close, when the last batch is done.
func (s *Spool) commitLoop() {
	defer close(s.stopped)
	var save <-chan time.Time // nil while the state file is up to date
	for {
		select {
		case <-s.wake:
			s.waitForMore()
			s.commit()
		case <-s.tidy:
			if save == nil {
				save = time.After(s.opts.StateEvery)
			}
		case <-save:
			save = nil
			s.saveIfDirty()
		case <-s.closing:
			s.commit()
			return
		}
	}
}

// waitForMore gives a begun batch its time to fill.
func (s *Spool) waitForMore() {
	s.mu.Lock()
	b := s.filling
	s.mu.Unlock()
	timer := time.NewTimer(s.opts.CommitEvery - time.Since(b.begun))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.full:
	case <-s.closing:
	}
}

// commit makes the filling batch durable and tells its appenders.
func (s *Spool) commit() {
	s.disk.Lock()
	defer s.disk.Unlock()
	b, first := s.take()
	if b.n == 0 {
		close(b.done)
		return
	}
	number(b.buf, first)
	g, err := s.write(b, first)
	s.settleBatch(b, first, g, err)
	if err := s.sweep(); err != nil {
		s.report(Event{Kind: Housekeeping, File: stateName, Err: err})
	}
}

// settleBatch makes the outcome of a commit known. g is the batch's segment when
// err is nil.
func (s *Spool) settleBatch(b *batch, first uint64, g *segment, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// A failed batch uses up its sequences too: parts of it may be on the disk.
	s.next, s.inflight = first+uint64(b.n), 0
	if err != nil {
		b.err = fmt.Errorf("commit to spool: %w", fullError(err))
		s.stats.Failed += uint64(b.n)
		s.stats.Full = s.stats.Full || errors.Is(b.err, ErrFull)
		s.soil()
	} else {
		b.first = first
		s.stats.Committed += uint64(b.n)
		s.stats.Full = false
		g.size += int64(len(b.buf))
		g.last = s.opts.Now()
		g.cover(s.next)
		g.mark(span{first, s.next - 1}, true)
		s.wakeReaders()
		s.soil() // the state then knows how far the log went, should its end be cut off
	}
	s.spare = b.buf
	b.buf = nil // a Pending keeps the batch alive, but needs no bytes
	close(b.done)
}

// take hands the filling batch to the committer and begins another.
func (s *Spool) take() (b *batch, first uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b = s.filling
	s.filling, s.spare = newBatch(s.spare), nil
	s.inflight = len(b.buf)
	close(b.taken)
	return b, s.next
}

// wakeReaders tells all blocked readers to look again. The caller holds mu.
func (s *Spool) wakeReaders() {
	close(s.grown)
	s.grown = make(chan struct{})
}

// fullError makes a full disk ErrFull, with the cause kept.
func fullError(err error) error {
	if noRoom(err) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// noRoom reports whether err says that the disk, or the user's share of it, is
// full.
func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
