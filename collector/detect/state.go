package detect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"citygrid/schemas"
)

// stateVersion is that of State's form.
const stateVersion = 1

// maxState bounds what Restore reads: a hundred thousand meters.
const maxState = 100_000 * MemoryPerMeter

// saved is the form of State.
type saved struct {
	Version   int                             `json:"version"`
	Collector schemas.CollectorID             `json:"collector"`
	Meters    map[schemas.MeterID]*savedMeter `json:"meters,omitempty"`
	Lines     map[string]*savedLine           `json:"lines,omitempty"`
}

type savedMeter struct {
	Memory memory                        `json:"memory,omitzero"`
	Open   map[schemas.EventKind]*opened `json:"open,omitempty"`
}

type savedLine struct {
	Memory lineMemory                    `json:"memory,omitzero"`
	Open   map[schemas.EventKind]*opened `json:"open,omitempty"`
}

// State returns all that d remembers, open events included, as JSON. The same
// memory gives the same bytes.
func (d *Detector) State() ([]byte, error) {
	out := saved{Version: stateVersion, Collector: d.collector,
		Meters: make(map[schemas.MeterID]*savedMeter, len(d.meters)), Lines: make(map[string]*savedLine, len(d.lines))}
	for i := range d.meters {
		m := &d.meters[i]
		s := savedMeter{Memory: m.memory, Open: openOf(m.open[:], meterKind)}
		if s.Memory != (memory{}) || s.Open != nil {
			out.Meters[m.id] = &s
		}
	}
	for i := range d.lines {
		l := &d.lines[i]
		s := savedLine{Memory: l.lineMemory, Open: openOf(l.open[:], lineKind)}
		if s.Memory != (lineMemory{}) || s.Open != nil {
			out.Lines[l.name] = &s
		}
	}
	out.keep(d.gone)
	return json.Marshal(&out)
}

func openOf(open []*opened, kind func(int) schemas.EventKind) map[schemas.EventKind]*opened {
	var all map[schemas.EventKind]*opened
	for k, o := range open {
		if o != nil {
			if all == nil {
				all = make(map[schemas.EventKind]*opened)
			}
			all[kind(k)] = o
		}
	}
	return all
}

// keep puts events of what is not of this site back to where they were read.
func (s *saved) keep(gone []schemas.ComponentEvent) {
	for i := range gone {
		e := &gone[i]
		o := &opened{ID: e.ID, Since: e.Since.UnixMilli(), At: e.TakenAt.UnixMilli(), Quantity: e.Quantity,
			Value: e.Value, Limit: e.Limit, Affected: e.Affected, Note: e.Note}
		var open *map[schemas.EventKind]*opened
		if e.Meter != "" {
			if s.Meters[e.Meter] == nil {
				s.Meters[e.Meter] = &savedMeter{}
			}
			open = &s.Meters[e.Meter].Open
		} else {
			if s.Lines[e.Line] == nil {
				s.Lines[e.Line] = &savedLine{}
			}
			open = &s.Lines[e.Line].Open
		}
		if *open == nil {
			*open = make(map[schemas.EventKind]*opened)
		}
		(*open)[e.Kind] = o
	}
}

// errState says that bytes are not what State wrote.
var errState = errors.New("not a state of this version and collector, or damaged")

// Restore takes what State gave. An error says why it cannot be used; d is then
// as New left it, and events that are open at the hub are not cleared by it: what
// still holds opens anew.
//
// Nothing is taken that State does not write in just that way.
func (d *Detector) Restore(data []byte) error {
	d.reset()
	if len(data) > maxState {
		return fmt.Errorf("restore the events: %d bytes, more than %d: %w", len(data), maxState, errState)
	}
	var in saved
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return fmt.Errorf("restore the events: %w: %w", errState, err)
	}
	if in.Version != stateVersion || in.Collector != d.collector {
		return fmt.Errorf("restore the events: version %d of collector %q: %w", in.Version, in.Collector, errState)
	}
	if again, err := json.Marshal(&in); err != nil || !bytes.Equal(again, data) {
		return fmt.Errorf("restore the events: it is not written as this program writes it: %w", errState)
	}
	if err := in.validate(); err != nil {
		return fmt.Errorf("restore the events: %w: %w", errState, err)
	}
	d.load(&in)
	return nil
}

// reset forgets everything.
func (d *Detector) reset() {
	d.gone = nil
	for i := range d.meters {
		m := &d.meters[i]
		m.memory, m.open = memory{}, [meterKinds]*opened{}
	}
	for i := range d.lines {
		l := &d.lines[i]
		l.lineMemory, l.open, l.silent = lineMemory{}, [lineKinds]*opened{}, 0
	}
}

// validate reports an open event that is not well formed or of no such place.
func (s *saved) validate() error {
	for id, m := range s.Meters {
		if m == nil {
			return fmt.Errorf("meter %q: null", id)
		}
		if err := validOpen(m.Open, subject{meter: id}, meterKinds, meterKind); err != nil {
			return err
		}
	}
	for name, l := range s.Lines {
		if l == nil {
			return fmt.Errorf("line %q: null", name)
		}
		if err := validOpen(l.Open, subject{line: name}, lineKinds, lineKind); err != nil {
			return err
		}
	}
	return nil
}

func validOpen(open map[schemas.EventKind]*opened, s subject, kinds int, kind func(int) schemas.EventKind) error {
	for k, o := range open {
		if o == nil || kindIndex(k, kinds, kind) < 0 {
			return fmt.Errorf("%s%s: no event of kind %q", s.meter, s.line, k)
		}
		if err := o.event(s, k).Validate(); err != nil {
			return fmt.Errorf("%s%s: %s: %w", s.meter, s.line, k, err)
		}
	}
	return nil
}

func kindIndex(k schemas.EventKind, kinds int, kind func(int) schemas.EventKind) int {
	for i := range kinds {
		if kind(i) == k {
			return i
		}
	}
	return -1
}

// load takes a state that has been checked. Open events of what is not of this
// site wait for Tick.
func (d *Detector) load(in *saved) {
	for _, id := range slices.Sorted(maps.Keys(in.Meters)) {
		s := in.Meters[id]
		i, ok := d.byID[id]
		if !ok {
			d.strand(s.Open, subject{meter: id})
			continue
		}
		m := &d.meters[i]
		m.memory = s.Memory
		if m.Contact.Silent != 0 {
			d.lines[m.line].silent++
		}
		for k, o := range s.Open {
			m.open[kindIndex(k, meterKinds, meterKind)] = o
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in.Lines)) {
		s := in.Lines[name]
		i, ok := d.byLine[name]
		if !ok {
			d.strand(s.Open, subject{line: name})
			continue
		}
		d.lines[i].lineMemory = s.Memory
		for k, o := range s.Open {
			d.lines[i].open[kindIndex(k, lineKinds, lineKind)] = o
		}
	}
}

func (d *Detector) strand(open map[schemas.EventKind]*opened, s subject) {
	for _, k := range slices.Sorted(maps.Keys(open)) {
		d.gone = append(d.gone, open[k].event(s, k))
	}
}
