package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/cases"
	"citygrid/hub/cases/limits"
)

// CaseDetail is a case, and what the person who asks may do to it.
type CaseDetail struct {
	ID            string            `json:"id"`
	State         string            `json:"state"`
	Since         time.Time         `json:"since" doc:"When the state began"`
	Report        CaseReportJSON    `json:"report" doc:"As reported"`
	Reporter      ActorJSON         `json:"reporter"`
	Reported      time.Time         `json:"reported"`
	Class         string            `json:"class" doc:"As it is now"`
	ClassName     string            `json:"class_name"`
	Condition     string            `json:"condition"`
	Cell          string            `json:"cell"`
	AreaClass     string            `json:"area_class"`
	Limit         *CaseLimitJSON    `json:"limit,omitempty" doc:"Absent where nobody has set one"`
	Light         string            `json:"light" enum:"none,green,yellow,red"`
	Deadline      *time.Time        `json:"deadline,omitempty"`
	Verifier      string            `json:"verifier"`
	Verified      string            `json:"verified"`
	Checker       string            `json:"checker"`
	Checked       string            `json:"checked"`
	DuplicateOf   string            `json:"duplicate_of"`
	SentTo        []string          `json:"sent_to" nullable:"false" doc:"Departments that have it to take, or have taken it"`
	Handler       string            `json:"handler"`
	HandlerName   string            `json:"handler_name"`
	Suggested     []string          `json:"suggested" nullable:"false" doc:"Departments that the register proposes, while it is filed"`
	Reworks       int               `json:"reworks"`
	Request       *CaseRequestJSON  `json:"request,omitempty" doc:"The request that is open"`
	Cleared       bool              `json:"cleared" doc:"The event of a sensor's case has ended"`
	HasPetitioner bool              `json:"has_petitioner" doc:"Somebody of the public reported it; who, is told to acceptors and shift leaders"`
	Entries       uint32            `json:"entries"`
	Head          string            `json:"head" doc:"SM3 digest of the last entry"`
	Allowed       []CaseAllowedJSON `json:"allowed" nullable:"false" doc:"What the person who asks may do now, in each role"`
}

// CaseAllowedJSON is what a person may do in a role.
type CaseAllowedJSON struct {
	Role string   `json:"role"`
	Acts []string `json:"acts" nullable:"false"`
}

// ActorJSON is a person in a role.
type ActorJSON struct {
	Person     string `json:"person"`
	Role       string `json:"role"`
	Department string `json:"department,omitempty"`
}

func actorJSON(a cases.Actor) ActorJSON {
	return ActorJSON{Person: string(a.Person), Role: string(a.Role), Department: string(a.Department)}
}

// CaseLimitJSON is a time limit.
type CaseLimitJSON struct {
	Amount int64  `json:"amount"`
	Unit   string `json:"unit" enum:"urgent_hour,work_hour,work_day"`
}

func limitJSON(l cases.Limit) *CaseLimitJSON {
	if !l.Known() {
		return nil
	}
	return &CaseLimitJSON{Amount: l.Amount, Unit: string(l.Unit)}
}

