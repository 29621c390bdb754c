// Package ingest is the hub's receiving side: it takes envelopes from the
// broker and answers with receipts.
//
//	Conn.Messages -> intake: open -> verify -> decode -> Tracker.Check
//	                   |                                      |
//	                   | refused: count, dead letter, ack     | new
//	                   v                                      v
//	                 (ack)                     Store.Submit -> settle
//	                                                              |
//	      Tracker.Commit -> save -> receipt -> ack <--------------+
//
// The order at the end is the promise of the whole system: points are in the
// store before the hub remembers them, it remembers them (durably) before it
// sends the receipt, and the broker may forget the message last of all. A
// crash between any two of these makes the message come again, and the store
// takes the same points to the same place.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"citygrid/internal/mqttlink"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// Store takes readings for good.
type Store interface {
	// Submit hands over readings and returns at once, or when there is room;
	// it returns an error only when ctx is done. done is called once, from any
	// goroutine: with nil when every point is in the store, with an error when
	// the store has refused some of them for ever and holds the others. It is
	// not called while the store is merely down.
	Submit(ctx context.Context, readings []schemas.Reading, done func(error)) error
}

// Observer learns of what has been stored; it must be quick.
type Observer interface {
	Stored(readings []schemas.Reading, at time.Time)
	CollectorStatus(schemas.Status)
	CollectorOnline(id schemas.CollectorID, online bool, at time.Time)
}

// Enrolled returns the area and the key generation in force of a collector; ok
// is false for one that is not enrolled here.
type Enrolled func(id schemas.CollectorID) (area schemas.AreaCode, generation uint16, ok bool)

// Options are everything a receiver is made of.
type Options struct {
	Tenant   string
	Provider seal.Provider
	// Master derives the collectors' keys.
	Master   *seal.Master
	Enrolled Enrolled
	Store    Store
	Observer Observer
	// Dir holds the replay state and the dead letters.
	Dir      string
	Registry prometheus.Registerer
	Log      *slog.Logger
	Random   io.Reader
	// CrossCheckEvery opens one of so many messages with both SM4
	// implementations; 0 never.
	CrossCheckEvery int
}

// Receiver is the hub's receiving side. Run must be running while sessions are.
type Receiver struct {
	o       Options
	opener  *seal.Opener
	replay  *replayBook
	dead    *deadLetters
	sealers *receiptSealers
	metrics *metrics
	log     *slog.Logger

	conn    atomic.Pointer[mqttlink.Conn]
	settled chan *delivery
	stopped chan struct{} // closed when Run has returned

	mu sync.Mutex
	// pending holds the messages whose points are on their way to the store.
	pending map[deliveryKey]*delivery
}

// deliveryKey names an envelope.
type deliveryKey struct {
	collector schemas.CollectorID
	context   seal.Context
	seq       uint32
}

// delivery is one envelope between intake and receipt.
type delivery struct {
	key      deliveryKey
	area     schemas.AreaCode
	tag      [16]byte
	readings []schemas.Reading
	// again is true for an envelope that was stored before and only wants its
	// receipt.
	again    bool
	storedAt time.Time
	rejected error
	message  mqttlink.Message
	// copies are redeliveries of the same envelope while it was pending.
	copies []mqttlink.Message
}

// New opens the replay state and the dead letters in o.Dir.
func New(o Options) (*Receiver, error) {
	replay, err := openReplayBook(o.Dir)
	if err != nil {
		return nil, err
	}
	dead, err := openDeadLetters(o.Dir)
	if err != nil {
		return nil, err
	}
	r := &Receiver{
		o: o, replay: replay, dead: dead, metrics: newMetrics(o.Registry), log: o.Log,
		sealers: newReceiptSealers(o),
		settled: make(chan *delivery, 4096), stopped: make(chan struct{}), pending: make(map[deliveryKey]*delivery),
	}
	o.Registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "citygrid", Subsystem: "hub",
		Name: "missing_envelopes", Help: "Envelopes that are known to have been sealed and are not stored."},
		func() float64 { return float64(total(r.replay.missing())) }))
	r.opener, err = seal.NewOpener(seal.OpenerConfig{
		Provider: o.Provider, Tenant: o.Tenant, Role: seal.Up,
		Keys: r.key, CrossCheckEvery: o.CrossCheckEvery,
	})
	return r, err
}

