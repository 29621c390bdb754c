package dlt645

import (
	"context"
	"fmt"
	"time"

	"citygrid/adapters/dlt645/profiles"
)

// Raw is the data of one item as a meter gave it.
type Raw struct {
	// From is the address of the meter that answered.
	From string
	// Data follow the identifier, the 33H taken off, low byte first.
	Data []byte
	At   time.Time
}

// ReadItem reads one item of the meter with that address (see ParseAddress), for
// people who look for its items. edition is 2007, or 1997 with identifiers of two
// bytes. Errors are those of Source.Read, without the meter's name; with a
// *Refusal among them, the Raw says which meter refused.
func (b *Bus) ReadItem(ctx context.Context, address string, edition int, di uint32) (Raw, error) {
	to, err := ParseAddress(address)
	if err != nil {
		return Raw{}, err
	}
	if edition != 1997 && edition != 2007 || edition == 1997 && di > 0xFFFF {
		return Raw{}, fmt.Errorf("item %08X of edition %d: want 2007, or 1997 with an identifier of four digits", di, edition)
	}
	t, err := b.line.Begin(ctx)
	if err != nil {
		return Raw{}, fmt.Errorf("wait for the line %s: %w", b.line, err)
	}
	defer t.End()
	m := &Meter{bus: b, address: to, profile: &profiles.Profile{Edition: edition}}
	data, at, err := m.ask(ctx, t, di)
	from := to
	if to.Wild() {
		from = m.known.Address
	}
	if err != nil {
		return Raw{From: from.String()}, explain(err)
	}
	return Raw{From: from.String(), Data: data, At: at}, nil
}
