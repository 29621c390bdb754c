package ingest

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"citygrid/internal/counters"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// refusal is a row of the receiver's table: the messages before that are taken,
// and the one that is not.
type refusal struct {
	name string
	code seal.Code
	// reason is in the letter.
	reason string
	make   func(w *town) (topic string, before [][]byte, payload []byte)
}

// on is a row whose refused message stands alone.
func on(topic string, payload func(w *town) []byte) func(*town) (string, [][]byte, []byte) {
	return func(w *town) (string, [][]byte, []byte) { return topic, nil, payload(w) }
}

func generation(g uint16) func(*seal.SealerConfig) {
	return func(c *seal.SealerConfig) { c.Generation = g }
}

func contentType(ct seal.ContentType) func(*seal.SealerConfig) {
	return func(c *seal.SealerConfig) { c.ContentType = ct }
}

// refusals are the rows of the table in the order of the checks. Each uses a
// session of its own.
func refusals() []refusal {
	c1 := readingsTopic("c1")
	flip := func(payload []byte, at int) []byte { payload[at] ^= 1; return payload }
	return []refusal{
		{"topic bad", codeTopicBad, "nowhere", on("citygrid/v1/nowhere/c1/readings", func(w *town) []byte { return w.sender("c1").batch(1, 1) })},
		{"frame bad", seal.FrameBad, "", on(c1, func(*town) []byte { return []byte("garbage") })},
		{"empty", seal.FrameBad, "", on(c1, func(*town) []byte { return nil })},
		{"a receipt turned round", seal.FrameBad, "", on(c1, func(w *town) []byte {
			return w.sender("c1", contentType(seal.Receipt), func(c *seal.SealerConfig) { c.Role = seal.Down }).seal([]byte("x"))
		})},
		{"suite unknown", seal.SuiteUnknown, "", on(c1, func(w *town) []byte { return flip(w.sender("c1").batch(1, 1), 10) })},
		{"device unknown", seal.DeviceUnknown, "keys issue", on(readingsTopic("c9"), func(w *town) []byte { return w.sender("c9").batch(1, 1) })},
		{"revoked", seal.DeviceUnknown, "c8 was revoked; citygrid keys issue --renew", on(readingsTopic("c8"), func(w *town) []byte { return w.sender("c8").batch(1, 1) })},
		{"generation unknown", seal.GenerationUnknown, "reload the enrolment", on(c1, func(w *town) []byte {
			return w.sender("c1", generation(enrolledGeneration+1)).batch(1, 1)
		})},
		{"generation retired", seal.GenerationRetired, "new bundle", on(c1, func(w *town) []byte {
			return w.sender("c1", generation(enrolledGeneration-1)).batch(1, 1)
		})},
		{"tag wrong", seal.TagWrong, "", on(c1, func(w *town) []byte { e := w.sender("c1").batch(1, 1); return flip(e, len(e)-1) })},
		{"another tenant", seal.TagWrong, "", on(c1, func(w *town) []byte {
			return w.sender("c1", func(c *seal.SealerConfig) { c.Tenant = "other" }).batch(1, 1)
		})},
		{"another's topic", codeTopicMismatch, "c1 on the topic of c2", on(readingsTopic("c2"), func(w *town) []byte { return w.sender("c1").batch(1, 1) })},
		{"another area", codeTopicMismatch, "enrolled in area 310115", on(schemas.Topic{Area: "310116", Collector: "c1", Stream: schemas.Readings}.String(),
			func(w *town) []byte { return w.sender("c1").batch(1, 1) })},
		{"another stream", codeTopicMismatch, "status on the topic readings", on(c1, func(w *town) []byte {
			return w.sender("c1", contentType(seal.Status)).seal(testStatus(w.t, "c1"))
		})},
		{"a newer contract", codeSchema, "version", on(c1, func(w *town) []byte {
			// The map's first pair is the version, 0: 1.
			plain := encodeBatch(w.t, "c1", testArea, 1, 1)
			if !bytes.HasPrefix(plain[1:], []byte{0, 1}) {
				w.t.Fatalf("batch begins with % x: this test must learn the new form", plain[:4])
			}
			plain[2] = 2
			return w.sender("c1").seal(plain)
		})},
		{"status of another", codeSchema, "c2 sealed by", on(schemas.Topic{Area: testArea, Collector: "c1", Stream: schemas.Statuses}.String(),
			func(w *town) []byte { return w.sender("c1", contentType(seal.Status)).seal(testStatus(w.t, "c2")) })},
		{"status that is none", codeSchema, "", on(schemas.Topic{Area: testArea, Collector: "c1", Stream: schemas.Statuses}.String(),
			func(w *town) []byte { return w.sender("c1", contentType(seal.Status)).seal([]byte("x")) })},
		{"online of a stranger", seal.DeviceUnknown, "keys issue", on(schemas.Topic{Area: testArea, Collector: "c9", Stream: schemas.Online}.String(),
			func(*town) []byte { return []byte("1") })},
		{"online elsewhere", codeTopicMismatch, "310115", on(schemas.Topic{Area: "310116", Collector: "c1", Stream: schemas.Online}.String(),
			func(*town) []byte { return []byte("1") })},
		{"online that is none", codeSchema, "1 or 0", on(schemas.Topic{Area: testArea, Collector: "c1", Stream: schemas.Online}.String(),
			func(*town) []byte { return []byte("yes") })},
		{"boot conflict", codeBootConflict, "enrol it anew", func(w *town) (string, [][]byte, []byte) {
			return c1, [][]byte{w.sender("c1", bootNumber(70)).batch(1, 1)}, w.sender("c1", bootNumber(70)).batch(1, 1)
		}},
		{"nonce reuse", codeNonceReuse, "snapshot", func(w *town) (string, [][]byte, []byte) {
			one := w.sender("c1", bootNumber(71))
			return c1, [][]byte{one.batch(1, 1)}, w.sender("c1", inContext(one.Context())).batch(1, 2)
		}},
		{"late", codeLate, "older", func(w *town) (string, [][]byte, []byte) {
			var newer [][]byte
			for boot := range uint32(64) {
				newer = append(newer, w.sender("c1", bootNumber(100+boot)).batch(1, 1))
			}
			return c1, newer, w.sender("c1", bootNumber(5)).batch(1, 1)
		}},
	}
}

