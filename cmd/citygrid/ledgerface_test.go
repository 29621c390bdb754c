package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citygrid/hub/api"
	"citygrid/hub/ledger"
	"citygrid/hub/ledger/reconcile"
	"citygrid/schemas"
)

// TestAPIRefusesWhatCannotBe: what will never work is not answered with "try again".
func TestAPIRefusesWhatCannotBe(t *testing.T) {
	hub, h := ledgerHub(t)
	places, err := parseRegister(strings.NewReader(smallRegister), hub.books.rules.Calendar.Zone)
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.books.StoreRegister(t.Context(), places); err != nil {
		t.Fatal(err)
	}
	call(t, h, "tz", "POST", "/imports?name=sales.csv", smallSales, 200, nil)
	var stand []api.PlaceJSON
	call(t, h, "tz", "GET", "/places?utility=water&limit=1", "", 200, &stand)
	if len(stand) != 1 || stand[0].Meter != string(places[0].Meter) || len(stand[0].Installations) != len(places[0].Installations) {
		t.Errorf("places %+v", stand)
	}
	run := func(from, to ledger.Day) {
		t.Helper()
		if _, err := hub.books.Run(t.Context(), schemas.Water, reconcile.Span{From: from, To: to}, "zhang", nil); err != nil {
			t.Fatal(err)
		}
	}
	day, err := ledger.ParseDay("2026-11-19")
	if err != nil {
		t.Fatal(err)
	}
	run(day, day+3) // the sale of the 20th has no payment on the 22nd
	call(t, h, "tz", "POST", "/imports?name=payments.csv", "#citygrid,1,payments,water,counter-1,2026-11-23,1\norder,kind,amount,at\nS-1,payment,50.00,2026-11-20T09:30:05+08:00\n#total,1,50.00,0.00\n", 200, nil)
	run(day+4, day+4) // now it has
	var p api.Problem
	call(t, h, "tz", "POST", "/decisions", `{"key":"SALE_NO_PAY/counter-1/S-1","action":"explain","why":"w"}`, 422, &p)
	if !strings.Contains(p.Detail, "has arrived since") {
		t.Errorf("a difference that has cleared: %+v", p)
	}
	run(day+4, day+4)
	call(t, h, "tz", "GET", "/runs/2/statement", "", 422, &p)
	if !strings.Contains(p.Detail, "set aside") {
		t.Errorf("the statement of a run that was set aside: %+v", p)
	}
	call(t, h, "tz", "GET", "/runs/3/statement?format=txt", "", 200, nil)
}

// TestRunnerSaysWhatItDrops: a run that was asked for and is not made is in the log.
func TestRunnerSaysWhatItDrops(t *testing.T) {
	var log bytes.Buffer
	r := newRunner(nil, slog.New(slog.NewTextHandler(&log, nil)))
	job, err := r.Start(t.Context(), api.RunRequest{Utility: schemas.Gas, From: 20_000, To: 20_000, By: "zhang"})
	if err != nil {
		t.Fatal(err)
	}
	r.drop()
	if !strings.Contains(log.String(), "utility=gas") || !strings.Contains(log.String(), "by=zhang") {
		t.Errorf("log %q", log.String())
	}
	if j, err := r.Job(t.Context(), job.ID); err != nil || j.State != "failed" {
		t.Errorf("job %+v, %v", j, err)
	}
}

// fixedRegisters are readings that tell one register of every meter.
type fixedRegisters struct{ asked int }

func (f *fixedRegisters) Registers(_ context.Context, meters []schemas.MeterID, quantities []schemas.Quantity, from, to time.Time, fn func(schemas.Reading) error) error {
	f.asked++
	return errors.New("the readings are away")
}

// TestRunAsksTheReadings: a run of the hub fills in what entries do not tell, and
// does not go on without.
func TestRunAsksTheReadings(t *testing.T) {
	hub, h := ledgerHub(t)
	places, err := parseRegister(strings.NewReader(smallRegister), hub.books.rules.Calendar.Zone)
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.books.StoreRegister(t.Context(), places); err != nil {
		t.Fatal(err)
	}
	entry := schemas.CardEntry{Event: schemas.CardState, Source: schemas.FromModbus, Utility: schemas.Water, Meter: "W-2",
		TakenAt: time.Date(2026, 11, 19, 4, 0, 0, 0, time.UTC), Purchase: schemas.PurchaseRef{Scheme: schemas.BySequence, Number: 1},
		Residual: schemas.Credit{Value: 1, Unit: schemas.CreditFen}}
	if err := hub.books.StoreCards(t.Context(), "c1", []schemas.CardEntry{entry}); err != nil {
		t.Fatal(err)
	}
	readings := &fixedRegisters{}
	hub.books.registers = readings
	call(t, h, "tz", "POST", "/runs", `{"utility":"water","from":"2026-11-19"}`, 202, nil)
	hub.runner.one(t.Context(), <-hub.runner.queue)
	var job api.JobJSON
	call(t, h, "tz", "GET", "/jobs/1", "", 200, &job)
	if readings.asked != 1 || job.State != "failed" || !strings.Contains(job.Problem, "the readings are away") {
		t.Errorf("asked %d times, job %+v", readings.asked, job)
	}
}

// gone is the reader of a pipe that has closed it.
type gone struct{}

func (gone) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// TestFilesComeBeforeTheSummary: whoever looks only at the head of the summary gets
// the files all the same, since the run cannot be made again without a new version.
func TestFilesComeBeforeTheSummary(t *testing.T) {
	dir := t.TempDir()
	r := reconciliation{books: booksFlags{dsn: "sqlite:" + filepath.Join(dir, "books.db"), as: "zhang"}, utility: "water", from: "2026-11-21", out: dir, lang: "en"}
	if err := r.run(t.Context(), gone{}, io.Discard); err == nil || !strings.Contains(err.Error(), "broken pipe") {
		t.Errorf("the summary went nowhere: %v", err)
	}
	for _, form := range []string{"json", "csv", "xlsx", "html"} {
		if _, err := os.Stat(filepath.Join(dir, "statement-water-2026-11-21-v1."+form)); err != nil {
			t.Error(err)
		}
	}
}
