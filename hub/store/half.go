package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"citygrid/schemas"
)

// errHalf is a row some fields of which are not there. InfluxDB 1.8 puts the fields of
// a point into its cache one after the other, and a query that runs meanwhile shows
// those that are in and null for the others. It is no value; the whole point is there
// an instant later.
var errHalf = fmt.Errorf("%w: some fields of the point are missing", errRows)

const (
	// halfTries bounds how often a half point is asked for again, and halfPause is the
	// first pause between two tries; each is twice the one before: 1.3 s in all. A
	// batch is in within milliseconds. What is still half then was not written by this
	// package.
	halfTries = 8
	halfPause = 10 * time.Millisecond
)

// whole asks for a point that was met half-written until it is whole, at once first.
// ask returns errHalf while it is not. What remains after the last try is that error,
// never a part of the point.
func (s *Store) whole(ctx context.Context, ask func() error) (err error) {
	wait := halfPause
	for try := range halfTries {
		if try > 0 {
			if !s.pause(ctx, wait) {
				return context.Cause(ctx)
			}
			wait *= 2
		}
		if err = ask(); !errors.Is(err, errHalf) {
			return err
		}
	}
	return fmt.Errorf("asked for %d times: %w", halfTries, err)
}

// wholeReading asks for the reading whose row was half, half having its time and tags;
// ok is false when the store does not have it any more.
func (s *Store) wholeReading(ctx context.Context, half schemas.Reading) (r schemas.Reading, ok bool, err error) {
	q := `SELECT ` + selectReading + of(half.Meter, half.Quantity) + ` AND ` + ofOrigin(half.Origin) + ` AND ` +
		between(half.TakenAt, half.TakenAt.Add(time.Millisecond)) + ` LIMIT 1`
	return wholeRow(ctx, s, q, readingColumns(), half, (*rows).reading)
}

// wholeHour is wholeReading for an hour of a cell or an area.
func (s *Store) wholeHour(ctx context.Context, areas bool, half CellHour) (h CellHour, ok bool, err error) {
	q := cellQuery(areas, half.Place, half.Medium, half.Hour, half.Hour.Add(time.Millisecond))
	return wholeRow(ctx, s, q, cellColumns(), half, (*rows).cellHour)
}

// wholeRow asks q for the row that was half, and reads it with read.
func wholeRow[T any](ctx context.Context, s *Store, q string, columns []string, half T, read func(*rows, *T) error) (row T, ok bool, err error) {
	err = s.whole(ctx, func() error {
		row, ok = half, false
		return s.query(ctx, q, func(piece *series) error {
			rows, err := newRows(piece, columns...)
			if err != nil {
				return err
			}
			return rows.each(func() error {
				ok = true
				return read(rows, &row)
			})
		})
	})
	return row, ok, err
}

// anyNull reports whether one of the row's cells is null.
func (r *rows) anyNull(cells ...int) bool {
	for _, n := range cells {
		if isNull(r.cells[n]) {
			return true
		}
	}
	return false
}
