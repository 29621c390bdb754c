package cjt188

import (
	"context"
	"fmt"
	"time"

	"citygrid/adapters/ask"
	"citygrid/adapters/cjt188/profiles"
	"citygrid/adapters/line"
	"citygrid/schemas"
)

// Meter is one meter on a Bus. It is an adapters.Source, Clocked, Keeper and
// Identified, as far as its profile goes: calls to one Meter must not overlap.
type Meter struct {
	bus     *Bus
	id      schemas.MeterID
	address Address
	profile *profiles.Profile
	items   []item
	monthly []item
	values  int
	orders  orders
	// silent: the last Read gave nothing because no answer came.
	silent bool
	known  ask.Identity[Address]
	// slot is what Entries has told.
	slot ask.Slot
}

// item is an identifier and the fields that its answer holds.
type item struct {
	di     uint16
	length int
	fields []*profiles.Field
	units  []schemas.Unit // of fields, in their order
}

func newMeter(b *Bus, id schemas.MeterID, a Address, p *profiles.Profile) *Meter {
	m := &Meter{bus: b, id: id, address: a, profile: p, orders: newOrders(p.Edition)}
	m.items, m.values = compile(p, p.Fields), len(p.Fields)
	if p.Monthly != nil {
		m.monthly = compile(p, p.Monthly.Fields)
	}
	return m
}

// compile groups fields by item, in the order of the profile.
func compile(p *profiles.Profile, fields []profiles.Field) (items []item) {
	place := map[uint16]int{}
	for i := range fields {
		f := &fields[i]
		at, ok := place[f.DI]
		if !ok {
			at = len(items)
			place[f.DI] = at
			items = append(items, item{di: f.DI, length: p.Lengths[f.DI]})
		}
		info, _ := f.Quantity.Info() // the profile is valid
		items[at].fields = append(items[at].fields, f)
		items[at].units = append(items[at].units, info.Unit)
	}
	return items
}

// Read asks the meter for everything that its profile names, once; see
// adapters.Source.
//
// After an item that got no answer Read asks on only if an earlier one was
// answered: a meter that dies costs the line one request and its repetitions,
// and each Read after that, until it answers again, one request. A meter whose
// order of identifiers is not known yet is asked in both.
func (m *Meter) Read(ctx context.Context) ([]schemas.Reading, error) {
	t, err := m.bus.line.Begin(ctx)
	if err != nil {
		return nil, ask.NotServed(m.id, m.bus.line, err)
	}
	defer t.End()
	p := ask.Pass{Readings: make([]schemas.Reading, 0, m.values)}
	for i := 0; i < len(m.items) && !p.Over(); i++ {
		it := &m.items[i]
		r, at, err := m.ask(ctx, t, it.di, it.length)
		if err != nil {
			p.Fail(m.failure(fmt.Sprintf("item %04X", it.di), err), ask.Unanswered(err))
			continue
		}
		p.Answered()
		p.Readings = m.decode(p.Readings, it, r, at, schemas.Live)
	}
	m.orders.note(len(p.Readings) > 0)
	m.silent = p.Silent()
	return p.Result()
}

// decode appends the readings of an item's fields.
func (m *Meter) decode(out []schemas.Reading, it *item, r *request, at time.Time, origin schemas.Origin) []schemas.Reading {
	for i, f := range it.fields {
		reading := schemas.Reading{Meter: m.id, Quantity: f.Quantity, Unit: it.units[i], TakenAt: at, Origin: origin}
		if reading.Value, reading.Reason = decodeField(f, it.units[i], r.data[:it.length]); reading.Reason != "" {
			reading.Quality = schemas.Missing
		}
		out = append(out, reading)
	}
	return out
}

// ask reads one item, in the order that the meter is known to want, or else in
// the one and then the other.
func (m *Meter) ask(ctx context.Context, t *line.Turn, di uint16, length int) (*request, time.Time, error) {
	o, sure := m.orders.of(di)
	retries := m.retries()
	if !sure {
		retries = 0
	}
	alone := m.silent
	m.silent = false
	r, at, err := m.askIn(ctx, t, o, di, length, retries)
	if err == nil {
		m.orders.settle(di, o)
		return r, at, nil
	}
	if m.orders.fixed || alone || sure && !isOtherOrder(err) || !tryOther(err) {
		return nil, at, explain(err, r)
	}
	other, at, otherErr := m.askIn(ctx, t, o.other(), di, length, retries)
	if otherErr == nil {
		m.orders.settle(di, o.other())
		return other, at, nil
	}
	if firstSays(otherErr) {
		return nil, at, explain(err, r)
	}
	return nil, at, explain(otherErr, other)
}

// askIn reads one item in one order.
func (m *Meter) askIn(ctx context.Context, t *line.Turn, o order, di uint16, length, retries int) (*request, time.Time, error) {
	r := &request{
		bus: m.bus, typ: m.profile.Type, address: m.address, control: readData,
		di: di, order: o, length: length,
	}
	at, err := t.Ask(ctx, r, retries)
	if err == nil && m.address.wild() && !m.known.Takes(r.from, at) {
		err = &stranger{from: r.from, known: m.known.Address}
	}
	return r, at, err
}

// retries is how often the next request may be repeated: not at all when it is
// the first after a Read without an answer.
func (m *Meter) retries() int {
	if m.silent {
		return 0
	}
	return m.bus.retries
}

// ReadSerial returns the address with which the meter answers, 14 digits: the
// maker's code and the serial number on its plate; see adapters.Identified.
func (m *Meter) ReadSerial(ctx context.Context) (string, error) {
	t, err := m.bus.line.Begin(ctx)
	if err != nil {
		return "", ask.NotServed(m.id, m.bus.line, err)
	}
	defer t.End()
	it := &m.items[0]
	r, _, err := m.ask(ctx, t, it.di, it.length)
	if err != nil {
		return "", m.failure(fmt.Sprintf("address, from item %04X,", it.di), err)
	}
	return r.from.String(), nil
}
