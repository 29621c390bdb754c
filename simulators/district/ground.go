package district

import "math"

// The middle of the district, and what a degree there is in metres, on the
// ellipsoid of CGCS2000 (a = 6378137 m, 1/f = 298.257222101 [EPSG:1024]).
const (
	middleLon, middleLat = 120.94, 31.62
	axis                 = 6378137.0
	flattening           = 1 / 298.257222101
	// block is the distance of streets in metres, wander how far one is off its place,
	// bend how far a corner, and the middle of a block's side, are off the line.
	side, wander, bend = 100.0, 10.0, 3.0
	// precision is in which parts of a degree coordinates are written: 1 mm.
	precision = 1e8
)

// degrees are metres east and north of the middle as longitude and latitude.
func degrees(east, north float64) [2]float64 {
	lon, lat := perDegree()
	round := func(x float64) float64 { return math.Round(x*precision) / precision }
	return [2]float64{round(middleLon + east/lon), round(middleLat + north/lat)}
}

// perDegree are the metres of a degree of longitude and latitude in the middle.
func perDegree() (lon, lat float64) {
	const e2 = flattening * (2 - flattening)
	sin, cos := math.Sincos(middleLat * math.Pi / 180)
	w := math.Sqrt(1 - e2*sin*sin)
	return axis / w * cos * math.Pi / 180, axis * (1 - e2) / (w * w * w) * math.Pi / 180
}

// at is where a corner is.
func (p *plan) at(c corner) (east, north float64) {
	x := (float64(c.column)-float64(p.columns)/2)*side + p.off(forColumns, c.column, 0, wander) + p.off(forGround, c.column, c.row+1, bend)
	y := (float64(p.rows)/2-float64(c.row))*side + p.off(forRows, c.row, 0, wander) + p.off(forGround, c.row, -c.column-1, bend)
	return x, y
}

// off is how far something is off its place, up to most metres either way.
func (p *plan) off(purpose uint64, a, b int, most float64) float64 {
	d := newDice(p.seed, purpose, uint64(a)<<32^uint64(uint32(b)))
	return d.between(-most, most)
}

// turned turns metres of the grid into degrees.
func (p *plan) turned(x, y float64) [2]float64 {
	sin, cos := math.Sincos(p.turn)
	return degrees(x*cos-y*sin, x*sin+y*cos)
}

// between is the point in which the street from one corner to the next bends. It is
// the same from both ends.
func (p *plan) between(a, b corner) (x, y float64) {
	ax, ay := p.at(a)
	bx, by := p.at(b)
	x, y = (ax+bx)/2, (ay+by)/2
	if a.row == b.row {
		return x, y + p.off(forAcross, min(a.column, b.column), a.row, bend)
	}
	return x + p.off(forDown, a.column, min(a.row, b.row), bend), y
}

// ring makes a closed line of corners into one of points, with the bends between.
func (p *plan) ring(list []corner) [][2]float64 {
	out := make([][2]float64, 0, 2*len(list))
	for i, c := range list {
		if i > 0 {
			out = append(out, p.turned(p.between(list[i-1], c)))
		}
		out = append(out, p.turned(p.at(c)))
	}
	return out
}

// squareMetres is the area of a ring by the trapezia below its edges.
func (p *plan) squareMetres(ring [][2]float64) (sum float64) {
	lon, lat := perDegree()
	for i := 1; i < len(ring); i++ {
		a, b := ring[i-1], ring[i]
		sum += ((a[0]-middleLon)*(b[1]-middleLat) - (b[0]-middleLon)*(a[1]-middleLat)) / 2
	}
	return sum * lon * lat
}

// kerb is a point of a block beside one of its streets, 3 to 12 % of the way to its
// middle; line is the street: a column's where down is true, else a row's.
func (p *plan) kerb(b *block, dice *dice) (at [2]float64, line int, down bool) {
	corners := b.corners()
	k := dice.under(4)
	from, to := corners[k], corners[k+1]
	fx, fy := p.at(from)
	mx, my := p.between(from, to)
	if dice.chance(500) {
		fx, fy = p.at(to)
	}
	t, in := dice.between(0.05, 0.95), dice.between(0.04, 0.12)
	x, y := fx+(mx-fx)*t, fy+(my-fy)*t
	nx, ny := p.at(corners[0])
	sx, sy := p.at(corners[2])
	x, y = x+((nx+sx)/2-x)*in, y+((ny+sy)/2-y)*in
	if from.column == to.column {
		return p.turned(x, y), from.column, true
	}
	return p.turned(x, y), from.row, false
}
