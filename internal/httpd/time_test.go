package httpd

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener of one connection without a network, for the clock of synctest.
type pipes struct{ conns chan net.Conn }

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p pipes) Close() error   { close(p.conns); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// onPipe serves h to one client under a clock of its own.
func onPipe(t *testing.T, h http.HandlerFunc, client func(t *testing.T, c net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		l := pipes{make(chan net.Conn, 1)}
		l.conns <- far
		s := New(Options{Handler: h, Connections: 10, PerAddress: 10, Log: slog.New(slog.DiscardHandler)})
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx, l, nil) }()
		client(t, near)
		_ = near.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// trickle sends text, a byte each interval, and returns what the server answered before it
// closed, and after how long.
func trickle(t *testing.T, c net.Conn, text string, interval time.Duration) (answer string, took time.Duration) {
	begun, got := time.Now(), make(chan string, 1)
	go func() {
		data, _ := io.ReadAll(c)
		got <- string(data)
	}()
	for i := range len(text) {
		if _, err := io.WriteString(c, text[i:i+1]); err != nil {
			return <-got, time.Since(begun)
		}
		time.Sleep(interval)
	}
	t.Error("the server took all of it")
	return "", 0
}

func TestHeadersHaveATime(t *testing.T) {
	onPipe(t, hello, func(t *testing.T, c net.Conn) {
		if _, took := trickle(t, c, "GET / HTTP/1.1\r\nHost: "+string(make([]byte, 1000)), time.Second); took > HeaderTime+2*time.Second {
			t.Errorf("ended after %v", took)
		}
	})
}

func TestBodiesHaveATime(t *testing.T) {
	var failed error
	onPipe(t, func(_ http.ResponseWriter, r *http.Request) { _, failed = io.ReadAll(r.Body) }, func(t *testing.T, c net.Conn) {
		_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
		if _, took := trickle(t, c, string(make([]byte, 999)), time.Second); took > BodyTime+2*time.Second || failed == nil {
			t.Errorf("ended after %v with %v", took, failed)
		}
	})
}

// TestUnreadBodiesHaveATime: net/http reads what a handler has left, for the next request.
func TestUnreadBodiesHaveATime(t *testing.T) {
	onPipe(t, hello, func(t *testing.T, c net.Conn) {
		_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
		if _, took := trickle(t, c, string(make([]byte, 999)), time.Second); took > BodyTime+2*time.Second {
			t.Errorf("ended after %v", took)
		}
	})
}

// TestSlowPhone: a route that gives its uploads more time gets them.
func TestSlowPhone(t *testing.T) {
	const size, patience = 200, 5 * time.Minute
	var got int
	var failed error
	onPipe(t, func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Error(err)
		}
		data, err := io.ReadAll(r.Body)
		got, failed = len(data), err
	}, func(t *testing.T, c net.Conn) {
		_, _ = io.WriteString(c, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\n")
		for range size {
			time.Sleep(time.Second)
			if _, err := c.Write([]byte{0}); err != nil {
				t.Fatal(err)
			}
		}
		if answer, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || answer.StatusCode != http.StatusOK {
			t.Errorf("%v, %v", answer, err)
		}
	})
	if got != size || failed != nil {
		t.Errorf("%d bytes, %v", got, failed)
	}
}

// TestLongWork: the deadline of the body does not end the work on it.
func TestLongWork(t *testing.T) {
	var ended error
	onPipe(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(5 * time.Second)) // as huma does
		_, _ = io.ReadAll(r.Body)
		select {
		case <-r.Context().Done():
			ended = r.Context().Err()
		case <-time.After(10 * time.Minute):
		}
	}, func(t *testing.T, c net.Conn) {
		_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
		if answer, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || answer.StatusCode != http.StatusOK {
			t.Errorf("%v, %v", answer, err)
		}
	})
	if ended != nil {
		t.Errorf("the work was ended: %v", ended)
	}
}

// TestIdleConnectionsEnd, and a live one that goes on by itself does not.
func TestIdleConnectionsEnd(t *testing.T) {
	onPipe(t, func(w http.ResponseWriter, r *http.Request) {
		for range 10 {
			time.Sleep(idleTime)
			if r.Context().Err() != nil {
				t.Error("a live answer was ended")
			}
		}
		hello(w, r)
	}, func(t *testing.T, c net.Conn) {
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		in := bufio.NewReader(c)
		answer, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		begun := time.Now()
		if _, err := in.ReadByte(); err == nil || time.Since(begun) > idleTime+time.Second {
			t.Errorf("ended after %v with %v", time.Since(begun), err)
		}
	})
}
