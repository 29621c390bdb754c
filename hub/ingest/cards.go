package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"citygrid/internal/mqttlink"
	"citygrid/schemas"
)

// CardStore takes card entries for good (the ledger).
type CardStore interface {
	// StoreCards returns nil when every entry is durable. The same entries may
	// come again, after a crash or from another source; storing them twice must
	// change nothing.
	//
	// An error that has, somewhere in its chain, a method Permanent() bool that
	// returns true says that the store will never take the entries as they are:
	// they are kept as a letter with that reason. It must then hold none of them
	// or all that it ever will. After any other error they are given again.
	StoreCards(ctx context.Context, collector schemas.CollectorID, entries []schemas.CardEntry) error
}

const (
	// maxCardsWaiting bounds the card envelopes on their way to the ledger. What
	// is beyond is left with its collector, which sends it again: a ledger that
	// is away must not hold up readings. With all their copies (maxCopies) they
	// stay below what brokers send without an acknowledgement (4,000).
	maxCardsWaiting = 256
	// cardWorkers is how many envelopes are given to the ledger at once.
	cardWorkers = 4
	// The pause after an envelope that the ledger could not take doubles.
	cardRetryFirst, cardRetryMost = 100 * time.Millisecond, 10 * time.Second
)

// leaveCards leaves an envelope with its collector: the broker may forget it, and
// without a receipt the collector keeps it and sends it again.
func (r *Receiver) leaveCards(m mqttlink.Message, topic schemas.Topic) error {
	r.metrics.cardsLeft.Inc()
	if r.unclaimed.Add(1) == 1 {
		r.log.Error("card entries come, and this hub has no ledger for them: they get no receipt and stay with their collectors. "+
			"Configure the ledger", "collector", topic.Collector)
	}
	m.Ack()
	return nil
}

// CardsReady returns nil when card entries are taken, or none has come yet; else
// it says what is wrong, for /readyz.
func (r *Receiver) CardsReady() error {
	if n := r.unclaimed.Load(); n > 0 {
		return fmt.Errorf("card entries came, in %d messages, copies among them, and there is no ledger to take them: configure the ledger; they wait with their collectors", n)
	}
	return nil
}

// submitCards queues a delivery for the ledger, or leaves it with its collector
// when too many are queued.
func (r *Receiver) submitCards(d *delivery) error {
	select {
	case r.cards <- d:
	default:
		r.metrics.cardsLeft.Inc()
		for _, m := range append(r.pending.drop(d), d.message) {
			m.Ack()
		}
	}
	return nil
}

// storeCards starts the workers that carry card entries to the ledger until ctx
// is done; wait returns when they have ended.
func (r *Receiver) storeCards(ctx context.Context) (wait func()) {
	var workers sync.WaitGroup
	for range cardWorkers {
		workers.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case d := <-r.cards:
					r.storeCard(ctx, d)
				}
			}
		})
	}
	return workers.Wait
}

// storeCard gives one delivery to the ledger, and sends it on to Run when that has
// taken it or refused it for good. After any other error it queues again, behind
// the others: what the ledger can not take keeps nothing else from it.
func (r *Receiver) storeCard(ctx context.Context, d *delivery) {
	err := r.o.Cards.StoreCards(ctx, d.key.collector, d.cards)
	if ctx.Err() != nil {
		return // no receipt: the collector sends it again
	}
	if err == nil || isPermanent(err) {
		r.cardsFail.Store(false)
		d.storedAt = r.o.Now()
		if err != nil {
			d.reject(codeStoreRejected, err)
		}
		_ = r.settleLater(ctx, d) // or the receiver was stopped meanwhile
		return
	}
	if r.metrics.cardRetries.Inc(); !r.cardsFail.Swap(true) {
		r.log.Error("the ledger does not take card entries; they are given again until it does", "collector", d.key.collector, "error", err)
	}
	pause := min(cardRetryFirst<<min(d.tries, 10), cardRetryMost)
	d.tries++
	select {
	case <-ctx.Done():
	case <-time.After(pause):
		_ = r.submitCards(d) // or it is left with its collector
	}
}

// isPermanent reports whether err says that trying again is in vain.
func isPermanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.As(err, &p) && p.Permanent()
}
