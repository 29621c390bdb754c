package api

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/schemas/codes"
)

// CaseMediaJSON names a stored photo, film or sound.
type CaseMediaJSON struct {
	SM3   string `json:"sm3" pattern:"^[0-9a-f]{64}$" doc:"Digest that the upload was answered with, or of what was sent"`
	Kind  string `json:"kind,omitempty" enum:"image,video,audio" doc:"In an act: absent takes what was found at the upload"`
	Stage string `json:"stage" enum:"report,verify,handled,check"`
}

// ClassificationJSON is a class for a case.
type ClassificationJSON struct {
	Class     string `json:"class" maxLength:"128" example:"CJ/T 214-2007:component:0101"`
	ClassName string `json:"class_name,omitempty" maxLength:"100" doc:"As the list called it; in an act it is the hub that puts it in"`
	Condition string `json:"condition,omitempty" maxLength:"64"`
}

// FilingJSON is what a shift leader says when a case is filed; the limit is the hub's.
type FilingJSON struct {
	Condition string `json:"condition,omitempty" maxLength:"64" doc:"Absent takes the one of the case"`
	Cell      string `json:"cell,omitempty" pattern:"^[0-9A-Za-z]{0,15}$" doc:"Absent takes the one of the case"`
	NoCell    string `json:"no_cell,omitempty" maxLength:"1000" doc:"Why there is no cell"`
}

// DeviceJSON is the part of an act that a device adds.
type DeviceJSON struct {
	Role     string          `json:"role,omitempty" enum:"inspector,acceptor,shift_leader,dispatcher,department" doc:"In which role; needed of people who have several that may"`
	At       *time.Time      `json:"at,omitempty" doc:"Clock of the device; without it the hub's counts"`
	Device   string          `json:"device,omitempty" maxLength:"64"`
	Person   string          `json:"person,omitempty" maxLength:"32" doc:"Who did it, as the device remembers; refused when somebody else has signed in since"`
	Position *PositionJSON   `json:"position,omitempty" doc:"Where the person stands"`
	Text     string          `json:"text,omitempty" maxLength:"2000" doc:"What was seen or done"`
	Media    []CaseMediaJSON `json:"media,omitempty" nullable:"false" maxItems:"20"`
}

// ActJSON is an act. docs/cases.md says who may do it when, and what it needs.
type ActJSON struct {
	Act string `json:"act" enum:"classify,send_verify,answer_verify,accept,reject,file,dispatch,take,ask_return,ask_extension,ask_suspension,ask_void,approve,refuse,withdraw,resume,feed_back,send_check,answer_check,rework,close,note"`
	DeviceJSON
	ClientID       string              `json:"client_id,omitempty" pattern:"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$" doc:"UUID that the device made, so that the act may be sent again"`
	Reason         string              `json:"reason,omitempty" maxLength:"1000" doc:"Why"`
	Classification *ClassificationJSON `json:"classification,omitempty" doc:"Of classify"`
	Filing         *FilingJSON         `json:"filing,omitempty" doc:"Of file"`
	Inspector      string              `json:"inspector,omitempty" maxLength:"32" doc:"Whom send_verify and send_check send"`
	Outcome        string              `json:"outcome,omitempty" enum:"yes,no" doc:"Of answer_verify and answer_check"`
	DuplicateOf    string              `json:"duplicate_of,omitempty" maxLength:"40" doc:"Of reject: the case that already holds this"`
	Departments    []string            `json:"departments,omitempty" nullable:"false" maxItems:"32" doc:"Of dispatch"`
	Amount         int64               `json:"amount,omitempty" minimum:"1" maximum:"10000" doc:"Of ask_extension: in the unit of the limit"`
	Request        uint32              `json:"request,omitempty" doc:"Of approve, refuse and withdraw: number of the entry that asked"`
}

// ActRequest is an act upon a case as somebody saw it.
type ActRequest struct {
	ActJSON
	ExpectEntries uint32 `json:"expect_entries,omitempty" doc:"Refuse the act unless the case has so many entries, as If-Match does"`
}

// ActDoneJSON is what became of an act.
type ActDoneJSON struct {
	Case     string   `json:"case"`
	Number   uint32   `json:"number" doc:"Of the entry in the case's journal"`
	State    string   `json:"state" doc:"Of the case now"`
	Entries  uint32   `json:"entries"`
	Repeated bool     `json:"repeated" doc:"The same upload had been taken before, and nothing was changed"`
	Followed []string `json:"followed" nullable:"false" doc:"Acts that the hub itself did upon this one"`
}

