package collector

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"citygrid/collector/spool"
	"citygrid/internal/counters"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// sale is a sound entry with its number.
func sale(n int) schemas.CardEntry {
	return schemas.CardEntry{
		Event: schemas.CardSale, Source: schemas.FromReader, Utility: schemas.Power, MeterNumber: "112233445566", Card: "00112233AABBCCDD",
		Purchase: schemas.PurchaseRef{Scheme: schemas.BySequence, Number: uint32(n)}, Amount: schemas.Credit{Value: 5000, Unit: schemas.CreditFen},
		TakenAt: at("2026-01-01T00:00:00Z"),
	}
}

func sales(from, n int) (entries []schemas.CardEntry) {
	for i := range n {
		entries = append(entries, sale(from+i))
	}
	return entries
}

func mustTake(t *testing.T, c *Collector, entries ...schemas.CardEntry) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.TakeCards(ctx, entries); err != nil {
		t.Fatal(err)
	}
}

// onDisk returns the purchase numbers in a copy of the cards' spool, as the
// next process would find it after a kill -9 of this one.
func onDisk(t *testing.T, keys testKeys, dir string) (numbers []int, sessions map[seal.Context]bool) {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "cards")
	if err := os.CopyFS(copied, os.DirFS(filepath.Join(dir, "cards"))); err != nil {
		t.Fatal(err)
	}
	s := mustSpool(t, copied, spool.Options{})
	defer s.Close()
	sessions = make(map[seal.Context]bool)
	opener := keys.opener(t)
	err := s.Scan(t.Context(), func(r spool.Record) error {
		header, plain, err := opener.Open(nil, r.Data)
		if err != nil {
			return err
		}
		batch, err := schemas.DecodeCardBatch(plain)
		if err != nil {
			return err
		}
		if batch.Collector != testID || batch.Area != testArea || header.ContentType != seal.Cards {
			t.Errorf("a batch of %s in %s, sealed as %s", batch.Collector, batch.Area, header.ContentType)
		}
		sessions[header.Context] = true
		for _, e := range batch.Entries {
			numbers = append(numbers, int(e.Purchase.Number))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return numbers, sessions
}

func numbersTo(n int) (all []int) {
	for i := range n {
		all = append(all, i+1)
	}
	return all
}

// What TakeCards has answered for is found by the next process, whatever
// happens to this one.
func TestTakenCardsOutliveAKill(t *testing.T) {
	keys, dir := newKeys(t), t.TempDir()
	o := testOptions(t, keys, dir)
	c := mustOpen(t, o)
	start(t, c)
	taken := 0
	for _, n := range []int{1, 3, schemas.MaxCardEntries + 5, 1} {
		mustTake(t, c, sales(taken+1, n)...)
		taken += n
		numbers, sessions := onDisk(t, keys, dir)
		if !slices.Equal(numbers, numbersTo(taken)) || len(sessions) != 1 {
			t.Fatalf("after %d entries the disk has %v in %d sessions", taken, numbers, len(sessions))
		}
	}
	if s := c.Summary(); s.CardEntries != uint64(taken) || s.CardSpoolRecords != s.CardBatches || s.ValuesRead != 0 {
		t.Errorf("summary %+v", s)
	}
}

func TestTakeCardsByManyAtOnce(t *testing.T) {
	w := newTown(t)
	w.hub.answer(true)
	c := mustOpen(t, w.options())
	stop := start(t, c)
	var tills sync.WaitGroup
	for till := range 8 {
		tills.Go(func() {
			for i := range 25 {
				if err := c.TakeCards(t.Context(), sales(1+till*50+i*2, 2)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	tills.Wait()
	eventually(t, "all cards are freed", func() bool { return c.Summary().CardSpoolRecords == 0 })
	got := w.hub.cardNumbers()
	slices.Sort(got)
	if !slices.Equal(got, numbersTo(400)) {
		t.Errorf("the hub has %d entries, want 400, each once", len(got))
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := c.TakeCards(t.Context(), sales(1, 1)); !errors.Is(err, errStageEnded) {
		t.Errorf("after the stop: %v", err)
	}
}

// Both streams are freed by one stream of receipts, each by its own session's.
func TestReceiptsServeBothStreams(t *testing.T) {
	w := newTown(t)
	c := mustOpen(t, w.options())
	session, envelopes := put(t, c, 2)
	start(t, c)
	w.checkNext(t, envelopes)
	mustTake(t, c, sale(1))
	header, err := seal.ParseHeader([]byte(w.hub.next(schemas.Cards)))
	if err != nil {
		t.Fatal(err)
	}
	if header.Context == session || header.Context.Boot == session.Boot {
		t.Errorf("cards are sealed in session %s, readings in %s", header.Context, session)
	}
	w.hub.send(sealReceipt(t, w.hub.down, receiptFor(testID, session, schemas.SeqRange{From: 0, To: 1})))
	eventually(t, "the readings are freed", func() bool { return records(c) == 0 })
	if s := c.Summary(); s.CardSpoolRecords != 1 || s.CardReceipts != 0 || s.Receipts != 2 {
		t.Errorf("after the receipt of the readings: %+v", s)
	}
	w.hub.send(sealReceipt(t, w.hub.down, receiptFor(testID, header.Context, schemas.SeqRange{From: 0, To: 3})))
	eventually(t, "the card is freed", func() bool { return c.Summary().CardSpoolRecords == 0 })
	if n := counters.Count(c.metrics.strayReceipts); n != 3 {
		t.Errorf("%d numbers are stray, want 3", n)
	}
}

// Cards without a receipt come again after a break of the link, after a silence
// of the hub, and after a restart, while the readings have theirs.
func TestCardsAreSentAgain(t *testing.T) {
	w := newTown(t)
	w.hub.answer(true)
	w.hub.silence(schemas.Cards, true)
	o := w.options()
	c := mustOpen(t, o)
	c.pub.cards.resendAfter = 20 * time.Millisecond
	stop := start(t, c)
	mustTake(t, c, sale(1))
	first := w.hub.next(schemas.Cards)
	for range 2 {
		if again := w.hub.next(schemas.Cards); again != first {
			t.Fatal("another envelope")
		}
	}
	w.wire.cut(false)
	if again := w.hub.next(schemas.Cards); again != first {
		t.Fatal("another envelope after the break")
	}
	eventually(t, "the collector says that an envelope is stuck", func() bool {
		return slices.ContainsFunc(c.Problems(), func(p string) bool {
			return strings.HasPrefix(p, "hub: 1 envelopes of card entries") && strings.Contains(p, "ledger")
		})
	})
	if err := stop(); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	w.hub.silence(schemas.Cards, false)
	o.Registry = testOptions(t, w.testKeys, "").Registry
	c = mustOpen(t, o)
	start(t, c)
	eventually(t, "the card is freed after the restart", func() bool { return c.Summary().CardReceipts > 0 })
	if got := w.hub.cardNumbers(); !slices.Equal(got, []int{1}) {
		t.Errorf("the hub has %v", got)
	}
}

// A full spool of cards takes no more and says so; readings go on, and nothing
// that was answered for is lost.
func TestFullCardSpool(t *testing.T) {
	w := newTown(t)
	w.hub.answer(true)
	w.hub.silence(schemas.Cards, true)
	o := w.options()
	o.CardSpool = tightSpool
	line, reads := ticking("m")
	o.Lines = []Line{line}
	c := mustOpen(t, o)
	c.pub.cards.resendAfter = 50 * time.Millisecond
	start(t, c)
	taken, refused := 0, error(nil)
	for refused == nil && taken < 100 {
		if refused = c.TakeCards(t.Context(), sales(taken+1, 1)); refused == nil {
			taken++
		}
	}
	if !errors.Is(refused, spool.ErrFull) || taken < 5 {
		t.Fatalf("after %d entries: %v", taken, refused)
	}
	if err := c.TakeCards(t.Context(), sales(taken+1, 1)); !errors.Is(err, spool.ErrFull) {
		t.Errorf("while it is full: %v", err)
	}
	if !slices.ContainsFunc(c.Problems(), func(p string) bool { return strings.HasPrefix(p, "card spool: full") }) {
		t.Errorf("problems %q", c.Problems())
	}
	before := reads.Load()
	eventually(t, "readings go on", func() bool { return reads.Load() > before+20 && counters.Level(c.metrics.full) == 0 })

	w.hub.silence(schemas.Cards, false)
	eventually(t, "there is room again", func() bool { return counters.Level(c.metrics.cards.full) == 0 })
	mustTake(t, c, sale(taken+2))
	eventually(t, "all cards are freed", func() bool { return c.Summary().CardSpoolRecords == 0 })
	got := w.hub.cardNumbers()
	slices.Sort(got)
	if !slices.Equal(slices.Compact(got), numbersTo(taken+2)) { // the refused one was held, and not lost either
		t.Errorf("the hub has %v, want 1 to %d", got, taken+2)
	}
}

func TestTakeCardsRefuses(t *testing.T) {
	c := mustOpen(t, testOptions(t, newKeys(t), t.TempDir()))
	early, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := c.TakeCards(early, sales(1, 1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("before Run: %v", err)
	}
	if err := c.TakeCards(t.Context(), nil); err != nil {
		t.Errorf("nothing: %v", err)
	}
	start(t, c)
	bad := sales(1, 3)
	bad[1].Amount = schemas.Credit{}
	if err := c.TakeCards(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "card entry 2 of 3 is malformed: amount") {
		t.Errorf("error %v", err)
	}
	if n := c.Summary().CardEntries; n != 0 || counters.Count(c.metrics.cardsRefused) != 1 {
		t.Errorf("%d entries of a refused call are taken", n)
	}
}

// What is durable behind a hole does not count: whoever waits for what is lost
// must not be told that it is on disk.
func TestProgressStopsAtTheFirstLoss(t *testing.T) {
	store := mustSpool(t, filepath.Join(t.TempDir(), "spool"), spool.Options{CommitEvery: time.Millisecond})
	defer store.Close()
	s := &sealStage[schemas.CardEntry]{spool: store, metrics: &testMetrics().cards, log: silent}
	pending := func(items int) pendingEnvelope {
		p, err := store.AppendAsync(t.Context(), []byte("envelope"))
		if err != nil {
			t.Fatal(err)
		}
		return pendingEnvelope{envelope: []byte("envelope"), items: items, pending: p}
	}
	settling := make(chan pendingEnvelope, 3)
	lost := pendingEnvelope{items: 10, pending: failedCommit(t)} // and, being empty, never taken again
	settling <- pending(1)
	settling <- lost
	settling <- pending(100)
	close(settling)
	if err := s.settle(t.Context(), func(error) {}, settling); !errors.Is(err, spool.ErrSize) {
		t.Errorf("error %v", err)
	}
	if durable, _, _ := s.progress.look(); durable != 1 || s.kept != 101 {
		t.Errorf("%d of %d durable items count, want 1 of 101", durable, s.kept)
	}
}

// failedCommit is a record whose commit has failed.
func failedCommit(t *testing.T) spool.Pending {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "spool")
	s := mustSpool(t, dir, spool.Options{SegmentBytes: 4 << 10, CommitEvery: time.Millisecond})
	t.Cleanup(func() { _ = s.Close() })
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for range 100 { // the first may still go into the open segment
		p, err := s.AppendAsync(t.Context(), make([]byte, 1500))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Wait(t.Context()); err != nil {
			return p
		}
	}
	t.Fatal("no commit fails")
	panic("unreachable")
}

// An entry at no terminal is of this collector's; the caller's own is not
// touched.
func TestTakeCardsNamesTheTerminal(t *testing.T) {
	w := newTown(t)
	c := mustOpen(t, w.options())
	start(t, c)
	own := sales(1, 1)
	named := sale(2)
	named.Terminal = "counter 7"
	mustTake(t, c, append(own, named)...)
	w.hub.next(schemas.Cards)
	eventually(t, "the hub has both", func() bool { return len(w.hub.cardNumbers()) == 2 })
	for _, entries := range w.hub.cards {
		if entries[0].Terminal != string(testID) || entries[1].Terminal != "counter 7" || own[0].Terminal != "" {
			t.Errorf("terminals %q and %q", entries[0].Terminal, entries[1].Terminal)
		}
	}
}

// Entries that were read when the collector is told to stop are durable when
// Run returns.
func TestStopTakesTheLastCards(t *testing.T) {
	keys, dir := newKeys(t), t.TempDir()
	o := testOptions(t, keys, dir)
	reading := make(chan struct{})
	var told sync.Once
	m := slotFunc(func(ctx context.Context) ([]schemas.CardEntry, error) {
		told.Do(func() { close(reading) })
		<-ctx.Done()
		return sales(1, 1), fmt.Errorf("cut short: %w", io.ErrUnexpectedEOF)
	})
	o.Lines = []Line{{Name: "a", Meters: []Meter{{ID: "m", Source: m, Interval: 50 * time.Millisecond, CardsEvery: time.Hour}}}}
	c := mustOpen(t, o)
	stop := start(t, c)
	<-reading
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if numbers, _ := onDisk(t, keys, dir); !slices.Equal(numbers, []int{1}) {
		t.Errorf("the disk has %v", numbers)
	}
}

// slotFunc is a meter that answers at once, with a slot.
type slotFunc func(context.Context) ([]schemas.CardEntry, error)

func (slotFunc) Read(context.Context) ([]schemas.Reading, error) {
	return []schemas.Reading{energy("m", 1, time.Now())}, nil
}

func (f slotFunc) Entries(ctx context.Context) ([]schemas.CardEntry, error) { return f(ctx) }
