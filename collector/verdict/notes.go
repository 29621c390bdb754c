package verdict

import (
	"fmt"
	"time"

	"citygrid/schemas"
)

// maxNotes bounds what is kept for a caller that never asks.
const maxNotes = 100

// Notes returns what an operator should be told, each once, in the order in
// which it happened, and forgets it.
func (v *Validator) Notes() []Note {
	notes := v.notes
	v.notes = nil
	return notes
}

func (v *Validator) note(e Event, q schemas.Quantity, at int64, text string) {
	if len(v.notes) < maxNotes {
		v.notes = append(v.notes, Note{Event: e, Quantity: q, At: toTime(at), Text: text})
	}
}

// noteOf is a note about one register; the text begins with its name.
func (v *Validator) noteOf(e Event, s *slot, at int64, format string, args ...any) {
	name := string(s.quantity)
	if !s.live() {
		name += " (" + string(origins[s.origin]) + ")"
	}
	v.note(e, s.quantity, at, name+" "+fmt.Sprintf(format, args...))
}

// when writes a moment for people.
func when(ms int64) string { return toTime(ms).Format(time.RFC3339) }

func (v *Validator) noteRollover(s *slot, x schemas.Decimal, at int64) {
	v.noteOf(Rollover, s, at, "went from %s over its width of %s to %s", s.last.value(), s.wrap, x)
}

func (v *Validator) noteWithdrawn(s *slot, x schemas.Decimal, at int64) {
	v.noteOf(Withdrawn, s, at, "was %s at %s, which was given as good and is contradicted by the values before and after it, now %s; correct what was billed from it",
		s.last.value(), when(s.last.at), x)
}

func (v *Validator) noteReturned(s *slot, x schemas.Decimal, at int64) {
	v.noteOf(Returned, s, at, "is back at %s after %d values at another level, from %s on", x, s.level.count, when(s.level.first.at))
}

func (v *Validator) noteOpened(s *slot, at int64) {
	if s.last.ok {
		v.noteOf(Opened, s, at, "counts from %s, the first value of the installation of %s", s.last.value(), when(v.spell.from))
		return
	}
	v.noteOf(Opened, s, at, "counts anew from the installation of %s, which names no first value", when(v.spell.from))
}

func (v *Validator) noteLevel(s *slot) {
	l := s.level
	if l.reset {
		v.noteOf(Reset, s, l.first.at, "was %s at %s, began again at %s and goes on from there; its readings are suspect until an installation record after %s gives its first value",
			s.last.value(), when(s.last.at), l.first.value(), when(s.last.at))
		return
	}
	v.noteOf(Swap, s, l.first.at, "was %s at %s, went to %s and goes on from there; if the meter was exchanged, add an installation record after %s, and if it can count that fast, raise max_per_hour",
		s.last.value(), when(s.last.at), l.first.value(), when(s.last.at))
}
