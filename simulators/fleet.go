package simulators

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"sync"
	"time"

	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// FleetConfig is what a city of meters is a function of: the same
// configuration makes the same city.
type FleetConfig struct {
	// Meters is how many there are, at least 1.
	Meters int
	// MetersPerGateway is how many share an address, 1 to 247; 0 means 50.
	MetersPerGateway int
	Seed             uint64
	// Step is how long values stay the same; 0 means one second.
	Step   time.Duration
	Faults Faults
	// Start is when the counters stood at their first values, usually the
	// start of the run. It must be set: the oracle depends on it.
	Start time.Time
	// NoValue is the share of (gauge, minute) pairs without a value.
	NoValue float64
	// Profiles, when given, replace the built-in mixture: the meters take
	// them in turn.
	Profiles []*profiles.Profile
	// Now is the clock of the gateways; nil means time.Now.
	Now func() time.Time
}

// Fleet is a city of simulated meters behind gateways.
type Fleet struct {
	Meters   []*Meter
	Gateways []*Gateway

	byID      map[schemas.MeterID]*Meter
	addresses []string
	serving   sync.WaitGroup
	mu        sync.Mutex
	failed    []error
}

// mixture is the built-in city, twenty meters at a time: ten of power, six of
// water, four of gas, which together have 257 quantities.
func mixture() []string {
	return []string{
		"eastron-sdm630", "eastron-sdm630", "eastron-sdm630", "chint-dtsu666", "chint-dtsu666",
		"schneider-iem3000", "schneider-iem3000", "abb-b23", "eastron-sdm120", "acrel-adw300",
		"xintai-prepaid-water", "xintai-prepaid-water", "xintai-prepaid-water", "xintai-prepaid-water",
		"tuf-2000m", "tuf-2000m", "fuxin-gas", "fuxin-gas", "cangnan-gas", "cangnan-gas",
	}
}

const (
	defaultMetersPerGateway = 50
	maxUnit                 = 247
	// resetWithin is when, after the start, the Reset fault has happened.
	resetFrom, resetWithin = time.Minute, 10 * time.Minute
)

// NewFleet builds the city of a configuration.
func NewFleet(c FleetConfig) (*Fleet, error) {
	if c.MetersPerGateway == 0 {
		c.MetersPerGateway = defaultMetersPerGateway
	}
	switch {
	case c.Meters < 1:
		return nil, fmt.Errorf("simulated fleet: %d meters; want at least 1", c.Meters)
	case c.MetersPerGateway < 1 || c.MetersPerGateway > maxUnit:
		return nil, fmt.Errorf("simulated fleet: %d meters per gateway; want 1 to %d", c.MetersPerGateway, maxUnit)
	case c.Start.IsZero():
		return nil, errors.New("simulated fleet: no start; without it no reading can be checked")
	case c.NoValue < 0 || c.NoValue > 1:
		return nil, fmt.Errorf("simulated fleet: share without value %v is not in 0 to 1", c.NoValue)
	}
	if err := c.Faults.Validate(); err != nil {
		return nil, fmt.Errorf("simulated fleet: %w", err)
	}
	models, err := c.models()
	if err != nil {
		return nil, fmt.Errorf("simulated fleet: %w", err)
	}
	f := &Fleet{byID: make(map[schemas.MeterID]*Meter, c.Meters)}
	dead := chosen(c.Seed, saltDead, c.Meters, c.Faults.Dead)
	reset := chosen(c.Seed, saltReset, c.Meters, c.Faults.Reset)
	for i := range c.Meters {
		mc := c.meter(i, models[i])
		mc.Dead = dead[i]
		if reset[i] {
			after := between(mix(mc.Seed, saltResetAt), float64(resetFrom), float64(resetWithin))
			mc.ResetAt = c.Start.Add(time.Duration(after))
		}
		m, err := NewMeter(mc)
		if err != nil {
			return nil, fmt.Errorf("simulated fleet: %w", err)
		}
		f.Meters = append(f.Meters, m)
		f.byID[m.ID] = m
	}
	if err := f.addGateways(c); err != nil {
		return nil, err
	}
	return f, nil
}

// models returns the profile of each meter: the mixture, shuffled anew by the
// seed within each group, so that any number of meters is near its shares.
func (c *FleetConfig) models() ([]*profiles.Profile, error) {
	group := c.Profiles
	if len(group) == 0 {
		set, err := profiles.Embedded()
		if err != nil {
			return nil, err
		}
		for _, id := range mixture() {
			p, err := set.Get(id)
			if err != nil {
				return nil, err
			}
			group = append(group, p)
		}
	}
	models := make([]*profiles.Profile, 0, c.Meters+len(group))
	for round := uint64(0); len(models) < c.Meters; round++ {
		seed := mix(mix(c.Seed, saltMixture), round)
		for _, i := range order(seed, len(group)) {
			models = append(models, group[i])
		}
	}
	return models[:c.Meters], nil
}

