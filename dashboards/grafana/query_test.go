package grafana

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/internal/influxd"
)

// startInflux starts the InfluxDB of the demo, or skips the test where it is
// not built.
func startInflux(t *testing.T) *influxd.Server {
	t.Helper()
	if _, err := influxd.Find(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := influxd.Start(ctx, influxd.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stop InfluxDB: %v", err)
		}
	})
	return s
}

// write stores a few readings of one water meter, as the hub does: a good, a
// suspect and a missing one.
func write(t *testing.T, s *influxd.Server, now time.Time) {
	t.Helper()
	var lines strings.Builder
	for i := range 5 {
		ms := now.Add(-time.Duration(i+2) * time.Minute).UnixMilli()
		fmt.Fprintf(&lines, "reading,meter=W-1,quantity=water.flow mantissa=%di,exponent=-2i,value=%d.5,quality=0i %d\n", 150+i, i, ms)
	}
	fmt.Fprintf(&lines, "reading,meter=W-1,quantity=water.flow mantissa=9i,exponent=0i,value=9,quality=1i,reason=\"range\" %d\n", now.Add(-90*time.Second).UnixMilli())
	fmt.Fprintf(&lines, "reading,meter=W-1,quantity=water.flow quality=2i,reason=\"nan\" %d\n", now.Add(-80*time.Second).UnixMilli())
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

// fill puts values in for Grafana's variables.
func fill(query string) string {
	return strings.NewReplacer(
		"$timeFilter", "time > now() - 1h AND time < now()", "$__interval", "1m",
		"${medium:regex}", "water", "${meter:regex}", "W-1", "${quantity:regex}", `water\.flow`,
	).Replace(query)
}

// run returns the number of rows that the query gives.
func run(t *testing.T, s *influxd.Server, query string) int {
	t.Helper()
	resp, err := http.PostForm(s.URL()+"/query", url.Values{"db": {"citygrid"}, "q": {query}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Error   string
		Results []struct {
			Error  string
			Series []struct{ Values [][]any }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	rows := 0
	const freeze = 987654.0
	for _, r := range answer.Results {
		if r.Error != "" {
			t.Errorf("%s\n%s", query, r.Error)
		}
		for _, series := range r.Series {
			rows += len(series.Values)
			for _, row := range series.Values {
				if slices.ContainsFunc(row, func(cell any) bool { return cell == freeze }) {
					t.Errorf("shows a freeze as a live value: %s", query)
				}
			}
		}
	}
	if answer.Error != "" {
		t.Errorf("%s\n%s", query, answer.Error)
	}
	return rows
}

// TestQueriesRun runs every query of every board, and of its variables, against
// a real InfluxDB that holds readings; each must answer with rows.
func TestQueriesRun(t *testing.T) {
	s := startInflux(t)
	write(t, s, time.Now())
	for name, b := range boards(t) {
		for _, v := range b.Templating.List {
			if v.Type == "query" && run(t, s, fill(v.Query)) == 0 {
				t.Errorf("%s: variable %s finds nothing", name, v.Name)
			}
		}
		for _, p := range b.Panels {
			for _, q := range p.Targets {
				if run(t, s, fill(q.Query)) == 0 {
					t.Errorf("%s: panel %q finds nothing: %s", name, p.Title, fill(q.Query))
				}
			}
		}
	}
}
