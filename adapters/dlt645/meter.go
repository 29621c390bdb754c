package dlt645

import (
	"context"
	"errors"
	"fmt"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/ask"
	"citygrid/adapters/dlt645/profiles"
	"citygrid/adapters/line"
	"citygrid/schemas"
)

// Meter is one address on a Bus, read by one profile. It is an adapters.Source
// and what its profile makes of it besides: calls to one Meter must not overlap,
// calls to several Meters of a line may and then take turns.
type Meter struct {
	bus     *Bus
	id      schemas.MeterID
	address Address
	profile *profiles.Profile
	// live, daily and monthly are the items of the three lists of fields.
	live, daily, monthly []item
	// first is where in live the next Read begins: behind the item that got no
	// answer last, so that no late answer to it can fit.
	first int
	// silent: the last Read gave nothing because no answer came.
	silent bool
	known  ask.Identity[Address]
	// slot is what Entries has told.
	slot ask.Slot
}

// item is one data identifier and the fields that its data hold.
type item struct {
	di     uint32
	fields []*profiles.Field
	units  []schemas.Unit // of fields, in their order
	// reach is how many bytes the fields take up; open says that there may be
	// more.
	reach int
	open  bool
	// refusals in a row, for an item that the meter will not give. From the
	// second on it is left alone until rest; the first may have been a late
	// answer to another question, because refusals name no item.
	refusals int
	rest     time.Time
	last     *adapters.Error
}

// askAgain is how long an item is left alone that the meter will not give.
const askAgain = time.Hour

// itemsOf groups fields by identifier, in the order in which those first come.
func itemsOf(p *profiles.Profile, fields []profiles.Field) []item {
	var items []item
	index := map[uint32]int{}
	for i := range fields {
		f := &fields[i]
		at, ok := index[f.DI]
		if !ok {
			at = len(items)
			index[f.DI] = at
			items = append(items, item{di: f.DI, open: isOpen(p, f.DI)})
		}
		info, _ := f.Quantity.Info() // Validate refuses unknown ones
		it := &items[at]
		it.fields, it.units = append(it.fields, f), append(it.units, info.Unit)
		it.reach = max(it.reach, f.At+f.Bytes)
	}
	return items
}

func isOpen(p *profiles.Profile, di uint32) bool {
	for _, o := range p.Open {
		if o == di {
			return true
		}
	}
	return false
}

// Read asks the meter for everything that its profile names, once; see
// adapters.Source. A transient failure of one request is met by repeating that
// request, as often as the bus's configuration allows.
//
// An item that the meter says it does not have costs the others nothing: its
// error is returned beside their readings, each time, while the item itself is
// asked for again once an hour.
//
// After a request that got no answer Read asks on only if an earlier one was
// answered: a meter that dies costs the line one request and its repetitions,
// and each Read after that, until it answers again, one request.
func (m *Meter) Read(ctx context.Context) ([]schemas.Reading, error) {
	t, err := m.bus.line.Begin(ctx)
	if err != nil {
		return nil, ask.NotServed(m.id, m.bus.line, err)
	}
	defer t.End()
	r := ask.Pass{Readings: make([]schemas.Reading, 0, len(m.profile.Fields))}
	begin := m.first
	for i := range m.live {
		if r.Over() {
			break
		}
		at := (begin + i) % len(m.live)
		if dead := m.readItem(ctx, t, &r, &m.live[at]); dead {
			m.first = (at + 1) % len(m.live)
		}
	}
	m.silent = r.Silent()
	return r.Result()
}

// readItem reads one item into r; dead reports that no answer came.
func (m *Meter) readItem(ctx context.Context, t *line.Turn, r *ask.Pass, it *item) (dead bool) {
	if it.refusals > 1 && m.bus.now().Before(it.rest) {
		r.Fail(it.last, false)
		return false
	}
	got, at, err := m.ask(ctx, t, it.di)
	if err != nil {
		failure := m.failure(it.di, err)
		if fromMeterItself(err) {
			r.Answered()
			it.refused(err, failure, m.bus.now())
		} else {
			dead = ask.Unanswered(err)
		}
		r.Fail(failure, dead)
		return dead
	}
	r.Answered()
	it.refusals = 0
	r.Readings, err = m.decode(r.Readings, it, got, at, schemas.Live)
	if err != nil {
		r.Fail(m.failure(it.di, err), false)
	}
	return false
}

// refused keeps count of how often the meter said that it will not give the item
// as things are.
func (it *item) refused(err error, failure *adapters.Error, now time.Time) {
	var r *Refusal
	if !errors.As(err, &r) || r.Class() != adapters.Config {
		return
	}
	it.refusals++
	it.last, it.rest = failure, now.Add(askAgain)
}

// decode appends the readings of an item's fields. Where the data are not those
// that the profile describes, an error says so; the fields of an open block that
// the data do hold are then still good.
func (m *Meter) decode(out []schemas.Reading, it *item, data []byte, at time.Time, origin schemas.Origin) ([]schemas.Reading, error) {
	var err error
	if len(data) < it.reach || len(data) > it.reach && !it.open {
		err = misfitf("the item has %d bytes, by the profile it has %d: the meter is of another kind than the profile", len(data), it.reach)
		if !it.open {
			return out, err
		}
	}
	for i, f := range it.fields {
		if f.At+f.Bytes > len(data) {
			continue
		}
		r := schemas.Reading{Meter: m.id, Quantity: f.Quantity, Unit: it.units[i], TakenAt: at, Origin: origin}
		if r.Value, r.Reason = decodeField(f, data); r.Reason != "" {
			r.Quality = schemas.Missing
		}
		out = append(out, r)
	}
	return out, err
}

// retries is how often the next request may be repeated: not at all when it is
// the first after a Read without an answer.
func (m *Meter) retries() int {
	if m.silent {
		m.silent = false
		return 0
	}
	return m.bus.retries
}

// failure names the meter and the item that failed.
func (m *Meter) failure(di uint32, err error) *adapters.Error {
	return &adapters.Error{
		Meter: m.id, Class: adapters.ClassOf(err),
		Request: fmt.Sprintf("item %0*X of meter %s at %s", m.profile.DigitsDI(), di, m.address, m.bus.line),
		Err:     explain(err),
	}
}

// explain adds to an error what the operator can do about it.
func explain(err error) error {
	var frame *line.FrameError
	if errors.As(err, &frame) {
		return fmt.Errorf("%w: another master on the line, or noise, or two meters with one address", err)
	}
	return err
}

// fromMeterItself reports an error that the meter's own answer gave.
func fromMeterItself(err error) bool {
	var device *line.DeviceError
	return errors.As(err, &device) || adapters.ClassOf(err) != adapters.Transient
}
