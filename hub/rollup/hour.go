package rollup

import (
	"math"
	"strings"
	"time"

	"citygrid/hub/store"
	"citygrid/schemas"
)

// groups are the media of figures, and those meters of which nothing is known.
const groups = 4

// groupOf is the place of a medium among the groups.
func groupOf(m schemas.Medium) int {
	for n, one := range Media() {
		if one == m {
			return n
		}
	}
	return groups - 1
}

func mediumOf(group int) schemas.Medium {
	if group < len(Media()) {
		return Media()[group]
	}
	return schemas.Device
}

// figures are those of every place of a town, by group, while they are counted.
type figures [groups][]Figure

func newFigures(places int) *figures {
	f := &figures{}
	for g := range f {
		f[g] = make([]Figure, places)
	}
	return f
}

// hour is what is known of one hour. It never changes: a new count takes its place.
type hour struct {
	final bool
	asOf  time.Time
	rows  int64 // readings of the store that it was counted from
	// cells has, by group, the cells in the order of the town; nil for a group without
	// meters. Sums over areas, the city under "", and nowhere have figures in full.
	cells   [groups][]packed
	nowhere [groups]Figure
	areas   map[string]*[groups]Figure
}

// packed is a Figure of a cell in little room: a city has millions of them.
type packed struct {
	mantissa                                   int64
	expected, got                              uint32
	flow                                       float32
	meters, counted, partial, carried, waiting uint16
	exponent                                   int8
	flags                                      uint8
}

const (
	flagKnown = 1 << iota
	flagBroken
	flagFlow
)

func small(n int) uint16      { return uint16(min(n, math.MaxUint16)) }
func middling(n int64) uint32 { return uint32(min(n, math.MaxUint32)) }

func (f *Figure) pack() packed {
	p := packed{f.Value.Mantissa, middling(f.Expected), middling(f.Got), float32(f.Flow), small(f.Meters), small(f.Counted), small(f.Partial), small(f.Carried),
		small(f.Waiting), f.Value.Exponent, 0}
	for _, b := range []struct {
		set  bool
		flag uint8
	}{{f.Known, flagKnown}, {f.Broken, flagBroken}, {f.FlowKnown, flagFlow}} {
		if b.set {
			p.flags |= b.flag
		}
	}
	return p
}

func (p *packed) figure() Figure {
	return Figure{Value: schemas.Decimal{Mantissa: p.mantissa, Exponent: p.exponent}, Known: p.flags&flagKnown != 0, Broken: p.flags&flagBroken != 0,
		Meters: int(p.meters), Counted: int(p.counted), Partial: int(p.partial), Carried: int(p.carried), Waiting: int(p.waiting),
		Expected: int64(p.expected), Got: int64(p.got), Flow: float64(p.flow), FlowKnown: p.flags&flagFlow != 0}
}

// newHour packs figures of the places of a town.
func newHour(t *Town, f *figures) *hour {
	h := &hour{}
	for g := range f {
		for n := range t.cells {
			if f[g][n] == (Figure{}) {
				continue
			}
			if h.cells[g] == nil {
				h.cells[g] = make([]packed, len(t.cells))
			}
			h.cells[g][n] = f[g][n].pack()
		}
		h.nowhere[g] = f[g][len(t.cells)]
	}
	h.sum(t)
	return h
}

// areaDigits are the lengths of the codes of counties, streets and communities.
const countyDigits, streetDigits, communityDigits = 6, 9, 12

// sum adds the cells up into areas and the city.
func (h *hour) sum(t *Town) {
	h.areas = map[string]*[groups]Figure{"": {}}
	city := h.areas[""]
	for g := range groups {
		city[g].Beside(&h.nowhere[g])
	}
	for n, code := range t.cells {
		var in [3]*[groups]Figure
		for k, digits := range [3]int{countyDigits, streetDigits, communityDigits} {
			area := code[:min(digits, len(code))]
			if in[k] = h.areas[area]; in[k] == nil {
				in[k] = &[groups]Figure{}
				h.areas[strings.Clone(area)] = in[k]
			}
		}
		for g := range groups {
			f := h.cell(g, n)
			if f == (Figure{}) {
				continue
			}
			city[g].Beside(&f)
			for k := range in {
				in[k][g].Beside(&f)
			}
		}
	}
}

