package billing

import (
	"cmp"
	"fmt"
	"slices"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// Item is how one bill stands.
type Item struct {
	Order    string
	Day, Due ledger.Day
	// Billed is 0 while the bill lies in the future and has been paid already. Open is
	// Billed - Paid; negative where more was paid.
	Billed, Paid, Open schemas.Fen
	// Late is the number of days past Due while something is open, else 0.
	Late int
}

// Items returns how the bills of one account stand as of day, in the order of their
// days, those that are settled too, and the payments whose order none of the bills
// has: whose they are is for reconciliation to find. Payments count on their
// accounting day; refunds count back. An order that two bills have is an error.
func Items(bills []Bill, payments []ledger.Payment, day ledger.Day) ([]Item, []ledger.Payment, error) {
	items := make([]Item, 0, len(bills))
	at := make(map[string]int, len(bills))
	for i := range bills {
		b := &bills[i]
		if _, twice := at[b.Order]; twice {
			return nil, nil, fmt.Errorf("bill %s stands twice; one of them needs another order", b.Order)
		}
		at[b.Order] = i
		items = append(items, Item{Order: b.Order, Day: b.Day, Due: b.Due})
		if b.Day <= day {
			items[i].Billed = b.Amount
		}
	}
	var unmatched []ledger.Payment
	for _, p := range payments {
		i, known := at[p.Order]
		switch {
		case p.Day > day:
		case !known:
			unmatched = append(unmatched, p)
		default:
			items[i].Paid += moved(&p)
		}
	}
	items = slices.DeleteFunc(items, func(it Item) bool { return it.Day > day && it.Paid == 0 })
	for i := range items {
		it := &items[i]
		it.Open = it.Billed - it.Paid
		if it.Open > 0 {
			it.Late = max(0, int(day-it.Due))
		}
	}
	slices.SortFunc(items, func(a, b Item) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Order, b.Order)) })
	return items, unmatched, nil
}

// moved returns what p pays.
func moved(p *ledger.Payment) schemas.Fen {
	if p.Refund {
		return -p.Amount
	}
	return p.Amount
}

// Row is one line of a statement: a bill adds, a payment takes off.
type Row struct {
	Day     ledger.Day
	Order   string
	Bill    bool        // else a payment or a refund
	Amount  schemas.Fen // signed: what it adds to the balance
	Balance schemas.Fen // after it
}

// Statement is an account over a span of days. Opening + Billed - Paid = Closing =
// the sum of what is open.
type Statement struct {
	From, To        ledger.Day
	Opening, Billed schemas.Fen
	Paid, Closing   schemas.Fen // Paid less refunds
	Rows            []Row       // by day, bills first
	Items           []Item      // open at the end of To
	// Unmatched are payments up to To that no bill has asked for; they are not in
	// the balance.
	Unmatched []ledger.Payment
}

// State states an account from all its bills and payments, over the days from and
// to, both included.
func State(bills []Bill, payments []ledger.Payment, from, to ledger.Day) (Statement, error) {
	if to < from {
		return Statement{}, fmt.Errorf("statement from %s to %s: ends before it begins", from, to)
	}
	before, _, err := Items(bills, payments, from-1)
	if err != nil {
		return Statement{}, err
	}
	s := Statement{From: from, To: to, Opening: open(before)}
	s.Items, s.Unmatched, err = Items(bills, payments, to)
	if err != nil {
		return Statement{}, err
	}
	s.Closing = open(s.Items)
	s.Items = slices.DeleteFunc(s.Items, func(it Item) bool { return it.Open == 0 })
	s.fill(bills, payments)
	return s, s.Foot()
}

// open sums what is open.
func open(items []Item) (sum schemas.Fen) {
	for _, it := range items {
		sum += it.Open
	}
	return sum
}

// fill lists the rows of the span.
func (s *Statement) fill(bills []Bill, payments []ledger.Payment) {
	ours := make(map[string]bool, len(bills))
	for i := range bills {
		b := &bills[i]
		ours[b.Order] = true
		if s.within(b.Day) {
			s.Rows = append(s.Rows, Row{Day: b.Day, Order: b.Order, Bill: true, Amount: b.Amount})
			s.Billed += b.Amount
		}
	}
	for i := range payments {
		if p := &payments[i]; ours[p.Order] && s.within(p.Day) {
			s.Rows = append(s.Rows, Row{Day: p.Day, Order: p.Order, Amount: -moved(p)})
			s.Paid += moved(p)
		}
	}
	slices.SortStableFunc(s.Rows, func(a, b Row) int {
		if a.Bill != b.Bill && a.Day == b.Day {
			if a.Bill {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Order, b.Order))
	})
	balance := s.Opening
	for i := range s.Rows {
		balance += s.Rows[i].Amount
		s.Rows[i].Balance = balance
	}
}

func (s *Statement) within(d ledger.Day) bool { return d >= s.From && d <= s.To }

// Foot reports a statement whose sums do not come out.
func (s *Statement) Foot() error {
	last := s.Opening
	for _, r := range s.Rows {
		last += r.Amount
		if r.Balance != last {
			return fmt.Errorf("statement from %s to %s: balance %s after order %s, the rows come to %s", s.From, s.To, r.Balance, r.Order, last)
		}
	}
	if sum := s.Opening + s.Billed - s.Paid; sum != s.Closing || last != s.Closing || open(s.Items) != s.Closing {
		return fmt.Errorf("statement from %s to %s: opening %s + billed %s - paid %s = %s, rows come to %s, open items to %s, closing is %s",
			s.From, s.To, s.Opening, s.Billed, s.Paid, sum, last, open(s.Items), s.Closing)
	}
	return nil
}
