package detect

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
)

// reads gives one read a minute; each text is pairs of quantity and value, or
// "" for no read.
func reads(l *log, every time.Duration, list []string) {
	l.t.Helper()
	for i, text := range list {
		if text == "" {
			continue
		}
		why := schemas.Reason("")
		if rest, ok := strings.CutPrefix(text, "reverse "); ok {
			text, why = rest, schemas.ReasonReverse
		} else if rest, ok := strings.CutPrefix(text, "suspect "); ok {
			text, why = rest, schemas.ReasonRange
		} else if rest, ok := strings.CutPrefix(text, "swap "); ok {
			text, why = rest, schemas.ReasonSwap
		}
		rs := read(start.Add(time.Duration(i)*every), strings.Fields(text)...)
		if why != "" {
			rs = suspect(rs, why)
		}
		l.observe(rs)
	}
}

// times repeats reads.
func times(parts ...any) (list []string) {
	for i := 0; i < len(parts); i += 2 {
		for range parts[i].(int) {
			list = append(list, parts[i+1].(string))
		}
	}
	return list
}

func TestStates(t *testing.T) {
	prepaid := Rules{Set: Set{CreditOut: CreditOut{Prepaid: new(true)}}}
	expected := Rules{Set: Set{ValveStuck: ValveStuck{Expected: new("open")}}}
	const tilt, contact, level, wet = "device.cover.tilt ", "device.cover.state ", "device.chamber.level ", "device.chamber.float "
	const volts, low = "device.battery.voltage ", "device.battery.state "
	const purse, money, valve = "power.credit.energy ", "power.credit.money ", "water.valve.state "
	const relay, told = "power.relay.state ", " power.relay.command "
	tests := []struct {
		name  string
		rules Rules
		reads []string
		want  string
	}{
		{"tilt, two of three", Rules{}, times(2, tilt+"1", 1, tilt+"20", 1, tilt+"1", 2, tilt+"15.0", 3, tilt+"2"), "04 cover_open + 07 cover_open -"},
		{"one tilted reading", Rules{}, times(3, tilt+"1", 1, tilt+"90", 5, tilt+"1"), ""},
		{"between the two it stays as it is", Rules{}, times(3, tilt+"12", 2, tilt+"16", 9, tilt+"12", 1, tilt+"10", 1, tilt+"12", 1, tilt+"10"), "04 cover_open + 16 cover_open -"},
		{"a suspect tilt", Rules{}, times(5, "suspect "+tilt+"90"), ""},
		{"the contact goes before the tilt", Rules{}, times(3, contact+"0 "+tilt+"90", 2, contact+"1 "+tilt+"0", 2, contact+"0 "+tilt+"90"), "04 cover_open + 06 cover_open -"},
		{"a gap begins it anew", Rules{}, times(1, tilt+"20", 40, "", 1, tilt+"20", 1, tilt+"20"), "42 cover_open +"},
		{"a gap does not clear", Rules{}, times(2, tilt+"20", 40, "", 1, tilt+"0", 40, "", 1, tilt+"0"), "01 cover_open +"},
		{"level", Rules{}, times(2, level+"0.45", 2, level+"0.50", 5, level+"0.41", 2, level+"0.40"), "03 water_level + 10 water_level -"},
		{"float switch", Rules{}, times(2, wet+"0", 2, wet+"1", 2, wet+"0"), "03 water_level + 05 water_level -"},
		{"the level is low, the float says wet", Rules{}, times(2, wet+"1 "+level+"0", 4, wet+"1 "+level+"0", 2, wet+"0 "+level+"0.45", 2, wet+"0 "+level+"0.1"), "01 water_level + 09 water_level -"},
		{"battery voltage", Rules{}, times(3, volts+"3.2", 3, volts+"3.10", 6, volts+"3.2", 3, volts+"3.6"), "05 battery_low + 14 battery_low -"},
		{"battery state", Rules{}, times(2, low+"0", 3, low+"1", 3, low+"0"), "04 battery_low + 07 battery_low -"},
		{"the state is low, the voltage good", Rules{}, times(3, low+"1 "+volts+"3.6", 3, low+"0 "+volts+"3.6"), "02 battery_low + 05 battery_low -"},
		{"credit", Rules{}, times(1, purse+"3", 2, purse+"0", 2, purse+"50"), "02 credit_out + 04 credit_out -"},
		{"never loaded", Rules{}, times(9, purse+"0"), ""},
		{"never loaded, but of prepayment", prepaid, times(9, purse+"0"), "01 credit_out +"},
		{"of money, with no energy", Rules{}, times(3, purse+"0 "+money+"20", 3, purse+"0 "+money+"0"), "04 credit_out +"},
		{"of money, not read", Rules{}, times(3, purse+"0 "+money+"20", 5, purse+"0"), ""},
		{"one purse of two is not read", Rules{}, times(3, purse+"3 "+money+"20", 5, purse+"0"), ""},
		{"overdrawn", Rules{}, times(1, purse+"3", 2, purse+"-1.5", 1, purse+"1", 1, purse+"-1", 1, purse+"1"), "02 credit_out + 05 credit_out -"},
		{"valve abnormal", Rules{}, times(2, valve+"1", 12, valve+"2", 3, valve+"1"), "12 valve_stuck + 15 valve_stuck -"},
		{"valve on its way", Rules{}, times(2, valve+"1", 5, valve+"3", 3, valve+"0", 12, valve+"3"), "20 valve_stuck +"},
		{"valve closed, nobody minds", Rules{}, times(20, valve+"0"), ""},
		{"valve closed, expected open", expected, times(12, valve+"0", 2, valve+"1"), "10 valve_stuck + 13 valve_stuck -"},
		{"closed for want of credit", expected, times(1, "water.credit.volume 1 "+valve+"1", 20, "water.credit.volume 0 "+valve+"0"), "02 credit_out +"},
		{"a gap in the valve's", Rules{}, times(5, valve+"2", 40, "", 5, valve+"2"), ""},
		{"relay", Rules{}, times(3, relay+"0"+told+"0", 12, relay+"0"+told+"1", 2, relay+"1"+told+"1"), "13 valve_stuck + 16 valve_stuck -"},
		{"relay without its command", Rules{}, times(20, relay+"1"), ""},
		{"switched off", Rules{Set: Set{CoverOpen: CoverOpen{Off: new(true)}}}, times(5, tilt+"90"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, restart := range []bool{false, true} {
				l := &log{t: t, d: one(t, tt.rules)}
				for i := range tt.reads {
					reads(l, time.Minute, append(make([]string, i), tt.reads[i]))
					if restart {
						l.restart(func() *Detector { return one(t, tt.rules) })
					}
				}
				var got []string
				for _, e := range l.events {
					sign := map[schemas.EventPhase]string{schemas.EventOpened: "+", schemas.EventCleared: "-"}[e.Phase]
					got = append(got, fmt.Sprintf("%02d %s %s", int(e.TakenAt.Sub(start).Minutes()), e.Kind, sign))
				}
				if s := strings.Join(got, " "); s != tt.want {
					t.Errorf("got %q, want %q", s, tt.want)
				}
			}
		})
	}
}

func TestReverse(t *testing.T) {
	rules := Rules{Set: Set{ReverseFlow: ReverseFlow{Within: new(time.Hour), ClearAfter: new(30 * time.Minute)}}}
	const back, net, flow = "water.volume.reverse ", "water.volume.net ", "water.flow "
	tests := []struct {
		name  string
		reads []string
		want  string
	}{
		{"stands", times(99, back+"5.000"), ""},
		{"a little", times(9, back+"5.000", 90, back+"5.100"), ""},
		{"more than a little", times(9, back+"5.000", 40, back+"5.101"), "09 + 39 -"},
		{"judged to be reverse", times(9, back+"5.000", 1, "reverse "+back+"5.200", 40, back+"5.200"), "09 + 39 -"},
		{"a value in doubt", times(9, back+"5.000", 3, "suspect "+back+"9.200", 40, back+"5.000"), ""},
		{"slowly, over many hours", func() (list []string) {
			for i := range 600 {
				list = append(list, fmt.Sprintf(back+"%.4f", 5+float64(i)*0.0005)) // 0.03 in an hour
			}
			return list
		}(), ""},
		{"slowly, but too much for an hour or two", func() (list []string) {
			for i := range 100 {
				list = append(list, fmt.Sprintf(back+"%.4f", 5+float64(i)*0.002))
			}
			return list
		}(), "51 +"},
		{"a jump in a gap above two hours is of no known time", times(1, back+"5", 125, "", 1, back+"6"), ""},
		{"a gap in the register does not clear", times(1, back+"5", 1, back+"5.2", 32, "", 2, back+"5.2", 32, "", 2, back+"5.2"), "01 +"},
		{"a register that begins anew", times(5, back+"99", 5, back+"0.0"), ""},
		{"the net one falls", times(5, net+"50.0", 5, net+"51.0", 2, net+"50.8", 40, net+"51"), "10 + 40 -"},
		{"the net one wavers", times(5, net+"50.0", 5, net+"50.05", 2, net+"50.0", 40, net+"50.0"), ""},
		{"another net register, below zero", append(times(5, net+"50.0"), append([]string{"swap " + net + "-7"}, times(9, net+"-7.0")...)...), ""},
		{"the flow", times(5, flow+"1", 11, flow+"-0.050", 40, flow+"0"), "15 + 45 -"},
		{"the flow, judged to be reverse", times(5, flow+"1", 11, "reverse "+flow+"-1", 40, flow+"0"), "15 + 45 -"},
		{"the flow, for a moment", times(5, flow+"1", 9, flow+"-1", 1, flow+"0", 9, flow+"-1", 40, flow+"0"), ""},
		{"less than the limit does not open, nor clear", times(5, flow+"-0.04", 11, flow+"-1", 90, flow+"-0.01"), "15 +"},
		{"a gap does not clear", times(11, flow+"-1", 60, "", 2, flow+"0"), "10 +"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := &log{t: t, d: one(t, rules)}
			for i := range tt.reads {
				reads(l, time.Minute, append(make([]string, i), tt.reads[i]))
				l.restart(func() *Detector { return one(t, rules) })
			}
			var got []string
			for _, e := range l.events {
				if e.Kind == schemas.EventReverseFlow {
					got = append(got, fmt.Sprintf("%02d %s", int(e.TakenAt.Sub(start).Minutes()), map[schemas.EventPhase]string{schemas.EventOpened: "+", schemas.EventCleared: "-"}[e.Phase]))
				}
			}
			if s := strings.Join(got, " "); s != tt.want {
				t.Errorf("got %q, want %q", s, tt.want)
			}
		})
	}
}

