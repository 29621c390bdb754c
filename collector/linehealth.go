package collector

import (
	"cmp"
	"slices"
	"time"

	"citygrid/schemas"
)

// boardLine is a line with the accounts of its meters.
type boardLine struct {
	line   Line
	meters []*meterHealth
}

// line adds a line, whose meters the board has.
func (b *board) line(l Line, meters []*meterHealth) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, boardLine{l, meters})
}

// lineStatus returns the accounts of the lines that have an address, in the order in
// which they were added; of more than schemas.MaxLines, those with the lowest success
// rate.
func (b *board) lineStatus(now time.Time) (list []schemas.LineStatus) {
	b.mu.Lock()
	lines := b.lines[:len(b.lines):len(b.lines)]
	b.mu.Unlock()
	seen := make(map[string]bool, len(lines)) // two long names may be cut to one
	for i := range lines {
		l := &lines[i]
		if name := schemas.LineText(l.line.Name); l.line.Address != "" && !seen[name] {
			seen[name] = true
			list = append(list, l.status(now))
		}
	}
	if len(list) > schemas.MaxLines {
		slices.SortStableFunc(list, func(a, b schemas.LineStatus) int {
			return cmp.Compare(successRate(a.Planned, a.Read), successRate(b.Planned, b.Read))
		})
		list = list[:schemas.MaxLines]
	}
	return list
}

// status sums up the meters of the line.
func (l *boardLine) status(now time.Time) schemas.LineStatus {
	s := schemas.LineStatus{
		Name: schemas.LineText(l.line.Name), Kind: l.line.Kind, Address: schemas.LineText(l.line.Address),
		Meters: uint32(len(l.meters)),
	}
	used := 0.0
	for _, h := range l.meters {
		today := h.status(now)
		s.Planned += today.Planned
		s.Read += today.Read
		used += h.share()
	}
	s.Used = uint16(min(used*1000+0.5, schemas.MaxUsed))
	return s
}

// share is the part of its interval that the meter's last read took; 0 when it gave
// nothing: the probes of such a meter have a budget of their own.
func (h *meterHealth) share() float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.interval <= 0 {
		return 0
	}
	return float64(h.took) / float64(h.interval)
}
