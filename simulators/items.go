package simulators

import (
	"fmt"
	"math"
	"time"

	"citygrid/schemas"
)

// octets is the format of a number in bytes, low byte first, as DL/T 645 and
// CJ/T 188 have them.
type octets struct {
	// di is the identifier of the item that the bytes stand in, at and size
	// where in its data.
	di       uint32
	at, size int
	// binary: an unsigned number; else two decimal digits a byte, the topmost bit
	// of which is the sign when signed.
	binary, signed bool
	absent         []uint64
	// shift is the exponent of the last digit in the unit of the quantity, scale
	// the same in millionths.
	shift int
	scale int64
	// unit, when not 0, is the byte that follows and names the unit.
	unit byte
}

// signBit is the sign in the topmost byte of a signed number.
const signBit = 0x80

// ready fills in the scale.
func (o *octets) ready() error {
	exponent := o.shift + microDigits
	if exponent < 0 {
		return fmt.Errorf("item %X: shift %d is finer than the millionths that the simulator keeps", o.di, o.shift)
	}
	o.scale = 1
	for range exponent {
		if o.scale > math.MaxInt64/10 {
			return fmt.Errorf("item %X: shift %d is too large to simulate", o.di, o.shift)
		}
		o.scale *= 10
	}
	return nil
}

// limit is the first number that the digits cannot show.
func (o *octets) limit() int64 {
	if o.binary {
		return 1 << (8 * min(o.size, 7))
	}
	limit := int64(1)
	for range 2*o.size - 1 {
		limit *= 10
	}
	if o.signed {
		return 8 * limit // the sign takes the topmost bit of the topmost digit
	}
	return 10 * limit
}

// number is truth at the resolution of the digits, cut towards zero as meters
// do; an unsigned one goes round, and shows zero for what is below.
func (o *octets) number(truth int64) int64 {
	n := truth / o.scale
	if !o.signed {
		n = max(n, 0)
	}
	n %= o.limit()
	for _, a := range o.absent {
		if o.bits(n) == a {
			n ^= 1 // the meter must not say "not available" by accident
		}
	}
	return n
}

// bits returns the bytes as one number, the last on the wire most significant.
func (o *octets) bits(n int64) uint64 {
	if o.binary {
		return uint64(n)
	}
	negative := n < 0
	if negative {
		n = -n
	}
	packed := packDigits(uint64(n), 2*o.size)
	if negative {
		packed |= signBit << (8 * (o.size - 1))
	}
	return packed
}

// packDigits returns so many decimal digits of n, four bits each.
func packDigits(n uint64, digits int) uint64 {
	var packed uint64
	for i := range digits {
		packed |= n % 10 << (4 * i)
		n /= 10
	}
	return packed
}

// noValueBits finds how a gauge can say that it has no value: the maker's code,
// or a digit above nine.
func (f *field) noValueBits(info schemas.QuantityInfo) {
	if info.Kind != schemas.Gauge {
		return
	}
	switch o := &f.octets; {
	case len(o.absent) > 0:
		f.reason, f.absentBits = schemas.ReasonSentinel, o.absent[0]
	case !o.binary:
		f.reason, f.absentBits = schemas.ReasonBadBCD, math.MaxUint64
	}
}

// put writes the field into its item. A status byte that several fields share
// gets the bits of each.
func (o *octets) put(item []byte, b uint64) {
	for i := range o.size {
		if k := o.at + i; k < len(item) {
			item[k] |= byte(b >> (8 * i))
		}
	}
	if k := o.at + o.size; o.unit != 0 && k < len(item) {
		item[k] = o.unit
	}
}

// items is the face of a meter whose data have identifiers.
type items struct {
	// wire is the address as it goes over the wire, low byte first.
	wire []byte
	// sizes gives the length of each item of fields or records.
	sizes map[uint32]int
	// clock, serial and settlement are the identifiers of what no field names.
	clock              clockItems
	serial, settlement uint32
	settlements        int // how many settlement days the meter may have
	// lowFirst: CJ/T 188-2018 sends identifiers low byte first.
	lowFirst bool
}

