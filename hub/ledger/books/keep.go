package books

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/reconcile"
	"citygrid/internal/sqldb"
)

// ErrOvertaken says that another run of the utility was made meanwhile. Nothing of
// this one was kept.
var ErrOvertaken = errors.New("another run of this utility was made meanwhile; look at it before making this one again")

// keep writes a run with all that it found, in one transaction.
func (b *Books) keep(ctx context.Context, w *work, run RunSummary) (RunSummary, error) {
	err := b.change(ctx, func(tx bun.Tx) error {
		id, err := take(ctx, tx, "run", 1)
		if err != nil {
			return err
		}
		last, err := latest(ctx, tx, run.Utility)
		if err != nil {
			return err
		}
		if last.ID != run.Before {
			return ErrOvertaken
		}
		if now, err := fillings(ctx, tx, run.Utility); err != nil || now != w.r.fills {
			return cmp.Or(err, ErrFilling)
		}
		run.ID = id
		if run.Version, run.Replaces, err = versions(ctx, tx, &run); err != nil {
			return err
		}
		row, err := run.row()
		if err != nil {
			return err
		}
		if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
			return err
		}
		if err := w.write(ctx, tx, id); err != nil {
			return err
		}
		return b.forget(ctx, tx, run.Utility)
	})
	if err != nil {
		return RunSummary{}, err
	}
	return run, nil
}

// versions returns the version of a run and the run that it replaces: the last one
// that closed on the same day.
func versions(ctx context.Context, tx bun.Tx, run *RunSummary) (version int, replaces int64, err error) {
	err = tx.QueryRowContext(ctx, "SELECT version, id FROM runs WHERE utility = ? AND last_day = ? ORDER BY version DESC LIMIT 1",
		string(run.Utility), int64(run.Span.To)).Scan(&version, &replaces)
	if errors.Is(err, sql.ErrNoRows) {
		return 1, 0, nil
	}
	return version + 1, replaces, err
}

const (
	differenceColumns = "diff_key, utility, class, channel, order_no, place, meter, from_ms, scheme, purchase, card, moment_ms, amount, volume, " +
		"day, shown, expected, note, found_run, cleared_run, state"
	itemColumns = "run, item, what, diff_key, class, amount, volume"
)

// writer puts the records of a spool into the tables.
type writer struct {
	w           *work
	tx          bun.Tx
	run         int64
	items       int64
	refusals    int64
	accounts    *accountWriter
	differences *sqldb.Bulk
	log         *sqldb.Bulk
	marks       *sqldb.Bulk
	marked      map[int64]bool // sales that may be in the buffer of marks
	decided     bool           // there are decisions at all
}

func (w *work) write(ctx context.Context, tx bun.Tx, run int64) error {
	x := &writer{w: w, tx: tx, run: run, marked: make(map[int64]bool),
		accounts:    &accountWriter{b: w.b, tx: tx, run: run, utility: string(w.r.utility)},
		differences: w.b.db.Bulk(tx, "differences", differenceColumns, ""),
		log:         w.b.db.Bulk(tx, "run_items", itemColumns, ""),
		marks:       w.b.db.Bulk(tx, "duplicate_marks", "run, sale, channel, order_no, duplicate", "ON CONFLICT (run, sale) DO UPDATE SET duplicate = EXCLUDED.duplicate"),
	}
	if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM decisions)").Scan(&x.decided); err != nil {
		return err
	}
	done := int64(0)
	err := w.found.each(func(r *record) error {
		if done++; done%progressEvery == 0 {
			w.progress(Progress{Stage: "writing", Done: done, Total: w.found.count})
		}
		return x.record(ctx, r)
	})
	err = x.accounts.end(ctx, err)
	for _, k := range []*sqldb.Bulk{x.differences, x.log, x.marks} {
		err = k.End(ctx, err)
	}
	return err
}

