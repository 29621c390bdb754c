package spool

import (
	"errors"
	"fmt"
	"slices"
	"sort"
)

// Release takes records out of the spool: the hub has confirmed them. Order does
// not matter, and unknown or already released sequences are ignored. It returns
// when the records are out of the way of readers; the disk learns of it within
// StateEvery, or when a segment holds nothing more and is removed, which gives
// its room back. An error means that room was not given back yet; it is tried
// again, and the records are released all the same.
func (s *Spool) Release(seqs ...uint64) error {
	s.mu.Lock()
	for _, seq := range seqs {
		s.release(span{seq, seq})
	}
	return s.afterRelease()
}

// ReleaseRange releases the sequences from first to last, both included.
func (s *Spool) ReleaseRange(first, last uint64) error {
	s.mu.Lock()
	if first <= last {
		s.release(span{first, last})
	}
	return s.afterRelease()
}

// release marks r. The caller holds mu.
func (s *Spool) release(r span) {
	changed := 0
	for _, g := range s.segments[s.indexOf(r.first):] {
		if g.first > r.last {
			break
		}
		changed += g.mark(r, false)
	}
	if changed > 0 {
		s.stats.Released += uint64(changed)
		s.soil()
	}
}

// afterRelease removes segments that hold nothing more. The caller holds mu,
// which it gives up.
func (s *Spool) afterRelease() error {
	closed, some := s.closed, slices.ContainsFunc(s.segments, (*segment).dead)
	s.mu.Unlock()
	if closed {
		return ErrClosed
	}
	if !some {
		return nil // and no waiting for a commit under way
	}
	s.disk.Lock()
	defer s.disk.Unlock()
	if s.ended {
		return ErrClosed
	}
	return s.sweep()
}

// indexOf is the index of the first segment that ends behind seq. The caller
// holds mu.
func (s *Spool) indexOf(seq uint64) int {
	return sort.Search(len(s.segments), func(i int) bool { return s.segments[i].end() > seq })
}

// dead reports whether g is to be removed. The caller holds Spool.mu.
func (g *segment) dead() bool { return g.alive == 0 && !g.open }

// sweep removes the segments that hold nothing to deliver. The caller holds disk.
func (s *Spool) sweep() error {
	s.mu.Lock()
	var dead []*segment
	for _, g := range s.segments {
		if g.dead() {
			dead = append(dead, g)
		}
	}
	newest := len(dead) > 0 && dead[len(dead)-1] == s.segments[len(s.segments)-1]
	s.mu.Unlock()
	if len(dead) == 0 {
		return nil
	}
	err := s.saveState()
	if err != nil && newest {
		// It alone carries the next sequence. The others may go even so: on a
		// full disk the state can only be saved once they are gone.
		dead = dead[:len(dead)-1]
	}
	for _, g := range dead {
		err = errors.Join(err, s.drop(g))
	}
	return err
}

// drop removes the file of g and forgets it. The caller holds disk.
func (s *Spool) drop(g *segment) error {
	if err := s.discard(g); err != nil {
		return fmt.Errorf("remove a released segment: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segments = slices.DeleteFunc(s.segments, func(o *segment) bool { return o == g })
	s.stats.Full = false
	return nil
}
