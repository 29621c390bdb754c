package desk

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"citygrid/hub/cases"
	"citygrid/internal/sqldb"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

func TestCaseThroughAllStages(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		e := report(2)
		e.Report.Source = cases.SourceHotline
		id := w.act("", e).Case.ID
		if id != "C20261123000001" {
			t.Errorf("case number %s", id)
		}
		c := w.through(id, cases.ActSendVerify, cases.ActAnswerVerify, cases.ActAccept, cases.ActFile)
		if c.Cell != cellOf(2) || c.AreaClass != "1" || c.Limit != (cases.Limit{Amount: 6, Unit: cases.UrgentHour}) || c.Condition != "missing" || c.ClassName != "名称 0101" {
			t.Errorf("filed as %+v", c)
		}
		w.through(id, cases.ActDispatch, cases.ActTake)
		refuse, approve := entry(cases.ActRefuse, by(cases.Dispatcher)), entry(cases.ActApprove, by(cases.Dispatcher))
		leaderRefuses, leader := entry(cases.ActRefuse, by(cases.ShiftLeader)), entry(cases.ActApprove, by(cases.ShiftLeader))
		withdraw := entry(cases.ActWithdraw, of("A"))
		for _, step := range []cases.Entry{
			entry(cases.ActAskReturn, of("A")), refuse, entry(cases.ActAskReturn, of("A")), withdraw,
			entry(cases.ActAskExtension, of("A")), refuse, entry(cases.ActAskExtension, of("A")), withdraw, entry(cases.ActAskExtension, of("A")), approve,
			entry(cases.ActAskSuspension, of("A")), leaderRefuses, entry(cases.ActAskSuspension, of("A")), withdraw, entry(cases.ActAskSuspension, of("A")), leader,
			entry(cases.ActResume, of("A")),
			entry(cases.ActAskVoid, by(cases.Dispatcher)), leaderRefuses, entry(cases.ActAskVoid, by(cases.Acceptor)), entry(cases.ActWithdraw, by(cases.Acceptor)),
			entry(cases.ActFeedBack, of("A")), entry(cases.ActSendCheck, by(cases.Acceptor)),
		} {
			w.act(id, step)
			if kind := requestOf(step.Act); kind != "" {
				if got := w.list(Filter{Request: kind}); len(got) != 1 || len(w.list(Filter{Request: "any"})) != 1 {
					t.Errorf("%s lists %v", step.Act, got)
				}
			}
		}
		if got := w.list(Filter{Inspector: "inspector"}); len(got) != 1 {
			t.Errorf("the inspector's list: %v", got)
		}
		no := entry(cases.ActAnswerCheck, by(cases.Inspector))
		no.Outcome, no.Reason = cases.No, "没有修好"
		w.act(id, no)
		w.through(id, cases.ActRework, cases.ActFeedBack, cases.ActSendCheck, cases.ActAnswerCheck, cases.ActClose)
		w.state(id, cases.Closed)
		voided := w.new(3)
		w.through(voided, cases.ActAccept, cases.ActAskVoid)
		w.act(voided, leader)
		w.state(voided, cases.Voided)
		rejected := w.new(3)
		w.through(rejected, cases.ActReject)
		w.state(rejected, cases.Rejected)
		if got := w.list(Filter{Open: true}); len(got) != 0 {
			t.Errorf("open: %v", got)
		}
		w.sound()
	})
}

func requestOf(a cases.Act) cases.RequestKind {
	for _, k := range cases.RequestKinds() {
		if string(a) == "ask_"+string(k) {
			return k
		}
	}
	return ""
}

