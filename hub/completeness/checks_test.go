package completeness

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"citygrid/schemas"
)

// An hour is counted from the store when it is due first, and those of its day that are due
// later are counted later.
func TestHoursAreCountedWhenDue(t *testing.T) {
	l, m1 := newWorld(t, sqlite(t)).l, source{"m1", "c1"}
	spans := func(now time.Time) string { return fmt.Sprint(l.takeDue(now)) }
	row := func(span string) string { return fmt.Sprintf("map[{{m1 c1} %d}:%s]", noon.Unix()/86400, span) }
	l.check(m1, noon, noon.Add(time.Minute))
	l.check(m1, noon.Add(2*time.Hour), noon.Add(time.Hour))
	l.check(m1, noon.Add(2*time.Hour), noon.Add(time.Minute)) // sooner
	l.check(m1, noon.Add(2*time.Hour), noon.Add(time.Hour))
	l.check(m1, noon.Add(time.Hour), noon.Add(time.Hour))
	for _, tt := range []struct {
		at   time.Duration
		want string
	}{{0, "map[]"}, {time.Minute, row("{12 15}")}, {time.Minute, "map[]"}, {time.Hour, row("{13 14}")}, {2 * time.Hour, "map[]"}} {
		if got := spans(noon.Add(tt.at)); got != tt.want {
			t.Errorf("after %s: %s, want %s", tt.at, got, tt.want)
		}
	}
	if len(l.checks) != 0 {
		t.Errorf("%d rows are kept, want none", len(l.checks))
	}
}

// What is asked for while the store is asked is counted later, and what the store did not
// answer is counted in the next round.
func TestAskedWhileCounted(t *testing.T) {
	w := newWorld(t, sqlite(t))
	w.must(w.l.StoreAccounts(t.Context(), "c1", quarter("m1", noon, noon.Add(time.Hour))))
	asked, answer := 0, errors.New("the store is away")
	w.l.o.Store = func(context.Context, []schemas.MeterID, time.Time, time.Time, func(schemas.MeterID, schemas.Origin, time.Time)) error {
		asked++
		return answer
	}
	if err := w.l.CheckDue(t.Context(), w.now.Add(checkLater)); !errors.Is(err, answer) {
		t.Fatalf("%v, want %v", err, answer)
	}
	w.l.o.Store = func(context.Context, []schemas.MeterID, time.Time, time.Time, func(schemas.MeterID, schemas.Origin, time.Time)) error {
		asked++
		w.l.checkAgain(source{"m1", "c1"}, noon, w.now.Add(time.Duration(asked)*checkLater))
		return nil
	}
	for range 3 {
		w.must(w.l.CheckDue(t.Context(), w.now.Add(checkLater)))
	}
	if asked != 2 {
		t.Errorf("asked %d times, want twice: the third time is not due", asked)
	}
	w.must(w.l.CheckDue(t.Context(), w.now.Add(3*checkLater)))
	if asked != 3 {
		t.Errorf("asked %d times, want three times", asked)
	}
}

// The hours of a long outage are one entry for each meter and day, and few are counted in
// one round.
func TestChecksOfAnOutage(t *testing.T) {
	w := newWorld(t, sqlite(t))
	const meters, days = 300, 4
	var before, after []schemas.SlotAccount
	for i := range meters {
		m := schemas.MeterID(fmt.Sprint("m", i))
		start := noon.AddDate(0, 0, -days).Truncate(24 * time.Hour)
		before = append(before, quarter(m, start.Add(-time.Hour), start)...)
		after = append(after, quarter(m, start.AddDate(0, 0, days), start.AddDate(0, 0, days).Add(time.Hour))...)
	}
	w.must(w.l.StoreAccounts(t.Context(), "c1", before))
	w.settle()
	w.kill()
	w.must(w.l.StoreAccounts(t.Context(), "c1", after))
	if n := len(w.l.checks); n > meters*(days+2) {
		t.Errorf("%d entries, want at most %d", n, meters*(days+2))
	}
	hours := 0
	for _, span := range w.l.takeDue(w.now.Add(checkSoon)) {
		hours += int(span.end - span.from)
	}
	if hours < checksAtOnce || hours >= checksAtOnce+24 {
		t.Errorf("%d hours in one round, want %d and those of one day more at most", hours, checksAtOnce)
	}
}
