package yearbooks

import (
	"context"
	"fmt"
	"slices"
	"time"

	"citygrid/schemas"
	"citygrid/simulators/year"
)

// registers stand for the series store: what the collectors read of the meters
// that are paid by the time of use.
type registers map[schemas.MeterID][]round

// round is one reading of all registers of a meter, in watt-hours; rates[0] is
// that of rate 1.
type round struct {
	at    time.Time
	total int64
	rates []int64
}

// note keeps what stood in the registers when e was taken.
func (r registers) note(e *year.Entry) {
	if e.UsedByRate != nil {
		r[e.Meter] = append(r[e.Meter], round{e.Moment(), e.Used.Value, e.UsedByRate})
	}
}

// Registers implements books.Registers.
func (r registers) Registers(_ context.Context, meters []schemas.MeterID, quantities []schemas.Quantity, from, to time.Time, fn func(schemas.Reading) error) error {
	for _, m := range meters {
		for _, round := range r[m] {
			if round.at.Before(from) || round.at.After(to) {
				continue
			}
			if err := round.tell(m, quantities, fn); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *round) tell(m schemas.MeterID, quantities []schemas.Quantity, fn func(schemas.Reading) error) error {
	give := func(q schemas.Quantity, wh int64) error {
		if !slices.Contains(quantities, q) {
			return nil
		}
		return fn(schemas.Reading{Meter: m, Quantity: q, Unit: "kW.h", Value: schemas.Decimal{Mantissa: wh, Exponent: -3}, TakenAt: r.at})
	}
	if err := give("power.energy.import", r.total); err != nil {
		return err
	}
	for i, wh := range r.rates {
		if err := give(schemas.Quantity(fmt.Sprintf("power.energy.import.t%d", i+1)), wh); err != nil {
			return err
		}
	}
	return nil
}
