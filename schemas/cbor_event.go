package schemas

import (
	"encoding/hex"
	"fmt"

	"citygrid/internal/cbor"
)

// Meter, component, line, the three of the reading, and note are left out where
// they say nothing.
const (
	eventID = iota + 1
	eventKind
	eventPhase
	eventMeter
	eventComponent
	eventLine
	eventSince
	eventTakenAt
	eventQuantity
	eventValue
	eventLimit
	eventAffected
	eventNote
)

var (
	eventsFields = fieldTable{keyVersion: "format", batchCollector: "collector", batchArea: "area",
		batchSealedAt: "sealed_at", batchItems: "events"}
	eventFields = fieldTable{eventID: "id", eventKind: "kind", eventPhase: "phase", eventMeter: "meter",
		eventComponent: "component", eventLine: "line", eventSince: "since", eventTakenAt: "taken_at",
		eventQuantity: "quantity", eventValue: "value", eventLimit: "limit", eventAffected: "affected", eventNote: "note"}
)

// EncodeEventBatch appends the wire form of b to dst and returns the longer slice.
// It refuses a batch that Validate refuses and then returns dst unchanged. Equal
// batches have equal bytes.
func EncodeEventBatch(dst []byte, b *EventBatch) ([]byte, error) {
	if err := b.Validate(); err != nil {
		return dst, fmt.Errorf("encode event batch: %w", err)
	}
	dst = batchHead{b.Collector, b.Area, b.SealedAt}.append(dst, len(b.Events))
	for i := range b.Events {
		dst = appendEvent(dst, &b.Events[i])
	}
	return dst, nil
}

// appendEvent appends an event that Validate has passed.
func appendEvent(dst []byte, e *ComponentEvent) []byte {
	dst = cbor.AppendHead(dst, cbor.Map, e.fields())
	dst = cbor.AppendHead(appendUint(dst, eventID), cbor.Bytes, eventIDBytes)
	dst, _ = hex.AppendDecode(dst, []byte(e.ID)) // it is valid
	dst = cbor.AppendText(appendUint(dst, eventKind), e.Kind)
	dst = cbor.AppendText(appendUint(dst, eventPhase), e.Phase)
	dst = appendGiven(dst, eventMeter, e.Meter)
	dst = appendGiven(dst, eventComponent, e.Component)
	dst = appendGiven(dst, eventLine, e.Line)
	dst = appendTime(appendUint(dst, eventSince), e.Since)
	dst = appendTime(appendUint(dst, eventTakenAt), e.TakenAt)
	if e.Quantity != "" {
		dst = cbor.AppendText(appendUint(dst, eventQuantity), e.Quantity)
		dst = appendDecimal(appendUint(dst, eventValue), e.Value)
		dst = appendDecimal(appendUint(dst, eventLimit), e.Limit)
	}
	dst = appendUint(appendUint(dst, eventAffected), uint64(e.Affected))
	return appendGiven(dst, eventNote, e.Note)
}

// fields counts the fields of e on the wire.
func (e *ComponentEvent) fields() (n uint64) {
	n = 6 // id, kind, phase, since, taken_at, affected
	for _, given := range [...]bool{e.Meter != "", e.Component != "", e.Line != "", e.Note != ""} {
		if given {
			n++
		}
	}
	if e.Quantity != "" {
		n += 3
	}
	return n
}

// DecodeEventBatch reads what EncodeEventBatch writes and nothing else, with the
// promises of DecodeBatch.
func DecodeEventBatch(data []byte) (*EventBatch, error) {
	b, err := decodeEventBatch(&decoder{cbor.Reader{Data: data}})
	if err == nil {
		err = b.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("decode event batch: %w", err)
	}
	return b, nil
}

func decodeEventBatch(d *decoder) (*EventBatch, error) {
	m := d.openMap(eventsFields)
	h := m.head("event batch")
	b := &EventBatch{Collector: h.collector, Area: h.area, SealedAt: h.sealedAt}
	n := m.array(batchItems, MaxEvents)
	b.Events = make([]ComponentEvent, n)
	for i := 0; i < n && m.err == nil; i++ {
		if err := decodeEvent(d, &b.Events[i]); err != nil {
			m.err = at(fmt.Sprintf("events[%d]", i), err)
		}
	}
	return b, m.finish()
}

func decodeEvent(d *decoder, e *ComponentEvent) error {
	m := d.openMap(eventFields)
	e.ID = m.eventID()
	e.Kind = listed(&m, eventKind, eventKindTable)
	e.Phase = listed(&m, eventPhase, eventPhaseTable)
	e.Meter = MeterID(m.given(eventMeter, maxID))
	e.Component = ComponentID(m.given(eventComponent, maxID))
	e.Line = m.given(eventLine, MaxEventLine)
	e.Since = m.time(eventSince)
	e.TakenAt = m.time(eventTakenAt)
	if e.Quantity = Quantity(m.given(eventQuantity, maxName)); e.Quantity != "" {
		e.Value = m.decimal(eventValue)
		e.Limit = m.decimal(eventLimit)
	}
	e.Affected = m.uint32(eventAffected)
	e.Note = m.given(eventNote, MaxEventNote)
	return m.close()
}

// eventID reads the id, which is bytes on the wire.
func (m *mapReader) eventID() EventID {
	if !m.need(eventID) {
		return ""
	}
	raw, err := m.d.bytes(cbor.Bytes, eventIDBytes)
	if err == nil && len(raw) != eventIDBytes {
		err = fmt.Errorf("%d bytes, want %d", len(raw), eventIDBytes)
	}
	m.fail(eventID, err)
	return EventID(hex.EncodeToString(raw))
}

// decimal reads a field that must be there.
func (m *mapReader) decimal(key int) Decimal {
	if !m.need(key) {
		return Decimal{}
	}
	d, err := m.d.decimal()
	m.fail(key, err)
	return d
}
