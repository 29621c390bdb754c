package desk

import (
	"context"
	"database/sql"
	"errors"
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

// Inbox picks cases: by Filter, whose Open, Request, Light, Near, Before and Limit do not
// count, and States for Latest only; and by Text, which stands in the number, the class,
// the place, the description or the component of a case, in any case of letters.
type Inbox struct {
	Filter Filter
	Text   string
	// Light is the traffic light of what waits: of the step of the centre in the states
	// that have one (Stage), else of handling. Empty for any.
	Light limits.Light
}

// searches reports whether a text is looked for.
func (in *Inbox) searches() bool { return strings.TrimSpace(in.Text) != "" }

// Standing is where a case stands in the order of a task, and what that is made of.
type Standing struct {
	ID      cases.CaseID
	State   cases.State
	Source  cases.Source
	Request cases.RequestKind // that is open
	Answer  cases.Outcome     // as Task.Answer
	// Began is when the hub received the entry that began the state.
	Began time.Time
	// Deadline is that of handling; zero where none is known.
	Deadline time.Time
	Light    limits.Light // of handling
	// Spot is for Page.After.
	Spot Spot
}

// Waiting is a case in an inbox.
type Waiting struct {
	Summary
	Case *cases.Case
	// Began is when the hub received the entry that began the state.
	Began time.Time
}

// Spot is a place in the order of a task. The zero Spot is before the first.
type Spot struct{ Key, Seq int64 }

// Page is a part of the cases of a task. Limit 0 means 50; at most 1000 come.
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

// searched is the text that Inbox.Text is looked for in: no search goes from one part of
// it to the next.
const searched = "LOWER(c.id || '\n' || c.class_name || '\n' || c.location || '\n' || c.description || '\n' || c.component)"

// waits keeps them beside a case, as the migrations 00004 and 00006 did for the cases of
// before.
const waits = "UPDATE cases AS c SET began_ms = " + began + ", answer = " + answered + ", search = " + searched + " WHERE c.id = ?"

// key is what a task is ordered by, and the index that has this order: the deadline of
// handling where that is what runs, else how long the case has been waiting, which puts
// the oldest limit first.
func (t Task) key() (text, index string) {
	switch {
	case t.Request == "" && stages(t.State) != nil:
		return "c.began_ms", "cases_waiting"
	case t.Request != "":
		index = "cases_requests"
	default:
		index = "cases_handled"
	}
	return fmt.Sprintf("CASE c.deadline_ms WHEN 0 THEN %d ELSE c.deadline_ms END", endless), index
}

// Spot is the place of a case in the order of a task, and false where it is none of the
// task's.
func (t Task) Spot(s *Standing) (Spot, bool) {
	text, _ := t.key()
	key := endless
	switch {
	case text == "c.began_ms":
		key = millis(s.Began)
	case !s.Deadline.IsZero():
		key = millis(s.Deadline)
	}
	if t.Request != "" {
		return Spot{key, s.Spot.Seq}, s.Request == t.Request
	}
	return Spot{key, s.Spot.Seq}, s.State == t.State && (t.Answer == "" || s.Answer == t.Answer)
}

// Passed reports whether a spot is o or comes before it.
func (s Spot) Passed(o Spot) bool { return s.Key < o.Key || s.Key == o.Key && s.Seq <= o.Seq }

// Waiting returns where the cases of a task stand, the oldest limit first; Look reads
// them. An error may be a *schemas.FieldError about the filter.
func (d *Desk) Waiting(ctx context.Context, in Inbox, t Task, page Page) ([]Standing, error) {
	now := d.now()
	q, err := d.inbox(ctx, in, t, now)
	if err != nil {
		return nil, err
	}
	key, _ := t.key()
	q = placed(q, "("+key+")")
	if page.After != (Spot{}) {
		q = after(q, key, page.After)
	}
	return places(ctx, q.OrderExpr("2, 3").Limit(page.limit()), now)
}

// after leaves out what comes up to a place. The first part lets SQLite go there in an
// index of an expression.
func after(q *bun.SelectQuery, key string, s Spot) *bun.SelectQuery {
	return q.Where("("+key+") >= ? AND (("+key+") > ? OR c.first_seq > ?)", s.Key, s.Key, s.Seq)
}

// Reach is the last case that a search has looked at: those before it are left to the
// page after Spot. The zero Reach says that none is left.
type Reach struct {
	Spot     Spot
	Reported time.Time
}

// Latest returns where the cases that the filter lets through stand, at their end or
// not, the latest first; open leaves out those at their end. States of the filter count.
// A search looks at Options.SearchAtOnce cases for a page; its Reach is how far it came.
func (d *Desk) Latest(ctx context.Context, in Inbox, open bool, page Page) ([]Standing, Reach, error) {
	now := d.now()
	reach, err := d.reach(ctx, in, open, page.After, now)
	if err != nil {
		return nil, Reach{}, err
	}
	q, err := d.latest(ctx, in, open, page.After, now)
	if err != nil {
		return nil, Reach{}, err
	}
	if reach.Spot.Seq > 0 {
		q = q.Where("c.first_seq >= ?", reach.Spot.Seq)
	}
	list, err := places(ctx, placed(q, "0").OrderExpr("3 DESC").Limit(page.limit()), now)
	return list, reach, err
}

// latest is the query of Latest, but for its columns and order.
func (d *Desk) latest(ctx context.Context, in Inbox, open bool, before Spot, now time.Time) (*bun.SelectQuery, error) {
	in.Filter.Open, in.Filter.Light = open, in.Light
	switch {
	case len(in.Filter.States) == 1:
		in.Filter.usual = "cases_state"
	case in.searches():
		in.Filter.usual = "cases_text"
	}
	q, err := d.found(ctx, in, now)
	if err == nil && before.Seq > 0 {
		q = q.Where("c.first_seq < ?", before.Seq)
	}
	return q, err
}

// reach is how far a search goes for a page: over so many of the cases that all but the
// text lets through.
func (d *Desk) reach(ctx context.Context, in Inbox, open bool, before Spot, now time.Time) (Reach, error) {
	if !in.searches() {
		return Reach{}, nil
	}
	in.Text = ""
	q, err := d.latest(ctx, in, open, before, now)
	if err != nil {
		return Reach{}, err
	}
	var last struct{ Seq, ReportedMs int64 }
	q = q.ColumnExpr("c.first_seq AS seq, c.reported_ms AS reported_ms").OrderExpr("1 DESC").Limit(1).Offset(int64(d.o.SearchAtOnce - 1))
	switch err := q.Scan(ctx, &last); {
	case errors.Is(err, sql.ErrNoRows):
		return Reach{}, nil
	case err != nil:
		return Reach{}, sqldb.Explain("search an inbox", err)
	}
	return Reach{Spot: Spot{Seq: last.Seq}, Reported: moment(last.ReportedMs)}, nil
}

func (p Page) limit() int64 {
	if p.Limit <= 0 {
		return 50
	}
	return int64(min(p.Limit, 1000))
}

// Tally is how many cases each task has, in their order, and how many of them are
// past what they wait for.
func (d *Desk) Tally(ctx context.Context, in Inbox, tasks []Task) ([]TaskTally, error) {
	now, out := d.now(), make([]TaskTally, len(tasks))
	for n, t := range tasks {
		q, err := d.inbox(ctx, in, t, now)
		if err != nil {
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
	f.Request, f.Before, f.Near, f.Metres = "", 0, schemas.Position{}, 0
	q, _, err := d.pick(ctx, f, now)
	if err != nil {
		return nil, err
	}
	if in.searches() {
		q = q.Where(d.has(), strings.ToLower(strings.TrimSpace(in.Text)))
	}
	return q, nil
}

// has is the condition that a case has a text, which stands in small letters.
func (d *Desk) has() string {
	if d.db.SQLite() {
		return "instr(c.search, ?) > 0"
	}
	return "strpos(c.search, ?) > 0"
}

// inbox is the query of what may stand in a task. Only an open case has a request; to ask
// for both makes SQLite walk through all that is open.
func (d *Desk) inbox(ctx context.Context, in Inbox, t Task, now time.Time) (*bun.SelectQuery, error) {
	in.Filter.States, in.Filter.Open, in.Filter.Light = nil, t.Request == "", ""
	if l := in.Light; l != "" && !slices.Contains([]limits.Light{limits.None, limits.Green, limits.Yellow, limits.Red}, l) {
		return nil, &schemas.FieldError{Field: "light", Problem: fmt.Sprintf("%.20q is no traffic light", string(l))}
	}
	if t.Request == "" && in.searches() {
		in.Filter.usual = "cases_searched"
	}
	q, err := d.found(ctx, in, now)
	if err != nil {
		return nil, err
	}
	return d.lit(t.pick(q), t, in.Light, now)
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
	caseRow    `bun:",extend"`
	Place, Seq int64
	Answer     string
	BeganMs    int64
}

// placed asks for the columns of a placeRow.
func placed(q *bun.SelectQuery, key string) *bun.SelectQuery {
	return q.ColumnExpr("c.id AS id").ColumnExpr(key + " AS place").ColumnExpr("c.first_seq AS seq").
		ColumnExpr("c.state AS state, c.source AS source, c.request AS request, c.answer AS answer, c.began_ms AS began_ms").
		ColumnExpr("c.clock AS clock, c.yellow_ms AS yellow_ms, c.deadline_ms AS deadline_ms")
}

// places reads where the cases stand that q finds, in its order.
func places(ctx context.Context, q *bun.SelectQuery, now time.Time) ([]Standing, error) {
	var rows []placeRow
	if err := q.Scan(ctx, &rows); err != nil {
		return nil, sqldb.Explain("list an inbox", err)
	}
	out := make([]Standing, len(rows))
	for n, r := range rows {
		out[n] = Standing{ID: cases.CaseID(r.ID), State: cases.State(r.State), Source: cases.Source(r.Source), Request: cases.RequestKind(r.Request), Answer: cases.Outcome(r.Answer),
			Began: moment(r.BeganMs), Deadline: moment(r.DeadlineMs), Light: r.light(now), Spot: Spot{Key: r.Place, Seq: r.Seq}}
	}
	return out, nil
}

// Look reads cases of an inbox, in the order of ids, with what their journals come to.
// One that is not there is left out.
func (d *Desk) Look(ctx context.Context, ids []cases.CaseID) ([]Waiting, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	keys := make([]string, len(ids))
	for n, id := range ids {
		keys[n] = string(id)
	}
	var rows []caseRow
	if err := d.db.Read.NewSelect().Model(&rows).Where("id IN (?)", bun.List(keys)).Scan(ctx); err != nil {
		return nil, sqldb.Explain("list an inbox", err)
	}
	all, err := bodies(ctx, d.db.Read, keys)
	if err != nil {
		return nil, sqldb.Explain("list an inbox", err)
	}
	byID := make(map[string]*caseRow, len(rows))
	for n := range rows {
		byID[rows[n].ID] = &rows[n]
	}
	now, out := d.now(), make([]Waiting, 0, len(ids))
	for _, key := range keys {
		if byID[key] == nil {
			continue
		}
		w, err := waitingOf(byID[key], all[key], now)
		if err != nil {
			return nil, sqldb.Explain("list an inbox", err)
		}
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
	c, entries, err := folded(row.ID, bodies)
	if err != nil || len(entries) == 0 {
		return w, nil
	}
	w.Case, w.Began = c, Began(c, entries)
	return w, nil
}

// Began is when the hub received the entry that brought a case into its state.
func Began(c *cases.Case, entries []cases.Entry) time.Time {
	for n := len(entries) - 1; n >= 0; n-- {
		if e := &entries[n]; e.CountsAt.Equal(c.Since) && e.Act.Brings(c.State) {
			return e.ReceivedAt
		}
	}
	return c.Since
}
