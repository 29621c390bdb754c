package collector

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"citygrid/collector/spool"
	"citygrid/internal/mqttlink"
	"citygrid/schemas/seal"
)

// After an outage the newest readings do not wait behind the oldest. The outbox
// of the readings sends on two lanes at once:
//
//	spool: [ backlog: what waited when the link came up ][ live: what came since ]
//	             |                                            |
//	             v  as fast as the hub confirms               v  at once
//	                              Conn.Publish
//
// The broker and the hub are one queue for both, so the backlog is kept short
// there: no more of it is on its way than the hub confirms in about a second
// and a half, and a live envelope waits no longer than that. The hub takes
// envelopes in any order; cards and events, of which the order tells something,
// have one lane.

// lane is the way of an envelope through an outbox.
type lane uint8

const (
	single  lane = iota // an outbox with one lane, oldest first
	backlog             // what waited when the round began
	live                // what came since
)

// The bounds of the lanes.
const (
	// backlogFloor is how much of the backlog goes out before the hub has
	// confirmed any.
	backlogFloor = 64
	// liveShare: the live lane's window is this part of the outbox's.
	liveShare = 2
	// defaultLag is lanes.lag.
	defaultLag = 2 * time.Second
)

// admission is what an outbox says of an envelope that is to go out.
type admission uint8

const (
	goes admission = iota
	full           // no room: a receipt makes some
	went           // it went out in this round already, on the other lane
)

// lanes is what an outbox with two lanes knows. The outbox's mu guards it.
type lanes struct {
	on    bool
	round uint64
	// mark is the record at which the live lane begins; moved is closed when it
	// moves.
	mark  uint64
	moved chan struct{}
	// live counts the envelopes on the live lane that are waited for.
	live int
	// lag: live envelopes that had to wait so long for room become backlog, and
	// those behind them are the live ones.
	lag time.Duration
	// silent counts rounds in a row without a receipt, or without one for the
	// backlog.
	silent int
	// heard is when a receipt last freed an envelope of the backlog, or when one
	// began to be waited for.
	heard time.Time
	// refusing: the hub confirms live envelopes and nothing of the backlog, so what
	// is stuck is refused and does not go out in this round.
	refusing bool
	pace     pace
	// now is the clock of the pace.
	now func() time.Time
	// room is outbox.room for the live lane.
	room chan struct{}
}

func newLanes() lanes {
	return lanes{moved: make(chan struct{}), room: make(chan struct{}, 1), lag: defaultLag, now: time.Now}
}

// limit is how many envelopes of a lane may be on their way.
func (o *outbox) limit(l lane) int {
	switch l {
	case live:
		return max(1, o.window/liveShare)
	case backlog:
		floor := min(o.window, backlogFloor<<min(o.lanes.silent, 8))
		return o.lanes.pace.allows(o.lanes.now(), floor, o.window)
	}
	return o.window
}

// sendLanes publishes on both lanes until ctx is done.
func (o *outbox) sendLanes(ctx context.Context, conn *mqttlink.Conn) error {
	start := o.spool.Stats().Next
	o.mu.Lock()
	o.lanes.round++
	o.lanes.mark = start
	o.mu.Unlock()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return o.sendLive(ctx, conn, start) })
	g.Go(func() error { return o.sendBacklog(ctx, conn) })
	return g.Wait()
}

// sendLive publishes what comes from the given record on.
func (o *outbox) sendLive(ctx context.Context, conn *mqttlink.Conn, from uint64) error {
	r := o.spool.Reader(from)
	defer r.Close()
	for {
		rec, key, err := o.next(ctx, r)
		if err != nil {
			return err
		}
		began := time.Now()
		if err := o.publishOn(ctx, conn, live, key, rec); err != nil {
			return err
		}
		if time.Since(began) > o.lanes.lag {
			r.Seek(o.moveMark())
		}
	}
}

// moveMark makes what waits in the spool now backlog, and returns where the live
// lane goes on.
func (o *outbox) moveMark() uint64 {
	next := o.spool.Stats().Next
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lanes.mark = next
	close(o.lanes.moved)
	o.lanes.moved = make(chan struct{})
	return next
}

// sendBacklog publishes what waits before the live lane, from the oldest on.
func (o *outbox) sendBacklog(ctx context.Context, conn *mqttlink.Conn) error {
	r := o.spool.Reader(0)
	defer r.Close()
	for {
		rec, key, err := o.next(ctx, r)
		if err != nil {
			return err
		}
		if moved, is := o.isLive(rec.Seq); is {
			select {
			case <-moved:
			case <-ctx.Done():
				return ctx.Err()
			}
			r.Seek(rec.Seq) // and read it again: it may have its receipt by now
			continue
		}
		if err := o.publishOn(ctx, conn, backlog, key, rec); err != nil {
			return err
		}
	}
}

// isLive reports whether a record is the live lane's, and gives the channel that
// is closed when that may have changed.
func (o *outbox) isLive(record uint64) (moved <-chan struct{}, is bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lanes.moved, record >= o.lanes.mark
}

// publishOn publishes an envelope once there is room for it on its lane, unless
// it went out in this round.
func (o *outbox) publishOn(ctx context.Context, conn *mqttlink.Conn, l lane, key envelopeKey, rec spool.Record) error {
	room := o.room
	if l == live {
		room = o.lanes.room
	}
	for {
		switch o.admit(l, key, rec.Seq) {
		case went:
			return nil
		case goes:
			conn.Publish(ctx, o.topic, rec.Data, false)
			o.metrics.published.Inc()
			return nil
		}
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// next reads the reader's next envelope. A record that is none is passed over.
func (o *outbox) next(ctx context.Context, r *spool.Reader) (rec spool.Record, key envelopeKey, err error) {
	for {
		if rec, err = r.Next(ctx); err != nil {
			return rec, key, err
		}
		header, err := seal.ParseHeader(rec.Data)
		if err == nil {
			return rec, envelopeKey{header.Context, header.Seq}, nil
		}
		// The checksum held, so this was never an envelope of ours. It cannot be
		// sent; keep it on disk as evidence and say so.
		o.log.Error("a spool record is no envelope; it is left where it is", "record", rec.Seq, "error", err)
	}
}

// pace is how fast the hub confirms.
type pace struct {
	began     time.Time
	now, last int // confirmed in this second and in the one before
}

// confirmed notes that a receipt freed n envelopes.
func (p *pace) confirmed(at time.Time, n int) {
	p.turn(at)
	p.now += n
}

func (p *pace) turn(at time.Time) {
	age := at.Sub(p.began)
	if age >= 0 && age < time.Second {
		return
	}
	p.last = p.now
	if age >= 2*time.Second {
		p.last = 0
	}
	p.began, p.now = at, 0
}

// allows is how many may be on their way: what the hub confirms in a second and
// a half, so that the count grows while the hub keeps up, and the queue before
// the hub stays that short when it does not.
func (p *pace) allows(at time.Time, floor, most int) int {
	p.turn(at)
	return min(most, max(floor, max(p.now, p.last)*3/2))
}
