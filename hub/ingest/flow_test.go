package ingest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"citygrid/broker-config/brokertest"
	"citygrid/internal/counters"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

func testStatus(t testing.TB, id schemas.CollectorID) []byte {
	t.Helper()
	plain, err := schemas.EncodeStatus(nil, &schemas.Status{Collector: id, Area: testArea, At: testMoment, StartedAt: testMoment, Version: "v1", ReadsDone: 7})
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestNewThenDuplicate(t *testing.T) {
	w := newTownOn(t, brokertest.NATS)
	h := w.hub()
	s := w.sender("c1")
	envelope := s.batch(3, 2300)
	w.publish(readingsTopic("c1"), envelope)
	wantReceipt(t, w, s, schemas.SeqRange{})
	got := receive(t, "observer", h.observer.stored)
	if len(got) != 3 || got[2].Value.String() != "230.2" || got[2].Meter != secretMeter {
		t.Errorf("stored %v", got)
	}
	w.publish(readingsTopic("c1"), envelope)
	wantReceipt(t, w, s, schemas.SeqRange{})
	c := h.Counters()
	if n := h.store.calls.Load(); n != 1 || c.Duplicates != 1 || c.Points != 3 || c.Receipts != 2 || len(c.Refused) != 0 {
		t.Errorf("%d submissions, counters %+v", n, c)
	}

	h.stop()
	h = w.hub()
	w.publish(readingsTopic("c1"), envelope)
	wantReceipt(t, w, s, schemas.SeqRange{})
	if n, c := h.store.calls.Load(), h.Counters(); n != 0 || c.Received != 1 {
		t.Errorf("after a restart %d submissions, %d messages; want 0 and 1", n, c.Received)
	}
}

// Nothing is answered before the store has, and all copies of one envelope are
// one write and one acknowledgement each.
func TestRedeliveryWhilePending(t *testing.T) {
	w := newTown(t)
	h := w.hub(func(h *hub) { h.store.hold.Store(true) })
	s, quiet := w.sender("c1"), w.sender("c3")
	envelope := s.batch(2, 1)
	const copies = maxCopies + 3
	for range copies {
		w.publish(readingsTopic("c1"), envelope)
	}
	first := receive(t, "submission", h.store.held)
	h.store.hold.Store(false)
	w.sentinel(quiet) // and no receipt before it
	if w.file("replay", "c1"+replaySuffix) != "" {
		t.Error("remembered before the store answered")
	}
	first.done(nil)
	wantReceipt(t, w, s, schemas.SeqRange{})
	if n := h.store.calls.Load(); n != 2 {
		t.Errorf("%d submissions, want the envelope's and the sentinel's", n)
	}
	w.sentinel(quiet)
	h.stop()

	again := w.hub() // what was let go was not acknowledged, and comes again
	w.publish(readingsTopic("c3"), quiet.batch(1, 1))
	for receive(t, "receipt", w.receipts).Collector != quiet.id {
	}
	if n := again.Counters(); n.Received != copies-1-maxCopies+1 || n.Duplicates != n.Received-1 {
		t.Errorf("%d messages of which %d duplicates, want %d let go and the sentinel", n.Received, n.Duplicates, copies-1-maxCopies)
	}
}

// A copy that comes when the receipt may be on its way already gets one of its
// own, or the loss of the first would leave the collector without any.
func TestCopyDuringTheReceipt(t *testing.T) {
	w := newTownOn(t, brokertest.NATS)
	h := w.hub(func(h *hub) { h.observer.gate = make(chan struct{}) })
	s := w.sender("c1")
	envelope := s.batch(1, 1)
	w.publish(readingsTopic("c1"), envelope)
	receive(t, "observer", h.observer.stored)
	w.publish(readingsTopic("c1"), envelope)
	topic := schemas.Topic{Area: testArea, Collector: "c1", Stream: schemas.Online}
	w.publish(topic.String(), []byte("1"))
	receive(t, "online, after which the copy has been taken in", h.observer.online)
	close(h.observer.gate)
	wantReceipt(t, w, s, schemas.SeqRange{})
	wantReceipt(t, w, s, schemas.SeqRange{})
}

func TestTwoCollectorsAtOnce(t *testing.T) {
	w := newTownOn(t, brokertest.NATS)
	h := w.hub(func(h *hub) { h.store.hold.Store(true) })
	a, b := w.sender("c1"), w.sender("c2")
	var held []submission
	for i := range 10 {
		for _, s := range []*sender{a, b} {
			w.publish(readingsTopic(s.id), s.batch(1, int64(i)))
			held = append(held, receive(t, "submission", h.store.held))
		}
	}
	slices.Reverse(held) // the store keeps no order
	for _, s := range held {
		go s.done(nil)
	}
	got := map[schemas.CollectorID]int{}
	for got["c1"]+got["c2"] < 20 {
		r := receive(t, "receipt", w.receipts)
		for _, span := range r.Stored {
			got[r.Collector] += int(span.To-span.From) + 1
		}
	}
	if got["c1"] != 10 || got["c2"] != 10 {
		t.Errorf("receipts for %v, want 10 each", got)
	}
	if m := h.Counters().Missing; len(m) != 0 {
		t.Errorf("missing %v, want none", m)
	}
}

func TestMissing(t *testing.T) {
	w := newTownOn(t, brokertest.NATS)
	h := w.hub()
	s := w.sender("c1")
	s.batch(1, 0)
	lost := s.batch(1, 1)
	w.publish(readingsTopic("c1"), s.batch(1, 2))
	wantReceipt(t, w, s, schemas.SeqRange{From: 2, To: 2})
	if m := h.Counters().Missing["c1"]; m != 2 {
		t.Errorf("%d missing, want 2", m)
	}
	w.publish(readingsTopic("c1"), lost)
	wantReceipt(t, w, s, schemas.SeqRange{From: 1, To: 1})
	if m := h.Counters().Missing["c1"]; m != 1 {
		t.Errorf("%d missing, want 1", m)
	}
}

func TestStatusAndOnline(t *testing.T) {
	w := newTownOn(t, brokertest.NATS)
	h := w.hub()
	topic := schemas.Topic{Area: testArea, Collector: "c1", Stream: schemas.Statuses}
	w.publish(topic.String(), w.sender("c1", contentType(seal.Status)).seal(testStatus(t, "c1")))
	if s := receive(t, "status", h.observer.statuses); s.Collector != "c1" || s.ReadsDone != 7 {
		t.Errorf("status %+v", s)
	}
	topic.Stream = schemas.Online
	for _, on := range []string{"1", "0"} {
		w.publish(topic.String(), []byte(on))
		if got := receive(t, "online", h.observer.online); got != (on == "1") {
			t.Errorf("%s was passed on as %v", on, got)
		}
	}
}

// TestCrash ends the hub between any two steps. Nothing is lost, and what the
// store gets twice is the same.
func TestCrash(t *testing.T) {
	t.Run("before the store answers", func(t *testing.T) {
		w := newTown(t)
		h := w.hub(func(h *hub) { h.store.hold.Store(true) })
		s := w.sender("c1")
		w.publish(readingsTopic("c1"), s.batch(2, 1))
		first := receive(t, "submission", h.store.held)
		h.stop()
		first.done(nil) // too late: nobody waits, and it must not block

		h = w.hub(func(h *hub) { h.store.hold.Store(true) })
		second := receive(t, "submission after the crash", h.store.held)
		if !slices.Equal(first.readings, second.readings) {
			t.Errorf("the second life stores %v, the first stored %v", second.readings, first.readings)
		}
		second.done(nil)
		wantReceipt(t, w, s, schemas.SeqRange{})
	})
	t.Run("before the state is on disk", func(t *testing.T) {
		w := newTown(t)
		h := w.hub()
		mend := breakReplayFolder(t, w)
		s := w.sender("c1")
		w.publish(readingsTopic("c1"), s.batch(2, 1))
		receive(t, "complaint about the disk", h.errors)
		h.stop()
		mend()
		h = w.hub()
		wantReceipt(t, w, s, schemas.SeqRange{})
		if n := h.store.calls.Load(); n != 1 {
			t.Errorf("%d submissions, want 1", n)
		}
	})
	t.Run("before the receipt", func(t *testing.T) {
		w := newTown(t)
		h := w.hub(func(h *hub) { h.observer.gate = make(chan struct{}) })
		s := w.sender("c1")
		w.publish(readingsTopic("c1"), s.batch(2, 1))
		receive(t, "observer", h.observer.stored)
		if w.file("replay", "c1"+replaySuffix) == "" {
			t.Error("the observer was told before the state was on disk")
		}
		h.unlink()
		close(h.observer.gate)
		h.stop()
		h = w.hub()
		wantReceipt(t, w, s, schemas.SeqRange{})
		if n := h.store.calls.Load(); n != 0 {
			t.Errorf("%d submissions of what is stored", n)
		}
		w.sentinel(w.sender("c3"))
	})
}

// breakReplayFolder takes the folder away, which holds for root too.
func breakReplayFolder(t *testing.T, w *town) (mend func()) {
	t.Helper()
	dir := filepath.Join(w.dir, "replay")
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := os.Rename(dir+".away", dir); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFailedSaveIsTriedAgain(t *testing.T) {
	w := newTown(t)
	h := w.hub()
	mend := breakReplayFolder(t, w)
	s := w.sender("c1")
	w.publish(readingsTopic("c1"), s.batch(2, 1))
	receive(t, "complaint about the disk", h.errors)
	if len(w.receipts) != 0 || h.Counters().Receipts != 0 {
		t.Error("a receipt without a memory")
	}
	mend()
	wantReceipt(t, w, s, schemas.SeqRange{})
	if n := counters.Count(h.metrics.saveFailures); n == 0 {
		t.Error("the failure was not counted")
	}
	if n := h.store.calls.Load(); n != 1 {
		t.Errorf("%d submissions, want 1", n)
	}
	h.stop()
	again := w.hub()
	w.sentinel(w.sender("c3"))
	if n := again.Counters().Received; n != 1 {
		t.Errorf("%d messages, want the sentinel alone", n)
	}
}

// A letter that is not on disk keeps the message with the broker.
func TestDeadLetterThatFails(t *testing.T) {
	w := newTown(t)
	h := w.hub()
	if err := os.Mkdir(h.dead.path, 0o700); err != nil {
		t.Fatal(err)
	}
	w.publish(readingsTopic("c1"), []byte("garbage"))
	if err := receive(t, "end of the session", h.downs); err == nil || !bytes.Contains([]byte(err.Error()), []byte("dead letter is not on disk")) {
		t.Errorf("the link ended with %v", err)
	}
	if err := os.Remove(h.dead.path); err != nil {
		t.Fatal(err)
	}
	w.sentinel(w.sender("c3"))
	if n := len(w.letters(deadLetterFile)); n != 1 {
		t.Errorf("%d dead letters, want 1", n)
	}
}

// While the cipher is in doubt nothing is acknowledged and nothing refused.
func TestCipherInDoubt(t *testing.T) {
	for _, tt := range []struct {
		code  seal.Code
		fault func(*badProvider, bool)
	}{
		{seal.KeyUnavailable, func(p *badProvider, on bool) { p.refuse.Store(on) }},
		{seal.ProviderMismatch, func(p *badProvider, on bool) { p.lie.Store(on) }},
	} {
		t.Run(string(tt.code), func(t *testing.T) {
			w := newTown(t)
			h := w.hub()
			tt.fault(w.provider, true)
			s := w.sender("c1")
			w.publish(readingsTopic("c1"), s.batch(1, 1))
			for range 2 { // it comes again with each connection
				var e *seal.Error
				if err := receive(t, "end of the session", h.downs); !errors.As(err, &e) || e.Code != tt.code {
					t.Errorf("the link ended with %v, want %s", err, tt.code)
				}
			}
			tt.fault(w.provider, false)
			wantReceipt(t, w, s, schemas.SeqRange{})
			if n := len(w.letters(deadLetterFile)); n != 0 || h.store.calls.Load() != 1 {
				t.Errorf("%d letters, %d submissions; want 0 and 1", n, h.store.calls.Load())
			}
		})
	}
}
