package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/ask"
	"citygrid/adapters/line"
	"citygrid/adapters/meterclock"
	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// Entries reads the purse in the registers that the profile maps: credit, and
// overdraft, purchase count, last purchase, sum bought and the register of the
// valve or relay, as far as there are such. See cardslot.Slot.
//
// With a purchase count, the last purchase is a CardLoad when the count has risen
// and at the first call; of several since then the newest is told, since registers
// keep no more. They name no date. Without a count nobody can tell a load, and a
// residual that rises is a CardState and no more. A CardState comes last, when
// there is news (see ask.Slot.Tell; days are those of China). A credit below zero
// is told as an overdraft, and one of volume or energy to the nearest litre or
// watt-hour.
//
// A count that went back is an error of class adapters.Slow; a profile that maps
// no credit one of class adapters.Config. MeterNumber is empty: registers do not
// tell it.
func (m *Meter) Entries(ctx context.Context) ([]schemas.CardEntry, error) {
	if m.purse == nil {
		blocks, err := purseBlocks(m.blocks[0].profile)
		if err != nil {
			return nil, m.slotFailure(adapters.Config, err)
		}
		m.purse = blocks
	}
	t, err := m.bus.line.Begin(ctx)
	if err != nil {
		return nil, ask.NotServed(m.id, m.bus.line, err)
	}
	defer t.End()
	p, err := m.readPurse(ctx, t)
	if err != nil {
		return nil, err
	}
	entries, err := m.tell(p)
	if err != nil {
		return nil, m.slotFailure(adapters.ClassOf(err), err)
	}
	return entries, nil
}

func (m *Meter) slotFailure(class adapters.Class, err error) *adapters.Error {
	return &adapters.Error{Meter: m.id, Class: class, Request: fmt.Sprintf("card slot of unit %d at %s", m.unit, m.bus.line), Err: err}
}

// purseBlocks plans the requests for the fields of the purse, that of the
// purchase count first (see readPurse).
func purseBlocks(whole *profiles.Profile) ([]block, error) {
	p, credit := *whole, false
	p.Fields = nil
	for _, f := range whole.Fields {
		_, name, _ := strings.Cut(string(f.Quantity), ".")
		switch name {
		case "credit.money", "credit.volume", "credit.energy":
			credit = true
		case "overdraft.money", "overdraft.energy", "purchase.count", "purchase.last", "purchase.total", "valve.state", "relay.state":
		default:
			continue
		}
		p.Fields = append(p.Fields, f)
	}
	if !credit {
		return nil, errors.New("profile " + p.ID + " maps no credit: the meter is not prepaid, or needs another profile")
	}
	blocks, err := compile(&p)
	if i := slices.IndexFunc(blocks, block.counts); i > 0 {
		blocks[0], blocks[i] = blocks[i], blocks[0]
	}
	return blocks, err
}

// counts reports whether the block holds the purchase count.
func (b block) counts() bool {
	return slices.ContainsFunc(b.Fields, func(i int) bool { return strings.HasSuffix(string(b.profile.Fields[i].Quantity), ".purchase.count") })
}

// purse is what the registers hold.
type purse struct {
	values map[string]schemas.Decimal // by the name of the quantity without its medium
	units  map[string]schemas.Unit
	medium schemas.Medium
	// signed: the credit can go below zero, and so shows what is owed.
	signed bool
	word   map[schemas.CardCounter]uint32
	at     time.Time
}

// readPurse reads the blocks. Where the count is in one block and the rest in
// others, they are read until the count stands still between two readings: what
// was read after the first of these and before the second belongs to it.
func (m *Meter) readPurse(ctx context.Context, t *line.Turn) (p purse, err error) {
	if p, err = m.passPurse(ctx, t); err != nil || len(m.purse) == 1 {
		return p, err
	}
	if _, counts := p.values["purchase.count"]; !counts {
		return p, nil
	}
	for range 2 {
		again, err := m.passPurse(ctx, t)
		if err != nil {
			return p, err
		}
		if p.values["purchase.count"] == again.values["purchase.count"] {
			return p, nil
		}
		p = again
	}
	return p, m.slotFailure(adapters.Transient, errors.New("a purchase came in each time the purse was read: ask again"))
}

