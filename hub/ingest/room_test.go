package ingest

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"citygrid/internal/mqttlink"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// roomOf makes a receiver with room for n envelopes like the given one, and its
// store, which answers when the test does.
func roomOf(t *testing.T, master *seal.Master, n int, envelope []byte) (*Receiver, *fakeStore) {
	t.Helper()
	o := testOptions(t)
	o.Master = master
	store := newFakeStore()
	store.hold.Store(true)
	o.Store = store
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.held = held{semaphore.NewWeighted(int64(n * len(envelope)))}
	return r, store
}

// TestIntakeWaitsForRoom: while the store does not answer no more is taken from
// the broker than there is room for; an answer lets the next one in.
func TestIntakeWaitsForRoom(t *testing.T) {
	const room = 3
	master := newTestMaster(t)
	s := newSender(t, master, "c1")
	var envelopes [][]byte
	for range room + 1 {
		envelopes = append(envelopes, s.batch(5, 2300))
	}
	r, store := roomOf(t, master, room, envelopes[0])
	take := func(ctx context.Context, n int) error {
		return r.intake(ctx, mqttlink.Message{Topic: readingsTopic("c1"), Payload: envelopes[n]})
	}
	for n := range room {
		if err := take(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := take(short, room); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("one more than there is room for: %v", err)
	}
	if n := store.calls.Load(); n != room {
		t.Errorf("the store was given %d envelopes, want %d", n, room)
	}
	go func() {
		receive(t, "submission", store.held).done(nil)
		r.finish(t.Context(), []*delivery{receive(t, "settled", r.settled)})
	}()
	if err := take(t.Context(), room); err != nil {
		t.Errorf("after an answer: %v", err)
	}
}

// TestEveryWayGivesItsRoomBack: stored, repeated, refused, unreadable: in the end
// all of the room is free.
func TestEveryWayGivesItsRoomBack(t *testing.T) {
	master := newTestMaster(t)
	s := newSender(t, master, "c1")
	envelope := s.batch(5, 2300)
	other := newSender(t, master, "c1", inContext(seal.Context{Boot: s.Context().Boot, Random: [8]byte{9}}))
	r, store := roomOf(t, master, 4, envelope)
	store.hold.Store(false)
	settle := func() {
		group := []*delivery{receive(t, "settled", r.settled)}
		if err := r.remember(t.Context(), group); err != nil {
			t.Fatal(err)
		}
		r.finish(t.Context(), group)
	}
	for name, step := range map[string]struct {
		payload []byte
		settles bool
	}{
		"new":           {s.batch(5, 1), true},
		"unreadable":    {s.seal([]byte{0xa0}), true},
		"newer version": {s.seal([]byte{0xa1, 0x00, 0x02}), false},
	} {
		if err := r.intake(t.Context(), mqttlink.Message{Topic: readingsTopic("c1"), Payload: step.payload}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if step.settles {
			settle()
		}
	}
	for _, payload := range [][]byte{envelope, envelope} { // new, and a copy of what is on its way
		if err := r.intake(t.Context(), mqttlink.Message{Topic: readingsTopic("c1"), Payload: payload}); err != nil {
			t.Fatal(err)
		}
	}
	settle()
	for _, payload := range [][]byte{envelope, other.batch(5, 1)} { // stored before, and of another session with its boot number
		if err := r.intake(t.Context(), mqttlink.Message{Topic: readingsTopic("c1"), Payload: payload}); err != nil {
			t.Fatal(err)
		}
	}
	settle()
	if all := int64(4 * len(envelope)); !r.held.room.TryAcquire(all) {
		t.Error("not all of the room is free in the end")
	}
}

// awayStore keeps all that it is given and answers nothing.
type awayStore struct{ given [][]schemas.Reading }

func (s *awayStore) Submit(_ context.Context, readings []schemas.Reading, _ func(error)) error {
	s.given = append(s.given, readings)
	return nil
}

// TestMemoryIsBoundedWhileTheStoreIsAway: with the store away for good the hub takes
// maxHeld of envelopes and not one more, and what it holds then, decoded and with its
// book-keeping, stays within a bound, be the envelopes full or as small as they can be.
func TestMemoryIsBoundedWhileTheStoreIsAway(t *testing.T) {
	for name, c := range map[string]struct {
		readings   int
		room, most int64
	}{
		"full":  {100, maxHeld, 8 * maxHeld},
		"small": {1, maxHeld / 4, 10 * maxHeld / 4}, // a quarter is quicker, and shows the same
	} {
		t.Run(name, func(t *testing.T) {
			master, o, store := newTestMaster(t), testOptions(t), new(awayStore)
			o.Master, o.Store = master, store
			r, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			if c.room != maxHeld {
				r.held = held{semaphore.NewWeighted(c.room)}
			}
			s := newSender(t, master, "c1")
			before, taken := heap(), int64(0)
			intake := func(ctx context.Context, envelope []byte) error {
				return r.intake(ctx, mqttlink.Message{Topic: readingsTopic("c1"), Payload: envelope})
			}
			for taken <= 2*c.room {
				envelope := s.batch(c.readings, 2300)
				if !r.held.room.TryAcquire(int64(len(envelope))) {
					break
				}
				r.held.room.Release(int64(len(envelope)))
				if err := intake(t.Context(), envelope); err != nil {
					t.Fatal(err)
				}
				taken += int64(len(envelope))
			}
			over, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			if err := intake(over, s.batch(c.readings, 2300)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("one more than there is room for: %v", err)
			}
			grown := heap() - before
			t.Logf("%d envelopes, %.1f MiB, take %.1f MiB of memory", len(store.given), float64(taken)/(1<<20), float64(grown)/(1<<20))
			if taken > c.room || taken < c.room-1<<16 || grown > c.most {
				t.Errorf("%d bytes of envelopes and %d of memory; want at most %d and %d", taken, grown, c.room, c.most)
			}
			runtime.KeepAlive(r)
		})
	}
}

// heap is what is in use after a collection.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
