package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citygrid/hub/config"
	"citygrid/hub/ledger"
	"citygrid/hub/ledger/reconcile"
	"citygrid/hub/store"
	"citygrid/internal/influxd"
	"citygrid/internal/influxd/influxtest"
	"citygrid/schemas"
)

// TestFillFromInflux fills the use of a gas meter's state from a real InfluxDB, as
// a command beside the hub does, and not once InfluxDB is away.
func TestFillFromInflux(t *testing.T) {
	server := influxtest.Start(t, influxd.Options{})
	ctx := t.Context()

	cfg := &config.Config{Influx: config.Influx{URL: server.URL(), Bucket: config.DefaultBucket}}
	cfg.Ledger.DSN = "sqlite:" + filepath.Join(t.TempDir(), "books.db")
	l := &openLedger{settings: cfg.Ledger, folder: cfg}
	if err := l.open(ctx); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	series, err := l.openReadings()
	if err != nil || series == nil {
		t.Fatal("no readings:", err)
	}
	defer series.Close()

	moment := time.Date(2026, 11, 21, 4, 0, 0, 0, time.UTC)
	day := l.rules.Calendar.DayOf(moment)
	storeSilentState(t, l, moment)
	writeGas(t, series, moment.Add(-20*time.Minute), "100.00")
	writeGas(t, series, moment.Add(3*time.Minute), "123.45")
	span := reconcile.Span{From: day, To: day}
	done, err := l.fillUse(ctx, schemas.Gas, span, series, nil)
	if err != nil || done.Filled != 1 || done.Missing != 0 {
		t.Fatalf("%+v, %v", done, err)
	}

	server.Kill()
	storeSilentState(t, l, moment.Add(time.Hour))
	if _, err := l.fillUse(ctx, schemas.Gas, span, series, nil); err == nil || !strings.Contains(err.Error(), "the run is not made") {
		t.Errorf("without InfluxDB: %v", err)
	}
	cfg.Influx.Bundled = true
	if series, err := l.openReadings(); series != nil || err != nil {
		t.Errorf("the bundled InfluxDB was opened: %v", err)
	}
}

// storeSilentState stores a state that does not tell the use.
func storeSilentState(t *testing.T, l *openLedger, moment time.Time) {
	t.Helper()
	place := ledger.Place{Meter: "G-1", Utility: schemas.Gas, Purse: schemas.CreditLitre, Readout: ledger.Remote,
		Installations: []ledger.Installation{{From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), MeterNumber: "000000000001"}}}
	state := schemas.CardEntry{Event: schemas.CardState, Source: schemas.FromCJT188, Utility: schemas.Gas, Meter: "G-1",
		Residual: schemas.Credit{Value: 5000, Unit: schemas.CreditLitre}, TakenAt: moment}
	if err := l.StoreRegister(t.Context(), []ledger.Place{place}); err != nil {
		t.Fatal(err)
	}
	if err := l.StoreCards(t.Context(), "edge-1", []schemas.CardEntry{state}); err != nil {
		t.Fatal(err)
	}
}

func writeGas(t *testing.T, s *store.Store, at time.Time, value string) {
	t.Helper()
	v, err := schemas.ParseDecimal(value)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), []schemas.Reading{{Meter: "G-1", Quantity: "gas.volume.total", Unit: "m3", Value: v, TakenAt: at}}); err != nil {
		t.Fatal(err)
	}
}
