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
// Card entries and component events go the same way past the CardStore and the
// EventStore (see courier).
//
// An envelope that opened and can still never be stored (its content is wrong,
// or the store refuses it for ever) is kept as a letter on disk in the place of
// the store, and then takes the same way, or its collector would keep and
// repeat it for ever.
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
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"citygrid/internal/counters"
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

// Enrolled returns the area and the active key generation of a collector; ok
// is false for one that is not enrolled here; a generation other than 0 then says
// that it was, and that its key was revoked.
type Enrolled func(id schemas.CollectorID) (area schemas.AreaCode, generation uint16, ok bool)

// Options are everything a receiver is made of.
type Options struct {
	Tenant   string
	Provider seal.Provider
	// Master derives the collectors' keys.
	Master   Keys
	Enrolled Enrolled
	// Admit decides under which generations messages are opened; nil: under the one
	// that Enrolled names alone.
	Admit Admit
	Store Store
	// Cards takes card entries; nil: this hub takes none, and leaves them with
	// their collectors.
	Cards CardStore
	// Events takes component events; nil: as with Cards.
	Events EventStore
	// Slots takes accounts of slots; nil: nobody keeps them.
	Slots    SlotStore
	Observer Observer
	// Dir holds the replay state and the dead letters.
	Dir      string
	Registry prometheus.Registerer
	Log      *slog.Logger
	Random   io.Reader
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// CrossCheckEvery opens one of so many messages with both SM4
	// implementations; 0 never.
	CrossCheckEvery int
}

// Receiver is the hub's receiving side. Run must be running while sessions are.
type Receiver struct {
	o       Options
	opener  *seal.Opener
	replay  *replayBook
	pending *pendingSet
	held    held
	blocked *blockade
	// dead holds what was refused, rejected what was answered with a receipt
	// although it is not, or not whole, in the store.
	dead     *deadLetters
	rejected *rejectedLetters
	sealers  *receiptSealers
	metrics  *metrics
	log      *slog.Logger

	accounts      Accounts // nil: nobody keeps any
	conn          atomic.Pointer[mqttlink.Conn]
	cards, events *courier
	slots         *courier
	commands      *commander
	settled       chan *delivery
	stopped       chan struct{} // closed when Run has returned
}

// New opens the replay state, the letters and the blocked sessions in o.Dir.
func New(o Options) (*Receiver, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &Receiver{o: o, log: o.Log, held: newHeld(), settled: make(chan *delivery, 4096), stopped: make(chan struct{})}
	r.accounts, _ = o.Observer.(Accounts)
	var err error
	if r.replay, err = openReplayBook(o.Dir); err != nil {
		return nil, err
	}
	if r.blocked, err = openBlockade(o.Dir); err != nil {
		return nil, err
	}
	if r.dead, err = openDeadLetters(o.Dir); err != nil {
		return nil, err
	}
	if r.rejected, err = openRejected(o.Dir); err != nil {
		return nil, err
	}
	r.opener, err = seal.NewOpener(seal.OpenerConfig{
		Provider: o.Provider, Tenant: o.Tenant, Role: seal.Up,
		Keys: r.key, CrossCheckEvery: o.CrossCheckEvery,
	})
	if err != nil {
		return nil, err
	}
	r.pending, r.sealers, r.metrics = newPendingSet(r.replay), newReceiptSealers(o), newMetrics(o.Registry, o.Now)
	r.cards, r.events = newCards(r), newEvents(r)
	r.slots, r.commands = newSlots(r), newCommander(r)
	o.Registry.MustRegister(newOldKeys(&r.o, &r.sealers.spoken))
	counters.New(o.Registry, "hub").GaugeFunc("missing_envelopes", "Envelopes that are known to have been sealed and are not stored.",
		func() float64 { return float64(total(r.replay.missing())) })
	return r, nil
}

// key returns the key of an enrolled collector, of a generation that is admitted.
func (r *Receiver) key(generation uint16, collector string) (seal.CollectorKey, error) {
	if err := r.o.admitted(generation, collector); err != nil {
		return seal.CollectorKey{}, err
	}
	return r.o.Master.CollectorKey(r.o.Provider, generation, collector)
}