// key returns the key of an enrolled collector, of the generation in force and
// no other.
func (r *Receiver) key(generation uint16, collector string) (seal.CollectorKey, error) {
	_, inForce, ok := r.o.Enrolled(schemas.CollectorID(collector))
	if !ok {
		return seal.CollectorKey{}, &seal.Error{Code: seal.DeviceUnknown, Problem: fmt.Sprintf("collector %s is not enrolled; citygrid keys issue enrols it", collector)}
	}
	switch {
	case generation < inForce:
		return seal.CollectorKey{}, &seal.Error{Code: seal.GenerationRetired, Problem: fmt.Sprintf("collector %s uses key generation %#04x, in force is %#04x; give it the new bundle", collector, generation, inForce)}
	case generation > inForce:
		return seal.CollectorKey{}, &seal.Error{Code: seal.GenerationUnknown, Problem: fmt.Sprintf("collector %s uses key generation %#04x, in force is %#04x; reload the enrolment", collector, generation, inForce)}
	}
	return r.o.Master.CollectorKey(r.o.Provider, generation, collector)
}

// Subscriptions returns the filters of a hub for the given areas; none means
// all.
func Subscriptions(areas []schemas.AreaCode) (filters []string) {
	if len(areas) == 0 {
		areas = []schemas.AreaCode{""}
	}
	for _, a := range areas {
		for _, s := range []schemas.Stream{schemas.Readings, schemas.Statuses, schemas.Online} {
			filters = append(filters, schemas.Topic{Area: a, Stream: s}.String())
		}
	}
	return filters
}

// Session takes messages from one connection until it is lost or ctx is done.
func (r *Receiver) Session(ctx context.Context, conn *mqttlink.Conn) error {
	r.conn.Store(conn)
	defer r.conn.CompareAndSwap(conn, nil)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m, ok := <-conn.Messages():
			if !ok {
				return mqttlink.ErrLost
			}
			if err := r.intake(ctx, m); err != nil {
				return err
			}
		}
	}
}

// Connected reports whether there is a connection to the broker.
func (r *Receiver) Connected() bool { return r.conn.Load() != nil }

// intake handles one message. It returns an error only when the hub cannot go
// on taking messages: the message is then not acknowledged and comes again.
func (r *Receiver) intake(ctx context.Context, m mqttlink.Message) error {
	r.metrics.received.Inc()
	topic, err := schemas.ParseTopic(m.Topic)
	if err != nil {
		return r.refuse(m, codeTopicBad, err)
	}
	if topic.Stream == schemas.Online {
		r.o.Observer.CollectorOnline(topic.Collector, string(m.Payload) == "1", time.Now())
		m.Ack()
		return nil
	}
	header, plain, err := r.opener.Open(nil, m.Payload)
	if err != nil {
		return r.refuseSeal(m, err)
	}
	if err := r.belongs(topic, header); err != nil {
		return r.refuse(m, codeTopicMismatch, err)
	}
	r.metrics.opened.Inc()
	switch topic.Stream {
	case schemas.Readings:
		return r.takeBatch(ctx, m, topic, header, plain)
	case schemas.Statuses:
		return r.takeStatus(m, header, plain)
	}
	return r.refuse(m, codeStreamUnknown, fmt.Errorf("this hub takes no %s", topic.Stream))
}

// belongs checks that the envelope travels on its own collector's topic, in
// its own area and stream.
func (r *Receiver) belongs(topic schemas.Topic, h seal.Header) error {
	if h.Collector != string(topic.Collector) {
		return fmt.Errorf("an envelope of collector %s on the topic of %s", h.Collector, topic.Collector)
	}
	if h.ContentType.Stream() != topic.Stream {
		return fmt.Errorf("%s on the topic %s", h.ContentType, topic.Stream)
	}
	if area, _, _ := r.o.Enrolled(topic.Collector); area != topic.Area {
		return fmt.Errorf("collector %s is enrolled in area %s, not %s", topic.Collector, area, topic.Area)
	}
	return nil
}

// takeStatus passes a status on. A status is not spooled, so it gets no
// receipt; one that is older than the last is dropped by the observer's time.
func (r *Receiver) takeStatus(m mqttlink.Message, h seal.Header, plain []byte) error {
	status, err := schemas.DecodeStatus(plain)
	if err == nil && string(status.Collector) != h.Collector {
		err = fmt.Errorf("status of %s sealed by %s", status.Collector, h.Collector)
	}
	if err != nil {
		return r.refuse(m, codeSchema, err)
	}
	r.o.Observer.CollectorStatus(*status)
	m.Ack()
	return nil
}

