package accounts

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"citygrid/internal/pgtest"
	"citygrid/schemas"
)

var postgres = sync.OnceValues(pgtest.Start)

func TestMain(m *testing.M) {
	code := m.Run()
	if s, err := postgres(); err == nil {
		if err := s.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func engines(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, "sqlite:"+filepath.Join(t.TempDir(), "accounts.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, pgtest.Need(t, postgres)) })
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func want(tb testing.TB, err, target error) {
	tb.Helper()
	if !errors.Is(err, target) {
		tb.Fatalf("got error %v, want %v", err, target)
	}
}

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// cheap keeps tests quick; BenchmarkSignIn has the cost of a hub.
var cheap = HashCost{MemoryKiB: 64, Passes: 1, Lanes: 1}

var (
	here  = netip.MustParseAddr("192.0.2.7")
	there = netip.MustParseAddr("198.51.100.9")
)

const (
	good  = "four green bicycles"
	other = "seven slow trains"
)

type hub struct {
	*Accounts
	*clock
	tb  testing.TB
	dsn string
}

func openHub(tb testing.TB, dsn string, o Options) *hub {
	tb.Helper()
	h := &hub{clock: &clock{t: time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)}, tb: tb, dsn: dsn}
	setDefault(&o.Hash, cheap)
	o.Now = h.now
	a, err := Open(tb.Context(), dsn, o)
	must(tb, err)
	h.Accounts = a
	tb.Cleanup(func() { must(tb, h.Accounts.Close()) })
	return h
}

// reopen is a restart of the hub.
func (h *hub) reopen(o Options) {
	h.tb.Helper()
	must(h.tb, h.Accounts.Close())
	setDefault(&o.Hash, cheap)
	o.Now = h.now
	a, err := Open(h.tb.Context(), h.dsn, o)
	must(h.tb, err)
	h.Accounts = a
}

func (h *hub) ctx() context.Context { return h.tb.Context() }

// admin sets up the administrator root and signs them in.
func (h *hub) admin() SignedIn {
	h.tb.Helper()
	code, err := h.SetUpCode(h.ctx())
	must(h.tb, err)
	_, err = h.SetUp(h.ctx(), string(code.Code.Reveal()), NewPerson{ID: "root"}, good, here)
	must(h.tb, err)
	return h.in("root", good)
}

func (h *hub) in(name, password string) SignedIn {
	h.tb.Helper()
	in, err := h.SignIn(h.ctx(), SignIn{Name: name, Password: password, From: here})
	must(h.tb, err)
	return in
}

// person enters somebody with a password.
func (h *hub) person(by Access, p NewPerson, password string) Person {
	h.tb.Helper()
	added, err := h.Add(h.ctx(), by, p)
	must(h.tb, err)
	code, err := h.Invite(h.ctx(), by, added.Key)
	must(h.tb, err)
	must(h.tb, h.Redeem(h.ctx(), string(code.Code.Reveal()), password, here))
	return added
}

func (h *hub) acts() (acts []Act) {
	h.tb.Helper()
	list, err := h.Audit(h.ctx(), 0, MaxEntries)
	must(h.tb, err)
	for _, e := range slices.Backward(list) {
		acts = append(acts, e.Act)
	}
	return acts
}

var clerk = NewPerson{ID: "zhang.san", Name: "张三", Roles: []Role{Clerk}, Utilities: []schemas.Medium{schemas.Water}}
