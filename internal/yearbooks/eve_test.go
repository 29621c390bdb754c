package yearbooks

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
	"citygrid/hub/ledger/intake"
	"citygrid/hub/ledger/reconcile"
	"citygrid/schemas"
	"citygrid/simulators/year"
)

// TestEve: on an ordinary day and after a step reset, the books of a young city find every day just what falls
// due on it; then somebody imports the files of the last day, reconciles it, and finds
// just that.
func TestEve(t *testing.T) {
	for _, end := range []time.Time{
		time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 10, 0, 0, 0, 0, time.UTC),
	} {
		t.Run(end.Format(time.DateOnly), func(t *testing.T) { eveEnding(t, end) })
	}
}

func eveEnding(t *testing.T, end time.Time) {
	t.Helper()
	t.Parallel()
	const days = 88
	dir := t.TempDir()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	o := EveOptions{
		World:  year.Options{Seed: 1, Places: 360, Days: days, Recent: 21, Discrepancies: 80, Zone: zone, Start: end.AddDate(0, 0, 1-days)},
		Ledger: "sqlite:" + filepath.Join(dir, "books.db"), Dir: filepath.Join(dir, "files"), Tariffs: "tariffs.yaml",
		Rules: reconcile.DefaultRules(ledger.Calendar{Zone: zone, CutOff: 23 * time.Hour}),
		Clerk: "a clerk", Reviewer: "a reviewer", Approver: "an approver",
	}
	begun := time.Now()
	e, err := KeepEve(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d places, %d entries, %d files, %d runs, %d decisions; due on the last day: %d, by then: %d",
		time.Since(begun), e.Places, e.Entries, e.Files, e.Runs, e.Decisions, len(e.Due(e.Day())), len(e.Opened(e.Day())))
	b, err := books.Open(t.Context(), o.Ledger, books.Options{Rules: o.Rules})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	finishEve(t, e, b)
	for d := e.Day() - daily; d <= e.Day(); d++ {
		wrong, err := e.Compare(t.Context(), b, d)
		if err != nil || len(wrong) > 0 {
			t.Errorf("%s: %v %q", d, err, wrong)
		}
	}
	if wrong, err := e.CompareAll(t.Context(), b, e.Day()); err != nil || len(wrong) > 0 {
		t.Errorf("in all: %v %q", err, wrong)
	}
	if len(e.Due(e.Day())) < 3 {
		t.Errorf("on the last day only %d fall due", len(e.Due(e.Day())))
	}
	classes := map[year.Class]int{}
	for _, d := range e.Opened(e.Day()) {
		classes[d.Class]++
	}
	if len(classes) < 14 {
		t.Errorf("only %d classes: %v", len(classes), classes)
	}
	if e.Day().String() != end.Format(time.DateOnly) {
		t.Errorf("the day is %s, want %s", e.Day(), end.Format(time.DateOnly))
	}
}

// finishEve does what is left to do.
func finishEve(t *testing.T, e *Eve, b *books.Books) {
	t.Helper()
	for _, u := range utilities {
		run, err := b.LatestRun(t.Context(), u)
		if err != nil || run.Span.To != e.Day()-1 || run.At.After(time.Unix(int64(e.Day()+1)*86400, 0)) {
			t.Fatalf("%s: the last run is %+v at %s, %v", u, run.Span, run.At, err)
		}
	}
	for _, u := range utilities { // whoever goes on has no readings of these meters
		span := reconcile.Span{From: e.Day(), To: e.Day()}
		want := withoutRates(e, u)
		if sum, err := b.FillUse(t.Context(), u, span, registers{}, nil); err != nil || sum.Missing != want {
			t.Errorf("%s: %d entries of the last day lack registers, want %d: %v", u, sum.Missing, want, err)
		}
	}
	for _, name := range glob(t, e.WithErrors) {
		if err := take(t.Context(), b, name); !isFileError(err) {
			t.Errorf("%s: %v, want what is wrong by line", filepath.Base(name), err)
		} else {
			t.Log(err)
		}
	}
	for _, name := range glob(t, e.Yesterday) {
		if err := take(t.Context(), b, name); err != nil {
			t.Error(err)
		}
	}
	for _, u := range utilities {
		span := reconcile.Span{From: e.Day(), To: e.Day()}
		run, err := b.Run(t.Context(), u, span, "a tester", nil)
		if err != nil || run.Figures.Refused != 0 {
			t.Errorf("%s: %v, %d refused", u, err, run.Figures.Refused)
		}
	}
}

// withoutRates counts the entries of the last day whose meters pay by the time of use and
// have no registers for it.
func withoutRates(e *Eve, u schemas.Medium) (n int64) {
	for p := range e.World.Places() {
		for i := range p.Entries {
			x := &p.Entries[i]
			shows := x.Event == schemas.CardState || x.Event == schemas.CardReturn
			if p.Utility == u && p.Plan == "power-tou" && shows && x.UsedByRate == nil && x.Day == int32(e.Day()) {
				n++
			}
		}
	}
	return n
}

func isFileError(err error) bool {
	var wrong *intake.FileError
	return errors.As(err, &wrong)
}

func glob(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.csv"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(names), err)
	}
	return names
}

func take(ctx context.Context, b *books.Books, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	m, err := intake.Named("citygrid")
	if err != nil {
		return err
	}
	_, err = intake.Import(ctx, b, f, m, intake.Options{Name: filepath.Base(name), By: "a tester", Zone: time.UTC, Now: time.Now})
	return err
}