func actDoneJSON(d *desk.Done) ActDoneJSON {
	return ActDoneJSON{Case: string(d.Case.ID), Number: d.Number, State: string(d.Case.State), Entries: d.Case.Entries, Repeated: d.Repeated, Followed: plain(d.Followed)}
}

type (
	actInput struct {
		CasePath
		IfMatch string `header:"If-Match" maxLength:"64" doc:"ETag of the case as it was seen; with another one now the act is refused"`
		Body    ActRequest
	}
	actOutput struct {
		ETag string `header:"ETag"`
		Body ActDoneJSON
	}
)

// workers are the roles that act in cases.
func workers() []cases.Role {
	return slices.DeleteFunc(staff(), func(r cases.Role) bool { return r == cases.Admin })
}

// rolesOf are the roles that may do an act in some state.
func rolesOf(act cases.Act) (list []cases.Role) {
	for _, t := range cases.Table() {
		for _, r := range t.By {
			if t.Act == act && slices.Contains(workers(), r) && !slices.Contains(list, r) {
				list = append(list, r)
			}
		}
	}
	return list
}

func (c *caseRoutes) registerActs(api huma.API) {
	caseOperation(c, api, huma.Operation{
		OperationID: "act", Method: http.MethodPost, Path: "/api/v1/cases/{id}/acts", DefaultStatus: http.StatusCreated,
		Summary:     "Do something to a case",
		Description: "Each act takes the role that docs/cases.md names. An act that does not fit the case is refused with the reason in why and what fits in allowed.",
	}, workers(), c.postAct)
	caseOperation(c, api, huma.Operation{
		OperationID: "report", Method: http.MethodPost, Path: "/api/v1/cases", DefaultStatus: http.StatusCreated,
		Summary: "Report something, which makes a case",
	}, reporters(), c.postReport)
	caseOperation(c, api, huma.Operation{
		OperationID: "put-report", Method: http.MethodPut, Path: "/api/v1/reports/{client_id}", DefaultStatus: http.StatusCreated,
		Summary: "Report something from a device that may send it again: the answer is the same, and there is one case",
	}, reporters(), c.putReport)
	caseOperation(c, api, huma.Operation{
		OperationID: "act-batch", Method: http.MethodPost, Path: "/api/v1/acts/batch", MaxBodyBytes: 2 << 20,
		Summary:     "What a device did while it was without network, in its order",
		Description: "All are stored together. What is refused is told in its result and leaves the others alone; where the answer itself is an error, nothing was done.",
	}, workers(), c.postBatch)
}

func (c *caseRoutes) postAct(ctx context.Context, in *actInput) (*actOutput, error) {
	s, err := c.submission(ctx, cases.CaseID(in.ID), &in.Body.ActJSON)
	if err != nil {
		return nil, c.problemOf(ctx, "act", err)
	}
	if s.Expect, err = c.expected(ctx, s.Entry.Case, in.IfMatch, in.Body.ExpectEntries); err != nil {
		return nil, c.problemOf(ctx, "read case "+in.ID, err)
	}
	done, err := c.actOne(ctx, s)
	if err != nil {
		return nil, c.problemOf(ctx, fmt.Sprintf("%s of case %s", in.Body.Act, in.ID), err)
	}
	return &actOutput{ETag: entriesTag(done.Case.Entries), Body: actDoneJSON(&done)}, nil
}

func (c *caseRoutes) actOne(ctx context.Context, s desk.Submission) (desk.Done, error) {
	list, err := c.o.Desk.ActAll(ctx, []desk.Submission{s})
	if err != nil {
		return desk.Done{}, err
	}
	return list[0].Done, list[0].Err
}

