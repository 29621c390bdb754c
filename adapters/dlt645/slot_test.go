package dlt645

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/cardslot"
	"citygrid/adapters/line"
	"citygrid/schemas"
	"citygrid/simulators"
	"citygrid/simulators/lab"
	"citygrid/simulators/prepaid"
)

var _ cardslot.Slot = (*Meter)(nil)

const prepaidProfile = "dlt645-prepaid-single-phase"

// setPurchases puts count, records and purse of the published frames [metering
// 2.3] into a slave: 7 purchases, 1700.00 yuan bought, 123.45 left, relay open and
// told to, alarm, prepaid in money. Record n is of purchase count-n+1.
func setPurchases(t *testing.T, s *slave, count, records int) {
	t.Helper()
	s.set(0x04000402, low(t, "00 00 00 00 01 61"))
	s.set(0x04000503, low(t, "02 D0"))
	s.set(0x00900200, low(t, "00 01 23 45"))
	s.set(0x00900201, low(t, "00 00 00 00"))
	s.set(0x03330201, low(t, fmt.Sprintf("%02d %02d", count/100, count%100)))
	for n := 1; n <= maxRecords; n++ {
		di := func(column int) uint32 { return uint32(0x0333<<16 | column<<8 | n) }
		if n > min(records, count) {
			for column, size := range map[int]int{1: 5, 2: 2, 3: 4, 4: 4, 5: 4, 6: 4} {
				if di(column) != 0x03330201 {
					s.set(di(column), make([]byte, size))
				}
			}
			continue
		}
		k := count - n + 1
		s.set(di(columnDate), low(t, fmt.Sprintf("26 03 %02d 14 30", k)))
		s.set(di(columnCount), low(t, fmt.Sprintf("%02d %02d", k/100, k%100)))
		s.set(di(columnAmount), low(t, fmt.Sprintf("00 00 %02d 00", k)))
		s.set(di(columnAfter), low(t, fmt.Sprintf("00 00 %02d 50", k)))
		s.set(di(columnTotal), low(t, fmt.Sprintf("00 %02d 00 00", 10+k)))
	}
}