func TestRefusals(t *testing.T) {
	w := newTown(t)
	h := w.hub()
	quiet := w.sender("c3")
	for _, tt := range refusals() {
		t.Run(tt.name, func(t *testing.T) {
			topic, before, payload := tt.make(w)
			for _, b := range before {
				w.publish(topic, b)
			}
			for range before {
				receive(t, "receipt of a good message", w.receipts)
			}
			counts, calls, state := h.Counters().Refused, h.store.calls.Load(), w.file("replay", "c1"+replaySuffix)
			letters := len(w.letters(deadLetterFile))

			w.publish(topic, payload)
			w.sentinel(quiet)

			after := h.Counters().Refused
			for _, code := range allCodes {
				if want := counts[code] + btou(code == tt.code); after[code] != want {
					t.Errorf("counter %s is %d, want %d", code, after[code], want)
				}
			}
			if got := h.store.calls.Load() - calls; got != 1 {
				t.Errorf("%d submissions, want the sentinel's alone", got)
			}
			if w.file("replay", "c1"+replaySuffix) != state || w.file("replay", "c2"+replaySuffix) != "" || w.file("replay", "c9"+replaySuffix) != "" {
				t.Error("the refusal changed the replay state")
			}
			lines := w.letters(deadLetterFile)
			if len(lines) != letters+1 {
				t.Fatalf("%d dead letters, want one", len(lines)-letters)
			}
			wantLetter(t, lines[letters], topic, payload, tt)
		})
	}
	wantNoPlaintext(t, w)
	h.stop()
	again := w.hub()
	w.sentinel(quiet)
	if n := again.Counters().Received; n != 1 {
		t.Errorf("%d messages came again with the sentinel: they were not acknowledged", n-1)
	}
}

