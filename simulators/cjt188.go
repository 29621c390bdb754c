package simulators

import (
	"fmt"
	"time"

	cjt188 "citygrid/adapters/cjt188/profiles"
	"citygrid/schemas"
)

// The CJ/T 188 frame: 68, type, address, control, length, data, checksum, 16.
// Data begin with the identifier and the sequence number [CJ/T 188-2004 6.2].
const (
	cjtAddress = 7
	cjtControl = 9 // offset of the control code
	cjtHead    = 11
	cjtTail    = 2
	cjtAsk     = 3 // identifier and sequence number
	cjtRead    = 0x01
	cjtReadAt  = 0x03 // read the address
	// cjtAddressItem is what the request for the address names.
	cjtAddressItem = 0x810A
)

// faceCJT188 makes ready the items of a CJ/T 188 meter.
func (m *Meter) faceCJT188() (err error) {
	p := m.CJT188
	m.model, m.medium = p.ID, p.Medium
	if m.wire, err = parseAddress(m.Address, cjtAddress); err != nil {
		return err
	}
	if m.lowFirst, err = m.sendsLowFirst(); err != nil {
		return err
	}
	m.sizes = map[uint32]int{}
	if m.fields, err = m.fieldsCJT188(p.Fields); err != nil {
		return err
	}
	if p.Monthly != nil {
		m.monthly = &series{origin: schemas.MonthlyFreeze, kept: p.Monthly.Kept, days: settlementDays(m.Seed, 1)}
		m.settlement = uint32(p.Monthly.DayDI)
		m.sizes[m.settlement] = 1
		if m.monthly.fields, err = m.fieldsCJT188(p.Monthly.Fields); err != nil {
			return fmt.Errorf("%s: %w", schemas.MonthlyFreeze, err)
		}
	}
	if c := p.Clock; c != nil {
		m.clock = clockItems{both: uint32(c.DI), within: c.At}
		m.sizes[m.clock.both] = max(m.sizes[m.clock.both], c.At+len("smhDMYC"))
	}
	for di, n := range p.Lengths {
		if n < m.sizes[uint32(di)] {
			return fmt.Errorf("item %04X has %d bytes of data, and its fields need %d", di, n, m.sizes[uint32(di)])
		}
		m.sizes[uint32(di)] = n
	}
	return nil
}

// sendsLowFirst decides the order of the two bytes of an identifier.
func (m *Meter) sendsLowFirst() (bool, error) {
	edition := m.CJT188.Edition
	if edition == 0 {
		edition = m.MeterConfig.Edition
	}
	switch edition {
	case 2004:
		return false, nil
	case 2018:
		return true, nil
	case 0:
		return mix(m.Seed, saltEdition)%2 == 0, nil
	}
	return false, fmt.Errorf("edition %d; want 2004 or 2018", edition)
}

func (m *Meter) fieldsCJT188(list []cjt188.Field) ([]field, error) {
	var fields []field
	masks := make([]uint16, len(list))
	for i, f := range list {
		out, info, err := fieldOf(f.Quantity, f.WrapsAt)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Quantity, err)
		}
		out.octets = octets{di: uint32(f.DI), at: f.At, size: f.Bytes, shift: f.Shift, absent: f.Absent, binary: f.Format == cjt188.Bits}
		if f.Format == cjt188.BCDUnit {
			code, exponent, ok := unitByte(info.Unit, m.UnitByte)
			if !ok {
				return nil, fmt.Errorf("%s: the standard has no unit byte for %s", f.Quantity, info.Unit)
			}
			out.octets.unit, out.octets.shift = code, f.Shift+exponent
		}
		if err := out.octets.ready(); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Quantity, err)
		}
		if info.Kind == schemas.State {
			out.stateRaw = stateRaws(f.States, len(info.States))
		}
		out.noValueBits(info)
		m.addItem(out.octets)
		fields, masks[i] = append(fields, out), f.Mask
	}
	shareWords(fields, masks)
	return fields, nil
}

// unitByte returns the byte that a meter puts behind a number of that unit, the
// wanted one if it is of that kind, and the exponent that it stands for
// [CJ/T 188-2004 table 13].
func unitByte(u schemas.Unit, wanted uint8) (code uint8, exponent int, ok bool) {
	type row struct {
		code     uint8
		exponent int
	}
	rows := map[schemas.Unit][]row{
		"m3":   {{0x2C, 0}, {0x29, -3}, {0x2A, -2}, {0x2B, -1}, {0x2D, 1}, {0x2E, 2}},
		"m3/h": {{0x35, 0}, {0x32, -3}, {0x33, -2}, {0x34, -1}, {0x36, 1}, {0x37, 2}},
		"kW.h": {{0x05, 0}, {0x02, -3}, {0x03, -2}, {0x04, -1}, {0x06, 1}, {0x07, 2}, {0x08, 3}},
	}[u]
	for _, r := range rows {
		if r.code == wanted {
			return r.code, r.exponent, true
		}
	}
	if len(rows) == 0 {
		return 0, 0, false
	}
	return rows[0].code, rows[0].exponent, true
}

