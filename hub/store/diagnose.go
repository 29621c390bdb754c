package store

import (
	"context"
	"fmt"
	"time"

	"citygrid/schemas"
)

// Attendance is when one quantity of a meter was read.
type Attendance struct {
	// Times are those of its live readings, those without a value too, newest first.
	Times []time.Time
	// More reports that there are older ones in the range.
	More bool
	// Before reports that the meter was read before the range, too.
	Before bool
}

// Attendance tells when a meter was read with from <= TakenAt < to; of more than limit
// times, the newest.
func (s *Store) Attendance(ctx context.Context, meter schemas.MeterID, quantity schemas.Quantity, from, to time.Time, limit int) (a Attendance, err error) {
	live := `SELECT "quality"::integer` + of(meter, quantity) + ` AND ` + ofOrigin(schemas.Live) + ` AND `
	times := func(condition string, limit int) (list []time.Time, err error) {
		q := live + condition + fmt.Sprintf(` ORDER BY time DESC LIMIT %d`, limit)
		err = s.query(ctx, q, func(piece *series) error {
			r, err := newRows(piece, "time", "quality")
			if err != nil {
				return err
			}
			return r.each(func() error {
				at, err := r.time(0)
				list = append(list, at)
				return err
			})
		})
		if err != nil {
			err = fmt.Errorf("attendance of meter %s, %s: %w", meter, quantity, err)
		}
		return list, err
	}
	if a.Times, err = times(between(bounded(from), bounded(to)), limit+1); err != nil {
		return Attendance{}, err
	}
	if a.More = len(a.Times) > limit; a.More {
		a.Times = a.Times[:limit]
		return a, nil
	}
	before, err := times(`time < '`+bounded(from).Format(timeLayout)+`'`, 1)
	a.Before = len(before) > 0
	return a, err
}

// Doubtful returns the readings of a meter that are not good, of every quantity and
// origin, with from <= TakenAt < to, those of a series ascending in time. Of more than
// limit it returns limit, and more is true.
func (s *Store) Doubtful(ctx context.Context, meter schemas.MeterID, from, to time.Time, limit int) (list []schemas.Reading, more bool, err error) {
	q := `SELECT ` + selectReading + ` FROM "` + measurement + `" WHERE "meter" = ` + quoteString(string(meter)) +
		fmt.Sprintf(` AND "quality"::integer > %d AND `, schemas.Good) + between(bounded(from), bounded(to)) + bySeries
	err = s.readings(ctx, q, readingColumns(), func(r schemas.Reading) error {
		if len(list) == limit {
			return errTooMany
		}
		list = append(list, r)
		return nil
	})
	if more = err == errTooMany; more {
		err = nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("doubtful readings of meter %s: %w", meter, err)
	}
	return list, more, nil
}