func (x *writer) record(ctx context.Context, r *record) error {
	switch r.kind {
	case accountRecord:
		return x.accounts.add(ctx, r)
	case orderRecord:
		return x.order(ctx, r)
	case foundRecord:
		f, err := parsed[differenceRow](r)
		if err != nil {
			return err
		}
		return x.found(ctx, &f)
	case clearedRecord:
		c, err := parsed[reconcile.Clearing](r)
		if err != nil {
			return err
		}
		return x.cleared(ctx, &c)
	case markRecord:
		m, err := parsed[reconcile.DuplicateMark](r)
		if err != nil {
			return err
		}
		return x.mark(ctx, &m)
	case refusedRecord:
		f, err := parsed[reconcile.Refusal](r)
		if err != nil {
			return err
		}
		x.refusals++
		_, err = x.tx.ExecContext(ctx, "INSERT INTO refusals (run, item, ledger, row_id, place, reason) VALUES (?, ?, ?, ?, ?, ?)",
			x.run, x.refusals, f.Ledger, f.ID, r.place, f.Reason)
		return err
	}
	return fmt.Errorf("temporary file of the run: unknown record %q", r.kind)
}

// mark notes a duplicate, or that it is none any more. A run may do both for one row,
// and PostgreSQL takes a row once in a statement.
func (x *writer) mark(ctx context.Context, m *reconcile.DuplicateMark) error {
	if x.marked[m.Sale] {
		if err := x.marks.Flush(ctx); err != nil {
			return err
		}
		clear(x.marked)
	}
	x.marked[m.Sale] = true
	return x.marks.Add(ctx, x.run, m.Sale, m.Channel, m.Order, flag(m.Duplicate))
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// order writes the balance of an order after what it writes over.
func (x *writer) order(ctx context.Context, r *record) error {
	key := []any{string(x.w.r.utility), r.order.channel, r.order.order}
	res, err := x.tx.ExecContext(ctx, "INSERT INTO order_undo (run, utility, channel, order_no, wake, body) "+
		"SELECT ?, utility, channel, order_no, wake, body FROM order_balances WHERE utility = ? AND channel = ? AND order_no = ?", append([]any{x.run}, key...)...)
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err != nil {
		return err
	}
	if n == 0 {
		if _, err := x.tx.ExecContext(ctx, "INSERT INTO order_undo (run, utility, channel, order_no) VALUES (?, ?, ?, ?)", append([]any{x.run}, key...)...); err != nil {
			return err
		}
	}
	if len(r.body) == 0 {
		_, err = x.tx.ExecContext(ctx, "DELETE FROM order_balances WHERE utility = ? AND channel = ? AND order_no = ?", key...)
		return err
	}
	_, err = x.tx.ExecContext(ctx, "INSERT INTO order_balances (utility, channel, order_no, wake, body) VALUES (?, ?, ?, ?, ?) "+
		"ON CONFLICT (utility, channel, order_no) DO UPDATE SET wake = EXCLUDED.wake, body = EXCLUDED.body", append(key, int64(r.wake), r.body)...)
	return err
}

func (x *writer) found(ctx context.Context, f *differenceRow) error {
	f.State = string(ledger.Open)
	if x.decided {
		err := x.tx.QueryRowContext(ctx, "SELECT state FROM decisions WHERE diff_key = ? ORDER BY step DESC LIMIT 1", f.Key).Scan(&f.State)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	if err := x.meter(ctx, f); err != nil {
		return err
	}
	if err := x.item(ctx, "found", f.Key, f.Class, f.Amount, f.Volume); err != nil {
		return err
	}
	return x.differences.Add(ctx, f.Key, f.Utility, f.Class, f.Channel, f.Order, f.Place, f.Meter, f.From, f.Scheme, f.Purchase,
		f.Card, f.Moment, f.Amount, f.Volume, f.Day, f.Shown, f.Expected, f.Note, x.run, 0, f.State)
}

// meter names the meter of a difference between sale and payment, which the
// comparison of orders does not know and a clerk looks for.
func (x *writer) meter(ctx context.Context, f *differenceRow) error {
	if f.Meter != "" || f.Order == "" {
		return nil
	}
	err := x.tx.QueryRowContext(ctx, "SELECT p.meter, s.from_ms FROM sales AS s JOIN places AS p ON p.id = s.place "+
		"WHERE s.channel = ? AND s.order_no = ? AND s.utility = ? ORDER BY s.id LIMIT 1", f.Channel, f.Order, string(x.w.r.utility)).Scan(&f.Meter, &f.From)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

func (x *writer) cleared(ctx context.Context, c *reconcile.Clearing) error {
	what := "cleared"
	if c.Decided {
		what = "decided"
	}
	if err := x.item(ctx, what, c.Key, string(c.Class), int64(c.Amount), c.Volume); err != nil {
		return err
	}
	// A difference that this very run found first is still in the insert's buffer.
	if err := x.differences.Flush(ctx); err != nil {
		return err
	}
	_, err := x.tx.ExecContext(ctx, "UPDATE differences SET cleared_run = ? WHERE diff_key = ? AND cleared_run = 0", x.run, c.Key)
	return err
}

func (x *writer) item(ctx context.Context, what, key, class string, amount, volume int64) error {
	x.items++
	return x.log.Add(ctx, x.run, x.items, what, key, class, amount, volume)
}

// accountWriter writes balances of accounts, many at once: first what they write
// over, then the new ones.
type accountWriter struct {
	b          *Books
	tx         bun.Tx
	run        int64
	utility    string
	ids        []any
	rows       []any
	undo, keep *sql.Stmt
}

const (
	undoQuery = "INSERT INTO account_undo (run, place, utility, wake, body) SELECT ?, p.id, p.utility, b.wake, b.body " +
		"FROM places AS p LEFT JOIN account_balances AS b ON b.place = p.id WHERE p.id IN "
	keepQuery = "INSERT INTO account_balances (place, utility, wake, body) VALUES "
	keepAfter = " ON CONFLICT (place) DO UPDATE SET wake = EXCLUDED.wake, body = EXCLUDED.body"
)

func (a *accountWriter) add(ctx context.Context, r *record) error {
	if len(a.ids) == 0 {
		a.ids = append(a.ids, a.run)
	}
	a.ids = append(a.ids, r.place)
	a.rows = append(a.rows, r.place, a.utility, int64(r.wake), append([]byte(nil), r.body...))
	if len(a.ids) <= sqldb.RowsAtOnce {
		return nil
	}
	if a.undo == nil {
		if err := a.prepare(ctx); err != nil {
			return err
		}
	}
	if _, err := a.undo.ExecContext(ctx, a.ids...); err != nil {
		return err
	}
	_, err := a.keep.ExecContext(ctx, a.rows...)
	a.ids, a.rows = a.ids[:0], a.rows[:0]
	return err
}

func (a *accountWriter) queries(n int) (undo, keep string) {
	undo = undoQuery + "(" + strings.TrimSuffix(strings.Repeat("?, ", n), ", ") + ")"
	keep = keepQuery + strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?), ", n), ", ") + keepAfter
	return a.b.db.Rebind(undo), a.b.db.Rebind(keep)
}

func (a *accountWriter) prepare(ctx context.Context) (err error) {
	undo, keep := a.queries(sqldb.RowsAtOnce)
	if a.undo, err = a.tx.Tx.PrepareContext(ctx, undo); err != nil {
		return err
	}
	a.keep, err = a.tx.Tx.PrepareContext(ctx, keep)
	return err
}

func (a *accountWriter) end(ctx context.Context, err error) error {
	for _, s := range []*sql.Stmt{a.undo, a.keep} {
		if s != nil {
			defer s.Close()
		}
	}
	if err != nil || len(a.ids) < 2 {
		return err
	}
	undo, keep := a.queries(len(a.ids) - 1)
	if _, err := a.tx.Tx.ExecContext(ctx, undo, a.ids...); err != nil {
		return err
	}
	_, err = a.tx.Tx.ExecContext(ctx, keep, a.rows...)
	return err
}
