package simulators

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	dlt645 "citygrid/adapters/dlt645/profiles"
	"citygrid/schemas"
)

// Parts of a frame that DL/T 645 and CJ/T 188 share.
const (
	frameBegin  = 0x68
	frameEnd    = 0x16
	wakeUp      = 0xFE
	maxPreamble = 4
	wildcard    = 0xAA // in an address: any byte
	fromSlave   = 0x80 // control code: an answer
	refusal     = 0x40 // control code: of an error
)

// The DL/T 645 frame: 68, address, 68, control, length, data, checksum, 16
// [DL/T 645-2007 5.2].
const (
	dltAddress = 6
	dltControl = 8 // offset of the control code
	dltHead    = 10
	dltTail    = 2
	dltBias    = 0x33 // added to each byte of data
	dltMaxData = 200
	dltMore    = 0x20 // control code: the rest is to be asked for
)

// The control codes [DL/T 645-2007 5.2.4.4 and 7, DL/T 645-1997].
const (
	dltRead        = 0x11
	dltReadNext    = 0x12
	dltReadAddress = 0x13
	dltRead97      = 0x01
	dltReadNext97  = 0x02
)

// Error bits of a refusal.
const (
	dltNoSuchData    = 1 << 1
	dltNotAuthorised = 1 << 2
)

// dltAddressItem holds the address, of every meter [DL/T 645-2007 A.6].
const dltAddressItem = 0x04000401

// faceDLT645 makes ready the items of a DL/T 645 meter.
func (m *Meter) faceDLT645() (err error) {
	p := m.DLT645
	m.model, m.medium = p.ID, p.Medium
	if m.wire, err = parseAddress(m.Address, dltAddress); err != nil {
		return err
	}
	if p.Edition != 2007 && p.Edition != 1997 {
		return fmt.Errorf("edition %d; want 2007 or 1997", p.Edition)
	}
	// A data field with one byte of data beside identifier and sequence.
	if least := m.identifierSize() + 2; m.MaxData != 0 && (m.MaxData < least || m.MaxData > dltMaxData) {
		return fmt.Errorf("answers of at most %d bytes; want %d to %d", m.MaxData, least, dltMaxData)
	}
	m.sizes = map[uint32]int{}
	if m.fields, err = m.fieldsDLT645(p.Fields); err != nil {
		return err
	}
	m.serial = p.Serial
	if c := p.Clock; c != nil {
		m.clock = clockItems{date: c.DateDI, time: c.TimeDI, both: c.BothDI}
	}
	if m.daily, err = m.seriesDLT645(schemas.DailyFreeze, p.Daily); err != nil {
		return err
	}
	m.monthly, err = m.seriesDLT645(schemas.MonthlyFreeze, p.Monthly)
	return err
}

func (m *Meter) fieldsDLT645(list []dlt645.Field) ([]field, error) {
	var fields []field
	masks := make([]uint16, len(list))
	for i, f := range list {
		out, info, err := fieldOf(f.Quantity, f.WrapsAt)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Quantity, err)
		}
		out.octets = octets{di: f.DI, at: f.At, size: f.Bytes, shift: f.Shift, absent: f.Absent,
			binary: f.Format == dlt645.Bits, signed: f.Format == dlt645.SignedBCD}
		if err := out.octets.ready(); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Quantity, err)
		}
		if info.Kind == schemas.State {
			out.stateRaw = stateRaws(f.States, len(info.States))
		}
		out.noValueBits(info)
		// Digits that are all F mean "not available" to this protocol; every
		// second field has but one bad digit.
		if out.reason == schemas.ReasonBadBCD && i%2 == 0 {
			out.reason = schemas.ReasonSentinel
		} else if out.reason == schemas.ReasonBadBCD {
			out.absentBits = 0xA
		}
		m.addItem(out.octets)
		fields, masks[i] = append(fields, out), f.Mask
	}
	shareWords(fields, masks)
	return fields, nil
}

func (m *Meter) seriesDLT645(origin schemas.Origin, f *dlt645.Freeze) (*series, error) {
	if f == nil {
		return nil, nil
	}
	fields, err := m.fieldsDLT645(f.Fields)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", origin, err)
	}
	s := &series{origin: origin, kept: f.Kept, fields: fields, stamps: f.TimeDI}
	if f.DayDI != 0 {
		m.settlement, m.settlements = f.DayDI, f.Days
		s.days = settlementDays(m.Seed, f.Days)
	} else if origin == schemas.MonthlyFreeze {
		s.days = settlementDays(m.Seed, 1)
	}
	return s, nil
}

// identifierSize is how many bytes an identifier has.
func (m *Meter) identifierSize() int {
	if m.DLT645.Edition == 1997 {
		return 2
	}
	return 4
}

