package ledger

import (
	"fmt"
	"time"
)

// Day is an accounting day, counted from 1970-01-01 in the city's calendar.
type Day int32

// dayLayout is how days are written.
const dayLayout = time.DateOnly

// String writes the day as 2026-11-21.
func (d Day) String() string { return time.Unix(int64(d)*86400, 0).UTC().Format(dayLayout) }

// ParseDay reads what String writes.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(dayLayout, s)
	if err != nil {
		return 0, fmt.Errorf("accounting day %q: want a date such as 2026-11-21", s)
	}
	return Day(t.Unix() / 86400), nil
}

// Calendar says to which accounting day a moment belongs.
type Calendar struct {
	// Zone is the city's time zone.
	Zone *time.Location
	// CutOff is the time of day, 0 to 24 h, from which on a moment belongs to the
	// next day; 24 h, or 0, is midnight.
	CutOff time.Duration
}

// DayOf returns the accounting day of t.
func (c Calendar) DayOf(t time.Time) Day {
	local := t.In(c.Zone)
	_, offset := local.Zone()
	at := local.Unix() + int64(offset)
	if c.CutOff > 0 {
		at += int64((24*time.Hour - c.CutOff) / time.Second)
	}
	day := at / 86400
	if at < 0 && at%86400 != 0 {
		day--
	}
	return Day(day)
}

// Start returns the first moment of d.
func (c Calendar) Start(d Day) time.Time {
	t := time.Unix(int64(d)*86400, 0).UTC()
	start := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, c.Zone)
	if c.CutOff > 0 {
		start = start.Add(c.CutOff - 24*time.Hour)
	}
	return start.UTC()
}
