package city

import (
	"context"
	"slices"
	"time"

	hubconfig "citygrid/hub/config"
	"citygrid/hub/store"
	"citygrid/schemas"
	"citygrid/simulators"
)

const (
	// pastPoints bounds the readings of the past: a large city has fewer for each meter.
	pastPoints = 450_000
	pastBatch  = 5_000
	// In the last fineHours there is a reading every fineStep.
	fineHours, fineStep = 3, 5 * time.Minute
)

// makeReadings writes what a collector would have read of every meter each hour, and
// every few minutes in the last hours, until the city was started. The registers stand
// then as they grow on now, since it is the same meters that are asked.
func (c *City) makeReadings(ctx context.Context) (err error) {
	series, err := store.Open(store.Config{URL: c.influx.URL(), Bucket: hubconfig.DefaultBucket, Timeout: time.Minute})
	if err != nil {
		return err
	}
	defer series.Close()
	moments, all := c.pastMoments()
	units := unitsOf(all)
	batch := make([]schemas.Reading, 0, pastBatch+64)
	for _, at := range moments {
		for _, m := range c.fleet.Meters {
			batch = pastReadings(batch, m, at, units)
			if len(batch) < pastBatch {
				continue
			}
			if err := c.writePast(ctx, series, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return c.writePast(ctx, series, batch)
}

// until is when the readings of the past end: well before the collector begins.
func (p *past) until() time.Time { return p.now.Add(-time.Minute) }

func (c *City) writePast(ctx context.Context, series *store.Store, batch []schemas.Reading) error {
	if len(batch) == 0 {
		return nil
	}
	c.past.written += uint64(len(batch))
	return series.Write(ctx, batch)
}

// pastMoments returns when the meters were read, and whether all quantities were or
// registers only: a large city has fewer of both.
func (c *City) pastMoments() (list []time.Time, all bool) {
	every, all := c.pastStep()
	end := c.past.until()
	fine := end.Add(-fineHours * time.Hour)
	for at := c.o.Fleet.Start.Add(every); at.Before(end); {
		list = append(list, at)
		if all && !at.Before(fine) {
			at = at.Add(fineStep)
		} else {
			at = at.Add(every)
		}
	}
	return list, all
}

func (c *City) pastStep() (every time.Duration, all bool) {
	hours := 24 * c.past.o.Days
	if c.fleet.Values()*hours <= pastPoints {
		return time.Hour, true
	}
	for _, n := range []int{1, 2, 3, 4, 6, 8, 12} {
		if len(c.fleet.Meters)*hours/n <= pastPoints {
			return time.Duration(n) * time.Hour, false
		}
	}
	return 24 * time.Hour, false
}

// pastReadings appends what a meter showed at a moment; nothing of one that is dead or
// did not answer.
func pastReadings(list []schemas.Reading, m *simulators.Meter, at time.Time, units map[schemas.Quantity]schemas.Unit) []schemas.Reading {
	if m.Dead || m.Silent(at) {
		return list
	}
	for _, q := range m.Quantities() {
		unit, wanted := units[q]
		if !wanted {
			continue
		}
		value, missing, ok := m.Expected(q, at)
		if !ok {
			continue
		}
		r := schemas.Reading{Meter: m.ID, Quantity: q, Unit: unit, Value: value, TakenAt: at}
		if missing != "" {
			r.Value, r.Quality, r.Reason = schemas.Decimal{}, schemas.Missing, missing
		}
		list = append(list, r)
	}
	return list
}

// unitsOf returns the quantities that are read with their units: all, or registers.
func unitsOf(all bool) map[schemas.Quantity]schemas.Unit {
	units := map[schemas.Quantity]schemas.Unit{}
	for _, info := range schemas.Quantities() {
		if all || slices.Contains(mainRegisters(), info.Quantity) {
			units[info.Quantity] = info.Unit
		}
	}
	return units
}

// mainRegisters are what consumption is counted from.
func mainRegisters() []schemas.Quantity {
	return []schemas.Quantity{"water.volume.forward", "power.energy.import", "gas.volume.standard", "gas.volume.total"}
}
