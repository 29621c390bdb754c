package modbus

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/adapters"
)

// chaos is a device that misbehaves at random but never lies: a whole frame
// with the right id, unit, function and size holds the right registers.
type chaos struct {
	mu      sync.Mutex // over rng: an old connection may end while a new one begins
	rng     *rand.Rand
	timeout time.Duration
	noID    bool
	health  atomic.Int64 // of 100 answers, how many are plainly right
}

type burst struct {
	after time.Duration
	bytes []byte
	close bool
}

// bursts decides what a request gives.
func (c *chaos) bursts(request []byte) []burst {
	c.mu.Lock()
	defer c.mu.Unlock()
	frame := rightAnswer(request)
	if c.noID {
		frame[0], frame[1] = 0, 2
	}
	late := c.timeout + time.Duration(c.rng.Int64N(int64(2*c.timeout)))
	if c.rng.Int64N(100) < c.health.Load() {
		return []burst{{bytes: frame}}
	}
	faults := 9
	if c.noID {
		faults = 7 // sending twice cannot be told without ids
	}
	switch c.rng.IntN(faults) {
	case 0: // late
		return []burst{{after: late, bytes: frame}}
	case 1: // split, the second half perhaps late
		cut := c.rng.IntN(len(frame))
		pause := time.Duration(c.rng.Int64N(int64(c.timeout + c.timeout/4)))
		return []burst{{bytes: frame[:cut]}, {after: pause, bytes: frame[cut:]}}
	case 2: // another unit
		frame[6] ^= byte(1 + c.rng.IntN(255))
		return []burst{{bytes: frame}}
	case 3: // rubbish
		b := make([]byte, 1+c.rng.IntN(300))
		for i := range b {
			b[i] = byte(c.rng.Uint32())
		}
		return []burst{{bytes: b}}
	case 4: // the connection goes, perhaps within the answer
		return []burst{{bytes: frame[:c.rng.IntN(len(frame))], close: true}}
	case 5: // refused, or busy
		return []burst{{bytes: exceptionAnswer(frame, []byte{2, 4, 6, 11}[c.rng.IntN(4)])}}
	case 6: // silent
		return nil
	case 7: // twice, the second perhaps late
		return []burst{{bytes: frame}, {after: time.Duration(c.rng.Int64N(int64(late))), bytes: frame}}
	default: // cut short, then whole: one segment
		return []burst{{bytes: append(append([]byte(nil), frame[:c.rng.IntN(len(frame))]...), frame...)}}
	}
}

// serve reads requests from conn and writes what bursts says, in order, without
// the writing ever holding up the reading.
func (c *chaos) serve(conn net.Conn) {
	queue := make(chan burst, 1024)
	var writer sync.WaitGroup
	writer.Go(func() {
		defer conn.Close()
		for b := range queue {
			time.Sleep(b.after) // the fault itself; the clock is the bubble's or the time tiny
			if _, err := conn.Write(b.bytes); err != nil || b.close {
				break
			}
		}
		for range queue { // until the reader has gone too
		}
	})
	var buf [maxFrame]byte
	for {
		request, err := readRequest(conn, &buf)
		if err != nil {
			break
		}
		for _, b := range c.bursts(request) {
			queue <- b
		}
	}
	close(queue)
	conn.Close()
	writer.Wait()
}

// dialer returns a Dial that leads to the device without a network.
func (c *chaos) dialer(wg *sync.WaitGroup) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		wg.Go(func() { c.serve(theirs) })
		return ours, nil
	}
}

// torment reads at random units until the line has made n requests and returns
// how many reads were complete. Any wrong value fails the test.
func torment(t *testing.T, l *testLine, rng *rand.Rand, n uint64) (reads, complete int) {
	t.Helper()
	p := oracleProfile()
	var meters []*Meter
	for unit := range uint8(5) {
		meters = append(meters, mustSource(t, l, unit+1, p))
	}
	for l.Stats().Requests < n {
		m := meters[rng.IntN(len(meters))]
		readings, err := m.Read(t.Context())
		if bad := checkOracle(p, m.unit, readings); bad != nil {
			t.Fatalf("wrong value after %d requests: %v", l.Stats().Requests, bad)
		}
		var named *adapters.Error
		if err != nil && !errors.As(err, &named) {
			t.Fatalf("error without a name: %v", err)
		}
		reads++
		if err == nil {
			complete++
		}
	}
	return reads, complete
}

// TestNeverWrong is the promise of the package, tried on 60,000 requests of
// which half are disturbed; and when the disturbance ends, the line is well
// again at once.
func TestNeverWrong(t *testing.T) {
	for _, noID := range []bool{false, true} {
		name := "with ids"
		if noID {
			name = "without ids"
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { neverWrong(t, noID, 30_000) })
		})
	}
}

func neverWrong(t *testing.T, noID bool, requests uint64) {
	const timeout = 100 * time.Millisecond
	rng := rand.New(rand.NewPCG(1, 2))
	c := &chaos{rng: rand.New(rand.NewPCG(3, 4)), timeout: timeout, noID: noID}
	c.health.Store(50)
	var slaves sync.WaitGroup
	l := openLine(lineConfig{
		Address: "bubble", Timeout: timeout, QuietTime: 4 * timeout,
		NoTransactionID: noID, Dial: c.dialer(&slaves),
	})
	reads, complete := torment(t, l, rng, requests)
	c.health.Store(100)
	time.Sleep(10 * timeout) // what is under way arrives; the bubble's clock
	p := oracleProfile()
	m := mustSource(t, l, 1, p)
	m.Read(t.Context()) // may meet what is still in the pipe
	readAll(t, m, p)
	s := l.Stats()
	t.Logf("%d of %d reads complete; %+v", complete, reads, s)
	if complete == 0 || complete == reads || s.Timeouts == 0 || s.RefusedFrames == 0 || s.Reconnects == 0 || !noID && s.StaleFrames == 0 {
		t.Error("the device did not misbehave as intended")
	}
	if err := l.Close(); err != nil && !errors.Is(err, io.ErrClosedPipe) {
		t.Error(err)
	}
	slaves.Wait()
}

// TestNeverWrongTCP is the same over real sockets, where segments join and what
// is pending is drained before a request.
func TestNeverWrongTCP(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const timeout = 3 * time.Millisecond
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &chaos{rng: rand.New(rand.NewPCG(5, 6)), timeout: timeout}
	c.health.Store(70)
	var slaves sync.WaitGroup
	slaves.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			c.serve(conn) // one connection at a time, as many devices do
		}
	})
	l := openLine(lineConfig{Address: ln.Addr().String(), Timeout: timeout, QuietTime: timeout})
	reads, complete := torment(t, l, rand.New(rand.NewPCG(7, 8)), 1500)
	t.Logf("%d of %d reads complete; %+v", complete, reads, l.Stats())
	if complete == 0 {
		t.Error("no read was complete")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	ln.Close()
	slaves.Wait()
}