// cell returns a place's figure.
func (h *hour) cell(group, place int) Figure {
	if h.cells[group] == nil || place >= len(h.cells[group]) {
		return Figure{}
	}
	return h.cells[group][place].figure()
}

// of returns the figure of a cell, an area or the city; nil where there is none.
func (h *hour) of(t *Town, code string, group int) *Figure {
	if a := h.areas[code]; a != nil {
		f := a[group]
		return &f
	}
	if n := t.Index(code); n < len(t.cells) {
		f := h.cell(group, n)
		return &f
	}
	return nil
}

// full unpacks all places.
func (h *hour) full(t *Town) *figures {
	f := newFigures(t.Nowhere() + 1)
	for g := range f {
		for n := range t.cells {
			f[g][n] = h.cell(g, n)
		}
		f[g][t.Nowhere()] = h.nowhere[g]
	}
	return f
}

// moved is h in the order of another town.
func (h *hour) moved(from, to *Town) *hour {
	f := newFigures(to.Nowhere() + 1)
	old := h.full(from)
	for g := range f {
		for n := range old[g] {
			place := to.Nowhere()
			if n < from.Nowhere() {
				if place = to.Index(from.cells[n]); place == to.Nowhere() {
					continue
				}
			}
			f[g][place] = old[g][n]
		}
	}
	next := newHour(to, f)
	next.final, next.asOf, next.rows = h.final, h.asOf, h.rows
	return next
}

// nowhereCode and cityCode stand for the place of meters in no cell, and for all.
const nowhereCode, cityCode = "none", "city"

// record is a figure as the store keeps it.
func record(place string, group int, start int64, f *Figure) store.CellHour {
	return store.CellHour{Place: place, Medium: mediumOf(group), Hour: time.UnixMilli(start).UTC(), Value: f.Value, Known: f.Known, Broken: f.Broken,
		Flow: f.Flow, FlowKnown: f.FlowKnown, Meters: int64(f.Meters), Counted: int64(f.Counted), Partial: int64(f.Partial), Carried: int64(f.Carried),
		Expected: f.Expected, Got: f.Got}
}

// figureOf reads what record wrote.
func figureOf(c *store.CellHour) Figure {
	return Figure{Value: c.Value, Known: c.Known, Broken: c.Broken, Meters: int(c.Meters), Counted: int(c.Counted), Partial: int(c.Partial), Carried: int(c.Carried),
		Expected: c.Expected, Got: c.Got, Flow: c.Flow, FlowKnown: c.FlowKnown}
}

// cellRecords are the cells of h that some of places name, nil for all, as the store
// keeps them.
func (h *hour) cellRecords(t *Town, start int64, places map[int]bool) (list []store.CellHour) {
	for g := range groups {
		for n := range t.cells {
			if places != nil && !places[n] {
				continue
			}
			if f := h.cell(g, n); f != (Figure{}) {
				list = append(list, record(t.cells[n], g, start, &f))
			}
		}
		if f := h.nowhere[g]; f != (Figure{}) && (places == nil || places[t.Nowhere()]) {
			list = append(list, record(nowhereCode, g, start, &f))
		}
	}
	return list
}

// areaRecords are the areas of h as the store keeps them. The city has a record of
// every group: it says that the hour was counted, and from how many readings.
func (h *hour) areaRecords(start int64) (list []store.CellHour) {
	for code, all := range h.areas {
		for g := range all {
			switch {
			case code == "":
				one := record(cityCode, g, start, &all[g])
				if g == groups-1 {
					one.Rows = h.rows
				}
				list = append(list, one)
			case all[g] != (Figure{}):
				list = append(list, record(code, g, start, &all[g]))
			}
		}
	}
	return list
}
