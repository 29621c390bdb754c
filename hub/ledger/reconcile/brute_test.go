package reconcile

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// bruteDays is how long a muddled book goes on.
const bruteDays = 45

// muddle makes a book in which anything can be missing, twice or wrong: numbers
// left out or sold again, rows undone with and without a clear, loads that nobody
// sold. Everything arrives on its day.
func muddle(seed uint64) *book {
	b, rng := newBook(), rand.New(rand.NewPCG(seed, 11))
	top, count := uint32(0), uint32(0)
	var orders []ledger.Sale
	undone := map[uint32]bool{}
	b.state(0, 0, 0, 0, 0).Purchase = seq(0)
	b.entries[0].Bought, b.entries[0].Residual = schemas.Credit{}, schemas.Credit{}
	for d := 1; d < bruteDays; d++ {
		switch rng.IntN(8) {
		case 0, 1: // a purchase: the next number, one left out, or one again
			n := top + 1
			if rng.IntN(6) == 0 {
				n++
			} else if rng.IntN(6) == 0 && top > 0 {
				n = 1 + rng.Uint32N(top)
			}
			top = max(top, n)
			orders = append(orders, *b.buy(fmt.Sprint("o", b.next()), d, n, 100*(1+rng.Int64N(3))))
		case 2: // an undo
			if len(orders) == 0 {
				break
			}
			s := orders[rng.IntN(len(orders))]
			if undone[s.Purchase.Number] {
				break
			}
			undone[s.Purchase.Number] = true
			fen, of := int64(s.Amount), s.Order
			if rng.IntN(6) == 0 && count < s.Purchase.Number { // a loaded row is not carried
				fen += 100
			}
			if rng.IntN(6) == 0 && count < s.Purchase.Number {
				of = "nobody's"
			}
			b.sell(ledger.Refund, fmt.Sprint("r", b.next()), d, 12, s.Purchase.Number, fen, of)
			if rng.IntN(3) > 0 {
				b.entry(schemas.CardClear, d, 12, s.Purchase.Number)
			}
		case 3, 4, 5: // the meter goes on, with a record or by its count only
			if count < top || rng.IntN(10) == 0 {
				count++
				if rng.IntN(2) == 0 {
					b.load(d, count, 100*(1+rng.Int64N(3)))
				}
			}
			b.entry(schemas.CardState, d, 20, 0).Purchase = seq(count)
		case 6:
			b.entry(schemas.CardState, d, 20, 0).Purchase = seq(count)
		}
	}
	return b
}

// judged is what docs/reconciliation.md says about the purchases of a book as of
// the n-th day, worked out from all rows at once.
type judged struct {
	b       *book
	on      ledger.Day
	rows    []ledger.Sale // purchases that no row undid
	named   map[uint32]bool
	loaded  map[uint32]ledger.Day
	told    map[uint32]schemas.Fen  // by the first load record
	undone  map[string]*ledger.Sale // by the order of the undo row
	stayed  map[string]bool         // whether the number stayed live when it was undone
	first   map[uint32]*ledger.Sale
	heard   ledger.Day
	results []string
}

func (b *book) judge(n int) []string {
	j := &judged{b: b, on: dayOf(n), named: map[uint32]bool{}, loaded: map[uint32]ledger.Day{}, told: map[uint32]schemas.Fen{}, undone: map[string]*ledger.Sale{},
		stayed: map[string]bool{}, first: map[uint32]*ledger.Sale{}, heard: dayOf(0)}
	j.gather()
	j.sides()
	j.undos()
	j.numbers()
	slices.Sort(j.results)
	return j.results
}

// gather applies the rows in the order of their days.
func (j *judged) gather() {
	for i := range j.b.sales {
		s := j.b.sales[i]
		if s.Day > j.on {
			continue
		}
		j.named[s.Purchase.Number] = true
		if s.Kind == ledger.Purchase {
			j.rows = append(j.rows, s)
			continue
		}
		if k := slices.IndexFunc(j.rows, func(p ledger.Sale) bool { return p.Order == s.Undoes }); k >= 0 {
			j.undone[s.Order] = &j.b.sales[slices.IndexFunc(j.b.sales, func(p ledger.Sale) bool { return p.Order == s.Undoes })]
			j.rows = slices.Delete(j.rows, k, k+1)
			j.stayed[s.Order] = slices.ContainsFunc(j.rows, func(p ledger.Sale) bool { return p.Purchase == s.Purchase })
		}
	}
	for i := range j.rows {
		if s := &j.rows[i]; j.first[s.Purchase.Number] == nil {
			j.first[s.Purchase.Number] = s
		}
	}
	for _, e := range j.b.entries {
		if e.Day > j.on || e.Event == schemas.CardClear {
			continue
		}
		j.heard = max(j.heard, e.Day)
		if _, told := j.told[e.Purchase.Number]; !told && e.Event == schemas.CardLoad {
			j.told[e.Purchase.Number] = schemas.Fen(e.Amount.Value)
		}
		for n := uint32(1); n <= e.Purchase.Number; n++ {
			if _, known := j.loaded[n]; !known && (e.Event == schemas.CardState || n == e.Purchase.Number) {
				j.loaded[n] = e.Day
			}
		}
	}
}

