package cardslot

import (
	"fmt"
	"time"

	"citygrid/adapters/cardslot/cardfile"
	"citygrid/schemas"
)

// Order is what a clerk wants to be done with a card.
type Order struct {
	// ID is the order's number at the point of sale. Nothing is done twice under
	// one ID while the journal remembers it.
	ID          string
	Application Application
	// Issuer is the city's own: a card of any other issuer is refused.
	Issuer schemas.IssuerID
	// Card, if set, is the only card that will do.
	Card schemas.CardID
	// Customer and MeterNumber must be those on the card: up to 12 digits.
	Customer    schemas.CustomerID
	MeterNumber string
	// Amount is what was paid for, in the unit of the purse, above 0. To take a
	// purchase off the card, it is what that purchase brought.
	Amount schemas.Credit
	// Purchase is the number that the ledger gives: of the new purchase, or of the
	// one to be taken off. A card that stands elsewhere is refused. 0 leaves the
	// number to the card: only for counters without a ledger.
	Purchase uint32
	// Hoard is the most that the meter takes; if not known, the limit on the card.
	Hoard schemas.Credit
	// Terminal is the point of sale; Source what entries say of the way,
	// schemas.FromReader if empty.
	Terminal string
	Source   schemas.CardSource
	// At is when the order was given.
	At time.Time
}

// IssueOrder is an order to issue a card: a customer's first one, or one that
// stands in for another.
type IssueOrder struct {
	// Order says whose card it becomes. Purchase is the number of the last purchase
	// of the installation, 0 before the first. Amount is above 0 if the lost card
	// carried that purchase unloaded: the same number is written again, so that of
	// the two cards the meter takes one. The limits of Hoard are not looked at.
	Order
	// Replaces is the lost card; empty for a first card.
	Replaces schemas.CardID
	// Power or Utility are the parameters to write; meter, customer, card type,
	// amount and count come from the order. If nil, what is on the card stays.
	Power   *cardfile.Parameters
	Utility *cardfile.Purchase
}

// Limits of orders.
const (
	maxOrderID = 64
	// maxPurse is the most that a power meter shows, 999999.99 yuan
	// [shared fact: the meter refuses what overflows it].
	maxPurse = 99_999_999
)

// check looks at what can be judged without the card.
func (o *Order) check() error {
	unit := schemas.CreditLitre
	if o.Application == PowerApplication {
		unit = schemas.CreditFen
	}
	switch _, ok := o.Application.layout(); {
	case o.ID == "" || len(o.ID) > maxOrderID:
		return fmt.Errorf("order %q: want a number of 1 to %d characters", o.ID, maxOrderID)
	case !ok:
		return fmt.Errorf("order %s: no application %04X", o.ID, uint16(o.Application))
	case o.Amount.Unit != schemas.CreditFen && o.Amount.Unit != unit:
		return fmt.Errorf("order %s: a purse of %s does not count %q", o.ID, o.Application.Utility(), o.Amount.Unit)
	case o.Amount.Value <= 0 || o.Amount.Value > maxPurse:
		return fmt.Errorf("order %s: amount %d; want 1 to %d", o.ID, o.Amount.Value, maxPurse)
	case o.At.IsZero():
		return fmt.Errorf("order %s: no time", o.ID)
	}
	return nil
}

// fits refuses a card that is not the one of the order.
func (o *Order) fits(c *Contents) error {
	end := c.Public.ValidTo
	switch {
	case c.Issuer != o.Issuer:
		return refuse(c.Card, "issued by %s, not by %s: send the customer to the issuer", c.Issuer, o.Issuer)
	case o.Card != "" && c.Card != o.Card:
		return refuse(c.Card, "the order is for card %s: put that one in", o.Card)
	case o.At.Before(c.Public.ValidFrom):
		return refuse(c.Card, "valid only from %s on", c.Public.ValidFrom)
	case !end.IsZero() && !o.At.Before(end.AddDate(0, 0, 1)):
		return refuse(c.Card, "no longer valid: issue a new card in its place")
	}
	return nil
}

// belongs refuses a purse of another customer or meter, or one that cannot be
// understood.
func (o *Order) belongs(c *Contents, p *Purse) error {
	customer, err := cardfile.ParseNumber(string(o.Customer))
	if err != nil {
		return fmt.Errorf("order %s: customer %w", o.ID, err)
	}
	meter, err := cardfile.ParseNumber(o.MeterNumber)
	if err != nil {
		return fmt.Errorf("order %s: meter %w", o.ID, err)
	}
	switch {
	case len(p.Problems) > 0:
		return refuse(c.Card, "its %s files are damaged (%v): issue a replacement", p.Application.Utility(), p.Problems[0])
	case p.Power == nil && p.Purchase == nil:
		return refuse(c.Card, "not issued for %s: issue it first", p.Application.Utility())
	case p.Customer != customer:
		return refuse(c.Card, "the card of customer %s, not of %s: look for the right card or the right account", p.Customer, customer)
	case p.Meter != meter:
		return refuse(c.Card, "made out for meter %s, the customer's meter is %s: if the meter was replaced, issue the card anew", p.Meter, meter)
	}
	return nil
}

// sellable refuses a purse that cannot take the order's purchase, and returns its
// number.
func (o *Order) sellable(c *Contents, p *Purse) (n uint32, err error) {
	n = p.Wallet.Count + 1
	switch {
	case p.Unloaded():
		return 0, refuse(c.Card, "purchase %d is still on it: have the customer put it into the meter and leave it there until the meter is done, then sell again", p.Wallet.Count)
	case p.Returned() > p.Wallet.Count:
		return 0, refuse(c.Card, "the meter took purchase %d, the card has only seen %d: it is an old card or a copy; compare with the ledger", p.Returned(), p.Wallet.Count)
	case o.Purchase != 0 && o.Purchase != n:
		return 0, refuse(c.Card, "its next purchase would be %d, the ledger says %d: look for a sale that is missing or came twice", n, o.Purchase)
	case n == 0 || p.Purchase != nil && n > 1<<16-1:
		return 0, refuse(c.Card, "its purchase counter is full: replace the meter's account")
	}
	return n, o.hoards(c, p)
}

// hoards refuses an amount that the meter would refuse. What the meter had left
// when it wrote the card is the most that it can have now.
func (o *Order) hoards(c *Contents, p *Purse) error {
	limit, left := o.Hoard.Value, int64(0)
	switch {
	case p.PowerReturn != nil:
		left = int64(p.PowerReturn.Remaining - p.PowerReturn.Overdraft)
	case p.Return != nil:
		left = p.Return.Remaining.Value
	}
	if limit == 0 && p.Purchase != nil {
		limit = p.Purchase.Hoard.Value
	}
	if limit == 0 || limit > maxPurse {
		limit = maxPurse
	}
	if left+o.Amount.Value > limit {
		return refuse(c.Card, "the meter had %d %s left and takes no more than %d: sell at most %d", left, o.Amount.Unit, limit, max(limit-left, 0))
	}
	return nil
}
