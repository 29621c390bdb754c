package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/billing"
	"citygrid/schemas"
)

// AccountQuery picks accounts; zero fields pick all.
type AccountQuery struct {
	Utility       schemas.Medium
	Meter         schemas.MeterID
	Limit, Offset int
}

// AccountState is an account over a span of days.
type AccountState struct {
	billing.Contract
	billing.Statement
}

// AccountAdvice is what an account owes and what its limit advises.
type AccountAdvice struct {
	billing.Contract
	billing.Advice
	Open, Overdue, Unbilled schemas.Fen
	Since, Until            time.Time
	Why                     string // Unbilled is not known
}

// LedgerAccounts are the accounts that use first and pay later (先用后付).
type LedgerAccounts interface {
	// Accounts lists them by meter id and installation.
	Accounts(ctx context.Context, q AccountQuery) ([]billing.Contract, error)
	// State states the accounts of one place, ErrUnknown where it has none.
	State(ctx context.Context, meter schemas.MeterID, from, to ledger.Day) ([]AccountState, error)
	// Advise says what those in credit mode owe; the page counts prepaid ones too.
	Advise(ctx context.Context, q AccountQuery) ([]AccountAdvice, error)
}

// BillQuery picks bills; zero fields pick all.
type BillQuery struct {
	Utility       schemas.Medium
	Meter         schemas.MeterID
	Month         billing.Month
	Limit, Offset int
}

// StandingBill is a bill and how it stands today.
type StandingBill struct {
	billing.Record
	Item billing.Item
}

// BillsRequest asks for the bills of a month.
type BillsRequest struct {
	Utility schemas.Medium
	Month   billing.Month
	Meter   schemas.MeterID // empty for all
	Dry     bool            // keep nothing
	By      string
}

// BillsMade counts what a BillsRequest did, in accounts.
type BillsMade struct {
	Accounts, Made, Repeated, Missing, Refused, NotInUse int64
	Use                                                  int64
	Amount                                               schemas.Fen
	Files                                                []ledger.Import
	// LeftOut are the first LeftOutMost accounts that could not be billed.
	LeftOut []LeftOut
}

// LeftOutMost bounds BillsMade.LeftOut.
const LeftOutMost = 1000

// LeftOut is an account that could not be billed.
type LeftOut struct {
	billing.Account
	State   string
	Why     string
	Missing []time.Time
}

// LedgerBills are the bills of the books.
type LedgerBills interface {
	// Bills returns the latest first.
	Bills(ctx context.Context, q BillQuery) ([]StandingBill, error)
	// Make makes what can be made; asking again changes nothing of it.
	Make(ctx context.Context, r BillsRequest) (BillsMade, error)
}

// registerBills adds the operations of accounts and bills.
func (l *ledgerRoutes) registerBills(api huma.API, heavy huma.Middlewares) {
	ledgerGet(l, api, "ledger-list-accounts", "/api/v1/ledger/accounts", "Accounts that use first and pay later, by meter", l.listAccounts)
	ledgerGet(l, api, "ledger-get-account-statement", "/api/v1/ledger/accounts/{id}/statement", "What was billed to the accounts of a meter and what was paid, over accounting days", l.getAccountStatement)
	ledgerOperation(l, api, huma.Operation{
		OperationID: "ledger-list-advice", Method: http.MethodGet, Path: "/api/v1/ledger/advice", Middlewares: heavy,
		Summary:     "What accounts in credit mode owe now, and what their limits advise",
		Description: "The use that no bill has yet is priced up to the latest register. It is advice: nothing is switched.",
	}, nil, l.listAdvice)
	ledgerGet(l, api, "ledger-list-bills", "/api/v1/ledger/bills", "Bills, the latest first", l.listBills)
	ledgerOperation(l, api, huma.Operation{
		OperationID: "ledger-make-bills", Method: http.MethodPost, Path: "/api/v1/ledger/bills", Middlewares: heavy,
		Summary:     "Make the bills of a month for the accounts of a utility",
		Description: "Account and month are one order number: asking again gives the same bills and makes those that were left out. Accounts without a register at a boundary are left out and listed.",
	}, []Role{Reviewer}, l.postBills)
}

// AccountJSON is an account that uses first and pays later.
type AccountJSON struct {
	Meter       string       `json:"meter"`
	Installed   time.Time    `json:"installed" doc:"From when the meter stands; with meter it names the account"`
	MeterNumber string       `json:"meter_number"`
	Customer    string       `json:"customer"`
	Utility     string       `json:"utility" enum:"water,power,gas"`
	Mode        string       `json:"mode" enum:"prepaid,credit"`
	Limit       string       `json:"limit" doc:"What may be owed, yuan" example:"200.00"`
	Channel     string       `json:"channel" doc:"Who collects the bills"`
	Begin       *time.Time   `json:"begin,omitempty" doc:"From when on it is billed; absent: with the installation"`
	DueDays     int          `json:"due_days" doc:"Between a bill's day and the last day to pay it"`
	Warn        int          `json:"warn" doc:"Per cent of the limit from which on the customer is warned"`
	Stop        int          `json:"stop" doc:"Per cent of the limit above which the advice is to stop"`
	Late        *LateFeeJSON `json:"late,omitempty" doc:"Absent: no late fee"`
	Revision    int64        `json:"revision" doc:"Number of the list that changed it last"`
	At          time.Time    `json:"at"`
	By          string       `json:"by"`
}

