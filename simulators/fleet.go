package simulators

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// FleetConfig is what a city of meters is a function of: the same
// configuration makes the same city.
type FleetConfig struct {
	// Meters is how many there are, at least 1. Those that SerialLines and
	// StreamLines do not take stand behind Modbus TCP gateways.
	Meters int
	// MetersPerGateway is how many share an address, 1 to 247; 0 means 50.
	MetersPerGateway int
	// SerialLines is how many serial lines there are, on pseudo-terminals;
	// StreamLines how many behind transparent serial servers. MetersPerLine is
	// how many meters each of them has; 0 means 8.
	SerialLines, StreamLines, MetersPerLine int
	// Protocols are spoken on each of those lines, by its meters in turn; none
	// means all.
	Protocols []Protocol
	// Baud is the speed of those lines; 0 means 9600 and 2400 in turn, NoPacing
	// bytes that take no time. A slave takes Turnaround to answer, and up to as
	// much again by chance; 0 means 10 ms.
	Baud       int
	Turnaround time.Duration
	Seed       uint64
	// Step is how long values stay the same; 0 means one second.
	Step   time.Duration
	Faults Faults
	// Sound: the meters have no troubles but those of Events and mishaps (see
	// MeterConfig.Sound). Without it a city has some of everything, always.
	Sound bool
	// Events happen to meters beside what Faults leave to chance.
	Events []Event
	// Start is when the counters stood at their first values, usually the
	// start of the run. It must be set: the oracle depends on it.
	Start time.Time
	// NoValue is the share of (gauge, minute) pairs without a value.
	NoValue float64
	// Profiles, when given, replace the built-in mixture of Modbus meters: they
	// take them in turn.
	Profiles []*profiles.Profile
	// Now is the clock of the meters; nil means time.Now.
	Now func() time.Time
}

// Fleet is a city of simulated meters behind gateways and on serial lines.
type Fleet struct {
	Meters   []*Meter
	Gateways []*Gateway
	Wires    []*Wire

	byID      map[schemas.MeterID]*Meter
	addresses []string
	mishaps   float64 // the share of the requests on wires that meet a fault
	serving   sync.WaitGroup
	mu        sync.Mutex
	failed    []error
}

// mixture is the built-in city, forty meters at a time: twenty of power, twelve
// of water, eight of gas, every model among them.
func mixture() []string {
	return []string{
		"eastron-sdm630", "eastron-sdm630", "eastron-sdm630", "eastron-sdm630", "chint-dtsu666", "chint-dtsu666",
		"chint-dtsu666", "schneider-iem3000", "schneider-iem3000", "abb-b23", "acrel-adw300", "bg-ws100",
		"chint-dtsu666-h", "dzg-dvh4013", "eastron-sdm120", "eastron-sdm72", "janitza-b23", "orno-we514", "orno-we516",
		"siemens-pac2200",
		"xintai-prepaid-water", "xintai-prepaid-water", "xintai-prepaid-water", "xintai-prepaid-water",
		"xintai-prepaid-water", "xintai-prepaid-water", "xintai-prepaid-water", "tuf-2000m", "tuf-2000m", "tuf-2000m",
		"changli-em", "changli-em",
		"fuxin-gas", "fuxin-gas", "fuxin-gas", "cangnan-gas", "cangnan-gas", "cangnan-gas", "inventia-mt101", "inventia-mt101",
	}
}

const (
	defaultMetersPerGateway = 50
	maxUnit                 = 247
	// resetWithin is when, after the start, the faults of a meter's life (Reset,
	// Swap, ClockJump) have happened.
	resetFrom, resetWithin = time.Minute, 10 * time.Minute
)

// Salts of the fleet's own draws.
const (
	saltSwapped uint64 = 1<<32 + iota
	saltSwappedAt
	saltJumped
	saltJumpedAt
	saltJumpedBy
	saltWire
	saltWireUnits
	saltWireModels
	saltPlate
	saltPreamble
)

