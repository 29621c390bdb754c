package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"citygrid/hub/api"
	"citygrid/hub/config"
	"citygrid/hub/ledger"
	"citygrid/hub/ledger/books"
	"citygrid/internal/cli"
	"citygrid/schemas"
)

const (
	ours    = schemas.IssuerID("33010001")
	theirs  = schemas.IssuerID("32010002")
	theCard = schemas.CardID("00112233445566AA")
)

// clearingDay is a day of sales: one that will be accepted, given back and sold
// again, one of a meter that nobody knows.
const clearingSales = `#citygrid,1,sales,water,counter-1,2026-11-21,1
order,kind,meter_number,card,purchase,amount,undoes,at
S-1,purchase,000000000042,00112233445566AA,7,50.00,,2026-11-21T09:30:00+08:00
S-2,refund,000000000042,00112233445566AA,7,50.00,S-1,2026-11-21T09:40:00+08:00
S-3,purchase,000000000042,00112233445566AA,7,30.00,,2026-11-21T09:50:00+08:00
S-4,purchase,000000000099,00112233445566BB,1,12.00,,2026-11-21T10:00:00+08:00
S-5,purchase,000000000042,00112233445566AA,8,9.00,,2026-11-21T10:10:00+08:00
#total,5,101.00,50.00
`

// clearingEntries are those of the terminal; that of the last sale does not come.
func clearingEntries() []schemas.CardEntry {
	at := time.Date(2026, 11, 21, 1, 30, 0, 0, time.UTC)
	entry := func(event schemas.CardEvent, number string, card schemas.CardID, n uint32, fen int64, minutes int) schemas.CardEntry {
		return schemas.CardEntry{Event: event, Source: schemas.FromReader, Utility: schemas.Water, MeterNumber: number, Issuer: theirs, Card: card,
			Purchase: schemas.PurchaseRef{Scheme: schemas.BySequence, Number: n}, Amount: schemas.Credit{Value: fen, Unit: schemas.CreditFen},
			Terminal: "t1", TakenAt: at.Add(time.Duration(minutes) * time.Minute)}
	}
	return []schemas.CardEntry{entry(schemas.CardSale, "000000000042", theCard, 7, 5000, 0), entry(schemas.CardClear, "000000000042", theCard, 7, 5000, 10),
		entry(schemas.CardSale, "000000000042", theCard, 7, 3000, 20), entry(schemas.CardSale, "000000000099", "00112233445566BB", 1, 1200, 30)}
}

