package api

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"citygrid/hub/accounts"
)

func parseTestAddr(s string) netip.Addr { return netip.MustParseAddr(s) }

func jsonInto(t *testing.T, data []byte, to any) {
	t.Helper()
	noError(t, json.Unmarshal(data, to))
}

// TestSetUpAndInvite is the way of a new hub: its operator sets up the administrator,
// who invites a colleague, who signs in and works.
func TestSetUpAndInvite(t *testing.T) {
	h := newHub(t, nil)
	root := h.browser()
	if s := root.session(t); s.State != "set_up" || s.Person.SessionPersonJSON != nil {
		t.Fatalf("%+v", s)
	}
	code, err := h.book.SetUpCode(t.Context())
	noError(t, err)
	form := map[string]string{"code": "ABCD", "id": "root", "name": "管理员", "password": rootPassword}
	root.want(t, "POST", "/api/v1/set-up", jsonOf(t, form), 403, codeCode)
	form["code"], form["password"] = string(code.Code.Reveal()), "aaaaaaaaaaaaaaaa"
	if w := root.want(t, "POST", "/api/v1/set-up", jsonOf(t, form), 422, codeWeak); !strings.Contains(w.Body.String(), `"why":"monotone"`) {
		t.Errorf("%s", w.Body)
	}
	form["password"] = rootPassword
	root.want(t, "POST", "/api/v1/set-up", jsonOf(t, form), 200, "")
	root.want(t, "POST", "/api/v1/set-up", jsonOf(t, form), 403, codeCode) // the code is used up
	root.signIn(t, "管理员", rootPassword)
	if s := root.session(t); s.State != "signed_in" || s.Person.ID != "root" || s.Person.Name != "管理员" || s.ReadOnly || s.EndsAt == nil {
		t.Fatalf("%+v", s)
	}
	var added AccountPersonJSON
	jsonInto(t, root.want(t, "POST", "/api/v1/accounts/people", `{"id":"li.si","name":"李四","roles":["department"],"department":"water-works"}`, 201, "").Body.Bytes(), &added)
	root.want(t, "POST", "/api/v1/accounts/people", `{"id":"LI.SI","roles":["clerk"]}`, 409, codeTaken)
	if w := root.want(t, "POST", "/api/v1/accounts/people", `{"id":"x y","roles":["clerk"]}`, 422, codeInvalid); !strings.Contains(w.Body.String(), "body.id") {
		t.Errorf("%s", w.Body)
	}
	var invited CodeJSON
	jsonInto(t, root.want(t, "POST", "/api/v1/accounts/people/2/invite", "", 200, "").Body.Bytes(), &invited)
	li := h.browser()
	li.want(t, "POST", "/api/v1/invitations/redeem", jsonOf(t, map[string]string{"code": invited.Code, "password": otherPassword}), 204, "")
	li.want(t, "POST", "/api/v1/invitations/redeem", jsonOf(t, map[string]string{"code": invited.Code, "password": otherPassword}), 403, codeCode)
	li.want(t, "GET", "/api/v1/me", "", 401, codeNobody)
	li.signIn(t, "li.si", otherPassword)
	if w := li.want(t, "GET", "/api/v1/me", "", 200, ""); !strings.Contains(w.Body.String(), `{"id":"li.si","roles":["department"],"department":"water-works"}`) {
		t.Errorf("%s", w.Body)
	}
	li.want(t, "GET", "/api/v1/ledger/me", "", 403, codeRole)
	li.want(t, "GET", "/api/v1/accounts/people", "", 403, codeRole)
	root.want(t, "PUT", "/api/v1/accounts/people/2", `{"roles":["clerk"]}`, 200, "")
	if w := li.want(t, "GET", "/api/v1/ledger/me", "", 200, ""); !strings.Contains(w.Body.String(), `{"name":"李四","roles":["clerk"]}`) {
		t.Errorf("rights count at once: %s", w.Body)
	}
	li.want(t, "GET", "/api/v1/me", "", 403, codeRole)
	root.want(t, "POST", "/api/v1/accounts/people/2/disable", "", 204, "")
	li.want(t, "GET", "/api/v1/ledger/me", "", 401, codeNobody)
	root.want(t, "POST", "/api/v1/accounts/people/1/disable", "", 409, codeLastAdmin)
	root.want(t, "POST", "/api/v1/accounts/people/77/disable", "", 404, codeAccount)
	root.want(t, "POST", "/api/v1/accounts/people/2/forget", "", 204, "")
	if w := root.want(t, "GET", "/api/v1/accounts/people", "", 200, ""); strings.Contains(w.Body.String(), "李四") {
		t.Errorf("forgotten: %s", w.Body)
	}
	checkAudit(t, root)
}

