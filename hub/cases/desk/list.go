package desk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/uptrace/bun"

	"citygrid/hub/cases"
	"citygrid/hub/cases/limits"
	"citygrid/internal/sqldb"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// Summary is a case in a list.
type Summary struct {
	ID                     cases.CaseID
	Number                 int64 // its place in the list: Filter.Before
	State                  cases.State
	Since, Reported, Ended time.Time
	Source                 cases.Source
	Urgency                cases.Urgency
	Class                  codes.Ref
	ClassName, Condition   string
	Component              schemas.ComponentID
	Event                  schemas.EventID
	Description, Location  string
	Position               schemas.Position
	Cell                   codes.CellCode
	Duty                   codes.DutyCode
	Handler                cases.DepartmentID
	Inspector              cases.PersonID // who is sent to verify or check
	Request                cases.RequestKind
	Reworks                int
	DuplicateOf            cases.CaseID
	Handling               Handling
	Light                  limits.Light
	Entries                uint32
	LastSeq                int64
}

func (r *caseRow) summary(now time.Time) (Summary, error) {
	class, err := codes.Parse(r.Class)
	if err != nil {
		return Summary{}, fmt.Errorf("case %s: %w", r.ID, err)
	}
	s := Summary{
		ID: cases.CaseID(r.ID), Number: r.FirstSeq, State: cases.State(r.State), Since: moment(r.SinceMs), Reported: moment(r.ReportedMs), Ended: moment(r.EndedMs),
		Source: cases.Source(r.Source), Urgency: cases.Urgency(r.Urgency), Class: class, ClassName: r.ClassName, Condition: r.Condition,
		Component: schemas.ComponentID(r.Component), Event: schemas.EventID(r.Event), Description: r.Description, Location: r.Location,
		Cell: codes.CellCode(r.Cell), Duty: codes.DutyCode(r.Duty), Handler: cases.DepartmentID(r.Handler), Inspector: cases.PersonID(r.Inspector),
		Request: cases.RequestKind(r.Request), Reworks: r.Reworks, DuplicateOf: cases.CaseID(r.DuplicateOf),
		Handling: Handling{ClockState(r.Clock), moment(r.YellowMs), moment(r.DeadlineMs)}, Light: r.light(now), Entries: r.Entries, LastSeq: r.LastSeq,
	}
	if r.LonE7 != 0 || r.LatE7 != 0 {
		s.Position = schemas.Position{Lon: degrees(r.LonE7), Lat: degrees(r.LatE7), CRS: schemas.CGCS2000}
	}
	return s, nil
}

// Filter picks cases for a list. Fields that are empty pick all.
type Filter struct {
	States     []cases.State
	Open       bool   // only those that are not at their end
	Cell       string // a cell, or the code of an area that it lies in
	Duty       codes.DutyCode
	Class      string // a class, or the beginning of one such as "CJ/T 214-2007:event:01"
	Component  schemas.ComponentID
	Source     cases.Source
	Department cases.DepartmentID // sent to it and not given back, whoever has taken it
	Handler    cases.DepartmentID // taken by it
	Inspector  cases.PersonID     // sent to verify or check now
	Request    cases.RequestKind  // with such a request open; "any" for any
	Light      limits.Light       // as Summary.Light shows now
	Since      time.Time          // reported at or after
	Until      time.Time          // reported before
	Near       schemas.Position   // with Metres, up to 20,000: at most so far away
	Metres     float64
	Before     int64 // Number of the last one of the page before
	Limit      int   // 0 means 50; at most 1,000

	usual string // the index where no part of the filter picks few; empty for that of the list's order
}

// maxMetres bounds Filter.Metres: a city.
const maxMetres = 20_000

// check reports the first value that no case can have. near is Near as the tables
// keep positions.
func (f *Filter) check(near schemas.Position) error {
	wrong := func(field, format string, args ...any) error {
		return &schemas.FieldError{Field: field, Problem: fmt.Sprintf(format, args...)}
	}
	for _, s := range f.States {
		if !slices.Contains(cases.States(), s) {
			return wrong("state", "%q is no state of a case", string(s))
		}
	}
	lights := []limits.Light{"", limits.None, limits.Green, limits.Yellow, limits.Red}
	switch {
	case f.Source != "" && !slices.Contains(cases.Sources(), f.Source):
		return wrong("source", "%q, want one of %v", string(f.Source), cases.Sources())
	case f.Request != "" && f.Request != "any" && !slices.Contains(cases.RequestKinds(), f.Request):
		return wrong("request", "%q, want any or one of %v", string(f.Request), cases.RequestKinds())
	case !slices.Contains(lights, f.Light):
		return wrong("light", "%q, want one of %v", string(f.Light), lights[1:])
	case !cellStart(f.Cell):
		return wrong("cell", "%.40q, want the code of a cell or area", f.Cell)
	case f.Metres == 0 && !f.Near.Known():
		return nil
	case !(f.Metres > 0 && f.Metres <= maxMetres):
		return wrong("metres", "%v, want up to %d around a position", f.Metres, maxMetres)
	case f.Near.Validate() != nil || !f.Near.Known():
		return wrong("near", "no position to measure from; give longitude, latitude and their system")
	case !near.Known():
		return wrong("near", "this hub cannot turn positions in %s; give CGCS2000 or WGS84", f.Near.CRS)
	}
	return nil
}