func btou(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func wantLetter(t *testing.T, line, topic string, payload []byte, tt refusal) {
	t.Helper()
	var l deadLetter
	if err := json.Unmarshal([]byte(line), &l); err != nil {
		t.Fatalf("letter %s: %v", line, err)
	}
	if l.Topic != topic || !bytes.Equal(l.Payload, payload) || l.Code != tt.code || l.ReceivedAt.IsZero() {
		t.Errorf("letter %s with %d bytes on %s at %s, want %s with %d bytes on %s", l.Code, len(l.Payload), l.Topic, l.ReceivedAt, tt.code, len(payload), topic)
	}
	if l.Reason == "" || !strings.Contains(l.Reason, tt.reason) {
		t.Errorf("reason %q, want %q in it", l.Reason, tt.reason)
	}
}

// wantNoPlaintext looks through every file of the hub, as it is and with the
// payloads decoded.
func wantNoPlaintext(t *testing.T, w *town) {
	t.Helper()
	err := filepath.WalkDir(w.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(secretMeter)) {
			t.Errorf("%s names a meter", path)
		}
		for _, line := range bytes.Split(data, []byte("\n")) {
			var l deadLetter
			if json.Unmarshal(line, &l) == nil && bytes.Contains(l.Payload, []byte(secretMeter)) {
				t.Errorf("%s holds a plain payload: %s", path, l.Code)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What opened and can never be stored is kept for good and settled.
func TestRejected(t *testing.T) {
	for _, tt := range []struct {
		name string
		code seal.Code
		make func(*town) (s *sender, payload []byte)
	}{
		{"no batch", codeSchema, func(w *town) (*sender, []byte) {
			s := w.sender("c1")
			return s, s.seal([]byte("x"))
		}},
		{"batch of another", codeSchema, func(w *town) (*sender, []byte) {
			s := w.sender("c1")
			return s, s.seal(encodeBatch(t, "c2", testArea, 1, 1))
		}},
		{"store", codeStoreRejected, func(w *town) (*sender, []byte) {
			s := w.sender("c1")
			return s, s.batch(1, -1)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newTown(t)
			h := w.hub(func(h *hub) {
				h.store.answer = func(r []schemas.Reading) error {
					if r[0].Value.Mantissa < 0 {
						return errors.New("below zero")
					}
					return nil
				}
			})
			s, payload := tt.make(w)
			w.publish(readingsTopic("c1"), payload)
			wantReceipt(t, w, s, schemas.SeqRange{})
			lines := w.letters(rejectedFile)
			if len(lines) != 1 || len(w.letters(deadLetterFile)) != 0 || h.Counters().Refused[tt.code] != 1 {
				t.Fatalf("letters %v, refused %v", lines, h.Counters().Refused)
			}
			wantLetter(t, lines[0], readingsTopic("c1"), payload, refusal{code: tt.code})
			if h.Counters().Points != 0 || len(h.observer.stored) != 0 {
				t.Error("counted as stored")
			}

			// Full: what there is no room to keep stays with its collector. It is withheld
			// once, however often its letter is tried.
			h.rejected.max = 1
			if tt.name == "store" {
				syncDir := h.dead.syncDir
				h.dead.syncDir = func(string) error { h.dead.syncDir = syncDir; return errors.New("no") }
			}
			next := s.seal([]byte("y"))
			w.publish(readingsTopic("c1"), next)
			w.sentinel(w.sender("c3"))
			if got := w.letters(deadLetterFile); len(got) != 1 || !strings.Contains(got[0], "full") {
				t.Errorf("dead letters %v, want the one that found no room", got)
			}
			if n := counters.Count(h.metrics.withheld); n != 1 {
				t.Errorf("%d counted as withheld, want 1", n)
			}
			// Moved away, as its message says: there is room again.
			if err := os.Rename(h.rejected.path, h.rejected.path+".seen"); err != nil {
				t.Fatal(err)
			}
			w.publish(readingsTopic("c1"), next)
			wantReceipt(t, w, s, schemas.SeqRange{From: 1, To: 1})
			wantNoPlaintext(t, w)
		})
	}
}

// Who holds a key can make no more than so many files of blocked sessions; then one file
// blocks all of that collector, and nobody else.
func TestBlockedSessionsAreBounded(t *testing.T) {
	dir := t.TempDir()
	b, err := openBlockade(dir)
	if err != nil {
		t.Fatal(err)
	}
	key := func(id schemas.CollectorID, boot uint32) deliveryKey {
		return deliveryKey{source: readingsOf(id), context: seal.Context{Boot: boot}}
	}
	if err := b.add(key("c10", 7)); err != nil {
		t.Fatal(err)
	}
	for n := range uint32(maxBlocked + 10) {
		if _, ok := b.find(key("c1", n)); ok != (n > maxBlocked) {
			t.Fatalf("session %d is blocked: %v", n, ok)
		}
		if err := b.add(key("c1", n)); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(filepath.Join(dir, "blocked"))
	if err != nil || len(files) != 1+maxBlocked+1 {
		t.Errorf("%d files, %v; want %d", len(files), err, 1+maxBlocked+1)
	}
	if b, err = openBlockade(dir); err != nil {
		t.Fatal(err)
	}
	path, ok := b.find(key("c1", 1000))
	if !ok {
		t.Error("after a restart a new session of the key is taken")
	}
	if _, ok := b.find(deliveryKey{source: source{"c1", schemas.Cards}}); !ok {
		t.Error("another stream of the key is taken")
	}
	if path, ok := b.find(key("c10", 3)); ok {
		t.Errorf("%s blocks another collector", path)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if path, ok := b.find(key("c1", 1000)); ok {
		t.Errorf("%s is removed and blocks", path)
	}
	if _, ok := b.find(key("c1", 3)); !ok {
		t.Error("a blocked session is taken, whose file is there")
	}
	for _, f := range files { // all are looked into: one more is one more
		if err := os.Remove(filepath.Join(dir, "blocked", f.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if err := b.add(key("c1", 2000)); err != nil {
		t.Fatal(err)
	}
	if path, ok := b.find(key("c1", 2001)); ok {
		t.Errorf("one session is blocked, of 66 whose files were removed, and %s blocks all", path)
	}
}

// A machine that is resumed from an old snapshot seals other content under numbers whose
// tags are forgotten: what it says is stored before its receipt, as is a true copy.
func TestResumedFromAnOldSnapshot(t *testing.T) {
	w := newTown(t)
	h := w.hub()
	one := w.sender("c1")
	resumed := w.sender("c1", inContext(one.Context()))
	first := one.batch(1, 1)
	numbers := 0
	told := func(envelopes ...[]byte) (last int64) {
		t.Helper()
		for _, e := range envelopes {
			w.publish(readingsTopic("c1"), e)
		}
		for range envelopes {
			last = receive(t, "observer", h.observer.stored)[0].Value.Mantissa
		}
		for want := numbers + len(envelopes); numbers < want; {
			for _, span := range receive(t, "receipt", w.receipts).Stored {
				numbers += int(span.To-span.From) + 1
			}
		}
		return last
	}
	told(first)
	var more [][]byte
	for range seal.MaxTags {
		more = append(more, one.batch(1, 2))
	}
	told(more...)
	if got := told(resumed.batch(1, 77)); got != 77 {
		t.Errorf("stored %d of the resumed machine, want 77", got)
	}
	if got := told(first); got != 1 {
		t.Errorf("stored %d of a true copy, want 1", got)
	}
	c := h.Counters()
	if numbers != seal.MaxTags+3 || c.Points != seal.MaxTags+1 || c.Duplicates != 2 || len(c.Refused) != 0 {
		t.Errorf("%d numbers in receipts, counters %+v", numbers, c)
	}
	w.publish(readingsTopic("c1"), resumed.batch(1, 78)) // number 1, whose tag is known
	w.sentinel(w.sender("c3"))
	if r := h.Counters().Refused; r[codeNonceReuse] != 1 {
		t.Errorf("refused %v, want one nonce_reuse", r)
	}
}

// One number with two contents blocks the rest of its session, also after a
// restart, until the operator removes the file.
func TestNonceReuseBlocksTheSession(t *testing.T) {
	w := newTown(t)
	h := w.hub()
	one := w.sender("c1")
	twin := w.sender("c1", inContext(one.Context()))
	w.publish(readingsTopic("c1"), one.batch(1, 1))
	wantReceipt(t, w, one, schemas.SeqRange{})
	w.publish(readingsTopic("c1"), twin.batch(1, 2))
	w.publish(readingsTopic("c1"), one.batch(1, 3))
	quiet := w.sender("c3")
	w.sentinel(quiet)
	if r := h.Counters().Refused; r[codeNonceReuse] != 1 || r[codeSessionBlocked] != 1 {
		t.Errorf("refused %v, want one nonce_reuse and one session_blocked", r)
	}
	other := w.sender("c1", bootNumber(2))
	w.publish(readingsTopic("c1"), other.batch(1, 4))
	wantReceipt(t, w, other, schemas.SeqRange{})

	h.stop()
	h = w.hub()
	blocked := one.batch(1, 5)
	w.publish(readingsTopic("c1"), blocked)
	w.sentinel(quiet)
	if r := h.Counters().Refused; r[codeSessionBlocked] != 1 {
		t.Errorf("after a restart refused %v, want one session_blocked", r)
	}
	files, err := filepath.Glob(filepath.Join(w.dir, "blocked", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("blocked: %v, %v", files, err)
	}
	if text, err := os.ReadFile(files[0]); err != nil || !strings.Contains(string(text), "remove this file") {
		t.Errorf("the file says %q, %v", text, err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	w.publish(readingsTopic("c1"), blocked)
	wantReceipt(t, w, one, schemas.SeqRange{From: 2, To: 2})
}

// A renewed key ends the old one at once, also in a session that is open, and
// receipts are sealed with the new one.
func TestRenewedKey(t *testing.T) {
	w := newTown(t)
	h := w.hub()
	old := w.sender("c1")
	w.publish(readingsTopic("c1"), old.batch(1, 1))
	wantReceipt(t, w, old, schemas.SeqRange{})
	w.renewed.Store(true)
	w.publish(readingsTopic("c1"), old.batch(1, 2))
	fresh := w.sender("c1", generation(enrolledGeneration+1), bootNumber(2))
	w.publish(readingsTopic("c1"), fresh.batch(1, 3))
	wantReceipt(t, w, fresh, schemas.SeqRange{})
	if r := h.Counters().Refused; r[seal.GenerationRetired] != 1 || h.store.calls.Load() != 2 {
		t.Errorf("refused %v, %d submissions; want one generation_retired and 2", r, h.store.calls.Load())
	}
}

// The trackers do not know what is on its way to the store; the hub must.
func TestConflictsWithPending(t *testing.T) {
	w := newTown(t)
	h := w.hub(func(h *hub) { h.store.hold.Store(true) })
	one := w.sender("c1")
	w.publish(readingsTopic("c1"), one.batch(1, 1))
	first := receive(t, "submission", h.store.held)
	w.publish(readingsTopic("c1"), w.sender("c1").batch(1, 2)) // same boot, other session
	w.publish(readingsTopic("c1"), w.sender("c1", inContext(one.Context())).batch(1, 3))
	w.publish(readingsTopic("c3"), w.sender("c3").batch(1, 4))
	receive(t, "submission of the sentinel", h.store.held).done(nil)
	receive(t, "receipt of the sentinel", w.receipts)
	if r := h.Counters().Refused; r[codeBootConflict] != 1 || r[codeNonceReuse] != 1 {
		t.Errorf("refused %v, want one boot_conflict and one nonce_reuse", r)
	}
	first.done(nil)
	wantReceipt(t, w, one, schemas.SeqRange{})
	if n := h.store.calls.Load(); n != 2 {
		t.Errorf("%d submissions, want 2", n)
	}
}
