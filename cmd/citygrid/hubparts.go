package main

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	brokerconfig "citygrid/broker-config"
	"citygrid/hub/api"
	"citygrid/hub/ingest"
	"citygrid/hub/store"
	"citygrid/internal/counters"
	"citygrid/schemas"
)

// This file joins the hub's parts, which do not know each other.

// queuePoints bounds the readings on their way to the store.
const queuePoints = 50_000

// storeQueue lets ingest submit to the store's writer.
type storeQueue struct{ writer *store.Writer }

func (q storeQueue) Submit(ctx context.Context, readings []schemas.Reading, done func(error)) error {
	result := q.writer.Submit(ctx, readings)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	go func() {
		<-result.Done()
		err := result.Err()
		var refused *store.RejectedError
		if err == nil || errors.As(err, &refused) {
			done(err)
		}
		// Anything else means that the writer was stopped: no receipt is sent
		// and the collector sends the envelope again.
	}()
	return nil
}

// seriesOf lets the API ask the store.
type seriesOf struct{ store *store.Store }

func (s seriesOf) Range(ctx context.Context, meter schemas.MeterID, q schemas.Quantity, origin schemas.Origin, from, to time.Time, maxPoints int) (api.Samples, error) {
	found, err := s.store.Range(ctx, meter, q, origin, from, to, maxPoints)
	samples := api.Samples{Step: found.Step}
	for _, p := range found.Samples {
		samples.Samples = append(samples.Samples, api.Sample(p))
	}
	return samples, err
}

// flowCounters gathers what the page shows of the river.
func flowCounters(receiver *ingest.Receiver, writer *store.Writer) api.FlowCounters {
	c, w := receiver.Counters(), writer.Stats()
	flow := api.FlowCounters{
		BrokerConnected: receiver.Connected(),
		Received:        c.Received, Opened: c.Opened, Duplicates: c.Duplicates,
		Refused:      make(map[string]uint64),
		StoreUp:      w.DownSince.IsZero(),
		StoredPoints: c.Points, RejectedPoints: w.Rejected,
		StoreQueue: uint64(w.QueuePoints), StoreQueueLimit: queuePoints,
		Receipts: c.Receipts,
	}
	for code, n := range c.Refused {
		flow.Refused[string(code)] = n
	}
	for _, n := range c.Missing {
		flow.Missing += n
	}
	return flow
}

// registerBroker exports how full the embedded broker's store is. When it is
// full the broker takes nothing more and lets no subscriber in to drain it.
func registerBroker(reg prometheus.Registerer, b *brokerconfig.Broker) {
	c := counters.New(reg, "broker")
	c.GaugeFunc("stored_bytes", "Messages that the embedded broker holds; alarm at 70 % of the limit.", func() float64 {
		stored, _, err := b.Usage()
		if err != nil {
			return math.NaN()
		}
		return float64(stored)
	})
	c.GaugeFunc("stored_limit_bytes", "What it may hold.", func() float64 {
		_, limit, err := b.Usage()
		if err != nil {
			return math.NaN()
		}
		return float64(limit)
	})
}

// registerSpools exports what the collectors' statuses tell of their spools, for those
// whose own metrics nobody collects.
func registerSpools(reg prometheus.Registerer, live *api.Live) {
	reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "citygrid_spools_dropped_total",
		Help: "Envelopes of readings that spools of collectors dropped without a receipt, full or aged, as their operators chose; alarm on any growth.",
	}, func() float64 { return float64(live.SpoolDropped()) }))
}

// registerWriter exports the writer's own account of itself.
func registerWriter(reg prometheus.Registerer, w *store.Writer) {
	set := counters.New(reg, "store")
	gauge := func(name, help string, value func(store.Stats) float64) {
		set.GaugeFunc(name, help, func() float64 { return value(w.Stats()) })
	}
	gauge("queue_points", "Readings on their way to the store.", func(s store.Stats) float64 { return float64(s.QueuePoints) })
	gauge("retries", "Writes given again since start.", func(s store.Stats) float64 { return float64(s.Retries) })
	gauge("rejected_points", "Readings that the store refused for good since start.", func(s store.Stats) float64 { return float64(s.Rejected) })
	gauge("down_seconds", "How long the store has been failing; 0 while it works.", func(s store.Stats) float64 {
		if s.DownSince.IsZero() {
			return 0
		}
		return time.Since(s.DownSince).Seconds()
	})
}

// storeCheck fails while the store does not answer, and while it answers but
// takes no writes.
func storeCheck(ping func(context.Context) error, stats func() store.Stats) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := ping(ctx); err != nil {
			return err
		}
		if s := stats(); !s.DownSince.IsZero() {
			return s.LastError
		}
		return nil
	}
}

// warmSpan is how far back a hub that starts looks for last values.
const warmSpan = time.Hour

// warmLive fills the table of last values from the store, so that a restart of
// the hub does not empty the page. Without the store the table fills itself.
func warmLive(ctx context.Context, live *api.Live, series *store.Store, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	readings, err := series.Last(ctx, time.Now().Add(-warmSpan))
	if err != nil {
		log.Warn("last values are not known yet; the page fills as readings come", "error", err)
		return
	}
	live.Warm(readings)
}

// Attendance implements api.Diagnoses.
func (s seriesOf) Attendance(ctx context.Context, meter schemas.MeterID, q schemas.Quantity, from, to time.Time, limit int) (api.Attendance, error) {
	a, err := s.store.Attendance(ctx, meter, q, from, to, limit)
	return api.Attendance(a), err
}

// Doubtful implements api.Diagnoses.
func (s seriesOf) Doubtful(ctx context.Context, meter schemas.MeterID, from, to time.Time, limit int) ([]schemas.Reading, bool, error) {
	return s.store.Doubtful(ctx, meter, from, to, limit)
}
