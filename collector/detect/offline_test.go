package detect

import (
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
)

// lineOf returns a Detector of a line of meters that are read every minute.
func lineOf(t testing.TB, rules Rules, ids ...schemas.MeterID) *Detector {
	t.Helper()
	site := Site{Collector: "c001"}
	for _, id := range ids {
		site.Meters = append(site.Meters, Meter{ID: id, Line: "l", Interval: time.Minute})
	}
	d, err := New(rules, site)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// script plays one step a minute: for each meter a letter, "+" for an answer,
// "-" for a timeout, "x" for a gateway that refuses, "." for no read; after
// each step the time is told.
func script(l *log, ids []schemas.MeterID, steps string, restart func() *Detector) {
	l.t.Helper()
	at := start
	for step := range strings.FieldsSeq(steps) {
		for i, id := range ids {
			moment := at.Add(time.Duration(i) * time.Second)
			switch step[i] {
			case '+':
				l.add(l.d.Answered(id, "l", moment))
			case '-':
				l.add(l.d.Silent(id, "l", moment, MeterSilent))
			case 'x':
				l.add(l.d.Silent(id, "l", moment, LineDown))
			}
			if restart != nil {
				l.restart(restart)
			}
		}
		l.add(l.d.Tick(at.Add(30 * time.Second)))
		at = at.Add(time.Minute)
	}
}

func TestOffline(t *testing.T) {
	tests := []struct {
		name  string
		rules Rules
		steps string
		want  string
	}{
		{"all answer", Rules{}, "+++ +++ +++ +++", ""},
		{"one does not", Rules{}, "+++ +-+ +-+ +-+ +-+ +++ +++",
			"00:04:01 b meter_offline + 00:06:01 b meter_offline -"},
		{"one is not probed often", Rules{}, "+++ +-+ +.+ +.+ +.+ +.+",
			"00:04:30 b meter_offline +"},
		{"three timeouts are not yet three intervals", Rules{}, "+++ +-+ +-+ +-+ +++", ""},
		{"a flapping one stays offline", Rules{}, "+++ +-+ +-+ +-+ +-+ +++ +-+ +++ +-+ +++ +++",
			"00:04:01 b meter_offline + 00:10:01 b meter_offline -"},
		{"a meter that fails now and then", Rules{}, "+++ +-+ +++ +-+ +++ +-+ +++ +-+ +++", ""},
		{"held", Rules{Set: Set{MeterOffline: MeterOffline{Hold: new(5 * time.Minute)}}}, "+++ +-+ +-+ +-+ +-+ +++ +++ +++ +++ +++ +++",
			"00:04:01 b meter_offline + 00:09:01 b meter_offline -"},
		{"held, then no more reads", Rules{Set: Set{MeterOffline: MeterOffline{Hold: new(5 * time.Minute)}}}, "+++ +-+ +-+ +-+ +-+ +++ +++ ... ... ... ...",
			"00:04:01 b meter_offline + 00:09:30 b meter_offline -"},
		{"all silent", Rules{}, "+++ --- --- --- --- --- +-+ +-+",
			"00:04:00 l line_offline + 00:06:02 l line_offline -"},
		{"all silent, some not probed", Rules{}, "+++ --- -.. -.. -.. -..",
			"00:04:00 l line_offline +"},
		{"until all have been tried nobody is blamed", Rules{}, "+++ --. --. --. --. --- +++ +++",
			"00:05:02 l line_offline + 00:06:02 l line_offline -"},
		{"one was gone before", Rules{}, "+++ -++ -++ -++ -++ -++ -++ --- --- --- --- --- -+- -++ -++ +++ +++",
			"00:04:00 a meter_offline + 00:10:01 l line_offline + 00:13:01 l line_offline - 00:16:00 a meter_offline -"},
		{"one went with the line", Rules{Set: Set{MeterOffline: MeterOffline{After: new(2)}}}, "+++ +++ -++ --- --- --- ---",
			"00:04:00 a meter_offline + 00:05:01 l line_offline + 00:05:01 a meter_offline -"},
		{"after the line each counts anew", Rules{}, "+++ --- --- --- --- -+- -+- -+- -+- -+- -+-",
			"00:04:00 l line_offline + 00:06:01 l line_offline - 00:09:02 c meter_offline + 00:10:00 a meter_offline +"},
		{"lines are not told of", Rules{LineOffline: LineOffline{Off: new(true)}}, "+++ --- --- --- ---",
			"00:04:00 a meter_offline + 00:04:01 b meter_offline + 00:04:02 c meter_offline +"},
		{"the gateway", Rules{}, "+++ xxx xxx xxx xxx +++ +++",
			"00:03:00 l gateway_offline + 00:05:01 l gateway_offline -"},
		{"one refusal", Rules{}, "+++ x.. ... ... ... ...", ""},
		{"the gateway is back, its meters are not", Rules{}, "+++ xxx xxx xxx xxx --- --- --- --- ---",
			"00:03:00 l gateway_offline + 00:05:01 l gateway_offline - 00:08:01 l line_offline +"},
		{"a gateway that flaps", Rules{}, "+++ xxx xxx xxx +xx +xx xxx +++",
			"00:03:00 l gateway_offline + 00:07:01 l gateway_offline -"},
		{"a silent line whose gateway goes", Rules{}, "+++ --- --- --- --- xxx xxx xxx xxx +++ +++",
			"00:04:00 l line_offline + 00:07:00 l gateway_offline + 00:09:01 l gateway_offline - 00:09:01 l line_offline -"},
		{"gateways are not told of", Rules{GatewayOffline: GatewayOffline{Off: new(true)}}, "+++ xxx xxx xxx xxx",
			"00:04:00 l line_offline +"},
		{"while the gateway refuses nothing is held against a meter", Rules{LineOffline: LineOffline{Off: new(true)}}, "+++ --- --- --- x.. ... ---",
			"00:06:00 b meter_offline + 00:06:00 c meter_offline +"},
		{"nor while its event is open", Rules{GatewayOffline: GatewayOffline{Hold: new(10 * time.Minute)}}, "+++ xxx xxx xxx --- --- --- --- --- --- --- --- --- --- ---",
			"00:03:00 l gateway_offline + 00:13:00 l gateway_offline -"},
		{"nobody is told of", Rules{Set: Set{MeterOffline: MeterOffline{Off: new(true)}}}, "+++ --- --- --- --- ---", ""},
	}
	ids := []schemas.MeterID{"a", "b", "c"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, restart := range []func() *Detector{nil, func() *Detector { return lineOf(t, tt.rules, ids...) }} {
				l := &log{t: t, d: lineOf(t, tt.rules, ids...)}
				script(l, ids, tt.steps, restart)
				got := strings.ReplaceAll(strings.Join(l.lines, " "), "03T", "")
				if got != tt.want {
					t.Errorf("restarts %t:\ngot  %s\nwant %s", restart != nil, got, tt.want)
				}
			}
		})
	}
}