// slave645 is DL/T 645 on a line.
type slave645 struct {
	meters []*Meter
	// rest is what each meter has still to send of its last answer: it does not
	// change while it is being read.
	mu   sync.Mutex
	rest map[*Meter]rest
}

// rest is an answer too long for one frame.
type rest struct {
	di   uint32
	data []byte
	sent int // 1997: the frames carry no number
}

// NewDLT645 returns the DL/T 645 side of meters. Meters of another protocol, and
// two of one address, are an error. Where a wildcard means several meters, they
// answer at once and their bits collide.
func NewDLT645(meters ...*Meter) (Slave, error) {
	s := &slave645{meters: meters, rest: map[*Meter]rest{}}
	for _, m := range meters {
		if m.DLT645 == nil {
			return nil, fmt.Errorf("DL/T 645 slave: meter %s has no profile of that protocol", m.ID)
		}
	}
	return s, uniqueAddresses("DL/T 645", meters)
}

func uniqueAddresses(protocol string, meters []*Meter) error {
	byAddress := map[string]*Meter{}
	for _, m := range meters {
		if other := byAddress[m.Address]; other != nil {
			return fmt.Errorf("%s slave: address %s is both %s and %s", protocol, m.Address, other.ID, m.ID)
		}
		byAddress[m.Address] = m
	}
	return nil
}

// Frame finds a request by its two 68, its length, checksum and end.
func (*slave645) Frame(b []byte) (skip, n int) {
	for skip := range b {
		if n := dltLength(b[skip:]); n > 0 {
			return skip, n
		}
	}
	return 0, 0
}

// dltLength returns the length of the whole and sound request that b begins
// with, else 0.
func dltLength(b []byte) int {
	if len(b) < dltHead+dltTail || b[0] != frameBegin || b[dltControl-1] != frameBegin || b[dltControl]&fromSlave != 0 {
		return 0
	}
	return sound(b, dltHead+int(b[dltHead-1])+dltTail)
}

// sound returns n when b begins with a frame of n bytes whose checksum and end
// are right, else 0.
func sound(b []byte, n int) int {
	if len(b) < n || b[n-1] != frameEnd || sum8(b[:n-2]) != b[n-2] {
		return 0
	}
	return n
}

// Answer gives data, a refusal, or nothing.
func (s *slave645) Answer(dst, frame []byte, t time.Time) []byte {
	if len(frame) == 0 || dltLength(frame) != len(frame) {
		return dst
	}
	from := len(dst)
	for _, m := range s.meters {
		if !m.Silent(t) && addressed(m.wire, frame[1:1+dltAddress]) {
			one := len(dst)
			dst = collide(s.answer(dst, m, frame, t), from, one)
		}
	}
	return dst
}

// addressed reports whether an address of a request means the meter.
func addressed(own, asked []byte) bool {
	for i, b := range asked {
		if b != own[i] && b != wildcard {
			return false
		}
	}
	return true
}

// collide lays the answer from one on over those before it, as a line does that
// two drive at once: a 0 wins.
func collide(dst []byte, from, one int) []byte {
	if one == from {
		return dst
	}
	second := slices.Clone(dst[one:])
	first := dst[from:one]
	for i := range min(len(first), len(second)) {
		first[i] &= second[i]
	}
	if len(second) > len(first) {
		return append(dst[:one], second[len(first):]...)
	}
	return dst[:one]
}

// answer appends what one meter says to a sound request.
func (s *slave645) answer(dst []byte, m *Meter, frame []byte, t time.Time) []byte {
	data := make([]byte, 0, 16)
	for _, b := range frame[dltHead : len(frame)-dltTail] {
		data = append(data, b-dltBias)
	}
	control := frame[dltControl]
	if m.DLT645.Edition == 1997 {
		switch control {
		case dltRead97:
			return s.read(dst, m, control, data, t)
		case dltReadNext97:
			return s.readNext(dst, m, control, data)
		case 0x04, 0x0A, 0x0C, 0x0F, 0x10: // writes
			return m.appendDLT645(dst, control|fromSlave|refusal, []byte{dltNotAuthorised})
		}
		return dst
	}
	switch control {
	case dltRead:
		return s.read(dst, m, control, data, t)
	case dltReadNext:
		return s.readNext(dst, m, control, data)
	case dltReadAddress:
		return m.appendDLT645(dst, control|fromSlave, m.wire)
	case 0x03, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x1B, 0x1C: // whatever would change the meter
		return m.appendDLT645(dst, control|fromSlave|refusal, []byte{dltNotAuthorised})
	}
	return dst
}

