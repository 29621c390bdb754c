package schemas

import (
	"errors"
	"fmt"
	"math"
	"time"

	"citygrid/internal/cbor"
)

// mapReader reads the fields of one map in the order of their keys, which is
// the only order that the deterministic encoding allows. The first error
// sticks: later calls return zero values, and close returns it.
type mapReader struct {
	d     *decoder
	names fieldTable
	left  uint64
	last  int64
	err   error
}

// openMap reads the head of a map.
func (d *decoder) openMap(names fieldTable) mapReader {
	m := mapReader{d: d, names: names, last: -1}
	n, err := d.want(cbor.Map)
	if err != nil {
		m.err = &FieldError{Problem: err.Error()}
	}
	m.left = n
	return m
}

// has reports whether the next field is key, and steps over the key if so.
func (m *mapReader) has(key int) bool {
	if m.err != nil || m.left == 0 {
		return false
	}
	// Most keys are the expected one, in one byte, or two from 24 on.
	if n := m.d.keyHere(key); n > 0 {
		m.d.Pos += n
		m.left--
		m.last = int64(key)
		return true
	}
	m.checkKey(uint64(key))
	return false
}

// keyHere returns in how many bytes the key, which is below 256, stands next; 0 when
// something else does.
func (d *decoder) keyHere(key int) int {
	rest := d.Data[d.Pos:]
	switch {
	case key < oneByte && len(rest) > 0 && rest[0] == byte(key):
		return 1
	case key >= oneByte && len(rest) > 1 && rest[0] == oneByte && rest[1] == byte(key):
		return 2
	}
	return 0
}

// oneByte is the first number that takes a second byte, and the head that says so.
const oneByte = 24

// checkKey finds out why the next key is not the expected one: it may be a
// later one of the table, and anything else is an error.
func (m *mapReader) checkKey(expected uint64) {
	start := m.d.Pos
	k, err := m.d.want(cbor.Uint)
	m.d.Pos = start
	if err != nil {
		m.err = &FieldError{Field: "key", Problem: err.Error()}
		if name, ok := m.names.name(expected); ok && errors.Is(err, cbor.ErrCutShort) {
			m.err = &FieldError{Field: name, Problem: "missing, the message ends before it"}
		}
		return
	}
	name, known := m.names.name(k)
	switch {
	case !known:
		m.err = &FieldError{Field: fmt.Sprintf("key %d", k), Problem: "unknown field"}
	case int64(k) == m.last:
		m.err = &FieldError{Field: name, Problem: "given twice"}
	case int64(k) < m.last:
		m.err = &FieldError{Field: name, Problem: "out of order or given twice"}
	case k < expected:
		m.err = &FieldError{Field: name, Problem: "must not be given here"}
	}
}

// need is has for a field that must be there.
func (m *mapReader) need(key int) bool {
	if m.has(key) {
		return true
	}
	if m.err == nil {
		m.fail(key, errors.New("missing"))
	}
	return false
}

// fail records err under the name of the field.
func (m *mapReader) fail(key int, err error) {
	if m.err == nil && err != nil {
		m.err = &FieldError{Field: m.names[key], Problem: err.Error()}
	}
}

// close returns the first error, a field left over among them.
func (m *mapReader) close() error {
	if m.err == nil && m.left > 0 {
		m.checkKey(uint64(len(m.names)))
	}
	return m.err
}

// text reads a field; the result is part of the message, not a copy.
func (m *mapReader) text(key, limit int) []byte {
	if !m.need(key) {
		return nil
	}
	s, err := m.d.bytes(cbor.Text, limit)
	m.fail(key, err)
	return s
}

func (m *mapReader) uint(key int, limit uint64) uint64 {
	if !m.need(key) {
		return 0
	}
	n, err := m.d.want(cbor.Uint)
	if err == nil && n > limit {
		err = fmt.Errorf("%d, want at most %d", n, limit)
	}
	m.fail(key, err)
	return n
}

func (m *mapReader) uint32(key int) uint32 { return uint32(m.uint(key, math.MaxUint32)) }

func (m *mapReader) time(key int) time.Time {
	if !m.need(key) {
		return time.Time{}
	}
	ms, err := m.d.int64()
	m.fail(key, err)
	return time.UnixMilli(ms).UTC()
}

func (m *mapReader) bool(key int) bool {
	if !m.need(key) {
		return false
	}
	start := m.d.Pos
	arg, err := m.d.want(cbor.Other)
	if err == nil && (m.d.Pos != start+1 || arg != otherFalse && arg != otherTrue) {
		err = errors.New("want true or false")
	}
	m.fail(key, err)
	return arg == otherTrue
}

func (m *mapReader) array(key, limit int) int {
	if !m.need(key) {
		return 0
	}
	n, err := m.d.array(limit)
	m.fail(key, err)
	return n
}

// keyVersion is the first key of every message. Its field is named "format":
// a Status has the collector's version beside it.
const keyVersion = 0

// version reads the format version before anything else, so that a message of
// a later contract is told apart from a broken one.
func (m *mapReader) version(message, reader string) {
	if !m.need(keyVersion) {
		return
	}
	v, err := m.d.want(cbor.Uint)
	m.fail(keyVersion, err)
	if m.err == nil && v != formatVersion {
		m.err = &VersionError{Message: message, Reader: reader, Got: v}
	}
}

// finish closes the outermost map and refuses bytes after it.
func (m *mapReader) finish() error {
	if err := m.close(); err != nil {
		return err
	}
	if n := m.d.Rest(); n > 0 {
		return &FieldError{Problem: fmt.Sprintf("%d bytes after the end of the message", n)}
	}
	return nil
}
