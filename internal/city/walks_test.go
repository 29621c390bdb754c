package city

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// webFolder holds the pages and their walks.
var webFolder = filepath.Join("..", "..", "dashboards", "web")

// TestWorkplacesInTheBrowser walks the desk, the cases and the city's map of one living
// city in headless Chromium, as the people who work there.
func TestWorkplacesInTheBrowser(t *testing.T) {
	needBrowser(t)
	c := startCity(t, func(o *Options) {
		o.Interval = time.Second
		o.Grid = &GridOptions{Cells: 120}
		o.Past = &PastOptions{Places: 200, Cases: 120, Days: 2}
	})
	living, end := context.WithCancel(t.Context())
	g, living := errgroup.WithContext(living)
	g.Go(func() error { return c.Play(living) })
	yesterday, _ := c.Settlement()
	for _, name := range []string{"desk", "cases", "city"} {
		t.Run(name, func(t *testing.T) { walkPage(t, c, name, "SETTLEMENT="+filepath.Dir(yesterday)) })
	}
	end()
	if err := g.Wait(); err != nil {
		t.Error(err)
	}
}

// needBrowser skips the test, or fails it in continuous integration, where no page can
// be opened.
func needBrowser(t *testing.T) {
	t.Helper()
	needProgram(t, "node", "install Node 20.19 or newer")
	needProgram(t, "chromium", "install Debian's chromium, or run make test as root")
	needFile(t, filepath.Join(webFolder, "node_modules", "playwright-core"), "run make pages")
	needFile(t, filepath.Join(webFolder, "dist", "index.html"), "run make pages")
}

// walkPage runs e2e/walk-NAME.mjs against c. CITYGRID_SCREENSHOTS names a folder to keep
// the pictures in.
func walkPage(t *testing.T, c *City, name string, env ...string) {
	t.Helper()
	people := filepath.Join(t.TempDir(), "people.json")
	list, err := json.Marshal(c.People())
	if err == nil {
		err = os.WriteFile(people, list, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	pictures := os.Getenv("CITYGRID_SCREENSHOTS")
	if pictures == "" {
		pictures = t.TempDir()
	}
	walk := exec.CommandContext(t.Context(), "node", filepath.Join("e2e", "walk-"+name+".mjs"), c.HubURL(), pictures)
	walk.Dir = webFolder
	walk.Env = append(os.Environ(), "PEOPLE="+people, "PASSPHRASE="+string(c.Passphrase().Reveal()))
	walk.Env = append(walk.Env, env...)
	if out, err := walk.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
