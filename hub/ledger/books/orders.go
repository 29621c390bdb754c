package books

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"citygrid/hub/ledger/reconcile"
)

// orderStreams are what the orders are made of, each in the order of channel and
// order.
type orderStreams struct {
	balances *stream[orderItem]
	sales    *stream[saleItem]
	payments *stream[paymentItem]
	// named are the orders that a mark or a decision is about.
	named []orderKey
}

func (w *work) openOrders(ctx context.Context, group *errgroup.Group) *orderStreams {
	db, r, bytes := w.b.read.DB, &w.r, w.b.bytewise()
	balances := "SELECT channel, order_no, wake, body FROM order_balances WHERE utility = ?" + orderBy(bytes)
	return &orderStreams{
		balances: open(ctx, group, db, w.b.db.Rebind(balances), []any{string(r.utility)}, scanOrder),
		sales:    open(ctx, group, db, r.orderSalesQuery(bytes), nil, r.scanSale),
		payments: open(ctx, group, db, r.orderPaymentsQuery(bytes), nil, scanPayment),
	}
}

// named returns the orders that a mark or a decision is about, in order.
func (w *work) named() []orderKey {
	named := make(map[orderKey]bool, len(w.marked)+len(w.closedBy))
	for key := range w.marked {
		named[key] = true
	}
	for key := range w.closedBy {
		named[key] = true
	}
	return slices.SortedFunc(maps.Keys(named), orderKey.compare)
}

// first returns the lowest order that any of the streams has next.
func (s *orderStreams) first() (key orderKey, ok bool) {
	take := func(k orderKey) {
		if !ok || k.compare(key) < 0 {
			key, ok = k, true
		}
	}
	if q := s.balances.peek(); q != nil {
		take(q.order)
	}
	if q := s.sales.peek(); q != nil {
		take(orderKey{q.s.Channel, q.s.Order})
	}
	if q := s.payments.peek(); q != nil {
		take(orderKey{q.p.Channel, q.p.Order})
	}
	if len(s.named) > 0 {
		take(s.named[0])
	}
	return key, ok
}

func (w *work) eachOrder(ctx context.Context, s *orderStreams) error {
	var done int64
	in := reconcile.OrderInput{Utility: w.r.utility}
	for key, ok := s.first(); ok; key, ok = s.first() {
		in.Channel, in.Order, in.Closed, in.Duplicates = key.channel, key.order, w.closedBy[key], w.marked[key]
		in.Sales, in.Payments = in.Sales[:0], in.Payments[:0]
		var t touched
		if q := s.balances.peek(); q != nil && q.order == key {
			t.held = q
		}
		for q := s.sales.peek(); q != nil && q.s.Channel == key.channel && q.s.Order == key.order; q = s.sales.peek() {
			in.Sales = append(in.Sales, q.s)
			t.again = t.again || q.again
			s.sales.next()
		}
		for q := s.payments.peek(); q != nil && q.p.Channel == key.channel && q.p.Order == key.order; q = s.payments.peek() {
			in.Payments = append(in.Payments, q.p)
			t.again = t.again || q.again
			s.payments.next()
		}
		if len(s.named) > 0 && s.named[0] == key {
			t.named = true
			s.named = s.named[1:]
		}
		if err := w.order(ctx, t, &in); err != nil {
			return err
		}
		if t.held != nil {
			s.balances.next()
		}
		if done++; done%progressEvery == 0 {
			w.progress(Progress{Stage: "orders", Done: done})
		}
	}
	return ctx.Err()
}

// touched says why an order is looked at.
type touched struct {
	held  *orderItem
	again bool // earlier runs may have taken rows of it
	named bool // a mark or a decision is about it
}

// order reconciles one order if anything can have changed.
func (w *work) order(ctx context.Context, t touched, in *reconcile.OrderInput) error {
	if len(in.Sales)+len(in.Payments) == 0 && !t.named && t.held.wake > w.r.span.To && !w.all {
		return nil
	}
	var opening reconcile.OrderBalance
	var err error
	if t.held != nil {
		if opening, err = reconcile.DecodeOrderBalance(t.held.body); err != nil {
			return fmt.Errorf("order %s of channel %s: %w", in.Order, in.Channel, err)
		}
	}
	if w.r.base.ID != 0 && (t.held != nil || t.again || t.named) {
		if opening, err = w.recall(ctx, t.held != nil, opening, in); err != nil {
			return err
		}
	}
	res, err := reconcile.Order(&w.b.o.Rules, w.r.span, opening, *in)
	if err != nil {
		return err
	}
	w.figures.Add(&res.Figures)
	return w.noteOrder(t.held, in, &res)
}

