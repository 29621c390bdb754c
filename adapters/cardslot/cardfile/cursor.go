package cardfile

import (
	"encoding/binary"
	"fmt"
	"time"

	"citygrid/schemas"
)

// FieldError says what does not fit where in a file.
type FieldError struct {
	File, Field string
	Offset      int // of the first byte of the field in the file
	Problem     string
}

// Error names file, field and offset.
func (e *FieldError) Error() string {
	return fmt.Sprintf("%s, %s at byte %d: %s", e.File, e.Field, e.Offset, e.Problem)
}

// Blank reports whether a file was never written: all its bytes are 00, or all
// FF.
func Blank(file []byte) bool {
	if len(file) == 0 {
		return true
	}
	for _, b := range file {
		if b != file[0] {
			return false
		}
	}
	return file[0] == 0x00 || file[0] == 0xFF
}

// reader takes a file apart. Its first error sticks and later calls return
// zeros, so that a decoder reads like the table of the file.
type reader struct {
	file  string
	bytes []byte
	at    int
	err   error
}

// fail remembers the first problem.
func (r *reader) fail(field string, at int, format string, args ...any) {
	if r.err == nil {
		r.err = &FieldError{r.file, field, at, fmt.Sprintf(format, args...)}
	}
}

// newReader checks the length of the file.
func newReader(file string, data []byte, want int) reader {
	r := reader{file: file, bytes: data}
	if len(data) != want {
		r.fail("length", 0, "%d bytes, want %d", len(data), want)
	}
	return r
}

// take returns the next n bytes, or none after an error.
func (r *reader) take(n int) []byte {
	if r.err != nil {
		return nil
	}
	r.at += n
	return r.bytes[r.at-n : r.at]
}

// keep copies bytes whose meaning is not known.
func (r *reader) keep(dst []byte) { copy(dst, r.take(len(dst))) }

// binary reads n bytes, big-endian.
func (r *reader) binary(n int) uint32 {
	var v uint32
	for _, b := range r.take(n) {
		v = v<<8 | uint32(b)
	}
	return v
}

func (r *reader) byte() byte { return byte(r.binary(1)) }

// bcd reads n bytes of two decimal digits each.
func (r *reader) bcd(field string, n int) uint64 {
	at := r.at
	var v uint64
	for i, b := range r.take(n) {
		if b>>4 > 9 || b&0xF > 9 {
			r.fail(field, at+i, "byte %02X is not two decimal digits", b)
			return 0
		}
		v = v*100 + uint64(b>>4)*10 + uint64(b&0xF)
	}
	return v
}

// beijing is how far the clock of cards and meters is ahead of UTC, all year.
const beijing = 8 * time.Hour

// Zone is the zone of those clocks: all of China has one.
func Zone() *time.Location { return time.FixedZone("UTC+8", int(beijing/time.Second)) }

// firstYear is the earliest year of any date on a card: before it there were no
// such cards.
const firstYear = 2000

// date makes a time of the digits, or fails. All zeros are no time.
func (r *reader) date(field string, at int, digits [6]uint64) time.Time {
	if r.err != nil || digits == [6]uint64{} {
		return time.Time{}
	}
	y, mo, d, h, mi, s := int(digits[0]), int(digits[1]), int(digits[2]), int(digits[3]), int(digits[4]), int(digits[5])
	t := time.Date(y, time.Month(mo), d, h, mi, s, 0, time.UTC)
	if y < firstYear || int(t.Month()) != mo || t.Day() != d || t.Hour() != h || t.Minute() != mi || t.Second() != s {
		r.fail(field, at, "%04d-%02d-%02d %02d:%02d:%02d is no date", y, mo, d, h, mi, s)
		return time.Time{}
	}
	return t.Add(-beijing)
}

