package api

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"net/http"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/registry"
	"citygrid/hub/registry/assets"
	"citygrid/schemas/codes"
)

// CatalogueJSON is what an inspector takes along.
type CatalogueJSON struct {
	Person     RoundJSON             `json:"person"`
	Cells      []RoundCellJSON       `json:"cells" nullable:"false" doc:"Of the duty grids, by their codes"`
	Components []RoundComponentJSON  `json:"components" nullable:"false" doc:"In these cells"`
	Classes    []CatalogueClassJSON  `json:"classes" nullable:"false" doc:"Under which a report may be made: of the lists that the components here are recorded by"`
	Schemes    []CatalogueSchemeJSON `json:"schemes" nullable:"false" doc:"How component ids are built, so that a mistyped one shows without network"`
}

// RoundJSON is an inspector and what they walk.
type RoundJSON struct {
	ID   string   `json:"id"`
	Name string   `json:"name"`
	Duty []string `json:"duty" nullable:"false" doc:"Names of the duty grids"`
}

// RoundCellJSON is a unit cell of a round.
type RoundCellJSON struct {
	Code    string           `json:"code"`
	Name    string           `json:"name"`
	Duty    string           `json:"duty"`
	Outline [][][][2]float64 `json:"outline" nullable:"false" doc:"Polygons, of each its rings, the outer one first, in degrees of CGCS2000; the first point of a ring is the last"`
}

// RoundComponentJSON is a component of a round.
type RoundComponentJSON struct {
	ID        string      `json:"id" doc:"Always a string: 17 digits exceed the whole numbers of JavaScript"`
	Class     string      `json:"class"`
	ClassName string      `json:"class_name"`
	Name      string      `json:"name,omitempty"`
	Location  string      `json:"location,omitempty"`
	Cell      string      `json:"cell"`
	At        *[2]float64 `json:"at,omitempty" doc:"Longitude and latitude in degrees of CGCS2000"`
}

// CatalogueClassJSON is a class that something may be reported under.
type CatalogueClassJSON struct {
	Ref     string `json:"ref" example:"CJ/T 214-2007:component:0101"`
	ZH      string `json:"zh"`
	EN      string `json:"en"`
	MajorZH string `json:"major_zh"`
	MajorEN string `json:"major_en"`
	Of      string `json:"of,omitempty" doc:"Of an event: code of the component that it says is abnormal"`
}

// CatalogueSchemeJSON is how a list builds component ids: 6 digits of the county, the
// class, and 6 digits of a serial.
type CatalogueSchemeJSON struct {
	Standard string `json:"standard"`
	Class    int    `json:"class" doc:"Digits of the class"`
}

type (
	catalogueInput struct {
		IfNoneMatch    string `header:"If-None-Match"`
		AcceptEncoding string `header:"Accept-Encoding"`
	}
	catalogueOutput struct {
		Status       int
		ETag         string `header:"ETag"`
		CacheControl string `header:"Cache-Control"`
		ContentType  string `header:"Content-Type"`
		Encoding     string `header:"Content-Encoding"`
		Vary         string `header:"Vary"`
		Body         []byte
	}
)

// jsonResponse describes an answer that is written as bytes.
func jsonResponse[T any](api huma.API) *huma.Response {
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
	return &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
}

func (i *inspectRoutes) getCatalogue(ctx context.Context, in *catalogueInput) (*catalogueOutput, error) {
	c, err := i.catalogue(ctx)
	if err != nil {
		return nil, i.registry.problemOf(ctx, "catalogue of a round", err)
	}
	text, err := json.Marshal(c)
	if err != nil {
		return nil, i.registry.problemOf(ctx, "catalogue of a round", err)
	}
	sum := sha256.Sum256(text)
	out := &catalogueOutput{Status: http.StatusOK, ETag: `"` + hex.EncodeToString(sum[:12]) + `"`, CacheControl: "private, no-cache", ContentType: "application/json",
		Vary: "Accept-Encoding, Authorization, Cookie", Body: text}
	if matches(in.IfNoneMatch, out.ETag) {
		out.Status, out.Body = http.StatusNotModified, nil
		return out, nil
	}
	if acceptsGzip(in.AcceptEncoding) {
		out.Encoding = "gzip"
		if out.Body, err = compress(text, gzip.BestSpeed); err != nil {
			return nil, i.registry.problemOf(ctx, "catalogue of a round", err)
		}
	}
	return out, nil
}

