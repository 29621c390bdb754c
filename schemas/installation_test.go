package schemas

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

func sampleInstallation() Installation {
	return Installation{
		Meter: "P_42", Serial: "2019000123",
		From: at2026(0), To: at2026(50),
		First:      map[Quantity]Decimal{"power.energy.import": {12, -1}, "power.energy.export": {}},
		Last:       map[Quantity]Decimal{"power.energy.import": {999999, -1}},
		WrapsAt:    map[Quantity]Decimal{"power.energy.import": {1, 6}},
		Multiplier: Decimal{1500, 0},
	}
}

func TestInstallationValidate(t *testing.T) {
	if err := sampleInstallation().Validate(); err != nil {
		t.Fatal(err)
	}
	only := func(q Quantity, v Decimal) map[Quantity]Decimal { return map[Quantity]Decimal{q: v} }
	for _, c := range []struct {
		field string
		spoil func(i *Installation)
	}{
		{"meter", func(i *Installation) { i.Meter = "" }},
		{"serial", func(i *Installation) { i.Serial = "a\nb" }},
		{"serial", func(i *Installation) { i.Serial = strings.Repeat("1", maxName+1) }},
		{"from", func(i *Installation) { i.From = time.Time{} }},
		{"from", func(i *Installation) { i.From = i.From.Add(1) }},
		{"to", func(i *Installation) { i.To = i.From }},
		{"to", func(i *Installation) { i.To = i.From.AddDate(300, 0, 0) }},
		{"last", func(i *Installation) { i.To = time.Time{} }},
		{"multiplier", func(i *Installation) { i.Multiplier = Decimal{} }},
		{"multiplier", func(i *Installation) { i.Multiplier = Decimal{-1, 0} }},
		{"multiplier.exponent", func(i *Installation) { i.Multiplier = Decimal{1, 19} }},
		{"first.power.active", func(i *Installation) { i.First = only("power.active", Decimal{1, 0}) }},
		{"first.power.colour", func(i *Installation) { i.First = only("power.colour", Decimal{1, 0}) }},
		{"first.power.energy.import", func(i *Installation) { i.First = only("power.energy.import", Decimal{-1, 0}) }},
		{"last.power.energy.import.exponent", func(i *Installation) { i.Last = only("power.energy.import", Decimal{1, -19}) }},
		{"last.power.energy.import", func(i *Installation) { i.Last = only("power.energy.import", Decimal{1000000, 0}) }},
		{"wraps_at.power.energy.import", func(i *Installation) { i.WrapsAt = only("power.energy.import", Decimal{0, 3}) }},
	} {
		i := sampleInstallation()
		c.spoil(&i)
		wantField(t, i.Validate(), c.field)
	}
}

func TestInstallationStandsAt(t *testing.T) {
	i := sampleInstallation()
	open := i
	open.To, open.Last = time.Time{}, nil
	for _, c := range []struct {
		i    Installation
		at   time.Time
		want bool
	}{
		{i, i.From.Add(-time.Millisecond), false}, {i, i.From, true},
		{i, i.To.Add(-time.Millisecond), true}, {i, i.To, false},
		{open, i.From.Add(-time.Millisecond), false}, {open, i.To.AddDate(100, 0, 0), true},
	} {
		if got := c.i.StandsAt(c.at); got != c.want {
			t.Errorf("from %s to %s at %s: %v", c.i.From, c.i.To, c.at, got)
		}
	}
}

func TestSortInstallations(t *testing.T) {
	at := func(meter MeterID, from, to int) Installation {
		i := Installation{Meter: meter, From: at2026(from), Multiplier: Decimal{1, 0}}
		if to > 0 {
			i.To = at2026(to)
		}
		return i
	}
	list := []Installation{at("b", 0, 0), at("a", 20, 0), at("a", 5, 20), at("a", 1, 3)}
	if err := SortInstallations(list); err != nil {
		t.Fatal(err)
	}
	want := []Installation{at("a", 1, 3), at("a", 5, 20), at("a", 20, 0), at("b", 0, 0)}
	if !reflect.DeepEqual(list, want) {
		t.Errorf("sorted as %+v", list)
	}
	for _, overlap := range [][]Installation{
		{at("a", 1, 0), at("a", 5, 9)}, {at("a", 5, 9), at("a", 1, 6)}, {at("a", 1, 2), at("a", 1, 3)},
	} {
		if err := SortInstallations(overlap); err == nil || !strings.Contains(err.Error(), "meter a: the installation from 2026-03-01T08:00:") {
			t.Errorf("%+v: error %v", overlap, err)
		}
	}
	wantField(t, SortInstallations([]Installation{at("a", 1, 3), at("a/b", 1, 3)}), "installations[1].meter")
}

const installationText = `{"meter":"P_42","serial":"2019000123","from":"2026-03-01T08:00:00.250Z","to":"2026-03-01T08:00:50.250Z",` +
	`"first":{"power.energy.export":"0","power.energy.import":"1.2"},"last":{"power.energy.import":"99999.9"},` +
	`"wraps_at":{"power.energy.import":"1000000"},"multiplier":"1500"}`

