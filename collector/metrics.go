package collector

import (
	"github.com/prometheus/client_golang/prometheus"

	"citygrid/adapters"
	"citygrid/collector/spool"
	"citygrid/internal/counters"
)

// metrics are the collector's counters. They are the one place where work is
// counted: the status message, the summary and /metrics all read them.
type metrics struct {
	done, missed, skipped, refused prometheus.Counter
	failures                       *prometheus.CounterVec
	strayReceipts, refusedReceipts prometheus.Counter
	sessions                       prometheus.Counter
	flow                           // of the readings
	cards                          flow
	cardsRefused, cardsFailed      prometheus.Counter
	events                         flow
	eventsRefused, eventsUnseen    prometheus.Counter
	eventsBlind                    prometheus.Gauge
	// Of the meters' own records: values read, reads that failed, and records
	// that no meter keeps any more.
	records, recordsFailed, recordsLost prometheus.Counter
	// Of what the spool has dropped: envelopes and their values by reason, and
	// envelopes that did not open.
	dropped, droppedValues *prometheus.CounterVec
	droppedUnopened        prometheus.Counter
}

// flow counts what goes the way of one stream, from the seal to the receipt.
type flow struct {
	values, batches, sealedBytes prometheus.Counter
	published, resent, receipts  prometheus.Counter
	full                         prometheus.Gauge
}

// failureClasses are the labels of reads_failed_total.
var failureClasses = []adapters.Class{adapters.Transient, adapters.Slow, adapters.Config}

func newMetrics(reg prometheus.Registerer) *metrics {
	set := counters.New(reg, "collector")
	classes := make([]string, len(failureClasses))
	for i, c := range failureClasses {
		classes[i] = c.String()
	}
	return &metrics{
		done:            set.Counter("reads_done_total", "Meter reads that gave every value."),
		missed:          set.Counter("reads_missed_total", "Slots of answering meters that passed without a read."),
		skipped:         set.Counter("reads_skipped_total", "Slots of failing meters left out by the back-off."),
		refused:         set.Counter("readings_refused_total", "Malformed readings of a driver, left out."),
		strayReceipts:   set.Counter("receipts_stray_total", "Sequence numbers in receipts that this spool does not hold (any more)."),
		refusedReceipts: set.Counter("receipts_refused_total", "Receipts that did not open or decode."),
		sessions:        set.Counter("broker_sessions_total", "Connections to the broker."),
		records:         set.Counter("record_values_read_total", "Values read from the meters' own memory."),
		recordsFailed:   set.Counter("records_failed_total", "Reads of a meter's own memory that failed in whole or in part."),
		dropped: set.CounterVec("spool_dropped_total", "Envelopes of readings without a receipt that the spool dropped, by spool.when_full (full) or spool.drop_after (age).",
			"reason", string(spool.DropFull), string(spool.DropAge)),
		droppedValues: set.CounterVec("spool_dropped_values_total", "Values in those envelopes.",
			"reason", string(spool.DropFull), string(spool.DropAge)),
		droppedUnopened: set.Counter("spool_dropped_unopened_total", "Of those envelopes, the ones sealed under a key that this collector no longer has, of which nobody knows the meters."),
		recordsLost:     set.Counter("records_missing_total", "Daily, monthly and load records that the meter no longer keeps."),
		flow: flow{
			values:      set.Counter("values_read_total", "Values that are durable in the spool."),
			batches:     set.Counter("batches_sealed_total", "Envelopes that are durable in the spool."),
			sealedBytes: set.Counter("sealed_bytes_total", "Bytes of those envelopes."),
			published:   set.Counter("published_total", "Envelopes handed to the broker, resends included."),
			resent:      set.Counter("resent_total", "Envelopes published again for want of a receipt."),
			receipts:    set.Counter("receipts_total", "Envelopes that the hub's receipts have freed."),
			full:        set.Gauge("spool_full", "1 while reading has stopped because the spool or the disk is full."),
		},
		cards:         sideFlow(set, "card", "card_entries_total", "card entries"),
		events:        sideFlow(set, "event", "component_events_total", "component events"),
		eventsRefused: set.Counter("events_refused_total", "Malformed component events, left out."),
		eventsUnseen:  set.Counter("event_reads_unseen_total", "Reads that were not shown to the detector of component events, because too many of them wait for room."),
		eventsBlind:   set.Gauge("events_blind", "1 while no component events are decided because too many of them wait for room."),
		cardsRefused:  set.Counter("card_entries_refused_total", "Malformed card entries, left out."),
		cardsFailed:   set.Counter("card_reads_failed_total", "Reads of a meter's card slot that failed in whole or in part."),
		failures: set.CounterVec("reads_failed_total", "Meter reads that failed in whole or in part, by class.",
			"class", classes...),
	}
}

// sideFlow makes the counters of a stream beside the readings.
func sideFlow(set counters.Set, prefix, total, items string) flow {
	return flow{
		values:      set.Counter(total, "Of "+items+", those that are durable in their spool."),
		batches:     set.Counter(prefix+"_batches_sealed_total", "Envelopes with "+items+" that are durable in that spool."),
		sealedBytes: set.Counter(prefix+"_sealed_bytes_total", "Bytes of those envelopes."),
		published:   set.Counter(prefix+"_published_total", "Envelopes with "+items+" handed to the broker, resends included."),
		resent:      set.Counter(prefix+"_resent_total", "Envelopes with "+items+" published again for want of a receipt."),
		receipts:    set.Counter(prefix+"_receipts_total", "Envelopes with "+items+" that the hub's receipts have freed."),
		full:        set.Gauge(prefix+"_spool_full", "1 while no "+items+" are sealed because their spool or the disk is full."),
	}
}

func (m *metrics) failed(c adapters.Class) prometheus.Counter {
	return m.failures.WithLabelValues(c.String())
}

// registerSpool exports a spool's own account of itself.
func registerSpool(reg prometheus.Registerer, name string, s *spool.Spool) {
	set := counters.New(reg, name)
	gauge := func(name, help string, value func(spool.Stats) float64) {
		set.GaugeFunc(name, help, func() float64 { return value(s.Stats()) })
	}
	gauge("records", "Envelopes that wait for the hub's receipt.", func(s spool.Stats) float64 { return float64(s.Records) })
	gauge("bytes", "Bytes on disk.", func(s spool.Stats) float64 { return float64(s.Bytes) })
	gauge("quota_bytes", "Bytes at which nothing more is taken.", func(s spool.Stats) float64 { return float64(s.Quota) })
	gauge("damaged_stretches", "Unreadable stretches of the log found since start.", func(s spool.Stats) float64 { return float64(s.Damaged) })
	gauge("lost_records", "Envelopes without a receipt that damage has destroyed.", func(s spool.Stats) float64 { return float64(s.Lost) })
}
