package httpd

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// start serves h on a free port of this machine until the test ends.
func start(t *testing.T, o Options) (s *Server, address string) {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	if o.PerAddress == 0 {
		o.PerAddress = 1 << 20
	}
	if o.Connections == 0 {
		o.Connections = 1000
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, l.Addr().String()
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })

// slowly opens a connection from an address of this machine and sends the beginning of
// a request.
func slowly(t *testing.T, from, to string) net.Conn {
	t.Helper()
	d := net.Dialer{}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	c, err := d.Dial("tcp", to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_, _ = io.WriteString(c, "GET /slow HTTP/1.1\r\nHost: x\r\nX-A: ") // a refused connection fails here or later
	return c
}

// honest asks on a new connection.
func honest(t *testing.T, address string) error {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + address + "/")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err != nil || string(text) != "hello" {
		return fmt.Errorf("%s %q %w", answer.Status, text, err)
	}
	return nil
}

// TestSlowLoris: 200 connections that never finish their headers, below the bound and four
// times above it; everybody else is answered, each time.
func TestSlowLoris(t *testing.T) {
	for _, bound := range []int{1000, 50} {
		s, address := start(t, Options{Handler: hello, Connections: bound})
		answered := 0
		for i := range 200 {
			slowly(t, "", address)
			if i%10 != 9 {
				continue
			}
			if err := honest(t, address); err != nil {
				t.Errorf("bound %d, beside %d slow ones: %v", bound, i+1, err)
				continue
			}
			answered++
		}
		c := s.Counts()
		t.Logf("bound %d: 200 slow connections, %d honest requests, %d answered, %d held, %d evicted", bound, 20, answered, c.Open, c.Evicted)
		if answered != 20 || c.Open > bound || c.Refused != 0 || (bound == 50) != (c.Evicted > 0) {
			t.Errorf("bound %d: %+v, %d answered", bound, c, answered)
		}
	}
}

// TestOneAddress: whoever keeps as many requests under way as one address may is refused
// more, and another address is not.
func TestOneAddress(t *testing.T) {
	release := make(chan struct{})
	begun := make(chan struct{}, 10)
	s, address := start(t, Options{PerAddress: 5, Exempt: func(a netip.Addr) bool { return a == netip.MustParseAddr("127.0.0.9") },
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/hold" {
				begun <- struct{}{}
				<-release
			}
			_, _ = io.WriteString(w, "hello")
		})})
	hold := func(from string) net.Conn {
		c := slowly(t, from, address)
		_, _ = io.WriteString(c, "b\r\n\r\nGET /hold HTTP/1.1\r\nHost: x\r\n\r\n")
		return c
	}
	for range 5 {
		hold("127.0.0.2")
		<-begun
	}
	if text, err := io.ReadAll(hold("127.0.0.2")); len(text) > 0 {
		t.Errorf("the sixth of one address got %q, %v", text, err)
	}
	if err := honest(t, address); err != nil {
		t.Errorf("another address: %v", err)
	}
	for range 7 {
		hold("127.0.0.9")
		<-begun
	}
	if c := s.Counts(); c.Refused != 1 {
		t.Errorf("%+v, want one refused", c)
	}
	close(release)
}

// TestOversizedHeaders are answered with 431 and read no further.
func TestOversizedHeaders(t *testing.T) {
	_, address := start(t, Options{Handler: hello})
	for name, request := range map[string]string{
		"one header":     "GET / HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 64<<10) + "\r\n\r\n",
		"many headers":   "GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-A: aaaaaaaaaaaaaaaa\r\n", 4<<10) + "\r\n",
		"the line":       "GET /" + strings.Repeat("a", 64<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"without an end": "GET / HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("a", 64<<10),
	} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.WriteString(c, request) }() // the server may have closed before the end
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%s: %v, %v; want 431", name, answer, err)
		}
		c.Close()
	}
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\nCookie: %s\r\n\r\n", strings.Repeat("a", 16<<10))
	if answer, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("16 KiB of cookies: %v, %v", answer, err)
	}
}

// TestCompressedBodies: no handler sees one, so that none can be blown up.
func TestCompressedBodies(t *testing.T) {
	s, address := start(t, Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/plain" {
			t.Error("a handler was asked")
		}
		_, _ = io.Copy(w, r.Body)
	})})
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(make([]byte, 16<<20))
	_ = z.Close()
	for _, encoding := range []string{"gzip", "GZIP", "deflate", "br", "zstd", "identity, gzip"} {
		r, err := http.NewRequest(http.MethodPost, "http://"+address+"/bomb", bytes.NewReader(bomb.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Encoding", encoding)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != http.StatusUnsupportedMediaType || !strings.Contains(string(text), `"code":"content_encoding"`) || answer.Header.Get("Accept-Encoding") != "identity" {
			t.Errorf("%s: %s %s", encoding, answer.Status, text)
		}
	}
	r, err := http.NewRequest(http.MethodPost, "http://"+address+"/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Encoding", "identity")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, _ := io.ReadAll(answer.Body); answer.StatusCode != http.StatusOK || string(text) != "x" || s.Counts().Encoded != 6 {
		t.Errorf("a plain body: %s %q, %+v", answer.Status, text, s.Counts())
	}
}

// TestRequestsBeyondTheBound are told so, and the next ones are not.
func TestRequestsBeyondTheBound(t *testing.T) {
	s := New(Options{Handler: hello, Connections: 1, PerAddress: 1, Log: slog.New(slog.DiscardHandler)})
	s.active.Store(1)
	w := newRecorder()
	s.serve(w, mustRequest(t))
	if w.status != http.StatusServiceUnavailable || w.head.Get("Retry-After") == "" || s.Counts().Busy != 1 {
		t.Errorf("%d %v %+v", w.status, w.head, s.Counts())
	}
	s.active.Store(0)
	if w = newRecorder(); true {
		s.serve(w, mustRequest(t))
	}
	if w.body.String() != "hello" || s.active.Load() != 0 {
		t.Errorf("%d %q, %d under way", w.status, &w.body, s.active.Load())
	}
}

type recorder struct {
	head   http.Header
	status int
	body   bytes.Buffer
}

func newRecorder() *recorder                       { return &recorder{head: http.Header{}} }
func (r *recorder) Header() http.Header            { return r.head }
func (r *recorder) WriteHeader(status int)         { r.status = status }
func (r *recorder) Write(data []byte) (int, error) { return r.body.Write(data) }

func mustRequest(t *testing.T) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestServeReportsABrokenListener instead of ending silently.
func TestServeReportsABrokenListener(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	s := New(Options{Handler: hello, Connections: 1, PerAddress: 1, Log: slog.New(slog.DiscardHandler)})
	if err := s.Serve(t.Context(), l, nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
}
