// Package billing is the credit mode beside prepaid: use first, pay later
// (先用后付). It makes bills from exact use and a tariff plan, matches payments with
// them by order, states accounts that foot, and says when an account nears its credit
// limit. It is pure: it keeps nothing, and it switches nothing. Money is fen, use
// is litres or watt-hours. docs/reconciliation.md says how a bill stands in the
// books.
package billing

import (
	"fmt"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/tariff"
	"citygrid/schemas"
)

// Mode is how an account pays.
type Mode string

// The modes.
const (
	Prepaid Mode = "prepaid" // before use, on a card or token: no bills
	Credit  Mode = "credit"  // after use, on a bill, up to a limit
)

// Account is one installation and who pays for it.
type Account struct {
	Meter       schemas.MeterID
	From        time.Time // of the installation
	MeterNumber string
	Customer    schemas.CustomerID
	Utility     schemas.Medium
	Mode        Mode
	// Limit is how much may be owed, billed or not, in Credit mode.
	Limit schemas.Fen
	// Channel is who collects the bills (代收): its settlement file pays them, so
	// that sale row and payment row meet under one channel.
	Channel string
}

// Terms are the rules of payment of a utility.
type Terms struct {
	// DueDays lie between a bill's day and the last day to pay it.
	DueDays int
	// Warn and Stop are in per cent of the limit. An account is warned from Warn on,
	// and above Stop the advice is to stop it.
	Warn, Stop int
	// Late is the late fee; nil for none.
	Late *LateFee
}

// DefaultTerms are 15 days to pay, a warning from 80 % of the limit on, a stop above
// 120 %, and no late fee.
func DefaultTerms() Terms { return Terms{DueDays: 15, Warn: 80, Stop: 120} }

// The bounds of terms and accounts. maxFen keeps every product within 63 bits.
const (
	maxDueDays = 366
	maxPercent = 1000
	maxFen     = 1_000_000_000_000
)

// Validate reports the first rule that makes no sense.
func (t *Terms) Validate() error {
	switch {
	case t.DueDays < 0 || t.DueDays > maxDueDays:
		return fmt.Errorf("terms: due after %d days: want 0 to %d", t.DueDays, maxDueDays)
	case t.Warn < 0 || t.Warn > 100 || t.Stop < 100 || t.Stop > maxPercent:
		return fmt.Errorf("terms: warn at %d %% and stop above %d %%: want 0 to 100 and 100 to %d", t.Warn, t.Stop, maxPercent)
	case t.Late != nil:
		return t.Late.validate()
	}
	return nil
}

// Validate reports what keeps a from being billed.
func (a *Account) Validate() error {
	switch {
	case a.Mode != Credit && a.Mode != Prepaid:
		return fmt.Errorf("account of %s: mode %q: want prepaid or credit", a.Meter, a.Mode)
	case a.Limit < 0 || a.Limit > maxFen:
		return fmt.Errorf("account of %s: credit limit %s: want 0 to %s", a.Meter, a.Limit, schemas.Fen(maxFen))
	case a.Mode == Credit && (a.Channel == "" || !ledger.Printable(a.Channel)):
		return fmt.Errorf("account of %s: channel %q: name who collects its bills", a.Meter, a.Channel)
	}
	return a.Meter.Validate()
}

// Period says what a bill is for.
type Period struct {
	Order string // unique in the account's channel, up to 64 printable bytes
	Day   ledger.Day
	At    time.Time // when the bill is made
	// Readings are of the one installation, two or more, oldest first. One must stand
	// at each 00:00 within the period at which the price or the step changes.
	Readings []Reading
	// Position is the use since the last step reset, at the first reading: Position
	// of the bill before.
	Position int64
	// Fees are late fees of earlier bills that this bill claims.
	Fees []Fee
}

// Fee is a late fee for one bill.
type Fee struct {
	Order  string // of the late bill
	Amount schemas.Fen
}

// Bill is what an account owes for a period.
type Bill struct {
	Account
	Order    string
	Day, Due ledger.Day
	At       time.Time
	Priced
	Fees []Fee
	// Amount is Priced.Total and the fees.
	Amount schemas.Fen
}

// Make makes the bill of a period.
func Make(a Account, t Terms, plan *tariff.Plan, zone *time.Location, p Period) (Bill, error) {
	if err := checkMake(&a, &t, plan, &p); err != nil {
		return Bill{}, err
	}
	priced, err := Price(plan, zone, p.Readings, p.Position)
	if err != nil {
		return Bill{}, fmt.Errorf("bill %s of %s: %w", p.Order, a.Meter, err)
	}
	b := Bill{Account: a, Order: p.Order, Day: p.Day, Due: p.Day + ledger.Day(t.DueDays), At: p.At, Priced: priced, Fees: p.Fees, Amount: priced.Total}
	for _, f := range p.Fees {
		if f.Amount <= 0 || f.Amount > maxFen || f.Order == p.Order {
			return Bill{}, fmt.Errorf("bill %s of %s: late fee of %s for %s: want an amount above 0 for an earlier bill", p.Order, a.Meter, f.Amount, f.Order)
		}
		b.Amount += f.Amount
	}
	if b.Amount > maxFen {
		return Bill{}, fmt.Errorf("bill %s of %s: %s is beyond %s; look at the readings", p.Order, a.Meter, b.Amount, schemas.Fen(maxFen))
	}
	return b, nil
}

func checkMake(a *Account, t *Terms, plan *tariff.Plan, p *Period) error {
	if err := a.Validate(); err != nil {
		return err
	}
	if err := t.Validate(); err != nil {
		return err
	}
	switch {
	case a.Mode != Credit:
		return fmt.Errorf("account of %s is %s: it pays before use and gets no bill", a.Meter, a.Mode)
	case plan.Utility != a.Utility:
		return fmt.Errorf("account of %s is of %s, plan %s of %s: correct the register", a.Meter, a.Utility, plan.ID, plan.Utility)
	case p.Order == "" || !ledger.Printable(p.Order):
		return fmt.Errorf("bill of %s: order %q: want 1 to %d printable bytes", a.Meter, p.Order, ledger.MaxText)
	}
	return nil
}

// Sale returns the bill as a row of L1, and false where nothing is owed: such a bill
// would wait for a payment that nobody makes.
func (b *Bill) Sale() (ledger.Sale, bool) {
	return ledger.Sale{Channel: b.Channel, Order: b.Order, Kind: ledger.Bill, Utility: b.Utility, Meter: b.Meter, From: b.From,
		MeterNumber: b.MeterNumber, Customer: b.Customer, Amount: b.Amount, Day: b.Day, Due: b.Due, At: b.At}, b.Amount > 0
}
