package spool

import (
	"testing"
	"time"
)

// TestDropIsReportedUnlocked: whoever is told of a drop keeps nobody from the spool, by
// quota or by age.
func TestDropIsReportedUnlocked(t *testing.T) {
	for _, why := range []Reason{DropFull, DropAge} {
		o := dropping(newNotes())
		o.StateEvery = time.Hour // nobody else takes the lock
		var s *Spool
		told := 0
		o.OnEvent = func(e Event) {
			if e.Kind != Dropped || e.Reason != why {
				return
			}
			told++
			if !s.disk.TryLock() {
				t.Errorf("%s: told under the lock", why)
				return
			}
			s.disk.Unlock()
		}
		s = mustOpen(t, t.TempDir(), o)
		n := 10
		if why == DropFull {
			n = 100
		}
		for i := range n {
			mustAppend(t, s, filler(i))
		}
		if why == DropAge {
			if err := s.DropBefore(t.Context(), time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		if told == 0 {
			t.Errorf("%s: nothing told", why)
		}
		mustClose(t, s)
	}
}
