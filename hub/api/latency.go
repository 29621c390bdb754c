package api

import (
	"math/bits"
	"time"
)

// latencies counts the time from the taking of a reading to its storing, over
// the last one to two windows. A bucket is at most 1/16 wide, and a percentile
// is the upper end of its bucket: it never looks better than it was.
type latencies struct {
	current, previous [latencyBuckets]uint32
	started           time.Time
}

const (
	latencyWindow  = 30 * time.Second
	latencyBuckets = 16 * 40 // up to 2^43 ms
)

func (l *latencies) add(at time.Time, ms int64) {
	l.turn(at)
	l.current[latencyBucket(ms)]++
}

// turn starts a new window when the current one is full.
func (l *latencies) turn(at time.Time) {
	age := at.Sub(l.started)
	if age < latencyWindow {
		return
	}
	if age < 2*latencyWindow {
		l.previous = l.current
	} else {
		l.previous = [latencyBuckets]uint32{}
	}
	l.current = [latencyBuckets]uint32{}
	l.started = at
}

// percentiles returns the 50th and 99th percentile in milliseconds; ok is
// false when nothing was stored lately. A clock that runs ahead of the hub's
// counts as 0 ms.
func (l *latencies) percentiles(at time.Time) (p50, p99 int64, ok bool) {
	l.turn(at)
	var total uint64
	for i := range l.current {
		total += uint64(l.current[i]) + uint64(l.previous[i])
	}
	if total == 0 {
		return 0, 0, false
	}
	return l.rank((total + 1) / 2), l.rank(total - total/100), true
}

// rank returns the upper end of the bucket that holds the n-th smallest.
func (l *latencies) rank(n uint64) int64 {
	var seen uint64
	for i := range l.current {
		seen += uint64(l.current[i]) + uint64(l.previous[i])
		if seen >= n {
			return latencyUpper(i)
		}
	}
	return latencyUpper(latencyBuckets - 1)
}

// latencyBucket maps 0..31 ms to themselves and each further octave to 16
// buckets.
func latencyBucket(ms int64) int {
	if ms < 0 {
		ms = 0
	}
	if ms < 32 {
		return int(ms)
	}
	octave := bits.Len64(uint64(ms)) - 5 // 1 for 32..63
	return min(octave*16+int(ms>>octave), latencyBuckets-1)
}

// latencyUpper returns the largest number of milliseconds in bucket i.
func latencyUpper(i int) int64 {
	if i < 32 {
		return int64(i)
	}
	octave := i/16 - 1
	low := int64(i-octave*16) << octave
	return low + 1<<octave - 1
}
