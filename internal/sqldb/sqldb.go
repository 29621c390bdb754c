// Package sqldb opens the SQL databases of the centre, SQLite or PostgreSQL, in one
// way: one writer where the engine has one, migrations when it is opened, errors
// that an operator can act on, all-or-nothing changes, consistent reads and bulk
// inserts. What is in the tables belongs to the packages that bring the migrations;
// several may share one database, each with its own tables.
package sqldb

import (
	"context"
	"database/sql"
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
	"github.com/pressly/goose/v3/database"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	// ErrBusy says that somebody else was writing for longer than the wait. Nothing
	// was changed.
	ErrBusy = errors.New("another program is writing to the database; try again when it has ended")
	// ErrFull says that there is no room. Nothing was changed.
	ErrFull = errors.New("no room left on the disk of the database; make room and try again: nothing was changed")
)

// Options say how a database is opened.
type Options struct {
	// Migrations are the files NNNNN_name.sql of goose, at the top of the file
	// system. One text serves both engines; "BIGINT PRIMARY KEY" is read as
	// "INTEGER PRIMARY KEY" by SQLite.
	Migrations fs.FS
	// Versions is the table that remembers which of them have run; each package
	// that keeps tables in a database has its own. Empty means goose's default.
	Versions string
	// OnlySQLite names the files among Migrations that PostgreSQL goes without.
	OnlySQLite []string
	// BusyWait is how long to wait for another writer before ErrBusy; 0 means 10 s.
	BusyWait time.Duration
}

// DB is an open database. Its methods may be called from any goroutine, and several
// programs may have the same database open.
type DB struct {
	// Write and Read are the pools. SQLite has one writer by nature. One connection
	// for it makes writers of this process queue in Go, where they can be cancelled,
	// instead of polling a lock. Readers see the state before the writer's
	// transaction. PostgreSQL needs no such split: both are the same.
	Write, Read *bun.DB
}

// Open opens the database at dsn, "sqlite:PATH" or "postgres://...", and brings its
// tables up to date. Close it. A new SQLite file is readable by its owner only.
func Open(ctx context.Context, dsn string, o Options) (*DB, error) {
	if o.BusyWait == 0 {
		o.BusyWait = 10 * time.Second
	}
	d, err := connect(dsn, o)
	if err != nil {
		return nil, err
	}
	if err := d.migrate(ctx, o); err != nil {
		return nil, errors.Join(Explain("bring the tables up to date", err), d.Close())
	}
	return d, nil
}

func connect(dsn string, o Options) (*DB, error) {
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok && path != "" {
		return connectSQLite(path, o)
	}
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		return connectPostgres(dsn, o)
	}
	return nil, errors.New("the address is neither sqlite:PATH nor postgres://USER@HOST/DATABASE")
}

// readers bounds the connections that read: a run of the ledger takes eight, pages what
// they can get.
const readers = 14

// connectPostgres: sorting a million rows with the 4 MB of the server's default
// goes over its disk many times.
func connectPostgres(dsn string, o Options) (*DB, error) {
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
	return &DB{Write: pool, Read: pool}, nil
}

// createPrivate makes a new file readable by its owner only: the tables hold who buys
// how much, where and when. SQLite gives -wal and -shm the mode of the file
// [sqlite.org/src, os_unix.c, findCreateFileMode]. A file that is there keeps the mode
// that somebody chose; it is not opened here either, since closing would drop the
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

// connectSQLite: WAL, so that pages are read while somebody writes; synchronous
// FULL, because a commit is a promise.
func connectSQLite(path string, o Options) (*DB, error) {
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
		// Each keeps its cache of pages: one that is closed after every rush is filled anew
		// in the next, and one that nobody needs any more is let go.
		db.SetMaxIdleConns(conns)
		db.SetConnMaxIdleTime(time.Minute)
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
	return &DB{Write: w, Read: r}, nil
}

// Close ends all use of the database. It is called once, after the other calls have
// returned.
func (d *DB) Close() error {
	err := d.Write.Close()
	if d.Read != d.Write {
		err = errors.Join(d.Read.Close(), err)
	}
	return err
}

// migrate brings the tables up to date. Two programs that open a new database at once
// both try; the one that comes second finds the tables half way, waits by trying
// again, and then has nothing to do.
func (d *DB) migrate(ctx context.Context, o Options) error {
	dialect, files := goose.DialectPostgres, o.Migrations
	if d.SQLite() {
		dialect, files = goose.DialectSQLite3, rowids{o.Migrations}
	}
	var more []goose.ProviderOption
	if !d.SQLite() {
		more = append(more, goose.WithExcludeNames(o.OnlySQLite))
	}
	if o.Versions != "" {
		store, err := database.NewStore(dialect, o.Versions)
		if err != nil {
			return err
		}
		dialect, more = "", append(more, goose.WithStore(store))
	}
	p, err := goose.NewProvider(dialect, d.Write.DB, files, more...)
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

// SQLite reports whether the engine is SQLite.
func (d *DB) SQLite() bool { _, ok := d.Write.Dialect().(*sqlitedialect.Dialect); return ok }

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

// Explain wraps err with what was done, and gives the errors of both engines that an
// operator can do something about one name.
func Explain(act string, err error) error {
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

// Change runs do in one transaction of the writer: all of it or nothing.
func (d *DB) Change(ctx context.Context, do func(tx bun.Tx) error) error {
	tx, err := d.Write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		_ = tx.Rollback() // err is the reason; a failed rollback means that the connection is gone, which rolls back too
		return err
	}
	return tx.Commit()
}

// Snapshot runs do in one transaction that only reads: all that it asks is answered
// from one state of the database.
func (d *DB) Snapshot(ctx context.Context, do func(tx bun.Tx) error) error {
	// SQLite knows no lower level than this and passes over the word.
	tx, err := d.Read.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return err
	}
	err = do(tx)
	_ = tx.Rollback() // nothing was written; a failed rollback means that the connection is gone
	return err
}

// Rebind writes the parameters of a prepared statement, each a "?", as the engine
// wants them.
func (d *DB) Rebind(query string) string {
	if d.SQLite() {
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
