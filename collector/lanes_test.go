package collector

import (
	"slices"
	"testing"
	"time"

	"citygrid/internal/counters"
	"citygrid/schemas"
)

// TestTheNewestPassTheBacklog: what is sealed while a backlog waits for receipts
// goes out at once, and in the end the hub has had everything.
func TestTheNewestPassTheBacklog(t *testing.T) {
	w := newTown(t)
	c := mustOpen(t, w.options())
	then := time.Now()
	c.pub.readings.lanes.now = func() time.Time { return then } // all within the second of the pace
	session, old := put(t, c, 3*backlogFloor)
	start(t, c)
	w.checkNext(t, old[:backlogFloor])
	newSession, fresh := put(t, c, 20)
	w.checkNext(t, fresh)
	select {
	case <-w.hub.seen[schemas.Readings]:
		t.Error("more of the backlog goes out although nothing is confirmed")
	default:
	}
	last := uint32(len(old) - 1)
	w.hub.send(sealReceipt(t, w.hub.down, receiptFor(testID, newSession, schemas.SeqRange{From: 0, To: 19})))
	w.hub.send(sealReceipt(t, w.hub.down, receiptFor(testID, session, schemas.SeqRange{From: 0, To: backlogFloor - 1})))
	w.checkNext(t, old[backlogFloor:2*backlogFloor])
	eventually(t, "more is on its way than at first, because the hub confirms", func() bool {
		n, _ := c.pub.readings.outstanding()
		return n > backlogFloor
	})
	w.hub.answer(true)
	w.hub.send(sealReceipt(t, w.hub.down, receiptFor(testID, session, schemas.SeqRange{From: backlogFloor, To: last})))
	eventually(t, "everything is freed", func() bool { return records(c) == 0 })
	if n := counters.Count(c.metrics.resent); n != 0 {
		t.Errorf("%d envelopes went out twice", n)
	}
	if n := counters.Count(c.metrics.receipts); n != uint64(len(old)+len(fresh)) {
		t.Errorf("%d envelopes freed, want %d", n, len(old)+len(fresh))
	}
}

// TestWhatIsLiveMovesOn: while the hub is silent the live lane fills. What waits
// behind it is backlog when the hub is back, and what is sealed then is live.
func TestWhatIsLiveMovesOn(t *testing.T) {
	w := newTown(t)
	c := mustOpen(t, w.options())
	o := c.pub.readings
	o.window, o.lanes.lag = 8, 10*time.Millisecond
	start(t, c)
	eventually(t, "the link is up", c.pub.connected.Load)
	eventually(t, "the lanes are open", func() bool { o.mu.Lock(); defer o.mu.Unlock(); return o.lanes.round == 1 })
	session, envelopes := put(t, c, 30)
	w.checkNext(t, envelopes[:4]) // the window of the live lane
	silence := time.Now()
	eventually(t, "the hub was silent for long", func() bool { return time.Since(silence) > 20*o.lanes.lag })
	w.hub.send(sealReceipt(t, w.hub.down, receiptFor(testID, session, schemas.SeqRange{From: 0, To: 3})))
	// The fifth is in the lane's hand; all others are backlog from then on, of
	// which a window of eight goes out. Two lanes keep no order between them.
	var got []string
	for range 9 {
		got = append(got, w.hub.next(schemas.Readings))
	}
	for i, e := range envelopes[4:13] {
		if !slices.Contains(got, e) {
			t.Errorf("envelope %d did not go out", 4+i)
		}
	}
	_, fresh := put(t, c, 2)
	w.checkNext(t, fresh)
	w.hub.answer(true)
	w.hub.send(sealReceipt(t, w.hub.down, receiptFor(testID, session, schemas.SeqRange{From: 4, To: 29})))
	eventually(t, "everything of the silence is freed", func() bool { return records(c) <= 2 })
}

