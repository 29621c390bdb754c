package simulators

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// MeterConfig is what a meter is a function of.
type MeterConfig struct {
	ID schemas.MeterID
	// Unit is the Modbus unit id, 1 to 247.
	Unit    uint8
	Profile *profiles.Profile
	Seed    uint64
	// Step is how long values stay the same; 0 means one second. Steps are
	// counted from the Unix epoch.
	Step time.Duration
	// Start is when the counters stood at their seeded first values. Earlier
	// moments show the values of the start.
	Start time.Time
	// Dead meters never answer.
	Dead bool
	// ResetAt, when set, is when every counter goes to zero and begins again.
	ResetAt time.Time
	// NoValue is the share of (gauge, minute) pairs for which the meter says
	// that it has no value, by sentinel, NaN or a bad digit.
	NoValue float64
}

// Meter is a simulated meter. What it shows is a pure function of its
// configuration and the time; it is safe for concurrent use.
type Meter struct {
	MeterConfig
	traits traits
	fields []field
	// cells are the parts of all fields in the order of their registers.
	cells    []cell
	readable []profiles.Span
	// usedAtReset is the relative consumption from Start to ResetAt.
	usedAtReset float64
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

// NewMeter returns the meter of a configuration. A quantity that the simulator
// cannot show is an error that names it.
func NewMeter(c MeterConfig) (*Meter, error) {
	if c.Step == 0 {
		c.Step = time.Second
	}
	switch {
	case c.Profile == nil:
		return nil, fmt.Errorf("simulated meter %s: no profile", c.ID)
	case c.Unit < 1 || c.Unit > 247:
		return nil, fmt.Errorf("simulated meter %s: unit %d is not in 1 to 247", c.ID, c.Unit)
	case c.Step < 0:
		return nil, fmt.Errorf("simulated meter %s: step %s is negative", c.ID, c.Step)
	}
	m := &Meter{MeterConfig: c}
	singlePhase := true
	for _, f := range c.Profile.Fields {
		compiled, err := newField(f)
		if err != nil {
			return nil, fmt.Errorf("simulated meter %s: profile %s: %s: %w", c.ID, c.Profile.ID, f.Quantity, err)
		}
		m.fields = append(m.fields, compiled)
		singlePhase = singlePhase && f.Quantity != "power.voltage.l2"
	}
	m.traits = newTraits(c.Profile.Medium, c.Seed, c.Start, singlePhase)
	m.nearWrap()
	m.layCells()
	if !c.ResetAt.IsZero() {
		_, m.usedAtReset = m.traits.curve.at(m.seconds(m.stepOf(c.ResetAt)))
	}
	return m, nil
}

func newField(f profiles.Field) (field, error) {
	out := field{quantity: f.Quantity, signal: signalOf(f.Quantity)}
	if out.signal == nil {
		return out, fmt.Errorf("the simulator has no such signal")
	}
	for i, p := range f.Parts {
		compiled, err := newPart(p, i == len(f.Parts)-1)
		if err != nil {
			return out, err
		}
		out.parts = append(out.parts, compiled)
	}
	if f.WrapsAt != nil {
		out.wraps = int64(f.WrapsAt.Float64() * micro)
	}
	info, _ := f.Quantity.Info()
	if info.Kind == schemas.State {
		out.stateRaw = stateRaws(f.States, len(info.States))
	}
	out.noValue(info)
	return out, nil
}

// stateRaws turns raw-to-code into code-to-raw, the lowest raw value where
// several mean the same.
func stateRaws(states map[uint16]uint8, codes int) []int32 {
	raws := make([]int32, codes)
	for i := range raws {
		raws[i] = -1
	}
	for raw, code := range states {
		if known := raws[code]; known < 0 || int32(raw) < known {
			raws[code] = int32(raw)
		}
	}
	return raws
}

// nearWrap puts every fourth meter whose counter goes round so near to the end
// that it does so between 2 and 30 minutes after the start.
func (m *Meter) nearWrap() {
	if h := mix(m.Seed, saltWrap); h%4 == 0 {
		for _, f := range m.fields {
			if f.wraps > 0 {
				hours := between(h, 2, 30) / 60
				m.traits.main = f.wraps - int64(hours*m.traits.perHour(m.Profile.Medium)*micro)
				return
			}
		}
	}
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

// stepOf returns the number of the step that t lies in.
func (m *Meter) stepOf(t time.Time) uint64 { return uint64(t.UnixNano() / int64(m.Step)) }

// seconds returns the time from Start to the beginning of a step, at least 0.
func (m *Meter) seconds(step uint64) float64 {
	return max(0, time.Duration(int64(step)*int64(m.Step)-m.Start.UnixNano()).Seconds())
}

func (m *Meter) instant(step uint64) instant {
	rate, integral := m.traits.curve.at(m.seconds(step))
	perSecond := m.traits.perHour(m.Profile.Medium) / 3600
	in := instant{step: step, rate: rate, used: integral * perSecond, usedCredit: integral * perSecond}
	if !m.ResetAt.IsZero() && step >= m.stepOf(m.ResetAt) {
		in.used = (integral - m.usedAtReset) * perSecond
		return in
	}
	in.main, in.minor, in.reactive, in.other = m.traits.main, m.traits.minor, m.traits.reactive, m.traits.other
	return in
}

// hasNoValue reports whether field i has no value in this minute.
func (m *Meter) hasNoValue(i int, in instant) bool {
	if m.NoValue == 0 || m.fields[i].reason == "" {
		return false
	}
	minute := uint64(time.Duration(in.step)*m.Step) / uint64(time.Minute)
	return unit(mix(mix(m.Seed, saltNoValue+uint64(i)<<8), minute)) < m.NoValue
}

// bits returns the content of a cell's registers.
func (m *Meter) bits(c cell, in instant) uint64 {
	f := &m.fields[c.field]
	if c.part == 0 && m.hasNoValue(c.field, in) {
		return f.absentBits
	}
	p := &f.parts[c.part]
	return p.bits(f.number(c.part, f.signal(m, in)))
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
