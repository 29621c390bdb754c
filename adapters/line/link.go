package line

import (
	"context"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// bufferSize is twice the longest frame of any protocol (Modbus TCP: 260
// bytes), so that a late answer and the right one both fit.
const bufferSize = 640

// link is one connection or open port, and the bytes received on it that are
// not yet a whole frame. They outlive a timeout, so that the rest of a late
// frame still finds its beginning; they do not outlive the connection.
type link struct {
	port Port
	buf  [bufferSize]byte
	n    int
	// until is the deadline set last.
	until time.Time

	// raw reads and writes without waiting; nil where the system or the
	// connection cannot. readNow, readOnce and writeOnce are made for its methods
	// and leave what they did in the fields below.
	raw       syscall.RawConn
	readNow   func(fd uintptr)
	readOnce  func(fd uintptr) bool
	writeOnce func(fd uintptr) bool
	got       int
	gotErr    error
	out       []byte // left to be written
}

func newLink(port Port) *link {
	k := &link{port: port}
	k.openRaw()
	return k
}

// arm sets the deadline of what follows.
func (k *link) arm(at time.Time) error {
	k.until = at
	return k.port.SetDeadline(at)
}

// interrupt makes what is under way end at once.
func (k *link) interrupt() { _ = k.port.SetDeadline(time.Unix(1, 0)) }

// fill waits for bytes, up to the deadline, and returns how many came.
func (k *link) fill() (int, error) {
	if k.n == len(k.buf) {
		return 0, Refuse("%d bytes and no frame in them", k.n)
	}
	n, err := k.read()
	k.n += n
	if n > 0 {
		return n, nil // an error along with bytes comes again
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return 0, err
}

// read waits for bytes behind those in buf, up to the deadline.
func (k *link) read() (int, error) {
	if k.raw == nil {
		return k.port.Read(k.buf[k.n:])
	}
	if err := k.raw.Read(k.readOnce); err != nil {
		return 0, err
	}
	return k.got, k.gotErr
}

// write sends b, up to the deadline, and returns how much of it went out.
func (k *link) write(b []byte) (int, error) {
	if k.raw == nil {
		return k.port.Write(b)
	}
	k.out = b
	// Not raw.Control: a request must not go out when its deadline is past, for
	// nobody knows any more that the line is silent.
	if err := k.raw.Write(k.writeOnce); err != nil {
		return 0, err
	}
	n := len(b) - len(k.out)
	if n == len(b) {
		return n, nil
	}
	m, err := k.port.Write(k.out)
	return n + m, err
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
	// Not raw.Read, which reads nothing once the deadline is past.
	if err := k.raw.Control(k.readNow); err != nil {
		return 0, err
	}
	k.n += k.got
	return k.got, k.gotErr
}

// glance reads under a deadline that is near. One in the past would not do: the
// runtime then refuses to read even what is there. An interrupt that is undone
// here is seen by the caller, which asks the context afterwards.
func (k *link) glance() (int, error) {
	for {
		at := time.Now().Add(glanceTime)
		if err := k.port.SetDeadline(at); err != nil {
			return 0, err
		}
		if !time.Now().Before(at) {
			continue // held up so long that the read would be refused
		}
		n, err := k.fill()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
		return n, errors.Join(err, k.port.SetDeadline(k.until))
	}
}

// drop removes the first n bytes, which have been dealt with.
func (k *link) drop(n int) {
	copy(k.buf[:], k.buf[n:k.n])
	k.n -= n
}

// napping lets one line of the process nap at a time, because a nap holds a
// processor: with a hundred lines nobody else would get one. The others then wait
// by the runtime's timers, up to a millisecond longer.
var napping atomic.Bool

// pause waits for a moment that is so far away, or till shortly before it, and
// returns early with the first bytes.
func (k *link) pause(ctx context.Context, until time.Time, wait time.Duration) (int, error) {
	switch {
	case k.raw == nil:
	case wait > napTime:
		until = until.Add(-napTime / 2)
	case napping.CompareAndSwap(false, true):
		err := k.nap(wait)
		napping.Store(false)
		if err != nil {
			return 0, err
		}
		return k.poll(true)
	}
	if err := k.arm(sooner(ctx, until)); err != nil {
		return 0, err
	}
	// An interrupt may have come before arm and so be forgotten.
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return k.fill()
}
