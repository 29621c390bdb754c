package city

import (
	"maps"
	"path/filepath"
	"testing"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/hub/enrolment"
	"citygrid/simulators"
)

// pastCity makes what is there before the hub starts, without any process.
func pastCity(t *testing.T, cells int) *City {
	t.Helper()
	p, err := newPast(PastOptions{Places: 60, Cases: 120, Progress: func(part string, took time.Duration) { t.Log(part, took) }}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Dir: t.TempDir(), Grid: &GridOptions{Cells: cells}, Fleet: simulators.FleetConfig{Meters: 60, Seed: 1, Start: p.midnight(14)}}
	fleet, err := simulators.NewFleet(o.Fleet)
	if err != nil {
		t.Fatal(err)
	}
	c := &City{o: o, fleet: fleet, past: p, keys: enrolment.Folder(filepath.Join(o.Dir, "keys")), parts: map[string]*part{}}
	if err := c.makeGrid(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCasesOfThePast: the cases of the last days come about by the rules, without one
// that is refused or broken, and some wait for each of the sample users.
func TestCasesOfThePast(t *testing.T) {
	c := pastCity(t, 200)
	if err := c.stages(t.Context(), stage{"cases", c.makeCases}); err != nil {
		t.Fatal(err)
	}
	d, err := c.openDesk(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Check(t.Context(), func(f desk.Finding) { t.Errorf("case %s: %s", f.Case, f.Problem) }); err != nil {
		t.Fatal(err)
	}
	states, mine := map[cases.State]int{}, map[cases.State]int{}
	err = d.Journals(t.Context(), func(k *cases.Case, _ []cases.Entry) error {
		states[k.State]++
		if k.Verifier == sampleInspector || k.Checker == sampleInspector {
			mine[k.State]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(c.Cases(), states, mine)
	for _, w := range waiting() {
		if states[w.state] < w.n {
			t.Errorf("%d cases are %s, want at least %d: %v", states[w.state], w.state, w.n, maps.Clone(states))
		}
	}
	if mine[cases.Verifying] < 3 || mine[cases.Checking] < 3 || states[cases.Closed] < 60 {
		t.Errorf("cases %v, of which the sample inspector has %v", states, mine)
	}
}
