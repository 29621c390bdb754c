package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/clearing"
	"citygrid/schemas"
)

// memoryClearing keeps what it is told.
type memoryClearing struct {
	made  []ledger.Day
	taken []Upload
	query ClearingQuery
	err   error
}

var clearingKey = clearing.Key{From: "33010001", To: "32010002", Day: 20_778, Number: 1}

func (m *memoryClearing) file() ClearingFile {
	return ClearingFile{Key: clearingKey, Direction: "sent", Utility: schemas.Water, Sums: clearing.Sums{Count: 2, Taken: 5000, Returned: 7}, At: epoch, By: "li",
		Answer: &ClearingAnswer{Accepted: clearing.Sums{Count: 1, Taken: 5000}, Refused: clearing.Sums{Count: 1, Returned: 7}, At: epoch, By: "zhang"}}
}

func (m *memoryClearing) Make(_ context.Context, upto ledger.Day, by string) ([]ClearingFile, []clearing.Held, error) {
	m.made = append(m.made, upto)
	return []ClearingFile{m.file()}, []clearing.Held{{Sale: &ledger.Sale{Channel: "c", Order: "1", Amount: 100}, Why: "no entry"},
		{Entry: &schemas.CardEntry{Event: schemas.CardSale, Card: "00112233445566AA", Amount: schemas.Credit{Value: 5, Unit: schemas.CreditLitre}}, Why: "no row"}}, m.err
}

func (m *memoryClearing) Take(_ context.Context, u Upload) (ClearingFile, bool, error) {
	if m.err != nil {
		return ClearingFile{}, false, m.err
	}
	m.taken = append(m.taken, u)
	return m.file(), len(m.taken) > 1, nil
}

func (m *memoryClearing) List(_ context.Context, q ClearingQuery) ([]ClearingFile, int, error) {
	m.query = q
	open := m.file()
	open.Answer = nil
	return []ClearingFile{m.file(), open}, 7, m.err
}

func (m *memoryClearing) Bytes(_ context.Context, name string) ([]byte, error) {
	if name != clearingKey.FileName() {
		return nil, fmt.Errorf("bytes of %s: %w", name, ErrUnknown)
	}
	return []byte("#citygrid\n"), nil
}

func (m *memoryClearing) Net(context.Context, ledger.Day, ledger.Day) (clearing.Netting, error) {
	return clearing.Net("33010001", nil)
}

func clearingHandler(t *testing.T) (http.Handler, *memoryClearing) {
	t.Helper()
	m, c := &memoryLedger{doc: emptyStatement(t)}, &memoryClearing{}
	return newHandler(t, func(o *Options) {
		o.Ledger = &Ledger{Auth: people(t), Files: m, Runner: m, Runs: m, Differences: m, Register: m,
			Clearing: &Clearing{Home: "33010001", Desk: c, Files: c}}
	}), c
}

