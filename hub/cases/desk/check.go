package desk

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/uptrace/bun"

	"citygrid/hub/cases"
	"citygrid/hub/cases/limits"
	"citygrid/internal/sqldb"
	"citygrid/schemas"
)

// Finding is something in the tables that does not follow from the journal.
type Finding struct {
	Case    cases.CaseID
	Problem string
	// Clock: only the clock of handling differs. It follows from the limits file of the
	// day as well, and of cases at their end it is not renewed when that is changed.
	Clock bool
}

// Check makes every case again from its journal and compares: the chain of digests,
// what the lists show, and that every event's case is there. It changes nothing, and
// may run while others write. Of a journal whose end was cut off together with the
// list nothing shows: that needs a digest kept elsewhere.
func (d *Desk) Check(ctx context.Context, found func(Finding)) error {
	for after, more := "", true; more; {
		err := d.db.Snapshot(ctx, func(tx bun.Tx) error {
			p, err := readPage(ctx, tx, after)
			if err != nil || len(p.ids) == 0 {
				more = false
				return err
			}
			after = p.ids[len(p.ids)-1]
			for _, id := range p.ids {
				if problem, clock := d.checkCase(id, p); problem != "" {
					found(Finding{cases.CaseID(id), problem, clock})
				}
			}
			return nil
		})
		if err != nil {
			return sqldb.Explain("check cases", err)
		}
	}
	return d.checkEvents(ctx, found)
}

// page is all about some cases.
type page struct {
	ids     []string
	rows    map[string]caseRow
	entries map[string][]entryRow
	sent    map[string][]string
}

type entryRow struct {
	bun.BaseModel `bun:"table:case_entries"`

	Seq        int64
	CaseID     string
	Number     uint32
	Act        string
	Role       string
	Person     string
	Department string
	ReceivedMs int64
	State      string
	Body       string
}

// readPage reads about the cases after an id, of which there is a row or an entry.
func readPage(ctx context.Context, tx bun.Tx, after string) (*page, error) {
	const atOnce = 200
	p := &page{rows: map[string]caseRow{}, entries: map[string][]entryRow{}, sent: map[string][]string{}}
	err := tx.NewRaw(`SELECT id FROM (SELECT id FROM (SELECT id FROM cases WHERE id > ? ORDER BY id LIMIT ?) AS a
		UNION SELECT id FROM (SELECT DISTINCT case_id AS id FROM case_entries WHERE case_id > ? ORDER BY case_id LIMIT ?) AS b) AS c ORDER BY id LIMIT ?`,
		after, atOnce, after, atOnce, atOnce).Scan(ctx, &p.ids)
	if err != nil || len(p.ids) == 0 {
		return p, err
	}
	var rows []caseRow
	var entries []entryRow
	var sent []struct{ CaseID, Department string }
	if err := tx.NewSelect().Model(&rows).Where("id IN (?)", bun.List(p.ids)).Scan(ctx); err != nil {
		return p, err
	}
	if err := tx.NewSelect().Model(&entries).Where("case_id IN (?)", bun.List(p.ids)).Order("case_id", "number").Scan(ctx); err != nil {
		return p, err
	}
	if err := tx.NewRaw("SELECT s.case_id, s.department FROM case_sent AS s JOIN cases AS c ON c.id = s.case_id WHERE s.case_id IN (?) AND s.open = c.open AND s.first_seq = c.first_seq",
		bun.List(p.ids)).Scan(ctx, &sent); err != nil {
		return p, err
	}
	for _, r := range rows {
		p.rows[r.ID] = r
	}
	for _, e := range entries {
		p.entries[e.CaseID] = append(p.entries[e.CaseID], e)
	}
	for _, s := range sent {
		p.sent[s.CaseID] = append(p.sent[s.CaseID], s.Department)
	}
	return p, nil
}

// checkCase returns the first problem of a case, or "", and whether only its clock
// differs.
func (d *Desk) checkCase(id string, p *page) (problem string, clock bool) {
	list := p.entries[id]
	held, listed := p.rows[id]
	switch {
	case len(list) == 0:
		return "has no journal", false
	case !listed:
		return "has a journal and stands in no list", false
	}
	c := &cases.Case{}
	for n := range list {
		if problem := list[n].follow(c); problem != "" {
			return fmt.Sprintf("entry %d: %s", n+1, problem), false
		}
	}
	want, err := d.rowOf(c)
	if err != nil {
		return err.Error(), errors.Is(err, limits.ErrBeyond)
	}
	want.FirstSeq, want.LastSeq = list[0].Seq, list[len(list)-1].Seq
	ofClock := difference(held, want)
	want.Clock, want.YellowMs, want.DeadlineMs = held.Clock, held.YellowMs, held.DeadlineMs
	if problem := difference(held, want); problem != "" {
		return problem, false
	}
	var sent []string
	for _, dep := range c.SentTo {
		sent = append(sent, string(dep))
	}
	slices.Sort(sent)
	slices.Sort(p.sent[id])
	if !slices.Equal(sent, p.sent[id]) {
		return fmt.Sprintf("is listed for departments %v, the journal comes to %v", p.sent[id], sent), false
	}
	return ofClock, ofClock != ""
}

// follow does an entry to c, and returns what is wrong with it.
func (r *entryRow) follow(c *cases.Case) string {
	e, err := cases.DecodeEntry([]byte(r.Body))
	if err != nil {
		return err.Error()
	}
	if err := c.Apply(e, nil); err != nil {
		return err.Error()
	}
	want := entryRow{Seq: r.Seq, CaseID: string(c.ID), Number: e.Number, Act: string(e.Act), Role: string(e.Role), Person: string(e.Person),
		Department: string(e.Department), ReceivedMs: millis(e.ReceivedAt), State: string(c.State), Body: r.Body}
	return difference(*r, want)
}

// difference names the first column in which two rows differ.
func difference(held, want any) string {
	a, b := reflect.ValueOf(held), reflect.ValueOf(want)
	for n := range a.NumField() {
		if f := a.Type().Field(n); !f.Anonymous && a.Field(n).Interface() != b.Field(n).Interface() {
			return fmt.Sprintf("the table says %s %v, the journal comes to %v", f.Name, a.Field(n), b.Field(n))
		}
	}
	return ""
}

// checkEvents looks for events whose case is not there.
func (d *Desk) checkEvents(ctx context.Context, found func(Finding)) error {
	var lost []struct{ ID, CaseID string }
	err := d.db.Read.NewRaw("SELECT e.id, e.case_id FROM component_events AS e LEFT JOIN cases AS c ON c.id = e.case_id WHERE e.case_id <> '' AND c.id IS NULL").Scan(ctx, &lost)
	if err != nil {
		return sqldb.Explain("check events", err)
	}
	for _, e := range lost {
		found(Finding{Case: cases.CaseID(e.CaseID), Problem: fmt.Sprintf("is the case of event %s and is not there", schemas.EventID(e.ID))})
	}
	return nil
}
