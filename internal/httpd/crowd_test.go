package httpd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// overHTTP2 is a client that sends all its requests over one HTTP/2 connection from an
// address of this machine.
func overHTTP2(t *testing.T, from string, trusts *x509.Certificate) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(trusts)
	tr := &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com"},
		DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext,
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// status asks and returns the status of the answer.
func status(t *testing.T, c *http.Client, method, url string, body io.Reader) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer answer.Body.Close()
	if answer.ProtoMajor != 2 {
		t.Errorf("%s", answer.Proto)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}

// TestOneAddressOverHTTP2: an address that holds as many requests as one may, over one
// connection, shuts out itself and nobody else, and only until they end. One that is
// exempt may hold them all.
func TestOneAddressOverHTTP2(t *testing.T) {
	begun := make(chan struct{}, 16)
	desk := httptest.NewTLSServer(nil) // for its certificate
	defer desk.Close()
	s, address := start(t, Options{
		Connections: 12, PerAddress: 4, TLS: &tls.Config{Certificates: desk.TLS.Certificates},
		Exempt: func(a netip.Addr) bool { return a == netip.MustParseAddr("127.0.0.9") },
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				begun <- struct{}{}
				_, _ = io.Copy(io.Discard, r.Body)
			}
		}),
	})
	url := "https://" + address + "/"
	greedy, exempt := overHTTP2(t, "127.0.0.2", desk.Certificate()), overHTTP2(t, "127.0.0.9", desk.Certificate())
	hold := func(c *http.Client, n int) (release func()) {
		bodies, ended := make([]*io.PipeWriter, n), make(chan error, n)
		for i := range n {
			body, w := io.Pipe()
			bodies[i] = w
			go func() {
				answer, err := c.Post(url, "text/plain", body)
				if err == nil {
					err = answer.Body.Close()
				}
				ended <- err
			}()
			<-begun
		}
		return func() {
			for _, w := range bodies {
				_ = w.Close()
			}
			for range n {
				if err := <-ended; err != nil {
					t.Errorf("a request that was held: %v", err)
				}
			}
		}
	}
	releaseGreedy := hold(greedy, 4)
	for range 20 {
		if got := status(t, greedy, http.MethodGet, url, nil); got != http.StatusServiceUnavailable {
			t.Errorf("the fifth of one address: %d", got)
		}
	}
	if got := status(t, overHTTP2(t, "127.0.0.3", desk.Certificate()), http.MethodGet, url, nil); got != http.StatusOK {
		t.Errorf("another address: %d", got)
	}
	releaseExempt := hold(exempt, 7)
	releaseGreedy()
	if got := status(t, greedy, http.MethodGet, url, nil); got != http.StatusOK {
		t.Errorf("when its requests have ended: %d", got)
	}
	releaseExempt()
	if c := s.Counts(); c.Busy != 20 || c.Refused != 0 {
		t.Errorf("%+v, want 20 busy", c)
	}
}

// named is a connection of which only the other end's address matters.
type named struct {
	net.Conn
	from net.Addr
}

func (n named) RemoteAddr() net.Addr { return n.from }
func (n named) Close() error         { return nil }

// TestWhoIsOneClient: an IPv4 address, however it is written, and an IPv6 network of 64
// bits, for connections and for requests; and nothing is left of whoever has gone.
func TestWhoIsOneClient(t *testing.T) {
	for _, c := range []struct {
		one, other string
		same       bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
		{"2001:db8::1", "2001:db8::ffff:1", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::1%eth1", true},
	} {
		s := New(Options{Handler: hello, Connections: 10, PerAddress: 1, Log: slog.New(slog.DiscardHandler)})
		conn := func(address string) net.Conn {
			a := netip.MustParseAddr(address)
			return named{from: &net.TCPAddr{IP: a.AsSlice(), Zone: a.Zone(), Port: 1}}
		}
		one, _ := s.crowd.admit(conn(c.one))
		leaveOne, within := enter(withMember(context.Background(), one))
		if !within {
			t.Errorf("%s: its first request is one too many", c.one)
		}
		other, evicted := s.crowd.admit(conn(c.other))
		if same := other == nil; same != c.same || evicted != nil {
			t.Errorf("%s, %s: one client %v, evicted %v; want %v", c.one, c.other, same, evicted, c.same)
		}
		if other != nil {
			_ = other.Close()
		}
		leaveOne()
		other, evicted = s.crowd.admit(conn(c.other)) // makes room for itself, where it has to
		if other == nil || c.same && evicted != one {
			t.Fatalf("%s, %s: %v makes room", c.one, c.other, evicted)
		}
		// A request of the evicted one that is still under way counts.
		leaveOne, _ = enter(withMember(context.Background(), one))
		leaveOther, within := enter(withMember(context.Background(), other))
		if within == c.same {
			t.Errorf("%s, %s: the second request within the bound: %v", c.one, c.other, within)
		}
		leaveOther()
		leaveOne()
		for _, m := range []*member{one, other} {
			_ = m.Close()
		}
		if len(s.crowd.from) > 0 || s.crowd.open != 0 {
			t.Errorf("%s, %s: left: %v", c.one, c.other, s.crowd.from)
		}
	}
}

// TestExemptInABusyNetwork: a proxy is not refused for what its neighbours have.
func TestExemptInABusyNetwork(t *testing.T) {
	proxy := netip.MustParseAddr("2001:db8::9")
	s := New(Options{Handler: hello, Connections: 10, PerAddress: 1, Log: slog.New(slog.DiscardHandler), Exempt: func(a netip.Addr) bool { return a == proxy }})
	for _, address := range []string{"2001:db8::1", "2001:db8::9", "2001:db8::9"} {
		m, _ := s.crowd.admit(named{from: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(address), 1))})
		if m == nil {
			t.Fatalf("%s has no place", address)
		}
		for range 2 {
			if _, within := enter(withMember(context.Background(), m)); !within && address == proxy.String() {
				t.Errorf("a request of %s is refused", address)
			}
		}
	}
}
