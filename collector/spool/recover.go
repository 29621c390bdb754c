package spool

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// stateLost is how many sequences are passed over when segments are found without
// a state to tell the next one: as many records as come in 16 months at a hundred
// a second.
const stateLost = 1 << 32

// found is a segment file met at Open.
type found struct {
	name      string
	first     uint64 // of its name
	size      int64
	header    header
	headerErr error
}

// recover rebuilds the spool from its folder: FORMAT.md, Recovery.
func (s *Spool) recover() error {
	files, err := s.list()
	if err != nil {
		return err
	}
	st, known, err := s.loadState()
	if err != nil {
		return err
	}
	s.epoch = chooseEpoch(st, known, files)
	if files, err = s.expel(files); err != nil {
		return err
	}
	s.next = st.next
	var tails []*segment
	for i, f := range files {
		last := uint64(math.MaxUint64 - 1)
		if i+1 < len(files) {
			last = files[i+1].first - 1
		}
		g, cut, err := s.load(f, last, st, known)
		if err != nil {
			return fmt.Errorf("segment %s: %w", f.name, err)
		}
		s.segments = append(s.segments, g)
		if cut {
			tails = append(tails, g)
		}
	}
	if !known && len(files) > 0 {
		// The segments may not be all there were, so their last sequence is no
		// guide to the last one given.
		s.next += stateLost
	}
	s.reportMissing(st)
	s.clean(tails)
	return nil
}

// list finds the segments, with their headers, and counts the evidence.
func (s *Spool) list() ([]found, error) {
	entries, err := os.ReadDir(s.dir) // sorted, and so by first sequence
	if err != nil {
		return nil, err
	}
	var files []found
	var names []string
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			return nil, err
		}
		names = append(names, entry.Name())
		if strings.HasSuffix(entry.Name(), badSuffix) {
			s.evidence += info.Size()
		}
		if first, ok := parseSegmentName(entry.Name()); ok {
			f := found{name: entry.Name(), first: first, size: info.Size()}
			if err := s.readHeader(&f); err != nil {
				return nil, fmt.Errorf("segment %s: %w", f.name, err)
			}
			files = append(files, f)
		}
	}
	return files, s.removeTemps(names)
}

// readHeader fills in the header of f; only damage is left in headerErr.
func (s *Spool) readHeader(f *found) error {
	r, err := s.opts.disk.Open(filepath.Join(s.dir, f.name), os.O_RDONLY)
	if err != nil {
		return err
	}
	defer r.Close()
	b := make([]byte, segmentHeader)
	// Bytes that cannot be read are damage too; whether the disk gives anything
	// of the file at all is for load to see.
	n, _ := r.ReadAt(b, 0)
	f.header, f.headerErr = decodeHeader(b[:n])
	if errors.Is(f.headerErr, ErrVersion) {
		return f.headerErr
	}
	return nil
}

