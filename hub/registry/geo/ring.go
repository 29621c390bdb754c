package geo

import (
	"fmt"
	"math"
	"math/big"
	"slices"

	"citygrid/hub/registry"
)

// side is where a point is.
type side int

const (
	outside side = iota
	boundary
	inside
)

// orient is above zero when a, b, p turn left, below when right, and zero when they
// are on one line: exactly, whatever the rounding.
func orient(a, b, p [2]float64) float64 {
	l, r := (a[0]-p[0])*(b[1]-p[1]), (a[1]-p[1])*(b[0]-p[0])
	// The bound of Shewchuk's first stage; below it the sign may be wrong.
	if det := l - r; math.Abs(det) >= 3.3306690738754716e-16*(math.Abs(l)+math.Abs(r)) {
		return det
	}
	diff := func(x, y float64) *big.Rat {
		return new(big.Rat).Sub(new(big.Rat).SetFloat64(x), new(big.Rat).SetFloat64(y))
	}
	left := new(big.Rat).Mul(diff(a[0], p[0]), diff(b[1], p[1]))
	right := new(big.Rat).Mul(diff(a[1], p[1]), diff(b[0], p[0]))
	return float64(left.Cmp(right))
}

// sideOf says where lon, lat is against a closed ring of any direction. Two rings
// with a common edge agree on which side of it a point is.
func sideOf(r [][2]float64, lon, lat float64) side {
	p, in := [2]float64{lon, lat}, false
	for i := 1; i < len(r); i++ {
		a, b := r[i-1], r[i]
		if a == p || b == p {
			return boundary
		}
		if a[1] == b[1] {
			if lat == a[1] && (a[0] < lon) != (b[0] < lon) {
				return boundary
			}
			continue
		}
		if (a[1] > lat) == (b[1] > lat) {
			continue
		}
		o := orient(a, b, p)
		if o == 0 {
			return boundary
		}
		if (o > 0) == (b[1] > a[1]) {
			in = !in
		}
	}
	if in {
		return inside
	}
	return outside
}

// finite reports whether x is a number that has a place. The exact orient has no
// answer to others.
func finite(x float64) bool { return x-x == 0 }

// sideOfShape is sideOf for polygons with holes. What is no number is outside.
func sideOfShape(s registry.Shape, lon, lat float64) side {
	if !finite(lon) || !finite(lat) {
		return outside
	}
	for _, polygon := range s {
		at := outside
		for n, ring := range polygon {
			in := sideOf(ring, lon, lat)
			if in == boundary {
				return boundary
			}
			if n == 0 {
				at = in
			} else if in == inside {
				at = outside
			}
			if at == outside {
				break
			}
		}
		if at == inside {
			return inside
		}
	}
	return outside
}

// Contains reports whether lon, lat is in s or on its edge. Holes are not part of s,
// their edges are. What is no number is in nothing.
func Contains(s registry.Shape, lon, lat float64) bool {
	return sideOfShape(s, lon, lat) != outside
}

// signedArea is the area in m² on the ellipsoid of a ring whose edges are straight
// in longitude and latitude; above zero against the clock. Gauss' rule of three
// points along an edge is exact to 1e-12 for edges below a degree.
func signedArea(r [][2]float64) float64 {
	if len(r) == 0 {
		return 0
	}
	const node = 0.7745966692414834
	base, sum := authalic(r[0][1]*radians), 0.0
	for i := 1; i < len(r); i++ {
		dlon := (r[i][0] - r[i-1][0]) * radians
		mid, half := (r[i][1]+r[i-1][1])/2*radians, (r[i][1]-r[i-1][1])/2*radians
		mean := (5*(authalic(mid-node*half)-base) + 8*(authalic(mid)-base) + 5*(authalic(mid+node*half)-base)) / 18
		sum -= dlon * mean
	}
	return sum
}

// Area is the area of s in m² on the ellipsoid, its holes taken off, to one part in
// a million for polygons up to the size of a province.
func Area(s registry.Shape) float64 {
	var sum float64
	for _, polygon := range s {
		for n, ring := range polygon {
			if a := math.Abs(signedArea(ring)); n == 0 {
				sum += a
			} else {
				sum -= a
			}
		}
	}
	return sum
}

