package rollup

import (
	"testing"
)

// TestLives holds the figures of random lives against the truth, to the last digit:
// with swaps, other multipliers, rollovers, gaps, doubtful readings, records of the
// meters' own memories and readings that come hours late; with restarts and without.
func TestLives(t *testing.T) {
	missing, late := 0, 0
	for seed := range uint64(24) {
		const hours = 10
		w := newWorld(t, seed, 30, hours)
		m := newMemory()
		w.series, w.write = m, m.put
		w.begin()
		for _, stop := range []int{137, 290, 411, hours*60 + 3} {
			w.run(stop, 1+w.random.IntN(20))
			if seed%3 > 0 {
				w.begin() // what was not worked off is forgotten
			}
		}
		w.run(hours*60+600, 10)
		missing += w.check(hours)
		for _, m := range w.meters {
			for _, delay := range m.late {
				if delay > 60 {
					late++
				}
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if missing < 500 || late < 500 {
		t.Errorf("%d meter-hours were missing and %d readings came late: the lives are worth nothing", missing, late)
	}
}
