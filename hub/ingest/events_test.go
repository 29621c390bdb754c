package ingest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"citygrid/broker-config/brokertest"
	"citygrid/internal/counters"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

func eventsTopic(id schemas.CollectorID) string {
	return schemas.Topic{Area: testArea, Collector: id, Stream: schemas.Events}.String()
}

// eventSender opens a session of the events stream.
func (w *town) eventSender(id schemas.CollectorID, options ...func(*seal.SealerConfig)) *sender {
	return w.sender(id, append([]func(*seal.SealerConfig){contentType(seal.Events)}, options...)...)
}

// events returns an envelope with one event for each number, which is also the
// number of meters concerned.
func (s *sender) events(numbers ...int) []byte {
	s.t.Helper()
	return s.seal(encodeEvents(s.t, s.id, numbers...))
}

func encodeEvents(t testing.TB, id schemas.CollectorID, numbers ...int) []byte {
	t.Helper()
	b := schemas.EventBatch{Collector: id, Area: testArea, SealedAt: testMoment}
	for _, n := range numbers {
		b.Events = append(b.Events, schemas.ComponentEvent{
			ID: schemas.EventID(fmt.Sprintf("%032x", n)), Kind: schemas.EventLeak, Phase: schemas.EventOpened, Meter: secretMeter,
			Since: testMoment, TakenAt: testMoment, Affected: uint32(n),
		})
	}
	plain, err := schemas.EncodeEventBatch(nil, &b)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func numbersOf(events []schemas.ComponentEvent) (numbers []int) {
	for _, e := range events {
		numbers = append(numbers, int(e.Affected))
	}
	return numbers
}

func TestEventsNewThenDuplicate(t *testing.T) {
	w := newTownOn(t, brokertest.NATS)
	h := w.hub()
	s := w.eventSender("c1")
	envelope := s.events(1, 2, 3)
	for range 2 {
		w.publish(eventsTopic("c1"), envelope)
		wantReceipt(t, w, s, schemas.SeqRange{})
	}
	if got := numbersOf(receive(t, "store", h.events.given)); !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("the store has %v", got)
	}
	c := h.Counters()
	if h.events.calls.Load() != 1 || h.ledger.calls.Load() != 0 || c.Events != 3 || c.Cards != 0 || c.Points != 0 || c.Duplicates != 1 || len(c.Refused) != 0 {
		t.Errorf("%d calls of the store, counters %+v", h.events.calls.Load(), c)
	}
	if err := h.EventsReady(); err != nil {
		t.Error(err)
	}
	h.stop()
	h = w.hub() // and it is remembered, apart from the history of the cards
	w.publish(eventsTopic("c1"), envelope)
	wantReceipt(t, w, s, schemas.SeqRange{})
	if n := h.events.calls.Load(); n != 0 {
		t.Errorf("%d calls of the store after the restart", n)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "replay", "c1.events.replay")); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]source{"c1.events.replay": {"c1", schemas.Events}, "events.replay": readingsOf("events")} {
		if got, ok := sourceOf(name); !ok || got != want || want.file() != name {
			t.Errorf("%s is %v, %v", name, got, ok)
		}
	}
}

// A store that is away is asked again, and neither readings nor cards wait for it.
func TestEventsAreGivenAgain(t *testing.T) {
	w := newTownOn(t, brokertest.NATS)
	var away atomic.Bool
	away.Store(true)
	h := w.hub(func(h *hub) {
		h.events.answer = func([]schemas.ComponentEvent) error {
			if away.Load() {
				return errors.New("disk full")
			}
			return nil
		}
	})
	s, cards := w.eventSender("c1"), w.cardSender("c1")
	for i := range courierWorkers + 1 {
		w.publish(eventsTopic("c1"), s.events(i+1))
	}
	if text := receive(t, "complaint", h.errors); !strings.Contains(text, "does not take") || !strings.Contains(text, "items=component events") {
		t.Errorf("complaint %q", text)
	}
	for range courierWorkers + 3 {
		receive(t, "store", h.events.given)
	}
	w.publish(cardsTopic("c1"), cards.cards(1))
	wantReceipt(t, w, cards, schemas.SeqRange{})
	w.sentinel(w.sender("c1"))
	away.Store(false)
	for got := uint32(0); got < courierWorkers+1; {
		for _, span := range receive(t, "receipt", w.receipts).Stored {
			got += span.To - span.From + 1
		}
	}
	if n := counters.Count(h.eventCourier().retries); n < 2 || h.Counters().Events != courierWorkers+1 {
		t.Errorf("%d retries, %d events", n, h.Counters().Events)
	}
}

