package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"citygrid/hub/registry"
	"citygrid/hub/registry/assets"
	"citygrid/hub/registry/geo"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// GeometryJSON is an outline as GeoJSON [RFC 7946], in degrees of CGCS2000.
type GeometryJSON struct {
	Type        string           `json:"type" enum:"MultiPolygon"`
	Coordinates [][][][2]float64 `json:"coordinates" nullable:"false" doc:"Longitude and latitude; the first point of a ring is the last"`
}

func geometryJSON(s registry.Shape) *GeometryJSON {
	if s == nil {
		return nil
	}
	out := &GeometryJSON{Type: "MultiPolygon"}
	for _, polygon := range s {
		var rings [][][2]float64
		for _, ring := range polygon {
			rings = append(rings, ring)
		}
		out.Coordinates = append(out.Coordinates, rings)
	}
	return out
}

// AreaJSON is a division of the city.
type AreaJSON struct {
	Code     string        `json:"code" doc:"6 digits county, 9 street, 12 community"`
	Name     string        `json:"name"`
	Kind     string        `json:"kind" doc:"The city's rank of the area for time limits; empty takes that of the area above"`
	Valid    SpanJSON      `json:"valid"`
	Geometry *GeometryJSON `json:"geometry,omitempty" doc:"Of a single area, where its outline is known"`
}

func areaJSON(a *registry.Area) AreaJSON {
	return AreaJSON{Code: string(a.Code), Name: a.Name, Kind: a.Kind, Valid: spanJSON(a.Span)}
}

// CellJSON is a unit cell.
type CellJSON struct {
	Code      string        `json:"code" doc:"14 or 15 characters, always a string"`
	Name      string        `json:"name"`
	Community string        `json:"community"`
	Area      int64         `json:"area" doc:"m2 on the ellipsoid"`
	Duty      string        `json:"duty" doc:"Duty grid"`
	Valid     SpanJSON      `json:"valid"`
	Geometry  *GeometryJSON `json:"geometry,omitempty" doc:"Of a single cell"`
}

func cellJSON(c *registry.Cell) CellJSON {
	return CellJSON{Code: string(c.Code), Name: c.Name, Community: string(c.Code.Community()), Area: c.Area, Duty: string(c.Duty), Valid: spanJSON(c.Span)}
}

type (
	areasInput struct {
		Keyset
		Within string `query:"within" pattern:"^[0-9]{0,12}$" doc:"Only this area and those below it"`
		Ended  bool   `query:"ended" doc:"Those that are not valid now, too"`
	}
	areasOutput struct{ Body AssetPage[AreaJSON] }
	areaInput   struct {
		Code string `path:"code" pattern:"^[0-9]{6,12}$"`
	}
	areaOutput struct{ Body AreaJSON }
	cellsInput struct {
		Keyset
		Area  string `query:"area" pattern:"^[0-9]{0,12}$" doc:"Only in the county, street or community with this code"`
		Duty  string `query:"duty" pattern:"^[0-9A-Za-z_-]{0,32}$" doc:"Only of this duty grid"`
		Ended bool   `query:"ended" doc:"Those that are not valid now, too"`
	}
	cellsOutput struct{ Body AssetPage[CellJSON] }
	cellInput   struct {
		Code string `path:"code" pattern:"^[0-9A-Z]{14,15}$"`
	}
	cellOutput struct{ Body CellJSON }
	mapInput   struct {
		Area        string `query:"area" pattern:"^[0-9]{0,12}$" doc:"Only in the county, street or community with this code"`
		IfNoneMatch string `header:"If-None-Match"`
	}
	mapOutput struct {
		Status       int
		ETag         string `header:"ETag"`
		CacheControl string `header:"Cache-Control"`
		ContentType  string `header:"Content-Type"`
		Body         *FeaturesJSON
	}
)

// FeaturesJSON is a GeoJSON FeatureCollection [RFC 7946].
type FeaturesJSON struct {
	Type     string        `json:"type" enum:"FeatureCollection"`
	Features []FeatureJSON `json:"features" nullable:"false"`
}

// FeatureJSON is a cell of a FeatureCollection.
type FeatureJSON struct {
	Type       string        `json:"type" enum:"Feature"`
	ID         string        `json:"id"`
	Properties CellJSON      `json:"properties"`
	Geometry   *GeometryJSON `json:"geometry"`
}

func (g *registryRoutes) listAreas(ctx context.Context, in *areasInput) (*areasOutput, error) {
	list, err := g.o.Register.Areas(ctx, assets.AreaFilter{Within: codes.AreaCode(in.Within), Ended: in.Ended}, in.page())
	if err != nil {
		return nil, g.problemOf(ctx, "list areas", err)
	}
	return &areasOutput{assetPage(list, in.Limit, areaJSON, func(a *registry.Area) string { return string(a.Code) })}, nil
}

