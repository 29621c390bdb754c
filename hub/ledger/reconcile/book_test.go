package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/tariff"
	"citygrid/schemas"
)

// The tests live in a small book of one place: day 0 is 2026-03-01 in a city at
// UTC+8 without cut-off, and the tariff is 2.0000 yuan flat, so that 1,000 L are
// 2.00 yuan.

var cst = time.FixedZone("CST", 8*60*60)

func testRules() *Rules {
	r := DefaultRules(ledger.Calendar{Zone: cst})
	return &r
}

// dayOf returns the n-th day of the tests.
func dayOf(n int) ledger.Day {
	return ledger.Day(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Unix()/86400) + ledger.Day(n)
}

// moment returns an hour of the n-th day.
func moment(n int, hour float64) time.Time {
	return time.Date(2026, 3, 1+n, 0, 0, 0, 0, cst).Add(time.Duration(hour * float64(time.Hour))).UTC()
}

func flatPlan() *tariff.Plan {
	return &tariff.Plan{ID: "flat", Utility: schemas.Water, Reset: tariff.Yearly, Rounding: tariff.HalfUpPerLine,
		Versions: []tariff.Version{{From: 0, Rates: []tariff.Price{20_000}, Steps: []tariff.Step{{}}}}}
}

// book is everything about one place, with the calls that a test wants.
type book struct {
	place    ledger.Place
	plan     *tariff.Plan
	sales    []ledger.Sale
	entries  []ledger.Entry
	payments []ledger.Payment
	id       int64
}

func newBook() *book {
	return &book{plan: flatPlan(), place: ledger.Place{Meter: "M1", Utility: schemas.Water, Purse: schemas.CreditFen, Plan: "flat",
		Readout: ledger.Remote, Installations: []ledger.Installation{{From: moment(0, 0)}}}}
}

func (b *book) next() int64 { b.id++; return b.id }

func (b *book) from(i int) time.Time { return b.place.Installations[i].From }

func seq(n uint32) schemas.PurchaseRef {
	return schemas.PurchaseRef{Scheme: schemas.BySequence, Number: n}
}

// sell adds a row of L1 on day d for the newest installation of that day.
func (b *book) sell(kind ledger.SaleKind, order string, d int, hour float64, n uint32, fen int64, undoes string) *ledger.Sale {
	row := ledger.Sale{ID: b.next(), Channel: "bank", Order: order, Kind: kind, Utility: b.place.Utility, Meter: b.place.Meter,
		From: b.from(b.standing(d)), Purchase: seq(n), Amount: schemas.Fen(fen), Undoes: undoes, Day: dayOf(d), At: moment(d, hour)}
	if b.place.Purse != schemas.CreditFen {
		row.Volume = fen * 5
	}
	b.sales = append(b.sales, row)
	return &b.sales[len(b.sales)-1]
}

// standing returns the installation that stands on day d.
func (b *book) standing(d int) int {
	for i := range b.place.Installations {
		if p := &b.place.Installations[i]; p.To.IsZero() || moment(d, 12).Before(p.To) {
			return i
		}
	}
	return len(b.place.Installations) - 1
}

func (b *book) buy(order string, d int, n uint32, fen int64) *ledger.Sale {
	return b.sell(ledger.Purchase, order, d, 10, n, fen, "")
}

func (b *book) pay(order string, d int, fen int64) *ledger.Payment {
	b.payments = append(b.payments, ledger.Payment{ID: b.next(), Channel: "bank", Order: order, Amount: schemas.Fen(fen),
		Day: dayOf(d), At: moment(d, 10)})
	return &b.payments[len(b.payments)-1]
}

// entry adds a card entry about the newest installation of day d.
func (b *book) entry(event schemas.CardEvent, d int, hour float64, n uint32) *ledger.Entry {
	e := ledger.Entry{ID: b.next(), Day: dayOf(d), CardEntry: schemas.CardEntry{Event: event, Utility: b.place.Utility,
		Meter: b.place.Meter, InstalledAt: b.from(b.standing(d)), TakenAt: moment(d, hour)}}
	if n > 0 {
		e.Purchase = seq(n)
	}
	b.entries = append(b.entries, e)
	return &b.entries[len(b.entries)-1]
}

func (b *book) load(d int, n uint32, amount int64) *ledger.Entry {
	e := b.entry(schemas.CardLoad, d, 18, n)
	e.Amount = schemas.Credit{Value: amount, Unit: b.place.Purse}
	return e
}

// state adds a state at 20:00 with count, cumulative bought, residual and use.
func (b *book) state(d int, n uint32, bought, residual, used int64) *ledger.Entry {
	e := b.entry(schemas.CardState, d, 20, n)
	e.Bought = schemas.Credit{Value: bought, Unit: b.place.Purse}
	e.Residual = schemas.Credit{Value: residual, Unit: b.place.Purse}
	e.Used = schemas.Credit{Value: used, Unit: schemas.CreditLitre}
	return e
}

// replace closes the meter at noon of day d and begins another an hour later.
func (b *book) replace(d int) {
	b.place.Installations[len(b.place.Installations)-1].To = moment(d, 12)
	b.place.Installations = append(b.place.Installations, ledger.Installation{From: moment(d, 13)})
}

// outcome is what runs said, over all of them.
type outcome struct {
	found, cleared, open []string
	duplicates           []string
	refused              []Refusal
	keys                 []string
	figures              Figures
}

// runner carries balances from run to run, through their stored form.
type runner struct {
	t      testing.TB
	rules  *Rules
	b      *book
	closed []string
	total  Figures
	acct   []byte
	orders map[string][]byte
	seen   map[int64]bool
	marks  []DuplicateMark
}

