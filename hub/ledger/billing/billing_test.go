package billing

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/tariff"
	"citygrid/schemas"
)

var cst = time.FixedZone("CST", 8*3600)

func moment(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", s, cst)
	if err != nil {
		panic(err)
	}
	return t
}

func day(s string) ledger.Day {
	d, err := ledger.ParseDay(s)
	if err != nil {
		panic(err)
	}
	return d
}

// plan returns one of the sample tariffs.
func plan(tb testing.TB, id string) *tariff.Plan {
	tb.Helper()
	plans, err := tariff.Load(tariff.Sample)
	if err != nil {
		tb.Fatal(err)
	}
	i := slices.IndexFunc(plans, func(p tariff.Plan) bool { return p.ID == id })
	if i < 0 {
		tb.Fatalf("no plan %s", id)
	}
	return &plans[i]
}

func account() Account {
	return Account{Meter: "W-000042", From: moment("2025-01-01 00:00"), MeterNumber: "000000000042", Customer: "C-42",
		Utility: schemas.Water, Mode: Credit, Limit: 20_000, Channel: "bank-collect"}
}

// at is a reading.
func at(s string, total int64, byRate ...int64) Reading {
	return Reading{At: moment(s), Total: total, ByRate: byRate}
}

// lines are the lines of all parts in words.
func lines(p Priced) (out []string) {
	for _, part := range p.Parts {
		for _, l := range part.Lines {
			out = append(out, fmt.Sprintf("r%d s%d %d x %d = %s", l.Rate, l.Step, l.Use, l.Price, l.Fen))
		}
	}
	return out
}

func TestPrice(t *testing.T) {
	for name, c := range map[string]struct {
		plan     string
		readings []Reading
		position int64
		want     []string
		total    schemas.Fen
		end      int64
	}{
		"one step": {"water-home", []Reading{at("2026-01-05 10:00", 1000), at("2026-02-05 10:00", 13_345)}, 0,
			[]string{"r1 s1 12345 x 20700 = 25.55"}, 2555, 12_345}, // 25.55415 yuan
		"nothing used": {"water-home", []Reading{at("2026-01-05 10:00", 7), at("2026-02-05 10:00", 7)}, 5, nil, 0, 5},
		"two steps": {"water-home", []Reading{at("2026-01-05 10:00", 0), at("2026-02-05 10:00", 20_000)}, 170_000,
			[]string{"r1 s1 10000 x 20700 = 20.70", "r1 s2 10000 x 40700 = 40.70"}, 6140, 190_000},
		"rounded once over four readings": {"water-home", []Reading{at("2026-01-05 10:00", 0), at("2026-01-15 10:00", 1), at("2026-01-25 10:00", 2), at("2026-02-05 10:00", 3)}, 0,
			[]string{"r1 s1 3 x 20700 = 0.01"}, 1, 3}, // 0.00621; by readings it would be 0
		"new price": {"water-home", []Reading{at("2026-06-20 10:00", 0), at("2026-07-01 00:00", 10_000), at("2026-07-20 10:00", 20_000)}, 175_000,
			[]string{"r1 s1 5000 x 20700 = 10.35", "r1 s2 5000 x 40700 = 20.35", "r1 s2 10000 x 42700 = 42.70"}, 7340, 195_000},
		"new year": {"power-home", []Reading{at("2025-12-20 10:00", 0), at("2026-01-01 00:00", 100_000), at("2026-01-20 10:00", 150_000)}, 2_850_000,
			[]string{"r1 s1 30000 x 4883 = 14.65", "r1 s2 70000 x 5383 = 37.68", "r1 s1 50000 x 4883 = 24.42"}, 7675, 50_000},
		"ends at the reset": {"power-home", []Reading{at("2025-12-20 10:00", 0), at("2026-01-01 00:00", 1_000)}, 0,
			[]string{"r1 s1 1000 x 4883 = 0.49"}, 49, 0},
		"begins at the reset": {"power-home", []Reading{at("2026-01-01 00:00", 0), at("2026-01-02 00:00", 1_000)}, 0,
			[]string{"r1 s1 1000 x 4883 = 0.49"}, 49, 1_000},
		"by rate": {"power-home-peak-valley", []Reading{at("2026-03-01 00:00", 0, 0, 0), at("2026-03-31 10:00", 300_000, 200_000, 100_000)}, 0,
			[]string{"r1 s1 200000 x 5583 = 111.66", "r2 s1 100000 x 3583 = 35.83", "r0 s2 70000 x 500 = 3.50"}, 15_099, 300_000},
	} {
		got, err := Price(plan(t, c.plan), cst, c.readings, c.position)
		if err != nil || !slices.Equal(lines(got), c.want) || got.Total != c.total || got.Position != c.end {
			t.Errorf("%s: %v: %q, total %s, position %d; want %q, %s, %d", name, err, lines(got), got.Total, got.Position, c.want, c.total, c.end)
		}
		if first, last := c.readings[0], c.readings[len(c.readings)-1]; got.Use != last.Total-first.Total {
			t.Errorf("%s: use %d", name, got.Use)
		}
	}
}

func TestPriceRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		plan     string
		readings []Reading
		position int64
		is       error
	}{
		"one reading":           {"water-home", []Reading{at("2026-01-05 10:00", 0)}, 0, ErrReadings},
		"backwards":             {"water-home", []Reading{at("2026-01-05 10:00", 5), at("2026-01-06 10:00", 4)}, 0, ErrReadings},
		"no time between":       {"water-home", []Reading{at("2026-01-05 10:00", 5), at("2026-01-05 10:00", 5)}, 0, ErrReadings},
		"price changes inside":  {"water-home", []Reading{at("2026-06-30 23:59", 0), at("2026-07-01 00:01", 1)}, 0, ErrBoundary},
		"reset inside":          {"power-home", []Reading{at("2025-12-31 23:59", 0), at("2026-01-01 00:01", 1)}, 0, ErrBoundary},
		"two months inside":     {"water-shop", []Reading{at("2026-01-31 00:00", 0), at("2026-03-01 00:00", 1)}, 0, ErrBoundary},
		"position at reset":     {"power-home", []Reading{at("2026-01-01 00:00", 0), at("2026-01-02 00:00", 1)}, 7, ErrReadings},
		"negative position":     {"power-home", []Reading{at("2026-01-03 00:00", 0), at("2026-01-04 00:00", 1)}, -1, ErrReadings},
		"no rates":              {"power-home-peak-valley", []Reading{at("2026-03-01 00:00", 0), at("2026-03-02 00:00", 1)}, 0, tariff.ErrRates},
		"rates make another":    {"power-home-peak-valley", []Reading{at("2026-03-01 00:00", 0, 0, 0), at("2026-03-02 00:00", 3, 1, 1)}, 0, tariff.ErrRates},
		"a rate goes backwards": {"power-home-peak-valley", []Reading{at("2026-03-01 00:00", 0, 1, 0), at("2026-03-02 00:00", 1, 0, 2)}, 0, ErrReadings},
		"no price yet":          {"water-home", []Reading{at("2024-01-05 10:00", 0), at("2024-01-06 10:00", 1)}, 0, tariff.ErrNoPrice},
	} {
		if got, err := Price(plan(t, c.plan), cst, c.readings, c.position); !errors.Is(err, c.is) || !reflect.DeepEqual(got, Priced{}) {
			t.Errorf("%s: %+v, %v; want %v", name, got, err, c.is)
		}
	}
	_, err := Price(plan(t, "water-home"), cst, []Reading{at("2026-06-30 23:59", 0), at("2026-07-01 00:01", 1)}, 0)
	if !strings.Contains(err.Error(), "00:00 on 2026-07-01") {
		t.Errorf("%v does not say which reading is missing", err)
	}
}

