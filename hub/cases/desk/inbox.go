package desk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"citygrid/hub/cases"
	"citygrid/hub/cases/limits"
	"citygrid/internal/sqldb"
	"citygrid/schemas"
)

// Task is something that waits for a role: the cases in a state, or those with a
// request that the role decides.
type Task struct {
	State   cases.State
	Request cases.RequestKind // set: State is empty
	// Answer narrows State: of checked to those whose last check was answered so, of
	// reported to those handled on the spot (Yes). Empty takes all.
	Answer cases.Outcome
}

// Tasks returns what waits for a role, in the order of the table of acts: the states
// that it moves cases on from, and the requests that it decides.
func Tasks(r cases.Role) (list []Task) {
	add := func(t Task) {
		same := func(o Task) bool { return o.State == t.State && o.Request == t.Request }
		if n := slices.IndexFunc(list, same); n < 0 {
			list = append(list, t)
		} else if list[n].Answer != t.Answer {
			list[n].Answer = ""
		}
	}
	for _, row := range cases.Table() {
		switch {
		case !slices.Contains(row.By, r):
		case row.Act == cases.ActApprove:
			add(Task{Request: row.Request})
		case row.Request == "" && len(row.To) > 0:
			for _, s := range row.From {
				add(Task{State: s, Answer: answerFor(row.Act, s)})
			}
		}
	}
	return list
}

// answerFor is the answer that an act asks of a case in a state (docs/cases.md).
func answerFor(act cases.Act, s cases.State) cases.Outcome {
	switch {
	case act == cases.ActRework:
		return cases.No
	case act == cases.ActClose:
		return cases.Yes
	}
	return ""
}

// Inbox picks cases that are not at their end: by Filter, whose States, Open, Request,
// Light, Near, Before and Limit do not count, and by Text, which stands in the number,
// the class, the place or the description of a case, in any case of letters.
type Inbox struct {
	Filter Filter
	Text   string
	// Light is the traffic light of what waits: of the step of the centre in the states
	// that have one (Stage), else of handling. Empty for any.
	Light limits.Light
}

// Waiting is a case in an inbox.
type Waiting struct {
	Summary
	Case *cases.Case
	// Began is when the hub received the entry that began the state.
	Began time.Time
	// Spot is for Page.After: where the case stands in the order of its task.
	Spot Spot
}

// Spot is a place in the order of a task. The zero Spot is before the first.
type Spot struct{ Key, Seq int64 }

// Page is a part of the cases of a task. Limit 0 means 50; at most 200 come.
type Page struct {
	After Spot
	Limit int
}

// endless stands for no deadline in the order of an inbox.
const endless = int64(1) << 62

// began is when the hub received what began the state of a case. What people answer
// offline counts earlier than that (docs/cases.md), so its entry is asked.
const began = `COALESCE(CASE c.state WHEN 'reported' THEN (SELECT MAX(e.received_ms) FROM case_entries e WHERE e.case_id = c.id AND e.act = 'report')` +
	` WHEN 'verified' THEN (SELECT MAX(e.received_ms) FROM case_entries e WHERE e.case_id = c.id AND e.act = 'answer_verify')` +
	` WHEN 'fed_back' THEN (SELECT MAX(e.received_ms) FROM case_entries e WHERE e.case_id = c.id AND e.act = 'feed_back')` +
	` WHEN 'checked' THEN (SELECT MAX(e.received_ms) FROM case_entries e WHERE e.case_id = c.id AND e.act = 'answer_check')` +
	` ELSE c.since_ms END, c.since_ms)`

// answered is the answer that Task.Answer asks for. The journal is canonical JSON, in
// which a text cannot look like a field.
const answered = `CASE c.state WHEN 'checked' THEN CASE WHEN (SELECT e.body FROM case_entries e WHERE e.case_id = c.id AND e.act = 'answer_check' ORDER BY e.number DESC LIMIT 1) LIKE '%"outcome":"no"%' THEN 'no' ELSE 'yes' END` +
	` WHEN 'reported' THEN CASE WHEN (SELECT e.body FROM case_entries e WHERE e.case_id = c.id AND e.number = 1) LIKE '%"self_handled":true%' THEN 'yes' ELSE 'no' END ELSE '' END`

