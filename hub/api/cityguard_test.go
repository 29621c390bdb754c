package api

import (
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"citygrid/hub/accounts"
	"citygrid/hub/cases/desk"
	"citygrid/hub/rollup"
	"citygrid/schemas"
)

// TestViewersSeeNoHousehold: who may see totals only is not shown the consumption of
// fewer than five meters, nor what names a thing.
func TestViewersSeeNoHousehold(t *testing.T) {
	var m *mapTown
	h := openHub(t, func(o *Options) {
		m = newMapTown(t, nil)
		o.City, o.Registry, o.Live = m.city, &Registry{Auth: gridPeople{}, Register: m.options.Registry.Register}, m.options.Live
	})
	h.person(t, "vera", accounts.Viewer)
	h.person(t, "ivan", accounts.Inspector)
	viewer, inspector := h.browser().signIn(t, "vera", otherPassword), h.browser().signIn(t, "ivan", otherPassword)
	d := schemas.Decimal{Mantissa: 7}
	m.figures.cells[schemas.Water] = []rollup.Figure{{Value: d, Known: true, Meters: hiddenBelow}, {Value: d, Known: true, Meters: hiddenBelow - 1}, {}}
	m.figures.hours = func(area string, _ schemas.Medium, _ time.Time) *rollup.Figure {
		meters := hiddenBelow
		if area == secondCell {
			meters--
		}
		return &rollup.Figure{Value: d, Known: true, Meters: meters, Counted: meters, Flow: 1, FlowKnown: true}
	}
	m.cases.events = []desk.EventRecord{{ID: "e1", Kind: "leak", Cell: firstCell, Meter: "W-1", Component: "c1", Opened: epoch, Case: "C1", Note: "at the Li family"}}
	see := func(b *browser, path string, want ...string) string {
		t.Helper()
		w := b.want(t, "GET", path, "", 200, "")
		for _, one := range want {
			if !strings.Contains(w.Body.String(), one) {
				t.Errorf("%s: no %s in %s", path, one, w.Body)
			}
		}
		return w.Body.String()
	}
	see(viewer, "/api/v1/map/values?metric=consumption&medium=water", `"values":[7,null],"hidden":[1]`)
	see(inspector, "/api/v1/map/values?metric=consumption&medium=water", `"values":[7,7],"hidden":[]`)
	see(viewer, "/api/v1/map/values?metric=completeness&medium=water", `"hidden":[]`)
	if body := see(viewer, "/api/v1/city/series?medium=water&area="+secondCell, `"hidden":true`, `"value":null,"flow":null`); strings.Contains(body, `"value":"7"`) {
		t.Error("a viewer sees the series of four meters")
	}
	see(viewer, "/api/v1/city/series?medium=water&area="+firstCell, `"hidden":false`, `"value":"7"`)
	see(inspector, "/api/v1/city/series?medium=water&area="+secondCell, `"hidden":false`, `"value":"7"`)
	if body := see(viewer, "/api/v1/city/summary?area="+secondCell, `"today":null`, `"hidden":true`); strings.Contains(body, "W-1") || strings.Contains(body, "Li family") || strings.Contains(body, "c1") || strings.Contains(body, `"flow":1`) {
		t.Errorf("a viewer sees %s", body)
	}
	see(inspector, "/api/v1/city/summary?area="+secondCell, "Li family", `"hidden":false`)
	if body := see(viewer, "/api/v1/city/cells/"+firstCell, `"detailed":false`, `"meters":[]`); strings.Contains(body, "3205080101000001") {
		t.Errorf("a viewer sees %s", body)
	}
	see(inspector, "/api/v1/city/cells/"+firstCell, `"detailed":true`, `"W-silent"`)
	viewer.want(t, "GET", "/api/v1/meters?area="+firstCell, "", 403, codeRole)
	h.browser().want(t, "GET", "/api/v1/map", "", 401, codeNobody)
}

func TestNoMap(t *testing.T) {
	h := newHandler(t, nil)
	for _, target := range []string{"/api/v1/map", "/api/v1/map/geometry/1.0", "/api/v1/map/values?metric=open", "/api/v1/city/summary", "/api/v1/city/series?medium=gas", "/api/v1/city/cells/" + firstCell} {
		if w := ask(h, "GET", target); w.Code != 404 || !strings.Contains(w.Body.String(), codeNoMap) {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	m := newMapTown(t, func(m *mapTown, _ *Options) { m.city.Plan = func() *Plan { return nil } })
	if w := ask(m, "GET", "/api/v1/map"); w.Code != 503 || w.Header().Get("Retry-After") != "2" || !strings.Contains(w.Body.String(), codeMapNotReady) {
		t.Errorf("before the plan: %d %v %s", w.Code, w.Header(), w.Body)
	}
	o := testOptions()
	o.City = &City{}
	if _, err := New(o); err == nil {
		t.Error("a city of nothing is taken")
	}
}

// TestLayersMayBeShown: pages may load the pictures that the configuration names, and
// nothing else from elsewhere.
func TestLayersMayBeShown(t *testing.T) {
	m := newMapTown(t, func(m *mapTown, o *Options) {
		o.Pages = fstest.MapFS{"index.html": {Data: []byte("x")}}
		m.city.Layers = []MapLayerJSON{{Name: "a", Kind: "xyz", URL: "https://tiles.example:8443/{z}/{x}/{y}.png"}, {Name: "b", URL: "https://tiles.example:8443/other"}, {Name: "c", URL: "/own/{z}"}, {Name: "d", URL: "https://maps.example/wms?x=1"}}
	})
	want := "img-src 'self' https://tiles.example:8443 https://maps.example blob: data:;"
	if got := ask(m, "GET", "/").Header().Get("Content-Security-Policy"); !strings.Contains(got, want) || strings.Count(got, "https:") != 2 {
		t.Errorf("%s", got)
	}
	var head MapHeadJSON
	if m.get(t, "/api/v1/map", &head); len(head.Layers) != 4 || !reflect.DeepEqual(head.Layers, m.city.Layers) {
		t.Errorf("%+v", head.Layers)
	}
}
