package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"time"

	"citygrid/schemas"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// routes are the JSON operations.
type routes struct {
	live    *Live
	flow    *flowMeter
	series  Series
	version Version
	log     *slog.Logger
	// installations returns the records of one meter, in the order of time.
	installations func(schemas.MeterID) []schemas.Installation
	// diagnoses and registry tell what a diagnosis adds; nil: nobody does.
	diagnoses Diagnoses
	registry  *Registry
	zone      *time.Location // of the city's day
	// detailed finds out whether the one who asks may see what the register knows.
	detailed func(huma.Context, func(huma.Context))
}

// Version says what is running.
type Version struct {
	Version string `json:"version" example:"0.1.0"`
	Commit  string `json:"commit" doc:"Empty when the build does not know it"`
	Go      string `json:"go" example:"go1.26"`
}

// QuantityJSON is a row of the table of quantities.
type QuantityJSON struct {
	Quantity string   `json:"quantity" example:"water.volume.forward"`
	Medium   string   `json:"medium" enum:"water,power,gas,device"`
	Unit     string   `json:"unit" doc:"UCUM code" example:"m3"`
	Kind     string   `json:"kind" enum:"gauge,counter,state"`
	States   []string `json:"states,omitempty" nullable:"false" doc:"Names of the codes of a state; the value is the index"`
	ZH       string   `json:"zh"`
	EN       string   `json:"en"`
}

type (
	flowOutput       struct{ Body Flow }
	metersOutput     struct{ Body MeterPage }
	meterOutput      struct{ Body MeterDetail }
	readingsOutput   struct{ Body ReadingsJSON }
	quantitiesOutput struct {
		CacheControl string `header:"Cache-Control"`
		Body         []QuantityJSON
	}
	collectorsOutput struct{ Body []CollectorJSON }
	versionOutput    struct{ Body Version }
)

// Selection is the part of a query that the list and the stream share.
type Selection struct {
	Medium  string `query:"medium" enum:"water,power,gas,device," doc:"Only meters of this medium"`
	Search  string `query:"q" maxLength:"64" doc:"Only meters whose id contains this, in any case"`
	Area    string `query:"area" pattern:"^[0-9A-Z]{0,15}$" doc:"Only meters in this cell, or in the county, street or community with this code"`
	Quality string `query:"quality" enum:"good,suspect,missing,none," doc:"Only meters whose main quantity has this quality"`
	State   string `query:"state" enum:"answering,late,failing," doc:"Only meters in this state"`
	Sort    string `query:"sort" enum:"meter,-meter,taken_at,-taken_at,value,-value,quality" default:"meter" doc:"Order; quality puts the worst first"`
	Cursor  string `query:"cursor" maxLength:"400" doc:"The next of an earlier page in the same order"`
	Limit   int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Rows a page"`
}

func (s *Selection) query() MeterQuery {
	return MeterQuery{
		Medium: schemas.Medium(s.Medium), Search: s.Search, Area: s.Area, Quality: s.Quality,
		State: s.State, Sort: s.Sort, Cursor: s.Cursor, Limit: s.Limit,
	}
}

// newHuma returns the API on mux, without operations.
func newHuma(mux *http.ServeMux) huma.API {
	config := huma.DefaultConfig("citygrid hub", "1.0.0")
	config.CreateHooks = nil // no $schema links in answers
	config.DocsPath = ""     // the built-in page loads scripts from elsewhere
	config.SchemasPath = ""
	config.OpenAPIPath = "/api/v1/openapi"
	config.RejectUnknownQueryParameters = true
	config.Transformers = []huma.Transformer{codedProblems}
	config.Info.Description = "Live values, series and state of the hub. Decimal values are strings, times are RFC 3339 in UTC, errors are RFC 9457 problems with a stable code."
	return humago.New(mux, config)
}

// register adds the operations to api.
func (rt *routes) register(api huma.API) {
	get(api, "flow", "/api/v1/flow", "State and counters of every step", rt.getFlow)
	get(api, "list-meters", "/api/v1/meters", "Meters with the last value of their main quantity", rt.listMeters)
	get(api, "get-meter", "/api/v1/meters/{id}", "A meter with the last value of every quantity", rt.getMeter)
	get(api, "get-readings", "/api/v1/meters/{id}/readings", "Readings of one quantity over a range", rt.getReadings)
	get(api, "get-consumption", "/api/v1/meters/{id}/consumption", "What went through a meter's place, over swaps and rollovers", rt.getConsumption)
	get(api, "list-quantities", "/api/v1/quantities", "The table of quantities", rt.listQuantities)
	get(api, "list-collectors", "/api/v1/collectors", "Collectors and their accounts of themselves", rt.listCollectors)
	rt.registerCollector(api)
	rt.registerDiagnosis(api)
	rt.registerSteps(api)
	get(api, "version", "/api/v1/version", "What is running", rt.getVersion)
	describeStream(api)
	for _, name := range []string{"ErrorModel", "ErrorDetail"} { // every error is a Problem
		delete(api.OpenAPI().Components.Schemas.Map(), name)
	}
}

func get[I, O any](api huma.API, id, path, summary string, handler func(context.Context, *I) (*O, error)) {
	huma.Register(api, huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: path, Summary: summary,
		Responses: map[string]*huma.Response{"default": problemResponse(api)},
	}, handler)
}

