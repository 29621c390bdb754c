package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/reconcile"
	"citygrid/hub/ledger/statement"
	"citygrid/schemas"
)

// memoryLedger is a ledger that keeps what it is given, with one difference in it.
type memoryLedger struct {
	imports   []ledger.Import
	uploads   []Upload
	importErr error
	started   []RunRequest
	decisions []ledger.Decision
	query     DifferenceQuery
	doc       *statement.Document
}

func (m *memoryLedger) Import(_ context.Context, u Upload) (ledger.Import, error) {
	if m.importErr != nil {
		return ledger.Import{}, m.importErr
	}
	m.uploads = append(m.uploads, u)
	i := ledger.Import{ID: int64(len(m.imports) + 1), Name: u.Name, By: u.By, Bytes: int64(len(u.Raw)), Debit: 9_007_199_254_740_993, At: epoch,
		FileID: ledger.FileID{Content: ledger.SalesFile, Utility: schemas.Water, Channel: "c", Number: 1}}
	if len(m.imports) > 0 {
		return ledger.Import{}, &ledger.ImportedError{Import: m.imports[0]}
	}
	m.imports = append(m.imports, i)
	return i, nil
}

func (m *memoryLedger) Imports(context.Context, int, int) ([]ledger.Import, error) {
	return m.imports, nil
}

func (m *memoryLedger) Start(_ context.Context, r RunRequest) (RunJob, error) {
	m.started = append(m.started, r)
	return RunJob{ID: "j1", State: "waiting", RunRequest: r, At: epoch}, nil
}

func (m *memoryLedger) Job(_ context.Context, id string) (RunJob, error) {
	if id != "j1" {
		return RunJob{}, fmt.Errorf("job %s: %w", id, ErrUnknown)
	}
	return RunJob{ID: "j1", State: "running", Stage: "accounts", Done: 10_000, At: epoch}, nil
}

func (m *memoryLedger) Runs(context.Context, schemas.Medium, int, int) ([]LedgerRun, error) {
	return []LedgerRun{{ID: 1, Utility: schemas.Water, Version: 1, State: "done", Inputs: map[string]string{"sales": "01", "entries": "02"}}}, nil
}

func (m *memoryLedger) Run(_ context.Context, id int64) (LedgerRun, error) {
	if id != 1 {
		return LedgerRun{}, fmt.Errorf("run %d: %w", id, ErrUnknown)
	}
	return LedgerRun{ID: 1, Utility: schemas.Water, State: "done"}, nil
}

func (m *memoryLedger) Statement(_ context.Context, run int64) (*statement.Document, error) {
	if run != 1 {
		return nil, fmt.Errorf("run %d: %w", run, ErrUnknown)
	}
	return m.doc, nil
}

const oneKey = "SALE_NO_PAY/微信/42"

func (m *memoryLedger) held() LedgerDifference {
	d := LedgerDifference{Key: oneKey, State: ledger.Open, FoundRun: 1, Difference: ledger.Difference{Class: ledger.SaleNoPay, Utility: schemas.Water,
		Channel: "微信", Order: "42", Amount: 5_000, Day: 20_000}}
	if n := len(m.decisions); n > 0 {
		d.State = m.decisions[n-1].To
	}
	return d
}

func (m *memoryLedger) List(_ context.Context, q DifferenceQuery) ([]LedgerDifference, int, error) {
	m.query = q
	return []LedgerDifference{m.held()}, 1, nil
}

func (m *memoryLedger) Get(_ context.Context, key string) (LedgerDifference, []LedgerEvent, error) {
	if key != oneKey {
		return LedgerDifference{}, nil, fmt.Errorf("difference %s: %w", key, ErrUnknown)
	}
	events := []LedgerEvent{{At: epoch, Sale: &ledger.Sale{Order: "42", Kind: ledger.Purchase, Amount: 5_000}},
		{At: epoch, Payment: &ledger.Payment{Order: "42", Refund: true, Amount: 7}},
		{At: epoch, Entry: &ledger.Entry{CardEntry: schemas.CardEntry{Event: schemas.CardLoad, Amount: schemas.Credit{Value: 5_000, Unit: schemas.CreditFen},
			Residual: schemas.Credit{Value: 1_200, Unit: schemas.CreditLitre}}}}}
	for n := range m.decisions {
		events = append(events, LedgerEvent{At: epoch, Decision: &m.decisions[n]})
	}
	return m.held(), events, nil
}

