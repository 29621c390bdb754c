package config

import (
	"fmt"
	"os"
	"time"

	"citygrid/adapters/modbus"
	"citygrid/adapters/modbus/profiles"
	"citygrid/collector"
	"citygrid/schemas"
)

// BuildLines turns the file into lines ready to be read. It loads the profiles
// and plans every request, so it finds what is wrong in a register map; it
// opens no socket.
func (c *Config) BuildLines() ([]collector.Line, error) {
	set, err := c.loadProfiles()
	if err != nil {
		return nil, err
	}
	var lines []collector.Line
	for i, l := range c.Lines {
		line, err := c.buildLine(i, l, set)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// loadProfiles returns the built-in profiles and those that the file names.
func (c *Config) loadProfiles() (*profiles.Set, error) {
	set, err := profiles.Embedded()
	if err != nil {
		return nil, err
	}
	for i, name := range c.Profiles {
		data, err := os.ReadFile(c.Path(name))
		if err != nil {
			return nil, c.at(err, "profiles", i)
		}
		p, err := profiles.Parse(name, data)
		if err != nil {
			return nil, c.at(err, "profiles", i)
		}
		if set, err = set.With(p); err != nil {
			return nil, c.at(err, "profiles", i)
		}
	}
	return set, nil
}

func (c *Config) buildLine(i int, l Line, set *profiles.Set) (collector.Line, error) {
	bus := modbus.NewLine(modbus.LineConfig{
		Name:            l.Name,
		Address:         l.Address,
		Timeout:         time.Duration(l.Timeout),
		QuietTime:       time.Duration(l.QuietTime),
		NoTransactionID: l.NoTransactionID,
		Retries:         1,
	})
	line := collector.Line{Name: l.Name, Close: bus.Close}
	offset := time.Duration(0)
	if n := len(c.Lines); n > 1 {
		offset = time.Duration(c.Spread) * time.Duration(i) / time.Duration(n)
	}
	for j, m := range l.Meters {
		p, err := set.Get(m.Profile)
		if err != nil {
			return collector.Line{}, c.at(err, "lines", i, "meters", j, "profile")
		}
		source, err := bus.Source(m.ID, uint8(m.Unit), p)
		if err != nil {
			return collector.Line{}, c.at(err, "lines", i, "meters", j)
		}
		rules, err := rulesOf(p, m.Limits)
		if err != nil {
			return collector.Line{}, c.at(err, "lines", i, "meters", j, "limits")
		}
		interval := m.Interval
		orDefault(&interval, c.Interval)
		line.Meters = append(line.Meters, collector.Meter{
			ID: m.ID, Source: source, Interval: time.Duration(interval), Offset: offset, Rules: rules,
		})
	}
	return line, nil
}

// rulesOf joins what the profile knows of the counters' widths with the
// limits that the file sets for this meter.
func rulesOf(p *profiles.Profile, limits map[schemas.Quantity]Limit) (collector.Rules, error) {
	rules := collector.Rules{
		Limits:  make(map[schemas.Quantity]collector.Limits),
		WrapsAt: make(map[schemas.Quantity]schemas.Decimal),
	}
	known := make(map[schemas.Quantity]bool)
	for _, f := range p.Fields {
		known[f.Quantity] = true
		if f.WrapsAt != nil {
			rules.WrapsAt[f.Quantity] = *f.WrapsAt
		}
	}
	for q, l := range limits {
		if !known[q] {
			return collector.Rules{}, fmt.Errorf("profile %s does not give %s", p.ID, q)
		}
		parsed, err := l.parse(q)
		if err != nil {
			return collector.Rules{}, err
		}
		rules.Limits[q] = parsed
	}
	return rules, nil
}

// parse checks a limit against the table of quantities.
func (l Limit) parse(q schemas.Quantity) (collector.Limits, error) {
	info, ok := q.Info()
	if !ok {
		return collector.Limits{}, fmt.Errorf("unknown quantity %q; the names are in schemas/quantities.md", q)
	}
	if l.Unit != "" && l.Unit != info.Unit {
		return collector.Limits{}, fmt.Errorf("unit %q is not the unit of %s, which is %q", l.Unit, q, info.Unit)
	}
	var out collector.Limits
	for _, b := range []struct {
		text string
		into **schemas.Decimal
	}{{l.Min, &out.Min}, {l.Max, &out.Max}} {
		if b.text == "" {
			continue
		}
		d, err := schemas.ParseDecimal(b.text)
		if err != nil {
			return collector.Limits{}, err
		}
		*b.into = &d
	}
	if out.Min != nil && out.Max != nil && out.Min.Cmp(*out.Max) > 0 {
		return collector.Limits{}, fmt.Errorf("min %s is above max %s", l.Min, l.Max)
	}
	return out, nil
}
