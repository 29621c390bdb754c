package city

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"citygrid/simulators"
)

// TestPageInTheBrowser walks the meters' pages of a running city in headless Chromium
// at desktop and phone width. CITYGRID_SCREENSHOTS names a folder to keep the
// pictures in.
func TestPageInTheBrowser(t *testing.T) {
	web := filepath.Join("..", "..", "dashboards", "web")
	needProgram(t, "node", "install Node 20.19 or newer")
	needProgram(t, "chromium", "install Debian's chromium, or run make test as root")
	needFile(t, filepath.Join(web, "node_modules", "playwright-core"), "run make pages")
	needFile(t, filepath.Join(web, "dist", "meters.html"), "run make pages")
	c := startCity(t, func(o *Options) {
		o.Interval = time.Second
		o.Fleet.Faults = simulators.Faults{Dead: 0.05, ClockJump: 1} // something to show under health
		o.Fleet.NoValue = 0.1                                        // and gaps in charts
	})
	awaitMore(t, c, 1000)
	await(t, "the hub to know of a meter in poor health", func() bool { return unwell(t, c) > 0 })
	pictures := os.Getenv("CITYGRID_SCREENSHOTS")
	if pictures == "" {
		pictures = t.TempDir()
	}
	look := exec.CommandContext(t.Context(), "node", filepath.Join("e2e", "walk-meters.mjs"), c.HubURL(), pictures)
	look.Dir = web
	if out, err := look.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// unwell returns how many meters the hub lists as in need of a look.
func unwell(t *testing.T, c *City) (n int) {
	t.Helper()
	var collectors []struct {
		Health []struct{} `json:"health"`
	}
	err := get(t.Context(), c.HubURL()+"/api/v1/collectors", func(body io.Reader) error {
		return json.NewDecoder(body).Decode(&collectors)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range collectors {
		n += len(one.Health)
	}
	return n
}

// needProgram skips the test where a program is absent, and fails it in
// continuous integration.
func needProgram(t *testing.T, name, remedy string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		absent(t, err, remedy)
	}
}

func needFile(t *testing.T, path, remedy string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		absent(t, err, remedy)
	}
}

func absent(t *testing.T, err error, remedy string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%v: %s", err, remedy)
	}
	t.Skipf("%v: %s", err, remedy)
}
