package line

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// word is a request of one byte, answered by the same byte and its complement;
// a byte with the high bit names itself, so that others of that kind are stale.
type word struct {
	ask   byte
	names bool
	doubt bool
	got   []byte
}

func (w *word) Encode(dst, _ []byte) ([]byte, error) { return append(dst, w.ask), nil }
func (w *word) Named() bool                          { return w.names }
func (w *word) Doubtful() bool                       { return w.doubt }

func (w *word) Split(b []byte) (int, int, error) {
	skip := 0
	for skip < len(b) && b[skip] == 0xFE {
		skip++
	}
	if len(b) < skip+2 {
		return 0, 0, nil
	}
	return skip, 2, nil
}

type busy struct{ error }

func (w *word) Open(frame []byte) (Verdict, error) {
	switch {
	case frame[0]^frame[1] != 0xFF:
		return Foreign, errors.New("bad sum")
	case frame[0] == 0x7F:
		return Answer, busy{errors.New("busy")}
	case frame[0] == w.ask:
		w.got = bytes.Clone(frame)
		return Answer, nil
	case w.names:
		return Stale, nil
	}
	return Answer, Refuse("answer to %d", frame[0])
}

// wire is a bubble's line: what the device writes is read, and every byte sent
// reaches it with its time.
type wire struct {
	t       testing.TB
	devices sync.WaitGroup
	opened  int
	mu      sync.Mutex
	times   []time.Time
	handle  func(n int, b byte, w io.Writer)
}

func (w *wire) open(string, Serial) (Port, error) {
	ours, theirs := net.Pipe()
	w.opened++
	w.devices.Go(func() {
		b := make([]byte, 1)
		for {
			if _, err := theirs.Read(b); err != nil {
				return
			}
			w.mu.Lock()
			w.times = append(w.times, time.Now())
			n, ask := len(w.times)-1, b[0]
			w.mu.Unlock()
			w.devices.Go(func() { w.handle(n, ask, theirs) })
		}
	})
	return ours, nil
}

// asked returns when the n-th byte came.
func (w *wire) asked(n int) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.times[n]
}

func (w *wire) dial(context.Context, string, string) (net.Conn, error) {
	p, err := w.open("", Serial{})
	return p.(net.Conn), err
}

func right(b byte) []byte { return []byte{b, ^b} }

// ask sends one word.
func ask(t testing.TB, l *Line, w *word, retries int) error {
	t.Helper()
	turn, err := l.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer turn.End()
	w.got = nil
	_, err = turn.Ask(t.Context(), w, retries)
	if err == nil && !bytes.Equal(w.got, right(w.ask)) {
		t.Fatalf("asked %d, got % X", w.ask, w.got)
	}
	return err
}

// nine is 9600 8N1, where a character takes 1.042 ms and the silence 3.646 ms.
func nine() *Serial { return &Serial{9600, 8, None, 1} }

// bubble runs f with a line over a pipe, under the clock of a bubble.
func bubble(t *testing.T, c Config, handle func(n int, b byte, w io.Writer), f func(t *testing.T, l *Line, w *wire)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{t: t, handle: handle}
		c.Open, c.Dial = w.open, w.dial
		if c.Address == "" {
			c.Address = "/dev/bubble"
		}
		l := New(c)
		defer w.devices.Wait()
		defer l.Close()
		f(t, l, w)
	})
}

func reply(after time.Duration, b ...byte) func(int, byte, io.Writer) {
	return func(_ int, ask byte, w io.Writer) {
		time.Sleep(after) // the bubble's clock
		if b == nil {
			w.Write(right(ask))
		} else {
			w.Write(b)
		}
	}
}

