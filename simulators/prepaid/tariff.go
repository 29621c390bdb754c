package prepaid

import (
	"fmt"
	"time"
)

// Price is in ten-thousandths of a yuan for a kilowatt-hour or a cubic metre.
type Price int64

// perFen is how many of what a watt-hour or litre costs at a Price of 1 make one
// fen.
const perFen = 100_000

// Step is a step of a stepped tariff (阶梯): its price is that of the units of a
// period above Above, up to the next step.
type Step struct {
	Above int64 // litres or watt-hours
	Price Price
}

// Rate is a rate of the time of use: from From after midnight in China to the
// next one its price is added to that of the step.
type Rate struct {
	From  time.Duration
	Price Price
}

// Reset is when a period of the steps ends and the next begins: at midnight in
// China of a day of the year, or of each month where Month is 0. Every month has
// the day: it is 1 to 28.
type Reset struct {
	Month time.Month
	Day   int
}

// Tariff is one set of prices. The zero Tariff charges nothing.
type Tariff struct {
	Steps  []Step  // by Above, of which the first is 0
	Rates  []Rate  // by From, of which the first is 0; none: no time of use
	Resets []Reset // none: a period without an end
}

const maxSteps, maxRates, maxResets = 7, 48, 12 // as many as meters of the kind know

// validate says what is wrong with the tariff.
func (t *Tariff) validate() error {
	if len(t.Steps) > maxSteps || len(t.Rates) > maxRates || len(t.Resets) > maxResets {
		return fmt.Errorf("%d steps, %d rates, %d resets: want at most %d, %d, %d",
			len(t.Steps), len(t.Rates), len(t.Resets), maxSteps, maxRates, maxResets)
	}
	for i, s := range t.Steps {
		if i == 0 && s.Above != 0 || i > 0 && s.Above <= t.Steps[i-1].Above || s.Price < 0 {
			return fmt.Errorf("step %d: above %d at %d: want steps that rise from 0, and no price below 0", i+1, s.Above, s.Price)
		}
	}
	for i, r := range t.Rates {
		if i == 0 && r.From != 0 || i > 0 && r.From <= t.Rates[i-1].From || r.From >= 24*time.Hour || r.Price < 0 {
			return fmt.Errorf("rate %d: from %s at %d: want rates that rise from 0 within a day, and no price below 0", i+1, r.From, r.Price)
		}
	}
	for _, r := range t.Resets {
		if r.Month < 0 || r.Month > time.December || r.Day < 1 || r.Day > 28 {
			return fmt.Errorf("reset on day %d of month %d: want a day of 1 to 28 that every month has", r.Day, r.Month)
		}
	}
	return nil
}

// step returns the price of the next unit after so many in the period, and how
// many units have it; 0 stands for all.
func (t *Tariff) step(period int64) (p Price, units int64) {
	for i, s := range t.Steps {
		if period < s.Above {
			break
		}
		p, units = s.Price, 0
		if i+1 < len(t.Steps) {
			units = t.Steps[i+1].Above - period
		}
	}
	return p, units
}

// rate returns what is added to the price at a moment.
func (t *Tariff) rate(now time.Time) Price {
	if len(t.Rates) == 0 {
		return 0
	}
	w := local(now)
	since := time.Duration(w.Hour())*time.Hour + time.Duration(w.Minute())*time.Minute +
		time.Duration(w.Second())*time.Second + time.Duration(w.Nanosecond())
	p := t.Rates[0].Price
	for _, r := range t.Rates[1:] {
		if since < r.From {
			break
		}
		p = r.Price
	}
	return p
}

// nextReset returns the first end of a period after t; zero for none.
func (t *Tariff) nextReset(at time.Time) time.Time {
	var next time.Time
	w := local(at)
	for _, r := range t.Resets {
		month, years, months := r.Month, 1, 0
		if month == 0 {
			month, years, months = w.Month(), 0, 1
		}
		reset := time.Date(w.Year(), month, r.Day, 0, 0, 0, 0, time.UTC)
		if !reset.After(w) {
			reset = reset.AddDate(years, months, 0)
		}
		if reset = fromLocal(reset); next.IsZero() || reset.Before(next) {
			next = reset
		}
	}
	return next
}

// ahead is how far the clocks of China are ahead of UTC, all year.
const ahead = 8 * time.Hour

// local returns t with the fields that a clock in China shows, in UTC.
func local(t time.Time) time.Time { return t.UTC().Add(ahead) }

// fromLocal is the inverse of local.
func fromLocal(w time.Time) time.Time { return w.Add(-ahead) }

// nextMonth returns the beginning of the next month in China.
func nextMonth(t time.Time) time.Time {
	w := local(t)
	return fromLocal(time.Date(w.Year(), w.Month()+1, 1, 0, 0, 0, 0, time.UTC))
}
