package dlt645

import (
	"fmt"
	"strings"
)

// Address is a meter's address as its plate shows it: twelve digits, two a byte,
// the highest first. A byte AA stands for any two digits [2007 5.2.2].
type Address [6]byte

// wild is the address byte that any meter answers to.
const wild = 0xAA

// Anyone is the address to which the only meter of a line answers.
const Anyone = "AAAAAAAAAAAA"

// ParseAddress reads twelve digits. Leading pairs of them may be AA: such an
// address is answered by every meter whose other digits agree.
func ParseAddress(s string) (Address, error) {
	var a Address
	if len(s) != 2*len(a) {
		return a, fmt.Errorf("address %q: want the twelve digits of the meter's plate, with its zeros on the left, or %s", s, Anyone)
	}
	wilds := true
	for i := range a {
		pair := strings.ToUpper(s[2*i : 2*i+2])
		if wilds && pair == "AA" {
			a[i] = wild
			continue
		}
		wilds = false
		if pair[0] < '0' || pair[0] > '9' || pair[1] < '0' || pair[1] > '9' {
			return Address{}, fmt.Errorf("address %q: %q is no pair of digits; only leading pairs may be AA", s, pair)
		}
		a[i] = (pair[0]-'0')<<4 | (pair[1] - '0')
	}
	return a, nil
}

// String writes the twelve digits.
func (a Address) String() string { return fmt.Sprintf("%X", a[:]) }

// Wild reports whether more than one meter may answer to a.
func (a Address) Wild() bool { return a[0] == wild }

// admits reports whether the meter of address b answers to a.
func (a Address) admits(b Address) bool {
	for i := range a {
		if a[i] != wild && a[i] != b[i] {
			return false
		}
	}
	return true
}

// decimal reports whether a can be the address of a meter.
func (a Address) decimal() bool {
	for _, b := range a {
		if b>>4 > 9 || b&0xF > 9 {
			return false
		}
	}
	return true
}

// append appends a as it goes over the wire, the lowest pair first.
func (a Address) append(dst []byte) []byte {
	for i := len(a) - 1; i >= 0; i-- {
		dst = append(dst, a[i])
	}
	return dst
}

// addressOf reads six bytes as they came over the wire.
func addressOf(wire []byte) (a Address) {
	for i := range a {
		a[len(a)-1-i] = wire[i]
	}
	return a
}
