package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/hub/api"
	"citygrid/hub/cases/desk"
	"citygrid/hub/cases/limits"
	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
	"citygrid/hub/ledger/reconcile"
	"citygrid/hub/store"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

var chartAt = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func TestCollectorPoints(t *testing.T) {
	told, started := chartAt.Add(-4*time.Second), chartAt.Add(-64*time.Second)
	list := []api.CollectorJSON{
		{ID: "a", Online: true, StatusAt: &told, StartedAt: &started, ReadsPlanned: 1, ReadsDone: 2, ReadsFailed: 3, ReadsMissed: 4, ValuesRead: 5,
			Sealed: 6, Published: 7, Freed: 8, SpoolRecords: 9, SpoolBytes: 10, SpoolQuota: 11, SpoolFull: true, FailingTotal: 12},
		{ID: "silent"},
	}
	areas := map[string]schemas.AreaCode{"a": "310115", "silent": "310116"}
	got := collectorPoints(list, func(id string) schemas.AreaCode { return areas[id] }, chartAt)
	want := store.CollectorCounts{Age: 4 * time.Second, Uptime: time.Minute, ReadsPlanned: 1, ReadsDone: 2, ReadsFailed: 3, ReadsMissed: 4, ValuesRead: 5,
		Sealed: 6, Published: 7, Freed: 8, SpoolRecords: 9, SpoolBytes: 10, SpoolQuota: 11, SpoolFull: true, Failing: 12}
	if len(got) != 2 || got[0].Status == nil || *got[0].Status != want || !got[0].Online || got[0].Area != "310115" {
		t.Errorf("got %+v", got)
	}
	if got[1] != (store.CollectorPoint{Collector: "silent", Area: "310116", At: chartAt}) {
		t.Errorf("a collector that told nothing has figures: %+v", got[1])
	}
}

// fakeCases are counts of open cases, and what was written of them.
type fakeCases struct {
	open    []desk.Tally
	written map[string]store.CaseGauge
}

func (f *fakeCases) Counts(_ context.Context, q desk.Filter, by ...desk.CountBy) ([]desk.Tally, error) {
	if !q.Open || !slices.Equal(by, []desk.CountBy{desk.ByClass, desk.ByCommunity, desk.ByLight}) {
		return nil, errors.New("asks for something else")
	}
	return f.open, nil
}

func (f *fakeCases) StoreCaseGauges(_ context.Context, list []store.CaseGauge) error {
	f.written = map[string]store.CaseGauge{}
	for _, g := range list {
		f.written[g.Class+"|"+g.Area] = g
	}
	return nil
}

// TestCaseGauges counts by light, and tells once of what ended.
func TestCaseGauges(t *testing.T) {
	class, area := "S:event:01", codes.AreaCode("110101001001")
	f := &fakeCases{open: []desk.Tally{
		{Class: class, Community: area, Light: limits.Red, N: 2}, {Class: class, Community: area, Light: limits.None, N: 1},
		{Class: class, Community: area, Light: limits.Green, N: 7}, {Light: limits.Yellow, N: 3},
	}}
	g := &caseGauges{desk: f, series: f}
	steps := []struct {
		open []desk.Tally
		want map[string]store.CaseGauge
	}{
		{f.open, map[string]store.CaseGauge{
			"S:event:01|110101001001": {Class: class, Area: string(area), Red: 2, None: 1, Green: 7, At: chartAt},
			"|":                       {Yellow: 3, At: chartAt}}},
		{nil, map[string]store.CaseGauge{"S:event:01|110101001001": {Class: class, Area: string(area), At: chartAt}, "|": {At: chartAt}}},
		{nil, map[string]store.CaseGauge{"|": {At: chartAt}}},
	}
	for n, step := range steps {
		f.open = step.open
		if err := g.write(t.Context(), chartAt); err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(f.written, step.want) {
			t.Errorf("step %d: wrote %+v, want %+v", n, f.written, step.want)
		}
	}
}

// fakeRuns are the books and the series.
type fakeRuns struct {
	runs    []books.RunSummary // the latest first
	asked   int
	written []store.RunPoint
	err     error
}

func (f *fakeRuns) Runs(_ context.Context, _ schemas.Medium, p books.Page) ([]books.RunSummary, error) {
	f.asked++
	from := min(int(p.Offset), len(f.runs))
	return f.runs[from:min(from+int(p.Limit), len(f.runs))], nil
}

func (f *fakeRuns) StoreRuns(_ context.Context, list []store.RunPoint) error {
	if f.err == nil {
		f.written = append(f.written, list...)
	}
	return f.err
}

