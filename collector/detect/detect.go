package detect

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"citygrid/schemas"
)

// Site is where a Detector stands: what the collector's configuration says of
// itself and its meters.
type Site struct {
	Collector schemas.CollectorID
	// Zone is the local time of the night windows; nil stands for UTC.
	Zone   *time.Location
	Meters []Meter
}

// Meter is a meter that a Detector watches.
type Meter struct {
	ID schemas.MeterID
	// Line is the name of its line in the collector's configuration; events give it
	// as schemas.EventLine makes it.
	Line string
	// Interval is the time between two reads of it.
	Interval time.Duration
	// Class names the entry of Rules.Classes that holds for it; empty: none.
	Class string
}

// Cause says why a meter gave nothing.
type Cause uint8

// The causes.
const (
	// MeterSilent: the line is there, and the meter does not answer on it.
	MeterSilent Cause = iota
	// LineDown: the port does not open, or its gateway takes no connection.
	LineDown
)

// MemoryPerMeter bounds the bytes that a Detector holds for a meter without an
// open event, and those of its State.
const MemoryPerMeter = 2 << 10

// Detector decides on the events of a collector, or of one line of it: nothing
// that it knows of a line concerns another. It is not safe for concurrent use.
type Detector struct {
	collector schemas.CollectorID
	meters    []meter
	lines     []line
	byID      map[schemas.MeterID]int
	byLine    map[string]int
	// gone are the open events of a restored state whose meter or line is not of
	// this site; Tick clears them.
	gone []schemas.ComponentEvent
	// out are the events of the call that runs.
	out []schemas.ComponentEvent
}

// meter is what is known of one meter.
type meter struct {
	id       schemas.MeterID
	line     int
	interval int64
	rules    *ruleset
	open     [meterKinds]*opened
	memory
}

// memory is what of a meter outlives a restart, beside its open events.
type memory struct {
	Leak    leakMemory    `json:"leak,omitzero"`
	Reverse reverseMemory `json:"reverse,omitzero"`
	Cover   looks         `json:"cover,omitzero"`
	Level   looks         `json:"level,omitzero"`
	Valve   valveMemory   `json:"valve,omitzero"`
	Battery looks         `json:"battery,omitzero"`
	Credit  creditMemory  `json:"credit,omitzero"`
	Contact contact       `json:"contact,omitzero"`
}

// New returns a Detector for the meters of site that knows nothing yet. Errors
// name the key of the rule or the meter, and what to write instead.
func New(rules Rules, site Site) (*Detector, error) {
	if err := rules.Validate(); err != nil {
		return nil, err
	}
	if err := site.Collector.Validate(); err != nil {
		return nil, fmt.Errorf("detector: %w", err)
	}
	if site.Zone == nil {
		site.Zone = time.UTC
	}
	d := &Detector{collector: site.Collector, byID: make(map[schemas.MeterID]int, len(site.Meters)), byLine: make(map[string]int)}
	b := &builder{rules: rules, zone: site.Zone, sets: make(map[string]*ruleset), calendars: make(map[string]*calendar)}
	d.meters = make([]meter, 0, len(site.Meters))
	var errs []error
	for _, m := range site.Meters {
		errs = append(errs, d.add(m, b))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *Detector) add(m Meter, b *builder) error {
	if err := m.ID.Validate(); err != nil {
		return fmt.Errorf("detector: %w", err)
	}
	if _, twice := d.byID[m.ID]; twice {
		return fmt.Errorf("detector: meter %s is given twice", m.ID)
	}
	if m.Interval <= 0 {
		return fmt.Errorf("detector: meter %s: interval %s; give the time between two reads of it", m.ID, m.Interval)
	}
	if m.Line = schemas.EventLine(m.Line); m.Line == "" {
		return fmt.Errorf("detector: meter %s: no line; give the name of its line", m.ID)
	}
	set, err := b.ruleset(m)
	if err != nil {
		return err
	}
	at, ok := d.byLine[m.Line]
	if !ok {
		at = len(d.lines)
		d.byLine[m.Line] = at
		d.lines = append(d.lines, line{name: m.Line, rules: b.line()})
	}
	d.byID[m.ID] = len(d.meters)
	d.lines[at].meters = append(d.lines[at].meters, len(d.meters))
	d.meters = append(d.meters, meter{id: m.ID, line: at, interval: m.Interval.Milliseconds(), rules: set})
	return nil
}

// Observe takes the readings of one read of one meter, judged, and returns what
// they open or clear, in the order of the kinds. Readings of a meter that is not
// of the site decide nothing.
func (d *Detector) Observe(readings []schemas.Reading) []schemas.ComponentEvent {
	d.out = nil
	for len(readings) > 0 {
		id, n := readings[0].Meter, 1
		for n < len(readings) && readings[n].Meter == id {
			n++
		}
		if i, ok := d.byID[id]; ok {
			d.observe(&d.meters[i], readings[:n])
		}
		readings = readings[n:]
	}
	return d.out
}

func (d *Detector) observe(m *meter, readings []schemas.Reading) {
	var s sample
	for i := range readings {
		s.take(&readings[i], m)
	}
	if s.has(anyWater) {
		d.leak(m, &s)
		d.reverse(m, &s)
	}
	if s.has(anyCover) {
		d.cover(m, &s)
	}
	if s.has(anyLevel) {
		d.level(m, &s)
	}
	if s.has(anyCredit) { // before the valve, which closes when the credit is out
		d.credit(m, &s)
	}
	if s.has(anyValve) {
		d.valve(m, &s)
	}
	if s.has(anyBattery) {
		d.battery(m, &s)
	}
}

// Rebased says that the registers of a meter count from another point: the
// verdicts noted a rollover, a reset, a swap, a new installation or a value
// withdrawn. What was known of its registers is dropped; its open events stay.
func (d *Detector) Rebased(id schemas.MeterID) {
	if i, ok := d.byID[id]; ok {
		m := &d.meters[i]
		m.Leak.forget()
		m.Reverse.forget()
	}
}

// Open returns the open events, in the order of meters and kinds and then of
// lines.
func (d *Detector) Open() []schemas.ComponentEvent {
	var all []schemas.ComponentEvent
	for i := range d.meters {
		m := &d.meters[i]
		for k, o := range m.open {
			if o != nil {
				all = append(all, o.event(subjectOf(m), meterKind(k)))
			}
		}
	}
	for i := range d.lines {
		l := &d.lines[i]
		for k, o := range l.open {
			if o != nil {
				all = append(all, o.event(subject{line: l.name}, lineKind(k)))
			}
		}
	}
	return append(all, slices.Clone(d.gone)...)
}
