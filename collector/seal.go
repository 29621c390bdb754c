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

// cardLimits are those of card entries. Somebody stands at a counter and waits
// for them.
func cardLimits() BatchLimits {
	return BatchLimits{MaxReadings: schemas.MaxCardEntries, MaxAge: 10 * time.Millisecond}
}

// eventLimits are those of component events. They are rare, and the few that belong
// together are decided together.
func eventLimits() BatchLimits {
	return BatchLimits{MaxReadings: schemas.MaxEvents, MaxAge: 50 * time.Millisecond}
}

// sealStage makes envelopes of the items of one stream, readings, card entries or
// component events, and makes them durable:
//
//	in (items) -> batch -> CBOR -> seal -> spool.AppendAsync -> settle
//
// A reading counts as read when its envelope is on disk, and not before. The
// sequence number of an envelope is fixed when it is sealed, so an envelope
// that finds the disk full is held and offered again, never sealed anew.
type sealStage[T any] struct {
	kind    stageKind[T]
	limits  BatchLimits
	in      <-chan []T
	session func() (sealer, error) // with a context of its own
	spool   *spool.Spool
	metrics *flow
	log     *slog.Logger

	sealer sealer
	batch  []T
	plain  []byte
	taken  int // items from in so far
	kept   int // of these, durable

	mu      sync.Mutex
	waiting int // how many wait for room on the disk

	progress progress
}

// stageKind is what tells one stream's stage from the others'.
type stageKind[T any] struct {
	items string // "readings"
	// encode appends the wire form of a batch that is sealed now.
	encode func(dst []byte, now time.Time, items []T) ([]byte, error)
	// stalled and resumed are for the log, when the disk takes no more and when
	// it has room again.
	stalled, resumed string
	// accounts go out beside the items; nil: none do. enclose appends the wire form of a
	// batch of them.
	accounts *enclosures
	enclose  func(dst []byte, now time.Time, accounts []schemas.SlotAccount) ([]byte, error)
}

func readingsKind(id schemas.CollectorID, area schemas.AreaCode) stageKind[schemas.Reading] {
	return stageKind[schemas.Reading]{
		items: "readings",
		encode: func(dst []byte, now time.Time, readings []schemas.Reading) ([]byte, error) {
			return schemas.EncodeBatch(dst, &schemas.Batch{Collector: id, Area: area, SealedAt: now, Readings: readings})
		},
		enclose: func(dst []byte, now time.Time, accounts []schemas.SlotAccount) ([]byte, error) {
			return schemas.EncodeBatch(dst, &schemas.Batch{Collector: id, Area: area, SealedAt: now, Accounts: accounts})
		},
		stalled: "reading stops: the disk takes no more; nothing that was read is lost. " +
			"Mend the way to the hub, or give the spool more room (spool.quota, disk)",
		resumed: "the disk has room again; reading goes on",
	}
}

func cardsKind(id schemas.CollectorID, area schemas.AreaCode) stageKind[schemas.CardEntry] {
	return stageKind[schemas.CardEntry]{
		items: "card entries",
		encode: func(dst []byte, now time.Time, entries []schemas.CardEntry) ([]byte, error) {
			return schemas.EncodeCardBatch(dst, &schemas.CardBatch{Collector: id, Area: area, SealedAt: now, Entries: entries})
		},
		stalled: "no more card entries are taken: their disk takes no more; nothing that was taken is lost. " +
			"Mend the way to the hub, or give the spool of the cards more room (spool.cards_quota, disk)",
		resumed: "the disk has room again; card entries are taken",
	}
}

func eventsKind(id schemas.CollectorID, area schemas.AreaCode) stageKind[schemas.ComponentEvent] {
	return stageKind[schemas.ComponentEvent]{
		items: "component events",
		encode: func(dst []byte, now time.Time, events []schemas.ComponentEvent) ([]byte, error) {
			return schemas.EncodeEventBatch(dst, &schemas.EventBatch{Collector: id, Area: area, SealedAt: now, Events: events})
		},
		stalled: "no more component events are sealed: their disk takes no more; those that are decided wait, and reading goes on. " +
			"Mend the way to the hub, or give the spool of the events more room (spool.events_quota, disk)",
		resumed: "the disk has room again; component events are sealed",
	}
}