// notEnrolled says why an answer of Enrolled was no.
func notEnrolled(collector string, generation uint16) string {
	if generation != 0 {
		return fmt.Sprintf("the key of collector %s was revoked; citygrid keys issue --renew lets it in again", collector)
	}
	return fmt.Sprintf("collector %s is not enrolled; citygrid keys issue enrols it", collector)
}

// Subscriptions returns the filters of a hub for the given areas; none means
// all.
func Subscriptions(areas []schemas.AreaCode) (filters []string) {
	if len(areas) == 0 {
		areas = []schemas.AreaCode{""}
	}
	for _, a := range areas {
		for _, s := range []schemas.Stream{schemas.Readings, schemas.Cards, schemas.Events, schemas.Statuses, schemas.Online} {
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
		return r.takeOnline(m, topic)
	}
	header, plain, err := r.opener.Open(nil, m.Payload)
	if err == nil {
		// The opener keeps session keys; the enrolment may be newer.
		err = r.o.admitted(header.Generation, header.Collector)
	}
	if err != nil {
		return r.refuseSeal(m, err)
	}
	if err := r.belongs(topic, header); err != nil {
		return r.refuse(m, codeTopicMismatch, err)
	}
	r.metrics.opened.Inc()
	r.sealers.spoken.note(topic.Stream, topic.Collector, header.Generation)
	r.noteSession(topic, header)
	switch topic.Stream {
	case schemas.Readings, schemas.Cards, schemas.Events:
		return r.takeBatch(ctx, m, topic, header, plain)
	case schemas.Statuses:
		return r.takeStatus(m, topic, plain)
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

// takeOnline passes on what the broker says of a connection. It is not sealed:
// nothing but a lamp depends on it.
func (r *Receiver) takeOnline(m mqttlink.Message, topic schemas.Topic) error {
	area, generation, ok := r.o.Enrolled(topic.Collector)
	switch {
	case !ok:
		return r.refuse(m, seal.DeviceUnknown, errors.New(notEnrolled(string(topic.Collector), generation)))
	case area != topic.Area:
		return r.refuse(m, codeTopicMismatch, fmt.Errorf("collector %s is enrolled in area %s, not %s", topic.Collector, area, topic.Area))
	}
	switch string(m.Payload) {
	case "1", "0":
		r.o.Observer.CollectorOnline(topic.Collector, string(m.Payload) == "1", r.o.Now())
	default:
		return r.refuse(m, codeSchema, errors.New("want 1 or 0"))
	}
	m.Ack()
	return nil
}

// takeStatus passes a status on. A status is not spooled, so it gets no
// receipt; one that is older than the last is dropped by the observer's time.
func (r *Receiver) takeStatus(m mqttlink.Message, topic schemas.Topic, plain []byte) error {
	status, err := schemas.DecodeStatus(plain)
	if err == nil && (status.Collector != topic.Collector || status.Area != topic.Area) {
		err = fmt.Errorf("status of %s/%s sealed by %s/%s", status.Area, status.Collector, topic.Area, topic.Collector)
	}
	if err != nil {
		return r.refuse(m, codeSchema, err)
	}
	r.o.Observer.CollectorStatus(*status)
	m.Ack()
	return nil
}

// takeBatch checks a batch of readings, card entries or events against what is stored or
// on its way, decodes it, and sends it to its store.
func (r *Receiver) takeBatch(ctx context.Context, m mqttlink.Message, topic schemas.Topic, h seal.Header, plain []byte) error {
	beside := r.courier(topic.Stream)
	if beside != nil && beside.store == nil {
		return beside.leave(m, topic)
	}
	d := &delivery{
		key:  deliveryKey{source: source{topic.Collector, topic.Stream}, context: h.Context, seq: h.Seq},
		area: topic.Area, tag: h.Tag, message: m,
	}
	if path, ok := r.blocked.find(d.key); ok {
		return r.refuse(m, codeSessionBlocked, fmt.Errorf("session %s of collector %s is blocked; %s says why and how to go on", h.Context, topic.Collector, path))
	}
	if beside == nil { // couriers have bounds of their own
		if err := r.held.take(ctx, d); err != nil {
			return err
		}
	}
	verdict, joined := r.pending.admit(d)
	switch {
	case joined:
		r.held.give(d)
		r.metrics.duplicates.Inc()
		return nil
	case verdict == seal.Duplicate:
		r.metrics.duplicates.Inc()
		d.again = true
		return r.settleLater(ctx, d)
	case verdict == seal.Repeated:
		r.metrics.duplicates.Inc()
		d.repeated = true
	case verdict != seal.New:
		r.held.give(d)
		return r.refuseVerdict(m, d.key, verdict)
	}
	err := d.decode(plain, topic)
	var version *schemas.VersionError
	switch {
	case errors.As(err, &version):
		// A newer hub can read it: no receipt, so the collector keeps it.
		r.forget(d)
		return r.refuse(m, codeSchema, err)
	case err != nil:
		d.reject(codeSchema, err)
		return r.settleLater(ctx, d)
	}
	if beside != nil {
		return beside.submit(d)
	}
	return r.submit(ctx, d)
}

// refuseVerdict refuses an envelope for its place in the history of its
// collector. One number used twice blocks the rest of the session.
func (r *Receiver) refuseVerdict(m mqttlink.Message, k deliveryKey, v seal.Verdict) error {
	if v == seal.NonceReuse {
		if err := r.blocked.add(k); err != nil {
			return err
		}
	}
	return r.refuse(m, codeOf(v), fmt.Errorf("session %s sequence %d of collector %s: %s", k.context, k.seq, k.collector, explain(v)))
}

// decode reads the batch of d and checks that it is of the topic's collector.
func (d *delivery) decode(plain []byte, topic schemas.Topic) error {
	var of schemas.Topic
	switch topic.Stream {
	case schemas.Cards:
		batch, err := schemas.DecodeCardBatch(plain)
		if err != nil {
			return err
		}
		of, d.cards = schemas.Topic{Area: batch.Area, Collector: batch.Collector}, batch.Entries
	case schemas.Events:
		batch, err := schemas.DecodeEventBatch(plain)
		if err != nil {
			return err
		}
		of, d.events = schemas.Topic{Area: batch.Area, Collector: batch.Collector}, batch.Events
	default:
		batch, err := schemas.DecodeBatch(plain)
		if err != nil {
			return err
		}
		of, d.readings = schemas.Topic{Area: batch.Area, Collector: batch.Collector}, batch.Readings
		d.accounts = batch.Accounts
	}
	if of.Collector != topic.Collector || of.Area != topic.Area {
		return fmt.Errorf("batch of %s/%s sealed by %s/%s", of.Area, of.Collector, topic.Area, topic.Collector)
	}
	return nil
}

// submit sends a delivery to the store, which sends it on to Run.
func (r *Receiver) submit(ctx context.Context, d *delivery) error {
	if len(d.readings) == 0 {
		d.storedAt = r.o.Now()
		if r.hasAccounts(d) {
			return r.slots.submit(d)
		}
		return r.settleLater(ctx, d)
	}
	err := r.o.Store.Submit(ctx, d.readings, func(err error) {
		d.storedAt = r.o.Now()
		if err != nil {
			d.reject(codeStoreRejected, err)
		}
		if r.hasAccounts(d) {
			_ = r.slots.submit(d) // which leaves it with its collector, or sends it on
			return
		}
		select {
		case r.settled <- d:
		case <-r.stopped: // no receipt: the collector sends it again
		}
	})
	if err != nil {
		r.forget(d)
	}
	return err
}

// errStopped ends a session whose receiver no longer runs.
var errStopped = errors.New("the receiver was stopped")

// settleLater hands d to Run.
func (r *Receiver) settleLater(ctx context.Context, d *delivery) error {
	select {
	case r.settled <- d:
		return nil
	case <-ctx.Done():
		r.forget(d)
		return ctx.Err()
	case <-r.stopped:
		r.forget(d)
		return errStopped
	}
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
	r.metrics.refused(code).Inc()
	r.noteRefused(m, code)
	if err := r.dead.add(r.o.Now(), m, code, reason); err != nil {
		return fmt.Errorf("message refused (%s), but its dead letter is not on disk: %w", code, err)
	}
	if r.dead.loud(code, r.o.Now()) {
		r.log.Warn("message refused and kept as a dead letter", "code", code, "topic", m.Topic, "reason", reason)
	}
	m.Ack()
	return nil
}
