package api

import (
	"context"
	"net/http"
	"time"

	"citygrid/hub/ledger/billing"
	"citygrid/schemas"
)

// BillJSON is a bill.
type BillJSON struct {
	ID        int64              `json:"id"`
	Meter     string             `json:"meter"`
	Installed time.Time          `json:"installed"`
	Customer  string             `json:"customer"`
	Utility   string             `json:"utility" enum:"water,power,gas"`
	Month     string             `json:"month" example:"2026-10"`
	Channel   string             `json:"channel"`
	Order     string             `json:"order"`
	Begin     time.Time          `json:"begin"`
	End       time.Time          `json:"end"`
	Registers []BillRegisterJSON `json:"registers" nullable:"false" doc:"At the boundaries, the first and the last of the period among them"`
	Quantity  string             `json:"quantity" doc:"The register that was billed"`
	Plan      string             `json:"plan" doc:"Tariff plan with its digest"`
	Lines     []BillLineJSON     `json:"lines" nullable:"false"`
	Use       int64              `json:"use" doc:"Litres or watt-hours"`
	Position  int64              `json:"position" doc:"Use since the last step reset, at the end"`
	Total     string             `json:"total" doc:"Charge for use, yuan"`
	Fees      []BillFeeJSON      `json:"fees" nullable:"false" doc:"Late fees of earlier bills"`
	Amount    string             `json:"amount"`
	At        time.Time          `json:"at"`
	By        string             `json:"by"`
	Import    int64              `json:"import" doc:"The file of sales in which it stands; 0 where nothing is owed"`
	SM3       string             `json:"sm3"`
	Standing  StateItemJSON      `json:"standing" doc:"How it stands today"`
}

// BillRegisterJSON is a register at a boundary.
type BillRegisterJSON struct {
	At     time.Time `json:"at" doc:"The boundary"`
	Taken  time.Time `json:"taken" doc:"When the reading that stands for it was taken"`
	Total  int64     `json:"total" doc:"Litres or watt-hours; the sum of by_rate where it is given"`
	ByRate []int64   `json:"by_rate,omitempty" nullable:"false"`
}

// BillLineJSON is a line of a bill.
type BillLineJSON struct {
	PricesFrom string `json:"prices_from" doc:"The price set"`
	Rate       int    `json:"rate" doc:"From 1; 0 for what a step adds to all rates"`
	Step       int    `json:"step" doc:"From 1"`
	Use        int64  `json:"use"`
	Price      int64  `json:"price" doc:"In 0.0001 yuan for a m3 or kWh"`
	Amount     string `json:"amount"`
}

// BillFeeJSON is a late fee of an earlier bill.
type BillFeeJSON struct {
	Order  string `json:"order"`
	Amount string `json:"amount"`
}

// BillJSONOf writes a bill as the API does.
func BillJSONOf(b *StandingBill) BillJSON {
	j := BillJSON{ID: b.ID, Meter: string(b.Meter), Installed: b.From.UTC(), Customer: string(b.Customer), Utility: string(b.Utility), Month: b.Month.String(),
		Channel: b.Channel, Order: b.Order, Begin: b.Begin().UTC(), End: b.End().UTC(), Registers: []BillRegisterJSON{}, Quantity: string(b.Quantity),
		Plan: b.Plan, Lines: []BillLineJSON{}, Use: b.Use, Position: b.Position, Total: b.Total.String(), Fees: []BillFeeJSON{}, Amount: b.Amount.String(),
		At: b.At.UTC(), By: b.By, Import: b.Import, SM3: b.Digest.String(), Standing: itemJSON(&b.Item)}
	for _, r := range b.Registers {
		j.Registers = append(j.Registers, BillRegisterJSON{At: r.At.UTC(), Taken: r.Taken.UTC(), Total: r.Total, ByRate: r.ByRate})
	}
	for _, p := range b.Parts {
		for _, l := range p.Lines {
			j.Lines = append(j.Lines, BillLineJSON{PricesFrom: p.Version.String(), Rate: l.Rate, Step: l.Step, Use: l.Use, Price: int64(l.Price), Amount: l.Fen.String()})
		}
	}
	for _, f := range b.Fees {
		j.Fees = append(j.Fees, BillFeeJSON{Order: f.Order, Amount: f.Amount.String()})
	}
	return j
}

