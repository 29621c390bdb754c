package collector

import (
	"testing"
	"time"

	"citygrid/collector/spool"
)

// BenchmarkTakeCards is how long a customer waits until a sale is on disk.
func BenchmarkTakeCards(b *testing.B) {
	o := testOptions(b, newKeys(b), b.TempDir())
	o.CardSpool = spool.Options{CommitEvery: 10 * time.Millisecond}
	c := mustOpen(b, o)
	start(b, c)
	entries := sales(1, 1)
	for b.Loop() {
		if err := c.TakeCards(b.Context(), entries); err != nil {
			b.Fatal(err)
		}
	}
}
