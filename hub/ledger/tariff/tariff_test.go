package tariff

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
)

var cst = time.FixedZone("CST", 8*60*60)

func sample(t testing.TB) map[string]*Plan {
	t.Helper()
	plans, err := Load(Sample)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*Plan{}
	for i := range plans {
		out[plans[i].ID] = &plans[i]
	}
	return out
}

func date(t testing.TB, s string) Date {
	t.Helper()
	d, err := ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestSample(t *testing.T) {
	plans := sample(t)
	v := plans["water-home"].Versions[1]
	want := Version{From: date(t, "2026-07-01"), Rates: []Price{22_700}, Steps: []Step{{}, {180_000, 20_000}, {260_000, 40_000}}}
	if !reflect.DeepEqual(v, want) {
		t.Errorf("%+v, want %+v", v, want)
	}
	v = plans["power-home-peak-valley"].Versions[0]
	want = Version{From: date(t, "2025-01-01"), Rates: []Price{5583, 3583}, Steps: []Step{{}, {230_000, 500}, {400_000, 3000}}}
	if !reflect.DeepEqual(v, want) {
		t.Errorf("%+v, want %+v", v, want)
	}
	if v.Lowest() != 3583 || v.Highest() != 8583 {
		t.Errorf("prices from %d to %d", v.Lowest(), v.Highest())
	}
}

// TestBill prices the power plan of the sample by hand: 2,880 kWh at 0.4883 are
// 1406.304 yuan, the next 1,920 at 0.5383 are 1033.536, 100 at 0.7883 are 78.83.
func TestBill(t *testing.T) {
	plans := sample(t)
	b, err := plans["power-home"].Bill(date(t, "2026-03-01"), 0, 4_900_000, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Bill{Total: 140_630 + 103_354 + 7_883, Version: date(t, "2025-01-01"), Lines: []Line{
		{Rate: 1, Step: 1, Use: 2_880_000, Price: 4883, Exact: 14_063_040_000, Fen: 140_630},
		{Rate: 1, Step: 2, Use: 1_920_000, Price: 5383, Exact: 10_335_360_000, Fen: 103_354},
		{Rate: 1, Step: 3, Use: 100_000, Price: 7883, Exact: 788_300_000, Fen: 7_883},
	}}
	if !reflect.DeepEqual(b, want) {
		t.Errorf("%+v\nwant %+v", b, want)
	}
	// 200 kWh peak, 100 kWh valley, from 150 kWh: 70 kWh lie above 230.
	b, err = plans["power-home-peak-valley"].Bill(date(t, "2026-03-01"), 150_000, 300_000, []int64{200_000, 100_000})
	if err != nil {
		t.Fatal(err)
	}
	want = Bill{Total: 11_166 + 3_583 + 850 + 1_500, Version: date(t, "2025-01-01"), Lines: []Line{
		{Rate: 1, Step: 1, Use: 200_000, Price: 5583, Exact: 1_116_600_000, Fen: 11_166},
		{Rate: 2, Step: 1, Use: 100_000, Price: 3583, Exact: 358_300_000, Fen: 3_583},
		{Step: 2, Use: 170_000, Price: 500, Exact: 85_000_000, Fen: 850},
		{Step: 3, Use: 50_000, Price: 3000, Exact: 150_000_000, Fen: 1_500},
	}}
	if !reflect.DeepEqual(b, want) {
		t.Errorf("%+v\nwant %+v", b, want)
	}
	if _, err := plans["power-home-peak-valley"].Bill(date(t, "2026-03-01"), 0, 10, nil); !errors.Is(err, ErrRates) {
		t.Errorf("without a split: %v", err)
	}
	if _, err := plans["power-home-peak-valley"].Bill(date(t, "2026-03-01"), 0, 10, []int64{5, 6}); !errors.Is(err, ErrRates) {
		t.Errorf("with a wrong split: %v", err)
	}
}

func TestRounding(t *testing.T) {
	tests := []struct {
		c             Charge
		halfUp, floor schemas.Fen
	}{{0, 0, 0}, {49_999, 0, 0}, {50_000, 1, 0}, {150_000, 2, 1}, {199_999, 2, 1}, {-49_999, 0, -1}, {-50_000, -1, -1}, {-100_000, -1, -1}}
	for _, tt := range tests {
		if tt.c.HalfUp() != tt.halfUp || tt.c.Floor() != tt.floor {
			t.Errorf("%d: half-up %d, floor %d; want %d, %d", tt.c, tt.c.HalfUp(), tt.c.Floor(), tt.halfUp, tt.floor)
		}
	}
}

func TestOverflow(t *testing.T) {
	v := Version{Rates: []Price{maxPrice}, Steps: []Step{{}}}
	if _, err := v.Charge(0, 1<<62, nil); !errors.Is(err, ErrOverflow) {
		t.Errorf("a product: %v", err)
	}
	v.Rates = []Price{1}
	if _, err := v.Charge(1<<62, 1<<62, nil); err == nil {
		t.Error("position and use beyond 63 bits: accepted")
	}
	if _, err := plus(1<<62, 1<<62); !errors.Is(err, ErrOverflow) {
		t.Errorf("a sum: %v", err)
	}
	if _, err := plus(-1<<62, -1<<63); !errors.Is(err, ErrOverflow) {
		t.Errorf("a negative sum: %v", err)
	}
	if _, err := ChargeOf(1 << 60); !errors.Is(err, ErrOverflow) {
		t.Errorf("an amount: %v", err)
	}
	if c, err := ChargeOf(-7); err != nil || c != -700_000 {
		t.Errorf("%d, %v", c, err)
	}
	if c, err := times(-3, 5); err != nil || c != -15 {
		t.Errorf("%d, %v", c, err)
	}
}

func TestBounds(t *testing.T) {
	plans := sample(t)
	at := func(text string) time.Time {
		when, err := time.ParseInLocation("2006-01-02 15:04", text, cst)
		if err != nil {
			t.Fatal(err)
		}
		return when.UTC()
	}
	water, power := plans["water-home"], plans["power-home-peak-valley"]
	tests := []struct {
		name string
		plan *Plan
		use  Use
		want Bounds
	}{
		{"known", water, Use{at("2026-03-01 00:00"), at("2026-03-31 00:00"), 20_000, nil, Range{170_000, 170_000}},
			Bounds{614_000_000, 614_000_000, 60_700, Range{190_000, 190_000}}},
		{"position unknown", water, Use{at("2026-03-01 00:00"), at("2026-03-31 00:00"), 10_000, nil, Range{0, 200_000}},
			Bounds{207_000_000, 407_000_000, 60_700, Range{10_000, 210_000}}},
		{"price change at midnight of the city", water, Use{at("2026-06-30 23:59"), at("2026-07-01 00:00"), 1_000, nil, Range{5_000, 5_000}},
			Bounds{20_700_000, 62_700_000, 62_700, Range{6_000, 6_000}}},
		{"just before it", water, Use{at("2026-06-30 12:00"), at("2026-06-30 23:59"), 1_000, nil, Range{5_000, 5_000}},
			Bounds{20_700_000, 20_700_000, 60_700, Range{6_000, 6_000}}},
		{"reset", water, Use{at("2025-12-31 20:00"), at("2026-01-01 20:00"), 1_000, nil, Range{100_000, 100_000}},
			Bounds{20_700_000, 60_700_000, 60_700, Range{0, 1_000}}},
		{"by rate", power, Use{at("2026-03-02 00:00"), at("2026-03-09 00:00"), 30_000, []int64{20_000, 10_000}, Range{0, 0}},
			Bounds{147_490_000, 147_490_000, 8583, Range{30_000, 30_000}}},
		{"rate unknown", power, Use{at("2026-03-02 00:00"), at("2026-03-09 00:00"), 30_000, nil, Range{0, 0}},
			Bounds{107_490_000, 167_490_000, 8583, Range{30_000, 30_000}}},
		{"a digit missing in the split", power, Use{at("2026-03-02 00:00"), at("2026-03-09 00:00"), 30_000, []int64{20_000, 9_990}, Range{0, 0}},
			Bounds{147_490_000, 147_510_000, 8583, Range{30_000, 30_000}}},
		{"a digit too many", power, Use{at("2026-03-02 00:00"), at("2026-03-09 00:00"), 30_000, []int64{20_010, 10_000}, Range{0, 0}},
			Bounds{147_490_000, 147_510_000, 8583, Range{30_000, 30_000}}},
		{"monthly reset", power, Use{at("2026-03-31 20:00"), at("2026-04-01 20:00"), 1_000, nil, Range{100_000, 100_000}},
			Bounds{3_583_000, 8_583_000, 8583, Range{0, 1_000}}},
	}
	for _, tt := range tests {
		got, err := tt.plan.Bounds(tt.use, cst)
		if err != nil || got != tt.want {
			t.Errorf("%s: %+v, %v\nwant %+v", tt.name, got, err, tt.want)
		}
	}
	if _, err := water.Bounds(Use{From: at("2024-12-31 23:00"), To: at("2025-01-01 01:00")}, cst); !errors.Is(err, ErrNoPrice) {
		t.Errorf("before the first version: %v", err)
	}
	if _, err := water.Bounds(Use{From: at("2026-03-01 00:00"), To: at("2026-03-02 00:00"), Amount: -1}, cst); err == nil {
		t.Error("a negative use: accepted")
	}
}

// TestBoundsHold draws uses hour by hour and sees that the exact charge lies in
// the bounds, and that splitting a use changes no charge.
func TestBoundsHold(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	plans, err := Load(Sample)
	if err != nil {
		t.Fatal(err)
	}
	for i := range plans {
		plan := &plans[i]
		for range 300 {
			start := time.Date(2026, time.Month(1+rng.IntN(12)), 1+rng.IntN(28), rng.IntN(24), 0, 0, 0, cst)
			position := rng.Int64N(600_000)
			u := Use{From: start, Position: Range{position - rng.Int64N(position+1), position + rng.Int64N(50_000)}}
			exact, parts := Charge(0), make([]int64, len(plan.Versions[0].Rates))
			hours := 1 + rng.IntN(24*40)
			for h := range hours {
				when := start.Add(time.Duration(h) * time.Hour)
				day := DateOf(when, cst)
				if h > 0 && when.Hour() == 0 && plan.ResetBefore(day) == day {
					position = 0
				}
				split, sum := make([]int64, len(parts)), int64(0)
				for r := range split {
					split[r] = rng.Int64N(1_000)
					sum += split[r]
					parts[r] += split[r]
				}
				v, _ := plan.At(day)
				c, err := v.Charge(position, sum, split)
				if err != nil {
					t.Fatal(err)
				}
				exact, position, u.Amount = exact+c, position+sum, u.Amount+sum
			}
			u.To = start.Add(time.Duration(hours)*time.Hour - time.Second)
			if rng.IntN(2) == 0 {
				u.ByRate = parts
			}
			b, err := plan.Bounds(u, cst)
			if err != nil || exact < b.Low || exact > b.High || position < b.Position.Lo || position > b.Position.Hi {
				t.Fatalf("%s: %d at %d, bounds %+v, %v, use %+v", plan.ID, exact, position, b, err, u)
			}
		}
	}
}

func TestTolerance(t *testing.T) {
	// 635 L at 6.27 yuan and a fen: 3.99145 yuan.
	if c, err := Tolerance(62_700, 635); err != nil || c != 39_814_500+PerFen {
		t.Errorf("%d, %v", c, err)
	}
}

func TestDates(t *testing.T) {
	before := time.Date(1969, 12, 31, 15, 0, 0, 0, time.UTC)
	if d := DateOf(before, cst); d != -1 {
		t.Errorf("%s is day %d", before, d)
	}
	if d := DateOf(before.Add(time.Hour), cst); d != 0 {
		t.Errorf("midnight is day %d", d)
	}
	if _, err := ParseDate("2026-13-01"); err == nil {
		t.Error("month 13: accepted")
	}
	p := Plan{Reset: Monthly}
	if got := p.ResetBefore(date(t, "2026-02-28")); got != date(t, "2026-02-01") {
		t.Error(got)
	}
}

func TestLoadRefuses(t *testing.T) {
	good := "plans:\n- {id: a, utility: water, reset: yearly, rounding: half-up-per-line, versions: [{from: 2026-01-01, price: \"2.07\"}]}\n"
	if _, err := Load([]byte(good)); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ old, new, want string }{
		"no plans":           {good, "plans: []", "no plans"},
		"unknown key":        {"reset:", "resets:", "field resets not found"},
		"id":                 {"id: a", "id: \"\"", "id: want"},
		"utility":            {"water", "heat", "utility \"heat\""},
		"reset":              {"yearly", "weekly", "reset \"weekly\""},
		"rounding":           {"half-up-per-line", "half-even", "rounding \"half-even\""},
		"date":               {"2026-01-01", "2026-1-1", "date \"2026-1-1\""},
		"decimals":           {"2.07", "2.07001", "more than 4 decimals"},
		"sign":               {"2.07", "-2.07", "want digits"},
		"too dear":           {"2.07", "100.01", "want 0 to"},
		"too large":          {"2.07", "99999999999999999999", "too large"},
		"no price":           {", price: \"2.07\"", "", "give the price once"},
		"two prices":         {"price: \"2.07\"", "price: \"2.07\", rates: [\"1\"]", "give the price once"},
		"no versions":        {"[{from: 2026-01-01, price: \"2.07\"}]", "[]", "no versions"},
		"versions backwards": {"[{from", "[{from: 2026-01-01, price: \"1\"}, {from", "earliest first"},
		"first step above":   {"price: \"2.07\"", "steps: [{above: \"1\", price: \"1\"}]", "first step"},
		"falling price":      {"price: \"2.07\"", "steps: [{price: \"2\"}, {above: \"1\", price: \"1\"}]", "must rise"},
		"falling threshold":  {"price: \"2.07\"", "steps: [{price: \"1\"}, {above: \"2\", price: \"2\"}, {above: \"1\", price: \"3\"}]", "must rise"},
		"price with rates":   {"price: \"2.07\"", "rates: [\"1\", \"2\"], steps: [{}, {above: \"1\", price: \"1\"}]", "give \"add\""},
		"threshold":          {"price: \"2.07\"", "steps: [{price: \"1\"}, {above: \"1.0001\", price: \"2\"}]", "more than 3 decimals"},
	}
	for name, tt := range tests {
		_, err := Load([]byte(strings.Replace(good, tt.old, tt.new, 1)))
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "tariff file") {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if _, err := Load([]byte(good + strings.TrimPrefix(good, "plans:\n"))); err == nil || !strings.Contains(err.Error(), "stands twice") {
		t.Errorf("one id twice: %v", err)
	}
}

func TestDigest(t *testing.T) {
	a, b := sample(t)["water-home"], sample(t)["water-home"]
	if a.Digest() != b.Digest() || !strings.HasPrefix(a.Digest(), "water-home@") || len(a.Digest()) != len("water-home@")+16 {
		t.Errorf("%s, %s", a.Digest(), b.Digest())
	}
	b.Versions[1].Steps[2].Add++
	if a.Digest() == b.Digest() {
		t.Error("another price, the same digest")
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(Sample)
	f.Fuzz(func(t *testing.T, data []byte) {
		plans, err := Load(data)
		if err != nil {
			return
		}
		for i := range plans {
			if err := plans[i].Validate(); err != nil {
				t.Fatal(err)
			}
			v := plans[i].Versions[len(plans[i].Versions)-1]
			if v.Lowest() > v.Highest() || plans[i].Digest() == "" {
				t.Fatalf("%+v", v)
			}
		}
	})
}

func BenchmarkBounds(b *testing.B) {
	plan := sample(b)["water-home"]
	u := Use{From: time.Unix(1_772_000_000, 0), To: time.Unix(1_772_090_000, 0), Amount: 321, Position: Range{179_900, 179_900}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := plan.Bounds(u, cst); err != nil {
			b.Fatal(err)
		}
	}
}
