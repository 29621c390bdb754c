package modbus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/modbus/profiles"
)

// TestFaults lets the first answer be wrong in one way and then wants: no wrong
// value, the fault counted as what it is, and the next read complete.
func TestFaults(t *testing.T) {
	edit := func(change func(frame []byte) []byte) handler {
		return func(_ int, request []byte, conn net.Conn) bool {
			_, err := conn.Write(change(rightAnswer(request)))
			return err == nil
		}
	}
	set := func(i int, v byte) handler {
		return edit(func(f []byte) []byte { f[i] = v; return f })
	}
	type outcome struct {
		fails   bool
		timeout bool
		stale   bool // counted by the end
		refused bool
		closed  bool
	}
	// A cut frame is completed by the head of the next one and thrown away as
	// an answer to its old request; what is left of the next one is refused.
	swallowed := outcome{fails: true, timeout: true, stale: true, refused: true, closed: true}
	refused := outcome{fails: true, refused: true, closed: true}
	tests := []struct {
		name  string
		fault handler
		want  outcome
	}{
		{"silent", func(int, []byte, net.Conn) bool { return true }, outcome{fails: true, timeout: true}},
		{"cut in two", func(_ int, request []byte, conn net.Conn) bool {
			frame := rightAnswer(request)
			conn.Write(frame[:5])
			conn.Write(frame[5:])
			return true
		}, outcome{}},
		{"sent twice", edit(func(f []byte) []byte { return append(f, f...) }), outcome{stale: true}},
		{"older id than the first request", edit(func(f []byte) []byte { f[1]--; return append(f, f...) }), refused},
		{"cut short, then whole", edit(func(f []byte) []byte { return append(slices.Clone(f[:len(f)-3]), f...) }), refused},
		{"cut short, then an exception", edit(func(f []byte) []byte {
			return append(slices.Clone(f[:len(f)-1]), exceptionAnswer(f, 6)...)
		}), refused},
		{"twice, differently", edit(func(f []byte) []byte {
			again := slices.Clone(f)
			again[9]++
			return append(f, again...)
		}), refused},
		{"tail behind the answer", edit(func(f []byte) []byte { return append(f, 0, 2, 0) }), refused},
		{"id of the future", edit(func(f []byte) []byte { f[1]++; return f }), refused},
		{"id far off", set(0, 0x77), refused},
		{"protocol id", set(2, 1), refused},
		{"wrong unit", set(6, 99), refused},
		{"wrong function", set(7, 4), refused},
		{"exception of another function", edit(func(f []byte) []byte { return append(f[:5], 3, f[6], 0x84, 2) }), refused},
		{"exception too long", edit(func(f []byte) []byte { return append(f[:5], 4, f[6], 0x83, 2, 2) }), refused},
		{"exception without code", edit(func(f []byte) []byte { return append(f[:5], 2, f[6], 0x83) }), refused},
		{"one register short, consistent", edit(func(f []byte) []byte {
			f[5], f[8] = f[5]-2, f[8]-2
			return f[:len(f)-2]
		}), refused},
		{"one register more, consistent", edit(func(f []byte) []byte {
			f[5], f[8] = f[5]+2, f[8]+2
			return append(f, 0, 0)
		}), refused},
		{"byte count too large", edit(func(f []byte) []byte { f[8] += 2; return f }), refused},
		{"length 0", set(5, 0), refused},
		{"length above the maximum", set(4, 1), refused},
		{"length too small by one", edit(func(f []byte) []byte { f[5]--; return f }), refused},
		{"length too large by one", edit(func(f []byte) []byte { f[5]++; return f }), swallowed},
		{"cut off", edit(func(f []byte) []byte { return f[:len(f)-3] }), swallowed},
		{"rubbish", edit(func([]byte) []byte { return []byte("login: Password: ") }), refused},
		{"HTTP", edit(func([]byte) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n\r\n") }), refused},
		{"connection closed", func(int, []byte, net.Conn) bool { return false }, outcome{fails: true, closed: true}},
		{"closed within the answer", func(_ int, request []byte, conn net.Conn) bool {
			conn.Write(rightAnswer(request)[:8])
			return false
		}, outcome{fails: true, closed: true}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			addr := startSlave(t, func(n int, request []byte, conn net.Conn) bool {
				if n == 0 {
					return tc.fault(n, request, conn)
				}
				return answerRight(n, request, conn)
			})
			l := newTestLine(t, lineConfig{
				Address: addr, Timeout: 60 * time.Millisecond, QuietTime: time.Millisecond, Retries: -1,
				Now: evenStart,
			})
			p := oracleProfile()
			m := mustSource(t, l, 7, p)
			readings, err := m.Read(t.Context())
			if (err != nil) != tc.want.fails {
				t.Fatalf("first read: error %v, want one: %v", err, tc.want.fails)
			}
			if says := err != nil && strings.Contains(err.Error(), "see no_transaction_id"); says != (tc.want.refused && !tc.want.timeout) {
				t.Errorf("error %v: names the remedy: %v", err, says)
			}
			if err != nil && adapters.ClassOf(err) != adapters.Transient {
				t.Errorf("class %s of %v", adapters.ClassOf(err), err)
			}
			if err := checkOracle(p, 7, readings); err != nil {
				t.Fatal(err)
			}
			// A cut frame may swallow the next answer, which then is refused.
			if _, err := m.Read(t.Context()); err != nil && !tc.want.timeout {
				t.Errorf("second read: %v", err)
			}
			readAll(t, m, p)
			s := l.Stats()
			got := outcome{tc.want.fails, s.Timeouts > 0, s.StaleFrames > 0, s.RefusedFrames > 0, s.Reconnects > 0}
			if got != tc.want {
				t.Errorf("outcome %+v, want %+v (%+v)", got, tc.want, s)
			}
		})
	}
}

// TestLateAnswer keeps the first answer back until the next request is there,
// which is what goburrow's own transporter never recovers from.
func TestLateAnswer(t *testing.T) {
	for _, retries := range []int{-1, 1} {
		t.Run(fmt.Sprintf("retries %d", retries), func(t *testing.T) {
			var held []byte
			addr := startSlave(t, func(n int, request []byte, conn net.Conn) bool {
				if n == 0 {
					held = rightAnswer(request)
					return true
				}
				_, err := conn.Write(append(held, rightAnswer(request)...))
				held = nil
				return err == nil
			})
			l := newTestLine(t, lineConfig{Address: addr, Timeout: 40 * time.Millisecond, Retries: retries})
			p := oracleProfile()
			m := mustSource(t, l, 3, p)
			if retries < 0 {
				if readings, err := m.Read(t.Context()); err == nil || len(readings) != 0 {
					t.Fatalf("got %v, %v", readings, err)
				}
			}
			readAll(t, m, p)
			readAll(t, m, p)
			if s := l.Stats(); s.StaleFrames != 1 || s.Timeouts != 1 || s.Reconnects != 0 || s.RefusedFrames != 0 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

// TestNoTransactionID: a gateway that always answers with id 2 works, and after
// a timeout the connection is given up together with its late answer.
func TestNoTransactionID(t *testing.T) {
	type late struct {
		conn  net.Conn
		frame []byte
	}
	held := make(chan late, 1)
	addr := startSlave(t, func(n int, request []byte, conn net.Conn) bool {
		frame := rightAnswer(request)
		frame[0], frame[1] = 0, 2
		switch n {
		case 2:
			held <- late{conn, frame}
			return true
		case 3:
			old := <-held
			old.conn.Write(old.frame) // dies with its connection
		}
		_, err := conn.Write(frame)
		return err == nil
	})
	p := oracleProfile()
	var dials recordDials
	l := newTestLine(t, lineConfig{
		Address: addr, Timeout: 40 * time.Millisecond, QuietTime: time.Millisecond, Retries: -1, NoTransactionID: true,
		Dial: dials.dial,
	})
	m := mustSource(t, l, 3, p)
	readAll(t, m, p)
	if _, err := m.Read(t.Context()); err == nil {
		t.Fatal("a silent device gave no error")
	}
	if _, err := dials.conn.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("the connection outlived the timeout: %v", err)
	}
	readAll(t, m, p)
	if s := l.Stats(); s.Reconnects != 1 {
		t.Errorf("stats %+v", s)
	}
}

// TestPendingBytes: what arrives between two requests is never taken for an
// answer.
func TestPendingBytes(t *testing.T) {
	tests := []struct {
		name    string
		noID    bool
		wrapped bool // the connection has no descriptor to read from
		extra   func(answer []byte) []byte
		refused uint64
		stale   uint64
	}{
		{"answer again", false, false, func(f []byte) []byte { return f }, 0, 2},
		{"answer again, wrapped", false, true, func(f []byte) []byte { return f }, 0, 2},
		{"answer again without ids", true, false, func(f []byte) []byte { return f }, 2, 0},
		{"answer again without ids, wrapped", true, true, func(f []byte) []byte { return f }, 2, 0},
		{"part of a frame without ids", true, false, func(f []byte) []byte { return f[:4] }, 2, 0},
		{"part of a frame without ids, wrapped", true, true, func(f []byte) []byte { return f[:4] }, 2, 0},
		{"answer to the next request", false, false, func(f []byte) []byte { f[1]++; return f }, 2, 0},
		{"rubbish", false, false, func([]byte) []byte { return []byte("rubbish") }, 2, 0},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			type answered struct {
				conn  net.Conn
				frame []byte
			}
			sent := make(chan answered, 10)
			addr := startSlave(t, func(n int, request []byte, conn net.Conn) bool {
				sent <- answered{conn, rightAnswer(request)}
				return answerRight(n, request, conn)
			})
			c := lineConfig{
				Address: addr, Timeout: time.Second, QuietTime: -1, NoTransactionID: tc.noID, Retries: -1, Now: evenStart,
			}
			if tc.wrapped {
				c.Dial = dialWrapped
			}
			l := newTestLine(t, c)
			p := titled(&profiles.Profile{ID: "one", MaxRegisters: 10, Fields: []profiles.Field{u16Field("power.voltage.l1", 3, 10)}})
			m := mustSource(t, l, 3, p)
			for range 3 {
				readAll(t, m, p)
				a := <-sent
				if _, err := a.conn.Write(tc.extra(a.frame)); err != nil {
					t.Fatal(err)
				}
			}
			if s := l.Stats(); s.RefusedFrames != tc.refused || s.StaleFrames != tc.stale {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

// dialWrapped gives a connection that can do what a net.Conn must, and no more.
func dialWrapped(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	return struct{ net.Conn }{conn}, err
}

// evenStart is a clock whose line begins with transaction id 1.
func evenStart() time.Time { return time.UnixMilli(1_700_000_000_000 &^ 0xFFFF) }