// TestRunPoints: every run once, the latest of a day alone, again after a failure and
// when it is set aside.
func TestRunPoints(t *testing.T) {
	f := &fakeRuns{}
	for id := int64(1); id <= runPage+10; id++ {
		f.add(id, ledger.Day(id))
	}
	f.add(900, 5) // day 5 again
	calendar := ledger.Calendar{Zone: time.UTC}
	r := &runPoints{books: f, calendar: calendar, series: f}
	write := func(want ...int64) {
		t.Helper()
		f.written = nil
		if err := r.write(t.Context()); !errors.Is(err, f.err) {
			t.Fatal(err)
		}
		var got []int64
		for _, p := range f.written {
			got = append(got, p.Run)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("wrote %v, want %v", got, want)
		}
	}
	var all []int64
	for id := range int64(runPage + 10) {
		if id+1 != 5 {
			all = append(all, id+1)
		}
	}
	all = append(all, 900)
	f.err = errors.New("away")
	write()
	f.err = nil
	write(all...)
	f.asked = 0
	write()
	if f.asked != 1 {
		t.Errorf("asked %d times for what has not changed, want once", f.asked)
	}
	f.add(1000, 3)                            // day 3 again
	f.runs[len(f.runs)-4].State = "set_aside" // and with it day 4, on the last page
	write(4, 1000)
	for _, p := range f.written {
		if day := map[int64]ledger.Day{4: 4, 1000: 3}[p.Run]; !p.Day.Equal(calendar.Start(day)) || p.SetAside != (p.Run == 4) {
			t.Errorf("run %d stands at %s, set aside %v", p.Run, p.Day, p.SetAside)
		}
	}
	write()
}

func (f *fakeRuns) add(id int64, day ledger.Day) {
	f.runs = slices.Insert(f.runs, 0, books.RunSummary{ID: id, Utility: schemas.Gas, Span: reconcile.Span{From: day, To: day}, State: books.RunDone})
}

func TestRunPoint(t *testing.T) {
	var s books.RunSummary
	f := &s.Figures
	f.Sales, f.Entries, f.Payments, f.Refused = 1, 2, 3, 4
	f.Purchases.Closing = reconcile.Tally{Count: 5, Fen: 6, Volume: 7}
	f.Stock.Closing = reconcile.Stock{Residual: reconcile.Tally{Fen: 8}, Overdraft: reconcile.Tally{Fen: 9}, Installations: 10, Fresh: 11, Stale: 12}
	stale := slices.Index(ledger.Classes(), ledger.Stale)
	f.Classes[stale] = reconcile.ClassRoll{Opening: reconcile.Tally{Count: 1}, Found: reconcile.Tally{Count: 2}, Cleared: reconcile.Tally{Count: 3},
		Decided: reconcile.Tally{Count: 4}, Closing: reconcile.Tally{Count: 5}}
	p := runPoint(&s, chartAt)
	if p.Sales != 1 || p.Entries != 2 || p.Payments != 3 || p.Refused != 4 || p.Unloaded != (store.RunTally{Count: 5, Fen: 6, Volume: 7}) ||
		p.Residual.Fen != 8 || p.Overdraft.Fen != 9 || p.Installations != 10 || p.Fresh != 11 || p.Stale != 12 || len(p.Classes) != reconcile.Classes {
		t.Errorf("got %+v", p)
	}
	want := store.RunClass{Class: "STALE", Opening: store.RunTally{Count: 1}, Found: store.RunTally{Count: 2}, Cleared: store.RunTally{Count: 3},
		Decided: store.RunTally{Count: 4}, Closing: store.RunTally{Count: 5}}
	if p.Classes[stale] != want {
		t.Errorf("got %+v, want %+v", p.Classes[stale], want)
	}
}

// TestChartsSayFailureOnce: a store that is away for a night fills no log.
func TestChartsSayFailureOnce(t *testing.T) {
	var log bytes.Buffer
	c := &charts{log: slog.New(slog.NewTextHandler(&log, nil)), failing: map[string]bool{}}
	var away error
	c.add("things", func(context.Context, time.Time) error { return away })
	for _, away = range []error{nil, errors.New("away"), errors.New("away"), nil, nil} {
		c.all(t.Context(), chartAt)
	}
	if warned, again := strings.Count(log.String(), "WARN"), strings.Count(log.String(), "points again"); warned != 1 || again != 1 {
		t.Errorf("%d warnings, %d all-clears, want one each:\n%s", warned, again, &log)
	}
}
