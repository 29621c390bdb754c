package line

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// deafAfter is how many timeouts in a row, without one byte received, make a
// network line connect anew. A path that a firewall has forgotten stays silent
// for a quarter of an hour before the system reports it.
const deafAfter = 3

// exchange sends one request, waits for its answer, and settles what an error
// means for the connection. An error tells what went over the line (see Failure).
func (l *Line) exchange(ctx context.Context, r Request, named bool) (time.Time, error) {
	l.trace.begin()
	at, err := l.attempt(ctx, r, named)
	if err != nil {
		return at, l.trace.failure(r, l.now(), err)
	}
	return at, nil
}

func (l *Line) attempt(ctx context.Context, r Request, named bool) (time.Time, error) {
	frame, err := r.Encode(l.frame[:0], l.last)
	if err != nil {
		return time.Time{}, err
	}
	l.frame = frame
	l.need = 0
	if l.serial != nil {
		l.need = l.serial.Silence()
		if d, ok := r.(Doubtful); ok && d.Doubtful() {
			l.need = max(l.need, l.quiet)
		}
	}
	k, err := l.ready(ctx, r, named)
	if err != nil {
		return time.Time{}, err
	}
	var at time.Time
	if err = l.send(ctx, k); err == nil {
		at, err = l.await(ctx, k, r)
	}
	if err != nil {
		l.settle(err, named)
		return time.Time{}, err
	}
	return at.UTC().Truncate(time.Millisecond), nil
}

// send writes the frame and sets the deadline for the first byte of the answer.
func (l *Line) send(ctx context.Context, k *link) error {
	frame := l.frame
	l.counts.requests.Add(1)
	begun := time.Now()
	n, err := k.write(frame)
	l.counts.sent.Add(uint64(n))
	l.tell(Sent, frame[:n])
	l.trace.out(frame[:n], k.buf[:k.n])
	if err != nil {
		l.hangUp(l.quiet) // half a request may be out, whatever the reason
		return fmt.Errorf("send: %w", ended(ctx, err))
	}
	l.frame, l.last = l.last, frame
	if l.serial == nil {
		return nil
	}
	wire := l.serial.Wire(n)
	l.heard = time.Now().Add(wire)
	// Counted from before, because the process may have been held up since.
	if err := k.arm(sooner(ctx, begun.Add(wire+l.timeout))); err != nil {
		return err
	}
	// An interrupt may have come before arm and so be forgotten.
	return ctx.Err()
}

// sooner returns at, or the deadline of ctx if that is sooner.
func sooner(ctx context.Context, at time.Time) time.Time {
	if end, ok := ctx.Deadline(); ok && end.Before(at) {
		return end
	}
	return at
}

// ready returns a connection on which nothing is pending and a request may be
// sent, armed for one exchange. Nothing has been sent yet, so a connection that
// turns out closed or spoilt is replaced once; a port is not.
func (l *Line) ready(ctx context.Context, r Request, named bool) (*link, error) {
	for {
		k, fresh, err := l.link.Load(), false, error(nil)
		if k == nil {
			if k, err = l.connect(ctx); err != nil {
				return nil, err
			}
			fresh = true
		}
		if l.serial != nil {
			err = l.hush(ctx, k)
		}
		if err == nil {
			err = k.arm(sooner(ctx, time.Now().Add(l.timeout)))
		}
		if err == nil && l.serial == nil {
			err = l.drain(k, r, named)
		}
		// An interrupt may have come before arm and so be forgotten.
		over := ended(ctx, nil)
		if err == nil && over == nil {
			return k, nil
		}
		if err != nil && !errors.Is(err, over) {
			l.settle(err, named)
		}
		if over != nil {
			return nil, over
		}
		if fresh || l.link.Load() != nil {
			return nil, err
		}
	}
}

// connect opens the connection, once the quiet time is over, or the port.
func (l *Line) connect(ctx context.Context) (*link, error) {
	port, err := l.dialPort(ctx)
	if err != nil {
		return nil, err
	}
	if l.connected {
		l.counts.reconnects.Add(1)
	}
	if l.strange && l.serial != nil {
		l.quietUntil = time.Now().Add(l.quiet)
	}
	l.connected, l.strange, l.silent = true, false, 0
	k := newLink(port)
	l.link.Store(k)
	return k, nil
}

func (l *Line) dialPort(ctx context.Context) (Port, error) {
	if err := sleep(ctx, time.Until(l.quietUntil)); err != nil {
		return nil, err
	}
	if l.device {
		port, err := l.open(l.address, *l.serial)
		if err != nil {
			return nil, &DialError{Device: true, Err: err}
		}
		return port, nil
	}
	dialCtx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	conn, err := l.dial(dialCtx, "tcp", l.address)
	if err != nil {
		if err := ended(ctx, nil); err != nil {
			return nil, err
		}
		return nil, &DialError{Err: err}
	}
	return conn, nil
}

// drain takes what is pending and accepts of it only answers to earlier
// requests; even an answer to r, which has not been sent, is an error.
func (l *Line) drain(k *link, r Request, named bool) error {
	for {
		n, err := k.poll(!named)
		if err != nil {
			return fmt.Errorf("%w: %w", errIdleLost, err)
		}
		l.received(k, n)
		answered, err := l.next(k, r)
		switch {
		case err != nil:
			return err
		case answered:
			return Refuse("it came before the request")
		case n > 0 && !time.Now().Before(k.until):
			return Refuse("answers to earlier requests come without end")
		case n == 0:
			// What is left began before this request. Without ids it could
			// only ever be taken for the answer.
			if !named && k.n > 0 {
				return Refuse("%d bytes were pending before the request", k.n)
			}
			return nil
		}
	}
}

