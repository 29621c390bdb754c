package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"citygrid/schemas"
)

// MapHeadJSON says where the outlines are, and what to begin with.
type MapHeadJSON struct {
	Version  string         `json:"version" doc:"Of the outlines; changes with the register"`
	Geometry string         `json:"geometry" doc:"Address of the outlines; the answer never changes"`
	Cells    int            `json:"cells"`
	CRS      string         `json:"crs" enum:"CGCS2000"`
	Centre   *[2]float64    `json:"centre" doc:"Longitude and latitude in degrees; null where there is nothing to show"`
	Bounds   *[4]float64    `json:"bounds" doc:"West, south, east, north in degrees"`
	Layers   []MapLayerJSON `json:"layers" nullable:"false" doc:"Pictures to lay under the map, as configured"`
	HideTo   int            `json:"hidden_below" doc:"Sums of fewer meters are not shown to viewers"`
	Zone     string         `json:"zone" doc:"Of the city's day" example:"Asia/Shanghai"`
}

// MapLayerJSON is a layer of pictures that the city's configuration names.
type MapLayerJSON struct {
	Name        string            `json:"name"`
	Kind        string            `json:"kind" enum:"xyz,wmts,wms"`
	URL         string            `json:"url" doc:"xyz: with {z}, {x} and {y}; wmts and wms: the service"`
	CRS         string            `json:"crs" enum:"EPSG:3857,EPSG:4490,EPSG:4326,GCJ-02" doc:"What the pictures are drawn in; GCJ-02: tiles of EPSG:3857 with shifted content"`
	Attribution string            `json:"attribution"`
	Layer       string            `json:"layer,omitempty" doc:"wmts and wms: the layer of the service"`
	MatrixSet   string            `json:"matrix_set,omitempty" doc:"wmts"`
	Style       string            `json:"style,omitempty" doc:"wmts and wms"`
	Format      string            `json:"format,omitempty" doc:"wmts and wms" example:"image/png"`
	MinZoom     int               `json:"min_zoom"`
	MaxZoom     int               `json:"max_zoom"`
	Parameters  map[string]string `json:"parameters,omitempty" doc:"More parameters of each request"`
}

type mapHeadOutput struct{ Body MapHeadJSON }

func (c *cityRoutes) getMap(context.Context, *struct{}) (*mapHeadOutput, error) {
	p, err := c.plan()
	if err != nil {
		return nil, err
	}
	head := MapHeadJSON{Version: p.version, Geometry: "/api/v1/map/geometry/" + p.version, Cells: len(p.cells), CRS: string(schemas.CGCS2000),
		Layers: c.o.Layers, HideTo: hiddenBelow, Zone: c.o.Zone.String()}
	if head.Layers == nil {
		head.Layers = []MapLayerJSON{}
	}
	if b := p.bounds; b != ([4]float64{}) {
		head.Bounds, head.Centre = &b, &[2]float64{(b[0] + b[2]) / 2, (b[1] + b[3]) / 2}
	}
	return &mapHeadOutput{head}, nil
}

type geometryInput struct {
	Version string `path:"version" pattern:"^[0-9A-Za-z._-]{1,64}$" doc:"version of /api/v1/map"`
	Accept  string `header:"Accept-Encoding"`
}

func (c *cityRoutes) getGeometry(_ context.Context, in *geometryInput) (*rawOutput, error) {
	p, err := c.plan()
	if err != nil {
		return nil, err
	}
	if in.Version != p.version {
		return nil, problem(http.StatusNotFound, codeMapVersion, fmt.Sprintf("The register is at version %s now. Ask /api/v1/map again.", p.version))
	}
	out := &rawOutput{ContentType: "application/json", Encoding: "gzip", Vary: "Accept-Encoding", CacheControl: "private, max-age=31536000, immutable", Body: p.geometry}
	if !acceptsGzip(in.Accept) {
		out.Encoding = ""
		out.Body, err = expand(p.geometry)
	}
	return out, err
}

func expand(text []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

// sights keeps the last look over the live table by cell.
type sights struct {
	mu   sync.Mutex
	last *sight
}

// sight returns what the live table shows of each cell, at most a second old. Nobody
// may change it.
func (c *cityRoutes) sight(p *Plan) *sight {
	c.meters.mu.Lock()
	defer c.meters.mu.Unlock()
	now := c.live.now()
	if s := c.meters.last; s != nil && s.town == p.town && now.Sub(s.at) < sampleAge && !now.Before(s.at) {
		return s
	}
	c.meters.last = c.live.sight(p.town, now)
	return c.meters.last
}

// pictured lets pages show the pictures of the city's layers, and nothing else from
// elsewhere.
func (c *City) pictured(pages http.Handler) http.Handler {
	var origins []string
	for n := 0; c != nil && n < len(c.Layers); n++ {
		u, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(c.Layers[n].URL))
		if err != nil || u.Host == "" {
			continue // of this hub itself
		}
		if origin := u.Scheme + "://" + u.Host; !slices.Contains(origins, origin) {
			origins = append(origins, origin)
		}
	}
	if len(origins) == 0 {
		return pages
	}
	policy := strings.Replace(contentPolicy, "img-src 'self'", "img-src 'self' "+strings.Join(origins, " "), 1)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		pages.ServeHTTP(w, r)
	})
}
