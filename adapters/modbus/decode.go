package modbus

import (
	"fmt"
	"math"
	"slices"

	"citygrid/adapters/catalog"
	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
)

// Decode returns the value of field f from block, the raw bytes of the
// registers that begin at wire address at. A non-empty reason says why there is
// no value; the Decimal is then zero and means nothing. An error means that
// block does not hold all of the field's registers, or that the field could not
// be part of a Plan.
func Decode(f *profiles.Field, at uint16, block []byte) (schemas.Decimal, schemas.Reason, error) {
	if err := f.Validate(); err != nil {
		return schemas.Decimal{}, "", fmt.Errorf("decode %s: %w", f.Quantity, err)
	}
	for _, p := range f.Parts {
		if p.At < at || (int(p.Last())-int(at)+1)*2 > len(block) {
			return schemas.Decimal{}, "", fmt.Errorf("decode %s: registers 0x%04X-0x%04X are not in the %d bytes from 0x%04X",
				f.Quantity, p.At, p.Last(), len(block), at)
		}
	}
	d, reason := decodeField(f, at, block)
	return d, reason, nil
}

// decodeField is Decode for a field and a block of a Plan.
func decodeField(f *profiles.Field, at uint16, block []byte) (schemas.Decimal, schemas.Reason) {
	if f.States != nil {
		return decodeState(f, registers(&f.Parts[0], at, block))
	}
	var sum schemas.Decimal
	for i := range f.Parts {
		p := &f.Parts[i]
		d, reason := decodePart(p, registers(p, at, block))
		if reason != "" {
			return schemas.Decimal{}, reason
		}
		if i == 0 {
			sum = d
			continue
		}
		total, ok := sum.Add(d)
		if !ok {
			return schemas.Decimal{}, schemas.ReasonOverflow
		}
		sum = total
	}
	return sum, ""
}

func registers(p *profiles.Part, at uint16, block []byte) []byte {
	from := 2 * int(p.At-at)
	return block[from : from+2*p.Words]
}

func decodeState(f *profiles.Field, raw []byte) (schemas.Decimal, schemas.Reason) {
	v := number(raw, f.Parts[0].Order)
	if slices.Contains(f.Parts[0].Absent, v) {
		return schemas.Decimal{}, schemas.ReasonSentinel
	}
	return catalog.StateOf(f.States, f.Mask, v)
}

// decodePart returns raw × Times × 10^Shift, to p.Places.
func decodePart(p *profiles.Part, raw []byte) (schemas.Decimal, schemas.Reason) {
	v := number(raw, p.Order)
	if slices.Contains(p.Absent, v) {
		return schemas.Decimal{}, schemas.ReasonSentinel
	}
	var d schemas.Decimal
	var reason schemas.Reason
	switch p.Type {
	case profiles.F32:
		f := math.Float32frombits(uint32(v))
		if p.Places > 0 {
			return rounded(p, float64(f), 32)
		}
		d, reason = fromFloat(float64(f))(schemas.DecimalFromFloat32(f))
	case profiles.F64:
		f := math.Float64frombits(v)
		if p.Places > 0 {
			return rounded(p, f, 64)
		}
		d, reason = fromFloat(f)(schemas.DecimalFromFloat64(f))
	case profiles.BCD:
		var ok bool
		if d.Mantissa, ok = catalog.BCD(v); !ok {
			reason = schemas.ReasonBadBCD
		}
	default:
		d.Mantissa, reason = integer(p.Type, v)
	}
	if reason != "" {
		return schemas.Decimal{}, reason
	}
	return scale(d, p)
}

// fromFloat names the reason for which a float has no decimal.
func fromFloat(f float64) func(schemas.Decimal, bool) (schemas.Decimal, schemas.Reason) {
	return func(d schemas.Decimal, ok bool) (schemas.Decimal, schemas.Reason) {
		switch {
		case ok:
			return d, ""
		case math.IsNaN(f) || math.IsInf(f, 0):
			return d, schemas.ReasonNaN
		}
		return d, schemas.ReasonOverflow
	}
}

func scale(d schemas.Decimal, p *profiles.Part) (schemas.Decimal, schemas.Reason) {
	d, ok := d.Mul(p.Times)
	if ok {
		d, ok = d.Shift(p.Shift)
	}
	if !ok {
		return schemas.Decimal{}, schemas.ReasonOverflow
	}
	return d, ""
}

// integer reads the two's complement or unsigned number v of type t.
func integer(t profiles.Type, v uint64) (int64, schemas.Reason) {
	switch t {
	case profiles.I16:
		return int64(int16(v)), ""
	case profiles.I32:
		return int64(int32(v)), ""
	case profiles.I64:
		return int64(v), ""
	}
	if v > math.MaxInt64 {
		return 0, schemas.ReasonOverflow
	}
	return int64(v), ""
}

// number reads up to four registers as one unsigned number.
func number(raw []byte, order profiles.Order) (v uint64) {
	for i := range len(raw) / 2 {
		v = v<<16 | uint64(word(raw, order, i))
	}
	return v
}

// word returns the i-th register of raw counted from the most significant, its
// bytes in order.
func word(raw []byte, order profiles.Order, i int) uint16 {
	if order == profiles.CDAB || order == profiles.DCBA {
		i = len(raw)/2 - 1 - i
	}
	hi, lo := raw[2*i], raw[2*i+1]
	if order == profiles.BADC || order == profiles.DCBA {
		hi, lo = lo, hi
	}
	return uint16(hi)<<8 | uint16(lo)
}
