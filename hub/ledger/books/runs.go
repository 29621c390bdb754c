package books

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/reconcile"
	"citygrid/schemas"
)

// RunState says whether a run counts.
type RunState string

// The states of a run.
const (
	RunDone     RunState = "done"
	RunSetAside RunState = "set_aside" // a run over its days, or before them, was made again
)

// RunSummary is one run as the books hold it.
type RunSummary struct {
	ID      int64
	Utility schemas.Medium
	Span    reconcile.Span
	// Version counts the runs that closed on the same day, from 1.
	Version int
	State   RunState
	// Before is the run with whose balances it began, Replaces the version before
	// it; 0 for none.
	Before, Replaces int64
	Rules            string // their version
	Tariffs          string // digest of the tariff files
	// Inputs are the SM3 digests of what the run read, by ledger.
	Inputs  map[string]string
	Figures reconcile.Figures
	By      string
	At      time.Time
	Took    time.Duration
	// Upto are the last numbers of the rows that the run could see.
	Upto Marks
	// Unresolved are the rows that no account of the run has, because the register
	// did not know their meter; nil for a run that was made before they were counted.
	Unresolved *Unresolved
}

// Unresolved counts rows of meters that the register does not know, up to the last
// day of a run.
type Unresolved struct{ Sales, Entries int64 }

// runRow is a row of runs.
type runRow struct {
	bun.BaseModel `bun:"table:runs"`
	ID            int64  `bun:"id"`
	Utility       string `bun:"utility"`
	First         int64  `bun:"first_day"`
	Last          int64  `bun:"last_day"`
	Version       int    `bun:"version"`
	State         string `bun:"state"`
	Before        int64  `bun:"before_run"`
	Replaces      int64  `bun:"replaces"`
	Sale          int64  `bun:"sale_upto"`
	Payment       int64  `bun:"payment_upto"`
	Entry         int64  `bun:"entry_upto"`
	Revision      int64  `bun:"revision_upto"`
	Rules         string `bun:"rules"`
	Tariffs       string `bun:"tariffs"`
	Inputs        string `bun:"inputs"`
	Figures       string `bun:"figures"`
	ByWhom        string `bun:"by_whom"`
	AtMillis      int64  `bun:"at_ms"`
	Took          int64  `bun:"took_ms"`

	UnresolvedSales   sql.NullInt64 `bun:"unresolved_sales"`
	UnresolvedEntries sql.NullInt64 `bun:"unresolved_entries"`
}

func (r *runRow) summary() (RunSummary, error) {
	s := RunSummary{ID: r.ID, Utility: schemas.Medium(r.Utility), Span: reconcile.Span{From: ledger.Day(r.First), To: ledger.Day(r.Last)},
		Version: r.Version, State: RunState(r.State), Before: r.Before, Replaces: r.Replaces, Rules: r.Rules, Tariffs: r.Tariffs,
		By: r.ByWhom, At: moment(r.AtMillis), Took: time.Duration(r.Took) * time.Millisecond, Upto: Marks{r.Sale, r.Payment, r.Entry, r.Revision}}
	if r.UnresolvedSales.Valid && r.UnresolvedEntries.Valid {
		s.Unresolved = &Unresolved{r.UnresolvedSales.Int64, r.UnresolvedEntries.Int64}
	}
	err := errors.Join(json.Unmarshal([]byte(r.Inputs), &s.Inputs), json.Unmarshal([]byte(r.Figures), &s.Figures))
	if err != nil {
		return s, fmt.Errorf("run %d in the books is damaged: %w", r.ID, err)
	}
	return s, nil
}

func (s *RunSummary) row() (runRow, error) {
	inputs, err := json.Marshal(s.Inputs)
	if err != nil {
		return runRow{}, err
	}
	figures, err := json.Marshal(&s.Figures)
	row := runRow{ID: s.ID, Utility: string(s.Utility), First: int64(s.Span.From), Last: int64(s.Span.To), Version: s.Version, State: string(s.State),
		Before: s.Before, Replaces: s.Replaces, Sale: s.Upto.Sale, Payment: s.Upto.Payment, Entry: s.Upto.Entry, Revision: s.Upto.Revision,
		Rules: s.Rules, Tariffs: s.Tariffs, Inputs: string(inputs), Figures: string(figures), ByWhom: s.By,
		AtMillis: millis(s.At), Took: s.Took.Milliseconds()}
	if u := s.Unresolved; u != nil {
		row.UnresolvedSales, row.UnresolvedEntries = sql.NullInt64{Int64: u.Sales, Valid: true}, sql.NullInt64{Int64: u.Entries, Valid: true}
	}
	return row, err
}

