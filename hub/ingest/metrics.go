package ingest

import (
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"citygrid/internal/counters"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// The codes of refusals that are the hub's own; those of envelopes that do not
// open are in package seal.
const (
	codeTopicBad      seal.Code = "topic_bad"
	codeTopicMismatch seal.Code = "topic_mismatch"
	codeStreamUnknown seal.Code = "stream_unknown"
	codeSchema        seal.Code = "schema"
	codeNonceReuse    seal.Code = "nonce_reuse"
	codeLate          seal.Code = "late"
	codeBootConflict  seal.Code = "boot_conflict"
	codeStoreRejected seal.Code = "store_rejected"
	// codeSessionBlocked: an envelope of a session that was found to use one
	// number twice.
	codeSessionBlocked seal.Code = "session_blocked"
)

// allCodes are exported as zero from the start, so that an alarm on a rise has
// something to rise from.
var allCodes = []seal.Code{
	codeTopicBad, codeTopicMismatch, codeStreamUnknown, codeSchema, codeNonceReuse, codeLate, codeBootConflict, codeStoreRejected, codeSessionBlocked,
	seal.FrameBad, seal.SuiteUnknown, seal.DeviceUnknown, seal.GenerationUnknown, seal.GenerationRetired, seal.TagWrong,
	seal.KeyUnavailable, seal.ProviderMismatch,
}

// metrics are the hub's counters of the receiving side.
type metrics struct {
	received, opened, duplicates, points, receipts, saveFailures, withheld prometheus.Counter
	refusals                                                               *prometheus.CounterVec
	latency                                                                *lags
}

func newMetrics(reg prometheus.Registerer, now func() time.Time) *metrics {
	set := counters.New(reg, "hub")
	codes := make([]string, len(allCodes))
	for i, c := range allCodes {
		codes[i] = string(c)
	}
	m := &metrics{
		received:     set.Counter("received_total", "Messages from the broker."),
		opened:       set.Counter("opened_total", "Envelopes that opened on their own topic."),
		duplicates:   set.Counter("duplicates_total", "Envelopes that were stored or on their way before."),
		points:       set.Counter("points_stored_total", "Readings that are in the store."),
		receipts:     set.Counter("receipts_total", "Envelopes named in receipts."),
		saveFailures: set.Counter("replay_save_failures_total", "Failed writes of the replay state."),
		withheld:     set.Counter("withheld_total", "Envelopes that the store does not hold whole and the file of the rejected ones has no room for: they get no receipt and come again."),
		refusals:     set.CounterVec("refused_total", "Messages refused and kept as dead letters, by code.", "code", codes...),
		latency:      newLags(now, "citygrid", "hub", "latency_seconds", "From the meter's answer to the point in the store, of live readings; quantiles of the last minutes."),
	}
	reg.MustRegister(m.latency)
	return m
}

func (m *metrics) refused(c seal.Code) prometheus.Counter {
	return m.refusals.WithLabelValues(string(c))
}

// Counters is the receiving side's work since the hub's start.
type Counters struct {
	Received, Opened, Duplicates, Points, Receipts uint64
	// Cards counts card entries that are in the ledger, Events component events that
	// are in their store.
	Cards, Events uint64
	// Refused counts by code; codes that never occurred are left out.
	Refused map[seal.Code]uint64
	// Missing counts, for each collector, envelopes that are known to have
	// been sealed and are not stored.
	Missing map[schemas.CollectorID]uint64
}

// Counters reads the counters.
func (r *Receiver) Counters() Counters {
	m := r.metrics
	c := Counters{
		Received: counters.Count(m.received), Opened: counters.Count(m.opened), Duplicates: counters.Count(m.duplicates),
		Points: counters.Count(m.points), Cards: counters.Count(r.cards.stored), Events: counters.Count(r.events.stored), Receipts: counters.Count(m.receipts),
		Refused: make(map[seal.Code]uint64), Missing: r.replay.missing(),
	}
	for _, code := range allCodes {
		if n := counters.Count(m.refused(code)); n > 0 {
			c.Refused[code] = n
		}
	}
	maps.DeleteFunc(c.Missing, func(_ schemas.CollectorID, n uint64) bool { return n == 0 })
	return c
}