// progress is how far a stage has come, for those who wait for it.
type progress struct {
	mu sync.Mutex
	// durable counts the items that are on disk with all that came before them.
	durable uint64
	// stalled is why the disk takes no more, while it does not; ended why
	// nothing more is taken for good.
	stalled, ended error
	changed        chan struct{} // closed with the next change; nil: nobody waits
}

// note changes the progress and wakes those who wait.
func (p *progress) note(change func(*progress)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// look returns the progress, a channel that is closed when it changes, and what
// keeps it from going on, if anything does.
func (p *progress) look() (durable uint64, changed <-chan struct{}, fault error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	fault = p.ended
	if fault == nil {
		fault = p.stalled
	}
	return p.durable, p.changed, fault
}

// errStageEnded: the collector is being stopped, or the stage has failed.
var errStageEnded = errors.New("the collector takes nothing more")

// sealer makes one envelope after the other in one session (*seal.Sealer).
type sealer interface {
	Seal(dst, plaintext []byte) (envelope []byte, seq uint32, err error)
}

// pendingEnvelope is an envelope on its way to the disk.
type pendingEnvelope struct {
	envelope []byte
	items    int
	accounts int
	pending  spool.Pending
}

// maxUnsettled bounds the envelopes that are sealed and not yet durable, which
// is what a full disk finds in memory. A commit takes about 100 ms.
const maxUnsettled = 64

// fullRetry is how long the stage waits before it tries a full disk again.
const fullRetry = time.Second

// run works until in is closed and everything from it is durable, or ctx is
// done: then the error says how many items are not on disk. A failure that no
// waiting can mend ends it as well.
func (s *sealStage[T]) run(stop context.Context) (err error) {
	defer func() { s.progress.note(func(p *progress) { p.ended = errors.Join(errStageEnded, err) }) }()
	ctx, cancel := context.WithCancelCause(stop)
	defer cancel(nil)
	settling := make(chan pendingEnvelope, maxUnsettled)
	settled := make(chan error, 1)
	go func() { settled <- s.settle(ctx, cancel, settling) }()
	err = s.collect(ctx, settling)
	close(settling)
	failed := <-settled
	if err == nil || failed != nil && errors.Is(err, failed) {
		err = failed
	}
	if lost := s.taken - s.kept; lost > 0 {
		return fmt.Errorf("%d %s are not on disk: %w", lost, s.kind.items, err)
	}
	if stop.Err() != nil {
		return nil // cut short, with nothing left to do
	}
	return err
}

// collect fills batches and offers them to the spool.
func (s *sealStage[T]) collect(ctx context.Context, settling chan<- pendingEnvelope) error {
	timer := time.NewTimer(s.limits.MaxAge)
	defer timer.Stop()
	for {
		select {
		case items, ok := <-s.in:
			if !ok {
				return s.flush(ctx, settling)
			}
			s.taken += len(items)
			if len(s.batch) == 0 {
				timer.Reset(s.limits.MaxAge)
			}
			if err := s.add(ctx, items, settling); err != nil {
				return err
			}
		case <-timer.C:
			if err := s.flush(ctx, settling); err != nil {
				return err
			}
		case <-s.kind.accounts.signal():
			if err := s.flush(ctx, settling); err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("stopped before the last batch was sealed: %w", context.Cause(ctx))
		}
	}
}

// add appends items to the batch and flushes it whenever it is full.
func (s *sealStage[T]) add(ctx context.Context, items []T, settling chan<- pendingEnvelope) error {
	for len(items) > 0 {
		n := min(len(items), s.limits.MaxReadings-len(s.batch))
		s.batch = append(s.batch, items[:n]...)
		items = items[n:]
		if len(s.batch) >= s.limits.MaxReadings {
			if err := s.flush(ctx, settling); err != nil {
				return err
			}
		}
	}
	return nil
}

// flush seals the batch, and the accounts that wait, and hands them to the spool.
func (s *sealStage[T]) flush(ctx context.Context, settling chan<- pendingEnvelope) error {
	if len(s.batch) > 0 {
		p := pendingEnvelope{items: len(s.batch)}
		err := s.put(ctx, settling, p, func(dst []byte, now time.Time) ([]byte, error) { return s.kind.encode(dst, now, s.batch) })
		if s.batch = s.batch[:0]; err != nil {
			return err
		}
	}
	for list := s.kind.accounts.take(); len(list) > 0; list = s.kind.accounts.take() {
		p := pendingEnvelope{accounts: len(list)}
		err := s.put(ctx, settling, p, func(dst []byte, now time.Time) ([]byte, error) { return s.kind.enclose(dst, now, list) })
		if err != nil {
			return err
		}
	}
	return nil
}

// put seals what encode makes and hands it to the spool.
func (s *sealStage[T]) put(ctx context.Context, settling chan<- pendingEnvelope, p pendingEnvelope, encode func([]byte, time.Time) ([]byte, error)) (err error) {
	if p.envelope, err = s.seal(ctx, encode); err != nil {
		return err
	}
	if p.pending, err = s.offer(ctx, p.envelope); err != nil {
		return err
	}
	select {
	case settling <- p:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// seal returns what encode makes as an envelope. A session whose sequence numbers are
// used up is followed by a new one.
func (s *sealStage[T]) seal(ctx context.Context, encode func([]byte, time.Time) ([]byte, error)) ([]byte, error) {
	plain, err := encode(s.plain[:0], time.Now().UTC().Truncate(time.Millisecond))
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
func (s *sealStage[T]) open(ctx context.Context) (opened sealer, err error) {
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
func (s *sealStage[T]) offer(ctx context.Context, envelope []byte) (pending spool.Pending, err error) {
	err = s.keepTrying(ctx, func() error {
		pending, err = s.spool.AppendAsync(ctx, envelope)
		return err
	}, mendable)
	return pending, err
}

// confirm waits until the envelope is durable. One that the disk refused is
// offered again, at once: the others that were refused with it wait behind it,
// and only the first need find out that there is still no room.
func (s *sealStage[T]) confirm(ctx context.Context, p pendingEnvelope) error {
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
func (s *sealStage[T]) keepTrying(ctx context.Context, try func() error, again func(error) bool) error {
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

func (s *sealStage[T]) stall(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting++; s.waiting == 1 {
		s.metrics.full.Set(1)
		s.progress.note(func(p *progress) { p.stalled = err })
		s.log.Error(s.kind.stalled, "error", err)
	}
}

func (s *sealStage[T]) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting--; s.waiting == 0 {
		s.metrics.full.Set(0)
		s.progress.note(func(p *progress) { p.stalled = nil })
		s.log.Info(s.kind.resumed)
	}
}

// settle waits for each envelope to be durable, in order, and counts it. A
// failure stops collect through stop; settle goes on counting what is durable
// even so, and returns the first failure.
func (s *sealStage[T]) settle(ctx context.Context, stop context.CancelCauseFunc, settling <-chan pendingEnvelope) (failed error) {
	for p := range settling {
		if err := s.confirm(ctx, p); err != nil {
			if failed == nil {
				failed = err
				stop(err)
			}
			continue
		}
		s.kept += p.items
		s.kind.accounts.kept(p.accounts)
		if failed == nil {
			s.progress.note(func(all *progress) { all.durable += uint64(p.items) })
		}
		s.metrics.values.Add(float64(p.items))
		s.metrics.batches.Inc()
		s.metrics.sealedBytes.Add(float64(len(p.envelope)))
	}
	return failed
}
