package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/statement"
	"citygrid/schemas"
)

// Ledger is what the ledger's part of the face needs; every field but Clearing
// and Desk is required.
type Ledger struct {
	Auth        Authenticator
	Files       LedgerFiles
	Runner      LedgerRunner
	Runs        LedgerRuns
	Differences LedgerDifferences
	Register    LedgerRegister
	Accounts    LedgerAccounts
	Bills       LedgerBills
	// Clearing is nil where the hub has no issuer and clears nothing.
	Clearing *Clearing
	// Desk is nil where nobody works at the desk of reconciliation.
	Desk *Desk
}

// The errors of the ledger's interfaces that the API tells apart, beside those of
// package ledger.
var (
	// ErrUnknown says that what was asked for is not in the books.
	ErrUnknown = errors.New("not in the books")
	// ErrBusy says that the call may be made again a little later.
	ErrBusy = errors.New("the books are busy")
	// ErrRefused says that the request cannot be carried out as it is. Its text is
	// for the person who asked.
	ErrRefused = errors.New("refused")
)

// Upload is a vending or settlement file.
type Upload struct {
	// Mapping names the column mapping; empty means our own format.
	Mapping string
	Name    string // of the file, for people
	By      string
	Raw     []byte
	// Channel, Utility, Day and Number are used where the file does not say them; a file
	// that says something else is refused. Zero values say nothing.
	Channel string
	Utility schemas.Medium
	Day     ledger.KnownDay
	Number  int
}

// FileError says that a file was refused as a whole, with its mistakes.
type FileError struct {
	Problem  string
	Mistakes []FileMistake
}

// FileMistake is one mistake; Line and Column count from 1, 0 where there is none.
type FileMistake struct {
	Line, Column int
	Problem      string
}

// Error returns the problem.
func (e *FileError) Error() string { return e.Problem }

// LedgerFiles takes files. The errors of Import are *FileError,
// *ledger.ImportedError, *ledger.OtherContentError and ErrBusy.
type LedgerFiles interface {
	Import(ctx context.Context, u Upload) (ledger.Import, error)
	// Imports returns the latest first.
	Imports(ctx context.Context, limit, offset int) ([]ledger.Import, error)
}

// RunRequest asks for a run.
type RunRequest struct {
	Utility  schemas.Medium
	From, To ledger.Day
	By       string
}

// RunJob is a run that was asked for.
type RunJob struct {
	ID    string
	State string // "waiting", "running", "done" or "failed"
	RunRequest
	Stage       string
	Done, Total int64
	Run         int64  // once it is done
	Problem     string // once it has failed
	At          time.Time
}

// LedgerRunner makes runs, one after the other, in its own time.
type LedgerRunner interface {
	// Start returns at once. The error wraps ErrBusy when too many wait.
	Start(ctx context.Context, r RunRequest) (RunJob, error)
	// Job returns one that was started since this hub's start, ErrUnknown else.
	Job(ctx context.Context, id string) (RunJob, error)
}

// LedgerRun is a run in the books.
type LedgerRun struct {
	ID               int64
	Utility          schemas.Medium
	From, To         ledger.Day
	Version          int
	State            string
	Before, Replaces int64
	Rules, Tariffs   string
	Inputs           map[string]string
	By               string
	At               time.Time
	Took             time.Duration
}

// LedgerRuns are the runs of the books.
type LedgerRuns interface {
	// Runs returns those of a utility ("" for all), the latest first.
	Runs(ctx context.Context, utility schemas.Medium, limit, offset int) ([]LedgerRun, error)
	Run(ctx context.Context, id int64) (LedgerRun, error)
	Statement(ctx context.Context, run int64) (*statement.Document, error)
}

// DifferenceQuery picks differences; zero fields pick all that are open.
type DifferenceQuery struct {
	Utility schemas.Medium
	Class   ledger.Class
	State   ledger.State
	Meter   schemas.MeterID
	Cleared bool
	// MinAge and MaxAge bound the age in days on AsOf; MaxAge below 0 has no end,
	// AsOf 0 is today.
	MinAge, MaxAge int
	AsOf           ledger.Day
	Limit, Offset  int
}

// LedgerDifference is a difference in the books.
type LedgerDifference struct {
	Key string
	ledger.Difference
	State                ledger.State
	FoundRun, ClearedRun int64
}

// LedgerEvent is one line of a difference's timeline; one of the pointers is set.
type LedgerEvent struct {
	At       time.Time
	Sale     *ledger.Sale
	Payment  *ledger.Payment
	Entry    *ledger.Entry
	Decision *ledger.Decision
}

// LedgerDifferences are the differences of the books. Decide returns
// *ledger.StepError and *ledger.SamePersonError as the books do.
type LedgerDifferences interface {
	List(ctx context.Context, q DifferenceQuery) (list []LedgerDifference, total int, err error)
	Get(ctx context.Context, key string) (LedgerDifference, []LedgerEvent, error)
	Decide(ctx context.Context, d ledger.Decision) (ledger.Decision, error)
}

// TariffFile is a tariff file of the books.
type TariffFile struct {
	Name, Digest, Text string
	At                 time.Time
	By                 string
}

// LedgerRegister is the asset register and the tariffs of the books.
type LedgerRegister interface {
	// Places returns up to limit places with a meter id above after, in its order.
	Places(ctx context.Context, utility schemas.Medium, after schemas.MeterID, limit int) ([]ledger.Place, error)
	// Tariffs returns the files in force.
	Tariffs(ctx context.Context) ([]TariffFile, error)
}

