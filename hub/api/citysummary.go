package api

import (
	"context"
	"time"

	"citygrid/hub/cases/limits"
	"citygrid/hub/rollup"
	"citygrid/schemas"
)

// CitySummaryJSON is how the city, or an area of it, stands.
type CitySummaryJSON struct {
	At           time.Time             `json:"at"`
	Area         AreaRefJSON           `json:"area"`
	Meters       MetersStanding        `json:"meters"`
	ByMedium     []MediumStanding      `json:"by_medium" nullable:"false"`
	Completeness CompletenessJSON      `json:"completeness"`
	Cases        CasesStanding         `json:"cases"`
	Consumption  []ConsumptionTodayRow `json:"consumption" nullable:"false" doc:"Of every medium that has meters here"`
	Night        []NightRow            `json:"night" nullable:"false" doc:"The least flow of the last night, of every medium that has meters here"`
	Alarms       []AlarmJSON           `json:"alarms" nullable:"false" doc:"Component events that have not cleared, the latest first, at most 20"`
}

// MetersStanding counts meters by how they stand now.
type MetersStanding struct {
	Total     int `json:"total" doc:"Of the register, and those that were heard"`
	Answering int `json:"answering"`
	Late      int `json:"late"`
	Failing   int `json:"failing"`
	Silent    int `json:"silent" doc:"Of the register, and not heard of since the hub's start"`
}

func metersStanding(s *standing) MetersStanding {
	return MetersStanding{s.total, s.answering, s.late, s.failing, s.silent}
}

// MediumStanding is MetersStanding of one medium.
type MediumStanding struct {
	Medium string `json:"medium" enum:"water,power,gas,device" doc:"device: what they measure is not known"`
	MetersStanding
}

// CompletenessJSON says how many of the readings that were due came today.
type CompletenessJSON struct {
	From     time.Time `json:"from"`
	Expected int64     `json:"expected" doc:"Readings due, by each meter's own interval"`
	Got      int64     `json:"got"`
	Ratio    Number    `json:"ratio" doc:"0 to 1; null while nothing is due"`
}

// CasesStanding counts open cases.
type CasesStanding struct {
	Open    int64        `json:"open"`
	Overdue int64        `json:"overdue"`
	ByState []StateCount `json:"by_state" nullable:"false" doc:"States that any open case has"`
	ByLight []LightCount `json:"by_light" nullable:"false"`
}

// StateCount is how many open cases are in a state.
type StateCount struct {
	State string `json:"state"`
	N     int64  `json:"n"`
}

// LightCount is how many open cases have a traffic light.
type LightCount struct {
	Light string `json:"light" enum:"none,green,yellow,red"`
	N     int64  `json:"n"`
}

// ConsumptionTodayRow is what was used since the beginning of the city's day.
type ConsumptionTodayRow struct {
	Medium string  `json:"medium" enum:"water,power,gas"`
	Unit   string  `json:"unit"`
	Today  *string `json:"today" doc:"Exact decimal, up to now; null: nothing is proven"`
	// What follows up to Yesterday compares equal parts of the two days.
	Until     time.Time `json:"until" doc:"End of the last whole hour"`
	TodayTo   *string   `json:"today_to" doc:"As today, up to until"`
	Yesterday *string   `json:"yesterday" doc:"As today_to, a day earlier"`
	Meters    int       `json:"meters"`
	Missing   int       `json:"missing" doc:"Meters that today's value lacks in its worst hour"`
	Waiting   int       `json:"waiting" doc:"Meters that are not due yet in the running hour"`
	Partial   int       `json:"partial" doc:"Meters of which a part of an hour is not known"`
	Carried   int       `json:"carried" doc:"Meters whose value has what they used in a gap before"`
	Hidden    bool      `json:"hidden" doc:"So few meters that a viewer is not shown the values"`
}

