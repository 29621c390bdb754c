package api

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// TestOnlyPublicThings: other classes and what sensors told are not there, nor is
// anything by which somebody could be reached.
func TestOnlyPublicThings(t *testing.T) {
	tn := openTown(t, func(c *Cases) { c.Open311.Classes = []string{coverClass} })
	var other ActDoneJSON
	tn.do(t, "ins", "POST", "/api/v1/cases", strings.Replace(aReport, coverClass, gasClass, 1), 201, &other)
	inspectors := tn.report(t)
	sensors, err := tn.desk.Act(t.Context(), desk.Submission{Entry: cases.Entry{Act: cases.ActReport, Actor: cases.Actor{Person: cases.System, Role: cases.Sensor},
		Report: &cases.Report{Source: cases.SourceSensor, Type: cases.Daily, Class: codes.Ref{Standard: codes.CJT214, Kind: codes.Component, Code: "0101"}, Component: "C-1", Urgency: cases.Normal, Event: schemas.EventID(strings.Repeat("ab", 16))}}})
	if err != nil {
		t.Fatal(err)
	}
	mine := tn.posted(t, "description=call 138-0013-8000 or me@example.org, or 330106199001011234 at once")
	var list []map[string]any
	tn.do(t, "", "GET", "/open311/v2/requests.json", "", 200, &list)
	if len(list) != 2 || list[0]["service_request_id"] != mine || list[1]["service_request_id"] != inspectors {
		t.Errorf("%v", list)
	}
	if list[1]["description"] != nil || list[0]["description"] != "call *** or ***, or *** at once" {
		t.Errorf("%v", list)
	}
	for _, id := range []string{other.Case, string(sensors.Case.ID), "nothing", "..", "%00", "a%2Fb"} {
		for _, what := range []string{"requests", "tokens"} {
			tn.do(t, "", "GET", "/open311/v2/"+what+"/"+id+".json", "", 404, nil)
		}
	}
	tn.do(t, "", "GET", "/open311/v2/requests.json?service_request_id="+other.Case+","+mine, "", 200, &list)
	if len(list) != 1 {
		t.Errorf("%v", list)
	}
	tn.act(t, "acc", mine, `{"act":"classify","reason":"x","classification":{"class":"`+gasClass+`"}}`)
	tn.do(t, "", "GET", "/open311/v2/requests/"+mine+".json", "", 404, nil)
}

// TestOpen311Refusals: each fault is told with its field and what would do.
func TestOpen311Refusals(t *testing.T) {
	tn := openTown(t, nil)
	long := strings.Repeat("x", 4001)
	for more, want := range map[string]string{
		"api_key=": "403 api_key", "api_key=x": "403 api_key", "service_code=": "400 service_code", "service_code=x": "404 service_code", "jurisdiction_id=x": "404 jurisdiction_id",
		"description=": "400 description", "description=" + long: "400 description", "lat=": "400 lat", "long=": "400 long", "lat=x": "400 lat", "lat=91": "400 lat", "lat=NaN": "400 lat",
		"lat=0&long=0": "400 lat", "lat=&long=": "400 address_string", "address_id=%20/": "400 address_id", "lat=&long=&address_id=C-9": "400 address_string",
		"media_url=javascript:alert(1)": "400 media_url", "email=" + strings.Repeat("x", 300): "400 email", "attribute[": "400 attribute", "attribute[x=1": "400 attribute",
		"phone=%ff": "400 phone", "description=%ff": "400 description", "attribute[x]=" + strings.Repeat("y", 2000): "400 attribute", "address_string=" + long: "400 address_string",
		"first_name=" + strings.Repeat("x", 200): "400 first_name",
	} {
		var list []struct {
			Code        int
			Description string
		}
		status, word, _ := strings.Cut(want, " ")
		w := tn.post(t, more, 0, &list)
		if fmt.Sprint(w.Code) != status || len(list) == 0 || fmt.Sprint(list[0].Code) != status || !strings.Contains(list[0].Description, word) {
			t.Errorf("%.60s: %d %s, want %s", more, w.Code, w.Body, want)
		}
	}
	for target, want := range map[string]int{
		"services.xml?jurisdiction_id=x": 404, "services/x.xml": 404, "requests.xml?service_code=x": 400, "requests.xml?status=x": 400, "requests.xml?start_date=x": 400,
		"requests.xml?start_date=2026-01-01T00:00:00Z&end_date=2026-11-01T00:00:00Z": 400, "requests.xml?start_date=2026-11-02T00:00:00Z&end_date=2026-11-01T00:00:00Z": 400,
		"requests.xml?page=0": 400, "requests.xml?page_size=1001": 400, "requests": 404, "requests.html": 404, "": 404, "nothing.xml": 404, ".xml": 404, "tokens/.xml": 404,
		"requests.xml?service_request_id=" + strings.Repeat("1,", 150) + numbers(1000, 1201): 400,
	} {
		if w := tn.do(t, "", "GET", "/open311/v2/"+target, "", want, nil); strings.Contains(target, "xml") && !strings.Contains(w.Body.String(), "<errors>") {
			t.Errorf("%.60s: %s", target, w.Body)
		}
	}
	tn.do(t, "", "DELETE", "/open311/v2/requests.xml", "", 405, nil)
	tn.do(t, "", "POST", "/open311/v2/requests.xml", `{}`, 400, nil)
	tn.do(t, "", "POST", "/open311/v2/requests.xml", "description="+strings.Repeat("x", maxForm), 400, nil, "Content-Type", formType)
	tn.do(t, "", "POST", "/open311/v2/requests.xml", "a=%zz", 400, nil, "Content-Type", formType)
	tn.do(t, "", "POST", "/open311/v2/requests.xml", strings.ReplaceAll(numbers(0, 200), ",", "=&"), 400, nil, "Content-Type", formType)
}

