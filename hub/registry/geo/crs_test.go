package geo

import (
	"encoding/csv"
	"errors"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"citygrid/schemas"
)

// table reads a file of testdata; its first line names the source.
func table(t *testing.T, name string) [][]string {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("%s: %d rows, %v", name, len(rows), err)
	}
	return rows[1:]
}

func numbers(t *testing.T, row []string) []float64 {
	t.Helper()
	out := make([]float64, len(row))
	for i, s := range row {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = v
	}
	return out
}

func TestGaussKrugerAgainstPROJ(t *testing.T) {
	var worst float64
	for _, row := range table(t, "gauss-kruger.csv") {
		v := numbers(t, row)
		c, err := ByEPSG(int(v[0]))
		if err != nil {
			t.Fatal(err)
		}
		x, y, err := c.FromDegrees(v[1], v[2])
		if err != nil {
			t.Fatalf("%v: %v", row, err)
		}
		worst = max(worst, math.Hypot(x-v[3], y-v[4]))
		lon, lat, err := c.Degrees(v[3], v[4])
		if err != nil {
			t.Fatalf("%v: %v", row, err)
		}
		mx, my := degreeLengths(lat)
		worst = max(worst, math.Hypot((lon-v[1])*mx, (lat-v[2])*my))
	}
	if worst > 2e-6 { // the file has micrometres
		t.Errorf("up to %.9f m from PROJ, want 0.000001", worst)
	}
}

func TestDistanceAgainstGeographicLib(t *testing.T) {
	for _, row := range table(t, "distance.csv") {
		v := numbers(t, row)
		if got := Distance(v[0], v[1], v[2], v[3]); !(math.Abs(got-v[4]) < 1e-4) {
			t.Errorf("%v: %.6f m", row, got)
		}
	}
	if d := Distance(120, 30, 120, 30); d != 0 {
		t.Errorf("the same point: %v m", d)
	}
}

func TestAreaAgainstGeographicLib(t *testing.T) {
	for _, row := range table(t, "area.csv") {
		words := strings.Fields(row[0])
		var ring [][2]float64
		for i := 0; i < len(words); i += 2 {
			v := numbers(t, words[i:i+2])
			ring = append(ring, [2]float64{v[0], v[1]})
		}
		want := numbers(t, row[1:])[0]
		got := math.Abs(signedArea(ring))
		if math.Abs(got-want) > 1e-6*want {
			t.Errorf("%s: %.6f m², want %.6f (off by %.1e)", row[0], got, want, got/want-1)
		}
	}
}

func TestGCJ02(t *testing.T) {
	for _, row := range table(t, "gcj-02.csv") {
		v := numbers(t, row)
		x, y, err := GCJ02().FromDegrees(v[0], v[1])
		if err != nil {
			t.Fatal(err)
		}
		if d := Distance(x, y, v[2], v[3]); !(d < 1e-4) {
			t.Errorf("%v: shifted to %v, %v, %.6f m from the vector", row, x, y, d)
		}
		if d := Distance(x, y, v[0], v[1]); d < 20 || d > 800 {
			t.Errorf("%v: shifted by %.1f m", row, d)
		}
		lon, lat, err := GCJ02().Degrees(v[2], v[3])
		if err != nil {
			t.Fatal(err)
		}
		if d := Distance(v[0], v[1], lon, lat); d > 1e-4 {
			t.Errorf("%v: back %.6f m away", row, d)
		}
	}
	for name, p := range map[string][2]float64{
		"Hong Kong": {114.1694, 22.3193}, "Macao": {113.5439, 22.1987}, "Taipei": {121.5654, 25.0330}, "Kaohsiung": {120.3014, 22.6273},
	} {
		if x, y, err := GCJ02().Degrees(p[0], p[1]); err != nil || x != p[0] || y != p[1] {
			t.Errorf("%s: shifted to %v, %v (%v), want none", name, x, y, err)
		}
	}
	for name, p := range map[string][2]float64{"Luohu": {114.131, 22.548}, "Zhuhai Gongbei": {113.549, 22.222}, "Xiamen": {118.0894, 24.4798}} {
		if x, y := toGCJ(p[0], p[1]); x == p[0] && y == p[1] {
			t.Errorf("%s: not shifted", name)
		}
	}
}

