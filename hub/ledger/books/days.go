package books

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// maxOverview bounds an overview: a year and a day.
const maxOverview = 366

// Days returns the accounting days of a utility between two, both included, the
// latest first, with what each ledger says of them and how far the work is. All is
// of one state of the books. It takes at most 366 days.
func (b *Books) Days(ctx context.Context, utility schemas.Medium, from, to ledger.Day) (ledger.DayOverview, error) {
	o := ledger.DayOverview{Utility: utility}
	if to < from || to-from >= maxOverview {
		return o, fmt.Errorf("overview of days: want 1 to %d days", maxOverview)
	}
	for d := to; d >= from; d-- {
		o.Days = append(o.Days, ledger.DayLine{Day: d})
	}
	w := overview{utility: string(utility), from: from, to: to, o: &o}
	err := b.snapshot(ctx, func(tx bun.Tx) error {
		for _, step := range []func(context.Context, bun.Tx) error{w.files, w.sales, w.payments, w.entries, w.loads, w.runs, w.found, w.closings} {
			if err := step(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	return o, explain("overview of days", err)
}

// overview is an overview in the making.
type overview struct {
	utility  string
	from, to ledger.Day
	o        *ledger.DayOverview
}

func (w *overview) line(day int64) *ledger.DayLine { return &w.o.Days[int64(w.to)-day] }

// ask runs a query over the days of the overview and hands each row to do.
func (w *overview) ask(ctx context.Context, tx bun.Tx, query string, dest []any, do func()) error {
	rows, err := tx.QueryContext(ctx, query, w.utility, int64(w.from), int64(w.to))
	if err != nil {
		return err
	}
	return each(rows, dest, func() error { do(); return nil })
}

func (w *overview) files(ctx context.Context, tx bun.Tx) error {
	var day, n int64
	var content string
	return w.ask(ctx, tx, "SELECT day, content, COUNT(*) FROM imports WHERE utility = ? AND day BETWEEN ? AND ? GROUP BY day, content",
		[]any{&day, &content, &n}, func() {
			if ledger.Content(content) == ledger.PaymentsFile {
				w.line(day).PaymentFiles = n
			} else {
				w.line(day).SalesFiles = n
			}
		})
}

// sums3 are the columns that a Sum is read from.
const sums3 = "COUNT(*), CAST(COALESCE(SUM(amount), 0) AS BIGINT), CAST(COALESCE(SUM(volume), 0) AS BIGINT)"

func (w *overview) sales(ctx context.Context, tx bun.Tx) error {
	var day int64
	var kind string
	var s ledger.Sum
	return w.ask(ctx, tx, "SELECT day, kind, "+sums3+" FROM sales WHERE utility = ? AND day BETWEEN ? AND ? GROUP BY day, kind",
		[]any{&day, &kind, &s.Count, &s.Fen, &s.Volume}, func() {
			switch ledger.SaleKind(kind) {
			case ledger.Purchase:
				w.line(day).Sold.Add(s)
			case ledger.Bill:
				w.line(day).Billed.Add(s)
			case ledger.Refund, ledger.Reversal:
				w.line(day).Refunded.Add(s)
			}
		})
}

func (w *overview) payments(ctx context.Context, tx bun.Tx) error {
	var day, refund int64
	var s ledger.Sum
	return w.ask(ctx, tx, "SELECT day, refund, COUNT(*), CAST(SUM(amount) AS BIGINT) FROM payments WHERE utility = ? AND day BETWEEN ? AND ? GROUP BY day, refund",
		[]any{&day, &refund, &s.Count, &s.Fen}, func() {
			if refund != 0 {
				w.line(day).PaidBack = s
			} else {
				w.line(day).Paid = s
			}
		})
}

func (w *overview) entries(ctx context.Context, tx bun.Tx) error {
	var day, n int64
	return w.ask(ctx, tx, "SELECT day, COUNT(*) FROM card_entries WHERE utility = ? AND day BETWEEN ? AND ? GROUP BY day",
		[]any{&day, &n}, func() { w.line(day).Entries = n })
}

// firstLoads are the loads that no earlier entry has told: two loads of one
// installation with one number and amount are one fact told twice
// (docs/reconciliation.md).
const firstLoads = " FROM card_entries AS e WHERE e.event = 'load' AND e.utility = ? AND e.day BETWEEN ? AND ? AND NOT EXISTS (" +
	"SELECT 1 FROM card_entries AS f WHERE f.event = 'load' AND e.place <> 0 AND f.place = e.place AND f.from_ms = e.from_ms AND f.purchase = e.purchase " +
	"AND f.scheme = e.scheme AND f.amount = e.amount AND f.amount_unit = e.amount_unit AND f.id < e.id)"

// loadSums are the columns that a Sum of loads is read from: money and volume stand in
// one column, told apart by their unit.
const loadSums = "COUNT(*), CAST(COALESCE(SUM(CASE WHEN e.amount_unit = 'fen' THEN e.amount END), 0) AS BIGINT), " +
	"CAST(COALESCE(SUM(CASE WHEN e.amount_unit IN ('L', 'Wh') THEN e.amount END), 0) AS BIGINT)"

func (w *overview) loads(ctx context.Context, tx bun.Tx) error {
	var day int64
	var s ledger.Sum
	return w.ask(ctx, tx, "SELECT e.day, "+loadSums+firstLoads+" GROUP BY e.day",
		[]any{&day, &s.Count, &s.Fen, &s.Volume}, func() { w.line(day).Loaded = s })
}

// runs notes the run that covers each day; at most one that counts does.
func (w *overview) runs(ctx context.Context, tx bun.Tx) error {
	var rows []runRow
	columns := []string{"id", "first_day", "last_day", "version", "by_whom", "at_ms"}
	err := tx.NewSelect().Model(&rows).Column(columns...).Where("utility = ? AND state = ? AND last_day >= ? AND first_day <= ?",
		w.utility, string(RunDone), int64(w.from), int64(w.to)).Scan(ctx)
	if err != nil {
		return err
	}
	for _, r := range rows {
		run := &ledger.DayRun{ID: r.ID, From: ledger.Day(r.First), To: ledger.Day(r.Last), Version: r.Version, By: r.ByWhom, At: moment(r.AtMillis)}
		for d := max(run.From, w.from); d <= min(run.To, w.to); d++ {
			w.line(int64(d)).Run = run
		}
	}
	w.o.LastRun, err = lastDay(ctx, tx, "SELECT MAX(last_day) FROM runs WHERE utility = ? AND state = 'done'", w.utility)
	return err
}

// found notes what the run that ends with a day found.
func (w *overview) found(ctx context.Context, tx bun.Tx) error {
	var day int64
	var all, open ledger.Sum
	return w.ask(ctx, tx, "SELECT r.last_day, COUNT(*), CAST(SUM(d.amount) AS BIGINT), COUNT(CASE WHEN "+isOpen+" THEN 1 END), "+
		"CAST(COALESCE(SUM(CASE WHEN "+isOpen+" THEN d.amount END), 0) AS BIGINT) FROM runs AS r JOIN differences AS d ON d.found_run = r.id "+
		"WHERE r.state = 'done' AND r.utility = ? AND r.last_day BETWEEN ? AND ? GROUP BY r.last_day",
		[]any{&day, &all.Count, &all.Fen, &open.Count, &open.Fen}, func() { w.line(day).Found, w.line(day).Open = all, open })
}

// isOpen holds for a difference d that neither a fact nor a decision has ended.
const isOpen = "d.cleared_run = 0 AND d.state <> 'closed'"

func (w *overview) closings(ctx context.Context, tx bun.Tx) error {
	list, err := closingsOf(ctx, tx, w.utility)
	if err != nil || len(list) == 0 {
		return err
	}
	w.o.ClosedTo = ledger.KnownDay{Day: list[0].Day, Known: true}
	for n := range w.o.Days { // the closing of a day is the first at or after it
		for i := range list {
			if list[i].Day >= w.o.Days[n].Day {
				w.o.Days[n].Closing = &list[i]
			}
		}
	}
	return nil
}

// DayLedgers returns what the ledgers hold of one day of a utility, side by side.
func (b *Books) DayLedgers(ctx context.Context, utility schemas.Medium, day ledger.Day) (ledger.DayLedgers, error) {
	var out ledger.DayLedgers
	err := b.snapshot(ctx, func(tx bun.Tx) error {
		for _, q := range []struct {
			to    *[]ledger.LedgerSum
			query string
		}{
			{&out.Sales, "SELECT channel, kind, " + sums3 + " FROM sales WHERE utility = ? AND day = ? GROUP BY channel, kind ORDER BY channel, kind"},
			{&out.Payments, "SELECT channel, CASE refund WHEN 0 THEN 'payment' ELSE 'refund' END, COUNT(*), CAST(SUM(amount) AS BIGINT), 0 FROM payments " +
				"WHERE utility = ? AND day = ? GROUP BY channel, refund ORDER BY channel, refund"},
			{&out.Entries, "SELECT e.source, e.event, " + loadSums + " FROM card_entries AS e WHERE e.utility = ? AND e.day = ? GROUP BY e.source, e.event ORDER BY e.event, e.source"},
		} {
			rows, err := tx.QueryContext(ctx, q.query, string(utility), int64(day))
			if err != nil {
				return err
			}
			var s ledger.LedgerSum
			if err := each(rows, []any{&s.Channel, &s.Kind, &s.Count, &s.Fen, &s.Volume}, func() error { *q.to = append(*q.to, s); return nil }); err != nil {
				return err
			}
		}
		var rows []importRow
		err := tx.NewSelect().Model(&rows).Where("utility = ? AND day = ?", string(utility), int64(day)).Order("content", "channel", "number").Scan(ctx)
		for n := range rows {
			i, bad := rows[n].toImport()
			if bad != nil {
				return bad
			}
			out.Files = append(out.Files, i)
		}
		return err
	})
	return out, explain(fmt.Sprintf("ledgers of %s", day), err)
}

// DayRuns returns the runs that end with a day, the latest version first, those that
// were set aside among them.
func (b *Books) DayRuns(ctx context.Context, utility schemas.Medium, day ledger.Day) ([]RunSummary, error) {
	var rows []runRow
	err := b.read.NewSelect().Model(&rows).Where("utility = ? AND last_day = ?", string(utility), int64(day)).Order("id DESC").Scan(ctx)
	if err != nil {
		return nil, explain("runs of a day", err)
	}
	out := make([]RunSummary, len(rows))
	for n := range rows {
		if out[n], err = rows[n].summary(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
