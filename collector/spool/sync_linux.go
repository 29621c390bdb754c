package spool

import (
	"os"
	"syscall"
)

// syncData is fdatasync(2): bytes and size, but not the modification time, which
// saves a journal write on each commit.
func syncData(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if err != syscall.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