func TestOfflineTells(t *testing.T) {
	ids := []schemas.MeterID{"a", "b", "c"}
	l := &log{t: t, d: lineOf(t, Rules{}, ids...)}
	script(l, ids, "+++ --- --- --- ---", nil)
	if len(l.events) != 1 || l.events[0].Affected != 3 || l.events[0].Line != "l" || l.events[0].Meter != "" || !l.events[0].Since.Equal(start.Add(62*time.Second)) {
		t.Errorf("%+v", l.events)
	}
	l.add(l.d.Answered("nobody", "l", start))
	l.add(l.d.Silent("a", "another line", start, LineDown))
	l.want("03T00:04:00 l line_offline +")
}

// A line of one meter cannot be told from its meter.
func TestOneMeterAlone(t *testing.T) {
	ids := []schemas.MeterID{"a"}
	l := &log{t: t, d: lineOf(t, Rules{}, ids...)}
	script(l, ids, "+ - - - - x x x x + +", nil)
	l.want("03T00:04:00 a meter_offline +", "03T00:07:00 l gateway_offline +", "03T00:10:00 l gateway_offline -", "03T00:10:00 a meter_offline -")
}

// A clock that ran years ahead leaves nothing behind that lasts for years.
func TestClockSetBack(t *testing.T) {
	rules := Rules{Set: Set{Leak: Leak{Nights: new(1)}, Burst: Burst{For: new(time.Minute)}}}
	l := &log{t: t, d: one(t, rules)}
	ahead := start.AddDate(10, 0, 0)
	for i := range 3 {
		l.observe(read(ahead.Add(time.Duration(i)*time.Minute), "water.flow", "9", "device.cover.tilt", "90"))
		l.add(l.d.Silent("n", "l", ahead, MeterSilent))
	}
	if len(l.events) != 2 {
		t.Fatal(l.lines)
	}
	l.add(l.d.Tick(start))
	for i := range 20 {
		l.observe(read(start.Add(time.Duration(i)*time.Minute), "water.flow", "0", "device.cover.tilt", "0"))
		l.add(l.d.Silent("n", "l", start.Add(time.Duration(i)*time.Minute), MeterSilent))
		l.add(l.d.Answered("m", "l", start.Add(time.Duration(i)*time.Minute)))
	}
	if open := l.d.Open(); len(open) != 0 {
		t.Errorf("still open: %+v", open)
	}
	for _, e := range l.events {
		if e.Kind == schemas.EventMeterOffline {
			t.Errorf("%+v", e)
		}
	}
}
