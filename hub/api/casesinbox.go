package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/hub/cases/limits"
)

// CaseInbox tells what waits for whom, as desk.Desk.
type CaseInbox interface {
	Waiting(ctx context.Context, in desk.Inbox, t desk.Task, page desk.Page) ([]desk.Standing, error)
	Latest(ctx context.Context, in desk.Inbox, open bool, page desk.Page) ([]desk.Standing, desk.Reach, error)
	Look(ctx context.Context, ids []cases.CaseID) ([]desk.Waiting, error)
	Tally(ctx context.Context, in desk.Inbox, tasks []desk.Task) ([]desk.TaskTally, error)
	EventsOf(ctx context.Context, id cases.CaseID) ([]desk.EventRecord, error)
}

// InboxRowJSON is a case in an inbox.
type InboxRowJSON struct {
	CaseJSON
	Step     *DueJSON `json:"step,omitempty" doc:"Limit of the step that the case waits for"`
	Handling *DueJSON `json:"handling,omitempty" doc:"Limit of handling, while its clock has begun and the department has not fed back"`
	SentTo   []string `json:"sent_to" nullable:"false" doc:"Departments that have it to take, or have taken it"`
	Acts     []string `json:"acts" nullable:"false" doc:"What the person who asks may do to it now, in the role of the inbox"`
}

// InboxTabJSON is a task of a role.
type InboxTabJSON struct {
	Key   string `json:"key" doc:"For the parameter tab: a state, or request. and the kind of a request" example:"request.return"`
	Count int64  `json:"count"`
	Late  int64  `json:"late" doc:"Of these, those past their limit"`
}

// InboxPage is a page of an inbox.
type InboxPage struct {
	AsOf time.Time      `json:"as_of"`
	Role string         `json:"role"`
	Tab  string         `json:"tab"`
	Tabs []InboxTabJSON `json:"tabs" nullable:"false" doc:"What waits for the role, from the table of docs/cases.md, with the filters applied"`
	Rows []InboxRowJSON `json:"rows" nullable:"false"`
	Next string         `json:"next,omitempty" doc:"Cursor of the page that follows; absent after the last"`
	// SearchedTo is set where a page ends before it is full.
	SearchedTo *time.Time `json:"searched_to,omitempty" doc:"A search of the tabs open and all looks at part of the cases for a page: those reported since. The page that follows goes on from there"`
}

type (
	inboxInput struct {
		Role       string `query:"role" enum:"inspector,acceptor,shift_leader,dispatcher,department," doc:"Whose inbox; absent: the first role that the person acts in"`
		Tab        string `query:"tab" maxLength:"32" pattern:"^[a-z_.]*$" doc:"One of the tabs; waiting (all of them), open (what is not at its end) or all"`
		Class      string `query:"class" maxLength:"128" doc:"Only of this class, or of those that begin so"`
		Cell       string `query:"cell" pattern:"^[0-9A-Z]{0,15}$" doc:"Only in this cell, or in the area with this code"`
		Department string `query:"department" pattern:"^[0-9A-Za-z_-]{0,32}$" doc:"Only what was sent to this department"`
		Source     string `query:"source" enum:"inspector,public,hotline,video,leader,media,web,assessment,inspection,sensor," doc:"Only from this source"`
		Light      string `query:"light" enum:"none,green,yellow,red," doc:"Only with this traffic light now: of the step that waits, else of handling"`
		State      string `query:"state" pattern:"^[a-z_]{0,32}$" doc:"Of the tabs open and all: only cases in this state"`
		Search     string `query:"q" maxLength:"64" doc:"Only where the number, class, place, description or component has this"`
		Cursor     string `query:"cursor" pattern:"^[0-9._~]{0,600}$" doc:"The next of the page before"`
		Limit      int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Rows a page"`
	}
	inboxOutput struct{ Body InboxPage }
)

// The tabs that are no single task.
const (
	tabWaiting = "waiting"
	tabOpen    = "open"
	tabAll     = "all"
)

