package api

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"citygrid/schemas"
)

var update = flag.Bool("update", false, "write schemas/openapi.yaml instead of comparing with it")

// epoch is the moment at which tests take place.
var epoch = time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)

// fakeSeries answers every question with what it was given.
type fakeSeries struct {
	samples  Samples
	readings []schemas.Reading
	err      error
	asked    struct {
		meter    schemas.MeterID
		origin   schemas.Origin
		from, to time.Time
		max      int
	}
}

func (f *fakeSeries) Range(_ context.Context, m schemas.MeterID, _ schemas.Quantity, o schemas.Origin, from, to time.Time, maxPoints int) (Samples, error) {
	f.asked.meter, f.asked.origin, f.asked.from, f.asked.to, f.asked.max = m, o, from, to, maxPoints
	return f.samples, f.err
}

func (f *fakeSeries) Around(_ context.Context, m schemas.MeterID, _ schemas.Quantity, from, to time.Time, limit int) ([]schemas.Reading, error) {
	f.asked.meter, f.asked.from, f.asked.to, f.asked.max = m, from, to, limit
	return f.readings, f.err
}

func reading(meter, quantity string, mantissa int64, at time.Time) schemas.Reading {
	info, ok := schemas.Quantity(quantity).Info()
	if !ok {
		panic("no quantity " + quantity)
	}
	return schemas.Reading{
		Meter: schemas.MeterID(meter), Quantity: info.Quantity, Unit: info.Unit,
		Value: schemas.Decimal{Mantissa: mantissa, Exponent: -2}, TakenAt: at,
	}
}

func missing(r schemas.Reading, why schemas.Reason) schemas.Reading {
	r.Value, r.Quality, r.Reason = schemas.Decimal{}, schemas.Missing, why
	return r
}

// city is a small table: two water meters, one power meter, one gas meter
// without a value, one meter that never answered.
func city() *Live {
	l := NewLive(func() time.Time { return epoch })
	at := epoch.Add(-10 * time.Second)
	l.Stored([]schemas.Reading{
		reading("W-1", "water.flow", 150, at),
		reading("W-1", "water.volume.forward", 56486, at),
		reading("W-1", "device.battery.voltage", 361, at),
		reading("W-2", "water.volume.forward", 900, at.Add(-2*time.Hour)),
		reading("P-1", "power.energy.import", 7, at),
		missing(reading("G-1", "gas.volume.standard", 0, at), schemas.ReasonBadBCD),
	}, epoch.Add(-9*time.Second))
	l.CollectorOnline("c1", true, epoch.Add(-time.Hour))
	started := epoch.Add(-time.Hour)
	l.CollectorStatus(schemas.Status{Collector: "c1", Area: "330106", At: at, StartedAt: started})
	l.CollectorStatus(schemas.Status{
		Collector: "c1", Area: "330106", At: epoch, StartedAt: started, ValuesRead: 6,
		EnvelopesSealed: 31, EnvelopesPublished: 32, EnvelopesFreed: 28,
		SpoolRecords: 3, SpoolBytes: 300, SpoolQuota: 1000, FailingTotal: 1,
		Failing: []schemas.MeterFault{{Meter: "X-9", Since: epoch.Add(-time.Minute), Error: "no answer in 1 s"}},
	})
	return l
}

func testOptions() Options {
	return Options{
		Live: city(),
		Flow: func() FlowCounters {
			return FlowCounters{
				BrokerConnected: true, Received: 10, Opened: 9, Refused: map[string]uint64{"open_failed": 1},
				StoreUp: true, StoredPoints: 90, StoreQueueLimit: 100, Receipts: 9,
			}
		},
		Series: &fakeSeries{},
		Now:    func() time.Time { return epoch },
		Log:    slog.New(slog.DiscardHandler),
	}
}

