package spool

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// faultyDisk is the real disk until told otherwise. Each fault is used up by one
// call, unless it says "all".
type faultyDisk struct {
	osDisk
	mu sync.Mutex

	write    error // WriteAt fails, having written half
	short    bool  // WriteAt writes half and says so without an error
	sync     error // Sync fails
	dirSync  error
	truncate error  // Truncate fails, all
	remove   error  // Remove fails, all
	create   error  // Open with O_CREATE fails
	read     error  // ReadAt fails, all
	badName  string // ReadAt of bytes badFrom to before badTo of this file is EIO, all
	badFrom  int64
	badTo    int64
	opening  func(path string) // called before Open without O_CREATE
	stall    chan struct{}
}

// take returns *fault and clears it.
func take[T comparable](d *faultyDisk, fault *T) T {
	d.mu.Lock()
	defer d.mu.Unlock()
	was := *fault
	var none T
	*fault = none
	return was
}

func (d *faultyDisk) Open(path string, flag int) (file, error) {
	if flag&os.O_CREATE != 0 {
		if err := take(d, &d.create); err != nil {
			return nil, err
		}
	} else if d.opening != nil {
		d.opening(path)
	}
	f, err := d.osDisk.Open(path, flag)
	if err != nil {
		return nil, err
	}
	return &faultyFile{f, d, filepath.Base(path)}, nil
}

func (d *faultyDisk) Remove(path string) error {
	if d.remove != nil {
		return d.remove
	}
	return d.osDisk.Remove(path)
}

func (d *faultyDisk) SyncDir(dir string) error {
	if err := take(d, &d.dirSync); err != nil {
		return err
	}
	return d.osDisk.SyncDir(dir)
}

// spoil makes a range of a file unreadable; an empty name makes all well again.
func (d *faultyDisk) spoil(name string, from, to int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.badName, d.badFrom, d.badTo = name, from, to
}

type faultyFile struct {
	file
	d    *faultyDisk
	name string
}

func (f *faultyFile) WriteAt(p []byte, off int64) (int, error) {
	if f.d.stall != nil {
		<-f.d.stall
	}
	if err := take(f.d, &f.d.write); err != nil {
		n, _ := f.file.WriteAt(p[:len(p)/2], off)
		return n, err
	}
	if take(f.d, &f.d.short) {
		return f.file.WriteAt(p[:len(p)/2], off)
	}
	return f.file.WriteAt(p, off)
}

func (f *faultyFile) ReadAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	err, bad, from, to := f.d.read, f.d.badName == f.name, f.d.badFrom, f.d.badTo
	f.d.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if bad && off < to && off+int64(len(p)) > from {
		n, _ := f.file.ReadAt(p[:max(0, from-off)], off)
		return n, syscall.EIO
	}
	return f.file.ReadAt(p, off)
}

func (f *faultyFile) Sync() error {
	if err := take(f.d, &f.d.sync); err != nil {
		return err
	}
	return f.file.Sync()
}

func (f *faultyFile) Truncate(size int64) error {
	if f.d.truncate != nil {
		return f.d.truncate
	}
	return f.file.Truncate(size)
}