// cellStart reports whether a cell's code may begin so (codes.ParseCell).
func cellStart(s string) bool {
	return len(s) <= 15 && !strings.ContainsFunc(s, func(r rune) bool { return (r < '0' || r > '9') && (r < 'A' || r > 'Z') })
}

// List returns cases, the latest first. One more page may follow a full one. An error
// may be a *schemas.FieldError about the filter.
func (d *Desk) List(ctx context.Context, f Filter) ([]Summary, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = 50
	}
	now := d.now()
	page, order, err := d.pick(ctx, f, now)
	if err != nil {
		return nil, err
	}
	// The inner query finds the page in the indexes alone.
	page = page.ColumnExpr(order).OrderExpr(order + " DESC").Limit(int64(min(limit, 1000)))
	var rows []caseRow
	if err := d.db.Read.NewSelect().Model(&rows).Where("first_seq IN (?)", page).Order("first_seq DESC").Scan(ctx); err != nil {
		return nil, sqldb.Explain("list cases", err)
	}
	out := make([]Summary, len(rows))
	for n := range rows {
		if out[n], err = rows[n].summary(now); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Count counts what List would list, whatever the page.
func (d *Desk) Count(ctx context.Context, f Filter) (n int64, err error) {
	f.Before = 0
	q, _, err := d.pick(ctx, f, d.now())
	if err != nil {
		return 0, err
	}
	err = q.ColumnExpr("COUNT(*)").Scan(ctx, &n)
	return n, sqldb.Explain("count cases", err)
}

// pick makes the query for a filter, and names the column that orders it.
func (d *Desk) pick(ctx context.Context, f Filter, now time.Time) (q *bun.SelectQuery, order string, err error) {
	near := schemas.Position{}
	if f.Near.Known() && f.Near.Validate() == nil {
		near = d.o.Plain(f.Near)
	}
	if err := f.check(near); err != nil {
		return nil, "", err
	}
	index, err := d.index(ctx, &f)
	if err != nil {
		return nil, "", sqldb.Explain("list cases", err)
	}
	q, order = d.db.Read.NewSelect().TableExpr("cases AS c"+index), "c.first_seq"
	if f.Department != "" { // its list comes first: SQLite keeps the order of a cross join
		order = "s.first_seq"
		q = d.db.Read.NewSelect().TableExpr("case_sent AS s CROSS JOIN cases AS c").Where("c.id = s.case_id AND s.department = ?", string(f.Department))
		if f.Open {
			q = q.Where("s.open = 1")
		}
	}
	if f.Before > 0 {
		q = q.Where(order+" < ?", f.Before)
	}
	q = f.light(f.equal(q), now)
	if near.Known() {
		circle := around(near, f.Metres)
		q = q.Where(circle.within("c."), circle.args()...)
	}
	return q, order, nil
}

// index names the index for a filter: SQLite keeps no statistics and would often take
// a worse one; PostgreSQL knows better.
func (d *Desk) index(ctx context.Context, f *Filter) (string, error) {
	if !d.db.SQLite() {
		return "", nil
	}
	name, query, args := f.index()
	if query != "" { // enough of the latest cases are in the range, or few are at all
		const few = 3000
		var n int
		err := d.db.Read.NewRaw("SELECT COUNT(*) FROM (SELECT 1 FROM cases WHERE "+query+" LIMIT ?)", append(args, few)...).Scan(ctx, &n)
		if err != nil {
			return "", err
		}
		if n == few {
			name = ""
		}
	}
	if name == "" {
		name = f.usual
	}
	if name == "" {
		return "", nil
	}
	return " INDEXED BY " + name, nil
}

// index is that of the part of the filter that usually picks the fewest, empty for
// that of the list's order. It is worth it only where few cases meet a condition that
// is not empty.
func (f *Filter) index() (name, condition string, args []any) {
	switch {
	case f.Department != "":
		return "", "", nil
	case f.Component != "":
		name = "cases_component"
	case f.Inspector != "":
		name = "cases_inspector"
	case f.Request != "":
		name = "cases_request"
	case f.Metres > 0:
		name = "cases_place"
	case len(f.Cell) >= 12:
		name = "cases_cell"
	case !f.Until.IsZero():
		name = "cases_reported"
	case !f.Since.IsZero():
		name, condition, args = "cases_reported", "reported_ms >= ?", []any{millis(f.Since)}
	case f.Light == limits.Yellow || f.Light == limits.Red:
		name = "cases_light"
	case f.Handler != "":
		name = "cases_handler"
	case f.Cell != "":
		name, condition, args = "cases_cell", "cell >= ? AND cell <= ?", []any{f.Cell, f.lastCell()}
	case f.Source != "":
		name = "cases_source"
	}
	return name, condition, args
}

// lastCell is the last code that begins with Cell: digits and capital letters alone, in
// the order of any collation.
func (f *Filter) lastCell() string { return f.Cell + "ZZZZZZZZZZZZZZZ"[:15-len(f.Cell)] }

// equal adds what is compared as it stands.
func (f *Filter) equal(q *bun.SelectQuery) *bun.SelectQuery {
	if len(f.States) > 0 {
		q = q.Where("c.state IN (?)", bun.List(f.States))
	}
	if f.Open {
		q = q.Where("c.open = 1")
	}
	if f.Cell != "" {
		q = q.Where("c.cell >= ? AND c.cell <= ?", f.Cell, f.lastCell())
	}
	if f.Class != "" {
		q = q.Where("SUBSTR(c.class, 1, ?) = ?", utf8.RuneCountInString(f.Class), f.Class)
	}
	for _, e := range []struct{ column, value string }{{"duty", string(f.Duty)}, {"component", string(f.Component)}, {"source", string(f.Source)},
		{"handler", string(f.Handler)}, {"inspector", string(f.Inspector)}, {"request", string(f.Request)}} {
		switch {
		case e.value == "":
		case e.column == "request" && e.value == "any":
			q = q.Where("c.request <> ''")
		default: // the second part lets SQLite use an index of those that have one
			q = q.Where("c.? = ? AND c.? <> ''", bun.Ident(e.column), e.value, bun.Ident(e.column))
		}
	}
	if !f.Since.IsZero() {
		q = q.Where("c.reported_ms >= ?", millis(f.Since))
	}
	if !f.Until.IsZero() {
		q = q.Where("c.reported_ms < ?", millis(f.Until))
	}
	return q
}

// light says in SQL what caseRow.light says.
func (f *Filter) light(q *bun.SelectQuery, now time.Time) *bun.SelectQuery {
	ms := millis(now)
	switch f.Light {
	case limits.None:
		return q.Where("c.clock IN (?, ?)", string(ClockNone), string(ClockStopped))
	case limits.Green:
		return q.Where("(c.clock = ? OR c.clock = ? AND c.yellow_ms > ? AND c.deadline_ms > ?)", string(ClockMet), string(ClockRunning), ms, ms)
	case limits.Yellow:
		return q.Where("c.open = 1 AND c.clock = ? AND c.yellow_ms <= ? AND c.deadline_ms > ?", string(ClockRunning), ms, ms)
	case limits.Red: // the first part is for the index
		return q.Where("c.open IN (0, 1) AND c.clock IN (?, ?)", string(ClockMissed), string(ClockRunning)).Where("(c.clock = ? OR c.clock = ? AND c.deadline_ms <= ?)", string(ClockMissed), string(ClockRunning), ms)
	}
	return q
}

// Similar returns open cases that may be about the same thing: the same component, or
// the same class within some metres, the former first, up to twenty in all. A new
// report is shown them as a hint. A position that cannot be measured from finds nothing.
func (d *Desk) Similar(ctx context.Context, class codes.Ref, component schemas.ComponentID, at schemas.Position, within float64) ([]Summary, error) {
	const most = 10
	var out []Summary
	if component != "" {
		list, err := d.List(ctx, Filter{Open: true, Component: component, Limit: most})
		if err != nil {
			return nil, err
		}
		out = list
	}
	if !at.Known() || at.Validate() != nil || !d.o.Plain(at).Known() || !(within > 0) {
		return out, nil
	}
	list, err := d.List(ctx, Filter{Open: true, Class: class.String(), Near: at, Metres: min(within, maxMetres), Limit: 2 * most})
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		if len(out) < 2*most && !slices.ContainsFunc(out, func(o Summary) bool { return o.ID == s.ID }) {
			out = append(out, s)
		}
	}
	return out, nil
}
