package mqttlink

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	brokerconfig "citygrid/broker-config"
	"citygrid/broker-config/brokertest"
	"citygrid/internal/certs"
	"citygrid/internal/secret"
)

// Tests over real brokers and real sockets.

func TestMain(m *testing.M) { brokertest.Main(m) }

const testPassword = "a password of many letters"

func testAccess(t *testing.T) *brokerconfig.Access {
	t.Helper()
	h, err := brokerconfig.HashPassword(testPassword)
	if err != nil {
		t.Fatal(err)
	}
	return &brokerconfig.Access{Users: []brokerconfig.User{
		{Name: "up", PasswordHash: h, Publish: []string{"a/up"}},
		{Name: "down", PasswordHash: h, Subscribe: []string{"a/+"}},
	}}
}

func brokerLink(url, user string) Config {
	return Config{
		URL: url, ClientID: user, User: user, Password: secret.New(testPassword),
		Backoff: Backoff{Min: time.Millisecond, Max: 100 * time.Millisecond},
	}
}

// background runs a link until the test ends and returns its connections.
func background(t *testing.T, cfg Config) <-chan *Conn {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	conns, done := make(chan *Conn), make(chan struct{})
	go func() {
		defer close(done)
		err := Run(ctx, cfg, func(ctx context.Context, c *Conn) error {
			select {
			case conns <- c:
				<-ctx.Done()
			case <-ctx.Done():
			}
			return context.Cause(ctx)
		})
		if err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return conns
}

func TestKilledBrokerComesBack(t *testing.T) {
	b := brokertest.NATSProcess(t, testAccess(t))
	down := brokerLink(b.URL, "down")
	down.Subscriptions = []string{"a/+"}
	ups, downs := background(t, brokerLink(b.URL, "up")), background(t, down)
	up, sub := <-ups, <-downs
	publish := func(payload string) {
		t.Helper()
		if err := up.Publish(t.Context(), "a/up", []byte(payload), false).Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	receive := func() Message {
		t.Helper()
		m, ok := <-sub.Messages()
		if !ok {
			t.Fatalf("link lost: %v", sub.lost())
		}
		return m
	}
	publish("one")
	receive().Ack()
	publish("two")
	unacknowledged := receive()

	b.Kill()
	<-up.link.Done()
	<-sub.link.Done()
	if err := up.Publish(t.Context(), "a/up", nil, false).Err(); !errors.Is(err, ErrLost) {
		t.Errorf("publish while the link is down: %v, want ErrLost", err)
	}
	b.Start()

	up, sub = <-ups, <-downs
	unacknowledged.Ack() // of the old link: must not count
	again := receive()
	for string(again.Payload) == "one" { // its acknowledgement may have died with the broker
		again.Ack()
		again = receive()
	}
	if string(again.Payload) != "two" {
		t.Fatalf("after the kill came %q, want the unacknowledged message again", again.Payload)
	}
	again.Ack()
	publish("three")
	if m := receive(); string(m.Payload) != "three" {
		t.Errorf("got %q, want three", m.Payload)
	}
}

// The broker must not publish, in the name of a user, a will that the user may
// not publish. A will of one's own arrives when the link breaks.
func TestWills(t *testing.T) {
	for name, start := range map[string]func(testing.TB, *brokerconfig.Access) *brokertest.Broker{
		"nats": brokertest.NATS, "mosquitto": brokertest.Mosquitto,
	} {
		t.Run(name, func(t *testing.T) {
			url := start(t, testAccess(t)).URL
			down := brokerLink(url, "down")
			down.Subscriptions = []string{"a/+"}
			sub := <-background(t, down)
			for _, topic := range []string{"a/down", "a/up"} {
				up := brokerLink(url, "up")
				up.Will = &Will{Topic: topic, Payload: []byte("0")}
				ctx, cancel := context.WithCancel(t.Context())
				err := Run(ctx, up, func(_ context.Context, c *Conn) error {
					c.socket.Close() // no goodbye
					cancel()
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if m := <-sub.Messages(); m.Topic != "a/up" {
				t.Errorf("a will on %q was published, want a/up only", m.Topic)
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "tcp://" + l.Addr().String()
	l.Close()
	err = firstDown(t, runUntil(t, brokerLink(url, "up"), nil))
	if err == nil || !strings.Contains(err.Error(), "is the broker running") || !strings.Contains(err.Error(), url) {
		t.Errorf("error %v: want the URL and the remedy", err)
	}
}

// clientTLS trusts the authority and shows a certificate of user, or none.
func clientTLS(t *testing.T, a *brokertest.Authority, user string) *tls.Config {
	t.Helper()
	cert, key := "", ""
	if user != "" {
		cert, key = a.Client(user)
	}
	cfg, err := LoadTLS(a.CA, cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// unchecked shows the broker a certificate that this side would not have taken itself.
func unchecked(cfg *tls.Config) *tls.Config {
	cfg.Certificates = nil
	return cfg
}

type tlsRow struct {
	name, url string
	tls       *tls.Config
	password  string
	want      string // in the error; empty: connects
}

func TestTLS(t *testing.T) {
	ours, foreign := brokertest.NewAuthority(t), brokertest.NewAuthority(t)
	cert, key := ours.Server()
	for _, clientCA := range []string{"", ours.CA} {
		server, err := certs.Listen(certs.Files{Cert: cert, Key: key, ClientCA: clientCA})
		if err != nil {
			t.Fatal(err)
		}
		b, err := brokerconfig.Start(t.Context(), brokerconfig.Options{Dir: t.TempDir(), Access: testAccess(t), TLS: server.Config()})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		tests := []tlsRow{
			{"unknown authority", b.URL(), clientTLS(t, foreign, ""), testPassword, "not in the CA file"},
			{"plain to a TLS port", strings.Replace(b.URL(), "ssl", "tcp", 1), nil, testPassword, "TLS"},
		}
		if clientCA == "" {
			tests = append(tests, []tlsRow{
				{"password", b.URL(), clientTLS(t, ours, ""), testPassword, ""},
				{"wrong password", b.URL(), clientTLS(t, ours, ""), "wrong", "wrong password"},
			}...)
		} else {
			tests = append(tests, []tlsRow{
				{"certificate", b.URL(), clientTLS(t, ours, "up"), "", ""},
				{"another's certificate", b.URL(), unchecked(clientTLS(t, ours, "down")), testPassword, "not authorised"},
				{"certificate of nobody", b.URL(), unchecked(clientTLS(t, ours, "nobody")), testPassword, "not authorised"},
				{"no certificate", b.URL(), clientTLS(t, ours, ""), testPassword, "client certificate"},
			}...)
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				cfg := brokerLink(tt.url, "up")
				cfg.TLS, cfg.Password = tt.tls, secret.New(tt.password)
				var session func(context.Context, *Conn) error
				if tt.want == "" {
					session = func(ctx context.Context, c *Conn) error {
						if err := c.Publish(ctx, "a/up", nil, false).Wait(ctx); err != nil {
							t.Error(err)
						}
						return errDone
					}
				}
				err := firstDown(t, runUntil(t, cfg, session))
				if tt.want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
			})
		}
	}
}

func TestLoadTLSRefuses(t *testing.T) {
	a, dir := brokertest.NewAuthority(t), t.TempDir()
	cert, key := a.Client("x")
	_, other := a.Server()
	for name, files := range map[string][3]string{
		"absent CA":             {filepath.Join(dir, "absent"), "", ""},
		"CA file without a CA":  {key, "", ""},
		"certificate alone":     {"", cert, ""},
		"key of another":        {"", cert, other},
		"certificate not there": {"", filepath.Join(dir, "absent"), key},
	} {
		if _, err := LoadTLS(files[0], files[1], files[2]); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
