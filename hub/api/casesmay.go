package api

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/cases"
)

// MayFieldJSON is a field that an act takes.
type MayFieldJSON struct {
	Name     string `json:"name" enum:"reason,text,media,class,condition,cell,no_cell,inspector,outcome,duplicate_of,departments,amount"`
	Required bool   `json:"required"`
	When     string `json:"when,omitempty" enum:"outcome_no,other_class,no_cell,no_media" doc:"Required only then: where the answer is no, the class changes, there is no cell, or no media are given"`
	Value    string `json:"value,omitempty" doc:"As the case has it"`
}

// MayActJSON is an act that the table of docs/cases.md has for a role and the state of
// a case.
type MayActJSON struct {
	Act        string         `json:"act"`
	Role       string         `json:"role"`
	Request    string         `json:"request,omitempty" enum:"return,extension,suspension,void" doc:"Of approve, refuse and withdraw: what it is about"`
	Number     uint32         `json:"number,omitempty" doc:"Of the entry that asked; the act may name it as request"`
	To         []string       `json:"to" nullable:"false" doc:"States that may follow; empty: the same"`
	Possible   bool           `json:"possible" doc:"The person may do it now"`
	Why        string         `json:"why,omitempty" doc:"One word for the reason where it is not possible, as in problems; tour: nobody has signed in"`
	Fields     []MayFieldJSON `json:"fields" nullable:"false"`
	MediaStage string         `json:"media_stage" enum:"report,verify,handled,check" doc:"Of photos that are taken with it"`
	Deadline   *time.Time     `json:"deadline,omitempty" doc:"Of the approval of an extension: when the limit would end"`
}

// CaseMayJSON is what somebody may do to a case.
type CaseMayJSON struct {
	Entries uint32       `json:"entries" doc:"Of the case that this is about; an act may name it as expect_entries"`
	State   string       `json:"state"`
	Acts    []MayActJSON `json:"acts" nullable:"false" doc:"By role, in the order of docs/cases.md"`
}

type mayOutput struct {
	ETag string `header:"ETag" doc:"The number of entries, for If-Match of an act"`
	Body CaseMayJSON
}

func (c *caseRoutes) registerMay(api huma.API) {
	caseGet(c, api, "get-case-may", "/api/v1/cases/{id}/may", "What the person who asks may do to a case in each role, and what each act needs", c.getMay)
	caseGet(c, api, "get-case-limits", "/api/v1/cases/{id}/limits", "The limits of a case, and what they are made of", c.getLimits)
	caseGet(c, api, "get-case-events", "/api/v1/cases/{id}/events", "The component events that belong to a case", c.getEvents)
}

func (c *caseRoutes) getMay(ctx context.Context, in *CasePath) (*mayOutput, error) {
	k, err := c.o.Desk.Case(ctx, cases.CaseID(in.ID))
	if err != nil {
		return nil, c.problemOf(ctx, "read case "+in.ID, err)
	}
	out := &mayOutput{ETag: entriesTag(k.Entries), Body: CaseMayJSON{Entries: k.Entries, State: string(k.State), Acts: []MayActJSON{}}}
	p, tour := casePersonOf(ctx), visitOf(ctx).tour()
	roles := p.Roles
	if tour {
		roles = workers()
	}
	for _, r := range roles {
		for _, m := range c.mayOf(k, p.in(r)) {
			if tour {
				m.Possible, m.Why = false, "tour"
			}
			out.Body.Acts = append(out.Body.Acts, m)
		}
	}
	return out, nil
}

