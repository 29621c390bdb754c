package line

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// stub is a connection or port for a bubble. Its reads are those of the runtime:
// once the deadline is past, they give nothing, whatever has come.
type stub struct {
	net.Conn // nil: what is not below is not used
	until    time.Time
	due      []due
	// stall is how long the process is held up before the n-th read returns.
	stall func(n int) time.Duration
	// sent is called with each write.
	sent  func(n int, b []byte)
	reads int
	// lost: the other side is gone.
	lost   bool
	writes []time.Time
	buffer *os.File // what the system holds, for reads without waiting; or nil
}

type due struct {
	at time.Time
	b  []byte
}

func (s *stub) Close() error                  { return nil }
func (s *stub) SetDeadline(t time.Time) error { s.until = t; return nil }

func (s *stub) Write(b []byte) (int, error) {
	s.writes = append(s.writes, time.Now())
	if s.sent != nil {
		s.sent(len(s.writes)-1, b)
	}
	return len(b), nil
}

// comes has b arrive after d.
func (s *stub) comes(d time.Duration, b ...byte) { s.due = append(s.due, due{time.Now().Add(d), b}) }

func (s *stub) Read(b []byte) (int, error) {
	n, err := s.read(b)
	if s.stall != nil {
		time.Sleep(s.stall(s.reads))
	}
	s.reads++
	return n, err
}

func (s *stub) read(b []byte) (int, error) {
	none := s.until.IsZero()
	if !none && !time.Now().Before(s.until) {
		return 0, os.ErrDeadlineExceeded
	}
	if s.lost {
		return 0, io.EOF
	}
	if len(s.due) == 0 || !none && s.due[0].at.After(s.until) {
		time.Sleep(time.Until(s.until))
		return 0, os.ErrDeadlineExceeded
	}
	time.Sleep(time.Until(s.due[0].at))
	n := copy(b, s.due[0].b)
	s.due = s.due[1:]
	return n, nil
}

// plugged is a stub that can be read without waiting.
type plugged struct{ *stub }

func (p plugged) SyscallConn() (syscall.RawConn, error) {
	raw, err := p.buffer.SyscallConn()
	return waiting{raw, p.stub}, err
}

// waiting waits as the runtime does: not at all once the deadline is past.
type waiting struct {
	syscall.RawConn
	stub *stub
}

func (w waiting) Read(func(fd uintptr) bool) error {
	_, err := w.stub.Read(nil)
	return err
}

// onStub runs f in a bubble with a line over s.
func onStub(t *testing.T, c Config, s *stub, f func(t *testing.T, l *Line)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c.Open = func(string, Serial) (Port, error) { return s, nil }
		c.Dial = func(context.Context, string, string) (net.Conn, error) {
			if s.buffer != nil {
				return plugged{s}, nil
			}
			return s, nil
		}
		l := New(c)
		defer l.Close()
		f(t, l)
	})
}

// askAt sends one word and returns the moment of its answer.
func askAt(t testing.TB, l *Line, w *word) (time.Time, error) {
	t.Helper()
	turn, err := l.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer turn.End()
	return turn.Ask(t.Context(), w, 0)
}

