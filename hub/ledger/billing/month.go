package billing

import (
	"fmt"
	"time"
)

// Month is a calendar month of the city, for which bills are made: 12 x year +
// month - 1.
type Month int32

// monthLayout is how months are written.
const monthLayout = "2006-01"

// ParseMonth reads what String writes.
func ParseMonth(s string) (Month, error) {
	t, err := time.Parse(monthLayout, s)
	if err != nil {
		return 0, fmt.Errorf("month %q: want a month such as 2026-10", s)
	}
	return monthOf(t), nil
}

// MonthOf returns the month of t in zone.
func MonthOf(t time.Time, zone *time.Location) Month { return monthOf(t.In(zone)) }

func monthOf(t time.Time) Month { return Month(t.Year()*12 + int(t.Month()) - 1) }

// String writes the month as 2026-10.
func (m Month) String() string { return m.Start(time.UTC).Format(monthLayout) }

// Start returns 00:00 of the first day in zone. The month ends where the next one
// starts.
func (m Month) Start(zone *time.Location) time.Time {
	return time.Date(int(m)/12, time.Month(int(m)%12)+1, 1, 0, 0, 0, 0, zone).UTC()
}
