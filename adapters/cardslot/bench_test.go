package cardslot_test

import (
	"context"
	"testing"

	"citygrid/adapters/cardslot"
)

// BenchmarkRead reads all files of a card in the same process.
func BenchmarkRead(b *testing.B) {
	w, h := newWorld(b), newHousehold(b, 1)
	s := w.newCard(h)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cardslot.Read(context.Background(), s, cardslot.Profile{}); err != nil {
			b.Fatal(err)
		}
	}
}
