package books

import (
	"context"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// rowsWhere adds what the ledgers have in common to a query over rows r.
func rowsWhere(q *bun.SelectQuery, f *ledger.RowFilter) *bun.SelectQuery {
	if f.Utility != "" {
		q = q.Where("r.utility = ?", string(f.Utility))
	}
	if f.From.Known {
		q = q.Where("r.day >= ?", int64(f.From.Day))
	}
	if f.To.Known {
		q = q.Where("r.day <= ?", int64(f.To.Day))
	}
	return Page{Limit: int64(f.Limit), Offset: int64(f.Offset)}.apply(q)
}

// placeWhere keeps a query over rows r to one meter, if f names one.
func placeWhere(q *bun.SelectQuery, f *ledger.RowFilter) *bun.SelectQuery {
	if f.Meter == "" {
		return q
	}
	return q.Where("r.place = (SELECT p.id FROM places AS p WHERE p.meter = ?)", string(f.Meter))
}

// placeMeter is the id in the register of a row's place, empty where it has none.
const placeMeter = "COALESCE((SELECT p.meter FROM places AS p WHERE p.id = r.place), '') AS place_meter"

// SaleRows returns rows of L1 in the order of their moments, the latest first, and says
// how many there are.
func (b *Books) SaleRows(ctx context.Context, f ledger.RowFilter) ([]ledger.Row, int64, error) {
	var rows []struct {
		saleRow
		At string `bun:"place_meter"`
	}
	q := placeWhere(rowsWhere(b.read.NewSelect().TableExpr("sales AS r").ColumnExpr("r.*, "+placeMeter), &f), &f)
	for column, value := range map[string]string{"channel": f.Channel, "kind": f.Kind, "order_no": f.Order} {
		if value != "" {
			q = q.Where("r.? = ?", bun.Ident(column), value)
		}
	}
	total, err := q.OrderExpr("r.at_ms DESC, r.id DESC").ScanAndCount(ctx, &rows)
	out := make([]ledger.Row, len(rows))
	for n := range rows {
		s := rows[n].sale(schemas.MeterID(rows[n].At))
		out[n] = ledger.Row{Sale: &s, Import: rows[n].Import}
	}
	return out, total, explain("rows of sales", err)
}

// PaymentRows returns rows of L2 as SaleRows does those of L1; those of a meter are the
// ones with an order that was sold there.
func (b *Books) PaymentRows(ctx context.Context, f ledger.RowFilter) ([]ledger.Row, int64, error) {
	var rows []paymentRow
	q := rowsWhere(b.read.NewSelect().TableExpr("payments AS r").ColumnExpr("r.*"), &f)
	if f.Channel != "" {
		q = q.Where("r.channel = ?", f.Channel)
	}
	if f.Order != "" {
		q = q.Where("r.order_no = ?", f.Order)
	}
	if f.Meter != "" {
		q = q.Where("(r.channel, r.order_no) IN (SELECT s.channel, s.order_no FROM sales AS s JOIN places AS p ON p.id = s.place WHERE p.meter = ?)", string(f.Meter))
	}
	if f.Kind != "" {
		q = q.Where("r.refund = ?", map[bool]int{true: 1}[f.Kind == "refund"])
	}
	total, err := q.OrderExpr("r.at_ms DESC, r.id DESC").ScanAndCount(ctx, &rows)
	out := make([]ledger.Row, len(rows))
	for n := range rows {
		p := rows[n].payment()
		out[n] = ledger.Row{Payment: &p, Import: rows[n].Import}
	}
	return out, total, explain("rows of payments", err)
}

// EntryRows returns rows of L3 and L4 as SaleRows does those of L1. The channel is
// where they were read; those of an order are the ones of the purchase that it sold.
func (b *Books) EntryRows(ctx context.Context, f ledger.RowFilter) ([]ledger.Row, int64, error) {
	var rows []struct {
		entryRow
		At string `bun:"place_meter"`
	}
	q := placeWhere(rowsWhere(b.read.NewSelect().TableExpr("card_entries AS r").ColumnExpr("r.*, "+placeMeter), &f), &f)
	if f.Channel != "" {
		q = q.Where("r.source = ?", f.Channel)
	}
	if f.Kind != "" {
		q = q.Where("r.event = ?", f.Kind)
	}
	if f.Order != "" {
		q = q.Where("r.place <> 0 AND (r.place, r.from_ms, r.purchase) IN (SELECT s.place, s.from_ms, s.purchase FROM sales AS s WHERE s.order_no = ? AND s.purchase <> 0)", f.Order)
	}
	total, err := q.OrderExpr("r.moment_ms DESC, r.id DESC").ScanAndCount(ctx, &rows)
	out := make([]ledger.Row, len(rows))
	for n := range rows {
		e := rows[n].entry(schemas.MeterID(rows[n].At))
		out[n] = ledger.Row{Entry: &e, Collector: rows[n].Collector}
	}
	return out, total, explain("rows of card entries", err)
}
