package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/cases"
	"citygrid/hub/cases/indicators"
)

// CaseIndicators counts how well the work on cases goes (docs/indicators.md).
type CaseIndicators interface {
	// Rows counts over periods, in order, everything that the journals hold now.
	Rows(ctx context.Context, periods []indicators.Period) ([]indicators.Row, error)
}

// codeNoIndicators says that nobody counts.
const codeNoIndicators = "no_indicators"

// RatioJSON is an indicator: numerator and denominator as whole numbers.
type RatioJSON struct {
	Num     int64  `json:"num"`
	Den     int64  `json:"den"`
	Percent string `json:"percent,omitempty" doc:"With two decimals; absent where there are no data, which is not 0 %" example:"98.76"`
}

// IndicatorRowJSON is the numbers of one person, department, place or class in a
// period.
type IndicatorRowJSON struct {
	Period     string               `json:"period" example:"2026-11"`
	Dimension  string               `json:"dimension" enum:"city,inspector,acceptor,shift_leader,dispatcher,department,cell,community,street,class"`
	Key        string               `json:"key" doc:"Empty for the city"`
	Indicators map[string]RatioJSON `json:"indicators"`
	Counts     map[string]int64     `json:"counts"`
	Score      string               `json:"score,omitempty" doc:"Out of 100, with two decimals; absent where less than half of the weight has data"`
	Grade      string               `json:"grade,omitempty" doc:"A to E"`
}

func indicatorRowJSON(r *indicators.Row) IndicatorRowJSON {
	j := IndicatorRowJSON{Period: r.Period, Dimension: string(r.Dimension), Key: r.Key, Indicators: map[string]RatioJSON{}, Counts: map[string]int64{}}
	for _, i := range indicators.Indicators() {
		v := r.Ratio(i)
		ratio := RatioJSON{Num: v.Num, Den: v.Den}
		if bp, ok := v.BasisPoints(); ok {
			ratio.Percent = hundredths(bp)
		}
		j.Indicators[i.Name()] = ratio
	}
	for _, n := range indicators.Counts() {
		j.Counts[n.Name()] = r.Count(n)
	}
	if s := r.Score(); s.Known() {
		j.Score, j.Grade = hundredths(s.Hundredths), s.Grade()
	}
	return j
}

// hundredths writes 9876 as "98.76".
func hundredths(n int64) string { return fmt.Sprintf("%d.%02d", n/100, n%100) }

// IndicatorSelection is what is counted, and by what.
type IndicatorSelection struct {
	From string   `query:"from" required:"true" format:"date" doc:"First day, in the city's zone"`
	To   string   `query:"to" required:"true" format:"date" doc:"Last day"`
	Step string   `query:"step" enum:"all,month" default:"all" doc:"all: one period; month: one for each month"`
	By   []string `query:"by" enum:"city,inspector,acceptor,shift_leader,dispatcher,department,cell,community,street,class" doc:"Only these dimensions, separated by commas; absent for all. Who is neither shift leader nor admin sees of persons only oneself"`
	Key  string   `query:"key" maxLength:"128" doc:"Only this person, department, place or class"`
}

// countTime bounds a count: millions of entries.
const countTime = 5 * time.Minute

// maxIndicatorDays bounds a question: a year and a month of change.
const maxIndicatorDays = 400

// periods are those that s asks for.
func (s *IndicatorSelection) periods(zone *time.Location) ([]indicators.Period, *Problem) {
	from, err := time.ParseInLocation(time.DateOnly, s.From, zone)
	if err != nil {
		return nil, fieldProblem("query.from", "want a day such as 2026-11-23")
	}
	last, err := time.ParseInLocation(time.DateOnly, s.To, zone)
	if err != nil {
		return nil, fieldProblem("query.to", "want a day such as 2026-11-23")
	}
	to := last.AddDate(0, 0, 1)
	if !from.Before(to) || to.After(from.AddDate(0, 0, maxIndicatorDays)) {
		return nil, problem(http.StatusUnprocessableEntity, codeRange, fmt.Sprintf("The range must not end before it begins, and span at most %d days.", maxIndicatorDays))
	}
	if s.Step != "month" {
		return []indicators.Period{{Name: s.From + "/" + s.To, From: from, To: to}}, nil
	}
	var list []indicators.Period
	for begin := from; begin.Before(to); {
		y, m, _ := begin.Date()
		end := time.Date(y, m+1, 1, 0, 0, 0, 0, zone)
		if to.Before(end) {
			end = to
		}
		list = append(list, indicators.Period{Name: begin.Format("2006-01"), From: begin, To: end})
		begin = end
	}
	return list, nil
}

