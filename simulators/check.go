package simulators

import (
	"fmt"
	"time"

	"citygrid/schemas"
)

// clockGrain is the resolution of Reading.TakenAt: the moment itself may be
// that much later.
const clockGrain = time.Millisecond

// Check returns nil when r is what the fleet's meter showed at some step in
// [r.TakenAt-window, r.TakenAt], or, for a reading from the meter's memory, what
// the record with that moment holds. Otherwise the error says what was expected
// and, where it can be told, whose value r carries: another quantity's,
// another meter's, or an older one. A value that the collector kept but marked
// as suspect is right when the value is; so is a glitch of the meter (Glitched).
func (f *Fleet) Check(r schemas.Reading, window time.Duration) error {
	m, ok := f.Meter(r.Meter)
	if !ok {
		return fmt.Errorf("meter %s: not of this fleet", r.Meter)
	}
	if err := r.Validate(); err != nil {
		return m.wrong(r, "%v", err)
	}
	if m.Dead {
		return m.wrong(r, "the meter is dead and never answered")
	}
	if r.Origin != schemas.Live {
		return f.checkKept(m, r)
	}
	i := fieldIndex(m.fields, r.Quantity)
	if i < 0 {
		return m.wrong(r, "the profile has no such quantity")
	}
	if m.Silent(r.TakenAt) && m.Silent(r.TakenAt.Add(-window)) {
		return m.wrong(r, "the meter was rebooting and did not answer")
	}
	from, to := m.window(r, window)
	if m.shows(i, r, from, to) {
		return nil
	}
	value, missing := m.expected(i, m.stepOf(r.TakenAt))
	return m.wrong(r, "expected %s, or a value of the %d steps before%s", orMissing(value, missing), to-from, f.whose(m, i, r, from, to))
}

// Glitched reports whether r carries a number that its meter showed by a glitch
// (MeterConfig.Glitch) in the window: right to report, wrong to call good.
func (f *Fleet) Glitched(r schemas.Reading, window time.Duration) bool {
	m, ok := f.Meter(r.Meter)
	if !ok || m.Glitch == 0 || r.Origin != schemas.Live {
		return false
	}
	i := fieldIndex(m.fields, r.Quantity)
	if i < 0 {
		return false
	}
	from, to := m.window(r, window)
	for step := from; step <= to; step++ {
		if m.glitches(i, m.instant(step)) && m.shows(i, r, step, step) {
			return true
		}
	}
	return false
}

// window returns the first and the last step that r may show.
func (m *Meter) window(r schemas.Reading, window time.Duration) (from, to uint64) {
	return m.stepOf(r.TakenAt.Add(-window)), m.stepOf(r.TakenAt.Add(clockGrain - 1))
}

// checkKept is Check for a reading from the meter's memory.
func (f *Fleet) checkKept(m *Meter, r schemas.Reading) error {
	s := m.seriesOf(r.Origin)
	if s == nil {
		return m.wrong(r, "the meter keeps no such records")
	}
	i := fieldIndex(s.fields, r.Quantity)
	if i < 0 {
		return m.wrong(r, "the meter's records have no such quantity")
	}
	made := m.madeAt(s, r.TakenAt)
	if len(made) == 0 {
		return m.wrong(r, "the meter made no record at that moment of its clock; the one before is of %s",
			s.before(r.TakenAt).UTC().Format(time.RFC3339))
	}
	for _, at := range made {
		if m.keeps(s, i, r, at) {
			return nil
		}
	}
	value, missing := m.kept(&s.fields[i], made[0])
	return m.wrong(r, "expected %s%s", orMissing(value, missing), m.whoseKept(s, i, r, made[0]))
}

// keeps reports whether field i of the record made at that moment is r.
func (m *Meter) keeps(s *series, i int, r schemas.Reading, made time.Time) bool {
	value, missing := m.kept(&s.fields[i], made)
	return missing == "" && r.HasValue() && r.Value.Cmp(value) == 0
}

// whoseKept guesses where a wrong value of a record came from.
func (m *Meter) whoseKept(s *series, i int, r schemas.Reading, made time.Time) string {
	for k := range s.fields {
		if k != i && m.keeps(s, k, r, made) {
			return fmt.Sprintf(" (that is its %s)", s.fields[k].quantity)
		}
	}
	at := made.Add(31 * 24 * time.Hour)
	for range 2*s.kept + 31 {
		other := m.newest(s, at)
		if m.keeps(s, i, r, other.made) {
			return fmt.Sprintf(" (the record of %s holds that)", other.stamp.UTC().Format(time.RFC3339))
		}
		at = other.made.Add(-1)
	}
	return ""
}

// wrong is the error about a reading.
func (m *Meter) wrong(r schemas.Reading, format string, args ...any) error {
	origin := ""
	if r.Origin != schemas.Live {
		origin = " from its " + string(r.Origin)
	}
	return fmt.Errorf("meter %s (%s, %s): %s = %s%s taken at %s: %s", m.ID, m.place(), m.model,
		r.Quantity, shown(r), origin, r.TakenAt.UTC().Format(time.RFC3339Nano), fmt.Sprintf(format, args...))
}

// place is the meter's address on its line, for people.
func (m *Meter) place() string {
	if m.Profile != nil {
		return fmt.Sprintf("unit %d", m.Unit)
	}
	return "address " + m.Address
}

func orMissing(value schemas.Decimal, missing schemas.Reason) string {
	if missing != "" {
		return "missing " + string(missing)
	}
	return value.String()
}

// shows reports whether field i shows r at a step of [from, to].
func (m *Meter) shows(i int, r schemas.Reading, from, to uint64) bool {
	for step := to; ; step-- {
		value, missing := m.expected(i, step)
		switch {
		case missing != "":
			if r.Quality == schemas.Missing && r.Reason == missing {
				return true
			}
		case r.HasValue() && r.Value.Cmp(value) == 0:
			return true
		}
		if step <= from {
			return false
		}
	}
}

// lookBack is how many steps before the window whose looks for an old value.
const lookBack = 600

// whose guesses where a wrong value came from: the first likely answer.
func (f *Fleet) whose(m *Meter, i int, r schemas.Reading, from, to uint64) string {
	if !r.HasValue() {
		return ""
	}
	for k := range m.fields {
		if k != i && m.shows(k, r, from, to) {
			return fmt.Sprintf(" (that is its %s)", m.fields[k].quantity)
		}
	}
	for _, other := range f.Meters {
		k := fieldIndex(other.fields, r.Quantity)
		if other != m && k >= 0 && other.shows(k, r, to, to) {
			return fmt.Sprintf(" (meter %s shows that)", other.ID)
		}
	}
	if from > lookBack && m.shows(i, r, from-lookBack, from-1) {
		return " (it showed that before the window)"
	}
	return ""
}

func shown(r schemas.Reading) string {
	if !r.HasValue() {
		return "missing " + string(r.Reason)
	}
	return r.Value.String()
}
