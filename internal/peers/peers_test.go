package peers

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"citygrid/adapters/modbus"
	"citygrid/adapters/modbus/profiles"
	"citygrid/schemas"
	"citygrid/simulators"
)

func TestValidateNamesWhatIsMissing(t *testing.T) {
	there, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "telegraf")
	for _, tt := range []struct {
		o    Options
		want string
	}{
		{Options{}, ""},
		{Options{Telegraf: missing}, "Telegraf is missing; \"make bench-peers\" builds"},
		{Options{Collector: missing}, "the edge program is missing"},
		{Options{Citygrid: missing}, "citygrid is missing"},
		{Options{Each: time.Second}, "at least 5s"},
		{Options{Points: 10}, "at least 20000"},
		{Options{Only: "writing"}, "no part \"writing\""},
	} {
		tt.o = filled(tt.o, Options{Telegraf: there, Collector: there, Citygrid: there, Each: shortest, Points: fewestPoints})
		if err := tt.o.Validate(); (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.o, err, tt.want)
		}
	}
}

// filled fills in what o leaves out.
func filled(o, rest Options) Options {
	o.Telegraf, o.Collector, o.Citygrid = cmp.Or(o.Telegraf, rest.Telegraf), cmp.Or(o.Collector, rest.Collector), cmp.Or(o.Citygrid, rest.Citygrid)
	o.Each, o.Points = cmp.Or(o.Each, rest.Each), cmp.Or(o.Points, rest.Points)
	return o
}

// TestKeptCountsSlots: a slot counts once, whatever it holds, and a dead meter's
// slots are nobody's.
func TestKeptCountsSlots(t *testing.T) {
	fleet, err := simulators.NewFleet(simulators.FleetConfig{Meters: 2, Seed: 1, Start: time.Unix(0, 0), Faults: simulators.Faults{Dead: 0.5}})
	if err != nil {
		t.Fatal(err)
	}
	s := &session{bench: &bench{Options: Options{Each: 5 * time.Second}}, fleet: fleet}
	reading := func(ms int64, origin schemas.Origin) schemas.Reading {
		return schemas.Reading{Meter: "P-1", TakenAt: time.UnixMilli(ms), Origin: origin}
	}
	for _, tt := range []struct {
		readings []schemas.Reading
		want     float64
	}{
		{nil, 0},
		{[]schemas.Reading{reading(1000, schemas.Live), reading(1990, schemas.Live)}, 0.25},
		{[]schemas.Reading{reading(1000, schemas.Live), reading(2500, schemas.DailyFreeze)}, 0.25},
		{[]schemas.Reading{reading(1000, ""), reading(2000, ""), reading(3000, ""), reading(4000, ""), reading(5000, "")}, 1},
	} {
		if got := s.kept(tt.readings, time.Second); got != tt.want {
			t.Errorf("%d readings: %v, want %v", len(tt.readings), got, tt.want)
		}
	}
}

// TestCostOfNothing: a program that read nothing has no cost for a value, which
// would be no number and could not be written down.
func TestCostOfNothing(t *testing.T) {
	s := &session{cpu: time.Second}
	if got, err := s.cost(0, 30); err == nil {
		t.Error(got)
	}
	if got, err := s.cost(1e6, 10); err != nil || got.ValuesPerSecond != 1e5 || got.CPUMicros != 1 {
		t.Error(got, err)
	}
}

// TestLayouts: both programs read all numbers of the profiles made for
// measuring; the wide one takes one request, the other one each.
func TestLayouts(t *testing.T) {
	for _, tt := range []struct {
		layout
		requests, least int
	}{{wide(), 1, 30}, {apart(), 8, 8}} {
		p, err := profiles.Parse(tt.file(), tt.yaml())
		if err != nil {
			t.Fatal(err)
		}
		plan, err := modbus.Plan(p)
		fields, _ := plain(p)
		if err != nil || len(plan) != tt.requests || len(fields) != len(p.Fields) || len(fields) < tt.least {
			t.Errorf("%s: %d requests, %d of %d fields, %v", tt.id, len(plan), len(fields), len(p.Fields), err)
		}
	}
}

// TestPlainIsWhatTelegrafCanScale: a field that our profile rounds would be
// held against Telegraf, which does not.
func TestPlainIsWhatTelegrafCanScale(t *testing.T) {
	set, err := profiles.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range set.IDs() {
		p, err := set.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		fields, order := plain(p)
		for _, f := range fields {
			if part := f.Parts[0]; len(f.Parts) != 1 || part.Places != 0 || part.Order != order {
				t.Errorf("%s: %s: %+v", id, f.Quantity, f)
			}
		}
	}
}
