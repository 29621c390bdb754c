package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/tariff"
	"citygrid/schemas"
)

// AccountInput is what is new about one place. Account changes none of it.
type AccountInput struct {
	Place *ledger.Place
	// Plan prices the use of a purse of money; nil for one of volume or energy.
	Plan *tariff.Plan
	// Sales and Entries are the rows that have arrived since the last run, with
	// days up to the span's last, in any order. IDs are unique within a ledger.
	Sales   []ledger.Sale
	Entries []ledger.Entry
	// Closed are the keys of differences that decisions have closed since the
	// last run; keys that are not open are passed over, since a difference may
	// have cleared by itself before.
	Closed []string
}

// AccountResult is what a run says about one place.
type AccountResult struct {
	Closing Balance
	// Found and Cleared are in the order of the page's classes, then by key.
	Found   []Finding
	Cleared []Clearing
	// Duplicates are the sale rows whose mark has changed; Order wants them.
	Duplicates []DuplicateMark
	Refused    []Refusal
	Figures    Figures
}

// DuplicateMark says whether a sale row is a further row of a live purchase
// (DUP_SALE), for which no payment is expected.
type DuplicateMark struct {
	Sale           int64 // its ID
	Channel, Order string
	Duplicate      bool // false: no longer, its good row was undone
}

// Account reconciles sales, card and meter of one place over span. The result
// depends on the arguments only, and shares no memory that it writes with them.
// Rows that contradict the place are in Refused; an error (ErrSpan, ErrFuture,
// ErrPlan, ErrPlace, or from the tariff) means that there is no result.
func Account(rules *Rules, span Span, opening Balance, in AccountInput) (AccountResult, error) {
	var res AccountResult
	if err := span.check(opening.Through); err != nil {
		return res, err
	}
	if err := checkPlace(in.Place, in.Plan); err != nil {
		return res, err
	}
	// The folder holds all that it changes, so that the result stays on the stack.
	f := folder{rules: rules, span: span, in: in, place: in.Place, roll: newRoll(opening.Open, in.Closed)}
	if err := f.begin(&opening); err != nil {
		return res, err
	}
	if err := f.fold(); err != nil {
		return res, err
	}
	f.judge()
	f.finish()
	res.Closing, res.Found, res.Cleared = f.b, f.roll.found, f.roll.cleared
	res.Duplicates, res.Refused = f.duplicates, f.refused
	res.Figures.Purchases, res.Figures.Stock = f.figures.Purchases, f.figures.Stock
	res.Figures.Sales, res.Figures.Entries, res.Figures.Refused = f.figures.Sales, f.figures.Entries, f.figures.Refused
	f.roll.tally(&res.Figures, opening.Open, f.b.Open)
	return res, nil
}

// checkPlace reports a place that cannot be reconciled.
func checkPlace(p *ledger.Place, plan *tariff.Plan) error {
	switch p.Purse {
	case schemas.CreditFen:
		if plan == nil {
			return fmt.Errorf("place %s, plan %q: %w: a purse of money needs one", p.Meter, p.Plan, ErrPlan)
		}
	case schemas.CreditLitre, schemas.CreditWh:
	default:
		return fmt.Errorf("place %s: %w: purse unit %q: want fen, L or Wh", p.Meter, ErrPlace, p.Purse)
	}
	if p.Readout != ledger.Remote && p.Readout != ledger.ByCard {
		return fmt.Errorf("place %s: %w: readout %q: want remote or card", p.Meter, ErrPlace, p.Readout)
	}
	for i := 1; i < len(p.Installations); i++ {
		if !p.Installations[i-1].From.Before(p.Installations[i].From) {
			return fmt.Errorf("place %s: %w: installations out of order at %s", p.Meter, ErrPlace, p.Installations[i].From)
		}
	}
	return nil
}

// folder takes the rows of one place in order and changes its balance.
type folder struct {
	rules *Rules
	span  Span
	in    AccountInput
	place *ledger.Place
	b     Balance
	roll  roll

	duplicates []DuplicateMark
	refused    []Refusal
	figures    struct {
		Purchases               PurchaseRoll
		Stock                   StockRoll
		Sales, Entries, Refused int64
	}
}

// begin copies the opening balance and makes room for new installations.
func (f *folder) begin(opening *Balance) error {
	f.b = *opening
	f.b.cards = slices.Clone(opening.cards)
	f.b.installs = make([]install, len(f.place.Installations))
	known := 0
	purchases := &f.figures.Purchases
	for i := range f.b.installs {
		from := f.place.Installations[i].From.UnixMilli()
		f.b.installs[i].from = from
		if known < len(opening.installs) && opening.installs[known].from == from {
			f.b.installs[i] = opening.installs[known].clone()
			f.unloaded(&f.b.installs[i], &purchases.Opening)
			known++
		}
	}
	if known < len(opening.installs) {
		return fmt.Errorf("place %s: %w: the register no longer has its installation of %s, which the books know: put it back, with an end",
			f.place.Meter, ErrPlace, time.UnixMilli(opening.installs[known].from).UTC())
	}
	f.figures.Stock.Opening = opening.stock
	return nil
}

// clone copies what a fold writes into. Sets of numbers are never written into.
func (in *install) clone() install {
	out := *in
	out.sales = slices.Clone(in.sales)
	out.loads = slices.Clone(in.loads)
	out.unsold = slices.Clone(in.unsold)
	out.gaps = slices.Clone(in.gaps)
	out.undos = slices.Clone(in.undos)
	out.clears = slices.Clone(in.clears)
	return out
}

// unloaded adds the good rows that are not loaded to t.
func (f *folder) unloaded(in *install, t *Tally) {
	for i := range in.sales {
		if s := &in.sales[i]; !s.further && !s.loaded {
			t.add(s.tally())
		}
	}
}

