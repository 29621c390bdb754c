package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/billing"
	"citygrid/hub/ledger/tariff"
	"citygrid/schemas"
)

// memoryBills are an account with one bill.
type memoryBills struct {
	query AccountQuery
	bills BillQuery
	asked []BillsRequest
	err   error
}

func (m *memoryBills) contract() billing.Contract {
	return billing.Contract{Account: billing.Account{Meter: "W-1", From: epoch, Utility: schemas.Water, Mode: billing.Credit, Limit: 20_000, Channel: "bank"},
		Terms: billing.Terms{DueDays: 15, Warn: 80, Stop: 120, Late: &billing.LateFee{PerDay: 50, Cap: 10}}}
}

func (m *memoryBills) Accounts(_ context.Context, q AccountQuery) ([]billing.Contract, error) {
	m.query = q
	return []billing.Contract{m.contract()}, m.err
}

func (m *memoryBills) State(_ context.Context, meter schemas.MeterID, from, to ledger.Day) ([]AccountState, error) {
	if meter != "W-1" {
		return nil, fmt.Errorf("account of %s: %w", meter, ErrUnknown)
	}
	s, err := billing.State([]billing.Bill{{Order: "b", Day: from, Due: from + 5, Amount: 1234}}, []ledger.Payment{{Order: "b", Day: to, Amount: 1000}}, from, to)
	return []AccountState{{Contract: m.contract(), Statement: s}}, err
}

func (m *memoryBills) Advise(context.Context, AccountQuery) ([]AccountAdvice, error) {
	a := AccountAdvice{Contract: m.contract(), Advice: billing.Advice{Step: billing.Warn, Owed: 17_000, Limit: 20_000, Room: 3_000}, Open: 16_000, Unbilled: 1_000, Since: epoch, Until: epoch}
	b := a
	b.Unbilled, b.Until, b.Why = 0, time.Time{}, "no register"
	return []AccountAdvice{a, b}, nil
}

func (m *memoryBills) Bills(_ context.Context, q BillQuery) ([]StandingBill, error) {
	m.bills = q
	r := billing.Record{ID: 1, Month: 24321, Registers: []billing.Register{{Reading: billing.Reading{At: epoch}}, {Reading: billing.Reading{At: epoch.Add(time.Hour), Total: 5}}}}
	r.Account, r.Order, r.Amount, r.Total = m.contract().Account, "b", 1234, 1230
	r.Parts = []billing.Part{{Bill: tariff.Bill{Version: 20_000, Lines: []tariff.Line{{Rate: 1, Step: 1, Use: 5, Price: 20_700, Fen: 1}}}}}
	r.Fees = []billing.Fee{{Order: "a", Amount: 4}}
	return []StandingBill{{Record: r, Item: billing.Item{Order: "b", Open: 234, Paid: 1000, Billed: 1234}}}, nil
}

func (m *memoryBills) Make(_ context.Context, r BillsRequest) (BillsMade, error) {
	m.asked = append(m.asked, r)
	return BillsMade{Accounts: 2, Made: 1, Missing: 1, Amount: 1234, LeftOut: []LeftOut{{Account: m.contract().Account, State: "missing", Why: "no register", Missing: []time.Time{epoch}}}}, m.err
}

func billsHandler(t *testing.T) (http.Handler, *memoryBills) {
	t.Helper()
	m := &memoryBills{}
	return newHandler(t, func(o *Options) { o.Ledger = &Ledger{Auth: people(t), Accounts: m, Bills: m} }), m
}

// TestBillRoles: everybody who is known reads, only the reviewer makes bills.
func TestBillRoles(t *testing.T) {
	const all, body = "zhang li wang chen", `{"utility":"water","month":"2026-10"}`
	for _, tt := range []struct{ method, target, body, may string }{
		{"GET", "/accounts", "", all}, {"GET", "/accounts/W-1/statement?from=2026-10-01&to=2026-10-31", "", all},
		{"GET", "/advice", "", all}, {"GET", "/bills", "", all}, {"POST", "/bills", body, "li chen"},
	} {
		for _, person := range []string{"", "nobody", "zhang", "li", "wang", "chen"} {
			h, m := billsHandler(t)
			want := 200
			switch {
			case person == "" || person == "nobody":
				want = 401
			case !strings.Contains(tt.may, person):
				want = 403
			}
			w := as(h, person, tt.method, "/api/v1/ledger"+tt.target, tt.body)
			if w.Code != want || (want != 200 && len(m.asked) > 0) {
				t.Errorf("%s %s as %q: %d %s, want %d", tt.method, tt.target, person, w.Code, w.Body, want)
			}
		}
	}
}

