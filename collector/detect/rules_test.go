package detect

import (
	"errors"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"citygrid/internal/strictyaml"
	"citygrid/schemas"
)

func parse(t testing.TB, text string) Rules {
	t.Helper()
	var r Rules
	if err := strictyaml.Decode([]byte(text), &r); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return r
}

const everyKey = `max_gap: 20m
leak: {off: false, window: "01:00-03:30", above: 0.02, below: 0.01, nights: 3, coverage: 90, clear_after: 1h}
burst: {off: true, above: 5, below: 2.5, for: 10m, clear_for: 5m}
reverse_flow: {off: false, volume: 0.2, within: 12h, flow: 0.1, for: 5m, clear_after: 3h, clear_volume: 0.02}
cover_open: {off: false, above: 20, below: 5, agree: 3, of: 5}
water_level: {off: false, above: 1.2, below: 1.0, agree: 3, of: 4}
valve_stuck: {off: false, for: 5m, clear_for: 30s, expected: open}
battery_low: {off: false, above: 3.4, below: 3.2, agree: 2, of: 2}
credit_out: {off: false, below: -5, above: 1, agree: 1, of: 1, prepaid: true}
meter_offline: {off: false, after: 5, answers: 3, hold: 2m}
line_offline: {off: false, answers: 3, hold: 2m}
gateway_offline: {off: false, after: 1m, answers: 3, hold: 2m}
classes:
  large: {leak: {above: 1.5}}
  lift: {cover_open: {agree: 1, of: 1}}
meters:
  W-1: {leak: {off: true}, valve_stuck: {expected: closed}}
`

func TestRules(t *testing.T) {
	r := parse(t, everyKey)
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	again, err := yaml.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if second, _ := yaml.Marshal(parse(t, string(again))); string(second) != string(again) {
		t.Errorf("%s\ncame back as\n%s", again, second)
	}
	small, large, own := r.of("", ""), r.of("large", ""), r.of("large", "W-1")
	if got := schemas.Decimal(*small.Leak.Above).String(); got != "0.02" {
		t.Errorf("above %s", got)
	}
	// What a class leaves out is that of the class of the same name in Default, then
	// that on top.
	if got := *large.Leak.Nights; got != 1 || schemas.Decimal(*large.Leak.Above).String() != "1.5" || *large.Leak.Coverage != 90 {
		t.Errorf("large: %d nights, above %s", got, schemas.Decimal(*large.Leak.Above))
	}
	if !*own.Leak.Off || *own.ValveStuck.Expected != "closed" || *large.ValveStuck.Expected != "open" || *own.Leak.Coverage != 90 {
		t.Error("W-1's own rules are not its own")
	}
	if err := Default().Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	if err := (Rules{}).Validate(); err != nil {
		t.Errorf("no rules: %v", err)
	}
}

