package prepaid

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
)

// start is midnight in China.
var start = time.Date(2026, 2, 28, 16, 0, 0, 0, time.UTC)

const (
	number   = "000000000161"
	customer = "112233445566"
	first    = schemas.CardID("0000000000000001")
	second   = schemas.CardID("0000000000000002")
)

// flat is a tariff of one price.
func flat(p Price) Tariff { return Tariff{Steps: []Step{{0, p}}} }

// powerConfig is a money meter at 0.5283 yuan/kWh.
func powerConfig(change ...func(*Config)) Config {
	c := Config{Utility: schemas.Power, Number: number, Unit: schemas.CreditFen, Current: flat(5283), Start: start}
	for _, f := range change {
		f(&c)
	}
	return c
}

func mustMeter(t testing.TB, c Config) *Meter {
	t.Helper()
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// opened is a meter whose account was opened with a purchase.
func opened(t testing.TB, amount int64, change ...func(*Config)) *Meter {
	t.Helper()
	m := mustMeter(t, powerConfig(change...))
	out := m.Accept(Presented{Serial: first, Role: OpenCard, Number: number, Customer: customer, Count: 1, Amount: amount, ReturnEmpty: true}, start)
	if out.Fault != 0 || !out.Loaded {
		t.Fatalf("open: %+v", out)
	}
	return m
}

// buy presents purchase n.
func buy(n uint32, amount int64) Presented {
	return Presented{Serial: first, Role: PurchaseCard, Number: number, Customer: customer, Count: n, Amount: amount}
}

// foots checks what must be true of every meter at every moment.
func foots(t testing.TB, s *State) {
	t.Helper()
	if s.Bought+s.Transferred != s.Charged+s.Residual-s.Overdraft {
		t.Fatalf("bought %d and transferred %d are not charged %d, residual %d, overdraft %d", s.Bought, s.Transferred, s.Charged, s.Residual, s.Overdraft)
	}
	if s.Residual < 0 || s.Overdraft < 0 || s.Residual > 0 && s.Overdraft > 0 || s.Rest < 0 || s.Rest >= perFen {
		t.Fatalf("residual %d, overdraft %d, rest %d", s.Residual, s.Overdraft, s.Rest)
	}
}

// TestConsumeIsExact charges litre by litre what no fen can hold.
func TestConsumeIsExact(t *testing.T) {
	m := opened(t, 1000_00)
	for range 1000 {
		m.Consume(1, start) // 1 Wh costs 0.05283 fen
	}
	s := m.State()
	if s.Charged != 52 || s.Rest != 83_000 || s.Residual != 1000_00-52 || s.Used != 1000 {
		t.Errorf("charged %d and %d, residual %d, used %d", s.Charged, s.Rest, s.Residual, s.Used)
	}
	m.Consume(999_000, start)
	if s := m.State(); s.Charged != 528_30 || s.Rest != 0 {
		t.Errorf("1000 kWh at 0.5283: %d fen and %d", s.Charged, s.Rest)
	}
}

// TestSteps: the price changes at the very watt-hour, and begins anew with the
// period.
func TestSteps(t *testing.T) {
	tariff := Tariff{Steps: []Step{{0, 5000}, {100_000, 6000}, {200_000, 8000}}, Resets: []Reset{{0, 1}}}
	m := opened(t, 1000_00, func(c *Config) { c.Current = tariff })
	m.Consume(250_001, start.Add(time.Hour))
	// 100 kWh at 0.50, 100 at 0.60, 50.001 at 0.80: 150.0008 yuan.
	if s := m.State(); s.Charged != 150_00 || s.Rest != 8_000 || s.Period != 250_001 {
		t.Errorf("charged %d and %d in a period of %d", s.Charged, s.Rest, s.Period)
	}
	m.Consume(1000, start.AddDate(0, 1, 0).Add(4*24*time.Hour)) // over the first of April in China
	if s := m.State(); s.Charged != 150_50 || s.Period != 1000 || s.Month != 1000 || s.Months[0] != 250_001 {
		t.Errorf("a new period: charged %d, period %d, months %d %v", s.Charged, s.Period, s.Month, s.Months)
	}
}

// TestRates: the rate of the hour is added to the step.
func TestRates(t *testing.T) {
	tariff := Tariff{Steps: []Step{{0, 1000}}, Rates: []Rate{{0, 2000}, {8 * time.Hour, 5000}, {22 * time.Hour, 2000}}}
	for _, tt := range []struct {
		at   time.Duration
		want int64
	}{{0, 30}, {8*time.Hour - 1, 30}, {8 * time.Hour, 60}, {22*time.Hour - 1, 60}, {22 * time.Hour, 30}, {24 * time.Hour, 30}} {
		m := opened(t, 100_00, func(c *Config) { c.Current = tariff })
		if m.Consume(1000, start.Add(tt.at)); m.State().Charged != tt.want {
			t.Errorf("at %s a kWh costs %d fen, want %d", tt.at, m.State().Charged, tt.want)
		}
	}
}

// TestSpare: the spare prices come into force at their moment.
func TestSpare(t *testing.T) {
	at := start.Add(48 * time.Hour)
	m := opened(t, 100_00, func(c *Config) { c.Spare, c.SwitchAt = flat(10_000), at })
	m.Consume(10_000, at.Add(-time.Second))
	before := m.State().Charged
	m.Consume(10_000, at)
	// 10 kWh cost 5.283 yuan, then 10.
	if s := m.State(); before != 528 || s.Charged != 1528 || s.Rest != 30_000 {
		t.Errorf("%d before, %d and %d after", before, s.Charged, s.Rest)
	}
}

// TestTrip: the switch opens at the unit that uses up the overdraft limit, after
// the stop at the second alarm.
func TestTrip(t *testing.T) {
	m := opened(t, 10_00, func(c *Config) {
		c.Current = flat(10_000) // 0.1 fen a Wh
		c.Limits = Limits{Alarm1: 5_00, Alarm2: 2_00, Overdraft: 1_00}
	})
	if passed := m.Consume(5000, start); passed != 5000 || !alarm(m) || m.Off() {
		t.Errorf("%d passed, alarm %v, off %v", passed, alarm(m), m.Off())
	}
	if passed := m.Consume(50_000, start); passed != 3000 || m.Left() != 2_00 || !m.Off() {
		t.Errorf("second alarm after %d, %d left, off %v", passed, m.Left(), m.Off())
	}
	if passed := m.Consume(1, start); passed != 0 {
		t.Errorf("%d passed an open switch", passed)
	}
	if out := m.Accept(buy(1, 10_00), start); out.Fault != 0 || out.Loaded || m.Off() {
		t.Errorf("the card again: %+v, off %v", out, m.Off())
	}
	if passed := m.Consume(50_000, start); passed != 3000 || m.Left() != -1_00 || m.State().Overdraft != 1_00 || !m.Off() {
		t.Errorf("overdraft after %d, %d left, off %v", passed, m.Left(), m.Off())
	}
	if m.Accept(buy(1, 10_00), start); !m.Off() {
		t.Error("the card alone closes a switch without credit")
	}
	if out := m.Accept(buy(2, 40), start); !out.Loaded || m.Left() != -60 || !m.Off() || out.Purchase.After != 0 {
		t.Errorf("a purchase below the overdraft: %+v, %d left", out, m.Left())
	}
	out := m.Accept(buy(3, 10_00), start)
	if !out.Loaded || m.Left() != 9_40 || m.Off() || out.Purchase.Before != 0 || out.Purchase.After != 9_40 || m.State().Warned {
		t.Errorf("%+v, %d left, off %v", out, m.Left(), m.Off())
	}
	s := m.State()
	foots(t, &s)
	if len(s.Records) != 3 || s.Records[0].Count != 3 || s.Records[2].Amount != 10_00 || s.Records[1].Bought != 10_40 {
		t.Errorf("records %+v", s.Records)
	}
}

func alarm(m *Meter) bool { s := m.State(); return s.Alarm() }

// TestCloseAllowed: the switch stays open until the residual exceeds its limit.
func TestCloseAllowed(t *testing.T) {
	m := opened(t, 10_00, func(c *Config) { c.Current, c.CloseAllowed = flat(10_000), 3_00 })
	m.Consume(10_000, start)
	if m.Accept(buy(2, 3_00), start); !m.Off() {
		t.Error("closed at the limit")
	}
	if m.Accept(buy(3, 1), start); m.Off() {
		t.Error("open above the limit")
	}
}

// TestJam: a switch that is stuck does what it was told when it comes free.
func TestJam(t *testing.T) {
	m := opened(t, 1_00, func(c *Config) { c.Current = flat(10_000) })
	m.Jam(true)
	if passed := m.Consume(5000, start); passed != 5000 || m.Off() || !m.State().Ordered || m.Left() != -4_00 {
		t.Errorf("%d passed, %+v", passed, m.State())
	}
	if m.Jam(false); !m.Off() {
		t.Error("free, and still closed")
	}
}

// TestVolume: a purse of litres counts litres.
func TestVolume(t *testing.T) {
	m := mustMeter(t, Config{Utility: schemas.Water, Number: number, Unit: schemas.CreditLitre, Preset: 5000, Start: start})
	if passed := m.Consume(6000, start); passed != 5000 || !m.Off() || m.Left() != 0 {
		t.Errorf("%d passed, %d left", passed, m.Left())
	}
	s := m.State()
	foots(t, &s)
}

// TestTransfer moves a residual to the meter that takes over.
func TestTransfer(t *testing.T) {
	a, b := opened(t, 10_00), mustMeter(t, powerConfig(func(c *Config) { c.Number = "000000000162" }))
	a.Consume(1000, start)
	left := a.Left()
	a.Transfer(-left, start)
	b.Transfer(left, start)
	for _, m := range []*Meter{a, b} {
		s := m.State()
		foots(t, &s)
	}
	if a.Left() != 0 || !a.Off() || b.Left() != 9_48 || b.Off() {
		t.Errorf("%d and %d", a.Left(), b.Left())
	}
}

func TestNewRefuses(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"utility": func(c *Config) { c.Utility = "heat" }, "a purse of": func(c *Config) { c.Unit = schemas.CreditLitre },
		"12 digits": func(c *Config) { c.Number = "12" }, "no start": func(c *Config) { c.Start = time.Time{} },
		"preset": func(c *Config) { c.Preset = -1 }, "a limit": func(c *Config) { c.Hoard = maxPurse + 1 },
		"step 1":       func(c *Config) { c.Current = Tariff{Steps: []Step{{1, 1}}} },
		"step 2":       func(c *Config) { c.Spare = Tariff{Steps: []Step{{0, 1}, {0, 2}}} },
		"rate 1":       func(c *Config) { c.Current.Rates = []Rate{{time.Hour, 1}} },
		"reset":        func(c *Config) { c.Current.Resets = []Reset{{0, 31}} },
		"want at most": func(c *Config) { c.Current.Steps = make([]Step, 8) },
	} {
		if _, err := New(powerConfig(change)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestLives lives four hundred random lives and keeps a second account of each,
// watt-hour by watt-hour.
func TestLives(t *testing.T) {
	for seed := range uint64(400) {
		live(t, rand.New(rand.NewPCG(seed, 4)))
	}
}

// book is the second account.
type book struct {
	cost   int64 // hundred-thousandths of a fen
	period int64
	bought int64
	moved  int64
}

func randomTariff(r *rand.Rand) Tariff {
	t := Tariff{Resets: []Reset{{0, 1 + r.IntN(28)}}}
	for i := range 1 + r.IntN(4) {
		t.Steps = append(t.Steps, Step{int64(i) * (1 + r.Int64N(300)) * 100, Price(r.IntN(9000))})
		if i > 0 && t.Steps[i].Above <= t.Steps[i-1].Above {
			t.Steps = t.Steps[:i]
			break
		}
	}
	for i := range r.IntN(5) {
		t.Rates = append(t.Rates, Rate{time.Duration(i) * 5 * time.Hour, Price(r.IntN(4000))})
	}
	return t
}

func live(t *testing.T, r *rand.Rand) {
	c := powerConfig(func(c *Config) {
		c.Current, c.Spare, c.SwitchAt = randomTariff(r), randomTariff(r), start.Add(time.Duration(r.IntN(60*24))*time.Hour)
		c.Limits = Limits{Alarm1: r.Int64N(20_00), Alarm2: r.Int64N(10_00), Overdraft: r.Int64N(20_00), Hoard: r.Int64N(2) * 900_00, CloseAllowed: r.Int64N(3_00)}
		c.Preset = r.Int64N(5_00)
	})
	m, b, now := mustMeter(t, c), &book{moved: c.Preset}, start
	var count uint32
	for range 200 {
		before := m.State()
		switch r.IntN(6) {
		case 0:
			p := buy(count+uint32(r.IntN(4))-1, r.Int64N(200_00))
			if p.Role = Role(1 + r.IntN(2)); count == 0 {
				p.ReturnEmpty = r.IntN(2) == 0
			}
			out := m.Accept(p, now)
			if out.Loaded {
				b.bought += p.Amount
				count++
			}
			if after := m.State(); out.Fault != 0 && (after.Left() != before.Left() || after.Count != before.Count || after.Bought != before.Bought) {
				t.Fatalf("a refused card changed the purse: %+v", out)
			}
		case 1:
			amount := r.Int64N(20_00) - 10_00
			m.Transfer(amount, now)
			b.moved += amount
		case 2:
			m.Jam(r.IntN(8) == 0)
		default:
			now = now.Add(time.Duration(r.IntN(40*60)) * time.Minute)
			b.consume(t, m, r.Int64N(3000), now)
		}
		s := m.State()
		foots(t, &s)
		b.agrees(t, &s, count)
	}
}

// consume lets the meter consume and books it unit by unit.
func (b *book) consume(t *testing.T, m *Meter, units int64, now time.Time) {
	last := m.now
	tariff := &m.config.Current
	if !now.Before(m.config.SwitchAt) {
		tariff = &m.config.Spare
	}
	if restarts(&m.config, last, now) {
		b.period = 0
	}
	wasOff := m.Off()
	passed := m.Consume(units, now)
	if wasOff && passed != 0 || passed < units && !m.Off() || passed > units {
		t.Fatalf("%d of %d passed, off %v then %v", passed, units, wasOff, m.Off())
	}
	l := now.In(time.FixedZone("", 8*3600))
	since := time.Duration(l.Hour()*60+l.Minute()) * time.Minute
	add := int64(0)
	for _, r := range tariff.Rates {
		if since >= r.From {
			add = int64(r.Price)
		}
	}
	for range passed {
		price := add
		for _, s := range tariff.Steps {
			if b.period >= s.Above {
				price = add + int64(s.Price)
			}
		}
		b.cost += price
		b.period++
	}
}

// restarts walks day by day over the midnights in (last, now].
func restarts(c *Config, last, now time.Time) bool {
	zone := time.FixedZone("", 8*3600)
	l := last.In(zone)
	for day := time.Date(l.Year(), l.Month(), l.Day()+1, 0, 0, 0, 0, zone); !day.After(now); day = day.AddDate(0, 0, 1) {
		force := &c.Current
		if day.After(c.SwitchAt) {
			force = &c.Spare
		}
		for _, r := range force.Resets {
			if r.Day == day.Day() {
				return true
			}
		}
	}
	return false
}

func (b *book) agrees(t *testing.T, s *State, count uint32) {
	t.Helper()
	cost := s.Charged*perFen + s.Rest
	if cost != b.cost || s.Period != b.period || s.Bought != b.bought || s.Transferred != b.moved || s.Count != count {
		t.Fatalf("cost %d, want %d; period %d, want %d; bought %d, want %d; transferred %d, want %d; count %d, want %d",
			cost, b.cost, s.Period, b.period, s.Bought, b.bought, s.Transferred, b.moved, s.Count, count)
	}
}

// BenchmarkDay is a day of a meter in the simulated year.
func BenchmarkDay(b *testing.B) {
	tariff := Tariff{Steps: []Step{{0, 5000}, {100_000, 6000}}, Rates: []Rate{{0, 2000}, {8 * time.Hour, 5000}}, Resets: []Reset{{0, 1}}}
	m := opened(b, 100_00, func(c *Config) { c.Current = tariff; c.Limits.Overdraft = maxPurse })
	now := start
	for b.Loop() {
		now = now.Add(24 * time.Hour)
		m.Consume(3, now)
	}
}

// TestHistory: what was seen of the past does not change.
func TestHistory(t *testing.T) {
	m := opened(t, 10_00)
	h := NewHistory(start, m.State())
	m.Consume(100_000, start.Add(time.Hour))
	if err := h.Note(start.Add(time.Hour), m.State()); err != nil {
		t.Fatal(err)
	}
	if err := h.Note(start, m.State()); err == nil {
		t.Error("the past was changed")
	}
	for at, want := range map[time.Duration]int64{-time.Hour: 10_00, 0: 10_00, time.Hour - 1: 10_00, time.Hour: m.Left(), 99 * time.Hour: m.Left()} {
		if s := h.At(start.Add(at)); s.Left() != want {
			t.Errorf("at %s: %d left, want %d", at, s.Left(), want)
		}
	}
}
