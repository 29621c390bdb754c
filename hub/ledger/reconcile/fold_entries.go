package reconcile

import (
	"fmt"
	"slices"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// maxCredit bounds credit and use, so that no sum of a place overflows: ten
// billion yuan, or a billion m³ or kWh.
const maxCredit = 1_000_000_000_000

// takeEntry takes one card entry.
func (f *folder) takeEntry(e *ledger.Entry) error {
	i := f.at(e.InstalledAt)
	if reason := f.badEntry(e, i); reason != "" {
		f.refuse("entry", e.ID, reason)
		return nil
	}
	f.figures.Entries++
	at := e.Moment().UnixMilli()
	switch e.Event {
	case schemas.CardIssue:
		f.issue(e, at)
		return nil
	case schemas.CardSale:
		return nil
	case schemas.CardClear:
		f.b.installs[i].clear(e.Purchase.Number, at)
		return nil
	}
	in := &f.b.installs[i]
	if e.Day > in.heard || e.Day == in.heard && at > in.heardAt {
		in.heard, in.heardAt = e.Day, at
	}
	var err error
	switch e.Event {
	case schemas.CardLoad:
		f.load(in, e, at)
	case schemas.CardReturn, schemas.CardState:
		err = f.show(i, e, at)
	}
	in.prune()
	return err
}

// badEntry says why e contradicts its place, or nothing. i is its installation.
func (f *folder) badEntry(e *ledger.Entry, i int) string {
	numbered := e.Event == schemas.CardLoad || e.Event == schemas.CardClear
	switch {
	case e.Meter != f.place.Meter:
		return fmt.Sprintf("meter %s: the entry is of another place than %s", e.Meter, f.place.Meter)
	case e.Utility != f.place.Utility:
		return fmt.Sprintf("utility %q at a place of %s: correct the register", e.Utility, f.place.Utility)
	case e.Event == schemas.CardIssue || e.Event == schemas.CardSale:
		return ""
	case i < 0:
		return fmt.Sprintf("installation of %s is not in the register: enter it", e.InstalledAt.UTC())
	case rank(e.Event) == 5 && e.Event != schemas.CardRefusal:
		return fmt.Sprintf("event %q is not known", e.Event)
	case numbered && e.Purchase.Number == 0:
		return fmt.Sprintf("%s without a purchase number", e.Event)
	}
	for _, c := range [...]*schemas.Credit{&e.Amount, &e.Residual, &e.Overdraft, &e.Bought} {
		if c.Known() && (c.Unit != f.place.Purse || c.Value < 0 || c.Value > maxCredit) {
			return fmt.Sprintf("credit of %d %s at a purse of %s: correct the register, or look at the meter", c.Value, c.Unit, f.place.Purse)
		}
	}
	if e.Used.Known() && (e.Used.Value < 0 || e.Used.Value > maxCredit || e.Used.Unit != f.volumeUnit() && e.Used.Unit != f.place.Purse) {
		return fmt.Sprintf("use of %d %s at a meter of %s: correct the register, or look at the meter", e.Used.Value, e.Used.Unit, f.place.Utility)
	}
	// Last, since what is refused must not settle the scheme.
	if e.Purchase.Number > 0 && !f.b.installs[i].adopt(e.Purchase.Scheme) {
		return fmt.Sprintf("purchase scheme %q: the installation counts by another; correct the register", e.Purchase.Scheme)
	}
	return ""
}

// volumeUnit returns the unit of use.
func (f *folder) volumeUnit() schemas.CreditUnit {
	if f.place.Utility == schemas.Power {
		return schemas.CreditWh
	}
	return schemas.CreditLitre
}

// issue notes that a card is replaced, and looks for loads by it since.
func (f *folder) issue(e *ledger.Entry, at int64) {
	if e.Replaces == "" || slices.Contains(f.b.cards, replaced{e.Replaces, at}) {
		return
	}
	f.b.cards = append(f.b.cards, replaced{e.Replaces, at})
	for i := range f.b.installs {
		in := &f.b.installs[i]
		for k := range in.loads {
			if l := &in.loads[k]; l.card == e.Replaces && l.at > at {
				f.oldCard(in, l)
			}
		}
	}
}

// oldCard reports a load by a card, or of a purchase, that had been replaced.
func (f *folder) oldCard(in *install, l *load) {
	d := f.difference(ledger.CardReplaced, in)
	d.Purchase = schemas.PurchaseRef{Scheme: in.scheme, Number: l.number}
	d.Card, d.Moment, d.Day = l.card, instant(l.at), l.day
	f.credit(&d, l.amount)
	d.Shown, d.Note = f.words("load", l.amount), "the card was replaced before: find who holds it"
	if in.superseded(l.number) {
		d.Note = "the purchase was written again for another meter, and this one loaded it too"
	}
	f.roll.report(d, "")
}

// superseded reports whether number n was sold and then written again for
// another meter: its row is not live, and none undid it.
func (in *install) superseded(n uint32) bool {
	return in.sold.has(n) && !in.live.has(n) && !slices.ContainsFunc(in.undos, func(u undo) bool { return u.number == n })
}

// isReplaced reports whether card was replaced before the moment at.
func (f *folder) isReplaced(card schemas.CardID, at int64) bool {
	return card != "" && slices.ContainsFunc(f.b.cards, func(r replaced) bool { return r.card == card && r.at < at })
}

// clear notes that number n was taken off the card, for the earliest undo row
// that waits for it.
func (in *install) clear(n uint32, at int64) {
	for i := range in.undos {
		u := &in.undos[i]
		if u.number == n && !u.cleared && !u.further && at >= u.at-dayMillis {
			u.cleared = true
			return
		}
	}
	if slices.Contains(in.clears, clearing{n, at}) {
		return
	}
	if len(in.clears) == keepClears {
		in.clears = slices.Delete(in.clears, 0, 1)
	}
	in.clears = append(in.clears, clearing{n, at})
}

// load takes a load record.
func (f *folder) load(in *install, e *ledger.Entry, at int64) {
	l := load{number: e.Purchase.Number, known: e.Amount.Known(), amount: e.Amount.Value, card: e.Card, at: at, day: e.Day}
	for i := range in.loads {
		if told := &in.loads[i]; told.number == l.number && (told.amount == l.amount || !told.known || !l.known) {
			f.retell(in, told, &l)
			return
		}
	}
	f.based(in, l.number-1)
	f.loadedTo(in, l.number, l.number, at, e.Day)
	f.priceUnsold(in, &l)
	if i := in.good(l.number); i >= 0 {
		f.compare(in, &in.sales[i], &l)
	}
	if f.isReplaced(l.card, at) || in.superseded(l.number) {
		f.oldCard(in, &l)
	}
	in.loads = append(in.loads, l)
}

// retell joins a second telling l of the load told.
func (f *folder) retell(in *install, told, l *load) {
	if told.card == "" && l.card != "" {
		told.card = l.card
		if f.isReplaced(l.card, told.at) {
			f.oldCard(in, told)
		}
	}
	if !told.known && l.known {
		told.known, told.amount = true, l.amount
		f.priceUnsold(in, told)
		if i := in.good(l.number); i >= 0 {
			f.compare(in, &in.sales[i], told)
		}
	}
}

// priceUnsold fills the amount of a load that nobody sold from its record.
func (f *folder) priceUnsold(in *install, l *load) {
	if !l.known || in.sold.has(l.number) {
		return
	}
	i := slices.IndexFunc(in.unsold, func(u unsold) bool { return u.first <= l.number && l.number <= u.last })
	if i < 0 || in.unsold[i].known {
		return
	}
	u := in.unsold[i]
	in.unsold = cutUnsold(in.unsold, l.number)
	u.first, u.last, u.known, u.amount, u.card = l.number, l.number, true, l.amount, l.card
	in.unsold = append(in.unsold, u)
}

// compare compares a sale with its load record.
func (f *folder) compare(in *install, s *sale, l *load) {
	if !l.known {
		return
	}
	s.compared = true
	if l.amount == f.worth(s) {
		return
	}
	d := f.difference(ledger.LoadAmountDiff, in)
	d.Purchase = schemas.PurchaseRef{Scheme: in.scheme, Number: l.number}
	d.Card, d.Moment, d.Day = l.card, instant(l.at), l.day
	f.credit(&d, l.amount-f.worth(s))
	d.Shown, d.Expected = f.words("meter", l.amount), f.words("sale", f.worth(s))
	d.Note = "the meter loaded another amount than order " + s.order + " of " + s.channel + " sold"
	f.roll.report(d, "")
}

// loadedTo notes evidence that the numbers first to last are loaded.
func (f *folder) loadedTo(in *install, first, last uint32, at int64, day ledger.Day) {
	first = max(first, in.base+1)
	if first > last {
		return
	}
	in.loaded.holes(first, last, func(first, last uint32) {
		for i := range in.sales {
			if s := &in.sales[i]; s.number >= first && s.number <= last {
				f.loadSale(in, s, at)
			}
		}
		in.gaps = cutGaps(in.gaps, first, last)
		in.sold.holes(first, last, func(first, last uint32) {
			in.unsold = append(in.unsold, unsold{first: first, last: last, day: day, at: at})
		})
	})
	in.loaded = in.loaded.with(first, last)
}

// loadSale notes that s is loaded.
func (f *folder) loadSale(in *install, s *sale, at int64) {
	if !s.further && !s.loaded {
		f.figures.Purchases.Loaded.add(s.tally())
		if s.kind == ledger.Reissue && at < s.at {
			f.badReissue(in, s, "the purchase was loaded before")
		}
	}
	s.loaded, s.loadedAt = true, at
}

// show takes a state or return of the i-th installation: counts first, then the
// two checks.
func (f *folder) show(i int, e *ledger.Entry, at int64) error {
	in, count := &f.b.installs[i], e.Purchase.Number
	// A count of 0 is a count too, also before any purchase has settled the scheme.
	counted := e.Purchase.Scheme == schemas.BySequence && (in.counts() || in.scheme == "")
	bought := in.bought
	if counted {
		if count > 0 {
			f.based(in, count)
			f.loadedTo(in, 1, count, at, e.Day)
		}
		if !in.seen.set || at >= in.seen.at {
			in.seen = reading{true, at, count}
		}
	} else if count > 0 {
		f.loadedTo(in, count, count, at, e.Day)
	}
	if e.Residual.Known() {
		f.showPurse(i, e, at)
	}
	c := check{f: f, in: in, e: e, at: at, count: count, counted: counted}
	c.reverse()
	c.cumulative()
	f.priceByRise(in, &bought, e, at)
	return c.residual()
}

// showPurse notes what the i-th installation shows as credit.
func (f *folder) showPurse(i int, e *ledger.Entry, at int64) {
	in := &f.b.installs[i]
	if in.shown.set && at < in.shown.at || f.isFinal(i) && !f.nearEnd(i, at) {
		return
	}
	if in.shown.set && !in.left {
		f.stock(in, -1)
	}
	in.shown = shown{true, at, e.Residual.Value, e.Overdraft.Value}
	if !in.left {
		f.stock(in, 1)
	}
}

// nearEnd reports whether the moment at is within a day of the end of the i-th
// installation.
func (f *folder) nearEnd(i int, at int64) bool {
	end := f.place.Installations[i].To
	return !end.IsZero() && at >= end.UnixMilli()-dayMillis && at <= end.UnixMilli()+dayMillis
}

// isFinal reports whether the final credit of the i-th installation, a removed
// meter, is known; what it shows later, in the workshop, is not its customer's.
func (f *folder) isFinal(i int) bool {
	return f.b.installs[i].shown.set && f.nearEnd(i, f.b.installs[i].shown.at)
}

// stock adds the credit of in to the prepaid liability, sign times.
func (f *folder) stock(in *install, sign int64) {
	change := Stock{Residual: f.held(in.shown.residual), Overdraft: f.held(in.shown.overdraft)}
	f.figures.Stock.Change.add(&change, sign)
}

// held returns v, in the unit of the purse, as a tally of one.
func (f *folder) held(v int64) Tally {
	if f.place.Purse == schemas.CreditFen {
		return Tally{Count: 1, Fen: schemas.Fen(v)}
	}
	return Tally{Count: 1, Volume: v}
}

// priceByRise fills the amount of a load that nobody sold and no record tells
// of from the rise of the cumulative bought since the anchor before.
func (f *folder) priceByRise(in *install, before *anchor, e *ledger.Entry, at int64) {
	for i := range in.unsold {
		u := &in.unsold[i]
		if u.known || u.at != at || !e.Bought.Known() || !before.set || before.at > at {
			continue
		}
		u.known = true
		u.amount = max(0, e.Bought.Value-before.value-f.knownLoads(in, before, e, at))
		return
	}
}

// prune forgets sales and loads that no check wants any more.
func (in *install) prune() {
	for i := 0; i < len(in.sales); i++ {
		s := &in.sales[i]
		late := !s.compared && uint64(s.number)+keepBack > uint64(in.top)
		if s.loaded && !s.further && !late && !in.wants(s.number, s.loadedAt) && !in.hasFurther(s.number) {
			in.sales = slices.Delete(in.sales, i, i+1)
			i--
		}
	}
	cards := 0
	for i := len(in.loads) - 1; i >= 0; i-- {
		l := &in.loads[i]
		if l.card != "" {
			cards++
		}
		if !(l.card != "" && cards <= keepBack) && !in.wants(l.number, l.at) && !in.hasFurther(l.number) {
			in.loads = slices.Delete(in.loads, i, i+1)
		}
	}
}

// hasFurther reports whether a further row has number n, and may become the good one.
func (in *install) hasFurther(n uint32) bool {
	return slices.ContainsFunc(in.sales, func(s sale) bool { return s.further && s.number == n })
}

// wants reports whether one of the anchors still lies before a purchase.
func (in *install) wants(number uint32, at int64) bool {
	return in.bought.before(number, at) || in.purse.before(number, at)
}

// before reports whether a purchase is not in what a shows.
func (a *anchor) before(number uint32, at int64) bool {
	if a.counted {
		return a.set && number > a.count
	}
	return a.set && at > a.at
}
