package api

import (
	"context"
	"fmt"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/hub/cases/limits"
)

// DueJSON is a limit that runs, as it stands at a moment.
type DueJSON struct {
	Stage    string     `json:"stage" enum:"handling,send_verify,verify,accept,file,dispatch,send_check,check,close"`
	Light    string     `json:"light" enum:"none,green,yellow,red"`
	Deadline *time.Time `json:"deadline,omitempty" doc:"Absent while the clock stands"`
	LeftMs   int64      `json:"left_ms" doc:"Milliseconds that are left of it, negative when it has passed: of working time where working says so"`
	Working  bool       `json:"working" doc:"It counts working time only"`
	Ticking  bool       `json:"ticking" doc:"The clock runs at this very moment: not while suspended, and of working time not outside the shifts"`
}

// stepDue is the limit of the step that a case waits for; nil where there is none.
func (c *caseRoutes) stepDue(s cases.State, source cases.Source, began, now time.Time) *DueJSON {
	stage, ok := desk.Stage(s, source)
	if !ok || c.o.Limits == nil {
		return nil
	}
	light, deadline := desk.StageLight(c.o.Limits, stage, began, now)
	if light == limits.None {
		return nil
	}
	d := &DueJSON{Stage: string(stage), Light: string(light), Deadline: timeOrNil(deadline), Working: c.o.Limits.Stages[stage].Working}
	d.LeftMs, d.Ticking = c.left(deadline, now, d.Working), true
	if d.Working {
		d.Ticking = c.o.Limits.Calendar.Working(now)
	}
	return d
}

// left is the time until a deadline, negative after it.
func (c *caseRoutes) left(deadline, now time.Time, working bool) int64 {
	switch {
	case !working:
		return deadline.Sub(now).Milliseconds()
	case deadline.Before(now):
		return -c.o.Limits.Calendar.Worked(deadline, now).Milliseconds()
	}
	return c.o.Limits.Calendar.Worked(now, deadline).Milliseconds()
}

// handlingDue is the limit of handling while the department has it; nil before its
// clock begins, and once the department has fed back.
func (c *caseRoutes) handlingDue(k *cases.Case, now time.Time) *DueJSON {
	if k == nil || c.o.Limits == nil {
		return nil
	}
	h, err := c.o.Limits.Handling(k.Limit, k.Clock, now)
	if err != nil || !h.Begun || !h.Done.IsZero() || !h.Ended.IsZero() {
		return nil
	}
	return c.dueOf(&h, now)
}

func (c *caseRoutes) dueOf(h *limits.Handling, now time.Time) *DueJSON {
	d := &DueJSON{Stage: "handling", Light: string(h.Light()), Deadline: timeOrNil(h.Deadline), LeftMs: (h.Total - h.Used).Milliseconds(), Working: h.Limit.Unit != cases.UrgentHour}
	d.Ticking = h.Running && (!d.Working || c.o.Limits.Calendar.Working(now))
	return d
}

// LimitRuleJSON is a line of the limits file.
type LimitRuleJSON struct {
	Class      string        `json:"class"`
	Condition  string        `json:"condition" doc:"Empty: any"`
	Area       string        `json:"area" doc:"Class of the area; empty: any"`
	Limit      CaseLimitJSON `json:"limit"`
	Closes     string        `json:"closes" doc:"Closing condition"`
	Department string        `json:"department"`
	Source     string        `json:"source" doc:"Where the limit comes from"`
}

func ruleJSON(r *limits.Rule) LimitRuleJSON {
	return LimitRuleJSON{Class: r.Class.String(), Condition: r.Condition, Area: r.Area, Limit: CaseLimitJSON{Amount: r.Limit.Amount, Unit: string(r.Limit.Unit)},
		Closes: r.Closes, Department: string(r.Department), Source: r.Source}
}

// ClockMarkJSON is something that happened to the clock of handling.
type ClockMarkJSON struct {
	Kind   string    `json:"kind" enum:"filed,dispatched,returned,extended,suspended,resumed,fed_back,reworked,ended"`
	At     time.Time `json:"at"`
	Amount int64     `json:"amount,omitempty" doc:"Of an extension, in the limit's unit"`
}

// HandlingJSON is the limit of handling and what it is made of.
type HandlingJSON struct {
	DueJSON
	Limit   CaseLimitJSON  `json:"limit" doc:"As it was taken along at filing"`
	Rule    *LimitRuleJSON `json:"rule,omitempty" doc:"Line of the limits file that fits the case today"`
	Starts  string         `json:"starts" enum:"filed,dispatched"`
	Rework  string         `json:"rework" enum:"anew,left" doc:"What a case has that was sent back"`
	Begun   bool           `json:"begun"`
	UsedMs  int64          `json:"used_ms"`
	TotalMs int64          `json:"total_ms" doc:"With extensions"`
	Rounds  int            `json:"rounds"`
	Late    bool           `json:"late" doc:"A round ended after its deadline, or runs past it"`
	Overrun int64          `json:"overrun" doc:"Time used beyond the limit, in thousandths of it"`
	Done    *time.Time     `json:"done,omitempty" doc:"When the department fed back last"`
}

