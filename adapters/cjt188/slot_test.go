package cjt188

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/cardslot"
	"citygrid/adapters/catalog/catalogtest"
	"citygrid/adapters/cjt188/profiles"
	"citygrid/adapters/line"
	"citygrid/schemas"
	"citygrid/simulators"
	"citygrid/simulators/lab"
	engines "citygrid/simulators/prepaid"
)

var _ cardslot.Slot = (*Meter)(nil)

func mustEntries(t *testing.T, m *Meter) []schemas.CardEntry {
	t.Helper()
	entries, err := m.Entries(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := e.Validate(); err != nil {
			t.Errorf("%+v: %v", e, err)
		}
	}
	return entries
}

// summary writes events and purchases of loads.
func summary(entries []schemas.CardEntry) string {
	var out []string
	for _, e := range entries {
		s := string(e.Event)
		if e.Event == schemas.CardLoad {
			s += fmt.Sprint(" ", e.Purchase.Number)
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func fenOf(n int64) schemas.Credit { return schemas.Credit{Value: n, Unit: schemas.CreditFen} }

// TestEntries reads the example of item 8105 [metering 3.3]: purchase 7 of 50.00,
// 350.00 bought, 12.34 left, valve closed, battery low.
func TestEntries(t *testing.T) {
	m := source(t, newDouble(t), prepaid, 2004, Config{})
	got := mustEntries(t, m)
	if summary(got) != "load 7, state" {
		t.Fatalf("%+v", got)
	}
	for _, e := range got {
		if e.Source != schemas.FromCJT188 || e.Utility != schemas.Water || e.Meter != "W-1" || e.MeterNumber != "" ||
			e.PurchaseModulus != 100 || e.TakenAt.IsZero() || !e.RecordedAt.IsZero() || e.Bought != fenOf(350_00) || e.Overdraft.Known() {
			t.Errorf("%+v", e)
		}
	}
	if load := got[0]; load.Amount != fenOf(50_00) || load.Residual.Known() || load.Counters != nil {
		t.Errorf("%+v", load)
	}
	if state := got[1]; state.Amount.Known() || state.Residual != fenOf(12_34) || state.Counters[schemas.StatusWord] != 5 || state.Purchase.Number != 7 {
		t.Errorf("%+v", state)
	}
}

// TestEntriesAfter changes the item between two calls.
func TestEntriesAfter(t *testing.T) {
	const before = "98 00 50 00 00 00 50 03 00 34 12 00 00 05 00"
	for name, tt := range map[string]struct {
		after  string
		binary bool // the profile reads the count as bits
		want   string
		class  adapters.Class
	}{
		"nothing":               {before, false, "", 0},
		"consumption":           {"98 00 50 00 00 00 50 03 00 33 12 00 00 05 00", false, "", 0},
		"a refund":              {"98 00 50 00 00 00 50 03 00 35 12 00 00 05 00", false, "state", 0},
		"the valve":             {"98 00 50 00 00 00 50 03 00 34 12 00 00 04 00", false, "state", 0},
		"a purchase":            {"99 00 50 00 00 00 00 04 00 34 62 00 00 05 00", false, "load 99, state", 0},
		"round to 0":            {"00 00 50 00 00 00 50 04 00 34 62 00 00 05 00", false, "load 100, state", 0},
		"round and on":          {"01 00 50 00 00 00 00 05 00 34 62 00 00 05 00", false, "load 1, state", 0},
		"back":                  {"90 00 50 00 00 00 50 03 00 34 12 00 00 05 00", false, "went back from 98 to 90", adapters.Slow},
		"no digits":             {"9A 00 50 00 00 00 50 03 00 34 12 00 00 05 00", false, "does the meter count in bits", adapters.Slow},
		"no digits in the sum":  {"99 00 50 00 00 00 5A 03 00 34 12 00 00 05 00", false, "water.purchase.total in 99", adapters.Slow},
		"bits":                  {"9A 00 50 00 00 00 50 03 00 34 12 00 00 05 00", true, "load 154, state", 0},
		"bits, back":            {"97 00 50 00 00 00 50 03 00 34 12 00 00 05 00", true, "went back from 152 to 151", adapters.Slow},
		"bits, nearly half way": {"17 00 50 00 00 00 50 03 00 34 12 00 00 05 00", true, "load 23, state", 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDouble(t)
			d.items[0x8105] = catalogtest.Bytes(t, before)
			p := *mustProfile(t, prepaid)
			p.Fields = append([]profiles.Field{}, p.Fields...)
			for i := range p.Fields {
				if f := &p.Fields[i]; tt.binary && f.Quantity == "water.purchase.count" {
					f.Format = profiles.Bits
				}
			}
			m, err := New(testLine(t, serve(t, d.handle)), Config{}).Source("W-1", "00112233445566", &p)
			if err != nil {
				t.Fatal(err)
			}
			mustEntries(t, m)
			d.set(func() { d.items[0x8105] = catalogtest.Bytes(t, tt.after) })
			entries, err := m.Entries(context.Background())
			switch {
			case err == nil:
				if got := summary(entries); got != tt.want {
					t.Errorf("%s, want %s", got, tt.want)
				}
				for _, e := range entries {
					if want := map[bool]uint32{false: 100, true: 256}[tt.binary]; e.PurchaseModulus != want {
						t.Errorf("modulus %d, want %d", e.PurchaseModulus, want)
					}
				}
			case tt.want == "" || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "meter W-1: item 8105 of meter 00112233445566") || adapters.ClassOf(err) != tt.class:
				t.Errorf("%v (%s)", err, adapters.ClassOf(err))
			}
		})
	}
}

// TestEntriesOfNone: a meter that never sold, one without the item, a silent one.
func TestEntriesOfNone(t *testing.T) {
	d := newDouble(t)
	d.items[0x8105] = make([]byte, 15)
	if got := mustEntries(t, source(t, d, prepaid, 2018, Config{})); summary(got) != "state" || got[0].Purchase != (schemas.PurchaseRef{Scheme: schemas.BySequence}) {
		t.Errorf("%+v", got)
	}
	if _, err := source(t, d, "cjt188-cold-water", 2018, Config{}).Entries(context.Background()); adapters.ClassOf(err) != adapters.Config || !strings.Contains(err.Error(), "names no item with count") {
		t.Errorf("%v", err)
	}
	d.set(func() { d.dead = true })
	m := source(t, d, prepaid, 2018, Config{})

	if _, err := m.Entries(context.Background()); err == nil || adapters.ClassOf(err) != adapters.Transient {
		t.Errorf("silent: %v", err)
	}
}

// clock is a time that a test sets.
type clock struct{ at atomic.Int64 }

func (c *clock) set(t time.Time) { c.at.Store(t.UnixNano()) }
func (c *clock) now() time.Time  { return time.Unix(0, c.at.Load()) }

// TestEntriesOfSimulatedMeter follows the life of an engine over a line.
func TestEntriesOfSimulatedMeter(t *testing.T) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	engine, err := engines.New(engines.Config{Utility: schemas.Water, Number: "000000000789", Unit: schemas.CreditFen, Start: start,
		Current: engines.Tariff{Steps: []engines.Step{{Price: 30_000}}}})
	if err != nil {
		t.Fatal(err)
	}
	history, c := engines.NewHistory(start, engine.State()), new(clock)
	c.set(start)
	p := mustProfile(t, prepaid)
	meter, err := simulators.NewMeter(simulators.MeterConfig{ID: "W-1", CJT188: p, Address: "00112233445566", Seed: 9, Start: start, Edition: 2018, Account: history})
	if err != nil {
		t.Fatal(err)
	}
	source, err := New(simulatedLine(t, c, meter), Config{}).Source("W-1", "00112233445566", p)
	if err != nil {
		t.Fatal(err)
	}
	card := engines.Presented{Serial: "0000000000000001", Role: engines.OpenCard, Number: "000000000789", Customer: "1", ReturnEmpty: true}
	for _, step := range []struct {
		hours, purchases int
		used             int64
		want             string
	}{
		{0, 0, 0, "state"}, {1, 1, 1000, "load 1, state"}, {2, 0, 1000, ""}, {17, 0, 1000, "state"},
		{18, 2, 0, "load 3, state"}, {19, 0, 90_000, "state"}, {20, 96, 0, "load 99, state"}, {21, 1, 0, "load 100, state"}, {22, 1, 0, "load 1, state"},
	} {
		at := start.Add(time.Duration(step.hours) * time.Hour)
		for range step.purchases {
			card.Count, card.Amount = card.Count+1, 50_00
			if out := engine.Accept(card, at); !out.Loaded {
				t.Fatalf("%+v", out)
			}
			// The adapter must see each hundred go by.
			if step.purchases > 50 && card.Count%40 == 0 {
				note(t, history, engine, at)
				c.set(at)
				mustEntries(t, source)
			}
		}
		engine.Consume(step.used, at)
		note(t, history, engine, at)
		c.set(at.Add(time.Second))
		entries := mustEntries(t, source)
		if got := summary(entries); got != step.want {
			t.Fatalf("after %d hours: %s, want %s", step.hours, got, step.want)
		}
		s := engine.State()
		for _, e := range entries {
			if e.Event == schemas.CardState && (e.Residual != fenOf(s.Residual) || e.Bought != fenOf(s.Bought) || e.Counters[schemas.StatusWord]&1 == 1 != s.Off || !e.TakenAt.Equal(c.now())) {
				t.Errorf("after %d hours %+v, the engine has %+v", step.hours, e, s)
			}
		}
	}
}