// TestGCJ02AtTheBorder takes points of Shenzhen and Zhuhai that the shift carries over
// the border, where maps are not shifted, and wants them back.
func TestGCJ02AtTheBorder(t *testing.T) {
	n := 0
	for lon := 113.50; lon < 114.40; lon += 0.003 {
		for lat := 22.15; lat < 22.60; lat += 0.003 {
			if !shifted(lon, lat) {
				continue
			}
			x, y := toGCJ(lon, lat)
			if !shifted(x, y) {
				n++
			}
			if a, b := fromGCJ(x, y); Distance(a, b, lon, lat) > 1e-3 {
				t.Fatalf("%v, %v comes back as %v, %v", lon, lat, a, b)
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d points are carried over", n)
	}
}

func TestParseCRS(t *testing.T) {
	for name, want := range map[string]string{
		"CGCS2000": "CGCS2000", "epsg:4490": "CGCS2000", "4490": "CGCS2000", "EPSG:4326": "WGS84", "wgs 84": "WGS84",
		"urn:ogc:def:crs:OGC:1.3:CRS84": "WGS84", "urn:ogc:def:crs:EPSG::4528": "EPSG:4528", "gcj-02": "GCJ-02",
		"CGCS2000 / 3-degree Gauss-Kruger CM 120E": "EPSG:4549", "CGCS2000 / 3-degree Gauss-Kruger zone 40": "EPSG:4528",
		"CGCS2000 / Gauss-Kruger zone 21": "EPSG:4499", "CGCS2000 / Gauss-Kruger CM 123E": "EPSG:4510", " 4552 ": "EPSG:4552",
	} {
		c, err := ParseCRS(name)
		if err != nil || c.String() != want {
			t.Errorf("%q: %s, %v, want %s", name, c, err, want)
		}
		if again, err := ParseCRS(c.Name()); err != nil || again != c {
			t.Errorf("%q: its name %q gives %s, %v", name, c.Name(), again, err)
		}
	}
	for _, name := range []string{"", "EPSG:3857", "BD-09", "WGS72", "EPSG:4490x", "04490", "北京54"} {
		if c, err := ParseCRS(name); err == nil || !strings.Contains(err.Error(), "EPSG:4490") {
			t.Errorf("%q: %s, %v, want an error that lists what is known", name, c, err)
		}
	}
	for _, name := range Known() {
		if c, err := ParseCRS(name); err != nil || c.String() != name {
			t.Errorf("known %q: %s, %v", name, c, err)
		}
	}
	if c := WGS84().Label(); c != schemas.WGS84 {
		t.Errorf("WGS84 is labelled %s", c)
	}
}

func mustCRS(t testing.TB, name string) CRS {
	t.Helper()
	c, err := ParseCRS(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestImpossibleValues(t *testing.T) {
	for _, c := range []struct {
		crs  string
		x, y float64
		want string
	}{
		{"CGCS2000", 0, 0, "0,0"},
		{"CGCS2000", 31.3, 120.6, "swapped"},
		{"CGCS2000", 498000.5, 3465000.2, "metres"},
		{"CGCS2000", 2.35, 48.85, "outside China"},
		{"CGCS2000", math.NaN(), 3, "not numbers"},
		{"CGCS2000", 120, math.Inf(1), "not numbers"},
		{"CGCS2000", 120, 95, "latitude is from"},
		{"CGCS2000", 220, 35, "longitude is from"},
		{"WGS84", 31.3, 120.6, "swapped"},
		{"GCJ-02", 2.35, 48.85, "outside China"},
		{"EPSG:4549", 120.6, 31.3, "degrees"},
		{"EPSG:4549", 3465000, 557000, "easting and northing look swapped"},
		{"EPSG:4549", 40557000, 3465000, "begins with zone number 40; name the system of that zone (for the meridian 120 E it is EPSG:4528)"},
		{"EPSG:4528", 557000, 3465000, "no zone number before it; for the same meridian without it name EPSG:4549"},
		{"EPSG:4528", 39557000, 3465000, "of zone 39, the system of zone 40"},
		{"EPSG:4528", 3465000, 40557000, "swapped"},
		{"EPSG:4549", 557000, 9465000, "northing"},
		{"EPSG:4549", 900000, 3465000, "outside the zone"},
		{"EPSG:4549", 5570000, 3465000, "central meridian"},
		{"EPSG:4499", 557000, 3465000, "EPSG:4510"},
		{"EPSG:4510", 21557000, 3465000, "EPSG:4499"},
	} {
		_, _, err := mustCRS(t, c.crs).Degrees(c.x, c.y)
		var e *CoordinateError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v, %v: %v, want an error with %q", c.crs, c.x, c.y, err, c.want)
		}
	}
	if _, _, err := WGS84().Degrees(2.35, 48.85); err != nil {
		t.Errorf("Paris in WGS84: %v", err)
	}
	if _, _, err := (CRS{}).Degrees(120, 30); err == nil {
		t.Error("no CRS: want an error")
	}
	if _, _, err := mustCRS(t, "EPSG:4549").FromDegrees(116, 40); err == nil {
		t.Error("Beijing in the zone of 120 E: want an error")
	}
}

func TestWKT(t *testing.T) {
	for _, name := range Known() {
		c := mustCRS(t, name)
		if name == "GCJ-02" {
			if c.WKT() != "" {
				t.Error("GCJ-02 has a WKT")
			}
			continue
		}
		got, err := ParseWKT(c.WKT())
		if err != nil || !got.Agrees(c) || got.EPSG() != c.EPSG() {
			t.Errorf("%s: read back as %s, %v", name, got, err)
		}
	}
	// Text as written by PROJ (WKT1_GDAL and WKT1_ESRI), by ArcGIS and by hand.
	for text, want := range map[string]string{
		`PROJCS["CGCS2000 / 3-degree Gauss-Kruger zone 40",GEOGCS["China Geodetic Coordinate System 2000",DATUM["China_2000",SPHEROID["CGCS2000",6378137,298.257222101,AUTHORITY["EPSG","1024"]],AUTHORITY["EPSG","1043"]],PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433],AUTHORITY["EPSG","4490"]],PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",120],PARAMETER["scale_factor",1],PARAMETER["false_easting",40500000],PARAMETER["false_northing",0],UNIT["metre",1],AUTHORITY["EPSG","4528"]]`: "EPSG:4528",
		`PROJCS["CGCS2000_3_Degree_GK_CM_117E",GEOGCS["GCS_China_Geodetic_Coordinate_System_2000",DATUM["D_China_2000",SPHEROID["CGCS2000",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Gauss_Kruger"],PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",117.0],PARAMETER["Scale_Factor",1.0],PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]`:                                                                                                    "EPSG:4548",
		"\ufeff" + `GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]`: "WGS84",
	} {
		if c, err := ParseWKT(text); err != nil || c.String() != want {
			t.Errorf("%s, %v, want %s", c, err, want)
		}
	}
	for name, text := range map[string]string{
		"Beijing 54":   `PROJCS["Beijing_1954_3_Degree_GK_CM_117E",GEOGCS["GCS_Beijing_1954",DATUM["D_Beijing_1954",SPHEROID["Krasovsky_1940",6378245.0,298.3]]],PROJECTION["Gauss_Kruger"]]`,
		"UTM":          `PROJCS["WGS_1984_UTM_Zone_51N",GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984"]],PROJECTION["Transverse_Mercator"]]`,
		"local grid":   strings.Replace(mustCRS(t, "EPSG:4549").WKT(), `"Central_Meridian",120.0`, `"Central_Meridian",120.583`, 1),
		"scaled":       strings.Replace(mustCRS(t, "EPSG:4549").WKT(), `"Scale_Factor",1.0`, `"Scale_Factor",0.9996`, 1),
		"local origin": strings.Replace(mustCRS(t, "EPSG:4549").WKT(), `"False_Northing",0.0`, `"False_Northing",-3000000.0`, 1),
		"empty":        "",
		"rubbish":      "\x00\xff[[[",
	} {
		if c, err := ParseWKT(text); err == nil {
			t.Errorf("%s: %s, want an error", name, c)
		}
	}
	if !mustCRS(t, "EPSG:4549").Agrees(mustCRS(t, "EPSG:4549")) || mustCRS(t, "EPSG:4549").Agrees(mustCRS(t, "EPSG:4528")) || !WGS84().Agrees(CGCS2000()) || GCJ02().Agrees(WGS84()) {
		t.Error("Agrees is wrong")
	}
}

func FuzzParseWKT(f *testing.F) {
	c, _ := ByEPSG(4549)
	f.Add(c.WKT())
	f.Add(CGCS2000().WKT())
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := ParseWKT(text); (err == nil) == c.IsZero() {
			t.Errorf("%q: %v, %v", text, c, err)
		}
	})
}

func FuzzDegrees(f *testing.F) {
	f.Add(4549, 557000.0, 3465000.0)
	f.Add(4490, 120.5, 31.3)
	f.Fuzz(func(t *testing.T, n int, x, y float64) {
		c, err := ByEPSG(n)
		if err != nil {
			return
		}
		lon, lat, err := c.Degrees(x, y)
		if err != nil {
			return
		}
		bx, by, err := c.FromDegrees(lon, lat)
		if err == nil && math.Hypot(bx-x, by-y) > 1e-4 {
			t.Errorf("%v %v, %v comes back as %v, %v", c, x, y, bx, by)
		}
	})
}
