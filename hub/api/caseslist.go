package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/hub/cases/limits"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// PositionJSON is a point on the ground. The system is always said, never guessed.
type PositionJSON struct {
	Lon      float64 `json:"lon" minimum:"-180" maximum:"180" doc:"Degrees"`
	Lat      float64 `json:"lat" minimum:"-90" maximum:"90" doc:"Degrees"`
	CRS      string  `json:"crs" enum:"CGCS2000,WGS84,GCJ-02" doc:"Coordinate reference system"`
	Accuracy float64 `json:"accuracy,omitempty" minimum:"0" doc:"Radius in metres within which the receiver believes to be"`
}

func positionJSON(p schemas.Position) *PositionJSON {
	if !p.Known() {
		return nil
	}
	return &PositionJSON{Lon: p.Lon, Lat: p.Lat, CRS: string(p.CRS), Accuracy: p.Accuracy}
}

func (p *PositionJSON) position() schemas.Position {
	if p == nil {
		return schemas.Position{}
	}
	return schemas.Position{Lon: p.Lon, Lat: p.Lat, CRS: schemas.CRS(p.CRS), Accuracy: p.Accuracy}
}

// CaseJSON is a case in a list. What does not apply is empty or absent.
type CaseJSON struct {
	ID          string        `json:"id"`
	State       string        `json:"state" enum:"reported,verifying,verified,accepted,filed,dispatched,handling,suspended,fed_back,checking,checked,closed,rejected,voided"`
	Since       time.Time     `json:"since" doc:"When the state began"`
	Reported    time.Time     `json:"reported"`
	Ended       *time.Time    `json:"ended,omitempty"`
	Light       string        `json:"light" enum:"none,green,yellow,red" doc:"Traffic light of the limit for handling; none where nobody has set one"`
	Clock       string        `json:"clock" enum:"none,running,stopped,met,missed" doc:"Clock of handling"`
	Deadline    *time.Time    `json:"deadline,omitempty"`
	Source      string        `json:"source"`
	Urgency     string        `json:"urgency" enum:"normal,urgent,dangerous"`
	Class       string        `json:"class" example:"CJ/T 214-2007:component:0101"`
	ClassName   string        `json:"class_name"`
	Condition   string        `json:"condition"`
	Component   string        `json:"component" doc:"Always a string: 17 digits exceed the whole numbers of JavaScript"`
	Event       string        `json:"event"`
	Description string        `json:"description"`
	Location    string        `json:"location"`
	Position    *PositionJSON `json:"position,omitempty"`
	Cell        string        `json:"cell"`
	Duty        string        `json:"duty"`
	Handler     string        `json:"handler" doc:"Department that took it"`
	Inspector   string        `json:"inspector" doc:"Who is sent to verify or check now"`
	Request     string        `json:"request" doc:"Kind of the request that is open"`
	Reworks     int           `json:"reworks"`
	DuplicateOf string        `json:"duplicate_of"`
	Entries     uint32        `json:"entries" doc:"Entries in its journal; an act may name them so that a stale one is refused"`
}

func caseJSON(s *desk.Summary) CaseJSON {
	return CaseJSON{
		ID: string(s.ID), State: string(s.State), Since: s.Since, Reported: s.Reported, Ended: timeOrNil(s.Ended),
		Light: string(s.Light), Clock: string(s.Handling.Clock), Deadline: timeOrNil(s.Handling.Deadline),
		Source: string(s.Source), Urgency: string(s.Urgency), Class: s.Class.String(), ClassName: s.ClassName, Condition: s.Condition,
		Component: string(s.Component), Event: string(s.Event), Description: s.Description, Location: s.Location, Position: positionJSON(s.Position),
		Cell: string(s.Cell), Duty: string(s.Duty), Handler: string(s.Handler), Inspector: string(s.Inspector), Request: string(s.Request),
		Reworks: s.Reworks, DuplicateOf: string(s.DuplicateOf), Entries: s.Entries,
	}
}

// CasePage is a page of cases.
type CasePage struct {
	Rows  []CaseJSON `json:"rows" nullable:"false"`
	Next  string     `json:"next,omitempty" doc:"Cursor of the page that follows; absent after the last"`
	Total *int64     `json:"total,omitempty" doc:"Cases that match, on all pages, where count asked for it"`
}

// CaseSelection is the part of a query that list and export share.
type CaseSelection struct {
	State      []string  `query:"state" enum:"reported,verifying,verified,accepted,filed,dispatched,handling,suspended,fed_back,checking,checked,closed,rejected,voided" doc:"Only cases in one of these states, separated by commas"`
	Open       bool      `query:"open" doc:"Only cases that are not at their end"`
	Cell       string    `query:"cell" pattern:"^[0-9A-Z]{0,15}$" doc:"Only in this cell, or in the area with this code"`
	Duty       string    `query:"duty" pattern:"^[0-9A-Za-z_-]{0,32}$" doc:"Only in this duty grid"`
	Class      string    `query:"class" maxLength:"128" doc:"Only of this class, or of those that begin so" example:"CJ/T 214-2007:component:01"`
	Component  string    `query:"component" pattern:"^[0-9A-Za-z_-]{0,40}$" doc:"Only about this component"`
	Source     string    `query:"source" enum:"inspector,public,hotline,video,leader,media,web,assessment,inspection,sensor," doc:"Only from this source"`
	Department string    `query:"department" pattern:"^[0-9A-Za-z_-]{0,32}$" doc:"Only what was sent to this department and not given back, whoever has taken it"`
	Handler    string    `query:"handler" pattern:"^[0-9A-Za-z_-]{0,32}$" doc:"Only what this department has taken"`
	Inspector  string    `query:"inspector" pattern:"^[0-9A-Za-z_.@-]{0,32}$" doc:"Only where this inspector is sent now"`
	Request    string    `query:"request" enum:"return,extension,suspension,void,any," doc:"Only where such a request is open"`
	Light      string    `query:"light" enum:"none,green,yellow,red," doc:"Only with this traffic light now"`
	Since      time.Time `query:"since" doc:"Only reported at or after"`
	Until      time.Time `query:"until" doc:"Only reported before"`
}

