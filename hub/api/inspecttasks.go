package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/hub/cases/limits"
)

// TaskJSON is something that waits for an inspector, with all that the work needs where
// there is no network.
type TaskJSON struct {
	Kind string   `json:"kind" enum:"verify,check,own" doc:"own: reported by this inspector, and still open"`
	Case CaseJSON `json:"case"`
	// Sent begins the time for a verification or check, Due ends it.
	Sent  *time.Time      `json:"sent,omitempty" doc:"When the hub sent the inspector"`
	Due   *time.Time      `json:"due,omitempty" doc:"When the answer is due; absent where nobody has set a limit"`
	Asked string          `json:"asked,omitempty" doc:"What the centre said when it sent the inspector"`
	Done  string          `json:"done,omitempty" doc:"What the department says it did"`
	Media []TaskMediaJSON `json:"media" nullable:"false" doc:"In the order of the journal; none for own"`
}

// TaskMediaJSON names a photo, film or sound of a case.
type TaskMediaJSON struct {
	CaseMediaJSON
	At time.Time `json:"at" doc:"Of the entry that has it"`
}

// TasksJSON is what waits for an inspector.
type TasksJSON struct {
	Person string     `json:"person" doc:"For whom"`
	AsOf   time.Time  `json:"as_of"`
	Tasks  []TaskJSON `json:"tasks" nullable:"false" doc:"What is due first comes first, own reports last"`
}

type tasksOutput struct{ Body TasksJSON }

// Nobody has so many tasks at once, or so many reports that they follow.
const (
	maxTasks = 300
	maxOwn   = 50
)

func (i *inspectRoutes) getTasks(ctx context.Context, _ *struct{}) (*tasksOutput, error) {
	p, err := i.inspector(ctx)
	if err != nil {
		return nil, i.cases.problemOf(ctx, "tasks", err)
	}
	out := &tasksOutput{TasksJSON{Person: string(p.ID), AsOf: i.cases.now(), Tasks: []TaskJSON{}}}
	sent, err := i.cases.o.Desk.List(ctx, desk.Filter{Inspector: cases.PersonID(p.ID), Open: true, Limit: maxTasks})
	if err != nil {
		return nil, i.cases.problemOf(ctx, "tasks", err)
	}
	for n := range sent {
		t, err := i.task(ctx, &sent[n])
		if err != nil {
			return nil, i.cases.problemOf(ctx, "task "+string(sent[n].ID), err)
		}
		out.Body.Tasks = append(out.Body.Tasks, t)
	}
	slices.SortStableFunc(out.Body.Tasks, byDue)
	own, err := i.cases.o.Desk.Mine(ctx, cases.PersonID(p.ID), maxOwn)
	if err != nil {
		return nil, i.cases.problemOf(ctx, "own reports", err)
	}
	for n := range own {
		if slices.ContainsFunc(sent, func(s desk.Summary) bool { return s.ID == own[n].ID }) {
			continue // it is a task already
		}
		out.Body.Tasks = append(out.Body.Tasks, TaskJSON{Kind: "own", Case: caseJSON(&own[n]), Media: []TaskMediaJSON{}})
	}
	return out, nil
}

// byDue puts what is due first before the rest, and what has no limit at the end.
func byDue(a, b TaskJSON) int {
	switch {
	case a.Due == nil && b.Due == nil:
		return strings.Compare(a.Case.ID, b.Case.ID)
	case a.Due == nil:
		return 1
	case b.Due == nil:
		return -1
	}
	return a.Due.Compare(*b.Due)
}

// task tells what the journal says about a case to an inspector on the way to it.
func (i *inspectRoutes) task(ctx context.Context, s *desk.Summary) (TaskJSON, error) {
	t := TaskJSON{Kind: "check", Case: caseJSON(s), Media: []TaskMediaJSON{}}
	act, stage := cases.ActSendCheck, limits.CheckStage
	if s.State == cases.Verifying {
		t.Kind, act, stage = "verify", cases.ActSendVerify, limits.VerifyStage
	}
	entries, err := i.cases.o.Desk.Journal(ctx, s.ID)
	if err != nil {
		return t, err
	}
	for n := range entries {
		e := &entries[n]
		for _, m := range e.Media {
			t.Media = append(t.Media, TaskMediaJSON{CaseMediaJSON{SM3: m.SM3, Kind: string(m.Kind), Stage: string(m.Stage)}, e.CountsAt})
		}
		switch e.Act {
		case act:
			t.Sent, t.Asked = timeOrNil(e.ReceivedAt), e.Text
			t.Due = i.due(stage, e.ReceivedAt)
		case cases.ActFeedBack:
			t.Done = e.Text
		}
	}
	return t, nil
}

// due is when a stage that began at start must be over; nil where nobody has set a
// limit, or the calendar does not cover it.
func (i *inspectRoutes) due(stage limits.Stage, start time.Time) *time.Time {
	if i.cases.o.Limits == nil {
		return nil
	}
	at, ok, err := i.cases.o.Limits.StageDeadline(stage, start)
	if err != nil || !ok {
		return nil
	}
	return timeOrNil(at)
}
