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

func readingsOf(id schemas.CollectorID) source { return source{id, schemas.Readings} }

func cardsTopic(id schemas.CollectorID) string {
	return schemas.Topic{Area: testArea, Collector: id, Stream: schemas.Cards}.String()
}

// cardSender opens a session of the cards stream.
func (w *town) cardSender(id schemas.CollectorID, options ...func(*seal.SealerConfig)) *sender {
	return w.sender(id, append([]func(*seal.SealerConfig){contentType(seal.Cards)}, options...)...)
}

// cards returns an envelope with entries of the given purchases.
func (s *sender) cards(purchases ...int) []byte {
	s.t.Helper()
	return s.seal(encodeCards(s.t, s.id, purchases...))
}

func encodeCards(t testing.TB, id schemas.CollectorID, purchases ...int) []byte {
	t.Helper()
	b := schemas.CardBatch{Collector: id, Area: testArea, SealedAt: testMoment}
	for _, n := range purchases {
		b.Entries = append(b.Entries, schemas.CardEntry{
			Event: schemas.CardLoad, Source: schemas.FromDLT645, Utility: schemas.Power, Meter: secretMeter,
			Purchase: schemas.PurchaseRef{Scheme: schemas.BySequence, Number: uint32(n)},
			Amount:   schemas.Credit{Value: 5000, Unit: schemas.CreditFen}, TakenAt: testMoment,
		})
	}
	plain, err := schemas.EncodeCardBatch(nil, &b)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func purchasesOf(entries []schemas.CardEntry) (numbers []int) {
	for _, e := range entries {
		numbers = append(numbers, int(e.Purchase.Number))
	}
	return numbers
}

// refusedForGood is the error of a ledger that will never take the entries.
type refusedForGood struct{}

func (refusedForGood) Error() string   { return "no such meter" }
func (refusedForGood) Permanent() bool { return true }

func TestCardsNewThenDuplicate(t *testing.T) {
	w := newTownOn(t, brokertest.NATS)
	h := w.hub()
	s := w.cardSender("c1")
	envelope := s.cards(1, 2, 3)
	for range 2 {
		w.publish(cardsTopic("c1"), envelope)
		wantReceipt(t, w, s, schemas.SeqRange{})
	}
	if got := purchasesOf(receive(t, "ledger", h.ledger.given)); !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("the ledger has %v", got)
	}
	c := h.Counters()
	if h.ledger.calls.Load() != 1 || h.store.calls.Load() != 0 || c.Cards != 3 || c.Points != 0 || c.Duplicates != 1 || c.Receipts != 2 || len(c.Refused) != 0 {
		t.Errorf("%d calls of the ledger, counters %+v", h.ledger.calls.Load(), c)
	}
	if err := h.CardsReady(); err != nil {
		t.Error(err)
	}

	h.stop()
	h = w.hub() // and it is remembered
	w.publish(cardsTopic("c1"), envelope)
	wantReceipt(t, w, s, schemas.SeqRange{})
	if n := h.ledger.calls.Load(); n != 0 {
		t.Errorf("%d calls of the ledger after the restart", n)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "replay", "c1.cards.replay")); err != nil {
		t.Error(err)
	}
}

