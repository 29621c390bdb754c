package desk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"citygrid/hub/cases"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// fill puts in what the hub knows better than the caller, whose own values stay as
// they are.
func (w *work) fill(ctx context.Context, c *cases.Case, e *cases.Entry) error {
	switch {
	case e.Act == cases.ActClassify && e.Classification != nil:
		k := *e.Classification
		e.Classification = &k
		return w.className("classification.class", k.Class, &e.Classification.ClassName)
	case e.Act == cases.ActFile && e.Filing != nil && c.State != "":
		return w.fillFiling(ctx, c, e)
	case (e.Act == cases.ActSendVerify || e.Act == cases.ActSendCheck) && e.Inspector != "" && w.d.o.People != nil:
		return w.isInspector(ctx, e.Inspector)
	}
	return nil
}

// isInspector refuses to send somebody who could never answer.
func (w *work) isInspector(ctx context.Context, id cases.PersonID) error {
	is, err := w.d.o.People.Inspector(ctx, id)
	if err != nil {
		return fmt.Errorf("ask for inspector %s: %w", id, err)
	}
	if !is {
		return refuse(&schemas.FieldError{Field: "inspector", Problem: fmt.Sprintf("%.80q is no inspector of this city; choose one from the list of people", string(id))})
	}
	return nil
}

// className names a class as its list does.
func (w *work) className(field string, class codes.Ref, name *string) (err error) {
	if *name, err = w.d.o.Classes.Name(class); err != nil {
		return refuse(&schemas.FieldError{Field: field, Problem: err.Error()})
	}
	return nil
}

// fillReport gives a report the name of its class, and where it is.
func (w *work) fillReport(ctx context.Context, e *cases.Entry, p *cases.Petitioner) error {
	r := *e.Report
	e.Report = &r
	if err := w.className("report.class", r.Class, &r.ClassName); err != nil {
		return err
	}
	if p != nil {
		r.PetitionerSM3 = p.Digest()
	}
	place, err := w.d.place(ctx, r.Component, r.Position)
	if err != nil {
		return err
	}
	r.Cell, r.Duty = place.Cell, place.Duty
	if !r.Position.Known() {
		r.Position = place.Position
	}
	if r.Location == "" {
		r.Location = oneLine(place.Location, cases.MaxLocation)
	}
	return nil
}

// place asks the registry where something is: by the position that was taken on
// site, else by the component.
func (d *Desk) place(ctx context.Context, component schemas.ComponentID, at schemas.Position) (Place, error) {
	var of Place
	var err error
	if component != "" {
		if of, err = d.o.Grid.OfComponent(ctx, component); err != nil {
			return Place{}, fmt.Errorf("ask the registry for component %s: %w", component, err)
		}
	}
	if !at.Known() {
		return d.inCell(ctx, of)
	}
	here, err := d.o.Grid.At(ctx, at)
	if err != nil {
		return Place{}, fmt.Errorf("ask the registry for the cell of a position: %w", err)
	}
	if here.Cell == "" {
		return of, nil
	}
	of.Cell, of.Duty, of.AreaClass, of.Position = here.Cell, here.Duty, here.AreaClass, here.Position
	return of, nil
}

// inCell adds the cell to a place of which only the position is known.
func (d *Desk) inCell(ctx context.Context, p Place) (Place, error) {
	if p.Cell != "" || !p.Position.Known() {
		return p, nil
	}
	here, err := d.o.Grid.At(ctx, p.Position)
	if err != nil {
		return Place{}, fmt.Errorf("ask the registry for the cell of a position: %w", err)
	}
	p.Cell, p.Duty, p.AreaClass = here.Cell, here.Duty, here.AreaClass
	return p, nil
}

// serialOf is a serial of case numbers: of those that say the same in all else.
type serialOf struct {
	name string
	last int64
}

// number gives a new case its number by the city's rule. The serial is used up when
// the case is stored.
func (w *work) number(ctx context.Context, e *cases.Entry) (serialOf, error) {
	n := codes.CaseNumber{Kind: e.Report.Class.Kind, Class: e.Report.Class.Code, Day: e.ReceivedAt, Serial: 1, County: w.d.o.County}
	if len(e.Report.Cell) > 6 {
		n.County = codes.AreaCode(e.Report.Cell[:6])
	}
	name, err := w.d.o.Numbers.Format(n)
	if err != nil {
		return serialOf{}, refuse(fmt.Errorf("%w: %w", ErrNoNumber, err))
	}
	s := serialOf{name: name}
	err = w.tx.NewRaw("SELECT last FROM case_serials WHERE name = ?", name).Scan(ctx, &s.last)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return serialOf{}, err
	}
	for taken := 1; taken > 0; { // by another rule of earlier that day
		s.last++
		n.Serial = int(s.last)
		id, err := w.d.o.Numbers.Format(n)
		if err != nil {
			return serialOf{}, refuse(fmt.Errorf("%w: %w", ErrNoNumber, err))
		}
		e.Case = cases.CaseID(id)
		if err := w.tx.NewRaw("SELECT COUNT(*) FROM cases WHERE id = ?", id).Scan(ctx, &taken); err != nil {
			return serialOf{}, err
		}
	}
	return s, nil
}

// fillFiling puts in the cell, the rank of its area and the limit.
func (w *work) fillFiling(ctx context.Context, c *cases.Case, e *cases.Entry) (err error) {
	f := *e.Filing
	e.Filing = &f
	if f.Cell == "" && f.NoCell == "" {
		f.Cell = c.Cell
	}
	if f.Condition == "" {
		f.Condition = c.Condition
	}
	if f.AreaClass, err = w.areaClass(ctx, c, f.Cell); err != nil {
		return err
	}
	rule, _ := w.d.o.Limits.Find(c.Class, f.Condition, f.AreaClass)
	f.Limit = rule.Limit
	return nil
}

// areaClass is the rank of a cell: that of the case's place where it lies there.
func (w *work) areaClass(ctx context.Context, c *cases.Case, cell codes.CellCode) (string, error) {
	if cell == "" {
		return "", nil
	}
	place, err := w.d.place(ctx, c.Report.Component, c.Report.Position)
	if err != nil || place.Cell == cell {
		return place.AreaClass, err
	}
	grid, offers := w.d.o.Grid.(CellGrid)
	if !offers {
		return "", nil
	}
	place, err = grid.OfCell(ctx, cell)
	if err != nil {
		return "", fmt.Errorf("ask the registry for cell %s: %w", cell, err)
	}
	return place.AreaClass, nil
}
