package geo

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// WKT is the text of a .prj file that says c; empty for GCJ-02, which no .prj can
// say.
func (c CRS) WKT() string {
	const cgcs = `GEOGCS["GCS_China_Geodetic_Coordinate_System_2000",DATUM["D_China_2000",SPHEROID["CGCS2000",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]`
	switch c.kind {
	case geographic:
		return cgcs
	case wgs84:
		return `GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]`
	case gaussKrugerZone:
		return fmt.Sprintf(`PROJCS["%s",%s,PROJECTION["Gauss_Kruger"],PARAMETER["False_Easting",%.1f],PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",%d.0],PARAMETER["Scale_Factor",1.0],PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]`,
			c.esriName(), cgcs, c.falseEasting, c.meridian)
	}
	return ""
}

// esriName is what the maker of shapefiles calls c.
func (c CRS) esriName() string {
	step := ""
	if c.half == 1.5 {
		step = "3_Degree_"
	}
	if z := c.zone(); z > 0 {
		return fmt.Sprintf("CGCS2000_%sGK_Zone_%d", step, z)
	}
	return fmt.Sprintf("CGCS2000_%sGK_CM_%dE", step, c.meridian)
}

// ParseWKT recognises the systems of this package in the text of a .prj file (WKT 1
// of ESRI or OGC), by their parameters and not by their names. Any other system is
// an error that quotes its name.
func ParseWKT(text string) (CRS, error) {
	s := strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	if len(s) > 1<<16 {
		return CRS{}, fmt.Errorf("the .prj file is longer than 64 KiB")
	}
	name := firstMatch(`^\w+\s*\[\s*"([^"]*)"`, s)
	unknown := func(why string) (CRS, error) {
		return CRS{}, fmt.Errorf("the .prj file says %q, which is not known here (%s); known are %s", name, why, known)
	}
	datum := strings.ToUpper(firstMatch(`DATUM\s*\[\s*"([^"]*)"`, s))
	isCGCS := strings.Contains(datum, "CHINA_2000") || strings.Contains(datum, "CGCS2000") || strings.Contains(datum, "CGCS_2000")
	switch {
	case strings.HasPrefix(s, "GEOGCS"):
		if isCGCS {
			return CGCS2000(), nil
		}
		if strings.Contains(datum, "WGS_1984") || datum == "WGS84" {
			return WGS84(), nil
		}
		return unknown("datum " + strconv.Quote(datum))
	case !strings.HasPrefix(s, "PROJCS"):
		return unknown("neither GEOGCS nor PROJCS")
	case !isCGCS:
		return unknown("datum " + strconv.Quote(datum))
	}
	return projectedWKT(s, unknown)
}

func projectedWKT(s string, unknown func(string) (CRS, error)) (CRS, error) {
	switch p := strings.ToUpper(firstMatch(`PROJECTION\s*\[\s*"([^"]*)"`, s)); p {
	case "GAUSS_KRUGER", "TRANSVERSE_MERCATOR":
	default:
		return unknown("projection " + strconv.Quote(p))
	}
	value := func(name string) float64 {
		v, err := strconv.ParseFloat(firstMatch(`(?i)PARAMETER\s*\[\s*"`+name+`"\s*,\s*([-+0-9.eE]+)`, s), 64)
		if err != nil {
			return math.NaN()
		}
		return v
	}
	if value("false_northing") != 0 || value("scale_factor") != 1 || value("latitude_of_origin") != 0 {
		return unknown("false northing, scale or latitude of origin")
	}
	meridian, easting := value("central_meridian"), value("false_easting")
	name := strings.ToUpper(firstMatch(`^\w+\s*\[\s*"([^"]*)"`, s))
	three := strings.Contains(strings.ReplaceAll(name, "_", "-"), "3-DEGREE")
	// A meridian such as 117 E is of both widths: there the name decides, and where
	// it says nothing the numbers mean the same anyway.
	for _, wide := range []bool{!three, three} {
		for n := sixZone; n <= threeEnd; n++ {
			c, _ := ByEPSG(n)
			if (c.half == 3) == wide && float64(c.meridian) == meridian && c.falseEasting == easting {
				return c, nil
			}
		}
	}
	return unknown(fmt.Sprintf("central meridian %v with false easting %v", meridian, easting))
}

func firstMatch(pattern, s string) string {
	if m := regexp.MustCompile(pattern).FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return ""
}
