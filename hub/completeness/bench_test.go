package completeness

import (
	"fmt"
	"testing"
	"time"

	"citygrid/schemas"
)

// BenchmarkAccountsAfterSilence measures what 100 accounts cost that are told at once (an
// envelope has 32 at most) by a collector that has said nothing for a day, among 200
// collectors with 100 meters each.
func BenchmarkAccountsAfterSilence(b *testing.B) {
	const collectors, meters = 200, 100
	w := newWorld(b, sqlite(b))
	tell := func(collector int, hour time.Time) {
		var list []schemas.SlotAccount
		for i := range meters {
			list = append(list, quarter(schemas.MeterID(fmt.Sprintf("m%03d-%03d", collector, i)), hour, hour.Add(time.Hour))...)
		}
		w.must(w.l.StoreAccounts(b.Context(), schemas.CollectorID(fmt.Sprintf("c%03d", collector)), list))
	}
	for c := range collectors {
		tell(c, noon.Add(-25*time.Hour))
	}
	now := noon
	for n := 0; b.Loop(); n++ {
		if c := n % collectors; c == 0 && n > 0 {
			now = now.Add(24 * time.Hour)
		}
		w.now = now
		tell(n%collectors, now.Add(-time.Hour))
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*meters), "µs/account")
}
