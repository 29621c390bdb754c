package district

import (
	"slices"
	"time"
)

// calendar is when the district works, in milliseconds since 1970. It looks day by
// day, the plain way.
type calendar struct {
	zone  *time.Location
	rules *Rules
	day   map[int64][][2]int64 // the shifts of a day, by its midnight
}

func newCalendar(r *Rules, zone *time.Location) *calendar {
	return &calendar{zone: zone, rules: r, day: map[int64][][2]int64{}}
}

// midnight is that before or at t.
func (c *calendar) midnight(t int64) time.Time {
	y, m, d := time.UnixMilli(t).In(c.zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, c.zone)
}

// shifts are those of the day that begins at a midnight.
func (c *calendar) shifts(midnight time.Time) [][2]int64 {
	key := midnight.UnixMilli()
	list, ok := c.day[key]
	if ok {
		return list
	}
	name, weekday := midnight.Format(time.DateOnly), int(midnight.Weekday())
	words := c.rules.Week[weekday]
	if like, moved := c.rules.Moved[name]; moved && like == "fri" {
		words = c.rules.Week[time.Friday]
	}
	if slices.Contains(c.rules.Holidays, name) {
		words = nil
	}
	for _, w := range words {
		list = append(list, [2]int64{key + minutes(w[:5]), key + minutes(w[6:])})
	}
	c.day[key] = list
	return list
}

func minutes(clock string) int64 {
	t, _ := time.Parse("15:04", clock)
	return int64(t.Hour()*60+t.Minute()) * 60_000
}

// worked is the working time in [from, to).
func (c *calendar) worked(from, to int64) (sum int64) {
	for m := c.midnight(from); m.UnixMilli() < to; m = m.AddDate(0, 0, 1) {
		for _, s := range c.shifts(m) {
			if a, b := max(from, s[0]), min(to, s[1]); a < b {
				sum += b - a
			}
		}
	}
	return sum
}

// farAway bounds the search for work, in days.
const farAway = 1000

// after is the first moment by which work has been done since t; t for none.
func (c *calendar) after(t, work int64) int64 {
	if work <= 0 {
		return t
	}
	m := c.midnight(t)
	for range farAway {
		for _, s := range c.shifts(m) {
			if from := max(t, s[0]); from < s[1] {
				if work <= s[1]-from {
					return from + work
				}
				work -= s[1] - from
			}
		}
		m = m.AddDate(0, 0, 1)
	}
	return m.UnixMilli()
}

// endOfDay is the end of the last shift of the n-th working day after the date of t.
func (c *calendar) endOfDay(t, n int64) int64 {
	m := c.midnight(t)
	for range farAway {
		if n == 0 {
			break
		}
		m = m.AddDate(0, 0, 1)
		if len(c.shifts(m)) > 0 {
			n--
		}
	}
	if list := c.shifts(m); len(list) > 0 {
		return list[len(list)-1][1]
	}
	return t
}

// deadline is when a limit ends that begins at t and is not interrupted.
func (c *calendar) deadline(t int64, l span) int64 {
	const hour = 3_600_000
	switch l.unit {
	case urgentHour:
		return t + l.amount*hour
	case workHour:
		return c.after(t, l.amount*hour)
	}
	return c.endOfDay(t, l.amount)
}
