package district

import (
	"fmt"
	"time"

	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// County is the code of the invented district, and CountyName its name. GB/T 2260
// has given the code to nobody.
const (
	County     codes.AreaCode = "320517"
	CountyName string         = "清渡区（虚构）"
)

// Options say what district to make. Zeros are the defaults.
type Options struct {
	Seed uint64
	// Cells is how many unit cells there are, 2,000 when 0, from 60 to 200,000.
	Cells int
	// Components is how many components there are, meters included, 50,000 when 0, up
	// to 9,000,000.
	Components int
	// Departments is how many there are, 20 when 0, from 7 to 20; Inspectors how many
	// walk, each in a duty grid of their own, 40 when 0.
	Departments, Inspectors int
	// Meters is how many components are meters, 300 when 0, none below 0. MeterIDs are
	// their names where they are known, such as those of a simulated fleet; Collector
	// reads the first thousand of them, "edge-01" when empty, and others the rest.
	Meters    int
	MeterIDs  []schemas.MeterID
	Collector schemas.CollectorID
	// Standard is codes.CJT214 or codes.GBT47678, the former when empty.
	Standard string
	// Zone is the city's, UTC+8 when nil. From is the first day of its year, 2026-01-01
	// when zero.
	Zone *time.Location
	From time.Time
}

// District is a district. It holds its plan and makes the rest when asked. Its
// methods may be called by several goroutines.
type District struct {
	o     Options
	lists *codes.Lists
	plan  plan
	mix   mixture
}

// New returns the district, or what is wrong with the options.
func New(o Options) (*District, error) {
	d := &District{o: o.withDefaults()}
	if err := d.o.check(); err != nil {
		return nil, fmt.Errorf("district: %w", err)
	}
	var err error
	if d.lists, err = codes.Embedded(); err != nil {
		return nil, fmt.Errorf("district: %w", err)
	}
	d.plan = newPlan(d.o.Seed, d.o.Cells)
	if d.mix, err = newMixture(d.o.Seed, d.o.Standard, d.lists); err != nil {
		return nil, fmt.Errorf("district: %w", err)
	}
	return d, nil
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		at    *int
		value int
	}{{&o.Cells, 2_000}, {&o.Components, 50_000}, {&o.Departments, 20}, {&o.Inspectors, 40}} {
		if *d.at == 0 {
			*d.at = d.value
		}
	}
	switch {
	case len(o.MeterIDs) > 0:
		o.Meters = len(o.MeterIDs)
	case o.Meters == 0:
		o.Meters = min(300, o.Components/10)
	}
	o.Meters = max(o.Meters, 0)
	if o.Collector == "" {
		o.Collector = "edge-01"
	}
	if o.Standard == "" {
		o.Standard = codes.CJT214
	}
	if o.Zone == nil {
		o.Zone = time.FixedZone("UTC+8", 8*60*60)
	}
	if o.From.IsZero() {
		o.From = time.Date(2026, 1, 1, 0, 0, 0, 0, o.Zone)
	}
	return o
}

func (o *Options) check() error {
	switch {
	case o.Cells < 60 || o.Cells > 200_000:
		return fmt.Errorf("%d cells, want 60 to 200000", o.Cells)
	case o.Components < 1000 || o.Components > 9_000_000:
		return fmt.Errorf("%d components, want 1000 to 9000000", o.Components)
	case o.Departments < 7 || o.Departments > len(trades()):
		return fmt.Errorf("%d departments, want 7 to %d", o.Departments, len(trades()))
	case o.Inspectors < 4 || o.Inspectors > 999 || o.Inspectors > o.Cells:
		return fmt.Errorf("%d inspectors, want 4 to 999, and no more than cells", o.Inspectors)
	case o.Meters > o.Components/2:
		return fmt.Errorf("%d meters among %d components, want no more than half", o.Meters, o.Components)
	case o.Standard != codes.CJT214 && o.Standard != codes.GBT47678:
		return fmt.Errorf("standard %q, want %q or %q", o.Standard, codes.CJT214, codes.GBT47678)
	}
	return o.Collector.Validate()
}

// Options returns the options with their defaults.
func (d *District) Options() Options { return d.o }
