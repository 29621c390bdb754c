package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"citygrid/internal/counters"
	"citygrid/internal/mqttlink"
	"citygrid/schemas"
)

const (
	// maxWaiting bounds the envelopes of one stream on their way to its store. What is
	// beyond is left with its collector, which sends it again: a store that is away
	// must not hold up readings. With all their copies (maxCopies) those of both
	// streams stay below what brokers send without an acknowledgement (4,000).
	maxWaiting = 200
	// courierWorkers is how many envelopes are given to a store at once.
	courierWorkers = 4
	// The pause after an envelope that the store could not take doubles.
	retryFirst, retryMost = 100 * time.Millisecond, 10 * time.Second
)

// courier carries the envelopes of one stream beside the readings to the store of
// their items, which may be slow, away, or not there.
type courier struct {
	r     *Receiver
	words words
	// store gives the items of a delivery to the store; nil: there is none.
	store func(context.Context, *delivery) error
	queue chan *delivery
	// stored counts items, retries and left envelopes.
	stored, retries, left prometheus.Counter
	// unclaimed counts envelopes that came although there is no store.
	unclaimed atomic.Uint64
	// fails: the last call of the store failed, and not for good.
	fails atomic.Bool
}

// words are what a courier calls its things, in metrics and towards people.
type words struct {
	metric string // "card_entries"
	series string // "card"
	items  string // "card entries"
	store  string // "ledger"
}

func newCourier(r *Receiver, w words) *courier {
	set := counters.New(r.o.Registry, "hub")
	return &courier{
		r: r, words: w, queue: make(chan *delivery, maxWaiting),
		stored:  set.Counter(w.metric+"_stored_total", "Of "+w.items+", those that are in the "+w.store+"."),
		retries: set.Counter(w.series+"_store_retries_total", "Envelopes with "+w.items+" given to the "+w.store+" again, because it was away."),
		left:    set.Counter(w.series+"_envelopes_left_total", "Envelopes with "+w.items+" left with their collectors: no "+w.store+", or too many on their way to it."),
	}
}

// courier returns the one that carries a stream; nil for readings, which go to the
// Store.
func (r *Receiver) courier(s schemas.Stream) *courier {
	switch s {
	case schemas.Cards:
		return r.cards
	case schemas.Events:
		return r.events
	}
	return nil
}

// leave leaves an envelope with its collector: the broker may forget it, and without
// a receipt the collector keeps it and sends it again.
func (c *courier) leave(m mqttlink.Message, topic schemas.Topic) error {
	c.left.Inc()
	if c.unclaimed.Add(1) == 1 {
		c.r.log.Error("envelopes come that this hub has no store for: they get no receipt and stay with their collectors. Configure the store",
			"items", c.words.items, "store", c.words.store, "collector", topic.Collector)
	}
	m.Ack()
	return nil
}

// ready returns nil when items are taken, or none has come yet; else it says what is
// wrong.
func (c *courier) ready() error {
	if n := c.unclaimed.Load(); n > 0 {
		return fmt.Errorf("%s came, in %d messages, copies among them, and there is no %s to take them: configure the %s; they wait with their collectors",
			c.words.items, n, c.words.store, c.words.store)
	}
	return nil
}

// submit queues a delivery for the store, or leaves it with its collector when too
// many are queued.
func (c *courier) submit(d *delivery) error {
	select {
	case c.queue <- d:
	default:
		c.left.Inc()
		for _, m := range append(c.r.forget(d), d.message) {
			m.Ack()
		}
	}
	return nil
}

// run starts the workers that carry deliveries to the store until ctx is done; wait
// returns when they have ended.
func (c *courier) run(ctx context.Context) (wait func()) {
	var workers sync.WaitGroup
	for range courierWorkers {
		workers.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case d := <-c.queue:
					c.carry(ctx, d)
				}
			}
		})
	}
	return workers.Wait
}

// carry gives one delivery to the store, and sends it on to Run when that has taken
// it or refused it for good. After any other error it queues again, behind the
// others: what the store can not take keeps nothing else from it.
func (c *courier) carry(ctx context.Context, d *delivery) {
	err := c.store(ctx, d)
	if ctx.Err() != nil {
		return // no receipt: the collector sends it again
	}
	if err == nil || isPermanent(err) {
		c.fails.Store(false)
		d.storedAt = c.r.o.Now()
		if err != nil {
			d.reject(codeStoreRejected, err)
		}
		_ = c.r.settleLater(ctx, d) // or the receiver was stopped meanwhile
		return
	}
	if c.retries.Inc(); !c.fails.Swap(true) {
		c.r.log.Error("a store does not take what came for it; it is given again until it does", "store", c.words.store, "items", c.words.items, "collector", d.key.collector, "error", err)
	}
	pause := min(retryFirst<<min(d.tries, 10), retryMost)
	d.tries++
	select {
	case <-ctx.Done():
	case <-time.After(pause):
		_ = c.submit(d) // or it is left with its collector
	}
}

// isPermanent reports whether err says that trying again is in vain.
func isPermanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.As(err, &p) && p.Permanent()
}
