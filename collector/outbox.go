package collector

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sort"
	"sync"
	"time"

	"citygrid/collector/spool"
	"citygrid/internal/counters"
	"citygrid/internal/mqttlink"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// outbox carries the envelopes of one stream from their spool to the broker, and
// frees those that a receipt names:
//
//	spool.Reader -> Conn.Publish          (bounded by window)
//	receipt -> spool.Release
//
// The broker's acknowledgement frees nothing. What has no receipt is published
// again after a new connection, after a restart, and when the hub has been
// silent for a while; the hub knows what it has seen.
type outbox struct {
	topic   string
	spool   *spool.Spool
	metrics *flow
	log     *slog.Logger
	// resendAfter is how long the hub may be silent before everything without
	// a receipt is published again; it doubles up to resendAtMost. A single
	// envelope is waited for longer while others have their receipts.
	resendAfter time.Duration
	// window bounds the envelopes that are published and waited for.
	window int

	mu sync.Mutex
	// sent holds each published envelope that has no receipt.
	sent map[envelopeKey]*unconfirmed
	// waiting counts those of sent that are not stuck; it is bounded.
	waiting int
	// progress is when a receipt last freed something, or when sent stopped
	// being empty.
	progress time.Time
	// room is signalled when a receipt has freed something.
	room chan struct{}
	// lanes are in use where the newest are to go out first.
	lanes lanes
}

func newOutbox(topic string, s *spool.Spool, m *flow, log *slog.Logger) *outbox {
	return &outbox{
		topic: topic, spool: s, metrics: m, log: log, resendAfter: defaultResendAfter, window: maxOutstanding,
		sent: make(map[envelopeKey]*unconfirmed), room: make(chan struct{}, 1), lanes: newLanes(),
	}
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
	// sent counts how often it went out; round is the last in which it did, at when.
	sent  int
	round uint64
	at    time.Time
	live  bool // it is counted by lanes.live
}

// stuck reports whether the envelope went out so often without a receipt that
// newer ones must not wait for it: the hub refuses it, for a key that is no
// longer in force, say, and will not take it however often it comes. It stays
// in the spool and goes out again after a new connection, when the hub is
// silent altogether and, because an operator may have helped, once an hour, but
// takes no place among those that are waited for.
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
	// overdueAfter times resendAfter, a minute, is how long a single envelope is
	// waited for while others have their receipts; one that is stuck, stuckAgain
	// times resendAfter, an hour.
	overdueAfter = 6
	stuckAgain   = 360
)

var errSilentHub = errors.New("no receipt for a while")

// send publishes every record without a receipt, from the oldest on or on two
// lanes, and starts over when the hub stays silent, be it on the backlog alone.
func (o *outbox) send(ctx context.Context, conn *mqttlink.Conn) error {
	patience := o.resendAfter
	o.connected()
	for {
		before := o.freed()
		o.prune()
		round, cancel := context.WithCancelCause(ctx)
		watched := make(chan struct{})
		go func() { defer close(watched); o.watch(round, cancel, patience) }()
		err := o.sendRound(round, conn)
		cancel(nil)
		<-watched
		if !errors.Is(context.Cause(round), errSilentHub) {
			return err
		}
		if o.freed() == before {
			patience = min(2*patience, resendAtMost)
		} else {
			patience = o.resendAfter
		}
		o.noteSilence(o.freed() == before, patience)
		all, stuck := o.outstanding()
		o.log.Warn("no receipt from the hub; publishing again what has none", "outstanding", all, "stuck", stuck)
	}
}

func (o *outbox) sendRound(ctx context.Context, conn *mqttlink.Conn) error {
	if o.lanes.on {
		return o.sendLanes(ctx, conn)
	}
	return o.sendFrom(ctx, conn, o.spool.Reader(0))
}

// connected lets everything go out again: the hub may have learnt better.
func (o *outbox) connected() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lanes.refusing = false
}

