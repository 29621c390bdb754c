package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"citygrid/collector/spool"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// BatchLimits bound what is sealed at once.
type BatchLimits struct {
	// MaxReadings closes a batch; 1 to schemas.MaxReadings.
	MaxReadings int
	// MaxAge closes a batch that is not full this long after its first reading.
	MaxAge time.Duration
}

// sealStage makes envelopes of readings and makes them durable:
//
//	in (readings) -> batch -> CBOR -> seal -> spool.AppendAsync -> settle
//
// A reading counts as read when its envelope is on disk, and not before. The
// sequence number of an envelope is fixed when it is sealed, so an envelope
// that finds the disk full is held and offered again, never sealed anew.
type sealStage struct {
	id      schemas.CollectorID
	area    schemas.AreaCode
	limits  BatchLimits
	in      <-chan []schemas.Reading
	session func() (sealer, error) // with a context of its own
	spool   *spool.Spool
	metrics *metrics
	log     *slog.Logger

	sealer sealer
	batch  []schemas.Reading
	plain  []byte
	taken  int // readings from in so far
	kept   int // of these, durable

	mu      sync.Mutex
	waiting int // how many wait for room on the disk
}

// sealer makes one envelope after the other in one session (*seal.Sealer).
type sealer interface {
	Seal(dst, plaintext []byte) (envelope []byte, seq uint32, err error)
}

// pendingEnvelope is an envelope on its way to the disk.
type pendingEnvelope struct {
	envelope []byte
	readings int
	pending  spool.Pending
}

// maxUnsettled bounds the envelopes that are sealed and not yet durable, which
// is what a full disk finds in memory. A commit takes about 100 ms.
const maxUnsettled = 64

// fullRetry is how long the stage waits before it tries a full disk again.
const fullRetry = time.Second

// run works until in is closed and everything from it is durable, or ctx is
// done: then the error says how many readings are not on disk. A failure that
// no waiting can mend ends it as well.
func (s *sealStage) run(stop context.Context) error {
	ctx, cancel := context.WithCancelCause(stop)
	defer cancel(nil)
	settling := make(chan pendingEnvelope, maxUnsettled)
	settled := make(chan error, 1)
	go func() { settled <- s.settle(ctx, cancel, settling) }()
	err := s.collect(ctx, settling)
	close(settling)
	failed := <-settled
	if err == nil || failed != nil && errors.Is(err, failed) {
		err = failed
	}
	if lost := s.taken - s.kept; lost > 0 {
		return fmt.Errorf("%d readings are not on disk: %w", lost, err)
	}
	if stop.Err() != nil {
		return nil // cut short, with nothing left to do
	}
	return err
}

// collect fills batches and offers them to the spool.
func (s *sealStage) collect(ctx context.Context, settling chan<- pendingEnvelope) error {
	timer := time.NewTimer(s.limits.MaxAge)
	defer timer.Stop()
	for {
		select {
		case readings, ok := <-s.in:
			if !ok {
				return s.flush(ctx, settling)
			}
			s.taken += len(readings)
			if len(s.batch) == 0 {
				timer.Reset(s.limits.MaxAge)
			}
			if err := s.add(ctx, readings, settling); err != nil {
				return err
			}
		case <-timer.C:
			if err := s.flush(ctx, settling); err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("stopped before the last batch was sealed: %w", context.Cause(ctx))
		}
	}
}

