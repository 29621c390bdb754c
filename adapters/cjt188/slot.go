package cjt188

import (
	"context"
	"fmt"
	"strings"
	"time"

	"citygrid/adapters/ask"
	"citygrid/adapters/cjt188/profiles"
	"citygrid/adapters/line"
	"citygrid/schemas"
)

// Entries reads the item of the last purchase (8105), which comes as a whole:
// count, amount, sum bought, residual and status word. When the count has risen,
// and at the first call, it is a CardLoad, which is not dated because the meter
// does not date it; a CardState comes after it, when there is news (see
// ask.Slot.Tell). See cardslot.Slot.
//
// The meter keeps one purchase: of several since the last call, the newest is
// told. Its count is one byte and begins anew at 100, or at 256 where the profile
// reads bits. The number of a purchase is what the meter shows, with 0 after a
// round as 100 or 256, and PurchaseModulus is which of them: the ledger finds how
// often it has begun anew. A count that went back (by less than half a round) is an
// error of class adapters.Slow; a profile without all the four values in one item is
// one of class adapters.Config.
//
// Overdraft is not known: the item has no sign and shows 0 when the customer owes.
// MeterNumber is empty: the address holds ten digits of the plate's number beside
// the maker's code, and no card carries those.
func (m *Meter) Entries(ctx context.Context) ([]schemas.CardEntry, error) {
	s, err := m.purchaseItem()
	if err != nil {
		return nil, m.failure("card slot", err)
	}
	t, err := m.bus.line.Begin(ctx)
	if err != nil {
		return nil, ask.NotServed(m.id, m.bus.line, err)
	}
	defer t.End()
	entries, err := m.tell(ctx, t, s)
	if err != nil {
		return nil, m.failure(fmt.Sprintf("item %04X", s.di), err)
	}
	return entries, nil
}

// slotItem is the item of the last purchase, and its fields.
type slotItem struct {
	*item
	count, last, total, left *profiles.Field
}

// statusSize is the length of the status word that ends the item where the
// profile does not read it.
const statusSize = 2

// purchaseItem finds the item in the profile.
func (m *Meter) purchaseItem() (slotItem, error) {
	for i := range m.items {
		s := slotItem{item: &m.items[i]}
		for _, f := range s.fields {
			_, name, _ := strings.Cut(string(f.Quantity), ".")
			switch name {
			case "purchase.count":
				s.count = f
			case "purchase.last":
				s.last = f
			case "purchase.total":
				s.total = f
			case "credit.money", "credit.volume":
				s.left = f
			}
		}
		if s.count != nil && s.last != nil && s.total != nil && s.left != nil {
			return s, nil
		}
	}
	return slotItem{}, unsupported("profile " + m.profile.ID + " names no item with count, last, total and credit of purchases")
}

// round is where the count begins anew; 0: beyond what anybody buys.
func (s *slotItem) round() uint32 {
	round, base := uint32(1), uint32(100)
	if s.count.Format == profiles.Bits {
		base = 256
	}
	for range s.count.Bytes {
		if round > 1<<31/base {
			return 0
		}
		round *= base
	}
	return round
}

// tell reads the item and makes entries of it.
func (m *Meter) tell(ctx context.Context, t *line.Turn, s slotItem) ([]schemas.CardEntry, error) {
	r, at, err := m.ask(ctx, t, s.di, s.length)
	m.silent = err != nil && ask.Unanswered(err)
	if err != nil {
		return nil, err
	}
	load, left, err := m.lastPurchase(&s, r.data[:s.length], at)
	if err != nil {
		return nil, err
	}
	who := r.from.String()
	m.slot.Modulus = s.round()
	fresh, _, err := m.slot.Since(who, load.Purchase.Number)
	if err != nil {
		return nil, err
	}
	state := load
	state.Event, state.Amount = schemas.CardState, schemas.Credit{}
	state.Residual = left
	state.Counters = s.status(r.data[:s.length])
	var loads []schemas.CardEntry
	if fresh > 0 {
		loads = []schemas.CardEntry{load}
	}
	return m.slot.Tell(who, loads, state, m.bus.zone), nil
}

// lastPurchase returns the last purchase as a load, and what is left now.
func (m *Meter) lastPurchase(s *slotItem, data []byte, at time.Time) (load schemas.CardEntry, left schemas.Credit, err error) {
	load = schemas.CardEntry{Event: schemas.CardLoad, Source: schemas.FromCJT188, Utility: m.profile.Medium, Meter: m.id, TakenAt: at}
	count, reason := decodeField(s.count, "1", data)
	if reason != "" {
		return load, left, ask.Inconsistentf("the purchase count in % X cannot be read (%s): does the meter count in bits or in digits?", data, reason)
	}
	for _, v := range []struct {
		field *profiles.Field
		into  *schemas.Credit
	}{{s.last, &load.Amount}, {s.total, &load.Bought}, {s.left, &left}} {
		if *v.into, err = creditOf(v.field, data); err != nil {
			return load, left, err
		}
	}
	n := uint32(count.Mantissa)
	if n == 0 && load.Bought.Value > 0 {
		n = s.round()
	}
	load.Purchase, load.PurchaseModulus = ask.Purchase(n), s.round()
	return load, left, nil
}

func creditOf(f *profiles.Field, data []byte) (schemas.Credit, error) {
	info, _ := f.Quantity.Info() // the profile is valid
	d, reason := decodeField(f, info.Unit, data)
	if reason != "" {
		return schemas.Credit{}, ask.Inconsistentf("%s in % X cannot be read (%s)", f.Quantity, data, reason)
	}
	c, ok := ask.Credit(d, info.Unit)
	if !ok {
		return c, ask.Inconsistentf("%s is %s %s, which is no amount of a purse", f.Quantity, d, info.Unit)
	}
	return c, nil
}

// status returns the status word behind the fields, nil without one.
func (s *slotItem) status(data []byte) map[schemas.CardCounter]uint32 {
	end := 0
	for _, f := range []*profiles.Field{s.count, s.last, s.total, s.left} {
		end = max(end, f.At+f.Size())
	}
	if len(data) != end+statusSize {
		return nil
	}
	return map[schemas.CardCounter]uint32{schemas.StatusWord: uint32(data[end]) | uint32(data[end+1])<<8}
}
