package ingest

import (
	"math/bits"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"citygrid/schemas"
)

// lags is a summary of the time from the taking of readings to their storing,
// over the last one to two windows. It stands for prometheus.Summary, whose
// quantile stream cost 8 of the 10 us that a point cost the hub when readings
// of very different ages came mixed.
//
// Buckets are at most 1/32 wide, and a quantile is the upper end of its bucket:
// it never looks better than it was.
type lags struct {
	desc *prometheus.Desc
	now  func() time.Time // when somebody asks

	mu                sync.Mutex
	current, previous lagCounts
	started           time.Time
	count             uint64 // of all time, as is sum
	sum               int64  // milliseconds
}

const (
	// lagWindow: quantiles are over the last 5 to 10 minutes.
	lagWindow = 5 * time.Minute
	// lagHalf: times below twice as many milliseconds have buckets of their own,
	// and each further octave is cut into so many.
	lagHalf    = 32
	lagBuckets = lagHalf * 38 // up to 2^42 ms
)

type lagCounts [lagBuckets]uint32

func newLags(now func() time.Time, namespace, subsystem, name, help string) *lags {
	return &lags{now: now, desc: prometheus.NewDesc(prometheus.BuildFQName(namespace, subsystem, name), help, nil, nil)}
}

// observe adds the live readings of an envelope that was stored at that moment.
// The age of a record of a meter's own memory says nothing about the way here.
func (l *lags) observe(readings []schemas.Reading, storedAt time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(storedAt)
	stored := storedAt.UnixMilli()
	for i := range readings {
		if readings[i].Origin != schemas.Live {
			continue
		}
		ms := stored - readings[i].TakenAt.UnixMilli()
		l.current[lagBucket(ms)]++
		l.count++
		l.sum += ms
	}
}

// turn starts a new window when the current one is over. The caller holds mu.
func (l *lags) turn(now time.Time) {
	switch age := now.Sub(l.started); {
	case age < lagWindow:
		return
	case age < 2*lagWindow:
		l.previous = l.current
	default:
		l.previous = lagCounts{}
	}
	l.current, l.started = lagCounts{}, now
}

// Describe implements prometheus.Collector.
func (l *lags) Describe(out chan<- *prometheus.Desc) { out <- l.desc }

// Collect implements prometheus.Collector.
func (l *lags) Collect(out chan<- prometheus.Metric) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn(l.now()) // nothing may have been stored for long
	quantiles := map[float64]float64{0.5: l.quantile(0.5), 0.99: l.quantile(0.99)}
	out <- prometheus.MustNewConstSummary(l.desc, l.count, float64(l.sum)/1000, quantiles)
}

// quantile returns, in seconds, the time that the share q of the readings does
// not exceed; 0 when there is none. The caller holds mu.
func (l *lags) quantile(q float64) float64 {
	var total, seen uint64
	for i := range l.current {
		total += uint64(l.current[i]) + uint64(l.previous[i])
	}
	if total == 0 {
		return 0
	}
	rank := total - uint64(float64(total)*(1-q))
	for i := range l.current {
		if seen += uint64(l.current[i]) + uint64(l.previous[i]); seen >= rank {
			return float64(lagUpper(i)) / 1000
		}
	}
	return 0
}

// lagBucket is the bucket of so many milliseconds. A clock that runs ahead of
// the hub's counts as 0.
func lagBucket(ms int64) int {
	if ms < 2*lagHalf {
		return int(max(0, ms))
	}
	octave := bits.Len64(uint64(ms)) - bits.Len(lagHalf) // 1 for the first that is cut
	return min(octave*lagHalf+int(ms>>octave), lagBuckets-1)
}

// lagUpper is the largest number of milliseconds in bucket i.
func lagUpper(i int) int64 {
	if i < 2*lagHalf {
		return int64(i)
	}
	octave := i/lagHalf - 1
	return int64(i-octave*lagHalf+1)<<octave - 1
}
