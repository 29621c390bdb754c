package desk

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"citygrid/hub/cases"
)

// TestPhones: a phone finds its owner's open reports, and what became of an upload whose
// answer it never got.
func TestPhones(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		ctx := context.Background()
		const id, note = "11111111-2222-4333-8444-000000000001", "11111111-2222-4333-8444-000000000002"
		e := report(1)
		e.ClientID = id
		first := w.act("", e).Case.ID
		second := w.new(2)
		w.through(w.new(3), append(toHandling, toClosed...)...)
		other := report(4)
		other.Actor = cases.Actor{Person: "somebody-else", Role: cases.Acceptor}
		w.act("", other)

		mine := func(limit int) (ids []cases.CaseID) {
			list, err := w.Mine(ctx, by(cases.Acceptor).Person, limit)
			must(t, err)
			for _, s := range list {
				ids = append(ids, s.ID)
			}
			return ids
		}
		if got := mine(10); !slices.Equal(got, []cases.CaseID{second, first}) {
			t.Errorf("own open reports %v, want %s and %s", got, second, first)
		}
		if got := mine(1); !slices.Equal(got, []cases.CaseID{second}) {
			t.Errorf("the latest report is %v, want %s", got, second)
		}
		if list, err := w.Mine(ctx, "nobody", 10); err != nil || len(list) != 0 {
			t.Errorf("%v, %v", list, err)
		}

		n := entry(cases.ActNote, by(cases.Acceptor))
		n.ClientID = note
		w.act(first, n)
		w.through(first, cases.ActAccept)
		for client, want := range map[string]Upload{
			id:   {Case: first, Number: 1, State: cases.Accepted, Act: cases.ActReport, Person: "acceptor"},
			note: {Case: first, Number: 2, State: cases.Accepted, Act: cases.ActNote, Person: "acceptor"},
		} {
			if got, err := w.UploadBy(ctx, client); err != nil || got != want {
				t.Errorf("upload %s: %+v, %v, want %+v", client, got, err, want)
			}
		}
		if _, err := w.UploadBy(ctx, "11111111-2222-4333-8444-000000000003"); !errors.Is(err, ErrNoUpload) {
			t.Errorf("an upload that never came: %v", err)
		}
	})
}

// TestUploadAfterTheCaseMovedOn: what a phone sends again is answered as it was, whatever
// has happened to the case since, and nothing is added.
func TestUploadAfterTheCaseMovedOn(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		w := openTown(t, dsn)
		id := w.new(1)
		w.through(id, cases.ActSendVerify)
		answer := entry(cases.ActAnswerVerify, cases.Actor{Person: "inspector", Role: cases.Inspector})
		answer.Case, answer.ClientID, answer.At = id, "11111111-2222-4333-8444-000000000004", w.clock.now()
		first, err := w.Act(t.Context(), Submission{Entry: answer})
		must(t, err)
		w.through(id, cases.ActAccept, cases.ActFile, cases.ActDispatch)
		w.clock.add(48 * time.Hour)
		again, err := w.Act(t.Context(), Submission{Entry: answer})
		must(t, err)
		if !again.Repeated || again.Number != first.Number || again.Case.State != cases.Verified {
			t.Errorf("sent again: %+v, want the answer of then", again)
		}
		if got := w.acts(id); len(got) != 6 {
			t.Errorf("the journal has %v", got)
		}
	})
}
