package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"citygrid/hub/completeness"
	"citygrid/schemas"
)

// Completeness is the ledger of what should have come (package completeness).
type Completeness interface {
	Gaps(context.Context, completeness.Query) (completeness.Page, error)
	Completeness(context.Context, completeness.Query) ([]completeness.Collector, error)
}

// SlotsJSON are slots of meters' schedules.
type SlotsJSON struct {
	Expected int64            `json:"expected" doc:"Always received + refilled + lost in all + unknown"`
	Received int64            `json:"received" doc:"With a live reading in the store"`
	Late     int64            `json:"late" doc:"Of these, those that came long after their hour"`
	Refilled int64            `json:"refilled" doc:"Without a live reading, and with one of the meter's own memory"`
	Unknown  int64            `json:"unknown" doc:"Without a reading, and without a reason yet"`
	Lost     map[string]int64 `json:"lost" doc:"Without a reading, by reason"`
}

// GapJSON is a run of hours in which a meter has slots without a reading.
type GapJSON struct {
	Collector string    `json:"collector"`
	Meter     string    `json:"meter,omitempty" doc:"Absent where a collector has said nothing of any of its meters"`
	From      time.Time `json:"from" doc:"Beginning of the first slot without a reading"`
	To        time.Time `json:"to" doc:"End of the last"`
	SlotsJSON
	Reason string `json:"reason" enum:"collector_off,clock_set,line_busy,line_down,meter_silent,meter_refused,disk_full,spool_age,spool_full,store_lost,unknown,no_word" doc:"That of most of the slots without a reading"`
	Asked  bool   `json:"asked" doc:"The collector was asked to refill it from the meter's memory"`
	Do     string `json:"do" doc:"What an operator does about it"`
}

// GapPageJSON is a page of gaps.
type GapPageJSON struct {
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	Gaps  []GapJSON `json:"gaps" nullable:"false"`
	Next  string    `json:"next,omitempty" doc:"Cursor of the next page; absent on the last"`
}

// CollectorSlotsJSON is what is known of one collector.
type CollectorSlotsJSON struct {
	Collector string     `json:"collector"`
	Meters    int        `json:"meters" doc:"Of which it has told in that time"`
	Told      *time.Time `json:"told" doc:"Up to when it has told of its slots; null: it tells nothing, as programs from before accounts do, and what was expected is not known"`
	Heard     *time.Time `json:"heard" doc:"When it said anything last"`
	Silent    bool       `json:"silent" doc:"That is too long ago"`
	SlotsJSON
}

// GapsRange is the part of a query that says of when and whom.
type GapsRange struct {
	Since     time.Time `query:"since" doc:"First moment, RFC 3339; a day before until when absent"`
	Until     time.Time `query:"until" doc:"First moment after the range; now when absent"`
	Collector string    `query:"collector" pattern:"^[0-9A-Za-z_-]{0,32}$"`
	Area      string    `query:"area" pattern:"^[0-9]{0,12}$" doc:"Only collectors of the area whose code begins so"`
}