func mustEntries(t *testing.T, m *Meter) []schemas.CardEntry {
	t.Helper()
	entries, err := m.Entries(background(t))
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

func fenOf(n int64) schemas.Credit { return schemas.Credit{Value: n, Unit: schemas.CreditFen} }

// TestEntries: the last purchases, and the purse.
func TestEntries(t *testing.T) {
	s := newSlave(t)
	setPurchases(t, s, 7, 2)
	m := mustSource(t, busTo(t, s.addr, Config{}), plate, embedded(t, prepaidProfile))
	got := mustEntries(t, m)
	want := []schemas.CardEntry{
		{Event: schemas.CardLoad, Purchase: purchase(6), Amount: fenOf(6_00), Residual: fenOf(6_50), Bought: fenOf(1600_00), RecordedAt: time.Date(2026, 3, 6, 6, 30, 0, 0, time.UTC)},
		{Event: schemas.CardLoad, Purchase: purchase(7), Amount: fenOf(7_00), Residual: fenOf(7_50), Bought: fenOf(1700_00), RecordedAt: time.Date(2026, 3, 7, 6, 30, 0, 0, time.UTC)},
		{Event: schemas.CardState, Purchase: purchase(7), Residual: fenOf(123_45), Overdraft: fenOf(0), Bought: fenOf(1700_00)},
	}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i, w := range want {
		g := got[i]
		if g.Source != schemas.FromDLT645 || g.Utility != schemas.Power || g.Meter != "METER-1" || g.MeterNumber != "000000000161" || g.TakenAt.IsZero() {
			t.Errorf("%d: %+v", i, g)
		}
		if g.Event != w.Event || g.Purchase != w.Purchase || g.Amount != w.Amount || g.Residual != w.Residual || g.Overdraft != w.Overdraft || g.Bought != w.Bought || !g.RecordedAt.Equal(w.RecordedAt) {
			t.Errorf("%d:\n got %+v\nwant %+v", i, g, w)
		}
	}
	if word := got[2].Counters[schemas.StatusWord]; word != 0x02D0 {
		t.Errorf("status word %04X", word)
	}
	if again := mustEntries(t, m); len(again) != 0 {
		t.Errorf("nothing new, and yet %+v", again)
	}
}

// TestEntriesOfAResetClock: a meter whose clock began anew dates a purchase before
// the first moment that an entry may carry. The purchase is told, without a date.
func TestEntriesOfAResetClock(t *testing.T) {
	s := newSlave(t)
	setPurchases(t, s, 1, 1)
	s.set(0x03330101, low(t, "00 01 01 00 05"))
	got := mustEntries(t, mustSource(t, busTo(t, s.addr, Config{}), plate, embedded(t, prepaidProfile)))
	if len(got) != 2 || got[0].Event != schemas.CardLoad || !got[0].RecordedAt.IsZero() || got[0].TakenAt.IsZero() {
		t.Errorf("%+v", got)
	}
}

// purchase names one.
func purchase(n uint32) schemas.PurchaseRef {
	return schemas.PurchaseRef{Scheme: schemas.BySequence, Number: n}
}

// TestEntriesAfter changes something between two calls.
func TestEntriesAfter(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*testing.T, *slave)
		want   string // events, or a part of the error
		class  adapters.Class
	}{
		"consumption":           {func(t *testing.T, s *slave) { s.set(0x00900200, low(t, "00 01 23 44")) }, "", 0},
		"a refund":              {func(t *testing.T, s *slave) { s.set(0x00900200, low(t, "00 01 23 46")) }, "state", 0},
		"relay":                 {func(t *testing.T, s *slave) { s.set(0x04000503, low(t, "02 00")) }, "state", 0},
		"a purchase":            {func(t *testing.T, s *slave) { setPurchases(t, s, 8, 10) }, "load 8, state", 0},
		"three":                 {func(t *testing.T, s *slave) { setPurchases(t, s, 10, 10) }, "load 8, load 9, load 10, state", 0},
		"more than it keeps":    {func(t *testing.T, s *slave) { setPurchases(t, s, 19, 10) }, "load 10, load 11, load 12, load 13, load 14, load 15, load 16, load 17, load 18, load 19, state", 0},
		"went back":             {func(t *testing.T, s *slave) { setPurchases(t, s, 5, 5) }, "meter METER-1: item 03330201 of meter 218231000114 at", adapters.Slow},
		"went back, numbers":    {func(t *testing.T, s *slave) { setPurchases(t, s, 5, 5) }, "from 7 to 5", adapters.Slow},
		"another meter":         {func(t *testing.T, s *slave) { setPurchases(t, s, 1, 1); s.set(0x04000402, low(t, "00 00 00 00 01 62")) }, "load 1, state", 0},
		"count without record":  {func(t *testing.T, s *slave) { setPurchases(t, s, 9, 1) }, "the purchase count is 9, and the record of purchase 8 is empty", adapters.Slow},
		"record of another":     {func(t *testing.T, s *slave) { setPurchases(t, s, 9, 9); s.set(0x03330202, low(t, "00 06")) }, "the purchase count is 9, and record 2 is of purchase 6, not 8", adapters.Slow},
		"no digits":             {func(t *testing.T, s *slave) { setPurchases(t, s, 8, 8); s.set(0x03330301, low(t, "00 00 0A 00")) }, "which are no digits", adapters.Slow},
		"no amount":             {func(t *testing.T, s *slave) { setPurchases(t, s, 8, 8); s.set(0x03330301, nil) }, "does not have this item", adapters.Config},
		"not prepaid any more":  {func(t *testing.T, s *slave) { s.set(0x04000503, low(t, "00 00")) }, "no prepaid meter's", adapters.Config},
		"no status word":        {func(t *testing.T, s *slave) { s.set(0x04000503, nil) }, "state", 0},
		"no overdraft item":     {func(t *testing.T, s *slave) { s.set(0x00900201, nil) }, "state", 0},
		"another length":        {func(t *testing.T, s *slave) { s.set(0x00900200, low(t, "01 23 45")) }, "it should have 4", adapters.Config},
		"residual is not there": {func(t *testing.T, s *slave) { s.set(0x00900200, low(t, "FF FF FF FF")) }, "not available", adapters.Slow},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSlave(t)
			setPurchases(t, s, 7, 7)
			m := mustSource(t, busTo(t, s.addr, Config{}), plate, embedded(t, prepaidProfile))
			if got := summary(mustEntries(t, m)); !strings.HasPrefix(got, "load 1, ") {
				t.Fatalf("at first %s", got)
			}
			tt.change(t, s)
			entries, err := m.Entries(background(t))
			switch {
			case err == nil:
				if got := summary(entries); got != tt.want {
					t.Errorf("%s, want %s", got, tt.want)
				}
			case tt.want == "" || !strings.Contains(err.Error(), tt.want) || adapters.ClassOf(err) != tt.class || len(entries) != 0:
				t.Errorf("%v (%s)", err, adapters.ClassOf(err))
			}
		})
	}
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