func (i *inspectRoutes) catalogue(ctx context.Context) (*CatalogueJSON, error) {
	p, err := i.inspector(ctx)
	if err != nil {
		return nil, err
	}
	c := &CatalogueJSON{Person: RoundJSON{ID: string(p.ID), Name: p.Name, Duty: []string{}}, Cells: []RoundCellJSON{}, Components: []RoundComponentJSON{},
		Classes: []CatalogueClassJSON{}, Schemes: []CatalogueSchemeJSON{}}
	duties, err := i.duties(ctx, &p)
	if err != nil {
		return nil, err
	}
	standards := map[string]bool{}
	for _, d := range duties {
		c.Person.Duty = append(c.Person.Duty, orElse(d.Name, string(d.Code)))
		if err := i.addCells(ctx, c, d.Code, standards); err != nil {
			return nil, err
		}
	}
	i.addClasses(c, standards)
	return c, nil
}

// duties are the duty grids that a person walks: by their own record or by the grid's.
func (i *inspectRoutes) duties(ctx context.Context, p *registry.Person) (list []registry.DutyGrid, err error) {
	err = every(func(page assets.Page) (string, int, error) {
		all, err := i.registry.o.Register.Duties(ctx, page)
		for _, d := range all {
			if slices.Contains(p.Duty, d.Code) || slices.Contains(d.Inspectors, p.ID) {
				list = append(list, d)
			}
		}
		return lastKey(all, func(d *registry.DutyGrid) string { return string(d.Code) }), len(all), err
	})
	return list, err
}

// addCells puts the cells of a duty grid in, with their components.
func (i *inspectRoutes) addCells(ctx context.Context, c *CatalogueJSON, duty codes.DutyCode, standards map[string]bool) error {
	return every(func(page assets.Page) (string, int, error) {
		cells, err := i.registry.o.Register.Cells(ctx, assets.CellFilter{Duty: duty}, page)
		for n := range cells {
			if err == nil {
				c.Cells = append(c.Cells, RoundCellJSON{Code: string(cells[n].Code), Name: cells[n].Name, Duty: string(duty), Outline: outlineOf(cells[n].Shape)})
				err = i.addComponents(ctx, c, cells[n].Code, standards)
			}
		}
		return lastKey(cells, func(c *registry.Cell) string { return string(c.Code) }), len(cells), err
	})
}

func (i *inspectRoutes) addComponents(ctx context.Context, c *CatalogueJSON, cell codes.CellCode, standards map[string]bool) error {
	return every(func(page assets.Page) (string, int, error) {
		list, err := i.registry.o.Register.Components(ctx, assets.ComponentFilter{Cell: cell}, page)
		for n := range list {
			one := &list[n]
			if one.State == registry.Removed {
				continue
			}
			standards[one.Class.Standard] = true
			j := RoundComponentJSON{ID: string(one.ID), Class: one.Class.String(), ClassName: one.ClassName, Name: one.Name, Location: one.Location, Cell: string(one.Cell)}
			if one.Position.Known() {
				j.At = &[2]float64{centimetres(one.Position.Lon), centimetres(one.Position.Lat)}
			}
			c.Components = append(c.Components, j)
		}
		return lastKey(list, func(c *registry.Component) string { return string(c.ID) }), len(list), err
	})
}

// centimetres cuts degrees to what a phone can show.
func centimetres(deg float64) float64 { return math.Round(deg*1e7) / 1e7 }

func outlineOf(s registry.Shape) [][][][2]float64 {
	out := [][][][2]float64{}
	for _, polygon := range s {
		rings := [][][2]float64{}
		for _, ring := range polygon {
			points := make([][2]float64, len(ring))
			for n, p := range ring {
				points[n] = [2]float64{centimetres(p[0]), centimetres(p[1])}
			}
			rings = append(rings, points)
		}
		out = append(out, rings)
	}
	return out
}

// addClasses puts in the classes of the lists by which the components here are recorded;
// without any component those of all lists but the program's own.
func (i *inspectRoutes) addClasses(c *CatalogueJSON, standards map[string]bool) {
	lists := i.cases.o.Lists
	for _, k := range lists.Search("") {
		if k.Withdrawn || !standards[k.Ref.Standard] && (len(standards) > 0 || k.Ref.Standard == codes.Extension) {
			continue
		}
		c.Classes = append(c.Classes, CatalogueClassJSON{Ref: k.Ref.String(), ZH: k.ZH, EN: k.EN, MajorZH: k.Major.ZH, MajorEN: k.Major.EN, Of: k.Of})
	}
	for _, l := range lists.All() {
		s := CatalogueSchemeJSON{Standard: l.Standard, Class: l.CodeLength}
		if l.Kind == codes.Component && l.CodeLength > 0 && (len(standards) == 0 || standards[l.Standard]) && !slices.Contains(c.Schemes, s) {
			c.Schemes = append(c.Schemes, s)
		}
	}
}