// slave188 is CJ/T 188 on a line.
type slave188 struct{ meters []*Meter }

// NewCJT188 returns the CJ/T 188 side of meters. Meters of another protocol, and
// two of one address, are an error. Where a wildcard means several meters, they
// answer at once and their bits collide.
func NewCJT188(meters ...*Meter) (Slave, error) {
	for _, m := range meters {
		if m.CJT188 == nil {
			return nil, fmt.Errorf("CJ/T 188 slave: meter %s has no profile of that protocol", m.ID)
		}
	}
	return &slave188{meters}, uniqueAddresses("CJ/T 188", meters)
}

// Frame finds a request by its 68, its length, checksum and end.
func (*slave188) Frame(b []byte) (skip, n int) {
	for skip := range b {
		if n := cjtLength(b[skip:]); n > 0 {
			return skip, n
		}
	}
	return 0, 0
}

// cjtLength returns the length of the whole and sound request that b begins
// with, else 0.
func cjtLength(b []byte) int {
	if len(b) < cjtHead+cjtTail || b[0] != frameBegin || b[cjtControl]&fromSlave != 0 {
		return 0
	}
	return sound(b, cjtHead+int(b[cjtHead-1])+cjtTail)
}

// Answer gives data, a refusal, or nothing.
func (s *slave188) Answer(dst, frame []byte, t time.Time) []byte {
	if len(frame) == 0 || cjtLength(frame) != len(frame) {
		return dst
	}
	from := len(dst)
	for _, m := range s.meters {
		typed := frame[1] == m.CJT188.Type || frame[1] == wildcard
		if typed && !m.Silent(t) && addressed(m.wire, frame[2:2+cjtAddress]) {
			one := len(dst)
			dst = collide(m.answer188(dst, frame[cjtControl], frame[cjtHead:len(frame)-cjtTail], t), from, one)
		}
	}
	return dst
}

// answer188 appends what the meter says to a sound request.
func (m *Meter) answer188(dst []byte, control byte, data []byte, t time.Time) []byte {
	if len(data) < cjtAsk {
		return dst
	}
	high, low := uint32(data[0]), uint32(data[1])
	ours, theirs := high<<8|low, low<<8|high
	if m.lowFirst {
		ours, theirs = theirs, ours
	}
	switch {
	case control == cjtReadAt && (ours == cjtAddressItem || theirs == cjtAddressItem):
		// Meters are found by this one, so they take it in both orders.
		return m.appendCJT188(dst, control|fromSlave, data[:cjtAsk])
	case control == cjtRead && len(data) == cjtAsk:
		item, known := m.item188(append(make([]byte, 0, 64), data...), ours, t)
		if known {
			return m.appendCJT188(dst, control|fromSlave, item)
		}
		if _, other := m.item188(nil, theirs, t); other && !m.RefuseOrder {
			return dst
		}
	}
	// A refusal carries the sequence number and the status.
	return m.appendCJT188(dst, control|fromSlave|refusal, []byte{data[2], 0, 0})
}

// item188 appends the data of an item.
func (m *Meter) item188(dst []byte, di uint32, t time.Time) (out []byte, known bool) {
	if m.monthly != nil && di == m.settlement {
		out = appendDigits(dst, m.monthly.days[0].day)
		return append(out, make([]byte, m.sizes[di]-1)...), true
	}
	if out, known = m.appendRecord(dst, m.monthly, di, t); known {
		return out, len(out) > len(dst)
	}
	out, known = m.appendLive(dst, di, t)
	if known && di == purchaseItem {
		m.putStatus(out[len(dst):], t)
	}
	if c := m.clock; c.both == di && di != 0 {
		if !known {
			out, known = append(dst, make([]byte, m.sizes[di])...), true
		}
		w := wall(m.Clock(t))
		at := out[len(dst)+c.within:]
		appendDigits(at[:0], w.Second(), w.Minute(), w.Hour(), w.Day(), int(w.Month()), w.Year(), w.Year()/100)
	}
	return out, known
}

// purchaseItem is the item of the last purchase, which ends in the status word of
// the meter's data, item dataItem.
const (
	purchaseItem, purchaseSize = 0x8105, 1 + 3*4 + 2
	dataItem, dataSize         = 0x901F, 19
)

// putStatus writes the status word at the end of the item of the last purchase.
func (m *Meter) putStatus(item []byte, t time.Time) {
	data, ok := m.appendLive(nil, dataItem, t)
	if ok && len(item) == purchaseSize && len(data) == dataSize {
		copy(item[purchaseSize-2:], data[dataSize-2:])
	}
}

// appendCJT188 appends a frame of the meter.
func (m *Meter) appendCJT188(dst []byte, control byte, data []byte) []byte {
	for range m.Preamble {
		dst = append(dst, wakeUp)
	}
	from := len(dst)
	dst = append(dst, frameBegin, m.CJT188.Type)
	dst = append(dst, m.wire...)
	dst = append(dst, control, byte(len(data)))
	dst = append(dst, data...)
	return append(dst, sum8(dst[from:]), frameEnd)
}
