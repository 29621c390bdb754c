package counters

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestSet(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	s := New(registry, "part")
	done := s.Counter("done_total", "Things done.")
	failed := s.CounterVec("failed_total", "Things failed.", "class", "slow", "broken")
	full := s.Gauge("full", "1 while full.")
	s.GaugeFunc("records", "Records.", func() float64 { return 5 })
	done.Add(3)
	failed.WithLabelValues("slow").Inc()
	full.Set(1)

	want := map[string]float64{
		"citygrid_part_done_total Things done.":            3,
		"citygrid_part_failed_total Things failed. slow":   1,
		"citygrid_part_failed_total Things failed. broken": 0,
		"citygrid_part_full 1 while full.":                 1,
		"citygrid_part_records Records.":                   5,
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			key := f.GetName() + " " + f.GetHelp()
			for _, l := range m.GetLabel() {
				key += " " + l.GetValue()
			}
			got := m.GetCounter().GetValue() + m.GetGauge().GetValue()
			if value, ok := want[key]; !ok || got != value {
				t.Errorf("%s is %v, want %v, expected %t", key, got, value, ok)
			}
			delete(want, key)
		}
	}
	if len(want) > 0 {
		t.Errorf("not exported: %v", want)
	}
	if Count(done) != 3 || Count(failed.WithLabelValues("broken")) != 0 || Level(full) != 1 {
		t.Errorf("read back %d, %d, %v", Count(done), Count(failed.WithLabelValues("broken")), Level(full))
	}
}
