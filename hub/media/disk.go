package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"citygrid/internal/durable"
)

// Disk is a Store in a folder: an object lies in dir/ab/cdef..., by its digest.
type Disk struct{ dir string }

// OpenDisk uses dir, and makes it where it is not there.
func OpenDisk(dir string) (*Disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("media folder: %w; choose a place that can be written", err)
	}
	return &Disk{dir}, nil
}

func (s *Disk) path(d Digest) string { return filepath.Join(s.dir, string(d[:2]), string(d[2:])) }

// Put implements Store.
func (s *Disk) Put(_ context.Context, d Digest, _ string, data []byte) error {
	if err := d.Validate(); err != nil {
		return err
	}
	path := s.path(d)
	if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, data) {
		return nil
	}
	folder := filepath.Dir(path)
	if err := os.Mkdir(folder, 0o700); err == nil {
		if err := durable.SyncDir(s.dir); err != nil {
			return fmt.Errorf("media folder: %w", err)
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("media folder: %w", err)
	}
	if err := durable.WriteFile(path, data, 0o600); err != nil {
		return fmt.Errorf("media folder: %w", err)
	}
	return nil
}

// Get implements Store.
func (s *Disk) Get(_ context.Context, d Digest) (io.ReadCloser, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	f, err := os.Open(s.path(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrAbsent
	}
	return f, err
}
