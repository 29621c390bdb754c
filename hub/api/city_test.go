package api

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/hub/cases/desk"
	"citygrid/hub/cases/limits"
	"citygrid/hub/registry/assets"
	"citygrid/hub/rollup"
	"citygrid/schemas"
)

const (
	firstCell, secondCell = "320508001001001", "320508001001002"
	cellRing              = `"POLYGON((120.6 31.3,120.6010006 31.3,120.6010006 31.301,120.6 31.301,120.6 31.3))"`
	nextRing              = `"POLYGON((120.6010006 31.3,120.602 31.3,120.602 31.301,120.6010006 31.301,120.6010006 31.3))"`
)

// cityCensus is a street with two cells that share a border, a meter in each, and one
// that was never heard of.
func cityCensus() map[string]string {
	files := censusFiles()
	files["cells.csv"] = "code,duty,wkt\n" + firstCell + ",D1," + cellRing + "\n" + secondCell + ",," + nextRing + "\n"
	files["components.csv"] = "id,class,x,y,authority\n3205080101000001,CJ/T 214-2007:component:0101,120.6005,31.3005,water\n" +
		"3205080101000002,CJ/T 214-2007:component:0101,120.6015,31.3005,\n3205080101000003,citygrid-ext:component:water_meter,120.6005,31.3006,\n"
	files["meter_links.csv"] = "meter,component,collector,line\nW-1,3205080101000001,edge-1,L1\nW-2,3205080101000002,edge-1,L1\nW-silent,3205080101000003,edge-1,L1\n"
	return files
}

// cityFigures are figures as a test wants them: by medium, each hour the same.
type cityFigures struct {
	town  *rollup.Town
	cells map[schemas.Medium][]rollup.Figure
	hours func(area string, m schemas.Medium, start time.Time) *rollup.Figure
	final bool
	err   error
	asked []time.Time
}

func (f *cityFigures) Cells(_ context.Context, m schemas.Medium, from, to time.Time) (rollup.Cells, error) {
	f.asked = []time.Time{from, to}
	list := f.cells[m]
	if list == nil {
		list = make([]rollup.Figure, f.town.Nowhere()+1)
	}
	return rollup.Cells{Town: f.town, Figures: list, AsOf: epoch, Final: f.final}, f.err
}

func (f *cityFigures) Hours(_ context.Context, area string, m schemas.Medium, from, to time.Time) (list []rollup.Hour, err error) {
	for at := from; at.Before(to); at = at.Add(time.Hour) {
		h := rollup.Hour{Start: at, Final: at.Before(epoch.Add(-time.Hour))}
		if f.hours != nil {
			h.Of = f.hours(area, m, at)
		}
		list = append(list, h)
	}
	return list, f.err
}

// cityCounts are open cases.
type cityCounts struct {
	list    []desk.Tally
	counted int
	changed chan struct{}
	events  []desk.EventRecord
	cases   []desk.Summary
}

func (c *cityCounts) Counts(_ context.Context, f desk.Filter, by ...desk.CountBy) ([]desk.Tally, error) {
	c.counted++
	if !f.Open || !slices.Equal(by, []desk.CountBy{desk.ByCell, desk.ByState, desk.ByLight}) {
		panic("counts something else")
	}
	return c.list, nil
}

func (c *cityCounts) List(_ context.Context, f desk.Filter) ([]desk.Summary, error) {
	return c.cases, nil
}
func (c *cityCounts) Lasting(_ context.Context, area string, limit int) ([]desk.EventRecord, error) {
	return c.events, nil
}
func (c *cityCounts) Changed() <-chan struct{} { return c.changed }

// town is a face with a map.
type mapTown struct {
	http.Handler
	plan    *Plan
	figures *cityFigures
	cases   *cityCounts
	city    *City
	options Options
}

