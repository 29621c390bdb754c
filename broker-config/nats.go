package brokerconfig

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"citygrid/internal/durable"
)

// Options says where and how the embedded broker runs.
type Options struct {
	// Dir keeps the messages and sessions; required. One broker at a time.
	Dir string
	// Host and Port are the MQTT listener; default 127.0.0.1, and 0 means any
	// free port (see Broker.URL).
	Host string
	Port int
	// Access is who may connect; required. SetAccess replaces it.
	Access *Access
	// MaxStore bounds what is kept on disk, in bytes; default 20 GB. When it
	// is reached the broker takes nothing more and lets no subscriber back in
	// to drain it, so it must be ten times the worst outage, and Usage is for
	// an alarm at 70 %.
	MaxStore int64
	// TLS makes the listener an encrypted one; nil is plain. Where it asks for
	// client certificates, the common name is the user, and no password is asked
	// for.
	TLS *tls.Config
	// Revoked says which client certificates are not good any more; nil: none. It
	// is asked at every connection and by DropRevoked.
	Revoked func(*x509.Certificate) bool
	// Log takes the broker's warnings and refusals; nil is silent.
	Log *slog.Logger
}

const (
	defaultMaxStore = 20 << 30
	maxMemory       = 256 << 20
	// syncInterval is how much a power cut can take of what was acknowledged;
	// the server's own default is two minutes.
	syncInterval = 100 * time.Millisecond
	ackWait      = 30 * time.Second
	// maxWindow is the number of messages a subscription may have
	// unacknowledged, where the session's total allows it.
	maxWindow = 20_000
	minWindow = 1_000
	// sessionWindow is the server's limit for all filters of a session
	// together, where one that ends in # counts twice.
	sessionWindow = math.MaxUint16
)

// Broker is a running embedded broker.
type Broker struct {
	server *server.Server
	auth   *authenticator
	window uint16
	url    string
	unlock func() error
	close  sync.Once
	closed error
}

