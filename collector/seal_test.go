package collector

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/collector/spool"
	"citygrid/internal/counters"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

const (
	testArea = schemas.AreaCode("310115")
	testID   = schemas.CollectorID("c1")
)

// testKeys are a city's keys as the hub has them.
type testKeys struct {
	master *seal.Master
	bundle seal.Bundle
}

func newKeys(t testing.TB) testKeys {
	t.Helper()
	master, err := seal.NewMaster("test", 1, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := seal.Issue(master, testArea, testID, 0, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return testKeys{master, bundle}
}

// opener opens what collectors of this city seal.
func (k testKeys) opener(t testing.TB) *seal.Opener {
	t.Helper()
	o, err := seal.NewOpener(seal.OpenerConfig{
		Provider: seal.DefaultProvider(), Tenant: k.master.Tenant, Role: seal.Up,
		Keys: func(generation uint16, collector string) (seal.CollectorKey, error) {
			return k.master.CollectorKey(seal.DefaultProvider(), generation, collector)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// sealer returns a sealer of the bundle's collector with a fresh context.
func (k testKeys) sealer(t testing.TB, role seal.Role, content seal.ContentType, boot uint32) *seal.Sealer {
	t.Helper()
	session, err := seal.NewContext(boot, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := seal.NewSealer(seal.SealerConfig{
		Provider: seal.DefaultProvider(), Key: k.bundle.Key, Tenant: k.bundle.Tenant, Collector: string(k.bundle.Collector),
		Generation: k.bundle.Generation, Role: role, ContentType: content, Context: session,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustSpool(t testing.TB, dir string, o spool.Options) *spool.Spool {
	t.Helper()
	s, err := spool.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tightSpool is full after some ten records of 500 bytes.
var tightSpool = spool.Options{SegmentBytes: 4 << 10, Quota: 8 << 10, CommitEvery: 10 * time.Millisecond}

// stage is a running seal stage with a real spool and a real sealer. It lives
// in a synctest bubble, so that its waits take no time.
type stage struct {
	*sealStage[schemas.Reading]
	t        *testing.T
	dir      string
	in       chan []schemas.Reading
	cancel   context.CancelFunc
	ended    chan error
	opener   *seal.Opener
	sessions int
	sealed   int // calls of Seal that gave an envelope

	fed int
	got []int64 // mantissas of the readings that the spool held, in order
	// envelopes that the spool held: how often each.
	envelopes map[envelopeKey]int
}

// counted counts what a sealer seals, and is used up after limit.
type counted struct {
	sealer
	s     *stage
	limit int
}

func (c *counted) Seal(dst, plain []byte) ([]byte, uint32, error) {
	if c.limit--; c.limit < 0 {
		return nil, 0, &seal.Error{Code: seal.SequenceExhausted, Problem: "used up"}
	}
	c.s.sealed++
	return c.sealer.Seal(dst, plain)
}

// startStage runs a stage whose sessions last for perSession envelopes.
func startStage(t *testing.T, limits BatchLimits, o spool.Options, perSession int) *stage {
	t.Helper()
	keys := newKeys(t)
	s := &stage{
		t: t, dir: filepath.Join(t.TempDir(), "spool"), in: make(chan []schemas.Reading), ended: make(chan error, 1),
		opener: keys.opener(t), envelopes: make(map[envelopeKey]int),
	}
	s.sealStage = &sealStage[schemas.Reading]{
		kind: readingsKind(testID, testArea), limits: limits, in: s.in, spool: mustSpool(t, s.dir, o),
		metrics: &testMetrics().flow, log: silent,
		session: func() (sealer, error) {
			s.sessions++
			return &counted{keys.sealer(t, seal.Up, seal.Readings, uint32(s.sessions)), s, perSession}, nil
		},
	}
	return s
}

func (s *stage) run() *stage {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go func() { s.ended <- s.sealStage.run(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		if err := s.spool.Close(); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.t.Error(err)
		}
	})
	return s
}

// feed gives n readings, or as many as the stage takes within a minute.
func (s *stage) feed(n int) (taken int) {
	for ; taken < n; taken++ {
		select {
		case s.in <- []schemas.Reading{energy("m", int64(s.fed), time.Now())}:
			s.fed++
		case <-time.After(time.Minute):
			return taken
		}
	}
	return taken
}

// drain opens everything in the spool and releases it.
func (s *stage) drain() {
	s.t.Helper()
	var seqs []uint64
	err := s.spool.Scan(s.t.Context(), func(r spool.Record) error {
		header, plain, err := s.opener.Open(nil, r.Data)
		if err != nil {
			return err
		}
		batch, err := schemas.DecodeBatch(plain)
		if err != nil {
			return err
		}
		if batch.Collector != testID || batch.Area != testArea {
			s.t.Errorf("a batch of %s in %s", batch.Collector, batch.Area)
		}
		if key := (envelopeKey{header.Context, header.Seq}); s.envelopes[key] == 0 {
			for _, reading := range batch.Readings {
				s.got = append(s.got, reading.Value.Mantissa)
			}
		}
		s.envelopes[envelopeKey{header.Context, header.Seq}]++
		seqs = append(seqs, r.Seq)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.spool.Release(seqs...); err != nil {
		s.t.Fatal(err)
	}
}

// checkAll says whether every reading fed came out once, in order.
func (s *stage) checkAll() {
	s.t.Helper()
	s.drain()
	if len(s.got) != s.fed {
		s.t.Errorf("%d readings in the spool, %d were given", len(s.got), s.fed)
	}
	for i, v := range s.got {
		if v != int64(i) {
			s.t.Fatalf("reading %d stands where %d belongs", v, i)
		}
	}
	if n := counters.Count(s.metrics.values); n != uint64(s.fed) {
		s.t.Errorf("%d values are counted, %d are durable", n, s.fed)
	}
	if n := counters.Count(s.metrics.batches); n != uint64(len(s.envelopes)) || s.sealed != len(s.envelopes) {
		s.t.Errorf("%d batches counted, %d sealed, %d envelopes in the spool", n, s.sealed, len(s.envelopes))
	}
}

func (s *stage) finish() {
	s.t.Helper()
	close(s.in)
	if err := <-s.ended; err != nil {
		s.t.Error(err)
	}
}

func TestBatchesCloseBySize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startStage(t, BatchLimits{MaxReadings: 100, MaxAge: time.Hour}, spool.Options{}, 1e6).run()
		pieces := [][]schemas.Reading{}
		for s.fed < 250 {
			var piece []schemas.Reading
			for range min(1+s.fed%130, 250-s.fed) {
				piece = append(piece, energy("m", int64(s.fed), time.Now()))
				s.fed++
			}
			pieces = append(pieces, piece)
		}
		for _, p := range pieces {
			s.in <- p
		}
		time.Sleep(time.Second)
		if n := s.spool.Stats().Records; n != 2 {
			t.Errorf("%d batches before the end, want 2 full ones", n)
		}
		s.finish()
		if n := s.spool.Stats().Records; n != 3 {
			t.Errorf("%d batches, want 3", n)
		}
		s.checkAll()
	})
}

func TestBatchesCloseByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const age = 250 * time.Millisecond
		s := startStage(t, BatchLimits{MaxReadings: 100, MaxAge: age}, spool.Options{}, 1e6).run()
		for batch := range uint64(4) {
			time.Sleep(3 * age / 2) // the timer of an empty batch may have run out
			s.feed(1)
			time.Sleep(age / 2)
			s.feed(2) // does not make the batch any younger
			time.Sleep(age/2 - time.Millisecond)
			if n := s.spool.Stats().Appended; n != batch {
				t.Fatalf("batch %d is closed before its time", batch)
			}
			time.Sleep(2 * time.Millisecond)
			if n := s.spool.Stats().Appended; n != batch+1 {
				t.Fatalf("batch %d is not closed at its age", batch)
			}
		}
		s.finish()
		s.checkAll()
	})
}

func TestValuesCountWhenTheyAreDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startStage(t, BatchLimits{MaxReadings: 3, MaxAge: time.Hour}, spool.Options{CommitEvery: 10 * time.Second}, 1e6).run()
		s.feed(6)
		time.Sleep(9 * time.Second)
		if a, v := s.spool.Stats().Appended, counters.Count(s.metrics.values); a != 2 || v != 0 {
			t.Errorf("appended %d, counted %d: want 2 envelopes on their way and no value counted", a, v)
		}
		time.Sleep(2 * time.Second)
		if v := counters.Count(s.metrics.values); v != 6 {
			t.Errorf("%d values are counted after the commit, want 6", v)
		}
		s.finish()
		s.checkAll()
	})
}

func TestFullSpoolStopsReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startStage(t, BatchLimits{MaxReadings: 10, MaxAge: time.Second}, tightSpool, 1e6).run()
		for round := range 4 {
			taken := s.feed(10_000)
			if taken == 10_000 || counters.Level(s.metrics.full) != 1 {
				t.Fatalf("round %d: %d readings are taken, spool_full is %v", round, taken, counters.Level(s.metrics.full))
			}
			s.drain()
			time.Sleep(2 * fullRetry)
			if counters.Level(s.metrics.full) != 0 {
				t.Fatalf("round %d: spool_full stays although there is room", round)
			}
		}
		s.feed(25)
		s.finish()
		s.checkAll()
		if s.sessions != 1 {
			t.Errorf("%d sessions", s.sessions)
		}
		for key, n := range s.envelopes {
			if n != 1 || int(key.seq) >= len(s.envelopes) {
				t.Errorf("envelope %d is in the spool %d times, of %d in all", key.seq, n, len(s.envelopes))
			}
		}
	})
}

func TestStopWhileFullReportsTheLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startStage(t, BatchLimits{MaxReadings: 10, MaxAge: time.Second}, tightSpool, 1e6).run()
		s.feed(10_000)
		s.cancel()
		err := <-s.ended
		kept := int(counters.Count(s.metrics.values))
		want := fmt.Sprintf("%d readings are not on disk", s.fed-kept)
		if err == nil || !strings.HasPrefix(err.Error(), want) || !errors.Is(err, spool.ErrFull) || !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want %q, and why", err, want)
		}
		s.drain()
		if len(s.got) != kept || s.fed == kept {
			t.Errorf("%d readings counted, %d in the spool, %d given", kept, len(s.got), s.fed)
		}
	})
}

func TestStopLosesNothingThatIsDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startStage(t, BatchLimits{MaxReadings: 10, MaxAge: time.Second}, spool.Options{}, 1e6).run()
		s.feed(95)
		time.Sleep(500 * time.Millisecond) // nine batches are durable, the tenth is open
		s.cancel()
		if err := <-s.ended; err == nil || !strings.HasPrefix(err.Error(), "5 readings are not on disk") {
			t.Errorf("error %v, want 5 readings", err)
		}
		if n := counters.Count(s.metrics.values); n != 90 {
			t.Errorf("%d values counted, want 90", n)
		}
	})
}

