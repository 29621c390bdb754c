package collector

import (
	"time"

	"citygrid/adapters"
)

// instant is a moment in nanoseconds since the Unix epoch: the line loop looks at
// every meter's next slot before each read, and time.Time compares slowly. Zero
// stands for none.
type instant int64

func instantOf(t time.Time) instant           { return instant(t.UnixNano()) }
func (i instant) time() time.Time             { return time.Unix(0, int64(i)).UTC() }
func (i instant) add(d time.Duration) instant { return i + instant(d) }
func (i instant) sub(j instant) time.Duration { return time.Duration(i - j) }

// slotAt returns the latest slot of a schedule that is not after t. Slots lie
// at whole multiples of interval since the Unix epoch, plus offset, so that
// every collector of a city reads "quarter past" at quarter past, whatever the
// moment at which it was started.
func slotAt(t time.Time, interval, offset time.Duration) time.Time {
	since := t.UnixNano() - int64(offset)
	n := since / int64(interval)
	if since%int64(interval) < 0 {
		n--
	}
	return time.Unix(0, n*int64(interval)+int64(offset)).UTC()
}

// slotAfter returns the earliest slot that is after t.
func slotAfter(t time.Time, interval, offset time.Duration) time.Time {
	return slotAt(t, interval, offset).Add(interval)
}

// maxBackOff bounds the time between two probes of a meter that does not
// answer, unless its own interval is longer.
const maxBackOff = 10 * time.Minute

// backOff returns how long to leave a meter alone after its nth failure in a
// row (n counts from 1): one interval, then two, four and so on.
func backOff(n int, interval time.Duration) time.Duration {
	limit := max(maxBackOff, interval)
	d := interval
	for ; n > 1 && d < limit; n-- {
		d *= 2
	}
	return min(d, limit)
}

// slowPause is how many intervals a meter is left alone at least that has
// reported a failure of its own.
const slowPause = 8

// refusedFor returns how long to leave a meter alone at least that has refused
// for a reason of that class.
func refusedFor(c adapters.Class, interval time.Duration) time.Duration {
	switch c {
	case adapters.Config:
		return max(maxBackOff, interval)
	case adapters.Slow:
		return min(slowPause*interval, maxBackOff)
	}
	return 0
}

// minGap is the least time between two reads of one meter. A reading is known
// by its meter, quantity and millisecond: two answers within one, the last of a
// slot and the first of the next, would be one point in the store.
const minGap = 2 * time.Millisecond

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
