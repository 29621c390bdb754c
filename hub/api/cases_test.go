package api

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/hub/cases"
	"citygrid/schemas/codes"
)

func TestLifeOfACase(t *testing.T) {
	tn := openTown(t, nil)
	id := tn.report(t)
	for n, s := range life() {
		var d CaseDetail
		w := tn.do(t, s.person, "GET", "/api/v1/cases/"+id, "", 200, &d)
		var a struct{ Act string }
		if err := json.Unmarshal([]byte(s.body), &a); err != nil {
			t.Fatal(err)
		}
		if len(d.Allowed) != 1 || !slices.Contains(d.Allowed[0].Acts, a.Act) {
			t.Errorf("step %d: %s is not among %v", n, a.Act, d.Allowed)
		}
		if w.Header().Get("ETag") != fmt.Sprintf("%q", fmt.Sprint(n+1)) || d.Entries != uint32(n+1) {
			t.Errorf("step %d: ETag %s, entries %d", n, w.Header().Get("ETag"), d.Entries)
		}
		if d.State == "filed" && !slices.Equal(d.Suggested, []string{"water"}) {
			t.Errorf("suggested %v", d.Suggested)
		}
		if d.State == "handling" && (d.Light != "green" || d.Deadline == nil || d.HandlerName != "部门 water" || d.Limit == nil) {
			t.Errorf("handling: light %s, deadline %v, handler %q, limit %v", d.Light, d.Deadline, d.HandlerName, d.Limit)
		}
		tn.act(t, s.person, id, s.body)
		tn.pass(time.Minute)
	}
	var page CasePage
	tn.do(t, "dis", "GET", "/api/v1/cases?count=true", "", 200, &page)
	if len(page.Rows) != 1 || *page.Total != 1 || page.Rows[0].State != "closed" || page.Rows[0].Ended == nil || page.Rows[0].Light != "green" || page.Rows[0].Cell != oneCell {
		t.Errorf("list %+v", page)
	}
	var journal []EntryJSON
	tn.do(t, "gas", "GET", "/api/v1/cases/"+id+"/journal", "", 200, &journal)
	if len(journal) != 11 || journal[0].Report == nil || journal[2].Filing.Cell != oneCell || journal[3].Departments[1] != "gas" || journal[10].Previous != journal[9].SM3 {
		t.Errorf("journal %+v", journal)
	}
	entries, err := tn.desk.Journal(t.Context(), cases.CaseID(id))
	if err != nil || entries[10].Digest() != journal[10].SM3 {
		t.Errorf("digest %v", err)
	}
	tn.do(t, "adm", "GET", "/api/v1/cases/X/journal", "", 404, nil)
}