// CaseRequestJSON is a request that is open.
type CaseRequestJSON struct {
	Kind   string    `json:"kind" enum:"return,extension,suspension,void"`
	Number uint32    `json:"number" doc:"Number of the entry that asked; an answer may name it"`
	By     ActorJSON `json:"by"`
	Amount int64     `json:"amount,omitempty" doc:"Of an extension, in the limit's unit"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// CaseReportJSON is an acquisition record as the journal has it.
type CaseReportJSON struct {
	Source        string        `json:"source"`
	Type          string        `json:"type"`
	Task          string        `json:"task,omitempty"`
	Class         string        `json:"class"`
	ClassName     string        `json:"class_name"`
	Component     string        `json:"component,omitempty"`
	Condition     string        `json:"condition,omitempty"`
	Description   string        `json:"description,omitempty"`
	Location      string        `json:"location,omitempty"`
	Position      *PositionJSON `json:"position,omitempty"`
	Cell          string        `json:"cell,omitempty"`
	Duty          string        `json:"duty,omitempty"`
	Urgency       string        `json:"urgency"`
	SelfHandled   bool          `json:"self_handled,omitempty"`
	Event         string        `json:"event,omitempty"`
	ReplyWanted   bool          `json:"reply_wanted,omitempty"`
	PetitionerSM3 string        `json:"petitioner_sm3,omitempty" doc:"Digest of who reported it, with a salt"`
}

func caseReportJSON(r *cases.Report) CaseReportJSON {
	return CaseReportJSON{
		Source: string(r.Source), Type: string(r.Type), Task: r.Task, Class: r.Class.String(), ClassName: r.ClassName, Component: string(r.Component),
		Condition: r.Condition, Description: r.Description, Location: r.Location, Position: positionJSON(r.Position), Cell: string(r.Cell), Duty: string(r.Duty),
		Urgency: string(r.Urgency), SelfHandled: r.SelfHandled, Event: string(r.Event), ReplyWanted: r.ReplyWanted, PetitionerSM3: r.PetitionerSM3,
	}
}

type caseOutput struct {
	ETag string `header:"ETag" doc:"The number of entries, for If-Match of an act"`
	Body CaseDetail
}

func (c *caseRoutes) getCase(ctx context.Context, in *CasePath) (*caseOutput, error) {
	k, err := c.o.Desk.Case(ctx, cases.CaseID(in.ID))
	if err != nil {
		return nil, c.problemOf(ctx, "read case "+in.ID, err)
	}
	out := &caseOutput{ETag: entriesTag(k.Entries), Body: c.detail(ctx, k)}
	if k.State == cases.Filed {
		to, err := c.o.Desk.Suggest(ctx, k.ID)
		if err != nil {
			return nil, c.problemOf(ctx, "suggest departments for "+in.ID, err)
		}
		out.Body.Suggested = plain(to)
	}
	return out, nil
}

// detail is all of a case but the departments that the register proposes.
func (c *caseRoutes) detail(ctx context.Context, k *cases.Case) CaseDetail {
	d := CaseDetail{
		ID: string(k.ID), State: string(k.State), Since: k.Since, Report: caseReportJSON(&k.Report), Reporter: actorJSON(k.Reporter), Reported: k.ReportedAt,
		Class: k.Class.String(), ClassName: k.ClassName, Condition: k.Condition, Cell: string(k.Cell), AreaClass: k.AreaClass, Limit: limitJSON(k.Limit),
		Verifier: string(k.Verifier), Verified: string(k.Verified), Checker: string(k.Checker), Checked: string(k.Checked), DuplicateOf: string(k.DuplicateOf),
		SentTo: plain(k.SentTo), Handler: string(k.Handler), HandlerName: c.departmentName(ctx, k.Handler), Suggested: []string{}, Reworks: k.Reworks,
		Cleared: k.Cleared, HasPetitioner: k.Report.PetitionerSM3 != "", Entries: k.Entries, Head: k.Head, Allowed: []CaseAllowedJSON{},
	}
	var light limits.Light
	light, d.Deadline = c.light(k)
	d.Light = string(light)
	if r := k.Request; r != nil {
		d.Request = &CaseRequestJSON{Kind: string(r.Kind), Number: r.Number, By: actorJSON(r.By), Amount: r.Amount, Reason: r.Reason, At: r.At}
	}
	p := casePersonOf(ctx)
	for _, r := range p.Roles {
		d.Allowed = append(d.Allowed, CaseAllowedJSON{Role: string(r), Acts: plain(cases.Allowed(k, p.in(r), &c.o.Rules))})
	}
	return d
}

// light is the traffic light and the deadline of a case. What the calendar does not
// cover has none.
func (c *caseRoutes) light(k *cases.Case) (limits.Light, *time.Time) {
	if c.o.Limits == nil {
		return limits.None, nil
	}
	h, err := c.o.Limits.Handling(k.Limit, k.Clock, c.now())
	if err != nil {
		return limits.None, nil
	}
	return h.Light(), timeOrNil(h.Deadline)
}

func entriesTag(n uint32) string { return fmt.Sprintf("%q", fmt.Sprint(n)) }

// EntryJSON is an entry of a journal: what its canonical form has, and its digest.
type EntryJSON struct {
	Case           string              `json:"case"`
	Number         uint32              `json:"number"`
	Act            string              `json:"act"`
	Person         string              `json:"person"`
	Role           string              `json:"role"`
	Department     string              `json:"department,omitempty"`
	At             time.Time           `json:"at" doc:"Clock of the device"`
	ReceivedAt     time.Time           `json:"received_at" doc:"Clock of the hub"`
	CountsAt       time.Time           `json:"counts_at" doc:"The one of the two that counts"`
	ClockRefused   bool                `json:"clock_refused,omitempty"`
	ClientID       string              `json:"client_id,omitempty"`
	Device         string              `json:"device,omitempty"`
	Position       *PositionJSON       `json:"position,omitempty"`
	Reason         string              `json:"reason,omitempty"`
	Text           string              `json:"text,omitempty"`
	Media          []CaseMediaJSON     `json:"media,omitempty" nullable:"false"`
	Report         *CaseReportJSON     `json:"report,omitempty"`
	Classification *ClassificationJSON `json:"classification,omitempty"`
	Filing         *EntryFilingJSON    `json:"filing,omitempty"`
	Inspector      string              `json:"inspector,omitempty"`
	Outcome        string              `json:"outcome,omitempty"`
	DuplicateOf    string              `json:"duplicate_of,omitempty"`
	Departments    []string            `json:"departments,omitempty" nullable:"false"`
	Amount         int64               `json:"amount,omitempty"`
	Request        uint32              `json:"request,omitempty"`
	Event          string              `json:"event,omitempty"`
	Previous       string              `json:"previous,omitempty" doc:"Digest of the entry before"`
	SM3            string              `json:"sm3" doc:"Digest of this entry"`
}

// EntryFilingJSON is what stands fixed once a case is filed.
type EntryFilingJSON struct {
	Condition string         `json:"condition"`
	Cell      string         `json:"cell,omitempty"`
	NoCell    string         `json:"no_cell,omitempty"`
	AreaClass string         `json:"area_class,omitempty"`
	Limit     *CaseLimitJSON `json:"limit,omitempty"`
}

type journalOutput struct{ Body []EntryJSON }

func (c *caseRoutes) getJournal(ctx context.Context, in *CasePath) (*journalOutput, error) {
	entries, err := c.o.Desk.Journal(ctx, cases.CaseID(in.ID))
	if err != nil {
		return nil, c.problemOf(ctx, "journal of case "+in.ID, err)
	}
	out := &journalOutput{Body: make([]EntryJSON, len(entries))}
	for n := range entries {
		e, err := entryJSON(&entries[n])
		if err != nil {
			return nil, c.problemOf(ctx, "journal of case "+in.ID, err)
		}
		out.Body[n] = e
	}
	return out, nil
}

// entryJSON goes by the canonical form, so that no field can be forgotten.
func entryJSON(e *cases.Entry) (EntryJSON, error) {
	data, err := e.MarshalJSON()
	if err != nil {
		return EntryJSON{}, err
	}
	j := EntryJSON{SM3: e.Digest()}
	err = json.Unmarshal(data, &j)
	return j, err
}

// PetitionerJSON is who reported something: personal data.
type PetitionerJSON struct {
	Name  string `json:"name,omitempty" maxLength:"100"`
	Phone string `json:"phone,omitempty" maxLength:"32"`
	Email string `json:"email,omitempty" maxLength:"254"`
}

type petitionerOutput struct{ Body PetitionerJSON }

func (c *caseRoutes) registerPetitioners(api huma.API) {
	caseOperation(c, api, huma.Operation{
		OperationID: "get-petitioner", Method: http.MethodGet, Path: "/api/v1/cases/{id}/petitioner", Summary: "Who of the public reported a case",
	}, []cases.Role{cases.Acceptor, cases.ShiftLeader}, c.getPetitioner)
	caseOperation(c, api, huma.Operation{
		OperationID: "forget-petitioner", Method: http.MethodDelete, Path: "/api/v1/cases/{id}/petitioner", Summary: "Delete the personal data of who reported a case",
		Description: "The journal keeps a digest with a salt, which tells nothing.",
	}, []cases.Role{cases.Admin}, c.forgetPetitioner)
}

func (c *caseRoutes) getPetitioner(ctx context.Context, in *CasePath) (*petitionerOutput, error) {
	if _, err := c.o.Desk.Case(ctx, cases.CaseID(in.ID)); err != nil {
		return nil, c.problemOf(ctx, "read case "+in.ID, err)
	}
	p, err := c.o.Desk.Petitioner(ctx, cases.CaseID(in.ID))
	if err != nil {
		return nil, c.problemOf(ctx, "petitioner of case "+in.ID, err)
	}
	if p == nil {
		return nil, problem(http.StatusNotFound, codeNoPetitioner, "Nobody is named as who reported this case, or the data have been deleted.")
	}
	c.log.Info("petitioner's data read", "case", in.ID, "by", casePersonOf(ctx).ID)
	return &petitionerOutput{Body: PetitionerJSON{Name: p.Name, Phone: p.Phone, Email: p.Email}}, nil
}

func (c *caseRoutes) forgetPetitioner(ctx context.Context, in *CasePath) (*struct{}, error) {
	if _, err := c.o.Desk.Case(ctx, cases.CaseID(in.ID)); err != nil {
		return nil, c.problemOf(ctx, "read case "+in.ID, err)
	}
	if err := c.o.Desk.Forget(ctx, cases.CaseID(in.ID)); err != nil {
		return nil, c.problemOf(ctx, "forget the petitioner of case "+in.ID, err)
	}
	c.log.Info("petitioner's data deleted", "case", in.ID, "by", casePersonOf(ctx).ID)
	return nil, nil
}
