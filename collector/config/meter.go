package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"citygrid/collector/verdict"
	"citygrid/schemas"
)

// Meter is one meter on a line. It has a unit (Modbus) or an address (DL/T 645
// and CJ/T 188), never both.
type Meter struct {
	ID schemas.MeterID `yaml:"id"`
	// Unit is the Modbus unit id, 0 to 255.
	Unit int `yaml:"unit"`
	// Address is the number that the meter answers to: for DL/T 645 the 12
	// digits of its plate, or AAAAAAAAAAAA for the only meter of a line; for
	// CJ/T 188 the 14 digits A6 to A0.
	Address string `yaml:"address,omitempty"`
	Profile string `yaml:"profile"`
	// Interval overrides the default for this meter.
	Interval Duration `yaml:"interval,omitempty"`
	// Limits narrow the plausible range by quantity, in the quantity's unit.
	Limits map[schemas.Quantity]Limit `yaml:"limits,omitempty"`
	// Direction is forward where nothing may flow back, else any (the default).
	Direction string `yaml:"direction,omitempty"`
	// StuckAfter is how long a counter may stand still while the meter shows
	// flow or power; 0 is not checked.
	StuckAfter Duration `yaml:"stuck_after,omitempty"`
	// Cards has the meter's card slot asked, every CardsEvery (15m by default).
	Cards      bool     `yaml:"cards,omitempty"`
	CardsEvery Duration `yaml:"cards_every,omitempty"`
	// EventClass names an entry of events.rules.classes.
	EventClass string `yaml:"event_class,omitempty"`
	// Installations say which physical meter stood here from when to when.
	Installations []Installation `yaml:"installations,omitempty"`
}

// MarshalYAML leaves out the unit of a meter that has an address.
func (m Meter) MarshalYAML() (any, error) {
	type plain Meter
	var n yaml.Node
	if err := n.Encode(plain(m)); err != nil || m.Address == "" {
		return &n, err
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "unit" {
			n.Content = slices.Delete(n.Content, i, i+2)
			break
		}
	}
	return &n, nil
}

// Limit is a range of plausible values; an empty bound is not checked.
type Limit struct {
	Min string `yaml:"min,omitempty"`
	Max string `yaml:"max,omitempty"`
	// MaxPerHour is the most that a counter can rise in an hour.
	MaxPerHour string `yaml:"max_per_hour,omitempty"`
	// Unit, when given, must be the quantity's unit; it guards against a bound
	// thought of in another one.
	Unit schemas.Unit `yaml:"unit,omitempty"`
}

// The directions of a meter.
const (
	anyDirection     = "any"
	forwardDirection = "forward"
)

// checkMeters checks the meters of a line; seen has those of the lines before,
// with the line's name.
func (c *Config) checkMeters(i int, l *Line, seen map[schemas.MeterID]string) error {
	type place struct{ answersTo, profile string }
	places := make(map[place]schemas.MeterID)
	for j, m := range l.Meters {
		if err := c.checkMeter(i, j, l, m); err != nil {
			return err
		}
		if name, ok := seen[m.ID]; ok {
			return c.at(fmt.Errorf("meter %s stands on line %s already", m.ID, name), "lines", i, "meters", j, "id")
		}
		seen[m.ID] = l.Name
		// Two meters that are the same registers: the readings of one would be
		// stored under the name of the other. One unit may be several meters by
		// different profiles.
		p := place{m.answersTo(), m.Profile}
		if other, ok := places[p]; ok {
			return c.at(fmt.Errorf("%s with profile %s is meter %s already", p.answersTo, m.Profile, other), "lines", i, "meters", j, m.key())
		}
		places[p] = m.ID
		if m.Address == wildcard && len(l.Meters) > 1 {
			return c.at(fmt.Errorf("%s is for the only meter of a line; every meter would answer to it", wildcard), "lines", i, "meters", j, "address")
		}
	}
	return nil
}

// key names the field that says what the meter answers to.
func (m Meter) key() string {
	if m.Address != "" {
		return "address"
	}
	return "unit"
}

func (m Meter) answersTo() string {
	if m.Address != "" {
		return "address " + m.Address
	}
	return fmt.Sprintf("unit %d", m.Unit)
}

