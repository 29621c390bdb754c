package durable

import (
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

// errWouldBlock is what lockFile returns when another handle holds the lock.
const errWouldBlock = windows.ERROR_LOCK_VIOLATION

// lockByte is the offset of the locked byte: beyond the holder's name, since
// LockFileEx also keeps readers out of the locked range.
const lockByte = 1 << 20

// lockFile takes LockFileEx on one byte of f without waiting.
func lockFile(f *os.File) error {
	flags := uint32(windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY)
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{Offset: lockByte})
}

// syncDir checks that dir is a folder; Windows offers no sync of one.
func syncDir(dir string) error {
	_, err := os.ReadDir(dir)
	return err
}

// Owner is not known here: files take their owner and access from the folder.
func Owner(fs.FileInfo) (uid, gid int, ok bool) { return 0, 0, false }
