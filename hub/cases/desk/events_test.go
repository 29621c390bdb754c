package desk

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/limits"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

func opened(kind schemas.EventKind, meter schemas.MeterID, at time.Time) schemas.ComponentEvent {
	e := schemas.ComponentEvent{Kind: kind, Phase: schemas.EventOpened, Meter: meter, Since: at.Add(-time.Hour), TakenAt: at, Affected: 1, Note: "what was seen"}
	e.ID = schemas.EventIDOf("c1", &e)
	return e
}

func cleared(e schemas.ComponentEvent, at time.Time) schemas.ComponentEvent {
	e.Phase, e.TakenAt = schemas.EventCleared, at
	return e
}

// at puts a meter into a cell, some metres to the north.
func (w *town) at(m schemas.MeterID, cell int, north float64) {
	w.grid.meters[m] = Place{Position: inCell(cell, north), Cell: cellOf(cell), Duty: "D1", Location: "house " + string(m)}
}

func (w *town) send(events ...schemas.ComponentEvent) {
	w.tb.Helper()
	must(w.tb, w.StoreEvents(context.Background(), "c1", events))
}

// wait lets time pass and settles.
func (w *town) wait(d time.Duration) {
	w.tb.Helper()
	w.clock.add(d)
	must(w.tb, w.Settle(context.Background()))
}

// cases wants so many cases, and returns their ids, the oldest first.
func (w *town) cases(want int) (ids []cases.CaseID) {
	w.tb.Helper()
	list, err := w.List(context.Background(), Filter{Limit: 1000})
	must(w.tb, err)
	if len(list) != want {
		w.tb.Errorf("%d cases, want %d: %+v", len(list), want, list)
	}
	for n := range list {
		ids = append(ids, list[len(list)-1-n].ID)
	}
	for len(ids) < want {
		ids = append(ids, "none")
	}
	return ids
}

func (w *town) outcome(e schemas.ComponentEvent, want string) {
	w.tb.Helper()
	var got string
	must(w.tb, w.db.Read.NewRaw("SELECT outcome FROM component_events WHERE id = ?", string(e.ID)).Scan(context.Background(), &got))
	if got != want {
		w.tb.Errorf("event %s of %s: %s, want %s", e.Kind, e.Meter, got, want)
	}
}

func TestLeakRepairedThenCleared(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		w.at("M1", 5, 0)
		leak := opened(schemas.EventLeak, "M1", monday)
		w.send(leak)
		id := w.cases(1)[0]
		c := w.state(id, cases.Filed)
		if c.Cell != cellOf(5) || c.Report.Location != "house M1" || c.Condition != "leak" || c.Limit.Amount != 8 || c.Report.Event != leak.ID || !c.ReportedAt.Equal(monday) {
			t.Errorf("%+v", c)
		}
		w.through(id, cases.ActDispatch, cases.ActTake, cases.ActFeedBack)
		w.state(id, cases.FedBack)
		w.send(cleared(leak, monday.Add(time.Minute)))
		w.state(id, cases.Closed)
		if got := strings.Join(w.acts(id), " "); got != "report accept file dispatch take feed_back cleared send_check answer_check close" {
			t.Error(got)
		}
		w.sound()
	})
}

func TestLeakClearedThenFedBack(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		leak := opened(schemas.EventLeak, "M1", monday)
		w.send(leak)
		id := w.cases(1)[0]
		if c := w.state(id, cases.Filed); !strings.Contains(c.Report.Location, "not in the registry") || c.Cell != "" {
			t.Errorf("an unknown meter is at %q", c.Report.Location)
		}
		w.send(cleared(leak, monday.Add(time.Minute)))
		w.through(id, cases.ActDispatch, cases.ActTake)
		done := w.act(id, entry(cases.ActFeedBack, of("A")))
		if fmt.Sprint(done.Followed) != "[send_check answer_check close]" || done.Case.State != cases.Closed {
			t.Errorf("%v, %s", done.Followed, done.Case.State)
		}
		w.sound()
	})
}

func TestWithoutRulesNothingHappens(t *testing.T) {
	for _, row := range []struct {
		rules cases.Rules
		want  string
	}{
		{cases.Rules{}, "report cleared accept file dispatch take feed_back"},
		{cases.Rules{SensorAccepts: true}, "report accept cleared file dispatch take feed_back"},
		{cases.Rules{SensorAccepts: true, SensorFiles: true, SensorCloses: true}, "report accept file cleared dispatch take feed_back"},
		{cases.Rules{SensorAccepts: true, SensorFiles: true, SensorChecks: true}, "report accept file cleared dispatch take feed_back send_check answer_check"},
	} {
		w := openTown(t, "sqlite:"+t.TempDir()+"/cases.db", func(o *Options) { o.Rules = row.rules })
		leak := opened(schemas.EventLeak, "M1", monday)
		w.send(leak)
		w.send(cleared(leak, monday.Add(time.Minute)))
		id := w.cases(1)[0]
		for _, a := range append(toHandling, cases.ActFeedBack) {
			if !strings.Contains(" "+strings.Join(w.acts(id), " ")+" ", " "+string(a)+" ") {
				e := entry(a, by(usual(a)))
				if a == cases.ActFile {
					e.Filing.NoCell = "unknown meter"
				}
				w.act(id, e)
			}
		}
		if got := strings.Join(w.acts(id), " "); got != row.want {
			t.Errorf("%+v: %s, want %s", row.rules, got, row.want)
		}
	}
}

