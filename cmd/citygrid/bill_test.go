package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citygrid/hub/api"
	"citygrid/hub/config"
	"citygrid/hub/ledger"
	"citygrid/hub/ledger/billing"
	"citygrid/hub/ledger/books"
	"citygrid/hub/ledger/reconcile"
	"citygrid/hub/store"
	"citygrid/internal/influxd"
	"citygrid/internal/influxd/influxtest"
	"citygrid/schemas"
)

const accountsYAML = `terms: {due_days: 20}
accounts:
  - {meter: W-1, from: 2026-01-01, utility: water, mode: credit, limit: "200.00", channel: bank-collect, begin: 2026-10-01, customer: C-1}
  - meter: W-2
    utility: water
    mode: credit
    limit: "50"
    channel: bank-collect
    terms: {warn: 70, late: {free_days: 2, per_day: 50, cap: 10}}
  - {meter: W-3, utility: water, mode: prepaid}
`

const accountsCSV = `meter,from,customer,utility,mode,limit,channel,begin,due_days,warn,stop,late_free_days,late_per_day,late_cap
W-1,2026-01-01,C-1,water,credit,200.00,bank-collect,2026-10-01,20,,,,,
W-2,,,water,credit,50,bank-collect,,20,70,,2,50,10
W-3,,,water,prepaid,,,,20,,,,,
`

