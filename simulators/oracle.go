package simulators

import (
	"slices"
	"time"

	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// Expected returns what a right collector must report for q when it sampled
// the meter at t: the exact value, or the reason why there is none. ok is
// false when the meter has no such quantity.
//
// It never looks at registers or frames: it takes the same truth, rounds it to
// what the format can hold, and scales that number exactly, to the decimals that
// the profile keeps of a float.
func (m *Meter) Expected(q schemas.Quantity, t time.Time) (value schemas.Decimal, missing schemas.Reason, ok bool) {
	i := fieldIndex(m.fields, q)
	if i < 0 {
		return schemas.Decimal{}, "", false
	}
	value, missing = m.expected(i, m.stepOf(t))
	return value, missing, true
}

// ExpectedKept is Expected for the dated record that the meter stamps with
// takenAt by its own clock. ok is false when it keeps no such quantity, or makes
// no record of that moment. A meter whose clock was set back over the moment has
// two such records: this is the newer.
func (m *Meter) ExpectedKept(origin schemas.Origin, q schemas.Quantity, takenAt time.Time) (value schemas.Decimal, missing schemas.Reason, ok bool) {
	s := m.seriesOf(origin)
	if s == nil {
		return schemas.Decimal{}, "", false
	}
	i, made := fieldIndex(s.fields, q), m.madeAt(s, takenAt)
	if i < 0 || len(made) == 0 {
		return schemas.Decimal{}, "", false
	}
	value, missing = m.kept(&s.fields[i], made[0])
	return value, missing, true
}

// KeptAt returns by which moment of its own clock the meter knows record n of an
// origin at t, counted back from the newest, which is 1; ok is false when it
// does not hold that record.
func (m *Meter) KeptAt(origin schemas.Origin, n int, t time.Time) (takenAt time.Time, ok bool) {
	r, ok := m.record(m.seriesOf(origin), n, t)
	return r.stamp, ok
}

// Glitched reports whether the meter shows a wrong number for q at t, which
// Expected then returns: what the meter says is what a collector must report,
// and doubt.
func (m *Meter) Glitched(q schemas.Quantity, t time.Time) bool {
	i := fieldIndex(m.fields, q)
	return i >= 0 && m.glitches(i, m.instant(m.stepOf(t)))
}

func fieldIndex(fields []field, q schemas.Quantity) int {
	for i := range fields {
		if fields[i].quantity == q {
			return i
		}
	}
	return -1
}

// expected is Expected of field i at a step.
func (m *Meter) expected(i int, step uint64) (schemas.Decimal, schemas.Reason) {
	in := m.instant(step)
	if m.hasNoValue(i, in) {
		return schemas.Decimal{}, m.fields[i].reason
	}
	return m.fields[i].value(m.shown(i, in))
}

// kept is what the record made at that moment holds of a field.
func (m *Meter) kept(f *field, made time.Time) (schemas.Decimal, schemas.Reason) {
	return f.value(f.signal(m, m.instant(m.stepOf(made))))
}

// value is truth at the resolution of the field's format.
func (f *field) value(truth int64) (schemas.Decimal, schemas.Reason) {
	if f.stateRaw != nil {
		raw := f.stateNumber(truth)
		return schemas.Decimal{Mantissa: int64(slices.Index(f.stateRaw, int32(raw)))}, ""
	}
	if len(f.parts) == 0 {
		return schemas.Decimal{Mantissa: f.raw(truth), Exponent: int8(f.octets.shift)}, ""
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
