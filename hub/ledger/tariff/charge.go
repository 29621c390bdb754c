package tariff

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"citygrid/schemas"
)

// ErrRates says that a plan with several rates was given a use that is not
// split by rate.
var ErrRates = errors.New("use not split by rate")

// Charge returns the exact charge for use (litres or watt-hours) that begins at
// position, the use since the last step reset. byRate splits use by rate, rate 1
// first; it may be nil where v has one rate.
func (v *Version) Charge(position, use int64, byRate []int64) (Charge, error) {
	if position < 0 || use < 0 || position+use < 0 {
		return 0, fmt.Errorf("charge of %d from %d: position and use are never negative", use, position)
	}
	split, err := v.split(use, byRate)
	if err != nil {
		return 0, err
	}
	total, err := v.stepPart(position, use)
	for r, n := range split {
		if err == nil {
			total, err = addTimes(total, n, v.Rates[r])
		}
	}
	return total, err
}

// split returns use by rate, checked against use.
func (v *Version) split(use int64, byRate []int64) ([]int64, error) {
	if byRate == nil && len(v.Rates) == 1 {
		return []int64{use}, nil
	}
	if len(byRate) != len(v.Rates) {
		return nil, fmt.Errorf("%w: %d parts for %d rates", ErrRates, len(byRate), len(v.Rates))
	}
	sum := int64(0)
	for _, n := range byRate {
		if n < 0 || n > use-sum {
			return nil, fmt.Errorf("%w: the parts %v do not make %d", ErrRates, byRate, use)
		}
		sum += n
	}
	if sum != use {
		return nil, fmt.Errorf("%w: the parts %v do not make %d", ErrRates, byRate, use)
	}
	return byRate, nil
}

// stepPart returns what the steps add to the charge of use from position.
func (v *Version) stepPart(position, use int64) (Charge, error) {
	var total Charge
	var err error
	for i := range v.Steps {
		n := v.inStep(i, position, use)
		if n > 0 && v.Steps[i].Add != 0 && err == nil {
			total, err = addTimes(total, n, v.Steps[i].Add)
		}
	}
	return total, err
}

// inStep returns how much of use from position lies in step i.
func (v *Version) inStep(i int, position, use int64) int64 {
	from, to := max(position, v.Steps[i].Above), position+use
	if i+1 < len(v.Steps) {
		to = min(to, v.Steps[i+1].Above)
	}
	return max(0, to-from)
}

// addTimes returns c + use x price, checked.
func addTimes(c Charge, use int64, price Price) (Charge, error) {
	part, err := times(use, price)
	if err != nil {
		return 0, err
	}
	return plus(c, part)
}

// Range is a number that is known to lie between Lo and Hi, both included.
type Range struct{ Lo, Hi int64 }

// Use is a use to be priced, from one look at the meter to the next.
type Use struct {
	From, To time.Time
	Amount   int64 // litres or watt-hours
	// ByRate splits Amount by rate, rate 1 first; nil where nobody knows. It
	// need not make exactly Amount, since registers show whole digits.
	ByRate []int64
	// Position is the use since the last step reset, at From.
	Position Range
}

// Bounds is what a use can have cost.
type Bounds struct {
	Low, High Charge
	// Highest is the highest price of the price sets concerned; tolerances count
	// with it.
	Highest Price
	// Position is the use since the last step reset, at To.
	Position Range
}

// Bounds returns what u can have cost. Low and High are equal if price set,
// position and split by rate are known.
func (p *Plan) Bounds(u Use, zone *time.Location) (Bounds, error) {
	if u.Amount < 0 || u.Position.Lo < 0 || u.Position.Hi < u.Position.Lo || u.Position.Hi+u.Amount < 0 {
		return Bounds{}, fmt.Errorf("use of %d from %+v: never negative, and the range in order", u.Amount, u.Position)
	}
	from, to := DateOf(u.From, zone), DateOf(u.To, zone)
	first, err := p.At(from)
	if err != nil {
		return Bounds{}, err
	}
	last, err := p.At(to)
	if err != nil {
		return Bounds{}, err
	}
	reset := p.ResetBefore(to) > from
	b := Bounds{Highest: p.highest(first, last), Position: Range{u.Position.Lo + u.Amount, u.Position.Hi + u.Amount}}
	if reset {
		b.Position = Range{0, u.Amount}
	}
	if first == last && !reset {
		b.Low, b.High, err = first.bounds(u)
		return b, err
	}
	if b.Low, err = times(u.Amount, p.lowest(first, last)); err == nil {
		b.High, err = times(u.Amount, b.Highest)
	}
	return b, err
}

