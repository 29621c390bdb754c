package assets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"citygrid/hub/registry"
	"citygrid/hub/registry/census"
	"citygrid/hub/registry/geo"
	"citygrid/schemas"
)

// exported writes everything into a new folder and returns the files to import.
func exported(tb testing.TB, r *Register, format census.Format, crs string) []File {
	tb.Helper()
	c, err := geo.ParseCRS(crs)
	must(tb, err)
	dir := tb.TempDir()
	var files []File
	o := census.Options{CRS: c, Format: format}
	for _, k := range census.Kinds() {
		one, ending := o, map[census.Format]string{census.CSV: ".csv", census.GeoJSON: ".geojson", census.Shapefile: ".zip"}[format]
		if format == census.Shapefile && !slices.Contains([]census.Kind{census.Areas, census.Cells, census.Components}, k) {
			one.Format, ending = census.CSV, ".csv"
		}
		path := filepath.Join(dir, string(k)+ending)
		must(tb, r.Export(context.Background(), []census.Kind{k}, one, func(census.Kind) (io.WriteCloser, error) { return os.Create(path) }))
		files = append(files, File{Path: path, Read: census.Options{CRS: c}})
	}
	return files
}

// TestRoundTrip wants the register of what was exported to be the same, in all
// formats and systems, and an import of it into the same register to change nothing.
func TestRoundTrip(t *testing.T) {
	files, _ := city(t, small(), 0)
	engines(t, func(t *testing.T, dsn string) {
		r := mustOpen(t, dsn)
		mustImport(t, r, files)
		must(t, r.oddities(t))
		want := dump(t, r)
		for _, c := range []struct {
			format census.Format
			crs    string
		}{{census.CSV, "CGCS2000"}, {census.GeoJSON, "EPSG:4549"}, {census.Shapefile, "CGCS2000"}, {census.CSV, "EPSG:4528"}, {census.GeoJSON, "GCJ-02"}} {
			out := exported(t, r, c.format, c.crs)
			if s := mustImport(t, r, out); s.Stored || dump(t, r) != want {
				t.Errorf("%s %s: imported into the same register it changed something: %+v", c.format, c.crs, s.Files)
			}
			other := mustOpen(t, "sqlite:"+filepath.Join(t.TempDir(), "other.db"))
			mustImport(t, other, out)
			if got := dump(t, other); got != want {
				t.Errorf("%s %s: %s", c.format, c.crs, difference(got, want))
			}
		}
	})
}

// oddities adds records with everything that the simulator's lack.
func (r *Register) oddities(t *testing.T) error {
	t.Helper()
	list, err := r.Components(t.Context(), ComponentFilter{}, Page{Limit: 1})
	if err != nil {
		return err
	}
	c := list[0]
	text := fmt.Sprintf("id,class,x,y,crs,radius_m,note,recorded,材质,颜色\n%s,%s,%.7f,%.7f,CGCS2000,0.25,\"a, \"\"b\"\"\nc\",2025-03-04T05:06:07.089Z,铸铁,\n", "X-odd-1", c.Class, c.Position.Lon, c.Position.Lat)
	text = strings.ReplaceAll(text, c.Class.String(), "citygrid-ext:component:water_meter")
	links := "meter,component,collector,line,from,to\nODD-1,X-odd-1,edge-9,L1,20240101,20250101\nODD-1,X-odd-1,edge-9,L2,20250101,\n"
	mustImport(t, r, []File{plain(write1(t, "components.csv", text)), plain(write1(t, "meter_links.csv", links))})
	return nil
}

func difference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for n := range min(len(g), len(w)) {
		if g[n] != w[n] {
			return fmt.Sprintf("got\n%.600s\nwant\n%.600s", g[n], w[n])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

// TestShapes encodes random shapes and reads them back, and damaged ones without harm.
func TestShapes(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 2))
	for range 500 {
		s := randomShape(chance)
		text := encodeShape(s)
		back, err := decodeShape(text)
		if err != nil || encodeShape(back) != text || !sameShape(back, s) {
			t.Fatalf("%v came back as %v, %v", s, back, err)
		}
		damaged := []byte(text)
		damaged[chance.IntN(len(damaged))] ^= byte(1 << chance.IntN(8))
		if _, err := decodeShape(string(damaged)); err != nil && !errors.Is(err, errShape) {
			t.Fatal(err)
		}
		if _, err := decodeShape(text[:chance.IntN(len(text)-1)+1]); err == nil {
			t.Fatal("a shape that was cut off was read")
		}
	}
}

func FuzzShape(f *testing.F) {
	f.Add([]byte("\x01\x01\x03\x00\x00\x02\x02\x04\x04"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := decodeShape(string(b))
		if err != nil || len(b) == 0 {
			return
		}
		again, err := decodeShape(encodeShape(s))
		if err != nil || encodeShape(again) != encodeShape(s) {
			t.Fatalf("%v: %v, %v", s, again, err)
		}
	})
}

// randomShape is a few triangles around random places.
func randomShape(chance *rand.Rand) (s registry.Shape) {
	for range 1 + chance.IntN(3) {
		x, y := snap(chance.Float64()*360-180), snap(chance.Float64()*180-90)
		ring := ringT{{x, y}}
		for range 2 + chance.IntN(20) {
			ring = append(ring, [2]float64{snap(x + chance.Float64()*0.01), snap(y + chance.Float64()*0.01)})
		}
		s = append(s, registry.Polygon{append(ring, ring[0])})
	}
	return s
}