// BillsMadeJSON counts the bills of a month, in accounts.
type BillsMadeJSON struct {
	Utility  string        `json:"utility" enum:"water,power,gas"`
	Month    string        `json:"month"`
	DryRun   bool          `json:"dry_run" doc:"True: nothing was kept"`
	Accounts int64         `json:"accounts"`
	Made     int64         `json:"made"`
	Repeated int64         `json:"repeated" doc:"They were in the books already"`
	Missing  int64         `json:"missing" doc:"A register is missing at a boundary"`
	Refused  int64         `json:"refused" doc:"They cannot be billed as they are"`
	NotInUse int64         `json:"not_in_use" doc:"Prepaid, or not in use in the month"`
	Use      int64         `json:"use" doc:"Of the bills that were made, litres or watt-hours"`
	Amount   string        `json:"amount" doc:"Of the bills that were made, yuan"`
	Files    []ImportJSON  `json:"files" nullable:"false" doc:"Files of sales for the channels that collect"`
	LeftOut  []LeftOutJSON `json:"left_out" nullable:"false" doc:"The first thousand that are missing or refused"`
}

// LeftOutJSON is an account that could not be billed.
type LeftOutJSON struct {
	Meter     string      `json:"meter"`
	Installed time.Time   `json:"installed"`
	Customer  string      `json:"customer"`
	State     string      `json:"state" enum:"missing,refused"`
	Why       string      `json:"why"`
	Missing   []time.Time `json:"missing" nullable:"false" doc:"Moments without a register"`
}

// BillsMadeJSONOf writes what was made as the API does.
func BillsMadeJSONOf(r *BillsRequest, m *BillsMade) BillsMadeJSON {
	j := BillsMadeJSON{Utility: string(r.Utility), Month: r.Month.String(), DryRun: r.Dry, Accounts: m.Accounts, Made: m.Made, Repeated: m.Repeated,
		Missing: m.Missing, Refused: m.Refused, NotInUse: m.NotInUse, Use: m.Use, Amount: m.Amount.String(), Files: []ImportJSON{}, LeftOut: []LeftOutJSON{}}
	for n := range m.Files {
		j.Files = append(j.Files, importJSON(&m.Files[n]))
	}
	for _, o := range m.LeftOut {
		left := LeftOutJSON{Meter: string(o.Meter), Installed: o.From.UTC(), Customer: string(o.Customer), State: o.State, Why: o.Why, Missing: []time.Time{}}
		for _, t := range o.Missing {
			left.Missing = append(left.Missing, t.UTC())
		}
		j.LeftOut = append(j.LeftOut, left)
	}
	return j
}

type (
	accountsInput struct {
		Utility string `query:"utility" enum:"water,power,gas," doc:"Only accounts of this utility"`
		Meter   string `query:"meter" maxLength:"32" doc:"Only the accounts of this meter"`
		Paging
	}
	accountsOutput struct{ Body []AccountJSON }
	adviceOutput   struct{ Body []AdviceJSON }
	stateInput     struct {
		MeterPath
		From string `query:"from" required:"true" doc:"First accounting day" example:"2026-10-01"`
		To   string `query:"to" required:"true" doc:"Last accounting day"`
	}
	stateOutput struct{ Body []AccountStateJSON }
	billsInput  struct {
		Utility string `query:"utility" enum:"water,power,gas," doc:"Only bills of this utility"`
		Meter   string `query:"meter" maxLength:"32" doc:"Only bills of this meter"`
		Month   string `query:"month" maxLength:"7" doc:"Only bills of this month" example:"2026-10"`
		Paging
	}
	billsOutput    struct{ Body []BillJSON }
	makeBillsInput struct {
		Body struct {
			Utility string `json:"utility" enum:"water,power,gas"`
			Month   string `json:"month" doc:"A month that is over" example:"2026-10"`
			Meter   string `json:"meter,omitempty" maxLength:"32" doc:"Only the accounts of this meter"`
			DryRun  bool   `json:"dry_run,omitempty" doc:"Make them and keep nothing"`
		}
	}
	makeBillsOutput struct{ Body BillsMadeJSON }
)