// TestSilences: a request follows the byte before it by 3.5 characters, and a
// first one by the quiet time, as whoever had the wire before may be answered.
func TestSilences(t *testing.T) {
	const think = 10 * time.Millisecond
	bubble(t, Config{Serial: nine(), QuietTime: 300 * time.Millisecond}, reply(think), func(t *testing.T, l *Line, w *wire) {
		start := time.Now()
		for n := range byte(3) {
			if err := ask(t, l, &word{ask: n + 1}, 0); err != nil {
				t.Fatal(err)
			}
		}
		if d := w.asked(0).Sub(start); d < 300*time.Millisecond || d > 305*time.Millisecond {
			t.Errorf("first request after %s", d)
		}
		for n := 1; n < 3; n++ {
			d := w.asked(n).Sub(w.asked(n-1)) - think
			if want := nine().Silence(); d < want || d > want+2*glanceTime {
				t.Errorf("request %d came %s after the answer, want %s", n, d, want)
			}
		}
		time.Sleep(time.Second)
		start = time.Now()
		if err := ask(t, l, &word{ask: 9}, 0); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d > think+2*glanceTime {
			t.Errorf("an idle line cost %s", d)
		}
	})
}

// TestDoubtful: a request that cannot change its shape waits for the quiet time.
func TestDoubtful(t *testing.T) {
	const quiet = 300 * time.Millisecond
	bubble(t, Config{Serial: nine(), QuietTime: quiet}, reply(0), func(t *testing.T, l *Line, w *wire) {
		for range 2 {
			if err := ask(t, l, &word{ask: 5, doubt: true}, 0); err != nil {
				t.Fatal(err)
			}
		}
		if d := w.asked(1).Sub(w.asked(0)); d < quiet || d > quiet+5*time.Millisecond {
			t.Errorf("it waited %s", d)
		}
	})
}

// TestQuietAfterTimeout: after a timeout the line must have been silent for the
// quiet time, counted from the late answer; one that names its request need not
// wait.
func TestQuietAfterTimeout(t *testing.T) {
	const timeout, quiet = 100 * time.Millisecond, 300 * time.Millisecond
	late := func(n int, b byte, w io.Writer) {
		if n == 0 {
			time.Sleep(250 * time.Millisecond)
		}
		w.Write(right(b))
	}
	for _, names := range []bool{false, true} {
		bubble(t, Config{Serial: nine(), Timeout: timeout, QuietTime: quiet}, late, func(t *testing.T, l *Line, w *wire) {
			if err := ask(t, l, &word{ask: 1, names: names}, 0); !isNoAnswer(err) {
				t.Fatalf("names %v: %v", names, err)
			}
			if err := ask(t, l, &word{ask: 2, names: names}, 0); err != nil {
				t.Fatalf("names %v: %v", names, err)
			}
			want := 250*time.Millisecond + quiet
			if names {
				want = timeout + nine().Wire(1)
			}
			if d := w.asked(1).Sub(w.asked(0)); d < want || d > want+5*time.Millisecond {
				t.Errorf("names %v: asked again after %s, want %s", names, d, want)
			}
			if s := l.Stats(); s.Reconnects != 0 || s.Timeouts != 1 || names && s.StaleFrames+s.BytesDiscarded != 0 || !names && s.BytesDiscarded != 2 {
				t.Errorf("names %v: %+v", names, s)
			}
		})
	}
}

func isNoAnswer(err error) bool {
	var e *NoAnswer
	return errors.As(err, &e)
}

// TestServerHangsUp: on a serial server an error closes the connection, which
// stays closed for the quiet time; on a port it does not.
func TestServerHangsUp(t *testing.T) {
	const quiet = 300 * time.Millisecond
	damaged := func(n int, b byte, w io.Writer) {
		f := right(b)
		if n == 0 {
			f[1]++
		}
		w.Write(f)
	}
	for address, opened := range map[string]int{"server:1": 2, "/dev/bubble": 1} {
		bubble(t, Config{Address: address, Serial: nine(), QuietTime: quiet}, damaged, func(t *testing.T, l *Line, w *wire) {
			if err := ask(t, l, &word{ask: 1}, 1); err != nil {
				t.Fatal(err)
			}
			if d := w.asked(1).Sub(w.asked(0)); d < quiet || d > quiet+5*time.Millisecond {
				t.Errorf("%s: repeated after %s", address, d)
			}
			if s := l.Stats(); s.RefusedFrames != 1 || w.opened != opened || s.Reconnects != uint64(opened-1) {
				t.Errorf("%s: opened %d times, %+v", address, w.opened, s)
			}
		})
	}
}

