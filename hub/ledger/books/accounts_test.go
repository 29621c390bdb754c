package books

import (
	"context"
	"strings"
	"testing"
	"time"

	"citygrid/hub/ledger"
	"citygrid/hub/ledger/billing"
	"citygrid/schemas"
)

// TestAccountsAreTakenWhole stores a list, the same again, and a changed one.
func TestAccountsAreTakenWhole(t *testing.T) {
	engines(t, func(t *testing.T, dsn string) {
		ctx := context.Background()
		b, _ := creditBooks(t, dsn, 2, nil)
		list, err := b.Accounts(ctx, AccountFilter{Utility: schemas.Water})
		must(t, err)
		want := contractOf(0, nil)
		want.From, want.MeterNumber, want.Customer, want.Revision, want.At, want.By = cityTime("2025-06-01 00:00"), numberOf(0), "C-REG", 1, cityTime("2026-01-01 00:00"), "li"
		if len(list) != 2 || list[0] != want {
			t.Errorf("%+v, want %+v", list, want)
		}
		if n, err := b.StoreAccounts(ctx, []billing.Contract{contractOf(0, nil), contractOf(1, nil)}, "wang"); err != nil || n != 0 {
			t.Errorf("the same list changed %d, %v", n, err)
		}
		a := contractOf(1, &billing.LateFee{PerDay: 50, Cap: 10})
		a.Limit, a.Customer = 100, "C-9"
		if n, err := b.StoreAccounts(ctx, []billing.Contract{contractOf(0, nil), a}, "wang"); err != nil || n != 1 {
			t.Errorf("a changed list changed %d, %v", n, err)
		}
		list, err = b.Accounts(ctx, AccountFilter{Meter: meterOf(1)})
		if err != nil || len(list) != 1 || list[0].Limit != 100 || list[0].Customer != "C-9" || list[0].Terms.Late.PerDay != 50 || list[0].Revision != 2 || list[0].By != "wang" {
			t.Errorf("%+v, %v", list, err)
		}
		var kept int
		must(t, b.read.NewRaw("SELECT COUNT(*) FROM accounts").Scan(ctx, &kept))
		if kept != 3 {
			t.Errorf("%d rows of accounts, want what was before too", kept)
		}
		if err := b.StoreRegister(ctx, []ledger.Place{{Meter: meterOf(1), Utility: schemas.Water, Purse: schemas.CreditFen, Plan: "home", Readout: ledger.Remote,
			Installations: []ledger.Installation{{From: cityTime("2025-07-01 00:00")}}}}); err == nil {
			t.Error("the register took an installation away that has an account")
		}
	})
}

func TestAccountsAreRefusedWhole(t *testing.T) {
	ctx := context.Background()
	b, _ := creditBooks(t, "sqlite:"+t.TempDir()+"/b.db", 2, nil)
	for says, change := range map[string]func(*billing.Contract){
		"no such meter":        func(c *billing.Contract) { c.Meter = "W-9" },
		"the register water":   func(c *billing.Contract) { c.Utility = schemas.Gas },
		"no installation from": func(c *billing.Contract) { c.From = cityTime("2025-06-02 00:00") },
		"twice":                func(c *billing.Contract) { c.Meter = meterOf(0) },
		"before its installation": func(c *billing.Contract) {
			c.From, c.Begin = cityTime("2025-06-01 00:00"), cityTime("2025-05-01 00:00")
		},
		"outside its installation": func(c *billing.Contract) { c.Begin = cityTime("2025-05-01 00:00") },
		"collects its bills":       func(c *billing.Contract) { c.Channel = "" },
		"commas":                   func(c *billing.Contract) { c.Channel = "a,b" },
		"due after":                func(c *billing.Contract) { c.Terms.DueDays = -1 },
		"customer":                 func(c *billing.Contract) { c.Customer = "a b" },
	} {
		good, bad := contractOf(0, nil), contractOf(1, nil)
		good.Limit = 1
		change(&bad)
		if _, err := b.StoreAccounts(ctx, []billing.Contract{good, bad}, "li"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
		if list, err := b.Accounts(ctx, AccountFilter{Meter: meterOf(0)}); err != nil || list[0].Limit == 1 {
			t.Errorf("%s: the account before it was taken, %v", says, err)
		}
	}
	gone := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	must(t, b.StoreRegister(ctx, []ledger.Place{{Meter: meterOf(0), Utility: schemas.Water, Purse: schemas.CreditFen, Plan: "home", Readout: ledger.Remote,
		Installations: []ledger.Installation{{From: cityTime("2025-06-01 00:00"), To: gone, MeterNumber: numberOf(0)}}}}))
	if _, err := b.StoreAccounts(ctx, []billing.Contract{contractOf(0, nil)}, "li"); err == nil || !strings.Contains(err.Error(), "no meter stands there") {
		t.Errorf("nothing stands: %v", err)
	}
}
