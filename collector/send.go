package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"citygrid/collector/spool"
	"citygrid/internal/mqttlink"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// SendOptions are what Send needs.
type SendOptions struct {
	Bundle   *seal.Bundle // of the collector that sealed the envelopes
	Provider seal.Provider
	Broker   mqttlink.Config // URL and TLS; Send fills in the rest
	// Dir is an empty folder of the caller's, in which the envelopes wait.
	Dir string
	Log *slog.Logger
}

// Sent is what became of the envelopes: those that there were, and those of which
// the hub has said that it stored them, or had them already.
type Sent struct{ Envelopes, Confirmed int }

// Send brings envelopes of one collector, out of a file that was carried, to the hub:
// it publishes them in the collector's name until each has its receipt or ctx is
// done, which is an error that says how many have none. The collector itself must
// not be connected: a broker has one place for the two. Load is called once and hands
// over the envelopes; one that was not sealed by this collector is refused.
func Send(ctx context.Context, o SendOptions, load func(add func(envelope []byte) error) error) (sent Sent, err error) {
	s, err := newSending(o)
	if err != nil {
		return Sent{}, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := load(func(envelope []byte) error { return s.add(ctx, envelope) }); err != nil {
		return Sent{}, err
	}
	if err := s.settle(ctx); err != nil {
		return Sent{}, err
	}
	sent.Envelopes = s.left()
	err = s.run(ctx)
	sent.Confirmed = sent.Envelopes - s.left()
	return sent, err
}

// sending is a publisher without a collector.
type sending struct {
	o    SendOptions
	pub  *publisher
	last map[*outbox]spool.Pending // what add handed over last
	// earlier is the generation of a key before that of the bundle, if something is
	// sealed under one; 0 otherwise.
	earlier uint16
}

func newSending(o SendOptions) (*sending, error) {
	m := newMetrics(prometheus.NewRegistry())
	s := &sending{o: o, last: make(map[*outbox]spool.Pending),
		pub: &publisher{id: o.Bundle.Collector, area: o.Bundle.Area, metrics: m, log: o.Log}}
	var err error
	s.pub.opener, err = seal.NewOpener(seal.OpenerConfig{
		Provider: o.Provider, Tenant: o.Bundle.Tenant, Role: seal.Down,
		Keys: func(generation uint16, collector string) (seal.CollectorKey, error) {
			return answerKey(o.Bundle, generation, collector)
		},
	})
	if err != nil {
		return nil, err
	}
	for _, stream := range []struct {
		name schemas.Stream
		box  **outbox
		flow *flow
	}{{schemas.Readings, &s.pub.readings, &m.flow}, {schemas.Cards, &s.pub.cards, &m.cards}, {schemas.Events, &s.pub.events, &m.events}} {
		kept, err := spool.Open(filepath.Join(o.Dir, string(stream.name)), spool.Options{Quota: 1 << 40, CommitEvery: time.Millisecond})
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		*stream.box = newOutbox(s.pub.topic(stream.name), kept, stream.flow, o.Log.With("stream", string(stream.name)))
	}
	return s, nil
}

// add takes one envelope.
func (s *sending) add(ctx context.Context, envelope []byte) error {
	header, err := seal.ParseHeader(envelope)
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if header.Collector != string(s.pub.id) {
		return fmt.Errorf("send: an envelope of collector %s, and the bundle is of %s: use the bundle of the box that the file comes from", header.Collector, s.pub.id)
	}
	boxes := map[seal.ContentType]*outbox{seal.Readings: s.pub.readings, seal.Cards: s.pub.cards, seal.Events: s.pub.events}
	box := boxes[header.ContentType]
	if box == nil {
		return fmt.Errorf("send: %s do not lie in a spool", header.ContentType)
	}
	if header.Generation < s.o.Bundle.Generation {
		s.earlier = header.Generation
	}
	s.last[box], err = box.spool.AppendAsync(ctx, envelope)
	return err
}

// settle waits until all envelopes are in their spools.
func (s *sending) settle(ctx context.Context) error {
	for box, last := range s.last {
		if _, err := last.Wait(ctx); err != nil {
			return fmt.Errorf("send: %w", err)
		}
		if n := box.spool.Stats().Failed; n > 0 {
			return fmt.Errorf("send: %d envelopes found no room in %s", n, s.o.Dir)
		}
	}
	return nil
}

// run publishes until nothing is left, or ctx is done.
func (s *sending) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	linked := make(chan error, 1)
	go func() { linked <- mqttlink.Run(ctx, s.linkConfig(), s.session) }()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for s.left() > 0 {
		select {
		case err := <-linked: // it ends by itself on a fault that stays, and when ctx is done
			return errors.Join(fmt.Errorf("send: %d envelopes have no receipt%s", s.left(), s.why()), err, context.Cause(ctx))
		case <-tick.C:
		}
	}
	stop()
	return <-linked
}

// why says what keeps receipts away after a rotation: the hub answers under the key that
// the box spoke last, and an answer counts under that of the bundle alone (answerKey).
func (s *sending) why() string {
	if s.earlier == 0 {
		return ""
	}
	return fmt.Sprintf(" (some are sealed under key %#04x, and the bundle has %#04x: the hub answers under the key that the box spoke last; give the bundle of that key, or connect the box once with its new one)",
		s.earlier, s.o.Bundle.Generation)
}

// session is one connection.
func (s *sending) session(ctx context.Context, conn *mqttlink.Conn) error {
	g, work := errgroup.WithContext(ctx)
	g.Go(func() error { return s.pub.receive(work, conn) })
	for _, o := range s.pub.outboxes() {
		g.Go(func() error { return o.send(work, conn) })
	}
	return g.Wait()
}

func (s *sending) linkConfig() mqttlink.Config {
	cfg := s.o.Broker
	cfg.ClientID = string(s.pub.id)
	cfg.User, cfg.Password = s.o.Bundle.BrokerUser, s.o.Bundle.BrokerPassword
	cfg.CleanSession = true
	cfg.Subscriptions = []string{s.pub.topic(schemas.Receipts)}
	cfg.Log = s.o.Log
	return cfg
}

// left counts the envelopes without a receipt.
func (s *sending) left() (n int) {
	for _, o := range s.pub.outboxes() {
		n += o.spool.Stats().Records
	}
	return n
}

func (s *sending) close() (err error) {
	for _, o := range s.pub.outboxes() {
		if o != nil {
			err = errors.Join(err, o.spool.Close())
		}
	}
	return err
}
