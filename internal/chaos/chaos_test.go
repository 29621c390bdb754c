package chaos

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"citygrid/internal/influxd"
)

// programs holds the paths of the freshly built programs.
var programs struct{ citygrid, collector string }

// TestMain builds both programs once: the trials run and kill the real ones.
func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "citygrid-chaos-test-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	build := exec.Command("go", "build", "-buildvcs=false", "-o", dir, "citygrid/cmd/citygrid", "citygrid/cmd/collector")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return 1, fmt.Errorf("build the programs: %w", err)
	}
	programs.citygrid, programs.collector = filepath.Join(dir, "citygrid"), filepath.Join(dir, "collector")
	return m.Run(), nil
}

// TestTrials runs six trials, which have every kind of fault among them.
func TestTrials(t *testing.T) {
	if _, err := influxd.Find(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if testing.Short() {
		t.Skip("starts five processes a trial")
	}
	report, err := Run(t.Context(), Options{
		Citygrid: programs.citygrid, Collector: programs.collector, Dir: t.TempDir(), Trials: commonCycle, Seed: 7, Parallel: 2,
		Progress: func(p Plan, r *Result) {
			if r.Bad() > 0 {
				t.Errorf("%s\n%q\nagain: citygrid chaos --trials 1 --seed %d\n%s", r, r.Examples, p.Seed, p)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := report.WriteTable(t.Output()); err != nil {
		t.Error(err)
	}
	for _, k := range Kinds() {
		if report.Faults[k] == 0 && k != BrokerMinutes && !(k == DiskFull && report.NoDisk) {
			t.Errorf("no fault %s happened", k)
		}
	}
	if report.Readings < 2000*report.Trials || report.Cards == 0 || report.Events == 0 {
		t.Errorf("%d readings, %d card entries, %d events in %d trials", report.Readings, report.Cards, report.Events, report.Trials)
	}
}

// TestPlansHaveEveryFault: six seeds in a row have every kind of fault, and the same
// seed has the same plan.
func TestPlansHaveEveryFault(t *testing.T) {
	for first := range uint64(40) {
		seen := map[Kind]bool{}
		for seed := first; seed < first+commonCycle; seed++ {
			p := NewPlan(seed)
			for _, f := range p.Faults {
				seen[f.Kind] = true
				if f.At < 0 || f.At >= reading || f.For < 0 {
					t.Errorf("seed %d: %s", seed, f)
				}
			}
			if !slices.Equal(p.Faults, NewPlan(seed).Faults) {
				t.Errorf("seed %d has two plans", seed)
			}
		}
		for _, k := range Kinds() {
			if !seen[k] && k != BrokerMinutes {
				t.Errorf("seeds %d to %d: no %s", first, first+commonCycle-1, k)
			}
		}
	}
}
