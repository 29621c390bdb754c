package seal

import (
	"fmt"

	"citygrid/internal/cbor"
)

// cursor reads an envelope. The first fault sticks; what follows it reads as
// empty, and err says what was wrong and where.
type cursor struct {
	r   cbor.Reader
	bad string
}

func newCursor(data []byte) cursor { return cursor{r: cbor.Reader{Data: data}} }

func (c *cursor) err() error {
	if c.bad == "" {
		return nil
	}
	return &Error{Code: FrameBad, Problem: c.bad}
}

func (c *cursor) fail(what, problem string) {
	if c.bad == "" {
		c.bad = fmt.Sprintf("envelope: %s at byte %d: %s", what, c.r.Pos, problem)
	}
}

func (c *cursor) take(what string, n uint64) []byte {
	if c.bad != "" {
		return nil
	}
	s, err := c.r.Take(n)
	if err != nil {
		c.fail(what, err.Error())
	}
	return s
}

// literal reads bytes that can have one value only.
func (c *cursor) literal(what, want string) {
	if got := c.take(what, uint64(len(want))); c.bad == "" && string(got) != want {
		c.fail(what, fmt.Sprintf("got % x, want % x", got, want))
	}
}

// head reads a major type and its argument.
func (c *cursor) head(what string) (major byte, arg uint64) {
	if c.bad != "" {
		return 0, 0
	}
	major, arg, err := c.r.Head()
	if err != nil {
		c.fail(what, err.Error())
	}
	return major, arg
}

// bytes reads a byte string of least to most bytes. It does not copy.
func (c *cursor) bytes(what string, least, most int) []byte {
	major, n := c.head(what)
	if c.bad != "" {
		return nil
	}
	if major != cbor.Bytes {
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
	if n := c.r.Rest(); c.bad == "" && n != 0 {
		c.fail(what, fmt.Sprintf("%d bytes too many", n))
	}
}
