package detect

import (
	"fmt"
	"time"

	"citygrid/schemas"
)

// contact is what is known of a meter's answers.
type contact struct {
	// Silent is when it first gave nothing since its last answer, or since its
	// line was back; 0: it answers, or nobody knows.
	Silent int64 `json:"silent,omitempty"`
	// Answers in a row, no more than anybody counts.
	Answers uint8 `json:"answers,omitempty"`
}

// line is what is known of a line.
type line struct {
	name   string
	rules  lineRules
	meters []int
	// silent counts the meters that are.
	silent int
	open   [lineKinds]*opened
	lineMemory
}

// lineMemory is what of a line outlives a restart, beside its open events.
type lineMemory struct {
	// Answered is when a meter of it last answered.
	Answered int64 `json:"answered,omitempty"`
	// Answers and Signs count what came since the line, and the gateway, went.
	Answers uint8 `json:"answers,omitempty"`
	Signs   uint8 `json:"signs,omitempty"`
	// Down is when the gateway first refused, Downs how often since.
	Down  int64 `json:"down,omitempty"`
	Downs uint8 `json:"downs,omitempty"`
}

const maxCount = 200

func count(n uint8) uint8 { return min(n+1, maxCount) }

// Answered says that a meter gave at least one value.
func (d *Detector) Answered(id schemas.MeterID, lineName string, at time.Time) []schemas.ComponentEvent {
	m, l := d.find(id, lineName)
	if m == nil {
		return nil
	}
	d.out = nil
	now := at.UnixMilli()
	l.Answered = max(l.Answered, now)
	l.Answers = count(l.Answers)
	m.Contact.Answers = count(m.Contact.Answers)
	d.heard(l, m)
	d.sign(l, now)
	d.back(l, m, now)
	return d.out
}

// Silent says that a read of a meter gave nothing.
func (d *Detector) Silent(id schemas.MeterID, lineName string, at time.Time, cause Cause) []schemas.ComponentEvent {
	m, l := d.find(id, lineName)
	if m == nil {
		return nil
	}
	d.out = nil
	now := at.UnixMilli()
	m.Contact.Answers = 0
	if cause == LineDown && !l.rules.gateway.off {
		l.Signs = 0
		l.Downs = count(l.Downs)
		l.Down = keep(l.Down, now, true)
		if m.open[meterOffline] == nil {
			d.heard(l, m) // its silence is explained
		}
	} else {
		d.sign(l, now)
		d.due(l, m, now)
		if m.Contact.Silent == 0 {
			d.fell(l, m, now)
		}
	}
	d.gateway(l, now)
	return d.out
}

// Tick decides what time alone decides: who has been silent for long enough. It
// also clears the events of what is not watched any more, and drops what it
// knows of a time that lies in the future, when the clock was set back.
func (d *Detector) Tick(now time.Time) []schemas.ComponentEvent {
	d.out = nil
	at := now.UnixMilli()
	d.clearGone(at)
	for i := range d.lines {
		d.gateway(&d.lines[i], at)
	}
	for i := range d.meters {
		m := &d.meters[i]
		l := &d.lines[m.line]
		d.clearOff(m, at)
		if m.Contact.Silent > at+clockSkew {
			d.heard(l, m)
		}
		if m.newest() > at+clockSkew {
			m.memory = memory{Contact: m.Contact}
		}
		d.due(l, m, at)
		d.back(l, m, at)
	}
	return d.out
}

// clockSkew is how far in the future a reading may lie before the clock is held
// to have been set back.
const clockSkew = 5 * 60 * 1000

// newest is the moment of the newest reading that is remembered.
func (m *meter) newest() int64 {
	return max(m.Leak.Vol.Last.At, m.Leak.FlowAt, m.Reverse.Seen, m.Reverse.FlowAt, m.Cover.At, m.Level.At, m.Battery.At, m.Credit.Looks.At, m.Valve.At)
}

// find returns a meter and the line on which it stands.
func (d *Detector) find(id schemas.MeterID, lineName string) (*meter, *line) {
	i, ok := d.byID[id]
	if !ok || d.lines[d.meters[i].line].name != schemas.EventLine(lineName) {
		return nil, nil
	}
	return &d.meters[i], &d.lines[d.meters[i].line]
}

// heard ends a silence.
func (d *Detector) heard(l *line, m *meter) {
	if m.Contact.Silent != 0 {
		m.Contact.Silent = 0
		l.silent--
	}
}

// fell begins a silence. With the last of its line it may be the others' turn to
// be told of.
func (d *Detector) fell(l *line, m *meter, at int64) {
	m.Contact.Silent = at
	if l.silent++; l.silent < len(l.meters) {
		return
	}
	for _, i := range l.meters {
		d.due(l, &d.meters[i], at)
	}
}

