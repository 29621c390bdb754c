package sqldb

import (
	"context"
	"database/sql"
	"strings"

	"github.com/uptrace/bun"
)

// Bulk inserts many rows with few statements: RowsAtOnce go in one prepared
// statement, what is left over in a last one. Both databases take about a
// microsecond a row this way, and ten and more one by one.
type Bulk struct {
	db    *DB
	tx    bun.Tx
	into  string // "table (a, b)"
	after string // "ON CONFLICT ..." or empty
	width int
	stmt  *sql.Stmt
	args  []any
	// Writes counts the rows that the database has changed.
	Writes int64
}

// RowsAtOnce keeps a table of up to 500 columns below the 32,766 parameters that
// SQLite takes [sqlite.org/limits.html]; more is no faster.
const RowsAtOnce = 64

// Bulk begins an insert into columns ("a, b, c") of a table. after is "ON CONFLICT ..."
// or empty. End it.
func (d *DB) Bulk(tx bun.Tx, table, columns, after string) *Bulk {
	return &Bulk{db: d, tx: tx, into: table + " (" + columns + ")", after: after, width: strings.Count(columns, ",") + 1}
}

func (k *Bulk) query(rows int) string {
	one := "(" + strings.TrimSuffix(strings.Repeat("?, ", k.width), ", ") + ")"
	return k.db.Rebind("INSERT INTO " + k.into + " VALUES " + strings.TrimSuffix(strings.Repeat(one+", ", rows), ", ") + " " + k.after)
}

// Add takes one row, in the order of the columns.
func (k *Bulk) Add(ctx context.Context, values ...any) error {
	k.args = append(k.args, values...)
	if len(k.args) < RowsAtOnce*k.width {
		return nil
	}
	if k.stmt == nil {
		stmt, err := k.tx.Tx.PrepareContext(ctx, k.query(RowsAtOnce))
		if err != nil {
			return err
		}
		k.stmt = stmt
	}
	res, err := k.stmt.ExecContext(ctx, k.args...)
	return k.done(res, err)
}

// End writes what is left and closes the statement. It must be called once, after
// an error too.
func (k *Bulk) End(ctx context.Context, err error) error {
	if k.stmt != nil {
		defer k.stmt.Close()
	}
	if err != nil {
		return err
	}
	return k.Flush(ctx)
}

// Flush writes what has been added so far.
func (k *Bulk) Flush(ctx context.Context) error {
	if len(k.args) == 0 {
		return nil
	}
	res, err := k.tx.Tx.ExecContext(ctx, k.query(len(k.args)/k.width), k.args...)
	return k.done(res, err)
}

func (k *Bulk) done(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	k.Writes += n
	clear(k.args)
	k.args = k.args[:0]
	return err
}
