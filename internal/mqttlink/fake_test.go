package mqttlink

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"citygrid/internal/secret"
)

// script is what a fake broker does on one connection. Nil functions do what a
// good broker does.
type script struct {
	connack byte
	// connected runs after the CONNACK.
	connected func(p *peer)
	suback    func(filter string) byte
	publish   func(p *peer, m *packets.PublishPacket)
	// deaf leaves pings unanswered: two goroutines that write to a net.Pipe
	// wait on a mutex, which stops the clock of a synctest bubble.
	deaf bool
}

// fakeBroker answers the connections of one client, each by its own script;
// the last script serves all further ones.
type fakeBroker struct {
	t       *testing.T
	scripts []script

	mu     sync.Mutex
	dialed []time.Time
	peers  []*peer
	wait   sync.WaitGroup
}

// peer is the broker's end of one connection.
type peer struct {
	net.Conn
	mu    sync.Mutex
	acked []uint16 // PUBACKs received
	ended bool     // DISCONNECT received
	done  chan struct{}
}

func newFake(t *testing.T, scripts ...script) *fakeBroker {
	return &fakeBroker{t: t, scripts: scripts}
}

func (f *fakeBroker) config() Config {
	return Config{
		URL: "tcp://fake:1883", ClientID: "c-1", User: "c-1", Password: secret.New("hunter2"),
		Rand: func() float64 { return 0 }, dial: f.dial,
	}
}

func (f *fakeBroker) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.scripts[min(len(f.peers), len(f.scripts)-1)]
	p := &peer{Conn: far, done: make(chan struct{})}
	f.peers = append(f.peers, p)
	f.dialed = append(f.dialed, time.Now())
	f.wait.Go(func() { defer close(p.done); p.serve(s) })
	return near, nil
}

func (f *fakeBroker) peer(i int) *peer {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.peers[i]
}

// serve returns when the connection ends, or when a script closed it.
func (p *peer) serve(s script) {
	defer p.Close()
	if _, err := packets.ReadPacket(p); err != nil {
		return
	}
	ack := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
	ack.ReturnCode = s.connack
	if p.send(ack) != nil || s.connack != 0 {
		return
	}
	if s.connected != nil {
		s.connected(p)
	}
	for {
		packet, err := packets.ReadPacket(p)
		if err != nil {
			return
		}
		p.answer(s, packet)
	}
}

func (p *peer) answer(s script, packet packets.ControlPacket) {
	switch m := packet.(type) {
	case *packets.SubscribePacket:
		ack := packets.NewControlPacket(packets.Suback).(*packets.SubackPacket)
		ack.MessageID = m.MessageID
		for _, f := range m.Topics {
			code := byte(1)
			if s.suback != nil {
				code = s.suback(f)
			}
			ack.ReturnCodes = append(ack.ReturnCodes, code)
		}
		_ = p.send(ack)
	case *packets.PublishPacket:
		if s.publish != nil {
			s.publish(p, m)
			return
		}
		p.puback(m.MessageID)
	case *packets.PubackPacket:
		p.mu.Lock()
		p.acked = append(p.acked, m.MessageID)
		p.mu.Unlock()
	case *packets.PingreqPacket:
		if !s.deaf {
			_ = p.send(packets.NewControlPacket(packets.Pingresp))
		}
	case *packets.DisconnectPacket:
		p.mu.Lock()
		p.ended = true
		p.mu.Unlock()
	}
}

func (p *peer) send(packet packets.ControlPacket) error { return packet.Write(p) }

func (p *peer) puback(id uint16) {
	ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
	ack.MessageID = id
	_ = p.send(ack)
}

func (p *peer) message(id uint16, topic string, payload []byte) error {
	m := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	m.Qos, m.MessageID, m.TopicName, m.Payload = 1, id, topic, payload
	return p.send(m)
}

func (p *peer) acks() []uint16 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]uint16(nil), p.acked...)
}

// errDone is how a test session ends a test.
var errDone = errors.New("test is done")

// runUntil runs the link until session returns errDone, or, with a nil
// session, until the first Down; it returns the states seen.
func runUntil(t *testing.T, cfg Config, session func(context.Context, *Conn) error) []State {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var states []State
	cfg.OnState = func(s State) {
		states = append(states, s)
		if s.Phase == Down && session == nil {
			cancel()
		}
	}
	run := func(ctx context.Context, c *Conn) error {
		if session == nil {
			<-ctx.Done()
			return context.Cause(ctx)
		}
		err := session(ctx, c)
		if errors.Is(err, errDone) {
			cancel()
		}
		return err
	}
	if err := Run(ctx, cfg, run); err != nil {
		t.Fatalf("Run: %v", err)
	}
	return states
}

func firstDown(t *testing.T, states []State) error {
	t.Helper()
	for _, s := range states {
		if s.Phase == Down {
			return s.Err
		}
	}
	t.Fatal("the link was never down")
	return nil
}
