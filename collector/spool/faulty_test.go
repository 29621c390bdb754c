package spool

import (
	"os"
	"sync"
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
	truncate error // Truncate fails, all
	remove   error // Remove fails, all
	create   error // Open with O_CREATE fails
	read     error // ReadAt fails, all
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
	}
	f, err := d.osDisk.Open(path, flag)
	if err != nil {
		return nil, err
	}
	return &faultyFile{f, d}, nil
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

type faultyFile struct {
	file
	d *faultyDisk
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
	err := f.d.read
	f.d.mu.Unlock()
	if err != nil {
		return 0, err
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
