package desk

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/cases/limits"
	"citygrid/schemas"
)

// A case that somebody closed while its event goes on is not the last word: the
// collector tells the event only once.
func TestClosedWhileTheEventGoesOn(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		w.at("M1", 5, 0)
		w.at("M2", 7, 0)
		leak, other := opened(schemas.EventLeak, "M1", monday), opened(schemas.EventLeak, "M2", monday)
		w.send(leak, other)
		ids := w.cases(2)
		for _, id := range ids {
			w.through(id, append([]cases.Act{cases.ActDispatch, cases.ActTake}, toClosed...)...)
			w.state(id, cases.Closed)
		}
		w.send(cleared(other, w.clock.now().Add(time.Hour)))
		w.outcome(other, eventPassed)
		w.wait(24*time.Hour - time.Minute)
		w.cases(2)
		w.wait(2 * time.Minute)
		again := w.cases(3)[2]
		c := w.state(again, cases.Filed)
		if c.Report.Event != leak.ID || c.Cell != cellOf(5) || !strings.Contains(c.Report.Description, "was closed, and it has not cleared") {
			t.Errorf("%+v", c.Report)
		}
		w.through(again, cases.ActDispatch, cases.ActTake, cases.ActFeedBack)
		w.send(cleared(leak, w.clock.now()))
		w.state(again, cases.Closed)
		w.wait(48 * time.Hour)
		w.cases(3)
		w.sound()
	})
}

// One case whose journal was damaged stops neither the events of others nor their
// clocks.
func TestABrokenJournalStopsNobodyElse(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		w.at("M1", 5, 0)
		w.at("M2", 7, 0)
		first := opened(schemas.EventLeak, "M1", monday)
		w.send(first)
		id := w.cases(1)[0]
		whole := w.new(9)
		w.through(whole, toHandling...)
		ctx := context.Background()
		for _, damage := range []string{"UPDATE case_entries SET body = REPLACE(body, '\"leak\"', '\"leek\"') WHERE case_id = ? AND number = 1",
			"UPDATE case_entries SET body = '{' WHERE case_id = ? AND number = 1"} {
			_, err := w.db.Write.NewRaw(damage, string(id)).Exec(ctx)
			must(t, err)
			_, err = w.db.Write.NewRaw("UPDATE cases SET deadline_ms = 1 WHERE id = ?", string(whole)).Exec(ctx)
			must(t, err)
			if err := w.Renew(ctx); err == nil || !strings.Contains(err.Error(), string(id)) {
				t.Errorf("renew: %v, want the broken case named", err)
			}
			if list := w.list(Filter{Open: true, Light: "red"}); len(list) > 0 {
				t.Errorf("%v were not renewed", list)
			}
			if _, err := w.Act(ctx, Submission{Entry: cases.Entry{Case: id, Act: cases.ActNote, Actor: by(cases.Acceptor), Text: "?"}}); err == nil {
				t.Error("an act in a broken case was taken")
			}
		}
		joins := opened(schemas.EventLeak, "M1", w.clock.now()) // to the broken case
		w.send(joins, opened(schemas.EventLeak, "M2", w.clock.now()), cleared(first, w.clock.now()))
		w.cases(3)
		w.outcome(joins, eventWaiting)
		if err := w.Settle(ctx); err == nil || !strings.Contains(err.Error(), string(id)) {
			t.Errorf("settle: %v, want the broken case named", err)
		}
	})
}

func TestACollectorEndsOnlyItsOwnEvents(t *testing.T) {
	w := openTown(t, "sqlite:"+t.TempDir()+"/cases.db")
	leak := opened(schemas.EventLeak, "M1", monday)
	w.send(leak)
	before := w.rows()
	err := w.StoreEvents(context.Background(), "c2", []schemas.ComponentEvent{cleared(leak, monday.Add(time.Minute))})
	if !permanent(err) || !strings.Contains(err.Error(), "collector c1") || w.rows() != before {
		t.Errorf("%v", err)
	}
}

// staff are the inspectors of a test.
type staff struct{ err error }

func (s staff) Inspector(_ context.Context, id cases.PersonID) (bool, error) {
	return id == "inspector", s.err
}

func TestOnlyInspectorsAreSent(t *testing.T) {
	dsn := "sqlite:" + t.TempDir() + "/cases.db"
	w := openTown(t, dsn, func(o *Options) { o.People = staff{} })
	id := w.new(1)
	nobody := entry(cases.ActSendVerify, by(cases.Acceptor))
	nobody.Case, nobody.Inspector = id, "nobody"
	var field *schemas.FieldError
	if _, err := w.Act(t.Context(), Submission{Entry: nobody}); !errors.As(err, &field) || field.Field != "inspector" {
		t.Errorf("%v", err)
	}
	w.through(id, cases.ActSendVerify)
	away := errors.New("the list is away")
	w = w.again(dsn, func(o *Options) { o.People = staff{away} })
	nobody.Case = w.new(2)
	if _, err := w.Act(t.Context(), Submission{Entry: nobody}); !errors.Is(err, away) {
		t.Errorf("%v, want %v", err, away)
	}
}

// Another limits file makes other clocks: that is told apart from a table that somebody
// has changed.
func TestCheckTellsAnotherLimitsFileFromDamage(t *testing.T) {
	dsn := "sqlite:" + t.TempDir() + "/cases.db"
	w := openTown(t, dsn)
	id := w.new(1)
	w.through(id, append(toHandling, toClosed...)...)
	w = w.again(dsn, func(o *Options) { o.Limits = bookOf(t, limits.AtDispatch, limits.Anew) })
	findings := func() (list []Finding) {
		must(t, w.Check(t.Context(), func(f Finding) { list = append(list, f) }))
		return list
	}
	if list := findings(); len(list) != 1 || !list[0].Clock {
		t.Errorf("another limits file: %+v", list)
	}
	_, err := w.db.Write.NewRaw("UPDATE cases SET state = 'filed' WHERE id = ?", string(id)).Exec(t.Context())
	must(t, err)
	if list := findings(); len(list) != 1 || list[0].Clock {
		t.Errorf("a changed table: %+v", list)
	}
}

// What comes before a damaged entry is told to the readers of the feed.
func TestTheFeedEndsAtADamagedEntry(t *testing.T) {
	w := openTown(t, "sqlite:"+t.TempDir()+"/cases.db")
	w.through(w.new(1), toHandling...)
	_, err := w.db.Write.NewRaw("UPDATE case_entries SET body = '{' WHERE seq = 3").Exec(t.Context())
	must(t, err)
	if list, err := w.Feed(t.Context(), 0, 100); err != nil || len(list) != 2 {
		t.Errorf("%d entries, %v; want the two before", len(list), err)
	}
	if list, err := w.Feed(t.Context(), 2, 100); err == nil || !strings.Contains(err.Error(), "entry 3") {
		t.Errorf("%d entries, %v", len(list), err)
	}
}
