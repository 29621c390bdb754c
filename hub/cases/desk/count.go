package desk

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/cases"
	"citygrid/hub/cases/limits"
	"citygrid/internal/sqldb"
	"citygrid/schemas"
	"citygrid/schemas/codes"
)

// CountBy is something that cases are counted by.
type CountBy string

// What cases are counted by. ByCommunity takes the cell's first twelve digits.
const (
	ByCell      CountBy = "cell"
	ByCommunity CountBy = "community"
	ByState     CountBy = "state"
	ByClass     CountBy = "class"
	ByLight     CountBy = "light"
)

// Tally is how many cases have something in common. Only the fields that were counted
// by are filled in; Cell and Community are empty for cases whose cell is not known.
type Tally struct {
	Cell      codes.CellCode
	Community codes.AreaCode
	State     cases.State
	Class     string // as codes.Ref writes it
	Light     limits.Light
	N         int64
}

// Counts counts what List would list, whatever the page, by some of their properties,
// in no order. What there is none of is left out. An error may be a
// *schemas.FieldError about the filter.
func (d *Desk) Counts(ctx context.Context, f Filter, by ...CountBy) ([]Tally, error) {
	now := d.now()
	f.Before = 0
	q, err := d.countQuery(ctx, f, now)
	if err != nil {
		return nil, err
	}
	ms := millis(now)
	for _, b := range by {
		var expr string
		var args []any
		switch b {
		case ByCell, ByState, ByClass:
			expr = "c." + string(b)
		case ByCommunity:
			expr = "SUBSTR(c.cell, 1, 12)"
		case ByLight:
			expr, args = lightSQL, []any{string(ClockMet), string(limits.Green), string(ClockMissed), string(limits.Red), string(ClockRunning),
				ms, string(limits.Red), ms, string(limits.Yellow), string(limits.Green), string(limits.None)}
		default:
			return nil, &schemas.FieldError{Field: "by", Problem: fmt.Sprintf("%q is nothing that cases are counted by", string(b))}
		}
		q = q.ColumnExpr(expr+" AS ?", append(args, bun.Ident("by_"+string(b)))...).GroupExpr("?", bun.Ident("by_"+string(b)))
	}
	var rows []tallyRow
	if err := q.ColumnExpr("COUNT(*) AS n").Scan(ctx, &rows); err != nil {
		return nil, sqldb.Explain("count cases", err)
	}
	out := make([]Tally, 0, len(rows))
	for n := range rows {
		if r := &rows[n]; r.N > 0 { // without groups, nothing is a row of 0
			out = append(out, Tally{codes.CellCode(r.Cell), codes.AreaCode(r.Community), cases.State(r.State), r.Class, limits.Light(r.Light), r.N})
		}
	}
	return out, nil
}

// lightSQL is what caseRow.light says.
const lightSQL = "CASE WHEN c.clock = ? THEN ? WHEN c.clock = ? THEN ? WHEN c.clock = ? THEN CASE WHEN c.deadline_ms <= ? THEN ? WHEN c.yellow_ms <= ? THEN ? ELSE ? END ELSE ? END"

type tallyRow struct {
	Cell      string `bun:"by_cell"`
	Community string `bun:"by_community"`
	State     string `bun:"by_state"`
	Class     string `bun:"by_class"`
	Light     string `bun:"by_light"`
	N         int64  `bun:"n"`
}

// countQuery makes the query for a filter. What is open, in an area or everywhere, is
// counted from an index that has all that cases are counted by.
func (d *Desk) countQuery(ctx context.Context, f Filter, now time.Time) (*bun.SelectQuery, error) {
	if !d.db.SQLite() || !f.tallied() {
		q, _, err := d.pick(ctx, f, now)
		return q, err
	}
	if err := f.check(schemas.Position{}); err != nil {
		return nil, err
	}
	q := d.db.Read.NewSelect().TableExpr("cases AS c INDEXED BY cases_tally")
	return f.light(f.equal(q), now), nil
}

// tallied reports whether f asks for open cases, and for nothing else that is not in
// the index cases_tally.
func (f *Filter) tallied() bool {
	rest := string(f.Duty) + string(f.Component) + string(f.Source) + string(f.Department) + string(f.Handler) + string(f.Inspector) + string(f.Request)
	return f.Open && rest == "" && f.Since.IsZero() && f.Until.IsZero() && !f.Near.Known() && f.Metres == 0
}
