package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"citygrid/schemas"
)

// Sink is where a Writer writes to: a *Store. Write returns nil or a
// *RejectedError when all that can be stored is stored; after any other error
// the same readings are given again.
type Sink interface {
	Write(ctx context.Context, readings []schemas.Reading) error
}

// WriterConfig holds the settings of a Writer. A zero field means its default.
type WriterConfig struct {
	// BatchPoints bounds one call of the Sink; default 5,000, the Store's.
	BatchPoints int
	// QueuePoints bounds the readings that are queued or being written, and so
	// the memory; about 200 bytes each. Default 50,000.
	QueuePoints int
	// Workers is how many batches are written at a time; default 2.
	Workers int
	// Linger is how long a batch that is not full waits for more; default
	// 20 ms, at most 50 ms.
	Linger time.Duration
	// MinBackoff and MaxBackoff bound the pause after a failure, which doubles
	// from one to the other; defaults 100 ms and 10 s.
	MinBackoff, MaxBackoff time.Duration
	// Now is the clock of Stats; default time.Now.
	Now func() time.Time
	// Random returns numbers in [0, 1) for the jitter of the pauses; default
	// math/rand/v2. It is called from several goroutines.
	Random func() float64
	// Log takes one line when the store begins to fail, with what to do, and
	// one when it works again; nil is silent.
	Log *slog.Logger
}

func (c WriterConfig) withDefaults() (WriterConfig, error) {
	def := func(n *int, value int) {
		if *n == 0 {
			*n = value
		}
	}
	defTime := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	def(&c.BatchPoints, defaultBatchPoints)
	def(&c.QueuePoints, 10*c.BatchPoints)
	def(&c.Workers, 2)
	defTime(&c.Linger, 20*time.Millisecond)
	defTime(&c.MinBackoff, 100*time.Millisecond)
	defTime(&c.MaxBackoff, 10*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Random == nil {
		c.Random = rand.Float64
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.BatchPoints < 1 || c.BatchPoints > maxBatchPoints:
		return c, fmt.Errorf("batch of %d points: want 1 to %d", c.BatchPoints, maxBatchPoints)
	case c.QueuePoints < c.BatchPoints:
		return c, fmt.Errorf("queue of %d points: want room for a batch of %d", c.QueuePoints, c.BatchPoints)
	case c.Workers < 1:
		return c, fmt.Errorf("%d workers: want at least 1", c.Workers)
	case c.Linger < 0 || c.Linger > 50*time.Millisecond:
		return c, fmt.Errorf("linger %s: want at most 50ms", c.Linger)
	case c.MinBackoff < 0 || c.MaxBackoff < c.MinBackoff:
		return c, fmt.Errorf("back-off %s to %s: want ascending durations", c.MinBackoff, c.MaxBackoff)
	}
	return c, nil
}

// ErrStopped is the end of a submission that a Writer could not finish before
// it was stopped: some of the readings may not be in the store.
var ErrStopped = errors.New("the store's writer was stopped")

// Writer queues readings for a Sink and tries each batch until it is in,
// however long the store is away. It keeps no order: the store needs none.
//
// Nothing is dropped: while the queue is full, Submit waits.
type Writer struct {
	sink  Sink
	cfg   WriterConfig
	slots *semaphore.Weighted
	in    chan part     // never full: it has room for QueuePoints parts
	gate  chan struct{} // held by the worker that gathers a batch
	carry part          // what did not fit into the last batch; under gate

	mu      sync.RWMutex // orders stopped against sends to in
	stopped bool

	stats writerStats
}

// part is a piece of a submission, at most BatchPoints long.
type part struct {
	readings []schemas.Reading
	base     int // index of readings[0] in the submission
	result   *Result
}

// NewWriter returns a Writer to sink. Its Run does the work.
func NewWriter(sink Sink, cfg WriterConfig) (*Writer, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("store writer: %w", err)
	}
	return &Writer{
		sink:  sink,
		cfg:   cfg,
		slots: semaphore.NewWeighted(int64(cfg.QueuePoints)),
		in:    make(chan part, cfg.QueuePoints),
		gate:  make(chan struct{}, 1),
	}, nil
}

// Run writes what is submitted until ctx is done, then ends all that is not in
// the store with ErrStopped and returns when its workers have ended. Call it
// once. To lose no time on the way out, wait for the results first.
func (w *Writer) Run(ctx context.Context) {
	var workers sync.WaitGroup
	for range w.cfg.Workers {
		workers.Go(func() { w.work(ctx) })
	}
	workers.Wait()

	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	if w.carry.result != nil {
		w.finish(w.carry, nil, ErrStopped)
	}
	for {
		select {
		case p := <-w.in:
			w.finish(p, nil, ErrStopped)
		default:
			return
		}
	}
}

