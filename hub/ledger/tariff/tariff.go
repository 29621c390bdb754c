// Package tariff prices the use of water, power and gas: plans with steps
// (阶梯), time-of-use rates and effective dates. It is pure integer arithmetic:
// use in litres or watt-hours times a price in 0.0001 yuan for a m³ or kWh is a
// charge in 0.00001 fen, exactly. What it cannot know (the rate, the position in
// the steps, the split of a use at a price change) it answers with a range.
// docs/reconciliation.md, "Charge and tolerance", is its specification.
package tariff

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"time"

	"citygrid/schemas"
)

// Price is in 0.0001 yuan for a m³ (water, gas) or a kWh (power).
type Price int64

// Charge is an amount of money in 0.00001 fen: one litre or watt-hour at a
// Price of 1.
type Charge int64

// PerFen is how many of a Charge make one fen.
const PerFen = 100_000

// ErrOverflow says that a charge does not fit into 63 bits.
var ErrOverflow = errors.New("charge too large to count: check the use and the price")

// ChargeOf returns f as a Charge.
func ChargeOf(f schemas.Fen) (Charge, error) {
	if f > math.MaxInt64/PerFen || f < math.MinInt64/PerFen {
		return 0, fmt.Errorf("%s yuan: %w", f, ErrOverflow)
	}
	return Charge(f) * PerFen, nil
}

// Floor returns the greatest amount of fen that is not above c, as a purse shows it.
func (c Charge) Floor() schemas.Fen {
	f := c / PerFen
	if c%PerFen < 0 {
		f--
	}
	return schemas.Fen(f)
}

// HalfUp rounds c to fen; half a fen goes away from zero.
func (c Charge) HalfUp() schemas.Fen {
	f, rest := c/PerFen, c%PerFen
	switch {
	case rest >= PerFen/2:
		f++
	case rest <= -PerFen/2:
		f--
	}
	return schemas.Fen(f)
}

// Plan is a tariff plan: what a place pays for its use, over time.
type Plan struct {
	ID      string
	Utility schemas.Medium // Water, Power or Gas
	// Reset says when the position in the steps goes back to 0: 00:00 city time.
	Reset Reset
	// Rounding is how a bill line is rounded to fen.
	Rounding Rounding
	// Versions are the price sets, the earliest first, no two from one date.
	Versions []Version
}

// Reset is when the steps begin again.
type Reset string

// The resets.
const (
	Yearly  Reset = "yearly"  // January 1st
	Monthly Reset = "monthly" // the 1st of each month
)

// Rounding is how a bill line becomes fen.
type Rounding string

// HalfUpPerLine rounds half a fen up, once for each bill line; it is the only rule.
const HalfUpPerLine Rounding = "half-up-per-line"

// Version is a price set from 00:00 city time of a date on.
type Version struct {
	From Date
	// Rates are the prices of the first step by rate, rate 1 first: one price
	// where the time of use does not matter.
	Rates []Price
	// Steps raise the price of every rate once the use since the reset is above
	// a threshold. The first has threshold 0 and raises nothing.
	Steps []Step
}

// Step is one step: for use above Above (litres or watt-hours since the reset)
// each rate costs Add more than in the first step.
type Step struct {
	Above int64
	Add   Price
}

// Date is a date of the city's calendar, in days since 1970-01-01. It is no
// accounting day: prices change at midnight, whatever the cut-off.
type Date int32

// String writes the date as 2026-11-21.
func (d Date) String() string { return time.Unix(int64(d)*86400, 0).UTC().Format(time.DateOnly) }

// ParseDate reads what String writes.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("date %q: want a date such as 2026-01-01", s)
	}
	return Date(t.Unix() / 86400), nil
}

// DateOf returns the date of t in zone.
func DateOf(t time.Time, zone *time.Location) Date {
	local := t.In(zone)
	_, offset := local.Zone()
	at := local.Unix() + int64(offset)
	day := at / 86400
	if at%86400 < 0 {
		day--
	}
	return Date(day)
}

// Lowest returns the lowest price of v: its cheapest rate in the first step.
func (v *Version) Lowest() Price { return slices.Min(v.Rates) }

// Highest returns the highest price of v: its dearest rate in the last step.
func (v *Version) Highest() Price { return slices.Max(v.Rates) + v.Steps[len(v.Steps)-1].Add }

// ErrNoPrice says that no version of a plan is in force yet on a date.
var ErrNoPrice = errors.New("no price in force")

// At returns the version in force on date.
func (p *Plan) At(date Date) (*Version, error) {
	n, found := slices.BinarySearchFunc(p.Versions, date, func(v Version, d Date) int { return cmp.Compare(v.From, d) })
	if found {
		n++
	}
	if n == 0 {
		return nil, fmt.Errorf("plan %s on %s: %w: add a version from that date or earlier", p.ID, date, ErrNoPrice)
	}
	return &p.Versions[n-1], nil
}

// ResetBefore returns the last reset of the steps on or before date.
func (p *Plan) ResetBefore(date Date) Date {
	t := time.Unix(int64(date)*86400, 0).UTC()
	month := time.January
	if p.Reset == Monthly {
		month = t.Month()
	}
	return Date(time.Date(t.Year(), month, 1, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// times returns use x price, checked.
func times(use int64, price Price) (Charge, error) {
	negative := (use < 0) != (price < 0)
	hi, lo := bits.Mul64(magnitude(use), magnitude(int64(price)))
	if hi != 0 || lo > math.MaxInt64 {
		return 0, fmt.Errorf("%d at a price of %d: %w", use, price, ErrOverflow)
	}
	if negative {
		return -Charge(lo), nil
	}
	return Charge(lo), nil
}

// magnitude returns the absolute value of n.
func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// plus returns a + b, checked.
func plus(a, b Charge) (Charge, error) {
	sum := a + b
	if (sum > a) != (b > 0) && b != 0 {
		return 0, fmt.Errorf("%d + %d: %w", a, b, ErrOverflow)
	}
	return sum, nil
}