// TestOwnerless: the case goes to all candidates; the first that takes it has it,
// the others stay on the list; one that gives it back leaves the list.
func TestOwnerless(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		w.grid.candidates = []cases.DepartmentID{"A", "B", "C"}
		id := w.new(2)
		w.through(id, cases.ActAccept, cases.ActFile)
		list, err := w.Suggest(context.Background(), id)
		if err != nil || !slices.Equal(list, w.grid.candidates) {
			t.Errorf("suggested %v, %v", list, err)
		}
		out := entry(cases.ActDispatch, by(cases.Dispatcher))
		out.Departments = list
		w.act(id, out)
		has := func(want string) {
			t.Helper()
			got := ""
			for _, d := range []cases.DepartmentID{"A", "B", "C"} {
				if len(w.list(Filter{Department: d})) == 1 {
					got += string(d)
				}
				if len(w.list(Filter{Handler: d})) == 1 {
					got += "!"
				}
			}
			if got != want {
				t.Errorf("lies with %s, want %s", got, want)
			}
		}
		has("ABC")
		w.act(id, entry(cases.ActTake, of("B")))
		has("AB!C")
		w.act(id, entry(cases.ActAskReturn, of("B")))
		w.act(id, entry(cases.ActApprove, by(cases.Dispatcher)))
		has("AC")
		w.act(id, entry(cases.ActTake, of("C")))
		has("AC!")
		w.act(id, entry(cases.ActAskReturn, of("C")))
		w.act(id, entry(cases.ActApprove, by(cases.Dispatcher)))
		w.act(id, entry(cases.ActAskReturn, of("A")))
		w.act(id, entry(cases.ActApprove, by(cases.Dispatcher)))
		has("")
		w.state(id, cases.Filed)
		w.sound()
	})
}

func TestSelfHandled(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		e := report(2)
		e.Actor, e.Report.Source, e.Report.SelfHandled = by(cases.Inspector), cases.SourceInspector, true
		e.Media = []cases.Media{{SM3: strings.Repeat("ab", 32), Kind: cases.Image, Stage: cases.StageHandled}}
		id := w.act("", e).Case.ID
		w.through(id, cases.ActClose)
		w.state(id, cases.Closed)
		w.sound()
	})
}

// TestHubDispatches sends to whom the registry names, once; what comes back is a
// person's.
func TestHubDispatches(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn, func(o *Options) { o.Rules.HubDispatches = []codes.Ref{coverClass} })
		w.grid.components["C7"] = Place{Component: "C7", Position: inCell(4, 0), Cell: cellOf(4), Location: "a lid", Departments: []cases.DepartmentID{"B", "B"}}
		e := report(4)
		e.Report.Component, e.Report.Position, e.Report.Location = "C7", schemas.Position{}, ""
		id := w.act("", e).Case.ID
		w.through(id, cases.ActAccept)
		done := w.act(id, entry(cases.ActFile, by(cases.ShiftLeader)))
		if done.Case.State != cases.Dispatched || fmt.Sprint(done.Followed) != "[dispatch]" || fmt.Sprint(done.Case.SentTo) != "[B]" || done.Number != 3 {
			t.Errorf("%s, %v, sent to %v, entry %d", done.Case.State, done.Followed, done.Case.SentTo, done.Number)
		}
		if c := done.Case; c.Report.Location != "a lid" || c.Cell != cellOf(4) {
			t.Errorf("reported at %+v", c.Report)
		}
		w.act(id, entry(cases.ActAskReturn, of("B")))
		if done = w.act(id, entry(cases.ActApprove, by(cases.Dispatcher))); done.Case.State != cases.Filed || len(done.Followed) != 0 {
			t.Errorf("%s, %v after it came back", done.Case.State, done.Followed)
		}
		w.sound()
	})
}

// TestFilingElsewhere takes the area class of the cell in which the case is filed.
func TestFilingElsewhere(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		id := w.new(2)
		w.through(id, cases.ActAccept)
		e := entry(cases.ActFile, by(cases.ShiftLeader))
		e.Filing = &cases.Filing{Cell: cellOf(3)}
		c := w.act(id, e).Case
		if c.Cell != cellOf(3) || c.AreaClass != "2" || c.Limit.Amount != 4 {
			t.Errorf("filed in %s of class %q with %v", c.Cell, c.AreaClass, c.Limit)
		}
	})
}

const upload = "00000000-0000-4000-8000-000000000001"

