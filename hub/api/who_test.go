package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"citygrid/hub/accounts"
)

// Who may ask, in the words of the table below. Beside them stand roles by name.
const (
	anybody   = "anybody"
	known     = "known"
	staffOnly = "staff"
	books     = "clerk reviewer approver"
	caseWork  = "inspector acceptor shift_leader dispatcher department admin"
	caseDoers = "inspector acceptor shift_leader dispatcher department"
	signedIn  = "signed in" // known, and not by a token
	ownTokens = "signed in or admin"
)

// audiences says of every operation of the contract who gets past the guards. A name that
// ends in * stands for all below it that are not named; a new question there is for whom
// it says, and everything else that is new needs a line of its own.
func audiences() map[string]string {
	return map[string]string{
		"GET /api/v1/session": anybody, "POST /api/v1/session": anybody, "DELETE /api/v1/session": anybody,
		"GET /api/v1/session/oidc/start": anybody, "GET /api/v1/session/oidc/callback": anybody, "POST /api/v1/set-up": anybody, "POST /api/v1/invitations/redeem": anybody,
		"GET /api/v1/codes/*": anybody, "GET /api/v1/quantities": anybody, "GET /api/v1/version": anybody,

		"GET /api/v1/map": known, "GET /api/v1/map/*": known, "GET /api/v1/city/*": known, "GET /api/v1/indicators": known, "GET /api/v1/exports/indicators": known,

		"GET /api/v1/meters": staffOnly, "GET /api/v1/meters/*": staffOnly, "GET /api/v1/collectors": staffOnly, "GET /api/v1/collectors/*": staffOnly,
		"GET /api/v1/flow": staffOnly, "GET /api/v1/stream": staffOnly, "GET /api/v1/gaps": staffOnly, "GET /api/v1/completeness": staffOnly,
		"GET /api/v1/areas": staffOnly, "GET /api/v1/areas/*": staffOnly, "GET /api/v1/cells": staffOnly, "GET /api/v1/cells/*": staffOnly, "GET /api/v1/cells.geojson": staffOnly,
		"GET /api/v1/components": staffOnly, "GET /api/v1/components/*": staffOnly, "GET /api/v1/departments": staffOnly, "GET /api/v1/duties": staffOnly,
		"GET /api/v1/meter-links": staffOnly, "GET /api/v1/people": staffOnly, "GET /api/v1/where": staffOnly, "GET /api/v1/registry/*": staffOnly,
		"POST /api/v1/registry/imports": "admin",

		"GET /api/v1/me": caseWork, "GET /api/v1/cases": caseWork, "GET /api/v1/cases/*": caseWork, "GET /api/v1/similar-cases": caseWork, "GET /api/v1/inbox": caseWork,
		"GET /api/v1/exports/*": caseWork, "GET /api/v1/exports/differences": books, "GET /api/v1/media/*": caseWork, "GET /api/v1/inspect/*": "inspector", "GET /api/v1/uploads/*": caseWork,
		"GET /api/v1/cases/{id}/petitioner": "acceptor shift_leader", "DELETE /api/v1/cases/{id}/petitioner": "admin",
		"POST /api/v1/cases": "inspector acceptor", "PUT /api/v1/reports/{client_id}": "inspector acceptor", "POST /api/v1/cases/{id}/acts": caseDoers, "POST /api/v1/acts/batch": caseDoers,
		"POST /api/v1/media": caseDoers, "PUT /api/v1/media/{sm3}": caseDoers,

		"GET /api/v1/ledger/*": books, "POST /api/v1/ledger/imports": "clerk", "POST /api/v1/ledger/runs": "clerk", "POST /api/v1/ledger/bills": "reviewer",
		"POST /api/v1/ledger/decisions": books, "POST /api/v1/ledger/clearing/files": "clerk", "POST /api/v1/ledger/clearing/made": "reviewer approver", "POST /api/v1/ledger/sts/parse": books,
		"POST /api/v1/ledger/day-closings": "approver", "POST /api/v1/ledger/file-checks": "clerk",

		"POST /api/v1/accounts/password": signedIn, "GET /api/v1/accounts/sessions": signedIn, "DELETE /api/v1/accounts/sessions": signedIn,
		"GET /api/v1/accounts/tokens": ownTokens, "POST /api/v1/accounts/tokens": signedIn, "DELETE /api/v1/accounts/tokens/{id}": ownTokens,
		"GET /api/v1/accounts/people": "admin", "POST /api/v1/accounts/people": "admin", "PUT /api/v1/accounts/people/{key}": "admin",
		"POST /api/v1/accounts/people/{key}/invite": "admin", "POST /api/v1/accounts/people/{key}/disable": "admin", "POST /api/v1/accounts/people/{key}/enable": "admin",
		"POST /api/v1/accounts/people/{key}/forget": "admin", "POST /api/v1/accounts/people/{key}/sign-out": "admin",
		"GET /api/v1/accounts/audit": "admin", "GET /api/v1/accounts/audit/check": "admin",
	}
}

