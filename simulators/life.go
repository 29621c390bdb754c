package simulators

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"citygrid/schemas"
)

// epoch is a stretch of a meter's life: from its start, from a reset, or from
// the day on which another meter took the place.
type epoch struct {
	// from is the first step; 0 for the first epoch.
	from uint64
	// integral is the relative consumption from Start to there.
	integral float64
	// levels are the counters' values there.
	levels
	// bought is how many purchases count from here: those that the epoch began
	// with, less those made before it.
	bought int64
	// serial is the seed of the serial number.
	serial uint64
}

// levels are values of the counters, in millionths.
type levels struct{ main, minor, reactive, other int64 }

func newLevels(seed uint64) levels {
	draw := func(salt uint64, low, high float64) int64 { return int64(between(mix(seed, salt), low, high) * micro) }
	return levels{
		main:     draw(saltBaseMain, 5e3, 9.5e4),
		minor:    draw(saltBaseMinor, 10, 900),
		reactive: draw(saltBaseReactive, 1e3, 4.9e3),
		other:    draw(saltBaseOther, 1, 9.9),
	}
}

// maxPurchases is how many purchases a meter may have had before its start.
const maxPurchases = 90

// live lays out the epochs: the start, the reset, the swap, in their order.
func (m *Meter) live() {
	first := epoch{levels: m.traits.levels, serial: m.Seed, bought: 1 + int64(mix(m.Seed, saltPurchases)%maxPurchases)}
	m.epochs = []epoch{first}
	if !m.ResetAt.IsZero() {
		m.epochs = append(m.epochs, m.newEpoch(m.ResetAt, m.Seed, levels{}, 0))
	}
	if !m.SwapAt.IsZero() {
		seed := mix(m.Seed, saltSwap)
		had := 1 + int64(mix(seed, saltPurchases)%maxPurchases)
		m.epochs = append(m.epochs, m.newEpoch(m.SwapAt, seed, newLevels(seed), had))
	}
	slices.SortStableFunc(m.epochs[1:], func(a, b epoch) int { return cmp.Compare(a.from, b.from) })
	// A meter that is reset after it was swapped is still the new one.
	for i := 2; i < len(m.epochs); i++ {
		if m.SwapAt.Before(m.ResetAt) {
			m.epochs[i].serial = m.epochs[i-1].serial
		}
	}
}

func (m *Meter) newEpoch(at time.Time, seed uint64, l levels, purchases int64) epoch {
	e := epoch{from: m.stepOf(at), levels: l, serial: seed}
	_, e.integral = m.consumption(m.seconds(e.from))
	e.bought = purchases - m.purchasesSince(e.integral*m.traits.perHour(m.medium)/3600)
	return e
}

// Silent reports whether the meter gives no answer at t: it is dead, or reboots, or a
// mishap keeps it silent.
func (m *Meter) Silent(t time.Time) bool {
	return m.Dead || m.hushed(t) || m.RebootFor > 0 && !t.Before(m.RebootAt) && t.Before(m.RebootAt.Add(m.RebootFor))
}

// Clock returns what the meter's own clock shows at t.
func (m *Meter) Clock(t time.Time) time.Time { return t.Add(m.clockShift(t)) }

func (m *Meter) clockShift(t time.Time) time.Duration {
	if m.ClockJumpAt.IsZero() || t.Before(m.ClockJumpAt) {
		return m.ClockOffset
	}
	return m.ClockOffset + m.ClockJumpBy
}

// Serial returns the serial number of the meter that stands there at t: 12
// digits, and for CJ/T 188, whose meters have no other, the address. A prepaid
// engine brings its own.
func (m *Meter) Serial(t time.Time) string {
	if m.CJT188 != nil {
		return m.Address
	}
	if s, ok := m.account(m.instant(m.stepOf(t))); ok {
		return s.Number
	}
	seed, step := m.epochs[0].serial, m.stepOf(t)
	for _, e := range m.epochs[1:] {
		if step >= e.from {
			seed = e.serial
		}
	}
	const digits = 12
	return fmt.Sprintf("%0*d", digits, mix(seed, saltSerial)%1e12)
}

// wall is a moment as a clock in China shows it: its UTC fields are those of
// China Standard Time.
func wall(t time.Time) time.Time { return t.UTC().Add(localOffset * time.Second) }

// fromWall is the inverse of wall.
func fromWall(w time.Time) time.Time { return w.Add(-localOffset * time.Second) }

// series is a kind of dated record in the meter's memory: made at midnight of
// each day, or on some days of the month, by the meter's clock.
type series struct {
	origin schemas.Origin
	kept   int
	// days are when in the month, in their order; none: every midnight.
	days   []dayHour
	fields []field
	// stamps is the item with the time of the newest record, 0 without.
	stamps uint32
}

