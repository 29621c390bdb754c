package geo

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tidwall/rtree"

	"citygrid/hub/registry"
	"citygrid/schemas/codes"
)

// FindingKind is what is wrong with the cells of a city.
type FindingKind string

// The kinds. Size, sliver and island are warnings, the others errors.
const (
	BadShape  FindingKind = "shape"     // Normalise refuses the polygon
	Duplicate FindingKind = "duplicate" // a code comes twice
	Overlap   FindingKind = "overlap"   // two cells cover the same ground
	Gap       FindingKind = "gap"       // ground between cells that is in none
	Prefix    FindingKind = "prefix"    // the community in the code is not that on the ground, or unknown
	Outside   FindingKind = "outside"   // part of a cell is outside its community
	Island    FindingKind = "island"    // all neighbours of a cell are of one other community
	Size      FindingKind = "size"      // far from the 10,000 m² that a cell should have
	Sliver    FindingKind = "sliver"    // a cell or gap that is only a strip
)

// Finding is one thing that the check of a city's cells found.
type Finding struct {
	Kind    FindingKind
	Warning bool // does not stand in the way of an import
	// Cells are those concerned, lowest code first.
	Cells     []codes.CellCode
	Community codes.AreaCode
	// Lon and Lat are a point of the place, to go and look.
	Lon, Lat float64
	// Area is the m² that overlap, are missing, outside, or that the cell has.
	Area float64
	// Text says what was found and what to do, in one sentence.
	Text string
}

// TopologyOptions bound the check; Defaults are filled in for zeros.
type TopologyOptions struct {
	// Communities have the outlines and codes against which cells are held; empty to
	// leave that out. One without a shape is only known to exist.
	Communities []registry.Area
	// Tolerance is the survey noise in metres that is no finding.
	Tolerance float64
	// Smallest and Largest are the m² of a cell beyond which there is a warning,
	// Narrowest the mean width in metres.
	Smallest, Largest, Narrowest float64
	// GapsAllowed makes gaps warnings: lakes and closed grounds that no cell covers.
	GapsAllowed bool
}

// Defaults are the options of an ordinary city: 0.05 m, 500 to 100,000 m², 3 m.
func Defaults() TopologyOptions {
	return TopologyOptions{Tolerance: Tolerance, Smallest: 500, Largest: 100_000, Narrowest: 3}
}

// check is one run.
type check struct {
	TopologyOptions
	mesh        *mesh
	cells       []registry.Cell
	bodies      []*body // nil for a cell with a finding that excludes it
	communities map[codes.AreaCode]*community
	findings    []Finding
}

type community struct {
	body            *body   // nil without a shape
	covered, lapped float64 // m² of it within its cells, and twice within them
	gaps            float64
	cells           int
}

// CheckTopology holds the cells of a city against the rules of the grid: every place
// in exactly one cell, every cell within its community, no code twice. Findings come
// in order of kind, code and place; of a cell that lies upon many others, the overlaps
// with some of them are left out. The error is that of ctx only.
func CheckTopology(ctx context.Context, cells []registry.Cell, o TopologyOptions) ([]Finding, error) {
	d := Defaults()
	o.Tolerance, o.Narrowest = cmp.Or(o.Tolerance, d.Tolerance), cmp.Or(o.Narrowest, d.Narrowest)
	o.Smallest, o.Largest = cmp.Or(o.Smallest, d.Smallest), cmp.Or(o.Largest, d.Largest)
	c := &check{TopologyOptions: o, cells: cells, bodies: make([]*body, len(cells)), communities: map[codes.AreaCode]*community{}}
	c.build()
	for _, step := range []func(context.Context) error{c.sizes, c.overlaps, c.gapsAndIslands, c.against} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("check topology of %d cells: %w", len(cells), err)
		}
	}
	slices.SortStableFunc(c.findings, func(p, q Finding) int {
		return cmp.Or(cmp.Compare(p.Kind, q.Kind), slices.Compare(p.Cells, q.Cells),
			cmp.Compare(p.Community, q.Community), cmp.Compare(p.Lon, q.Lon), cmp.Compare(p.Lat, q.Lat))
	})
	return c.findings, nil
}

func (c *check) add(f Finding, format string, args ...any) {
	f.Text = fmt.Sprintf(format, args...)
	slices.Sort(f.Cells)
	c.findings = append(c.findings, f)
}