// TestInspectorAnswersForTheSensor: the hub closes by itself only when its own events
// say nothing against it.
func TestInspectorAnswersForTheSensor(t *testing.T) {
	w := openTown(t, "sqlite:"+t.TempDir()+"/cases.db")
	leak := opened(schemas.EventLeak, "M1", monday)
	w.send(leak)
	id := w.cases(1)[0]
	w.through(id, cases.ActDispatch, cases.ActTake, cases.ActFeedBack, cases.ActSendCheck, cases.ActAnswerCheck)
	w.state(id, cases.Checked)
	w.send(cleared(leak, monday.Add(time.Hour)))
	w.state(id, cases.Closed)
}

// TestRepeatAndReorder: every event comes again, in any order, also over a restart.
func TestRepeatAndReorder(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		w.at("M1", 5, 0)
		w.at("M2", 7, 0)
		one, late := opened(schemas.EventLeak, "M1", monday), opened(schemas.EventLeak, "M2", monday)
		w.send(one, one)
		w.send(one)
		w.cases(1)
		w.send(cleared(late, monday.Add(time.Minute))) // before it is opened
		before := w.rows()
		w = w.again(dsn)
		w.send(cleared(late, monday.Add(time.Minute)), one)
		if w.rows() != before {
			t.Error("repeats have changed something")
		}
		w.send(late)
		w.send(late, cleared(late, monday.Add(time.Minute)))
		w.wait(time.Hour)
		w.outcome(late, eventPassed)
		w.send(cleared(one, monday.Add(time.Hour)))
		before = w.rows()
		w.send(one, cleared(one, monday.Add(time.Hour)), one)
		w.wait(time.Hour)
		if w.rows() != before {
			t.Error("repeats after the end have changed something")
		}
		w.cases(1)
		w.sound()
	})
}

func TestHold(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn, func(o *Options) {
			o.Events.Hold = map[schemas.EventKind]time.Duration{schemas.EventBatteryLow: time.Hour}
		})
		short, long, low := opened(schemas.EventMeterOffline, "M1", monday), opened(schemas.EventMeterOffline, "M2", monday), opened(schemas.EventBatteryLow, "M3", monday)
		w.send(short, long, low)
		w.wait(2 * time.Minute)
		w.cases(0)
		w.send(cleared(short, w.clock.now()))
		w = w.again(dsn, func(o *Options) {
			o.Events.Hold = map[schemas.EventKind]time.Duration{schemas.EventBatteryLow: time.Hour}
		})
		w.wait(time.Minute - time.Millisecond)
		w.cases(0)
		w.wait(time.Millisecond)
		w.cases(1)
		w.outcome(short, eventPassed)
		w.outcome(long, eventCase)
		w.wait(57*time.Minute - time.Millisecond)
		w.cases(1)
		w.wait(time.Millisecond)
		w.cases(2)
		both := opened(schemas.EventLeak, "M4", w.clock.now())
		w.send(both, cleared(both, w.clock.now())) // over when the hub hears of it
		w.outcome(both, eventPassed)
		w.cases(2)
	})
}

// Two neighbours without credit are two cases, however close their meters are.
func TestWhatIsOneThingsOwnIsNotJoined(t *testing.T) {
	for _, kind := range []schemas.EventKind{schemas.EventCreditOut, schemas.EventBatteryLow, schemas.EventValveStuck, schemas.EventCoverOpen} {
		w := openTown(t, "sqlite:"+filepath.Join(t.TempDir(), "cases.db"))
		w.at("M1", 5, 0)
		w.at("M2", 5, 1)
		w.send(opened(kind, "M1", monday), opened(kind, "M2", monday))
		w.cases(2)
	}
}

