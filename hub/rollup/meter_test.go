package rollup

import (
	"testing"
	"time"

	"citygrid/schemas"
)

// TestBacklogBehindTheNewestCounts: after an outage the newest reading comes first
// and those of the outage behind it; the hour has them all, once, in their order.
func TestBacklogBehindTheNewestCounts(t *testing.T) {
	open := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	m := new(meter)
	for _, minute := range []int{1, 2, 3, 20, 21, 4, 5, 6, 21} {
		m.hear(&schemas.Reading{
			Quantity: "power.energy.import", Unit: "kW.h", Value: schemas.Decimal{Mantissa: int64(minute)},
			TakenAt: open.Add(time.Duration(minute) * time.Minute),
		}, open.UnixMilli())
	}
	if got := m.heard(open.UnixMilli()); got != 8 {
		t.Errorf("%d readings of the hour, want 8", got)
	}
	if want := open.Add(21 * time.Minute).UnixMilli(); m.last != want {
		t.Errorf("the newest is of %s", moment(m.last))
	}
	if m.pace.interval != time.Minute.Milliseconds() {
		t.Errorf("the pace is %d ms: a hole is none", m.pace.interval)
	}
	for n := 1; n < len(m.points); n++ {
		if m.points[n-1].at >= m.points[n].at {
			t.Errorf("points %d and %d are not in order", n-1, n)
		}
	}
}