// TestEntriesWhilePurchasing: a purchase that comes in between moves all records
// one place on, and is not taken for another.
func TestEntriesWhilePurchasing(t *testing.T) {
	s := newSlave(t)
	setPurchases(t, s, 7, 7)
	bought, forEver := 0, false
	s.setHook(func(_ Frame, di uint32) ([]byte, bool) {
		if di == 0x03330303 && (bought == 0 || forEver) {
			bought++
			s.mu.Unlock()
			setPurchases(t, s, 7+bought, 7)
			s.mu.Lock()
		}
		return nil, false
	})
	m := mustSource(t, busTo(t, s.addr, Config{}), plate, embedded(t, prepaidProfile))
	entries := mustEntries(t, m)
	if got, want := summary(entries), "load 2, load 3, load 4, load 5, load 6, load 7, load 8, state"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, e := range entries[:7] {
		if n := int64(e.Purchase.Number); e.Amount != fenOf(n*100) || e.RecordedAt.Day() != int(n) {
			t.Errorf("purchase %d has the content of another: %+v", n, e)
		}
	}
	setPurchases(t, s, 20, 10)
	s.mu.Lock()
	forEver, bought = true, 14
	s.mu.Unlock()
	if _, err := m.Entries(background(t)); err == nil || adapters.ClassOf(err) != adapters.Transient || !strings.Contains(err.Error(), "ask again") {
		t.Errorf("%v", err)
	}
}

