package mqttlink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// Phase is what a link is doing.
type Phase string

// The phases.
const (
	Connecting Phase = "connecting"
	Up         Phase = "up"   // connected and subscribed; the session runs
	Down       Phase = "down" // waiting for the next attempt, or ended
)

// State is a change that Config.OnState is told of.
type State struct {
	Phase Phase
	// Err says why the link is down; nil after an orderly end.
	Err error
	// Retry is the wait before the next attempt; 0 when there is none.
	Retry time.Duration
}

// Run keeps a link to the broker until ctx is done, and then returns nil. It
// returns an error only for a configuration that no attempt could make work.
//
// Whenever the link is up and its subscriptions are granted, Run calls session
// in its own goroutine. The session's context is done when ctx is, or when the
// link is lost; in that case its cause has ErrLost in its chain. The session
// must return then. When ctx is done the link still stands until session has
// returned, so that it may publish a last word with a context of its own. A
// session that returns earlier ends the connection, and after the back-off
// there is another.
func Run(ctx context.Context, cfg Config, session func(ctx context.Context, c *Conn) error) error {
	s, err := newSettings(cfg)
	if err != nil {
		return fmt.Errorf("mqtt link: %w", err)
	}
	for failures := 0; ctx.Err() == nil; failures++ {
		s.report(State{Phase: Connecting})
		up, err := s.once(ctx, session)
		if ctx.Err() != nil {
			break
		}
		if up >= s.Backoff.Max {
			failures = 0
		}
		wait := s.Backoff.Delay(failures, s.Rand())
		s.Log.Warn("mqtt link down", "broker", s.URL, "client_id", s.ClientID, "error", err, "retry_in", wait)
		s.report(State{Phase: Down, Err: err, Retry: wait})
		pause(ctx, wait)
	}
	s.report(State{Phase: Down})
	return nil
}

func (s *settings) report(st State) {
	if s.OnState != nil {
		s.OnState(st)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// once makes one connection and runs one session on it. It returns how long
// the session ran and why it ended.
func (s *settings) once(ctx context.Context, session func(context.Context, *Conn) error) (time.Duration, error) {
	c, err := s.open(ctx)
	if err != nil {
		return 0, err
	}
	defer c.close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.link, func() { cancel(c.lost()) })()

	s.Log.Info("mqtt link up", "broker", s.URL, "client_id", s.ClientID)
	s.report(State{Phase: Up})
	began := time.Now()
	err = session(ctx, c)
	if lost := c.lost(); lost != nil {
		err = lost
	}
	return time.Since(began), err
}

// open connects and subscribes.
func (s *settings) open(ctx context.Context) (*Conn, error) {
	c := newConn(s)
	c.client = paho.NewClient(s.options(ctx, c))
	if err := c.connect(ctx); err != nil {
		c.close()
		return nil, err
	}
	c.workers.Go(c.reap)
	c.workers.Go(func() { c.inbox.pump(c.messages, c.link.Done()) })
	if err := c.subscribe(ctx); err != nil {
		c.close()
		return nil, err
	}
	c.inbox.limitTo(s.InboxBytes)
	return c, nil
}

// options are the settings that were measured to lose nothing: no automatic
// reconnect (it reports unacknowledged publishes as delivered), ordered
// handling (else a goroutine a message), version 4 said outright (else a
// refused password is tried again as MQTT 3.1 and reads as EOF), the handler
// set before connecting (else what a persistent session sends first is never
// acknowledged).
func (s *settings) options(ctx context.Context, c *Conn) *paho.ClientOptions {
	o := paho.NewClientOptions().
		AddBroker("tcp://" + s.address).
		SetClientID(s.ClientID).
		SetUsername(s.User).
		SetPassword(string(s.Password.Reveal())).
		SetProtocolVersion(4).
		SetCleanSession(s.CleanSession).
		SetAutoReconnect(false).
		SetConnectRetry(false).
		SetOrderMatters(true).
		SetAutoAckDisabled(true).
		SetStore(paho.NewMemoryStore()).
		SetConnectTimeout(s.ConnectTimeout).
		SetWriteTimeout(s.WriteTimeout).
		SetKeepAlive(s.KeepAlive).
		SetPingTimeout(s.PingTimeout).
		SetDefaultPublishHandler(c.received).
		SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return c.dial(ctx) })
	if s.Will != nil {
		o.SetBinaryWill(s.Will.Topic, s.Will.Payload, 1, s.Will.Retained)
	}
	return o
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// dial opens the socket. It is ours and not the client's so that ctx ends it,
// no proxy is taken from the environment, and the loss of the socket is known
// at once: the client tells only after its handlers have returned, and a
// handler may wait for that very news.
func (c *Conn) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.set.ConnectTimeout)
	defer cancel()
	socket, err := c.set.dial(ctx, "tcp", c.set.address)
	if err != nil {
		return nil, err
	}
	if c.set.tls != nil {
		if socket, err = handshake(ctx, socket, c.set); err != nil {
			return nil, err
		}
	}
	c.mu.Lock()
	c.socket = socket
	c.mu.Unlock()
	return watched{Conn: socket, lost: c.fail}, nil
}

