package line

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// What happened to a run of bytes.
type What uint8

// The events.
const (
	// Sent: the bytes were written.
	Sent What = iota
	// Received: the bytes were read while an answer was awaited.
	Received
	// Discarded: the bytes were read before a request, and thrown away.
	Discarded
)

// Event is a run of bytes on a line, for people.
type Event struct {
	// At is when the bytes had been written or read.
	At   time.Time
	What What
	// Bytes are valid during the call only.
	Bytes []byte
}

func (l *Line) tell(what What, b []byte) {
	if l.monitor != nil && len(b) > 0 {
		l.monitor(Event{At: l.now(), What: what, Bytes: b})
	}
}

// Listen sends nothing, holds the line and gives every run of bytes received,
// with the moment at which it was there, to f until ctx ends, whose error it
// returns. The bytes are valid during the call only. The end of the connection
// is an error too.
func (l *Line) Listen(ctx context.Context, f func(at time.Time, b []byte)) error {
	t, err := l.Begin(ctx)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", l, err)
	}
	defer t.End()
	k := l.link.Load()
	if k == nil {
		if k, err = l.connect(ctx); err != nil {
			return fmt.Errorf("listen on %s: %w", l, err)
		}
	}
	if err := k.port.SetDeadline(time.Time{}); err != nil {
		return fmt.Errorf("listen on %s: %w", l, err)
	}
	k.n = 0
	for ctx.Err() == nil {
		n, err := k.fill()
		l.counts.received.Add(uint64(n))
		if n > 0 {
			l.heard = time.Now()
			// Whom others ask may answer when we ask next.
			l.quietUntil = l.heard.Add(l.quiet)
			f(l.now(), k.buf[:k.n])
		}
		k.n = 0
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			l.hangUp(l.quiet)
			return fmt.Errorf("listen on %s: %w", l, err)
		}
	}
	return ctx.Err()
}