// add appends readings to the batch and flushes it whenever it is full.
func (s *sealStage) add(ctx context.Context, readings []schemas.Reading, settling chan<- pendingEnvelope) error {
	for len(readings) > 0 {
		n := min(len(readings), s.limits.MaxReadings-len(s.batch))
		s.batch = append(s.batch, readings[:n]...)
		readings = readings[n:]
		if len(s.batch) >= s.limits.MaxReadings {
			if err := s.flush(ctx, settling); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush seals the batch and hands it to the spool.
func (s *sealStage) flush(ctx context.Context, settling chan<- pendingEnvelope) error {
	if len(s.batch) == 0 {
		return nil
	}
	envelope, err := s.seal(ctx)
	if err != nil {
		return err
	}
	p := pendingEnvelope{envelope: envelope, readings: len(s.batch)}
	s.batch = s.batch[:0]
	if p.pending, err = s.offer(ctx, envelope); err != nil {
		return err
	}
	select {
	case settling <- p:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// seal returns the batch as an envelope. A session whose sequence numbers are
// used up is followed by a new one.
func (s *sealStage) seal(ctx context.Context) ([]byte, error) {
	batch := schemas.Batch{
		Collector: s.id, Area: s.area,
		SealedAt: time.Now().UTC().Truncate(time.Millisecond),
		Readings: s.batch,
	}
	plain, err := schemas.EncodeBatch(s.plain[:0], &batch)
	if err != nil {
		return nil, fmt.Errorf("encode batch: %w", err)
	}
	s.plain = plain
	for {
		if s.sealer == nil {
			if s.sealer, err = s.open(ctx); err != nil {
				return nil, err
			}
		}
		envelope, _, err := s.sealer.Seal(nil, plain)
		if e := (*seal.Error)(nil); errors.As(err, &e) && e.Code == seal.SequenceExhausted {
			s.sealer = nil
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("seal batch: %w", err)
		}
		return envelope, nil
	}
}

// open begins a session. Its number must be on disk first, so a full disk
// makes it wait like any envelope: a collector that gave up here would never
// publish what fills the disk.
func (s *sealStage) open(ctx context.Context) (opened sealer, err error) {
	err = s.keepTrying(ctx, func() error {
		opened, err = s.session()
		return err
	}, func(err error) bool { return errors.Is(err, errBootUnwritten) })
	if err != nil {
		return nil, fmt.Errorf("begin a session: %w", err)
	}
	return opened, nil
}

// offer hands the envelope to the spool, and waits while the spool is full: so
// the lines stop reading.
func (s *sealStage) offer(ctx context.Context, envelope []byte) (pending spool.Pending, err error) {
	err = s.keepTrying(ctx, func() error {
		pending, err = s.spool.AppendAsync(ctx, envelope)
		return err
	}, mendable)
	return pending, err
}

// confirm waits until the envelope is durable. One that the disk refused is
// offered again, at once: the others that were refused with it wait behind it,
// and only the first need find out that there is still no room.
func (s *sealStage) confirm(ctx context.Context, p pendingEnvelope) error {
	return s.keepTrying(ctx, func() error {
		_, err := p.pending.Wait(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		// Another copy may turn up after a restart; the hub stores one.
		again, err := s.spool.AppendAsync(ctx, p.envelope)
		if err != nil {
			return err
		}
		p.pending = again
		_, err = again.Wait(ctx)
		return err
	}, mendable)
}

// mendable reports whether the spool may take a refused envelope later on.
func mendable(err error) bool {
	return !errors.Is(err, spool.ErrClosed) && !errors.Is(err, spool.ErrSize)
}

// keepTrying calls try until it succeeds, fails for good, or ctx is done. While
// it waits the metric says that reading has stopped, and the log says so once.
func (s *sealStage) keepTrying(ctx context.Context, try func() error, again func(error) bool) error {
	waiting := false
	for {
		err := try()
		if err == nil {
			if waiting {
				s.resume()
			}
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("stopped while the disk took no more (%w): %w", err, context.Cause(ctx))
		}
		if !again(err) {
			return err
		}
		if !waiting {
			waiting = true
			s.stall(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(fullRetry):
		}
	}
}

func (s *sealStage) stall(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting++; s.waiting == 1 {
		s.metrics.full.Set(1)
		s.log.Error("reading stops: the disk takes no more; nothing that was read is lost. "+
			"Mend the way to the hub, or give the spool more room (spool.quota, disk)", "error", err)
	}
}

func (s *sealStage) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting--; s.waiting == 0 {
		s.metrics.full.Set(0)
		s.log.Info("the disk has room again; reading goes on")
	}
}

// settle waits for each envelope to be durable, in order, and counts it. A
// failure stops collect through stop; settle goes on counting what is durable
// even so, and returns the first failure.
func (s *sealStage) settle(ctx context.Context, stop context.CancelCauseFunc, settling <-chan pendingEnvelope) (failed error) {
	for p := range settling {
		if err := s.confirm(ctx, p); err != nil {
			if failed == nil {
				failed = err
				stop(err)
			}
			continue
		}
		s.kept += p.readings
		s.metrics.values.Add(float64(p.readings))
		s.metrics.batches.Inc()
		s.metrics.sealedBytes.Add(float64(len(p.envelope)))
	}
	return failed
}
