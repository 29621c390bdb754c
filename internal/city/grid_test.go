package city

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/webhook"
	"citygrid/internal/secret"
	"citygrid/schemas"
	"citygrid/schemas/codes"
	"citygrid/simulators"
)

const (
	leakFlow = 4.5 // m3/h, beside what a household uses
	// within is how long after the deciding reading a case must be filed.
	within     = 5 * time.Second
	hookSecret = "a secret of the test, long enough"
)

// hooked is a program that is told of every act.
type hooked struct {
	mu    sync.Mutex
	told  []hookedEntry
	ids   map[string]bool
	wrong []string
}

type hookedEntry struct {
	Type  string
	Seq   int64
	Entry struct {
		Case string
		Act  string
	}
}

// ServeHTTP takes what is signed, once each.
func (h *hooked) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	var e hookedEntry
	for _, err := range []error{err, webhook.Verify(r.Header, body, secret.New(hookSecret), time.Now()), json.Unmarshal(body, &e)} {
		if err != nil {
			h.wrong = append(h.wrong, err.Error())
			return
		}
	}
	id := r.Header.Get("Webhook-Id")
	if h.ids[id] {
		return // may come twice; its id tells
	}
	if n := len(h.told); n > 0 && h.told[n-1].Seq >= e.Seq {
		h.wrong = append(h.wrong, "out of order: "+id)
	}
	if h.ids == nil {
		h.ids = map[string]bool{}
	}
	h.ids[id] = true
	h.told = append(h.told, e)
}

// acts returns what was told of a case, without notes.
func (h *hooked) acts(id string) (list []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.told {
		if e.Entry.Case == id && e.Entry.Act != "note" {
			list = append(list, e.Entry.Act)
		}
	}
	return list
}

// gridCity runs a city with a district: 120 meters on four gateways and no wires, so
// that each is read twice a second.
func gridCity(t *testing.T, change func(*Options)) (*City, *hooked) {
	t.Helper()
	h := &hooked{}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c := startCity(t, func(o *Options) {
		o.Fleet.Meters, o.Fleet.SerialLines, o.Fleet.StreamLines = 120, 0, 0
		o.Grid = &GridOptions{Cells: 60, Hold: 4 * time.Second, Webhook: server.URL, Secret: hookSecret}
		if change != nil {
			change(o)
		}
	})
	awaitSlots(t, c, 2)
	return c, h
}

// leaky returns the water meters that can leak and show a flow, each of them so far
// from the others that no two leaks are one.
func leaky(t *testing.T, c *City, n int) []schemas.MeterID {
	t.Helper()
	var list []schemas.MeterID
	for _, m := range c.Leaky() {
		here, _ := c.Truth(m)
		if !slices.ContainsFunc(list, func(o schemas.MeterID) bool {
			there, _ := c.Truth(o)
			dx := (here.Position.Lon - there.Position.Lon) * 95_000
			return math.Hypot(dx, (here.Position.Lat-there.Position.Lat)*111_000) < 60
		}) {
			list = append(list, m)
		}
	}
	if len(list) < n {
		t.Fatalf("%d meters can leak, the test needs %d", len(list), n)
	}
	return list[:n]
}

func breaks(t *testing.T, c *City, meter schemas.MeterID, what string, flow float64) {
	t.Helper()
	if _, err := c.Break(t.Context(), meter, what, flow); err != nil {
		t.Fatal(err)
	}
}

func mends(t *testing.T, c *City, meter schemas.MeterID, what string) {
	t.Helper()
	if _, err := c.Mend(t.Context(), meter, what); err != nil {
		t.Fatal(err)
	}
}

// filed waits for the one case of a meter's leak to be filed, and checks that it is
// where the district has put the meter.
func filed(t *testing.T, c *City, meter schemas.MeterID) kase {
	t.Helper()
	truth, _ := c.Truth(meter)
	k := as(t, c, "dispatcher", "")
	var found []kase
	await(t, "the case of "+string(meter), func() bool {
		found = k.of(truth.ID, schemas.EventLeak)
		return len(found) > 0 && !slices.Contains([]string{"reported", "accepted"}, found[0].State)
	})
	oneCase(t, c, meter)
	steps := k.journal(found[0].ID)
	if f := find(t, steps, "file"); f.Filing == nil || f.Filing.Cell != string(truth.Cell) || found[0].Cell != string(truth.Cell) {
		t.Errorf("the case of %s was filed in %+v, the meter stands in cell %s", meter, f.Filing, truth.Cell)
	}
	return found[0]
}

