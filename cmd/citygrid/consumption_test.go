package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"citygrid/hub/api"
	"citygrid/hub/config"
	"citygrid/hub/consumption"
	"citygrid/hub/store"
	"citygrid/internal/influxd"
	"citygrid/internal/influxd/influxtest"
	"citygrid/schemas"
)

func TestInstallationsOfTheHub(t *testing.T) {
	h := &hubProgram{cfg: &config.Config{}}
	if err := h.loadInstallations(); err != nil || h.installationsOf("P-1") != nil {
		t.Fatalf("without a file: %v, %v", h.installationsOf("P-1"), err)
	}
	path := filepath.Join(t.TempDir(), "installed.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h.cfg.Installations = path
	write("installations:\n- {meter: P-1, from: 2026-03-01T00:00:00Z}\n")
	if err := h.loadInstallations(); err != nil || len(h.installationsOf("P-1")) != 1 || h.installationsOf("P-2") != nil {
		t.Fatalf("%v, %v", h.installationsOf("P-1"), err)
	}
	write("installations:\n- {meter: P-1, from: yesterday}\n")
	if err := h.loadInstallations(); err == nil || len(h.installationsOf("P-1")) != 1 {
		t.Errorf("a file that is wrong: %v, %v", h.installationsOf("P-1"), err)
	}
}

// A consumption over a swap, from readings that really are in the store.
func TestConsumptionFromTheStore(t *testing.T) {
	server := influxtest.Start(t, influxd.Options{})
	ctx := t.Context()
	series, err := store.Open(store.Config{URL: server.URL(), Bucket: config.DefaultBucket})
	if err != nil {
		t.Fatal(err)
	}
	defer series.Close()

	const q = schemas.Quantity("power.energy.import")
	at := func(hour int) time.Time { return time.Date(2026, 3, 1, hour, 0, 0, 0, time.UTC) }
	reading := func(hour int, m int64, o schemas.Origin) schemas.Reading {
		return schemas.Reading{Meter: "P-1", Quantity: q, Unit: "kW.h", TakenAt: at(hour), Origin: o, Value: schemas.Decimal{Mantissa: m, Exponent: -1}}
	}
	doubted := reading(5, 999, schemas.Live)
	doubted.Quality, doubted.Reason = schemas.Suspect, schemas.ReasonSwap
	if err := series.Write(ctx, []schemas.Reading{
		reading(-1, 1000, schemas.Live), reading(0, 1005, schemas.DailyFreeze), reading(1, 1010, schemas.Live),
		doubted, reading(11, 1100, schemas.Live), reading(13, 40, schemas.Live), reading(25, 75, schemas.Live),
	}); err != nil {
		t.Fatal(err)
	}
	one := func(m int64) map[schemas.Quantity]schemas.Decimal {
		return map[schemas.Quantity]schemas.Decimal{q: {Mantissa: m, Exponent: -1}}
	}
	records := []schemas.Installation{
		{Meter: "P-1", From: at(-100), To: at(12), Last: one(1110), Multiplier: schemas.Decimal{Mantissa: 2}},
		{Meter: "P-1", From: at(12), First: one(35), Multiplier: schemas.Decimal{Mantissa: 10}},
	}
	readings, err := seriesOf{series}.Around(ctx, "P-1", q, at(0), at(24), 100)
	if err != nil {
		t.Fatal(err)
	}
	got, err := consumption.Of("P-1", q, readings, records, at(0), at(24))
	if err != nil || !got.Complete() || got.Value.String() != "26.0" || got.Least.String() != "26.0" || !got.MostKnown || got.Most.String() != "61.0" {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := (seriesOf{series}).Around(ctx, "P-1", q, at(0), at(24), 3); !errors.Is(err, api.ErrTooMany) {
		t.Errorf("more than three readings: %v", err)
	}
	if _, err := (seriesOf{series}).Range(ctx, "P-1", q, schemas.DailyFreeze, at(0), at(24), 3); err != nil {
		t.Error(err)
	}
}
