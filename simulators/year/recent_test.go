package year_test

import (
	"slices"
	"testing"
	"time"

	"citygrid/simulators/year"
)

// TestRecent: a young city that begins at any time of the year has something due on
// each of its last days, and the list is what a reconciliation of the last day finds.
func TestRecent(t *testing.T) {
	causes := map[string]int{}
	for month := range 12 {
		for _, day := range []int{1, 18} {
			o := year.Options{Seed: 5, Places: 400, Days: 88, Recent: 21, Discrepancies: 100,
				Start: time.Date(2026, time.Month(1+month), day, 0, 0, 0, 0, time.UTC), Zone: time.UTC}
			w := mustNew(t, o)
			due := map[int32]int{}
			for p := range w.Places() {
				for _, in := range p.Installations {
					if end := o.Start.AddDate(0, 0, o.Days); !in.From.Before(end) || !in.To.Before(end) {
						t.Errorf("place %d: installed from %s to %s, and the world ends at %s", p.Index, in.From, in.To, end)
					}
				}
				got, want := judgePlace(w, p), slices.Clone(p.Injected)
				for i := range want {
					causes[want[i].Cause]++
					due[p.Due(&want[i])]++
					want[i].Cause, want[i].Utility = "", ""
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s place %d (remote %v, %s, %s) %v:\n got %+v\nwant %+v", o.Start, p.Index, p.Remote, p.Purse, p.Plan, p.Injected, got, want)
				}
			}
			few := 0
			for d := w.LastDay() - 13; d <= w.LastDay(); d++ {
				if due[d] == 0 {
					few++
				}
			}
			if few > 3 || due[w.LastDay()] < 2 {
				t.Errorf("%s: due by day %v, want something on most of the last days, and on the last", o.Start, due)
			}
		}
	}
	if len(causes) < 40 {
		t.Errorf("%d causes in 24 worlds: %v", len(causes), causes)
	}
	t.Log(causes)
}
