package census

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding/simplifiedchinese"

	"citygrid/hub/registry"
	"citygrid/hub/registry/geo"
	"citygrid/schemas"
)

// mustWrite makes a file of text.
func mustWrite(t testing.TB, name, text string) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func gbk(t testing.TB, text string) string {
	t.Helper()
	s, err := simplifiedchinese.GBK.NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const head = "id,class,lon,lat,name,recorded\n"

const good = "3205080101000001,CJ/T 214-2007:component:0101,120.6123456,31.3012345,井盖,20211231\n"

func TestCSVAwkward(t *testing.T) {
	o := Options{CRS: geo.CGCS2000()}
	for name, c := range map[string]struct {
		text string
		o    Options
		good int
		want string // in the first problem, "line:field:rule;remedy" in part; empty for none
	}{
		"good":                {head + good, o, 1, ""},
		"mark and CRLF":       {"\ufeff" + strings.ReplaceAll(head+good, "\n", "\r\n"), o, 1, ""},
		"quoted":              {head + strings.Replace(good, "井盖", "\"a, \"\"b\"\"\nc\"", 1), o, 1, ""},
		"upper case":          {strings.ToUpper(head) + good, o, 1, ""},
		"no last line end":    {head + strings.TrimSpace(good), o, 1, ""},
		"GBK":                 {gbk(t, head+good), Options{CRS: geo.CGCS2000(), Encoding: "GBK"}, 1, ""},
		"metres":              {"id,class,easting,northing\n3205080101000001,CJ/T 214-2007:component:0101,558000.5,3464000.25\n", Options{CRS: mustCRS(t, "4549")}, 1, ""},
		"no position":         {head + "3205080101000001,CJ/T 214-2007:component:0101,,,a,\n", o, 1, ""},
		"class by standard":   {"id,x,y\n3205080101000001,120.6123456,31.3012345\n", Options{CRS: geo.CGCS2000(), Standard: "CJ/T 214-2007"}, 1, ""},
		"WKT":                 {"id,class,wkt\nm,City:component:1,POINT Z (120.6123456 31.3012345 4)\n", o, 1, ""},
		"own attribute":       {"id,class,材质\nm,City:component:1,铸铁\n", o, 1, ""},
		"empty":               {"", o, 0, "a.csv:1: the file is empty"},
		"undeclared GBK":      {gbk(t, "id,class,name\nm,City:component:1,井盖\n"), o, 0, "a.csv:2: name: the file is not UTF-8; name the character set"},
		"undeclared GBK head": {gbk(t, "id,材质\n"), o, 0, "a.csv:1: the names of the columns are not UTF-8"},
		"mark and GBK":        {"\ufeff" + head, Options{CRS: geo.CGCS2000(), Encoding: "gbk"}, 0, "declared \"gbk\""},
		"UTF-16":              {"\xff\xfei\x00d\x00", o, 0, "UTF-16"},
		"workbook":            {"PK\x03\x04", o, 0, "workbook"},
		"semicolons":          {strings.ReplaceAll(head+good, ",", ";"), o, 0, "separated by semicolons"},
		"unknown set":         {head, Options{CRS: geo.CGCS2000(), Encoding: "big5"}, 0, "\"big5\" is not known"},
		"no system":           {head + good, Options{}, 0, "crs: the coordinate reference system is not named"},
		"scientific":          {head + strings.Replace(good, "3205080101000001", "3.20508E+15", 1), o, 0, "a.csv:2: id \"3.20508E+15\": a code in scientific notation"},
		"short id":            {head + strings.Replace(good, "3205080101000001", "320508010100001", 1), o, 0, "a.csv:2: id \"320508010100001\""},
		"id and class":        {head + strings.Replace(good, ":0101", ":0102", 1), o, 0, "the id 3205080101000001 says class 0101"},
		"event class":         {head + strings.Replace(good, ":component:", ":event:", 1), o, 0, "a class of kind event"},
		"decimal comma":       {head + strings.Replace(good, "120.6123456", "\"120,6123456\"", 1), o, 0, "a.csv:2: lon \"120,6123456\": a comma in a number; write a point"},
		"minutes":             {head + strings.Replace(good, "120.6123456", "120°36′44″", 1), o, 0, "degrees, minutes and seconds"},
		"scientific degrees":  {head + strings.Replace(good, "120.6123456", "1.206E+02", 1), o, 0, "scientific notation"},
		"swapped":             {head + strings.Replace(good, "120.6123456,31.3012345", "31.3012345,120.6123456", 1), o, 0, "position \"31.3012345, 120.6123456\": no position in CGCS2000: longitude and latitude look swapped"},
		"null island":         {head + strings.Replace(good, "120.6123456,31.3012345", "0,0", 1), o, 0, "0,0 means"},
		"half a position":     {head + strings.Replace(good, "31.3012345", "", 1), o, 0, "one coordinate of two"},
		"two decimals":        {head + strings.Replace(good, "120.6123456,31.3012345", "120.61,31.30", 1), o, 1, "2 decimals are within 1 km only"},
		"metres as degrees":   {head + strings.Replace(good, "120.6123456,31.3012345", "558000.5,3464000.2", 1), o, 0, "these are metres"},
		"bad date":            {head + strings.Replace(good, "20211231", "20211331", 1), o, 0, "recorded \"20211331\": not a date; write YYYYMMDD"},
		"few fields":          {head + "3205080101000001,x\n" + good, o, 1, "a.csv:2: 2 fields in the line, 6 columns"},
		"open quote":          {head + good + "\"3205\n" + good, o, 1, "a.csv:3"},
		"twice":               {head + good + good, o, 1, "a.csv:3: id \"3205080101000001\": the same as in record 1"},
		"column twice":        {"id,lon,经度\nm,1,2\n", o, 0, "the columns \"lon\" and \"经度\" are for the same"},
		"no id":               {"class,name\nCity:component:1,a\n", o, 0, "a.csv:2: id: missing"},
		"control":             {head + strings.Replace(good, "井盖", "a\x00b", 1), o, 0, "control character U+0000"},
		"lost characters":     {head + strings.Replace(good, "井盖", "\ufffd", 1), o, 0, "characters have been lost"},
		"other system inside": {"id,class,crs\nm,City:component:1,GCJ-02\n", o, 0, "the record says GCJ-02, the caller"},
		"no class":            {"id\n3205080101000001\n", o, 0, "class: no class; give the column class"},
		"radius alone":        {"id,class,radius_m\nm,City:component:1,5\n", o, 0, "an accuracy without a position"},
		"polygon":             {"id,class,wkt\nm,City:component:1,\"POLYGON ((120.1 31.1,120.2 31.1,120.2 31.2,120.1 31.1))\"\n", o, 0, "a polygon, where components have a point"},
	} {
		list, rep := readFile[registry.Component](t, mustWrite(t, "a.csv", c.text), c.o)
		if len(list) != c.good {
			t.Errorf("%s: %d records, want %d: %v", name, len(list), c.good, rep.Problems)
		}
		first := ""
		if len(rep.Problems) > 0 {
			first = rep.Problems[0].Error()
		}
		if !strings.Contains(first, c.want) || c.want == "" && first != "" {
			t.Errorf("%s: %q, want %q", name, first, c.want)
		}
		if first != "" && !rep.Problems[0].Warning && rep.Problems[0].Rule == "" {
			t.Errorf("%s: a problem without a rule: %+v", name, rep.Problems[0])
		}
	}
}

func TestReadSays(t *testing.T) {
	list, rep := readFile[registry.Component](t, mustWrite(t, "a.csv", head+good+"m,City:component:1,,,x,\n"), Options{CRS: geo.WGS84()})
	if len(list) != 2 || list[0].Position != (schemas.Position{Lon: 120.6123456, Lat: 31.3012345, CRS: schemas.WGS84}) || list[1].Position.Known() {
		t.Errorf("%+v", list)
	}
	if rep.Unlocated != 1 || !slices.Equal(rep.Unplaced, []Place{{Record: 2, Line: 3, Key: "m"}}) {
		t.Errorf("%+v", rep)
	}
	if got := list[0].Recorded.Format("2006-01-02T15:04Z07:00"); got != "2021-12-30T16:00Z" {
		t.Errorf("20211231 in China is %s", got)
	}
	if _, rep := readFile[registry.Component](t, filepath.Join(t.TempDir(), "none.csv"), Options{CRS: geo.WGS84()}); rep.Err() == nil {
		t.Error("a missing file: no error")
	}
	if _, rep := readFile[registry.Component](t, mustWrite(t, "a.txt", head), Options{CRS: geo.WGS84()}); rep.Err() == nil {
		t.Error("an unknown ending: no error")
	}
	_, rep = readFile[registry.Component](t, mustWrite(t, "a.csv", head+strings.Repeat("x\n", 50)), Options{CRS: geo.WGS84(), MaxProblems: 10})
	var p Problem
	if len(rep.Problems) != 10 || rep.Errors != 50 || !errors.As(rep.Err(), &p) || p.Line != 2 || !strings.Contains(rep.Err().Error(), "49 more") {
		t.Errorf("%d problems, %d errors, %v", len(rep.Problems), rep.Errors, rep.Err())
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	rep = &Report{}
	for range Read[registry.Component](ctx, mustWrite(t, "a.csv", head+good+strings.Replace(good, "0001,", "0002,", 1)), Options{CRS: geo.WGS84()}, rep) {
		cancel()
	}
	if rep.Good != 1 || rep.Err() == nil {
		t.Errorf("cancelled: %+v", rep)
	}
}

func TestGeoJSONAwkward(t *testing.T) {
	feature := func(properties, geometry string) string {
		return `{"type":"Feature","properties":` + properties + `,"geometry":` + geometry + `}`
	}
	collect := func(s ...string) string {
		return `{"type":"FeatureCollection","features":[` + "\n" + strings.Join(s, ",\n") + "\n]}"
	}
	const props = `{"id":"m","class":"City:component:1"}`
	const point = `{"type":"Point","coordinates":[120.6123456,31.3012345]}`
	o := Options{CRS: geo.CGCS2000(), Standard: "CJ/T 214-2007"}
	for name, c := range map[string]struct {
		text string
		good int
		want string
	}{
		"good":              {collect(feature(props, point)), 1, ""},
		"no geometry":       {collect(feature(props, "null")), 1, ""},
		"none":              {collect(), 0, ""},
		"number of 16":      {collect(feature(`{"id":3205080101000001}`, point)), 1, ""},
		"crs":               {strings.Replace(collect(feature(props, point)), `"features"`, `"crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:OGC:1.3:CRS84"}},"features"`, 1), 1, ""},
		"other":             {strings.Replace(collect(feature(props, point)), `"features"`, `"name":"x","bbox":[1,2],"features"`, 1), 1, ""},
		"height":            {collect(feature(props, `{"type":"Point","coordinates":[120.6123456,31.3012345,7]}`)), 1, ""},
		"number of 17":      {collect(feature(`{"id":32050801010000001}`, point)), 0, "a.json:2: id \"32050801010000001\": a code as a number above 2^53"},
		"scientific":        {collect(feature(`{"id":3.2E15}`, point)), 0, "scientific"},
		"decimals":          {collect(feature(`{"id":3205080101000001.0}`, point)), 0, "with decimals"},
		"other crs":         {strings.Replace(collect(feature(props, point)), `"features"`, `"crs":{"type":"name","properties":{"name":"EPSG:4549"}},"features"`, 1), 0, "the file says CGCS2000 / 3-degree Gauss-Kruger CM 120E, the caller"},
		"unknown crs":       {strings.Replace(collect(feature(props, point)), `"features"`, `"crs":{"type":"name","properties":{"name":"EPSG:3857"}},"features"`, 1), 0, "EPSG:3857 is not known"},
		"crs at the end":    {strings.TrimSuffix(collect(feature(props, point)), "}") + `,"crs":{"type":"name","properties":{"name":"EPSG:4549"}}}`, 1, "the file says"},
		"line":              {collect(feature(props, point), feature(`{"id":"n"}`, point)), 1, "a.json:3"},
		"one number":        {collect(feature(props, `{"type":"Point","coordinates":[120.6]}`)), 0, "a point of 1 numbers"},
		"null":              {collect(feature(props, `{"type":"Point","coordinates":[120.6,null]}`)), 0, "a coordinate is null"},
		"no coordinates":    {collect(feature(props, `{"type":"Point"}`)), 0, "geometry"},
		"line string":       {collect(feature(props, `{"type":"LineString","coordinates":[[1,2],[3,4]]}`)), 0, "LineString"},
		"property twice":    {collect(feature(`{"id":"m","id":"n"}`, point)), 0, "given twice"},
		"object":            {collect(feature(`{"id":{"a":1}}`, point)), 0, "a list or an object"},
		"cut":               {strings.TrimSuffix(collect(feature(props, point)), "\n]}"), 1, "cut short"},
		"not features":      {collect(`{"type":"Point","coordinates":[1,2]}`), 0, "not a Feature"},
		"feature alone":     {feature(props, point), 0, "the file is a \"Feature\""},
		"list":              {`[]`, 0, "no JSON object"},
		"features twice":    {`{"features":[],"features":[]}`, 0, "features"},
		"no features":       {`{"type":"FeatureCollection"}`, 0, "no features"},
		"something follows": {collect() + "{}", 0, "something follows"},
		"coordinates twice": {collect(feature(props, `{"type":"Point","coordinates":[120.6123456,31.3012345],"coordinates":[121.6123456,31.3012345]}`)), 0, "given twice"},
		"another case":      {collect(feature(props, `{"type":"Point","coordinates":[120.6123456,31.3012345],"Coordinates":[121.6123456,31.3012345]}`)), 1, ""},
		"crs of a feature":  {collect(strings.Replace(feature(props, point), `"geometry"`, `"crs":{"type":"name","properties":{"name":"EPSG:4549"}},"geometry"`, 1)), 0, "a reference system of its own"},
		"crs of a geometry": {collect(feature(props, strings.Replace(point, `{`, `{"crs":null,`, 1))), 0, "a reference system of its own"},
		"crs twice":         {strings.Replace(collect(feature(props, point)), `"features"`, `"crs":{"type":"name","properties":{"name":"EPSG:4549"}},"crs":null,"features"`, 1), 0, "crs comes twice"},
		"long name":         {collect(feature(`{"id":"m","class":"City:component:1","`+strings.Repeat("长", 101)+`":"x"}`, point)), 0, "101 characters"},
		"name of two lines": {collect(feature(`{"id":"m","class":"City:component:1","a\u0007":"x"}`, point)), 0, "control character"},
		"swapped":           {collect(feature(props, `{"type":"Point","coordinates":[31.3012345,120.6123456]}`)), 0, "swapped"},
	} {
		list, rep := readFile[registry.Component](t, mustWrite(t, "a.json", c.text), o)
		first := ""
		if len(rep.Problems) > 0 {
			first = rep.Problems[0].Error()
		}
		if len(list) != c.good || !strings.Contains(first, c.want) || c.want == "" && first != "" {
			t.Errorf("%s: %d records, %q; want %d, %q", name, len(list), first, c.good, c.want)
		}
	}
}

func TestCellsAwkward(t *testing.T) {
	for name, c := range map[string]struct{ wkt, want string }{
		"good":     {"POLYGON ((120.612 31.3, 120.614 31.3, 120.614 31.302, 120.612 31.3))", ""},
		"open":     {"POLYGON ((120.612 31.3, 120.614 31.3, 120.614 31.302))", "not closed"},
		"bow tie":  {"POLYGON ((120.612 31.3, 120.614 31.302, 120.614 31.3, 120.612 31.302, 120.612 31.3))", "crosses or touches itself"},
		"far":      {"POLYGON ((120.612 31.3, 120.614 31.3, 2.614 31.302, 120.612 31.3))", "outside China"},
		"brackets": {"POLYGON (120.612 31.3, 120.614 31.3)", "bracket"},
		"missing":  {"POLYGON ((120.612 31.3, 120.614, 120.614 31.302, 120.612 31.3))", "a number is missing"},
		"after":    {"POLYGON ((120.612 31.3, 120.614 31.3, 120.614 31.302, 120.612 31.3)) x", "something follows"},
		"SRID":     {"SRID=4490;POLYGON ((120.612 31.3))", "SRID"},
		"point":    {"POINT (120.6 31.3)", "a point, where cells have a polygon"},
		"none":     {"", "missing"},
		"empty":    {"POLYGON EMPTY", "not known"},
		"line":     {"LINESTRING (1 2, 3 4)", "no geometry of the grid"},
	} {
		list, rep := readFile[registry.Cell](t, mustWrite(t, "a.csv", "code,wkt,area\n320508001001001,\""+c.wkt+"\",21000\n"), Options{CRS: geo.CGCS2000()})
		if (len(list) == 1) != (c.want == "") || c.want != "" && !strings.Contains(rep.Err().Error(), c.want) {
			t.Errorf("%s: %d, %v, want %q", name, len(list), rep.Err(), c.want)
		}
	}
	list, rep := readFile[registry.Cell](t, mustWrite(t, "a.csv", "code,wkt,area,colour\n320508001001001,\"POLYGON ((120.612 31.3, 120.614 31.3, 120.614 31.302, 120.612 31.302, 120.612 31.3))\",10000,red\n"), Options{CRS: geo.CGCS2000()})
	if len(list) != 1 || list[0].Area < 42_000 || list[0].Area > 42_500 || rep.Warnings != 2 || rep.Err() != nil {
		t.Errorf("%+v %+v", list, rep)
	}
}

// The archives are of another program; see testdata/README.md.
func TestShapefilesOfPyshp(t *testing.T) {
	zone := mustCRS(t, "EPSG:4528")
	parts, rep := readFile[registry.Component](t, "testdata/pyshp-parts.zip", Options{CRS: zone, Mapping: Mappings()["gbt47678.5"]})
	if rep.Err() != nil || rep.Warnings != 0 || len(parts) != 3 || rep.Unlocated != 1 {
		t.Fatalf("%+v", rep)
	}
	c := parts[0]
	if d := geo.Distance(c.Position.Lon, c.Position.Lat, 120.6123456, 31.3012345); !(d < 1e-3) || c.Position.CRS != schemas.CGCS2000 {
		t.Errorf("%+v is %v m off", c.Position, d)
	}
	if c.ID != "32050801001000001" || c.Name != "供水井盖" || c.State != registry.Intact || c.Class.Code != "01001" || c.Note != "备注，含逗号" ||
		c.More["ZGBMMC"] != "姑苏区水务局" || c.More["HEIGHT"] != "3.250" || !c.Recorded.Equal(day(2021, 12, 31)) || c.Authority != "11320508014150035B" {
		t.Errorf("%+v", c)
	}
	grid, rep := readFile[registry.Cell](t, "testdata/pyshp-cells.zip", Options{CRS: zone})
	if rep.Err() != nil || len(grid) != 1 || len(grid[0].Shape) != 2 || len(grid[0].Shape[0]) != 2 || grid[0].Name != "十梓街" {
		t.Fatalf("%+v %+v", grid, rep)
	}
	for _, tt := range []struct {
		file string
		o    Options
		want string
	}{
		{"parts", Options{CRS: mustCRS(t, "EPSG:4549")}, ".prj \"EPSG:4528\": the file says CGCS2000 / 3-degree Gauss-Kruger zone 40, the caller CGCS2000 / 3-degree Gauss-Kruger CM 120E"},
		{"parts", Options{CRS: zone, Encoding: "utf-8"}, "the .cpg file says GBK, the caller utf-8"},
		{"number", Options{CRS: geo.CGCS2000(), Mapping: Mappings()["gbt47678.5"]}, "a code as a number above 2^53"},
	} {
		if list, rep := readFile[registry.Component](t, "testdata/pyshp-"+tt.file+".zip", tt.o); len(list) > 0 || rep.Err() == nil || !strings.Contains(rep.Err().Error(), tt.want) {
			t.Errorf("%s: %d records, %v, want %q", tt.file, len(list), rep.Err(), tt.want)
		}
	}
}

// Without a .cpg file, the language driver of the table tells GBK; without that, text
// is refused.
func TestTableWithoutCpg(t *testing.T) {
	zipped, err := os.ReadFile("testdata/pyshp-parts.zip")
	if err != nil {
		t.Fatal(err)
	}
	m := memory(unzip(t, zipped))
	delete(m, ".cpg")
	o := Options{CRS: mustCRS(t, "EPSG:4528"), Mapping: Mappings()["gbt47678.5"]}
	for driver, want := range map[byte]int{0: 0, 0x4d: 3, 0x7a: 3} {
		m[".dbf"][29] = driver
		s := &shapeSource{}
		err := s.open(m, "")
		if list, rep := readSource[registry.Component](t, s, err, o); len(list) != want || (want == 0) != (rep.Err() != nil) {
			t.Errorf("driver %#x: %d records, %v", driver, len(list), rep.Err())
		}
	}
	for ending, cut := range map[string]int{".shp": 150, ".dbf": 600} {
		broken := maps.Clone(m)
		broken[ending] = broken[ending][:cut]
		s := &shapeSource{}
		err := s.open(broken, "gbk")
		if _, rep := readSource[registry.Component](t, s, err, o); rep.Err() == nil || !strings.Contains(rep.Err().Error(), "cut short") {
			t.Errorf("%s cut: %v", ending, rep.Err())
		}
	}
	delete(m, ".dbf")
	if err := (&shapeSource{}).open(m, ""); err == nil {
		t.Error("no .dbf file: want an error")
	}
}

func TestMappings(t *testing.T) {
	for _, name := range []string{"plain", "gbt47678.5", "cjt214"} {
		if Mappings()[name] == nil {
			t.Errorf("no mapping %s", name)
		}
	}
	for _, k := range Kinds() { // plain has every field, under its own name, short enough for a Shapefile
		for _, field := range fieldNames(k) {
			if c := Plain().Kinds[k].Fields[field]; len(c) == 0 || c[0] != field || len(field) > 10 {
				t.Errorf("plain %s: %s is %v", k, field, c)
			}
		}
	}
	for text, want := range map[string]string{
		"name: a\nkinds: {cells: {fields: {code: [A]}}}": "",
		"kinds: {}":                   "name",
		"name: a\nkind: {}":           "field kind not found",
		"name: a\nkinds: {trees: {}}": "no such kind",
		"name: a\nkinds: {cells: {fields: {kode: [A]}}}":                                 "no field \"kode\"",
		"name: a\nkinds: {cells: {fields: {code: []}}}":                                  "no column",
		"name: a\nkinds: {cells: {fields: {code: [A], name: [a]}}}":                      "means both",
		"name: a\nkinds: {cells: {fields: {code: [A]}, ignore: [a]}}":                    "is ignored and means",
		"name: a\nkinds: {components: {values: {state: {intact: x, damaged: x}}}}":       "stands for both",
		"name: a\nkinds: {components: {values: {colour: {a: b}}}}":                       "no such field",
		"name: a\nkinds: {components: {values: {state: {intact: damaged, damaged: x}}}}": "one of ours and one of theirs",
	} {
		_, err := ParseMapping([]byte(text))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// bigCSV makes n components and returns the file.
func bigCSV(t testing.TB, n int) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "big.csv")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	list := func(yield func(registry.Component, error) bool) {
		c := components()[0]
		c.More, c.Note = nil, "note"
		for i := range n {
			c.ID = schemas.ComponentID(fmt.Sprintf("3205080101%06d", i))
			c.Position.Lon = 120.5 + float64(i%1000)*1e-4 + 1e-8
			if !yield(c, nil) {
				return
			}
		}
	}
	if err := Write(context.Background(), f, list, Options{CRS: geo.CGCS2000(), Format: CSV}); err != nil {
		t.Fatal(err)
	}
	return name
}

// A million components must never be in memory at once: what stays is their ids.
func TestMemoryDoesNotGrow(t *testing.T) {
	const n = 100_000
	file := bigCSV(t, n)
	var low, high uint64 = math.MaxUint64, 0
	var m runtime.MemStats
	rep, i := &Report{}, 0
	for range Read[registry.Component](t.Context(), file, Options{CRS: geo.CGCS2000()}, rep) {
		if i++; i%20_000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			low, high = min(low, m.HeapAlloc), max(high, m.HeapAlloc)
		}
	}
	if rep.Good != n || rep.Err() != nil {
		t.Fatalf("%d records, %v", rep.Good, rep.Err())
	}
	if grown := high - low; grown > 8<<20 {
		t.Errorf("the heap grew by %d bytes over %d records", grown, n)
	}
}

func BenchmarkReadMillion(b *testing.B) {
	file := bigCSV(b, 1_000_000)
	var peak uint64
	for b.Loop() {
		var m runtime.MemStats
		rep, i := &Report{}, 0
		for range Read[registry.Component](context.Background(), file, Options{CRS: geo.CGCS2000()}, rep) {
			if i++; i%50_000 == 0 {
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
		}
		if rep.Good != 1_000_000 {
			b.Fatal(rep.Err())
		}
	}
	b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
}

// TestColumnsForTheSame wants one mistake of the first line told once, not once a row.
func TestColumnsForTheSame(t *testing.T) {
	text := "id,class,ID\n" + strings.Repeat("m,City:component:1,n\n", 50)
	list, rep := readFile[registry.Component](t, mustWrite(t, "a.csv", text), Options{CRS: geo.CGCS2000()})
	if len(list) != 0 || rep.Errors != 1 || rep.Records != 50 || !strings.Contains(rep.Err().Error(), "for the same") {
		t.Errorf("%d records, %d errors: %v", len(list), rep.Errors, rep.Err())
	}
	text = "id,class,\nm,City:component:1,\nn,City:component:1,lost\no,City:component:1,lost\n"
	list, rep = readFile[registry.Component](t, mustWrite(t, "b.csv", text), Options{CRS: geo.CGCS2000()})
	if len(list) != 3 || rep.Warnings != 1 || rep.Problems[0].Line != 3 || !strings.Contains(rep.Problems[0].Rule, "no name") {
		t.Errorf("%d records: %+v", len(list), rep.Problems)
	}
}

// TestShapefileWithoutNumbers has a hole and an outer ring with a corner that is none.
func TestShapefileWithoutNumbers(t *testing.T) {
	nan := math.NaN()
	outer := [][2]float64{{120, 31}, {120, 31.01}, {120.011, 31.011}, {120.01, 31}, {120, 31}}
	for name, hole := range map[string][][2]float64{
		"hole":  {{120.002, 31.001}, {120.004, 31.001}, {nan, 31.005}, {120.002, 31.001}},
		"all":   {{nan, 31.001}, {nan, 31.001}, {nan, 31.005}, {nan, 31.001}},
		"far":   {{120.002, 31.001}, {120.004, 31.001}, {math.Inf(1), 31.005}, {120.002, 31.001}},
		"outer": {{120.002, 31.001}, {nan, nan}, {120.004, 31.001}, {120.002, 31.001}},
	} {
		rings := []registry.Ring{hole, outer}
		if shape, err := assemble(rings); err == nil {
			if _, err := geo.Normalise(shape); err == nil {
				t.Errorf("%s: taken", name)
			}
		}
	}
}

// TestArchiveWithTwoTables must not choose one of them.
func TestArchiveWithTwoTables(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range []string{"../x.shp", "../x.dbf", "../X.DBF"} {
		if _, err := z.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	_, rep := readFile[registry.Cell](t, mustWrite(t, "a.zip", b.String()), Options{CRS: geo.CGCS2000()})
	if rep.Err() == nil || !strings.Contains(rep.Err().Error(), "more than one .dbf") {
		t.Error(rep.Err())
	}
}
