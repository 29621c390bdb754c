package modbus

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	gb "github.com/goburrow/modbus"

	"citygrid/adapters"
)

// framing is what Modbus TCP, RTU and RTU over TCP do differently: how a
// request is wrapped, where a received frame ends, and whose answer it is.
type framing interface {
	// encode returns the frame of a new request.
	encode(unit uint8, pdu *gb.ProtocolDataUnit) ([]byte, error)
	// split returns the length of the frame at the start of b, or 0 while more
	// bytes are needed. An error means that b can never become a frame.
	split(b []byte) (int, error)
	// open returns the contents of a frame that answers request, which is the
	// newest one encoded. stale means that it answers an earlier request; an
	// error that no request explains it.
	open(request, frame []byte) (pdu *gb.ProtocolDataUnit, stale bool, err error)
}

// deafAfter is how many timeouts in a row, without one byte received, make a
// line connect anew. A path that a firewall has forgotten stays silent for a
// quarter of an hour before the system reports it.
const deafAfter = 3

// request reads the registers of req from unit into dst, which has 2 × Count
// bytes, repeating it up to retries times after transient errors. It returns the
// moment at which the answer had arrived. The caller has the line's turn.
func (l *Line) request(ctx context.Context, unit uint8, req *Request, dst []byte, retries int) (time.Time, error) {
	for left := retries; ; left-- {
		at, err := l.exchange(ctx, unit, req, dst)
		if err == nil {
			return at, nil
		}
		l.settle(err)
		var dial *dialError
		if left <= 0 || ended(ctx, nil) != nil || classOf(err) != adapters.Transient || errors.As(err, &dial) {
			return time.Time{}, err
		}
	}
}

// exchange sends one request and waits for its answer.
func (l *Line) exchange(ctx context.Context, unit uint8, req *Request, dst []byte) (time.Time, error) {
	l.pdu = gb.ProtocolDataUnit{FunctionCode: req.Function, Data: l.pduData[:]}
	binary.BigEndian.PutUint16(l.pduData[:], req.At)
	binary.BigEndian.PutUint16(l.pduData[2:], req.Count)
	frame, err := l.framing.encode(unit, &l.pdu)
	if err != nil {
		return time.Time{}, err
	}
	k, err := l.ready(ctx, frame)
	if err != nil {
		return time.Time{}, err
	}
	n, err := k.conn.Write(frame)
	l.counts.requests.Add(1)
	l.counts.sent.Add(uint64(n))
	if err != nil {
		l.hangUp(l.quiet) // half a request may be out, whatever the reason
		return time.Time{}, fmt.Errorf("send: %w", ended(ctx, err))
	}
	pdu, err := l.await(ctx, k, frame)
	if err != nil {
		return time.Time{}, err
	}
	at := l.now().UTC().Truncate(time.Millisecond)
	return at, unpack(req, pdu, dst)
}

// ready returns a connection on which nothing is pending, armed for one
// exchange. Nothing has been sent yet, so a connection that turns out closed or
// spoilt is replaced once.
func (l *Line) ready(ctx context.Context, request []byte) (*link, error) {
	for {
		k, fresh, err := l.link.Load(), false, error(nil)
		if k == nil {
			if k, err = l.connect(ctx); err != nil {
				return nil, err
			}
			fresh = true
		}
		if err = k.arm(ctx, l.timeout); err == nil {
			err = l.drain(k, request)
		}
		// An interrupt may have come before arm and so be forgotten.
		if ctxErr := ctx.Err(); ctxErr != nil {
			return nil, ctxErr
		}
		if err == nil {
			return k, nil
		}
		if fresh {
			return nil, err
		}
		l.settle(err)
	}
}

// connect opens the connection once the quiet time is over.
func (l *Line) connect(ctx context.Context) (*link, error) {
	if err := sleep(ctx, time.Until(l.quietUntil)); err != nil {
		return nil, err
	}
	dialCtx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	conn, err := l.dial(dialCtx, "tcp", l.address)
	if err != nil {
		if err := ended(ctx, nil); err != nil {
			return nil, err
		}
		return nil, &dialError{err}
	}
	if l.connected {
		l.counts.reconnects.Add(1)
	}
	l.connected, l.silent = true, 0
	k := newLink(conn)
	l.link.Store(k)
	return k, nil
}

// drain takes what is pending and accepts of it only answers to earlier
// requests; even an answer to request, which has not been sent, is an error.
func (l *Line) drain(k *link, request []byte) error {
	for {
		n, err := k.poll(l.closeOnError)
		if err != nil {
			return fmt.Errorf("%w: %w", errIdleLost, err)
		}
		l.counts.received.Add(uint64(n))
		pdu, err := l.next(k, request)
		if err != nil {
			return err
		}
		if pdu != nil {
			return refuse("it came before the request")
		}
		if n > 0 {
			l.silent = 0
		} else {
			// What is left began before this request. Without ids it could
			// only ever be taken for the answer.
			if l.closeOnError && k.n > 0 {
				return refuse("%d bytes were pending before the request", k.n)
			}
			return nil
		}
	}
}

