package detect

import (
	"fmt"
	"time"

	"citygrid/schemas"
)

// The kinds of a meter and those of a line, as indices.
const (
	leak = iota
	reverseFlow
	coverOpen
	waterLevel
	valveStuck
	batteryLow
	creditOut
	meterOffline
	meterKinds

	lineOffline = 0
	gatewayGone = 1
	lineKinds   = 2
)

func meterKind(k int) schemas.EventKind {
	return [meterKinds]schemas.EventKind{schemas.EventLeak, schemas.EventReverseFlow, schemas.EventCoverOpen, schemas.EventWaterLevel,
		schemas.EventValveStuck, schemas.EventBatteryLow, schemas.EventCreditOut, schemas.EventMeterOffline}[k]
}

func lineKind(k int) schemas.EventKind {
	return [lineKinds]schemas.EventKind{schemas.EventLineOffline, schemas.EventGatewayGone}[k]
}

// subject is what an event is about: a meter, or a line.
type subject struct {
	meter schemas.MeterID
	line  string
}

func subjectOf(m *meter) subject { return subject{meter: m.id} }

// opened is an open event as it is remembered.
type opened struct {
	ID       schemas.EventID  `json:"id"`
	Since    int64            `json:"since"`
	At       int64            `json:"at"`
	Quantity schemas.Quantity `json:"quantity,omitempty"`
	Value    schemas.Decimal  `json:"value,omitzero"`
	Limit    schemas.Decimal  `json:"limit,omitzero"`
	Affected uint32           `json:"affected"`
	Note     string           `json:"note"`
	// Burst: a leak that the flow of minutes has told, and no night.
	Burst bool `json:"burst,omitempty"`
}

func (o *opened) event(s subject, kind schemas.EventKind) schemas.ComponentEvent {
	return schemas.ComponentEvent{
		ID: o.ID, Kind: kind, Phase: schemas.EventOpened, Meter: s.meter, Line: s.line,
		Since: toTime(o.Since), TakenAt: toTime(o.At),
		Quantity: o.Quantity, Value: o.Value, Limit: o.Limit, Affected: o.Affected, Note: o.Note,
	}
}

// facts are what decided: the moment, the reading and its limit.
type facts struct {
	since, at    int64
	quantity     schemas.Quantity
	value, limit schemas.Decimal
	affected     uint32
	note         string
}

// raise opens an event in its place, which must be free.
func (d *Detector) raise(place **opened, kind schemas.EventKind, s subject, f facts) *opened {
	if f.since <= 0 || f.since > f.at { // a state that was not ours
		f.since = f.at
	}
	o := &opened{
		Since: f.since, At: f.at,
		Quantity: f.quantity, Value: f.value, Limit: f.limit, Affected: max(f.affected, 1), Note: schemas.EventNote(f.note),
	}
	e := o.event(s, kind)
	o.ID = schemas.EventIDOf(d.collector, &e)
	e.ID = o.ID
	*place = o
	d.out = append(d.out, e)
	return o
}

// settle clears the event in its place, which must be taken.
func (d *Detector) settle(place **opened, kind schemas.EventKind, s subject, f facts) {
	e := (*place).event(s, kind)
	*place = nil
	e.Phase, e.TakenAt = schemas.EventCleared, toTime(f.at)
	if f.at < e.Since.UnixMilli() { // the clock was set back
		e.TakenAt = e.Since
	}
	e.Quantity, e.Value, e.Limit, e.Note = f.quantity, f.value, f.limit, schemas.EventNote(f.note)
	d.out = append(d.out, e)
}

func (d *Detector) raiseOf(m *meter, k int, f facts) *opened {
	return d.raise(&m.open[k], meterKind(k), subjectOf(m), f)
}

func (d *Detector) settleOf(m *meter, k int, f facts) {
	d.settle(&m.open[k], meterKind(k), subjectOf(m), f)
}

func toTime(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// minutes writes a span for people.
func minutes(ms int64) string {
	d := (time.Duration(ms) * time.Millisecond).Round(time.Second)
	if d%time.Minute == 0 {
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return d.String()
}
