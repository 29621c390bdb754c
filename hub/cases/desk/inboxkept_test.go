package desk

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/hub/cases"
)

// keptRow is what is kept for the inbox beside a case.
type keptRow struct {
	ID      string
	BeganMs int64
	Answer  string
	Search  string
}

func (w *town) kept() (rows []keptRow) {
	w.tb.Helper()
	must(w.tb, w.db.Read.NewRaw("SELECT id, began_ms, answer, search FROM cases WHERE open = 1 ORDER BY first_seq").Scan(context.Background(), &rows))
	return rows
}

// statement is the one of a migration that begins so.
func statement(tb testing.TB, file, begin string) string {
	tb.Helper()
	text, err := migrations.ReadFile("migrations/" + file)
	must(tb, err)
	_, rest, found := strings.Cut(string(text), begin)
	rest, _, ended := strings.Cut(rest, ";")
	if !found || !ended {
		tb.Fatalf("%s has no statement %s", file, begin)
	}
	return begin + rest
}

// TestWaitsAsMigrated: the migration gives the cases of before what every act has kept
// since, and both say what the journal says.
func TestWaitsAsMigrated(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		w.wander(rand.New(rand.NewPCG(4, 5)), 60)
		want := w.kept()
		answers, states := map[string]int{}, map[cases.State]int{}
		for _, row := range want {
			entries, err := w.Journal(t.Context(), cases.CaseID(row.ID))
			must(t, err)
			c, err := cases.Fold(entries)
			must(t, err)
			answer := map[cases.State]string{cases.Checked: string(c.Checked), cases.Reported: "no"}[c.State]
			if c.State == cases.Reported && c.Report.SelfHandled {
				answer = "yes"
			}
			if text := strings.ToLower(row.ID + "\n" + c.ClassName + "\n" + c.Report.Location + "\n" + c.Report.Description + "\n" + string(c.Report.Component)); row.Search != text {
				t.Errorf("%s is searched by %q, want %q", row.ID, row.Search, text)
			}
			if row.BeganMs != millis(Began(c, entries)) || row.Answer != answer {
				t.Errorf("%s, %s: kept %+v, the journal has %v and %q", row.ID, c.State, row, Began(c, entries), answer)
			}
			answers[string(c.State)+row.Answer]++
			states[c.State]++
		}
		if answers["checkedno"] == 0 || answers["checkedyes"] == 0 || answers["reportedyes"] == 0 || len(states) < 9 {
			t.Fatalf("states %v, answers %v: too few to prove anything", states, answers)
		}
		_, err := w.db.Write.ExecContext(t.Context(), "UPDATE cases SET began_ms = 0, answer = '', search = ''")
		must(t, err)
		_, err = w.db.Write.ExecContext(t.Context(), statement(t, "00004_waiting.sql", "UPDATE cases AS c SET"))
		must(t, err)
		_, err = w.db.Write.ExecContext(t.Context(), statement(t, "00006_search.sql", "UPDATE cases AS c SET"))
		must(t, err)
		if got := w.kept(); !slices.Equal(got, want) {
			for n := range min(len(got), len(want)) {
				if got[n] != want[n] {
					t.Errorf("migrated %+v, kept %+v", got[n], want[n])
				}
			}
			t.Errorf("%d cases migrated, %d kept", len(got), len(want))
		}
	})
}

