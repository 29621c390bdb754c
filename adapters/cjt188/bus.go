package cjt188

import (
	"context"
	"fmt"
	"time"

	"citygrid/adapters/cjt188/profiles"
	"citygrid/adapters/line"
	"citygrid/adapters/meterclock"
	"citygrid/schemas"
)

// Config says how the meters of a line behave.
type Config struct {
	// Retries is how often a request is repeated at once after a transient
	// error; 0 stands for 1, negative for none. The first request to a meter
	// whose last Read gave nothing because no answer came is not repeated.
	Retries int
	// LeadIn is how many bytes FE go before a request, to wake a meter up; 0
	// stands for 4, negative for none [CJ/T 188-2004 6.1: 2 to 4].
	LeadIn int
	// IgnoreSequence is for meters that do not return the sequence byte. An
	// answer is then told by meter, item and length, and every error makes the
	// line wait out what may still be under way.
	IgnoreSequence bool
	// Location is the zone in which the meters' clocks were set; nil is China's,
	// UTC+8.
	Location *time.Location
}

const (
	defaultRetries = 1
	defaultLeadIn  = 4
)

// Bus is the protocol on one line. Its methods may be called from several
// goroutines; they take turns with everyone else on the line.
type Bus struct {
	line           *line.Line
	retries        int
	leadIn         int
	ignoreSequence bool
	zone           *time.Location
	// sequence is the sequence byte sent last. The line's turn guards it.
	sequence byte
}

// New returns the protocol on l. It cannot fail: what is wrong with the line
// shows when a meter is read.
func New(l *line.Line, c Config) *Bus {
	b := &Bus{line: l, retries: c.Retries, leadIn: c.LeadIn, ignoreSequence: c.IgnoreSequence, zone: c.Location}
	if b.retries == 0 {
		b.retries = defaultRetries
	}
	if b.leadIn == 0 {
		b.leadIn = defaultLeadIn
	}
	b.leadIn = max(b.leadIn, 0)
	if b.zone == nil {
		b.zone = meterclock.China()
	}
	return b
}

// Source returns the meter with that address (14 digits, see ParseAddress) on
// the bus, read by profile p, which must not change afterwards. It asks nothing
// of the meter. An error means that the address or the profile cannot be, or that
// the line has no wire that matters: without one, nothing keeps the silences.
func (b *Bus) Source(meter schemas.MeterID, address string, p *profiles.Profile) (*Meter, error) {
	if err := meter.Validate(); err != nil {
		return nil, err
	}
	a, err := ParseAddress(address)
	if err != nil {
		return nil, fmt.Errorf("meter %s: %w", meter, err)
	}
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("meter %s: %w", meter, err)
	}
	if _, wire := b.line.Serial(); !wire {
		return nil, fmt.Errorf("meter %s: line %s has no serial settings; give those of its wire, commonly 2400 Bd, even parity", meter, b.line)
	}
	return newMeter(b, meter, a, p), nil
}

// Found is a meter that told its address.
type Found struct {
	// Address has 14 digits; see ParseAddress.
	Address string
	// Type is T: 0x10 cold water, 0x30 gas.
	Type uint8
	// At is when the answer had arrived, UTC.
	At time.Time
}

// addressItem is the identifier of a meter's own address.
const addressItem = 0x810A

// FindOnly asks whoever is on the line for its address, in the orders of both
// editions. It works for a line with one meter: several answer at once, and
// nothing can be read from that.
func (b *Bus) FindOnly(ctx context.Context) (Found, error) {
	t, err := b.line.Begin(ctx)
	if err != nil {
		return Found{}, fmt.Errorf("wait for the line %s: %w", b.line, err)
	}
	defer t.End()
	var first error
	for _, o := range []order{highFirst, lowFirst} {
		r := &request{bus: b, typ: wildcard, address: anyone, control: readAddress, di: addressItem, order: o}
		at, err := t.Ask(ctx, r, max(b.retries, 0))
		if err == nil {
			return Found{Address: r.from.String(), Type: r.fromType, At: at}, nil
		}
		if first == nil {
			first = explain(err, r)
		}
		if !tryOther(err) {
			break
		}
	}
	return Found{}, fmt.Errorf("ask the meter on %s for its address: %w", b.line, first)
}