// maxPoints and maxRings bound a shape: a province at survey detail, with all its
// islands, has fewer.
const maxPoints, maxRings = 100_000, 10_000

// Normalise checks s and returns it with outer rings against the clock, holes with
// it, and points that follow their own equal left out. A shape is good when it has a
// polygon, every ring is closed, of at least 4 points and does not touch itself, no
// two rings cross, holes are inside their outer ring and polygons apart. s itself is
// not changed.
func Normalise(s registry.Shape) (registry.Shape, error) {
	if len(s) == 0 {
		return nil, fmt.Errorf("no polygon")
	}
	out, points, rings := make(registry.Shape, len(s)), 0, 0
	for i, polygon := range s {
		if len(polygon) == 0 {
			return nil, fmt.Errorf("polygon %d has no ring", i+1)
		}
		if rings += len(polygon); rings > maxRings {
			return nil, fmt.Errorf("more than %d rings; divide it, or leave the smallest out", maxRings)
		}
		for n, ring := range polygon {
			if points += len(ring); points > maxPoints {
				return nil, fmt.Errorf("more than %d points; simplify it", maxPoints)
			}
			r, err := normaliseRing(ring, n == 0)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", ringName(s, i, n), err)
			}
			out[i] = append(out[i], r)
		}
	}
	if err := checkCrossings(out); err != nil {
		return nil, err
	}
	return out, checkNesting(out)
}

// ringName says which ring is meant, as far as it needs saying.
func ringName(s registry.Shape, polygon, ring int) string {
	name := "ring"
	if ring > 0 {
		name = fmt.Sprintf("hole %d", ring)
	}
	if len(s) > 1 {
		name = fmt.Sprintf("polygon %d, %s", polygon+1, name)
	}
	return name
}

func normaliseRing(ring registry.Ring, outer bool) (registry.Ring, error) {
	for _, p := range ring {
		if !finite(p[0]) || !finite(p[1]) {
			return nil, fmt.Errorf("a coordinate is not a number")
		}
	}
	if len(ring) > 0 && ring[0] != ring[len(ring)-1] {
		return nil, fmt.Errorf("not closed: it begins at %v, %v and ends at %v, %v; repeat the first point at the end",
			ring[0][0], ring[0][1], ring[len(ring)-1][0], ring[len(ring)-1][1])
	}
	r := slices.Compact(slices.Clone(ring))
	if len(r) < 4 {
		return nil, fmt.Errorf("%d different points in a row, want at least 4 with the first one repeated at the end", len(r))
	}
	a := signedArea(r)
	if (a > 0) != outer {
		slices.Reverse(r)
	}
	return r, nil
}

type segment struct {
	a, b       [2]float64
	minX, maxX float64
	polygon    int
	ring, at   int
	last       bool // of its ring
}

// checkCrossings sweeps over all edges from west to east.
func checkCrossings(s registry.Shape) error {
	segments := edgesOf(s)
	slices.SortFunc(segments, func(p, q segment) int {
		switch {
		case p.minX < q.minX:
			return -1
		case p.minX > q.minX:
			return 1
		}
		return 0
	})
	work := 0
	for i := range segments {
		p := &segments[i]
		for j := i + 1; j < len(segments) && segments[j].minX <= p.maxX; j++ {
			if work++; work > 100_000_000 {
				return fmt.Errorf("too intricate to check; simplify it")
			}
			q := &segments[j]
			if math.Max(p.a[1], p.b[1]) < math.Min(q.a[1], q.b[1]) || math.Min(p.a[1], p.b[1]) > math.Max(q.a[1], q.b[1]) {
				continue
			}
			if err := checkPair(s, p, q); err != nil {
				return err
			}
		}
	}
	return nil
}

func edgesOf(s registry.Shape) []segment {
	var list []segment
	for i, polygon := range s {
		for n, ring := range polygon {
			for k := 1; k < len(ring); k++ {
				a, b := ring[k-1], ring[k]
				list = append(list, segment{a, b, math.Min(a[0], b[0]), math.Max(a[0], b[0]), i, n, k, k == len(ring)-1})
			}
		}
	}
	return list
}