// Start runs a broker until Close; ctx bounds only the start. An acknowledged
// message survives the death of the process at once and a power cut after
// 100 ms.
func Start(ctx context.Context, o Options) (*Broker, error) {
	if o.Dir == "" || o.Access == nil {
		return nil, errors.New("start broker: a folder and an access list are required")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := o.Access.Validate(); err != nil {
		return nil, fmt.Errorf("start broker: access list: %w", err)
	}
	window, err := windowFor(o.Access)
	if err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	unlock, err := durable.Lock(filepath.Join(o.Dir, "broker.lock"))
	if err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	b := &Broker{auth: newAuthenticator(o.Access.clone(), o.Revoked, o.Log), window: window, unlock: unlock}
	if err := b.start(ctx, o); err != nil {
		return nil, fmt.Errorf("start broker on %s: %w", net.JoinHostPort(o.host(), strconv.Itoa(o.Port)), errors.Join(err, b.Close()))
	}
	return b, nil
}

func (o Options) host() string {
	if o.Host == "" {
		return "127.0.0.1"
	}
	return o.Host
}

// serverOptions are the settings that were found to keep every acknowledged
// message, in order, over a kill.
func (b *Broker) serverOptions(o Options) *server.Options {
	port, store := o.Port, o.MaxStore
	if port == 0 {
		port = server.RANDOM_PORT
	}
	if store <= 0 {
		store = defaultMaxStore
	}
	return &server.Options{
		ServerName: "citygrid", DontListen: true, NoSigs: true,
		JetStream: true, StoreDir: o.Dir, SyncInterval: syncInterval,
		JetStreamMaxStore: store, JetStreamMaxMemory: maxMemory,
		CustomClientAuthentication: b.auth,
		MQTT: server.MQTTOpts{
			Host: o.host(), Port: port, TLSConfig: o.TLS, TLSTimeout: 10, AuthTimeout: 10,
			AckWait: ackWait, MaxAckPending: b.window,
		},
	}
}

// startPatience bounds the wait for the listener; recovery of a large store
// runs within NewServer and Start, before it.
const startPatience = 30 * time.Second

func (b *Broker) start(ctx context.Context, o Options) error {
	s, err := server.NewServer(b.serverOptions(o))
	if err != nil {
		return err
	}
	log := &natsLog{log: o.Log}
	s.SetLoggerV2(log, false, false, false)
	b.server, b.auth.server = s, s
	s.Start()
	for deadline := time.Now().Add(startPatience); !s.ReadyForConnections(50 * time.Millisecond); {
		if fatal := log.lastFatal(); fatal != "" {
			return errors.New(fatal)
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not ready after %v: see the log", startPatience)
		}
	}
	return b.setURL(o)
}

func (b *Broker) setURL(o Options) error {
	v, err := b.server.Varz(nil)
	if err != nil {
		return err
	}
	host, scheme := o.host(), "tcp"
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	if o.TLS != nil {
		scheme = "ssl"
	}
	b.url = scheme + "://" + net.JoinHostPort(host, strconv.Itoa(v.MQTT.Port))
	return nil
}

// URL is where a client on this machine reaches the broker: tcp://host:port,
// or ssl:// with TLS.
func (b *Broker) URL() string { return b.url }

// Usage returns the bytes stored and the limit.
func (b *Broker) Usage() (stored, limit uint64, err error) {
	v, err := b.server.Varz(nil)
	if err != nil || v.JetStream.Stats == nil || v.JetStream.Config == nil {
		return 0, 0, errors.Join(errors.New("broker usage: not available"), err)
	}
	return v.JetStream.Stats.Store, uint64(v.JetStream.Config.MaxStore), nil
}

// SetAccess replaces the access list of the running broker. Clients whose user
// is gone or changed are disconnected at once; the others notice nothing.
// A hub that now serves so many filters that the broker's window must shrink
// is an error, and nothing is changed: restart the broker with the new list.
func (b *Broker) SetAccess(a *Access) error {
	if err := a.Validate(); err != nil {
		return fmt.Errorf("set broker access: %w", err)
	}
	window, err := windowFor(a)
	if err != nil {
		return fmt.Errorf("set broker access: %w", err)
	}
	if window < b.window {
		return fmt.Errorf("set broker access: a user has more filters than the running broker's window of %d unacknowledged messages allows: restart it with the new list", b.window)
	}
	return b.disconnect(b.auth.replace(a.clone()))
}

// DropRevoked ends the connections of those whose certificate has been revoked since
// they connected, by what Options.Revoked says now.
func (b *Broker) DropRevoked() error { return b.disconnect(b.auth.revokedNow()) }

// disconnect ends the connections of the named users. A client id is a user
// name, see authenticator.
func (b *Broker) disconnect(names map[string]bool) error {
	if len(names) == 0 {
		return nil
	}
	z, err := b.server.Connz(&server.ConnzOptions{Limit: math.MaxInt32})
	if err != nil {
		return fmt.Errorf("disconnect changed users: %w", err)
	}
	for _, c := range z.Conns {
		if names[c.MQTTClient] {
			// The error says that it has gone by itself.
			_ = b.server.DisconnectClientByID(c.Cid)
		}
	}
	return nil
}

// Close stops the broker in order and waits until it has stopped.
func (b *Broker) Close() error {
	b.close.Do(func() {
		if b.server != nil {
			b.server.Shutdown()
			b.server.WaitForShutdown()
		}
		b.closed = b.unlock()
	})
	return b.closed
}

// windowFor returns the number of unacknowledged messages that every filter
// may have so that the session with the most filters stays below the server's
// limit; above it, the server refuses the filter.
func windowFor(a *Access) (uint16, error) {
	window := maxWindow
	for _, u := range a.Users {
		cost := 0
		for _, f := range u.Subscribe {
			cost += len(subjects(f))
		}
		if cost == 0 {
			continue
		}
		window = min(window, sessionWindow/cost)
		if window < minWindow {
			return 0, fmt.Errorf("user %q has %d filters, the limit is %d: give its areas to several hubs, or let it serve all areas by one wildcard: %s",
				u.Name, cost, sessionWindow/minWindow, strings.Join(u.Subscribe[:1], ""))
		}
	}
	return uint16(window), nil
}
