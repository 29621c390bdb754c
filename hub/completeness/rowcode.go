package completeness

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"citygrid/schemas"
)

// formatDay is the first byte of a row's hours.
const formatDay = 1

// flags of a record.
const (
	flagWhole = 1 << iota // every planned slot was read, in time
	flagAsked
	flagPresumed // some planned slots are presumed; they follow the planned ones
	flagsEnd
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
		if !r.presumed.none() {
			flags |= flagPresumed
		}
		for _, n := range []uint64{uint64(k.hour), uint64(k.Interval.Milliseconds()), uint64(k.Offset.Milliseconds()), flags} {
			out = binary.AppendUvarint(out, n)
		}
		out = appendRuns(out, r.planned)
		if flags&flagPresumed != 0 {
			out = appendRuns(out, r.presumed)
		}
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
		flags := r.below(flagsEnd)
		one := &record{planned: r.runs(), asked: flags&flagAsked != 0}
		if flags&flagPresumed != 0 {
			one.presumed = r.runs()
		}
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
