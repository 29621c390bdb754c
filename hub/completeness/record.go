package completeness

import (
	"slices"

	"citygrid/schemas"
)

// Reason says why slots have no reading: a schemas.Loss, or one that only the hub knows.
type Reason string

// The reasons of the hub.
const (
	// StoreLost: the reading was in the store and is not any more, as a count from the
	// store found.
	StoreLost Reason = "store_lost"
	// Unknown: the collector read it, as its account says, and it has not come: it is on
	// its way, waits in a spool, or was destroyed with one. Or no account tells of it, and
	// accounts tell of what was before and after: then the same holds for the account.
	Unknown Reason = "unknown"
	// NoWord: the collector has said nothing of that time, nor of any later one.
	NoWord Reason = "no_word"
)

// Reasons returns every reason, those of the collectors first, in the order of their
// rank.
func Reasons() []Reason {
	var list []Reason
	for _, l := range schemas.Losses() {
		list = append(list, Reason(l))
	}
	return append(list, StoreLost, Unknown, NoWord)
}

// rankLost is the state of a slot that was in the store.
const rankLost = 200

// reasonOf names a rank.
func reasonOf(rank uint8) Reason {
	losses := schemas.Losses()
	switch {
	case rank == 0:
		return Unknown
	case rank == rankLost:
		return StoreLost
	case int(rank) <= len(losses):
		return Reason(losses[rank-1])
	}
	return Unknown
}

// bits is a set of slot numbers.
type bits []byte

func (b *bits) set(n uint32) {
	for uint32(len(*b)) <= n/8 {
		*b = append(*b, 0)
	}
	(*b)[n/8] |= 1 << (n % 8)
}

// setFrom adds the numbers from <= n < end.
func (b *bits) setFrom(from, end uint32) {
	for ; from < end && from%8 != 0; from++ {
		b.set(from)
	}
	for ; from+8 <= end; from += 8 {
		b.set(from)
		(*b)[from/8] = 0xff
	}
	for ; from < end; from++ {
		b.set(from)
	}
}

// without returns the numbers of b that are not in c.
func (b bits) without(c bits) bits {
	left := slices.Clone(b)
	for n := range min(len(b), len(c)) {
		left[n] &^= c[n]
	}
	return left
}

// none reports whether the set is empty.
func (b bits) none() bool { return !slices.ContainsFunc(b, func(x byte) bool { return x != 0 }) }

func (b bits) has(n uint32) bool { return n/8 < uint32(len(b)) && b[n/8]&(1<<(n%8)) != 0 }

func (b *bits) or(c bits) {
	for n := range c {
		if n == len(*b) {
			*b = append(*b, c[n:]...)
			return
		}
		(*b)[n] |= c[n]
	}
}

// hourKey names a record in its day.
type hourKey struct {
	hour uint8 // of the day, UTC
	schemas.Schedule
}

// all yields the numbers of the set, ascending.
func (b bits) all(yield func(uint32) bool) {
	for n := range uint32(len(b)) * 8 {
		if b.has(n) && !yield(n) {
			return
		}
	}
}

// record is what is known of one meter and hour under one schedule. Merging is
// commutative, associative and idempotent: planned, read, late, refilled and asked are
// unions, and a slot has the loss of the highest rank. Only a count from the store takes
// anything back.
type record struct {
	planned bits // empty: nobody has told
	// presumed are the planned slots of which no account tells: those between two
	// accounts. A slot that any account tells of is not presumed any more.
	presumed             bits
	read, late, refilled bits
	loss                 []uint8 // rank by slot number; 0: none
	asked                bool    // the collector was asked to refill what it can
}

func (r *record) merge(o *record) {
	if len(r.presumed)+len(o.presumed) > 0 {
		told := r.told()
		r.presumed.or(o.presumed)
		r.presumed = r.presumed.without(told).without(o.told())
	}
	r.planned.or(o.planned)
	r.read.or(o.read)
	r.late.or(o.late)
	r.refilled.or(o.refilled)
	for n, rank := range o.loss {
		r.lose(uint32(n), rank)
	}
	r.asked = r.asked || o.asked
}

// told are the planned slots that accounts tell of.
func (r *record) told() bits { return r.planned.without(r.presumed) }

