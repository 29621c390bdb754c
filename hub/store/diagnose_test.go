package store

import (
	"testing"
	"time"

	"citygrid/schemas"
)

// TestAttendance counts what was read live, with a value or without, and sees whether
// the meter was read before.
func TestAttendance(t *testing.T) {
	s := openReal(t, 0)
	const minute = 60_000
	start := at(1_772_000_000_000)
	var list []schemas.Reading
	for n := range int64(100) {
		list = append(list, good("W-1", n, 0, start.UnixMilli()+n*minute))
	}
	sick := good("W-1", 0, 0, start.UnixMilli()+100*minute)
	sick.Value, sick.Quality, sick.Reason = schemas.Decimal{}, schemas.Missing, schemas.ReasonSentinel
	other := good("W-2", 1, 0, start.UnixMilli()+5*minute)
	freeze := good("W-1", 1, 0, start.UnixMilli()+7*minute+1)
	freeze.Origin = schemas.DailyFreeze
	mustWrite(t, s, append(list, sick, other, freeze)...)
	q := list[0].Quantity
	a, err := s.Attendance(t.Context(), "W-1", q, start.Add(10*time.Minute), start.Add(101*time.Minute), 91)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Times) != 91 || !a.Times[90].Equal(start.Add(10*time.Minute)) || !a.Before || a.More ||
		!a.Times[0].Equal(sick.TakenAt) || a.Times[0].Sub(a.Times[1]) != time.Minute {
		t.Errorf("%d times, %+v", len(a.Times), a)
	}
	if a, err = s.Attendance(t.Context(), "W-1", q, start, start.Add(101*time.Minute), 90); err != nil || len(a.Times) != 90 || !a.More || !a.Times[0].Equal(sick.TakenAt) {
		t.Errorf("the newest 90: %d, more %v, %v", len(a.Times), a.More, err)
	}
	if a, err = s.Attendance(t.Context(), "W-1", q, start, start.Add(2*time.Minute), 10); err != nil || len(a.Times) != 2 || a.Before {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err = s.Attendance(t.Context(), "W-9", q, start, start.Add(time.Hour), 10); err != nil || len(a.Times) != 0 || a.Before {
		t.Errorf("an unknown meter: %+v, %v", a, err)
	}
}

// TestDoubtful finds what is not good, of every quantity and origin, and nothing else.
func TestDoubtful(t *testing.T) {
	s := openReal(t, 0)
	base := int64(1_772_000_000_000)
	var list []schemas.Reading
	for n := range int64(6) {
		r := good("W-1", n, 0, base+n*1000)
		if n%2 == 1 {
			r = suspect(r)
		}
		list = append(list, r)
	}
	list[5].Origin = schemas.DailyFreeze
	mustWrite(t, s, append(list, suspect(good("W-2", 1, 0, base)))...)
	for _, c := range []struct {
		limit, want int
		more        bool
	}{{10, 3, false}, {3, 3, false}, {2, 2, true}} {
		got, more, err := s.Doubtful(t.Context(), "W-1", at(base), at(base+6000), c.limit)
		if err != nil || len(got) != c.want || more != c.more {
			t.Fatalf("limit %d: %d readings, more %v, %v", c.limit, len(got), more, err)
		}
		for _, r := range got {
			if r.Meter != "W-1" || r.Quality != schemas.Suspect || r.Reason == "" || !r.HasValue() {
				t.Errorf("%+v", r)
			}
		}
	}
	if got, _, err := s.Doubtful(t.Context(), "W-1", at(base), at(base+5000), 10); err != nil || len(got) != 2 {
		t.Errorf("the end belongs to the range: %v, %v", got, err)
	}
}
