// Package cbor writes and reads the heads of CBOR items in the core
// deterministic encoding [RFC 8949 4.2.1]: shortest form, definite length. What
// the items mean is for the packages of the formats, which name their own
// fields in their errors.
package cbor

import (
	"encoding/binary"
	"errors"
	"math"
)

// Major types [RFC 8949 3.1].
const (
	Uint  byte = 0
	Nint  byte = 1 // with the argument n it is -1-n
	Bytes byte = 2
	Text  byte = 3
	Array byte = 4
	Map   byte = 5
	Tag   byte = 6
	Other byte = 7 // simple values and floats
)

// The errors of a Reader.
var (
	ErrCutShort    = errors.New("the message ends inside it")
	ErrNotShortest = errors.New("a number is longer than it need be")
	ErrIndefinite  = errors.New("indefinite length is not allowed")
	ErrReserved    = errors.New("reserved additional information")
)

// AppendHead writes a major type and its argument in the shortest form.
func AppendHead(dst []byte, major byte, arg uint64) []byte {
	m := major << 5
	switch {
	case arg < 24:
		return append(dst, m|byte(arg))
	case arg <= math.MaxUint8:
		return append(dst, m|24, byte(arg))
	case arg <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, m|25), uint16(arg))
	case arg <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, m|26), uint32(arg))
	}
	return binary.BigEndian.AppendUint64(append(dst, m|27), arg)
}

// AppendText writes a text, which must be valid UTF-8.
func AppendText[T ~string](dst []byte, s T) []byte {
	return append(AppendHead(dst, Text, uint64(len(s))), s...)
}

// AppendBytes writes a byte string.
func AppendBytes(dst, s []byte) []byte {
	return append(AppendHead(dst, Bytes, uint64(len(s))), s...)
}

// Reader walks one message. It never allocates on the word of a length that
// the message does not back with bytes.
type Reader struct {
	Data []byte
	Pos  int // of the next byte, 0 to len(Data)
}

// Rest returns the number of bytes that are left.
func (r *Reader) Rest() int { return len(r.Data) - r.Pos }

// Head reads a major type and its argument, which must be in shortest form.
// The argument of Other may be the bits of a float, which have no shorter form
// than their own: there the caller looks at the length.
func (r *Reader) Head() (major byte, arg uint64, err error) {
	if r.Pos >= len(r.Data) {
		return 0, 0, ErrCutShort
	}
	first := r.Data[r.Pos]
	r.Pos++
	major, info := first>>5, first&31
	if info < 24 {
		return major, uint64(info), nil
	}
	if info > 27 {
		if info == 31 {
			return 0, 0, ErrIndefinite
		}
		return 0, 0, ErrReserved
	}
	size := 1 << (info - 24)
	if r.Rest() < size {
		return 0, 0, ErrCutShort
	}
	for _, b := range r.Data[r.Pos : r.Pos+size] {
		arg = arg<<8 | uint64(b)
	}
	r.Pos += size
	if major != Other && (arg < 24 || size > 1 && arg>>(size*4) == 0) {
		return 0, 0, ErrNotShortest
	}
	return major, arg, nil
}

// Take reads n bytes. The result is part of Data, not a copy.
func (r *Reader) Take(n uint64) ([]byte, error) {
	if n > uint64(r.Rest()) {
		return nil, ErrCutShort
	}
	s := r.Data[r.Pos : r.Pos+int(n)]
	r.Pos += int(n)
	return s, nil
}
