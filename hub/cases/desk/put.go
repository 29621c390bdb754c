package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"citygrid/hub/cases"
	"citygrid/hub/cases/limits"
	"citygrid/schemas"
)

// load folds a case from its journal; the zero Case for an empty id. A journal that is
// broken is a refusal: one case must not stop the acts and events of all others.
func (w *work) load(ctx context.Context, id cases.CaseID) (*cases.Case, error) {
	if id == "" {
		return &cases.Case{}, nil
	}
	list, err := bodies(ctx, w.tx, []string{string(id)})
	if err != nil {
		return nil, err
	}
	if len(list[string(id)]) == 0 {
		return nil, refuse(fmt.Errorf("case %.60q: %w", string(id), ErrUnknown))
	}
	c, _, err := folded(string(id), list[string(id)])
	return c, refuse(err)
}

// put does e to c and writes both. A refusal comes before the first change of a row,
// and leaves c as it was.
func (w *work) put(ctx context.Context, c *cases.Case, e *cases.Entry) error {
	e.ReceivedAt = w.d.now()
	if e.At.IsZero() {
		e.At = e.ReceivedAt
	}
	serial := serialOf{}
	if e.Act == cases.ActReport {
		var err error
		if serial, err = w.number(ctx, e); err != nil {
			return err
		}
	}
	if err := w.fill(ctx, c, e); err != nil {
		return err
	}
	next := c.Clone()
	next.Prepare(e, &w.d.o.Rules)
	if err := applied(next.Apply(e, &w.d.o.Rules)); err != nil {
		return err
	}
	row, err := w.d.rowOf(next)
	if errors.Is(err, limits.ErrBeyond) {
		return refuse(&schemas.FieldError{Field: "limit", Problem: err.Error()})
	}
	if err != nil {
		return err
	}
	if err := w.store(ctx, e, &row, serial); err != nil {
		return err
	}
	if err := w.sent(ctx, c, next); err != nil {
		return err
	}
	*c = *next
	return nil
}

// applied tells refusals of the workflow from a journal that is broken.
func applied(err error) error {
	var chain *cases.ChainError
	if errors.As(err, &chain) {
		return err
	}
	return refuse(err)
}

// store writes the entry and what the case comes to with it.
func (w *work) store(ctx context.Context, e *cases.Entry, row *caseRow, serial serialOf) error {
	body, err := e.MarshalJSON()
	if err != nil {
		return err
	}
	if err := w.tx.NewRaw("UPDATE case_counters SET last = last + 1 WHERE name = 'entry' RETURNING last").Scan(ctx, &w.seq); err != nil {
		return err
	}
	err = w.exec(ctx, "INSERT INTO case_entries (seq, case_id, number, act, role, person, department, received_ms, state, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		w.seq, string(e.Case), e.Number, string(e.Act), string(e.Role), string(e.Person), string(e.Department), millis(e.ReceivedAt), row.State, string(body))
	if err != nil {
		return err
	}
	row.FirstSeq, row.LastSeq = w.seq, w.seq
	if e.Number > 1 {
		if _, err = w.tx.NewUpdate().Model(row).ExcludeColumn("id", "first_seq").WherePK().Exec(ctx); err != nil {
			return err
		}
		return w.exec(ctx, waits, row.ID)
	}
	if err := w.exec(ctx, "INSERT INTO case_serials (name, last) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET last = EXCLUDED.last", serial.name, serial.last); err != nil {
		return err
	}
	if _, err = w.tx.NewInsert().Model(row).Exec(ctx); err != nil {
		return err
	}
	return w.exec(ctx, waits, row.ID)
}

// sent keeps the list of departments that a case has been sent to.
func (w *work) sent(ctx context.Context, before, c *cases.Case) error {
	same := slices.Equal(before.SentTo, c.SentTo)
	switch {
	case same && c.State.Final() && len(c.SentTo) > 0:
		return w.exec(ctx, "UPDATE case_sent SET open = 0 WHERE case_id = ?", string(c.ID))
	case same:
		return nil
	}
	if err := w.exec(ctx, "DELETE FROM case_sent WHERE case_id = ?", string(c.ID)); err != nil {
		return err
	}
	for _, dep := range c.SentTo {
		err := w.exec(ctx, "INSERT INTO case_sent (department, case_id, open, first_seq) SELECT ?, id, open, first_seq FROM cases WHERE id = ?", string(dep), string(c.ID))
		if err != nil {
			return err
		}
	}
	return nil
}