func newHandler(t *testing.T, change func(*Options)) http.Handler {
	t.Helper()
	o := testOptions()
	if change != nil {
		change(&o)
	}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func ask(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestRoutes(t *testing.T) {
	h := newHandler(t, func(o *Options) {
		o.Version = Version{Version: "1.2.3", Go: "go1.26"}
		o.Series = &fakeSeries{samples: Samples{Samples: []Sample{
			{At: epoch.Add(-time.Minute), Count: 1, Value: schemas.Decimal{Mantissa: 10, Exponent: -1}, Min: 1, Mean: 1, Max: 1},
			{At: epoch, Quality: schemas.Missing, Reason: schemas.ReasonNaN},
		}}}
	})
	const readings = "/api/v1/meters/W-1/readings?quantity=water.volume.forward&"
	for _, tc := range []struct {
		target string
		status int
		want   []string // parts of the body
	}{
		{"/api/v1/flow", 200, []string{`"total":5`, `"answering":3`, `"failing":1`, `"late":1`, `"refused_total":1`, `"values_read":6`, `"sealed":31`, `"published":32`, `"freed":28`, `"state":"ok"`}},
		{"/api/v1/meters", 200, []string{`"total":5`, `"value":"564.86"`, `"unit":"m3"`, `"value":null`, `"reason":"bad_bcd"`, `"quality":"none"`, `no answer in 1 s`}},
		{"/api/v1/meters?medium=water&limit=1", 200, []string{`"total":2`, `"id":"W-1"`, `"next":"`}},
		{"/api/v1/meters?q=w-2", 200, []string{`"total":1`, `"id":"W-2"`, `"state":"late"`}},
		{"/api/v1/meters?quality=missing", 200, []string{`"total":1`, `"id":"G-1"`}},
		{"/api/v1/meters?state=failing", 200, []string{`"total":1`, `"id":"X-9"`}},
		{"/api/v1/meters?medium=steam", 422, []string{`"code":"invalid_parameters"`, `query.medium`}},
		{"/api/v1/meters?limit=0", 422, []string{`"code":"invalid_parameters"`}},
		{"/api/v1/meters?limit=201", 422, []string{`"code":"invalid_parameters"`}},
		{"/api/v1/meters?sort=colour", 422, []string{`"code":"invalid_parameters"`}},
		{"/api/v1/meters?colour=red", 422, []string{`"code":"invalid_parameters"`}},
		{"/api/v1/meters?cursor=zzz", 400, []string{`"code":"invalid_cursor"`}},
		{"/api/v1/meters/W-1", 200, []string{`"quantity":"water.volume.forward"`, `"value":"1.50"`, `"quantity":"device.battery.voltage"`, `"stored_at"`}},
		{"/api/v1/meters/W-7", 404, []string{`"code":"meter_unknown"`}},
		{"/api/v1/meters/W%207", 422, []string{`"code":"invalid_parameters"`}},
		{readings + "from=2026-03-01T00:00:00Z", 200, []string{`"value":"1.0"`, `"value":null`, `"reason":"nan"`, `"unit":"m3"`}},
		{readings + "from=2026-03-01T00:00:00Z&origin=daily_freeze", 200, []string{`"origin":"daily_freeze"`}},
		{readings + "from=2026-03-01T00:00:00Z&origin=weekly_freeze", 422, []string{`"code":"invalid_parameters"`, `query.origin`}},
		{readings, 422, []string{`"code":"invalid_parameters"`, `query.from`}},
		{readings + "from=yesterday", 422, []string{`"code":"invalid_parameters"`}},
		{readings + "from=2026-03-01T00:00:00Z&to=2026-02-01T00:00:00Z", 422, []string{`"code":"invalid_range"`}},
		{readings + "from=2020-03-01T00:00:00Z", 422, []string{`"code":"invalid_range"`}},
		{readings + "from=2026-03-01T00:00:00Z&max=1", 422, []string{`"code":"invalid_parameters"`}},
		{"/api/v1/meters/W-1/readings?quantity=steam&from=2026-03-01T00:00:00Z", 422, []string{`"code":"quantity_unknown"`}},
		{"/api/v1/quantities", 200, []string{`"quantity":"water.volume.forward"`, `"zh":"正向累计水量"`, `"kind":"counter"`, `"states":["closed"`}},
		{"/api/v1/collectors", 200, []string{`"id":"c1"`, `"online":true`, `"spool_records":3`, `"area":"330106"`}},
		{"/api/v1/version", 200, []string{`"version":"1.2.3"`}},
		{"/api/v1/openapi.yaml", 200, []string{"openapi: 3.1.0"}},
		{"/api/v1/nothing", 404, []string{`"code":"not_found"`}},
		{"/api/v1/stream?medium=steam", 422, []string{`"code":"invalid_parameters"`}},
		{"/api/v1/stream?limit=x", 422, []string{`limit`}},
		{"/api/v1/stream?cursor=zzz", 400, []string{`"code":"invalid_cursor"`}},
		{"/api/v1/stream?colour=red", 422, []string{`colour`}},
		{"/nothing", 404, []string{`"code":"not_found"`}},
		{"/", 200, []string{"make pages"}},
		{"/healthz", 200, []string{"alive"}},
		{"/readyz", 200, []string{`"ready":true`}},
	} {
		t.Run(tc.target, func(t *testing.T) {
			w := ask(h, "GET", tc.target)
			body := w.Body.String()
			if w.Code != tc.status {
				t.Fatalf("status %d, want %d: %s", w.Code, tc.status, body)
			}
			for _, part := range tc.want {
				if !strings.Contains(body, part) {
					t.Errorf("body has no %s:\n%s", part, body)
				}
			}
			if tc.status >= 400 && w.Header().Get("Content-Type") != problemMediaType {
				t.Errorf("an error of type %q", w.Header().Get("Content-Type"))
			}
		})
	}
}

func TestStoreDown(t *testing.T) {
	h := newHandler(t, func(o *Options) { o.Series = &fakeSeries{err: errors.New("dial tcp: secret-host refused")} })
	w := ask(h, "GET", "/api/v1/meters/W-1/readings?quantity=water.flow&from=2026-03-01T00:00:00Z")
	if w.Code != 503 || !strings.Contains(w.Body.String(), codeStore) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if strings.Contains(w.Body.String(), "secret-host") {
		t.Error("the answer tells the store's address")
	}
}

func TestReadingsQuestion(t *testing.T) {
	s := &fakeSeries{}
	h := newHandler(t, func(o *Options) { o.Series = s })
	ask(h, "GET", "/api/v1/meters/W-1/readings?quantity=water.flow&from=2026-03-01T08:00:00%2B08:00&max=77")
	if want := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC); !s.asked.from.Equal(want) || s.asked.from.Location() != time.UTC {
		t.Errorf("from = %v, want %v", s.asked.from, want)
	}
	if !s.asked.to.Equal(epoch) || s.asked.max != 77 || s.asked.meter != "W-1" || s.asked.origin != schemas.Live {
		t.Errorf("asked %+v", s.asked)
	}
	ask(h, "GET", "/api/v1/meters/W-1/readings?quantity=water.flow&from=2026-03-01T00:00:00Z&origin=load_record")
	if s.asked.origin != schemas.LoadRecord {
		t.Errorf("asked %+v", s.asked)
	}
}

func TestOtherMethods(t *testing.T) {
	h := newHandler(t, nil)
	for _, tc := range []struct {
		target string
		header []string
		status int
	}{
		{"/api/v1/flow", nil, 405},
		{"/", nil, 405},
		{"/api/v1/flow", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"/", []string{"Origin", "https://elsewhere.example"}, 403},
	} {
		if w := ask(h, "POST", tc.target, tc.header...); w.Code != tc.status {
			t.Errorf("POST %s %v: %d, want %d", tc.target, tc.header, w.Code, tc.status)
		}
	}
}

func TestReadyzNamesWhatFails(t *testing.T) {
	h := newHandler(t, func(o *Options) {
		o.Ready = []Check{
			{Name: "broker", Check: func(context.Context) error { return nil }},
			{Name: "store", Do: "start InfluxDB", Check: func(ctx context.Context) error {
				if _, ok := ctx.Deadline(); !ok {
					return errors.New("no deadline given")
				}
				return errors.New("connection refused")
			}},
		}
	})
	w := ask(h, "GET", "/readyz")
	var got ReadyJSON
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if w.Code != 503 || got.Ready || !got.Checks[0].OK || got.Checks[1].Do != "start InfluxDB" || got.Checks[1].Error != "connection refused" {
		t.Errorf("got %d %+v", w.Code, got)
	}
}

func TestNewRefusesIncompleteOptions(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("New took empty options")
	}
}

