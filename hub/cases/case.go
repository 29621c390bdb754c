package cases

import (
	"fmt"
	"slices"
	"time"

	"citygrid/schemas/codes"
)

// MaxEntries is how many entries a case has before notes, other classes and
// requests are refused. What moves it on is never refused for its length.
const MaxEntries = 1000

// Case is what a journal comes to. The zero Case has no entries. Only Apply and
// Fold change it.
type Case struct {
	ID    CaseID
	State State
	// Since is when State began, as CountsAt of the entry that brought it.
	Since time.Time

	Report   Report // as reported; Class, Cell and so on below are as they are now
	Reporter Actor
	// ReportedAt is CountsAt of the report.
	ReportedAt time.Time

	Class     codes.Ref
	ClassName string
	Condition string
	Cell      codes.CellCode
	AreaClass string
	Limit     Limit // zero until filed, or where nobody has set one

	Verifier    PersonID // whom send_verify sent
	Verified    Outcome  // empty until answered
	Checker     PersonID // whom the last send_check sent; System for the sensor itself
	Checked     Outcome  // of the last check; empty until answered
	DuplicateOf CaseID

	// SentTo are the departments that have it to take or have taken it, in the order
	// of the dispatch; Handler is the one that took it.
	SentTo  []DepartmentID
	Handler DepartmentID
	// Reworks counts how often it was sent back after a check.
	Reworks int
	Request *Request // nil for none open

	// Cleared says that the event of a sensor's case has ended, HandledMedia that there
	// are media of stage handled.
	Cleared, HandledMedia bool
	// Clock is what limits need to know of the journal, in its order.
	Clock []Mark

	// Parties took part as department, Judges decided about what departments asked or
	// did. Nobody is ever both.
	Parties, Judges []PersonID

	// Entries, Head and ReceivedAt are the number, SM3 digest and hub time of the last
	// entry.
	Entries    uint32
	Head       string
	ReceivedAt time.Time
}

// MarkKind is what happened to the clock of a case.
type MarkKind string

// The kinds of marks.
const (
	MarkFiled      MarkKind = "filed"
	MarkDispatched MarkKind = "dispatched"
	MarkReturned   MarkKind = "returned" // the last department gave it back
	MarkExtended   MarkKind = "extended"
	MarkSuspended  MarkKind = "suspended"
	MarkResumed    MarkKind = "resumed"
	MarkFedBack    MarkKind = "fed_back"
	MarkReworked   MarkKind = "reworked"
	MarkEnded      MarkKind = "ended" // closed, rejected or voided
)

// Mark is one moment of the clock of a case, by CountsAt.
type Mark struct {
	Kind   MarkKind
	At     time.Time
	Amount int64 // of an extension, in the limit's unit
}

// Rules are what a city decides about the workflow. The zero Rules leave everything
// to persons and trust no device's clock.
type Rules struct {
	// SensorAccepts, SensorFiles, SensorChecks and SensorCloses let the hub do these
	// acts for cases of source sensor.
	SensorAccepts, SensorFiles, SensorChecks, SensorCloses bool
	// HubDispatches are the classes whose cases the hub itself may dispatch: a class, or
	// with a shorter code all that begin with it.
	HubDispatches []codes.Ref
	// Offline is how far a device's clock may lie behind the hub's for an offline act
	// to count by it.
	Offline time.Duration
}

// dispatches reports whether the hub may dispatch cases of a class.
func (r *Rules) dispatches(class codes.Ref) bool {
	return slices.ContainsFunc(r.HubDispatches, func(p codes.Ref) bool {
		return p.Standard == class.Standard && p.Kind == class.Kind &&
			len(class.Code) >= len(p.Code) && class.Code[:len(p.Code)] == p.Code
	})
}

// Clone returns a copy that shares nothing with c.
func (c *Case) Clone() *Case {
	d := *c
	d.SentTo, d.Clock = slices.Clone(c.SentTo), slices.Clone(c.Clock)
	d.Parties, d.Judges = slices.Clone(c.Parties), slices.Clone(c.Judges)
	if c.Request != nil {
		r := *c.Request
		d.Request = &r
	}
	return &d
}

// ChainError says that an entry does not follow the one before it: it was changed,
// left out, or prepared before another came in between.
type ChainError struct {
	Case    CaseID
	Number  uint32
	Problem string
}

// Error returns the case, the entry and the problem.
func (e *ChainError) Error() string {
	return fmt.Sprintf("case %s, entry %d: %s", e.Case, e.Number, e.Problem)
}

