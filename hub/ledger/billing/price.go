package billing

import (
	"errors"
	"fmt"
	"time"

	"citygrid/hub/ledger/tariff"
	"citygrid/schemas"
)

// Reading is what a meter's register showed, in litres or watt-hours.
type Reading struct {
	At    time.Time
	Total int64
	// ByRate are the registers by rate, rate 1 first; nil where the plan has one
	// rate. Their rise must make exactly that of Total.
	ByRate []int64
}

// Part is a span of one price set without a step reset inside.
type Part struct {
	From, To Reading
	tariff.Bill
}

// Priced is a use and what it costs.
type Priced struct {
	Parts []Part
	Use   int64 // litres or watt-hours
	// Total is the sum of the lines, each rounded once. Rounded is Total less the
	// exact charge; it goes to the rounding account.
	Total   schemas.Fen
	Rounded tariff.Charge
	// Position is the use since the last step reset, at the last reading.
	Position int64
}

// ErrBoundary says that a reading is missing where the price or the step changes:
// the use on either side is not known, and a bill guesses nothing.
var ErrBoundary = errors.New("no reading where the price changes or the steps begin again")

// ErrReadings says that readings cannot be billed as they are.
var ErrReadings = errors.New("readings cannot be billed")

// Price prices the use from the first to the last of readings. position is the
// use since the last step reset at the first; it is 0 if the first stands on a
// reset. Lines are rounded once for each part, however many readings lie inside.
func Price(plan *tariff.Plan, zone *time.Location, readings []Reading, position int64) (Priced, error) {
	p := pricer{plan: plan, zone: zone}
	if len(readings) < 2 {
		return Priced{}, fmt.Errorf("%w: %d given, want the first and the last of the period", ErrReadings, len(readings))
	}
	if first := readings[0].At; position < 0 || position > 0 && p.resetIn(first.Add(-1), first) {
		return Priced{}, fmt.Errorf("%w: position %d at %s: want 0 at a step reset, and nothing negative", ErrReadings, position, first)
	}
	p.out.Position = position
	begin := 0
	for i := 1; i < len(readings); i++ {
		if err := p.span(&readings[i-1], &readings[i]); err != nil {
			return Priced{}, err
		}
		if i+1 < len(readings) && !p.breaksAt(readings[i].At) {
			continue
		}
		if err := p.part(&readings[begin], &readings[i]); err != nil {
			return Priced{}, err
		}
		begin = i
	}
	return p.out, nil
}

type pricer struct {
	plan *tariff.Plan
	zone *time.Location
	out  Priced
}

// date returns the city's date of t.
func (p *pricer) date(t time.Time) tariff.Date { return tariff.DateOf(t, p.zone) }

// resetIn reports a step reset after a and not after b.
func (p *pricer) resetIn(a, b time.Time) bool { return p.plan.ResetBefore(p.date(b)) > p.date(a) }

// breaksAt reports whether a part ends at t: it is the 00:00 of a reset or of a
// price set.
func (p *pricer) breaksAt(t time.Time) bool {
	before, err := p.plan.At(p.date(t.Add(-1)))
	if err != nil {
		return true // part reports it
	}
	after, err := p.plan.At(p.date(t))
	return err != nil || before != after || p.resetIn(t.Add(-1), t)
}

// span checks that two neighbouring readings can be priced as one use.
func (p *pricer) span(a, b *Reading) error {
	if !b.At.After(a.At) || a.Total < 0 || b.Total < a.Total {
		return fmt.Errorf("%w: %d at %s, then %d at %s: time and register must rise; bill a new meter by itself", ErrReadings, a.Total, a.At, b.Total, b.At)
	}
	from, to := p.date(a.At), p.date(b.At.Add(-1))
	first, err := p.plan.At(from)
	if err != nil {
		return err
	}
	last, err := p.plan.At(to)
	if err != nil {
		return err
	}
	change := tariff.Date(0)
	if first != last {
		change = last.From
	} else if reset := p.plan.ResetBefore(to); reset > from {
		change = reset
	}
	if change != 0 {
		return fmt.Errorf("%w: add the reading of 00:00 on %s, between %s and %s", ErrBoundary, change, a.At, b.At)
	}
	return nil
}

// part prices the use between two readings.
func (p *pricer) part(a, b *Reading) error {
	use := b.Total - a.Total
	byRate, err := rise(a.ByRate, b.ByRate)
	if err != nil {
		return fmt.Errorf("from %s to %s: %w", a.At, b.At, err)
	}
	if v, err := p.plan.At(p.date(a.At)); err == nil && len(v.Rates) == 1 {
		byRate = nil // another price set of the period has rates
	}
	bill, err := p.plan.Bill(p.date(a.At), p.out.Position, use, byRate)
	if err != nil {
		return fmt.Errorf("from %s to %s: %w", a.At, b.At, err)
	}
	o := &p.out
	o.Parts = append(o.Parts, Part{From: *a, To: *b, Bill: bill})
	o.Use += use
	o.Total += bill.Total
	o.Rounded += bill.Rounded
	o.Position += use
	if p.resetIn(a.At, b.At) {
		o.Position = 0
	}
	return nil
}

// rise returns how far registers by rate went; nil where there are none.
func rise(a, b []int64) ([]int64, error) {
	if len(a) != len(b) {
		return nil, fmt.Errorf("%w: %d registers by rate, then %d", ErrReadings, len(a), len(b))
	}
	var out []int64
	for i := range a {
		if a[i] < 0 || b[i] < a[i] {
			return nil, fmt.Errorf("%w: register of rate %d shows %d, then %d", ErrReadings, i+1, a[i], b[i])
		}
		out = append(out, b[i]-a[i])
	}
	return out, nil
}
