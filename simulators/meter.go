package simulators

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	cjt188 "citygrid/adapters/cjt188/profiles"
	dlt645 "citygrid/adapters/dlt645/profiles"
	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
	"citygrid/simulators/prepaid"
)

// MeterConfig is what a meter is a function of.
type MeterConfig struct {
	ID schemas.MeterID
	// Exactly one of the three profiles says which protocol the meter speaks.
	Profile *profiles.Profile
	DLT645  *dlt645.Profile
	CJT188  *cjt188.Profile
	// Unit is the Modbus unit id, 1 to 247.
	Unit uint8
	// Address is the number on the plate of the others, most significant digit
	// first: 12 digits for DL/T 645, 14 (A6 to A0) for CJ/T 188.
	Address string
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
	// Records in the meter's memory stay as they were.
	ResetAt time.Time
	// SwapAt, when set, is when another meter takes the place: another serial
	// number, other counter values, no records of the time before. The bus
	// address is the same: the fitter copied it.
	SwapAt time.Time
	// RebootAt and RebootFor: from the one, for as long as the other, the meter
	// is silent. It goes on counting.
	RebootAt  time.Time
	RebootFor time.Duration
	// ClockOffset is how far the meter's clock is ahead of the true time. From
	// ClockJumpAt on (when set), ClockJumpBy is added to it.
	ClockOffset, ClockJumpBy time.Duration
	ClockJumpAt              time.Time
	// Sound: nothing is wrong with what the meter stands for but its Troubles and
	// mishaps: no water flows from one to five in the night, nor ever back, no
	// valve or relay sticks, and the battery is full.
	Sound bool
	// Troubles are what goes wrong with it and its surroundings.
	Troubles []Trouble
	// NoValue is the share of (gauge, minute) pairs for which the meter says
	// that it has no value, by sentinel, NaN or a bad digit.
	NoValue float64
	// Glitch is the share of (counter, step) pairs for which the meter shows a
	// well-formed but wrong number, far from the right one (Meter.Glitched).
	Glitch float64
	// Preamble is how many bytes FE go before each answer, 0 to 4 [DL/T
	// 645-2007 5.2.5, CJ/T 188].
	Preamble int
	// MaxData is the longest data field of a DL/T 645 answer; what is longer
	// comes in several frames. 0 means 200, the most that the standard allows.
	MaxData int
	// Edition decides the order of a CJ/T 188 identifier where the profile
	// leaves it open: 2004 or 2018; 0: by Seed.
	Edition int
	// RefuseOrder makes a CJ/T 188 meter answer an identifier in the order of the
	// other edition with an error; without, it stays silent.
	RefuseOrder bool
	// UnitByte is the unit in which a CJ/T 188 meter shows volumes, energies or
	// flows [CJ/T 188-2004 table 13]; 0 means m3, kWh and m3/h (2C, 05, 35).
	UnitByte uint8
	// Account, when set, is what the meter's prepaid engine held over the time. The
	// meter then shows the engine's purse, count, purchases, switch and
	// consumption, and not those that it would make up from Seed.
	Account *prepaid.History
}

// Meter is a simulated meter. What it shows is a pure function of its
// configuration, its mishaps and the time; it is safe for concurrent use.
type Meter struct {
	MeterConfig
	medium schemas.Medium
	model  string // the profile's id
	traits traits
	// fields are what a read of the meter gives.
	fields []field
	// registers are its Modbus face, items its face of the other two.
	registers
	items
	// epochs are the meter's lives between swaps and resets, the first from the
	// start.
	epochs []epoch
	// daily and monthly are its dated records; nil without.
	daily, monthly *series
	// mishaps are what went wrong with it since; mu is held to add one.
	mu      sync.Mutex
	mishaps atomic.Pointer[[]mishap]
}

// NewMeter returns the meter of a configuration. A quantity that the simulator
// cannot show is an error that names it.
func NewMeter(c MeterConfig) (*Meter, error) {
	if c.Step == 0 {
		c.Step = time.Second
	}
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("simulated meter %s: %w", c.ID, err)
	}
	m := &Meter{MeterConfig: c}
	if err := m.face(); err != nil {
		return nil, fmt.Errorf("simulated meter %s: profile %s: %w", c.ID, m.model, err)
	}
	singlePhase := !slices.ContainsFunc(m.fields, func(f field) bool { return strings.HasSuffix(string(f.quantity), ".l2") })
	m.traits = newTraits(m.medium, c.Seed, c.Start, singlePhase)
	if slices.ContainsFunc(m.fields, func(f field) bool { return f.directed() && !f.showsSign() }) {
		m.traits.sign = 1 // it could only show that nothing flows
	}
	if c.Sound {
		m.traits.sign, m.traits.battery = 1, max(m.traits.battery, soundBattery)
	}
	if err := m.checkTroubles(); err != nil {
		return nil, fmt.Errorf("simulated meter %s: %w", c.ID, err)
	}
	m.nearWrap()
	m.live()
	return m, nil
}

