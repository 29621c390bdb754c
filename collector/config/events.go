package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"citygrid/collector"
	"citygrid/collector/detect"
	"citygrid/schemas"
)

// Events says how component events are decided.
type Events struct {
	// Off: none are. What was decided before still goes out.
	Off bool `yaml:"off,omitempty"`
	// Zone is the local time of the nights, Asia/Shanghai by default.
	Zone string `yaml:"zone,omitempty"`
	// Rules are the thresholds; what they leave out is that of detect.Default.
	Rules detect.Rules `yaml:"rules,omitempty"`
}

// defaultZone is the time of all of China.
const defaultZone = "Asia/Shanghai"

// checkEvents finds what a detector would refuse.
func (c *Config) checkEvents() error {
	zone, err := c.Events.zone()
	if err != nil {
		return c.at(err, "events", "zone")
	}
	if err := c.Events.Rules.Validate(); err != nil {
		return c.atRule(err)
	}
	for i, l := range c.Lines {
		for j, m := range l.Meters {
			if _, known := c.Events.classes()[m.EventClass]; m.EventClass != "" && !known {
				return c.at(fmt.Errorf("%q is no class of events.rules.classes", m.EventClass), "lines", i, "meters", j, "event_class")
			}
		}
	}
	for id := range c.Events.Rules.Meters {
		if !c.hasMeter(id) {
			return c.at(fmt.Errorf("meter %s stands on no line", id), "events", "rules", "meters", string(id))
		}
	}
	if _, err := detect.New(c.Events.Rules, c.site(zone)); err != nil {
		return c.atRule(err)
	}
	return nil
}

// atRule says where in the file a rule stands that a detector refuses.
func (c *Config) atRule(err error) error {
	path := []any{"events", "rules"}
	var rule *detect.RuleError
	if !errors.As(err, &rule) {
		return c.at(err, path...)
	}
	for part := range strings.SplitSeq(rule.Key, ".") {
		path = append(path, part)
	}
	return c.at(errors.New(rule.Problem), path...)
}

// classes are those of the rules, and those that there are without any.
func (e *Events) classes() map[string]detect.Set {
	all := detect.Default().Classes
	for name, set := range e.Rules.Classes {
		all[name] = set
	}
	return all
}

func (c *Config) hasMeter(id schemas.MeterID) bool {
	for _, l := range c.Lines {
		for _, m := range l.Meters {
			if m.ID == id {
				return true
			}
		}
	}
	return false
}

func (e *Events) zone() (*time.Location, error) {
	zone, err := time.LoadLocation(e.Zone)
	if err != nil || e.Zone == "Local" {
		return nil, fmt.Errorf("%q: want the name of a time zone, such as %s", e.Zone, defaultZone)
	}
	return zone, nil
}

// site is what a detector is told of the lines.
func (c *Config) site(zone *time.Location) detect.Site {
	s := detect.Site{Collector: c.Collector, Zone: zone}
	for _, l := range c.Lines {
		for _, m := range l.Meters {
			interval := m.Interval
			orDefault(&interval, c.Interval)
			s.Meters = append(s.Meters, detect.Meter{ID: m.ID, Line: schemas.EventLine(l.Name), Interval: time.Duration(interval), Class: m.EventClass})
		}
	}
	return s
}

// EventSource returns what collector.Options.Events wants; nil where events are off.
func (c *Config) EventSource() (func(state []byte) (collector.EventSource, error), error) {
	if c.Events.Off {
		return nil, nil
	}
	zone, err := c.Events.zone()
	if err != nil {
		return nil, err
	}
	return collector.Detecting(c.Events.Rules, c.site(zone)), nil
}
