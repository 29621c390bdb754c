//go:build unix

package line

import (
	"errors"
	"io"
	"syscall"
)

// openRaw finds the descriptor of the connection, which one that is wrapped, or
// is no socket or port, does not have.
func (k *link) openRaw() {
	if sc, ok := k.port.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			k.raw, k.probe = raw, k.readNow
		}
	}
}

// readNow reads once from the non-blocking descriptor.
func (k *link) readNow(fd uintptr) {
	n, err := syscall.Read(int(fd), k.buf[k.n:])
	for errors.Is(err, syscall.EINTR) {
		n, err = syscall.Read(int(fd), k.buf[k.n:])
	}
	k.probed, k.probErr = max(n, 0), nil
	switch {
	case errors.Is(err, syscall.EAGAIN):
	case err != nil:
		k.probErr = err
	case n == 0:
		k.probErr = io.EOF
	}
}
