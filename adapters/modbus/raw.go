package modbus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"citygrid/adapters/modbus/profiles"
)

// ReadRaw reads the registers of r, whose Fields are not looked at, from a unit:
// for people who look for a register map. It returns two bytes a register, as
// they came, and when they had arrived. Errors are those of a Read, without the
// meter's name; see also ExceptionOf.
func (b *Bus) ReadRaw(ctx context.Context, unit uint8, r Request) ([]byte, time.Time, error) {
	if r.Function != 3 && r.Function != 4 || r.Count < 1 || r.Count > profiles.MaxRegisters || r.last() > 0xFFFF {
		return nil, time.Time{}, fmt.Errorf("read registers: function %d, %d from 0x%04X: want function 3 or 4, and 1 to %d registers up to 0xFFFF",
			r.Function, r.Count, r.At, profiles.MaxRegisters)
	}
	t, err := b.line.Begin(ctx)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("wait for the line %s: %w", b.line, err)
	}
	defer t.End()
	blk := newBlock(&profiles.Profile{MaxRegisters: profiles.MaxRegisters}, Request{Function: r.Function, At: r.At, Count: r.Count})
	dst := make([]byte, 2*int(r.Count))
	at, err := b.request(ctx, t, unit, &blk, dst, max(b.retries, 0))
	if err != nil {
		return nil, time.Time{}, explain(err, b.noIDs)
	}
	return dst, at, nil
}

// ExceptionOf returns the exception code in err, which says that somebody
// answered and refused: the device, or for 0A and 0B the gateway before it.
func ExceptionOf(err error) (code byte, ok bool) {
	var e *exception
	if !errors.As(err, &e) {
		return 0, false
	}
	return e.code, true
}
