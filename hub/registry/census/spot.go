package census

import (
	"errors"
	"fmt"

	"citygrid/hub/registry"
	"citygrid/hub/registry/geo"
	"citygrid/schemas"
)

// spot is the geometry of a record, from the file's own or from columns.
type spot struct {
	point *[2]float64
	shape registry.Shape
	x, y  *float64
	bad   bool // has a fault already
}

// column takes the text of a column of geometry.
func (s *spot) column(name, text string, crs geo.CRS) *fault {
	switch name {
	case columnX, columnY:
		v, f := parseNumber(text)
		if f != nil {
			return f
		}
		if name == columnX {
			s.x = &v
		} else {
			s.y = &v
		}
	case columnWKT:
		point, shape, err := parseWKT(text)
		if err != nil {
			return faultf("write POINT, POLYGON or MULTIPOLYGON as WKT", "%v", err)
		}
		s.point, s.shape = point, shape
	case columnCRS:
		said, err := geo.ParseCRS(text)
		if err != nil {
			return faultf("correct it, or take the column out", "%v", err)
		}
		if !crs.Agrees(said) {
			return faultf("find out which is right, and name that or mend the file", "the record says %s, the caller %s", said.Name(), crs.Name())
		}
	}
	return nil
}

// settle makes one point of the columns x and y.
func (s *spot) settle() *fault {
	switch {
	case s.x == nil && s.y == nil:
		return nil
	case s.x == nil || s.y == nil:
		return faultf("give both, or neither", "one coordinate of two")
	case s.point != nil || s.shape != nil:
		return faultf("take one of them out", "coordinates in x and y and as WKT")
	}
	s.point = &[2]float64{*s.x, *s.y}
	return nil
}

// geometry puts what is known of the place of a record into it.
func (r *reader[T]) geometry(at Place, v *T, s *spot) {
	if s.bad {
		return
	}
	if f := s.settle(); f != nil {
		r.fault(at, located{field: "position", fault: f})
		return
	}
	switch r.kind.form {
	case noGeometry:
		if s.point != nil || s.shape != nil {
			r.fault(at, located{field: "geometry", fault: faultf("is this the right kind of file?", "%s have no geometry", r.kind.kind)})
		}
	case aPoint:
		r.position(at, r.kind.point(v), s)
	case aShape, maybeShape:
		r.outline(at, r.kind.shape(v), s)
	}
}

func (r *reader[T]) position(at Place, p *schemas.Position, s *spot) {
	if s.shape != nil {
		r.fault(at, located{field: "geometry", fault: faultf("give its point", "a polygon, where %s have a point", r.kind.kind)})
		return
	}
	if s.point == nil {
		return
	}
	x, y := s.point[0], s.point[1]
	lon, lat, err := r.crs.Degrees(x, y)
	if err != nil {
		r.fault(at, located{field: "position", value: r.pair(x, y), fault: coordinateFault(err)})
		return
	}
	if n := max(decimals(x), decimals(y)); !r.crs.Projected() && n <= 3 {
		r.fault(at, located{field: "position", value: r.pair(x, y), warning: true,
			fault: faultf("export with 7 decimals or more", "degrees with %d decimals are within %s only", n, []string{"100 km", "10 km", "1 km", "100 m"}[n])})
	}
	p.Lon, p.Lat, p.CRS = lon, lat, r.crs.Label()
}

func coordinateFault(err error) *fault {
	var e *geo.CoordinateError
	if errors.As(err, &e) {
		return faultf("correct the position or the named system", "no position in %s: %s", e.CRS, e.Problem)
	}
	return faultf("correct the position", "%v", err)
}

func (r *reader[T]) pair(x, y float64) string {
	if r.crs.Projected() {
		return formatMetres(x) + ", " + formatMetres(y)
	}
	return formatDegrees(x) + ", " + formatDegrees(y)
}

func (r *reader[T]) outline(at Place, to *registry.Shape, s *spot) {
	switch {
	case s.point != nil:
		r.fault(at, located{field: "geometry", fault: faultf("give its polygon", "a point, where %s have a polygon", r.kind.kind)})
		return
	case s.shape == nil:
		if r.kind.form == aShape {
			r.fault(at, located{field: "geometry", fault: faultf("give its polygon", "missing")})
		}
		return
	}
	degrees, err := convert(s.shape, r.crs.Degrees)
	if err != nil {
		r.fault(at, located{field: "geometry", fault: coordinateFault(err)})
		return
	}
	shape, err := geo.Normalise(degrees)
	if err != nil {
		r.fault(at, located{field: "geometry", fault: faultf("draw it again", "%v", err)})
		return
	}
	*to = shape
}

// convert makes a copy of s with every point turned by to.
func convert(s registry.Shape, to func(x, y float64) (float64, float64, error)) (registry.Shape, error) {
	out := make(registry.Shape, len(s))
	for i, polygon := range s {
		out[i] = make(registry.Polygon, len(polygon))
		for n, ring := range polygon {
			r := make(registry.Ring, len(ring))
			for k, p := range ring {
				x, y, err := to(p[0], p[1])
				if err != nil {
					return nil, fmt.Errorf("point %d: %w", k+1, err)
				}
				r[k] = [2]float64{x, y}
			}
			out[i][n] = r
		}
	}
	return out, nil
}
