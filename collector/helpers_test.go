package collector

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"citygrid/adapters"
	"citygrid/schemas"
)

func testMetrics() *metrics { return newMetrics(prometheus.NewRegistry()) }

var silent = slog.New(slog.DiscardHandler)

// energy returns a good reading of a counter, taken at t.
func energy(meter schemas.MeterID, value int64, t time.Time) schemas.Reading {
	return schemas.Reading{
		Meter: meter, Quantity: "power.energy.import", Unit: "kW.h",
		Value: schemas.Decimal{Mantissa: value, Exponent: -2}, TakenAt: t.UTC().Truncate(time.Millisecond),
	}
}

// scripted is a meter that does what the test says.
type scripted struct {
	id schemas.MeterID
	// cost is how long an answer takes, and timeout how long the lack of one.
	cost, timeout time.Duration
	// fault says what the read that begins at t gives; nil is no fault.
	fault func(t time.Time) error
	// partial meters give their reading in spite of the fault.
	partial bool

	began []time.Time // of each read
}

func (s *scripted) Read(ctx context.Context) ([]schemas.Reading, error) {
	now := time.Now()
	s.began = append(s.began, now)
	var err error
	if s.fault != nil {
		err = s.fault(now)
	}
	wait := s.cost
	if err != nil && !s.partial {
		wait = s.timeout
	}
	if wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err != nil && !s.partial {
		return nil, err
	}
	return []schemas.Reading{energy(s.id, int64(len(s.began)), time.Now())}, err
}

// failure is the error of an adapter.
func failure(c adapters.Class) error {
	return &adapters.Error{Meter: "m", Class: c, Request: "holding register 0", Err: fmt.Errorf("a %s fault", c)}
}

// always fails with the class, before the moment until (zero: for ever).
func always(c adapters.Class, until time.Time) func(time.Time) error {
	return func(t time.Time) error {
		if until.IsZero() || t.Before(until) {
			return failure(c)
		}
		return nil
	}
}
