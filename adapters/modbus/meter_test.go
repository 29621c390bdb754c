package modbus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

func u16Field(q schemas.Quantity, function uint8, at uint16) profiles.Field {
	return profiles.Field{Quantity: q, Parts: []profiles.Part{
		{Function: function, At: at, Type: profiles.U16, Words: 1, Order: profiles.ABCD, Times: 1},
	}}
}

// oracleProfile reads three quantities by two requests of equal shape, so that
// the answer to one would fit the other.
func oracleProfile() *profiles.Profile {
	return titled(&profiles.Profile{
		ID: "test-oracle", Medium: schemas.Power, MaxRegisters: 125, MaxGap: 4,
		Fields: []profiles.Field{
			u16Field("power.voltage.l1", 3, 10), u16Field("power.voltage.l2", 3, 13),
			u16Field("power.voltage.l3", 3, 100), u16Field("power.voltage", 3, 103),
		},
	})
}

// checkOracle reports the readings that are not what the unit's registers hold.
func checkOracle(p *profiles.Profile, unit uint8, readings []schemas.Reading) error {
	for _, r := range readings {
		if err := r.Validate(); err != nil {
			return err
		}
		i := slices.IndexFunc(p.Fields, func(f profiles.Field) bool { return f.Quantity == r.Quantity })
		part := p.Fields[i].Parts[0]
		if want := int64(register(unit, part.Function, part.At)); r.Quality != schemas.Good || r.Value.Mantissa != want {
			return fmt.Errorf("unit %d %s is %s (%s), want %d", unit, r.Quantity, r.Value, r.Quality, want)
		}
	}
	return nil
}

