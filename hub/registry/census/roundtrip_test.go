package census

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jonas-p/go-shp"

	"citygrid/hub/registry"
	"citygrid/hub/registry/geo"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

func day(y int, m time.Month, d int) time.Time {
	return time.Date(y, m, d, 0, 0, 0, 0, time.FixedZone("", 8*3600)).UTC()
}

func seqOf[T any](list ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func mustCRS(t testing.TB, name string) geo.CRS {
	t.Helper()
	c, err := geo.ParseCRS(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ring(v ...float64) registry.Ring {
	var r registry.Ring
	for i := 0; i < len(v); i += 2 {
		r = append(r, [2]float64{v[i], v[i+1]})
	}
	return append(r, r[0])
}

func cells() []registry.Cell {
	shape := registry.Shape{{
		ring(120.6123456789, 31.3, 120.6140000001, 31.3, 120.614, 31.302, 120.612, 31.302),
		ring(120.6130001, 31.3005, 120.6130001, 31.3015, 120.6135001, 31.3015),
	}}
	two := registry.Shape{{ring(120.62, 31.3, 120.621, 31.3, 120.621, 31.301)}, {ring(120.63, 31.3, 120.631, 31.3, 120.631, 31.301)}}
	list := []registry.Cell{
		{Code: "320508001001001", Name: `十梓街, "北"`, Shape: shape, Duty: "D-1", Span: registry.Span{From: day(2020, 1, 1)}},
		{Code: "32050800100102", Shape: two, Span: registry.Span{From: day(2020, 1, 1), To: time.Date(2026, 3, 4, 5, 6, 7, 89e6, time.UTC)}},
	}
	for i := range list {
		_ = cellKind().finish(nil, &list[i])
	}
	return list
}

func components() []registry.Component {
	return []registry.Component{
		{ID: "3205080101000001", Class: codes.Ref{Standard: codes.CJT214, Kind: codes.Component, Code: "0101"}, ClassName: "上水井盖", Name: "井盖，东",
			Position: schemas.Position{Lon: 120.61234567891234, Lat: 31.30123456789012, CRS: schemas.CGCS2000, Accuracy: 0.25}, Accuracy: registry.AccuracyA,
			Cell: "320508001001001", State: registry.Damaged, Authority: "11320508014150035B", Owner: "water-1", Upkeep: "u_2",
			Location: "十梓街 1 号, 门口", Source: "实测", Recorded: day(2021, 12, 31), Changed: day(2026, 11, 22), Note: "line one\nline \"two\"",
			More: map[string]string{"MATERIAL": "铸铁", "BLINDPATH": "no"}},
		{ID: "32050801001000001", Class: codes.Ref{Standard: codes.GBT47678, Kind: codes.Component, Code: "01001"}, Name: "no position"},
		{ID: "meter_7", Class: codes.Ref{Standard: "Suzhou", Kind: codes.Component, Code: "M1"}, Position: schemas.Position{Lon: 120.7, Lat: 31.2345678, CRS: schemas.CGCS2000}},
	}
}

// trip writes, reads and compares.
func trip[T Thing](t *testing.T, o Options, list []T) {
	t.Helper()
	var b bytes.Buffer
	if err := Write(t.Context(), &b, seqOf(list...), o); err != nil {
		t.Errorf("%s %s: %v", o.Format, o.CRS, err)
		return
	}
	name := filepath.Join(t.TempDir(), "file."+map[Format]string{CSV: "csv", GeoJSON: "geojson", Shapefile: "zip"}[o.Format])
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	got, rep := readFile[T](t, name, o)
	if rep.Err() != nil || rep.Warnings > 0 {
		t.Errorf("%s %s: %v %+v", o.Format, o.CRS, rep.Err(), rep.Problems)
		return
	}
	if !reflect.DeepEqual(got, list) {
		t.Errorf("%s %s:\ngot  %+v\nwant %+v\nfile %.2000s", o.Format, o.CRS, got, list, b.String())
	}
}

func readFile[T Thing](t testing.TB, name string, o Options) ([]T, *Report) {
	t.Helper()
	rep := &Report{}
	var got []T
	for _, v := range Read[T](context.Background(), name, o, rep) {
		got = append(got, v)
	}
	if rep.Good != len(got) {
		t.Errorf("%s: %d records, the report says %d", name, len(got), rep.Good)
	}
	return got, rep
}

func TestRoundTrip(t *testing.T) {
	more := []string{"MATERIAL", "BLINDPATH"}
	for _, format := range []Format{CSV, GeoJSON, Shapefile} {
		o := Options{CRS: geo.CGCS2000(), Format: format, More: more}
		trip(t, o, components())
		trip(t, Options{CRS: geo.CGCS2000(), Format: format}, cells())
		trip(t, Options{CRS: geo.CGCS2000(), Format: format}, []registry.Area{
			{Code: "320508", Name: "姑苏区", Kind: "1", Shape: cells()[0].Shape},
			{Code: "320508001", Span: registry.Span{From: day(2000, 1, 1), To: day(2030, 1, 1)}},
		})
		if format == Shapefile {
			continue
		}
		trip(t, Options{Format: format}, []registry.DutyGrid{{Code: "D-1", Name: "east", Inspectors: []registry.PersonID{"li.lei", "han@x"}}, {Code: "D-2"}})
		trip(t, Options{Format: format}, []registry.Department{{ID: "12", Name: "水务局", Phone: "0512-1",
			Classes: []codes.Ref{{Standard: codes.CJT214, Kind: codes.Component, Code: "01"}, {Standard: codes.GBT47678, Kind: codes.Event, Code: "06010"}}}})
		trip(t, Options{Format: format}, []registry.Person{{ID: "a", Name: "李", Roles: []string{"inspector", "acceptor"}, Department: "12", Duty: []codes.DutyCode{"D-1"}, Disabled: true}, {ID: "b"}})
		trip(t, Options{Format: format}, []registry.MeterLink{{Meter: "m1", Component: "3205080101000001", Collector: "c1", Line: "rs485/1", Span: registry.Span{From: day(2026, 1, 1), To: day(2026, 2, 1)}},
			{Meter: "m1", Component: "3205080101000002", Span: registry.Span{From: day(2026, 2, 1)}}})
	}
	trip(t, Options{CRS: geo.CGCS2000(), Format: CSV, Encoding: "gbk", More: more}, components())
}

// In another system the last bits of degrees differ: within a micrometre.
func TestRoundTripProjected(t *testing.T) {
	for _, name := range []string{"EPSG:4549", "EPSG:4528", "EPSG:4499", "GCJ-02", "WGS84"} {
		for _, format := range []Format{CSV, GeoJSON, Shapefile} {
			if name == "GCJ-02" && format == Shapefile {
				continue
			}
			o := Options{CRS: mustCRS(t, name), Format: format, More: []string{"MATERIAL", "BLINDPATH"}}
			var b bytes.Buffer
			if err := Write(t.Context(), &b, seqOf(components()...), o); err != nil {
				t.Errorf("%s %s: %v", name, format, err)
				continue
			}
			file := filepath.Join(t.TempDir(), "x")
			if err := os.WriteFile(file+map[Format]string{CSV: ".csv", GeoJSON: ".json", Shapefile: ".zip"}[format], b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			o.Format = ""
			got, rep := readFile[registry.Component](t, file+map[Format]string{CSV: ".csv", GeoJSON: ".json", Shapefile: ".zip"}[format], o)
			if rep.Err() != nil || len(got) != 3 {
				t.Errorf("%s %s: %v, %d records", name, format, rep.Err(), len(got))
				continue
			}
			for i, want := range components() {
				p, q := got[i].Position, want.Position
				if d := geo.Distance(p.Lon, p.Lat, q.Lon, q.Lat); q.Known() && !(d < 2e-4) || p.Known() != q.Known() {
					t.Errorf("%s %s: %v is %v m from %v", name, format, p, d, q)
				}
				if q.Known() && p.CRS != o.CRS.Label() {
					t.Errorf("%s %s: labelled %s", name, format, p.CRS)
				}
			}
		}
	}
}

func TestStandardMappings(t *testing.T) {
	all := components()
	for name, list := range map[string][]registry.Component{"gbt47678.5": all[1:2], "cjt214": all[:1]} {
		list[0].ClassName, list[0].Accuracy, list[0].Position.Accuracy, list[0].Location, list[0].State = "", "", 0, "", registry.Damaged
		for _, format := range []Format{CSV, GeoJSON, Shapefile} {
			trip(t, Options{CRS: geo.CGCS2000(), Format: format, Mapping: Mappings()[name], More: []string{"MATERIAL", "BLINDPATH"}}, list)
		}
	}
	var b bytes.Buffer
	err := Write(t.Context(), &b, seqOf(all[2]), Options{CRS: geo.CGCS2000(), Format: CSV, Mapping: Mappings()["cjt214"]})
	if err == nil || !strings.Contains(err.Error(), "class") {
		t.Errorf("a meter as a component of CJ/T 214: %v, want an error", err)
	}
}

func TestWriteRefuses(t *testing.T) {
	c := components()[0]
	for name, tt := range map[string]struct {
		change func(*registry.Component)
		o      Options
		want   string
	}{
		"no system":    {func(*registry.Component) {}, Options{Format: CSV}, "not named"},
		"no format":    {func(*registry.Component) {}, Options{CRS: geo.CGCS2000()}, "format"},
		"attribute":    {func(*registry.Component) {}, Options{CRS: geo.CGCS2000(), Format: CSV}, "not among the columns"},
		"spaces":       {func(c *registry.Component) { c.Name, c.More = " a", nil }, Options{CRS: geo.CGCS2000(), Format: CSV}, "would not come back"},
		"long text":    {func(c *registry.Component) { c.Note, c.More = strings.Repeat("长", 90), nil }, Options{CRS: geo.CGCS2000(), Format: Shapefile}, "270 bytes"},
		"zone":         {func(c *registry.Component) { c.More = nil }, Options{CRS: mustCRS(t, "EPSG:4534"), Format: CSV}, "outside the zone"},
		"GCJ-02 shape": {func(c *registry.Component) { c.More = nil }, Options{CRS: geo.GCJ02(), Format: Shapefile}, "cannot say"},
		"meaning": {func(c *registry.Component) { c.More = map[string]string{"name": "x"} }, Options{CRS: geo.CGCS2000(), Format: GeoJSON},
			"another meaning"},
	} {
		v := c
		tt.change(&v)
		err := Write(t.Context(), io.Discard, seqOf(v), tt.o)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// TestWriteOfAShiftedPosition wants the place where the thing is, by whatever system
// the record says it in.
func TestWriteOfAShiftedPosition(t *testing.T) {
	x, y, err := geo.GCJ02().FromDegrees(120.6123456, 31.3012345)
	if err != nil {
		t.Fatal(err)
	}
	v := registry.Component{ID: "m", Class: codes.Ref{Standard: "City", Kind: codes.Component, Code: "1"}, Position: schemas.Position{Lon: x, Lat: y, CRS: schemas.GCJ02}}
	for _, crs := range []geo.CRS{geo.CGCS2000(), geo.GCJ02(), mustCRS(t, "EPSG:4549")} {
		var b bytes.Buffer
		o := Options{CRS: crs, Format: CSV}
		if err := Write(t.Context(), &b, seqOf(v), o); err != nil {
			t.Fatal(err)
		}
		list, rep := readFile[registry.Component](t, mustWrite(t, "a.csv", b.String()), o)
		if len(list) != 1 || geo.Distance(list[0].Position.Lon, list[0].Position.Lat, 120.6123456, 31.3012345) > 1e-3 {
			t.Errorf("%s: %+v %v", crs, list, rep.Err())
		}
	}
}

// What is written is read by programs that nobody here wrote.
func TestOthersReadOurFiles(t *testing.T) {
	var b bytes.Buffer
	o := Options{CRS: mustCRS(t, "EPSG:4549"), Format: Shapefile}
	if err := Write(t.Context(), &b, seqOf(cells()...), o); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for ending, data := range unzip(t, b.Bytes()) {
		if err := os.WriteFile(filepath.Join(dir, "cells"+ending), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := shp.Open(filepath.Join(dir, "cells.shp"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var n int
	for s.Next() {
		i, shape := s.Shape()
		p, ok := shape.(*shp.Polygon)
		if !ok || p.NumParts != 2 || s.ReadAttribute(i, 0) != string(cells()[i].Code) {
			t.Errorf("record %d: %T, %q", i, shape, s.ReadAttribute(i, 0))
		}
		n++
	}
	if n != 2 {
		t.Errorf("go-shp reads %d records, want 2", n)
	}

	b.Reset()
	o.CRS, o.Format = geo.CGCS2000(), GeoJSON
	if err := Write(t.Context(), &b, seqOf(cells()...), o); err != nil {
		t.Fatal(err)
	}
	var fc struct {
		Features []struct {
			Geometry struct {
				Type        string
				Coordinates json.RawMessage
			}
			Properties map[string]string
		}
	}
	if err := json.Unmarshal(b.Bytes(), &fc); err != nil || len(fc.Features) != 2 || fc.Features[0].Properties["code"] != "320508001001001" ||
		fc.Features[1].Geometry.Type != "MultiPolygon" || !strings.HasPrefix(string(fc.Features[0].Geometry.Coordinates), "[[[120.6123456789,31.3],") {
		t.Errorf("JSON reads %+v, %v", fc, err)
	}
}

// unzip gives the files of an archive by their endings.
func unzip(t testing.TB, data []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if out[filepath.Ext(f.Name)], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return out
}
