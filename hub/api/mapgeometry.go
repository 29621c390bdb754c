package api

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"

	"citygrid/hub/registry"
)

// geometryScale is how many steps a degree has in GeometryJSON of the map: one is
// about a decimetre, less than a pixel at any scale of a city's map. Each corner is
// rounded by itself, so that a border that cells share stays one line.
const geometryScale = 1_000_000

// MapGeometryJSON is the cells and areas of one version of the register. Lists of cells
// are columns in one order, that of the codes, which is the order of values in
// map/values.
//
// A ring is a list of whole numbers x0, y0, dx1, dy1, dx2, dy2, ...: the first corner,
// then the step to each next one, in 1/scale degree; the way from the last corner to
// the first is not written. The first corner is a step too: from the first corner of
// the ring before it in the file, cells first and areas after; from 0, 0 for the very
// first.
type MapGeometryJSON struct {
	Version string   `json:"version"`
	CRS     string   `json:"crs" enum:"CGCS2000"`
	Scale   int      `json:"scale" doc:"Steps of a degree"`
	Codes   []string `json:"codes" nullable:"false" doc:"Of the cells, ascending"`
	Names   []string `json:"names" nullable:"false"`
	// Communities and Duties are indices into Areas and DutyCodes, -1 for none.
	Communities []int         `json:"communities" nullable:"false" doc:"Index into areas of each cell; -1 where the register does not have it"`
	Duties      []int         `json:"duties" nullable:"false" doc:"Index into duty_codes of each cell; -1 for none"`
	DutyCodes   []string      `json:"duty_codes" nullable:"false"`
	Outlines    [][][][]int   `json:"outlines" nullable:"false" doc:"Of each cell its polygons, of each its rings, the outer one first; how a ring is written the description of the operation says"`
	Areas       []MapAreaJSON `json:"areas" nullable:"false" doc:"In the order of their codes, so that an area comes before those within it"`
}

// MapAreaJSON is a county, street or community of the map.
type MapAreaJSON struct {
	Code    string    `json:"code" doc:"6 digits county, 9 street, 12 community: codes of what is within begin with it"`
	Name    string    `json:"name"`
	Cells   [2]int    `json:"cells" doc:"Its cells: from the first index until before the second"`
	Outline [][][]int `json:"outline,omitempty" doc:"As of a cell; absent where the register has none"`
}

// geometryWriter turns outlines into whole numbers.
type geometryWriter struct{ x, y int }

func steps(deg float64) int { return int(math.Round(deg * geometryScale)) }

// ring writes a closed ring; nil where nothing is left of it at this scale.
func (w *geometryWriter) ring(r registry.Ring) []int {
	var corners [][2]int
	for _, p := range r {
		c := [2]int{steps(p[0]), steps(p[1])}
		if len(corners) == 0 || corners[len(corners)-1] != c {
			corners = append(corners, c)
		}
	}
	if n := len(corners); n > 1 && corners[0] == corners[n-1] {
		corners = corners[:n-1]
	}
	if len(corners) < 3 {
		return nil
	}
	out := make([]int, 0, 2*len(corners))
	x, y := w.x, w.y
	for _, c := range corners {
		out = append(out, c[0]-x, c[1]-y)
		x, y = c[0], c[1]
	}
	w.x, w.y = corners[0][0], corners[0][1]
	return out
}

func (w *geometryWriter) shape(s registry.Shape) [][][]int {
	out := [][][]int{}
	for _, polygon := range s {
		var rings [][]int
		for n, r := range polygon {
			ring := w.ring(r)
			if ring == nil && n == 0 {
				break // without its outer ring there is no polygon
			}
			if ring != nil {
				rings = append(rings, ring)
			}
		}
		if rings != nil {
			out = append(out, rings)
		}
	}
	return out
}

// geometryOf turns a plan into what the page draws.
func geometryOf(p *Plan) *MapGeometryJSON {
	n := len(p.cells)
	g := &MapGeometryJSON{Version: p.version, CRS: "CGCS2000", Scale: geometryScale, Codes: make([]string, n), Names: make([]string, n),
		Communities: make([]int, n), Duties: make([]int, n), DutyCodes: []string{}, Outlines: make([][][][]int, n), Areas: make([]MapAreaJSON, len(p.areas))}
	areas, duties, w := map[string]int{}, map[string]int{"": -1}, &geometryWriter{}
	for i := range p.areas {
		areas[string(p.areas[i].Code)] = i
	}
	for i := range p.cells {
		c := &p.cells[i]
		g.Codes[i], g.Names[i], g.Outlines[i] = string(c.Code), c.Name, w.shape(c.Shape)
		var known bool
		if g.Communities[i], known = areas[string(c.Code.Community())]; !known {
			g.Communities[i] = -1
		}
		if g.Duties[i], known = duties[string(c.Duty)]; !known {
			g.Duties[i] = len(g.DutyCodes)
			duties[string(c.Duty)] = g.Duties[i]
			g.DutyCodes = append(g.DutyCodes, string(c.Duty))
		}
	}
	for i := range p.areas {
		a := &p.areas[i]
		from, to := p.town.Range(string(a.Code))
		g.Areas[i] = MapAreaJSON{Code: string(a.Code), Name: a.Name, Cells: [2]int{from, to}}
		if a.Shape != nil {
			g.Areas[i].Outline = w.shape(a.Shape)
		}
	}
	return g
}

func encodeGeometry(p *Plan) ([]byte, error) {
	text, err := json.Marshal(geometryOf(p))
	if err != nil {
		return nil, fmt.Errorf("outlines of the map: %w", err)
	}
	return compress(text, gzip.BestCompression)
}

// compress puts text into gzip.
func compress(text []byte, level int) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, level)
	if err == nil {
		_, err = z.Write(text)
	}
	if err == nil {
		err = z.Close()
	}
	return b.Bytes(), err
}
