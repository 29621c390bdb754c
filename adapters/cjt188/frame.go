package cjt188

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The bytes of a frame [CJ/T 188-2004 6.2]:
//
//	68 T A0..A6 C L DI0 DI1 SER DATA.. CS 16
const (
	leadIn   = 0xFE // up to four of them may stand before a frame
	start    = 0x68
	end      = 0x16
	wildcard = 0xAA // in an address, and as a type: any

	atType    = 1
	atAddress = 2
	atControl = 9
	atLength  = 10
	atData    = 11
	// envelope is how many bytes a frame has beside its data.
	envelope = atData + 2
)

// The control codes that are asked here, and the bits of an answer's.
const (
	readData    = 0x01
	readAddress = 0x03

	fromMeter = 0x80 // D7
	failed    = 0x40 // D6
	function  = 0x3F
)

// Address is a meter's address as on the wire: A0 to A4 the serial number in
// BCD, low byte first, A5 and A6 the maker's code. A byte AA stands for any.
type Address [7]byte

// anyone is the address that every meter answers.
var anyone = Address{wildcard, wildcard, wildcard, wildcard, wildcard, wildcard, wildcard}

// ParseAddress reads an address of 14 digits as a plate shows it, A6 first:
// the maker's code, four hexadecimal digits, and the serial number, ten decimal
// ones. AA in place of two digits stands for any.
func ParseAddress(s string) (Address, error) {
	var a Address
	if len(s) != 2*len(a) {
		return a, fmt.Errorf("address %q: want 14 digits, the maker's four and the serial number's ten", s)
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return a, fmt.Errorf("address %q: a character is no digit", s)
	}
	for i, octet := range b {
		if i >= 2 && octet != wildcard && !isBCD(octet) {
			return a, fmt.Errorf("address %q: %02X is neither two decimal digits nor AA", s, octet)
		}
		a[len(a)-1-i] = octet
	}
	return a, nil
}

// String writes a as ParseAddress reads it.
func (a Address) String() string {
	for i := range len(a) / 2 {
		a[i], a[len(a)-1-i] = a[len(a)-1-i], a[i]
	}
	return strings.ToUpper(hex.EncodeToString(a[:]))
}

// matches reports whether a meter with address b answers a.
func (a Address) matches(b Address) bool {
	for i := range a {
		if a[i] != wildcard && a[i] != b[i] {
			return false
		}
	}
	return true
}

// wild reports whether more than one meter may answer to a.
func (a Address) wild() bool { return slices.Contains(a[:], wildcard) }

func isBCD(b byte) bool { return b>>4 <= 9 && b&0x0F <= 9 }

// Frame is one frame of either direction.
type Frame struct {
	// Type is T: 0x10 cold water, 0x30 gas, 0xAA any.
	Type    uint8
	Address Address
	Control uint8
	// Data is everything that L counts: identifier, sequence byte, content.
	Data []byte
}

// Append appends f, without lead-in, to dst. Data is at most 255 bytes.
func (f Frame) Append(dst []byte) []byte {
	from := len(dst)
	dst = append(dst, start, f.Type)
	dst = append(dst, f.Address[:]...)
	dst = append(dst, f.Control, byte(len(f.Data)))
	dst = append(dst, f.Data...)
	return append(dst, sum(dst[from:]), end)
}

// sum is the checksum: the sum of all bytes from 68H, modulo 256.
func sum(b []byte) (cs byte) {
	for _, octet := range b {
		cs += octet
	}
	return cs
}

// Parse reads one whole frame, which may have lead-in before it and must have
// nothing behind. Data is a part of b.
func Parse(b []byte) (Frame, error) {
	for len(b) > 0 && b[0] == leadIn {
		b = b[1:]
	}
	if len(b) < envelope {
		return Frame{}, fmt.Errorf("%d bytes are no frame, which has %d at least", len(b), envelope)
	}
	if b[0] != start {
		return Frame{}, fmt.Errorf("frame begins with %02X, not 68", b[0])
	}
	if n := envelope + int(b[atLength]); len(b) != n {
		return Frame{}, fmt.Errorf("frame has %d bytes, its length byte %02X means %d", len(b), b[atLength], n)
	}
	if b[len(b)-1] != end {
		return Frame{}, fmt.Errorf("frame ends with %02X, not 16", b[len(b)-1])
	}
	if got, want := b[len(b)-2], sum(b[:len(b)-2]); got != want {
		return Frame{}, fmt.Errorf("checksum is %02X, the bytes sum up to %02X", got, want)
	}
	f := Frame{Type: b[atType], Control: b[atControl], Data: b[atData : len(b)-2]}
	copy(f.Address[:], b[atAddress:])
	return f, nil
}

// sequence returns the sequence byte; ok is false for data that has none. The
// answer of a meter that refuses holds it and the status, without identifier.
func (f Frame) sequence() (ser byte, ok bool) {
	switch {
	case f.Control&failed != 0 && len(f.Data) == 3:
		return f.Data[0], true
	case len(f.Data) >= 3:
		return f.Data[2], true
	}
	return 0, false
}

// String describes f for people who watch a line: "answer of 00112233445566,
// type 10: item 90 1F, sequence 01, 19 bytes".
func (f Frame) String() string {
	kind := "request to"
	switch {
	case f.Control&fromMeter != 0 && f.Control&failed != 0:
		kind = "refusal of"
	case f.Control&fromMeter != 0:
		kind = "answer of"
	}
	out := fmt.Sprintf("%s %s, type %02X, control %02X", kind, f.Address, f.Type, f.Control)
	ser, ok := f.sequence()
	switch {
	case !ok:
		return fmt.Sprintf("%s: % X", out, f.Data)
	case f.Control&failed != 0 && len(f.Data) == 3:
		return fmt.Sprintf("%s: sequence %02X, status % X", out, ser, f.Data[1:])
	}
	return fmt.Sprintf("%s: item % X, sequence %02X, %d bytes", out, f.Data[:2], ser, len(f.Data)-3)
}

// noiseLimit is how many bytes without a frame among them are too many.
const noiseLimit = 64

// split looks for the first frame in b. Bytes that are no frame may stand before
// it: lead-in, and what a transceiver makes of the line's turning round. A 68H
// among them, or in the data of a frame whose head was lost, is told from a
// frame's by what must follow; n = 0 when more bytes are needed.
func split(b []byte) (skip, n int, err error) {
	badAt, badN, partial := 0, 0, false
	for i, octet := range b {
		if octet != start || !plausible(b[i:]) {
			continue
		}
		rest := b[i:]
		if len(rest) <= atLength || len(rest) < envelope+int(rest[atLength]) {
			partial = true
			continue
		}
		size := envelope + int(rest[atLength])
		if _, err := Parse(rest[:size]); err == nil {
			return i, size, nil
		}
		if badN == 0 {
			badAt, badN = i, size
		}
	}
	switch {
	case partial:
		return 0, 0, nil
	case badN > 0:
		return badAt, badN, nil
	case len(b) > noiseLimit:
		return 0, 0, errors.New("no frame of CJ/T 188 among the bytes received: look at baud rate and parity")
	}
	return 0, 0, nil
}

// plausible reports whether b, which begins with 68H, can be the head of a
// frame as far as it goes.
func plausible(b []byte) bool {
	if len(b) > atType {
		if t := b[atType]; t != wildcard && (t < 0x10 || t > 0x4F) {
			return false
		}
	}
	if len(b) > atControl {
		switch b[atControl] & function {
		case 0x01, 0x03, 0x04, 0x09, 0x15, 0x16:
		default:
			return false
		}
	}
	return true
}
