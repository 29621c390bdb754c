package ingest

import (
	"context"

	"citygrid/schemas"
)

// EventStore takes component events for good.
type EventStore interface {
	// StoreEvents returns nil when every event is durable. The same events may come
	// again, after a crash of the hub or of the collector, which then seals them anew:
	// an event is known by its ID and Phase, and storing it twice must change nothing.
	//
	// Errors are those of CardStore.StoreCards: one with a method Permanent() bool
	// that returns true says that the store will never take the events as they are.
	// After any other error they are given again.
	StoreEvents(ctx context.Context, collector schemas.CollectorID, events []schemas.ComponentEvent) error
}

// EventStores gives events to several stores, one after the other, and ends at the
// first error: what the last one shows the ones before it have. After an error all of
// them are given the events again.
type EventStores []EventStore

// StoreEvents implements EventStore.
func (s EventStores) StoreEvents(ctx context.Context, collector schemas.CollectorID, events []schemas.ComponentEvent) error {
	for _, store := range s {
		if err := store.StoreEvents(ctx, collector, events); err != nil {
			return err
		}
	}
	return nil
}

// newEvents makes the courier of the component events.
func newEvents(r *Receiver) *courier {
	c := newCourier(r, words{metric: "component_events", series: "event", items: "component events", store: "store of events"})
	if r.o.Events != nil {
		c.store = func(ctx context.Context, d *delivery) error {
			return r.o.Events.StoreEvents(ctx, d.key.collector, d.events)
		}
	}
	return c
}

// EventsReady returns nil when component events are taken, or none has come yet;
// else it says what is wrong, for /readyz.
func (r *Receiver) EventsReady() error { return r.events.ready() }