// TestPriceJoins: a period priced whole has the exact charge of its parts, and
// bill after bill goes through the steps as one does.
func TestPriceJoins(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	p := plan(t, "water-home")
	for range 500 {
		readings := []Reading{at("2026-06-01 08:00", r.Int64N(1000))}
		for _, s := range []string{"2026-06-15 08:00", "2026-07-01 00:00", "2026-07-15 08:00", "2026-12-30 08:00", "2027-01-01 00:00", "2027-02-01 08:00"} {
			readings = append(readings, Reading{At: moment(s), Total: readings[len(readings)-1].Total + r.Int64N(150_000)})
		}
		position := r.Int64N(300_000)
		whole, err := Price(p, cst, readings, position)
		if err != nil {
			t.Fatal(err)
		}
		cut := 1 + r.IntN(len(readings)-2)
		one, err := Price(p, cst, readings[:cut+1], position)
		two, err2 := Price(p, cst, readings[cut:], one.Position)
		if errors.Join(err, err2) != nil {
			t.Fatal(err, err2)
		}
		exact := func(q Priced) tariff.Charge { return tariff.Charge(q.Total)*tariff.PerFen - q.Rounded }
		if exact(whole) != exact(one)+exact(two) || whole.Position != two.Position || whole.Use != one.Use+two.Use {
			t.Fatalf("cut at %d: %+v is not %+v and %+v", cut, whole, one, two)
		}
		lines, sum := 0, schemas.Fen(0)
		for _, part := range whole.Parts {
			for _, l := range part.Lines {
				lines, sum = lines+1, sum+l.Fen
			}
		}
		if sum != whole.Total || whole.Rounded > tariff.Charge(lines)*tariff.PerFen/2 || -whole.Rounded > tariff.Charge(lines)*tariff.PerFen/2 {
			t.Fatalf("%d lines come to %s, total %s, rounded by %d", lines, sum, whole.Total, whole.Rounded)
		}
	}
}