// sign takes a sign of life of the gateway.
func (d *Detector) sign(l *line, at int64) {
	l.Down, l.Downs = 0, 0
	l.Signs = count(l.Signs)
	o := l.open[gatewayGone]
	if o == nil || l.Signs < l.rules.gateway.answers || held(o, at, l.rules.gateway.hold) {
		return
	}
	d.settleLine(l, gatewayGone, at, "the gateway takes connections again")
}

// held reports whether an event is too young to be cleared. One of the future
// is not: the clock was set back.
func held(o *opened, at, hold int64) bool { return at >= o.At && at-o.At < hold }

// settleLine clears an event of a line; its meters' silence begins anew.
func (d *Detector) settleLine(l *line, k int, at int64, note string) {
	d.settle(&l.open[k], lineKind(k), subject{line: l.name}, facts{at: at, note: note})
	for _, i := range l.meters {
		if m := &d.meters[i]; m.open[meterOffline] == nil {
			d.heard(l, m)
		}
	}
}

// back clears what the answers of a meter clear.
func (d *Detector) back(l *line, m *meter, at int64) {
	if o, p := m.open[meterOffline], &m.rules.offline; o != nil && m.Contact.Answers >= p.answers && !held(o, at, p.hold) {
		d.settleOf(m, meterOffline, facts{at: at, note: "the meter answers again"})
	}
	if o, p := l.open[lineOffline], &l.rules.line; o != nil && l.Answers >= p.answers && !held(o, at, p.hold) {
		d.settleLine(l, lineOffline, at, "meters of the line answer again")
	}
}

// due opens the event of a meter that has been silent for long enough, or that
// of its line.
func (d *Detector) due(l *line, m *meter, at int64) {
	since := m.Contact.Silent
	if since == 0 || m.open[meterOffline] != nil || m.rules.off[meterOffline] || l.Down != 0 || l.open[lineOffline] != nil || l.open[gatewayGone] != nil ||
		at-since < m.patience() {
		return
	}
	switch n := len(l.meters); {
	case n == 1 || l.rules.line.off || l.Answered >= since:
		d.raiseOf(m, meterOffline, facts{since: since, at: at, note: fmt.Sprintf("no answer for %s on line %s", minutes(at-since), l.name)})
	case l.silent == n:
		d.lineGone(l, lineOffline, at, fmt.Sprintf("none of %d meters answers, the gateway takes connections", n))
	}
}

// patience is how long a meter may be silent.
func (m *meter) patience() int64 { return m.rules.offline.after * m.interval }

// gateway opens the event of a gateway that has been refusing for long enough.
func (d *Detector) gateway(l *line, at int64) {
	p := &l.rules.gateway
	if l.Down == 0 || l.Downs < 2 || p.off || l.open[gatewayGone] != nil || at-l.Down < p.after {
		return
	}
	l.Signs = 0
	d.lineGone(l, gatewayGone, at, fmt.Sprintf("the port or gateway of %d meters cannot be reached", len(l.meters)))
}

// lineGone opens an event of a line, and clears those of its meters that are
// part of it.
func (d *Detector) lineGone(l *line, k int, at int64, note string) {
	since := l.Down
	if k == lineOffline {
		l.Answers = 0
		since = d.lastFell(l)
	}
	begin := since
	o := d.raise(&l.open[k], lineKind(k), subject{line: l.name}, facts{since: begin, at: at, affected: uint32(len(l.meters)), note: note})
	for _, i := range l.meters {
		m := &d.meters[i]
		if e := m.open[meterOffline]; e != nil && e.Since >= since-m.patience() {
			d.settleOf(m, meterOffline, facts{at: at, note: fmt.Sprintf("part of %s %s", lineKind(k), o.ID)})
		}
	}
}

// lastFell is when the last meter of a silent line fell silent.
func (d *Detector) lastFell(l *line) int64 {
	var at int64
	for _, i := range l.meters {
		at = max(at, d.meters[i].Contact.Silent)
	}
	return at
}

// clearOff clears the open events of rules that are off now.
func (d *Detector) clearOff(m *meter, at int64) {
	for k, o := range m.open {
		if o != nil && m.rules.off[k] {
			d.settleOf(m, k, facts{at: at, note: "the rule has been switched off"})
		}
	}
}

// clearGone clears the open events of what is not of this site any more.
func (d *Detector) clearGone(at int64) {
	for _, e := range d.gone {
		e.Phase, e.TakenAt = schemas.EventCleared, toTime(max(at, e.Since.UnixMilli()))
		e.Note = "this collector does not read it any more"
		d.out = append(d.out, e)
	}
	d.gone = nil
	for i := range d.lines {
		l := &d.lines[i]
		for k, o := range l.open {
			if o != nil && [lineKinds]bool{l.rules.line.off, l.rules.gateway.off}[k] {
				d.settleLine(l, k, at, "the rule has been switched off")
			}
		}
	}
}
