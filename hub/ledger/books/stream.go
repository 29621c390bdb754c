package books

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"hash"

	"golang.org/x/sync/errgroup"

	"citygrid/hub/ledger"
	"citygrid/internal/gm"
	"citygrid/schemas"
)

// stream hands on the rows of a query in their order. The rows are stepped and
// decoded on a goroutine of their own, which runs ahead by a few batches.
type stream[T any] struct {
	batches chan []T
	current []T
	digest  *digester
}

// batchRows is how many rows are handed over at once.
const batchRows = 512

// open starts a stream on a connection of its own. group owns its goroutine; scan
// reads one row and adds to the digest what the run depends on.
func open[T any](ctx context.Context, group *errgroup.Group, db *sql.DB, query string, args []any, scan func(*sql.Rows, *T, *digester) error) *stream[T] {
	s := &stream[T]{batches: make(chan []T, 2), digest: newDigester()}
	group.Go(func() error {
		defer close(s.batches)
		return s.pump(ctx, db, query, args, scan)
	})
	return s
}

func (s *stream[T]) pump(ctx context.Context, db *sql.DB, query string, args []any, scan func(*sql.Rows, *T, *digester) error) (err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	batch := make([]T, 0, batchRows)
	for rows.Next() {
		batch = batch[:len(batch)+1]
		if err := scan(rows, &batch[len(batch)-1], s.digest); err != nil {
			return err
		}
		if len(batch) < batchRows {
			continue
		}
		if err := s.hand(ctx, batch); err != nil {
			return err
		}
		batch = make([]T, 0, batchRows)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return s.hand(ctx, batch)
}

func (s *stream[T]) hand(ctx context.Context, batch []T) error {
	select {
	case s.batches <- batch:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// peek returns the next row without taking it, nil at the end. After a failure the
// stream ends early: the group has the error.
func (s *stream[T]) peek() *T {
	for len(s.current) == 0 {
		batch, more := <-s.batches
		if !more {
			return nil
		}
		s.current = batch
	}
	return &s.current[0]
}

// next takes the row that peek showed.
func (s *stream[T]) next() { s.current = s.current[1:] }

// digester takes the content of rows into an SM3 digest: numbers as varints, texts
// with a zero byte behind.
type digester struct {
	h   hash.Hash
	buf []byte
}

func newDigester() *digester { return &digester{h: gm.NewSM3(), buf: make([]byte, 0, 8192)} }

func (d *digester) numbers(ns ...int64) {
	for _, n := range ns {
		d.buf = binary.AppendVarint(d.buf, n)
	}
	d.drain(4096)
}

func (d *digester) texts(ts ...string) {
	for _, t := range ts {
		d.buf = append(append(d.buf, t...), 0)
	}
	d.drain(4096)
}

func (d *digester) drain(above int) {
	if len(d.buf) > above {
		d.h.Write(d.buf)
		d.buf = d.buf[:0]
	}
}

func (d *digester) sum() string {
	d.drain(0)
	return ledger.Digest(d.h.Sum(nil)).String()
}

// placeItem is a place with one of its installations; a place with several comes
// several times.
type placeItem struct {
	id, revision               int64
	meter, purse, plan, readby string
	i                          ledger.Installation
	stands                     bool
}

const placesQuery = "SELECT p.id, p.revision, p.meter, p.purse, p.plan, p.readout, i.from_ms, i.to_ms, i.number, i.customer " +
	"FROM places AS p LEFT JOIN installations AS i ON i.place = p.id WHERE p.utility = ? ORDER BY p.id, i.from_ms"

func scanPlace(rows *sql.Rows, p *placeItem, d *digester) error {
	var from, to sql.NullInt64
	var number, customer sql.NullString
	if err := rows.Scan(&p.id, &p.revision, &p.meter, &p.purse, &p.plan, &p.readby, &from, &to, &number, &customer); err != nil {
		return err
	}
	if p.stands = from.Valid; p.stands {
		p.i = ledger.Installation{From: moment(from.Int64), To: moment(to.Int64), MeterNumber: number.String, Customer: schemas.CustomerID(customer.String)}
	}
	d.texts(p.meter, p.purse, p.plan, p.readby, number.String)
	d.numbers(from.Int64, to.Int64)
	return nil
}

// balanceItem is a stored balance of an account.
type balanceItem struct {
	place int64
	wake  ledger.Day
	body  []byte
}

const balancesQuery = "SELECT place, wake, body FROM account_balances WHERE utility = ? ORDER BY place"

func scanBalance(rows *sql.Rows, b *balanceItem, d *digester) error {
	if err := rows.Scan(&b.place, &b.wake, &b.body); err != nil {
		return err
	}
	d.numbers(b.place)
	d.texts(string(b.body))
	return nil
}

// entryItem is a card entry with its place.
type entryItem struct {
	place int64
	e     ledger.Entry
}

const entryStream = "place, id, day, from_ms, event, card, replaces, scheme, purchase, amount, amount_unit, residual, residual_unit, " +
	"overdraft, overdraft_unit, bought, bought_unit, used, used_unit, taken_ms, recorded_ms, " + registerStream

// scanEntry scans into plain pointers, which Scan takes without reflection, and leaves out what no comparison looks at, such as terminal and customer.
func (r *reading) scanEntry(rows *sql.Rows, to *entryItem, d *digester) error {
	var day, from, number, taken, recorded int64
	var reg registers
	e := &to.e
	err := rows.Scan(&to.place, &e.ID, &day, &from, (*string)(&e.Event), (*string)(&e.Card), (*string)(&e.Replaces), (*string)(&e.Purchase.Scheme), &number,
		&e.Amount.Value, (*string)(&e.Amount.Unit), &e.Residual.Value, (*string)(&e.Residual.Unit), &e.Overdraft.Value, (*string)(&e.Overdraft.Unit),
		&e.Bought.Value, (*string)(&e.Bought.Unit), &e.Used.Value, (*string)(&e.Used.Unit), &taken, &recorded,
		&reg[0], &reg[1], &reg[2], &reg[3], &reg[4])
	if err != nil {
		return err
	}
	e.Day, e.Purchase.Number = ledger.Day(day), uint32(number)
	e.Utility = r.utility
	e.InstalledAt, e.TakenAt, e.RecordedAt = moment(from), moment(taken), moment(recorded)
	d.numbers(to.place, int64(e.Day), from, int64(e.Purchase.Number), e.Amount.Value, e.Residual.Value, e.Overdraft.Value,
		e.Bought.Value, e.Used.Value, taken, recorded)
	d.texts(string(e.Event), string(e.Card), string(e.Replaces), string(e.Purchase.Scheme), string(e.Amount.Unit), string(e.Residual.Unit),
		string(e.Overdraft.Unit), string(e.Bought.Unit), string(e.Used.Unit))
	reg.digest(d)
	reg.into(e)
	return nil
}

// saleItem is a sale row with its place; again says that the order may have rows
// that earlier runs took.
type saleItem struct {
	place int64
	again bool
	s     ledger.Sale
}

const saleStream = "place, channel, order_no, id, day, from_ms, kind, card, customer, scheme, purchase, amount, volume, undoes, at_ms, due"

func (r *reading) scanSale(rows *sql.Rows, to *saleItem, d *digester) error {
	var day, from, number, at, due int64
	s := &to.s
	err := rows.Scan(&to.again, &to.place, &s.Channel, &s.Order, &s.ID, &day, &from, (*string)(&s.Kind), (*string)(&s.Card), (*string)(&s.Customer),
		(*string)(&s.Purchase.Scheme), &number, (*int64)(&s.Amount), &s.Volume, &s.Undoes, &at, &due)
	if err != nil {
		return err
	}
	s.Day, s.Purchase.Number = ledger.Day(day), uint32(number)
	s.Utility, s.From, s.At, s.Due = r.utility, moment(from), moment(at), ledger.Day(due)
	d.numbers(to.place, int64(s.Day), from, int64(s.Purchase.Number), int64(s.Amount), s.Volume, at, due)
	d.texts(s.Channel, s.Order, string(s.Kind), string(s.Card), string(s.Customer), string(s.Purchase.Scheme), s.Undoes)
	return nil
}

// paymentItem is a payment.
type paymentItem struct {
	again bool
	p     ledger.Payment
}

const paymentStream = "channel, order_no, id, day, reference, refund, amount, at_ms"

func scanPayment(rows *sql.Rows, to *paymentItem, d *digester) error {
	var day, at int64
	p := &to.p
	if err := rows.Scan(&to.again, &p.Channel, &p.Order, &p.ID, &day, &p.Reference, &p.Refund, (*int64)(&p.Amount), &at); err != nil {
		return err
	}
	p.Day, p.At = ledger.Day(day), moment(at)
	refund := int64(0)
	if p.Refund {
		refund = 1
	}
	d.numbers(int64(p.Day), int64(p.Amount), refund, at)
	d.texts(p.Channel, p.Order, p.Reference)
	return nil
}

// orderItem is a stored balance of an order.
type orderItem struct {
	order orderKey
	wake  ledger.Day
	body  []byte
}

func scanOrder(rows *sql.Rows, o *orderItem, d *digester) error {
	if err := rows.Scan(&o.order.channel, &o.order.order, &o.wake, &o.body); err != nil {
		return err
	}
	d.texts(o.order.channel, o.order.order, string(o.body))
	return nil
}
