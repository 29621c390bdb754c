package main

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	brokerconfig "citygrid/broker-config"
	"citygrid/broker-config/brokertest"
	"citygrid/hub/enrolment"
	"citygrid/internal/mqttlink"
	"citygrid/internal/secret"
	"citygrid/schemas/seal"
)

// brokerUser is a client that tries again until the test ends.
type brokerUser struct {
	up   chan context.Context // of each session
	down chan error           // the last failure that nobody has read
}

func startUser(t *testing.T, url, name string, password secret.Secret, cfg *tls.Config) *brokerUser {
	t.Helper()
	u := &brokerUser{up: make(chan context.Context), down: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	link := mqttlink.Config{
		URL: url, ClientID: name, User: name, Password: password, TLS: cfg,
		Backoff: mqttlink.Backoff{Min: time.Millisecond, Max: 50 * time.Millisecond},
		OnState: func(s mqttlink.State) {
			if s.Phase == mqttlink.Down && s.Err != nil {
				select {
				case u.down <- s.Err:
				default:
				}
			}
		},
	}
	go func() {
		done <- mqttlink.Run(ctx, link, func(ctx context.Context, _ *mqttlink.Conn) error {
			select {
			case u.up <- ctx:
				<-ctx.Done()
			case <-ctx.Done():
			}
			return context.Cause(ctx)
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("link of %s: %v", name, err)
		}
	})
	return u
}

// session waits until the broker has let the user in.
func (u *brokerUser) session(t *testing.T) context.Context {
	t.Helper()
	select {
	case ctx := <-u.up:
		return ctx
	case <-time.After(patience):
		t.Fatal("the broker does not let the user in")
		return nil
	}
}

// refused waits until the broker has refused the user.
func (u *brokerUser) refused(t *testing.T) {
	t.Helper()
	bound := time.After(patience)
	for {
		select {
		case err := <-u.down:
			if errors.Is(err, mqttlink.ErrNotAuthorized) {
				return
			}
		case <-u.up:
			t.Fatal("the broker let the user in")
		case <-bound:
			t.Fatal("the broker does not refuse the user")
		}
	}
}

// exchange takes collector c1 out of the list and puts c2 into it.
func exchange(t *testing.T, path string, password string) {
	t.Helper()
	list, err := enrolment.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := brokerconfig.HashPassword(password)
	if err != nil {
		t.Fatal(err)
	}
	list.Collectors = []enrolment.Collector{{ID: "c2", Area: "310115", Generation: 0x0100, BrokerHash: hash}}
	if err := list.Save(path); err != nil {
		t.Fatal(err)
	}
}

// The broker alone serves TLS, with passwords or with certificates in their
// place, and takes a change of the enrolment on SIGHUP.
func TestBrokerServesTLSAndReloads(t *testing.T) {
	authority := brokertest.NewAuthority(t)
	cert, key := authority.Server()
	for name, clientCA := range map[string]string{"passwords": "", "client certificates": authority.CA} {
		t.Run(name, func(t *testing.T) {
			keys := filepath.Join(t.TempDir(), "keys")
			if err := copyKeys(keys); err != nil {
				t.Fatal(err)
			}
			list := enrolment.Folder(keys).List()
			ready, stop := startCommand(t, "broker", "--listen", "127.0.0.1:0", "--dir", t.TempDir(),
				"--enrolment", list, "--cert", cert, "--key", key, "--client-ca", clientCA)
			if !strings.HasPrefix(ready.URL, "ssl://") {
				t.Fatalf("URL %s, want ssl://", ready.URL)
			}
			start := func(user string, password secret.Secret) *brokerUser {
				own, ownKey := "", ""
				if clientCA != "" {
					own, ownKey = authority.Client(user)
					password = secret.Secret{}
				}
				cfg, err := mqttlink.LoadTLS(authority.CA, own, ownKey)
				if err != nil {
					t.Fatal(err)
				}
				return startUser(t, ready.URL, user, password, cfg)
			}
			bundle, err := seal.ReadBundle(filepath.Join(keys, "c1.bundle"))
			if err != nil {
				t.Fatal(err)
			}
			c1 := start("c1", bundle.BrokerPassword)
			before := c1.session(t)
			password := brokerconfig.NewPassword()
			c2 := start("c2", secret.New(password))
			c2.refused(t)

			exchange(t, list, password)
			if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			c2.session(t)
			select {
			case <-before.Done():
			case <-time.After(patience):
				t.Fatal("a removed collector stays connected")
			}
			c1.refused(t)
			stop()
		})
	}
}

// A list that is wrong leaves the old one in force, and the error names it.
func TestBrokerKeepsItsListWhenTheNewOneIsWrong(t *testing.T) {
	keys := filepath.Join(t.TempDir(), "keys")
	if err := copyKeys(keys); err != nil {
		t.Fatal(err)
	}
	p := &brokerProgram{
		listen: "127.0.0.1:0", dir: t.TempDir(), enrolled: enrolment.Folder(keys).List(), log: slog.New(slog.DiscardHandler),
	}
	options, err := p.options()
	if err != nil {
		t.Fatal(err)
	}
	b, err := brokerconfig.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for text, want := range map[string]string{"collectors: [": p.enrolled, "collectors: []": "keys init"} {
		if err := os.WriteFile(p.enrolled, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.reload(b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("reload of %q: %v, want an error with %q", text, err, want)
		}
	}
	bundle, err := seal.ReadBundle(filepath.Join(keys, "c1.bundle"))
	if err != nil {
		t.Fatal(err)
	}
	startUser(t, b.URL(), "c1", bundle.BrokerPassword, nil).session(t)
}
