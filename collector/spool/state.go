package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"citygrid/internal/durable"
)

const (
	stateName   = "state"
	stateMagic  = "CGST"
	stateHeader = 28
	maxRanges   = 4096
	flagCoarse  = 1
)

// errState reports a state file that cannot be believed.
var errState = errors.New("damaged state file")

// state is the content of the state file.
type state struct {
	epoch  uint64
	next   uint64
	live   []span // still to be delivered, ascending, all below next
	coarse bool   // the last range also covers released sequences
}

func (st state) encode() []byte {
	flags := uint16(0)
	if st.coarse {
		flags = flagCoarse
	}
	b := make([]byte, 0, stateHeader+16*len(st.live)+4)
	b = append(b, stateMagic...)
	b = binary.LittleEndian.AppendUint16(b, formatVersion)
	b = binary.LittleEndian.AppendUint16(b, flags)
	b = binary.LittleEndian.AppendUint64(b, st.epoch)
	b = binary.LittleEndian.AppendUint64(b, st.next)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(st.live)))
	for _, r := range st.live {
		b = binary.LittleEndian.AppendUint64(b, r.first)
		b = binary.LittleEndian.AppendUint64(b, r.last)
	}
	return binary.LittleEndian.AppendUint32(b, checksum(b))
}

// decodeState reads a state file. The error is errState for damage, and wraps
// ErrVersion for a sound file of another version.
func decodeState(b []byte) (state, error) {
	body := len(b) - 4
	if body < stateHeader || string(b[:4]) != stateMagic || binary.LittleEndian.Uint32(b[body:]) != checksum(b[:body]) {
		return state{}, errState
	}
	if v := binary.LittleEndian.Uint16(b[4:]); v != formatVersion {
		return state{}, fmt.Errorf("state file: %w: found %d, this program knows %d", ErrVersion, v, formatVersion)
	}
	st := state{
		epoch:  binary.LittleEndian.Uint64(b[8:]),
		next:   binary.LittleEndian.Uint64(b[16:]),
		coarse: binary.LittleEndian.Uint16(b[6:])&flagCoarse != 0,
	}
	n := int64(binary.LittleEndian.Uint32(b[24:]))
	if n > maxRanges || int64(body) != stateHeader+16*n || st.next == 0 || st.coarse && n == 0 {
		return state{}, errState
	}
	floor := uint64(1)
	for at := stateHeader; at < body; at += 16 {
		r := span{binary.LittleEndian.Uint64(b[at:]), binary.LittleEndian.Uint64(b[at+8:])}
		if r.first < floor || r.last < r.first || r.last >= st.next {
			return state{}, errState
		}
		st.live = append(st.live, r)
		floor = r.last + 1
	}
	return st, nil
}

// add appends r to the live ranges, coarsely when there are too many.
func (st *state) add(r span) {
	n := len(st.live)
	switch {
	case n > 0 && st.live[n-1].last+1 == r.first:
		st.live[n-1].last = r.last
	case n == maxRanges:
		st.live[n-1].last, st.coarse = r.last, true
	default:
		st.live = append(st.live, r)
	}
}

// deliverable is the set of sequences to be delivered when found: the live ones,
// and all that came after the state was saved.
func (st state) deliverable() []span {
	return append(st.live[:len(st.live):len(st.live)], span{st.next, math.MaxUint64})
}

// currentState gathers the state from memory. The caller holds mu.
func (s *Spool) currentState() state {
	st := state{epoch: s.epoch, next: s.next}
	for _, g := range s.segments {
		for seq := g.next(g.first, true); seq < g.end(); {
			stop := g.next(seq, false)
			st.add(span{seq, stop - 1})
			seq = g.next(stop, true)
		}
	}
	return st
}

// saveState writes the state file. The caller holds disk.
func (s *Spool) saveState() error {
	s.mu.Lock()
	content := s.currentState().encode()
	s.dirty = false
	s.mu.Unlock()
	path := filepath.Join(s.dir, stateName)
	err := s.opts.writeState(path, content, 0o600)
	if noRoom(err) && s.spendReserve() {
		err = s.opts.writeState(path, content, 0o600)
	}
	if err != nil {
		s.mu.Lock()
		s.soil()
		s.mu.Unlock()
		return fmt.Errorf("save the state of the spool: %w", err)
	}
	return nil
}

// soil notes that the state file is out of date and has the committer save it
// within StateEvery. The caller holds mu.
func (s *Spool) soil() {
	s.dirty = true
	select {
	case s.tidy <- struct{}{}:
	default:
	}
}

// saveIfDirty is the committer's round of housekeeping.
func (s *Spool) saveIfDirty() {
	s.disk.Lock()
	defer s.disk.Unlock()
	s.mu.Lock()
	dirty := s.dirty
	s.mu.Unlock()
	if !dirty {
		return
	}
	if err := s.saveState(); err != nil {
		s.report(Event{Kind: Housekeeping, File: stateName, Err: err})
		return
	}
	s.keepReserve()
}

// readState reads the file as it is; what is longer than any state is cut.
func (s *Spool) readState() ([]byte, error) {
	f, err := s.opts.disk.Open(filepath.Join(s.dir, stateName), os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
}

// loadState reads the state file. known is false when there is none to believe;
// a damaged one is set aside.
func (s *Spool) loadState() (st state, known bool, err error) {
	content, err := s.readState()
	switch {
	case errors.Is(err, os.ErrNotExist):
		return state{next: 1}, false, nil
	case errors.Is(err, syscall.EIO):
		s.report(Event{Kind: StateDamage, File: stateName, Err: err})
		return state{next: 1}, false, nil
	case err != nil:
		return state{}, false, err
	}
	st, err = decodeState(content)
	if !errors.Is(err, errState) {
		return st, err == nil, err
	}
	e := Event{Kind: StateDamage, File: stateName, Size: int64(len(content)), Saved: stateName + badSuffix}
	if err := durable.WriteFile(filepath.Join(s.dir, e.Saved), content, 0o600); err != nil {
		e.Saved, e.Err = "", err
	}
	s.report(e)
	return state{next: 1}, false, nil
}

// removeTemps removes what an interrupted durable.WriteFile of the state left.
func (s *Spool) removeTemps(names []string) error {
	var errs []error
	for _, name := range names {
		if strings.HasPrefix(name, "."+stateName) {
			errs = append(errs, os.Remove(filepath.Join(s.dir, name)))
		}
	}
	return errors.Join(errs...)
}
