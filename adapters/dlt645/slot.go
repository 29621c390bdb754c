package dlt645

import (
	"context"
	"errors"
	"slices"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/ask"
	"citygrid/adapters/catalog"
	"citygrid/adapters/line"
	"citygrid/adapters/meterclock"
	"citygrid/schemas"
)

// A prepaid meter keeps its last ten purchases as columns of items: the kind of
// purse, the column, and the record, 1 for the newest [extension of DL/T 645-2007
// by the grid companies]. A profile whose power.purchase.count is the count of
// record 1 has a slot; the other columns follow from it.
const (
	moneyRecords  = 0x0333
	energyRecords = 0x0332
	columnDate    = 0x01 // YYMMDDhhmm
	columnCount   = 0x02
	columnAmount  = 0x03
	columnAfter   = 0x05
	columnTotal   = 0x06

	maxRecords = 10
)

// Status word 3, and its bits that say what the purse counts [2007 C.2].
const (
	statusWord3   = 0x04000503
	prepaidBits   = 0x0300
	prepaidEnergy = 0x0100
	prepaidMoney  = 0x0200
)

// purse is how a meter's purse is read.
type purse struct {
	unit    schemas.CreditUnit
	scale   int64 // of the last digit, in unit
	records uint32
	// residual and overdraft are the items of the purse.
	residual, overdraft uint32
}

func moneyPurse() purse {
	return purse{unit: schemas.CreditFen, scale: 1, records: moneyRecords, residual: 0x00900200, overdraft: 0x00900201}
}

func energyPurse() purse { // hundredths of a kWh
	return purse{unit: schemas.CreditWh, scale: 10, records: energyRecords, residual: 0x00900100, overdraft: 0x00900101}
}

func (p *purse) item(column, record int) uint32 {
	return p.records<<16 | uint32(column)<<8 | uint32(record)
}

// Entries reads the purse, and the purchase records that were not told before:
// those behind the count of the last call, or at the first call all that the
// meter keeps. Each is a CardLoad, dated by the meter's clock, with the residual
// after it and the sum bought; a CardState of the purse comes last, when there is
// news (see ask.Slot.Tell). See cardslot.Slot.
//
// The count is read before everything else and after it, and each record carries
// its own: what does not belong together is read again, and then is an error that
// asks for patience. A count that went back, and records that do not fit it, are
// errors of class adapters.Slow with the numbers; a profile without purchase
// records, or a meter that says that it is not prepaid, one of class
// adapters.Config.
func (m *Meter) Entries(ctx context.Context) ([]schemas.CardEntry, error) {
	p, err := m.purse(ctx)
	if err != nil {
		return nil, err
	}
	for range 2 {
		v := visit{Meter: m, purse: p}
		entries, moved, err := v.read(ctx)
		if !moved {
			return entries, err
		}
	}
	return nil, m.failure(p.item(columnCount, 1), errors.New("a purchase came in each time the purse was read: ask again"))
}

// purse finds out what the purse counts: as status word 3 says, or the profile
// where the meter does not have that word.
func (m *Meter) purse(ctx context.Context) (purse, error) {
	byProfile, found := m.profiledPurse()
	if !found {
		return purse{}, m.without("card slot")
	}
	word, _, err := m.number(ctx, statusWord3, 2, false)
	switch {
	case lacks(err):
		return byProfile, nil
	case err != nil:
		return purse{}, err
	case word&prepaidBits == prepaidMoney:
		return moneyPurse(), nil
	case word&prepaidBits == prepaidEnergy:
		return energyPurse(), nil
	}
	return purse{}, m.failure(statusWord3, misfitf("the meter's status word 3 is %04X, which is no prepaid meter's: give it a profile without purchases", word))
}

func (m *Meter) profiledPurse() (purse, bool) {
	money, energy := moneyPurse(), energyPurse()
	for _, f := range m.profile.Fields {
		switch {
		case f.Quantity != "power.purchase.count":
		case f.DI == money.item(columnCount, 1):
			return money, true
		case f.DI == energy.item(columnCount, 1):
			return energy, true
		}
	}
	return purse{}, false
}

