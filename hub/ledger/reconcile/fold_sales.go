package reconcile

import (
	"fmt"
	"slices"
	"strings"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// dayMillis is a day in the unit of stored moments.
const dayMillis = 24 * 60 * 60 * 1000

// keepBack is how many of the last loaded purchases are still compared with a
// load record that is late.
const keepBack = 2

// keepClears bounds the clear entries that wait for their undo row.
const keepClears = 8

// takeSale takes one row of L1.
func (f *folder) takeSale(s *ledger.Sale) {
	if s.Kind == ledger.Bill {
		return // it has neither card nor purchase number: Order alone sees to it
	}
	i := f.at(s.From)
	if reason := f.badSale(s, i); reason != "" {
		f.refuse("sale", s.ID, reason)
		return
	}
	f.figures.Sales++
	in := &f.b.installs[i]
	row := sale{id: s.ID, channel: s.Channel, order: s.Order, kind: s.Kind, number: s.Purchase.Number,
		amount: s.Amount, volume: s.Volume, day: s.Day, at: s.At.UnixMilli()}
	switch s.Kind {
	case ledger.Purchase:
		f.purchase(in, &row)
	case ledger.Transfer:
		f.transfer(i, &row)
	case ledger.Reissue:
		f.reissue(in, &row, s.Undoes)
	default:
		f.undo(in, &row, s.Undoes)
	}
	f.settlePending()
	in.prune()
}

// badSale says why s contradicts its place, or nothing. i is its installation.
func (f *folder) badSale(s *ledger.Sale, i int) string {
	numbered := s.Kind == ledger.Purchase || s.Kind == ledger.Transfer || s.Kind == ledger.Reissue
	switch {
	case s.Meter != f.place.Meter:
		return fmt.Sprintf("meter %s: the row is of another place than %s", s.Meter, f.place.Meter)
	case s.Utility != f.place.Utility:
		return fmt.Sprintf("utility %q at a place of %s: correct the row or the register", s.Utility, f.place.Utility)
	case i < 0:
		return fmt.Sprintf("installation of %s is not in the register: enter it", s.From.UTC())
	case !numbered && s.Kind != ledger.Refund && s.Kind != ledger.Reversal:
		return fmt.Sprintf("kind %q is not known", s.Kind)
	case numbered && s.Purchase.Number == 0:
		return "no purchase number: find it at the counter"
	case s.Amount < 0 || s.Volume < 0:
		return "amount below 0: a refund or reversal says what it gives back by its kind"
	case s.Amount > maxCredit || s.Volume > maxCredit:
		return "amount too large: look at the row in its file"
	case s.Purchase.Number > 0 && !f.b.installs[i].adopt(s.Purchase.Scheme):
		return fmt.Sprintf("purchase scheme %q: the installation counts by another", s.Purchase.Scheme)
	}
	return ""
}

// adopt settles the scheme of in, or reports that scheme is another.
func (in *install) adopt(scheme schemas.PurchaseScheme) bool {
	if in.scheme == "" && (scheme == schemas.BySequence || scheme == schemas.ByTID) {
		in.scheme = scheme
	}
	return in.scheme == scheme
}

// counts reports whether purchases are numbered in sequence.
func (in *install) counts() bool { return in.scheme == schemas.BySequence }

// based settles, at the first purchase number that the books see, which ones
// were settled before they began.
func (f *folder) based(in *install, first uint32) {
	if in.based {
		return
	}
	in.based = true
	if f.rules.Begin != 0 && in.counts() && f.rules.Calendar.DayOf(instant(in.from)) < f.rules.Begin {
		in.base = first
	}
}

// good returns the index of the live row with number n that is no further one.
func (in *install) good(n uint32) int {
	for i := len(in.sales) - 1; i >= 0; i-- {
		if s := &in.sales[i]; s.number == n && !s.further {
			return i
		}
	}
	return -1
}

// purchase takes a row of kind purchase.
func (f *folder) purchase(in *install, row *sale) {
	if !in.live.has(row.number) {
		f.sold(in, row, &f.figures.Purchases.Sold)
		return
	}
	// The earliest row by moment, then by import, is the good one.
	if i := in.good(row.number); i >= 0 && earlier(row, &in.sales[i]) {
		good := &in.sales[i]
		row.loaded, row.loadedAt, row.compared = good.loaded, good.loadedAt, good.compared
		f.swap(good, row)
		*good, *row = *row, *good
		f.compareAgain(in, row, good)
	}
	row.further = true
	f.mark(row)
	in.sales = append(in.sales, *row)
}

// earlier reports whether a goes before b.
func earlier(a, b *sale) bool { return a.at < b.at || a.at == b.at && a.id < b.id }

// swap accounts for the good row of an unloaded purchase giving way to another.
func (f *folder) swap(old, new *sale) {
	if !old.loaded {
		f.figures.Purchases.Undone.add(old.tally())
		f.figures.Purchases.Sold.add(new.tally())
	}
}

// compareAgain compares the row new, which is the good one in place of old, with the
// load record that old agreed with; what old did not agree with stands already.
func (f *folder) compareAgain(in *install, old, new *sale) {
	for i := range in.loads {
		if l := &in.loads[i]; l.number == new.number && l.known && l.amount == f.worth(old) {
			f.compare(in, new, l)
		}
	}
}

// mark tells the order side how a row stands.
func (f *folder) mark(s *sale) {
	f.duplicates = append(f.duplicates, DuplicateMark{s.id, s.channel, s.order, s.further})
}

// sold makes row the live row of its number and adds it to t.
func (f *folder) sold(in *install, row *sale, t *Tally) {
	n := row.number
	f.based(in, n-1)
	told := in.toldUnsold(n)
	f.name(in, n, row)
	in.live = in.live.with(n, n)
	t.add(row.tally())
	if in.loaded.has(n) {
		row.loaded, row.loadedAt = true, in.seen.at
		f.figures.Purchases.Loaded.add(row.tally())
		if told.number == n && !in.hasLoad(n) {
			row.loadedAt = told.at
			f.compare(in, row, &told)
		}
		for i := range in.loads {
			if l := &in.loads[i]; l.number == n {
				row.loadedAt = l.at
				f.compare(in, row, l)
			}
		}
	}
	in.sales = append(in.sales, *row)
}

// toldUnsold returns what is known about the load n that nobody had sold, the zero
// load where nothing is.
func (in *install) toldUnsold(n uint32) load {
	for _, u := range in.unsold {
		if n >= u.first && n <= u.last {
			return load{number: n, known: u.known && u.first == u.last, amount: u.amount, card: u.card, at: u.at, day: u.day}
		}
	}
	return load{}
}

// name notes that the sale row has number n.
func (f *folder) name(in *install, n uint32, row *sale) {
	if n > in.base {
		in.sold = in.sold.with(n, n)
	}
	in.unsold = cutUnsold(in.unsold, n)
	in.gaps = cutGaps(in.gaps, n, n)
	if n > in.top {
		if from := max(in.top, in.base) + 1; from < n && in.counts() {
			in.loaded.holes(from, n-1, func(first, last uint32) { in.gaps = append(in.gaps, gap{first, last, row.day, row.at}) })
		}
		in.top = n
	}
}

// cutUnsold takes n out of list.
func cutUnsold(list []unsold, n uint32) []unsold {
	for i, u := range list {
		if n < u.first || n > u.last {
			continue
		}
		list = slices.Delete(list, i, i+1)
		if n < u.last {
			list = slices.Insert(list, i, unsold{first: n + 1, last: u.last, day: u.day, at: u.at})
		}
		if n > u.first {
			u.last = n - 1
			list = slices.Insert(list, i, u)
		}
		return list
	}
	return list
}

// cutGaps takes the numbers first to last out of list.
func cutGaps(list []gap, first, last uint32) []gap {
	if len(list) == 0 {
		return list
	}
	out := make([]gap, 0, len(list)+1)
	for _, g := range list {
		if g.first < first {
			out = append(out, gap{g.first, min(g.last, first-1), g.day, g.at})
		}
		if g.last > last {
			out = append(out, gap{max(g.first, last+1), g.last, g.day, g.at})
		}
	}
	return out
}

// names reports whether undoes, on a row of channel, names s.
func (s *sale) names(channel, undoes string) bool {
	if s.channel == channel && s.order == undoes {
		return true
	}
	rest, ok := strings.CutPrefix(undoes, s.channel)
	return ok && len(rest) > 1 && rest[0] == '/' && rest[1:] == s.order
}

// target returns the row that undoes names, over all installations: a further
// row before the good one, the latest first.
func (f *folder) target(channel, undoes string) (in *install, at int) {
	at = -1
	for i := len(f.b.installs) - 1; i >= 0; i-- {
		list := f.b.installs[i].sales
		for k := len(list) - 1; k >= 0; k-- {
			if list[k].names(channel, undoes) && (at < 0 || list[k].further && !in.sales[at].further) {
				in, at = &f.b.installs[i], k
			}
		}
	}
	return in, at
}

// undo takes a row of kind refund or reversal. A second row of its order is a
// DUP_SALE, which Order reports.
func (f *folder) undo(in *install, row *sale, undoes string) {
	u := undo{channel: row.channel, order: row.order, undoes: undoes, number: row.number,
		amount: row.amount, volume: row.volume, day: row.day, at: row.at}
	for i := range f.b.installs {
		if slices.ContainsFunc(f.b.installs[i].undos, func(o undo) bool { return o.channel == u.channel && o.order == u.order }) {
			return
		}
	}
	if row.number > 0 {
		f.based(in, row.number-1)
		f.name(in, row.number, row)
	}
	if of, k := f.target(u.channel, undoes); k >= 0 {
		in = of
		f.apply(in, k, &u)
	} else if u.number > 0 && in.live.has(u.number) && in.good(u.number) < 0 {
		// The purchase was loaded long ago and its row is no longer carried.
		u.found, u.agrees = true, true
		f.giveUp(in, &sale{number: u.number, amount: u.amount, volume: u.volume, loaded: true, loadedAt: in.seen.at, compared: true}, &u)
	}
	in.claim(&u)
	in.undos = append(in.undos, u)
	in.dropUndos()
}

// apply undoes the k-th row of in.
func (f *folder) apply(in *install, k int, u *undo) {
	row := in.sales[k]
	in.sales = slices.Delete(in.sales, k, k+1)
	u.found, u.number = true, row.number
	u.agrees = u.amount == row.amount && (u.volume == 0 || u.volume == row.volume)
	if row.further {
		u.further = true
		return
	}
	f.giveUp(in, &row, u)
}

// giveUp ends the good row of a number: a further row takes its place, or the
// number is live no more.
func (f *folder) giveUp(in *install, row *sale, u *undo) {
	other := slices.IndexFunc(in.sales, func(s sale) bool { return s.number == row.number })
	if other < 0 {
		in.live = in.live.without(row.number)
		if !row.loaded {
			f.figures.Purchases.Undone.add(row.tally())
		}
		return
	}
	next := &in.sales[other]
	next.further, next.loaded, next.loadedAt, next.compared = false, row.loaded, row.loadedAt, row.compared
	u.further = true
	f.swap(row, next)
	f.mark(next)
	f.compareAgain(in, row, next)
}

// settlePending undoes what undo rows have waited for, now that a row is new.
func (f *folder) settlePending() {
	for i := range f.b.installs {
		of := &f.b.installs[i]
		for k := 0; k < len(of.undos); k++ {
			u := of.undos[k]
			if u.found {
				continue
			}
			in, at := f.target(u.channel, u.undoes)
			if at < 0 {
				continue
			}
			f.apply(in, at, &u)
			in.claim(&u)
			of.undos = slices.Delete(of.undos, k, k+1)
			in.undos = append(in.undos, u)
			return
		}
	}
}

// claim looks for the clear entry of u: of its number, with a moment from one
// day before it on.
func (in *install) claim(u *undo) {
	if u.cleared || u.further {
		return
	}
	for i, c := range in.clears {
		if c.number == u.number && c.at >= u.at-dayMillis {
			u.cleared = true
			in.clears = slices.Delete(in.clears, i, i+1)
			return
		}
	}
}

// wrong says what is wrong with u, or nothing.
func (in *install) wrong(u *undo) string {
	switch {
	case !u.found:
		return "no purchase with the order that it undoes"
	case !u.agrees:
		return "amount differs from the purchase's"
	case u.further:
		return ""
	case in.loaded.has(u.number) && !in.live.has(u.number) && in.lastUndo(u):
		return "the purchase was loaded"
	case !u.cleared:
		return "the purchase was not taken off the card"
	}
	return ""
}

// lastUndo reports whether no later row undoes the number of u.
func (in *install) lastUndo(u *undo) bool {
	for i := range in.undos {
		if o := &in.undos[i]; o.number == u.number && (o.at > u.at || o.at == u.at && o.order > u.order) {
			return false
		}
	}
	return true
}

// dropUndos forgets undo rows that nothing can make wrong any more: their number
// was sold again. The last two stay, to know a second row of their orders.
func (in *install) dropUndos() {
	for i := 0; i < len(in.undos)-2; i++ {
		u := &in.undos[i]
		if u.found && u.agrees && (u.further || u.cleared && in.live.has(u.number)) {
			in.undos = slices.Delete(in.undos, i, i+1)
			i--
		}
	}
}

// transfer takes a row of kind transfer, for the i-th installation.
func (f *folder) transfer(i int, row *sale) {
	in := &f.b.installs[i]
	in.carried += f.worth(row)
	for k := range i {
		f.leave(&f.b.installs[k])
	}
	if !in.live.has(row.number) {
		f.sold(in, row, &f.figures.Purchases.Transferred)
	}
}

// leave takes the credit of a removed meter out of the liability.
func (f *folder) leave(in *install) {
	if !in.left && in.shown.set {
		f.stock(in, -1)
	}
	in.left = true
}

// reissue takes a row of kind reissue, which stands for the order undoes.
func (f *folder) reissue(in *install, row *sale, undoes string) {
	of, k := f.target(row.channel, undoes)
	problem := ""
	switch {
	case k < 0 || of.sales[k].further:
		problem = "no live sale with the order that it stands for"
	case of.sales[k].loaded && of.sales[k].loadedAt < row.at:
		problem = "the purchase was loaded before"
	case of.sales[k].amount != row.amount || of.sales[k].volume != row.volume:
		problem = "amount differs from the sale's"
	}
	if problem != "" {
		f.badReissue(in, row, problem)
	}
	if k >= 0 && !of.sales[k].further && !of.sales[k].loaded {
		old := of.sales[k]
		of.sales = slices.Delete(of.sales, k, k+1)
		of.live = of.live.without(old.number)
		t := &f.figures.Purchases.Transferred
		*t = t.less(old.tally())
	}
	if !in.live.has(row.number) {
		f.sold(in, row, &f.figures.Purchases.Transferred)
	}
}

// badReissue reports a reissue row.
func (f *folder) badReissue(in *install, row *sale, problem string) {
	d := f.difference(ledger.CardReplaced, in)
	d.Channel, d.Order, d.Day, d.Moment = row.channel, row.order, row.day, instant(row.at)
	d.Purchase = schemas.PurchaseRef{Scheme: in.scheme, Number: row.number}
	d.Amount, d.Volume = row.amount, row.volume
	d.Shown, d.Note = "reissue "+row.amount.String(), "reissue: "+problem
	f.roll.report(d, "")
}
