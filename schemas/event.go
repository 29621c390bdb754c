package schemas

import "time"

// ComponentID names a managed component (部件): 16 digits [CJ/T 214-2007], 17 digits
// [GB/T 47678.5-2026], or a city's own id for things that no list holds, such as a
// meter: 1 to 32 of [0-9A-Za-z_-]. Package schemas/codes takes the digits apart.
type ComponentID string

// EventKind is what is wrong with a component, as a collector can tell it.
type EventKind string

// The kinds of component events. They are a closed list: a decoder refuses any
// other.
const (
	EventLeak         EventKind = "leak"            // the flow never came down to nothing in a night
	EventReverseFlow  EventKind = "reverse_flow"    // water or gas ran backwards
	EventCoverOpen    EventKind = "cover_open"      // the tilt input of a manhole cover
	EventWaterLevel   EventKind = "water_level"     // water in a chamber above its mark
	EventValveStuck   EventKind = "valve_stuck"     // the valve is not where it was told to go
	EventBatteryLow   EventKind = "battery_low"     //
	EventCreditOut    EventKind = "credit_out"      // a prepaid meter without credit
	EventMeterOffline EventKind = "meter_offline"   // this meter alone does not answer
	EventLineOffline  EventKind = "line_offline"    // no meter of a line answers, its gateway does
	EventGatewayGone  EventKind = "gateway_offline" // the gateway or port itself does not answer
	EventCellOutage   EventKind = "cell_outage"     // several things in one cell went silent together; only the hub can tell
)

// EventPhase says whether an event begins or ends.
type EventPhase string

// The phases.
const (
	EventOpened  EventPhase = "opened"
	EventCleared EventPhase = "cleared" // the condition has gone; nobody says why
)

// EventID names one occurrence of an event, the same when it opens and when it
// clears: 32 lower-case hexadecimal digits, made by the collector from its id, kind,
// subject and the moment of opening, so that a repeat makes the same one.
type EventID string

// ComponentEvent is one fact about a component from the field. Its subject is a
// meter of the asset register, a component, or a line of the collector; the hub
// finds component, cell and class from its registry.
type ComponentEvent struct {
	ID    EventID
	Kind  EventKind
	Phase EventPhase
	// Meter, Component and Line name the subject; at least one is given. Line is the
	// line's name in the collector's configuration, for what concerns all its meters.
	Meter     MeterID
	Component ComponentID
	Line      string
	// Since is when the condition began as far as anybody knows, TakenAt the moment of
	// the reading that decided. Both UTC, whole milliseconds.
	Since, TakenAt time.Time
	// Quantity, Value and Limit are the deciding reading and what it was held against;
	// Quantity is empty where no reading decided (offline).
	Quantity     Quantity
	Value, Limit Decimal
	// Affected counts the meters that the event concerns; 1 for a single one.
	Affected uint32
	// Note is one line in plain English for a person.
	Note string
}

// EventBatch is what a collector seals at once on the events stream: up to
// MaxEvents events in the order in which they were decided.
type EventBatch struct {
	Collector CollectorID
	Area      AreaCode
	SealedAt  time.Time // like Batch.SealedAt
	Events    []ComponentEvent
}

// MaxEvents bounds an EventBatch.
const MaxEvents = 64
