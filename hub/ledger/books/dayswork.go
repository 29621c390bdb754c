package books

import (
	"context"
	"strings"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// workRow is a row of differences with what decisions say of it.
type workRow struct {
	differenceRow
	Assignee string `bun:"assignee"`
	LastBy   string `bun:"last_by"`
	LastAt   int64  `bun:"last_ms"`
}

func (r *workRow) item() ledger.WorkItem {
	d := r.record()
	return ledger.WorkItem{Key: d.Key, Difference: d.Difference, State: d.State, FoundRun: d.FoundRun, ClearedRun: d.ClearedRun,
		Assignee: r.Assignee, LastBy: r.LastBy, LastAt: moment(r.LastAt)}
}

// assigned is to whom a difference d was given last.
const assigned = "COALESCE((SELECT s.assignee FROM decisions AS s WHERE s.diff_key = d.diff_key AND s.state = 'assigned' ORDER BY s.step DESC LIMIT 1), '')"

const workColumns = "d.*, " + assigned + " AS assignee, " +
	"COALESCE((SELECT s.who FROM decisions AS s WHERE s.diff_key = d.diff_key ORDER BY s.step DESC LIMIT 1), '') AS last_by, " +
	"COALESCE((SELECT s.at_ms FROM decisions AS s WHERE s.diff_key = d.diff_key ORDER BY s.step DESC LIMIT 1), 0) AS last_ms"

// workWhere adds what f picks to a query over differences d.
func workWhere(q *bun.SelectQuery, f *ledger.WorkFilter) *bun.SelectQuery {
	q = q.TableExpr("differences AS d")
	if f.Utility != "" {
		q = q.Where("d.utility = ?", string(f.Utility))
	}
	if len(f.Classes) > 0 {
		q = q.Where("d.class IN (?)", bun.List(f.Classes))
	}
	if len(f.States) > 0 {
		q = q.Where("d.state IN (?)", bun.List(f.States))
	}
	if f.Meter != "" {
		q = q.Where("d.meter = ?", string(f.Meter))
	}
	if f.From.Known {
		q = q.Where("d.day >= ?", int64(f.From.Day))
	}
	if f.To.Known {
		q = q.Where("d.day <= ?", int64(f.To.Day))
	}
	if f.Least > 0 {
		q = q.Where("ABS(d.amount) >= ?", int64(f.Least))
	}
	if f.Most > 0 {
		q = q.Where("ABS(d.amount) <= ?", int64(f.Most))
	}
	if f.Assignee != "" {
		q = q.Where(assigned+" = ?", f.Assignee)
	}
	if f.Text != "" {
		like := "%" + likeText(strings.ToLower(f.Text)) + "%"
		q = q.Where(`(LOWER(d.order_no) LIKE ? ESCAPE '!' OR LOWER(d.meter) LIKE ? ESCAPE '!' OR LOWER(d.card) LIKE ? ESCAPE '!' OR LOWER(d.diff_key) LIKE ? ESCAPE '!')`,
			like, like, like, like)
	}
	switch {
	case f.FoundBy != 0:
		return q.Where("d.found_run = ?", f.FoundBy)
	case f.Cleared:
		return q.Where("d.cleared_run > 0")
	default:
		return q.Where("d.cleared_run = 0")
	}
}

// likeText keeps the characters of a text that LIKE would read as patterns.
func likeText(s string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(s)
}

// workOrder returns the columns that a list is sorted by, with the direction of the
// first; equal rows keep one order, so that pages do not overlap.
func workOrder(f *ledger.WorkFilter) string {
	first := map[ledger.WorkOrder]string{
		ledger.ByAmount: "ABS(d.amount)", ledger.ByClass: "d.class", ledger.ByMeter: "d.meter",
		ledger.ByState: "CASE d.state WHEN 'open' THEN 0 WHEN 'explained' THEN 1 WHEN 'assigned' THEN 2 WHEN 'adjusted' THEN 3 ELSE 4 END",
	}[f.Sort]
	direction := ""
	if f.Down {
		direction = " DESC"
	}
	if first == "" {
		return "d.day" + direction + ", d.diff_key, d.found_run"
	}
	return first + direction + ", d.day, d.diff_key, d.found_run"
}

// Work returns a page of the differences that f picks, with the sums over all of them.
// All is of one state of the books.
func (b *Books) Work(ctx context.Context, f ledger.WorkFilter) (ledger.WorkList, error) {
	var out ledger.WorkList
	err := b.snapshot(ctx, func(tx bun.Tx) error {
		var err error
		if out.Groups, err = workGroups(ctx, tx, &f); err != nil {
			return err
		}
		for _, g := range out.Groups {
			out.Total += g.Count
		}
		var rows []workRow
		page := Page{Limit: int64(f.Limit), Offset: int64(f.Offset)}
		if err := page.apply(workWhere(tx.NewSelect().ColumnExpr(workColumns), &f)).OrderExpr(workOrder(&f)).Scan(ctx, &rows); err != nil {
			return err
		}
		for n := range rows {
			out.Items = append(out.Items, rows[n].item())
		}
		out.Assignees, err = assignees(ctx, tx, f.Utility)
		return err
	})
	return out, explain("list of work", err)
}

// workGroups sums by class, state and band.
func workGroups(ctx context.Context, tx bun.Tx, f *ledger.WorkFilter) (out []ledger.WorkGroup, err error) {
	band, args := "CASE", []any{}
	bands := Bands()
	for n, a := range bands[:len(bands)-1] {
		first, _ := a.Of(f.AsOf)
		band += " WHEN d.day >= ? THEN ?"
		args = append(args, int64(first), n)
	}
	band += " ELSE ? END"
	args = append(args, len(bands)-1)
	q := workWhere(tx.NewSelect().ColumnExpr("d.class, d.state").ColumnExpr(band+" AS band", args...).ColumnExpr("COUNT(*), "+
		"CAST(SUM(CASE WHEN d.amount > 0 THEN d.amount ELSE 0 END) AS BIGINT), CAST(SUM(CASE WHEN d.amount < 0 THEN d.amount ELSE 0 END) AS BIGINT)"), f)
	rows, err := q.GroupExpr("1, 2, 3").OrderExpr("1, 2, 3").Rows(ctx)
	if err != nil {
		return nil, err
	}
	var g ledger.WorkGroup
	err = each(rows, []any{&g.Class, &g.State, &g.Band, &g.Count, &g.Above, &g.Below}, func() error { out = append(out, g); return nil })
	return out, err
}

// assignees lists to whom open differences of a utility ("" for all) are given.
func assignees(ctx context.Context, tx bun.Tx, utility schemas.Medium) (out []string, err error) {
	err = tx.NewRaw("SELECT DISTINCT s.assignee FROM decisions AS s JOIN differences AS d ON d.diff_key = s.diff_key "+
		"WHERE s.state = 'assigned' AND "+isOpen+" AND (? = '' OR d.utility = ?) ORDER BY s.assignee", string(utility), string(utility)).Scan(ctx, &out)
	return out, err
}
