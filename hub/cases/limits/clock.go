package limits

import (
	"time"

	"citygrid/hub/cases"
)

// Light is the traffic light of a limit.
type Light string

// The lights.
const (
	None   Light = "none" // nobody has set a limit, or its clock has not begun
	Green  Light = "green"
	Yellow Light = "yellow" // from 80 % of the limit used
	Red    Light = "red"    // from 100 %
)

// Handling is how the handling clock of a case stands at a moment. The zero Handling
// is that of a case without limit, or before its clock begins.
type Handling struct {
	Limit cases.Limit
	Begun bool
	// Deadline is the last moment that is in time: of the round that runs, or of the
	// last one where the department has fed back. It is zero while suspended, because
	// it depends on the end of that.
	Deadline time.Time
	// Used and Total are of the current round, in the limit's time: all hours for
	// urgent hours, working time for the others. Total counts extensions, and for
	// working days goes to the end of the shift.
	Used, Total time.Duration
	// Running says that the clock runs, Suspended that the case is suspended.
	Running, Suspended bool
	// Done is when the department fed back last; zero while it has not, and after the
	// case was sent back.
	Done time.Time
	// Ended is when the case was closed, rejected or voided.
	Ended time.Time
	// Late says that a round ended after its deadline, or runs past it.
	Late bool
	// Rounds counts how often the clock began: 1, and 1 more for each rework.
	Rounds int
}

// Light returns green below 80 % of Total used, yellow from there, red from 100 %.
func (h Handling) Light() Light {
	used, total := h.Used.Milliseconds(), h.Total.Milliseconds()
	switch {
	case !h.Begun || !h.Limit.Known():
		return None
	case used >= total:
		return Red
	case used*100 >= total*80:
		return Yellow
	}
	return Green
}

// Overrun is by how many thousandths of the limit the time used exceeds it (超时倍数):
// 2500 is two and a half times the limit on top of it. 0 where it does not.
func (h Handling) Overrun() int64 {
	used, total := h.Used.Milliseconds(), h.Total.Milliseconds()
	if used <= total || total <= 0 {
		return 0
	}
	return (used - total) * 1000 / total
}

// Handling returns how the clock of a case stands at now. Marks after now are left
// out. An error is ErrBeyond.
func (b *Book) Handling(limit cases.Limit, marks []cases.Mark, now time.Time) (Handling, error) {
	if !limit.Known() {
		return Handling{}, nil
	}
	m := &meter{book: b, cal: b.Calendar, limit: limit}
	for _, mark := range marks {
		if mark.At.After(now) {
			break
		}
		m.step(mark)
		if m.err != nil {
			return Handling{}, m.err
		}
	}
	h := m.read(now)
	return h, m.err
}

// meter is the clock while the marks are read. Amounts are in the limit's time.
type meter struct {
	book  *Book
	cal   *Calendar
	limit cases.Limit
	err   error

	begun, running, suspended bool
	since                     time.Time     // of the running stretch
	used                      time.Duration // before since
	total                     time.Duration
	past                      []stretch     // of this round, before since
	last                      time.Time     // the deadline of the round that was fed back
	slack                     time.Duration // from the exact end to last
	overran                   bool          // when it was suspended
	done, ended               time.Time
	late                      bool
	rounds                    int
}

// stretch is a time in which the clock ran, with what was used up at its ends.
type stretch struct {
	from          time.Time
	before, after time.Duration
}

func (m *meter) step(mark cases.Mark) {
	switch mark.Kind {
	case cases.MarkFiled:
		if m.book.Starts == AtFiling {
			m.begin(mark.At)
		}
	case cases.MarkDispatched:
		if m.book.Starts == AtDispatch {
			m.begin(mark.At)
		}
	case cases.MarkReturned:
		if m.book.Starts == AtDispatch {
			*m = meter{book: m.book, cal: m.cal, limit: m.limit}
		}
	case cases.MarkExtended:
		m.extend(mark.Amount, mark.At)
	case cases.MarkSuspended:
		m.suspended, m.overran = true, mark.At.After(m.deadline())
		m.stop(mark.At)
	case cases.MarkResumed:
		m.suspended = false
		m.resume(mark.At)
	case cases.MarkFedBack:
		m.feedBack(mark.At)
	case cases.MarkReworked:
		m.rework(mark.At)
	case cases.MarkEnded:
		m.stop(mark.At)
		m.ended = mark.At
	}
}

