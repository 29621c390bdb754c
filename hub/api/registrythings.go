package api

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"citygrid/hub/registry"
	"citygrid/hub/registry/assets"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// ComponentJSON is a component. What is not known is empty or absent.
type ComponentJSON struct {
	ID        string            `json:"id" doc:"Always a string: 17 digits exceed the whole numbers of JavaScript" example:"3205080101000001"`
	Class     string            `json:"class" example:"CJ/T 214-2007:component:0101"`
	ClassName string            `json:"class_name" doc:"What the class was called when it was recorded"`
	Name      string            `json:"name"`
	Position  *PositionJSON     `json:"position,omitempty"`
	Accuracy  string            `json:"accuracy" enum:"A,B,C," doc:"A within 0.5 m, B 1 m, C 10 m"`
	Cell      string            `json:"cell"`
	State     string            `json:"state" enum:"intact,damaged,missing,abandoned,removed,"`
	Authority string            `json:"authority" doc:"Department in charge"`
	Owner     string            `json:"owner"`
	Upkeep    string            `json:"upkeep"`
	Location  string            `json:"location"`
	Source    string            `json:"source"`
	Recorded  *time.Time        `json:"recorded,omitempty"`
	Changed   *time.Time        `json:"changed,omitempty"`
	Note      string            `json:"note"`
	More      map[string]string `json:"more,omitempty" doc:"The city's own attributes"`
}

func componentJSON(c *registry.Component) ComponentJSON {
	return ComponentJSON{ID: string(c.ID), Class: c.Class.String(), ClassName: c.ClassName, Name: c.Name, Position: positionJSON(c.Position), Accuracy: string(c.Accuracy),
		Cell: string(c.Cell), State: string(c.State), Authority: string(c.Authority), Owner: string(c.Owner), Upkeep: string(c.Upkeep), Location: c.Location,
		Source: c.Source, Recorded: timeOrNil(c.Recorded), Changed: timeOrNil(c.Changed), Note: c.Note, More: c.More}
}

// MeterLinkJSON says where a meter belongs.
type MeterLinkJSON struct {
	Meter     string   `json:"meter"`
	Component string   `json:"component"`
	Collector string   `json:"collector"`
	Line      string   `json:"line"`
	Valid     SpanJSON `json:"valid"`
}

func linkJSON(l *registry.MeterLink) MeterLinkJSON {
	return MeterLinkJSON{Meter: string(l.Meter), Component: string(l.Component), Collector: string(l.Collector), Line: l.Line, Valid: spanJSON(l.Span)}
}

// ComponentDetail is a component with its place and meters.
type ComponentDetail struct {
	ComponentJSON
	Place  PlaceOfJSON     `json:"place"`
	Meters []MeterLinkJSON `json:"meters" nullable:"false" doc:"Those that have been here too"`
}

type (
	componentsInput struct {
		Keyset
		Cell       string `query:"cell" pattern:"^[0-9A-Z]{0,15}$" doc:"Only in this cell"`
		Area       string `query:"area" pattern:"^[0-9]{0,12}$" doc:"Only in the county, street or community with this code"`
		Class      string `query:"class" maxLength:"128" doc:"Only of this class, or major class of two digits" example:"CJ/T 214-2007:component:01"`
		State      string `query:"state" enum:"intact,damaged,missing,abandoned,removed," doc:"Only in this state"`
		Department string `query:"department" pattern:"^[0-9A-Za-z_-]{0,32}$" doc:"Only where this department is in charge, owner or upkeep"`
		Box        string `query:"box" maxLength:"100" doc:"Only in this rectangle: west,south,east,north in degrees of CGCS2000"`
		NoPosition bool   `query:"no_position" doc:"Only those without a position"`
		NoCell     bool   `query:"no_cell" doc:"Only those with a position in no cell"`
		Ownerless  bool   `query:"ownerless" doc:"Only those that nobody is in charge of"`
	}
	componentsOutput struct{ Body AssetPage[ComponentJSON] }
	componentInput   struct {
		ID string `path:"id" pattern:"^[0-9A-Za-z_-]{1,32}$"`
	}
	componentOutput struct{ Body ComponentDetail }
	linksInput      struct {
		Keyset
		Meter     string `query:"meter" pattern:"^[0-9A-Za-z_-]{0,32}$"`
		Component string `query:"component" pattern:"^[0-9A-Za-z_-]{0,32}$"`
		Collector string `query:"collector" pattern:"^[0-9A-Za-z_-]{0,32}$"`
		Line      string `query:"line" maxLength:"100"`
		Ended     bool   `query:"ended" doc:"Those that have ended, too"`
	}
	linksOutput struct{ Body AssetPage[MeterLinkJSON] }
)

