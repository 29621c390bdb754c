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
	r := &Receiver{metrics: newMetrics(prometheus.NewRegistry(), func() time.Time { return testMoment.Add(time.Second) }), o: Options{Observer: nobody{}}}
	live := schemas.Reading{TakenAt: testMoment}
	freeze := schemas.Reading{TakenAt: testMoment.AddDate(0, 0, -30), Origin: schemas.DailyFreeze}
	r.stored(&delivery{readings: []schemas.Reading{freeze, live}, storedAt: testMoment.Add(time.Second)})
	if s := summary(t, r.metrics.latency); s.GetSampleCount() != 1 || s.GetSampleSum() != 1 {
		t.Errorf("%d readings that took %v s in all, want 1 of 1 s", s.GetSampleCount(), s.GetSampleSum())
	}
}

// summary returns what is exported.
func summary(t *testing.T, l *lags) *dto.Summary {
	t.Helper()
	out := make(chan prometheus.Metric, 1)
	l.Collect(out)
	var m dto.Metric
	if err := (<-out).Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetSummary()
}

// TestLagQuantiles: a quantile is never lower than the truth and at most 1/32
// higher, and what is older than two windows is forgotten.
func TestLagQuantiles(t *testing.T) {
	for _, longest := range []int64{10, 1000, 90 * 24 * 3600 * 1000} {
		now := testMoment
		l := newLags(func() time.Time { return now }, "a", "b", "c", "d")
		for n := int64(1); n <= 1000; n++ {
			age := time.Duration(longest*n/1000) * time.Millisecond
			l.observe([]schemas.Reading{{TakenAt: testMoment.Add(-age)}}, testMoment)
		}
		for _, q := range summary(t, l).GetQuantile() {
			truth := float64(longest*int64(1000*q.GetQuantile())/1000) / 1000
			if got := q.GetValue(); got < truth || got > truth*33/32+0.001 {
				t.Errorf("quantile %v of 0 to %d ms: %v s, want %v", q.GetQuantile(), longest, got, truth)
			}
		}
		l.observe([]schemas.Reading{{TakenAt: testMoment}}, testMoment.Add(2*lagWindow))
		now = testMoment.Add(2 * lagWindow)
		if q := summary(t, l).GetQuantile(); q[0].GetValue() < 2*lagWindow.Seconds() {
			t.Errorf("after two windows the median is %v s, want that of the new reading", q[0].GetValue())
		}
		now = testMoment.Add(4 * lagWindow)
		if q := summary(t, l).GetQuantile(); q[1].GetValue() != 0 {
			t.Errorf("after two windows without a reading the p99 is %v s, want 0", q[1].GetValue())
		}
	}
	if last := lagBucket(1 << 62); last != lagBuckets-1 || lagBucket(-5) != 0 {
		t.Errorf("ages beyond all bounds fall into %d and %d", last, lagBucket(-5))
	}
	for i := range lagBuckets {
		if lagBucket(lagUpper(i)) != i || i+1 < lagBuckets && lagBucket(lagUpper(i)+1) != i+1 {
			t.Fatalf("bucket %d does not end at %d ms", i, lagUpper(i))
		}
	}
}
