package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/accounts"
	"citygrid/hub/ledger"
	"citygrid/schemas"
)

// Desk is what the desk of reconciliation asks the books for; every field is required.
type Desk struct {
	Days  LedgerDays
	Work  LedgerWork
	Rows  LedgerRows
	Files LedgerChecks
	// Today returns the accounting day of now.
	Today func() ledger.Day
}

// LedgerDays are the accounting days of the books.
type LedgerDays interface {
	// Days returns the days between two, both included, the latest first.
	Days(ctx context.Context, utility schemas.Medium, from, to ledger.Day) (ledger.DayOverview, error)
	// Day returns what the ledgers hold of one day, the runs that end with it, the latest
	// version first, and of the differences of the one that counts how many nobody has
	// looked at.
	Day(ctx context.Context, utility schemas.Medium, day ledger.Day) (LedgerDay, error)
	// CloseDay returns a *ledger.NotClosedError where the day cannot be closed.
	CloseDay(ctx context.Context, c ledger.DayClosing) (ledger.DayClosing, error)
}

// LedgerDay is one day of the books.
type LedgerDay struct {
	ledger.DayLedgers
	Line     ledger.DayLine
	Overview ledger.DayOverview // without its days
	Runs     []LedgerRun
	Unlooked int64
}

// SumJSON counts rows with what they come to.
type SumJSON struct {
	Count  int64  `json:"count"`
	Amount string `json:"amount" doc:"Yuan" example:"50.00"`
	Volume int64  `json:"volume" doc:"Litres or watt-hours, for purses of volume"`
}

func sumJSON(s ledger.Sum) SumJSON {
	return SumJSON{Count: s.Count, Amount: s.Fen.String(), Volume: s.Volume}
}

// DayJSON is an accounting day of a utility.
type DayJSON struct {
	Day          string          `json:"day" example:"2026-11-21"`
	State        string          `json:"state" enum:"not_imported,imported,open,reconciled,closed" doc:"open: reconciled, and of what its run found something is open"`
	SalesFiles   int64           `json:"sales_files"`
	PaymentFiles int64           `json:"payment_files"`
	Sold         SumJSON         `json:"sold" doc:"Purchases"`
	Billed       SumJSON         `json:"billed"`
	Refunded     SumJSON         `json:"refunded" doc:"Refunds and reversals of sales"`
	Paid         SumJSON         `json:"paid"`
	PaidBack     SumJSON         `json:"paid_back"`
	Loaded       SumJSON         `json:"loaded" doc:"Loads that were told on the day for the first time"`
	Difference   string          `json:"difference" doc:"Paid less sold and billed, refunds taken off on both sides, yuan"`
	Entries      int64           `json:"entries" doc:"Card entries of every kind"`
	Run          *DayRunJSON     `json:"run,omitempty" doc:"The run that counts and covers the day"`
	Found        SumJSON         `json:"found" doc:"What the run that ends with the day found"`
	Open         SumJSON         `json:"open" doc:"What of it is neither cleared nor closed"`
	Closing      *DayClosingJSON `json:"closing,omitempty" doc:"Absent until an approver closes the day"`
}

