package ingest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"citygrid/internal/mqttlink"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// SlotStore takes what collectors say of the slots of their schedules.
type SlotStore interface {
	// StoreAccounts returns nil when the accounts are durable. The same accounts may
	// come again, and in any order. Errors are those of CardStore.StoreCards.
	StoreAccounts(ctx context.Context, collector schemas.CollectorID, accounts []schemas.SlotAccount) error
}

// newSlots makes the courier of the accounts of slots, which travel with the readings.
// Without a SlotStore they are passed over: readings get their receipts all the same.
func newSlots(r *Receiver) *courier {
	c := newCourier(r, words{metric: "slot_accounts", series: "slot_account", items: "accounts of slots", store: "completeness ledger"})
	if r.o.Slots != nil {
		c.store = func(ctx context.Context, d *delivery) error {
			return r.o.Slots.StoreAccounts(ctx, d.key.collector, d.accounts)
		}
	}
	return c
}

// hasAccounts reports whether the completeness ledger wants something of d.
func (r *Receiver) hasAccounts(d *delivery) bool { return len(d.accounts) > 0 && r.slots.store != nil }

// commander seals commands, one at a time.
type commander struct {
	mu      sync.Mutex
	sealers *receiptSealers
	last    time.Time // At of the newest command: a collector takes none that is not newer
}

func newCommander(r *Receiver) *commander {
	s := newReceiptSealers(r.o)
	s.content = seal.Command
	return &commander{sealers: s}
}

// refillWait bounds the wait for the broker's word that it has a request.
const refillWait = 10 * time.Second

// Refill asks a collector to read times from its meters' own memories. It returns an error
// when the broker did not take the request; that it did does not say that the request
// arrived.
func (r *Receiver) Refill(ctx context.Context, id schemas.CollectorID, refills []schemas.Refill) error {
	conn := r.conn.Load()
	area, _, ok := r.o.Enrolled(id)
	if !ok || conn == nil {
		return fmt.Errorf("ask collector %s for a refill: it is not enrolled, or there is no connection to the broker", id)
	}
	for len(refills) > 0 {
		n := min(len(refills), schemas.MaxRefills)
		envelope, err := r.commands.seal(r, &schemas.Command{Collector: id, At: r.o.Now(), Refill: refills[:n]})
		if err != nil {
			return fmt.Errorf("ask collector %s for a refill: %w", id, err)
		}
		if err := publishAndWait(ctx, conn, schemas.Topic{Area: area, Collector: id, Stream: schemas.Commands}.String(), envelope); err != nil {
			return fmt.Errorf("ask collector %s for a refill: %w", id, err)
		}
		refills = refills[n:]
	}
	return nil
}

func publishAndWait(ctx context.Context, conn *mqttlink.Conn, topic string, payload []byte) error {
	ctx, cancel := context.WithTimeout(ctx, refillWait)
	defer cancel()
	return conn.Publish(ctx, topic, payload, false).Wait(ctx)
}

func (c *commander) seal(r *Receiver, command *schemas.Command) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	command.At = command.At.UTC().Truncate(time.Millisecond)
	if !command.At.After(c.last) {
		command.At = c.last.Add(time.Millisecond)
	}
	c.last = command.At
	plain, err := schemas.EncodeCommand(nil, command)
	if err != nil {
		return nil, err
	}
	id := command.Collector
	_, generation, _ := r.o.Enrolled(id)
	c.sealers.spoken.note(schemas.Statuses, id, r.sealers.spoken.of(id, generation))
	return c.sealers.sealPlain(id, plain)
}
