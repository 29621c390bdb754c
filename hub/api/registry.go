package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/cases"
	"citygrid/hub/registry"
	"citygrid/hub/registry/assets"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// Registry is what the part of the face about the asset register needs; both fields
// are required.
type Registry struct {
	Auth     CasesAuth
	Register AssetRegister
}

// AssetAreas answers about areas and cells, as assets.Register.
type AssetAreas interface {
	Areas(ctx context.Context, f assets.AreaFilter, page assets.Page) ([]registry.Area, error)
	Area(ctx context.Context, code codes.AreaCode) (registry.Area, error)
	Cells(ctx context.Context, f assets.CellFilter, page assets.Page) ([]registry.Cell, error)
	Cell(ctx context.Context, code codes.CellCode) (registry.Cell, error)
	// Version changes whenever what is answered about areas and cells does.
	Version(ctx context.Context) (string, error)
}

// AssetThings answers about components and meters, as assets.Register.
type AssetThings interface {
	Components(ctx context.Context, f assets.ComponentFilter, page assets.Page) ([]registry.Component, error)
	Component(ctx context.Context, id schemas.ComponentID) (registry.Component, error)
	Links(ctx context.Context, f assets.LinkFilter, page assets.Page) ([]registry.MeterLink, error)
}

// AssetPeople answers about who does what, as assets.Register.
type AssetPeople interface {
	Duties(ctx context.Context, page assets.Page) ([]registry.DutyGrid, error)
	Departments(ctx context.Context, page assets.Page) ([]registry.Department, error)
	People(ctx context.Context, f assets.PersonFilter, page assets.Page) ([]registry.Person, error)
}

// AssetPlaces says where something is, as assets.Register.
type AssetPlaces interface {
	At(ctx context.Context, at schemas.Position) (assets.Place, error)
	OfComponent(ctx context.Context, id schemas.ComponentID) (assets.Place, error)
}

// AssetImports takes files, as assets.Register.
type AssetImports interface {
	Import(ctx context.Context, files []assets.File, o assets.ImportOptions, progress assets.Progress) (assets.Summary, error)
	Imports(ctx context.Context, before int64, limit int) ([]assets.Imported, error)
}

// AssetRegister is all of a register that the face uses.
type AssetRegister interface {
	AssetAreas
	AssetThings
	AssetPeople
	AssetPerson
	AssetPlaces
	AssetImports
}

// registryRoutes are the operations about the asset register.
type registryRoutes struct {
	o     *Registry // nil: this hub keeps none
	log   *slog.Logger
	heavy chan struct{} // a place for each import under way
}

// The codes of problems with the asset register.
const (
	codeNoRegister   = "no_register"
	codeAsset        = "asset_unknown"
	codeRegister     = "register_unavailable"
	codeRegisterBusy = "register_busy"
	codeCensus       = "census_refused"
)

// register adds the operations about the asset register to api.
func (g *registryRoutes) register(api huma.API) {
	describeCaseToken(api)
	g.heavy = make(chan struct{}, 1)
	assetGet(g, api, "list-areas", "/api/v1/areas", "Counties, streets and communities, by their codes", g.listAreas)
	assetGet(g, api, "get-area", "/api/v1/areas/{code}", "An area with its outline", g.getArea)
	assetGet(g, api, "list-cells", "/api/v1/cells", "Unit cells, by their codes", g.listCells)
	assetGet(g, api, "get-cell", "/api/v1/cells/{code}", "A unit cell with its outline", g.getCell)
	assetGet(g, api, "map-cells", "/api/v1/cells.geojson", "The outlines of all valid cells of an area, for a map", g.mapCells)
	assetGet(g, api, "list-components", "/api/v1/components", "Components, by their ids", g.listComponents)
	assetGet(g, api, "get-component", "/api/v1/components/{id}", "A component, where it is, and its meters", g.getComponent)
	assetGet(g, api, "list-meter-links", "/api/v1/meter-links", "Which meter belongs to which component", g.listLinks)
	assetGet(g, api, "list-duties", "/api/v1/duties", "Duty grids, by their codes", g.listDuties)
	assetGet(g, api, "list-departments", "/api/v1/departments", "Departments, by their ids", g.listDepartments)
	assetGet(g, api, "list-people", "/api/v1/people", "People of the grid, by their ids", g.listPeople)
	assetGet(g, api, "where", "/api/v1/where", "In which cell, duty grid and class of area a position is", g.getWhere)
	assetGet(g, api, "list-registry-imports", "/api/v1/registry/imports", "Census files that were imported, the latest first", g.listImports)
	assetOperation(g, api, huma.Operation{
		OperationID: "registry-import", Method: http.MethodPost, Path: "/api/v1/registry/imports", Summary: "Import census files, all of them or none",
		Description: "Send the files as parts named file of multipart/form-data. What is in each its name says, which begins with areas, cells, duties, " +
			"departments, people, components or meter_links; or kind, for one file.",
		MaxBodyBytes: maxCensus, BodyReadTimeout: uploadTime, Middlewares: g.bounded(api),
	}, []cases.Role{cases.Admin}, g.postImport)
}