// TestPaceFollowsTheHub: what may be on its way is what the hub confirms in a
// second and a half, within the bounds.
func TestPaceFollowsTheHub(t *testing.T) {
	var p pace
	t0 := at("2026-01-01T00:00:00Z")
	for _, step := range []struct {
		after     time.Duration
		confirmed int
		want      int
	}{
		{0, 0, 64},                        // nothing yet
		{0, 40, 64},                       // less than the floor
		{500 * time.Millisecond, 60, 150}, // 100 in this second
		{1200 * time.Millisecond, 10, 150},
		{2300 * time.Millisecond, 0, 64},      // 10 in the last
		{2400 * time.Millisecond, 5000, 1000}, // the most
		{9 * time.Second, 0, 64},              // silence
	} {
		now := t0.Add(step.after)
		p.confirmed(now, step.confirmed)
		if got := p.allows(now, 64, 1000); got != step.want {
			t.Errorf("after %s: %d, want %d", step.after, got, step.want)
		}
	}
}

// TestSilenceWidensTheBacklog: envelopes that the hub refuses for ever must not
// keep the rest waiting in groups of a few.
func TestSilenceWidensTheBacklog(t *testing.T) {
	o := newOutbox("t", nil, nil, nil)
	for _, want := range []int{64, 128, 256, 512, 1000, 1000} {
		if got := o.limit(backlog); got != want {
			t.Errorf("limit of the backlog %d, want %d", got, want)
		}
		o.noteSilence(true, time.Second)
	}
	o.noteSilence(false, 0)
	if got := o.limit(backlog); got != backlogFloor {
		t.Errorf("limit after a receipt %d, want %d", got, backlogFloor)
	}
}

// TestOneLeftEnvelopeComesAgain: the hub had no room for one envelope, and confirms all
// others without a pause. The one goes out again. (Where the machine stands still for
// longer than resendAfter it does so because of that.)
func TestOneLeftEnvelopeComesAgain(t *testing.T) {
	w := newTown(t)
	c := mustOpen(t, w.options())
	o := c.pub.readings
	o.resendAfter = 300 * time.Millisecond
	start(t, c)
	eventually(t, "the link is up", c.pub.connected.Load)
	eventually(t, "the lanes are open", func() bool { o.mu.Lock(); defer o.mu.Unlock(); return o.lanes.round == 1 })
	session, left := put(t, c, 1)
	w.checkNext(t, left)
	others := 0
	for deadline := time.Now().Add(patience); ; others++ {
		if time.Now().After(deadline) {
			t.Fatalf("%d others went out and had their receipts, and the one that was left did not come again", others)
		}
		other, e := put(t, c, 1)
		got := w.hub.next(schemas.Readings)
		for got != e[0] && got != left[0] { // a machine that stood still: it goes out again before its receipt
			got = w.hub.next(schemas.Readings)
		}
		if got == left[0] {
			break
		}
		w.hub.send(sealReceipt(t, w.hub.down, receiptFor(testID, other, only(0))))
		eventually(t, "its receipt frees it", func() bool { return records(c) == 1 })
	}
	w.hub.answer(true)
	w.hub.send(sealReceipt(t, w.hub.down, receiptFor(testID, session, only(0))))
	eventually(t, "all are freed", func() bool { return records(c) == 0 })
}

// TestStuckComesAgainInAnHour: what the hub refuses while it confirms others goes out once
// an hour: an operator may have made room for it, or have put its key in force again.
func TestStuckComesAgainInAnHour(t *testing.T) {
	o := mustOpen(t, newTown(t).options()).pub.readings
	o.resendAfter = defaultResendAfter
	key, began := envelopeKey{seq: 7}, time.Now()
	for range stuckAfter {
		o.lanes.round++
		if got := o.admit(backlog, key, 1); got != goes {
			t.Fatalf("admitted with %d", got)
		}
	}
	o.lanes.round++
	o.lanes.refusing = true
	if got := o.admit(backlog, key, 1); got != went {
		t.Errorf("admitted with %d at once, want %d", got, went)
	}
	if soon := began.Add(50 * time.Minute); o.anyOverdue(soon, began) {
		t.Error("overdue after 50 minutes")
	}
	if later := began.Add(61 * time.Minute); !o.anyOverdue(later, later.Add(-time.Minute)) {
		t.Error("not overdue after an hour")
	}
	if later := began.Add(61 * time.Minute); o.anyOverdue(later, later.Add(-time.Second)) {
		t.Error("a round ends within a minute")
	}
	o.sent[key].at = began.Add(-61 * time.Minute)
	if got := o.admit(backlog, key, 1); got != goes {
		t.Errorf("admitted with %d after an hour, want %d", got, goes)
	}
	if o.overdue(o.sent[key], time.Now()) {
		t.Error("overdue as soon as it went out again")
	}
}
