package reconcile

import (
	"cmp"
	"fmt"
	"slices"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// OrderInput is what is new about one order of a channel.
type OrderInput struct {
	Channel, Order string
	Utility        schemas.Medium // for what is found
	// Sales and Payments are the rows of the order that have arrived since the
	// last run, in any order. Transfers and reissues have no payment and are
	// passed over.
	Sales    []ledger.Sale
	Payments []ledger.Payment
	// Duplicates are the marks of Account about sale rows of this order that are
	// new since the last run; with rows of earlier runs, their marks.
	Duplicates []DuplicateMark
	// Closed is as in AccountInput.
	Closed []string
}

// OrderResult is what a run says about one order.
type OrderResult struct {
	Closing OrderBalance
	// Found and Cleared are in the order of the page's classes, then by key.
	Found   []Finding
	Cleared []Clearing
	Refused []Refusal
	Figures Figures
}

// Order reconciles sales and payments of one order over span. The result depends
// on the arguments only, and shares no memory that it writes with them. An
// error (ErrSpan, ErrFuture) means that there is no result.
func Order(rules *Rules, span Span, opening OrderBalance, in OrderInput) (OrderResult, error) {
	var res OrderResult
	if err := span.check(opening.Through); err != nil {
		return res, err
	}
	o := orderFolder{rules: rules, span: span, in: in, wake: NeverWake, roll: newRoll(opening.Open, in.Closed)}
	o.rows = make([]orderRow, len(opening.rows), len(opening.rows)+len(in.Sales)+len(in.Payments))
	copy(o.rows, opening.rows)
	if err := o.take(); err != nil {
		return res, err
	}
	res.Figures.Channels = o.judge()
	res.Closing = OrderBalance{Through: span.To, Wake: o.wake, Open: o.roll.close(), rows: o.rows}
	res.Found, res.Cleared, res.Refused = o.roll.found, o.roll.cleared, o.refused
	res.Figures.Payments, res.Figures.Refused = o.payments, int64(len(o.refused))
	o.roll.tally(&res.Figures, opening.Open, res.Closing.Open)
	return res, nil
}

// orderFolder takes the rows of one order.
type orderFolder struct {
	rules *Rules
	span  Span
	in    OrderInput
	rows  []orderRow
	roll  roll
	wake  ledger.Day

	refused  []Refusal
	payments int64
}

// take appends the new rows and sets the marks.
func (o *orderFolder) take() error {
	for i := range o.in.Sales {
		s := &o.in.Sales[i]
		if s.Kind == ledger.Transfer || s.Kind == ledger.Reissue {
			continue
		}
		row := orderRow{id: s.ID, amount: s.Amount, volume: s.Volume, day: s.Day, at: s.At.UnixMilli(),
			meter: s.Meter, from: s.From.UnixMilli(), scheme: s.Purchase.Scheme, number: s.Purchase.Number,
			out: s.Kind == ledger.Refund || s.Kind == ledger.Reversal}
		reason := o.bad(s.Channel, s.Order, s.Amount)
		if s.Kind == ledger.Bill {
			row.day = s.Due
		}
		if !slices.Contains(schemeWords, row.scheme) {
			row.scheme = ""
		}
		switch {
		case reason != "":
		case !row.out && s.Kind != ledger.Purchase && s.Kind != ledger.Bill:
			reason = fmt.Sprintf("kind %q is not known", s.Kind)
		case s.Kind == ledger.Bill && s.Due < s.Day:
			reason = fmt.Sprintf("due on %s, before the bill's day %s: correct the row", s.Due, s.Day)
		}
		if err := o.append("sale", row, s.Day, reason); err != nil {
			return err
		}
	}
	for i := range o.in.Payments {
		p := &o.in.Payments[i]
		row := orderRow{payment: true, out: p.Refund, id: p.ID, amount: p.Amount, day: p.Day, at: p.At.UnixMilli()}
		if err := o.append("payment", row, p.Day, o.bad(p.Channel, p.Order, p.Amount)); err != nil {
			return err
		}
	}
	for _, m := range o.in.Duplicates {
		for i := range o.rows {
			if r := &o.rows[i]; !r.payment && r.id == m.Sale {
				r.further = m.Duplicate
			}
		}
	}
	slices.SortFunc(o.rows, func(a, b orderRow) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.day, b.day), cmp.Compare(a.at, b.at), cmp.Compare(a.amount, b.amount))
	})
	return nil
}

// bad says why a row cannot be of this order, or nothing.
func (o *orderFolder) bad(channel, order string, amount schemas.Fen) string {
	switch {
	case channel != o.in.Channel || order != o.in.Order:
		return fmt.Sprintf("order %s of %s among the rows of order %s of %s", order, channel, o.in.Order, o.in.Channel)
	case amount < 0:
		return "amount below 0: a refund says so by its kind"
	case amount > maxCredit:
		return "amount too large: look at the row in its file"
	}
	return ""
}

// append takes a row of a day, or refuses it for reason.
func (o *orderFolder) append(book string, row orderRow, day ledger.Day, reason string) error {
	if day > o.span.To {
		return fmt.Errorf("%s %d of %s in a run up to %s: %w", book, row.id, day, o.span.To, ErrFuture)
	}
	if reason != "" {
		o.refused = append(o.refused, Refusal{book, row.id, reason})
		return nil
	}
	if row.payment {
		o.payments++
	}
	o.rows = append(o.rows, row)
	return nil
}

// signed returns what r moves: refunds count negative.
func (r *orderRow) signed() schemas.Fen {
	if r.out {
		return -r.amount
	}
	return r.amount
}

// moved is signed for the volume.
func (r *orderRow) moved() int64 {
	if r.out {
		return -r.volume
	}
	return r.volume
}

// judge decides how each row stands, reports what does not agree, and returns the
// changes as roll-forward 2.
func (o *orderFolder) judge() []ChannelRoll {
	before := make([]rowState, 0, 8)
	for i := range o.rows {
		before = append(before, o.rows[i].state)
	}
	o.match()
	c := ChannelRoll{Channel: o.in.Channel}
	for i := range o.rows {
		r := &o.rows[i]
		side := &c.Sales
		if r.payment {
			side = &c.Payments
		}
		side.move(Tally{Count: 1, Fen: r.signed()}, before[i], r.state)
	}
	if len(o.rows) == 0 {
		return nil
	}
	return []ChannelRoll{c}
}

// move accounts for a row that stood as was and stands as is.
func (m *MatchRoll) move(row Tally, was, is rowState) {
	switch was {
	case rowNew:
		m.Rows.add(row)
	case rowUnmatched:
		m.Opening.add(row)
	default:
		t := m.state(was)
		*t = t.less(row)
	}
	m.state(is).add(row)
}

// state returns where rows in state s are counted.
func (m *MatchRoll) state(s rowState) *Tally {
	switch s {
	case rowMatched:
		return &m.Matched
	case rowAmountDiff:
		return &m.AmountDiff
	case rowDuplicate:
		return &m.Duplicates
	case rowDecided:
		return &m.Decided
	}
	return &m.Closing
}
