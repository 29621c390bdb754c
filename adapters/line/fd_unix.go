//go:build unix && !linux

package line

import "syscall"

// readFD reads from a non-blocking descriptor.
func readFD(fd uintptr, b []byte) (int, error) { return syscall.Read(int(fd), b) }

// writeFD writes to a non-blocking descriptor.
func writeFD(fd uintptr, b []byte) (int, error) { return syscall.Write(int(fd), b) }
