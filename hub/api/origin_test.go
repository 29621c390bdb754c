package api

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"citygrid/hub/consumption"
	"citygrid/schemas"
)

func fromMemory(o schemas.Origin, r schemas.Reading) schemas.Reading {
	r.Origin = o
	return r
}

// A record of a meter's memory that comes later is no newer value, whatever its
// time: by a fast clock it may even be of the future.
func TestLiveLooksAtLiveReadings(t *testing.T) {
	l := NewLive(func() time.Time { return epoch })
	at := epoch.Add(-time.Minute)
	l.Stored([]schemas.Reading{
		reading("P-1", "power.energy.import", 700, at),
		fromMemory(schemas.DailyFreeze, reading("P-1", "power.energy.import", 600, epoch.Add(time.Hour))),
		fromMemory(schemas.LoadRecord, reading("P-2", "power.energy.import", 500, at.Add(-240*time.Hour))),
	}, epoch)
	d, ok := l.Meter("P-1")
	if !ok || len(d.Readings) != 1 || *d.Readings[0].Value != "7.00" || !d.Readings[0].TakenAt.Equal(at) {
		t.Errorf("got %+v", d)
	}
	if _, ok := l.Meter("P-2"); ok {
		t.Error("a meter without a live reading is in the live table")
	}
	if n := l.census(epoch); n.recorded != 2 || n.meters != 1 {
		t.Errorf("census %+v", n)
	}
	if w := ask(newHandler(t, func(o *Options) { o.Live = l }), "GET", "/api/v1/flow"); !strings.Contains(w.Body.String(), `"recorded":2`) {
		t.Errorf("flow: %s", w.Body)
	}
	l.Warm([]schemas.Reading{fromMemory(schemas.DailyFreeze, reading("P-3", "power.energy.import", 1, at))})
	if _, ok := l.Meter("P-3"); ok {
		t.Error("warmed with what is not live")
	}
}

func TestCollectorHealth(t *testing.T) {
	l := city()
	health := []schemas.MeterHealth{
		{Meter: "X-9", Planned: 96, Error: "no answer in 1 s"},
		{Meter: "W-1", Planned: 96, Read: 72, Drift: -90 * time.Second, DriftKnown: true},
		{Meter: "W-2"},
	}
	l.CollectorStatus(schemas.Status{Collector: "c1", Area: "330106", At: epoch.Add(time.Second), StartedAt: epoch, Health: health})
	health[0].Error = "changed by the caller"
	body := ask(newHandler(t, func(o *Options) { o.Live = l }), "GET", "/api/v1/collectors").Body.String()
	want := `"health":[{"meter":"X-9","planned":96,"read":0,"success_rate":0,"drift_ms":null,"error":"no answer in 1 s"},` +
		`{"meter":"W-1","planned":96,"read":72,"success_rate":0.75,"drift_ms":-90000,"error":""},` +
		`{"meter":"W-2","planned":0,"read":0,"success_rate":null,"drift_ms":null,"error":""}]`
	if !strings.Contains(body, want) {
		t.Errorf("got  %s\nwant %s", body, want)
	}
	if none := ask(newHandler(t, nil), "GET", "/api/v1/collectors").Body.String(); !strings.Contains(none, `"health":[]`) {
		t.Errorf("a status without health: %s", none)
	}
}

// swapped is a meter's place with a swap in the middle of 2026-02-28 UTC.
func swapped() ([]schemas.Reading, []schemas.Installation) {
	day := func(h int) time.Time { return time.Date(2026, 2, 28, h, 0, 0, 0, time.UTC) }
	const q = schemas.Quantity("power.energy.import")
	one := func(m int64) map[schemas.Quantity]schemas.Decimal {
		return map[schemas.Quantity]schemas.Decimal{q: {Mantissa: m, Exponent: -2}}
	}
	return []schemas.Reading{
			reading("P-1", string(q), 10000, day(-1)),
			fromMemory(schemas.DailyFreeze, reading("P-1", string(q), 10010, day(0))),
			reading("P-1", string(q), 10500, day(10)),
			reading("P-1", string(q), 999950, day(13)),
			reading("P-1", string(q), 25, day(23)),
		}, []schemas.Installation{
			{Meter: "P-1", Serial: "A1", From: day(-100), To: day(12), Last: one(10600), Multiplier: schemas.Decimal{Mantissa: 30}},
			{Meter: "P-1", Serial: "B2", From: day(12), First: one(999900), WrapsAt: one(1000000), Multiplier: schemas.Decimal{Mantissa: 40}},
		}
}