func newMapTown(t *testing.T, change func(*mapTown, *Options)) *mapTown {
	t.Helper()
	r, err := assets.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "grid.db"), assets.Options{Now: func() time.Time { return epoch }})
	noError(t, err)
	t.Cleanup(func() { noError(t, r.Close()) })
	h := newHandler(t, func(o *Options) { o.Registry = &Registry{Auth: gridPeople{}, Register: r} })
	if w := upload(t, h, "?crs=CGCS2000", cityCensus()); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"stored":true`) {
		t.Fatalf("import: %d %s", w.Code, w.Body)
	}
	m := &mapTown{cases: &cityCounts{changed: make(chan struct{})}}
	m.plan, err = LoadPlan(t.Context(), r)
	noError(t, err)
	m.figures = &cityFigures{town: m.plan.Town(), cells: map[schemas.Medium][]rollup.Figure{}}
	m.options = testOptions()
	m.options.Registry = &Registry{Auth: gridPeople{}, Register: r}
	m.city = &City{Plan: func() *Plan { return m.plan }, Register: r, Cases: m.cases, Figures: m.figures, Zone: time.FixedZone("CST", 8*3600)}
	m.options.City = m.city
	m.options.Live.SetTown(m.plan.Town())
	if change != nil {
		change(m, &m.options)
	}
	m.Handler, err = New(m.options)
	noError(t, err)
	return m
}

// get asks and decodes.
func (m *mapTown) get(t *testing.T, target string, into any, header ...string) {
	t.Helper()
	w := ask(m, "GET", target, header...)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", target, w.Code, w.Body)
	}
	body := io.Reader(w.Body)
	if w.Header().Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(w.Body)
		noError(t, err)
		body = z
	}
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	noError(t, d.Decode(into))
}

// texts are the values as they are written.
func (v *MapValuesJSON) texts() (out []string) {
	for _, one := range v.Values {
		if one == "" {
			one = "null"
		}
		out = append(out, string(one))
	}
	return out
}

// TestGeometry decodes what a page gets and holds it against the register, corner by
// corner: each within half a step, and those that cells share the same.
func TestGeometry(t *testing.T) {
	m := newMapTown(t, nil)
	var head MapHeadJSON
	m.get(t, "/api/v1/map", &head)
	if head.Cells != 2 || head.Version != m.plan.Version() || head.Bounds == nil || head.Bounds[0] != 120.6 || head.Centre[0] != 120.601 || head.Zone != "CST" || head.HideTo != 5 {
		t.Errorf("%+v", head)
	}
	for _, accept := range []string{"gzip", "identity"} {
		w := ask(m, "GET", head.Geometry, "Accept-Encoding", accept)
		if got := w.Header().Get("Content-Encoding"); got != strings.Replace(accept, "identity", "", 1) || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: %v", accept, w.Header())
		}
	}
	var g MapGeometryJSON
	m.get(t, head.Geometry, &g, "Accept-Encoding", "gzip")
	if !slices.Equal(g.Codes, []string{firstCell, secondCell}) || !slices.Equal(g.Communities, []int{2, 2}) || !slices.Equal(g.Duties, []int{0, -1}) || !slices.Equal(g.DutyCodes, []string{"D1"}) {
		t.Errorf("%+v", g)
	}
	if len(g.Areas) != 3 || g.Areas[1].Name != "street" || g.Areas[1].Cells != [2]int{0, 2} {
		t.Errorf("areas %+v", g.Areas)
	}
	x, y, corners := 0, 0, map[[2]int]int{}
	for n, cell := range g.Outlines {
		for p, polygon := range cell {
			for k, ring := range polygon {
				x, y = x+ring[0], y+ring[1]
				at := [2]int{x, y}
				want := m.plan.cells[n].Shape[p][k]
				for c := 0; c < len(ring)/2; c++ {
					if c > 0 {
						at = [2]int{at[0] + ring[2*c], at[1] + ring[2*c+1]}
					}
					corners[at]++
					if math.Abs(float64(at[0])/1e6-want[c][0]) > 0.5000001e-6 || math.Abs(float64(at[1])/1e6-want[c][1]) > 0.5000001e-6 {
						t.Errorf("cell %d, corner %d is at %v, want %v", n, c, at, want[c])
					}
				}
				if len(ring)/2 != len(want)-1 {
					t.Errorf("cell %d: %d corners, want %d", n, len(ring)/2, len(want)-1)
				}
			}
		}
	}
	shared := 0
	for _, n := range corners {
		if n == 2 {
			shared++
		}
	}
	if len(corners) != 6 || shared != 2 {
		t.Errorf("%d corners, %d shared: %v", len(corners), shared, corners)
	}
	if w := ask(m, "GET", "/api/v1/map/geometry/0.0"); w.Code != 404 || !strings.Contains(w.Body.String(), codeMapVersion) {
		t.Errorf("an old version: %d %s", w.Code, w.Body)
	}
}

// TestGeometryLosesNothing: corners that fall together are one, a ring of which nothing
// is left is left out, and the next one starts from the last that was written.
func TestGeometryLosesNothing(t *testing.T) {
	w := &geometryWriter{}
	s := w.shape(nil)
	if s == nil || len(s) != 0 {
		t.Errorf("no shape: %v", s)
	}
	got := w.ring([][2]float64{{1, 1}, {1.0000001, 1}, {2, 1}, {2, 2}, {1, 1}})
	if !slices.Equal(got, []int{1_000_000, 1_000_000, 1_000_000, 0, 0, 1_000_000}) {
		t.Errorf("got %v", got)
	}
	if got := w.ring([][2]float64{{5, 5}, {5.0000001, 5}, {5, 5.0000001}, {5, 5}}); got != nil {
		t.Errorf("a ring of nothing: %v", got)
	}
	if got := w.ring([][2]float64{{1, 1}, {2, 1}, {2, 2}, {1, 1}}); got[0] != 0 || got[1] != 0 {
		t.Errorf("the next one begins with %v", got)
	}
}

func TestMapValues(t *testing.T) {
	m := newMapTown(t, nil)
	m.cases.list = []desk.Tally{
		{Cell: firstCell, State: "filed", Light: limits.Red, N: 2}, {Cell: firstCell, State: "handling", Light: limits.Green, N: 3}, {Cell: "", State: "filed", Light: limits.Red, N: 4},
	}
	known := func(text string, meters, counted int) rollup.Figure {
		d, err := schemas.ParseDecimal(text)
		noError(t, err)
		return rollup.Figure{Value: d, Known: true, Meters: meters, Counted: counted, Expected: 10, Got: 9}
	}
	m.figures.cells[schemas.Water] = []rollup.Figure{known("12.345678901234567", 6, 5), {Meters: 2, Expected: 4}, {Meters: 1}}
	m.figures.cells[schemas.Power] = []rollup.Figure{{Expected: 10, Got: 1, Meters: 1}, {}, {}}
	for _, c := range []struct {
		query string
		want  []string
		of    ValuesOf
	}{
		{"metric=open", []string{"5", "0"}, ValuesOf{Cells: 2, Outside: 4}},
		{"metric=overdue", []string{"2", "0"}, ValuesOf{Cells: 2, Outside: 4}},
		{"metric=offline", []string{"1", "1"}, ValuesOf{Cells: 2, Meters: 3, Missing: 1, Outside: 3}},
		{"metric=offline&medium=power", []string{"null", "null"}, ValuesOf{Outside: 1}},
		{"metric=completeness&medium=water", []string{"0.9000", "0.0000"}, ValuesOf{Cells: 2, Meters: 8, Missing: 3, Outside: 1}},
		{"metric=completeness", []string{"0.5000", "0.0000"}, ValuesOf{Cells: 2, Meters: 9, Missing: 4, Outside: 1}},
		{"metric=consumption&medium=water", []string{"12.345678901234567", "null"}, ValuesOf{Cells: 1, Meters: 8, Missing: 3, Outside: 1}},
	} {
		var v MapValuesJSON
		m.get(t, "/api/v1/map/values?"+c.query, &v, "Accept-Encoding", "gzip")
		if !slices.Equal(v.texts(), c.want) || v.Of != c.of || v.Version != m.plan.Version() || len(v.Hidden) != 0 {
			t.Errorf("%s: %v of %+v, want %v of %+v", c.query, v.texts(), v.Of, c.want, c.of)
		}
	}
	for query, want := range map[string]string{"metric=consumption": "medium", "metric=none": "metric", "": "metric", "metric=open&from=2026-03-01": "from",
		"metric=completeness&from=2027-01-01T00:00:00Z": codeRange, "metric=completeness&from=2020-01-01T00:00:00Z": codeRange} {
		if w := ask(m, "GET", "/api/v1/map/values?"+query); w.Code != 422 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
	// Hours are whole, and the default is the city's day so far.
	ask(m, "GET", "/api/v1/map/values?metric=consumption&medium=gas")
	if want := []time.Time{epoch.Add(-10 * time.Hour), epoch}; !m.figures.asked[0].Equal(want[0]) || !m.figures.asked[1].Equal(want[1]) {
		t.Errorf("asked for %v, want %v", m.figures.asked, want)
	}
	ask(m, "GET", "/api/v1/map/values?metric=consumption&medium=gas&from=2026-02-28T10:10:00Z&to=2026-02-28T12:01:00Z")
	if m.figures.asked[0].Hour() != 10 || m.figures.asked[0].Minute() != 0 || m.figures.asked[1].Hour() != 13 {
		t.Errorf("asked for %v", m.figures.asked)
	}
	m.figures.err = rollup.ErrTooLong
	if w := ask(m, "GET", "/api/v1/map/values?metric=completeness&medium=gas"); w.Code != 422 || !strings.Contains(w.Body.String(), codeTooLong) {
		t.Errorf("too long: %d %s", w.Code, w.Body)
	}
}

// TestCaseCountsAreShared: the desk counts once for all who ask, and again when there is
// something new.
func TestCaseCountsAreShared(t *testing.T) {
	now := epoch
	m := newMapTown(t, func(m *mapTown, o *Options) {
		o.Live = NewLive(func() time.Time { return now })
		o.Live.SetTown(m.plan.Town())
	})
	open := func(want int) {
		t.Helper()
		var v MapValuesJSON
		m.get(t, "/api/v1/map/values?metric=open", &v)
		m.get(t, "/api/v1/map/values?metric=overdue", &v)
		if m.cases.counted != want {
			t.Errorf("counted %d times, want %d", m.cases.counted, want)
		}
	}
	open(1)
	now = now.Add(5 * time.Second)
	open(1)
	close(m.cases.changed)
	m.cases.changed = make(chan struct{})
	now = now.Add(tallyAge)
	open(2)
	now = now.Add(lightsMove)
	open(3)
}

func TestCitySummary(t *testing.T) {
	m := newMapTown(t, nil)
	m.cases.list = []desk.Tally{{Cell: firstCell, State: "filed", Light: limits.Red, N: 2}, {Cell: secondCell, State: "handling", Light: limits.None, N: 3}, {State: "filed", Light: limits.Green, N: 1}}
	m.cases.events = []desk.EventRecord{{ID: "e1", Kind: "leak", Cell: firstCell, Meter: "W-1", Component: "c", Opened: epoch, Case: "C1"}}
	day := epoch.Add(-10 * time.Hour)
	m.figures.hours = func(area string, medium schemas.Medium, start time.Time) *rollup.Figure {
		if medium != schemas.Water {
			return nil
		}
		value := int64(3)
		if start.Before(day) {
			value = 2
		}
		return &rollup.Figure{Value: schemas.Decimal{Mantissa: value, Exponent: -1}, Known: true, Meters: 7, Counted: 6, Expected: 8, Got: 6, Flow: float64(start.Hour()), FlowKnown: true}
	}
	var s CitySummaryJSON
	m.get(t, "/api/v1/city/summary", &s, "Authorization", "Bearer inspector")
	if s.Meters != (MetersStanding{Total: 6, Answering: 3, Late: 1, Failing: 1, Silent: 1}) {
		t.Errorf("meters %+v", s.Meters)
	}
	if s.Cases.Open != 6 || s.Cases.Overdue != 2 || !slices.Equal(s.Cases.ByState, []StateCount{{"filed", 3}, {"handling", 3}}) || len(s.Cases.ByLight) != 4 {
		t.Errorf("cases %+v", s.Cases)
	}
	// Ten hours of 0.3 today, the same ten of 0.2 yesterday.
	row := s.Consumption[slices.IndexFunc(s.Consumption, func(r ConsumptionTodayRow) bool { return r.Medium == "water" })]
	if *row.Today != "3.0" || *row.TodayTo != "3.0" || *row.Yesterday != "2.0" || row.Missing != 1 || !row.Until.Equal(epoch) || row.Unit != "m3" {
		t.Errorf("%+v: %s, %s, %s", row, *row.Today, *row.TodayTo, *row.Yesterday)
	}
	if s.Completeness.Expected != 80 || s.Completeness.Got != 60 || !s.Completeness.From.Equal(day) {
		t.Errorf("%+v", s.Completeness)
	}
	// From 1 to 5 in Shanghai is 17 to 21 UTC of the day before.
	if n := s.Night[0]; n.Medium != "water" || n.Unit != "m3/h" || n.From.Hour() != 17 || n.To.Hour() != 21 {
		t.Errorf("night %+v", n)
	}
	if s.Night[0].Flow != "17" || s.Night[1].Flow != "" {
		t.Errorf("night %+v", s.Night)
	}
	if len(s.Alarms) != 1 || s.Alarms[0].Meter != "W-1" || s.Alarms[0].Case != "C1" {
		t.Errorf("alarms %+v", s.Alarms)
	}
	m.get(t, "/api/v1/city/summary?area="+firstCell, &s)
	if s.Meters.Total != 2 || s.Cases.Open != 2 || s.Area.Code != firstCell {
		t.Errorf("the cell: %+v %+v", s.Meters, s.Cases)
	}
	m.get(t, "/api/v1/city/summary?area=320508001", &s)
	if s.Meters.Total != 3 || s.Cases.Open != 5 || s.Area.Name != "street" {
		t.Errorf("the street: %+v %+v", s.Meters, s.Cases)
	}
	if w := ask(m, "GET", "/api/v1/city/summary?area=999999"); w.Code != 404 || !strings.Contains(w.Body.String(), codeArea) {
		t.Errorf("no area: %d %s", w.Code, w.Body)
	}
}

func TestCitySeries(t *testing.T) {
	m := newMapTown(t, nil)
	m.figures.hours = func(area string, _ schemas.Medium, start time.Time) *rollup.Figure {
		if start.Hour() == 3 {
			return nil // nothing is known
		}
		return &rollup.Figure{Value: schemas.Decimal{Mantissa: 1, Exponent: -2}, Known: true, Meters: 4, Counted: 4, Expected: 4, Got: 4}
	}
	var s CitySeriesJSON
	m.get(t, "/api/v1/city/series?medium=water&from=2026-02-28T02:30:00Z&to=2026-02-28T05:00:00Z", &s)
	if len(s.Points) != 3 || s.Points[1].Value != nil || s.Points[1].Hours != 0 || *s.Points[2].Value != "0.01" || !s.From.Equal(time.Date(2026, 2, 28, 2, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", s)
	}
	m.get(t, "/api/v1/city/series?medium=water&step=day&from=2026-02-26T18:00:00Z", &s)
	// The city's days begin at 16:00 UTC; the third has run for ten hours.
	if len(s.Points) != 3 || !s.Points[0].At.Equal(time.Date(2026, 2, 26, 16, 0, 0, 0, time.UTC)) || *s.Points[0].Value != "0.23" || s.Points[0].Hours != 23 || *s.Points[2].Value != "0.10" || s.Points[2].Final {
		t.Errorf("%+v", s.Points)
	}
	for _, query := range []string{"", "medium=device", "medium=water&step=week", "medium=water&from=2020-01-01T00:00:00Z"} {
		if w := ask(m, "GET", "/api/v1/city/series?"+query); w.Code != 422 {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
}

func TestCityCell(t *testing.T) {
	m := newMapTown(t, nil)
	m.cases.cases = []desk.Summary{{ID: "C1", State: "filed"}}
	var c CityCellJSON
	m.get(t, "/api/v1/city/cells/"+firstCell, &c)
	if c.Detailed || len(c.Components)+len(c.Meters)+len(c.Cases) != 0 || c.Summary.Meters.Total != 2 || len(c.Within) != 3 {
		t.Errorf("nobody sees %+v", c)
	}
	m.get(t, "/api/v1/city/cells/"+firstCell, &c, "Authorization", "Bearer inspector")
	if !c.Detailed || len(c.Components) != 2 || len(c.Meters) != 2 || len(c.Cases) != 1 || c.Cell.Duty != "D1" {
		t.Fatalf("an inspector sees %+v", c)
	}
	if a, b := c.Meters[0], c.Meters[1]; a.ID != "W-1" || a.State != "answering" || *a.Value != "564.86" || b.ID != "W-silent" || !b.Silent || b.Value != nil || b.Medium != "water" {
		t.Errorf("meters %+v", c.Meters)
	}
	if w := ask(m, "GET", "/api/v1/city/cells/320508001001099"); w.Code != 404 {
		t.Errorf("no cell: %d %s", w.Code, w.Body)
	}
}

// TestMetersOfAnArea: the list and the stream take the code of a cell or an area.
func TestMetersOfAnArea(t *testing.T) {
	m := newMapTown(t, nil)
	for area, want := range map[string][]string{firstCell: {"W-1"}, secondCell: {"W-2"}, "320508001": {"W-1", "W-2"}, "320509": nil} {
		var page MeterPage
		m.get(t, "/api/v1/meters?area="+area, &page)
		var got []string
		for _, r := range page.Rows {
			got = append(got, r.ID)
		}
		if !slices.Equal(got, want) || page.Total != len(want) {
			t.Errorf("%s: %v, want %v", area, got, want)
		}
	}
	// A meter that is heard for the first time has its place at once.
	m.options.Live.Stored([]schemas.Reading{reading("W-silent", "water.flow", 1, epoch)}, epoch)
	var page MeterPage
	m.get(t, "/api/v1/meters?area="+firstCell, &page)
	var s CitySummaryJSON
	if m.get(t, "/api/v1/city/summary?area="+firstCell, &s); page.Total != 2 || s.Meters != (MetersStanding{Total: 2, Answering: 2}) {
		t.Errorf("%d meters; %+v", page.Total, s.Meters)
	}
	if q, err := streamQuery(map[string][]string{"area": {firstCell}}); err != nil || q.Area != firstCell {
		t.Errorf("stream: %+v %v", q, err)
	}
	if _, err := streamQuery(map[string][]string{"area": {"a b"}}); err == nil {
		t.Error("the stream takes any text for an area")
	}
}