// tally returns s as a tally of one.
func (s *sale) tally() Tally { return Tally{1, s.amount, s.volume} }

// fold takes the rows: by day, sales before entries, then by moment.
func (f *folder) fold() error {
	sales, err := f.sortedSales()
	if err != nil {
		return err
	}
	entries, err := f.sortedEntries()
	if err != nil {
		return err
	}
	i := 0
	for k := range entries {
		e := &entries[k]
		for ; i < len(sales) && f.day(sales[i].Day) <= f.day(e.Day); i++ {
			f.takeSale(&sales[i])
		}
		if err := f.takeEntry(e); err != nil {
			return err
		}
	}
	for ; i < len(sales); i++ {
		f.takeSale(&sales[i])
	}
	return nil
}

// day returns the day on which a row of d is taken: late rows on the first.
func (f *folder) day(d ledger.Day) ledger.Day { return max(d, f.span.From) }

// sortedSales returns the sales in the order in which they are taken.
func (f *folder) sortedSales() ([]ledger.Sale, error) {
	rows, from, sorted := f.in.Sales, f.span.From, true
	for i := range rows {
		if rows[i].Day > f.span.To {
			return nil, fmt.Errorf("sale %d of %s in a run up to %s: %w", rows[i].ID, rows[i].Day, f.span.To, ErrFuture)
		}
		sorted = sorted && (i == 0 || compareSales(&rows[i-1], &rows[i], from) <= 0)
	}
	if !sorted {
		rows = slices.Clone(rows)
		slices.SortFunc(rows, func(a, b ledger.Sale) int { return compareSales(&a, &b, from) })
	}
	return rows, nil
}

// compareSales orders by day, late rows on the first day, then by moment.
func compareSales(a, b *ledger.Sale, from ledger.Day) int {
	if d := cmp.Compare(max(a.Day, from), max(b.Day, from)); d != 0 {
		return d
	}
	if d := a.At.Compare(b.At); d != 0 {
		return d
	}
	return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Order, b.Order))
}

// sortedEntries returns the entries in the order in which they are taken.
func (f *folder) sortedEntries() ([]ledger.Entry, error) {
	rows, from, sorted := f.in.Entries, f.span.From, true
	for i := range rows {
		if rows[i].Day > f.span.To {
			return nil, fmt.Errorf("card entry %d of %s in a run up to %s: %w", rows[i].ID, rows[i].Day, f.span.To, ErrFuture)
		}
		sorted = sorted && (i == 0 || compareEntries(&rows[i-1], &rows[i], from) <= 0)
	}
	if !sorted {
		rows = slices.Clone(rows)
		slices.SortFunc(rows, func(a, b ledger.Entry) int { return compareEntries(&a, &b, from) })
	}
	return rows, nil
}

// compareEntries orders by day and moment; at one moment a load comes before
// what the meter shows after it.
func compareEntries(a, b *ledger.Entry, from ledger.Day) int {
	if d := cmp.Compare(max(a.Day, from), max(b.Day, from)); d != 0 {
		return d
	}
	if d := a.Moment().Compare(b.Moment()); d != 0 {
		return d
	}
	return cmp.Or(cmp.Compare(rank(a.Event), rank(b.Event)), cmp.Compare(a.Purchase.Number, b.Purchase.Number),
		cmp.Compare(a.ID, b.ID), cmp.Compare(a.Amount.Value, b.Amount.Value))
}

// rank is the place of an event among those of one moment.
func rank(e schemas.CardEvent) int {
	switch e {
	case schemas.CardIssue:
		return 0
	case schemas.CardSale, schemas.CardClear:
		return 1
	case schemas.CardLoad:
		return 2
	case schemas.CardReturn:
		return 3
	case schemas.CardState:
		return 4
	}
	return 5
}

// at returns the installation that begins at t, or -1.
func (f *folder) at(t time.Time) int {
	from := t.UnixMilli()
	return slices.IndexFunc(f.b.installs, func(in install) bool { return in.from == from })
}

// refuse leaves a row out.
func (f *folder) refuse(book string, id int64, reason string) {
	f.refused = append(f.refused, Refusal{book, id, reason})
	f.figures.Refused++
}

// difference begins a difference of class about the installation in.
func (f *folder) difference(class ledger.Class, in *install) ledger.Difference {
	return ledger.Difference{Class: class, Utility: f.place.Utility, Meter: f.place.Meter, From: instant(in.from)}
}

// instant returns a stored moment.
func instant(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// credit puts v, in the unit of the purse, into d.
func (f *folder) credit(d *ledger.Difference, v int64) {
	if f.place.Purse == schemas.CreditFen {
		d.Amount = schemas.Fen(v)
	} else {
		d.Volume = v
	}
}

// words writes v, in the unit of the purse, for the clerk.
func (f *folder) words(who string, v int64) string {
	if f.place.Purse == schemas.CreditFen {
		return who + " " + schemas.Fen(v).String()
	}
	return fmt.Sprintf("%s %d %s", who, v, f.place.Purse)
}

// worth returns the credit of s in the unit of the purse.
func (f *folder) worth(s *sale) int64 {
	if f.place.Purse == schemas.CreditFen {
		return int64(s.amount)
	}
	return s.volume
}

// finish closes the balance and the figures.
func (f *folder) finish() {
	f.b.Open = f.roll.close()
	f.b.Through = f.span.To
	figures := &f.figures
	for i := range f.b.installs {
		f.unloaded(&f.b.installs[i], &figures.Purchases.Closing)
	}
	figures.Stock.Closing = f.b.stock
	figures.Stock.Change.Installations = f.b.stock.Installations - figures.Stock.Opening.Installations
}