func newRunner(t testing.TB, b *book) *runner {
	return &runner{t: t, rules: testRules(), b: b, orders: map[string][]byte{}, seen: map[int64]bool{}}
}

// run runs the days from..to with the rows that have come for them.
func (r *runner) run(from, to int) (out outcome) {
	r.t.Helper()
	span := Span{dayOf(from), dayOf(to)}
	var day Figures
	res := r.account(span)
	out.take(res.Found, res.Cleared)
	out.refused = append(out.refused, res.Refused...)
	day.Add(&res.Figures)
	r.marks = append(r.marks, res.Duplicates...)
	for _, m := range res.Duplicates {
		out.duplicates = append(out.duplicates, fmt.Sprintf("%s %v", m.Order, m.Duplicate))
	}
	for _, order := range r.b.allOrders() {
		o := r.order(span, order, res.Duplicates)
		out.take(o.Found, o.Cleared)
		out.refused = append(out.refused, o.Refused...)
		day.Add(&o.Figures)
		for _, open := range o.Closing.Open {
			out.open = append(out.open, open.Key)
		}
	}
	for _, open := range res.Closing.Open {
		out.open = append(out.open, open.Key)
	}
	if err := day.Foot(); err != nil {
		r.t.Fatalf("days %d to %d: %v", from, to, err)
	}
	r.total = day.Over(&r.total)
	if err := r.total.Foot(); err != nil {
		r.t.Fatalf("totals after day %d: %v", to, err)
	}
	for i := range r.b.sales {
		r.seen[r.b.sales[i].ID] = r.seen[r.b.sales[i].ID] || r.b.sales[i].Day <= span.To
	}
	for i := range r.b.entries {
		r.seen[r.b.entries[i].ID] = r.seen[r.b.entries[i].ID] || r.b.entries[i].Day <= span.To
	}
	for i := range r.b.payments {
		r.seen[r.b.payments[i].ID] = r.seen[r.b.payments[i].ID] || r.b.payments[i].Day <= span.To
	}
	r.closed = nil
	out.figures = day
	slices.Sort(out.found)
	slices.Sort(out.cleared)
	slices.Sort(out.open)
	return out
}

func (r *runner) account(span Span) AccountResult {
	r.t.Helper()
	in := AccountInput{Place: &r.b.place, Plan: r.b.plan, Closed: r.closed}
	for _, s := range r.b.sales {
		if !r.seen[s.ID] && s.Day <= span.To {
			in.Sales = append(in.Sales, s)
		}
	}
	for _, e := range r.b.entries {
		if !r.seen[e.ID] && e.Day <= span.To {
			in.Entries = append(in.Entries, e)
		}
	}
	var opening Balance
	if r.acct != nil {
		var err error
		if opening, err = DecodeBalance(r.acct); err != nil {
			r.t.Fatal(err)
		}
	}
	res, err := Account(r.rules, span, opening, in)
	if err != nil {
		r.t.Fatal(err)
	}
	if r.acct != nil && string(opening.Encode()) != string(r.acct) {
		r.t.Fatal("the run changed the balance that it was given")
	}
	r.acct = res.Closing.Encode()
	return res
}

func (r *runner) order(span Span, order string, marks []DuplicateMark) OrderResult {
	r.t.Helper()
	in := OrderInput{Channel: "bank", Order: order, Closed: r.closed}
	for _, s := range r.b.sales {
		if s.Order == order && !r.seen[s.ID] && s.Day <= span.To {
			in.Sales = append(in.Sales, s)
		}
	}
	for _, p := range r.b.payments {
		if p.Order == order && !r.seen[p.ID] && p.Day <= span.To {
			in.Payments = append(in.Payments, p)
		}
	}
	for _, m := range marks {
		if m.Order == order {
			in.Duplicates = append(in.Duplicates, m)
		}
	}
	var opening OrderBalance
	if stored := r.orders[order]; stored != nil {
		var err error
		if opening, err = DecodeOrderBalance(stored); err != nil {
			r.t.Fatal(err)
		}
	}
	res, err := Order(r.rules, span, opening, in)
	if err != nil {
		r.t.Fatal(err)
	}
	r.orders[order] = res.Closing.Encode()
	return res
}

func (b *book) allOrders() []string {
	var all []string
	for _, s := range b.sales {
		all = append(all, s.Order)
	}
	for _, p := range b.payments {
		all = append(all, p.Order)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// take notes findings and clearings in words.
func (o *outcome) take(found []Finding, cleared []Clearing) {
	for _, f := range found {
		o.found = append(o.found, words(f.Difference))
		o.keys = append(o.keys, f.Key)
	}
	for _, c := range cleared {
		by := ""
		if c.Decided {
			by = " decided"
		}
		o.cleared = append(o.cleared, string(c.Class)+by)
	}
}

// words writes what a test looks at: class, order or number, amount, volume.
func words(d ledger.Difference) string {
	text := string(d.Class)
	if d.Order != "" {
		text += " " + d.Order
	} else if d.Purchase.Number > 0 {
		text += fmt.Sprintf(" #%d", d.Purchase.Number)
	}
	if d.Amount != 0 {
		text += " " + d.Amount.String()
	}
	if d.Volume != 0 {
		text += fmt.Sprintf(" %dv", d.Volume)
	}
	return text
}

// want fails unless got is the lines of text.
func want(t testing.TB, what string, got []string, text string) {
	t.Helper()
	var lines []string
	for _, line := range strings.Split(text, ";") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	if !slices.Equal(got, lines) {
		t.Errorf("%s: %q, want %q", what, got, lines)
	}
}
