package main

import (
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"citygrid/hub/accounts"
	"citygrid/hub/api"
	"citygrid/hub/cases"
	"citygrid/hub/config"
	"citygrid/hub/registry/assets"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

const aToken = "sha256:0f5b2ae3c1d7486d9b0a5f1e7c62d8943be01a7dd25f6c8e91b4a3077d6c5e2f"

func accountsHub(t *testing.T, cfg *config.Config) *hubProgram {
	t.Helper()
	h := &hubProgram{cfg: cfg, log: slog.New(slog.DiscardHandler)}
	if err := h.openAccounts(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.closeAccounts(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// TestSetUpCodeIsOffered: in both languages, with the address of the page, once for each
// start, and not once somebody can administer.
func TestSetUpCodeIsOffered(t *testing.T) {
	cfg := &config.Config{Accounts: config.Accounts{DSN: "sqlite:" + filepath.Join(t.TempDir(), "accounts.db")},
		Ledger: config.Ledger{People: []config.LedgerPerson{{Name: "张三", Roles: []string{"clerk"}, Token: aToken}}},
		Grid:   config.Grid{People: []config.GridPerson{{ID: "wang", Roles: []string{"department"}, Department: "gas", Token: aToken}}}}
	h := accountsHub(t, cfg)
	var out strings.Builder
	listen := &net.TCPAddr{IP: net.IPv4zero, Port: 8080}
	if err := h.offerSetUp(t.Context(), &out, listen); err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile(`(?:[0-9A-Z]{4}-){7}[0-9A-Z]{4}`).FindString(out.String())
	if code == "" || !strings.Contains(out.String(), "http://127.0.0.1:8080/signin#set-up") || !strings.Contains(out.String(), "管理员") || !strings.Contains(out.String(), "one-time code") {
		t.Fatalf("printed %s", out.String())
	}
	if _, err := h.accounts.SetUp(t.Context(), code, accounts.NewPerson{ID: "root"}, "four green bicycles", netip.MustParseAddr("127.0.0.1")); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := h.offerSetUp(t.Context(), &out, listen); err != nil || out.Len() > 0 {
		t.Errorf("%v, printed %s", err, out.String())
	}
	p, err := h.accounts.Find(t.Context(), "张三") // the token is one person of both sections
	if err != nil || p.ID != "wang" || !p.Has(accounts.Clerk) || p.Department != "gas" {
		t.Errorf("%+v %v", p, err)
	}
	for public, want := range map[string]string{"https://city.example/": "https://city.example", "": "http://192.0.2.1:80"} {
		if got := pageAddress("http://", &config.Accounts{PublicURL: public}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestAccountOptions(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("a secret of some words\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{Accounts: config.Accounts{DSN: "sqlite:" + filepath.Join(dir, "accounts.db"), Tour: true, PublicURL: "https://city.example", Proxies: []string{"10.0.0.0/8"},
		OIDC: &config.OIDC{Name: "统一认证", Issuer: "https://id.example", ClientID: "x", ClientSecret: "file:" + filepath.Join(dir, "secret")}}}
	h := accountsHub(t, cfg)
	var o api.Options
	if err := h.accountOptions(&o); err != nil || o.Accounts.Book == nil || !o.Accounts.Tour || len(o.Accounts.Proxies) != 1 || o.Accounts.Identity == nil || o.Accounts.IdentityName != "统一认证" {
		t.Fatalf("%+v %v", o.Accounts, err)
	}
	if err := o.Ready[0].Check(t.Context()); err != nil {
		t.Error(err)
	}
	cfg.Accounts.OIDC.ClientSecret = "file:nowhere"
	if err := h.accountOptions(&o); err == nil || !strings.Contains(err.Error(), "accounts.oidc: client_secret") {
		t.Errorf("%v", err)
	}
	o = api.Options{}
	if err := (&hubProgram{cfg: &config.Config{}}).accountOptions(&o); err != nil || o.Accounts != nil {
		t.Errorf("a hub without the section: %+v %v", o.Accounts, err)
	}
}

// TestInspectorsOfTheAccounts: the role counts as it is now, and who has left the register
// or is kept out is none.
func TestInspectorsOfTheAccounts(t *testing.T) {
	cfg := &config.Config{Accounts: config.Accounts{DSN: "sqlite:" + filepath.Join(t.TempDir(), "accounts.db")},
		Grid: config.Grid{People: []config.GridPerson{{ID: "li", Roles: []string{"inspector"}, Token: aToken}}}}
	h := accountsHub(t, cfg)
	lists, err := codes.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	r, err := assets.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "grid.db"), assets.Options{Lists: lists})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	g := &gridProgram{}
	f := staffFace{g, peopleFace{&cfg.Grid, r}}
	want := func(id cases.PersonID, want bool, when string) {
		t.Helper()
		if is, err := f.Inspector(t.Context(), id); err != nil || is != want {
			t.Errorf("%s %s: %t %v", id, when, is, err)
		}
	}
	want("li", true, "of the configuration")
	g.accounts = h.accounts
	want("li", true, "imported")
	want("wu", false, "nobody")
	p, err := h.accounts.Find(t.Context(), "li")
	if err != nil {
		t.Fatal(err)
	}
	change := func(role accounts.Role) {
		t.Helper()
		if err := h.accounts.Change(t.Context(), accounts.TheHub(), p.Key, accounts.Rights{Roles: []accounts.Role{role}, Utilities: []schemas.Medium{}}); err != nil {
			t.Fatal(err)
		}
	}
	change(accounts.Acceptor)
	want("li", false, "with another role now")
	change(accounts.Inspector)
	want("li", true, "again")
	if err := h.accounts.Disable(t.Context(), accounts.TheHub(), p.Key); err != nil {
		t.Fatal(err)
	}
	want("li", false, "kept out")
}
