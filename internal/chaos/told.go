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
	"citygrid/schemas/seal"
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
	shut, err := j.shut()
	if err != nil {
		return err
	}
	gaps := &gapBook{ledger: ledger, seconds: make(map[int64]map[slot]bool), read: j.slotsRead(schedules)}
	r := j.t.result
	for at, n := range j.destroyed {
		told, again, err := gaps.ask(ctx, schedules, j.t.moments(at))
		switch {
		case err != nil:
			return fmt.Errorf("ask the hub's ledger for gaps: %w", err)
		case told:
			r.Told += n
		case again:
			r.ReadAgain += n
		case shut || j.isPutAside(schedules, j.t.moments(at)):
			r.Shut += n
		default:
			r.Untold += n
			r.example("%d readings of %s taken at %s were destroyed, and the hub knows of no gap there", n, at.meter, time.UnixMilli(at.at).UTC().Format(time.RFC3339Nano))
		}
	}
	return nil
}

// moments returns when a meter was really asked for what was destroyed: at the moment that
// the reading has, or, where that lies ahead of every clock but the one that was set off,
// by any of the steps forward. The slot that such a reading names is still to come and is
// read in its turn; the slot in which the meter was asked is the one that has no reading.
func (t *trial) moments(at read) []read {
	if !time.UnixMilli(at.at).After(t.ended) {
		return []read{at}
	}
	var list []read
	for _, off := range t.clock {
		if off > 0 {
			list = append(list, read{at.meter, at.at - off.Milliseconds()})
		}
	}
	return list
}

// shut reports whether the hub refuses what the collector wrote last, as that of a copy of
// the box: docs/operations.md has its key renewed then, and until that is done the
// collector cannot tell anything.
func (j *judgement) shut() (bool, error) {
	last, err := j.t.own.last()
	return j.refused[last].Code == seal.BootConflict.String(), err
}

// notePutAside notes the slots that accounts tell as lost.
func (j *judgement) notePutAside(accounts []schemas.SlotAccount) {
	for i := range accounts {
		a := &accounts[i]
		for _, span := range a.Missing {
			for n := span.From; n < span.From+span.Slots; n++ {
				j.putAside[slot{a.Meter, a.Schedule().Begin(a.Hour, n).UnixMilli()}] = true
			}
		}
	}
}

func (j *judgement) isPutAside(schedules map[schemas.MeterID]schemas.Schedule, moments []read) bool {
	return slices.ContainsFunc(moments, func(at read) bool { return j.putAside[slotOf(schedules, at)] })
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
// begin, and of which slots it has one.
type gapBook struct {
	ledger  *completeness.Ledger
	seconds map[int64]map[slot]bool
	read    map[slot]bool
}

// ask reports whether one of the slots in which a meter may have been asked is told as one
// without a reading, or has one.
func (g *gapBook) ask(ctx context.Context, schedules map[schemas.MeterID]schemas.Schedule, moments []read) (told, again bool, err error) {
	for _, at := range moments {
		s := slotOf(schedules, at)
		if told, err = g.tell(ctx, s); told || err != nil {
			return told, false, err
		}
		again = again || g.read[s]
	}
	return false, again, nil
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
