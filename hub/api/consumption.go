package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"citygrid/hub/consumption"
	"citygrid/schemas"
)

// ErrTooMany is what Series.Around returns for more readings than it may.
var ErrTooMany = errors.New("more readings than one answer may be made of")

// maxRegisters bounds the readings that one consumption is made of: a value
// every quarter of an hour for five years, or every three minutes for one.
const maxRegisters = 200_000

// ConsumptionJSON is what went through a meter's place between two moments.
type ConsumptionJSON struct {
	Meter    string            `json:"meter"`
	Quantity string            `json:"quantity"`
	Unit     string            `json:"unit" doc:"UCUM code of value, least and most"`
	From     time.Time         `json:"from"`
	To       time.Time         `json:"to"`
	Value    *string           `json:"value" doc:"Exact decimal: between the last good readings at or before from and to; null when the readings prove nothing"`
	Least    string            `json:"least" doc:"The least that it can be between from and to themselves"`
	Most     *string           `json:"most" doc:"The most that it can be; null while no good reading after to is known"`
	Complete bool              `json:"complete" doc:"False when value is only what is proven, for the problems listed"`
	Parts    []ConsumptionPart `json:"parts" nullable:"false" doc:"One for each installed meter, in the order of time"`
	Problems []ConsumptionGap  `json:"problems" nullable:"false"`
}

// ConsumptionPart is the part of one installed meter.
type ConsumptionPart struct {
	Serial     string          `json:"serial" doc:"Of the meter's plate; empty when not on record"`
	From       time.Time       `json:"from"`
	To         time.Time       `json:"to"`
	Multiplier string          `json:"multiplier" doc:"Register values times this are primary values"`
	Registers  string          `json:"registers" doc:"How far the register went"`
	Rollovers  int             `json:"rollovers" doc:"How often it went over its width"`
	Value      *string         `json:"value" doc:"Registers times multiplier; null when the readings prove nothing"`
	Start      ConsumptionEdge `json:"start"`
	End        ConsumptionEdge `json:"end"`
}

// ConsumptionEdge is a moment between two register values.
type ConsumptionEdge struct {
	Before *RegisterValue `json:"before,omitempty" doc:"The last one at or before the moment"`
	After  *RegisterValue `json:"after,omitempty" doc:"The first one at or after the moment"`
}

// RegisterValue is a register value that is beyond doubt.
type RegisterValue struct {
	At     time.Time `json:"at"`
	Value  string    `json:"value"`
	Source string    `json:"source" enum:"live,daily_freeze,monthly_freeze,load_record,installation" doc:"installation: written down when the meter was fitted or removed"`
}

// ConsumptionGap is what readings and records leave open.
type ConsumptionGap struct {
	Code string    `json:"code" enum:"no_meter,no_record,uncovered,no_reading,no_start,no_end,nothing_new,fall,not_used"`
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
	Text string    `json:"text" doc:"One line in English"`
}

type consumptionInput struct {
	MeterPath
	Quantity string    `query:"quantity" required:"true" doc:"One of the counters of /api/v1/quantities"`
	From     time.Time `query:"from" required:"true" doc:"First moment, RFC 3339"`
	To       time.Time `query:"to" doc:"Last moment; now when absent"`
}

type consumptionOutput struct{ Body ConsumptionJSON }

func (rt *routes) getConsumption(ctx context.Context, in *consumptionInput) (*consumptionOutput, error) {
	info, ok := schemas.Quantity(in.Quantity).Info()
	if !ok || info.Kind != schemas.Counter {
		return nil, problem(http.StatusUnprocessableEntity, codeQuantity,
			fmt.Sprintf("There is no counter %q. /api/v1/quantities lists them.", in.Quantity))
	}
	from, to, bad := rt.rangeOf(in.From, in.To)
	if bad != nil {
		return nil, bad
	}
	id := schemas.MeterID(in.ID)
	readings, err := rt.series.Around(ctx, id, info.Quantity, from, to, maxRegisters)
	if errors.Is(err, ErrTooMany) {
		return nil, problem(http.StatusUnprocessableEntity, codeRange,
			fmt.Sprintf("There are more than %d readings in this range. Ask for a shorter one.", maxRegisters))
	}
	if err != nil {
		return nil, rt.storeProblem(ctx, in.ID, in.Quantity, err)
	}
	result, err := consumption.Of(id, info.Quantity, readings, rt.installations(id), from, to)
	if err != nil {
		rt.log.Error("consumption not computed", "meter", in.ID, "quantity", in.Quantity, "error", err)
		return nil, problem(http.StatusUnprocessableEntity, codeConsumption, err.Error())
	}
	return &consumptionOutput{Body: consumptionJSON(&result, info.Unit)}, nil
}

func consumptionJSON(r *consumption.Result, unit schemas.Unit) ConsumptionJSON {
	j := ConsumptionJSON{Meter: string(r.Meter), Quantity: string(r.Quantity), Unit: string(unit),
		From: r.From, To: r.To, Least: r.Least.String(), Complete: r.Complete(),
		Parts: []ConsumptionPart{}, Problems: []ConsumptionGap{}}
	for i := range r.Parts {
		p := partJSON(&r.Parts[i])
		if p.Value != nil {
			j.Value = text(r.Value)
		}
		j.Parts = append(j.Parts, p)
	}
	if r.MostKnown {
		j.Most = text(r.Most)
	}
	for _, p := range r.Problems {
		j.Problems = append(j.Problems, ConsumptionGap{Code: string(p.Code), From: p.From.UTC(), To: p.To.UTC(), Text: p.Text})
	}
	return j
}

func text(d schemas.Decimal) *string {
	s := d.String()
	return &s
}

func partJSON(p *consumption.Part) ConsumptionPart {
	j := ConsumptionPart{Serial: p.Installation.Serial, From: p.From.UTC(), To: p.To.UTC(),
		Multiplier: p.Installation.Multiplier.String(), Registers: p.Registers.String(), Rollovers: p.Rollovers,
		Start: ConsumptionEdge{registerJSON(p.Start.Before), registerJSON(p.Start.After)},
		End:   ConsumptionEdge{registerJSON(p.End.Before), registerJSON(p.End.After)}}
	if p.Known {
		j.Value = text(p.Value)
	}
	return j
}

func registerJSON(p *consumption.Point) *RegisterValue {
	if p == nil {
		return nil
	}
	source := originName(p.Origin)
	if p.Recorded {
		source = "installation"
	}
	return &RegisterValue{At: p.At.UTC(), Value: p.Value.String(), Source: source}
}

// liveName is the name of schemas.Live in the API, where an empty text is no
// word.
const liveName = "live"

func originName(o schemas.Origin) string {
	if o == schemas.Live {
		return liveName
	}
	return string(o)
}

func parseOrigin(name string) schemas.Origin {
	if name == liveName {
		return schemas.Live
	}
	return schemas.Origin(name)
}