// Submit queues readings and returns their Result at once, or, while the queue
// is full, as soon as there is room. When ctx ends before everything is queued
// the Result ends with its cause. The caller must not change the slice until
// the Result is done.
func (w *Writer) Submit(ctx context.Context, readings []schemas.Reading) *Result {
	r := newResult()
	for base := 0; base < len(readings); base += w.cfg.BatchPoints {
		end := min(base+w.cfg.BatchPoints, len(readings))
		p := part{readings: readings[base:end:end], base: base, result: r}
		if err := w.enqueue(ctx, p); err != nil {
			r.close(nil, err)
			return r
		}
	}
	r.close(nil, nil)
	return r
}

func (w *Writer) enqueue(ctx context.Context, p part) error {
	n := int64(len(p.readings))
	if err := w.slots.Acquire(ctx, n); err != nil {
		return fmt.Errorf("queue readings for the store: %w", context.Cause(ctx))
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.stopped {
		w.slots.Release(n)
		return ErrStopped
	}
	p.result.open()
	w.stats.queued(len(p.readings))
	w.in <- p
	return nil
}

// finish ends a part and gives its room back.
func (w *Writer) finish(p part, rejected []Rejected, err error) {
	w.stats.left(len(p.readings))
	w.slots.Release(int64(len(p.readings)))
	p.result.close(rejected, err)
}

// work is one worker.
func (w *Writer) work(ctx context.Context) {
	var room []schemas.Reading
	for {
		parts := w.gather(ctx)
		if parts == nil {
			return
		}
		readings := parts[0].readings
		if len(parts) > 1 {
			room = room[:0]
			for _, p := range parts {
				room = append(room, p.readings...)
			}
			readings = room
		}
		err := w.persist(ctx, readings)
		w.deliver(parts, err)
		clear(room) // let go of the strings
	}
}

// gather waits for readings and takes what fits into one batch. One worker
// gathers at a time, or they would share the batches among them. nil means that
// ctx is done.
func (w *Writer) gather(ctx context.Context) []part {
	select {
	case w.gate <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	defer func() { <-w.gate }()

	first, ok := w.first(ctx)
	if !ok {
		return nil
	}
	parts, n := []part{first}, len(first.readings)
	linger := time.NewTimer(w.cfg.Linger)
	defer linger.Stop()
	for n < w.cfg.BatchPoints {
		select {
		case p := <-w.in:
			if n+len(p.readings) > w.cfg.BatchPoints {
				w.carry = p
				return parts
			}
			parts, n = append(parts, p), n+len(p.readings)
		case <-linger.C:
			return parts
		case <-ctx.Done():
			return parts
		}
	}
	return parts
}

func (w *Writer) first(ctx context.Context) (p part, ok bool) {
	if w.carry.result != nil {
		p, w.carry = w.carry, part{}
		return p, true
	}
	select {
	case p = <-w.in:
		return p, true
	case <-ctx.Done():
		return part{}, false
	}
}

// persist tries until the readings are in, refused for good, or ctx is done.
func (w *Writer) persist(ctx context.Context, readings []schemas.Reading) error {
	for attempt := 0; ; attempt++ {
		if ctx.Err() != nil {
			return ErrStopped
		}
		err := w.sink.Write(ctx, readings)
		var rejected *RejectedError
		if err == nil || errors.As(err, &rejected) {
			bad := 0
			if rejected != nil {
				bad = len(rejected.Readings)
			}
			if down := w.stats.stored(len(readings)-bad, bad); !down.IsZero() {
				w.cfg.Log.Info("the store takes readings again", "after", w.cfg.Now().Sub(down))
			}
			return err
		}
		if ctx.Err() != nil {
			return ErrStopped
		}
		if w.stats.failed(err, w.cfg.Now()) {
			w.cfg.Log.Error("the store takes no readings; they wait and are tried again", "error", err)
		}
		if !pause(ctx, w.backoff(attempt, err)) {
			return ErrStopped
		}
	}
}

// backoff doubles from MinBackoff to MaxBackoff, of which a random half is
// taken off, so that hubs that lost one store do not return in step. A server
// that names a time gets at least that.
func (w *Writer) backoff(attempt int, err error) time.Duration {
	d := w.cfg.MaxBackoff
	if attempt < 32 && w.cfg.MinBackoff < w.cfg.MaxBackoff>>attempt {
		d = w.cfg.MinBackoff << attempt
	}
	d -= time.Duration(w.cfg.Random() * float64(d) / 2)
	var retry *RetryableError
	if errors.As(err, &retry) {
		d = max(d, min(retry.After, time.Minute))
	}
	return d
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// deliver tells each part its share of the outcome of a batch.
func (w *Writer) deliver(parts []part, err error) {
	var bad []Rejected
	var rejected *RejectedError
	if errors.As(err, &rejected) {
		bad, err = rejected.Readings, nil
	}
	offset := 0
	for _, p := range parts {
		var mine []Rejected
		for len(bad) > 0 && bad[0].Index < offset+len(p.readings) {
			r := bad[0]
			r.Index += p.base - offset
			mine, bad = append(mine, r), bad[1:]
		}
		offset += len(p.readings)
		w.finish(p, mine, err)
	}
}
