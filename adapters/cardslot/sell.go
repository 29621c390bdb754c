package cardslot

import (
	"context"
	"fmt"

	"citygrid/adapters/cardslot/cardfile"
	"citygrid/schemas"
)

// Outcome is what is certain after an operation on a card.
type Outcome int

// The outcomes.
const (
	// NothingPending: Resume found nothing to finish on this card.
	NothingPending Outcome = iota
	// Committed: it stands on the card, was read back, and is in the journal.
	Committed
	// NotWritten: it does not stand on the card and never will: the money can be
	// given back (Sell), or must not be (Clear).
	NotWritten
	// Doubtful: it may stand on the card or not. It stays pending in the journal,
	// and Advice says what the clerk must do. No money may change hands, and it
	// must not be ordered anew.
	Doubtful
)

// String names the outcome.
func (o Outcome) String() string {
	switch o {
	case NothingPending:
		return "nothing pending"
	case Committed:
		return "committed"
	case NotWritten:
		return "not written"
	case Doubtful:
		return "doubtful"
	}
	return fmt.Sprintf("Outcome(%d)", int(o))
}

// Sold is what came of an operation.
type Sold struct {
	Outcome Outcome
	// Record is what was done or tried; empty if it did not come to that.
	Record Record
	// Advice is what the clerk must do now; empty if Committed.
	Advice string
}

// Entry returns the entry for the ledger; ok is false unless Committed. What a
// replacement settled of the lost card (Record.Settles) has an entry of its own,
// which FileJournal.Settled tells; after a crash that tells them all.
func (s *Sold) Entry() (e schemas.CardEntry, ok bool) {
	if s.Outcome != Committed {
		return schemas.CardEntry{}, false
	}
	return s.Record.Entry(), true
}

// Advice for the clerk.
const (
	adviseBack        = "Nothing was written. Remove the cause and order again, or give the money back."
	adviseKeep        = "Nothing was taken off the card. Give no money back."
	adviseIssue       = "Nothing was written. Remove the cause or take another blank card."
	adviseReinsert    = "Put the same card in again before anything else is done for this customer. Neither sell again nor give money back until then."
	adviseReplacement = "Keep this card and put the replacement in. Neither sell nor give money back until that is finished."
	adviseManual      = "Keep the card, take no money and give none back: the supervisor compares card, meter and ledger and decides in the journal."
	adviseSAM         = "Check the security module before the card is tried again: after a few wrong proofs the card blocks for good."
)

// Sell puts a purchase on a card. It checks that the card is the customer's, for
// the right meter and issuer, that the purchase before was loaded, that this one
// has the next number, and that the meter will take it. It remembers the sale in
// the journal before it writes anything, writes the wallet last, reads everything
// back, and only then commits.
//
// The error is nil exactly if the outcome is Committed. After Doubtful, Resume
// settles the sale when the card comes again; ordering it anew is refused.
func Sell(ctx context.Context, card Card, sam SAM, journal Journal, order Order) (Sold, error) {
	if err := order.check(); err != nil {
		return notWritten(Sale, fmt.Errorf("sell: %w", err))
	}
	c, p, err := look(ctx, card, journal, &order)
	if err != nil {
		return notWritten(Sale, fmt.Errorf("sell: order %s: %w", order.ID, err))
	}
	r, err := order.sale(&c, &p)
	if err != nil {
		return notWritten(Sale, fmt.Errorf("sell: order %s: %w", order.ID, err))
	}
	return carryOut(ctx, card, sam, journal, r)
}

// Clear takes a purchase that no meter has loaded off a card again. order.Purchase
// and order.Amount must be what is on the card. Money may be given back only if
// the outcome is Committed.
//
// What the card shows as unloaded can be loaded nevertheless, if it was pulled
// out of the meter before the meter had written back, or if a replacement carries
// it, too: a counter that can ask the meter should, order.Card should be the one
// that the ledger says the customer holds, and reconciliation finds what slipped
// through.
func Clear(ctx context.Context, card Card, sam SAM, journal Journal, order Order) (Sold, error) {
	if err := order.check(); err != nil {
		return notWritten(Clearing, fmt.Errorf("clear: %w", err))
	}
	c, p, err := look(ctx, card, journal, &order)
	if err != nil {
		return notWritten(Clearing, fmt.Errorf("clear: order %s: %w", order.ID, err))
	}
	r, err := order.clearing(&c, &p)
	if err != nil {
		return notWritten(Clearing, fmt.Errorf("clear: order %s: %w", order.ID, err))
	}
	return carryOut(ctx, card, sam, journal, r)
}

func notWritten(kind Kind, err error) (Sold, error) {
	advice := map[Kind]string{Sale: adviseBack, Clearing: adviseKeep, Issuing: adviseIssue}[kind]
	return Sold{Outcome: NotWritten, Advice: advice}, err
}

