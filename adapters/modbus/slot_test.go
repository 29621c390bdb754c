package modbus

import (
	"context"
	"encoding/binary"
	"math"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/cardslot"
	"citygrid/adapters/catalog/catalogtest"
	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
	"citygrid/simulators"
	"citygrid/simulators/prepaid"
)

var _ cardslot.Slot = (*Meter)(nil)

const prepaidProfile = "xintai-prepaid-water"

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = t
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// bank is a slave whose holding registers a test sets.
type bank struct {
	mu    sync.Mutex
	words [256]uint16
	// after, if set, is called once the register has been read.
	after func(at, count uint16)
	dead  bool
}

func (b *bank) set(at uint16, words ...uint16) {
	b.mu.Lock()
	defer b.mu.Unlock()
	copy(b.words[at:], words)
}

// float sets a float in the order of Xintai.
func (b *bank) float(at uint16, v float32) {
	bits := math.Float32bits(v)
	swap := func(w uint16) uint16 { return w<<8 | w>>8 }
	b.set(at, swap(uint16(bits)), swap(uint16(bits>>16)))
}

func (b *bank) answer(_ int, request []byte, conn net.Conn) bool {
	at, count := binary.BigEndian.Uint16(request[8:]), binary.BigEndian.Uint16(request[10:])
	b.mu.Lock()
	frame := rightAnswer(request)
	for i := range count {
		binary.BigEndian.PutUint16(frame[9+2*i:], b.words[at+i])
	}
	after, dead := b.after, b.dead
	b.mu.Unlock()
	if dead {
		return true
	}
	if after != nil {
		after(at, count)
	}
	_, err := conn.Write(frame)
	return err == nil
}