func (c *caseRoutes) registerInbox(api huma.API) {
	caseGet(c, api, "inbox", "/api/v1/inbox", "What waits for a role, the oldest limit first", c.getInbox)
}

func taskKey(t desk.Task) string {
	if t.Request != "" {
		return "request." + string(t.Request)
	}
	return string(t.State)
}

// inboxRole is in which role somebody looks at an inbox. Who acts in no case looks on.
func inboxRole(ctx context.Context, named string) (cases.Role, *Problem) {
	p := casePersonOf(ctx)
	own := slices.DeleteFunc(slices.Clone(p.Roles), func(r cases.Role) bool { return !slices.Contains(workers(), r) })
	switch {
	case named == "" && len(own) > 0:
		return own[0], nil
	case named == "":
		return cases.Acceptor, nil
	case len(own) > 0 && !slices.Contains(own, cases.Role(named)):
		return "", needCaseRole(p, cases.Role(named))
	}
	return cases.Role(named), nil
}

func (in *inboxInput) inbox() (desk.Inbox, *Problem) {
	for _, text := range [][2]string{{"query.class", in.Class}, {"query.q", in.Search}} {
		if !utf8.ValidString(text[1]) || hasControl(text[1]) {
			return desk.Inbox{}, fieldProblem(text[0], "no case has such characters")
		}
	}
	f := desk.Filter{Class: in.Class, Cell: in.Cell, Department: cases.DepartmentID(in.Department), Source: cases.Source(in.Source)}
	if in.State != "" {
		f.States = []cases.State{cases.State(in.State)}
	}
	return desk.Inbox{Filter: f, Text: in.Search, Light: limits.Light(in.Light)}, nil
}

// own narrows an inbox to what waits for this very person or department.
func own(in desk.Inbox, p *CasePerson, r cases.Role, t desk.Task) desk.Inbox {
	switch {
	case r == cases.Inspector:
		in.Filter.Inspector = p.ID
	case r == cases.Department && (t.State == cases.Handling || t.State == cases.Suspended):
		in.Filter.Handler = p.Department // others on the list wait for nothing
	case r == cases.Department && p.Department != "":
		in.Filter.Department = p.Department
	}
	return in
}

func (c *caseRoutes) getInbox(ctx context.Context, in *inboxInput) (*inboxOutput, error) {
	role, bad := inboxRole(ctx, in.Role)
	if bad != nil {
		return nil, bad
	}
	ask, bad := in.inbox()
	if bad != nil {
		return nil, bad
	}
	tab := orElse(in.Tab, tabWaiting)
	out := &inboxOutput{Body: InboxPage{AsOf: c.now(), Role: string(role), Tab: tab, Tabs: []InboxTabJSON{}, Rows: []InboxRowJSON{}}}
	var chosen []desk.Task
	for _, t := range desk.Tasks(role) {
		n, err := c.o.Desk.Tally(ctx, own(ask, casePersonOf(ctx), role, t), []desk.Task{t})
		if err != nil {
			return nil, c.filterProblem(ctx, "count an inbox", err)
		}
		out.Body.Tabs = append(out.Body.Tabs, InboxTabJSON{Key: taskKey(t), Count: n[0].N, Late: n[0].Late})
		if tab == tabWaiting || tab == taskKey(t) {
			chosen = append(chosen, t)
		}
	}
	rows, bad := c.inboxRows(ctx, in, ask, role, chosen, &out.Body)
	if bad != nil {
		return nil, bad
	}
	for n := range rows {
		out.Body.Rows = append(out.Body.Rows, c.inboxRow(ctx, &rows[n], role, out.Body.AsOf))
	}
	return out, nil
}

