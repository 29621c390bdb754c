package api

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"citygrid/hub/cases"
	"citygrid/schemas"
)

const (
	openCover = "CJ~2FT~20214-2007_component_0101"
	formType  = "application/x-www-form-urlencoded; charset=utf-8"
)

// post sends a new request with a key and what it needs, and what more says.
func (tn *town) post(t testing.TB, more string, want int, out any) *httptest.ResponseRecorder {
	t.Helper()
	v, err := url.ParseQuery(more)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"api_key": openKey, "service_code": openCover, "description": "井盖丢失", "lat": "30.2", "long": "120.1"} {
		if !v.Has(name) {
			v.Set(name, value)
		} else if v.Get(name) == "" {
			v.Del(name)
		}
	}
	return tn.do(t, "", "POST", "/open311/v2/requests.json", v.Encode(), want, out, "Content-Type", formType)
}

func (tn *town) posted(t testing.TB, more string) string {
	t.Helper()
	var made []struct {
		ID string `json:"service_request_id"`
	}
	tn.post(t, more, 200, &made)
	return made[0].ID
}

// TestPublishedClients lets two clients that nobody here wrote make, list and read
// requests.
func TestPublishedClients(t *testing.T) {
	python, folder := publishedClients(t)
	tn := openTown(t, nil)
	server := httptest.NewServer(tn.handler)
	defer server.Close()
	run := func(out any, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), python, append([]string{"testdata/open311_clients.py", server.URL + "/open311/v2", openKey, "city.example"}, args...)...)
		cmd.Env = append(os.Environ(), "PYTHONPATH="+folder, "PYTHONIOENCODING=utf-8", "PYTHONDONTWRITEBYTECODE=1")
		data, err := cmd.Output()
		if err != nil {
			var failed *exec.ExitError
			if errors.As(err, &failed) {
				t.Fatalf("%v: %s", err, failed.Stderr)
			}
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, out); err != nil {
			t.Fatalf("%v: %s", err, data)
		}
	}
	type request struct {
		ID          string `json:"service_request_id"`
		Token       string
		Status      string
		Description string
		Code        string `json:"service_code"`
		Lat         any
	}
	var made struct {
		Services       []request
		Definition     map[string]any
		Created, Again []request
		Refused        string
	}
	run(&made, "create")
	if len(made.Created) != 1 || len(made.Again) != 1 || made.Created[0].ID != made.Again[0].ID || !strings.Contains(made.Refused, "403") || len(made.Services) < 10 {
		t.Fatalf("%+v", made)
	}
	id := made.Created[0].ID
	k, err := tn.desk.Case(t.Context(), cases.CaseID(id))
	if err != nil || k.Report.Source != cases.SourceWeb || k.Reporter != (cases.Actor{Person: "open311@fixmystreet", Role: cases.Public}) ||
		k.Report.Position != (schemas.Position{Lon: 120.1, Lat: 30.2, CRS: schemas.WGS84}) || k.Cell != oneCell || k.Report.Description != "井盖丢失 & <b>\nsecond line" {
		t.Errorf("%+v %v", k, err)
	}
	journal, err := tn.desk.Journal(t.Context(), k.ID)
	if err != nil || journal[0].Text != "media_url: https://example.org/p.jpg\nsize: 1\ntags: a\ntags: b" {
		t.Errorf("%q %v", journal[0].Text, err)
	}
	p, err := tn.desk.Petitioner(t.Context(), k.ID)
	if err != nil || p.Name != "张某某" || p.Phone != "13800138000" || p.Email != "zhang@example.org" {
		t.Errorf("%+v %v", p, err)
	}
	type form struct {
		Services   []string
		Definition string
		Requests   any
		Request    request
	}
	var seen struct {
		One           request
		Token, Listed []request
		Open, Closed  []request
		XML           form `json:"xml"`
		JSON          form `json:"json"`
	}
	run(&seen, "read", id)
	if seen.One.ID != id || seen.One.Status != "open" || seen.One.Lat != 30.2 || seen.Token[0].Token != id || len(seen.Listed) != 1 || len(seen.Open) != 1 || len(seen.Closed) != 0 {
		t.Errorf("%+v", seen)
	}
	for _, f := range []form{seen.XML, seen.JSON} {
		if len(f.Services) != len(made.Services) || f.Definition != f.Services[0] || f.Request.ID != id || f.Request.Description != seen.One.Description || f.Requests == nil {
			t.Errorf("%+v", f)
		}
	}
	tn.act(t, "acc", id, `{"act":"reject","reason":"看不见"}`)
	run(&seen, "read", id)
	if len(seen.Open) != 0 || len(seen.Closed) != 1 || seen.XML.Request.Status != "closed" {
		t.Errorf("after its end: %+v", seen)
	}
}