// TestConflicts: what does not fit is told with the reason and with what does.
func TestConflicts(t *testing.T) {
	tn := openTown(t, nil)
	id := tn.report(t)
	for _, tt := range []struct {
		person, body string
		status       int
		code, why    string
		allowed      string
	}{
		{"acc", `{"act":"rework"}`, 409, codeConflict, "state", "classify accept reject note send_verify"},
		{"wat", `{"act":"take"}`, 409, codeConflict, "state", ""},
		{"lead", `{"act":"accept"}`, 403, codeRole, "role", ""},
		{"wu", `{"act":"note","text":"x"}`, 422, codeInvalid, "", ""},
		{"wu", `{"act":"note","text":"x","role":"dispatcher"}`, 403, codeRole, "role", ""},
		{"acc", `{"act":"reject"}`, 422, codeInvalid, "", ""},
		{"acc", `{"act":"send_verify"}`, 422, codeInvalid, "", ""},
		{"acc", `{"act":"accept","event":"x"}`, 422, codeInvalid, "", ""},
		{"acc", `{"act":"cleared"}`, 422, codeInvalid, "", ""},
		{"acc", `{"act":"report"}`, 422, codeInvalid, "", ""},
		{"acc", `{"act":"classify","classification":{"class":"CJ/T 214-2007:component:9999"},"reason":"x"}`, 422, codeInvalid, "", ""},
		{"acc", `{"act":"note","text":" x"}`, 422, codeInvalid, "", ""},
		{"acc", `{"act":"note","media":[{"sm3":"` + strings.Repeat("ab", 32) + `","stage":"report"}]}`, 422, codeInvalid, "", ""},
		{"acc", `{"act":"accept","expect_entries":7}`, 412, codeStale, "", ""},
		{"acc", `{`, 400, codeInvalid, "", ""},
	} {
		w := tn.do(t, tt.person, "POST", "/api/v1/cases/"+id+"/acts", tt.body, tt.status, nil)
		var p Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Code != tt.code || p.Why != tt.why || w.Header().Get("Content-Type") != problemMediaType {
			t.Errorf("%s: %s", tt.body, w.Body)
		}
		want := strings.Fields(tt.allowed)
		slices.Sort(want)
		slices.Sort(p.Allowed)
		if tt.allowed != "" && !slices.Equal(p.Allowed, want) {
			t.Errorf("%s: allowed %v, want %v", tt.body, p.Allowed, want)
		}
		if tt.status == 422 && tt.code == codeInvalid && (len(p.Errors) == 0 || !strings.HasPrefix(p.Errors[0].Location, "body")) {
			t.Errorf("%s names no field: %s", tt.body, w.Body)
		}
	}
	tn.do(t, "acc", "POST", "/api/v1/cases/nothing/acts", `{"act":"accept"}`, 404, nil)
	tn.do(t, "acc", "POST", "/api/v1/cases/"+id+"/acts", `{"act":"note","text":"x"}`, 412, nil, "If-Match", `"2"`)
	tn.do(t, "acc", "POST", "/api/v1/cases/"+id+"/acts", `{"act":"note","text":"x"}`, 201, nil, "If-Match", `"7", "1"`)
}

const uuid1, uuid2 = "11111111-2222-4333-8444-555555555555", "11111111-2222-4333-8444-666666666666"

// TestUploadsAgain: what a phone sends twice is done once, and answered as it was.
func TestUploadsAgain(t *testing.T) {
	tn := openTown(t, nil)
	body := `{"at":"2026-11-23T08:30:00.123456+08:00","report":{"class":"` + coverClass + `","description":"井盖丢失","position":{"lon":120.1,"lat":30.2,"crs":"WGS84","accuracy":5}}}`
	var first, again ActDoneJSON
	w := tn.do(t, "ins", "PUT", "/api/v1/reports/"+uuid1, body, 201, &first)
	if w.Header().Get("Location") != "/api/v1/cases/"+first.Case {
		t.Errorf("Location %s", w.Header().Get("Location"))
	}
	tn.pass(time.Hour)
	tn.do(t, "ins", "PUT", "/api/v1/reports/"+uuid1, body, 200, &again)
	if first.Case != again.Case || !again.Repeated || first.Repeated {
		t.Errorf("%+v, %+v", first, again)
	}
	if w := tn.do(t, "ins", "PUT", "/api/v1/reports/"+uuid1, strings.Replace(body, "丢失", "破损", 1), 409, nil); codeOf(t, w) != codeClientID {
		t.Errorf("%s", w.Body)
	}
	note := `{"act":"note","text":"x","client_id":"` + uuid2 + `","expect_entries":1}`
	tn.act(t, "acc", first.Case, note)
	tn.do(t, "acc", "POST", "/api/v1/cases/"+first.Case+"/acts", note, 201, &again)
	if !again.Repeated || again.Entries != 2 {
		t.Errorf("a note sent again: %+v", again)
	}
	var journal []EntryJSON
	tn.do(t, "ins", "GET", "/api/v1/cases/"+first.Case+"/journal", "", 200, &journal)
	if e := journal[0]; !e.At.Equal(monday.Add(-30*time.Minute+123*time.Millisecond)) || !e.CountsAt.Equal(e.At) || e.Report.Position.Accuracy != 5 {
		t.Errorf("report %+v", e)
	}
}

