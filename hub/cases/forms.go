package cases

import (
	"citygrid/schemas"
)

// json turns e into its JSON form.
func (e *Entry) json() *entryJSON {
	j := &entryJSON{
		Case: e.Case, Number: e.Number, Act: e.Act, Person: e.Person, Role: e.Role, Department: e.Department,
		At: moment{e.At}, ReceivedAt: moment{e.ReceivedAt}, CountsAt: moment{e.CountsAt}, ClockRefused: e.ClockRefused,
		ClientID: e.ClientID, Device: e.Device, Position: positionForm(e.Position), Reason: e.Reason, Text: e.Text,
		Inspector: e.Inspector, Outcome: e.Outcome, DuplicateOf: e.DuplicateOf, Departments: e.Departments,
		Amount: e.Amount, Request: e.Request, Event: e.Event, Previous: e.Previous,
	}
	for _, m := range e.Media {
		j.Media = append(j.Media, mediaJSON(m))
	}
	if e.Report != nil {
		j.Report = e.Report.json()
	}
	if c := e.Classification; c != nil {
		j.Classification = &classificationJSON{Class: c.Class, ClassName: c.ClassName, Condition: c.Condition}
	}
	if f := e.Filing; f != nil {
		j.Filing = &filingJSON{Condition: f.Condition, Cell: f.Cell, NoCell: f.NoCell, AreaClass: f.AreaClass}
		if f.Limit.Known() {
			l := limitJSON(f.Limit)
			j.Filing.Limit = &l
		}
	}
	return j
}

// entry turns a JSON form into an entry, which may be invalid.
func (j *entryJSON) entry() *Entry {
	e := &Entry{
		Case: j.Case, Number: j.Number, Act: j.Act, Actor: Actor{Person: j.Person, Role: j.Role, Department: j.Department},
		At: j.At.Time, ReceivedAt: j.ReceivedAt.Time, CountsAt: j.CountsAt.Time, ClockRefused: j.ClockRefused,
		ClientID: j.ClientID, Device: j.Device, Position: j.Position.position(), Reason: j.Reason, Text: j.Text,
		Inspector: j.Inspector, Outcome: j.Outcome, DuplicateOf: j.DuplicateOf, Departments: j.Departments,
		Amount: j.Amount, Request: j.Request, Event: j.Event, Previous: j.Previous,
	}
	for _, m := range j.Media {
		e.Media = append(e.Media, Media(m))
	}
	if j.Report != nil {
		e.Report = j.Report.report()
	}
	if c := j.Classification; c != nil {
		e.Classification = &Classification{Class: c.Class, ClassName: c.ClassName, Condition: c.Condition}
	}
	if f := j.Filing; f != nil {
		e.Filing = &Filing{Condition: f.Condition, Cell: f.Cell, NoCell: f.NoCell, AreaClass: f.AreaClass}
		if f.Limit != nil {
			e.Filing.Limit = Limit(*f.Limit)
		}
	}
	return e
}

func (r *Report) json() *reportJSON {
	return &reportJSON{
		Source: r.Source, Type: r.Type, Task: r.Task, Class: r.Class, ClassName: r.ClassName,
		Component: r.Component, Condition: r.Condition, Description: r.Description, Location: r.Location,
		Position: positionForm(r.Position), Cell: r.Cell, Duty: r.Duty, Urgency: r.Urgency, SelfHandled: r.SelfHandled,
		Event: r.Event, ReplyWanted: r.ReplyWanted, PetitionerSM3: r.PetitionerSM3,
	}
}

func (j *reportJSON) report() *Report {
	return &Report{
		Source: j.Source, Type: j.Type, Task: j.Task, Class: j.Class, ClassName: j.ClassName,
		Component: j.Component, Condition: j.Condition, Description: j.Description, Location: j.Location,
		Position: j.Position.position(), Cell: j.Cell, Duty: j.Duty, Urgency: j.Urgency, SelfHandled: j.SelfHandled,
		Event: j.Event, ReplyWanted: j.ReplyWanted, PetitionerSM3: j.PetitionerSM3,
	}
}

func positionForm(p schemas.Position) *positionJSON {
	if p == (schemas.Position{}) {
		return nil
	}
	return &positionJSON{Lon: p.Lon, Lat: p.Lat, CRS: p.CRS, Accuracy: p.Accuracy}
}

func (j *positionJSON) position() schemas.Position {
	if j == nil {
		return schemas.Position{}
	}
	return schemas.Position{Lon: j.Lon, Lat: j.Lat, CRS: j.CRS, Accuracy: j.Accuracy}
}