func (j *judged) say(d ledger.Difference) {
	d.Meter, d.From = "M1", j.b.from(0)
	j.results = append(j.results, fmt.Sprint(Key(d), " ", d.Amount))
}

// sides says what the order of each row lacks: nobody pays in a muddle.
func (j *judged) sides() {
	for i := range j.b.sales {
		s := &j.b.sales[i]
		further := s.Kind == ledger.Purchase && j.isFurther(s)
		if s.Day+2 > j.on || further {
			continue
		}
		amount := s.Amount
		if s.Kind != ledger.Purchase {
			amount = -amount
		}
		d := ledger.Difference{Class: ledger.SaleNoPay, Channel: "bank", Order: s.Order, Amount: amount}
		key := Key(d)
		if s.Kind != ledger.Purchase {
			key += "#refund"
		}
		j.results = append(j.results, fmt.Sprint(key, " ", amount))
	}
}

// isFurther reports a row that was sold over a live one, and is not the good one now.
func (j *judged) isFurther(s *ledger.Sale) bool {
	was := false
	for i := range j.b.sales {
		p := &j.b.sales[i]
		if p.Kind == ledger.Purchase && p.Purchase == s.Purchase && p.ID < s.ID {
			until := j.undoneOn(p)
			was = was || until == 0 || until > s.Day
		}
	}
	good := j.first[s.Purchase.Number]
	return was && (good == nil || good.ID != s.ID) && !j.wasPromoted(s)
}

// wasPromoted reports that s stood alone before it was undone.
func (j *judged) wasPromoted(s *ledger.Sale) bool {
	end := j.undoneOn(s)
	if end == 0 {
		return false
	}
	for i := range j.b.sales {
		p := &j.b.sales[i]
		if p.Kind == ledger.Purchase && p.Purchase == s.Purchase && p.ID < s.ID {
			if until := j.undoneOn(p); until == 0 || until > end {
				return false
			}
		}
	}
	return true
}

// undoneOn returns the day of the row that undid p, 0 for none.
func (j *judged) undoneOn(p *ledger.Sale) ledger.Day {
	for i := range j.b.sales {
		if u := &j.b.sales[i]; u.Kind == ledger.Refund && u.Day <= j.on && j.undone[u.Order] != nil && j.undone[u.Order].ID == p.ID {
			return u.Day
		}
	}
	return 0
}

// undos says which undo rows are wrong.
func (j *judged) undos() {
	for i := range j.b.sales {
		u := &j.b.sales[i]
		if u.Kind != ledger.Refund || u.Day+1 > j.on {
			continue
		}
		of, n := j.undone[u.Order], u.Purchase.Number
		wrong := of == nil || of.Amount != u.Amount
		if !wrong && !j.stayed[u.Order] {
			loaded := j.loaded[n] != 0 && j.first[n] == nil
			cleared := slices.ContainsFunc(j.b.entries, func(e ledger.Entry) bool {
				return e.Event == schemas.CardClear && e.Purchase.Number == n && e.Day <= j.on && !e.TakenAt.Before(u.At.AddDate(0, 0, -1))
			})
			wrong = loaded || !cleared
		}
		if wrong {
			j.say(ledger.Difference{Class: ledger.Reversed, Channel: "bank", Order: u.Order, Amount: u.Amount})
		}
	}
}

// numbers says what is wrong with the numbers of the installation.
func (j *judged) numbers() {
	stale := j.on-j.heard > 3
	if stale {
		j.say(ledger.Difference{Class: ledger.Stale, Day: j.heard})
	}
	top := uint32(0)
	for _, s := range j.rows {
		if s.Day+1 <= j.on {
			top = max(top, s.Purchase.Number)
		}
		if g := j.first[s.Purchase.Number]; g.ID != s.ID {
			j.say(ledger.Difference{Class: ledger.DupSale, Channel: "bank", Order: s.Order, Moment: s.At, Amount: s.Amount})
		}
	}
	gap := j.lowestGap(top)
	for n := uint32(1); n < 100; n++ {
		good, day := j.first[n], j.loaded[n]
		if good != nil && day == 0 && j.on-good.Day > 30 && !stale && (gap == 0 || gap > n) {
			j.say(ledger.Difference{Class: ledger.SoldNotLoaded, Purchase: seq(n), Day: good.Day, Amount: good.Amount})
		}
		if day != 0 && !j.named[n] && j.on-day >= 1 {
			j.say(ledger.Difference{Class: ledger.LoadedNotSold, Purchase: seq(n), Amount: j.told[n]})
		}
	}
}

