package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// memoryDesk is a desk over two differences and one day.
type memoryDesk struct {
	filter   ledger.WorkFilter
	closings []ledger.DayClosing
	checks   []Upload
	maker    string
	err      error
}

const deskToday = ledger.Day(20_010)

func (m *memoryDesk) Days(_ context.Context, u schemas.Medium, from, to ledger.Day) (ledger.DayOverview, error) {
	o := ledger.DayOverview{Utility: u, LastRun: ledger.KnownDay{Day: deskToday - 1, Known: true}}
	for d := to; d >= from; d-- {
		o.Days = append(o.Days, ledger.DayLine{Day: d})
	}
	return o, m.err
}

func (m *memoryDesk) Day(_ context.Context, u schemas.Medium, day ledger.Day) (LedgerDay, error) {
	l := ledger.DayLine{Day: day, SalesFiles: 1, Sold: ledger.Sum{Count: 2, Fen: 9_007_199_254_740_993}, Refunded: ledger.Sum{Fen: 7}, Run: &ledger.DayRun{ID: 3, From: day, To: day, By: m.maker}}
	return LedgerDay{Line: l, Overview: ledger.DayOverview{Utility: u}, Unlooked: 4}, m.err
}

func (m *memoryDesk) CloseDay(_ context.Context, c ledger.DayClosing) (ledger.DayClosing, error) {
	if m.err != nil {
		return c, m.err
	}
	m.closings = append(m.closings, c)
	return c, nil
}

func (m *memoryDesk) items() []ledger.WorkItem {
	d := ledger.Difference{Class: ledger.SaleNoPay, Utility: schemas.Water, Channel: "pos", Order: "=1+1", Amount: -5_007, Day: deskToday - 3}
	e := ledger.Difference{Class: ledger.PaidNoSale, Utility: schemas.Gas, Channel: "pos", Order: "8", Amount: 9_007_199_254_740_993, Day: deskToday - 1}
	return []ledger.WorkItem{{Key: "a", Difference: d, State: ledger.Explained, LastBy: "chen"}, {Key: "b", Difference: e, State: ledger.Open}}
}

func (m *memoryDesk) Work(_ context.Context, f ledger.WorkFilter) (ledger.WorkList, error) {
	m.filter = f
	return ledger.WorkList{Items: m.items(), Total: 2, Groups: []ledger.WorkGroup{{Class: ledger.SaleNoPay, State: ledger.Explained, Band: 1, Count: 1, Below: -5_007}}}, m.err
}

func (m *memoryDesk) Dossier(_ context.Context, key string) (ledger.Dossier, error) {
	if key != "a" {
		return ledger.Dossier{}, fmt.Errorf("difference %s: %w", key, ErrUnknown)
	}
	return ledger.Dossier{WorkItem: m.items()[0], Events: []ledger.DossierEvent{{At: epoch, Sale: &ledger.Sale{ID: 5, Undoes: "7", Amount: 5_007}, Import: 2, File: "f.csv"}}}, nil
}

func (m *memoryDesk) Rows(context.Context, string, ledger.RowFilter) ([]ledger.Row, int64, error) {
	return []ledger.Row{{Payment: &ledger.Payment{ID: 1, Amount: 1, At: epoch}, Import: 9}}, 1, nil
}

func (m *memoryDesk) Source(context.Context, ledger.Content, int64) (ledger.Source, error) {
	return ledger.Source{Row: 2, Line: 4, Text: "x,y", Names: "a,b"}, nil
}

func (m *memoryDesk) SearchPlaces(context.Context, string) ([]ledger.PlaceMatch, error) {
	return []ledger.PlaceMatch{{Place: ledger.Place{Meter: "W-1"}, By: "card"}}, nil
}

func (m *memoryDesk) Mappings(context.Context) ([]FileMapping, error) {
	return []FileMapping{{Name: "citygrid", Version: "1"}}, nil
}

func (m *memoryDesk) Check(_ context.Context, u Upload) (FileCheck, error) {
	m.checks = append(m.checks, u)
	return FileCheck{Mapping: "citygrid", Mistakes: []FileFault{{Line: 3, Column: 7, Field: "amount", Text: "12.345", What: "want yuan"}}, More: true}, m.err
}

func deskHandler(t *testing.T) (http.Handler, *memoryDesk) {
	t.Helper()
	l, m := &memoryLedger{doc: emptyStatement(t)}, &memoryDesk{maker: "zhang"}
	return newHandler(t, func(o *Options) {
		o.Ledger = &Ledger{Auth: people(t), Files: l, Runner: l, Runs: l, Differences: l, Register: l,
			Desk: &Desk{Days: m, Work: m, Rows: m, Files: m, Today: func() ledger.Day { return deskToday }}}
	}), m
}

