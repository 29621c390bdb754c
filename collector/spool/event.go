package spool

import "fmt"

// EventKind says what happened.
type EventKind string

// The kinds of events.
const (
	// Damage: a stretch of a segment holds no readable record.
	Damage EventKind = "damage"
	// Torn: an interrupted write was cut off the end of a segment. Nothing that
	// was acknowledged is lost.
	Torn EventKind = "torn"
	// Missing: records that were to be delivered are in no segment. Either they are
	// lost, or they were released and removed while the state could not be saved.
	Missing EventKind = "missing"
	// Foreign: a segment of another spool, or under a wrong name, was set aside.
	Foreign EventKind = "foreign"
	// StateDamage: the state file could not be read; everything still in the
	// segments is delivered again.
	StateDamage EventKind = "state_damage"
	// Dropped: records were dropped as Options say, after Options.Drop took note.
	Dropped EventKind = "dropped"
	// Housekeeping: the state could not be saved or a file not be removed, cut or
	// copied. Records are safe; it is tried again.
	Housekeeping EventKind = "housekeeping"
)

// Event is a report to the operator.
type Event struct {
	Kind EventKind
	File string // base name of the segment or state file
	// Offset and Size give the stretch in File, in bytes.
	Offset, Size int64
	// From and To are the sequences concerned, both included; 0, 0 when none or
	// unknown.
	From, To uint64
	// Lost is how many of them were still to be delivered, as far as is known; of
	// Missing records, at most so many. Of Dropped ones it is how many.
	Lost uint64
	// Reason is why records were Dropped.
	Reason Reason
	// Saved is the base name of the copy; empty when the bytes stay where they are.
	Saved string
	// Err is the failure behind a Housekeeping event, or the reason why damage
	// could not be read (the copy has zeros there) or not be copied.
	Err error
}

// String is one line for a log.
func (e Event) String() string {
	if e.Kind == Dropped {
		return fmt.Sprintf("spool dropped %s for %s: %d records, sequences %d to %d", e.File, e.Reason, e.Lost, e.From, e.To)
	}
	text, most := fmt.Sprintf("spool %s in %s", e.Kind, e.File), ""
	if e.Kind == Missing {
		text, most = "spool records missing, or released before a state that could not be saved", "at most "
	}
	if e.Size > 0 {
		text += fmt.Sprintf(", %d bytes at %d", e.Size, e.Offset)
	}
	if e.To > 0 {
		text += fmt.Sprintf(", sequences %d to %d", e.From, e.To)
	}
	if e.Lost > 0 {
		text += fmt.Sprintf(", %s%d records lost", most, e.Lost)
	}
	if e.Saved != "" {
		text += ", saved as " + e.Saved
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}
