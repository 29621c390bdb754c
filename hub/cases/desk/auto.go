package desk

import (
	"context"
	"slices"

	"github.com/uptrace/bun"

	"citygrid/hub/cases"
	"citygrid/schemas"
)

// automate does with c what the hub may do by itself, until there is nothing left:
// the rules decide, through cases.Apply. What is refused is left to a person.
func (w *work) automate(ctx context.Context, c *cases.Case) (done []cases.Act, err error) {
	for range 8 { // a case has no more automatic acts in a row
		e, err := w.nextAutomatic(ctx, c)
		if err != nil || e == nil {
			return done, err
		}
		e.Case, e.Person = c.ID, cases.System
		err = w.put(ctx, c, e)
		if refused(err) {
			return done, nil
		}
		if err != nil {
			return done, err
		}
		done = append(done, e.Act)
	}
	return done, nil
}

// nextAutomatic returns the act that would come next, nil for none.
func (w *work) nextAutomatic(ctx context.Context, c *cases.Case) (*cases.Entry, error) {
	r := &w.d.o.Rules
	if c.State == cases.Filed {
		return w.dispatchByHub(ctx, c)
	}
	if c.Report.Source != cases.SourceSensor {
		return nil, nil
	}
	e := &cases.Entry{Actor: cases.Actor{Role: cases.Sensor}}
	switch {
	case c.State == cases.Reported && r.SensorAccepts:
		e.Act = cases.ActAccept
	case c.State == cases.Accepted && r.SensorFiles:
		e.Act, e.Filing = cases.ActFile, automaticFiling(c)
	case c.State == cases.FedBack && r.SensorChecks && c.Cleared:
		e.Act = cases.ActSendCheck
		return w.ifNoneOpen(ctx, c, e)
	case c.State == cases.Checking && r.SensorChecks && c.Cleared && c.Checker == cases.System:
		e.Act, e.Outcome, e.Text = cases.ActAnswerCheck, cases.Yes, "the event has cleared"
		return w.ifNoneOpen(ctx, c, e)
	case c.State == cases.Checked && r.SensorCloses && c.Checked == cases.Yes:
		e.Act = cases.ActClose
		return w.ifNoneOpen(ctx, c, e)
	default:
		return nil, nil
	}
	return e, nil
}

func automaticFiling(c *cases.Case) *cases.Filing {
	f := &cases.Filing{Condition: c.Condition, Cell: c.Cell}
	if f.Cell == "" {
		f.NoCell = "the registry has no cell for what the event is about"
	}
	return f
}

// ifNoneOpen lets e happen once every event of the case has cleared.
func (w *work) ifNoneOpen(ctx context.Context, c *cases.Case, e *cases.Entry) (*cases.Entry, error) {
	open, err := openEvents(ctx, w.tx, c.ID)
	if err != nil || open > 0 {
		return nil, err
	}
	return e, nil
}

// openEvents counts the events of a case that have not cleared. An outage is over
// with its last part.
func openEvents(ctx context.Context, db bun.IDB, id cases.CaseID) (n int64, err error) {
	err = db.NewRaw("SELECT COUNT(*) FROM component_events WHERE case_id = ? AND cleared_ms = 0 AND kind <> ?", string(id), string(schemas.EventCellOutage)).Scan(ctx, &n)
	return n, err
}

// dispatchByHub sends a case to whom the registry names, where the rules let the hub.
func (w *work) dispatchByHub(ctx context.Context, c *cases.Case) (*cases.Entry, error) {
	actor := cases.Actor{Person: cases.System, Role: cases.Dispatcher}
	if len(w.d.o.Rules.HubDispatches) == 0 || c.Conflict(cases.ActDispatch, actor, &w.d.o.Rules) != nil || returned(c) {
		return nil, nil
	}
	to, err := w.d.departments(ctx, w.tx, c)
	if err != nil || len(to) == 0 {
		return nil, err
	}
	return &cases.Entry{Act: cases.ActDispatch, Actor: cases.Actor{Role: cases.Dispatcher}, Departments: to}, nil
}

// returned reports whether a department gave the case back: a dispatcher looks at it
// then, or the hub would send it to the same one for ever.
func returned(c *cases.Case) bool {
	return slices.ContainsFunc(c.Clock, func(m cases.Mark) bool { return m.Kind == cases.MarkReturned })
}

// departments returns whom a case is sent to as the registry has it, each once: whoever
// is in charge of the component, of what the event is about, or takes the class.
func (d *Desk) departments(ctx context.Context, db bun.IDB, c *cases.Case) (list []cases.DepartmentID, err error) {
	var place Place
	switch {
	case c.Report.Component != "":
		place, err = d.o.Grid.OfComponent(ctx, c.Report.Component)
	case c.Report.Event != "":
		place, err = d.placeOfEvent(ctx, db, c.Report.Event)
	}
	list = place.Departments
	if err == nil && len(list) == 0 {
		list, err = d.o.Grid.Candidates(ctx, c.Class)
	}
	once := make([]cases.DepartmentID, 0, len(list))
	for _, dep := range list {
		if !slices.Contains(once, dep) {
			once = append(once, dep)
		}
	}
	return once, err
}

// Suggest returns the departments that the registry proposes for a case: the one in
// charge, or of an ownerless component all candidates. ErrUnknown where there is no
// such case.
func (d *Desk) Suggest(ctx context.Context, id cases.CaseID) ([]cases.DepartmentID, error) {
	c, err := d.Case(ctx, id)
	if err != nil {
		return nil, err
	}
	return d.departments(ctx, d.db.Read, c)
}
