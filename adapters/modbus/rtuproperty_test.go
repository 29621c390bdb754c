package modbus

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/adapters/line"
	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// tick is how finely the registers of a rtuChaos show its clock.
const tick = 10 * time.Millisecond

// ticks is what the clock registers hold at a moment.
func ticks(at time.Time) uint16 { return uint16(at.UnixNano() / int64(tick)) }

// rtuChaos is a bus whose devices misbehave at random. It answers in the order
// in which it was asked, as one wire must. Even registers hold a function of
// unit, function and address, odd ones the time at which they were read.
type rtuChaos struct {
	mu      sync.Mutex
	rng     *rand.Rand
	timeout time.Duration
	health  atomic.Int64 // of 100 answers, how many are plainly right
}

func (c *rtuChaos) value(unit, function uint8, at uint16) uint16 {
	if at%2 == 0 {
		return register(unit, function, at)
	}
	return ticks(time.Now())
}

// bursts decides what a request gives. Noise and damage are what a wire does:
// a frame with a right CRC is always one that some device sent.
func (c *rtuChaos) bursts(request []byte) []burst {
	c.mu.Lock()
	defer c.mu.Unlock()
	frame := rtuAnswer(request, c.value)
	late := c.timeout/2 + time.Duration(c.rng.Int64N(int64(3*c.timeout)))
	if c.rng.Int64N(100) < c.health.Load() {
		return []burst{{bytes: frame}}
	}
	switch c.rng.IntN(11) {
	case 0: // late
		return []burst{{after: late, bytes: frame}}
	case 1: // in two, the second half perhaps late
		cut := c.rng.IntN(len(frame))
		return []burst{{bytes: frame[:cut]}, {after: time.Duration(c.rng.Int64N(int64(c.timeout + c.timeout/4))), bytes: frame[cut:]}}
	case 2: // torn: the rest never comes
		return []burst{{bytes: frame[:c.rng.IntN(len(frame))]}}
	case 3: // another unit's answer, whole
		other := append([]byte{request[0]%5 + 1}, request[1:]...)
		return []burst{{bytes: rtuAnswer(other, c.value)}}
	case 4: // damaged
		frame[c.rng.IntN(len(frame))] ^= byte(1 << c.rng.IntN(8))
		return []burst{{bytes: frame}}
	case 5: // noise alone
		return []burst{{bytes: c.noise(1 + c.rng.IntN(300))}}
	case 6: // noise before
		return []burst{{bytes: append(c.noise(1+c.rng.IntN(4)), frame...)}}
	case 7: // noise behind, perhaps later
		return []burst{{bytes: frame}, {after: time.Duration(c.rng.Int64N(int64(c.timeout))), bytes: c.noise(1 + c.rng.IntN(4))}}
	case 8: // refused, or busy
		return []burst{{bytes: rtuRefusal(request, []byte{2, 4, 6, 11}[c.rng.IntN(4)])}}
	case 9: // silent
		return nil
	default: // twice, the second perhaps late
		return []burst{{bytes: frame}, {after: time.Duration(c.rng.Int64N(int64(late))), bytes: frame}}
	}
}

func (c *rtuChaos) noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(c.rng.Uint32())
	}
	return b
}

// serve takes requests at once and answers them one after another.
func (c *rtuChaos) serve(rw io.ReadWriter) {
	queue := make(chan burst, 1024)
	var writer sync.WaitGroup
	writer.Go(func() {
		for b := range queue {
			time.Sleep(b.after) // the fault itself; the clock is the bubble's or the time tiny
			rw.Write(b.bytes)
		}
	})
	request := make([]byte, rtuRequest)
	for {
		if _, err := io.ReadFull(rw, request); err != nil {
			break
		}
		for _, b := range c.bursts(request) {
			queue <- b
		}
	}
	close(queue)
	writer.Wait()
}

// clockProfile reads pairs of a place and a time by four requests of one shape.
// Where stiff, the last cannot be widened.
func clockProfile(stiff bool) *profiles.Profile {
	p := &profiles.Profile{ID: "clock", MaxRegisters: 20, MaxGap: 2}
	if stiff {
		p.Holes = []profiles.Span{{Function: 3, From: 398, To: 399}, {Function: 3, From: 404, To: 406}}
	}
	for i, at := range []uint16{0, 2, 100, 102, 200, 202, 400, 402} {
		f := profiles.Field{Quantity: powerQuantities()[i], Parts: []profiles.Part{part(at, profiles.U32, 2, abcd)}}
		p.Fields = append(p.Fields, f)
	}
	return titled(p)
}

