package api

import (
	"context"
	"strconv"
	"time"

	"citygrid/hub/cases"
	"citygrid/hub/rollup"
	"citygrid/schemas"
)

// CitySeriesJSON is consumption, least flow and completeness by hour or day.
type CitySeriesJSON struct {
	Area     AreaRefJSON `json:"area"`
	Medium   string      `json:"medium" enum:"water,power,gas"`
	Unit     string      `json:"unit"`
	FlowUnit string      `json:"flow_unit"`
	Step     string      `json:"step" enum:"hour,day" doc:"Days are the city's"`
	From     time.Time   `json:"from"`
	To       time.Time   `json:"to"`
	Points   []CityPoint `json:"points" nullable:"false" doc:"Every step of the range"`
	Hidden   bool        `json:"hidden" doc:"So few meters that a viewer is not shown the values"`
}

// CityPoint is a step of a series.
type CityPoint struct {
	At           time.Time `json:"at" doc:"Its first moment"`
	Value        *string   `json:"value" doc:"Consumption, exact decimal; null: nothing is proven, never 0"`
	Flow         Number    `json:"flow" doc:"Sum of each meter's least mean flow, of the least hour, for charts; null where nothing is known"`
	Completeness Number    `json:"completeness" doc:"0 to 1; null where nothing was due"`
	Meters       int       `json:"meters"`
	Missing      int       `json:"missing" doc:"Meters that value lacks, in the worst hour"`
	Waiting      int       `json:"waiting"`
	Partial      int       `json:"partial"`
	Carried      int       `json:"carried" doc:"Meters whose value has what they used in a gap before"`
	Hours        int       `json:"hours" doc:"Hours of the step of which anything is known"`
	Final        bool      `json:"final" doc:"False while an hour of it is running, or not counted"`
}

type seriesInput struct {
	AreaQuery
	Medium string    `query:"medium" required:"true" enum:"water,power,gas"`
	From   time.Time `query:"from" doc:"First moment, taken down to a whole hour or to the beginning of the city's day; a day (step hour) or 30 days (step day) back when absent"`
	To     time.Time `query:"to" doc:"First moment after; now when absent"`
	Step   string    `query:"step" enum:"hour,day" default:"hour"`
}

type seriesOutput struct{ Body CitySeriesJSON }

func (c *cityRoutes) getSeries(ctx context.Context, in *seriesInput) (*seriesOutput, error) {
	p, err := c.plan()
	if err != nil {
		return nil, err
	}
	m := schemas.Medium(in.Medium)
	b := CitySeriesJSON{Medium: in.Medium, Unit: string(rollup.Unit(m)), FlowUnit: flowUnit(m), Step: in.Step, Points: []CityPoint{}}
	if b.Area, err = p.area(in.Area); err != nil {
		return nil, err
	}
	from := in.From
	if from.IsZero() {
		from = c.live.now().Add(-24 * time.Hour)
		if in.Step == "day" {
			from = c.live.now().AddDate(0, 0, -30)
		}
	}
	if in.Step == "day" {
		from = zoneDay(from, c.o.Zone)
	}
	if b.From, b.To, err = c.span(from, in.To); err != nil {
		return nil, err
	}
	hours, err := c.o.Figures.Hours(ctx, in.Area, m, b.From, b.To)
	if err != nil {
		return nil, c.problemOf(ctx, "city series", err)
	}
	most := 0
	for _, step := range c.steps(hours, in.Step) {
		point, sum := cityPoint(step)
		most = max(most, sum.Meters)
		if viewsOnly(ctx) && in.Area != "" && few(&sum) {
			point.Value, point.Flow = nil, ""
		}
		b.Points = append(b.Points, point)
	}
	if b.Hidden = viewsOnly(ctx) && in.Area != "" && most < hiddenBelow; b.Hidden {
		for n := range b.Points {
			b.Points[n].Value, b.Points[n].Flow = nil, ""
		}
	}
	return &seriesOutput{b}, nil
}

// steps cuts hours into those of each step.
func (c *cityRoutes) steps(hours []rollup.Hour, step string) (out [][]rollup.Hour) {
	var last time.Time
	for n := range hours {
		at := hours[n].Start
		if step == "day" {
			at = zoneDay(at, c.o.Zone)
		}
		if len(out) == 0 || !at.Equal(last) {
			out = append(out, nil)
			last = at
		}
		out[len(out)-1] = append(out[len(out)-1], hours[n])
	}
	return out
}

func cityPoint(hours []rollup.Hour) (CityPoint, rollup.Figure) {
	point := CityPoint{At: hours[0].Start, Final: true}
	var sum rollup.Figure
	for n := range hours {
		point.Final = point.Final && hours[n].Final
		if hours[n].Of != nil {
			sum.After(hours[n].Of)
			point.Hours++
		}
	}
	point.Value, point.Completeness = amount(&sum), ratio(sum.Got, sum.Expected)
	if sum.FlowKnown {
		point.Flow = flowNumber(&sum)
	}
	point.Meters, point.Missing, point.Waiting, point.Partial, point.Carried = sum.Meters, sum.Missing(), sum.Waiting, sum.Partial, sum.Carried
	return point, sum
}

// flowNumber writes a flow to six digits.
func flowNumber(f *rollup.Figure) Number { return Number(strconv.FormatFloat(f.Flow, 'g', 6, 64)) }

// openStates are the states of cases that are not at their end.
func openStates() (out []string) {
	for _, s := range cases.States() {
		if !s.Final() {
			out = append(out, string(s))
		}
	}
	return out
}