func checkAudit(t *testing.T, root *browser) {
	t.Helper()
	var check AuditCheckJSON
	jsonInto(t, root.want(t, "GET", "/api/v1/accounts/audit/check", "", 200, "").Body.Bytes(), &check)
	var log []AuditEntryJSON
	jsonInto(t, root.want(t, "GET", "/api/v1/accounts/audit?limit=1000", "", 200, "").Body.Bytes(), &log)
	if !check.OK || check.Seq != log[0].Seq || check.Digest != log[0].Digest || len(log) != int(check.Seq) {
		t.Errorf("%+v, %d entries", check, len(log))
	}
	jsonInto(t, root.want(t, "GET", "/api/v1/accounts/audit?limit=2&before=4", "", 200, "").Body.Bytes(), &log)
	if len(log) != 2 || log[0].Seq != 3 {
		t.Errorf("a page: %+v", log)
	}
	jsonInto(t, root.want(t, "GET", "/api/v1/accounts/audit/check?seq=3&digest="+strings.Repeat("0", 64), "", 200, "").Body.Bytes(), &check)
	if check.OK || check.Broken != 3 || check.What == "" {
		t.Errorf("another head: %+v", check)
	}
}

// TestSignInSlowsDown: guesses cost time, which the answer names.
func TestSignInSlowsDown(t *testing.T) {
	h := openHub(t, nil)
	b := h.browser()
	guess := `{"name":"root","password":"not it at all"}`
	for range 10 {
		b.want(t, "POST", "/api/v1/session", guess, 401, codeSignIn)
	}
	w := b.want(t, "POST", "/api/v1/session", guess, 429, codePaused)
	if w.Header().Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
	}
	w = b.want(t, "POST", "/api/v1/session", jsonOf(t, map[string]string{"name": "root", "password": rootPassword}), 429, codePaused)
	if len(w.Result().Cookies()) > 0 {
		t.Error("a pause sets cookies")
	}
	h.pass(time.Minute)
	b.signIn(t, "root", rootPassword)
}

func TestSignOut(t *testing.T) {
	h := openHub(t, nil)
	b, other := h.browser().signIn(t, "root", rootPassword), h.browser().signIn(t, "root", rootPassword)
	kept := b.cookies[sessionName(b)].Value
	w := b.want(t, "DELETE", "/api/v1/session", "", 200, "")
	if !strings.Contains(w.Body.String(), `"state":"signed_out"`) || !strings.Contains(w.Body.String(), `"person":null`) || b.cookies[sessionName(b)] != nil {
		t.Errorf("%s %v", w.Body, b.cookies)
	}
	b.cookies[sessionName(b)] = &http.Cookie{Name: sessionName(b), Value: kept}
	b.want(t, "GET", "/api/v1/meters", "", 401, codeNobody)
	other.want(t, "GET", "/api/v1/meters", "", 200, "")
}

func sessionName(b *browser) string {
	for name := range b.cookies {
		if strings.Contains(name, "citygrid_session") {
			return name
		}
	}
	return "citygrid_session_8080"
}