func problemResponse(api huma.API) *huma.Response {
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "")
	return &huma.Response{
		Description: "Error",
		Content:     map[string]*huma.MediaType{problemMediaType: {Schema: schema}},
	}
}

func (rt *routes) getFlow(context.Context, *struct{}) (*flowOutput, error) {
	return &flowOutput{Body: rt.flow.Flow()}, nil
}

func (rt *routes) listMeters(_ context.Context, in *Selection) (*metersOutput, error) {
	page, err := rt.live.Meters(in.query())
	if err != nil {
		return nil, problem(http.StatusBadRequest, codeCursor, err.Error())
	}
	return &metersOutput{Body: page}, nil
}

// MeterPath is the path parameter of a meter.
type MeterPath struct {
	ID string `path:"id" pattern:"^[0-9A-Za-z_-]{1,32}$" doc:"The meter's id in the asset register"`
}

func (rt *routes) getMeter(_ context.Context, in *MeterPath) (*meterOutput, error) {
	d, ok := rt.live.Meter(schemas.MeterID(in.ID))
	if !ok {
		return nil, meterUnknown(in.ID)
	}
	return &meterOutput{Body: d}, nil
}

func meterUnknown(id string) *Problem {
	return problem(http.StatusNotFound, codeMeterUnknown,
		fmt.Sprintf("The hub has had nothing from meter %s since its start. Check the id, or wait for the next reading.", id))
}

// maxPoints bounds one answer of readings.
const maxPoints = 10_000

// maxRange bounds the range of one question: longer needs daily values.
const maxRange = 400 * 24 * time.Hour

type readingsInput struct {
	MeterPath
	Quantity string    `query:"quantity" required:"true" doc:"One of the quantities of /api/v1/quantities"`
	Origin   string    `query:"origin" enum:"live,daily_freeze,monthly_freeze,load_record" default:"live" doc:"live: the registers when the collector read them; the others: records of the meter's own memory, by the meter's clock"`
	From     time.Time `query:"from" required:"true" doc:"First moment, RFC 3339"`
	To       time.Time `query:"to" doc:"First moment after the range; now when absent"`
	Max      int       `query:"max" minimum:"2" maximum:"10000" default:"600" doc:"Most points; more readings are given as steps with min, mean and max"`
}

func (rt *routes) getReadings(ctx context.Context, in *readingsInput) (*readingsOutput, error) {
	info, ok := schemas.Quantity(in.Quantity).Info()
	if !ok {
		return nil, problem(http.StatusUnprocessableEntity, codeQuantity,
			fmt.Sprintf("There is no quantity %q. /api/v1/quantities lists them.", in.Quantity))
	}
	from, to, bad := rt.rangeOf(in.From, in.To)
	if bad != nil {
		return nil, bad
	}
	samples, err := rt.series.Range(ctx, schemas.MeterID(in.ID), info.Quantity, parseOrigin(in.Origin), from, to, min(in.Max, maxPoints))
	if err != nil {
		return nil, rt.storeProblem(ctx, in.ID, in.Quantity, err)
	}
	out := ReadingsJSON{
		Meter: in.ID, Quantity: in.Quantity, Unit: string(info.Unit), Origin: in.Origin,
		From: from, To: to, StepS: samples.Step.Seconds(), Points: points(samples),
	}
	return &readingsOutput{Body: out}, nil
}

// rangeOf returns the range asked for in UTC, up to now when it has no end.
func (rt *routes) rangeOf(from, to time.Time) (time.Time, time.Time, *Problem) {
	if to.IsZero() {
		to = rt.live.now()
	}
	if !from.Before(to) || to.Sub(from) > maxRange {
		return from, to, problem(http.StatusUnprocessableEntity, codeRange,
			"The range must end after it starts and span at most 400 days.")
	}
	return from.UTC(), to.UTC(), nil
}

func (rt *routes) storeProblem(ctx context.Context, meter, quantity string, err error) *Problem {
	if !errors.Is(ctx.Err(), context.Canceled) {
		rt.log.Error("series not answered", "meter", meter, "quantity", quantity, "error", err)
	}
	return problem(http.StatusServiceUnavailable, codeStore,
		"The series store did not answer. Readings are not lost: they wait at the collectors. /readyz says more.")
}

func (rt *routes) listQuantities(context.Context, *struct{}) (*quantitiesOutput, error) {
	out := &quantitiesOutput{CacheControl: "max-age=300"}
	for _, q := range schemas.Quantities() {
		out.Body = append(out.Body, QuantityJSON{
			Quantity: string(q.Quantity), Medium: string(q.Medium), Unit: string(q.Unit),
			Kind: kindName(q.Kind), States: q.States, ZH: q.ZH, EN: q.EN,
		})
	}
	return out, nil
}

func kindName(k schemas.Kind) string {
	switch k {
	case schemas.Counter:
		return "counter"
	case schemas.State:
		return "state"
	}
	return "gauge"
}

func (rt *routes) listCollectors(context.Context, *struct{}) (*collectorsOutput, error) {
	return &collectorsOutput{Body: rt.live.Collectors()}, nil
}

func (rt *routes) getVersion(context.Context, *struct{}) (*versionOutput, error) {
	return &versionOutput{Body: rt.version}, nil
}
