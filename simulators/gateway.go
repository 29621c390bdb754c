package simulators

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// GatewayConfig is a Modbus TCP gateway and the meters behind it.
type GatewayConfig struct {
	Name   string
	Meters []*Meter
	Seed   uint64
	Faults Faults
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Gateway serves many unit ids on one address. A unit that it does not know
// gets exception 0B, as from a gateway whose slave does not answer; a dead
// meter gets silence, as from a transparent one.
type Gateway struct {
	GatewayConfig
	byUnit   [256]*Meter
	requests atomic.Uint64
	faults   [faultKinds]atomic.Uint64
	silences atomic.Uint64
}

// NewGateway checks the configuration; two meters of one unit id are an error.
func NewGateway(c GatewayConfig) (*Gateway, error) {
	if err := c.Faults.Validate(); err != nil {
		return nil, fmt.Errorf("gateway %s: %w", c.Name, err)
	}
	if err := c.Faults.refuse(onGateway, "a Modbus TCP gateway"); err != nil {
		return nil, fmt.Errorf("gateway %s: %w", c.Name, err)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	g := &Gateway{GatewayConfig: c}
	for _, m := range c.Meters {
		if m.Profile == nil {
			return nil, fmt.Errorf("gateway %s: meter %s speaks no Modbus", c.Name, m.ID)
		}
		if other := g.byUnit[m.Unit]; other != nil {
			return nil, fmt.Errorf("gateway %s: unit %d is both %s and %s", c.Name, m.Unit, other.ID, m.ID)
		}
		g.byUnit[m.Unit] = m
	}
	return g, nil
}

// Stats counts what a gateway has done since it was made.
type Stats struct {
	Requests uint64
	// Silent counts requests to meters that are dead or reboot; the others,
	// faults made.
	Silent, Late, Slow, Split, Duplicate, WrongUnit, Busy, Failure, GatewayTimeout uint64
}

// Stats returns the counts so far.
func (g *Gateway) Stats() Stats {
	n := func(f fault) uint64 { return g.faults[f].Load() }
	return Stats{
		Requests: g.requests.Load(), Silent: g.silences.Load(), Late: n(lateOvertaken) + n(lateHolding),
		Slow: n(slow), Split: n(split), Duplicate: n(duplicate), WrongUnit: n(wrongUnit),
		Busy: n(busy), Failure: n(failure), GatewayTimeout: n(gatewayTimeout),
	}
}

// Serve answers on ln until ctx is done, then closes the listener and every
// connection, waits for them, and returns nil. It returns early with an error
// when the listener fails. Serve may be called for several listeners.
func (g *Gateway) Serve(ctx context.Context, ln net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var conns sync.WaitGroup
	defer conns.Wait()
	context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer cancel() // closes the listener and the connections
	for {
		conn, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("gateway %s: accept: %w", g.Name, err)
		}
		conns.Go(func() { g.serveConn(ctx, conn) })
	}
}

// serveConn answers one connection until it ends, breaks, or ctx is done.
// Its errors are the peer's doing and of no interest to anybody here.
func (g *Gateway) serveConn(ctx context.Context, conn net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	out := newOutbox(conn)
	defer out.late.Wait()
	context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer cancel() // closes the connection
	in := bufio.NewReaderSize(conn, 16*maxADU)
	var frame [maxADU]byte
	for {
		q, err := readRequest(in, frame[:])
		if err != nil || !out.take(ctx) {
			return
		}
		g.answer(ctx, q, out)
		// Requests that came together are answered together.
		if in.Buffered() == 0 {
			err = out.flush()
		}
		out.give()
		if err != nil {
			return
		}
	}
}

// outbox is the writing side of a connection. Whoever has taken it may append
// whole replies and flush them, so that a late one never lands inside another.
type outbox struct {
	conn net.Conn
	buf  []byte
	late sync.WaitGroup // replies that wait for their time
	// turn is a lock whose waiters heed a context: a reply that holds up the
	// line keeps it for as long as the reply is late.
	turn chan struct{}
}

func newOutbox(conn net.Conn) *outbox {
	return &outbox{conn: conn, turn: make(chan struct{}, 1)}
}

// take returns true when the outbox is the caller's, false when ctx is done.
func (o *outbox) take(ctx context.Context) bool {
	select {
	case o.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (o *outbox) give() { <-o.turn }

// flush writes what was appended.
func (o *outbox) flush() error {
	if len(o.buf) == 0 {
		return nil
	}
	_, err := o.conn.Write(o.buf)
	o.buf = o.buf[:0]
	return err
}

// answer serves one request with the fault that chance gives it. The caller
// has taken out.
func (g *Gateway) answer(ctx context.Context, q request, out *outbox) {
	number := g.requests.Add(1)
	m := g.byUnit[q.unit]
	if m != nil && m.Silent(g.Now()) {
		g.silences.Add(1)
		return
	}
	h := mix(mix(g.Seed, saltFault), number)
	kind := noFault
	if m != nil {
		kind = g.Faults.draw(h)
	}
	g.faults[kind].Add(1)
	from := len(out.buf)
	out.buf = g.appendAnswer(out.buf, q, m, kind)
	switch kind {
	case duplicate:
		out.buf = append(out.buf, out.buf[from:]...)
	case lateOvertaken:
		reply := append([]byte(nil), out.buf[from:]...)
		out.buf = out.buf[:from]
		out.sendLater(ctx, reply, g.Faults.lateBy())
	case lateHolding:
		out.sendInPieces(ctx, from, from, g.Faults.lateBy())
	case slow:
		out.sendInPieces(ctx, from, from, g.Faults.slowBy())
	case split:
		size := len(out.buf) - from
		cut := from + 1 + int(mix(h, saltCut)%uint64(size-1))
		out.sendInPieces(ctx, from, cut, splitPause)
	}
}

// splitPause is the pause between the pieces of a split reply: long enough that
// the reader sees the first piece alone, short enough to be within any timeout.
const splitPause = 5 * time.Millisecond

// sendLater writes reply after d, whatever was written meanwhile.
func (o *outbox) sendLater(ctx context.Context, reply []byte, d time.Duration) {
	o.late.Go(func() {
		if !wait(ctx, d) || !o.take(ctx) {
			return
		}
		defer o.give()
		o.buf = append(o.buf, reply...)
		_ = o.flush() // a broken connection shows at its reader
	})
}

// sendInPieces writes the replies before from at once, then the bytes up to
// cut, and leaves the rest to be flushed after d. Nothing else is written in
// between: the caller has taken the outbox.
func (o *outbox) sendInPieces(ctx context.Context, from, cut int, d time.Duration) {
	if cut < from {
		cut = from
	}
	rest := append([]byte(nil), o.buf[cut:]...)
	o.buf = o.buf[:cut]
	if o.flush() == nil && wait(ctx, d) {
		o.buf = append(o.buf, rest...)
	}
}

// wait returns true after d, false when ctx is done before.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// appendAnswer appends the reply to q, whole; late, split and duplicate are
// the caller's.
func (g *Gateway) appendAnswer(dst []byte, q request, m *Meter, kind fault) []byte {
	switch {
	case m == nil:
		return appendException(dst, q, GatewayTimeout)
	case kind == busy:
		return appendException(dst, q, DeviceBusy)
	case kind == failure:
		return appendException(dst, q, DeviceFailure)
	case kind == gatewayTimeout:
		return appendException(dst, q, GatewayTimeout)
	case q.function != 3 && q.function != 4:
		return appendException(dst, q, IllegalFunction)
	case q.malformed:
		return appendException(dst, q, IllegalValue)
	case kind == wrongUnit:
		return g.appendNeighbour(dst, q)
	}
	return appendRead(dst, q, m, g.Now())
}

// appendRead appends the reply to a well-formed read.
func appendRead(dst []byte, q request, m *Meter, now time.Time) []byte {
	from := len(dst)
	dst = appendHeader(dst, q.transaction, q.unit, 2+2*int(q.count))
	dst = append(dst, q.function, byte(2*q.count))
	dst, exception := m.AppendRegisters(dst, q.function, q.at, q.count, now)
	if exception != 0 {
		return appendException(dst[:from], q, exception)
	}
	return dst
}

// appendNeighbour answers q as the next unit behind the gateway would, under
// that unit's id. Where the neighbour has no such registers, the asked meter's
// own come inverted: never right, whoever takes them.
func (g *Gateway) appendNeighbour(dst []byte, q request) []byte {
	asked := g.byUnit[q.unit]
	q.unit++
	for g.byUnit[q.unit] == nil {
		q.unit++ // ends at the asked unit at the latest
	}
	neighbour := g.byUnit[q.unit]
	if neighbour == asked {
		q.unit++
	}
	from := len(dst)
	now := g.Now()
	if neighbour != asked && neighbour.refuses(q.function, q.at, q.count) == 0 {
		return appendRead(dst, q, neighbour, now)
	}
	dst = appendHeader(dst, q.transaction, q.unit, 2+2*int(q.count))
	dst = append(dst, q.function, byte(2*q.count))
	data := len(dst)
	dst, exception := asked.AppendRegisters(dst, q.function, q.at, q.count, now)
	if exception != 0 {
		return appendException(dst[:from], q, exception)
	}
	for i := data; i < len(dst); i++ {
		dst[i] = ^dst[i]
	}
	return dst
}
