package billing

import (
	"cmp"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// Step is what the credit limit advises. It is advice: who reads it decides, and
// this package switches nothing.
type Step string

// The steps, each above the one before.
const (
	None  Step = "none"
	Warn  Step = "warn"  // tell the customer
	Limit Step = "limit" // reached: ask for payment
	Stop  Step = "stop"  // so far above that supply should stop
)

// Advice is a step and its figures.
type Advice struct {
	Step Step
	// Owed is what is billed and open with what is used and not yet billed; Room
	// is what may still be used, negative above the limit.
	Owed, Limit, Room schemas.Fen
}

// Advise compares what an account owes with its limit. open is the closing balance
// of its statement, unbilled the price of the use since the last bill (Price). A
// prepaid account has no step.
func Advise(a Account, t Terms, open, unbilled schemas.Fen) (Advice, error) {
	if err := errors.Join(a.Validate(), t.Validate()); err != nil {
		return Advice{}, err
	}
	if max(open, -open, unbilled) > maxFen || unbilled < 0 {
		return Advice{}, fmt.Errorf("account of %s: open %s and unbilled %s: look at the readings", a.Meter, open, unbilled)
	}
	owed := open + unbilled
	out := Advice{Step: None, Owed: owed, Limit: a.Limit, Room: a.Limit - owed}
	if a.Mode != Credit || owed <= 0 {
		return out, nil
	}
	switch scaled := owed * 100; {
	case scaled > a.Limit*schemas.Fen(t.Stop):
		out.Step = Stop
	case owed >= a.Limit:
		out.Step = Limit
	case scaled >= a.Limit*schemas.Fen(t.Warn):
		out.Step = Warn
	}
	return out, nil
}

// LateFee is a fee for each day on which a bill is open after its due day.
type LateFee struct {
	// FreeDays after the due day cost nothing.
	FreeDays int
	// PerDay is in 1/100,000 of what is open at the end of the day: 50 is 0.05 %.
	PerDay int
	// Cap bounds the whole fee of a bill, in per cent of its charge for use.
	Cap int
}

// perDayUnit is the share in which PerDay counts.
const perDayUnit = 100_000

func (l *LateFee) validate() error {
	if l.FreeDays < 0 || l.FreeDays > maxDueDays || l.PerDay < 1 || l.PerDay > perDayUnit/100 || l.Cap < 1 || l.Cap > 100 {
		return fmt.Errorf("terms: late fee %+v: want 0 to %d free days, 1 to %d in 100,000 a day, and a cap of 1 to 100 %%", *l, maxDueDays, perDayUnit/100)
	}
	return nil
}

// Due returns what b costs in late fees up to the end of day, less charged, which
// earlier bills claimed for it. There is no fee on a fee: payments go to the
// charge for use first. The whole fee is rounded once, half a fen up, so that how
// often it is claimed changes nothing.
func (l *LateFee) Due(b *Bill, payments []ledger.Payment, charged schemas.Fen, day ledger.Day) (schemas.Fen, error) {
	if err := l.validate(); err != nil {
		return 0, err
	}
	fee := l.whole(l.fenDays(b, payments, day))
	fee = min(fee, b.Total*schemas.Fen(l.Cap)/100)
	return max(0, fee-charged), nil
}

// fenDays returns the sum, over the days that cost, of what was open at their end.
func (l *LateFee) fenDays(b *Bill, payments []ledger.Payment, day ledger.Day) uint64 {
	var own []ledger.Payment
	for _, p := range payments {
		if p.Order == b.Order && p.Day <= day {
			own = append(own, p)
		}
	}
	slices.SortStableFunc(own, func(x, y ledger.Payment) int { return cmp.Compare(x.Day, y.Day) })
	at, paid, sum := b.Due+ledger.Day(l.FreeDays)+1, schemas.Fen(0), uint64(0)
	for _, p := range own {
		if p.Day > at { // the days before it
			sum += uint64(p.Day-at) * openOf(b, paid)
			at = p.Day
		}
		paid += moved(&p)
	}
	if day >= at {
		sum += uint64(day-at+1) * openOf(b, paid)
	}
	return sum
}

// openOf returns what is open of the charge for use.
func openOf(b *Bill, paid schemas.Fen) uint64 {
	return uint64(min(max(0, b.Total-paid), b.Total))
}

// whole returns the fee for so many fen x days, half a fen up.
func (l *LateFee) whole(fenDays uint64) schemas.Fen {
	high, low := bits.Mul64(fenDays, uint64(l.PerDay))
	low, carry := bits.Add64(low, perDayUnit/2, 0)
	if high += carry; high >= perDayUnit {
		return maxFen // beyond any cap
	}
	fee, _ := bits.Div64(high, low, perDayUnit)
	return schemas.Fen(min(fee, maxFen))
}
