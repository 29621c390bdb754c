package books

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"citygrid/hub/ledger/billing"
	"citygrid/schemas"
)

// read asks for the registers that drafts want, moment by moment: boundaries are
// mostly common to all.
func (m *biller) read(ctx context.Context, list []draft) error {
	at := make(map[time.Time][]schemas.MeterID)
	quantities := useQuantities(m.q.Utility)
	rates := 0
	for n := range list {
		d := &list[n]
		rates = max(rates, d.rates)
		for moment, a := range d.asked {
			if !a.ok {
				at[moment] = append(at[moment], d.c.Meter)
			}
		}
	}
	quantities = append(quantities, rateQuantities(m.q.Utility, rates)...)
	near, sync := make(readings), m.b.o.Rules.Sync
	for moment, meters := range at {
		slices.Sort(meters)
		if err := near.ask(ctx, m.from, slices.Compact(meters), quantities, moment.Add(-sync), moment.Add(sync)); err != nil {
			return err
		}
	}
	for n := range list {
		list[n].answer(near, sync)
	}
	return nil
}

// ask adds the readings of meters.
func (r readings) ask(ctx context.Context, from Registers, meters []schemas.MeterID, quantities []schemas.Quantity, first, last time.Time) error {
	err := from.Registers(ctx, meters, quantities, first, last, func(x schemas.Reading) error { r.add(&x); return nil })
	if err != nil {
		return fmt.Errorf("ask for the readings of %d meters: %w", len(meters), err)
	}
	return nil
}

// windowAt is the time in which a reading speaks for the account's register at a
// moment.
func (d *draft) windowAt(at time.Time, sync time.Duration) window {
	return windowOf(&lacking{moment: millis(at), from: d.row.From, to: d.row.To}, sync)
}

// answer takes the registers that a draft wants.
func (d *draft) answer(near readings, sync time.Duration) {
	if d.asked == nil {
		return
	}
	d.choose(near, sync)
	for at, a := range d.asked {
		if !a.ok {
			a.Register, a.ok, a.doubt = d.register(near, d.windowAt(at, sync))
			a.At = at
		}
	}
}

// choose settles which register of the meter is billed: that of the bill before,
// else the best that it has at all at one of the moments. A switch between two would
// look like use.
func (d *draft) choose(near readings, sync time.Duration) {
	list := useQuantities(d.c.Utility)
	if d.quantity != "" {
		return
	}
	d.quantity = list[0]
	for _, q := range list {
		held := near[series{d.c.Meter, q}]
		for at := range d.asked {
			w := d.windowAt(at, sync)
			if slices.ContainsFunc(held, func(x shown) bool { return w.has(x.at) }) {
				d.quantity = q
				return
			}
		}
	}
}

// register returns what the meter showed: its main counter, or the sum of those by
// rate where the plan has rates. doubt says that there is a reading, but no good one.
func (d *draft) register(near readings, w window) (r billing.Register, ok, doubt bool) {
	main := series{d.c.Meter, d.quantity}
	if d.rates == 0 {
		s, ok := w.nearest(near[main], w.moment)
		doubt := !ok && slices.ContainsFunc(near[main], func(s shown) bool { return w.has(s.at) })
		return billing.Register{Reading: billing.Reading{Total: s.value}, Taken: moment(s.at)}, ok, doubt
	}
	quantities := rateQuantities(d.c.Utility, d.rates)
	if quantities == nil {
		return r, false, false
	}
	first := slices.Clone(near[series{d.c.Meter, quantities[0]}])
	slices.SortStableFunc(first, func(a, b shown) int {
		return cmp.Or(cmp.Compare(distance(a.at, w.moment), distance(b.at, w.moment)), cmp.Compare(a.at, b.at), cmp.Compare(a.value, b.value))
	})
	l := &lacking{meter: d.c.Meter}
	for _, s := range first {
		if !w.has(s.at) {
			continue
		}
		doubt = true
		if !s.good {
			continue
		}
		if values := near.round(l, w, quantities[1:], s); values != nil {
			r = billing.Register{Reading: billing.Reading{ByRate: values}, Taken: moment(s.at)}
			for _, v := range values {
				r.Total += v
			}
			return r, true, false
		}
	}
	return r, false, doubt
}