func TestBatch(t *testing.T) {
	tn := openTown(t, nil)
	id := tn.report(t)
	item := func(client, rest string) string {
		return fmt.Sprintf(`{"client_id":"11111111-2222-4333-8444-%012s",%s}`, client, rest)
	}
	body := `{"items":[` + strings.Join([]string{
		item("1", `"report":`+strings.Replace(aReport, "丢失", "破损", 1)),
		item("2", `"case":"`+id+`","act":{"act":"note","text":"x"}`),
		item("3", `"case":"`+id+`","act":{"act":"take"}`),
		item("4", `"case":"nothing","act":{"act":"note","text":"x"}`),
		item("5", `"case":"`+id+`","act":{"act":"answer_verify","outcome":"yes"}`),
		item("6", `"case":"`+id+`"`),
		item("7", `"report":{"report":{"class":"nonsense","description":"x"}}`),
	}, ",") + `]}`
	for round, repeated := range []bool{false, true} {
		var out struct{ Results []BatchResultJSON }
		tn.do(t, "ins", "POST", "/api/v1/acts/batch", body, 200, &out)
		var got []string
		for _, r := range out.Results {
			if r.Problem != nil {
				got = append(got, r.Problem.Code)
				continue
			}
			if r.Done.Repeated != repeated {
				t.Errorf("round %d: %+v", round, r.Done)
			}
			got = append(got, r.Done.State)
		}
		if strings.Join(got, " ") != "reported reported role_missing case_unknown conflict invalid_parameters invalid_parameters" {
			t.Errorf("round %d: %v", round, got)
		}
	}
	var page CasePage
	tn.do(t, "ins", "GET", "/api/v1/cases", "", 200, &page)
	if len(page.Rows) != 2 || page.Rows[1].Entries != 2 {
		t.Errorf("%+v", page.Rows)
	}
}

// TestPetitionersAreApart: who reported it is told to those who need it, and to nobody
// else in any answer.
func TestPetitionersAreApart(t *testing.T) {
	tn := openTown(t, nil)
	var d ActDoneJSON
	tn.do(t, "acc", "POST", "/api/v1/cases", `{"report":{"source":"hotline","class":"`+coverClass+`","description":"井盖丢失","location":"人民路","reply_wanted":true},"petitioner":{"name":"张某某","phone":"13800138000"}}`, 201, &d)
	tn.do(t, "acc", "POST", "/api/v1/cases", `{"report":{"source":"hotline","class":"`+coverClass+`","description":"x","location":"y"},"petitioner":{}}`, 422, nil)
	base := "/api/v1/cases/" + d.Case
	for _, target := range []string{base, base + "/journal", "/api/v1/cases", "/api/v1/exports/cases", "/open311/v2/requests/" + d.Case + ".json", "/open311/v2/requests.xml", "/api/v1/similar-cases?class=" + "CJ%2FT%20214-2007:component:0101&component=C-1"} {
		if body := tn.do(t, "lead", "GET", target, "", 200, nil).Body.String(); strings.Contains(body, "张某某") || strings.Contains(body, "13800138000") {
			t.Errorf("%s tells who reported it: %s", target, body)
		}
	}
	var p PetitionerJSON
	tn.do(t, "lead", "GET", base+"/petitioner", "", 200, &p)
	if p.Name != "张某某" || p.Phone != "13800138000" {
		t.Errorf("%+v", p)
	}
	tn.do(t, "adm", "DELETE", base+"/petitioner", "", 204, nil)
	if w := tn.do(t, "acc", "GET", base+"/petitioner", "", 404, nil); codeOf(t, w) != codeNoPetitioner {
		t.Errorf("%s", w.Body)
	}
	if w := tn.do(t, "acc", "GET", "/api/v1/cases/X/petitioner", "", 404, nil); codeOf(t, w) != codeCase {
		t.Errorf("%s", w.Body)
	}
}