// Prepare puts the hub's part into an entry that is to come next: its number, the
// digest of the entry before, the case of all but the first, and which clock counts.
// ReceivedAt must be set; where the hub's clock was set back, it becomes that of the
// entry before.
func (c *Case) Prepare(e *Entry, r *Rules) {
	if c.Entries > 0 {
		e.Case = c.ID
	}
	if e.ReceivedAt.Before(c.ReceivedAt) {
		e.ReceivedAt = c.ReceivedAt
	}
	e.Number, e.Previous = c.Entries+1, c.Head
	e.CountsAt, e.ClockRefused = c.counts(e, r.Offline)
}

// Apply checks e against c and the rules, and does it. On an error c is as it was:
// a *schemas.FieldError (perhaps several, joined) for what is wrong in the entry
// itself, a *ChainError, or a *ConflictError where the act does not fit the case.
// With nil rules the entry is one of the past, accepted under the rules of its day.
func (c *Case) Apply(e *Entry, r *Rules) error {
	if err := e.Validate(); err != nil {
		return err
	}
	return c.apply(e, e.Digest(), r)
}

// apply does a valid entry with its digest.
func (c *Case) apply(e *Entry, head string, r *Rules) error {
	if err := c.follows(e, r); err != nil {
		return err
	}
	if err := c.Conflict(e.Act, e.Actor, r); err != nil {
		return err
	}
	if err := c.needs(e, r); err != nil {
		return err
	}
	from := c.State
	c.do(e)
	if c.State != from || e.Act == ActReport {
		c.Since = e.CountsAt
	}
	c.Entries, c.Head, c.ReceivedAt = e.Number, head, e.ReceivedAt
	return nil
}

// Apply does e to c: see Case.Apply.
func Apply(c *Case, e *Entry, r *Rules) error { return c.Apply(e, r) }

// Fold returns the case that a stored journal comes to. It asks everything that
// Apply asks but the rules, which may have changed since.
func Fold(entries []Entry) (*Case, error) {
	c := new(Case)
	for n := range entries {
		if err := c.Apply(&entries[n], nil); err != nil {
			return nil, fmt.Errorf("read the journal of case %s at entry %d: %w", entries[n].Case, n+1, err)
		}
	}
	return c, nil
}

// Read returns the entries of a stored journal, as DecodeEntry does, and the case that
// they come to, as Fold does. It writes each entry once, where one after the other
// takes three times.
func Read(bodies []string) (*Case, []Entry, error) {
	c, entries := new(Case), make([]Entry, len(bodies))
	for n, body := range bodies {
		e, err := DecodeEntry([]byte(body))
		if err != nil {
			return nil, nil, fmt.Errorf("read a journal at entry %d: %w", n+1, err)
		}
		// An entry that DecodeEntry accepts is valid, and body is its one form.
		if err := c.apply(e, digest(entryDigest, []byte(body)), nil); err != nil {
			return nil, nil, fmt.Errorf("read the journal of case %s at entry %d: %w", e.Case, n+1, err)
		}
		entries[n] = *e
	}
	return c, entries, nil
}

// follows checks what Prepare sets.
func (c *Case) follows(e *Entry, r *Rules) error {
	wrong := func(format string, args ...any) error {
		return &ChainError{Case: e.Case, Number: e.Number, Problem: fmt.Sprintf(format, args...)}
	}
	switch {
	case e.Number != c.Entries+1:
		return wrong("the case has %d entries, so the next is %d; read the case again", c.Entries, c.Entries+1)
	case c.Entries > 0 && e.Case != c.ID:
		return wrong("belongs to another case than %s", c.ID)
	case e.Previous != c.Head:
		return wrong("does not name the digest of the entry before; the journal was changed, or the case must be read again")
	case e.ReceivedAt.Before(c.ReceivedAt):
		return wrong("received at %s, before the entry before it", e.ReceivedAt.Format(timeLayout))
	}
	at, refused := c.counts(e, offlineOf(e, r))
	if !e.CountsAt.Equal(at) || e.ClockRefused != refused {
		return wrong("counts at %s, want %s", e.CountsAt.Format(timeLayout), at.Format(timeLayout))
	}
	return nil
}

// offlineOf is the offline time that e was accepted under: that of the rules, or for
// an entry of the past whatever agrees with its mark.
func offlineOf(e *Entry, r *Rules) time.Duration {
	switch {
	case r != nil:
		return r.Offline
	case e.ClockRefused:
		return -1
	}
	return 1<<63 - 1
}

// counts returns the clock by which e counts, and whether its device's was refused.
func (c *Case) counts(e *Entry, offline time.Duration) (at time.Time, refused bool) {
	switch e.Act {
	case ActReport, ActAnswerVerify, ActAnswerCheck, ActFeedBack:
	default:
		return e.ReceivedAt, false
	}
	if e.At.After(e.ReceivedAt) || e.At.Before(c.Since) || e.ReceivedAt.Sub(e.At) > offline {
		return e.ReceivedAt, true
	}
	return e.At, false
}
