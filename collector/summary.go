package collector

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"citygrid/collector/spool"
	"citygrid/internal/counters"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// sealedStatus returns the status message of this moment as an envelope.
func (c *Collector) sealedStatus() ([]byte, error) {
	if c.statusS == nil {
		s, err := c.newSealer(seal.Status)
		if err != nil {
			return nil, err
		}
		c.statusS = s
	}
	status := c.Status()
	plain, err := schemas.EncodeStatus(nil, &status)
	if err != nil {
		return nil, err
	}
	envelope, _, err := c.statusS.Seal(nil, plain)
	if err != nil {
		c.statusS = nil // used up: the next status opens a session of its own
	}
	return envelope, err
}

// Status returns the collector's account of itself at this moment.
func (c *Collector) Status() schemas.Status {
	s := c.Summary()
	stats := c.spool.Stats()
	now := time.Now().UTC().Truncate(time.Millisecond)
	failing, total := c.board.list()
	return schemas.Status{
		Collector: c.id, Area: c.area, Version: c.o.Version,
		At:           now,
		StartedAt:    c.started.UTC().Truncate(time.Millisecond),
		ReadsPlanned: s.ReadsDone + s.ReadsFailed + s.ReadsMissed + s.ReadsSkipped,
		ReadsDone:    s.ReadsDone, ReadsFailed: s.ReadsFailed, ReadsMissed: s.ReadsMissed + s.ReadsSkipped,
		ValuesRead:      s.ValuesRead,
		EnvelopesSealed: s.BatchesSealed, EnvelopesPublished: s.Published, EnvelopesFreed: s.Receipts,
		SpoolRecords: uint64(stats.Records), SpoolBytes: uint64(stats.Bytes), SpoolQuota: uint64(stats.Quota),
		SpoolFull:    counters.Level(c.metrics.full) > 0,
		FailingTotal: uint32(total), Failing: failing,
		Health:        c.board.worst(now),
		KeyGeneration: c.o.Bundle.Generation, CertificateEnds: c.certificates.firstEnd(),
		Lines: c.board.lineStatus(now), SpoolDropped: s.SpoolDropped,
	}
}

// Summary is the collector's work since its start.
type Summary struct {
	ReadsDone     uint64 `json:"reads_done"`
	ReadsFailed   uint64 `json:"reads_failed"`
	ReadsMissed   uint64 `json:"reads_missed"`
	ReadsSkipped  uint64 `json:"reads_skipped"`
	ValuesRead    uint64 `json:"values_read"`
	BatchesSealed uint64 `json:"batches_sealed"`
	SealedBytes   uint64 `json:"sealed_bytes"`
	Published     uint64 `json:"published"`
	Resent        uint64 `json:"resent"`
	Receipts      uint64 `json:"receipts"`
	SpoolRecords  uint64 `json:"spool_records"`
	// SpoolDropped counts the envelopes that the spool has dropped by the
	// operator's choice, SpoolDroppedValues their values.
	SpoolDropped       uint64 `json:"spool_dropped"`
	SpoolDroppedValues uint64 `json:"spool_dropped_values"`
	// Of the card entries: those that are durable, their envelopes, those of
	// them that receipts have freed, and those that wait.
	CardEntries      uint64 `json:"card_entries"`
	CardBatches      uint64 `json:"card_batches_sealed"`
	CardReceipts     uint64 `json:"card_receipts"`
	CardSpoolRecords uint64 `json:"card_spool_records"`
	// The same of the component events.
	Events            uint64 `json:"component_events"`
	EventBatches      uint64 `json:"event_batches_sealed"`
	EventReceipts     uint64 `json:"event_receipts"`
	EventSpoolRecords uint64 `json:"event_spool_records"`
}

// Summary reads the counters.
func (c *Collector) Summary() Summary {
	m := c.metrics
	var failed uint64
	for _, class := range failureClasses {
		failed += counters.Count(m.failed(class))
	}
	return Summary{
		ReadsDone: counters.Count(m.done), ReadsFailed: failed, ReadsMissed: counters.Count(m.missed), ReadsSkipped: counters.Count(m.skipped),
		ValuesRead: counters.Count(m.values), BatchesSealed: counters.Count(m.batches), SealedBytes: counters.Count(m.sealedBytes),
		Published: counters.Count(m.published), Resent: counters.Count(m.resent), Receipts: counters.Count(m.receipts),
		SpoolRecords: uint64(c.spool.Stats().Records),
		SpoolDropped: byReason(m.dropped), SpoolDroppedValues: byReason(m.droppedValues),
		CardEntries: counters.Count(m.cards.values), CardBatches: counters.Count(m.cards.batches),
		CardReceipts: counters.Count(m.cards.receipts), CardSpoolRecords: uint64(c.cards.stage.spool.Stats().Records),
		Events: counters.Count(m.events.values), EventBatches: counters.Count(m.events.batches),
		EventReceipts: counters.Count(m.events.receipts), EventSpoolRecords: uint64(c.events.desk.stage.spool.Stats().Records),
	}
}

// byReason sums up a counter of what was dropped.
func byReason(c *prometheus.CounterVec) uint64 {
	return counters.Count(c.WithLabelValues(string(spool.DropFull))) + counters.Count(c.WithLabelValues(string(spool.DropAge)))
}

// Problems lists, for the operator, what keeps the collector from its whole
// job at this moment; it is empty when all is well.
func (c *Collector) Problems() (problems []string) {
	if counters.Level(c.metrics.full) > 0 {
		problems = append(problems, "spool: full, reading has stopped; mend the way to the hub or make room")
	}
	if c.drops.lately(time.Now()) {
		problems = append(problems, "spool: the oldest readings were dropped in the last hour, as the configuration says; mend the way to the hub or make room")
	}
	if counters.Level(c.metrics.cards.full) > 0 {
		problems = append(problems, "card spool: full, no more card entries are taken; mend the way to the hub or make room")
	}
	if counters.Level(c.metrics.events.full) > 0 {
		problems = append(problems, "event spool: full, component events wait; mend the way to the hub or make room")
	}
	if counters.Level(c.metrics.eventsBlind) > 0 {
		problems = append(problems, "events: too many wait for room, and none is decided; mend the way to the hub or make room")
	}
	problems = append(problems, c.pub.problems()...)
	if !c.pub.connected.Load() {
		problems = append(problems, "broker: not connected; readings wait in the spool")
	}
	return problems
}