func TestMediaByAPI(t *testing.T) {
	tn := openTown(t, nil)
	var m, again MediaJSON
	tn.do(t, "ins", "POST", "/api/v1/media", "photo+1", 201, &m)
	if m.SM3 != testDigest([]byte("photo1")) || m.Original != testDigest([]byte("photo+1")) || m.Position == nil || m.Repeated {
		t.Errorf("%+v", m)
	}
	for _, digest := range []string{m.SM3, m.Original} {
		tn.do(t, "wat", "PUT", "/api/v1/media/"+digest, "not even read", 200, &again)
		if again.SM3 != m.SM3 || !again.Repeated {
			t.Errorf("%+v", again)
		}
	}
	tn.do(t, "ins", "POST", "/api/v1/media", "photo+1", 200, &again)
	for _, tt := range []struct {
		method, target, body string
		status               int
		code                 string
	}{
		{"POST", "/api/v1/media", "text", 415, codeMediaType},
		{"POST", "/api/v1/media", "", 422, codeMediaBroken},
		{"POST", "/api/v1/media", "photo" + strings.Repeat("x", 2000), 413, codeMediaLarge},
		{"PUT", "/api/v1/media/" + strings.Repeat("ab", 32), "photo2", 422, codeMediaOther},
		{"PUT", "/api/v1/media/xyz", "photo2", 422, codeInvalid},
		{"GET", "/api/v1/media/" + strings.Repeat("ab", 32), "", 404, codeMedia},
	} {
		if w := tn.do(t, "ins", tt.method, tt.target, tt.body, tt.status, nil); codeOf(t, w) != tt.code {
			t.Errorf("%s %s: %s", tt.method, tt.target, w.Body)
		}
	}
	w := tn.do(t, "gas", "GET", "/api/v1/media/"+m.Original, "", 200, nil)
	for name, want := range map[string]string{"Content-Type": "image/jpeg", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": mediaPolicy,
		"Cache-Control": "private, max-age=31536000, immutable", "ETag": `"` + m.SM3 + `"`} {
		if w.Header().Get(name) != want {
			t.Errorf("%s: %q, want %q", name, w.Header().Get(name), want)
		}
	}
	if w.Body.String() != "photo1" {
		t.Errorf("%s", w.Body)
	}
	tn.do(t, "gas", "GET", "/api/v1/media/"+m.SM3, "", 304, nil, "If-None-Match", `"`+m.SM3+`"`)
	if w := tn.do(t, "gas", "GET", "/api/v1/media/"+m.SM3, "", 206, nil, "Range", "bytes=0-2"); w.Body.String() != "pho" {
		t.Errorf("%s", w.Body)
	}
	id := tn.report(t)
	tn.act(t, "ins", id, `{"act":"note","media":[{"sm3":"`+m.Original+`","stage":"handled"}]}`)
	tn.do(t, "ins", "POST", "/api/v1/cases/"+id+"/acts", `{"act":"note","media":[{"sm3":"`+m.SM3+`","kind":"video","stage":"handled"}]}`, 422, nil)
	var journal []EntryJSON
	tn.do(t, "ins", "GET", "/api/v1/cases/"+id+"/journal", "", 200, &journal)
	if got := journal[1].Media[0]; got.SM3 != m.SM3 || got.Kind != "image" {
		t.Errorf("%+v", got)
	}
}

