package schemas

import (
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"citygrid/internal/cbor"
)

// The wire form is the core deterministic encoding of CBOR [RFC 8949 4.2.1],
// restricted to what citygrid.cddl uses: integers, text, one byte string,
// arrays, maps with small integer keys, booleans, and tag 4 for a decimal
// fraction. The reader is written by hand, because a generic decoder neither
// names the field that is missing nor refuses an integer that is longer than
// it need be; the tests hold it against an independent CBOR library.

// tagDecimal marks [exponent, mantissa] with base 10 [RFC 8949 3.4.4].
const tagDecimal = 4

// Arguments of major type 7 that stand for the booleans.
const (
	otherFalse = 20
	otherTrue  = 21
)

var (
	errUTF8     = errors.New("invalid UTF-8")
	errIntRange = errors.New("an integer outside 64 signed bits")
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

func appendUint(dst []byte, n uint64) []byte { return cbor.AppendHead(dst, cbor.Uint, n) }

func appendInt(dst []byte, n int64) []byte {
	if n < 0 {
		return cbor.AppendHead(dst, cbor.Nint, uint64(^n)) // -1-n [RFC 8949 3.1]
	}
	return cbor.AppendHead(dst, cbor.Uint, uint64(n))
}

func appendTime(dst []byte, t time.Time) []byte { return appendInt(dst, t.UnixMilli()) }

func appendBool(dst []byte, b bool) []byte {
	if b {
		return cbor.AppendHead(dst, cbor.Other, otherTrue)
	}
	return cbor.AppendHead(dst, cbor.Other, otherFalse)
}

func appendDecimal(dst []byte, d Decimal) []byte {
	dst = cbor.AppendHead(dst, cbor.Tag, tagDecimal)
	dst = cbor.AppendHead(dst, cbor.Array, 2)
	dst = appendInt(dst, int64(d.Exponent))
	return appendInt(dst, d.Mantissa)
}

// decoder reads the items of one message.
type decoder struct{ cbor.Reader }

// want reads a head that must be of the given major type.
func (d *decoder) want(major byte) (uint64, error) {
	got, arg, err := d.Head()
	if err != nil {
		return 0, err
	}
	if got != major {
		return 0, fmt.Errorf("%s, want %s", majorName(got), majorName(major))
	}
	return arg, nil
}

func (d *decoder) int64() (int64, error) {
	major, arg, err := d.Head()
	switch {
	case err != nil:
		return 0, err
	case major != cbor.Uint && major != cbor.Nint:
		return 0, fmt.Errorf("%s, want an integer", majorName(major))
	case arg > math.MaxInt64:
		return 0, errIntRange
	case major == cbor.Nint:
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
	s, err := d.Take(n)
	if err == nil && major == cbor.Text && !utf8.Valid(s) {
		return nil, errUTF8
	}
	return s, err
}

// array reads the length of an array of at most limit elements.
func (d *decoder) array(limit int) (int, error) {
	n, err := d.want(cbor.Array)
	if err != nil {
		return 0, err
	}
	if n > uint64(limit) {
		return 0, fmt.Errorf("%d elements, want at most %d", n, limit)
	}
	if n > uint64(d.Rest()) {
		return 0, cbor.ErrCutShort
	}
	return int(n), nil
}

func (d *decoder) decimal() (Decimal, error) {
	tag, err := d.want(cbor.Tag)
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
