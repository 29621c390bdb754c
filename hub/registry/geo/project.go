package geo

import (
	"fmt"
	"math"
)

// China, with its seas: what a coordinate of CGCS2000 can be.
const (
	west, east, south, north = 73.0, 136.0, 3.0, 54.0
)

// CoordinateError says why a pair of numbers cannot be of the system in which it
// was declared.
type CoordinateError struct {
	CRS     CRS
	X, Y    float64
	Problem string // what is wrong, and what it looks like
}

// Error names the pair, the system and the problem.
func (e *CoordinateError) Error() string {
	return fmt.Sprintf("%v, %v is no position in %s: %s", e.X, e.Y, e.CRS, e.Problem)
}

// Check reports what makes x, y impossible in c: easting and northing in metres
// for a projected system, else longitude and latitude in degrees. Errors are
// *CoordinateError.
func (c CRS) Check(x, y float64) error {
	fail := func(format string, args ...any) error {
		return &CoordinateError{CRS: c, X: x, Y: y, Problem: fmt.Sprintf(format, args...)}
	}
	switch {
	case c.IsZero():
		return fail("no coordinate reference system is named")
	case !finite(x) || !finite(y):
		return fail("not numbers")
	case x == 0 && y == 0:
		return fail("0,0 means that nobody knew it; leave the position out")
	case c.Projected():
		return c.checkMetres(x, y, fail)
	}
	return c.checkDegrees(x, y, fail)
}

type failure func(format string, args ...any) error

func (c CRS) checkDegrees(x, y float64, fail failure) error {
	inChina := func(lon, lat float64) bool {
		return lon >= west && lon <= east && lat >= south && lat <= north
	}
	switch {
	case math.Abs(x) > 180 && math.Abs(y) > 90:
		return fail("these are metres; name the projected system they are in")
	case inChina(y, x):
		return fail("longitude and latitude look swapped")
	case math.Abs(x) > 180:
		return fail("longitude is from -180 to 180 degrees")
	case math.Abs(y) > 90:
		return fail("latitude is from -90 to 90 degrees")
	case c.kind != wgs84 && !inChina(x, y):
		return fail("outside China (%v to %v E, %v to %v N); a city elsewhere uses WGS84", west, east, south, north)
	}
	return nil
}

func (c CRS) checkMetres(x, y float64, fail failure) error {
	if math.Abs(x) <= 180 && math.Abs(y) <= 180 {
		return fail("these are degrees; name CGCS2000 or WGS84")
	}
	isNorthing := func(v float64) bool { return v > 330_000 && v < 6_010_000 }
	d := x - c.falseEasting
	if math.Abs(d) < 500_000 && isNorthing(y) {
		return c.checkZone(d, y, fail)
	}
	if math.Abs(y-c.falseEasting) < 500_000 && isNorthing(x) {
		return fail("easting and northing look swapped")
	}
	if !isNorthing(y) {
		return fail("the northing is not one of China (330,000 to 6,010,000 m)")
	}
	prefix := int(math.Floor(x / 1e6))
	switch zone := c.zone(); {
	case zone == 0 && prefix >= 13 && prefix <= 45:
		return fail("the easting begins with zone number %d; name the system of that zone (for the meridian %d E it is %s)", prefix, c.meridian, c.twin())
	case zone > 0 && x > 0 && x < 1e6:
		return fail("the easting has no zone number before it; for the same meridian without it name %s", c.twin())
	case zone > 0 && prefix >= 13 && prefix <= 45:
		return fail("the easting is of zone %d, the system of zone %d", prefix, zone)
	}
	return fail("the easting is not within 500 km of the central meridian (%.0f m)", c.falseEasting)
}

// checkZone lets a city reach one degree beyond its zone: it is surveyed in one
// zone only.
func (c CRS) checkZone(d, y float64, fail failure) error {
	dlon, lat := gaussKrugerInverse(d, y)
	if lat < south || lat > north {
		return fail("latitude %.4f is outside China", lat)
	}
	if math.Abs(dlon) > c.half+1 {
		return fail("longitude %.4f is more than a degree outside the zone of %d E; is it another zone?", float64(c.meridian)+dlon, c.meridian)
	}
	return nil
}

// Degrees turns a pair of c, easting and northing or longitude and latitude, into
// degrees of what c.Label says. What Check reports is an error.
func (c CRS) Degrees(x, y float64) (lon, lat float64, err error) {
	if err := c.Check(x, y); err != nil {
		return 0, 0, err
	}
	switch c.kind {
	case gcj02:
		lon, lat = fromGCJ(x, y)
	case gaussKrugerZone:
		lon, lat = gaussKrugerInverse(x-c.falseEasting, y)
		lon += float64(c.meridian)
	default:
		lon, lat = x, y
	}
	return lon, lat, nil
}

// FromDegrees turns degrees of CGCS2000 or WGS 84 into a pair of c. A point that
// c cannot say, such as one far outside a zone, is an error.
func (c CRS) FromDegrees(lon, lat float64) (x, y float64, err error) {
	switch c.kind {
	case gcj02:
		x, y = toGCJ(lon, lat)
	case gaussKrugerZone:
		if d := lon - float64(c.meridian); math.Abs(d) > c.half+1 || lat < south || lat > north {
			return 0, 0, &CoordinateError{CRS: c, X: lon, Y: lat,
				Problem: fmt.Sprintf("more than a degree outside the zone of %d E, or outside China; export in another system", c.meridian)}
		}
		x, y = gaussKruger(lon-float64(c.meridian), lat)
		x += c.falseEasting
	default:
		x, y = lon, lat
	}
	if err := c.Check(x, y); err != nil {
		return 0, 0, err
	}
	return x, y, nil
}