func numbers(from, to int) string {
	var list []string
	for n := from; n < to; n++ {
		list = append(list, fmt.Sprint(n))
	}
	return strings.Join(list, ",")
}

func TestOpen311Forms(t *testing.T) {
	tn := openTown(t, nil)
	var body strings.Builder
	m := multipart.NewWriter(&body)
	for name, v := range map[string]string{"api_key": openKey, "service_code": openCover, "description": "x", "address_string": " 人民路\n 18 号 ", "account_id": "me", "device_id": "secret-device"} {
		if err := m.WriteField(name, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	var made []map[string]any
	tn.do(t, "", "POST", "/open311/v2/requests.json", body.String(), 200, &made, "Content-Type", m.FormDataContentType())
	if made[0]["account_id"] != "me" || made[0]["service_notice"] != nil {
		t.Errorf("%v", made)
	}
	entries, err := tn.desk.Journal(t.Context(), cases.CaseID(made[0]["service_request_id"].(string)))
	if err != nil || entries[0].Report.Location != "人民路 18 号" {
		t.Errorf("%v %v", entries, err)
	}
	if data, err := entries[0].MarshalJSON(); err != nil || strings.Contains(string(data), "secret-device") {
		t.Errorf("the journal has the device of the public: %s %v", data, err)
	}
	body.Reset()
	m = multipart.NewWriter(&body)
	if _, err := m.CreateFormFile("media", "x.jpg"); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	w := tn.do(t, "", "POST", "/open311/v2/requests.json", body.String(), 400, nil, "Content-Type", m.FormDataContentType())
	if !strings.Contains(w.Body.String(), "media_url") {
		t.Errorf("%s", w.Body)
	}
	id := tn.posted(t, "description="+url.QueryEscape(strings.Repeat("井", 3000)))
	entries, err = tn.desk.Journal(t.Context(), cases.CaseID(id))
	if err != nil || utf8.RuneCountInString(entries[0].Report.Description) != 2000 || utf8.RuneCountInString(entries[0].Text) != 1000 {
		t.Errorf("a long description: %v", err)
	}
	id = tn.posted(t, "lat=&long=&address_id="+oneCell)
	entries, err = tn.desk.Journal(t.Context(), cases.CaseID(id))
	if err != nil || entries[0].Report.Location != "单元网格 "+oneCell {
		t.Errorf("%v %v", entries, err)
	}
}

// TestTheSameRequestAgain: for ten minutes it is one, also at the same time and after a
// restart; then it is another.
func TestTheSameRequestAgain(t *testing.T) {
	tn := openTown(t, nil)
	ids := make([]string, 8)
	var all sync.WaitGroup
	for n := range ids {
		all.Go(func() {
			r := httptest.NewRequest("POST", "/open311/v2/requests.json", strings.NewReader("api_key="+openKey+"&service_code="+openCover+"&description=x&address_string=y"))
			r.Header.Set("Content-Type", formType)
			w := httptest.NewRecorder()
			tn.handler.ServeHTTP(w, r)
			ids[n] = w.Body.String()
		})
	}
	all.Wait()
	if len(slices.Compact(ids)) != 1 || !strings.Contains(ids[0], "service_request_id") {
		t.Errorf("at once: %v", ids)
	}
	tn.pass(5 * time.Minute) // the ten minutes lie across two stretches of the client id
	first := tn.posted(t, "")
	restarted, err := newOpen311(&Cases{Desk: tn.desk, Lists: tn.lists, Zone: cityZone, Now: tn.clock, Chance: strings.NewReader(strings.Repeat("x", 64)),
		Open311: &Open311{Classes: []string{coverClass}, Keys: fixedKey{}}}, testOptions().Log)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/open311/v2/requests.json", strings.NewReader(url.Values{"api_key": {openKey}, "service_code": {openCover}, "description": {"井盖丢失"}, "lat": {"30.2"}, "long": {"120.1"}}.Encode()))
	r.Header.Set("Content-Type", formType)
	w := httptest.NewRecorder()
	restarted.ServeHTTP(w, r)
	if !strings.Contains(w.Body.String(), first) {
		t.Errorf("after a restart: %s, want %s", w.Body, first)
	}
	tn.pass(9 * time.Minute)
	if again := tn.posted(t, ""); again != first {
		t.Errorf("after 9 minutes: %s, want %s", again, first)
	}
	if other := tn.posted(t, "description=another"); other == first {
		t.Error("another request is the same")
	}
	tn.pass(2 * time.Minute)
	if later := tn.posted(t, ""); later == first {
		t.Error("after 11 minutes it is still the same")
	}
}

type fixedKey struct{}

func (fixedKey) Client(string) (string, bool) { return "fixmystreet", true }

// TestOpen311Questions: dates, states, services, pages.
func TestOpen311Questions(t *testing.T) {
	tn := openTown(t, nil)
	var ids []string
	for n := range 4 {
		more := fmt.Sprintf("description=%d", n)
		if n == 3 {
			more += "&service_code=" + strings.Replace(openCover, "0101", "0111", 1)
		}
		ids = append(ids, tn.posted(t, more))
		tn.pass(40 * 24 * time.Hour)
	}
	tn.act(t, "acc", ids[3], `{"act":"reject","reason":"x","duplicate_of":"`+ids[0]+`"}`)
	// reported on 23 November, 2 January, 11 February and 23 March; it is 2 May
	for query, want := range map[string]string{
		"": "3 2", "start_date=2026-11-23T00:00:00Z": "2 1 0", "end_date=2027-01-02T01:00:00Z": "1 0", "end_date=2027-01-02T00:59:59Z": "0",
		"start_date=2026-11-23T09:00:00+08:00&end_date=2026-11-23T09:00:00%2B08:00": "0", "start_date=2026-11-23&end_date=2026-11-24": "0", "start_date=2026-11-23&end_date=2026-11-23": "0",
		"start_date=2026-11-01&end_date=2026-11-22": "", "start_date=2026-10-05&end_date=2027-01-02": "1 0",
		"start_date=2026-11-23T01:00Z&end_date=2026-11-24T00:00Z": "0", "status=open": "2", "status=closed": "3", "status=open,closed": "3 2", "status=open&status=closed": "3 2",
		"service_code=" + openCover: "2", "service_code=" + openCover + "," + strings.Replace(openCover, "0101", "0111", 1): "3 2",
		"service_request_id=" + ids[0] + ",%20" + ids[3] + "&status=open": "0 3", "page_size=1": "3", "page_size=1&page=2": "2", "page_size=1&page=3": "", "unknown=x": "3 2",
		"jurisdiction_id=": "3 2",
	} {
		var list []struct {
			ID    string `json:"service_request_id"`
			Notes string `json:"status_notes"`
		}
		tn.do(t, "", "GET", "/open311/v2/requests.json?"+query, "", 200, &list)
		var got []string
		for _, r := range list {
			n := slices.Index(ids, r.ID)
			got = append(got, fmt.Sprint(n))
			if n == 3 && r.Notes != "重复上报 / Duplicate request." {
				t.Errorf("%q", r.Notes)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v, want %s", query, got, want)
		}
	}
}

// TestDiscoveryBehindAProxy: the address is that of the configuration, else what the
// request says.
func TestDiscoveryBehindAProxy(t *testing.T) {
	for given, want := range map[string]string{"": "http://example.com/open311/v2", "https://hub.example": "https://hub.example/open311/v2", "https://hub.example/city/": "https://hub.example/city/open311/v2"} {
		tn := openTown(t, func(c *Cases) { c.Open311.URL = given })
		var d discoveryBody
		tn.do(t, "", "GET", "/open311/v2/discovery.json", "", 200, &d)
		if d.Endpoints[0].URL != want {
			t.Errorf("%q: %s", given, d.Endpoints[0].URL)
		}
	}
}

// TestContactsAreTakenOut: however somebody writes a number.
func TestContactsAreTakenOut(t *testing.T) {
	for text, want := range map[string]string{
		"电话138-0013-8000。": "电话***。", "13800138000": "***", "１３８００１３８０００": "***", "138.0013.8000": "***", "(0571) 8765-4321": "(0571) ***", "0571—87654321": "***", "138 0013  8000": "***",
		"人民路 18 号": "人民路 18 号", "3 幢 2 单元 501": "3 幢 2 单元 501", "me@example.org": "***", "100 m": "100 m",
	} {
		if got := withoutContacts(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// TestOpen311Options: what cannot work is refused at the start.
func TestOpen311Options(t *testing.T) {
	tn := openTown(t, nil)
	for _, classes := range [][]string{nil, {""}, {"CJ/T 999"}, {coverClass, "nothing"}} {
		if _, err := newOpen311(&Cases{Lists: tn.lists, Now: tn.clock, Open311: &Open311{Classes: classes}}, testOptions().Log); err == nil {
			t.Errorf("%v: taken", classes)
		}
	}
	for _, k := range []Open311Key{{Name: "", Token: "x"}, {Name: "a@b", Token: "x"}, {Name: "a b", Token: "x"}, {Name: strings.Repeat("a", 25), Token: "x"}, {Name: "a", Token: "hunter2"}} {
		if _, err := NewOpen311Keys([]Open311Key{k}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%+v: %v", k, err)
		}
	}
	seen := map[string]codes.Ref{}
	for _, k := range tn.lists.Search("") {
		code := ServiceCode(k.Ref)
		if other, twice := seen[code]; twice && other != k.Ref {
			t.Errorf("%s is %v and %v", code, other, k.Ref)
		}
		seen[code] = k.Ref
		if url.PathEscape(code) != code || strings.ContainsAny(code, "./,") {
			t.Errorf("%s does not stand in an address", code)
		}
	}
	w := tn.do(t, "", "GET", "/open311/v2/services.json", "", 200, nil, "Origin", "https://elsewhere.example")
	if w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Error("a page of another site cannot read what is public")
	}
	if w := tn.do(t, "", "POST", "/open311/v2/requests.json", "x=1", 403, nil, "Origin", "https://elsewhere.example", "Content-Type", formType); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Error("a page of another site may report")
	}
}

// FuzzOpen311: whatever a form or a question says, the answer is in its form, never a
// failure, and what was made can be read again.
func FuzzOpen311(f *testing.F) {
	f.Add("lat=30.2&long=120.1", "status=open&start_date=2026-11-23T09:00:00 08:00")
	f.Add("attribute[x][]=1&attribute[x][]=2&media_url=http://x/y&address_string=z&description=%0a%0d%09x", "service_request_id=1,2&page=2&page_size=3")
	f.Add("first_name=%E5%BC%A0&lat=1e309&address_id="+oneCell, "end_date=9999-12-31&service_code="+openCover)
	f.Add("lat=-0&long=180&description=\u2028\ufeff", "jurisdiction_id=\x00")
	tn := openTown(f, nil)
	f.Fuzz(func(t *testing.T, form, query string) {
		for _, format := range []string{"xml", "json"} {
			check := func(w *httptest.ResponseRecorder) {
				t.Helper()
				var err error
				if format == "json" && !json.Valid(w.Body.Bytes()) {
					err = errors.New("no JSON")
				}
				if format == "xml" {
					err = xml.Unmarshal(w.Body.Bytes(), new(struct{}))
				}
				if err != nil || w.Code >= 500 || !utf8.Valid(w.Body.Bytes()) {
					t.Fatalf("%q, %q: %d %v %s", form, query, w.Code, err, w.Body)
				}
			}
			body := "api_key=" + openKey + "&service_code=" + openCover + "&" + form
			check(tn.do(t, "", "POST", "/open311/v2/requests."+format, body, 0, nil, "Content-Type", formType))
			r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/open311/v2/requests."+format, nil)
			r.URL.RawQuery = query
			w := httptest.NewRecorder()
			tn.handler.ServeHTTP(w, r)
			check(w)
		}
	})
}