// mayOf is what the table has for an actor, with what the guards say.
func (c *caseRoutes) mayOf(k *cases.Case, actor cases.Actor) (list []MayActJSON) {
	for _, t := range cases.Table() {
		about := t.Request == "" || k.Request != nil && k.Request.Kind == t.Request
		if !about || !slices.Contains(t.By, actor.Role) || !slices.Contains(t.From, k.State) {
			continue
		}
		m := MayActJSON{Act: string(t.Act), Role: string(actor.Role), Request: string(t.Request), To: plain(t.To), Fields: fieldsOf(t.Act, k), MediaStage: string(stageOf(t.Act, actor.Role))}
		if t.Request != "" {
			m.Number = k.Request.Number
		}
		m.Why = whyNot(k, t.Act, actor, &c.o.Rules)
		m.Possible = m.Why == ""
		if t.Act == cases.ActApprove && t.Request == cases.Extension {
			m.Deadline = c.extended(k)
		}
		list = append(list, m)
	}
	return list
}

// whyNot is the reason against an act, or "".
func whyNot(k *cases.Case, act cases.Act, actor cases.Actor, r *cases.Rules) string {
	var conflict *cases.ConflictError
	if errors.As(k.Conflict(act, actor, r), &conflict) {
		return string(conflict.Why)
	}
	return ""
}

// extended is when the limit of a case would end if its request for more time were
// granted now; nil where nobody can say.
func (c *caseRoutes) extended(k *cases.Case) *time.Time {
	if c.o.Limits == nil || k.Request == nil {
		return nil
	}
	now := c.now()
	marks := append(slices.Clip(k.Clock), cases.Mark{Kind: cases.MarkExtended, At: now, Amount: k.Request.Amount})
	h, err := c.o.Limits.Handling(k.Limit, marks, now)
	if err != nil {
		return nil
	}
	return timeOrNil(h.Deadline)
}

// fieldsOf are the fields that an act takes, those first that it needs. Which these are
// is said by cases.Entry and the column needs of docs/cases.md; the tests compare.
func fieldsOf(act cases.Act, k *cases.Case) []MayFieldJSON {
	text, media := MayFieldJSON{Name: "text"}, MayFieldJSON{Name: "media"}
	must := func(name string) MayFieldJSON { return MayFieldJSON{Name: name, Required: true} }
	switch act {
	case cases.ActClassify:
		return []MayFieldJSON{{Name: "class", Required: true, Value: k.Class.String()}, {Name: "condition", Value: k.Condition}, {Name: "reason", When: "other_class"}, text}
	case cases.ActSendVerify, cases.ActSendCheck:
		return []MayFieldJSON{must("inspector"), text}
	case cases.ActAnswerVerify, cases.ActAnswerCheck:
		return []MayFieldJSON{must("outcome"), {Name: "reason", When: "outcome_no"}, text, media}
	case cases.ActReject:
		return []MayFieldJSON{must("reason"), {Name: "duplicate_of"}}
	case cases.ActFile:
		return []MayFieldJSON{{Name: "condition", Required: true, Value: k.Condition}, {Name: "cell", Value: string(k.Cell)}, {Name: "no_cell", When: "no_cell"}, text}
	case cases.ActDispatch:
		return []MayFieldJSON{must("departments"), text}
	case cases.ActAskExtension:
		return []MayFieldJSON{must("amount"), must("reason"), media}
	case cases.ActAskReturn, cases.ActAskSuspension, cases.ActAskVoid:
		return []MayFieldJSON{must("reason"), media}
	case cases.ActRefuse:
		return []MayFieldJSON{must("reason")}
	case cases.ActFeedBack:
		return []MayFieldJSON{must("text"), media}
	case cases.ActNote:
		return []MayFieldJSON{{Name: "text", When: "no_media"}, media}
	}
	return []MayFieldJSON{text}
}

// stageOf is the stage of photos that somebody takes with an act.
func stageOf(act cases.Act, r cases.Role) cases.Stage {
	switch {
	case act == cases.ActAnswerVerify:
		return cases.StageVerify
	case act == cases.ActAnswerCheck:
		return cases.StageCheck
	case r == cases.Department:
		return cases.StageHandled
	}
	return cases.StageReport
}