func TestMake(t *testing.T) {
	p := Period{Order: "bill-1", Day: day("2026-02-06"), At: moment("2026-02-06 02:00"), Fees: []Fee{{"bill-0", 12}},
		Readings: []Reading{at("2026-01-05 10:00", 0), at("2026-02-05 10:00", 10_000)}}
	b, err := Make(account(), DefaultTerms(), plan(t, "water-home"), cst, p)
	if err != nil || b.Total != 2070 || b.Amount != 2082 || b.Due != day("2026-02-21") || b.Position != 10_000 {
		t.Fatalf("%+v, %v", b, err)
	}
	row, owed := b.Sale()
	want := ledger.Sale{Channel: "bank-collect", Order: "bill-1", Kind: ledger.Bill, Utility: schemas.Water, Meter: "W-000042", From: account().From,
		MeterNumber: "000000000042", Customer: "C-42", Amount: 2082, Day: p.Day, Due: b.Due, At: p.At}
	if row != want || !owed {
		t.Errorf("row %+v, want %+v", row, want)
	}
	if _, owed := (&Bill{}).Sale(); owed {
		t.Error("a bill of nothing is a sale")
	}
	for says, change := range map[string]func(*Account, *Terms, *Period){
		"gets no bill":        func(a *Account, _ *Terms, _ *Period) { a.Mode = Prepaid },
		"mode":                func(a *Account, _ *Terms, _ *Period) { a.Mode = "" },
		"collects its bills":  func(a *Account, _ *Terms, _ *Period) { a.Channel = "" },
		"credit limit":        func(a *Account, _ *Terms, _ *Period) { a.Limit = -1 },
		"correct the":         func(a *Account, _ *Terms, _ *Period) { a.Utility = schemas.Gas },
		"due after":           func(_ *Account, t *Terms, _ *Period) { t.DueDays = -1 },
		"warn at":             func(_ *Account, t *Terms, _ *Period) { t.Stop = 99 },
		"cap":                 func(_ *Account, t *Terms, _ *Period) { t.Late = &LateFee{PerDay: 50} },
		"printable":           func(_ *Account, _ *Terms, p *Period) { p.Order = "a\n" },
		"late fee of":         func(_ *Account, _ *Terms, p *Period) { p.Fees[0].Amount = 0 },
		"for bill-1":          func(_ *Account, _ *Terms, p *Period) { p.Fees[0].Order = "bill-1" },
		"look at the reading": func(_ *Account, _ *Terms, p *Period) { p.Readings[1].Total = 1e13 },
		"register must rise":  func(_ *Account, _ *Terms, p *Period) { p.Readings[0].Total = 1e12 },
	} {
		a, terms, q := account(), DefaultTerms(), p
		q.Readings, q.Fees = slices.Clone(p.Readings), slices.Clone(p.Fees)
		change(&a, &terms, &q)
		if _, err := Make(a, terms, plan(t, "water-home"), cst, q); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// bill is a bill of day d, due five days later.
func bill(order string, d ledger.Day, fen schemas.Fen) Bill {
	return Bill{Account: account(), Order: order, Day: d, Due: d + 5, Amount: fen, Priced: Priced{Total: fen}}
}

func pay(order string, d ledger.Day, fen schemas.Fen) ledger.Payment {
	return ledger.Payment{Channel: "bank-collect", Order: order, Day: d, Amount: fen}
}

func TestState(t *testing.T) {
	back := pay("b", 31, 300)
	back.Refund = true
	bills := []Bill{bill("a", 10, 1000), bill("b", 20, 2000), bill("c", 30, 3000), bill("d", 50, 1)}
	payments := []ledger.Payment{pay("a", 12, 1000), pay("b", 25, 2300), back, pay("c", 31, 1000), pay("x", 31, 77), pay("d", 32, 1), pay("c", 60, 2000)}
	s, err := State(bills, payments, 30, 40)
	if err != nil {
		t.Fatal(err)
	}
	if s.Opening != -300 || s.Billed != 3000 || s.Paid != 701 || s.Closing != 1999 || len(s.Unmatched) != 1 || s.Unmatched[0].Order != "x" {
		t.Errorf("%+v", s)
	}
	wantItems := []Item{{Order: "c", Day: 30, Due: 35, Billed: 3000, Paid: 1000, Open: 2000, Late: 5}, {Order: "d", Day: 50, Due: 55, Paid: 1, Open: -1}}
	if !slices.Equal(s.Items, wantItems) {
		t.Errorf("items %+v, want %+v", s.Items, wantItems)
	}
	wantRows := []Row{{30, "c", true, 3000, 2700}, {31, "b", false, 300, 3000}, {31, "c", false, -1000, 2000}, {32, "d", false, -1, 1999}}
	if !slices.Equal(s.Rows, wantRows) {
		t.Errorf("rows %+v, want %+v", s.Rows, wantRows)
	}
	for name, spoil := range map[string]func(*Statement){
		"closing": func(s *Statement) { s.Closing++ }, "paid": func(s *Statement) { s.Paid++ }, "row": func(s *Statement) { s.Rows[0].Amount++ },
		"item": func(s *Statement) { s.Items[0].Open++ }, "opening": func(s *Statement) { s.Opening++ },
	} {
		bad := s
		bad.Rows, bad.Items = slices.Clone(s.Rows), slices.Clone(s.Items)
		spoil(&bad)
		if bad.Foot() == nil {
			t.Errorf("a statement with another %s foots", name)
		}
	}
	if _, err := State(append(bills, bills[0]), payments, 30, 40); err == nil {
		t.Error("a bill that stands twice is taken")
	}
	if _, err := State(bills, payments, 40, 30); err == nil {
		t.Error("a span that ends before it begins is taken")
	}
}

// TestStateJoins: a span stated whole, or in two, comes to the same.
func TestStateJoins(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 500 {
		var bills []Bill
		var payments []ledger.Payment
		for n := range r.IntN(10) {
			bills = append(bills, bill(fmt.Sprint(n), ledger.Day(r.IntN(100)), schemas.Fen(r.IntN(1000))))
		}
		for range r.IntN(20) {
			p := pay(fmt.Sprint(r.IntN(12)), ledger.Day(r.IntN(100)), schemas.Fen(r.IntN(1000)))
			p.Refund = r.IntN(5) == 0
			payments = append(payments, p)
		}
		cut := ledger.Day(20 + r.IntN(60))
		whole, e1 := State(bills, payments, 10, 90)
		one, e2 := State(bills, payments, 10, cut)
		two, e3 := State(bills, payments, cut+1, 90)
		if err := errors.Join(e1, e2, e3); err != nil {
			t.Fatal(err)
		}
		if one.Closing != two.Opening || whole.Closing != two.Closing || whole.Opening != one.Opening || whole.Billed != one.Billed+two.Billed ||
			whole.Paid != one.Paid+two.Paid || len(whole.Rows) != len(one.Rows)+len(two.Rows) {
			t.Fatalf("whole %+v\none %+v\ntwo %+v", whole, one, two)
		}
	}
}

func TestAdvise(t *testing.T) {
	for _, c := range []struct {
		open, unbilled, limit schemas.Fen
		want                  Step
	}{
		{0, 0, 20_000, None}, {-500, 100, 20_000, None}, {10_000, 5_999, 20_000, None}, {10_000, 6_000, 20_000, Warn}, {19_999, 0, 20_000, Warn},
		{20_000, 0, 20_000, Limit}, {0, 24_000, 20_000, Limit}, {24_000, 1, 20_000, Stop}, {0, 0, 0, None}, {1, 0, 0, Stop},
		{maxFen, maxFen, maxFen, Stop},
	} {
		a := account()
		a.Limit = c.limit
		got, err := Advise(a, DefaultTerms(), c.open, c.unbilled)
		if err != nil || got.Step != c.want || got.Owed != c.open+c.unbilled || got.Room != c.limit-got.Owed {
			t.Errorf("%+v: %+v, %v", c, got, err)
		}
	}
	a := account()
	a.Mode = Prepaid
	if got, err := Advise(a, DefaultTerms(), 1e6, 0); err != nil || got.Step != None {
		t.Errorf("prepaid: %+v, %v", got, err)
	}
	for _, bad := range [][2]schemas.Fen{{maxFen + 1, 0}, {-maxFen - 1, 0}, {0, maxFen + 1}, {0, -1}} {
		if _, err := Advise(account(), DefaultTerms(), bad[0], bad[1]); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}

func TestLateFee(t *testing.T) {
	l := LateFee{FreeDays: 2, PerDay: 50, Cap: 10}
	b := bill("a", 10, 10_000) // due 15; costs from day 18 on
	for _, c := range []struct {
		name     string
		payments []ledger.Payment
		charged  schemas.Fen
		day      ledger.Day
		want     schemas.Fen
	}{
		{"due", nil, 0, 15, 0}, {"free", nil, 0, 17, 0}, {"first", nil, 0, 18, 5}, {"tenth", nil, 0, 27, 50}, {"cap", nil, 0, 1000, 1000},
		{"charged before", nil, 30, 27, 20}, {"charged more", nil, 90, 27, 0}, {"for ever", nil, 0, 1 << 30, 1000},
		{"paid in time", []ledger.Payment{pay("a", 17, 10_000)}, 0, 100, 0},
		{"paid on the first day", []ledger.Payment{pay("a", 18, 10_000)}, 0, 100, 0},
		{"paid after a day", []ledger.Payment{pay("a", 19, 10_000)}, 0, 100, 5},
		{"half paid", []ledger.Payment{pay("a", 23, 5_000)}, 0, 27, 38}, // 5 x 5 + 5 x 2.5 = 37.5
		{"another order", []ledger.Payment{pay("b", 18, 10_000)}, 0, 18, 5},
		{"paid later than asked", []ledger.Payment{pay("a", 19, 10_000)}, 0, 18, 5},
		{"overpaid", []ledger.Payment{pay("a", 19, 99_999)}, 0, 100, 5},
		{"out of order", []ledger.Payment{pay("a", 25, 5_000), pay("a", 20, 5_000)}, 0, 40, 23}, // 2 x 5 + 5 x 2.5 = 22.5
	} {
		if got, err := l.Due(&b, c.payments, c.charged, c.day); err != nil || got != c.want {
			t.Errorf("%s: %s, %v; want %s", c.name, got, err, c.want)
		}
	}
	b.Total, b.Amount = 10_000, 10_500 // no fee on a fee
	if got, _ := l.Due(&b, []ledger.Payment{pay("a", 12, 10_000)}, 0, 100); got != 0 {
		t.Errorf("a fee of %s on a fee", got)
	}
	if _, err := (&LateFee{}).Due(&b, nil, 0, 1); err == nil {
		t.Error("a fee without a rate is taken")
	}
	if terms := DefaultTerms(); terms.Late != nil || terms.Validate() != nil {
		t.Error("the default has a late fee, or is not valid")
	}
}

// TestLateFeeOften: claiming every day, or once, comes to the same fee.
func TestLateFeeOften(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 200 {
		l := LateFee{FreeDays: r.IntN(5), PerDay: 1 + r.IntN(200), Cap: 1 + r.IntN(100)}
		b := bill("a", 10, 1+schemas.Fen(r.IntN(100_000)))
		var payments []ledger.Payment
		for range r.IntN(4) {
			payments = append(payments, pay("a", ledger.Day(5+r.IntN(60)), schemas.Fen(r.IntN(40_000))))
		}
		sum := schemas.Fen(0)
		for d := range ledger.Day(80) {
			fee, err := l.Due(&b, payments, sum, d)
			if err != nil {
				t.Fatal(err)
			}
			sum += fee
		}
		if whole, err := l.Due(&b, payments, 0, 79); err != nil || whole != sum {
			t.Fatalf("once %s, daily %s, %v", whole, sum, err)
		}
	}
}
