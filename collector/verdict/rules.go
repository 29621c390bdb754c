package verdict

import (
	"time"

	"citygrid/schemas"
)

// Limits narrow what is plausible for one quantity of one meter, in the
// quantity's unit. A nil bound is not checked.
type Limits struct {
	Min, Max *schemas.Decimal
	// MaxPerHour is the most that a counter can rise in an hour at this
	// installation: the power behind its fuse, the flow of its pipe. Without it
	// a wrong value that is too high cannot be known when it comes.
	MaxPerHour *schemas.Decimal
}

// Direction says which way energy or volume may go through a meter.
type Direction uint8

// The directions.
const (
	// Any: both ways; nothing is checked.
	Any Direction = iota
	// Forward: from the grid to the consumer only.
	Forward
)

// Rules is what the validation of one meter's readings knows of the meter.
type Rules struct {
	// Limits narrow the table's physical range for this meter.
	Limits map[schemas.Quantity]Limits
	// WrapsAt is the value at which a counter's register goes back to zero
	// [the profile's document]; counters that are not in it never wrap. What an
	// installation says goes before it.
	WrapsAt map[schemas.Quantity]schemas.Decimal
	// Direction is Any, or Forward where nothing may flow back.
	Direction Direction
	// StuckAfter is how long a counter may stand still while the meter itself
	// shows flow or power throughout; 0: not checked.
	StuckAfter time.Duration
	// Installations are this meter's records, in order of time, not
	// overlapping, as schemas.SortInstallations leaves them.
	Installations []schemas.Installation
}

// State is what a Validator has to remember across a restart. Its JSON is for
// the collector's own disk: what of it cannot be read is as if it had never
// been known, and costs a provisional baseline.
type State struct {
	// Serial is the meter's own number when its baselines were taken; empty
	// when it was never read.
	Serial string `json:"serial,omitempty"`
	// Heard is the number that the meter gave last.
	Heard string `json:"heard,omitempty"`
	// LiveAt is the moment of the last live reading.
	LiveAt time.Time `json:"live_at,omitzero"`
	// Counters are the counters that were ever judged, in the order in which
	// the meter gives them.
	Counters []CounterState `json:"counters,omitempty"`
}

// CounterState is what is remembered of one counter, or of the dated records of
// one counter. The installation that a point belongs to is the one that stands
// at its time, so that a record that is corrected later corrects it too.
type CounterState struct {
	Quantity schemas.Quantity `json:"quantity"`
	Origin   schemas.Origin   `json:"origin,omitempty"`
	// Last is the baseline, the last good value; Firm is the good value before
	// it, which Last has confirmed. Last without Firm is provisional.
	Last *Point `json:"last,omitempty"`
	Firm *Point `json:"firm,omitempty"`
	// Recorded: Last is the first value of an installation record.
	Recorded bool `json:"recorded,omitempty"`
	// Still is how long Last has not changed although the meter shows flow.
	Still *Still `json:"still,omitempty"`
	// Doubt is the last suspect value that speaks against Last and that Firm
	// does not contradict.
	Doubt *Point `json:"doubt,omitempty"`
	// Level is where the register went without an explanation.
	Level *Level `json:"level,omitempty"`
}

// Point is a value and its moment.
type Point struct {
	Value schemas.Decimal `json:"value"`
	At    time.Time       `json:"at"`
}

// Still is a time in which a register stood and the meter showed flow or power
// in every Read.
type Still struct {
	// Since is the first, Seen the last moment at which it was seen so.
	Since time.Time `json:"since"`
	Seen  time.Time `json:"seen"`
	// Flow is the least that was shown, in the register's unit per hour.
	Flow float64 `json:"flow"`
}

// Level is a run of suspect values that agree with each other: the register
// fell or jumped to First and has gone on to Last.
type Level struct {
	First Point `json:"first"`
	Last  Point `json:"last"`
	// Count is how many values agree; from 2 on the level is confirmed.
	Count int `json:"count"`
	// Reset: it began near zero.
	Reset bool `json:"reset,omitempty"`
}

// Event names what a Note tells.
type Event string

// The events.
const (
	// Rollover: the register passed its width and went on from zero; the
	// readings are good.
	Rollover Event = "rollover"
	// Reset: the register began again near zero; suspect until an installation
	// record says from when it counts anew.
	Reset Event = "reset"
	// Swap: another level, or another serial number; suspect until an
	// installation record names the new meter.
	Swap Event = "swap"
	// Withdrawn: a value that was given as good is contradicted by the values
	// before and after it.
	Withdrawn Event = "withdrawn"
	// Returned: after a reset or a swap that was confirmed, the register is
	// back where it was; the readings are good again.
	Returned Event = "returned"
	// Opened: an installation record has opened a new baseline.
	Opened Event = "opened"
)

// Note is something that an operator should be told once.
type Note struct {
	Event Event
	// Quantity is empty when the note is about the whole meter.
	Quantity schemas.Quantity
	// At is the moment of the reading that showed it.
	At time.Time
	// Text is one line for the operator, with what to do next if anything.
	Text string
}
