package geo

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"citygrid/hub/registry"
	"citygrid/schemas/codes"
)

func mustCheck(t testing.TB, cells []registry.Cell, o TopologyOptions) []Finding {
	t.Helper()
	list, err := CheckTopology(context.Background(), cells, o)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// only keeps the findings of a kind.
func only(list []Finding, kinds ...FindingKind) (out []Finding) {
	for _, f := range list {
		if slices.Contains(kinds, f.Kind) {
			out = append(out, f)
		}
	}
	return out
}

// noise moves every corner of every cell by up to some metres, each cell its own.
func noise(rnd *rand.Rand, cells []registry.Cell, metres float64) {
	mx, my := degreeLengths(31.2)
	for i := range cells {
		r := slices.Clone(cells[i].Shape[0][0])
		for k := range len(r) - 1 {
			a, d := rnd.Float64()*2*math.Pi, rnd.Float64()*metres
			r[k] = [2]float64{r[k][0] + d*math.Cos(a)/mx, r[k][1] + d*math.Sin(a)/my}
		}
		r[len(r)-1] = r[0]
		cells[i].Shape = registry.Shape{{r}}
	}
}

func TestGoodCityHasNoFindings(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3, 4, 5} {
		rnd := rand.New(rand.NewPCG(seed, 1))
		cells := city(rnd, 30, 30, 0.6)
		if list := mustCheck(t, cells, TopologyOptions{}); len(list) > 0 {
			t.Errorf("seed %d: %d findings, first %+v", seed, len(list), list[0])
		}
		noise(rnd, cells, 0.02)
		if list := mustCheck(t, cells, TopologyOptions{}); len(list) > 0 {
			t.Errorf("seed %d with 2 cm of noise: %d findings, first %+v", seed, len(list), list[0])
		}
		noise(rnd, cells, 0.5)
		if list := only(mustCheck(t, cells, TopologyOptions{}), Overlap, Gap); len(list) < 100 {
			t.Errorf("seed %d with 0.5 m of noise: only %d overlaps and gaps", seed, len(list))
		}
	}
}

// A corner in the middle of a neighbour's edge is no crack.
func TestCornerOnAnEdge(t *testing.T) {
	cell := func(code string, r registry.Ring) registry.Cell {
		return registry.Cell{Code: codes.CellCode(code), Shape: registry.Shape{{r}}}
	}
	// The corner is 1 cm off the long edge.
	cells := []registry.Cell{
		cell("320508001001001", box(120.5, 31.2, 120.502, 31.201)),
		cell("320508001001002", ring(120.5, 31.201, 120.501, 31.20100009, 120.501, 31.202, 120.5, 31.202)),
		cell("320508001001003", ring(120.501, 31.20100009, 120.502, 31.201, 120.502, 31.202, 120.501, 31.202)),
	}
	if list := mustCheck(t, cells, TopologyOptions{}); len(list) > 0 {
		t.Errorf("%+v", list)
	}
	m := newMesh(120.5, 31.2, Tolerance)
	long := m.add(cells[0].Shape)
	m.add(cells[1].Shape)
	if m.split(long); len(long.chains[0]) != 6 {
		t.Errorf("the long edge has no vertex at the corner: %v", long.chains)
	}
}

// rotate turns a ring about the corner of the city, in metres.
func rotate(r registry.Ring, by float64) {
	mx, my := degreeLengths(31.2)
	s, c := math.Sincos(by)
	for i, p := range r {
		x, y := (p[0]-120.5)*mx, (p[1]-31.2)*my
		r[i] = [2]float64{120.5 + (x*c-y*s)/mx, 31.2 + (x*s+y*c)/my}
	}
}

