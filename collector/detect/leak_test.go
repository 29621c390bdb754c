package detect

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"citygrid/schemas"
)

// house is a water meter whose flow follows the hour: by day it is used, before
// six it is not, and something may leak besides.
type house struct {
	day, night float64 // m3/h
	leak       func(at time.Time) float64
}

func (h house) flow(at time.Time) float64 {
	f := h.day
	if at.In(time.FixedZone("", 8*3600)).Hour() < 6 {
		f = h.night
	}
	if h.leak != nil {
		f += h.leak(at)
	}
	return f
}

// leaking is a leak from one hour after start to another.
func leaking(from, to, flow float64) func(time.Time) float64 {
	return func(at time.Time) float64 {
		if h := at.Sub(start).Hours(); h < from || h >= to {
			return 0
		}
		return flow
	}
}

// face says how a meter is read, and how it shows its volume and flow.
type face struct {
	every  time.Duration
	digits int // after the point; -1: a float32
	volume bool
	flow   bool
	from   float64 // what the register shows at the start, less 1234
}

func (f face) read(at time.Time, volume, flow float64) []schemas.Reading {
	var pairs []string
	if f.volume {
		text := fmt.Sprintf("%.*f", max(f.digits, 0), math.Floor(volume*math.Pow10(max(f.digits, 0))+1e-6)/math.Pow10(max(f.digits, 0)))
		if f.digits < 0 {
			d, _ := schemas.DecimalFromFloat32(float32(volume))
			text = d.String()
		}
		pairs = append(pairs, "water.volume.forward", text)
	}
	if f.flow {
		pairs = append(pairs, "water.flow", fmt.Sprintf("%.3f", flow))
	}
	return read(at, pairs...)
}

// live reads the house for so many days and gives each read to see.
func (h house) live(f face, days int, see func(time.Time, []schemas.Reading)) {
	volume := 1234.0 + f.from
	for at := start; at.Before(start.AddDate(0, 0, days)); at = at.Add(f.every) {
		see(at, f.read(at.Add(300*time.Millisecond), volume, h.flow(at)))
		for m := time.Duration(0); m < f.every; m += time.Minute {
			volume += h.flow(at.Add(m)) * min(f.every-m, time.Minute).Hours()
		}
	}
}

var (
	litres = face{every: quarter, digits: 3, volume: true, flow: false}
	tens   = face{every: quarter, digits: 2, volume: true, flow: false}
	cubic  = face{every: quarter, digits: 0, volume: true, flow: false}
	float  = face{every: quarter, digits: -1, volume: true, flow: false}
	onlyQ  = face{every: quarter, digits: 0, volume: false, flow: true}
	both   = face{every: quarter, digits: 3, volume: true, flow: true}
	coarse = face{every: quarter, digits: 0, volume: true, flow: true}
)

