package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// badSuffix marks files that the spool sets aside and never touches again.
const badSuffix = ".bad"

// errEvidenceFull is why a damaged stretch stays uncopied.
var errEvidenceFull = errors.New("set-aside files have reached their limit: inspect and remove the .bad files")

// setAside saves the stretch that e is about, and says in e what became of it.
func (s *Spool) setAside(e *Event, r *salvage, g *segment) {
	var err error
	e.Saved, err = s.saveEvidence(r, g, hole{off: e.Offset, size: e.Size})
	unread := r.unread(e.Offset, e.Size)
	e.Err = errors.Join(unread, err)
	if unread != nil {
		s.mu.Lock()
		g.unread = true
		s.mu.Unlock()
	}
}

// discard removes the file of g. One that could not be read whole is renamed
// instead, while there is room: other tools may get more out of it.
func (s *Spool) discard(g *segment) error {
	s.mu.Lock()
	size := g.size + g.stale
	keep := g.unread && s.roomForEvidence(size)
	s.mu.Unlock()
	if !keep {
		return s.opts.disk.Remove(g.path)
	}
	if err := os.Rename(g.path, g.path+badSuffix); err != nil {
		return err
	}
	s.mu.Lock()
	s.evidence += size
	s.mu.Unlock()
	return nil
}

// roomForEvidence reports whether size more bytes may be set aside. The caller
// holds mu.
func (s *Spool) roomForEvidence(size int64) bool {
	return s.evidence+size <= max(s.opts.Quota/8, s.opts.SegmentBytes)
}

// saveEvidence copies a stretch of g to a file of its own and returns its base
// name, which is the same each time the stretch is met. An empty stretch needs
// none.
func (s *Spool) saveEvidence(r io.ReaderAt, g *segment, h hole) (saved string, err error) {
	if h.size == 0 {
		return "", nil
	}
	name := fmt.Sprintf("%s-%010d%s", strings.TrimSuffix(g.name(), segmentSuffix), h.off, badSuffix)
	path := filepath.Join(s.dir, name)
	if info, err := os.Stat(path); err == nil && info.Size() == h.size {
		return name, nil
	}
	s.mu.Lock()
	room := s.roomForEvidence(h.size)
	s.mu.Unlock()
	if !room {
		return "", errEvidenceFull
	}
	if err := s.copyOut(path, io.NewSectionReader(r, h.off, h.size)); err != nil {
		return "", fmt.Errorf("set %d damaged bytes aside: %w", h.size, err)
	}
	s.mu.Lock()
	s.evidence += h.size
	s.mu.Unlock()
	return name, nil
}

// copyOut writes src to a new file at path, durably; on error nothing is left.
func (s *Spool) copyOut(path string, src io.Reader) error {
	f, err := s.opts.disk.Open(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.NewOffsetWriter(f, 0), src)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = s.opts.disk.SyncDir(s.dir)
	}
	if err != nil {
		return errors.Join(err, s.opts.disk.Remove(path))
	}
	return nil
}
