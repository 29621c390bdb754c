package mqttlink

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// Conn is one established connection, handed to the session. All methods may
// be called from several goroutines at once.
type Conn struct {
	set    *settings
	client paho.Client

	// link is done, with a cause, as soon as the connection is of no use.
	link context.Context
	lose context.CancelCauseFunc

	mu       sync.Mutex
	socket   net.Conn
	drained  bool
	inflight chan *Token // sent and not acknowledged, oldest first
	window   chan struct{}

	inbox    *inbox
	messages chan Message
	workers  sync.WaitGroup
}

func newConn(s *settings) *Conn {
	c := &Conn{
		set:      s,
		inflight: make(chan *Token, s.Window),
		window:   make(chan struct{}, s.Window),
		inbox:    newInbox(),
		messages: make(chan Message),
	}
	c.link, c.lose = context.WithCancelCause(context.Background())
	return c
}

// Messages gives what the broker sends, in its order. The channel is closed
// when the link is lost; what was not taken or not acknowledged by then comes
// again on the next link, if the session is a persistent one.
func (c *Conn) Messages() <-chan Message { return c.messages }

// Publish sends a message at QoS 1 and returns its token. It waits while
// Config.Window publishes are unacknowledged; ctx bounds that wait. A failure
// is reported by the token alone. Messages published from one goroutine go out
// in order. payload must not be changed before the token is done.
//
// A message that brokers do not take (a wildcard in the topic, more than
// MaxPayload bytes) fails without harm to the link; any other failure ends it.
func (c *Conn) Publish(ctx context.Context, topic string, payload []byte, retained bool) *Token {
	t := &Token{topic: topic, done: make(chan struct{})}
	if err := checkPublish(topic, payload); err != nil {
		return t.finish(err)
	}
	select {
	case <-c.link.Done():
		return t.finish(c.lost())
	default:
	}
	select {
	case c.window <- struct{}{}:
	case <-c.link.Done():
		return t.finish(c.lost())
	case <-ctx.Done():
		return t.finish(fmt.Errorf("wait for the broker's acknowledgements: %w", context.Cause(ctx)))
	}
	c.send(t, payload, retained)
	return t
}

// send hands the message to the client. The client can hold its caller for the
// write timeout when the link goes down in that moment, hence the goroutine,
// which lives no longer than that.
func (c *Conn) send(t *Token, payload []byte, retained bool) {
	sent := make(chan paho.Token, 1)
	go func() { sent <- c.client.Publish(t.topic, 1, retained, payload) }()
	select {
	case t.broker = <-sent:
	case <-c.link.Done():
		t.finish(c.lost())
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.drained {
		t.settle(c.lost())
		return
	}
	c.inflight <- t // the window has as many places
}

// reap finishes the tokens, oldest first, as brokers acknowledge in the order
// of sending [MQTT 3.1.1, 4.6.0-2].
func (c *Conn) reap() {
	for {
		select {
		case t := <-c.inflight:
			c.await(t)
			<-c.window
		case <-c.link.Done():
			c.drain()
			return
		}
	}
}

// await waits for the acknowledgement of the oldest publish. Its clock starts
// when the one before was acknowledged, so that a slow link that makes progress
// is left alone.
func (c *Conn) await(t *Token) {
	stuck := time.NewTimer(c.set.PubackTimeout)
	defer stuck.Stop()
	select {
	case <-t.broker.Done():
		if err := t.broker.Error(); err != nil {
			c.fail(fmt.Errorf("publish to %s: %w", t.topic, err))
		}
	case <-stuck.C:
		c.fail(fmt.Errorf("no acknowledgement of a publish to %s for %v: the broker is stuck or its store is full",
			t.topic, c.set.PubackTimeout))
	case <-c.link.Done():
	}
	t.settle(c.lost())
}

// drain finishes what is left when the link is down, and makes send finish
// what comes after.
func (c *Conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drained = true
	for {
		select {
		case t := <-c.inflight:
			t.settle(c.lost())
		default:
			return
		}
	}
}

// fail ends the link because of err, unless it has ended before.
func (c *Conn) fail(err error) { c.lose(c.set.explainLost(err)) }

// lost returns how the link ended, nil while it stands.
func (c *Conn) lost() error { return context.Cause(c.link) }

// received is the client's message handler. It runs in the goroutine that also
// reads acknowledgements.
func (c *Conn) received(_ paho.Client, m paho.Message) {
	c.inbox.put(Message{
		Topic: m.Topic(), Payload: m.Payload(),
		Retained: m.Retained(), Duplicate: m.Duplicate(), ack: m.Ack,
	}, c.link.Done())
}

// goodbyeTime bounds an orderly end of a connection.
const goodbyeTime = 250 * time.Millisecond

// close says goodbye when the link stands, so that the broker does not publish
// the will, and ends everything in any case. The client's own Disconnect can
// block on a peer that does not read, hence the bound.
func (c *Conn) close() {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		c.client.Disconnect(uint(goodbyeTime.Milliseconds()))
	}()
	if c.lost() == nil {
		bound := time.NewTimer(2 * goodbyeTime)
		defer bound.Stop()
		select {
		case <-gone:
		case <-bound.C:
		case <-c.link.Done():
		}
	}
	c.lose(errGoodbye)
	c.mu.Lock()
	if c.socket != nil {
		_ = c.socket.Close()
	}
	c.mu.Unlock()
	c.workers.Wait()
}

// Token is a publish under way.
type Token struct {
	topic  string
	broker paho.Token
	done   chan struct{}
	err    error
}

// Done is closed when the publish was acknowledged or has failed.
func (t *Token) Done() <-chan struct{} { return t.done }

// Err returns nil when the broker acknowledged the publish, and why not
// otherwise. It means nothing before Done is closed.
func (t *Token) Err() error {
	select {
	case <-t.done:
		return t.err
	default:
		return fmt.Errorf("publish to %s: not yet acknowledged", t.topic)
	}
}

// Wait waits until the publish is done, or ctx is, and returns what Err says or
// the cause of ctx.
func (t *Token) Wait(ctx context.Context) error {
	select {
	case <-t.done:
		return t.err
	case <-ctx.Done():
		return fmt.Errorf("wait for the acknowledgement of a publish to %s: %w", t.topic, context.Cause(ctx))
	}
}

// settle finishes t as acknowledged if the broker did so, else with lost.
func (t *Token) settle(lost error) {
	select {
	case <-t.broker.Done():
		if t.broker.Error() == nil {
			t.finish(nil)
			return
		}
	default:
	}
	t.finish(lost)
}

func (t *Token) finish(err error) *Token {
	if err != nil {
		err = fmt.Errorf("publish to %s: %w", t.topic, err)
	}
	t.err = err
	close(t.done)
	return t
}