func slotSource(t *testing.T, b *bank, c *clock, p *profiles.Profile) *Meter {
	t.Helper()
	timeout := 5 * time.Second
	if b.dead {
		timeout = 100 * time.Millisecond
	}
	l := newTestLine(t, lineConfig{Address: startSlave(t, b.answer), Timeout: timeout, QuietTime: 5 * time.Millisecond, Now: c.now})
	m, err := l.Source("W-1", 1, p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

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

func litres(n int64) schemas.Credit { return schemas.Credit{Value: n, Unit: schemas.CreditLitre} }

// TestEntriesXintai: a residual and a valve, and no count: states alone.
func TestEntriesXintai(t *testing.T) {
	b, c := new(bank), &clock{at: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	m := slotSource(t, b, c, catalogtest.Get(t, profiles.Embedded, prepaidProfile))
	for i, step := range []struct {
		after     time.Duration
		left      float32
		valve     uint16
		told      bool
		want, owe int64
	}{
		{0, 87.75, 1, true, 87_750, 0},
		{time.Hour, 87.7, 1, false, 0, 0},
		{time.Hour, 87.701, 1, true, 87_701, 0},
		{time.Hour, 50, 1, false, 0, 0},
		{time.Hour, 150, 1, true, 150_000, 0},
		{time.Hour, 149.9996, 9, true, 150_000, 0},
		{time.Hour, -1.5, 0xA, true, 0, 1500},
		{time.Hour, -1.6, 0xA, false, 0, 0},
		{10 * time.Hour, -1.6, 0xA, true, 0, 1600},
	} {
		c.set(c.now().Add(step.after))
		b.float(8, step.left)
		b.set(0x1C, step.valve)
		got := mustEntries(t, m)
		if len(got) == 1 != step.told || len(got) > 1 {
			t.Fatalf("%d: %+v", i, got)
		}
		if !step.told {
			continue
		}
		e := got[0]
		if e.Event != schemas.CardState || e.Source != schemas.FromModbus || e.Utility != schemas.Water || e.Meter != "W-1" || e.MeterNumber != "" ||
			e.Residual != litres(step.want) || e.Overdraft != litres(step.owe) || e.Purchase != (schemas.PurchaseRef{}) || e.Bought.Known() ||
			e.Counters[schemas.StatusWord] != uint32(step.valve) || !e.TakenAt.Equal(c.now()) {
			t.Errorf("%d: %+v", i, e)
		}
	}
	b.float(8, float32(math.NaN()))
	if _, err := m.Entries(context.Background()); err == nil || !strings.Contains(err.Error(), "water.credit.volume cannot be read (nan)") || !strings.Contains(err.Error(), "meter W-1: card slot of unit 1") {
		t.Errorf("%v", err)
	}
}

// countedProfile is a meter that counts purchases, in two requests.
func countedProfile() *profiles.Profile {
	field := func(q schemas.Quantity, at uint16, shift int) profiles.Field {
		f := u16Field(q, 3, at)
		f.Parts[0].Shift = shift
		return f
	}
	return titled(&profiles.Profile{ID: "counted", MaxRegisters: 125, Fields: []profiles.Field{
		field("water.purchase.count", 1, 0), field("water.credit.money", 2, -2),
		field("water.purchase.last", 100, -2), field("water.purchase.total", 101, -2),
	}})
}

// TestEntriesCounted: the last purchase is a load, the purse a state.
func TestEntriesCounted(t *testing.T) {
	b, c := new(bank), &clock{at: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	b.set(1, 7, 12_34)
	b.set(100, 50_00, 350_00)
	m := slotSource(t, b, c, countedProfile())
	fen := func(n int64) schemas.Credit { return schemas.Credit{Value: n, Unit: schemas.CreditFen} }
	got := mustEntries(t, m)
	if len(got) != 2 || got[0].Event != schemas.CardLoad || got[0].Purchase.Number != 7 || got[0].Amount != fen(50_00) || got[0].Residual.Known() ||
		got[0].Bought != fen(350_00) || got[1].Residual != fen(12_34) || got[1].Overdraft.Known() || got[1].Amount.Known() {
		t.Fatalf("%+v", got)
	}
	if got = mustEntries(t, m); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	// A purchase comes in between the two requests.
	var once sync.Once
	b.mu.Lock()
	b.after = func(at, _ uint16) {
		if at == 1 {
			once.Do(func() { b.set(1, 8, 22_34); b.set(100, 10_00, 360_00) })
		}
	}
	b.mu.Unlock()
	if got = mustEntries(t, m); len(got) != 2 || got[0].Purchase.Number != 8 || got[0].Amount != fen(10_00) || got[1].Residual != fen(22_34) {
		t.Errorf("%+v", got)
	}
	b.set(1, 6)
	if _, err := m.Entries(context.Background()); err == nil || adapters.ClassOf(err) != adapters.Slow || !strings.Contains(err.Error(), "meter W-1: card slot of unit 1") || !strings.Contains(err.Error(), "from 8 to 6") {
		t.Errorf("%v", err)
	}
}

// TestEntriesCountedLast: the registers of the count come after those of the
// purchase, and a purchase comes in between the two requests.
func TestEntriesCountedLast(t *testing.T) {
	p := countedProfile()
	p.Fields[0], p.Fields[2] = u16Field("water.purchase.last", 3, 1), u16Field("water.purchase.count", 3, 100)
	p.Fields[0].Parts[0].Shift = -2
	b, c := new(bank), &clock{at: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	b.set(1, 50_00, 12_34)
	b.set(100, 7, 350_00)
	var once sync.Once
	b.after = func(at, _ uint16) {
		if at == 1 {
			once.Do(func() { b.set(1, 10_00, 22_34); b.set(100, 8, 360_00) })
		}
	}
	got := mustEntries(t, slotSource(t, b, c, p))
	if len(got) != 2 || got[0].Purchase.Number != 8 || got[0].Amount.Value != 10_00 || got[1].Residual.Value != 22_34 || got[1].Bought.Value != 360_00 {
		t.Errorf("purchase 8 was of 10.00 and left 22.34: %+v", got)
	}
}

// TestEntriesOfNone: a profile without credit, and a silent meter.
func TestEntriesOfNone(t *testing.T) {
	c := &clock{at: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	m := slotSource(t, new(bank), c, catalogtest.Get(t, profiles.Embedded, "tuf-2000m"))
	if _, err := m.Entries(context.Background()); adapters.ClassOf(err) != adapters.Config || !strings.Contains(err.Error(), "profile tuf-2000m maps no credit") {
		t.Errorf("%v", err)
	}
	m = slotSource(t, &bank{dead: true}, c, countedProfile())
	if _, err := m.Entries(context.Background()); err == nil || adapters.ClassOf(err) != adapters.Transient || !m.silent {
		t.Errorf("%v", err)
	}
}

func TestWholeCount(t *testing.T) {
	for s, want := range map[string]uint32{"7": 7, "0": 0, "12.00": 12, "4294967295": 4294967295} {
		d, err := schemas.ParseDecimal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := wholeCount(d); err != nil || got != want {
			t.Errorf("%s: %d, %v", s, got, err)
		}
	}
	for _, d := range []schemas.Decimal{{Mantissa: -1}, {Mantissa: 1 << 32}, {Mantissa: 75, Exponent: -1}, {Mantissa: 7, Exponent: 1}} {
		if got, err := wholeCount(d); err == nil {
			t.Errorf("%s: %d", d, got)
		}
	}
}

// TestEntriesOfSimulatedMeter reads an engine's purse through a gateway.
func TestEntriesOfSimulatedMeter(t *testing.T) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	engine, err := prepaid.New(prepaid.Config{Utility: schemas.Water, Number: "000000000789", Unit: schemas.CreditLitre, Start: start, Limits: prepaid.Limits{Overdraft: 2000}})
	if err != nil {
		t.Fatal(err)
	}
	history, c := prepaid.NewHistory(start, engine.State()), &clock{at: start}
	p := catalogtest.Get(t, profiles.Embedded, prepaidProfile)
	meter, err := simulators.NewMeter(simulators.MeterConfig{ID: "W-1", Profile: p, Unit: 1, Seed: 9, Start: start, Account: history})
	if err != nil {
		t.Fatal(err)
	}
	m, err := newTestLine(t, lineConfig{Address: gateway(t, c, meter), Timeout: 5 * time.Second, Now: c.now}).Source("W-1", 1, p)
	if err != nil {
		t.Fatal(err)
	}
	card := prepaid.Presented{Serial: "0000000000000001", Role: prepaid.OpenCard, Number: "000000000789", Customer: "1", Count: 1, Amount: 20_000, ReturnEmpty: true}
	for i, step := range []struct {
		load bool
		used int64
		told bool
	}{{false, 0, true}, {true, 0, true}, {false, 5000, false}, {false, 16_000, true}, {false, 500, false}, {false, 9000, true}} {
		at := start.Add(time.Duration(i+1) * time.Hour)
		if step.load {
			if out := engine.Accept(card, at); !out.Loaded {
				t.Fatalf("%+v", out)
			}
		}
		engine.Consume(step.used, at)
		if err := history.Note(at, engine.State()); err != nil {
			t.Fatal(err)
		}
		c.set(at.Add(time.Second))
		got, s := mustEntries(t, m), engine.State()
		if len(got) == 1 != step.told {
			t.Fatalf("%d: %+v", i, got)
		}
		if step.told && (got[0].Residual != litres(s.Residual) || got[0].Overdraft != litres(s.Overdraft)) {
			t.Errorf("%d: %+v, the engine has %+v", i, got[0], s)
		}
	}
	if !engine.Off() || engine.State().Overdraft != 2000 {
		t.Errorf("%+v", engine.State())
	}
}

// gateway serves simulated meters and returns its address.
func gateway(t *testing.T, c *clock, meters ...*simulators.Meter) string {
	t.Helper()
	g, err := simulators.NewGateway(simulators.GatewayConfig{Name: "g", Meters: meters, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- g.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}
