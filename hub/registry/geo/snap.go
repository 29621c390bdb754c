package geo

import (
	"cmp"
	"math"
	"slices"

	"github.com/tidwall/rtree"

	"citygrid/hub/registry"
)

// mesh holds the rings of many shapes with their points snapped together: points
// within the tolerance of each other are one vertex, and an edge has a vertex
// wherever one lies within the tolerance of it. What two shapes share they then
// share exactly, and the rest is arithmetic of vertex numbers.
type mesh struct {
	tolerance float64
	lon, lat  float64 // of the origin of the plane
	mx, my    float64 // metres per degree at the origin
	base      float64 // authalic of the origin
	vertices  []vertex
	buckets   map[[2]int64][]int32
	tree      rtree.RTreeG[int32]
	splits    map[[2]int32][]int32
}

// vertex is a point in degrees, in metres of the plane, and in the plane of equal
// area: radians of longitude, and m² per radian.
type vertex struct {
	degrees, metres, equal [2]float64
}

// chain is a ring as vertex numbers; the first is the last.
type chain []int32

// body is a shape as chains, holes in opposite direction.
type body struct {
	chains    []chain
	low, high [2]float64 // in the plane of equal area
}

func newMesh(lon, lat, tolerance float64) *mesh {
	m := &mesh{tolerance: tolerance, lon: lon, lat: lat, base: authalic(lat * radians),
		buckets: map[[2]int64][]int32{}, splits: map[[2]int32][]int32{}}
	m.mx, m.my = degreeLengths(lat)
	return m
}

// add snaps the points of s to vertices. All shapes are added before any is split.
func (m *mesh) add(s registry.Shape) *body {
	b := &body{}
	for _, polygon := range s {
		for _, ring := range polygon {
			c := make(chain, 0, len(ring))
			for _, p := range ring {
				c = append(c, m.vertex(p))
			}
			if c = slices.Compact(c); len(c) > 3 {
				b.chains = append(b.chains, c)
			}
		}
	}
	return b
}

// vertex finds the nearest vertex within the tolerance, or makes one.
func (m *mesh) vertex(p [2]float64) int32 {
	at := [2]float64{(p[0] - m.lon) * m.mx, (p[1] - m.lat) * m.my}
	key := [2]int64{int64(math.Floor(at[0] / m.tolerance)), int64(math.Floor(at[1] / m.tolerance))}
	best, least := int32(-1), m.tolerance
	for dx := int64(-1); dx <= 1; dx++ {
		for dy := int64(-1); dy <= 1; dy++ {
			for _, v := range m.buckets[[2]int64{key[0] + dx, key[1] + dy}] {
				if d := math.Hypot(m.vertices[v].metres[0]-at[0], m.vertices[v].metres[1]-at[1]); d <= least {
					best, least = v, d
				}
			}
		}
	}
	if best < 0 {
		best = int32(len(m.vertices))
		m.vertices = append(m.vertices, vertex{degrees: p, metres: at,
			equal: [2]float64{(p[0] - m.lon) * radians, authalic(p[1]*radians) - m.base}})
		m.buckets[key] = append(m.buckets[key], best)
		m.tree.Insert(at, at, best)
	}
	return best
}

