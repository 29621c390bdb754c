package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
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
	session func() (*seal.Sealer, error) // a sealer with a context of its own
	spool   *spool.Spool
	metrics *metrics
	log     *slog.Logger

	sealer *seal.Sealer
	batch  []schemas.Reading
	opened time.Time // when the first reading came into batch
	plain  []byte
}

// pendingEnvelope is an envelope on its way to the disk.
type pendingEnvelope struct {
	envelope []byte
	readings int
	pending  spool.Pending
}

// fullRetry is how long the stage waits before it offers an envelope again to
// a full spool.
const fullRetry = time.Second

// run works until in is closed and everything from it is durable, or ctx is
// done: then what is not durable is dropped and reported by the error.
func (s *sealStage) run(ctx context.Context) error {
	settling := make(chan pendingEnvelope, 256)
	settled := make(chan error, 1)
	go func() { settled <- s.settle(ctx, settling) }()
	err := s.collect(ctx, settling)
	close(settling)
	return errors.Join(err, <-settled)
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
			return fmt.Errorf("stopped with %d readings not yet sealed: %w", len(s.batch), ctx.Err())
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
	envelope, err := s.seal()
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
		return ctx.Err()
	}
}

// seal returns the batch as an envelope. A session whose sequence numbers are
// used up is followed by a new one.
func (s *sealStage) seal() ([]byte, error) {
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
			if s.sealer, err = s.session(); err != nil {
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

// offer hands the envelope to the spool, and waits while the spool is full: so
// the lines stop reading, and it says so once.
func (s *sealStage) offer(ctx context.Context, envelope []byte) (spool.Pending, error) {
	for waited := false; ; waited = true {
		pending, err := s.spool.AppendAsync(ctx, envelope)
		if err == nil {
			if waited {
				s.metrics.full.Set(0)
				s.log.Info("the spool has room again; reading goes on")
			}
			return pending, nil
		}
		if !waited {
			s.metrics.full.Set(1)
			s.log.Error("reading stops: the spool takes no more; nothing that was read is lost. "+
				"Mend the way to the hub, or give the spool more room (spool.quota, disk)", "error", err)
		}
		select {
		case <-ctx.Done():
			return spool.Pending{}, fmt.Errorf("stopped with a sealed batch that the spool could not take (%w): %w", err, ctx.Err())
		case <-time.After(fullRetry):
		}
	}
}

// settle waits for each envelope to be durable, in order, and counts it. One
// that the disk refused is offered again.
func (s *sealStage) settle(ctx context.Context, settling <-chan pendingEnvelope) error {
	var failed error
	for p := range settling {
		if failed != nil {
			continue // keep the channel moving; run reports the first failure
		}
		for {
			_, err := p.pending.Wait(ctx)
			if err == nil {
				break
			}
			if ctx.Err() == nil {
				p.pending, err = s.offer(ctx, p.envelope)
			}
			if err != nil {
				failed = fmt.Errorf("%d readings are not on disk: %w", p.readings, err)
				break
			}
		}
		if failed == nil {
			s.metrics.values.Add(float64(p.readings))
			s.metrics.batches.Inc()
			s.metrics.sealedBytes.Add(float64(len(p.envelope)))
		}
	}
	return failed
}