// A disk that fails at the commit, after the spool has accepted an envelope,
// stops the reading as a full spool does. Here the folder vanishes, so that no
// new segment can be made, and comes back.
func TestFailedCommitStopsReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := tightSpool
		o.Quota = 1 << 20
		s := startStage(t, BatchLimits{MaxReadings: 10, MaxAge: time.Second}, o, 1e6).run()
		s.feed(20)
		time.Sleep(2 * time.Second)
		away := s.dir + ".away"
		if err := os.Rename(s.dir, away); err != nil {
			t.Fatal(err)
		}
		s.feed(400)
		time.Sleep(5 * time.Second)
		if counters.Level(s.metrics.full) != 1 {
			t.Error("the disk fails and spool_full is 0")
		}
		if n := counters.Count(s.metrics.values); n >= uint64(s.fed) {
			t.Errorf("%d of %d values are counted while the disk fails", n, s.fed)
		}
		if err := os.Rename(away, s.dir); err != nil {
			t.Fatal(err)
		}
		s.feed(10)
		s.finish()
		if counters.Level(s.metrics.full) != 0 {
			t.Error("spool_full stays")
		}
		s.drain()
		// The order of the spool is that of the disk here, no longer that of reading.
		if len(s.got) != s.fed || counters.Count(s.metrics.values) != uint64(s.fed) {
			t.Errorf("%d readings in the spool and %d counted, %d given", len(s.got), counters.Count(s.metrics.values), s.fed)
		}
		if s.sealed != len(s.envelopes) {
			t.Errorf("%d envelopes sealed, %d in the spool: one was sealed anew", s.sealed, len(s.envelopes))
		}
	})
}

