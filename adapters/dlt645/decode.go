package dlt645

import (
	"fmt"
	"slices"

	"citygrid/adapters/catalog"
	"citygrid/adapters/dlt645/profiles"
	"citygrid/schemas"
)

// Decode returns the value of field f from an item's data: what follows the
// identifier, the 33H taken off. A non-empty reason says why there is no value;
// the Decimal is then zero and means nothing. An error means that data does not
// hold all of the field, or that the field could not be part of a profile.
func Decode(f *profiles.Field, data []byte) (schemas.Decimal, schemas.Reason, error) {
	if err := f.Validate(); err != nil {
		return schemas.Decimal{}, "", fmt.Errorf("decode %s: %w", f.Quantity, err)
	}
	if f.At+f.Bytes > len(data) {
		return schemas.Decimal{}, "", fmt.Errorf("decode %s: bytes %d to %d are not in the %d of the item",
			f.Quantity, f.At, f.At+f.Bytes-1, len(data))
	}
	d, reason := decodeField(f, data)
	return d, reason, nil
}

// decodeField is Decode for a field of a profile and data that hold it.
func decodeField(f *profiles.Field, data []byte) (schemas.Decimal, schemas.Reason) {
	raw := number(data[f.At : f.At+f.Bytes])
	if slices.Contains(f.Absent, raw) {
		return schemas.Decimal{}, schemas.ReasonSentinel
	}
	if f.Format == profiles.Bits {
		if f.States != nil {
			return catalog.StateOf(f.States, f.Mask, raw)
		}
		return catalog.Shifted(int64(raw), f.Shift)
	}
	// A meter fills with FF what it does not have [2007 annex A].
	if raw == 1<<(8*f.Bytes)-1 {
		return schemas.Decimal{}, schemas.ReasonSentinel
	}
	negative := false
	if sign := uint64(1) << (8*f.Bytes - 1); f.Format == profiles.SignedBCD {
		negative = raw&sign != 0
		raw &^= sign
	}
	digits, ok := catalog.BCD(raw)
	if !ok {
		return schemas.Decimal{}, schemas.ReasonBadBCD
	}
	if negative {
		digits = -digits
	}
	return catalog.Shifted(digits, f.Shift)
}

// number reads up to eight bytes, the lowest first.
func number(b []byte) (v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v
}
