package schemas

import (
	"fmt"
	"slices"
)

// LineStatus is a collector's account of one of its lines.
type LineStatus struct {
	// Name is what the configuration calls the line, and Address where it is:
	// host:port or the path of a device; 1 to MaxLineText bytes on one line each.
	// LineText makes them from any text.
	Name    string
	Kind    LineKind
	Address string
	// Meters counts the meters of the line.
	Meters uint32
	// Planned counts the slots of their schedules since midnight UTC, Read those
	// in which they gave their readings: Read <= Planned <= MaxCount.
	Planned, Read uint64
	// Used is the part of the line's time that the reads of its answering meters
	// take, in thousandths: 1000 is a line that never rests, and on one that needs
	// more slots go by. At most MaxUsed.
	Used uint16
}

// LineKind is how a line is reached.
type LineKind string

// The kinds.
const (
	LineModbusTCP LineKind = "modbus_tcp"    // a gateway or meter that speaks Modbus TCP
	LineServer    LineKind = "serial_server" // a wire behind a transparent serial server
	LineSerial    LineKind = "serial"        // a wire on a port of the collector
)

// Bounds of a LineStatus.
const (
	// MaxLines bounds the list Lines of a Status.
	MaxLines = 100
	// MaxLineText bounds LineStatus.Name and Address, in bytes.
	MaxLineText = 128
	// MaxUsed bounds LineStatus.Used: ten times as much as there is.
	MaxUsed = 10_000
)

// lineKindTable is the closed list, in the order of the document.
var lineKindTable = []LineKind{LineModbusTCP, LineServer, LineSerial}

// LineKinds returns every kind of line.
func LineKinds() []LineKind { return slices.Clone(lineKindTable) }

// LineText makes a text fit LineStatus.Name and Address as FaultText does for
// errors; an empty text becomes "?".
func LineText(s string) string {
	if s = lineText(s, MaxLineText); s == "" {
		return "?"
	}
	return s
}

// SuccessRate is the part of the planned slots in which meters gave their
// readings, 0 to 1, for people; ok is false while none was planned.
func (l LineStatus) SuccessRate() (rate float64, ok bool) {
	return MeterHealth{Planned: l.Planned, Read: l.Read}.SuccessRate()
}

func (s *Status) validLines() error {
	n := len(s.Lines)
	if n > MaxLines {
		return &FieldError{Field: "lines", Problem: fmt.Sprintf("%d lines, want at most %d", n, MaxLines)}
	}
	seen := make(map[string]bool, n)
	for i := range s.Lines {
		l := &s.Lines[i]
		if err := l.validate(); err != nil {
			return at(fmt.Sprintf("lines[%d]", i), err)
		}
		if seen[l.Name] {
			return &FieldError{Field: fmt.Sprintf("lines[%d].name", i), Problem: fmt.Sprintf("%q is listed twice", l.Name)}
		}
		seen[l.Name] = true
	}
	return nil
}

func (l *LineStatus) validate() error {
	if err := validLine("name", l.Name, MaxLineText); err != nil {
		return err
	}
	if err := oneOf("kind", l.Kind, lineKindTable); err != nil {
		return err
	}
	if err := validLine("address", l.Address, MaxLineText); err != nil {
		return err
	}
	switch {
	case l.Planned > MaxCount:
		return &FieldError{Field: "planned", Problem: fmt.Sprintf("%d, want at most %d", l.Planned, uint64(MaxCount))}
	case l.Read > l.Planned:
		return &FieldError{Field: "read", Problem: fmt.Sprintf("%d, more than the %d planned", l.Read, l.Planned)}
	case l.Used > MaxUsed:
		return &FieldError{Field: "used", Problem: fmt.Sprintf("%d, want at most %d", l.Used, MaxUsed)}
	}
	return nil
}