func TestJoined(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		for m, north := range map[schemas.MeterID]float64{"M1": 0, "M2": 29.9, "M3": -30.2, "M4": 0} {
			w.at(m, 5, north)
		}
		first, near, far, other := opened(schemas.EventLeak, "M1", monday), opened(schemas.EventLeak, "M2", monday), opened(schemas.EventLeak, "M3", monday), opened(schemas.EventReverseFlow, "M4", monday)
		w.send(first)
		w.send(near)
		w.cases(1)
		w.outcome(near, eventJoined)
		w.send(far, other)
		w.cases(3)
		w.clock.add(24*time.Hour + time.Second)
		late := opened(schemas.EventLeak, "M2", w.clock.now()) // near, but of another day; the same subject all the same
		w.send(late)
		w.outcome(late, eventJoined)
		w.at("M5", 5, 1)
		alone := opened(schemas.EventLeak, "M5", w.clock.now().Add(60*time.Hour))
		w.send(alone)
		w.outcome(alone, eventCase)
		id := w.cases(4)[0]
		w.through(id, cases.ActDispatch, cases.ActTake)
		w.send(cleared(first, w.clock.now()), cleared(near, w.clock.now()))
		if c := w.state(id, cases.Handling); c.Cleared {
			t.Error("cleared while an event that joined is open")
		}
		w.send(cleared(late, w.clock.now()))
		if c := w.state(id, cases.Handling); !c.Cleared {
			t.Error("not cleared")
		}
		again := opened(schemas.EventLeak, "M1", w.clock.now().Add(time.Second))
		w.send(again)
		w.outcome(again, eventJoined)
		w.through(id, cases.ActFeedBack)
		w.state(id, cases.FedBack)
		w.send(cleared(again, w.clock.now().Add(time.Minute)))
		w.state(id, cases.Closed)
		once := opened(schemas.EventLeak, "M1", w.clock.now().Add(time.Hour))
		w.send(once)
		w.outcome(once, eventCase)
		w.cases(5)
		w.sound()
	})
}

func line(kind schemas.EventKind, name string, at time.Time, affected uint32) schemas.ComponentEvent {
	e := schemas.ComponentEvent{Kind: kind, Phase: schemas.EventOpened, Line: name, Since: at, TakenAt: at, Affected: affected}
	e.ID = schemas.EventIDOf("c1", &e)
	return e
}

func TestCellOutage(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		for _, m := range []schemas.MeterID{"M1", "M2", "M3", "M4"} {
			w.at(m, 5, 100*float64(m[1]-'0'))
		}
		w.at("M9", 6, 100)
		w.grid.lines["c1/L1"] = Place{Cell: cellOf(5)} // of a line only the cell is known
		w.grid.lines["c1/G1"] = Place{Cell: cellOf(5)}
		at := w.clock.now()
		all := []schemas.ComponentEvent{opened(schemas.EventMeterOffline, "M1", at), opened(schemas.EventMeterOffline, "M2", at),
			line(schemas.EventLineOffline, "L1", at, 12), line(schemas.EventGatewayGone, "G1", at, 40)}
		elsewhere := opened(schemas.EventMeterOffline, "M9", at)
		w.send(all...)
		w.send(elsewhere)
		w.wait(3 * time.Minute)
		ids := w.cases(2)
		id := ids[0]
		if w.state(id, cases.Filed).Class != outageClass {
			id = ids[1]
		}
		c := w.state(id, cases.Filed)
		if c.Class != outageClass || c.Cell != cellOf(5) || c.Condition != "cell_outage" {
			t.Errorf("%+v", c)
		}
		for _, part := range []string{"1 gateway (40 meters)", "1 line (12 meters)", "2 single meters"} {
			if !strings.Contains(c.Report.Description, part) {
				t.Errorf("%q lacks %q", c.Report.Description, part)
			}
		}
		for _, e := range all {
			w.outcome(e, eventJoined)
		}
		w.outcome(elsewhere, eventCase)
		later := opened(schemas.EventMeterOffline, "M3", w.clock.now())
		w.send(later)
		w.wait(3 * time.Minute)
		w.outcome(later, eventJoined)
		w.through(id, cases.ActDispatch, cases.ActTake, cases.ActFeedBack)
		for n, e := range all {
			w.send(cleared(e, w.clock.now()))
			if c := w.state(id, cases.FedBack); c.Cleared {
				t.Errorf("cleared after %d of 5", n+1)
			}
		}
		w.send(cleared(later, w.clock.now()))
		w.state(id, cases.Closed)
		w.cases(2)
		w.sound()
	})
}