// audienceIn looks an operation up: by itself, or by the longest beginning that has it.
func audienceIn(table map[string]string, op string) (string, bool) {
	if who, ok := table[op]; ok {
		return who, true
	}
	best := ""
	for name := range table {
		if begin, ok := strings.CutSuffix(name, "*"); ok && strings.HasPrefix(op, begin) && len(name) > len(best) {
			best = name
		}
	}
	return table[best], best != ""
}

// asker is somebody of the table: what roles count, and how they ask.
type asker struct {
	name    string
	roles   []string // none: not known
	program bool
	*browser
}

// gets is what an asker gets from an operation: "in", "nobody" or "role".
func (a *asker) gets(who string) string {
	if who == anybody {
		return "in"
	}
	if len(a.roles) == 0 {
		return "nobody"
	}
	admin := slices.Contains(a.roles, "admin")
	var in bool
	switch who {
	case known:
		in = true
	case staffOnly:
		in = !slices.Equal(a.roles, []string{"viewer"})
	case signedIn:
		in = !a.program
	case ownTokens:
		in = !a.program || admin
	default:
		in = slices.ContainsFunc(a.roles, func(r string) bool { return slices.Contains(strings.Fields(who), r) })
	}
	if in {
		return "in"
	}
	return "role"
}

// answerClass asks and says how far it came. A handler that misses a part of this test's
// hub is behind the guards.
func answerClass(b *browser, method, path string) (class string) {
	defer func() {
		if recover() != nil {
			class = "in"
		}
	}()
	w := b.do(method, path, "")
	var p Problem
	_ = json.Unmarshal(w.Body.Bytes(), &p)
	switch {
	case w.Code == 401 && p.Code == codeNobody:
		return "nobody"
	case w.Code == 403 && (p.Code == codeRole || p.Code == codeSession):
		return "role"
	case w.Code == 403 && p.Code == codeTour:
		return "tour"
	}
	return "in"
}

func operations(t testing.TB, b *browser) (ops []string) {
	t.Helper()
	var doc struct{ Paths map[string]map[string]any }
	noError(t, yaml.Unmarshal(b.want(t, "GET", "/api/v1/openapi.yaml", "", 200, "").Body.Bytes(), &doc))
	for path, methods := range doc.Paths {
		for m := range methods {
			ops = append(ops, strings.ToUpper(m)+" "+path)
		}
	}
	sort.Strings(ops)
	if len(ops) < 60 {
		t.Fatalf("%d operations", len(ops))
	}
	return ops
}

// target fills the parameters of a path so that no handler does anything: the guards come
// before the parameters are looked at.
func target(path string) string {
	for name, value := range map[string]string{"{key}": "0", "{id}": "0", "{code}": "!", "{client_id}": "!", "{sm3}": "!", "{name}": "!", "{version}": "!"} {
		path = strings.ReplaceAll(path, name, value)
	}
	return path + "?no_such_parameter=1"
}

// askers are somebody with each role alone, and everybody who must not get in.
func askers(t *testing.T, h *guardedHub) (list []asker) {
	t.Helper()
	for _, r := range accounts.Roles() {
		p := h.person(t, "only-"+string(r), r)
		list = append(list, asker{name: string(r), roles: []string{string(r)}, browser: h.browser().signIn(t, p.ID, otherPassword)})
	}
	both := h.person(t, "both", accounts.Viewer, accounts.Reviewer)
	list = append(list, asker{name: "viewer and reviewer", roles: []string{"viewer", "reviewer"}, browser: h.browser().signIn(t, both.ID, otherPassword)})
	for _, r := range []accounts.Role{accounts.Admin, accounts.Clerk, accounts.Viewer} { // of a person who has more
		p := h.person(t, "program-"+string(r), accounts.Clerk, accounts.Admin, accounts.Viewer)
		in, err := h.book.SignIn(t.Context(), accounts.SignIn{Name: p.ID, Password: otherPassword, From: fromHere})
		noError(t, err)
		_, token, err := h.book.DrawToken(t.Context(), in.Access, p.Key, accounts.NewToken{Name: "x", Roles: []accounts.Role{r}, EndsAt: h.now().Add(time.Hour)})
		noError(t, err)
		list = append(list, asker{name: "token of " + string(r), roles: []string{string(r)}, program: true, browser: h.program(string(token.Reveal()))})
	}
	changed := h.person(t, "changed", accounts.Admin)
	session := h.browser().signIn(t, changed.ID, otherPassword)
	noError(t, h.book.Change(t.Context(), h.root, changed.Key, accounts.Rights{Roles: []accounts.Role{accounts.Viewer}}))
	list = append(list, asker{name: "an administrator until now", roles: []string{"viewer"}, browser: session})
	disabled := h.person(t, "disabled", accounts.Admin)
	kept := h.browser().signIn(t, disabled.ID, otherPassword)
	noError(t, h.book.Disable(t.Context(), h.root, disabled.Key))
	return append(list, asker{name: "disabled", browser: kept}, asker{name: "nobody", browser: h.browser()},
		asker{name: "a wrong token", browser: h.program("nonsense")}, asker{name: "a token of the configuration that is not imported", browser: h.program("token-of-clerk")})
}

