package completeness

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"citygrid/internal/pgtest"
	"citygrid/schemas"
)

// postgres starts one server for the tests of this package, when the first asks.
var postgres = sync.OnceValues(pgtest.Start)

func TestMain(m *testing.M) {
	code := m.Run()
	if s, err := postgres(); err == nil {
		if err := s.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// engines runs test once for each database, with the address of an empty one.
func engines(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, "sqlite:"+filepath.Join(t.TempDir(), "completeness.db")) })
	// No test takes the power of this server away: its commits need not wait for the disk.
	t.Run("postgres", func(t *testing.T) { test(t, pgtest.Need(t, postgres)+"&synchronous_commit=off") })
}

// What several tell at once of the same days is all there in the end.
func TestManyAtOnce(t *testing.T) { engines(t, manyAtOnce) }

func manyAtOnce(t *testing.T, dsn string) {
	w := newWorld(t, dsn)
	const days, meters = 3, 4
	start := noon.Truncate(24*time.Hour).AddDate(0, 0, -days)
	var tellers sync.WaitGroup
	for h := range days * 24 {
		hour := start.Add(time.Duration(h) * time.Hour)
		var accounts []schemas.SlotAccount
		for m := range meters {
			accounts = append(accounts, schemas.SlotAccount{Meter: schemas.MeterID(fmt.Sprint("m", m)), Hour: hour, Interval: time.Hour, Planned: 1})
		}
		tellers.Go(func() {
			if err := w.l.StoreAccounts(t.Context(), "c1", accounts); err != nil {
				t.Error(err)
			}
		})
		tellers.Go(func() {
			for _, a := range accounts {
				w.l.Stored("c1", []schemas.Reading{reading(a.Meter, schemas.Live, hour)}, hour)
			}
			if err := w.l.flush(t.Context(), func(rowKey) bool { return true }); err != nil {
				t.Error(err)
			}
		})
	}
	tellers.Wait()
	if c := total(t, w.l); c.Expected != days*24*meters {
		t.Errorf("%d slots expected, want the %d of all accounts", c.Expected, days*24*meters)
	}
}

// Pages follow one another also in a database that sorts as a language does, where
// capitals and lower case stand side by side.
func TestPagesInAnotherOrder(t *testing.T) {
	dsn := pgtest.Need(t, postgres)
	at, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	at.Path += "sorted"
	if _, err := db.ExecContext(t.Context(), `CREATE DATABASE "`+at.Path[1:]+`" TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en'`); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, at.String())
	hour := noon.Add(-3 * time.Hour)
	want := []schemas.MeterID{"A-2", "B", "a", "a-1", "b", "b-3"}
	for _, m := range want {
		w.do(happening{source{m, "c1"}, nil, []schemas.SlotAccount{{Meter: m, Hour: hour, Interval: time.Hour, Planned: 1}}})
	}
	q, got := Query{Since: hour, Until: noon, Limit: 1, Reason: Unknown}, []schemas.MeterID(nil)
	for range 2 * len(want) {
		p, err := w.l.Gaps(t.Context(), q)
		w.must(err)
		for _, g := range p.Gaps {
			got = append(got, g.Meter)
		}
		if q.After = p.Cursor; q.After == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("page by page %v, want %v", got, want)
	}
}