// An event began with the first look for it since one against it.
func TestSince(t *testing.T) {
	l := &log{t: t, d: one(t, Rules{})}
	const tilt = "device.cover.tilt "
	reads(l, time.Minute, []string{tilt + "1", tilt + "20", tilt + "12", tilt + "20"})
	if len(l.events) != 1 || !l.events[0].Since.Equal(start.Add(time.Minute)) || l.events[0].TakenAt.Sub(start) != 3*time.Minute {
		t.Errorf("%+v", l.events)
	}
}

// A state that is not this program's may hold any moment; its events are well
// formed all the same.
func TestMomentsOutOfAllBounds(t *testing.T) {
	for _, ms := range []string{"-9223372036854775808", "-1000000000000000", "9223372036854775807"} {
		for _, memory := range []string{
			`{"leak":{"burst":{"high":` + ms + `,"seen":` + ms + `}}}`, `{"valve":{"wrong":` + ms + `,"at":1}}`,
			`{"cover":{"for":7,"at":1,"first":` + ms + `}}`, `{"contact":{"silent":` + ms + `}}`,
			`{"reverse":{"old":{"v":"1","at":` + ms + `},"new":{"v":"1","at":` + ms + `}}}`,
		} {
			d := one(t, Rules{})
			if err := d.Restore([]byte(`{"version":1,"collector":"c001","meters":{"m":{"memory":` + memory + `}}}`)); err != nil {
				t.Fatal(err)
			}
			l := &log{t: t, d: d}
			for i := range 3 {
				at := start.Add(time.Duration(i) * time.Minute)
				l.observe(read(at, "water.flow", "9", "water.valve.state", "2", "device.cover.tilt", "90", "water.volume.reverse", "9"))
				l.add(d.Silent("m", "l", at, MeterSilent))
				l.add(d.Tick(at))
			}
		}
	}
}
