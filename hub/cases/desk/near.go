package desk

import (
	"math"

	"citygrid/schemas"
)

// perDegree is a degree of latitude in metres, by the mean radius of the Earth [GRS 80].
const perDegree = math.Pi * 6371008.8 / 180

// circle is what lies at most so many metres from a point. Within a city the ground
// is flat: at 20 km the error is below a metre in ten thousand.
type circle struct {
	lon, lat   int64 // of the middle, in 1e-7 degrees
	east, up   int64 // half of the square around it
	kLon, kLat float64
	metres     float64
}

// around returns the circle around a position in CGCS2000.
func around(p schemas.Position, metres float64) circle {
	c := circle{lon: e7(p.Lon), lat: e7(p.Lat), metres: metres, kLat: perDegree / 1e7}
	c.kLon = c.kLat * math.Max(math.Cos(p.Lat*math.Pi/180), 1e-3) // at the very poles no map is used
	c.east, c.up = int64(metres/c.kLon)+1, int64(metres/c.kLat)+1
	return c
}

// within is the condition on the columns lon_e7 and lat_e7 of a table: the square, for
// the index, and the circle. Unknown positions, 0 and 0, are not in it.
func (c circle) within(table string) string {
	lon, lat := table+"lon_e7", table+"lat_e7"
	return "(" + lat + " BETWEEN ? AND ? AND " + lon + " BETWEEN ? AND ? AND (" + lon + " <> 0 OR " + lat + " <> 0)" +
		" AND (" + lon + " - ?) * ? * ((" + lon + " - ?) * ?) + (" + lat + " - ?) * ? * ((" + lat + " - ?) * ?) <= ?)"
}

// args are the parameters of within.
func (c circle) args() []any {
	return []any{c.lat - c.up, c.lat + c.up, c.lon - c.east, c.lon + c.east,
		c.lon, c.kLon, c.lon, c.kLon, c.lat, c.kLat, c.lat, c.kLat, c.metres * c.metres}
}
