package probe

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citygrid/collector/config"
	"citygrid/internal/cli"
	"citygrid/simulators"
	"citygrid/simulators/lab"
)

func mustFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestPlanAgreesWithTheWire: what a line's meters are said to take is within 5 %
// of what the simulated wire accounts for the same reads.
func TestPlanAgreesWithTheWire(t *testing.T) {
	const turnaround = 20 * time.Millisecond
	for _, tc := range []struct {
		name   string
		serial lab.Serial
		yaml   string
		meters string
		slave  lab.Slave
	}{
		{"modbus", lab.Serial{Baud: 19200}, "{baud: 19200, parity: none}", `
      - {id: P-1, unit: 1, profile: eastron-sdm630}
      - {id: P-2, unit: 2, profile: chint-dtsu666}
      - {id: W-3, unit: 3, profile: tuf-2000m}`,
			slave(t, simulators.NewRTU, mustMeter(t, "eastron-sdm630", 1, ""), mustMeter(t, "chint-dtsu666", 2, ""), mustMeter(t, "tuf-2000m", 3, ""))},
		{"dlt645", lab.Serial{Baud: 9600, Parity: lab.Even}, "{baud: 9600, parity: even}", `
      - {id: P-1, address: "` + plate645 + `", profile: dlt645-three-phase}`,
			slave(t, simulators.NewDLT645, mustMeter(t, "dlt645-three-phase", 0, plate645))},
		{"cjt188", lab.Serial{Baud: 2400, Parity: lab.Even}, "{baud: 2400, parity: even}", `
      - {id: W-1, address: "` + plate188 + `", profile: cjt188-cold-water}`,
			slave(t, simulators.NewCJT188, mustMeter(t, "cjt188-cold-water", 0, plate188))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			bus, address := onServer(t, lab.Config{Serial: tc.serial, Slaves: []lab.Slave{tc.slave}, Turnaround: turnaround})
			c, err := config.Load(mustFile(t, configText(address, tc.yaml, "1m", tc.meters)))
			if err != nil {
				t.Fatal(err)
			}
			summary, err := c.Summary()
			if err != nil {
				t.Fatal(err)
			}
			plan := planOf(c, summary, assumptions{wire: turnaround})
			lines, err := c.BuildLines()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = lines[0].Close() }()
			var before time.Duration
			for range 2 { // the first finds out what the meter wants
				before = bus.Stats().Wire
				for _, m := range lines[0].Meters {
					if _, err := m.Source.Read(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			}
			wire, said := millis(bus.Stats().Wire-before), plan.Lines[0].CycleMS
			if off := said/wire - 1; off < -0.05 || off > 0.05 {
				t.Errorf("the plan says %.1f ms a cycle, the wire accounts for %.1f: %+.1f %%", said, wire, 100*off)
			} else {
				t.Logf("plan %.1f ms, wire %.1f ms: %+.1f %%", said, wire, 100*off)
			}
		})
	}
}

// TestPlanJudges: lines that can, can barely and cannot keep up; the exit code
// and what is advised.
func TestPlanJudges(t *testing.T) {
	meters := func(n int, interval string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "      - {id: P-%d, unit: %d, profile: eastron-sdm630, interval: %s}\n", i+1, i+1, interval)
		}
		return b.String()
	}
	remembering := func(interval string) string {
		return fmt.Sprintf("      - {id: P-1, address: %q, profile: dlt645-three-phase, interval: %s}\n", plate645, interval)
	}
	for _, tc := range []struct {
		name, serial, meters string
		problem, warning     []string
	}{
		{"idle", "{baud: 9600, parity: none}", meters(4, "15m"), nil, nil},
		{"full", "{baud: 9600, parity: none}", meters(30, "5s"), []string{"line riser cannot meet its intervals", "136.9%", "longer by 1.7 (5s becomes 9s)", "38400 Bd", "2 lines"}, nil},
		{"barely", "{baud: 9600, parity: none}", meters(21, "5s"), nil, []string{"as long as all of its meters answer", "5.0%"}},
		{"hopeless at any speed", "{baud: 9600, parity: none}", meters(9, "100ms"), []string{"cannot meet its intervals", "longer by 25.7 (100ms becomes 3s)"}, nil},
		{"one waits for another", "{baud: 1200, parity: none}", "      - {id: P-1, unit: 1, profile: eastron-sdm630, interval: 15m}\n      - {id: W-2, unit: 2, profile: changli-em, interval: 1s}\n",
			[]string{"interval 1s of meter W-2: a read of meter P-1 alone takes"}, nil},
		{"full, of meters with a memory", "{baud: 9600, parity: none}", remembering("1s"), []string{"172.0%"}, []string{"line riser is never idle: the clocks of its meters"}},
		{"room for no more than a record", "{baud: 9600, parity: none}", remembering("1780ms"), nil,
			[]string{"as long as all of its meters answer", "; it is idle for 60ms of each 1.78s, and one request takes 69ms: the clocks"}},
		{"room for a record", "{baud: 9600, parity: none}", remembering("1800ms"), nil, []string{"as long as all of its meters answer"}},
	} {
		out, _, err := runProbe(t.Context(), "", "plan", "-c", mustFile(t, configText("/dev/ttyS9", tc.serial, "1m", tc.meters)))
		for _, want := range tc.problem {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", tc.name, err, want)
			}
		}
		if code := cli.ExitCode(err); tc.problem == nil && code != 0 || tc.problem != nil && code != 1 {
			t.Errorf("%s: exit code %d: %v", tc.name, code, err)
		}
		for _, want := range tc.warning {
			if !strings.Contains(out, want) {
				t.Errorf("%s: %s, want %s", tc.name, out, want)
			}
		}
		if idle := strings.Contains(strings.Join(tc.warning, ""), "idle"); idle != strings.Contains(out, "idle") {
			t.Errorf("%s: %s", tc.name, out)
		}
	}
}

// TestPlanAsJSON also takes a longer turnaround.
func TestPlanAsJSON(t *testing.T) {
	file := mustFile(t, configText("/dev/ttyS9", "{baud: 9600, parity: none}", "1m", "      - {id: P-1, unit: 1, profile: changli-em}\n"))
	read := func(args ...string) MeterPlan {
		out, _, err := runProbe(t.Context(), "", append([]string{"plan", "--json", "-c", file}, args...)...)
		var r PlanReport
		if err != nil || json.Unmarshal([]byte(out), &r) != nil {
			t.Fatal(err, out)
		}
		return r.Lines[0].Meters[0]
	}
	// 8 and 9 bytes of 10 bits, a silence of 3.5 characters, 20 ms.
	m := read()
	if m.Requests != 1 || m.BytesOut != 8 || m.BytesIn != 9 || m.ReadMS != 41.4 {
		t.Errorf("%+v", m)
	}
	if longer := read("--turnaround", "120ms"); longer.ReadMS != 141.4 {
		t.Errorf("%+v", longer)
	}
	if _, _, err := runProbe(t.Context(), "", "plan", "-c", "nowhere.yaml"); cli.ExitCode(err) != 2 {
		t.Error(err)
	}
}
