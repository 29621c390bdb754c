package geo

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"

	"citygrid/hub/registry"
	"citygrid/schemas/codes"
)

// ring makes a closed ring of pairs.
func ring(v ...float64) registry.Ring {
	var r registry.Ring
	for i := 0; i < len(v); i += 2 {
		r = append(r, [2]float64{v[i], v[i+1]})
	}
	return append(r, r[0])
}

func box(x0, y0, x1, y1 float64) registry.Ring { return ring(x0, y0, x1, y0, x1, y1, x0, y1) }

func TestNormalise(t *testing.T) {
	open := registry.Ring{{0, 0}, {1, 0}, {1, 1}}
	for name, c := range map[string]struct {
		shape registry.Shape
		want  string
	}{
		"box":               {registry.Shape{{box(0, 0, 1, 1)}}, ""},
		"clockwise":         {registry.Shape{{ring(0, 0, 0, 1, 1, 1, 1, 0)}}, ""},
		"hole":              {registry.Shape{{box(0, 0, 4, 4), box(1, 1, 2, 2)}}, ""},
		"hole touches":      {registry.Shape{{box(0, 0, 4, 4), ring(0, 0, 2, 1, 1, 2)}}, ""},
		"island in hole":    {registry.Shape{{box(0, 0, 9, 9), box(1, 1, 8, 8)}, {box(2, 2, 3, 3)}}, ""},
		"point twice":       {registry.Shape{{registry.Ring{{0, 0}, {1, 0}, {1, 0}, {1, 1}, {0, 0}}}}, ""},
		"point on a line":   {registry.Shape{{ring(0, 0, 1, 0, 2, 0, 2, 2)}}, ""},
		"two apart":         {registry.Shape{{box(0, 0, 1, 1)}, {box(2, 0, 3, 1)}}, ""},
		"two at a corner":   {registry.Shape{{box(0, 0, 1, 1)}, {box(1, 1, 2, 2)}}, ""},
		"none":              {nil, "no polygon"},
		"no ring":           {registry.Shape{{}}, "no ring"},
		"open":              {registry.Shape{{open}}, "not closed"},
		"a line":            {registry.Shape{{ring(0, 0, 1, 1)}}, "at least 4"},
		"empty ring":        {registry.Shape{{nil}}, "at least 4"},
		"bow tie":           {registry.Shape{{ring(0, 0, 2, 2, 2, 0, 0, 2)}}, "crosses or touches itself"},
		"figure of eight":   {registry.Shape{{ring(0, 0, 1, 1, 2, 0, 2, 2, 1, 1, 0, 2)}}, "touches itself"},
		"spike":             {registry.Shape{{ring(0, 0, 2, 0, 4, 0, 2, 0, 2, 2)}}, "itself"},
		"flat":              {registry.Shape{{ring(0, 0, 1, 0, 2, 0)}}, "itself"},
		"not a number":      {registry.Shape{{ring(0, 0, 1, 0, math.NaN(), 1)}}, "not a number"},
		"hole crosses":      {registry.Shape{{box(0, 0, 4, 4), box(3, 1, 5, 2)}}, "hole 1 crosses ring"},
		"hole outside":      {registry.Shape{{box(0, 0, 4, 4), box(5, 5, 6, 6)}}, "hole 1 is outside"},
		"hole in hole":      {registry.Shape{{box(0, 0, 9, 9), box(1, 1, 8, 8), box(2, 2, 3, 3)}}, "hole 2 is inside hole 1"},
		"polygons overlap":  {registry.Shape{{box(0, 0, 2, 2)}, {box(1, 1, 3, 3)}}, "crosses"},
		"polygon in other":  {registry.Shape{{box(0, 0, 9, 9)}, {box(1, 1, 2, 2)}}, "polygon 2 is inside polygon 1"},
		"polygon twice":     {registry.Shape{{box(0, 0, 9, 9)}, {box(0, 0, 9, 9)}}, "crosses"},
		"polygons in a row": {registry.Shape{{box(0, 0, 1, 1)}, {box(1, 0, 2, 1)}}, "crosses"},
	} {
		s, err := Normalise(c.shape)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		for _, polygon := range s {
			for n, r := range polygon {
				if err == nil && (signedArea(r) > 0) != (n == 0) {
					t.Errorf("%s: ring %d runs the wrong way", name, n)
				}
			}
		}
	}
}