// bounded is a middleware that lets one import through at a time.
func (g *registryRoutes) bounded(api huma.API) huma.Middlewares {
	return huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		if !inTurn(ctx.Context(), g.heavy, func() { next(ctx) }) {
			writeProblem(api, ctx, problem(http.StatusServiceUnavailable, codeRegisterBusy, "Another import is under way. Nothing was changed; try again in a minute."))
		}
	}}
}

// assetOperation registers an operation for people with one of roles; none means
// anybody who is known.
func assetOperation[I, O any](g *registryRoutes, api huma.API, op huma.Operation, roles []cases.Role, handler func(context.Context, *I) (*O, error)) {
	op.Tags = []string{"registry"}
	op.Security = []map[string][]string{{"case_token": {}}}
	op.Middlewares = append(huma.Middlewares{g.part().guarded(api, op.Path, hasCaseRole(roles))}, op.Middlewares...)
	op.Responses = map[string]*huma.Response{"default": problemResponse(api)}
	if len(roles) > 0 {
		op.Description = strings.TrimSpace(op.Description + " Takes the role " + joinCaseRoles(roles) + ".")
	}
	huma.Register(api, op, handler)
}

// assetGet registers a question that everybody who is known may ask.
func assetGet[I, O any](g *registryRoutes, api huma.API, id, path, summary string, handler func(context.Context, *I) (*O, error)) {
	assetOperation(g, api, huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary}, nil, handler)
}

// problemOf turns an error of the register into what the person who asked may know.
func (g *registryRoutes) problemOf(ctx context.Context, act string, err error) *Problem {
	var own *Problem
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, assets.ErrUnknown):
		return problem(http.StatusNotFound, codeAsset, err.Error())
	case errors.Is(err, assets.ErrBusy):
		return problem(http.StatusServiceUnavailable, codeRegisterBusy, err.Error())
	case errors.Is(err, assets.ErrOptions):
		return problem(http.StatusUnprocessableEntity, codeInvalid, err.Error())
	}
	if !errors.Is(ctx.Err(), context.Canceled) {
		g.log.Error("asset register not answered", "act", act, "error", err)
	}
	return problem(http.StatusServiceUnavailable, codeRegister, "The asset register did not answer. Nothing was changed; try again, and look at the hub's log.")
}

// Keyset is the part of a query that lists of the register share.
type Keyset struct {
	After string `query:"after" pattern:"^[0-9A-Za-z_.@-]{0,64}$" doc:"Continue after this code or id: next of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"Rows a page"`
}

func (k *Keyset) page() assets.Page { return assets.Page{After: k.After, Limit: k.Limit} }

// AssetPage is a page of a list of the register.
type AssetPage[T any] struct {
	Rows []T    `json:"rows" nullable:"false"`
	Next string `json:"next,omitempty" doc:"after of the page that follows; absent after the last"`
}

// assetPage turns records into a page; key is what the next one continues after.
func assetPage[R, J any](list []R, limit int, turn func(*R) J, key func(*R) string) AssetPage[J] {
	out := AssetPage[J]{Rows: make([]J, len(list))}
	for n := range list {
		out.Rows[n] = turn(&list[n])
	}
	if len(list) >= limit {
		out.Next = key(&list[len(list)-1])
	}
	return out
}

// SpanJSON is when a record is valid: from from until before to.
type SpanJSON struct {
	From string `json:"from,omitempty" doc:"RFC 3339; absent where nobody has said" format:"date-time"`
	To   string `json:"to,omitempty" doc:"RFC 3339; absent while it is valid" format:"date-time"`
}

func spanJSON(s registry.Span) SpanJSON {
	var out SpanJSON
	if t := timeOrNil(s.From); t != nil {
		out.From = t.Format("2006-01-02T15:04:05.999Z07:00")
	}
	if t := timeOrNil(s.To); t != nil {
		out.To = t.Format("2006-01-02T15:04:05.999Z07:00")
	}
	return out
}

// mayPhone reports whether a person is shown telephone numbers: those who send cases
// to departments.
func mayPhone(p *CasePerson) bool {
	return slices.ContainsFunc([]cases.Role{cases.Acceptor, cases.ShiftLeader, cases.Dispatcher, cases.Admin}, p.has)
}

// badParameter is a problem with one parameter of a query.
func badParameter(name string, err error) *Problem {
	p := problem(http.StatusUnprocessableEntity, codeInvalid, fmt.Sprintf("%s: %v", name, err))
	p.Errors = []ProblemField{{Location: "query." + name, Message: err.Error()}}
	return p
}
