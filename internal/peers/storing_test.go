package peers

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"citygrid/hub/store"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

func testPlan(t *testing.T) plannedReadings {
	t.Helper()
	plan, err := planReadings(time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// TestEveryPackingHasTheSamePoints: the comparison is of the same points, none of
// them twice, and each is one that the store takes.
func TestEveryPackingHasTheSamePoints(t *testing.T) {
	const steps = 2
	count := steps * storingMeters * len(storingQuantities)
	plan := testPlan(t)
	type point struct {
		meter    schemas.MeterID
		quantity schemas.Quantity
		at       time.Time
	}
	seen := make(map[point]bool, count)
	for n := range count {
		r := plan.at(n)
		if err := r.Validate(); err != nil {
			t.Fatalf("reading %d: %v", n, err)
		}
		seen[point{r.Meter, r.Quantity, r.TakenAt}] = true
	}
	if len(seen) != count {
		t.Errorf("%d different points of %d", len(seen), count)
	}
	var want []string
	for n := range 200 {
		want = append(want, strings.TrimSpace(string(store.AppendLine(nil, plan.at(n)))))
	}
	for _, per := range []int{1, perMessage} {
		all, err := packing{per, linesOf}.messages(plan, 200)
		if err != nil || len(all) != 200/per {
			t.Fatalf("%d messages, %v", len(all), err)
		}
		var lines strings.Builder
		for _, m := range all {
			lines.Write(m.payload)
		}
		if got := strings.TrimSpace(lines.String()); got != strings.Join(want, "\n") {
			t.Errorf("%d a message: other lines", per)
		}
	}
	all, err := packing{1, jsonOf}.messages(plan, 3)
	if err != nil {
		t.Fatal(err)
	}
	var j jsonReading
	if err := json.Unmarshal(all[2].payload, &j); err != nil {
		t.Fatal(err)
	}
	if r := plan.at(2); j.Meter != string(r.Meter) || j.Mantissa != r.Value.Mantissa || j.Time != r.TakenAt.UnixMilli() || j.Value != r.Value.Float64() {
		t.Errorf("as JSON %+v, want %+v", j, r)
	}
}

// TestSealedBatchesOpen: the hub is fed what collectors send.
func TestSealedBatchesOpen(t *testing.T) {
	master, err := seal.NewMaster(tenant, 1, strings.NewReader(strings.Repeat("0123456789abcdef", 64)))
	if err != nil {
		t.Fatal(err)
	}
	s := &sealing{provider: seal.DefaultProvider(), master: master, tenant: tenant,
		generations: make(map[schemas.CollectorID]uint16), sealers: make(map[schemas.CollectorID]*seal.Sealer)}
	plan := testPlan(t)
	step := storingMeters * len(storingQuantities)
	for n := 0; n < step; n += perMessage {
		s.generations[collectorOf(n/perMessage)] = seal.Generation(master.Generation, 0)
	}
	if len(s.generations) != storingCollectors {
		t.Fatalf("%d collectors", len(s.generations))
	}
	opener, err := seal.NewOpener(seal.OpenerConfig{Provider: s.provider, Tenant: tenant, Role: seal.Up,
		Keys: func(generation uint16, id string) (seal.CollectorKey, error) {
			return master.CollectorKey(s.provider, generation, id)
		}})
	if err != nil {
		t.Fatal(err)
	}
	all, err := packing{perMessage, s.pack}.messages(plan, 2*step)
	if err != nil {
		t.Fatal(err)
	}
	of := make(map[schemas.MeterID]schemas.CollectorID)
	for _, m := range all {
		header, plain, err := opener.Open(nil, m.payload)
		if err != nil {
			t.Fatal(err)
		}
		batch, err := schemas.DecodeBatch(plain)
		if err != nil {
			t.Fatal(err)
		}
		if string(batch.Collector) != header.Collector || !strings.Contains(m.topic, "/"+header.Collector+"/") {
			t.Errorf("a batch of %s sealed by %s on %s", batch.Collector, header.Collector, m.topic)
		}
		for _, r := range batch.Readings {
			if known := of[r.Meter]; known != "" && known != batch.Collector {
				t.Fatalf("meter %s is of %s and of %s", r.Meter, known, batch.Collector)
			}
			of[r.Meter] = batch.Collector
		}
	}
	if n := len(maps.Collect(maps.All(of))); n != storingMeters {
		t.Errorf("%d meters", n)
	}
}

// TestSinkCountsWhatItAcknowledges: and nothing while it is away.
func TestSinkCountsWhatItAcknowledges(t *testing.T) {
	s, err := startSink()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	}()
	post := func(text string) int {
		t.Helper()
		resp, err := http.Post(s.URL()+"/api/v2/write?bucket=x", "text/plain", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if code := post("a 1\nb 2\n"); code != http.StatusNoContent {
		t.Error(code)
	}
	s.away.Store(true)
	if code := post("c 3\n"); code != http.StatusServiceUnavailable {
		t.Error(code)
	}
	s.away.Store(false)
	post("d 4\ne 5")
	if n, err := s.count(context.Background()); n != 4 || err != nil {
		t.Errorf("%d points, %v, want 4", n, err)
	}
}

// TestTelegrafLayouts: the tuned layout is tuned, the other has Telegraf's own
// settings, and neither loses points with the broker.
func TestTelegrafLayouts(t *testing.T) {
	best := bestLayout().config("tcp://b:1", "p", "http://i:2")
	plain := defaultLayout("").config("tcp://b:1", "p", "http://i:2")
	for _, text := range []string{best, plain, defaultLayout(jsonParser).config("tcp://b:1", "p", "http://i:2")} {
		for _, want := range []string{"qos = 1\n", "persistent_session = true\n", `servers = ["tcp://b:1"]`, `urls = ["http://i:2"]`} {
			if !strings.Contains(text, want) {
				t.Errorf("without %q:\n%s", want, text)
			}
		}
	}
	for _, tuned := range []string{"metric_batch_size", "max_undelivered_messages", "identity", "upstream"} {
		if !strings.Contains(best, tuned) || strings.Contains(plain, tuned) {
			t.Errorf("%s: want it in the best layout alone", tuned)
		}
	}
}

// TestHasWord: a subscriber's name is a word of its own in the broker's log.
func TestHasWord(t *testing.T) {
	l := newLines()
	_, _ = l.Write([]byte("1795390179: hub 1 citygrid/v1/+/+/readings\n1795390180: telegraf"))
	if !l.hasWord("hub") || !l.hasWord("telegraf") || l.hasWord("citygrid") {
		t.Error(l.String())
	}
}
