package modbus

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	gb "github.com/goburrow/modbus"

	"citygrid/adapters"
	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// defaultTimeout is how long an answer may take when the configuration does not
// say. Serial meters behind a gateway answer within some hundred milliseconds.
const defaultTimeout = time.Second

// defaultRetries lets one late or torn answer pass without losing the reading.
const defaultRetries = 1

// LineConfig says where a line is and how patient to be with it.
type LineConfig struct {
	// Name is what people call the line, for errors; it may be empty.
	Name string
	// Address is "host:port".
	Address string
	// Timeout bounds connecting, and the wait for one answer; 0 is 1 s.
	Timeout time.Duration
	// QuietTime is how long the line stays unconnected after it was closed
	// because of an error, so that answers still under way die with the old
	// connection. It must exceed the slowest answer of any meter on the line
	// if NoTransactionID is set. 0 stands for Timeout, negative for none.
	QuietTime time.Duration
	// NoTransactionID is for gateways that do not return the transaction id of
	// the request. A late answer then cannot be told from the right one, so
	// every error closes the connection and is followed by the quiet time. A
	// second copy of an answer is known only if it has come before the next
	// request; one that comes later and fits that request is taken for its
	// answer.
	NoTransactionID bool
	// Retries is how often a request is repeated at once after a transient
	// error; 0 stands for 1, negative for none. The first request to a meter
	// whose last Read gave nothing because no answer came is not repeated: it
	// only asks whether the meter is back, while others wait for the line.
	Retries int
	// Dial opens the connection; nil is net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Now gives the time of readings; nil is time.Now. Deadlines always follow
	// the clock of the runtime, because connections do.
	Now func() time.Time
}

// Line is one Modbus connection, opened when first needed and again after it
// was lost. It has at most one connection and one request under way. Its
// methods may be called from several goroutines; they take turns.
type Line struct {
	name, address string
	timeout       time.Duration
	quiet         time.Duration
	retries       int
	closeOnError  bool
	dial          func(ctx context.Context, network, address string) (net.Conn, error)
	now           func() time.Time
	counts        counters

	// turn holds one token while a meter is read or the line is closed. It
	// guards everything below, save that link may be loaded at any time.
	turn       chan struct{}
	link       atomic.Pointer[link]
	framing    framing
	quietUntil time.Time
	connected  bool // at least once
	silent     int  // timeouts in a row without one byte received
	pdu        gb.ProtocolDataUnit
	pduData    [4]byte
}

// NewLine returns a line that is not connected yet. It cannot fail: what is
// wrong with the address shows when a meter is read.
func NewLine(c LineConfig) *Line {
	l := &Line{
		name: c.Name, address: c.Address,
		timeout: c.Timeout, quiet: c.QuietTime, retries: c.Retries,
		closeOnError: c.NoTransactionID,
		dial:         c.Dial, now: c.Now,
		turn: make(chan struct{}, 1),
	}
	if l.timeout <= 0 {
		l.timeout = defaultTimeout
	}
	if l.quiet == 0 {
		l.quiet = l.timeout
	}
	if l.retries == 0 {
		l.retries = defaultRetries
	}
	if l.dial == nil {
		l.dial = new(net.Dialer).DialContext
	}
	if l.now == nil {
		l.now = time.Now
	}
	// Starting at the clock keeps the ids of a restarted collector apart from
	// those that a gateway may still hold answers for.
	l.framing = newMBAP(uint16(l.now().UnixMilli()), c.NoTransactionID)
	return l
}

// Source returns the meter with the given id at a unit of the line, read by the
// register map p. A register map that cannot be read as it asks (see Plan), or
// an id outside the alphabet, is an error.
func (l *Line) Source(meter schemas.MeterID, unit uint8, p *profiles.Profile) (*Meter, error) {
	if err := meter.Validate(); err != nil {
		return nil, fmt.Errorf("modbus source: %w", err)
	}
	blocks, err := compile(p)
	if err != nil {
		return nil, fmt.Errorf("modbus source for meter %s: %w", meter, err)
	}
	return &Meter{line: l, id: meter, unit: unit, blocks: blocks, values: len(p.Fields)}, nil
}

var _ adapters.Source = (*Meter)(nil)

// Close ends the connection, after the read that is under way if there is one.
// The next read connects again, so that a line whose device serves one client
// only can be given back after each cycle.
func (l *Line) Close() error {
	l.turn <- struct{}{}
	defer l.release()
	k := l.link.Swap(nil)
	if k == nil {
		return nil
	}
	if err := k.conn.Close(); err != nil {
		return fmt.Errorf("close modbus line %s: %w", l.where(), err)
	}
	return nil
}

// acquire waits for the line's turn, or for the end of ctx.
func (l *Line) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *Line) release() { <-l.turn }

// where names the line for people.
func (l *Line) where() string {
	if l.name == "" {
		return l.address
	}
	return l.name + " (" + l.address + ")"
}

// LineStats counts what a line has seen since NewLine.
type LineStats struct {
	// Requests were sent, repeated ones included; Timeouts of them got no
	// answer in time; Exceptions of them were refused by the device.
	Requests, Timeouts, Exceptions uint64
	// StaleFrames were answers to earlier requests: late or sent twice.
	StaleFrames uint64
	// RefusedFrames were received and fitted no request.
	RefusedFrames uint64
	// Reconnects are the connections made after the first.
	Reconnects uint64
	// BytesSent and BytesReceived count whole frames and rubbish alike.
	BytesSent, BytesReceived uint64
}

type counters struct {
	requests, timeouts, exceptions, stale, refused, reconnects, sent, received atomic.Uint64
}

// Stats returns the counts so far. It never waits for a read.
func (l *Line) Stats() LineStats {
	c := &l.counts
	return LineStats{
		Requests: c.requests.Load(), Timeouts: c.timeouts.Load(), Exceptions: c.exceptions.Load(),
		StaleFrames: c.stale.Load(), RefusedFrames: c.refused.Load(), Reconnects: c.reconnects.Load(),
		BytesSent: c.sent.Load(), BytesReceived: c.received.Load(),
	}
}