func handshake(ctx context.Context, socket net.Conn, s *settings) (net.Conn, error) {
	cfg := s.tls.Clone()
	if cfg.ServerName == "" {
		cfg.ServerName, _, _ = net.SplitHostPort(s.address)
	}
	t := tls.Client(socket, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		_ = socket.Close()
		return nil, err
	}
	return t, nil
}

// watched tells of the first failure or of its own closing.
type watched struct {
	net.Conn
	lost func(error)
}

func (w watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if err != nil {
		w.lost(err)
	}
	return n, err
}

func (w watched) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	if err != nil {
		w.lost(err)
	}
	return n, err
}

func (w watched) Close() error {
	w.lost(net.ErrClosed)
	return w.Conn.Close()
}

// connect waits for the CONNACK. The client bounds it by the connect timeout.
func (c *Conn) connect(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.socket != nil {
			_ = c.socket.Close()
		}
	})
	defer stop()
	token := c.client.Connect()
	<-token.Done()
	if err := token.Error(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return c.set.explainConnect(err)
	}
	return nil
}

// subscribe makes all subscriptions in one packet and reads the broker's
// answer to each: the client's token has no error when one is refused.
func (c *Conn) subscribe(ctx context.Context) error {
	if len(c.set.Subscriptions) == 0 {
		return nil
	}
	filters := make(map[string]byte, len(c.set.Subscriptions))
	for _, f := range c.set.Subscriptions {
		filters[f] = 1
	}
	answer := make(chan *paho.SubscribeToken, 1)
	go func() { // as in send; the client finishes the token when the link is down
		token := c.client.SubscribeMultiple(filters, nil).(*paho.SubscribeToken)
		<-token.Done()
		answer <- token
	}()
	bound := time.NewTimer(c.set.ConnectTimeout)
	defer bound.Stop()
	select {
	case token := <-answer:
		if err := token.Error(); err != nil {
			return fmt.Errorf("subscribe at %s: %w", c.set.URL, err)
		}
		return c.set.checkGranted(token.Result())
	case <-c.link.Done():
		return fmt.Errorf("subscribe: %w", c.lost())
	case <-ctx.Done():
		return fmt.Errorf("subscribe: %w", context.Cause(ctx))
	case <-bound.C:
		return fmt.Errorf("subscribe at %s: no answer for %v", c.set.URL, c.set.ConnectTimeout)
	}
}

// checkGranted reports every filter that was not granted at QoS 1
// [MQTT 3.1.1, 3.9.3].
func (s *settings) checkGranted(granted map[string]byte) error {
	var errs []error
	for _, f := range s.Subscriptions {
		switch code, ok := granted[f]; {
		case !ok, code >= 0x80:
			errs = append(errs, fmt.Errorf("subscribe at %s to %q: %w: the broker refused the filter: "+
				"user %q may not read it, or the broker's limit of unacknowledged messages is too small for so many filters",
				s.URL, f, ErrNotAuthorized, s.User))
		case code == 0:
			errs = append(errs, fmt.Errorf("subscribe at %s to %q: the broker grants QoS 0 only, which loses messages", s.URL, f))
		}
	}
	return errors.Join(errs...)
}