// chain returns the runs of a utility that count, the latest first.
func chain(ctx context.Context, db bun.IDB, utility schemas.Medium) ([]RunSummary, error) {
	var rows []runRow
	err := db.NewSelect().Model(&rows).Where("utility = ? AND state = ?", string(utility), string(RunDone)).Order("last_day DESC").Scan(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]RunSummary, len(rows))
	for n := range rows {
		if out[n], err = rows[n].summary(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// latest returns the last run of a utility that counts; the zero RunSummary where
// there is none.
func latest(ctx context.Context, db bun.IDB, utility schemas.Medium) (RunSummary, error) {
	var row runRow
	err := db.NewSelect().Model(&row).Where("utility = ? AND state = ?", string(utility), string(RunDone)).Order("last_day DESC").Limit(1).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return RunSummary{}, nil
	}
	if err != nil {
		return RunSummary{}, err
	}
	return row.summary()
}

// setAside takes back the runs of a utility that reach into span or lie after it,
// in one transaction, and returns the run that a run of span then begins with.
func (b *Books) setAside(ctx context.Context, utility schemas.Medium, span reconcile.Span) (base RunSummary, err error) {
	err = b.change(ctx, func(tx bun.Tx) error {
		if _, err := take(ctx, tx, "run", 0); err != nil { // nobody else runs meanwhile
			return err
		}
		if err := refuseClosed(ctx, tx, utility, span); err != nil {
			return err
		}
		runs, err := chain(ctx, tx, utility)
		if err != nil {
			return err
		}
		for len(runs) > 0 && runs[0].Span.To >= span.From {
			if runs[0].Span.From < span.From {
				return fmt.Errorf("run %d covers %s to %s; to do some of its days again, begin with its first day", runs[0].ID, runs[0].Span.From, runs[0].Span.To)
			}
			if err := b.takeBack(ctx, tx, runs[0].ID); err != nil {
				return err
			}
			runs = runs[1:]
		}
		if len(runs) == 0 {
			return nil
		}
		if base = runs[0]; base.Span.To+1 != span.From {
			return fmt.Errorf("the last run of %s ends with %s; begin with %s", utility, base.Span.To, base.Span.To+1)
		}
		return nil
	})
	return base, err
}

// takeBack puts everything back to how it was before a run, except the run's own
// record and its items, which stay as evidence.
func (b *Books) takeBack(ctx context.Context, tx bun.Tx, run int64) error {
	var known bool
	err := tx.QueryRowContext(ctx, "SELECT redo > 0 FROM runs WHERE id = ?", run).Scan(&known)
	if err != nil {
		return err
	}
	if !known {
		return fmt.Errorf("run %d is too old to be taken back; the books keep the way back for the last %d runs", run, b.o.Redo)
	}
	for _, statement := range []string{
		"DELETE FROM account_balances WHERE place IN (SELECT place FROM account_undo WHERE run = ? AND body IS NULL)",
		"INSERT INTO account_balances (place, utility, wake, body) SELECT place, utility, wake, body FROM account_undo WHERE run = ? AND body IS NOT NULL " +
			"ON CONFLICT (place) DO UPDATE SET wake = EXCLUDED.wake, body = EXCLUDED.body",
		"DELETE FROM account_undo WHERE run = ?",
		"DELETE FROM order_balances WHERE EXISTS (SELECT 1 FROM order_undo AS u WHERE u.run = ? AND u.body IS NULL AND " +
			"u.utility = order_balances.utility AND u.channel = order_balances.channel AND u.order_no = order_balances.order_no)",
		"INSERT INTO order_balances (utility, channel, order_no, wake, body) SELECT utility, channel, order_no, wake, body FROM order_undo WHERE run = ? AND body IS NOT NULL " +
			"ON CONFLICT (utility, channel, order_no) DO UPDATE SET wake = EXCLUDED.wake, body = EXCLUDED.body",
		"DELETE FROM order_undo WHERE run = ?",
		"DELETE FROM duplicate_marks WHERE run = ?",
		"DELETE FROM refusals WHERE run = ?",
		"DELETE FROM differences WHERE found_run = ?",
		"UPDATE differences SET cleared_run = 0 WHERE cleared_run = ?",
		"UPDATE runs SET state = 'set_aside' WHERE id = ?",
	} {
		if _, err := tx.ExecContext(ctx, statement, run); err != nil {
			return fmt.Errorf("take back run %d: %w", run, err)
		}
	}
	return nil
}

// forget drops the way back of runs beyond the last Redo of a utility.
func (b *Books) forget(ctx context.Context, tx bun.Tx, utility schemas.Medium) error {
	var old []int64
	err := tx.NewRaw("SELECT id FROM runs WHERE utility = ? AND state = 'done' AND redo > 0 ORDER BY last_day DESC LIMIT 1000 OFFSET ?",
		string(utility), b.o.Redo).Scan(ctx, &old)
	if err != nil || len(old) == 0 {
		return err
	}
	for _, statement := range []string{"DELETE FROM account_undo WHERE run IN (?)", "DELETE FROM order_undo WHERE run IN (?)",
		"UPDATE runs SET redo = 0 WHERE id IN (?)"} {
		if _, err := tx.ExecContext(ctx, statement, bun.List(old)); err != nil {
			return err
		}
	}
	return nil
}
