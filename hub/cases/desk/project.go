package desk

import (
	"github.com/uptrace/bun"

	"citygrid/hub/cases"
)

// caseRow is what a case comes to, as the table has it.
type caseRow struct {
	bun.BaseModel `bun:"table:cases"`

	ID          string `bun:"id,pk"`
	FirstSeq    int64
	LastSeq     int64
	State       string
	Open        int
	SinceMs     int64
	ReportedMs  int64
	EndedMs     int64
	Source      string
	Urgency     string
	Class       string
	ClassName   string
	Condition   string `bun:"condition_key"`
	Component   string
	Event       string
	Description string
	Location    string
	LonE7       int64 `bun:"lon_e7"`
	LatE7       int64 `bun:"lat_e7"`
	Cell        string
	Duty        string
	Handler     string
	Inspector   string
	Request     string
	Reworks     int
	DuplicateOf string
	Clock       string
	YellowMs    int64
	DeadlineMs  int64
	Entries     uint32
	Head        string
}

// rowOf derives the row of a case, but for the numbers of its first and last entry.
func (d *Desk) rowOf(c *cases.Case) (caseRow, error) {
	h, err := d.handling(c)
	if err != nil {
		return caseRow{}, err
	}
	row := caseRow{
		ID: string(c.ID), State: string(c.State), Open: flag(!c.State.Final()), SinceMs: millis(c.Since), ReportedMs: millis(c.ReportedAt),
		Source: string(c.Report.Source), Urgency: string(c.Report.Urgency), Class: c.Class.String(), ClassName: c.ClassName, Condition: c.Condition,
		Component: string(c.Report.Component), Event: string(c.Report.Event), Description: c.Report.Description, Location: c.Report.Location,
		Cell: string(c.Cell), Duty: string(c.Report.Duty), Handler: string(c.Handler), Reworks: c.Reworks, DuplicateOf: string(c.DuplicateOf),
		Clock: string(h.Clock), YellowMs: millis(h.Yellow), DeadlineMs: millis(h.Deadline), Entries: c.Entries, Head: c.Head,
	}
	if c.State.Final() {
		row.EndedMs = row.SinceMs
	}
	if p := d.o.Plain(c.Report.Position); p.Known() {
		row.LonE7, row.LatE7 = e7(p.Lon), e7(p.Lat)
	}
	switch c.State {
	case cases.Verifying:
		row.Inspector = string(c.Verifier)
	case cases.Checking:
		row.Inspector = string(c.Checker)
	}
	if c.Request != nil {
		row.Request = string(c.Request.Kind)
	}
	return row, nil
}
