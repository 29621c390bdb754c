package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"citygrid/collector/spool"
	"citygrid/schemas"
	"citygrid/schemas/seal"
)

// dropNotes is the account, durable and sent to the hub, of readings that were
// taken and then dropped from the spool by the operator's choice. It is called while
// the seal stage waits for room, so it must not wait for that stage: it writes down,
// and what it has to tell the hub goes into a later batch. One drop at a time calls it.
type dropNotes interface {
	// Dropped notes that what the meter gave at takenAt is lost to the spool, for
	// the reason spool_full or spool_age. It may be told of one twice.
	Dropped(meter schemas.MeterID, takenAt time.Time, reason string)
	// Again takes accounts back that are in what is dropped: the drop must not take
	// away what was said of other slots.
	Again(accounts []schemas.SlotAccount)
	// Save makes durable what was noted. After an error the readings stay in the
	// spool and are told again.
	Save() error
}

// dropReasons are the reasons that dropNotes is given.
var dropReasons = map[spool.Reason]string{spool.DropFull: "spool_full", spool.DropAge: "spool_age"}

// dropper is the collector's part in the dropping of readings: it opens what is
// about to go with the collector's own key and has it noted. Nothing is freed
// before that is durable. Of what was published and has no receipt the hub may have
// some: the note says that this collector cannot send it again, and what the hub
// has stored counts as stored.
type dropper struct {
	opener  *seal.Opener
	notes   dropNotes // nil: the log and the counters tell of it alone
	metrics *metrics
	log     *slog.Logger
	// freed is called when records have left the spool.
	freed func()
	// told is what take handed to notes last; used by one drop at a time.
	told dropped

	mu   sync.Mutex
	last time.Time // when something was dropped
}

// dropped sums up what one segment held.
type dropped struct {
	envelopes, unopened, values int
	meters                      map[schemas.MeterID]struct{}
	first, last                 time.Time // taken_at
	problem                     error     // why the first envelope of unopened did not open
}

// newDropper makes the dropper of a bundle's collector.
func newDropper(b *seal.Bundle, p seal.Provider, m *metrics, log *slog.Logger) (*dropper, error) {
	opener, err := OwnOpener(b, p)
	if err != nil {
		return nil, fmt.Errorf("open what the spool drops: %w", err)
	}
	return &dropper{opener: opener, metrics: m, log: log, freed: func() {}}, nil
}

// OwnOpener opens what the collector of b has sealed, under its key of today or an
// earlier one of the bundle. It serves those who look into a spool.
func OwnOpener(b *seal.Bundle, p seal.Provider) (*seal.Opener, error) {
	return seal.NewOpener(seal.OpenerConfig{
		Provider: p, Tenant: b.Tenant, Role: seal.Up,
		Keys: func(generation uint16, collector string) (seal.CollectorKey, error) {
			return sealedUnder(b, generation, collector)
		},
	})
}

// sealedUnder finds the key under which a collector sealed, now or earlier.
func sealedUnder(b *seal.Bundle, generation uint16, collector string) (seal.CollectorKey, error) {
	if collector != string(b.Collector) {
		return seal.CollectorKey{}, &seal.Error{Code: seal.DeviceUnknown, Problem: fmt.Sprintf("sealed by collector %s, this is %s", collector, b.Collector)}
	}
	key, ok := b.KeyOf(generation)
	if !ok {
		return seal.CollectorKey{}, &seal.Error{Code: seal.GenerationUnknown, Problem: fmt.Sprintf("key generation %#04x is not in this bundle", generation)}
	}
	return key, nil
}

// open returns the readings of an envelope.
func (d *dropper) open(envelope []byte) (*schemas.Batch, error) {
	header, plain, err := d.opener.Open(nil, envelope)
	if err != nil {
		return nil, err
	}
	if header.ContentType != seal.Readings {
		return nil, fmt.Errorf("%s, not readings", header.ContentType)
	}
	return schemas.DecodeBatch(plain)
}

// take is the spool's Options.Drop.
func (d *dropper) take(s spool.Drop) error {
	d.told = dropped{meters: make(map[schemas.MeterID]struct{})}
	for r := range s.Records {
		d.told.envelopes++
		batch, err := d.open(r.Data)
		if err != nil {
			// Sealed under a key that is gone. The hub knows by the number that
			// an envelope never came, and not of which meters.
			d.told.unopened++
			d.told.problem = errors.Join(d.told.problem, firstOnly(d.told.unopened, err))
			continue
		}
		d.note(batch.Readings, dropReasons[s.Reason])
		if d.notes != nil && len(batch.Accounts) > 0 {
			d.notes.Again(batch.Accounts)
		}
	}
	if d.notes == nil {
		return nil
	}
	if err := d.notes.Save(); err != nil {
		return fmt.Errorf("take note of what is to be dropped: %w", err)
	}
	return nil
}

