package collector

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/internal/counters"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

func only(seq uint32) schemas.SeqRange { return schemas.SeqRange{From: seq, To: seq} }

func records(c *Collector) int { return c.spool.Stats().Records }

// checkNext expects the given readings' envelopes at the hub, in order.
func (w *town) checkNext(t *testing.T, envelopes []string) {
	t.Helper()
	for i, want := range envelopes {
		if got := w.hub.next(schemas.Readings); got != want {
			t.Fatalf("message %d of %d is another envelope", i, len(envelopes))
		}
	}
}

// otherKey is the key of another collector of the same city.
func (w *town) otherKey(t *testing.T, id schemas.CollectorID) testKeys {
	t.Helper()
	bundle, err := seal.Issue(w.master, testArea, id, 0, zeros{})
	if err != nil {
		t.Fatal(err)
	}
	return testKeys{w.master, bundle}
}

// zeros is a source of randomness that has none, for a password that is not used.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Only a receipt that the hub has sealed for this collector frees anything.
func TestOnlyTrueReceiptsFree(t *testing.T) {
	w := newTown(t)
	c := mustOpen(t, w.options())
	session, envelopes := put(t, c, 6)
	start(t, c)
	w.checkNext(t, envelopes)

	all := schemas.SeqRange{From: 0, To: 5}
	mine := receiptFor(testID, session, all)
	stranger, second := newKeys(t), w.otherKey(t, "c2")
	downCommand := w.sealer(t, seal.Down, seal.Command, 7)
	plain, err := schemas.EncodeReceipt(nil, mine)
	if err != nil {
		t.Fatal(err)
	}
	command, _, err := downCommand.Seal(nil, plain)
	if err != nil {
		t.Fatal(err)
	}
	broken := sealReceipt(t, w.hub.down, mine)
	broken[len(broken)-1] ^= 1
	upward, _, err := w.sealer(t, seal.Up, seal.Readings, 8).Seal(nil, plain)
	if err != nil {
		t.Fatal(err)
	}
	noReceipt, _, err := w.sealer(t, seal.Down, seal.Receipt, 9).Seal(nil, []byte{0xa0})
	if err != nil {
		t.Fatal(err)
	}
	refused := map[string][]byte{
		"garbage":                                []byte("stored"),
		"empty":                                  {},
		"sealed by another city":                 sealReceipt(t, stranger.sealer(t, seal.Down, seal.Receipt, 1), mine),
		"sealed for another collector":           sealReceipt(t, second.sealer(t, seal.Down, seal.Receipt, 1), receiptFor("c2", session, all)),
		"of another collector under this key":    sealReceipt(t, w.sealer(t, seal.Down, seal.Receipt, 6), receiptFor("c2", session, all)),
		"a tag with one bit turned":              broken,
		"a command":                              command,
		"sealed as the collector does (role up)": upward,
		"an envelope of its own turned round":    []byte(envelopes[0]),
		"sealed well, but no receipt":            noReceipt,
	}
	for _, payload := range refused {
		w.hub.send(payload)
	}
	stray := []*schemas.Receipt{
		receiptFor(testID, seal.Context{Boot: session.Boot, Random: [8]byte{1}}, all), // 6 numbers
		receiptFor(testID, seal.Context{Boot: session.Boot + 1, Random: session.Random}, all),
		receiptFor(testID, session, schemas.SeqRange{From: 6, To: 7}), // 2
	}
	for _, r := range stray {
		w.hub.send(sealReceipt(t, w.hub.down, r))
	}
	// The receipts of one sender keep their order, so this one ends the waiting.
	true2 := sealReceipt(t, w.hub.down, receiptFor(testID, session, only(2)))
	w.hub.send(true2)
	eventually(t, "the true receipt frees its record", func() bool { return records(c) < 6 })
	if n := records(c); n != 5 {
		t.Errorf("%d records are left, want 5", n)
	}
	if n := counters.Count(c.metrics.refusedReceipts); n != uint64(len(refused)) {
		t.Errorf("%d receipts are refused, want %d", n, len(refused))
	}
	if n := counters.Count(c.metrics.strayReceipts); n != 14 {
		t.Errorf("%d numbers are stray, want 14", n)
	}

	w.hub.send(true2) // replayed
	w.hub.send(sealReceipt(t, w.hub.down, receiptFor(testID, session, only(0), schemas.SeqRange{From: 3, To: 4})))
	eventually(t, "a receipt of several ranges frees them", func() bool { return records(c) < 5 })
	if n := records(c); n != 2 || counters.Count(c.metrics.strayReceipts) != 15 || counters.Count(c.metrics.receipts) != 4 {
		t.Errorf("%d records left, %d stray, %d freed; want 2, 15, 4", n, counters.Count(c.metrics.strayReceipts), counters.Count(c.metrics.receipts))
	}
	// A receipt may name more than was ever sent, and is obeyed at once.
	w.hub.send(sealReceipt(t, w.hub.down, receiptFor(testID, session, schemas.SeqRange{From: 0, To: math.MaxUint32})))
	eventually(t, "a receipt of everything frees everything", func() bool { return records(c) == 0 })
	if n, _ := c.pub.readings.outstanding(); n != 0 {
		t.Errorf("%d envelopes are still waited for", n)
	}
}

