package books

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/ledger/reconcile"
	"citygrid/internal/sqldb"
	"citygrid/schemas"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Options say how the books are kept.
type Options struct {
	// Rules are those of every run. Their calendar also gives card entries their
	// accounting day; changing it later changes no day of what is stored.
	Rules reconcile.Rules
	// Issuer is who we are in clearing with other cities. With it, what concerns cards
	// of other cities is booked on none of our meters, also where two cities have given
	// one number to a meter each; empty: the number alone decides.
	Issuer schemas.IssuerID
	// Redo is how many runs of a utility can be taken back; 0 means 35.
	Redo int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// BusyWait is how long to wait for another writer before ErrBusy; 0 means 10 s.
	BusyWait time.Duration
	// TempDir holds what a run has found until it is written; empty means the
	// system's folder for such files.
	TempDir string
}

// Books are open ledgers. Their methods may be called from any goroutine, and
// several programs may have the same books open.
type Books struct {
	db *sqldb.DB
	// write and read are the pools of db.
	write, read *bun.DB
	o           Options
}

// Open opens the books at dsn, "sqlite:PATH" or "postgres://...", and brings their
// tables up to date. Close them.
func Open(ctx context.Context, dsn string, o Options) (*Books, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.BusyWait == 0 {
		o.BusyWait = 10 * time.Second
	}
	if o.Redo == 0 {
		o.Redo = 35
	}
	if err := o.Rules.Validate(); err != nil {
		return nil, fmt.Errorf("open books: %w", err)
	}
	if o.Issuer != "" {
		if err := o.Issuer.Validate(); err != nil {
			return nil, fmt.Errorf("open books: %w", err)
		}
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open books: %w", err)
	}
	db, err := sqldb.Open(ctx, dsn, sqldb.Options{Migrations: files, BusyWait: o.BusyWait})
	if err != nil {
		return nil, fmt.Errorf("open books: %w", err)
	}
	return &Books{db: db, write: db.Write, read: db.Read, o: o}, nil
}

// Close ends all use of the books. It is called once, after the other calls have
// returned.
func (b *Books) Close() error { return b.db.Close() }

func (b *Books) sqlite() bool { return b.db.SQLite() }

// explain wraps err with what was done, and names what an operator can do something
// about.
func explain(act string, err error) error { return sqldb.Explain(act, err) }

// change runs do in one transaction of the writer: all of it or nothing.
func (b *Books) change(ctx context.Context, do func(tx bun.Tx) error) error {
	return b.db.Change(ctx, do)
}

// snapshot runs do in one transaction that only reads: all that it asks is answered
// from one state of the books.
func (b *Books) snapshot(ctx context.Context, do func(tx bun.Tx) error) error {
	return b.db.Snapshot(ctx, do)
}

// take returns the first of n new numbers of a counter. Its row stays locked until
// the transaction ends, so numbers are in the order of commits.
func take(ctx context.Context, tx bun.IDB, counter string, n int) (int64, error) {
	var last int64
	err := tx.QueryRowContext(ctx, "UPDATE counters SET last = last + ? WHERE name = ? RETURNING last", n, counter).Scan(&last)
	if err != nil {
		return 0, fmt.Errorf("number of a new %s: %w", counter, err)
	}
	return last - int64(n) + 1, nil
}
