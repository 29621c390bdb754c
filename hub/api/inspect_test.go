package api

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/hub/registry/assets"
)

// openRound is a town whose register has a round: ins walks two cells of three.
func openRound(t *testing.T) *town {
	t.Helper()
	r, err := assets.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "grid.db"), assets.Options{Now: func() time.Time { return monday }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	o := testOptions()
	tn := openTown(t, func(c *Cases) { o.Cases = c })
	o.Registry = &Registry{Auth: crewAuth(t), Register: r}
	if tn.handler, err = New(o); err != nil {
		t.Fatal(err)
	}
	files := censusFiles()
	files["cells.csv"] = strings.Replace(files["cells.csv"], "320508001001002,,", "320508001001002,D2,", 1) +
		"320508001001003,D3,\"POLYGON((120.602 31.3,120.603 31.3,120.603 31.301,120.602 31.301,120.602 31.3))\"\n"
	files["duties.csv"] = "code,name,inspectors\nD1,round,ins\nD2,,\nD3,other,\n"
	files["people.csv"] = "id,name,roles,duty\nins,Ins Pector,inspector,D2\n"
	files["components.csv"] = "id,class,x,y,authority,state\n3205080101000001,CJ/T 214-2007:component:0101,120.6005,31.3005,water,\n" +
		"3205080101000002,CJ/T 214-2007:component:0101,120.6015,31.3005,water,\n3205080101000003,CJ/T 214-2007:component:0101,120.6025,31.3005,water,\n" +
		"3205080101000004,CJ/T 214-2007:component:0101,120.6006,31.3005,water,removed\n"
	up := uploadOf(t, "?crs=CGCS2000", files)
	up.Header.Set("Authorization", "Bearer token-adm")
	w := httptest.NewRecorder()
	if tn.handler.ServeHTTP(w, up); w.Code != 200 || !strings.Contains(w.Body.String(), `"stored":true`) {
		t.Fatalf("import: %d %s", w.Code, w.Body)
	}
	return tn
}

// TestCatalogue: the cells that a person walks, by their own record and the grid's, with
// what stands there now, and the lists by which it is recorded.
func TestCatalogue(t *testing.T) {
	tn := openRound(t)
	var c CatalogueJSON
	w := tn.do(t, "ins", "GET", "/api/v1/inspect/catalogue", "", 200, &c)
	if c.Person.Name != "Ins Pector" || !slices.Equal(c.Person.Duty, []string{"round", "D2"}) {
		t.Errorf("person %+v", c.Person)
	}
	if len(c.Cells) != 2 || c.Cells[0].Code != "320508001001001" || c.Cells[1].Duty != "D2" || len(c.Cells[0].Outline[0][0]) != 5 {
		t.Errorf("cells %+v", c.Cells)
	}
	if len(c.Components) != 2 || c.Components[0].ID != "3205080101000001" || *c.Components[0].At != [2]float64{120.6005, 31.3005} || c.Components[1].Cell != "320508001001002" {
		t.Errorf("components %+v", c.Components)
	}
	if !slices.ContainsFunc(c.Classes, func(k CatalogueClassJSON) bool {
		return k.Ref == coverClass && k.ZH != "" && k.EN != "" && k.MajorZH != ""
	}) {
		t.Error("the class of the components is not among the classes")
	}
	if i := slices.IndexFunc(c.Classes, func(k CatalogueClassJSON) bool { return !strings.HasPrefix(k.Ref, "CJ/T 214-2007:") }); i >= 0 {
		t.Errorf("class %s is of a list that nothing here is recorded by", c.Classes[i].Ref)
	}
	if !slices.Equal(c.Schemes, []CatalogueSchemeJSON{{"CJ/T 214-2007", 4}}) {
		t.Errorf("schemes %v", c.Schemes)
	}
	tag := w.Header().Get("ETag")
	if again := tn.do(t, "ins", "GET", "/api/v1/inspect/catalogue", "", 304, nil, "If-None-Match", tag); again.Body.Len() != 0 || again.Header().Get("ETag") != tag {
		t.Errorf("304 with %q and tag %s", again.Body, again.Header().Get("ETag"))
	}
	packed := tn.do(t, "ins", "GET", "/api/v1/inspect/catalogue", "", 200, nil, "Accept-Encoding", "gzip")
	z, err := gzip.NewReader(packed.Body)
	if err != nil || packed.Header().Get("Content-Encoding") != "gzip" {
		t.Fatalf("%v, %v", packed.Header(), err)
	}
	if text, err := io.ReadAll(z); err != nil || !bytes.Equal(text, w.Body.Bytes()) {
		t.Errorf("packed it is another text: %v", err)
	}
	tn.do(t, "acc", "GET", "/api/v1/inspect/catalogue", "", 403, nil)
	tn.do(t, "", "GET", "/api/v1/inspect/catalogue", "", 401, nil)
	var none CatalogueJSON // known by the token, not in the register
	tn.do(t, "ins2", "GET", "/api/v1/inspect/catalogue", "", 200, &none)
	if none.Person.ID != "ins2" || len(none.Cells) != 0 || len(none.Classes) == 0 || slices.ContainsFunc(none.Classes, func(k CatalogueClassJSON) bool { return strings.HasPrefix(k.Ref, "citygrid-ext:") }) {
		t.Errorf("without a round: %+v, %d classes", none.Person, len(none.Classes))
	}
}