// visit is one reading of the slot.
type visit struct {
	*Meter
	purse
	plate string // the meter's number
	count uint32
}

// read reads all that is news. moved reports that a purchase came in meanwhile.
func (v *visit) read(ctx context.Context) (entries []schemas.CardEntry, moved bool, err error) {
	if v.plate, err = v.plateNumber(ctx); err != nil {
		return nil, false, err
	}
	count, _, err := v.number(ctx, v.item(columnCount, 1), 2, true)
	if err != nil {
		return nil, false, err
	}
	v.count = uint32(count)
	fresh, first, err := v.slot.Since(v.plate, v.count)
	if err != nil {
		return nil, false, v.failure(v.item(columnCount, 1), err)
	}
	loads, problem := v.loads(ctx, fresh, first)
	if problem != nil && adapters.ClassOf(problem) == adapters.Transient {
		return nil, false, problem
	}
	state, err := v.state(ctx)
	if err != nil {
		return nil, false, err
	}
	again, _, err := v.number(ctx, v.item(columnCount, 1), 2, true)
	switch {
	case err != nil:
		return nil, false, err
	case uint32(again) != v.count:
		return nil, true, nil
	case problem != nil:
		return nil, false, problem
	}
	return v.slot.Tell(v.plate, loads, state, v.bus.zone), false, nil
}

// plateNumber is the meter's own, or the address where the profile names no item
// for it.
func (v *visit) plateNumber(ctx context.Context) (string, error) {
	switch {
	case v.profile.Serial != 0:
		return v.ReadSerial(ctx)
	case v.address.Wild():
		return v.known.Address.String(), nil
	}
	return v.address.String(), nil
}

// loads reads the last fresh records, the oldest first; at first as many of them
// as there are, but for one at least.
func (v *visit) loads(ctx context.Context, fresh uint32, first bool) ([]schemas.CardEntry, error) {
	var loads []schemas.CardEntry
	for n := 1; n <= maxRecords && n <= int(fresh); n++ {
		load, there, err := v.load(ctx, n)
		if err != nil {
			return nil, err
		}
		if !there {
			if first && n > 1 {
				break
			}
			return nil, v.failure(v.item(columnCount, n), ask.Inconsistentf("the purchase count is %d, and the record of purchase %d is empty: compare the meter's display with its record", v.count, v.count-uint32(n-1)))
		}
		loads = append(loads, load)
	}
	slices.Reverse(loads)
	return loads, nil
}

// load reads record n; there is false when the meter has none.
func (v *visit) load(ctx context.Context, n int) (e schemas.CardEntry, there bool, err error) {
	own, _, err := v.number(ctx, v.item(columnCount, n), 2, true)
	if lacks(err) || isAbsent(err) || err == nil && own == 0 {
		return e, false, nil
	}
	if err != nil {
		return e, false, err
	}
	if want := v.count - uint32(n-1); uint32(own) != want {
		return e, false, v.failure(v.item(columnCount, n), ask.Inconsistentf("the purchase count is %d, and record %d is of purchase %d, not %d: compare the meter's display with its records", v.count, n, own, want))
	}
	e = v.entry(schemas.CardLoad)
	e.Purchase = ask.Purchase(uint32(own))
	if e.Amount, _, err = v.credit(ctx, v.item(columnAmount, n)); err != nil {
		return e, false, err
	}
	if e.Residual, err = v.optional(ctx, v.item(columnAfter, n)); err != nil {
		return e, false, err
	}
	if e.Bought, err = v.optional(ctx, v.item(columnTotal, n)); err != nil {
		return e, false, err
	}
	e.RecordedAt, e.TakenAt, err = v.date(ctx, v.item(columnDate, n))
	return e, true, err
}

