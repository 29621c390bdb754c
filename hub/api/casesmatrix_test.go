package api

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
	"go.yaml.in/yaml/v3"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
)

// TestCaseRoleMatrix asks for every operation as everybody: who may gets an answer,
// nobody else does, and nothing changes for those who may not.
func TestCaseRoleMatrix(t *testing.T) {
	all := "ins acc lead dis wat gas adm wu"
	act := func(body string) [2]string { return [2]string{"POST", "/cases/{id}/acts " + body} }
	put := "/reports/" + uuid1 + " " + aReport
	digest := testDigest([]byte("photo1"))
	for _, tt := range []struct {
		op  [2]string
		may string
	}{
		{[2]string{"GET", "/me"}, all},
		{[2]string{"GET", "/cases"}, all},
		{[2]string{"GET", "/cases/{id}"}, all},
		{[2]string{"GET", "/cases/{id}/journal"}, all},
		{[2]string{"GET", "/similar-cases?component=C-1&class=CJ%2FT%20214-2007:component:0101"}, all},
		{[2]string{"GET", "/cases/{id}/petitioner"}, "acc lead wu"},
		{[2]string{"DELETE", "/cases/{id}/petitioner"}, "adm"},
		{[2]string{"POST", "/cases " + strings.Replace(aReport, `{"report":{`, `{"report":{"source":"video",`, 1)}, "acc"},
		{[2]string{"POST", "/cases " + strings.Replace(aReport, `{"report":{`, `{"role":"inspector","report":{`, 1)}, "ins wu"},
		{[2]string{"PUT", put}, "ins"},
		{act(`{"act":"note","text":"x","role":"inspector"}`), "ins wu"},
		{act(`{"act":"note","text":"x","role":"department"}`), ""}, // it was not sent to it
		{act(`{"act":"classify","classification":{"class":"` + coverClass + `"}}`), "acc wu"},
		{act(`{"act":"ask_void","reason":"x"}`), ""},
		{act(`{"act":"accept"}`), ""},
		{act(`{"act":"send_verify","inspector":"ins"}`), "acc wu"},
		{[2]string{"POST", `/acts/batch {"items":[{"client_id":"` + uuid2 + `","case":"{id}","act":{"act":"note","text":"x"}}]}`}, "ins acc lead dis wat gas wu"},
		{[2]string{"POST", "/media photo1"}, "ins acc lead dis wat gas wu"},
		{[2]string{"PUT", "/media/" + digest + " photo1"}, "ins acc lead dis wat gas wu"},
		{[2]string{"GET", "/indicators?from=2026-11-01&to=2026-11-30"}, all},
		{[2]string{"GET", "/exports/indicators?from=2026-11-01&to=2026-11-30"}, all},
		{[2]string{"GET", "/exports/cases"}, all},
	} {
		tn := openTown(t, nil)
		var d ActDoneJSON
		tn.do(t, "acc", "POST", "/api/v1/cases", `{"report":{"source":"hotline","class":"`+coverClass+`","description":"d","location":"l"},"petitioner":{"name":"x"}}`, 201, &d)
		for _, person := range append([]string{"", "nobody"}, strings.Fields(all)...) {
			before, err := tn.desk.Count(t.Context(), desk.Filter{})
			if err != nil {
				t.Fatal(err)
			}
			journal, err := tn.desk.Journal(t.Context(), cases.CaseID(d.Case))
			if err != nil {
				t.Fatal(err)
			}
			target, body, _ := strings.Cut("/api/v1"+strings.ReplaceAll(tt.op[1], "{id}", d.Case), " ")
			w := tn.do(t, person, tt.op[0], target, body, 0, nil)
			known := person != "" && person != "nobody"
			may := known && slices.Contains(strings.Fields(tt.may), person)
			switch {
			case !known:
				if w.Code != 401 || codeOf(t, w) != codeNobody || w.Header().Get("WWW-Authenticate") == "" {
					t.Errorf("%v as %q: %d %s", tt.op, person, w.Code, w.Body)
				}
			case may && w.Code >= 300 && !alreadyDone(w):
				t.Errorf("%v as %s: %d %s", tt.op, person, w.Code, w.Body)
			case !may && w.Code < 400:
				t.Errorf("%v as %s: %d %s, want a refusal", tt.op, person, w.Code, w.Body)
			case !may && w.Code != 403 && w.Code != 409 && w.Code != 422:
				t.Errorf("%v as %s: %d %s", tt.op, person, w.Code, w.Body)
			}
			if may {
				continue
			}
			after, err := tn.desk.Count(t.Context(), desk.Filter{})
			if err != nil {
				t.Fatal(err)
			}
			later, err := tn.desk.Journal(t.Context(), cases.CaseID(d.Case))
			if err != nil || after != before || len(later) != len(journal) || len(tn.media.held) > 0 && !strings.HasPrefix(tt.op[1], "/media") {
				t.Errorf("%v as %q changed something", tt.op, person)
			}
		}
	}
}