// noteSilence counts the rounds that ended without a receipt, and those that ended
// without one for the backlog while live envelopes had theirs within patience.
func (o *outbox) noteSilence(silent bool, patience time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lanes.refusing = o.lanes.on && !silent && time.Since(o.progress) < patience
	o.lanes.silent++
	if !silent && !o.lanes.refusing {
		o.lanes.silent = 0
	}
}

// freed returns the count of envelopes freed so far.
func (o *outbox) freed() uint64 { return counters.Count(o.metrics.receipts) }

// watch cancels the round when there are envelopes without a receipt and none
// has come for the given time, or when one was left without while others had
// theirs: the hub had no room for it then, or to keep what its store refuses.
func (o *outbox) watch(ctx context.Context, cancel context.CancelCauseFunc, patience time.Duration) {
	start := time.Now()
	tick := time.NewTicker(patience / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if o.silentFor(now, start) >= patience || o.anyOverdue(now, start) {
				cancel(errSilentHub)
				return
			}
		}
	}
}

func (o *outbox) silentFor(now, start time.Time) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.sent) == 0 {
		return 0
	}
	last := o.progress
	if o.lanes.on && o.waiting > 0 {
		// The receipts of live envelopes say nothing of the backlog. What is of it
		// on its way is a second and a half of the hub's work.
		last = o.lanes.heard
	}
	if last.After(start) {
		start = last
	}
	return now.Sub(start)
}

// anyOverdue reports whether an envelope has been waited for too long in the round that
// began at start. One that is not stuck and has not gone out in it yet will do so.
func (o *outbox) anyOverdue(now, start time.Time) bool {
	if now.Sub(start) < overdueAfter*o.resendAfter {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, u := range o.sent {
		if (u.stuck() || !u.at.Before(start)) && o.overdue(u, now) {
			return true
		}
	}
	return false
}

// overdue reports whether an envelope has been without a receipt for too long since it
// went out. The caller holds mu.
func (o *outbox) overdue(u *unconfirmed, now time.Time) bool {
	wait := overdueAfter * o.resendAfter
	if u.stuck() {
		wait = stuckAgain * o.resendAfter
	}
	return now.Sub(u.at) >= wait
}

// outstanding counts the envelopes that are published and have no receipt, and
// those of them that are no longer waited for.
func (o *outbox) outstanding() (all, stuck int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.sent), len(o.sent) - o.waiting - o.lanes.live
}

// sendFrom publishes the reader's records as they become durable.
func (o *outbox) sendFrom(ctx context.Context, conn *mqttlink.Conn, r *spool.Reader) error {
	defer r.Close()
	for {
		rec, key, err := o.next(ctx, r)
		if err != nil {
			return err
		}
		if err := o.reserve(ctx, key, rec.Seq); err != nil {
			return err
		}
		// The token needs no watching: a publish that fails ends the
		// connection, and the next one starts over from the oldest record.
		conn.Publish(ctx, o.topic, rec.Data, false)
		o.metrics.published.Inc()
	}
}

