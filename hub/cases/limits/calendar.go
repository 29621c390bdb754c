package limits

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"
)

// The years that a calendar's index covers: it is small, and a limit of 10,000
// working days ends in it.
const (
	firstYear = 2000
	lastYear  = 2150
)

// ErrBeyond says that a moment lies outside the years that a calendar covers, 2000 to
// 2150, or that no working time follows it there.
var ErrBeyond = errors.New("outside the calendar's years 2000 to 2150, or no working time is left there; check the shifts")

// Shift is a stretch of work within a working day: From and To are minutes after its
// midnight. To may pass 24 h: a shift over midnight belongs to the day on which it
// begins.
type Shift struct{ From, To int }

// Day is a date, as days after 1970-01-01.
type Day int32

// DayOf returns the date of a moment in its own location.
func DayOf(t time.Time) Day {
	y, m, d := t.Date()
	return Day(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// String writes the date as 2006-01-02.
func (d Day) String() string { return time.Unix(int64(d)*86400, 0).UTC().Format(time.DateOnly) }

// weekday of d; 1970-01-01 was a Thursday.
func (d Day) weekday() time.Weekday { return time.Weekday(((int(d)+4)%7 + 7) % 7) }

// at returns the moment of d in zone that a clock on the wall shows as minutes after
// midnight.
func (d Day) at(minutes int, zone *time.Location) time.Time {
	y, m, day := time.Unix(int64(d)*86400, 0).UTC().Date()
	return time.Date(y, m, day, 0, minutes, 0, 0, zone)
}

// Calendar says when a city works. It is made once and never changes; every question
// to it costs a binary search.
type Calendar struct {
	zone *time.Location
	week [7][]Shift // by time.Weekday
	// special are the days that do not follow the week: holidays without shifts, and
	// moved working days with those of another weekday.
	special map[Day][]Shift

	// Working time in order, without overlap: slice n is [from[n], to[n]) in Unix
	// milliseconds, before it lie sum[n] milliseconds of work, and it belongs to
	// the working day days[n].
	from, to, sum []int64
	days          []int32
	// workdays are the days with shifts and when their last one ends.
	workdays []Day
	ends     []int64
}

// NewCalendar builds a calendar from the shifts of a week and the days that do not
// follow it. Shifts of a day must be in order and not overlap.
func NewCalendar(zone *time.Location, week [7][]Shift, special map[Day][]Shift) (*Calendar, error) {
	c := &Calendar{zone: zone, week: week, special: special}
	for n, shifts := range week {
		if err := validShifts(shifts); err != nil {
			return nil, fmt.Errorf("%s: %w", time.Weekday(n), err)
		}
	}
	for d, shifts := range special {
		if err := validShifts(shifts); err != nil {
			return nil, fmt.Errorf("%s: %w", d, err)
		}
	}
	c.build()
	if len(c.from) == 0 {
		return nil, errors.New("no working time at all; give shifts to at least one day of the week")
	}
	return c, nil
}

// minutesOfDay is how far From goes; To may go as far into the next day.
const minutesOfDay = 24 * 60

func validShifts(list []Shift) error {
	for n, s := range list {
		if s.From < 0 || s.From >= minutesOfDay || s.To <= s.From || s.To > s.From+minutesOfDay {
			return fmt.Errorf("shift %d: from minute %d to %d, want a beginning within the day and an end at most 24 h later", n+1, s.From, s.To)
		}
		if n > 0 && s.From < list[n-1].To {
			return fmt.Errorf("shift %d begins before shift %d ends", n+1, n)
		}
	}
	return nil
}

// shiftsOf returns the shifts that begin on d.
func (c *Calendar) shiftsOf(d Day) []Shift {
	if list, ok := c.special[d]; ok {
		return list
	}
	return c.week[d.weekday()]
}

func (c *Calendar) build() {
	first := DayOf(time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC))
	last := DayOf(time.Date(lastYear, 12, 31, 0, 0, 0, 0, time.UTC))
	end, sum := int64(-1<<63), int64(0)
	for d := first; d <= last; d++ {
		shifts := c.shiftsOf(d)
		if len(shifts) == 0 {
			continue
		}
		for _, s := range shifts {
			from, to := max(d.at(s.From, c.zone).UnixMilli(), end), d.at(s.To, c.zone).UnixMilli()
			if from >= to {
				continue // a night shift of the day before covers it, or the clocks skip it
			}
			c.from, c.to = append(c.from, from), append(c.to, to)
			c.sum, c.days = append(c.sum, sum), append(c.days, int32(len(c.workdays)))
			sum, end = sum+to-from, to
		}
		c.workdays = append(c.workdays, d)
		c.ends = append(c.ends, d.at(shifts[len(shifts)-1].To, c.zone).UnixMilli())
	}
	c.sum = append(c.sum, sum)
}

// Zone is where the calendar's days begin and end.
func (c *Calendar) Zone() *time.Location { return c.zone }

// Working reports whether t lies in a shift.
func (c *Calendar) Working(t time.Time) bool {
	ms := t.UnixMilli()
	n := sort.Search(len(c.from), func(n int) bool { return c.from[n] > ms })
	return n > 0 && ms < c.to[n-1]
}

// before is how much work lies before t.
func (c *Calendar) before(t time.Time) int64 {
	ms := t.UnixMilli()
	n := sort.Search(len(c.from), func(n int) bool { return c.from[n] > ms })
	if n == 0 {
		return 0
	}
	return c.sum[n-1] + min(ms, c.to[n-1]) - c.from[n-1]
}

// when is the earliest moment before which w of work lies, and the working day that
// it belongs to.
func (c *Calendar) when(w int64) (t time.Time, workday int, err error) {
	n := sort.Search(len(c.from), func(n int) bool { return c.sum[n+1] >= w })
	if w <= 0 || n == len(c.from) {
		return time.Time{}, 0, ErrBeyond
	}
	return c.moment(c.from[n] + w - c.sum[n]), int(c.days[n]), nil
}

func (c *Calendar) moment(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// Worked is the working time in [from, to); 0 where to is not after from.
func (c *Calendar) Worked(from, to time.Time) time.Duration {
	if !to.After(from) {
		return 0
	}
	return time.Duration(c.before(to)-c.before(from)) * time.Millisecond
}

// AddWork returns the earliest moment by which d of work has passed since t.
func (c *Calendar) AddWork(t time.Time, d time.Duration) (time.Time, error) {
	if d <= 0 {
		return t, nil
	}
	end, _, err := c.when(c.before(t) + d.Milliseconds())
	return end, err
}

// covers reports whether t lies in the calendar's years, with a year to spare.
func covers(t time.Time) bool {
	y := t.Year()
	return y > firstYear && y < lastYear
}

// workday returns the place of the working day that t belongs to: of its own date
// where t is in one of its shifts, else of the day before where t is in a night shift
// of it; else -1 and the place of the first working day after t's date.
func (c *Calendar) workday(t time.Time) (at, next int) {
	local := t.In(c.zone)
	today := DayOf(local)
	for _, d := range []Day{today, today - 1} {
		for _, s := range c.shiftsOf(d) {
			if !t.Before(d.at(s.From, c.zone)) && t.Before(d.at(s.To, c.zone)) {
				n, _ := slices.BinarySearch(c.workdays, d)
				return n, n + 1
			}
		}
	}
	n, found := slices.BinarySearch(c.workdays, today)
	if found {
		n++
	}
	return -1, n
}

// AddDays returns the end of the last shift of the n-th working day after that of t,
// n from 1. A moment within a shift belongs to the day on which that shift begins;
// any other to its own date.
func (c *Calendar) AddDays(t time.Time, n int) (time.Time, error) {
	_, next := c.workday(t)
	place := next + n - 1
	if !covers(t) || place >= len(c.ends) {
		return time.Time{}, ErrBeyond
	}
	return c.moment(c.ends[place]), nil
}