// ledgerRoutes are the ledger's operations.
type ledgerRoutes struct {
	o     *Ledger // nil: this hub keeps no ledger
	log   *slog.Logger
	heavy chan struct{} // a place for each heavy request under way
}

// The codes of the ledger's problems.
const (
	codeNoLedger  = "no_ledger"
	codeUnknown   = "not_in_the_books"
	codeBusy      = "books_busy"
	codeRefused   = "refused"
	codeFile      = "file_refused"
	codeFileTaken = "file_number_taken"
	codeStep      = "step_not_allowed"
	codePerson    = "second_person_needed"
	codeFoot      = "does_not_foot"
	codeLedger    = "books_unavailable"
)

// register adds the ledger's operations to api.
func (l *ledgerRoutes) register(api huma.API) {
	describeToken(api)
	l.heavy = make(chan struct{}, heavyAtOnce)
	heavy := huma.Middlewares{l.bounded(api)}
	ledgerGet(l, api, "ledger-me", "/api/v1/ledger/me", "Who asks, and in which roles", l.getMe)
	ledgerGet(l, api, "ledger-list-imports", "/api/v1/ledger/imports", "Imported files, the latest first", l.listImports)
	ledgerOperation(l, api, huma.Operation{
		OperationID: "ledger-import", Method: http.MethodPost, Path: "/api/v1/ledger/imports",
		Summary: "Import a vending or settlement file, whole or not at all", MaxBodyBytes: maxUpload, BodyReadTimeout: uploadTime, Middlewares: heavy,
	}, []Role{Clerk}, l.postImport)
	ledgerGet(l, api, "ledger-list-runs", "/api/v1/ledger/runs", "Runs of reconciliation, the latest first", l.listRuns)
	ledgerOperation(l, api, huma.Operation{
		OperationID: "ledger-start-run", Method: http.MethodPost, Path: "/api/v1/ledger/runs", DefaultStatus: http.StatusAccepted,
		Summary: "Start a run; the answer is a job to ask for",
	}, []Role{Clerk}, l.postRun)
	ledgerGet(l, api, "ledger-get-job", "/api/v1/ledger/jobs/{id}", "How far a run that was started is", l.getJob)
	ledgerGet(l, api, "ledger-get-run", "/api/v1/ledger/runs/{id}", "One run", l.getRun)
	ledgerOperation(l, api, huma.Operation{
		OperationID: "ledger-get-statement", Method: http.MethodGet, Path: "/api/v1/ledger/runs/{id}/statement",
		Summary: "The statement of a run in one of its forms", Middlewares: heavy,
	}, nil, l.getStatement)
	ledgerGet(l, api, "ledger-list-differences", "/api/v1/ledger/differences", "Differences, the oldest first", l.listDifferences)
	ledgerGet(l, api, "ledger-get-difference", "/api/v1/ledger/difference", "One difference with everything that bears on it, in the order of time", l.getDifference)
	ledgerOperation(l, api, huma.Operation{
		OperationID: "ledger-decide", Method: http.MethodPost, Path: "/api/v1/ledger/decisions", DefaultStatus: http.StatusCreated,
		Summary:     "Take the next step in the life of a difference",
		Description: "explain and assign take the role clerk, adjust reviewer, close approver; adjust and close each need another person than the step before.",
	}, nil, l.postDecision)
	ledgerGet(l, api, "ledger-list-places", "/api/v1/ledger/places", "Places of the asset register with their installations", l.listPlaces)
	ledgerGet(l, api, "ledger-list-tariffs", "/api/v1/ledger/tariffs", "Tariff files in force", l.listTariffs)
	l.registerDesk(api, heavy)
	l.registerClearing(api, heavy)
	l.registerBills(api, heavy)
	l.registerSTS(api)
}

// problemOf turns an error of the books into what the person who asked may know.
func (l *ledgerRoutes) problemOf(ctx context.Context, act string, err error) *Problem {
	var other *ledger.OtherContentError
	var file *FileError
	var foot *statement.FootError
	switch {
	case errors.As(err, &other):
		return problem(http.StatusConflict, codeFileTaken, err.Error())
	case errors.As(err, &file):
		return fileProblem(file)
	case errors.As(err, &foot):
		return problem(http.StatusConflict, codeFoot, err.Error())
	case errors.Is(err, ErrUnknown):
		return problem(http.StatusNotFound, codeUnknown, err.Error())
	case errors.Is(err, ErrBusy):
		return problem(http.StatusServiceUnavailable, codeBusy, err.Error())
	case errors.Is(err, ErrRefused):
		return problem(http.StatusUnprocessableEntity, codeRefused, err.Error())
	}
	if !errors.Is(ctx.Err(), context.Canceled) {
		l.log.Error("ledger not answered", "act", act, "error", err)
	}
	return problem(http.StatusServiceUnavailable, codeLedger, "The books did not answer. Nothing was changed; try again, and look at the hub's log.")
}

func fileProblem(e *FileError) *Problem {
	p := problem(http.StatusUnprocessableEntity, codeFile, e.Problem)
	for _, m := range e.Mistakes {
		where := "file"
		if m.Line > 0 {
			where = fmt.Sprintf("line %d", m.Line)
		}
		if m.Column > 0 {
			where += fmt.Sprintf(" column %d", m.Column)
		}
		p.Errors = append(p.Errors, ProblemField{Location: where, Message: m.Problem})
	}
	return p
}

// Paging is the part of a query that lists share.
type Paging struct {
	Limit  int `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"Rows a page"`
	Offset int `query:"offset" minimum:"0" maximum:"100000000" default:"0" doc:"Rows to pass over"`
}
