package api

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/schemas"
)

// ReportedJSON is what somebody has seen: an acquisition record [GB/T 30428.7]. Cell,
// duty grid and the name of the class are the hub's.
type ReportedJSON struct {
	Source      string        `json:"source,omitempty" enum:"inspector,public,hotline,video,leader,media,web,assessment,inspection" doc:"Absent: inspector, of inspectors"`
	Type        string        `json:"type,omitempty" enum:"daily,census,other" doc:"Absent: daily"`
	Task        string        `json:"task,omitempty" maxLength:"40"`
	Class       string        `json:"class" maxLength:"128" example:"CJ/T 214-2007:component:0101"`
	Component   string        `json:"component,omitempty" pattern:"^[0-9A-Za-z_-]{0,40}$" doc:"Always a string"`
	Condition   string        `json:"condition,omitempty" maxLength:"64" doc:"Filing condition that was seen"`
	Description string        `json:"description" maxLength:"2000"`
	Location    string        `json:"location,omitempty" maxLength:"256" doc:"In words; needed without a position or a known component"`
	Position    *PositionJSON `json:"position,omitempty" doc:"Where the thing is"`
	Urgency     string        `json:"urgency,omitempty" enum:"normal,urgent,dangerous" doc:"Absent: normal"`
	SelfHandled bool          `json:"self_handled,omitempty" doc:"The inspector put it right on the spot"`
	ReplyWanted bool          `json:"reply_wanted,omitempty" doc:"The petitioner wants an answer"`
}

// NewReportJSON is a report with what goes with it.
type NewReportJSON struct {
	DeviceJSON
	Report ReportedJSON `json:"report"`
	// Petitioner never comes into the journal.
	Petitioner *PetitionerJSON `json:"petitioner,omitempty" doc:"Who of the public reported it; kept apart from the journal"`
}

type (
	reportInput struct {
		Body struct {
			NewReportJSON
			ClientID string `json:"client_id,omitempty" pattern:"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$" doc:"UUID that the device made"`
		}
	}
	putReportInput struct {
		ClientID string `path:"client_id" pattern:"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$" doc:"UUID that the device made"`
		Body     NewReportJSON
	}
	reportOutput struct {
		Status   int
		Location string `header:"Location"`
		ETag     string `header:"ETag"`
		Body     ActDoneJSON
	}
)

// reporters are the roles of the staff that report.
func reporters() []cases.Role { return rolesOf(cases.ActReport) }

func (c *caseRoutes) postReport(ctx context.Context, in *reportInput) (*reportOutput, error) {
	return c.takeReport(ctx, &in.Body.NewReportJSON, in.Body.ClientID)
}

func (c *caseRoutes) putReport(ctx context.Context, in *putReportInput) (*reportOutput, error) {
	return c.takeReport(ctx, &in.Body, in.ClientID)
}

func (c *caseRoutes) takeReport(ctx context.Context, j *NewReportJSON, clientID string) (*reportOutput, error) {
	s, err := c.report(ctx, j, clientID)
	if err != nil {
		return nil, c.problemOf(ctx, "report", err)
	}
	done, err := c.actOne(ctx, s)
	if err != nil {
		return nil, c.problemOf(ctx, "report", err)
	}
	out := &reportOutput{Status: http.StatusCreated, Location: "/api/v1/cases/" + string(done.Case.ID), ETag: entriesTag(done.Case.Entries), Body: actDoneJSON(&done)}
	if done.Repeated {
		out.Status = http.StatusOK
	}
	return out, nil
}

// report is the desk's form of a report by the person who asks.
func (c *caseRoutes) report(ctx context.Context, j *NewReportJSON, clientID string) (desk.Submission, error) {
	actor, bad := actorOf(ctx, j.Role, reporters())
	if bad != nil {
		return desk.Submission{}, bad
	}
	class, bad := c.class("body.report.class", j.Report.Class)
	if bad != nil {
		return desk.Submission{}, bad
	}
	r := &j.Report
	e := cases.Entry{Act: cases.ActReport, Actor: actor, ClientID: clientID, Report: &cases.Report{
		Source: cases.Source(r.Source), Type: orElse(cases.CaseType(r.Type), cases.Daily), Task: r.Task, Class: class, Component: schemas.ComponentID(r.Component),
		Condition: r.Condition, Description: r.Description, Location: r.Location, Position: r.Position.position(),
		Urgency: orElse(cases.Urgency(r.Urgency), cases.Normal), SelfHandled: r.SelfHandled, ReplyWanted: r.ReplyWanted,
	}}
	if actor.Role == cases.Inspector {
		e.Report.Source = orElse(e.Report.Source, cases.SourceInspector)
	}
	s := desk.Submission{}
	if p := j.Petitioner; p != nil {
		var err error
		if s.Petitioner, err = c.o.petitioner(p.Name, p.Phone, p.Email); err != nil {
			return s, err
		}
	}
	err := c.device(ctx, &j.DeviceJSON, &e)
	s.Entry = e
	return s, err
}

