package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"citygrid/schemas"
)

// TooManyError says that a question needs more readings than its caller allows.
type TooManyError struct{ Limit int }

// Error names the limit.
func (e *TooManyError) Error() string {
	return fmt.Sprintf("more than %d readings; ask for a shorter time", e.Limit)
}

// Around returns the good readings of one meter and quantity, of every origin,
// that a consumption from one moment to another needs: those of
// from <= TakenAt <= to and, of each origin, the last before from and the first
// after to. They are ascending in time, those of one moment in the order of
// schemas.Origins. More than limit readings are a *TooManyError.
func (s *Store) Around(ctx context.Context, meter schemas.MeterID, quantity schemas.Quantity, from, to time.Time, limit int) ([]schemas.Reading, error) {
	if to.Before(from) {
		return nil, fmt.Errorf("readings of meter %s, %s: to %s is before from %s", meter, quantity,
			to.UTC().Format(timeLayout), from.UTC().Format(timeLayout))
	}
	start, end := bounded(from).Format(timeLayout), bounded(to).Format(timeLayout)
	var all []schemas.Reading
	for _, piece := range []struct{ when, order string }{
		{`time < '` + start + `'`, ` ORDER BY time DESC LIMIT 1`}, // of each group
		{`time >= '` + start + `' AND time <= '` + end + `'`, ``},
		{`time > '` + end + `'`, ` ORDER BY time LIMIT 1`},
	} {
		q := `SELECT ` + selectReading + of(meter, quantity) +
			fmt.Sprintf(` AND "quality"::integer = %d AND `, schemas.Good) + piece.when + bySeries + piece.order
		err := s.readings(ctx, q, readingColumns(), func(r schemas.Reading) error {
			if len(all) == limit {
				return &TooManyError{Limit: limit}
			}
			all = append(all, r)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("readings of meter %s, %s: %w", meter, quantity, err)
		}
	}
	sortByTime(all)
	return all, nil
}

// sortByTime orders readings of one meter and quantity.
func sortByTime(all []schemas.Reading) {
	origins := schemas.Origins()
	slices.SortFunc(all, func(a, b schemas.Reading) int {
		if c := a.TakenAt.Compare(b.TakenAt); c != 0 {
			return c
		}
		return slices.Index(origins, a.Origin) - slices.Index(origins, b.Origin)
	})
}
