package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"citygrid/adapters/cardslot"
	"citygrid/adapters/cardslot/pcsc"
	"citygrid/hub/ledger"
	"citygrid/schemas"
	"citygrid/simulators/card"
)

// testSAM is the only security module of this project: the simulator's, whose keys
// are public and refuse any card but the simulator's.
const testSAM = "test"

// samOf returns the security module of a name.
func samOf(name string) (cardslot.SAM, error) {
	if name != testSAM {
		return nil, fmt.Errorf("--sam %q: want %q. Only the simulator's TEST security module comes with this program: its keys are public, it refuses every card "+
			"but the simulator's, and no real money may hang on it. A city's own module is the city's", name, testSAM)
	}
	return card.TestSAM(), nil
}

// purchaseOrder is what the clerk asks for.
type purchaseOrder struct {
	order, operator string
	utility         schemas.Medium
	meter           string
	customer        schemas.CustomerID
	card, replaces  schemas.CardID
	money           schemas.Fen // 0: not given
	volume          int64       // 0: not given
	purchase        uint32      // 0: the card's
	undoes          string
	progress, out   io.Writer
	socket, reader  string
}

// atCard waits for a card in the reader, sends what meters have written back on it
// to the outbox, and does something with it.
func (c *counter) atCard(ctx context.Context, o *purchaseOrder, do func(cardslot.Card, *cardslot.Contents) error) (err error) {
	client, err := pcsc.Open(ctx, pcsc.Options{Socket: o.socket})
	if err != nil {
		return err
	}
	name, err := client.WaitReader(ctx, o.reader)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.progress, "reader %q: waiting for a card (Ctrl-C ends)\n", name)
	in, err := client.Reader(name).WaitCard(ctx)
	if err != nil {
		return err
	}
	// What was done stands, however the daemon took our leave.
	defer func() { _ = in.Close() }()
	contents, err := cardslot.Read(ctx, in, c.profile())
	if err != nil {
		return err
	}
	if contents.Issuer == c.desk.Settings.Issuer {
		if err := c.outbox().Put(contents.Entries(c.now(), c.desk.Settings.Terminal)); err != nil {
			return err
		}
	}
	return do(in, &contents)
}

// operation is Sell, Clear or Issue on a card that is in the reader.
type operation func(ctx context.Context, in cardslot.Card, sam cardslot.SAM, order cardslot.Order) (cardslot.Sold, error)

// carryOut gives the order a number, does the operation and takes over what came
// of it.
func (c *counter) carryOut(ctx context.Context, o *purchaseOrder, kind ledger.SaleKind, prepare func(*cardslot.Contents, cardslot.Application) error, op operation) error {
	sam, err := samOf(c.desk.Settings.SAM)
	if err != nil {
		return err
	}
	app, ok := cardslot.ApplicationOf(o.utility)
	if !ok {
		return fmt.Errorf("--utility %q: want water, power or gas", o.utility)
	}
	return c.atCard(ctx, o, func(in cardslot.Card, contents *cardslot.Contents) error {
		if prepare != nil {
			if err := prepare(contents, app); err != nil {
				return err
			}
		}
		at := c.now().Truncate(time.Millisecond)
		t, err := c.begin(ticket{Order: o.order, Kind: kind, Money: o.money, Undoes: o.undoes, Operator: o.operator}, at)
		if err != nil {
			return err
		}
		sold, err := op(ctx, in, sam, cardslot.Order{
			ID: t.Order, Application: app, Issuer: c.desk.Settings.Issuer, Card: o.card, Customer: o.customer, MeterNumber: o.meter,
			Profile: c.profile(), Amount: c.amount(o, app), Purchase: o.purchase, Terminal: c.desk.Settings.Terminal, At: at,
		})
		return c.tell(o, &sold, err)
	})
}

// amount is what the purse counts of what was paid for.
func (c *counter) amount(o *purchaseOrder, app cardslot.Application) schemas.Credit {
	switch unit := c.unit(app); {
	case unit == schemas.CreditFen:
		return schemas.Credit{Value: int64(o.money), Unit: unit}
	default:
		return schemas.Credit{Value: o.volume, Unit: unit}
	}
}

// unit is what the purses of an application count in this city.
func (c *counter) unit(app cardslot.Application) schemas.CreditUnit {
	switch app {
	case cardslot.WaterApplication:
		return cmp.Or(c.desk.Settings.Water, schemas.CreditFen)
	case cardslot.GasApplication:
		return cmp.Or(c.desk.Settings.Gas, schemas.CreditFen)
	}
	return schemas.CreditFen
}

// tell takes over what came of an operation and says it: what is certain on out,
// what to do on progress.
func (c *counter) tell(o *purchaseOrder, sold *cardslot.Sold, err error) error {
	err = errors.Join(err, c.settle())
	if sold.Advice != "" {
		fmt.Fprintf(o.progress, "%s: %s\n", sold.Outcome, sold.Advice)
	}
	if sold.Outcome == cardslot.Committed {
		r := &sold.Record
		fmt.Fprintf(o.out, "%s %s: card %s, %s, meter %s, customer %s, purchase %d%s: written and read back\n",
			r.Kind, r.ID, r.Card, r.Application.Utility(), r.MeterNumber, r.Customer, r.Purchase, amountText(r.Amount))
	}
	return err
}

