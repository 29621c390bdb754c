package books

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/reconcile"
	"citygrid/schemas"
)

// reading is what a run reads: the rows that are new since base, up to marks that
// were taken when the run began. Rows are never changed and come with rising
// numbers in the order of commits, so that each stream may use a connection of its
// own and all still see the same books.
type reading struct {
	utility schemas.Medium
	span    reconcile.Span
	base    RunSummary // the zero RunSummary for the first run
	upto    Marks
	fills   int64 // fillings of registers when the run began
	// unresolved rows up to the end of the span, which no account can have
	unresolved Unresolved
}

// Marks are the last numbers of rows that a run could see.
type Marks struct{ Sale, Payment, Entry, Revision int64 }

// mark sets the marks of a run, and counts what it cannot take, in one state of the
// books: a row that the register comes to know later has a number above the marks.
func (r *reading) mark(ctx context.Context, b *Books) error {
	return b.snapshot(ctx, func(tx bun.Tx) (err error) {
		if r.upto, err = marks(ctx, tx); err != nil {
			return err
		}
		// As in fresh: the index by place finds them, not the one over all days.
		return tx.QueryRowContext(ctx, "SELECT (SELECT COUNT(*) FROM sales WHERE "+b.waiting("sales")+" AND utility || '' = ? AND day + 0 <= ?), "+
			"(SELECT COUNT(*) FROM card_entries WHERE "+b.waiting("card_entries")+" AND utility || '' = ? AND day + 0 <= ?)",
			string(r.utility), int64(r.span.To), string(r.utility), int64(r.span.To)).Scan(&r.unresolved.Sales, &r.unresolved.Entries)
	})
}

func marks(ctx context.Context, db bun.IDB) (m Marks, err error) {
	err = db.QueryRowContext(ctx, "SELECT (SELECT last FROM counters WHERE name = 'sale'), (SELECT last FROM counters WHERE name = 'payment'), "+
		"(SELECT last FROM counters WHERE name = 'entry'), (SELECT last FROM counters WHERE name = 'revision')").
		Scan(&m.Sale, &m.Payment, &m.Entry, &m.Revision)
	return m, err
}

// span of days before everything: a first run has no base.
func (r *reading) baseDay() ledger.Day {
	if r.base.ID == 0 {
		return math.MinInt32
	}
	return r.base.Span.To
}

// fresh selects columns of the rows of a table that are new: what has come since
// the base, found by number, the column of the order of arrival; and what was there
// but is for days after it, found by day. "+ 0" and "|| ”" keep the other
// conditions from being looked up by an index: the one over all days would read the
// whole history for each run.
func (r *reading) fresh(columns, table, number, where string, seen, upto int64) string {
	late := fmt.Sprintf("SELECT %s FROM %s WHERE %s > %d AND %s <= %d AND day + 0 <= %d AND utility || '' = '%s' AND %s",
		columns, table, number, seen, number, upto, r.span.To, r.utility, where)
	if seen == 0 {
		return late
	}
	due := fmt.Sprintf("SELECT %s FROM %s WHERE utility = '%s' AND day > %d AND day <= %d AND %s + 0 <= %d AND %s",
		columns, table, r.utility, r.baseDay(), r.span.To, number, seen, where)
	return late + " UNION ALL " + due
}

func (r *reading) entriesQuery() string {
	q := r.fresh(entryStream, "card_entries", "id", "place + 0 > 0", r.base.Upto.Entry, r.upto.Entry)
	return q + " ORDER BY place, id"
}

// salesQuery is for the accounts: sales by place.
func (r *reading) salesQuery() string {
	q := r.fresh("0, "+saleStream, "sales", "placed", "place + 0 > 0", r.base.Upto.Sale, r.upto.Sale)
	return q + " ORDER BY place, id"
}

// orderSalesQuery is for the orders: sales by channel and order, those of unknown
// meters too.
func (r *reading) orderSalesQuery(bytewise string) string {
	q := r.fresh(r.again("sales")+", "+saleStream, "sales", "id", "kind NOT IN ('transfer', 'reissue')", r.base.Upto.Sale, r.upto.Sale)
	return "SELECT * FROM (" + q + ") AS fresh" + orderBy(bytewise) + ", id"
}

func (r *reading) orderPaymentsQuery(bytewise string) string {
	q := r.fresh(r.again("payments")+", "+paymentStream, "payments", "id", "1 = 1", r.base.Upto.Payment, r.upto.Payment)
	return "SELECT * FROM (" + q + ") AS fresh" + orderBy(bytewise) + ", id"
}

// orderBy sorts as Go compares; bytewise is the name that the database has for it.
func orderBy(bytewise string) string {
	return fmt.Sprintf(" ORDER BY channel COLLATE %s, order_no COLLATE %s", bytewise, bytewise)
}

// again is the column that says whether an earlier run may have taken rows of the
// same order. Both indexes hold the number as well, so that no row is touched.
func (r *reading) again(table string) string {
	if r.base.ID == 0 {
		return "1 = 0 AS again"
	}
	return fmt.Sprintf("(EXISTS (SELECT 1 FROM sales AS x WHERE x.channel = %s.channel AND x.order_no = %s.order_no AND x.id <= %d) OR "+
		"EXISTS (SELECT 1 FROM payments AS y WHERE y.channel = %s.channel AND y.order_no = %s.order_no AND y.id <= %d)) AS again",
		table, table, r.base.Upto.Sale, table, table, r.base.Upto.Payment)
}

// orderKey names an order.
type orderKey struct{ channel, order string }

func (k orderKey) compare(l orderKey) int {
	return cmp.Or(strings.Compare(k.channel, l.channel), strings.Compare(k.order, l.order))
}

func (b *Books) bytewise() string {
	if b.sqlite() {
		return "BINARY"
	}
	return `"C"`
}
