package enrolment

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	crand "crypto/rand"

	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// stream is a collector and its hub through rotations: real keys, envelopes and
// replay state; the spool and the store are lists. What a kill takes is what neither
// has on disk.
type stream struct {
	*testOffice
	rng *rand.Rand
	id  schemas.CollectorID

	// The box: its bundle, boot counter and spool are on disk.
	bundle  seal.Bundle
	boot    uint32
	spool   map[seal.Header][]byte
	sealer  *seal.Sealer
	taken   uint64        // readings so far
	waiting []seal.Bundle // on their way to the box

	// The hub: list, master keys, and the replay state, which is on disk.
	inForce *List
	ring    *seal.Ring
	opener  *seal.Opener
	replay  []byte
	stored  map[uint64]int

	kills, rotations, refused int
}

// key names an envelope.
func key(h seal.Header) seal.Header {
	h.Tag = [16]byte{}
	return h
}

func newStream(t *testing.T, seed uint64) *stream {
	w := newTestOffice(t, "c1", "c2")
	s := &stream{testOffice: w, rng: rand.New(rand.NewPCG(seed, 7)), id: "c1",
		bundle: mustBundle(t, w.path("c1", 0)), spool: map[seal.Header][]byte{}, stored: map[uint64]int{}}
	s.startHub()
	s.startBox()
	return s
}

func (s *stream) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// startBox kills the collector and starts it: the session is new, the spool as it was.
func (s *stream) startBox() {
	s.boot++
	session, err := seal.NewContext(s.boot, crand.Reader)
	s.must(err)
	s.sealer, err = seal.NewSealer(seal.SealerConfig{
		Provider: seal.DefaultProvider(), Key: s.bundle.Key, Tenant: "test", Collector: string(s.id), Generation: s.bundle.Generation,
		Role: seal.Up, ContentType: seal.Readings, Context: session,
	})
	s.must(err)
}

// startHub kills the hub and starts it: it knows what is on disk.
func (s *stream) startHub() {
	s.reload()
	opener, err := seal.NewOpener(seal.OpenerConfig{
		Provider: seal.DefaultProvider(), Tenant: "test", Role: seal.Up, CrossCheckEvery: 10,
		Keys: func(generation uint16, collector string) (seal.CollectorKey, error) {
			if err := s.inForce.Admit(schemas.CollectorID(collector), generation, s.clock); err != nil {
				return seal.CollectorKey{}, err
			}
			return s.ring.CollectorKey(seal.DefaultProvider(), generation, collector)
		},
	})
	s.must(err)
	s.opener = opener
}

// reload is SIGHUP.
func (s *stream) reload() {
	s.inForce = s.list()
	ring, err := OpenRing(s.t.Context(), s.inForce, fromList(s.testOffice.ring), nil)
	s.must(err)
	s.ring = ring
}

// fromList finds master keys in a list.
type fromList []*seal.Master

func (f fromList) Master(_ context.Context, generation uint8) (*seal.Master, error) {
	for _, m := range f {
		if m.Generation == generation {
			return m, nil
		}
	}
	return nil, os.ErrNotExist
}

// read takes a reading: sealed, and in the spool.
func (s *stream) read() {
	envelope, _, err := s.sealer.Seal(nil, binary.BigEndian.AppendUint64(nil, s.taken))
	s.must(err)
	h, err := seal.ParseHeader(envelope)
	s.must(err)
	s.spool[key(h)] = envelope
	s.taken++
}

// send sends each record of the spool with a chance; each may come twice, and its
// receipt may be lost.
func (s *stream) send(chance float64) {
	for h, envelope := range s.spool {
		if s.rng.Float64() >= chance {
			continue
		}
		for range 1 + s.rng.IntN(2) {
			if s.take(envelope) && s.rng.Float64() < chance {
				delete(s.spool, h)
			}
		}
	}
}