// lose gives a slot a loss, unless it has one of a higher rank.
func (r *record) lose(n uint32, rank uint8) {
	if rank == 0 {
		return
	}
	for uint32(len(r.loss)) <= n {
		r.loss = append(r.loss, 0)
	}
	r.loss[n] = max(r.loss[n], rank)
}

// slotState is what a planned slot counts as.
type slotState uint8

const (
	isReceived slotState = iota
	isRefilled
	isLost
	isUnknown
)

// state says what slot n counts as; rank is that of its loss.
func (r *record) state(n uint32) (s slotState, rank uint8) {
	switch {
	case r.read.has(n):
		return isReceived, 0
	case r.refilled.has(n):
		return isRefilled, 0
	case n < uint32(len(r.loss)) && r.loss[n] > 0:
		return isLost, r.loss[n]
	}
	return isUnknown, 0
}

// Counts are slots. Expected is always Received + Refilled + the sum of Lost + Unknown,
// and Late is a part of Received.
type Counts struct {
	Expected, Received, Late, Refilled, Unknown int64
	Lost                                        map[Reason]int64
}

// Missing counts the slots without a reading.
func (c *Counts) Missing() int64 { return c.Expected - c.Received - c.Refilled }

// TotalLost adds up Lost.
func (c *Counts) TotalLost() (n int64) {
	for _, k := range c.Lost {
		n += k
	}
	return n
}

// Add adds o to c.
func (c *Counts) Add(o *Counts) {
	c.Expected += o.Expected
	c.Received += o.Received
	c.Late += o.Late
	c.Refilled += o.Refilled
	c.Unknown += o.Unknown
	for reason, n := range o.Lost {
		c.lose(reason, n)
	}
}

func (c *Counts) lose(reason Reason, n int64) {
	if c.Lost == nil {
		c.Lost = make(map[Reason]int64)
	}
	c.Lost[reason] += n
}

// count counts the planned slots of a window.
func (r *record) count(w window) (c Counts) {
	for n := range r.planned.all {
		if n < w.from || n >= w.end {
			continue
		}
		c.Expected++
		switch s, rank := r.state(n); s {
		case isReceived:
			c.Received++
			if r.late.has(n) {
				c.Late++
			}
		case isRefilled:
			c.Refilled++
		case isLost:
			c.lose(reasonOf(rank), 1)
		default:
			c.Unknown++
		}
	}
	return c
}

// window is the slots from <= n < end of an hour.
type window struct{ from, end uint32 }

var wholeHour = window{0, schemas.MaxSlots}

// short counts the planned slots without a reading.
func (r *record) short() (n int64) {
	for i := range r.planned.all {
		if !r.read.has(i) && !r.refilled.has(i) {
			n++
		}
	}
	return n
}

// wants reports whether the collector is to be asked for a refill: something was in the
// store, or on its way, that the collector believes to have delivered.
func (r *record) wants() bool {
	if r.asked {
		return false
	}
	for i := range r.planned.all {
		if s, rank := r.state(i); s == isLost && reasonOf(rank).refillable() {
			return true
		}
	}
	return false
}

// refillable reports whether a collector that is asked looks in its meters' memories for
// what it does not know to be missing.
func (r Reason) refillable() bool {
	return r == StoreLost || r == Reason(schemas.LossAge) || r == Reason(schemas.LossFull)
}

// day is the hours of one meter and day.
type day map[hourKey]*record

func (d day) of(k hourKey) *record {
	r := d[k]
	if r == nil {
		r = &record{}
		d[k] = r
	}
	return r
}

func (d day) merge(o day) {
	for k, r := range o {
		d.of(k).merge(r)
	}
}

func (d day) sums() (short, wanted int64) {
	for _, r := range d {
		short += r.short()
		if r.wants() {
			wanted++
		}
	}
	return short, wanted
}

// keys are those of the day in the order of time.
func (d day) keys() []hourKey {
	list := make([]hourKey, 0, len(d))
	for k := range d {
		list = append(list, k)
	}
	slices.SortFunc(list, hourKey.order)
	return list
}

func (k hourKey) order(l hourKey) int {
	for _, pair := range [...][2]int64{{int64(k.hour), int64(l.hour)}, {int64(k.Interval), int64(l.Interval)}, {int64(k.Offset), int64(l.Offset)}} {
		if pair[0] != pair[1] {
			return int(max(-1, min(1, pair[0]-pair[1])))
		}
	}
	return 0
}