// build normalises and snaps all shapes. Cells come in the order of their codes, so
// that the same city gives the same vertices however its file is sorted.
func (c *check) build() {
	order := make([]int, len(c.cells))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(c.cells[i].Code, c.cells[j].Code) })
	shapes := make([]registry.Shape, len(c.cells))
	for n, i := range order {
		cell := &c.cells[i]
		if n > 0 && c.cells[order[n-1]].Code == cell.Code {
			c.add(Finding{Kind: Duplicate, Cells: []codes.CellCode{cell.Code}},
				"cell %s comes twice; give one of them another number, codes are never used again", cell.Code)
			continue
		}
		s, err := Normalise(cell.Shape)
		if err != nil {
			c.add(Finding{Kind: BadShape, Cells: []codes.CellCode{cell.Code}}, "cell %s: %v; draw it again", cell.Code, err)
			continue
		}
		shapes[i] = s
	}
	c.snap(order, shapes)
}

func (c *check) snap(order []int, shapes []registry.Shape) {
	lon, lat, n := 0.0, 0.0, 0
	for _, s := range shapes {
		if s != nil {
			lon, lat, n = lon+s[0][0][0][0], lat+s[0][0][0][1], n+1
		}
	}
	c.mesh = newMesh(lon/float64(max(n, 1)), lat/float64(max(n, 1)), c.Tolerance)
	var all []*body
	for _, i := range order {
		if shapes[i] != nil {
			c.bodies[i] = c.mesh.add(shapes[i])
			all = append(all, c.bodies[i])
		}
	}
	for _, area := range c.Communities {
		entry := &community{}
		if s, err := Normalise(area.Shape); err == nil {
			entry.body = c.mesh.add(s)
			all = append(all, entry.body)
		} else if area.Shape != nil {
			c.add(Finding{Kind: BadShape, Community: area.Code}, "community %s: %v; draw it again", area.Code, err)
		}
		c.communities[area.Code] = entry
	}
	for _, b := range all {
		c.mesh.split(b)
	}
}

// place is a point to look at: the first vertex of b.
func (c *check) place(b *body) (lon, lat float64) {
	if len(b.chains) == 0 {
		return 0, 0
	}
	p := c.mesh.vertices[b.chains[0][0]].degrees
	return p[0], p[1]
}

func (c *check) sizes(ctx context.Context) error {
	for i, b := range c.bodies {
		if b == nil {
			continue
		}
		code := c.cells[i].Code
		area, around := c.mesh.area(b), c.mesh.perimeter(b)
		f := Finding{Kind: Size, Warning: true, Cells: []codes.CellCode{code}, Area: area}
		f.Lon, f.Lat = c.place(b)
		switch width := 2 * area / max(around, c.Tolerance); {
		case area <= 0 || width < c.Narrowest:
			f.Kind = Sliver
			c.add(f, "cell %s is a strip, %.2f m wide and %.0f m² in all; join it to a neighbour", code, width, area)
		case area < c.Smallest:
			c.add(f, "cell %s has only %.0f m², less than %.0f m²; join it to a neighbour, or leave it if that is meant", code, area, c.Smallest)
		case area > c.Largest:
			c.add(f, "cell %s has %.0f m², more than %.0f m²; divide it, or leave it if that is meant", code, area, c.Largest)
		}
	}
	return ctx.Err()
}

// maxOverlaps is how many overlaps are told of one cell with those before it: a grid
// that was drawn twice takes no more than that many times its own room.
const maxOverlaps = 20

// overlaps compares all cells whose boxes overlap by more than the tolerance.
func (c *check) overlaps(ctx context.Context) error {
	var tree rtree.RTreeG[int]
	for i, b := range c.bodies {
		if err := ctx.Err(); err != nil {
			return err
		}
		if b == nil || len(b.chains) == 0 {
			continue
		}
		told := 0
		tree.Search(b.low, b.high, func(low, high [2]float64, j int) bool {
			if c.overlap(i, j) {
				told++
			}
			return told < maxOverlaps
		})
		tree.Insert(b.low, b.high, i)
	}
	return nil
}

// overlap reports whether two cells do, and tells.
func (c *check) overlap(i, j int) bool {
	a, b := c.bodies[i], c.bodies[j]
	area := c.mesh.common(a, b)
	if area <= c.Tolerance*c.Tolerance {
		return false
	}
	around := c.mesh.lengthWithin(a, b, true) + c.mesh.lengthWithin(b, a, false)
	if 2*area <= c.Tolerance*around {
		return false // a strip no wider than the survey noise
	}
	p, q := c.cells[i].Code, c.cells[j].Code
	f := Finding{Kind: Overlap, Cells: []codes.CellCode{p, q}, Area: area}
	f.Lon, f.Lat = c.middle(a, b)
	c.add(f, "cells %s and %s overlap by %.1f m²; move their common edge", min(p, q), max(p, q), area)
	if entry := c.communities[p.Community()]; entry != nil && p.Community() == q.Community() {
		entry.lapped += area
	}
	return true
}

