package enrolment

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	brokerconfig "citygrid/broker-config"
	"citygrid/internal/secret"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

func testMaster(t *testing.T) *seal.Master {
	t.Helper()
	m, err := seal.NewMaster("test", 1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mustLoad(t *testing.T, f Folder) *List {
	t.Helper()
	l, err := Load(f.List())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func wantMode(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("%s has mode %v, want 0600", path, info.Mode())
	}
}

// TestInit pays for the rounds of PBKDF2 once, so it holds all of Init.
func TestInit(t *testing.T) {
	f := Office{Folder: Folder(filepath.Join(t.TempDir(), "keys")), By: "test"}
	passphrase := secret.New("passphrase")
	if err := f.Init("bad tenant", passphrase, seal.MinRounds); err == nil {
		t.Error("a tenant with a space was taken")
	}
	if err := f.Init("test", passphrase, seal.MinRounds-1); err == nil {
		t.Error("too few rounds were taken")
	}
	// That attempt got as far as the hub's account; the next one goes on.
	if err := f.Init("test", passphrase, seal.MinRounds); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{f.Master(), f.List(), f.HubPassword()} {
		wantMode(t, path)
	}
	before := readAll(t, f.Folder)
	if err := f.Init("test", passphrase, seal.MinRounds); err == nil || !strings.Contains(err.Error(), "not replaced") {
		t.Errorf("second Init: %v, want a refusal", err)
	}
	if !reflect.DeepEqual(readAll(t, f.Folder), before) {
		t.Error("the second Init changed a file")
	}
	master, err := seal.ReadMaster(f.Master(), passphrase)
	if err != nil || master.Tenant != "test" || master.Generation != 1 {
		t.Errorf("master key %v, %v", master, err)
	}
	list := mustLoad(t, f.Folder)
	if ok := list.HubUser == HubUser && strings.TrimSpace(string(before[f.HubPassword()])) != "" && list.HubHash != ""; !ok {
		t.Errorf("hub account %q with hash %q", list.HubUser, list.HubHash)
	}
	if bytes.Contains(before[f.List()], bytes.TrimSpace(before[f.HubPassword()])) {
		t.Error("the list holds the password itself")
	}
}

func readAll(t *testing.T, f Folder) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, path := range []string{f.Master(), f.List(), f.HubPassword()} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[path] = data
	}
	return all
}

func TestIssueAndRenew(t *testing.T) {
	f, master := Office{Folder: Folder(t.TempDir()), By: "test"}, testMaster(t)
	path := func(name string) string { return filepath.Join(string(f.Folder), name) }
	first := Request{Area: "310115", Collector: "c1", Note: "cabinet 7", Bundle: path("1.bundle")}
	issued, err := f.Issue(master, first)
	if err != nil || issued.Generation != 0x0100 {
		t.Fatalf("generation %#04x, %v; want 0x0100", issued.Generation, err)
	}
	wantMode(t, first.Bundle)
	again := first
	again.Bundle = path("2.bundle")
	if _, err := f.Issue(master, again); err == nil || !strings.Contains(err.Error(), "--renew") {
		t.Errorf("issued twice: %v, want a refusal that names --renew", err)
	}
	if _, err := os.Stat(again.Bundle); err == nil {
		t.Error("the refused request left a bundle")
	}
	again.Renew, again.Note = true, ""
	issued, err = f.Issue(master, again)
	if err != nil || issued.Generation != 0x0101 {
		t.Fatalf("renewed: generation %#04x, %v; want 0x0101", issued.Generation, err)
	}
	c, ok := mustLoad(t, f.Folder).Find("c1")
	if !ok || c.Generation != 0x0101 || c.Note != "cabinet 7" || c.Area != "310115" {
		t.Errorf("enrolled %+v", c)
	}
	old, fresh := mustBundle(t, first.Bundle), mustBundle(t, again.Bundle)
	if old.Key.Equal(fresh.Key.Secret) || old.BrokerPassword.Equal(fresh.BrokerPassword) {
		t.Error("the renewed bundle has the old key or password")
	}
	if fresh.Generation != c.Generation || fresh.BrokerUser != "c1" {
		t.Errorf("bundle %+v", fresh)
	}

	// A bundle in the way stops Issue before the list is changed.
	if _, err := f.Issue(master, again); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("bundle in the way: %v", err)
	}
	if c, _ := mustLoad(t, f.Folder).Find("c1"); c.Generation != 0x0101 {
		t.Errorf("the list has generation %#04x although no bundle was written", c.Generation)
	}
}