func firstOnly(n int, err error) error {
	if n == 1 {
		return err
	}
	return nil
}

// note tells the account of the readings of one envelope, once a meter and moment.
func (d *dropper) note(readings []schemas.Reading, reason string) {
	type slot struct {
		meter schemas.MeterID
		at    time.Time
	}
	seen := make(map[slot]struct{}, len(readings))
	for _, r := range readings {
		d.told.values++
		d.told.meters[r.Meter] = struct{}{}
		if d.told.first.IsZero() || r.TakenAt.Before(d.told.first) {
			d.told.first = r.TakenAt
		}
		if r.TakenAt.After(d.told.last) {
			d.told.last = r.TakenAt
		}
		s := slot{r.Meter, r.TakenAt}
		if _, again := seen[s]; again || d.notes == nil {
			continue
		}
		seen[s] = struct{}{}
		d.notes.Dropped(r.Meter, r.TakenAt, reason)
	}
}

// done counts and logs a drop that has come to pass.
func (d *dropper) done(e spool.Event) {
	t, reason := d.told, string(e.Reason)
	d.metrics.dropped.WithLabelValues(reason).Add(float64(e.Lost))
	d.metrics.droppedValues.WithLabelValues(reason).Add(float64(t.values))
	d.metrics.droppedUnopened.Add(float64(t.unopened))
	d.mu.Lock()
	d.last = time.Now()
	d.mu.Unlock()
	args := []any{"reason", reason, "envelopes", e.Lost, "values", t.values, "meters", len(t.meters),
		"from", t.first, "to", t.last, "segment", e.File}
	if t.unopened > 0 {
		args = append(args, "unopened", t.unopened, "error", t.problem)
	}
	d.log.Error("the spool has dropped its oldest readings, as spool.when_full and spool.drop_after say; they are noted as lost. Mend the way to the hub", args...)
	d.freed()
}

// lately reports whether something was dropped in the hour before now.
func (d *dropper) lately(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.last.IsZero() && now.Sub(d.last) < time.Hour
}

// readingsSpool are the options of the spool of the readings, the one that may drop.
func (c *Collector) readingsSpool() spool.Options {
	o := c.o.Spool
	if o.DropWhenFull || c.o.DropAfter > 0 {
		o.Drop = c.drops.take
	}
	if c.o.DropAfter > 0 {
		o.SegmentAge = max(c.o.DropAfter/dropSteps, time.Minute)
	}
	return o
}

// errNeverDropped keeps a mistake in a program from costing money.
var errNeverDropped = errors.New("card entries and component events are never dropped")

// mayNotDrop refuses options of a spool that must keep everything.
func mayNotDrop(o spool.Options) error {
	if o.DropWhenFull || o.Drop != nil {
		return errNeverDropped
	}
	return nil
}

const (
	// dropSteps is into how many segments the age of the oldest readings is
	// divided, and how often in that time it is looked at.
	dropSteps = 16
	// trustClockAfter is how long the clock must have run evenly before an age is
	// believed: a clock that is set to another year must not empty the spool.
	trustClockAfter = time.Hour
	// clockStep is the least jump of the clock that counts as one.
	clockStep = time.Minute
)

// dropOld drops, now and then until ctx is done, what is older than the operator
// wants to keep. It returns at once when everything is kept.
func (c *Collector) dropOld(ctx context.Context) {
	if c.o.DropAfter <= 0 {
		return
	}
	tick := time.NewTicker(min(max(c.o.DropAfter/dropSteps, time.Second), 10*time.Minute))
	defer tick.Stop()
	began := time.Now()
	var clock evenClock
	for {
		now := time.Now()
		if clock.even(now.Round(0), now.Sub(began)) >= trustClockAfter {
			err := c.spool.DropBefore(ctx, now.Add(-c.o.DropAfter))
			if err != nil && ctx.Err() == nil {
				c.o.Log.Error("readings older than spool.drop_after cannot be dropped; it is tried again", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// evenClock watches a wall clock beside one that only counts.
type evenClock struct {
	wall  time.Time
	since time.Duration
	known bool
}

// even returns for how long the wall clock has not been set. It is to be called
// often: two jumps in between that undo each other are not seen.
func (c *evenClock) even(wall time.Time, counted time.Duration) time.Duration {
	gone := counted - c.since
	if step := wall.Sub(c.wall) - gone; !c.known || step.Abs() > clockStep {
		*c = evenClock{wall: wall, since: counted, known: true}
		return 0
	}
	return gone
}
