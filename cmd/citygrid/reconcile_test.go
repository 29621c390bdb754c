package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citygrid/hub/api"
	"citygrid/hub/config"
	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
	"citygrid/hub/ledger/statement"
	"citygrid/schemas"
)

const (
	smallRegister = `meter,utility,purse,plan,readout,meter_number,customer,from,to
W-1,water,fen,home,card,000000000001,C-1,2026-11-19,2026-11-20 12:00:00
W-1,water,fen,home,card,000000000009,C-1,2026-11-20T12:00:00+08:00,
W-2,water,fen,home,remote,000000000002,,2026-11-19,
`
	smallTariff = `plans:
  - {id: home, utility: water, reset: yearly, rounding: half-up-per-line, versions: [{from: 2025-01-01, price: "2.07"}]}
`
	smallSales = `#citygrid,1,sales,water,counter-1,2026-11-20,1
order,kind,meter,purchase,amount,at
S-1,purchase,W-2,1,50.00,2026-11-20T09:30:00+08:00
#total,1,50.00,0.00
`
)

func TestRegister(t *testing.T) {
	zone := time.FixedZone("CST", 8*3600)
	places, err := parseRegister(strings.NewReader("\ufeff"+smallRegister), zone)
	if err != nil {
		t.Fatal(err)
	}
	if len(places) != 2 || len(places[0].Installations) != 2 || places[1].Readout != ledger.Remote || places[0].Installations[1].MeterNumber != "000000000009" {
		t.Fatalf("places %+v", places)
	}
	if i := places[0].Installations; !i[0].To.Equal(i[1].From) || !i[1].To.IsZero() || i[0].From != time.Date(2026, 11, 18, 16, 0, 0, 0, time.UTC) {
		t.Errorf("installations %+v", i)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"columns":      {"meter,utility", "utility,meter", "line 1: want the columns"},
		"empty":        {smallRegister, "", "line 1: want the columns"},
		"fields":       {"remote,000000000002,,", "remote,000000000002,", "line 4"},
		"utility":      {"W-2,water", "W-2,heat", `line 4: utility "heat"`},
		"purse":        {"W-2,water,fen", "W-2,water,Wh", `line 4: purse "Wh": want fen or L`},
		"no plan":      {"W-2,water,fen,home", "W-2,water,fen,", "line 4: plan: missing"},
		"readout":      {"remote", "post", `line 4: readout "post"`},
		"meter":        {"W-2", "W 2", "line 4: meter"},
		"number":       {"000000000002", "2", `line 4: meter_number "2": want the 12 digits`},
		"letters":      {"000000000002", "00000000000A", `line 4: meter_number "00000000000A"`},
		"from":         {",,2026-11-19,\n", ",,19.11.2026,\n", `line 4: from: "19.11.2026"`},
		"to":           {"2026-11-20 12:00:00", "noon", `line 2: to: "noon"`},
		"not the same": {"W-1,water,fen,home,card,000000000009", "W-1,water,fen,shop,card,000000000009", "line 3: meter W-1: utility, purse, plan"},
		"apart":        {"W-2,water,fen,home,remote,000000000002,,2026-11-19,\n", "W-2,water,fen,home,remote,000000000002,,2026-11-19,\nW-1,water,fen,home,card,000000000003,,2026-11-21,\n", "line 5: meter W-1: its lines must stand together"},
	} {
		text := strings.Replace(smallRegister, c.old, c.new, 1)
		if text == smallRegister {
			t.Fatalf("%s: %q is not in the register", name, c.old)
		}
		if _, err := parseRegister(strings.NewReader(text), zone); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func FuzzRegister(f *testing.F) {
	f.Add(smallRegister)
	f.Fuzz(func(t *testing.T, text string) {
		places, err := parseRegister(strings.NewReader(text), time.UTC)
		if err != nil {
			return
		}
		for _, p := range places {
			if p.Meter.Validate() != nil || len(p.Installations) == 0 {
				t.Errorf("place %+v", p)
			}
		}
	})
}

func TestBar(t *testing.T) {
	var out bytes.Buffer
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	b := newBar(&out, func() time.Time { return now })
	b.show("accounts", 1, 0)
	now = now.Add(9 * time.Second)
	b.show("accounts", 10, 0)
	if out.Len() > 0 {
		t.Errorf("quick work shows %q", out.String())
	}
	now = now.Add(time.Second)
	b.show("accounts", 20_000, 0)
	b.show("accounts", 20_001, 0)
	now = now.Add(10 * time.Second)
	b.show("writing", 50, 100)
	b.end()
	if want := "accounts: 20000 in 10s\nwriting: [" + strings.Repeat("#", 15) + strings.Repeat(".", 15) + "] 50 of 100 in 20s\n"; out.String() != want {
		t.Errorf("log %q, want %q", out.String(), want)
	}
	out.Reset()
	b.terminal = true
	now = now.Add(time.Second)
	b.show("writing", 100, 100)
	b.end()
	if want := "\r\x1b[Kwriting: [" + strings.Repeat("#", 30) + "] 100 of 100 in 21s\r\x1b[K"; out.String() != want {
		t.Errorf("terminal %q", out.String())
	}
}

func TestRulesOfTheConfiguration(t *testing.T) {
	three := 3
	r, err := rulesOf(&config.Ledger{CutOff: "23:00", Begin: "2026-01-01", Rules: config.LedgerRules{Version: "v2", StaleCard: &three}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Version != "v2" || r.StaleCard != 3 || r.SaleNoPay != 2 || r.Begin.String() != "2026-01-01" || r.Calendar.CutOff != 23*time.Hour || r.Calendar.Zone.String() != "Asia/Shanghai" {
		t.Errorf("rules %+v", r)
	}
}

type noSeries struct{}

func (noSeries) Range(context.Context, schemas.MeterID, schemas.Quantity, schemas.Origin, time.Time, time.Time, int) (api.Samples, error) {
	return api.Samples{}, errors.New("no series")
}

func (noSeries) Around(context.Context, schemas.MeterID, schemas.Quantity, time.Time, time.Time, int) ([]schemas.Reading, error) {
	return nil, errors.New("no series")
}

// ledgerHub is a hub program with books and its face, without broker and store.
func ledgerHub(t *testing.T) (*hubProgram, http.Handler) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"tariffs.yaml": smallTariff, "hub.yaml": fmt.Sprintf(`data_dir: data
listen: 127.0.0.1:0
master: m
passphrase: env:P
enrolment: e
broker: {url: "tcp://127.0.0.1:1", user: hub, password: env:Q}
influx: {url: "http://127.0.0.1:1"}
ledger:
  dsn: sqlite:books.db
  tariffs: [tariffs.yaml]
  people:
  - {name: zhang, roles: [clerk], token: "sha256:%x"}
  - {name: li, roles: [reviewer], token: "sha256:%x"}
`, sha256.Sum256([]byte("tz")), sha256.Sum256([]byte("tl")))} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Load(filepath.Join(dir, "hub.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	h := &hubProgram{cfg: cfg, log: slog.New(slog.DiscardHandler)}
	if err := h.openBooks(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.closeBooks(); err != nil {
			t.Error(err)
		}
	})
	options := api.Options{Live: api.NewLive(time.Now), Flow: func() api.FlowCounters { return api.FlowCounters{} }, Series: noSeries{}, Now: time.Now, Log: h.log}
	if err := h.ledgerOptions(&options); err != nil {
		t.Fatal(err)
	}
	handler, err := api.New(options)
	if err != nil {
		t.Fatal(err)
	}
	return h, handler
}

func call(t *testing.T, h http.Handler, token, method, target, body string, status int, into any) {
	t.Helper()
	r := httptest.NewRequest(method, "/api/v1/ledger"+target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != status {
		t.Fatalf("%s %s: %d %s, want %d", method, target, w.Code, w.Body, status)
	}
	if into != nil {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLedgerOverTheAPI goes the clerk's way with real books: import, run, look,
// decide, statement.
func TestLedgerOverTheAPI(t *testing.T) {
	hub, h := ledgerHub(t)
	places, err := parseRegister(strings.NewReader(smallRegister), hub.books.rules.Calendar.Zone)
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.books.StoreRegister(t.Context(), places); err != nil {
		t.Fatal(err)
	}
	var imported api.ImportJSON
	call(t, h, "tz", "POST", "/imports?name=sales.csv", smallSales, 200, &imported)
	if imported.Rows != 1 || imported.Debit != "50.00" || imported.By != "zhang" || imported.Repeated {
		t.Errorf("import %+v", imported)
	}
	call(t, h, "tz", "POST", "/imports?name=sales.csv", smallSales, 200, &imported)
	if !imported.Repeated {
		t.Error("the same file was imported twice")
	}
	var p api.Problem
	call(t, h, "tz", "POST", "/imports?name=bad.csv", strings.Replace(smallSales, "50.00,2026", "5o,2026", 1), 422, &p)
	if len(p.Errors) == 0 || p.Errors[0].Location != "line 3 column 5" {
		t.Errorf("mistakes %+v", p)
	}
	call(t, h, "tz", "POST", "/imports?name=a&mapping=../../etc/passwd", smallSales, 422, &p)
	call(t, h, "tz", "POST", "/imports?name=a&mapping=nowhere", smallSales, 422, &p)

	for _, body := range []string{`{"utility":"water","from":"2026-11-19"}`, `{"utility":"water","from":"2026-11-20","to":"2026-11-22"}`, `{"utility":"water","from":"2026-11-25"}`} {
		call(t, h, "tz", "POST", "/runs", body, 202, nil)
		hub.runner.one(t.Context(), <-hub.runner.queue)
	}
	var job api.JobJSON
	call(t, h, "tz", "GET", "/jobs/2", "", 200, &job)
	if job.State != "done" || job.Run != 2 {
		t.Errorf("job %+v", job)
	}
	call(t, h, "tz", "GET", "/jobs/3", "", 200, &job)
	if job.State != "failed" || !strings.Contains(job.Problem, "begin with 2026-11-23") {
		t.Errorf("job %+v", job)
	}
	call(t, h, "tz", "GET", "/jobs/4", "", 404, nil)
	var runs []api.RunJSON
	call(t, h, "li", "GET", "/runs", "", 401, nil)
	call(t, h, "tl", "GET", "/runs?utility=water", "", 200, &runs)
	if len(runs) != 2 || runs[0].ID != 2 || runs[0].State != "done" || len(runs[0].Inputs) == 0 {
		t.Errorf("runs %+v", runs)
	}

	var page api.DifferencePage
	call(t, h, "tl", "GET", "/differences?class=SALE_NO_PAY&as_of=2026-11-22&min_age=2&max_age=2", "", 200, &page)
	if page.Total != 1 || page.Rows[0].Amount != "50.00" || page.Rows[0].Meter != "W-2" {
		t.Fatalf("differences %+v", page)
	}
	call(t, h, "tl", "GET", "/differences?as_of=2026-11-20&max_age=0", "", 200, &page)
	if page.Total != 1 {
		t.Errorf("differences of age 0: %+v", page)
	}
	call(t, h, "tl", "GET", "/differences?as_of=2026-11-21&max_age=0", "", 200, &page)
	if page.Total != 0 {
		t.Errorf("differences of age 0 a day later: %+v", page)
	}
	key := "SALE_NO_PAY/counter-1/S-1"
	decide := func(action string) string { return fmt.Sprintf(`{"key":%q,"action":%q,"why":"w"}`, key, action) }
	call(t, h, "tz", "POST", "/decisions", decide("assign"), 422, &p)
	call(t, h, "tz", "POST", "/decisions", decide("explain"), 201, nil)
	call(t, h, "tz", "POST", "/decisions", decide("adjust"), 403, nil)
	call(t, h, "tl", "POST", "/decisions", decide("adjust"), 201, nil)
	call(t, h, "tl", "POST", "/decisions", decide("adjust"), 409, &p)
	if strings.Join(p.Allowed, " ") != "closed" {
		t.Errorf("allowed %v", p.Allowed)
	}
	var line api.TimelineJSON
	call(t, h, "tl", "GET", "/difference?key="+url.QueryEscape(key), "", 200, &line)
	if line.Difference.State != "adjusted" || len(line.Events) != 3 || line.Events[0].What != "sale" {
		t.Errorf("timeline %+v", line)
	}
	r := httptest.NewRequest("GET", "/api/v1/ledger/runs/2/statement", nil)
	r.Header.Set("Authorization", "Bearer tl")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	d, err := statement.Parse(w.Body.Bytes())
	if err != nil || d.Statement.Open[0].State != ledger.Open {
		t.Errorf("statement: %v %s", err, w.Body)
	}
	var tariffs []api.TariffJSON
	call(t, h, "tl", "GET", "/tariffs", "", 200, &tariffs)
	if len(tariffs) != 1 || tariffs[0].Text != smallTariff {
		t.Errorf("tariffs %+v", tariffs)
	}
	// What is written into the file later is not in force.
	if err := os.WriteFile(hub.cfg.Path("tariffs.yaml"), []byte("plans: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	call(t, h, "tl", "GET", "/tariffs", "", 200, &tariffs)
	if len(tariffs) != 1 || tariffs[0].Text != smallTariff {
		t.Errorf("tariffs after the file was edited: %+v", tariffs)
	}
}

func TestRunnerIsBounded(t *testing.T) {
	r := newRunner(nil, slog.New(slog.DiscardHandler))
	for range runsWaiting {
		if _, err := r.Start(t.Context(), api.RunRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Start(t.Context(), api.RunRequest{}); !errors.Is(err, api.ErrBusy) {
		t.Errorf("one too many: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for len(r.queue) > 0 {
		<-r.queue
	}
	if err := r.Run(ended); err != nil {
		t.Error(err)
	}
}

// TestHubTakesCards: with books the receiver has a place for card entries, without
// it has none at all, not one that fails.
func TestHubTakesCards(t *testing.T) {
	hub, _ := ledgerHub(t)
	store := hub.cardStore()
	if store == nil {
		t.Fatal("no store for cards")
	}
	entry := schemas.CardEntry{Event: schemas.CardState, Source: schemas.FromModbus, Utility: schemas.Water, Meter: "W-9", TakenAt: time.UnixMilli(1_790_000_000_000).UTC(),
		Purchase: schemas.PurchaseRef{Scheme: schemas.BySequence, Number: 1}, Residual: schemas.Credit{Value: 1, Unit: schemas.CreditFen}}
	if err := store.StoreCards(t.Context(), "c1", []schemas.CardEntry{entry}); err != nil {
		t.Fatal(err)
	}
	if _, total, err := hub.books.UnresolvedEntries(t.Context(), books.Page{}); err != nil || total != 1 {
		t.Errorf("%d entries, %v", total, err)
	}
	if (&hubProgram{cfg: &config.Config{}}).cardStore() != nil {
		t.Error("a hub without books has a store for cards")
	}
}
