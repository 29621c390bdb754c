// Package counters makes the counters of one part of the system, citygrid_PART_*,
// and reads them back: the counters are the one place where work is counted,
// and the status message, the summary and /metrics all read them.
package counters

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Set registers the metrics of one part. Two of the same name in one registry
// are a fault of the program, and panic.
type Set struct {
	registry prometheus.Registerer
	part     string
}

// New returns the set of a part: "collector", "hub".
func New(registry prometheus.Registerer, part string) Set { return Set{registry, part} }

// Counter makes and registers a counter.
func (s Set) Counter(name, help string) prometheus.Counter {
	return register(s, prometheus.NewCounter(prometheus.CounterOpts(s.opts(name, help))))
}

// CounterVec makes and registers a counter for each value of one label. The
// given values are exported as zero from the start, so that an alarm on a rise
// has something to rise from.
func (s Set) CounterVec(name, help, label string, values ...string) *prometheus.CounterVec {
	v := register(s, prometheus.NewCounterVec(prometheus.CounterOpts(s.opts(name, help)), []string{label}))
	for _, value := range values {
		v.WithLabelValues(value)
	}
	return v
}

// Gauge makes and registers a gauge.
func (s Set) Gauge(name, help string) prometheus.Gauge {
	return register(s, prometheus.NewGauge(prometheus.GaugeOpts(s.opts(name, help))))
}

// GaugeFunc registers a gauge that asks value whenever it is read.
func (s Set) GaugeFunc(name, help string, value func() float64) {
	register(s, prometheus.NewGaugeFunc(prometheus.GaugeOpts(s.opts(name, help)), value))
}

func (s Set) opts(name, help string) prometheus.Opts {
	return prometheus.Opts{Namespace: "citygrid", Subsystem: s.part, Name: name, Help: help}
}

func register[C prometheus.Collector](s Set, c C) C {
	s.registry.MustRegister(c)
	return c
}

// Count returns the value of a counter.
func Count(c prometheus.Counter) uint64 { return uint64(read(c).GetCounter().GetValue()) }

// Level returns the value of a gauge.
func Level(g prometheus.Gauge) float64 { return read(g).GetGauge().GetValue() }

// read returns m as it is exported; one that cannot be written reads as zero.
func read(m prometheus.Metric) *dto.Metric {
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		return new(dto.Metric)
	}
	return &out
}