// TestHeldUp: an answer that is noticed late by an overloaded machine is taken
// as long as its moment is known well enough, and is then no answer to the next
// request either.
func TestHeldUp(t *testing.T) {
	const timeout = 100 * time.Millisecond
	for _, tc := range []struct {
		name  string
		stall time.Duration
		taken bool
	}{
		{"in time", 0, true},
		{"after the deadline", 85*time.Millisecond + heldUp, true},
		{"too late", 95*time.Millisecond + heldUp, false},
		{"an hour", time.Hour, false},
	} {
		for address, s := range map[string]*Serial{"gateway:1": nil, "server:1": nine(), "/dev/stub": nine()} {
			t.Run(tc.name+" "+address, func(t *testing.T) {
				d := &stub{}
				d.sent = func(n int, b []byte) {
					d.comes(10*time.Millisecond, right(b[0])...)
					d.stall = func(int) time.Duration { return 0 }
					if n == 0 {
						before := d.reads
						d.stall = func(read int) time.Duration {
							if read == before {
								return tc.stall
							}
							return 0
						}
					}
				}
				onStub(t, Config{Address: address, Serial: s, Timeout: timeout, QuietTime: -1}, d, func(t *testing.T, l *Line) {
					at, err := askAt(t, l, &word{ask: 1})
					if taken := err == nil; taken != tc.taken || err != nil && !isNoAnswer(err) {
						t.Errorf("%v", err)
					}
					if late := at.Sub(d.writes[0]) - timeout; err == nil && late > heldUp {
						t.Errorf("the reading is dated %s after the deadline", late)
					}
					if _, err := askAt(t, l, &word{ask: 2}); err != nil {
						t.Errorf("the next: %v", err)
					}
				})
			})
		}
	}
}

// TestHeldUpBeyondDeadline: the runtime reads nothing once the deadline is past.
// What the system holds by then is taken, unless nobody knows since when.
func TestHeldUpBeyondDeadline(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a connection cannot be read without waiting here")
	}
	for stall, taken := range map[time.Duration]bool{time.Millisecond: true, heldUp: false, time.Hour: false} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		d := &stub{buffer: r}
		d.sent = func(n int, b []byte) {
			w.Write(right(b[0]))
			d.stall = func(int) time.Duration { return stall }
		}
		onStub(t, Config{Address: "gateway:1", Timeout: 100 * time.Millisecond, QuietTime: -1}, d, func(t *testing.T, l *Line) {
			at, err := askAt(t, l, &word{ask: 1, names: true})
			if (err == nil) != taken || err != nil && !isNoAnswer(err) {
				t.Errorf("held up for %s: %v", stall, err)
			}
			if late := at.Sub(d.writes[0]) - 100*time.Millisecond; taken && (late < 0 || late > heldUp) {
				t.Errorf("held up for %s: dated %s after the deadline", stall, late)
			}
		})
		w.Close()
		r.Close()
	}
}

// TestMomentOfArrival: what is done with an answer does not move its moment.
func TestMomentOfArrival(t *testing.T) {
	d := &stub{}
	d.sent = func(_ int, b []byte) { d.comes(10*time.Millisecond, right(b[0])...) }
	slow := func(e Event) {
		if e.What == Received {
			time.Sleep(time.Minute)
		}
	}
	onStub(t, Config{Address: "/dev/stub", Serial: nine(), QuietTime: -1, Monitor: slow}, d, func(t *testing.T, l *Line) {
		at, err := askAt(t, l, &word{ask: 1})
		if err != nil || at.Sub(d.writes[0]) != 10*time.Millisecond {
			t.Errorf("dated %s after the request, %v", at.Sub(d.writes[0]), err)
		}
	})
}

// TestHeldUpWhileQuiet: what comes while the process is held up at the end of
// the quiet time came before the request.
func TestHeldUpWhileQuiet(t *testing.T) {
	d := &stub{}
	d.stall = func(n int) time.Duration {
		if n == 0 { // the quiet time is over
			d.comes(0, right(1)...)
			return 50 * time.Millisecond
		}
		return 0
	}
	onStub(t, Config{Address: "/dev/stub", Serial: nine(), QuietTime: 300 * time.Millisecond, Timeout: time.Second}, d, func(t *testing.T, l *Line) {
		if at, err := askAt(t, l, &word{ask: 1}); !isNoAnswer(err) {
			t.Errorf("took what came before the request: %s, %v", at.Sub(d.writes[0]), err)
		}
	})
}

