package api

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"sort"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/consumption"
	"citygrid/schemas"
)

// maxConsumptionSteps bounds one answer: the hours of two weeks, or the days of a year.
const maxConsumptionSteps = 400

// ConsumptionStepsJSON is what went through a meter's place, step by step.
type ConsumptionStepsJSON struct {
	Meter    string            `json:"meter"`
	Quantity string            `json:"quantity"`
	Unit     string            `json:"unit" doc:"UCUM code of the values"`
	StepS    int64             `json:"step_s"`
	Recorded bool              `json:"recorded" doc:"Whether the place has installation records; without, it is taken for one meter with multiplier 1"`
	Steps    []ConsumptionStep `json:"steps" nullable:"false"`
}

// ConsumptionStep is the consumption of one step.
type ConsumptionStep struct {
	From  time.Time `json:"from"`
	To    time.Time `json:"to" doc:"The step's end, or now"`
	Value *string   `json:"value" doc:"Exact decimal, between the last good readings at or before from and to; null when the readings prove nothing"`
	Gap   string    `json:"gap" enum:"no_meter,uncovered,no_reading,no_start,no_end,nothing_new,fall," doc:"Why value is only what is proven; empty when nothing is missing"`
}

type (
	consumptionStepsInput struct {
		MeterPath
		Quantity string    `query:"quantity" required:"true" doc:"One of the counters of /api/v1/quantities"`
		From     time.Time `query:"from" required:"true" doc:"Where the first step begins: a local midnight, for days"`
		To       time.Time `query:"to" doc:"End of the last step; now when absent"`
		Step     string    `query:"step" enum:"hour,day" default:"day"`
	}
	consumptionStepsOutput struct{ Body ConsumptionStepsJSON }
)

// registerSteps adds the operation.
func (rt *routes) registerSteps(api huma.API) {
	get(api, "get-consumption-steps", "/api/v1/meters/{id}/consumption/steps", "What went through a meter's place, by hour or by day", rt.getConsumptionSteps)
}

func (rt *routes) getConsumptionSteps(ctx context.Context, in *consumptionStepsInput) (*consumptionStepsOutput, error) {
	info, ok := schemas.Quantity(in.Quantity).Info()
	if !ok || info.Kind != schemas.Counter {
		return nil, problem(http.StatusUnprocessableEntity, codeQuantity,
			fmt.Sprintf("There is no counter %q. /api/v1/quantities lists them.", in.Quantity))
	}
	from, to, bad := rt.rangeOf(in.From, in.To)
	if bad != nil {
		return nil, bad
	}
	to = earliest(to, rt.live.now().UTC())
	step := time.Hour
	if in.Step == "day" {
		step = 24 * time.Hour
	}
	if !from.Before(to) || to.Sub(from) > maxConsumptionSteps*step {
		return nil, problem(http.StatusUnprocessableEntity, codeRange, fmt.Sprintf("The range must have begun and span at most %d steps.", maxConsumptionSteps))
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
	installed := rt.installations(id)
	out := ConsumptionStepsJSON{Meter: in.ID, Quantity: in.Quantity, Unit: string(info.Unit), StepS: int64(step / time.Second), Recorded: len(installed) > 0}
	if out.Steps, err = consumptionSteps(id, info.Quantity, readings, installed, from, to, step); err != nil {
		rt.log.Error("consumption not computed", "meter", in.ID, "quantity", in.Quantity, "error", err)
		return nil, problem(http.StatusUnprocessableEntity, codeConsumption, err.Error())
	}
	return &consumptionStepsOutput{Body: out}, nil
}

// earliest returns the sooner of two moments.
func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// consumptionSteps works the steps out of readings that go from one before from to one
// after to, of each origin.
func consumptionSteps(id schemas.MeterID, q schemas.Quantity, readings []schemas.Reading, installed []schemas.Installation, from, to time.Time, step time.Duration) ([]ConsumptionStep, error) {
	steps, origins := []ConsumptionStep{}, originsIn(readings)
	for ; from.Before(to); from = from.Add(step) {
		end := earliest(from.Add(step), to)
		r, err := consumption.Of(id, q, around(readings, origins, from, end), installed, from, end)
		if err != nil {
			return nil, err
		}
		j := ConsumptionStep{From: from, To: end, Gap: gapOf(&r)}
		if slices.ContainsFunc(r.Parts, func(p consumption.Part) bool { return p.Known }) {
			j.Value = text(r.Value)
		}
		steps = append(steps, j)
	}
	return steps, nil
}

// gapOf returns the first thing that is missing, besides the records.
func gapOf(r *consumption.Result) string {
	for _, p := range r.Problems {
		if p.Code.IsGap() && p.Code != consumption.NoRecord {
			return string(p.Code)
		}
	}
	return ""
}

// around returns the readings of from <= TakenAt <= to and, of each origin, the last
// before and the first after, of readings of so many origins that ascend in time.
func around(readings []schemas.Reading, origins int, from, to time.Time) []schemas.Reading {
	first := sort.Search(len(readings), func(i int) bool { return !readings[i].TakenAt.Before(from) })
	end := first + sort.Search(len(readings)-first, func(i int) bool { return readings[first+i].TakenAt.After(to) })
	before := nearest(slices.Backward(readings[:first]), origins)
	slices.Reverse(before)
	return slices.Concat(before, readings[first:end], nearest(slices.All(readings[end:]), origins))
}

// nearest returns the first reading of each origin, in the order in which they come.
func nearest(readings iter.Seq2[int, schemas.Reading], origins int) (found []schemas.Reading) {
	for _, r := range readings {
		if !slices.ContainsFunc(found, func(f schemas.Reading) bool { return f.Origin == r.Origin }) {
			if found = append(found, r); len(found) == origins {
				break
			}
		}
	}
	return found
}

// originsIn counts the origins of readings.
func originsIn(readings []schemas.Reading) int {
	seen := make(map[schemas.Origin]bool)
	for i := range readings {
		seen[readings[i].Origin] = true
	}
	return len(seen)
}