func (m *memoryLedger) Decide(_ context.Context, d ledger.Decision) (ledger.Decision, error) {
	if _, err := ledger.Follow(m.decisions, d); err != nil {
		return d, err
	}
	d.ID, d.At = int64(len(m.decisions)+1), epoch
	m.decisions = append(m.decisions, d)
	return d, nil
}

func (m *memoryLedger) Places(context.Context, schemas.Medium, schemas.MeterID, int) ([]ledger.Place, error) {
	return []ledger.Place{{Meter: "W-1", Utility: schemas.Water, Purse: schemas.CreditFen, Readout: ledger.Remote, Installations: []ledger.Installation{{From: epoch}}}}, nil
}

func (m *memoryLedger) Tariffs(context.Context) ([]TariffFile, error) {
	return []TariffFile{{Name: "2026", Text: "plans: []", At: epoch}}, nil
}

// people have the tokens token-NAME.
func people(t testing.TB) Authenticator {
	t.Helper()
	var list []TokenPerson
	for name, roles := range map[string][]Role{"zhang": {Clerk}, "li": {Reviewer}, "wang": {Approver}, "chen": {Clerk, Reviewer, Approver}} {
		list = append(list, TokenPerson{Person: Person{Name: name, Roles: roles}, Token: fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("token-"+name)))})
	}
	auth, err := NewTokens(list)
	if err != nil {
		t.Fatal(err)
	}
	return auth
}

