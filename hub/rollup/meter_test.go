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

// TestReadingsThatComeAgainCountOnce: a hub that was killed before it remembered a batch
// gets it again, and after a start the store gives what came meanwhile a second time.
func TestReadingsThatComeAgainCountOnce(t *testing.T) {
	open := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	hear := func(m *meter, at time.Duration) {
		m.hear(&schemas.Reading{Quantity: "power.energy.import", Unit: "kW.h", Value: schemas.Decimal{Mantissa: 7}, TakenAt: open.Add(at)}, open.UnixMilli())
	}
	t.Run("again", func(t *testing.T) {
		m := new(meter)
		for _, minute := range []int{1, 2, 3, 20, 1, 2, 3, 4, 20, 4, 61, 62, 61, 5} {
			hear(m, time.Duration(minute)*time.Minute)
		}
		first, second := m.heard(open.UnixMilli()), m.heard(open.Add(time.Hour).UnixMilli())
		if first != 6 || second != 2 {
			t.Errorf("%d and %d readings of the two hours, want 6 and 2", first, second)
		}
	})
	t.Run("every second", func(t *testing.T) {
		m := new(meter)
		for range 2 {
			for n := range 3600 {
				hear(m, time.Duration(n)*time.Second)
			}
		}
		if got := m.heard(open.UnixMilli()); got != 3600 {
			t.Errorf("%d readings, want 3600", got)
		}
		if kept := len(m.got[open.UnixMilli()/hourMs%openHours].at); kept != timesKept {
			t.Errorf("%d moments are kept", kept)
		}
	})
	t.Run("a clock that is far ahead", func(t *testing.T) {
		m := new(meter)
		hear(m, time.Minute)
		hear(m, openHours*time.Hour+time.Minute)
		hear(m, 2*time.Minute)
		if got := m.heard(open.UnixMilli()); got != 2 {
			t.Errorf("%d readings of the open hour, want 2", got)
		}
	})
}
