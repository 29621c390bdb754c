package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/cardslot"
	"citygrid/adapters/cjt188"
	"citygrid/adapters/dlt645"
	"citygrid/adapters/line"
	"citygrid/adapters/modbus"
	"citygrid/collector"
	"citygrid/collector/verdict"
	"citygrid/schemas"
)

// BuildLines turns the file into lines ready to be read. It loads the profiles
// and plans every request, so it finds what is wrong in a register map; it
// opens no port and no socket.
func (c *Config) BuildLines() ([]collector.Line, error) {
	sets, err := c.loadProfiles()
	if err != nil {
		return nil, err
	}
	var lines []collector.Line
	for i := range c.Lines {
		built, err := c.buildLine(i, &c.Lines[i], sets, nil)
		if err != nil {
			return nil, err
		}
		lines = append(lines, built)
	}
	return lines, nil
}

// BuildMonitored returns the line of that name as BuildLines does, with a
// monitor on it (see line.Config.Monitor): for people who watch a line.
func (c *Config) BuildMonitored(name string, monitor func(line.Event)) (collector.Line, error) {
	i := slices.IndexFunc(c.Lines, func(l Line) bool { return l.Name == name })
	if i < 0 {
		return collector.Line{}, fmt.Errorf("no line %q in the configuration", name)
	}
	sets, err := c.loadProfiles()
	if err != nil {
		return collector.Line{}, err
	}
	return c.buildLine(i, &c.Lines[i], sets, monitor)
}

func (c *Config) buildLine(i int, l *Line, sets *profileSets, monitor func(line.Event)) (collector.Line, error) {
	w := newWire(l, monitor)
	out := collector.Line{Name: l.Name, Kind: l.kind(), Address: l.Address, Close: w.line.Close, CloseAfterCycle: l.CloseAfterCycle, ProbeShare: l.ProbeShare, Timeout: time.Duration(l.Timeout)}
	// In whole milliseconds, as the moments of readings are: no account can be given of
	// slots that begin between two.
	offset := (time.Duration(c.Spread) * time.Duration(i) / time.Duration(len(c.Lines))).Truncate(time.Millisecond)
	for j, m := range l.Meters {
		built, key, err := w.meter(m, sets)
		if err != nil {
			return collector.Line{}, c.at(err, append([]any{"lines", i, "meters", j}, key...)...)
		}
		interval := m.Interval
		orDefault(&interval, c.Interval)
		built.Interval = time.Duration(interval)
		built.Offset = offset % built.Interval // which a meter's own interval may be below
		out.Meters = append(out.Meters, built)
	}
	return out, nil
}

// wire is a line and the protocols spoken on it.
type wire struct {
	line   *line.Line
	modbus *modbus.Bus
	dlt645 *dlt645.Bus
	cjt188 *cjt188.Bus
}

func newWire(l *Line, monitor func(line.Event)) *wire {
	at := line.New(line.Config{
		Name: l.Name, Address: l.Address, Serial: l.settings(),
		Timeout: time.Duration(l.Timeout), QuietTime: time.Duration(l.QuietTime), Monitor: monitor,
	})
	return &wire{
		line:   at,
		modbus: modbus.New(at, modbus.Config{NoTransactionID: l.NoTransactionID}),
		dlt645: dlt645.New(at, dlt645.Config{}),
		cjt188: cjt188.New(at, cjt188.Config{IgnoreSequence: l.IgnoreSequence}),
	}
}

// meter makes the driver and the rules of a meter; key says where in the meter's
// part of the file an error stands.
func (w *wire) meter(m Meter, sets *profileSets) (out collector.Meter, key []any, err error) {
	protocol, err := sets.protocol(m)
	if err != nil {
		return out, []any{"profile"}, err
	}
	if err := m.suits(protocol); err != nil {
		return out, []any{m.key()}, err
	}
	source, gives, err := w.source(m, protocol, sets)
	if err != nil {
		return out, nil, err
	}
	rules, err := m.rules(gives)
	if err != nil {
		return out, []any{"limits"}, err
	}
	if rules.Installations, err = m.installations(); err != nil {
		return out, []any{"installations"}, err
	}
	if k, q, ok := unknownRegister(m, gives); ok {
		return out, []any{"installations", k}, fmt.Errorf("profile %s does not give %s", m.Profile, q)
	}
	if _, ok := source.(cardslot.Slot); m.Cards && !(ok && gives.purse()) {
		return out, []any{"cards"}, fmt.Errorf("profile %s has no card slot: it gives neither a credit nor a purchase", m.Profile)
	}
	return collector.Meter{ID: m.ID, Source: source, Rules: rules, CardsEvery: m.cardsEvery()}, nil, nil
}

