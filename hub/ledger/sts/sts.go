// Package sts reads the 20-digit tokens of prepaid meters abroad [IEC 62055-41],
// so that their token identifiers can be tracked as purchase references. It holds
// no key and makes no token that a meter would take: what a credit token says is
// known only where its vending system has written it down or opened it.
package sts

import (
	"fmt"
	"strconv"
	"strings"
)

// Class is what kind of token it is, in clear on every token.
type Class uint8

// The classes [IEC 62055-41 6.2].
const (
	Credit     Class = 0 // encrypted
	Test       Class = 1 // for any meter, in clear: tests and displays
	Management Class = 2 // encrypted, but for key changes in part
)

// String returns "credit", "test", "management" or "reserved".
func (c Class) String() string {
	switch c {
	case Credit:
		return "credit"
	case Test:
		return "test"
	case Management:
		return "management"
	}
	return "reserved"
}

// Token is a 20-digit token.
type Token struct {
	Class Class
	// Block is the 64-bit data block: encrypted, unless Class is Test.
	Block uint64
}

// digits is the length of a token; 66 bits need no more.
const digits = 20

// The class stands in bits 28 and 27 of the token's number; the bits of the
// block that belong there stand in front [IEC 62055-41 6.4.2].
const (
	classBit  = 27
	classMask = uint64(3) << classBit
)

// Parse reads a token as it is printed: 20 digits, with blanks or hyphens between
// groups. A class-1 token's check sum is verified; others show no more than their
// class to anybody without the meter's key. Whoever holds a token can load it, so
// errors do not repeat it.
func Parse(s string) (Token, error) {
	clean := strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, s)
	if len(clean) != digits {
		return Token{}, fmt.Errorf("token of %d characters, want 20 digits", len(clean))
	}
	high, low, err := number(clean)
	if err != nil {
		return Token{}, fmt.Errorf("token: %w", err)
	}
	t := Token{Class: Class(low & classMask >> classBit), Block: low&^classMask | high<<classBit}
	if t.Class == Test && !Sound(t.Class, t.Block) {
		return Token{}, fmt.Errorf("token: the check sum is wrong: a digit was mistyped")
	}
	return t, nil
}

// number reads a decimal number of 66 bits in two parts.
func number(s string) (high, low uint64, err error) {
	const half = 10
	const shift = 1e10
	a, errA := strconv.ParseUint(s[:half], 10, 64)
	b, errB := strconv.ParseUint(s[half:], 10, 64)
	if errA != nil || errB != nil || strings.ContainsAny(s, "+_") {
		return 0, 0, fmt.Errorf("want digits only")
	}
	high, low = mulAdd(a, shift, b)
	if high > 3 {
		return 0, 0, fmt.Errorf("beyond 73786976294838206463, the last 66-bit number: a digit was mistyped")
	}
	return high, low, nil
}

// String writes the token in five groups of four digits.
func (t Token) String() string {
	high := t.Block & classMask >> classBit
	low := t.Block&^classMask | uint64(t.Class)<<classBit
	s := decimal(high, low)
	return s[:4] + " " + s[4:8] + " " + s[8:12] + " " + s[12:16] + " " + s[16:]
}

// Plain is what the data block of a credit token says once it is opened.
type Plain struct {
	Subclass uint8  // 0 electricity, 1 water, 2 gas
	Random   uint8  // 4 bits
	TID      TID    // when it was made
	Units    uint64 // in steps of 0.1 kWh or 0.1 m³
}

// OpenCredit reads an opened data block of a credit token and checks its sum. The
// opening itself needs the meter's key, which only a security module has.
func OpenCredit(block uint64) (Plain, error) {
	if !Sound(Credit, block) {
		return Plain{}, fmt.Errorf("credit block: the check sum is wrong: it was opened with another key, or not at all")
	}
	units := Amount(uint16(block >> 16))
	return Plain{Subclass: uint8(block >> 60), Random: uint8(block >> 56 & 15), TID: TID(block >> 32 & 0xFFFFFF), Units: units}, nil
}

// Sound reports whether the check sum of an opened block is right.
func Sound(c Class, block uint64) bool {
	return Checksum(c, block>>16) == uint16(block)
}

// Checksum returns the CRC-16 over the class and the 48 bits of data before it:
// polynomial 8005 reflected, from FFFF, low byte first [IEC 62055-41 6.3.7].
func Checksum(c Class, data uint64) uint16 {
	bits := uint64(c)<<48 | data&(1<<48-1)
	sum := uint16(0xFFFF)
	for shift := 48; shift >= 0; shift -= 8 {
		sum ^= uint16(byte(bits >> shift))
		for range 8 {
			odd := sum & 1
			sum >>= 1
			if odd != 0 {
				sum ^= 0xA001
			}
		}
	}
	return sum<<8 | sum>>8
}

// Amount returns the units that the 16-bit amount field means: a mantissa of 14
// bits and an exponent of 2, without overlap between the exponents [IEC 62055-41
// 6.3.6].
func Amount(field uint16) uint64 {
	mantissa, exponent := uint64(field&0x3FFF), field>>14
	units, scale := mantissa, uint64(1)
	for range exponent {
		scale *= 10
	}
	units *= scale
	for n := uint64(1); n < scale; n *= 10 {
		units += 1 << 14 * n
	}
	return units
}
