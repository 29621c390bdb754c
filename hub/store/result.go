package store

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Result is the future of one Submit. It is done when every reading is in the
// store or refused for good, or when the Writer or the Submit was stopped.
type Result struct {
	done chan struct{}

	mu       sync.Mutex
	parts    int // not ended yet, Submit itself being one
	rejected []Rejected
	err      error
}

func newResult() *Result {
	return &Result{done: make(chan struct{}), parts: 1}
}

func (r *Result) open() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.parts++
}

// close ends one part.
func (r *Result) close(rejected []Rejected, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rejected = append(r.rejected, rejected...)
	if r.err == nil {
		r.err = err
	}
	r.parts--
	if r.parts == 0 {
		slices.SortFunc(r.rejected, func(a, b Rejected) int { return a.Index - b.Index })
		close(r.done)
	}
}

// Done is closed when the Result is done.
func (r *Result) Done() <-chan struct{} { return r.done }

// Err returns the outcome of a Result that is done: nil when every reading is
// in the store; a *RejectedError when every other is; else ErrStopped or the
// cause of the end of Submit's context, after which some may not be in. Before
// it is done Err returns nil and means nothing.
func (r *Result) Err() error {
	select {
	case <-r.done:
	default:
		return nil
	}
	if r.err != nil {
		return r.err
	}
	if len(r.rejected) > 0 {
		return &RejectedError{Readings: r.rejected}
	}
	return nil
}

// Wait waits until the Result is done and returns Err. When ctx ends first it
// returns the cause; the work goes on.
func (r *Result) Wait(ctx context.Context) error {
	select {
	case <-r.done:
		return r.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Stats is a Writer's account of itself since it was made.
type Stats struct {
	// Points counts readings written, Rejected those refused for good.
	Points, Rejected uint64
	// Requests counts batches given to the store, Retries those of them that
	// failed and were given again.
	Requests, Retries uint64
	// QueuePoints is how many readings are queued or being written now.
	QueuePoints int
	// LastError is the last failure, whether or not it is over; nil when there
	// was none.
	LastError error
	// DownSince is when the store began to fail; zero while it works.
	DownSince time.Time
}

// Stats returns a snapshot.
func (w *Writer) Stats() Stats {
	w.stats.mu.Lock()
	defer w.stats.mu.Unlock()
	return w.stats.now
}

type writerStats struct {
	mu  sync.Mutex
	now Stats
}

func (s *writerStats) queued(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.QueuePoints += n
}

func (s *writerStats) left(n int) { s.queued(-n) }

// stored returns since when the store was failing, zero when it was not.
func (s *writerStats) stored(points, rejected int) (down time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Requests++
	s.now.Points += uint64(points)
	s.now.Rejected += uint64(rejected)
	down, s.now.DownSince = s.now.DownSince, time.Time{}
	return down
}

// failed reports whether the store worked until now.
func (s *writerStats) failed(err error, at time.Time) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Requests++
	s.now.Retries++
	s.now.LastError = err
	if first = s.now.DownSince.IsZero(); first {
		s.now.DownSince = at
	}
	return first
}