// await waits for the answer to request.
func (l *Line) await(ctx context.Context, k *link, request []byte) (*gb.ProtocolDataUnit, error) {
	for {
		pdu, err := l.next(k, request)
		if pdu != nil || err != nil {
			return pdu, err
		}
		n, err := k.fill()
		l.counts.received.Add(uint64(n))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if err := ended(ctx, nil); err != nil {
				return nil, err
			}
			return nil, &noAnswer{l.timeout}
		}
		if err != nil {
			return nil, fmt.Errorf("receive: %w", err)
		}
		l.silent = 0
	}
}

// next returns the answer to request if it is in the buffer, discarding the
// whole frames before it that answer earlier requests; nil if it is not there.
func (l *Line) next(k *link, request []byte) (*gb.ProtocolDataUnit, error) {
	for {
		n, err := l.framing.split(k.buf[:k.n])
		if n == 0 || err != nil {
			return nil, err
		}
		pdu, stale, err := l.framing.open(request, k.buf[:n])
		if err != nil {
			return nil, err
		}
		if stale {
			l.counts.stale.Add(1)
			k.drop(n)
			continue
		}
		if err := l.followed(request, pdu, k.buf[n:k.n]); err != nil {
			return nil, err
		}
		// The contents move out of the buffer before the bytes behind move up.
		pdu.Data = append(k.answer[:0], pdu.Data...)
		k.drop(n)
		return pdu, nil
	}
}

// followed checks the bytes that came right behind an answer. A device that
// cuts an answer short and then goes on sending would have it completed by the
// head of its next frame, so the answer is only good if what follows are whole
// frames of earlier requests or the same answer again.
func (l *Line) followed(request []byte, answer *gb.ProtocolDataUnit, rest []byte) error {
	for len(rest) > 0 {
		n, err := l.framing.split(rest)
		if err != nil {
			return err
		}
		if n == 0 {
			return refuse("%d bytes behind it are no frame", len(rest))
		}
		again, stale, err := l.framing.open(request, rest[:n])
		if err != nil {
			return err
		}
		if !stale && (again.FunctionCode != answer.FunctionCode || !bytes.Equal(again.Data, answer.Data)) {
			return refuse("the device answered twice, and differently")
		}
		rest = rest[n:]
	}
	return nil
}

// unpack checks an answer against what was asked and copies its registers.
func unpack(req *Request, pdu *gb.ProtocolDataUnit, dst []byte) error {
	data := pdu.Data
	switch {
	case pdu.FunctionCode == req.Function|0x80:
		if len(data) != 1 {
			return refuse("exception with %d bytes, want 1", len(data))
		}
		return &gb.ModbusError{FunctionCode: pdu.FunctionCode, ExceptionCode: data[0]}
	case pdu.FunctionCode != req.Function:
		return refuse("function %d, asked for %d", pdu.FunctionCode, req.Function)
	case len(data) != 1+len(dst) || int(data[0]) != len(dst):
		return refuse("%d bytes of registers announced as %d, asked for %d", len(data)-1, data[0], len(dst))
	}
	copy(dst, data[1:])
	return nil
}

// settle counts a failure and decides what it means for the connection.
func (l *Line) settle(err error) {
	var (
		exception *gb.ModbusError
		frame     *frameError
		timeout   *noAnswer
	)
	switch {
	case errors.As(err, &exception):
		l.counts.exceptions.Add(1)
		if l.closeOnError {
			l.hangUp(l.quiet)
		}
	case errors.As(err, &timeout), errors.Is(err, context.DeadlineExceeded):
		if timeout != nil {
			l.counts.timeouts.Add(1)
		}
		l.silent++
		if l.closeOnError {
			l.hangUp(l.quiet)
		} else if l.silent >= deafAfter {
			l.hangUp(0)
		}
	case errors.Is(err, context.Canceled):
		if l.closeOnError {
			l.hangUp(l.quiet)
		}
	case errors.Is(err, errIdleLost):
		l.hangUp(0)
	default:
		if errors.As(err, &frame) {
			l.counts.refused.Add(1)
		}
		l.hangUp(l.quiet)
	}
}

// hangUp closes the connection and keeps the line unconnected for a while.
func (l *Line) hangUp(quiet time.Duration) {
	k := l.link.Swap(nil)
	if k == nil {
		return
	}
	_ = k.conn.Close() // nothing is pending that could be lost
	l.quietUntil = time.Now().Add(quiet)
}

// watch makes the end of ctx interrupt the connection of the moment. The caller
// has the line's turn and calls stop before giving it back; after stop no
// interrupt is under way.
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
