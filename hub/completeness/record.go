package completeness

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

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
	// its way, waits in a spool, or was destroyed with one.
	Unknown Reason = "unknown"
	// NoWord: the collector has said nothing of that time.
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
	planned              bits // empty: nobody has told
	read, late, refilled bits
	loss                 []uint8 // rank by slot number; 0: none
	asked                bool    // the collector was asked to refill what it can
}

func (r *record) merge(o *record) {
	r.planned.or(o.planned)
	r.read.or(o.read)
	r.late.or(o.late)
	r.refilled.or(o.refilled)
	for n, rank := range o.loss {
		r.lose(uint32(n), rank)
	}
	r.asked = r.asked || o.asked
}

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

// formatDay is the first byte of a row's hours.
const formatDay = 1

// flags of a record.
const (
	flagWhole = 1 << iota // every planned slot was read, in time
	flagAsked
)

// encode writes a day: for each hour its schedule, what was planned, and sets of slots.
// An hour that was read in whole takes few bytes.
func (d day) encode() []byte {
	out := []byte{formatDay}
	for _, k := range d.keys() {
		r := d[k]
		flags := uint64(0)
		whole := r.isWhole()
		if whole {
			flags |= flagWhole
		}
		if r.asked {
			flags |= flagAsked
		}
		for _, n := range []uint64{uint64(k.hour), uint64(k.Interval.Milliseconds()), uint64(k.Offset.Milliseconds()), flags} {
			out = binary.AppendUvarint(out, n)
		}
		out = appendRuns(out, r.planned)
		if whole {
			continue
		}
		for _, b := range []bits{r.read, r.late, r.refilled} {
			out = append(binary.AppendUvarint(out, uint64(len(b))), b...)
		}
		out = r.appendLoss(out)
	}
	return out
}

// isWhole reports whether what is planned was read in time, and nothing else is known.
func (r *record) isWhole() bool {
	if len(r.planned) == 0 || len(r.late) > 0 || len(r.refilled) > 0 || r.short() > 0 {
		return false
	}
	for n := range r.read.all {
		if !r.planned.has(n) {
			return false
		}
	}
	return true
}

// appendRuns writes a set as runs: how many, and for each how many numbers it leaves out
// and holds. Most hours are one run.
func appendRuns(out []byte, b bits) []byte {
	var runs []uint64
	next, last := uint32(0), uint32(0)
	for n := range b.all {
		if len(runs) == 0 || n > last+1 {
			runs = append(runs, uint64(n-next), 0)
		}
		runs[len(runs)-1]++
		last, next = n, n+1
	}
	out = binary.AppendUvarint(out, uint64(len(runs)/2))
	for _, n := range runs {
		out = binary.AppendUvarint(out, n)
	}
	return out
}

// appendLoss writes the losses as runs.
func (r *record) appendLoss(out []byte) []byte {
	var runs []byte
	n := uint64(0)
	for i := 0; i < len(r.loss); {
		end := i + 1
		for end < len(r.loss) && r.loss[end] == r.loss[i] {
			end++
		}
		runs = append(binary.AppendUvarint(runs, uint64(end-i)), r.loss[i])
		n++
		i = end
	}
	return append(binary.AppendUvarint(out, n), runs...)
}

var errDamaged = errors.New("a row of completeness_days is damaged; restore the database from the back-up")

// decodeDay reads what encode wrote.
func decodeDay(data []byte) (day, error) {
	r := reader{data: data}
	if r.byte() != formatDay {
		return nil, errDamaged
	}
	d := make(day)
	for len(r.data) > 0 && !r.bad {
		k := hourKey{hour: uint8(r.below(24))}
		k.Interval = time.Duration(r.below(uint64(schemas.MaxInterval/time.Millisecond)+1)) * time.Millisecond
		k.Offset = time.Duration(r.below(uint64(schemas.MaxInterval/time.Millisecond))) * time.Millisecond
		flags := r.below(4)
		one := &record{planned: r.runs(), asked: flags&flagAsked != 0}
		if flags&flagWhole != 0 {
			one.read = slices.Clone(one.planned)
		} else {
			one.read, one.late, one.refilled = r.bits(), r.bits(), r.bits()
			r.losses(one)
		}
		d[k] = one
	}
	if r.bad {
		return nil, errDamaged
	}
	return d, nil
}

const slotBound = uint64(schemas.MaxSlots)

// reader takes a row apart; what is wrong sticks.
type reader struct {
	data []byte
	bad  bool
}

func (r *reader) byte() byte {
	if r.bad || len(r.data) == 0 {
		r.bad = true
		return 0
	}
	b := r.data[0]
	r.data = r.data[1:]
	return b
}

// below reads a number that is less than limit.
func (r *reader) below(limit uint64) uint64 {
	n, size := binary.Uvarint(r.data)
	if r.bad || size <= 0 || n >= limit {
		r.bad = true
		return 0
	}
	r.data = r.data[size:]
	return n
}

func (r *reader) runs() (b bits) {
	next := uint64(0)
	for runs := r.below(slotBound + 1); runs > 0 && !r.bad; runs-- {
		next += r.below(slotBound)
		n := r.below(slotBound + 1)
		if next+n > slotBound {
			r.bad = true
			return nil
		}
		for ; n > 0; n-- {
			b.set(uint32(next))
			next++
		}
	}
	return b
}

func (r *reader) bits() bits {
	n := r.below(slotBound/8 + 1)
	if r.bad || n > uint64(len(r.data)) {
		r.bad = true
		return nil
	}
	b := bits(slices.Clone(r.data[:n]))
	r.data = r.data[n:]
	return b
}

func (r *reader) losses(one *record) {
	for runs := r.below(slotBound + 1); runs > 0 && !r.bad; runs-- {
		n := r.below(slotBound + 1)
		rank := r.byte()
		if uint64(len(one.loss))+n > slotBound {
			r.bad = true
			return
		}
		for ; n > 0; n-- {
			one.loss = append(one.loss, rank)
		}
	}
}
