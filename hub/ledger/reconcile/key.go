package reconcile

import (
	"slices"
	"strconv"
	"strings"

	"citygrid/hub/ledger"
)

// classIndex returns the place of c in ledger.Classes, -1 for no difference.
func classIndex(c ledger.Class) int {
	switch c {
	case ledger.PaidNoSale:
		return 0
	case ledger.SaleNoPay:
		return 1
	case ledger.AmountDiff:
		return 2
	case ledger.DupSale:
		return 3
	case ledger.DupPay:
		return 4
	case ledger.SoldNotLoaded:
		return 5
	case ledger.LoadedNotSold:
		return 6
	case ledger.CounterGap:
		return 7
	case ledger.LoadAmountDiff:
		return 8
	case ledger.CumDrift:
		return 9
	case ledger.ResidualDrift:
		return 10
	case ledger.Reversed:
		return 11
	case ledger.CardReplaced:
		return 12
	case ledger.MeterReplaced:
		return 13
	case ledger.Stale:
		return 14
	case ledger.ReverseFlow:
		return 15
	}
	return -1
}

// Key returns the key of d: its class, and the order or the installation with
// the number or moment that the class is known by, in the form
// CLASS/part/part. It is stable over runs. Where two facts share it (a row that
// stands three times, both directions of one order) the run adds "#2", "#3" or
// "#refund": Finding.Key is the key in the books.
func Key(d ledger.Difference) string {
	var b strings.Builder
	b.Grow(64)
	b.WriteString(string(d.Class))
	switch d.Class {
	case ledger.PaidNoSale, ledger.SaleNoPay, ledger.AmountDiff, ledger.Reversed:
		keyOrder(&b, &d)
	case ledger.DupSale, ledger.DupPay:
		keyOrder(&b, &d)
		keyNumber(&b, d.Moment.UnixMilli())
	case ledger.SoldNotLoaded:
		keyInstall(&b, &d)
		keyNumber(&b, int64(d.Purchase.Number))
		keyPart(&b, d.Day.String())
	case ledger.CardReplaced:
		if d.Order != "" {
			keyOrder(&b, &d)
			break
		}
		keyInstall(&b, &d)
		keyNumber(&b, int64(d.Purchase.Number))
		keyPart(&b, string(d.Card))
	case ledger.LoadedNotSold, ledger.CounterGap, ledger.LoadAmountDiff:
		keyInstall(&b, &d)
		keyNumber(&b, int64(d.Purchase.Number))
	case ledger.CumDrift, ledger.ResidualDrift, ledger.ReverseFlow:
		keyInstall(&b, &d)
		keyNumber(&b, d.Moment.UnixMilli())
	case ledger.Stale:
		keyInstall(&b, &d)
		keyPart(&b, d.Day.String())
	default:
		keyInstall(&b, &d)
	}
	return b.String()
}

func keyOrder(b *strings.Builder, d *ledger.Difference) {
	keyPart(b, d.Channel)
	keyPart(b, d.Order)
}

func keyInstall(b *strings.Builder, d *ledger.Difference) {
	keyPart(b, string(d.Meter))
	keyNumber(b, d.From.UnixMilli())
}

func keyNumber(b *strings.Builder, n int64) { keyPart(b, strconv.FormatInt(n, 10)) }

// keyPart writes a part with the separators in it made harmless.
func keyPart(b *strings.Builder, part string) {
	b.WriteByte('/')
	if !strings.ContainsAny(part, "/#%") {
		b.WriteString(part)
		return
	}
	for i := 0; i < len(part); i++ {
		switch c := part[i]; c {
		case '/', '#', '%':
			b.WriteString("%" + strconv.FormatInt(int64(c), 16))
		default:
			b.WriteByte(c)
		}
	}
}

// roll is the open differences of a balance while a run works on them.
type roll struct {
	open    []Open // by key
	kept    []bool // of the opening ones: still true, or an event
	found   []Finding
	cleared []Clearing
}

// newRoll begins with the opening differences, less those that were decided.
func newRoll(opening []Open, closed []string) roll {
	r := roll{open: opening}
	if len(opening) == 0 {
		return r
	}
	r.open = slices.Clone(opening)
	r.kept = make([]bool, len(opening))
	for i := range r.open {
		o := &r.open[i]
		r.kept[i] = isEvent(o.Class) && !o.Settled
		if !o.Settled && slices.Contains(closed, o.Key) {
			r.cleared = append(r.cleared, Clearing{Open: *o, Decided: true})
			o.Settled = true
			r.kept[i] = false
		}
	}
	return r
}