// A revoked collector keeps its place, and comes back with the next key, never
// with one that it had before.
func TestRevoke(t *testing.T) {
	f, master := Office{Folder: Folder(t.TempDir()), By: "test"}, testMaster(t)
	path := func(name string) string { return filepath.Join(string(f.Folder), name) }
	r := Request{Area: "310115", Collector: "c1", Note: "cabinet 7", Bundle: path("1.bundle")}
	if _, err := f.Issue(master, r); err != nil {
		t.Fatal(err)
	}
	before, _ := mustLoad(t, f.Folder).Find("c1")
	for range 2 {
		if err := f.Revoke("c1"); err != nil {
			t.Fatal(err)
		}
		want := before
		want.Revoked = true
		if got, ok := mustLoad(t, f.Folder).Find("c1"); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("revoked entry %+v, want %+v", got, want)
		}
	}
	if err := f.Revoke("c2"); err == nil || !strings.Contains(err.Error(), f.List()) {
		t.Errorf("revoke an unknown one: %v, want an error that names the list", err)
	}
	r.Bundle = path("2.bundle")
	if _, err := f.Issue(master, r); err == nil || !strings.Contains(err.Error(), "was revoked; --renew") {
		t.Errorf("issued again: %v, want a refusal that names --renew", err)
	}
	r.Renew = true
	if issued, err := f.Issue(master, r); err != nil || issued.Generation != 0x0101 {
		t.Errorf("renewed: generation %#04x, %v; want 0x0101", issued.Generation, err)
	}
	if c, ok := mustLoad(t, f.Folder).Find("c1"); !ok || c.Revoked || c.Note != "cabinet 7" {
		t.Errorf("renewed entry %+v", c)
	}
}

func mustBundle(t *testing.T, path string) seal.Bundle {
	t.Helper()
	b, err := seal.ReadBundle(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestIssueRefuses(t *testing.T) {
	f, master := Office{Folder: Folder(t.TempDir()), By: "test"}, testMaster(t)
	l := &List{}
	l.Put(Collector{ID: "old", Area: "310115", Generation: 0x01ff})
	if err := l.Save(f.List()); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]Request{
		"no id":      {Area: "310115"},
		"bad id":     {Area: "310115", Collector: "a b"},
		"bad area":   {Area: "3101", Collector: "c1"},
		"the hub":    {Area: "310115", Collector: HubUser},
		"used up":    {Area: "310115", Collector: "old", Renew: true},
		"no folder":  {Area: "310115", Collector: "c1", Bundle: filepath.Join(string(f.Folder), "nowhere", "b")},
		"no renewal": {Area: "310115", Collector: "old"},
	} {
		if r.Bundle == "" {
			r.Bundle = filepath.Join(string(f.Folder), "b")
		}
		if _, err := f.Issue(master, r); err == nil {
			t.Errorf("%s: issued", name)
		}
	}
	if got := mustLoad(t, f.Folder); len(got.Collectors) != 1 {
		t.Errorf("the list has %+v", got.Collectors)
	}
}

func TestRoundTrip(t *testing.T) {
	l := &List{HubUser: "hub", HubHash: "h"}
	for _, id := range []schemas.CollectorID{"b", "a", "b"} {
		l.Put(Collector{ID: id, Area: "310115", Generation: 0x0100, BrokerHash: "x", Note: "1: # ä"})
	}
	path := filepath.Join(t.TempDir(), "list.yaml")
	if err := l.Save(path); err != nil {
		t.Fatal(err)
	}
	wantMode(t, path)
	got, err := Load(path)
	if err != nil || !reflect.DeepEqual(got, l) || len(got.Collectors) != 2 || got.Collectors[0].ID != "a" {
		t.Errorf("read back %+v, %v; want %+v", got, err, l)
	}
	if empty, err := Load(path + ".absent"); err != nil || len(empty.Collectors) != 0 {
		t.Errorf("no file: %+v, %v; want an empty list", empty, err)
	}
}

func TestParseErrors(t *testing.T) {
	const good = "collectors:\n  - {id: c1, area: \"310115\", generation: 256, broker_hash: x}\n"
	if _, err := Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ text, want string }{
		"unknown key":     {good + "hubuser: x\n", "line 3: field hubuser not found"},
		"twice":           {good + good[len("collectors:\n"):], "collectors[1]: c1 is enrolled twice"},
		"bad id":          {strings.Replace(good, "c1", "c/1", 1), "collectors[0]"},
		"area as number":  {strings.Replace(good, `"310115"`, "3101", 1), "collectors[0]"},
		"generation":      {strings.Replace(good, "256", "1", 1), "--renew"},
		"the hub's name":  {strings.Replace(good, "c1", "hub", 1), "hub's own account"},
		"second document": {good + "---\ncollectors: []\n", "one YAML document"},
		"no YAML":         {"collectors: [", "line"},
	} {
		if _, err := Parse([]byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", name, err, tt.want)
		}
	}
	path := filepath.Join(t.TempDir(), "list.yaml")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v does not name the file", err)
	}
}