// openTest opens books as a command without configuration does.
func openTest(t *testing.T, dsn string) *books.Books {
	t.Helper()
	rules, err := rulesOf(&config.Ledger{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := books.Open(t.Context(), dsn, books.Options{Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// issued is what the books of the other city know about the card.
func issued() ([]ledger.Place, []schemas.CardEntry) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return []ledger.Place{{Meter: "W-42", Utility: schemas.Water, Purse: schemas.CreditFen, Plan: "p", Readout: ledger.ByCard,
			Installations: []ledger.Installation{{From: from, MeterNumber: "000000000042"}}}},
		[]schemas.CardEntry{{Event: schemas.CardIssue, Source: schemas.FromReader, Utility: schemas.Water, MeterNumber: "000000000042", Issuer: theirs,
			Card: theCard, TakenAt: from.Add(time.Hour)}}
}

// clearingRun runs citygrid clearing and wants its exit code.
func clearingRun(t *testing.T, code int, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	root := newRoot()
	root.SetArgs(append([]string{"clearing"}, args...))
	root.SetOut(&out)
	root.SetErr(&out)
	root.SilenceErrors, root.SilenceUsage = true, true
	err := root.ExecuteContext(t.Context())
	if err != nil {
		fmt.Fprintln(&out, err)
	}
	if got := cli.ExitCode(err); got != code {
		t.Fatalf("citygrid clearing %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, out.String())
	}
	return out.String()
}

func says(t *testing.T, text string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile(p).MatchString(text) {
			t.Errorf("no %q in\n%s", p, text)
		}
	}
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestClearingCommands goes the day of two cities: make, receive, answer, net.
func TestClearingCommands(t *testing.T) {
	dir := t.TempDir()
	a, b := "sqlite:"+filepath.Join(dir, "a.db"), "sqlite:"+filepath.Join(dir, "b.db")
	sales := filepath.Join(dir, "sales.csv")
	mustDo(t, os.WriteFile(sales, []byte(clearingSales), 0o600))
	root := newRoot()
	root.SetArgs([]string{"import", "--ledger", a, "--as", "zhang", sales})
	mustDo(t, root.ExecuteContext(t.Context()))
	left := openTest(t, a)
	mustDo(t, left.StoreCards(t.Context(), "edge-1", clearingEntries()))
	mustDo(t, left.Close())
	right := openTest(t, b)
	places, entries := issued()
	mustDo(t, right.StoreRegister(t.Context(), places))
	mustDo(t, right.StoreCards(t.Context(), "edge-1", entries))
	mustDo(t, right.Close())

	says(t, clearingRun(t, 2, "make", "--ledger", a, "--day", "2026-11-21"), "who are we")
	says(t, clearingRun(t, 2, "make", "--ledger", a, "--issuer", "33", "--day", "2026-11-21"), "--issuer: issuer: \"33\", want 8 digits")
	says(t, clearingRun(t, 2, "make", "--ledger", a, "--issuer", string(ours), "--day", "today"), "--day: accounting day")
	asA, asB := []string{"--ledger", a, "--issuer", string(ours)}, []string{"--ledger", b, "--issuer", string(theirs)}
	with := func(base []string, args ...string) []string { return append(args, base...) }
	const file, answer = "clearing-33010001-32010002-20261121-001.csv", "answer-33010001-32010002-20261121-001.csv"
	out, in := filepath.Join(dir, "outbox"), filepath.Join(dir, "back")

	made := clearingRun(t, 0, with(asA, "make", "--day", "2026-11-21", "--as", "li")...)
	says(t, made, file+` +sent +water +4 +92\.00 +50\.00 +no answer yet`, "1 new clearing files; 1 rows and card entries are held", `sale +counter-1:S-5 .*9\.00 CNY +no card entry`)
	// Making it again makes nothing, and writes what was made before.
	again := clearingRun(t, 0, with(asA, "make", "--day", "2026-11-21", "--to", out, "--as", "li")...)
	says(t, again, "0 new clearing files", "wrote .*"+file)
	says(t, clearingRun(t, 0, with(asA, "make", "--day", "2026-11-21", "--to", out, "--as", "li")...), file+" is there already")
	mustDo(t, os.WriteFile(filepath.Join(out, file), []byte("other"), 0o600))
	says(t, clearingRun(t, 1, with(asA, "make", "--day", "2026-11-21", "--to", out, "--as", "li")...), "already with other content; nothing was written over")
	mustDo(t, os.Remove(filepath.Join(out, file)))
	clearingRun(t, 0, with(asA, "make", "--day", "2026-11-21", "--to", out, "--as", "li")...)

	got := clearingRun(t, 0, with(asB, "receive", "--to", in, filepath.Join(out, file))...)
	says(t, got, file+`: taken: 4 details; accepted 3, 30\.00 yuan; refused 1, 12\.00 yuan`, `refused counter-1:S-4, 12\.00 yuan: the meter number is not in our register`, "wrote .*"+answer)
	says(t, clearingRun(t, 0, with(asB, "receive", "--to", in, filepath.Join(out, file))...), "was taken before, at .* nothing was changed", answer+" is there already")
	// A file that is damaged does not keep back the one beside it.
	raw, err := os.ReadFile(filepath.Join(out, file))
	mustDo(t, err)
	bad := filepath.Join(dir, strings.Replace(file, "-001", "-002", 1))
	mustDo(t, os.WriteFile(bad, bytes.Replace(raw, []byte("30.00"), []byte("31.00"), 1), 0o600))
	says(t, clearingRun(t, 1, with(asB, "receive", bad, filepath.Join(out, file))...), "nothing was imported", "was taken before")
	says(t, clearingRun(t, 1, with(asB, "answer", filepath.Join(in, answer))...), "answers a file of 33010001, and we are 32010002")
	says(t, clearingRun(t, 1, with(asB, "answer", filepath.Join(dir, "absent.csv"))...), "absent.csv")

	says(t, clearingRun(t, 0, with(asA, "list", "--unanswered")...), "no answer yet", "1 of 1 clearing files")
	says(t, clearingRun(t, 0, with(asA, "answer", filepath.Join(in, answer))...), file+`: taken: 4 details; accepted 3, 30\.00 yuan`)
	says(t, clearingRun(t, 0, with(asA, "list", "--unanswered")...), "0 of 0 clearing files")
	var page api.ClearingPageJSON
	mustDo(t, json.Unmarshal([]byte(clearingRun(t, 0, with(asB, "list", "--direction", "received", "--partner", string(ours), "--json")...)), &page))
	if page.Total != 1 || page.Rows[0].Answer == nil || page.Rows[0].Answer.Accepted.Net != "30.00" {
		t.Errorf("page %+v", page)
	}
	says(t, clearingRun(t, 2, with(asA, "list", "--direction", "both")...), "want sent or received")

	days := []string{"net", "--from", "2026-11-01", "--to", "2026-11-30"}
	says(t, clearingRun(t, 0, with(asA, days...)...), `we owe 30\.00`, `32010002: we pay 30\.00 yuan`, `All partners: we owe 30\.00, 0\.00 are owed to us; we pay 30\.00 yuan`)
	says(t, clearingRun(t, 0, with(asB, days...)...), `owed to us 30\.00`, `33010001: we are paid 30\.00 yuan`)
	var net api.NettingJSON
	mustDo(t, json.Unmarshal([]byte(clearingRun(t, 0, append(with(asB, days...), "--json")...)), &net))
	if net.Balance != "30.00" || net.Home != string(theirs) || len(net.Positions) != 1 || net.Positions[0].Theirs.Refused.Net != "12.00" {
		t.Errorf("net %+v", net)
	}
	says(t, clearingRun(t, 2, with(asA, "net", "--from", "2026-11-02", "--to", "2026-11-01")...), "is before --from")
}

// TestClearingOverTheAPI makes, takes and nets with real books.
func TestClearingOverTheAPI(t *testing.T) {
	hub, h := ledgerHub(t)
	var p api.Problem
	clear := func(token, method, target, body string, status int, into any) {
		t.Helper()
		kind := "application/json"
		if strings.HasPrefix(target, "/files?name=") {
			kind = "application/octet-stream"
		}
		r := httptest.NewRequest(method, "/api/v1/ledger/clearing"+target, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != status {
			t.Fatalf("%s %s: %d %s, want %d", method, target, w.Code, w.Body, status)
		}
		if raw, ok := into.(*[]byte); ok {
			*raw = w.Body.Bytes()
		} else if into != nil {
			mustDo(t, json.Unmarshal(w.Body.Bytes(), into))
		}
	}
	clear("tl", "GET", "/files", "", 404, &p)
	if p.Code != "no_issuer" {
		t.Errorf("a hub without issuer: %+v", p)
	}
	h = withIssuer(t, hub, ours)
	call(t, h, "tz", "POST", "/imports?name=sales.csv", clearingSales, 200, nil)
	mustDo(t, hub.books.StoreCards(t.Context(), "edge-1", clearingEntries()))
	clear("tz", "POST", "/made", `{"day":"2026-11-21"}`, 403, nil)
	var made api.ClearingMadeJSON
	clear("tl", "POST", "/made", `{"day":"2026-11-21"}`, 201, &made)
	if len(made.Files) != 1 || made.Held != 1 || made.Files[0].Details.Net != "42.00" || made.Files[0].By != "li" {
		t.Fatalf("made %+v", made)
	}
	var raw []byte
	clear("tl", "GET", "/files/"+made.Files[0].Name, "", 200, &raw)

	other := openTest(t, "sqlite:"+filepath.Join(t.TempDir(), "other.db"))
	defer func() { mustDo(t, other.Close()) }()
	places, entries := issued()
	mustDo(t, other.StoreRegister(t.Context(), places))
	mustDo(t, other.StoreCards(t.Context(), "edge-1", entries))
	got, _, err := other.ReceiveClearing(t.Context(), theirs, made.Files[0].Name, raw, "wu")
	mustDo(t, err)
	answer, err := other.ClearingBytes(t.Context(), got.AnswerName())
	mustDo(t, err)

	var taken api.ClearingTakenJSON
	for n := range 2 {
		clear("tz", "POST", "/files?name="+got.AnswerName(), string(answer), 200, &taken)
		if taken.Repeated != (n == 1) || taken.File.Answer.Accepted.Net != "30.00" {
			t.Errorf("taken %+v", taken)
		}
	}
	clear("tz", "POST", "/files?name="+made.Files[0].Name, string(raw), 422, &p) // our own
	clear("tz", "POST", "/files?name="+got.AnswerName(), string(answer[:len(answer)-3]), 422, &p)
	clear("tz", "POST", "/files?name="+strings.Replace(got.AnswerName(), "-001", "-002", 1), strings.Replace(string(answer), ",1\n", ",2\n", 1), 422, nil)
	var net api.NettingJSON
	clear("tz", "GET", "/net?from=2026-11-21&to=2026-11-21", "", 200, &net)
	if net.Owe != "30.00" || net.Balance != "-30.00" {
		t.Errorf("net %+v", net)
	}
}

// withIssuer makes the face of a hub again, with an issuer.
func withIssuer(t *testing.T, hub *hubProgram, issuer schemas.IssuerID) http.Handler {
	t.Helper()
	hub.books.settings.Issuer = string(issuer)
	options := api.Options{Live: api.NewLive(time.Now), Flow: func() api.FlowCounters { return api.FlowCounters{} }, Series: noSeries{}, Now: time.Now, Log: hub.log}
	mustDo(t, hub.ledgerOptions(&options))
	h, err := api.New(options)
	mustDo(t, err)
	return h
}