// isEvent reports whether differences of c end by decision only. Those of
// CARD_REPLACED and the checks of the meter are facts about a moment.
func isEvent(c ledger.Class) bool {
	switch c {
	case ledger.LoadAmountDiff, ledger.CumDrift, ledger.ResidualDrift, ledger.CardReplaced, ledger.ReverseFlow:
		return true
	}
	return false
}

// report notes that d holds. A difference that is open already, with the same
// amount, stays as it was found; one of another amount clears, and d is found.
// mark, if not empty, tells it from others with the same Key. The answer is whether
// it is open: a decision may have closed it while it holds.
func (r *roll) report(d ledger.Difference, mark string) bool {
	base := Key(d)
	if mark != "" {
		base += "#" + mark
	}
	for i := range r.open {
		if o := &r.open[i]; !r.kept[i] && o.Amount == d.Amount && o.Volume == d.Volume && o.isNumbered(base) {
			r.kept[i] = true
			return !o.Settled
		}
	}
	key := base
	for n := 2; r.isOpen(key) || r.isFound(key); n++ {
		key = base + "#" + strconv.Itoa(n)
	}
	r.found = append(r.found, Finding{Key: key, Difference: d})
	return true
}

// isNumbered reports whether o has the key base, or base and a number.
func (o *Open) isNumbered(base string) bool {
	rest, ok := strings.CutPrefix(o.Key, base)
	if !ok || rest == "" {
		return ok
	}
	return rest[0] == '#' && strings.Trim(rest[1:], "0123456789") == ""
}

// isOpen reports whether key was open when the run began.
func (r *roll) isOpen(key string) bool {
	return slices.ContainsFunc(r.open, func(o Open) bool { return o.Key == key })
}

// isFound reports whether key was reported in this run.
func (r *roll) isFound(key string) bool {
	return slices.ContainsFunc(r.found, func(f Finding) bool { return f.Key == key })
}

// close ends the run: conditions that no longer hold clear, and the differences
// that stay open are returned by key.
func (r *roll) close() []Open {
	var open []Open
	if n := len(r.open) + len(r.found); n > 0 {
		open = make([]Open, 0, n)
	}
	for i, o := range r.open {
		switch {
		case r.kept[i]:
			open = append(open, o)
		case !o.Settled:
			r.cleared = append(r.cleared, Clearing{Open: o})
		}
	}
	for i := range r.found {
		f := &r.found[i]
		o := Open{Key: f.Key, Class: f.Class, Amount: f.Amount, Volume: f.Volume, Day: f.Day}
		open = append(open, o)
	}
	r.sort(open)
	return open
}

// tally puts roll-forward 1 into figures.
func (r *roll) tally(figures *Figures, opening, closing []Open) {
	for i := range opening {
		if o := &opening[i]; !o.Settled {
			figures.Classes[classIndex(o.Class)].Opening.add(o.tally())
		}
	}
	for i := range r.found {
		f := &r.found[i]
		figures.Classes[classIndex(f.Class)].Found.add(Tally{1, f.Amount, f.Volume})
	}
	for i := range r.cleared {
		c := &r.cleared[i]
		if roll := &figures.Classes[classIndex(c.Class)]; c.Decided {
			roll.Decided.add(c.tally())
		} else {
			roll.Cleared.add(c.tally())
		}
	}
	for i := range closing {
		if o := &closing[i]; !o.Settled {
			figures.Classes[classIndex(o.Class)].Closing.add(o.tally())
		}
	}
}

// sort puts everything into the order that is promised.
func (r *roll) sort(open []Open) {
	if len(open) > 1 {
		slices.SortFunc(open, func(a, b Open) int { return strings.Compare(a.Key, b.Key) })
	}
	if len(r.found) > 1 {
		slices.SortFunc(r.found, func(a, b Finding) int { return byClass(a.Class, b.Class, a.Key, b.Key) })
	}
	if len(r.cleared) > 1 {
		slices.SortFunc(r.cleared, func(a, b Clearing) int { return byClass(a.Class, b.Class, a.Key, b.Key) })
	}
}

// byClass orders by class as the page does, then by key.
func byClass(a, b ledger.Class, keyA, keyB string) int {
	if a != b {
		return classIndex(a) - classIndex(b)
	}
	return strings.Compare(keyA, keyB)
}

// tally returns o as a tally of one.
func (o *Open) tally() Tally { return Tally{1, o.Amount, o.Volume} }
