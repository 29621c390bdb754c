package api

import (
	"bytes"
	"context"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/registry/assets"
)

// gridPeople knows a token for each role, by its word.
type gridPeople struct{}

func (gridPeople) CasePerson(_ context.Context, token string) (CasePerson, bool) {
	r := cases.Role(token)
	return CasePerson{ID: "someone", Roles: []cases.Role{r}}, r == cases.Inspector || r == cases.Dispatcher || r == cases.Admin
}

// newRegister is the face of a register of one street with two cells.
func newRegister(t *testing.T) http.Handler {
	t.Helper()
	r, err := assets.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "grid.db"), assets.Options{Now: func() time.Time { return epoch }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	h := newHandler(t, func(o *Options) { o.Registry = &Registry{Auth: gridPeople{}, Register: r} })
	if w := upload(t, h, "?crs=CGCS2000", censusFiles()); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"stored":true`) {
		t.Fatalf("import: %d %s", w.Code, w.Body)
	}
	return h
}

func censusFiles() map[string]string {
	return map[string]string{
		"areas.csv": "code,name,kind\n320508,county,\n320508001,street,2\n320508001001,community,\n",
		"cells.csv": "code,duty,wkt\n320508001001001,D1,\"POLYGON((120.6 31.3,120.601 31.3,120.601 31.301,120.6 31.301,120.6 31.3))\"\n" +
			"320508001001002,,\"POLYGON((120.601 31.3,120.602 31.3,120.602 31.301,120.601 31.301,120.601 31.3))\"\n",
		"duties.csv":      "code,name,inspectors\nD1,round,wang\n",
		"people.csv":      "id,name,roles,duty\nwang,Wang,inspector,D1\n",
		"departments.csv": "id,name,classes,phone\nwater,Water,CJ/T 214-2007:component:01,12345\n",
		"components.csv": "id,class,x,y,authority,材质\n3205080101000001,CJ/T 214-2007:component:0101,120.6005,31.3005,water,iron\n" +
			"3205080101000002,CJ/T 214-2007:component:0101,,,,\n",
		"meter_links.csv": "meter,component,collector,line\nW-1,3205080101000001,edge-1,L1\n",
	}
}

// upload sends files as an admin.
func upload(t *testing.T, h http.Handler, query string, files map[string]string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, uploadOf(t, query, files))
	return w
}

func uploadOf(t *testing.T, query string, files map[string]string) *http.Request {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, text := range files {
		part, err := form.CreateFormFile("file", name)
		if err == nil {
			_, err = part.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/api/v1/registry/imports"+query, &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Authorization", "Bearer admin")
	return r
}

func TestRegistryAnswers(t *testing.T) {
	h := newRegister(t)
	for _, c := range []struct {
		target string
		status int
		want   []string
		not    string
	}{
		{"/api/v1/areas?within=320508001", 200, []string{`"code":"320508001001"`, `"kind":"2"`}, `"320508"`},
		{"/api/v1/areas/320508", 200, []string{`"name":"county"`}, "geometry"},
		{"/api/v1/areas/320509", 404, []string{`"code":"asset_unknown"`}, ""},
		{"/api/v1/cells?limit=1", 200, []string{`"next":"320508001001001"`, `"community":"320508001001"`}, "002"},
		{"/api/v1/cells?limit=1&after=320508001001001", 200, []string{`"320508001001002"`}, `"duty":"D1"`},
		{"/api/v1/cells/320508001001001", 200, []string{`"type":"MultiPolygon"`, "120.601", `"duty":"D1"`}, ""},
		{"/api/v1/components?class=CJ/T%20214-2007:component:01&cell=320508001001001", 200, []string{`"id":"3205080101000001"`, `"class_name":"上水井盖"`, `"材质":"iron"`}, "000002"},
		{"/api/v1/components?no_position=true", 200, []string{"3205080101000002"}, `"position"`},
		{"/api/v1/components?box=120.6,31.3,120.7,31.4", 200, []string{"3205080101000001"}, "000002"},
		{"/api/v1/components?box=1,2,3", 422, []string{"west,south,east,north"}, ""},
		{"/api/v1/components?class=0101", 422, []string{"STANDARD:KIND:CODE"}, ""},
		{"/api/v1/components/3205080101000001", 200, []string{`"meter":"W-1"`, `"departments":["water"]`, `"area_kind":"2"`, `"crs":"CGCS2000"`}, ""},
		{"/api/v1/components/none", 404, []string{"asset_unknown"}, ""},
		{"/api/v1/meter-links?collector=edge-1", 200, []string{`"component":"3205080101000001"`}, ""},
		{"/api/v1/duties", 200, []string{`"inspectors":["wang"]`}, ""},
		{"/api/v1/departments", 200, []string{`"id":"water"`}, "12345"},
		{"/api/v1/people?duty=D1", 200, []string{`"name":"Wang"`}, ""},
		{"/api/v1/where?lon=120.6005&lat=31.3005&crs=WGS84", 200, []string{`"cell":"320508001001001"`, `"duty":"D1"`}, ""},
		{"/api/v1/where?lon=120.6&lat=31.3", 422, []string{"crs"}, ""},
		{"/api/v1/where?lon=0&lat=0&crs=WGS84", 422, []string{"Gulf of Guinea"}, ""},
		{"/api/v1/registry/imports", 200, []string{`"by":"someone"`, `"kind":"components"`}, ""},
	} {
		w := ask(h, "GET", c.target, "Authorization", "Bearer inspector")
		if w.Code != c.status {
			t.Errorf("%s: %d %s", c.target, w.Code, w.Body)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: no %s in %s", c.target, want, w.Body)
			}
		}
		if c.not != "" && strings.Contains(w.Body.String(), c.not) {
			t.Errorf("%s: %s in %s", c.target, c.not, w.Body)
		}
	}
	if w := ask(h, "GET", "/api/v1/departments", "Authorization", "Bearer dispatcher"); !strings.Contains(w.Body.String(), "12345") {
		t.Errorf("a dispatcher sees no telephone number: %s", w.Body)
	}
}

func TestRegistryMap(t *testing.T) {
	h := newRegister(t)
	w := ask(h, "GET", "/api/v1/cells.geojson?area=320508001", "Authorization", "Bearer inspector")
	var got FeaturesJSON
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || len(got.Features) != 2 || got.Features[0].Geometry == nil || w.Header().Get("Content-Type") != "application/geo+json" {
		t.Fatalf("%d %v %v %s", w.Code, err, w.Header(), w.Body)
	}
	tag := w.Header().Get("ETag")
	if w := ask(h, "GET", "/api/v1/cells.geojson?area=320508001", "Authorization", "Bearer inspector", "If-None-Match", tag); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("asked again: %d %s", w.Code, w.Body)
	}
	more := map[string]string{"cells.csv": "code,wkt\n320508001001003,\"POLYGON((120.602 31.3,120.603 31.3,120.603 31.301,120.602 31.301,120.602 31.3))\"\n"}
	if w := upload(t, h, "?crs=CGCS2000", more); w.Code != http.StatusOK {
		t.Fatalf("another cell: %d %s", w.Code, w.Body)
	}
	if w := ask(h, "GET", "/api/v1/cells.geojson?area=320508001", "Authorization", "Bearer inspector", "If-None-Match", tag); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "001003") {
		t.Errorf("after another cell: %d %s", w.Code, w.Body)
	}
}

func TestRegistryImport(t *testing.T) {
	h := newRegister(t)
	bad := map[string]string{"components.csv": "id,class,x,y\n3205080199000001,CJ/T 214-2007:component:0199,120.6005,31.3005\n"}
	for _, c := range []struct {
		name, query string
		files       map[string]string
		status      int
		want        string
	}{
		{"dry run", "?crs=CGCS2000&dry_run=true", bad, 200, `"line":2,"field":"class"`},
		{"refused", "?crs=CGCS2000", bad, 422, `"location":"components.csv:2: class"`},
		{"no system", "", bad, 422, "reference system is not named"},
		{"unknown system", "?crs=BD-09", bad, 422, "BD-09"},
		{"no file", "?crs=CGCS2000", nil, 422, "part"},
		{"unknown kind", "", map[string]string{"list.csv": "x"}, 422, "what is in it"},
		{"a path for a name", "?crs=CGCS2000", map[string]string{"../../etc/components.csv": bad["components.csv"]}, 422, `"components.csv:2: class"`},
		{"kind for two", "?kind=cells", map[string]string{"a.csv": "", "b.csv": ""}, 422, "one file"},
		{"again", "?crs=CGCS2000", map[string]string{"duties.csv": censusFiles()["duties.csv"]}, 200, `"same":true`},
		{"correction", "?crs=CGCS2000&correct=resurveyed", map[string]string{"cells.csv": strings.Replace(censusFiles()["cells.csv"], "31.301,120.6 31.301", "31.301,120.6 31.30101", 1)}, 200, `"changed":1`},
	} {
		if w := upload(t, h, c.query, c.files); w.Code != c.status || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s: %d %.1000s", c.name, w.Code, w.Body)
		}
	}
}

// TestNothingStaysOfAnUpload: no temporary file is left, whoever refuses it and where.
func TestNothingStaysOfAnUpload(t *testing.T) {
	h := newRegister(t)
	left := t.TempDir()
	t.Setenv("TMPDIR", left)
	server := httptest.NewServer(h)
	for query, want := range map[string]int{"?crs=BD-09": 422, "?crs=CGCS2000&correct=" + strings.Repeat("x", 201): 422, "?nothing=1": 422, "?crs=CGCS2000&dry_run=true": 200, "?crs=CGCS2000": 422} {
		r := uploadOf(t, query, map[string]string{"components.csv": "id,class,x,y\n" + strings.Repeat("3205080199000001,CJ/T 214-2007:component:0199,120.6005,31.3005\n", 20_000)})
		r.RequestURI, r.URL.Scheme, r.URL.Host = "", "http", server.Listener.Addr().String()
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%.40s: %d, want %d", query, answer.StatusCode, want)
		}
	}
	server.Close()
	if list, err := os.ReadDir(left); err != nil || len(list) > 0 {
		t.Errorf("left: %v, %v", list, err)
	}
}

// TestRegistryQuestions: what cannot be asked is the asker's fault, and says so.
func TestRegistryQuestions(t *testing.T) {
	h := newRegister(t)
	for _, query := range []string{"where?lon=-74&lat=40.7&crs=GCJ-02", "where?lon=0&lat=0&crs=WGS84", "components?after=%00", "components?after=%ff", "meter-links?line=%00", "meter-links?line=%ff",
		"components?box=1,2,3", "components?box=NaN,2,3,4", "components?box=5,2,3,4", "components?class=%00"} {
		if w := ask(h, "GET", "/api/v1/"+query, "Authorization", "Bearer inspector"); w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), `"location":"query.`) {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
}

func TestRegistryWho(t *testing.T) {
	h := newRegister(t)
	if w := ask(h, "GET", "/api/v1/cells"); w.Code != http.StatusUnauthorized {
		t.Errorf("nobody: %d", w.Code)
	}
	if w := ask(h, "POST", "/api/v1/registry/imports", "Authorization", "Bearer inspector"); w.Code != http.StatusForbidden {
		t.Errorf("an inspector imports: %d %s", w.Code, w.Body)
	}
	if w := ask(newHandler(t, nil), "GET", "/api/v1/cells", "Authorization", "Bearer admin"); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), codeNoRegister) {
		t.Errorf("a hub without a register: %d %s", w.Code, w.Body)
	}
}