func TestBillsByAPI(t *testing.T) {
	h, m := billsHandler(t)
	ask := func(method, target, body string, into any) {
		t.Helper()
		w := as(h, "li", method, "/api/v1/ledger"+target, body)
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil || w.Code != 200 {
			t.Fatalf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	var accounts []AccountJSON
	ask("GET", "/accounts?utility=water&meter=W-1&limit=7&offset=2", "", &accounts)
	if m.query != (AccountQuery{schemas.Water, "W-1", 7, 2}) || accounts[0].Limit != "200.00" || accounts[0].Late.Cap != 10 || accounts[0].Begin != nil {
		t.Errorf("%+v %+v", m.query, accounts)
	}
	var states []AccountStateJSON
	ask("GET", "/accounts/W-1/statement?from=2026-10-01&to=2026-10-31", "", &states)
	if s := states[0]; s.Billed != "12.34" || s.Closing != "2.34" || len(s.Rows) != 2 || s.Rows[1].Amount != "-10.00" || s.Open[0].Late != 25 {
		t.Errorf("%+v", s)
	}
	var advice []AdviceJSON
	ask("GET", "/advice", "", &advice)
	if advice[0].Step != "warn" || *advice[0].Unbilled != "10.00" || advice[1].Unbilled != nil || advice[1].Until != nil {
		t.Errorf("%+v", advice)
	}
	var bills []BillJSON
	ask("GET", "/bills?month=2026-10&meter=W-1", "", &bills)
	if b := bills[0]; m.bills.Month.String() != "2026-10" || b.Amount != "12.34" || b.Lines[0].Price != 20_700 || b.Fees[0].Amount != "0.04" || b.Standing.Open != "2.34" || b.Registers[1].Total != 5 {
		t.Errorf("%+v %+v", m.bills, b)
	}
	var made BillsMadeJSON
	ask("POST", "/bills", `{"utility":"water","month":"2026-10","dry_run":true,"meter":"W-1"}`, &made)
	if r := m.asked[0]; !r.Dry || r.By != "li" || r.Meter != "W-1" || r.Month.String() != "2026-10" || !made.DryRun || made.LeftOut[0].Missing[0] != epoch {
		t.Errorf("%+v %+v", r, made)
	}
	for target, status := range map[string]int{"/accounts/W-2/statement?from=2026-10-01&to=2026-10-31": 404, "/accounts/W-1/statement?from=2026-10-02&to=2026-10-01": 422,
		"/accounts/W-1/statement?from=x&to=2026-10-01": 422, "/bills?month=x": 422, "/accounts?colour=red": 422} {
		if w := as(h, "li", "GET", "/api/v1/ledger"+target, ""); w.Code != status {
			t.Errorf("%s: %d %s", target, w.Code, w.Body)
		}
	}
	for _, body := range []string{`{"utility":"steam","month":"2026-10"}`, `{"utility":"water","month":"October"}`, `{"utility":"water"}`} {
		if w := as(h, "li", "POST", "/api/v1/ledger/bills", body); w.Code != 422 {
			t.Errorf("%s: %d", body, w.Code)
		}
	}
	m.err = fmt.Errorf("%w: the month is not over", ErrRefused)
	if w := as(h, "li", "POST", "/api/v1/ledger/bills", `{"utility":"water","month":"2026-10"}`); w.Code != 422 || !strings.Contains(w.Body.String(), "not over") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	m.err = errors.New("secret of the database")
	if w := as(h, "li", "POST", "/api/v1/ledger/bills", `{"utility":"water","month":"2026-10"}`); w.Code != 503 || !strings.Contains(w.Body.String(), "made stay") || strings.Contains(w.Body.String(), "secret") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
