package api

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/cases/desk"
	"citygrid/hub/registry/assets"
	"citygrid/hub/rollup"
	"citygrid/schemas"
)

// City is what the part of the face about the city as a whole needs: the map, its
// values, and sums over areas. All fields but Layers are required.
type City struct {
	// Plan returns the city as it is now; nil while it is being made. It is called by
	// every request and must not block.
	Plan     func() *Plan
	Register PlanSource
	Cases    CityCases
	Figures  CityFigures
	Zone     *time.Location // of the city's day
	Layers   []MapLayerJSON // pictures that a page may lay under the map
}

// CityCases counts and lists cases, as desk.Desk.
type CityCases interface {
	Counts(ctx context.Context, f desk.Filter, by ...desk.CountBy) ([]desk.Tally, error)
	List(ctx context.Context, f desk.Filter) ([]desk.Summary, error)
	// Lasting returns the component events of an area that have not cleared.
	Lasting(ctx context.Context, area string, limit int) ([]desk.EventRecord, error)
	// Changed is closed when there are new entries.
	Changed() <-chan struct{}
}

// CityFigures answers about consumption, as rollup.Rollup. The medium device stands for
// meters of which nothing is known.
type CityFigures interface {
	// Cells returns what is known of each cell over the hours that begin in [from, to).
	Cells(ctx context.Context, medium schemas.Medium, from, to time.Time) (rollup.Cells, error)
	// Hours returns every hour that begins in [from, to), of a cell, an area or the city.
	Hours(ctx context.Context, area string, medium schemas.Medium, from, to time.Time) ([]rollup.Hour, error)
}

// hiddenBelow is how many meters a sum must have for a viewer to see it: the
// consumption of a few households is personal data.
const hiddenBelow = 5

// The codes of problems with the map.
const (
	codeNoMap       = "no_map"
	codeMapNotReady = "map_not_ready"
	codeMapVersion  = "map_version_gone"
	codeArea        = "area_unknown"
	codeTooLong     = "range_too_long"
)

// cityRoutes are the operations about the city as a whole.
type cityRoutes struct {
	o        *City // nil: this hub keeps no grid
	live     *Live
	log      *slog.Logger
	registry *registryRoutes // says who may see what a cell holds
	cases    caseTallies
	meters   sights
	pictures pictures
}

// check reports what is missing.
func (c *City) check() error {
	if c != nil && (c.Plan == nil || c.Register == nil || c.Cases == nil || c.Figures == nil || c.Zone == nil) {
		return errors.New("make the pages of the city: Plan, Register, Cases, Figures and Zone are required")
	}
	return nil
}

// register adds the operations about the city to api.
func (c *cityRoutes) register(api huma.API) {
	cityGet[struct{}, mapHeadOutput](c, api, "get-map", "/api/v1/map", "The map: where its outlines are, its bounds and its layers", "", c.getMap)
	cityRaw[MapGeometryJSON](c, api, "get-map-geometry", "/api/v1/map/geometry/{version}", "The outlines of all cells and areas, at one version of the register", geometryText, c.getGeometry)
	cityRaw[MapValuesJSON](c, api, "get-map-values", "/api/v1/map/values", "One number for each cell, in the order of the outlines", "", c.getValues)
	cityGet(c, api, "city-summary", "/api/v1/city/summary", "How the city, or an area of it, stands", "", c.getSummary)
	cityGet(c, api, "city-series", "/api/v1/city/series", "Consumption, least flow and completeness by hour or day", "", c.getSeries)
	cityGet(c, api, "city-cell", "/api/v1/city/cells/{code}", "A cell: what is in it and how it stands", cellText, c.getCityCell)
}

const (
	geometryText = "The answer to one version never changes. A ring is a list of whole numbers x0, y0, dx1, dy1, dx2, dy2, ... in 1/scale degree: its first corner, " +
		"given as the step from the first corner of the ring before it (from 0, 0 for the very first; outlines first, then those of areas), then the step to each next corner. " +
		"The way back from the last corner to the first is not written."
	cellText = "Who may see totals only gets no components, meters and cases, and no consumption of fewer than five meters."
)

func (c *cityRoutes) operation(api huma.API, id, path, summary, text string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Description: text, Tags: []string{"city"},
		Responses: map[string]*huma.Response{"default": problemResponse(api)},
		Middlewares: huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
			if c.o == nil {
				writeProblem(api, ctx, problem(http.StatusNotFound, codeNoMap, "This hub has no map. Its configuration has no section grid."))
				return
			}
			next(ctx)
		}},
	}
}

func cityGet[I, O any](c *cityRoutes, api huma.API, id, path, summary, text string, handler func(context.Context, *I) (*O, error)) {
	op := c.operation(api, id, path, summary, text)
	if id == "city-cell" || id == "city-summary" {
		op.Middlewares = append(op.Middlewares, c.detailed)
	}
	huma.Register(api, op, handler)
}

