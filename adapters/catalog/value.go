package catalog

import (
	"bytes"

	"citygrid/schemas"
)

// Filled reports data of which every byte is all: meters fill with 00, 99 or FF
// what they have nothing for.
func Filled(data []byte, all byte) bool {
	return len(data) > 0 && bytes.Count(data, []byte{all}) == len(data)
}

// BCD reads a number of up to 16 decimal digits, four bits each; ok is false
// when one of them is no digit.
func BCD(v uint64) (n int64, ok bool) {
	for shift := 60; shift >= 0; shift -= 4 {
		digit := int64(v>>shift) & 0xF
		if digit > 9 {
			return 0, false
		}
		n = n*10 + digit
	}
	return n, true
}

// Shifted returns n × 10^shift, or the reason for which there is no such value.
func Shifted(n int64, shift int) (schemas.Decimal, schemas.Reason) {
	d, ok := schemas.Decimal{Mantissa: n}.Shift(shift)
	if !ok {
		return schemas.Decimal{}, schemas.ReasonOverflow
	}
	return d, ""
}

// StateOf returns the code that states gives to the bits of raw under mask (0
// for all of them), or the reason for which there is none.
func StateOf(states map[uint16]uint8, mask uint16, raw uint64) (schemas.Decimal, schemas.Reason) {
	if mask != 0 {
		raw &= uint64(mask)
	}
	code, ok := states[uint16(raw)]
	if !ok || raw > 0xFFFF {
		return schemas.Decimal{}, schemas.ReasonUnknownState
	}
	return schemas.Decimal{Mantissa: int64(code)}, ""
}
