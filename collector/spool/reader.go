package spool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
)

// Record is one record of the spool.
type Record struct {
	Seq  uint64
	Data []byte
}

// Reader hands out the durable, unreleased records in ascending order. It is for
// one goroutine; a spool may have several readers. Reading takes nothing out.
type Reader struct {
	s    *Spool
	next uint64 // the sequence to hand out next, or the first behind it
	// limit, when not 0, is the first sequence that is not handed out.
	limit uint64

	// The file position: sequence at stands at offset off of g.
	g   *segment
	f   file
	w   window
	at  uint64
	off int64
}

// Reader returns a reader that begins at sequence from, or at the first record
// behind it; 0 is the oldest. Close it after use.
func (s *Spool) Reader(from uint64) *Reader { return &Reader{s: s, next: from} }

// Seek makes seq the next sequence to be read; earlier ones than the last are
// allowed (to send again).
func (r *Reader) Seek(seq uint64) { r.next = seq }

// Next returns the next record and blocks until there is one. Data is the
// caller's own. The error is that of ctx, ErrClosed, or that of a disk which gives
// nothing of a segment, after which Next may be tried again.
func (r *Reader) Next(ctx context.Context) (Record, error) {
	for {
		rec, wait, err := r.try()
		if err != nil {
			return Record{}, fmt.Errorf("read spool: %w", err)
		}
		if wait == nil {
			rec.Data = slices.Clone(rec.Data)
			return rec, nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return Record{}, expired(ctx, "read spool")
		}
	}
}

// Close frees the reader's file. The reader may be used again, and then needs
// another Close.
func (r *Reader) Close() error {
	f := r.f
	r.g, r.f, r.w = nil, nil, window{}
	if f == nil {
		return nil
	}
	return f.Close()
}

// Scan calls visit for every durable, unreleased record, oldest first, and
// returns at the end of what there is, or with the first error of visit. Data is
// valid during the call only.
func (s *Spool) Scan(ctx context.Context, visit func(Record) error) (err error) {
	r := s.Reader(0)
	defer func() { err = errors.Join(err, r.Close()) }()
	for ctx.Err() == nil {
		rec, wait, err := r.try()
		if err != nil {
			return fmt.Errorf("scan spool: %w", err)
		}
		if wait != nil {
			return nil
		}
		if err := visit(rec); err != nil {
			return err
		}
	}
	return expired(ctx, "scan spool")
}

// target is where a record is to be found.
type target struct {
	g     *segment
	seq   uint64
	last  uint64 // the last sequence of g, and
	end   int64  // its durable size, when t was chosen
	holes []hole
}

// find chooses the next record; wait is not nil when there is none yet.
func (r *Reader) find() (t target, wait <-chan struct{}, err error) {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return target{}, nil, ErrClosed
	}
	for _, g := range s.segments[s.indexOf(r.next):] {
		seq := g.next(r.next, true)
		if r.limit > 0 && seq >= r.limit {
			break
		}
		if seq < g.end() {
			return target{g, seq, g.end() - 1, g.size, g.holes}, nil, nil
		}
	}
	return target{}, s.grown, nil
}

// try returns the next record, its data valid until the next call, or a channel
// to wait on.
func (r *Reader) try() (Record, <-chan struct{}, error) {
	for {
		t, wait, err := r.find()
		if err != nil || wait != nil {
			return Record{}, wait, err
		}
		if err := r.enter(t); err != nil {
			if errors.Is(err, os.ErrNotExist) && r.s.gone(t.g) {
				continue // released and removed meanwhile
			}
			return Record{}, nil, err
		}
		data, err := r.fetch(t)
		if err != nil {
			return Record{}, nil, fmt.Errorf("segment %s: %w", t.g.name(), err)
		}
		if data != nil {
			r.next = t.seq + 1
			return Record{t.seq, data}, nil, nil
		}
	}
}

// gone reports whether g has been removed.
func (s *Spool) gone(g *segment) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !slices.Contains(s.segments, g)
}

// enter opens the segment of t and goes to its start where needed.
func (r *Reader) enter(t target) error {
	if r.g != t.g {
		if err := r.Close(); err != nil {
			return err
		}
		f, err := r.s.opts.disk.Open(t.g.path, os.O_RDONLY)
		if err != nil {
			return err
		}
		r.g, r.f, r.w = t.g, f, window{r: &salvage{r: f}}
		r.at = t.seq + 1 // from here on the segment is walked from its start
	}
	if r.at > t.seq {
		r.at, r.off = t.g.first, t.g.start
	}
	r.w.end, r.w.r.size = t.end, t.end
	return nil
}

// fetch walks to the record of t and reads it. data is nil when damage was met,
// which the spool then knows of.
func (r *Reader) fetch(t target) (data []byte, err error) {
	for {
		if i := slices.IndexFunc(t.holes, func(h hole) bool { return h.off == r.off && h.lost.first == r.at }); i >= 0 {
			r.off, r.at = r.off+t.holes[i].size, t.holes[i].lost.last+1
		}
		if r.at < t.seq {
			ok, err := r.skip()
			if err != nil {
				return nil, err
			}
			if ok {
				continue
			}
			return nil, r.damaged(t)
		}
		seq, data, v, err := r.w.record(r.off)
		if err != nil {
			return nil, err
		}
		if v != sound || seq != t.seq {
			return nil, r.damaged(t)
		}
		r.off, r.at = r.off+int64(recordHeader+len(data)), seq+1
		return data, nil
	}
}

// skip passes over a released record by its header alone; ok is false when the
// header is not what it should be.
func (r *Reader) skip() (ok bool, err error) {
	if r.off+smallest > r.w.end {
		return false, nil
	}
	head, err := r.w.peek(r.off, recordHeader)
	if err != nil {
		return false, err
	}
	n := binary.LittleEndian.Uint32(head)
	if n == 0 || n > MaxRecord || binary.LittleEndian.Uint64(head[8:]) != r.at {
		return false, nil
	}
	r.off, r.at = r.off+int64(recordHeader)+int64(n), r.at+1
	return true, nil
}

// damaged handles bytes that have gone bad since Open: it finds the next sound
// record, makes the stretch before it a hole of the segment and reports it. The
// segment is then walked from its start again.
func (r *Reader) damaged(t target) error {
	w := window{r: r.w.r, end: t.end}
	seen, err := w.walk(t.g.start, t.g.first, t.last)
	if err != nil {
		return err
	}
	if seen.end <= t.last {
		seen.holes = append(seen.holes, hole{seen.tail, t.end - seen.tail, span{seen.end, t.last}})
	}
	for _, e := range r.s.adopt(t, seen.holes) {
		r.s.setAside(&e, w.r, t.g)
		r.s.report(e)
	}
	return r.Close() // and go in again
}

// adopt takes over the holes found in the part of a segment that t describes and
// returns an event for each new one.
func (s *Spool) adopt(t target, holes []hole) []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var events []Event
	for _, h := range holes {
		if !slices.Contains(t.g.holes, h) {
			events = append(events, s.damageEvent(t.g, h))
		}
	}
	for _, h := range t.g.holes {
		if h.off >= t.end { // met by another reader, when the segment was longer
			holes = append(holes, h)
		}
	}
	t.g.holes = holes
	return events
}
