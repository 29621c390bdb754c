package schemas

import (
	"encoding/json"
	"fmt"
	"time"
)

type spanJSON struct {
	From  uint32 `json:"from"`
	Slots uint32 `json:"slots"`
	Loss  Loss   `json:"loss"`
}

// MarshalJSON writes {"from":1,"slots":5,"loss":"meter_silent"}.
func (s SlotSpan) MarshalJSON() ([]byte, error) { return json.Marshal(spanJSON(s)) }

// UnmarshalJSON reads what MarshalJSON writes, strictly.
func (s *SlotSpan) UnmarshalJSON(data []byte) error {
	o := openObject(data)
	v := SlotSpan{From: member[uint32](o, "from"), Slots: member[uint32](o, "slots"), Loss: member[Loss](o, "loss")}
	return o.finish(nil, func() { *s = v })
}

type accountJSON struct {
	Meter    MeterID    `json:"meter"`
	Hour     moment     `json:"hour"`
	Interval uint32     `json:"interval_ms"`
	Offset   uint32     `json:"offset_ms,omitempty"`
	First    uint32     `json:"first,omitempty"`
	Planned  uint32     `json:"planned"`
	Missing  []SlotSpan `json:"missing,omitempty"`
	Since    *moment    `json:"since,omitempty"`
}

// MarshalJSON writes the JSON form, as a part of a batch's.
func (a SlotAccount) MarshalJSON() ([]byte, error) {
	if err := a.Validate(); err != nil {
		return nil, err
	}
	return json.Marshal(accountJSON{a.Meter, moment(a.Hour), uint32(a.Interval.Milliseconds()), uint32(a.Offset.Milliseconds()),
		a.First, a.Planned, a.Missing, presentTime(a.Since)})
}

// UnmarshalJSON reads the JSON form, strictly. An error names the field.
func (a *SlotAccount) UnmarshalJSON(data []byte) error {
	o := openObject(data)
	v := SlotAccount{Meter: member[MeterID](o, "meter"), Hour: time.Time(member[moment](o, "hour")),
		Interval: time.Duration(member[uint32](o, "interval_ms")) * time.Millisecond}
	if o.has("offset_ms") {
		v.Offset = time.Duration(memberCount(o, "offset_ms")) * time.Millisecond
	}
	if o.has("first") {
		v.First = memberCount(o, "first")
	}
	v.Planned = member[uint32](o, "planned")
	if o.has("missing") {
		v.Missing = memberList[SlotSpan](o, "missing", MaxSpans)
	}
	v.Since = momentIfGiven(o, "since")
	return o.finish(v.Validate, func() { *a = v })
}

// memberCount takes a number that is left out rather than 0.
func memberCount(o *object, name string) uint32 {
	n := member[uint32](o, name)
	if o.err == nil && n == 0 {
		o.err = &FieldError{Field: name, Problem: "0; leave the field out"}
	}
	return n
}

// memberList takes an array that is left out rather than empty.
func memberList[T any](o *object, name string, limit int) []T {
	list := members[T](o, name, limit)
	if o.err == nil && len(list) == 0 {
		o.err = &FieldError{Field: name, Problem: fmt.Sprintf("empty, want 1 to %d; leave the field out", limit)}
	}
	return list
}
