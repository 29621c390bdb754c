package cjt188

import (
	"fmt"
	"slices"
	"time"

	"citygrid/adapters/catalog"
	"citygrid/adapters/cjt188/profiles"
	"citygrid/adapters/meterclock"
	"citygrid/schemas"
)

// Decode returns the value of field f from the data of its item, after
// identifier and sequence byte, in the unit of the quantity. A non-empty reason
// says why there is no value; the Decimal is then zero and means nothing. An
// error means that data does not hold all of the field, or that the field could
// not be part of a valid profile.
func Decode(f *profiles.Field, data []byte) (schemas.Decimal, schemas.Reason, error) {
	if err := f.Validate(); err != nil {
		return schemas.Decimal{}, "", fmt.Errorf("decode %s: %w", f.Quantity, err)
	}
	if f.At < 0 || f.At > len(data)-f.Size() {
		return schemas.Decimal{}, "", fmt.Errorf("decode %s: bytes %d to %d are not in the %d of item %04X",
			f.Quantity, f.At, f.At+f.Size()-1, len(data), f.DI)
	}
	info, _ := f.Quantity.Info()
	d, reason := decodeField(f, info.Unit, data)
	return d, reason, nil
}

// decodeField is Decode for a field of a valid profile and an item of the
// profile's length. unit is that of the quantity.
func decodeField(f *profiles.Field, unit schemas.Unit, data []byte) (schemas.Decimal, schemas.Reason) {
	var raw uint64
	for i := f.At + f.Bytes - 1; i >= f.At; i-- {
		raw = raw<<8 | uint64(data[i])
	}
	if slices.Contains(f.Absent, raw) {
		return schemas.Decimal{}, schemas.ReasonSentinel
	}
	shift := f.Shift
	switch f.Format {
	case profiles.Bits:
		if f.States != nil {
			return catalog.StateOf(f.States, f.Mask, raw)
		}
		return catalog.Shifted(int64(raw), shift)
	case profiles.BCDUnit:
		named, by, ok := profiles.UnitOf(data[f.At+f.Bytes])
		if !ok || named != unit {
			return schemas.Decimal{}, schemas.ReasonUnknownState
		}
		shift += by
	}
	n, ok := catalog.BCD(raw)
	if !ok {
		return schemas.Decimal{}, schemas.ReasonBadBCD
	}
	return catalog.Shifted(n, shift)
}

// decodeClock reads the time of a meter, ss mm hh DD MM YY CC in BCD, as one of
// the zone in which its clock was set.
func decodeClock(b []byte, zone *time.Location) (time.Time, error) {
	var shown meterclock.Shown
	for i := range shown {
		shown[i] = b[len(shown)-1-i]
	}
	t, ok := shown.In(zone)
	if !ok {
		return time.Time{}, fmt.Errorf("% X is no date and time", b[:len(shown)])
	}
	return t, nil
}