// take is the hub's way of an envelope; true is a receipt.
func (s *stream) take(envelope []byte) bool {
	h, plain, err := s.opener.Open(nil, envelope)
	if err == nil {
		err = s.inForce.Admit(s.id, h.Generation, s.clock)
	}
	var e *seal.Error
	if errors.As(err, &e) && e.Code == seal.GenerationUnknown {
		s.refused++ // before SIGHUP; it comes again
		return false
	}
	s.must(err)
	tracker := &seal.Tracker{}
	if s.replay != nil {
		s.must(tracker.UnmarshalBinary(s.replay))
	}
	switch v := tracker.Check(h.Context, h.Seq, h.Tag); v {
	case seal.New:
		tracker.Commit(h.Context, h.Seq, h.Tag)
		s.stored[binary.BigEndian.Uint64(plain)]++
		s.replay, err = tracker.MarshalBinary()
		s.must(err)
	case seal.Duplicate:
	default:
		s.t.Fatalf("verdict %s", v)
	}
	return true
}

// rotateOnce is an act of the key office; the bundle is on its way then.
func (s *stream) rotateOnce() {
	if len(s.waiting) > 2 {
		return // more keys than a box remembers are not rotated in a day
	}
	if s.rng.IntN(3) == 0 {
		s.nextMaster()
	}
	s.rotations++
	s.waiting = append(s.waiting, s.rotate(s.rotations, time.Hour, false, s.id)...)
}

// accept puts the next bundle in place; the collector is started again.
func (s *stream) accept() {
	if len(s.waiting) == 0 {
		return
	}
	next, err := s.waiting[0].Succeed(&s.bundle)
	s.must(err)
	s.bundle, s.waiting = next, s.waiting[1:]
	s.startBox()
}

func (s *stream) step() {
	switch n := s.rng.IntN(100); {
	case n < 55:
		s.read()
	case n < 80:
		s.send(0.5)
	case n < 84:
		s.kills++
		s.startBox()
	case n < 88:
		s.kills++
		s.startHub()
	case n < 92:
		s.rotateOnce()
	case n < 96:
		s.accept()
	default:
		s.reload()
	}
	s.clock = s.clock.Add(time.Second)
}

// Through rotations of the collector's key and of the master key in mid-stream, with
// kills of both ends at any moment and bundles and reloads that come late, no reading
// is lost and none is stored twice; then the old keys can go.
func TestStreamThroughRotations(t *testing.T) {
	var rotations, kills, refused, readings int
	for seed := range uint64(6) {
		s := newStream(t, seed)
		other := mustFind(t, s.list(), "c2")
		for range 300 {
			s.step()
		}
		for len(s.waiting) > 0 {
			s.accept()
		}
		s.reload()
		for range 100 {
			s.send(0.9)
		}
		if len(s.spool) > 0 {
			t.Errorf("seed %d: %d records without a receipt", seed, len(s.spool))
		}
		for n := range s.taken {
			if s.stored[n] != 1 {
				t.Fatalf("seed %d: reading %d is stored %d times", seed, n, s.stored[n])
			}
		}
		if len(s.stored) != int(s.taken) {
			t.Errorf("seed %d: %d readings, %d stored", seed, s.taken, len(s.stored))
		}
		if got := mustFind(t, s.list(), "c2"); got.Generation != other.Generation || len(got.Old) > 0 {
			t.Errorf("seed %d: the other collector changed: %+v", seed, got)
		}
		s.finish()
		rotations, kills, refused, readings = rotations+s.rotations, kills+s.kills, refused+s.refused, readings+int(s.taken)
	}
	t.Logf("%d readings, %d rotations, %d kills, %d refused before a reload", readings, rotations, kills, refused)
	if rotations == 0 || kills == 0 || refused == 0 {
		t.Error("the streams had no rotations, kills or refusals")
	}
}

// finish moves everybody to the active master key and destroys the others.
func (s *stream) finish() {
	s.t.Helper()
	for _, id := range s.list().Behind() {
		s.rotate(1000, time.Hour, false, id)
	}
	s.clock = s.clock.Add(2 * time.Hour)
	in := s.list().MastersInUse()
	for _, generation := range in[:len(in)-1] {
		s.must(s.DestroyMaster(generation, false, func() error { return nil }))
	}
	s.reload()
	if _, err := s.ReadAudit(Head{}); err != nil {
		s.t.Error(err)
	}
	s.read()
	if len(in) > 1 && s.bundle.Generation>>8 != uint16(in[len(in)-1]) {
		return // its bundle is on the way
	}
	for _, envelope := range s.spool {
		if !s.take(envelope) {
			s.t.Error("the active key is refused")
		}
	}
}
