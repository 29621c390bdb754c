package cases

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
	"citygrid/schemas/codes"
)

var (
	began   = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)
	cover   = codes.Ref{Standard: "CJ/T 214-2007", Kind: codes.Component, Code: "0101"}
	eventID = schemas.EventID("00112233445566778899aabbccddeeff")
	photo   = strings.Repeat("ab", 32)
	// allowing lets the hub do all that rules can let it do.
	allowing = &Rules{SensorAccepts: true, SensorFiles: true, SensorChecks: true, SensorCloses: true,
		HubDispatches: []codes.Ref{{Standard: "CJ/T 214-2007", Kind: codes.Component, Code: "01"}}, Offline: 72 * time.Hour}
)

// report returns an acquisition record of a source with what it needs.
func report(s Source) *Report {
	r := &Report{Source: s, Type: Daily, Class: cover, ClassName: "上水井盖", Description: "井盖丢失", Location: "人民路 18 号", Urgency: Normal}
	if s == SourceSensor {
		r.Event = eventID
	}
	return r
}

// entry returns an act with all that it needs; a test changes what matters to it.
func entry(a Act, by Actor) *Entry {
	e := &Entry{Case: "C1", Act: a, Actor: by}
	switch a {
	case ActReport:
		e.Report = report(sourceOf(by.Role))
	case ActClassify:
		e.Classification, e.Reason = &Classification{Class: cover, ClassName: "上水井盖"}, "雨水"
	case ActSendVerify, ActSendCheck:
		e.Inspector = "inspector"
	case ActAnswerVerify, ActAnswerCheck:
		e.Outcome = Yes
	case ActFile:
		e.Filing = &Filing{Condition: "missing", Cell: "110101001001001", Limit: Limit{6, UrgentHour}}
	case ActDispatch:
		e.Departments = []DepartmentID{"A"}
	case ActAskExtension:
		e.Reason, e.Amount = "等配件", 4
	case ActReject, ActAskReturn, ActAskSuspension, ActAskVoid, ActRefuse:
		e.Reason = "理由"
	case ActFeedBack, ActNote:
		e.Text = "已更换"
	case ActCleared:
		e.Event = eventID
	}
	return e
}

func sourceOf(r Role) Source {
	switch r {
	case Inspector:
		return SourceInspector
	case Sensor:
		return SourceSensor
	case Acceptor:
		return SourceHotline
	}
	return SourcePublic
}

// at prepares e one second after the entry before.
func (c *Case) at(e *Entry, r *Rules) *Entry {
	e.ReceivedAt = began.Add(time.Duration(c.Entries) * time.Second)
	e.At = e.ReceivedAt
	c.Prepare(e, r)
	return e
}

// walk applies acts to a new case.
func walk(t *testing.T, r *Rules, list ...*Entry) (*Case, []Entry) {
	t.Helper()
	c := new(Case)
	var journal []Entry
	for n, e := range list {
		if err := c.Apply(c.at(e, r), r); err != nil {
			t.Fatalf("entry %d, %s: %v", n+1, e.Act, err)
		}
		journal = append(journal, *e)
	}
	return c, journal
}

// by is a person of a role, who has its name.
func by(r Role) Actor {
	switch r {
	case Sensor:
		return Actor{Person: System, Role: Sensor}
	case Department:
		return Actor{Person: "department", Role: Department, Department: "A"}
	}
	return Actor{Person: PersonID(r), Role: r}
}

// toHandling are the acts that bring a hotline's case to a department.
func toHandling() []*Entry {
	return []*Entry{
		entry(ActReport, by(Acceptor)), entry(ActSendVerify, by(Acceptor)), entry(ActAnswerVerify, by(Inspector)),
		entry(ActAccept, by(Acceptor)), entry(ActFile, by(ShiftLeader)), entry(ActDispatch, by(Dispatcher)), entry(ActTake, by(Department)),
	}
}

// pageTable reads the table of acts out of docs/cases.md.
func pageTable(t *testing.T) []Transition {
	t.Helper()
	page, err := os.ReadFile("../../docs/cases.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(page), "| act | by | from | to | needs |\n|---|---|---|---|---|\n")
	if !ok {
		t.Fatal("docs/cases.md has no table of acts")
	}
	var list []Transition
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		list = append(list, pageRow(t, line))
	}
	return list
}

func pageRow(t *testing.T, line string) Transition {
	t.Helper()
	cells := strings.Split(line, "|")
	if len(cells) != 7 {
		t.Fatalf("row with %d cells: %s", len(cells), line)
	}
	var row Transition
	act, request, _ := strings.Cut(strings.TrimSpace(cells[1]), " ")
	row.Act, row.Request = Act(act), RequestKind(request)
	for _, r := range strings.Split(cells[2], ",") {
		row.By = append(row.By, Role(strings.TrimSpace(r)))
	}
	row.From, row.To = pageStates(cells[3]), pageStates(cells[4])
	return row
}

func pageStates(cell string) (list []State) {
	switch cell = strings.TrimSpace(cell); cell {
	case "(none)", "=":
		return nil
	case "every state that is not final":
		return slices.DeleteFunc(States(), State.Final)
	}
	for _, s := range strings.Split(cell, ",") {
		list = append(list, State(strings.TrimSpace(s)))
	}
	return list
}

// pageColumn reads the first column of the table below a heading of docs/cases.md.
func pageColumn(t *testing.T, head string) (list []string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/cases.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(page), head+"\n|---|---|---|\n")
	if !ok {
		t.Fatalf("docs/cases.md has no table %q", head)
	}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		list = append(list, strings.TrimSpace(strings.Split(line, "|")[1]))
	}
	return list
}

func TestTableIsThePages(t *testing.T) {
	want, got := pageTable(t), Table()
	if len(want) != len(got) {
		t.Fatalf("%d rows on the page, %d in the table", len(want), len(got))
	}
	for n := range want {
		if fmt.Sprint(want[n]) != fmt.Sprint(got[n]) {
			t.Errorf("row %d: page %v, table %v", n+1, want[n], got[n])
		}
	}
	if got, want := fmt.Sprint(Roles()), fmt.Sprint(pageColumn(t, "| role | zh | who |")); got != want {
		t.Errorf("roles %s, page %s", got, want)
	}
	if got, want := fmt.Sprint(States()), fmt.Sprint(pageColumn(t, "| state | zh | final |")); got != want {
		t.Errorf("states %s, page %s", got, want)
	}
}
