package yeargrid

import (
	"citygrid/hub/cases"
	"citygrid/simulators/district"
)

// EntryOf turns an act of the simulator into the entry that a client would make, with
// the numbers of cases and the digests of photos as the simulator has them.
func EntryOf(a *district.Act) *cases.Entry {
	e := &cases.Entry{
		Case: cases.CaseID(a.Case), Act: cases.Act(a.Act),
		Actor: cases.Actor{Person: cases.PersonID(a.Person), Role: cases.Role(a.Role), Department: cases.DepartmentID(a.Department)},
		At:    a.At, ReceivedAt: a.ReceivedAt, Device: a.Device, Reason: a.Reason, Text: a.Text,
		Inspector: cases.PersonID(a.Inspector), Outcome: cases.Outcome(a.Outcome), DuplicateOf: cases.CaseID(a.DuplicateOf),
		Amount: a.Amount, Event: a.Event,
	}
	for _, d := range a.Departments {
		e.Departments = append(e.Departments, cases.DepartmentID(d))
	}
	for _, m := range a.Media {
		e.Media = append(e.Media, cases.Media{SM3: m.SM3, Kind: cases.MediaKind(m.Kind), Stage: cases.Stage(m.Stage)})
	}
	if c := a.Classification; c != nil {
		e.Classification = &cases.Classification{Class: c.Class, ClassName: c.ClassName}
	}
	if f := a.Filing; f != nil {
		e.Filing = &cases.Filing{Condition: f.Condition, Cell: f.Cell, NoCell: f.NoCell, AreaClass: f.AreaClass,
			Limit: cases.Limit{Amount: f.Amount, Unit: cases.Unit(f.Unit)}}
	}
	if r := a.Report; r != nil {
		e.Report = &cases.Report{Source: cases.Source(r.Source), Type: cases.CaseType(r.Type), Class: r.Class, ClassName: r.ClassName,
			Component: r.Component, Condition: r.Condition, Description: r.Description, Location: r.Location, Position: r.Position,
			Cell: r.Cell, Duty: r.Duty, Urgency: cases.Urgency(r.Urgency), SelfHandled: r.SelfHandled, Event: r.Event}
	}
	return e
}