// takeBatch decodes a batch, checks it against what was stored before, and
// sends it to the store.
func (r *Receiver) takeBatch(ctx context.Context, m mqttlink.Message, topic schemas.Topic, h seal.Header, plain []byte) error {
	d := &delivery{
		key:  deliveryKey{collector: topic.Collector, context: h.Context, seq: h.Seq},
		area: topic.Area, tag: h.Tag, message: m,
	}
	if r.joinPending(d) {
		r.metrics.duplicates.Inc()
		return nil
	}
	switch verdict := r.replay.check(d.key, d.tag); verdict {
	case seal.New:
	case seal.Duplicate:
		r.metrics.duplicates.Inc()
		d.again = true
		return r.settleLater(ctx, d)
	default:
		return r.refuse(m, codeOf(verdict), fmt.Errorf("session %s sequence %d of collector %s: %s", h.Context, h.Seq, topic.Collector, explain(verdict)))
	}
	batch, err := schemas.DecodeBatch(plain)
	if err == nil && (batch.Collector != topic.Collector || batch.Area != topic.Area) {
		err = fmt.Errorf("batch of %s/%s sealed by %s/%s", batch.Area, batch.Collector, topic.Area, topic.Collector)
	}
	if err != nil {
		// The seal was right, so the collector's program is wrong. The
		// envelope is kept as it came and its number is taken as settled:
		// sending it again would change nothing.
		d.rejected = err
		r.bury(m, codeSchema, err)
		return r.settleLater(ctx, d)
	}
	d.readings = batch.Readings
	r.addPending(d)
	err = r.o.Store.Submit(ctx, batch.Readings, func(err error) {
		d.storedAt, d.rejected = time.Now(), err
		if err != nil {
			r.bury(m, codeStoreRejected, err)
		}
		select {
		case r.settled <- d:
		case <-r.stopped: // no receipt: the collector sends it again
		}
	})
	if err != nil {
		r.dropPending(d)
	}
	return err
}

// settleLater hands d to Run.
func (r *Receiver) settleLater(ctx context.Context, d *delivery) error {
	select {
	case r.settled <- d:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// joinPending adds d to the copies of the same envelope that is on its way to
// the store, if there is one.
func (r *Receiver) joinPending(d *delivery) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	first, ok := r.pending[d.key]
	if !ok || first.tag != d.tag {
		return false
	}
	first.copies = append(first.copies, d.message)
	return true
}

func (r *Receiver) addPending(d *delivery) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending[d.key] = d
}

// dropPending ends the time in which copies may join d and returns them.
func (r *Receiver) dropPending(d *delivery) []mqttlink.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending[d.key] == d {
		delete(r.pending, d.key)
	}
	return d.copies
}

// refuseSeal refuses an envelope that did not open. When the source of keys or
// the cipher itself is in doubt the message is not acknowledged: it may be
// good, and the broker keeps it.
func (r *Receiver) refuseSeal(m mqttlink.Message, err error) error {
	var e *seal.Error
	if !errors.As(err, &e) {
		return r.refuse(m, seal.FrameBad, err)
	}
	if e.Code == seal.KeyUnavailable || e.Code == seal.ProviderMismatch {
		r.metrics.refused(e.Code).Inc()
		return fmt.Errorf("cannot open messages: %w", err)
	}
	return r.refuse(m, e.Code, err)
}

// refuse counts a message, keeps it as a dead letter and acknowledges it: the
// sender learns nothing and the broker need not send it again. A dead letter
// that cannot be written keeps the message with the broker.
func (r *Receiver) refuse(m mqttlink.Message, code seal.Code, reason error) error {
	if err := r.bury(m, code, reason); err != nil {
		return err
	}
	m.Ack()
	return nil
}

// bury counts a refusal and writes the dead letter.
func (r *Receiver) bury(m mqttlink.Message, code seal.Code, reason error) error {
	r.metrics.refused(code).Inc()
	if err := r.dead.add(time.Now(), m.Topic, m.Payload, code, reason); err != nil {
		r.log.Error("a dead letter could not be written", "code", code, "topic", m.Topic, "error", err)
		return err
	}
	if r.dead.loud(code, time.Now()) {
		r.log.Warn("message refused and kept as a dead letter", "code", code, "topic", m.Topic, "reason", reason)
	}
	return nil
}
