package line

import (
	"context"
	"errors"
	"time"

	"citygrid/adapters"
)

// Turn is the right to use a line. It is not to be used after End.
type Turn struct{ line *Line }

// End gives the turn back.
func (t *Turn) End() { <-t.line.turn }

// Ask sends r and waits for its answer, repeating it up to retries times at
// once after transient errors. It returns when the answer had arrived, UTC, in
// whole milliseconds.
//
// Errors: *NoAnswer, *DialError, *FrameError, *DeviceError around what the
// request's Open returned, the error of ctx, an error of Encode, or one of the
// connection; none of them names the line. If any bytes went over it, the error is a
// *Failure around one of these (see Traced).
func (t *Turn) Ask(ctx context.Context, r Request, retries int) (time.Time, error) {
	l := t.line
	if ctx.Done() != l.watched {
		stop := l.watch(ctx)
		defer stop()
	}
	named := named(r)
	for left := retries; ; left-- {
		at, err := l.exchange(ctx, r, named)
		if err == nil {
			return at, nil
		}
		if left <= 0 || !repeatable(ctx, err) {
			return time.Time{}, err
		}
	}
}

// repeatable reports an error after which the same request may do better.
func repeatable(ctx context.Context, err error) bool {
	var dial *DialError
	return ended(ctx, nil) == nil && adapters.ClassOf(err) == adapters.Transient && !errors.As(err, &dial)
}

// heed makes the end of ctx, and of no context before it, interrupt the
// connection of the moment. It stays so between turns of one context, in which
// an interrupt finds nothing under way: every exchange sets its own deadline and
// then looks at its context.
func (l *Line) heed(ctx context.Context) {
	if done := ctx.Done(); done != l.watched {
		l.unwatch()
		l.unwatch, l.watched = l.watch(ctx), done
	}
}

// watch makes the end of ctx interrupt the connection of the moment. The caller
// has the line's turn when it calls stop; after stop no interrupt is under way.
func (l *Line) watch(ctx context.Context) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	done := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(done)
		if k := l.link.Load(); k != nil {
			k.interrupt()
		}
	})
	return func() {
		if !cancel() {
			<-done
		}
	}
}

// ended returns the error of ctx if ctx is done, else err. A connection's
// deadline can strike a moment before the context's own.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) {
		return context.DeadlineExceeded
	}
	return err
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