// inboxRows reads a page, of the latest cases or of tasks, merged by what is due first,
// and says in out where the next one begins.
func (c *caseRoutes) inboxRows(ctx context.Context, in *inboxInput, ask desk.Inbox, role cases.Role, tasks []desk.Task, out *InboxPage) ([]desk.Waiting, *Problem) {
	latest := in.Tab == tabOpen || in.Tab == tabAll
	if !latest && len(tasks) == 0 {
		return nil, fieldProblem("query.tab", fmt.Sprintf("%q is nothing that waits for the role %s", in.Tab, role))
	}
	if latest {
		tasks = make([]desk.Task, 1)
	}
	spots, bad := parseSpots(in.Cursor, len(tasks))
	if bad != nil {
		return nil, bad
	}
	var reach desk.Reach // of the latest cases
	lanes := make([]lane, len(tasks))
	for n, t := range tasks {
		lanes[n] = lane{task: t, light: ask.Light, before: spots[n], spot: spots[n], read: func(after desk.Spot) (list []desk.Standing, err error) {
			page := desk.Page{After: after, Limit: in.Limit + 1}
			if latest {
				list, reach, err = c.o.Desk.Latest(ctx, ask, in.Tab == tabOpen, page)
				return list, err
			}
			return c.o.Desk.Waiting(ctx, own(ask, casePersonOf(ctx), role, t), t, page)
		}}
	}
	ids, more, err := c.merged(lanes, in.Limit)
	if err != nil {
		return nil, c.filterProblem(ctx, "list an inbox", err)
	}
	rows, err := c.o.Desk.Look(ctx, ids)
	if err != nil {
		return nil, c.problemOf(ctx, "list an inbox", err)
	}
	for n := range lanes {
		spots[n] = lanes[n].spot
	}
	if !more && reach != (desk.Reach{}) {
		more, spots[0], out.SearchedTo = true, reach.Spot, &reach.Reported
	}
	if more {
		out.Next = formatSpots(spots)
	}
	return rows, nil
}

// dueAt is when something that waits is due; what has no limit comes after all others.
func (c *caseRoutes) dueAt(p *desk.Standing, now time.Time) time.Time {
	if stage, ok := desk.Stage(p.State, p.Source); ok && c.o.Limits != nil {
		if light, deadline := desk.StageLight(c.o.Limits, stage, p.Began, now); light != limits.None && !deadline.IsZero() {
			return deadline
		}
	}
	if !p.Deadline.IsZero() {
		return p.Deadline
	}
	return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
}

func (c *caseRoutes) inboxRow(ctx context.Context, w *desk.Waiting, role cases.Role, now time.Time) InboxRowJSON {
	row := InboxRowJSON{CaseJSON: caseJSON(&w.Summary), Step: c.stepDue(w.State, w.Source, w.Began, now), SentTo: []string{}, Acts: []string{}}
	if w.Case == nil {
		return row
	}
	row.Handling, row.SentTo = c.handlingDue(w.Case, now), plain(w.Case.SentTo)
	if p := casePersonOf(ctx); p.has(role) {
		row.Acts = plain(cases.Allowed(w.Case, p.in(role), &c.o.Rules))
	}
	return row
}

// formatSpots writes a place in each of several lists.
func formatSpots(spots []desk.Spot) string {
	parts := make([]string, len(spots))
	for n, s := range spots {
		parts[n] = strconv.FormatInt(s.Key, 10) + "." + strconv.FormatInt(s.Seq, 10)
	}
	return strings.Join(parts, "~")
}

func parseSpots(cursor string, lists int) ([]desk.Spot, *Problem) {
	spots := make([]desk.Spot, lists)
	if cursor == "" {
		return spots, nil
	}
	wrong := problem(http.StatusBadRequest, codeCursor, "The cursor is none of this inbox; ask for the first page.")
	parts := strings.Split(cursor, "~")
	if len(parts) != lists {
		return nil, wrong
	}
	for n, part := range parts {
		key, seq, ok := strings.Cut(part, ".")
		var err, other error
		spots[n].Key, err = strconv.ParseInt(key, 10, 64)
		spots[n].Seq, other = strconv.ParseInt(seq, 10, 64)
		if !ok || err != nil || other != nil {
			return nil, wrong
		}
	}
	return spots, nil
}
