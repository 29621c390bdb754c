// Package limits knows how long a city gives its departments: working calendars of
// shifts, holidays and moved working days, limits by class, condition and area class
// in urgent hours, working hours or working days, the clock of a case over
// suspension, extension and rework, and the traffic light. All arithmetic is on whole
// milliseconds. docs/cases.md, "Time limits", is the specification.
package limits

import (
	"errors"
	"time"

	"citygrid/hub/cases"
	"citygrid/schemas/codes"
)

// Starts says when the handling clock of a case begins.
type Starts string

// The two ways, of which a city takes one.
const (
	// AtFiling: the clock begins when the case is filed and runs on through returns.
	AtFiling Starts = "filed"
	// AtDispatch: it begins when the case is dispatched, and anew when it is dispatched
	// again after the last department gave it back.
	AtDispatch Starts = "dispatched"
)

// Rework says how much time a case has that was sent back after a check.
type Rework string

// The two ways, of which a city takes one.
const (
	Anew Rework = "anew" // the whole limit again
	Left Rework = "left" // what the department had not used
)

// Book is a limits file: the calendar, the limits, and what goes with them. It never
// changes after Load.
type Book struct {
	Calendar *Calendar
	Starts   Starts
	Rework   Rework
	Rules    []Rule
	Stages   map[Stage]StageLimit
	// Workflow is what the file says under "workflow".
	Workflow cases.Rules
}

// Rule is one limit. Class is a class, or with a shorter code all that begin with it.
// An empty Condition or Area means any.
type Rule struct {
	Class           codes.Ref
	Condition, Area string
	Limit           cases.Limit
	// Closes is the closing condition (结案条件), Department who is responsible, Source
	// where the limit comes from; all for people.
	Closes     string
	Department cases.DepartmentID
	Source     string
	Line       int // of the file
}

// matches reports whether r is for a case of this class, condition and area class.
func (r *Rule) matches(class codes.Ref, condition, area string) bool {
	n := len(r.Class.Code)
	return r.Class.Standard == class.Standard && r.Class.Kind == class.Kind && len(class.Code) >= n && class.Code[:n] == r.Class.Code &&
		(r.Condition == "" || r.Condition == condition) && (r.Area == "" || r.Area == area)
}

// closer reports whether r goes before s: the longer code, then the named condition,
// then the named area.
func (r *Rule) closer(s *Rule) bool {
	if a, b := len(r.Class.Code), len(s.Class.Code); a != b {
		return a > b
	}
	if (r.Condition != "") != (s.Condition != "") {
		return r.Condition != ""
	}
	return r.Area != "" && s.Area == ""
}

// Find returns the rule for a case; ok is false where the file has none, and then the
// case has no limit.
func (b *Book) Find(class codes.Ref, condition, area string) (rule Rule, ok bool) {
	var best *Rule
	for n := range b.Rules {
		if r := &b.Rules[n]; r.matches(class, condition, area) && (best == nil || r.closer(best)) {
			best = r
		}
	}
	if best == nil {
		return Rule{}, false
	}
	return *best, true
}

// Stage is a step of the centre or of an inspector that has a limit of its own.
type Stage string

// The stages. Each begins when the hub received the entry named first.
const (
	SendVerifyStage Stage = "send_verify" // report to send_verify
	VerifyStage     Stage = "verify"      // send_verify to answer_verify
	AcceptStage     Stage = "accept"      // report, or answer_verify, to accept or reject
	FileStage       Stage = "file"        // accept to file
	DispatchStage   Stage = "dispatch"    // file, or an approved return, to dispatch
	SendCheckStage  Stage = "send_check"  // feed_back to send_check
	CheckStage      Stage = "check"       // send_check to answer_check
	CloseStage      Stage = "close"       // answer_check to close or rework
)

// Stages returns every stage, in the order of the workflow.
func Stages() []Stage {
	return []Stage{SendVerifyStage, VerifyStage, AcceptStage, FileStage, DispatchStage, SendCheckStage, CheckStage, CloseStage}
}

// StageLimit is the time for a stage: minutes, day and night or of work.
type StageLimit struct {
	Minutes int64
	Working bool
}

// StageDeadline returns when a stage that began at start must be over; ok is false
// where the file sets no limit for it.
func (b *Book) StageDeadline(s Stage, start time.Time) (deadline time.Time, ok bool, err error) {
	l, ok := b.Stages[s]
	if !ok {
		return time.Time{}, false, nil
	}
	d := time.Duration(l.Minutes) * time.Minute
	if !l.Working {
		return start.Add(d), true, nil
	}
	deadline, err = b.Calendar.AddWork(start, d)
	return deadline, err == nil, err
}

// errNoLimit says that a question makes sense only for a limit that is set.
var errNoLimit = errors.New("no limit is set")

// Deadline returns when a limit ends that begins at start and is not interrupted:
// urgent hours run day and night; working hours run within the shifts, to the
// earliest moment at which they are used up; working days end with the last shift of
// the n-th working day after that of start.
func (c *Calendar) Deadline(start time.Time, l cases.Limit) (time.Time, error) {
	switch l.Unit {
	case cases.UrgentHour:
		return start.Add(time.Duration(l.Amount) * time.Hour), nil
	case cases.WorkHour:
		if !covers(start) {
			return time.Time{}, ErrBeyond
		}
		return c.AddWork(start, time.Duration(l.Amount)*time.Hour)
	case cases.WorkDay:
		return c.AddDays(start, int(l.Amount))
	}
	return time.Time{}, errNoLimit
}

// Span is a stretch of time: [From, To).
type Span struct{ From, To time.Time }

// Elapsed is how much of a limit's time passed in spans that do not overlap: all of
// it for urgent hours, working time for the other units.
func (c *Calendar) Elapsed(spans []Span, unit cases.Unit) (sum time.Duration) {
	for _, s := range spans {
		sum += c.measure(s.From, s.To, unit)
	}
	return sum
}

func (c *Calendar) measure(from, to time.Time, unit cases.Unit) time.Duration {
	if unit == cases.UrgentHour {
		return max(0, to.Sub(from))
	}
	return c.Worked(from, to)
}