func (in *componentsInput) filter() (assets.ComponentFilter, *Problem) {
	f := assets.ComponentFilter{Cell: codes.CellCode(in.Cell), Area: codes.AreaCode(in.Area), State: registry.ComponentState(in.State),
		Department: registry.DepartmentID(in.Department), NoPosition: in.NoPosition, NoCell: in.NoCell, Ownerless: in.Ownerless}
	if in.Class != "" {
		if err := f.Class.Parse(in.Class); err != nil {
			return f, badParameter("class", err)
		}
	}
	box, err := parseBox(in.Box)
	if err != nil {
		return f, badParameter("box", err)
	}
	f.Box = box
	return f, nil
}

// parseBox reads "west,south,east,north"; nil for an empty text.
func parseBox(text string) (*assets.Box, error) {
	if text == "" {
		return nil, nil
	}
	parts := strings.Split(text, ",")
	if len(parts) != 4 {
		return nil, errors.New("want four numbers: west,south,east,north")
	}
	var v [4]float64
	for n, p := range parts {
		var err error
		if v[n], err = strconv.ParseFloat(p, 64); err != nil {
			return nil, fmt.Errorf("%.40q is no number of degrees", p)
		}
	}
	b := &assets.Box{West: v[0], South: v[1], East: v[2], North: v[3]}
	return b, b.Validate()
}

func (g *registryRoutes) listComponents(ctx context.Context, in *componentsInput) (*componentsOutput, error) {
	f, bad := in.filter()
	if bad != nil {
		return nil, bad
	}
	list, err := g.o.Register.Components(ctx, f, in.page())
	if err != nil {
		return nil, g.problemOf(ctx, "list components", err)
	}
	return &componentsOutput{assetPage(list, in.Limit, componentJSON, func(c *registry.Component) string { return string(c.ID) })}, nil
}

func (g *registryRoutes) getComponent(ctx context.Context, in *componentInput) (*componentOutput, error) {
	id := schemas.ComponentID(in.ID)
	c, err := g.o.Register.Component(ctx, id)
	if err != nil {
		return nil, g.problemOf(ctx, "get component", err)
	}
	p, err := g.o.Register.OfComponent(ctx, id)
	if err != nil {
		return nil, g.problemOf(ctx, "get component", err)
	}
	links, err := g.o.Register.Links(ctx, assets.LinkFilter{Component: id, Ended: true}, assets.Page{Limit: 1000})
	if err != nil {
		return nil, g.problemOf(ctx, "get component", err)
	}
	out := &componentOutput{ComponentDetail{ComponentJSON: componentJSON(&c), Place: placeJSON(&p), Meters: []MeterLinkJSON{}}}
	for n := range links {
		out.Body.Meters = append(out.Body.Meters, linkJSON(&links[n]))
	}
	return out, nil
}

func (g *registryRoutes) listLinks(ctx context.Context, in *linksInput) (*linksOutput, error) {
	if !utf8.ValidString(in.Line) || hasControl(in.Line) {
		return nil, badParameter("line", errors.New("no line has such characters"))
	}
	list, err := g.o.Register.Links(ctx, assets.LinkFilter{Meter: schemas.MeterID(in.Meter), Component: schemas.ComponentID(in.Component),
		Collector: schemas.CollectorID(in.Collector), Line: in.Line, Ended: in.Ended}, in.page())
	if err != nil {
		return nil, g.problemOf(ctx, "list meter links", err)
	}
	return &linksOutput{assetPage(list, in.Limit, linkJSON, func(l *registry.MeterLink) string { return string(l.Meter) })}, nil
}

