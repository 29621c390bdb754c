package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// active is the segment being written.
type active struct {
	*segment
	f file
}

// close closes the file of a possibly absent active segment.
func (a *active) close() error {
	if a == nil {
		return nil
	}
	return a.f.Close()
}

// write makes the numbered batch durable and returns its segment, whose size the
// caller extends. The caller holds disk.
func (s *Spool) write(b *batch, first uint64) (*segment, error) {
	if a := s.active; a != nil && (a.size+int64(len(b.buf)) > s.opts.SegmentBytes || s.tooOld(a)) {
		s.retire()
	}
	if s.active == nil {
		return s.begin(b, first)
	}
	a := s.active
	err := writeAll(a.f, b.buf, a.size)
	if err == nil {
		err = s.sync(a.f)
	}
	if err != nil {
		s.abandon(len(b.buf))
		return nil, fmt.Errorf("segment %s: %w", a.name(), err)
	}
	return a.segment, nil
}

// tooOld reports whether a has been written to for as long as it may be. A clock
// that was set back does not keep it open.
func (s *Spool) tooOld(a *active) bool {
	age := s.opts.Now().Sub(a.created)
	return s.opts.SegmentAge > 0 && (age >= s.opts.SegmentAge || age < 0)
}

// retire ends the active segment, of which everything up to its size is durable.
func (s *Spool) retire() *segment {
	a := s.active
	s.active = nil
	s.mu.Lock()
	a.open = false
	s.mu.Unlock()
	if err := a.f.Close(); err != nil {
		s.report(Event{Kind: Housekeeping, File: a.name(), Err: err})
	}
	return a.segment
}

// begin creates a segment whose first records are b. The segment counts only when
// its header, its records and its name are durable.
func (s *Spool) begin(b *batch, first uint64) (*segment, error) {
	h := header{epoch: s.epoch, first: first, created: s.opts.Now().Truncate(time.Millisecond)}
	g := &segment{path: filepath.Join(s.dir, segmentName(first)), first: first, created: h.created}
	g.start, g.size, g.open = segmentHeader, segmentHeader, true
	// A file of this name can only be the rest of a segment that never came to
	// be, for all sequences given out are below first.
	f, err := s.opts.disk.Open(g.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return nil, fmt.Errorf("begin segment: %w", err)
	}
	err = writeAll(f, h.encode(), 0)
	if err == nil {
		err = writeAll(f, b.buf, segmentHeader)
	}
	if err == nil {
		err = s.sync(f)
	}
	if err == nil {
		err = s.opts.disk.SyncDir(s.dir)
	}
	if err != nil {
		return nil, fmt.Errorf("begin segment %s: %w", g.name(), errors.Join(err, f.Close(), s.opts.disk.Remove(g.path)))
	}
	s.active = &active{g, f}
	s.mu.Lock()
	s.segments = append(s.segments, g)
	s.mu.Unlock()
	return g, nil
}

// abandon ends the active segment after a failed write or sync of n bytes. What
// the page cache holds of them is unknown, so the file is opened afresh, cut back
// to what is durable, and not written again.
func (s *Spool) abandon(n int) {
	g := s.retire()
	err := s.cut(g.path, g.size)
	if err == nil {
		return
	}
	s.mu.Lock()
	g.stale = int64(n)
	s.mu.Unlock()
	s.report(Event{Kind: Housekeeping, File: g.name(), Offset: g.size, Size: int64(n), Err: err})
}

// cut shortens the file at path to size, durably.
func (s *Spool) cut(path string, size int64) error {
	f, err := s.opts.disk.Open(path, os.O_RDWR)
	if err != nil {
		return err
	}
	err = f.Truncate(size)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// sync makes f durable and counts it.
func (s *Spool) sync(f file) error {
	s.mu.Lock()
	s.stats.Fsyncs++
	s.mu.Unlock()
	return f.Sync()
}

// writeAll writes p at off; a short write without a reason is an error.
func writeAll(f file, p []byte, off int64) error {
	n, err := f.WriteAt(p, off)
	if err == nil && n < len(p) {
		err = fmt.Errorf("wrote %d of %d bytes", n, len(p))
	}
	return err
}