// eventCourier is the receiver's courier, which the fake hides.
func (h *hub) eventCourier() *courier { return h.Receiver.events }

// What the store refuses for good, and what is no batch, is kept as a letter and
// settled; a newer contract is left with its collector.
func TestEventsRejected(t *testing.T) {
	for name, tt := range map[string]struct {
		code    seal.Code
		reason  string
		settled bool
		make    func(s *sender) []byte
	}{
		"store":            {codeStoreRejected, "no such meter", true, func(s *sender) []byte { return s.events(666) }},
		"no batch":         {codeSchema, "decode event batch", true, func(s *sender) []byte { return s.seal([]byte("x")) }},
		"batch of another": {codeSchema, "c2 sealed by", true, func(s *sender) []byte { return s.seal(encodeEvents(s.t, "c2", 1)) }},
		"newer contract": {codeSchema, "update the hub", false, func(s *sender) []byte {
			plain := encodeEvents(s.t, "c1", 1)
			plain[2] = 2
			return s.seal(plain)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTownOn(t, brokertest.NATS)
			h := w.hub(func(h *hub) {
				h.events.answer = func(e []schemas.ComponentEvent) error {
					if e[0].Affected == 666 {
						return fmt.Errorf("store events: %w", refusedForGood{})
					}
					return nil
				}
			})
			s := w.eventSender("c1")
			payload, file := tt.make(s), rejectedFile
			w.publish(eventsTopic("c1"), payload)
			if tt.settled {
				wantReceipt(t, w, s, schemas.SeqRange{})
			} else {
				w.sentinel(w.sender("c3"))
				file = deadLetterFile
			}
			lines := w.letters(file)
			if len(lines) != 1 || h.Counters().Refused[tt.code] != 1 || h.Counters().Events != 0 {
				t.Fatalf("letters %v, counters %+v", lines, h.Counters())
			}
			wantLetter(t, lines[0], eventsTopic("c1"), payload, refusal{code: tt.code, reason: tt.reason})
			wantNoPlaintext(t, w)
		})
	}
}

// Without a store the collector keeps its events; with one they are taken when they
// come again.
func TestEventsWithoutAStore(t *testing.T) {
	w := newTown(t)
	h := w.hub(func(h *hub) { h.eventCourier().store = nil })
	s := w.eventSender("c1")
	envelope := s.events(1)
	w.publish(eventsTopic("c1"), envelope)
	w.sentinel(w.sender("c1"))
	if text := receive(t, "complaint", h.errors); !strings.Contains(text, "store=store of events") {
		t.Errorf("complaint %q", text)
	}
	if err := h.EventsReady(); err == nil || !strings.Contains(err.Error(), "in 1 messages") || h.CardsReady() != nil {
		t.Errorf("EventsReady: %v, CardsReady: %v", err, h.CardsReady())
	}
	if n := len(w.letters(deadLetterFile)) + len(w.letters(rejectedFile)); n != 0 {
		t.Errorf("%d letters", n)
	}
	h.stop()
	w.hub()
	w.publish(eventsTopic("c1"), envelope)
	wantReceipt(t, w, s, schemas.SeqRange{})
}