// state reads the purse as it is now.
func (v *visit) state(ctx context.Context) (e schemas.CardEntry, err error) {
	e = v.entry(schemas.CardState)
	e.Purchase = ask.Purchase(v.count)
	if e.Bought, err = v.optional(ctx, v.item(columnTotal, 1)); err != nil {
		return e, err
	}
	word, _, err := v.number(ctx, statusWord3, 2, false)
	if err != nil && !lacks(err) {
		return e, err
	}
	if err == nil {
		e.Counters = map[schemas.CardCounter]uint32{schemas.StatusWord: uint32(word)}
	}
	if e.Overdraft, err = v.optional(ctx, v.overdraft); err != nil {
		return e, err
	}
	e.Residual, e.TakenAt, err = v.credit(ctx, v.residual)
	return e, err
}

func (v *visit) entry(event schemas.CardEvent) schemas.CardEntry {
	return schemas.CardEntry{Event: event, Source: schemas.FromDLT645, Utility: v.profile.Medium, Meter: v.id, MeterNumber: v.plate}
}

// credit reads an amount of the purse.
func (v *visit) credit(ctx context.Context, di uint32) (schemas.Credit, time.Time, error) {
	n, at, err := v.number(ctx, di, 4, true)
	if err != nil {
		return schemas.Credit{}, at, err
	}
	return schemas.Credit{Value: n * v.scale, Unit: v.unit}, at, nil
}

// optional is credit of an item that the meter may lack: it is then not known.
func (v *visit) optional(ctx context.Context, di uint32) (schemas.Credit, error) {
	c, _, err := v.credit(ctx, di)
	if lacks(err) || isAbsent(err) {
		return schemas.Credit{}, nil
	}
	return c, err
}

// date reads when a purchase was made by the meter's clock; zero where the meter
// does not say it, or a moment that no entry may carry. It is the last item of a record, so its arrival dates the
// whole.
func (v *visit) date(ctx context.Context, di uint32) (made, at time.Time, err error) {
	b, at, err := v.item645(ctx, di, 5) // mm hh DD MM YY
	if err != nil {
		return made, at, err
	}
	shown := meterclock.Shown{0x20, b[4], b[3], b[2], b[1], b[0]}
	if t, ok := shown.In(v.bus.zone); ok {
		made = schemas.Recorded(t)
	}
	return made, at, nil
}

// number reads an item that is one unsigned number of so many bytes, in digits or
// in bits. Its errors are *adapters.Error.
func (m *Meter) number(ctx context.Context, di uint32, size int, digits bool) (int64, time.Time, error) {
	b, at, err := m.item645(ctx, di, size)
	if err != nil {
		return 0, at, err
	}
	raw := number(b)
	if !digits {
		return int64(raw), at, nil
	}
	if catalog.Filled(b, 0xFF) {
		return 0, at, m.failure(di, &absent{})
	}
	n, ok := catalog.BCD(raw)
	if !ok {
		return 0, at, m.failure(di, ask.Inconsistentf("the item is % X, which are no digits", b))
	}
	return n, at, nil
}

// item645 reads an item of so many bytes in a turn of its own: other meters of
// the line need not wait for all of them.
func (m *Meter) item645(ctx context.Context, di uint32, size int) ([]byte, time.Time, error) {
	t, err := m.bus.line.Begin(ctx)
	if err != nil {
		return nil, time.Time{}, ask.NotServed(m.id, m.bus.line, err)
	}
	defer t.End()
	return m.patient(ctx, t, di, size)
}

// patient is fixed, but remembers a meter that is silent, so that its next
// request costs the line little.
func (m *Meter) patient(ctx context.Context, t *line.Turn, di uint32, size int) ([]byte, time.Time, error) {
	b, at, err := m.fixed(ctx, t, di, size)
	m.silent = err != nil && ask.Unanswered(err)
	return b, at, err
}

// absent is a value that the meter marks as one that it does not have.
type absent struct{}

// Error says so.
func (*absent) Error() string { return "the meter marks the item as not available" }

func isAbsent(err error) bool {
	var a *absent
	return errors.As(err, &a)
}

// Class is Slow: it may have the value some day.
func (*absent) Class() adapters.Class { return adapters.Slow }
