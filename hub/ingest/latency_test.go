package ingest

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"citygrid/schemas"
)

type nobody struct{ Observer }

func (nobody) Stored([]schemas.Reading, time.Time) {}

// A record of a meter's own memory may be weeks old when it is read; that says
// nothing about the way to the store.
func TestLatencyIsOfLiveReadings(t *testing.T) {
	r := &Receiver{metrics: newMetrics(prometheus.NewRegistry()), o: Options{Observer: nobody{}}}
	live := schemas.Reading{TakenAt: testMoment}
	freeze := schemas.Reading{TakenAt: testMoment.AddDate(0, 0, -30), Origin: schemas.DailyFreeze}
	r.stored(&delivery{readings: []schemas.Reading{freeze, live}, storedAt: testMoment.Add(time.Second)})
	var m dto.Metric
	if err := r.metrics.latency.Write(&m); err != nil {
		t.Fatal(err)
	}
	if s := m.GetSummary(); s.GetSampleCount() != 1 || s.GetSampleSum() != 1 {
		t.Errorf("%d readings that took %v s in all, want 1 of 1 s", s.GetSampleCount(), s.GetSampleSum())
	}
}
