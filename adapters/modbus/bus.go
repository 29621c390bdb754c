package modbus

import (
	"context"
	"fmt"
	"time"

	"citygrid/adapters"
	"citygrid/adapters/line"
	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// defaultRetries lets one late or torn answer pass without losing the reading.
const defaultRetries = 1

// Config says how to speak Modbus on a line.
type Config struct {
	// NoTransactionID is for Modbus TCP gateways that do not return the
	// transaction id of the request. A late answer then cannot be told from the
	// right one, so every error closes the connection and is followed by the
	// line's quiet time. A second copy of an answer is known only if it has
	// come before the next request; one that comes later and fits that request
	// is taken for its answer. It means nothing on a wire, where no id exists.
	NoTransactionID bool
	// Retries is how often a request is repeated at once after a transient
	// error; 0 stands for 1, negative for none. The first request to a meter
	// whose last Read gave nothing because no answer came is not repeated: it
	// only asks whether the meter is back, while others wait for the line.
	Retries int
	// Now seeds the transaction ids; nil is time.Now.
	Now func() time.Time
}

// Bus is Modbus on one line: Modbus TCP where the line has no wire that
// matters, else RTU. A line has one Bus at most.
type Bus struct {
	line    *line.Line
	retries int
	noIDs   bool // a hint that speaks of ids would be of no use
	// query is the request of the moment; the line's turn guards it.
	query query
}

// New returns Modbus on a line, which other protocols may share. Nothing is
// sent before a meter is read.
func New(l *line.Line, c Config) *Bus {
	b := &Bus{line: l, retries: c.Retries, noIDs: c.NoTransactionID}
	b.query.answered = true // there was none before
	if b.retries == 0 {
		b.retries = defaultRetries
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if _, wire := l.Serial(); wire {
		b.noIDs = true
		b.query.framing = newRTU()
	} else {
		// Starting at the clock keeps the ids of a restarted collector apart
		// from those that a gateway may still hold answers for.
		b.query.framing = newMBAP(uint16(c.Now().UnixMilli()), c.NoTransactionID)
	}
	return b
}

// Source returns the meter with the given id at a unit of the line, read by the
// register map p. A register map that cannot be read as it asks (see Plan), or
// an id outside the alphabet, is an error.
func (b *Bus) Source(meter schemas.MeterID, unit uint8, p *profiles.Profile) (*Meter, error) {
	if err := meter.Validate(); err != nil {
		return nil, fmt.Errorf("modbus source: %w", err)
	}
	blocks, err := compile(p)
	if err != nil {
		return nil, fmt.Errorf("modbus source for meter %s: %w", meter, err)
	}
	return &Meter{bus: b, id: meter, unit: unit, blocks: blocks, values: len(p.Fields)}, nil
}

var _ adapters.Source = (*Meter)(nil)

// request reads the registers of a block from unit into dst, which has
// 2 × Count bytes, repeating it up to retries times after transient errors. It
// returns the moment at which the answer had arrived. The caller has the turn.
func (b *Bus) request(ctx context.Context, t *line.Turn, unit uint8, blk *block, dst []byte, retries int) (time.Time, error) {
	q := &b.query
	q.begin(unit, blk, dst)
	for {
		at, err := t.Ask(ctx, q, retries)
		if !q.padRefused(err) {
			q.settle(err)
			return at, err
		}
	}
}
