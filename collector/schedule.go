package collector

import "time"

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