func TestTopologyFindings(t *testing.T) {
	mx, my := degreeLengths(31.2)
	fresh := func() []registry.Cell { return city(rand.New(rand.NewPCG(7, 7)), 12, 12, 0) }
	cell := Area(fresh()[0].Shape)
	t.Run("overlap", func(t *testing.T) {
		cells := fresh()
		r := cells[13].Shape[0][0]
		r[1][0] += 5 / mx // 5 m into the neighbour, both corners
		r[2][0] += 5 / mx
		list := mustCheck(t, cells, TopologyOptions{})
		got := only(list, Overlap)
		if len(list) != len(got) || len(got) < 1 {
			t.Fatalf("%+v", list)
		}
		var sum float64
		for _, f := range got {
			sum += f.Area
		}
		if want := 5 * 0.001 * my; math.Abs(sum-want) > 0.02*want {
			t.Errorf("overlaps of %v m², want %v", sum, want)
		}
		if f := got[0]; f.Warning || !strings.Contains(f.Text, "overlap by") || math.Abs(f.Lon-r[1][0]) > 0.001 || math.Abs(f.Lat-r[1][1]) > 0.002 {
			t.Errorf("%+v", f)
		}
	})
	t.Run("small corner", func(t *testing.T) {
		cells := fresh()
		r := cells[13].Shape[0][0]
		r[2] = [2]float64{r[2][0] + 1/mx, r[2][1] + 1/my}
		if got := only(mustCheck(t, cells, TopologyOptions{}), Overlap); len(got) != 3 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("gap", func(t *testing.T) {
		cells := fresh()
		gone := cells[13]
		cells = slices.Delete(cells, 13, 14)
		list := mustCheck(t, cells, TopologyOptions{})
		if len(list) != 1 || list[0].Kind != Gap || math.Abs(list[0].Area-cell) > 1e-3*cell || list[0].Community != gone.Code.Community() || len(list[0].Cells) != 4 || list[0].Warning {
			t.Fatalf("%+v", list)
		}
		if list := mustCheck(t, cells, TopologyOptions{GapsAllowed: true}); len(list) != 1 || !list[0].Warning {
			t.Errorf("%+v", list)
		}
	})
	t.Run("gaps that touch", func(t *testing.T) {
		for n, holes := range [][]int{{13, 26}, {14, 25}, {14, 25, 27, 38}, {13, 15, 26, 37, 39}, {13, 26}, {14, 25}, {13, 26}, {14, 25}, {13, 26}, {14, 25}} {
			var cells []registry.Cell
			for i, cell := range fresh() {
				if !slices.Contains(holes, i) {
					rotate(cell.Shape[0][0], float64(n/2)*1.4)
					cells = append(cells, cell)
				}
			}
			list := mustCheck(t, cells, TopologyOptions{})
			for _, f := range list {
				if f.Kind != Gap || math.Abs(f.Area-cell) > 1e-3*cell {
					t.Errorf("%v: %+v", holes, f)
				}
			}
			if len(list) != len(holes) {
				t.Errorf("%v: %d gaps", holes, len(list))
			}
		}
	})
	t.Run("gap open to the outside", func(t *testing.T) {
		cells := slices.Delete(fresh(), 5, 6)
		if list := mustCheck(t, cells, TopologyOptions{}); len(list) != 0 {
			t.Errorf("%+v", list)
		}
	})
	t.Run("duplicate, bad and strips", func(t *testing.T) {
		cells := fresh()
		cells[20].Code = cells[21].Code
		cells[0].Shape = registry.Shape{{ring(0, 0, 2, 2, 2, 0, 0, 2)}}
		list := mustCheck(t, cells, TopologyOptions{Smallest: 2 * cell})
		if got := only(list, Duplicate); len(got) != 1 {
			t.Errorf("%+v", got)
		}
		if got := only(list, BadShape); len(got) != 1 || !strings.Contains(got[0].Text, "itself") {
			t.Errorf("%+v", got)
		}
		if got := only(list, Size); len(got) != 142 || !got[0].Warning {
			t.Errorf("%d sizes", len(got))
		}
		strip := []registry.Cell{{Code: "320508001001001", Shape: registry.Shape{{box(120.5, 31.2, 120.51, 31.2+1/my)}}}}
		if got := mustCheck(t, strip, TopologyOptions{}); len(got) != 1 || got[0].Kind != Sliver {
			t.Errorf("%+v", got)
		}
	})
	t.Run("island", func(t *testing.T) {
		cells := fresh()
		cells[40].Code = "320508001002099"
		got := mustCheck(t, cells, TopologyOptions{})
		if len(got) != 1 || got[0].Kind != Island || !got[0].Warning {
			t.Errorf("%+v", got)
		}
	})
}

func TestTopologyAgainstCommunities(t *testing.T) {
	cells := city(rand.New(rand.NewPCG(7, 7)), 12, 10, 0)
	mx, _ := degreeLengths(31.2)
	areas := []registry.Area{
		{Code: "320508001001", Shape: registry.Shape{{box(120.5, 31.2, 120.51, 31.21)}}},
		{Code: "320508001002", Shape: registry.Shape{{box(120.51, 31.2, 120.512, 31.21)}}},
	}
	o := TopologyOptions{Communities: areas}
	if list := mustCheck(t, cells, o); len(list) > 0 {
		t.Fatalf("a good city: %+v", list)
	}
	shift := slices.Clone(areas)
	shift[0].Shape = registry.Shape{{box(120.5, 31.2, 120.51-5/mx, 31.21)}}
	if got := mustCheck(t, cells, TopologyOptions{Communities: shift}); len(got) != 10 || got[0].Kind != Outside || math.Abs(got[0].Area-5*110.9) > 5 {
		t.Errorf("outline 5 m too small: %+v", got)
	}
	shift[0].Shape = registry.Shape{{box(120.5-5/mx, 31.2, 120.51, 31.21)}}
	if got := mustCheck(t, cells, TopologyOptions{Communities: shift}); len(got) != 1 || got[0].Kind != Gap || math.Abs(got[0].Area-5*1109) > 20 {
		t.Errorf("outline 5 m too large: %+v", got)
	}
	wrong := slices.Clone(cells)
	wrong[55].Code = "320508001002088"
	wrong[56].Code = "320508009009001"
	got := only(mustCheck(t, wrong, o), Prefix)
	if len(got) != 2 || !strings.Contains(got[0].Text, "but lies in 320508001001") || !strings.Contains(got[1].Text, "not in the list") {
		t.Errorf("%+v", got)
	}
	known := []registry.Area{{Code: "320508001001"}, {Code: "320508001002"}}
	if list := mustCheck(t, cells, TopologyOptions{Communities: known}); len(list) > 0 {
		t.Errorf("communities without outlines: %+v", list)
	}
	gap := slices.Delete(slices.Clone(cells), 13, 14)
	if list := mustCheck(t, gap, o); len(list) != 1 || list[0].Kind != Gap {
		t.Errorf("a gap is said once: %+v", list)
	}
}

// The order of the file does not matter.
func TestTopologyIsStable(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 9))
	cells := city(rnd, 15, 15, 0.5)
	noise(rnd, cells, 0.2)
	want := mustCheck(t, cells, TopologyOptions{})
	rnd.Shuffle(len(cells), func(i, j int) { cells[i], cells[j] = cells[j], cells[i] })
	got := mustCheck(t, cells, TopologyOptions{})
	if len(want) == 0 || len(got) != len(want) {
		t.Fatalf("%d findings, then %d", len(want), len(got))
	}
	for i := range want {
		if got[i].Kind != want[i].Kind || !slices.Equal(got[i].Cells, want[i].Cells) {
			t.Fatalf("%d: %+v, then %+v", i, want[i], got[i])
		}
	}
}

func TestTopologyStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := CheckTopology(ctx, city(rand.New(rand.NewPCG(9, 9)), 5, 5, 0), TopologyOptions{}); err == nil {
		t.Error("a cancelled check came to an end")
	}
}

func FuzzTopology(f *testing.F) {
	f.Add([]byte{1, 0, 0, 9, 0, 9, 9, 0, 9, 2, 9, 0, 18, 0, 18, 9, 9, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		var cells []registry.Cell
		for i := 0; i+9 <= len(b) && i < 90; i += 9 {
			var r registry.Ring
			for k := 1; k < 9; k += 2 {
				r = append(r, [2]float64{120 + float64(b[i+k])/1e5, 31 + float64(b[i+k+1])/1e5})
			}
			cells = append(cells, registry.Cell{Code: codes.CellCode([]byte{'3', b[i]%2 + '0'}), Shape: registry.Shape{{append(r, r[0])}}})
			cells[len(cells)-1].Code += codes.CellCode(strings.Repeat("1", 10+i/9))
		}
		list, err := CheckTopology(t.Context(), cells, TopologyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list {
			if p.Text == "" || math.IsNaN(p.Area+p.Lon+p.Lat) {
				t.Errorf("%+v", p)
			}
		}
	})
}

func BenchmarkTopology(b *testing.B) {
	cells := city(rand.New(rand.NewPCG(5, 6)), 200, 100, 0.6)
	for b.Loop() {
		if list := mustCheck(b, cells, TopologyOptions{}); len(list) > 0 {
			b.Fatal(list[0])
		}
	}
}

// TestStackedCells gives one polygon many codes: the answer grows with their number,
// not with its square.
func TestStackedCells(t *testing.T) {
	shape := registry.Shape{{{{120, 31}, {120.001, 31}, {120.001, 31.001}, {120, 31.001}, {120, 31}}}}
	var cells []registry.Cell
	for i := range 500 {
		cells = append(cells, registry.Cell{Code: codes.CellCode(fmt.Sprintf("320508001001%03d", i+1)), Shape: shape})
	}
	found, err := CheckTopology(t.Context(), cells, Defaults())
	if err != nil {
		t.Fatal(err)
	}
	named := map[codes.CellCode]bool{}
	for _, f := range found {
		for _, c := range f.Cells {
			named[c] = true
		}
	}
	if len(found) > len(cells)*maxOverlaps || len(named) != len(cells) {
		t.Errorf("%d findings about %d of %d cells", len(found), len(named), len(cells))
	}
}

// TestEveryFindingHasARemedy holds the sentences against what is made of them: the
// rule before the last semicolon, the remedy after it.
func TestEveryFindingHasARemedy(t *testing.T) {
	square := func(lon float64) registry.Shape {
		return registry.Shape{{{{lon, 31}, {lon + 0.001, 31}, {lon + 0.001, 31.001}, {lon, 31.001}, {lon, 31}}}}
	}
	bow := registry.Shape{{{{120, 31}, {120.001, 31.001}, {120.001, 31}, {120, 31.001}, {120, 31}}}}
	cells := []registry.Cell{{Code: "320508001001001", Shape: square(120)}, {Code: "320508001001001", Shape: square(120.5)},
		{Code: "320508001001002", Shape: square(120.0005)}, {Code: "320508001001003", Shape: bow}, {Code: "320508009009001", Shape: square(120.7)}}
	o := Defaults()
	o.Communities = []registry.Area{{Code: "320508001001", Shape: square(120.0015)}, {Code: "320508001002", Shape: bow}}
	found, err := CheckTopology(t.Context(), cells, o)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[FindingKind]bool{}
	for _, f := range found {
		kinds[f.Kind] = true
		if !strings.Contains(f.Text, "; ") {
			t.Errorf("no remedy: %s", f.Text)
		}
	}
	if len(kinds) < 5 {
		t.Errorf("only %v", kinds)
	}
}