func TestOrientIsExact(t *testing.T) {
	// Points that differ in the last bit around a line of slope 1, where the plain
	// formula is wrong [Kettner et al., Classroom examples of robustness problems].
	a, b := [2]float64{12, 12}, [2]float64{24, 24}
	for i := range 64 {
		for j := range 64 {
			p := [2]float64{0.5 + float64(i)*0x1p-53, 0.5 + float64(j)*0x1p-53}
			if got, want := sign(orient(a, b, p)), sign(float64(j-i)); got != want {
				t.Fatalf("%d, %d: %d, want %d", i, j, got, want)
			}
			if sign(orient(a, b, p)) != -sign(orient(b, a, p)) {
				t.Fatalf("%d, %d: not the same from the other end", i, j)
			}
		}
	}
}

// city makes nx by ny cells of about 100 m around Suzhou with corners that are
// moved by chance; corners stay shared.
func city(rnd *rand.Rand, nx, ny int, wobble float64) []registry.Cell {
	const step = 0.001
	corner := make(map[[2]int][2]float64)
	for i := 0; i <= nx; i++ {
		for j := 0; j <= ny; j++ {
			corner[[2]int{i, j}] = [2]float64{120.5 + step*(float64(i)+wobble*(rnd.Float64()-0.5)), 31.2 + step*(float64(j)+wobble*(rnd.Float64()-0.5))}
		}
	}
	var cells []registry.Cell
	for j := range ny {
		for i := range nx {
			r := registry.Ring{corner[[2]int{i, j}], corner[[2]int{i + 1, j}], corner[[2]int{i + 1, j + 1}], corner[[2]int{i, j + 1}], corner[[2]int{i, j}]}
			n := i/10 + j/10*((nx+9)/10)
			code := fmt.Sprintf("320508%03d%03d%03d", 1+n/999, 1+n%999, 1+i%10+j%10*10)
			cells = append(cells, registry.Cell{Code: codes.CellCode(code), Shape: registry.Shape{{r}}})
		}
	}
	return cells
}

// oracle is what orb, which nobody here wrote, says: all cells of the point.
func oracle(cells []registry.Cell, lon, lat float64) (best codes.CellCode, found bool) {
	for _, c := range cells {
		var m orb.MultiPolygon
		for _, polygon := range c.Shape {
			var p orb.Polygon
			for _, r := range polygon {
				var o orb.Ring
				for _, q := range r {
					o = append(o, q)
				}
				p = append(p, o)
			}
			m = append(m, p)
		}
		if planar.MultiPolygonContains(m, orb.Point{lon, lat}) && (!found || c.Code < best) {
			best, found = c.Code, true
		}
	}
	return best, found
}

func TestLocateAgainstBruteForce(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	cells := city(rnd, 25, 20, 0.6)
	// A lake with an island, and a cell of two parts.
	cells[30].Shape[0] = append(cells[30].Shape[0], shrink(cells[30].Shape[0][0], 0.4))
	cells[31].Shape = append(cells[31].Shape, registry.Polygon{shrink(cells[30].Shape[0][0], 0.2)})
	x, err := Cells(cells)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 20_000 {
		lon, lat := 120.499+rnd.Float64()*0.028, 31.199+rnd.Float64()*0.023
		if n%4 == 0 { // a corner, exactly
			r := cells[rnd.IntN(len(cells))].Shape[0][0]
			p := r[rnd.IntN(len(r))]
			lon, lat = p[0], p[1]
		}
		want, found := oracle(cells, lon, lat)
		got, ok := x.Locate(lon, lat)
		if found && (got != want || !ok) {
			t.Fatalf("%v, %v: %s %v, want %s", lon, lat, got, ok, want)
		}
		if !found && ok {
			if d := distanceTo(cells, got, lon, lat); d > Tolerance {
				t.Fatalf("%v, %v: %s, but that is %v m away", lon, lat, got, d)
			}
		}
	}
}

func distanceTo(cells []registry.Cell, code codes.CellCode, lon, lat float64) float64 {
	mx, my := degreeLengths(lat)
	for _, c := range cells {
		if c.Code == code {
			return distanceToEdge(c.Shape, lon, lat, mx, my)
		}
	}
	return math.Inf(1)
}

// shrink scales a ring about its middle.
func shrink(r registry.Ring, by float64) registry.Ring {
	var mid [2]float64
	for _, p := range r[1:] {
		mid[0] += p[0] / float64(len(r)-1)
		mid[1] += p[1] / float64(len(r)-1)
	}
	var out registry.Ring
	for _, p := range r {
		out = append(out, [2]float64{mid[0] + by*(p[0]-mid[0]), mid[1] + by*(p[1]-mid[1])})
	}
	out[len(out)-1] = out[0]
	return out
}