// Each stream of a collector has a history of its own [envelope.md 7]: boots and
// sequences of readings say nothing of cards.
func TestStreamsHaveTheirOwnHistory(t *testing.T) {
	w := newTownOn(t, brokertest.NATS)
	h := w.hub()
	old := w.cardSender("c1", bootNumber(5))
	for boot := range uint32(seal.MaxBoots + 1) { // enough to forget boot 5 of the readings
		w.publish(readingsTopic("c1"), w.sender("c1", bootNumber(100+boot)).batch(1, 1))
		receive(t, "receipt", w.receipts)
	}
	w.publish(cardsTopic("c1"), old.cards(1))
	wantReceipt(t, w, old, schemas.SeqRange{})
	shared := w.cardSender("c1", bootNumber(100)) // one boot, other random bytes
	w.publish(cardsTopic("c1"), shared.cards(2))
	wantReceipt(t, w, shared, schemas.SeqRange{})
	shared.cards(3)
	w.publish(cardsTopic("c1"), shared.cards(4))
	wantReceipt(t, w, shared, schemas.SeqRange{From: 2, To: 2})
	if c := h.Counters(); c.Missing["c1"] != 1 || len(c.Refused) != 0 {
		t.Errorf("missing %v, refused %v", c.Missing, c.Refused)
	}
	for name, want := range map[string]source{
		"c1.replay": readingsOf("c1"), "c1.cards.replay": {"c1", schemas.Cards}, "cards.replay": readingsOf("cards"),
	} {
		if got, ok := sourceOf(name); !ok || got != want || want.file() != name {
			t.Errorf("%s is %v, %v", name, got, ok)
		}
	}
}

// A ledger that is away is asked again, and readings do not wait for it.
func TestCardsAreGivenAgain(t *testing.T) {
	w := newTownOn(t, brokertest.NATS)
	var away atomic.Bool
	away.Store(true)
	h := w.hub(func(h *hub) {
		h.ledger.answer = func([]schemas.CardEntry) error {
			if away.Load() {
				return errors.New("disk full")
			}
			return nil
		}
	})
	s := w.cardSender("c1")
	w.publish(cardsTopic("c1"), s.cards(1))
	receive(t, "complaint", h.errors)
	for range 2 {
		receive(t, "ledger", h.ledger.given)
	}
	w.sentinel(w.sender("c1"))
	away.Store(false)
	wantReceipt(t, w, s, schemas.SeqRange{})
	if n := counters.Count(h.cards.retries); n < 2 || h.Counters().Cards != 1 {
		t.Errorf("%d retries, %d entries", n, h.Counters().Cards)
	}
}

// What the ledger refuses for good, and what is no batch, is kept as a letter and
// settled; a newer contract is left with its collector.
func TestCardsRejected(t *testing.T) {
	for name, tt := range map[string]struct {
		code    seal.Code
		reason  string
		settled bool
		make    func(s *sender) []byte
	}{
		"ledger":           {codeStoreRejected, "no such meter", true, func(s *sender) []byte { return s.cards(666) }},
		"no batch":         {codeSchema, "decode card batch", true, func(s *sender) []byte { return s.seal([]byte("x")) }},
		"batch of another": {codeSchema, "c2 sealed by", true, func(s *sender) []byte { return s.seal(encodeCards(s.t, "c2", 1)) }},
		"newer contract": {codeSchema, "update the hub", false, func(s *sender) []byte {
			plain := encodeCards(s.t, "c1", 1)
			plain[2] = 2
			return s.seal(plain)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTownOn(t, brokertest.NATS)
			h := w.hub(func(h *hub) {
				h.ledger.answer = func(e []schemas.CardEntry) error {
					if e[0].Purchase.Number == 666 {
						return fmt.Errorf("store cards: %w", refusedForGood{})
					}
					return nil
				}
			})
			s := w.cardSender("c1")
			payload, file := tt.make(s), rejectedFile
			w.publish(cardsTopic("c1"), payload)
			if tt.settled {
				wantReceipt(t, w, s, schemas.SeqRange{})
			} else {
				w.sentinel(w.sender("c3"))
				file = deadLetterFile
			}
			lines := w.letters(file)
			if len(lines) != 1 || h.Counters().Refused[tt.code] != 1 || h.Counters().Cards != 0 {
				t.Fatalf("letters %v, counters %+v", lines, h.Counters())
			}
			wantLetter(t, lines[0], cardsTopic("c1"), payload, refusal{code: tt.code, reason: tt.reason})
			wantNoPlaintext(t, w)
		})
	}
}

