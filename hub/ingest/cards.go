package ingest

import (
	"context"

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

// newCards makes the courier of the card entries.
func newCards(r *Receiver) *courier {
	c := newCourier(r, words{metric: "card_entries", series: "card", items: "card entries", store: "ledger"})
	if r.o.Cards != nil {
		c.store = func(ctx context.Context, d *delivery) error {
			return r.o.Cards.StoreCards(ctx, d.key.collector, d.cards)
		}
	}
	return c
}

// CardsReady returns nil when card entries are taken, or none has come yet; else
// it says what is wrong, for /readyz.
func (r *Receiver) CardsReady() error { return r.cards.ready() }