func amountText(a schemas.Credit) string {
	switch {
	case a.Value == 0:
		return ""
	case a.Unit == schemas.CreditFen:
		return " of " + schemas.Fen(a.Value).String() + " yuan"
	}
	return fmt.Sprintf(" of %d %s", a.Value, a.Unit)
}

// sell sells a purchase.
func (c *counter) sell(ctx context.Context, o *purchaseOrder) error {
	return c.carryOut(ctx, o, ledger.Purchase, func(_ *cardslot.Contents, app cardslot.Application) error { return c.checkAmount(o, app) },
		func(ctx context.Context, in cardslot.Card, sam cardslot.SAM, order cardslot.Order) (cardslot.Sold, error) {
			return cardslot.Sell(ctx, in, sam, c.journal, order)
		})
}

// checkAmount says which of money and volume a purse wants.
func (c *counter) checkAmount(o *purchaseOrder, app cardslot.Application) error {
	unit := c.unit(app)
	switch {
	case o.money <= 0:
		return errors.New("--amount: how much money is it about? Give yuan above 0, such as 50.00")
	case unit == schemas.CreditFen && o.volume != 0:
		return fmt.Errorf("--volume: the city's purses of %s count money; give --amount alone", o.utility)
	case unit != schemas.CreditFen && o.volume <= 0:
		return fmt.Errorf("--volume: the city's purses of %s count %s; give how many the customer gets for the money", o.utility, unit)
	}
	return nil
}

// refund takes an unloaded purchase off the card again. Before the day of its sale
// is closed it is a reversal, later a refund.
func (c *counter) refund(ctx context.Context, o *purchaseOrder) error {
	kind := ledger.Refund
	if row := c.row(o.undoes); row != nil {
		if row.Kind != ledger.Purchase {
			return fmt.Errorf("--undoes %s: it is a %s, not a sale", o.undoes, row.Kind)
		}
		if dayOf(row.At) == dayOf(c.now()) {
			kind = ledger.Reversal
		}
		if o.purchase != 0 && o.purchase != row.Purchase || o.money != 0 && o.money != row.Money || o.volume != 0 && o.volume != row.Volume || o.card != "" && o.card != row.Card {
			return fmt.Errorf("--undoes %s: it sold purchase %d for %s yuan on card %s: leave out what you are not sure of", o.undoes, row.Purchase, row.Money, row.Card)
		}
		o.purchase, o.money, o.volume, o.card = row.Purchase, row.Money, row.Volume, row.Card
	}
	prepare := func(contents *cardslot.Contents, app cardslot.Application) error {
		if p := contents.Purse(app); p != nil && o.purchase == 0 {
			o.purchase = p.Wallet.Count
		}
		return c.checkAmount(o, app)
	}
	return c.carryOut(ctx, o, kind, prepare, func(ctx context.Context, in cardslot.Card, sam cardslot.SAM, order cardslot.Order) (cardslot.Sold, error) {
		return cardslot.Clear(ctx, in, sam, c.journal, order)
	})
}

// issue makes a blank card the customer's, or the replacement of a lost one.
func (c *counter) issue(ctx context.Context, o *purchaseOrder) error {
	prepare := func(_ *cardslot.Contents, app cardslot.Application) error {
		if unit := c.unit(app); unit == schemas.CreditFen && o.volume != 0 || unit != schemas.CreditFen && o.money != 0 {
			return fmt.Errorf("--amount, --volume: the city's purses of %s count %s; give what the lost card carried in that", o.utility, unit)
		}
		return nil
	}
	return c.carryOut(ctx, o, "", prepare, func(ctx context.Context, in cardslot.Card, sam cardslot.SAM, order cardslot.Order) (cardslot.Sold, error) {
		return cardslot.Issue(ctx, in, sam, c.journal, cardslot.IssueOrder{Order: order, Replaces: o.replaces})
	})
}

// resume finishes what is pending on the card in the reader.
func (c *counter) resume(ctx context.Context, o *purchaseOrder) error {
	sam, err := samOf(c.desk.Settings.SAM)
	if err != nil {
		return err
	}
	return c.atCard(ctx, o, func(in cardslot.Card, contents *cardslot.Contents) error {
		sold, err := cardslot.Resume(ctx, in, sam, c.journal)
		if sold.Outcome == cardslot.NothingPending && err == nil {
			fmt.Fprintf(o.out, "card %s: nothing is unfinished\n", contents.Card)
		}
		return c.tell(o, &sold, err)
	})
}

// sayPending says what is unfinished and the one thing to do about it.
func (c *counter) sayPending(to io.Writer) error {
	pending, err := c.journal.Pending()
	if err != nil {
		return err
	}
	for i := range pending {
		r := &pending[i]
		fmt.Fprintf(to, "UNFINISHED: %s on card %s for meter %s was interrupted on %s. Put card %s into the reader and run: citygrid counter resume --state %s\n",
			r, r.Card, r.MeterNumber, r.At.Local().Format(time.DateTime), r.Card, c.dir)
	}
	return nil
}