// bounds is Bounds within one price set and without a reset: the charge rises
// with the position, because steps only ever add.
func (v *Version) bounds(u Use) (low, high Charge, err error) {
	low, err = v.stepPart(u.Position.Lo, u.Amount)
	if err == nil {
		high, err = v.stepPart(u.Position.Hi, u.Amount)
	}
	rest := u.Amount
	if len(v.Rates) > 1 && len(u.ByRate) == len(v.Rates) {
		for r, n := range u.ByRate {
			rest -= n
			if err == nil {
				low, high, err = addBoth(low, high, n, v.Rates[r], v.Rates[r])
			}
		}
	}
	if err == nil {
		cheap, dear := slices.Min(v.Rates), slices.Max(v.Rates)
		if rest < 0 {
			cheap, dear = dear, cheap
		}
		low, high, err = addBoth(low, high, rest, cheap, dear)
	}
	return low, high, err
}

// addBoth adds use at one price to low and at another to high.
func addBoth(low, high Charge, use int64, cheap, dear Price) (Charge, Charge, error) {
	low, err := addTimes(low, use, cheap)
	if err != nil {
		return 0, 0, err
	}
	high, err = addTimes(high, use, dear)
	return low, high, err
}

// highest returns the highest price of the versions from first to last.
func (p *Plan) highest(first, last *Version) Price {
	price := first.Highest()
	for i := range p.Versions {
		if v := &p.Versions[i]; v.From > first.From && v.From <= last.From {
			price = max(price, v.Highest())
		}
	}
	return price
}

// lowest returns the lowest price of the versions from first to last.
func (p *Plan) lowest(first, last *Version) Price {
	price := first.Lowest()
	for i := range p.Versions {
		if v := &p.Versions[i]; v.From > first.From && v.From <= last.From {
			price = min(price, v.Lowest())
		}
	}
	return price
}

// Tolerance returns what a purse of money may be off: slack litres or watt-hours
// at the highest price, and one fen for the floor.
func Tolerance(highest Price, slack int64) (Charge, error) {
	return addTimes(PerFen, slack, highest)
}

// Line is one line of a bill.
type Line struct {
	// Rate and Step count from 1. A line with Rate 0 is what the step adds to
	// the price of every rate.
	Rate, Step int
	Use        int64 // litres or watt-hours
	Price      Price
	Exact      Charge
	Fen        schemas.Fen // Exact, rounded by the plan's rule
}

// Bill is a bill for one use.
type Bill struct {
	Lines []Line
	Total schemas.Fen
	// Rounded is Total less the exact charge; it goes to the rounding account.
	Rounded Charge
	Version Date // the price set
}

// Bill prices use on a date, from a known position, line by line: a line a step
// where there is one rate; else a line a rate at its price in the first step, and
// a line for each further step with what it adds.
func (p *Plan) Bill(date Date, position, use int64, byRate []int64) (Bill, error) {
	v, err := p.At(date)
	if err != nil {
		return Bill{}, err
	}
	exact, err := v.Charge(position, use, byRate)
	if err != nil {
		return Bill{}, fmt.Errorf("bill by plan %s: %w", p.ID, err)
	}
	b := Bill{Version: v.From, Rounded: -exact}
	for r, n := range byRate {
		if len(v.Rates) > 1 {
			b.add(Line{Rate: r + 1, Step: 1, Use: n, Price: v.Rates[r]})
		}
	}
	for i := range v.Steps {
		line := Line{Step: i + 1, Use: v.inStep(i, position, use), Price: v.Steps[i].Add}
		if len(v.Rates) == 1 {
			line.Rate, line.Price = 1, v.Rates[0]+line.Price
		} else if i == 0 {
			continue
		}
		b.add(line)
	}
	return b, nil
}

// add appends a line, priced and rounded. The product fits, since the exact
// charge of the whole did.
func (b *Bill) add(l Line) {
	if l.Use == 0 {
		return
	}
	l.Exact = Charge(l.Use) * Charge(l.Price)
	l.Fen = l.Exact.HalfUp()
	b.Lines = append(b.Lines, l)
	b.Total += l.Fen
	b.Rounded += Charge(l.Fen) * PerFen
}
