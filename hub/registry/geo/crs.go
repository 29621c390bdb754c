package geo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"citygrid/schemas"
)

// CRS is a coordinate reference system that files may come in. The zero CRS is
// none.
type CRS struct {
	kind kind
	epsg int
	// For Gauss-Kruger: the central meridian, the easting it has, half the width of
	// the zone in degrees.
	meridian     int
	falseEasting float64
	half         float64
}

type kind int

const (
	geographic kind = iota + 1
	wgs84
	gcj02
	gaussKrugerZone
)

// The EPSG ranges of the Gauss-Kruger systems of CGCS2000. Each runs over the
// central meridians from 75° E, with the zone number before the easting or without.
const (
	sixZone, sixCM, threeZone, threeCM, threeEnd = 4491, 4502, 4513, 4534, 4554
)

// CGCS2000 is the system in which everything is stored, EPSG:4490.
func CGCS2000() CRS { return CRS{kind: geographic, epsg: 4490} }

// WGS84 is what a satellite receiver gives, EPSG:4326. Its degrees are taken as
// those of CGCS2000: they differ by the motion of the plate since 2000, up to 1 m.
func WGS84() CRS { return CRS{kind: wgs84, epsg: 4326} }

// GCJ02 is the shifted system of public maps.
func GCJ02() CRS { return CRS{kind: gcj02} }

// ByEPSG gives the system of an EPSG number.
func ByEPSG(n int) (CRS, error) {
	gk := func(first, step, zone int, prefix bool) CRS {
		i := n - first
		c := CRS{kind: gaussKrugerZone, epsg: n, meridian: 75 + step*i, falseEasting: 500_000, half: float64(step) / 2}
		if prefix {
			c.falseEasting += float64(zone+i) * 1e6
		}
		return c
	}
	switch {
	case n == 4490:
		return CGCS2000(), nil
	case n == 4326:
		return WGS84(), nil
	case n >= sixZone && n < sixCM:
		return gk(sixZone, 6, 13, true), nil
	case n >= sixCM && n < threeZone:
		return gk(sixCM, 6, 0, false), nil
	case n >= threeZone && n < threeCM:
		return gk(threeZone, 3, 25, true), nil
	case n >= threeCM && n <= threeEnd:
		return gk(threeCM, 3, 0, false), nil
	}
	return CRS{}, fmt.Errorf("EPSG:%d is not known here; known are %s", n, known)
}

// known is for error messages.
const known = "CGCS2000 (EPSG:4490), WGS84 (EPSG:4326), GCJ-02, " +
	"EPSG:4491 to 4501 (6-degree Gauss-Kruger, zone number before the easting), 4502 to 4512 (6-degree, without), " +
	"4513 to 4533 (3-degree, zone number before the easting) and 4534 to 4554 (3-degree, without)"

// ParseCRS reads the name of a system: "CGCS2000", "WGS84", "GCJ-02", "EPSG:4549",
// "4549", "urn:ogc:def:crs:EPSG::4549", "urn:ogc:def:crs:OGC:1.3:CRS84" or the name
// in the EPSG register, such as "CGCS2000 / 3-degree Gauss-Kruger CM 120E". Case does
// not matter. The error lists what is known.
func ParseCRS(name string) (CRS, error) {
	s := strings.ToUpper(strings.TrimSpace(name))
	switch s {
	case "":
		return CRS{}, fmt.Errorf("no coordinate reference system named; say one of %s", known)
	case "CGCS2000", "CHINA GEODETIC COORDINATE SYSTEM 2000":
		return CGCS2000(), nil
	case "WGS84", "WGS 84", "CRS84", "OGC:CRS84", "URN:OGC:DEF:CRS:OGC:1.3:CRS84", "URN:OGC:DEF:CRS:OGC::CRS84":
		return WGS84(), nil
	case "GCJ-02", "GCJ02":
		return GCJ02(), nil
	}
	for _, prefix := range []string{"URN:OGC:DEF:CRS:EPSG::", "EPSG:", ""} {
		if rest, ok := strings.CutPrefix(s, prefix); ok {
			if n, err := strconv.Atoi(rest); err == nil && len(rest) == 4 {
				return ByEPSG(n)
			}
		}
	}
	for n := sixZone; n <= threeEnd; n++ {
		if c, _ := ByEPSG(n); strings.EqualFold(c.Name(), s) {
			return c, nil
		}
	}
	return CRS{}, fmt.Errorf("coordinate reference system %q is not known here; known are %s", name, known)
}

// Known lists the names that ParseCRS takes, as EPSG numbers where there are.
func Known() []string {
	list := []string{"CGCS2000", "WGS84", "GCJ-02"}
	for n := sixZone; n <= threeEnd; n++ {
		list = append(list, "EPSG:"+strconv.Itoa(n))
	}
	return list
}

// IsZero reports whether no system is named.
func (c CRS) IsZero() bool { return c.kind == 0 }

// EPSG is the number of the system, 0 for GCJ-02, which has none.
func (c CRS) EPSG() int { return c.epsg }

// Projected reports whether coordinates are metres; otherwise degrees.
func (c CRS) Projected() bool { return c.kind == gaussKrugerZone }

// Label is what a position from this system is labelled with once it is in
// degrees. GCJ-02 is a shift of WGS 84, and becomes that.
func (c CRS) Label() schemas.CRS {
	switch c.kind {
	case geographic, gaussKrugerZone:
		return schemas.CGCS2000
	case wgs84, gcj02:
		return schemas.WGS84
	}
	return ""
}

// String is a short name that ParseCRS takes.
func (c CRS) String() string {
	switch c.kind {
	case geographic:
		return "CGCS2000"
	case wgs84:
		return "WGS84"
	case gcj02:
		return "GCJ-02"
	case gaussKrugerZone:
		return "EPSG:" + strconv.Itoa(c.epsg)
	}
	return ""
}

// Name is the name in the EPSG register.
func (c CRS) Name() string {
	switch {
	case c.kind == geographic:
		return "China Geodetic Coordinate System 2000"
	case c.kind == wgs84:
		return "WGS 84"
	case c.kind == gcj02:
		return "GCJ-02"
	case c.kind == 0:
		return ""
	}
	step := ""
	if c.half == 1.5 {
		step = "3-degree "
	}
	if z := c.zone(); z > 0 {
		return fmt.Sprintf("CGCS2000 / %sGauss-Kruger zone %d", step, z)
	}
	return fmt.Sprintf("CGCS2000 / %sGauss-Kruger CM %dE", step, c.meridian)
}

// zone is the number before the easting, 0 for none.
func (c CRS) zone() int { return int(c.falseEasting / 1e6) }

// twin is the same projection with the zone number before the easting where c has
// none, and without where it has.
func (c CRS) twin() string {
	n := c.epsg
	switch {
	case n < sixCM:
		n += sixCM - sixZone
	case n < threeZone:
		n -= sixCM - sixZone
	case n < threeCM:
		n += threeCM - threeZone
	default:
		n -= threeCM - threeZone
	}
	return "EPSG:" + strconv.Itoa(n)
}

// Agrees reports whether numbers that a file says are of o can be read as c: the
// same projection, or both degrees of CGCS2000 or WGS 84.
func (c CRS) Agrees(o CRS) bool {
	if c.Projected() && o.Projected() {
		return c.meridian == o.meridian && c.falseEasting == o.falseEasting
	}
	degrees := []kind{geographic, wgs84}
	return c == o || slices.Contains(degrees, c.kind) && slices.Contains(degrees, o.kind)
}
