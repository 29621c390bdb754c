package store

import (
	"context"
	"fmt"
	"time"

	"citygrid/schemas"
)

// Counters calls fn with every stored reading of these quantities, of all meters, with
// from <= TakenAt <= to, of every origin and quality, in no order: what a roll-up of a
// city is made of. It streams. An error of fn ends it and is returned as it is.
func (s *Store) Counters(ctx context.Context, quantities []schemas.Quantity, from, to time.Time, fn func(schemas.Reading) error) error {
	if to.Before(from) {
		return fmt.Errorf("counters of all meters: to %s is before from %s", to.UTC().Format(timeLayout), from.UTC().Format(timeLayout))
	}
	if len(quantities) == 0 {
		return nil
	}
	q := `SELECT ` + selectReading + ` FROM "` + measurement + `" WHERE (` + anyOf("quantity", quantities) + `) AND ` +
		between(bounded(from), bounded(to.Add(time.Nanosecond))) + bySeries
	return s.readings(ctx, q, readingColumns(), fn)
}

// LastGood calls fn with the last good reading of each meter, quantity and origin with
// since <= TakenAt < before, in no order; of all meters where meters is nil. An error
// of fn ends it and is returned as it is.
func (s *Store) LastGood(ctx context.Context, meters []schemas.MeterID, quantities []schemas.Quantity, since, before time.Time, fn func(schemas.Reading) error) error {
	if len(quantities) == 0 || meters != nil && len(meters) == 0 {
		return nil
	}
	head := `SELECT ` + selectReading + `, last("mantissa"::integer) FROM "` + measurement + `" WHERE (` + anyOf("quantity", quantities) + `) AND "quality"::integer = ` +
		fmt.Sprint(int(schemas.Good)) + ` AND ` + between(bounded(since), bounded(before))
	columns := append(readingColumns(), "last")
	if meters == nil {
		return s.readings(ctx, head+bySeries, columns, fn)
	}
	for len(meters) > 0 {
		n := min(len(meters), metersAtOnce)
		if err := s.readings(ctx, head+` AND (`+anyOf("meter", meters[:n])+`)`+bySeries, columns, fn); err != nil {
			return err
		}
		meters = meters[n:]
	}
	return nil
}

// CountCounters calls fn with how many readings of these quantities are stored of each
// hour of from <= hour < to that has any.
func (s *Store) CountCounters(ctx context.Context, quantities []schemas.Quantity, from, to time.Time, fn func(hour time.Time, n int64) error) error {
	if len(quantities) == 0 || !from.Before(to) {
		return nil
	}
	q := `SELECT count("quality") FROM "` + measurement + `" WHERE (` + anyOf("quantity", quantities) + `) AND ` + between(bounded(from), bounded(to)) + ` GROUP BY time(1h) fill(none)`
	return s.query(ctx, q, func(piece *series) error {
		rows, err := newRows(piece, "time", "count")
		if err != nil {
			return err
		}
		return rows.each(func() error {
			hour, err := rows.time(0)
			if err != nil {
				return err
			}
			n, _, err := rows.integer(1)
			if err != nil || n == 0 {
				return err
			}
			return fn(hour, n)
		})
	})
}