// clears sends a request to the clearing of h; the body of an upload is bytes.
func clears(h http.Handler, person, method, target, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/api/v1/ledger/clearing"+target, strings.NewReader(body))
	if person != "" {
		r.Header.Set("Authorization", "Bearer token-"+person)
	}
	if strings.HasPrefix(target, "/files?") && method == "POST" {
		r.Header.Set("Content-Type", "application/octet-stream")
	} else if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const makeDay = `{"day":"2026-11-21"}`

var takeTarget = "/files?name=" + clearingKey.FileName()

// TestClearingRoles asks for every operation as everybody.
func TestClearingRoles(t *testing.T) {
	all := "zhang li wang chen"
	for _, tt := range []struct{ method, target, body, may string }{
		{"GET", "/files", "", all},
		{"GET", "/files/" + clearingKey.FileName(), "", all},
		{"POST", takeTarget, "x", "zhang chen"},
		{"POST", "/made", makeDay, "li wang chen"},
		{"GET", "/net?from=2026-11-01&to=2026-11-30", "", all},
	} {
		for _, person := range []string{"", "nobody", "zhang", "li", "wang", "chen"} {
			h, m := clearingHandler(t)
			w := clears(h, person, tt.method, tt.target, tt.body)
			known := strings.Contains(all, person) && person != ""
			want := 200
			switch {
			case !known:
				want = 401
			case !strings.Contains(tt.may, person):
				want = 403
			case tt.target == "/made":
				want = 201
			}
			if w.Code != want || want == 403 && codeOf(t, w) != codeRole {
				t.Errorf("%s %s as %q: %d %s, want %d", tt.method, tt.target, person, w.Code, w.Body, want)
			}
			if want > 400 && len(m.made)+len(m.taken) > 0 {
				t.Errorf("%s %s as %q changed something", tt.method, tt.target, person)
			}
		}
	}
}

func TestClearingByAPI(t *testing.T) {
	h, m := clearingHandler(t)
	var made ClearingMadeJSON
	w := clears(h, "li", "POST", "/made", makeDay)
	if err := json.Unmarshal(w.Body.Bytes(), &made); err != nil || len(made.Files) != 1 || made.Held != 2 || made.Why[0].Order != "c:1" || made.Why[1].Amount != "5 L" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if m.made[0].String() != "2026-11-21" {
		t.Errorf("made up to %v", m.made)
	}
	var taken ClearingTakenJSON
	for n := range 2 {
		w = clears(h, "zhang", "POST", takeTarget, "\xff\x00raw")
		if err := json.Unmarshal(w.Body.Bytes(), &taken); err != nil || taken.Repeated != (n == 1) || taken.File.Answer.Refused.Net != "-0.07" || taken.File.Details.Net != "49.93" {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if u := m.taken[0]; string(u.Raw) != "\xff\x00raw" || u.Name != clearingKey.FileName() || u.By != "zhang" {
		t.Errorf("taken %+v", u)
	}
	w = clears(h, "wang", "GET", "/files/"+clearingKey.FileName(), "")
	if w.Body.String() != "#citygrid\n" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/csv") || !strings.Contains(w.Header().Get("Content-Disposition"), clearingKey.FileName()) {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	var page ClearingPageJSON
	w = clears(h, "wang", "GET", "/files?direction=sent&partner=32010002&from=2026-11-01&to=2026-11-30&unanswered=true&limit=5&offset=2", "")
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || page.Total != 7 || len(page.Rows) != 2 || page.Rows[1].Answer != nil || page.Rows[0].Answer.Name != clearingKey.AnswerName() {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if q := m.query; q.Direction != "sent" || q.Partner != "32010002" || q.To-q.From != 29 || !q.Unanswered || q.Limit != 5 || q.Offset != 2 {
		t.Errorf("query %+v", q)
	}
	var net NettingJSON
	w = clears(h, "wang", "GET", "/net?from=2026-11-01&to=2026-11-30", "")
	if err := json.Unmarshal(w.Body.Bytes(), &net); err != nil || net.Home != "33010001" || net.Balance != "0.00" || net.From != "2026-11-01" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestClearingProblems(t *testing.T) {
	h, m := clearingHandler(t)
	for _, target := range []string{"/files?direction=both", "/files?partner=1", "/files?from=x", "/files/x.csv", "/net?from=2026-11-02&to=2026-11-01", "/net?from=2026-11-02", "/net?from=x&to=x"} {
		if w := clears(h, "li", "GET", target, ""); w.Code != 422 {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	if w := clears(h, "li", "POST", "/made", `{"day":"yesterday"}`); w.Code != 422 {
		t.Errorf("a day: %d %s", w.Code, w.Body)
	}
	if w := clears(h, "zhang", "POST", "/files?name=../x", "x"); w.Code != 422 {
		t.Errorf("a name: %d %s", w.Code, w.Body)
	}
	if w := clears(h, "li", "GET", "/files/"+clearingKey.AnswerName(), ""); w.Code != 404 || codeOf(t, w) != codeUnknown {
		t.Errorf("no such file: %d %s", w.Code, w.Body)
	}
	for _, tt := range []struct {
		err    error
		status int
		code   string
	}{
		{fmt.Errorf("%w: clearing-1", ErrTaken), 409, codeFileTaken},
		{&ledger.OtherContentError{}, 409, codeFileTaken},
		{&FileError{Problem: "bad"}, 422, codeFile},
		{fmt.Errorf("x: %w", ErrRefused), 422, codeRefused},
		{fmt.Errorf("x: %w", ErrUnknown), 404, codeUnknown},
		{fmt.Errorf("x: %w", ErrBusy), 503, codeBusy},
		{errors.New("secret"), 503, codeLedger},
	} {
		m.err = tt.err
		if w := clears(h, "zhang", "POST", takeTarget, "x"); w.Code != tt.status || codeOf(t, w) != tt.code || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%v: %d %s", tt.err, w.Code, w.Body)
		}
	}
	plain, _ := ledgerHandler(t)
	for _, target := range []string{"/files", "/files/" + clearingKey.FileName(), "/net?from=2026-11-01&to=2026-11-02"} {
		if w := clears(plain, "li", "GET", target, ""); w.Code != 404 || codeOf(t, w) != codeNoIssuer {
			t.Errorf("a hub without issuer, %s: %d %s", target, w.Code, w.Body)
		}
	}
	if w := clears(plain, "li", "POST", "/made", makeDay); w.Code != 404 || codeOf(t, w) != codeNoIssuer {
		t.Errorf("a hub without issuer: %d %s", w.Code, w.Body)
	}
}