func TestResendAfterSilence(t *testing.T) {
	w := newTown(t)
	c := mustOpen(t, w.options())
	c.pub.readings.resendAfter = 20 * time.Millisecond
	session, envelopes := put(t, c, 20)
	start(t, c)
	for range 3 {
		w.checkNext(t, envelopes)
	}
	if n := counters.Count(c.metrics.resent); n < 40 {
		t.Errorf("%d resent envelopes are counted, want at least 40", n)
	}
	if n := counters.Count(c.metrics.sessions); n != 1 {
		t.Errorf("%d connections: silence of the hub is no reason for another", n)
	}
	// What has its receipt is not sent again; what was sent before may still
	// come, up to an envelope that is newer than the receipt.
	w.hub.send(sealReceipt(t, w.hub.down, receiptFor(testID, session, schemas.SeqRange{From: 0, To: 18})))
	eventually(t, "the receipt frees", func() bool { return records(c) == 1 })
	_, newer := put(t, c, 1)
	for w.hub.next(schemas.Readings) != newer[0] {
	}
	for range 4 {
		if got := w.hub.next(schemas.Readings); got != envelopes[19] && got != newer[0] {
			t.Error("an envelope that has its receipt is sent again")
		}
	}
}

func TestSilenceIsMeasuredFromTheLastReceipt(t *testing.T) {
	p := &outbox{sent: make(map[envelopeKey]*unconfirmed)}
	t0 := at("2026-01-01T00:00:00Z")
	if d := p.silentFor(t0.Add(time.Hour), t0); d != 0 {
		t.Errorf("nothing is outstanding and the hub is silent for %s", d)
	}
	p.sent[envelopeKey{}] = &unconfirmed{}
	if d := p.silentFor(t0.Add(time.Hour), t0); d != time.Hour {
		t.Errorf("silent for %s since the round began", d)
	}
	p.progress = t0.Add(50 * time.Minute)
	if d := p.silentFor(t0.Add(time.Hour), t0); d != 10*time.Minute {
		t.Errorf("silent for %s since the last receipt", d)
	}
}

func TestReconnectSendsEverythingAgainInOrder(t *testing.T) {
	w := newTown(t)
	c := mustOpen(t, w.options())
	session, envelopes := put(t, c, 30)
	start(t, c)
	w.checkNext(t, envelopes)
	w.hub.send(sealReceipt(t, w.hub.down, receiptFor(testID, session, schemas.SeqRange{From: 5, To: 9}, only(29))))
	eventually(t, "the receipt frees six", func() bool { return records(c) == 24 })

	w.wire.cut(false)
	left := slices.Concat(envelopes[:5], envelopes[10:29])
	w.checkNext(t, left)
	session2, more := put(t, c, 2)
	w.checkNext(t, more)
	w.hub.send(sealReceipt(t, w.hub.down, receiptFor(testID, session, schemas.SeqRange{From: 0, To: 29})))
	w.hub.send(sealReceipt(t, w.hub.down, receiptFor(testID, session2, only(1), schemas.SeqRange{From: 3, To: 9})))
	eventually(t, "all but one is freed", func() bool { return records(c) == 1 })
	w.hub.send(sealReceipt(t, w.hub.down, receiptFor(testID, session2, schemas.SeqRange{From: 0, To: 1})))
	eventually(t, "all is freed", func() bool { return records(c) == 0 })
	if n := counters.Count(c.metrics.receipts); n != 32 {
		t.Errorf("%d envelopes freed, want 32", n)
	}
}

