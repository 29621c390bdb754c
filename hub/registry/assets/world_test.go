package assets

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"citygrid/hub/registry/census"
	"citygrid/hub/registry/geo"
	"citygrid/internal/pgtest"
	"citygrid/simulators/district"
)

// postgres starts one server for the tests of this package, when the first asks.
var postgres = sync.OnceValues(pgtest.Start)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Getenv(childEnv) != "" {
		os.Exit(beChild())
	}
	code := m.Run()
	if s, err := postgres(); err == nil {
		if err := s.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// engines runs test once for each database, with the address of an empty register.
func engines(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, "sqlite:"+filepath.Join(t.TempDir(), "registry.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, pgtest.Need(t, postgres)) })
}

// clock is a clock that is put forward by hand.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = t
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)} }

func mustOpen(tb testing.TB, dsn string) *Register {
	tb.Helper()
	return mustOpenAt(tb, dsn, newClock())
}

func mustOpenAt(tb testing.TB, dsn string, c *clock) *Register {
	tb.Helper()
	r, err := Open(context.Background(), dsn, Options{Now: c.now})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := r.Close(); err != nil {
			tb.Error(err)
		}
	})
	return r
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// city writes the census of a simulated district and returns its files.
func city(tb testing.TB, o district.Options, spoil int) ([]File, *district.Census) {
	tb.Helper()
	d, err := district.New(o)
	must(tb, err)
	dir := tb.TempDir()
	c, err := d.WriteCensus(context.Background(), dir, spoil)
	must(tb, err)
	return filesIn(dir, c), c
}

func filesIn(dir string, c *district.Census) []File {
	var files []File
	for _, f := range c.Files {
		files = append(files, File{Path: filepath.Join(dir, f.Name), Kind: census.Kind(f.Kind), Read: census.Options{CRS: geo.CGCS2000()}})
	}
	return files
}

// small is a district that a test has time for.
func small() district.Options {
	return district.Options{Seed: 7, Cells: 120, Components: 1200, Meters: 60, Inspectors: 8}
}

func mustImport(tb testing.TB, r *Register, files []File) Summary {
	tb.Helper()
	s, err := r.Import(context.Background(), files, ImportOptions{By: "zhang"}, nil)
	if err != nil {
		for _, f := range s.Files {
			for n, p := range f.Problems {
				if n < 10 {
					tb.Log(p.Error())
				}
			}
		}
		tb.Fatal(err)
	}
	return s
}

// write makes a file in a new folder.
func write1(tb testing.TB, name, text string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	must(tb, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func plain(path string) File {
	return File{Path: path, Read: census.Options{CRS: geo.CGCS2000()}}
}
