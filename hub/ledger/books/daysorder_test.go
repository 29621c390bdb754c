package books

import (
	"fmt"
	"testing"

	"citygrid/hub/ledger"
)

// TestEntriesOfAnOrder: whoever asks for one order is not shown the cards of others.
func TestEntriesOfAnOrder(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		b, _ := spoiled(t, dsn)
		rows, total, err := b.EntryRows(t.Context(), ledger.RowFilter{Order: fmt.Sprintf("O%09d", 3)})
		must(t, err)
		if total == 0 || int64(len(rows)) != total {
			t.Errorf("%d of %d rows", len(rows), total)
		}
		for _, r := range rows {
			if r.Entry.Meter != meterOf(3) {
				t.Errorf("an entry of %s", r.Entry.Meter)
			}
		}
		if _, total, err := b.EntryRows(t.Context(), ledger.RowFilter{Order: "no such order"}); err != nil || total != 0 {
			t.Errorf("%d rows of no order, %v", total, err)
		}
	})
}