func TestRepeatedUploads(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn, func(o *Options) { o.Rules.HubDispatches = []codes.Ref{coverClass} })
		w.grid.candidates = []cases.DepartmentID{"A"}
		ctx := context.Background()
		e := report(2)
		e.ClientID, e.At = upload, monday.Add(-time.Hour)
		someone := func(salt string) *cases.Petitioner {
			return &cases.Petitioner{Name: "王", Phone: "13800000000", Salt: strings.Repeat(salt, 32)}
		}
		first, err := w.Act(ctx, Submission{Entry: e, Petitioner: someone("a")})
		must(t, err)
		again, err := w.Act(ctx, Submission{Entry: e, Petitioner: someone("b")})
		if err != nil || !again.Repeated || again.Number != 1 || again.Case.ID != first.Case.ID {
			t.Errorf("repeated: %+v, %v", again, err)
		}
		other := someone("a")
		other.Phone = "13900000000"
		for name, s := range map[string]Submission{"no petitioner": {Entry: e}, "another petitioner": {Entry: e, Petitioner: other}} {
			if _, err := w.Act(ctx, s); !errors.Is(err, ErrOtherUpload) {
				t.Errorf("%s: %v", name, err)
			}
		}
		changed := report(2)
		changed.ClientID, changed.At, changed.Report.Description = upload, e.At, "另一个"
		if _, err := w.Act(ctx, Submission{Entry: changed, Petitioner: someone("a")}); !errors.Is(err, ErrOtherUpload) {
			t.Errorf("other content: %v", err)
		}
		w.through(first.Case.ID, cases.ActAccept)
		file := entry(cases.ActFile, by(cases.ShiftLeader))
		file.Case, file.ClientID, file.At = first.Case.ID, strings.Replace(upload, "1", "2", 1), monday
		done, err := w.Act(ctx, Submission{Entry: file})
		must(t, err)
		w.act(first.Case.ID, entry(cases.ActTake, of("A")))
		w.act(first.Case.ID, entry(cases.ActNote, of("A")))
		before := w.rows()
		same, err := w.Act(ctx, Submission{Entry: file})
		must(t, err)
		done.Repeated = true
		if fmt.Sprintf("%+v %+v", done, done.Case) != fmt.Sprintf("%+v %+v", same, same.Case) && !sameAnswer(done, same) {
			t.Errorf("first\n%+v %+v\nthen\n%+v %+v", done, done.Case, same, same.Case)
		}
		if w.rows() != before {
			t.Error("a repeated upload has changed something")
		}
		w.sound()
	})
}

func sameAnswer(a, b Done) bool {
	return a.Number == b.Number && a.Repeated == b.Repeated && fmt.Sprint(a.Followed) == fmt.Sprint(b.Followed) &&
		a.Case.ID == b.Case.ID && a.Case.State == b.Case.State && a.Case.Head == b.Case.Head
}

// TestUploadTwiceAtOnce: of two at the same time one is done, the other repeated.
func TestUploadTwiceAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		two := openTown(t, dsn)
		e := report(2)
		e.ClientID, e.At = upload, monday
		var wg sync.WaitGroup
		results := make([]Done, 16)
		for n := range results {
			d := w.Desk
			if n%2 == 1 {
				d = two.Desk
			}
			wg.Go(func() {
				done, err := d.Act(context.Background(), Submission{Entry: e})
				if err != nil {
					t.Error(err)
				}
				results[n] = done
			})
		}
		wg.Wait()
		fresh := 0
		for _, r := range results {
			if !r.Repeated {
				fresh++
			}
		}
		if n, _ := w.Count(context.Background(), Filter{}); fresh != 1 || n != 1 {
			t.Errorf("%d done, %d cases", fresh, n)
		}
	})
}

