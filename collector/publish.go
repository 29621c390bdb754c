package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"citygrid/collector/spool"
	"citygrid/internal/counters"
	"citygrid/internal/mqttlink"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// publisher carries envelopes from the spool to the broker and frees them on
// the hub's receipts:
//
//	spool.Reader -> Conn.Publish          (bounded by maxOutstanding)
//	Conn.Messages -> receipt -> spool.Release
//
// The broker's acknowledgement frees nothing. What has no receipt is published
// again after a new connection, after a restart, and when the hub has been
// silent for a while; the hub knows what it has seen.
type publisher struct {
	id      schemas.CollectorID
	area    schemas.AreaCode
	spool   *spool.Spool
	opener  *seal.Opener // opens what the hub seals for this collector
	status  func() ([]byte, error)
	metrics *metrics
	log     *slog.Logger
	// resendAfter is how long the hub may be silent before everything without
	// a receipt is published again; it doubles up to resendAtMost.
	resendAfter time.Duration
	// statusEvery is the time between two status messages.
	statusEvery time.Duration
	// window bounds the envelopes that are published and waited for.
	window int

	connected atomic.Bool
	mu        sync.Mutex
	// sent holds each published envelope that has no receipt.
	sent map[envelopeKey]*unconfirmed
	// waiting counts those of sent that are not stuck; it is bounded.
	waiting int
	// progress is when a receipt last freed something, or when sent stopped
	// being empty.
	progress time.Time
	// room is signalled when a receipt has freed something.
	room chan struct{}
}

// envelopeKey names an envelope for ever: the session that sealed it and its
// place in the session.
type envelopeKey struct {
	context seal.Context
	seq     uint32
}

// unconfirmed is what the publisher knows of a published envelope.
type unconfirmed struct {
	// records are its record in the spool, and the copies that a failed commit
	// can leave there.
	records []uint64
	// sent counts how often it went out.
	sent int
}

// stuck reports whether the envelope went out so often without a receipt that
// newer ones must not wait for it: the hub refuses it, for a key that is no
// longer in force, say, and will not take it however often it comes. It stays
// in the spool and goes out with every resending, but takes no place among
// those that are waited for.
func (u *unconfirmed) stuck() bool { return u.sent >= stuckAfter }

const (
	// maxOutstanding bounds the envelopes that are published and waited for,
	// and so what a hub that comes back finds waiting.
	maxOutstanding = 1000
	// stuckAfter is how often an envelope goes out before it is given up
	// waiting for.
	stuckAfter         = 4
	defaultResendAfter = 10 * time.Second
	resendAtMost       = 5 * time.Minute
	defaultStatusEvery = 5 * time.Second
	// farewell bounds the wait for the broker to take the last word.
	farewell = time.Second
)

var errSilentHub = errors.New("no receipt for a while")

func (p *publisher) topic(s schemas.Stream) string {
	return schemas.Topic{Area: p.area, Collector: p.id, Stream: s}.String()
}

// session works on one connection until it is lost or ctx is done.
func (p *publisher) session(ctx context.Context, conn *mqttlink.Conn) error {
	p.metrics.sessions.Inc()
	p.connected.Store(true)
	defer p.connected.Store(false)
	conn.Publish(ctx, p.topic(schemas.Online), []byte("1"), true)
	g, work := errgroup.WithContext(ctx)
	g.Go(func() error { return p.receive(work, conn) })
	g.Go(func() error { return p.send(work, conn) })
	g.Go(func() error { return p.tell(work, conn) })
	err := g.Wait()
	// A broker publishes the will only for a link that breaks [MQTT 3.1.1,
	// 3.14.4], so one that ends in order says the same itself.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if e := conn.Publish(last, p.topic(schemas.Online), []byte("0"), true).Wait(last); e != nil && !errors.Is(e, mqttlink.ErrLost) {
		err = errors.Join(err, e)
	}
	return err
}

// send publishes every record without a receipt, from the oldest on, and
// starts over when the hub stays silent.
func (p *publisher) send(ctx context.Context, conn *mqttlink.Conn) error {
	patience := p.resendAfter
	for {
		before := p.freed()
		round, cancel := context.WithCancelCause(ctx)
		watched := make(chan struct{})
		go func() { defer close(watched); p.watch(round, cancel, patience) }()
		err := p.sendFrom(round, conn, p.spool.Reader(0))
		cancel(nil)
		<-watched
		if !errors.Is(context.Cause(round), errSilentHub) {
			return err
		}
		if p.freed() == before {
			patience = min(2*patience, resendAtMost)
		} else {
			patience = p.resendAfter
		}
		all, stuck := p.outstanding()
		p.log.Warn("no receipt from the hub; publishing again what has none", "outstanding", all, "stuck", stuck)
	}
}

// freed returns the count of envelopes freed so far.
func (p *publisher) freed() uint64 { return counters.Count(p.metrics.receipts) }

// watch cancels the round when there are envelopes without a receipt and none
// has come for the given time.
func (p *publisher) watch(ctx context.Context, cancel context.CancelCauseFunc, patience time.Duration) {
	start := time.Now()
	tick := time.NewTicker(patience / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if p.silentFor(now, start) >= patience {
				cancel(errSilentHub)
				return
			}
		}
	}
}

func (p *publisher) silentFor(now, start time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sent) == 0 {
		return 0
	}
	if p.progress.After(start) {
		start = p.progress
	}
	return now.Sub(start)
}

