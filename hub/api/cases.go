package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/semaphore"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/hub/cases/limits"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// Cases is what the part of the face about cases needs. Auth, Desk, Lists, Zone,
// Chance and Now are required.
type Cases struct {
	Auth CasesAuth
	Desk CaseDesk
	// Rules are those of the desk, by which people are told what they may do.
	Rules cases.Rules
	// Limits is the desk's limits file; nil: no case has a limit.
	Limits *limits.Book
	Lists  *codes.Lists
	// Media keeps photos; nil: none are taken.
	Media CaseMedia
	// Indicators counts; nil: nobody does.
	Indicators CaseIndicators
	// Open311 is the interface for other programs; nil: there is none.
	Open311 *Open311
	// DepartmentName returns the name of a department, empty where it is not known;
	// nil: none is.
	DepartmentName func(context.Context, cases.DepartmentID) string
	// Zone is the city's, for days and for times in exports.
	Zone *time.Location
	// Chance is where salts come from: crypto/rand.Reader.
	Chance io.Reader
	Now    func() time.Time
}

// CaseActs does acts, as desk.Desk.
type CaseActs interface {
	ActAll(ctx context.Context, list []desk.Submission) ([]desk.Result, error)
}

// CaseReader tells about one case, as desk.Desk.
type CaseReader interface {
	Case(ctx context.Context, id cases.CaseID) (*cases.Case, error)
	Journal(ctx context.Context, id cases.CaseID) ([]cases.Entry, error)
	Suggest(ctx context.Context, id cases.CaseID) ([]cases.DepartmentID, error)
}

// CaseLister finds cases, as desk.Desk.
type CaseLister interface {
	List(ctx context.Context, f desk.Filter) ([]desk.Summary, error)
	Count(ctx context.Context, f desk.Filter) (int64, error)
	Similar(ctx context.Context, class codes.Ref, component schemas.ComponentID, at schemas.Position, within float64) ([]desk.Summary, error)
}

// CasePetitioners holds personal data apart, as desk.Desk.
type CasePetitioners interface {
	Petitioner(ctx context.Context, id cases.CaseID) (*cases.Petitioner, error)
	Forget(ctx context.Context, id cases.CaseID) error
}

// CaseMediaRegister remembers what is known of media, as desk.Desk.
type CaseMediaRegister interface {
	KeepMedia(ctx context.Context, m desk.Media) error
	MediaBy(ctx context.Context, digest string) (desk.Media, error)
}

// CaseDesk is all of a desk that the face uses.
type CaseDesk interface {
	CaseActs
	CaseReader
	CaseLister
	CasePetitioners
	CaseMediaRegister
	CasePhones
	CaseInbox
}

// caseRoutes are the operations about cases.
type caseRoutes struct {
	o   *Cases // nil: this hub keeps none
	log *slog.Logger
	// heavy, counts and uploads have a place for each export, count and upload that is
	// under way; sending has the bytes of media that are on their way out.
	heavy, counts, uploads chan struct{}
	sending                *semaphore.Weighted
}

// The codes of problems with cases.
const (
	codeNoCases      = "no_cases"
	codeCase         = "case_unknown"
	codeConflict     = "conflict"
	codeStale        = "stale"
	codeClientID     = "client_id_taken"
	codeCases        = "cases_unavailable"
	codeNoNumber     = "no_case_number"
	codeCasesBusy    = "busy"
	codeNoPetitioner = "no_petitioner"
)

// An export may read every case, and a count every journal, for minutes; an upload may
// be a film of 50 MiB, but most are photos, sent by slow networks.
const (
	caseHeavy   = 2
	caseCounts  = 1
	caseUploads = 16
)

// register adds the operations about cases, media, codes and indicators to api.
func (c *caseRoutes) register(api huma.API) {
	describeCaseToken(api)
	c.heavy, c.counts, c.uploads = make(chan struct{}, caseHeavy), make(chan struct{}, caseCounts), make(chan struct{}, caseUploads)
	c.sending = semaphore.NewWeighted(mediaMemory)
	caseGet(c, api, "me", "/api/v1/me", "Who asks, and in which roles", c.getMe)
	caseGet(c, api, "list-cases", "/api/v1/cases", "Cases, the latest first", c.listCases)
	caseGet(c, api, "similar-cases", "/api/v1/similar-cases", "Open cases that may be about the same thing", c.similarCases)
	caseGet(c, api, "get-case", "/api/v1/cases/{id}", "A case, and what the person who asks may do to it", c.getCase)
	caseGet(c, api, "get-journal", "/api/v1/cases/{id}/journal", "What was done in a case, in its order", c.getJournal)
	c.registerInbox(api)
	c.registerMay(api)
	c.registerActs(api)
	c.registerPetitioners(api)
	c.registerMedia(api)
	c.registerCodes(api)
	c.registerIndicators(api)
	c.registerExports(api)
}

