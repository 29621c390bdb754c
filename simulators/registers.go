package simulators

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// registers is the Modbus face of a meter.
type registers struct {
	// cells are the parts of all fields in the order of their registers.
	cells    []cell
	readable []profiles.Span
}

// cell is a part of a field at its registers.
type cell struct{ field, part int }

// Exception is a Modbus exception code; 0 is none [Modbus V1.1b3 7].
type Exception uint8

// The exceptions that the simulator answers with.
const (
	IllegalFunction Exception = 0x01
	IllegalAddress  Exception = 0x02
	IllegalValue    Exception = 0x03
	DeviceFailure   Exception = 0x04
	DeviceBusy      Exception = 0x06
	GatewayTimeout  Exception = 0x0B
)

// faceModbus makes ready the fields and registers of a Modbus meter.
func (m *Meter) faceModbus() error {
	m.model, m.medium = m.Profile.ID, m.Profile.Medium
	if m.Unit < 1 || m.Unit > maxUnit {
		return fmt.Errorf("unit %d is not in 1 to %d", m.Unit, maxUnit)
	}
	for _, f := range m.Profile.Fields {
		compiled, err := newField(f)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Quantity, err)
		}
		m.fields = append(m.fields, compiled)
	}
	for i := range m.fields {
		f := &m.fields[i]
		if !f.isWord() {
			continue
		}
		place := m.Profile.Fields[i].Parts[0]
		for k, other := range m.Profile.Fields {
			if p := other.Parts[0]; m.fields[k].stateRaw != nil && p.Function == place.Function && p.At == place.At {
				f.within = append(f.within, stateBits{state: &m.fields[k], mask: wordMask(other.Mask)})
			}
		}
	}
	m.layCells()
	return nil
}

func newField(f profiles.Field) (field, error) {
	out, info, err := fieldOf(f.Quantity, f.WrapsAt)
	if err != nil {
		return out, err
	}
	for i, p := range f.Parts {
		compiled, err := newPart(p, i == len(f.Parts)-1)
		if err != nil {
			return out, err
		}
		out.parts = append(out.parts, compiled)
	}
	if info.Kind == schemas.State {
		out.stateRaw = stateRaws(f.States, len(info.States))
	}
	out.noValue(info)
	return out, nil
}

// layCells sorts the parts by register and finds the readable ranges: wanted
// registers, and the gaps between them that the profile lets be read across.
func (m *Meter) layCells() {
	for i, f := range m.fields {
		for j := range f.parts {
			m.cells = append(m.cells, cell{i, j})
		}
	}
	slices.SortFunc(m.cells, func(a, b cell) int {
		pa, pb := m.part(a), m.part(b)
		return cmp.Or(cmp.Compare(pa.Function, pb.Function), cmp.Compare(pa.At, pb.At))
	})
	for _, c := range m.cells {
		p := m.part(c)
		if n := len(m.readable); n > 0 {
			last := &m.readable[n-1]
			gap := int(p.At) - int(last.To) - 1
			if last.Function == p.Function && gap <= m.Profile.MaxGap && !m.holeBetween(last.To, p.Part) {
				last.To = max(last.To, p.Last())
				continue
			}
		}
		m.readable = append(m.readable, profiles.Span{Function: p.Function, From: p.At, To: p.Last()})
	}
}

func (m *Meter) holeBetween(to uint16, p profiles.Part) bool {
	return slices.ContainsFunc(m.Profile.Holes, func(h profiles.Span) bool {
		return h.Function == p.Function && h.From < p.At && h.To > to
	})
}

func (m *Meter) part(c cell) *part { return &m.fields[c.field].parts[c.part] }

// bits returns the content of a cell's registers.
func (m *Meter) bits(c cell, in instant) uint64 {
	f := &m.fields[c.field]
	if c.part == 0 && m.hasNoValue(c.field, in) {
		return f.absentBits
	}
	p := &f.parts[c.part]
	return p.bits(f.number(c.part, m.shown(c.field, in)))
}

// Registers returns the registers [at, at+count) of function fn as they are at
// t, or the exception that the meter answers instead. Registers that the
// profile does not name but lets be read across are 0.
func (m *Meter) Registers(fn uint8, at, count uint16, t time.Time) ([]uint16, Exception) {
	raw, exception := m.AppendRegisters(nil, fn, at, count, t)
	if exception != 0 {
		return nil, exception
	}
	words := make([]uint16, count)
	for i := range words {
		words[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
	}
	return words, 0
}

// AppendRegisters is Registers in the form of the wire: big-endian words
// appended to dst. It allocates nothing when dst has room.
func (m *Meter) AppendRegisters(dst []byte, fn uint8, at, count uint16, t time.Time) ([]byte, Exception) {
	if exception := m.refuses(fn, at, count); exception != 0 {
		return dst, exception
	}
	from := len(dst)
	for range count {
		dst = append(dst, 0, 0)
	}
	out := dst[from:]
	in := m.instant(m.stepOf(t))
	first, _ := slices.BinarySearchFunc(m.cells, int(fn)<<16|int(at), func(c cell, want int) int {
		p := m.part(c)
		return cmp.Compare(int(p.Function)<<16|int(p.Last()), want)
	})
	for _, c := range m.cells[first:] {
		p := m.part(c)
		if p.Function != fn || int(p.At) >= int(at)+int(count) {
			break
		}
		b := m.bits(c, in)
		for i := range p.Words {
			if k := int(p.At) + i - int(at); k >= 0 && k < int(count) {
				// Two states may share a word: each adds its own bits.
				w := p.word(b, i)
				out[2*k] |= byte(w >> 8)
				out[2*k+1] |= byte(w)
			}
		}
	}
	return dst, 0
}

// refuses returns the exception for a request that the meter cannot serve.
func (m *Meter) refuses(fn uint8, at, count uint16) Exception {
	if fn != 3 && fn != 4 {
		return IllegalFunction
	}
	if count < 1 || int(count) > m.Profile.MaxRegisters {
		return IllegalValue
	}
	for _, r := range m.readable {
		if r.Function == fn && at >= r.From && int(at)+int(count)-1 <= int(r.To) {
			return 0
		}
	}
	return IllegalAddress
}