// validate reports what no profile could mend.
func (c *MeterConfig) validate() error {
	faces := 0
	for _, given := range []bool{c.Profile != nil, c.DLT645 != nil, c.CJT188 != nil} {
		if given {
			faces++
		}
	}
	switch {
	case faces == 0:
		return fmt.Errorf("no profile")
	case faces > 1:
		return fmt.Errorf("%d profiles; a meter speaks one protocol", faces)
	case c.Step < 0:
		return fmt.Errorf("step %s is negative", c.Step)
	case c.Preamble < 0 || c.Preamble > maxPreamble:
		return fmt.Errorf("%d bytes FE before an answer; want 0 to %d", c.Preamble, maxPreamble)
	case c.NoValue < 0 || c.NoValue > 1 || c.Glitch < 0 || c.Glitch > 1:
		return fmt.Errorf("share without value %v, of glitches %v; want 0 to 1", c.NoValue, c.Glitch)
	case c.RebootFor < 0:
		return fmt.Errorf("a reboot of %s", c.RebootFor)
	}
	return nil
}

// face makes the meter ready for the one protocol that it speaks.
func (m *Meter) face() error {
	switch {
	case m.DLT645 != nil:
		return m.faceDLT645()
	case m.CJT188 != nil:
		return m.faceCJT188()
	}
	return m.faceModbus()
}

// Medium returns what the meter meters.
func (m *Meter) Medium() schemas.Medium { return m.medium }

// ProfileID returns the id of the meter's profile, of whatever protocol.
func (m *Meter) ProfileID() string { return m.model }

// Quantities returns what a read of the meter gives, in the profile's order.
func (m *Meter) Quantities() []schemas.Quantity {
	out := make([]schemas.Quantity, len(m.fields))
	for i := range m.fields {
		out[i] = m.fields[i].quantity
	}
	return out
}

// nearWrap puts every fourth meter whose counter goes round so near to the end
// that it does so between 2 and 30 minutes after the start.
func (m *Meter) nearWrap() {
	h := mix(m.Seed, saltWrap)
	if h%4 != 0 {
		return
	}
	for _, f := range m.fields {
		info, _ := f.quantity.Info()
		if f.wraps > 0 && info.Unit != "CNY" {
			hours := between(h, 2, 30) / 60
			m.traits.main = f.wraps - int64(hours*m.traits.perHour(m.medium)*micro)
			return
		}
	}
}

// stepOf returns the number of the step that t lies in.
func (m *Meter) stepOf(t time.Time) uint64 { return uint64(t.UnixNano() / int64(m.Step)) }

// seconds returns the time from Start to the beginning of a step, at least 0.
func (m *Meter) seconds(step uint64) float64 {
	return max(0, time.Duration(int64(step)*int64(m.Step)-m.Start.UnixNano()).Seconds())
}

// instant returns what all values of the meter have in common at a step.
func (m *Meter) instant(step uint64) instant {
	rate, integral := m.consumption(m.seconds(step))
	perSecond := m.traits.perHour(m.medium) / 3600
	life := m.epochs[0]
	for _, e := range m.epochs[1:] {
		if step >= e.from {
			life = e
		}
	}
	leak, leaked := m.leaking(life.from, step)
	back, ranBack := m.runningBack(life.from, step)
	return instant{
		step: step, rate: rate, leak: leak, back: back, ranBack: ranBack, levels: life.levels, bought: life.bought,
		used: (integral-life.integral)*perSecond + leaked, usedCredit: integral * perSecond,
	}
}

// hasNoValue reports whether field i has no value in this minute.
func (m *Meter) hasNoValue(i int, in instant) bool {
	if m.NoValue == 0 || m.fields[i].reason == "" {
		return false
	}
	minute := uint64(time.Duration(in.step)*m.Step) / uint64(time.Minute)
	return unit(mix(mix(m.Seed, saltNoValue+uint64(i)<<8), minute)) < m.NoValue
}

// glitches reports whether field i shows a wrong number at this step.
func (m *Meter) glitches(i int, in instant) bool {
	return m.Glitch > 0 && m.fields[i].counts && unit(mix(mix(m.Seed, saltGlitch+uint64(i)<<8), in.step)) < m.Glitch
}

// A wrong number is so far from the right one, in units of the counter.
const glitchFrom, glitchTo = 1000, 4000

// shown is the truth of field i as the meter believes it: with its glitches.
func (m *Meter) shown(i int, in instant) int64 {
	truth := m.truth(&m.fields[i], in)
	if !m.glitches(i, in) {
		return truth
	}
	h := mix(mix(m.Seed, saltGlitchBy+uint64(i)<<8), in.step)
	by := int64(between(h, glitchFrom, glitchTo)) * micro
	if h%2 == 0 && truth >= by {
		return truth - by
	}
	return truth + by
}

// truth is what is true of a field at an instant. A status word is the bits of
// its signal with those of the states that stand in the same word.
func (m *Meter) truth(f *field, in instant) int64 {
	v := f.signal(m, in)
	for _, s := range f.within {
		word := v / micro &^ s.mask
		v = (word | s.state.stateNumber(s.state.signal(m, in))<<s.shift) * micro
	}
	return v
}