func (g *registryRoutes) getArea(ctx context.Context, in *areaInput) (*areaOutput, error) {
	a, err := g.o.Register.Area(ctx, codes.AreaCode(in.Code))
	if err != nil {
		return nil, g.problemOf(ctx, "get area", err)
	}
	out := &areaOutput{areaJSON(&a)}
	out.Body.Geometry = geometryJSON(a.Shape)
	return out, nil
}

func (g *registryRoutes) listCells(ctx context.Context, in *cellsInput) (*cellsOutput, error) {
	list, err := g.o.Register.Cells(ctx, assets.CellFilter{Area: codes.AreaCode(in.Area), Duty: codes.DutyCode(in.Duty), Ended: in.Ended}, in.page())
	if err != nil {
		return nil, g.problemOf(ctx, "list cells", err)
	}
	return &cellsOutput{assetPage(list, in.Limit, cellJSON, func(c *registry.Cell) string { return string(c.Code) })}, nil
}

func (g *registryRoutes) getCell(ctx context.Context, in *cellInput) (*cellOutput, error) {
	c, err := g.o.Register.Cell(ctx, codes.CellCode(in.Code))
	if err != nil {
		return nil, g.problemOf(ctx, "get cell", err)
	}
	out := &cellOutput{cellJSON(&c)}
	out.Body.Geometry = geometryJSON(c.Shape)
	return out, nil
}

// mapCells answers with all cells at once: a map draws them together, and asks again
// with the tag, which changes when a cell does.
func (g *registryRoutes) mapCells(ctx context.Context, in *mapInput) (*mapOutput, error) {
	version, err := g.o.Register.Version(ctx)
	if err != nil {
		return nil, g.problemOf(ctx, "map of cells", err)
	}
	out := &mapOutput{Status: http.StatusOK, ETag: fmt.Sprintf("%q", version+"-"+in.Area), CacheControl: "private, no-cache", ContentType: "application/geo+json"}
	if matches(in.IfNoneMatch, out.ETag) {
		out.Status = http.StatusNotModified
		return out, nil
	}
	out.Body = &FeaturesJSON{Type: "FeatureCollection", Features: []FeatureJSON{}}
	for page := (assets.Page{Limit: assets.MaxPage}); ; {
		list, err := g.o.Register.Cells(ctx, assets.CellFilter{Area: codes.AreaCode(in.Area)}, page)
		if err != nil {
			return nil, g.problemOf(ctx, "map of cells", err)
		}
		for n := range list {
			c := &list[n]
			out.Body.Features = append(out.Body.Features, FeatureJSON{Type: "Feature", ID: string(c.Code), Properties: cellJSON(c), Geometry: geometryJSON(c.Shape)})
		}
		if len(list) < assets.MaxPage {
			return out, nil
		}
		page.After = string(list[len(list)-1].Code)
	}
}

// matches compares tags weakly, as If-None-Match does [RFC 9110 13.1.2].
func matches(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimPrefix(strings.TrimSpace(one), "W/"); one == tag || one == "*" {
			return true
		}
	}
	return false
}

// PlaceOfJSON is where something is.
type PlaceOfJSON struct {
	Position    *PositionJSON `json:"position,omitempty"`
	Cell        string        `json:"cell" doc:"Empty where it is in none"`
	Duty        string        `json:"duty"`
	AreaKind    string        `json:"area_kind" doc:"The city's rank of the area for time limits"`
	Departments []string      `json:"departments" nullable:"false" doc:"To whom a case here goes: who is in charge, or all that may be"`
}

func placeJSON(p *assets.Place) PlaceOfJSON {
	return PlaceOfJSON{Position: positionJSON(p.Position), Cell: string(p.Cell), Duty: string(p.Duty), AreaKind: p.AreaKind, Departments: plain(p.Departments)}
}

type (
	whereInput struct {
		Lon float64 `query:"lon" required:"true" minimum:"-180" maximum:"180"`
		Lat float64 `query:"lat" required:"true" minimum:"-90" maximum:"90"`
		CRS string  `query:"crs" required:"true" enum:"CGCS2000,WGS84,GCJ-02" doc:"Never guessed"`
	}
	whereOutput struct{ Body PlaceOfJSON }
)

func (g *registryRoutes) getWhere(ctx context.Context, in *whereInput) (*whereOutput, error) {
	at := schemas.Position{Lon: in.Lon, Lat: in.Lat, CRS: schemas.CRS(in.CRS)}
	if err := at.Validate(); err != nil {
		return nil, badParameter("lon", err)
	}
	p, err := g.o.Register.At(ctx, at)
	var nowhere *geo.CoordinateError
	if errors.As(err, &nowhere) {
		return nil, badParameter("lon", nowhere)
	}
	if err != nil {
		return nil, g.problemOf(ctx, "where", err)
	}
	return &whereOutput{placeJSON(&p)}, nil
}