// reserve notes an envelope as sent, once there is room for it.
func (o *outbox) reserve(ctx context.Context, key envelopeKey, record uint64) error {
	for !o.note(key, record) {
		select {
		case <-o.room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// note notes an envelope as sent; it returns false when there is no room for a
// new one.
func (o *outbox) note(key envelopeKey, record uint64) bool {
	return o.admit(single, key, record) == goes
}

// admit notes an envelope as sent on its lane, if it is to go out now.
func (o *outbox) admit(l lane, key envelopeKey, record uint64) admission {
	o.mu.Lock()
	defer o.mu.Unlock()
	u, again := o.sent[key]
	if !again {
		on := &o.waiting
		if l == live {
			on = &o.lanes.live
		}
		if *on >= o.limit(l) {
			return full
		}
		if len(o.sent) == 0 {
			o.progress = time.Now()
		}
		if l == backlog && o.waiting == 0 {
			o.lanes.heard = time.Now()
		}
		o.sent[key] = &unconfirmed{records: []uint64{record}, sent: 1, round: o.lanes.round, at: time.Now(), live: l == live}
		*on++
		return goes
	}
	known := slices.Contains(u.records, record)
	now := time.Now()
	if known && l != single && (u.round == o.lanes.round || u.stuck() && o.lanes.refusing && !o.overdue(u, now)) {
		return went
	}
	u.round, u.at = o.lanes.round, now
	o.metrics.resent.Inc()
	if !known {
		u.records = append(u.records, record)
		return goes
	}
	if u.sent++; u.sent == stuckAfter {
		o.leave(u)
	}
	return goes
}

// leave gives up the place of an envelope among those that are waited for. The
// caller holds mu.
func (o *outbox) leave(u *unconfirmed) {
	if u.live {
		o.lanes.live--
	} else {
		o.waiting--
	}
}

// makeRoom lets the senders look again.
func (o *outbox) makeRoom() {
	for _, room := range []chan struct{}{o.room, o.lanes.room} {
		select {
		case room <- struct{}{}:
		default:
		}
	}
}

// take releases the envelopes of this outbox that the receipt names, and returns
// how many they are.
func (o *outbox) take(r *schemas.Receipt) (freed uint64) {
	records, freed := o.settle(r)
	if len(records) == 0 {
		return 0
	}
	// The records are out of the way even when Release could not give their
	// room back yet, so the sender may go on in any case.
	err := o.spool.Release(records...)
	o.metrics.receipts.Add(float64(len(records)))
	o.makeRoom()
	if err != nil {
		o.log.Error("the room of confirmed envelopes is not given back yet; look at the disk", "records", len(records), "error", err)
	}
	return freed
}

// settle removes the receipt's envelopes from sent and returns their records, and
// how many envelopes they are.
func (o *outbox) settle(r *schemas.Receipt) (records []uint64, freed uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	session := seal.Context{Boot: r.Boot, Random: r.Random}
	free := func(key envelopeKey) {
		u, ok := o.sent[key]
		if !ok {
			return
		}
		if !u.stuck() {
			o.leave(u)
		}
		if !u.live {
			o.lanes.heard = time.Now()
		}
		delete(o.sent, key)
		records = append(records, u.records...)
		freed++
	}
	if named(r) <= uint64(len(o.sent)) {
		for _, span := range r.Stored {
			for seq := uint64(span.From); seq <= uint64(span.To); seq++ {
				free(envelopeKey{session, uint32(seq)})
			}
		}
	} else { // a receipt may name 2^32 numbers; sent is bounded
		for key := range o.sent {
			if key.context == session && names(r.Stored, key.seq) {
				free(key)
			}
		}
	}
	if len(records) > 0 {
		o.progress = time.Now()
		o.lanes.pace.confirmed(o.lanes.now(), int(freed))
	}
	return records, freed
}

// prune forgets the envelopes that are no longer in the spool because they were
// dropped: nobody waits for their receipts, and they take no place among those
// that are waited for.
func (o *outbox) prune() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for key, u := range o.sent {
		u.records = slices.DeleteFunc(u.records, func(seq uint64) bool { return !o.spool.Holds(seq) })
		if len(u.records) > 0 {
			continue
		}
		if !u.stuck() {
			o.leave(u)
		}
		delete(o.sent, key)
	}
	o.makeRoom()
}

// named counts the numbers that a receipt names.
func named(r *schemas.Receipt) (n uint64) {
	for _, span := range r.Stored {
		n += uint64(span.To-span.From) + 1
	}
	return n
}

// names reports whether seq lies in one of the ascending ranges.
func names(stored []schemas.SeqRange, seq uint32) bool {
	i := sort.Search(len(stored), func(i int) bool { return stored[i].To >= seq })
	return i < len(stored) && stored[i].From <= seq
}
