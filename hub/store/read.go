package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"citygrid/schemas"
)

// The columns of a reading. The casts keep the mantissa an integer even where
// another program has written floats under that name into another shard: 1.8
// would turn all of them into floats.
const (
	selectReading = `"mantissa"::integer, "exponent"::integer, "quality"::integer, "reason"::string`
	bySeries      = ` GROUP BY "meter", "quantity", "origin"`
)

func readingColumns() []string {
	return []string{"time", "mantissa", "exponent", "quality", "reason"}
}

// Each calls fn with every stored reading of from <= TakenAt < to, of every
// origin, one series after the other, ascending in time within a series. A
// series is a meter, a quantity and an origin. It streams: memory does
// not grow with the number of readings. An error of fn ends it and is returned
// as it is. The Unit of a quantity that this version does not know is empty.
func (s *Store) Each(ctx context.Context, from, to time.Time, fn func(schemas.Reading) error) error {
	q := `SELECT ` + selectReading + ` FROM "` + measurement + `" WHERE ` + between(bounded(from), bounded(to)) + bySeries
	return s.readings(ctx, q, readingColumns(), fn)
}

// Last returns the latest live reading of every meter and quantity that has one
// since the given time, in no order: what a hub's live table starts with.
func (s *Store) Last(ctx context.Context, since time.Time) ([]schemas.Reading, error) {
	// A single selector takes the other columns along from the same point.
	// Every point has a quality.
	q := `SELECT ` + selectReading + `, last("quality") FROM "` + measurement +
		`" WHERE time >= '` + bounded(since).Format(timeLayout) + `' AND ` + ofOrigin(schemas.Live) + bySeries
	var all []schemas.Reading
	err := s.readings(ctx, q, append(readingColumns(), "last"), func(r schemas.Reading) error {
		all = append(all, r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// readings runs a query whose columns begin with those of a reading. A point that is
// being written while it is read is asked for again, in its place in the order.
func (s *Store) readings(ctx context.Context, q string, columns []string, fn func(schemas.Reading) error) error {
	return s.query(ctx, q, func(piece *series) error {
		r := schemas.Reading{
			Meter:    schemas.MeterID(piece.Tags["meter"]),
			Quantity: schemas.Quantity(piece.Tags["quantity"]),
			Origin:   schemas.Origin(piece.Tags["origin"]),
		}
		if info, ok := r.Quantity.Info(); ok {
			r.Unit = info.Unit
		}
		rows, err := newRows(piece, columns...)
		if err != nil {
			return fmt.Errorf("read meter %s, %s: %w", r.Meter, r.Quantity, err)
		}
		return rows.each(func() error {
			there, err := true, rows.reading(&r)
			if errors.Is(err, errHalf) {
				r, there, err = s.wholeReading(ctx, r)
			}
			if err != nil {
				return fmt.Errorf("read meter %s, %s: row %s: %w", r.Meter, r.Quantity, rows.cells, err)
			}
			if !there {
				return nil
			}
			return fn(r)
		})
	})
}

// each calls fn after every step.
func (r *rows) each(fn func() error) error {
	for {
		more, err := r.next()
		if err != nil || !more {
			return err
		}
		if err := fn(); err != nil {
			return err
		}
	}
}

// Count returns how many readings of from <= TakenAt < to are stored, of every
// origin.
func (s *Store) Count(ctx context.Context, from, to time.Time) (int64, error) {
	q := `SELECT count("quality") FROM "` + measurement + `" WHERE ` + between(bounded(from), bounded(to))
	var total int64
	err := s.query(ctx, q, func(piece *series) error {
		rows, err := newRows(piece, "time", "count")
		if err != nil {
			return err
		}
		return rows.each(func() error {
			n, _, err := rows.integer(1)
			total += n
			return err
		})
	})
	return total, err
}

// Sample is a point of a chart: a reading, or a summary of a step of time.
type Sample struct {
	// At is the reading's time, or the start of the step.
	At time.Time
	// Count is how many readings with a value the sample stands for. 0 is a
	// gap: draw nothing there.
	Count int64
	// Min, Mean and Max are for drawing, not for sums.
	Min, Mean, Max float64
	// Quality is the worst of the step: Missing when any reading had no value.
	Quality schemas.Quality
	// Value and Reason are those of the reading; zero in a summary.
	Value  schemas.Decimal
	Reason schemas.Reason
}

// Samples is what a chart of one meter and quantity shows.
type Samples struct {
	// Step is the width of each sample's time; 0 means that the samples are
	// the readings themselves.
	Step    time.Duration
	Samples []Sample
}

// maxSamples bounds what Range returns.
const maxSamples = 100_000

// Range returns the readings of one meter, quantity and origin with
// from <= time < to, ascending. When there are more than maxPoints (1 to 100,000) it returns
// summaries of equal steps instead, at most maxPoints of them, every step of
// the range present, so that a gap in the readings is a gap in the samples.
// Steps start at multiples of Step since 1970 in UTC. Times before 2000 and
// after 2199, which no reading has, are taken as those bounds.
func (s *Store) Range(ctx context.Context, meter schemas.MeterID, quantity schemas.Quantity, origin schemas.Origin, from, to time.Time, maxPoints int) (Samples, error) {
	if maxPoints < 1 || maxPoints > maxSamples {
		return Samples{}, fmt.Errorf("range of meter %s, %s: %d points asked for, want 1 to %d", meter, quantity, maxPoints, maxSamples)
	}
	if !from.Before(to) {
		return Samples{}, fmt.Errorf("range of meter %s, %s: from %s is not before to %s", meter, quantity,
			from.UTC().Format(timeLayout), to.UTC().Format(timeLayout))
	}
	from, to = bounded(from), bounded(to)
	where := of(meter, quantity) + ` AND ` + ofOrigin(origin) + ` AND ` + between(from, to)
	raw, err := s.rawSamples(ctx, where, maxPoints)
	if err == nil {
		return Samples{Samples: raw}, nil
	}
	if !errors.Is(err, errTooMany) {
		return Samples{}, err
	}
	return s.stepSamples(ctx, where, from, to, maxPoints)
}

// of is the source of one meter and quantity, of every origin.
func of(meter schemas.MeterID, quantity schemas.Quantity) string {
	return ` FROM "` + measurement + `" WHERE "meter" = ` + quoteString(string(meter)) +
		` AND "quantity" = ` + quoteString(string(quantity))
}

// ofOrigin is the condition on the origin. A tag that a point has not is equal
// to the empty string [InfluxQL specification, "Tags"].
func ofOrigin(o schemas.Origin) string { return `"origin" = ` + quoteString(string(o)) }

var errTooMany = errors.New("more readings than samples asked for")

func (s *Store) rawSamples(ctx context.Context, where string, maxPoints int) ([]Sample, error) {
	var samples []Sample
	q := fmt.Sprintf(`SELECT %s%s LIMIT %d`, selectReading, where, maxPoints+1)
	err := s.readings(ctx, q, readingColumns(), func(r schemas.Reading) error {
		if len(samples) == maxPoints {
			return errTooMany
		}
		samples = append(samples, sampleOf(r))
		return nil
	})
	return samples, err
}

func sampleOf(r schemas.Reading) Sample {
	p := Sample{At: r.TakenAt, Quality: r.Quality, Reason: r.Reason, Value: r.Value}
	if r.HasValue() {
		f := r.Value.Float64()
		p.Count, p.Min, p.Mean, p.Max = 1, f, f, f
	}
	return p
}

func (s *Store) stepSamples(ctx context.Context, where string, from, to time.Time, maxPoints int) (Samples, error) {
	step, start, n := grid(from, to, maxPoints)
	out := Samples{Step: step, Samples: make([]Sample, n)}
	for i := range out.Samples {
		out.Samples[i].At = start.Add(time.Duration(i) * step)
	}
	q := strings.Join([]string{
		`SELECT min("value"::float), mean("value"::float), max("value"::float), count("value"::float), max("quality"::integer) AS "quality"`,
		where,
		fmt.Sprintf(` GROUP BY time(%dms) fill(none)`, step.Milliseconds()),
	}, "")
	err := s.query(ctx, q, func(piece *series) error {
		rows, err := newRows(piece, "time", "min", "mean", "max", "count", "quality")
		if err != nil {
			return err
		}
		return rows.each(func() error { return rows.summary(out) })
	})
	if err != nil {
		return Samples{}, err
	}
	return out, nil
}

// summary puts the row into its place among the samples.
func (r *rows) summary(out Samples) error {
	at, err := r.time(0)
	if err != nil {
		return err
	}
	i := int(at.Sub(out.Samples[0].At) / out.Step)
	if i < 0 || i >= len(out.Samples) || !out.Samples[i].At.Equal(at) {
		return fmt.Errorf("%w: a step at %s", errRows, at)
	}
	p := &out.Samples[i]
	quality, err := r.small(5, 0, int64(schemas.Missing))
	if err != nil {
		return err
	}
	p.Quality = schemas.Quality(quality)
	if p.Count, _, err = r.integer(4); err != nil || p.Count == 0 {
		return err
	}
	var errs [3]error
	p.Min, _, errs[0] = r.float(1)
	p.Mean, _, errs[1] = r.float(2)
	p.Max, _, errs[2] = r.float(3)
	return errors.Join(errs[:]...)
}

// niceSteps are the steps that a person expects on an axis.
func niceSteps() []time.Duration {
	const day = 24 * time.Hour
	return []time.Duration{
		time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
		time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, day,
	}
}

// grid returns the smallest nice step that covers [from, to) with at most
// maxPoints steps, the first of them and their number. Steps are aligned as
// GROUP BY time() aligns them: to multiples since the epoch.
func grid(from, to time.Time, maxPoints int) (step time.Duration, start time.Time, n int) {
	fits := func(d time.Duration) bool {
		width := d.Milliseconds()
		first := floorDiv(from.UnixMilli(), width)
		last := floorDiv(to.UnixMilli()-1, width)
		step, start, n = d, time.UnixMilli(first*width).UTC(), int(last-first+1)
		return n <= maxPoints
	}
	for _, d := range niceSteps() {
		if fits(d) {
			return step, start, n
		}
	}
	const day = 24 * time.Hour
	// Whole days beyond; one more than the quotient pays for the alignment.
	days := max(2, to.Sub(from)/day/time.Duration(maxPoints))
	for !fits(days * day) {
		days += max(1, days/8)
	}
	return step, start, n
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
