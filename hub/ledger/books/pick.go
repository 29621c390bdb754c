package books

import (
	"slices"
	"time"

	"citygrid/schemas"
)

// shown is a register as a reading has it: at in milliseconds, value in litres or
// watt-hours. A reading that is not good says only that the meter has the register.
type shown struct {
	at, value int64
	good      bool
}

// series is a meter's quantity.
type series struct {
	meter    schemas.MeterID
	quantity schemas.Quantity
}

// readings are what was read around a batch of entries.
type readings map[series][]shown

// add takes a reading.
func (r readings) add(x *schemas.Reading) {
	s := shown{at: x.TakenAt.UnixMilli()}
	if x.Quality == schemas.Good {
		s.value, s.good = registerOf(x.Value)
	}
	key := series{x.Meter, x.Quantity}
	r[key] = append(r[key], s)
}

// window is the time in which a reading speaks for an entry: near enough to its
// moment and while its meter stood. Milliseconds; the end is not in it.
type window struct{ moment, from, to int64 }

func windowOf(l *lacking, sync time.Duration) window {
	w := window{l.moment, max(l.moment-sync.Milliseconds(), l.from), l.moment + sync.Milliseconds() + 1}
	if l.to != 0 {
		w.to = min(w.to, l.to)
	}
	return w
}

func (w *window) has(at int64) bool { return at >= w.from && at < w.to }

// nearest returns the good register in w that is nearest to the moment at; of two
// equally near the earlier, of two of one moment the smaller.
func (w *window) nearest(list []shown, at int64) (best shown, ok bool) {
	for _, s := range list {
		if s.good && w.has(s.at) && (!ok || nearer(s, best, at)) {
			best, ok = s, true
		}
	}
	return best, ok
}

func nearer(a, b shown, at int64) bool {
	if x, y := distance(a.at, at), distance(b.at, at); x != y {
		return x < y
	}
	if a.at != b.at {
		return a.at < b.at
	}
	return a.value < b.value
}

func distance(a, b int64) int64 { return max(a-b, b-a) }

// use returns the main counter. The first quantity that the meter has at all
// decides, also when just now it was not good: another one counts otherwise, and a
// switch between the two would look like use.
func (r readings) use(l *lacking, w window, quantities []schemas.Quantity) (int64, bool) {
	for _, q := range quantities {
		list := r[series{l.meter, q}]
		if !slices.ContainsFunc(list, func(s shown) bool { return w.has(s.at) }) {
			continue
		}
		s, ok := w.nearest(list, w.moment)
		return s.value, ok
	}
	return 0, false
}

// roundSpread bounds how far apart the registers of one round of reading are:
// lines ask a meter for them one after another.
const roundSpread = time.Minute

// rates returns the counters of all rates from one round of reading, the nearest
// that is complete: counters of different rounds would move use from rate to rate.
func (r readings) rates(l *lacking, w window, quantities []schemas.Quantity) (values []int64, ok bool) {
	if len(quantities) == 0 {
		return nil, false
	}
	first := slices.Clone(r[series{l.meter, quantities[0]}])
	slices.SortFunc(first, func(a, b shown) int {
		switch {
		case nearer(a, b, w.moment):
			return -1
		case nearer(b, a, w.moment):
			return 1
		}
		return 0
	})
	for _, s := range first {
		if s.good && w.has(s.at) {
			if values = r.round(l, w, quantities[1:], s); values != nil {
				return values, true
			}
		}
	}
	return nil, false
}

// round completes the round of reading of s, nil where it is not complete.
func (r readings) round(l *lacking, w window, rest []schemas.Quantity, s shown) []int64 {
	values := []int64{s.value}
	for _, q := range rest {
		other, ok := w.nearest(r[series{l.meter, q}], s.at)
		if !ok || distance(other.at, s.at) > roundSpread.Milliseconds() {
			return nil
		}
		values = append(values, other.value)
	}
	return values
}