// begin starts a round with the whole limit.
func (m *meter) begin(t time.Time) {
	end, err := m.cal.Deadline(t, m.limit)
	if err != nil {
		m.err = err
		return
	}
	m.begun, m.running, m.suspended = true, true, false
	m.since, m.used, m.total = t, 0, m.cal.measure(t, end, m.limit.Unit)
	m.past, m.last, m.done, m.overran = nil, time.Time{}, time.Time{}, false
	m.rounds++
}

func (m *meter) stop(t time.Time) {
	if !m.running {
		return
	}
	m.running = false
	after := m.used + m.cal.measure(m.since, t, m.limit.Unit)
	m.past = append(m.past, stretch{m.since, m.used, after})
	m.used = after
}

func (m *meter) resume(t time.Time) { m.running, m.since = true, t }

func (m *meter) feedBack(t time.Time) {
	m.last = m.deadline()
	m.slack = m.cal.measure(m.exact(), m.last, m.limit.Unit)
	m.late = m.late || t.After(m.last)
	m.stop(t)
	m.done = t
}

func (m *meter) rework(t time.Time) {
	if m.book.Rework == Anew {
		m.begin(t)
		return
	}
	m.done, m.last = time.Time{}, time.Time{}
	m.rounds++
	m.resume(t)
}

// extend adds an amount of the limit's unit: working days go on from the day on which
// the limit would have ended.
func (m *meter) extend(amount int64, at time.Time) {
	if !m.begun {
		return
	}
	if m.limit.Unit != cases.WorkDay {
		m.total += time.Duration(amount) * time.Hour
		return
	}
	if !m.running {
		m.since = at
	}
	old := m.exact()
	end, err := m.cal.AddDays(old.Add(-time.Millisecond), int(amount))
	if err != nil {
		m.err = err
		return
	}
	m.total += m.cal.measure(old, end, cases.WorkDay)
}

// exact is when the total is used up: in the stretch that runs, or in an earlier one.
func (m *meter) exact() time.Time {
	from, before := m.since, m.used
	for _, s := range m.past {
		if m.total <= s.after {
			from, before = s.from, s.before
			break
		}
	}
	if m.limit.Unit == cases.UrgentHour {
		return from.Add(m.total - before)
	}
	t, err := m.cal.AddWork(from, m.total-before)
	if err != nil {
		m.err = err
	}
	return t
}

// deadline is exact, for working days moved to the end of the shift of its day.
func (m *meter) deadline() time.Time {
	t := m.exact()
	if m.limit.Unit != cases.WorkDay || m.err != nil {
		return t
	}
	return m.cal.endOfDay(t)
}

// endOfDay is the end of the last shift of the working day that ends at or after t.
func (c *Calendar) endOfDay(t time.Time) time.Time {
	_, n, err := c.when(c.before(t))
	if err != nil || c.moment(c.ends[n]).Before(t) {
		return t
	}
	return c.moment(c.ends[n])
}

// read returns the state of the clock at now.
func (m *meter) read(now time.Time) Handling {
	if !m.begun {
		return Handling{}
	}
	h := Handling{
		Limit: m.limit, Begun: true, Deadline: m.last, Used: m.used, Total: m.total, Running: m.running, Suspended: m.suspended,
		Done: m.done, Ended: m.ended, Late: m.late, Rounds: m.rounds,
	}
	switch {
	case m.running:
		h.Deadline = m.deadline()
		h.Used += m.cal.measure(m.since, now, m.limit.Unit)
		h.Total += m.cal.measure(m.exact(), h.Deadline, m.limit.Unit)
		h.Late = h.Late || now.After(h.Deadline)
	case m.suspended:
		h.Late = h.Late || m.overran
	case !m.last.IsZero():
		h.Total += m.slack
	}
	return h
}
