package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"citygrid/schemas"
)

// Installation is schemas.Installation as the file has it: moments in RFC 3339,
// numbers as they are read off, by quantity.
type Installation struct {
	Serial     string                      `yaml:"serial,omitempty"`
	From       string                      `yaml:"from"`
	To         string                      `yaml:"to,omitempty"`
	First      map[schemas.Quantity]string `yaml:"first,omitempty"`
	Last       map[schemas.Quantity]string `yaml:"last,omitempty"`
	WrapsAt    map[schemas.Quantity]string `yaml:"wraps_at,omitempty"`
	Multiplier string                      `yaml:"multiplier,omitempty"`
}

// checkInstallations finds what is wrong with a meter's records, with its line.
func (c *Config) checkInstallations(m Meter, path func(...any) []any) error {
	for k, in := range m.Installations {
		if _, key, err := in.parse(m.ID); err != nil {
			return c.at(err, path(append([]any{"installations", k}, key...)...)...)
		}
	}
	if _, err := m.installations(); err != nil {
		return c.at(err, path("installations")...)
	}
	return nil
}

// installations returns the meter's records in order of time.
func (m Meter) installations() ([]schemas.Installation, error) {
	var list []schemas.Installation
	for _, in := range m.Installations {
		inst, _, err := in.parse(m.ID)
		if err != nil {
			return nil, err
		}
		list = append(list, inst)
	}
	return list, schemas.SortInstallations(list)
}

// Installations returns the records of every meter, by meter and time: what the
// hub needs to know for consumption.
func (c *Config) Installations() ([]schemas.Installation, error) {
	var all []schemas.Installation
	for _, l := range c.Lines {
		for _, m := range l.Meters {
			list, err := m.installations()
			if err != nil {
				return nil, fmt.Errorf("meter %s: %w", m.ID, err)
			}
			all = append(all, list...)
		}
	}
	return all, schemas.SortInstallations(all)
}

// parse turns a record into what the rest of the program uses; key says where
// an error stands.
func (in Installation) parse(meter schemas.MeterID) (out schemas.Installation, key []any, err error) {
	out = schemas.Installation{Meter: meter, Serial: in.Serial, Multiplier: schemas.Decimal{Mantissa: 1}}
	if in.From == "" {
		return out, nil, errors.New("from is missing: the moment of installation")
	}
	if out.From, err = parseMoment(in.From); err != nil {
		return out, []any{"from"}, err
	}
	if in.To != "" {
		if out.To, err = parseMoment(in.To); err != nil {
			return out, []any{"to"}, err
		}
	}
	if in.Multiplier != "" {
		if out.Multiplier, err = schemas.ParseDecimal(in.Multiplier); err != nil {
			return out, []any{"multiplier"}, err
		}
	}
	for _, m := range []struct {
		key  string
		from map[schemas.Quantity]string
		into *map[schemas.Quantity]schemas.Decimal
	}{{"first", in.First, &out.First}, {"last", in.Last, &out.Last}, {"wraps_at", in.WrapsAt, &out.WrapsAt}} {
		for _, q := range slices.Sorted(maps.Keys(m.from)) {
			d, err := schemas.ParseDecimal(m.from[q])
			if err != nil {
				return out, []any{m.key, string(q)}, err
			}
			if *m.into == nil {
				*m.into = make(map[schemas.Quantity]schemas.Decimal)
			}
			(*m.into)[q] = d
		}
	}
	return out, nil, out.Validate()
}

// parseMoment reads a moment with its time zone, to the millisecond.
func parseMoment(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no moment: write it with its time zone, as 2026-05-01T10:00:00+08:00", text)
	}
	return t.UTC().Truncate(time.Millisecond), nil
}
