package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Slave is one protocol on the line: the meters that speak it.
type Slave interface {
	// Frame returns where the first whole request in b begins and ends: skip
	// bytes of anything else, then n bytes; n = 0: no whole request yet.
	Frame(b []byte) (skip, n int)
	// Answer appends the reply to a request frame, as the meters give it at t.
	// dst comes back unchanged when nobody answers.
	Answer(dst, frame []byte, t time.Time) []byte
}

// Config is a line and who is on it.
type Config struct {
	Name   string
	Slaves []Slave
	Serial Serial
	// Turnaround is how long a slave takes from the last bit of a request to
	// the first of its answer, at least the silence that ends a frame. Jitter
	// is how much longer it may take, by chance.
	Turnaround, Jitter time.Duration
	Seed               uint64
	Faults             Faults
	// Now is the clock of the meters; nil means time.Now. The wire keeps the
	// time of the machine.
	Now func() time.Time
}

// Bus is a line: half a duplex of bytes, each at its time.
type Bus struct {
	c    Config
	wake chan struct{} // the queue has changed

	mu      sync.Mutex
	clients []io.Writer
	chance  *rand.PCG
	rx      []byte    // what has come and is no whole request yet
	rxAt    time.Time // when the last of it came
	rxEnd   time.Time // when the last request was off the wire
	asked   time.Time // when the exchange under way began
	queue   []transmission
	free    time.Time // when the wire was or will be free of the last answer
	held    time.Time // a converter gives nothing before
	asleep  map[string]time.Time
	seen    map[protocol][]string // addresses that answered
	stats   Stats
}

// transmission is a run of bytes that has its time.
type transmission struct {
	start   time.Time // of the first bit, or later when the wire is taken
	started bool
	sent    int
	bytes   []byte
}

// Stats counts what a line has seen since it was made.
type Stats struct {
	// Requests counts whole request frames; Answered those that a meter
	// answered, on time and rightly or not; Silent those that nobody did: an
	// unknown address, a dead or rebooting meter.
	Requests, Answered, Silent uint64
	// Garbage counts bytes that were no part of a request, nor FE before one.
	Garbage uint64
	// Overlaps counts requests that began while an answer was on the wire, Hasty
	// those that left less than the silence between frames. Both are the fault
	// of whoever asks.
	Overlaps, Hasty uint64
	// BytesIn and BytesOut are the characters of requests, with the FE before
	// them, and of everything sent back.
	BytesIn, BytesOut uint64
	// Wire is the time that the line needed: all characters, the turnaround of
	// the slaves, and one silence for each request. Nobody can be faster.
	Wire time.Duration
	// InUse is how long exchanges took: from the first character of each request
	// to that of the next, or to the silence after the answer when the line then
	// was left alone. InUse over Wire is what the master wastes.
	InUse time.Duration
	// Faults counts the requests that met each fault.
	Faults map[Fault]uint64
}

// New checks the configuration.
func New(c Config) (*Bus, error) {
	if len(c.Slaves) == 0 {
		return nil, fmt.Errorf("line %s: nobody is on it", c.Name)
	}
	if err := c.Serial.Validate(); err != nil {
		return nil, fmt.Errorf("line %s: %w", c.Name, err)
	}
	if c.Turnaround < 0 || c.Jitter < 0 {
		return nil, fmt.Errorf("line %s: turnaround %s and jitter %s must not be negative", c.Name, c.Turnaround, c.Jitter)
	}
	if err := c.Faults.Validate(); err != nil {
		return nil, fmt.Errorf("line %s: faults: %w", c.Name, err)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Serial, c.Faults = c.Serial.withDefaults(), c.Faults.withDefaults()
	c.Turnaround = max(c.Turnaround, c.Serial.Silence())
	return &Bus{
		c: c, wake: make(chan struct{}, 1), chance: rand.NewPCG(0, 0),
		asleep: make(map[string]time.Time), seen: make(map[protocol][]string),
		stats: Stats{Faults: make(map[Fault]uint64)},
	}, nil
}

// Stats returns the counts so far.
func (b *Bus) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.stats
	s.InUse += b.used(time.Now())
	s.Faults = make(map[Fault]uint64, len(b.stats.Faults))
	for kind, n := range b.stats.Faults {
		s.Faults[kind] = n
	}
	return s
}

// Port is where masters reach a line: a Terminal, a Server, or a Conn.
type Port interface {
	// serve attends to masters until ctx is done, then closes what it has.
	serve(ctx context.Context, b *Bus) error
}

// Serve answers on ports until ctx is done, closes them, and returns nil. It
// returns early with an error when a port fails. A Bus is served once at a time.
func (b *Bus) Serve(ctx context.Context, ports ...Port) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	failed := make([]error, len(ports))
	fine := false
	for i, p := range ports {
		_, piped := p.(Conn) // which may be on a clock of its own
		fine = fine || !piped
		all.Go(func() {
			if err := p.serve(ctx, b); err != nil && ctx.Err() == nil {
				failed[i] = fmt.Errorf("line %s: %w", b.c.Name, err)
				cancel()
			}
		})
	}
	b.transmit(ctx, fine)
	all.Wait()
	return errors.Join(failed...)
}

// Conn is a Port of one master that is connected already.
type Conn struct{ io.ReadWriteCloser }

func (c Conn) serve(ctx context.Context, b *Bus) error {
	b.attend(ctx, c)
	<-ctx.Done()
	return nil
}

// maxChunk is more than any frame has.
const maxChunk = 4096

// attend reads what one master sends until it hangs up or ctx is done, then
// closes the connection. Its errors are the master's doing.
func (b *Bus) attend(ctx context.Context, rw io.ReadWriteCloser) {
	ctx, cancel := context.WithCancel(ctx)
	closed := make(chan struct{})
	context.AfterFunc(ctx, func() {
		_ = rw.Close()
		close(closed)
	})
	defer func() { <-closed }()
	defer cancel()
	b.join(rw)
	defer b.leave(rw)
	chunk := make([]byte, maxChunk)
	for {
		n, err := rw.Read(chunk)
		if n > 0 {
			b.receive(chunk[:n])
		}
		if err != nil {
			return
		}
	}
}

func (b *Bus) join(w io.Writer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clients = append(slices.Clone(b.clients), w)
}

func (b *Bus) leave(w io.Writer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clients = slices.DeleteFunc(slices.Clone(b.clients), func(x io.Writer) bool { return x == w })
}