func (in *accountsInput) query() AccountQuery {
	return AccountQuery{Utility: schemas.Medium(in.Utility), Meter: schemas.MeterID(in.Meter), Limit: in.Limit, Offset: in.Offset}
}

func (l *ledgerRoutes) listAccounts(ctx context.Context, in *accountsInput) (*accountsOutput, error) {
	list, err := l.o.Accounts.Accounts(ctx, in.query())
	if err != nil {
		return nil, l.problemOf(ctx, "list accounts", err)
	}
	out := &accountsOutput{Body: []AccountJSON{}}
	for n := range list {
		out.Body = append(out.Body, AccountJSONOf(&list[n]))
	}
	return out, nil
}

func (l *ledgerRoutes) listAdvice(ctx context.Context, in *accountsInput) (*adviceOutput, error) {
	list, err := l.o.Accounts.Advise(ctx, in.query())
	if err != nil {
		return nil, l.problemOf(ctx, "advice", err)
	}
	out := &adviceOutput{Body: []AdviceJSON{}}
	for n := range list {
		out.Body = append(out.Body, AdviceJSONOf(&list[n]))
	}
	return out, nil
}

func (l *ledgerRoutes) getAccountStatement(ctx context.Context, in *stateInput) (*stateOutput, error) {
	from, bad := dayOf("from", in.From)
	if bad != nil {
		return nil, bad
	}
	to, bad := dayOf("to", in.To)
	if bad != nil {
		return nil, bad
	}
	if to < from {
		return nil, problem(http.StatusUnprocessableEntity, codeRange, "The span ends before it begins.")
	}
	list, err := l.o.Accounts.State(ctx, schemas.MeterID(in.ID), from, to)
	if err != nil {
		return nil, l.problemOf(ctx, "statement of "+in.ID, err)
	}
	out := &stateOutput{Body: []AccountStateJSON{}}
	for n := range list {
		out.Body = append(out.Body, AccountStateJSONOf(&list[n]))
	}
	return out, nil
}

func (l *ledgerRoutes) listBills(ctx context.Context, in *billsInput) (*billsOutput, error) {
	q := BillQuery{Utility: schemas.Medium(in.Utility), Meter: schemas.MeterID(in.Meter), Limit: in.Limit, Offset: in.Offset}
	if in.Month != "" {
		var bad *Problem
		if q.Month, bad = monthOf(in.Month); bad != nil {
			return nil, bad
		}
	}
	list, err := l.o.Bills.Bills(ctx, q)
	if err != nil {
		return nil, l.problemOf(ctx, "list bills", err)
	}
	out := &billsOutput{Body: []BillJSON{}}
	for n := range list {
		out.Body = append(out.Body, BillJSONOf(&list[n]))
	}
	return out, nil
}

func (l *ledgerRoutes) postBills(ctx context.Context, in *makeBillsInput) (*makeBillsOutput, error) {
	month, bad := monthOf(in.Body.Month)
	if bad != nil {
		return nil, bad
	}
	r := BillsRequest{Utility: schemas.Medium(in.Body.Utility), Month: month, Meter: schemas.MeterID(in.Body.Meter), Dry: in.Body.DryRun, By: personOf(ctx).Name}
	made, err := l.o.Bills.Make(ctx, r)
	if err != nil {
		p := l.problemOf(ctx, "make bills", err)
		if p.Code == codeLedger {
			p.Detail = "The making of bills was broken off. Bills that were made stay; ask again, which makes the others, and look at the hub's log."
		}
		return nil, p
	}
	return &makeBillsOutput{Body: BillsMadeJSONOf(&r, &made)}, nil
}

// monthOf reads a month of a request.
func monthOf(text string) (billing.Month, *Problem) {
	m, err := billing.ParseMonth(text)
	if err != nil {
		return 0, problem(http.StatusUnprocessableEntity, codeInvalid, "month: "+err.Error()+".")
	}
	return m, nil
}
