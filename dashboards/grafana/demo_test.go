package grafana

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"citygrid/hub/ledger"
	"citygrid/internal/city"
	"citygrid/internal/influxd/influxtest"
	"citygrid/simulators"
)

// mayBeQuiet are panels of which a demo without faults has nothing to show.
var mayBeQuiet = map[string]bool{
	"meters.json: Newest readings that are not good / 最近的异常读数": true,
}

// TestBoardsOfTheDemo runs a city as the demo does: with leaks, people who deal with
// the cases, and a run of reconciliation. Every panel of every board must show
// something, of each medium.
func TestBoardsOfTheDemo(t *testing.T) {
	at := demo(t)
	for name, b := range boards(t) {
		for _, medium := range mediaOf(&b) {
			t.Run(strings.TrimSuffix(name, ".json")+" "+medium, func(t *testing.T) {
				await(t, func() []string { return empty(t, at, name, withMedium(b, medium)) })
			})
		}
	}
}

// demo starts the city and returns the URL of its InfluxDB.
func demo(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts five processes")
	}
	influxtest.Find(t)
	dir, bin := t.TempDir(), t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", bin, "citygrid/cmd/citygrid", "citygrid/cmd/collector").CombinedOutput(); err != nil {
		t.Fatalf("build the programs: %v\n%s", err, out)
	}
	c, err := city.Start(t.Context(), city.Options{
		Citygrid: filepath.Join(bin, "citygrid"), Collector: filepath.Join(bin, "collector"), Dir: dir, Interval: time.Second,
		Fleet: simulators.FleetConfig{Meters: 120, MetersPerGateway: 30, Seed: 7, Step: time.Second},
		Grid:  &city.GridOptions{Cells: 60, Hold: 4 * time.Second},
	})
	t.Cleanup(func() {
		if c != nil {
			if err := c.Stop(); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	play(t, c)
	hub := filepath.Join(dir, "hub.yaml")
	day := ledger.Day(time.Now().Unix()/86400) - 2
	for _, utility := range []string{"water", "power", "gas"} {
		run := exec.CommandContext(t.Context(), filepath.Join(bin, "citygrid"), "reconcile", "-c", hub, "--utility", utility, "--date", day.String())
		if out, err := run.CombinedOutput(); err != nil {
			t.Fatalf("reconcile %s: %v\n%s", utility, err, out)
		}
	}
	return influxOf(t, hub)
}

// play lets things happen until the test ends.
func play(t *testing.T, c *city.City) {
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Play(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func influxOf(t *testing.T, hub string) string {
	t.Helper()
	text, err := os.ReadFile(hub)
	if err != nil {
		t.Fatal(err)
	}
	var cfg struct{ Influx struct{ URL string } }
	if err := yaml.Unmarshal(text, &cfg); err != nil || cfg.Influx.URL == "" {
		t.Fatalf("%s names no InfluxDB: %v", hub, err)
	}
	return cfg.Influx.URL
}

// mediaOf returns the media that a board shows one at a time.
func mediaOf(b *board) []string {
	for _, v := range b.Templating.List {
		if v.Name == "medium" {
			return strings.Split(v.Query, ",")
		}
	}
	return []string{""}
}

// withMedium returns a board whose medium is chosen.
func withMedium(b board, medium string) *board {
	list := append([]variable(nil), b.Templating.List...)
	for n := range list {
		if list[n].Name == "medium" {
			list[n].Query = medium
		}
	}
	b.Templating.List = list
	return &b
}

// empty returns what of a board shows nothing: a panel with several queries shows what
// one of them gives.
func empty(t *testing.T, at, name string, b *board) (list []string) {
	t.Helper()
	values, missing := tryResolve(t, at, b, chooseAll)
	if missing != "" {
		return []string{"variable " + missing}
	}
	for _, p := range b.Panels {
		rows := 0
		for _, q := range p.Targets {
			query := fill(q.Query, values)
			if name == "reconciliation.json" {
				query = strings.ReplaceAll(query, "now() - 1h", "now() - 30d")
			}
			for _, r := range ask(t, at, query) {
				rows += len(r.Series)
			}
		}
		if what := fmt.Sprintf("%s: %s", name, p.Title); rows == 0 && !mayBeQuiet[what] {
			list = append(list, what)
		}
	}
	return list
}

// await asks until nothing is wrong any more. Its bound only ends a test that would
// otherwise hang: a leak must come to its end, and the hub writes every 30 s.
func await(t *testing.T, wrong func() []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		list := wrong()
		if len(list) == 0 || t.Failed() {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no data in:\n%s", strings.Join(list, "\n"))
		case <-tick.C:
		}
	}
}
