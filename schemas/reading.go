package schemas

import (
	"fmt"
	"slices"
	"time"
)

// MeterID names a meter as the utility's asset register does. It never follows
// from a bus address or an order on a line. It is a string: identification
// codes of 17 digits do not fit the integers of JavaScript.
// The alphabet is [0-9A-Za-z_-], 1 to 32 bytes.
type MeterID string

// CollectorID names a field collector. It is the MQTT client id, the level of
// a topic and the key id of an envelope at once, so its alphabet is the one
// that every broker accepts: [0-9A-Za-z_-], 1 to 32 bytes.
type CollectorID string

// AreaCode is the administrative division that a collector serves: 6, 9 or 12
// digits [GB/T 2260, GB/T 10114]. It is always a string.
type AreaCode string

// Quality says how far a reading may be trusted. It travels with the value and
// is stored beside it; it never replaces the value by a number.
type Quality uint8

// The qualities. Their numbers are part of the wire format and never change.
const (
	// Good is a value that passed every check.
	Good Quality = 0
	// Suspect is a value that the meter gave but a check doubts; it is kept
	// and marked, with the Reason.
	Suspect Quality = 1
	// Missing means that the meter answered and had no value to give (a
	// sentinel, NaN, a bad BCD digit). Such a reading carries no number.
	Missing Quality = 2
)

// String returns the name that the API and the pages use: "good", "suspect" or
// "missing".
func (q Quality) String() string {
	switch q {
	case Good:
		return "good"
	case Suspect:
		return "suspect"
	case Missing:
		return "missing"
	}
	return fmt.Sprintf("quality(%d)", uint8(q))
}

// Reason says why a reading is not Good. It is empty when, and only when, the
// quality is Good.
type Reason string

// The reasons. They are a closed list: a decoder refuses any other.
const (
	// ReasonSentinel: the register held the maker's code for "not available".
	ReasonSentinel Reason = "sentinel"
	// ReasonNaN: a floating-point register held NaN or an infinity.
	ReasonNaN Reason = "nan"
	// ReasonBadBCD: a BCD register held a digit above 9.
	ReasonBadBCD Reason = "bad_bcd"
	// ReasonUnknownState: a status register held a code that its profile does
	// not name.
	ReasonUnknownState Reason = "unknown_state"
	// ReasonOverflow: the scaled value does not fit an int64 mantissa.
	ReasonOverflow Reason = "overflow"
	// ReasonRange: the value lies outside the range that is possible for the
	// quantity or configured for the meter.
	ReasonRange Reason = "range"
	// ReasonRollback: a cumulative register is lower than the last good value
	// and the fall is no rollover at the register's width.
	ReasonRollback Reason = "rollback"
	// ReasonClock: the collector's clock was not trusted when it read, or the
	// meter's own clock, for a value that the meter dated itself.
	ReasonClock Reason = "clock"
	// ReasonReset: a cumulative register began again near zero and goes on from
	// there, and that is no rollover. It stays suspect until an installation
	// record says from when the register counts anew.
	ReasonReset Reason = "reset"
	// ReasonSwap: the meter that answers is not the one installed: its own
	// serial number differs from the installation record, or its registers went
	// to another level and go on from there.
	ReasonSwap Reason = "swap"
	// ReasonJump: a cumulative register rose faster than the meter's
	// installation can draw.
	ReasonJump Reason = "jump"
	// ReasonStuck: a cumulative register stands still although the meter itself
	// shows flow or power.
	ReasonStuck Reason = "stuck"
	// ReasonReverse: flow or power runs against the direction that the
	// installation allows.
	ReasonReverse Reason = "reverse"
)

// Origin says where a reading comes from. The empty Origin, Live, is by far the
// most common and is not written on the wire.
type Origin string

// The origins. They are a closed list: a decoder refuses any other.
const (
	// Live: the meter's registers at TakenAt.
	Live Origin = ""
	// DailyFreeze: the meter's own record of its registers at the end of a day;
	// TakenAt is the moment at which the meter froze it, by the meter's clock.
	DailyFreeze Origin = "daily_freeze"
	// MonthlyFreeze: the same at the settlement day of a month.
	MonthlyFreeze Origin = "monthly_freeze"
	// LoadRecord: a point of the meter's load profile, read later to fill a hole
	// in the live readings.
	LoadRecord Origin = "load_record"
)

// Origins returns every origin, Live first.
func Origins() []Origin { return slices.Clone(originTable) }

var originTable = []Origin{Live, DailyFreeze, MonthlyFreeze, LoadRecord}

// Validate reports an origin that is not in the list.
func (o Origin) Validate() error {
	if o == Live { // nearly all of them
		return nil
	}
	if !slices.Contains(originTable, o) {
		return &FieldError{Field: "origin", Problem: fmt.Sprintf("unknown origin %q", string(o))}
	}
	return nil
}

// reasonTable gives each known reason the quality that it goes with. It is
// short enough to be searched from the top.
var reasonTable = []struct {
	reason  Reason
	quality Quality
}{
	{ReasonSentinel, Missing}, {ReasonNaN, Missing}, {ReasonBadBCD, Missing},
	{ReasonUnknownState, Missing}, {ReasonOverflow, Missing},
	{ReasonRange, Suspect}, {ReasonRollback, Suspect}, {ReasonClock, Suspect},
	{ReasonReset, Suspect}, {ReasonSwap, Suspect}, {ReasonJump, Suspect},
	{ReasonStuck, Suspect}, {ReasonReverse, Suspect},
}

