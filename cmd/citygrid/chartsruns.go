package main

import (
	"context"
	"slices"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
	"citygrid/hub/ledger/reconcile"
	"citygrid/hub/store"
	"citygrid/schemas"
)

// runLister lists runs, the latest first (books.Books).
type runLister interface {
	Runs(ctx context.Context, utility schemas.Medium, page books.Page) ([]books.RunSummary, error)
}

// runSeries takes runs (store.Store).
type runSeries interface {
	StoreRuns(ctx context.Context, list []store.RunPoint) error
}

// runPoints writes the runs of the books, whoever made them: this hub, or the command
// beside it. A hub that starts writes all of them again, as its store may be a new one.
type runPoints struct {
	books    runLister
	calendar ledger.Calendar
	series   runSeries
	written  map[int64]books.RunState
}

const (
	runPage       = 200 // runs of a request to the books
	runsOfRequest = 50  // of one to the store; a run is 17 points
)

// runDay is what a point of a run stands for.
type runDay struct {
	utility schemas.Medium
	day     ledger.Day
}

// write writes the runs that are new or were set aside since. A run sets others aside
// in the transaction that makes it, so that without a new run none has changed.
func (r *runPoints) write(ctx context.Context) error {
	page, err := r.books.Runs(ctx, "", books.Page{Limit: runPage})
	if err != nil || !slices.ContainsFunc(page, r.changed) {
		return err
	}
	all := page
	for len(page) == runPage {
		// A run made meanwhile moves the pages by one; it is only seen twice.
		if page, err = r.books.Runs(ctx, "", books.Page{Limit: runPage, Offset: int64(len(all))}); err != nil {
			return err
		}
		all = append(all, page...)
	}
	if err := r.store(ctx, latest(all)); err != nil {
		return err
	}
	r.written = make(map[int64]books.RunState, len(all))
	for n := range all {
		r.written[all[n].ID] = all[n].State
	}
	return nil
}

func (r *runPoints) changed(run books.RunSummary) bool { return r.written[run.ID] != run.State }

// latest returns the latest run of each day: a day has one point.
func latest(runs []books.RunSummary) (list []books.RunSummary) {
	seen := make(map[runDay]bool)
	for _, r := range runs {
		if key := (runDay{r.Utility, r.Span.To}); !seen[key] {
			seen[key] = true
			list = append(list, r)
		}
	}
	return list
}

func (r *runPoints) store(ctx context.Context, runs []books.RunSummary) error {
	runs = slices.DeleteFunc(runs, func(run books.RunSummary) bool { return !r.changed(run) })
	for part := range slices.Chunk(runs, runsOfRequest) {
		points := make([]store.RunPoint, len(part))
		for n := range part {
			points[n] = runPoint(&part[n], r.calendar.Start(part[n].Span.To))
		}
		if err := r.series.StoreRuns(ctx, points); err != nil {
			return err
		}
	}
	return nil
}

func runPoint(s *books.RunSummary, day time.Time) store.RunPoint {
	f := &s.Figures
	p := store.RunPoint{
		Utility: s.Utility, Day: day, Run: s.ID, Version: s.Version, SetAside: s.State == books.RunSetAside,
		Sales: f.Sales, Entries: f.Entries, Payments: f.Payments, Refused: f.Refused,
		Unloaded: runTally(f.Purchases.Closing), Residual: runTally(f.Stock.Closing.Residual), Overdraft: runTally(f.Stock.Closing.Overdraft),
		Installations: f.Stock.Closing.Installations, Fresh: f.Stock.Closing.Fresh, Stale: f.Stock.Closing.Stale,
	}
	for n, class := range ledger.Classes() {
		c := &f.Classes[n]
		p.Classes = append(p.Classes, store.RunClass{Class: string(class), Opening: runTally(c.Opening), Found: runTally(c.Found),
			Cleared: runTally(c.Cleared), Decided: runTally(c.Decided), Closing: runTally(c.Closing)})
	}
	return p
}

func runTally(t reconcile.Tally) store.RunTally {
	return store.RunTally{Count: t.Count, Fen: int64(t.Fen), Volume: t.Volume}
}
