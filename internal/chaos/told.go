package chaos

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	collectorconfig "citygrid/collector/config"
	"citygrid/hub/completeness"
	"citygrid/internal/city"
	"citygrid/schemas"
)

// read is one read of a meter: what the hub's ledger of completeness accounts for.
type read struct {
	meter schemas.MeterID
	at    int64 // milliseconds since the epoch
}

func readOf(r schemas.Reading) read { return read{r.Meter, r.TakenAt.UnixMilli()} }

// mustTell reports whether the hub must know of what is missing for a reason.
func mustTell(reason string) bool {
	return slices.Contains([]Kind{BitFlip, Truncate, RestoredOld}, Kind(reason))
}

// judgeTold asks the hub's ledger of completeness for every read whose readings a fault
// destroyed on the collector's disk: it must lie in a slot of which the hub says that it
// has no reading, or the loss is a silent one. The ledger knows slots, not readings: a
// slot of which the hub has another read, or a part of this one, has been read.
func (j *judgement) judgeTold(ctx context.Context) error {
	if len(j.destroyed) == 0 {
		return nil
	}
	schedules, err := j.schedules()
	if err != nil {
		return err
	}
	path := filepath.Join(j.t.disks[city.Hub].path("data"), "completeness.db")
	ledger, err := completeness.Open(ctx, "sqlite:"+path, completeness.Options{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer ledger.Close()
	read := j.slotsRead(schedules)
	gaps := &gapBook{ledger: ledger, seconds: make(map[int64]map[slot]bool)}
	r := j.t.result
	for at, n := range j.destroyed {
		s := slotOf(schedules, at)
		told, err := gaps.tell(ctx, s)
		switch {
		case err != nil:
			return fmt.Errorf("ask the hub's ledger for gaps: %w", err)
		case told:
			r.Told += n
		case read[s]:
			r.ReadAgain += n
		default:
			r.Untold += n
			r.example("%d readings of %s taken at %s were destroyed, and the hub knows of no gap there", n, at.meter, time.UnixMilli(at.at).UTC().Format(time.RFC3339Nano))
		}
	}
	return nil
}

// slot is one of a meter's schedule, by the millisecond in which it begins.
type slot struct {
	meter schemas.MeterID
	begin int64
}

func slotOf(schedules map[schemas.MeterID]schemas.Schedule, r read) slot {
	s := schedules[r.meter]
	hour, n := s.Slot(time.UnixMilli(r.at))
	return slot{r.meter, s.Begin(hour, n).UnixMilli()}
}

// schedules returns when the collector was to read each meter.
func (j *judgement) schedules() (map[schemas.MeterID]schemas.Schedule, error) {
	cfg, err := collectorconfig.Load(filepath.Join(j.t.dir, "collector.yaml"))
	if err != nil {
		return nil, err
	}
	lines, err := cfg.BuildLines()
	if err != nil {
		return nil, err
	}
	schedules := make(map[schemas.MeterID]schemas.Schedule)
	for _, l := range lines {
		for _, m := range l.Meters {
			schedules[m.ID] = schemas.Schedule{Interval: m.Interval, Offset: m.Offset}
		}
	}
	return schedules, nil
}

// slotsRead returns the slots of which the hub has a live reading.
func (j *judgement) slotsRead(schedules map[schemas.MeterID]schemas.Schedule) map[slot]bool {
	read := make(map[slot]bool)
	for _, o := range j.readings {
		if o.found && o.live.meter != "" {
			read[slotOf(schedules, o.live)] = true
		}
	}
	return read
}

// gapBook is what the hub says of slots without a reading, by the second in which they
// begin.
type gapBook struct {
	ledger  *completeness.Ledger
	seconds map[int64]map[slot]bool
}

// tell reports whether a slot is one without a reading. A meter has at most one slot that
// begins in a second, so each gap of a second is a single slot.
func (g *gapBook) tell(ctx context.Context, s slot) (bool, error) {
	from := time.UnixMilli(s.begin).UTC().Truncate(time.Second)
	known, ok := g.seconds[from.Unix()]
	if !ok {
		page, err := g.ledger.Gaps(ctx, completeness.Query{Since: from, Until: from.Add(time.Second), Limit: completeness.MaxLimit})
		if err != nil {
			return false, err
		}
		known = make(map[slot]bool)
		for i := range page.Gaps {
			known[slot{page.Gaps[i].Meter, page.Gaps[i].From.UnixMilli()}] = true
		}
		g.seconds[from.Unix()] = known
	}
	return known[s], nil
}
