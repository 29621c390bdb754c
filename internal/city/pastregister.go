package city

import (
	"context"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/hub/registry/assets"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// registerGrid answers a desk from the asset register, as the hub does.
type registerGrid struct{ *assets.Register }

func placeOf(p assets.Place, err error) (desk.Place, error) {
	out := desk.Place{Component: p.Component, Class: p.Class, ClassName: p.ClassName, Location: p.Location, Position: p.Position,
		Cell: p.Cell, Duty: p.Duty, AreaClass: p.AreaKind}
	for _, d := range p.Departments {
		out.Departments = append(out.Departments, cases.DepartmentID(d))
	}
	return out, err
}

// OfMeter implements desk.Grid.
func (g registerGrid) OfMeter(ctx context.Context, meter schemas.MeterID, at time.Time) (desk.Place, error) {
	return placeOf(g.Register.OfMeter(ctx, meter, at))
}

// OfLine implements desk.Grid.
func (g registerGrid) OfLine(ctx context.Context, collector schemas.CollectorID, line string) (desk.Place, error) {
	return placeOf(g.Register.OfLine(ctx, collector, line))
}

// OfComponent implements desk.Grid.
func (g registerGrid) OfComponent(ctx context.Context, id schemas.ComponentID) (desk.Place, error) {
	return placeOf(g.Register.OfComponent(ctx, id))
}

// At implements desk.Grid.
func (g registerGrid) At(ctx context.Context, p schemas.Position) (desk.Place, error) {
	return placeOf(g.Register.At(ctx, p))
}

// OfCell implements desk.CellGrid.
func (g registerGrid) OfCell(ctx context.Context, cell codes.CellCode) (desk.Place, error) {
	return placeOf(g.Register.OfCell(ctx, cell))
}

// Candidates implements desk.Grid.
func (g registerGrid) Candidates(ctx context.Context, class codes.Ref) ([]cases.DepartmentID, error) {
	list, err := g.Register.Candidates(ctx, class)
	out := make([]cases.DepartmentID, len(list))
	for n, d := range list {
		out[n] = cases.DepartmentID(d)
	}
	return out, err
}

// listClasses answers a desk from the code lists.
type listClasses struct{ *codes.Lists }

// OfEvent implements desk.Classes.
func (l listClasses) OfEvent(kind schemas.EventKind) (codes.Ref, string, error) {
	c, err := l.ForExtension(codes.Event, string(kind))
	return c.Ref, c.ZH, err
}

// Name implements desk.Classes.
func (l listClasses) Name(class codes.Ref) (string, error) {
	c, err := l.Lookup(class)
	return c.ZH, err
}

// plainOrNowhere turns a position into CGCS2000; one that cannot be is shown nowhere.
func plainOrNowhere(p schemas.Position) schemas.Position {
	out, err := assets.Plain(p)
	if err != nil {
		return schemas.Position{}
	}
	return out
}
