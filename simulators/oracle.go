package simulators

import (
	"fmt"
	"slices"
	"time"

	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// Expected returns what a right collector must report for q when it sampled
// the meter at t: the exact value, or the reason why there is none. ok is
// false when the meter has no such quantity.
//
// It never looks at registers: it takes the same truth, rounds it to what the
// register's format can hold, and scales that number exactly, to the decimals
// that the profile keeps of a float.
func (m *Meter) Expected(q schemas.Quantity, t time.Time) (value schemas.Decimal, missing schemas.Reason, ok bool) {
	i := slices.IndexFunc(m.fields, func(f field) bool { return f.quantity == q })
	if i < 0 {
		return schemas.Decimal{}, "", false
	}
	value, missing = m.expected(i, m.stepOf(t))
	return value, missing, true
}

// expected is Expected of field i at a step.
func (m *Meter) expected(i int, step uint64) (schemas.Decimal, schemas.Reason) {
	in := m.instant(step)
	f := &m.fields[i]
	if m.hasNoValue(i, in) {
		return schemas.Decimal{}, f.reason
	}
	truth := f.signal(m, in)
	if f.stateRaw != nil {
		raw := f.stateNumber(truth)
		return schemas.Decimal{Mantissa: int64(slices.Index(f.stateRaw, int32(raw)))}, ""
	}
	var sum schemas.Decimal
	for k := range f.parts {
		d, ok := f.parts[k].decimal(f.number(k, truth))
		if ok && k == 0 {
			sum = d
		} else if ok {
			sum, ok = sum.Add(d)
		}
		if !ok {
			return schemas.Decimal{}, schemas.ReasonOverflow
		}
	}
	return sum, ""
}

// decimal scales a raw number exactly.
func (p *part) decimal(v number) (schemas.Decimal, bool) {
	d, ok := schemas.Decimal{Mantissa: v.n}, true
	switch {
	case v.isFloat && p.Type == profiles.F32:
		d, ok = schemas.DecimalFromFloat32(float32(v.f))
	case v.isFloat:
		d, ok = schemas.DecimalFromFloat64(v.f)
	}
	if !ok {
		return d, false
	}
	if d, ok = d.Mul(p.Times); !ok {
		return d, false
	}
	if d, ok = d.Shift(p.Shift); ok && p.Places > 0 {
		d = toPlaces(d, p.Places)
	}
	return d, ok
}

// toPlaces drops the digits behind so many decimals, one after the other, and
// then goes up by one where they were more than half, or half of an odd number.
func toPlaces(d schemas.Decimal, places int) schemas.Decimal {
	dropped, behind := int64(0), false // the digit dropped last; any before it
	for int(d.Exponent) < -places {
		behind = behind || dropped != 0
		dropped = d.Mantissa % 10
		d.Mantissa /= 10
		d.Exponent++
	}
	step := int64(1)
	if dropped < 0 {
		dropped, step = -dropped, -1
	}
	if dropped > 5 || dropped == 5 && (behind || d.Mantissa%2 != 0) {
		d.Mantissa += step
	}
	return d
}

// clockGrain is the resolution of Reading.TakenAt: the moment itself may be
// that much later.
const clockGrain = time.Millisecond

// Check returns nil when r is what the fleet's meter showed at some step in
// [r.TakenAt-window, r.TakenAt]. Otherwise the error says what was expected
// and, where it can be told, whose value r carries: another quantity's,
// another meter's, or an older one. A value that the collector kept but marked
// as suspect is right when the value is.
func (f *Fleet) Check(r schemas.Reading, window time.Duration) error {
	m, ok := f.Meter(r.Meter)
	if !ok {
		return fmt.Errorf("meter %s: not of this fleet", r.Meter)
	}
	fail := func(format string, args ...any) error {
		return fmt.Errorf("meter %s (unit %d, %s): %s = %s taken at %s: %s", m.ID, m.Unit, m.Profile.ID,
			r.Quantity, shown(r), r.TakenAt.UTC().Format(time.RFC3339Nano), fmt.Sprintf(format, args...))
	}
	if err := r.Validate(); err != nil {
		return fail("%v", err)
	}
	if m.Dead {
		return fail("the meter is dead and never answered")
	}
	i := slices.IndexFunc(m.fields, func(f field) bool { return f.quantity == r.Quantity })
	if i < 0 {
		return fail("the profile has no such quantity")
	}
	from, to := m.stepOf(r.TakenAt.Add(-window)), m.stepOf(r.TakenAt.Add(clockGrain-1))
	if m.shows(i, r, from, to) {
		return nil
	}
	value, missing := m.expected(i, m.stepOf(r.TakenAt))
	want := value.String()
	if missing != "" {
		want = "missing " + string(missing)
	}
	return fail("expected %s, or a value of the %d steps before%s", want, to-from, f.whose(m, i, r, from, to))
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
		k := slices.IndexFunc(other.fields, func(f field) bool { return f.quantity == r.Quantity })
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