// A commit that failed half way can leave two copies of one envelope; one
// receipt frees both.
func TestCopiesAreFreedTogether(t *testing.T) {
	w := newTown(t)
	c := mustOpen(t, w.options())
	session, envelopes := put(t, c, 1)
	for range 2 {
		if _, err := c.spool.Append(t.Context(), []byte(envelopes[0])); err != nil {
			t.Fatal(err)
		}
	}
	start(t, c)
	w.checkNext(t, []string{envelopes[0], envelopes[0], envelopes[0]})
	w.hub.send(sealReceipt(t, w.hub.down, receiptFor(testID, session, only(0))))
	eventually(t, "one receipt frees the copies", func() bool { return records(c) == 0 })
}

// What is no envelope stays as evidence and holds up nothing.
func TestForeignRecordIsLeftWhereItIs(t *testing.T) {
	w := newTown(t)
	c := mustOpen(t, w.options())
	if _, err := c.spool.Append(t.Context(), []byte("no envelope")); err != nil {
		t.Fatal(err)
	}
	session, envelopes := put(t, c, 1)
	stop := start(t, c)
	w.checkNext(t, envelopes)
	w.hub.send(sealReceipt(t, w.hub.down, receiptFor(testID, session, only(0))))
	eventually(t, "the envelope is freed", func() bool { return records(c) == 1 })
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// Of a backlog no more than backlogFloor envelopes are without a receipt; one
// receipt lets the next ones go.
func TestOutstandingEnvelopesAreBounded(t *testing.T) {
	w := newTown(t)
	c := mustOpen(t, w.options())
	s := w.sealer(t, seal.Up, seal.Readings, 1)
	plain, err := schemas.EncodeBatch(nil, &schemas.Batch{
		Collector: testID, Area: testArea, SealedAt: at("2026-01-01T00:00:00Z"),
		Readings: []schemas.Reading{energy("m", 1, at("2026-01-01T00:00:00Z"))},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range maxOutstanding + 50 {
		envelope, _, err := s.Seal(nil, plain)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.spool.AppendAsync(t.Context(), envelope); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all waits on the disk before the link comes up", func() bool { return c.spool.Stats().Committed == maxOutstanding+50 })
	start(t, c)
	for range backlogFloor {
		w.hub.next(schemas.Readings)
	}
	if n, _ := c.pub.readings.outstanding(); n != backlogFloor {
		t.Errorf("%d envelopes are outstanding, want %d", n, backlogFloor)
	}
	select {
	case <-w.hub.seen[schemas.Readings]:
		t.Error("one more than may be outstanding is sent")
	default:
	}
	w.hub.answer(true)
	w.hub.send(sealReceipt(t, w.hub.down, receiptFor(testID, s.Context(), schemas.SeqRange{From: 0, To: maxOutstanding - 1})))
	eventually(t, "all is freed", func() bool { return records(c) == 0 && c.spool.Stats().Committed == maxOutstanding+50 })
}

// The retained flag says "1" while the link stands, and "0" after a break, by
// the will, as after an orderly stop.
func TestOnlineFlag(t *testing.T) {
	w := newTown(t)
	c := mustOpen(t, w.options())
	stop := start(t, c)
	expect := func(want, when string) {
		t.Helper()
		eventually(t, when+": a hub that comes late is told "+want, func() bool { return w.retained(schemas.Online) == want })
	}
	expect("1", "connected")
	w.wire.cut(true)
	expect("0", "the link is broken")
	eventually(t, "Problems names the broker", func() bool { return len(c.Problems()) == 1 })
	w.wire.mend()
	expect("1", "connected again")
	if err := stop(); err != nil {
		t.Error(err)
	}
	expect("0", "stopped in order")
}

func TestStatusOpensAtTheHub(t *testing.T) {
	w := newTown(t)
	c := mustOpen(t, w.options())
	c.pub.statusEvery = 5 * time.Millisecond
	put(t, c, 3)
	c.board.set("m7", at("2026-01-01T00:00:00Z"), errors.New("no answer"))
	c.metrics.done.Add(4)
	c.metrics.skipped.Add(2)
	start(t, c)
	contexts := make(map[seal.Context]bool)
	for seq := range uint32(3) {
		header, plain, err := w.hub.opener.Open(nil, []byte(w.hub.next(schemas.Statuses)))
		if err != nil {
			t.Fatal(err)
		}
		s, err := schemas.DecodeStatus(plain)
		if err != nil {
			t.Fatal(err)
		}
		contexts[header.Context] = true
		if header.ContentType != seal.Status || header.Seq != seq || len(contexts) != 1 {
			t.Errorf("header %+v", header)
		}
		if s.Collector != testID || s.Area != testArea || s.Version != "test" || s.SpoolRecords != 3 ||
			s.ReadsPlanned != 6 || s.ReadsDone != 4 || s.ReadsMissed != 2 ||
			s.FailingTotal != 1 || s.Failing[0].Error != "no answer" || s.SpoolFull || s.SpoolQuota == 0 {
			t.Errorf("status %+v", s)
		}
		if age := time.Since(s.At); age < 0 || age > patience || s.StartedAt.After(s.At) {
			t.Errorf("status of %s, started %s", s.At, s.StartedAt)
		}
	}
}

// A status that cannot be made, say for want of a boot number on a full disk,
// must not keep the readings from leaving that disk.
func TestReadingsGoOutWithoutAStatus(t *testing.T) {
	w := newTown(t)
	c := mustOpen(t, w.options())
	c.pub.status = func() ([]byte, error) { return nil, errBootUnwritten }
	_, envelopes := put(t, c, 3)
	w.hub.answer(true)
	start(t, c)
	w.checkNext(t, envelopes)
	eventually(t, "all is freed", func() bool { return records(c) == 0 })
	if n := counters.Count(c.metrics.sessions); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// TestRefusedEnvelopesDoNotBlockNewerOnes: the hub takes nothing of the first
// session, and the window is full of it. Newer envelopes go out all the same,
// and what is freed is what the receipts name.
func TestRefusedEnvelopesDoNotBlockNewerOnes(t *testing.T) {
	w := newTown(t)
	c := mustOpen(t, w.options())
	c.pub.readings.resendAfter, c.pub.readings.window = 20*time.Millisecond, 5
	put(t, c, 5) // refused for ever
	session, wanted := put(t, c, 7)
	start(t, c)
	for seen := make(map[string]bool); len(seen) < len(wanted); {
		if got := w.hub.next(schemas.Readings); slices.Contains(wanted, got) {
			seen[got] = true
		}
	}
	eventually(t, "the collector says that envelopes are stuck", func() bool {
		return slices.ContainsFunc(c.Problems(), func(p string) bool { return strings.Contains(p, "envelopes went out 4 times") })
	})
	w.hub.send(sealReceipt(t, w.hub.down, receiptFor(testID, session, schemas.SeqRange{From: 0, To: 6})))
	eventually(t, "the receipts free the newer ones", func() bool { return records(c) == 5 })
}

// TestRefusedBacklogDoesNotBlockBehindLiveReadings: the head of the backlog is refused
// for ever, as what lies in the spool under a destroyed key is, while the hub confirms
// what is sealed now. What waits behind the refused goes out all the same, and those
// that are given up do not come again and again while the hub answers.
func TestRefusedBacklogDoesNotBlockBehindLiveReadings(t *testing.T) {
	w := newTown(t)
	c := mustOpen(t, w.options())
	o := c.pub.readings
	o.resendAfter, o.window = 400*time.Millisecond, 6
	bad, refused := put(t, c, 10)
	_, wanted := put(t, c, 5)
	start(t, c)
	w.checkNext(t, refused[:6])
	came := make(map[string]int)
	behind := func() (n int) {
		for _, e := range wanted {
			n += min(came[e], 1)
		}
		return n
	}
	deadline := time.Now().Add(15 * time.Second)
	for behind() < len(wanted) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d envelopes behind %d refused ones went out while %d others did", behind(), len(wanted), len(refused), len(came))
		}
		_, now := put(t, c, 1)
		for came[now[0]] == 0 { // live readings flow all the time
			e := w.hub.next(schemas.Readings)
			came[e]++
			if h, err := seal.ParseHeader([]byte(e)); err == nil && h.Context != bad {
				w.hub.send(sealReceipt(t, w.hub.down, receiptFor(testID, h.Context, only(h.Seq))))
			}
		}
	}
	for n, e := range refused {
		if came[e] > 2*stuckAfter {
			t.Errorf("refused envelope %d came %d times while the hub answered", n, came[e])
		}
	}
	w.hub.answer(true)
	eventually(t, "the receipts free all others", func() bool { return records(c) == len(refused) })
}
