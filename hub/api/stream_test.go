package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/schemas"
)

// sink is a ResponseWriter that keeps what a stream sends and may fail or
// be slow.
type sink struct {
	mu     sync.Mutex
	header http.Header
	status int
	body   bytes.Buffer
	delay  time.Duration
	err    error
	writes int
}

func (s *sink) Header() http.Header    { return s.header }
func (s *sink) WriteHeader(status int) { s.status = status }
func (s *sink) Flush()                 {}

func (s *sink) Write(p []byte) (int, error) {
	time.Sleep(s.delay) // inside a synctest bubble
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if s.err != nil {
		return 0, s.err
	}
	return s.body.Write(p)
}

// events returns the data of the events named name, and empties the sink.
func (s *sink) events(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, block := range strings.Split(s.body.String(), "\n\n") {
		if !strings.HasPrefix(block, "event: "+name+"\n") {
			continue
		}
		_, data, _ := strings.Cut(block, "data: ")
		list = append(list, data)
	}
	s.body.Reset()
	return list
}

// openStream serves target in a bubble until ctx ends.
func openStream(ctx context.Context, h http.Handler, target string, s *sink) (done chan struct{}) {
	s.header = http.Header{}
	done = make(chan struct{})
	go func() {
		defer close(done)
		h.ServeHTTP(s, httptest.NewRequestWithContext(ctx, "GET", target, nil))
	}()
	return done
}

func bubbleOptions(change func(*Options)) (Options, *Live) {
	o := testOptions()
	o.Live = NewLive(time.Now)
	o.Now = time.Now
	if change != nil {
		change(&o)
	}
	return o, o.Live
}

func TestStreamFullThenDeltas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, live := bubbleOptions(nil)
		h, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		store := func(id string, v int64) {
			live.Stored([]schemas.Reading{reading(id, "water.volume.forward", v, time.Now().UTC())}, time.Now())
		}
		store("W-1", 1)
		store("W-2", 2)
		ctx, cancel := context.WithCancel(t.Context())
		out := &sink{}
		done := openStream(ctx, h, "/api/v1/stream?medium=water&limit=10", out)
		synctest.Wait()

		first := decode(t, out.events("meters"))
		if len(first) != 1 || !first[0].Full || len(first[0].Rows) != 2 || first[0].Total != 2 {
			t.Fatalf("first: %+v", first)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if again := out.events("meters"); len(again) != 0 {
			t.Errorf("nothing changed, yet: %v", again)
		}
		time.Sleep(300 * time.Millisecond)
		store("W-2", 3)
		time.Sleep(time.Second)
		synctest.Wait()
		delta := decode(t, out.events("meters"))
		if len(delta) != 1 || delta[0].Full || delta[0].Order != nil || len(delta[0].Rows) != 1 || *delta[0].Rows[0].Value != "0.03" {
			t.Errorf("delta: %+v", delta)
		}
		store("W-0", 9)
		time.Sleep(time.Second)
		synctest.Wait()
		if order := decode(t, out.events("meters")); len(order) != 1 || strings.Join(order[0].Order, " ") != "W-0 W-1 W-2" {
			t.Errorf("order: %+v", order)
		}
		cancel()
		<-done
		for name, want := range map[string]string{"X-Accel-Buffering": "no", "Cache-Control": "no-store"} {
			if out.header.Get(name) != want {
				t.Errorf("%s is %q", name, out.header.Get(name))
			}
		}
	})
}

func decode(t *testing.T, data []string) []MetersEvent {
	t.Helper()
	var list []MetersEvent
	for _, text := range data {
		var e MetersEvent
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}

func TestStreamFlowEachSecondWithRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		o, _ := bubbleOptions(func(o *Options) {
			o.Flow = func() FlowCounters {
				return FlowCounters{BrokerConnected: true, StoreUp: true, StoredPoints: uint64(time.Since(start).Seconds() * 250)}
			}
		})
		h, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		out := &sink{}
		done := openStream(ctx, h, "/api/v1/stream", out)
		time.Sleep(20*time.Second + 500*time.Millisecond)
		synctest.Wait()
		out.mu.Lock()
		beats := strings.Count(out.body.String(), "\n: still here\n")
		out.mu.Unlock()
		flows := out.events("flow")
		if len(flows) != 21 || beats != 2 {
			t.Errorf("%d flow events and %d heartbeats in 20 s", len(flows), beats)
		}
		var last Flow
		if err := json.Unmarshal([]byte(flows[len(flows)-1]), &last); err != nil {
			t.Fatal(err)
		}
		if last.Store.Rate < 249 || last.Store.Rate > 251 {
			t.Errorf("rate %v, want 250", last.Store.Rate)
		}
		cancel()
		<-done
	})
}

func TestStreamSlowClientGetsTheLatest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _ := bubbleOptions(nil)
		h, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		out := &sink{delay: 5 * time.Second}
		done := openStream(ctx, h, "/api/v1/stream", out)
		time.Sleep(61 * time.Second)
		cancel()
		<-done
		if out.writes < 10 || out.writes > 14 {
			t.Errorf("%d writes of 5 s in a minute: a backlog", out.writes)
		}
	})
}

func TestStreamEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closing := make(chan struct{})
		o, _ := bubbleOptions(func(o *Options) { o.Closing, o.MaxStreams = closing, 1 })
		h, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		gone := &sink{err: errors.New("broken pipe")}
		<-openStream(t.Context(), h, "/api/v1/stream", gone)
		done := openStream(t.Context(), h, "/api/v1/stream", &sink{})
		synctest.Wait()
		second := ask(h, "GET", "/api/v1/stream")
		if second.Code != 503 || second.Header().Get("Retry-After") == "" || !strings.Contains(second.Body.String(), codeStreams) {
			t.Errorf("one client too many: %d %s", second.Code, second.Body)
		}
		close(closing)
		<-done
	})
}

func TestFlowJudges(t *testing.T) {
	up := FlowCounters{BrokerConnected: true, StoreUp: true, Received: 1, Opened: 1, StoredPoints: 1, Receipts: 1}
	for _, tc := range []struct {
		name   string
		change func(*FlowCounters)
		step   func(*Flow) Step
		want   Step
	}{
		{"all well", func(*FlowCounters) {}, func(f *Flow) Step { return f.Store.Step }, Step{"ok", ""}},
		{"store down", func(c *FlowCounters) { c.StoreUp = false }, func(f *Flow) Step { return f.Store.Step }, Step{"down", "store_down"}},
		{"queue", func(c *FlowCounters) { c.StoreQueue, c.StoreQueueLimit = 80, 100 }, func(f *Flow) Step { return f.Store.Step }, Step{"waiting", "queue_filling"}},
		{"broker", func(c *FlowCounters) { c.BrokerConnected = false }, func(f *Flow) Step { return f.Broker.Step }, Step{"down", "broker_disconnected"}},
		{"nothing yet", func(c *FlowCounters) { c.Opened = 0 }, func(f *Flow) Step { return f.Hub.Step }, Step{"waiting", "no_data"}},
		{"meters", func(*FlowCounters) {}, func(f *Flow) Step { return f.Meters.Step }, Step{"waiting", "some_silent"}},
		{"collectors", func(*FlowCounters) {}, func(f *Flow) Step { return f.Collectors.Step }, Step{"ok", ""}},
		{"spool", func(*FlowCounters) {}, func(f *Flow) Step { return f.Spool.Step }, Step{"ok", ""}},
	} {
		c := up
		tc.change(&c)
		f := newFlowMeter(city(), func() FlowCounters { return c }, func() time.Time { return epoch })
		flow := f.Flow()
		if got := tc.step(&flow); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
}

// TestFlowRatesOfCollectors: the rates of what statuses tell are the growth that
// the hub saw, through a restart too.
func TestFlowRatesOfCollectors(t *testing.T) {
	now := epoch
	l := NewLive(func() time.Time { return now })
	f := newFlowMeter(l, func() FlowCounters { return FlowCounters{} }, func() time.Time { return now })
	if got := f.Flow().Seal.Step; got != (Step{"waiting", "no_data"}) {
		t.Errorf("before any status: %+v", got)
	}
	send := func(started time.Time, sealed uint64) Flow {
		now = now.Add(5 * time.Second)
		l.CollectorStatus(schemas.Status{Collector: "c", At: now, StartedAt: started, EnvelopesSealed: sealed})
		return f.Flow()
	}
	for i, tc := range []struct {
		started time.Time
		sealed  uint64
		total   uint64
		rate    float64
		state   string
	}{
		{epoch.Add(-time.Hour), 1_000_000, 0, 0, "waiting"},
		{epoch.Add(-time.Hour), 1_000_030, 30, 3, "ok"},
		{epoch.Add(10 * time.Second), 15, 45, 3, "ok"},
		{epoch.Add(10 * time.Second), 35, 65, 3.25, "ok"},
	} {
		flow := send(tc.started, tc.sealed)
		if s := flow.Seal; s.Sealed != tc.total || s.Rate != tc.rate || s.State != tc.state {
			t.Errorf("status %d: %+v, want %d at %v/s, %s", i, s, tc.total, tc.rate, tc.state)
		}
	}
}

func TestFlowRefusing(t *testing.T) {
	now, refused := epoch, uint64(0)
	f := newFlowMeter(city(), func() FlowCounters {
		return FlowCounters{Opened: 5, Refused: map[string]uint64{"replayed": refused}}
	}, func() time.Time { return now })
	f.Flow()
	now, refused = now.Add(time.Second), 1
	if got := f.Flow().Hub.Step; got.Reason != "refusing" {
		t.Errorf("while refusing: %+v", got)
	}
	for range 15 {
		now = now.Add(time.Second)
		f.Flow()
	}
	now = now.Add(time.Second)
	if got := f.Flow().Hub.Step; got.State != "ok" {
		t.Errorf("long after: %+v", got)
	}
}