// wander takes cases some way along their lives, with inspectors who answer late.
func (w *town) wander(chance *rand.Rand, n int) {
	w.tb.Helper()
	whole := slices.Concat(toHandling, toClosed)
	verified := []cases.Act{cases.ActSendVerify, cases.ActAnswerVerify, cases.ActAccept}
	for k := range n {
		first := report(1 + k)
		first.Report.SelfHandled = k%7 == 0
		if first.Report.SelfHandled {
			first.Actor = by(cases.Inspector)
			first.Report.Source = cases.SourceInspector
		}
		id := w.act("", first).Case.ID
		way := whole
		if chance.IntN(3) == 0 {
			way = slices.Concat(verified, whole[1:])
		}
		for _, a := range way[:chance.IntN(len(way))] {
			w.clock.add(time.Duration(1+chance.IntN(90)) * time.Minute)
			e := entry(a, by(usual(a)))
			if offline := a == cases.ActAnswerVerify || a == cases.ActAnswerCheck || a == cases.ActFeedBack; offline && chance.IntN(2) == 0 {
				e.At = w.clock.now().Add(-time.Duration(1+chance.IntN(60)) * time.Second)
			}
			if a == cases.ActAnswerCheck && chance.IntN(3) > 0 {
				e.Outcome, e.Reason = cases.No, `"outcome":"yes"`
			}
			if w.act(id, e); e.Outcome == cases.No {
				if chance.IntN(3) == 0 { // repaired in the end: the last answer counts
					w.through(id, cases.ActRework, cases.ActFeedBack, cases.ActSendCheck, cases.ActAnswerCheck)
				}
				break
			}
		}
		if chance.IntN(2) == 0 && !w.summary(id).State.Final() {
			w.clock.add(time.Minute)
			note := entry(cases.ActNote, by(cases.Acceptor))
			note.Text = `"self_handled":true, "outcome":"no"`
			w.act(id, note)
		}
	}
}

// plan is how SQLite goes about a query.
func (w *town) plan(query string) (steps []string) {
	w.tb.Helper()
	var rows []struct {
		ID, Parent, Notused int
		Detail              string
	}
	must(w.tb, w.db.Read.NewRaw("EXPLAIN QUERY PLAN "+query).Scan(context.Background(), &rows))
	for _, row := range rows {
		steps = append(steps, row.Detail)
	}
	return steps
}

// TestSearchComesOutOfAnIndex: what has the text is told without going to the cases.
func TestSearchComesOutOfAnIndex(t *testing.T) {
	w := openTown(t, "sqlite:"+t.TempDir()+"/cases.db")
	text := Inbox{Text: "lid"}
	for want, in := range map[string]Inbox{
		"USING COVERING INDEX cases_searched (state=?)": text,
		"USING INDEX cases_searched (state=?)":          {Text: "lid", Filter: Filter{Class: "01-01"}}, // left to itself SQLite takes another
	} {
		q, err := w.inbox(t.Context(), in, Task{State: cases.Filed}, w.clock.now())
		must(t, err)
		if steps := w.plan(q.ColumnExpr("COUNT(*)").String()); len(steps) != 1 || !strings.Contains(steps[0], want) {
			t.Errorf("a task: %q, want %s", steps, want)
		}
	}
	q, err := w.latest(t.Context(), text, false, Spot{Seq: 9}, w.clock.now())
	must(t, err)
	if steps := w.plan(placed(q.Where("c.first_seq >= 3"), "0").OrderExpr("3 DESC").String()); len(steps) != 1 || !strings.Contains(steps[0], "INDEX cases_text (first_seq>? AND first_seq<?)") {
		t.Errorf("the latest: %q", steps)
	}
}

// TestInboxComesOutOfAnIndex: no task is sorted anew for each page, nor searched for
// among all that is open.
func TestInboxComesOutOfAnIndex(t *testing.T) {
	w := openTown(t, "sqlite:"+t.TempDir()+"/cases.db")
	for _, r := range []cases.Role{cases.Acceptor, cases.ShiftLeader, cases.Dispatcher, cases.Department} {
		for _, task := range Tasks(r) {
			q, err := w.inbox(t.Context(), Inbox{}, task, w.clock.now())
			must(t, err)
			key, index := task.key()
			text := after(placed(q, "("+key+")"), key, Spot{5, 6}).OrderExpr("2, 3").Limit(50).String()
			steps := w.plan(text)
			if said := fmt.Sprint(steps); len(steps) != 1 || !strings.Contains(said, "INDEX "+index+" ") || !strings.Contains(said, ">") {
				t.Errorf("%+v: %s", task, said)
			}
		}
	}
}