func TestInstallationJSON(t *testing.T) {
	least := `{"meter":"m","from":"2026-03-01T08:00:00.250Z","multiplier":"0.001"}`
	for _, doc := range []string{installationText, least} {
		var i Installation
		if err := json.Unmarshal([]byte(doc), &i); err != nil {
			t.Fatal(err)
		}
		out, err := json.Marshal(i)
		if err != nil || string(out) != doc {
			t.Errorf("got %s, %v, want %s", out, err, doc)
		}
	}
	for _, c := range []struct{ old, new, field string }{
		{`"meter":"P_42",`, ``, "meter"},
		{`"serial":"2019000123"`, `"serial":""`, "serial"},
		{`"serial"`, `"Serial"`, "Serial"},
		{`"2026-03-01T08:00:50.250Z"`, `null`, "to"},
		{`08:00:00.250Z`, `08:00:00Z`, "from"},
		{`,"multiplier":"1500"`, ``, "multiplier"},
		{`"1500"`, `1500`, "multiplier"},
		{`"power.energy.export":"0"`, `"power.energy.export":0`, "first.power.energy.export"},
		{`"power.energy.export":"0"`, `"power.energy.import":"0"`, "first.power.energy.import"},
		{`"power.energy.export":"0"`, `"power.colour":"0"`, "first.power.colour"},
		{`{"power.energy.import":"99999.9"}`, `{}`, "last"},
		{`{"power.energy.import":"99999.9"}`, `[]`, "last"},
		{`"99999.9"`, `"1000000"`, "last.power.energy.import"},
	} {
		doc := strings.Replace(installationText, c.old, c.new, 1)
		var i Installation
		err := json.Unmarshal([]byte(doc), &i)
		if err == nil {
			t.Errorf("accepted %s", doc)
			continue
		}
		wantField(t, err, c.field)
	}
	if _, err := json.Marshal(Installation{Meter: "m"}); err == nil {
		t.Error("wrote an unsound installation")
	}
}

const installationYAML = `
meter: P_42
serial: "2019000123"
from: 2026-03-01T16:00:00.250+08:00
to: "2026-03-01T08:00:50.250Z"
first: {power.energy.import: 1.2, power.energy.export: 000}
last: {power.energy.import: "099999.9"}
wraps_at: {power.energy.import: 1000000}
multiplier: 1500
`

func decodeYAML(text string) (i Installation, err error) {
	dec := yaml.NewDecoder(strings.NewReader(text))
	dec.KnownFields(true)
	err = dec.Decode(&i)
	return i, err
}

func TestInstallationYAML(t *testing.T) {
	got, err := decodeYAML(installationYAML)
	if err != nil {
		t.Fatal(err)
	}
	want := sampleInstallation()
	want.WrapsAt = map[Quantity]Decimal{"power.energy.import": {1000000, 0}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, err = decodeYAML("from: 2026-03-01T08:00:00+08:00\n"); err != nil || got.Multiplier != (Decimal{1, 0}) || got.Meter != "" {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, c := range []struct{ old, new, want string }{
		{"multiplier: 1500", "factor: 1500", "field factor not found"},
		{"2026-03-01T16:00:00.250+08:00", "2026-03-01", "with its zone"},
		{"2026-03-01T16:00:00.250+08:00", "2026-03-01 16:00:00", "with its zone"},
		{"multiplier: 1500", "multiplier: 1_500", "decimal"},
		{"multiplier: 1500", "multiplier: 0x10", "decimal"},
		{"power.energy.export: 000", "power.energy.import: 0", "already"},
	} {
		if _, err := decodeYAML(strings.Replace(installationYAML, c.old, c.new, 1)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.new, err, c.want)
		}
	}
	exact, err := decodeYAML("from: 2026-03-01T08:00:00Z\nfirst: {water.volume.forward: 12345678901234567.10}\n")
	if err != nil || exact.First["water.volume.forward"] != (Decimal{1234567890123456710, -2}) {
		t.Errorf("%+v, %v", exact, err)
	}
}

func FuzzInstallationJSON(f *testing.F) {
	f.Add([]byte(installationText))
	f.Fuzz(func(t *testing.T, data []byte) {
		var i, again Installation
		if json.Unmarshal(data, &i) != nil {
			return
		}
		out, err := json.Marshal(i)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out, &again); err != nil || !reflect.DeepEqual(again, i) {
			t.Fatalf("%s came back as %+v, %v, want %+v", out, again, err, i)
		}
	})
}

func TestSuccessRate(t *testing.T) {
	if _, ok := (MeterHealth{}).SuccessRate(); ok {
		t.Error("a rate of no slots")
	}
	if rate, ok := (MeterHealth{Planned: 4, Read: 3}).SuccessRate(); !ok || rate != 0.75 {
		t.Errorf("rate %v, %v", rate, ok)
	}
}

func TestHealthValidate(t *testing.T) {
	for _, c := range []struct {
		field string
		h     MeterHealth
	}{
		{"health[0].drift_ms", MeterHealth{Meter: "m", Drift: time.Second}},
		{"health[0].drift_ms", MeterHealth{Meter: "m", Drift: time.Microsecond, DriftKnown: true}},
		{"health[0].drift_ms", MeterHealth{Meter: "m", Drift: MaxDrift + time.Millisecond, DriftKnown: true}},
		{"health[0].drift_ms", MeterHealth{Meter: "m", Drift: -MaxDrift - time.Millisecond, DriftKnown: true}},
		{"health[0].planned", MeterHealth{Meter: "m", Planned: MaxCount + 1}},
		{"health[0].read", MeterHealth{Meter: "m", Planned: 1, Read: 2}},
		{"health[0].error", MeterHealth{Meter: "m", Error: "a\nb"}},
		{"health[0].meter", MeterHealth{}},
	} {
		s := sampleStatus()
		s.Health = []MeterHealth{c.h}
		wantField(t, s.Validate(), c.field)
	}
	s := sampleStatus()
	s.Health = make([]MeterHealth, MaxHealth+1)
	wantField(t, s.Validate(), "health")
}
