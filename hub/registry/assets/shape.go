package assets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"citygrid/hub/registry"
	"citygrid/hub/registry/geo"
)

// Shapes are kept on a grid of 1e-9 degrees, 0.1 mm: fine enough that a polygon comes
// back the same after an export in any reference system, whose last digit is a
// micrometre. Positions of components are on one of 1e-7 degrees, about a centimetre.
const (
	perDegreeShape = 1e9
	perDegree      = 1e7
	// maxPoints bounds what a damaged row can make the decoder allocate.
	maxPoints = 1 << 22
)

func e7(deg float64) int64 { return int64(math.Round(deg * perDegree)) }

func degrees(v int64) float64 { return float64(v) / perDegree }

// tileOf numbers the hundredth of a degree that a position is in, about a kilometre;
// -1 where it is not known.
func tileOf(lonE7, latE7 int64) int64 {
	if lonE7 == 0 && latE7 == 0 {
		return -1
	}
	return (tileRow(latE7)+9000)*36001 + tileRow(lonE7) + 18000
}

// tileRow is the hundredth of a degree, rounded down.
func tileRow(v int64) int64 {
	const width = perDegree / 100
	if v < 0 {
		return (v+1)/width - 1
	}
	return v / width
}

// onGrid moves the points of s onto the grid of shapes.
func onGrid(s registry.Shape) (registry.Shape, error) {
	out := make(registry.Shape, len(s))
	for i, polygon := range s {
		out[i] = make(registry.Polygon, len(polygon))
		for n, ring := range polygon {
			out[i][n] = make(registry.Ring, len(ring))
			for k, p := range ring {
				out[i][n][k] = [2]float64{snap(p[0]), snap(p[1])}
			}
		}
	}
	return geo.Normalise(out)
}

func snap(deg float64) float64 { return math.Round(deg*perDegreeShape) / perDegreeShape }

// encodeShape writes s as counts and differences of whole 1e-9 degrees, each a
// variable-length integer; a nil shape is empty. The last point of a ring, which is
// the first, is left out.
func encodeShape(s registry.Shape) string {
	if s == nil {
		return ""
	}
	b := binary.AppendUvarint(nil, uint64(len(s)))
	var x, y int64
	for _, polygon := range s {
		b = binary.AppendUvarint(b, uint64(len(polygon)))
		for _, ring := range polygon {
			b = binary.AppendUvarint(b, uint64(len(ring)-1))
			for _, p := range ring[:len(ring)-1] {
				px, py := int64(math.Round(p[0]*perDegreeShape)), int64(math.Round(p[1]*perDegreeShape))
				b = binary.AppendVarint(binary.AppendVarint(b, px-x), py-y)
				x, y = px, py
			}
		}
	}
	return string(b)
}

var errShape = errors.New("the shape is damaged; restore the database from the back-up")

// shapeReader takes an encoded shape apart.
type shapeReader struct {
	b    []byte
	left int // points
	x, y int64
}

// decodeShape reads what encodeShape wrote.
func decodeShape(text string) (registry.Shape, error) {
	if text == "" {
		return nil, nil
	}
	r := &shapeReader{b: []byte(text), left: maxPoints}
	polygons, err := r.count()
	s := make(registry.Shape, 0, polygons)
	for range polygons {
		var rings int
		if rings, err = r.count(); err != nil {
			break
		}
		polygon := make(registry.Polygon, 0, rings)
		for range rings {
			ring, bad := r.ring()
			if err = bad; err != nil {
				return nil, err
			}
			polygon = append(polygon, ring)
		}
		s = append(s, polygon)
	}
	if err != nil || len(r.b) > 0 {
		return nil, errShape
	}
	return s, nil
}

// count reads a number of things, each of which takes at least a byte.
func (r *shapeReader) count() (int, error) {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > uint64(len(r.b)) {
		return 0, errShape
	}
	r.b = r.b[n:]
	return int(v), nil
}

func (r *shapeReader) delta() (int64, error) {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		return 0, errShape
	}
	r.b = r.b[n:]
	return v, nil
}

func (r *shapeReader) ring() (registry.Ring, error) {
	points, err := r.count()
	if err != nil || points < 3 || points > r.left {
		return nil, errShape
	}
	r.left -= points
	ring := make(registry.Ring, 0, points+1)
	for range points {
		dx, err := r.delta()
		if err != nil {
			return nil, err
		}
		dy, err := r.delta()
		if err != nil {
			return nil, err
		}
		r.x, r.y = r.x+dx, r.y+dy
		ring = append(ring, [2]float64{float64(r.x) / perDegreeShape, float64(r.y) / perDegreeShape})
	}
	return append(ring, ring[0]), nil
}

// sameShape reports whether a and b are the same outline within geo.Tolerance: ring
// by ring and point by point, wherever their rings begin.
func sameShape(a, b registry.Shape) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if len(a[i]) != len(b[i]) {
			return false
		}
		for n := range a[i] {
			if !sameRing(a[i][n], b[i][n]) {
				return false
			}
		}
	}
	return true
}

func sameRing(a, b registry.Ring) bool {
	n := len(a) - 1
	if len(b)-1 != n {
		return false
	}
	for shift := range n {
		k := 0
		for k < n && near(a[k], b[(k+shift)%n]) {
			k++
		}
		if k == n {
			return true
		}
	}
	return false
}

func near(p, q [2]float64) bool {
	if math.Abs(p[0]-q[0]) > 1e-5 || math.Abs(p[1]-q[1]) > 1e-5 {
		return false
	}
	return p == q || geo.Distance(p[0], p[1], q[0], q[1]) <= geo.Tolerance
}

// shapeError says that a shape cannot be kept on the grid.
func shapeError(err error) error {
	return fmt.Errorf("within 0.1 mm the polygon is none any more: %w", err)
}
