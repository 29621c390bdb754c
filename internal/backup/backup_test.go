package backup

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"citygrid/internal/sqldb"
)

func now() time.Time { return time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC) }

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// clock is later by a minute whenever it is asked.
func clock() func() time.Time {
	at := now()
	return func() time.Time { at = at.Add(time.Minute); return at }
}

// taken makes a copy of a small folder and returns where it is.
func taken(t *testing.T) (dir string) {
	t.Helper()
	home := t.TempDir()
	write(t, filepath.Join(home, "keys", "master.key"), "sealed")
	write(t, filepath.Join(home, "keys", "lock"), "")
	write(t, filepath.Join(home, "keys", ".master.key.tmp-1"), "half")
	write(t, filepath.Join(home, "keys", "deep", "er"), "x")
	dir = filepath.Join(t.TempDir(), "copy")
	part := Files("keys", []string{filepath.Join(home, "keys"), filepath.Join(home, "absent")}, Temporary)
	m, err := Take(t.Context(), dir, "test", []Part{part}, nil, now)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Files) != 2 || m.Files[0].Path != "keys/keys/deep/er" {
		t.Fatalf("files %+v", m.Files)
	}
	return dir
}

func TestThereAndBack(t *testing.T) {
	dir, home := taken(t), t.TempDir()
	parts := []Part{Files("keys", []string{filepath.Join(home, "keys")}, nil)}
	if _, err := Put(t.Context(), dir, parts); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(home, "keys", "master.key")
	if got := read(t, key); got != "sealed" {
		t.Errorf("came back as %q", got)
	}
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := Put(t.Context(), dir, nil); err == nil || !strings.Contains(err.Error(), "names no place") {
		t.Errorf("without a place: %v", err)
	}
}

// TestNothingIsWrittenOver: neither a file, nor a folder in which there is anything.
func TestNothingIsWrittenOver(t *testing.T) {
	from := t.TempDir()
	one, many := filepath.Join(from, "one"), filepath.Join(from, "many")
	write(t, one, "copy")
	write(t, filepath.Join(many, "a"), "copy")
	for name, path := range map[string]string{"a file": one, "a folder": many} {
		dir, home := filepath.Join(t.TempDir(), "copy"), t.TempDir()
		if _, err := Take(t.Context(), dir, "test", []Part{Files("p", []string{path}, nil)}, nil, now); err != nil {
			t.Fatal(err)
		}
		there := filepath.Join(home, filepath.Base(path))
		kept := there
		if path == many {
			kept = filepath.Join(there, "else") // of another name than what comes
		}
		write(t, kept, "kept")
		if _, err := Put(t.Context(), dir, []Part{Files("p", []string{there}, nil)}); err == nil || !strings.Contains(err.Error(), "written over") {
			t.Errorf("%s: %v", name, err)
		}
		if got := read(t, kept); got != "kept" {
			t.Errorf("%s that was there is %q", name, got)
		}
	}
}

// TestOrderIsKept: parts are taken and put back in the order that is given, and the
// manifest says all of a copy.
func TestOrderIsKept(t *testing.T) {
	var order []string
	note := func(name string) Part {
		add := func(word string) func(context.Context, string) error {
			return func(_ context.Context, path string) error {
				order = append(order, word+" "+name)
				if word == "take" {
					return os.WriteFile(path, []byte(name), 0o600)
				}
				return nil
			}
		}
		return Part{Name: name, Take: add("take"), Put: add("put")}
	}
	dir := filepath.Join(t.TempDir(), "copy")
	m, err := Take(t.Context(), dir, "test 1", []Part{note("z"), note("a")}, []string{"photos"}, clock())
	if err != nil {
		t.Fatal(err)
	}
	if !m.TakenAt.Equal(now().Add(time.Minute)) || !m.EndedAt.Equal(now().Add(2*time.Minute)) || m.Program != "test 1" || !slices.Equal(m.Missing, []string{"photos"}) {
		t.Errorf("manifest %+v", m)
	}
	again, err := Put(t.Context(), dir, []Part{note("a"), note("z")})
	if err != nil || !reflect.DeepEqual(again, m) {
		t.Errorf("manifest read as %+v, written as %+v; %v", again, m, err)
	}
	if want := []string{"take z", "take a", "put z", "put a"}; !slices.Equal(order, want) {
		t.Errorf("order %q, want %q", order, want)
	}
}

