package cardslot_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"citygrid/adapters/cardslot"
	"citygrid/internal/durable"
	"citygrid/schemas"
)

func record(id string, card schemas.CardID) cardslot.Record {
	return cardslot.Record{
		ID: id, Kind: cardslot.Sale, Application: cardslot.GasApplication, Issuer: "00000000", Card: card, Customer: "000000000001", MeterNumber: "000000000002",
		Purchase: 3, Amount: schemas.Credit{Value: 5, Unit: schemas.CreditFen}, Terminal: "T1", Source: schemas.FromReader, At: start,
		Before: cardslot.Image{Order: []byte{1, 2}, Wallet: []byte{3}}, After: cardslot.Image{Order: []byte{4, 0xFF}, Wallet: []byte{5}},
	}
}

func mustOpen(t *testing.T, path string) *cardslot.FileJournal {
	t.Helper()
	j, err := cardslot.OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestJournalIsOpenOnce: each of two processes would write its own records over
// those of the other, and a sale that was begun would be forgotten.
func TestJournalIsOpenOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.json")
	j := mustOpen(t, path)
	if _, err := cardslot.OpenJournal(path); !errors.Is(err, durable.ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
	must(t, j.Close())
	must(t, mustOpen(t, path).Close())
}

// opened is a journal as a process finds it that has just started.
func opened(t *testing.T, path string, do func(j *cardslot.FileJournal)) {
	t.Helper()
	j := mustOpen(t, path)
	do(j)
	must(t, j.Close())
}

// TestJournalOutlivesTheProcess opens the file anew after each step.
func TestJournalOutlivesTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.json")
	a, b := record("1", "AA"), record("2", "BB")
	opened(t, path, func(j *cardslot.FileJournal) { must(t, j.Begin(a)) })
	opened(t, path, func(j *cardslot.FileJournal) { must(t, j.Begin(b)) })
	opened(t, path, func(j *cardslot.FileJournal) {
		if pending, err := j.Pending(); err != nil || !reflect.DeepEqual(pending, []cardslot.Record{a, b}) {
			t.Fatalf("%+v, %v", pending, err)
		}
	})
	opened(t, path, func(j *cardslot.FileJournal) { must(t, j.Commit("1")) })
	opened(t, path, func(j *cardslot.FileJournal) { must(t, j.Drop("2", "the clerk's reason")) })
	want := []cardslot.Settled{{Record: a, State: cardslot.CommittedState}, {Record: b, State: cardslot.DroppedState, Reason: "the clerk's reason"}}
	opened(t, path, func(j *cardslot.FileJournal) {
		if got := j.Settled(); !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v", got)
		}
	})
	opened(t, path, func(j *cardslot.FileJournal) { must(t, j.Forget("1")) })
	opened(t, path, func(j *cardslot.FileJournal) {
		if got := j.Settled(); len(got) != 1 || got[0].ID != "2" {
			t.Errorf("%+v", got)
		}
	})
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestJournalRefuses(t *testing.T) {
	j := mustOpen(t, filepath.Join(t.TempDir(), "journal.json"))
	must(t, j.Begin(record("1", "AA")))
	if err := j.Begin(record("1", "BB")); err == nil {
		t.Error("an order came twice")
	}
	if err := j.Begin(record("2", "AA")); !errors.Is(err, cardslot.ErrPending) {
		t.Errorf("a second order of a card: %v", err)
	}
	must(t, j.Forget("1"))
	if pending, _ := j.Pending(); len(pending) != 1 {
		t.Error("a pending record was forgotten")
	}
	if err := j.Commit("9"); err == nil {
		t.Error("nothing was committed")
	}
	must(t, j.Commit("1"))
	if err := j.Commit("1"); err == nil {
		t.Error("committed twice")
	}
	if err := j.Drop("1", "no"); err == nil {
		t.Error("dropped what is committed")
	}
	if err := j.Begin(record("1", "CC")); err == nil {
		t.Error("an order came again after it was done")
	}
}

// TestJournalSettlesAllOrNothing: a replacement and the sale that it settles are
// committed together.
func TestJournalSettlesAllOrNothing(t *testing.T) {
	j := mustOpen(t, filepath.Join(t.TempDir(), "journal.json"))
	must(t, j.Begin(record("1", "AA")))
	r := record("2", "BB")
	r.Settles = []cardslot.Settlement{{ID: "1", Commit: true}}
	must(t, j.Begin(r))
	full := errors.New("disk full")
	j.SetWrite(func(string, []byte, fs.FileMode) error { return full })
	if err := j.Commit("2"); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	if pending, _ := j.Pending(); len(pending) != 2 {
		t.Errorf("%d pending after a failed commit", len(pending))
	}
	j.SetWrite(func(string, []byte, fs.FileMode) error { return nil })
	must(t, j.Commit("2"))
	if settled := j.Settled(); len(settled) != 2 || settled[0].State != cardslot.CommittedState {
		t.Errorf("%+v", settled)
	}
	must(t, j.Begin(record("3", "CC")))
	r = record("4", "DD")
	r.Settles = []cardslot.Settlement{{ID: "unknown", Commit: true}}
	must(t, j.Begin(r))
	if err := j.Commit("4"); err == nil {
		t.Error("settled what is not there")
	}
	if pending, _ := j.Pending(); len(pending) != 2 {
		t.Errorf("%d pending", len(pending))
	}
}

func TestJournalThatCannotBeRead(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "cut": `{"version": 1, "rec`, "newer": `{"version": 2, "records": []}`, "unknown": `{"version": 1, "records": [], "more": 1}`,
	} {
		path := filepath.Join(t.TempDir(), "journal.json")
		must(t, os.WriteFile(path, []byte(content), 0o600))
		if _, err := cardslot.OpenJournal(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestJournalFailsAtTheCounter: without a journal nothing is written; a commitment
// that fails leaves the sale pending, and Resume finds it done.
func TestJournalFailsAtTheCounter(t *testing.T) {
	w, h := newWorld(t), newHousehold(t, 1)
	a := cardslot.PowerApplication
	s := w.newCard(h)
	full := errors.New("disk full")
	before := s.chip.Snapshot()
	w.journal.SetWrite(func(string, []byte, fs.FileMode) error { return full })
	if sold, err := w.sell(s, w.order(h, a, 1, 5_00)); !errors.Is(err, full) || sold.Outcome != cardslot.NotWritten || s.chip.Snapshot() != before {
		t.Errorf("%v, %v", sold.Outcome, err)
	}
	writes := 0
	w.journal.SetWrite(func(_ string, data []byte, _ fs.FileMode) error {
		if writes++; writes > 1 {
			return full
		}
		w.file = data
		return nil
	})
	if sold, err := w.sell(s, w.order(h, a, 1, 5_00)); !errors.Is(err, full) || sold.Outcome != cardslot.Doubtful {
		t.Errorf("%v, %v", sold.Outcome, err)
	}
	w.restart()
	s.Insert()
	if sold, err := w.resume(s); err != nil || sold.Outcome != cardslot.Committed {
		t.Errorf("%v, %v", sold.Outcome, err)
	}
	w.closes("after a full disk", h, a, s)
}
