//go:build unix

package modbus

import (
	"errors"
	"io"
	"syscall"
)

// openRaw finds the descriptor of the connection, which one that is wrapped, or
// is no socket, does not have.
func (k *link) openRaw() {
	if sc, ok := k.conn.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			k.raw, k.probe = raw, k.readNow
		}
	}
}

// readNow reads once from the non-blocking descriptor. It always reports that
// it is done, so that the runtime does not wait for more.
func (k *link) readNow(fd uintptr) bool {
	n, err := syscall.Read(int(fd), k.buf[k.n:])
	k.probed, k.probErr = max(n, 0), nil
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.EINTR):
	case err != nil:
		k.probErr = err
	case n == 0:
		k.probErr = io.EOF
	}
	return true
}
