package yearbooks

import (
	"context"
	"fmt"
	"iter"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
	"citygrid/simulators/year"
)

// fact is what must agree between the world's list and the books.
type fact struct {
	class          ledger.Class
	channel, order string
	meter          string
	purchase       uint32
	fen, volume    int64
	day            int32
}

func (f fact) String() string {
	return fmt.Sprintf("%s %s/%s meter %q purchase %d: %d fen, volume %d, day %s",
		f.class, f.channel, f.order, f.meter, f.purchase, f.fen, f.volume, ledger.Day(f.day))
}

func injected(d *year.Difference) fact {
	return fact{ledger.Class(d.Class), d.Channel, d.Order, string(d.Meter), number(ledger.Class(d.Class), d.Purchase), int64(d.Amount), d.Volume, d.Day}
}

// found leaves out the meter where the world knows none, because a payment names
// none: the books have it from the sale.
func found(d *ledger.Difference) fact {
	if d.Class == ledger.DupPay || d.Class == ledger.PaidNoSale {
		return fact{d.Class, d.Channel, d.Order, "", number(d.Class, d.Purchase.Number), int64(d.Amount), d.Volume, int32(d.Day)}
	}
	return fact{d.Class, d.Channel, d.Order, string(d.Meter), number(d.Class, d.Purchase.Number), int64(d.Amount), d.Volume, int32(d.Day)}
}

// number leaves out the purchase of a place that is silent: it is the last one
// seen, and no part of the fact.
func number(c ledger.Class, n uint32) uint32 {
	if c == ledger.Stale {
		return 0
	}
	return n
}

// compare fills the classes of the report.
func (p *player) compare(ctx context.Context) error {
	waiting := map[fact]int{}
	at := map[ledger.Class]int{}
	for i, c := range ledger.Classes() {
		p.report.Classes = append(p.report.Classes, Class{Class: c})
		at[c] = i
	}
	list := p.world.Injected()
	for i := range list {
		f := injected(&list[i])
		waiting[f]++
		p.report.Classes[at[f.class]].Injected++
	}
	for _, cleared := range []bool{false, true} {
		if err := p.each(ctx, cleared, func(d *ledger.Difference) {
			f := found(d)
			c := &p.report.Classes[at[f.class]]
			if waiting[f] == 0 {
				c.Extra++
				p.explain("not in the world: " + f.String())
				return
			}
			waiting[f]--
			c.Found++
		}); err != nil {
			return err
		}
	}
	for i := range list { // in order, so that the report is the same each time
		if f := injected(&list[i]); waiting[f] > 0 {
			waiting[f]--
			p.explain("not found, " + list[i].Cause + ": " + f.String())
		}
	}
	return nil
}

func (p *player) explain(s string) {
	if len(p.report.First) < maxExplained {
		p.report.First = append(p.report.First, s)
	}
}

// pageSize is how many differences are asked for at once.
const pageSize = 1000

// each calls do for every difference of the books, those that are open or those
// that are cleared.
func (p *player) each(ctx context.Context, cleared bool, do func(*ledger.Difference)) error {
	for offset := int64(0); ; offset += pageSize {
		list, _, err := p.books.Differences(ctx, books.DifferenceFilter{Cleared: cleared, Page: books.Page{Limit: pageSize, Offset: offset}})
		if err != nil {
			return err
		}
		for i := range list {
			do(&list[i].Difference)
		}
		if len(list) < pageSize {
			return nil
		}
	}
}

// chunks yields up to n elements of seq at once.
func chunks[T any](seq iter.Seq[T], n int) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		var group []T
		for v := range seq {
			if group = append(group, v); len(group) == n {
				if !yield(group) {
					return
				}
				group = nil
			}
		}
		if len(group) > 0 {
			yield(group)
		}
	}
}