// DayRunJSON names a run of an overview.
type DayRunJSON struct {
	ID      int64     `json:"id"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	Version int       `json:"version"`
	By      string    `json:"by"`
	At      time.Time `json:"at"`
}

// DayClosingJSON says who closed a day.
type DayClosingJSON struct {
	Utility string    `json:"utility" enum:"water,power,gas"`
	Day     string    `json:"day" doc:"It and all days before it"`
	Run     int64     `json:"run"`
	By      string    `json:"by"`
	Why     string    `json:"why"`
	At      time.Time `json:"at"`
}

func dayJSON(l *ledger.DayLine) DayJSON {
	j := DayJSON{Day: l.Day.String(), State: string(l.State()), SalesFiles: l.SalesFiles, PaymentFiles: l.PaymentFiles, Sold: sumJSON(l.Sold), Billed: sumJSON(l.Billed),
		Refunded: sumJSON(l.Refunded), Paid: sumJSON(l.Paid), PaidBack: sumJSON(l.PaidBack), Loaded: sumJSON(l.Loaded), Difference: l.Difference().String(),
		Entries: l.Entries, Found: sumJSON(l.Found), Open: sumJSON(l.Open)}
	if r := l.Run; r != nil {
		j.Run = &DayRunJSON{ID: r.ID, From: r.From.String(), To: r.To.String(), Version: r.Version, By: r.By, At: r.At.UTC()}
	}
	if l.Closing != nil {
		c := closingJSON(l.Closing)
		j.Closing = &c
	}
	return j
}

func closingJSON(c *ledger.DayClosing) DayClosingJSON {
	return DayClosingJSON{Utility: string(c.Utility), Day: c.Day.String(), Run: c.Run, By: c.By, Why: c.Why, At: c.At.UTC()}
}

func dayOrEmpty(d ledger.KnownDay) string {
	if !d.Known {
		return ""
	}
	return d.Day.String()
}

// UtilityDaysJSON is an overview of the days of a utility.
type UtilityDaysJSON struct {
	Utility  string    `json:"utility" enum:"water,power,gas"`
	ClosedTo string    `json:"closed_to" doc:"The last closed day; empty for none"`
	LastRun  string    `json:"last_run" doc:"The day with which the last run ends; empty for none"`
	Days     []DayJSON `json:"days" nullable:"false" doc:"The latest first"`
}

// DaysJSON is an overview of days.
type DaysJSON struct {
	Today     string            `json:"today" doc:"The accounting day of now"`
	Utilities []UtilityDaysJSON `json:"utilities" nullable:"false"`
}

// LedgerSumJSON is one kind of rows of a ledger on a day.
type LedgerSumJSON struct {
	Channel string `json:"channel" doc:"Of sales and payments; of card entries where they were read"`
	Kind    string `json:"kind"`
	SumJSON
}

// DayCloseJSON says whether the person who asks may close the day.
type DayCloseJSON struct {
	May      bool   `json:"may"`
	Why      string `json:"why" enum:",role_missing,not_reconciled,inside_run,closed,second_person_needed,tour_read_only" doc:"Why not; empty where it may"`
	Maker    string `json:"maker" doc:"Who made the run: it takes another person"`
	Unlooked int64  `json:"unlooked" doc:"Open differences that nobody has looked at; with any, closing takes a reason"`
}

// DayDetailJSON is one accounting day of a utility.
type DayDetailJSON struct {
	Today    string          `json:"today"`
	Utility  string          `json:"utility" enum:"water,power,gas"`
	ClosedTo string          `json:"closed_to"`
	LastRun  string          `json:"last_run"`
	Line     DayJSON         `json:"line"`
	Sales    []LedgerSumJSON `json:"sales" nullable:"false"`
	Payments []LedgerSumJSON `json:"payments" nullable:"false"`
	Entries  []LedgerSumJSON `json:"entries" nullable:"false" doc:"By event and by where they were read; told twice counts twice"`
	Files    []ImportJSON    `json:"files" nullable:"false"`
	Runs     []RunJSON       `json:"runs" nullable:"false" doc:"All versions that end with the day, the latest first"`
	Close    DayCloseJSON    `json:"close"`
}

func ledgerSums(list []ledger.LedgerSum) []LedgerSumJSON {
	out := make([]LedgerSumJSON, len(list))
	for n, s := range list {
		out[n] = LedgerSumJSON{Channel: s.Channel, Kind: s.Kind, SumJSON: sumJSON(s.Sum)}
	}
	return out
}

type (
	daysInput struct {
		Utility string `query:"utility" enum:"water,power,gas," doc:"Only this utility"`
		From    string `query:"from" doc:"First day; 30 days before the last when absent"`
		To      string `query:"to" doc:"Last day; today when absent"`
	}
	daysOutput struct{ Body DaysJSON }
	dayInput   struct {
		Utility string `query:"utility" enum:"water,power,gas" required:"true"`
		Day     string `query:"day" required:"true" doc:"Accounting day" example:"2026-11-21"`
	}
	dayOutput     struct{ Body DayDetailJSON }
	closeDayInput struct {
		Body struct {
			Utility string `json:"utility" enum:"water,power,gas"`
			Day     string `json:"day" example:"2026-11-21"`
			Why     string `json:"why,omitempty" maxLength:"2000" doc:"Needed where differences are open that nobody has looked at"`
		}
	}
	closeDayOutput struct{ Body DayClosingJSON }
)

// registerDesk adds the operations of the desk.
func (l *ledgerRoutes) registerDesk(api huma.API, heavy huma.Middlewares) {
	deskGet(l, api, "ledger-list-days", "/api/v1/ledger/days", "Accounting days, and how far the work on each is", l.listDays)
	deskGet(l, api, "ledger-get-day", "/api/v1/ledger/day", "One accounting day: its ledgers side by side, its files and its runs", l.getDay)
	ledgerOperation(l, api, huma.Operation{
		OperationID: "ledger-close-day", Method: http.MethodPost, Path: "/api/v1/ledger/day-closings", DefaultStatus: http.StatusCreated,
		Summary:     "Close a day and all days before it, for ever",
		Description: "It takes a run that ends with the day and another person than who made it. No run does a closed day again; what arrives for it later counts on the first day of the next run.",
		Middlewares: l.withDesk(api),
	}, []Role{Approver}, l.postClosing)
	l.registerWork(api)
	l.registerRows(api, heavy)
	l.registerChecks(api, heavy)
}

// deskGet registers a question of the desk.
func deskGet[I, O any](l *ledgerRoutes, api huma.API, id, path, summary string, handler func(context.Context, *I) (*O, error)) {
	ledgerOperation(l, api, huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Middlewares: l.withDesk(api)}, nil, handler)
}

// withDesk refuses where the hub was made without a desk.
func (l *ledgerRoutes) withDesk(api huma.API) huma.Middlewares {
	return huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		if l.o.Desk == nil {
			writeProblem(api, ctx, problem(http.StatusNotFound, codeNoLedger, "This hub has no desk of reconciliation."))
			return
		}
		next(ctx)
	}}
}

const overviewDays = 31

func (l *ledgerRoutes) listDays(ctx context.Context, in *daysInput) (*daysOutput, error) {
	today := l.o.Desk.Today()
	to := today
	var bad *Problem
	if in.To != "" {
		if to, bad = dayOf("to", in.To); bad != nil {
			return nil, bad
		}
	}
	from := to - overviewDays + 1
	if in.From != "" {
		if from, bad = dayOf("from", in.From); bad != nil {
			return nil, bad
		}
	}
	if to < from || to-from > 365 {
		return nil, problem(http.StatusUnprocessableEntity, codeRange, "Want from 1 to 366 days.")
	}
	utilities := []string{"water", "power", "gas"}
	if in.Utility != "" {
		utilities = []string{in.Utility}
	}
	out := &daysOutput{Body: DaysJSON{Today: today.String(), Utilities: []UtilityDaysJSON{}}}
	for _, u := range utilities {
		o, err := l.o.Desk.Days.Days(ctx, schemas.Medium(u), from, to)
		if err != nil {
			return nil, l.problemOf(ctx, "list days", err)
		}
		j := UtilityDaysJSON{Utility: u, ClosedTo: dayOrEmpty(o.ClosedTo), LastRun: dayOrEmpty(o.LastRun), Days: []DayJSON{}}
		for n := range o.Days {
			j.Days = append(j.Days, dayJSON(&o.Days[n]))
		}
		out.Body.Utilities = append(out.Body.Utilities, j)
	}
	return out, nil
}

func (l *ledgerRoutes) getDay(ctx context.Context, in *dayInput) (*dayOutput, error) {
	day, bad := dayOf("day", in.Day)
	if bad != nil {
		return nil, bad
	}
	d, err := l.o.Desk.Days.Day(ctx, schemas.Medium(in.Utility), day)
	if err != nil {
		return nil, l.problemOf(ctx, "day", err)
	}
	j := DayDetailJSON{Today: l.o.Desk.Today().String(), Utility: in.Utility, ClosedTo: dayOrEmpty(d.Overview.ClosedTo), LastRun: dayOrEmpty(d.Overview.LastRun),
		Line: dayJSON(&d.Line), Sales: ledgerSums(d.Sales), Payments: ledgerSums(d.Payments), Entries: ledgerSums(d.Entries), Files: []ImportJSON{}, Runs: []RunJSON{}, Close: mayClose(ctx, &d)}
	for n := range d.Files {
		j.Files = append(j.Files, importJSON(&d.Files[n]))
	}
	for n := range d.Runs {
		j.Runs = append(j.Runs, runJSON(&d.Runs[n]))
	}
	return &dayOutput{Body: j}, nil
}

// mayClose says what CloseDay would say to the person who asks.
func mayClose(ctx context.Context, d *LedgerDay) DayCloseJSON {
	p, run := personOf(ctx), d.Line.Run
	c := DayCloseJSON{Unlooked: d.Unlooked}
	if run != nil {
		c.Maker = run.By
	}
	switch {
	case d.Line.Closing != nil:
		c.Why = string(ledger.AlreadyClosed)
	case run == nil:
		c.Why = string(ledger.NotReconciled)
	case run.To != d.Line.Day:
		c.Why = string(ledger.InsideRun)
	case visitOf(ctx).tour():
		c.Why = codeTour
	case !p.has(Approver):
		c.Why = codeRole
	case ledger.SamePerson(run.By, p.Name):
		c.Why = string(ledger.SameMaker)
	}
	c.May = c.Why == ""
	return c
}

func (l *ledgerRoutes) postClosing(ctx context.Context, in *closeDayInput) (*closeDayOutput, error) {
	day, bad := dayOf("day", in.Body.Day)
	if bad != nil {
		return nil, bad
	}
	done, err := l.o.Desk.Days.CloseDay(ctx, ledger.DayClosing{Utility: schemas.Medium(in.Body.Utility), Day: day, By: personOf(ctx).Name, Why: in.Body.Why})
	var not *ledger.NotClosedError
	if errors.As(err, &not) {
		p := problem(http.StatusConflict, codeStep, err.Error())
		if not.Why == ledger.SameMaker {
			p.Code = codePerson
		}
		p.Why = string(not.Why)
		return nil, p
	}
	if err != nil {
		return nil, l.problemOf(ctx, "close a day", err)
	}
	l.log.Info("accounting day closed", "utility", done.Utility, "day", done.Day, "by", done.By)
	l.tellClosing(ctx, &done)
	return &closeDayOutput{Body: closingJSON(&done)}, nil
}

// tellClosing writes into the audit log that a day was closed. It is closed whether that
// can be written or not, and the books have by whom.
func (l *ledgerRoutes) tellClosing(ctx context.Context, done *ledger.DayClosing) {
	v := visitOf(ctx)
	if v.accounts == nil {
		return
	}
	what := fmt.Sprintf("ledger/day-closings %s %s, run %d", done.Utility, done.Day, done.Run)
	if err := v.accounts.Book.Told(context.WithoutCancel(ctx), somebodyOf(ctx).access, accounts.ActCloseDay, what); err != nil {
		l.log.Error("the closing of a day is missing in the audit log; the books have it", "what", what, "error", err)
	}
}