// NewFleet builds the city of a configuration.
func NewFleet(c FleetConfig) (*Fleet, error) {
	if c.MetersPerGateway == 0 {
		c.MetersPerGateway = defaultMetersPerGateway
	}
	if c.MetersPerLine == 0 {
		c.MetersPerLine = defaultMetersPerLine
	}
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("simulated fleet: %w", err)
	}
	meters, err := c.meters()
	if err != nil {
		return nil, fmt.Errorf("simulated fleet: %w", err)
	}
	if err := c.fate(meters); err != nil {
		return nil, fmt.Errorf("simulated fleet: %w", err)
	}
	if err := c.happen(meters); err != nil {
		return nil, fmt.Errorf("simulated fleet: %w", err)
	}
	f := &Fleet{byID: make(map[schemas.MeterID]*Meter, c.Meters)}
	for _, mc := range meters {
		m, err := NewMeter(mc)
		if err != nil {
			return nil, fmt.Errorf("simulated fleet: %w", err)
		}
		f.Meters = append(f.Meters, m)
		f.byID[m.ID] = m
	}
	behind := f.Meters[:c.behindGateways()]
	if err := f.addGateways(c, behind); err != nil {
		return nil, fmt.Errorf("simulated fleet: %w", err)
	}
	if err := f.addWires(c, f.Meters[len(behind):]); err != nil {
		return nil, fmt.Errorf("simulated fleet: %w", err)
	}
	return f, nil
}

// behindGateways is how many meters the serial lines leave.
func (c *FleetConfig) behindGateways() int {
	return c.Meters - (c.SerialLines+c.StreamLines)*c.MetersPerLine
}

func (c *FleetConfig) validate() error {
	switch {
	case c.Meters < 1:
		return fmt.Errorf("%d meters; want at least 1", c.Meters)
	case c.MetersPerGateway < 1 || c.MetersPerGateway > maxUnit:
		return fmt.Errorf("%d meters per gateway; want 1 to %d", c.MetersPerGateway, maxUnit)
	case c.Start.IsZero():
		return errors.New("no start; without it no reading can be checked")
	case c.NoValue < 0 || c.NoValue > 1:
		return fmt.Errorf("share without value %v is not in 0 to 1", c.NoValue)
	}
	if err := c.validateWires(); err != nil {
		return err
	}
	if err := c.Faults.Validate(); err != nil {
		return err
	}
	var places place
	what := "this fleet, which has no serial line"
	if c.behindGateways() > 0 {
		places |= onGateway
	}
	if c.SerialLines+c.StreamLines > 0 {
		places |= onWire
		what = "this fleet, which has no Modbus TCP gateway"
	}
	return c.Faults.refuse(places, what)
}

// meters returns the configurations of all meters as they are without faults:
// those behind gateways first.
func (c *FleetConfig) meters() ([]MeterConfig, error) {
	models, err := c.models(c.behindGateways())
	if err != nil {
		return nil, err
	}
	var all []MeterConfig
	for i, p := range models {
		m := c.meter(i, p.Medium)
		m.Profile, m.Unit = p, c.unit(saltUnits, i/c.MetersPerGateway, i%c.MetersPerGateway)
		all = append(all, m)
	}
	wired, err := c.wired(len(all))
	return append(all, wired...), err
}

// fate gives the meters the faults that chance has for them.
func (c *FleetConfig) fate(meters []MeterConfig) error {
	dead := chosen(c.Seed, saltDead, len(meters), c.Faults.Dead)
	reset := chosen(c.Seed, saltReset, len(meters), c.Faults.Reset)
	swapped := chosen(c.Seed, saltSwapped, len(meters), c.Faults.Swap)
	var clocked []*MeterConfig
	for i := range meters {
		m := &meters[i]
		m.Dead, m.Glitch = dead[i], c.Faults.Glitch
		if reset[i] {
			m.ResetAt = c.moment(m.Seed, saltResetAt)
		}
		if swapped[i] {
			m.SwapAt = c.moment(m.Seed, saltSwappedAt)
		}
		if hasClock(m) {
			clocked = append(clocked, m)
		}
	}
	if c.Faults.ClockJump > 0 && len(clocked) == 0 {
		return errors.New("faults: clock-jump: no meter of this fleet has a clock; DL/T 645 and CJ/T 188 meters have")
	}
	for i, jumps := range chosen(c.Seed, saltJumped, len(clocked), c.Faults.ClockJump) {
		if m := clocked[i]; jumps {
			m.ClockJumpAt = c.moment(m.Seed, saltJumpedAt)
			hours := between(mix(m.Seed, saltJumpedBy), -maxJumpHours, maxJumpHours)
			m.ClockJumpBy = time.Duration(hours * float64(time.Hour)).Truncate(time.Second)
		}
	}
	return nil
}

