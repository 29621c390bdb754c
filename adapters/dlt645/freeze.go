package dlt645

import (
	"context"
	"errors"
	"slices"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/ask"
	"citygrid/adapters/catalog"
	"citygrid/adapters/dlt645/profiles"
	"citygrid/adapters/line"
	"citygrid/adapters/meterclock"
	"citygrid/schemas"
)

// Kept says how many records of that origin the meter keeps; see
// adapters.Keeper.
func (m *Meter) Kept(o schemas.Origin) int {
	if f, _ := m.series(o); f != nil {
		return f.Kept
	}
	return 0
}

func (m *Meter) series(o schemas.Origin) (*profiles.Freeze, []item) {
	switch o {
	case schemas.DailyFreeze:
		return m.profile.Daily, m.daily
	case schemas.MonthlyFreeze:
		return m.profile.Monthly, m.monthly
	}
	return nil, nil
}

// ReadKept reads record n of that origin, 1 being the newest; see
// adapters.Keeper. What dates the record is read before its values and after
// them: a record that the meter makes in between moves all of them one place on,
// and the values would get the day of their neighbours. If that happens the
// record is read once more. Where the meter's clock alone dates the record, and
// it is near a settlement, the error is a transient one that asks for patience:
// a meter makes its records some time after the moment.
//
// A record that the meter does not have is no reading and no error: it refuses
// the item, its time was never set, or its data are all F. An n outside 1 to
// Kept is an error of class Config.
func (m *Meter) ReadKept(ctx context.Context, o schemas.Origin, n int) ([]schemas.Reading, error) {
	f, items := m.series(o)
	if f == nil || n < 1 || n > f.Kept {
		return nil, m.without("record of origin " + string(o))
	}
	t, err := m.bus.line.Begin(ctx)
	if err != nil {
		return nil, ask.NotServed(m.id, m.bus.line, err)
	}
	defer t.End()
	k := kept{Meter: m, turn: t, freeze: f, items: items, origin: o, n: n}
	for range 2 {
		readings, moved, err := k.read(ctx)
		if !moved {
			return readings, err
		}
	}
	return nil, m.failure(f.Fields[0].DI, errors.New("the meter made a new record each time this one was read"))
}

// kept is one record on its way.
type kept struct {
	*Meter
	turn   *line.Turn
	freeze *profiles.Freeze
	items  []item
	origin schemas.Origin
	n      int
	// days are the meter's settlement days, once they were read.
	days    []meterclock.Settlement
	daysGot bool
}

// read reads the record. moved reports that the meter made a new one meanwhile.
func (k *kept) read(ctx context.Context) (readings []schemas.Reading, moved bool, err error) {
	before, err := k.madeAt(ctx)
	if err != nil || before.IsZero() {
		return nil, false, err
	}
	readings, failed, err := k.values(ctx, before)
	if err != nil || len(readings) == 0 {
		return nil, false, err
	}
	after, err := k.madeAt(ctx)
	switch {
	case err != nil:
		return nil, false, err
	case !after.Equal(before):
		return nil, true, nil
	case failed != nil:
		return readings, false, failed
	}
	return readings, false, nil
}

// values reads the record's items. failed is the first error about an item that
// leaves the others good; err is one after which nothing more is to be asked.
func (k *kept) values(ctx context.Context, at time.Time) (readings []schemas.Reading, failed *adapters.Error, err error) {
	for i := range k.items {
		it := &k.items[i]
		di := it.di + uint32(k.n-1)
		data, _, err := k.ask(ctx, k.turn, di)
		switch {
		case err == nil && catalog.Filled(data, 0xFF), lacks(err):
			continue
		case err != nil && adapters.ClassOf(err) == adapters.Transient:
			return nil, nil, k.failure(di, err)
		case err == nil:
			readings, err = k.decode(readings, it, data, at, k.origin)
		}
		if err != nil && failed == nil {
			failed = k.failure(di, err)
		}
	}
	if len(readings) == 0 && failed != nil {
		return nil, nil, failed
	}
	return readings, failed, nil
}

// madeAt returns when the meter made the record, UTC; zero when there is no such
// record.
func (k *kept) madeAt(ctx context.Context) (time.Time, error) {
	if k.freeze.TimeDI == 0 {
		return k.settledAt(ctx)
	}
	di := k.freeze.TimeDI + uint32(k.n-1)
	b, _, err := k.fixed(ctx, k.turn, di, 5) // mm hh DD MM YY
	if lacks(err) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	if catalog.Filled(b, 0x00) || catalog.Filled(b, 0x99) || catalog.Filled(b, 0xFF) {
		return time.Time{}, nil
	}
	slices.Reverse(b)
	return k.moment(di, b)
}

// settledAt returns the n-th settlement before the time that the meter's clock
// shows, since it is by that clock that the meter settles.
func (k *kept) settledAt(ctx context.Context) (time.Time, error) {
	if !k.daysGot {
		days, err := k.settlementDays(ctx)
		if err != nil {
			return time.Time{}, err
		}
		k.days, k.daysGot = days, true
	}
	if len(k.days) == 0 {
		return time.Time{}, nil
	}
	now, _, err := k.clock(ctx, k.turn)
	if err != nil {
		return time.Time{}, err
	}
	at, err := meterclock.Settled(k.days, now.In(k.bus.zone), k.n)
	if err != nil {
		return time.Time{}, k.failure(k.freeze.Fields[0].DI, err)
	}
	return at, nil
}

// settlementDays reads the days that are set.
func (k *kept) settlementDays(ctx context.Context) (days []meterclock.Settlement, err error) {
	for i := range k.freeze.Days {
		di := k.freeze.DayDI + uint32(i)
		b, _, err := k.fixed(ctx, k.turn, di, 2) // hh DD
		if lacks(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if catalog.Filled(b, 0x00) || catalog.Filled(b, 0x99) || catalog.Filled(b, 0xFF) {
			continue
		}
		hour, ok1 := catalog.BCD(uint64(b[0]))
		day, ok2 := catalog.BCD(uint64(b[1]))
		d := meterclock.Settlement{Day: int(day), Hour: int(hour)}
		if !ok1 || !ok2 || !d.Monthly() {
			return nil, k.failure(di, derangedf("the meter's settlement day is %02X at %02X hours, which not every month has: set it", b[1], b[0]))
		}
		if !slices.Contains(days, d) {
			days = append(days, d)
		}
	}
	return days, nil
}
