package books

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/reconcile"
	"citygrid/schemas"
)

// closingRow is a row of day_closings.
type closingRow struct {
	bun.BaseModel `bun:"table:day_closings"`
	Utility       string `bun:"utility"`
	Day           int64  `bun:"day"`
	Run           int64  `bun:"run"`
	ByWhom        string `bun:"by_whom"`
	Why           string `bun:"why"`
	AtMillis      int64  `bun:"at_ms"`
}

// closingsOf returns the closings of a utility, the latest day first.
func closingsOf(ctx context.Context, db bun.IDB, utility string) ([]ledger.DayClosing, error) {
	var rows []closingRow
	if err := db.NewSelect().Model(&rows).Where("utility = ?", utility).Order("day DESC").Scan(ctx); err != nil {
		return nil, err
	}
	out := make([]ledger.DayClosing, len(rows))
	for n, r := range rows {
		out[n] = ledger.DayClosing{Utility: schemas.Medium(r.Utility), Day: ledger.Day(r.Day), Run: r.Run, By: r.ByWhom, Why: r.Why, At: moment(r.AtMillis)}
	}
	return out, nil
}

// lastDay asks for one day that may be NULL.
func lastDay(ctx context.Context, db bun.IDB, query string, args ...any) (ledger.KnownDay, error) {
	var day sql.NullInt64
	err := db.QueryRowContext(ctx, query, args...).Scan(&day)
	return ledger.KnownDay{Day: ledger.Day(day.Int64), Known: day.Valid}, err
}

// CloseDay closes a day, and with it all days before: no run does them again, and what
// arrives for them later counts on the first day of the next run. It takes a run that
// counts and ends with the day, and somebody else than who made it; a reason where
// differences are open that nobody has looked at. The error is a
// *ledger.NotClosedError where it cannot be closed.
func (b *Books) CloseDay(ctx context.Context, c ledger.DayClosing) (ledger.DayClosing, error) {
	if c.By == "" {
		return c, errors.New("close a day: nobody is named who closes it")
	}
	c.At = b.o.Now().UTC()
	err := b.change(ctx, func(tx bun.Tx) error { return closeDay(ctx, tx, &c) })
	var not *ledger.NotClosedError
	if errors.As(err, &not) {
		return c, not
	}
	return c, explain(fmt.Sprintf("close %s of %s", c.Day, c.Utility), err)
}

func closeDay(ctx context.Context, tx bun.Tx, c *ledger.DayClosing) error {
	if _, err := take(ctx, tx, "run", 0); err != nil { // nobody runs or closes meanwhile
		return err
	}
	not := func(why ledger.NotClosedWhy, format string, args ...any) error {
		return &ledger.NotClosedError{Utility: c.Utility, Day: c.Day, Why: why, What: fmt.Sprintf(format, args...)}
	}
	before, err := closedTo(ctx, tx, c.Utility)
	if err != nil {
		return err
	}
	if before.Known && before.Day >= c.Day {
		return not(ledger.AlreadyClosed, "the days up to %s are closed already", before.Day)
	}
	var run runRow
	err = tx.NewSelect().Model(&run).Where("utility = ? AND state = ? AND first_day <= ? AND last_day >= ?", string(c.Utility), string(RunDone), int64(c.Day), int64(c.Day)).
		Limit(1).Scan(ctx)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return not(ledger.NotReconciled, "no run covers it; make the run first")
	case err != nil:
		return err
	case run.Last != int64(c.Day):
		return not(ledger.InsideRun, "run %d covers %s to %s; close its last day", run.ID, ledger.Day(run.First), ledger.Day(run.Last))
	case ledger.SamePerson(run.ByWhom, c.By):
		return not(ledger.SameMaker, "%s made run %d and cannot also close its day; ask a second person", c.By, run.ID)
	}
	open, err := unlooked(ctx, tx, c.Utility, run.ID)
	if err != nil {
		return err
	}
	if open > 0 && c.Why == "" {
		return not(ledger.ReasonNeeded, "nobody has looked at %d differences that are open; say why it is closed all the same", open)
	}
	c.Run = run.ID
	_, err = tx.NewInsert().Model(&closingRow{Utility: string(c.Utility), Day: int64(c.Day), Run: c.Run, ByWhom: c.By, Why: c.Why, AtMillis: millis(c.At)}).Exec(ctx)
	return err
}

// closedTo returns the last closed day of a utility.
func closedTo(ctx context.Context, db bun.IDB, utility schemas.Medium) (ledger.KnownDay, error) {
	return lastDay(ctx, db, "SELECT MAX(day) FROM day_closings WHERE utility = ?", string(utility))
}

// unlooked counts the open differences up to a run on which nobody has decided.
func unlooked(ctx context.Context, db bun.IDB, utility schemas.Medium, run int64) (n int64, err error) {
	err = db.QueryRowContext(ctx, "SELECT COUNT(*) FROM differences WHERE utility = ? AND cleared_run = 0 AND state = ? AND found_run <= ?",
		string(utility), string(ledger.Open), run).Scan(&n)
	return n, err
}

// Unlooked counts the open differences, of those with which a run closed, on which
// nobody has decided.
func (b *Books) Unlooked(ctx context.Context, utility schemas.Medium, run int64) (int64, error) {
	n, err := unlooked(ctx, b.read, utility, run)
	return n, explain("open differences", err)
}

// refuseClosed refuses a run over days that are closed.
func refuseClosed(ctx context.Context, tx bun.Tx, utility schemas.Medium, span reconcile.Span) error {
	last, err := closedTo(ctx, tx, utility)
	if err != nil || !last.Known || span.From > last.Day {
		return err
	}
	return &ledger.ClosedDayError{Utility: utility, ClosedTo: last.Day}
}