// dayHour is a day of the month, up to the 28th, and an hour.
type dayHour struct{ day, hour int }

func (s *series) stampItem() uint32 {
	if s == nil {
		return 0
	}
	return s.stamps
}

// settlementDays returns the seed's choice of up to most days of the month.
func settlementDays(seed uint64, most int) []dayHour {
	days := make([]dayHour, 1+int(mix(seed, saltSettlement)%uint64(max(most, 1))))
	for i := range days {
		h := mix(seed, saltSettlement+uint64(i+1)<<8)
		days[i].day = 9*i + 1 + int(h%9)
		if most > 1 { // meters with one day know no hour
			days[i].hour = int((h >> 32) % 24)
		}
	}
	return days
}

// before returns the last moment of a record that is not after t, both by the
// meter's clock.
func (s *series) before(t time.Time) time.Time {
	w := wall(t)
	if len(s.days) == 0 {
		return fromWall(time.Date(w.Year(), w.Month(), w.Day(), 0, 0, 0, 0, time.UTC))
	}
	for month := w.Month(); ; month-- {
		for i := len(s.days) - 1; i >= 0; i-- {
			at := time.Date(w.Year(), month, s.days[i].day, s.days[i].hour, 0, 0, 0, time.UTC)
			if !at.After(w) {
				return fromWall(at)
			}
		}
	}
}

// record is one dated record: when the meter says that it made it, and when it
// did.
type record struct{ stamp, made time.Time }

// record returns record n of s, counted back from the newest at t, which is 1;
// ok is false when the meter does not hold it.
func (m *Meter) record(s *series, n int, t time.Time) (r record, ok bool) {
	if s == nil || n < 1 || n > s.kept {
		return record{}, false
	}
	if s.stamps == 0 {
		r = m.settled(s, n, t)
		return r, m.holds(r, t)
	}
	for end := t; ; end = r.made.Add(-1) {
		r = m.newest(s, end)
		if !m.holds(r, t) {
			return record{}, false
		}
		if n--; n == 0 {
			return r, true
		}
	}
}

// newest returns the last record that was made not after t. A clock that jumps
// over the moment of a record makes none, and one that is set back makes it
// twice.
func (m *Meter) newest(s *series, t time.Time) record {
	shift := m.clockShift(t)
	stamp := s.before(t.Add(shift))
	made := stamp.Add(-shift)
	if shift != m.ClockOffset && made.Before(m.ClockJumpAt) {
		before := m.ClockJumpAt.Add(-1)
		stamp = s.before(before.Add(m.ClockOffset))
		made = stamp.Add(-m.ClockOffset)
	}
	return record{stamp, made}
}

// settled is record n at t of records without a date. A collector can date them
// by the meter's clock alone, so the meter keeps them in step with it: what the
// clock jumped over was made at the jump, and what it has yet to come to again
// is not there.
func (m *Meter) settled(s *series, n int, t time.Time) record {
	stamp := s.before(m.Clock(t))
	for ; n > 1; n-- {
		stamp = s.before(stamp.Add(-1))
	}
	for _, made := range m.madeAt(s, stamp) {
		if !made.After(t) {
			return record{stamp, made}
		}
	}
	return record{stamp, m.ClockJumpAt}
}

// holds reports whether the meter that stands there at t is the one that made r.
func (m *Meter) holds(r record, t time.Time) bool {
	return m.SwapAt.IsZero() || t.Before(m.SwapAt) || !r.made.Before(m.SwapAt)
}

// seriesOf returns the records of an origin, nil when the meter keeps none.
func (m *Meter) seriesOf(origin schemas.Origin) *series {
	switch origin {
	case schemas.DailyFreeze:
		return m.daily
	case schemas.MonthlyFreeze:
		return m.monthly
	}
	return nil
}

// madeAt returns when the meter made the records that it stamps so, the newest
// first: once, or twice when its clock was set back between.
func (m *Meter) madeAt(s *series, stamp time.Time) []time.Time {
	if !s.before(stamp).Equal(stamp) {
		return nil
	}
	var made []time.Time
	for _, shift := range [...]time.Duration{m.ClockOffset + m.ClockJumpBy, m.ClockOffset} {
		at := stamp.Add(-shift)
		if m.clockShift(at) == shift && (len(made) == 0 || !made[0].Equal(at)) {
			made = append(made, at)
		}
	}
	if len(made) == 0 && s.stamps == 0 {
		return []time.Time{m.ClockJumpAt}
	}
	return made
}
