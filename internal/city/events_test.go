package city

import (
	"reflect"
	"testing"
	"time"

	"citygrid/hub/cases/desk"
	"citygrid/schemas"
	"citygrid/simulators"
)

// TestAuditOfEvents gives the audit tables that are wrong in one way each.
func TestAuditOfEvents(t *testing.T) {
	at := time.Now().UTC().Truncate(time.Second)
	fleet, err := simulators.NewFleet(simulators.FleetConfig{Meters: 60, Seed: 1, Start: at})
	if err != nil {
		t.Fatal(err)
	}
	c := &City{o: Options{Interval: time.Second}, fleet: fleet}
	var ids []schemas.MeterID
	for _, m := range fleet.Meters {
		ids = append(ids, m.ID)
	}
	if c.grid, _, err = newGrid(GridOptions{Cells: 60}, 1, ids); err != nil {
		t.Fatal(err)
	}
	meter := c.Leaky()[0]
	truth := c.grid.truth[meter]
	leak := simulators.Mishap{Meter: meter, What: simulators.Leaks, Flow: 4, From: at, To: at.Add(time.Minute)}
	event := func(change func(*desk.EventRecord)) desk.EventRecord {
		e := desk.EventRecord{ID: "a", Kind: schemas.EventLeak, Meter: meter, Component: truth.ID, Cell: truth.Cell, Since: at, Opened: at.Add(time.Second),
			Received: at.Add(time.Second), Case: "1", Outcome: "case"}
		if change != nil {
			change(&e)
		}
		return e
	}
	one := map[schemas.EventID]int{"a": 1}
	for _, tt := range []struct {
		name     string
		events   []desk.EventRecord
		made     map[schemas.EventID]int
		happened []simulators.Mishap
		want     GridReport
	}{
		{"all is well", []desk.EventRecord{event(nil)}, one, []simulators.Mishap{leak}, GridReport{Caused: 1}},
		{"a leak that nobody saw", nil, nil, []simulators.Mishap{leak}, GridReport{Caused: 1, Missed: 1}},
		{"one that was too short to see", nil, nil, []simulators.Mishap{{Meter: meter, What: simulators.Leaks, Flow: 4, From: at, To: at.Add(time.Second)}}, GridReport{}},
		{"one leak, two events", []desk.EventRecord{event(nil), event(func(e *desk.EventRecord) { e.ID, e.Outcome = "b", "joined" })}, one, []simulators.Mishap{leak}, GridReport{Caused: 1, Doubled: 1}},
		{"two leaks, one after the other", []desk.EventRecord{event(nil), event(func(e *desk.EventRecord) { e.ID, e.Outcome, e.Opened = "b", "joined", at.Add(63*time.Second) })},
			one, []simulators.Mishap{leak, {Meter: meter, What: simulators.Leaks, Flow: 4, From: at.Add(62 * time.Second)}}, GridReport{Caused: 2}},
		{"an event out of nothing", []desk.EventRecord{event(nil)}, one, nil, GridReport{Strange: 1}},
		{"another cell", []desk.EventRecord{event(func(e *desk.EventRecord) { e.Cell = "32051700100100199" })}, one, []simulators.Mishap{leak}, GridReport{Caused: 1, Strange: 1}},
		{"no case", []desk.EventRecord{event(nil)}, nil, []simulators.Mishap{leak}, GridReport{Caused: 1, Uncased: 1}},
		{"two cases", []desk.EventRecord{event(nil)}, map[schemas.EventID]int{"a": 2}, []simulators.Mishap{leak}, GridReport{Caused: 1, Recased: 1}},
		{"held too long", []desk.EventRecord{event(func(e *desk.EventRecord) { e.Outcome, e.Case = "waiting", "" })}, nil, []simulators.Mishap{leak}, GridReport{Caused: 1, Uncased: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := GridReport{Outcomes: map[string]int{}}
			c.judgeEvents(&g, tt.events, tt.made, at.Add(time.Hour))
			c.judgeMishaps(&g, tt.events, tt.happened, at.Add(time.Hour))
			got := GridReport{Caused: g.Caused, Missed: g.Missed, Doubled: g.Doubled, Strange: g.Strange, Uncased: g.Uncased, Recased: g.Recased}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%+v, want %+v; %q", got, tt.want, g.Examples)
			}
			if len(g.Examples) != g.Wrong() {
				t.Errorf("%d examples of %d things that are wrong", len(g.Examples), g.Wrong())
			}
		})
	}
}
