package grafana

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/hub/store"
	"citygrid/internal/influxd"
	"citygrid/internal/influxd/influxtest"
	"citygrid/schemas"
)

// write stores a few readings as the hub does: good ones of each medium, of water a
// suspect and a missing one too.
func write(t *testing.T, s *influxd.Server, now time.Time) {
	t.Helper()
	var lines strings.Builder
	for i := range 5 {
		ms := now.Add(-time.Duration(i+2) * time.Minute).UnixMilli()
		fmt.Fprintf(&lines, "reading,meter=W-1,quantity=water.flow mantissa=%di,exponent=-2i,value=%d.5,quality=0i %d\n", 150+i, i, ms)
	}
	fmt.Fprintf(&lines, "reading,meter=W-1,quantity=water.flow mantissa=9i,exponent=0i,value=9,quality=1i,reason=\"range\" %d\n", now.Add(-90*time.Second).UnixMilli())
	fmt.Fprintf(&lines, "reading,meter=W-1,quantity=water.flow quality=2i,reason=\"nan\" %d\n", now.Add(-80*time.Second).UnixMilli())
	for i := range 3 {
		ms := now.Add(-time.Duration(i+2) * time.Minute).UnixMilli()
		for _, series := range []string{"W-1,quantity=water.volume.forward", "P-1,quantity=power.active", "G-1,quantity=gas.flow.standard"} {
			fmt.Fprintf(&lines, "reading,meter=%s mantissa=%di,exponent=0i,value=%d,quality=0i %d\n", series, 9-i, 9-i, ms)
		}
	}
	// A record of the meter's own memory: no value of now, and no part of a mean.
	fmt.Fprintf(&lines, "reading,meter=W-1,origin=daily_freeze,quantity=water.flow mantissa=987654i,exponent=0i,value=987654,quality=0i %d\n", now.Add(-70*time.Second).UnixMilli())
	resp, err := http.Post(s.URL()+"/write?db=citygrid&precision=ms", "text/plain", strings.NewReader(lines.String()))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		body, _ := io.ReadAll(resp.Body)
		t.Fatalf("write: %s %s", resp.Status, body)
	}
}

// run returns the number of rows that the query gives.
func run(t *testing.T, s *influxd.Server, query string) int {
	t.Helper()
	answer := ask(t, s.URL(), query)
	rows := 0
	const freeze = 987654.0
	for _, r := range answer {
		for _, series := range r.Series {
			rows += len(series.Values)
			for _, row := range series.Values {
				if slices.ContainsFunc(row, func(cell any) bool { return cell == freeze }) {
					t.Errorf("shows a freeze as a live value: %s", query)
				}
			}
		}
	}
	return rows
}

// TestQueriesRun runs every query of every board, and of its variables, against
// a real InfluxDB that holds what the hub writes; each must answer with rows, for every
// value of a variable and for all of them.
func TestQueriesRun(t *testing.T) {
	s := influxtest.Start(t, influxd.Options{})
	now := time.Now()
	write(t, s, now)
	writeOthers(t, s, now)
	for name, b := range boards(t) {
		for _, v := range []choice{chooseFirst, chooseAll} {
			values := resolve(t, s.URL(), name, &b, v)
			for _, p := range b.Panels {
				for _, q := range p.Targets {
					if query := fill(q.Query, values); run(t, s, query) == 0 {
						t.Errorf("%s: panel %q finds nothing: %s", name, p.Title, query)
					}
				}
			}
		}
	}
}

// writeOthers stores through the hub's own writer what is not a reading.
func writeOthers(t *testing.T, s *influxd.Server, now time.Time) {
	t.Helper()
	to, err := store.Open(store.Config{URL: s.URL(), Bucket: "citygrid"})
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	ctx, class := t.Context(), "CJ/T 214-2007:event:0402"
	for _, ago := range []time.Duration{3 * time.Minute, time.Minute} {
		at := now.Add(-ago)
		n := uint64(10 - ago/time.Minute)
		counts := store.CollectorCounts{Age: time.Second, Uptime: time.Hour, ReadsDone: n, ReadsFailed: n, ReadsMissed: n, Sealed: n, Freed: n, SpoolBytes: 1, SpoolQuota: 2}
		err = errors.Join(err,
			to.StoreCollectors(ctx, []store.CollectorPoint{{Collector: "310115-01", Area: "310115", At: at, Online: true, Status: &counts}}),
			to.StoreCaseGauges(ctx, []store.CaseGauge{{Class: class, Area: "110101001001", Red: 1, Green: 2, At: at}}))
	}
	run := store.RunPoint{Utility: schemas.Water, Day: now.Add(-10 * time.Minute), Run: 1, Version: 1, Installations: 4, Fresh: 3,
		Classes: []store.RunClass{{Class: "STALE", Closing: store.RunTally{Count: 1, Fen: 250}}}}
	event := schemas.ComponentEvent{ID: "e-1", Kind: schemas.EventLeak, Phase: schemas.EventOpened, Meter: "W-1", Since: now.Add(-time.Hour), TakenAt: now.Add(-time.Minute), Affected: 1}
	err = errors.Join(err, to.StoreRuns(ctx, []store.RunPoint{run}), to.StoreEvents(ctx, "310115-01", []schemas.ComponentEvent{event}),
		to.StoreTransitions(ctx, []store.Transition{
			{Seq: 1, Case: "1", Act: "report", State: "reported", Source: "sensor", Class: class, Area: "110101001001", At: now.Add(-time.Minute)},
			{Seq: 2, Case: "1", Act: "close", State: "closed", Source: "sensor", Class: class, Area: "110101001001", At: now.Add(-time.Minute)}}))
	if err != nil {
		t.Fatal(err)
	}
}

// TestFiguresAreRight: a count of what is not there is 0 where there is anything, and
// sums and shares are those of the points.
func TestFiguresAreRight(t *testing.T) {
	s := influxtest.Start(t, influxd.Options{})
	now := time.Now()
	write(t, s, now)
	writeOthers(t, s, now)
	all := boards(t)
	for _, f := range []struct {
		board string
		title string // begins so
		want  float64
	}{
		{"city.json", "Meters with", 3}, {"city.json", "Good readings", 14.0 / 16}, {"city.json", "Open cases", 3}, {"city.json", "Overdue", 1},
		{"city.json", "Collectors online", 1}, {"city.json", "Meters not", 0},
		{"utility.json", "Good readings", 0.8}, {"utility.json", "Readings not good", 2},
		{"collectors.json", "Oldest status", 1000}, {"collectors.json", "Known", 1},
		{"reconciliation.json", "Open differences", 1}, {"reconciliation.json", "Open, in yuan", 2.5}, {"reconciliation.json", "Coverage", 0.75},
		{"reconciliation.json", "Rows left out", 0},
		{"cases.json", "Open /", 3}, {"cases.json", "Soon overdue", 0}, {"cases.json", "Reported", 1}, {"cases.json", "Closed", 1},
		{"meters.json", "Suspect", 1}, {"meters.json", "Readings without", 1},
	} {
		b := all[f.board]
		n := slices.IndexFunc(b.Panels, func(p panel) bool { return strings.HasPrefix(p.Title, f.title) })
		if n < 0 {
			t.Fatalf("%s has no panel %q", f.board, f.title)
		}
		query := fill(b.Panels[n].Targets[0].Query, resolve(t, s.URL(), f.board, &b, chooseAll))
		if got := figure(t, s.URL(), query); got != f.want {
			t.Errorf("%s: %s is %v, want %v: %s", f.board, f.title, got, f.want, query)
		}
	}
}