// TestActAllWithRefusals: what is refused changes nothing, the others are done.
func TestActAllWithRefusals(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		id := w.new(2)
		long := report(2)
		long.Report.Description = strings.Repeat("长", 2001)
		nowhere := report(2)
		nowhere.Report.Position, nowhere.Report.Location = schemas.Position{}, ""
		notA := report(2)
		notA.Report.Position.Lon = math.NaN()
		strange := report(2)
		strange.Report.Component = "?;"
		unnamed := report(2)
		unnamed.Report.Class.Code = "9999"
		given := report(2)
		given.Case = id
		digest := report(2)
		digest.Report.PetitionerSM3, digest.Report.ReplyWanted = strings.Repeat("ab", 32), true
		badID := report(2)
		badID.ClientID = "1"
		bare := cases.Entry{Act: cases.ActReport, Actor: by(cases.Acceptor)}
		unknown := entry(cases.ActNote, by(cases.Acceptor))
		unknown.Case = "nothing"
		early := entry(cases.ActTake, of("A"))
		early.Case = id
		noClass := entry(cases.ActClassify, by(cases.Acceptor))
		noClass.Case, noClass.Reason, noClass.Classification = id, "x", &cases.Classification{Class: codes.Ref{Standard: "CJ/T 214-2007", Kind: codes.Component, Code: "9999"}}
		accept := entry(cases.ActAccept, by(cases.Acceptor))
		accept.Case = id
		none := entry(cases.ActNote, by(cases.Acceptor))
		refused := []Submission{{Entry: long}, {Entry: nowhere}, {Entry: notA}, {Entry: strange}, {Entry: unnamed}, {Entry: given}, {Entry: digest}, {Entry: badID}, {Entry: bare},
			{Entry: unknown}, {Entry: early}, {Entry: noClass}, {Entry: none}, {Entry: report(2), Petitioner: &cases.Petitioner{Name: "x"}}, {Entry: accept, Petitioner: &cases.Petitioner{}}}
		before := w.rows()
		results, err := w.ActAll(context.Background(), refused)
		must(t, err)
		for n, r := range results {
			var field *schemas.FieldError
			var conflict *cases.ConflictError
			if !errors.As(r.Err, &field) && !errors.As(r.Err, &conflict) && !errors.Is(r.Err, ErrUnknown) {
				t.Errorf("submission %d: %v", n, r.Err)
			}
			if r.Case != nil {
				t.Errorf("submission %d was refused and answers %+v", n, r.Done)
			}
		}
		if after := w.rows(); after != before {
			t.Errorf("refused acts changed\n%s\nto\n%s", before, after)
		}
		mixed := []Submission{{Entry: early}, {Entry: accept}, {Entry: long}, {Entry: report(3)}, {Entry: accept}}
		results, err = w.ActAll(context.Background(), mixed)
		must(t, err)
		if got := fmt.Sprint(results[0].Err == nil, results[1].Err, results[2].Err == nil, results[3].Err, results[4].Err == nil); got != "false <nil> false <nil> false" {
			t.Error(got)
		}
		if results[3].Case.ID != "C20261123000002" {
			t.Errorf("the second case is %s", results[3].Case.ID)
		}
		w.sound()
	})
}

// TestNumbersUsedUp: a day without numbers left refuses reports and nothing else.
func TestNumbersUsedUp(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn, func(o *Options) {
			o.Numbers, _ = codes.NewCaseTemplate("{county}{yyyymmdd}{serial:1}", shanghai)
			o.County = "110101"
		})
		id := w.new(2)
		for range 8 {
			w.new(2)
		}
		file := entry(cases.ActAccept, by(cases.Acceptor))
		file.Case = id
		results, err := w.ActAll(context.Background(), []Submission{{Entry: report(2)}, {Entry: file}})
		if err != nil || !errors.Is(results[0].Err, ErrNoNumber) || results[1].Err != nil {
			t.Errorf("%v, %+v", err, results)
		}
		must(t, w.StoreEvents(context.Background(), "c1", []schemas.ComponentEvent{opened(schemas.EventLeak, "M1", w.clock.now())}))
		if err := w.Settle(context.Background()); !errors.Is(err, ErrNoNumber) {
			t.Errorf("settle without numbers: %v", err)
		}
		w.clock.add(24 * time.Hour)
		must(t, w.Settle(context.Background()))
		if got := w.list(Filter{Source: cases.SourceSensor}); len(got) != 1 || got[0] != "110101202611241" {
			t.Errorf("next day: %v", got)
		}
	})
}

