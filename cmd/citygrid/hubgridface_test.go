package main

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"citygrid/hub/api"
	"citygrid/hub/config"
	"citygrid/hub/media"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

func testStart() time.Time { return time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC) }

// emptyGrid is a register and cases with nothing in them. Close them.
func emptyGrid(t *testing.T) (*config.Config, *gridProgram) {
	t.Helper()
	lists, err := codes.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{Grid: config.Grid{DSN: "sqlite:" + filepath.Join(t.TempDir(), "grid.db")}}
	g, err := openGrid(t.Context(), cfg, lists, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return cfg, g
}

// TestGridReadiness: the check asks register and cases, and fails when they are gone;
// the numbers of cases are then unknown, and not 0.
func TestGridReadiness(t *testing.T) {
	cfg, g := emptyGrid(t)
	h := &hubProgram{cfg: cfg, grid: g, registry: prometheus.NewRegistry()}
	var o api.Options
	if err := h.gridOptions(&o); err != nil {
		t.Fatal(err)
	}
	if len(o.Ready) != 1 || o.Ready[0].Name != "grid" || o.Cases == nil || o.Cases.Media != nil {
		t.Fatalf("%+v", o)
	}
	if err := o.Ready[0].Check(t.Context()); err != nil {
		t.Error(err)
	}
	if got := gauges(t, h.registry); got["citygrid_cases_open"] != 0 || got["citygrid_cases_overdue"] != 0 {
		t.Errorf("%v", got)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if err := o.Ready[0].Check(context.WithoutCancel(t.Context())); err == nil {
		t.Error("ready without a database")
	}
	if got := gauges(t, h.registry); got["citygrid_cases_open"] == got["citygrid_cases_open"] {
		t.Errorf("%v open cases without a database", got)
	}
}

func gauges(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		values[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue()
	}
	return values
}

// TestMediaErrors: the API knows what is the sender's fault, and says it in the words of
// package media.
func TestMediaErrors(t *testing.T) {
	for ours, theirs := range map[error]error{media.ErrTooLarge: api.ErrMediaTooLarge, media.ErrType: api.ErrMediaType,
		media.ErrDamaged: api.ErrMediaDamaged, media.ErrAbsent: api.ErrMediaAbsent} {
		if err := mediaError(ours); !errors.Is(err, theirs) || !errors.Is(err, ours) || err.Error() != ours.Error() {
			t.Errorf("%v became %v", ours, err)
		}
	}
	if err := mediaError(errors.ErrUnsupported); err != errors.ErrUnsupported {
		t.Error(err)
	}
}

// TestPositionThatNobodyCanTurn: a telephone that says GCJ-02 outside China is wrong, but
// the register could be asked: what it reports is taken, without a cell, and holds up
// nothing else of its batch.
func TestPositionThatNobodyCanTurn(t *testing.T) {
	_, g := emptyGrid(t)
	p, err := gridFace{g.register}.At(t.Context(), schemas.Position{Lon: -74, Lat: 40.7, CRS: schemas.GCJ02})
	if err != nil || p.Cell != "" || p.Position.Known() {
		t.Errorf("%+v, %v", p, err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}