// checkPair refuses edges that cross; those of one ring must not even touch, except
// neighbours in their common point.
func checkPair(s registry.Shape, p, q *segment) error {
	m := meet(p, q)
	if m == apart {
		return nil
	}
	same := p.polygon == q.polygon && p.ring == q.ring
	if m == touching {
		if !same {
			return nil
		}
		if d := p.at - q.at; d == 1 || d == -1 || p.at == 1 && q.last || q.at == 1 && p.last {
			return nil
		}
	}
	name := ringName(s, p.polygon, p.ring)
	if same {
		return fmt.Errorf("%s crosses or touches itself near %.7f, %.7f; draw it again there", name, q.a[0], q.a[1])
	}
	return fmt.Errorf("%s crosses %s near %.7f, %.7f; draw them apart", name, ringName(s, q.polygon, q.ring), q.a[0], q.a[1])
}

type meeting int

const (
	apart    meeting = iota
	touching         // in one point that ends one of them
	crossing         // within both, or along each other
)

func meet(p, q *segment) meeting {
	o1, o2 := sign(orient(p.a, p.b, q.a)), sign(orient(p.a, p.b, q.b))
	o3, o4 := sign(orient(q.a, q.b, p.a)), sign(orient(q.a, q.b, p.b))
	switch {
	case o1 == 0 && o2 == 0:
		return meetOnLine(p, q)
	case o1*o2 > 0 || o3*o4 > 0:
		return apart
	case o1*o2 < 0 && o3*o4 < 0:
		return crossing
	}
	return touching
}

// meetOnLine compares two edges of one line by the coordinate that changes more.
func meetOnLine(p, q *segment) meeting {
	k := 0
	if math.Abs(p.b[1]-p.a[1]) > math.Abs(p.b[0]-p.a[0]) {
		k = 1
	}
	from := math.Max(math.Min(p.a[k], p.b[k]), math.Min(q.a[k], q.b[k]))
	to := math.Min(math.Max(p.a[k], p.b[k]), math.Max(q.a[k], q.b[k]))
	switch {
	case from > to:
		return apart
	case from == to:
		return touching
	}
	return crossing
}

func sign(x float64) int {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}

// checkNesting comes after checkCrossings: rings are now wholly in or out of each
// other, and the first point that is not on the other ring tells.
func checkNesting(s registry.Shape) error {
	outer := make([]registry.Ring, len(s))
	for i, polygon := range s {
		if err := checkHoles(s, i); err != nil {
			return err
		}
		outer[i] = polygon[0]
	}
	var err error
	within(outer, func(i, j int) bool {
		if nested(outer[i], s[j]) {
			err = fmt.Errorf("polygon %d is inside polygon %d", i+1, j+1)
		}
		return err == nil
	})
	return err
}

// checkHoles holds the holes of polygon i against its outer ring and each other.
func checkHoles(s registry.Shape, i int) error {
	holes := s[i][1:]
	for n, hole := range holes {
		if against(hole, s[i][0]) == outside {
			return fmt.Errorf("%s is outside its polygon", ringName(s, i, n+1))
		}
	}
	var err error
	within(holes, func(n, m int) bool {
		if against(holes[n], holes[m]) == inside {
			err = fmt.Errorf("%s is inside %s", ringName(s, i, n+1), ringName(s, i, m+1))
		}
		return err == nil
	})
	return err
}

// within calls yield with every two rings of which the first may lie in the second, by
// the boxes around them, until it returns false.
func within(rings []registry.Ring, yield func(i, j int) bool) {
	low, high := make([][2]float64, len(rings)), make([][2]float64, len(rings))
	for i, r := range rings {
		low[i], high[i] = bounds(r)
	}
	for i := range rings {
		for j := range rings {
			if i != j && low[j][0] <= low[i][0] && low[j][1] <= low[i][1] && high[i][0] <= high[j][0] && high[i][1] <= high[j][1] && !yield(i, j) {
				return
			}
		}
	}
}

func nested(ring registry.Ring, in registry.Polygon) bool {
	if against(ring, in[0]) == outside {
		return false
	}
	for _, hole := range in[1:] {
		if against(ring, hole) != outside {
			return false
		}
	}
	return true
}

// against says where ring is of other. A ring with all its points on the other one
// counts as inside.
func against(ring, other registry.Ring) side {
	for _, p := range ring {
		if at := sideOf(other, p[0], p[1]); at != boundary {
			return at
		}
	}
	return inside
}