// waits keeps both beside a case, as the migration 00004 did for the cases of before.
const waits = "UPDATE cases AS c SET began_ms = " + began + ", answer = " + answered + " WHERE c.id = ?"

// key is what a task is ordered by: the deadline of handling where that is what runs,
// else how long the case has been waiting, which puts the oldest limit first.
func (t Task) key() string {
	if t.Request == "" && stages(t.State) != nil {
		return "c.began_ms"
	}
	return fmt.Sprintf("CASE c.deadline_ms WHEN 0 THEN %d ELSE c.deadline_ms END", endless)
}

// Waiting returns the cases of a task, the oldest limit first. An error may be a
// *schemas.FieldError about the filter.
func (d *Desk) Waiting(ctx context.Context, in Inbox, t Task, page Page) ([]Waiting, error) {
	now := d.now()
	q, err := d.inbox(ctx, in, now)
	if err != nil {
		return nil, err
	}
	q, err = d.lit(t.pick(q), t, in.Light, now)
	if err != nil {
		return nil, err
	}
	q = q.ColumnExpr("c.id AS id").ColumnExpr("(" + t.key() + ") AS place").ColumnExpr("c.first_seq AS seq")
	if page.After != (Spot{}) {
		q = q.Where("(("+t.key()+") > ? OR ("+t.key()+") = ? AND c.first_seq > ?)", page.After.Key, page.After.Key, page.After.Seq)
	}
	return d.waiting(ctx, q.OrderExpr("2, 3").Limit(page.limit()), now)
}

// Latest returns the cases that the filter lets through, at their end or not, the
// latest first; open leaves out those at their end.
func (d *Desk) Latest(ctx context.Context, in Inbox, open bool, page Page) ([]Waiting, error) {
	now := d.now()
	in.Filter.Open, in.Filter.Light = open, in.Light
	q, err := d.found(ctx, in, now)
	if err != nil {
		return nil, err
	}
	q = q.ColumnExpr("c.id AS id").ColumnExpr("0 AS place").ColumnExpr("c.first_seq AS seq")
	if page.After.Seq > 0 {
		q = q.Where("c.first_seq < ?", page.After.Seq)
	}
	return d.waiting(ctx, q.OrderExpr("3 DESC").Limit(page.limit()), now)
}

func (p Page) limit() int64 {
	if p.Limit <= 0 {
		return 50
	}
	return int64(min(p.Limit, 200))
}

// Tally is how many cases each task has, in their order, and how many of them are
// past what they wait for.
func (d *Desk) Tally(ctx context.Context, in Inbox, tasks []Task) ([]TaskTally, error) {
	now, out := d.now(), make([]TaskTally, len(tasks))
	for n, t := range tasks {
		q, err := d.inbox(ctx, in, now)
		if err != nil {
			return nil, err
		}
		if q, err = d.lit(t.pick(q), t, in.Light, now); err != nil {
			return nil, err
		}
		late, args := d.late(t, now)
		err = q.ColumnExpr("COUNT(*) AS n").ColumnExpr("COALESCE(SUM(CASE WHEN "+late+" THEN 1 ELSE 0 END), 0) AS late", args...).Scan(ctx, &out[n])
		if err != nil {
			return nil, sqldb.Explain("count an inbox", err)
		}
	}
	return out, nil
}

// TaskTally is how many cases a task has, and how many of them are late.
type TaskTally struct{ N, Late int64 }

// found is the query of a filter, with the text.
func (d *Desk) found(ctx context.Context, in Inbox, now time.Time) (*bun.SelectQuery, error) {
	f := in.Filter
	f.States, f.Request, f.Before, f.Near, f.Metres = nil, "", 0, schemas.Position{}, 0
	q, _, err := d.pick(ctx, f, now)
	if err != nil {
		return nil, err
	}
	if text := strings.TrimSpace(in.Text); text != "" {
		like := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(text)) + "%"
		q = q.Where(`(LOWER(c.id) LIKE ? ESCAPE '\' OR LOWER(c.class_name) LIKE ? ESCAPE '\' OR LOWER(c.location) LIKE ? ESCAPE '\' OR LOWER(c.description) LIKE ? ESCAPE '\' OR LOWER(c.component) LIKE ? ESCAPE '\')`, like, like, like, like, like)
	}
	return q, nil
}

