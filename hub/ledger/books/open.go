package books

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"citygrid/hub/ledger/reconcile"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Options say how the books are kept.
type Options struct {
	// Rules are those of every run. Their calendar also gives card entries their
	// accounting day; changing it later changes no day of what is stored.
	Rules reconcile.Rules
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
	// SQLite has one writer by nature. One connection for it makes writers of this
	// process queue in Go, where they can be cancelled, instead of polling a lock.
	// Readers see the state before the writer's transaction. PostgreSQL needs no
	// such split: both are the same.
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
	b, err := connect(dsn, o)
	if err != nil {
		return nil, fmt.Errorf("open books: %w", err)
	}
	if err := b.migrate(ctx); err != nil {
		return nil, errors.Join(explain("open books", err), b.Close())
	}
	return b, nil
}

func connect(dsn string, o Options) (*Books, error) {
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok && path != "" {
		return connectSQLite(path, o)
	}
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		return connectPostgres(dsn, o)
	}
	return nil, errors.New("the address is neither sqlite:PATH nor postgres://USER@HOST/DATABASE")
}

// readers bounds the connections that read: a run takes eight, pages what they can
// get.
const readers = 14

// connectPostgres: sorting a million rows with the 4 MB of the server's default
// goes over its disk many times.
func connectPostgres(dsn string, o Options) (*Books, error) {
	c, err := pgx.ParseConfig(dsn) // its errors leave the password out
	if err != nil {
		return nil, err
	}
	if c.RuntimeParams["work_mem"] == "" {
		c.RuntimeParams["work_mem"] = "64MB"
	}
	c.RuntimeParams["lock_timeout"] = strconv.FormatInt(o.BusyWait.Milliseconds(), 10)
	db := stdlib.OpenDB(*c)
	db.SetMaxOpenConns(readers + 2)
	db.SetMaxIdleConns(readers + 2)
	pool := bun.NewDB(db, pgdialect.New())
	return &Books{write: pool, read: pool, o: o}, nil
}

// createPrivate makes the file of new books readable by its owner only: they hold
// who buys how much, where and when. SQLite gives -wal and -shm the mode of the file
// [sqlite.org/src, os_unix.c, findCreateFileMode]. Books that are there keep the mode
// that somebody chose; they are not opened here either, since closing would drop the
// locks that this process has on them [POSIX.1-2017, fcntl].
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create the file: %w; choose a file in a folder that is there and can be written", err)
	}
	return f.Close()
}

// connectSQLite: WAL, so that pages are read while a run is written; synchronous
// FULL, because a commit is a promise about money.
func connectSQLite(path string, o Options) (*Books, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("path %s: %w", path, err)
	}
	if err := createPrivate(abs); err != nil {
		return nil, err
	}
	open := func(conns int, lock string, more ...string) (*bun.DB, error) {
		pragmas := append([]string{fmt.Sprintf("busy_timeout(%d)", o.BusyWait.Milliseconds()), "journal_mode(WAL)", "synchronous(FULL)",
			"foreign_keys(1)"}, more...)
		q := url.Values{"_pragma": pragmas, "_txlock": {lock}}
		db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: abs, RawQuery: q.Encode()}).String())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		db.SetMaxOpenConns(conns)
		db.SetMaxIdleConns(2) // each keeps its cache of pages
		return bun.NewDB(db, sqlitedialect.New()), nil
	}
	w, err := open(1, "immediate", "cache_size(-65536)")
	if err != nil {
		return nil, err
	}
	r, err := open(readers, "deferred", "query_only(1)", "cache_size(-16384)")
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return &Books{write: w, read: r, o: o}, nil
}

// Close ends all use of the books. It is called once, after the other calls have
// returned.
func (b *Books) Close() error {
	err := b.write.Close()
	if b.read != b.write {
		err = errors.Join(b.read.Close(), err)
	}
	return err
}

// migrate brings the tables up to date. Two programs that open new books at once
// both try; the one that comes second finds the tables half way, waits by trying
// again, and then has nothing to do.
func (b *Books) migrate(ctx context.Context) error {
	dialect, files := goose.DialectPostgres, fs.FS(sub{migrations})
	if b.sqlite() {
		dialect, files = goose.DialectSQLite3, rowids{sub{migrations}}
	}
	p, err := goose.NewProvider(dialect, b.write.DB, files)
	if err != nil {
		return err
	}
	for try := 0; ; try++ {
		_, err = p.Up(ctx)
		if err == nil || try == 20 || ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (b *Books) sqlite() bool { _, ok := b.write.Dialect().(*sqlitedialect.Dialect); return ok }

// sub is the folder of migrations.
type sub struct{ fs.FS }

// Open opens a file of the folder.
func (s sub) Open(name string) (fs.File, error) { return s.FS.Open(filepath.Join("migrations", name)) }

// rowids gives SQLite "INTEGER PRIMARY KEY" for "BIGINT PRIMARY KEY": only that
// spelling makes the key the order on disk [sqlite.org/lang_createtable.html,
// ROWIDs and the INTEGER PRIMARY KEY].
type rowids struct{ fs.FS }

// Open opens a file with the words changed.
func (r rowids) Open(name string) (fs.File, error) {
	f, err := r.FS.Open(name)
	if err != nil || !strings.HasSuffix(name, ".sql") {
		return f, err
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &rewritten{File: f, Reader: strings.NewReader(strings.ReplaceAll(string(text), " BIGINT PRIMARY KEY", " INTEGER PRIMARY KEY"))}, nil
}

type rewritten struct {
	fs.File
	io.Reader
}

// Read reads the changed text.
func (r *rewritten) Read(p []byte) (int, error) { return r.Reader.Read(p) }

// explain wraps err with what was done, and gives the errors of both databases
// that an operator can do something about one name.
func explain(act string, err error) error {
	if err == nil {
		return nil
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		switch lite.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			return fmt.Errorf("%s: %w (%w)", act, ErrBusy, err)
		case sqlite3.SQLITE_CANTOPEN:
			return fmt.Errorf("%s: %w; choose a file in a folder that is there and can be written", act, err)
		case sqlite3.SQLITE_FULL:
			return fmt.Errorf("%s: %w (%w)", act, ErrFull, err)
		}
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "53100": // disk_full
			return fmt.Errorf("%s: %w (%w)", act, ErrFull, err)
		case "55P03", "40001", "40P01": // lock_not_available, serialization_failure, deadlock_detected
			return fmt.Errorf("%s: %w (%w)", act, ErrBusy, err)
		}
	}
	return fmt.Errorf("%s: %w", act, err)
}

// change runs do in one transaction of the writer: all of it or nothing.
func (b *Books) change(ctx context.Context, do func(tx bun.Tx) error) error {
	tx, err := b.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		_ = tx.Rollback() // err is the reason; a failed rollback means that the connection is gone, which rolls back too
		return err
	}
	return tx.Commit()
}

// snapshot runs do in one transaction that only reads: all that it asks is answered
// from one state of the books.
func (b *Books) snapshot(ctx context.Context, do func(tx bun.Tx) error) error {
	// SQLite knows no lower level than this and passes over the word.
	tx, err := b.read.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return err
	}
	err = do(tx)
	_ = tx.Rollback() // nothing was written; a failed rollback means that the connection is gone
	return err
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

// rebind writes the parameters of a prepared statement as the database wants them.
func (b *Books) rebind(query string) string {
	if b.sqlite() {
		return query
	}
	var out strings.Builder
	n := 0
	for _, r := range query {
		if r == '?' {
			n++
			fmt.Fprintf(&out, "$%d", n)
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}