// outstanding counts the envelopes that are published and have no receipt, and
// those of them that are no longer waited for.
func (p *publisher) outstanding() (all, stuck int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.sent), len(p.sent) - p.waiting
}

// sendFrom publishes the reader's records as they become durable.
func (p *publisher) sendFrom(ctx context.Context, conn *mqttlink.Conn, r *spool.Reader) error {
	defer r.Close()
	for {
		rec, err := r.Next(ctx)
		if err != nil {
			return err
		}
		header, err := seal.ParseHeader(rec.Data)
		if err != nil {
			// The checksum held, so this was never an envelope of ours. It
			// cannot be sent; keep it on disk as evidence and say so.
			p.log.Error("a spool record is no envelope; it is left where it is", "record", rec.Seq, "error", err)
			continue
		}
		if err := p.reserve(ctx, envelopeKey{header.Context, header.Seq}, rec.Seq); err != nil {
			return err
		}
		// The token needs no watching: a publish that fails ends the
		// connection, and the next one starts over from the oldest record.
		conn.Publish(ctx, p.topic(schemas.Readings), rec.Data, false)
		p.metrics.published.Inc()
	}
}

// reserve notes an envelope as sent, once there is room for it.
func (p *publisher) reserve(ctx context.Context, key envelopeKey, record uint64) error {
	for !p.note(key, record) {
		select {
		case <-p.room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// note notes an envelope as sent; it returns false when there is no room for a
// new one.
func (p *publisher) note(key envelopeKey, record uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, again := p.sent[key]
	if !again {
		if p.waiting >= p.window {
			return false
		}
		if len(p.sent) == 0 {
			p.progress = time.Now()
		}
		p.sent[key] = &unconfirmed{records: []uint64{record}, sent: 1}
		p.waiting++
		return true
	}
	p.metrics.resent.Inc()
	if !slices.Contains(u.records, record) {
		u.records = append(u.records, record)
		return true
	}
	if u.sent++; u.sent == stuckAfter {
		p.waiting--
	}
	return true
}

// receive frees what the hub's receipts name.
func (p *publisher) receive(ctx context.Context, conn *mqttlink.Conn) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m, ok := <-conn.Messages():
			if !ok {
				return mqttlink.ErrLost
			}
			if err := p.take(m.Payload); err != nil {
				p.metrics.refusedReceipts.Inc()
				p.log.Error("a receipt is refused; the envelopes stay in the spool", "topic", m.Topic, "error", err)
			}
			m.Ack()
		}
	}
}

// take opens one receipt and releases the records that it names.
func (p *publisher) take(envelope []byte) error {
	header, plain, err := p.opener.Open(nil, envelope)
	if err != nil {
		return err
	}
	if header.ContentType != seal.Receipt {
		return fmt.Errorf("%s on the receipt topic", header.ContentType)
	}
	receipt, err := schemas.DecodeReceipt(plain)
	if err != nil {
		return err
	}
	if receipt.Collector != p.id {
		return fmt.Errorf("receipt for collector %s", receipt.Collector)
	}
	records := p.settle(receipt)
	if len(records) == 0 {
		return nil
	}
	// The records are out of the way even when Release could not give their
	// room back yet, so the sender may go on in any case.
	err = p.spool.Release(records...)
	p.metrics.receipts.Add(float64(len(records)))
	select {
	case p.room <- struct{}{}:
	default:
	}
	if err != nil {
		p.log.Error("the room of confirmed envelopes is not given back yet; look at the disk", "records", len(records), "error", err)
	}
	return nil
}

// settle removes the receipt's envelopes from sent and returns their records.
func (p *publisher) settle(r *schemas.Receipt) (records []uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	session, named := seal.Context{Boot: r.Boot, Random: r.Random}, uint64(0)
	for _, span := range r.Stored {
		named += uint64(span.To-span.From) + 1
	}
	stray := named
	free := func(key envelopeKey) {
		u, ok := p.sent[key]
		if !ok {
			return
		}
		if !u.stuck() {
			p.waiting--
		}
		delete(p.sent, key)
		records = append(records, u.records...)
		stray--
	}
	if named <= uint64(len(p.sent)) {
		for _, span := range r.Stored {
			for seq := uint64(span.From); seq <= uint64(span.To); seq++ {
				free(envelopeKey{session, uint32(seq)})
			}
		}
	} else { // a receipt may name 2^32 numbers; sent is bounded
		for key := range p.sent {
			if key.context == session && names(r.Stored, key.seq) {
				free(key)
			}
		}
	}
	p.metrics.strayReceipts.Add(float64(stray))
	if len(records) > 0 {
		p.progress = time.Now()
	}
	return records
}

// names reports whether seq lies in one of the ascending ranges.
func names(stored []schemas.SeqRange, seq uint32) bool {
	i := sort.Search(len(stored), func(i int) bool { return stored[i].To >= seq })
	return i < len(stored) && stored[i].From <= seq
}

// tell publishes a status message now and every few seconds. A status is not
// spooled: the next one says more.
func (p *publisher) tell(ctx context.Context, conn *mqttlink.Conn) error {
	tick := time.NewTicker(p.statusEvery)
	defer tick.Stop()
	for {
		if envelope, err := p.status(); err != nil {
			// Readings go out without it; on a full disk that is what mends it.
			p.log.Error("no status message can be made", "error", err)
		} else {
			conn.Publish(ctx, p.topic(schemas.Statuses), envelope, false)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