// read answers the request for an item: whole, or its first part.
func (s *slave645) read(dst []byte, m *Meter, control byte, data []byte, t time.Time) []byte {
	size := m.identifierSize()
	item, known := []byte(nil), false
	if len(data) == size {
		item, known = m.item645(data, identifier(data), t)
	}
	if !known {
		return m.appendDLT645(dst, control|fromSlave|refusal, []byte{dltNoSuchData})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rest, m)
	if len(item) <= m.maxData() {
		return m.appendDLT645(dst, control|fromSlave, item)
	}
	s.rest[m] = rest{di: identifier(data), data: item[size:], sent: 1}
	return m.appendDLT645(dst, control|fromSlave|dltMore, item[:size+m.chunk()])
}

// readNext answers the request for a further part. Its number, which the
// edition of 1997 does not have, stands behind the identifier on both ways.
func (s *slave645) readNext(dst []byte, m *Meter, control byte, data []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, size := s.rest[m], m.identifierSize()
	number, numbered := r.sent, size == 4
	if numbered && len(data) == size+1 {
		number = int(data[size])
	}
	from, chunk := number*m.chunk(), m.chunk()
	if len(data) < size || identifier(data[:size]) != r.di || number < 1 || from >= len(r.data) {
		return m.appendDLT645(dst, control|fromSlave|refusal, []byte{dltNoSuchData})
	}
	r.sent = number + 1
	s.rest[m] = r
	out := append(data[:size:size], r.data[from:min(from+chunk, len(r.data))]...)
	if numbered {
		out = append(out, byte(number))
	}
	if control |= fromSlave; from+chunk < len(r.data) {
		control |= dltMore
	}
	return m.appendDLT645(dst, control, out)
}

func (m *Meter) maxData() int {
	if m.MaxData == 0 {
		return dltMaxData
	}
	return m.MaxData
}

// chunk is how much of a long item goes into one frame, beside the identifier
// and the number.
func (m *Meter) chunk() int { return m.maxData() - m.identifierSize() - 1 }

// identifier reads the two or four bytes of an identifier, low byte first.
func identifier(b []byte) uint32 {
	if len(b) == 2 {
		return uint32(binary.LittleEndian.Uint16(b))
	}
	return binary.LittleEndian.Uint32(b)
}

// item645 appends the data of an item.
func (m *Meter) item645(dst []byte, di uint32, t time.Time) (out []byte, known bool) {
	if out, known = m.appendLive(dst, di, t); known {
		return out, true
	}
	if out, known = m.appendNamed(dst, di, t); known {
		return out, true
	}
	if out, known = m.appendPurchase(dst, di, t); known {
		return out, true
	}
	for _, s := range [...]*series{m.daily, m.monthly} {
		if out, known = m.appendRecord(dst, s, di, t); known {
			return out, len(out) > len(dst)
		}
		if n := int64(di) - int64(s.stampItem()) + 1; s.stampItem() != 0 && n >= 1 && n <= int64(s.kept) {
			r, ok := m.record(s, int(n), t)
			w := wall(r.stamp)
			return appendDigits(dst, w.Minute(), w.Hour(), w.Day(), int(w.Month()), w.Year()), ok
		}
	}
	return dst, false
}

// appendNamed appends the items that are no quantity: clock, numbers, the day of
// settlement.
func (m *Meter) appendNamed(dst []byte, di uint32, t time.Time) (out []byte, known bool) {
	w := wall(m.Clock(t))
	year, month, day := w.Year(), int(w.Month()), w.Day()
	switch {
	case di == 0:
		return dst, false
	case di == m.clock.date:
		return appendDigits(dst, int(w.Weekday()), day, month, year), true
	case di == m.clock.time:
		return appendDigits(dst, w.Second(), w.Minute(), w.Hour()), true
	case di == m.clock.both:
		return appendDigits(dst, w.Second(), w.Minute(), w.Hour(), int(w.Weekday()), day, month, year), true
	case di == m.serial:
		wire, _ := parseAddress(m.Serial(t), dltAddress)
		return append(dst, wire...), true
	case di >= m.settlement && di < m.settlement+uint32(m.settlements):
		if n := int(di - m.settlement); n < len(m.monthly.days) {
			return appendDigits(dst, m.monthly.days[n].hour, m.monthly.days[n].day), true
		}
		return appendDigits(dst, 99, 99), true // no such day
	case di == dltAddressItem && m.DLT645.Edition == 2007:
		return append(dst, m.wire...), true
	}
	return dst, false
}

// appendDLT645 appends a frame of the meter.
func (m *Meter) appendDLT645(dst []byte, control byte, data []byte) []byte {
	for range m.Preamble {
		dst = append(dst, wakeUp)
	}
	from := len(dst)
	dst = append(dst, frameBegin)
	dst = append(dst, m.wire...)
	dst = append(dst, frameBegin, control, byte(len(data)))
	for _, b := range data {
		dst = append(dst, b+dltBias)
	}
	return append(dst, sum8(dst[from:]), frameEnd)
}