// CaseLimitsJSON are the limits of a case.
type CaseLimitsJSON struct {
	AsOf     time.Time       `json:"as_of"`
	Step     *DueJSON        `json:"step,omitempty" doc:"Of the step that it waits for"`
	Handling *HandlingJSON   `json:"handling,omitempty" doc:"Absent where nobody has set a limit"`
	Clock    []ClockMarkJSON `json:"clock" nullable:"false" doc:"What happened to the clock of handling, in its order"`
	Rules    []LimitRuleJSON `json:"rules" nullable:"false" doc:"Lines of the limits file for the class: their conditions are those to file under"`
}

type limitsOutput struct{ Body CaseLimitsJSON }

func (c *caseRoutes) getLimits(ctx context.Context, in *CasePath) (*limitsOutput, error) {
	entries, err := c.o.Desk.Journal(ctx, cases.CaseID(in.ID))
	if err != nil {
		return nil, c.problemOf(ctx, "limits of case "+in.ID, err)
	}
	k, err := cases.Fold(entries)
	if err != nil {
		return nil, c.problemOf(ctx, "limits of case "+in.ID, err)
	}
	now := c.now()
	out := &limitsOutput{Body: CaseLimitsJSON{AsOf: now, Step: c.stepDue(k.State, k.Report.Source, desk.Began(k, entries), now), Clock: []ClockMarkJSON{}, Rules: []LimitRuleJSON{}}}
	for _, m := range k.Clock {
		out.Body.Clock = append(out.Body.Clock, ClockMarkJSON{Kind: string(m.Kind), At: m.At, Amount: m.Amount})
	}
	if c.o.Limits == nil {
		return out, nil
	}
	for n := range c.o.Limits.Rules {
		r := &c.o.Limits.Rules[n]
		if rule, ok := c.o.Limits.Find(k.Class, r.Condition, r.Area); ok && rule.Line == r.Line {
			out.Body.Rules = append(out.Body.Rules, ruleJSON(r))
		}
	}
	if out.Body.Handling, err = c.handlingParts(k, now); err != nil {
		return nil, c.problemOf(ctx, "limits of case "+in.ID, err)
	}
	return out, nil
}

// handlingParts is nil where a case has no limit.
func (c *caseRoutes) handlingParts(k *cases.Case, now time.Time) (*HandlingJSON, error) {
	if !k.Limit.Known() {
		return nil, nil
	}
	h, err := c.o.Limits.Handling(k.Limit, k.Clock, now)
	if err != nil {
		return nil, fmt.Errorf("limit of case %s: %w", k.ID, err)
	}
	out := &HandlingJSON{Limit: *limitJSON(k.Limit), Starts: string(c.o.Limits.Starts), Rework: string(c.o.Limits.Rework), Begun: h.Begun,
		UsedMs: h.Used.Milliseconds(), TotalMs: h.Total.Milliseconds(), Rounds: h.Rounds, Late: h.Late, Overrun: h.Overrun(), Done: timeOrNil(h.Done)}
	h.Limit = k.Limit
	out.DueJSON = *c.dueOf(&h, now)
	if rule, ok := c.o.Limits.Find(k.Class, k.Condition, k.AreaClass); ok {
		j := ruleJSON(&rule)
		out.Rule = &j
	}
	return out, nil
}

// CaseEventJSON is a component event of a case.
type CaseEventJSON struct {
	ID        string     `json:"id"`
	Kind      string     `json:"kind"`
	Collector string     `json:"collector"`
	Meter     string     `json:"meter"`
	Component string     `json:"component"`
	Line      string     `json:"line"`
	Since     *time.Time `json:"since,omitempty"`
	Opened    *time.Time `json:"opened,omitempty"`
	Cleared   *time.Time `json:"cleared,omitempty" doc:"Absent while it goes on"`
	Outcome   string     `json:"outcome" enum:"waiting,case,joined,passed"`
	Note      string     `json:"note"`
}

type eventsOutput struct{ Body []CaseEventJSON }

func (c *caseRoutes) getEvents(ctx context.Context, in *CasePath) (*eventsOutput, error) {
	if _, err := c.o.Desk.Case(ctx, cases.CaseID(in.ID)); err != nil {
		return nil, c.problemOf(ctx, "read case "+in.ID, err)
	}
	list, err := c.o.Desk.EventsOf(ctx, cases.CaseID(in.ID))
	if err != nil {
		return nil, c.problemOf(ctx, "events of case "+in.ID, err)
	}
	out := &eventsOutput{Body: make([]CaseEventJSON, len(list))}
	for n := range list {
		e := &list[n]
		out.Body[n] = CaseEventJSON{ID: string(e.ID), Kind: string(e.Kind), Collector: string(e.Collector), Meter: string(e.Meter), Component: string(e.Component),
			Line: e.Line, Since: timeOrNil(e.Since), Opened: timeOrNil(e.Opened), Cleared: timeOrNil(e.Cleared), Outcome: e.Outcome, Note: e.Note}
	}
	return out, nil
}