func TestPages(t *testing.T) {
	long := strings.Repeat("let a = 1;\n", 200)
	h := newHandler(t, func(o *Options) {
		o.Pages = fstest.MapFS{
			"index.html":       {Data: []byte("<!doctype html><title>city</title>")},
			"assets/x-123.js":  {Data: []byte(long)},
			"placeholder.html": {Data: []byte("x")},
		}
	})
	index := ask(h, "GET", "/")
	if !strings.Contains(index.Body.String(), "<title>city") || index.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("index: %v %s", index.Header(), index.Body)
	}
	for _, name := range []string{"Content-Security-Policy", "X-Content-Type-Options", "ETag"} {
		if index.Header().Get(name) == "" {
			t.Errorf("index has no %s", name)
		}
	}
	script := ask(h, "GET", "/assets/x-123.js", "Accept-Encoding", "br, gzip")
	if script.Header().Get("Content-Encoding") != "gzip" || !strings.Contains(script.Header().Get("Cache-Control"), "immutable") ||
		!strings.HasPrefix(script.Header().Get("Content-Type"), "text/javascript") {
		t.Errorf("script: %v", script.Header())
	}
	plain := ask(h, "GET", "/assets/x-123.js", "Accept-Encoding", "gzip;q=0")
	if plain.Header().Get("Content-Encoding") != "" || plain.Body.String() != long {
		t.Errorf("plain script: %v", plain.Header())
	}
	again := ask(h, "GET", "/assets/x-123.js", "Accept-Encoding", "gzip", "If-None-Match", script.Header().Get("ETag"))
	if again.Code != 304 || again.Body.Len() != 0 {
		t.Errorf("again: %d", again.Code)
	}
	if w := ask(h, "GET", "/placeholder.html"); w.Code != 404 {
		t.Errorf("placeholder.html: %d, want 404", w.Code)
	}
	head := ask(h, "HEAD", "/")
	if head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("Content-Length") == "" {
		t.Errorf("HEAD: %d %v", head.Code, head.Header())
	}
}

// TestOpenAPI keeps schemas/openapi.yaml equal to the code. Run the tests of
// this package with -update after a change of the API.
func TestOpenAPI(t *testing.T) {
	w := ask(newHandler(t, nil), "GET", "/api/v1/openapi.yaml")
	got, err := io.ReadAll(w.Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("openapi.yaml: %d %v", w.Code, err)
	}
	const file = "../../schemas/openapi.yaml"
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s differs from the code; look at the change, then run: go test ./hub/api -run TestOpenAPI -update", file)
	}
}