// split puts vertices into the edges of b that pass them, and takes out edges that
// go there and back.
func (m *mesh) split(b *body) {
	for i, c := range b.chains {
		out := make(chain, 0, len(c))
		for k := 1; k < len(c); k++ {
			out = append(out, c[k-1])
			out = append(out, m.between(c[k-1], c[k])...)
		}
		b.chains[i] = append(out, c[len(c)-1])
	}
	b.low, b.high = [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	for _, c := range b.chains {
		for _, v := range c {
			for k, x := range m.vertices[v].equal {
				b.low[k], b.high[k] = min(b.low[k], x), max(b.high[k], x)
			}
		}
	}
}

// between are the vertices that lie on the edge from one to another, in that order.
func (m *mesh) between(from, to int32) []int32 {
	key := [2]int32{min(from, to), max(from, to)}
	list, known := m.splits[key]
	if !known {
		list = m.search(key[0], key[1])
		m.splits[key] = list
	}
	if from > to && len(list) > 1 {
		list = slices.Clone(list)
		slices.Reverse(list)
	}
	return list
}

func (m *mesh) search(from, to int32) (list []int32) {
	a, b := m.vertices[from].metres, m.vertices[to].metres
	type found struct {
		v int32
		t float64
	}
	var hits []found
	low := [2]float64{min(a[0], b[0]) - m.tolerance, min(a[1], b[1]) - m.tolerance}
	high := [2]float64{max(a[0], b[0]) + m.tolerance, max(a[1], b[1]) + m.tolerance}
	m.tree.Search(low, high, func(p, _ [2]float64, v int32) bool {
		if v != from && v != to {
			if d, t := toSegment(a, b, p); d <= m.tolerance && t > 0 && t < 1 {
				hits = append(hits, found{v, t})
			}
		}
		return true
	})
	slices.SortFunc(hits, func(p, q found) int { return cmp.Or(cmp.Compare(p.t, q.t), cmp.Compare(p.v, q.v)) })
	for _, h := range hits {
		list = append(list, h.v)
	}
	return list
}

// edges calls yield with the ends of each edge of b, in the plane of equal area.
func (m *mesh) edges(b *body, yield func(p, q [2]float64)) {
	for _, c := range b.chains {
		for k := 1; k < len(c); k++ {
			yield(m.vertices[c[k-1]].equal, m.vertices[c[k]].equal)
		}
	}
}

// common is the area in m² that a and b both cover. Each shape is the sum, with
// signs, of what lies below its edges down to a common base; two such strips share
// what lies below the lower of their edges.
func (m *mesh) common(a, b *body) float64 {
	base, sum := min(a.low[1], b.low[1]), 0.0
	m.edges(a, func(p, q [2]float64) {
		if max(p[0], q[0]) <= b.low[0] || min(p[0], q[0]) >= b.high[0] {
			return
		}
		m.edges(b, func(r, s [2]float64) { sum += below(p, q, r, s, base) })
	})
	return max(sum, 0)
}

// below is the area under both edges, above zero where they run the same way.
func below(p, q, r, s [2]float64, base float64) float64 {
	way := 1.0
	if p[0] > q[0] {
		p, q, way = q, p, -way
	}
	if r[0] > s[0] {
		r, s, way = s, r, -way
	}
	from, to := max(p[0], r[0]), min(q[0], s[0])
	if from >= to {
		return 0
	}
	height := func(a, b [2]float64, x float64) float64 { return a[1] + (b[1]-a[1])*((x-a[0])/(b[0]-a[0])) - base }
	p0, p1, r0, r1 := height(p, q, from), height(p, q, to), height(r, s, from), height(r, s, to)
	d0, d1 := p0-r0, p1-r1
	if d0*d1 >= 0 {
		return way * (to - from) * (min(p0, r0) + min(p1, r1)) / 2
	}
	t := d0 / (d0 - d1)
	top := p0 + t*(p1-p0)
	return way * (to - from) * (t*(min(p0, r0)+top) + (1-t)*(min(p1, r1)+top)) / 2
}

// area is the area of b in m², and perimeter its length in metres.
func (m *mesh) area(b *body) (sum float64) {
	m.edges(b, func(p, q [2]float64) { sum += (p[0]*q[1] - q[0]*p[1]) / 2 })
	return sum
}

func (m *mesh) perimeter(b *body) (sum float64) {
	for _, c := range b.chains {
		sum += m.length(c)
	}
	return sum
}

func (m *mesh) length(c chain) (sum float64) {
	for k := 1; k < len(c); k++ {
		p, q := m.vertices[c[k-1]].metres, m.vertices[c[k]].metres
		sum += math.Hypot(p[0]-q[0], p[1]-q[1])
	}
	return sum
}

// lengthWithin is how many metres of the edges of a lie in b, those along its edge
// included or not.
func (m *mesh) lengthWithin(a, b *body, along bool) (sum float64) {
	for _, c := range a.chains {
		for k := 1; k < len(c); k++ {
			p, q := m.vertices[c[k-1]], m.vertices[c[k]]
			l := math.Hypot(p.metres[0]-q.metres[0], p.metres[1]-q.metres[1])
			cuts := m.cuts(p.equal, q.equal, b)
			for i := 1; i < len(cuts); i++ {
				t := (cuts[i-1] + cuts[i]) / 2
				mid := [2]float64{p.equal[0] + t*(q.equal[0]-p.equal[0]), p.equal[1] + t*(q.equal[1]-p.equal[1])}
				if at := m.sideOf(b, mid); at == inside || at == boundary && along {
					sum += l * (cuts[i] - cuts[i-1])
				}
			}
		}
	}
	return sum
}

// cuts are the places, 0 to 1, at which the edges of b cut the edge p, q.
func (m *mesh) cuts(p, q [2]float64, b *body) []float64 {
	list := []float64{0, 1}
	m.edges(b, func(r, s [2]float64) {
		dx, dy, ex, ey := q[0]-p[0], q[1]-p[1], s[0]-r[0], s[1]-r[1]
		d := dx*ey - dy*ex
		if d == 0 {
			return
		}
		t, u := ((r[0]-p[0])*ey-(r[1]-p[1])*ex)/d, ((r[0]-p[0])*dy-(r[1]-p[1])*dx)/d
		if t > 0 && t < 1 && u >= 0 && u <= 1 {
			list = append(list, t)
		}
	})
	slices.Sort(list)
	return list
}

// sideOf counts crossings with all chains of b: holes count twice and so not.
func (m *mesh) sideOf(b *body, p [2]float64) side {
	in := false
	for _, c := range b.chains {
		ring := make([][2]float64, len(c))
		for k, v := range c {
			ring[k] = m.vertices[v].equal
		}
		switch sideOf(ring, p[0], p[1]) {
		case boundary:
			return boundary
		case inside:
			in = !in
		}
	}
	if in {
		return inside
	}
	return outside
}
