package reconcile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/tariff"
	"citygrid/schemas"
)

func TestDecisions(t *testing.T) {
	b := newBook()
	b.buy("a", 1, 1, 5000)
	good(b, "c", 2, 3, 700)
	alive(b, 5)
	r := newRunner(t, b)
	out := r.run(0, 5)
	want(t, "found", out.found, "SALE_NO_PAY a 50.00; COUNTER_GAP #2")
	r.closed = slices.Concat(out.keys, []string{"no such key"})
	alive(b, 6)
	out = r.run(6, 6)
	want(t, "found again", out.found, "")
	want(t, "cleared", out.cleared, "SALE_NO_PAY decided; COUNTER_GAP decided")
	alive(b, 40)
	out = r.run(7, 40)
	want(t, "after the gap was closed", out.found, "SOLD_NOT_LOADED a 50.00")
	b.pay("a", 41, 5000)
	b.load(41, 1, 5000)
	out = r.run(41, 41)
	want(t, "what was decided does not clear again", out.cleared, "SOLD_NOT_LOADED")
	if sales := &r.total.Channels[0].Sales; sales.Closing.Count != 0 {
		t.Errorf("sales unmatched at the end: %+v", sales.Closing)
	}
}

// TestWake runs day by day, and each day only what has new rows or whose wake
// day has come: nothing else may change.
func TestWake(t *testing.T) {
	for _, cases := range [][]classCase{orderCases(), purchaseCases(), meterCases(), reverseCases(), replaceCases()} {
		for _, c := range cases {
			b := newBook()
			c.build(b)
			r := newRunner(t, b)
			r.run(0, 0)
			for d := 1; d <= c.to; d++ {
				before, _ := DecodeBalance(r.acct)
				orders := map[string]OrderBalance{}
				for name, data := range r.orders {
					orders[name], _ = DecodeOrderBalance(data)
				}
				out := r.run(d, d)
				news := slices.ContainsFunc(b.entries, func(e ledger.Entry) bool { return e.Day == dayOf(d) }) ||
					slices.ContainsFunc(b.sales, func(s ledger.Sale) bool { return s.Day == dayOf(d) }) ||
					slices.ContainsFunc(b.payments, func(p ledger.Payment) bool { return p.Day == dayOf(d) })
				asleep := before.Wake > dayOf(d)
				for _, o := range orders {
					asleep = asleep && o.Wake > dayOf(d)
				}
				if asleep && !news && len(out.found)+len(out.cleared) > 0 {
					t.Errorf("%s: on day %d nothing was to wake, and %q was found, %q cleared", c.name, d, out.found, out.cleared)
				}
				if after, _ := DecodeBalance(r.acct); after.Wake <= dayOf(d) {
					t.Errorf("%s: after day %d the account wants to wake on %s", c.name, d, after.Wake)
				}
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	tests := map[string]struct {
		change func(b *book)
		reason string
	}{
		"unknown installation of a sale": {func(b *book) { b.sales[0].From = moment(9, 0) }, "not in the register"},
		"unknown installation of a load": {func(b *book) { b.entries[0].InstalledAt = moment(9, 0) }, "not in the register"},
		"another place":                  {func(b *book) { b.entries[0].Meter = "M2" }, "another place"},
		"another utility":                {func(b *book) { b.sales[0].Utility = schemas.Gas }, "utility"},
		"wrong purse unit":               {func(b *book) { b.entries[0].Amount.Unit = schemas.CreditLitre }, "purse of fen"},
		"amount below 0":                 {func(b *book) { b.sales[0].Amount = -1 }, "below 0"},
		"amount too large":               {func(b *book) { b.sales[0].Amount = 1 << 62 }, "too large"},
		"kind unknown":                   {func(b *book) { b.sales[0].Kind = "gift" }, "not known"},
		"no number":                      {func(b *book) { b.sales[0].Purchase = schemas.PurchaseRef{} }, "no purchase number"},
		"load without number":            {func(b *book) { b.entries[0].Purchase = schemas.PurchaseRef{} }, "without a purchase number"},
		"another scheme":                 {func(b *book) { b.entries[0].Purchase.Scheme = schemas.ByTID }, "scheme"},
		"event unknown":                  {func(b *book) { b.entries[0].Event = "eaten" }, "not known"},
		"use in another unit":            {func(b *book) { b.entries[0].Used = schemas.Credit{Value: 1, Unit: schemas.CreditWh} }, "use of 1 Wh"},
	}
	for name, tt := range tests {
		b := newBook()
		b.buy("a", 1, 1, 5000)
		b.load(1, 1, 5000)
		tt.change(b)
		res, err := Account(testRules(), Span{dayOf(0), dayOf(1)}, Balance{}, AccountInput{Place: &b.place, Plan: b.plan, Sales: b.sales, Entries: b.entries})
		if err != nil || len(res.Refused) != 1 || !strings.Contains(res.Refused[0].Reason, tt.reason) {
			t.Errorf("%s: %+v, %v; want one refusal with %q", name, res.Refused, err, tt.reason)
		}
		if f := &res.Figures; f.Refused+f.Sales+f.Entries != 2 {
			t.Errorf("%s: %d refused, %d sales, %d entries: a row is lost", name, f.Refused, f.Sales, f.Entries)
		}
	}
}

func TestErrors(t *testing.T) {
	b := newBook()
	b.buy("a", 5, 1, 5000)
	in := AccountInput{Place: &b.place, Plan: b.plan}
	run := func(span Span, opening Balance, in AccountInput) error {
		_, err := Account(testRules(), span, opening, in)
		return err
	}
	closed := Balance{Through: dayOf(3)}
	for name, tt := range map[string]struct{ err, want error }{
		"backwards":      {run(Span{dayOf(2), dayOf(1)}, Balance{}, in), ErrSpan},
		"overlapping":    {run(Span{dayOf(3), dayOf(4)}, closed, in), ErrSpan},
		"no plan":        {run(Span{dayOf(0), dayOf(1)}, Balance{}, AccountInput{Place: &b.place}), ErrPlan},
		"a future sale":  {run(Span{dayOf(0), dayOf(1)}, Balance{}, AccountInput{Place: &b.place, Plan: b.plan, Sales: b.sales}), ErrFuture},
		"no purse":       {run(Span{dayOf(0), dayOf(1)}, Balance{}, AccountInput{Place: &ledger.Place{}}), ErrPlace},
		"a lost install": {run(Span{dayOf(4), dayOf(4)}, Balance{installs: []install{{from: 1}}}, in), ErrPlace},
	} {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: %v, want %v", name, tt.err, tt.want)
		}
	}
	b.plan.Versions[0].From = tariff.Date(dayOf(400))
	b.state(5, 1, 5000, 5000, 0)
	b.state(6, 1, 5000, 5000, 0)
	in = AccountInput{Place: &b.place, Plan: b.plan, Entries: b.entries}
	if err := run(Span{dayOf(0), dayOf(9)}, Balance{}, in); !errors.Is(err, tariff.ErrNoPrice) {
		t.Errorf("no price in force: %v", err)
	}
}

func TestAdopted(t *testing.T) {
	b := newBook()
	good(b, "a", 10, 38, 5000)
	b.state(9, 37, 100_000, 1_000, 500_000)
	b.state(10, 38, 105_000, 6_000, 500_000)
	r := newRunner(t, b)
	r.rules.Begin = dayOf(5)
	out := r.run(0, 11)
	want(t, "found", out.found, "")
	b.load(12, 40, 700)
	alive(b, 13)
	out = r.run(12, 13)
	want(t, "found", out.found, "LOADED_NOT_SOLD #40 7.00")
}

func TestTokens(t *testing.T) {
	b := newBook()
	tid := func(n uint32) schemas.PurchaseRef { return schemas.PurchaseRef{Scheme: schemas.ByTID, Number: n} }
	for i, n := range []uint32{9_000_000, 9_000_500, 9_002_000} {
		b.buy(fmt.Sprint("t", i), 1, n, 1000).Purchase = tid(n)
		b.pay(fmt.Sprint("t", i), 1, 1000)
	}
	b.state(1, 0, 0, 0, 0)
	b.load(2, 9_002_000, 1000).Purchase = tid(9_002_000)
	b.state(2, 9_002_000, 1000, 1000, 0).Purchase = tid(9_002_000)
	b.load(3, 9_000_000, 1000).Purchase = tid(9_000_000)
	b.state(3, 9_000_000, 2000, 2000, 0).Purchase = tid(9_000_000)
	alive(b, 40)
	out := newRunner(t, b).run(0, 40)
	want(t, "found", out.found, "SOLD_NOT_LOADED t1 10.00")
}

func TestGarbledNumber(t *testing.T) {
	b := newBook()
	good(b, "a", 1, 1, 5000)
	b.state(2, 4_000_000_000, 5000, 5000, 0)
	b.state(3, 1, 5000, 5000, 0)
	r := newRunner(t, b)
	out := r.run(0, 4)
	if n := len(out.found); n != listed+1 {
		t.Errorf("%d differences, want %d for the hole and one for the fall: %q", n, listed, out.found)
	}
	if len(r.acct) > 2000 {
		t.Errorf("a balance of %d bytes", len(r.acct))
	}
}

func TestFootSays(t *testing.T) {
	f := Figures{Channels: []ChannelRoll{{Channel: "bank"}}}
	f.Channels[0].Sales.Rows = Tally{2, 150, 0}
	f.Channels[0].Sales.Matched = Tally{1, 100, 0}
	var foot *FootError
	if err := f.Foot(); !errors.As(err, &foot) || foot.Equation != "sales of channel bank" || foot.By != (Tally{1, 50, 0}) {
		t.Errorf("%v", err)
	}
	f = Figures{}
	f.Stock.Closing.Residual.Fen = 1
	if err := f.Foot(); err == nil || !strings.Contains(err.Error(), "residuals does not foot: off by 0 in number, -0.01 yuan") {
		t.Errorf("%v", err)
	}
}

func TestKeys(t *testing.T) {
	d := ledger.Difference{Class: ledger.DupPay, Channel: "a/b", Order: "7#%", Moment: time.UnixMilli(1500)}
	if got := Key(d); got != "DUP_PAY/a%2fb/7%23%25/1500" {
		t.Error(got)
	}
	seen := map[string]bool{}
	for i, class := range ledger.Classes() {
		if classIndex(class) != i {
			t.Errorf("%s has index %d, want %d", class, classIndex(class), i)
		}
		d := ledger.Difference{Class: class, Meter: "M", Order: "o", Day: 3}
		if seen[Key(d)] {
			t.Errorf("key %s twice", Key(d))
		}
		seen[Key(d)] = true
	}
	if len(ledger.Classes()) != Classes || classIndex(ledger.Matched) != -1 {
		t.Error("classes do not agree with ledger.Classes")
	}
}

func TestRulesValidate(t *testing.T) {
	if err := testRules().Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Rules){
		"version": func(r *Rules) { r.Version = "" }, "zone": func(r *Rules) { r.Calendar.Zone = nil },
		"threshold": func(r *Rules) { r.StaleCard = -1 }, "slack": func(r *Rules) { r.Gas.Greatest = -1 },
		"sync": func(r *Rules) { r.Sync = -1 },
	} {
		r := testRules()
		if change(r); r.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestOver runs two accounts, then one of them: the other one stays in the totals.
func TestOver(t *testing.T) {
	account := func(b *book, span Span, opening Balance) AccountResult {
		t.Helper()
		res, err := Account(testRules(), span, opening, b.newOf(span, false))
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	first, second := newBook(), newBook()
	first.buy("a", 1, 1, 5000)
	first.load(2, 1, 5000)
	first.state(2, 1, 5000, 5000, 0)
	second.buy("b", 1, 1, 700)
	second.state(1, 0, 0, 300, 0)
	one, two := account(first, Span{dayOf(0), dayOf(1)}, Balance{}), account(second, Span{dayOf(0), dayOf(1)}, Balance{})
	day := one.Figures
	day.Add(&two.Figures)
	total := day.Over(&Figures{})
	if got := total.Purchases.Closing; got != (Tally{2, 5700, 0}) {
		t.Fatalf("unloaded after the first run: %+v", got)
	}
	one = account(first, Span{dayOf(2), dayOf(2)}, one.Closing)
	total = one.Figures.Over(&total)
	if err := total.Foot(); err != nil {
		t.Error(err)
	}
	p, s := &total.Purchases, &total.Stock
	if p.Opening != (Tally{2, 5700, 0}) || p.Loaded != (Tally{1, 5000, 0}) || p.Closing != (Tally{1, 700, 0}) {
		t.Errorf("unloaded: %+v", p)
	}
	if s.Opening.Residual != (Tally{1, 300, 0}) || s.Closing.Residual != (Tally{2, 5300, 0}) || s.Closing.Installations != 2 {
		t.Errorf("stock: %+v", s)
	}
}
