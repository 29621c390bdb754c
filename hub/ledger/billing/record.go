package billing

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/tariff"
	"citygrid/schemas"
)

// Contract is an account with its terms, as the operator's list has it.
type Contract struct {
	Account
	Terms Terms
	// Begin is when billing begins; zero: with the installation. Use before it was
	// paid elsewhere.
	Begin time.Time
	// Revision counts the lists that changed an account; At and By say when the last
	// one did and who imported it. They are 0 before.
	Revision int64
	At       time.Time
	By       string
}

// Validate reports what keeps c out of the books. From may be zero: the
// installation that stands.
func (c *Contract) Validate() error {
	if err := errors.Join(c.Account.Validate(), c.Terms.Validate()); err != nil {
		return err
	}
	if c.Customer != "" {
		if err := c.Customer.Validate(); err != nil {
			return fmt.Errorf("account of %s: %w", c.Meter, err)
		}
	}
	if strings.ContainsAny(c.Channel, ",\"") {
		return fmt.Errorf("account of %s: channel %q: no commas or quotes, which files of bills cannot carry", c.Meter, c.Channel)
	}
	if !c.Begin.IsZero() && c.Begin.Before(c.From) {
		return fmt.Errorf("account of %s: billing begins on %s, before its installation on %s", c.Meter,
			c.Begin.UTC().Format(time.RFC3339), c.From.UTC().Format(time.RFC3339))
	}
	return nil
}

// Register is what a meter showed at a boundary of a bill: At is the boundary,
// Taken when the reading that stands for it was taken.
type Register struct {
	Reading
	Taken time.Time
}

// Record is a bill as the books hold it. It never changes.
type Record struct {
	ID    int64
	Month Month
	Bill
	Terms Terms // that it was made under
	// Plan names the tariff plan with its digest, Reset is when its steps begin again.
	Plan  string
	Reset tariff.Reset
	// Quantity is the register that was billed; where the plan has rates, the
	// registers by rate beside it were, and Total is their sum.
	Quantity schemas.Quantity
	// Registers are those at the boundaries, the first and the last of the period
	// among them. Base is the one from which the position in the steps was counted,
	// where no bill before told it.
	Registers []Register
	Base      *Register
	By        string
	// Import is the file with which the bill went to its channel; 0 where nothing
	// is owed.
	Import int64
	Digest ledger.Digest // of all of the above but ID and Import
}

// Begin returns the first moment that the bill covers.
func (r *Record) Begin() time.Time { return r.Registers[0].At }

// End returns the moment up to which the bill covers; the next one begins there.
func (r *Record) End() time.Time { return r.Registers[len(r.Registers)-1].At }

// Boundaries returns the moments between begin and end, neither included, at which
// Price wants a reading: each 00:00 of a new price set or of a step reset.
func Boundaries(plan *tariff.Plan, zone *time.Location, begin, end time.Time) []time.Time {
	first, last := tariff.DateOf(begin, zone), tariff.DateOf(end.Add(-1), zone)
	var out []time.Time
	for d := last; d > first; {
		change := plan.ResetBefore(d)
		for i := range plan.Versions {
			if from := plan.Versions[i].From; from <= d {
				change = max(change, from)
			}
		}
		if change > first {
			out = append([]time.Time{midnight(change, zone)}, out...)
		}
		d = change - 1
	}
	return out
}

// StepsFrom returns the last reset of the steps at or before t.
func StepsFrom(plan *tariff.Plan, zone *time.Location, t time.Time) time.Time {
	return midnight(plan.ResetBefore(tariff.DateOf(t, zone)), zone)
}

// midnight returns 00:00 of a date in zone.
func midnight(d tariff.Date, zone *time.Location) time.Time {
	t := time.Unix(int64(d)*86400, 0).UTC()
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, zone).UTC()
}

// Rates returns how many registers by rate a bill from begin to end takes; 0 where
// the plan has one price throughout.
func Rates(plan *tariff.Plan, zone *time.Location, begin, end time.Time) (n int) {
	first, last := tariff.DateOf(begin, zone), tariff.DateOf(end.Add(-1), zone)
	for i := range plan.Versions {
		v := &plan.Versions[i]
		over := i+1 < len(plan.Versions) && plan.Versions[i+1].From <= first
		if v.From <= last && !over {
			n = max(n, len(v.Rates))
		}
	}
	if n == 1 {
		return 0
	}
	return n
}

// Stepped reports whether the position in the steps ever matters under plan.
func Stepped(plan *tariff.Plan) bool {
	for i := range plan.Versions {
		if len(plan.Versions[i].Steps) > 1 {
			return true
		}
	}
	return false
}