func TestRulesRefused(t *testing.T) {
	for text, want := range map[string]string{
		"max_gap: 10ms":                                      "max_gap: 10ms is outside 1s to 12h0m0s; write it with its unit",
		"leak: {window: 2-4}":                                `leak.window: "2-4" is no window; write two times of the day, as 02:00-04:00`,
		"leak: {window: 02:00-02:00}":                        "leak.window: ",
		"leak: {window: 24:00-02:00}":                        "leak.window: ",
		"leak: {window: 02:00-24:01}":                        "leak.window: ",
		"leak: {window: 02:00-03:00-04:00}":                  "leak.window: ",
		"leak: {above: 0}":                                   "leak.above: 0; write a number above 0",
		"leak: {above: 0.001}":                               "leak.below: 0.005 is above leak.above, 0.001",
		"leak: {below: -1}":                                  "leak.below: -1; write a number above 0",
		"leak: {above: 1e7}":                                 "leak.above: 10000000; write at most a million",
		"leak: {above: 0.12345678}":                          "leak.above: 0.12345678; write at most",
		"leak: {nights: 0}":                                  "leak.nights: 0 is outside 1 to 30",
		"leak: {coverage: 101}":                              "leak.coverage: 101 is outside 1 to 100",
		"leak: {clear_after: -1s}":                           "leak.clear_after: -1s is outside",
		"burst: {below: 4}":                                  "burst.below: 4 is above burst.above, 3.0",
		"burst: {for: 0s}":                                   "burst.for: 0s is outside",
		"reverse_flow: {clear_volume: 1}":                    "reverse_flow.clear_volume: 1; write 0 to reverse_flow.volume, 0.100",
		"reverse_flow: {volume: 0}":                          "reverse_flow.volume: 0; write a number above 0",
		"cover_open: {agree: 4}":                             "cover_open.agree: 4 is outside 1 to 3",
		"cover_open: {agree: 1}":                             "cover_open.agree: 1 of 3 is no majority",
		"cover_open: {of: 33}":                               "cover_open.of: 33 is outside 1 to 32",
		"cover_open: {below: 16}":                            "cover_open.below: 16 is above cover_open.above, 15",
		"valve_stuck: {expected: shut}":                      `valve_stuck.expected: "shut"; write open, closed or any`,
		"meter_offline: {after: 0}":                          "meter_offline.after: 0 is outside 1 to 1000",
		"gateway_offline: {after: 0s}":                       "gateway_offline.after: 0s is outside",
		"line_offline: {answers: 0}":                         "line_offline.answers: 0 is outside 1 to 100",
		"classes: {large: {leak: {window: x}}}":              `classes.large.leak.window: "x" is no window`,
		"classes: {\"\": {}}":                                "classes: a class without a name",
		"meters: {W-1: {burst: {below: 9}}}":                 "meters.W-1.burst.below: 9 is above",
		"meters: {\"W 1\": {}}":                              "meters.W 1: ",
		"leak: {coverage: 0}\nburst: {for: 0s}\nmax_gap: 0s": "burst.for",
		"classes: {small: {leak: {above: 2}}, large: {burst: {above: 1}}}": "classes.large.burst.below: 30 is above classes.large.burst.above, 1",
	} {
		err := parse(t, text).Validate()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
			continue
		}
		if e, ok := errors.AsType[*RuleError](err); !ok || e.Key == "" {
			t.Errorf("%s: no RuleError: %v", text, err)
		}
	}
	for text, want := range map[string]string{
		"leek: {}":            "line 1: field leek not found",
		"leak: {abov: 1}":     "field abov not found",
		"leak: {above: much}": `line 1: "much" is no number`,
		"leak: {above: [1]}":  "is no number",
		"max_gap: soon":       "line 1: cannot unmarshal",
		"max_gap: 15":         "line 1: cannot unmarshal !!int",
	} {
		var r Rules
		if err := strictyaml.Decode([]byte(text), &r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}

func TestNewRefused(t *testing.T) {
	good := Meter{ID: "m", Line: "l", Interval: time.Minute}
	for want, site := range map[string]Site{
		"collector":                    {Meters: []Meter{good}},
		"meter m is given twice":       {Collector: "c", Meters: []Meter{good, good}},
		"meter m: interval 0s":         {Collector: "c", Meters: []Meter{{ID: "m", Line: "l"}}},
		"meter m: no line":             {Collector: "c", Meters: []Meter{{ID: "m", Interval: 1}}},
		`is of class "lrage"`:          {Collector: "c", Meters: []Meter{{ID: "m", Line: "l", Interval: 1, Class: "lrage"}}},
		`meter: "a b"`:                 {Collector: "c", Meters: []Meter{{ID: "a b", Line: "l", Interval: 1}}},
		"meter k of class \"steep\": ": {Collector: "c", Meters: []Meter{{ID: "k", Line: "l", Interval: 1, Class: "steep"}}},
	} {
		rules := Rules{Classes: map[string]Set{"steep": {Leak: Leak{Above: amount("0.3"), Below: amount("0.2")}}},
			Meters: map[schemas.MeterID]Set{"k": {Leak: Leak{Above: amount("0.1"), Below: amount("0.1")}, Burst: Burst{Above: amount("2"), Below: amount("2")}}}}
		if strings.Contains(want, "steep") {
			rules.Meters["k"] = Set{Leak: Leak{Above: amount("0.1")}}
		}
		if _, err := New(rules, site); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if d, err := New(Rules{}, Site{Collector: "c", Meters: []Meter{{ID: "m", Line: "l", Interval: time.Minute, Class: "large"}}}); err != nil || d.meters[0].rules.leak.count != 1 {
		t.Errorf("the class of Default: %v", err)
	}
	if _, err := New(Rules{Set: Set{MaxGap: new(time.Duration(0))}}, Site{Collector: "c"}); err == nil {
		t.Error("rules that cannot be are taken")
	}
}

// FuzzRules: what Validate takes, New can use for any meter; nothing panics.
func FuzzRules(f *testing.F) {
	f.Add([]byte(everyKey))
	f.Add([]byte("leak: {window: 23:59:59-00:00:01, above: 1e-3, below: 1e-6}\nclasses: {large: {max_gap: 1h}}"))
	f.Add([]byte("meters: {m: {credit_out: {below: -1, above: -1}}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var r Rules
		if strictyaml.Decode(data, &r) != nil || r.Validate() != nil {
			return
		}
		site := Site{Collector: "c", Meters: []Meter{{ID: "m", Line: "l", Interval: time.Minute}, {ID: "n", Line: "l", Interval: time.Hour}}}
		d, err := New(r, site)
		if err != nil {
			t.Fatalf("taken by Validate, not by New: %v", err)
		}
		l := &log{t: t, d: d}
		for i := range 200 {
			at := start.Add(time.Duration(i) * time.Minute)
			l.observe(read(at, "water.volume.forward", cubicMetres(1000+i*100), "water.flow", "6", "device.cover.tilt", "50", "power.credit.money", "0"))
			l.add(d.Silent("n", "l", at, Cause(i%2)))
			l.add(d.Tick(at))
		}
	})
}
