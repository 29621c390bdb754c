package modbus

import (
	"context"
	"fmt"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/ask"
	"citygrid/adapters/line"
	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// Meter is one unit on a Bus, read by one register map. It is an
// adapters.Source: calls to one Meter must not overlap, calls to several Meters
// of a Bus may and then take turns.
type Meter struct {
	bus    *Bus
	id     schemas.MeterID
	unit   uint8
	blocks []block
	values int
	// silent: the last Read gave nothing because no answer came.
	silent bool
	// slot is what Entries has told.
	slot ask.Slot
	// purse are the requests of Entries, once it was called.
	purse []block
	raw   [2 * profiles.MaxRegisters]byte
}

// block is a request and the fields that its answer holds.
type block struct {
	Request
	profile *profiles.Profile
	units   []schemas.Unit // of Fields, in their order
	padding *padding
}

func compile(p *profiles.Profile) ([]block, error) {
	plan, err := Plan(p)
	if err != nil {
		return nil, err
	}
	blocks := make([]block, len(plan))
	for i, r := range plan {
		blocks[i] = newBlock(p, r)
	}
	return blocks, nil
}

func newBlock(p *profiles.Profile, r Request) block {
	b := block{Request: r, profile: p, padding: new(padding)}
	for _, i := range r.Fields {
		info, _ := p.Fields[i].Quantity.Info() // Plan refuses unknown ones
		b.units = append(b.units, info.Unit)
	}
	return b
}

// Read asks the meter for everything that its profile names, once; see
// adapters.Source. A transient failure of one request is met by repeating that
// request at once, as often as the line's configuration allows.
//
// After a request that got no answer Read asks on only if an earlier one was
// answered: a meter that dies costs the line one request and its repetitions,
// and each Read after that, until it answers again, one request.
func (m *Meter) Read(ctx context.Context) ([]schemas.Reading, error) {
	turn, err := m.bus.line.Begin(ctx)
	if err != nil {
		return nil, ask.NotServed(m.id, m.bus.line, err)
	}
	defer turn.End()

	r := ask.Pass{Readings: make([]schemas.Reading, 0, m.values)}
	for i := 0; i < len(m.blocks) && !r.Over(); i++ {
		m.arrange(i)
		parts := m.readBlock(ctx, turn, &r, &m.blocks[i])
		if parts != nil {
			m.blocks = append(m.blocks[:i:i], append(parts, m.blocks[i+1:]...)...)
			i += len(parts) - 1
		}
	}
	m.silent = r.Silent()
	return r.Result()
}

// arrange brings forward, to place i, a block that can be asked for at once,
// where the one that is there would have to wait for a quiet line: it has the
// shape of the request before and cannot be widened.
func (m *Meter) arrange(i int) {
	for j := i; j < len(m.blocks); j++ {
		if !m.bus.query.clashes(m.unit, &m.blocks[j]) {
			m.blocks[i], m.blocks[j] = m.blocks[j], m.blocks[i]
			return
		}
	}
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

// readBlock reads one block into r. When the device refuses the block as a
// whole but gives a part of it, it returns the parts that stand for the block
// from now on; else nil. A device that refuses everything, for instance while
// it starts, so does not lose its joined requests for good.
func (m *Meter) readBlock(ctx context.Context, t *line.Turn, r *ask.Pass, b *block) []block {
	dst := m.raw[:2*int(b.Count)]
	at, err := m.bus.request(ctx, t, m.unit, b, dst, m.retries())
	if err == nil {
		r.Answered()
		r.Readings = m.decode(r.Readings, b, dst, at)
		return nil
	}
	cut := b.middle()
	if !refusesSpan(err) || cut == 0 {
		r.Fail(m.failure(&b.Request, err), ask.Unanswered(err) || refusedByGateway(err))
		return nil
	}
	before := len(r.Readings)
	var parts []block
	for _, half := range b.halves(cut) {
		if r.Over() {
			parts = append(parts, half)
			continue
		}
		if finer := m.readBlock(ctx, t, r, &half); finer != nil {
			parts = append(parts, finer...)
		} else {
			parts = append(parts, half)
		}
	}
	if len(r.Readings) == before {
		return nil
	}
	return parts
}

// middle returns where between its fields a block is best cut in two, or 0 if
// its fields belong together.
func (b *block) middle() int {
	best, half := 0, len(b.Fields)/2
	for i := 1; i < len(b.Fields); i++ {
		if together(b.profile, b.Fields[i-1], b.Fields[i]) {
			continue
		}
		if best == 0 || max(i-half, half-i) < max(best-half, half-best) {
			best = i
		}
	}
	return best
}

// halves cuts a block before its field number cut.
func (b *block) halves(cut int) [2]block {
	return [2]block{
		newBlock(b.profile, span(b.profile, b.Fields[:cut]...)),
		newBlock(b.profile, span(b.profile, b.Fields[cut:]...)),
	}
}

// decode appends the readings of a block's fields.
func (m *Meter) decode(out []schemas.Reading, b *block, raw []byte, at time.Time) []schemas.Reading {
	for n, i := range b.Fields {
		f := &b.profile.Fields[i]
		r := schemas.Reading{Meter: m.id, Quantity: f.Quantity, Unit: b.units[n], TakenAt: at}
		if r.Value, r.Reason = decodeField(f, b.At, raw); r.Reason != "" {
			r.Quality = schemas.Missing
		}
		out = append(out, r)
	}
	return out
}

// failure names the meter and the request that failed.
func (m *Meter) failure(r *Request, err error) *adapters.Error {
	kind := "holding"
	if r.Function == 4 {
		kind = "input"
	}
	return &adapters.Error{
		Meter: m.id,
		Class: adapters.ClassOf(err),
		Request: fmt.Sprintf("%s registers 0x%04X-0x%04X of unit %d at %s",
			kind, r.At, r.last(), m.unit, m.bus.line),
		Err: explain(err, m.bus.noIDs),
	}
}