type gapListInput struct {
	GapsRange
	Meter  string `query:"meter" pattern:"^[0-9A-Za-z_-]{0,32}$"`
	Reason string `query:"reason" enum:"collector_off,clock_set,line_busy,line_down,meter_silent,meter_refused,disk_full,spool_age,spool_full,store_lost,unknown,no_word," doc:"Only gaps mostly for this reason"`
	Cursor string `query:"cursor" maxLength:"100" doc:"The next of an earlier page with the same since and until"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

type (
	gapsOutput         struct{ Body GapPageJSON }
	completenessOutput struct{ Body []CollectorSlotsJSON }
)

// gapRoutes answer about completeness.
type gapRoutes struct {
	ledger Completeness // nil: this hub keeps none
	now    func() time.Time
	log    *slog.Logger
}

func (g *gapRoutes) register(api huma.API) {
	get(api, "list-gaps", "/api/v1/gaps", "Times in which readings that were due did not come, with the reason", g.gaps)
	get(api, "list-completeness", "/api/v1/completeness", "What was expected of each collector and what came", g.completeness)
}

// codeNoCompleteness: this hub keeps no completeness ledger.
const codeNoCompleteness = "no_completeness_ledger"

// query checks the range.
func (g *gapRoutes) query(in *GapsRange) (completeness.Query, *Problem) {
	q := completeness.Query{Since: in.Since.UTC(), Until: in.Until.UTC(), Collector: schemas.CollectorID(in.Collector), Area: in.Area}
	if g.ledger == nil {
		return q, problem(http.StatusNotFound, codeNoCompleteness, "This hub keeps no ledger of what should have come.")
	}
	if in.Until.IsZero() {
		q.Until = g.now().UTC()
	}
	if in.Since.IsZero() {
		q.Since = q.Until.Add(-24 * time.Hour)
	}
	if !q.Since.Before(q.Until) || q.Until.Sub(q.Since) > maxRange {
		return q, problem(http.StatusUnprocessableEntity, codeRange, "The range must end after it starts and span at most 400 days.")
	}
	return q, nil
}

func (g *gapRoutes) gaps(ctx context.Context, in *gapListInput) (*gapsOutput, error) {
	q, bad := g.query(&in.GapsRange)
	if bad != nil {
		return nil, bad
	}
	q.Meter, q.Reason, q.After, q.Limit = schemas.MeterID(in.Meter), completeness.Reason(in.Reason), in.Cursor, in.Limit
	page, err := g.ledger.Gaps(ctx, q)
	if errors.Is(err, completeness.ErrCursor) {
		return nil, problem(http.StatusBadRequest, codeCursor, "The cursor is not the next of an earlier page.")
	}
	if err != nil {
		return nil, g.failed(ctx, err)
	}
	out := GapPageJSON{Since: q.Since, Until: q.Until, Gaps: make([]GapJSON, 0, len(page.Gaps)), Next: page.Cursor}
	for i := range page.Gaps {
		out.Gaps = append(out.Gaps, GapOf(&page.Gaps[i]))
	}
	return &gapsOutput{Body: out}, nil
}

// GapOf writes a gap as the API does.
func GapOf(g *completeness.Gap) GapJSON {
	return GapJSON{Collector: string(g.Collector), Meter: string(g.Meter), From: g.From.UTC(), To: g.To.UTC(), SlotsJSON: slotsOf(&g.Counts),
		Reason: string(g.Reason), Asked: g.Asked, Do: g.Reason.Do()}
}

func slotsOf(c *completeness.Counts) SlotsJSON {
	s := SlotsJSON{Expected: c.Expected, Received: c.Received, Late: c.Late, Refilled: c.Refilled, Unknown: c.Unknown, Lost: make(map[string]int64, len(c.Lost))}
	for reason, n := range c.Lost {
		s.Lost[string(reason)] = n
	}
	return s
}

func (g *gapRoutes) completeness(ctx context.Context, in *GapsRange) (*completenessOutput, error) {
	q, bad := g.query(in)
	if bad != nil {
		return nil, bad
	}
	list, err := g.ledger.Completeness(ctx, q)
	if err != nil {
		return nil, g.failed(ctx, err)
	}
	out := make([]CollectorSlotsJSON, 0, len(list))
	for i := range list {
		c := &list[i]
		out = append(out, CollectorSlotsJSON{Collector: string(c.ID), Meters: c.Meters, Told: timeOrNil(c.Told), Heard: timeOrNil(c.Heard), Silent: c.Silent, SlotsJSON: slotsOf(&c.Counts)})
	}
	return &completenessOutput{Body: out}, nil
}

func (g *gapRoutes) failed(ctx context.Context, err error) *Problem {
	if !errors.Is(ctx.Err(), context.Canceled) {
		g.log.Error("completeness not answered", "error", err)
	}
	return problem(http.StatusServiceUnavailable, codeStore, "The ledger of completeness did not answer. Nothing is lost; try again, and look at the hub's log.")
}