// asFile sends the bytes of a file.
func asFile(h http.Handler, person, target, raw string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", target, strings.NewReader(raw))
	if person != "" {
		r.Header.Set("Authorization", "Bearer token-"+person)
	}
	r.Header.Set("Content-Type", "application/octet-stream")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestDeskRoleMatrix asks for every operation of the desk as everybody.
func TestDeskRoleMatrix(t *testing.T) {
	all := "zhang li wang chen"
	for _, tt := range []struct{ method, target, body, may string }{
		{"GET", "/ledger/desk", "", all},
		{"GET", "/ledger/days", "", all},
		{"GET", "/ledger/day?utility=water&day=2026-11-21", "", all},
		{"POST", "/ledger/day-closings", `{"utility":"water","day":"2026-11-21"}`, "wang chen"},
		{"GET", "/ledger/work", "", all},
		{"GET", "/ledger/dossier?key=a", "", all},
		{"GET", "/ledger/rows?ledger=payments&from=2026-11-21", "", all},
		{"GET", "/ledger/source?ledger=sales&row=5", "", all},
		{"GET", "/ledger/search?text=W-1", "", all},
		{"GET", "/exports/differences", "", all},
		{"POST", "/ledger/file-checks?name=a.csv", "x", "zhang chen"},
	} {
		for _, person := range []string{"", "nobody", "zhang", "li", "wang", "chen"} {
			h, m := deskHandler(t)
			target := "/api/v1" + tt.target
			ask := func() *httptest.ResponseRecorder { return as(h, person, tt.method, target, tt.body) }
			if strings.Contains(tt.target, "file-checks") {
				ask = func() *httptest.ResponseRecorder { return asFile(h, person, target, tt.body) }
			}
			r := ask()
			want := 200
			switch {
			case person == "" || person == "nobody":
				want = 401
			case !strings.Contains(tt.may, person):
				want = 403
			case strings.HasSuffix(tt.target, "day-closings"):
				want = 201
			}
			if r.Code != want {
				t.Errorf("%s %s as %q: %d %s, want %d", tt.method, tt.target, person, r.Code, r.Body, want)
			}
			if want >= 400 && len(m.closings)+len(m.checks) > 0 {
				t.Errorf("%s %s as %q changed something", tt.method, tt.target, person)
			}
		}
	}
}

// TestNoDeskIsSaid: a hub that was made without one.
func TestNoDeskIsSaid(t *testing.T) {
	h, _ := ledgerHandler(t)
	for _, target := range []string{"/ledger/days", "/ledger/work", "/exports/differences"} {
		if w := as(h, "zhang", "GET", "/api/v1"+target, ""); w.Code != 404 || codeOf(t, w) != codeNoLedger {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
}

// TestDayTellsExactlyAndWhoMayClose: amounts to the fen, and the reason before anybody tries.
func TestDayTellsExactlyAndWhoMayClose(t *testing.T) {
	for person, why := range map[string]string{"zhang": codeRole, "li": codeRole, "wang": "", "chen": ""} {
		h, _ := deskHandler(t)
		var d DayDetailJSON
		w := as(h, person, "GET", "/api/v1/ledger/day?utility=water&day=2026-11-21", "")
		if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || d.Close.Why != why || d.Close.May != (why == "") || d.Close.Unlooked != 4 || d.Close.Maker != "zhang" {
			t.Errorf("%s: %d %s", person, w.Code, w.Body)
		}
		if d.Line.Sold.Amount != "90071992547409.93" || d.Line.Difference != "-90071992547409.86" {
			t.Errorf("sold %s, difference %s", d.Line.Sold.Amount, d.Line.Difference)
		}
	}
	h, m := deskHandler(t)
	m.maker = "WANG"
	var d DayDetailJSON
	if err := json.Unmarshal(as(h, "wang", "GET", "/api/v1/ledger/day?utility=water&day=2026-11-21", "").Body.Bytes(), &d); err != nil || d.Close.Why != codePerson || d.Close.May {
		t.Errorf("the maker of the run: %+v, %v", d.Close, err)
	}
	for why, code := range map[ledger.NotClosedWhy]string{ledger.SameMaker: codePerson, ledger.NotReconciled: codeStep} {
		m.err = &ledger.NotClosedError{Utility: schemas.Water, Day: deskToday, Why: why, What: "because"}
		w := as(h, "wang", "POST", "/api/v1/ledger/day-closings", `{"utility":"water","day":"2026-11-21"}`)
		var p Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 409 || p.Code != code || p.Why != string(why) {
			t.Errorf("%s: %d %s", why, w.Code, w.Body)
		}
	}
}

// TestWorkIsAskedAsTheFilterSays: what the query says arrives at the books.
func TestWorkIsAskedAsTheFilterSays(t *testing.T) {
	h, m := deskHandler(t)
	w := as(h, "zhang", "GET", "/api/v1/ledger/work?class=SALE_NO_PAY,DUP_PAY&state=open,assigned&min_age=4&max_age=7&least=1.5&most=99&text="+url.QueryEscape("a b")+"&sort=amount&down=true&limit=7&offset=14", "")
	f := m.filter
	if w.Code != 200 || len(f.Classes) != 2 || len(f.States) != 2 || !f.From.Known || f.From.Day != deskToday-7 || !f.To.Known || f.To.Day != deskToday-4 ||
		f.Least != 150 || f.Most != 9900 || f.Text != "a b" || f.Sort != ledger.ByAmount || !f.Down || f.Limit != 7 || f.Offset != 14 || f.AsOf != deskToday {
		t.Errorf("%d %s: %+v", w.Code, w.Body, f)
	}
	var l WorkListJSON
	if err := json.Unmarshal(w.Body.Bytes(), &l); err != nil || l.Total != 2 || l.Groups[0].Below != "-50.07" || l.Rows[0].Amount != "-50.07" || l.Rows[0].LastBy != "chen" {
		t.Errorf("%s", w.Body)
	}
	for _, bad := range []string{"class=NO", "state=lost", "least=x", "least=-1", "from=yesterday", "sort=colour", "min_age=-1"} {
		if w := as(h, "zhang", "GET", "/api/v1/ledger/work?"+bad, ""); w.Code != 422 {
			t.Errorf("%s: %d %s", bad, w.Code, w.Body)
		}
	}
	m.err = errors.New("secret of the database")
	if w := as(h, "zhang", "GET", "/api/v1/ledger/work", ""); w.Code != 503 || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestDossierSaysWhoMayDoWhat: the steps of each person, with the reason where not.
func TestDossierSaysWhoMayDoWhat(t *testing.T) {
	for person, want := range map[string]string{
		"zhang": "explain assign adjust:" + codeRole,
		"li":    "explain:" + codeRole + " assign:" + codeRole + " adjust",
		"chen":  "explain assign adjust:" + codePerson, // took the step before
	} {
		h, _ := deskHandler(t)
		w := as(h, person, "GET", "/api/v1/ledger/dossier?key=a", "")
		var d DossierJSON
		if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		var got []string
		for _, s := range d.Steps {
			if s.May != (s.Why == "") {
				t.Errorf("%+v", s)
			}
			got = append(got, strings.TrimSuffix(s.Action+":"+s.Why, ":"))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", person, got, want)
		}
		if e := d.Events[0]; e.Import != 2 || e.File != "f.csv" || e.Row != 5 || e.Undoes != "7" {
			t.Errorf("event %+v", e)
		}
	}
	h, _ := deskHandler(t)
	if w := as(h, "li", "GET", "/api/v1/ledger/dossier?key=zz", ""); w.Code != 404 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestExportIsExact: amounts to the fen, no formulas, and numbers where a sheet can hold them.
func TestExportIsExact(t *testing.T) {
	h, m := deskHandler(t)
	w := as(h, "li", "GET", "/api/v1/exports/differences?utility=water", "")
	text := w.Body.String()
	if m.filter.Utility != schemas.Water || !strings.HasPrefix(text, byteOrderMark) || !strings.Contains(text, ",-50.07,") || !strings.Contains(text, ",90071992547409.93,") || !strings.Contains(text, ",'=1+1,") {
		t.Errorf("%s", text)
	}
	book := as(h, "li", "GET", "/api/v1/exports/differences?format=xlsx", "")
	f, err := excelize.OpenReader(bytes.NewReader(book.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for cell, want := range map[string]string{"G2": "-50.07", "G3": "90071992547409.93", "J2": "=1+1"} {
		if got, err := f.GetCellValue("Sheet1", cell, excelize.Options{RawCellValue: true}); err != nil || got != want {
			t.Errorf("%s is %q, want %q, %v", cell, got, want, err)
		}
	}
	if kind, err := f.GetCellType("Sheet1", "G3"); err != nil || kind == excelize.CellTypeNumber || kind == excelize.CellTypeUnset {
		t.Errorf("17 digits are a number of kind %v, %v", kind, err)
	}
}

// TestCheckTellsByLine: what is wrong, structured, and nothing imported.
func TestCheckTellsByLine(t *testing.T) {
	h, m := deskHandler(t)
	w := asFile(h, "zhang", "/api/v1/ledger/file-checks?name=a.csv&utility=gas&day=2026-11-21&number=2&channel=pos", "\xff\x00raw")
	var c FileCheckJSON
	if err := json.Unmarshal(w.Body.Bytes(), &c); err != nil || c.State != "wrong" || !c.More || c.Mistakes[0] != (FileFaultJSON{3, 7, "amount", "12.345", "want yuan"}) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	u := m.checks[0]
	if string(u.Raw) != "\xff\x00raw" || u.Utility != schemas.Gas || !u.Day.Known || u.Day.Day.String() != "2026-11-21" || u.Number != 2 || u.Channel != "pos" || u.By != "zhang" {
		t.Errorf("upload %+v", u)
	}
	same := &ledger.Import{Digest: ledger.DigestOf([]byte("a"))}
	for want, c := range map[string]FileCheck{"new": {File: same}, "imported": {File: same, Held: same, Same: true}, "taken": {File: same, Held: &ledger.Import{}}} {
		if got := checkJSON(&c).State; got != want {
			t.Errorf("state %s, want %s", got, want)
		}
	}
}
