// Package meterclock understands a meter's own clock, as DL/T 645 and CJ/T 188
// have it: what it shows, in BCD, and when by it the meter made the readings
// that it keeps but does not date.
package meterclock

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"citygrid/adapters/catalog"
)

// China is the zone of the clocks of all of China, UTC+8.
func China() *time.Location { return time.FixedZone("UTC+8", 8*60*60) }

// Shown is what a clock shows, in BCD: century, year, month, day, hour, minute,
// second.
type Shown [7]byte

// In returns the moment at which a clock of that zone shows s; false when it is
// no time of any day.
func (s Shown) In(zone *time.Location) (time.Time, bool) {
	var n [len(s)]int
	for i, octet := range s {
		digits, ok := catalog.BCD(uint64(octet))
		if !ok {
			return time.Time{}, false
		}
		n[i] = int(digits)
	}
	t := time.Date(100*n[0]+n[1], time.Month(n[2]), n[3], n[4], n[5], n[6], 0, time.UTC)
	if t.Year() == 0 || int(t.Month()) != n[2] || t.Day() != n[3] || t.Hour() != n[4] || t.Minute() != n[5] || t.Second() != n[6] {
		return time.Time{}, false
	}
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, zone), true
}

// Settlement is a day of each month, and the hour of it, at whose beginning a
// meter makes a reading to keep.
type Settlement struct{ Day, Hour int }

// lastDay is the last day that every month has.
const lastDay = 28

// Monthly reports whether every month has s, so that it can date a reading.
func (s Settlement) Monthly() bool {
	return s.Day >= 1 && s.Day <= lastDay && s.Hour >= 0 && s.Hour <= 23
}

// margin is how far a meter's clock must be from a settlement for the number of
// the readings to be certain: a meter makes them some time after the moment, and
// the readings are asked for some time after the clock.
const margin = 10 * time.Minute

// ErrTooNear is what Settled returns while the number of the readings is not
// certain; it passes.
var ErrTooNear = errors.New("the meter's clock is within " + margin.String() + " of its settlement: ask again later")

// Settled returns when a meter whose clock shows that time made the n-th reading
// back from the newest, which is 1, in UTC. There is one settlement at least, and
// each is Monthly.
func Settled(settlements []Settlement, clock time.Time, n int) (time.Time, error) {
	settlements = slices.Clone(settlements)
	slices.SortFunc(settlements, func(a, b Settlement) int {
		return cmp.Or(cmp.Compare(b.Day, a.Day), cmp.Compare(b.Hour, a.Hour))
	})
	var next time.Time
	for month := clock.Month() + 1; ; month-- {
		for _, s := range settlements {
			at := time.Date(clock.Year(), month, s.Day, s.Hour, 0, 0, 0, clock.Location())
			if at.After(clock) {
				next = at
				continue
			}
			if !next.IsZero() && (next.Sub(clock) < margin || clock.Sub(at) < margin) {
				return time.Time{}, ErrTooNear
			}
			next = time.Time{} // at is the newest
			if n--; n <= 0 {
				return at.UTC(), nil
			}
		}
	}
}
