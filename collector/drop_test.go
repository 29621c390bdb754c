package collector

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"citygrid/collector/spool"
	"citygrid/internal/counters"
	"citygrid/schemas"
	"citygrid/schemas/seal"

	"github.com/prometheus/client_golang/prometheus"
)

// fakeNotes is an account of what was dropped; saved is what a crash leaves of it.
type fakeNotes struct {
	mu             sync.Mutex
	pending, saved map[string]string // "meter@moment" -> reason
	fail           error
}

func newFakeNotes() *fakeNotes {
	return &fakeNotes{pending: map[string]string{}, saved: map[string]string{}}
}

func slotName(meter schemas.MeterID, at time.Time) string {
	return fmt.Sprintf("%s@%d", meter, at.UnixMilli())
}

func (n *fakeNotes) Again([]schemas.SlotAccount) {}

func (n *fakeNotes) Dropped(meter schemas.MeterID, at time.Time, reason string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pending[slotName(meter, at)] = reason
}

func (n *fakeNotes) Save() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fail != nil {
		return n.fail
	}
	maps.Copy(n.saved, n.pending)
	return nil
}

// alone are the options of a collector that has no broker.
func alone(t *testing.T, keys testKeys) Options {
	return Options{
		Bundle: &keys.bundle, Provider: seal.DefaultProvider(), DataDir: t.TempDir(),
		Batch:    BatchLimits{MaxReadings: 10, MaxAge: 5 * time.Millisecond},
		Spool:    spool.Options{CommitEvery: time.Millisecond, SegmentBytes: 4 << 10, Quota: 16 << 10},
		Registry: prometheus.NewRegistry(), Log: silent, Version: "test", Random: rand.Reader,
	}
}

// dropping opens a collector that has no broker, drops what its spool has no room for, and
// notes it in n; what its spool takes is sealed by the second.
func dropping(t *testing.T, n *fakeNotes) (*Collector, sealer) {
	t.Helper()
	o := alone(t, newKeys(t))
	o.Spool.DropWhenFull = true
	c := mustOpen(t, o)
	t.Cleanup(func() { _ = c.Close() })
	c.drops.notes = n
	s, err := c.newSealer(seal.Readings)
	if err != nil {
		t.Fatal(err)
	}
	return c, s
}

// dropBase is when the first reading of these tests is taken.
func dropBase() time.Time { return time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC) }

// spoolOne seals readings of two meters, taken at that moment, into c's spool.
func spoolOne(t *testing.T, c *Collector, s sealer, at time.Time) error {
	t.Helper()
	at = at.UTC().Truncate(time.Millisecond)
	second := energy("m2", 2, at)
	second.Quantity = "power.energy.export"
	plain, err := schemas.EncodeBatch(nil, &schemas.Batch{
		Collector: c.id, Area: c.area, SealedAt: at,
		Readings: []schemas.Reading{energy("m1", 1, at), energy("m2", 2, at), second},
	})
	if err != nil {
		t.Fatal(err)
	}
	envelope, _, err := s.Seal(nil, plain)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.spool.Append(t.Context(), envelope)
	return err
}

