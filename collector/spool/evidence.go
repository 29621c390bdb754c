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
	room := s.evidence+h.size <= max(s.opts.Quota/8, s.opts.SegmentBytes)
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