// Quality returns the quality that a reading with this reason has, or ok=false
// for a reason that is not in the list.
func (r Reason) Quality() (q Quality, ok bool) {
	for _, row := range reasonTable {
		if row.reason == r {
			return row.quality, true
		}
	}
	return 0, false
}

// Reading is one value of one quantity of one meter at one moment.
type Reading struct {
	Meter    MeterID
	Quantity Quantity
	// Value is the exact decimal that the meter showed, in Unit. It is the
	// zero Decimal, and means nothing, when Quality is Missing.
	Value Decimal
	// Unit is the UCUM code of Value; it is always the unit that the table of
	// quantities gives for Quantity.
	Unit Unit
	// TakenAt is the moment at which the collector had the meter's answer, in
	// UTC, whole milliseconds; for an Origin other than Live, the moment of the
	// meter's own record. It is never the time of sending or storing.
	TakenAt time.Time
	Quality Quality
	Reason  Reason
	// Origin is Live, or names the meter's memory that the reading came from.
	// Readings of one meter, quantity and moment but different origins are
	// different readings.
	Origin Origin
}

// HasValue reports whether Value means something.
func (r Reading) HasValue() bool { return r.Quality != Missing }

// Validate reports the first thing that keeps r from being a well-formed
// reading, naming the field. It says nothing about whether the value is
// plausible: that is Quality.
func (r Reading) Validate() error { return r.validate() }

// validate does not copy the reading: it runs for each of millions.
func (r *Reading) validate() error {
	if err := r.Meter.Validate(); err != nil {
		return err
	}
	i, ok := quantityIndex[r.Quantity]
	if !ok {
		return &FieldError{Field: "quantity", Problem: fmt.Sprintf("unknown quantity %q", r.Quantity)}
	}
	if want := quantityTable[i].Unit; r.Unit != want {
		return &FieldError{Field: "unit", Problem: unitProblem(r.Unit, r.Quantity, want).Error()}
	}
	if err := validTime("taken_at", r.TakenAt); err != nil {
		return err
	}
	if err := r.Origin.Validate(); err != nil {
		return err
	}
	if err := r.validReason(); err != nil {
		return err
	}
	if !r.HasValue() && r.Value != (Decimal{}) {
		return &FieldError{Field: "value", Problem: "a missing reading must not carry a number"}
	}
	if err := r.Value.Validate(); err != nil {
		return at("value", err)
	}
	return nil
}

// validReason reports a quality and a reason that do not go together.
func (r *Reading) validReason() error {
	if r.Quality > Missing {
		return &FieldError{Field: "quality", Problem: fmt.Sprintf("unknown quality %d", uint8(r.Quality))}
	}
	if r.Quality == Good {
		if r.Reason != "" {
			return &FieldError{Field: "reason", Problem: fmt.Sprintf("%q given for a good reading", r.Reason)}
		}
		return nil
	}
	switch q, ok := r.Reason.Quality(); {
	case !ok:
		return &FieldError{Field: "reason", Problem: fmt.Sprintf("unknown reason %q for a %s reading", r.Reason, r.Quality)}
	case q != r.Quality:
		return &FieldError{Field: "reason", Problem: fmt.Sprintf("%q goes with a %s reading, not a %s one", r.Reason, q, r.Quality)}
	}
	return nil
}

// Batch is what a collector seals at once: up to MaxReadings readings in the
// order in which they were taken.
type Batch struct {
	Collector CollectorID
	Area      AreaCode
	// SealedAt is the collector's clock when the batch was closed, UTC, whole
	// milliseconds.
	SealedAt time.Time
	Readings []Reading
	// Accounts are what the collector says of hours of its schedule that are over, at
	// most MaxAccounts. A batch has readings or accounts, or both.
	Accounts []SlotAccount
}

// MaxReadings bounds a Batch, so that an envelope stays far below the smallest
// packet limit of the brokers (1 MB) and one lost packet resends little.
const MaxReadings = 256

// Validate reports the first thing that keeps b from being sealed or stored,
// naming the reading's index and the field.
func (b Batch) Validate() error {
	if err := (batchHead{b.Collector, b.Area, b.SealedAt}).validate(); err != nil {
		return err
	}
	if n := len(b.Readings); n == 0 && len(b.Accounts) == 0 || n > MaxReadings {
		return &FieldError{Field: "readings", Problem: fmt.Sprintf("%d readings, want 1 to %d; none only beside accounts", n, MaxReadings)}
	}
	if n := len(b.Accounts); n > MaxAccounts {
		return &FieldError{Field: "accounts", Problem: fmt.Sprintf("%d accounts, want at most %d", n, MaxAccounts)}
	}
	for i := range b.Readings {
		if err := b.Readings[i].validate(); err != nil {
			return at(fmt.Sprintf("readings[%d]", i), err)
		}
	}
	for i := range b.Accounts {
		if err := b.Accounts[i].Validate(); err != nil {
			return at(fmt.Sprintf("accounts[%d]", i), err)
		}
	}
	return nil
}
