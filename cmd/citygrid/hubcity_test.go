package main

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"citygrid/hub/api"
	"citygrid/hub/config"
	"citygrid/hub/ingest"
	"citygrid/hub/rollup"
	"citygrid/hub/store"
	"citygrid/schemas"
)

// emptySeries is a series store with nothing in it.
type emptySeries struct{ rollup.Series }

func (emptySeries) Counters(context.Context, []schemas.Quantity, time.Time, time.Time, func(schemas.Reading) error) error {
	return nil
}

func (emptySeries) LastGood(context.Context, []schemas.MeterID, []schemas.Quantity, time.Time, time.Time, func(schemas.Reading) error) error {
	return nil
}

func (emptySeries) CountCounters(context.Context, []schemas.Quantity, time.Time, time.Time, func(time.Time, int64) error) error {
	return nil
}

func (emptySeries) CellHours(context.Context, bool, string, schemas.Medium, time.Time, time.Time, func(store.CellHour) error) error {
	return nil
}

// TestCityObserver: whatever way the receiver tells of readings, the live table and the
// figures of the city both learn of them.
func TestCityObserver(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC)
	for name, tell := range map[string]func(ingest.Observer, []schemas.Reading){
		"stored": func(o ingest.Observer, list []schemas.Reading) { o.Stored(list, at) },
		"from":   func(o ingest.Observer, list []schemas.Reading) { o.(ingest.Accounts).StoredFrom("c1", list, at) },
	} {
		live := api.NewLive(func() time.Time { return at })
		figures, err := rollup.New(rollup.Options{Series: emptySeries{}, Installations: func(schemas.MeterID) []schemas.Installation { return nil }, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		figures.SetTown(rollup.NewTown("1", []string{"110101001001001"}, []rollup.Stay{{Meter: "W-1", Cell: "110101001001001"}}))
		if err := figures.Work(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		city := &cityProgram{live: live, figures: figures}
		for n := range int64(2) {
			tell(city.observer(live), []schemas.Reading{{Meter: "W-1", Quantity: "water.volume.forward", Unit: "m3", Value: schemas.Decimal{Mantissa: 10 + n}, TakenAt: at.Add(time.Duration(n-2) * time.Minute)}})
		}
		if err := figures.Work(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		cells, err := figures.Cells(t.Context(), schemas.Water, at.Truncate(time.Hour), at)
		if err != nil || !cells.Figures[0].Known || cells.Figures[0].Value.String() != "1" {
			t.Errorf("%s: %v, %+v", name, err, cells.Figures)
		}
		if _, ok := live.Meter("W-1"); !ok {
			t.Errorf("%s: the live table knows nothing of it", name)
		}
	}
	if o := (*cityProgram)(nil).observer(api.NewLive(time.Now)); o == nil {
		t.Error("a hub without a grid has no observer")
	}
}

func TestMapLayers(t *testing.T) {
	got := mapLayers(&config.Map{Layers: []config.MapLayer{{Name: "a", Kind: "xyz", URL: "/{z}", CRS: "EPSG:3857"}, {Name: "b", MinZoom: 3, MaxZoom: 9, Parameters: map[string]string{"tk": "1"}}}})
	if len(got) != 2 || got[0].MaxZoom != config.DefaultMaxZoom || got[1].MaxZoom != 9 || got[1].MinZoom != 3 || got[1].Parameters["tk"] != "1" {
		t.Errorf("got %+v", got)
	}
}

func TestFiguresPause(t *testing.T) {
	for _, c := range []struct {
		took, want time.Duration
		behind     bool
	}{{0, 10 * time.Second, false}, {time.Second, 20 * time.Second, false}, {time.Hour, 3 * time.Minute, false}, {0, time.Second, true}, {7 * time.Second, 7 * time.Second, true}} {
		if got := figuresPause(c.took, c.behind); got != c.want {
			t.Errorf("after %s, behind %v: %s, want %s", c.took, c.behind, got, c.want)
		}
	}
}
