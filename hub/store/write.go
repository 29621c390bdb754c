package store

import (
	"context"
	"errors"
	"slices"

	influxhttp "github.com/influxdata/influxdb-client-go/v2/api/http"

	"citygrid/schemas"
)

// Write stores readings, in requests of at most Config.BatchPoints, and returns
// nil when all of them are in the store: acknowledged after its fsync.
//
// A *RejectedError names readings that the store will never take, because they
// do not Validate or because it refuses them one by one; all others are in. A
// *RetryableError or *ConfigError means that some may not be in: write all of
// them again, now or after the operator has acted. When ctx is cancelled the
// error wraps its cause, and some may not be in.
func (s *Store) Write(ctx context.Context, readings []schemas.Reading) error {
	w := batchWrite{store: s, readings: readings}
	good := make([]int, 0, len(readings))
	for i := range readings {
		if err := readings[i].Validate(); err != nil {
			w.reject(i, err.Error())
			continue
		}
		good = append(good, i)
	}
	for chunk := range slices.Chunk(good, s.batch) {
		if err := w.write(ctx, chunk); err != nil {
			return err
		}
	}
	if len(w.rejected) == 0 {
		return nil
	}
	slices.SortFunc(w.rejected, func(a, b Rejected) int { return a.Index - b.Index })
	return &RejectedError{Readings: w.rejected}
}

// batchWrite is one call of Write.
type batchWrite struct {
	store    *Store
	readings []schemas.Reading
	rejected []Rejected
}

func (w *batchWrite) reject(i int, reason string) {
	w.rejected = append(w.rejected, Rejected{Index: i, Reading: w.readings[i], Reason: reason})
}

// write stores the readings of the given indices. When the server blames the
// points it halves the request until every good point is in and each bad one
// stands alone. The server says how many it dropped but not which; when it
// dropped all of a request there is nothing left to find out.
func (w *batchWrite) write(ctx context.Context, chunk []int) error {
	err := w.store.sendLines(ctx, w.store.encode(w.readings, chunk))
	var ref *refusal
	if !errors.As(err, &ref) {
		return err
	}
	if len(chunk) == 1 || ref.dropped == len(chunk) {
		for _, i := range chunk {
			w.reject(i, ref.text)
		}
		return nil
	}
	half := len(chunk) / 2
	if err := w.write(ctx, chunk[:half]); err != nil {
		return err
	}
	return w.write(ctx, chunk[half:])
}

// sendLines makes one request. An answer that blames the lines is a *refusal.
func (s *Store) sendLines(ctx context.Context, lines string) error {
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := s.writes.WriteRecord(limited, lines)
	if err == nil {
		return nil
	}
	var perr *influxhttp.Error
	if !errors.As(err, &perr) {
		perr = influxhttp.NewError(err)
	}
	return s.explain(ctx, "write", perr)
}

func (s *Store) encode(readings []schemas.Reading, chunk []int) string {
	room, ok := s.lines.Get().(*[]byte)
	if !ok {
		room = new([]byte)
	}
	buf := (*room)[:0]
	for _, i := range chunk {
		buf = AppendLine(buf, readings[i])
	}
	lines := string(buf)
	*room = buf
	s.lines.Put(room)
	return lines
}
