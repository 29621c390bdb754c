package api

import (
	"testing"
	"time"

	"citygrid/schemas"
)

// TestConsumptionOfARegisterThatWentRound: a register that stands far below the value
// with which it was fitted has a consumption as any other, as a whole and by hours.
func TestConsumptionOfARegisterThatWentRound(t *testing.T) {
	const q = "water.volume.forward"
	start := epoch.Add(-2 * time.Hour)
	list := []schemas.Reading{reading("W-1", q, 50_00, start.Add(-10*time.Minute)), reading("W-1", q, 53_00, start.Add(30*time.Minute)),
		reading("W-1", q, 60_01, start.Add(90*time.Minute))}
	h := newHandler(t, func(o *Options) {
		o.Series = &fakeSeries{readings: list}
		o.Installations = func(schemas.MeterID) []schemas.Installation {
			return []schemas.Installation{{Meter: "W-1", From: epoch.AddDate(-6, 0, 0), Multiplier: schemas.Decimal{Mantissa: 1},
				First:   map[schemas.Quantity]schemas.Decimal{q: {Mantissa: 4_000}},
				WrapsAt: map[schemas.Quantity]schemas.Decimal{q: {Mantissa: 10_000}}}}
		}
	})
	span := "?quantity=" + q + "&from=" + start.Format(time.RFC3339) + "&to=" + epoch.Format(time.RFC3339)
	whole := mustDecode[ConsumptionJSON](t, ask(h, "GET", "/api/v1/meters/W-1/consumption"+span))
	if whole.Value == nil || *whole.Value != "10.01" || whole.Least != "7.01" || !whole.Complete || len(whole.Problems) != 0 {
		t.Errorf("%+v", whole)
	}
	steps := mustDecode[ConsumptionStepsJSON](t, ask(h, "GET", "/api/v1/meters/W-1/consumption/steps"+span+"&step=hour")).Steps
	if len(steps) != 2 || steps[0].Value == nil || *steps[0].Value != "3.00" || steps[1].Value == nil || *steps[1].Value != "7.01" || steps[0].Gap+steps[1].Gap != "" {
		t.Errorf("%+v", steps)
	}
}
