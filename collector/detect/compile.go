package detect

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"citygrid/schemas"
)

// RuleError is a rule that cannot be; Key is its path in the rules, such as
// "classes.large.leak.window".
type RuleError struct{ Key, Problem string }

// Error returns the key and what to write instead.
func (e *RuleError) Error() string { return e.Key + ": " + e.Problem }

// Validate reports every rule that cannot be, each as a RuleError, with those of
// classes and meters as they are together with what they leave out.
func (r Rules) Validate() error {
	c := &checker{}
	c.set("", r.all())
	c.lines(&r)
	if len(c.errs) == 0 {
		for _, name := range slices.Sorted(maps.Keys(r.Classes)) {
			if name == "" {
				c.add("classes", "a class without a name")
			}
			c.set("classes."+name+".", r.of(name, ""))
		}
		for _, id := range slices.Sorted(maps.Keys(r.Meters)) {
			if err := id.Validate(); err != nil {
				c.add("meters."+string(id), "%v", err)
			}
			c.set("meters."+string(id)+".", r.of("", id))
		}
	}
	return errors.Join(c.errs...)
}

// all returns the rules on top, with the defaults.
func (r *Rules) all() Set { return r.of("", "") }

// of returns the rules of a meter of a class.
func (r *Rules) of(class string, id schemas.MeterID) Set {
	d := Default()
	set := d.Set
	overlay(&set, r.Set)
	overlay(&set, d.Classes[class])
	overlay(&set, r.Classes[class])
	overlay(&set, r.Meters[id])
	return set
}

// overlay puts what over gives in the place of what is in base.
func overlay[T any](base *T, over T) {
	overlayValue(reflect.ValueOf(base).Elem(), reflect.ValueOf(over))
}

func overlayValue(base, over reflect.Value) {
	for i := range over.NumField() {
		switch f := over.Field(i); {
		case f.Kind() == reflect.Struct:
			overlayValue(base.Field(i), f)
		case !f.IsNil():
			base.Field(i).Set(f)
		}
	}
}

// checker collects what is wrong with rules.
type checker struct {
	prefix string
	errs   []error
}

func (c *checker) add(key, format string, args ...any) {
	c.errs = append(c.errs, &RuleError{Key: c.prefix + key, Problem: fmt.Sprintf(format, args...)})
}

func (c *checker) span(key string, d *time.Duration, least, most time.Duration) {
	if *d < least || *d > most {
		c.add(key, "%s is outside %s to %s; write it with its unit, as 90s, 15m or 2h", *d, least, most)
	}
}

func (c *checker) count(key string, n *int, least, most int) {
	if *n < least || *n > most {
		c.add(key, "%d is outside %d to %d", *n, least, most)
	}
}

// band checks two thresholds, the lower of which may equal the upper one.
func (c *checker) band(rule string, below, above *Amount, least string) {
	low, high := schemas.Decimal(*below), schemas.Decimal(*above)
	floor, _ := schemas.ParseDecimal(least)
	if low.Cmp(floor) < 0 {
		c.add(rule+".below", "%s; write at least %s", low, least)
	}
	if low.Cmp(high) > 0 {
		c.add(rule+".below", "%s is above %s.above, %s; the two must leave a band between them, or be the same", low, c.prefix+rule, high)
	}
	c.sane(rule+".above", above)
}

// sane keeps every product with a span exact in an int64.
func (c *checker) sane(key string, a *Amount) {
	if d := schemas.Decimal(*a); d.Exponent < -6 || d.Cmp(schemas.Decimal{Mantissa: 1, Exponent: 6}) > 0 || d.Cmp(schemas.Decimal{Mantissa: -1, Exponent: 6}) < 0 {
		c.add(key, "%s; write at most a million, with at most 6 digits after the point", d)
	}
}

func (c *checker) positive(key string, a *Amount) {
	if schemas.Decimal(*a).Mantissa <= 0 {
		c.add(key, "%s; write a number above 0", schemas.Decimal(*a))
	}
	c.sane(key, a)
}