// TestOwnSessions: a person sees and ends the sessions of others who are them, and a new
// password ends them too.
func TestOwnSessions(t *testing.T) {
	h := openHub(t, nil)
	a, b := h.browser().signIn(t, "root", rootPassword), h.browser().signIn(t, "root", rootPassword)
	var list []OpenSessionJSON
	jsonInto(t, a.want(t, "GET", "/api/v1/accounts/sessions", "", 200, "").Body.Bytes(), &list)
	if len(list) != 3 { // the third is of openHub
		t.Fatalf("%+v", list)
	}
	a.want(t, "DELETE", "/api/v1/accounts/sessions", "", 204, "")
	b.want(t, "GET", "/api/v1/accounts/sessions", "", 401, codeNobody)
	b.signIn(t, "root", rootPassword)
	change := func(old, password string) string {
		return jsonOf(t, map[string]string{"old": old, "password": password})
	}
	a.want(t, "POST", "/api/v1/accounts/password", change("not it at all", otherPassword), 403, codeOld)
	a.want(t, "POST", "/api/v1/accounts/password", change(rootPassword, rootPassword), 422, codeWeak)
	a.want(t, "POST", "/api/v1/accounts/password", change(rootPassword, otherPassword), 204, "")
	a.want(t, "GET", "/api/v1/accounts/sessions", "", 200, "")
	b.want(t, "GET", "/api/v1/accounts/sessions", "", 401, codeNobody)
}

// TestTokensOfPrograms: a token has at most the roles of its owner, cannot make others,
// and is told once.
func TestTokensOfPrograms(t *testing.T) {
	h := openHub(t, nil)
	h.person(t, "li", accounts.Clerk, accounts.Acceptor)
	li := h.browser().signIn(t, "li", otherPassword)
	form := func(roles string) string {
		return `{"name":"export","roles":[` + roles + `],"ends_at":"` + h.now().Add(time.Hour).Format(time.RFC3339) + `"}`
	}
	li.want(t, "POST", "/api/v1/accounts/tokens", form(`"admin"`), 403, codeRole)
	li.want(t, "POST", "/api/v1/accounts/tokens", form(`"king"`), 422, codeInvalid)
	var drawn DrawnTokenJSON
	jsonInto(t, li.want(t, "POST", "/api/v1/accounts/tokens", form(`"clerk"`), 201, "").Body.Bytes(), &drawn)
	p := h.program(drawn.Token)
	if w := p.want(t, "GET", "/api/v1/ledger/me", "", 200, ""); !strings.Contains(w.Body.String(), `{"name":"li","roles":["clerk"]}`) {
		t.Errorf("%s", w.Body)
	}
	p.want(t, "GET", "/api/v1/cases", "", 403, codeRole) // its owner may, it may not
	for _, target := range []string{"POST /api/v1/accounts/tokens", "POST /api/v1/accounts/password", "GET /api/v1/accounts/sessions", "GET /api/v1/accounts/tokens", "DELETE /api/v1/accounts/tokens/1"} {
		method, path, _ := strings.Cut(target, " ")
		p.want(t, method, path, "", 403, codeSession)
	}
	if w := li.want(t, "GET", "/api/v1/accounts/tokens", "", 200, ""); strings.Contains(w.Body.String(), drawn.Token) || !strings.Contains(w.Body.String(), `"name":"export"`) {
		t.Errorf("%s", w.Body)
	}
	li.want(t, "GET", "/api/v1/accounts/tokens?owner=all", "", 403, codeRole)
	root := h.browser().signIn(t, "root", rootPassword)
	root.want(t, "GET", "/api/v1/accounts/tokens?owner=all", "", 200, "")
	root.want(t, "POST", "/api/v1/accounts/tokens", strings.Replace(form(`"clerk"`), "{", `{"owner":2,`, 1), 403, codeRole) // li has a password
	li.want(t, "DELETE", "/api/v1/accounts/tokens/1", "", 204, "")
	p.want(t, "GET", "/api/v1/ledger/me", "", 401, codeNobody)
	h.person(t, "wu", accounts.Clerk)
	jsonInto(t, li.want(t, "POST", "/api/v1/accounts/tokens", form(`"clerk"`), 201, "").Body.Bytes(), &drawn)
	h.browser().signIn(t, "wu", otherPassword).want(t, "DELETE", "/api/v1/accounts/tokens/2", "", 403, codeRole)
	h.pass(2 * time.Hour)
	h.program(drawn.Token).want(t, "GET", "/api/v1/ledger/me", "", 401, codeNobody)
}