// TestLongAnswer: an answer that has begun may outlast the timeout by as much
// as its bytes need; one that stops ends the wait early.
func TestLongAnswer(t *testing.T) {
	const timeout = 200 * time.Millisecond
	tests := []struct {
		name   string
		script []time.Duration // pauses before FE, FE, ..., the frame
		whole  bool
		took   time.Duration
	}{
		{"begins in time and goes on", []time.Duration{190 * time.Millisecond, 100 * time.Millisecond, 100 * time.Millisecond}, true, 391 * time.Millisecond},
		{"begins too late", []time.Duration{210 * time.Millisecond}, false, 201 * time.Millisecond},
		{"stops", []time.Duration{0, time.Hour}, false, 167 * time.Millisecond},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, Config{Serial: nine(), Timeout: timeout, QuietTime: -1}, func(_ int, b byte, w io.Writer) {
				for i, d := range tc.script {
					time.Sleep(d)
					if i == len(tc.script)-1 {
						w.Write(right(b))
					} else {
						w.Write([]byte{0xFE})
					}
				}
			}, func(t *testing.T, l *Line, w *wire) {
				err := ask(t, l, &word{ask: 1}, 0)
				if (err == nil) != tc.whole {
					t.Errorf("error %v", err)
				}
				if d := time.Since(w.asked(0)) - tc.took; d < -2*time.Millisecond || d > 2*time.Millisecond {
					t.Errorf("took %s, want %s", time.Since(w.asked(0)), tc.took)
				}
			})
		})
	}
}

// TestNeverSilent: a wire on which somebody always talks is an error, in time.
func TestNeverSilent(t *testing.T) {
	stop := make(chan struct{})
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		stop = make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
					theirs.Write([]byte{0x55})
				}
			}
		})
		l := New(Config{Address: "/dev/bubble", Serial: nine(), Open: func(string, Serial) (Port, error) { return ours, nil }})
		start := time.Now()
		err := ask(t, l, &word{ask: 1}, 0)
		if !isFrameError(err) || time.Since(start) > 2*hushLimit || l.Stats().Requests != 0 {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		close(stop)
		l.Close()
		theirs.Close()
		wg.Wait()
	})
}

// TestDeviceRefuses: what the device says comes as it is, and a transient
// refusal is repeated.
func TestDeviceRefuses(t *testing.T) {
	bubble(t, Config{Serial: nine()}, reply(0, right(0x7F)...), func(t *testing.T, l *Line, w *wire) {
		err := ask(t, l, &word{ask: 1}, 2)
		var device *DeviceError
		var own busy
		if !errors.As(err, &device) || !errors.As(err, &own) || err.Error() != "busy" {
			t.Errorf("%v", err)
		}
		if s := l.Stats(); s.Exceptions != 3 || s.Requests != 3 || s.Reconnects != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestListen hears everything and sends nothing, and leaves the line usable.
func TestListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		var events []What
		l := New(Config{Address: "/dev/bubble", Serial: nine(), QuietTime: -1,
			Open:    func(string, Serial) (Port, error) { return ours, nil },
			Monitor: func(e Event) { events = append(events, e.What) }})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range byte(3) {
				time.Sleep(time.Second)
				theirs.Write([]byte{i, i})
			}
			cancel()
			b := make([]byte, 1)
			theirs.Read(b)
			theirs.Write(right(b[0]))
		})
		start := time.Now()
		var heard []byte
		err := l.Listen(ctx, func(at time.Time, b []byte) {
			heard = append(heard, b...)
			if want := start.Add(time.Duration(len(heard)/2) * time.Second); !at.Equal(want) {
				t.Errorf("heard at %s, want %s", at, want)
			}
		})
		if !errors.Is(err, context.Canceled) || !bytes.Equal(heard, []byte{0, 0, 1, 1, 2, 2}) {
			t.Errorf("heard % X, %v", heard, err)
		}
		if err := ask(t, l, &word{ask: 7}, 0); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if len(events) != 2 || events[0] != Sent || events[1] != Received {
			t.Errorf("events %v", events)
		}
		l.Close()
		theirs.Close()
	})
}
