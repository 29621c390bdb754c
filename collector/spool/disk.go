package spool

import (
	"io"
	"os"

	"citygrid/internal/durable"
)

// file is one open segment. Offsets are explicit, so that a short write leaves
// no file position to be wrong about.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	syncTruncater
}

// syncTruncater is the part of a file that makes its size and bytes durable.
type syncTruncater interface {
	// Sync makes bytes and size durable; names are made durable by disk.SyncDir.
	Sync() error
	Truncate(size int64) error
}

// disk is what the spool needs of the operating system to change segments. The
// tests put one in its place that fails on demand.
type disk interface {
	// Open opens path with the flags of os.OpenFile and permissions 0600.
	Open(path string, flag int) (file, error)
	Remove(path string) error
	SyncDir(dir string) error
}

// osDisk is the real disk.
type osDisk struct{}

func (osDisk) Open(path string, flag int) (file, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err // a nil *os.File in the interface would not be nil
	}
	return osFile{f}, nil
}

func (osDisk) Remove(path string) error { return os.Remove(path) }

func (osDisk) SyncDir(dir string) error { return durable.SyncDir(dir) }

// osFile is an os.File whose Sync leaves out what recovery does not need.
type osFile struct{ *os.File }

func (f osFile) Sync() error { return syncData(f.File) }
