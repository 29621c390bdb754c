package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"citygrid/hub/ledger"
)

// add adds u to t.
func (t *Tally) add(u Tally) {
	t.Count += u.Count
	t.Fen += u.Fen
	t.Volume += u.Volume
}

// less returns t - u.
func (t Tally) less(u Tally) Tally {
	return Tally{t.Count - u.Count, t.Fen - u.Fen, t.Volume - u.Volume}
}

// Add adds the figures of another account, order or utility.
func (f *Figures) Add(g *Figures) {
	for i := range f.Classes {
		a, b := &f.Classes[i], &g.Classes[i]
		if *b != (ClassRoll{}) {
			a.Opening.add(b.Opening)
			a.Found.add(b.Found)
			a.Cleared.add(b.Cleared)
			a.Decided.add(b.Decided)
			a.Closing.add(b.Closing)
		}
	}
	for i := range g.Channels {
		f.channel(g.Channels[i].Channel).add(&g.Channels[i])
	}
	f.Purchases.add(&g.Purchases)
	f.Stock.Opening.add(&g.Stock.Opening, 1)
	f.Stock.Change.add(&g.Stock.Change, 1)
	f.Stock.Closing.add(&g.Stock.Closing, 1)
	f.Sales += g.Sales
	f.Entries += g.Entries
	f.Payments += g.Payments
	f.Refused += g.Refused
}

// channel returns the roll of a channel, which is inserted if it is new.
func (f *Figures) channel(name string) *ChannelRoll {
	i, ok := slices.BinarySearchFunc(f.Channels, name, func(c ChannelRoll, s string) int { return strings.Compare(c.Channel, s) })
	if !ok {
		f.Channels = slices.Insert(f.Channels, i, ChannelRoll{Channel: name})
	}
	return &f.Channels[i]
}

func (c *ChannelRoll) add(d *ChannelRoll) {
	c.Sales.add(&d.Sales)
	c.Payments.add(&d.Payments)
}

func (m *MatchRoll) add(n *MatchRoll) {
	m.Opening.add(n.Opening)
	m.Rows.add(n.Rows)
	m.Matched.add(n.Matched)
	m.AmountDiff.add(n.AmountDiff)
	m.Duplicates.add(n.Duplicates)
	m.Decided.add(n.Decided)
	m.Closing.add(n.Closing)
}

func (p *PurchaseRoll) add(q *PurchaseRoll) {
	p.Opening.add(q.Opening)
	p.Sold.add(q.Sold)
	p.Transferred.add(q.Transferred)
	p.Undone.add(q.Undone)
	p.Loaded.add(q.Loaded)
	p.Closing.add(q.Closing)
}

// add adds t to s, sign times.
func (s *Stock) add(t *Stock, sign int64) {
	scale(&s.Residual, t.Residual, sign)
	scale(&s.Overdraft, t.Overdraft, sign)
	s.Installations += sign * t.Installations
	s.Fresh += sign * t.Fresh
	s.Stale += sign * t.Stale
}

// scale adds u to t, sign times.
func scale(t *Tally, u Tally, sign int64) {
	if sign < 0 {
		u = Tally{}.less(u)
	}
	t.add(u)
}

// Over returns the totals of a run that touched the accounts and orders of f,
// over the totals of the run before: what was not touched stays as it closed.
// Movements are those of f alone.
func (f *Figures) Over(before *Figures) Figures {
	out := *f
	out.Channels = slices.Clone(f.Channels)
	for i := range out.Classes {
		rest := before.Classes[i].Closing.less(f.Classes[i].Opening)
		out.Classes[i].Opening.add(rest)
		out.Classes[i].Closing.add(rest)
	}
	for i := range before.Channels {
		b := &before.Channels[i]
		c := out.channel(b.Channel)
		c.Sales.carry(b.Sales.Closing)
		c.Payments.carry(b.Payments.Closing)
	}
	rest := before.Purchases.Closing.less(f.Purchases.Opening)
	out.Purchases.Opening.add(rest)
	out.Purchases.Closing.add(rest)
	stock := before.Stock.Closing
	stock.add(&f.Stock.Opening, -1)
	out.Stock.Opening.add(&stock, 1)
	out.Stock.Closing.add(&stock, 1)
	return out
}

// carry raises m to the totals of a run before it that closed with closing.
func (m *MatchRoll) carry(closing Tally) {
	rest := closing.less(m.Opening)
	m.Opening.add(rest)
	m.Closing.add(rest)
}

// FootError says which equation of docs/reconciliation.md, "Runs", does not
// hold, and by how much: the left side less the right.
type FootError struct {
	Equation string
	By       Tally
}

// Error implements error.
func (e *FootError) Error() string {
	return fmt.Sprintf("%s does not foot: off by %d in number, %s yuan, volume %d; the run must not be used",
		e.Equation, e.By.Count, e.By.Fen, e.By.Volume)
}

// Foot checks every equation of the page and returns a *FootError for the
// first that fails.
func (f *Figures) Foot() error {
	for i, class := range ledger.Classes() {
		c := &f.Classes[i]
		if err := foots(string(class), []Tally{c.Opening, c.Found}, []Tally{c.Cleared, c.Decided, c.Closing}); err != nil {
			return err
		}
	}
	for i := range f.Channels {
		c := &f.Channels[i]
		if err := c.Sales.foot("sales of channel " + c.Channel); err != nil {
			return err
		}
		if err := c.Payments.foot("payments of channel " + c.Channel); err != nil {
			return err
		}
	}
	p := &f.Purchases
	err := foots("purchases not loaded", []Tally{p.Opening, p.Sold, p.Transferred}, []Tally{p.Undone, p.Loaded, p.Closing})
	if err != nil {
		return err
	}
	return f.Stock.foot()
}

func (m *MatchRoll) foot(name string) error {
	return foots(name, []Tally{m.Opening, m.Rows}, []Tally{m.Matched, m.AmountDiff, m.Duplicates, m.Decided, m.Closing})
}

// foot checks roll-forward 4.
func (s *StockRoll) foot() error {
	a, b, c := &s.Opening, &s.Change, &s.Closing
	if err := foots("residuals", []Tally{a.Residual, b.Residual}, []Tally{c.Residual}); err != nil {
		return err
	}
	if err := foots("overdrafts", []Tally{a.Overdraft, b.Overdraft}, []Tally{c.Overdraft}); err != nil {
		return err
	}
	stand := Tally{Count: c.Installations}
	if err := foots("installations", []Tally{{Count: a.Installations}, {Count: b.Installations}}, []Tally{stand}); err != nil {
		return err
	}
	return foots("coverage", []Tally{{Count: c.Fresh}, {Count: c.Stale}}, []Tally{stand})
}

// foots returns an error unless the sides are equal.
func foots(name string, left, right []Tally) error {
	var by Tally
	for _, t := range left {
		by.add(t)
	}
	for _, t := range right {
		by = by.less(t)
	}
	if by != (Tally{}) {
		return &FootError{name, by}
	}
	return nil
}
