package schemas

import (
	"fmt"
	"slices"
	"time"
)

// Loss says why a slot of a meter's schedule has no reading.
type Loss string

// The losses of a collector. They are a closed list: a decoder refuses any other. Their
// order is their rank: where two accounts name different losses for one slot, the later
// of this list holds, whichever came first.
const (
	// LossOff: the collector was not running, as its state on disk shows, or was
	// killed before it could say more.
	LossOff Loss = "collector_off"
	// LossClock: the clock was set forward over the slot.
	LossClock Loss = "clock_set"
	// LossBusy: the line was busy with other meters.
	LossBusy Loss = "line_busy"
	// LossLine: the gateway took no connection, or the port did not open.
	LossLine Loss = "line_down"
	// LossSilent: the meter did not answer, or was left alone because it did not
	// answer before.
	LossSilent Loss = "meter_silent"
	// LossRefused: the meter, or its driver, gave an error in place of readings.
	LossRefused Loss = "meter_refused"
	// LossDisk: reading had stopped because the disk took no more.
	LossDisk Loss = "disk_full"
	// LossAge: it was read, and the spool dropped it for its age, as spool.drop_after
	// says.
	LossAge Loss = "spool_age"
	// LossFull: it was read, and the full spool dropped it, as spool.when_full says.
	LossFull Loss = "spool_full"
)

var lossTable = []Loss{LossOff, LossClock, LossBusy, LossLine, LossSilent, LossRefused, LossDisk, LossAge, LossFull}

// Losses returns every loss, in the order of its rank.
func Losses() []Loss { return slices.Clone(lossTable) }

// SlotSpan is a run of slots of one hour that have no reading for the same reason.
type SlotSpan struct {
	// From is the number of its first slot in the hour, from 0, and Slots how many
	// there are.
	From, Slots uint32
	Loss        Loss
}

// SlotAccount is what a collector says of one meter and one hour of its schedule: which
// slots there were, and why some have no reading. Slots that no span names were read;
// their readings travel by themselves.
//
// Several accounts of one meter and hour add up: planned is what any of them plans, and a
// slot has the loss of the highest rank that any of them gives. So an account may come
// twice, late, or in parts.
type SlotAccount struct {
	Meter MeterID
	// Hour is the beginning of a whole hour, UTC. A slot belongs to the hour in which it
	// begins.
	Hour time.Time
	// Interval and Offset are the meter's schedule: slots begin at whole multiples of
	// Interval since the Unix epoch, plus Offset, which is shorter. Whole milliseconds.
	Interval, Offset time.Duration
	// First is the number of the first planned slot of the hour, from 0, and Planned how
	// many there are from it on, at least one.
	First, Planned uint32
	// Missing are runs of planned slots that have no reading, ascending and apart.
	Missing []SlotSpan
	// Since is the moment from which on the collector keeps account of the meter under this
	// schedule, whole milliseconds: of every slot since then it has told or will tell, so
	// one of which the hub hears nothing was lost on the way. Not after the first planned
	// slot; zero: not said.
	Since time.Time
}

// The bounds of accounts.
const (
	// MaxAccounts bounds the accounts of one Batch.
	MaxAccounts = 32
	// MaxSpans bounds the runs of one account; what has more is told in several.
	MaxSpans = 64
	// MinInterval and MaxInterval bound a schedule.
	MinInterval, MaxInterval = 100 * time.Millisecond, 31 * 24 * time.Hour
	// MaxSlots is how many slots an hour has at most.
	MaxSlots = uint32(time.Hour / MinInterval)
)

// Schedule is when a meter is read.
type Schedule struct{ Interval, Offset time.Duration }

// Slot returns the hour and the number in it of the slot that t lies in: the last that
// does not begin after t.
func (s Schedule) Slot(t time.Time) (hour time.Time, number uint32) {
	begin := s.floor(t.UnixNano())
	hour = time.Unix(0, begin).UTC().Truncate(time.Hour)
	return hour, uint32((begin - s.first(hour)) / int64(s.Interval))
}

// floor is the beginning of the slot of a moment, in nanoseconds since the epoch.
func (s Schedule) floor(ns int64) int64 {
	since := ns - int64(s.Offset)
	n := since / int64(s.Interval)
	if since%int64(s.Interval) < 0 {
		n--
	}
	return n*int64(s.Interval) + int64(s.Offset)
}

