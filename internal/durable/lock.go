package durable

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// ErrLocked is returned, wrapped, by Lock when another process holds the lock.
var ErrLocked = errors.New("locked by another process")

// Lock takes the exclusive lock file at path, creating it with permissions 0600
// when it is absent, and writes the number of this process into it. It does not
// wait: when the lock is held, also by this same process, the error wraps
// ErrLocked and names the holder. The operating system drops the lock when the
// process ends, however it ends, so a stale file never needs to be removed; for
// the same reason unlock leaves the file in place (removing it would let two
// processes lock two different files of one name).
//
// unlock may be called more than once; the later calls do nothing.
//
// The lock is advisory (flock(2)) and is not to be trusted on network file
// systems.
func Lock(path string) (unlock func() error, err error) {
	f, err := OpenFile(path, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock file %s: %w", path, err)
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(lockError(f, err), f.Close())
	}
	if err := writeHolder(f); err != nil {
		return nil, fmt.Errorf("name the holder in the lock file %s: %w", path, errors.Join(err, f.Close()))
	}
	// Closing the only descriptor drops the lock.
	return sync.OnceValue(f.Close), nil
}

// lockError says who holds f and what to do about it.
func lockError(f *os.File, err error) error {
	if !errors.Is(err, errWouldBlock) {
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return fmt.Errorf("lock %s: %w (%s): stop that process, or give this one a data folder of its own",
		f.Name(), ErrLocked, holder(f))
}

// holder reads who wrote the lock file last; the answer is only for people.
func holder(f *os.File) string {
	text, err := io.ReadAll(io.LimitReader(io.NewSectionReader(f, 0, 64), 64))
	name := strings.TrimSpace(string(text))
	if err != nil || name == "" {
		return "holder unknown"
	}
	return fmt.Sprintf("%q", name)
}

// writeHolder records this process in the lock file for holder to read.
func writeHolder(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt(fmt.Appendf(nil, "pid %d\n", os.Getpid()), 0)
	return err
}
