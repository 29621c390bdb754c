package desk

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/limits"
	"citygrid/internal/pgtest"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

var postgres = sync.OnceValues(pgtest.Start)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(beChild())
	}
	code := m.Run()
	if s, err := postgres(); err == nil {
		if err := s.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// engines runs test once for each database, with the address of an empty one.
func engines(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, "sqlite:"+filepath.Join(t.TempDir(), "cases.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, pgtest.Need(t, postgres)) })
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// Monday, 23 November 2026, 09:00 in the city.
var monday = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)

var shanghai = time.FixedZone("CST", 8*3600)

// clock is the hub's clock of a test.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

var (
	coverClass  = codes.Ref{Standard: "CJ/T 214-2007", Kind: codes.Component, Code: "0101"}
	eventClass  = codes.Ref{Standard: "CJ/T 214-2007", Kind: codes.Event, Code: "0299"}
	outageClass = codes.Ref{Standard: "CJ/T 214-2007", Kind: codes.Event, Code: "0298"}
)

// names are the classes of the tests.
type names struct{}

func (names) OfEvent(kind schemas.EventKind) (codes.Ref, string, error) {
	if kind == schemas.EventCellOutage {
		return outageClass, "片区失联", nil
	}
	return eventClass, "自动监测", nil
}

func (names) Name(class codes.Ref) (string, error) {
	if class.Code == "9999" {
		return "", errors.New("no list has class 9999; ask for the lists")
	}
	return "名称 " + class.Code, nil
}

// grid is the registry of the tests.
type grid struct {
	mu         sync.Mutex
	meters     map[schemas.MeterID]Place
	components map[schemas.ComponentID]Place
	lines      map[string]Place
	candidates []cases.DepartmentID
	broken     error
}

func newGrid() *grid {
	return &grid{meters: map[schemas.MeterID]Place{}, components: map[schemas.ComponentID]Place{}, lines: map[string]Place{}}
}

func (g *grid) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.broken = err
}

func (g *grid) trouble() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.broken
}

func (g *grid) OfMeter(_ context.Context, m schemas.MeterID, _ time.Time) (Place, error) {
	return g.meters[m], g.trouble()
}

func (g *grid) OfComponent(_ context.Context, c schemas.ComponentID) (Place, error) {
	return g.components[c], g.trouble()
}

func (g *grid) OfLine(_ context.Context, c schemas.CollectorID, line string) (Place, error) {
	return g.lines[string(c)+"/"+line], g.trouble()
}

func (g *grid) Candidates(context.Context, codes.Ref) ([]cases.DepartmentID, error) {
	return g.candidates, g.trouble()
}

// At: cells are strips of a thousandth of a degree from 116.0 E on.
func (g *grid) At(_ context.Context, p schemas.Position) (Place, error) {
	if math.IsNaN(p.Lon) || math.Abs(p.Lon) > 180 {
		return Place{}, errors.New("the grid was asked for no position")
	}
	n := int(math.Floor((p.Lon - 116) * 1000))
	if n < 1 || n > 999 {
		return Place{}, g.trouble()
	}
	return Place{Cell: cellOf(n), Duty: "D1", AreaClass: fmt.Sprint(1 + n%2), Position: p}, g.trouble()
}

// OfCell answers for a cell alone.
func (g *grid) OfCell(_ context.Context, c codes.CellCode) (Place, error) {
	n := 0
	if _, err := fmt.Sscanf(strings.TrimPrefix(string(c), "110101001001"), "%03d", &n); err != nil {
		return Place{}, nil
	}
	return Place{Cell: c, Duty: "D1", AreaClass: fmt.Sprint(1 + n%2)}, g.trouble()
}

func cellOf(n int) codes.CellCode { return codes.CellCode(fmt.Sprintf("110101001001%03d", n)) }

// inCell is a position in the middle of a cell, so many metres to the north.
func inCell(n int, north float64) schemas.Position {
	return schemas.Position{Lon: 116 + float64(n)/1000 + 0.0005, Lat: 39.9 + north/perDegree, CRS: schemas.CGCS2000}
}

const limitsFile = `
zone: Asia/Shanghai
week: {mon: ["08:30-12:00", "13:30-17:30"], tue: ["08:30-12:00", "13:30-17:30"], wed: ["08:30-12:00", "13:30-17:30"], thu: ["08:30-12:00", "13:30-17:30"], fri: ["08:30-12:00", "13:30-17:30"]}
starts: %s
rework: %s
limits:
  - {class: "CJ/T 214-2007:component:01", amount: 6, unit: urgent_hour}
  - {class: "CJ/T 214-2007:component:0102", amount: 7, unit: work_hour}
  - {class: "CJ/T 214-2007:component:0103", amount: 3, unit: work_day}
  - {class: "CJ/T 214-2007:component:0101", area: "2", amount: 4, unit: urgent_hour}
  - {class: "CJ/T 214-2007:event:02", amount: 8, unit: work_hour}
workflow: {sensors: [accept, file, check, close], offline: 72h}
`

func bookOf(tb testing.TB, starts limits.Starts, rework limits.Rework) *limits.Book {
	tb.Helper()
	b, err := limits.Load(fmt.Appendf(nil, limitsFile, starts, rework))
	must(tb, err)
	return b
}

// town is a desk with the clock and the registry of a test.
type town struct {
	*Desk
	tb    testing.TB
	clock *clock
	grid  *grid
}

func options(tb testing.TB, c *clock, g *grid) Options {
	tb.Helper()
	book := bookOf(tb, limits.AtFiling, limits.Anew)
	numbers, err := codes.NewCaseTemplate("{kind}{yyyymmdd}{serial:6}", shanghai)
	must(tb, err)
	return Options{Rules: book.Workflow, Grid: g, Limits: book, Classes: names{}, Numbers: numbers, Zone: shanghai, Now: c.now}
}

// openTown opens a desk; change may alter its options.
func openTown(tb testing.TB, dsn string, change ...func(*Options)) *town {
	tb.Helper()
	w := &town{tb: tb, clock: &clock{t: monday}, grid: newGrid()}
	w.again(dsn, change...)
	return w
}

// again opens the same town once more, as after a restart or in another process.
func (w *town) again(dsn string, change ...func(*Options)) *town {
	w.tb.Helper()
	o := options(w.tb, w.clock, w.grid)
	for _, f := range change {
		f(&o)
	}
	d, err := Open(context.Background(), dsn, o)
	must(w.tb, err)
	w.tb.Cleanup(func() {
		if err := d.Close(); err != nil {
			w.tb.Error(err)
		}
	})
	w.Desk = d
	return w
}

func by(r cases.Role) cases.Actor {
	switch r {
	case cases.Sensor:
		return cases.Actor{Person: cases.System, Role: cases.Sensor}
	case cases.Department:
		return of("A")
	}
	return cases.Actor{Person: cases.PersonID(r), Role: r}
}

// of is somebody of a department.
func of(d cases.DepartmentID) cases.Actor {
	return cases.Actor{Person: cases.PersonID("worker-" + d), Role: cases.Department, Department: d}
}

// report is one of the hotline, in a cell.
func report(n int) cases.Entry {
	return cases.Entry{Act: cases.ActReport, Actor: by(cases.Acceptor), Report: &cases.Report{
		Source: cases.SourceLeader, Type: cases.Daily, Class: coverClass, Description: "井盖丢失", Location: "人民路 18 号",
		Position: inCell(n, 0), Condition: "missing", Urgency: cases.Normal}}
}

// act does e in a case a second later and wants it done.
func (w *town) act(id cases.CaseID, e cases.Entry) Done {
	w.tb.Helper()
	w.clock.add(time.Second)
	e.Case = id
	done, err := w.Act(context.Background(), Submission{Entry: e})
	if err != nil {
		w.tb.Fatalf("%s: %v", e.Act, err)
	}
	return done
}

// new reports a case in a cell.
func (w *town) new(n int) cases.CaseID {
	w.tb.Helper()
	return w.act("", report(n)).Case.ID
}

func entry(a cases.Act, by cases.Actor) cases.Entry {
	e := cases.Entry{Act: a, Actor: by}
	switch a {
	case cases.ActSendVerify, cases.ActSendCheck:
		e.Inspector = "inspector"
	case cases.ActAnswerVerify, cases.ActAnswerCheck:
		e.Outcome = cases.Yes
	case cases.ActFile:
		e.Filing = &cases.Filing{}
	case cases.ActDispatch:
		e.Departments = []cases.DepartmentID{"A"}
	case cases.ActAskExtension:
		e.Reason, e.Amount = "等配件", 4
	case cases.ActReject, cases.ActAskReturn, cases.ActAskSuspension, cases.ActAskVoid, cases.ActRefuse, cases.ActRework:
		e.Reason = "理由"
	case cases.ActFeedBack, cases.ActNote:
		e.Text = "已更换"
	}
	return e
}

// through does acts one after the other, each by who usually does it.
func (w *town) through(id cases.CaseID, list ...cases.Act) *cases.Case {
	w.tb.Helper()
	var c *cases.Case
	for _, a := range list {
		c = w.act(id, entry(a, by(usual(a)))).Case
	}
	return c
}

func usual(a cases.Act) cases.Role {
	switch a {
	case cases.ActSendVerify, cases.ActAccept, cases.ActReject, cases.ActClassify, cases.ActSendCheck, cases.ActAskVoid, cases.ActRework:
		return cases.Acceptor
	case cases.ActAnswerVerify, cases.ActAnswerCheck:
		return cases.Inspector
	case cases.ActFile, cases.ActClose:
		return cases.ShiftLeader
	case cases.ActDispatch:
		return cases.Dispatcher
	}
	return cases.Department
}

var (
	toHandling = []cases.Act{cases.ActAccept, cases.ActFile, cases.ActDispatch, cases.ActTake}
	toClosed   = []cases.Act{cases.ActFeedBack, cases.ActSendCheck, cases.ActAnswerCheck, cases.ActClose}
)

// state wants a case to be in a state and the lists to show it.
func (w *town) state(id cases.CaseID, want cases.State) *cases.Case {
	w.tb.Helper()
	c, err := w.Case(context.Background(), id)
	must(w.tb, err)
	if c.State != want {
		w.tb.Errorf("case %s is %s, want %s", id, c.State, want)
	}
	return c
}

// sound wants nothing of Check.
func (w *town) sound() {
	w.tb.Helper()
	must(w.tb, w.Check(context.Background(), func(f Finding) { w.tb.Errorf("case %s: %s", f.Case, f.Problem) }))
}

// list wants the ids of a list, in any order.
func (w *town) list(f Filter) (ids []cases.CaseID) {
	w.tb.Helper()
	list, err := w.List(context.Background(), f)
	must(w.tb, err)
	for _, s := range list {
		ids = append(ids, s.ID)
	}
	n, err := w.Count(context.Background(), f)
	must(w.tb, err)
	if f.Before == 0 && int(n) != len(ids) && len(ids) < 50 && f.Limit == 0 {
		w.tb.Errorf("%d counted, %d listed", n, len(ids))
	}
	return ids
}

// acts are the acts of a journal.
func (w *town) acts(id cases.CaseID) (list []string) {
	w.tb.Helper()
	entries, err := w.Journal(context.Background(), id)
	must(w.tb, err)
	for _, e := range entries {
		list = append(list, string(e.Act))
	}
	return list
}

// rows are all rows of some tables, to see whether anything has changed.
func (w *town) rows() string {
	w.tb.Helper()
	var out strings.Builder
	for _, table := range []string{"case_counters", "case_entries", "cases", "case_sent", "case_uploads", "case_serials", "petitioners", "component_events"} {
		rows, err := w.db.Read.QueryContext(context.Background(), "SELECT * FROM "+table+" ORDER BY 1, 2")
		must(w.tb, err)
		columns, err := rows.Columns()
		must(w.tb, err)
		for rows.Next() {
			fields := make([]any, len(columns))
			for n := range fields {
				fields[n] = new(any)
			}
			must(w.tb, rows.Scan(fields...))
			for n := range fields {
				fmt.Fprintf(&out, "%s.%s=%v ", table, columns[n], *fields[n].(*any))
			}
			out.WriteString("\n")
		}
		must(w.tb, rows.Err())
		must(w.tb, rows.Close())
	}
	return out.String()
}

func sorted[T ~string](list []T) []T {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}