// alreadyDone: of several who may, one was first; the others are told so.
func alreadyDone(w *httptest.ResponseRecorder) bool {
	var p Problem
	return json.Unmarshal(w.Body.Bytes(), &p) == nil && (p.Code == codeConflict && p.Why == "state" || p.Code == codeClientID)
}

// TestNoCases: a hub without the section says so everywhere.
func TestNoCases(t *testing.T) {
	h := newHandler(t, nil)
	for _, target := range []string{"/api/v1/me", "/api/v1/cases", "/api/v1/indicators?from=2026-11-01&to=2026-11-02", "/api/v1/codes/terms"} {
		if w := ask(h, "GET", target); w.Code != 404 || codeOf(t, w) != codeNoCases {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	tn := openTown(t, func(c *Cases) { c.Media, c.Indicators, c.Open311 = nil, nil, nil })
	for target, code := range map[string]string{"/api/v1/media/" + strings.Repeat("ab", 32): codeNoMedia, "/api/v1/indicators?from=2026-11-01&to=2026-11-02": codeNoIndicators} {
		if w := tn.do(t, "ins", "GET", target, "", 404, nil); codeOf(t, w) != code {
			t.Errorf("%s: %s", target, w.Body)
		}
	}
	tn.do(t, "ins", "POST", "/api/v1/media", "photo", 404, nil)
	tn.do(t, "", "GET", "/open311/v2/services.xml", "", 404, nil)
}

// brokenDesk fails as a database does.
type brokenDesk struct {
	CaseDesk
	after int // how many lists go well
}

var errBroken = errors.New("dial tcp: secret-host refused")

func (b *brokenDesk) ActAll(context.Context, []desk.Submission) ([]desk.Result, error) {
	return nil, errBroken
}
func (b *brokenDesk) Case(context.Context, cases.CaseID) (*cases.Case, error) { return nil, errBroken }
func (b *brokenDesk) Journal(context.Context, cases.CaseID) ([]cases.Entry, error) {
	return nil, errBroken
}
func (b *brokenDesk) Count(context.Context, desk.Filter) (int64, error) { return 0, errBroken }
func (b *brokenDesk) MediaBy(context.Context, string) (desk.Media, error) {
	return desk.Media{}, errBroken
}
func (b *brokenDesk) List(ctx context.Context, f desk.Filter) ([]desk.Summary, error) {
	if b.after--; b.after < 0 {
		return nil, errBroken
	}
	return make([]desk.Summary, f.Limit), nil
}

// TestDeskDown: an error of the store is told without its text, and nothing looks
// whole that is not.
func TestDeskDown(t *testing.T) {
	broken := &brokenDesk{}
	tn := openTown(t, func(c *Cases) { broken.CaseDesk, c.Desk = c.Desk, broken })
	form := "api_key=" + openKey + "&service_code=" + openCover + "&description=x&address_string=y"
	for _, op := range [][3]string{
		{"GET", "/api/v1/cases", ""}, {"GET", "/api/v1/cases/1", ""}, {"GET", "/api/v1/cases/1/journal", ""}, {"GET", "/api/v1/cases/1/petitioner", ""},
		{"POST", "/api/v1/cases", strings.Replace(aReport, `{"report":{`, `{"report":{"source":"video",`, 1)}, {"POST", "/api/v1/cases/1/acts", `{"act":"accept"}`},
		{"POST", "/api/v1/cases/1/acts", `{"act":"accept","expect_entries":1}`},
		{"GET", "/api/v1/exports/cases", ""}, {"PUT", "/api/v1/media/" + strings.Repeat("ab", 32), "photo"}, {"GET", "/api/v1/media/" + strings.Repeat("ab", 32), ""},
		{"GET", "/open311/v2/requests.json", ""}, {"GET", "/open311/v2/requests/1.json", ""}, {"GET", "/open311/v2/requests.json?service_request_id=1", ""}, {"POST", "/open311/v2/requests.json", form},
	} {
		header := []string{}
		if strings.HasPrefix(op[1], "/open311") {
			header = []string{"Content-Type", "application/x-www-form-urlencoded"}
		}
		w := tn.do(t, "acc", op[0], op[1], op[2], 503, nil, header...)
		if strings.Contains(w.Body.String(), "secret-host") {
			t.Errorf("%v tells the store's address: %s", op, w.Body)
		}
	}
	for _, format := range []string{"csv", "xlsx"} {
		cut := &brokenDesk{after: 1}
		tn := openTown(t, func(c *Cases) { cut.CaseDesk, c.Desk = c.Desk, cut })
		if format == "xlsx" {
			tn = openTown(t, func(c *Cases) { c.Desk = &countless{cut, c.Desk} })
		}
		server := httptest.NewServer(tn.handler)
		request, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/api/v1/exports/cases?format="+format, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer token-acc")
		response, err := server.Client().Do(request)
		if err == nil {
			_, err = io.ReadAll(response.Body)
			if closeErr := response.Body.Close(); closeErr != nil {
				t.Error(closeErr)
			}
		}
		if err == nil {
			t.Errorf("%s: an export that was cut off looks whole", format)
		}
		server.Close()
	}
}

// countless lists as the broken desk and counts as the sound one.
type countless struct {
	*brokenDesk
	sound CaseDesk
}

func (c *countless) Count(ctx context.Context, f desk.Filter) (int64, error) {
	return c.sound.Count(ctx, f)
}

// TestExportOfCases reads both forms back: every value is there, none is a formula.
func TestExportOfCases(t *testing.T) {
	tn := openTown(t, nil)
	const evil = "=HYPERLINK(\"http://x\")"
	body := func(description string) string {
		j, _ := json.Marshal(description)
		return `{"report":{"class":"` + coverClass + `","description":` + string(j) + `,"position":{"lon":120.1234567,"lat":30.2,"crs":"CGCS2000"}}}`
	}
	for _, d := range []string{evil, "＋1", "plain, \"quoted\"\nline", "-5"} {
		tn.do(t, "ins", "POST", "/api/v1/cases", body(d), 201, nil)
	}
	w := tn.do(t, "acc", "GET", "/api/v1/exports/cases?open=true", "", 200, nil)
	if !bytes.HasPrefix(w.Body.Bytes(), []byte(byteOrderMark)) || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/csv") ||
		!strings.Contains(w.Header().Get("Content-Disposition"), `attachment; filename="cases-2026-11-23.csv"`) {
		t.Errorf("%v", w.Header())
	}
	rows, err := csv.NewReader(bytes.NewReader(w.Body.Bytes()[len(byteOrderMark):])).ReadAll()
	if err != nil || len(rows) != 5 || len(rows[0]) != len(caseColumns()) {
		t.Fatalf("%d rows: %v", len(rows), err)
	}
	column := func(name string) int { return slices.Index(rows[0], name) }
	var got []string
	for _, r := range rows[1:] {
		got = append(got, r[column("description")])
		if r[column("reported")] != "2026-11-23T09:00:00+08:00" || r[column("lon")] != "120.1234567" || r[column("cell")] != oneCell || r[column("class")] != coverClass || r[column("light")] != "none" {
			t.Errorf("%v", r)
		}
	}
	if want := []string{"-5", "plain, \"quoted\"\nline", "'＋1", "'" + evil}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	x := tn.do(t, "acc", "GET", "/api/v1/exports/cases?format=xlsx", "", 200, nil)
	f, err := excelize.OpenReader(bytes.NewReader(x.Body.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	sheet, err := f.GetRows("Sheet1")
	if err != nil || len(sheet) != 5 || sheet[4][column("description")] != evil {
		t.Fatalf("%v %v", sheet, err)
	}
	at, _ := excelize.CoordinatesToCellName(column("description")+1, 5)
	if formula, _ := f.GetCellFormula("Sheet1", at); formula != "" {
		t.Errorf("a description is the formula %s", formula)
	}
	at, _ = excelize.CoordinatesToCellName(column("cell")+1, 2)
	if kind, _ := f.GetCellType("Sheet1", at); kind != excelize.CellTypeInlineString && kind != excelize.CellTypeSharedString {
		t.Errorf("a code is a cell of type %v", kind)
	}
	if _, err := zip.NewReader(bytes.NewReader(x.Body.Bytes()), int64(x.Body.Len())); err != nil {
		t.Error(err)
	}
	tn.do(t, "acc", "GET", "/api/v1/exports/cases?format=pdf", "", 422, nil)
}

// TestCasesContract holds what the operations answer to the contract: every member is
// described, and what the contract calls required is there.
func TestCasesContract(t *testing.T) {
	tn := openTown(t, nil)
	var doc struct {
		Paths      map[string]map[string]contractOperation
		Components struct{ Schemas map[string]schemaNode }
	}
	if err := yaml.Unmarshal(tn.do(t, "", "GET", "/api/v1/openapi.yaml", "", 200, nil).Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	id := tn.report(t)
	for _, s := range life()[:5] {
		tn.act(t, s.person, id, s.body)
	}
	base := "/api/v1/cases/"
	for _, tt := range []struct{ method, path, target, body, person, status string }{
		{"get", "/api/v1/me", "/api/v1/me", "", "wat", "200"},
		{"get", "/api/v1/cases", "/api/v1/cases?count=true", "", "wat", "200"},
		{"get", base + "{id}", base + id, "", "dis", "200"},
		{"get", base + "{id}/journal", base + id + "/journal", "", "wat", "200"},
		{"get", "/api/v1/similar-cases", "/api/v1/similar-cases?component=C-1&class=CJ%2FT%20214-2007:component:0101", "", "wat", "200"},
		{"post", base + "{id}/acts", base + id + "/acts", `{"act":"note","text":"x"}`, "wat", "201"},
		{"post", "/api/v1/cases", "/api/v1/cases", aReport, "ins", "201"},
		{"put", "/api/v1/reports/{client_id}", "/api/v1/reports/" + uuid1, aReport, "ins", "201"},
		{"post", "/api/v1/acts/batch", "/api/v1/acts/batch", `{"items":[{"client_id":"` + uuid2 + `","case":"` + id + `","act":{"act":"note","text":"x"}}]}`, "wat", "200"},
		{"post", "/api/v1/media", "/api/v1/media", "photo1", "wat", "201"},
		{"get", "/api/v1/codes/lists", "/api/v1/codes/lists", "", "", "200"},
		{"get", "/api/v1/codes/classes", "/api/v1/codes/classes", "", "", "200"},
		{"get", "/api/v1/codes/terms", "/api/v1/codes/terms", "", "", "200"},
		{"get", "/api/v1/codes/explain", "/api/v1/codes/explain?code=0101", "", "", "200"},
		{"get", "/api/v1/indicators", "/api/v1/indicators?from=2026-11-01&to=2026-11-30", "", "lead", "200"},
	} {
		op, ok := doc.Paths[tt.path][tt.method]
		if !ok || op.Summary == "" || op.Responses["default"].Content[problemMediaType].Schema.Ref == "" {
			t.Errorf("%s %s is not described", tt.method, tt.path)
			continue
		}
		if open := strings.HasPrefix(tt.path, "/api/v1/codes"); open == (len(op.Security) > 0) {
			t.Errorf("%s %s: security %v", tt.method, tt.path, op.Security)
		}
		var got any
		tn.do(t, tt.person, strings.ToUpper(tt.method), tt.target, tt.body, 0, &got)
		schema := op.Responses[tt.status].Content["application/json"].Schema
		for _, wrong := range schema.against(doc.Components.Schemas, got, tt.path) {
			t.Error(wrong)
		}
	}
}

type contractOperation struct {
	Summary   string
	Security  []map[string][]string
	Responses map[string]struct {
		Content map[string]struct{ Schema schemaNode }
	}
}

// against returns what of v the schema does not describe.
func (n schemaNode) against(all map[string]schemaNode, v any, where string) (wrong []string) {
	if _, name, ok := strings.Cut(n.Ref, "#/components/schemas/"); ok {
		return all[name].against(all, v, where)
	}
	switch v := v.(type) {
	case []any:
		if n.Items == nil {
			return []string{where + ": an array, want none"}
		}
		for _, one := range v {
			wrong = append(wrong, n.Items.against(all, one, where+"[]")...)
		}
	case map[string]any:
		if n.Properties == nil {
			return nil // a map
		}
		for name, one := range v {
			p, ok := n.Properties[name]
			if !ok {
				wrong = append(wrong, where+"."+name+" is not described")
				continue
			}
			wrong = append(wrong, p.against(all, one, where+"."+name)...)
		}
		for _, name := range n.Required {
			if _, ok := v[name]; !ok {
				wrong = append(wrong, where+"."+name+" is missing")
			}
		}
	case nil:
		wrong = append(wrong, where+": null")
	case string:
		if len(n.Enum) > 0 && !slices.Contains(n.Enum, v) {
			wrong = append(wrong, fmt.Sprintf("%s: %q is none of %v", where, v, n.Enum))
		}
	}
	return wrong
}

// TestWalksOverTheAPI: whatever people do in whatever order, the hub answers with a
// success or a problem of theirs; what it said they may do, they can; and the tables
// still follow from the journals.
func TestWalksOverTheAPI(t *testing.T) {
	steps := 400
	if testing.Short() {
		steps = 80
	}
	ends := map[string]int{}
	for seed := range uint64(4) {
		tn := openTown(t, nil)
		w := &walker{T: t, tn: tn, r: rand.New(rand.NewPCG(seed, 311)), ends: ends}
		for range steps {
			w.step()
		}
		if err := tn.desk.Check(t.Context(), func(f desk.Finding) { t.Errorf("seed %d: %+v", seed, f) }); err != nil {
			t.Error(err)
		}
	}
	if !testing.Short() && (ends["closed"] == 0 || ends["rejected"] == 0 || ends["voided"] == 0) {
		t.Errorf("the walks come to no more ends than %v", ends)
	}
}

type walker struct {
	*testing.T
	tn   *town
	r    *rand.Rand
	ids  []string
	ends map[string]int
}

func one[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func (w *walker) step() {
	w.tn.pass(time.Duration(w.r.IntN(3600)) * time.Second)
	switch n := w.r.IntN(20); {
	case len(w.ids) < 3:
		var d ActDoneJSON
		person := one(w.r, []string{"ins", "acc", "ins2"})
		body := aReport
		if person == "acc" {
			body = strings.Replace(aReport, `{"report":{`, `{"report":{"source":"`+one(w.r, []string{"hotline", "video", "web"})+`",`, 1)
		} else if w.r.IntN(3) == 0 {
			body = strings.Replace(aReport, `"report":{`, `"report":{"self_handled":true,`, 1)
		}
		w.tn.do(w, person, "POST", "/api/v1/cases", body, 201, &d)
		w.ids = append(w.ids, d.Case)
	case n == 1:
		form := "api_key=" + openKey + "&service_code=" + openCover + "&address_string=y&description=" + fmt.Sprint(w.r.IntN(5))
		w.request("", "POST", "/open311/v2/requests.json", form, "application/x-www-form-urlencoded")
	case n == 2:
		w.request("lead", "GET", one(w.r, []string{"/api/v1/cases?open=true", "/api/v1/exports/cases", "/open311/v2/requests.xml?status=closed",
			"/api/v1/indicators?from=2026-11-01&to=2026-12-31"}), "", "")
	case n < 6: // anybody tries anything
		act := one(w.r, cases.Acts())
		w.request(one(w.r, strings.Fields("ins ins2 acc lead dis wat gas adm wu")), "POST", "/api/v1/cases/"+one(w.r, w.ids)+"/acts", w.body(string(act)), "application/json")
	default:
		w.allowedAct()
	}
}

// allowedAct does what the hub says that somebody may do.
func (w *walker) allowedAct() {
	person, id := one(w.r, strings.Fields("ins ins2 acc lead dis wat gas")), one(w.r, w.ids)
	var d CaseDetail
	w.tn.do(w, person, "GET", "/api/v1/cases/"+id, "", 200, &d)
	acts := slices.DeleteFunc(d.Allowed[0].Acts, func(act string) bool { // most cases go their whole way
		aside := strings.HasPrefix(act, "ask_") || slices.Contains([]string{"note", "classify", "reject"}, act)
		return act == "report" || aside && w.r.IntN(8) > 0
	})
	if len(acts) == 0 {
		return
	}
	act := one(w.r, acts)
	var done ActDoneJSON
	body := w.body(act)
	w.tn.do(w, person, "POST", "/api/v1/cases/"+id+"/acts", body, 201, &done, "If-Match", entriesTag(d.Entries))
	if cases.State(done.State).Final() {
		w.ends[done.State]++
		w.ids = slices.DeleteFunc(w.ids, func(other string) bool { return other == id })
	}
}

// body is an act with what it needs.
func (w *walker) body(act string) string {
	more := map[string]string{
		"classify":    `,"reason":"x","classification":{"class":"` + one(w.r, []string{coverClass, gasClass}) + `"}`,
		"send_verify": `,"inspector":"` + one(w.r, []string{"ins", "ins2"}) + `"`, "send_check": `,"inspector":"` + one(w.r, []string{"ins", "ins2"}) + `"`,
		"answer_verify": `,"reason":"x","outcome":"` + one(w.r, []string{"yes", "no"}) + `"`, "answer_check": `,"reason":"x","outcome":"` + one(w.r, []string{"yes", "no"}) + `"`,
		"file": `,"filing":{"condition":"missing"` + one(w.r, []string{``, `,"cell":"` + oneCell + `"`}) + `}`, "dispatch": `,"departments":` + one(w.r, []string{`["water"]`, `["gas","water"]`}),
		"ask_extension": `,"reason":"x","amount":1`, "feed_back": `,"text":"x"`, "note": `,"text":"x"`, "cleared": `,"event":"x"`,
	}[act]
	if more == "" {
		more = `,"reason":"x"`
	}
	return `{"act":"` + act + `"` + more + `}`
}

func (w *walker) request(person, method, target, body, contentType string) {
	a := w.tn.do(w, person, method, target, body, 0, nil, "Content-Type", contentType)
	if a.Code >= 500 {
		w.Errorf("%s %s %s as %s: %d %s", method, target, body, person, a.Code, a.Body)
	}
}

// FuzzActs: whatever a body says, the answer is a success or a problem of its
// sender's, and what was stored can be read again.
func FuzzActs(f *testing.F) {
	for _, s := range life() {
		f.Add("acc", s.body)
	}
	f.Add("ins", `{"act":"note","media":[{"sm3":"`+strings.Repeat("ab", 32)+`","stage":"report"}],"position":{"lon":1e308,"lat":-0,"crs":"WGS84"},"at":"0001-01-01T00:00:00Z"}`)
	f.Add("wu", `{"items":[{"client_id":"`+uuid1+`","report":`+aReport+`}]}`)
	f.Add("ins", aReport)
	f.Add("acc", `{"report":{"source":"hotline","class":"`+coverClass+`","description":"\u0000","location":"\ud800"},"petitioner":{"name":"x","email":"\n"}}`)
	tn := openTown(f, nil)
	id := tn.report(f)
	f.Fuzz(func(t *testing.T, person, body string) {
		if _, ok := crew()[person]; !ok {
			person = "acc"
		}
		for _, target := range []string{"/api/v1/cases/" + id + "/acts", "/api/v1/cases", "/api/v1/acts/batch"} {
			w := tn.do(t, person, "POST", target, body, 0, nil, "Content-Type", "application/json")
			if w.Code >= 500 || !json.Valid(w.Body.Bytes()) {
				t.Fatalf("POST %s %q as %s: %d %s", target, body, person, w.Code, w.Body)
			}
			if w.Code >= 400 && codeOf(t, w) == "" {
				t.Fatalf("no code: %s", w.Body)
			}
		}
		var d CaseDetail
		tn.do(t, person, "GET", "/api/v1/cases/"+id, "", 200, &d)
		if cases.State(d.State).Final() || d.Entries > 50 {
			id = tn.report(t)
		}
	})
}
