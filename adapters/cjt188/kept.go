package cjt188

import (
	"context"
	"fmt"
	"slices"
	"time"

	"citygrid/adapters/ask"
	"citygrid/adapters/catalog"
	"citygrid/adapters/cjt188/profiles"
	"citygrid/adapters/line"
	"citygrid/adapters/meterclock"
	"citygrid/schemas"
)

// ReadClock returns what the meter's clock showed; see adapters.Clocked.
func (m *Meter) ReadClock(ctx context.Context) (meter, at time.Time, err error) {
	if m.profile.Clock == nil {
		return time.Time{}, time.Time{}, m.failure("clock", unsupported("its profile names no item with the time"))
	}
	t, err := m.bus.line.Begin(ctx)
	if err != nil {
		return time.Time{}, time.Time{}, ask.NotServed(m.id, m.bus.line, err)
	}
	defer t.End()
	local, at, err := m.clock(ctx, t)
	if err != nil {
		return time.Time{}, time.Time{}, m.failure("clock", err)
	}
	return local.UTC(), at, nil
}

// clock asks for the meter's time, in the zone of its clock.
func (m *Meter) clock(ctx context.Context, t *line.Turn) (local, at time.Time, err error) {
	c := m.profile.Clock
	r, at, err := m.ask(ctx, t, c.DI, m.profile.Lengths[c.DI])
	if err != nil {
		return time.Time{}, at, err
	}
	if local, err = decodeClock(r.data[c.At:], m.bus.zone); err != nil {
		return time.Time{}, at, &unreadable{err}
	}
	return local, at, nil
}

// Kept says how many settlement readings the meter keeps; see adapters.Keeper.
func (m *Meter) Kept(o schemas.Origin) int {
	if o != schemas.MonthlyFreeze || m.profile.Monthly == nil {
		return 0
	}
	return m.profile.Monthly.Kept
}

// ReadKept reads settlement reading n; see adapters.Keeper. The meter does not
// date it: its moment is the beginning of the settlement day, n times back from
// the meter's own clock. While that clock is near the settlement the count may
// be off by one, and ReadKept asks for patience with a transient error.
//
// A record that the meter does not have is no reading and no error: it refuses
// the item, or the digits in it are all F.
func (m *Meter) ReadKept(ctx context.Context, o schemas.Origin, n int) ([]schemas.Reading, error) {
	what := fmt.Sprintf("%s %d", o, n)
	if n < 1 || n > m.Kept(o) {
		return nil, m.failure(what, unsupported(fmt.Sprintf("its profile names %d such records", m.Kept(o))))
	}
	t, err := m.bus.line.Begin(ctx)
	if err != nil {
		return nil, ask.NotServed(m.id, m.bus.line, err)
	}
	defer t.End()
	settled, err := m.settled(ctx, t, n)
	if err != nil {
		return nil, m.failure(what, err)
	}
	var out []schemas.Reading
	for i := range m.monthly {
		it := &m.monthly[i]
		r, _, err := m.ask(ctx, t, it.di+uint16(n-1), it.length)
		if isRefusal(err) || err == nil && it.unfilled(r.data[:it.length]) {
			continue // not that many settlements yet
		}
		if err != nil {
			return out, m.failure(what, err)
		}
		out = m.decode(out, it, r, settled, o)
	}
	return out, nil
}

// unfilled reports an item whose fields are all FF: the meter has not recorded
// it. The unit bytes may be set nevertheless.
func (it *item) unfilled(data []byte) bool {
	return !slices.ContainsFunc(it.fields, func(f *profiles.Field) bool {
		return !catalog.Filled(data[f.At:f.At+f.Bytes], 0xFF)
	})
}

// settled returns the moment of settlement reading n, UTC.
func (m *Meter) settled(ctx context.Context, t *line.Turn, n int) (time.Time, error) {
	di := m.profile.Monthly.DayDI
	r, _, err := m.ask(ctx, t, di, m.profile.Lengths[di])
	if err != nil {
		return time.Time{}, fmt.Errorf("settlement day, item %04X: %w", di, err)
	}
	day, ok := catalog.BCD(uint64(r.data[0]))
	settles := meterclock.Settlement{Day: int(day)}
	if !ok || !settles.Monthly() {
		return time.Time{}, &unreadable{fmt.Errorf("the settlement day is %02X: only 01 to 28 are in every month, and date a reading", r.data[0])}
	}
	local, _, err := m.clock(ctx, t)
	if err != nil {
		return time.Time{}, fmt.Errorf("clock: %w", err)
	}
	return meterclock.Settled([]meterclock.Settlement{settles}, local, n)
}