// look reads the card and refuses one that has something pending or is not the
// one of the order.
func look(ctx context.Context, card Card, journal Journal, o *Order) (Contents, Purse, error) {
	c, err := identify(ctx, card)
	if err != nil {
		return c, Purse{}, err
	}
	pending, err := pendingOn(journal, c.Card)
	if err != nil {
		return c, Purse{}, err
	}
	if pending != nil {
		return c, Purse{}, fmt.Errorf("card %s: %w: %s: finish that first", c.Card, ErrPending, pending)
	}
	if err := replaced(journal, c.Card, o.Application); err != nil {
		return c, Purse{}, err
	}
	if err := o.fits(&c); err != nil {
		return c, Purse{}, err
	}
	l, _ := o.Application.layout()
	if c.Public.Applications&l.bit == 0 {
		return c, Purse{}, refuse(c.Card, "has no application for %s", l.utility)
	}
	p, err := readPurse(ctx, card, o.Application, o.Amount.Unit)
	if err != nil {
		return c, p, fmt.Errorf("read %s of card %s: %w", l.utility, c.Card, err)
	}
	return c, p, nil
}

// pendingOn returns the pending record of a card, nil if there is none.
func pendingOn(journal Journal, card schemas.CardID) (*Record, error) {
	all, err := journal.Pending()
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Card == card {
			return &all[i], nil
		}
	}
	return nil, nil
}

// replaced refuses a card in whose place another is being issued.
func replaced(journal Journal, card schemas.CardID, a Application) error {
	all, err := journal.Pending()
	if err != nil {
		return err
	}
	for i := range all {
		if r := &all[i]; r.Replaces == card && r.Application == a {
			return refuse(card, "card %s is being issued in its place, and %s is unfinished: put that one in first; if it is broken, issue another in place of %s", r.Card, r, card)
		}
	}
	return nil
}

// record begins the record of an order.
func (o *Order) record(kind Kind, c *Contents, p *Purse, n uint32) Record {
	return Record{
		ID: o.ID, Kind: kind, Application: o.Application, Issuer: c.Issuer, Card: c.Card,
		Customer: schemas.CustomerID(p.Customer.String()), MeterNumber: p.Meter.String(), Purchase: n, Amount: o.Amount,
		Terminal: o.Terminal, Source: o.Profile.source(), At: o.At.UTC(),
		Before: Image{p.image.order, p.image.wallet},
	}
}

// sale plans a sale.
func (o *Order) sale(c *Contents, p *Purse) (Record, error) {
	if err := o.belongs(c, p); err != nil {
		return Record{}, err
	}
	n, err := o.sellable(c, p)
	if err != nil {
		return Record{}, err
	}
	r := o.record(Sale, c, p, n)
	kind := p.Type
	if p.seen() {
		kind = cardfile.Purchased // the meter has seen the card; until then it is a first card or a replacement
	}
	r.After, err = p.with(cardfile.Wallet{Amount: o.Amount, Count: n}, kind)
	return r, err
}

// clearing plans to take a purchase off.
func (o *Order) clearing(c *Contents, p *Purse) (Record, error) {
	if err := o.belongs(c, p); err != nil {
		return Record{}, err
	}
	switch w := p.Wallet; {
	case !p.Unloaded():
		return Record{}, refuse(c.Card, "carries nothing that was not loaded: the meter has taken purchase %d", w.Count)
	case p.Type == cardfile.Replacement && !p.seen():
		return Record{}, refuse(c.Card, "stands in for a lost card, and no meter has seen it: the lost card may carry it, too; have the meter take purchase %d, or let the supervisor look for the lost card", w.Count)
	case o.Purchase != w.Count || o.Amount != w.Amount:
		return Record{}, refuse(c.Card, "carries purchase %d of %d %s, the order is about %d of %d %s: look for the right order",
			w.Count, w.Amount.Value, w.Amount.Unit, o.Purchase, o.Amount.Value, o.Amount.Unit)
	}
	r := o.record(Clearing, c, p, o.Purchase)
	empty := cardfile.Wallet{Amount: schemas.Credit{Unit: o.Amount.Unit}, Count: o.Purchase - 1}
	var err error
	r.After, err = p.with(empty, p.Type)
	return r, err
}

// with returns the files of p with another purchase and card type.
func (p *Purse) with(wallet cardfile.Wallet, kind cardfile.CardType) (i Image, err error) {
	if i.Wallet, err = wallet.Encode(); err != nil {
		return i, err
	}
	if p.Power != nil {
		x := *p.Power
		x.Type = kind
		i.Order, err = x.Encode()
		return i, err
	}
	x := *p.Purchase
	x.Type, x.Amount, x.Count = kind, wallet.Amount, uint16(wallet.Count)
	i.Order, err = x.Encode()
	return i, err
}