// checkClock reports readings that are not what the unit's registers held
// between start and now.
func checkClock(p *profiles.Profile, unit uint8, start time.Time, readings []schemas.Reading) error {
	first, last := ticks(start), ticks(time.Now())
	at := map[schemas.Quantity]uint16{}
	for _, f := range p.Fields {
		at[f.Quantity] = f.Parts[0].At
	}
	for _, r := range readings {
		v := uint32(r.Value.Mantissa)
		if place := uint16(v >> 16); r.Quality != schemas.Good || place != register(unit, 3, at[r.Quantity]) {
			return fmt.Errorf("unit %d %s is of another place: %08X", unit, r.Quantity, v)
		}
		if age := uint16(v) - first; age > last-first {
			return fmt.Errorf("unit %d %s is of another time: %d ticks from the start of a read of %d", unit, r.Quantity, int16(age), last-first)
		}
	}
	return nil
}

// TestNeverWrongRTU is the promise of the package on a wire: every value is of
// its unit, its register and its time, over 10^5 requests of which half are
// disturbed. The quiet time is longer than the slowest answer, as it must be.
func TestNeverWrongRTU(t *testing.T) {
	requests := uint64(60_000)
	if testing.Short() {
		requests = 5_000
	}
	for _, tc := range []struct {
		name   string
		server bool
		seed   uint64
	}{
		{"port", false, 1},
		{"serial server", true, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { neverWrongRTU(t, tc.server, tc.seed, requests) })
		})
	}
}

func neverWrongRTU(t *testing.T, server bool, seed, requests uint64) {
	const timeout, quiet = 100 * time.Millisecond, 400 * time.Millisecond
	c := &rtuChaos{rng: rand.New(rand.NewPCG(seed, 4)), timeout: timeout}
	c.health.Store(50)
	var devices sync.WaitGroup
	open := pipePort(&devices, c.serve)
	config := lineConfig{
		Address: "/dev/bubble", Serial: &line.Serial{Baud: 9600, DataBits: 8, Parity: line.Even, StopBits: 1},
		Timeout: timeout, QuietTime: quiet, Open: open, Monitor: noEqualShapes(t, quiet),
	}
	if server {
		config.Address = "bubble:1"
		config.Dial = func(context.Context, string, string) (net.Conn, error) {
			port, err := open("", line.Serial{})
			return port.(net.Conn), err
		}
	}
	l := openLine(config)
	p := clockProfile(true)
	values, complete, bad := tormentRTU(l, p, rand.New(rand.NewPCG(seed, 2)), requests)
	if bad != nil {
		t.Error(bad)
	}
	s := l.Stats()
	t.Logf("%d values, %d reads complete; %+v", values, complete, s)
	if complete == 0 || s.Timeouts == 0 || s.RefusedFrames == 0 || s.BytesDiscarded == 0 || s.Exceptions == 0 {
		t.Error("the devices did not misbehave as intended")
	}
	c.health.Store(100)
	time.Sleep(10 * timeout) // what is under way arrives; the bubble's clock
	m := mustSource(t, l, 1, p)
	m.Read(t.Context()) // may meet the last of it
	start := time.Now()
	if readings, err := m.Read(t.Context()); err != nil || len(readings) != len(p.Fields) || checkClock(p, 1, start, readings) != nil {
		t.Errorf("not well again: %v, %v", readings, err)
	}
	l.Close()
	devices.Wait()
}

// tormentRTU reads at random units until the line has made n requests.
func tormentRTU(l *testLine, p *profiles.Profile, rng *rand.Rand, n uint64) (values, complete int, bad error) {
	var meters []*Meter
	for unit := range uint8(5) {
		m, err := l.Source("M-1", unit+1, p)
		if err != nil {
			return 0, 0, err
		}
		meters = append(meters, m)
	}
	for l.Stats().Requests < n {
		m := meters[rng.IntN(len(meters))]
		start := time.Now()
		readings, err := m.Read(context.Background())
		if bad := checkClock(p, m.unit, start, readings); bad != nil {
			return values, complete, fmt.Errorf("wrong value after %d requests: %w", l.Stats().Requests, bad)
		}
		values += len(readings)
		if err == nil {
			complete++
		}
	}
	return values, complete, nil
}

// TestNeverWrongPTY is the same on a pseudo-terminal, where bytes come in runs
// of the system's making.
func TestNeverWrongPTY(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const timeout = 4 * time.Millisecond
	c := &rtuChaos{rng: rand.New(rand.NewPCG(5, 6)), timeout: timeout}
	c.health.Store(80)
	device := openPTY(t, func(master *os.File) { c.serve(master) })
	l := newTestLine(t, lineConfig{
		Address: device, Serial: fastSerial(), Timeout: timeout, QuietTime: 2 * timeout, Monitor: noEqualShapes(t, 2*timeout),
	})
	values, complete, bad := tormentRTU(l, clockProfile(false), rand.New(rand.NewPCG(7, 8)), 2000)
	if bad != nil {
		t.Error(bad)
	}
	t.Logf("%d values, %d reads complete; %+v", values, complete, l.Stats())
	if complete == 0 {
		t.Error("no read was complete")
	}
}
