package line

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync/atomic"
	"time"
)

// defaultTimeout is how long an answer may take when the configuration does not
// say. Serial meters behind a gateway answer within some hundred milliseconds.
const defaultTimeout = time.Second

// Config says where a line is and how patient to be with it.
type Config struct {
	// Name is what people call the line, for errors; it may be empty.
	Name string
	// Address is "host:port", or a device: "/dev/serial/by-id/...",
	// "/dev/ttyS0", "COM3" (see IsDevice).
	Address string
	// Serial is nil for a network connection with no wire that matters (a
	// Modbus TCP gateway). With a device it is the port's settings (nil is 9600
	// Bd, 8 data bits, no parity, 1 stop bit). With "host:port" it makes the
	// connection a transparent serial server (RTU over TCP), and is the
	// settings of the wire behind it.
	Serial *Serial
	// Timeout bounds connecting, and the wait for the first byte of an answer,
	// counted from the end of the request on the wire; an answer that has begun
	// may take as long as its bytes need. Without a wire it bounds the whole
	// answer. 0 is 1 s.
	Timeout time.Duration
	// QuietTime is how long nothing is sent after an error that leaves doubt
	// about what may still arrive: on a port until it has been silent that
	// long, on a network connection until it has been closed that long; and on a
	// wire that somebody else may have used, be it another program while the
	// line was closed. It must exceed the slowest answer of any meter on the line, counted from its
	// Timeout. 0 stands for Timeout, negative for none.
	QuietTime time.Duration
	// Dial opens a connection; nil is net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Open opens a serial port; nil is the system's.
	Open func(device string, s Serial) (Port, error)
	// Now gives the time of answers and events; nil is time.Now. Deadlines
	// always follow the clock of the runtime, because connections do.
	Now func() time.Time
	// Monitor is told of every run of bytes, while the line is held: it must be
	// quick. nil: nobody.
	Monitor func(Event)
}

// IsDevice reports whether an address is a serial port's rather than
// "host:port".
func IsDevice(address string) bool {
	return strings.HasPrefix(address, "/") || strings.HasPrefix(address, `\\.\`) || comPort.MatchString(address)
}

var comPort = regexp.MustCompile(`^(?i:COM)[0-9]+$`)

// Line is one physical line, opened when first needed and again after it was
// lost. Its methods may be called from several goroutines; those that use the
// line take turns.
type Line struct {
	name, address string
	device        bool
	serial        *Serial
	timeout       time.Duration
	quiet         time.Duration
	dial          func(ctx context.Context, network, address string) (net.Conn, error)
	open          func(device string, s Serial) (Port, error)
	now           func() time.Time
	monitor       func(Event)
	counts        counters

	// turn holds one token while the line is used. It guards everything below,
	// save that link may be loaded at any time.
	turn      chan struct{}
	held      Turn
	watched   <-chan struct{} // the end of the context that interrupts
	unwatch   func()
	link      atomic.Pointer[link]
	connected bool // at least once
	// strange: somebody else may have used the wire since, and have a request
	// under way.
	strange bool
	silent  int // timeouts in a row without one byte received
	// frame is the one being sent; last the one before it, nil at first. They
	// outlive the connection, because a serial server may not notice its end.
	frame, last []byte
	// trace is for people: nothing is decided by it.
	trace trace
	// quietUntil: nothing is sent before.
	quietUntil time.Time
	// need is how long the wire must have been silent before frame is sent.
	need time.Duration
	// heard is when the last byte was on the wire, in either direction.
	heard time.Time
}

// New returns a line that is not connected yet. It cannot fail: what is wrong
// with the address shows when a meter is read.
func New(c Config) *Line {
	l := &Line{
		name: c.Name, address: c.Address, device: IsDevice(c.Address),
		timeout: c.Timeout, quiet: c.QuietTime,
		dial: c.Dial, open: c.Open, now: c.Now, monitor: c.Monitor,
		turn: make(chan struct{}, 1), strange: true,
	}
	l.held.line, l.unwatch = l, func() {}
	if c.Serial != nil {
		s := *c.Serial
		l.serial = &s
	} else if l.device {
		l.serial = &Serial{Baud: 9600, DataBits: 8, Parity: None, StopBits: 1}
	}
	if l.timeout <= 0 {
		l.timeout = defaultTimeout
	}
	if l.quiet == 0 {
		l.quiet = l.timeout
	}
	l.quiet = max(l.quiet, 0)
	if l.dial == nil {
		l.dial = new(net.Dialer).DialContext
	}
	if l.open == nil {
		l.open = openPort
	}
	if l.now == nil {
		l.now = time.Now
	}
	return l
}

// Serial returns the settings of the wire; false where there is none that
// matters.
func (l *Line) Serial() (Serial, bool) {
	if l.serial == nil {
		return Serial{}, false
	}
	return *l.serial, true
}

// String names the line for people: "cabinet-12 (10.0.0.5:502)".
func (l *Line) String() string {
	if l.name == "" {
		return l.address
	}
	return l.name + " (" + l.address + ")"
}

// Close gives the connection or port back, after the turn that is under way if
// there is one. The next request opens it again, by the same path, so that
// links such as /dev/serial/by-id lead to an adapter that was plugged in anew.
func (l *Line) Close() error {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	l.heed(context.Background())
	k := l.link.Swap(nil)
	if k == nil {
		return nil
	}
	l.strange = true
	if err := k.port.Close(); err != nil {
		return fmt.Errorf("close line %s: %w", l, err)
	}
	return nil
}

// Begin waits for the line's turn, or for the end of ctx, whose error it
// returns. The turn must be given back by Turn.End.
func (l *Line) Begin(ctx context.Context) (*Turn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case l.turn <- struct{}{}:
	default:
		select {
		case l.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	l.heed(ctx)
	return &l.held, nil
}

// Stats counts what a line has seen since New.
type Stats struct {
	// Requests were sent, repeated ones included; Timeouts of them got no
	// answer in time; Exceptions of them were refused by the device.
	Requests, Timeouts, Exceptions uint64
	// StaleFrames were answers to earlier requests: late or sent twice.
	StaleFrames uint64
	// RefusedFrames were received and fitted no request.
	RefusedFrames uint64
	// Reconnects are the connections made, or ports opened, after the first.
	Reconnects uint64
	// BytesSent and BytesReceived count whole frames and rubbish alike;
	// BytesDiscarded are those received that a wire held before a request.
	BytesSent, BytesReceived, BytesDiscarded uint64
}

type counters struct {
	requests, timeouts, exceptions, stale, refused, reconnects, sent, received, discarded atomic.Uint64
}

// Stats returns the counts so far. It never waits for a read.
func (l *Line) Stats() Stats {
	c := &l.counts
	return Stats{
		Requests: c.requests.Load(), Timeouts: c.timeouts.Load(), Exceptions: c.exceptions.Load(),
		StaleFrames: c.stale.Load(), RefusedFrames: c.refused.Load(), Reconnects: c.reconnects.Load(),
		BytesSent: c.sent.Load(), BytesReceived: c.received.Load(), BytesDiscarded: c.discarded.Load(),
	}
}
