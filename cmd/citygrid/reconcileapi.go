package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"citygrid/hub/api"
	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
	"citygrid/hub/ledger/intake"
	"citygrid/hub/ledger/reconcile"
	"citygrid/hub/ledger/statement"
	"citygrid/schemas"
)

// ledgerFace lets the API ask the books, which do not know each other.
type ledgerFace struct{ *openLedger }

// apiError gives the errors of the books the names that the API knows.
func apiError(err error) error {
	switch {
	case errors.Is(err, books.ErrUnknown):
		return fmt.Errorf("%w: %w", api.ErrUnknown, err)
	case errors.Is(err, books.ErrBusy):
		return fmt.Errorf("%w: %w", api.ErrBusy, err)
	case errors.Is(err, books.ErrCleared), errors.Is(err, books.ErrSetAside):
		return fmt.Errorf("%w: %w", api.ErrRefused, err)
	}
	var file *intake.FileError
	if errors.As(err, &file) {
		out := &api.FileError{Problem: "The file has mistakes; nothing of it was imported."}
		for _, p := range file.Problems {
			what := p.What
			if p.Text != "" {
				what = fmt.Sprintf("%q: %s", p.Text, what)
			}
			if p.Name != "" {
				what = p.Name + ": " + what
			}
			out.Mistakes = append(out.Mistakes, api.FileMistake{Line: p.Line, Column: p.Column, Problem: what})
		}
		return out
	}
	return err
}

// Import reads and stores a file.
func (f ledgerFace) Import(ctx context.Context, u api.Upload) (ledger.Import, error) {
	m, err := f.uploadMapping(u.Mapping)
	if err != nil {
		return ledger.Import{}, fmt.Errorf("%w: %w", api.ErrRefused, err)
	}
	done, err := intake.Import(ctx, f.Books, bytes.NewReader(u.Raw), m, f.intakeOptions(&u))
	return done, apiError(err)
}

// uploadMapping finds a mapping by its name; unlike on the command line a name is
// never a path.
func (f ledgerFace) uploadMapping(name string) (*intake.Mapping, error) {
	if name == "" {
		name = "citygrid"
	}
	for _, r := range name {
		if r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return nil, fmt.Errorf("mapping %q: want a name of letters, digits, - and _", name)
		}
	}
	return f.mapping(name)
}

// Imports lists imported files.
func (f ledgerFace) Imports(ctx context.Context, limit, offset int) ([]ledger.Import, error) {
	list, err := f.Books.Imports(ctx, books.Page{Limit: int64(limit), Offset: int64(offset)})
	return list, apiError(err)
}

// Runs lists runs.
func (f ledgerFace) Runs(ctx context.Context, utility schemas.Medium, limit, offset int) ([]api.LedgerRun, error) {
	list, err := f.Books.Runs(ctx, utility, books.Page{Limit: int64(limit), Offset: int64(offset)})
	out := make([]api.LedgerRun, len(list))
	for n := range list {
		out[n] = runOf(&list[n])
	}
	return out, apiError(err)
}

// Run returns one run.
func (f ledgerFace) Run(ctx context.Context, id int64) (api.LedgerRun, error) {
	r, err := f.RunByID(ctx, id)
	return runOf(&r), apiError(err)
}

func runOf(r *books.RunSummary) api.LedgerRun {
	return api.LedgerRun{ID: r.ID, Utility: r.Utility, From: r.Span.From, To: r.Span.To, Version: r.Version, State: string(r.State), Before: r.Before,
		Replaces: r.Replaces, Rules: r.Rules, Tariffs: r.Tariffs, Inputs: r.Inputs, By: r.By, At: r.At, Took: r.Took}
}

// Statement makes the statement of a run.
func (f ledgerFace) Statement(ctx context.Context, run int64) (*statement.Document, error) {
	d, err := f.statementOf(ctx, run, "")
	return d, apiError(err)
}

// differencesFace is the API's view of the differences.
type differencesFace struct{ *openLedger }

// List lists differences.
func (f differencesFace) List(ctx context.Context, q api.DifferenceQuery) ([]api.LedgerDifference, int, error) {
	filter := books.DifferenceFilter{Utility: q.Utility, Class: q.Class, State: q.State, Meter: q.Meter, Cleared: q.Cleared, AsOf: q.AsOf,
		Page: books.Page{Limit: int64(q.Limit), Offset: int64(q.Offset)}}
	if q.AsOf == 0 {
		filter.AsOf = f.rules.Calendar.DayOf(time.Now())
	}
	if q.MinAge > 0 || q.MaxAge >= 0 {
		filter.Band = &books.Band{From: q.MinAge, To: max(q.MaxAge, 0)}
		if q.MaxAge == 0 { // an end of 0 is none; a day later the facts are a day older
			filter.Band, filter.AsOf = &books.Band{From: q.MinAge + 1, To: 1}, filter.AsOf+1
		}
	}
	list, total, err := f.Differences(ctx, filter)
	out := make([]api.LedgerDifference, len(list))
	for n := range list {
		out[n] = differenceOf(&list[n])
	}
	return out, int(total), apiError(err)
}