func TestSealStageEndsWhenNothingCanMend(t *testing.T) {
	t.Run("closed spool", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := startStage(t, BatchLimits{MaxReadings: 2, MaxAge: time.Hour}, spool.Options{}, 1e6).run()
			s.feed(4)
			time.Sleep(time.Second)
			if err := s.spool.Close(); err != nil {
				t.Fatal(err)
			}
			s.feed(2)
			if err := <-s.ended; !errors.Is(err, spool.ErrClosed) || !strings.HasPrefix(err.Error(), "2 readings are not on disk") {
				t.Errorf("error %v", err)
			}
		})
	})
	t.Run("batch larger than a record", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := startStage(t, BatchLimits{MaxReadings: 256, MaxAge: time.Hour}, tightSpool, 1e6).run()
			s.feed(256)
			if err := <-s.ended; !errors.Is(err, spool.ErrSize) {
				t.Errorf("error %v", err)
			}
		})
	})
	t.Run("no session", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := startStage(t, BatchLimits{MaxReadings: 2, MaxAge: time.Hour}, spool.Options{}, 1e6)
			damaged := errors.New("damaged")
			s.session = func() (sealer, error) { return nil, damaged }
			s.run().feed(2)
			if err := <-s.ended; !errors.Is(err, damaged) || !strings.HasPrefix(err.Error(), "2 readings are not on disk") {
				t.Errorf("error %v", err)
			}
		})
	})
}

// A boot number that a full disk cannot take is waited for: giving up would
// keep the publisher from making room.
func TestSessionWaitsForTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startStage(t, BatchLimits{MaxReadings: 2, MaxAge: time.Hour}, spool.Options{}, 1e6)
		begin := s.session
		var full atomic.Bool
		full.Store(true)
		s.session = func() (sealer, error) {
			if full.Load() {
				return nil, fmt.Errorf("%w: no space left on device", errBootUnwritten)
			}
			return begin()
		}
		s.run().feed(2)
		time.Sleep(time.Minute)
		if counters.Level(s.metrics.full) != 1 {
			t.Error("spool_full is 0")
		}
		full.Store(false)
		s.finish()
		if counters.Level(s.metrics.full) != 0 {
			t.Error("spool_full stays")
		}
		s.checkAll()
	})
}

// The real sealer has 2^32 numbers; this one is used up after three.
func TestSequenceExhaustionBeginsASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := startStage(t, BatchLimits{MaxReadings: 1, MaxAge: time.Hour}, spool.Options{}, 3).run()
		s.feed(10)
		s.finish()
		s.checkAll()
		if s.sessions != 4 {
			t.Errorf("%d sessions for 10 envelopes of 3 a session", s.sessions)
		}
		for key := range s.envelopes {
			if key.seq > 2 {
				t.Errorf("sequence %d", key.seq)
			}
		}
	})
}