// oneCase checks that a meter's leak has one case.
func oneCase(t *testing.T, c *City, meter schemas.MeterID) {
	t.Helper()
	truth, _ := c.Truth(meter)
	if list := as(t, c, "dispatcher", "").of(truth.ID, schemas.EventLeak); len(list) != 1 {
		t.Fatalf("the leak of %s has %d cases: %+v", meter, len(list), list)
	}
}

// state waits for a case to come into a state.
func state(t *testing.T, c *City, id string, want cases.State) {
	t.Helper()
	k := as(t, c, "dispatcher", "")
	var last struct{ State string }
	defer func() {
		if last.State != string(want) {
			t.Logf("case %s is %s: %v", id, last.State, acts(k.journal(id)))
		}
	}()
	await(t, "case "+id+" to be "+string(want), func() bool {
		k.ask(http.MethodGet, "/api/v1/cases/"+id, nil, &last)
		return last.State == string(want)
	})
}

// repairs lets people do what a case of a leak needs: dispatch, take, feed back.
func repairs(t *testing.T, c *City, meter schemas.MeterID, id string) {
	t.Helper()
	truth, _ := c.Truth(meter)
	dispatcher := as(t, c, "dispatcher", "")
	var detail struct{ Suggested []string }
	dispatcher.ask(http.MethodGet, "/api/v1/cases/"+id, nil, &detail)
	if !slices.Equal(detail.Suggested, []string{truth.Authority}) {
		t.Fatalf("the hub would send the case to %v, the component belongs to %s", detail.Suggested, truth.Authority)
	}
	dispatcher.act(id, "dispatch", map[string]any{"departments": detail.Suggested})
	staff := as(t, c, "department", truth.Authority)
	staff.act(id, "take", nil)
	staff.act(id, "feed_back", map[string]any{"text": "the pipe has been renewed"})
}

// aLife are the acts of a leak's case from its beginning to its end.
func aLife() []string {
	return []string{"report", "accept", "file", "dispatch", "take", "feed_back", "cleared", "send_check", "answer_check", "close"}
}