func TestAccess(t *testing.T) {
	hash, err := brokerconfig.HashPassword(brokerconfig.NewPassword())
	if err != nil {
		t.Fatal(err)
	}
	l := &List{}
	if _, err := l.Access(nil); err == nil || !strings.Contains(err.Error(), "keys init") {
		t.Errorf("without a hub account: %v, want the remedy", err)
	}
	l.HubUser, l.HubHash = HubUser, hash
	l.Put(Collector{ID: "c1", Area: "310115", Generation: 0x0100, BrokerHash: hash})
	l.Put(Collector{ID: "c2", Area: "310115", Generation: 0x0100, BrokerHash: hash, Revoked: true})
	access, err := l.Access([]schemas.AreaCode{"310115"})
	if err != nil {
		t.Fatal(err)
	}
	want := []brokerconfig.User{
		brokerconfig.HubUser(HubUser, []schemas.AreaCode{"310115"}, hash),
		brokerconfig.CollectorUser("310115", "c1", hash),
	}
	if err := access.Validate(); err != nil || !reflect.DeepEqual(access.Users, want) {
		t.Errorf("access %+v, %v; want %+v", access.Users, err, want)
	}
}

// FuzzParse: what is taken can be saved and read again to the same list.
func FuzzParse(f *testing.F) {
	f.Add([]byte("collectors:\n  - {id: c1, area: \"310115\", generation: 256, broker_hash: x, revoked: true, note: n}\nhub_user: hub\nhub_hash: h\n"))
	f.Add([]byte("---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := Parse(data)
		if err != nil {
			return
		}
		path := filepath.Join(t.TempDir(), "list.yaml")
		if err := l.Save(path); err != nil {
			t.Fatal(err)
		}
		again, err := Load(path)
		if err != nil || len(again.Collectors) != len(l.Collectors) || again.HubUser != l.HubUser {
			t.Fatalf("%+v is read again as %+v, %v", l, again, err)
		}
		for i := range l.Collectors {
			if !reflect.DeepEqual(again.Collectors[i], l.Collectors[i]) {
				t.Errorf("%+v is read again as %+v", l.Collectors[i], again.Collectors[i])
			}
		}
	})
}

// A key office that works as root leaves the folder to the hub, which could not read the
// list otherwise: a revocation would not be in force.
func TestRootLeavesTheFolderToItsOwner(t *testing.T) {
	if os.Geteuid() != 0 || runtime.GOOS == "windows" {
		t.Skip("only root can work in a folder of somebody else")
	}
	const hub = 1201
	folder := Folder(t.TempDir())
	if err := os.Chown(string(folder), hub, hub); err != nil {
		t.Fatal(err)
	}
	office := Office{Folder: folder, By: "root"}
	if err := office.Init("test", secret.New("a passphrase that is long"), seal.MinRounds); err != nil {
		t.Fatal(err)
	}
	master, err := seal.ReadMaster(folder.Master(), secret.New("a passphrase that is long"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := office.Issue(master, Request{Area: "310115", Collector: "c1", Bundle: filepath.Join(string(folder), "c1.bundle")}); err != nil {
		t.Fatal(err)
	}
	if err := office.Revoke("c1"); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(string(folder))
	if err != nil || len(entries) < 5 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if stat := reflect.ValueOf(info.Sys()).Elem(); stat.FieldByName("Uid").Uint() != hub || stat.FieldByName("Gid").Uint() != hub {
			t.Errorf("%s does not belong to the hub", e.Name())
		}
	}
}

// A folder is one of keys as long as it has the list or the log; what is wrong with it
// when one is gone is for the acts to say.
func TestCheckFolder(t *testing.T) {
	for name, has := range map[string][]func(Folder) string{
		"nothing": nil, "the list": {Folder.List}, "the log": {Folder.Audit}, "both": {Folder.List, Folder.Audit},
	} {
		folder := Folder(t.TempDir())
		for _, path := range has {
			if err := os.WriteFile(path(folder), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := folder.Check(); (err == nil) != (has != nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
