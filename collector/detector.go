package collector

import (
	"citygrid/collector/detect"
	"citygrid/schemas"
)

// Detecting returns what Options.Events wants: a source that decides by the rules for
// the meters of site, whose lines have the names of Observation.Line. Errors name the
// rule, the meter, or what is wrong with the state.
func Detecting(rules detect.Rules, site detect.Site) func(state []byte) (EventSource, error) {
	return func(state []byte) (EventSource, error) {
		d, err := detect.New(rules, site)
		if err == nil && state != nil {
			err = d.Restore(state)
		}
		if err != nil {
			return nil, err
		}
		return detecting{d}, nil
	}
}

// detecting shows a detector what a line has seen.
type detecting struct{ *detect.Detector }

// Observe tells the detector of the meter first, and then of its readings.
func (d detecting) Observe(o Observation) []schemas.ComponentEvent {
	if o.Rebased {
		d.Rebased(o.Meter)
	}
	switch {
	case o.Unreachable:
		return d.Silent(o.Meter, o.Line, o.At, detect.LineDown)
	case !o.Answered:
		return d.Silent(o.Meter, o.Line, o.At, detect.MeterSilent)
	}
	events := d.Answered(o.Meter, o.Line, o.At)
	return append(events[:len(events):len(events)], d.Detector.Observe(o.Readings)...)
}

var _ EventSource = detecting{}