// TestParallelWriters: eight persons at one case, at two desks, lose nothing.
func TestParallelWriters(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		two := openTown(t, dsn)
		id := w.new(2)
		var mu sync.Mutex
		notes, accepted := 0, 0
		var wg sync.WaitGroup
		for n := range 8 {
			d := w.Desk
			if n%2 == 1 {
				d = two.Desk
			}
			wg.Go(func() {
				for k := range 20 {
					e := entry(cases.ActNote, by(cases.Acceptor))
					if k == 10 {
						e = entry(cases.ActAccept, by(cases.Acceptor))
					}
					e.Case = id
					_, err := d.Act(context.Background(), Submission{Entry: e})
					var conflict *cases.ConflictError
					if err != nil && !errors.As(err, &conflict) && !errors.Is(err, sqldb.ErrBusy) {
						t.Error(err)
					}
					mu.Lock()
					if err == nil && k == 10 {
						accepted++
					} else if err == nil {
						notes++
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		journal, err := w.Journal(context.Background(), id)
		must(t, err)
		if _, err := cases.Verify(journal); err != nil {
			t.Error(err)
		}
		if accepted != 1 || notes != 8*19 || len(journal) != 1+1+8*19 {
			t.Errorf("%d accepted, %d notes, %d entries", accepted, notes, len(journal))
		}
		w.sound()
	})
}

func TestPetitioner(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		ctx := context.Background()
		p := &cases.Petitioner{Name: "王", Phone: "13800000000", Salt: strings.Repeat("0", 32)}
		var ids []cases.CaseID
		for range 2 { // the same data and salt in two cases
			e := report(2)
			e.Report.ReplyWanted = true
			done, err := w.Act(ctx, Submission{Entry: e, Petitioner: p})
			must(t, err)
			ids = append(ids, done.Case.ID)
			if got, err := w.Petitioner(ctx, done.Case.ID); err != nil || got == nil || *got != *p {
				t.Errorf("petitioner of %s: %+v, %v", done.Case.ID, got, err)
			}
		}
		must(t, w.Forget(ctx, ids[0]))
		if got, err := w.Petitioner(ctx, ids[0]); err != nil || got != nil {
			t.Errorf("forgotten: %+v, %v", got, err)
		}
		if got, err := w.Petitioner(ctx, ids[1]); err != nil || got == nil {
			t.Errorf("of the other case: %+v, %v", got, err)
		}
		if strings.Contains(fmt.Sprint(w.acts(ids[0])), "138") {
			t.Error("personal data in the journal")
		}
		w.sound()
	})
}

// TestDeviceTimes: what was made without network counts by the device's clock, to the
// millisecond.
func TestDeviceTimes(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		e := report(2)
		e.At = monday.Add(-2*time.Hour + 123456).In(shanghai)
		done := w.act("", e)
		if want := monday.Add(-2 * time.Hour); !done.Case.ReportedAt.Equal(want) {
			t.Errorf("reported at %s, want %s", done.Case.ReportedAt, want)
		}
		e.At = monday.Add(-100 * time.Hour)
		if c := w.act("", e).Case; !c.ReportedAt.Equal(w.clock.now()) {
			t.Errorf("a clock too far behind counts: %s", c.ReportedAt)
		}
		w.clock.add(-time.Hour) // the hub's clock is set back
		w.through(done.Case.ID, cases.ActAccept)
		journal, err := w.Journal(context.Background(), done.Case.ID)
		must(t, err)
		if journal[1].ReceivedAt.Before(journal[0].ReceivedAt) {
			t.Error("the journal goes back in time")
		}
		w.sound()
	})
}

func TestOpenRefuses(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"grid": func(o *Options) { o.Grid = nil }, "limits": func(o *Options) { o.Limits = nil }, "classes": func(o *Options) { o.Classes = nil },
		"numbers": func(o *Options) { o.Numbers = nil }, "events.cluster": func(o *Options) { o.Events.Cluster = 1 },
		"events.hold": func(o *Options) { o.Events.Hold = map[schemas.EventKind]time.Duration{"nothing": 1} },
	} {
		o := options(t, &clock{t: monday}, newGrid())
		change(&o)
		if d, err := Open(context.Background(), "sqlite:"+t.TempDir()+"/x.db", o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
			if d != nil {
				d.Close()
			}
		}
	}
}