// points asks InfluxDB itself: the rows of a query, as maps.
func points(t *testing.T, c *City, query string) (rows []map[string]any) {
	t.Helper()
	var answer struct {
		Results []struct {
			Error  string
			Series []struct {
				Columns []string
				Values  [][]any
			}
		}
	}
	err := get(t.Context(), c.influx.URL()+"/query?"+url.Values{"db": {"citygrid"}, "epoch": {"ms"}, "q": {query}}.Encode(), func(body io.Reader) error {
		return json.NewDecoder(body).Decode(&answer)
	})
	if err != nil || len(answer.Results) != 1 || answer.Results[0].Error != "" {
		t.Fatalf("%s: %v %+v", query, err, answer)
	}
	for _, s := range answer.Results[0].Series {
		for _, v := range s.Values {
			row := map[string]any{}
			for n, name := range s.Columns {
				row[name] = v[n]
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// gridExact checks the audit of events.
func gridExact(t *testing.T, r *Report, caused int) {
	t.Helper()
	g := r.Grid
	if g.Wrong() != 0 || g.Caused < caused {
		t.Errorf("%d things are wrong with events and cases, %d leaks were caused, want 0 and %d: %+v", g.Wrong(), g.Caused, caused, g)
	}
	t.Logf("%+v", *g)
}

// TestLeakToItsEnd follows one leak from the meter to the closed case and back, while
// the collector is killed, and another one that clears before its case is handled.
func TestLeakToItsEnd(t *testing.T) {
	c, h := gridCity(t, nil)
	meter := leaky(t, c, 1)[0]
	breaks(t, c, meter, simulators.Leaks, leakFlow)
	leak := filed(t, c, meter)
	if err := c.Kill(Collector); err != nil {
		t.Fatal(err)
	}
	if err := c.Restart(t.Context(), Collector); err != nil {
		t.Fatal(err)
	}
	awaitMore(t, c, 4000)
	oneCase(t, c, meter)

	families, err := c.HubMetrics(t.Context())
	if err != nil || Sum(families["citygrid_cases_open"]) < 1 || families["citygrid_cases_overdue"] == nil {
		t.Errorf("the metrics count %v open cases: %v", families["citygrid_cases_open"], err)
	}
	repairs(t, c, meter, leak.ID)
	state(t, c, leak.ID, cases.FedBack)
	mends(t, c, meter, simulators.Leaks)
	state(t, c, leak.ID, cases.Closed)
	k := as(t, c, "dispatcher", "")
	steps := k.journal(leak.ID)
	if got := acts(steps); !slices.Equal(got, aLife()) {
		t.Errorf("the case's life was %v, want %v", got, aLife())
	}
	await(t, "the webhook to be told of all of it", func() bool { return slices.Equal(h.acts(leak.ID), aLife()) })
	await(t, "the points of both ends of the event", func() bool {
		return len(points(t, c, `SELECT "open","id" FROM component_event WHERE "meter"='`+string(meter)+`' AND kind='leak'`)) >= 2
	})
	rows := points(t, c, `SELECT "open","id" FROM component_event WHERE "meter"='`+string(meter)+`' AND kind='leak'`)
	if len(rows) != 2 || rows[0]["id"] != leak.Event || rows[1]["id"] != leak.Event || rows[0]["open"] != 1.0 || rows[1]["open"] != 0.0 {
		t.Errorf("points of the event %s: %v", leak.Event, rows)
	}
	await(t, "the points of the acts", func() bool {
		return len(points(t, c, `SELECT "case" FROM case_transition WHERE "case"='`+leak.ID+`'`)) >= len(steps)
	})
	if rows := points(t, c, `SELECT "case" FROM case_transition WHERE "case"='`+leak.ID+`'`); len(rows) != len(steps) {
		t.Errorf("%d points for %d acts", len(rows), len(steps))
	}
	breaks(t, c, meter, simulators.Leaks, leakFlow) // and again: a leak of its own
	truth, _ := c.Truth(meter)
	await(t, "a second case", func() bool { return len(k.of(truth.ID, schemas.EventLeak)) == 2 })
	h.mu.Lock()
	if len(h.wrong) > 0 {
		t.Errorf("the webhook: %q", h.wrong)
	}
	h.mu.Unlock()
	gridExact(t, finish(t, c), 1)
}

// TestLeaksAreQuick measures how long after the deciding reading the cases of many
// leaks at once are filed.
func TestLeaksAreQuick(t *testing.T) {
	const many = 24
	c, _ := gridCity(t, nil)
	meters := leaky(t, c, many)
	var took []time.Duration
	for some := range slices.Chunk(meters, many/4) {
		for _, m := range some {
			breaks(t, c, m, simulators.Leaks, leakFlow)
		}
		for _, m := range some {
			one := filed(t, c, m)
			steps := as(t, c, "dispatcher", "").journal(one.ID)
			took = append(took, find(t, steps, "file").ReceivedAt.Sub(find(t, steps, "report").At))
		}
	}
	slices.Sort(took)
	t.Logf("%d leaks, from the deciding reading to the filed case: p50 %s, max %s", many, took[many/2], took[many-1])
	if took[many-1] > within {
		t.Errorf("the slowest took %s, want %s at most", took[many-1], within)
	}
	r := finish(t, c)
	exact(t, r)
	gridExact(t, r, 0)
	if r.Grid.Decided != r.Grid.Ends {
		t.Errorf("the collector decided %d beginnings and ends, the hub has %d", r.Grid.Decided, r.Grid.Ends)
	}
}

// awaitDecided waits until the collector has decided n more beginnings or ends than
// before, and has them on disk.
func awaitDecided(t *testing.T, c *City, before Counts, n uint64) {
	t.Helper()
	await(t, "the collector to decide", func() bool { return counts(t, c).Events >= before.Events+n })
}

// TestLeakWhileSomethingIsAway: the hub, then the broker, is away when the leak is
// decided; then the hub is killed while it holds an event that is no case yet.
func TestLeakWhileSomethingIsAway(t *testing.T) {
	c, _ := gridCity(t, func(o *Options) { o.Grid.Hold = 8 * time.Second })
	meters := leaky(t, c, 4)
	for n, away := range []string{Hub, Broker} {
		if err := c.Kill(away); err != nil {
			t.Fatal(err)
		}
		before := counts(t, c)
		breaks(t, c, meters[n], simulators.Leaks, leakFlow)
		awaitDecided(t, c, before, 1)
		if err := c.Restart(t.Context(), away); err != nil {
			t.Fatal(err)
		}
		filed(t, c, meters[n])
	}
	killedHolding(t, c, meters[2])
	awaitMore(t, c, 2000)
	for _, m := range meters[:2] {
		oneCase(t, c, m)
	}
	gridExact(t, finish(t, c), 2)
}

// killedHolding kills the hub when it has taken an event and before that is a case.
func killedHolding(t *testing.T, c *City, meter schemas.MeterID) {
	t.Helper()
	truth, _ := c.Truth(meter)
	breaks(t, c, meter, simulators.Silent, 0)
	await(t, "the hub to hold the event", func() bool { return outcome(t, c, meter, schemas.EventMeterOffline) == "waiting" })
	if err := c.Kill(Hub); err != nil {
		t.Fatal(err)
	}
	if got := outcome(t, c, meter, schemas.EventMeterOffline); got != "waiting" {
		t.Fatalf("the hub was killed too late: the event is %q already", got)
	}
	if err := c.Restart(t.Context(), Hub); err != nil {
		t.Fatal(err)
	}
	k := as(t, c, "dispatcher", "")
	await(t, "the case of the silent meter", func() bool { return len(k.of(truth.ID, schemas.EventMeterOffline)) > 0 })
	if list := k.of(truth.ID, schemas.EventMeterOffline); len(list) != 1 || list[0].Cell != string(truth.Cell) {
		t.Errorf("the silence of %s: %+v, want one case in cell %s", meter, list, truth.Cell)
	}
	mends(t, c, meter, simulators.Silent)
}

// outcome looks into the tables for what became of a meter's event.
func outcome(t *testing.T, c *City, meter schemas.MeterID, kind schemas.EventKind) (found string) {
	t.Helper()
	d, err := c.openDesk(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	events, err := d.Events(t.Context(), time.Time{}, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Meter == meter && e.Kind == kind {
			found = e.Outcome
		}
	}
	return found
}

// crowd returns the cell with the most meters, and them.
func crowd(c *City) (codes.CellCode, []schemas.MeterID) {
	cells := map[codes.CellCode][]schemas.MeterID{}
	for _, m := range c.Fleet().Meters {
		truth, _ := c.Truth(m.ID)
		cells[truth.Cell] = append(cells[truth.Cell], m.ID)
	}
	most := slices.MaxFunc(slices.Sorted(maps.Keys(cells)), func(a, b codes.CellCode) int { return cmp.Compare(len(cells[a]), len(cells[b])) })
	return most, cells[most]
}

// TestOutages: all meters of a cell that fall silent together are one case, and so are
// all meters of a gateway; none of the meters has a case of its own.
func TestOutages(t *testing.T) {
	c, _ := gridCity(t, nil)
	k := as(t, c, "dispatcher", "")
	cell, meters := crowd(c)
	if len(meters) < 3 {
		t.Fatalf("no cell has three meters")
	}
	for _, m := range meters {
		breaks(t, c, m, simulators.Silent, 0)
	}
	inCell := func() []kase {
		return slices.DeleteFunc(k.list(url.Values{"cell": {string(cell)}}), func(one kase) bool { return one.Source != "sensor" })
	}
	await(t, "the case of the outage", func() bool {
		return slices.ContainsFunc(inCell(), func(one kase) bool { return one.Condition == string(schemas.EventCellOutage) })
	})
	awaitMore(t, c, 4000) // and nothing else comes
	list := inCell()
	if len(list) != 1 || list[0].Condition != string(schemas.EventCellOutage) {
		t.Errorf("%d meters of cell %s are silent: %+v, want one cell_outage", len(meters), cell, list)
	}
	for _, m := range meters {
		if got := outcome(t, c, m, schemas.EventMeterOffline); got != "joined" {
			t.Errorf("the silence of %s is %q, want it to be part of the outage", m, got)
		}
		mends(t, c, m, simulators.Silent)
	}
	id := list[0].ID
	await(t, "the outage to clear", func() bool { return slices.Contains(acts(k.journal(id)), "cleared") })

	line := c.Fleet().Lines()[1]
	for _, m := range line.Meters {
		breaks(t, c, m.ID, simulators.Silent, 0)
	}
	gone := func(kind schemas.EventKind) []kase {
		return slices.DeleteFunc(k.list(url.Values{"source": {"sensor"}}), func(one kase) bool { return one.Condition != string(kind) })
	}
	await(t, "the case of the line", func() bool { return len(gone(schemas.EventLineOffline)) > 0 })
	awaitMore(t, c, 2000)
	if one, single := gone(schemas.EventLineOffline), gone(schemas.EventMeterOffline); len(one) != 1 || len(single) != 0 {
		t.Errorf("all %d meters of %s are silent: %+v and %+v, want one line_offline and no single meters", len(line.Meters), line.Name, one, single)
	}
	gridExact(t, finish(t, c), 0)
}

// TestPlay lets the demo's city live for a while: leaks come to closed cases by
// themselves, and everything is as it must be in the end.
func TestPlay(t *testing.T) {
	c, _ := gridCity(t, func(o *Options) { o.Grid.LeakEvery = 4 * time.Second })
	ctx, stop := context.WithCancel(t.Context())
	played := make(chan error, 1)
	go func() { played <- c.Play(ctx) }()
	k := as(t, c, "dispatcher", "")
	await(t, "two closed cases", func() bool {
		return len(k.list(url.Values{"state": {"closed"}, "source": {"sensor"}})) >= 2
	})
	stop()
	if err := <-played; err != nil {
		t.Fatal(err)
	}
	r := finish(t, c)
	exact(t, r)
	gridExact(t, r, 2)
}
