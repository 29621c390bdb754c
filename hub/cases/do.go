package cases

import (
	"fmt"
	"slices"

	"citygrid/schemas"
)

// needs asks what the entry must hold because of how the case is.
func (c *Case) needs(e *Entry, r *Rules) error {
	switch {
	case e.Act == ActClassify && e.Classification.Class != c.Class && e.Reason == "":
		return missing("reason", "say why the class changes")
	case e.Act == ActReject && e.DuplicateOf == c.ID:
		return &schemas.FieldError{Field: "duplicate_of", Problem: "names the case itself; name the case that came first"}
	case e.Act == ActCleared && e.Event != c.Report.Event:
		return &schemas.FieldError{Field: "event", Problem: fmt.Sprintf("%q, want %q, the event of the case", e.Event, c.Report.Event)}
	case e.Act.answers() && e.Request != 0 && e.Request != c.Request.Number:
		return c.conflict(e.Act, e.Actor, r, WhyOtherRequest)
	}
	return nil
}

// do carries out an entry that may happen.
func (c *Case) do(e *Entry) {
	c.remember(e)
	switch e.Act {
	case ActReport:
		c.report(e)
	case ActClassify:
		c.Class, c.ClassName = e.Classification.Class, e.Classification.ClassName
		if e.Classification.Condition != "" {
			c.Condition = e.Classification.Condition
		}
	case ActSendVerify:
		c.State, c.Verifier = Verifying, e.Inspector
	case ActAnswerVerify:
		c.State, c.Verified = Verified, e.Outcome
	case ActAccept:
		c.State = Accepted
	case ActReject:
		c.DuplicateOf = e.DuplicateOf
		c.end(Rejected, e)
	case ActFile:
		c.file(e)
	case ActDispatch:
		c.State, c.SentTo = Dispatched, slices.Clone(e.Departments)
		c.mark(MarkDispatched, e)
	case ActTake:
		c.take(e)
	case ActAskReturn, ActAskExtension, ActAskSuspension, ActAskVoid:
		c.Request = &Request{Kind: e.Act.opens(), Number: e.Number, By: e.Actor, Amount: e.Amount, Reason: e.Reason, At: e.ReceivedAt}
	case ActApprove:
		c.approve(e)
	case ActRefuse, ActWithdraw:
		c.Request = nil
	case ActCleared:
		c.Cleared = true
	default:
		c.finish(e)
	}
}

// finish carries out the acts from handling to closing.
func (c *Case) finish(e *Entry) {
	switch e.Act {
	case ActResume:
		c.State = Handling
		c.mark(MarkResumed, e)
	case ActFeedBack:
		c.State = FedBack
		c.mark(MarkFedBack, e)
	case ActSendCheck:
		c.State, c.Checker, c.Checked = Checking, e.Inspector, ""
		if c.Checker == "" {
			c.Checker = System
		}
	case ActAnswerCheck:
		c.State, c.Checked = Checked, e.Outcome
	case ActRework:
		c.State = Handling
		c.Reworks++
		c.mark(MarkReworked, e)
	case ActClose:
		c.end(Closed, e)
	}
}

// remember keeps who took which part, and what the media show.
func (c *Case) remember(e *Entry) {
	if slices.ContainsFunc(e.Media, func(m Media) bool { return m.Stage == StageHandled }) {
		c.HandledMedia = true
	}
	if e.Person == System {
		return
	}
	switch e.Act {
	case ActTake, ActAskReturn, ActAskExtension, ActAskSuspension, ActFeedBack, ActResume:
		if e.Role == Department {
			c.Parties = with(c.Parties, e.Person)
		}
	case ActSendCheck, ActAnswerCheck, ActRework:
		c.Judges = with(c.Judges, e.Person)
	case ActApprove, ActRefuse:
		if c.Request.Kind != Void {
			c.Judges = with(c.Judges, e.Person)
		}
	}
}

// with returns list with p, once.
func with(list []PersonID, p PersonID) []PersonID {
	if in(p, list) {
		return list
	}
	return append(slices.Clip(list), p)
}

func (c *Case) mark(k MarkKind, e *Entry) {
	c.Clock = append(slices.Clip(c.Clock), Mark{Kind: k, At: e.CountsAt})
}

func (c *Case) end(s State, e *Entry) {
	c.State = s
	c.mark(MarkEnded, e)
}

func (c *Case) report(e *Entry) {
	c.ID, c.State = e.Case, Reported
	c.Report, c.Reporter, c.ReportedAt = *e.Report, e.Actor, e.CountsAt
	c.Class, c.ClassName = e.Report.Class, e.Report.ClassName
	c.Condition, c.Cell = e.Report.Condition, e.Report.Cell
}

func (c *Case) file(e *Entry) {
	f := e.Filing
	c.State = Filed
	c.Condition, c.Cell, c.AreaClass, c.Limit = f.Condition, f.Cell, f.AreaClass, f.Limit
	c.mark(MarkFiled, e)
}

// take: the first department that takes a case has it. A request of another one to
// be let off has lost its object.
func (c *Case) take(e *Entry) {
	c.State, c.Handler = Handling, e.Department
	if c.Request != nil && c.Request.Kind == Return {
		c.Request = nil
	}
}

func (c *Case) approve(e *Entry) {
	r := c.Request
	c.Request = nil
	switch r.Kind {
	case Extension:
		c.Clock = append(slices.Clip(c.Clock), Mark{Kind: MarkExtended, At: e.CountsAt, Amount: r.Amount})
	case Suspension:
		c.State = Suspended
		c.mark(MarkSuspended, e)
	case Void:
		c.end(Voided, e)
	case Return:
		c.giveBack(r.By.Department, e)
	}
}

// giveBack takes a department off the list; the last one leaves the case filed again.
func (c *Case) giveBack(d DepartmentID, e *Entry) {
	c.SentTo = slices.DeleteFunc(slices.Clone(c.SentTo), func(other DepartmentID) bool { return other == d })
	c.Handler = ""
	if len(c.SentTo) > 0 {
		c.State = Dispatched
		return
	}
	c.State = Filed
	c.mark(MarkReturned, e)
}