// received counts n bytes that have just come.
func (l *Line) received(k *link, n int) {
	if n > 0 {
		l.counts.received.Add(uint64(n))
		l.tell(Received, k.buf[k.n-n:k.n])
		l.trace.in(k.buf[k.n-n : k.n])
		l.silent = 0
	}
}

// await waits for the answer to r and returns when it was there.
func (l *Line) await(ctx context.Context, k *link, r Request) (time.Time, error) {
	first := k.until
	for {
		at, err := l.hear(ctx, k)
		if err == nil && l.serial != nil {
			err = l.extend(ctx, k, first)
		}
		if err != nil {
			return at, err
		}
		if answered, err := l.next(k, r); answered || err != nil {
			return at, err
		}
	}
}

// heldUp is how long after its deadline an answer is still taken, so that a
// machine that is busy for a moment loses none. A process that was held up for
// longer cannot say when the answer came, and its reading would carry a wrong
// moment: none is later than the deadline by more than this.
const heldUp = 50 * time.Millisecond

// hear waits for the next bytes of an answer, up to the deadline, and returns
// when they were there.
func (l *Line) hear(ctx context.Context, k *link) (time.Time, error) {
	n, err := k.fill()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if err := ended(ctx, nil); err != nil {
			return time.Time{}, err
		}
		// A process held up finds the deadline past and the answer there.
		n, err = k.poll(false)
	}
	at, late := l.now(), time.Since(k.until)
	l.received(k, n)
	switch {
	case err != nil:
		return at, fmt.Errorf("receive: %w", err)
	case n == 0 || late >= heldUp:
		return at, ended(ctx, &NoAnswer{Within: l.timeout, Got: k.n})
	}
	return at, nil
}

// The allowances between two runs of bytes of one frame. A USB adapter hands on
// what it has every 16 ms or 64 bytes; a serial server fills a packet, which
// then has a network to cross.
const (
	portRun, portGap     = 64, 100 * time.Millisecond
	serverRun, serverGap = 256, 250 * time.Millisecond
)

// extend moves the deadline after bytes have come: to when the next ones must
// be there. first is the deadline for the first byte; beyond it an answer may
// last as long as the longest frame does.
func (l *Line) extend(ctx context.Context, k *link, first time.Time) error {
	l.heard = time.Now()
	run, gap := portRun, portGap
	if !l.device {
		run, gap = serverRun, serverGap
	}
	at := l.heard.Add(l.serial.Wire(run) + gap)
	if end := first.Add(l.serial.Wire(bufferSize/2) + gap); end.Before(at) {
		at = end
	}
	if err := k.arm(sooner(ctx, at)); err != nil {
		return err
	}
	// An interrupt may have come before arm and so be forgotten.
	return ctx.Err()
}

// next reports whether the answer to r is in the buffer, discarding the whole
// frames before it that answer earlier requests. An error of the device is a
// *DeviceError.
func (l *Line) next(k *link, r Request) (bool, error) {
	for k.n > 0 {
		skip, n, err := r.Split(k.buf[:k.n])
		if n == 0 || err != nil {
			return false, refused(err)
		}
		frame, rest := k.buf[skip:skip+n], k.buf[skip+n:k.n]
		stale, err := open(r, frame)
		if stale {
			l.counts.stale.Add(1)
			k.drop(skip + n)
			continue
		}
		if isFrameError(err) {
			return false, err
		}
		if err := l.followed(r, frame, rest); err != nil {
			return false, err
		}
		k.drop(skip + n)
		return true, err
	}
	return false, nil
}

// followed checks the bytes that came right behind an answer. A device that
// cuts an answer short and then goes on sending would have it completed by the
// head of its next frame, so the answer is only good if what follows are whole
// frames of earlier requests or the same answer again.
func (l *Line) followed(r Request, answer, rest []byte) error {
	for len(rest) > 0 {
		skip, n, err := r.Split(rest)
		if err != nil {
			return refused(err)
		}
		if n == 0 {
			return Refuse("%d bytes behind it are no frame", len(rest))
		}
		frame := rest[skip : skip+n]
		if !bytes.Equal(frame, answer) {
			stale, err := open(r, frame)
			if isFrameError(err) {
				return err
			}
			if !stale {
				return Refuse("the device answered twice, and differently")
			}
		}
		rest = rest[skip+n:]
	}
	return nil
}

// open has r judge a frame: stale, nil for the answer, a *DeviceError for the
// device's own error, or a *FrameError.
func open(r Request, frame []byte) (stale bool, err error) {
	verdict, err := r.Open(frame)
	switch {
	case err == nil && verdict == Answer:
		return false, nil
	case err == nil && verdict == Stale:
		return true, nil
	case err == nil:
		return false, Refuse("no request explains it")
	case verdict == Answer && !isFrameError(err):
		return false, &DeviceError{err}
	}
	return false, refused(err)
}

// refused makes err, if any, a *FrameError.
func refused(err error) error {
	if err == nil || isFrameError(err) {
		return err
	}
	return &FrameError{err}
}

func isFrameError(err error) bool {
	if err == nil {
		return false
	}
	var frame *FrameError
	return errors.As(err, &frame)
}