// rawOutput is an answer that is written as it stands.
type rawOutput struct {
	ContentType  string `header:"Content-Type"`
	Encoding     string `header:"Content-Encoding"`
	Vary         string `header:"Vary"`
	CacheControl string `header:"Cache-Control"`
	Body         []byte
}

// cityRaw registers an operation whose answer, a T, is large and sent compressed.
func cityRaw[T, I any](c *cityRoutes, api huma.API, id, path, summary, text string, handler func(context.Context, *I) (*rawOutput, error)) {
	op := c.operation(api, id, path, summary, text)
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
	op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
	huma.Register(api, op, handler)
}

// rawJSON writes v, compressed where the client takes it.
func rawJSON(v any, accept string) (*rawOutput, error) {
	text, err := json.Marshal(v)
	out := &rawOutput{ContentType: "application/json", Vary: "Accept-Encoding", CacheControl: "no-store", Body: text}
	if err == nil && acceptsGzip(accept) {
		out.Encoding = "gzip"
		out.Body, err = compress(text, gzip.BestSpeed)
	}
	if err != nil {
		return nil, fmt.Errorf("write the answer: %w", err)
	}
	return out, nil
}

// plan returns the city as it is now.
func (c *cityRoutes) plan() (*Plan, error) {
	if p := c.o.Plan(); p != nil {
		return p, nil
	}
	return nil, huma.ErrorWithHeaders(problem(http.StatusServiceUnavailable, codeMapNotReady,
		"The hub is reading the asset register. Ask again in a few seconds; if this lasts, look at the hub's log."), http.Header{"Retry-After": {"2"}})
}

// area checks the code of an area or cell: one of the plan, or empty for the city.
func (p *Plan) area(code string) (AreaRefJSON, error) {
	ref := AreaRefJSON{Code: code}
	if code == "" {
		return ref, nil
	}
	for n := range p.areas {
		if string(p.areas[n].Code) == code {
			ref.Name = p.areas[n].Name
			return ref, nil
		}
	}
	if n := p.town.Index(code); n < len(p.cells) {
		ref.Name = p.cells[n].Name
		return ref, nil
	}
	return ref, problem(http.StatusNotFound, codeArea, fmt.Sprintf("The register has no valid area or cell %.40q.", code))
}

// AreaRefJSON names a county, street, community or cell; the empty code is the city.
type AreaRefJSON struct {
	Code string `json:"code"`
	Name string `json:"name"`
}

// viewsOnly reports whether the one who asks may see totals only.
func viewsOnly(ctx context.Context) bool {
	who := visitOf(ctx).who
	return who != nil && who.onlyLooksOn()
}

// problemOf turns an error into what the one who asked may know.
func (c *cityRoutes) problemOf(ctx context.Context, act string, err error) error {
	var own *Problem
	var field *schemas.FieldError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &field):
		return badParameter(field.Field, err)
	case errors.Is(err, rollup.ErrTooLong):
		return problem(http.StatusUnprocessableEntity, codeTooLong, err.Error())
	case errors.Is(err, assets.ErrUnknown):
		return problem(http.StatusNotFound, codeAsset, err.Error())
	}
	if !errors.Is(ctx.Err(), context.Canceled) {
		c.log.Error("question about the city not answered", "act", act, "error", err)
	}
	return problem(http.StatusServiceUnavailable, codeStore, "A store of the hub did not answer. Nothing is lost; try again, and look at /readyz.")
}

// caseTallies keeps the count of open cases: it is made anew when there are new entries,
// at most every two seconds, and every lightsMove, as lights change by themselves.
type caseTallies struct {
	mu      sync.Mutex
	at      time.Time
	changed <-chan struct{}
	list    []desk.Tally
}

const (
	tallyAge   = 2 * time.Second
	lightsMove = 15 * time.Second
)

// openCases returns the open cases by cell, state and light. The caller must not change
// the list.
func (c *cityRoutes) openCases(ctx context.Context) ([]desk.Tally, error) {
	t := &c.cases
	t.mu.Lock()
	defer t.mu.Unlock()
	now := c.live.now()
	if age := now.Sub(t.at); t.changed != nil && age >= 0 && (age < tallyAge || age < lightsMove && !isClosed(t.changed)) {
		return t.list, nil
	}
	changed := c.o.Cases.Changed() // before the count: what comes meanwhile is news
	list, err := c.o.Cases.Counts(ctx, desk.Filter{Open: true}, desk.ByCell, desk.ByState, desk.ByLight)
	if err != nil {
		return nil, err
	}
	t.at, t.changed, t.list = now, changed, list
	return list, nil
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