// TestTasks: what waits for an inspector, with what the work needs, and what they have
// reported themselves; what is done is gone.
func TestTasks(t *testing.T) {
	tn := openRound(t)
	tasks := func(person string) []TaskJSON {
		var out TasksJSON
		tn.do(t, person, "GET", "/api/v1/inspect/tasks", "", 200, &out)
		if out.Person != person || out.AsOf.IsZero() {
			t.Errorf("tasks of %s: %+v", person, out)
		}
		return out.Tasks
	}
	if got := tasks("ins"); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
	id := tn.report(t)
	tn.act(t, "acc", id, `{"act":"send_verify","inspector":"ins","text":"by the gate"}`)
	own := tn.do(t, "ins", "PUT", "/api/v1/reports/"+uuid1, `{"report":{"class":"`+coverClass+`","description":"lid","location":"gate"}}`, 201, nil)
	if own.Code != 201 {
		t.Fatal(own.Body)
	}
	got := tasks("ins")
	if len(got) != 2 || got[0].Kind != "verify" || got[0].Case.ID != id || got[0].Asked != "by the gate" || got[0].Sent == nil || got[1].Kind != "own" {
		t.Fatalf("%+v", got)
	}
	if len(tasks("ins2")) != 0 {
		t.Error("another inspector has them too")
	}
	tn.act(t, "ins", id, `{"act":"answer_verify","outcome":"yes","client_id":"`+uuid2+`"}`)
	if got := tasks("ins"); len(got) != 2 || got[0].Kind != "own" || got[1].Case.State != "verified" {
		t.Errorf("after the answer: %+v", got)
	}
	for _, s := range []struct{ person, body string }{
		{"acc", `{"act":"accept"}`}, {"lead", `{"act":"file","filing":{"condition":"missing"}}`}, {"dis", `{"act":"dispatch","departments":["water"]}`},
		{"wat", `{"act":"take"}`}, {"wat", `{"act":"feed_back","text":"new lid"}`}, {"acc", `{"act":"send_check","inspector":"ins"}`},
	} {
		tn.act(t, s.person, id, s.body)
	}
	if got := tasks("ins"); len(got) != 2 || got[0].Kind != "check" || got[0].Done != "new lid" || got[0].Case.Component == "" && got[0].Case.Position == nil {
		t.Errorf("check %+v", got)
	}
}

// TestUploadLookedUp: a phone that has lost an answer learns what became of what it sent.
func TestUploadLookedUp(t *testing.T) {
	tn := openRound(t)
	tn.do(t, "ins", "GET", "/api/v1/uploads/"+uuid1, "", 404, nil)
	var done ActDoneJSON
	tn.do(t, "ins", "PUT", "/api/v1/reports/"+uuid1, `{"report":{"class":"`+coverClass+`","description":"lid","location":"gate"}}`, 201, &done)
	var u UploadJSON
	tn.do(t, "ins", "GET", "/api/v1/uploads/"+uuid1, "", 200, &u)
	if want := (UploadJSON{Case: done.Case, Number: 1, State: "reported", Act: "report", Person: "ins"}); u != want {
		t.Errorf("%+v, want %+v", u, want)
	}
}

// TestSentBySomebodyElse: what one person did is not entered under the name of another
// who has signed in on the same phone since.
func TestSentBySomebodyElse(t *testing.T) {
	tn := openRound(t)
	report := `{"person":"ins","report":{"class":"` + coverClass + `","description":"lid","location":"gate"}}`
	if w := tn.do(t, "ins2", "PUT", "/api/v1/reports/"+uuid1, report, 403, nil); codeOf(t, w) != codeOtherPerson {
		t.Errorf("%s", w.Body)
	}
	tn.do(t, "ins", "PUT", "/api/v1/reports/"+uuid1, report, 201, nil)
	id := tn.report(t)
	tn.act(t, "acc", id, `{"act":"send_verify","inspector":"ins2"}`)
	if w := tn.do(t, "ins2", "POST", "/api/v1/cases/"+id+"/acts", `{"act":"answer_verify","outcome":"yes","person":"ins"}`, 403, nil); codeOf(t, w) != codeOtherPerson {
		t.Errorf("%s", w.Body)
	}
	var page CasePage
	tn.do(t, "ins", "GET", "/api/v1/cases", "", 200, &page)
	if len(page.Rows) != 2 {
		t.Errorf("%d cases, want two", len(page.Rows))
	}
	text, err := json.Marshal(page)
	if err != nil || strings.Contains(string(text), "verified") {
		t.Errorf("%s, %v", text, err)
	}
}