// TestTiles wants every position in the box of its tile.
func TestTiles(t *testing.T) {
	for _, c := range []struct {
		v, want int64
	}{{0, 0}, {1, 0}, {99_999, 0}, {100_000, 1}, {-1, -1}, {-100_000, -1}, {-100_001, -2}, {1_205_853_000, 12058}} {
		if got := tileRow(c.v); got != c.want {
			t.Errorf("tileRow(%d) = %d, want %d", c.v, got, c.want)
		}
	}
}

// TestBox compares boxes with what all components say.
func TestBox(t *testing.T) {
	files, _ := city(t, small(), 0)
	engines(t, func(t *testing.T, dsn string) {
		r := mustOpen(t, dsn)
		mustImport(t, r, files)
		all, err := r.Components(t.Context(), ComponentFilter{}, Page{Limit: MaxPage})
		must(t, err)
		chance := rand.New(rand.NewPCG(3, 3))
		for range 50 {
			a, b := all[chance.IntN(len(all))].Position, all[chance.IntN(len(all))].Position
			if !a.Known() || !b.Known() {
				continue
			}
			box := Box{min(a.Lon, b.Lon), min(a.Lat, b.Lat), max(a.Lon, b.Lon), max(a.Lat, b.Lat)}
			var want, got []string
			for _, c := range all {
				if p := c.Position; p.Known() && p.Lon >= box.West && p.Lon <= box.East && p.Lat >= box.South && p.Lat <= box.North {
					want = append(want, string(c.ID))
				}
			}
			for page := (Page{Limit: 37}); ; {
				list, err := r.Components(t.Context(), ComponentFilter{Box: &box}, page)
				must(t, err)
				for _, c := range list {
					got = append(got, string(c.ID))
				}
				if len(list) < 37 {
					break
				}
				page.After = string(list[len(list)-1].ID)
			}
			if slices.Sort(want); !slices.Equal(sorted(got), want) {
				t.Fatalf("%+v: %d components, want %d", box, len(got), len(want))
			}
		}
	})
}

func sorted(list []string) []string { slices.Sort(list); return list }

// TestLists asks for components by what they are and where.
func TestLists(t *testing.T) {
	files, c := city(t, small(), 0)
	engines(t, func(t *testing.T, dsn string) {
		r, ctx := mustOpen(t, dsn), t.Context()
		mustImport(t, r, files)
		all, err := r.Components(ctx, ComponentFilter{}, Page{Limit: MaxPage})
		must(t, err)
		cell := all[len(all)/2].Cell
		for name, q := range map[string]struct {
			f    ComponentFilter
			want func(n int) bool
		}{
			"cell":        {ComponentFilter{Cell: cell}, func(n int) bool { return n > 0 && n < 100 }},
			"county":      {ComponentFilter{Area: cell.Community()[:6]}, func(n int) bool { return n > len(all)-50 }},
			"community":   {ComponentFilter{Area: cell.Community()}, func(n int) bool { return n > 0 && n < len(all) }},
			"no position": {ComponentFilter{NoPosition: true}, func(n int) bool { return n == c.Unplaced }},
			"ownerless":   {ComponentFilter{Ownerless: true}, func(n int) bool { return n == c.Ownerless }},
			"no cell":     {ComponentFilter{NoCell: true}, func(n int) bool { return n == 0 }},
		} {
			list, err := r.Components(ctx, q.f, Page{Limit: MaxPage})
			if err != nil || !q.want(len(list)) {
				t.Errorf("%s: %d components, %v", name, len(list), err)
			}
		}
		major, err := r.Components(ctx, ComponentFilter{Class: must1(t, "CJ/T 214-2007:component:01")}, Page{Limit: MaxPage})
		must(t, err)
		for _, c := range major {
			if !strings.HasPrefix(c.Class.Code, "01") {
				t.Errorf("%s of class %s among major class 01", c.ID, c.Class)
			}
		}
		if len(major) == 0 {
			t.Error("no components of major class 01")
		}
		if _, err := r.Component(ctx, "none"); !errors.Is(err, ErrUnknown) {
			t.Errorf("an unknown component: %v", err)
		}
		line(t, r)
	})
}

// line asks where the lines of collectors are.
func line(t *testing.T, r *Register) {
	t.Helper()
	links, err := r.Links(t.Context(), LinkFilter{}, Page{Limit: MaxPage})
	must(t, err)
	for _, l := range links {
		on, err := r.Links(t.Context(), LinkFilter{Collector: l.Collector, Line: l.Line}, Page{Limit: MaxPage})
		must(t, err)
		cells := map[string]bool{}
		for _, other := range on {
			p, err := r.OfComponent(t.Context(), other.Component)
			must(t, err)
			cells[string(p.Cell)] = true
		}
		p, err := r.OfLine(t.Context(), l.Collector, l.Line)
		must(t, err)
		if one := len(cells) == 1; one != (p.Cell != "") && !cells[""] {
			t.Errorf("line %s/%s in cells %v: %+v", l.Collector, l.Line, cells, p)
		}
	}
	if p, err := r.OfLine(t.Context(), "nobody", ""); err != nil || p.Cell != "" {
		t.Errorf("a line of nobody: %+v, %v", p, err)
	}
	gcj := schemas.Position{Lon: 120.6, Lat: 31.3, CRS: schemas.GCJ02}
	plain, err := Plain(gcj)
	if d := geo.Distance(gcj.Lon, gcj.Lat, plain.Lon, plain.Lat); err != nil || d < 400 || d > 530 || plain.CRS != schemas.CGCS2000 {
		t.Errorf("GCJ-02 came out %+v, %.0f m away, %v", plain, d, err) // 465 m at Suzhou
	}
	if _, err := r.At(t.Context(), schemas.Position{Lon: 1, Lat: 1, CRS: "BD-09"}); err == nil {
		t.Error("a position in BD-09 was taken")
	}
}