// TestWrongTokenIsNotMadeUpFor: a token that is wrong is refused although the browser
// has a session, and a cookie is no token.
func TestWrongTokenIsNotMadeUpFor(t *testing.T) {
	h := openHub(t, func(o *Options) { o.Accounts.Tour = true })
	b := h.browser().signIn(t, "root", rootPassword)
	b.header["Authorization"] = "Bearer nonsense"
	b.want(t, "GET", "/api/v1/meters", "", 401, codeNobody)
	b.header["Authorization"] = "Basic cm9vdDp4" // of a proxy that asks in front
	b.want(t, "GET", "/api/v1/accounts/people", "", 200, "")
	h.program(b.cookies[sessionName(b)].Value).want(t, "GET", "/api/v1/meters", "", 401, codeNobody)
}

// TestDownloadsAreWrittenDown: tables that leave the hub, and a look at who reported
// something.
func TestDownloadsAreWrittenDown(t *testing.T) {
	h := openHub(t, nil)
	h.person(t, "acc", accounts.Acceptor)
	b := h.browser().signIn(t, "acc", otherPassword)
	b.want(t, "GET", "/api/v1/exports/cases?format=xlsx", "", 200, "")
	b.want(t, "GET", "/api/v1/cases/20261123000001/petitioner", "", 404, "")
	b.want(t, "GET", "/api/v1/cases", "", 200, "")
	log, err := h.book.Audit(t.Context(), 0, 2)
	noError(t, err)
	if log[1].Act != accounts.ActExport || log[1].Detail != "exports/cases as xlsx" || log[0].Act != accounts.ActPersonal || log[0].Detail != "cases/20261123000001/petitioner" || log[0].Actor != 2 || log[0].From != "192.0.2.7" {
		t.Errorf("%+v", log)
	}
	for path, want := range map[string]accounts.Act{
		"/api/v1/ledger/runs/{id}/statement": accounts.ActExport, "/api/v1/ledger/differences.csv": accounts.ActExport, "/api/v1/exports/x": accounts.ActExport,
		"/api/v1/ledger/differences": accounts.ActCards, "/api/v1/cases": "", "/api/v1/cases/{id}/petitioner": accounts.ActPersonal,
	} {
		if got := toldOf("GET", path, ""); got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
}

// TestQuestionsChangeNothing: no address that is read changes anything in the accounts.
func TestQuestionsChangeNothing(t *testing.T) {
	h := openHub(t, nil)
	root := h.browser().signIn(t, "root", rootPassword)
	before, err := h.book.CheckAudit(t.Context(), accounts.Head{})
	noError(t, err)
	for _, path := range []string{"session", "accounts/people", "accounts/tokens", "accounts/sessions", "accounts/audit", "accounts/audit/check",
		"set-up", "invitations/redeem", "accounts/password", "accounts/people/1/disable", "accounts/people/1/invite", "accounts/people/1/forget", "accounts/tokens/1"} {
		w := root.do("GET", "/api/v1/"+path, "")
		if len(w.Result().Cookies()) > 0 {
			t.Errorf("%s sets cookies", path)
		}
	}
	after, err := h.book.CheckAudit(t.Context(), before)
	if err != nil || after != before {
		t.Errorf("%v, %v to %v", err, before, after)
	}
}