// TestNeverSilentAgain: an open port on which somebody always talks ends every
// request, not only the first.
func TestNeverSilentAgain(t *testing.T) {
	d := &stub{}
	d.stall = func(int) time.Duration { d.comes(time.Millisecond, 0x55); return 0 }
	d.sent = func(int, []byte) { d.due = nil; d.comes(0, right(1)...) }
	onStub(t, Config{Address: "/dev/stub", Serial: nine(), QuietTime: 300 * time.Millisecond}, d, func(t *testing.T, l *Line) {
		for n := range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			turn, err := l.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			if _, err := turn.Ask(ctx, &word{ask: 1}, 0); !isFrameError(err) || time.Since(start) > 2*hushLimit {
				t.Errorf("request %d after %s: %v", n, time.Since(start), err)
			}
			turn.End()
			cancel()
		}
	})
}

// TestStrangeWire: whenever somebody else may have used the wire, his answers
// are waited out first.
func TestStrangeWire(t *testing.T) {
	const quiet = 300 * time.Millisecond
	for name, between := range map[string]func(t *testing.T, l *Line, d *stub){
		"closed": func(_ *testing.T, l *Line, _ *stub) { l.Close() },
		"lost": func(_ *testing.T, l *Line, d *stub) {
			d.lost = true
			l.dial = func(context.Context, string, string) (net.Conn, error) { d.lost = false; return d, nil }
		},
		"heard": func(t *testing.T, l *Line, d *stub) {
			d.comes(time.Second, 0x55)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			d.stall = func(int) time.Duration { d.stall = nil; cancel(); return 0 }
			if err := l.Listen(ctx, func(time.Time, []byte) {}); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := &stub{}
			d.sent = func(_ int, b []byte) { d.comes(0, right(b[0])...) }
			onStub(t, Config{Address: "server:1", Serial: nine(), QuietTime: quiet}, d, func(t *testing.T, l *Line) {
				if err := ask(t, l, &word{ask: 1}, 0); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				between(t, l, d)
				start := time.Now()
				if err := ask(t, l, &word{ask: 2}, 0); err != nil {
					t.Fatal(err)
				}
				if w := d.writes[1].Sub(start); w < quiet-time.Millisecond || w > quiet+5*time.Millisecond {
					t.Errorf("asked after %s, want %s", w, quiet)
				}
			})
		})
	}
}

// TestFlood: a gateway that sends stale answers without end does not hold the
// line.
func TestFlood(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		stale := make([]byte, 0, 1<<16)
		for len(stale) < cap(stale) {
			stale = append(stale, right(9)...)
		}
		for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conn.SetDeadline(end)
			for err == nil {
				_, err = conn.Write(stale)
			}
			conn.Close()
		}
	}()
	l := New(Config{Address: ln.Addr().String(), Timeout: 50 * time.Millisecond, QuietTime: -1})
	start := time.Now()
	for range 3 { // the first finds the connection fresh and perhaps empty
		if err := ask(t, l, &word{ask: 1, names: true}, 0); err == nil {
			t.Error("answered")
		}
	}
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("took %s", d)
	}
	l.Close()
	ln.Close()
	<-done
}

// TestHeldUpSending: a process that is held up right after it has sent does not
// know when the answer came either.
func TestHeldUpSending(t *testing.T) {
	for address, s := range map[string]*Serial{"gateway:1": nil, "server:1": nine(), "/dev/stub": nine()} {
		for stall, taken := range map[time.Duration]bool{time.Millisecond: true, time.Hour: false} {
			d := &stub{}
			d.sent = func(_ int, b []byte) {
				d.comes(10*time.Millisecond, right(b[0])...)
				time.Sleep(stall)
			}
			onStub(t, Config{Address: address, Serial: s, Timeout: 100 * time.Millisecond, QuietTime: -1}, d, func(t *testing.T, l *Line) {
				at, err := askAt(t, l, &word{ask: 1})
				if (err == nil) != taken || err != nil && !isNoAnswer(err) {
					t.Errorf("%s, held up for %s: dated %s after the request, %v", address, stall, at.Sub(d.writes[0]), err)
				}
			})
		}
	}
}
