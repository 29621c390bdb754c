package cases

import (
	"fmt"
	"strings"
)

// Why says in one word why an act is not possible now, for pages that tell it in
// their own language.
type Why string

// The reasons.
const (
	WhyNoCase       Why = "no_case"
	WhyFinal        Why = "final"
	WhyRole         Why = "role"
	WhyState        Why = "state"
	WhyNotSent      Why = "not_sent"
	WhyUnverified   Why = "unverified"
	WhyOutcome      Why = "outcome"
	WhyNoSensor     Why = "no_sensor_case"
	WhyRules        Why = "rules"
	WhyEventOpen    Why = "event_open"
	WhyCleared      Why = "cleared_already"
	WhyRequestOpen  Why = "request_open"
	WhyNoRequest    Why = "no_request"
	WhyOwnRequest   Why = "own_request"
	WhyNotOwn       Why = "not_own_request"
	WhyParty        Why = "party"
	WhyJudge        Why = "judge"
	WhyNotYours     Why = "not_yours"
	WhyNoLimit      Why = "no_limit"
	WhySelfHandled  Why = "not_self_handled"
	WhyNoMedia      Why = "no_handled_media"
	WhyOwnReport    Why = "own_report"
	WhyFull         Why = "full"
	WhyOtherRequest Why = "other_request"
)

// String returns the reason as a sentence.
func (w Why) String() string {
	switch w {
	case WhyNoCase:
		return "the case does not exist; report it first"
	case WhyFinal:
		return "the case is at its end; report the matter anew"
	case WhyRole:
		return "it is another role's"
	case WhyState:
		return "it does not happen in this state"
	case WhyNotSent:
		return "another inspector was sent"
	case WhyUnverified:
		return "a report of the public is verified first; send an inspector"
	case WhyOutcome:
		return "the inspector's answer was the other one"
	case WhyNoSensor:
		return "the case is none of a sensor"
	case WhyRules:
		return "the rules leave it to a person"
	case WhyEventOpen:
		return "the event has not cleared"
	case WhyCleared:
		return "the event has been cleared already"
	}
	return w.ofRequests()
}

func (w Why) ofRequests() string {
	switch w {
	case WhyRequestOpen:
		return "a request is open; it is approved, refused or withdrawn first"
	case WhyNoRequest:
		return "no request is open"
	case WhyOtherRequest:
		return "another request is open than the one named; read the case again"
	case WhyOwnRequest:
		return "whoever asked does not decide; another person must"
	case WhyNotOwn:
		return "another person asked"
	}
	return w.ofPersons()
}

func (w Why) ofPersons() string {
	switch w {
	case WhyParty:
		return "this person took part as department, and does not decide, check or close; another person must"
	case WhyJudge:
		return "this person decided about or checked the department's work, and cannot act for the department; another person must"
	case WhyNotYours:
		return "the case is not with this department"
	case WhyNoLimit:
		return "the case has no limit that could be extended"
	case WhySelfHandled:
		return "only what an inspector handled on the spot is closed without a check"
	case WhyNoMedia:
		return "there is no photo of stage handled; add one with a note"
	case WhyOwnReport:
		return "whoever handled it on the spot does not close it; another person must"
	case WhyFull:
		return fmt.Sprintf("the case has %d entries and takes only acts that move it on", MaxEntries)
	}
	return string(w)
}

// ConflictError says that an act does not fit the case as it is, and what does.
type ConflictError struct {
	Case  CaseID
	Act   Act
	State State
	Actor Actor
	Why   Why
	// Allowed are the acts that the actor could do now.
	Allowed []Act
}

// Error names the act, the case, its state, the reason and what is allowed.
func (e *ConflictError) Error() string {
	state, allowed := "no case", "nothing"
	if e.State != "" {
		state = fmt.Sprintf("case %s, %s", e.Case, e.State)
	}
	if len(e.Allowed) > 0 {
		names := make([]string, len(e.Allowed))
		for n, a := range e.Allowed {
			names[n] = string(a)
		}
		allowed = strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s by %s (%s): %s; allowed to %s now: %s", e.Act, e.Actor.Role, state, e.Why, e.Actor.Role, allowed)
}

// Allowed returns the acts that actor could do to c now, in the order of
// docs/cases.md. What an act itself needs (a reason, a class) is not part of it.
func Allowed(c *Case, actor Actor, r *Rules) []Act {
	var list []Act
	for _, a := range Acts() {
		if c.why(a, actor, r) == "" {
			list = append(list, a)
		}
	}
	return list
}

// Conflict returns a *ConflictError where actor cannot do act to c now, and nil
// where it can.
func (c *Case) Conflict(act Act, actor Actor, r *Rules) error {
	w := c.why(act, actor, r)
	if w == "" {
		return nil
	}
	return c.conflict(act, actor, r, w)
}

func (c *Case) conflict(act Act, actor Actor, r *Rules, w Why) error {
	return &ConflictError{Case: c.ID, Act: act, State: c.State, Actor: actor, Why: w, Allowed: Allowed(c, actor, r)}
}

// why is the reason against act, or "".
func (c *Case) why(act Act, actor Actor, r *Rules) Why {
	row, w := c.row(act, actor.Role)
	if w != "" {
		return w
	}
	if !row.allows(c.State) {
		return WhyState
	}
	if w := c.guardPerson(act, actor); w != "" {
		return w
	}
	return c.guard(act, actor, r)
}

// row finds the row of the table for act by a role.
func (c *Case) row(act Act, role Role) (*Transition, Why) {
	switch {
	case c.State == "" && act != ActReport:
		return nil, WhyNoCase
	case c.State.Final():
		return nil, WhyFinal
	case act.answers() && !someRow(act, role):
		return nil, WhyRole
	case act.answers() && c.Request == nil:
		return nil, WhyNoRequest
	}
	for n := range table {
		t := &table[n]
		if t.Act != act || act.answers() && t.Request != c.Request.Kind {
			continue
		}
		if in(role, t.By) {
			return t, ""
		}
	}
	return nil, WhyRole
}

func someRow(act Act, role Role) bool {
	for n := range table {
		if table[n].Act == act && in(role, table[n].By) {
			return true
		}
	}
	return false
}