const consumptionAnswer = `{"meter":"P-1","quantity":"power.energy.import","unit":"kW.h",
"from":"2026-02-28T00:00:00Z","to":"2026-03-01T00:00:00Z","value":"227.00","least":"227.00","most":null,"complete":true,
"parts":[
{"serial":"A1","from":"2026-02-28T00:00:00Z","to":"2026-02-28T12:00:00Z","multiplier":"30","registers":"5.90","rollovers":0,"value":"177.00",
"start":{"before":{"at":"2026-02-28T00:00:00Z","value":"100.10","source":"daily_freeze"},"after":{"at":"2026-02-28T00:00:00Z","value":"100.10","source":"daily_freeze"}},
"end":{"before":{"at":"2026-02-28T12:00:00Z","value":"106.00","source":"installation"},"after":{"at":"2026-02-28T12:00:00Z","value":"106.00","source":"installation"}}},
{"serial":"B2","from":"2026-02-28T12:00:00Z","to":"2026-03-01T00:00:00Z","multiplier":"40","registers":"1.25","rollovers":1,"value":"50.00",
"start":{"before":{"at":"2026-02-28T12:00:00Z","value":"9999.00","source":"installation"},"after":{"at":"2026-02-28T12:00:00Z","value":"9999.00","source":"installation"}},
"end":{"before":{"at":"2026-02-28T23:00:00Z","value":"0.25","source":"live"}}}],
"problems":[]}`

func TestConsumption(t *testing.T) {
	readings, installations := swapped()
	s := &fakeSeries{readings: readings}
	var asked schemas.MeterID
	h := newHandler(t, func(o *Options) {
		o.Series = s
		o.Installations = func(m schemas.MeterID) []schemas.Installation { asked = m; return installations }
	})
	const target = "/api/v1/meters/P-1/consumption?quantity=power.energy.import&"
	w := ask(h, "GET", target+"from=2026-02-28T08:00:00%2B08:00&to=2026-03-01T00:00:00Z")
	if got, want := strings.TrimSpace(w.Body.String()), strings.ReplaceAll(consumptionAnswer, "\n", ""); w.Code != 200 || got != want {
		t.Errorf("%d\ngot  %s\nwant %s", w.Code, got, want)
	}
	if asked != "P-1" || s.asked.meter != "P-1" || s.asked.max != maxRegisters {
		t.Errorf("asked %q, %+v", asked, s.asked)
	}
	for query, want := range map[string]string{
		"": "query.from", "from=2026-03-02T00:00:00Z": "invalid_range", "from=2020-03-02T00:00:00Z": "invalid_range",
		"from=2026-02-28T00:00:00Z&origin=live": "invalid_parameters",
	} {
		if w := ask(h, "GET", target+query); w.Code != 422 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
	for _, q := range []string{"power.active", "power.colour"} {
		if w := ask(h, "GET", "/api/v1/meters/P-1/consumption?from=2026-02-28T00:00:00Z&quantity="+q); w.Code != 422 || !strings.Contains(w.Body.String(), codeQuantity) {
			t.Errorf("%s: %d %s", q, w.Code, w.Body)
		}
	}
}

func TestConsumptionThatIsNotKnown(t *testing.T) {
	const target = "/api/v1/meters/P-1/consumption?quantity=power.energy.import&from=2026-02-28T00:00:00Z"
	s := &fakeSeries{}
	h := newHandler(t, func(o *Options) { o.Series = s })
	var got ConsumptionJSON
	if err := json.Unmarshal(ask(h, "GET", target).Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Value != nil || got.Most != nil || got.Complete || len(got.Problems) != 2 || got.Problems[0].Code != "no_record" || got.Problems[1].Code != "no_reading" {
		t.Errorf("without readings and records: %+v", got)
	}
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{{ErrTooMany, 422, codeRange}, {context.DeadlineExceeded, 503, codeStore}} {
		s.err = c.err
		if w := ask(h, "GET", target); w.Code != c.status || !strings.Contains(w.Body.String(), c.code) {
			t.Errorf("%v: %d %s", c.err, w.Code, w.Body)
		}
	}
	s.err = nil
	s.readings = []schemas.Reading{reading("P-2", "power.energy.import", 1, epoch)}
	if w := ask(h, "GET", target); w.Code != 422 || !strings.Contains(w.Body.String(), codeConsumption) {
		t.Errorf("a reading of another meter: %d %s", w.Code, w.Body)
	}
}

// The lists of words in the contract are those of the code.
func TestEnums(t *testing.T) {
	var origins, codes []string
	for _, o := range schemas.Origins() {
		origins = append(origins, originName(o))
		if parseOrigin(originName(o)) != o {
			t.Errorf("origin %q does not come back", o)
		}
	}
	for _, c := range consumption.Codes() {
		codes = append(codes, string(c))
	}
	all := strings.Join(origins, ",")
	for _, c := range []struct {
		form        any
		field, want string
	}{
		{readingsInput{}, "Origin", all}, {ReadingsJSON{}, "Origin", all}, {RegisterValue{}, "Source", all + ",installation"},
		{ConsumptionGap{}, "Code", strings.Join(codes, ",")},
	} {
		f, ok := reflect.TypeOf(c.form).FieldByName(c.field)
		if got := f.Tag.Get("enum"); !ok || got != c.want {
			t.Errorf("%T.%s: %q, want %q", c.form, c.field, got, c.want)
		}
	}
}