func TestLeak(t *testing.T) {
	oneNight := Rules{Set: Set{Leak: Leak{Nights: new(1)}}}
	nightOnly := Rules{Set: Set{Leak: Leak{Nights: new(1), ClearAfter: new(time.Duration(0))}}}
	tests := []struct {
		name  string
		rules Rules
		house house
		face  face
		want  string
	}{
		{"a sound house", Rules{}, house{day: 0.05}, litres, ""},
		{"nobody at home", Rules{}, house{}, litres, ""},
		{"two nights", Rules{}, house{0.05, 0, leaking(20, 77, 0.03)}, litres, "05T04:00:00 m leak + 07T02:00:00 m leak -"},
		{"one night by rule", oneNight, house{0.05, 0, leaking(20, 77, 0.03)}, litres, "04T04:00:00 m leak + 07T02:00:00 m leak -"},
		{"two hours of standstill by day", oneNight, house{0, 0, leaking(20, 77, 0.03)}, litres, "04T04:00:00 m leak + 06T07:00:00 m leak -"},
		{"one night of two", Rules{}, house{0.05, 0, leaking(20, 40, 0.03)}, litres, ""},
		{"only a night clears", nightOnly, house{0, 0, leaking(20, 77, 0.03)}, litres, "04T04:00:00 m leak + 07T04:00:00 m leak -"},
		{"a register of ten litres", Rules{}, house{0.05, 0, leaking(20, 77, 0.03)}, tens, "05T04:00:00 m leak + 07T02:15:00 m leak -"},
		{"a register of ten litres, a sound house", Rules{}, house{day: 0.05}, tens, ""},
		{"a register of a cubic metre tells nothing", oneNight, house{0.05, 0, leaking(20, 77, 0.03)}, cubic, ""},
		{"a float register", oneNight, house{0, 0, leaking(20, 77, 0.03)}, float, "04T04:00:00 m leak + 06T07:00:00 m leak -"},
		{"a float register that moves by eight litres", oneNight, house{0, 0, leaking(20, 77, 0.03)}, face{every: quarter, digits: -1, volume: true, from: 90000}, "04T04:00:00 m leak + 06T09:30:00 m leak -"},
		{"the flow alone", Rules{}, house{0.05, 0, leaking(20, 77, 0.03)}, onlyQ, "05T04:00:00 m leak + 07T02:00:00 m leak -"},
		{"the flow alone, a sound house", Rules{}, house{day: 0.05}, onlyQ, ""},
		{"both", Rules{}, house{0.05, 0, leaking(20, 77, 0.03)}, both, "05T04:00:00 m leak + 07T02:00:00 m leak -"},
		{"a coarse register and the flow", oneNight, house{0, 0, leaking(20, 77, 0.03)}, coarse, "04T04:00:00 m leak + 07T04:00:00 m leak -"},
		{"below the threshold", oneNight, house{0, 0, leaking(20, 77, 0.009)}, litres, ""},
		{"at the threshold", oneNight, house{0, 0, leaking(20, 77, 0.012)}, litres, "04T04:00:00 m leak + 06T07:00:00 m leak -"},
		{"between the thresholds it stays", oneNight, house{0.05, 0.007, leaking(20, 54, 0.03)}, face{every: quarter, digits: 4, volume: true, flow: false}, "04T04:00:00 m leak +"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := &log{t: t, d: one(t, tt.rules)}
			tt.house.live(tt.face, 5, func(at time.Time, rs []schemas.Reading) {
				l.observe(rs)
				if at.Unix()%7 == 0 {
					l.restart(func() *Detector { return one(t, tt.rules) })
				}
			})
			if got := strings.Join(l.lines, " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A night of which too little is known says nothing, and missing data neither
// opens nor clears.
func TestLeakAndMissingData(t *testing.T) {
	rules := Rules{Set: Set{Leak: Leak{Nights: new(1), ClearAfter: new(3 * time.Hour)}}}
	clock := func(at time.Time) string { return at.In(zone(t, "Asia/Shanghai")).Format("15:04") }
	between := func(from, to string) func(time.Time) bool {
		return func(at time.Time) bool { return clock(at) > from && clock(at) < to }
	}
	leak := house{0, 0, leaking(0, 200, 0.03)}
	tests := []struct {
		name  string
		house house
		lost  func(time.Time) bool
		want  string
	}{
		{"all there", leak, between("99", "99"), "03T04:00:00 m leak +"},
		{"one read", leak, between("02:50", "03:05"), "03T04:00:00 m leak +"},
		{"a gap above half an hour", leak, between("02:50", "03:20"), ""},
		{"the beginning", leak, between("01:50", "02:25"), ""},
		{"the end is read a little late", leak, between("03:50", "04:10"), "03T04:15:00 m leak +"},
		{"the end", leak, between("03:40", "04:25"), ""},
		{"the night", leak, between("01:50", "04:25"), ""},
		{"a night without flow that nobody saw", house{0, 0, func(at time.Time) float64 {
			if clock(at) > "02:05" && clock(at) < "03:55" {
				return 0
			}
			return 0.03
		}}, between("02:01", "03:59"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := &log{t: t, d: one(t, rules)}
			tt.house.live(litres, 1, func(at time.Time, rs []schemas.Reading) {
				if !tt.lost(at) {
					l.observe(rs)
				}
			})
			if got := strings.Join(l.lines, " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	// A gap is a gap, however little of the window must be covered.
	for lost, want := range map[string]int{"02:40": 1, "03:20": 0} {
		l := &log{t: t, d: one(t, Rules{Set: Set{Leak: Leak{Nights: new(1), Coverage: new(30)}}})}
		leak.live(litres, 1, func(at time.Time, rs []schemas.Reading) {
			if !between("02:20", lost)(at) {
				l.observe(rs)
			}
		})
		if len(l.lines) != want {
			t.Errorf("nothing until %s: %q", lost, l.lines)
		}
	}
	// Two nights that lie a week apart are no two nights in a row.
	for apart, want := range map[int]int{3: 1, 6: 0} {
		l := &log{t: t, d: one(t, Rules{})}
		leak.live(litres, 8, func(at time.Time, rs []schemas.Reading) {
			if n := int(at.Sub(start).Hours() / 24); n == 0 || n == apart {
				l.observe(rs)
			}
		})
		if len(l.lines) != want {
			t.Errorf("%d days apart: %q", apart, l.lines)
		}
	}
	// A meter that is read every hour has no reads within half an hour.
	d, err := New(rules, Site{Collector: "c", Zone: zone(t, "Asia/Shanghai"), Meters: []Meter{{ID: "m", Line: "l", Interval: time.Hour}}})
	if err != nil {
		t.Fatal(err)
	}
	hourly := &log{t: t, d: d}
	leak.live(face{every: time.Hour, digits: 3, volume: true}, 1, func(_ time.Time, rs []schemas.Reading) { hourly.observe(rs) })
	hourly.want("03T04:00:00 m leak +")
	// An open leak, and then nothing but two reads of the same value two days apart.
	l := &log{t: t, d: one(t, rules)}
	leak.live(litres, 1, func(_ time.Time, rs []schemas.Reading) { l.observe(rs) })
	l.observe(read(start.Add(30*time.Hour), "water.volume.forward", "1300.000"))
	l.observe(read(start.Add(78*time.Hour), "water.volume.forward", "1300.000"))
	l.add(l.d.Tick(start.Add(80 * time.Hour)))
	l.want("03T04:00:00 m leak +")
}

// Late, refilled and suspect readings decide nothing.
func TestHistoryDecidesNothing(t *testing.T) {
	rules := Rules{Set: Set{Leak: Leak{Nights: new(1)}}}
	for name, spoil := range map[string]func([]schemas.Reading) []schemas.Reading{
		"refilled": func(rs []schemas.Reading) []schemas.Reading { rs[0].Origin = schemas.LoadRecord; return rs },
		"frozen":   func(rs []schemas.Reading) []schemas.Reading { rs[0].Origin = schemas.DailyFreeze; return rs },
		"suspect":  func(rs []schemas.Reading) []schemas.Reading { return suspect(rs, schemas.ReasonJump) },
		"clock":    func(rs []schemas.Reading) []schemas.Reading { return suspect(rs, schemas.ReasonClock) },
		"swapped":  func(rs []schemas.Reading) []schemas.Reading { return suspect(rs, schemas.ReasonSwap) },
		"missing": func(rs []schemas.Reading) []schemas.Reading {
			rs[0].Quality, rs[0].Reason, rs[0].Value = schemas.Missing, schemas.ReasonNaN, schemas.Decimal{}
			return rs
		},
		"unknown meter": func(rs []schemas.Reading) []schemas.Reading { rs[0].Meter = "x"; return rs },
	} {
		l := &log{t: t, d: one(t, rules)}
		house{0, 0, leaking(0, 200, 0.03)}.live(litres, 2, func(_ time.Time, rs []schemas.Reading) { l.observe(spoil(rs)) })
		if len(l.lines) != 0 {
			t.Errorf("%s: %q", name, l.lines)
		}
	}
	// A sound night, and a leaking one before it that comes late.
	l := &log{t: t, d: one(t, rules)}
	var late []schemas.Reading
	house{0, 0, leaking(0, 200, 0.03)}.live(litres, 1, func(_ time.Time, rs []schemas.Reading) { late = append(late, rs...) })
	l.observe(read(start.Add(26*time.Hour), "water.volume.forward", "2000.000"))
	for i := range late {
		l.observe(late[i : i+1])
	}
	l.want()
}

// Another meter, or another level, is no flow.
func TestLeakRebased(t *testing.T) {
	rules := Rules{Set: Set{Leak: Leak{Nights: new(1)}, Burst: Burst{For: new(time.Minute)}}}
	l := &log{t: t, d: one(t, rules)}
	at := start
	step := func(v string) { at = at.Add(quarter); l.observe(read(at, "water.volume.forward", v)) }
	step("1.000")
	step("1.000")
	l.d.Rebased("m")
	l.d.Rebased("nobody")
	step("900.000")
	step("900.000")
	l.observe(suspect(read(at.Add(time.Minute), "water.volume.forward", "5.000"), schemas.ReasonReset))
	step("9000.000")
	step("9000.000")
	step("12.000") // a rollover
	step("12.000")
	l.want()
	step("13.000") // 4 m3/h
	l.want("03T02:15:00 m leak +")
}

func TestBurst(t *testing.T) {
	rules := Rules{Set: Set{Burst: Burst{For: new(5 * time.Minute), ClearFor: new(3 * time.Minute)}}}
	tests := []struct {
		name string
		face face
		flow func(minute int) float64
		want string
	}{
		{"five minutes", face{every: time.Minute, digits: 3, volume: false, flow: true}, func(m int) float64 { return pick(m >= 10 && m < 30, 4) },
			"03T00:15:00 m leak + 03T00:33:00 m leak -"},
		{"by the register", face{every: time.Minute, digits: 3, volume: true, flow: false}, func(m int) float64 { return pick(m >= 10 && m < 30, 4) },
			"03T00:15:00 m leak + 03T00:33:00 m leak -"},
		{"by a coarse register it takes its time", face{every: time.Minute, digits: 1, volume: true, flow: false}, func(m int) float64 { return pick(m >= 10 && m < 100, 4) },
			"03T00:50:00 m leak + 03T02:05:00 m leak -"},
		{"four minutes", face{every: time.Minute, digits: 3, volume: true, flow: true}, func(m int) float64 { return pick(m >= 10 && m < 14, 4) }, ""},
		{"a pause", face{every: time.Minute, digits: 3, volume: false, flow: true}, func(m int) float64 { return pick(m >= 10 && m < 30 && m%4 != 0, 4) }, ""},
		{"between the limits it stays", face{every: time.Minute, digits: 3, volume: false, flow: true}, func(m int) float64 { return 2 * pick(m >= 10, 1) * (1 + pick(m < 30, 1)) },
			"03T00:15:00 m leak +"},
		{"less than the limit", face{every: time.Minute, digits: 3, volume: false, flow: true}, func(int) float64 { return 2.9 }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := &log{t: t, d: one(t, rules)}
			h := house{leak: func(at time.Time) float64 { return tt.flow(int(at.Sub(start).Minutes())) }}
			at := 0
			h.live(tt.face, 1, func(_ time.Time, rs []schemas.Reading) {
				if at++; at < 150 {
					l.observe(rs)
				}
			})
			if got := strings.Join(l.lines, " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func pick(is bool, f float64) float64 {
	if is {
		return f
	}
	return 0
}

// A leak that minutes have opened and a night has confirmed waits for a night.
func TestBurstThatLeaksOn(t *testing.T) {
	l := &log{t: t, d: one(t, Rules{Set: Set{Leak: Leak{Nights: new(1)}}})}
	h := house{leak: func(at time.Time) float64 {
		switch h := at.Sub(start).Hours(); {
		case h < 1:
			return 4
		case h < 30:
			return 1.5
		}
		return 0
	}}
	h.live(both, 2, func(_ time.Time, rs []schemas.Reading) { l.observe(rs) })
	l.want("03T00:15:00 m leak +", "04T08:00:00 m leak -")
	if o := l.events[0]; o.ID != l.events[1].ID || o.Value.Cmp(dec("4")) != 0 || o.Limit.Cmp(dec("3")) != 0 || !o.Since.Equal(start.Add(300*time.Millisecond)) {
		t.Errorf("%+v", l.events)
	}
}

// What an event of a night tells.
func TestLeakTells(t *testing.T) {
	l := &log{t: t, d: one(t, Rules{})}
	house{0, 0, leaking(20, 200, 0.03)}.live(litres, 3, func(_ time.Time, rs []schemas.Reading) { l.observe(rs) })
	if len(l.events) != 1 {
		t.Fatal(l.lines)
	}
	e := l.events[0]
	if e.Quantity != "water.flow" || e.Value.Cmp(dec("0.029")) < 0 || e.Value.Cmp(dec("0.031")) > 0 || e.Limit.Cmp(dec("0.01")) != 0 || e.Affected != 1 {
		t.Errorf("%+v", e)
	}
	if want := start.Add(26 * time.Hour); !e.Since.Equal(want) || !e.TakenAt.Equal(start.Add(52*time.Hour+300*time.Millisecond)) {
		t.Errorf("since %s, at %s", e.Since, e.TakenAt)
	}
	if want := schemas.EventIDOf("c001", &e); e.ID != want {
		t.Errorf("id %s, want %s", e.ID, want)
	}
	if open := l.d.Open(); len(open) != 1 || open[0] != e {
		t.Errorf("open %+v", open)
	}
}