// TestAccountLists: both forms say the same, and mistakes are named with their place.
func TestAccountLists(t *testing.T) {
	zone := time.FixedZone("CST", 8*3600)
	a, err := parseAccountsYAML([]byte(accountsYAML), zone)
	if err != nil {
		t.Fatal(err)
	}
	b, err := parseAccountsCSV([]byte("\ufeff"+accountsCSV), zone)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintf("%+v %+v", a, *a[1].Terms.Late) != fmt.Sprintf("%+v %+v", b, *b[1].Terms.Late) && !equalAccounts(a, b) {
		t.Errorf("YAML %+v\nCSV %+v", a, b)
	}
	if c := a[0]; c.Limit != 20_000 || c.Terms.DueDays != 20 || c.Terms.Stop != 120 || c.From != time.Date(2025, 12, 31, 16, 0, 0, 0, time.UTC) || c.Begin.IsZero() || a[1].Terms.Warn != 70 {
		t.Errorf("%+v", a)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"unknown key": {"limit: \"50\"", "limt: \"50\"", "limt"}, "limit": {`"50"`, `"5o"`, `account 2 ("W-2"): limit`}, "no limit": {`    limit: "50"` + "\n", "", "limit"},
		"utility": {"W-2\n    utility: water", "W-2\n    utility: heat", "utility \"heat\""}, "mode": {"prepaid", "free", "mode"}, "from": {"2026-01-01", "january", "from"},
		"channel": {"    channel: bank-collect\n", "", "collects its bills"}, "terms": {"cap: 10", "cap: 1000", "cap"}, "none": {accountsYAML, "accounts: []\n", "no accounts"},
	} {
		text := strings.Replace(accountsYAML, c.old, c.new, 1)
		if _, err := parseAccountsYAML([]byte(text), zone); text == accountsYAML || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"columns": {"meter,from", "from,meter", "line 1"}, "fields": {",2,50,10", ",2,50", "line 3"}, "number": {",70,", ",7o,", "line 3: warn"},
		"limit": {"200.00", "200.001", "line 2: limit"}, "none": {accountsCSV[strings.Index(accountsCSV, "W-1"):], "", "no accounts"},
	} {
		text := strings.Replace(accountsCSV, c.old, c.new, 1)
		if _, err := parseAccountsCSV([]byte(text), zone); text == accountsCSV || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := readAccounts(filepath.Join(t.TempDir(), "a.xlsx"), zone); err == nil {
		t.Error("a missing file was read")
	}
}

// equalAccounts compares what lists say, the late fee by value.
func equalAccounts(a, b []billing.Contract) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

func FuzzAccounts(f *testing.F) {
	f.Add(accountsYAML)
	f.Add(accountsCSV)
	f.Fuzz(func(t *testing.T, text string) {
		for _, parse := range []func([]byte, *time.Location) ([]billing.Contract, error){parseAccountsYAML, parseAccountsCSV} {
			list, err := parse([]byte(text), time.UTC)
			if err == nil && len(list) == 0 {
				t.Error("an empty list was taken")
			}
			for n := range list {
				if err := list[n].Validate(); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

// ranBill runs citygrid bill and returns what it printed.
func ranBill(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := newBill()
	var out, errs bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	cmd.SetArgs(args)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func mustRunBill(t *testing.T, args ...string) string {
	t.Helper()
	out, err := ranBill(t, args...)
	if err != nil {
		t.Fatalf("citygrid bill %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// billFolder writes the configuration of a hub with the given InfluxDB, a register
// of two meters, and their accounts, which are billed from month on.
func billFolder(t *testing.T, influx string, month billing.Month, zone *time.Location) string {
	t.Helper()
	dir := t.TempDir()
	from := (month - 1).Start(zone).In(zone).Format(time.DateOnly)
	for name, text := range map[string]string{
		"tariffs.yaml": smallTariff,
		"register.csv": fmt.Sprintf("meter,utility,purse,plan,readout,meter_number,customer,from,to\nW-1,water,fen,home,remote,000000000001,C-1,%s,\nW-2,water,fen,home,remote,000000000002,C-2,%s,\n", from, from),
		"accounts.yaml": fmt.Sprintf(`accounts:
- {meter: W-1, utility: water, mode: credit, limit: "30.00", channel: bank-collect, begin: %s}
- {meter: W-2, utility: water, mode: credit, limit: "200.00", channel: bank-collect, begin: %s}
`, month.Start(zone).In(zone).Format(time.DateOnly), month.Start(zone).In(zone).Format(time.DateOnly)),
		"hub.yaml": fmt.Sprintf(`data_dir: data
listen: 127.0.0.1:0
master: m
passphrase: env:P
enrolment: e
broker: {url: "tcp://127.0.0.1:1", user: hub, password: env:Q}
influx: {url: "%s"}
ledger:
  dsn: sqlite:books.db
  tariffs: [tariffs.yaml]
  people:
  - {name: zhang, roles: [clerk], token: "sha256:%x"}
  - {name: li, roles: [reviewer], token: "sha256:%x"}
`, influx, sha256.Sum256([]byte("tz")), sha256.Sum256([]byte("tl")))} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestBillsFromInflux goes the whole way with the real InfluxDB: accounts, a dry run,
// bills, again, list, statement, what is due.
func TestBillsFromInflux(t *testing.T) {
	server := influxtest.Start(t, influxd.Options{})
	ctx := t.Context()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Second)
	month := billing.MonthOf(now, zone) - 2
	series, err := store.Open(store.Config{URL: server.URL(), Bucket: config.DefaultBucket})
	if err != nil {
		t.Fatal(err)
	}
	defer series.Close()
	var all []schemas.Reading
	reading := func(meter schemas.MeterID, at time.Time, litres int64) {
		all = append(all, schemas.Reading{Meter: meter, Quantity: "water.volume.forward", Unit: "m3", TakenAt: at, Value: schemas.Decimal{Mantissa: litres, Exponent: -3}})
	}
	for n := range billing.Month(3) {
		start := (month + n).Start(zone)
		reading("W-1", start.Add(2*time.Minute), 1_000+int64(n)*10_000)
		reading("W-1", start.Add(-9*time.Minute), 1)
		if n != 1 {
			reading("W-2", start, 5_000)
		}
	}
	reading("W-1", now.Add(-10*time.Second), 22_500)
	if err := series.Write(ctx, all); err != nil {
		t.Fatal(err)
	}

	dir := billFolder(t, server.URL(), month, zone)
	file := func(name string) string { return filepath.Join(dir, name) }
	on := func(as string, args ...string) []string { return append(args, "-c", file("hub.yaml"), "--as", as) }
	imports := newImport()
	imports.SetArgs([]string{"-c", file("hub.yaml"), "--as", "zhang", "--register", file("register.csv"), "--tariffs", file("tariffs.yaml")})
	imports.SetOut(new(bytes.Buffer))
	if err := imports.ExecuteContext(ctx); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{on("zhang", "accounts", "import", file("accounts.yaml")), on("zhang", "make", "--utility", "water", "--month", month.String())} {
		if out, err := ranBill(t, args...); err == nil || !strings.Contains(err.Error(), "reviewer") {
			t.Errorf("a clerk: %v %s", err, out)
		}
	}
	if out := mustRunBill(t, on("li", "accounts", "import", file("accounts.yaml"), "--check")...); !strings.Contains(out, "nothing was stored") {
		t.Errorf("check: %s", out)
	}
	if out := mustRunBill(t, on("li", "accounts", "import", file("accounts.yaml"))...); !strings.Contains(out, "2 accounts, 2 new or changed") {
		t.Errorf("import: %s", out)
	}
	if out := mustRunBill(t, "accounts", "list", "-c", file("hub.yaml")); !strings.Contains(out, "30.00") || strings.Count(out, "\n") != 3 {
		t.Errorf("list: %s", out)
	}
	making := on("li", "make", "--utility", "water", "--month", month.String())
	out := mustRunBill(t, append(making, "--dry-run")...)
	if !strings.Contains(out, "nothing was kept") || !strings.Contains(out, "1 billed for 10.000 m³, 20.70 yuan") {
		t.Errorf("dry run: %s", out)
	}
	if out := mustRunBill(t, "list", "-c", file("hub.yaml")); strings.Count(out, "\n") != 1 {
		t.Errorf("after a dry run: %s", out)
	}
	out = mustRunBill(t, making...)
	missing := (month + 1).Start(zone).In(zone).Format(time.DateTime)
	if !strings.Contains(out, "no register within 15m0s of "+missing) || !strings.Contains(out, "B"+strings.ReplaceAll(month.String(), "-", "")+"-W-1-") || !strings.Contains(out, "1 bills, 20.70 yuan") {
		t.Errorf("make: %s", out)
	}
	var made api.BillsMadeJSON
	if err := json.Unmarshal([]byte(mustRunBill(t, append(making, "--json")...)), &made); err != nil || made.Repeated != 1 || made.Made != 0 || len(made.LeftOut) != 1 || made.LeftOut[0].Meter != "W-2" {
		t.Errorf("again: %+v, %v", made, err)
	}
	var bills []api.BillJSON
	if err := json.Unmarshal([]byte(mustRunBill(t, "list", "-c", file("hub.yaml"), "--json", "--month", month.String())), &bills); err != nil || len(bills) != 1 || bills[0].Registers[0].Total != 1_000 {
		t.Errorf("bills %+v, %v", bills, err)
	}
	today := time.Now().In(zone).Format(time.DateOnly)
	if out := mustRunBill(t, "state", "-c", file("hub.yaml"), "--meter", "W-1", "--from", today, "--to", today); !strings.Contains(out, "opening 0.00 + billed 20.70 - paid 0.00 = closing 20.70") {
		t.Errorf("state: %s", out)
	}
	out = mustRunBill(t, "due", "-c", file("hub.yaml"))
	if !strings.Contains(out, "stop") || !strings.Contains(out, "44.51") || !strings.Contains(out, "W-2") || !strings.Contains(out, "unknown") {
		t.Errorf("due: %s", out) // 21.5 m3 at 2.07: 20.70 billed and 23.81 not
	}
}

// TestBillsOverTheAPI: the hub's face makes bills for the reviewer only, and says
// what cannot be.
func TestBillsOverTheAPI(t *testing.T) {
	hub, h := ledgerHub(t)
	zone := hub.books.rules.Calendar.Zone
	places, err := parseRegister(strings.NewReader(smallRegister), zone)
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.books.StoreRegister(t.Context(), places); err != nil {
		t.Fatal(err)
	}
	list, err := parseAccountsYAML([]byte(`accounts: [{meter: W-2, utility: water, mode: credit, limit: "10", channel: bank}]`), zone)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hub.books.StoreAccounts(t.Context(), list, "li"); err != nil {
		t.Fatal(err)
	}
	var accounts []api.AccountJSON
	call(t, h, "tz", "GET", "/accounts", "", 200, &accounts)
	if len(accounts) != 1 || accounts[0].Meter != "W-2" || accounts[0].MeterNumber != "000000000002" {
		t.Errorf("%+v", accounts)
	}
	const body = `{"utility":"water","month":"2020-01"}`
	var p api.Problem
	call(t, h, "tz", "POST", "/bills", body, 403, nil)
	call(t, h, "tl", "POST", "/bills", body, 422, &p)
	if !strings.Contains(p.Detail, "readings") {
		t.Errorf("without readings: %+v", p)
	}
	readings := &fixedRegisters{}
	hub.books.registers = readings
	var made api.BillsMadeJSON
	call(t, h, "tl", "POST", "/bills", body, 200, &made)
	if made.Accounts != 1 || made.NotInUse != 1 {
		t.Errorf("%+v", made)
	}
	call(t, h, "tl", "POST", "/bills", `{"utility":"water","month":"9999-01"}`, 422, &p)
	if !strings.Contains(p.Detail, "not over") {
		t.Errorf("a month to come: %+v", p)
	}
	var states []api.AccountStateJSON
	call(t, h, "tz", "GET", "/accounts/W-2/statement?from=2026-01-01&to=2026-12-31", "", 200, &states)
	if len(states) != 1 || states[0].Closing != "0.00" {
		t.Errorf("%+v", states)
	}
	call(t, h, "tz", "GET", "/accounts/W-1/statement?from=2026-01-01&to=2026-12-31", "", 404, nil)
	var bills []api.BillJSON
	call(t, h, "tz", "GET", "/bills", "", 200, &bills)
}

// TestBillFile: what a channel is sent is what the books hold.
func TestBillFile(t *testing.T) {
	dir := t.TempDir()
	dsn := "sqlite:" + filepath.Join(dir, "books.db")
	raw := []byte("#citygrid,1,sales,water,bank,2026-11-01,900001\n")
	b, err := books.Open(t.Context(), dsn, books.Options{Rules: reconcile.DefaultRules(ledger.Calendar{Zone: time.UTC})})
	must(t, err)
	done, err := b.StoreFile(t.Context(), &ledger.File{FileID: ledger.FileID{Content: ledger.SalesFile, Utility: schemas.Water, Channel: "bank", Day: 20_000, Number: 900_001},
		Name: "bills", Mapping: "citygrid 1", Raw: raw, Digest: ledger.DigestOf(raw), At: time.Now(), By: "zhang"})
	must(t, errors.Join(err, b.Close()))
	id, to := fmt.Sprint(done.ID), filepath.Join(dir, "bank.csv")
	if out := mustRunBill(t, "file", id, "--ledger", dsn); out != string(raw) {
		t.Errorf("given out %q", out)
	}
	mustRunBill(t, "file", id, "--ledger", dsn, "--to", to)
	if read(t, to) != string(raw) {
		t.Errorf("written %q", read(t, to))
	}
	if _, err := ranBill(t, "file", "99", "--ledger", dsn); err == nil || !strings.Contains(err.Error(), "import 99") {
		t.Errorf("an import that is not there: %v", err)
	}
}

// TestHelpOfAccounts: what the help shows is taken.
func TestHelpOfAccounts(t *testing.T) {
	_, text, _ := strings.Cut(newBillAccountsImport().Long, "A list in YAML:\n\n")
	text, _, _ = strings.Cut(text, "\n\n\"from\"")
	list, err := parseAccountsYAML([]byte(text), time.UTC)
	if err != nil || len(list) != 1 || list[0].Limit != 200_00 || list[0].Terms.Late == nil || list[0].Terms.Late.PerDay != 50 {
		t.Errorf("%+v, %v", list, err)
	}
}