// NightRow is the least flow of a night.
type NightRow struct {
	Medium string    `json:"medium" enum:"water,power,gas"`
	Unit   string    `json:"unit" doc:"Of flow" example:"m3/h"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Flow   Number    `json:"flow" doc:"Sum of each meter's least mean flow in the least of the hours, for charts; null where nothing is known"`
	Hidden bool      `json:"hidden"`
}

// AlarmJSON is a component event that has not cleared.
type AlarmJSON struct {
	ID        string     `json:"id"`
	Kind      string     `json:"kind"`
	Cell      string     `json:"cell"`
	Component string     `json:"component" doc:"Empty for viewers, as all that names a thing"`
	Meter     string     `json:"meter"`
	Line      string     `json:"line"`
	Since     *time.Time `json:"since"`
	Opened    time.Time  `json:"opened"`
	Case      string     `json:"case"`
	Note      string     `json:"note"`
}

// AreaQuery names a part of the city.
type AreaQuery struct {
	Area string `query:"area" pattern:"^[0-9A-Z]{0,15}$" doc:"A cell, or a county, street or community; the city when absent"`
}

type summaryOutput struct{ Body CitySummaryJSON }

// alarmsShown bounds the alarms of a summary.
const alarmsShown = 20

func (c *cityRoutes) getSummary(ctx context.Context, in *AreaQuery) (*summaryOutput, error) {
	p, err := c.plan()
	if err != nil {
		return nil, err
	}
	now := c.live.now().UTC()
	b := CitySummaryJSON{At: now, ByMedium: []MediumStanding{}, Consumption: []ConsumptionTodayRow{}, Night: []NightRow{}, Alarms: []AlarmJSON{}}
	if b.Area, err = p.area(in.Area); err != nil {
		return nil, err
	}
	by := c.metersOf(p, in.Area, &b)
	if b.Cases, err = c.casesOf(ctx, in.Area); err == nil {
		err = c.todayOf(ctx, in.Area, now, &by, &b)
	}
	if err == nil {
		b.Alarms, err = c.alarmsOf(ctx, in.Area)
	}
	if err != nil {
		return nil, c.problemOf(ctx, "city summary", err)
	}
	return &summaryOutput{b}, nil
}

func (c *cityRoutes) metersOf(p *Plan, area string, b *CitySummaryJSON) [sightMedia]standing {
	from, to := p.town.Range(area)
	by := c.sight(p).sum(from, to)
	all := standing{}
	for n := range by {
		all.add(&by[n])
		medium := schemas.Device
		if n < len(rollup.Media()) {
			medium = rollup.Media()[n]
		}
		if by[n].total > 0 {
			b.ByMedium = append(b.ByMedium, MediumStanding{string(medium), metersStanding(&by[n])})
		}
	}
	b.Meters = metersStanding(&all)
	return by
}

func (c *cityRoutes) casesOf(ctx context.Context, area string) (CasesStanding, error) {
	out := CasesStanding{ByState: []StateCount{}, ByLight: []LightCount{}}
	list, err := c.openCases(ctx)
	if err != nil {
		return out, err
	}
	states, lights := map[string]int64{}, map[limits.Light]int64{}
	for n := range list {
		t := &list[n]
		if len(t.Cell) < len(area) || string(t.Cell[:len(area)]) != area {
			continue
		}
		out.Open += t.N
		states[string(t.State)] += t.N
		lights[t.Light] += t.N
	}
	out.Overdue = lights[limits.Red]
	for _, s := range openStates() {
		if n := states[s]; n > 0 {
			out.ByState = append(out.ByState, StateCount{s, n})
		}
	}
	for _, l := range []limits.Light{limits.None, limits.Green, limits.Yellow, limits.Red} {
		out.ByLight = append(out.ByLight, LightCount{string(l), lights[l]})
	}
	return out, nil
}

// todayOf fills in completeness, consumption and night.
func (c *cityRoutes) todayOf(ctx context.Context, area string, now time.Time, by *[sightMedia]standing, b *CitySummaryJSON) error {
	day := zoneDay(now, c.o.Zone)
	b.Completeness.From = day.UTC()
	for _, m := range append(rollup.Media(), schemas.Device) {
		hours, err := c.o.Figures.Hours(ctx, area, m, day.AddDate(0, 0, -1).UTC(), now)
		if err != nil {
			return err
		}
		all := total(hours, day, now)
		b.Completeness.Expected += all.Expected
		b.Completeness.Got += all.Got
		if m == schemas.Device || by[sightOf(m)].total == 0 && all.Meters == 0 {
			continue
		}
		hide := viewsOnly(ctx) && (max(by[sightOf(m)].total, all.Meters) < hiddenBelow || all.Meters > 0 && few(&all))
		b.Consumption = append(b.Consumption, today(m, hours, &all, day, now, hide))
		b.Night = append(b.Night, c.night(m, hours, now, hide))
	}
	b.Completeness.Ratio = ratio(b.Completeness.Got, b.Completeness.Expected)
	return nil
}

// total adds up the hours that begin in [from, to).
func total(hours []rollup.Hour, from, to time.Time) (sum rollup.Figure) {
	for n := range hours {
		if h := &hours[n]; h.Of != nil && !h.Start.Before(from) && h.Start.Before(to) {
			sum.After(h.Of)
		}
	}
	return sum
}

func today(m schemas.Medium, hours []rollup.Hour, all *rollup.Figure, day, now time.Time, hide bool) ConsumptionTodayRow {
	until := now.Truncate(time.Hour)
	before := day.AddDate(0, 0, -1)
	row := ConsumptionTodayRow{Medium: string(m), Unit: string(rollup.Unit(m)), Until: until, Meters: all.Meters, Missing: all.Missing(),
		Waiting: all.Waiting, Partial: all.Partial, Carried: all.Carried, Hidden: hide}
	if hide {
		return row
	}
	whole, earlier := total(hours, day, until), total(hours, before, before.Add(until.Sub(day)))
	row.Today, row.TodayTo, row.Yesterday = amount(all), amount(&whole), amount(&earlier)
	return row
}

// amount is null where nothing is proven.
func amount(f *rollup.Figure) *string {
	if !f.Known {
		return nil
	}
	return text(f.Value)
}

// The hours of the night, by the city's clock: people sleep, and what flows leaks.
const nightBegins, nightEnds = 1, 5

// night finds the least flow of the last night, or of the one that is.
func (c *cityRoutes) night(m schemas.Medium, hours []rollup.Hour, now time.Time, hide bool) NightRow {
	day := zoneDay(now.Add(-nightBegins*time.Hour), c.o.Zone)
	y, month, d := day.Date()
	row := NightRow{Medium: string(m), Unit: flowUnit(m), Hidden: hide,
		From: time.Date(y, month, d, nightBegins, 0, 0, 0, c.o.Zone).UTC(), To: time.Date(y, month, d, nightEnds, 0, 0, 0, c.o.Zone).UTC()}
	if least := total(hours, row.From, row.To); least.FlowKnown && !hide {
		row.Flow = flowNumber(&least)
	}
	return row
}

// flowUnit is the unit of consumption by the hour.
func flowUnit(m schemas.Medium) string {
	if m == schemas.Power {
		return "kW"
	}
	return string(rollup.Unit(m)) + "/h"
}

func (c *cityRoutes) alarmsOf(ctx context.Context, area string) ([]AlarmJSON, error) {
	list, err := c.o.Cases.Lasting(ctx, area, alarmsShown)
	if err != nil {
		return nil, err
	}
	out := make([]AlarmJSON, len(list))
	for n := range list {
		e := &list[n]
		out[n] = AlarmJSON{ID: string(e.ID), Kind: string(e.Kind), Cell: string(e.Cell), Since: timeOrNil(e.Since), Opened: e.Opened}
		sees := detailOf(ctx)
		if sees.things {
			out[n].Component, out[n].Meter, out[n].Line = string(e.Component), string(e.Meter), e.Line
		}
		if sees.cases {
			out[n].Case, out[n].Note = string(e.Case), e.Note
		}
	}
	return out, nil
}
