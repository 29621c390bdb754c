package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/cases"
	"citygrid/hub/cases/desk"
	"citygrid/hub/registry"
	"citygrid/hub/registry/assets"
)

// CasePhones answers what a phone asks for, as desk.Desk.
type CasePhones interface {
	// Mine returns the open cases that a person reported, the latest first.
	Mine(ctx context.Context, person cases.PersonID, limit int) ([]desk.Summary, error)
	// UploadBy returns what was taken under a client id, or desk.ErrNoUpload.
	UploadBy(ctx context.Context, clientID string) (desk.Upload, error)
}

// AssetPerson tells about one person, as assets.Register.
type AssetPerson interface {
	Person(ctx context.Context, id registry.PersonID) (registry.Person, error)
}

// inspectRoutes are the operations for an inspector's phone, which works without
// network on what it took along.
type inspectRoutes struct {
	cases    *caseRoutes
	registry *registryRoutes
	log      *slog.Logger
}

// The codes of problems with what a phone asks.
const (
	codeNoUpload     = "upload_unknown"
	codeOtherPerson  = "other_person"
	codeNoInspectors = "no_inspector"
)

// register adds the operations for phones to api.
func (i *inspectRoutes) register(api huma.API) {
	rounds := []cases.Role{cases.Inspector}
	catalogue := huma.Operation{
		OperationID: "inspect-catalogue", Method: http.MethodGet, Path: "/api/v1/inspect/catalogue", Summary: "What an inspector takes along: cells, components and classes",
		Description: "The cells of the duty grids of the person who asks, with what stands in them. On a tour it is the first inspector's. Ask again with If-None-Match: most days nothing has changed.",
	}
	catalogue.Responses = map[string]*huma.Response{"200": jsonResponse[CatalogueJSON](api), "304": {Description: "Nothing has changed"}}
	caseOperation(i.cases, api, catalogue, rounds, i.getCatalogue)
	caseOperation(i.cases, api, huma.Operation{
		OperationID: "inspect-tasks", Method: http.MethodGet, Path: "/api/v1/inspect/tasks", Summary: "What waits for an inspector, with all that the work needs",
		Description: "Cases that the person who asks is sent to verify or check, and their own reports that are still open. On a tour they are the first inspector's.",
	}, rounds, i.getTasks)
	caseGet(i.cases, api, "get-upload", "/api/v1/uploads/{client_id}", "What became of an upload whose answer was lost", i.getUpload)
}

// inspector is whose round is asked for: that of the person who asks, on a tour that of
// the first inspector of the register.
func (i *inspectRoutes) inspector(ctx context.Context) (registry.Person, error) {
	if i.registry.o == nil {
		return registry.Person{}, problem(http.StatusNotFound, codeNoRegister, "This hub keeps no asset register. Its configuration has no section grid.")
	}
	if visitOf(ctx).tour() {
		list, err := i.registry.o.Register.People(ctx, assets.PersonFilter{Role: string(cases.Inspector)}, assets.Page{Limit: 1})
		switch {
		case err != nil:
			return registry.Person{}, i.registry.problemOf(ctx, "find an inspector", err)
		case len(list) == 0:
			return registry.Person{}, problem(http.StatusNotFound, codeNoInspectors, "The register has no inspector whose round could be shown.")
		}
		return list[0], nil
	}
	id := registry.PersonID(casePersonOf(ctx).ID)
	p, err := i.registry.o.Register.Person(ctx, id)
	if errors.Is(err, assets.ErrUnknown) { // known to the accounts alone: no round yet
		return registry.Person{ID: id, Name: string(id)}, nil
	}
	if err != nil {
		return p, i.registry.problemOf(ctx, "find inspector "+string(id), err)
	}
	return p, nil
}

// UploadJSON is what became of an upload.
type UploadJSON struct {
	Case   string `json:"case"`
	Number uint32 `json:"number" doc:"Of the entry in the case's journal"`
	State  string `json:"state" doc:"Of the case now"`
	Act    string `json:"act"`
	Person string `json:"person" doc:"Who sent it"`
}

type (
	uploadInput struct {
		ClientID string `path:"client_id" pattern:"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$" doc:"UUID that the device made"`
	}
	uploadOutput struct{ Body UploadJSON }
)

func (i *inspectRoutes) getUpload(ctx context.Context, in *uploadInput) (*uploadOutput, error) {
	u, err := i.cases.o.Desk.UploadBy(ctx, in.ClientID)
	if errors.Is(err, desk.ErrNoUpload) {
		return nil, problem(http.StatusNotFound, codeNoUpload, err.Error())
	}
	if err != nil {
		return nil, i.cases.problemOf(ctx, "look upload "+in.ClientID+" up", err)
	}
	return &uploadOutput{UploadJSON{Case: string(u.Case), Number: u.Number, State: string(u.State), Act: string(u.Act), Person: string(u.Person)}}, nil
}
