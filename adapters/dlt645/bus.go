package dlt645

import (
	"context"
	"fmt"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/dlt645/profiles"
	"citygrid/adapters/line"
	"citygrid/adapters/meterclock"
	"citygrid/schemas"
)

// defaultRetries lets one late or torn answer pass without losing the reading.
const defaultRetries = 1

// Config says how to speak DL/T 645 on a line.
type Config struct {
	// Prefix is how many FE bytes go before a request to wake the meter's
	// receiver up: 1 to 4; 0 stands for 4, negative for none. Before answers any
	// number is taken.
	Prefix int
	// Retries is how often a request is repeated at once after a transient
	// error; 0 stands for 1, negative for none. The first request to a meter
	// whose last Read gave nothing because no answer came is not repeated: it
	// only asks whether the meter is back, while others wait for the line.
	Retries int
	// Location is the time zone of the meters' clocks; nil is UTC+8, the one of
	// all of China.
	Location *time.Location
	// Now is the clock of the waits between questions that a meter refused; nil
	// is time.Now. Readings are dated by the line.
	Now func() time.Time
}

// Bus is DL/T 645 on one line.
type Bus struct {
	line    *line.Line
	wake    int
	retries int
	zone    *time.Location
	now     func() time.Time
}

// New returns DL/T 645 on a line, which other protocols may share. Nothing is
// sent before a meter is read.
func New(l *line.Line, c Config) *Bus {
	b := &Bus{line: l, wake: c.Prefix, retries: c.Retries, zone: c.Location, now: c.Now}
	switch {
	case b.wake == 0 || b.wake > maxWakeUp:
		b.wake = maxWakeUp
	case b.wake < 0:
		b.wake = 0
	}
	if b.retries == 0 {
		b.retries = defaultRetries
	}
	if b.zone == nil {
		b.zone = meterclock.China()
	}
	if b.now == nil {
		b.now = time.Now
	}
	return b
}

// Source returns the meter with the given id at an address of the line, read by
// profile p. The address is the twelve digits of the plate, or Anyone where the
// line has one meter only.
//
// An address or a profile that cannot be, an id outside the alphabet, and a line
// whose wire has no settings (DL/T 645 is spoken on a wire, be it behind a
// serial server) are errors.
func (b *Bus) Source(meter schemas.MeterID, address string, p *profiles.Profile) (*Meter, error) {
	if err := meter.Validate(); err != nil {
		return nil, fmt.Errorf("dlt645 source: %w", err)
	}
	to, err := ParseAddress(address)
	if err != nil {
		return nil, fmt.Errorf("dlt645 source for meter %s: %w", meter, err)
	}
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("dlt645 source for meter %s: %w", meter, err)
	}
	if _, wire := b.line.Serial(); !wire {
		return nil, fmt.Errorf("dlt645 source for meter %s: line %s has no serial settings; give those of its wire, commonly 2400 Bd, even parity", meter, b.line)
	}
	m := &Meter{bus: b, id: meter, address: to, profile: p, live: itemsOf(p, p.Fields)}
	if p.Daily != nil {
		m.daily = itemsOf(p, p.Daily.Fields)
	}
	if p.Monthly != nil {
		m.monthly = itemsOf(p, p.Monthly.Fields)
	}
	return m, nil
}

// ReadAddress asks the only meter of the line for its address [2007 7.2]. Where
// several answer, their answers destroy each other: the error is then a
// *line.FrameError or a *line.NoAnswer that got bytes. Other errors are those of
// Source.Read, without the meter's name.
func (b *Bus) ReadAddress(ctx context.Context) (string, error) {
	t, err := b.line.Begin(ctx)
	if err != nil {
		return "", fmt.Errorf("read address at %s: %w", b.line, err)
	}
	defer t.End()
	q := question{wake: b.wake, request: request{function: readAddress}}
	for i := range q.to {
		q.to[i] = wild
	}
	if _, err := t.Ask(ctx, &q, max(b.retries, 0)); err != nil {
		return "", fmt.Errorf("read address at %s: %w", b.line, err)
	}
	return q.from.String(), nil
}

var (
	_ adapters.Source     = (*Meter)(nil)
	_ adapters.Clocked    = (*Meter)(nil)
	_ adapters.Keeper     = (*Meter)(nil)
	_ adapters.Identified = (*Meter)(nil)
)
