package books

import (
	"context"
	"maps"
	"slices"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
)

// eachPayment calls do for every payment of the orders, for each order in the order
// of import.
func eachPayment[T any](ctx context.Context, db bun.IDB, owner map[orderKey]T, do func(T, ledger.Payment)) error {
	orders := make(map[string][]string)
	for k := range owner {
		orders[k.channel] = append(orders[k.channel], k.order)
	}
	for _, channel := range slices.Sorted(maps.Keys(orders)) {
		slices.Sort(orders[channel])
		for part := range slices.Chunk(orders[channel], chunk) {
			var rows []paymentRow
			err := db.NewRaw("SELECT id, channel, order_no, reference, refund, amount, day, at_ms FROM payments WHERE channel = ? AND order_no IN (?) ORDER BY id",
				channel, bun.List(part)).Scan(ctx, &rows)
			if err != nil {
				return err
			}
			for n := range rows {
				do(owner[orderKey{channel, rows[n].Order}], rows[n].payment())
			}
		}
	}
	return nil
}
