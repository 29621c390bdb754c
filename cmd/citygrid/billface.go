package main

import (
	"context"
	"errors"
	"fmt"

	"citygrid/hub/api"
	"citygrid/hub/ledger"
	"citygrid/hub/ledger/billing"
	"citygrid/hub/ledger/books"
	"citygrid/schemas"
)

// billsFace is the API's view of accounts and bills.
type billsFace struct{ *openLedger }

func filterOf(q api.AccountQuery) books.AccountFilter {
	return books.AccountFilter{Utility: q.Utility, Meter: q.Meter, Page: books.Page{Limit: int64(q.Limit), Offset: int64(q.Offset)}}
}

// Accounts lists accounts.
func (f billsFace) Accounts(ctx context.Context, q api.AccountQuery) ([]billing.Contract, error) {
	list, err := f.Books.Accounts(ctx, filterOf(q))
	return list, apiError(err)
}

// State states the accounts of a place.
func (f billsFace) State(ctx context.Context, meter schemas.MeterID, from, to ledger.Day) ([]api.AccountState, error) {
	list, err := f.StateAccounts(ctx, meter, from, to)
	out := make([]api.AccountState, len(list))
	for n := range list {
		out[n] = api.AccountState(list[n])
	}
	return out, apiError(err)
}

// Advise says what accounts owe.
func (f billsFace) Advise(ctx context.Context, q api.AccountQuery) ([]api.AccountAdvice, error) {
	list, _, err := f.Books.Advise(ctx, filterOf(q), f.registers)
	out := make([]api.AccountAdvice, len(list))
	for n := range list {
		out[n] = adviceOf(&list[n])
	}
	return out, apiError(err)
}

func adviceOf(a *books.AccountAdvice) api.AccountAdvice {
	return api.AccountAdvice{Contract: a.Contract, Advice: a.Advice, Open: a.Open, Overdue: a.Overdue, Unbilled: a.Unbilled, Since: a.Since, Until: a.Until, Why: a.Why}
}

// Bills lists bills.
func (f billsFace) Bills(ctx context.Context, q api.BillQuery) ([]api.StandingBill, error) {
	list, err := f.Books.Bills(ctx, books.BillFilter{Utility: q.Utility, Meter: q.Meter, Month: q.Month, Page: books.Page{Limit: int64(q.Limit), Offset: int64(q.Offset)}})
	out := make([]api.StandingBill, len(list))
	for n := range list {
		out[n] = api.StandingBill(list[n])
	}
	return out, apiError(err)
}

// Make makes the bills of a month.
func (f billsFace) Make(ctx context.Context, r api.BillsRequest) (api.BillsMade, error) {
	made, err := f.makeBills(ctx, r, func(*books.BillOutcome) error { return nil }, nil)
	if errors.Is(err, books.ErrMonthOpen) || err != nil && f.registers == nil {
		err = fmt.Errorf("%w: %w", api.ErrRefused, err)
	}
	return made, apiError(err)
}

// makeBills makes bills and gathers what was left out; each is told of every account.
func (l *openLedger) makeBills(ctx context.Context, r api.BillsRequest, each func(*books.BillOutcome) error, progress func(books.Progress)) (api.BillsMade, error) {
	var left []api.LeftOut
	q := books.Billing{Utility: r.Utility, Month: r.Month, Meter: r.Meter, By: r.By, Dry: r.Dry}
	s, err := l.MakeBills(ctx, q, l.registers, func(o *books.BillOutcome) error {
		if (o.State == books.BillMissing || o.State == books.BillRefused) && len(left) < api.LeftOutMost {
			left = append(left, api.LeftOut{Account: o.Account, State: string(o.State), Why: o.Why, Missing: o.Missing})
		}
		return each(o)
	}, progress)
	return api.BillsMade{Accounts: s.Accounts, Made: s.Made, Repeated: s.Repeated, Missing: s.Missing, Refused: s.Refused, NotInUse: s.NotInUse,
		Use: s.Use, Amount: s.Amount, Files: s.Files, LeftOut: left}, err
}
