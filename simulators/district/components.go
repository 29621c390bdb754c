package district

import (
	"fmt"
	"iter"
	"time"

	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// Component is a managed component, as the census has it.
type Component struct {
	ID              schemas.ComponentID
	Class           codes.Ref
	ClassName, Name string
	// Position is in CGCS2000 and inside Cell; unknown for a few, of which Cell is
	// where they are all the same, and not in the census.
	Position schemas.Position
	Accuracy string // A, B or C
	Cell     codes.CellCode
	State    string // intact, damaged, missing or abandoned
	// Authority, Owner and Upkeep are departments; empty for what has no owner.
	Authority, Owner, Upkeep string
	Location, Source, Note   string
	// Recorded and Changed are days; Changed is zero for most.
	Recorded, Changed time.Time
	// Meter is its id where the component is a meter.
	Meter schemas.MeterID

	cell int
	kind *class
}

// Ownerless reports whether nobody is in charge of c.
func (c *Component) Ownerless() bool { return c.Authority == "" }

// Components returns all components. It keeps none.
func (d *District) Components() iter.Seq[Component] {
	return func(yield func(Component) bool) {
		for n := range d.o.Components {
			if !yield(d.Component(n)) {
				return
			}
		}
	}
}

// Component returns the component of an ordinal, from 0. The last ones are meters.
func (d *District) Component(n int) Component {
	dice := newDice(d.o.Seed, forComponents, uint64(n))
	c := Component{cell: dice.under(d.o.Cells)}
	var kind *class
	if first := d.o.Components - d.o.Meters; n >= first {
		kind = d.meter(&c, n-first)
	} else {
		var serial int
		kind, serial = d.mix.of(n)
		c.ID = componentID(kind, serial)
	}
	c.Class, c.ClassName, c.Name, c.Accuracy, c.kind = kind.ref, kind.name, kind.name, kind.accuracy, kind
	d.place(&c, &dice)
	d.history(&c, &dice)
	owned := kind.trade != nobody && !(kind.cover && dice.chance(20))
	if owned {
		c.Authority = d.department(kind.trade)
		c.Owner, c.Upkeep = c.Authority, c.Authority
	}
	return c
}

func componentID(kind *class, serial int) schemas.ComponentID {
	if kind.ours != "" {
		return schemas.ComponentID(fmt.Sprintf("X-%s-%06d", kind.ours, serial))
	}
	return schemas.ComponentID(fmt.Sprintf("%s%s%06d", County, kind.ref.Code, serial))
}

// place puts c beside a street of its cell.
func (d *District) place(c *Component, dice *dice) {
	b := d.plan.block(c.cell)
	at, line, down := d.plan.kerb(&b, dice)
	c.Cell = b.code()
	c.Location = fmt.Sprintf("%s%d号旁", d.roadName(line, down), dice.span(1, 180))
	if dice.chance(994) || c.Meter != "" {
		c.Position = schemas.Position{Lon: at[0], Lat: at[1], CRS: schemas.CGCS2000}
	}
}

// history fills in what surveyors noted.
func (d *District) history(c *Component, dice *dice) {
	c.State, c.Source = "intact", "实测"
	switch n := dice.span(0, 999); {
	case n < 25:
		c.State = "damaged"
	case n < 30:
		c.State = "missing"
	case n < 40:
		c.State = "abandoned"
	}
	if dice.chance(150) {
		c.Source = "地形图"
	}
	days := dice.under(6 * 365)
	c.Recorded = d.o.From.AddDate(-7, 0, days)
	if dice.chance(120) {
		c.Changed = c.Recorded.AddDate(0, 0, 1+dice.under(300))
	}
}

// meter makes c the meter n.
func (d *District) meter(c *Component, n int) *class {
	letters := [10]string{"W", "P", "G", "W", "P", "G", "W", "P", "W", "P"}
	c.Meter = schemas.MeterID(fmt.Sprintf("%s-%06d", letters[n%10], n+1))
	letter := letters[n%10]
	if len(d.o.MeterIDs) > 0 {
		c.Meter = d.o.MeterIDs[n]
		if _, known := d.mix.meters[string(c.Meter[:1])]; known {
			letter = string(c.Meter[:1])
		}
	}
	kind := d.mix.meters[letter]
	c.ID = schemas.ComponentID(fmt.Sprintf("X-%s-%06d", kind.ours, n+1))
	return &kind
}

// MeterLink says of which component a meter is.
type MeterLink struct {
	Meter     schemas.MeterID
	Component schemas.ComponentID
	Collector schemas.CollectorID
	Line      string
	From      time.Time
}

// MeterLinks returns the links of all meters.
func (d *District) MeterLinks() iter.Seq[MeterLink] {
	return func(yield func(MeterLink) bool) {
		for n := range d.o.Meters {
			c := d.Component(d.o.Components - d.o.Meters + n)
			collector := d.o.Collector
			if n >= 1000 {
				collector = schemas.CollectorID(fmt.Sprintf("edge-%02d", n/1000+1))
			}
			if !yield(MeterLink{Meter: c.Meter, Component: c.ID, Collector: collector, Line: fmt.Sprintf("line-%d", n/50+1), From: c.Recorded}) {
				return
			}
		}
	}
}