// TestOutageUnderAnotherName: the shift leader files it as something else and in
// another cell; what goes silent later still belongs to it, a neighbour's meter does
// not, and a person's case with that condition is none.
func TestOutageUnderAnotherName(t *testing.T) {
	w := openTown(t, "sqlite:"+t.TempDir()+"/cases.db", func(o *Options) { o.Rules.SensorFiles = false })
	at := w.clock.now()
	mine := report(6)
	mine.Report.Condition = "cell_outage"
	w.act("", mine)
	var all []schemas.ComponentEvent
	for _, m := range []schemas.MeterID{"M1", "M2", "M3"} {
		w.at(m, 5, 0)
		all = append(all, opened(schemas.EventMeterOffline, m, at))
	}
	w.grid.meters["M8"] = Place{Position: schemas.Position{Lon: 116.00600001, Lat: 39.9, CRS: schemas.CGCS2000}, Cell: cellOf(6)}
	edge := w.grid.meters["M3"] // 10 m from the neighbour
	edge.Position.Lon = 116.0059
	w.grid.meters["M3"] = edge
	w.send(all...)
	w.wait(3 * time.Minute)
	id := w.cases(2)[1]
	file := entry(cases.ActFile, by(cases.ShiftLeader))
	file.Filing = &cases.Filing{Condition: "停电", Cell: cellOf(7)}
	w.act(id, file)
	w.at("M4", 5, 0)
	later, neighbour := opened(schemas.EventMeterOffline, "M4", w.clock.now()), opened(schemas.EventMeterOffline, "M8", w.clock.now())
	w.send(later, neighbour)
	w.wait(3 * time.Minute)
	w.outcome(later, eventJoined)
	w.outcome(neighbour, eventCase)
	w.cases(3)
}

// TestStoreEventsAllOrNothing: an error of the registry stores nothing, so that the
// collector sends all again.
func TestStoreEventsAllOrNothing(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		w.at("M1", 5, 0)
		before := w.rows()
		w.grid.fail(errors.New("the registry is away"))
		events := []schemas.ComponentEvent{opened(schemas.EventMeterOffline, "M1", monday), opened(schemas.EventLeak, "M1", monday)}
		if err := w.StoreEvents(context.Background(), "c1", events); err == nil || permanent(err) {
			t.Errorf("without registry: %v", err)
		}
		if w.rows() != before {
			t.Error("something was stored")
		}
		w.grid.fail(nil)
		w.send(events...)
		w.cases(1)
		before = w.rows()
		for name, change := range map[string]func(e *schemas.ComponentEvent){
			"id": func(e *schemas.ComponentEvent) { e.ID = "x" }, "kind": func(e *schemas.ComponentEvent) { e.Kind = schemas.EventCellOutage },
			"affected": func(e *schemas.ComponentEvent) { e.Affected = 0 },
		} {
			bad := opened(schemas.EventLeak, "M2", monday)
			change(&bad)
			err := w.StoreEvents(context.Background(), "c1", []schemas.ComponentEvent{opened(schemas.EventLeak, "M3", monday), bad})
			if !permanent(err) || !strings.Contains(err.Error(), name) || w.rows() != before {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func permanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.As(err, &p) && p.Permanent()
}

// TestEventTexts: whatever stands in the registry or the collector's configuration
// becomes a case.
func TestEventTexts(t *testing.T) {
	w := openTown(t, "sqlite:"+t.TempDir()+"/cases.db")
	w.grid.meters["M1"] = Place{Cell: cellOf(5), Location: " " + strings.Repeat("长", 300) + "\n"}
	e := opened(schemas.EventLeak, "M1", monday)
	e.Note = " blank before and after "
	odd := line(schemas.EventLineOffline, " "+strings.Repeat("x", 100)+" ", monday, 1)
	odd.Note = strings.Repeat("长", 80)
	w.send(e, odd)
	w.wait(time.Hour)
	w.cases(2)
	w.sound()
}

// TestEventDepartments: a meter without component has departments too.
func TestEventDepartments(t *testing.T) {
	w := openTown(t, "sqlite:"+t.TempDir()+"/cases.db", func(o *Options) { o.Rules.HubDispatches = []codes.Ref{eventClass} })
	w.grid.candidates = []cases.DepartmentID{"Z"}
	w.grid.meters["M1"] = Place{Cell: cellOf(5), Departments: []cases.DepartmentID{"W"}}
	w.send(opened(schemas.EventLeak, "M1", monday), opened(schemas.EventLeak, "M2", monday))
	ids := w.cases(2)
	got := map[cases.DepartmentID]bool{}
	for _, id := range ids {
		for _, d := range w.state(id, cases.Dispatched).SentTo {
			got[d] = true
		}
	}
	if len(got) != 2 || !got["W"] || !got["Z"] {
		t.Errorf("sent to %v", got)
	}
}

func TestOpenCoverIsDangerous(t *testing.T) {
	w := openTown(t, "sqlite:"+t.TempDir()+"/cases.db", func(o *Options) { o.Limits = bookOf(t, limits.AtFiling, limits.Left) })
	w.send(opened(schemas.EventCoverOpen, "M1", monday))
	if c := w.state(w.cases(1)[0], cases.Filed); c.Report.Urgency != cases.Dangerous {
		t.Errorf("urgency %s", c.Report.Urgency)
	}
}
