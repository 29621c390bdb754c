package chaos

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// disk holds the data folder of a part, and what the trial keeps beside it. Where the
// plan fills it, it is a file system of its own.
type disk struct {
	dir     string
	mounted bool
}

// newDisk makes the folder dir/disk-NAME and links dir/NAME to the data folder in it.
func newDisk(dir, name string, small bool) (*disk, error) {
	d := &disk{dir: filepath.Join(dir, "disk-"+name)}
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		return nil, err
	}
	if small && mount(d.dir) == nil {
		d.mounted = true
	}
	return d, d.link(filepath.Join(dir, name), "data")
}

// link makes a path outside lead to a folder of the disk.
func (d *disk) link(outside, name string) error {
	if err := os.Mkdir(d.path(name), 0o700); err != nil {
		return err
	}
	return os.Symlink(d.path(name), outside)
}

func (d *disk) path(name string) string { return filepath.Join(d.dir, name) }

// fill leaves at most so many bytes of room; the error says when it cannot.
func (d *disk) fill(leave int64) error {
	if !d.mounted {
		return errors.New("no file system of its own could be made here: that needs root on Linux")
	}
	f, err := os.OpenFile(d.path("filler"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	size := int64(0)
	for {
		n, err := f.Write(block)
		size += int64(n)
		if errors.Is(err, syscall.ENOSPC) {
			return f.Truncate(max(0, size-leave))
		}
		if err != nil {
			return fmt.Errorf("fill the disk: %w", err)
		}
	}
}

// free makes room again.
func (d *disk) free() error { return os.Remove(d.path("filler")) }

// close takes a file system of its own away.
func (d *disk) close() error {
	if !d.mounted {
		return nil
	}
	d.mounted = false
	return unmount(d.dir)
}