// maxJumpHours bounds how far a clock jumps, either way.
const maxJumpHours = 12

// moment returns when a fault of a meter's life happens.
func (c *FleetConfig) moment(seed, salt uint64) time.Time {
	return c.Start.Add(time.Duration(between(mix(seed, salt), float64(resetFrom), float64(resetWithin))))
}

// models returns the profiles of n Modbus meters: the mixture, shuffled anew by the
// seed within each group, so that any number of meters is near its shares.
func (c *FleetConfig) models(n int) ([]*profiles.Profile, error) {
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
	return inTurn(mix(c.Seed, saltMixture), group, n), nil
}

// inTurn returns n of a group, all of it in an order of chance, then all of it
// again in another.
func inTurn[T any](seed uint64, group []T, n int) []T {
	out := make([]T, 0, n+len(group))
	for round := uint64(0); len(out) < n; round++ {
		for _, i := range order(mix(seed, round), len(group)) {
			out = append(out, group[i])
		}
	}
	return out[:n]
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

// meter returns what the configurations of all kinds of meter have in common.
// The id is that of an asset register.
func (c *FleetConfig) meter(i int, medium schemas.Medium) MeterConfig {
	letter := map[schemas.Medium]string{schemas.Power: "P", schemas.Water: "W", schemas.Gas: "G"}[medium]
	return MeterConfig{
		ID:      schemas.MeterID(fmt.Sprintf("%s-%06d", letter, i+1)),
		Seed:    mix(mix(c.Seed, saltMeter), uint64(i)),
		Step:    c.Step,
		Start:   c.Start,
		NoValue: c.NoValue,
		Sound:   c.Sound,
	}
}

// unit returns the Modbus unit id of meter k of a line: its place, shuffled.
func (c *FleetConfig) unit(salt uint64, line, k int) uint8 {
	// 100 and 247 have no common factor, so the walk meets every unit once.
	offset := mix(mix(c.Seed, salt), uint64(line)) % maxUnit
	return uint8((offset+uint64(k)*100)%maxUnit + 1)
}

func (f *Fleet) addGateways(c FleetConfig, behind []*Meter) error {
	for meters := range slices.Chunk(behind, c.MetersPerGateway) {
		n := len(f.Gateways)
		g, err := NewGateway(GatewayConfig{
			Name:   fmt.Sprintf("gateway-%03d", n+1),
			Meters: meters,
			Seed:   mix(mix(c.Seed, saltGateway), uint64(n)),
			Faults: c.Faults.at(onGateway),
			Now:    c.Now,
		})
		if err != nil {
			return err
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

// Listen opens a port of host for each gateway and each serial server, chosen
// by the system, and a pseudo-terminal for each serial line, and serves them
// until ctx is done. It returns when all are open; Wait returns when all are
// closed. A Fleet listens once.
func (f *Fleet) Listen(ctx context.Context, host string) error {
	if f.addresses != nil {
		return errors.New("simulated fleet: it listens already")
	}
	var open []door
	for _, line := range f.doorways() {
		d, err := line.open(ctx, host)
		if err != nil {
			for _, d := range open {
				_ = d.close()
			}
			return fmt.Errorf("simulated fleet: %s: %w", line.name, err)
		}
		open = append(open, d)
	}
	for _, d := range open {
		f.addresses = append(f.addresses, d.address)
		f.serving.Go(func() {
			if err := d.serve(ctx); err != nil {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.failed = append(f.failed, err)
			}
		})
	}
	return nil
}

// Wait returns when everything that Listen started has ended, with the errors
// of the lines that ended before their time.
func (f *Fleet) Wait() error {
	f.serving.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.failed...)
}

// Addresses returns the address of each line, host:port or the path of a
// device, in the order of Lines; nil before Listen.
func (f *Fleet) Addresses() []string { return slices.Clone(f.addresses) }