// clockItems are the identifiers of the date, the time, and both; 0 where the
// meter has none. within is the offset of both in its item.
type clockItems struct {
	date, time, both uint32
	within           int
}

// parseAddress returns the digits of a plate as bytes, low byte first.
func parseAddress(digits string, size int) ([]byte, error) {
	if len(digits) != 2*size {
		return nil, fmt.Errorf("address %q: want %d digits", digits, 2*size)
	}
	wire := make([]byte, size)
	for i, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return nil, fmt.Errorf("address %q: want decimal digits", digits)
		}
		wire[size-1-i/2] = wire[size-1-i/2]<<4 | (c - '0')
	}
	return wire, nil
}

// addItem adds a field to the lengths of its item.
func (m *Meter) addItem(o octets) {
	end := o.at + o.size
	if o.unit != 0 {
		end++
	}
	m.sizes[o.di] = max(m.sizes[o.di], end)
}

// shareWords links each status word of a list with the states that stand in it.
func shareWords(fields []field, masks []uint16) {
	for i := range fields {
		word := &fields[i]
		if !word.isWord() {
			continue
		}
		for k := range fields {
			s := &fields[k]
			by := s.octets.at - word.octets.at
			if s.stateRaw == nil || s.octets.di != word.octets.di || by < 0 || by >= word.octets.size {
				continue
			}
			mask := wordMask(masks[k]) & (s.octets.limit() - 1) << (8 * by)
			word.within = append(word.within, stateBits{state: s, mask: mask, shift: 8 * by})
		}
	}
}

// appendLive appends the data of an item of the meter's fields; ok is false when
// it has none of that identifier.
func (m *Meter) appendLive(dst []byte, di uint32, t time.Time) (out []byte, ok bool) {
	from := len(dst)
	in := m.instant(m.stepOf(t))
	for i := range m.fields {
		f := &m.fields[i]
		if f.octets.di != di {
			continue
		}
		if !ok {
			dst, ok = append(dst, make([]byte, m.sizes[di])...), true
		}
		b := f.absentBits
		if !m.hasNoValue(i, in) {
			b = uint64(f.raw(m.shown(i, in)))
			if f.stateRaw == nil {
				b = f.octets.bits(int64(b))
			}
		}
		f.octets.put(dst[from:], b)
	}
	return dst, ok
}

// raw is the number in the digits, or the bits of a state.
func (f *field) raw(truth int64) int64 {
	if f.stateRaw != nil {
		return f.stateNumber(truth)
	}
	if f.wraps > 0 {
		truth %= f.wraps
	}
	return f.octets.number(truth)
}

// appendRecord appends the data of an item of the meter's dated records: known
// is false when no such item exists, and nothing is appended when the meter
// does not hold the record.
func (m *Meter) appendRecord(dst []byte, s *series, di uint32, t time.Time) (out []byte, known bool) {
	if s == nil {
		return dst, false
	}
	from := len(dst)
	for i := range s.fields {
		f := &s.fields[i]
		n := int64(di) - int64(f.octets.di) + 1
		if n < 1 || n > int64(s.kept) {
			continue
		}
		r, ok := m.record(s, int(n), t)
		if !ok {
			return dst[:from], true
		}
		if !known {
			dst, known = append(dst, make([]byte, m.sizes[f.octets.di])...), true
		}
		truth := f.signal(m, m.instant(m.stepOf(r.made)))
		f.octets.put(dst[from:], f.octets.bits(f.raw(truth)))
	}
	return dst, known
}

// appendDigits appends a number below 100 as one byte of two digits.
func appendDigits(dst []byte, values ...int) []byte {
	for _, v := range values {
		dst = append(dst, byte(v/10%10<<4|v%10))
	}
	return dst
}

// sum8 is the checksum of both standards: all bytes from the first 68.
func sum8(b []byte) byte {
	var sum byte
	for _, c := range b {
		sum += c
	}
	return sum
}
