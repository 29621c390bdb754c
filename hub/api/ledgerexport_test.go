package api

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"citygrid/hub/ledger"
)

// shrinkingWork loses a difference between two pages.
type shrinkingWork struct {
	LedgerWork
	total int64
}

func (s *shrinkingWork) Work(_ context.Context, f ledger.WorkFilter) (ledger.WorkList, error) {
	list := ledger.WorkList{Total: s.total, Items: make([]ledger.WorkItem, min(workPage, max(0, int(s.total)-f.Offset)))}
	return list, nil
}

// TestExportOfBooksThatChangeIsCutOff: what is cleared while a table is written moves
// the rows after it, one of which would be lacking; such a table must not end as if it
// were whole.
func TestExportOfBooksThatChangeIsCutOff(t *testing.T) {
	for _, c := range []struct {
		before, after int64
		whole         bool
	}{{1500, 1500, true}, {1500, 1499, false}, {1500, 1501, false}} {
		work := &shrinkingWork{total: c.before}
		first, err := work.Work(t.Context(), ledger.WorkFilter{})
		noError(t, err)
		work.total = c.after
		var out bytes.Buffer
		err = (&ledgerRoutes{o: &Ledger{Desk: &Desk{Work: work}}}).writeWork(t.Context(), &out, "csv", ledger.WorkFilter{Limit: workPage}, first)
		if (err == nil) != c.whole || c.whole && strings.Count(out.String(), "\n") != 1501 {
			t.Errorf("%d rows, then %d: %v, %d lines", c.before, c.after, err, strings.Count(out.String(), "\n"))
		}
	}
}