// slotsIn opens what is in c's spool and names the slots.
func slotsIn(t *testing.T, c *Collector) map[string]bool {
	t.Helper()
	slots := map[string]bool{}
	err := c.spool.Scan(t.Context(), func(r spool.Record) error {
		batch, err := c.drops.open(r.Data)
		if err != nil {
			return err
		}
		for _, r := range batch.Readings {
			slots[slotName(r.Meter, r.TakenAt)] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return slots
}

// What a full spool drops is noted, meter by meter and moment by moment, and only
// that.
func TestDroppedReadingsAreNoted(t *testing.T) {
	n := newFakeNotes()
	c, s := dropping(t, n)
	base := dropBase()
	all := map[string]bool{}
	for i := range 150 {
		at := base.Add(time.Duration(i) * time.Minute)
		if err := spoolOne(t, c, s, at); err != nil {
			t.Fatal(err)
		}
		all[slotName("m1", at)], all[slotName("m2", at)] = true, true
	}
	kept := slotsIn(t, c)
	if len(n.saved) == 0 || len(kept) == 0 || len(n.saved)+len(kept) != len(all) {
		t.Errorf("%d slots noted and %d kept; want %d together", len(n.saved), len(kept), len(all))
	}
	for slot, reason := range n.saved {
		if reason != "spool_full" || kept[slot] || !all[slot] {
			t.Errorf("%s is noted for %q, kept %v", slot, reason, kept[slot])
		}
	}
	sum := c.Summary()
	if sum.SpoolDropped != uint64(len(n.saved)/2) || sum.SpoolDroppedValues != 3*sum.SpoolDropped {
		t.Errorf("summary tells of %d envelopes with %d values; want %d", sum.SpoolDropped, sum.SpoolDroppedValues, len(n.saved)/2)
	}
	if counters.Count(c.metrics.dropped.WithLabelValues("age")) != 0 {
		t.Error("something was dropped for its age")
	}
	if !slices.ContainsFunc(c.Problems(), func(p string) bool { return strings.Contains(p, "dropped") }) {
		t.Errorf("problems %q", c.Problems())
	}
}

// While nobody can take note nothing is dropped.
func TestNothingIsDroppedUnnoted(t *testing.T) {
	n := newFakeNotes()
	n.fail = errors.New("the account cannot be written")
	c, s := dropping(t, n)
	base := dropBase()
	var err error
	taken := 0
	for ; err == nil && taken < 500; taken++ {
		err = spoolOne(t, c, s, base.Add(time.Duration(taken)*time.Minute))
	}
	if !errors.Is(err, spool.ErrFull) || !errors.Is(err, n.fail) {
		t.Errorf("append: %v", err)
	}
	if kept := slotsIn(t, c); len(kept) != 2*(taken-1) || c.Summary().SpoolDropped != 0 {
		t.Errorf("%d slots kept of %d; %d dropped", len(kept), 2*(taken-1), c.Summary().SpoolDropped)
	}
}

// An envelope of a key that the box had before is opened, one of a key that it has
// no more is counted.
func TestDroppedUnderOtherKeys(t *testing.T) {
	keys, n := newKeys(t), newFakeNotes()
	o := alone(t, keys)
	older, err := seal.Issue(keys.master, testArea, testID, 1, zeros{})
	if err != nil {
		t.Fatal(err)
	}
	lost, err := seal.Issue(keys.master, testArea, testID, 2, zeros{})
	if err != nil {
		t.Fatal(err)
	}
	own := keys.bundle
	own.Previous = []seal.PreviousKey{{Generation: older.Generation, Key: older.Key}}
	o.Bundle, o.Spool.DropWhenFull = &own, true
	c := mustOpen(t, o)
	defer c.Close()
	c.drops.notes = n
	base := dropBase()
	for i := 0; c.Summary().SpoolDropped < 12; i++ {
		by := []seal.Bundle{older, lost, own}[i%3]
		s := testKeys{keys.master, by}.sealer(t, seal.Up, seal.Readings, uint32(i+1))
		if err := spoolOne(t, c, s, base.Add(time.Duration(i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	dropped, unopened := c.Summary().SpoolDropped, counters.Count(c.metrics.droppedUnopened)
	if unopened == 0 || unopened > dropped/2 || len(n.saved) != 2*int(dropped-unopened) {
		t.Errorf("%d dropped, %d unopened, %d slots noted", dropped, unopened, len(n.saved))
	}
	if n.saved[slotName("m1", base)] == "" || n.saved[slotName("m1", base.Add(time.Minute))] != "" {
		t.Error("the envelope under the previous key is not noted, or that under a lost one is")
	}
}

// What was published and then dropped takes no place among the envelopes that are
// waited for.
func TestOutboxForgetsWhatWasDropped(t *testing.T) {
	c, s := dropping(t, newFakeNotes())
	out, base := c.pub.readings, dropBase()
	noted := map[uint64]bool{}
	for i := range 150 {
		if err := spoolOne(t, c, s, base.Add(time.Duration(i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
		err := c.spool.Scan(t.Context(), func(r spool.Record) error {
			if h, err := seal.ParseHeader(r.Data); err == nil && !noted[r.Seq] {
				noted[r.Seq] = out.note(envelopeKey{h.Context, h.Seq}, r.Seq)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if all, stuck := out.outstanding(); all != records(c) || stuck != 0 || len(noted) != 150 {
		t.Errorf("%d outstanding, %d stuck of %d; want the %d that are in the spool", all, stuck, len(noted), records(c))
	}
}

func TestCardsAndEventsNeverDrop(t *testing.T) {
	keys := newKeys(t)
	for name, edit := range map[string]func(*Options){
		"cards":  func(o *Options) { o.CardSpool.DropWhenFull = true },
		"events": func(o *Options) { o.EventSpool.Drop = func(spool.Drop) error { return nil } },
	} {
		o := alone(t, keys)
		edit(&o)
		if c, err := Open(o); !errors.Is(err, errNeverDropped) {
			t.Errorf("%s: %v", name, err)
			if err == nil {
				_ = c.Close()
			}
		}
	}
}

// Old readings go after the configured time, once the clock is trusted.
func TestDropOld(t *testing.T) {
	keys, n := newKeys(t), newFakeNotes()
	synctest.Test(t, func(t *testing.T) {
		o := alone(t, keys)
		o.DropAfter = 32 * time.Hour
		c := mustOpen(t, o)
		defer c.Close()
		c.drops.notes = n
		s, err := c.newSealer(seal.Readings)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var work sync.WaitGroup
		work.Go(func() { c.dropOld(ctx) })
		var taken []time.Time
		for range 60 {
			taken = append(taken, time.Now())
			if err := spoolOne(t, c, s, time.Now()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, at := range taken {
			age := time.Since(at)
			switch reason := n.saved[slotName("m1", at)]; {
			case age > 36*time.Hour && reason != "spool_age":
				t.Errorf("a reading %s old is kept (noted %q)", age, reason)
			case age <= 32*time.Hour && reason != "":
				t.Errorf("a reading %s old is dropped for %q", age, reason)
			}
		}
		cancel()
		work.Wait()
	})
}

func TestEvenClock(t *testing.T) {
	base := dropBase()
	type look struct {
		wall    time.Duration // beyond base
		counted time.Duration
		want    time.Duration
	}
	day := 24 * time.Hour
	tests := map[string][]look{
		"even":               {{0, 0, 0}, {time.Hour, time.Hour, time.Hour}, {3 * day, 3 * day, 3 * day}},
		"slewed by NTP":      {{0, 0, 0}, {time.Hour + 2*time.Second, time.Hour, time.Hour}},
		"set forward":        {{0, 0, 0}, {1000 * day, time.Hour, 0}, {1000*day + time.Hour, 2 * time.Hour, time.Hour}},
		"set back":           {{0, 0, 0}, {-day, time.Hour, 0}, {-day + time.Minute, time.Hour + time.Minute, time.Minute}},
		"forward and back":   {{0, 0, 0}, {99 * day, time.Minute, 0}, {2 * time.Minute, 2 * time.Minute, 0}},
		"begins late":        {{0, 7 * day, 0}, {time.Hour, 7*day + time.Hour, time.Hour}},
		"two minutes, fully": {{0, 0, 0}, {2*time.Minute + time.Second, time.Second, 0}},
	}
	for name, looks := range tests {
		var c evenClock
		for i, l := range looks {
			if got := c.even(base.Add(l.wall), l.counted); got != l.want {
				t.Errorf("%s, look %d: %s, want %s", name, i, got, l.want)
			}
		}
	}
}