func (c *checker) agree(rule string, agree, of *int) {
	c.count(rule+".of", of, 1, maxLooks)
	c.count(rule+".agree", agree, 1, max(*of, 1))
	if 2**agree <= *of && *agree >= 1 {
		c.add(rule+".agree", "%d of %d is no majority: open and closed could both hold; write more than half", *agree, *of)
	}
}

const day = 24 * time.Hour

func (c *checker) set(prefix string, s Set) {
	c.prefix = prefix
	c.span("max_gap", s.MaxGap, time.Second, 12*time.Hour)
	if _, _, err := parseWindow(*s.Leak.Window); err != nil {
		c.add("leak.window", "%v", err)
	}
	c.positive("leak.above", s.Leak.Above)
	c.positive("leak.below", s.Leak.Below)
	c.band("leak", s.Leak.Below, s.Leak.Above, "0")
	c.count("leak.nights", s.Leak.Nights, 1, 30)
	c.count("leak.coverage", s.Leak.Coverage, 1, 100)
	if *s.Leak.ClearAfter != 0 {
		c.span("leak.clear_after", s.Leak.ClearAfter, time.Second, 7*day)
	}
	c.positive("burst.above", s.Burst.Above)
	c.band("burst", s.Burst.Below, s.Burst.Above, "0")
	c.span("burst.for", s.Burst.For, time.Second, day)
	c.span("burst.clear_for", s.Burst.ClearFor, time.Second, day)
	c.positive("reverse_flow.volume", s.ReverseFlow.Volume)
	c.span("reverse_flow.within", s.ReverseFlow.Within, time.Second, 31*day)
	c.positive("reverse_flow.flow", s.ReverseFlow.Flow)
	c.span("reverse_flow.for", s.ReverseFlow.For, time.Second, day)
	c.span("reverse_flow.clear_after", s.ReverseFlow.ClearAfter, time.Second, 31*day)
	c.sane("reverse_flow.clear_volume", s.ReverseFlow.ClearVolume)
	if low, high := schemas.Decimal(*s.ReverseFlow.ClearVolume), schemas.Decimal(*s.ReverseFlow.Volume); low.Mantissa < 0 || low.Cmp(high) > 0 {
		c.add("reverse_flow.clear_volume", "%s; write 0 to %sreverse_flow.volume, %s", low, c.prefix, high)
	}
	c.states(s)
}

func (c *checker) states(s Set) {
	c.band("cover_open", s.CoverOpen.Below, s.CoverOpen.Above, "0")
	c.agree("cover_open", s.CoverOpen.Agree, s.CoverOpen.Of)
	c.band("water_level", s.WaterLevel.Below, s.WaterLevel.Above, "-1000")
	c.agree("water_level", s.WaterLevel.Agree, s.WaterLevel.Of)
	c.span("valve_stuck.for", s.ValveStuck.For, time.Second, 7*day)
	c.span("valve_stuck.clear_for", s.ValveStuck.ClearFor, 0, 7*day)
	if e := *s.ValveStuck.Expected; !slices.Contains([]string{"any", "open", "closed"}, e) {
		c.add("valve_stuck.expected", "%q; write open, closed or any", e)
	}
	c.band("battery_low", s.BatteryLow.Below, s.BatteryLow.Above, "0")
	c.agree("battery_low", s.BatteryLow.Agree, s.BatteryLow.Of)
	c.band("credit_out", s.CreditOut.Below, s.CreditOut.Above, "-1000000")
	c.agree("credit_out", s.CreditOut.Agree, s.CreditOut.Of)
	c.count("meter_offline.after", s.MeterOffline.After, 1, 1000)
	c.count("meter_offline.answers", s.MeterOffline.Answers, 1, 100)
	c.span("meter_offline.hold", s.MeterOffline.Hold, 0, day)
}

// builder compiles the rules of the meters of one site; meters with the same
// rules share them.
type builder struct {
	rules     Rules
	zone      *time.Location
	sets      map[string]*ruleset
	calendars map[string]*calendar
}

