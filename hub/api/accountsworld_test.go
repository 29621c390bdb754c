package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"citygrid/hub/accounts"
	"citygrid/schemas"
)

const (
	rootPassword  = "four green bicycles"
	otherPassword = "seven slow trains run"
	home          = "http://127.0.0.1:8080"
)

// guardedHub is one with accounts and every part of the face.
type guardedHub struct {
	http.Handler
	book *accounts.Accounts
	root accounts.Access
	mu   sync.Mutex
	at   time.Time
	real bool // the clock is the machine's, for browsers
}

func (h *guardedHub) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.real {
		return time.Now()
	}
	return h.at
}

func (h *guardedHub) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = h.at.Add(d)
}

// openHub returns a hub whose administrator root has been set up; change may alter what
// the face is made of.
func openHub(t testing.TB, change func(*Options)) *guardedHub {
	t.Helper()
	h := newHub(t, change)
	code, err := h.book.SetUpCode(t.Context())
	noError(t, err)
	_, err = h.book.SetUp(t.Context(), string(code.Code.Reveal()), accounts.NewPerson{ID: "root"}, rootPassword, fromHere)
	noError(t, err)
	in, err := h.book.SignIn(t.Context(), accounts.SignIn{Name: "root", Password: rootPassword, From: fromHere})
	noError(t, err)
	h.root = in.Access
	return h
}

// newHub returns a hub that has not been set up.
func newHub(t testing.TB, change func(*Options)) *guardedHub {
	t.Helper()
	h := &guardedHub{at: monday}
	var err error
	h.book, err = accounts.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "accounts.db"), accounts.Options{Now: h.now, Hash: accounts.HashCost{MemoryKiB: 64, Passes: 1, Lanes: 1}})
	noError(t, err)
	t.Cleanup(func() { noError(t, h.book.Close()) })
	o := testOptions()
	openTown(t, func(c *Cases) { o.Cases = c })
	m := &memoryLedger{doc: emptyStatement(t)}
	o.Ledger = &Ledger{Auth: people(t), Files: m, Runner: m, Runs: m, Differences: m, Register: m}
	o.Registry = &Registry{Auth: o.Cases.Auth}
	o.Accounts, o.Now = &Accounts{Book: h.book}, h.now
	if change != nil {
		change(&o)
	}
	h.Handler, err = New(o)
	noError(t, err)
	return h
}

var fromHere = parseTestAddr("192.0.2.7")

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// person enters somebody with a password.
func (h *guardedHub) person(t testing.TB, id string, roles ...accounts.Role) accounts.Person {
	t.Helper()
	n := accounts.NewPerson{ID: id, Roles: roles}
	if slices.Contains(roles, accounts.Department) {
		n.Department = "water-works"
	}
	if len(n.Only(accounts.LedgerRoles())) > 0 {
		n.Utilities = []schemas.Medium{schemas.Water}
	}
	p, err := h.book.Add(t.Context(), h.root, n)
	noError(t, err)
	code, err := h.book.Invite(t.Context(), h.root, p.Key)
	noError(t, err)
	noError(t, h.book.Redeem(t.Context(), string(code.Code.Reveal()), otherPassword, fromHere))
	return p
}

// browser is a browser with its cookies.
type browser struct {
	h       *guardedHub
	home    string
	from    string
	cookies map[string]*http.Cookie
	header  map[string]string
}

func (h *guardedHub) browser() *browser {
	return &browser{h: h, home: home, from: "192.0.2.7:999", cookies: map[string]*http.Cookie{}, header: map[string]string{}}
}

// program is one with a token.
func (h *guardedHub) program(token string) *browser {
	b := h.browser()
	b.header["Authorization"] = "Bearer " + token
	return b
}

func (b *browser) do(method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, b.home+path, strings.NewReader(body))
	r.RemoteAddr = b.from
	r.TLS = nil // a proxy has ended it
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, c := range b.cookies {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	for k, v := range b.header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	b.h.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if b.cookies[c.Name] = c; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return w
}

// want asks and holds the answer to a status and, where it is not empty, a code.
func (b *browser) want(t testing.TB, method, path, body string, status int, code string) *httptest.ResponseRecorder {
	t.Helper()
	w := b.do(method, path, body)
	if w.Code != status || code != "" && codeOf(t, w) != code {
		t.Fatalf("%s %s: %d %s, want %d %s", method, path, w.Code, w.Body, status, code)
	}
	return w
}

func (b *browser) signIn(t testing.TB, name, password string) *browser {
	t.Helper()
	b.want(t, "POST", "/api/v1/session", jsonOf(t, map[string]string{"name": name, "password": password}), 200, "")
	return b
}

func (b *browser) session(t *testing.T) (s SessionJSON) {
	t.Helper()
	w := b.want(t, "GET", "/api/v1/session", "", 200, "")
	noError(t, json.Unmarshal(w.Body.Bytes(), &s))
	return s
}

func jsonOf(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	noError(t, err)
	return string(data)
}
