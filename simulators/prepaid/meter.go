package prepaid

import (
	"fmt"
	"slices"
	"time"

	"citygrid/schemas"
)

// Limits are what the utility sets in a meter, in the unit of the purse.
type Limits struct {
	// Alarm1 is where the meter begins to warn. Alarm2 is where it opens its
	// switch once to be noticed: putting the card in closes it again, and the
	// rest can be used up. 0: no such alarm.
	Alarm1, Alarm2 int64
	// Overdraft is how much the customer may owe before the switch opens.
	Overdraft int64
	// Hoard is how much credit a meter takes; 0: as much as it can show.
	Hoard int64
	// CloseAllowed is what the residual must exceed for the switch to close.
	CloseAllowed int64
}

// Config is what a meter is made with.
type Config struct {
	Utility schemas.Medium // Water, Power or Gas
	// Number is the one on the plate, 12 digits.
	Number string
	// Customer, if set, is who alone can open the account.
	Customer schemas.CustomerID
	// Unit is what the purse counts: fen, litres (not for power) or watt-hours
	// (for power only).
	Unit schemas.CreditUnit
	Limits
	// Current are the prices; from SwitchAt on, where that is set, Spare are. The
	// units of the running period go on being counted.
	Current, Spare Tariff
	SwitchAt       time.Time
	// Preset is the credit that the meter leaves the works with.
	Preset int64
	// Start is the first moment of the meter's life.
	Start time.Time
}

// maxPurse is the most that eight digits show: 999999.99 yuan, and for volumes
// and energies what the counters of the cards hold.
const maxPurse = 99_999_999

// maxRecords is how many purchases a meter remembers.
const maxRecords = 10

// Months is how many months of use a meter remembers beside the running one.
const Months = 24

// Purchase is one record of a meter, in the unit of its purse.
type Purchase struct {
	Count  uint32
	At     time.Time
	Amount int64
	// Before and After are the residuals, Bought the sum, with this purchase.
	Before, After, Bought int64
	// Card brought it.
	Card schemas.CardID
}

// State is all that a meter holds. It is a copy and shares nothing with the meter.
type State struct {
	Unit     schemas.CreditUnit
	Number   string
	Opened   bool
	Card     schemas.CardID // bound to the meter
	Customer schemas.CustomerID
	Count    uint32 // of purchases
	// Residual and Overdraft are the purse: one of the two is 0.
	Residual, Overdraft int64
	// Bought is the sum of all purchases, Transferred of what came from another
	// meter (or went there, below 0) or from the works, Charged of what was
	// debited for use; Rest is what is owed beyond it, in hundred-thousandths of
	// a fen.
	Bought, Transferred, Charged, Rest int64
	// Used is the consumption in litres or watt-hours; Period that since the
	// steps began anew.
	Used, Period int64
	// Off: the valve is closed, or the relay open, and nothing passes. Ordered: it
	// has been told to be so. The two differ while it is jammed.
	Ordered, Off bool
	// Warned: the switch has opened at the second alarm since the last purchase.
	Warned bool
	Limits Limits
	// Illegal counts the cards that were not authentic, Pulled those that were
	// taken out too early.
	Illegal, Pulled uint32
	// Records are the last purchases, the newest first.
	Records []Purchase
	// Month is what was used in this month, Months in the one before, and so on.
	Month  int64
	Months [Months]int64
	// ReturnOwed: the card was pulled before its return file was written.
	ReturnOwed bool
}

// Left is what the customer has, below 0 what he owes.
func (s *State) Left() int64 { return s.Residual - s.Overdraft }

// Alarm reports whether the meter warns that its credit runs out.
func (s *State) Alarm() bool { return s.Residual <= s.Limits.Alarm1 }

// Meter is one prepaid meter. It is used by one goroutine at a time.
type Meter struct {
	config  Config
	s       State
	tariff  *Tariff // in force
	now     time.Time
	reset   time.Time // the next end of a period, zero for none
	month   time.Time // the next beginning of a month
	jammed  bool
	lowVolt bool
}