// Every point of a tiled city is in exactly one cell, edges and corners included.
func TestEdgesBelongToOne(t *testing.T) {
	cells := city(rand.New(rand.NewPCG(3, 4)), 10, 10, 0)
	x, err := Cells(cells)
	if err != nil {
		t.Fatal(err)
	}
	corner := cells[11].Shape[0][0][0] // of cells 0, 1, 10 and 11
	if got, ok := x.Locate(corner[0], corner[1]); !ok || got != cells[0].Code {
		t.Errorf("corner of four cells: %s, want the lowest code %s", got, cells[0].Code)
	}
	a, b := cells[0].Shape[0][0][1], cells[0].Shape[0][0][2]
	if got, _ := x.Locate(a[0], (a[1]+b[1])/2); got != cells[0].Code {
		t.Errorf("edge of two cells: %s, want %s", got, cells[0].Code)
	}
	west := cells[0].Shape[0][0][0]
	if got, ok := x.Locate(west[0]-0.04/95000, west[1]+0.0005); !ok || got != cells[0].Code {
		t.Errorf("4 cm outside: %s %v, want %s", got, ok, cells[0].Code)
	}
	if got, ok := x.Locate(west[0]-0.1/95000, west[1]+0.0005); ok {
		t.Errorf("10 cm outside: %s, want none", got)
	}
	for _, p := range [][2]float64{{0, 0}, {math.NaN(), 31}, {120, math.Inf(1)}, {120, 90}} {
		if got, ok := x.Locate(p[0], p[1]); ok {
			t.Errorf("%v: %s, want none", p, got)
		}
	}
	if _, err := Cells(append(cells, cells[0])); err == nil {
		t.Error("a code twice: want an error")
	}
}

func FuzzNormalise(f *testing.F) {
	f.Add([]byte{0, 0, 9, 0, 9, 9, 0, 9})
	f.Add([]byte{0, 0, 2, 2, 2, 0, 0, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		var r registry.Ring
		for i := 0; i+1 < len(b) && i < 200; i += 2 {
			r = append(r, [2]float64{float64(b[i]), float64(b[i+1]) / 4})
		}
		if len(r) > 0 {
			r = append(r, r[0])
		}
		s, err := Normalise(registry.Shape{{r}})
		if err != nil {
			return
		}
		if again, err := Normalise(s); err != nil || Area(again) != Area(s) || !(Area(s) > 0) {
			t.Errorf("%v: %v, area %v, again %v", r, err, Area(s), Area(again))
		}
	})
}

func BenchmarkLocate(b *testing.B) {
	rnd := rand.New(rand.NewPCG(5, 6))
	x, err := Cells(city(rnd, 200, 100, 0.6))
	if err != nil {
		b.Fatal(err)
	}
	points := make([][2]float64, 4096)
	for i := range points {
		points[i] = [2]float64{120.5 + rnd.Float64()*0.2, 31.2 + rnd.Float64()*0.1}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p := points[i%len(points)]
		x.Locate(p[0], p[1])
	}
}

// TestNoNumber asks for places that are none: the answer is nowhere, and no panic.
func TestNoNumber(t *testing.T) {
	square := registry.Shape{{{{120, 31}, {120.01, 31.001}, {120.011, 31.01}, {120, 31.01}, {120, 31}}}}
	x, err := Cells([]registry.Cell{{Code: "320508001001001", Shape: square}})
	if err != nil {
		t.Fatal(err)
	}
	odd := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e308, 31.001, 120.005}
	for _, lon := range odd {
		for _, lat := range odd {
			if Contains(square, lon, lat) != (lon == 120.005 && lat == 31.001) {
				t.Errorf("%v, %v is inside", lon, lat)
			}
			if code, ok := x.Locate(lon, lat); ok != (lon == 120.005 && lat == 31.001) {
				t.Errorf("%v, %v is in %s", lon, lat, code)
			}
		}
	}
}

// TestTooManyRings bounds what is quadratic in the number of rings.
func TestTooManyRings(t *testing.T) {
	var s registry.Shape
	for i := range maxRings + 1 {
		x := 120 + float64(i)*1e-4
		s = append(s, registry.Polygon{{{x, 31}, {x + 5e-5, 31}, {x, 31.0001}, {x, 31}}})
	}
	if _, err := Normalise(s); err == nil || !strings.Contains(err.Error(), "more than 10000 rings") {
		t.Error(err)
	}
	if _, err := Normalise(s[:maxRings/10]); err != nil {
		t.Error(err)
	}
}
