package collector

import (
	"context"
	"testing"
	"time"

	"citygrid/adapters"
	"citygrid/internal/counters"
)

// closing is a context that ends when it has been looked at so often.
type closing struct {
	context.Context
	left int
}

func (c *closing) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// A read that gave nothing is never counted as done, whenever the stop comes.
func TestAStopAtAnyMomentMakesNoReadOfAFailure(t *testing.T) {
	now := at("2026-01-01T12:00:00Z")
	for looks := range 6 {
		s := &scripted{id: "m", fault: always(adapters.Transient, time.Time{})}
		l := newLineLoop(Line{Meters: []Meter{{ID: "m", Source: s, Interval: time.Second}}}, now, nil, testMetrics(), newBoard(), silent)
		l.read(&closing{t.Context(), looks}, l.meters[0], now.Add(time.Second))
		if n := counters.Count(l.metrics.done); n != 0 {
			t.Errorf("stopped after %d looks at the context: %d reads done", looks, n)
		}
	}
}