// submission is the desk's form of an act by the person who asks.
func (c *caseRoutes) submission(ctx context.Context, id cases.CaseID, j *ActJSON) (desk.Submission, error) {
	act := cases.Act(j.Act)
	actor, bad := actorOf(ctx, j.Role, rolesOf(act))
	if bad != nil {
		return desk.Submission{}, bad
	}
	e := cases.Entry{
		Case: id, Act: act, Actor: actor, ClientID: j.ClientID, Reason: j.Reason, Inspector: cases.PersonID(j.Inspector),
		Outcome: cases.Outcome(j.Outcome), DuplicateOf: cases.CaseID(j.DuplicateOf), Amount: j.Amount, Request: j.Request,
	}
	for _, d := range j.Departments {
		e.Departments = append(e.Departments, cases.DepartmentID(d))
	}
	if f := j.Filing; f != nil {
		e.Filing = &cases.Filing{Condition: f.Condition, Cell: codes.CellCode(f.Cell), NoCell: f.NoCell}
	} else if act == cases.ActFile {
		e.Filing = &cases.Filing{} // all of it as the case has it
	}
	if k := j.Classification; k != nil {
		class, bad := c.class("body.classification.class", k.Class)
		if bad != nil {
			return desk.Submission{}, bad
		}
		e.Classification = &cases.Classification{Class: class, Condition: k.Condition}
	}
	err := c.device(ctx, &j.DeviceJSON, &e)
	return desk.Submission{Entry: e}, err
}

// class returns a class that one of the lists has.
func (c *caseRoutes) class(location, text string) (codes.Ref, *Problem) {
	class, err := codes.Parse(text)
	if err == nil {
		_, err = c.o.Lists.Lookup(class)
	}
	if err != nil {
		return class, fieldProblem(location, err.Error())
	}
	return class, nil
}

// device puts in what a device adds to an act. Media must have been uploaded; what is
// named by the digest of what was sent gets that of what is kept.
func (c *caseRoutes) device(ctx context.Context, j *DeviceJSON, e *cases.Entry) error {
	if j.Person != "" && j.Person != string(e.Person) {
		return problem(http.StatusForbidden, codeOtherPerson, fmt.Sprintf("%s did this, and %s sends it. Nothing was changed; it must be sent by who did it.", j.Person, e.Person))
	}
	if j.At != nil {
		e.At = j.At.UTC().Truncate(time.Millisecond)
	}
	e.Device, e.Position, e.Text = j.Device, j.Position.position(), j.Text
	for n, m := range j.Media {
		held, err := c.o.Desk.MediaBy(ctx, m.SM3)
		place := fmt.Sprintf("body.media[%d]", n)
		switch {
		case errors.Is(err, desk.ErrNoMedia):
			return fieldProblem(place+".sm3", "was not uploaded; send it to /api/v1/media first")
		case err != nil:
			return err
		case m.Kind != "" && m.Kind != held.Kind:
			return fieldProblem(place+".kind", fmt.Sprintf("%s, but the upload is %s", m.Kind, held.Kind))
		}
		e.Media = append(e.Media, cases.Media{SM3: held.SM3, Kind: cases.MediaKind(held.Kind), Stage: cases.Stage(m.Stage)})
	}
	return nil
}

// expected is how many entries a case must have for an act by somebody who saw it with
// tags, or with so many; 0 for any, and none that a case can have where both cannot be.
func (c *caseRoutes) expected(ctx context.Context, id cases.CaseID, ifMatch string, entries uint32) (uint32, error) {
	if ifMatch == "" || ifMatch == "*" {
		return entries, nil
	}
	wanted := tags(ifMatch)
	if entries == 0 && len(wanted) == 1 {
		return entriesOf(wanted[0]), nil
	}
	if entries == 0 { // one of several: the one that it has now, if any
		k, err := c.o.Desk.Case(ctx, id)
		if err != nil {
			return 0, err
		}
		entries = k.Entries
	}
	if !slices.Contains(wanted, entriesTag(entries)) {
		return noEntries, nil
	}
	return entries, nil
}

// noEntries is more entries than any case has.
const noEntries = math.MaxUint32

// entriesOf is the number that entriesTag made a tag of, or noEntries.
func entriesOf(tag string) uint32 {
	n, err := strconv.ParseUint(strings.Trim(tag, `"`), 10, 32)
	if err != nil || n == 0 || entriesTag(uint32(n)) != tag {
		return noEntries
	}
	return uint32(n)
}

// tags cuts a list of entity tags [RFC 9110 13.1.1].
func tags(header string) []string {
	list := strings.Split(header, ",")
	for n := range list {
		list[n] = strings.TrimSpace(list[n])
	}
	return list
}

// hasControl reports a character that a line of text has not.
func hasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }
