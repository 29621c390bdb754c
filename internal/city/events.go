package city

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/hub/cases/limits"
	hubconfig "citygrid/hub/config"
	"citygrid/schemas"
	"citygrid/schemas/codes"
	"citygrid/simulators"
)

// GridReport is what became of the component events and their cases.
type GridReport struct {
	// Decided counts the beginnings and ends that the collector had made durable; one
	// that was killed may tell some again. Events are those that the hub has, and
	// Outcomes what became of them.
	Decided  uint64         `json:"decided"`
	Events   int            `json:"events"`
	Outcomes map[string]int `json:"outcomes"`
	// Ends counts the beginnings and ends that the hub has.
	Ends uint64 `json:"beginnings_and_ends"`
	// Cases are those that sensors reported, by state.
	Cases map[cases.State]int `json:"cases"`
	// Caused are the mishaps of the simulators that were seen, or lasted long enough that
	// they had to be; Missed those of them that are no event, Doubled those that are
	// several. Strange are events of leaks that nothing caused, or in another cell than
	// the district's.
	Caused  int `json:"caused"`
	Missed  int `json:"missed"`
	Doubled int `json:"doubled"`
	Strange int `json:"strange"`
	// Uncased are events that are neither a case, nor part of one, nor over before;
	// Recased those with several cases. Broken are faults that desk.Check found.
	Uncased int `json:"uncased"`
	Recased int `json:"recased"`
	Broken  int `json:"broken"`
	// Examples spells out the first that are wrong.
	Examples []string `json:"examples,omitempty"`
}

// Wrong counts all that must not be.
func (g *GridReport) Wrong() int {
	return g.Missed + g.Doubled + g.Strange + g.Uncased + g.Recased + g.Broken
}

func (g *GridReport) example(format string, args ...any) {
	if len(g.Examples) < maxExamples {
		g.Examples = append(g.Examples, fmt.Sprintf(format, args...))
	}
}

// auditGrid holds what the hub has of events and cases against what the simulators
// made happen and where the district has put the meters. now is when the reading
// ended.
func (c *City) auditGrid(ctx context.Context, decided uint64, happened []simulators.Mishap, now time.Time) (g *GridReport, err error) {
	d, err := c.openDesk(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	const all = 1_000_000
	events, err := d.Events(ctx, time.Time{}, all)
	if err != nil {
		return nil, err
	}
	g = &GridReport{Decided: decided, Events: len(events), Outcomes: map[string]int{}, Cases: map[cases.State]int{}}
	made := map[schemas.EventID]int{}
	err = d.Journals(ctx, func(k *cases.Case, _ []cases.Entry) error {
		if k.Report.Source == cases.SourceSensor {
			g.Cases[k.State]++
			made[k.Report.Event]++
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.judgeEvents(g, events, made, now)
	c.judgeMishaps(g, events, happened, now)
	return g, d.Check(ctx, func(f desk.Finding) {
		g.Broken++
		g.example("case %s: %s", f.Case, f.Problem)
	})
}

// judgeEvents looks at each event by itself.
func (c *City) judgeEvents(g *GridReport, events []desk.EventRecord, made map[schemas.EventID]int, now time.Time) {
	for i := range events {
		e := &events[i]
		g.Outcomes[e.Outcome]++
		for _, t := range []time.Time{e.Opened, e.Cleared} {
			if !t.IsZero() && e.Kind != schemas.EventCellOutage { // that is the hub's own
				g.Ends++
			}
		}
		n := made[e.ID]
		switch held := now.Sub(e.Received) < c.grid.o.Hold+partTimeout; {
		case n > 1:
			g.Recased++
			g.example("event %s %s of %s has %d cases", e.ID, e.Kind, e.Meter, n)
		case e.Outcome == "case" && n == 0, e.Outcome == "joined" && e.Case == "", e.Outcome == "waiting" && !held:
			g.Uncased++
			g.example("event %s %s of %s is %s and has no case", e.ID, e.Kind, e.Meter, e.Outcome)
		}
		if truth, ok := c.grid.truth[e.Meter]; ok && (e.Cell != truth.Cell || e.Component != truth.ID) {
			g.Strange++
			g.example("event %s %s of %s is at %s in cell %s, the district has %s in %s", e.ID, e.Kind, e.Meter, e.Component, e.Cell, truth.ID, truth.Cell)
		}
	}
}

// certain is how long a mishap of a meter lasts that no collector may miss. A leak of
// a meter that shows no flow must first be more than its register's last digit.
func (c *City) certain(m simulators.Mishap, plans map[schemas.MeterID]plan) time.Duration {
	least := 15*time.Second + 10*plans[m.Meter].interval
	if meter, ok := c.fleet.Meter(m.Meter); ok && m.What == simulators.Leaks && !slices.Contains(meter.Quantities(), "water.flow") {
		return least + 5*time.Minute
	}
	return least
}

// judgeMishaps looks for the event of everything that was made to happen, and for
// leaks that never were.
func (c *City) judgeMishaps(g *GridReport, events []desk.EventRecord, happened []simulators.Mishap, now time.Time) {
	plans, seen := c.plans(), make([]int, len(happened))
	for i := range events {
		e := &events[i]
		if n := c.causeOf(e, happened, plans); n >= 0 {
			seen[n]++
		} else if e.Kind == schemas.EventLeak {
			g.Strange++
			g.example("event %s says that %s leaks since %s; nothing of the kind was made to happen", e.ID, e.Meter, e.Since)
		}
	}
	for n, m := range happened {
		end := now
		if !m.To.IsZero() && m.To.Before(now) {
			end = m.To
		}
		short := end.Sub(m.From) < c.certain(m, plans)
		if seen[n] == 0 && (short || m.What == simulators.Silent && c.wholeLine(events, m)) {
			continue
		}
		g.Caused++
		switch {
		case seen[n] == 0:
			g.Missed++
			g.example("%s %s from %s to %s: no event", m.Meter, m.What, m.From, end)
		case seen[n] > 1:
			g.Doubled++
			g.example("%s %s from %s to %s: %d events", m.Meter, m.What, m.From, end, seen[n])
		}
	}
}

// causeOf returns which mishap an event tells of: the last of its kind that had begun
// by then, and was not long over; -1 for none.
func (c *City) causeOf(e *desk.EventRecord, happened []simulators.Mishap, plans map[schemas.MeterID]plan) int {
	cause := -1
	for n, m := range happened {
		if e.Meter != m.Meter || e.Kind != kindOf(m) || e.Opened.Before(m.From) || !m.To.IsZero() && e.Opened.After(m.To.Add(c.certain(m, plans))) {
			continue
		}
		if cause < 0 || m.From.After(happened[cause].From) {
			cause = n
		}
	}
	return cause
}

func kindOf(m simulators.Mishap) schemas.EventKind {
	if m.What == simulators.Leaks {
		return schemas.EventLeak
	}
	return schemas.EventMeterOffline
}

// wholeLine reports whether a silence was told of as that of the meter's line.
func (c *City) wholeLine(events []desk.EventRecord, m simulators.Mishap) bool {
	for _, l := range c.fleet.Lines() {
		if !slices.ContainsFunc(l.Meters, func(o simulators.LineMeter) bool { return o.ID == m.Meter }) {
			continue
		}
		return slices.ContainsFunc(events, func(e desk.EventRecord) bool {
			return e.Line == l.Name && e.Kind == schemas.EventLineOffline && (e.Cleared.IsZero() || e.Cleared.After(m.From))
		})
	}
	return false
}

// openDesk opens the cases beside the hub, to look at them.
func (c *City) openDesk(ctx context.Context) (*desk.Desk, error) {
	book, err := limits.Load(c.limits())
	if err != nil {
		return nil, err
	}
	numbers, err := codes.NewCaseTemplate(hubconfig.DefaultCaseNumber, time.UTC)
	if err != nil {
		return nil, err
	}
	return desk.Open(ctx, c.gridDSN(), desk.Options{Grid: onlooker{}, Limits: book, Classes: onlooker{}, Numbers: numbers})
}

// onlooker stands in for the register and the code lists, which nobody asks who only
// looks.
type onlooker struct{}

var errOnlooker = errors.New("the audit makes no cases")

// OfMeter implements desk.Grid.
func (onlooker) OfMeter(context.Context, schemas.MeterID, time.Time) (desk.Place, error) {
	return desk.Place{}, errOnlooker
}

// OfComponent implements desk.Grid.
func (onlooker) OfComponent(context.Context, schemas.ComponentID) (desk.Place, error) {
	return desk.Place{}, errOnlooker
}

// OfLine implements desk.Grid.
func (onlooker) OfLine(context.Context, schemas.CollectorID, string) (desk.Place, error) {
	return desk.Place{}, errOnlooker
}

// At implements desk.Grid.
func (onlooker) At(context.Context, schemas.Position) (desk.Place, error) {
	return desk.Place{}, errOnlooker
}

// Candidates implements desk.Grid.
func (onlooker) Candidates(context.Context, codes.Ref) ([]cases.DepartmentID, error) {
	return nil, errOnlooker
}

// OfEvent implements desk.Classes.
func (onlooker) OfEvent(schemas.EventKind) (codes.Ref, string, error) {
	return codes.Ref{}, "", errOnlooker
}

// Name implements desk.Classes.
func (onlooker) Name(codes.Ref) (string, error) { return "", errOnlooker }
