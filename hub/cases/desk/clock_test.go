package desk

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/limits"
)

// TestClocksAreTheBooks walks cases with random limits through random acts, and holds
// what the list shows at random moments against limits.Book.
func TestClocksAreTheBooks(t *testing.T) {
	for _, starts := range []limits.Starts{limits.AtFiling, limits.AtDispatch} {
		for _, rework := range []limits.Rework{limits.Anew, limits.Left} {
			book := bookOf(t, starts, rework)
			rng := rand.New(rand.NewPCG(5, uint64(len(starts)+len(rework))))
			w := openTown(t, "sqlite:"+t.TempDir()+"/cases.db", func(o *Options) { o.Limits = book })
			for n := range 12 {
				e := report(2 + n%5)
				e.Report.Class.Code = []string{"0101", "0102", "0103", "0999"}[n%4]
				e.Report.Class.Kind = coverClass.Kind
				id := w.act("", e).Case.ID
				for range 25 {
					w.clock.add(time.Duration(rng.Int64N(int64(9*time.Hour)/1e6)) * time.Millisecond)
					w.randomAct(rng, id)
					compareClock(t, w, book, id, rng)
				}
			}
			w.sound()
			must(t, w.Renew(context.Background()))
			w.sound()
		}
	}
}

// randomAct does something that is allowed.
func (w *town) randomAct(rng *rand.Rand, id cases.CaseID) {
	w.tb.Helper()
	c, err := w.Case(context.Background(), id)
	must(w.tb, err)
	if c.State.Final() {
		return
	}
	for range 200 {
		roles := []cases.Role{cases.Acceptor, cases.ShiftLeader, cases.Dispatcher, cases.Department, cases.Inspector}
		who := by(roles[rng.IntN(len(roles))])
		list := cases.Allowed(c, who, &w.o.Rules)
		if len(list) == 0 {
			continue
		}
		a := list[rng.IntN(len(list))]
		if a == cases.ActClassify || a == cases.ActReject || a == cases.ActAskVoid && rng.IntN(20) > 0 {
			continue
		}
		e := entry(a, who)
		e.Case = id
		if a == cases.ActAskExtension {
			e.Amount = 1 + rng.Int64N(5)
		}
		if a == cases.ActAnswerCheck && rng.IntN(2) > 0 {
			e.Outcome, e.Reason = cases.No, "nein"
		}
		if a == cases.ActFeedBack {
			e.At = w.clock.now().Add(-time.Duration(rng.Int64N(int64(5*time.Hour)/1e6)) * time.Millisecond)
		}
		_, err := w.Act(context.Background(), Submission{Entry: e})
		must(w.tb, err)
		return
	}
}

// compareClock looks at the row at moments around the limits and at random ones.
func compareClock(t *testing.T, w *town, book *limits.Book, id cases.CaseID, rng *rand.Rand) {
	t.Helper()
	c, err := w.Case(context.Background(), id)
	must(t, err)
	var row caseRow
	must(t, w.db.Read.NewSelect().Model(&row).Where("id = ?", string(id)).Scan(context.Background()))
	moments := []int64{0, 1}
	for _, ms := range []int64{row.YellowMs, row.DeadlineMs} {
		if ms != 0 {
			moments = append(moments, ms-1-millis(c.ReceivedAt), ms-millis(c.ReceivedAt), ms+1-millis(c.ReceivedAt))
		}
	}
	for range 8 {
		moments = append(moments, rng.Int64N(int64(200*time.Hour/time.Millisecond)))
	}
	for _, ms := range moments {
		if ms < 0 {
			continue // the row says nothing of the past
		}
		now := c.ReceivedAt.Add(time.Duration(ms) * time.Millisecond)
		h, err := book.Handling(c.Limit, c.Clock, now)
		must(t, err)
		got := Handling{ClockState(row.Clock), moment(row.YellowMs), moment(row.DeadlineMs)}
		want := ClockNone
		switch {
		case h.Running:
			want = ClockRunning
		case h.Suspended && h.Ended.IsZero():
			want = ClockStopped
		case !h.Done.IsZero() && h.Late:
			want = ClockMissed
		case !h.Done.IsZero():
			want = ClockMet
		}
		if got.Clock != want {
			t.Fatalf("%s: clock %s, want %s of %+v", c.State, got.Clock, want, h)
		}
		light := row.light(now)
		switch want {
		case ClockRunning:
			if !got.Deadline.Equal(h.Deadline) || light != h.Light() {
				t.Fatalf("%v at %s: %s until %s (yellow %s), want %s until %s; used %s of %s", c.Limit, now, light, got.Deadline, got.Yellow, h.Light(), h.Deadline, h.Used, h.Total)
			}
		case ClockMet, ClockMissed:
			if !got.Deadline.Equal(h.Deadline) || (light == limits.Red) != h.Late {
				t.Fatalf("%s until %s, want %+v", light, got.Deadline, h)
			}
		default:
			if light != limits.None || !got.Deadline.IsZero() || !got.Yellow.IsZero() {
				t.Fatalf("%s: %s with %+v", c.State, light, got)
			}
		}
	}
}

func TestRenewAfterAChange(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		e := report(2)
		e.Report.Class.Code = "0102" // 7 working hours
		id := w.act("", e).Case.ID
		w.through(id, cases.ActAccept, cases.ActFile)
		suspended := w.new(3)
		w.through(suspended, append(toHandling, cases.ActAskSuspension)...)
		w.act(suspended, entry(cases.ActApprove, by(cases.ShiftLeader)))
		deadline := func() (out []string) {
			list, err := w.List(context.Background(), Filter{})
			must(t, err)
			for _, s := range list {
				out = append(out, string(s.Handling.Clock)+" "+s.Handling.Deadline.In(shanghai).Format("02 15:04"))
			}
			return out
		}
		if got := deadline(); got[1] != "running 24 08:30" || got[0][:8] != "stopped " {
			t.Errorf("before: %v", got)
		}
		entries := w.rows()
		holiday, err := limits.Load([]byte(`{zone: Asia/Shanghai, week: {mon: ["08:00-10:00"], wed: ["08:00-16:00"]}, starts: filed, rework: anew}`))
		must(t, err)
		w.again(dsn, func(o *Options) { o.Limits = holiday })
		must(t, w.Renew(context.Background()))
		if got := deadline(); got[1] != "running 25 14:00" || got[0][:8] != "stopped " {
			t.Errorf("after: %v", got)
		}
		w.sound()
		w.again(dsn)
		must(t, w.Renew(context.Background()))
		if w.rows() != entries {
			t.Error("back again, and the tables differ")
		}
	})
}

// TestBeyondTheCalendar: an extension that no calendar reaches is the caller's fault.
func TestBeyondTheCalendar(t *testing.T) {
	w := openTown(t, "sqlite:"+t.TempDir()+"/cases.db")
	e := report(2)
	e.Report.Class.Code = "0103"
	id := w.act("", e).Case.ID
	w.through(id, toHandling...)
	ask := entry(cases.ActAskExtension, of("A"))
	ask.Amount = 10_000
	var err error
	for range 5 {
		w.act(id, ask)
		ok := entry(cases.ActApprove, by(cases.Dispatcher))
		ok.Case = id
		if _, err = w.Act(context.Background(), Submission{Entry: ok}); err != nil {
			break
		}
	}
	if !isField(err) {
		t.Errorf("an extension of centuries: %v", err)
	}
	w.act(id, entry(cases.ActRefuse, by(cases.Dispatcher)))
	w.sound()
}
