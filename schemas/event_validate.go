package schemas

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// MaxEventLine bounds ComponentEvent.Line, MaxEventNote ComponentEvent.Note, in
// bytes.
const (
	MaxEventLine = 128
	MaxEventNote = 256
)

// eventIDBytes is what an EventID spells, two digits a byte.
const eventIDBytes = 16

// The closed lists, in the order of the document.
var (
	eventKindTable = []EventKind{EventLeak, EventReverseFlow, EventCoverOpen, EventWaterLevel, EventValveStuck, EventBatteryLow,
		EventCreditOut, EventMeterOffline, EventLineOffline, EventGatewayGone, EventCellOutage}
	eventPhaseTable = []EventPhase{EventOpened, EventCleared}
)

// EventKinds returns every kind of component event.
func EventKinds() []EventKind { return slices.Clone(eventKindTable) }

// EventPhases returns every phase.
func EventPhases() []EventPhase { return slices.Clone(eventPhaseTable) }

// EventIDOf returns the id of the occurrence that begins with e, an event of phase
// EventOpened: of collector, kind, subject and TakenAt, and of nothing else. The same
// arguments give the same id in every process: the first half of SHA-256 over each of
// them as "length:text," with TakenAt as Unix milliseconds.
func EventIDOf(collector CollectorID, e *ComponentEvent) EventID {
	h := sha256.New()
	for _, part := range [...]string{string(collector), string(e.Kind), string(e.Meter), string(e.Component), e.Line,
		strconv.FormatInt(e.TakenAt.UnixMilli(), 10)} {
		fmt.Fprintf(h, "%d:%s,", len(part), part) // the length keeps the parts apart
	}
	return EventID(hex.EncodeToString(h.Sum(nil)[:eventIDBytes]))
}

// Validate reports an id that is not 32 lower-case hexadecimal digits.
func (i EventID) Validate() error {
	if len(i) != 2*eventIDBytes || !onlyIn(string(i), isLowerHex) {
		return &FieldError{Field: "id", Problem: fmt.Sprintf("%q is no event: want %d digits of 0-9 a-f", string(i), 2*eventIDBytes)}
	}
	return nil
}

func isLowerHex(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' }

// Validate reports an id outside the alphabet or the length. Whether its digits are
// a component's that there is, package schemas/codes and the registry say.
func (c ComponentID) Validate() error { return validID("component", string(c)) }

// EventNote makes a text fit ComponentEvent.Note, as FaultText does for faults. An
// empty text stays empty.
func EventNote(s string) string { return lineText(s, MaxEventNote) }

// EventLine makes the name of a line fit ComponentEvent.Line, in the same way.
func EventLine(s string) string { return lineText(s, MaxEventLine) }

// Validate reports the first thing that keeps e from being a well-formed event,
// naming the field. It says nothing about whether meter and component exist.
func (e ComponentEvent) Validate() error { return e.validate() }

func (e *ComponentEvent) validate() error {
	for _, check := range [...]func() error{e.ID.Validate, e.validKind, e.validSubject, e.validTimes, e.validValues, e.validRest} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (e *ComponentEvent) validKind() error {
	if err := oneOf("kind", e.Kind, eventKindTable); err != nil {
		return err
	}
	return oneOf("phase", e.Phase, eventPhaseTable)
}

func (e *ComponentEvent) validSubject() error {
	if e.Meter == "" && e.Component == "" && e.Line == "" {
		return &FieldError{Field: "meter", Problem: "missing, and neither component nor line either"}
	}
	if e.Meter != "" {
		if err := e.Meter.Validate(); err != nil {
			return err
		}
	}
	if e.Component != "" {
		if err := e.Component.Validate(); err != nil {
			return err
		}
	}
	if e.Line != "" {
		return validLine("line", e.Line, MaxEventLine)
	}
	return nil
}

func (e *ComponentEvent) validTimes() error {
	if err := validTime("since", e.Since); err != nil {
		return err
	}
	if err := validTime("taken_at", e.TakenAt); err != nil {
		return err
	}
	if e.Since.After(e.TakenAt) {
		return &FieldError{Field: "since", Problem: fmt.Sprintf("%s is after taken_at", e.Since.UTC().Format(time.RFC3339))}
	}
	return nil
}

// validValues: value and limit mean something by the quantity's unit only.
func (e *ComponentEvent) validValues() error {
	if e.Quantity == "" {
		for _, v := range [...]struct {
			field string
			value Decimal
		}{{"value", e.Value}, {"limit", e.Limit}} {
			if v.value != (Decimal{}) {
				return &FieldError{Field: v.field, Problem: "given without the quantity that it is of"}
			}
		}
		return nil
	}
	if _, ok := quantityIndex[e.Quantity]; !ok {
		return &FieldError{Field: "quantity", Problem: fmt.Sprintf("unknown quantity %q", string(e.Quantity))}
	}
	if err := e.Value.Validate(); err != nil {
		return at("value", err)
	}
	return at("limit", e.Limit.Validate())
}

func (e *ComponentEvent) validRest() error {
	if e.Affected == 0 {
		return &FieldError{Field: "affected", Problem: "0, want 1 for a single thing"}
	}
	if e.Note != "" {
		return validLine("note", e.Note, MaxEventNote)
	}
	return nil
}

// Validate reports the first thing that keeps b from being sealed or stored, naming
// the event's index and the field. A batch comes from one collector, which sees no
// cell: it holds no EventCellOutage.
func (b EventBatch) Validate() error {
	if err := (batchHead{b.Collector, b.Area, b.SealedAt}).validate(); err != nil {
		return err
	}
	if n := len(b.Events); n == 0 || n > MaxEvents {
		return &FieldError{Field: "events", Problem: fmt.Sprintf("%d events, want 1 to %d", n, MaxEvents)}
	}
	for i := range b.Events {
		err := b.Events[i].validate()
		if err == nil && b.Events[i].Kind == EventCellOutage {
			err = &FieldError{Field: "kind", Problem: fmt.Sprintf("%q from a collector; only the hub can tell", string(EventCellOutage))}
		}
		if err != nil {
			return at(fmt.Sprintf("events[%d]", i), err)
		}
	}
	return nil
}