func (m *Meter) passPurse(ctx context.Context, t *line.Turn) (purse, error) {
	p := purse{values: map[string]schemas.Decimal{}, units: map[string]schemas.Unit{}}
	for i := range m.purse {
		b := &m.purse[i]
		dst := m.raw[:2*int(b.Count)]
		at, err := m.bus.request(ctx, t, m.unit, b, dst, m.retries())
		if err != nil {
			m.silent = ask.Unanswered(err) || refusedByGateway(err)
			return p, m.failure(&b.Request, err)
		}
		p.at = at
		if err := p.take(b, dst); err != nil {
			return p, m.slotFailure(adapters.Slow, err)
		}
	}
	return p, nil
}

// take decodes a block.
func (p *purse) take(b *block, raw []byte) error {
	for n, i := range b.Fields {
		f := &b.profile.Fields[i]
		medium, name, _ := strings.Cut(string(f.Quantity), ".")
		p.medium = schemas.Medium(medium)
		if f.States != nil {
			p.takeWord(b, f, raw)
			continue
		}
		d, reason := decodeField(f, b.At, raw)
		if reason != "" {
			return fmt.Errorf("%s cannot be read (%s): compare the meter's display with the profile", f.Quantity, reason)
		}
		p.values[name], p.units[name] = d, b.units[n]
		if strings.HasPrefix(name, "credit.") {
			p.signed = !slices.Contains([]profiles.Type{profiles.U16, profiles.U32, profiles.U64, profiles.BCD}, f.Parts[0].Type)
		}
	}
	return nil
}

// takeWord keeps the register of a state as it is.
func (p *purse) takeWord(b *block, f *profiles.Field, raw []byte) {
	at := 2 * int(f.Parts[0].At-b.At)
	if p.word == nil {
		p.word = map[schemas.CardCounter]uint32{}
	}
	p.word[schemas.StatusWord] = uint32(binary.BigEndian.Uint16(raw[at:]))
}

// credit returns the first of some quantities that there is.
func (p *purse) credit(names ...string) (schemas.Credit, error) {
	i := slices.IndexFunc(names, func(name string) bool { _, ok := p.values[name]; return ok })
	if i < 0 {
		return schemas.Credit{}, nil
	}
	c, ok := ask.Credit(p.values[names[i]], p.units[names[i]])
	if !ok {
		return c, ask.Inconsistentf("%s is %s %s, which is no amount of a purse", names[i], p.values[names[i]], p.units[names[i]])
	}
	return c, nil
}

// tell makes entries of what the registers hold.
func (m *Meter) tell(p purse) ([]schemas.CardEntry, error) {
	state := schemas.CardEntry{Event: schemas.CardState, Source: schemas.FromModbus, Utility: p.medium, Meter: m.id, TakenAt: p.at, Counters: p.word}
	left, err1 := p.credit("credit.money", "credit.volume", "credit.energy")
	owed, err2 := p.credit("overdraft.money", "overdraft.energy")
	last, err3 := p.credit("purchase.last")
	bought, err4 := p.credit("purchase.total")
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	state.Bought = bought
	if state.Residual, state.Overdraft = ask.Signed(left); owed.Known() || !p.signed {
		state.Overdraft = owed
	}
	counted, counts := p.values["purchase.count"]
	if !counts {
		return m.slot.Tell("", nil, state, meterclock.China()), nil
	}
	count, err := wholeCount(counted)
	if err != nil {
		return nil, err
	}
	state.Purchase = ask.Purchase(count)
	fresh, _, err := m.slot.Since("", count)
	if err != nil {
		return nil, err
	}
	var loads []schemas.CardEntry
	if fresh > 0 && last.Known() {
		load := state
		load.Event, load.Amount, load.Counters = schemas.CardLoad, last, nil
		load.Residual, load.Overdraft = schemas.Credit{}, schemas.Credit{}
		loads = []schemas.CardEntry{load}
	}
	return m.slot.Tell("", loads, state, meterclock.China()), nil
}

// wholeCount returns a purchase count, which is a number of 32 bits.
func wholeCount(d schemas.Decimal) (uint32, error) {
	for whole := d; ; whole.Exponent++ {
		switch {
		case whole.Exponent == 0 && whole.Mantissa >= 0 && whole.Mantissa <= 1<<32-1:
			return uint32(whole.Mantissa), nil
		case whole.Exponent >= 0 || whole.Mantissa%10 != 0:
			return 0, ask.Inconsistentf("the purchase count is %s, which is no count", d)
		}
		whole.Mantissa /= 10
	}
}
