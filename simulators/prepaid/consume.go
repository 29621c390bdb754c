package prepaid

import (
	"math"
	"time"

	"citygrid/schemas"
)

// Consume lets so many litres or watt-hours be used up to now, all at the rate
// that is in force then, and returns how many of them passed: the switch opens
// at the unit that uses up the credit or reaches the second alarm, and nothing
// passes an open one. Steps change at the very unit.
func (m *Meter) Consume(units int64, now time.Time) (passed int64) {
	m.advance(now)
	rate := m.tariff.rate(now)
	for passed < units && !m.s.Off {
		step, length := m.tariff.step(m.s.Period)
		n := units - passed
		if length > 0 {
			n = min(n, length)
		}
		price, scale := int64(step+rate), int64(perFen)
		if m.s.Unit != schemas.CreditFen {
			price, scale = 1, 1
		}
		n = min(n, m.untilOff(price, scale))
		m.use(n, price, scale)
		m.watch()
		passed += n
	}
	return passed
}

// untilOff returns how many units at a price bring the purse to where the switch
// opens, at least 1.
func (m *Meter) untilOff(price, scale int64) int64 {
	if price == 0 || m.s.Ordered { // a jammed switch has been told already
		return math.MaxInt64
	}
	level := -m.s.Limits.Overdraft
	if m.alarm2Due() {
		level = m.s.Limits.Alarm2
	}
	missing := (m.s.Left()-level)*scale - m.s.Rest
	return max(1, (missing+price-1)/price)
}

// use charges units.
func (m *Meter) use(n, price, scale int64) {
	s := &m.s
	owed := s.Rest + n*price
	debit := owed / scale
	s.Rest = owed % scale
	s.Charged += debit
	left := s.Left() - debit
	s.Residual, s.Overdraft = max(left, 0), max(-left, 0)
	s.Used += n
	s.Period += n
	s.Month += n
}

// alarm2Due reports whether the second alarm is still to come.
func (m *Meter) alarm2Due() bool { return m.s.Limits.Alarm2 > 0 && !m.s.Warned }

// watch opens the switch when the credit is used up, and once at the second
// alarm.
func (m *Meter) watch() {
	left := m.s.Left()
	if m.alarm2Due() && left <= m.s.Limits.Alarm2 {
		m.s.Warned = true
		m.order(true)
	}
	if left <= -m.s.Limits.Overdraft {
		m.order(true)
	}
}

// release closes the switch if the residual allows it.
func (m *Meter) release() {
	if m.s.Residual > m.s.Limits.CloseAllowed {
		m.order(false)
	}
}
