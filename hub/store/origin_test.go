package store

import (
	"errors"
	"slices"
	"testing"
	"time"

	"citygrid/schemas"
)

func from(o schemas.Origin, r schemas.Reading) schemas.Reading {
	r.Origin = o
	return r
}

func suspect(r schemas.Reading) schemas.Reading {
	r.Quality, r.Reason = schemas.Suspect, schemas.ReasonJump
	return r
}

// Readings of one moment and different origins are different readings; what
// shows the present looks at live ones alone.
func TestOriginsAreApart(t *testing.T) {
	s := openReal(t, 0)
	live := good("a", 1, 0, 1700000001000)
	freeze := from(schemas.DailyFreeze, good("a", 2, 0, 1700000001000))
	later := from(schemas.LoadRecord, good("a", 3, 0, 1700000009000))
	all := []schemas.Reading{live, freeze, later}
	mustWrite(t, s, all...)
	mustWrite(t, s, all...)
	mustCount(t, s, 3)
	if got := byKey(mustEach(t, s, at(1700000000000), at(1700000010000))); !slices.Equal(got, all) {
		t.Errorf("Each: %v", got)
	}
	if got, err := s.Last(t.Context(), at(1600000000000)); err != nil || !slices.Equal(got, all[:1]) {
		t.Errorf("Last: %v, %v", got, err)
	}
	for i, origin := range []schemas.Origin{schemas.Live, schemas.DailyFreeze, schemas.LoadRecord} {
		for _, most := range []int{1, 10} {
			got, err := s.Range(t.Context(), "a", "water.flow", origin, at(1700000000000), at(1700000010000), most)
			if err != nil || len(got.Samples) != 1 || got.Samples[0].Value != all[i].Value {
				t.Errorf("Range of %q, at most %d: %+v, %v", origin, most, got, err)
			}
		}
	}
	if got, err := s.Range(t.Context(), "a", "water.flow", schemas.MonthlyFreeze, at(1700000000000), at(1700000010000), 10); err != nil || len(got.Samples) != 0 {
		t.Errorf("Range of an origin without readings: %+v, %v", got, err)
	}
}

// A store that older versions wrote has no tag "origin" at all.
func TestStoreWithoutOrigins(t *testing.T) {
	s := openReal(t, 0)
	want := []schemas.Reading{good("a", 1, 0, 1700000001000)}
	mustWrite(t, s, want...)
	if got, err := s.Last(t.Context(), at(1600000000000)); err != nil || !slices.Equal(got, want) {
		t.Errorf("Last: %v, %v", got, err)
	}
	if got := mustEach(t, s, at(1700000000000), at(1700000010000)); !slices.Equal(got, want) {
		t.Errorf("Each: %v", got)
	}
	got, err := s.Range(t.Context(), "a", "water.flow", schemas.Live, at(1700000000000), at(1700000010000), 10)
	if err != nil || len(got.Samples) != 1 {
		t.Errorf("Range: %+v, %v", got, err)
	}
}

func TestAround(t *testing.T) {
	s := openReal(t, 0)
	sec := func(n int64) int64 { return 1700000000000 + 1000*n }
	inside := []schemas.Reading{
		good("a", 2, 0, sec(1)), // the last before
		from(schemas.DailyFreeze, good("a", 3, 0, sec(2))),
		good("a", 4, 0, sec(10)), // at from
		from(schemas.MonthlyFreeze, good("a", 4, 0, sec(10))),
		good("a", 5, 0, sec(15)),
		from(schemas.LoadRecord, good("a", 6, 0, sec(16))),
		good("a", 7, 0, sec(20)), // at to
		from(schemas.DailyFreeze, good("a", 8, 0, sec(30))),
		good("a", 9, 0, sec(31)),
	}
	mustWrite(t, s, inside...)
	mustWrite(t, s, good("a", 1, 0, sec(0)), good("a", 10, 0, sec(32)), suspect(good("a", 99, 0, sec(3))),
		suspect(good("a", 99, 0, sec(12))), suspect(good("a", 99, 0, sec(21))), good("b", 5, 0, sec(15)),
		from(schemas.DailyFreeze, good("a", 0, 0, sec(-9))), from(schemas.DailyFreeze, good("a", 10, 0, sec(33))))
	got, err := s.Around(t.Context(), "a", "water.flow", at(sec(10)), at(sec(20)), 9)
	if err != nil || !slices.Equal(got, inside) {
		t.Errorf("got  %v, %v\nwant %v", got, err, inside)
	}
	var many *TooManyError
	if _, err := s.Around(t.Context(), "a", "water.flow", at(sec(10)), at(sec(20)), 8); !errors.As(err, &many) || many.Limit != 8 {
		t.Errorf("nine readings of at most eight: %v", err)
	}
	if got, err := s.Around(t.Context(), "nobody", "water.flow", at(sec(10)), at(sec(20)), 8); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := s.Around(t.Context(), "a", "water.flow", at(sec(10)), at(sec(10)).Add(-time.Second), 8); err == nil {
		t.Error("to before from")
	}
}