// New returns a meter as it is when it has been installed.
func New(c Config) (*Meter, error) {
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("prepaid meter %s: %w", c.Number, err)
	}
	c.Current, c.Spare = c.Current.clone(), c.Spare.clone()
	m := &Meter{config: c, now: c.Start}
	m.tariff = &m.config.Current
	m.reset, m.month = m.tariff.nextReset(c.Start), nextMonth(c.Start)
	m.s = State{
		Unit: c.Unit, Number: c.Number, Customer: c.Customer, Limits: c.Limits,
		Residual: c.Preset, Transferred: c.Preset, Ordered: true, Off: true,
	}
	m.release()
	m.watch()
	return m, nil
}

func (t Tariff) clone() Tariff {
	return Tariff{slices.Clone(t.Steps), slices.Clone(t.Rates), slices.Clone(t.Resets)}
}

func (c *Config) validate() error {
	units := map[schemas.Medium]schemas.CreditUnit{
		schemas.Power: schemas.CreditWh, schemas.Water: schemas.CreditLitre, schemas.Gas: schemas.CreditLitre,
	}
	unit, ok := units[c.Utility]
	switch {
	case !ok:
		return fmt.Errorf("utility %q; want water, power or gas", c.Utility)
	case c.Unit != schemas.CreditFen && c.Unit != unit:
		return fmt.Errorf("a purse of %q; a meter of %s counts fen or %s", c.Unit, c.Utility, unit)
	case len(c.Number) != 12 || !digits(c.Number):
		return fmt.Errorf("number %q; want 12 digits", c.Number)
	case c.Start.IsZero():
		return fmt.Errorf("no start")
	case c.Preset < 0 || c.Preset > maxPurse:
		return fmt.Errorf("a preset credit of %d; want 0 to %d", c.Preset, maxPurse)
	}
	for _, limit := range []int64{c.Alarm1, c.Alarm2, c.Overdraft, c.Hoard, c.CloseAllowed} {
		if limit < 0 || limit > maxPurse {
			return fmt.Errorf("a limit of %d; want 0 to %d", limit, maxPurse)
		}
	}
	if err := c.Current.validate(); err != nil {
		return err
	}
	return c.Spare.validate()
}

func digits(s string) bool {
	return !slices.ContainsFunc([]byte(s), func(b byte) bool { return b < '0' || b > '9' })
}

// State returns what the meter holds now.
func (m *Meter) State() State {
	s := m.s
	s.Records = slices.Clone(s.Records)
	return s
}

// Left is State().Left() without the copy.
func (m *Meter) Left() int64 { return m.s.Left() }

// Off is State().Off without the copy.
func (m *Meter) Off() bool { return m.s.Off }

// Count is State().Count without the copy.
func (m *Meter) Count() uint32 { return m.s.Count }

// Jam holds the valve or relay where it is, or lets it go: it then follows the
// order that it was given.
func (m *Meter) Jam(jammed bool) {
	m.jammed = jammed
	m.order(m.s.Ordered)
}

// Brown says that the supply is below 80 % of its nominal voltage, where a meter
// refuses cards, or right again.
func (m *Meter) Brown(low bool) { m.lowVolt = low }

// order tells the switch to be off or on.
func (m *Meter) order(off bool) {
	m.s.Ordered = off
	if !m.jammed {
		m.s.Off = off
	}
}

// Transfer adds credit that was not bought here: the residual of the meter that
// was replaced. A negative amount takes it away, for the transfer to another.
func (m *Meter) Transfer(amount int64, now time.Time) {
	m.advance(now)
	m.s.Transferred += amount
	left := m.s.Left() + amount
	m.s.Residual, m.s.Overdraft = max(left, 0), max(-left, 0)
	if amount > 0 {
		m.release()
	}
	m.watch()
}

// advance lets the time pass: months and periods end, the spare prices come into
// force. Time does not run backwards: an earlier moment changes nothing.
func (m *Meter) advance(now time.Time) {
	if !now.After(m.now) {
		return
	}
	m.now = now
	if at := m.config.SwitchAt; !at.IsZero() && !now.Before(at) && m.tariff == &m.config.Current {
		m.tariff = &m.config.Spare
		if m.reset.IsZero() || m.reset.After(at) {
			m.reset = m.tariff.nextReset(at)
		}
	}
	if !m.reset.IsZero() && !now.Before(m.reset) {
		m.s.Period, m.reset = 0, m.tariff.nextReset(now)
	}
	for !now.Before(m.month) {
		copy(m.s.Months[1:], m.s.Months[:])
		m.s.Months[0], m.s.Month, m.month = m.s.Month, 0, nextMonth(m.month)
	}
}
