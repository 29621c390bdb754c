package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"citygrid/schemas"
)

var errRows = errors.New("rows of an unexpected form")

// rows walks over the values of a series, [[1,2,null,"a"],[...]], without
// building a value for each cell: a check of a city reads millions.
type rows struct {
	rest  []byte
	cells [][]byte // of the row that next found; they alias the input
}

// newRows checks the columns and the outer bracket.
func newRows(s *series, columns ...string) (*rows, error) {
	if !slices.Equal(s.Columns, columns) {
		return nil, fmt.Errorf("%w: columns %q, want %q", errRows, s.Columns, columns)
	}
	rest := bytes.TrimSpace(s.Values)
	if len(rest) < 2 || rest[0] != '[' {
		return nil, errRows
	}
	return &rows{rest: rest[1:], cells: make([][]byte, len(columns))}, nil
}

// next steps to the following row; false is the end.
func (r *rows) next() (bool, error) {
	r.skip()
	if r.take(']') {
		return false, nil
	}
	if r.take(',') {
		r.skip()
	}
	if !r.take('[') {
		return false, errRows
	}
	for i := range r.cells {
		if i > 0 && !r.take(',') {
			return false, errRows
		}
		r.skip()
		n := cellEnd(r.rest)
		if n == 0 {
			return false, errRows
		}
		r.cells[i], r.rest = r.rest[:n], r.rest[n:]
		r.skip()
	}
	if !r.take(']') {
		return false, errRows
	}
	return true, nil
}

func (r *rows) take(c byte) bool {
	if len(r.rest) == 0 || r.rest[0] != c {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

func (r *rows) skip() {
	for len(r.rest) > 0 && (r.rest[0] == ' ' || r.rest[0] == '\n' || r.rest[0] == '\t' || r.rest[0] == '\r') {
		r.rest = r.rest[1:]
	}
}

// cellEnd returns the length of the scalar at the head of b, 0 when there is
// none.
func cellEnd(b []byte) int {
	if len(b) > 0 && b[0] == '"' {
		for i := 1; i < len(b); i++ {
			switch b[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
		return 0
	}
	return max(0, bytes.IndexAny(b, ",] \n\t\r"))
}

func isNull(cell []byte) bool { return string(cell) == "null" }

// integer reads cell i exactly; ok is false for null.
func (r *rows) integer(i int) (n int64, ok bool, err error) {
	if isNull(r.cells[i]) {
		return 0, false, nil
	}
	n, err = strconv.ParseInt(string(r.cells[i]), 10, 64)
	return n, err == nil, err
}

// float reads cell i; ok is false for null.
func (r *rows) float(i int) (f float64, ok bool, err error) {
	if isNull(r.cells[i]) {
		return 0, false, nil
	}
	f, err = strconv.ParseFloat(string(r.cells[i]), 64)
	return f, err == nil, err
}

// text reads cell i; null is the empty string.
func (r *rows) text(i int) (s string, err error) {
	if isNull(r.cells[i]) {
		return "", nil
	}
	err = json.Unmarshal(r.cells[i], &s)
	return s, err
}

// time reads cell i as milliseconds.
func (r *rows) time(i int) (time.Time, error) {
	ms, ok, err := r.integer(i)
	if err != nil || !ok {
		return time.Time{}, fmt.Errorf("%w: time %q", errRows, r.cells[i])
	}
	return time.UnixMilli(ms).UTC(), nil
}

// small reads cell i as a number of at most 8 bits, null as 0.
func (r *rows) small(i int, lowest, highest int64) (int64, error) {
	n, _, err := r.integer(i)
	if err != nil || n < lowest || n > highest {
		return 0, fmt.Errorf("%w: %q is outside %d..%d", errRows, r.cells[i], lowest, highest)
	}
	return n, nil
}

// reading fills in what the row holds, its cells being time, mantissa,
// exponent, quality, reason from cell 0 on. A reading that lacks what it should
// have is errHalf, with its time filled in, never a zero.
func (r *rows) reading(into *schemas.Reading) error {
	at, err := r.time(0)
	if err != nil {
		return err
	}
	mantissa, ok, err := r.integer(1)
	if err != nil {
		return fmt.Errorf("mantissa: %w", err)
	}
	exponent, err := r.small(2, -18, 18)
	if err != nil {
		return fmt.Errorf("exponent: %w", err)
	}
	quality, err := r.small(3, 0, int64(schemas.Missing))
	if err != nil {
		return fmt.Errorf("quality %s: %w", r.cells[3], err)
	}
	into.TakenAt, into.Quality = at, schemas.Quality(quality)
	into.Value, into.Reason = schemas.Decimal{}, ""
	if isNull(r.cells[3]) {
		return fmt.Errorf("%w: a reading without quality", errHalf)
	}
	if into.HasValue() {
		if !ok || isNull(r.cells[2]) {
			return fmt.Errorf("%w: a %s reading without mantissa and exponent", errHalf, into.Quality)
		}
		into.Value = schemas.Decimal{Mantissa: mantissa, Exponent: int8(exponent)}
	}
	if into.Quality == schemas.Good {
		return nil
	}
	if isNull(r.cells[4]) {
		return fmt.Errorf("%w: a %s reading without reason", errHalf, into.Quality)
	}
	reason, err := r.text(4)
	into.Reason = schemas.Reason(reason)
	return err
}
