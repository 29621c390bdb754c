package geo

import (
	"fmt"
	"iter"
	"math"

	"github.com/tidwall/rtree"

	"citygrid/hub/registry"
	"citygrid/schemas/codes"
)

// Tolerance is the survey noise in metres that is no finding: polygons that miss
// each other by less are taken to meet.
const Tolerance = 0.05

// Index finds the shape that a point is in: cells by CellCode, areas by AreaCode. It
// may be used by many goroutines at once.
type Index[C ~string] struct {
	tree   rtree.RTreeG[int32]
	codes  []C
	shapes []registry.Shape
}

// NewIndex builds an index of codes and their shapes. A code that comes twice and a
// shape that Normalise refuses are errors.
func NewIndex[C ~string](shapes iter.Seq2[C, registry.Shape]) (*Index[C], error) {
	x, seen := &Index[C]{}, map[C]bool{}
	for code, shape := range shapes {
		if seen[code] {
			return nil, fmt.Errorf("index: %q comes twice", string(code))
		}
		seen[code] = true
		s, err := Normalise(shape)
		if err != nil {
			return nil, fmt.Errorf("index: shape of %q: %w", string(code), err)
		}
		for _, polygon := range s {
			low, high := bounds(polygon[0])
			x.tree.Insert(low, high, int32(len(x.codes)))
		}
		x.codes, x.shapes = append(x.codes, code), append(x.shapes, s)
	}
	return x, nil
}

// Cells is NewIndex for cells.
func Cells(cells []registry.Cell) (*Index[codes.CellCode], error) {
	return NewIndex(func(yield func(codes.CellCode, registry.Shape) bool) {
		for i := range cells {
			if !yield(cells[i].Code, cells[i].Shape) {
				return
			}
		}
	})
}

// Len is the number of codes.
func (x *Index[C]) Len() int { return len(x.codes) }

// Locate finds the one that the point in degrees of CGCS2000 belongs to. On an edge
// or corner that several share, and where they overlap, it is that with the lowest
// code. A point in none, but within Tolerance of some, belongs to the nearest of
// them: cracks between surveyed polygons swallow nothing. What is no number is in none.
func (x *Index[C]) Locate(lon, lat float64) (C, bool) {
	var best C
	found, p := false, [2]float64{lon, lat}
	x.tree.Search(p, p, func(_, _ [2]float64, i int32) bool {
		if c := x.codes[i]; (!found || c < best) && sideOfShape(x.shapes[i], lon, lat) != outside {
			best, found = c, true
		}
		return true
	})
	if found || !(math.Abs(lat) < 89) || !finite(lon) {
		return best, found
	}
	return x.nearest(lon, lat)
}

func (x *Index[C]) nearest(lon, lat float64) (best C, found bool) {
	mx, my := degreeLengths(lat)
	low := [2]float64{lon - Tolerance/mx, lat - Tolerance/my}
	high := [2]float64{lon + Tolerance/mx, lat + Tolerance/my}
	least := Tolerance
	x.tree.Search(low, high, func(_, _ [2]float64, i int32) bool {
		d, c := distanceToEdge(x.shapes[i], lon, lat, mx, my), x.codes[i]
		if d < least || d == least && (!found || c < best) {
			best, least, found = c, d, true
		}
		return true
	})
	return best, found
}

// distanceToEdge is in metres of mx and my per degree: for points close by.
func distanceToEdge(s registry.Shape, lon, lat, mx, my float64) float64 {
	least := math.Inf(1)
	for _, polygon := range s {
		for _, r := range polygon {
			for i := 1; i < len(r); i++ {
				a := [2]float64{(r[i-1][0] - lon) * mx, (r[i-1][1] - lat) * my}
				b := [2]float64{(r[i][0] - lon) * mx, (r[i][1] - lat) * my}
				d, _ := toSegment(a, b, [2]float64{})
				least = math.Min(least, d)
			}
		}
	}
	return least
}

// toSegment is the distance of p from the line a, b, and where along it, 0 to 1.
func toSegment(a, b, p [2]float64) (d, t float64) {
	dx, dy := b[0]-a[0], b[1]-a[1]
	if l := dx*dx + dy*dy; l > 0 {
		t = min(1, max(0, ((p[0]-a[0])*dx+(p[1]-a[1])*dy)/l))
	}
	return math.Hypot(a[0]+t*dx-p[0], a[1]+t*dy-p[1]), t
}

func bounds(r registry.Ring) (low, high [2]float64) {
	low, high = r[0], r[0]
	for _, p := range r {
		low = [2]float64{min(low[0], p[0]), min(low[1], p[1])}
		high = [2]float64{max(high[0], p[0]), max(high[1], p[1])}
	}
	return low, high
}
