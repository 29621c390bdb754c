package collector

import (
	"github.com/prometheus/client_golang/prometheus"

	"citygrid/adapters"
	"citygrid/collector/spool"
)

// metrics are the collector's counters. They are the one place where work is
// counted: the status message, the summary and /metrics all read them.
type metrics struct {
	done, missed, skipped, refused prometheus.Counter
	failures                       *prometheus.CounterVec
	values, batches, sealedBytes   prometheus.Counter
	published, resent, receipts    prometheus.Counter
	strayReceipts, refusedReceipts prometheus.Counter
	sessions                       prometheus.Counter
	full                           prometheus.Gauge
}

// failureClasses are the labels of reads_failed_total.
var failureClasses = []adapters.Class{adapters.Transient, adapters.Slow, adapters.Config}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "citygrid", Subsystem: "collector", Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	m := &metrics{
		done:            counter("reads_done_total", "Meter reads that gave every value."),
		missed:          counter("reads_missed_total", "Slots of answering meters that passed without a read."),
		skipped:         counter("reads_skipped_total", "Slots of failing meters left out by the back-off."),
		refused:         counter("readings_refused_total", "Malformed readings of a driver, left out."),
		values:          counter("values_read_total", "Values that are durable in the spool."),
		batches:         counter("batches_sealed_total", "Envelopes that are durable in the spool."),
		sealedBytes:     counter("sealed_bytes_total", "Bytes of those envelopes."),
		published:       counter("published_total", "Envelopes handed to the broker, resends included."),
		resent:          counter("resent_total", "Envelopes published again for want of a receipt."),
		receipts:        counter("receipts_total", "Envelopes that the hub's receipts have freed."),
		strayReceipts:   counter("receipts_stray_total", "Sequence numbers in receipts that this spool does not hold (any more)."),
		refusedReceipts: counter("receipts_refused_total", "Receipts that did not open or decode."),
		sessions:        counter("broker_sessions_total", "Connections to the broker."),
		full: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "citygrid", Subsystem: "collector",
			Name: "spool_full", Help: "1 while reading has stopped because the spool or the disk is full."}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "citygrid", Subsystem: "collector",
			Name: "reads_failed_total", Help: "Meter reads that failed in whole or in part, by class."}, []string{"class"}),
	}
	reg.MustRegister(m.full, m.failures)
	for _, c := range failureClasses {
		m.failures.WithLabelValues(c.String())
	}
	return m
}

func (m *metrics) failed(c adapters.Class) prometheus.Counter {
	return m.failures.WithLabelValues(c.String())
}

// registerSpool exports the spool's own account of itself.
func registerSpool(reg prometheus.Registerer, s *spool.Spool) {
	gauge := func(name, help string, value func(spool.Stats) float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "citygrid", Subsystem: "spool", Name: name, Help: help,
		}, func() float64 { return value(s.Stats()) }))
	}
	gauge("records", "Envelopes that wait for the hub's receipt.", func(s spool.Stats) float64 { return float64(s.Records) })
	gauge("bytes", "Bytes on disk.", func(s spool.Stats) float64 { return float64(s.Bytes) })
	gauge("quota_bytes", "Bytes at which reading stops.", func(s spool.Stats) float64 { return float64(s.Quota) })
	gauge("damaged_stretches", "Unreadable stretches of the log found since start.", func(s spool.Stats) float64 { return float64(s.Damaged) })
	gauge("lost_records", "Envelopes without a receipt that damage has destroyed.", func(s spool.Stats) float64 { return float64(s.Lost) })
}