// TestWhoMayAsk asks for every operation of the contract as everybody.
func TestWhoMayAsk(t *testing.T) {
	h := openHub(t, nil)
	table := audiences()
	people := askers(t, h)
	for _, op := range operations(t, h.browser().signIn(t, "root", rootPassword)) {
		who, ok := audienceIn(table, op)
		if !ok {
			t.Errorf("%s: nobody has said who may; add it to audiences", op)
			continue
		}
		method, path, _ := strings.Cut(op, " ")
		if op == "DELETE /api/v1/session" {
			continue // it would end them; TestSignOut has it
		}
		for n := range people {
			a := &people[n]
			if got, want := answerClass(a.browser, method, target(path)), a.gets(who); got != want {
				t.Errorf("%s as %s: %s, want %s", op, a.name, got, want)
			}
		}
	}
}

// TestTour asks for every operation as a visitor of a tour: everything can be read but
// the accounts and who reported things, and nothing written.
func TestTour(t *testing.T) {
	h := openHub(t, func(o *Options) { o.Accounts.Tour = true })
	h.person(t, "ins", accounts.Inspector)
	tour := h.browser()
	if s := tour.session(t); s.State != "tour" || !s.ReadOnly || s.Person.SessionPersonJSON != nil {
		t.Fatalf("%+v", s)
	}
	before, err := h.book.CheckAudit(t.Context(), accounts.Head{})
	noError(t, err)
	for _, op := range operations(t, tour) {
		method, path, _ := strings.Cut(op, " ")
		who, _ := audienceIn(audiences(), op)
		want := "in"
		switch {
		case who == anybody:
		case method != "GET":
			want = "tour"
		case strings.HasPrefix(path, "/api/v1/accounts/"), strings.HasSuffix(path, "/petitioner"):
			want = "role"
		}
		if got := answerClass(tour, method, target(path)); got != want {
			t.Errorf("%s: %s, want %s", op, got, want)
		}
	}
	if after, err := h.book.CheckAudit(t.Context(), accounts.Head{}); err != nil || after != before {
		t.Errorf("a tour has written: %v to %v, %v", before, after, err)
	}
	tour.want(t, "GET", "/api/v1/cases", "", 200, "")
	tour.want(t, "GET", "/api/v1/ledger/differences", "", 200, "")
	tour.want(t, "POST", "/api/v1/no-such-address", "", 403, codeTour)
	ins := h.browser().signIn(t, "ins", otherPassword) // who signs in works
	ins.want(t, "POST", "/api/v1/media", "photo1", 201, "")
	ins.want(t, "GET", "/api/v1/ledger/differences", "", 403, codeRole)
}