func (c *Config) checkMeter(i, j int, l *Line, m Meter) error {
	path := func(rest ...any) []any { return append([]any{"lines", i, "meters", j}, rest...) }
	if err := m.ID.Validate(); err != nil {
		return c.at(err, path("id")...)
	}
	if err := c.checkAddress(l, m, path); err != nil {
		return err
	}
	interval := m.Interval
	orDefault(&interval, c.Interval)
	if m.Interval != 0 {
		if err := m.Interval.checkInterval(); err != nil {
			return c.at(err, path("interval")...)
		}
	}
	switch {
	case m.Direction != "" && m.Direction != anyDirection && m.Direction != forwardDirection:
		return c.at(fmt.Errorf("%q, want forward or any", m.Direction), path("direction")...)
	case m.StuckAfter != 0 && m.StuckAfter/3 < interval:
		return c.at(fmt.Errorf("%s, want at least three intervals of %s: fewer reads prove nothing", m.StuckAfter, interval), path("stuck_after")...)
	}
	if err := m.checkCards(); err != nil {
		return c.at(err, path("cards_every")...)
	}
	for _, q := range slices.Sorted(maps.Keys(m.Limits)) {
		if _, err := m.Limits[q].parse(q); err != nil {
			return c.at(err, path("limits", string(q))...)
		}
	}
	return c.checkInstallations(m, path)
}

// The bounds of cards_every: a purchase takes half a minute at the meter, and a
// meter keeps its last ten.
const (
	minCardsEvery = Duration(10 * time.Second)
	maxCardsEvery = Duration(24 * time.Hour)
)

// checkCards checks how often the card slot is asked.
func (m Meter) checkCards() error {
	switch {
	case m.CardsEvery == 0:
		return nil
	case !m.Cards:
		return errors.New("is given without cards: true")
	case m.CardsEvery < minCardsEvery || m.CardsEvery > maxCardsEvery:
		return fmt.Errorf("%s, want %s to %s", m.CardsEvery, minCardsEvery, maxCardsEvery)
	}
	return nil
}

// cardsEvery is how often the card slot is asked; 0: not at all.
func (m Meter) cardsEvery() time.Duration {
	if !m.Cards {
		return 0
	}
	every := m.CardsEvery
	orDefault(&every, defaultCardsEvery)
	return time.Duration(every)
}

// wildcard is the address that every DL/T 645 meter answers to [DL/T 645-2007
// 5.2.4].
const wildcard = "AAAAAAAAAAAA"

// checkAddress checks a unit or an address as far as that can be done without
// the profile.
func (c *Config) checkAddress(l *Line, m Meter, path func(...any) []any) error {
	hasUnit := c.has(path("unit")...)
	switch {
	case m.Address != "" && hasUnit:
		return c.at(errors.New("give a unit (Modbus) or an address (DL/T 645, CJ/T 188), not both"), path()...)
	case m.Address == "" && !hasUnit:
		return c.at(errors.New("give its unit (Modbus) or its address (DL/T 645, CJ/T 188)"), path()...)
	case m.Address == "" && (m.Unit < 0 || m.Unit > 255):
		return c.at(fmt.Errorf("%d is no Modbus unit id: want 0 to 255", m.Unit), path("unit")...)
	case m.Address == "":
		return nil
	case m.Address != wildcard && (strings.Trim(m.Address, "0123456789") != "" || len(m.Address) != 12 && len(m.Address) != 14):
		return c.at(fmt.Errorf("%q: want the 12 digits of a DL/T 645 meter or the 14 of a CJ/T 188 meter, in quotes", m.Address), path("address")...)
	case l.Serial == nil:
		return c.at(fmt.Errorf("a meter with an address stands on a serial wire; say how the wire of line %s is driven (serial): %s", l.Name, usual), path("address")...)
	}
	return nil
}

// parse checks a limit against the table of quantities.
func (l Limit) parse(q schemas.Quantity) (verdict.Limits, error) {
	info, ok := q.Info()
	if !ok {
		return verdict.Limits{}, fmt.Errorf("unknown quantity %q; the names are in schemas/quantities.md", q)
	}
	if l.Unit != "" && l.Unit != info.Unit {
		return verdict.Limits{}, fmt.Errorf("unit %q is not the unit of %s, which is %q", l.Unit, q, info.Unit)
	}
	var out verdict.Limits
	for _, b := range []struct {
		text string
		into **schemas.Decimal
	}{{l.Min, &out.Min}, {l.Max, &out.Max}, {l.MaxPerHour, &out.MaxPerHour}} {
		if b.text == "" {
			continue
		}
		d, err := schemas.ParseDecimal(b.text)
		if err != nil {
			return verdict.Limits{}, err
		}
		*b.into = &d
	}
	switch {
	case out.Min != nil && out.Max != nil && out.Min.Cmp(*out.Max) > 0:
		return verdict.Limits{}, fmt.Errorf("min %s is above max %s", l.Min, l.Max)
	case out.MaxPerHour != nil && info.Kind != schemas.Counter:
		return verdict.Limits{}, fmt.Errorf("max_per_hour is for counters; %s goes up and down", q)
	case out.MaxPerHour != nil && out.MaxPerHour.Mantissa <= 0:
		return verdict.Limits{}, fmt.Errorf("max_per_hour %s, want more than zero", l.MaxPerHour)
	}
	return out, nil
}