func note(t *testing.T, h *engines.History, m *engines.Meter, at time.Time) {
	t.Helper()
	if err := h.Note(at, m.State()); err != nil {
		t.Fatal(err)
	}
}

// simulatedLine is a line to simulated meters behind a serial server.
func simulatedLine(t *testing.T, c *clock, meters ...*simulators.Meter) *line.Line {
	t.Helper()
	slave, err := simulators.NewCJT188(meters...)
	if err != nil {
		t.Fatal(err)
	}
	bus, err := lab.New(lab.Config{Name: "cellar", Slaves: []lab.Slave{slave}, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- bus.Serve(ctx, lab.Server{Listener: listener}) }()
	l := line.New(line.Config{
		Address: listener.Addr().String(), Timeout: 5 * time.Second, QuietTime: 5 * time.Millisecond, Now: c.now,
		Serial: &line.Serial{Baud: 115200, DataBits: 8, Parity: line.Even, StopBits: 1},
	})
	t.Cleanup(func() {
		_ = l.Close()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l
}

// FuzzLastPurchase: whatever stands in the item, an entry is well formed.
func FuzzLastPurchase(f *testing.F) {
	f.Add(catalogtest.Bytes(f, "07 00 50 00 00 00 50 03 00 34 12 00 00 05 00"))
	f.Add(catalogtest.Bytes(f, "00 00 50 00 00 00 50 03 00 34 12 00 00 05 00"))
	p := mustProfile(f, prepaid)
	m := newMeter(nil, "W-1", Address{}, p)
	s, err := m.purchaseItem()
	if err != nil {
		f.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) != s.length {
			return
		}
		load, left, err := m.lastPurchase(&s, data, at)
		if err != nil {
			return
		}
		if left.Value < 0 || left.Unit != schemas.CreditFen || load.Purchase.Number > 100 || (load.Purchase.Number == 0) != (data[0] == 0 && load.Bought.Value == 0) {
			t.Fatalf("% X: %+v, %+v", data, load, left)
		}
		if load.Purchase.Number > 0 {
			if err := load.Validate(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