// lowestGap says which numbers are missing, and returns the lowest.
func (j *judged) lowestGap(top uint32) uint32 {
	lowest := uint32(0)
	for n := uint32(1); n < 100; n++ {
		if j.named[n] || j.loaded[n] != 0 || top <= n {
			continue
		}
		j.say(ledger.Difference{Class: ledger.CounterGap, Purchase: seq(n)})
		if lowest == 0 {
			lowest = n
		}
	}
	for n := uint32(1); n < 100 && (lowest == 0 || n < lowest); n++ {
		low, high := j.first[n], j.first[n+1]
		if low == nil || high == nil || j.loaded[n] != 0 {
			continue
		}
		if slices.ContainsFunc(j.b.entries, func(e ledger.Entry) bool {
			return e.Event == schemas.CardState && e.Day <= j.on && e.TakenAt.After(high.At) && e.Purchase.Number < n
		}) {
			j.say(ledger.Difference{Class: ledger.CounterGap, Purchase: seq(n), Amount: low.Amount})
			return n
		}
	}
	return lowest
}

// TestBrute compares the open differences of muddled books, in one run and in
// several, with what the page says about all rows at once.
func TestBrute(t *testing.T) {
	for seed := range uint64(120) {
		b := muddle(seed)
		for _, to := range []int{bruteDays / 2, bruteDays - 1, bruteDays + 30} {
			wanted := b.judge(to)
			for _, step := range []int{to + 1, 7, 1} {
				r, open := newRunner(t, b), []string(nil)
				for from := 0; from <= to; from += step {
					r.run(from, min(to, from+step-1))
				}
				open = r.openNow()
				if !slices.Equal(open, wanted) {
					t.Fatalf("seed %d up to day %d by %d:\n got %q\nwant %q", seed, to, step, open, wanted)
				}
			}
		}
	}
}

// openNow returns the open differences that the judge knows, with their amounts.
func (r *runner) openNow() (all []string) {
	take := func(open []Open) {
		for _, o := range open {
			if o.Class == ledger.LoadAmountDiff {
				continue
			}
			key := o.Key // the number of one that was found anew does not matter
			if i := strings.LastIndexByte(key, '#'); i >= 0 && strings.Trim(key[i+1:], "0123456789") == "" {
				key = key[:i]
			}
			all = append(all, fmt.Sprint(key, " ", o.Amount))
		}
	}
	b, err := DecodeBalance(r.acct)
	if err != nil {
		r.t.Fatal(err)
	}
	take(b.Open)
	for _, stored := range r.orders {
		o, err := DecodeOrderBalance(stored)
		if err != nil {
			r.t.Fatal(err)
		}
		take(o.Open)
	}
	slices.Sort(all)
	return all
}

// TestBruteLate is TestBrute with entries that arrive days after their day, and
// decisions about other things in between: where the books stand in the end is the
// same.
func TestBruteLate(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 13))
		b := muddle(seed)
		to := bruteDays + 8
		wanted := b.judge(to)
		arrives := make(map[int64]int)
		for _, e := range b.entries {
			arrives[e.ID] = int(e.Day - dayOf(0))
			if rng.IntN(4) == 0 {
				arrives[e.ID] += rng.IntN(7)
			}
		}
		all := b.entries
		r := newRunner(t, b)
		for d := 0; d <= to; d++ {
			b.entries = slices.DeleteFunc(slices.Clone(all), func(e ledger.Entry) bool { return arrives[e.ID] > d })
			r.closed = []string{"no such key"}
			r.run(d, d)
		}
		if open := r.openNow(); !slices.Equal(open, wanted) {
			t.Fatalf("seed %d:\n got %q\nwant %q", seed, open, wanted)
		}
	}
}

// TestLivesWithoutRecords: a life without faults stays one when load records are
// lost or late, or states are, since the counts tell the same.
func TestLivesWithoutRecords(t *testing.T) {
	for seed := range uint64(60) {
		l := newLife(seed)
		all := slices.DeleteFunc(l.entries, func(e ledger.Entry) bool {
			return e.Event == schemas.CardLoad && l.rng.IntN(2) == 0 || e.Event == schemas.CardState && l.rng.IntN(8) == 0 && !l.atChange(e)
		})
		arrives := make(map[int64]ledger.Day)
		for i := range all {
			e := &all[i]
			arrives[e.ID] = e.Day
			if e.Event == schemas.CardLoad && l.rng.IntN(3) == 0 {
				e.RecordedAt = e.TakenAt
				arrives[e.ID] += ledger.Day(l.rng.IntN(3))
			}
		}
		r := newRunner(t, l.book)
		for d := range lifeDays {
			l.entries = slices.DeleteFunc(slices.Clone(all), func(e ledger.Entry) bool { return arrives[e.ID] > dayOf(d) })
			if out := r.run(d, d); len(out.found) > 0 {
				t.Fatalf("seed %d, day %d: %q", seed, d, out.found)
			}
		}
	}
}

// atChange reports a state on the day of a replacement, which tells what was left.
func (l *life) atChange(e ledger.Entry) bool {
	to := l.place.Installations[0].To
	return !to.IsZero() && e.TakenAt.After(to.AddDate(0, 0, -1)) && e.TakenAt.Before(to.AddDate(0, 0, 1))
}
