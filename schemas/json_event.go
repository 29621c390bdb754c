package schemas

import (
	"encoding/json"
	"time"
)

// eventJSON is the JSON form of a ComponentEvent, in the order in which it is
// written. Pointers and empty texts are absent fields.
type eventJSON struct {
	ID        EventID     `json:"id"`
	Kind      EventKind   `json:"kind"`
	Phase     EventPhase  `json:"phase"`
	Meter     MeterID     `json:"meter,omitempty"`
	Component ComponentID `json:"component,omitempty"`
	Line      string      `json:"line,omitempty"`
	Since     moment      `json:"since"`
	TakenAt   moment      `json:"taken_at"`
	Quantity  *Quantity   `json:"quantity,omitempty"`
	Value     *Decimal    `json:"value,omitempty"`
	Limit     *Decimal    `json:"limit,omitempty"`
	Affected  uint32      `json:"affected"`
	Note      string      `json:"note,omitempty"`
}

// MarshalJSON writes the JSON form [event.schema.json]. What says nothing is left
// out. An event that Validate refuses is an error.
func (e ComponentEvent) MarshalJSON() ([]byte, error) {
	if err := e.Validate(); err != nil {
		return nil, err
	}
	j := eventJSON{
		ID: e.ID, Kind: e.Kind, Phase: e.Phase, Meter: e.Meter, Component: e.Component, Line: e.Line,
		Since: moment(e.Since), TakenAt: moment(e.TakenAt), Affected: e.Affected, Note: e.Note,
	}
	if e.Quantity != "" {
		j.Quantity, j.Value, j.Limit = &e.Quantity, &e.Value, &e.Limit
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads the JSON form, strictly. An error names the field.
func (e *ComponentEvent) UnmarshalJSON(data []byte) error {
	o := openObject(data)
	v := ComponentEvent{
		ID:    EventID(member[string](o, "id")),
		Kind:  EventKind(member[string](o, "kind")),
		Phase: EventPhase(member[string](o, "phase")),
		Meter: MeterID(textIfGiven(o, "meter")), Component: ComponentID(textIfGiven(o, "component")), Line: textIfGiven(o, "line"),
		Since:   time.Time(member[moment](o, "since")),
		TakenAt: time.Time(member[moment](o, "taken_at")),
	}
	if v.Quantity = Quantity(textIfGiven(o, "quantity")); v.Quantity != "" {
		v.Value, v.Limit = member[Decimal](o, "value"), member[Decimal](o, "limit")
	}
	v.Affected, v.Note = member[uint32](o, "affected"), textIfGiven(o, "note")
	return o.finish(v.Validate, func() { *e = v })
}

type eventsJSON struct {
	Collector CollectorID      `json:"collector"`
	Area      AreaCode         `json:"area"`
	SealedAt  moment           `json:"sealed_at"`
	Events    []ComponentEvent `json:"events"`
}

// MarshalJSON writes the JSON form [events.schema.json].
func (b EventBatch) MarshalJSON() ([]byte, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	return json.Marshal(eventsJSON{b.Collector, b.Area, moment(b.SealedAt), b.Events})
}

// UnmarshalJSON reads the JSON form, strictly. An error names the field.
func (b *EventBatch) UnmarshalJSON(data []byte) error {
	o := openObject(data)
	v := EventBatch{
		Collector: member[CollectorID](o, "collector"),
		Area:      member[AreaCode](o, "area"),
		SealedAt:  time.Time(member[moment](o, "sealed_at")),
		Events:    members[ComponentEvent](o, "events", MaxEvents),
	}
	return o.finish(v.Validate, func() { *b = v })
}