// unknownRegister finds a record that speaks of a register which the meter does
// not give: most likely it is misspelt, and the right one would go unchecked.
func unknownRegister(m Meter, g gives) (k int, q schemas.Quantity, found bool) {
	for k, in := range m.Installations {
		for _, values := range []map[schemas.Quantity]string{in.First, in.Last, in.WrapsAt} {
			for q := range values {
				if _, ok := g[q]; !ok {
					return k, q, true
				}
			}
		}
	}
	return 0, "", false
}

// suits reports whether the meter has the kind of address that its profile's
// protocol needs.
func (m Meter) suits(p Protocol) error {
	switch {
	case p == Modbus && m.Address != "":
		return fmt.Errorf("profile %s is of Modbus: give the meter a unit, not an address", m.Profile)
	case p == DLT645 && len(m.Address) != 12:
		return fmt.Errorf("profile %s is of DL/T 645: give the meter its address, the 12 digits of its plate, or %s when it is alone on the line", m.Profile, wildcard)
	case p == CJT188 && len(m.Address) != 14:
		return fmt.Errorf("profile %s is of CJ/T 188: give the meter its address, the 14 digits A6 to A0", m.Profile)
	}
	return nil
}

// gives says which quantities a profile gives, and the width of those counters
// whose document names it.
type gives map[schemas.Quantity]*schemas.Decimal

// purse reports whether any of the quantities is of a prepaid purse.
func (g gives) purse() bool {
	for q := range g {
		if strings.Contains(string(q), ".credit.") || strings.Contains(string(q), ".purchase.") {
			return true
		}
	}
	return false
}

// source makes the driver of a meter.
func (w *wire) source(m Meter, protocol Protocol, sets *profileSets) (adapters.Source, gives, error) {
	g := make(gives)
	switch protocol {
	case DLT645:
		p, err := sets.dlt645.Get(m.Profile)
		if err != nil {
			return nil, nil, err
		}
		for _, f := range p.Fields {
			g[f.Quantity] = f.WrapsAt
		}
		source, err := w.dlt645.Source(m.ID, m.Address, p)
		return source, g, err
	case CJT188:
		p, err := sets.cjt188.Get(m.Profile)
		if err != nil {
			return nil, nil, err
		}
		for _, f := range p.Fields {
			g[f.Quantity] = f.WrapsAt
		}
		source, err := w.cjt188.Source(m.ID, m.Address, p)
		return source, g, err
	}
	p, err := sets.modbus.Get(m.Profile)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range p.Fields {
		g[f.Quantity] = f.WrapsAt
	}
	source, err := w.modbus.Source(m.ID, uint8(m.Unit), p)
	return source, g, err
}

// rules joins what the profile knows of the counters' widths with what the file
// says of this meter.
func (m Meter) rules(g gives) (verdict.Rules, error) {
	rules := verdict.Rules{
		StuckAfter: time.Duration(m.StuckAfter),
	}
	if m.Direction == forwardDirection {
		rules.Direction = verdict.Forward
	}
	for q, wrap := range g {
		if wrap != nil {
			put(&rules.WrapsAt, q, *wrap)
		}
	}
	for q, l := range m.Limits {
		if _, ok := g[q]; !ok {
			return verdict.Rules{}, fmt.Errorf("profile %s does not give %s", m.Profile, q)
		}
		parsed, err := l.parse(q)
		if err != nil {
			return verdict.Rules{}, err
		}
		put(&rules.Limits, q, parsed)
	}
	return rules, nil
}

// put puts v into a map that may not be there yet: most meters have none.
func put[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = make(map[K]V)
	}
	(*m)[k] = v
}