// first is the beginning of the first slot of an hour, which may lie beyond it.
func (s Schedule) first(hour time.Time) int64 {
	return s.floor(hour.UnixNano()-1) + int64(s.Interval)
}

// Slots returns how many slots begin in the hour.
func (s Schedule) Slots(hour time.Time) uint32 {
	left := hour.Add(time.Hour).UnixNano() - s.first(hour)
	if left <= 0 {
		return 0
	}
	return uint32((left + int64(s.Interval) - 1) / int64(s.Interval))
}

// Begin returns when a slot of the hour begins.
func (s Schedule) Begin(hour time.Time, number uint32) time.Time {
	return time.Unix(0, s.first(hour)+int64(number)*int64(s.Interval)).UTC()
}

// Validate reports a schedule outside the bounds, or not of whole milliseconds.
func (s Schedule) Validate() error {
	switch {
	case s.Interval < MinInterval || s.Interval > MaxInterval || s.Interval%time.Millisecond != 0:
		return &FieldError{Field: "interval_ms", Problem: fmt.Sprintf("%s, want whole milliseconds from %s to %s", s.Interval, MinInterval, MaxInterval)}
	case s.Offset < 0 || s.Offset >= s.Interval || s.Offset%time.Millisecond != 0:
		return &FieldError{Field: "offset_ms", Problem: fmt.Sprintf("%s, want whole milliseconds below the interval of %s", s.Offset, s.Interval)}
	}
	return nil
}

// Schedule returns the schedule of the account.
func (a *SlotAccount) Schedule() Schedule { return Schedule{a.Interval, a.Offset} }

// Validate reports what a decoder would refuse, naming the field.
func (a *SlotAccount) Validate() error {
	if err := a.Meter.Validate(); err != nil {
		return err
	}
	if err := validTime("hour", a.Hour); err != nil {
		return err
	}
	if !a.Hour.Equal(a.Hour.Truncate(time.Hour)) {
		return &FieldError{Field: "hour", Problem: "not the beginning of an hour in UTC"}
	}
	if err := a.Schedule().Validate(); err != nil {
		return err
	}
	slots := a.Schedule().Slots(a.Hour)
	if a.First >= slots {
		return &FieldError{Field: "first", Problem: fmt.Sprintf("slot %d of an hour of %d", a.First, slots)}
	}
	if a.Planned == 0 || a.Planned > slots-a.First {
		return &FieldError{Field: "planned", Problem: fmt.Sprintf("%d slots from number %d on of an hour of %d", a.Planned, a.First, slots)}
	}
	if err := a.validSince(); err != nil {
		return err
	}
	return a.validMissing()
}

func (a *SlotAccount) validSince() error {
	if a.Since.IsZero() {
		return nil
	}
	if begin := a.Schedule().Begin(a.Hour, a.First); a.Since.After(begin) {
		return &FieldError{Field: "since", Problem: "after the first planned slot, which begins at " + begin.Format(time.RFC3339Nano)}
	}
	return validTime("since", a.Since)
}

func (a *SlotAccount) validMissing() error {
	if len(a.Missing) > MaxSpans {
		return &FieldError{Field: "missing", Problem: fmt.Sprintf("%d runs, want at most %d", len(a.Missing), MaxSpans)}
	}
	next, end := uint64(a.First), uint64(a.First)+uint64(a.Planned)
	for i, s := range a.Missing {
		field := fmt.Sprintf("missing[%d]", i)
		switch {
		case !slices.Contains(lossTable, s.Loss):
			return &FieldError{Field: field + ".loss", Problem: fmt.Sprintf("unknown loss %q", s.Loss)}
		case s.Slots == 0 || uint64(s.From) < next || uint64(s.From)+uint64(s.Slots) > end:
			return &FieldError{Field: field, Problem: "runs must hold slots, ascend, not overlap, and lie among the planned slots"}
		case i > 0 && uint64(s.From) == next && s.Loss == a.Missing[i-1].Loss:
			return &FieldError{Field: field, Problem: "goes on with the loss of the run before it; they must be one run"}
		}
		next = uint64(s.From) + uint64(s.Slots)
	}
	return nil
}