// order returns 0..n-1 in the order of their hashes.
func order(seed uint64, n int) []int {
	indices := make([]int, n)
	for i := range indices {
		indices[i] = i
	}
	slices.SortFunc(indices, func(a, b int) int {
		return cmp.Compare(mix(seed, uint64(a)), mix(seed, uint64(b)))
	})
	return indices
}

// chosen marks the share of n meters that chance hits: exactly that many.
func chosen(seed, salt uint64, n int, share float64) []bool {
	hit := make([]bool, n)
	for _, i := range order(mix(seed, salt), n)[:int(math.Round(share*float64(n)))] {
		hit[i] = true
	}
	return hit
}

// meter returns the configuration of meter i. Its id is that of an asset
// register; its unit id follows from its place behind the gateway, shuffled.
func (c *FleetConfig) meter(i int, p *profiles.Profile) MeterConfig {
	gateway := i / c.MetersPerGateway
	// 100 and 247 have no common factor, so the walk meets every unit once.
	offset := mix(mix(c.Seed, saltUnits), uint64(gateway)) % maxUnit
	unit := (offset+uint64(i%c.MetersPerGateway)*100)%maxUnit + 1
	letter := map[schemas.Medium]string{schemas.Power: "P", schemas.Water: "W", schemas.Gas: "G"}[p.Medium]
	return MeterConfig{
		ID:      schemas.MeterID(fmt.Sprintf("%s-%06d", letter, i+1)),
		Unit:    uint8(unit),
		Profile: p,
		Seed:    mix(mix(c.Seed, saltMeter), uint64(i)),
		Step:    c.Step,
		Start:   c.Start,
		NoValue: c.NoValue,
	}
}

func (f *Fleet) addGateways(c FleetConfig) error {
	for meters := range slices.Chunk(f.Meters, c.MetersPerGateway) {
		n := len(f.Gateways)
		g, err := NewGateway(GatewayConfig{
			Name:   fmt.Sprintf("gateway-%03d", n+1),
			Meters: meters,
			Seed:   mix(mix(c.Seed, saltGateway), uint64(n)),
			Faults: c.Faults,
			Now:    c.Now,
		})
		if err != nil {
			return fmt.Errorf("simulated fleet: %w", err)
		}
		f.Gateways = append(f.Gateways, g)
	}
	return nil
}

// Meter returns the meter of that id.
func (f *Fleet) Meter(id schemas.MeterID) (*Meter, bool) {
	m, ok := f.byID[id]
	return m, ok
}

// Values returns how many quantities all meters have together: the readings of
// one whole round.
func (f *Fleet) Values() int {
	n := 0
	for _, m := range f.Meters {
		n += len(m.fields)
	}
	return n
}

// Listen opens one port of host for each gateway, chosen by the system, and
// serves them until ctx is done. It returns when all are open; Wait returns
// when all are closed. A Fleet listens once.
func (f *Fleet) Listen(ctx context.Context, host string) error {
	if f.addresses != nil {
		return errors.New("simulated fleet: it listens already")
	}
	var listeners []net.Listener
	for _, g := range f.Gateways {
		var lc net.ListenConfig
		ln, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			for _, open := range listeners {
				_ = open.Close()
			}
			return fmt.Errorf("simulated fleet: %s: %w", g.Name, err)
		}
		listeners = append(listeners, ln)
	}
	for i, ln := range listeners {
		f.addresses = append(f.addresses, ln.Addr().String())
		f.serving.Go(func() {
			if err := f.Gateways[i].Serve(ctx, ln); err != nil {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.failed = append(f.failed, err)
			}
		})
	}
	return nil
}

// Wait returns when everything that Listen started has ended, with the errors
// of the gateways that ended before their time.
func (f *Fleet) Wait() error {
	f.serving.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.failed...)
}

// Addresses returns the address of each gateway, in their order; nil before
// Listen.
func (f *Fleet) Addresses() []string { return slices.Clone(f.addresses) }

// Line is a gateway as a collector's configuration needs it.
type Line struct {
	Name, Address string
	Meters        []LineMeter
}

// LineMeter is a meter of a Line.
type LineMeter struct {
	ID      schemas.MeterID
	Unit    uint8
	Profile string
}

// Lines returns all gateways with their addresses (empty before Listen) and
// meters.
func (f *Fleet) Lines() []Line {
	lines := make([]Line, len(f.Gateways))
	for i, g := range f.Gateways {
		lines[i].Name = g.Name
		if i < len(f.addresses) {
			lines[i].Address = f.addresses[i]
		}
		for _, m := range g.Meters {
			lines[i].Meters = append(lines[i].Meters, LineMeter{m.ID, m.Unit, m.Profile.ID})
		}
	}
	return lines
}
