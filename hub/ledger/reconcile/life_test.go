package reconcile

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/tariff"
	"citygrid/schemas"
)

const lifeDays = 120

// lifePlan has everything that makes charges hard: steps, two rates, a monthly
// reset and a price change.
func lifePlan() *tariff.Plan {
	change := tariff.DateOf(moment(47, 0), cst)
	return &tariff.Plan{ID: "life", Utility: schemas.Water, Reset: tariff.Monthly, Rounding: tariff.HalfUpPerLine, Versions: []tariff.Version{
		{From: 0, Rates: []tariff.Price{20_700, 12_300}, Steps: []tariff.Step{{}, {Above: 6_000, Add: 10_100}, {Above: 11_000, Add: 25_000}}},
		{From: change, Rates: []tariff.Price{22_700, 13_100}, Steps: []tariff.Step{{}, {Above: 6_000, Add: 11_100}, {Above: 11_000, Add: 26_000}}},
	}}
}

// life makes a place that lives without faults.
type life struct {
	*book
	rng      *rand.Rand
	n        uint32 // last number of the installation
	count    uint32
	bought   int64
	balance  tariff.Charge
	byRate   [2]int64
	position int64
	pending  *ledger.Sale
	loadOn   int
	rates    bool
}

func newLife(seed uint64) *life {
	l := &life{book: newBook(), rng: rand.New(rand.NewPCG(seed, 7))}
	l.plan, l.rates = lifePlan(), seed%3 != 0
	buyOn, replaceOn := 1, -1
	if seed%2 == 0 {
		replaceOn = 40 + l.rng.IntN(30)
	}
	for d := range lifeDays {
		if d == replaceOn {
			l.change(d)
		}
		if l.pending == nil && d >= buyOn && d < lifeDays-8 {
			l.shop(d)
			buyOn = d + 5 + l.rng.IntN(9)
		}
		if l.pending != nil && d >= l.loadOn {
			l.take(d)
		}
		l.use(d, 0, 20)
		l.show(d, 20)
		l.use(d, 20, 24)
	}
	return l
}

// shop buys, and sometimes thinks better of it.
func (l *life) shop(d int) {
	order := fmt.Sprintf("o%d", l.next())
	fen := int64(3_000 + l.rng.IntN(9_000))
	l.n++
	row := *l.buy(order, d, l.n, fen)
	l.pay(order, max(0, d-1+l.rng.IntN(3)), fen)
	switch l.rng.IntN(6) {
	case 0:
		back := fmt.Sprintf("r%d", l.next())
		l.sell(ledger.Refund, back, d, 11, l.n, fen, order)
		l.pay(back, d, fen).Refund = true
		l.entry(schemas.CardClear, d, 11, l.n)
		l.n--
	case 1:
		again := *l.sell(ledger.Reissue, fmt.Sprintf("i%d", l.next()), d, 12, l.n, fen, order)
		issue := l.entry(schemas.CardIssue, d, 12, 0)
		issue.Card, issue.Replaces = "00000000000000B2", "00000000000000B1"
		l.pending = &again
	default:
		l.pending = &row
	}
	l.loadOn = d + l.rng.IntN(5)
}

// take loads what was bought.
func (l *life) take(d int) {
	s := l.pending
	l.pending = nil
	l.count, l.bought = s.Purchase.Number, l.bought+int64(s.Amount)
	l.balance += tariff.Charge(s.Amount) * tariff.PerFen
	e := l.load(d, l.count, int64(s.Amount))
	e.TakenAt = moment(d, 12.5)
	e.Bought = schemas.Credit{Value: l.bought, Unit: schemas.CreditFen}
}

// use draws water for some hours, hour by hour.
func (l *life) use(d, from, to int) {
	for hour := from; hour < to; hour++ {
		if hour == 0 && l.plan.ResetBefore(tariff.DateOf(moment(d, 0), cst)) == tariff.DateOf(moment(d, 0), cst) {
			l.position = 0
		}
		v, err := l.plan.At(tariff.DateOf(moment(d, float64(hour)), cst))
		if err != nil {
			panic(err)
		}
		peak, valley := l.rng.Int64N(30), l.rng.Int64N(30)
		c, err := v.Charge(l.position, peak+valley, []int64{peak, valley})
		if err != nil {
			panic(err)
		}
		l.balance -= c
		l.byRate[0] += peak
		l.byRate[1] += valley
		l.position += peak + valley
	}
}

