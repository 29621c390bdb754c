package cjt188

import (
	"context"
	"fmt"
	"time"

	"citygrid/adapters/line"
)

// Raw is the data of one item as a meter gave it.
type Raw struct {
	// From is the address of the meter that answered, 14 digits; Type its T.
	From string
	Type uint8
	// Data follow the sequence byte, low byte first.
	Data []byte
	At   time.Time
}

// AnyType is the type T that every meter answers to.
const AnyType uint8 = wildcard

// ReadItem reads one item, of whatever length, of the meter with that address
// (see ParseAddress) and type, for people who look for its items. edition is
// 2004 or 2018, the order of the identifier on the wire. Errors are those of
// Source.Read, without the meter's name.
func (b *Bus) ReadItem(ctx context.Context, typ uint8, address string, edition int, di uint16) (Raw, error) {
	a, err := ParseAddress(address)
	if err != nil {
		return Raw{}, err
	}
	o := lowFirst
	switch edition {
	case highFirst.edition():
		o = highFirst
	case lowFirst.edition():
	default:
		return Raw{}, fmt.Errorf("edition %d: want 2004 or 2018", edition)
	}
	t, err := b.line.Begin(ctx)
	if err != nil {
		return Raw{}, fmt.Errorf("wait for the line %s: %w", b.line, err)
	}
	defer t.End()
	r := &anyLength{request{bus: b, typ: typ, address: a, control: readData, di: di, order: o}}
	at, err := t.Ask(ctx, r, max(b.retries, 0))
	if err != nil {
		return Raw{}, explain(err, &r.request)
	}
	return Raw{From: r.from.String(), Type: r.fromType, Data: append([]byte(nil), r.data[:r.length]...), At: at}, nil
}

// anyLength is a request for an item whose length is not known.
type anyLength struct{ request }

// Open takes the length of the frame for the one that is wanted.
func (r *anyLength) Open(b []byte) (line.Verdict, error) {
	if f, err := Parse(b); err == nil && len(f.Data) >= 3 && len(f.Data)-3 <= len(r.data) {
		r.length = len(f.Data) - 3
	}
	return r.request.Open(b)
}
