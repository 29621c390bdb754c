package city

import (
	"context"
	"fmt"
	"time"

	"citygrid/hub/cases"
	"citygrid/schemas/codes"
	"citygrid/simulators/district"
)

const (
	// freshFor is how long before the start the last cases begin: those that wait for the
	// sample users.
	freshFor = 100 * time.Minute
	// freshPace is the time between two of their acts.
	freshPace = 40 * time.Second
	// sampleInspector is who is sent by them, in the duty grid sampleDuty.
	sampleInspector = cases.PersonID("inspector-01")
	sampleDuty      = codes.DutyCode("ZR-001")
	// otherInspector checks what the play does by itself.
	otherInspector = cases.PersonID("inspector-02")
)

// waiting are the cases that wait for the sample users, by the state in which they
// wait, and how many there are.
func waiting() []struct {
	state cases.State
	n     int
} {
	return []struct {
		state cases.State
		n     int
	}{{cases.Reported, 3}, {cases.Verifying, 3}, {cases.Accepted, 2}, {cases.Filed, 2}, {cases.Dispatched, 3}, {cases.Handling, 2}, {cases.Checking, 3}, {cases.Checked, 1}}
}

// fresh makes cases in the cells of the sample inspector, and leaves each where it
// waits for somebody.
func (t *teller) fresh(ctx context.Context) error {
	reports, err := t.templates()
	if err != nil {
		return err
	}
	t.now = t.past.now.Add(-freshFor)
	for _, w := range waiting() {
		for range w.n {
			if len(reports) == 0 {
				return nil // a small duty grid: fewer wait
			}
			if err := t.bring(ctx, reports[0], w.state); err != nil {
				return fmt.Errorf("a case that waits %s: %w", w.state, err)
			}
			reports = reports[1:]
		}
	}
	return nil
}

// templates are reports of things in the sample inspector's cells: those of a busier
// life of the district, beyond the cases that have been told.
func (t *teller) templates() (list []*district.Report, err error) {
	busy, err := t.past.district.Year(district.YearOptions{Cases: t.past.o.Cases + 40*100, Days: casesDays, NoSensors: true})
	if err != nil {
		return nil, err
	}
	told := map[string]bool{}
	for id := range t.numbers {
		told[id] = true
	}
	for a := range busy.Acts() {
		r := a.Report
		if r == nil || told[a.Case] || r.Duty != sampleDuty || r.Cell == "" {
			continue
		}
		list = append(list, r)
	}
	return list, nil
}

// bring reports something as the public did, and has everybody do their act until the
// case is in a state.
func (t *teller) bring(ctx context.Context, r *district.Report, state cases.State) error {
	report := cases.Report{Source: cases.SourceHotline, Type: cases.Daily, Class: r.Class, ClassName: r.ClassName, Component: r.Component,
		Description: r.Description, Location: r.Location, Position: r.Position, Urgency: cases.Normal}
	e := t.entry("acceptor", cases.ActReport)
	e.Report, e.Media = &report, photosOf(cases.StageReport)
	done, err := t.do(ctx, e)
	if err != nil {
		return err
	}
	k := done.Case
	for k.State != state {
		next, err := t.next(ctx, k)
		if err != nil {
			return err
		}
		next.Case = k.ID
		if done, err = t.do(ctx, next); err != nil {
			return fmt.Errorf("%s: %w", next.Act, err)
		}
		k = done.Case
	}
	return nil
}

// photosOf asks for one photo of a stage.
func photosOf(s cases.Stage) []cases.Media { return []cases.Media{{Kind: cases.Image, Stage: s}} }

// entry begins an act of the first person with a role, a little later than the last.
func (t *teller) entry(role string, act cases.Act) *cases.Entry {
	t.now = t.now.Add(freshPace)
	p := t.person(role, "")
	return &cases.Entry{Act: act, Actor: cases.Actor{Person: cases.PersonID(p.ID), Role: cases.Role(role)}, At: t.now.UTC(), ReceivedAt: t.now.UTC()}
}

// next is what moves a case on.
func (t *teller) next(ctx context.Context, k *cases.Case) (*cases.Entry, error) {
	var e *cases.Entry
	switch k.State {
	case cases.Reported:
		e = t.entry("acceptor", cases.ActSendVerify)
		e.Inspector = sampleInspector
	case cases.Verifying:
		e = t.entry("inspector", cases.ActAnswerVerify)
		e.Outcome, e.Media = cases.Yes, photosOf(cases.StageVerify)
	case cases.Verified:
		e = t.entry("acceptor", cases.ActAccept)
	case cases.Accepted:
		e = t.entry("shift_leader", cases.ActFile)
		e.Filing = &cases.Filing{Condition: t.conditionOf(k.Class), Cell: k.Cell}
	case cases.Filed:
		list, err := t.desk.Suggest(ctx, k.ID)
		if err != nil {
			return nil, err
		}
		e = t.entry("dispatcher", cases.ActDispatch)
		e.Departments = list
	case cases.Dispatched:
		e = t.staff(k, cases.ActTake)
	case cases.Handling:
		e = t.staff(k, cases.ActFeedBack)
		e.Text, e.Media = "已处置完毕", photosOf(cases.StageHandled)
	case cases.FedBack:
		e = t.entry("acceptor", cases.ActSendCheck)
		e.Inspector = sampleInspector
	case cases.Checking:
		e = t.entry("inspector", cases.ActAnswerCheck)
		e.Outcome, e.Media = cases.Yes, photosOf(cases.StageCheck)
	default:
		return nil, fmt.Errorf("nobody moves a case that is %s", k.State)
	}
	return e, nil
}

// staff begins an act of the department that has a case, or of the first that it was
// sent to.
func (t *teller) staff(k *cases.Case, act cases.Act) *cases.Entry {
	id := k.Handler
	if id == "" {
		id = k.SentTo[0]
	}
	e := t.entry("department", act)
	e.Department, e.Person = id, cases.PersonID(t.person("department", string(id)).ID)
	return e
}

// conditionOf is one under which the rules have a limit for a class.
func (t *teller) conditionOf(class codes.Ref) string {
	for _, l := range t.past.year.Rules().Limits {
		if l.Class == class {
			return l.Condition
		}
	}
	return "问题属实"
}

// person returns the first who has a role and no other, in a department.
func (t *teller) person(role, department string) Person {
	for _, p := range t.grid.people {
		if len(p.Roles) == 1 && p.Roles[0] == role && (department == "" || p.Department == department) {
			return p
		}
	}
	return Person{}
}