// show tells the state of the meter.
func (l *life) show(d int, hour float64) {
	used := l.byRate[0] + l.byRate[1]
	net := int64(l.balance.Floor())
	e := l.state(d, l.count, l.bought, max(0, net), used-used%10)
	e.TakenAt = moment(d, hour)
	e.Overdraft = schemas.Credit{Value: max(0, -net), Unit: schemas.CreditFen}
	if l.rates {
		e.UsedByRate = []int64{l.byRate[0] - l.byRate[0]%10, l.byRate[1] - l.byRate[1]%10}
	}
}

// change replaces the meter at noon and moves its credit, in the books and, as
// the meter's first purchase, in the world.
func (l *life) change(d int) {
	if l.pending != nil {
		l.take(d)
		l.entries[len(l.entries)-1].TakenAt = moment(d, 1)
	}
	if net := int64(l.balance.Floor()); net <= 0 {
		return
	}
	l.show(d, 11.9)
	left := int64(l.balance.Floor())
	l.replace(d)
	l.count, l.bought, l.balance, l.byRate, l.position, l.n = 0, 0, 0, [2]int64{}, 0, 1
	row := *l.sell(ledger.Transfer, fmt.Sprintf("t%d", l.next()), d, 14, 1, left, "")
	l.pending, l.loadOn = &row, d
}

// findings runs a life in as many runs as cuts says and returns all that was found.
func findings(t *testing.T, b *book, cuts int) []string {
	t.Helper()
	r := newRunner(t, b)
	var all []string
	for i := range cuts {
		from, to := i*lifeDays/cuts, (i+1)*lifeDays/cuts-1
		out := r.run(from, to)
		all = append(all, out.found...)
		if len(out.refused) > 0 {
			t.Fatalf("refused: %+v", out.refused)
		}
	}
	slices.Sort(all)
	return all
}

// shuffle puts the rows into another order.
func (b *book) shuffle(rng *rand.Rand) {
	rng.Shuffle(len(b.sales), func(i, k int) { b.sales[i], b.sales[k] = b.sales[k], b.sales[i] })
	rng.Shuffle(len(b.entries), func(i, k int) { b.entries[i], b.entries[k] = b.entries[k], b.entries[i] })
	rng.Shuffle(len(b.payments), func(i, k int) { b.payments[i], b.payments[k] = b.payments[k], b.payments[i] })
}

func TestLivesWithoutFaults(t *testing.T) {
	for seed := range uint64(60) {
		l := newLife(seed)
		for _, cuts := range []int{1, 4, 17, lifeDays} {
			if got := findings(t, l.book, cuts); len(got) > 0 {
				t.Fatalf("seed %d in %d runs: %q", seed, cuts, got)
			}
			l.shuffle(l.rng)
		}
	}
}

// fault breaks a life; pick is a purchase in the middle of it.
type fault struct {
	class  ledger.Class
	inject func(l *life, s ledger.Sale, loadDay ledger.Day)
}

// later calls fn for each state of the installation of s from day on.
func (l *life) later(s *ledger.Sale, day ledger.Day, fn func(e *ledger.Entry)) {
	for i := range l.entries {
		if e := &l.entries[i]; e.Event == schemas.CardState && e.Day >= day && e.InstalledAt.Equal(s.From) {
			fn(e)
		}
	}
}

func (l *life) dropSale(id int64) {
	l.sales = slices.DeleteFunc(l.sales, func(s ledger.Sale) bool { return s.ID == id })
}

func (l *life) payment(order string) *ledger.Payment {
	i := slices.IndexFunc(l.payments, func(p ledger.Payment) bool { return p.Order == order })
	return &l.payments[i]
}

func (l *life) dropPayment(order string) {
	l.payments = slices.DeleteFunc(l.payments, func(p ledger.Payment) bool { return p.Order == order })
}

