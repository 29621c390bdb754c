package cardslot

import (
	"context"
	"fmt"

	"citygrid/adapters/cardslot/cardfile"
	"citygrid/schemas"
)

// Issue makes a blank card the customer's: the first one, or a replacement with
// the same customer and meter on which the purchase numbers go on. If the lost
// card carried an unloaded purchase, the same number is written again; a sale of
// it that is still pending on the lost card is thereby committed, and a pending
// clearing of it dropped.
//
// Outcome and error are those of Sell.
func Issue(ctx context.Context, card Card, sam SAM, journal Journal, order IssueOrder) (Sold, error) {
	fail := func(err error) (Sold, error) {
		return notWritten(Issuing, fmt.Errorf("issue: order %s: %w", order.ID, err))
	}
	if order.Amount == (schemas.Credit{}) {
		order.Amount.Unit = order.Profile.unit(order.Application)
	}
	probe := order.Order
	probe.Amount.Value = max(probe.Amount.Value, 1) // nothing carried on is right here
	if err := probe.check(); err != nil {
		return notWritten(Issuing, fmt.Errorf("issue: %w", err))
	}
	settles, err := order.settle(journal)
	if err != nil {
		return fail(err)
	}
	c, p, err := look(ctx, card, journal, &order.Order)
	if err != nil {
		return fail(err)
	}
	r, err := order.plan(&c, &p)
	if err != nil {
		return fail(err)
	}
	r.Settles = settles
	return carryOut(ctx, card, sam, journal, r)
}

// settle decides about what is pending on the lost card. Because nobody knows
// whether the lost card carries it, the replacement must.
func (o *IssueOrder) settle(journal Journal) ([]Settlement, error) {
	if o.Replaces == "" {
		return nil, nil
	}
	r, err := pendingOn(journal, o.Replaces)
	if err != nil || r == nil || r.Application != o.Application {
		return nil, err
	}
	if r.Kind == Issuing {
		return nil, refuse(o.Replaces, "was lost before it was issued, %s is unfinished: issue the new one in place of %s, or drop the order in the journal", r, r.predecessor())
	}
	if r.Purchase != o.Purchase || r.Amount != o.Amount {
		return nil, refuse(o.Replaces, "was lost with an unfinished operation, %s: the replacement must carry purchase %d of %d %s, because the lost card may",
			r, r.Purchase, r.Amount.Value, r.Amount.Unit)
	}
	return []Settlement{{ID: r.ID, Commit: r.Kind == Sale}}, nil
}

// predecessor is what an issued card stands in for.
func (r *Record) predecessor() string {
	if r.Replaces == "" {
		return "no other, as a first card"
	}
	return "card " + string(r.Replaces)
}

// plan checks that the card is blank and returns what to write.
func (o *IssueOrder) plan(c *Contents, p *Purse) (Record, error) {
	if err := o.blank(c, p); err != nil {
		return Record{}, err
	}
	customer, meter, err := o.numbers()
	if err != nil {
		return Record{}, err
	}
	if owner := c.Public.Customer; owner != 0 && owner != customer || p.Customer != 0 && p.Customer != customer || p.Meter != 0 && p.Meter != meter {
		return Record{}, refuse(c.Card, "was made for customer %s and meter %s: take a blank one", owner, p.Meter)
	}
	x, err := o.parameters(c, p, meter, customer)
	if err != nil {
		return Record{}, err
	}
	r := o.record(Issuing, c, x, o.Purchase)
	r.Replaces = o.Replaces
	kind := cardfile.OpenAccount
	if o.Replaces != "" {
		kind = cardfile.Replacement
	}
	r.After, err = x.with(cardfile.Wallet{Amount: o.Amount, Count: o.Purchase}, kind)
	return r, err
}

// blank refuses a card that has been in use, or an order that no card can carry.
func (o *IssueOrder) blank(c *Contents, p *Purse) error {
	switch {
	case c.Card == o.Replaces:
		return refuse(c.Card, "cannot replace itself: put the new card in")
	case len(p.Problems) > 0:
		return refuse(c.Card, "its files are damaged (%v): take another card", p.Problems[0])
	case p.Wallet.Count != 0 || p.Wallet.Amount.Value != 0 || p.seen():
		return refuse(c.Card, "has been in use, last with purchase %d: take a blank card", p.Wallet.Count)
	case o.Amount.Value < 0 || o.Amount.Value > 0 && o.Purchase == 0:
		return fmt.Errorf("an amount of %d to carry on for purchase %d", o.Amount.Value, o.Purchase)
	case p.Application != PowerApplication && o.Purchase > 1<<16-1:
		return fmt.Errorf("purchase %d; cards for %s count to %d", o.Purchase, p.Application.Utility(), 1<<16-1)
	}
	return nil
}

// parameters returns p with the order's parameters, meter and customer.
func (o *IssueOrder) parameters(c *Contents, p *Purse, meter, customer cardfile.Number) (*Purse, error) {
	x := *p
	x.Meter, x.Customer = meter, customer
	switch {
	case o.Application == PowerApplication && o.Power != nil:
		power := *o.Power
		x.Power = &power
	case o.Application != PowerApplication && o.Utility != nil:
		utility := *o.Utility
		x.Purchase = &utility
	case x.Power == nil && x.Purchase == nil:
		return nil, refuse(c.Card, "has no parameters for %s, and the order brings none", o.Application.Utility())
	}
	if x.Power != nil {
		power := *x.Power
		power.Meter, power.Customer, x.Power = meter, customer, &power
	} else {
		utility := *x.Purchase
		utility.Meter, utility.Customer, x.Purchase = meter, customer, &utility
	}
	return &x, nil
}