// Without a ledger the collector keeps its cards: no receipt, no letter, and
// somebody is told, once. With a ledger they are taken when they come again.
func TestCardsWithoutALedger(t *testing.T) {
	w := newTown(t)
	h := w.hub(func(h *hub) { h.cards.store = nil })
	s := w.cardSender("c1")
	first, second := s.cards(1), s.cards(2)
	w.publish(cardsTopic("c1"), first)
	w.publish(cardsTopic("c1"), second)
	w.sentinel(w.sender("c1"))
	if text := receive(t, "complaint", h.errors); !strings.Contains(text, "store=ledger") || len(h.errors) != 0 {
		t.Errorf("complaint %q, and %d more", text, len(h.errors))
	}
	if err := h.CardsReady(); err == nil || !strings.Contains(err.Error(), "in 2 messages") {
		t.Errorf("CardsReady: %v", err)
	}
	if n := len(w.letters(deadLetterFile)) + len(w.letters(rejectedFile)); n != 0 || len(h.Counters().Refused) != 0 || counters.Count(h.cards.left) != 2 {
		t.Errorf("%d letters, counters %+v", n, h.Counters())
	}
	h.stop()

	h = w.hub()
	w.sentinel(w.sender("c3"))
	if n := h.Counters().Received; n != 1 {
		t.Errorf("%d messages came again with the sentinel: the broker must forget what is left", n-1)
	}
	w.publish(cardsTopic("c1"), first)
	wantReceipt(t, w, s, schemas.SeqRange{})
	w.publish(cardsTopic("c1"), second)
	wantReceipt(t, w, s, schemas.SeqRange{From: 1, To: 1})
}

// More than may wait for a ledger that is away stay with their collector; none
// is lost, and readings flow.
func TestCardsBeyondTheQueueAreLeft(t *testing.T) {
	w := newTownOn(t, brokertest.NATS)
	gate := make(chan struct{})
	open := sync.OnceFunc(func() { close(gate) })
	t.Cleanup(open)
	h := w.hub(func(h *hub) {
		h.ledger.answer = func([]schemas.CardEntry) error { <-gate; return nil }
	})
	s := w.cardSender("c1")
	const n = maxWaiting + courierWorkers + 20
	var envelopes [][]byte
	for i := range n {
		envelopes = append(envelopes, s.cards(i+1))
		w.publish(cardsTopic("c1"), envelopes[i])
	}
	w.sentinel(w.sender("c3"))
	left := counters.Count(h.cards.left)
	if left < 20 || left > 20+courierWorkers {
		t.Errorf("%d envelopes are left, want about 20", left)
	}
	open()
	for round, got := 0, map[uint32]bool{}; len(got) < n; round++ {
		if round > 0 { // as the collector does
			for i, e := range envelopes {
				if !got[uint32(i)] {
					w.publish(cardsTopic("c1"), e)
				}
			}
		}
		for want := min(n, len(got)+n-int(left)*(1-round)); len(got) < want; {
			for _, span := range receive(t, "receipt", w.receipts).Stored {
				for seq := span.From; seq <= span.To; seq++ {
					got[seq] = true
				}
			}
		}
		if round > 1 {
			t.Fatalf("%d of %d have a receipt", len(got), n)
		}
	}
	if calls := h.ledger.calls.Load(); calls != n {
		t.Errorf("%d calls of the ledger, want %d", calls, n)
	}
}