// TestWaysOfWriting: no way of writing an address leads around the gate.
func TestWaysOfWriting(t *testing.T) {
	h := openHub(t, nil)
	h.person(t, "wall", accounts.Viewer)
	wall := h.browser().signIn(t, "wall", otherPassword)
	for _, path := range []string{
		"/api/v1/meters", "/api/v1/meters/", "//api/v1/meters", "/api//v1/meters", "/api/v1/./meters", "/api/v1/map/../meters", "/api/v1/map/%2e%2e/meters", "/api/v1/map%2f..%2fmeters",
		"/%61pi/v1/meters", "/api/v1/%6deters", "/API/v1/meters", "/api/v1/codes/../meters", "/api/v1/version/../meters", "/x/../api/v1/meters", "/api/v1/session/../meters", "/api%2fv1%2fmeters",
	} {
		for name, b := range map[string]*browser{"nobody": h.browser(), "viewer": wall} {
			r := httptest.NewRequest("GET", "http://127.0.0.1:8080/", nil)
			u, err := r.URL.Parse("http://127.0.0.1:8080" + path)
			if err != nil {
				t.Fatal(err)
			}
			r.URL, r.RemoteAddr = u, b.from
			for _, c := range b.cookies {
				r.AddCookie(c)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code == 200 {
				t.Errorf("%s as %s: %d %s", path, name, w.Code, w.Body)
			}
		}
	}
	for _, method := range []string{"HEAD", "OPTIONS", "TRACE", "PATCH", "GET "} {
		r := httptest.NewRequest("GET", "http://127.0.0.1:8080/api/v1/meters", nil)
		r.Method = method
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code < 400 {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
}

// TestStoreOfAccountsFails: nobody gets in, and what is the same for all is answered.
func TestStoreOfAccountsFails(t *testing.T) {
	h := openHub(t, nil)
	b := h.browser().signIn(t, "root", rootPassword)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for path, want := range map[string]int{"/api/v1/meters": 503, "/api/v1/session": 503, "/api/v1/version": 200, "/healthz": 200} {
		r := httptest.NewRequest("GET", home+path, nil).WithContext(ctx)
		for _, c := range b.cookies {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// TestStreamEndsWithItsSession: an answer that goes on ends soon after who asked may no
// longer, and does not keep a session open.
func TestStreamEndsWithItsSession(t *testing.T) {
	h := openHub(t, nil)
	p := h.person(t, "li", accounts.Clerk)
	visit := func() *visit {
		in, err := h.book.SignIn(t.Context(), accounts.SignIn{Name: "li", Password: otherPassword, From: fromHere})
		noError(t, err)
		return &visit{accounts: &Accounts{Book: h.book}, who: fromAccounts(in.Access)}
	}
	v := visit()
	still := v.lasting(h.now())
	for range 3 {
		h.pass(lastingTime)
		if !still(t.Context(), h.now()) {
			t.Fatal("ended although the session is there")
		}
	}
	noError(t, h.book.Disable(t.Context(), h.root, p.Key))
	if !still(t.Context(), h.now().Add(time.Second)) || still(t.Context(), h.now().Add(lastingTime)) {
		t.Error("goes on without the session")
	}
	noError(t, h.book.Enable(t.Context(), h.root, p.Key))
	still = visit().lasting(h.now())
	h.pass(31 * time.Minute) // of rest; asking whether it stands is no use
	if still(t.Context(), h.now()) {
		t.Error("a stream keeps its session open")
	}
	v = visit()
	still = v.lasting(h.now())
	noError(t, h.book.Change(t.Context(), h.root, p.Key, accounts.Rights{Roles: []accounts.Role{accounts.Viewer}}))
	h.pass(lastingTime)
	if still(t.Context(), h.now()) {
		t.Error("goes on with the rights of before")
	}
	if nobody := (&visitOfNobody{}).lasting(h.now()); !nobody(t.Context(), h.now().Add(time.Hour)) {
		t.Error("a hub without accounts ends streams")
	}
}

type visitOfNobody = visit

// TestOpenHub: without accounts the face is as it was.
func TestOpenHub(t *testing.T) {
	h := newHandler(t, nil)
	if w := ask(h, "GET", "/api/v1/session"); w.Code != 200 || !strings.Contains(w.Body.String(), `{"state":"open","person":null,"read_only":false}`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := ask(h, "GET", "/api/v1/meters"); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, op := range []string{"GET accounts/people", "POST set-up", "POST session", "DELETE session", "GET accounts/audit", "POST accounts/tokens"} {
		method, path, _ := strings.Cut(op, " ")
		if w := ask(h, method, "/api/v1/"+path); w.Code != 404 || codeOf(t, w) != codeNoAccounts {
			t.Errorf("%s: %d %s", op, w.Code, w.Body)
		}
	}
}

// TestAccountsProblems: an error that is nobody's fault is told as such, and not in words
// of the store.
func TestAccountsProblems(t *testing.T) {
	a := &accountRoutes{log: testOptions().Log}
	var p *Problem
	if err := a.problemOf(t.Context(), "x", fmt.Errorf("disk: %w", errors.New("hunter2"))); !errors.As(err, &p) || p.Status != http.StatusServiceUnavailable || strings.Contains(p.Detail, "hunter2") {
		t.Errorf("%v", err)
	}
}
