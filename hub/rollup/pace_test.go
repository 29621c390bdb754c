package rollup

import (
	"testing"
	"time"

	"citygrid/schemas"
)

// TestPaceOfAnOlderHour: a meter that is read every second by now was due every quarter of
// an hour before, and one that was silent for most of an hour was due all the same.
func TestPaceOfAnOlderHour(t *testing.T) {
	from := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	to := from.Add(time.Hour)
	second := pace{}
	for range 8 {
		second.hear(time.Second.Milliseconds())
	}
	count := func(before time.Duration, minutes ...int) int64 {
		m := &counted{pace: second, last: from.Add(-before).UnixMilli()}
		for _, minute := range minutes {
			m.take(&schemas.Reading{Quantity: "power.energy.import", Unit: "kW.h", Value: schemas.Decimal{Mantissa: 1}, TakenAt: from.Add(time.Duration(minute) * time.Minute)}, to.UnixMilli())
		}
		return m.expected(from.UnixMilli(), to.UnixMilli())
	}
	for name, c := range map[string]struct{ got, want int64 }{
		"every quarter":           {count(15*time.Minute, 0, 15, 30, 45), 4},
		"a quarter is missing":    {count(15*time.Minute, 0, 15, 45), 4},
		"every minute, then none": {count(time.Minute, 0, 1, 2, 3, 4), 60},
		"more than the pace":      {count(15*time.Minute, 0, 15, 30, 45, 46, 47), 6},
		"nothing to go by":        {count(time.Second), 3600},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d readings were due, want %d", name, c.got, c.want)
		}
	}
}