// TestCardsCrash ends the hub between any two steps: the entries come again, and
// the ledger gets the same ones.
func TestCardsCrash(t *testing.T) {
	t.Run("while the ledger works", func(t *testing.T) {
		w := newTown(t)
		begun := make(chan struct{}, 1)
		h := w.hub(func(h *hub) {
			h.ledger.answer = func([]schemas.CardEntry) error { begun <- struct{}{}; return context.Canceled }
		})
		s := w.cardSender("c1")
		w.publish(cardsTopic("c1"), s.cards(1, 2))
		receive(t, "ledger", begun)
		h.stop()
		again := w.hub()
		wantReceipt(t, w, s, schemas.SeqRange{})
		if got := purchasesOf(receive(t, "ledger", again.ledger.given)); !slices.Equal(got, []int{1, 2}) {
			t.Errorf("the second life stores %v", got)
		}
	})
	t.Run("between the ledger and the memory", func(t *testing.T) {
		w := newTown(t)
		h := w.hub()
		mend := breakReplayFolder(t, w)
		s := w.cardSender("c1")
		w.publish(cardsTopic("c1"), s.cards(1, 2))
		first := receive(t, "ledger", h.ledger.given)
		receive(t, "complaint about the disk", h.errors)
		h.stop()
		if len(w.receipts) != 0 {
			t.Error("a receipt without a memory")
		}
		mend()
		again := w.hub()
		wantReceipt(t, w, s, schemas.SeqRange{})
		if second := receive(t, "ledger", again.ledger.given); !slices.Equal(purchasesOf(second), purchasesOf(first)) {
			t.Errorf("the second life stores %v, the first %v", purchasesOf(second), purchasesOf(first))
		}
	})
	t.Run("between the memory and the receipt", func(t *testing.T) {
		w := newTown(t)
		h := w.hub(func(h *hub) { h.observer.gate = make(chan struct{}) })
		s, before := w.cardSender("c1"), w.sender("c1")
		w.publish(readingsTopic("c1"), before.batch(1, 1)) // holds the settlement up
		receive(t, "observer", h.observer.stored)
		w.publish(cardsTopic("c1"), s.cards(1))
		receive(t, "ledger", h.ledger.given)
		h.unlink()
		close(h.observer.gate)
		h.stop()
		again := w.hub()
		for got := 0; got < 2; got++ { // of the readings and of the cards, in any order
			receive(t, "receipt", w.receipts)
		}
		if n := again.store.calls.Load(); n != 0 {
			t.Errorf("%d submissions of readings that are stored", n)
		}
	})
}

// Envelopes that were left while the queue was full come after those of later
// sessions. When the hub has forgotten theirs nobody can say whether they are new,
// and they go to the ledger, which takes no fact twice.
func TestCardsOfAForgottenSessionAreTaken(t *testing.T) {
	w := newTownOn(t, brokertest.NATS)
	h := w.hub()
	old := w.cardSender("c1", bootNumber(5))
	left := old.cards(1)
	for boot := range uint32(seal.MaxBoots + 1) {
		w.publish(cardsTopic("c1"), w.cardSender("c1", bootNumber(100+boot)).cards(1000+int(boot)))
		receive(t, "receipt", w.receipts)
		receive(t, "ledger", h.ledger.given)
	}
	for range 2 {
		w.publish(cardsTopic("c1"), left)
		wantReceipt(t, w, old, schemas.SeqRange{})
		if got := purchasesOf(receive(t, "ledger", h.ledger.given)); !slices.Equal(got, []int{1}) {
			t.Errorf("the ledger has %v", got)
		}
	}
	if c := h.Counters(); len(c.Refused) != 0 {
		t.Errorf("refused %v", c.Refused)
	}
}

// Entries that the ledger can not take, and does not refuse for good either, keep
// none of the others from it.
func TestCardsGoPastOnesThatFail(t *testing.T) {
	w := newTownOn(t, brokertest.NATS)
	h := w.hub(func(h *hub) {
		h.ledger.answer = func(e []schemas.CardEntry) error {
			if e[0].Purchase.Number >= 1000 {
				return errors.New("no such column")
			}
			return nil
		}
	})
	bad, good := w.cardSender("c1"), w.cardSender("c2")
	for i := range courierWorkers {
		w.publish(cardsTopic("c1"), bad.cards(1000+i))
	}
	for range courierWorkers {
		receive(t, "ledger", h.ledger.given)
	}
	w.publish(cardsTopic("c2"), good.cards(1))
	wantReceipt(t, w, good, schemas.SeqRange{})
}
