package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"citygrid/hub/completeness"
)

// gapSlots exports the slots without a reading, by reason.
type gapSlots struct{ ledger *completeness.Ledger }

var gapSlotsDesc = prometheus.NewDesc("citygrid_hub_gap_slots",
	"Slots of the last 24 h without a reading, live or from the meter's memory, by reason; citygrid gaps lists them.", []string{"reason"}, nil)

// Describe implements prometheus.Collector.
func (g gapSlots) Describe(out chan<- *prometheus.Desc) { out <- gapSlotsDesc }

// Collect implements prometheus.Collector.
func (g gapSlots) Collect(out chan<- prometheus.Metric) {
	slots := g.ledger.Gauges().Slots
	for _, reason := range completeness.Reasons() {
		out <- prometheus.MustNewConstMetric(gapSlotsDesc, prometheus.GaugeValue, float64(slots[reason]), string(reason))
	}
}