func mustSource(t testing.TB, l *testLine, unit uint8, p *profiles.Profile) *Meter {
	t.Helper()
	m, err := l.Source("M-1", unit, p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func answerRight(_ int, request []byte, conn net.Conn) bool {
	_, err := conn.Write(rightAnswer(request))
	return err == nil
}

// readAll reads once and wants every value, right.
func readAll(t *testing.T, m *Meter, p *profiles.Profile) {
	t.Helper()
	readings, err := m.Read(t.Context())
	if err != nil || len(readings) != len(p.Fields) {
		t.Fatalf("read %d of %d values, error %v", len(readings), len(p.Fields), err)
	}
	if err := checkOracle(p, m.unit, readings); err != nil {
		t.Fatal(err)
	}
}

func TestExceptions(t *testing.T) {
	tests := []struct {
		code     byte
		class    adapters.Class
		requests uint64 // with one retry
		again    uint64 // by a second read
		text     string
	}{
		{1, adapters.Config, 2, 2, "the meter refuses function 3: exception 01, illegal function: it does not have this function; compare function"},
		{2, adapters.Config, 6, 6, "the meter refuses function 3: exception 02, illegal data address: it has no such register; compare the profile"},
		{3, adapters.Config, 6, 6, "the meter refuses function 3: exception 03, illegal data value: it does not give these registers together; compare"},
		{4, adapters.Slow, 2, 2, "the meter refuses function 3: exception 04, device failure: it has a fault of its own"},
		{5, adapters.Transient, 4, 4, "the meter refuses function 3: exception 05, accepted, needs time: it is asked again later"},
		{6, adapters.Transient, 4, 4, "the meter refuses function 3: exception 06, device busy: it is asked again later"},
		{8, adapters.Slow, 2, 2, "the meter refuses function 3: exception 08, memory parity error: its memory is damaged"},
		{10, adapters.Transient, 2, 1, "the gateway refuses function 3: exception 0A, gateway has no path: check the meter's unit address"},
		{11, adapters.Transient, 2, 1, "the gateway refuses function 3: exception 0B, no answer behind the gateway: the meter behind it is silent"},
		{99, adapters.Slow, 2, 2, "the meter refuses function 3: exception 63, reserved: the standard does not define this code"},
	}
	for _, tc := range tests {
		t.Run(fmt.Sprintf("%02X", tc.code), func(t *testing.T) {
			addr := startSlave(t, func(_ int, request []byte, conn net.Conn) bool {
				_, err := conn.Write(exceptionAnswer(request, tc.code))
				return err == nil
			})
			l := newTestLine(t, lineConfig{Name: "riser 3", Address: addr, Timeout: time.Second})
			m := mustSource(t, l, 0xF7, oracleProfile())
			readings, err := m.Read(t.Context())
			if len(readings) != 0 || adapters.ClassOf(err) != tc.class {
				t.Errorf("got %v, %v (class %s, want %s)", readings, err, adapters.ClassOf(err), tc.class)
			}
			want := " of unit 247 at riser 3 (" + addr + "): " + tc.text
			if err == nil || !strings.HasPrefix(err.Error(), "meter M-1: holding registers 0x000A-") || !strings.Contains(err.Error(), want) {
				t.Errorf("error %q, want %q in it", err, want)
			}
			if s := l.Stats(); s.Requests != tc.requests || s.Reconnects != 0 || s.Exceptions != tc.requests {
				t.Errorf("stats %+v, want %d requests", s, tc.requests)
			}
			// A device that refuses everything keeps its joined requests.
			if _, err := m.Read(t.Context()); err == nil || l.Stats().Requests != tc.requests+tc.again {
				t.Errorf("second read: %v, stats %+v", err, l.Stats())
			}
		})
	}
}

// TestSplitOnRefusal: a device without the registers 11 and 12 refuses to have
// them read across; the meter learns it once.
func TestSplitOnRefusal(t *testing.T) {
	addr := startSlave(t, func(_ int, request []byte, conn net.Conn) bool {
		frame := rightAnswer(request)
		if at, n := request[9], request[11]; at <= 12 && at+n > 11 {
			frame = exceptionAnswer(request, 2)
		}
		_, err := conn.Write(frame)
		return err == nil
	})
	p := oracleProfile()
	l := newTestLine(t, lineConfig{Address: addr, Timeout: time.Second})
	m := mustSource(t, l, 1, p)
	readAll(t, m, p)
	if s := l.Stats(); s.Requests != 4 || s.Exceptions != 1 {
		t.Errorf("first read: %+v", s)
	}
	readAll(t, m, p)
	if s := l.Stats(); s.Requests != 7 || s.Exceptions != 1 {
		t.Errorf("second read: %+v", s)
	}
}

// TestPartial: one refused request costs its own values and no others.
func TestPartial(t *testing.T) {
	addr := startSlave(t, func(_ int, request []byte, conn net.Conn) bool {
		frame := rightAnswer(request)
		if request[9] < 50 {
			frame = exceptionAnswer(request, 4)
		}
		_, err := conn.Write(frame)
		return err == nil
	})
	p := oracleProfile()
	m := mustSource(t, newTestLine(t, lineConfig{Address: addr, Timeout: time.Second}), 1, p)
	readings, err := m.Read(t.Context())
	if adapters.ClassOf(err) != adapters.Slow || len(readings) != 2 {
		t.Fatalf("got %v, %v", readings, err)
	}
	if err := checkOracle(p, 1, readings); err != nil {
		t.Fatal(err)
	}
}

// TestReconnects: a connection lost or given back between reads costs nothing.
func TestReconnects(t *testing.T) {
	closeNow := make(chan net.Conn, 1)
	addr := startSlave(t, func(n int, request []byte, conn net.Conn) bool {
		answerRight(n, request, conn)
		if n == 1 {
			closeNow <- conn
			return false
		}
		return true
	})
	p := oracleProfile()
	var dials recordDials
	l := newTestLine(t, lineConfig{Address: addr, Timeout: time.Second, QuietTime: time.Hour, Retries: -1, Dial: dials.dial})
	m := mustSource(t, l, 1, p)
	readAll(t, m, p)
	waitClosed(t, dials.conn)
	readAll(t, m, p)
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	readAll(t, m, p)
	if s := l.Stats(); s.Reconnects != 2 || s.Requests != 6 {
		t.Errorf("stats %+v", s)
	}
}

// waitClosed waits until the end of the connection has arrived.
func waitClosed(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("connection still open: %d bytes, %v", n, err)
	}
}

// TestDeafConnection: a path that swallows everything is given up after three
// timeouts, although the device echoes ids.
func TestDeafConnection(t *testing.T) {
	const deafAfter = 3
	addr := startSlave(t, func(n int, request []byte, conn net.Conn) bool {
		return n < deafAfter || answerRight(n, request, conn)
	})
	p := oracleProfile()
	l := newTestLine(t, lineConfig{Address: addr, Timeout: 100 * time.Millisecond, QuietTime: time.Hour, Retries: -1})
	m := mustSource(t, l, 1, p)
	for range deafAfter {
		if _, err := m.Read(t.Context()); err == nil {
			t.Fatal("silence gave no error")
		}
	}
	readAll(t, m, p)
	if s := l.Stats(); s.Reconnects != 1 || s.Timeouts != deafAfter {
		t.Errorf("stats %+v", s)
	}
}

func TestContext(t *testing.T) {
	asked := make(chan bool, 10)
	addr := startSlave(t, func(int, []byte, net.Conn) bool { asked <- true; return true })
	l := newTestLine(t, lineConfig{Address: addr, Timeout: time.Hour})
	m := mustSource(t, l, 1, oracleProfile())

	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := m.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled while waiting: %v", err)
	}
	if _, err := m.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := m.Read(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("deadline: %v", err)
	}
	// The line's turn is honoured and waiting for it is cancelled too.
	turn, err := l.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer turn.End()
	_, err = m.Read(ctx)
	want := "meter M-1: waited for the line " + addr + ": context deadline exceeded: it is busy with other meters; lengthen the interval"
	if !errors.Is(err, context.DeadlineExceeded) || err.Error() != want {
		t.Errorf("while waiting for the line: %v", err)
	}
}

// lateContext is a context whose deadline has passed and which does not know
// it yet: its timer may fire later than that of a connection.
type lateContext struct{ context.Context }

