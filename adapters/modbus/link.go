package modbus

import (
	"context"
	"io"
	"net"
	"syscall"
	"time"
)

// link is one connection and the bytes received on it that are not yet a whole
// frame. They outlive a timeout, so that the rest of a late frame still finds
// its beginning; they do not outlive the connection.
type link struct {
	conn net.Conn
	buf  [2 * maxFrame]byte
	n    int
	// answer holds the contents of the newest answer until the next request.
	answer [maxFrame]byte

	// raw reads without waiting; nil where the connection cannot.
	raw     syscall.RawConn
	probe   func(fd uintptr) bool // made once, to keep requests free of it
	probed  int
	probErr error
}

func newLink(conn net.Conn) *link {
	k := &link{conn: conn}
	if sc, ok := conn.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			k.raw, k.probe = raw, k.readNow
		}
	}
	return k
}

// arm sets the deadline for one exchange: timeout from now, or the end of ctx
// if that is sooner.
func (k *link) arm(ctx context.Context, timeout time.Duration) error {
	at := time.Now().Add(timeout)
	if end, ok := ctx.Deadline(); ok && end.Before(at) {
		at = end
	}
	return k.conn.SetDeadline(at)
}

// interrupt makes the exchange under way end at once.
func (k *link) interrupt() { _ = k.conn.SetDeadline(time.Unix(1, 0)) }

// fill waits for bytes, up to the deadline, and returns how many came.
func (k *link) fill() (int, error) {
	n, err := k.conn.Read(k.buf[k.n:])
	k.n += n
	if n > 0 {
		return n, nil // an error along with bytes comes again
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return 0, err
}

// poll takes what has arrived, without waiting, and returns how many bytes came.
// A deadline in the past cannot be used for this: the runtime then refuses to
// read even what is there.
func (k *link) poll() (int, error) {
	if k.raw == nil || k.n == len(k.buf) {
		return 0, nil
	}
	if err := k.raw.Read(k.probe); err != nil {
		return 0, err
	}
	k.n += k.probed
	return k.probed, k.probErr
}

// drop removes the first n bytes, a frame that has been dealt with.
func (k *link) drop(n int) {
	copy(k.buf[:], k.buf[n:k.n])
	k.n -= n
}