func differenceOf(d *books.DifferenceRecord) api.LedgerDifference {
	return api.LedgerDifference{Key: d.Key, Difference: d.Difference, State: d.State, FoundRun: d.FoundRun, ClearedRun: d.ClearedRun}
}

// Get returns one difference with its timeline.
func (f differencesFace) Get(ctx context.Context, key string) (api.LedgerDifference, []api.LedgerEvent, error) {
	t, err := f.Difference(ctx, key)
	events := make([]api.LedgerEvent, len(t.Events))
	for n, e := range t.Events {
		events[n] = api.LedgerEvent{At: e.At, Sale: e.Sale, Payment: e.Payment, Entry: e.Entry, Decision: e.Decision}
	}
	return differenceOf(&t.DifferenceRecord), events, apiError(err)
}

// Decide takes a step.
func (f differencesFace) Decide(ctx context.Context, d ledger.Decision) (ledger.Decision, error) {
	if d.To == ledger.Assigned && d.Assignee == "" {
		return d, fmt.Errorf("%w: name in assignee who has to see to it", api.ErrRefused)
	}
	if d.To != ledger.Adjusted && (d.Amount != 0 || d.Volume != 0) {
		return d, fmt.Errorf("%w: amount and volume belong to an adjustment only", api.ErrRefused)
	}
	done, err := f.Books.Decide(ctx, d.Key, d)
	return done, apiError(err)
}

// The bounds of a runner: runs that wait, and ended ones that it still tells of.
const (
	runsWaiting = 16
	runsKept    = 200
)

// runner makes the runs that the API is asked for, one after the other. Run must
// be running.
type runner struct {
	ledger *openLedger
	log    *slog.Logger
	queue  chan string
	mu     sync.Mutex
	last   int
	jobs   map[string]*api.RunJob
	order  []string
}

func newRunner(l *openLedger, log *slog.Logger) *runner {
	return &runner{ledger: l, log: log, queue: make(chan string, runsWaiting), jobs: make(map[string]*api.RunJob)}
}

// Start queues a run.
func (r *runner) Start(_ context.Context, q api.RunRequest) (api.RunJob, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last++
	j := &api.RunJob{ID: strconv.Itoa(r.last), State: "waiting", RunRequest: q, At: time.Now()}
	select {
	case r.queue <- j.ID:
	default:
		return api.RunJob{}, fmt.Errorf("%w: %d runs wait already; try again when one has ended", api.ErrBusy, runsWaiting)
	}
	r.jobs[j.ID] = j
	if r.order = append(r.order, j.ID); len(r.order) > runsKept {
		delete(r.jobs, r.order[0])
		r.order = r.order[1:]
	}
	return *j, nil
}

// Job returns how far a run is.
func (r *runner) Job(_ context.Context, id string) (api.RunJob, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := r.jobs[id]
	if j == nil {
		return api.RunJob{}, fmt.Errorf("job %s: %w; runs that are done are in the list of runs", id, api.ErrUnknown)
	}
	return *j, nil
}

// Run makes runs until ctx is done. What waits then is not made: a job is a wish,
// the run in the books is the fact.
func (r *runner) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			r.drop()
			return nil
		case id := <-r.queue:
			r.one(ctx, id)
		}
	}
}

// drop says which runs were asked for and are not made.
func (r *runner) drop() {
	for {
		select {
		case id := <-r.queue:
			j := r.change(id, func(j *api.RunJob) {
				j.State, j.Problem = "failed", "the hub was stopped before this run began; ask for it again"
			})
			r.log.Warn("a run of reconciliation that was asked for is not made: the hub stops; ask for it again", "utility", j.Utility, "from", j.From, "to", j.To, "by", j.By)
		default:
			return
		}
	}
}

// change changes a job under the lock and returns it.
func (r *runner) change(id string, do func(*api.RunJob)) api.RunJob {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := r.jobs[id]
	if j == nil {
		return api.RunJob{}
	}
	do(j)
	return *j
}

func (r *runner) one(ctx context.Context, id string) {
	j := r.change(id, func(j *api.RunJob) { j.State = "running" })
	run, _, err := r.ledger.makeRun(ctx, j.Utility, reconcile.Span{From: j.From, To: j.To}, j.By, func(p books.Progress) {
		r.change(id, func(j *api.RunJob) { j.Stage, j.Done, j.Total = p.Stage, p.Done, p.Total })
	})
	if err != nil {
		r.log.Error("run of reconciliation failed; nothing of it was kept", "utility", j.Utility, "from", j.From, "to", j.To, "error", err)
	}
	r.change(id, func(j *api.RunJob) {
		j.Stage, j.State, j.Run = "", "done", run.ID
		if err != nil {
			j.State, j.Run, j.Problem = "failed", 0, err.Error()
		}
	})
}
