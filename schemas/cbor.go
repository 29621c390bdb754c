package schemas

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

// The wire form is the core deterministic encoding of CBOR [RFC 8949 4.2.1],
// restricted to what citygrid.cddl uses: integers, text, one byte string,
// arrays, maps with small integer keys, booleans, and tag 4 for a decimal
// fraction. The reader is written by hand, because a generic decoder neither
// names the field that is missing nor refuses an integer that is longer than
// it need be; the tests hold it against an independent CBOR library.

// Major types [RFC 8949 3.1].
const (
	majorUint  = 0
	majorNint  = 1
	majorBytes = 2
	majorText  = 3
	majorArray = 4
	majorMap   = 5
	majorTag   = 6
	majorOther = 7
)

// tagDecimal marks [exponent, mantissa] with base 10 [RFC 8949 3.4.4].
const tagDecimal = 4

// Arguments of major type 7 that stand for the booleans.
const (
	otherFalse = 20
	otherTrue  = 21
)

var (
	errCutShort    = errors.New("the message ends inside it")
	errNotShortest = errors.New("a number is longer than it need be")
	errIndefinite  = errors.New("indefinite length is not allowed")
	errReserved    = errors.New("reserved additional information")
	errUTF8        = errors.New("invalid UTF-8")
	errIntRange    = errors.New("an integer outside 64 signed bits")
)

func majorName(major byte) string {
	return [...]string{"an unsigned integer", "a negative integer", "a byte string", "a text",
		"an array", "a map", "a tag", "a simple value or float"}[major&7]
}

// fieldTable names the fields of one kind of map; the index is the key on the
// wire. An empty name is a key that is not in use.
type fieldTable []string

func (t fieldTable) name(key uint64) (string, bool) {
	if key >= uint64(len(t)) || t[key] == "" {
		return "", false
	}
	return t[key], true
}

// appendHead writes a major type and its argument in the shortest form.
func appendHead(dst []byte, major byte, arg uint64) []byte {
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

func appendUint(dst []byte, n uint64) []byte { return appendHead(dst, majorUint, n) }

func appendInt(dst []byte, n int64) []byte {
	if n < 0 {
		return appendHead(dst, majorNint, uint64(^n)) // -1-n [RFC 8949 3.1]
	}
	return appendHead(dst, majorUint, uint64(n))
}

func appendText[T ~string](dst []byte, s T) []byte {
	return append(appendHead(dst, majorText, uint64(len(s))), s...)
}

func appendTime(dst []byte, t time.Time) []byte { return appendInt(dst, t.UnixMilli()) }

func appendBool(dst []byte, b bool) []byte {
	if b {
		return appendHead(dst, majorOther, otherTrue)
	}
	return appendHead(dst, majorOther, otherFalse)
}

func appendDecimal(dst []byte, d Decimal) []byte {
	dst = appendHead(dst, majorTag, tagDecimal)
	dst = appendHead(dst, majorArray, 2)
	dst = appendInt(dst, int64(d.Exponent))
	return appendInt(dst, d.Mantissa)
}

// decoder walks one message. It never allocates on the word of a length that
// the message does not back with bytes.
type decoder struct {
	data []byte
	pos  int
}

func (d *decoder) rest() int { return len(d.data) - d.pos }

// head reads a major type and its argument, which must be in shortest form.
func (d *decoder) head() (major byte, arg uint64, err error) {
	if d.pos >= len(d.data) {
		return 0, 0, errCutShort
	}
	first := d.data[d.pos]
	d.pos++
	major, info := first>>5, first&31
	if info < 24 {
		return major, uint64(info), nil
	}
	if info > 27 {
		if info == 31 {
			return 0, 0, errIndefinite
		}
		return 0, 0, errReserved
	}
	size := 1 << (info - 24)
	if d.rest() < size {
		return 0, 0, errCutShort
	}
	for _, b := range d.data[d.pos : d.pos+size] {
		arg = arg<<8 | uint64(b)
	}
	d.pos += size
	if major != majorOther && (arg < 24 || size > 1 && arg>>(size*4) == 0) {
		return 0, 0, errNotShortest
	}
	return major, arg, nil
}

// want reads a head that must be of the given major type.
func (d *decoder) want(major byte) (uint64, error) {
	got, arg, err := d.head()
	if err != nil {
		return 0, err
	}
	if got != major {
		return 0, fmt.Errorf("%s, want %s", majorName(got), majorName(major))
	}
	return arg, nil
}

func (d *decoder) int64() (int64, error) {
	major, arg, err := d.head()
	switch {
	case err != nil:
		return 0, err
	case major != majorUint && major != majorNint:
		return 0, fmt.Errorf("%s, want an integer", majorName(major))
	case arg > math.MaxInt64:
		return 0, errIntRange
	case major == majorNint:
		return ^int64(arg), nil
	}
	return int64(arg), nil
}

// bytes reads a string of the given major type and of at most limit bytes. The
// result is part of the message, not a copy.
func (d *decoder) bytes(major byte, limit int) ([]byte, error) {
	n, err := d.want(major)
	if err != nil {
		return nil, err
	}
	if n > uint64(limit) {
		return nil, fmt.Errorf("%d bytes, want at most %d", n, limit)
	}
	if n > uint64(d.rest()) {
		return nil, errCutShort
	}
	s := d.data[d.pos : d.pos+int(n)]
	d.pos += int(n)
	if major == majorText && !utf8.Valid(s) {
		return nil, errUTF8
	}
	return s, nil
}

// array reads the length of an array of at most limit elements.
func (d *decoder) array(limit int) (int, error) {
	n, err := d.want(majorArray)
	if err != nil {
		return 0, err
	}
	if n > uint64(limit) {
		return 0, fmt.Errorf("%d elements, want at most %d", n, limit)
	}
	if n > uint64(d.rest()) {
		return 0, errCutShort
	}
	return int(n), nil
}

func (d *decoder) decimal() (Decimal, error) {
	tag, err := d.want(majorTag)
	if err != nil {
		return Decimal{}, err
	}
	if tag != tagDecimal {
		return Decimal{}, fmt.Errorf("tag %d, want tag %d, a decimal fraction", tag, tagDecimal)
	}
	n, err := d.array(2)
	if err != nil {
		return Decimal{}, err
	}
	if n != 2 {
		return Decimal{}, fmt.Errorf("%d elements, want exponent and mantissa", n)
	}
	exp, err := d.int64()
	if err != nil {
		return Decimal{}, err
	}
	if exp < -maxExponent || exp > maxExponent {
		return Decimal{}, fmt.Errorf("exponent %d is outside -%d..%d", exp, maxExponent, maxExponent)
	}
	m, err := d.int64()
	return Decimal{Mantissa: m, Exponent: int8(exp)}, err
}