// LateFeeJSON is a late fee.
type LateFeeJSON struct {
	FreeDays int `json:"free_days" doc:"Days after the due day that cost nothing"`
	PerDay   int `json:"per_day" doc:"In 1/100,000 of what is open, a day"`
	Cap      int `json:"cap" doc:"Most, in per cent of the bill's charge for use"`
}

// AccountJSONOf writes an account as the API does.
func AccountJSONOf(c *billing.Contract) AccountJSON {
	j := AccountJSON{Meter: string(c.Meter), Installed: c.From.UTC(), MeterNumber: c.MeterNumber, Customer: string(c.Customer), Utility: string(c.Utility),
		Mode: string(c.Mode), Limit: c.Limit.String(), Channel: c.Channel, Begin: timeOrNil(c.Begin), DueDays: c.Terms.DueDays, Warn: c.Terms.Warn,
		Stop: c.Terms.Stop, Revision: c.Revision, At: c.At.UTC(), By: c.By}
	if late := c.Terms.Late; late != nil {
		j.Late = &LateFeeJSON{FreeDays: late.FreeDays, PerDay: late.PerDay, Cap: late.Cap}
	}
	return j
}

// AccountStateJSON is the statement of an account.
type AccountStateJSON struct {
	Account AccountJSON     `json:"account"`
	From    string          `json:"from" doc:"First accounting day"`
	To      string          `json:"to" doc:"Last accounting day"`
	Opening string          `json:"opening" doc:"opening + billed - paid = closing, yuan"`
	Billed  string          `json:"billed"`
	Paid    string          `json:"paid" doc:"Less what was given back"`
	Closing string          `json:"closing" doc:"The sum of what is open"`
	Rows    []StateRowJSON  `json:"rows" nullable:"false"`
	Open    []StateItemJSON `json:"open" nullable:"false" doc:"Bills that are not settled at the end"`
}

// StateRowJSON is one line of a statement.
type StateRowJSON struct {
	Day     string `json:"day"`
	Order   string `json:"order"`
	Bill    bool   `json:"bill" doc:"False: a payment, or a refund where amount is above 0"`
	Amount  string `json:"amount" doc:"What it adds to the balance, yuan"`
	Balance string `json:"balance" doc:"After it"`
}

// StateItemJSON is how one bill stands.
type StateItemJSON struct {
	Order  string `json:"order"`
	Day    string `json:"day"`
	Due    string `json:"due"`
	Billed string `json:"billed"`
	Paid   string `json:"paid"`
	Open   string `json:"open" doc:"Below 0 where more was paid"`
	Late   int    `json:"late" doc:"Days past the due day while something is open"`
}

// AccountStateJSONOf writes a statement as the API does.
func AccountStateJSONOf(s *AccountState) AccountStateJSON {
	j := AccountStateJSON{Account: AccountJSONOf(&s.Contract), From: s.Statement.From.String(), To: s.Statement.To.String(), Opening: s.Opening.String(),
		Billed: s.Billed.String(), Paid: s.Paid.String(), Closing: s.Closing.String(), Rows: []StateRowJSON{}, Open: []StateItemJSON{}}
	for _, r := range s.Rows {
		j.Rows = append(j.Rows, StateRowJSON{Day: r.Day.String(), Order: r.Order, Bill: r.Bill, Amount: r.Amount.String(), Balance: r.Balance.String()})
	}
	for n := range s.Items {
		j.Open = append(j.Open, itemJSON(&s.Items[n]))
	}
	return j
}

func itemJSON(it *billing.Item) StateItemJSON {
	return StateItemJSON{Order: it.Order, Day: it.Day.String(), Due: it.Due.String(), Billed: it.Billed.String(), Paid: it.Paid.String(),
		Open: it.Open.String(), Late: it.Late}
}

// AdviceJSON is what an account owes and what its limit advises.
type AdviceJSON struct {
	Account  AccountJSON `json:"account"`
	Step     string      `json:"step" enum:"none,warn,limit,stop"`
	Open     string      `json:"open" doc:"Billed and not paid, yuan"`
	Overdue  string      `json:"overdue" doc:"Of it due before today"`
	Unbilled *string     `json:"unbilled" doc:"Price of the use since the last bill; null where it is not known, and owed is then at least what it says"`
	Since    time.Time   `json:"since" doc:"From when on the use is unbilled"`
	Until    *time.Time  `json:"until,omitempty" doc:"The latest register"`
	Owed     string      `json:"owed"`
	Room     string      `json:"room" doc:"What may still be used; below 0 above the limit"`
	Why      string      `json:"why,omitempty" doc:"Why unbilled is not known"`
}

// AdviceJSONOf writes an advice as the API does.
func AdviceJSONOf(a *AccountAdvice) AdviceJSON {
	j := AdviceJSON{Account: AccountJSONOf(&a.Contract), Step: string(a.Step), Open: a.Open.String(), Overdue: a.Overdue.String(), Since: a.Since.UTC(),
		Until: timeOrNil(a.Until), Owed: a.Owed.String(), Room: a.Room.String(), Why: a.Why}
	if a.Why == "" {
		unbilled := a.Unbilled.String()
		j.Unbilled = &unbilled
	}
	return j
}
