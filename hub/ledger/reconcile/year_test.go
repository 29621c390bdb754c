package reconcile

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/tariff"
	"citygrid/schemas"
	"citygrid/simulators/year"
)

// TestYear reconciles the independent world of simulators/year: everything that
// was injected is found in its class, with its amount, and nothing else.
// CITYGRID_PLACES sets how many places (and a fifth as many faults).
func TestYear(t *testing.T) {
	places := 600
	if s := os.Getenv("CITYGRID_PLACES"); s != "" {
		places, _ = strconv.Atoi(s)
	}
	w, err := year.New(year.Options{Seed: 11, Places: places, Discrepancies: places / 5})
	if err != nil {
		t.Fatal(err)
	}
	list, err := tariff.Load([]byte(w.TariffYAML()))
	if err != nil {
		t.Fatal(err)
	}
	plans := map[string]*tariff.Plan{}
	for i := range list {
		plans[list[i].ID] = &list[i]
	}
	o := w.Options()
	rules := DefaultRules(ledger.Calendar{Zone: o.Zone, CutOff: o.CutOff})
	whole := []Span{{ledger.Day(w.FirstDay()), ledger.Day(w.LastDay())}}
	var weeks []Span
	for d := ledger.Day(w.FirstDay()); d <= ledger.Day(w.LastDay()); d += 7 {
		weeks = append(weeks, Span{d, min(d+6, ledger.Day(w.LastDay()))})
	}
	wrong := 0
	for p := range w.Places() {
		spans := whole
		if p.Index%4 == 0 {
			spans = weeks
		}
		var expected []string
		for _, d := range p.Injected {
			expected = append(expected, describe(string(d.Class), d.Channel, d.Order, d.Purchase, d.Amount, d.Volume, d.Day, d.Moment))
		}
		got := yearFindings(t, &rules, spans, p, plans)
		slices.Sort(expected)
		slices.Sort(got)
		if !slices.Equal(got, expected) {
			wrong++
			if wrong <= 20 {
				cause := ""
				if len(p.Injected) > 0 {
					cause = p.Injected[0].Cause
				}
				t.Errorf("place %d (%s, %s, %s, %d runs), cause %q:\nfound    %q\ninjected %q", p.Index, p.Utility, p.Purse, p.Plan, len(spans), cause, got, expected)
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d places are wrong", wrong, places)
	}
}

// describe writes what must agree.
func describe(class, channel, order string, n uint32, fen schemas.Fen, volume int64, day ledgerDay, at time.Time) string {
	if class == string(ledger.Stale) {
		n = 0
	}
	return fmt.Sprintf("%s %s/%s #%d %d fen %d v day %d %d", class, channel, order, n, fen, volume, day, at.UnixMilli())
}

type ledgerDay = int32

// yearFindings runs one place and its orders over the spans.
func yearFindings(t *testing.T, rules *Rules, spans []Span, p *year.Place, plans map[string]*tariff.Plan) []string {
	b := yearBook(p, plans)
	var out []string
	var acct Balance
	orders := map[string]OrderBalance{}
	var total Figures
	take := func(found []Finding) {
		for _, f := range found {
			n := f.Purchase.Number
			if f.Class == ledger.Stale {
				n = 0
			}
			out = append(out, describe(string(f.Class), f.Channel, f.Order, n, f.Amount, f.Volume, int32(f.Day), f.Moment))
		}
	}
	for _, span := range spans {
		res, err := Account(rules, span, acct, b.newOf(span, span == spans[0]))
		if err != nil || len(res.Refused) > 0 {
			t.Fatalf("%v, refused %+v", err, res.Refused)
		}
		acct = res.Closing
		take(res.Found)
		figures := res.Figures
		for _, in := range b.ordersOf(span, span == spans[0], res.Duplicates) {
			key := in.Channel + " " + in.Order
			o, err := Order(rules, span, orders[key], in)
			if err != nil {
				t.Fatal(err)
			}
			orders[key] = o.Closing
			take(o.Found)
			figures.Add(&o.Figures)
		}
		total = figures.Over(&total)
		if err := total.Foot(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// isNew reports whether a row of d is of the span; the first one has what is older.
func isNew(d ledger.Day, span Span, first bool) bool {
	return d <= span.To && (first || d >= span.From)
}

// newOf returns the rows of a span for Account.
func (b *book) newOf(span Span, first bool) AccountInput {
	in := AccountInput{Place: &b.place, Plan: b.plan}
	for _, s := range b.sales {
		if isNew(s.Day, span, first) {
			in.Sales = append(in.Sales, s)
		}
	}
	for _, e := range b.entries {
		if isNew(e.Day, span, first) {
			in.Entries = append(in.Entries, e)
		}
	}
	return in
}

// ordersOf returns the input of a span for each order.
func (b *book) ordersOf(span Span, first bool, marks []DuplicateMark) []OrderInput {
	var out []OrderInput
	order := func(channel, name string) *OrderInput {
		i := slices.IndexFunc(out, func(o OrderInput) bool { return o.Channel == channel && o.Order == name })
		if i < 0 {
			i, out = len(out), append(out, OrderInput{Channel: channel, Order: name, Utility: b.place.Utility})
		}
		return &out[i]
	}
	for _, s := range b.sales {
		if o := order(s.Channel, s.Order); isNew(s.Day, span, first) {
			o.Sales = append(o.Sales, s)
		}
	}
	for _, p := range b.payments {
		if o := order(p.Channel, p.Order); isNew(p.Day, span, first) {
			o.Payments = append(o.Payments, p)
		}
	}
	for _, m := range marks {
		o := order(m.Channel, m.Order)
		o.Duplicates = append(o.Duplicates, m)
	}
	return out
}

// yearBook turns a place of the world into a book.
func yearBook(p *year.Place, plans map[string]*tariff.Plan) *book {
	b := &book{place: ledger.Place{Meter: p.Meter, Utility: p.Utility, Purse: p.Purse, Plan: p.Plan, Readout: ledger.ByCard}, plan: plans[p.Plan]}
	if p.Remote {
		b.place.Readout = ledger.Remote
	}
	for _, i := range p.Installations {
		b.place.Installations = append(b.place.Installations, ledger.Installation{From: i.From, To: i.To, MeterNumber: i.MeterNumber})
	}
	for _, s := range p.Sales {
		b.sales = append(b.sales, ledger.Sale{ID: b.next(), Channel: s.Channel, Order: s.Order, Kind: ledger.SaleKind(s.Kind), Utility: s.Utility,
			Meter: s.Meter, From: s.From, Purchase: seq(s.Purchase), Amount: s.Amount, Volume: s.Volume, Undoes: s.Undoes,
			Day: ledger.Day(s.Day), At: s.At})
	}
	for _, s := range p.Payments {
		b.payments = append(b.payments, ledger.Payment{ID: b.next(), Channel: s.Channel, Order: s.Order, Refund: s.Refund, Amount: s.Amount,
			Day: ledger.Day(s.Day), At: s.At})
	}
	for _, e := range p.Entries {
		b.entries = append(b.entries, ledger.Entry{ID: b.next(), Day: ledger.Day(e.Day), CardEntry: e.CardEntry, UsedByRate: e.UsedByRate})
	}
	return b
}
