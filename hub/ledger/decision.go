package ledger

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"citygrid/schemas"
)

// State is where a difference stands between being found and being settled.
type State string

// The states, in their order. A difference that a fact has cleared needs none.
const (
	Open      State = "open"
	Explained State = "explained" // the cause is known
	Assigned  State = "assigned"  // somebody has to see to it
	Adjusted  State = "adjusted"  // an entry in the books makes it right; by a second person
	Closed    State = "closed"    // settled, by another person than the step before
)

// Next returns the states to which s may go. Explained and assigned may change
// places and be given anew: a first explanation is often not the last.
func (s State) Next() []State {
	switch s {
	case Open: // nobody adjusts what nobody has looked at
		return []State{Explained, Assigned}
	case Explained, Assigned:
		return []State{Explained, Assigned, Adjusted}
	case Adjusted:
		return []State{Closed}
	default:
		return nil
	}
}

// Decision is one step of a difference's life. It is never changed.
type Decision struct {
	ID  int64
	Key string // of the difference
	To  State
	Who string
	Why string
	// Evidence names what supports it: a receipt, a photo, a letter; may be empty.
	Evidence string
	// Assignee is who has to see to it, for Assigned.
	Assignee string
	// Rule names the rule that explains it, for an explanation by a program.
	Rule string
	// Amount is what the books are adjusted by, for Adjusted: fen, and litres or
	// watt-hours.
	Amount schemas.Fen
	Volume int64
	At     time.Time
}

// StepError says that a decision is not possible from the state that the
// difference is in.
type StepError struct {
	Key      string
	From, To State
	Allowed  []State
}

// Error names the steps that are allowed.
func (e *StepError) Error() string {
	if len(e.Allowed) == 0 {
		return fmt.Sprintf("difference %s is %s; it takes no further step", e.Key, e.From)
	}
	names := make([]string, len(e.Allowed))
	for i, s := range e.Allowed {
		names[i] = string(s)
	}
	return fmt.Sprintf("difference %s is %s and cannot become %s; allowed: %s", e.Key, e.From, e.To, strings.Join(names, ", "))
}

// SamePersonError says that a step needs another person than the one before.
type SamePersonError struct {
	Key string
	To  State
	Who string
}

// Error says who may not.
func (e *SamePersonError) Error() string {
	return fmt.Sprintf("difference %s: %s took the step before and cannot also make it %s; ask a second person", e.Key, e.Who, e.To)
}

// Follow returns the state after d, given the decisions before it, oldest first,
// or a *StepError or *SamePersonError. Adjusted needs another person than whoever
// explained or assigned it last, closed another than the approver of the
// adjustment; SamePerson says who is another.
func Follow(before []Decision, d Decision) (State, error) {
	from, last := Open, ""
	if n := len(before); n > 0 {
		from, last = before[n-1].To, before[n-1].Who
	}
	if !slices.Contains(from.Next(), d.To) {
		return from, &StepError{Key: d.Key, From: from, To: d.To, Allowed: from.Next()}
	}
	if (d.To == Adjusted || d.To == Closed) && SamePerson(d.Who, last) {
		return from, &SamePersonError{Key: d.Key, To: d.To, Who: d.Who}
	}
	return d.To, nil
}
