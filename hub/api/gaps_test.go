package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"citygrid/hub/completeness"
)

// askedLedger remembers what it was asked last.
type askedLedger struct{ last completeness.Query }

func (a *askedLedger) Gaps(_ context.Context, q completeness.Query) (completeness.Page, error) {
	a.last = q
	return completeness.Page{}, nil
}

func (a *askedLedger) Completeness(_ context.Context, q completeness.Query) ([]completeness.Collector, error) {
	a.last = q
	return nil, nil
}

// TestGapsOfATime: the range, the collector and the area of a query reach the ledger.
func TestGapsOfATime(t *testing.T) {
	ledger := new(askedLedger)
	h := newHandler(t, func(o *Options) { o.Completeness = ledger })
	want := completeness.Query{Since: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Until: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Collector: "c1", Area: "3205"}
	const query = "?since=2026-03-01T08:00:00%2B08:00&until=2026-03-02T00:00:00Z&collector=c1&area=3205"
	for _, path := range []string{"/api/v1/gaps", "/api/v1/completeness"} {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path+query, nil))
		got := ledger.last
		got.Limit = 0
		if answer.Code != http.StatusOK || got != want {
			t.Errorf("%s: %d %s, asked for %+v, want %+v", path, answer.Code, answer.Body, got, want)
		}
	}
}
