package ingest

import (
	"context"

	"golang.org/x/sync/semaphore"

	"citygrid/internal/mqttlink"
)

// maxHeld bounds the bytes of the envelopes of readings between intake and
// receipt. Decoded and with their book-keeping they take four times as much beside,
// six times when each holds one reading. It is some thousand envelopes, more than half a second of the fastest intake, and keeps
// the hub's memory the same whether its store is away for a second or a day:
// what does not fit waits at the broker, and behind it in the collectors' spools.
const maxHeld = 16 << 20

// held is how much of maxHeld is in use.
type held struct{ room *semaphore.Weighted }

func newHeld() held { return held{semaphore.NewWeighted(maxHeld)} }

// take waits until d fits in. It returns an error only when ctx is done.
func (h held) take(ctx context.Context, d *delivery) error {
	n := int64(min(maxHeld, len(d.message.Payload)))
	if err := h.room.Acquire(ctx, n); err != nil {
		return err
	}
	d.held = n
	return nil
}

// give gives the room of d back, once.
func (h held) give(d *delivery) {
	h.room.Release(d.held)
	d.held = 0
}

// forget ends the way of a delivery: its room is free, and copies may no longer
// join it. It returns those that have.
func (r *Receiver) forget(d *delivery) []mqttlink.Message {
	r.held.give(d)
	return r.pending.drop(d)
}
