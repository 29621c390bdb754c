package modbus

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
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

	// until is the deadline of the exchange.
	until time.Time
	// raw reads without waiting; nil where the system or the connection cannot.
	raw     syscall.RawConn
	probe   func(fd uintptr) bool // made once, to keep requests free of it
	probed  int
	probErr error
}

func newLink(conn net.Conn) *link {
	k := &link{conn: conn}
	k.openRaw()
	return k
}

// arm sets the deadline for one exchange: timeout from now, or the end of ctx
// if that is sooner.
func (k *link) arm(ctx context.Context, timeout time.Duration) error {
	at := time.Now().Add(timeout)
	if end, ok := ctx.Deadline(); ok && end.Before(at) {
		at = end
	}
	k.until = at
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

// glanceTime is how long poll waits where it cannot read without waiting.
const glanceTime = time.Millisecond

// poll takes what has arrived and returns how many bytes came. It does not
// wait, except where the connection knows no other way and the caller insists:
// then for a glance. A caller that knows answers by their id need not insist,
// because it meets stale bytes while it waits for the next answer.
func (k *link) poll(insist bool) (int, error) {
	switch {
	case k.n == len(k.buf), k.raw == nil && !insist:
		return 0, nil
	case k.raw == nil:
		return k.glance()
	}
	if err := k.raw.Read(k.probe); err != nil {
		return 0, err
	}
	k.n += k.probed
	return k.probed, k.probErr
}

// glance reads under a deadline that is near. One in the past would not do: the
// runtime then refuses to read even what is there. An interrupt that is undone
// here is seen by the caller, which asks the context afterwards.
func (k *link) glance() (int, error) {
	for {
		at := time.Now().Add(glanceTime)
		if err := k.conn.SetDeadline(at); err != nil {
			return 0, err
		}
		if !time.Now().Before(at) {
			continue // held up so long that the read would be refused
		}
		n, err := k.fill()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
		return n, errors.Join(err, k.conn.SetDeadline(k.until))
	}
}

// drop removes the first n bytes, a frame that has been dealt with.
func (k *link) drop(n int) {
	copy(k.buf[:], k.buf[n:k.n])
	k.n -= n
}
