package rollup

import (
	"slices"
	"sort"
	"strings"
	"time"

	"citygrid/schemas"
)

// Stay says that a meter is in a cell from From until before To; a zero From is the
// beginning, a zero To the future. Cell is empty where it is in none. Medium is what
// the register knows of the meter; empty for nothing.
type Stay struct {
	Meter    schemas.MeterID
	Cell     string
	Medium   schemas.Medium
	From, To time.Time
}

// Town says which meter is in which cell, and in which order the cells are. It never
// changes.
type Town struct {
	version string
	cells   []string
	index   map[string]int
	stays   map[schemas.MeterID][]stay
	meters  [][]schemas.MeterID // by cell, the last is nowhere; those that have been there too
}

type stay struct {
	cell     int
	medium   schemas.Medium
	from, to int64 // Unix milliseconds; to 0: none
}

// NewTown makes a Town of cells and of where meters stay, in any order. A stay in a
// cell that is not among cells is nowhere.
func NewTown(version string, cells []string, stays []Stay) *Town {
	t := &Town{version: version, cells: slices.Sorted(slices.Values(cells)), index: make(map[string]int, len(cells)),
		stays: make(map[schemas.MeterID][]stay, len(stays))}
	for n, c := range t.cells {
		t.index[c] = n
	}
	t.meters = make([][]schemas.MeterID, len(t.cells)+1)
	for _, s := range stays {
		one := stay{cell: t.Index(s.Cell), medium: s.Medium, from: millis(s.From), to: millis(s.To)}
		t.stays[s.Meter] = append(t.stays[s.Meter], one)
		if in := &t.meters[one.cell]; !slices.Contains(*in, s.Meter) {
			*in = append(*in, s.Meter)
		}
	}
	for _, list := range t.stays {
		slices.SortFunc(list, func(a, b stay) int { return int(sign(a.from - b.from)) })
	}
	return t
}

func sign(d int64) int64 {
	switch {
	case d < 0:
		return -1
	case d > 0:
		return 1
	}
	return 0
}

// millis is 0 for the zero Time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Version names the register's state that the town was made of.
func (t *Town) Version() string { return t.version }

// Cells returns the codes of the cells, ascending. The caller must not change them.
func (t *Town) Cells() []string { return t.cells }

// Nowhere is the place of meters that are in no cell: the number of cells.
func (t *Town) Nowhere() int { return len(t.cells) }

// Index returns the place of a cell, or Nowhere.
func (t *Town) Index(cell string) int {
	if n, ok := t.index[cell]; ok {
		return n
	}
	return len(t.cells)
}

// Range returns the places of the cells in an area: its code begins theirs. The empty
// code is the city, with what is nowhere.
func (t *Town) Range(area string) (from, to int) {
	if area == "" {
		return 0, len(t.cells) + 1
	}
	from = sort.SearchStrings(t.cells, area)
	to = from
	for to < len(t.cells) && strings.HasPrefix(t.cells[to], area) {
		to++
	}
	return from, to
}

// Of returns the place of a meter at a moment, and its medium as far as the register
// knows; Nowhere for a meter that the register does not have.
func (t *Town) Of(meter schemas.MeterID, at time.Time) (cell int, medium schemas.Medium) {
	return t.of(meter, at.UnixMilli())
}

func (t *Town) of(meter schemas.MeterID, ms int64) (cell int, medium schemas.Medium) {
	for _, s := range t.stays[meter] {
		if s.from <= ms && (s.to == 0 || ms < s.to) {
			return s.cell, s.medium
		}
	}
	return len(t.cells), ""
}

// Stays reports whether the register has the meter anywhere at a moment.
func (t *Town) Stays(meter schemas.MeterID, at time.Time) bool {
	ms := at.UnixMilli()
	return slices.ContainsFunc(t.stays[meter], func(s stay) bool { return s.from <= ms && (s.to == 0 || ms < s.to) })
}

// Meters returns the meters that the register has or had at a place.
func (t *Town) Meters(cell int) []schemas.MeterID { return t.meters[cell] }

// EachMeter calls fn with every meter of the register and its place at a moment; not
// with those that are not in it then.
func (t *Town) EachMeter(at time.Time, fn func(meter schemas.MeterID, cell int, medium schemas.Medium)) {
	ms := at.UnixMilli()
	for m, list := range t.stays {
		for _, s := range list {
			if s.from <= ms && (s.to == 0 || ms < s.to) {
				fn(m, s.cell, s.medium)
				break
			}
		}
	}
}
