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
	// Profile says what the purses count, because the card does not, and what
	// entries say of their way.
	Profile Profile
	// Amount is what was paid for, in the unit of the purse, above 0. To take a
	// purchase off the card, it is what that purchase brought.
	Amount schemas.Credit
	// Purchase is the number that the ledger gives: of the new purchase, or of the
	// one to be taken off. A card that stands elsewhere is refused. 0 leaves the
	// number to the card: only for a city with a single counter and journal. A
	// power card does not show what another counter left unfinished; that its
	// number is given away already, the ledger alone knows.
	Purchase uint32
	// Hoard is the most that the meter takes, in the unit of the purse; if not
	// known, the limit that the meter wrote back, or else the one on the card.
	Hoard schemas.Credit
	// Terminal is the point of sale: one line of at most schemas.MaxTerminal bytes.
	Terminal string
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
	unit := o.Profile.unit(o.Application)
	switch _, ok := o.Application.layout(); {
	case o.ID == "" || len(o.ID) > maxOrderID:
		return fmt.Errorf("order %q: want a number of 1 to %d characters", o.ID, maxOrderID)
	case !ok:
		return fmt.Errorf("order %s: no application %04X", o.ID, uint16(o.Application))
	case unit != schemas.CreditFen && unit != schemas.CreditLitre:
		return fmt.Errorf("order %s: the profile has purses of %s count %q; want %q or %q", o.ID, o.Application.Utility(), unit, schemas.CreditFen, schemas.CreditLitre)
	case o.Amount.Unit != unit:
		return fmt.Errorf("order %s: the city's purses of %s count %q, the amount is in %q: order it in %q", o.ID, o.Application.Utility(), unit, o.Amount.Unit, unit)
	case o.Hoard != schemas.Credit{} && o.Hoard.Unit != unit:
		return fmt.Errorf("order %s: the city's purses of %s count %q, the hoard limit is in %q", o.ID, o.Application.Utility(), unit, o.Hoard.Unit)
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
		return refuse(c.Card, "valid only from %s on: use it then", c.Public.ValidFrom.In(cardfile.Zone()).Format(time.DateOnly))
	case !end.IsZero() && !o.At.Before(end.AddDate(0, 0, 1)):
		return refuse(c.Card, "no longer valid: issue a new card in its place")
	}
	return nil
}

// numbers returns whose card it must be.
func (o *Order) numbers() (customer, meter cardfile.Number, err error) {
	if customer, err = cardfile.ParseNumber(string(o.Customer)); err != nil {
		return 0, 0, fmt.Errorf("customer %w", err)
	}
	if meter, err = cardfile.ParseNumber(o.MeterNumber); err != nil {
		return 0, 0, fmt.Errorf("meter %w", err)
	}
	if customer == 0 || meter == 0 {
		return 0, 0, fmt.Errorf("customer %s or meter %s is 0, which is nobody's: look the numbers up", customer, meter)
	}
	return customer, meter, nil
}

// belongs refuses a purse of another customer or meter, or one that cannot be
// understood.
func (o *Order) belongs(c *Contents, p *Purse) error {
	customer, meter, err := o.numbers()
	if err != nil {
		return err
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
	return p.sound(c.Card)
}

// sound refuses a purse whose files do not fit each other: each alone is in
// order, but what they say together is not to be relied on.
func (p *Purse) sound(card schemas.CardID) error {
	meter, customer, returned := p.writer()
	switch w, x := p.Wallet, p.Purchase; {
	case p.Type < cardfile.OpenAccount || p.Type > cardfile.Replacement:
		return refuse(card, "its type is %02X, which brings no purchase to a meter: take the customer's own card", byte(p.Type))
	case returned && (meter != p.Meter || customer != p.Customer):
		return refuse(card, "meter %s of customer %s wrote back on it, another meter or customer than its own: keep the card and issue a replacement", meter, customer)
	case w.Count == 0 && w.Amount.Value != 0:
		return refuse(card, "its wallet says purchase 0 of %d, which no counter writes: keep the card and issue a replacement", w.Amount.Value)
	case x != nil && (uint32(x.Count) != w.Count || w.Amount.Value != 0 && w.Amount != x.Amount):
		return refuse(card, "its wallet says purchase %d of %d, its purchase file %d of %d: another counter left it unfinished; finish it there, or issue a replacement",
			w.Count, w.Amount.Value, x.Count, x.Amount.Value)
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
	if limit == 0 && p.Return != nil { // the meter judges by the limit that it has
		limit = p.Return.Hoard.Value
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