type (
	indicatorsInput struct {
		IndicatorSelection
	}
	indicatorsOutput      struct{ Body []IndicatorRowJSON }
	exportIndicatorsInput struct {
		IndicatorSelection
		Format string `query:"format" enum:"csv,xlsx" default:"csv"`
	}
)

func (c *caseRoutes) registerIndicators(api huma.API) {
	caseOperation(c, api, huma.Operation{
		OperationID: "get-indicators", Method: http.MethodGet, Path: "/api/v1/indicators",
		Summary: "Indicators of the work on cases, with numerators and denominators", Middlewares: bounded(api, c.counts),
	}, nil, c.getIndicators)
	caseOperation(c, api, huma.Operation{
		OperationID: "export-indicators", Method: http.MethodGet, Path: "/api/v1/exports/indicators",
		Summary: "Indicators as a table for spreadsheets", Middlewares: bounded(api, c.counts), Responses: tableResponses(),
	}, nil, c.exportIndicators)
}

func (c *caseRoutes) getIndicators(ctx context.Context, in *indicatorsInput) (*indicatorsOutput, error) {
	rows, err := c.indicatorRows(ctx, &in.IndicatorSelection)
	if err != nil {
		return nil, err
	}
	out := &indicatorsOutput{Body: []IndicatorRowJSON{}}
	for n := range rows {
		out.Body = append(out.Body, indicatorRowJSON(&rows[n]))
	}
	return out, nil
}

// indicatorRows counts, and leaves out what was not asked for and what is another
// person's.
func (c *caseRoutes) indicatorRows(ctx context.Context, s *IndicatorSelection) ([]indicators.Row, error) {
	if c.o.Indicators == nil {
		return nil, problem(http.StatusNotFound, codeNoIndicators, "This hub counts no indicators.")
	}
	periods, bad := s.periods(c.o.Zone)
	if bad != nil {
		return nil, bad
	}
	bound, cancel := context.WithTimeout(ctx, countTime)
	defer cancel()
	rows, err := c.o.Indicators.Rows(bound, periods)
	if err != nil && bound.Err() != nil && ctx.Err() == nil {
		return nil, problem(http.StatusServiceUnavailable, codeCasesBusy, fmt.Sprintf("Counting was given up after %v: the hub has too much else to do. Try again in a quiet hour.", countTime))
	}
	if err != nil {
		return nil, c.problemOf(ctx, "count indicators", err)
	}
	p := casePersonOf(ctx)
	return slices.DeleteFunc(rows, func(r indicators.Row) bool {
		return len(s.By) > 0 && !slices.Contains(s.By, string(r.Dimension)) || s.Key != "" && r.Key != s.Key || !mayCount(p, &r)
	}), nil
}

// mayCount: how well a person works is told to that person and to those who lead.
func mayCount(p *CasePerson, r *indicators.Row) bool {
	switch r.Dimension {
	case indicators.Inspector, indicators.Acceptor, indicators.ShiftLeader, indicators.Dispatcher:
		return p.has(cases.ShiftLeader) || p.has(cases.Admin) || r.Key == string(p.ID)
	}
	return true
}

func (c *caseRoutes) exportIndicators(ctx context.Context, in *exportIndicatorsInput) (*huma.StreamResponse, error) {
	rows, err := c.indicatorRows(ctx, &in.IndicatorSelection)
	if err != nil {
		return nil, err
	}
	write := func(out io.Writer) error { return indicators.CSV(out, rows) }
	if in.Format == "xlsx" {
		write = func(out io.Writer) error { return indicators.XLSX(out, rows) }
	}
	var body bytes.Buffer
	if err := write(&body); err != nil {
		return nil, c.problemOf(ctx, "export indicators", err)
	}
	name := fmt.Sprintf("indicators-%s-%s.%s", in.From, in.To, in.Format)
	return &huma.StreamResponse{Body: func(request huma.Context) {
		tableHead(request, name, in.Format)
		_, _ = request.BodyWriter().Write(body.Bytes()) // the client has gone: nobody is left to tell
	}}, nil
}
