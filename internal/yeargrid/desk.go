package yeargrid

import (
	"context"
	"fmt"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/hub/cases/indicators"
	"citygrid/hub/cases/limits"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// desked are cases at a desk. The desk gives them numbers of its own, and asks this
// for the place of what it is told.
type desked struct {
	desk    *desk.Desk
	lists   *codes.Lists
	numbers map[cases.CaseID]cases.CaseID // by the simulator's
	now     time.Time
	here    desk.Place
}

func openDesk(ctx context.Context, dsn string, b *limits.Book, zone *time.Location) (*desked, error) {
	lists, err := codes.Embedded()
	if err != nil {
		return nil, err
	}
	numbers, err := codes.NewCaseTemplate("{kind}{yyyymmdd}{serial:6}", zone)
	if err != nil {
		return nil, err
	}
	k := &desked{lists: lists, numbers: map[cases.CaseID]cases.CaseID{}}
	k.desk, err = desk.Open(ctx, dsn, desk.Options{Rules: b.Workflow, Grid: k, Limits: b, Classes: k, Numbers: numbers, Zone: zone,
		Now: func() time.Time { return k.now }})
	return k, err
}

// Do implements Cases.
func (k *desked) Do(ctx context.Context, e *cases.Entry) error {
	k.now, k.here = e.ReceivedAt, desk.Place{}
	if r := e.Report; r != nil {
		k.here = desk.Place{Component: r.Component, Class: r.Class, ClassName: r.ClassName, Position: r.Position, Cell: r.Cell, Duty: r.Duty}
	}
	if f := e.Filing; f != nil {
		k.here.Cell, k.here.AreaClass = f.Cell, f.AreaClass
	}
	theirs := *e
	number, known := k.numbers[e.Case]
	if theirs.Case = number; !known && e.Act != cases.ActReport {
		theirs.Case = e.Case
	}
	if n, ok := k.numbers[e.DuplicateOf]; ok {
		theirs.DuplicateOf = n
	}
	done, err := k.desk.Act(ctx, desk.Submission{Entry: theirs})
	if err == nil && !known {
		k.numbers[e.Case] = done.Case.ID
	}
	return err
}

// Finish implements Cases: it counts every journal as the tables have it.
func (k *desked) Finish(ctx context.Context, tally *indicators.Tally) error {
	return k.desk.Journals(ctx, func(c *cases.Case, entries []cases.Entry) error { return tally.Add(c, entries) })
}

// OfMeter implements desk.Grid: there is no event of a meter.
func (k *desked) OfMeter(context.Context, schemas.MeterID, time.Time) (desk.Place, error) {
	return desk.Place{}, nil
}

// OfComponent implements desk.Grid.
func (k *desked) OfComponent(context.Context, schemas.ComponentID) (desk.Place, error) {
	return k.here, nil
}

// OfLine implements desk.Grid: there is no event of a line.
func (k *desked) OfLine(context.Context, schemas.CollectorID, string) (desk.Place, error) {
	return desk.Place{}, nil
}

// At implements desk.Grid.
func (k *desked) At(context.Context, schemas.Position) (desk.Place, error) { return k.here, nil }

// Candidates implements desk.Grid: dispatchers know.
func (k *desked) Candidates(context.Context, codes.Ref) ([]cases.DepartmentID, error) {
	return nil, nil
}

// OfEvent implements desk.Classes.
func (k *desked) OfEvent(kind schemas.EventKind) (codes.Ref, string, error) {
	return codes.Ref{}, "", fmt.Errorf("event of kind %s: this year has none", kind)
}

// Name implements desk.Classes.
func (k *desked) Name(class codes.Ref) (string, error) {
	c, err := k.lists.Lookup(class)
	return c.ZH, err
}