// minute reads YYMMDDhhmm; the year is one of 2000 to 2099.
func (r *reader) minute(field string) time.Time {
	at := r.at
	var d [6]uint64
	for i := range 5 {
		d[i] = r.bcd(field, 1)
	}
	if d != [6]uint64{} {
		d[0] += 2000
	}
	return r.date(field, at, d)
}

// frame checks 68, the length and the end, and leaves the reader at the first
// byte of the data. width is the number of bytes of the length.
func (r *reader) frame(width int) (command byte) {
	if r.err != nil {
		return 0
	}
	end := len(r.bytes) - 1
	if r.bytes[0] != frameStart {
		r.fail("start", 0, "%02X, want 68", r.bytes[0])
	}
	if r.bytes[end] != frameEnd {
		r.fail("end", end, "%02X, want 16", r.bytes[end])
	}
	r.at = 1
	command = r.byte()
	if n, want := int(r.binary(width)), end-1-2-width; n != want {
		r.fail("data length", 2, "%d, want %d", n, want)
	}
	if got, want := r.bytes[end-1], sum(r.bytes[1:end-1]); got != want {
		r.fail("checksum", end-1, "%02X, the bytes add up to %02X: the file was written in part or is damaged", got, want)
	}
	return command
}

const (
	frameStart = 0x68
	frameEnd   = 0x16
)

func sum(b []byte) (s byte) {
	for _, v := range b {
		s += v
	}
	return s
}

// writer puts a file together; its first error sticks.
type writer struct {
	file  string
	bytes []byte
	unit  schemas.CreditUnit // of the amounts written so far
	err   error
}

func newWriter(file string, size int) writer {
	return writer{file: file, bytes: make([]byte, 0, size)}
}

func (w *writer) fail(field, format string, args ...any) {
	if w.err == nil {
		w.err = &FieldError{w.file, field, len(w.bytes), fmt.Sprintf(format, args...)}
	}
}

func (w *writer) keep(b []byte) { w.bytes = append(w.bytes, b...) }
func (w *writer) byte(b byte)   { w.bytes = append(w.bytes, b) }

// binary writes v big-endian in n bytes.
func (w *writer) binary(field string, n int, v uint32) {
	if n < 4 && v>>(8*n) != 0 {
		w.fail(field, "%d does not fit into %d bytes", v, n)
	}
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], v)
	w.keep(b[4-n:])
}

// bcd writes v as 2n decimal digits.
func (w *writer) bcd(field string, n int, v uint64) {
	var b [8]byte
	rest := v
	for i := n - 1; i >= 0; i-- {
		b[i] = byte(rest%10) | byte(rest/10%10)<<4
		rest /= 100
	}
	if rest != 0 {
		w.fail(field, "%d has more than %d digits", v, 2*n)
	}
	w.keep(b[:n])
}

// minute writes YYMMDDhhmm, or zeros for no time.
func (w *writer) minute(field string, t time.Time) {
	if t.IsZero() {
		w.bcd(field, 5, 0)
		return
	}
	b := t.UTC().Add(beijing)
	if b.Year() < firstYear || b.Year() > 2099 || !t.Truncate(time.Minute).Equal(t) {
		w.fail(field, "%s; want a whole minute of 2000 to 2099", t.Format(time.RFC3339Nano))
		return
	}
	for _, v := range []int{b.Year() - 2000, int(b.Month()), b.Day(), b.Hour(), b.Minute()} {
		w.bcd(field, 1, uint64(v))
	}
}

// begin writes the head of a frame whose data have n bytes.
func (w *writer) begin(command byte, width, n int) {
	w.byte(frameStart)
	w.byte(command)
	w.binary("data length", width, uint32(n))
}

// end writes checksum and end of the frame.
func (w *writer) end() ([]byte, error) {
	w.byte(sum(w.bytes[1:]))
	w.byte(frameEnd)
	return w.done()
}

func (w *writer) done() ([]byte, error) {
	if w.err != nil {
		return nil, w.err
	}
	return w.bytes, nil
}
