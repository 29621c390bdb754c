package api

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestAccountsInTheBrowser walks the sign-in and the accounts in headless Chromium, from
// the set-up of a new hub on. CITYGRID_PAGES names another folder with built pages,
// CITYGRID_SCREENSHOTS one to keep the pictures in.
func TestAccountsInTheBrowser(t *testing.T) {
	web := filepath.Join("..", "..", "dashboards", "web")
	dist := os.Getenv("CITYGRID_PAGES")
	if dist == "" {
		dist = filepath.Join(web, "dist")
	}
	for _, path := range []string{filepath.Join(dist, "signin.html"), filepath.Join(web, "node_modules", "playwright-core"), filepath.Join(web, "node_modules", "axe-core")} {
		if _, err := os.Stat(path); err != nil {
			absent(t, err, "run make pages")
		}
	}
	for program, remedy := range map[string]string{"node": "install Node 20.19 or newer", "chromium": "install Debian's chromium, or run make test as root"} {
		if _, err := exec.LookPath(program); err != nil {
			absent(t, err, remedy)
		}
	}
	h := newHub(t, func(o *Options) { o.Pages, o.Now = os.DirFS(dist), time.Now })
	h.real = true
	code, err := h.book.SetUpCode(t.Context())
	noError(t, err)
	server := httptest.NewServer(h)
	defer server.Close()
	pictures := os.Getenv("CITYGRID_SCREENSHOTS")
	if pictures == "" {
		pictures = t.TempDir()
	}
	walk := exec.CommandContext(t.Context(), "node", filepath.Join("e2e", "walk-accounts.mjs"), server.URL, pictures)
	walk.Dir = web
	walk.Env = append(os.Environ(), "SETUP_CODE="+string(code.Code.Reveal()), "PEOPLE=", "PASSPHRASE=")
	if out, err := walk.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func absent(t *testing.T, err error, remedy string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%v: %s", err, remedy)
	}
	t.Skipf("%v: %s", err, remedy)
}
