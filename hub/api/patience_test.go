package api

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener of one connection without a network.
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

// onPipe serves h behind the guard to one client.
func onPipe(t *testing.T, h http.HandlerFunc, client func(net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		l := pipes{make(chan net.Conn, 1)}
		l.conns <- far
		server, done := &http.Server{Handler: guard(h, http.NewCrossOriginProtection())}, make(chan error, 1)
		go func() { done <- server.Serve(l) }()
		client(near)
		_ = near.Close()
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
}

// TestClientThatStopsReading: the answer ends after streamPatience, so that its place is
// free for another; a slow client that goes on reading gets all of it, however long that
// takes.
func TestClientThatStopsReading(t *testing.T) {
	for name, reads := range map[string]bool{"stops": false, "is slow": true} {
		var failed error
		var took time.Duration
		body := strings.Repeat("x", 40*patientPiece)
		onPipe(t, func(w http.ResponseWriter, _ *http.Request) {
			begun := time.Now()
			_, failed = io.WriteString(w, body)
			took = time.Since(begun)
		}, func(c net.Conn) {
			if _, err := io.WriteString(c, "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); err != nil {
				t.Error(err)
			}
			if !reads {
				time.Sleep(time.Hour)
				return
			}
			buf, total := make([]byte, patientPiece), 0
			for {
				n, err := io.ReadFull(c, buf)
				total += n
				if err != nil {
					break
				}
				time.Sleep(streamPatience / 2)
			}
			if total < len(body) {
				t.Errorf("a slow client got %d of %d bytes", total, len(body))
			}
		})
		if reads && failed != nil || !reads && (!errors.Is(failed, os.ErrDeadlineExceeded) || took > 2*streamPatience) {
			t.Errorf("a client that %s: %v after %v", name, failed, took)
		}
	}
}

// TestConnectionUsedAgain: what follows on a connection long after an answer is not late:
// the word to go on with an upload, and an answer without a body.
func TestConnectionUsedAgain(t *testing.T) {
	onPipe(t, func(w http.ResponseWriter, r *http.Request) {
		if data, err := io.ReadAll(r.Body); err != nil || string(data) != "photo" {
			t.Errorf("%q, %v", data, err)
		}
		if r.Method == http.MethodPost {
			_, _ = io.WriteString(w, "x")
		}
	}, func(c net.Conn) {
		client := &http.Client{Transport: &http.Transport{DialContext: dialPipe(c), ExpectContinueTimeout: time.Hour}}
		defer client.CloseIdleConnections()
		for _, method := range []string{http.MethodPost, http.MethodPut} {
			r, err := http.NewRequest(method, "http://h/x", strings.NewReader("photo"))
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Expect", "100-continue")
			answer, err := client.Do(r)
			if err != nil {
				t.Errorf("%s: %v", method, err)
				return
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
			time.Sleep(time.Minute)
		}
	})
}

func dialPipe(c net.Conn) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) { return c, nil }
}
