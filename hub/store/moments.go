package store

import (
	"context"
	"fmt"
	"time"

	"citygrid/schemas"
)

// Moments calls each for every stored reading of these meters with from <= TakenAt < to,
// of every quantity, origin and quality, in no order: its meter, origin and moment. What
// was read at once comes once for each quantity. It streams.
func (s *Store) Moments(ctx context.Context, meters []schemas.MeterID, from, to time.Time, each func(schemas.MeterID, schemas.Origin, time.Time)) error {
	for len(meters) > 0 {
		n := min(len(meters), metersAtOnce)
		q := `SELECT "quality"::integer FROM "` + measurement + `" WHERE (` + anyOf("meter", meters[:n]) + `) AND ` + between(bounded(from), bounded(to)) + ` GROUP BY "meter", "origin"`
		err := s.query(ctx, q, func(piece *series) error {
			rows, err := newRows(piece, "time", "quality")
			if err != nil {
				return err
			}
			meter, origin := schemas.MeterID(piece.Tags["meter"]), schemas.Origin(piece.Tags["origin"])
			return rows.each(func() error {
				at, err := rows.time(0)
				if err == nil {
					each(meter, origin, at)
				}
				return err
			})
		})
		if err != nil {
			return fmt.Errorf("moments of %d meters: %w", n, err)
		}
		meters = meters[n:]
	}
	return nil
}
