package seal

import (
	"encoding/binary"
	"fmt"
)

// The major types of CBOR that an envelope uses [RFC 8949 3.1].
const (
	majorUint     = 0
	majorNegative = 1
	majorBytes    = 2
	majorText     = 3
	majorArray    = 4
)

// appendHead writes a major type and its argument in the shortest form
// [RFC 8949 4.2.1].
func appendHead(b []byte, major byte, arg uint64) []byte {
	m := major << 5
	switch {
	case arg < 24:
		return append(b, m|byte(arg))
	case arg < 1<<8:
		return append(b, m|24, byte(arg))
	case arg < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, m|25), uint16(arg))
	case arg < 1<<32:
		return binary.BigEndian.AppendUint32(append(b, m|26), uint32(arg))
	}
	return binary.BigEndian.AppendUint64(append(b, m|27), arg)
}

func appendText(b []byte, s string) []byte {
	return append(appendHead(b, majorText, uint64(len(s))), s...)
}

func appendBytes(b, s []byte) []byte {
	return append(appendHead(b, majorBytes, uint64(len(s))), s...)
}

// cursor reads deterministic CBOR. The first fault sticks; what follows it
// reads as empty, and err says what was wrong and where.
type cursor struct {
	b   []byte
	at  int
	bad string
}

func (c *cursor) err() error {
	if c.bad == "" {
		return nil
	}
	return &Error{Code: FrameBad, Problem: c.bad}
}

func (c *cursor) fail(what, problem string) {
	if c.bad == "" {
		c.bad = fmt.Sprintf("envelope: %s at byte %d: %s", what, c.at, problem)
	}
}

func (c *cursor) take(what string, n uint64) []byte {
	if c.bad != "" {
		return nil
	}
	if n > uint64(len(c.b)-c.at) {
		c.fail(what, "cut short")
		return nil
	}
	s := c.b[c.at : c.at+int(n)]
	c.at += int(n)
	return s
}

// literal reads bytes that can have one value only.
func (c *cursor) literal(what, want string) {
	if got := c.take(what, uint64(len(want))); c.bad == "" && string(got) != want {
		c.fail(what, fmt.Sprintf("got % x, want % x", got, want))
	}
}

// head reads a major type and its argument, which must have the shortest form.
func (c *cursor) head(what string) (major byte, arg uint64) {
	first := c.take(what, 1)
	if c.bad != "" {
		return 0, 0
	}
	major, info := first[0]>>5, first[0]&31
	if info < 24 {
		return major, uint64(info)
	}
	if info > 27 {
		c.fail(what, "indefinite or reserved length")
		return 0, 0
	}
	size := 1 << (info - 24)
	for _, b := range c.take(what, uint64(size)) {
		arg = arg<<8 | uint64(b)
	}
	if c.bad == "" && (arg < 24 || size > 1 && arg>>(4*size) == 0) {
		c.fail(what, "not the shortest form")
	}
	return major, arg
}

// bytes reads a byte string of min to max bytes. It does not copy.
func (c *cursor) bytes(what string, least, most int) []byte {
	major, n := c.head(what)
	if c.bad != "" {
		return nil
	}
	if major != majorBytes {
		c.fail(what, "not a byte string")
		return nil
	}
	if n < uint64(least) || n > uint64(most) {
		c.fail(what, fmt.Sprintf("%d bytes, want %d to %d", n, least, most))
		return nil
	}
	return c.take(what, n)
}

func (c *cursor) end(what string) {
	if c.bad == "" && c.at != len(c.b) {
		c.fail(what, fmt.Sprintf("%d bytes too many", len(c.b)-c.at))
	}
}
