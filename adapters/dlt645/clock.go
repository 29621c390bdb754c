package dlt645

import (
	"context"
	"fmt"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/ask"
	"citygrid/adapters/line"
	"citygrid/adapters/meterclock"
)

// ReadClock returns what the meter's clock shows; see adapters.Clocked. The
// clock's zone is that of Config.Location. A profile without a clock is an error
// of class Config, a clock that shows no time one of class Slow.
func (m *Meter) ReadClock(ctx context.Context) (meter, at time.Time, err error) {
	if m.profile.Clock == nil {
		return meter, at, m.without("clock")
	}
	t, err := m.bus.line.Begin(ctx)
	if err != nil {
		return meter, at, ask.NotServed(m.id, m.bus.line, err)
	}
	defer t.End()
	return m.clock(ctx, t)
}

// without is the error of a profile that does not have what is asked for.
func (m *Meter) without(what string) *adapters.Error {
	return &adapters.Error{
		Meter: m.id, Class: adapters.Config, Request: what + " of meter " + m.address.String(),
		Err: fmt.Errorf("profile %s names no item for it", m.profile.ID),
	}
}

// clock reads the meter's clock.
func (m *Meter) clock(ctx context.Context, t *line.Turn) (meter, at time.Time, err error) {
	c := m.profile.Clock
	if c.BothDI != 0 {
		b, at, err := m.fixed(ctx, t, c.BothDI, 7)
		if err != nil {
			return meter, at, err
		}
		// ss mm hh WW DD MM YY: the day of the week is the meter's own business.
		meter, err := m.moment(c.BothDI, []byte{b[6], b[5], b[4], b[2], b[1], b[0]})
		return meter, at, err
	}
	return m.splitClock(ctx, t)
}

// splitClock reads a clock whose date and time are two items. Where midnight may
// have passed between them, the date may be the day's before: it is then read
// again, and the time with it.
func (m *Meter) splitClock(ctx context.Context, t *line.Turn) (meter, at time.Time, err error) {
	c := m.profile.Clock
	for range 2 {
		date, before, err := m.fixed(ctx, t, c.DateDI, 4) // WW DD MM YY
		if err != nil {
			return meter, at, err
		}
		b, when, err := m.fixed(ctx, t, c.TimeDI, 3) // ss mm hh
		if err != nil {
			return meter, at, err
		}
		at = when
		meter, err = m.moment(c.DateDI, []byte{date[3], date[2], date[1], b[2], b[1], b[0]})
		local := meter.In(m.bus.zone)
		sinceMidnight := time.Duration(local.Hour())*time.Hour + time.Duration(local.Minute())*time.Minute
		if err != nil || sinceMidnight > at.Sub(before) {
			return meter, at, err
		}
	}
	return meter, at, nil
}

// fixed asks for an item that has exactly n bytes. Its errors are *adapters.Error.
func (m *Meter) fixed(ctx context.Context, t *line.Turn, di uint32, n int) ([]byte, time.Time, error) {
	data, at, err := m.ask(ctx, t, di)
	if err == nil && len(data) != n {
		err = misfitf("the item has %d bytes, it should have %d", len(data), n)
	}
	if err != nil {
		return nil, time.Time{}, m.failure(di, err)
	}
	return data, at, nil
}

// moment turns the BCD bytes YY MM DD hh mm and perhaps ss into a moment in UTC.
func (m *Meter) moment(di uint32, b []byte) (time.Time, error) {
	shown := meterclock.Shown{0x20}
	copy(shown[1:], b)
	at, ok := shown.In(m.bus.zone)
	if !ok {
		return time.Time{}, m.failure(di, derangedf("the meter's clock shows %X, which is no time: set it", b))
	}
	return at.UTC(), nil
}

// ReadSerial returns the meter's number, twelve digits; see adapters.Identified.
// A profile without the item is an error of class Config.
func (m *Meter) ReadSerial(ctx context.Context) (string, error) {
	di := m.profile.Serial
	if di == 0 {
		return "", m.without("serial number")
	}
	t, err := m.bus.line.Begin(ctx)
	if err != nil {
		return "", ask.NotServed(m.id, m.bus.line, err)
	}
	defer t.End()
	data, _, err := m.fixed(ctx, t, di, 6)
	if err != nil {
		return "", err
	}
	number := addressOf(data)
	if !number.decimal() {
		return "", m.failure(di, derangedf("the meter's number is %X, which are no digits", number[:]))
	}
	return number.String(), nil
}