func TestCheckFindsWhatChanged(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"changed": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "keys/keys/master.key"), []byte("Sealed"), 0o600)
		},
		"missing":     func(dir string) error { return os.Remove(filepath.Join(dir, "keys/keys/master.key")) },
		"no manifest": func(dir string) error { return os.Remove(filepath.Join(dir, manifestName)) },
		"bad manifest": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, manifestName), []byte(`{"format":1,"more":2}`), 0o600)
		},
		"other format": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, manifestName), []byte(`{"format":2}`), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := taken(t)
			if _, err := Check(dir); err != nil {
				t.Fatal(err)
			}
			if err := spoil(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := Check(dir); err == nil {
				t.Error("not found")
			}
		})
	}
}

// TestHalfACopyIsNone: without all its parts a copy has no manifest, and cannot be put
// back.
func TestHalfACopyIsNone(t *testing.T) {
	dir, fails := t.TempDir(), errors.New("fails")
	parts := []Part{
		{Name: "a", Take: func(_ context.Context, to string) error { return os.WriteFile(to, nil, 0o600) }},
		{Name: "b", Take: func(context.Context, string) error { return fails }},
	}
	if _, err := Take(t.Context(), dir, "test", parts, nil, now); !errors.Is(err, fails) || !strings.Contains(err.Error(), "copy b") {
		t.Errorf("error %v", err)
	}
	if _, err := Check(dir); err == nil {
		t.Error("half a copy is taken for whole")
	}
	if _, err := Take(t.Context(), dir, "test", nil, nil, now); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("into a folder in use: %v", err)
	}
}

func TestSQLitePart(t *testing.T) {
	home := t.TempDir()
	p := SQLite("ledger.db", "sqlite:"+filepath.Join(home, "ledger.db"))
	if err := p.Take(t.Context(), filepath.Join(home, "copy.db")); err != nil {
		t.Errorf("a database that is not there yet: %v", err)
	}
	if err := p.Put(t.Context(), filepath.Join(home, "copy.db")); err != nil {
		t.Error(err)
	}
	write(t, filepath.Join(home, "copy.db"), "")
	for _, beside := range []string{"-wal", "-shm", "-journal"} {
		old := write(t, filepath.Join(home, "ledger.db"+beside), "old")
		if err := p.Put(t.Context(), filepath.Join(home, "copy.db")); err == nil || !strings.Contains(err.Error(), beside) {
			t.Errorf("beside an old %s: %v", beside, err)
		}
		if err := os.Remove(old); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(home, "broken.db"), strings.Repeat("no database ", 100))
	if err := p.Put(t.Context(), filepath.Join(home, "broken.db")); err == nil {
		t.Error("a broken copy is put back")
	}
	if _, err := os.Stat(filepath.Join(home, "ledger.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a refused copy leaves something: %v", err)
	}
}

// TestSQLiteInUse: what was committed is in the copy, though it is still in the log
// beside the file.
func TestSQLiteInUse(t *testing.T) {
	home := t.TempDir()
	open := func(name string) *sqldb.DB {
		d, err := sqldb.Open(t.Context(), "sqlite:"+filepath.Join(home, name), sqldb.Options{Migrations: fstest.MapFS{
			"00001_t.sql": {Data: []byte("-- +goose Up\nCREATE TABLE t (n BIGINT);\n")}}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
		return d
	}
	if _, err := open("used.db").Write.ExecContext(t.Context(), "INSERT INTO t VALUES (7)"); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(home, "copy.db")
	if err := SQLite("used", "sqlite:"+filepath.Join(home, "used.db")).Take(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	if err := SQLite("used", "sqlite:"+filepath.Join(home, "back.db")).Put(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := open("back.db").Read.QueryRowContext(t.Context(), "SELECT n FROM t").Scan(&n); err != nil || n != 7 {
		t.Errorf("%d, %v; want 7", n, err)
	}
}