// ruleset is a Set ready for use: spans in milliseconds.
type ruleset struct {
	off    [meterKinds]bool
	maxGap int64
	leak   struct {
		nights               *calendar
		above, below         schemas.Decimal
		count                int
		coverage, clearAfter int64
	}
	burst struct {
		off           bool
		above, below  schemas.Decimal
		forMS, clears int64
	}
	reverse struct {
		volume, clearVolume, flow schemas.Decimal // flow is negative
		within, forMS, clearAfter int64
	}
	cover, level, battery, credit band
	prepaid                       bool
	valve                         struct {
		forMS, clears int64
		expected      int64 // a code of the valve, anyState: none
	}
	offline patience
}

// band is a rule of two thresholds and k of n.
type band struct {
	below, above schemas.Decimal
	agree, of    int
}

// patience is a rule of silence.
type patience struct {
	off     bool
	after   int64 // intervals of a meter; ms of a gateway
	answers uint8
	hold    int64
}

// lineRules are the rules of a line.
type lineRules struct{ line, gateway patience }

func (b *builder) ruleset(m Meter) (*ruleset, error) {
	if _, known := b.rules.Classes[m.Class]; !known && m.Class != "" {
		if _, known := Default().Classes[m.Class]; !known {
			return nil, &RuleError{Key: "classes", Problem: fmt.Sprintf("meter %s is of class %q, which is not there; add the class or correct the meter's", m.ID, m.Class)}
		}
	}
	key := m.Class
	if _, own := b.rules.Meters[m.ID]; own {
		key = m.Class + "\x00" + string(m.ID)
	}
	key += fmt.Sprintf("\x00%d", m.Interval)
	if known, ok := b.sets[key]; ok {
		return known, nil
	}
	s := b.rules.of(m.Class, m.ID)
	c := &checker{}
	c.set("", s)
	if err := errors.Join(c.errs...); err != nil {
		return nil, fmt.Errorf("meter %s of class %q: %w", m.ID, m.Class, err)
	}
	set := b.compile(s)
	set.maxGap = max(set.maxGap, 2*m.Interval.Milliseconds())
	b.sets[key] = set
	return set, nil
}

func (b *builder) compile(s Set) *ruleset {
	r := &ruleset{maxGap: s.MaxGap.Milliseconds(), prepaid: *s.CreditOut.Prepaid}
	r.off = [meterKinds]bool{*s.Leak.Off && *s.Burst.Off, *s.ReverseFlow.Off, *s.CoverOpen.Off, *s.WaterLevel.Off,
		*s.ValveStuck.Off, *s.BatteryLow.Off, *s.CreditOut.Off, *s.MeterOffline.Off}
	r.leak.nights = b.calendar(*s.Leak.Window)
	r.leak.above, r.leak.below = schemas.Decimal(*s.Leak.Above), schemas.Decimal(*s.Leak.Below)
	r.leak.count, r.leak.coverage, r.leak.clearAfter = *s.Leak.Nights, int64(*s.Leak.Coverage), s.Leak.ClearAfter.Milliseconds()
	if *s.Leak.Off {
		r.leak.count = 0
	}
	r.burst.off = *s.Burst.Off
	r.burst.above, r.burst.below = schemas.Decimal(*s.Burst.Above), schemas.Decimal(*s.Burst.Below)
	r.burst.forMS, r.burst.clears = s.Burst.For.Milliseconds(), s.Burst.ClearFor.Milliseconds()
	r.reverse.volume, r.reverse.clearVolume = schemas.Decimal(*s.ReverseFlow.Volume), schemas.Decimal(*s.ReverseFlow.ClearVolume)
	r.reverse.flow = schemas.Decimal(*s.ReverseFlow.Flow)
	r.reverse.flow.Mantissa = -r.reverse.flow.Mantissa
	r.reverse.within, r.reverse.forMS = s.ReverseFlow.Within.Milliseconds(), s.ReverseFlow.For.Milliseconds()
	r.reverse.clearAfter = s.ReverseFlow.ClearAfter.Milliseconds()
	r.cover = bandOf(s.CoverOpen.Below, s.CoverOpen.Above, s.CoverOpen.Agree, s.CoverOpen.Of)
	r.level = bandOf(s.WaterLevel.Below, s.WaterLevel.Above, s.WaterLevel.Agree, s.WaterLevel.Of)
	r.battery = bandOf(s.BatteryLow.Below, s.BatteryLow.Above, s.BatteryLow.Agree, s.BatteryLow.Of)
	r.credit = bandOf(s.CreditOut.Below, s.CreditOut.Above, s.CreditOut.Agree, s.CreditOut.Of)
	r.valve.forMS, r.valve.clears = s.ValveStuck.For.Milliseconds(), s.ValveStuck.ClearFor.Milliseconds()
	r.valve.expected = map[string]int64{"any": anyState, "open": valveIsOpen, "closed": valveIsClosed}[*s.ValveStuck.Expected]
	r.offline = patience{*s.MeterOffline.Off, int64(*s.MeterOffline.After), uint8(*s.MeterOffline.Answers), s.MeterOffline.Hold.Milliseconds()}
	return r
}

