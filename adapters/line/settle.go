package line

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// settle counts a failure and decides what it means for the connection.
func (l *Line) settle(err error, named bool) {
	var (
		device  *DeviceError
		timeout *NoAnswer
	)
	switch {
	case errors.As(err, &device):
		l.counts.exceptions.Add(1)
		// A refusal has no shape of its own, so on a connection without ids it
		// may be an earlier request's. On a wire the answer that would follow
		// cannot fit the next request (see Request.Encode).
		if !named && l.serial == nil {
			l.hangUp(l.quiet)
		}
	case errors.As(err, &timeout), errors.Is(err, context.DeadlineExceeded):
		if timeout != nil {
			l.counts.timeouts.Add(1)
		}
		l.silent++
		l.doubt(named)
		if l.silent >= deafAfter && !l.device {
			l.hangUp(0)
		}
	case errors.Is(err, context.Canceled):
		l.doubt(named)
	case errors.Is(err, errIdleLost):
		l.hangUp(0)
		l.strange = true // a server of one client has perhaps another now
	case isFrameError(err):
		l.counts.refused.Add(1)
		l.suspect()
	default:
		l.hangUp(l.quiet)
	}
}

// doubt is what a request leaves that was given up: its answer may still come,
// which matters only if it could be taken for another's.
func (l *Line) doubt(named bool) {
	if !named {
		l.suspect()
	}
}

// suspect keeps the line quiet until nothing can be under way any more.
func (l *Line) suspect() {
	if l.device {
		l.quietUntil = time.Now().Add(l.quiet)
	} else {
		l.hangUp(l.quiet)
	}
}

// hangUp closes the connection and keeps the line unconnected for a while.
func (l *Line) hangUp(quiet time.Duration) {
	k := l.link.Swap(nil)
	if k == nil {
		return
	}
	_ = k.port.Close() // nothing is pending that could be lost
	l.quietUntil = time.Now().Add(quiet)
}

// hushLimit bounds how long hush waits for a wire that is never silent, beyond
// the quiet time.
const hushLimit = 5 * time.Second

// hush waits until the wire has been silent for as long as the request needs,
// and after an error for the quiet time. What it receives is thrown away.
func (l *Line) hush(ctx context.Context, k *link) error {
	if k.n > 0 {
		l.discard(k)
	}
	limit := time.Now().Add(max(hushLimit, 4*l.quiet))
	for {
		now := time.Now()
		until := l.heard.Add(l.need)
		if until.Before(l.quietUntil) {
			until = l.quietUntil
		}
		over := !now.Before(until)
		var n int
		var err error
		if over {
			// Also what came while the process was held up came before.
			n, err = k.poll(true)
		} else {
			n, err = k.pause(ctx, until, until.Sub(now))
		}
		if err := ended(ctx, nil); err != nil {
			return err
		}
		switch {
		case err != nil && !errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("%w: %w", errIdleLost, err)
		case n > 0:
			l.unasked(k, n)
			if now.After(limit) {
				return Refuse("the line is never silent: another master on it, or noise")
			}
		case over:
			return nil
		}
	}
}

// unasked throws away n bytes that nobody asked for. In the quiet time they
// begin it anew.
func (l *Line) unasked(k *link, n int) {
	l.counts.received.Add(uint64(n))
	l.heard = time.Now()
	if l.heard.Before(l.quietUntil) {
		l.quietUntil = l.heard.Add(l.quiet)
	}
	l.discard(k)
}

// discard throws away what the buffer holds.
func (l *Line) discard(k *link) {
	l.counts.discarded.Add(uint64(k.n))
	l.tell(Discarded, k.buf[:k.n])
	l.trace.in(k.buf[:k.n])
	k.n = 0
}
