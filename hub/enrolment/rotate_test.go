package enrolment

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	brokerconfig "citygrid/broker-config"
	"citygrid/internal/secret"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

var testDay = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// testOffice is a key folder with collectors, whose clock the test moves.
type testOffice struct {
	Office
	t      *testing.T
	clock  time.Time
	master *seal.Master // the active one
	ring   []*seal.Master
}

func newTestOffice(t *testing.T, ids ...schemas.CollectorID) *testOffice {
	t.Helper()
	w := &testOffice{t: t, clock: testDay, master: testMaster(t)}
	w.ring = []*seal.Master{w.master}
	w.Office = Office{Folder: Folder(t.TempDir()), By: "anna", Now: func() time.Time { return w.clock }}
	for _, id := range ids {
		if _, err := w.Issue(w.master, Request{Area: "310115", Collector: id, Bundle: w.path(id, 0)}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *testOffice) path(id schemas.CollectorID, n int) string {
	return filepath.Join(string(w.Folder), fmt.Sprintf("%s-%d.bundle", id, n))
}

// rotate rotates collectors and returns their new bundles.
func (w *testOffice) rotate(n int, grace time.Duration, compromised bool, ids ...schemas.CollectorID) []seal.Bundle {
	w.t.Helper()
	issued, err := w.Rotate(w.master, Rotation{Collectors: ids, Grace: grace, Compromised: compromised,
		Bundle: func(id schemas.CollectorID, _ uint16) string { return w.path(id, n) }})
	if err != nil {
		w.t.Fatal(err)
	}
	var out []seal.Bundle
	for _, i := range issued {
		b, err := seal.ReadIssued(i.Bundle)
		if err != nil || b.Generation != i.Generation || seal.CheckValue(b.Key.Secret) != i.Key {
			w.t.Fatalf("issued %+v, bundle %+v, %v", i, b, err)
		}
		out = append(out, b)
	}
	return out
}

// nextMaster makes the next master key active.
func (w *testOffice) nextMaster() {
	w.t.Helper()
	m, err := w.NewMaster(w.have(), func(generation uint8) (*seal.Master, error) {
		return seal.NewMaster("test", generation, rand.Reader)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.master, w.ring = m, append(w.ring, m)
}

// have is the master keys in use.
func (w *testOffice) have() *seal.Ring {
	w.t.Helper()
	ring, err := seal.NewRing(w.ring...)
	if err != nil {
		w.t.Fatal(err)
	}
	return ring
}

// A key service that ignores the generation would rotate to the same key.
func TestNewMasterRefusesTheSameKey(t *testing.T) {
	w := newTestOffice(t, "c1")
	w.nextMaster()
	before, _ := os.ReadFile(w.List())
	for _, old := range w.ring {
		_, err := w.NewMaster(w.have(), func(generation uint8) (*seal.Master, error) {
			return &seal.Master{Tenant: "test", Generation: generation, Secret: old.Secret}, nil
		})
		if err == nil || !strings.Contains(err.Error(), "are the same") {
			t.Errorf("master key %d again: %v", old.Generation, err)
		}
	}
	if after, _ := os.ReadFile(w.List()); !bytes.Equal(before, after) {
		t.Error("a refused master key changed the list")
	}
}

func (w *testOffice) list() *List { return mustLoad(w.t, w.Folder) }

// admits holds Admit to a code for each generation; "" for admitted.
func (w *testOffice) admits(id schemas.CollectorID, want map[uint16]seal.Code) {
	w.t.Helper()
	l := w.list()
	for generation, code := range want {
		var e *seal.Error
		err := l.Admit(id, generation, w.clock)
		if code == "" && err != nil || code != "" && (!errors.As(err, &e) || e.Code != code) {
			w.t.Errorf("%s under %#04x: %v, want %q", id, generation, err, code)
		}
	}
}

// A rotated key opens until its date, and the broker notices nothing: no connection
// ends, and the old password goes on.
func TestRotate(t *testing.T) {
	w := newTestOffice(t, "c1", "c2")
	before := w.list()
	old := mustBundle(t, w.path("c1", 0))
	next := w.rotate(1, time.Hour, false, "c1")[0]
	if !next.BrokerPassword.IsZero() || next.Generation != 0x0101 || next.Key.Equal(old.Key.Secret) {
		t.Errorf("bundle %+v", next)
	}
	if placed, err := next.Succeed(&old); err != nil || !placed.BrokerPassword.Equal(old.BrokerPassword) {
		t.Errorf("in the box: %+v, %v", placed, err)
	}
	w.admits("c1", map[uint16]seal.Code{0x0101: "", 0x0100: "", 0x0102: seal.GenerationUnknown, 0x0200: seal.GenerationUnknown})
	w.admits("c3", map[uint16]seal.Code{0x0100: seal.DeviceUnknown})
	after := w.list()
	if c, _ := after.Find("c2"); !reflect.DeepEqual(c, mustFind(t, before, "c2")) {
		t.Errorf("another collector changed: %+v", c)
	}
	a, errA := before.withHub().Access(nil)
	b, errB := after.withHub().Access(nil)
	if errA != nil || errB != nil || !reflect.DeepEqual(a, b) {
		t.Errorf("the broker's access changed: %+v, %+v", a, b)
	}
	w.rotate(2, time.Hour, false, "c1")
	w.admits("c1", map[uint16]seal.Code{0x0102: "", 0x0101: "", 0x0100: ""})
	w.clock = w.clock.Add(time.Hour)
	w.admits("c1", map[uint16]seal.Code{0x0102: "", 0x0101: seal.GenerationRetired, 0x0100: seal.GenerationRetired})
	if n, err := w.Extend("c1", time.Hour); err != nil || n != 2 {
		t.Errorf("extended %d, %v", n, err)
	}
	w.admits("c1", map[uint16]seal.Code{0x0101: "", 0x0100: ""})
	if n, err := w.Destroy("c1"); err != nil || n != 2 {
		t.Errorf("destroyed %d, %v", n, err)
	}
	if n, err := w.Extend("c1", time.Hour); err != nil || n != 0 {
		t.Errorf("a destroyed key was extended: %d, %v", n, err)
	}
	w.admits("c1", map[uint16]seal.Code{0x0102: "", 0x0101: seal.GenerationRetired, 0x0100: seal.GenerationRetired})
}

func (l *List) withHub() *List {
	l.HubUser = HubUser
	return l
}

func mustFind(t *testing.T, l *List, id schemas.CollectorID) Collector {
	t.Helper()
	c, ok := l.Find(id)
	if !ok {
		t.Fatalf("no %s", id)
	}
	return c
}

// One box that was opened by somebody is re-keyed alone: its keys and its password
// end at once, and nobody else's anything changes.
func TestRotateCompromised(t *testing.T) {
	w := newTestOffice(t, "c1", "c2", "c3")
	w.rotate(1, time.Hour, false, "c1", "c2")
	before := w.list()
	next := w.rotate(2, time.Hour, true, "c1")[0]
	w.admits("c1", map[uint16]seal.Code{0x0102: "", 0x0101: seal.GenerationRetired, 0x0100: seal.GenerationRetired})
	w.admits("c2", map[uint16]seal.Code{0x0101: "", 0x0100: ""})
	after := w.list()
	for _, id := range []schemas.CollectorID{"c2", "c3"} {
		if got, want := mustFind(t, after, id), mustFind(t, before, id); !reflect.DeepEqual(got, want) {
			t.Errorf("%s changed: %+v, was %+v", id, got, want)
		}
	}
	c := mustFind(t, after, "c1")
	old := mustBundle(t, w.path("c1", 0))
	if brokerconfig.CheckPassword(c.BrokerHash, string(old.BrokerPassword.Reveal())) {
		t.Error("the old password still opens the broker")
	}
	if !brokerconfig.CheckPassword(c.BrokerHash, string(next.BrokerPassword.Reveal())) {
		t.Error("the new password does not open the broker")
	}
	if n, err := w.Extend("c1", time.Hour); err != nil || n != 0 {
		t.Errorf("a key that somebody else has was extended: %d, %v", n, err)
	}
}

func TestRotateRefuses(t *testing.T) {
	w := newTestOffice(t, "c1", "c2")
	if err := w.Revoke("c2"); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(w.List())
	for name, ids := range map[string][]schemas.CollectorID{
		"unknown": {"c1", "c9"}, "revoked": {"c1", "c2"}, "twice": {"c1", "c1"},
	} {
		_, err := w.Rotate(w.master, Rotation{Collectors: ids, Bundle: w.byGeneration})
		if err == nil {
			t.Errorf("%s: rotated", name)
		}
		if left, _ := filepath.Glob(w.byGeneration("*", 0x0101)); len(left) > 0 {
			t.Errorf("%s: a refused rotation left %v", name, left)
		}
	}
	if after, _ := os.ReadFile(w.List()); !bytes.Equal(before, after) {
		t.Error("a refused rotation changed the list")
	}
	w.nextMaster()
	if _, err := w.Rotate(w.ring[0], Rotation{Collectors: []schemas.CollectorID{"c1"}, Bundle: func(id schemas.CollectorID, _ uint16) string { return w.path(id, 1) }}); err == nil || !strings.Contains(err.Error(), "master key 2, not of 1") {
		t.Errorf("rotated to an old master key: %v", err)
	}
}

// byGeneration is a Rotation.Bundle.
func (w *testOffice) byGeneration(id schemas.CollectorID, generation uint16) string {
	return filepath.Join(string(w.Folder), fmt.Sprintf("%s-%04x.bundle", id, generation))
}

// What would stop a rotation of the master key is found before the new one is active.
func TestCheckNextMaster(t *testing.T) {
	w := newTestOffice(t, "c1", "c2", "c3")
	if err := w.Revoke("c3"); err != nil {
		t.Fatal(err)
	}
	all := Rotation{Bundle: w.byGeneration}
	if err := w.CheckNextMaster(all); err != nil {
		t.Errorf("nothing is in the way: %v", err)
	}
	in := w.byGeneration("c2", 0x0200)
	if err := os.WriteFile(in, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	nowhere := func(schemas.CollectorID, uint16) string { return filepath.Join(string(w.Folder), "absent", "f") }
	for want, r := range map[string]Rotation{
		in:                all,
		"is revoked":      {Collectors: []schemas.CollectorID{"c1", "c3"}, Bundle: w.byGeneration},
		`no collector "x`: {Collectors: []schemas.CollectorID{"x"}, Bundle: w.byGeneration},
		"absent":          {Bundle: nowhere},
	} {
		if err := w.CheckNextMaster(r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
	w.nextMaster()
	if _, err := w.Rotate(w.master, Rotation{Collectors: []schemas.CollectorID{"c2"}, Bundle: w.byGeneration}); err == nil {
		t.Errorf("%s was not where the rotation writes", in)
	}
}

// The master key is rotated in portions; the old one goes when nobody needs it.
func TestRotateMaster(t *testing.T) {
	w := newTestOffice(t, "c1", "c2", "c3")
	if err := w.Revoke("c3"); err != nil {
		t.Fatal(err)
	}
	w.nextMaster()
	if got := w.list(); got.ActiveMaster() != 2 || !reflect.DeepEqual(got.MastersInUse(), []uint8{1, 2}) || !reflect.DeepEqual(got.Behind(), []schemas.CollectorID{"c1", "c2"}) {
		t.Errorf("masters %+v, behind %v", got.Masters, got.Behind())
	}
	w.admits("c1", map[uint16]seal.Code{0x0100: ""})
	w.rotate(1, time.Hour, false, "c1")
	w.admits("c1", map[uint16]seal.Code{0x0200: "", 0x0100: ""})
	w.admits("c2", map[uint16]seal.Code{0x0100: "", 0x0200: seal.GenerationUnknown})
	erased := 0
	erase := func() error { erased++; return nil }
	refused := func(generation uint8, want string) {
		t.Helper()
		if err := w.DestroyMaster(generation, false, erase); err == nil || !strings.Contains(err.Error(), want) || erased > 0 {
			t.Errorf("destroyed %d: %v, want %q", generation, err, want)
		}
	}
	refused(1, "2 collectors need master key 1 (c1, c2)")
	refused(2, "is the active one")
	refused(3, "no master key of generation 3")
	w.rotate(1, time.Hour, false, "c2")
	refused(1, "(c1, c2)")
	w.clock = w.clock.Add(time.Hour)
	for range 2 { // a second time, where the first was cut short before the file was erased
		if err := w.DestroyMaster(1, false, erase); err != nil {
			t.Fatal(err)
		}
	}
	if erased != 2 {
		t.Errorf("erased %d times", erased)
	}
	w.admits("c1", map[uint16]seal.Code{0x0200: "", 0x0100: seal.GenerationRetired})
	if got := w.list(); !reflect.DeepEqual(got.MastersInUse(), []uint8{2}) {
		t.Errorf("in use %v", got.MastersInUse())
	}
	// A new collector, and one that comes back, have keys of the active one.
	for id, renew := range map[schemas.CollectorID]bool{"c4": false, "c3": true} {
		issued, err := w.Issue(w.master, Request{Area: "310115", Collector: id, Renew: renew, Bundle: w.path(id, 9)})
		if err != nil || issued.Generation != 0x0200 {
			t.Errorf("%s: %+v, %v", id, issued, err)
		}
	}
}

// Force destroys a master key under a collector: what it sends is refused.
func TestDestroyMasterForced(t *testing.T) {
	w := newTestOffice(t, "c1")
	w.nextMaster()
	if err := w.DestroyMaster(1, true, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	w.admits("c1", map[uint16]seal.Code{0x0100: seal.GenerationRetired})
	log, err := w.ReadAudit(Head{})
	if err != nil || !strings.Contains(log.Entries[len(log.Entries)-1].Note, "c1") {
		t.Errorf("the log does not say who needed it: %+v, %v", log, err)
	}
}

// The sealed file of a new master key survives a run that was cut short, and goes
// when it is destroyed.
func TestSealedMasters(t *testing.T) {
	f := Folder(t.TempDir())
	pass := secret.New("passphrase")
	first, err := f.DrawSealed("test", pass, seal.MinRounds)(2)
	if err != nil {
		t.Fatal(err)
	}
	again, err := f.DrawSealed("test", pass, seal.MinRounds)(2)
	if err != nil || !again.Equal(first.Secret) {
		t.Errorf("drawn anew over a file that lay there: %v", err)
	}
	if MasterFile(f.Master(), 1) != f.Master() || MasterFile(f.Master(), 2) != filepath.Join(string(f), "master-2.key") {
		t.Error("paths of the master keys")
	}
	list := &List{Masters: []MasterKey{{1, Destroyed}, {2, Active}}}
	files := SealedFiles{First: f.Master(), Passphrase: pass}
	ring, err := OpenRing(t.Context(), list, files, nil)
	if err != nil || !ring.Master(2).Equal(first.Secret) {
		t.Fatalf("ring %v, %v", ring, err)
	}
	if err := f.EraseMaster(2); err != nil {
		t.Fatal(err)
	}
	if again, err := OpenRing(t.Context(), list, files, ring); err != nil || again.Master(2) != ring.Master(2) {
		t.Errorf("asked again for a key that was there: %v", err)
	}
	if _, err := OpenRing(t.Context(), list, files, nil); err == nil || !strings.Contains(err.Error(), "keys rotate --master") {
		t.Errorf("without its file: %v", err)
	}
}

// A list from before the states loads as it is, and is saved without them.
func TestTodaysList(t *testing.T) {
	const today = `collectors:
    - id: c1
      area: "310115"
      generation: 258
      broker_hash: x
      note: cabinet
    - id: c2
      area: "310115"
      generation: 256
      broker_hash: z
      revoked: true
hub_user: hub
hub_hash: h
`
	l, err := Parse([]byte(today))
	if err != nil || l.ActiveMaster() != 1 || !reflect.DeepEqual(l.MastersInUse(), []uint8{1}) {
		t.Fatalf("%+v, %v", l, err)
	}
	for generation, want := range map[uint16]bool{0x0102: true, 0x0101: false, 0x0103: false} {
		if got := l.Admit("c1", generation, testDay) == nil; got != want {
			t.Errorf("%#04x admitted: %v", generation, got)
		}
	}
	path := filepath.Join(t.TempDir(), "list.yaml")
	if err := l.Save(path); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != today {
		t.Errorf("saved as\n%s", got)
	}
}

func TestParseStates(t *testing.T) {
	const good = `collectors:
  - {id: c1, area: "310115", generation: 513, broker_hash: x, old: [{generation: 512, state: decrypt_only, until: 2026-12-01T00:00:00Z}, {generation: 256, state: destroyed}]}
masters: [{generation: 1, state: destroyed}, {generation: 2, state: active}]
audit: {entries: 3, last: ab}
`
	if _, err := Parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string][3]string{
		"two active":      {"state: destroyed}, {generation: 2", "state: active}, {generation: 2", "masters[0]"},
		"none active":     {"{generation: 2, state: active}", "{generation: 2, state: decrypt_only}", "masters[1]"},
		"falling":         {"[{generation: 1,", "[{generation: 3,", "masters[1]"},
		"beyond":          {"generation: 513", "generation: 769", "not listed"},
		"old not earlier": {"[{generation: 512", "[{generation: 513", "that fall"},
		"old active":      {"decrypt_only", "active", "state"},
		"old zero":        {"{generation: 256, state", "{generation: 1, state", "that fall"},
		"unknown key":     {"entries: 3", "entries: 3, first: x", "first"},
	} {
		text := strings.Replace(good, tt[0], tt[1], 1)
		if text == good {
			t.Fatalf("%s: the row changes nothing", name)
		}
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), tt[2]) {
			t.Errorf("%s: error %v, want %q", name, err, tt[2])
		}
	}
}