// TestEntriesOfNone: a profile without purchases, and a meter that is silent.
func TestEntriesOfNone(t *testing.T) {
	s := newSlave(t)
	m := mustSource(t, busTo(t, s.addr, Config{}), plate, embedded(t, "dlt645-three-phase"))
	_, err := m.Entries(background(t))
	if e := (*adapters.Error)(nil); !errors.As(err, &e) || e.Class != adapters.Config || len(s.takeAsked()) != 0 {
		t.Errorf("%v", err)
	}
	s.setHook(func(Frame, uint32) ([]byte, bool) { return nil, true })
	m = mustSource(t, busToSilence(t, s.addr, Config{}), plate, embedded(t, prepaidProfile))
	if _, err := m.Entries(background(t)); adapters.ClassOf(err) != adapters.Transient || len(s.takeAsked()) != 2 {
		t.Errorf("silent: %v", err)
	}
	if _, err := m.Entries(background(t)); err == nil || len(s.takeAsked()) != 1 {
		t.Errorf("silent again: %v", err)
	}
	ctx, cancel := context.WithCancel(background(t))
	cancel()
	if _, err := m.Entries(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// clock is a time that a test sets.
type clock struct{ at atomic.Int64 }

func (c *clock) set(t time.Time) { c.at.Store(t.UnixNano()) }
func (c *clock) now() time.Time  { return time.Unix(0, c.at.Load()) }

// onSimulatedLine puts simulated meters behind a serial server and returns a bus
// to them, whose time is c's.
func onSimulatedLine(t *testing.T, c *clock, meters ...*simulators.Meter) *Bus {
	t.Helper()
	slave, err := simulators.NewDLT645(meters...)
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
	l := line.New(line.Config{Address: listener.Addr().String(), Serial: wire(), Timeout: 5 * time.Second, QuietTime: 5 * time.Millisecond, Now: c.now})
	t.Cleanup(func() {
		_ = l.Close()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return New(l, Config{Now: c.now})
}

// TestEntriesOfSimulatedMeter follows the life of an engine over a line.
func TestEntriesOfSimulatedMeter(t *testing.T) {
	for _, unit := range []schemas.CreditUnit{schemas.CreditFen, schemas.CreditWh} {
		t.Run(string(unit), func(t *testing.T) { t.Parallel(); followLife(t, unit) })
	}
}

func followLife(t *testing.T, unit schemas.CreditUnit) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	engine, err := prepaid.New(prepaid.Config{Utility: schemas.Power, Number: "000000000161", Unit: unit, Start: start,
		Current: prepaid.Tariff{Steps: []prepaid.Step{{Price: 5_000}}}, Limits: prepaid.Limits{Overdraft: 100_00}})
	if err != nil {
		t.Fatal(err)
	}
	history := prepaid.NewHistory(start, engine.State())
	m, err := simulators.NewMeter(simulators.MeterConfig{ID: "P-1", DLT645: embedded(t, prepaidProfile), Address: plate, Seed: 9, Start: start, Account: history})
	if err != nil {
		t.Fatal(err)
	}
	c := new(clock)
	c.set(start)
	source := mustSource(t, onSimulatedLine(t, c, m), plate, embedded(t, prepaidProfile))
	card := prepaid.Presented{Serial: "0000000000000001", Role: prepaid.OpenCard, Number: "000000000161", Customer: "1", ReturnEmpty: true}
	var told []schemas.CardEntry
	step := func(hours int, purchases int, used int64, want string) {
		t.Helper()
		at := start.Add(time.Duration(hours) * time.Hour)
		for range purchases {
			card.Count, card.Amount = card.Count+1, int64(card.Count+1)*50_00
			if out := engine.Accept(card, at); !out.Loaded {
				t.Fatalf("%+v", out)
			}
		}
		engine.Consume(used, at)
		if err := history.Note(at, engine.State()); err != nil {
			t.Fatal(err)
		}
		c.set(at.Add(time.Second))
		entries := mustEntries(t, source)
		if got := summary(entries); got != want {
			t.Fatalf("after %d hours: %s, want %s", hours, got, want)
		}
		told = append(told, entries...)
		if i := slices.IndexFunc(entries, func(e schemas.CardEntry) bool { return e.Event == schemas.CardState }); i >= 0 {
			e, s := entries[i], engine.State()
			// A purse of energy shows hundredths of a kWh.
			if cut := s.Residual / 10 * 10; e.Residual.Unit != unit || e.Residual.Value != s.Residual && (unit == schemas.CreditFen || e.Residual.Value != cut) || e.Bought.Value != s.Bought || e.MeterNumber != s.Number || !e.TakenAt.Equal(c.now()) {
				t.Errorf("after %d hours %+v, the engine has %+v", hours, e, s)
			}
		}
	}
	step(0, 0, 0, "state") // not opened: no purchase
	if told[0].Purchase != purchase(0) || told[0].Residual.Value != 0 || told[0].Counters[schemas.StatusWord]&0x4000 == 0 {
		t.Errorf("unopened: %+v", told[0])
	}
	step(1, 1, 1_000, "load 1, state")
	step(2, 0, 500, "")
	step(3, 0, 200, "")
	step(17, 0, 100, "state") // the next day in China
	step(18, 2, 100, "load 2, load 3, state")
	step(19, 9, 100, "load 4, load 5, load 6, load 7, load 8, load 9, load 10, load 11, load 12, state")
	records := engine.State().Records
	for i, e := range told[len(told)-10 : len(told)-1] {
		r := records[8-i]
		if e.Amount.Value != r.Amount || e.Residual.Value/10 != r.After/10 || e.Bought.Value != r.Bought || !e.RecordedAt.Equal(r.At) {
			t.Errorf("load %d: %+v, the engine has %+v", i, e, r)
		}
	}
}

// TestEntriesWithoutEngine: the meters of the demonstration city, which have no
// engine, keep records that fit their counts, and buy as time goes by.
func TestEntriesWithoutEngine(t *testing.T) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	m, err := simulators.NewMeter(simulators.MeterConfig{ID: "P-1", DLT645: embedded(t, prepaidProfile), Address: plate, Seed: 9, Start: start})
	if err != nil {
		t.Fatal(err)
	}
	c := new(clock)
	source := mustSource(t, onSimulatedLine(t, c, m), plate, embedded(t, prepaidProfile))
	last, loads := uint32(0), 0
	for hours := range 12 {
		c.set(start.Add(time.Duration(hours*24) * time.Hour))
		for _, e := range mustEntries(t, source) {
			if e.Event != schemas.CardLoad {
				continue
			}
			if last != 0 && e.Purchase.Number != last+1 || e.Bought.Value != int64(e.Purchase.Number)*e.Amount.Value || e.RecordedAt.After(c.now()) {
				t.Fatalf("after purchase %d: %+v", last, e)
			}
			last, loads = e.Purchase.Number, loads+1
		}
	}
	if loads < maxRecords+2 {
		t.Errorf("%d purchases in twelve days", loads)
	}
}