func orElse[T comparable](v, otherwise T) T {
	var none T
	if v == none {
		return otherwise
	}
	return v
}

// petitioner salts the personal data of somebody of the public. Its faults are
// *schemas.FieldError.
func (o *Cases) petitioner(name, phone, email string) (*cases.Petitioner, error) {
	var salt [16]byte
	if _, err := io.ReadFull(o.Chance, salt[:]); err != nil {
		return nil, fmt.Errorf("draw a salt: %w", err)
	}
	p := &cases.Petitioner{Name: name, Phone: phone, Email: email, Salt: hex.EncodeToString(salt[:])}
	return p, p.Validate()
}

// BatchItemJSON is one thing that a device did: a report, or an act upon a case.
type BatchItemJSON struct {
	Case   string         `json:"case,omitempty" pattern:"^[0-9A-Za-z_-]{0,40}$" doc:"Of an act"`
	Act    *ActJSON       `json:"act,omitempty" doc:"Give either this or report"`
	Report *NewReportJSON `json:"report,omitempty"`
	// ClientID is needed: a batch is sent again when its answer is lost.
	ClientID string `json:"client_id" pattern:"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$" doc:"UUID that the device made"`
}

// BatchResultJSON is what became of one item: either done or the problem.
type BatchResultJSON struct {
	ClientID string       `json:"client_id"`
	Done     *ActDoneJSON `json:"done,omitempty"`
	Problem  *Problem     `json:"problem,omitempty"`
}

type (
	batchInput struct {
		Body struct {
			Items []BatchItemJSON `json:"items" minItems:"1" maxItems:"100" nullable:"false"`
		}
	}
	batchOutput struct {
		Body struct {
			Results []BatchResultJSON `json:"results" nullable:"false" doc:"In the order of the items"`
		}
	}
)

func (c *caseRoutes) postBatch(ctx context.Context, in *batchInput) (*batchOutput, error) {
	out := &batchOutput{}
	out.Body.Results = make([]BatchResultJSON, len(in.Body.Items))
	var list []desk.Submission
	var places []int
	for n := range in.Body.Items {
		item := &in.Body.Items[n]
		out.Body.Results[n].ClientID = item.ClientID
		s, err := c.batchItem(ctx, item)
		if err != nil {
			bad := c.problemOf(ctx, "batch", err)
			if bad.Status >= http.StatusInternalServerError {
				return nil, bad
			}
			out.Body.Results[n].Problem = bad
			continue
		}
		list, places = append(list, s), append(places, n)
	}
	if len(list) == 0 {
		return out, nil
	}
	done, err := c.o.Desk.ActAll(ctx, list)
	if err != nil {
		return nil, c.problemOf(ctx, "batch", err)
	}
	for n := range done {
		r := &out.Body.Results[places[n]]
		if err := done[n].Err; err != nil {
			r.Problem = c.problemOf(ctx, "batch", err)
			continue
		}
		j := actDoneJSON(&done[n].Done)
		r.Done = &j
	}
	return out, nil
}

func (c *caseRoutes) batchItem(ctx context.Context, item *BatchItemJSON) (desk.Submission, error) {
	switch {
	case (item.Act == nil) == (item.Report == nil):
		return desk.Submission{}, fieldProblem("body.act", "give either act or report")
	case item.Report != nil && item.Case != "":
		return desk.Submission{}, fieldProblem("body.case", "given; the number of a new case is the hub's")
	case item.Report != nil:
		return c.report(ctx, item.Report, item.ClientID)
	case item.Case == "":
		return desk.Submission{}, fieldProblem("body.case", "missing; name the case")
	case item.Act.ClientID != "" && item.Act.ClientID != item.ClientID:
		return desk.Submission{}, fieldProblem("body.act.client_id", "differs from the one of the item; give it there alone")
	}
	item.Act.ClientID = item.ClientID
	return c.submission(ctx, cases.CaseID(item.Case), item.Act)
}
