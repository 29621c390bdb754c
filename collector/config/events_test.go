package config

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// eventsFile is a file with one meter, given what stands under spool, events and the
// meter.
func eventsFile(spool, events, meter string) []byte {
	return fmt.Appendf(nil, `collector: c001
bundle: c001.bundle
data_dir: data
interval: 15m
broker: {url: "tcp://h:1883"}
spool: {%s}
events: {%s}
lines:
  - name: gateway
    address: 192.0.2.21:502
    meters:
      - id: W-1
        unit: 7
        profile: xintai-prepaid-water
        %s
`, spool, events, meter)
}

func TestEvents(t *testing.T) {
	c, err := Parse(eventsFile("", "", "interval: 1m"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	checkRoundTrip(t, c)
	if c.Spool.EventsQuota != 16<<20 || c.Events.Zone != "Asia/Shanghai" || c.Events.Off {
		t.Errorf("defaults %d, %+v", c.Spool.EventsQuota, c.Events)
	}
	zone, err := c.Events.zone()
	if err != nil {
		t.Fatal(err)
	}
	s := c.site(zone)
	if len(s.Meters) != 1 || s.Meters[0].ID != "W-1" || s.Meters[0].Line != "gateway" || s.Meters[0].Interval != time.Minute || s.Collector != "c001" {
		t.Errorf("site %+v", s)
	}
	if _, offset := time.Date(2026, 1, 1, 0, 0, 0, 0, s.Zone).Zone(); offset != 8*3600 {
		t.Errorf("the nights are %d s from UTC", offset)
	}
	source, err := c.EventSource()
	if err != nil || source == nil {
		t.Fatalf("no source: %v", err)
	}
	if made, err := source(nil); err != nil || made == nil {
		t.Errorf("the source cannot be made: %v", err)
	}
}

func TestEventsOfAClass(t *testing.T) {
	for _, rules := range []string{"", "rules: {classes: {large: {leak: {nights: 3}}, school: {leak: {nights: 1}}}, meters: {W-1: {leak: {off: true}}}}"} {
		class := "large"
		if rules != "" {
			class = "school"
		}
		c, err := Parse(eventsFile("events_quota: 2MiB", rules, "event_class: "+class), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		checkRoundTrip(t, c)
		if c.site(nil).Meters[0].Class != class || c.Spool.EventsQuota != 2<<20 {
			t.Errorf("class %q, quota %d", c.site(nil).Meters[0].Class, c.Spool.EventsQuota)
		}
	}
}

func TestEventsAreOff(t *testing.T) {
	c, err := Parse(eventsFile("", "off: true", "interval: 1m"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	checkRoundTrip(t, c)
	if source, err := c.EventSource(); err != nil || source != nil {
		t.Errorf("a source of nothing, %v", err)
	}
}

func TestEventsRefusals(t *testing.T) {
	for _, tt := range []struct{ spool, events, meter, want string }{
		{"events_quota: 1000KiB", "", "interval: 1m", "line 6: spool.events_quota: the quota must be at least 1MiB"},
		{"", "zone: Peking", "interval: 1m", `line 7: events.zone: "Peking": want the name of a time zone`},
		{"", "zone: Local", "interval: 1m", "line 7: events.zone"},
		{"", "rules: {leak: {nights: 0}}", "interval: 1m", "line 7: events.rules.leak.nights: 0 is outside"},
		{"", "rules: {classes: {school: {leak: {window: noon}}}}", "interval: 1m", "line 7: events.rules.classes.school.leak.window:"},
		{"", "rules: {leek: {nights: 1}}", "interval: 1m", "line 7: field leek not found"},
		{"", "rules: {meters: {W-2: {leak: {off: true}}}}", "interval: 1m", "line 7: events.rules.meters.W-2: meter W-2 stands on no line"},
		{"", "", "event_class: palace", `line 15: lines[0].meters[0].event_class: "palace" is no class`},
	} {
		_, err := Parse(eventsFile(tt.spool, tt.events, tt.meter), t.TempDir())
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.spool+tt.events+tt.meter, err, tt.want)
		}
	}
}