// chooseEpoch trusts the state, then the newest sound header, and makes up an
// epoch for a new spool.
func chooseEpoch(st state, known bool, files []found) uint64 {
	if known {
		return st.epoch
	}
	for i := len(files) - 1; i >= 0; i-- {
		if f := files[i]; f.headerErr == nil && f.header.first == f.first {
			return f.header.epoch
		}
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails, by its documentation
	return binary.LittleEndian.Uint64(b[:])
}

// expel renames the segments that are not of this spool.
func (s *Spool) expel(files []found) ([]found, error) {
	var ours []found
	for _, f := range files {
		if f.headerErr != nil || (f.header.epoch == s.epoch && f.header.first == f.first) {
			ours = append(ours, f)
			continue
		}
		bad := fmt.Sprintf("%s-%016x%s", f.name, f.header.epoch, badSuffix)
		if err := os.Rename(filepath.Join(s.dir, f.name), filepath.Join(s.dir, bad)); err != nil {
			return nil, fmt.Errorf("set the foreign segment %s aside: %w", f.name, err)
		}
		s.evidence += f.size
		s.report(Event{Kind: Foreign, File: f.name, Size: f.size, Saved: bad})
	}
	return ours, nil
}

// load reads a segment through. No sequence above last is believed. answers says
// that the disk is known to give something. cut reports that the tail is to be
// cut off.
func (s *Spool) load(f found, last uint64, st state, answers bool) (g *segment, cut bool, err error) {
	// When its last record came is not known; a file's own times are not durable.
	g = &segment{path: filepath.Join(s.dir, f.name), first: f.first, created: f.header.created, last: s.opts.Now()}
	file, err := s.opts.disk.Open(g.path, os.O_RDONLY)
	if err != nil {
		return nil, false, err
	}
	defer file.Close()
	if f.headerErr == nil {
		g.start = segmentHeader
	}
	r := &salvage{r: file, size: f.size, answers: answers}
	w := window{r: r, end: f.size}
	// No file holds more sequences than records of the least size, whatever
	// its bytes say; this also bounds the memory for them.
	last = min(last, f.first+uint64(f.size/smallest))
	seen, err := w.walk(g.start, f.first, last)
	if err != nil {
		return nil, false, err
	}
	g.size, g.stale, g.holes = seen.tail, f.size-seen.tail, seen.holes
	g.cover(seen.end)
	for _, r := range st.deliverable() {
		g.mark(r, true)
	}
	for _, h := range g.holes {
		e := s.damageEvent(g, h)
		s.setAside(&e, r, g)
		s.report(e)
	}
	s.next = max(s.next, g.end())
	return g, s.loadTail(r, g, seen), nil
}

// loadTail deals with the bytes behind the last record of g and reports whether
// they may be cut off.
func (s *Spool) loadTail(r *salvage, g *segment, seen survey) bool {
	if g.stale == 0 {
		return false
	}
	// Whatever these bytes were, their sequences are not used again.
	s.next = max(s.next, g.end()+uint64(g.stale)/smallest+1)
	e := Event{Kind: Torn, File: g.name(), Offset: g.size, Size: g.stale}
	if !seen.torn {
		e.Kind = Damage
		s.setAside(&e, r, g)
	}
	s.report(e)
	// What could not be read was not copied either, and may be read yet.
	return seen.torn || e.Saved != "" && r.unread(e.Offset, e.Size) == nil
}

// damageEvent takes the sequences of h out of delivery. Before Open returns it
// needs no lock; later the caller holds mu.
func (s *Spool) damageEvent(g *segment, h hole) Event {
	e := Event{Kind: Damage, File: g.name(), Offset: h.off, Size: h.size}
	if h.lost.first <= h.lost.last {
		e.From, e.To = h.lost.first, h.lost.last
		e.Lost = uint64(g.mark(h.lost, false))
	}
	return e
}

// reportMissing reports sequences that the state has and no segment covers.
func (s *Spool) reportMissing(st state) {
	live := st.live
	if st.coarse {
		live = live[:len(live)-1]
	}
	for _, r := range live {
		at := r.first
		for _, g := range s.segments[s.indexOf(at):] {
			if g.first > r.last {
				break
			}
			s.missing(at, g.first)
			at = max(at, g.end())
		}
		s.missing(at, r.last+1)
	}
}

// missing reports the sequences from first to before end, if any.
func (s *Spool) missing(first, end uint64) {
	if first < end {
		s.report(Event{Kind: Missing, File: stateName, From: first, To: end - 1, Lost: end - first})
	}
}

// clean saves the state, cuts the tails and removes dead segments, in this order:
// the tails and the segments may be all that tells the next sequence. A failure
// is reported, not returned: a full disk must not keep the spool from being
// emptied.
func (s *Spool) clean(tails []*segment) {
	err := s.saveState()
	if err == nil {
		for _, g := range tails {
			if cutErr := s.cut(g.path, g.size); cutErr != nil {
				err = errors.Join(err, cutErr)
				continue
			}
			g.stale = 0
		}
	}
	err = errors.Join(err, s.sweep())
	if err != nil {
		s.report(Event{Kind: Housekeeping, File: stateName, Err: err})
		return
	}
	s.keepReserve()
}
