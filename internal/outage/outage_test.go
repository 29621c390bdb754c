package outage

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"citygrid/internal/city"
	"citygrid/simulators"
)

func TestValidate(t *testing.T) {
	good := Options{Part: city.Broker, Rate: 2000, Before: 10 * time.Second, Outage: time.Minute}
	for _, tt := range []struct {
		change func(*Options)
		want   string
	}{
		{func(*Options) {}, ""},
		{func(o *Options) { o.Part = city.Collector }, "cannot take away"},
		{func(o *Options) { o.Rate = 1 }, "readings a second"},
		{func(o *Options) { o.Before = 0 }, "before the outage"},
		{func(o *Options) { o.Outage = 0 }, "of outage"},
	} {
		o := good
		tt.change(&o)
		if err := o.Validate(); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
	}
}

// TestProblemsNameEveryPromise: each promise can be broken alone.
func TestProblemsNameEveryPromise(t *testing.T) {
	good := Report{Times: 10, During: Waits{P99: 5}, CollectorMiB: 64}
	if p := good.Problems(); len(p) != 0 {
		t.Errorf("at the bounds: %v", p)
	}
	for want, spoil := range map[string]func(*Report){
		"1 lost":        func(r *Report) { r.Lost = 1 },
		"1 duplicated":  func(r *Report) { r.Duplicated = 1 },
		"1 wrong":       func(r *Report) { r.Wrong = 1 },
		"9.9 times":     func(r *Report) { r.Times = 9.9 },
		"waited 5.1 s":  func(r *Report) { r.During.P99 = 5.1 },
		"took 64.5 MiB": func(r *Report) { r.CollectorMiB = 64.5 },
	} {
		r := good
		spoil(&r)
		if p := r.Problems(); len(p) != 1 || !strings.Contains(p[0], want) {
			t.Errorf("%v, want %q alone", p, want)
		}
	}
}

func TestFleetGivesTheRate(t *testing.T) {
	for _, rate := range []int{2000, 5000} {
		c, err := fleetOf(rate)
		if err != nil {
			t.Fatal(err)
		}
		c.Start = time.Unix(0, 0)
		fleet, err := simulators.NewFleet(c)
		if err != nil {
			t.Fatal(err)
		}
		if n := fleet.Values(); n < rate*85/100 || n > rate*115/100 {
			t.Errorf("%d values a second, want about %d", n, rate)
		}
	}
}

// fakeInflux answers with what it is told.
type fakeInflux struct{ rows, written string }

func (f *fakeInflux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/debug/vars" {
		fmt.Fprintf(w, `{"httpd:127.0.0.1:1":{"values":{"pointsWrittenOK":%s}},"cmdline":["x"]}`, f.written)
		return
	}
	_, _ = io.WriteString(w, `{"results":[{"series":[{"values":[`+f.rows+`]}]}]}`)
}

func newTestProbe(t *testing.T) (*probe, *fakeInflux) {
	t.Helper()
	f := &fakeInflux{written: "0"}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return newProbe(server.URL), f
}

// TestWaitsAreOfEachReading: readings of one moment that come at different looks
// have different waits, and one that was seen is not counted again.
func TestWaitsAreOfEachReading(t *testing.T) {
	p, f := newTestProbe(t)
	now := time.Now()
	taken := now.Add(-4 * time.Second).Truncate(slot)
	for _, n := range []int{99, 99, 100} {
		f.rows = fmt.Sprintf("[%d,%d]", taken.UnixMilli(), n)
		if err := p.lookOnce(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
	list := p.seen[taken.UnixMilli()]
	if len(list) != 2 || list[0].more != 99 || list[1].more != 1 {
		t.Fatalf("%+v", list)
	}
	list[1].at = taken.Add(9 * time.Second)
	list[0].at = taken.Add(time.Second)
	w := p.waits(taken, taken.Add(time.Second))
	if w.Readings != 100 || w.P50 != 1 || w.P99 != 1 || w.Most != 9 {
		t.Errorf("%+v", w)
	}
	if w := p.waits(taken.Add(slot), now); w.Readings != 0 {
		t.Errorf("readings of other moments: %+v", w)
	}
}

// TestPointsGoOnAfterARestart: InfluxDB counts from nothing when it is started
// again.
func TestPointsGoOnAfterARestart(t *testing.T) {
	p, f := newTestProbe(t)
	for _, step := range []struct{ written, want int }{{100, 100}, {250, 250}, {0, 250}, {40, 290}, {41, 291}} {
		f.written = fmt.Sprint(step.written)
		if got, err := p.points(t.Context()); err != nil || got != uint64(step.want) {
			t.Errorf("after %d: %d, %v; want %d", step.written, got, err, step.want)
		}
	}
}