func bandOf(below, above *Amount, agree, of *int) band {
	return band{schemas.Decimal(*below), schemas.Decimal(*above), *agree, *of}
}

// calendar returns the nights of a window that has been checked.
func (b *builder) calendar(window string) *calendar {
	if known, ok := b.calendars[window]; ok {
		return known
	}
	from, to, _ := parseWindow(window)
	c := &calendar{zone: b.zone, start: from, end: to}
	b.calendars[window] = c
	return c
}

// lineSets returns the rules of lines, with the defaults.
func (r *Rules) lineSets() (LineOffline, GatewayOffline) {
	d := Default()
	overlay(&d.LineOffline, r.LineOffline)
	overlay(&d.GatewayOffline, r.GatewayOffline)
	return d.LineOffline, d.GatewayOffline
}

func (c *checker) lines(r *Rules) {
	c.prefix = ""
	l, g := r.lineSets()
	c.count("line_offline.answers", l.Answers, 1, 100)
	c.span("line_offline.hold", l.Hold, 0, day)
	c.span("gateway_offline.after", g.After, time.Second, 7*day)
	c.count("gateway_offline.answers", g.Answers, 1, 100)
	c.span("gateway_offline.hold", g.Hold, 0, day)
}

func (b *builder) line() lineRules {
	l, g := b.rules.lineSets()
	return lineRules{
		line:    patience{*l.Off, 0, uint8(*l.Answers), l.Hold.Milliseconds()},
		gateway: patience{*g.Off, g.After.Milliseconds(), uint8(*g.Answers), g.Hold.Milliseconds()},
	}
}

// parseWindow reads "02:00-04:00" into seconds of the day, the end 0 to 24 h.
func parseWindow(s string) (from, to int, err error) {
	bad := func() (int, int, error) {
		return 0, 0, fmt.Errorf("%q is no window; write two times of the day, as 02:00-04:00 or 23:30-01:00:30", s)
	}
	ends := []*int{&from, &to}
	parts := splitWindow(s)
	if len(parts) != len(ends) {
		return bad()
	}
	for i, p := range parts {
		n, ok := secondsOf(p)
		if !ok || n == 86400 && i == 0 {
			return bad()
		}
		*ends[i] = n
	}
	if from == to {
		return bad()
	}
	return from, to, nil
}

// secondsOf reads hh:mm or hh:mm:ss, up to 24:00.
func secondsOf(s string) (int, bool) {
	layout := cmp.Or(map[int]string{len("15:04"): "15:04"}[len(s)], "15:04:05")
	if s == "24:00" || s == "24:00:00" {
		return 86400, true
	}
	if len(s) != len(layout) {
		return 0, false
	}
	t, err := time.Parse(layout, s)
	return t.Hour()*3600 + t.Minute()*60 + t.Second(), err == nil
}
