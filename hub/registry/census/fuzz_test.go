package census

import (
	"bytes"
	"context"
	"io"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"citygrid/hub/registry"
	"citygrid/hub/registry/geo"
)

// readSource reads a source that is in memory.
func readSource[T Thing](t *testing.T, s source, err error, o Options) ([]T, *Report) {
	t.Helper()
	rep := &Report{}
	start(rep, "fuzz", o)
	if err != nil {
		rep.add(problemOf(err))
		return nil, rep
	}
	var list []T
	readAll(context.Background(), s, o, rep, func(_ Place, v T) bool { list = append(list, v); return true })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, p := range rep.Problems {
		if p.Rule == "" {
			t.Errorf("a problem without a rule: %+v", p)
		}
	}
	return list, rep
}

// again holds what was read against itself, written and read once more.
func again[T Thing](t *testing.T, list []T, o Options) {
	t.Helper()
	o.Format = GeoJSON
	for _, v := range list {
		var b bytes.Buffer
		if err := Write(t.Context(), &b, seqOf(v), o); err != nil {
			if !strings.Contains(err.Error(), "another meaning") {
				t.Fatalf("%+v: %v", v, err)
			}
			continue
		}
		s, err := newGeoJSON(io.NopCloser(&b), "")
		got, rep := readSource[T](t, s, err, o)
		if rep.Err() != nil || len(got) != 1 || !reflect.DeepEqual(got[0], v) {
			t.Fatalf("%+v\ncomes back as\n%+v, %v", v, got, rep.Err())
		}
	}
}

func FuzzCSV(f *testing.F) {
	f.Add(head+good, "")
	f.Add("id,class,wkt,材质\nm,City:component:1,POINT (120.6123456 31.3),铁\n", "utf-8")
	f.Add("\ufeffid;x", "gbk")
	f.Fuzz(func(t *testing.T, text, encoding string) {
		o := Options{CRS: geo.CGCS2000(), Standard: "CJ/T 214-2007"}
		s, err := newCSV(io.NopCloser(strings.NewReader(text)), encoding)
		list, _ := readSource[registry.Component](t, s, err, o)
		again(t, list, o)
	})
}

func FuzzGeoJSON(f *testing.F) {
	f.Add(`{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"code":"320508001001001"},"geometry":{"type":"Polygon","coordinates":[[[120.612,31.3],[120.614,31.3],[120.614,31.302],[120.612,31.3]]]}}]}`)
	f.Add(`{"type":"FeatureCollection","crs":null,"features":[{"type":"Feature","properties":null,"geometry":null}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		o := Options{CRS: geo.CGCS2000()}
		s, err := newGeoJSON(io.NopCloser(strings.NewReader(text)), "")
		list, _ := readSource[registry.Cell](t, s, err, o)
		again(t, list, o)
	})
}

// memory is the parts of a Shapefile.
type memory map[string][]byte

func (m memory) open(ending string) (io.ReadCloser, error) {
	b, ok := m[ending]
	if !ok {
		return nil, os.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func FuzzShapefile(f *testing.F) {
	for _, name := range []string{"parts", "cells", "number"} {
		s, err := os.ReadFile("testdata/pyshp-" + name + ".zip")
		if err != nil {
			f.Fatal(err)
		}
		m := unzip(f, s)
		f.Add(m[".shp"], m[".dbf"], string(m[".cpg"]), string(m[".prj"]))
	}
	f.Fuzz(func(t *testing.T, shp, dbf []byte, cpg, prj string) {
		s := &shapeSource{}
		err := s.open(memory{".shp": shp, ".dbf": dbf, ".cpg": []byte(cpg), ".prj": []byte(prj)}, "")
		o := Options{CRS: mustCRS(t, "EPSG:4528")}
		cells, _ := readSource[registry.Cell](t, s, err, o)
		for _, c := range cells {
			if !(geo.Area(c.Shape) > 0) || math.IsNaN(c.Shape[0][0][0][0]) {
				t.Errorf("%+v", c)
			}
		}
	})
}

func FuzzWKT(f *testing.F) {
	f.Add("POINT ZM (1 2 3 4)")
	f.Add("MULTIPOLYGON (((1 2, 3 4, 5 6, 1 2), (1 2, 3 4)), ((7 8)))")
	f.Fuzz(func(t *testing.T, text string) {
		point, shape, err := parseWKT(text)
		if err != nil {
			return
		}
		if (point == nil) == (shape == nil) {
			t.Fatalf("%q: %v, %v", text, point, shape)
		}
		if shape != nil {
			_, back, err := parseWKT(formatWKT(shape, formatDegrees))
			if err != nil || !reflect.DeepEqual(back, shape) {
				t.Fatalf("%q: %v comes back as %v, %v", text, shape, back, err)
			}
		}
	})
}

func FuzzMapping(f *testing.F) {
	f.Add([]byte("name: a\nkinds: {cells: {fields: {code: [A]}, values: {code: {a: b}}, ignore: [x]}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := ParseMapping(data); err == nil {
			if _, err := m.columns(Cells); err == nil && m.Name == "" {
				t.Error("a mapping without a name")
			}
		}
	})
}
