package city

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestPhoneInTheBrowser walks the inspector's page of a city whose people can sign in:
// reports without network, a browser that is killed, answers that are lost, and each
// record at the hub exactly once. CITYGRID_SCREENSHOTS names a folder to keep the
// pictures in.
func TestPhoneInTheBrowser(t *testing.T) {
	web := filepath.Join("..", "..", "dashboards", "web")
	needProgram(t, "node", "install Node 20.19 or newer")
	needProgram(t, "chromium", "install Debian's chromium, or run make test as root")
	needFile(t, filepath.Join(web, "node_modules", "playwright-core"), "run make pages")
	needFile(t, filepath.Join(web, "dist", "inspect.html"), "run make pages")
	c := startCity(t, func(o *Options) {
		o.Interval = time.Second
		o.Grid = &GridOptions{Cells: 120}
		o.Past = &PastOptions{Places: 60, Cases: 40, Days: 1}
	})
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
	walk := exec.CommandContext(t.Context(), "node", filepath.Join("e2e", "walk-inspect.mjs"), c.HubURL(), pictures)
	walk.Dir = web
	walk.Env = append(os.Environ(), "PEOPLE="+people, "PASSPHRASE="+string(c.Passphrase().Reveal()))
	if out, err := walk.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
