package sqldb

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCopyWhileItIsWritten: a copy that is made while somebody writes is whole, and holds
// a moment between two transactions.
func TestCopyWhileItIsWritten(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "a.db"), filepath.Join(dir, "b.db")
	d, err := connect("sqlite:"+from, Options{BusyWait: 10e9})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Write.Exec("CREATE TABLE t (n INTEGER)"); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	wrote, done := make(chan struct{}, 1000), make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			// Two rows a transaction: an odd number would be half of one.
			if _, err := d.Write.Exec("INSERT INTO t VALUES (1), (2)"); err != nil {
				done <- err
				return
			}
			select {
			case wrote <- struct{}{}:
			default:
			}
		}
		done <- nil
	}()
	<-wrote
	if err := Copy(t.Context(), "sqlite:"+from, to); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	var n int
	if err := once(to, "query_only(1)", func(db *sql.DB) error { return db.QueryRow("SELECT COUNT(*) FROM t").Scan(&n) }); err != nil {
		t.Fatal(err)
	}
	if n == 0 || n%2 != 0 {
		t.Errorf("%d rows in the copy", n)
	}
	if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the copy: %v, %v", info.Mode(), err)
	}
}

func TestCopyRefuses(t *testing.T) {
	dir := t.TempDir()
	full := filepath.Join(dir, "full.db")
	if err := os.WriteFile(full, []byte("not a database, and longer than the hundred bytes of a head: ......................................................................"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string][2]string{
		"PostgreSQL":    {"postgres://u@h/d", filepath.Join(dir, "x")},
		"absent":        {"sqlite:" + filepath.Join(dir, "none.db"), filepath.Join(dir, "x")},
		"no database":   {"sqlite:" + full, filepath.Join(dir, "x")},
		"there already": {"sqlite:" + full, full},
	} {
		if err := Copy(t.Context(), c[0], c[1]); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if Whole(t.Context(), full) == nil {
		t.Error("a broken file is said to be whole")
	}
}

// TestCopyOfABrokenDatabase: damage is told, before it is copied and after.
func TestCopyOfABrokenDatabase(t *testing.T) {
	for name, spoil := range map[string]string{
		"an index that lacks its rows": "UPDATE sqlite_schema SET sql = 'CREATE INDEX i ON t (b)' WHERE name = 'i'",
		"a value that must not be":     "UPDATE sqlite_schema SET sql = 'CREATE TABLE t (a INTEGER, b INTEGER, c INTEGER NOT NULL)' WHERE name = 't'",
	} {
		path := filepath.Join(t.TempDir(), "a.db")
		err := once(path, "writable_schema(1)", func(db *sql.DB) error {
			_, err := db.Exec("CREATE TABLE t (a INTEGER, b INTEGER, c INTEGER); CREATE INDEX i ON t (a); INSERT INTO t VALUES (1, 2, NULL); " + spoil)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := Whole(t.Context(), path); err == nil || !strings.Contains(err.Error(), "is broken") {
			t.Errorf("%s: %v", name, err)
		}
		to := path + ".copy"
		err = Copy(t.Context(), "sqlite:"+path, to)
		if whole := Whole(t.Context(), to); (err == nil) != (whole == nil) {
			t.Errorf("%s: copied with %v, and the copy has %v", name, err, whole)
		}
	}
}