// TestEventsCrash ends the hub between any two steps: the events come again, and the
// store gets the same ones.
func TestEventsCrash(t *testing.T) {
	t.Run("while the store works", func(t *testing.T) {
		w := newTown(t)
		begun := make(chan struct{}, 1)
		h := w.hub(func(h *hub) {
			h.events.answer = func([]schemas.ComponentEvent) error { begun <- struct{}{}; return context.Canceled }
		})
		s := w.eventSender("c1")
		w.publish(eventsTopic("c1"), s.events(1, 2))
		receive(t, "store", begun)
		h.stop()
		again := w.hub()
		wantReceipt(t, w, s, schemas.SeqRange{})
		if got := numbersOf(receive(t, "store", again.events.given)); !slices.Equal(got, []int{1, 2}) {
			t.Errorf("the second life stores %v", got)
		}
	})
	t.Run("between the store and the memory", func(t *testing.T) {
		w := newTown(t)
		h := w.hub()
		mend := breakReplayFolder(t, w)
		s := w.eventSender("c1")
		w.publish(eventsTopic("c1"), s.events(1, 2))
		receive(t, "store", h.events.given)
		receive(t, "complaint about the disk", h.errors)
		h.stop()
		if len(w.receipts) != 0 {
			t.Error("a receipt without a memory")
		}
		mend()
		again := w.hub()
		wantReceipt(t, w, s, schemas.SeqRange{})
		if got := numbersOf(receive(t, "store", again.events.given)); !slices.Equal(got, []int{1, 2}) {
			t.Errorf("the second life stores %v", got)
		}
	})
	t.Run("between the memory and the receipt", func(t *testing.T) {
		w := newTown(t)
		h := w.hub(func(h *hub) { h.observer.gate = make(chan struct{}) })
		s, before := w.eventSender("c1"), w.sender("c1")
		w.publish(readingsTopic("c1"), before.batch(1, 1)) // holds the settlement up
		receive(t, "observer", h.observer.stored)
		w.publish(eventsTopic("c1"), s.events(1))
		receive(t, "store", h.events.given)
		h.unlink()
		close(h.observer.gate)
		h.stop()
		w.hub()
		for range 2 { // of the readings and of the events, in any order
			receive(t, "receipt", w.receipts)
		}
	})
}

// Events that were left while the queue was full come after those of later sessions
// that the hub has had to forget; they go to the store, which takes none twice.
func TestEventsOfAForgottenSessionAreTaken(t *testing.T) {
	w := newTownOn(t, brokertest.NATS)
	h := w.hub()
	old := w.eventSender("c1", bootNumber(5))
	left := old.events(1)
	for boot := range uint32(seal.MaxBoots + 1) {
		w.publish(eventsTopic("c1"), w.eventSender("c1", bootNumber(100+boot)).events(1000+int(boot)))
		receive(t, "receipt", w.receipts)
		receive(t, "store", h.events.given)
	}
	w.publish(eventsTopic("c1"), left)
	wantReceipt(t, w, old, schemas.SeqRange{})
	if got := numbersOf(receive(t, "store", h.events.given)); !slices.Equal(got, []int{1}) {
		t.Errorf("the store has %v", got)
	}
}

// eventStoreFunc is a store that does one thing.
type eventStoreFunc func([]schemas.ComponentEvent) error

func (f eventStoreFunc) StoreEvents(_ context.Context, _ schemas.CollectorID, events []schemas.ComponentEvent) error {
	return f(events)
}

// What the last store has the ones before it have, and an error begins anew.
func TestEventStoresKeepTheirOrder(t *testing.T) {
	var mu sync.Mutex
	var calls []string
	fails := 1
	stores := EventStores{
		eventStoreFunc(func([]schemas.ComponentEvent) error {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, "a")
			return nil
		}),
		eventStoreFunc(func([]schemas.ComponentEvent) error {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, "b")
			if fails--; fails >= 0 {
				return refusedForGood{}
			}
			return nil
		}),
		eventStoreFunc(func([]schemas.ComponentEvent) error {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, "c")
			return nil
		}),
	}
	if err := stores.StoreEvents(t.Context(), "c1", nil); !isPermanent(err) {
		t.Errorf("error %v", err)
	}
	if err := stores.StoreEvents(t.Context(), "c1", nil); err != nil || strings.Join(calls, "") != "ababc" {
		t.Errorf("calls %q, %v", calls, err)
	}
}