// DutyJSON is the round of inspectors.
type DutyJSON struct {
	Code       string   `json:"code"`
	Name       string   `json:"name"`
	Inspectors []string `json:"inspectors" nullable:"false"`
}

// DepartmentJSON is a department.
type DepartmentJSON struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Classes []string `json:"classes" nullable:"false" doc:"What it takes when a component has no owner"`
	Phone   string   `json:"phone,omitempty" doc:"Only for those who send cases to departments"`
}

// GridPersonJSON is somebody who works with cases.
type GridPersonJSON struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Roles      []string `json:"roles" nullable:"false"`
	Department string   `json:"department"`
	Duty       []string `json:"duty" nullable:"false" doc:"Duty grids that the person walks"`
	Disabled   bool     `json:"disabled"`
}

type (
	dutiesInput       struct{ Keyset }
	dutiesOutput      struct{ Body AssetPage[DutyJSON] }
	departmentsInput  struct{ Keyset }
	departmentsOutput struct{ Body AssetPage[DepartmentJSON] }
	peopleInput       struct {
		Keyset
		Department string `query:"department" pattern:"^[0-9A-Za-z_-]{0,32}$"`
		Role       string `query:"role" pattern:"^[a-z_]{0,32}$"`
		Duty       string `query:"duty" pattern:"^[0-9A-Za-z_-]{0,32}$" doc:"Only those who walk this duty grid"`
	}
	peopleOutput struct{ Body AssetPage[GridPersonJSON] }
)

func (g *registryRoutes) listDuties(ctx context.Context, in *dutiesInput) (*dutiesOutput, error) {
	list, err := g.o.Register.Duties(ctx, in.page())
	if err != nil {
		return nil, g.problemOf(ctx, "list duty grids", err)
	}
	return &dutiesOutput{assetPage(list, in.Limit,
		func(d *registry.DutyGrid) DutyJSON { return DutyJSON{string(d.Code), d.Name, plain(d.Inspectors)} },
		func(d *registry.DutyGrid) string { return string(d.Code) })}, nil
}

func (g *registryRoutes) listDepartments(ctx context.Context, in *departmentsInput) (*departmentsOutput, error) {
	list, err := g.o.Register.Departments(ctx, in.page())
	if err != nil {
		return nil, g.problemOf(ctx, "list departments", err)
	}
	phones := mayPhone(casePersonOf(ctx))
	turn := func(d *registry.Department) DepartmentJSON {
		out := DepartmentJSON{ID: string(d.ID), Name: d.Name, Classes: make([]string, len(d.Classes))}
		for n, c := range d.Classes {
			out.Classes[n] = c.String()
		}
		if phones {
			out.Phone = d.Phone
		}
		return out
	}
	return &departmentsOutput{assetPage(list, in.Limit, turn, func(d *registry.Department) string { return string(d.ID) })}, nil
}

func (g *registryRoutes) listPeople(ctx context.Context, in *peopleInput) (*peopleOutput, error) {
	list, err := g.o.Register.People(ctx, assets.PersonFilter{Department: registry.DepartmentID(in.Department), Role: in.Role, Duty: codes.DutyCode(in.Duty)}, in.page())
	if err != nil {
		return nil, g.problemOf(ctx, "list people", err)
	}
	turn := func(p *registry.Person) GridPersonJSON {
		return GridPersonJSON{string(p.ID), p.Name, plain(p.Roles), string(p.Department), plain(p.Duty), p.Disabled}
	}
	return &peopleOutput{assetPage(list, in.Limit, turn, func(p *registry.Person) string { return string(p.ID) })}, nil
}
