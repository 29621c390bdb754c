package api

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/hub/registry/assets"
	surveys "citygrid/hub/registry/census"
	"citygrid/hub/registry/geo"
	"citygrid/hub/rollup"
	"citygrid/hub/store"
	"citygrid/schemas"
	"citygrid/schemas/codes"
	"citygrid/simulators/district"
)

// The size of the city of BenchmarkAPI.
const (
	benchCells, benchComponents, benchMeters = 20_000, 200_000, 100_000
	benchBase, benchCopies                   = 1000, 199 // cases that were really worked, and copies of each
	benchClients, benchRequests              = 8, 20     // per operation
)

// BenchmarkAPI asks every operation that the pages of a large city make, over HTTP, by
// eight clients at a time, and reports the latencies. CITY_BENCH names the folder of
// the databases, which are made the first time (some minutes) and used again;
// without it nothing is done.
func BenchmarkAPI(b *testing.B) {
	dir := os.Getenv("CITY_BENCH")
	if dir == "" {
		b.Skip("CITY_BENCH names no folder; make bench-api does")
	}
	c := openBenchCity(b, dir)
	server := httptest.NewServer(c.handler)
	defer server.Close()
	client := server.Client()
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = benchClients
	var report strings.Builder
	fmt.Fprintf(&report, "\n%-24s %9s %9s %9s %9s %9s %9s\n", "operation", "first ms", "p50 ms", "p95 ms", "max ms", "cpu ms", "bytes")
	for b.Loop() {
		report.Reset()
		for _, op := range c.operations() {
			o := timeOperation(b, client, server.URL, op)
			fmt.Fprintf(&report, "%-24s %9.1f %9.1f %9.1f %9.1f %9.1f %9d\n", op.name, o.first, o.p50, o.p95, o.most, o.cpu, o.bytes)
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Printf("%s\nheap in use %d MiB; the plan took %s, its outlines are %d bytes\n", &report, m.HeapInuse>>20, c.planTook.Round(time.Millisecond), len(c.plan.geometry))
}

type benchOperation struct{ name, target string }

type benchOutcome struct {
	first, p50, p95, most float64
	cpu                   float64 // of client and server, a request: on a busy machine it says more
	bytes                 int
}

// timeOperation lets the clients ask, all at once, each a number of times. Targets may
// have %d, which is another number each time.
func timeOperation(b *testing.B, client *http.Client, base string, op benchOperation) benchOutcome {
	b.Helper()
	var mu sync.Mutex
	var all []float64
	var size int
	ask := func(n int) float64 {
		target := op.target
		if strings.Contains(target, "%0") {
			target = fmt.Sprintf(target, n)
		}
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, base+target, nil)
		noError(b, err)
		r.Header.Set("Authorization", "Bearer token-lead")
		r.Header.Set("Accept-Encoding", "gzip")
		begin := time.Now()
		w, err := client.Do(r)
		noError(b, err)
		body, err := io.ReadAll(w.Body)
		noError(b, err)
		took := time.Since(begin)
		noError(b, w.Body.Close())
		if w.StatusCode != http.StatusOK {
			b.Fatalf("%s: %d %s", target, w.StatusCode, body)
		}
		mu.Lock()
		defer mu.Unlock()
		size = len(body)
		return float64(took.Microseconds()) / 1000
	}
	o := benchOutcome{first: ask(0)}
	before := cpuTime(b)
	var group sync.WaitGroup
	for k := range benchClients {
		group.Go(func() {
			for n := range benchRequests {
				took := ask(1 + k*benchRequests + n)
				mu.Lock()
				all = append(all, took)
				mu.Unlock()
			}
		})
	}
	group.Wait()
	o.cpu = float64((cpuTime(b) - before).Microseconds()) / 1000 / float64(len(all))
	slices.Sort(all)
	o.p50, o.p95, o.most, o.bytes = all[len(all)/2], all[len(all)*95/100], all[len(all)-1], size
	return o
}

// cpuTime is what this process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	noError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchCity is a large city.
type benchCity struct {
	handler  http.Handler
	plan     *Plan
	planTook time.Duration
	ids      []string // of cases that were really worked
	cell     string
	street   string
}

func (c *benchCity) operations() []benchOperation {
	list := []benchOperation{{"map", "/api/v1/map"}, {"geometry", "/api/v1/map/geometry/" + c.plan.version}}
	for _, metric := range []string{"open", "overdue", "offline", "completeness", "consumption&medium=water"} {
		list = append(list, benchOperation{"values " + strings.SplitN(metric, "&", 2)[0], "/api/v1/map/values?metric=" + metric})
	}
	monthAgo := url.QueryEscape(epoch.AddDate(0, 0, -30).Format(time.RFC3339))
	return append(list, []benchOperation{
		{"summary city", "/api/v1/city/summary"}, {"summary street", "/api/v1/city/summary?area=" + c.street}, {"cell", "/api/v1/city/cells/" + c.cell},
		{"series hours", "/api/v1/city/series?medium=water"}, {"series days", "/api/v1/city/series?medium=water&step=day&from=" + monthAgo},
		{"meters", "/api/v1/meters"}, {"meters search", "/api/v1/meters?q=%04d"}, {"meters late by time", "/api/v1/meters?state=late&sort=-taken_at"}, {"meters of a street", "/api/v1/meters?area=" + c.street},
		{"cases open", "/api/v1/cases?open=true"}, {"cases of department", "/api/v1/cases?open=true&department=D7"}, {"cases of inspector", "/api/v1/cases?inspector=ins7"},
		{"cases filed", "/api/v1/cases?state=filed"}, {"cases overdue", "/api/v1/cases?open=true&light=red"}, {"cases of a class", "/api/v1/cases?open=true&class=" + url.QueryEscape(coverClass)},
		{"cases of a street", "/api/v1/cases?open=true&cell=" + c.street}, {"cases of a cell", "/api/v1/cases?cell=" + c.cell}, {"inbox of a shift leader", "/api/v1/inbox?role=shift_leader"}, {"inbox found by text", "/api/v1/inbox?role=shift_leader&tab=all&q=00001"}, {"cases counted", "/api/v1/cases?open=true&count=true"},
		{"case", "/api/v1/cases/" + c.ids[len(c.ids)/2]}, {"journal", "/api/v1/cases/" + c.ids[len(c.ids)/2] + "/journal"},
		{"components", "/api/v1/components?limit=50"}, {"components of a cell", "/api/v1/components?cell=" + c.cell}, {"flow", "/api/v1/flow"}, {"session", "/api/v1/session"},
	}...)
}

func openBenchCity(b *testing.B, dir string) *benchCity {
	noError(b, os.MkdirAll(dir, 0o755))
	register := openBenchRegister(b, filepath.Join(dir, "register.db"))
	c := &benchCity{}
	begin := time.Now()
	var err error
	c.plan, err = LoadPlan(b.Context(), register)
	noError(b, err)
	c.planTook = time.Since(begin)
	c.cell = c.plan.town.Cells()[benchCells/2]
	c.street = c.cell[:9]
	tn := openBenchDesk(b, filepath.Join(dir, "cases.db"), c)
	o := testOptions()
	o.Live = benchLive(c.plan.town)
	o.Registry = &Registry{Auth: crewAuth(b), Register: register}
	o.Cases = &Cases{Auth: crewAuth(b), Desk: tn.desk, Rules: tn.rules, Limits: tn.book, Lists: tn.lists, Media: tn.media, Indicators: tallies{tn}, Zone: cityZone,
		Chance: strings.NewReader(strings.Repeat("x", 1<<20)), Now: tn.clock, DepartmentName: func(_ context.Context, d cases.DepartmentID) string { return string(d) }}
	figures, err := rollup.New(rollup.Options{Series: &benchSeries{town: c.plan.town}, Installations: func(schemas.MeterID) []schemas.Installation { return nil }, Log: slog.New(slog.DiscardHandler)})
	noError(b, err)
	figures.SetTown(c.plan.town)
	noError(b, figures.Work(b.Context(), epoch))
	o.City = &City{Plan: func() *Plan { return c.plan }, Register: register, Cases: tn.desk, Figures: figures, Zone: cityZone}
	c.handler, err = New(o)
	noError(b, err)
	return c
}

// openBenchRegister imports a simulated district, once.
func openBenchRegister(b *testing.B, path string) *assets.Register {
	_, err := os.Stat(path)
	made := err == nil
	r, err := assets.Open(b.Context(), "sqlite:"+path, assets.Options{Now: func() time.Time { return epoch.AddDate(1, 0, 0) }})
	noError(b, err)
	b.Cleanup(func() { noError(b, r.Close()) })
	if made {
		return r
	}
	d, err := district.New(district.Options{Seed: 1, Cells: benchCells, Components: benchComponents, Meters: benchMeters})
	noError(b, err)
	folder := b.TempDir()
	written, err := d.WriteCensus(b.Context(), folder, 0)
	noError(b, err)
	var files []assets.File
	for _, f := range written.Files {
		files = append(files, assets.File{Path: filepath.Join(folder, f.Name), Read: surveys.Options{CRS: geo.CGCS2000()}})
	}
	if _, err := r.Import(b.Context(), files, assets.ImportOptions{By: "bench"}, nil); err != nil {
		noError(b, os.Remove(path))
		b.Fatal(err)
	}
	return r
}

// benchLive has all meters of the town, one in fifty late.
func benchLive(t *rollup.Town) *Live {
	l := NewLive(func() time.Time { return epoch })
	l.SetTown(t)
	n := 0
	t.EachMeter(epoch.AddDate(1, 0, 0), func(id schemas.MeterID, _ int, medium schemas.Medium) {
		quantity := map[schemas.Medium]string{schemas.Water: "water.volume.forward", schemas.Power: "power.energy.import", schemas.Gas: "gas.volume.standard"}[medium]
		at := epoch.Add(-time.Duration(n%600) * time.Second)
		if n%50 == 0 {
			at = at.Add(-time.Hour)
		}
		l.Stored([]schemas.Reading{reading(string(id), quantity, int64(n), at), reading(string(id), "device.battery.voltage", 360, at)}, epoch)
		n++
	})
	return l
}

// benchSeries has counted hours of every cell, and no readings.
type benchSeries struct {
	rollup.Series
	town *rollup.Town
}

func (s *benchSeries) Counters(context.Context, []schemas.Quantity, time.Time, time.Time, func(schemas.Reading) error) error {
	return nil
}

func (s *benchSeries) LastGood(context.Context, []schemas.MeterID, []schemas.Quantity, time.Time, time.Time, func(schemas.Reading) error) error {
	return nil
}

func (s *benchSeries) CountCounters(context.Context, []schemas.Quantity, time.Time, time.Time, func(time.Time, int64) error) error {
	return nil
}

func (s *benchSeries) CellHours(_ context.Context, areas bool, place string, medium schemas.Medium, from, to time.Time, fn func(store.CellHour) error) error {
	places := []string{place}
	if place == "" {
		places = s.town.Cells()
	}
	media := []schemas.Medium{medium}
	if medium == "" {
		media = rollup.Media()
	}
	for at := from; at.Before(to); at = at.Add(time.Hour) {
		for n, p := range places {
			for _, m := range media {
				h := store.CellHour{Place: p, Medium: m, Hour: at, Value: schemas.Decimal{Mantissa: int64(1_000_000_000 + n), Exponent: -9}, Known: true, Meters: 2, Counted: 2, Expected: 8, Got: 8, Flow: 0.25, FlowKnown: true}
				if err := fn(h); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// openBenchDesk works a thousand cases as people do, once, and copies them.
func openBenchDesk(b *testing.B, path string, c *benchCity) *town {
	_, err := os.Stat(path)
	made := err == nil
	tn := openTown(b, nil) // rules and lists
	numbers, err := codes.NewCaseTemplate("{yyyymmdd}{serial:6}", cityZone)
	noError(b, err)
	open := func() {
		tn.desk, err = desk.Open(b.Context(), "sqlite:"+path, desk.Options{Rules: tn.rules, Grid: register{}, Limits: tn.book, Classes: classNames{tn.lists}, Numbers: numbers, Zone: cityZone, Now: tn.clock})
		noError(b, err)
	}
	open()
	if !made {
		o := testOptions()
		o.Cases = &Cases{Auth: crewAuth(b), Desk: tn.desk, Rules: tn.rules, Limits: tn.book, Lists: tn.lists, Media: tn.media, Indicators: tallies{tn}, Zone: cityZone,
			Chance: strings.NewReader(strings.Repeat("x", 1<<20)), Now: tn.clock, DepartmentName: func(context.Context, cases.DepartmentID) string { return "" }}
		tn.handler, err = New(o)
		noError(b, err)
		for n := range benchBase {
			id := tn.report(b)
			for _, s := range life()[:n%(len(life())+1)] {
				tn.act(b, s.person, id, s.body)
			}
		}
		noError(b, tn.desk.Close())
		copyCases(b, path, c.plan.town.Cells())
		open()
	}
	b.Cleanup(func() { noError(b, tn.desk.Close()) })
	list, err := tn.desk.List(b.Context(), desk.Filter{Until: monday.Add(time.Millisecond), Limit: 1000})
	noError(b, err)
	for n := range list {
		if !strings.Contains(string(list[n].ID), "K") && list[n].Entries > 10 {
			c.ids = append(c.ids, string(list[n].ID))
		}
	}
	return tn
}

// copyCases multiplies the cases, past the desk: nine of ten are at their end, the
// others at every step, with limits that have passed and others, all over the cells.
func copyCases(b *testing.B, path string, cells []string) {
	db, err := sql.Open("sqlite", path)
	noError(b, err)
	defer func() { noError(b, db.Close()) }()
	tx, err := db.BeginTx(b.Context(), nil)
	noError(b, err)
	do := func(query string, args ...any) {
		b.Helper()
		if _, err := tx.ExecContext(b.Context(), query, args...); err != nil {
			b.Fatal(err)
		}
	}
	do("CREATE TEMP TABLE bench_cells (n INTEGER PRIMARY KEY, code TEXT)")
	for n, code := range cells {
		do("INSERT INTO bench_cells VALUES (?, ?)", n, code)
	}
	var entries int64
	noError(b, tx.QueryRow("SELECT MAX(seq) FROM case_entries").Scan(&entries))
	for k := 1; k <= benchCopies; k++ {
		shift := int64(k) * entries
		do("INSERT INTO case_entries SELECT seq + ?, case_id || 'K' || ?, number, act, role, person, department, received_ms + ?, state, body FROM case_entries WHERE seq <= ?", shift, k, k*60_000, entries)
		do(`INSERT INTO cases SELECT id || 'K' || ?1, first_seq + ?2, last_seq + ?2, CASE WHEN o THEN CASE r / 10 % 6 WHEN 0 THEN 'reported' WHEN 1 THEN 'accepted' WHEN 2 THEN 'filed' WHEN 3 THEN 'dispatched' WHEN 4 THEN 'handling' ELSE 'checking' END ELSE 'closed' END,
			o, since_ms + ?1 * 60000, reported_ms + ?1 * 60000, CASE WHEN o THEN 0 ELSE since_ms + ?1 * 70000 END, source, urgency, class, class_name, condition_key, component, event, description, location,
			lon_e7 + r, lat_e7 + r, (SELECT code FROM bench_cells WHERE n = r * 7919 % ?3), 'D' || (r % 400), CASE WHEN o AND r / 10 % 6 = 4 THEN 'D' || (r / 60 % 20) ELSE '' END, CASE WHEN o AND r / 10 % 6 = 5 THEN 'ins' || (first_seq / 7 % 40) ELSE '' END, '', 0, '',
			CASE WHEN o THEN CASE WHEN r / 10 % 6 < 3 THEN 'none' ELSE 'running' END ELSE 'met' END, ?4 + r % 977 * 60000, ?4 + r % 1733 * 60000, entries, head, since_ms + ?1 * 60000, CASE WHEN o AND r / 10 % 6 = 0 THEN 'no' ELSE '' END
			FROM (SELECT *, (first_seq * 31 + ?1 * 17) AS r, (first_seq * 31 + ?1 * 17) % 10 = 0 AS o FROM cases WHERE first_seq <= ?5)`, k, shift, len(cells), monday.Add(-8*time.Hour).UnixMilli(), entries)
	}
	do("INSERT INTO case_sent SELECT id, 'D' || (first_seq / 7 % 20), open, first_seq FROM cases WHERE first_seq > ? AND state IN ('dispatched', 'handling', 'checking', 'closed')", entries)
	do("UPDATE case_counters SET last = (SELECT MAX(seq) FROM case_entries)")
	noError(b, tx.Commit())
}
