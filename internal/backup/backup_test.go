package backup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
	if got := read(t, filepath.Join(home, "keys", "master.key")); got != "sealed" {
		t.Errorf("came back as %q", got)
	}
	if _, err := Put(t.Context(), dir, parts); err == nil || !strings.Contains(err.Error(), "written over") {
		t.Errorf("put over what is there: %v", err)
	}
	if _, err := Put(t.Context(), dir, nil); err == nil || !strings.Contains(err.Error(), "names no place") {
		t.Errorf("without a place: %v", err)
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
	write(t, filepath.Join(home, "ledger.db-wal"), "old")
	if err := p.Put(t.Context(), filepath.Join(home, "copy.db")); err == nil || !strings.Contains(err.Error(), "-wal") {
		t.Errorf("beside an old log: %v", err)
	}
}