// publishedClients returns a Python and the folder with the clients.
func publishedClients(t *testing.T) (python, folder string) {
	t.Helper()
	folder, err := filepath.Abs("../../bin/open311")
	if err != nil {
		t.Fatal(err)
	}
	python, err = exec.LookPath("python3")
	if err == nil {
		cmd := exec.CommandContext(t.Context(), python, "-c", "import civicbot, georeport")
		cmd.Env = append(os.Environ(), "PYTHONPATH="+folder)
		err = cmd.Run()
	}
	if err != nil {
		const reason = "no published Open311 clients here (%v); run: make bin/open311"
		if os.Getenv("CI") == "true" {
			t.Fatalf(reason, err)
		}
		t.Skipf(reason, err)
	}
	return python, folder
}

// TestFixMyStreetShapes sends what FixMyStreet's module Open311.pm sends and reads the
// answers as it does: the root's request, and its id.
func TestFixMyStreetShapes(t *testing.T) {
	tn := openTown(t, nil)
	form := url.Values{"jurisdiction_id": {"city.example"}, "api_key": {openKey}, "lat": {"30.2"}, "long": {"120.1"}, "email": {"test@example.com"},
		"description":  {"title: A lid is gone\n\ndetail: At the corner\r\n\nurl: http://example.com/report/1\n\nSubmitted via FixMyStreet\n"},
		"service_code": {openCover}, "first_name": {"Test"}, "last_name": {"User"}, "phone": {"01 234 5678"}, "media_url": {"http://example.com/photo/1.jpeg"},
		"attribute[fixmystreet_id]": {"1"}, "attribute[easting]": {"529025"}}
	w := tn.do(t, "", "POST", "/open311/v2/requests.xml", form.Encode(), 200, nil, "Content-Type", "application/x-www-form-urlencoded")
	var made struct {
		XMLName xml.Name `xml:"service_requests"`
		Request struct {
			ID    string `xml:"service_request_id"`
			Token string `xml:"token"`
		} `xml:"request"`
	}
	if err := xml.Unmarshal(w.Body.Bytes(), &made); err != nil || made.Request.ID == "" || made.Request.Token != "" {
		t.Fatalf("%v %s", err, w.Body)
	}
	for _, target := range []string{"requests.xml?jurisdiction_id=city.example&service_request_id=" + made.Request.ID + ",0", "tokens/" + made.Request.ID + ".xml?jurisdiction_id=city.example"} {
		again := made
		if err := xml.Unmarshal(tn.do(t, "", "GET", "/open311/v2/"+target, "", 200, nil).Body.Bytes(), &again); err != nil || again.Request.ID != made.Request.ID {
			t.Errorf("%s: %+v %v", target, again, err)
		}
	}
	form.Set("api_key", "wrong")
	w = tn.do(t, "", "POST", "/open311/v2/requests.xml", form.Encode(), 403, nil, "Content-Type", "application/x-www-form-urlencoded")
	var refused struct {
		XMLName xml.Name `xml:"errors"`
		Error   []struct {
			Code        string `xml:"code"`
			Description string `xml:"description"`
		} `xml:"error"`
	}
	if err := xml.Unmarshal(w.Body.Bytes(), &refused); err != nil || refused.Error[0].Code != "403" || refused.Error[0].Description == "" {
		t.Errorf("%v %s", err, w.Body)
	}
}

// elements returns the shape of an XML document: its elements, each with those that
// it holds, in their order.
func elements(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	if got := w.Header().Get("Content-Type"); got != "text/xml; charset=utf-8" || !strings.HasPrefix(w.Body.String(), `<?xml version="1.0" encoding="utf-8"?>`) {
		t.Errorf("%s: %.60s", got, w.Body)
	}
	var b strings.Builder
	for dec := xml.NewDecoder(strings.NewReader(w.Body.String())); ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return strings.ReplaceAll(b.String(), " )", ")")
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			if e.Name.Space != "" || len(e.Attr) > 0 {
				t.Errorf("%v has a namespace or attributes", e)
			}
			b.WriteString(e.Name.Local + "(")
		case xml.EndElement:
			b.WriteString(") ")
		}
	}
}