func TestCaseQueries(t *testing.T) {
	tn := openTown(t, nil)
	var ids []string
	for n := range 5 {
		var d ActDoneJSON
		tn.do(t, "ins", "POST", "/api/v1/cases", fmt.Sprintf(`{"report":{"class":"%s","description":"d","position":{"lon":%f,"lat":30.2,"crs":"CGCS2000"}}}`, coverClass, 120.1+float64(n)/1000), 201, &d)
		ids = append(ids, d.Case)
		tn.pass(time.Hour)
	}
	tn.act(t, "acc", ids[1], `{"act":"reject","reason":"x","duplicate_of":"`+ids[0]+`"}`)
	for query, want := range map[string]string{
		"": "4 3 2 1 0", "open=true": "4 3 2 0", "state=rejected": "1", "state=rejected,reported&limit=1000": "4 3 2 1 0", "cell=330106": "4 3 2 1 0", "cell=330107": "", "cell=330106001001001": "4 3 2 1 0", "cell=33010600100100A": "", "cell=330106A": "",
		"class=CJ%2FT%20214-2007:component:01": "4 3 2 1 0", "class=CJ%2FT%20214-2007:component:02": "", "source=hotline": "",
		"since=2026-11-23T02:00:00Z&until=2026-11-23T12:00:00%2B08:00": "2 1", "lon=120.1&lat=30.2&within=100": "1 0", "lon=120.1&lat=30.2&within=100&limit=1": "1", "handler=water": "",
		"department=water": "", "inspector=ins": "", "request=any": "", "light=red": "", "component=C-1": "", "duty=D1": "",
	} {
		var page CasePage
		tn.do(t, "wat", "GET", "/api/v1/cases?"+query, "", 200, &page)
		var got []string
		for _, r := range page.Rows {
			got = append(got, fmt.Sprint(slices.Index(ids, r.ID)))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v, want %s", query, got, want)
		}
	}
	var got []string
	for cursor := ""; ; {
		var page CasePage
		tn.do(t, "wat", "GET", "/api/v1/cases?limit=2&cursor="+cursor, "", 200, &page)
		for _, r := range page.Rows {
			got = append(got, r.ID)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	slices.Reverse(got)
	if !slices.Equal(got, ids) {
		t.Errorf("by pages: %v", got)
	}
	for _, query := range []string{"state=lost", "colour=red", "limit=1001", "cursor=0", "cursor=x", "cell=%27", "since=yesterday", "class=%00", "class=%ff", "light=blue", "lon=500&lat=1", "component=%00"} {
		if w := tn.do(t, "wat", "GET", "/api/v1/cases?"+query, "", 422, nil); codeOf(t, w) != codeInvalid {
			t.Errorf("%s: %s", query, w.Body)
		}
	}
	var like []CaseJSON
	tn.do(t, "ins", "GET", "/api/v1/similar-cases?class=CJ%2FT%20214-2007:component:0101&lon=120.1&lat=30.2&within=150", "", 200, &like)
	if len(like) != 1 || like[0].ID != ids[0] {
		t.Errorf("similar %+v", like)
	}
	for _, query := range []string{"class=x&component=C-1", "class=CJ%2FT%20214-2007:component:0101"} {
		tn.do(t, "ins", "GET", "/api/v1/similar-cases?"+query, "", 422, nil)
	}
}

func TestCodesByAPI(t *testing.T) {
	tn := openTown(t, nil)
	var lists []CodeListJSON
	tn.do(t, "", "GET", "/api/v1/codes/lists", "", 200, &lists)
	if len(lists) < 4 || lists[0].Classes == 0 || lists[0].Sure == "" {
		t.Errorf("%+v", lists)
	}
	var page CodeClassPage
	tn.do(t, "", "GET", "/api/v1/codes/classes?q=%E4%BA%95%E7%9B%96&standard=CJ%2FT%20214-2007&kind=component&limit=3&offset=1", "", 200, &page)
	if page.Total < 5 || len(page.Rows) != 3 || page.Rows[0].Standard != codes.CJT214 || !strings.Contains(page.Rows[0].ZH, "井盖") {
		t.Errorf("%+v", page)
	}
	var readings []CodeReadingJSON
	tn.do(t, "", "GET", "/api/v1/codes/explain?code=3205080101000001&standard=CJ%2FT%20214-2007", "", 200, &readings)
	if len(readings) == 0 || readings[0].What != "component id" || len(readings[0].Parts) == 0 {
		t.Errorf("%+v", readings)
	}
	var terms []CodeTermsJSON
	tn.do(t, "", "GET", "/api/v1/codes/terms", "", 200, &terms)
	if len(terms) == 0 || len(terms[0].Terms) == 0 {
		t.Errorf("%+v", terms)
	}
	tn.do(t, "", "GET", "/api/v1/codes/classes?standard=GB1", "", 422, nil)
	tn.do(t, "", "GET", "/api/v1/codes/explain?code=%00", "", 422, nil)
	if w := ask(newHandler(t, nil), "GET", "/api/v1/codes/lists"); w.Code != 404 || codeOf(t, w) != codeNoCases {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestIndicatorsByAPI(t *testing.T) {
	tn := openTown(t, nil)
	id := tn.report(t)
	for _, s := range life() {
		tn.act(t, s.person, id, s.body)
		tn.pass(time.Minute)
	}
	tn.pass(24 * time.Hour) // what is not due does not count
	const november = "/api/v1/indicators?from=2026-11-01&to=2026-11-30"
	var rows []IndicatorRowJSON
	tn.do(t, "adm", "GET", november, "", 200, &rows)
	city := rows[slices.IndexFunc(rows, func(r IndicatorRowJSON) bool { return r.Dimension == "city" })]
	if city.Counts["closed"] != 1 || city.Indicators["on_time_handle"] != (RatioJSON{1, 1, "100.00"}) || city.Period != "2026-11-01/2026-11-30" {
		t.Errorf("%+v", city)
	}
	persons := func(rows []IndicatorRowJSON) (list []string) {
		for _, r := range rows {
			if strings.Contains("inspector acceptor shift_leader dispatcher", r.Dimension) {
				list = append(list, r.Key)
			}
		}
		return list
	}
	if len(persons(rows)) < 4 {
		t.Errorf("the admin sees %v", persons(rows))
	}
	tn.do(t, "ins", "GET", november, "", 200, &rows)
	if got := persons(rows); !slices.Equal(got, []string{"ins"}) {
		t.Errorf("an inspector sees %v", got)
	}
	tn.do(t, "lead", "GET", november+"&by=department,cell&key=water", "", 200, &rows)
	if len(rows) != 1 || rows[0].Dimension != "department" {
		t.Errorf("%+v", rows)
	}
	tn.do(t, "lead", "GET", "/api/v1/indicators?from=2026-10-15&to=2026-12-05&step=month&by=city", "", 200, &rows)
	if len(rows) != 1 || rows[0].Period != "2026-11" {
		t.Errorf("%+v", rows)
	}
	for _, query := range []string{"from=2026-11-02&to=2026-11-01", "from=2020-01-01&to=2026-11-01", "from=x&to=2026-11-01", "to=2026-11-01", "from=2026-11-01&to=2026-11-02&by=colour"} {
		tn.do(t, "lead", "GET", "/api/v1/indicators?"+query, "", 422, nil)
	}
	w := tn.do(t, "lead", "GET", "/api/v1/exports/indicators?from=2026-11-01&to=2026-11-30&by=city", "", 200, nil)
	if !strings.HasPrefix(w.Body.String(), byteOrderMark+"period,dimension,key") || !strings.Contains(w.Header().Get("Content-Disposition"), "indicators-2026-11-01-2026-11-30.csv") {
		t.Errorf("%v %s", w.Header(), w.Body)
	}
	if w := tn.do(t, "lead", "GET", "/api/v1/exports/indicators?format=xlsx&from=2026-11-01&to=2026-11-30&by=city", "", 200, nil); !strings.HasPrefix(w.Body.String(), "PK") {
		t.Error("no workbook")
	}
}

func TestCaseTokens(t *testing.T) {
	digest := func(s string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(s))) }
	one := CaseTokenPerson{CasePerson{ID: "a", Roles: []cases.Role{cases.Inspector}}, digest("a")}
	person := func(change func(*CaseTokenPerson)) []CaseTokenPerson {
		p := CaseTokenPerson{CasePerson{ID: "b", Roles: []cases.Role{cases.Inspector}}, digest("b")}
		change(&p)
		return []CaseTokenPerson{one, p}
	}
	for name, list := range map[string][]CaseTokenPerson{
		"the hub":         person(func(p *CaseTokenPerson) { p.ID = cases.System }),
		"no id":           person(func(p *CaseTokenPerson) { p.ID = "" }),
		"a blank":         person(func(p *CaseTokenPerson) { p.ID = "b c" }),
		"an id twice":     person(func(p *CaseTokenPerson) { p.ID = "A" }),
		"a token twice":   person(func(p *CaseTokenPerson) { p.Token = digest("a") }),
		"a plain token":   person(func(p *CaseTokenPerson) { p.Token = "hunter2" }),
		"no role":         person(func(p *CaseTokenPerson) { p.Roles = nil }),
		"sensor":          person(func(p *CaseTokenPerson) { p.Roles = []cases.Role{cases.Sensor} }),
		"public":          person(func(p *CaseTokenPerson) { p.Roles = []cases.Role{cases.Public} }),
		"no department":   person(func(p *CaseTokenPerson) { p.Roles = []cases.Role{cases.Department} }),
		"a department":    person(func(p *CaseTokenPerson) { p.Department = "x" }),
		"an unknown role": person(func(p *CaseTokenPerson) { p.Roles = []cases.Role{"boss"} }),
	} {
		if _, err := NewCaseTokens(list); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewCaseTokens(person(func(*CaseTokenPerson) {})); err != nil {
		t.Error(err)
	}
}

func TestCasesOptions(t *testing.T) {
	o := testOptions()
	o.Cases = &Cases{}
	if _, err := New(o); err == nil {
		t.Error("New took empty options of cases")
	}
}
