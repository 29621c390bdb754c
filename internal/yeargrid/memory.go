package yeargrid

import (
	"context"
	"fmt"
	"reflect"

	"citygrid/hub/cases"
	"citygrid/hub/cases/indicators"
)

// memory are the cases of the pure core: open ones with their journals, and the last
// ones that ended.
type memory struct {
	*player
	open  map[cases.CaseID]*journal
	ended []cases.CaseID
	n     int
}

type journal struct {
	c       *cases.Case
	entries []cases.Entry
	counted bool
}

// keptEnded is how many ended cases are kept, for those who try to go on with one;
// foldEvery how many ended cases there are for one whose journal is read again.
const keptEnded, foldEvery = 1000, 20

// Do implements Cases.
func (m *memory) Do(_ context.Context, e *cases.Entry) error {
	j := m.open[e.Case]
	if j == nil {
		j = &journal{c: new(cases.Case)}
	}
	before := j.c.Entries
	j.c.Prepare(e, &m.book.Workflow)
	if err := j.c.Apply(e, &m.book.Workflow); err != nil {
		if j.c.Entries != before {
			return nil // it was done all the same: the judge counts it as taken
		}
		return err
	}
	m.open[e.Case] = j
	j.entries = append(j.entries, *e)
	if !j.c.State.Final() {
		return nil
	}
	return m.end(j)
}

// end counts a case whose journal is complete.
func (m *memory) end(j *journal) error {
	m.n++
	if m.n%foldEvery == 0 {
		m.fold(j)
	}
	if err := m.tally.Add(j.c, j.entries); err != nil {
		return err
	}
	j.entries, j.counted = nil, true
	m.ended = append(m.ended, j.c.ID)
	if len(m.ended) > keptEnded {
		delete(m.open, m.ended[0])
		m.ended = m.ended[1:]
	}
	return nil
}

// fold reads the journal of a case again, from its bytes.
func (m *memory) fold(j *journal) {
	again := make([]cases.Entry, len(j.entries))
	for n := range j.entries {
		data, err := j.entries[n].MarshalJSON()
		if err == nil {
			err = again[n].UnmarshalJSON(data)
		}
		if err != nil {
			m.report.Journals++
			m.report.explain("case %s, entry %d: %v", j.c.ID, n+1, err)
			return
		}
	}
	c, err := cases.Fold(again)
	if err == nil && !reflect.DeepEqual(c, j.c) {
		err = fmt.Errorf("folds to %+v, want %+v", c, j.c)
	}
	if head, bad := cases.Verify(again); err == nil && (bad != nil || head != j.c.Head) {
		err = fmt.Errorf("the chain ends with %s, want %s: %w", head, j.c.Head, bad)
	}
	if err != nil {
		m.report.Journals++
		m.report.explain("case %s: %v", j.c.ID, err)
	}
}

// Finish counts the cases that are open.
func (m *memory) Finish(_ context.Context, tally *indicators.Tally) error {
	for _, j := range m.open {
		if j.counted {
			continue
		}
		if err := tally.Add(j.c, j.entries); err != nil {
			return err
		}
	}
	return nil
}