func emptyStatement(t testing.TB) *statement.Document {
	t.Helper()
	s, err := statement.New(statement.Input{City: "city", Utility: schemas.Water, Span: reconcile.Span{From: 20_000, To: 20_000},
		Calendar: ledger.Calendar{Zone: time.UTC}, Run: statement.RunRef{ID: 1, Version: 1}, Rules: "2026-1", Figures: &reconcile.Figures{}, By: "zhang", At: epoch})
	if err != nil {
		t.Fatal(err)
	}
	d, err := statement.Seal(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func ledgerHandler(t *testing.T) (http.Handler, *memoryLedger) {
	t.Helper()
	m := &memoryLedger{doc: emptyStatement(t)}
	return newHandler(t, func(o *Options) {
		o.Ledger = &Ledger{Auth: people(t), Files: m, Runner: m, Runs: m, Differences: m, Register: m}
	}), m
}

// as sends a request of a person; the body is JSON unless it is a file.
func as(h http.Handler, person, method, target, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if person != "" {
		r.Header.Set("Authorization", "Bearer token-"+person)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
		if strings.Contains(target, "/imports") {
			r.Header.Set("Content-Type", "application/octet-stream")
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func codeOf(t testing.TB, w *httptest.ResponseRecorder) string {
	t.Helper()
	var p Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != problemMediaType {
		t.Fatalf("%d %s is no problem: %s", w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	return p.Code
}

func decision(action string) string {
	return fmt.Sprintf(`{"key":%q,"action":%q,"why":"receipt 7","assignee":"li"}`, oneKey, action)
}

// TestRoleMatrix asks for every operation as everybody: who may gets an answer,
// nobody else does, and nothing changes for those who may not.
func TestRoleMatrix(t *testing.T) {
	all := "zhang li wang chen"
	for _, tt := range []struct{ method, target, body, may string }{
		{"GET", "/me", "", all},
		{"GET", "/imports", "", all},
		{"POST", "/imports?name=a.csv", "x", "zhang chen"},
		{"GET", "/runs", "", all},
		{"POST", "/runs", `{"utility":"water","from":"2026-11-21"}`, "zhang chen"},
		{"GET", "/jobs/j1", "", all},
		{"GET", "/runs/1", "", all},
		{"GET", "/runs/1/statement", "", all},
		{"GET", "/differences", "", all},
		{"GET", "/difference?key=" + url.QueryEscape(oneKey), "", all},
		{"POST", "/decisions", decision("explain"), "zhang chen"},
		{"POST", "/decisions", decision("assign"), "zhang chen"},
		{"POST", "/decisions", decision("adjust"), "li chen"},
		{"POST", "/decisions", decision("close"), "wang chen"},
		{"GET", "/places", "", all},
		{"GET", "/tariffs", "", all},
	} {
		for _, person := range []string{"", "nobody", "zhang", "li", "wang", "chen"} {
			h, m := ledgerHandler(t)
			switch { // the state from which the step is possible
			case strings.Contains(tt.body, "adjust"):
				m.decisions = []ledger.Decision{{To: ledger.Explained, Who: "sun"}}
			case strings.Contains(tt.body, "close"):
				m.decisions = []ledger.Decision{{To: ledger.Explained, Who: "sun"}, {To: ledger.Adjusted, Who: "qian"}}
			}
			before := len(m.decisions)
			w := as(h, person, tt.method, "/api/v1/ledger"+tt.target, tt.body)
			known := strings.Contains(all, person) && person != ""
			switch {
			case !known:
				if w.Code != 401 || codeOf(t, w) != codeNobody || w.Header().Get("WWW-Authenticate") == "" {
					t.Errorf("%s %s as %q: %d %s", tt.method, tt.target, person, w.Code, w.Body)
				}
			case !strings.Contains(tt.may, person):
				if w.Code != 403 || codeOf(t, w) != codeRole {
					t.Errorf("%s %s %s as %s: %d %s, want 403", tt.method, tt.target, tt.body, person, w.Code, w.Body)
				}
			case w.Code >= 300:
				t.Errorf("%s %s %s as %s: %d %s", tt.method, tt.target, tt.body, person, w.Code, w.Body)
			}
			if !strings.Contains(tt.may, person) || !known {
				if len(m.uploads)+len(m.started) > 0 || len(m.decisions) != before {
					t.Errorf("%s %s as %q changed something", tt.method, tt.target, person)
				}
			}
		}
	}
}

// TestLifeOfADifference: explain, adjust by a second person, close by a third; the
// steps between are refused with what is possible instead.
func TestLifeOfADifference(t *testing.T) {
	h, m := ledgerHandler(t)
	for n, tt := range []struct {
		person, action string
		status         int
		code, allowed  string
	}{
		{"chen", "adjust", 409, codeStep, "explained assigned"},
		{"chen", "explain", 201, "", ""},
		{"chen", "adjust", 409, codePerson, "explained assigned"},
		{"wang", "close", 409, codeStep, "explained assigned adjusted"},
		{"li", "adjust", 201, "", ""},
		{"zhang", "explain", 409, codeStep, "closed"},
		{"wang", "close", 201, "", ""},
		{"chen", "close", 409, codeStep, ""},
	} {
		w := as(h, tt.person, "POST", "/api/v1/ledger/decisions", decision(tt.action))
		if w.Code != tt.status {
			t.Fatalf("step %d, %s by %s: %d %s", n, tt.action, tt.person, w.Code, w.Body)
		}
		if tt.code == "" {
			continue
		}
		var p Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Code != tt.code || strings.Join(p.Allowed, " ") != tt.allowed {
			t.Errorf("step %d: %s, allowed %v", n, p.Code, p.Allowed)
		}
	}
	if len(m.decisions) != 3 || m.decisions[1].Who != "li" {
		t.Errorf("decisions %v", m.decisions)
	}
	w := as(h, "li", "GET", "/api/v1/ledger/difference?key="+url.QueryEscape(oneKey), "")
	var line TimelineJSON
	if err := json.Unmarshal(w.Body.Bytes(), &line); err != nil || line.Difference.State != "closed" || len(line.Events) != 6 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if e := line.Events[2]; e.Amount != "50.00 CNY" || e.Residual != "1200 L" || e.Bought != "" {
		t.Errorf("entry %+v", e)
	}
}

func TestImportsByAPI(t *testing.T) {
	h, m := ledgerHandler(t)
	first := as(h, "zhang", "POST", "/api/v1/ledger/imports?name=a.csv&mapping=wechat", "\xff\x00raw")
	var i ImportJSON
	if err := json.Unmarshal(first.Body.Bytes(), &i); err != nil || i.Repeated || i.By != "zhang" || i.Debit != "90071992547409.93" {
		t.Fatalf("%d %s", first.Code, first.Body)
	}
	if string(m.uploads[0].Raw) != "\xff\x00raw" || m.uploads[0].Mapping != "wechat" {
		t.Errorf("upload %+v", m.uploads[0])
	}
	again := as(h, "zhang", "POST", "/api/v1/ledger/imports?name=a.csv", "\xff\x00raw")
	if err := json.Unmarshal(again.Body.Bytes(), &i); err != nil || again.Code != 200 || !i.Repeated {
		t.Errorf("again: %d %s", again.Code, again.Body)
	}
	for _, tt := range []struct {
		err    error
		status int
		code   string
		says   string
	}{
		{&FileError{Problem: "nothing was changed", Mistakes: []FileMistake{{Line: 3, Column: 8, Problem: `amount "5o"`}, {Problem: "no trailer"}}}, 422, codeFile, `"line 3 column 8"`},
		{&ledger.OtherContentError{}, 409, codeFileTaken, "next file number"},
		{fmt.Errorf("import: %w", ErrBusy), 503, codeBusy, ""},
		{fmt.Errorf("%w: no mapping x", ErrRefused), 422, codeRefused, "no mapping x"},
		{errors.New("secret of the database"), 503, codeLedger, "Nothing was changed"},
	} {
		m.importErr = tt.err
		w := as(h, "zhang", "POST", "/api/v1/ledger/imports?name=a.csv", "x")
		if w.Code != tt.status || codeOf(t, w) != tt.code || !strings.Contains(w.Body.String(), tt.says) || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%v: %d %s", tt.err, w.Code, w.Body)
		}
	}
}

func TestRunsByAPI(t *testing.T) {
	h, m := ledgerHandler(t)
	w := as(h, "zhang", "POST", "/api/v1/ledger/runs", `{"utility":"gas","from":"2026-11-21","to":"2026-11-22"}`)
	if w.Code != 202 || w.Header().Get("Location") != "/api/v1/ledger/jobs/j1" || m.started[0].To-m.started[0].From != 1 || m.started[0].By != "zhang" {
		t.Errorf("%d %v %+v", w.Code, w.Header(), m.started)
	}
	for body, status := range map[string]int{
		`{"utility":"gas","from":"2026-11-21","to":"2026-11-20"}`: 422, `{"utility":"gas","from":"yesterday"}`: 422,
		`{"utility":"heat","from":"2026-11-21"}`: 422, `{"utility":"gas","from":"2026-11-21","by":"li"}`: 422,
	} {
		if w := as(h, "zhang", "POST", "/api/v1/ledger/runs", body); w.Code != status {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	for _, target := range []string{"/jobs/j2", "/runs/2", "/runs/2/statement", "/difference?key=x"} {
		if w := as(h, "li", "GET", "/api/v1/ledger"+target, ""); w.Code != 404 || codeOf(t, w) != codeUnknown {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

func TestStatementForms(t *testing.T) {
	h, m := ledgerHandler(t)
	for format, want := range map[string]string{"json": `"format": "citygrid statement"`, "txt": "对账单", "csv": "\xef\xbb\xbf", "html": "<!doctype html>", "xlsx": "PK"} {
		w := as(h, "li", "GET", "/api/v1/ledger/runs/1/statement?format="+format, "")
		if w.Code != 200 || !strings.Contains(w.Body.String(), want) || !strings.HasPrefix(w.Header().Get("Content-Type"), mediaType(format)) ||
			!strings.Contains(w.Header().Get("Content-Disposition"), "statement-water-2024-10-04-v1."+format) || w.Header().Get("Content-Security-Policy") != pagePolicy {
			t.Errorf("%s: %d %v", format, w.Code, w.Header())
		}
	}
	got := as(h, "li", "GET", "/api/v1/ledger/runs/1/statement", "").Body.Bytes()
	if _, err := statement.Parse(got); err != nil {
		t.Error(err)
	}
	m.doc.Statement.Channels = append(m.doc.Statement.Channels, statement.Channel{Sales: statement.MatchRoll{Rows: statement.Tally{Count: 1}}})
	if w := as(h, "li", "GET", "/api/v1/ledger/runs/1/statement?format=html", ""); w.Code != 409 || codeOf(t, w) != codeFoot {
		t.Errorf("a statement that does not foot: %d %s", w.Code, w.Body)
	}
}

func TestDifferenceQueries(t *testing.T) {
	h, m := ledgerHandler(t)
	w := as(h, "li", "GET", "/api/v1/ledger/differences?utility=water&class=SALE_NO_PAY&state=open&meter=W-1&min_age=4&max_age=7&as_of=2026-11-21&limit=7&offset=3", "")
	want := DifferenceQuery{Utility: schemas.Water, Class: ledger.SaleNoPay, State: ledger.Open, Meter: "W-1", MinAge: 4, MaxAge: 7, AsOf: 20_778, Limit: 7, Offset: 3}
	if w.Code != 200 || m.query != want {
		t.Errorf("%d %+v", w.Code, m.query)
	}
	for _, target := range []string{"?class=OTHER", "?as_of=today", "?limit=1001", "?state=lost", "?colour=red"} {
		if w := as(h, "li", "GET", "/api/v1/ledger/differences"+target, ""); w.Code != 422 {
			t.Errorf("%s: %d", target, w.Code)
		}
	}
}

func TestNoLedger(t *testing.T) {
	w := as(newHandler(t, nil), "zhang", "GET", "/api/v1/ledger/me", "")
	if w.Code != 404 || codeOf(t, w) != codeNoLedger {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestTokens(t *testing.T) {
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("t")))
	one := TokenPerson{Person: Person{Name: "a", Roles: []Role{Clerk}}, Token: digest}
	for name, list := range map[string][]TokenPerson{
		"plain token":   {{Person: one.Person, Token: "hunter2"}},
		"short digest":  {{Person: one.Person, Token: "sha256:00"}},
		"nothing":       {{Person: one.Person, Token: fmt.Sprintf("sha256:%x", sha256.Sum256(nil))}},
		"no name":       {{Person: Person{Roles: []Role{Clerk}}, Token: digest}},
		"no role":       {{Person: Person{Name: "a"}, Token: digest}},
		"unknown role":  {{Person: Person{Name: "a", Roles: []Role{"admin"}}, Token: digest}},
		"twice a name":  {one, {Person: one.Person, Token: strings.Replace(digest, digest[10:12], "zz", 1)}},
		"twice a token": {one, {Person: Person{Name: "b", Roles: []Role{Clerk}}, Token: digest}},
	} {
		_, err := NewTokens(list)
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the token: %v", name, err)
		}
	}
	nobody, err := NewTokens(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := nobody.Person(t.Context(), ""); ok {
		t.Error("an empty list lets somebody in")
	}
	h, _ := ledgerHandler(t)
	for _, header := range []string{"token-zhang", "Basic token-zhang", "Bearer", "Bearer ", "Bearer token-zhang ", "Bearer Token-zhang"} {
		w := ask(h, "GET", "/api/v1/ledger/me", "Authorization", header)
		if w.Code != 401 {
			t.Errorf("%q: %d", header, w.Code)
		}
	}
}