// bounded is a middleware that lets as many requests through at once as places has.
func bounded(api huma.API, places chan struct{}) huma.Middlewares {
	return huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		if !inTurn(ctx.Context(), places, func() { next(ctx) }) {
			writeProblem(api, ctx, problem(http.StatusServiceUnavailable, codeCasesBusy, "Other uploads and exports are under way. Nothing was changed; try again in a minute."))
		}
	}}
}

// problemOf turns an error of the desk into what the person who asked may know.
func (c *caseRoutes) problemOf(ctx context.Context, act string, err error) *Problem {
	var own *Problem
	var conflict *cases.ConflictError
	switch fields := fieldErrors(err); {
	case errors.As(err, &own):
		return own
	case errors.As(err, &conflict):
		return conflictProblem(conflict)
	case len(fields) > 0:
		return fieldsProblem(fields)
	case errors.Is(err, desk.ErrUnknown):
		return problem(http.StatusNotFound, codeCase, err.Error()+"; look it up in /api/v1/cases")
	case errors.Is(err, desk.ErrStale):
		return problem(http.StatusPreconditionFailed, codeStale, err.Error())
	case errors.Is(err, desk.ErrOtherUpload):
		return problem(http.StatusConflict, codeClientID, err.Error())
	case errors.Is(err, desk.ErrNoNumber):
		c.log.Error("no number for a new case", "error", err)
		return problem(http.StatusServiceUnavailable, codeNoNumber, "Nothing was changed: "+err.Error())
	case errors.Is(err, desk.ErrNoMedia), errors.Is(err, ErrMediaAbsent):
		return problem(http.StatusNotFound, codeMedia, err.Error())
	case errors.Is(err, codes.ErrUnknown):
		return problem(http.StatusUnprocessableEntity, codeInvalid, err.Error())
	}
	if !errors.Is(ctx.Err(), context.Canceled) {
		c.log.Error("cases not answered", "act", act, "error", err)
	}
	return problem(http.StatusServiceUnavailable, codeCases, "The cases did not answer. Nothing was changed; try again, and look at the hub's log.")
}

// conflictProblem names the reason and the acts that are possible instead.
func conflictProblem(e *cases.ConflictError) *Problem {
	p := problem(http.StatusConflict, codeConflict, e.Error())
	if e.Why == cases.WhyRole {
		p = problem(http.StatusForbidden, codeRole, e.Error())
	}
	p.Why, p.Allowed = string(e.Why), plain(e.Allowed)
	return p
}

func fieldsProblem(fields []*schemas.FieldError) *Problem {
	p := problem(http.StatusUnprocessableEntity, codeInvalid, fields[0].Error())
	if len(fields) > 1 {
		p.Detail = fmt.Sprintf("%s; and %d more, see errors", p.Detail, len(fields)-1)
	}
	for _, f := range fields {
		p.Errors = append(p.Errors, ProblemField{Location: "body." + f.Field, Message: f.Problem})
	}
	return p
}

// fieldErrors returns the faults of fields that err holds, one or several joined.
func fieldErrors(err error) (list []*schemas.FieldError) {
	switch e := err.(type) {
	case nil:
	case *schemas.FieldError:
		list = append(list, e)
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			list = append(list, fieldErrors(one)...)
		}
	case interface{ Unwrap() error }:
		list = fieldErrors(e.Unwrap())
	}
	return list
}

// CasePath is the path parameter of a case.
type CasePath struct {
	ID string `path:"id" pattern:"^[0-9A-Za-z_-]{1,40}$" doc:"Number of the case"`
}

// now is the hub's clock.
func (c *caseRoutes) now() time.Time { return c.o.Now().UTC() }

func (c *caseRoutes) departmentName(ctx context.Context, id cases.DepartmentID) string {
	if id == "" || c.o.DepartmentName == nil {
		return ""
	}
	return c.o.DepartmentName(ctx, id)
}
