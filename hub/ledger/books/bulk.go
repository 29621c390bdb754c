package books

import (
	"context"
	"database/sql"
	"strings"

	"github.com/uptrace/bun"
)

// bulk inserts many rows with few statements: rowsAtOnce go in one prepared
// statement, what is left over in a last one. Both databases take about a
// microsecond a row this way, and ten and more one by one.
type bulk struct {
	books  *Books
	tx     bun.Tx
	into   string // "table (a, b)"
	after  string // "ON CONFLICT ..." or empty
	width  int
	stmt   *sql.Stmt
	args   []any
	writes int64 // rows that the database changed
}

// rowsAtOnce keeps the widest table (36 columns) below the 32,766 parameters that
// SQLite takes [sqlite.org/limits.html]; more is no faster.
const rowsAtOnce = 64

func (b *Books) bulk(tx bun.Tx, table, columns, after string) *bulk {
	return &bulk{books: b, tx: tx, into: table + " (" + columns + ")", after: after, width: strings.Count(columns, ",") + 1}
}

func (k *bulk) query(rows int) string {
	one := "(" + strings.TrimSuffix(strings.Repeat("?, ", k.width), ", ") + ")"
	return k.books.rebind("INSERT INTO " + k.into + " VALUES " + strings.TrimSuffix(strings.Repeat(one+", ", rows), ", ") + " " + k.after)
}

// add takes one row, in the order of the columns.
func (k *bulk) add(ctx context.Context, values ...any) error {
	k.args = append(k.args, values...)
	if len(k.args) < rowsAtOnce*k.width {
		return nil
	}
	if k.stmt == nil {
		stmt, err := k.tx.Tx.PrepareContext(ctx, k.query(rowsAtOnce))
		if err != nil {
			return err
		}
		k.stmt = stmt
	}
	res, err := k.stmt.ExecContext(ctx, k.args...)
	return k.done(res, err)
}

// end writes what is left and closes the statement. It must be called once, after
// an error too.
func (k *bulk) end(ctx context.Context, err error) error {
	if k.stmt != nil {
		defer k.stmt.Close()
	}
	if err != nil {
		return err
	}
	return k.flush(ctx)
}

// flush writes what has been added so far.
func (k *bulk) flush(ctx context.Context) error {
	if len(k.args) == 0 {
		return nil
	}
	res, err := k.tx.Tx.ExecContext(ctx, k.query(len(k.args)/k.width), k.args...)
	return k.done(res, err)
}

func (k *bulk) done(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	k.writes += n
	clear(k.args)
	k.args = k.args[:0]
	return err
}