// recall completes an order that earlier runs have met: the marks about its rows,
// and the balance of one that was settled and therefore not kept.
func (w *work) recall(ctx context.Context, held bool, opening reconcile.OrderBalance, in *reconcile.OrderInput) (reconcile.OrderBalance, error) {
	marks, err := w.earlierMarks(ctx, in.Channel, in.Order)
	if err != nil {
		return opening, err
	}
	earlier := reconcile.OrderInput{Utility: w.r.utility, Channel: in.Channel, Order: in.Order, Duplicates: marks}
	in.Duplicates = latestMarks(marks, in.Duplicates)
	if held {
		return opening, nil
	}
	if err := w.earlierRows(ctx, &earlier); err != nil {
		return opening, err
	}
	if len(earlier.Sales)+len(earlier.Payments) == 0 {
		return opening, nil
	}
	before := w.r.base.Span.To
	first := before
	for _, s := range earlier.Sales {
		first = min(first, s.Day)
	}
	for _, p := range earlier.Payments {
		first = min(first, p.Day)
	}
	res, err := reconcile.Order(&w.b.o.Rules, reconcile.Span{From: first, To: before}, reconcile.OrderBalance{}, earlier)
	return res.Closing, err
}

// latestMarks joins marks, a later one about a row in place of an earlier.
func latestMarks(earlier, later []reconcile.DuplicateMark) []reconcile.DuplicateMark {
	if len(earlier) == 0 {
		return later
	}
	out := slices.Clone(earlier)
	for _, m := range later {
		if i := slices.IndexFunc(out, func(o reconcile.DuplicateMark) bool { return o.Sale == m.Sale }); i >= 0 {
			out[i] = m
		} else {
			out = append(out, m)
		}
	}
	return out
}

func (w *work) earlierMarks(ctx context.Context, channel, order string) (marks []reconcile.DuplicateMark, err error) {
	rows, err := w.b.read.QueryContext(ctx, "SELECT sale, duplicate FROM duplicate_marks WHERE channel = ? AND order_no = ? ORDER BY run, sale", channel, order)
	if err != nil {
		return nil, err
	}
	m := reconcile.DuplicateMark{Channel: channel, Order: order}
	err = each(rows, []any{&m.Sale, &m.Duplicate}, func() error {
		marks = latestMarks(marks, []reconcile.DuplicateMark{m})
		return nil
	})
	return marks, err
}

// earlierRows fills in with the rows of its order that earlier runs have taken.
func (w *work) earlierRows(ctx context.Context, in *reconcile.OrderInput) error {
	day := int64(w.r.base.Span.To)
	d := newDigester() // what is read again belongs to inputs of earlier runs
	var s saleItem
	query := "SELECT 0, " + saleStream + " FROM sales WHERE utility = ? AND channel = ? AND order_no = ? AND id <= ? AND day <= ? AND kind NOT IN ('transfer', 'reissue') ORDER BY id"
	err := w.rows(ctx, query, []any{string(w.r.utility), in.Channel, in.Order, w.r.base.Upto.Sale, day}, func(rows *sql.Rows) error {
		err := w.r.scanSale(rows, &s, d)
		in.Sales = append(in.Sales, s.s)
		return err
	})
	if err != nil {
		return err
	}
	var p paymentItem
	query = "SELECT 0, " + paymentStream + " FROM payments WHERE utility = ? AND channel = ? AND order_no = ? AND id <= ? AND day <= ? ORDER BY id"
	return w.rows(ctx, query, []any{string(w.r.utility), in.Channel, in.Order, w.r.base.Upto.Payment, day}, func(rows *sql.Rows) error {
		err := scanPayment(rows, &p, d)
		in.Payments = append(in.Payments, p.p)
		return err
	})
}

func (w *work) rows(ctx context.Context, query string, args []any, do func(*sql.Rows) error) (err error) {
	rows, err := w.b.read.DB.QueryContext(ctx, w.b.db.Rebind(query), args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := do(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (w *work) noteOrder(held *orderItem, in *reconcile.OrderInput, res *reconcile.OrderResult) error {
	r := record{kind: orderRecord, order: orderKey{in.Channel, in.Order}}
	if !res.Closing.Settled() {
		w.body = res.Closing.AppendTo(w.body[:0])
		r.wake, r.body = res.Closing.Wake, w.body
	}
	if held != nil && !slices.Equal(held.body, r.body) || held == nil && len(r.body) > 0 {
		if err := w.found.add(r); err != nil {
			return err
		}
	}
	return w.found.results(0, res.Found, res.Cleared, res.Refused)
}
