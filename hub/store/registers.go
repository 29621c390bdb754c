package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"citygrid/schemas"
)

// metersAtOnce bounds the meters of one statement: it is a part of the address of
// which proxies take 8 KB, and more meters at once are no faster.
const metersAtOnce = 50

// Registers calls fn with every stored reading of these meters and quantities with
// from <= TakenAt <= to, of every origin and quality, in no order: what a
// reconciliation asks for about card entries of one time. It streams. An error of
// fn ends it and is returned as it is.
func (s *Store) Registers(ctx context.Context, meters []schemas.MeterID, quantities []schemas.Quantity, from, to time.Time, fn func(schemas.Reading) error) error {
	if to.Before(from) {
		return fmt.Errorf("registers of %d meters: to %s is before from %s", len(meters), to.UTC().Format(timeLayout), from.UTC().Format(timeLayout))
	}
	if len(quantities) == 0 {
		return nil
	}
	when := between(bounded(from), bounded(to.Add(time.Nanosecond)))
	for len(meters) > 0 {
		n := min(len(meters), metersAtOnce)
		q := `SELECT ` + selectReading + ` FROM "` + measurement + `" WHERE (` + anyOf("quantity", quantities) + `) AND (` +
			anyOf("meter", meters[:n]) + `) AND ` + when + bySeries
		if err := s.readings(ctx, q, readingColumns(), fn); err != nil {
			return err
		}
		meters = meters[n:]
	}
	return nil
}

// anyOf is the condition that a tag has one of the values.
func anyOf[T ~string](tag string, values []T) string {
	var b strings.Builder
	for i, v := range values {
		if i > 0 {
			b.WriteString(` OR `)
		}
		b.WriteString(`"` + tag + `" = ` + quoteString(string(v)))
	}
	return b.String()
}