// inbox is the query of all that waits for anybody.
func (d *Desk) inbox(ctx context.Context, in Inbox, now time.Time) (*bun.SelectQuery, error) {
	in.Filter.Open, in.Filter.Light = true, ""
	if l := in.Light; l != "" && !slices.Contains([]limits.Light{limits.None, limits.Green, limits.Yellow, limits.Red}, l) {
		return nil, &schemas.FieldError{Field: "light", Problem: fmt.Sprintf("%.20q is no traffic light", string(l))}
	}
	return d.found(ctx, in, now)
}

// pick narrows a query to the cases of a task.
func (t Task) pick(q *bun.SelectQuery) *bun.SelectQuery {
	if t.Request != "" {
		return q.Where("c.request = ? AND c.request <> ''", string(t.Request))
	}
	q = q.Where("c.state = ?", string(t.State))
	if t.Answer != "" {
		q = q.Where("c.answer = ?", string(t.Answer))
	}
	return q
}

type placeRow struct {
	ID         string
	Place, Seq int64
}

// waiting reads the cases that q finds, in its order, with their journals.
func (d *Desk) waiting(ctx context.Context, q *bun.SelectQuery, now time.Time) ([]Waiting, error) {
	var places []placeRow
	if err := q.Scan(ctx, &places); err != nil {
		return nil, sqldb.Explain("list an inbox", err)
	}
	ids := make([]string, len(places))
	for n := range places {
		ids[n] = places[n].ID
	}
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []caseRow
	if err := d.db.Read.NewSelect().Model(&rows).Where("id IN (?)", bun.List(ids)).Scan(ctx); err != nil {
		return nil, sqldb.Explain("list an inbox", err)
	}
	all, err := bodies(ctx, d.db.Read, ids)
	if err != nil {
		return nil, sqldb.Explain("list an inbox", err)
	}
	byID := make(map[string]*caseRow, len(rows))
	for n := range rows {
		byID[rows[n].ID] = &rows[n]
	}
	out := make([]Waiting, 0, len(places))
	for _, p := range places {
		if byID[p.ID] == nil {
			continue // it was there a moment ago: a case is never deleted but by hand
		}
		w, err := waitingOf(byID[p.ID], all[p.ID], now)
		if err != nil {
			return nil, sqldb.Explain("list an inbox", err)
		}
		w.Spot = Spot{Key: p.Place, Seq: p.Seq}
		out = append(out, w)
	}
	return out, nil
}

// waitingOf is a row with what its journal comes to. A case whose journal is broken
// stays in sight, without the acts that nobody may do to it.
func waitingOf(row *caseRow, bodies []string, now time.Time) (Waiting, error) {
	s, err := row.summary(now)
	w := Waiting{Summary: s, Began: s.Since}
	if err != nil {
		return w, err
	}
	entries, err := decode(row.ID, bodies)
	if err != nil {
		return w, nil
	}
	c, err := cases.Fold(entries)
	if err != nil {
		return w, nil
	}
	w.Case, w.Began = c, Began(c, entries)
	return w, nil
}

// Began is when the hub received the entry that brought a case into its state.
func Began(c *cases.Case, entries []cases.Entry) time.Time {
	for n := len(entries) - 1; n >= 0; n-- {
		if e := &entries[n]; e.CountsAt.Equal(c.Since) && brings(e.Act, c.State) {
			return e.ReceivedAt
		}
	}
	return c.Since
}

// brings reports whether act may bring a case into a state.
func brings(act cases.Act, s cases.State) bool {
	return slices.ContainsFunc(cases.Table(), func(t cases.Transition) bool { return t.Act == act && slices.Contains(t.To, s) })
}