func (lateContext) Deadline() (time.Time, bool) { return time.Unix(1, 0), true }

// TestDeadlineWhileConnecting: the connection's deadline strikes first, and yet
// it is the context that ended.
func TestDeadlineWhileConnecting(t *testing.T) {
	dials := 0
	l := newTestLine(t, lineConfig{Address: "nowhere", Timeout: time.Hour, Dial: func(context.Context, string, string) (net.Conn, error) {
		dials++
		return nil, &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}
	}})
	_, err := mustSource(t, l, 1, oracleProfile()).Read(lateContext{t.Context()})
	if !errors.Is(err, context.DeadlineExceeded) || dials != 1 {
		t.Errorf("after %d dials: %v", dials, err)
	}
}

// TestProbe: a dead meter is asked once a read until it answers, and from then
// on with patience again.
func TestProbe(t *testing.T) {
	var dead atomic.Bool
	dead.Store(true)
	silentOnce := make(chan bool, 1)
	addr := startSlave(t, func(n int, request []byte, conn net.Conn) bool {
		select {
		case <-silentOnce:
			return true
		default:
			return dead.Load() || answerRight(n, request, conn)
		}
	})
	p := oracleProfile()
	l := newTestLine(t, lineConfig{Address: addr, Timeout: 50 * time.Millisecond, Retries: 2})
	m := mustSource(t, l, 1, p)
	for _, want := range []uint64{3, 4, 5} {
		if _, err := m.Read(t.Context()); err == nil || l.Stats().Requests != want {
			t.Errorf("%d requests, want %d; %v", l.Stats().Requests, want, err)
		}
	}
	dead.Store(false)
	readAll(t, m, p)
	silentOnce <- true
	readAll(t, m, p)
	if s := l.Stats(); s.Requests != 5+2+3 {
		t.Errorf("stats %+v", s)
	}
}

// TestProbeThenPatience: only the first request of a probe is tried once.
func TestProbeThenPatience(t *testing.T) {
	addr := startSlave(t, func(n int, request []byte, conn net.Conn) bool {
		return n < 2 || n == 3 || answerRight(n, request, conn)
	})
	p := oracleProfile()
	m := mustSource(t, newTestLine(t, lineConfig{Address: addr, Timeout: 50 * time.Millisecond}), 1, p)
	if _, err := m.Read(t.Context()); err == nil {
		t.Fatal("silence gave no error")
	}
	readAll(t, m, p)
}

// TestCancelledWhileConnecting: a cancellation that finds no connection to
// interrupt yet is not forgotten.
func TestCancelledWhileConnecting(t *testing.T) {
	addr := startSlave(t, answerRight)
	ctx, cancel := context.WithCancel(t.Context())
	l := newTestLine(t, lineConfig{Address: addr, Timeout: time.Second, Dial: func(_ context.Context, network, address string) (net.Conn, error) {
		conn, err := net.Dial(network, address)
		cancel()
		return conn, err
	}})
	_, err := mustSource(t, l, 1, oracleProfile()).Read(ctx)
	if !errors.Is(err, context.Canceled) || l.Stats().Requests != 0 {
		t.Errorf("got %v, stats %+v", err, l.Stats())
	}
}

// TestConcurrentMeters: meters of one line read from several goroutines, some
// of them cancelled, still get their own values.
func TestConcurrentMeters(t *testing.T) {
	addr := startSlave(t, answerRight)
	l := newTestLine(t, lineConfig{Address: addr, Timeout: time.Second})
	p := oracleProfile()
	done := make(chan error)
	for unit := range uint8(8) {
		m := mustSource(t, l, unit, p)
		go func() {
			var bad error
			for i := range 100 {
				ctx, cancel := context.WithCancel(t.Context())
				if i%7 == 0 {
					go cancel()
				}
				readings, err := m.Read(ctx)
				cancel()
				if err != nil && !errors.Is(err, context.Canceled) {
					bad = err
				}
				if err := checkOracle(p, unit, readings); err != nil {
					bad = err
				}
			}
			done <- bad
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	m := mustSource(t, newTestLine(t, lineConfig{Address: addr, Timeout: time.Second}), 1, oracleProfile())
	readings, err := m.Read(t.Context())
	if len(readings) != 0 || err == nil || adapters.ClassOf(err) != adapters.Transient {
		t.Fatalf("got %v, %v", readings, err)
	}
	if want := "look whether the gateway is on the network and the port is right"; !strings.Contains(err.Error(), want) {
		t.Errorf("error %q does not say %q", err, want)
	}
}

func TestSourceRefuses(t *testing.T) {
	l := openLine(lineConfig{Address: "127.0.0.1:1"})
	if _, err := l.Source("not an id", 1, oracleProfile()); err == nil {
		t.Error("a bad meter id was accepted")
	}
	if _, err := l.Source("M-1", 1, &profiles.Profile{ID: "empty", MaxRegisters: 1}); err == nil {
		t.Error("a profile without fields was accepted")
	}
}