// filter returns the desk's form of s.
func (s *CaseSelection) filter() (desk.Filter, *Problem) {
	if !utf8.ValidString(s.Class) || hasControl(s.Class) {
		return desk.Filter{}, fieldProblem("query.class", "no class has such characters")
	}
	f := desk.Filter{
		Open: s.Open, Cell: s.Cell, Duty: codes.DutyCode(s.Duty), Class: s.Class, Component: schemas.ComponentID(s.Component), Source: cases.Source(s.Source),
		Department: cases.DepartmentID(s.Department), Handler: cases.DepartmentID(s.Handler), Inspector: cases.PersonID(s.Inspector), Request: cases.RequestKind(s.Request), Light: limits.Light(s.Light),
		Since: s.Since, Until: s.Until,
	}
	for _, state := range s.State {
		f.States = append(f.States, cases.State(state))
	}
	return f, nil
}

// fieldProblem is a problem with one parameter.
func fieldProblem(location, message string) *Problem {
	p := problem(http.StatusUnprocessableEntity, codeInvalid, location+": "+message)
	p.Errors = []ProblemField{{Location: location, Message: message}}
	return p
}

// Nearby is the part of a query that names a place.
type Nearby struct {
	Lon    float64 `query:"lon" minimum:"-180" maximum:"180" doc:"Degrees; 0 and 0 for no place"`
	Lat    float64 `query:"lat" minimum:"-90" maximum:"90"`
	CRS    string  `query:"crs" enum:"CGCS2000,WGS84,GCJ-02" default:"CGCS2000"`
	Within float64 `query:"within" minimum:"1" maximum:"20000" default:"50" doc:"Metres"`
}

func (n *Nearby) position() schemas.Position {
	if n.Lon == 0 && n.Lat == 0 {
		return schemas.Position{}
	}
	return schemas.Position{Lon: n.Lon, Lat: n.Lat, CRS: schemas.CRS(n.CRS)}
}

type (
	casesInput struct {
		CaseSelection
		Nearby
		Count  bool   `query:"count" doc:"Tell how many match on all pages, too"`
		Cursor string `query:"cursor" pattern:"^([1-9][0-9]{0,17})?$" doc:"The next of the page before"`
		Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"Rows a page"`
	}
	casesOutput struct{ Body CasePage }
)

func (c *caseRoutes) listCases(ctx context.Context, in *casesInput) (*casesOutput, error) {
	f, bad := in.filter()
	if bad != nil {
		return nil, bad
	}
	f.Limit = in.Limit
	f.Before, _ = strconv.ParseInt(in.Cursor, 10, 64) // the pattern leaves no other
	if at := in.position(); at.Known() {
		f.Near, f.Metres = at, in.Within
	}
	list, err := c.o.Desk.List(ctx, f)
	if err != nil {
		return nil, c.filterProblem(ctx, "list cases", err)
	}
	out := &casesOutput{Body: CasePage{Rows: caseRows(list)}}
	if len(list) == in.Limit {
		out.Body.Next = strconv.FormatInt(list[len(list)-1].Number, 10)
	}
	if in.Count {
		n, err := c.o.Desk.Count(ctx, f)
		if err != nil {
			return nil, c.filterProblem(ctx, "count cases", err)
		}
		out.Body.Total = &n
	}
	return out, nil
}

// filterProblem is problemOf for a question, whose fields stand in its query.
func (c *caseRoutes) filterProblem(ctx context.Context, act string, err error) *Problem {
	p := c.problemOf(ctx, act, err)
	for n := range p.Errors {
		p.Errors[n].Location = "query." + strings.TrimPrefix(p.Errors[n].Location, "body.")
	}
	return p
}

// maxCasePage is the most that the desk lists at once.
const maxCasePage = 1000

func caseRows(list []desk.Summary) []CaseJSON {
	rows := make([]CaseJSON, len(list))
	for n := range list {
		rows[n] = caseJSON(&list[n])
	}
	return rows
}

type (
	similarInput struct {
		Class     string `query:"class" required:"true" maxLength:"128" example:"CJ/T 214-2007:component:0101"`
		Component string `query:"component" pattern:"^[0-9A-Za-z_-]{0,40}$"`
		Nearby
	}
	similarOutput struct{ Body []CaseJSON }
)

// similarCases is the hint before a new report.
func (c *caseRoutes) similarCases(ctx context.Context, in *similarInput) (*similarOutput, error) {
	class, err := codes.Parse(in.Class)
	if err != nil {
		return nil, fieldProblem("query.class", err.Error())
	}
	at := in.position()
	if !at.Known() && in.Component == "" {
		return nil, fieldProblem("query.component", "missing; give the component, or lon and lat")
	}
	list, err := c.o.Desk.Similar(ctx, class, schemas.ComponentID(in.Component), at, in.Within)
	if err != nil {
		return nil, c.filterProblem(ctx, fmt.Sprintf("cases like %s", class), err)
	}
	return &similarOutput{Body: caseRows(list)}, nil
}
