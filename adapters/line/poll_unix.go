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
	sc, ok := k.port.(syscall.Conn)
	if !ok {
		return
	}
	if raw, err := sc.SyscallConn(); err == nil {
		// Made once, to keep requests free of them.
		k.raw, k.readNow, k.readOnce, k.writeOnce = raw, k.tryRead, k.readable, k.tryWrite
	}
}

// tryRead reads once from the non-blocking descriptor.
func (k *link) tryRead(fd uintptr) {
	n, err := readFD(fd, k.buf[k.n:])
	for errors.Is(err, syscall.EINTR) {
		n, err = readFD(fd, k.buf[k.n:])
	}
	k.got, k.gotErr = max(n, 0), nil
	switch {
	case errors.Is(err, syscall.EAGAIN):
	case err != nil:
		k.gotErr = err
	case n == 0:
		k.gotErr = io.EOF
	}
}

// readable is tryRead for RawConn.Read, which waits when it says no.
func (k *link) readable(fd uintptr) bool {
	k.tryRead(fd)
	return k.got > 0 || k.gotErr != nil
}

// tryWrite writes once to the non-blocking descriptor, for RawConn.Write, which
// is not to wait: what this cannot write, and why, is left to the port's own
// Write.
func (k *link) tryWrite(fd uintptr) bool {
	n, _ := writeFD(fd, k.out)
	k.out = k.out[max(n, 0):]
	return true
}
