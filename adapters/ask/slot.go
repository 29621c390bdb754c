package ask

import (
	"fmt"
	"maps"
	"time"

	"citygrid/adapters"
	"citygrid/schemas"
)

// Slot is what the prepaid slot of a meter has told so far. The zero value has
// told nothing.
type Slot struct {
	// Modulus is where the meter's purchase count begins anew; 0: nowhere.
	Modulus uint32
	who     string // the meter that was there
	told    *schemas.CardEntry
	left    int64 // residual less overdraft, as seen last
}

// Since returns how many purchases the meter has taken that have not been told.
// first says that none have been, or by another meter: who names the one that
// answers now. A count that went back is an error of class adapters.Slow: nobody
// can tell which purchases it stands for. A count of 0 says that there was no
// purchase yet, so it goes back from any other.
func (s *Slot) Since(who string, count uint32) (n uint32, first bool, err error) {
	if s.told == nil || s.who != who {
		return count, true, nil
	}
	before := s.told.Purchase.Number
	n = count - before
	if s.Modulus != 0 {
		n = (count%s.Modulus + s.Modulus - before%s.Modulus) % s.Modulus
	}
	if s.Modulus == 0 && count < before || s.Modulus != 0 && n > s.Modulus/2 || count == 0 && before != 0 {
		return 0, false, &inconsistent{fmt.Sprintf("the purchase count went back from %d to %d: if the meter was exchanged or reset, record it and start the collector anew", before, count)}
	}
	return n, false, nil
}

// Tell returns the entries that are new: the loads, and the state if there is a
// load, if the meter or the day in zone is another one than when a state was
// told last, if anything but the residual has changed, if the residual has
// risen, or if the meter has begun or ceased to be overdrawn. A residual or an
// overdraft that runs on with consumption alone is told once a day.
func (s *Slot) Tell(who string, loads []schemas.CardEntry, state schemas.CardEntry, zone *time.Location) []schemas.CardEntry {
	left := state.Residual.Value - state.Overdraft.Value
	news := len(loads) > 0 || s.told == nil || s.who != who || left > s.left || changed(s.told, &state, zone)
	s.who, s.left = who, left
	if !news {
		return nil
	}
	s.told = &state
	return append(loads, state)
}

// changed reports whether two states of a meter differ by more than consumption.
func changed(a, b *schemas.CardEntry, zone *time.Location) bool {
	y1, m1, d1 := a.TakenAt.In(zone).Date()
	y2, m2, d2 := b.TakenAt.In(zone).Date()
	return y1 != y2 || m1 != m2 || d1 != d2 ||
		a.MeterNumber != b.MeterNumber || a.Purchase != b.Purchase || a.Bought != b.Bought ||
		a.Residual.Unit != b.Residual.Unit || a.Overdraft.Unit != b.Overdraft.Unit ||
		(a.Overdraft.Value == 0) != (b.Overdraft.Value == 0) || !maps.Equal(a.Counters, b.Counters)
}

// inconsistent is what a meter tells that contradicts itself, or what it told
// before.
type inconsistent struct{ problem string }

// Error says what contradicts what.
func (e *inconsistent) Error() string { return e.problem }

// Class is Slow: the meter itself is to be looked at.
func (e *inconsistent) Class() adapters.Class { return adapters.Slow }

// Inconsistentf returns an error of class adapters.Slow about records of a meter
// that contradict each other.
func Inconsistentf(format string, args ...any) error {
	return &inconsistent{fmt.Sprintf(format, args...)}
}

// Purchase names purchase n; 0 says that there was none yet.
func Purchase(n uint32) schemas.PurchaseRef {
	return schemas.PurchaseRef{Scheme: schemas.BySequence, Number: n}
}

// Credit returns an amount of a quantity in that unit as a purse counts it: fen
// exactly, litres or watt-hours to the nearest, because meters hold volumes as
// floats. ok is false for another unit, for a part of a fen, and for an amount
// beyond an int64.
func Credit(d schemas.Decimal, unit schemas.Unit) (c schemas.Credit, ok bool) {
	places := map[schemas.Unit]int{"CNY": 2, "m3": 3, "kW.h": 3}
	names := map[schemas.Unit]schemas.CreditUnit{"CNY": schemas.CreditFen, "m3": schemas.CreditLitre, "kW.h": schemas.CreditWh}
	n, known := places[unit]
	if !known {
		return c, false
	}
	value, ok := d.Shift(n)
	if !ok {
		return c, false
	}
	for value.Exponent > 0 {
		if value, ok = value.Mul(10); !ok {
			return c, false
		}
		value.Exponent--
	}
	c = schemas.Credit{Unit: names[unit]}
	exact := false
	c.Value, exact = nearest(value)
	return c, exact || c.Unit != schemas.CreditFen
}

// nearest returns d, which has no zeros to add, as a whole number; a half goes
// away from zero. exact reports that nothing was rounded.
func nearest(d schemas.Decimal) (m int64, exact bool) {
	m, exact = d.Mantissa, true
	dropped := int64(0)
	for ; d.Exponent < 0; d.Exponent++ {
		dropped, m = m%10, m/10
		exact = exact && dropped == 0
	}
	switch {
	case dropped >= 5:
		m++
	case dropped <= -5:
		m--
	}
	return m, exact
}

// Signed splits a credit that goes below zero into what is left and what is
// owed.
func Signed(c schemas.Credit) (residual, overdraft schemas.Credit) {
	return schemas.Credit{Value: max(c.Value, 0), Unit: c.Unit}, schemas.Credit{Value: max(-c.Value, 0), Unit: c.Unit}
}
