package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"citygrid/hub/ledger/statement"
	"citygrid/schemas"
)

// RunJSON is a run of reconciliation.
type RunJSON struct {
	ID       int64        `json:"id"`
	Utility  string       `json:"utility" enum:"water,power,gas"`
	From     string       `json:"from" doc:"First accounting day"`
	To       string       `json:"to" doc:"Last accounting day"`
	Version  int          `json:"version" doc:"Counts the runs that closed on the same day"`
	State    string       `json:"state" enum:"done,set_aside" doc:"set_aside: made again since; it counts no longer"`
	Before   int64        `json:"before" doc:"The run with whose balances it began; 0 for none"`
	Replaces int64        `json:"replaces" doc:"The version before it; 0 for none"`
	Rules    string       `json:"rules"`
	Tariffs  string       `json:"tariffs" doc:"Digest of the tariff files"`
	Inputs   []DigestJSON `json:"inputs" nullable:"false" doc:"SM3 digests of what was compared"`
	By       string       `json:"by"`
	At       time.Time    `json:"at"`
	TookMS   int64        `json:"took_ms"`
}

// DigestJSON is a digest by the name of what it is of.
type DigestJSON struct {
	Name string `json:"name"`
	SM3  string `json:"sm3"`
}

// JobJSON is a run that was asked for.
type JobJSON struct {
	ID      string    `json:"id"`
	State   string    `json:"state" enum:"waiting,running,done,failed"`
	Utility string    `json:"utility" enum:"water,power,gas"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	By      string    `json:"by"`
	Stage   string    `json:"stage" doc:"What is being done; empty before and after"`
	Done    int64     `json:"done"`
	Total   int64     `json:"total" doc:"0 where it is not known"`
	Run     int64     `json:"run" doc:"The run, once it is done"`
	Problem string    `json:"problem" doc:"Why it failed; empty when it has not"`
	At      time.Time `json:"at" doc:"When it was asked for"`
}

func runJSON(r *LedgerRun) RunJSON {
	j := RunJSON{ID: r.ID, Utility: string(r.Utility), From: r.From.String(), To: r.To.String(), Version: r.Version, State: r.State,
		Before: r.Before, Replaces: r.Replaces, Rules: r.Rules, Tariffs: r.Tariffs, Inputs: []DigestJSON{}, By: r.By, At: r.At.UTC(), TookMS: r.Took.Milliseconds()}
	for _, name := range slices.Sorted(maps.Keys(r.Inputs)) {
		j.Inputs = append(j.Inputs, DigestJSON{Name: name, SM3: r.Inputs[name]})
	}
	return j
}

func jobJSON(j *RunJob) JobJSON {
	return JobJSON{ID: j.ID, State: j.State, Utility: string(j.Utility), From: j.From.String(), To: j.To.String(), By: j.By, Stage: j.Stage,
		Done: j.Done, Total: j.Total, Run: j.Run, Problem: j.Problem, At: j.At.UTC()}
}

type (
	runsInput struct {
		Utility string `query:"utility" enum:"water,power,gas," doc:"Only runs of this utility"`
		Paging
	}
	runsOutput struct{ Body []RunJSON }
	runInput   struct {
		ID int64 `path:"id" minimum:"1"`
	}
	runOutput     struct{ Body RunJSON }
	startRunInput struct {
		Body struct {
			Utility string `json:"utility" enum:"water,power,gas"`
			From    string `json:"from" doc:"First accounting day" example:"2026-11-21"`
			To      string `json:"to,omitempty" doc:"Last accounting day; the first when absent"`
		}
	}
	jobInput struct {
		ID string `path:"id" maxLength:"64"`
	}
	jobOutput struct {
		Location string `header:"Location"`
		Body     JobJSON
	}
)

func (l *ledgerRoutes) listRuns(ctx context.Context, in *runsInput) (*runsOutput, error) {
	list, err := l.o.Runs.Runs(ctx, schemas.Medium(in.Utility), in.Limit, in.Offset)
	if err != nil {
		return nil, l.problemOf(ctx, "list runs", err)
	}
	out := &runsOutput{Body: []RunJSON{}}
	for n := range list {
		out.Body = append(out.Body, runJSON(&list[n]))
	}
	return out, nil
}

func (l *ledgerRoutes) getRun(ctx context.Context, in *runInput) (*runOutput, error) {
	r, err := l.o.Runs.Run(ctx, in.ID)
	if err != nil {
		return nil, l.problemOf(ctx, "run", err)
	}
	return &runOutput{Body: runJSON(&r)}, nil
}

func (l *ledgerRoutes) postRun(ctx context.Context, in *startRunInput) (*jobOutput, error) {
	if in.Body.To == "" {
		in.Body.To = in.Body.From
	}
	from, bad := dayOf("from", in.Body.From)
	if bad != nil {
		return nil, bad
	}
	to, bad := dayOf("to", in.Body.To)
	if bad != nil {
		return nil, bad
	}
	if to < from {
		return nil, problem(http.StatusUnprocessableEntity, codeRange, "The span ends before it begins.")
	}
	job, err := l.o.Runner.Start(ctx, RunRequest{Utility: schemas.Medium(in.Body.Utility), From: from, To: to, By: personOf(ctx).Name})
	if err != nil {
		return nil, l.problemOf(ctx, "start a run", err)
	}
	return &jobOutput{Location: "/api/v1/ledger/jobs/" + job.ID, Body: jobJSON(&job)}, nil
}

func (l *ledgerRoutes) getJob(ctx context.Context, in *jobInput) (*jobOutput, error) {
	job, err := l.o.Runner.Job(ctx, in.ID)
	if err != nil {
		return nil, l.problemOf(ctx, "job", err)
	}
	return &jobOutput{Location: "/api/v1/ledger/jobs/" + job.ID, Body: jobJSON(&job)}, nil
}

type (
	statementInput struct {
		ID     int64  `path:"id" minimum:"1"`
		Format string `query:"format" enum:"json,txt,csv,xlsx,html,pdf" default:"json" doc:"json is what citygrid statement verify takes"`
		Lang   string `query:"lang" enum:"zh-CN,en" default:"zh-CN" doc:"Language of the forms for people"`
	}
	statementOutput struct {
		ContentType string `header:"Content-Type"`
		Disposition string `header:"Content-Disposition"`
		Policy      string `header:"Content-Security-Policy"`
		Body        []byte
	}
)

// pagePolicy lets a statement's page use the style in it and nothing else.
const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

func (l *ledgerRoutes) getStatement(ctx context.Context, in *statementInput) (*statementOutput, error) {
	d, err := l.o.Runs.Statement(ctx, in.ID)
	if err != nil {
		return nil, l.problemOf(ctx, "statement", err)
	}
	body, err := render(ctx, d, in.Format, statement.Language(in.Lang))
	if errors.Is(err, statement.ErrNoBrowser) {
		return nil, problem(http.StatusNotImplemented, codeRefused, err.Error())
	}
	if err != nil {
		return nil, l.problemOf(ctx, "statement", err)
	}
	s := d.Statement
	name := fmt.Sprintf("statement-%s-%s-v%d.%s", s.Utility, s.To, s.Run.Version, in.Format)
	how := "attachment"
	if in.Format == "html" || in.Format == "txt" {
		how = "inline"
	}
	return &statementOutput{ContentType: mediaType(in.Format), Disposition: fmt.Sprintf("%s; filename=%q", how, name), Policy: pagePolicy, Body: body}, nil
}

func mediaType(format string) string {
	switch format {
	case "txt":
		return "text/plain; charset=utf-8"
	case "csv":
		return "text/csv; charset=utf-8"
	case "html":
		return "text/html; charset=utf-8"
	case "xlsx":
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	case "pdf":
		return "application/pdf"
	}
	return "application/json"
}

func render(ctx context.Context, d *statement.Document, format string, lang statement.Language) ([]byte, error) {
	switch format {
	case "json":
		return d.Marshal()
	case "pdf":
		return statement.PDF(ctx, d, lang)
	}
	write, ok := statement.WriterOf("." + format)
	if !ok {
		return nil, fmt.Errorf("no form %q of a statement", format)
	}
	var out bytes.Buffer
	err := write(&out, d, lang)
	return out.Bytes(), err
}