// middle is the middle of what the boxes of a and b share.
func (c *check) middle(a, b *body) (lon, lat float64) {
	x := (max(a.low[0], b.low[0]) + min(a.high[0], b.high[0])) / 2
	y := (max(a.low[1], b.low[1]) + min(a.high[1], b.high[1])) / 2
	lat = c.mesh.lat
	for range 6 { // authalic is nearly straight within a city
		_, perDegree := degreeLengths(lat)
		across, _ := degreeLengths(lat)
		lat -= (authalic(lat*radians) - c.mesh.base - y) / (perDegree * across / radians)
	}
	return c.mesh.lon + x/radians, lat
}

// against holds cells against the outlines of communities.
func (c *check) against(ctx context.Context) error {
	if len(c.communities) == 0 {
		return nil
	}
	var tree rtree.RTreeG[codes.AreaCode]
	for _, area := range c.Communities {
		if e := c.communities[area.Code]; e.body != nil && len(e.body.chains) > 0 {
			tree.Insert(e.body.low, e.body.high, area.Code)
		}
	}
	for i, b := range c.bodies {
		if err := ctx.Err(); err != nil {
			return err
		}
		if b != nil && len(b.chains) > 0 {
			c.holdCell(i, b, &tree)
		}
	}
	c.holdCommunities()
	return nil
}

func (c *check) holdCell(i int, b *body, tree *rtree.RTreeG[codes.AreaCode]) {
	code := c.cells[i].Code
	f := Finding{Kind: Prefix, Cells: []codes.CellCode{code}, Community: code.Community()}
	f.Lon, f.Lat = c.place(b)
	own := c.communities[code.Community()]
	if own == nil {
		c.add(f, "cell %s is of community %s, which is not in the list of areas; correct the code or import the area first", code, code.Community())
		return
	}
	if own.body == nil {
		return
	}
	area, in := c.mesh.area(b), c.mesh.common(b, own.body)
	own.covered, own.cells = own.covered+in, own.cells+1
	f.Area = max(area-in, 0)
	if f.Area <= c.Tolerance*c.mesh.perimeter(b)/2 {
		return
	}
	if in < area/2 {
		if other := c.mostly(b, tree); other != "" {
			c.add(f, "cell %s is of community %s by its code, but lies in %s; give it a code of that community", code, code.Community(), other)
			return
		}
	}
	f.Kind = Outside
	c.add(f, "%.1f m² of cell %s are outside its community %s; move the edge of one of them", f.Area, code, code.Community())
}

// mostly is the community in which more than half of b lies.
func (c *check) mostly(b *body, tree *rtree.RTreeG[codes.AreaCode]) (found codes.AreaCode) {
	half := c.mesh.area(b) / 2
	tree.Search(b.low, b.high, func(_, _ [2]float64, code codes.AreaCode) bool {
		if c.mesh.common(b, c.communities[code].body) > half {
			found = code
		}
		return found == ""
	})
	return found
}

// holdCommunities looks for ground at the edge of a community that no cell of it
// covers; what is enclosed by cells has been found already.
func (c *check) holdCommunities() {
	for _, a := range c.Communities {
		e := c.communities[a.Code]
		if e.body == nil || e.cells == 0 {
			continue
		}
		missing := c.mesh.area(e.body) - (e.covered - e.lapped) - e.gaps
		if missing <= c.Tolerance*c.mesh.perimeter(e.body)/2+1 {
			continue
		}
		f := Finding{Kind: Gap, Warning: c.GapsAllowed, Community: a.Code, Area: missing}
		f.Lon, f.Lat = c.place(e.body)
		c.add(f, "%.1f m² at the edge of community %s are in none of its cells; extend them, or correct its outline", missing, a.Code)
	}
}

func join[C ~string](list []C) string {
	words := make([]string, len(list))
	for i, c := range list {
		words[i] = string(c)
	}
	if len(words) > 6 {
		words = append(words[:6], fmt.Sprintf("%d more", len(list)-6))
	}
	return strings.Join(words, ", ")
}

func angle(p, q [2]float64) float64 { return math.Atan2(q[1]-p[1], q[0]-p[0]) }