func faults() []fault {
	return []fault{
		{ledger.PaidNoSale, func(l *life, s ledger.Sale, _ ledger.Day) { l.pay("lost", 50, 100) }},
		{ledger.SaleNoPay, func(l *life, s ledger.Sale, _ ledger.Day) { l.dropPayment(s.Order) }},
		{ledger.AmountDiff, func(l *life, s ledger.Sale, _ ledger.Day) { l.payment(s.Order).Amount++ }},
		{ledger.DupPay, func(l *life, s ledger.Sale, _ ledger.Day) {
			p := *l.payment(s.Order)
			p.ID = l.next()
			l.payments = append(l.payments, p)
		}},
		{ledger.DupSale, func(l *life, s ledger.Sale, _ ledger.Day) {
			s.ID, s.Order = l.next(), "again"
			s.Day, s.At = s.Day+20, s.At.AddDate(0, 0, 20)
			l.sales = append(l.sales, s)
		}},
		{ledger.LoadedNotSold, func(l *life, s ledger.Sale, _ ledger.Day) { l.dropPayment(s.Order); l.dropSale(s.ID) }},
		{ledger.LoadAmountDiff, func(l *life, s ledger.Sale, day ledger.Day) {
			for i := range l.entries {
				if e := &l.entries[i]; e.Event == schemas.CardLoad && e.Purchase == s.Purchase && e.InstalledAt.Equal(s.From) {
					e.Amount.Value += 700
				}
			}
			l.later(&s, day, func(e *ledger.Entry) { e.Bought.Value += 700; e.Residual.Value += 700 })
		}},
		{ledger.CumDrift, func(l *life, s ledger.Sale, day ledger.Day) {
			l.later(&s, day, func(e *ledger.Entry) { e.Bought.Value += 10 })
		}},
		{ledger.ResidualDrift, func(l *life, s ledger.Sale, day ledger.Day) {
			for !plain(l.plan, day) {
				day++
			}
			l.later(&s, day, func(e *ledger.Entry) { e.Residual.Value += 12_000 })
		}},
		{ledger.ReverseFlow, func(l *life, s ledger.Sale, day ledger.Day) {
			l.later(&s, day, func(e *ledger.Entry) { e.Used.Value = max(0, e.Used.Value-2_000) })
		}},
	}
}

// plain reports a day without price change or step reset around it.
func plain(p *tariff.Plan, day ledger.Day) bool {
	for d := day - 2; d <= day+1; d++ {
		if date := tariff.Date(d); p.ResetBefore(date) == date || p.Versions[1].From == date {
			return false
		}
	}
	return true
}

// pick returns a purchase that was loaded in the middle of the life and has
// states after it, and the day of its load.
func (l *life) pick() (ledger.Sale, ledger.Day) {
	for _, e := range l.entries {
		if e.Event != schemas.CardLoad || e.Day < dayOf(75) || e.Day > dayOf(90) {
			continue
		}
		for _, s := range l.sales {
			if s.Kind == ledger.Purchase && s.Purchase == e.Purchase && s.From.Equal(e.InstalledAt) && !l.touched(s) {
				return s, e.Day
			}
		}
	}
	return ledger.Sale{}, 0
}

// touched reports whether another row is about the purchase of row.
func (l *life) touched(row ledger.Sale) bool {
	return slices.ContainsFunc(l.sales, func(s ledger.Sale) bool {
		return s.ID != row.ID && s.Purchase == row.Purchase && s.From.Equal(row.From)
	})
}

func TestSingleFaults(t *testing.T) {
	for _, f := range faults() {
		t.Run(string(f.class), func(t *testing.T) {
			tried := 0
			for seed := range uint64(24) {
				l := newLife(seed)
				s, day := l.pick()
				if day == 0 {
					continue
				}
				tried++
				f.inject(l, s, day)
				whole := findings(t, l.book, 1)
				if len(whole) != 1 || !strings.HasPrefix(whole[0], string(f.class)+" ") {
					t.Fatalf("seed %d: found %q", seed, whole)
				}
				for _, cuts := range []int{4, 17, lifeDays} {
					l.shuffle(l.rng)
					if got := findings(t, l.book, cuts); !slices.Equal(got, whole) {
						t.Fatalf("seed %d in %d runs: %q, in one run %q", seed, cuts, got, whole)
					}
				}
			}
			if tried < 8 {
				t.Fatalf("only %d lives had a purchase to break", tried)
			}
		})
	}
}
