package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Copy writes a whole copy of the SQLite database at dsn, "sqlite:PATH", to the file to,
// as the last commit left it, also while other programs work with it, and tries the copy.
// The file must not be there yet; it is readable by its owner only. The database itself
// is not changed, nor are its tables brought up to date.
func Copy(ctx context.Context, dsn, to string) error {
	path, ok := strings.CutPrefix(dsn, "sqlite:")
	if !ok {
		return fmt.Errorf("copy %s: only SQLite databases are copied so", dsn)
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("copy a database: %w", err)
	}
	if err := createPrivate(to); err != nil {
		return err
	}
	// An empty file is what VACUUM INTO takes beside none [sqlite.org/lang_vacuum.html].
	err := once(path, "busy_timeout(10000)", func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, "VACUUM INTO ?", to)
		return err
	})
	if err != nil {
		return fmt.Errorf("copy the database %s: %w", path, err)
	}
	return Whole(ctx, to)
}

// Whole reads through the SQLite file at path and reports what is broken in it.
func Whole(ctx context.Context, path string) error {
	return once(path, "query_only(1)", func(db *sql.DB) error {
		var verdict string
		if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
			return fmt.Errorf("read through %s: %w", path, err)
		}
		if verdict != "ok" {
			return fmt.Errorf("the database %s is broken: %s", path, verdict)
		}
		return nil
	})
}

// once opens the file at path for one use.
func once(path, pragma string, do func(*sql.DB) error) (err error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("path %s: %w", path, err)
	}
	q := url.Values{"_pragma": {pragma}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: abs, RawQuery: q.Encode()}).String())
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	return do(db)
}