// TestShapesOfTheSpecification holds every answer to the examples of GeoReport v2 and
// of its service discovery: names, order, nesting, and the JSON that follows from it.
func TestShapesOfTheSpecification(t *testing.T) {
	tn := openTown(t, func(c *Cases) { c.Open311.Classes = []string{coverClass} })
	id := tn.posted(t, "")
	const request = "request(service_request_id() status() status_notes() service_name() service_code() description() agency_responsible() service_notice() requested_datetime() updated_datetime() expected_datetime() address() address_id() zipcode() lat() long() media_url())"
	for target, want := range map[string]string{
		"discovery":               "discovery(changeset() contact() key_service() endpoints(endpoint(specification() url() changeset() type() formats(format() format()))))",
		"services":                "services(service(service_code() service_name() description() metadata() type() keywords() group()))",
		"services/" + openCover:   "service_definition(service_code() attributes())",
		"requests":                "service_requests(" + request + ")",
		"requests/" + id:          "service_requests(" + request + ")",
		"tokens/" + id:            "service_requests(request(service_request_id() token()))",
		"requests/nothing":        "errors(error(code() description()))",
		"requests?status=pending": "errors(error(code() description()))",
	} {
		path, query, _ := strings.Cut(target, "?")
		w := tn.do(t, "", "GET", "/open311/v2/"+path+".xml?"+query, "", 0, nil)
		if got := strings.TrimSpace(elements(t, w)); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
		j := tn.do(t, "", "GET", "/open311/v2/"+path+".json?"+query, "", w.Code, nil)
		if got := j.Header().Get("Content-Type"); got != "application/json; charset=utf-8" {
			t.Errorf("%s: %s", target, got)
		}
		var v any
		dec := json.NewDecoder(strings.NewReader(j.Body.String()))
		if err := dec.Decode(&v); err != nil {
			t.Fatalf("%s: %v", j.Body, err)
		}
		list, isList := v.([]any)
		if object := strings.HasPrefix(want, "discovery") || strings.HasPrefix(want, "service_definition"); isList == object {
			t.Errorf("%s: %s", target, j.Body)
		}
		if isList {
			v = list[0]
		}
		inner := want[strings.Index(want, "(")+1:]
		if isList {
			inner = inner[strings.Index(inner, "(")+1:]
		}
		for name := range v.(map[string]any) {
			if !strings.Contains(inner, name+"(") {
				t.Errorf("%s: JSON has %s, XML has not", target, name)
			}
		}
	}
	var all []map[string]any
	tn.do(t, "", "GET", "/open311/v2/requests.json", "", 200, &all)
	want := map[string]any{"service_request_id": id, "status": "open", "status_notes": nil, "service_name": "上水井盖", "service_code": openCover, "description": "井盖丢失",
		"agency_responsible": nil, "service_notice": nil, "requested_datetime": "2026-11-23T01:00:00Z", "updated_datetime": "2026-11-23T01:00:00Z", "expected_datetime": nil,
		"address": nil, "address_id": oneCell, "zipcode": nil, "lat": 30.2, "long": 120.1, "media_url": nil}
	for name, v := range want {
		if all[0][name] != v {
			t.Errorf("%s: %v, want %v", name, all[0][name], v)
		}
	}
	var services []map[string]any
	tn.do(t, "", "GET", "/open311/v2/services.json?jurisdiction_id=city.example", "", 200, &services)
	if s := services[0]; s["metadata"] != false || s["type"] != "realtime" || s["group"] != "公用设施类" || s["service_name"] != "上水井盖" {
		t.Errorf("%v", s)
	}
}

// TestOpen311Life: a request is open until the case is at its end, and says when it is
// expected and who handles it.
func TestOpen311Life(t *testing.T) {
	tn := openTown(t, nil)
	id := tn.posted(t, "address_string=人民路 18 号&lat=&long=&address_id=C-1")
	one := func() map[string]any {
		var list []map[string]any
		tn.do(t, "", "GET", "/open311/v2/requests/"+id+".json", "", 200, &list)
		var all []map[string]any
		tn.do(t, "", "GET", "/open311/v2/requests.json", "", 200, &all)
		for name := range list[0] {
			if list[0][name] != all[0][name] {
				t.Errorf("%s: alone %v, in the list %v", name, list[0][name], all[0][name])
			}
		}
		return list[0]
	}
	if r := one(); r["address"] != "人民路 18 号" || r["address_id"] != "C-1" || r["lat"] != 30.2 {
		t.Errorf("%v", r)
	}
	for _, s := range append([]step{{"acc", `{"act":"send_verify","inspector":"ins"}`}, {"ins", `{"act":"answer_verify","outcome":"yes"}`}, {"acc", `{"act":"accept"}`}, {"lead", `{"act":"file","filing":{"condition":"missing"}}`}}, life()[2:]...) {
		if r := one(); r["status"] != "open" {
			t.Errorf("before %s: %v", s.body, r)
		}
		tn.act(t, s.person, id, s.body)
		if strings.Contains(s.body, `"take"`) {
			if r := one(); r["expected_datetime"] != "2026-11-23T07:00:00Z" || r["agency_responsible"] != "部门 water" {
				t.Errorf("%v", r)
			}
		}
	}
	if r := one(); r["status"] != "closed" || r["status_notes"] != "已处置并核查 / Handled and checked." {
		t.Errorf("%v", r)
	}
}
